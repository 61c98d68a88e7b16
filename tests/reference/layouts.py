"""Store a tiny random model of every family in many layouts, and compare the logits with those of Hugging Face transformers.

    cargo build
    python tests/reference/layouts.py [--binary target/debug/pocketllm] [FAMILY..]

A model is stored as safetensors and by `torch.save`: whole and in shards, in the layouts of PyTorch since 1.6 and before, with
transposed, strided and shared storages, with the prefixes of torch.compile and DataParallel, with tensors that are not needed, and with only one
of a tied pair. It prints every way in which the model is refused or differs by more than 1e-4 standard deviations of the logits, and
exits with 1 if there is one. Configurations are those of `families.py`, with tied embeddings where the family can tie them.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import transformers
from families import ENCODERS, FAMILIES, OTHERS, decoder, fields_of
from generate import norms_around_zero, randomise
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM

PICKLE = "pytorch_model.bin"


def save(tensors, folder):
    save_file({name: tensor.clone().contiguous() for name, tensor in tensors.items()}, folder / "model.safetensors")


def pickled(tensors, folder, **options):
    torch.save(tensors, folder / PICKLE, **options)


def in_shards(tensors, folder, pickle):
    names, parts, shards = sorted(tensors), 3, {}
    stem, ending = ("pytorch_model", "bin") if pickle else ("model", "safetensors")
    for part in range(parts):
        file = "%s-%05d-of-%05d.%s" % (stem, part + 1, parts, ending)
        piece = {name: tensors[name].clone().contiguous() for name in names[part::parts]}
        torch.save(piece, folder / file) if pickle else save_file(piece, folder / file)
        shards |= dict.fromkeys(piece, file)
    index = PICKLE if pickle else "model.safetensors"
    (folder / (index + ".index.json")).write_text(json.dumps({"metadata": {}, "weight_map": shards}))


def in_one_storage(tensors):
    whole, views, at = torch.cat([tensor.reshape(-1) for tensor in tensors.values()]), {}, 0
    for name, tensor in tensors.items():
        views[name] = whole[at : at + tensor.numel()].view(tensor.shape)
        at += tensor.numel()
    return views


def renamed(tensors, prefix):
    return {prefix + name: tensor for name, tensor in tensors.items()}


def layouts(state):
    """The name of each layout, and the function that writes the weights in it into a folder."""
    owners = {}
    for name, tensor in state.items():
        owners.setdefault(tensor.data_ptr(), []).append(name)
    unique = {names[0]: state[names[0]] for names in owners.values()}
    transposed = {name: tensor.t().contiguous().t() if tensor.dim() == 2 else tensor for name, tensor in state.items()}
    strided = {name: torch.stack([tensor, -tensor], -1)[..., 0] for name, tensor in state.items()}
    more = {"rotary_emb.inv_freq": torch.arange(4.0), "step": torch.tensor(3), "mask": torch.zeros(3, dtype=torch.bool)}
    yield "safetensors", lambda folder: save(unique, folder)
    yield "safetensors in shards", lambda folder: in_shards(state, folder, False)
    yield "zip", lambda folder: pickled(state, folder)
    yield "zip in shards", lambda folder: in_shards(state, folder, True)
    yield "zip, protocol 4", lambda folder: pickled(state, folder, pickle_protocol=4)
    yield "legacy", lambda folder: pickled(state, folder, _use_new_zipfile_serialization=False)
    yield "legacy, protocol 4", lambda folder: pickled(state, folder, _use_new_zipfile_serialization=False, pickle_protocol=4)
    yield "parameters", lambda folder: pickled({name: torch.nn.Parameter(tensor) for name, tensor in state.items()}, folder)
    yield "transposed", lambda folder: pickled(transposed, folder)
    yield "strided", lambda folder: pickled(strided, folder)
    yield "one storage", lambda folder: pickled(in_one_storage(state), folder)
    yield "other tensors", lambda folder: pickled({**state, **more}, folder)
    yield "module.", lambda folder: pickled(renamed(state, "module."), folder)
    yield "_orig_mod.", lambda folder: save(renamed(unique, "_orig_mod."), folder)
    yield "module._orig_mod.", lambda folder: save(renamed(unique, "module._orig_mod."), folder)
    for names in owners.values():
        for left_out in names if len(names) > 1 and state[names[0]].dim() == 2 else []:
            rest = {name: tensor for name, tensor in state.items() if name != left_out}
            yield "safetensors without " + left_out, lambda folder, rest=rest: save(rest, folder)
            yield "zip without " + left_out, lambda folder, rest=rest: pickled(rest, folder)


def a_model(family):
    """A configuration that transformers can compute, its model, and logits for some ids."""
    for attempt in range(20):
        draw = random.Random("%s %d" % (family, attempt))
        fields = {
            "vocab_size": 61, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "max_position_embeddings": 96,
            **(fields_of if family in OTHERS else decoder)(draw, family),
        }  # fmt: skip
        if family not in ("phi", "gpt_neox"):
            fields["tie_word_embeddings"] = True
        kind = AutoModelForMaskedLM if family in ENCODERS else AutoModelForCausalLM
        config = json.dumps({"model_type": family, **fields})
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "config.json").write_text(config)
            try:
                model = randomise(kind.from_config(AutoConfig.from_pretrained(folder), attn_implementation="eager"), 1)
                model = norms_around_zero(model) if family.startswith("gemma") else model
                cases = [[draw.randrange(5, 61) for _ in range(length)] for length in (1, 9)]
                with torch.no_grad():
                    return config, model, cases, [model(input_ids=torch.tensor([ids])).logits[0] for ids in cases]
            except Exception:  # A configuration that transformers refuses or cannot compute.
                continue
    sys.exit("%s: no configuration found" % family)


def difference(binary, folder, cases, theirs):
    ids = [part for case in cases for part in ("--ids", ",".join(map(str, case)))]
    command = [binary, "logits", "--device", "cpu", "--model", folder, "--out", folder / "logits.safetensors", *ids]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if run.returncode:
        return run.stderr.strip().splitlines()[-1]
    ours = load_file(folder / "logits.safetensors")
    apart = max(float((ours["logits_%d" % i] - right).abs().max() / right.std()) for i, right in enumerate(theirs))
    return None if apart <= 1e-4 else "differs by %.1e" % apart


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/debug/pocketllm")
    parser.add_argument("families", nargs="*")
    arguments = parser.parse_args()
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    wrong = 0
    for family in arguments.families or FAMILIES:
        config, model, cases, theirs = a_model(family)
        count = 0
        for name, write in layouts(model.state_dict()):
            with tempfile.TemporaryDirectory() as place:
                folder = Path(place)
                (folder / "config.json").write_text(config)
                write(folder)
                found = difference(arguments.binary, folder, cases, theirs)
            count += 1
            if found is not None:
                wrong += 1
                print("%s, %s: %s" % (family, name, found), flush=True)
        print("%s: %d layouts" % (family, count), flush=True)
    sys.exit(min(wrong, 1))


if __name__ == "__main__":
    main()
