#!/usr/bin/env python3
"""Writes the first inputs of the fuzzers to fuzz/corpus/, most of them from tests/. Inputs that a fuzzer has found stay there."""

import base64
import json
import struct
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"
CORPUS = ROOT / "fuzz" / "corpus"


def write(target, name, data):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed-{name}").write_bytes(data if isinstance(data, bytes) else data.encode())


def folder(files):
    """Files one after the other, as `Files::of` in targets.rs reads them."""
    as_bytes = lambda body: body if isinstance(body, bytes) else body.encode()
    return b"\n".join(b"@@ " + name.encode() + b"\n" + as_bytes(body) for name, body in files.items())


def safetensors():
    for name in ["tiny", "typed", "views"]:
        whole = (TESTS / f"golden/pickle/{name}.safetensors").read_bytes()
        write("safetensors", name, whole)
        length = struct.unpack("<Q", whole[:8])[0]
        write("safetensors", f"{name}-header", whole[8 : 8 + length])
    kinds = ["BOOL", "U8", "F8_E4M3", "F8_E5M2", "I16", "F16", "BF16", "I32", "F32", "F64", "I64"]
    sizes = [1, 1, 1, 1, 2, 2, 2, 4, 4, 8, 8]
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for kind, size in zip(kinds, sizes):
        header[kind] = {"dtype": kind, "shape": [2, 3], "data_offsets": [at, at + 6 * size]}
        at += 6 * size
    write("safetensors", "types-header", json.dumps(header))
    index = (TESTS / "golden/sharded/model.safetensors.index.json").read_text()
    write("safetensors", "index", index)


# Types of values in GGUF.
U32, F32, BOOL, STRING, ARRAY = 4, 6, 7, 8, 9


def gguf_string(text):
    data = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(data)) + data


def gguf_value(value):
    if isinstance(value, bool):
        return struct.pack("<IB", BOOL, value)
    if isinstance(value, int):
        return struct.pack("<II", U32, value)
    if isinstance(value, float):
        return struct.pack("<If", F32, value)
    if isinstance(value, str):
        return struct.pack("<I", STRING) + gguf_string(value)
    kinds = {str: STRING, int: 5, float: F32}
    items = b"".join(
        gguf_string(item) if isinstance(item, str) else struct.pack("<f" if isinstance(item, float) else "<i", item)
        for item in value
    )
    return struct.pack("<IIQ", ARRAY, kinds[type(value[0])], len(value)) + items


# The number of each type of tensor in ggml, with the elements and bytes of its blocks.
BLOCKS = {0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 10: (256, 84), 11: (256, 110),
          12: (256, 144), 13: (256, 176), 14: (256, 210), 16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50),
          20: (32, 18), 21: (256, 110), 22: (256, 82), 23: (256, 136), 29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66),
          39: (32, 17)}


def gguf_file(fields, tensors):
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(fields))
    head += b"".join(gguf_string(key) + gguf_value(value) for key, value in fields.items())
    at = 0
    for name, (shape, kind) in tensors.items():
        elements = 1
        for size in shape:
            elements *= size
        head += gguf_string(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape)
        head += struct.pack("<IQ", kind, at)
        per_block, block = BLOCKS[kind]
        at += -(-elements * block // per_block // 32) * 32
    return head + bytes(-len(head) % 32)


def gguf():
    spm = {"tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": ["<unk>", "<s>", "</s>", "▁", "a", "▁a", "<0x0A>", "great"],
           "tokenizer.ggml.scores": [0.0, 0.0, 0.0, -1.0, -2.0, -3.0, 0.0, -1.5], "tokenizer.ggml.token_type": [2, 3, 3, 1, 1, 1, 6, 1],
           "tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 2, "tokenizer.ggml.unknown_token_id": 0}
    bpe = {"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "llama-bpe", "tokenizer.ggml.tokens": ["a", "b", "Ġ", "ab", "<|e|>", "Ġa"],
           "tokenizer.ggml.merges": ["a b", "Ġ a"], "tokenizer.ggml.token_type": [1, 1, 1, 1, 3, 1], "tokenizer.ggml.eos_token_id": 4,
           "tokenizer.chat_template": "{% for m in messages %}{{ m['content'] }}{% endfor %}"}
    t5 = {"tokenizer.ggml.model": "t5", "tokenizer.ggml.tokens": ["<pad>", "</s>", "<unk>", "▁", "a", "▁a"],
          "tokenizer.ggml.scores": [0.0, 0.0, 0.0, -1.0, -2.0, -3.0], "tokenizer.ggml.token_type": [3, 3, 2, 1, 1, 1],
          "tokenizer.ggml.unknown_token_id": 2, "tokenizer.ggml.eos_token_id": 1}
    sizes = {"context_length": 64, "embedding_length": 256, "block_count": 1, "feed_forward_length": 256,
             "attention.head_count": 4, "attention.head_count_kv": 2, "attention.layer_norm_rms_epsilon": 1e-5,
             "rope.freq_base": 10000.0, "rope.scaling.type": "yarn", "rope.scaling.factor": 2.0,
             "rope.scaling.original_context_length": 32}
    for kind in BLOCKS:
        for name, vocabulary in [("spm", spm), ("bpe", bpe), ("t5", t5)][kind % 3 : kind % 3 + 1]:
            fields = {"general.architecture": "llama", **{f"llama.{key}": value for key, value in sizes.items()}, **vocabulary}
            tokens = len(vocabulary["tokenizer.ggml.tokens"])
            layer = {"attn_q": (256, 256), "attn_k": (256, 128), "attn_v": (256, 128), "attn_output": (256, 256),
                     "ffn_gate": (256, 256), "ffn_up": (256, 256), "ffn_down": (256, 256)}
            tensors = {"token_embd.weight": ((256, tokens), kind), "output_norm.weight": ((256,), 0),
                       "blk.0.attn_norm.weight": ((256,), 0), "blk.0.ffn_norm.weight": ((256,), 0)}
            tensors.update({f"blk.0.{part}.weight": (shape, kind) for part, shape in layer.items()})
            write("gguf", f"{name}-{kind}", gguf_file(fields, tensors))
    for path in sorted((TESTS / "golden").glob("*-gguf/model.gguf")):
        # Without the data of the tensors: zeros stand for it.
        whole = path.read_bytes()
        end = max(whole.find(b".weight"), 0)
        while (further := whole.find(b".weight", end + 1)) > 0:
            end = further
        if end + 64 < 6000:
            write("gguf", path.parent.name, whole[: (end + 64) // 32 * 32])


def config():
    for path in sorted((TESTS / "golden").rglob("config.json")):
        if "peft" not in path.parts:
            write("config", "-".join(path.parent.relative_to(TESTS / "golden").parts), path.read_bytes())
    for path in sorted((TESTS / "configs").glob("*.json")):
        write("config", path.stem, path.read_bytes())


def piece(text, score, kind):
    inner = b"\x0a" + bytes([len(text.encode())]) + text.encode() + b"\x15" + struct.pack("<f", score) + b"\x18" + bytes([kind])
    return b"\x0a" + bytes([len(inner)]) + inner


def shorter(name, body):
    """The file of a tokenizer with a small vocabulary."""
    if name == "vocab.txt":
        return "\n".join(body.split("\n")[:24])
    if name == "merges.txt":
        return "\n".join(body.split("\n")[:4])
    if name == "vocab.json":
        return json.dumps(dict(list(json.loads(body).items())[:24]))
    if name == "tokenizer.json":
        whole = json.loads(body)
        whole["model"]["vocab"] = dict(list(whole["model"]["vocab"].items())[:24])
        if "merges" in whole["model"]:
            whole["model"]["merges"] = []
        return json.dumps(whole)
    return body


def tokenizer():
    pieces = [("<unk>", 0, 2), ("<s>", 0, 3), ("</s>", 0, 3), ("<mask>", 0, 4), ("▁", -1, 1), ("a", -2, 1), ("▁a", -3, 1), ("<0x0A>", 0, 6)]
    for path in sorted((TESTS / "text_golden/files").glob("*.json")):
        whole = json.loads(path.read_text())
        files = {"class": whole["class"]}
        for name, body in whole["files"].items():
            if name == "config.json":
                files["model_type"] = json.loads(body)["model_type"]
            elif isinstance(body, dict):
                model = base64.b64decode(body["base64"])
                # What stands after the pieces: the settings of the trainer and of the normalizer.
                at = 0
                while at < len(model) and model[at] == 0x0A and model[at + 1] < 128:
                    at += 2 + model[at + 1]
                files[name] = b"".join(piece(*each) for each in pieces) + (model[at:] if len(model) - at < 4000 else b"")
            else:
                files[name] = shorter(name, body)
        write("tokenizer", path.stem, folder(files))
    bert = (TESTS / "golden/bert/tokenizer.json").read_text()
    write("tokenizer", "bert", folder({"tokenizer.json": shorter("tokenizer.json", bert)}))
    kinds = {
        "unigram": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["▁", -1.0], ["a", -2.0]], "byte_fallback": False},
        "bpe": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None, "end_of_word_suffix": None,
                "fuse_unk": True, "byte_fallback": True, "ignore_merges": False, "vocab": {"<unk>": 0, "a": 1, "b": 2, "ab": 3},
                "merges": [["a", "b"]]},
        "wordlevel": {"type": "WordLevel", "vocab": {"<unk>": 0, "a": 1}, "unk_token": "<unk>"},
    }
    for name, model in kinds.items():
        whole = {
            "version": "1.0", "truncation": None, "padding": None,
            "added_tokens": [{"id": 4, "content": "<s>", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
                              "special": True}],
            "normalizer": {"type": "Sequence", "normalizers": [
                {"type": "NFKC"}, {"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]},
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": "\\s+(?!\\S)|\\p{L}+"}, "behavior": "Isolated", "invert": False},
                {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}]},
            "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
                               {"Sequence": {"id": "A", "type_id": 0}}], "pair": [{"Sequence": {"id": "A", "type_id": 0}},
                               {"Sequence": {"id": "B", "type_id": 1}}], "special_tokens": {"<s>": {"id": "<s>", "ids": [4],
                               "tokens": ["<s>"]}}},
            "decoder": {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"},
                        {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
            "model": model,
        }
        declared = {"bos_token": "<s>", "tokenizer_class": "LlamaTokenizer", "added_tokens_decoder": {"4": {"content": "<s>"}}}
        write("tokenizer", name, folder({"tokenizer.json": json.dumps(whole), "tokenizer_config.json": json.dumps(declared)}))


def tensors(shapes):
    header, at = {}, 0
    for name, shape in shapes.items():
        count = 1
        for size in shape:
            count *= size
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + 4 * count]}
        at += 4 * count
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + struct.pack(f"<{at // 4}f", *[i / 8 for i in range(at // 4)])


def peft():
    lora = {"peft_type": "LORA", "base_model_name_or_path": "some/model", "task_type": "CAUSAL_LM", "r": 2, "lora_alpha": 8,
            "target_modules": ["q", "v"], "bias": "none", "fan_in_fan_out": False, "rank_pattern": {}, "alpha_pattern": {},
            "modules_to_save": None, "use_dora": False, "use_rslora": True, "init_lora_weights": True}
    sizes = {"m.0.q": 5, "m.0.v": 4, "m.1.q": 5}
    of = lambda ranks: tensors({
        f"base_model.model.{path}.lora_{part}.weight": [ranks.get(path, 2), 3] if part == "A" else [rows, ranks.get(path, 2)]
        for path, rows in sizes.items() for part in "AB"})
    weights = "adapter_model.safetensors"
    write("peft", "lora", folder({"adapter_config.json": json.dumps(lora), weights: of({})}))
    patterns = {**lora, "rank_pattern": {"m.0.q": 3, "^m\\.1": 1}, "alpha_pattern": {"v": 4}, "target_modules": "m\\.\\d\\.(q|v)"}
    write("peft", "patterns", folder({"adapter_config.json": json.dumps(patterns), weights: of({"m.0.q": 3, "m.1.q": 1})}))
    prefix = {"peft_type": "PREFIX_TUNING", "base_model_name_or_path": "", "task_type": "FEATURE_EXTRACTION", "num_virtual_tokens": 3,
              "num_layers": 2, "token_dim": 4, "num_attention_heads": 2, "num_transformer_submodules": 1, "encoder_hidden_size": 4,
              "prefix_projection": False}
    write("peft", "prefix", folder({"adapter_config.json": json.dumps(prefix), weights: tensors({"prompt_embeddings": [3, 16]})}))
    bert = TESTS / "golden/peft/bert-lora"
    write("peft", "config", (bert / "adapter_config.json").read_bytes())
    pickled = (TESTS / "golden/pickle/adapter_model.bin").read_bytes()
    write("peft", "pickle", folder({"adapter_config.json": json.dumps(lora), "adapter_model.bin": pickled}))


def data():
    for path in sorted((TESTS / "rows").iterdir()):
        body = path.read_bytes()
        if path.is_file() and path.name != "expected.json" and len(body) < 1500:
            endings = ["csv", "tsv", "jsonl", "json", "txt", ""]
            choice = endings.index(path.suffix[1:]) if path.suffix[1:] in endings else 5
            write("data", path.name, bytes([choice]) + body)
            write("data", f"{path.name}-labeled", bytes([choice + 128]) + body)


def chat():
    for golden in json.loads((TESTS / "chat_golden/goldens.json").read_text()):
        template = golden["config"].get("chat_template")
        row = max((json.dumps(case["row"]) for case in golden["cases"]), key=len)
        if isinstance(template, str) and len(template) < 3500:
            write("chat", golden["name"], folder({"template": template, "row": row[:2000]}))
    everything = (
        "{% macro f(x, y=1) %}{{ x ~ y }}{% endmacro %}{% set ns = namespace(a=0) %}{% for m in messages if m.role %}"
        "{% set ns.a = loop.index0 %}{{ loop.previtem }}{{ m.content | trim | tojson(indent=2) }}{{ m.content.split(',')[::-1] }}"
        "{% if loop.last %}{{ f(m) }}{% elif m is string %}{{ raise_exception('x') }}{% else %}{% continue %}{% endif %}{% endfor %}"
        "{{ strftime_now('%d %b %Y') }}{{ range(3) | list }}{{ cycler(1, 2).next() }}{{ 'a'.zfill(9) }}{{ 'a' * 3 }}{{ 7 // 2 }}"
    )
    row = {"messages": [{"role": "user", "content": "a,b"}, {"role": "assistant", "content": None, "tool_calls": [{"function": {
        "name": "f", "arguments": {"x": 1}}}]}], "tools": [{"type": "function"}]}
    write("chat", "everything", folder({"template": everything, "row": json.dumps(row)}))
    shared = {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}
    write("chat", "sharegpt", folder({"template": "{{ messages }}", "row": json.dumps(shared)}))


def prompt():
    for index, text in enumerate(["{text} It was [MASK] .", "{text}? [MASK], {text_b}", "{{ {text} }}", "<m> {text}<m>", "é{text}\n", "{other}"]):
        write("prompt", str(index), text)


def pickle():
    for path in sorted((TESTS / "golden/pickle").glob("*.bin")):
        if path.stat().st_size < 5000:
            write("pickle", path.stem, path.read_bytes())


def trajectory():
    """The runs that POCKETLLM wrote to the folder `runs` beside this file, if it is there."""
    for path in sorted((ROOT / "fuzz" / "runs").glob("*/trajectory.pocket")):
        whole = path.read_bytes()
        length = struct.unpack("<I", whole[12:16])[0]
        header = whole[16 : 16 + length]
        fields = json.loads(header)
        halves = fields.get("initial_halves", 0)
        values = 4 * fields.get("initial_values", 0) - 2 * halves
        end = 16 + length + values + 4
        records = b"".join(whole[at : at + 28] for at in range(end, len(whole) - 31, 32))
        write("trajectory", path.parent.name, whole)
        write("trajectory", f"{path.parent.name}-parts", folder({
            "header": header, "values": whole[16 + length : end - 4], "records": records}))


for make in [safetensors, gguf, config, tokenizer, peft, trajectory, data, chat, prompt, pickle]:
    make()
