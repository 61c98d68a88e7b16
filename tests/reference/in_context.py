"""Compare zero-shot and in-context evaluations of a causal model with transformers: same prompts, same likelihoods, same answers.

    python tests/reference/in_context.py --model models/smollm2-135m-instruct.gguf --train models/movies-train.tsv \\
        --eval models/movies-eval.tsv --template "{text} It was" --labels terrible,great --rows 40 --examples 0,4

The first --rows rows of --eval are evaluated by `pocketllm evaluate` with each number of --examples in the prompt. The prompts are then
written a second time from the rows that the evaluation names, as the code of the MeZO paper writes them (encode_prompt in
large_models/utils.py with a blank line as train_sep), and read by transformers. The script exits with 1 if the prompts differ, if an answer
differs although its two best labels are further apart than rounding, or if the mean loss differs by more than --tolerance. The result is a
markdown table.
Needs torch, transformers, and gguf for a GGUF file.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import transformers


def read(path):
    """The lines of a CSV or TSV file: the header, and a list of texts and labels with the line of the file on which each begins."""
    tsv = str(path).endswith(".tsv")
    rows = []
    with open(path, encoding="utf-8", newline="") as file:
        reader = csv.reader(file, **({"delimiter": "\t", "quoting": csv.QUOTE_NONE} if tsv else {}))
        line = 1
        for fields in reader:
            rows.append((line, *fields))
            line = reader.line_num + 1
    return rows[0][1:], rows[1:]


def write(path, header, rows):
    tsv = str(path).endswith(".tsv")
    with open(path, "w", encoding="utf-8", newline="") as file:
        options = {"delimiter": "\t", "quoting": csv.QUOTE_NONE, "quotechar": None} if tsv else {}
        csv.writer(file, lineterminator="\n", **options).writerows([header, *(row[1:] for row in rows)])


def load(path):
    path = Path(path)
    where = {"gguf_file": path.name} if path.is_file() else {}
    folder = path.parent if path.is_file() else path
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **where).eval()
    return model, transformers.AutoTokenizer.from_pretrained(folder, **where)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/pocketllm")
    parser.add_argument("--model", required=True)
    parser.add_argument("--train", required=True)
    parser.add_argument("--eval", required=True)
    parser.add_argument("--template", required=True, help="it does not end in a space")
    parser.add_argument("--labels", required=True, help="label words, which are the labels of the data; each is one token")
    parser.add_argument("--rows", type=int, default=40)
    parser.add_argument("--examples", default="0,4")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tolerance", type=float, default=1e-4)
    args = parser.parse_args()
    transformers.logging.disable_progress_bar()
    words = args.labels.split(",")
    header, rows = read(args.eval)
    text_at, label_at = header.index("text") + 1, header.index("label") + 1
    rows = rows[: args.rows]
    train = {row[0]: row for row in read(args.train)[1]}
    model, tokenizer = load(args.model)
    ids = [tokenizer(" " + word, add_special_tokens=False)["input_ids"] for word in words]
    ids = torch.tensor([word for (word,) in ids])

    def prompt(row):
        return args.template.replace("{text}", row[text_at].strip())

    failed = False
    print("| examples in the prompt | rows | accuracy | 95% interval | loss | loss in transformers | largest tokens | answers that differ |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        held_out = Path(folder) / Path(args.eval).name
        write(held_out, header, rows)
        lines = [row[0] for row in read(held_out)[1]]
        for count in map(int, args.examples.split(",")):
            command = [args.binary, "--json", "evaluate", "--model", args.model, "--eval", held_out, "--template", args.template]
            command += ["--labels", args.labels, "--wrong"]
            command += ["--data-seed", args.seed, "--in-context", count, "--train", args.train] if count else []
            done = subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE)
            seen = json.loads(done.stdout)
            shown = [train[line] for line in seen.get("in_context", {"rows": []})["rows"]]
            before = "".join(f"{prompt(row)} {row[label_at]}".strip() + "\n\n" for row in shown)
            if count and before != seen["in_context"]["text"]:
                sys.exit(f"the prompt is {seen['in_context']['text']!r}, expected {before!r}")
            wrong = {row["row"]: row["answered"] for row in seen["wrong"]}
            loss, differ, longest = 0.0, 0, 0
            for line, row in zip(lines, rows, strict=True):
                tokens = tokenizer(before + prompt(row))["input_ids"]
                longest = max(longest, len(tokens))
                with torch.no_grad():
                    logits = model(torch.tensor([tokens])).logits[0, -1, ids]
                likely = torch.log_softmax(logits.double(), 0)
                loss -= float(likely[words.index(row[label_at])])
                best = likely.topk(2).values
                differ += words[int(likely.argmax())] != wrong.get(line, row[label_at]) and float(best[0] - best[1]) > args.tolerance
            loss /= len(rows)
            failed |= differ > 0 or not abs(loss - seen["loss"]) <= args.tolerance
            low, high = seen["interval"]
            cells = [count, len(rows), f"{seen['accuracy']:.1%}", f"{low:.0%} to {high:.0%}", f"{seen['loss']:.5f}", f"{loss:.5f}", longest, differ]
            print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
