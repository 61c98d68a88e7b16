//! Cases that the golden files of `tests/text_golden/` do not cover: rejections, and malicious files.

use super::sentencepiece::{Algorithm, PieceType, SentencePiece};
use super::*;
use crate::error::Code;
use crate::rng::threefry2x32;
use crate::text::tokenizer::Tokenizer;

fn files(list: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
    list.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
}

fn open(list: &[(&str, &str)], model_type: Option<&str>) -> Result<Option<Tokenizer>> {
    Tokenizer::from_files(TokenizerFiles { files: &files(list), model_type, class: None })
}

const VOCAB: &str = r#"{"a":0,"b":1,"ab":2,"</s>":3}"#;

#[test]
fn what_is_unknown_is_refused_by_name() {
    let class = |name: &str| format!(r#"{{"tokenizer_class":"{name}"}}"#);
    let word_level = class("WordLevelTokenizer");
    let generic = class("PreTrainedTokenizerFast");
    let vocab = ("vocab.json", VOCAB);
    for (list, model_type, says) in [
        (vec![vocab, ("tokenizer_config.json", word_level.as_str())], Some("opt"), "WordLevelTokenizer"),
        (vec![vocab, ("tokenizer_config.json", generic.as_str())], Some("mamba"), "PreTrainedTokenizerFast"),
        (vec![vocab], Some("mamba"), "mamba"),
        (vec![vocab], None, "no tokenizer_class"),
        (vec![vocab], Some("opt"), "expected merges.txt, found vocab.json"),
        (vec![vocab], Some("bert"), "expected vocab.txt, found vocab.json"),
        (vec![vocab], Some("llama"), "expected tokenizer.model, found vocab.json"),
    ] {
        let error = open(&list, model_type).unwrap_err();
        assert_eq!(error.code(), Code::ModelUnsupported, "{error}");
        assert!(error.message().contains(says), "{error}");
    }
    assert!(open(&[("config.json", "{}")], Some("opt")).unwrap().is_none());
}

#[test]
fn damaged_files_are_named() {
    let merges = ("merges.txt", "#version: 0.2\na b\n");
    let vocab = ("vocab.json", VOCAB);
    for (list, says) in [
        (vec![("vocab.json", "[]"), merges], "vocab.json"),
        (vec![("vocab.json", r#"{"a":-1}"#), merges], "vocab.json"),
        (vec![("vocab.json", r#"{"a":4294967295}"#), merges], "vocab.json: expected token ids up to"),
        (vec![vocab, ("merges.txt", "a b\na\n")], "merges.txt, line 2"),
        (vec![vocab, ("merges.txt", "a b c\n")], "merges.txt, line 1"),
        (vec![vocab, ("merges.txt", "a z\n")], "merges.txt"),
        (vec![vocab, merges, ("special_tokens_map.json", "{")], "special_tokens_map.json"),
        (
            vec![vocab, merges, ("special_tokens_map.json", r#"{"bos_token":3}"#)],
            "special_tokens_map.json: bos_token",
        ),
        (vec![vocab, merges, ("added_tokens.json", r#"{"<x>":"y"}"#)], "added_tokens.json"),
        (vec![vocab, merges, ("tokenizer_config.json", r#"{"add_bos_token":"yes"}"#)], "add_bos_token"),
        (
            vec![
                vocab,
                merges,
                ("tokenizer_config.json", r#"{"added_tokens_decoder":{"x":{"content":"y"}}}"#),
            ],
            "added_tokens_decoder.x",
        ),
        (
            vec![
                vocab,
                merges,
                ("tokenizer_config.json", r#"{"added_tokens_decoder":{"7":{"content":""}}}"#),
            ],
            "added_tokens_decoder.7",
        ),
    ] {
        let error = open(&list, Some("opt")).unwrap_err();
        assert_eq!(error.code(), Code::FileCorrupt, "{error}");
        assert!(error.message().contains(says), "{says}: {error}");
    }
    // An id that no rule can assign: the vocabulary has 4 tokens, and the class adds one.
    let hole = [vocab, merges, ("added_tokens.json", r#"{"<x>":99}"#)];
    let error = open(&hole, Some("opt")).unwrap_err();
    assert!(
        error.code() == Code::ModelUnsupported && error.message().contains("found 99 for \"<x>\""),
        "{error}"
    );
}

#[test]
fn special_tokens_have_one_source() {
    let config = r#"{"tokenizer_class":"LlamaTokenizerFast","eos_token":"</e>","unk_token":null}"#;
    let map = r#"{"bos_token":{"content":"<b>"},"eos_token":"<end>"}"#;
    let list = [("tokenizer_config.json", config), ("special_tokens_map.json", map)];
    let tokens = special_tokens(&files(&list)).unwrap();
    let pair = |role: &str, text: &str| (role.to_owned(), text.to_owned());
    assert_eq!(tokens, [pair("bos_token", "<b>"), pair("eos_token", "<end>")]);
    let config = r#"{"tokenizer_class":"LlamaTokenizer","eos_token":"</e>","added_tokens_decoder":{}}"#;
    let list = [("tokenizer_config.json", config), ("special_tokens_map.json", map)];
    let tokens = special_tokens(&files(&list)).unwrap();
    assert_eq!(tokens, [pair("bos_token", "<s>"), pair("eos_token", "</e>"), pair("unk_token", "<unk>")]);
}

/// The tokens of a text with a `tokenizer.json` that has these parts beside a `tokenizer_config.json`.
fn tokens_of(json: &str, config: &str, model_type: &str, text: &str) -> String {
    let list = [("tokenizer.json", json), ("tokenizer_config.json", config)];
    let tokenizer = open(&list, Some(model_type)).unwrap().unwrap();
    let ids = tokenizer.encode(text, false).unwrap();
    ids.iter().map(|id| tokenizer.id_to_token(*id).unwrap()).collect::<Vec<_>>().join(" ")
}

/// As transformers 4.57 and 5.24 tokenize with the same files.
#[test]
fn a_class_overrides_tokenizer_json_with_its_defaults() {
    let word_pieces = r###"{"normalizer":{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":false,
        "lowercase":false},"pre_tokenizer":{"type":"BertPreTokenizer"},"model":{"type":"WordPiece","unk_token":"[UNK]",
        "continuing_subword_prefix":"##","max_input_chars_per_word":100,
        "vocab":{"[UNK]":0,"hello":1,"Hello":2,"creme":3,"crème":4}},"added_tokens":[]}"###;
    let text = "Hello crème";
    for (config, model_type, expected) in [
        (r#"{"tokenizer_class":"BertTokenizer"}"#, "bert", "hello creme"),
        (r#"{"tokenizer_class":"ElectraTokenizerFast","strip_accents":null}"#, "electra", "hello creme"),
        (r#"{"tokenizer_class":"DistilBertTokenizer","do_lower_case":false}"#, "distilbert", "Hello crème"),
        (r#"{"tokenizer_class":"BertTokenizer","strip_accents":false}"#, "bert", "hello crème"),
        (r#"{}"#, "bert", "hello creme"),
        (r#"{"tokenizer_class":"PreTrainedTokenizerFast"}"#, "bert", "Hello crème"),
        (r#"{}"#, "modernbert", "Hello crème"),
    ] {
        assert_eq!(tokens_of(word_pieces, config, model_type, text), expected, "{config} {model_type}");
    }
    let bytes = r#"{"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true},
        "model":{"type":"BPE","vocab":{"Ġ":0,"h":1,"i":2},"merges":[]},"added_tokens":[]}"#;
    for (config, model_type, expected) in [
        (r#"{"tokenizer_class":"RobertaTokenizerFast"}"#, "roberta", "h i"),
        (r#"{"tokenizer_class":"GPT2Tokenizer"}"#, "gpt2", "h i"),
        (r#"{"tokenizer_class":"RobertaTokenizer","add_prefix_space":true}"#, "roberta", "Ġ h i"),
        (r#"{"tokenizer_class":"RobertaTokenizer","add_prefix_space":null}"#, "roberta", "Ġ h i"),
        (r#"{}"#, "roberta", "h i"),
        (r#"{"tokenizer_class":"PreTrainedTokenizerFast"}"#, "roberta", "Ġ h i"),
    ] {
        assert_eq!(tokens_of(bytes, config, model_type, "hi"), expected, "{config} {model_type}");
    }
}

#[test]
fn special_tokens_in_a_text_are_split_if_the_configuration_says_so() {
    let json = r#"{"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true},
        "model":{"type":"BPE","vocab":{"<":0,"s":1,">":2,"a":3,"<s>":4},"merges":[]},"added_tokens":[{"id":4,"content":"<s>",
        "single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}]}"#;
    for (config, expected) in [
        (r#"{}"#, "<s> a"),
        (r#"{"split_special_tokens":false}"#, "<s> a"),
        (r#"{"split_special_tokens":true}"#, "< s > a"),
    ] {
        assert_eq!(tokens_of(json, config, "llama", "<s>a"), expected, "{config}");
    }
    let vocab = r#"{"<":0,"s":1,">":2,"a":3}"#;
    let config = r#"{"split_special_tokens":true,"bos_token":"<s>"}"#;
    let list = [("vocab.json", vocab), ("merges.txt", "#version: 0.2\n"), ("tokenizer_config.json", config)];
    let tokenizer = open(&list, Some("opt")).unwrap().unwrap();
    assert_eq!(tokenizer.encode("<s>a", false).unwrap(), [0, 1, 2, 3]);
}

#[test]
fn a_text_is_always_split_in_the_same_way() {
    let json = r#"{"model":{"type":"BPE","dropout":0.5,"vocab":{"a":0,"b":1,"ab":2,"abab":3},"merges":["a b","ab ab"]},
        "added_tokens":[]}"#;
    for _ in 0..20 {
        assert_eq!(tokens_of(json, "{}", "llama", "abababab"), "abab abab");
    }
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn field(number: u64, bytes: &[u8]) -> Vec<u8> {
    [varint(number << 3 | 2), varint(bytes.len() as u64), bytes.to_vec()].concat()
}

/// A model of the given type with the given pieces and decreasing scores.
fn model(kind: u8, pieces: &[(&str, u8)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (i, (text, kind)) in pieces.iter().enumerate() {
        let score = [&[0x15][..], &(-(i as f32)).to_le_bytes()].concat();
        bytes.extend(field(1, &[field(1, text.as_bytes()), score, vec![0x18, *kind]].concat()));
    }
    bytes.extend(field(2, &[&[0x18, kind][..], &varint(40 << 3), &[0]].concat()));
    bytes
}

const PIECES: [(&str, u8); 8] =
    [("<unk>", 2), ("<s>", 3), ("</s>", 3), ("<user>", 4), ("▁", 1), ("a", 1), ("▁a", 1), ("aa", 1)];

#[test]
fn a_sentencepiece_model_is_read() {
    let read = SentencePiece::parse(&model(2, &PIECES), "m").unwrap();
    assert_eq!((read.algorithm, read.unk, read.pieces.len()), (Algorithm::Bpe, Some(0), 8));
    let kinds: Vec<PieceType> = read.pieces.iter().map(|piece| piece.kind).collect();
    assert_eq!(
        kinds[..4],
        [PieceType::Plain, PieceType::Control, PieceType::Control, PieceType::UserDefined]
    );
    assert_eq!((read.pieces[6].text.as_str(), read.pieces[6].score), ("▁a", -6.0));
    // Without an unknown piece, its id is -1.
    let mut none = model(1, &PIECES);
    none.extend(field(2, &[varint(40 << 3), varint(u64::MAX)].concat()));
    assert_eq!(SentencePiece::parse(&none, "m").unwrap().unk, None);
    let long = "x".repeat(2000);
    for (bytes, says) in [
        (vec![], "no pieces"),
        (b"IQ== 0\nIg== 1\n".to_vec(), "SentencePiece"),
        (model(1, &[("", 1)]), "no text in piece 0"),
        (model(1, &[("a", 1), (long.as_str(), 1)]), "2000 bytes"),
        (field(1, &field(1, b"\xff")), "not UTF-8"),
        (field(1, &[&field(1, b"a")[..], &[0x15, 0, 0, 0xc0, 0x7f]].concat()), "the score NaN"),
        (vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 1], "a field of 4294967295 bytes where 1 are left"),
        (vec![0xff; 11], "more than 10 bytes"),
        (vec![0x0b], "wire type 3"),
        (vec![0x02, 0x00], "number 0"),
    ] {
        let error = SentencePiece::parse(&bytes, "m").unwrap_err();
        assert_eq!(error.code(), Code::FileCorrupt);
        assert!(error.message().contains(says), "{says}: {error}");
    }
}

/// Each class that has a SentencePiece model, with models that are truncated, mutated or random: an error or a tokenizer, and no panic.
#[test]
fn hostile_sentencepiece_models_are_harmless() {
    let classes = ["albert", "camembert", "deberta-v2", "gemma", "llama", "t5", "xlm-roberta"];
    let charsmap = [&1024u32.to_le_bytes()[..], &[0; 1024], b"xy\0"].concat();
    let mut opened = 0;
    for round in 0..6000u32 {
        let noise = |at: u32| threefry2x32([round, 7], [at, 0])[0];
        let mut bytes = model(1 + (round % 2) as u8, &PIECES);
        bytes.extend(field(3, &field(2, &charsmap)));
        match noise(0) % 4 {
            0 => bytes.truncate(noise(1) as usize % bytes.len()),
            1 => bytes = (0..noise(1) % 200).map(|at| noise(at + 2) as u8).collect(),
            _ => {
                for change in 0..1 + noise(1) % 6 {
                    let at = noise(2 * change + 2) as usize % bytes.len().min(300 + change as usize * 400);
                    bytes[at] = noise(2 * change + 3) as u8;
                }
            }
        }
        let files = BTreeMap::from([("tokenizer.model".to_owned(), bytes)]);
        for model_type in classes {
            let of = TokenizerFiles { files: &files, model_type: Some(model_type), class: None };
            if let Ok(Some(tokenizer)) = Tokenizer::from_files(of) {
                opened += 1;
                for text in ["", "a aa <user>b\n", "é<s> \u{10ffff}"] {
                    if let Ok(ids) = tokenizer.encode(text, true) {
                        let _ = tokenizer.decode(&ids, false);
                    }
                }
            }
        }
    }
    assert!(opened > 1000, "{opened}");
}
