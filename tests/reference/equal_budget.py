"""Compare every way to classify at one budget of forward passes, in one table.

    python3 tests/fetch.py bert minilm smollm2 junk-mail movies addresses
    python3 tests/reference/equal_budget.py --out runs/equal-budget [--task junk] [--model bert] [--seeds 5] [--choose] [--table]

The ways are zero-shot and in-context learning (causal models), a readout, MeZO on all weights and on LoRA, two forms of LoRA with Adam, and
a readout followed by LoRA, where the readout is frozen or fitted again four times. `--label-words FLAGS` adds a row for the readout of label
words, with the flags of `finetune` that fit it.
A budget of B forwards means that at most B texts pass through the model during training, on whichever side of a direction. A two-point
step of 8 examples counts as 16, a one-sided step of 8 probes as 72, the four batches of an activation basis as 32, and a readout as one
for each row. With seed S, all ways train on the same balanced draw of the training rows (`--shots`, `--data-seed S`). They are evaluated
on rows 384 and later of the held-out file. Rows 128 to 384 are for choosing learning rates. The rates in this file are those that
compare.py chose on these rows with 10,240 forwards, if it had the method. `--choose` chooses among the rate, its third and its triple, with
a seed that is not reported. A method without a rate always chooses one.

Runs that are finished in --out are not repeated, so the command can be stopped and repeated. `--table` only prints what is there.
With --jobs, several runs are done in parallel, each on one thread of a software GPU.
"""

import argparse
import csv
import json
import math
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

BATCH = 8
CHOOSING = (128, 384)  # rows of the held-out file, where the data rows count from 0
FIRST_REPORTED = 384
CHOOSING_SEED = 100


@dataclass
class Task:
    train: str
    held_out: str
    masked: str
    causal: str
    labels: str
    length: int  # maximum tokens


TASKS = {
    "junk": Task("models/junk-mail-train.csv", "models/junk-mail-eval.csv", "{text} This is [MASK] mail .", "{text} This mail is", "real,junk", 32),
    "movies": Task("models/movies-train.tsv", "models/movies-eval.tsv", "{text} It was [MASK] .", "{text} It was", "terrible,great", 32),
    "addresses": Task(
        "models/addresses-train.csv", "models/addresses-eval.csv", "{text} This was said by a [MASK] president .",
        "{text} This was said by a president who was a", "Democratic,Republican", 128,
    ),
}  # fmt: skip


@dataclass
class Model:
    path: str
    flags: list = field(default_factory=list)
    masked: bool = True
    words: bool = True  # it has a language-model head that knows words
    reported: int = 616  # held-out rows


MODELS = {
    "bert": Model("models/bert"),
    "minilm": Model("models/minilm", words=False),
    "smollm2": Model("models/smollm2-135m-instruct.gguf", ["--dtype", "q8"], masked=False, reported=96),
}

ONE_SIDED = ["--estimator", "one-sided"]
ADAM = ["--optimizer", "adam"]
BEGIN = ("", "")  # in place of a model and a task: the rate with which the choice of a learning rate begins
BASIS = ["--method", "lora", "--lora-a", "activations"]


@dataclass
class Method:
    flags: list = field(default_factory=list)
    step: int = 0  # forwards of a step of one example
    basis: int = 0  # batches before the first step
    eps: float = 0.0
    rates: dict = field(default_factory=dict)  # (model, task): learning rate; "*" for any
    readout: bool = False  # it begins with a readout of all drawn rows
    words: bool = True  # it needs label words
    examples: int = 0  # in the prompt
    refits: int = 0  # how often the readout is fitted again, on all drawn rows


METHODS = {
    "zero-shot": Method(),
    "in-context, 4 examples": Method(examples=4),
    "readout": Method(["--method", "readout"], readout=True, words=False),
    "MeZO, all weights": Method([], 2, 0, 1e-3, {("bert", "junk"): 4e-5, ("bert", "movies"): 1e-5, ("bert", "*"): 2e-5}),
    "MeZO, LoRA": Method(["--method", "lora", "--lora-a", "trained"], 2, 0, 1e-2, {("bert", "*"): 1e-3}),
    "LoRA-FA, 8 probes, Adam": Method(
        ["--method", "lora", "--lora-a", "frozen", *ONE_SIDED, *ADAM], 9, 0, 1e-2, {("bert", "*"): 3e-2}
    ),
    "LoRA with an activation basis, all-linear, 8 probes, Adam": Method(
        [*BASIS, "--lora-targets", "all-linear", *ONE_SIDED, *ADAM, "--schedule", "linear"], 9, 4, 1e-2,
        {("bert", "junk"): 3e-2, ("bert", "*"): 5e-3},
    ),
    "readout, then LoRA with an activation basis": Method(
        [*BASIS, *ADAM, "--readout"], 2, 4, 1e-2, {BEGIN: 1e-3}, readout=True, words=False
    ),
    "the same, the readout fitted again 4 times": Method(
        [*BASIS, *ADAM, "--readout"], 2, 4, 1e-2, {BEGIN: 1e-3}, readout=True, words=False, refits=4
    ),
}  # fmt: skip


def rows_of(path):
    tsv = str(path).endswith(".tsv")
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.reader(file, **({"delimiter": "\t", "quoting": csv.QUOTE_NONE} if tsv else {})))


def held_out(args, task, first, end):
    """The path of a file with some rows of the held-out file."""
    source = Path(TASKS[task].held_out)
    target = Path(args.out) / f"{task}-{first}-{end}{source.suffix}"
    if not target.exists():
        header, *rows = rows_of(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(target.name + ".part")
        with open(part, "w", newline="", encoding="utf-8") as file:
            options = {"delimiter": "\t", "quoting": csv.QUOTE_NONE, "quotechar": None} if source.suffix == ".tsv" else {}
            csv.writer(file, lineterminator="\n", **options).writerows([header, *rows[first:end]])
        os.replace(part, target)
    return target


def fixed(args, method):
    """The texts that pass through the model for the readout, for its later fits, and for the basis."""
    return (1 + method.refits) * (2 * args.shots if method.readout else 0) + method.basis * BATCH


def steps(args, method):
    """The number of steps that the budget allows after the fixed part. The last fit of a readout comes after the last step."""
    count = (args.budget - fixed(args, method)) // (method.step * BATCH)
    return count // method.refits * method.refits if method.refits else count


def forwards(args, method):
    return fixed(args, method) + (steps(args, method) * method.step * BATCH if method.step else 0)


def one(args, task, model, name, seed, rate=None, choosing=False):
    """Execute a run unless it is finished. Return its loss, accuracy and seconds."""
    method, data, weights = METHODS[name], TASKS[task], MODELS[model]
    slug = "".join(c if c.isalnum() else "-" for c in name)
    label = f"{seed}" if rate is None else f"{rate:g}-{seed}"
    out = Path(args.out) / f"{task}-{model}-{args.budget}-{2 * args.shots}" / slug / (label + ("-choosing" if choosing else ""))
    result = out / "result.json"
    if not result.exists():
        if args.table:
            return None
        out.mkdir(parents=True, exist_ok=True)
        rows = CHOOSING if choosing else (FIRST_REPORTED, FIRST_REPORTED + weights.reported)
        common = ["--model", weights.path, "--eval", held_out(args, task, *rows), *weights.flags]
        if method.words:
            common += ["--template", data.masked if weights.masked else data.causal, "--labels", data.labels]
        if method.step or method.readout:
            command = ["finetune", *common, "--train", data.train, "--shots", args.shots, "--data-seed", seed, "--seed", seed]
            command += ["--max-length", data.length, *method.flags, "--out", out, "--resume"]
            if method.refits:
                command += ["--refit-every", steps(args, method) // method.refits]
            if method.step:
                command += ["--steps", steps(args, method), "--batch-size", BATCH, "--eps", method.eps, "--lr", rate]
        else:
            # The demonstrations come before a text of the usual length.
            shown = ["--data-seed", seed, "--in-context", method.examples, "--train", data.train]
            command = ["evaluate", *common, *(shown if method.examples else ["--max-length", data.length])]
        threads = {"LP_NUM_THREADS": "1"} if args.jobs > 1 else {}
        command = [str(part) for part in [args.binary, "--json", "--device", args.device, *command]]
        ended = subprocess.run(command, capture_output=True, text=True, env=os.environ | threads)
        if ended.returncode and "non-finite" in ended.stdout + ended.stderr:
            seen = {"eval_loss": math.inf, "eval_accuracy": 0.0}
        elif ended.returncode:
            raise SystemExit(f"{' '.join(command)}\n{ended.stdout}{ended.stderr}")
        else:
            seen = json.loads(ended.stdout)
        part = result.with_name("result.part")
        part.write_text(json.dumps(seen))
        os.replace(part, result)
    seen = json.loads(result.read_text())
    prefix = "eval_" if "eval_loss" in seen else ""
    return {key: seen.get(prefix + key) for key in ("loss", "accuracy", "baseline")}


def applies(args, task, model, name):
    method, weights = METHODS[name], MODELS[model]
    fits = not method.step or steps(args, method) > 0
    return fits and (weights.words or not method.words) and not (method.examples and weights.masked)


def rate_of(args, task, model, name):
    """The learning rate of a method. If necessary, it is chosen on the rows for choosing."""
    rates = METHODS[name].rates
    given = next((rates[key] for key in ((model, task), (model, "*")) if key in rates), None)
    begin = given or {"smollm2": 0.1}.get(model, 1.0) * next(iter(rates.values()))
    if given and not args.choose:
        return given
    found = {}
    for rate in (begin / 3, begin, begin * 3):
        rate = float(f"{rate:.2g}")
        seen = one(args, task, model, name, CHOOSING_SEED, rate, choosing=True)
        if seen:
            found[rate] = seen["loss"]
    return min(found, key=found.get) if found else given


def measure(args, task, model, name):
    """Runs all seeds of a method."""
    method = METHODS[name]
    rate = rate_of(args, task, model, name) if method.step else None
    if method.step and rate is None:
        return None, []
    # Zero-shot has no random draw, so one seed is enough.
    seeds = range(1 if name == "zero-shot" else args.seeds)
    seen = []
    for seed in seeds:
        found = one(args, task, model, name, seed, rate)
        if found:
            seen.append(found)
            if not args.table:
                print(f"{task}, {model}, {name}, seed {seed}: {found['loss']:.4f}, {found['accuracy']:.1%}", file=sys.stderr, flush=True)
    return rate, seen


def interval(accuracies, rows):
    """The mean and its 95% interval: Student's over the seeds, or Wilson's for a single seed."""
    mean, count = statistics.mean(accuracies), len(accuracies)
    if count == 1:
        z, p, n = 1.96, mean, rows
        middle, spread = (p + z * z / (2 * n)) / (1 + z * z / n), z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return f"{mean:.1%} ({middle - spread:.1%} to {middle + spread:.1%})"
    t = {2: 12.7, 3: 4.30, 4: 3.18, 5: 2.78}.get(count, 1.96)
    spread = t * statistics.stdev(accuracies) / math.sqrt(count)
    return f"{mean:.1%} (±{100 * spread:.1f})"


def table(args, done):
    for task, model in dict.fromkeys((task, model) for task, model, _ in done):
        rows = MODELS[model].reported
        found = [(name, *done[task, model, name]) for name in METHODS if done.get((task, model, name), (None, []))[1]]
        if not found:
            continue
        baselines = [seen["baseline"] for _, _, all_seen in found for seen in all_seen if seen["baseline"]]
        baseline = f"{baselines[0]:.1%}" if baselines else "unknown"
        print(f"\n{task}, {model}: {rows} held-out rows, of which the commonest label has {baseline}; {2 * args.shots} training rows\n")
        print("| way | forwards | seeds | learning rate | held-out loss | held-out accuracy |")
        print("|---|---|---|---|---|---|")
        for name, rate, seen in found:
            losses = [one_seen["loss"] for one_seen in seen]
            accuracies = [one_seen["accuracy"] for one_seen in seen]
            cells = [name, f"{forwards(args, METHODS[name]):,}", len(seen), "" if rate is None else f"{rate:g}"]
            print("| " + " | ".join(map(str, [*cells, f"{statistics.mean(losses):.3f}", interval(accuracies, rows)])) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/pocketllm")
    parser.add_argument("--out", default="runs/equal-budget")
    parser.add_argument("--task", action="append", choices=list(TASKS))
    parser.add_argument("--model", action="append", choices=list(MODELS))
    parser.add_argument("--only", default="", help="part of the names of the ways to do")
    parser.add_argument("--budget", type=int, default=10_240, help="texts that pass through the model during training")
    parser.add_argument("--shots", type=int, default=512, help="training rows of each label")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--device", default="gpu", help="gpu, or cpu, which is quicker than a software GPU")
    parser.add_argument("--choose", action="store_true", help="choose every learning rate")
    parser.add_argument("--label-words", metavar="FLAGS", help="flags of finetune that fit a readout of label words, such as '--method label-words'")
    parser.add_argument("--table", action="store_true", help="only print the table")
    args = parser.parse_args()
    if args.label_words:
        METHODS["label-word readout"] = Method(args.label_words.split(), readout=True)
    triples = [
        (task, model, name)
        for model in args.model or MODELS
        for task in args.task or TASKS
        for name in METHODS
        if applies(args, task, model, name) and args.only in name
    ]
    with ThreadPoolExecutor(args.jobs) as pool:
        done = dict(zip(triples, pool.map(lambda triple: measure(args, *triple), triples)))
    table(args, done)


if __name__ == "__main__":
    main()
