"""Fine-tune with backpropagation in PyTorch what PocketLLM trains with MeZO: Adam on all weights, Adam on LoRA, or a linear probe.

    python tests/reference/adam_torch.py --method full --model models/bert --train models/junk-mail-train.csv \\
        --eval models/junk-mail-eval.csv --template "{text} This is [MASK] mail ." --labels real,junk \\
        --steps 300 --batch-size 16 --lr 1e-4 --out DIR

The model is a masked or a causal language model, from a directory or a GGUF file. The loss is the one that PocketLLM has for label
words: the cross-entropy over the labels' tokens in place of the mask, or after the prompt. The examples of each step are those that
PocketLLM takes with the same seed. `--method probe` is scikit-learn's logistic regression on hidden states (their mean, or the last
token's for a causal model) of the first --rows training rows, with a strength from cross-validation.
It writes DIR/log.jsonl: step, loss, ms, and at evaluations step, eval_loss, eval_accuracy. The last line has the number of values that are
trained, and the peak of the process's memory: all of it (peak_bytes), and without what it had before the model was loaded (own_bytes);
with a GPU, also the peak of PyTorch's memory there (gpu_bytes).
Needs torch, transformers, gguf for a GGUF file, peft for lora, and scikit-learn for probe.
"""

import argparse
import json
import resource
import sys
import time
from pathlib import Path

import torch
import transformers

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "golden"), str(Path(__file__).resolve().parent)]
import mezo as golden  # noqa: E402
import mezo_torch  # noqa: E402


class CausalLabelWords:
    """The label words after the prompt, with the functions of mezo_torch.LabelWords."""

    def __init__(self, path, template, labels, max_tokens):
        path = Path(path)
        where = {"gguf_file": path.name} if path.is_file() else {}
        folder = path.parent if path.is_file() else path
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **where)
        self.model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **where)
        self.template, self.labels, self.max_tokens = template, labels, max_tokens
        ids = [self.tokenizer(" " + label, add_special_tokens=False)["input_ids"] for label in labels]
        if any(len(i) != 1 for i in ids):
            raise SystemExit(f"each label must be one token: {ids}")
        self.label_ids = torch.tensor([i[0] for i in ids])

    def encode(self, text):
        # If the prompt is too long, the text is truncated, but never the template.
        ids = self.tokenizer(self.template.replace("{text}", text))["input_ids"]
        while len(ids) > self.max_tokens:
            text = text[: len(text) - max(1, len(ids) - self.max_tokens)]
            ids = self.tokenizer(self.template.replace("{text}", text))["input_ids"]
        return ids

    read = mezo_torch.LabelWords.read
    loss = mezo_torch.LabelWords.loss
    evaluate = mezo_torch.LabelWords.evaluate

    def logits(self, examples):
        ids, attention = mezo_torch.padded(examples)
        device = next(self.model.parameters()).device
        hidden = self.model.get_decoder()(input_ids=ids.to(device), attention_mask=attention.to(device))[0]
        hidden = hidden[torch.arange(len(examples), device=device), attention.sum(1).to(device) - 1]
        return (hidden @ self.model.get_output_embeddings().weight[self.label_ids.to(device)].T).cpu()


def is_masked(path):
    config = Path(path) / "config.json"
    return config.is_file() and "MaskedLM" in str(json.loads(config.read_text()).get("architectures"))


def memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def adam(args, task, write):
    """Train by AdamW without weight decay, and return the number of trained values."""
    if args.method == "lora":
        import peft

        targets = ["query", "value"] if is_masked(args.model) else ["q_proj", "v_proj"]
        peft.get_peft_model(task.model, peft.LoraConfig(r=8, lora_alpha=16, target_modules=targets))  # in place
    train, held_out = task.read(args.train), task.read(args.eval)
    parameters = [p for p in task.model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=args.lr, weight_decay=0.0)

    def evaluate(step):
        task.model.eval()
        loss, accuracy = task.evaluate(held_out)
        write({"step": step, "eval_loss": loss, "eval_accuracy": accuracy})
        print(f"step {step}: eval loss {loss:.4f}, accuracy {accuracy:.3f}", flush=True)

    evaluate(0)
    order = golden.batches(args.seed, len(train), args.batch_size)
    for step, batch in zip(range(args.steps), order):
        start = time.perf_counter()
        batch = [train[i] for i in batch]
        # No dropout, as in PocketLLM.
        task.model.eval()
        optimizer.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(task.logits(batch), torch.tensor([label for _, label in batch]))
        loss.backward()
        optimizer.step()
        write({"step": step + 1, "loss": loss.item(), "ms": round(1000 * (time.perf_counter() - start), 1)})
        if (step + 1) % args.evaluate_every == 0 or step + 1 == args.steps:
            evaluate(step + 1)
    return sum(p.numel() for p in parameters)


def probe(args, task, write):
    """Fit a logistic regression on hidden states, and return the number of its values."""
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    task.template = "{text}"

    @torch.no_grad()
    def features(rows):
        found = torch.empty(len(rows), task.model.config.hidden_size)
        # By length, to reduce padding.
        order = sorted(range(len(rows)), key=lambda i: len(rows[i][0]))
        for first in range(0, len(rows), 64):
            part = order[first : first + 64]
            ids, attention = mezo_torch.padded([rows[i] for i in part])
            hidden = task.model.base_model(input_ids=ids, attention_mask=attention)[0]
            if is_masked(args.model):
                weight = attention[..., None]
                found[part] = (hidden * weight).sum(1) / weight.sum(1)
            else:
                found[part] = hidden[torch.arange(len(part)), attention.sum(1) - 1]
        return found.double().numpy(), [label for _, label in rows]

    start = time.perf_counter()
    inputs, labels = features(task.read(args.train)[: args.rows or None])
    classifier = make_pipeline(StandardScaler(), LogisticRegressionCV(Cs=10, cv=5, scoring="neg_log_loss", max_iter=1000, l1_ratios=(0,), use_legacy_attributes=False))
    classifier.fit(inputs, labels)
    ms = 1000 * (time.perf_counter() - start)
    inputs, labels = features(task.read(args.eval))
    likely = classifier.predict_log_proba(inputs)
    loss = -sum(row[label] for row, label in zip(likely, labels)) / len(labels)
    accuracy = sum(row.argmax() == label for row, label in zip(likely, labels)) / len(labels)
    write({"step": 1, "ms": round(ms, 1)})
    write({"step": 1, "eval_loss": float(loss), "eval_accuracy": float(accuracy)})
    print(f"eval loss {loss:.4f}, accuracy {accuracy:.3f}", flush=True)
    return len(task.labels) * (task.model.config.hidden_size + 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", choices=["full", "lora", "probe"], default="full")
    parser.add_argument("--model", required=True)
    parser.add_argument("--train", required=True)
    parser.add_argument("--eval", required=True)
    parser.add_argument("--template", default="{text} [MASK]")
    parser.add_argument("--labels", required=True, help="the labels of the data; for full and lora, each is one token")
    parser.add_argument("--rows", type=int, default=0, help="training rows of a probe; 0 takes all")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--lr", type=float, default=1e-5)
    parser.add_argument("--evaluate-every", type=int, default=100)
    parser.add_argument("--max-tokens", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() and not is_masked(args.model) else "cpu"
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    transformers.logging.disable_progress_bar()
    before = memory()
    words = mezo_torch.LabelWords if is_masked(args.model) else CausalLabelWords
    task = words(args.model, args.template, args.labels.split(","), args.max_tokens)
    task.model.to(device)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    with open(out / "log.jsonl", "w", encoding="utf-8") as log:

        def write(row):
            log.write(json.dumps(row) + "\n")
            log.flush()

        trained = probe(args, task, write) if args.method == "probe" else adam(args, task, write)
        gpu = {"gpu_bytes": torch.cuda.max_memory_allocated()} if device == "cuda" else {}
        write({"trained": trained, "peak_bytes": memory(), "own_bytes": memory() - before, **gpu})


if __name__ == "__main__":
    main()
