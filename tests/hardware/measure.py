"""Measure all of a GPU: the kernels, then steps of four models, and the same in PyTorch if it can use the GPU too.

    cargo build --release
    python tests/hardware/measure.py --binary target/release/pocketllm
    python tests/hardware/measure.py --table

It needs no network and no downloads: the weights of the models are random. The result is one JSON file per adapter in
tests/hardware/results, which --table writes as Markdown tables. The result of the site's page bench/, which measures in a tab, is a text.
If it is saved there as a .txt file, it is in the tables too. With --tests (a test binary of `cargo test --no-run`, of the targets
`it` and `kernels`; may be repeated), the goldens and the kernels are first compared with their references, and nothing is measured on a
GPU that computes something else. A measurement that fails is recorded with its error. All of it takes about five minutes on a fast GPU.
What has not begun after --seconds is left out, and recorded as left out.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
CONFIGS = HERE.parent / "configs"
RESULTS = HERE / "results"

# Model, storage format, method, and the matching format in PyTorch.
RUNS = [
    ("minilm", "f32", "full"),
    ("smollm2-135m", "f32", "full"),
    ("smollm2-135m", "q4", "lora"),
    ("roberta-large", "f16", "full"),
    ("opt-1.3b", "f16", "full"),
    ("opt-1.3b", "q4", "lora"),
]
TILES = ["untuned", "auto", "auto-f16"]
PEERS = [
    ("minilm", "f32", []),
    ("smollm2-135m", "f32", []),
    ("roberta-large", "f16", []),
    ("opt-1.3b", "f16", []),
    ("opt-1.3b", "f32", []),
    ("opt-1.3b", "f32", ["--tf32", "--no-adam"]),
]
SHAPE = ["--batch-size", "8", "--seq-len", "64"]


class Measurement:
    """Runs commands until the time is over, and keeps what they print."""

    def __init__(self, seconds):
        self.end = time.monotonic() + seconds
        self.left_out = []

    def run(self, command, seconds):
        """The standard output of a command, or None with the reason in `left_out`."""
        shown = " ".join(str(part) for part in command)
        left = self.end - time.monotonic()
        if left < 5:
            self.left_out.append({"command": shown, "why": "the time was over"})
            return None
        print(f"{left:5.0f} s left: {shown}", file=sys.stderr)
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=min(seconds, left))
        except subprocess.TimeoutExpired:
            self.left_out.append({"command": shown, "why": "it took too long"})
            return None
        except OSError as error:
            self.left_out.append({"command": shown, "why": str(error)})
            return None
        if done.returncode != 0:
            why = (done.stderr or done.stdout).strip().splitlines()
            self.left_out.append({"command": shown, "why": why[-1] if why else f"exit code {done.returncode}"})
            return None
        return done.stdout

    def json(self, command, seconds):
        text = self.run(command, seconds)
        return None if text is None else json.loads(text.strip().splitlines()[-1])


def measure(args):
    measurement = Measurement(args.seconds)
    pocketllm = [args.binary, "--json", "bench"]
    tested = []
    for binary in args.tests:
        which = ["goldens"] if Path(binary).name.startswith("it") else []
        os.environ["POCKETLLM_REQUIRE_GPU"] = "1"
        # One test at a time, because each opens its own device.
        text = measurement.run([binary, *which, "--test-threads=1"], 240)
        if text is None:
            sys.exit(f"{binary}: {measurement.left_out[-1]['why']}: nothing is measured on a GPU that computes something else")
        tested.append(re.search(r"test result: .*?failed", text)[0])
    kernels = measurement.json([*pocketllm, "--kernels"], 120)
    if kernels is None:
        sys.exit(f"the kernels cannot be measured: {measurement.left_out[-1]['why']}")
    steps, profiles, peers = [], [], []
    for model, dtype, method in RUNS:
        command = [*pocketllm, "--config", CONFIGS / f"{model}.json", "--dtype", dtype, "--method", method, *SHAPE]
        run = {"model": model, "dtype": dtype, "method": method}
        for tiles in TILES:
            result = measurement.json([*command, "--tiles", tiles], 90)
            if result is not None:
                steps.append({**run, "tiles": tiles, **result})
        if dtype != "q4":
            result = measurement.json([*command, "--tiles", "auto", "--profile"], 60)
            if result is not None:
                profiles.append({**run, "tiles": "auto", **result})
    for model, dtype, more in PEERS if args.peer else []:
        config = CONFIGS / f"{model}.json"
        command = [args.python, HERE / "peer_torch.py", "--config", config, "--dtype", dtype, *SHAPE, *more]
        result = measurement.json(command, 90)
        if result is not None:
            peers.append({"model": model, **result})
    name = kernels["adapter"]
    value = {
        "adapter": name,
        "limits": kernels.get("limits"),
        "machine": platform.platform(),
        "date": time.strftime("%Y-%m-%d"),
        "tested": tested,
        "matmul": kernels["matmul"],
        "steps": steps,
        "profiles": profiles,
        "peers": peers,
        "left_out": measurement.left_out,
    }
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    path = out / (re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") + ".json")
    path.write_text(json.dumps(value, indent=1) + "\n")
    print(path)


def read(path):
    """A result: a JSON file of this program, or the text of the page `bench/`, whose JSON follows a few lines to read."""
    text = path.read_text(encoding="utf-8")
    return json.loads(text[text.index("{") if text.startswith("{") else text.index("\n{") :])


def table(out):
    for path in sorted([*Path(out).glob("*.json"), *Path(out).glob("*.txt")]):
        value = read(path)
        print(f"### {value['adapter'] or path.stem}\n\nMeasured on {value['date']}. {value.get('note', '')}\n")
        if path.suffix == ".txt":
            print(f"In a tab: {value['machine']}\n")
        if value["matmul"]:
            matmuls(value["matmul"])
        if value["steps"]:
            steps(value)
        for left in value["left_out"]:
            print(f"Left out: `{left['command']}`: {left['why']}")


def matmuls(measured):
    """The fastest tiles of each shape, in f32 and in f16."""
    print("| matmul (rows × columns × depth) | fastest tile in f32 | TFLOP/s | of multiply-add | fastest tile in f16 | TFLOP/s |")
    print("|---|---|---|---|---|---|")
    shapes = list(dict.fromkeys(tuple(m["shape"]) for m in measured))
    for shape in shapes:
        of_shape = [m for m in measured if tuple(m["shape"]) == shape]
        half = [m for m in of_shape if "f16" in m["tile"] or m["tile"].startswith("matrix")]
        best = max((m for m in of_shape if m not in half), key=lambda m: m["gflops"])
        row = [" × ".join(map(str, shape)), f"`{best['tile']}`", f"{best['gflops'] / 1e3:.2f}"]
        row.append(f"{100 * best['of_multiply_add']:.0f}%")
        if half:
            best = max(half, key=lambda m: m["gflops"])
            row += [f"`{best['tile']}`", f"{best['gflops'] / 1e3:.2f}"]
        else:
            row += ["", ""]
        print("| " + " | ".join(row) + " |")
    print()


def steps(value):
    """A step with each choice of tiles, next to PyTorch's steps of MeZO and Adam in the same format."""
    print(
        "| model, 8 × 64 tokens | a step, untuned | tuned, f32 | tuned, f16 | step / two forward passes | host | peak MB "
        "| PyTorch: MeZO | Adam | peak MB |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for run in dict.fromkeys((s["model"], s["dtype"], s["method"]) for s in value["steps"]):
        by_tiles = {s["tiles"]: s for s in value["steps"] if (s["model"], s["dtype"], s["method"]) == run}
        ms = [f"{by_tiles[t]['step_ms']:.1f} ms" if t in by_tiles else "" for t in TILES]
        one = by_tiles.get("auto") or next(iter(by_tiles.values()))
        row = [f"{run[0]}, {run[1]}, {run[2]}", *ms]
        row.append(f"{one['step_over_two_forwards']:.2f}")
        row.append(f"{100 * one['host_ms'] / one['step_ms']:.0f}%")
        row.append(f"{one['gpu_bytes']['peak'] / 1e6:.0f}")
        peer = next((p for p in value["peers"] if p["model"] == run[0] and p["dtype"] == run[1] and run[2] == "full"), None)
        row += ["", "", ""] if peer is None else [peer_ms(peer["mezo_step_ms"]), peer_ms(peer["adam_step_ms"]), bytes_of(peer)]
        print("| " + " | ".join(row) + " |")
    print()
    for peer in value["peers"]:
        print(
            f"{peer['program']}, {peer['model']} in {peer['dtype']}: forward {peer_ms(peer['forward_ms'])}, "
            f"MeZO {peer_ms(peer['mezo_step_ms'])}, Adam {peer_ms(peer['adam_step_ms'])}"
        )
    print()


def peer_ms(ms):
    return "–" if ms is None else f"{ms:.1f} ms"


def bytes_of(peer):
    return ", ".join("–" if peer[k] is None else f"{peer[k] / 1e6:.0f}" for k in ("mezo_bytes", "adam_bytes"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default="target/release/pocketllm")
    parser.add_argument("--tests", action="append", default=[], help="a test binary to run first; may be repeated")
    parser.add_argument("--python", default=sys.executable, help="a Python that has torch and transformers")
    parser.add_argument("--no-peer", dest="peer", action="store_false", help="leave PyTorch out")
    parser.add_argument("--seconds", type=float, default=460)
    parser.add_argument("--out", default=RESULTS)
    parser.add_argument("--table", action="store_true", help="print the results that are there, and measure nothing")
    args = parser.parse_args()
    if args.table:
        table(args.out)
    else:
        measure(args)


if __name__ == "__main__":
    main()
