"""Write tests/golden/features/: pooled hidden states by transformers, and two sentence encoders without a language-model head.

`embedding-gemma/` is a tiny random EmbeddingGemma. `encoder/` is a tiny random BertModel in the form in which sentence encoders are published: no `bert.` before the names, no `cls.*`, and a
pooler that nothing here reads. For both and each of MODELS, `expected.safetensors` has the tensors `NAME.mean`, `NAME.first` and
`NAME.last`, `[case, hidden]`: the pooled hidden states after the last norm, for the ids in the model's `cases.json`.

    python tests/golden/features.py
"""

import json
from pathlib import Path

import torch
from generate import LENGTHS, norms_around_zero, randomise
from safetensors.torch import save_file
from transformers import AutoModel, BertConfig, BertModel, Gemma3TextConfig, Gemma3TextModel

HERE = Path(__file__).resolve().parent
OUT = HERE / "features"
MODELS = (
    "bert", "roberta", "opt", "llama", "gpt2", "gemma2", "gemma3", "mistral", "phi", "qwen2", "qwen3", "distilbert",
    "modernbert", "gpt-neox", "smollm3", "olmo2", "granite", "phi3", "electra", "mpnet", "deberta-v3", "albert",
)  # fmt: skip


def encoder():
    config = BertConfig(
        vocab_size=97, hidden_size=30, num_hidden_layers=2, num_attention_heads=3, intermediate_size=38,
        max_position_embeddings=160, type_vocab_size=2, hidden_act="gelu", layer_norm_eps=1e-12, pad_token_id=0,
        attn_implementation="eager",
    )  # fmt: skip
    return randomise(BertModel(config), 71)


def embedding_gemma():
    """Attention to all tokens, and in the first layer to those that are at most 6 positions away."""
    config = Gemma3TextConfig(
        vocab_size=97, hidden_size=30, num_hidden_layers=2, num_attention_heads=3, num_key_value_heads=1, head_dim=12,
        intermediate_size=38, max_position_embeddings=160, query_pre_attn_scalar=12, sliding_window=12, pad_token_id=0,
        layer_types=["sliding_attention", "full_attention"], use_bidirectional_attention=True, attn_implementation="eager",
    )  # fmt: skip
    return norms_around_zero(randomise(Gemma3TextModel(config), 73))


def pooled(model, cases):
    with torch.no_grad():
        states = [model(input_ids=torch.tensor([ids])).last_hidden_state[0] for ids in cases]
    return {
        "mean": torch.stack([state.mean(0) for state in states]),
        "first": torch.stack([state[0] for state in states]),
        "last": torch.stack([state[-1] for state in states]),
    }


def main():
    own = {"encoder": encoder(), "embedding-gemma": embedding_gemma()}
    for number, (name, model) in enumerate(own.items()):
        folder = OUT / name
        model.save_pretrained(folder)
        generator = torch.Generator().manual_seed(72 + number)
        cases = [torch.randint(5, 97, (length,), generator=generator).tolist() for length in LENGTHS]
        (folder / "cases.json").write_text(json.dumps({"ids": cases}) + "\n")
    tensors = {}
    for name, path in [*((name, OUT / name) for name in own), *((name, HERE / name) for name in MODELS)]:
        model = AutoModel.from_pretrained(path, attn_implementation="eager").eval().float()
        ids = json.loads((path / "cases.json").read_text())["ids"]
        tensors |= {f"{name}.{how}": value.contiguous() for how, value in pooled(model, ids).items()}
    save_file(tensors, OUT / "expected.safetensors")


if __name__ == "__main__":
    main()
