"""Heads on label words, fitted by SciPy's L-BFGS-B with PyTorch's gradients in f64, for `tests/it/words.rs`.

    python3 tests/golden/words.py

Each case has pretrained values, features, labels and a strength. The objective is the one of `src/fit/head_fit.rs`: the sum of the
log-losses plus strength / 2 times the squared distance to the pretrained values, on standardized features. The result has the mean log-loss
and the logits of all rows at the minimum.
"""

import json
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import minimize

torch.set_default_dtype(torch.float64)

NONLINEARITIES = {
    "gelu": torch.nn.functional.gelu,
    "gelu-tanh": lambda x: torch.nn.functional.gelu(x, approximate="tanh"),
    "relu": torch.relu,
}


def rounded(array):
    """Values that f32 represents exactly."""
    return np.asarray(array, dtype=np.float32).astype(np.float64)


def features(random, rows, hidden, labels):
    of_rows = np.arange(rows) % labels
    centers = random.normal(size=(labels, hidden))
    return rounded(0.7 + random.normal(size=(rows, hidden)) * 1.5 + centers[of_rows]), of_rows


def fit(start, units, loss, strength):
    """The values at the minimum, from `start`. `loss` maps a list of tensors to the sum of the log-losses."""
    shapes = [value.shape for value in start]
    first = np.concatenate([value.ravel() for value in start])
    scale = np.concatenate([np.broadcast_to(unit, value.shape).ravel() for unit, value in zip(units, start, strict=True)])

    def split(flat):
        parts, at = [], 0
        for shape in shapes:
            size = int(np.prod(shape))
            parts.append(flat[at : at + size].reshape(shape))
            at += size
        return parts

    def objective(moved):
        moved = torch.tensor(moved, requires_grad=True)
        total = loss(split(torch.tensor(first) + torch.tensor(scale) * moved)) + 0.5 * strength * (moved**2).sum()
        total.backward()
        return total.item(), moved.grad.numpy()

    options = {"maxiter": 20000, "maxfun": 40000, "ftol": 1e-16, "gtol": 1e-11, "maxcor": 40}
    found = minimize(objective, np.zeros_like(first), jac=True, method="L-BFGS-B", options=options)
    return split(torch.tensor(first + scale * found.x))


def masked(random, name, activation, biased, strength, labels):
    """A masked model's transform: dense, activation, layer norm; then the label words' rows."""
    rows, hidden, width, epsilon = 24, 6, 5, 1e-5
    x, of_rows = features(random, rows, hidden, labels)
    weight, table = rounded(random.normal(size=(width, hidden)) * 0.4), rounded(random.normal(size=(labels, width)) * 0.4)
    norm = rounded(1 + random.normal(size=width) * 0.1)
    dense_bias, norm_bias, bias = (rounded(random.normal(size=n) * 0.2) for n in (width, width, labels))
    mean = x.mean(0) if biased else np.zeros(hidden)
    deviation = np.sqrt(((x - mean) ** 2).mean(0))
    standardized, targets = torch.tensor((x - mean) / deviation), torch.tensor(of_rows)

    def logits(values):
        parts = iter(values)
        first = standardized @ next(parts).T
        first = NONLINEARITIES[activation](first + next(parts) if biased else first)
        centered = first - first.mean(1, keepdim=True)
        inner = centered / (centered.pow(2).mean(1, keepdim=True) + epsilon).sqrt() * next(parts)
        inner = inner + next(parts) if biased else inner
        logits.inner = inner
        result = inner @ next(parts).T
        return result + next(parts) if biased else result

    start = [weight * deviation]
    start += [dense_bias + weight @ mean] if biased else []
    start += [norm] + ([norm_bias] if biased else []) + [table] + ([bias] if biased else [])
    logits([torch.tensor(value) for value in start])
    of_table = 1 / logits.inner.pow(2).mean(0).sqrt().numpy()
    units = [of_table if value is table else np.float64(1) for value in start]
    cross_entropy = lambda values: torch.nn.functional.cross_entropy(logits(values), targets, reduction="sum")
    fitted = fit(start, units, cross_entropy, strength)
    values = [weight] + ([dense_bias] if biased else []) + [norm] + ([norm_bias] if biased else []) + [table]
    values += [bias] if biased else []
    return result(name, x, of_rows, strength, values, logits(fitted), targets) | {
        "activation": activation, "width": width, "biased": biased, "epsilon": epsilon,
    }


def causal(random, name, cap, strength, labels):
    """A correction of low rank before the label words' rows, without biases."""
    rows, hidden, rank = 24, 6, 2
    x, of_rows = features(random, rows, hidden, labels)
    table, a = rounded(random.normal(size=(labels, hidden)) * 0.4), rounded(random.normal(size=(rank, hidden)) * 0.4)
    deviation = np.sqrt((x**2).mean(0))
    standardized, targets = torch.tensor(x / deviation), torch.tensor(of_rows)

    def logits(values):
        a, b, table = values
        raw = (standardized + standardized @ a.T @ b.T) @ table.T
        return cap * torch.tanh(raw / cap) if cap else raw

    start = [a, np.zeros((hidden, rank)), table * deviation]
    cross_entropy = lambda values: torch.nn.functional.cross_entropy(logits(values), targets, reduction="sum")
    fitted = fit(start, [np.float64(1)] * 3, cross_entropy, strength)
    return result(name, x, of_rows, strength, [a, np.zeros((hidden, rank)), table], logits(fitted), targets) | {"cap": cap, "rank": rank}


def result(name, x, of_rows, strength, values, logits, targets):
    return {
        "name": name,
        "features": x.ravel().tolist(),
        "labels": of_rows.tolist(),
        "strength": strength,
        "values": np.concatenate([value.ravel() for value in values]).tolist(),
        "loss": torch.nn.functional.cross_entropy(logits, targets).item(),
        "logits": logits.detach().numpy().ravel().tolist(),
    }


def main():
    random = np.random.default_rng(13)
    cases = [
        masked(random, "GELU, two labels", "gelu", True, 3.0, 2),
        masked(random, "GELU by tanh, four labels", "gelu-tanh", True, 10.0, 4),
        masked(random, "without biases", "gelu", False, 10.0, 3),
        masked(random, "a strong penalty", "gelu", True, 1000.0, 2),
        causal(random, "low rank", None, 10.0, 2),
        causal(random, "low rank with capped logits", 5.0, 10.0, 3),
    ]
    Path(__file__).with_name("words.json").write_text(json.dumps(cases) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
