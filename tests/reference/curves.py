"""Measure how the cost of a step grows with the batch, the sequence length, the layers, the width and the probes, one at a time.

    python3 tests/reference/curves.py [--binary target/release/pocketllm] [--out curves.json] [--repeat 5]

The model is a Llama with random weights, and each row changes one property of it. `growth` is the exponent p of a step's time between a
row and the row before it, with time ~ x^p, so that 1 means a proportional cost. The expected values are 1 for the batch, layers and
probes, and up to 2 for the width, because a matrix has width^2 weights. For the length, with a fixed total number of tokens, 0 to 1 is
expected, because the share of attention grows.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

BASE = {"width": 256, "layers": 4, "batch": 8, "length": 64, "probes": 1}
CURVES = {
    "batch": [1, 2, 4, 8, 16],
    "length": [32, 64, 128, 256, 512],
    "layers": [1, 2, 4, 8],
    "width": [128, 256, 512, 1024],
    "probes": [1, 2, 4, 8],
}


def config(width, layers):
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_attention_heads": width // 64,
        "num_key_value_heads": width // 64,
        "num_hidden_layers": layers,
        "rms_norm_eps": 1e-5,
        "max_position_embeddings": 512,
        "vocab_size": 512,
        "tie_word_embeddings": True,
    }


def measure(args, folder, shape):
    path = Path(folder) / "config.json"
    path.write_text(json.dumps(config(shape["width"], shape["layers"])))
    command = [
        args.binary, "--json", "bench", "--config", path, "--random-weights", 1, "--batch-size", shape["batch"],
        "--seq-len", shape["length"], "--probes", shape["probes"], "--repeat", args.repeat,
    ]  # fmt: skip
    ended = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if ended.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{ended.stdout}{ended.stderr}")
    return json.loads(ended.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/pocketllm")
    parser.add_argument("--out", help="write all measurements to this file")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--only", choices=list(CURVES))
    args = parser.parse_args()
    seen = {}
    print("| property | value | forward, ms | step, ms | step / two forwards | growth of the step |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for what, values in CURVES.items():
            if args.only not in (None, what):
                continue
            before = None
            for value in values:
                shape = {**BASE, what: value}
                if what == "length":
                    # The total number of tokens stays the same.
                    shape["batch"] = max(1, BASE["batch"] * BASE["length"] // value)
                row = measure(args, folder, shape)
                growth = ""
                if before:
                    growth = f"{math.log(row['step_ms'] / before[1]) / math.log(value / before[0]):.2f}"
                before = (value, row["step_ms"])
                seen[f"{what} {value}"] = {**shape, **row}
                cells = [what, value, f"{row['forward_ms']:.1f}", f"{row['step_ms']:.1f}", f"{row['step_over_two_forwards']:.2f}", growth]
                print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    if args.out:
        Path(args.out).write_text(json.dumps(seen, indent=1))


if __name__ == "__main__":
    main()
