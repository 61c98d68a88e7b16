"""Compare the logits of random configurations of every family with those of Hugging Face transformers.

    cargo build
    python tests/reference/families.py [--binary target/debug/pocketllm] [--count 3] [--seed 1] [FAMILY..]

For each family it draws configurations (numbers and widths of heads, biases, activations, tied or not, forms of rotary positions),
saves a tiny random model of each, and runs `pocketllm logits --device cpu` on it. It prints the largest difference in standard
deviations of the logits, and exits with 1 if one exceeds 1e-4.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "golden"))

import torch
import transformers
from huggingface_hub.errors import StrictDataclassClassValidationError
from generate import norms_around_zero, randomise
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM

ENCODERS = {
    "bert", "roberta", "xlm-roberta", "camembert", "electra", "distilbert", "modernbert", "data2vec-text", "ernie", "megatron-bert", "mpnet",
    "roberta-prelayernorm", "deberta-v2", "albert", "eurobert",
}  # fmt: skip
ACTIVATIONS = ["gelu", "gelu_new", "relu", "silu", "gelu_pytorch_tanh", "quick_gelu", "relu2"]
LENGTHS = (1, 9, 40)


def rope(draw, pairs, positions):
    """One of the forms of rotary positions, in the older or the newer style."""
    kind = draw.choice(["default", "linear", "dynamic", "llama3", "yarn", "longrope"])
    fields = {"rope_type": kind}
    if kind != "default":
        fields["factor"] = draw.choice([1.0, 2.0, 8.0])
    if kind == "llama3":
        fields |= {"low_freq_factor": 1.0, "high_freq_factor": 4.0}
    if kind in ("llama3", "yarn", "longrope"):
        fields["original_max_position_embeddings"] = draw.choice([16, 32])
    if kind == "longrope":
        fields["short_factor"] = [round(1 + 0.1 * i, 2) for i in range(pairs)]
        fields["long_factor"] = [1.0 + i for i in range(pairs)]
    theta = draw.choice([10000.0, 500000.0, 1000000.0])
    style = draw.choice(["new", "old", "older", "beside"])
    if style == "new":
        return {"rope_parameters": {**fields, "rope_theta": theta}}
    if style == "beside":
        return {"rope_parameters": fields, "rope_theta": theta}
    if style == "older":
        fields["type"] = fields.pop("rope_type")
    return {"rope_scaling": fields, "rope_theta": theta}


def decoder(draw, family):
    head_dim = draw.choice([4, 6, 10, 16])
    kv_heads = draw.choice([1, 2, 3])
    heads = kv_heads * draw.choice([1, 2, 3])
    hidden = heads * head_dim if family == "phi3" else draw.choice([20, 24, 36, heads * head_dim])
    fields = {
        "hidden_size": hidden, "num_attention_heads": heads, "num_key_value_heads": kv_heads, "head_dim": head_dim,
        "intermediate_size": draw.choice([17, 28, 50]), "num_hidden_layers": draw.choice([1, 2, 3]),
        "hidden_act": draw.choice(ACTIVATIONS), "attention_bias": draw.random() < 0.5, "mlp_bias": draw.random() < 0.5,
        "rms_norm_eps": draw.choice([1e-5, 1e-6]), "tie_word_embeddings": draw.random() < 0.5,
        **rope(draw, head_dim // 2, 96),
    }  # fmt: skip
    if draw.random() < 0.2 and family not in ("granite", "phi3"):
        # Without these fields, families have other defaults.
        fields = {key: value for key, value in fields.items() if not key.startswith("rope") and key != "rms_norm_eps"}
        fields |= {"partial_rotary_factor": 0.5} if head_dim % 4 == 0 else {}
        if family == "qwen3":
            del fields["head_dim"]
    if family == "olmo2":
        fields["hidden_size"] = heads * head_dim
    if family == "phi3":
        del fields["head_dim"]
        fields["original_max_position_embeddings"] = 32
        for key in ("rope_parameters", "rope_scaling"):
            if key in fields and "longrope" not in fields[key].values():
                del fields[key]
    if family in ("mistral", "phi3"):
        fields["sliding_window"] = draw.choice([None, 7])
    if family in ("qwen2", "qwen3"):
        fields |= {"use_sliding_window": draw.random() < 0.5, "sliding_window": 7, "max_window_layers": 1}
    if family == "smollm3":
        fields |= {"no_rope_layer_interval": draw.choice([2, 3]), "use_sliding_window": draw.random() < 0.5, "sliding_window": 9}
    if family == "lfm2":
        fields |= {
            "conv_L_cache": draw.choice([2, 3, 4]), "conv_bias": draw.random() < 0.3, "norm_eps": fields.get("rms_norm_eps", 1e-5),
            "block_auto_adjust_ff_dim": draw.random() < 0.5, "block_multiple_of": draw.choice([4, 8]),
            "block_ffn_dim_multiplier": draw.choice([1.0, 1.3]),
            # transformers computes no model without attention.
            "layer_types": [draw.choice(["conv", "full_attention"]) for _ in range(fields["num_hidden_layers"] - 1)] + ["full_attention"],
        }  # fmt: skip
    if family == "granitemoehybrid":
        size = draw.choice([24, 36])
        fields = {key: value for key, value in fields.items() if key != "head_dim" and not key.startswith("rope")}
        fields |= {
            "hidden_size": size, "num_attention_heads": 6, "num_key_value_heads": draw.choice([1, 2, 3]), "mamba_n_heads": 12,
            "shared_intermediate_size": draw.choice([17, 28]), "num_local_experts": 0, "num_experts_per_tok": 0,
            "position_embedding_type": draw.choice([None, "rope"]), "embedding_multiplier": 3.0, "logits_scaling": 0.5,
            "residual_multiplier": 0.5, "attention_multiplier": 0.25, **rope(draw, size // 12, 96),
            draw.choice(["layer_types", "layers_block_type"]): ["attention"] * fields["num_hidden_layers"],
        }  # fmt: skip
    if family in ("ernie4_5", "starcoder2"):
        fields["use_bias"] = fields.pop("mlp_bias")
    if family == "hunyuan_v1_dense":
        del fields["mlp_bias"]
        if draw.random() < 0.5:
            fields["rope_scaling"] = {"type": "dynamic", "alpha": draw.choice([2.0, 50.0, 1000.0]), "factor": 1.0}
            for key in ("rope_parameters", "partial_rotary_factor"):
                fields.pop(key, None)
    if family == "exaone4":
        fields |= {"sliding_window": draw.choice([None, 7]), "layer_types": ["full_attention"] * fields["num_hidden_layers"]}
        if fields["sliding_window"]:
            del fields["layer_types"]
            fields["sliding_window_pattern"] = draw.choice([1, 2, 3])
    if family == "stablelm":
        fields |= {
            "hidden_size": heads * head_dim, "use_qkv_bias": fields["mlp_bias"], "layer_norm_eps": 1e-4,
            "use_parallel_residual": draw.random() < 0.5, "partial_rotary_factor": draw.choice([0.5, 1.0]) if head_dim % 4 == 0 else 1.0,
        }  # fmt: skip
    if family == "starcoder2":
        fields |= {"sliding_window": draw.choice([None, 7]), "norm_epsilon": 1e-4}
    if family == "granite":
        fields |= {"embedding_multiplier": 3.0, "logits_scaling": 4.0, "residual_multiplier": 0.5, "attention_multiplier": 0.25}
    if family in ("gemma2", "gemma3_text", "vaultgemma"):
        fields |= {"hidden_activation": draw.choice(ACTIVATIONS), "query_pre_attn_scalar": 9, "sliding_window": 8}
        fields = {key: value for key, value in fields.items() if not key.startswith("rope") and key != "mlp_bias"}
    if family in ("glm", "glm4"):
        part = draw.choice([None, 0.5, 1.0])
        fields = {key: value for key, value in fields.items() if not key.startswith("rope") and key != "partial_rotary_factor"}
        fields |= rope(draw, (int(head_dim * (part or 0.5)) + 1) // 2, 96) | ({"partial_rotary_factor": part} if part else {})
    if family == "olmo3":
        fields = {key: value for key, value in fields.items() if not key.startswith("rope") and key != "partial_rotary_factor"}
        fields |= {"hidden_size": heads * head_dim, "sliding_window": 7} | draw.choice([
            {}, {"rope_theta": 5000.0, "rope_scaling": {"rope_type": "linear", "factor": 2.0}},
            {"rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 2.0}, "sliding_attention": {"rope_theta": 100.0}}},
        ])  # fmt: skip
    if family == "ministral":
        fields["sliding_window"] = 7  # transformers computes no model without it.
    if family in ("olmo3", "cohere2", "ministral"):
        kinds = [draw.choice(["sliding_attention", "full_attention"]) for _ in range(fields["num_hidden_layers"])]
        fields |= {"layer_types": kinds} if draw.random() < 0.5 else {}
    if family == "ministral3":
        # transformers computes no model without these two fields.
        yarn = {"rope_type": "yarn", "factor": 4.0, "rope_theta": 5000.0, "original_max_position_embeddings": 48}
        fields = {key: value for key, value in fields.items() if not key.startswith("rope")}
        fields |= {"rope_parameters": yarn | {"llama_4_scaling_beta": draw.choice([0.0, 0.1])}, "sliding_window": draw.choice([None, 7])}
    if family == "seed_oss":
        fields["attention_out_bias"] = draw.random() < 0.5
    if family in ("arcee", "helium", "vaultgemma"):
        fields["hidden_size"] = heads * head_dim
    if family in ("cohere", "cohere2"):
        fields |= {"layer_norm_eps": 1e-4, "logit_scale": draw.choice([0.5, 2.0])}
    if family == "cohere2":
        fields |= {"hidden_size": heads * head_dim, "sliding_window": 7, "sliding_window_pattern": draw.choice([1, 2, 3])}
    if family in ("gemma2", "vaultgemma"):
        caps = draw.choice([{}, {"attn_logit_softcapping": None}, {"attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0}])
        fields |= caps
    return fields


def fields_of(draw, family):
    heads, head_dim = draw.choice([1, 2, 3, 5]), draw.choice([4, 6, 10])
    hidden, layers = heads * head_dim, draw.choice([1, 2, 4])
    tied, act = draw.random() < 0.5, draw.choice(ACTIVATIONS)
    shared = {"hidden_size": hidden, "num_attention_heads": heads, "num_hidden_layers": layers, "tie_word_embeddings": tied}
    inter = draw.choice([14, 33, 40])
    if family == "distilbert":
        return {"dim": hidden, "n_heads": heads, "n_layers": layers, "hidden_dim": inter, "activation": act, "tie_word_embeddings": tied}
    if family == "gpt2":
        return {
            "n_embd": hidden, "n_head": heads, "n_layer": layers, "n_positions": 96, "activation_function": act,
            "n_inner": draw.choice([None, inter]), "scale_attn_by_inverse_layer_idx": draw.random() < 0.5, "tie_word_embeddings": tied,
        }  # fmt: skip
    if family in ("gpt_bigcode", "gptj"):
        own = {"multi_query": draw.random() < 0.5, "scale_attn_weights": draw.random() < 0.5}
        return {
            "n_embd": hidden, "n_head": heads, "n_layer": layers, "n_positions": 96, "activation_function": act,
            "n_inner": draw.choice([None, inter]), "tie_word_embeddings": tied,
            **({"rotary_dim": draw.choice([2, 4])} if family == "gptj" else own),
        }  # fmt: skip
    if family == "gpt_neo":
        return {
            "hidden_size": hidden, "num_heads": heads, "num_layers": layers, "intermediate_size": draw.choice([None, inter]),
            "activation_function": act, "attention_types": [[["local"], 1], [["global"], layers - 1]], "window_size": draw.choice([3, 8]),
            "tie_word_embeddings": tied,
        }  # fmt: skip
    if family == "opt":
        return shared | {
            "ffn_dim": inter, "activation_function": act, "word_embed_proj_dim": draw.choice([hidden, 12]),
            "do_layer_norm_before": draw.random() < 0.5, "enable_bias": draw.random() < 0.5,
        }  # fmt: skip
    if family == "gpt_neox":
        return shared | {
            "intermediate_size": inter, "hidden_act": act, "rotary_pct": draw.choice([0.25, 0.5, 1.0]), "rotary_emb_base": 5000,
            "use_parallel_residual": draw.random() < 0.5, "attention_bias": draw.random() < 0.5,
        }  # fmt: skip
    if family == "phi":
        partial = draw.choice([0.5, 1.0])
        return shared | {"intermediate_size": inter, "hidden_act": act, "partial_rotary_factor": partial, "tie_word_embeddings": False}
    if family in ("modernbert", "modernbert-decoder"):
        return shared | {
            "intermediate_size": inter, "hidden_activation": act, "attention_bias": draw.random() < 0.5, "mlp_bias": draw.random() < 0.5,
            "norm_bias": draw.random() < 0.5, "local_attention": draw.choice([6, 9]), "global_attn_every_n_layers": draw.choice([2, 3]),
            "decoder_bias": draw.random() < 0.7, "classifier_activation": draw.choice(ACTIVATIONS),
            "classifier_bias": draw.random() < 0.5, "global_rope_theta": 160000.0, "local_rope_theta": 8000.0,
        }  # fmt: skip
    encoder = shared | {"intermediate_size": inter, "hidden_act": act, "type_vocab_size": draw.choice([1, 2])}
    if family == "ernie":
        return encoder | {"use_task_id": draw.random() < 0.5, "task_type_vocab_size": draw.choice([1, 3])}
    if family == "deberta-v2":
        legacy = draw.random() < 0.7
        return encoder | {
            "relative_attention": True, "share_att_key": True, "pos_att_type": draw.choice(["p2c|c2p", ["c2p", "p2c"]]),
            "position_buckets": draw.choice([-1, 4, 8, 9, 16]), "max_relative_positions": draw.choice([-1, 12, 30]),
            "position_biased_input": draw.random() < 0.5, "norm_rel_ebd": draw.choice(["none", "layer_norm"]),
            "legacy": legacy, "tie_word_embeddings": tied or not legacy,
            "type_vocab_size": draw.choice([0, 2]),
        }  # fmt: skip
    if family == "albert":
        layers = draw.choice([1, 2, 3, 5])
        return encoder | {
            "embedding_size": draw.choice([12, hidden]), "num_hidden_layers": layers,
            "num_hidden_groups": draw.randint(1, layers), "inner_group_num": draw.choice([1, 2]),
        }  # fmt: skip
    return encoder | ({"embedding_size": draw.choice([12, hidden, 40])} if family == "electra" else {})


FAMILIES = [
    *sorted(ENCODERS), "gpt2", "opt", "phi", "gpt_neox", "llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3_text", "smollm3", "olmo2",
    "granite", "phi3", "lfm2", "ernie4_5", "hunyuan_v1_dense", "exaone4", "stablelm", "starcoder2", "olmo", "gpt_neo",
    "granitemoehybrid", "modernbert-decoder", "gemma", "vaultgemma", "glm", "glm4", "olmo3", "ministral", "ministral3", "seed_oss", "arcee",
    "helium", "cohere", "cohere2", "gpt_bigcode", "gptj",
]  # fmt: skip
OTHERS = {"gpt_bigcode", "gptj", "gpt2", "opt", "phi", "gpt_neox", "gpt_neo", "modernbert-decoder"} | ENCODERS - {"eurobert"}


def check(binary, family, seed):
    draw = random.Random("%s %d" % (family, seed))
    fields = {
        "vocab_size": 61, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "cls_token_id": 0, "sep_token_id": 2,
        "max_position_embeddings": 96, **(fields_of if family in OTHERS else decoder)(draw, family),
    }  # fmt: skip
    kind = AutoModelForMaskedLM if family in ENCODERS else AutoModelForCausalLM
    with tempfile.TemporaryDirectory() as folder:
        # The configuration is written as it was drawn, not as this version of transformers would write it.
        (Path(folder) / "config.json").write_text(json.dumps({"model_type": family, **fields}))
        try:
            model = kind.from_config(AutoConfig.from_pretrained(folder), attn_implementation="eager")
        except (ValueError, AttributeError, KeyError, TypeError, StrictDataclassClassValidationError) as error:
            return "transformers refuses: %s" % str(error).splitlines()[0][:80]
        model = randomise(model, seed)
        model = norms_around_zero(model) if "gemma" in family else model
        model.save_pretrained(folder)
        (Path(folder) / "config.json").write_text(json.dumps({"model_type": family, **fields}))
        cases = [[draw.randrange(5, 61) for _ in range(length)] for length in LENGTHS]
        ids = [part for case in cases for part in ("--ids", ",".join(map(str, case)))]
        command = [binary, "logits", "--device", "cpu", "--model", folder, "--out", folder + "/logits.safetensors", *ids]
        run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if run.returncode:
            return "refused: " + run.stderr.strip().splitlines()[-1]
        ours = load_file(folder + "/logits.safetensors")
    worst = 0.0
    with torch.no_grad():
        for i, case in enumerate(cases):
            try:
                theirs = model(input_ids=torch.tensor([case])).logits[0]
            except RuntimeError as error:
                return "transformers fails: %s" % str(error).splitlines()[0][:80]
            worst = max(worst, float((ours["logits_%d" % i] - theirs).abs().max() / theirs.std()))
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/debug/pocketllm")
    parser.add_argument("--count", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("families", nargs="*", default=FAMILIES)
    arguments = parser.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    bad = 0
    for family in arguments.families or FAMILIES:
        for seed in range(arguments.seed, arguments.seed + arguments.count):
            seen = check(arguments.binary, family, seed)
            bad += not isinstance(seen, float) and seen.startswith("refused") or isinstance(seen, float) and not seen <= 1e-4
            print("%-12s %3d  %s" % (family, seed, seen if isinstance(seen, str) else "%.1e" % seen), flush=True)
    sys.exit(min(bad, 1))


if __name__ == "__main__":
    main()
