"""Train LoRA on the golden models of families with pocketllm, and compare the adapters with Hugging Face peft.

    cargo build
    python tests/reference/peft_families.py [--binary target/debug/pocketllm] [FOLDER..]

Each tiny model of tests/golden/ gets a tokenizer of words and six steps of LoRA on all linear layers. peft_load.py then opens the saved
adapter, and compares its logits with those of `pocketllm logits --adapter`. The script prints how far the adapter moved the logits and the
largest difference, both in standard deviations, and exits with 1 if an adapter cannot be opened or differs by more than 1e-4.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from safetensors.torch import load_file
from tokenizers import Tokenizer, models, pre_tokenizers

HERE = Path(__file__).resolve().parent
GOLDEN = HERE.parent / "golden"
SPECIAL = ["[UNK]", "[CLS]", "[SEP]", "[MASK]"]
FOLDERS = [
    "distilbert", "modernbert", "electra", "gpt2", "gpt-neox", "gpt-neox-sequential", "phi", "phi3", "opt-projected", "gemma3", "olmo2", "granite",
    "lfm2", "ernie", "hunyuan", "exaone4", "stablelm", "stablelm-parallel", "starcoder2", "olmo", "gpt-neo",
    "granite4", "modernbert-decoder", "gemma", "glm", "glm4", "olmo3", "ministral", "ministral3", "seed-oss", "arcee", "helium", "cohere",
    "cohere2", "vaultgemma", "gpt-bigcode", "gpt-bigcode-by-head", "gptj", "data2vec-text", "ernie-encoder", "megatron-bert",
    "roberta-prelayernorm",
]  # fmt: skip
IDS = ["5,6,7,8,9,10,11", "30,31,32"]


def write_tokenizer(folder):
    words = {word: i for i, word in enumerate(SPECIAL)} | {"w%d" % i: i for i in range(4, 61)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.save(str(folder / "tokenizer.json"))
    names = ["unk_token", "cls_token", "sep_token", "mask_token"]
    (folder / "tokenizer_config.json").write_text(json.dumps(dict(zip(names, SPECIAL, strict=True))))


def run(*command):
    """The standard output of a command. If the command fails, the check of this model ends with the last line of the error."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise RuntimeError(((done.stdout + done.stderr).strip().splitlines() or ["failed"])[-1])
    return done.stdout


def check(binary, name, place):
    model, data, out = place / "model", place / "rows.csv", place / "run"
    shutil.copytree(GOLDEN / name, model)
    write_tokenizer(model)
    rows = ["w%d w%d w%d,%s" % (10 + i, 20 + i, 30 + i % 7, ("w5", "w6")[i % 2]) for i in range(8)]
    data.write_text("\n".join(["text,label", *rows]) + "\n")
    is_masked = "MaskedLM" in json.loads((model / "config.json").read_text())["architectures"][0]
    run(
        binary, "finetune", "--device", "cpu", "--method", "lora", "--lora-targets", "all-linear", "--model", model, "--train", data,
        "--template", "{text} [MASK]" if is_masked else "{text}", "--labels", "w5,w6", "--steps", 6, "--batch-size", 4, "--lr", 0.05,
        "--eps", 0.05, "--out", out, "--save-model",
    )  # fmt: skip
    (config,) = out.rglob("adapter_config.json")
    ids = [part for text in IDS for part in ("--ids", text)]
    logits = [place / "adapted.safetensors", place / "base.safetensors"]
    for file, adapter in zip(logits, [["--adapter", config.parent], []], strict=True):
        run(binary, "logits", "--device", "cpu", "--model", model, *adapter, *ids, "--out", file)
    adapted, base = (load_file(file)["logits_0"] for file in logits)
    said = run(
        sys.executable, HERE / "peft_load.py", "--model", model, "--adapter", config.parent, *ids, "--logits", logits[0]
    )
    worst = max(json.loads(line)["largest_difference"] for line in said.splitlines())
    return "moved by %.2f, differs by %.1e" % ((adapted - base).abs().max() / base.std(), worst)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/debug/pocketllm")
    parser.add_argument("folders", nargs="*", default=FOLDERS)
    arguments = parser.parse_args()
    wrong = 0
    for name in arguments.folders or FOLDERS:
        with tempfile.TemporaryDirectory() as place:
            try:
                print("%-20s %s" % (name, check(arguments.binary, name, Path(place))), flush=True)
            except RuntimeError as error:
                wrong += 1
                print("%-20s %s" % (name, error), flush=True)
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
