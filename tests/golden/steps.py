"""Write steps.json and steps/: the losses of one step on all weights, by PyTorch, for a model with each kind of attention, and adapters by peft.

    python tests/golden/steps.py

For each model, steps.json has the names of its tensors in the order of their ordinals, a batch, and the losses at the weights plus and
minus eps z, with the z that mezo.py specifies. steps/NAME has an adapter that peft saved for the golden model NAME, and the logits of the
adapted model for `ids`: LoRA on the modules that peft chooses for the family or on all modules that are listed here, or a prefix.
"""

import json
import os
import shutil
import warnings

os.environ["HF_HUB_OFFLINE"] = "1"
warnings.filterwarnings("ignore")

import numpy as np
import torch
import transformers
from generate import HERE, random_cases
from mezo import label_word_loss, next_token_loss, perturbed, samples, step_key
from peft import LoraConfig, PrefixTuningConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

SEED, STEP, EPS = 20240708, 5, 1e-3
MASKED = ("modernbert", "electra", "distilbert", "mpnet", "deberta-v3", "albert")
LLAMA = [
    "input_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "post_attention_layernorm",
    "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj",
]  # fmt: skip
# The modules of a layer in the order of their ordinals, if transformers has them in another order.
LAYER = {
    "smollm3": LLAMA,
    "stablelm-parallel": LLAMA,
    "granite": LLAMA,
    "phi3": ["input_layernorm", "self_attn.qkv_proj", "self_attn.o_proj", "post_attention_layernorm", "mlp.gate_up_proj", "mlp.down_proj"],
    "olmo2": [
        "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "self_attn.q_norm", "self_attn.k_norm",
        "post_attention_layernorm", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj", "post_feedforward_layernorm",
    ],
    "hunyuan": [
        "input_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "self_attn.query_layernorm",
        "self_attn.key_layernorm", "post_attention_layernorm", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj",
    ],
    "gemma3": [
        "input_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "self_attn.q_norm",
        "self_attn.k_norm", "post_attention_layernorm", "pre_feedforward_layernorm", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj",
        "post_feedforward_layernorm",
    ],
}  # fmt: skip
MODELS = ["distilbert", "modernbert", "gpt-neox", "smollm3", "olmo2", "granite", "phi3", "gemma3", "hunyuan", "gpt-neo", "stablelm-parallel", "mpnet", "deberta-v3", "albert"]
ADAPTERS = {
    "distilbert": ["q_lin", "v_lin"], "modernbert": ["Wqkv", "Wo"], "gpt-neox": ["query_key_value"],
    "olmo2": ["q_proj", "v_proj"], "phi3": ["qkv_proj", "gate_up_proj"],
    "granite": ["o_proj", "up_proj", "down_proj"], "granite4": ["q_proj", "o_proj", "output_linear"],
}  # fmt: skip
# Models whose windows are shorter than the texts: the rows of a prefix leave the windows.
PREFIXES = ["mistral", "gemma2", "gemma3"]


def load(name):
    kind = AutoModelForMaskedLM if name in MASKED else AutoModelForCausalLM
    return kind.from_pretrained(HERE / name, dtype=torch.float32, attn_implementation="eager").eval()


def ordered(name, model):
    """Parameters by the names that files have, in the order of their ordinals."""
    named = {key.replace("lm_head.", "embed_out.") if name == "gpt-neox" else key: value for key, value in model.named_parameters()}
    assert set(named) <= set(load_file(HERE / name / "model.safetensors")), name
    if name == "albert":
        return albert(named)
    if name not in LAYER:
        heads = ("vocab_transform", "vocab_layer_norm", "vocab_projector", "lm_head.dense", "lm_head.layer_norm", "lm_head.bias")
        heads += ("cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm", "cls.predictions.bias")
        last = [key for head in heads for key in named if key.startswith(head)]
        return {key: named[key] for key in [*(key for key in named if key not in last), *last]}
    names = ["model.embed_tokens.weight"]
    for layer in range(model.config.num_hidden_layers):
        for module in LAYER[name]:
            names += ["model.layers.%d.%s.%s" % (layer, module, part) for part in ("weight", "bias")]
    names += ["model.norm.weight", "model.norm.bias", "lm_head.weight"]
    return {key: named.pop(key) for key in names if key in named}


def albert(named):
    """ALBERT's parameters in the order of BERT's: a layer's last norm comes last, as does the head."""
    modules = ["attention", "ffn.", "ffn_output", "full_layer_layer_norm"]
    last = ["predictions.dense", "predictions.LayerNorm", "predictions.bias"]

    def place(key):
        found = [number for number, head in enumerate(last) if key.startswith(head)]
        if found:
            return (2, found[0])
        if "albert_layers" not in key:
            return (0,)
        group, layer = [int(part) for part in key.split(".") if part.isdigit()]
        return (1, group, layer, next(i for i, module in enumerate(modules) if ".%s" % module in key))

    return {key: named[key] for key in sorted(named, key=place)}


def step(name):
    model = load(name)
    if name in MASKED:
        mask, label_ids, labels = 4, [7, 19], [1, 0, 1]
        sequences = random_cases(61, (8, 3, 40), 52)
        for i, ids in enumerate(sequences):
            ids[i + 1] = mask
        batch = {"sequences": sequences, "mask_id": mask, "label_ids": label_ids, "labels": labels}
        loss = lambda: label_word_loss(model, sequences, mask, label_ids, labels)  # noqa: E731
    else:
        sequences = random_cases(61, (9, 2, 40), 51)
        batch = {"sequences": sequences}
        loss = lambda: next_token_loss(model, sequences)  # noqa: E731
    parameters = ordered(name, model)
    key = step_key(SEED, STEP, 0)
    plain = {n: p.detach().numpy().copy() for n, p in parameters.items()}
    moved = {
        n: perturbed(w, samples(key, ordinal, 0, w.size), np.float32(EPS)) for ordinal, (n, w) in enumerate(plain.items())
    }
    found = []
    for branch in (0, 1):
        with torch.no_grad():
            for n, parameter in parameters.items():
                parameter.copy_(torch.from_numpy(moved[n][branch]))
        found.append(loss())
    return {"model": name, "tensors": list(parameters), **batch, "loss_plus": found[0], "loss_minus": found[1]}


def lora(name, targets):
    task = None if name in MASKED else "CAUSAL_LM"
    return LoraConfig(r=4, lora_alpha=8, lora_dropout=0.0, target_modules=targets, task_type=task)


def adapter(name, config, scale, seed):
    folder = HERE / "steps" / name
    shutil.rmtree(folder, ignore_errors=True)
    model = get_peft_model(load(name), config)
    model.peft_config["default"].base_model_name_or_path = name
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.copy_(scale * torch.randn(parameter.shape, generator=generator))
    model.save_pretrained(folder)
    (folder / "README.md").unlink()
    config = json.loads((folder / "adapter_config.json").read_text())
    if "target_modules" in config:
        config["target_modules"].sort()  # saved in the order of a set
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")
    ids = random_cases(61, (1, 30), seed)
    with torch.no_grad():
        ids_and_mask = [(torch.tensor([case]), torch.ones(1, len(case), dtype=torch.long)) for case in ids]
        found = [model(input_ids=case, attention_mask=mask).logits[0] for case, mask in ids_and_mask]
        logits = {"logits_%d" % i: values.contiguous() for i, values in enumerate(found)}
    save_file(logits, folder / "expected.safetensors")
    for file in folder.iterdir():
        file.chmod(0o644)
    return {"adapter": name, "ids": ids}


if __name__ == "__main__":
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    configs = [(name, lora(name, targets), 0.2) for name, targets in ADAPTERS.items()]
    configs += [(name, PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5), 0.7) for name in PREFIXES]
    configs += [("mpnet", lora("mpnet", ["q", "v"]), 0.2)]
    configs += [("deberta-v3", lora("deberta-v3", ["query_proj", "key_proj", "intermediate.dense", "output.dense"]), 0.2)]
    configs += [("albert", lora("albert", ["query", "value", "ffn_output"]), 0.2)]
    adapters = [adapter(name, config, scale, 60 + number) for number, (name, config, scale) in enumerate(configs)]
    result = {"seed": SEED, "step": STEP, "eps": EPS, "steps": [step(name) for name in MODELS], "adapters": adapters}
    (HERE / "steps.json").write_text(json.dumps(result) + "\n")
