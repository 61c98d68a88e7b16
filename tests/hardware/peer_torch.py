"""Time PyTorch on this machine's GPU: a forward pass, a step of MeZO and a step of Adam of a model with random weights.

    python tests/hardware/peer_torch.py --config tests/configs/opt-1.3b.json --batch-size 8 --seq-len 64 --dtype f32

Prints one line of JSON. The MeZO step is the one that its authors published: the direction is drawn again from its seed for each of
+eps, -2 eps, +eps and the update, all in place. The Adam step is a forward pass, a backward pass and an update of all parameters.
The result is the median of --repeat rounds, after two rounds that are not timed. Peak bytes are those of PyTorch's allocator.
Needs torch and transformers.
"""

import argparse
import json
import time
from pathlib import Path

import torch
import transformers

EPSILON = 1e-3
DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


def build(path, dtype, device):
    """A model with the random weights of its configuration, and whether it is a causal one."""
    config = transformers.AutoConfig.for_model(**json.loads(Path(path).read_text()))
    causal = not any("Masked" in name for name in config.architectures or [])
    kind = transformers.AutoModelForCausalLM if causal else transformers.AutoModelForMaskedLM
    with torch.device(device):
        return kind.from_config(config, dtype=dtype).eval(), causal


class Scored(torch.nn.Module):
    """The mean loss at the targets: one token of a sequence for a masked model, every next token for a causal one."""

    def __init__(self, model, causal, ids):
        super().__init__()
        self.model, self.causal, self.ids = model, causal, ids
        self.targets = torch.arange(ids.shape[0], device=ids.device) * ids.shape[1] + ids.shape[1] // 2

    def forward(self):
        if self.causal:
            return self.model(input_ids=self.ids, labels=self.ids, use_cache=False).loss
        hidden = self.model.base_model(input_ids=self.ids)[0].reshape(-1, self.model.config.hidden_size)
        head = self.model.lm_head if hasattr(self.model, "lm_head") else self.model.cls
        labels = self.ids.reshape(-1)[self.targets]
        return torch.nn.functional.cross_entropy(head(hidden[self.targets]).float(), labels)


@torch.no_grad()
def mezo_step(model, loss, learning_rate=1e-7):
    seed = int(torch.randint(1 << 31, ()))

    def move(scale):
        torch.manual_seed(seed)
        for parameter in model.parameters():
            z = torch.normal(0.0, 1.0, parameter.shape, device=parameter.device, dtype=parameter.dtype)
            parameter.add_(z, alpha=scale)

    move(EPSILON)
    plus = float(loss())
    move(-2 * EPSILON)
    minus = float(loss())
    move(EPSILON)
    move(-learning_rate * (plus - minus) / (2 * EPSILON))


def median_ms(step, repeat, device):
    times = []
    for _ in range(repeat + 2):
        synchronize(device)
        start = time.perf_counter()
        step()
        synchronize(device)
        times.append((time.perf_counter() - start) * 1e3)
    return sorted(times[2:])[repeat // 2]


def synchronize(device):
    if device == "cuda":
        torch.cuda.synchronize()


def measured(step, repeat, device):
    """Milliseconds of a step, and the peak bytes of the allocator while it ran."""
    if device != "cuda":
        return median_ms(step, repeat, device), None
    torch.cuda.reset_peak_memory_stats()
    try:
        ms = median_ms(step, repeat, device)
    except torch.cuda.OutOfMemoryError:
        return None, None
    return ms, torch.cuda.max_memory_allocated()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", required=True, help="config.json of the model")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--seq-len", type=int, default=64)
    parser.add_argument("--dtype", choices=DTYPES, default="f32")
    parser.add_argument("--tf32", action="store_true", help="let f32 matrix products use TensorFloat-32")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--no-adam", action="store_true", help="leave Adam out")
    args = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cuda.matmul.allow_tf32 = args.tf32
    torch.manual_seed(0)
    model, causal = build(args.config, DTYPES[args.dtype], device)
    ids = torch.randint(5, model.config.vocab_size, (args.batch_size, args.seq_len), device=device)
    scored = Scored(model, causal, ids)
    with torch.no_grad():
        forward_ms, forward_bytes = measured(lambda: float(scored()), args.repeat, device)
    mezo_ms, mezo_bytes = measured(lambda: mezo_step(model, scored), args.repeat, device)
    adam_ms = adam_bytes = None
    if not args.no_adam:
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-7)

        def adam_step():
            optimizer.zero_grad(set_to_none=True)
            scored().backward()
            optimizer.step()

        adam_ms, adam_bytes = measured(adam_step, args.repeat, device)
    print(
        json.dumps({
            "program": f"PyTorch {torch.__version__}",
            "device": torch.cuda.get_device_name() if device == "cuda" else "CPU",
            "parameters": sum(p.numel() for p in model.parameters()),
            "dtype": args.dtype + ("+tf32" if args.tf32 else ""),
            "forward_ms": forward_ms,
            "mezo_step_ms": mezo_ms,
            "adam_step_ms": adam_ms,
            "forward_bytes": forward_bytes,
            "mezo_bytes": mezo_bytes,
            "adam_bytes": adam_bytes,
        })
    )


if __name__ == "__main__":
    main()
