"""Write a GGUF file with its matrices in other formats, as llama.cpp's quantizer chooses them.

    python tests/reference/requantize.py --model models/smollm2-135m-instruct.gguf --as Q4_K_M --out models/smollm2-q4_k_m.gguf

The gguf package encodes some formats (Q4_0, Q5_0, Q8_0 and so on). For the others this script has encoders that are simple and not
optimal: scales are the smallest that cover a block's values. The metadata is copied. As in llama.cpp, a matrix whose rows are not whole
blocks of a format is stored in the format that replaces it, and norms stay as they are. `tests/reference/greedy.py` continues a prompt
with the result in PyTorch.
"""

import argparse

import gguf
import numpy as np

T = gguf.GGMLQuantizationType
# The formats of most matrices, of the matrices that need more precision, and of the embedding.
MIXES = {
    "F32": (T.F32, T.F32, T.F32), "F16": (T.F16, T.F16, T.F16), "Q8_0": (T.Q8_0, T.Q8_0, T.Q8_0), "Q6_K": (T.Q6_K, T.Q6_K, T.Q6_K), "Q5_K_M": (T.Q5_K, T.Q6_K, T.Q6_K),
    "Q4_K_M": (T.Q4_K, T.Q6_K, T.Q6_K), "Q4_0": (T.Q4_0, T.Q4_1, T.Q6_K), "Q3_K_M": (T.Q3_K, T.Q5_K, T.Q6_K),
    "IQ4_XS": (T.IQ4_XS, T.Q5_K, T.Q6_K), "IQ4_NL": (T.IQ4_NL, T.Q5_K, T.Q6_K), "Q2_K": (T.Q2_K, T.Q3_K, T.Q6_K),
}  # fmt: skip
# Where rows are not whole blocks of 256.
INSTEAD = {T.Q4_K: T.Q5_0, T.Q5_K: T.Q5_1, T.Q6_K: T.Q8_0, T.Q2_K: T.IQ4_NL, T.Q3_K: T.IQ4_NL, T.IQ4_XS: T.IQ4_NL}
IQ4 = np.array([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], np.float32)


def halves(values):
    return values.astype("<f2").view(np.uint8).reshape(len(values), -1)


def quotient(a, b):
    return np.divide(a, b, out=np.zeros(np.broadcast_shapes(a.shape, b.shape), np.float32), where=b != 0)


def signed_scales(x, parts, levels, least, most):
    """d, an integer scale from `least` to `most` for each of `parts` parts, and the parts divided by these."""
    x = x.reshape(len(x), parts, -1)
    ideal = np.abs(x).max(2) / levels
    d = (ideal.max(1, keepdims=True) / most).astype("<f2").astype(np.float32)
    scales = np.clip(np.ceil(quotient(ideal, d) - 1e-3), least, most)
    return d, scales, quotient(x, (d * scales)[..., None])


def scales_and_minima(x, parts, levels, most):
    """d, m, and integer scales and minima from 0 to `most` for each of `parts` parts, and the quants."""
    x = x.reshape(len(x), parts, -1)
    minimum = np.maximum(-x.min(2), 0)
    ideal = (x.max(2) + minimum) / levels
    d = (ideal.max(1, keepdims=True) / most).astype("<f2").astype(np.float32)
    m = (minimum.max(1, keepdims=True) / most).astype("<f2").astype(np.float32)
    scales, minima = (np.clip(np.rint(quotient(a, b)), 0, most) for a, b in ((ideal, d), (minimum, m)))
    quants = np.rint(quotient(x + (m * minima)[..., None], (d * scales)[..., None])).clip(0, levels)
    return d, m, scales.astype(np.uint8), minima.astype(np.uint8), quants.reshape(len(x), -1).astype(np.uint8)


def nibbles(q):
    """Pairs of parts of 32: the first in the low nibbles of 32 bytes, the second in the high ones."""
    q = q.reshape(len(q), -1, 2, 32)
    return (q[:, :, 0] | q[:, :, 1] << 4).reshape(len(q), -1)


def bits_by_quarter(q, bits):
    """256 elements as two halves of four quarters of 32: element l of quarter j is at bit `bits` * j of byte l of its half."""
    q = q.reshape(len(q), 2, 4, 32).astype(np.uint8)
    return np.bitwise_or.reduce(q << (bits * np.arange(4, dtype=np.uint8))[:, None], axis=2).reshape(len(q), -1)


def six_bits(scales, minima):
    low = scales[:, :4] | (scales[:, 4:] >> 4) << 6, minima[:, :4] | (minima[:, 4:] >> 4) << 6
    return np.concatenate([*low, (scales[:, 4:] & 15) | (minima[:, 4:] & 15) << 4], 1)


def q4_k(x):
    d, m, scales, minima, q = scales_and_minima(x, 8, 15, 63)
    return [halves(d), halves(m), six_bits(scales, minima), nibbles(q)]


def q5_k(x):
    d, m, scales, minima, q = scales_and_minima(x, 8, 31, 63)
    high = (q >> 4).reshape(len(q), 8, 32) << np.arange(8, dtype=np.uint8)[:, None]
    return [halves(d), halves(m), six_bits(scales, minima), np.bitwise_or.reduce(high, axis=1), nibbles(q & 15)]


def q6_k(x):
    d, scales, q = signed_scales(x, 16, 31, 0, 127)
    q = (np.rint(q).clip(-32, 31) + 32).reshape(len(x), 256).astype(np.uint8)
    halves_of_4 = (q & 15).reshape(len(q), 2, 2, 64)
    low = (halves_of_4[:, :, 0] | halves_of_4[:, :, 1] << 4).reshape(len(q), -1)
    return [low, bits_by_quarter(q >> 4, 2), scales.astype(np.int8).view(np.uint8), halves(d)]


def q3_k(x):
    d, scales, q = signed_scales(x, 16, 3.5, 0, 31)
    q = (np.rint(q).clip(-4, 3) + 4).reshape(len(x), 256).astype(np.uint8)
    mask = (q >> 2).reshape(len(q), 8, 32) << np.arange(8, dtype=np.uint8)[:, None]
    s = (scales + 32).astype(np.uint8)
    high = np.bitwise_or.reduce((s >> 4).reshape(-1, 4, 4) << (2 * np.arange(4, dtype=np.uint8))[:, None], axis=1)
    low = s[:, :8] & 15 | (s[:, 8:] & 15) << 4
    return [np.bitwise_or.reduce(mask, axis=1), bits_by_quarter(q & 3, 2), np.concatenate([low, high], 1), halves(d)]


def q2_k(x):
    d, m, scales, minima, q = scales_and_minima(x, 16, 3, 15)
    return [scales | minima << 4, bits_by_quarter(q, 2), halves(d), halves(m)]


def iq4(x, scale):
    q = np.abs(quotient(x, scale)[..., None] - IQ4).argmin(-1).astype(np.uint8).reshape(len(x), -1, 2, 16)
    return (q[:, :, 0] | q[:, :, 1] << 4).reshape(len(x), -1)


def iq4_nl(x):
    d = (np.abs(x).max(1, keepdims=True) / 113).astype("<f2").astype(np.float32)
    return [halves(d), iq4(x, d)]


def iq4_xs(x):
    d, scales, _ = signed_scales(x, 8, 113, 0, 31)
    s = (scales + 32).astype(np.uint8)
    high = np.bitwise_or.reduce((s >> 4).astype("<u2") << (2 * np.arange(8, dtype="<u2")), axis=1)
    quants = iq4(x, np.repeat(d * scales, 32, axis=1))
    return [halves(d), high[:, None].view(np.uint8), s[:, ::2] & 15 | (s[:, 1::2] & 15) << 4, quants]


ENCODERS = {T.Q4_K: q4_k, T.Q5_K: q5_k, T.Q6_K: q6_k, T.Q3_K: q3_k, T.Q2_K: q2_k, T.IQ4_NL: iq4_nl, T.IQ4_XS: iq4_xs}


def encode(values, kind):
    if kind not in ENCODERS:
        return gguf.quantize(values, kind)
    length, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = np.concatenate(ENCODERS[kind](values.reshape(-1, length)), 1)
    assert blocks.shape[1] == size, (kind, blocks.shape)
    decoded = gguf.dequantize(blocks, kind).reshape(values.shape)
    error = np.sqrt(np.mean((decoded - values) ** 2) / np.mean(values**2))
    assert error < 0.45, "%s: relative error %.3f" % (kind.name, error)
    return blocks.reshape(values.shape[0], -1)


def format_of(name, width, layers, mix):
    """llama.cpp gives a better format to attn_v and ffn_down of the first and last eighths of the layers, and of every third between."""
    most, better, embedding = MIXES[mix]
    kind = most
    if name in ("token_embd.weight", "output.weight"):
        kind = embedding
    elif name.endswith(("attn_v.weight", "ffn_down.weight")):
        layer, eighth = int(name.split(".")[1]), layers // 8
        if layer < eighth or layer >= 7 * eighth or (layer - eighth) % 3 == 2:
            kind = better
    while width % gguf.GGML_QUANT_SIZES[kind][0]:
        kind = INSTEAD.get(kind, T.F16)
    return kind


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--as", dest="mix", choices=MIXES, required=True)
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()

    reader = gguf.GGUFReader(arguments.model)
    architecture = reader.fields["general.architecture"].contents()
    layers = int(reader.fields[architecture + ".block_count"].contents())
    writer = gguf.GGUFWriter(arguments.out, architecture)
    for name, field in reader.fields.items():
        if not name.startswith("GGUF.") and name != "general.architecture":
            sub_type = field.types[1] if len(field.types) > 1 else None
            writer.add_key_value(name, field.contents(), field.types[0], sub_type)
    counts = {}
    for tensor in reader.tensors:
        shape = [int(n) for n in reversed(tensor.shape)]
        values = gguf.dequantize(np.array(tensor.data), tensor.tensor_type).reshape(shape).astype(np.float32)
        kind = T.F32 if len(shape) == 1 else format_of(tensor.name, shape[-1], layers, arguments.mix)
        counts[kind.name] = counts.get(kind.name, 0) + 1
        writer.add_tensor(tensor.name, encode(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print("%s: %s" % (arguments.out, ", ".join("%d tensors in %s" % (n, kind) for kind, n in sorted(counts.items()))))


if __name__ == "__main__":
    main()
