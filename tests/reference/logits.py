"""Compare a safetensors file of logits with those of Hugging Face transformers for the same ids.

    pocketllm logits --model DIR --ids 5,6,7 --out logits.safetensors
    python tests/reference/logits.py --model DIR --logits logits.safetensors            reads the ids from input_ids_0.. in the file
    python tests/reference/logits.py --model DIR --ids 5,6,7 --logits logits.safetensors

DIR is a Hugging Face directory or a .gguf file. Without --logits, the script prints the five best tokens at the last position. Otherwise
it prints the largest difference for each input, in standard deviations of the logits, and exits with 1 if one exceeds --tolerance.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM

MASKED = {"bert", "roberta", "distilbert"}


def load(path):
    path = Path(path)
    options = {"dtype": torch.float32, "attn_implementation": "eager"}
    if path.suffix == ".gguf":
        return AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, **options).eval()
    kind = AutoModelForMaskedLM if AutoConfig.from_pretrained(path).model_type in MASKED else AutoModelForCausalLM
    return kind.from_pretrained(path, **options).eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--ids", action="append", default=[], metavar="1,2,3", help="token ids; give it once per input")
    parser.add_argument("--logits", help="safetensors with logits_0.. f32 [tokens, vocab], and input_ids_0.. if --ids is not given")
    parser.add_argument("--tolerance", type=float, default=1e-4, help="in standard deviations of the logits")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    transformers.logging.disable_progress_bar()
    found = load_file(arguments.logits) if arguments.logits else {}
    inputs = [[int(i) for i in ids.split(",")] for ids in arguments.ids]
    while not arguments.ids and "input_ids_%d" % len(inputs) in found:
        inputs.append(found["input_ids_%d" % len(inputs)].reshape(-1).tolist())
    if not inputs:
        parser.error("there are no ids; give --ids, or --logits with input_ids_0 in the file")

    model, failed = load(arguments.model), False
    for i, ids in enumerate(inputs):
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([ids])).logits[0]
        if not arguments.logits:
            values, best = logits[-1].topk(5)
            print(json.dumps({"input": i, "tokens": len(ids), "top": list(zip(best.tolist(), values.tolist()))}))
            continue
        ours = found["logits_%d" % i]
        if ours.shape != logits.shape:
            sys.exit("logits_%d: expected shape %s, found %s" % (i, list(logits.shape), list(ours.shape)))
        gap = float(((ours.float() - logits).abs().max() / logits.std()))
        agree = float((ours.argmax(-1) == logits.argmax(-1)).float().mean())
        failed |= not gap <= arguments.tolerance  # a NaN fails
        print(json.dumps({"input": i, "tokens": len(ids), "largest_difference": gap, "same_best_token": agree}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
