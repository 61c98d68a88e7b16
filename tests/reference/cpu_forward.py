"""Time a forward pass of PocketLLM's CPU backend and of PyTorch, alternately, on this machine's CPU.

    python tests/reference/cpu_forward.py --binary target/release/pocketllm --model models/minilm

Both compute the logits of masked positions from the same number of random tokens, in f32, with the same number of threads. The result is
the fastest pass of each, because other programs can only slow a pass down.
Needs torch and transformers, and a folder with a masked language model.
"""

import argparse
import json
import os
import subprocess
import time

import torch
import transformers


# The number of consecutive passes of each program in each round.
PASSES = 8


def ours(args, threads):
    command = [args.binary, "--json", "--device", "cpu", "bench", "--model", args.model, "--repeat", str(PASSES)]
    command += ["--batch-size", str(args.batch_size), "--seq-len", str(args.seq_len)]
    environment = {**os.environ, "RAYON_NUM_THREADS": str(threads)}
    result = json.loads(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)
    return result["forward_ms"], result["step_ms"]


def theirs(forward, threads):
    torch.set_num_threads(threads)
    forward()
    times = []
    for _ in range(PASSES):
        start = time.perf_counter()
        forward()
        times.append(1e3 * (time.perf_counter() - start))
    return min(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/pocketllm")
    parser.add_argument("--model", required=True)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--seq-len", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=6)
    args = parser.parse_args()

    transformers.logging.disable_progress_bar()
    options = {"dtype": torch.float32, "attn_implementation": "eager"}
    model = transformers.AutoModelForMaskedLM.from_pretrained(args.model, **options).eval()
    ids = torch.randint(model.config.vocab_size, (args.batch_size, args.seq_len))
    last = torch.arange(args.batch_size) * args.seq_len + args.seq_len - 1

    def forward():
        with torch.no_grad():
            hidden = model.base_model(input_ids=ids)[0]
            return model.cls(hidden.reshape(-1, hidden.shape[-1])[last])

    torch_ms, ours_ms, step_ms = [], [], []
    for _ in range(args.rounds):
        torch_ms.append(theirs(forward, args.threads))
        forward_ms, step = ours(args, args.threads)
        ours_ms.append(forward_ms)
        step_ms.append(step)
    best = {"torch_forward_ms": min(torch_ms), "forward_ms": min(ours_ms), "step_ms": min(step_ms)}
    print(json.dumps({**best, "ratio": best["forward_ms"] / best["torch_forward_ms"], "load": os.getloadavg()[0]}))


if __name__ == "__main__":
    main()
