"""Prepare the peers of `www/bench`: export a model as an ONNX file for onnxruntime-web, and time PyTorch on this machine's CPU.

    python tests/reference/peer.py --model models/minilm --batch-size 8 --seq-len 64 --out models/peer/minilm-8x64.onnx
    python tests/reference/peer.py --model models/smollm2-135m-instruct.gguf --batch-size 1 --seq-len 32 --out models/peer/smollm2-1x32.onnx

The exported model computes what PocketLLM's forward pass computes: from `input_ids` [batch, length], the logits [targets, vocabulary] at
`targets`, which are positions in the concatenated tokens. Sequences have the full length, so there is no mask. GGUF weights are
dequantized to f32. The file's logits in onnxruntime are compared with PyTorch's before PyTorch is timed. The script times a forward pass and
a step of MeZO as its authors wrote it: the direction is drawn again from its seed for each of +eps, -2 eps, +eps and the update, all in
place. The result is the best of --repeat rounds.
Needs torch, transformers, onnx, onnxscript, onnxruntime, and gguf for a GGUF file.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import onnxruntime
import torch
import transformers

EPSILON = 1e-3


class Scored(torch.nn.Module):
    """Computes the hidden states of all tokens and the logits of the targets."""

    def __init__(self, model):
        super().__init__()
        self.model = model
        self.head = model.cls if hasattr(model, "cls") else model.lm_head

    def forward(self, input_ids, targets):
        hidden = self.model.base_model(input_ids=input_ids, **self.options())[0]
        return self.head(hidden.reshape(-1, hidden.shape[-1])[targets])

    def options(self):
        return {} if hasattr(self.model, "cls") else {"use_cache": False}


def load(path):
    path = Path(path)
    options = {"dtype": torch.float32, "attn_implementation": "eager"}
    if path.is_dir():
        return transformers.AutoModelForMaskedLM.from_pretrained(path, **options).eval()
    return transformers.AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, **options).eval()


def mezo_step(model, loss, learning_rate=1e-7):
    seed = int(torch.randint(1 << 31, ()))

    def move(scale):
        torch.manual_seed(seed)
        for parameter in model.parameters():
            parameter.add_(torch.normal(0.0, 1.0, parameter.shape), alpha=scale)

    move(EPSILON)
    plus = loss()
    move(-2 * EPSILON)
    minus = loss()
    move(EPSILON)
    move(-learning_rate * (plus - minus) / (2 * EPSILON))
    return plus, minus


def best(repeat, work):
    times = []
    for _ in range(repeat + 1):
        start = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - start))
    return round(min(times[1:]), 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--seq-len", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    transformers.logging.disable_progress_bar()
    torch.manual_seed(0)
    scored = Scored(load(args.model)).eval()
    causal = not hasattr(scored.model, "cls")
    ids = torch.randint(scored.model.config.vocab_size, (args.batch_size, args.seq_len))
    tokens = torch.arange(ids.numel()).reshape(ids.shape)
    # The targets are those of PocketLLM's bench: every token except the last predicts the next, or the last is masked.
    targets = (tokens[:, :-1] if causal else tokens[:, -1:]).reshape(-1)
    labels = (ids[:, 1:] if causal else ids[:, -1:]).reshape(-1)
    out = Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with torch.no_grad():
        expected = scored(ids, targets)
        names = {"input_names": ["input_ids", "targets"], "output_names": ["logits"]}
        torch.onnx.export(scored, (ids, targets), str(out), dynamo=True, external_data=False, **names)
        session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
        (found,) = session.run(None, {"input_ids": ids.numpy(), "targets": targets.numpy()})
        error = float(np.abs(found - expected.numpy()).max() / expected.std())
        if error > 1e-3:
            raise SystemExit(f"{out}: the logits differ from PyTorch's by {error:.1e} standard deviations")

        def loss():
            return torch.nn.functional.cross_entropy(scored(ids, targets), labels).item()

        result = {
            "model": args.model,
            "tokens": ids.numel(),
            "onnx_bytes": out.stat().st_size,
            "logits_error": error,
            "threads": args.threads,
            "torch_forward_ms": best(args.repeat, loss),
            "torch_mezo_step_ms": best(args.repeat, lambda: mezo_step(scored.model, loss)),
        }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
