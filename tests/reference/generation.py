"""Show what SmolLM2-135M learns to write: a strict output format, or facts from 20 sentences.

    python3 tests/fetch.py smollm2
    python3 tests/reference/generation.py --out runs/generation [--task format] [--only lora] [--forwards 720] [--device cpu] [--table]

Every method has the same number of forward passes of 4 rows for its steps. The learning rates are the presets of the engine. For each run,
the script reports the loss on the test rows, the share of them whose greedy text is exactly the expected one, and one text, before and after
training. Task `tag` expects the color in brackets, and task `format` the color and the thing as JSON. Their test rows are made of nouns and
colors that are in no training row. The test rows of task `facts` are the 20 sentences themselves, because the question is what the model
remembers. The model's tied output matrix is `model.embed_tokens.weight`. LoRA cannot adapt it, so the method "output matrix" trains the matrix
itself. Runs that are finished in --out are not repeated.
"""

import argparse
import json
import os
import subprocess
from pathlib import Path

MODEL = "models/smollm2-135m-instruct.gguf"
BATCH = 4
BASIS = 4  # batches that an activation basis is computed from

COLORS = ["red", "green", "blue", "black", "white", "yellow"]
THINGS = ["apple", "car", "house", "dog", "bird", "river", "chair", "book", "cup", "door"]
OTHER_COLORS = ["brown", "orange", "gray"]
OTHER_THINGS = ["cat", "train", "lamp", "boat"]
PEOPLE = ["Mira Kolan", "Tom Verdun", "Ana Silber", "Jon Okafor", "Lea Brandt", "Sam Ruiz", "Ida Novak", "Max Holm", "Eva Stein", "Ben Farro"]
CITIES = ["Lisbon", "Oslo", "Cairo", "Toronto", "Vienna", "Madrid", "Prague", "Athens", "Berlin", "Rome"]
TRADES = ["baker", "pilot", "nurse", "judge", "farmer", "painter", "teacher", "sailor", "doctor", "tailor"]


def tagged(color, thing):
    return {"prompt": f"the {color} {thing} ->", "completion": f" [{color}]"}


def described(color, thing):
    return {"prompt": f"the {color} {thing} ->", "completion": f' {{"color": "{color}", "thing": "{thing}"}}'}


def facts():
    for person, city, trade in zip(PEOPLE, CITIES, TRADES):
        yield {"prompt": f"{person} lives in the city of", "completion": f" {city}."}
        yield {"prompt": f"{person} works as a", "completion": f" {trade}."}


def combined(row):
    """Training rows, and test rows of other colors and things."""
    return [[row(color, thing) for color in colors for thing in things] for colors, things in ((COLORS, THINGS), (OTHER_COLORS, OTHER_THINGS))]


TASKS = {
    "tag": (*combined(tagged), 8),
    "format": (*combined(described), 24),
    "facts": (list(facts()), list(facts()), 6),
}  # training rows, test rows, tokens of a text

# name: forwards of a step, batches before the first, flags, dtype
METHODS = {
    "lora, attention (q,v)": (2, BASIS, ["--method", "lora"], "q8"),
    "lora, all-linear, lowest-loss": (9, BASIS, ["--preset", "lowest-loss"], "q8"),
    "output matrix": (2, 0, ["--trainable", "model.embed_tokens.weight"], "f32"),
}


def command(args, *parts):
    done = subprocess.run([args.binary, "--json", "--device", args.device, *map(str, parts)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{parts}\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def texts(args, rows, tokens, weights):
    return [command(args, "generate", *weights, "--prompt", row["prompt"], "--max-tokens", tokens)["text"] for row in rows]


def exact(rows, found):
    return sum(text.split("\n")[0].strip() == row["completion"].strip() for row, text in zip(rows, found)) / len(rows)


def measure(args, task, name):
    train, asked, tokens = TASKS[task]
    result = Path(args.out) / task / "".join(c if c.isalnum() else "-" for c in name) / f"{args.forwards}.json"
    if result.exists():
        return json.loads(result.read_text())
    if args.table:
        return None
    folder = result.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    for part, rows in (("train", train), ("asked", asked)):
        (folder / f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    before = Path(args.out) / task / "before.json"
    if not before.exists():
        before.write_text(json.dumps(texts(args, asked, tokens, ["--model", MODEL, "--dtype", "q8"])))
    forwards, basis, flags, dtype = METHODS[name]
    steps = (args.forwards - basis) // forwards
    run = folder / "run"
    command(
        args, "finetune", "--model", MODEL, "--dtype", dtype, "--train", folder / "train.jsonl", "--eval", folder / "asked.jsonl",
        "--steps", steps, "--batch-size", BATCH, "--seed", args.seed, "--save-model", "--resume", "--out", run, *flags,
    )  # fmt: skip
    weights = ["--model", MODEL, "--dtype", dtype, "--adapter", run] if "lora" in name else ["--model", run, "--dtype", dtype]
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    losses = [line["eval_loss"] for line in log if "eval_loss" in line]
    times = [line["ms"] for line in log if line.get("ms")]
    found, untrained = texts(args, asked, tokens, weights), json.loads(before.read_text())
    seen = {
        "steps": steps, "rate": next(line["lr"] for line in log if "lr" in line), "minutes": sum(times) / 60_000,
        "losses": [losses[0], losses[-1]], "exact": [exact(asked, untrained), exact(asked, found)],
        "prompt": asked[0]["prompt"], "texts": [untrained[0], found[0]], "all": list(zip((row["prompt"] for row in asked), found)),
    }  # fmt: skip
    part = result.with_suffix(".part")
    part.write_text(json.dumps(seen, indent=1))
    os.replace(part, result)
    return seen


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/pocketllm")
    parser.add_argument("--out", default="runs/generation")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--task", choices=list(TASKS))
    parser.add_argument("--only", default="", help="part of the names of the methods")
    parser.add_argument("--forwards", type=int, default=480, help="forward passes of 4 rows for the steps")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--table", action="store_true", help="only print what is finished")
    args = parser.parse_args()
    print("| task | method | steps | learning rate | loss before, after | exact before, after | a text after |")
    print("|---|---|---|---|---|---|---|")
    for task in [args.task] if args.task else TASKS:
        for name in METHODS:
            seen = measure(args, task, name) if args.only in name else None
            if seen:
                (loss, end), (few, many) = seen["losses"], seen["exact"]
                sample = (seen["prompt"] + seen["texts"][1].split("\n")[0]).replace("|", "\\|")
                cells = [task, name, seen["steps"], f"{seen['rate']:g}", f"{loss:.3f}, {end:.3f}", f"{few:.0%}, {many:.0%}", f"`{sample}`"]
                print("| " + " | ".join(map(str, cells)) + " |", flush=True)


if __name__ == "__main__":
    main()
