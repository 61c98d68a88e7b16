"""Measure whether a step's time depends on the tokens of its batch, or on their number after padding.

    python3 tests/reference/packing.py [--binary target/release/pocketllm] [--steps 200] [--batch-size 4]

The script trains the small BERT on the junk mail and sorts the steps by the number of tokens in their batch. Sequences are packed end
to end, so the milliseconds per token should be the same in each quarter. If texts were padded to one length, the milliseconds per step
would be the same.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/pocketllm")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--batch-size", type=int, default=4)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        command = [
            args.binary, "finetune", "--model", "models/bert", "--train", "models/junk-mail-train.csv", "--template",
            "{text} This is [MASK] mail .", "--labels", "real,junk", "--max-length", "512", "--steps", str(args.steps), "--batch-size",
            str(args.batch_size), "--out", str(out),
        ]  # fmt: skip
        ended = subprocess.run(command, capture_output=True, text=True)
        if ended.returncode:
            sys.exit(f"{' '.join(command)}\n{ended.stderr}")
        lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    # The first steps compile the kernels, so they do not count.
    steps = sorted((line["tokens"], line["ms"]) for line in lines if "ms" in line and line["step"] > 3)
    print("| quarter of the steps, by tokens | tokens per step, mean | ms per step, median | ms per token, median |")
    print("|---|---|---|---|")
    for quarter in range(4):
        part = steps[len(steps) * quarter // 4 : len(steps) * (quarter + 1) // 4]
        tokens = statistics.mean(tokens for tokens, _ in part)
        ms = statistics.median(ms for _, ms in part)
        each = statistics.median(ms / tokens for tokens, ms in part)
        print(f"| {quarter + 1} | {tokens:.0f} | {ms:.0f} | {each:.2f} |")
    print(f"\nCorrelation of a step's time with its tokens: {statistics.correlation(*zip(*steps)):.3f}")


if __name__ == "__main__":
    main()
