"""Write tests/golden/opt-published: a tiny OPT with the files that facebook/opt-1.3b has, and what transformers computes with it.

There is neither a model.safetensors nor a tokenizer.json. The tokenizer's files are those of tests/text_golden/files/opt.json.
"""
import json
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, OPTConfig, OPTForCausalLM

HERE = Path(__file__).resolve().parent
OUT = HERE / "opt-published"
PROMPTS = ["It was great.", "  naïve café 😀\n", "a</s>b", ""]
ROWS = [("The capital of France is", " Paris"), ("It was", " great. \n")]


def main():
    OUT.mkdir(exist_ok=True)
    tokenizer_files = json.loads((HERE.parent / "text_golden/files/opt.json").read_text())["files"]
    for name in ("vocab.json", "merges.txt", "special_tokens_map.json", "tokenizer_config.json"):
        (OUT / name).write_text(tokenizer_files[name])
    torch.manual_seed(3)
    # As published: the embedding has a few rows more than the tokenizer has tokens.
    config = OPTConfig(vocab_size=504, hidden_size=24, num_hidden_layers=2, ffn_dim=44, num_attention_heads=3, max_position_embeddings=96,
                       word_embed_proj_dim=24, pad_token_id=1, bos_token_id=2, eos_token_id=2)
    model = OPTForCausalLM(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.4).copy_(parameter.half().float())
    config.save_pretrained(OUT)
    (OUT / "generation_config.json").write_text(json.dumps({"_from_model_config": True, "bos_token_id": 2, "eos_token_id": 2, "pad_token_id": 1}))
    torch.save({name: tensor.half() for name, tensor in model.state_dict().items()}, OUT / "pytorch_model.bin")
    # The values to compare are computed from the files after they are read back.
    model = AutoModelForCausalLM.from_pretrained(OUT, dtype=torch.float32, use_safetensors=False).eval()
    tokenizer = AutoTokenizer.from_pretrained(OUT)
    cases = []
    for prompt in PROMPTS:
        ids = tokenizer(prompt)["input_ids"]
        made = model.generate(torch.tensor([ids]), max_new_tokens=8, do_sample=False, eos_token_id=None, pad_token_id=1)[0, len(ids):]
        cases.append({"prompt": prompt, "ids": ids, "greedy": made.tolist()})
    rows, losses = [], []
    for prompt, completion in ROWS:
        ids = tokenizer(prompt)["input_ids"]
        answer = tokenizer(completion, add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]
        logits = model(torch.tensor([ids + answer])).logits[0, len(ids) - 1 : -1]
        rows.append({"prompt": prompt, "completion": completion})
        losses += torch.nn.functional.cross_entropy(logits, torch.tensor(answer), reduction="none").tolist()
    expected = {"cases": cases, "rows": rows, "loss": sum(losses) / len(losses)}
    (OUT / "expected.json").write_text(json.dumps(expected, ensure_ascii=False, indent=1) + "\n")


main()
