#!/usr/bin/env python3
"""A long training of the golden BERT: the memory of the process, the GPU bytes and the time of a step must not grow.

    python3 tests/reference/soak.py --steps 10000
    python3 tests/reference/soak.py --steps 10000 --device cpu

The first quarter of the run is for warming up. The numbers are printed for each quarter.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BERT = ROOT / "tests/golden/bert"

# Megabytes by which the process may grow after the first quarter: 32 bytes for each step, and the allocator's overhead.
GROWTH = 4
# Factor by which the last quarter's median step may be slower than the second's. Other programs run meanwhile.
SLOWER = 1.5


def command(program, device, steps, out):
    return [
        program, "--json", "--device", device, "finetune", "--model", str(BERT), "--train", str(BERT / "train.csv"),
        "--template", "{text} It was [MASK] .", "--labels", "great,terrible", "--seed", "7", "--batch-size", "4",
        "--lr", "1e-5", "--steps", str(steps), "--out", str(out),
    ]  # fmt: skip


def resident(process):
    """Megabytes of a process in main memory, or None after its end."""
    try:
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("VmRSS:")]
    return int(found[0]) / 1024 if found else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--device", default="gpu", choices=["gpu", "cpu"])
    parser.add_argument("--program", default=str(ROOT / "target/release/pocketllm"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "long"
        process = subprocess.Popen(
            command(args.program, args.device, args.steps, out), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        seen = []
        log = out / "log.jsonl"
        while process.poll() is None:
            time.sleep(0.5)
            megabytes = resident(process)
            if megabytes and log.exists():
                with log.open("rb") as file:
                    seen.append((sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b"")), megabytes))
        output = process.stdout.read()
        assert process.returncode == 0, output
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        ms = [line["ms"] for line in lines if "ms" in line]
    assert len(ms) == args.steps
    quarters = []
    for index in range(4):
        first, last = index * args.steps // 4, (index + 1) * args.steps // 4
        memory = [megabytes for steps, megabytes in seen if first < steps <= last]
        quarters.append((statistics.median(ms[first:last]), max(memory, default=0)))
        print(f"steps {first + 1} to {last}: median {quarters[-1][0]:.2f} ms, at most {quarters[-1][1]:.1f} MB resident")
    result = json.loads(output)
    found = result["gpu_bytes"]
    # The plan was made before the first step.
    planned = {name: result["plan"][name] for name in found}
    print(f"GPU bytes: {found}")
    # Without a GPU there are no buffers of uniforms.
    same = found == planned if args.device == "gpu" else all(found[name] <= planned[name] for name in found)
    assert same, f"GPU bytes: planned {planned}"
    assert quarters[3][1] <= quarters[0][1] + GROWTH, "the process grew"
    assert quarters[3][0] <= SLOWER * quarters[1][0], "steps became slower"


if __name__ == "__main__":
    main()
