"""Load an exported readout into transformers or sentence-transformers, and compare its probabilities with those of `classify`.

    pocketllm finetune --method readout --model MODEL --train F --out RUN --save-model
    python3 tests/reference/readout_load.py --binary target/release/pocketllm --model MODEL --run RUN --texts TEXTS.csv [--rows 50]

A readout on label words is a language model, so pass its --template and --labels too. Texts must then fit into --max-length without being
truncated, and the labels must be the words.

RUN is a directory that `finetune --method readout --save-model` wrote for the model in MODEL. It can also be one that
`finetune --method lora --readout --save-model` wrote: an adapter, which peft loads on top of MODEL. TEXTS is a data file with a column `text`.
Without the package sentence-transformers, its modules are computed here from their files in the same way.
"""

import argparse
import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)


def read_texts(path, rows):
    with open(path, newline="", encoding="utf-8") as file:
        if path.endswith(".tsv"):
            header, *lines = [line.rstrip("\n").split("\t") for line in file]
            found = [dict(zip(header, line, strict=True)) for line in lines]
        else:
            found = list(csv.DictReader(file))
    return [row["text"] for row in found[:rows]]


def ours(arguments, texts):
    trajectory = str(Path(arguments.run) / "trajectory.pocket")
    command = [arguments.binary, "--json", "classify", "--model", arguments.model, "--trajectory", trajectory]
    for text in texts:
        command += ["--text=" + text]
    answers = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return [list(answer["probabilities"].values()) for answer in answers], list(answers[0]["probabilities"])


def by_transformers(run, texts, length):
    tokenizer = AutoTokenizer.from_pretrained(run)
    model = AutoModelForSequenceClassification.from_pretrained(run).eval().float()
    labels = [model.config.id2label[index] for index in range(model.config.num_labels)]
    print(f"{type(model).__name__}, id2label {model.config.id2label}")
    logits = []
    for text in texts:
        with torch.no_grad():
            logits.append(model(**tokenizer(text, return_tensors="pt", truncation=True, max_length=length)).logits[0])
    return torch.stack(logits).double().numpy(), labels


def by_adapter(run, base, texts, length):
    from peft import PeftModel

    readout = json.loads((run / "readout.json").read_text())
    labels, linear = readout["labels"], run / "readout.safetensors"
    tokenizer, kind = AutoTokenizer.from_pretrained(base), json.loads((run / "adapter_config.json").read_text())["task_type"]
    if linear.exists():
        model = (AutoModelForCausalLM if kind == "CAUSAL_LM" else AutoModelForMaskedLM).from_pretrained(base)
    else:
        model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=len(labels))
        model.config.pad_token_id = tokenizer.pad_token_id
    adapted = PeftModel.from_pretrained(model.float(), run).eval()
    print(f"{type(model).__name__}, task_type {kind}, {len(load_file(run / 'adapter_model.safetensors'))} tensors in the adapter")
    logits = []
    for text in texts:
        encoded = tokenizer(text, return_tensors="pt", truncation=True, max_length=length)
        with torch.no_grad():
            if not linear.exists():
                logits.append(adapted(**encoded).logits[0].double().numpy())
                continue
            states = model.base_model(**encoded)[0][0].double().numpy()
        pooled = {"mean": states.mean(0), "first": states[0], "last": states[-1]}[readout["pooling"]]
        values = load_file(linear)
        logits.append(values["linear.weight"] @ pooled + values["linear.bias"])
    return np.stack(logits), labels


def by_language_model(run, texts, template, labels):
    """The logits of the label words at the mask, or after the template for a causal model."""
    tokenizer = AutoTokenizer.from_pretrained(run)
    masked = tokenizer.mask_token is not None and "[MASK]" in template
    model = (AutoModelForMaskedLM if masked else AutoModelForCausalLM).from_pretrained(run).eval().float()
    print(f"{type(model).__name__}, tied: {model.config.tie_word_embeddings}")
    space = "" if template.startswith("[MASK]") or (not masked and template.endswith(" ")) else " "
    words = [tokenizer(space + label, add_special_tokens=False)["input_ids"][-1] for label in labels]
    logits = []
    for text in texts:
        prompt = template.replace("{text}", text).replace("[MASK]", tokenizer.mask_token or "")
        encoded = tokenizer(prompt, return_tensors="pt")
        at = (encoded["input_ids"][0] == tokenizer.mask_token_id).nonzero()[0, 0] if masked else -1
        with torch.no_grad():
            logits.append(model(**encoded).logits[0, at, words])
    return torch.stack(logits).double().numpy(), labels


def by_modules(run, texts, length):
    labels = list(json.loads((run / "config.json").read_text())["id2label"].values())
    try:
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(str(run), device="cpu")
        print("sentence-transformers:", [type(module).__name__ for module in model])
        return model.encode(texts).astype(np.float64), labels
    except ImportError:
        print("sentence-transformers is not installed: its modules are computed here")
    tokenizer, model = AutoTokenizer.from_pretrained(run), AutoModel.from_pretrained(run).eval().float()
    pooling = json.loads((run / "1_Pooling/config.json").read_text())
    dense = load_file(run / "2_Dense/model.safetensors")
    logits = []
    for text in texts:
        encoded = tokenizer(text, return_tensors="pt", truncation=True, max_length=length)
        encoded.pop("token_type_ids", None)
        with torch.no_grad():
            states = model(**encoded).last_hidden_state[0].double().numpy()
        mean, first = pooling["pooling_mode_mean_tokens"], pooling["pooling_mode_cls_token"]
        pooled = states.mean(0) if mean else states[0] if first else states[-1]
        logits.append(dense["linear.weight"] @ pooled + dense["linear.bias"])
    return np.stack(logits), labels


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/pocketllm")
    parser.add_argument("--model", required=True)
    parser.add_argument("--run", required=True)
    parser.add_argument("--texts", required=True)
    parser.add_argument("--rows", type=int, default=50)
    parser.add_argument("--max-length", type=int, default=128)
    parser.add_argument("--template")
    parser.add_argument("--labels", default="", help="label words, separated by commas")
    arguments = parser.parse_args()
    run, texts = Path(arguments.run), read_texts(arguments.texts, arguments.rows)
    if arguments.template:
        logits, labels = by_language_model(run, texts, arguments.template, arguments.labels.split(","))
    elif (run / "adapter_config.json").exists():
        logits, labels = by_adapter(run, arguments.model, texts, arguments.max_length)
    else:
        load = by_modules if (run / "modules.json").exists() else by_transformers
        logits, labels = load(run, texts, arguments.max_length)
    expected, names = ours(arguments, texts)
    # Probabilities by label: the order of a JSON object is not that of the labels.
    columns = [labels.index(name) for name in names]
    logits = logits[:, columns]
    log_probabilities = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    apart = np.abs(log_probabilities - np.log(np.maximum(expected, 1e-300))).max()
    deviation = logits.std()
    print(f"{len(texts)} texts, {len(names)} labels: log-probabilities differ by at most {apart:.1e}, "
          f"{apart / deviation:.1e} of the logits' standard deviation")  # fmt: skip
    sys.exit(0 if apart <= 1e-4 * deviation else 1)


if __name__ == "__main__":
    main()
