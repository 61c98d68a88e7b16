"""Write tests/golden/readout.json: classifiers that scikit-learn fits on fixed features.

Each case has features [rows, width], the label of each row, the strength of the penalty as src/fit has it, and what
LogisticRegression on StandardScaler's features gives: weights and biases for the original features, and the mean log-loss.
With two classes, scikit-learn has one row of weights. The two rows of src/fit are half of it, with opposite signs.

    python tests/golden/readout.py            write the file
    python tests/golden/readout.py --check    fail if the committed file differs by more than rounding
"""

import json
import sys
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

PATH = Path(__file__).resolve().parent / "readout.json"


def features(rng, labels, width, distance):
    """Gaussian clusters around a center for each class, in sixteenths, so that they are short to write and exact in f32."""
    centers = rng.normal(size=(labels.max() + 1, width)) * distance
    return np.round((rng.normal(size=(len(labels), width)) + centers[labels]) * 16) / 16


def case(name, x, labels, strength, biased=True):
    rows, classes = len(labels), labels.max() + 1
    scaler = StandardScaler(with_mean=biased).fit(x)
    inverse_penalty = (2 if classes == 2 else 1) / (rows * strength)
    model = LogisticRegression(
        C=inverse_penalty, solver="newton-cg", tol=1e-12, max_iter=10000, fit_intercept=biased
    )
    model.fit(scaler.transform(x), labels)
    weight, bias = model.coef_, model.intercept_ + np.zeros(len(model.coef_))
    if classes == 2:
        weight, bias = np.vstack([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    weight = weight / scaler.scale_
    return {
        "name": name,
        "features": x.tolist(),
        "labels": labels.tolist(),
        "strength": strength,
        "biased": biased,
        "weight": weight.tolist(),
        "bias": (bias - weight @ scaler.mean_ if biased else bias).tolist(),
        "loss": log_loss(labels, model.predict_proba(scaler.transform(x))),
    }


def cases():
    rng = np.random.default_rng(1)
    two = np.arange(40) % 2
    yield case("two classes", features(rng, two, 4, 0.7), two, 0.01)
    five = np.arange(60) % 5
    yield case("five classes", features(rng, five, 5, 0.7), five, 0.03)
    x = features(rng, two[:16], 3, 0.1)
    x[:, 0] += 8 * two[:16]
    yield case("separable", x, two[:16], 0.001)
    three = np.arange(12) % 3
    yield case("more features than rows", features(rng, three, 48, 0.5), three, 0.1)
    x = features(rng, three, 48, 0.5)
    x[6:] = x[:6]
    yield case("duplicate rows, more features", x, three, 0.1)
    x = features(rng, three, 4, 0.7)
    x[6:] = x[:6]
    x[:, 2] = 3.0625
    yield case("duplicate rows and a constant feature", x, three, 0.1)
    unbalanced = np.array([0] * 27 + [1] * 3)
    yield case("unbalanced", features(rng, unbalanced, 3, 0.7), unbalanced, 0.3)
    shifted = features(rng, two, 4, 0.7) + 2
    yield case("two classes without biases", shifted, two, 0.01, biased=False)
    shifted = features(rng, three, 6, 0.7) - 1
    yield case("three classes without biases", shifted, three, 0.1, biased=False)
    shifted = features(rng, three, 60, 0.5) + 1
    yield case("more features than rows, without biases", shifted, three, 0.1, biased=False)


if __name__ == "__main__":
    found = list(cases())
    if "--check" in sys.argv[1:]:
        for new, old in zip(found, json.loads(PATH.read_text()), strict=True):
            for key in ("features", "labels", "weight", "bias", "loss"):
                np.testing.assert_allclose(new[key], old[key], rtol=0, atol=1e-7, err_msg=new["name"])
        sys.exit()
    PATH.write_text(json.dumps(found, separators=(",", ":")).replace('{"name"', '\n{"name"') + "\n")
