"""Write the golden adapters: LoRA and prefixes saved by Hugging Face peft, and what peft computes with them.

    python tests/golden/adapters.py

(It is not called peft.py, because `import peft` would then find this file: a script's own folder comes first.) README.md beside this
file says what the files hold. What peft 0.21 and transformers 5 do, and what our code must therefore do:

**LoRA.** y = W x + b + scale * B (A x), scale = alpha / r, or alpha / sqrt(r) with rsLoRA. A is [r, inputs], B [outputs, r].

**Prefix.** `prompt_embeddings` is [virtual tokens, layers * 2 * kv_heads * head_dim]. peft views a row as [layers * 2, kv_heads, head_dim]:
entry 2 l is the key of layer l, 2 l + 1 its value, and hands them to the model as a filled cache (`past_key_values`). From there on,
they act as if earlier tokens had left them there:
- keys are used as they are: no rotation, no projection, no bias;
- position of token i of a sequence = number of virtual tokens + i, for learned positions (bert, opt; roberta from its own offset)
  and for rotary ones, so the maximum length of a sequence is shorter by that number;
- every token sees the whole prefix: in a causal model, before the tokens that it sees anyway; in a masked one (bert, roberta: their
attention over a cache is bidirectional), besides all tokens of its sequence;
- a batch without padding needs no attention mask; with a mask of ones, the result is the same.
peft has no task type for masked language models. FEATURE_EXTRACTION hands keys and values over in the same way and returns the model's
own output, logits included. CAUSAL_LM fails on such a model (no `prepare_inputs_for_generation`), and so does no task type at all (KeyError).
`check_prefix` asserts all this against past_key_values given to the model directly.

**Directions.** T is the number of the base model's tensors. The adapter's tensors, in f32, have the ordinals after them. For the i-th
adapted linear layer, A has T + 2 i and B has T + 2 i + 1; linear layers are counted layer by layer, and within a layer in the order of
`ORDER`. For a prefix, the keys of layer l, [virtual tokens, kv_heads * head_dim], have T + 2 l and the values T + 2 l + 1. z is drawn
from these ordinals as mezo.py says.

**Bases.** `f32`: the weights as they are in the file. `f16`: every matrix rounded to f16. `q8`, `q4`: every matrix whose width is a multiple
of 32 is converted to gguf's Q8_0 or Q4_0 and back, and the others are rounded to f16. Vectors (biases, norms) stay f32. All arithmetic is f32.
A block of 32 elements x, in f32:
    Q8_0    d = max |x| / 127;  q = x * (1 / d), to the nearest integer, halves away from 0
    Q4_0    d = m / -8, m the element of the largest magnitude (the first of equals), with its sign;  q = min(15, trunc(x * (1 / d) + 8.5))
    If d is 0, 0 takes the place of 1 / d. d is rounded to f16 only when it is stored. The values are then d * q for Q8_0 and d * (q - 8) for
    Q4_0. `quantized` in expected.json has the SHA-256 of each matrix's blocks as GGUF stores them: d, then 32 bytes for Q8_0, or 16 bytes for
    Q4_0, with elements i and i + 16 in the low and the high half of byte i.
"""

import hashlib
import json
import os
import shutil
import warnings

os.environ["HF_HUB_OFFLINE"] = "1"

import gguf
import numpy as np
import torch
import transformers
from generate import HERE, fresh, random_cases, randomise, save
from mezo import compact_json, label_word_loss, next_token_loss, perturbed, samples, step_key
from peft import LoraConfig, PeftModel, PrefixTuningConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    BertConfig,
    BertForMaskedLM,
    DynamicCache,
    LlamaConfig,
    LlamaForCausalLM,
)

FOLDER = HERE / "peft"
VIRTUAL_TOKENS = 5
LORA_EPS, PREFIX_EPS = 1e-2, 1e-1
SEED, STEP = 20240707, 3
TYPES = {"q8": gguf.GGMLQuantizationType.Q8_0, "q4": gguf.GGMLQuantizationType.Q4_0}

# Linear layers of a layer in the order of their ordinals.
ORDER = {
    "bert": ["attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense", "intermediate.dense", "output.dense"],
    "opt": ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj", "fc1", "fc2"],
    "llama": ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"],
    "gpt2": ["attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"],
}  # fmt: skip
ORDER["roberta"] = ORDER["bert"]
LAYERS = {
    "bert": "bert.encoder.layer.%d.", "roberta": "roberta.encoder.layer.%d.",
    "opt": "model.decoder.layers.%d.", "llama": "model.layers.%d.", "gpt2": "transformer.h.%d.",
}  # fmt: skip
# GPT-2 has queries, keys and values in one matrix, which is adapted whole.
QUERY_VALUE = {
    "bert": ["query", "value"], "roberta": ["query", "value"], "opt": ["q_proj", "v_proj"], "llama": ["q_proj", "v_proj"],
    "gpt2": ["c_attn"],
}  # fmt: skip
# With the MLP, in the forms that peft accepts: a list, a list of the ends of full names, and a pattern.
WIDE = {
    "bert": ["query", "key", "value", "attention.output.dense", "intermediate.dense", "output.dense"],
    "roberta": r".*\.encoder\.layer\.\d+\.(attention\.self\.value|intermediate\.dense|output\.dense)",
    "opt": ["k_proj", "out_proj", "fc1", "fc2"],
    "llama": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    "gpt2": ["c_attn", "c_proj", "c_fc"],
}
# Ranks and alphas of some modules. The first pattern that matches is used, and a pattern matches from the beginning or after a dot. peft
# sorts them when it saves an adapter.
PATTERNS = {
    "llama": {
        "rank_pattern": {r"layers\.1\.self_attn\.(q|v)_proj": 6, "proj": 1, "v_proj": 2},
        "alpha_pattern": {"^model.layers.0.mlp.down_proj": 3.5, "up_proj": 16},
    },
    "bert": {"rank_pattern": {"attention.output.dense": 2, "output.dense": 8}, "alpha_pattern": {"query": 1}},
}
CAUSAL = ("opt", "llama", "gpt2")


def blocks_bert():
    """Rows of whole blocks of 32."""
    config = BertConfig(
        vocab_size=61, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96,
        max_position_embeddings=40, type_vocab_size=2, hidden_act="gelu", layer_norm_eps=1e-12, pad_token_id=0,
        attn_implementation="eager",
    )  # fmt: skip
    return randomise(BertForMaskedLM(config), 31)


def blocks_llama():
    config = LlamaConfig(
        vocab_size=61, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=16,
        intermediate_size=96, max_position_embeddings=40, rms_norm_eps=1e-5, tie_word_embeddings=True,
        bos_token_id=1, eos_token_id=2, attn_implementation="eager",
    )  # fmt: skip
    return randomise(LlamaForCausalLM(config), 32)


# --- bases ----------------------------------------------------------------------------------------------------------


def as_stored(weight, dtype):
    """A parameter after it was stored in a base of this format."""
    if dtype == "f32" or weight.dim() != 2:
        return weight
    if dtype in TYPES and weight.shape[1] % 32 == 0:
        blocks = gguf.quants.quantize(weight.numpy().astype(np.float32), TYPES[dtype])
        return torch.from_numpy(gguf.quants.dequantize(blocks, TYPES[dtype]).reshape(weight.shape).astype(np.float32))
    return weight.to(torch.float16).to(torch.float32)


def block_digests(path):
    """The hashes of each matrix whose rows are whole blocks."""
    matrices = {name: w.numpy().astype(np.float32) for name, w in load_file(path / "model.safetensors").items() if w.dim() == 2}
    return {
        name: {d: hashlib.sha256(gguf.quants.quantize(w, TYPES[d]).tobytes()).hexdigest() for d in TYPES}
        for name, w in sorted(matrices.items())
    }


def load_base(path, dtype):
    name = json.loads((path / "config.json").read_text())["architectures"][0]
    cls = AutoModelForMaskedLM if name.endswith("ForMaskedLM") else AutoModelForCausalLM
    model = cls.from_pretrained(path, dtype=torch.float32, attn_implementation="eager").eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(as_stored(parameter.detach(), dtype))
    return model


# --- adapters -------------------------------------------------------------------------------------------------------


def kind_of(model):
    return model.config.model_type


def task_type(model, prefix):
    if kind_of(model) in CAUSAL:
        return "CAUSAL_LM"
    return "FEATURE_EXTRACTION" if prefix else None


def configuration(model, adapter):
    kind = kind_of(model)
    if adapter == "prefix":
        return PrefixTuningConfig(task_type=task_type(model, True), num_virtual_tokens=VIRTUAL_TOKENS)
    options = {"task_type": task_type(model, False), "bias": "none", "lora_dropout": 0.0}
    if adapter == "lora-patterns":
        return LoraConfig(r=4, lora_alpha=8, target_modules=WIDE[kind], **PATTERNS[kind], **options)
    if adapter == "lora":
        return LoraConfig(r=4, lora_alpha=8, target_modules=QUERY_VALUE[kind], **options)
    if kind == "opt":
        return LoraConfig(r=3, lora_alpha=5, use_rslora=True, target_modules=WIDE[kind], **options)
    return LoraConfig(r=4, lora_alpha=8, target_modules=WIDE[kind], **options)


def parameters(model):
    """The adapter's parameters, in the order of their ordinals; for a prefix, the one parameter that holds all values."""
    named = dict(model.named_parameters())
    if model.active_peft_config.is_prompt_learning:
        return [named["prompt_encoder.default.embedding.weight"]]
    found = []
    for layer in range(model.config.num_hidden_layers):
        for part in ORDER[kind_of(model)]:
            names = ["base_model.model." + LAYERS[kind_of(model)] % layer + part + ".lora_%s.default.weight" % ab for ab in "AB"]
            found += [named[name] for name in names if name in named]
    assert len(found) == sum("lora_" in name for name in named), "an adapted layer without a place"
    return found


def split(model, values):
    """The values of the parameters, as the tensors that have ordinals."""
    if not model.active_peft_config.is_prompt_learning:
        return values
    return [part.copy() for part in np.split(values[0], 2 * model.config.num_hidden_layers, axis=1)]


def joined(model, tensors):
    return [np.concatenate(tensors, axis=1)] if model.active_peft_config.is_prompt_learning else tensors


def load(model, tensors):
    with torch.no_grad():
        for parameter, values in zip(parameters(model), joined(model, tensors)):
            parameter.copy_(torch.from_numpy(values))


def write_adapter(folder, base_name, adapter, seed):
    """Random values, none of them 0, saved as peft saves them."""
    model = get_peft_model(load_base(HERE / base_name, "f32"), configuration(load_base(HERE / base_name, "f32"), adapter))
    model.peft_config["default"].base_model_name_or_path = base_name
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in parameters(model):
            parameter.copy_((0.5 if adapter == "prefix" else 0.2) * torch.randn(parameter.shape, generator=generator))
    save_adapter(model, folder)


def save_adapter(model, folder):
    shutil.rmtree(folder, ignore_errors=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # there is no hub to ask whether the vocabulary grew
        model.save_pretrained(folder)
    (folder / "README.md").unlink()
    config = json.loads((folder / "adapter_config.json").read_text())
    if isinstance(config.get("target_modules"), list):
        config["target_modules"].sort()  # saved in the order of a set
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")


def write_gguf(folder, base):
    """The adapter as llama.cpp's convert_lora_to_gguf.py writes it, with f32 factors."""
    config = base.config
    writer = gguf.GGUFWriter(folder / "adapter.gguf", kind_of(base))
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    options = json.loads((folder / "adapter_config.json").read_text())
    writer.add_float32("adapter.lora.alpha", float(options["lora_alpha"]))
    factors = load_file(folder / "adapter_model.safetensors")
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[kind_of(base).upper()], config.num_hidden_layers)
    for layer in range(config.num_hidden_layers):
        for part in ORDER[kind_of(base)]:
            path = LAYERS[kind_of(base)] % layer + part
            a, b = (factors.get("base_model.model.%s.lora_%s.weight" % (path, ab)) for ab in "AB")
            if a is None:
                continue
            if kind_of(base) == "llama" and part.endswith(("q_proj", "k_proj")):
                heads = config.num_attention_heads if part.endswith("q_proj") else config.num_key_value_heads
                b = b.reshape(heads, 2, -1, b.shape[1]).swapaxes(1, 2).reshape(b.shape)
            name = names.get_name(path) + ".weight"
            writer.add_tensor(name + ".lora_a", a.numpy())
            writer.add_tensor(name + ".lora_b", np.ascontiguousarray(b.numpy()))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def check_prefix(base, model, ids):
    """Asserts that peft's own result is that of the cache given directly, with and without a mask."""
    config = model.config
    rows = parameters(model)[0].detach()
    heads = getattr(config, "num_key_value_heads", config.num_attention_heads)
    parts = rows.view(1, VIRTUAL_TOKENS, 2 * config.num_hidden_layers, heads, -1).permute(2, 0, 3, 1, 4)
    ids = torch.tensor([ids])
    with torch.no_grad():
        expected = model(input_ids=ids).logits
        for options in ({}, {"attention_mask": torch.ones(1, VIRTUAL_TOKENS + ids.shape[1])}):
            cache = DynamicCache([(parts[2 * l], parts[2 * l + 1]) for l in range(config.num_hidden_layers)])
            assert torch.equal(base(input_ids=ids, past_key_values=cache, **options).logits, expected)
        # The positions after the prefix give the same result when they are passed explicitly.
        if kind_of(model) != "opt":
            first = config.pad_token_id + 1 if kind_of(model) == "roberta" else 0
            positions = first + VIRTUAL_TOKENS + torch.arange(ids.shape[1])[None]
            cache = DynamicCache([(parts[2 * l], parts[2 * l + 1]) for l in range(config.num_hidden_layers)])
            assert torch.equal(base(input_ids=ids, past_key_values=cache, position_ids=positions).logits, expected)


# --- what is expected -----------------------------------------------------------------------------------------------


def objective(model, base_name):
    """A batch, and a function that computes its loss with a model."""
    vocab = model.config.vocab_size
    if kind_of(model) in CAUSAL:
        sequences = random_cases(vocab, (9, 2, 14), 41)
        return {"sequences": sequences}, lambda m: next_token_loss(m, sequences)
    mask, labels, targets = 4, [7, 19], [1, 0, 1, 1]
    sequences = random_cases(vocab, (8, 3, 13, 6), 42)
    for i, ids in enumerate(sequences):
        ids[i % len(ids)] = mask
    batch = {"sequences": sequences, "mask_id": mask, "label_ids": labels, "labels": targets}
    return batch, lambda m: label_word_loss(m, sequences, mask, labels, targets)


def two_points(model, loss, eps, tensors_before):
    """Losses at the adapter, at + eps z and at - eps z."""
    tensors = split(model, [p.detach().numpy().copy() for p in parameters(model)])
    key = step_key(SEED, STEP, 0)
    branches = [perturbed(w, samples(key, tensors_before + i, 0, w.size), np.float32(eps)) for i, w in enumerate(tensors)]
    at = loss(model)
    load(model, [plus for plus, _ in branches])
    plus = loss(model)
    load(model, [minus for _, minus in branches])
    minus = loss(model)
    load(model, tensors)
    return {"loss": at, "loss_plus": plus, "loss_minus": minus}


def golden(base_name, adapter, dtypes, logits_of, lengths, seed):
    name = "%s-%s" % (base_name.split("/")[-1], adapter)
    folder = FOLDER / name
    write_adapter(folder, base_name, adapter, seed)
    eps = PREFIX_EPS if adapter == "prefix" else LORA_EPS
    ids, logits, bases, batch, count = None, {}, {}, None, None
    for dtype in dtypes:
        base = load_base(HERE / base_name, dtype)
        ids = ids or random_cases(base.config.vocab_size, lengths, 43)
        count = len(list(base.named_parameters()))
        plain = [base(input_ids=torch.tensor([case])).logits[0].detach() for case in ids]
        model = PeftModel.from_pretrained(base, folder).eval()
        if adapter == "prefix":
            check_prefix(base, model, ids[-1])
        batch, loss = objective(model, base_name)
        bases[dtype] = two_points(model, loss, eps, count)
        for i, case in enumerate(ids):
            with torch.no_grad():
                found = model(input_ids=torch.tensor([case])).logits[0].contiguous()
            assert (found - plain[i]).abs().max() > 0.05 * plain[i].std(), "the adapter does nothing"
            if dtype in logits_of:
                logits["%s_%d" % (dtype, i)] = found
    save_file(logits, folder / "expected.safetensors")
    row = bases[dtypes[0]]
    print("%-20s loss %.4f, + %.4f, - %.4f" % (name, row["loss"], row["loss_plus"], row["loss_minus"]))
    return {"adapter": name, "base": base_name, "tensors": count, "eps": float(np.float32(eps)), "ids": ids, **batch, "bases": bases}


def golden_patterns(base_name, seed):
    """The logits of an adapter whose modules have different ranks and scales."""
    name = base_name + "-lora-patterns"
    folder = FOLDER / name
    write_adapter(folder, base_name, "lora-patterns", seed)
    base = load_base(HERE / base_name, "f32")
    ids = random_cases(base.config.vocab_size, (3, 17), 43)
    model = PeftModel.from_pretrained(base, folder).eval()
    with torch.no_grad():
        save_file({"f32_%d" % i: model(input_ids=torch.tensor([case])).logits[0].contiguous() for i, case in enumerate(ids)}, folder / "expected.safetensors")
    return {"adapter": name, "base": base_name, "ids": ids}


def golden_saved(name, model, seed, **options):
    """The logits of an adapter that also contains tensors of the base model. The base is the model without what only the adapter has."""
    folder = FOLDER / name
    base_name = {"llama-lora-saved": "llama-untied"}.get(name, name.split("-")[0])
    targets = QUERY_VALUE[base_name.split("-")[0]]
    model = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, lora_dropout=0.0, target_modules=targets, **options)).eval()
    model.peft_config["default"].base_model_name_or_path = base_name
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for path, parameter in model.named_parameters():
            if parameter.requires_grad:
                parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator) + (1 if "norm" in path else 0))
    save_adapter(model, folder)
    ids = random_cases(model.config.vocab_size, (3, 17), 43)
    with torch.no_grad():
        logits = {"f32_%d" % i: model(input_ids=torch.tensor([case])).logits[0].contiguous() for i, case in enumerate(ids)}
    save_file(logits, folder / "expected.safetensors")
    return {"adapter": name, "base": base_name, "ids": ids}


def saved_cases():
    options = {"dtype": torch.float32, "attn_implementation": "eager"}
    llama = AutoModelForCausalLM.from_pretrained(HERE / "llama-untied", **options)
    yield golden_saved("llama-lora-saved", llama, 92, task_type="CAUSAL_LM", modules_to_save=["lm_head", "embed_tokens", "norm"])
    yield golden_saved("opt-lora-biases", load_base(HERE / "opt", "f32"), 93, task_type="CAUSAL_LM", bias="all")
    roberta = AutoModelForSequenceClassification.from_pretrained(HERE / "roberta", num_labels=3, **options)
    yield golden_saved("roberta-lora-classifier", roberta, 94, task_type="SEQ_CLS", bias="lora_only")
    llama = AutoModelForSequenceClassification.from_pretrained(HERE / "llama", num_labels=4, **options)
    yield golden_saved("llama-lora-classifier", llama, 95, task_type="SEQ_CLS")


def main():
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", FutureWarning)  # between peft and transformers
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    shutil.rmtree(FOLDER, ignore_errors=True)
    for name, model in (("peft/blocks-bert", blocks_bert()), ("peft/blocks-llama", blocks_llama())):
        fresh(name)
        save(model.to(torch.float16), HERE / name)
    cases = []
    for base in ("bert", "roberta", "opt", "llama"):
        for adapter in ("lora", "lora-wide", "prefix"):
            cases.append(golden(base, adapter, ("f32", "f16"), ("f32",), (3, 17), 50 + len(cases)))
    for base in ("peft/blocks-bert", "peft/blocks-llama"):
        for adapter in ("lora", "lora-wide", "prefix"):
            cases.append(golden(base, adapter, ("f32", "f16", "q8", "q4"), ("f32", "f16", "q8", "q4"), (1, 11), 50 + len(cases)))
    for adapter in ("lora", "lora-wide", "prefix"):
        cases.append(golden("gpt2", adapter, ("f32", "f16"), ("f32",), (3, 17), 50 + len(cases)))
    expected = {"seed": SEED, "step": STEP, "virtual_tokens": VIRTUAL_TOKENS, "cases": cases}
    for name in ("llama", "gpt2"):
        write_gguf(FOLDER / (name + "-lora-wide"), load_base(HERE / name, "f32"))
    expected["saved"] = list(saved_cases())
    expected["patterns"] = [golden_patterns("llama", 90), golden_patterns("bert", 91)]
    expected["quantized"] = {base: block_digests(HERE / base) for base in ("peft/blocks-bert", "peft/blocks-llama")}
    (FOLDER / "expected.json").write_text(compact_json(expected) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
