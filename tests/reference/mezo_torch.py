"""Fine-tune a masked language model with MeZO in PyTorch, with PocketLLM's random numbers and data order.

    python tests/reference/mezo_torch.py --model models/bert --train models/junk-mail-train.csv \\
        --eval models/junk-mail-eval.csv --template "{text} This is [MASK] mail ." --labels real,junk \\
        --steps 1000 --batch-size 32 --lr 2e-5 --out DIR

It writes DIR/log.jsonl with the fields of PocketLLM's own log, so that the two can be compared step by step:
    step, loss_plus, loss_minus, projected_grad, lr, ms        step is counted from 0
    step, eval_loss, eval_accuracy                             after this number of steps; 0 is the untrained model
The losses agree up to the rounding of the forward pass. tests/golden/mezo.py specifies what is exact.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer
from transformers import AutoModelForMaskedLM

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "golden"))
import mezo as golden  # noqa: E402


def padded(examples):
    """Return the token ids and the attention mask of the examples, both [examples, longest], padded with zeros."""
    width = max(len(ids) for ids, _ in examples)
    ids = torch.zeros(len(examples), width, dtype=torch.long)
    attention = torch.zeros_like(ids)
    for row, (tokens, _) in enumerate(examples):
        ids[row, : len(tokens)] = torch.tensor(tokens)
        attention[row, : len(tokens)] = 1
    return ids, attention


class LabelWords:
    """Computes the cross-entropy over the label words at each [MASK]."""

    def __init__(self, folder, template, labels, max_tokens):
        self.tokenizer = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        self.model = AutoModelForMaskedLM.from_pretrained(folder, dtype=torch.float32).eval()
        self.head = self.model.cls if hasattr(self.model, "cls") else self.model.lm_head
        self.template, self.labels, self.max_tokens = template, labels, max_tokens
        self.mask = self.tokenizer.token_to_id("[MASK]")
        ids = [self.tokenizer.token_to_id(label) for label in labels]
        if None in ids:
            sys.exit("label word %r is not in the vocabulary" % labels[ids.index(None)])
        self.label_ids = torch.tensor(ids)

    def encode(self, text):
        # If the prompt is too long, the text is truncated, but never the template.
        ids = self.tokenizer.encode(self.template.replace("{text}", text)).ids
        while len(ids) > self.max_tokens:
            text = text[: len(text) - max(1, (len(ids) - self.max_tokens))]
            ids = self.tokenizer.encode(self.template.replace("{text}", text)).ids
        return ids

    def read(self, path):
        rows = golden.read_examples(path)
        return [(self.encode(text), self.labels.index(label)) for text, label in rows]

    def logits(self, examples):
        """Return the logits [examples, labels]. Inputs are padded, and the head is applied only to the masked positions."""
        ids, attention = padded(examples)
        positions = [len(tokens) - 1 - tokens[::-1].index(self.mask) for tokens, _ in examples]
        hidden = self.model.base_model(input_ids=ids, attention_mask=attention)[0]
        hidden = self.head.predictions.transform(hidden[torch.arange(len(examples)), positions])
        decoder = self.model.get_output_embeddings()
        return torch.nn.functional.linear(hidden, decoder.weight[self.label_ids], decoder.bias[self.label_ids])

    @torch.no_grad()
    def loss(self, examples):
        return torch.nn.functional.cross_entropy(self.logits(examples), torch.tensor([label for _, label in examples])).item()

    @torch.no_grad()
    def evaluate(self, examples, batch=64):
        """Return the loss and the accuracy. The examples are sorted by length to reduce padding."""
        total, right = 0.0, 0
        examples = sorted(examples, key=lambda example: len(example[0]))
        for i in range(0, len(examples), batch):
            part = examples[i : i + batch]
            logits, labels = self.logits(part), torch.tensor([label for _, label in part])
            total += torch.nn.functional.cross_entropy(logits, labels, reduction="sum").item()
            right += int((logits.argmax(1) == labels).sum())
        return total / len(examples), right / len(examples)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="folder with config.json, model.safetensors, tokenizer.json (bert)")
    parser.add_argument("--train", required=True)
    parser.add_argument("--eval")
    parser.add_argument("--template", required=True)
    parser.add_argument("--labels", required=True, help="comma-separated label words")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=1e-5)
    parser.add_argument("--eps", type=float, default=1e-3)
    parser.add_argument("--weight-decay", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--evaluate-every", type=int, default=100)
    parser.add_argument("--max-tokens", type=int, default=512)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    transformers.logging.disable_progress_bar()
    task = LabelWords(arguments.model, arguments.template, arguments.labels.split(","), arguments.max_tokens)
    train = task.read(arguments.train)
    held_out = task.read(arguments.eval) if arguments.eval else None
    mezo = golden.Mezo(task.model, arguments.seed, arguments.lr, arguments.eps, arguments.weight_decay)
    order = golden.batches(arguments.seed, len(train), arguments.batch_size)

    out = Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    with open(out / "log.jsonl", "w", encoding="utf-8") as log:

        def write(row):
            log.write(json.dumps(row) + "\n")
            log.flush()

        def evaluate(step):
            if held_out:
                loss, accuracy = task.evaluate(held_out)
                write({"step": step, "eval_loss": loss, "eval_accuracy": accuracy})
                print("step %d: eval loss %.4f, accuracy %.3f" % (step, loss, accuracy), flush=True)

        evaluate(0)
        for step, batch in zip(range(arguments.steps), order):
            start = time.perf_counter()
            examples = [train[i] for i in batch]
            plus, minus, gradient = mezo.step(lambda examples=examples: task.loss(examples))
            ms = 1000 * (time.perf_counter() - start)
            write({"step": step, "loss_plus": float(plus), "loss_minus": float(minus), "projected_grad": float(gradient),
                   "lr": float(mezo.lr), "ms": round(ms, 1)})  # fmt: skip
            if (step + 1) % arguments.evaluate_every == 0 or step + 1 == arguments.steps:
                evaluate(step + 1)


if __name__ == "__main__":
    main()
