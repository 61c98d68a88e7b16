"""Write tests/golden/figures.json: the figures of classifications, from scikit-learn and statsmodels.

Each case has the labels of some rows and the answers to them, as numbers from 0 to `labels` - 1, and scikit-learn's results: the
accuracy, the accuracy of a classifier that always gives the most common label, the confusion matrix (a row for each label, a column
for each answer), recall, and precision (null for a division by 0). `intervals` has Wilson's 95% intervals of shares, from
statsmodels.

    python tests/golden/figures.py            write the file
    python tests/golden/figures.py --check    fail if the committed file differs
"""

import json
import sys
from pathlib import Path

import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support
from statsmodels.stats.proportion import proportion_confint

PATH = Path(__file__).resolve().parent / "figures.json"


def defined(values):
    return [None if np.isnan(value) else float(value) for value in values]


def case(name, labels, expected, answered):
    everything = list(range(labels))
    recall_and_precision = precision_recall_fscore_support(expected, answered, labels=everything, zero_division=np.nan)
    dummy = DummyClassifier(strategy="most_frequent").fit(np.zeros((len(expected), 1)), expected)
    return {
        "name": name,
        "labels": labels,
        "expected": [int(label) for label in expected],
        "answered": [int(label) for label in answered],
        "accuracy": float(accuracy_score(expected, answered)),
        "baseline": float(dummy.score(np.zeros((len(expected), 1)), expected)),
        "confusion": confusion_matrix(expected, answered, labels=everything).tolist(),
        "recall": defined(recall_and_precision[1]),
        "precision": defined(recall_and_precision[0]),
    }


def cases():
    rng = np.random.default_rng(7)

    def drawn(name, labels, rows, shares, right):
        expected = rng.choice(labels, size=rows, p=shares)
        answered = np.where(rng.random(rows) < right, expected, rng.choice(labels, size=rows))
        return case(name, labels, expected, answered)

    yield drawn("two labels, unbalanced", 2, 200, [0.695, 0.305], 0.4)
    yield drawn("five labels", 5, 120, [0.1, 0.4, 0.2, 0.2, 0.1], 0.7)
    yield drawn("twenty labels", 20, 90, [0.05] * 20, 0.6)
    yield case("always the same answer", 2, [0, 0, 1, 0, 1, 0, 0, 1], [0] * 8)
    yield case("a label that no row has", 3, [0, 1, 0, 1], [0, 2, 0, 1])
    yield case("one row", 2, [1], [1])


def interval(right, rows):
    low, high = proportion_confint(right, rows, alpha=0.05, method="wilson")
    return {"right": right, "rows": rows, "low": float(low), "high": float(high)}


def main():
    shares = [(0, 1), (1, 1), (4, 4), (3, 4), (0, 10), (9, 12), (72, 200), (139, 200), (799, 1000), (1000, 1000), (20000, 50000)]
    found = {"cases": list(cases()), "intervals": [interval(*share) for share in shares]}
    text = json.dumps(found) + "\n"
    if "--check" in sys.argv[1:]:
        if PATH.read_text() != text:
            sys.exit(f"{PATH} differs from what this script writes")
    else:
        PATH.write_text(text)


if __name__ == "__main__":
    main()
