"""Load an adapter directory with Hugging Face peft, and compare its logits with a safetensors file of ours.

    pocketllm logits --model DIR --adapter ADAPTER --ids 5,6,7 --out logits.safetensors
    python tests/reference/peft_load.py --model DIR --adapter ADAPTER --logits logits.safetensors

ADAPTER contains adapter_config.json and adapter_model.safetensors (`cargo test --test peft` writes each golden adapter back, to
target/tmp/peft/). The ids come from input_ids_0.. in the file, or from --ids. The name of an input's logits is --prefix and the input's
number. --base-dtype f16, q8 or q4 first rounds the base weights, as described in tests/golden/adapters.py. peft must find a parameter for
each of the adapter's tensors, and a tensor for each parameter. The script prints the largest difference for each input, in standard
deviations of the logits, and exits with 1 if one exceeds --tolerance. Without --logits, it prints the five best tokens at the last position.
"""

import argparse
import json
import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "golden"))

import torch
import transformers
from adapters import load_base
from peft import PeftModel
from safetensors.torch import load_file


def load(model, adapter, dtype):
    """Return the adapted model. Exit if peft ignores a tensor or does not find one."""
    base = load_base(Path(model), dtype)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        adapted = PeftModel.from_pretrained(base, adapter).eval()
    missing = [str(w.message) for w in said if "adapter keys" in str(w.message)]
    if missing:
        sys.exit("%s: %s" % (adapter, missing[0]))
    saved = load_file(Path(adapter) / "adapter_model.safetensors")
    state = adapted.state_dict()
    for name, values in saved.items():
        if name == "prompt_embeddings":
            place = "prompt_encoder.default.embedding.weight"
        else:
            place = name.removesuffix(".weight") + ".default.weight"
        if place not in state or not torch.equal(state[place], values.float()):
            sys.exit("%s: tensor %s is not in the model that peft made" % (adapter, name))
    return adapted


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--adapter", required=True)
    parser.add_argument("--base-dtype", choices=["f32", "f16", "q8", "q4"], default="f32")
    parser.add_argument("--ids", action="append", default=[], metavar="1,2,3", help="token ids; give it once per input")
    parser.add_argument("--logits", help="safetensors with logits_0.. f32 [tokens, vocab], and input_ids_0.. if --ids is not given")
    parser.add_argument("--prefix", default="logits", help="prefix of the logits' names")
    parser.add_argument("--tolerance", type=float, default=1e-4, help="in standard deviations of the logits")
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    transformers.logging.disable_progress_bar()
    found = load_file(arguments.logits) if arguments.logits else {}
    inputs = [[int(i) for i in ids.split(",")] for ids in arguments.ids]
    while not arguments.ids and "input_ids_%d" % len(inputs) in found:
        inputs.append(found["input_ids_%d" % len(inputs)].reshape(-1).tolist())
    if not inputs:
        parser.error("there are no ids; give --ids, or --logits with input_ids_0 in the file")

    model, failed = load(arguments.model, arguments.adapter, arguments.base_dtype), False
    for i, ids in enumerate(inputs):
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([ids])).logits[0]
        if not arguments.logits:
            values, best = logits[-1].topk(5)
            print(json.dumps({"input": i, "tokens": len(ids), "top": list(zip(best.tolist(), values.tolist()))}))
            continue
        ours = found["%s_%d" % (arguments.prefix, i)]
        if ours.shape != logits.shape:
            sys.exit("%s_%d: expected shape %s, found %s" % (arguments.prefix, i, list(logits.shape), list(ours.shape)))
        gap = float((ours.float() - logits).abs().max() / logits.std())
        failed |= not gap <= arguments.tolerance  # a NaN fails
        print(json.dumps({"input": i, "tokens": len(ids), "largest_difference": gap}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
