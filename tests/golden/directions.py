"""Write tests/golden/directions.json: steps along directions of B alone, and Adam's steps, by PyTorch, peft and numpy.

    python tests/golden/directions.py

`frozen_a`: the two losses of a step that trains only LoRA's B, for adapters that adapters.py has written. The directions are those of
adapters.py, for B only.

`adam_values`: Adam with given projected gradients. numpy computes it as src/zo/optimizer.rs says, in f64 with one rounding for each
operation, so every bit must be the same; torch.optim.AdamW, in f64 between roundings of the values to f32, confirms the formula.

`adam_runs`: a few steps of Adam on B from a published adapter, A frozen: the losses along each direction. PyTorch computes the losses,
torch.optim.AdamW the steps.

`basis`: the factor A of an activation basis, by numpy's eigh in f64 from the inputs that hooks of PyTorch see: the eigenvectors of
the mean of x x^T over all tokens of the batch, each divided by the root of its eigenvalue, its largest element positive.
"""

import hashlib

import numpy as np
import torch
import transformers
from adapters import FOLDER, HERE, LAYERS, LORA_EPS, ORDER, SEED, STEP, load, load_base, objective, parameters
from mezo import compact_json, perturbed, projected_gradient, samples, scaled, step_key
from peft import PeftModel

PATH = HERE / "directions.json"
ADAM = {"beta1": 0.9, "beta2": 0.99, "epsilon": 1e-8}


def f32(value):
    return float(np.float32(value))


def opened(base_name, adapter, dtype):
    """The adapted model, the values of its factors, and the ordinal of the first."""
    base = load_base(HERE / base_name, dtype)
    first = len(list(base.named_parameters()))
    model = PeftModel.from_pretrained(base, FOLDER / adapter).eval()
    return model, [p.detach().numpy().copy() for p in parameters(model)], first


def branches(tensors, first, key, eps):
    """The factors moved to both sides. Only B, the second of each pair, is moved."""
    plus, minus = list(tensors), list(tensors)
    for i in range(1, len(tensors), 2):
        plus[i], minus[i] = perturbed(tensors[i], samples(key, first + i, 0, tensors[i].size), np.float32(eps))
    return plus, minus


def losses(model, loss, tensors, first, key, eps):
    found = []
    for side in branches(tensors, first, key, eps):
        load(model, side)
        found.append(loss(model))
    return found


def frozen_a(base_name, adapter, dtype):
    model, tensors, first = opened(base_name, adapter, dtype)
    _, loss = objective(model, base_name)
    plus, minus = losses(model, loss, tensors, first, step_key(SEED, STEP, 0), LORA_EPS)
    return {"adapter": adapter, "base": base_name, "dtype": dtype, "loss_plus": plus, "loss_minus": minus}


class Torch:
    """torch.optim.AdamW in f64, with values that are rounded to f32 after each step."""

    def __init__(self, tensors, rate, weight_decay):
        self.values = [torch.tensor(t, dtype=torch.float64, requires_grad=True) for t in tensors]
        betas = (f32(ADAM["beta1"]), f32(ADAM["beta2"]))
        self.optimizer = torch.optim.AdamW(self.values, lr=rate, betas=betas, eps=f32(ADAM["epsilon"]), weight_decay=weight_decay)

    def step(self, gradients):
        for value, gradient in zip(self.values, gradients):
            value.grad = torch.from_numpy(gradient)
        self.optimizer.step()
        with torch.no_grad():
            for value in self.values:
                value.copy_(value.to(torch.float32))
        return [value.detach().numpy().astype(np.float32) for value in self.values]


def estimate(gradients, keys, ordinal, count):
    """The mean over the probes of g z, in f64, probe by probe."""
    total = np.zeros(count)
    for gradient, key in zip(gradients, keys):
        total += (float(gradient) / len(keys)) * scaled(samples(key, ordinal, 0, count), np.float32(1)).astype(np.float64)
    return total


def adam_values(sizes=(12, 7), first_ordinal=5, seed=77, steps=20, probes=2, rate=3e-3, weight_decay=0.1):
    rng = np.random.default_rng(7)
    begin = [rng.normal(size=n).astype(np.float32) for n in sizes]
    grads = rng.normal(size=(steps, probes)).astype(np.float32)
    rate, decay = np.float32(rate), np.float32(1 - f32(rate) * f32(weight_decay))
    b1, b2, eps = (f32(ADAM[name]) for name in ("beta1", "beta2", "epsilon"))
    values = [v.copy() for v in begin]
    # The same decay factor as ours, which is rounded to f32.
    reference = Torch(begin, float(rate), (1 - float(decay)) / float(rate))
    m, v = [np.zeros(n) for n in sizes], [np.zeros(n) for n in sizes]
    p1 = p2 = 1.0
    for step in range(steps):
        keys = [step_key(seed, step, probe) for probe in range(probes)]
        p1, p2 = p1 * b1, p2 * b2
        gs = [estimate(grads[step], keys, first_ordinal + 2 * i, n) for i, n in enumerate(sizes)]
        for i, g in enumerate(gs):
            m[i] = b1 * m[i] + (1 - b1) * g
            v[i] = b2 * v[i] + (1 - b2) * (g * g)
            moved = float(rate) * (m[i] / (1 - p1) / (np.sqrt(v[i] / (1 - p2)) + eps))
            values[i] = (values[i].astype(np.float64) * float(decay) - moved).astype(np.float32)
        for ours, theirs in zip(values, reference.step(gs)):
            assert np.abs(ours - theirs).max() < 1e-6, (step, ours, theirs)
    return {
        "seed": seed, "rate": float(rate), "decay": float(decay), "ordinals": [first_ordinal + 2 * i for i in range(len(sizes))],
        "initial": [v.tolist() for v in begin], "projected_grads": grads.tolist(),
        "sha256": [hashlib.sha256(v.tobytes()).hexdigest() for v in values],
    }  # fmt: skip


def adam_run(base_name, adapter, steps=6, probes=2, rate=1e-2, seed=5):
    model, tensors, first = opened(base_name, adapter, "f32")
    batch, loss = objective(model, base_name)
    rate = f32(rate)
    optimizer = Torch(tensors[1::2], rate, 0.0)
    rows = []
    for step in range(steps):
        keys = [step_key(seed, step, probe) for probe in range(probes)]
        seen = [losses(model, loss, tensors, first, key, LORA_EPS) for key in keys]
        rows.append([value for pair in seen for value in pair])
        gradients = [projected_gradient(np.float32(plus), np.float32(minus), LORA_EPS) for plus, minus in seen]
        ordinals = range(first + 1, first + len(tensors), 2)
        estimates = [estimate(gradients, keys, o, t.size).reshape(t.shape) for o, t in zip(ordinals, tensors[1::2])]
        tensors[1::2] = optimizer.step(estimates)
    load(model, tensors)
    print("%s: losses %.4f .. %.4f, in the end %.4f" % (adapter, rows[0][0], rows[-1][0], loss(model)))
    return {"adapter": adapter, "base": base_name, "seed": seed, "rate": rate, "probes": probes, **batch, "losses": rows, "end": loss(model)}


def basis(base_name, roles, rank):
    model = load_base(HERE / base_name, "f32")
    batch, loss = objective(model, base_name)
    kind, layers = model.config.model_type, model.config.num_hidden_layers
    names = [(LAYERS[kind] % layer) + ORDER[kind][role] for layer in range(layers) for role in roles]
    inputs = {name: [] for name in names}
    modules = dict(model.named_modules())
    for name in names:
        modules[name].register_forward_pre_hook(lambda _, args, name=name: inputs[name].append(args[0].reshape(-1, args[0].shape[-1]).numpy()))
    loss(model)
    factors = []
    for name in names:
        x = np.concatenate(inputs[name]).astype(np.float64)
        values, vectors = np.linalg.eigh(x.T @ x / len(x))
        a = (vectors[:, ::-1][:, :rank] / np.sqrt(values[::-1][:rank])).T
        a *= np.sign(a[np.arange(rank), np.abs(a).argmax(axis=1)])[:, None]
        factors.append([[round(float(v), 5) for v in row] for row in a])
    return {"base": base_name, "roles": roles, "rank": rank, **batch, "factors": factors}


def main():
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    frozen = [
        frozen_a("bert", "bert-lora", "f32"),
        frozen_a("llama", "llama-lora-wide", "f16"),
        frozen_a("gpt2", "gpt2-lora", "f32"),
        frozen_a("peft/blocks-bert", "blocks-bert-lora-wide", "q8"),
        frozen_a("peft/blocks-llama", "blocks-llama-lora", "q4"),
    ]
    runs = [adam_run("bert", "bert-lora"), adam_run("peft/blocks-llama", "blocks-llama-lora-wide")]
    bases = [basis("bert", [0, 2], 4), basis("llama", [0, 6], 3)]
    expected = {"adam": ADAM, "frozen_a": frozen, "adam_values": adam_values(), "adam_runs": runs, "basis": bases}
    PATH.write_text(compact_json(expected) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
