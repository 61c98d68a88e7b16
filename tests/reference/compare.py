"""Compare estimators and methods by the number of forward passes that each needs to reach a held-out loss.

    python3 tests/reference/compare.py run --binary target/release/pocketllm --out runs/compare [--jobs 2] [--budget 320] [--task junk|movies]
    python3 tests/reference/compare.py table --out runs/compare

`run` tries each learning rate in the grid of a configuration with seed 0, and widens the grid if the best rate is at one of its ends. It
repeats the best rate with four more seeds. Finished runs are not repeated. With --jobs, several runs are done in parallel, each on one
thread of a software GPU; for a model this small that is faster than one run on all threads. A forward is the pass of one branch over one
batch: two-point steps take 2 per probe, and one-sided steps take 1 + probes. `table` writes a markdown table with the number of forwards
until the held-out loss is first at or below a threshold, as the median over the seeds.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

MODEL = "models/bert"
BATCH = 8
SEEDS = 5
EVAL_ROWS = 128
EVALUATIONS = 8  # per run
WIDER = 2  # how often a grid may be widened

TASKS = {
    "junk": ("models/junk-mail-train.csv", "models/junk-mail-eval.csv", "{text} This is [MASK] mail .", "real,junk", 32),
    "movies": ("models/movies-train.tsv", "models/movies-eval.tsv", "{text} It was [MASK] .", "terrible,great", 32),
}

FULL = (2e-5, 4e-5, 8e-5)
# name: forwards per step, flags, eps, learning rates
CONFIGURATIONS = {
    "two-point": (2, [], 1e-3, FULL),
    "one-sided, 8 probes (FZOO)": (9, ["--estimator", "one-sided"], 1e-3, (1e-4, 2e-4, 4e-4)),
    "low-rank 4, 50 steps (LOZO)": (2, ["--estimator", "low-rank"], 1e-3, FULL),
    "LoRA": (2, ["--method", "lora"], 1e-2, (1e-3, 3e-3, 1e-2)),
    "4 probes": (8, ["--probes", "4"], 1e-3, (4e-5, 8e-5, 1.6e-4)),
    "prefix": (2, ["--method", "prefix"], 1e-1, (1e-2, 3e-2, 1e-1)),
    "two-point, momentum 0.9": (2, ["--momentum", "0.9"], 1e-3, (4e-6, 8e-6, 1.6e-5)),
    "two-point, Rademacher": (2, ["--distribution", "rademacher"], 1e-3, FULL),
    "LoRA, one-sided, 8 probes": (9, ["--method", "lora", "--estimator", "one-sided"], 1e-2, (3e-3, 1e-2, 3e-2)),
}


def held_out(task, out):
    """Return the path of the file with the first rows of the held-out file."""
    return Path(out) / f"{task}-held-out{Path(TASKS[task][1]).suffix}"


def write_held_out(task, out):
    source, target = Path(TASKS[task][1]), held_out(task, out)
    delimiter = "\t" if source.suffix == ".tsv" else ","
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(source, newline="", encoding="utf-8") as read, open(target, "w", newline="", encoding="utf-8") as write:
        writer = csv.writer(write, delimiter=delimiter, lineterminator="\n")
        for row, _ in zip(csv.reader(read, delimiter=delimiter), range(EVAL_ROWS + 1)):
            writer.writerow(row)


def folder(args, task, configuration):
    return Path(args.out) / task / "".join(c if c.isalnum() else "-" for c in configuration)


def one(args, task, configuration, rate, seed):
    """Do a fine-tune unless it is finished. Return (forwards, held-out loss, accuracy) of each evaluation."""
    forwards, flags, eps, _ = CONFIGURATIONS[configuration]
    steps = args.budget // forwards
    out = folder(args, task, configuration) / f"{rate:g}-{seed}"
    train, _, template, labels, length = TASKS[task]
    log = out / "log.jsonl"
    every = max(1, steps // EVALUATIONS)
    if not (out / "done").exists():
        command = [
            args.binary, "finetune", "--model", MODEL, "--train", train, "--eval", held_out(task, args.out),
            "--template", template, "--labels", labels, "--max-length", length, "--steps", steps, "--batch-size", BATCH,
            "--lr", rate, "--eps", eps, "--seed", seed, "--eval-every", every, "--out", out, *flags,
        ]  # fmt: skip
        if (out / "trajectory.pocket").exists():
            command.append("--resume")
        threads = {"LP_NUM_THREADS": "1"} if args.jobs > 1 else {}
        ended = subprocess.run([str(part) for part in command], capture_output=True, text=True, env=os.environ | threads)
        # A run whose loss becomes infinite or NaN is a valid result.
        if ended.returncode and "non-finite" not in ended.stderr:
            sys.exit(f"{' '.join(map(str, command))}\n{ended.stderr}")
        (out / "done").touch()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return [(line["step"] * forwards, line["eval_loss"], line["eval_accuracy"]) for line in lines if "eval_loss" in line]


def best_rate(args, task, configuration):
    """Return the rate with which seed 0 ends at the lowest held-out loss. If it is at an end of the grid, the grid is widened by a
    factor of two."""
    forwards = CONFIGURATIONS[configuration][0]
    last = args.budget // forwards * forwards
    losses = {}

    def attempt(*rates):
        for rate in rates:
            at, loss, _ = one(args, task, configuration, rate, 0)[-1]
            # A run that stopped early had a loss that was not finite.
            losses[rate] = loss if at == last else float("inf")
        return min(losses, key=losses.get)

    best = attempt(*CONFIGURATIONS[configuration][3])
    for _ in range(WIDER):
        if best == max(losses):
            best = attempt(best * 2)
        elif best == min(losses):
            best = attempt(best / 2)
    return best


def measure(args, task, configuration):
    rate = best_rate(args, task, configuration)
    for seed in range(SEEDS):
        seen = one(args, task, configuration, rate, seed)
        print(f"{task}, {configuration}, lr {rate:g}, seed {seed}: {seen[-1][1]:.4f}, {seen[-1][2]:.1%}", flush=True)
    (folder(args, task, configuration) / "best").write_text(f"{rate:g}")


def run(args):
    tasks = [args.task] if args.task else TASKS
    for task in tasks:
        write_held_out(task, args.out)
    with ThreadPoolExecutor(args.jobs) as pool:
        list(pool.map(lambda pair: measure(args, *pair), [(task, configuration) for configuration in CONFIGURATIONS for task in tasks]))


def table(args):
    for task in TASKS:
        done = {}
        for configuration in CONFIGURATIONS:
            best = folder(args, task, configuration) / "best"
            if best.exists():
                rate = float(best.read_text())
                done[configuration] = (rate, [one(args, task, configuration, rate, seed) for seed in range(SEEDS)])
        if "two-point" not in done:
            continue
        start = done["two-point"][1][0][0]
        ends = [run[-1][1] for run in done["two-point"][1]]
        # The threshold is two thirds of the way from the start to the mean final loss of two-point.
        threshold = round(start[1] - (start[1] - statistics.mean(ends)) * 2 / 3, 3)
        print(f"\n{task}: held-out loss {start[1]:.4f} and accuracy {start[2]:.1%} before training; threshold {threshold}\n")
        print("| method | learning rate | forwards to the threshold, median | seeds that reach it | final loss, mean | final accuracy, mean |")
        print("|---|---|---|---|---|---|")
        for configuration, (rate, runs) in done.items():
            reached = [next((f for f, loss, _ in run if loss <= threshold), None) for run in runs]
            count = sum(f is not None for f in reached)
            median = sorted(f if f is not None else float("inf") for f in reached)[SEEDS // 2]
            loss = statistics.mean(run[-1][1] for run in runs)
            accuracy = statistics.mean(run[-1][2] for run in runs)
            cells = [configuration, f"{rate:g}", "not reached" if median == float("inf") else f"{median:.0f}", f"{count} of {SEEDS}", f"{loss:.4f}", f"{accuracy:.1%}"]
            print("| " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "table"])
    parser.add_argument("--binary", default="target/release/pocketllm")
    parser.add_argument("--out", default="runs/compare")
    parser.add_argument("--jobs", type=int, default=1, help="number of parallel runs")
    parser.add_argument("--budget", type=int, default=320, help="number of forwards per run")
    parser.add_argument("--task", choices=list(TASKS))
    args = parser.parse_args()
    {"run": run, "table": table}[args.what](args)


if __name__ == "__main__":
    main()
