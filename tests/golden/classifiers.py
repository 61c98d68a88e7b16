"""Write tests/golden/classifiers/: tiny random checkpoints *ForSequenceClassification, and the logits of transformers.

Each folder has `config.json` with id2label, `model.safetensors`, `cases.json` with token ids, and `expected.safetensors` with `logits`,
`[case, labels]`. The last cases end in the token that is declared as padding. Models with several token types also have `pairs`: two
texts with the ids and types of transformers' tokenizer, `pair_logits` and `pair_features`, the mean of the last hidden states.

    python tests/golden/classifiers.py          all of them
    python tests/golden/classifiers.py gptj     some of them
"""

import json
import sys
from pathlib import Path

import torch
from generate import randomise
from safetensors.torch import save_file
from transformers import (
    AlbertConfig,
    AlbertForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
    BertTokenizer,
    CamembertConfig,
    CamembertForSequenceClassification,
    DebertaV2Config,
    DebertaV2ForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    EuroBertConfig,
    EuroBertForSequenceClassification,
    ElectraConfig,
    ElectraForSequenceClassification,
    GPTNeoConfig,
    GPTNeoForSequenceClassification,
    GPTNeoXConfig,
    GPTNeoXForSequenceClassification,
    GPTJConfig,
    GPTJForSequenceClassification,
    LlamaConfig,
    LlamaForSequenceClassification,
    MegatronBertConfig,
    MegatronBertForSequenceClassification,
    ModernBertConfig,
    ModernBertForSequenceClassification,
    MPNetConfig,
    MPNetForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
    RobertaPreLayerNormConfig,
    RobertaPreLayerNormForSequenceClassification,
)

OUT = Path(__file__).resolve().parent / "classifiers"
LENGTHS = (1, 3, 7, 33)
LABELS = {0: "negative", 1: "neutral", 2: "positive"}
SHARED = {"id2label": LABELS, "label2id": {label: index for index, label in LABELS.items()}}


def models():
    encoder = dict(
        vocab_size=97, hidden_size=18, num_hidden_layers=1, num_attention_heads=3, intermediate_size=22,
        max_position_embeddings=66, attn_implementation="eager", **SHARED,
    )  # fmt: skip
    yield "bert", BertForSequenceClassification(BertConfig(pad_token_id=0, **encoder))
    yield "roberta", RobertaForSequenceClassification(RobertaConfig(pad_token_id=1, type_vocab_size=1, **encoder))
    llama = LlamaConfig(
        vocab_size=97, hidden_size=20, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1,
        intermediate_size=26, max_position_embeddings=64, pad_token_id=0, attn_implementation="eager", **SHARED,
    )  # fmt: skip
    yield "llama", LlamaForSequenceClassification(llama)
    gpt2 = GPT2Config(
        vocab_size=97, n_embd=20, n_layer=1, n_head=2, n_positions=64, pad_token_id=0, attn_implementation="eager", **SHARED
    )
    yield "gpt2", GPT2ForSequenceClassification(gpt2)
    distilbert = DistilBertConfig(
        vocab_size=97, dim=18, n_layers=1, n_heads=3, hidden_dim=22, max_position_embeddings=66, pad_token_id=0,
        attn_implementation="eager", **SHARED,
    )  # fmt: skip
    yield "distilbert", DistilBertForSequenceClassification(distilbert)
    yield "camembert", CamembertForSequenceClassification(CamembertConfig(pad_token_id=1, type_vocab_size=1, **encoder))
    modernbert = dict(
        vocab_size=97, hidden_size=18, num_hidden_layers=2, num_attention_heads=3, intermediate_size=22, local_attention=8,
        max_position_embeddings=66, pad_token_id=0, attn_implementation="eager", **SHARED,
    )  # fmt: skip
    yield "modernbert", ModernBertForSequenceClassification(ModernBertConfig(**modernbert))
    averaged = ModernBertConfig(classifier_pooling="mean", classifier_bias=True, norm_bias=True, **modernbert)
    yield "modernbert-mean", ModernBertForSequenceClassification(averaged)
    gpt_neox = GPTNeoXConfig(
        vocab_size=97, hidden_size=20, num_hidden_layers=1, num_attention_heads=2, intermediate_size=26,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.4},
        max_position_embeddings=64, pad_token_id=0, attn_implementation="eager", **SHARED,
    )  # fmt: skip
    yield "gpt_neox", GPTNeoXForSequenceClassification(gpt_neox)
    yield "electra", ElectraForSequenceClassification(ElectraConfig(embedding_size=12, pad_token_id=0, **encoder))
    gpt_neo = GPTNeoConfig(
        vocab_size=97, hidden_size=20, num_layers=2, num_heads=2, intermediate_size=26, attention_types=[[["global", "local"], 1]],
        window_size=8, max_position_embeddings=64, pad_token_id=0, attn_implementation="eager", **SHARED,
    )  # fmt: skip
    yield "gpt_neo", GPTNeoForSequenceClassification(gpt_neo)
    gptj = GPTJConfig(
        vocab_size=97, n_embd=20, n_layer=1, n_head=2, n_inner=26, rotary_dim=4, n_positions=64, pad_token_id=0,
        attn_implementation="eager", **SHARED,
    )  # fmt: skip
    yield "gptj", GPTJForSequenceClassification(gptj)
    yield "megatron-bert", MegatronBertForSequenceClassification(MegatronBertConfig(pad_token_id=0, **encoder))
    before = RobertaPreLayerNormConfig(pad_token_id=1, type_vocab_size=1, **encoder)
    yield "roberta-prelayernorm", RobertaPreLayerNormForSequenceClassification(before)
    yield "mpnet", MPNetForSequenceClassification(MPNetConfig(pad_token_id=1, **encoder))
    disentangled = DebertaV2Config(
        relative_attention=True, share_att_key=True, pos_att_type="p2c|c2p", position_biased_input=False, position_buckets=8,
        norm_rel_ebd="layer_norm", pad_token_id=0, **(encoder | {"type_vocab_size": 0}),
    )  # fmt: skip
    yield "deberta-v2", DebertaV2ForSequenceClassification(disentangled)
    shared = AlbertConfig(embedding_size=12, pad_token_id=0, **(encoder | {"num_hidden_layers": 3, "hidden_act": "gelu_new"}))
    yield "albert", AlbertForSequenceClassification(shared)
    european = EuroBertConfig(
        vocab_size=97, hidden_size=20, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1, intermediate_size=26,
        max_position_embeddings=64, pad_token_id=0, classifier_pooling="mean", attn_implementation="eager", **SHARED,
    )  # fmt: skip
    yield "eurobert", EuroBertForSequenceClassification(european)


# BERT, and families that have its token types.
TYPED = ("bert", "electra", "megatron-bert", "albert")
PAIRS = [
    ("the film is dull", "a happy story"),
    ("good", "the film is dull and a happy story"),
    ("a happy story about the film", "dull"),
]


def pairs(model):
    tokenizer = BertTokenizer.from_pretrained(OUT.parent / "bert")
    cases, logits, features = [], [], []
    for text, text_b in PAIRS:
        inputs = tokenizer(text, text_b, return_tensors="pt")
        cases.append({
            "text": text, "text_b": text_b, "ids": inputs["input_ids"][0].tolist(), "types": inputs["token_type_ids"][0].tolist(),
        })  # fmt: skip
        with torch.no_grad():
            logits.append(model(**inputs).logits)
            features.append(model.base_model(**inputs).last_hidden_state.mean(1))
    return cases, {"pair_logits": torch.cat(logits), "pair_features": torch.cat(features)}


def main():
    for seed, (name, model) in enumerate(models()):
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        folder = OUT / name
        randomise(model, 80 + seed).save_pretrained(folder)
        generator = torch.Generator().manual_seed(90 + seed)
        cases = [torch.randint(5, 97, (length,), generator=generator).tolist() for length in LENGTHS]
        # Texts that end in tokens which causal classes take for padding, and one of these alone.
        padding = model.config.pad_token_id
        cases += [[*cases[1], padding], [*cases[2], padding, padding], [padding] * 3]
        written, expected = {"ids": cases}, {}
        if name in TYPED:
            written["pairs"], expected = pairs(model.eval())
        (folder / "cases.json").write_text(json.dumps(written) + "\n")
        with torch.no_grad():
            logits = torch.cat([model(input_ids=torch.tensor([ids])).logits for ids in cases])
        save_file({"logits": logits.contiguous(), **expected}, folder / "expected.safetensors")
        for file in folder.iterdir():
            file.chmod(0o644)


if __name__ == "__main__":
    main()
