"""Write tiny models with large SentencePiece vocabularies, to measure how a tokenizer loads.

    python big_vocabulary.py PIECES OUT     OUT/llama (pairs are merged) and OUT/xlm (the most probable segmentation)

Needs `numpy`, `safetensors` and `sentencepiece`.
"""
import json
import random
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from sentencepiece import sentencepiece_model_pb2 as proto

LETTERS = "abcdefghijklmnopqrstuvwxyz"
SIZES = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2}


def pieces(count):
    """Return pieces, each of which joins two earlier ones, as byte-pair encoding makes them."""
    rng, known = random.Random(1), ["▁", *LETTERS]
    seen = set(known)
    while len(known) < count:
        joined = known[rng.randrange(len(known) // 2 + 10)] + known[rng.randrange(min(200, len(known)))]
        if len(joined) <= 16 and joined not in seen:
            known.append(joined)
            seen.add(joined)
    return known


def model(merged, count):
    out = proto.ModelProto()
    out.trainer_spec.model_type = 2 if merged else 1
    specials = [("<unk>", 2), ("<s>", 3), ("</s>", 3)] + [("<0x%02X>" % byte, 6) for byte in range(256) if merged]
    for text, kind in specials:
        out.pieces.add(piece=text, score=0, type=kind)
    for i, text in enumerate(pieces(count)):
        out.pieces.add(piece=text, score=-float(i) if merged else -5 - i * 1e-4, type=1)
    return out


def main():
    count, out = int(sys.argv[1]), Path(sys.argv[2])
    for name, merged, file, kind in (("llama", True, "tokenizer.model", "LlamaTokenizer"), ("xlm", False, "sentencepiece.bpe.model", "XLMRobertaTokenizer")):
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        vocabulary = model(merged, count)
        rows = len(vocabulary.pieces) + 8
        (folder / file).write_bytes(vocabulary.SerializeToString())
        (folder / "config.json").write_text(json.dumps({
            "model_type": "llama", "architectures": ["LlamaForCausalLM"], "tokenizer_class": kind, "vocab_size": rows, "rms_norm_eps": 1e-5,
            "max_position_embeddings": 64, "tie_word_embeddings": True, **SIZES}))
        rng = np.random.default_rng(0)
        random_ = lambda *shape: rng.standard_normal(shape).astype(np.float16)
        tensors = {"model.embed_tokens.weight": random_(rows, 8), "model.norm.weight": random_(8)}
        for part in ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"):
            tensors[f"model.layers.0.{part}.weight"] = random_(8, 8)
        for part in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"model.layers.0.{part}.weight"] = random_(8)
        save_file(tensors, str(folder / "model.safetensors"))


main()
