"""Open the "Whole model" that the page has saved after learning quickly, and compare its answer with the page's.

    cd www && npx vitest run tests/built-in.test.ts
    python3 tests/reference/page_model.py [www/tests/out/page-model.zip]

The test saves the archive, and next to it a .json file with a text and the share in percent that the page showed for each label.
transformers opens the directory; the pooling and the dense layer, which are modules of sentence-transformers, are computed here from
their files.
"""

import json
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file
from transformers import AutoModel, AutoTokenizer


def main():
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "www/tests/out/page-model.zip")
    asked = json.loads(path.with_suffix(".json").read_text())
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        zipfile.ZipFile(path).extractall(folder)
        tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
        dense = load_file(folder / "2_Dense/model.safetensors")
    encoded = tokenizer(asked["text"], return_tensors="pt")
    with torch.no_grad():
        pooled = model(**encoded).last_hidden_state[0].double().mean(0).numpy()
    logits = dense["linear.weight"] @ pooled + dense["linear.bias"]
    shares = np.exp(logits - np.logaddexp.reduce(logits)) * 100
    print(type(model).__name__, dict(zip(model.config.id2label.values(), shares.round(2).tolist())), "page:", asked["shares"])
    # The page shows whole percents, the labels in the order of the examples or of their names.
    apart = max(abs(sorted(shares)[i] - sorted(int(share.rstrip("%")) for share in asked["shares"])[i]) for i in range(len(shares)))
    sys.exit(0 if apart <= 0.6 else 1)


if __name__ == "__main__":
    main()
