"""Compare estimators and methods by the number of forward passes that each needs to reach a held-out loss.

    python3 tests/reference/compare.py run --binary target/release/pocketllm --out runs/compare [--jobs 2] [--budget 1280] [--task junk|movies]
    python3 tests/reference/compare.py table --out runs/compare

`run` tries each learning rate in the grid of a configuration with seeds that are not reported, on held-out rows that are not reported, and
widens the grid if the best rate is at one of its ends. It then runs the best rate with the reported seeds, and measures on the
reported rows. Finished runs are not repeated. With --jobs, several runs are done in parallel, each on one thread of a software GPU. For a
model this small, that is faster than one run on all threads. A forward is the pass of one branch over one batch: two-point steps take 2
per probe, one-sided steps take 1 + probes, and an activation basis takes 4 before the first step. `table` writes a markdown table with
the number of forwards until the held-out loss is first at or below a threshold, as the median over the seeds.
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
SEEDS = range(5)  # reported
CHOOSING_SEEDS = range(100, 110)  # for learning rates
ROWS = {"reported": (0, 128), "choosing": (128, 384)}  # of the held-out file, where the data rows count from 0

TASKS = {
    "junk": ("models/junk-mail-train.csv", "models/junk-mail-eval.csv", "{text} This is [MASK] mail .", "real,junk", 32),
    "movies": ("models/movies-train.tsv", "models/movies-eval.tsv", "{text} It was [MASK] .", "terrible,great", 32),
}

FULL = (2e-5, 4e-5, 8e-5)
LORA = (1e-2, 3e-2, 1e-1)
ONE_SIDED = ["--estimator", "one-sided"]
ADAM = ["--optimizer", "adam"]
LINEAR = ["--schedule", "linear"]
ALL = ["--lora-targets", "all-linear"]


def lora(a, *flags):
    return ["--method", "lora", "--lora-a", a, *flags]


def shape(*flags, forwards=9, eps=1e-2):
    targets = [] if "--lora-targets" in flags else ALL
    return forwards, lora("activations", *ONE_SIDED, *ADAM, *LINEAR, *targets, *flags), eps, (1.5e-2, 3e-2, 6e-2)


BASIS = lora("activations", *ONE_SIDED, *ADAM)
# name: forwards per step, flags, eps, learning rates; None is the preset of the engine
CONFIGURATIONS = {
    "two-point": (2, [], 1e-3, FULL),
    "one-sided, 8 probes (FZOO)": (9, ONE_SIDED, 1e-3, (1e-4, 2e-4, 4e-4)),
    "low-rank 4, 50 steps (LOZO)": (2, ["--estimator", "low-rank"], 1e-3, FULL),
    "LoRA": (2, lora("trained"), 1e-2, (1e-3, 3e-3, 1e-2)),
    "4 probes": (8, ["--probes", "4"], 1e-3, (4e-5, 8e-5, 1.6e-4)),
    "prefix": (2, ["--method", "prefix"], 1e-1, (1e-2, 3e-2, 1e-1)),
    "two-point, momentum 0.9": (2, ["--momentum", "0.9"], 1e-3, (4e-6, 8e-6, 1.6e-5)),
    "two-point, Rademacher": (2, ["--distribution", "rademacher"], 1e-3, FULL),
    "LoRA, one-sided": (9, lora("trained", *ONE_SIDED), 1e-2, LORA),
    "LoRA, one-sided, Adam": (9, lora("trained", *ONE_SIDED, *ADAM), 1e-2, LORA),
    "LoRA-FA, one-sided": (9, lora("frozen", *ONE_SIDED), 1e-2, (3e-2, 1e-1, 3e-1)),
    "LoRA-FA, one-sided, Adam": (9, lora("frozen", *ONE_SIDED, *ADAM), 1e-2, LORA),
    "activation basis, two-point, Adam": (2, lora("activations", *ADAM), 1e-2, (3e-3, 1e-2, 3e-2)),
    "activation basis, one-sided": (9, lora("activations", *ONE_SIDED), 1e-2, LORA),
    "activation basis, one-sided, Adam": (9, BASIS, 1e-2, LORA),
    "the same, linear schedule": (9, [*BASIS, *LINEAR], 1e-2, LORA),
    "the same, linear schedule, v,o": (9, [*BASIS, *LINEAR, "--lora-targets", "v,o"], 1e-2, LORA),
    "the same, linear schedule, q,k,v,o": (9, [*BASIS, *LINEAR, "--lora-targets", "q,k,v,o"], 1e-2, LORA),
    "the same, linear schedule, all-linear": (9, [*BASIS, *LINEAR, *ALL], 1e-2, LORA),
    "the same, constant, all-linear": (9, [*BASIS, *ALL], 1e-2, LORA),
    "shape: rank 8": shape(),
    "shape: rank 2": shape("--lora-rank", "2", "--lora-alpha", "4"),
    "shape: rank 4": shape("--lora-rank", "4", "--lora-alpha", "8"),
    "shape: rank 16": shape("--lora-rank", "16", "--lora-alpha", "32"),
    "shape: o,up,down": shape("--lora-targets", "o,up,down"),
    "shape: v,o,up,down": shape("--lora-targets", "v,o,up,down"),
    "shape: 4 probes": shape("--probes", "4", forwards=5),
    "shape: 15 probes": shape("--probes", "15", forwards=16),
    "shape: Gaussian": shape("--distribution", "gaussian"),
    "shape: beta1 0.95": shape("--beta1", "0.95"),
    "shape: beta2 0.99": shape("--beta2", "0.99"),
    "shape: epsilon 3e-2": shape(eps=3e-2),
    "shape: epsilon 3e-3": shape(eps=3e-3),
    "shape: plain steps": (9, lora("activations", *ONE_SIDED, *LINEAR, *ALL), 1e-2, (3e-2, 1e-1, 2e-1)),
    "shape: A as drawn": (9, lora("frozen", *ONE_SIDED, *ADAM, *LINEAR, *ALL), 1e-2, (1.5e-2, 3e-2, 6e-2)),
    "preset of lora": (2, ["--method", "lora"], 1e-2, None),
    "preset lowest-loss": (9, ["--preset", "lowest-loss"], 1e-2, None),
    "preset of lora, one-sided, linear schedule": (9, ["--method", "lora", *ONE_SIDED, *LINEAR], 1e-2, None),
    "preset of lora, one-sided, linear schedule, all-linear": (9, ["--method", "lora", *ONE_SIDED, *LINEAR, *ALL], 1e-2, None),
    "preset of lora, one-sided, linear schedule, all-linear, rank 16": (9, ["--method", "lora", *ONE_SIDED, *LINEAR, *ALL, "--lora-rank", "16", "--lora-alpha", "32"], 1e-2, None),
}
BASIS_FORWARDS = 4  # batches that an activation basis is computed from


def held_out(task, out, rows):
    """Return the path of the file with some rows of the held-out file."""
    return Path(out) / f"{task}-{rows}{Path(TASKS[task][1]).suffix}"


def write_held_out(task, out, rows):
    source, target = Path(TASKS[task][1]), held_out(task, out, rows)
    delimiter = "\t" if source.suffix == ".tsv" else ","
    target.parent.mkdir(parents=True, exist_ok=True)
    first, end = ROWS[rows]
    with open(source, newline="", encoding="utf-8") as read, open(target, "w", newline="", encoding="utf-8") as write:
        writer = csv.writer(write, delimiter=delimiter, lineterminator="\n")
        for number, row in enumerate(csv.reader(read, delimiter=delimiter), -1):
            if number < 0 or first <= number < end:
                writer.writerow(row)


def folder(args, task, configuration):
    return Path(args.out) / task / "".join(c if c.isalnum() else "-" for c in configuration)


def one(args, task, configuration, rate, seed, rows="reported"):
    """Run a fine-tune unless it is finished. Return (forwards, held-out loss, accuracy) of each evaluation."""
    forwards, flags, eps, _ = CONFIGURATIONS[configuration]
    before = BASIS_FORWARDS if {"lora", "lowest-loss"} & set(flags) and not {"trained", "frozen"} & set(flags) else 0
    steps = (args.budget - before) // forwards
    out = folder(args, task, configuration) / f"{rate}-{seed}"
    train, _, template, labels, length = TASKS[task]
    log = out / "log.jsonl"
    # A rate is chosen by the loss at the end of a run.
    every = max(1, steps // args.evaluations) if rows == "reported" else steps
    if not (out / "done").exists():
        command = [
            args.binary, "--device", args.device, "finetune", "--model", MODEL, "--train", train, "--eval", held_out(task, args.out, rows),
            "--template", template, "--labels", labels, "--max-length", length, "--steps", steps, "--batch-size", BATCH,
            "--eps", eps, "--seed", seed, "--eval-every", every, "--out", out, *flags, *([] if rate == "preset" else ["--lr", rate]),
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
    count = lambda step: before + step * forwards if step else 0  # noqa: E731
    return [(count(line["step"]), line["eval_loss"], line["eval_accuracy"]) for line in lines if "eval_loss" in line]


def best_rate(args, task, configuration):
    """Return the rate with which runs end at the lowest mean loss on the rows for choosing. If it is at an end of the grid, the grid is
    widened by a factor of two."""
    losses = {}
    if CONFIGURATIONS[configuration][3] is None:
        return "preset", float("nan")

    def end(rate, seed):
        seen = one(args, task, configuration, rate, seed, "choosing")
        # A run that stopped early had a loss that was not finite.
        return seen[-1][1] if len(seen) > 1 else float("inf")

    def attempt(*rates):
        for rate in rates:
            losses[rate] = statistics.mean(end(rate, seed) for seed in CHOOSING_SEEDS[: args.choosing])
        return min(losses, key=losses.get)

    best = attempt(*CONFIGURATIONS[configuration][3])
    for _ in range(args.wider):
        if best == max(losses):
            best = attempt(best * 2)
        elif best == min(losses):
            best = attempt(best / 2)
    return best, losses[best]


def measure(args, task, configuration):
    rate, loss = best_rate(args, task, configuration)
    for seed in SEEDS:
        seen = one(args, task, configuration, rate, seed)
        print(f"{task}, {configuration}, lr {rate}, seed {seed}: {seen[-1][1]:.4f}, {seen[-1][2]:.1%}", flush=True)
    (folder(args, task, configuration) / "best").write_text(f"{rate} {loss:.4f}")


def run(args):
    tasks = [args.task] if args.task else TASKS
    for task in tasks:
        for rows in ROWS:
            write_held_out(task, args.out, rows)
    pairs = [(task, configuration) for configuration in CONFIGURATIONS for task in tasks if args.only in configuration]
    with ThreadPoolExecutor(args.jobs) as pool:
        list(pool.map(lambda pair: measure(args, *pair), pairs))


def table(args):
    for task in TASKS:
        done = {}
        for configuration in CONFIGURATIONS:
            best = folder(args, task, configuration) / "best"
            if best.exists():
                rate, chosen = best.read_text().split()
                done[configuration] = (rate, float(chosen), [one(args, task, configuration, rate, seed) for seed in SEEDS])
        if "two-point" not in done:
            continue
        start = done["two-point"][2][0][0]
        ends = [run[-1][1] for run in done["two-point"][2]]
        # The threshold is two thirds of the way from the start to the mean final loss of two-point.
        threshold = round(start[1] - (start[1] - statistics.mean(ends)) * 2 / 3, 3)
        print(f"\n{task}: held-out loss {start[1]:.4f} and accuracy {start[2]:.1%} before training; threshold {threshold}\n")
        print("| method | learning rate | forwards to the threshold, median | seeds that reach it | final loss, mean | final accuracy, mean | final loss on the rows for choosing |")
        print("|---|---|---|---|---|---|---|")
        for configuration, (rate, chosen, runs) in done.items():
            reached = [next((f for f, loss, _ in run if loss <= threshold), None) for run in runs]
            count = sum(f is not None for f in reached)
            median = sorted(f if f is not None else float("inf") for f in reached)[len(SEEDS) // 2]
            loss = statistics.mean(run[-1][1] for run in runs)
            accuracy = statistics.mean(run[-1][2] for run in runs)
            cells = [configuration, rate, "not reached" if median == float("inf") else f"{median:.0f}", f"{count} of {len(SEEDS)}", f"{loss:.4f}", f"{accuracy:.1%}", f"{chosen:.4f}"]
            print("| " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "table"])
    parser.add_argument("--binary", default="target/release/pocketllm")
    parser.add_argument("--out", default="runs/compare")
    parser.add_argument("--jobs", type=int, default=1, help="number of parallel runs")
    parser.add_argument("--device", default="gpu", help="gpu, or cpu, which is quicker than a software GPU")
    parser.add_argument("--budget", type=int, default=1280, help="number of forwards per run")
    parser.add_argument("--evaluations", type=int, default=64, help="number of evaluations per run")
    parser.add_argument("--task", choices=list(TASKS))
    parser.add_argument("--choosing", type=int, default=2, help="number of seeds by which a learning rate is chosen")
    parser.add_argument("--wider", type=int, default=2, help="how often a grid may be widened")
    parser.add_argument("--only", default="", help="part of the names of the configurations to run")
    args = parser.parse_args()
    {"run": run, "table": table}[args.what](args)


if __name__ == "__main__":
    main()
