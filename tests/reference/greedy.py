"""Continue a prompt greedily with a GGUF model in PyTorch, on the dequantized weights.

    python tests/reference/greedy.py --model models/smollm2-135m-instruct.gguf --prompt "The capital of France is" --tokens 32

transformers reads the file. First, every tensor is compared with the gguf package's dequantization, after undoing llama.cpp's order of
the rows of q and k. The tokenizer is built from the file's metadata. Generation does not stop at the end-of-turn token. The script prints
the prompt's ids, the new ids, and the text; `--out F` writes them as JSON. The whole sequence runs through the model for each token,
without a cache.
"""

import argparse
import json
from pathlib import Path

import gguf
import numpy as np
import torch
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM

LAYER = {
    "attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "ffn_norm": "post_attention_layernorm", "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}  # fmt: skip
TEXTS = [
    "The movie was great, it cost $1234.56!",
    "naïve 映画 🎬\n\n  two  spaces\tand a tab",
    "I'm sure they'll say we've won in 2024",
    "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n",
]
OUTSIDE = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}


def hugging_face_name(name):
    stem, _, suffix = name.rpartition(".")
    if stem.startswith("blk."):
        _, index, part = stem.split(".")
        return "model.layers.%s.%s.%s" % (index, LAYER[part], suffix)
    return OUTSIDE[stem] + "." + suffix


def rotary_halves(weight, heads):
    """Convert the rows of q or k from llama.cpp's order (pairs are adjacent) to Hugging Face's (pairs are half a head apart)."""
    rows = weight.shape[0]
    return weight.reshape(heads, rows // heads // 2, 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


def dequantized(path):
    """Yield (name, array) of each tensor with transformers' name and layout, using only the gguf package."""
    reader = gguf.GGUFReader(path)
    heads = int(reader.fields["llama.attention.head_count"].contents())
    kv_heads = int(reader.fields["llama.attention.head_count_kv"].contents())
    for tensor in reader.tensors:
        if tensor.name == "rope_freqs.weight":
            continue
        weight = gguf.dequantize(np.array(tensor.data), tensor.tensor_type).reshape([int(n) for n in reversed(tensor.shape)])
        if ".attn_q." in tensor.name or ".attn_k." in tensor.name:
            weight = rotary_halves(weight, heads if ".attn_q." in tensor.name else kv_heads)
        yield hugging_face_name(tensor.name), np.ascontiguousarray(weight, dtype=np.float32)


def smollm_tokenizer(path):
    """Build the tokenizer of the file's metadata: single digits, then GPT-2's byte-level BPE (`pre` = smollm)."""
    fields = gguf.GGUFReader(path).fields
    for key, expected in (("model", "gpt2"), ("pre", "smollm")):
        found = fields["tokenizer.ggml." + key].contents()
        if found != expected:
            raise SystemExit("%s: tokenizer.ggml.%s: expected %r, found %r" % (path, key, expected, found))
    tokens = fields["tokenizer.ggml.tokens"].contents()
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"].contents()]
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    types = fields["tokenizer.ggml.token_type"].contents()
    special = [token for token, kind in zip(tokens, types) if kind == gguf.TokenType.CONTROL]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    return tokenizer


def load(path):
    path = Path(path)
    model = AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    count = 0
    for name, weight in dequantized(path):
        if not torch.equal(model.get_parameter(name), torch.from_numpy(weight)):
            raise SystemExit("%s: the values that transformers read differ from the gguf package's" % name)
        count += 1
    print("%d tensors are equal to the gguf package's dequantization" % count)
    return model, smollm_tokenizer(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="models/smollm2-135m-instruct.gguf")
    parser.add_argument("--prompt", default="The capital of France is")
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", help="JSON file")
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    transformers.logging.disable_progress_bar()
    model, tokenizer = load(arguments.model)
    prompt = tokenizer.encode(arguments.prompt, add_special_tokens=False).ids
    ids, margins = list(prompt), []
    with torch.no_grad():
        for _ in range(arguments.tokens):
            logits = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1]
            best = logits.topk(2).values
            margins.append(float(best[0] - best[1]))
            ids.append(int(logits.argmax()))
        final = model(input_ids=torch.tensor([prompt]), use_cache=False).logits[0, -1]
    result = {
        "model": Path(arguments.model).name,
        "prompt": arguments.prompt,
        "prompt_ids": prompt,
        "greedy_ids": ids[len(prompt) :],
        "text": tokenizer.decode(ids[len(prompt) :], skip_special_tokens=False),
        "smallest_margin": min(margins),
        "texts": [{"text": text, "ids": tokenizer.encode(text).ids} for text in TEXTS],
        "prompt_top5": [[int(i), round(float(v), 4)] for v, i in zip(*final.topk(5))],
    }
    for key, value in result.items():
        print("%s: %r" % (key, value))
    if arguments.out:
        text = json.dumps(result, ensure_ascii=False)
        for key in list(result)[1:]:
            text = text.replace(', "%s": ' % key, ',\n "%s": ' % key, 1)
        text = text.replace(', {"text": ', ',\n  {"text": ').replace('[{"text": ', '[\n  {"text": ')
        Path(arguments.out).write_text("{\n " + text[1:-1] + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
