"""Measure method readout: the accuracy on held-out rows after a few training rows, after 1,000, and after all.

    python3 tests/reference/readouts.py --binary target/release/pocketllm --out runs/readouts [--only junk,bert,32]

Each case is a model, a data set and a number of training rows. The rows are drawn five times with different seeds, or once if all rows are
taken. They are drawn with equal numbers of each label ("balanced", --shots), or without regard to the labels ("any"). All 1,000 held-out rows
are evaluated. Finished runs are not repeated. The result is a markdown table with the mean and the standard deviation of the accuracy over
the draws, and their mean loss.
"""

import argparse
import csv
import json
import random
import statistics
import subprocess
from pathlib import Path

DRAWS = 5
DATA = {
    "junk": ("models/junk-mail-train.csv", "models/junk-mail-eval.csv"),
    "movies": ("models/movies-train.tsv", "models/movies-eval.tsv"),
}
# The template and the label words of readouts on label words.
WORDS = {"junk": ["--template", "{text} This is [MASK] mail .", "--labels", "real,junk"]}
# The data, the model, the number of rows (0 for all), how they are drawn, and the accuracy that was the aim.
CASES = [
    ("junk", "bert", 32, "balanced", 0.80),
    ("junk", "bert", 32, "any", None),
    ("junk", "bert", 0, "all", 0.90),
    ("movies", "minilm", 64, "balanced", 0.69),
    ("movies", "minilm", 64, "any", None),
    ("movies", "minilm", 1000, "balanced", 0.74),
    ("junk", "minilm", 64, "balanced", 0.86),
    ("junk", "minilm", 1000, "balanced", 0.93),
    ("junk", "minilm", 64, "any", None),
]
# The same on label words, where the aim was a loss: after 40 passes of 8 rows, and after one pass over all rows.
ON_WORDS = [
    ("junk", "bert", 320, "any", 0.40),
    ("junk", "bert", 0, "all", 0.32),
]


def read(path):
    """The rows of a file, header first."""
    with open(path, newline="", encoding="utf-8") as file:
        if path.endswith(".tsv"):
            return [line.rstrip("\n").split("\t") for line in file]
        return list(csv.reader(file))


def draw(source, rows, seed, target):
    """Write `rows` randomly chosen rows of a file as CSV."""
    header, *all_rows = read(source)
    chosen = random.Random(seed).sample(all_rows, rows)
    with open(target, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *chosen])


def run(arguments, data, model, rows, drawn, seed):
    """The result of one draw: accuracy, loss and seconds until the last fit."""
    train, held_out = DATA[data]
    words = WORDS[data] if arguments.words else []
    out = Path(arguments.out) / f"{data}-{model}-{rows}-{drawn}-{seed}{'-words' if words else ''}"
    result = out / "result.json"
    if not result.exists():
        out.mkdir(parents=True, exist_ok=True)
        if drawn == "any":
            draw(train, rows, seed, out / "train.csv")
            train = str(out / "train.csv")
        command = [arguments.binary, "--json", "finetune", "--method", "readout", "--model", f"models/{model}"]
        command += ["--train", train, "--eval", held_out, "--seed", str(seed), "--resume", "--out", str(out)]
        command += ["--shots", str(rows // 2), "--data-seed", str(seed)] if drawn == "balanced" else []
        command += words + arguments.flags.split()
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        result.write_bytes(done.stdout)
    last = json.loads((out / "log.jsonl").read_text().splitlines()[-1])
    return last["eval_accuracy"], last["eval_loss"], last["ms"] / 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/pocketllm")
    parser.add_argument("--out", default="runs/readouts")
    parser.add_argument("--only", default="", help="words that a case must have, such as junk,bert")
    parser.add_argument("--flags", default="", help="more flags for finetune, such as '--pooling first'")
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--words", action="store_true", help="the cases on label words instead of those of classifiers")
    arguments = parser.parse_args()
    wanted = set(filter(None, arguments.only.split(",")))
    print("| data | model | rows | drawn | accuracy | deviation | loss | aim | seconds |")
    print("|---|---|---|---|---|---|---|---|---|")
    for data, model, rows, drawn, aim in ON_WORDS if arguments.words else CASES:
        if not wanted <= {data, model, str(rows), drawn}:
            continue
        seeds = range(arguments.draws if rows else 1)
        accuracies, losses, seconds = zip(*(run(arguments, data, model, rows, drawn, seed) for seed in seeds), strict=True)
        deviation = f"{100 * statistics.stdev(accuracies):.1f}" if len(accuracies) > 1 else ""
        cells = [data, model, rows or "5,046", drawn, f"{100 * statistics.mean(accuracies):.1f}%", deviation]
        cells += [f"{statistics.mean(losses):.3f}", "" if aim is None else f"loss {aim}" if arguments.words else f"{100 * aim:.0f}%", f"{statistics.mean(seconds):.0f}"]
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)


if __name__ == "__main__":
    main()
