"""Write the golden models of more families: tiny random transformers and the logits that transformers gives for them.

    python tests/golden/families.py                 all of them
    python tests/golden/families.py distilbert      some of them

Folders and sizes are as in generate.py.
"""

import sys

import torch
import transformers
from generate import FEW_LENGTHS, HERE, MORE_LENGTHS, golden, json, load_file, randomise
from transformers import (
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    DistilBertConfig,
    DistilBertForMaskedLM,
    XLMRobertaConfig,
    XLMRobertaForMaskedLM,
)


def distilbert():
    config = DistilBertConfig(
        vocab_size=61, dim=30, n_layers=2, n_heads=3, hidden_dim=46, max_position_embeddings=160, pad_token_id=0,
        attn_implementation="eager",
    )  # fmt: skip
    return DistilBertForMaskedLM(config)


def xlm_roberta():
    config = XLMRobertaConfig(
        vocab_size=61, hidden_size=20, num_hidden_layers=1, num_attention_heads=2, intermediate_size=26,
        max_position_embeddings=140, type_vocab_size=1, layer_norm_eps=1e-5, pad_token_id=1, bos_token_id=0, eos_token_id=2,
        attn_implementation="eager",
    )  # fmt: skip
    return XLMRobertaForMaskedLM(config)


# The name of each folder, its model, and the lengths of its texts.
GOLDENS = {
    "distilbert": (distilbert, MORE_LENGTHS),
    "xlm-roberta": (xlm_roberta, FEW_LENGTHS),
}


def check(folder):
    """What was written, read back by transformers, gives the logits that were written."""
    config = json.loads((folder / "config.json").read_text())
    kind = AutoModelForMaskedLM if "MaskedLM" in config["architectures"][0] else AutoModelForCausalLM
    model = kind.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    expected = load_file(folder / "expected.safetensors")
    with torch.no_grad():
        for i, ids in enumerate(json.loads((folder / "cases.json").read_text())["ids"]):
            gap = (model(input_ids=torch.tensor([ids])).logits[0] - expected["logits_%d" % i]).abs().max()
            assert gap < 1e-5, (folder.name, i, gap)


if __name__ == "__main__":
    torch.set_num_threads(1)
    transformers.logging.disable_progress_bar()
    for number, (name, (model, lengths)) in enumerate(GOLDENS.items()):
        if name in (sys.argv[1:] or GOLDENS):
            golden(name, randomise(model(), 200 + number), 300 + number, lengths)
            check(HERE / name)
