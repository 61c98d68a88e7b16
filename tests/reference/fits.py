"""Write random cases of classifiers that scikit-learn fits, harder than the committed ones, for tests/it/fit.rs.

    python3 tests/reference/fits.py --cases 100 --out /tmp/fits.json
    POCKETLLM_FITS=/tmp/fits.json cargo test --test it weights_and_loss -- --nocapture

The features are unbalanced, collinear, constant, nearly constant, of huge and of tiny scales, and far from 0, and some labels have only two
rows. There are 2 to 20 labels, and more or fewer rows than features.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "golden"))
from readout import case  # noqa: E402


def labels(rng, rows, classes):
    """Every label at least twice. The other rows get labels by shares that may differ by a factor of 100."""
    shares = np.exp(rng.uniform(-2.3, 2.3, classes))
    rest = rng.choice(classes, max(rows - 2 * classes, 0), p=shares / shares.sum())
    return rng.permutation(np.concatenate([np.arange(classes).repeat(2), rest]))


def change(rng, x):
    """Features that are awkward in one or two ways."""
    names = []
    for name in rng.choice(["plain", "collinear", "constant", "huge", "tiny", "mixed", "far", "sparse", "duplicates"], 2, replace=False):
        column = rng.integers(x.shape[1])
        if name == "collinear":
            x = x.copy()
            x[:, column] = 2 * x[:, 0] - x[:, -1]
        elif name == "constant":
            x[:, column] = rng.normal() * 10.0 ** rng.integers(-6, 7)
        elif name == "huge":
            x = x * 1e15
        elif name == "tiny":
            x = x * 1e-15
        elif name == "mixed":
            x = x * 10.0 ** rng.integers(-6, 7, x.shape[1])
        elif name == "far":
            x = x + 1000 * rng.normal(size=x.shape[1])
        elif name == "sparse":
            x = np.where(rng.random(x.shape) < 0.9, 0, x)
        elif name == "duplicates":
            x[len(x) // 2 :] = x[: len(x) - len(x) // 2]
        names.append(str(name))
    return names, x


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    cases = []
    for number in range(arguments.cases):
        classes = int(rng.choice([2, 2, 3, 5, 20]))
        rows, width = int(rng.integers(2 * classes, 2 * classes + 120)), int(rng.choice([2, 7, 33, 150]))
        of_rows = labels(rng, rows, classes)
        centers = rng.normal(size=(classes, width)) * rng.uniform(0, 2)
        names, x = change(rng, rng.normal(size=(len(of_rows), width)) + centers[of_rows])
        x = x.astype(np.float32).astype(np.float64)
        strength = float(rng.choice([30, 3, 0.3, 0.03, 0.003, 0.0003]))
        name = f"{number}: {classes} labels, {rows} rows, {width} features, {' and '.join(names)}, strength {strength}"
        # Without biases, src/fit drops a constant feature, which scikit-learn keeps as if it were an intercept.
        biased = bool(rng.random() < 0.7) or (x == x[0]).all(axis=0).any()
        cases.append(case(name, x, of_rows, strength, biased=bool(biased)))
    Path(arguments.out).write_text(json.dumps(cases))
    print(f"{len(cases)} cases: {arguments.out}")


if __name__ == "__main__":
    main()
