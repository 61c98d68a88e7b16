"""Write rotary.json: what transformers makes of the fields of `config.json` that are about rotary positions.

    python tests/golden/rotary.py > tests/golden/rotary.json

Each case has the fields of a Llama's configuration, in the forms that the hub has them in, and the inverse frequencies
and the attention factor that transformers computes from them.
"""

import copy
import json

import transformers
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

SIZES = {"hidden_size": 64, "num_attention_heads": 4, "head_dim": 16, "max_position_embeddings": 2048}
LLAMA3 = {
    "rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}  # fmt: skip
CASES = {
    "nothing": {},
    "theta at the top": {"rope_theta": 500000.0},
    "theta beside rope_parameters": {"rope_theta": 500000.0, "rope_parameters": {"rope_type": "default"}},
    "a scaling that is none": {"rope_theta": 20000.0, "rope_scaling": {"rope_type": "default"}},
    "linear, in the older form": {"rope_scaling": {"type": "linear", "factor": 8.0}},
    "half of a head": {
        "rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 30000.0, "partial_rotary_factor": 0.5}
    },
    "dynamic": {"rope_scaling": {"rope_type": "dynamic", "factor": 4.0}},
    "llama3": {"rope_theta": 500000.0, "max_position_embeddings": 131072, "rope_scaling": LLAMA3},
    "yarn": {
        "rope_theta": 1000000.0, "max_position_embeddings": 32768,
        "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8192},
    },
    "yarn with its own bounds": {
        "rope_parameters": {
            "rope_type": "yarn", "rope_theta": 150000.0, "factor": 32.0, "beta_fast": 16.0, "beta_slow": 2.0,
            "truncate": False, "mscale": 1.0, "mscale_all_dim": 0.5, "original_max_position_embeddings": 2048,
        }
    },
    "yarn with an attention factor": {
        "rope_parameters": {
            "rope_type": "yarn", "rope_theta": 10000.0, "factor": 2.0, "attention_factor": 0.75,
            "original_max_position_embeddings": 1024,
        }
    },
}  # fmt: skip


def main():
    transformers.logging.set_verbosity_error()
    lines = []
    for name, fields in CASES.items():
        fields = {**SIZES, **fields}
        embedding = LlamaRotaryEmbedding(LlamaConfig(**copy.deepcopy(fields)))
        frequencies = [float("%.9g" % value) for value in embedding.inv_freq.tolist()]
        factor = float("%.9g" % embedding.attention_scaling)
        case = {"name": name, "config": fields, "frequencies": frequencies, "attention_factor": factor}
        lines.append(" " + json.dumps(case))
    print("[\n" + ",\n".join(lines) + "\n]")


if __name__ == "__main__":
    main()
