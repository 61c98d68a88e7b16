"""Fine-tune a causal language model with Adam in PyTorch, all weights or LoRA, on the task that PocketLLM trains with MeZO.

    python tests/reference/adam_torch.py --model models/smollm2-135m-instruct.gguf --train models/movies-train.tsv \\
        --eval models/movies-eval.tsv --template "{text} It was" --labels " terrible, great" --steps 500 --out DIR [--lora]

The loss is the one that PocketLLM has for label words: the cross-entropy over the labels' tokens after the prompt. It writes
DIR/log.jsonl: step, loss, ms, and at evaluations step, eval_loss, eval_accuracy; the last line has the peak of PyTorch's memory on
the GPU. Needs torch, transformers, gguf for a GGUF file, and peft for --lora.
"""

import argparse
import csv
import json
import time
from pathlib import Path

import torch
import transformers


def read(path):
    """The rows of a CSV or TSV file with the columns text and label."""
    with open(path, encoding="utf-8", newline="") as file:
        dialect = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if str(path).endswith(".tsv") else {}
        return [(row["text"], row["label"]) for row in csv.DictReader(file, **dialect)]


class LabelWords:
    def __init__(self, args, device):
        path = Path(args.model)
        where = {"gguf_file": path.name} if path.is_file() else {}
        folder = path.parent if path.is_file() else path
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **where)
        self.model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **where).to(device)
        self.template, self.device, self.max_length = args.template, device, args.max_length
        words = args.labels.split(",")
        ids = [self.tokenizer(word, add_special_tokens=False)["input_ids"] for word in words]
        if any(len(i) != 1 for i in ids):
            raise SystemExit(f"each label must be one token: {ids}")
        self.words = [word.strip() for word in words]
        self.label_ids = torch.tensor([i[0] for i in ids], device=device)

    def encode(self, rows):
        examples = []
        for text, label in rows:
            ids = self.tokenizer(self.template.replace("{text}", text))["input_ids"][-self.max_length :]
            examples.append((ids, self.words.index(label)))
        return examples

    def logits(self, examples):
        width = max(len(ids) for ids, _ in examples)
        ids = torch.zeros(len(examples), width, dtype=torch.long)
        attention = torch.zeros_like(ids)
        for row, (tokens, _) in enumerate(examples):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            attention[row, : len(tokens)] = 1
        last = (attention.sum(1) - 1).to(self.device)
        hidden = self.model.get_decoder()(input_ids=ids.to(self.device), attention_mask=attention.to(self.device))[0]
        hidden = hidden[torch.arange(len(examples), device=self.device), last]
        return hidden @ self.model.get_output_embeddings().weight[self.label_ids].T

    def labels(self, examples):
        return torch.tensor([label for _, label in examples], device=self.device)

    @torch.no_grad()
    def evaluate(self, examples, batch=64):
        self.model.eval()
        loss = right = 0
        for first in range(0, len(examples), batch):
            part = examples[first : first + batch]
            logits = self.logits(part)
            loss += float(torch.nn.functional.cross_entropy(logits, self.labels(part), reduction="sum"))
            right += int((logits.argmax(1) == self.labels(part)).sum())
        return loss / len(examples), right / len(examples)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--train", required=True)
    parser.add_argument("--eval", required=True)
    parser.add_argument("--template", required=True)
    parser.add_argument("--labels", required=True, help="the labels of the data, with the space before them that the model expects; each is one token")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--lr", type=float, default=1e-5)
    parser.add_argument("--lora", action="store_true", help="train LoRA factors of rank 8 beside queries and values instead")
    parser.add_argument("--evaluate-every", type=int, default=100)
    parser.add_argument("--max-length", type=int, default=512)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(args.seed)
    task = LabelWords(args, device)
    if args.lora:
        import peft

        config = peft.LoraConfig(r=8, lora_alpha=16, target_modules=["q_proj", "v_proj"])
        peft.get_peft_model(task.model, config)  # in place
    train, held_out = task.encode(read(args.train)), task.encode(read(args.eval))
    parameters = [p for p in task.model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=args.lr, weight_decay=0.0)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    with open(out / "log.jsonl", "w", encoding="utf-8") as log:

        def write(row):
            log.write(json.dumps(row) + "\n")
            log.flush()

        def evaluate(step):
            loss, accuracy = task.evaluate(held_out)
            write({"step": step, "eval_loss": loss, "eval_accuracy": accuracy})
            print(f"step {step}: eval loss {loss:.4f}, accuracy {accuracy:.3f}", flush=True)

        evaluate(0)
        order = torch.Generator().manual_seed(args.seed)
        for step in range(args.steps):
            start = time.perf_counter()
            batch = [train[i] for i in torch.randint(len(train), (args.batch_size,), generator=order)]
            task.model.train()
            optimizer.zero_grad(set_to_none=True)
            loss = torch.nn.functional.cross_entropy(task.logits(batch), task.labels(batch))
            loss.backward()
            optimizer.step()
            ms = 1000 * (time.perf_counter() - start)
            write({"step": step, "loss": loss.item(), "ms": round(ms, 1)})
            if (step + 1) % args.evaluate_every == 0 or step + 1 == args.steps:
                evaluate(step + 1)
        peak = torch.cuda.max_memory_allocated() if device == "cuda" else None
        write({"peak_bytes": peak, "trained": sum(p.numel() for p in parameters)})


if __name__ == "__main__":
    main()
