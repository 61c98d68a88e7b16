"""Open a directory that `--save-model` wrote with transformers, and compare its logits and token ids with those of this program.

    python3 tests/reference/saved_load.py --binary target/release/pocketllm --run RUN [--text TEXT ...]

RUN is a directory with a causal or masked model: config.json, model.safetensors, and the tokenizer's files.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer

TEXTS = ["The capital of France is", "naïve 映画 🎬\n\n  two  spaces\tand a tab", "I'm sure they'll say we've won in 2024"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--run", required=True)
    parser.add_argument("--text", action="append", default=[])
    arguments = parser.parse_args()
    texts = arguments.text or TEXTS

    transformers.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "logits.safetensors")
        options = [part for text in texts for part in ("--text", text)]
        subprocess.run([arguments.binary, "logits", "--model", arguments.run, "--out", out, *options], check=True)
        ours = load_file(out)
    config = AutoConfig.from_pretrained(arguments.run)
    masked = config.architectures[0].endswith("ForMaskedLM")
    kind = AutoModelForMaskedLM if masked else AutoModelForCausalLM
    model = kind.from_pretrained(arguments.run, dtype=torch.float32, attn_implementation="eager").eval()
    print("%s, saved in %s" % (type(model).__name__, config.dtype))
    tokenizer = AutoTokenizer.from_pretrained(arguments.run)
    good = True
    for i, text in enumerate(texts):
        ids = tokenizer(text)["input_ids"]
        same = ids == ours["input_ids_%d" % i].tolist()
        with torch.no_grad():
            right = model(input_ids=torch.tensor([ids])).logits[0]
        apart = float((ours["logits_%d" % i] - right).abs().max() / right.std()) if same else float("nan")
        print("%r: %s, logits within %.1e standard deviations" % (text, "the same ids" if same else "other ids", apart))
        good &= same and apart <= 1e-4
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
