"""Write tests/golden/in_context.json: zero-shot and in-context classification by transformers, with the tiny OPT of `opt-published`.

    python tests/golden/in_context.py            write the file
    python tests/golden/in_context.py --check    fail if the committed file differs by more than rounding

The prompt is that of the MeZO paper's code (encode_prompt in large_models/utils.py, with train_sep = "\\n\\n"). Every demonstration is the
template with its text and its label word, without white space at its ends, and is followed by a blank line. Then comes the template with
the text to classify. `log_likelihoods` are those of the label words, each one token, after this prompt, normalized over the label words.
`questions` has the mean log-likelihood per token of candidates of several tokens.
"""

import json
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

HERE = Path(__file__).resolve().parent
MODEL = HERE / "opt-published"
PATH = HERE / "in_context.json"
TEMPLATE, LABELS = "{text} in", ["model", "bert"]
SEPARATOR = "\n\n"
TRAIN = [("get the text", "bert"), ("from the path", "model"), ("  pre 000", "model"), ("vocab else", "bert")]
EVALUATED = [("the line", "model"), ("if True", "bert"), ("", "bert"), ("naïve 😀", "model"), ("get end", "bert")]


def prompt(demonstrations, text):
    shown = [(TEMPLATE.replace("{text}", shown) + " " + label).strip() for shown, label in demonstrations]
    return "".join(one + SEPARATOR for one in shown) + TEMPLATE.replace("{text}", text)


def label_log_likelihoods(model, tokenizer, text):
    words = [tokenizer(" " + label, add_special_tokens=False)["input_ids"] for label in LABELS]
    assert all(len(word) == 1 for word in words), words
    logits = model(torch.tensor([tokenizer(text)["input_ids"]])).logits[0, -1]
    return torch.log_softmax(logits[[word[0] for word in words]].double(), 0).tolist()


def mean_log_likelihood(model, tokenizer, text, candidate):
    """The result for the candidate's tokens after the text. The two are encoded as one string, as in the code of the paper."""
    start, ids = tokenizer(text)["input_ids"], tokenizer(text + candidate)["input_ids"]
    assert ids[: len(start)] == start
    logits = torch.log_softmax(model(torch.tensor([ids])).logits[0].double(), -1)
    return sum(float(logits[i - 1, ids[i]]) for i in range(len(start), len(ids))) / (len(ids) - len(start))


def main():
    model = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32, use_safetensors=False, attn_implementation="eager").eval()
    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    cases = []
    with torch.no_grad():
        for demonstrations in ([], TRAIN, TRAIN[2:] + TRAIN[:2], TRAIN[1:2]):
            rows = []
            for text, _ in EVALUATED:
                whole = prompt(demonstrations, text)
                ids = tokenizer(whole)["input_ids"]
                assert len(ids) <= 96, len(ids)
                rows.append({"prompt": whole, "ids": ids, "log_likelihoods": label_log_likelihoods(model, tokenizer, whole)})
            cases.append({"demonstrations": demonstrations, "rows": rows})
        shown = "The premise: model.\nbecause it ends" + SEPARATOR
        candidates = [" the path", " a token of the text"]
        question = {"shown": shown, "prompt": "The line: get.\nso", "candidates": candidates}
        question["log_likelihoods"] = [mean_log_likelihood(model, tokenizer, shown + question["prompt"], c) for c in candidates]
    found = {"template": TEMPLATE, "labels": LABELS, "evaluated": EVALUATED, "cases": cases, "question": question}
    if "--check" in sys.argv[1:]:
        compare(json.loads(PATH.read_text(encoding="utf-8")), json.loads(json.dumps(found)))
    else:
        PATH.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def compare(committed, found):
    if isinstance(found, float):
        same = abs(committed - found) < 1e-4
    elif isinstance(found, (dict, list)):
        pairs = [(committed[k], found[k]) for k in found] if isinstance(found, dict) else list(zip(committed, found, strict=True))
        for pair in pairs:
            compare(*pair)
        return
    else:
        same = committed == found
    if not same:
        sys.exit(f"{PATH}: {committed!r} is committed, {found!r} was found")


if __name__ == "__main__":
    main()
