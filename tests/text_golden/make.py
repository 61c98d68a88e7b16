"""Write the golden token ids for tests/text_golden.rs with Hugging Face's `tokenizers`.

    python make.py                                   writes the committed files, with tiny tokenizers trained on this file
    python make.py OUT MODEL.gguf|tokenizer.json ..  does the same for real models, into the folder OUT; the test
                                                     reads the folder that POCKETLLM_TEXT_GOLDEN names

Needs `tokenizers`; for a .gguf also `gguf`.
"""
import json
import random
import sys
from pathlib import Path

from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors,
                        trainers)

HERE = Path(__file__).parent
TEXTS = [
    "", " ", "a", "The capital of France is", "It was great.", "  leading and   inner   runs  ", "tabs\tand\t\ttabs",
    "line\nline\n\nline\r\n\r\n  indented\n", "trailing space ", "trailing newline\n", "\n\n\n", " \n \n x",
    "don't I'll we've SHE'S they'RE it'd I'm", "1 12 123 1234 12345 3.14159 1,000,000 v2.0-rc1 0x1F 2024-05-06",
    "Ⅷ ½ ² ٣٤٥ 五 ①", "naïve café Ångström e\u0301 ﬁ", "Привет, мир! Γειά σου Κόσμε", "こんにちは世界。漢字とかな",
    "안녕하세요 세계", "مرحبا بالعالم", "हिन्दी में लिखा", "😀 👍🏽 👩‍👩‍👧‍👦 🇫🇷", "zero\u200bwidth\u00a0nbsp\u2003em",
    "def f(x):\n    return x**2 + 1  # comment\n\n\tif a != b: c += d[0]\n", "fn main() { println!(\"{:?}\", 1..=3); }",
    "<div class=\"a\">&nbsp;</div>", "http://example.com/a_b?c=d&e=%20#f", "...!!!???  --- *** ___", "\"quoted\" 'single' `tick`",
    "[MASK] mask [mask]", "a [MASK] .", "a<mask>b <mask> c", "<|endoftext|>", "x<|im_start|>user\nhi<|im_end|>\ny", "</s> <s>",
    "control\u0001\u0004chars\u0000", "\ufffd replacement", "\U000f0000 private", "CamelCaseAndsnake_case", "ALL CAPS", "ſ'ſ 'S",
]


def texts():
    """Return the fixed texts, and random combinations of short pieces."""
    rng = random.Random(1)
    pieces = [" ", "  ", "\n", "\t", "a", "Great", "'s", "'", "1", "23", "456", ".", "!?", "é", "漢", "😀", "\r\n", "\u00a0", "_", "-x",
              "the", " the", "<", ">", "(", "=="]
    return TEXTS + ["".join(rng.choices(pieces, k=rng.randint(2, 12))) for _ in range(120)]


def cases(tok):
    out = []
    for text in texts():
        plain = tok.encode(text, add_special_tokens=False).ids
        out.append({"text": text, "ids": plain, "special": tok.encode(text).ids,
                    "decoded": tok.decode(plain, skip_special_tokens=False)})
    return out


GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
          r"\s+(?!\S)|\s+")
# From the published tokenizer.json of SmolLM2, GPT-2, Llama 3 and Qwen2, and from llama.cpp's source for its fallback.
PRE = {
    "smollm": [pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel(False)],
    "gpt-2": [pre_tokenizers.ByteLevel(False)],
    "llama-bpe": [pre_tokenizers.Split(Regex(LLAMA3), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)],
    "qwen2": [pre_tokenizers.Split(Regex(LLAMA3.replace("{1,3}", "")), "isolated"),
              pre_tokenizers.ByteLevel(False, use_regex=False)],
    "default": [pre_tokenizers.Split(Regex(p), "isolated")
                for p in (r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]")]
               + [pre_tokenizers.ByteLevel(False, use_regex=False)],
}


def reference(gguf):
    """Build the tokenizer that the fields describe, in the form that Hugging Face publishes."""
    vocab = {t: i for i, t in enumerate(gguf["tokens"])}
    merges = [tuple(m.split(" ")) for m in gguf["merges"]]
    tok = Tokenizer(models.BPE(vocab, merges, ignore_merges=gguf["pre"] == "llama-bpe"))
    if gguf["pre"] == "qwen2":
        tok.normalizer = normalizers.NFC()
    tok.pre_tokenizer = pre_tokenizers.Sequence(PRE[gguf["pre"]])
    tok.decoder = decoders.ByteLevel()
    for token, kind in zip(gguf["tokens"], gguf["token_types"]):
        if kind == 3:
            tok.add_special_tokens([token])
        if kind == 4:
            tok.add_tokens([AddedToken(token, normalized=False)])
    bos = [(gguf["tokens"][gguf["bos"]], gguf["bos"])] if gguf["add_bos"] else []
    eos = [(gguf["tokens"][gguf["eos"]], gguf["eos"])] if gguf["add_eos"] else []
    if bos or eos:
        single = [t for t, _ in bos] + ["$A"] + [t for t, _ in eos]
        tok.post_processor = processors.TemplateProcessing(single=single, special_tokens=bos + eos)
    return tok


def write(path, content):
    path.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n")


def write_gguf(path, gguf):
    write(path, {"gguf": gguf, "cases": cases(reference(gguf))})


def write_json(path, tok):
    # Files on the hub often have truncation and padding settings, which a reader must disable.
    golden = cases(tok)
    tok.enable_truncation(8)
    tok.enable_padding(length=16)
    write(path, {"tokenizer": json.loads(tok.to_str()), "cases": golden})


def read_gguf(path):
    from gguf import GGUFReader
    fields = GGUFReader(path).fields
    get = lambda k, d=None: fields[f"tokenizer.ggml.{k}"].contents() if f"tokenizer.ggml.{k}" in fields else d
    return {"model": get("model"), "pre": get("pre", ""), "tokens": get("tokens"), "merges": get("merges"),
            "token_types": get("token_type", []), "bos": get("bos_token_id"), "eos": get("eos_token_id"),
            "unk": get("unknown_token_id"), "add_bos": get("add_bos_token", False), "add_eos": get("add_eos_token", False)}


def tiny():
    corpus = [Path(__file__).read_text(), *TEXTS]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(False)
    trainer = trainers.BpeTrainer(vocab_size=600, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                                  special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    bpe.train_from_iterator(corpus, trainer)
    model = json.loads(bpe.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get) + ["<user>"]
    merges = [" ".join(m) if isinstance(m, list) else m for m in model["merges"]]
    types = [3] * 3 + [1] * (len(tokens) - 4) + [4]
    for i, pre in enumerate(PRE):
        write_gguf(HERE / f"gguf_{pre}.json", {
            "model": "gpt2", "pre": pre, "tokens": tokens, "merges": merges, "token_types": types, "bos": 1, "eos": 2,
            "unk": 0, "add_bos": i % 2 == 1, "add_eos": i % 3 == 1})

    roberta = Tokenizer(models.BPE())
    roberta.pre_tokenizer = pre_tokenizers.ByteLevel(False)
    roberta.decoder = decoders.ByteLevel()
    special = ["<s>", "<pad>", "</s>", "<unk>", AddedToken("<mask>", lstrip=True, normalized=False)]
    roberta.train_from_iterator(corpus, trainers.BpeTrainer(
        vocab_size=600, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=special))
    roberta.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    write_json(HERE / "roberta.json", roberta)

    bert = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    bert.normalizer = normalizers.BertNormalizer()
    bert.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    bert.decoder = decoders.WordPiece()
    bert.train_from_iterator(corpus, trainers.WordPieceTrainer(
        vocab_size=500, show_progress=False, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]))
    bert.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    write_json(HERE / "bert.json", bert)


if __name__ != "__main__":
    pass
elif len(sys.argv) == 1:
    tiny()
else:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for model in map(Path, sys.argv[2:]):
        if model.suffix == ".gguf":
            write_gguf(out / f"{model.stem}.json", read_gguf(model))
        else:
            tok = Tokenizer.from_file(str(model))
            tok.no_truncation()
            tok.no_padding()
            write_json(out / f"{model.stem}.json", tok)
