"""Write formats.json: blocks of every storage format that the project reads, and the values that the gguf package decodes
them to.

    python tests/golden/formats.py

The quants are random bytes. So that the values are finite, every f16 of a block is chosen: an ordinary scale, a large one, a
negative subnormal one, and zero. For a new format, add its name and where the f16s of a block are to F16S.
"""

import json
from pathlib import Path

import gguf
import numpy as np

# The bytes of a block at which an f16 begins.
F16S = {
    "Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q6_K": [208], "Q4_K": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q5_K": [0, 2],
    "IQ4_NL": [0], "IQ4_XS": [0], "Q3_K": [108], "Q2_K": [80, 82],
}

SCALES = [0.0173, 6.5, -3e-6, 0.0]


def hexadecimal(array):
    return np.ascontiguousarray(array).tobytes().hex()


def vector(name):
    kind = gguf.GGMLQuantizationType[name]
    _, size = gguf.GGML_QUANT_SIZES[kind]
    rng = np.random.default_rng(kind.value)
    blocks = rng.integers(0, 256, (len(SCALES), size), dtype=np.uint8)
    for i, scale in enumerate(SCALES):
        for j, at in enumerate(F16S[name]):
            # A minimum differs from its scale.
            blocks[i, at : at + 2] = np.array([scale * (1 - 0.7 * j)], "<f2").view(np.uint8)
    values = gguf.dequantize(blocks, kind).astype("<f4")
    assert np.isfinite(values).all()
    return {"blocks": hexadecimal(blocks), "values": hexadecimal(values)}


if __name__ == "__main__":
    lines = ["  %s: %s" % (json.dumps(name), json.dumps(vector(name))) for name in F16S]
    path = Path(__file__).resolve().parent / "formats.json"
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
