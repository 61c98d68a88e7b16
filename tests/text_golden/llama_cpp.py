"""Write llama_cpp/*.json: the token ids that llama.cpp gives for vocabularies in GGUF files.

    python llama_cpp.py

The vocabularies are those of the other goldens here: byte-level BPE with every pre-tokenizer by its name, both kinds of SentencePiece, and
WordPiece. Needs `gguf`, `sentencepiece` and `llama-cpp-python`.
"""
import base64
import json
import sys
import tempfile
import unicodedata
from pathlib import Path

import gguf

HERE = Path(__file__).resolve().parent
sys.path = [path for path in sys.path if Path(path or ".").resolve() != HERE]  # this file is called like the package
import llama_cpp
from sentencepiece import sentencepiece_model_pb2 as proto

sys.path.append(str(HERE))
from files import MORE
from make import TEXTS, texts, write
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

PRES = """default gpt-2 phi-2 jina-es jina-de gigachat jina-v2-es jina-v2-de a.x-4.0 mellum modern-bert jina-v1-en jina-v2-code roberta-bpe mpt
olmo jais trillion granite-docling exaone4 smollm starcoder refact command-r codeshell exaone minerva-7b mellum2 llama-bpe llama3 llama-v3 falcon3
falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano dbrx smaug-bpe chatglm-bpe glm4 glm5 qwen2 deepseek-r1-qwen kormo f2llmv2 stablelm2 hunyuan solar-open
megrez grok-2 qwen35 minicpm5 jais-2 deepseek-llm deepseek-coder deepseek-v3 hunyuan-dense joyai-llm hy_v4 spark2_5 youtu falcon poro-chat bloom
gpt3-finnish viking tekken chameleon gpt-4o llama4 kanana2 talkie minimax-m2 granite-embed-multi-97m tiny_aya cohere2moe superbpe bailingmoe
bailingmoe2 llada-moe seed-coder ufakzeka laguna exaone-moe""".split()


def ids(fields, inputs):
    """What llama.cpp gives for a file with these fields, with special tokens."""
    with tempfile.NamedTemporaryFile(suffix=".gguf") as file:
        writer = gguf.GGUFWriter(file.name, "llama")
        for key in ("context_length", "embedding_length", "block_count", "feed_forward_length", "head_count"):
            getattr(writer, f"add_{key}")(8)
        writer.add_layer_norm_rms_eps(1e-5)
        for key, value in fields.items():
            key = f"tokenizer.ggml.{key}"
            if isinstance(value, (list, bytes)):
                writer.add_array(key, value)
            elif isinstance(value, bool):
                writer.add_bool(key, value)
            elif isinstance(value, int):
                writer.add_uint32(key, value)
            else:
                writer.add_string(key, value)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.close()
        model = llama_cpp.Llama(file.name, vocab_only=True, verbose=False)
        return [model.tokenize(text.encode(), add_bos=True, special=True) for text in inputs]


def pieces(name, file):
    """The vocabulary of a SentencePiece model in another golden. Its types are numbered as GGUF's."""
    golden = json.loads((HERE / f"files/{name}.json").read_text())
    model = proto.ModelProto.FromString(base64.b64decode(golden["files"][file]["base64"]))
    fields = {"tokens": [p.piece for p in model.pieces], "scores": [p.score for p in model.pieces], "token_type": [p.type for p in model.pieces]}
    return fields, model


UPPER, LOWER, ENDS = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]", r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
LETTERS = lambda ends: rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+{ends}|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*{ends}|"
REST = r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
GPT4O = LETTERS(ENDS) + r"\p{N}{1,3}" + REST
# Patterns that llama.cpp's regular expressions cannot express, so that it splits some texts differently from how the models were trained.
# The ids are those of `tokenizers` with the patterns of the published tokenizer.json, which llama.cpp's source quotes.
ORIGINAL = {
    **{name: [GPT4O] for name in ("gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2", "granite-embed-multi-97m")},
    **{name: [r"\d{1,3}(?=(?:\d{3})*\b)", GPT4O] for name in ("tiny_aya", "cohere2moe")},
    "tekken": [LETTERS("") + r"\p{N}" + REST],
    "youtu": ["[\uac00-\ud7a3\u3131-\u318e]+|[！…“”‘’—：；，、-\u303f\ufe30-\ufe4f]+|[\u3105-\u312f]+|[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
              LETTERS(ENDS) + r"\p{N}" + REST],
}


def original(fields, patterns, inputs):
    """What `tokenizers` gives with these patterns. Words that are tokens are not split, and tekken begins with bos."""
    merges = [tuple(merge.split(" ")) for merge in fields["merges"]]
    whole = patterns in (ORIGINAL["tekken"], ORIGINAL["youtu"])
    tok = Tokenizer(models.BPE({token: i for i, token in enumerate(fields["tokens"])}, merges, ignore_merges=whole))
    tok.add_special_tokens([token for token, kind in zip(fields["tokens"], fields["token_type"]) if kind == 3])
    splits = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in patterns]
    tok.pre_tokenizer = pre_tokenizers.Sequence([*splits, pre_tokenizers.ByteLevel(False, use_regex=False)])
    bos = [fields["bos_token_id"]] if patterns == ORIGINAL["tekken"] else []
    return [bos + tok.encode(text).ids for text in inputs]


def across_words(inputs):
    """Byte-level BPE whose merges join everything that is adjacent in the inputs, so that each split of a pre-tokenizer shows."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(False, use_regex=False)
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    bpe.train_from_iterator(inputs, trainers.BpeTrainer(vocab_size=1400, show_progress=False, special_tokens=special, min_frequency=1,
                                                        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    model = json.loads(bpe.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    merges = [" ".join(m) if isinstance(m, list) else m for m in model["merges"]]
    return {"model": "gpt2", "tokens": tokens, "merges": merges, "token_type": [3] * 3 + [1] * (len(tokens) - 3), "bos_token_id": 1, "eos_token_id": 2}


def vocabularies(inputs):
    # llama.cpp takes a token </s> for a special token, whatever its type is, so the merges must not produce it.
    yield "bpe", across_words([text for text in inputs if len(text) < 60 and "</s>" not in text]), PRES
    llama, _ = pieces("llama", "tokenizer.model")
    yield "llama", {"model": "llama", **llama}, None
    yield "llama_eos", {"model": "llama", **llama, "add_bos_token": False, "add_eos_token": True, "add_space_prefix": False}, None
    gemma, _ = pieces("gemma", "tokenizer.model")
    yield "gemma", {"model": "llama", **gemma, "bos_token_id": 2, "eos_token_id": 1, "unknown_token_id": 3, "add_space_prefix": False}, None
    t5, model = pieces("t5", "spiece.model")
    yield "t5", {"model": "t5", **t5, "add_space_prefix": True, "remove_extra_whitespaces": True,
                 "precompiled_charsmap": model.normalizer_spec.precompiled_charsmap}, None
    yield "t5_spaces", {"model": "t5", **t5, "remove_extra_whitespaces": False, "add_eos_token": False}, None
    words = json.loads((HERE / "files/bert.json").read_text())["files"]["vocab.txt"].split("\n")[:-1]
    marked = [w if w[:1] == "[" and w[-1:] == "]" and len(w) > 2 else w[2:] if w.startswith("##") and w != "##" else "▁" + w for w in words]
    types = [3 if w[:1] == "[" and w[-1:] == "]" and len(w) > 2 else 1 for w in words]
    special = {"bos_token_id": 2, "seperator_token_id": 3, "unknown_token_id": 1, "mask_token_id": 4}
    yield "bert", {"model": "bert", "tokens": marked, "token_type": types, **special}, None
    yield "bert_cased", {"model": "bert", "tokens": marked, "token_type": types, **special, "normalizer.lowercase": False}, None


def is_odd(text):
    space = any(c.isspace() and ord(c) > 127 for c in text)
    return space or not unicodedata.is_normalized("NFC", text) or any(unicodedata.category(c) == "Mc" for c in text)


def main():
    inputs = texts()[: len(TEXTS) + 40] + MORE
    inputs += ["HelloWorld helloWORLD's HTTPServer", "İIıi ǅ ʰabc", "don'T I'LL", "12345678 1234", "a/b//\n\n/", "हिन्दी e\u0301\u0302x", "漢字かなカナ한글ㄅ",
               "!abc ?def $ghi", "x  \r\n\r\n  y", "a\t\tb    c  d", "(x) |y| ，z。", "ab cd ef", "<sentinel:12>IMGIMGABZ", " \n \n", "1３٣"]
    # A word of more than 100 characters is unknown to WordPiece in transformers; llama.cpp has no such limit.
    inputs = [text for text in inputs if len(max(text.split() or [""], key=len)) <= 100]
    for name, fields, pres in vocabularies(inputs):
        golden = {"fields": {k: list(v) if isinstance(v, bytes) else v for k, v in fields.items()}, "texts": inputs,
                  # Texts on which llama.cpp differs, for some vocabularies, from the tokenizers that the models were trained with: texts
                  # that are not in NFC, which llama.cpp does not normalize to, texts with spacing marks, and texts with unusual spaces.
                  "odd": [is_odd(text) for text in inputs]}
        if pres is None:
            golden["ids"] = ids(fields, inputs)
        else:
            # Names with the same ids are grouped.
            same = {}
            for pre in pres:
                found = original(fields, ORIGINAL[pre], inputs) if pre in ORIGINAL else ids({**fields, "pre": pre}, inputs)
                same.setdefault(json.dumps(found), []).append(pre)
            golden["pres"] = [{"names": names, "ids": json.loads(found)} for found, names in same.items()]
        write(HERE / "llama_cpp" / f"{name}.json", golden)


if __name__ == "__main__":
    (HERE / "llama_cpp").mkdir(exist_ok=True)
    main()
