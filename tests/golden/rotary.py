"""Write rotary.json: what transformers makes of the fields of `config.json` that are about rotary positions.

    python tests/golden/rotary.py > tests/golden/rotary.json

Each case has the fields of a Llama's configuration, in the forms that occur on the hub, and the inverse frequencies
and the attention factor that transformers computes from them.
"""

import copy
import json

import torch
import transformers
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

SIZES = {"hidden_size": 64, "num_attention_heads": 4, "head_dim": 16, "max_position_embeddings": 2048}
LLAMA3 = {
    "rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}  # fmt: skip
SHORT = [1.0, 1.02, 1.05, 1.1, 1.3, 1.7, 2.0, 2.5]
LONG = [1.0, 1.3, 2.0, 4.0, 8.0, 16.0, 32.0, 33.5]
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
    "longrope, as Phi-3.5 has it": {
        "max_position_embeddings": 131072, "original_max_position_embeddings": 4096,
        "rope_scaling": {"type": "longrope", "short_factor": SHORT, "long_factor": LONG},
    },
    "longrope with a factor": {
        "rope_parameters": {
            "rope_type": "longrope", "rope_theta": 10000.0, "factor": 8.0, "short_factor": SHORT, "long_factor": LONG,
            "original_max_position_embeddings": 2048, "partial_rotary_factor": 1.0,
        }
    },
    "longrope with an attention factor": {
        "rope_parameters": {
            "rope_type": "longrope", "rope_theta": 10000.0, "factor": 2.0, "attention_factor": 1.25, "short_factor": SHORT,
            "long_factor": LONG, "original_max_position_embeddings": 1024,
        }
    },
    "linear, without theta in rope_parameters": {
        "rope_theta": 500000.0, "rope_parameters": {"type": "linear", "factor": 8.0}
    },
    "a linear factor of 1": {"rope_theta": 40000.0, "rope_scaling": {"type": "linear", "factor": 1.0}},
    "an empty scaling": {"rope_scaling": {}, "rope_parameters": {"rope_type": "default", "rope_theta": 70000.0}},
}  # fmt: skip


def main():
    transformers.logging.set_verbosity_error()
    lines = []
    for name, fields in CASES.items():
        fields = {**SIZES, **fields}
        embedding = LlamaRotaryEmbedding(LlamaConfig(**copy.deepcopy(fields)))
        frequencies = [float("%.9g" % value) for value in embedding.inv_freq.tolist()]
        factor = float("%.9g" % embedding.attention_scaling)
        long = {}
        if embedding.rope_type == "longrope":
            embedding.forward(torch.zeros(1), torch.tensor([[embedding.config.rope_parameters["original_max_position_embeddings"]]]))
            long = {"long_frequencies": [float("%.9g" % value) for value in embedding.inv_freq.tolist()]}
        case = {"name": name, "config": fields, "frequencies": frequencies, "attention_factor": factor, **long}
        lines.append(" " + json.dumps(case))
    print("[\n" + ",\n".join(lines) + "\n]")


if __name__ == "__main__":
    main()
