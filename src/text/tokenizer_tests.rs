use super::*;
use crate::error::Code;
use crate::text::stream::Detokenizer;

/// A small WordPiece vocabulary in the style of BERT, uncased.
pub(crate) fn bert() -> Tokenizer {
    let tokens =
        "[PAD] [UNK] [CLS] [SEP] [MASK] it was great terrible . , ? ! a b good ##s ##ly movie [ ] mask the";
    let vocab: serde_json::Map<_, _> =
        tokens.split(' ').enumerate().map(|(i, t)| (t.to_string(), i.into())).collect();
    let special = |id: u32, content: &str| serde_json::json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true});
    let json = serde_json::json!({
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0},
        "padding": {"strategy": {"Fixed": 16}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
        "added_tokens": [special(0, "[PAD]"), special(1, "[UNK]"), special(2, "[CLS]"), special(3, "[SEP]"), special(4, "[MASK]")],
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]}, "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}}},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": vocab}
    });
    Tokenizer::from_json(json.to_string().as_bytes(), "tokenizer.json").unwrap()
}

/// The fields of a byte-level vocabulary: all 256 bytes, a few merges, and three special tokens.
pub(crate) fn gguf(pre: &str) -> GgufVocab {
    let mut tokens: Vec<String> = ["<|end|>", "<|bos|>"].map(String::from).to_vec();
    let mut alphabet: Vec<char> =
        (33..=126u32).chain(161..=172).chain(174..=255).chain(256..=323).filter_map(char::from_u32).collect();
    alphabet.sort_unstable();
    tokens.extend(alphabet.iter().map(char::to_string));
    let merges = [
        "g r", "e a", "gr ea", "grea t", "Ġ great", "b a", "ba d", "Ġ bad", "i t", "Ġ w", "a s", "Ġw as",
        "N o", "1 2",
    ];
    tokens.extend(merges.iter().map(|m| m.replace(' ', "")));
    tokens.push("<user>".into());
    let last = tokens.len() - 1;
    let token_types = (0..=last)
        .map(|i| {
            if i < 2 {
                3
            } else if i == last {
                4
            } else {
                1
            }
        })
        .collect();
    GgufVocab {
        model: "gpt2".into(),
        pre: pre.into(),
        tokens,
        merges: merges.map(String::from).to_vec(),
        token_types,
        bos: Some(1),
        eos: Some(0),
        ..GgufVocab::default()
    }
}

pub(crate) fn gpt(add_bos: bool, add_eos: bool) -> Tokenizer {
    Tokenizer::from_gguf(GgufVocab { add_bos: Some(add_bos), add_eos: Some(add_eos), ..gguf("smollm") })
        .unwrap()
}

fn names(t: &Tokenizer, ids: &[u32]) -> Vec<String> {
    ids.iter().map(|&id| t.id_to_token(id).unwrap()).collect()
}

#[test]
fn a_json_tokenizer_frames_its_text_without_cutting_or_padding() {
    let t = bert();
    let ids = t.encode("It was GREAT, a good movie!", true).unwrap();
    assert_eq!(names(&t, &ids).join(" "), "[CLS] it was great , a good movie ! [SEP]");
    assert_eq!(t.encode("It", false).unwrap().len(), 1);
    assert_eq!(t.decode(&ids, true).unwrap(), "it was great, a good movie!");
    assert_eq!(t.mask(), Some(("[MASK]".into(), 4)));
    assert_eq!((t.vocab_size(), t.eos()), (23, None));
    assert_eq!((t.token_to_id("##s"), t.token_to_id("nope"), t.id_to_token(99)), (Some(16), None, None));
    assert_eq!(t.clone().with_eos(Some(3)).unwrap().eos(), Some(3));
    assert_eq!(t.with_eos(Some(99)).unwrap_err().code(), Code::FileCorrupt);
}

#[test]
fn a_gguf_tokenizer_splits_digits_and_frames() {
    let t = gpt(true, true);
    let ids = t.encode("it was great 12<user><|end|>", true).unwrap();
    assert_eq!(names(&t, &ids).join(" "), "<|bos|> it Ġwas Ġgreat Ġ 1 2 <user> <|end|> <|end|>");
    assert_eq!(t.decode(&ids, true).unwrap(), "it was great 12<user>");
    assert_eq!(t.decode(&ids, false).unwrap(), "<|bos|>it was great 12<user><|end|><|end|>");
    // As in llama.cpp, the name of the pre-tokenizer determines whether a text starts with bos, if the file does not say.
    let llama = Tokenizer::from_gguf(gguf("llama-bpe")).unwrap();
    assert_eq!(names(&llama, &llama.encode("it12", true).unwrap()), ["<|bos|>", "it", "12"]);
    let without = Tokenizer::from_gguf(GgufVocab { add_bos: Some(false), ..gguf("llama-bpe") }).unwrap();
    assert_eq!(without.encode("it12", true).unwrap().len(), 2);
    assert_eq!((t.eos(), t.mask()), (Some(0), None));
    let pieces = t.pieces("it was", true).unwrap();
    assert_eq!(
        pieces.iter().map(|p| (p.start, p.end, p.added)).collect::<Vec<_>>(),
        [(0, 0, true), (0, 2, false), (2, 6, false), (0, 0, true)]
    );
}

#[test]
fn unknown_tokens_are_counted() {
    // A word that the vocabulary cannot represent is one token. Bytes can represent everything.
    for (text, expected) in [("it was great", 0), ("it was 좋아", 1), ("좋아 나빠 .", 2), ("", 0)] {
        assert_eq!(bert().unknown_tokens(text).unwrap(), expected, "{text:?}");
    }
    assert_eq!(Tokenizer::from_gguf(gguf("gpt-2")).unwrap().unknown_tokens("great 좋아").unwrap(), 0);
}

#[test]
fn single_tokens_in_context() {
    let (b, g) = (bert(), gpt(false, false));
    assert_eq!(b.single_token("Great", true).unwrap(), b.token_to_id("great").unwrap());
    assert_eq!(b.single_token("Great", false).unwrap(), b.token_to_id("great").unwrap());
    assert_eq!(g.single_token("great", true).unwrap(), g.token_to_id("Ġgreat").unwrap());
    assert_eq!(g.single_token("great", false).unwrap(), g.token_to_id("great").unwrap());
    assert_eq!(g.single_token("No", false).unwrap(), g.token_to_id("No").unwrap());
    let e = g.single_token("No", true).unwrap_err();
    assert_eq!(e.code(), Code::DataInvalid);
    for part in ["\"No\"", "\" No\"", "found 2", "Ġ, No"] {
        assert!(e.message().contains(part), "{e}");
    }
    assert!(b.single_token("goods", true).unwrap_err().message().contains("good, ##s"));
    assert!(b.single_token("nope", true).unwrap_err().message().contains("[UNK]"));
    assert!(b.single_token("", true).is_err());
}

#[test]
fn bad_json_is_refused_by_name() {
    let good = include_bytes!("../../tests/text_golden/bert.json");
    let good: serde_json::Value = serde_json::from_slice(good).unwrap();
    let good = good["tokenizer"].to_string();
    assert!(Tokenizer::from_json(good.as_bytes(), "t.json").is_ok());
    let big = good.replacen("\"[PAD]\":0", "\"[PAD]\":4294967295", 1);
    assert_ne!(big, good);
    let bpe = r###"{"added_tokens":[],"model":{"type":"BPE","vocab":{"a":0,"b":1},"merges":["a b"],"continuing_subword_prefix":"##"}}"###;
    for bad in [
        "",
        "{}",
        "null",
        "[]",
        "{\"model\":{}}",
        "{\"model\":{\"type\":\"WordPiece\",\"vocab\":3}}",
        "\u{1}",
        &good[..good.len() / 2],
        &big,
    ] {
        let e = Tokenizer::from_json(bad.as_bytes(), "t.json").unwrap_err();
        assert_eq!(e.code(), Code::FileCorrupt, "{bad}");
        assert!(e.message().starts_with("t.json"), "{e}");
    }
    let e = Tokenizer::from_json(bpe.as_bytes(), "t.json").unwrap_err();
    assert!(e.code() == Code::ModelUnsupported && e.message().contains("continuing_subword_prefix"), "{e}");
}

#[test]
fn bad_gguf_fields_are_refused_by_name() {
    type Spoil = fn(&mut GgufVocab);
    let cases: [(&str, Code, Spoil); 12] = [
        ("tokenizer.ggml.model", Code::ModelUnsupported, |v| v.model = "rwkv".into()),
        ("tokenizer.ggml.pre", Code::ModelUnsupported, |v| v.pre = "kimi-k2".into()),
        ("tokenizer.ggml.tokens", Code::FileCorrupt, |v| v.tokens.clear()),
        ("tokenizer.ggml.tokens", Code::FileCorrupt, |v| v.tokens[5] = v.tokens[6].clone()),
        ("tokenizer.ggml.token_type", Code::FileCorrupt, |v| v.token_types.truncate(3)),
        ("tokenizer.ggml.merges[1]", Code::FileCorrupt, |v| v.merges[1] = "ea".into()),
        ("tokenizer.ggml.merges[1]", Code::FileCorrupt, |v| v.merges[1] = "e a b".into()),
        ("tokenizer.ggml.merges", Code::FileCorrupt, |v| v.merges[1] = "x y".into()),
        ("tokenizer.ggml.bos_token_id", Code::FileCorrupt, |v| v.bos = Some(9999)),
        ("tokenizer.ggml.eos_token_id", Code::FileCorrupt, |v| v.eos = Some(u32::MAX)),
        ("tokenizer.ggml.unknown_token_id", Code::FileCorrupt, |v| v.unk = Some(9999)),
        ("tokenizer.ggml.bos_token_id", Code::FileCorrupt, |v| (v.bos, v.add_bos) = (None, Some(true))),
    ];
    for (place, code, spoil) in cases {
        let mut vocab = gguf("smollm");
        spoil(&mut vocab);
        let e = Tokenizer::from_gguf(vocab).unwrap_err();
        assert_eq!(e.code(), code, "{e}");
        assert!(e.message().contains(place), "{e}");
    }
    assert!(Tokenizer::from_gguf(GgufVocab { token_types: vec![], ..gguf("") }).is_ok());
}

#[test]
fn long_texts_in_pieces_have_the_ids_of_the_whole() {
    for t in [gpt(true, true), Tokenizer::from_gguf(gguf("llama-bpe")).unwrap(), bert()] {
        let mut text = String::new();
        for i in 0.. {
            if text.len() > 3 * STREAM_CHUNK {
                break;
            }
            text += ["it was great.\n", "bad  \n", "\n", "  é 😀", "12\n", "a\r\nb\n"][(i * i / 3 + i) % 6];
        }
        let mut whole = t.encode(&text, true).unwrap();
        if whole.last() == t.encode("", true).unwrap().last() {
            whole.pop();
        }
        assert_eq!(t.encode_stream(&text).unwrap(), whole);
    }
}

#[test]
fn a_stream_holds_back_broken_characters() {
    let t = gpt(false, false);
    let ids = t.encode("é😀a", false).unwrap();
    let mut stream = Detokenizer::new(&t, true);
    let pieces: Vec<_> = ids.iter().map(|&id| stream.push(id).unwrap()).collect();
    let some = |s: &str| Some(s.to_string());
    assert_eq!(pieces, [None, some("é"), None, None, None, some("😀"), some("a")]);
    assert_eq!(stream.finish().unwrap(), None);

    let mut stream = Detokenizer::new(&t, true);
    assert_eq!(stream.push(ids[0]).unwrap(), None);
    assert_eq!(stream.finish().unwrap(), some("\u{FFFD}"));

    // If every token ends within a character, the whole characters before it are emitted nevertheless.
    let straddling = r#"{"model": {"type": "BPE", "vocab": {"Ã": 0, "¼": 1, "¼Ã": 2}, "merges": [["¼", "Ã"]]},
        "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false}}"#;
    let straddling = Tokenizer::from_json(straddling.as_bytes(), "tokenizer.json").unwrap();
    let mut stream = Detokenizer::new(&straddling, true);
    let ids: Vec<u32> = [0].into_iter().chain([2; 20]).chain([1]).collect();
    let pieces: Vec<_> = ids.iter().map(|&id| stream.push(id).unwrap()).collect();
    assert!(pieces[..12].iter().flatten().count() > 1, "{pieces:?}");
    assert_eq!(pieces.into_iter().flatten().collect::<String>(), "ü".repeat(21));
    assert_eq!(stream.finish().unwrap(), None);

    let ids = t.encode("é😀a", false).unwrap();
    // Random ids must neither stall the stream nor cause a panic.
    let mut stream = Detokenizer::new(&t, true);
    let mut shown = 0;
    for i in 0..5000u32 {
        let id = (i.wrapping_mul(2654435761) >> 7) % 300;
        shown += stream.push(if i < 1000 { ids[3] } else { id }).unwrap().map_or(0, |s| s.len());
    }
    assert!(shown > 1000);
}
