"""Write the golden token ids of tokenizers without a tokenizer.json, with transformers.

    python files.py                 writes the committed files into files/, with tiny vocabularies trained on make.py
    python files.py OUT FOLDER ..   does the same for real models' folders, into the folder OUT; the test reads the
                                    folder that POCKETLLM_TEXT_GOLDEN names

Each golden has the files of a model's directory without its weights (a file that is not text in base64), and texts with
the ids that AutoTokenizer gives for that directory. Needs `transformers` and `sentencepiece`.
"""
import base64
import io
import json
import sys
import tempfile
from pathlib import Path

import sentencepiece
from make import HERE, TEXTS, texts, write
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer

CORPUS = [Path(__file__).with_name("make.py").read_text(), *TEXTS]
# A few normalization rules instead of the 240 KB of the usual ones: full-width letters, a ligature, tabs and line ends.
RULES = "".join(f"{0xFF21 + i:X}\t{0x41 + i:X}\n" for i in range(26)) + "FB01\t66 69\n65 301\tE9\n9\t20\nA\t20\n2103\tB0 43\n200B\t\n"
MORE = [" <mask> ", "a <mask>", "It was <mask>.", "[CLS] a [SEP]", "<s>a</s> b", "a</s>", "x <extra_id_0> y", "<unk> [UNK]", "<sep>x <sep> y",
        "<user>hi<user> there", "Hello <|im_start|> <|im_end|>\n", "▁already ▁marked▁", "▁", "ﬁne ＡＢＣ ℃ e\u0301", "a" * 300, "ab " * 60,
        "supercalifragilisticexpialidocious" * 4, "\u0000a\u0007b\u200bc\ufeffd", "İstanbul ẞ ŉ", " \t\n\r\u3000 ", "``quoted''", "é" * 7, "<0x41>", "\u1ec7 \u0302"]


def added(text, **flags):
    return {"content": text, "single_word": False, "lstrip": False, "rstrip": False, "normalized": True, **flags}


def byte_level(special):
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(False)
    bpe.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=500, show_progress=False, special_tokens=special,
                                                        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    model = json.loads(bpe.to_str())["model"]
    merges = "#version: 0.2\n" + "".join(" ".join(m if isinstance(m, list) else m.split(" ")) + "\n" for m in model["merges"])
    return {"vocab.json": json.dumps(model["vocab"], ensure_ascii=False), "merges.txt": merges}


def word_piece(special=("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")):
    bert = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    bert.decoder = decoders.WordPiece()
    bert.normalizer = normalizers.BertNormalizer(lowercase=False)
    bert.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    bert.train_from_iterator(CORPUS, trainers.WordPieceTrainer(
        vocab_size=500, show_progress=False, special_tokens=list(special)))
    vocab = bert.get_vocab()
    return bert, {"vocab.txt": "".join(token + "\n" for token in sorted(vocab, key=vocab.get))}


def spm(name, kind, size, rules=True, **options):
    out = io.BytesIO()
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as tsv:
        tsv.write(RULES)
        tsv.flush()
        normal = {"normalization_rule_tsv": tsv.name} if rules else {"normalization_rule_name": "identity"}
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter([line for text in CORPUS for line in text.split("\n") if line]), model_writer=out, model_type=kind,
            vocab_size=size, character_coverage=0.98, hard_vocab_limit=False, num_threads=1, minloglevel=2, **normal, **options)
    return {name: out.getvalue()}


def tiny():
    config = lambda kind, **more: {"config.json": json.dumps({"model_type": kind, **more})}
    settings = lambda **fields: {"tokenizer_config.json": json.dumps(fields)}
    roberta = byte_level(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    gpt2 = byte_level(["<|endoftext|>"])
    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "sep_token": "</s>", "pad_token": "<pad>", "cls_token": "<s>"}
    first = {role: added("</s>") for role in ("bos_token", "eos_token", "unk_token")} | {"pad_token": added("<pad>")}
    yield "opt", {**config("opt"), **roberta, "special_tokens_map.json": json.dumps(first), **settings(
        errors="replace", **{role: {"__type": "AddedToken", **token} for role, token in first.items()}, add_prefix_space=False,
        add_bos_token=True, special_tokens_map_file=None, tokenizer_class="GPT2Tokenizer")}
    yield "gpt2", {**config("gpt2"), **gpt2}
    yield "gpt2_added", {**config("gpt2"), **gpt2, "added_tokens.json": json.dumps({"<user>": 500, "<sep>": 501}),
                         "special_tokens_map.json": json.dumps({"sep_token": "<sep>", "eos_token": "<|endoftext|>"}),
                         **settings(tokenizer_class="GPT2TokenizerFast", add_prefix_space=True, add_eos_token=True)}
    yield "roberta", {**config("roberta"), **roberta,
                      "special_tokens_map.json": json.dumps({**names, "mask_token": added("<mask>", lstrip=True)})}
    yield "qwen2", {**config("qwen2"), **gpt2, **settings(
        tokenizer_class="Qwen2Tokenizer", bos_token=None, eos_token="<|im_end|>", pad_token="<|endoftext|>", unk_token=None,
        additional_special_tokens=["<|im_start|>", "<|im_end|>"], add_prefix_space=False, added_tokens_decoder={
            "0": added("<|endoftext|>", normalized=False, special=True), "500": added("<|im_start|>", normalized=False, special=True),
            "501": added("<|im_end|>", normalized=False, special=True), "502": added("<user>", normalized=False, rstrip=True)})}
    yield "gpt_neox", {**config("gpt_neox"), **gpt2, **settings(
        tokenizer_class="GPTNeoXTokenizer", add_bos_token=True, add_eos_token=True, bos_token="<|endoftext|>", pad_token=None)}
    bert, words = word_piece()
    yield "bert", {**config("bert"), **words}
    yield "bert_cased", {**config("distilbert"), **words, **settings(
        tokenizer_class="DistilBertTokenizer", do_lower_case=False, strip_accents=True, tokenize_chinese_chars=False, never_split=None,
        mask_token=added("[MASK]", normalized=False, __type="AddedToken"))}
    bert.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    yield "json_bert", {**config("bert"), "tokenizer.json": bert.to_str(), **settings(
        tokenizer_class="BertTokenizer", do_lower_case=True, added_tokens_decoder={
            **{str(i): added(t, special=True, normalized=False) for i, t in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])},
            "500": added("<user>", normalized=False)})}
    # The generic class leaves the normalizer alone.
    yield "json_generic", {**config("bert"), "tokenizer.json": bert.to_str(), **settings(
        tokenizer_class="PreTrainedTokenizerFast", do_lower_case=True, strip_accents=True, mask_token="[MASK]")}
    mpnet, words = word_piece(("<s>", "<pad>", "</s>", "<unk>", "[UNK]", "<mask>"))
    yield "mpnet", {**config("mpnet"), **words}
    mpnet.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    yield "json_mpnet", {**config("mpnet"), "tokenizer.json": mpnet.to_str(), **settings(
        tokenizer_class="MPNetTokenizer", mask_token=added("<mask>", lstrip=True, __type="AddedToken"))}
    json_gpt2 = Tokenizer(models.BPE(json.loads(gpt2["vocab.json"]), [tuple(m.split(" ")) for m in gpt2["merges.txt"].split("\n")[1:-1]]))
    json_gpt2.pre_tokenizer = pre_tokenizers.ByteLevel(False)
    json_gpt2.decoder = decoders.ByteLevel()
    yield "json_gpt2", {**config("gpt2"), "tokenizer.json": json_gpt2.to_str(), "special_tokens_map.json": json.dumps(
        {"bos_token": "<|im_start|>", "eos_token": added("<|im_end|>", lstrip=True), "additional_special_tokens": ["<user>"]}),
        **settings(tokenizer_class="GPT2Tokenizer", add_prefix_space=True)}
    bytes_and_bpe = dict(byte_fallback=True, add_dummy_prefix=True, remove_extra_whitespaces=False, rules=False)
    llama = spm("tokenizer.model", "bpe", 700, **bytes_and_bpe, user_defined_symbols=["<user>", "  "])
    yield "llama", {**config("llama"), **llama, **settings(
        tokenizer_class="LlamaTokenizer", legacy=False, add_bos_token=True, add_eos_token=False, bos_token=added("<s>", __type="AddedToken"),
        pad_token=None)}
    yield "llama_legacy", {**config("llama"), **llama, "added_tokens.json": json.dumps({"<sep>": 700}), **settings(
        tokenizer_class="LlamaTokenizer", legacy=True, add_bos_token=True, add_eos_token=True)}
    pieces = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    pieces.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    pieces.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    pieces.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=700, show_progress=False, special_tokens=["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]))
    yield "json_llama", {**config("llama"), "tokenizer.json": pieces.to_str(), **settings(
        tokenizer_class="LlamaTokenizerFast", add_prefix_space=False, add_bos_token=True, bos_token="<s>", eos_token="</s>", unk_token="<unk>")}
    yield "llama_bare", {**config("llama"), **llama, **settings(tokenizer_class="LlamaTokenizerFast", add_prefix_space=False)}
    yield "gemma", {**config("gemma3_text"), **spm(
        "tokenizer.model", "bpe", 700, **{**bytes_and_bpe, "add_dummy_prefix": False}, pad_id=0, eos_id=1, bos_id=2, unk_id=3, pad_piece="<pad>",
        bos_piece="<bos>", eos_piece="<eos>", user_defined_symbols=["<mask>", "<user>", "▁▁", "\n\n"]), **settings(
            tokenizer_class="GemmaTokenizer", add_bos_token=True)}
    fairseq = spm("sentencepiece.bpe.model", "unigram", 400)
    yield "xlm_roberta", {**config("xlm-roberta"), **fairseq,
                          "special_tokens_map.json": json.dumps({**names, "mask_token": added("<mask>", lstrip=True)})}
    yield "camembert", {**config("camembert"), **spm("sentencepiece.bpe.model", "unigram", 400, bos_id=1, eos_id=2), **settings(
        tokenizer_class="CamembertTokenizer")}
    yield "albert", {**config("albert"), **spm(
        "spiece.model", "unigram", 400, pad_id=0, unk_id=1, bos_id=-1, eos_id=-1, control_symbols=["[CLS]", "[SEP]", "[MASK]"])}
    yield "albert_cased", {**config("albert"), **spm(
        "spiece.model", "unigram", 400, rules=False, pad_id=0, unk_id=1, bos_id=-1, eos_id=-1, control_symbols=["[CLS]", "[SEP]", "[MASK]"]),
        **settings(do_lower_case=False, keep_accents=True)}
    yield "t5", {**config("t5"), **spm("spiece.model", "unigram", 400, pad_id=0, eos_id=1, unk_id=2, bos_id=-1)}
    yield "deberta_v2", {**config("deberta-v2"), **spm(
        "spm.model", "unigram", 400, pad_id=0, bos_id=1, eos_id=2, unk_id=3, pad_piece="[PAD]", bos_piece="[CLS]", eos_piece="[SEP]",
        unk_piece="[UNK]"), **settings(do_lower_case=True, split_by_punct=True)}


def golden(files):
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            path = Path(folder) / name
            path.write_bytes(content) if isinstance(content, bytes) else path.write_text(content)
        tok = AutoTokenizer.from_pretrained(folder)
    cases = []
    for text in texts()[:len(TEXTS) + 40] + MORE:
        plain = tok(text, add_special_tokens=False)["input_ids"]
        cases.append({"text": text, "ids": plain, "special": tok(text)["input_ids"], "decoded": tok.decode(plain)})
    pairs = [[a, b, tok(a, b)["input_ids"]] for a, b in [("It was great.", "a b"), ("", "x"), ("x", "")]]
    encode = lambda content: {"base64": base64.b64encode(content).decode()} if isinstance(content, bytes) else content
    return {"class": type(tok).__name__, "files": {name: encode(content) for name, content in files.items()}, "cases": cases,
            "pairs": pairs, "eos": tok.eos_token_id, "mask": tok.mask_token_id}


if __name__ == "__main__":
    if len(sys.argv) == 1:
        (HERE / "files").mkdir(exist_ok=True)
        for name, files in tiny():
            write(HERE / "files" / f"{name}.json", golden(files))
    else:
        out = Path(sys.argv[1])
        out.mkdir(parents=True, exist_ok=True)
        for folder in map(Path, sys.argv[2:]):
            small = {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith((".safetensors", ".bin"))}
            write(out / f"{folder.name}.json", golden(small))
