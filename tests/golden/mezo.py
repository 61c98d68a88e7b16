"""A second implementation of PocketLLM's MeZO, in numpy and PyTorch, and the values that it gives.

    python tests/golden/mezo.py        writes tests/golden/mezo/expected.json

It shares nothing with the Rust code except the table src/zo/quantiles.bin. This text is the specification.

**Generator.** Threefry-2x32 with 13 rounds (Salmon et al. 2011): rotations 13, 15, 26, 6, 17, 29, 16, 24 in turn. The key is
added before the first round and after rounds 4, 8 and 12, with the parity constant 0x1BD11BDA.

**Keys.** The key of a step is threefry(key = (seed_lo, seed_hi), counter = (step, stream)). Steps count from 0. The
stream of a direction is its probe index (0 for two-point MeZO). 0x80000000 is the stream of the data's order, where the
epoch takes the step's place. 0x80000002 is the stream of the rounding to f16.

**Directions.** Element e (row-major, in Hugging Face's layout) of the tensor with ordinal o draws from
(x0, x1) = threefry(key = step key, counter = (e >> 2, o)). Its 16 bits s are lane e & 3 of the four lanes x0 & 0xffff, x0 >> 16,
x1 & 0xffff and x1 >> 16. z = table[s & 0x7ff], negative if bit 15 of s is set. Bits 11 to 14 are not used.

**Ordinals.** A tensor's ordinal is its place in the model's canonical order (`canonical_names`), which is the order of the computation.

**Arithmetic.** eps, the learning rate lr and the weight decay wd are f32 values. Everything below is in f32, with one rounding for
each operation and no contraction:
    plus branch    w + sign * (eps * table[i]),    minus branch    w - sign * (eps * table[i])
    g = (loss_plus - loss_minus) / (2 * eps)       in f64 from f32 values, rounded once to f32
    c = -(lr * g)                                  one f32 product
    w = w * (1 - lr * wd)                          only if wd != 0 and only for matrices (not biases, not norm weights);
                                                   the factor in f64, rounded once to f32
    w = w + sign * (c * table[i])

**Weights in f16.** A matrix stored in f16 is updated with stochastic rounding: w is converted to f32, the update above is made in f32, and the
sum x is rounded to one of its two neighbours in f16, up in magnitude with the probability that preserves the mean. u is 16 random bits, e is the
exponent field of |x|, and m its significand (24 bits, with the leading one unless e is 0):
    e >= 113, an f16 normal:  drop = 13,       h = ((bits + (u >> 3)) >> 13) - (112 << 10): a carry goes on into the exponent
    e < 113, an f16 subnormal: drop = 126 - e,  h = (m + r) >> drop, r = u >> (16 - drop) or u << (drop - 16): u as a fraction of 2^drop
h is at most 0x7bff (65504), and gets x's sign, even if h is 0. If drop is 24 or more, ((m >> min(drop - 24, 24)) + (u << 8)) >> 24 gives the
same h without a shift of 32 bits or a sum that overflows. The bits u of element e of the tensor with ordinal o are drawn like those of z:
lane e & 3 of threefry(key = threefry(seed, (step, 0x80000002)), counter = (e >> 2, o)), one 16-bit sample per element.
Vectors stay f32. The initial weights are the values in the file, rounded to nearest even.

**Data order.** The permutation of n examples in epoch k: start from 0..n-1; for i from n-1 down to 1: swap places i and r mod (i + 1).
The r are the words x0, x1, x0, x1, ... of threefry(key = threefry(seed, (k, 0x80000000)), counter = (block, 0)) for block 0, 1, 2...
Balanced: the m rows of a label keep their order in the permutation. Row j of them, counted from 0, has the place (j + u) / m, where u is the
position in the permutation of the label's first row in the data, divided by n. Rows are sorted by place, with a stable sort.
The examples of all epochs form one stream, cut into consecutive batches: a batch may span two epochs.

**Losses.** Masked LM with label words: the cross-entropy over the label words' logits alone at each [MASK], averaged over the batch.
Causal LM: the cross-entropy of each next token over the whole vocabulary, averaged over all predicted tokens of the batch.
"""

import csv
import hashlib
import json
from fractions import Fraction
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
TABLE = np.fromfile(HERE.parents[1] / "src/zo/quantiles.bin", dtype="<f4")
DATA_ORDER = 0x80000000
ROUNDING = 0x80000002
ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
ROUNDS = 13


# --- random numbers -----------------------------------------------------------------------------------------------


def threefry(key, counter, rounds=ROUNDS):
    """(x0, x1), each uint32; counter words may be arrays."""
    with np.errstate(over="ignore"):  # sums are modulo 2^32
        k0, k1 = np.uint32(key[0]), np.uint32(key[1])
        ks = (k0, k1, np.uint32(0x1BD11BDA) ^ k0 ^ k1)
        x0 = np.asarray(counter[0], dtype=np.uint32) + ks[0]
        x1 = np.asarray(counter[1], dtype=np.uint32) + ks[1]
        for r in range(rounds):
            x0 = x0 + x1
            rotation = np.uint32(ROTATIONS[r % 8])
            x1 = (x1 << rotation) | (x1 >> np.uint32(32 - rotation))
            x1 = x1 ^ x0
            if r % 4 == 3:
                i = r // 4 + 1
                x0 = x0 + ks[i % 3]
                x1 = x1 + ks[(i + 1) % 3] + np.uint32(i)
    return x0, x1


def split_seed(seed):
    return seed & 0xFFFFFFFF, seed >> 32


def step_key(seed, step, stream):
    x0, x1 = threefry(split_seed(seed), (step, stream))
    return int(x0), int(x1)


def samples(key, ordinal, start, count):
    """The 16-bit samples of elements start .. start + count of a tensor."""
    first, last = start >> 2, (start + count + 3) >> 2
    x0, x1 = threefry(key, (np.arange(first, last, dtype=np.uint32), np.uint32(ordinal)))
    lanes = np.empty((last - first, 4), dtype=np.uint16)
    lanes[:, 0], lanes[:, 1] = x0 & np.uint32(0xFFFF), x0 >> np.uint32(16)
    lanes[:, 2], lanes[:, 3] = x1 & np.uint32(0xFFFF), x1 >> np.uint32(16)
    offset = start - 4 * first
    return lanes.reshape(-1)[offset : offset + count]


def scaled(s, coefficient):
    """sign * f32(coefficient * table[index]) for each sample."""
    size = (np.float32(coefficient) * TABLE).astype(np.float32)
    return np.concatenate([size, -size])[(s & 0x7FF) | ((s >> 15) << 11)]


def permutation(seed, epoch, n):
    key = step_key(seed, epoch, DATA_ORDER)
    blocks = n // 2 + 1
    words = np.stack(threefry(key, (np.arange(blocks, dtype=np.uint32), np.uint32(0))), axis=1).reshape(-1)
    order = list(range(n))
    for r, i in zip(words, range(n - 1, 0, -1)):
        j = int(r) % (i + 1)
        order[i], order[j] = order[j], order[i]
    return order


def balanced(seed, epoch, labels):
    order = permutation(seed, epoch, len(labels))
    rows = {label: [row for row in order if labels[row] == label] for label in labels}
    place = {
        row: (j + Fraction(order.index(min(of_label)), len(labels))) / len(of_label)
        for of_label in rows.values()
        for j, row in enumerate(of_label)
    }
    return sorted(order, key=place.get)


def batches(seed, n, size):
    """An endless sequence of batches of example indices."""
    stream, epoch = [], 0
    while True:
        while len(stream) < size:
            stream += permutation(seed, epoch, n)
            epoch += 1
        yield stream[:size]
        stream = stream[size:]


# --- the step -----------------------------------------------------------------------------------------------------


def projected_gradient(loss_plus, loss_minus, eps):
    return np.float32((float(loss_plus) - float(loss_minus)) / (2 * float(np.float32(eps))))


def update_coefficient(lr, gradient):
    return -(np.float32(lr) * np.float32(gradient))


def decay_factor(lr, wd):
    return np.float32(1 - float(np.float32(lr)) * float(np.float32(wd)))


def perturbed(w, s, eps):
    """Both branches of one tensor."""
    delta = scaled(s, eps).reshape(w.shape)
    return w + delta, w - delta


def updated(w, s, coefficient, lr, wd, is_matrix):
    if wd != 0 and is_matrix:
        w = w * decay_factor(lr, wd)
    return w + scaled(s, coefficient).reshape(w.shape)


def stochastic_f16(x, u):
    """f32 values to f16 bit patterns with 16 random bits each."""
    bits = np.ascontiguousarray(x, dtype=np.float32).view(np.uint32)
    u = np.asarray(u).astype(np.int64)
    size = (bits & np.uint32(0x7FFFFFFF)).astype(np.int64)
    exponent = size >> 23
    normal = ((size + (u >> 3)) >> 13) - (112 << 10)
    significand = np.where(exponent > 0, (size & 0x7FFFFF) | 0x800000, size & 0x7FFFFF)
    drop = 126 - exponent
    # If drop is above 40, 16 random bits cannot round up. Up to 40, the sum fits into 64-bit integers.
    held = np.clip(drop, 14, 41)
    fraction = np.where(held <= 16, u >> np.maximum(16 - held, 0), u << np.maximum(held - 16, 0))
    subnormal = np.where(drop > 40, 0, (significand + fraction) >> held)
    h = np.minimum(np.where(exponent >= 113, normal, subnormal), 0x7BFF)
    return (h.astype(np.uint16) | ((bits >> 16) & 0x8000).astype(np.uint16)).reshape(np.shape(x))


def stochastic_f16_in_32_bits(x, u):
    """The same, in the way that a shader does it: no intermediate value has more than 32 bits."""
    bits = np.ascontiguousarray(x, dtype=np.float32).view(np.uint32).astype(np.uint32)
    u, size = np.asarray(u).astype(np.uint32), bits & np.uint32(0x7FFFFFFF)
    exponent = size >> np.uint32(23)
    significand = np.where(exponent > 0, (size & np.uint32(0x7FFFFF)) | np.uint32(0x800000), size & np.uint32(0x7FFFFF))
    drop = np.uint32(126) - np.minimum(exponent, np.uint32(112))
    short = np.minimum(drop, np.uint32(23))
    fraction = np.where(short <= 16, u >> (np.uint32(16) - np.minimum(short, 16)), u << (np.maximum(short, 16) - np.uint32(16)))
    long = np.minimum(np.maximum(drop, 24) - np.uint32(24), 24)
    far = ((significand >> long) + (u << np.uint32(8))) >> np.uint32(24)
    subnormal = np.where(drop < 24, (significand + fraction) >> short, far)
    normal = ((size + (u >> np.uint32(3))) >> np.uint32(13)) - np.uint32(112 << 10)
    h = np.minimum(np.where(exponent >= 113, normal, subnormal), np.uint32(0x7BFF))
    return (h | ((bits >> np.uint32(16)) & np.uint32(0x8000))).astype(np.uint16)


def rounding_bits(seed, step, ordinal, start, count):
    return samples(step_key(seed, step, ROUNDING), ordinal, start, count)


def as_f32(h):
    return h.view(np.float16).astype(np.float32)


# --- models -------------------------------------------------------------------------------------------------------


def canonical_names(config):
    """Tensor names in order of ordinal; `config` is the parsed config.json."""
    kind, layers = config["model_type"], config["num_hidden_layers"]

    def both(name):
        return [name + ".weight", name + ".bias"]

    if kind == "bert":
        e = "bert.embeddings."
        names = [e + "word_embeddings.weight", e + "position_embeddings.weight", e + "token_type_embeddings.weight"]
        names += both(e + "LayerNorm")
        for i in range(layers):
            layer = "bert.encoder.layer.%d." % i
            for part in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense",
                         "attention.output.LayerNorm", "intermediate.dense", "output.dense", "output.LayerNorm"):  # fmt: skip
                names += both(layer + part)
        head = "cls.predictions."
        return names + both(head + "transform.dense") + both(head + "transform.LayerNorm") + [head + "bias"]
    if kind == "llama":
        names = ["model.embed_tokens.weight"]
        for i in range(layers):
            names += ["model.layers.%d.%s.weight" % (i, part) for part in (
                "input_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
                "post_attention_layernorm", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")]  # fmt: skip
        return names + ["model.norm.weight"] + ([] if config.get("tie_word_embeddings") else ["lm_head.weight"])
    raise ValueError("no canonical order for " + kind)


class Mezo:
    """A PyTorch model and its weights as numpy arrays, stepped as the specification above says."""

    def __init__(self, model, seed, lr, eps, wd=0.0):
        self.model, self.seed, self.lr, self.eps, self.wd = model, seed, np.float32(lr), np.float32(eps), np.float32(wd)
        self.names = canonical_names(model.config.to_dict())
        parameters = dict(model.named_parameters())
        assert set(parameters) == set(self.names), set(parameters) ^ set(self.names)
        self.parameters = [parameters[name] for name in self.names]
        self.weights = [p.detach().numpy().copy() for p in self.parameters]
        self.step_index = 0

    def load(self, weights):
        import torch

        with torch.no_grad():
            for parameter, w in zip(self.parameters, weights):
                parameter.copy_(torch.from_numpy(w))

    def step(self, loss, lr=None):
        """`loss` evaluates the model with its current weights, in f32. Returns loss_plus, loss_minus and the projected gradient."""
        lr = self.lr if lr is None else np.float32(lr)
        key = step_key(self.seed, self.step_index, 0)
        draws = [samples(key, o, 0, w.size) for o, w in enumerate(self.weights)]
        branches = [perturbed(w, s, self.eps) for w, s in zip(self.weights, draws)]
        self.load([plus for plus, _ in branches])
        loss_plus = np.float32(loss())
        self.load([minus for _, minus in branches])
        loss_minus = np.float32(loss())
        gradient = projected_gradient(loss_plus, loss_minus, self.eps)
        coefficient = update_coefficient(lr, gradient)
        self.weights = [updated(w, s, coefficient, lr, self.wd, w.ndim == 2) for w, s in zip(self.weights, draws)]
        self.load(self.weights)
        self.step_index += 1
        return loss_plus, loss_minus, gradient


def replay(names, tensors, seed, gradients, lr, wd):
    """The weights after replaying a record of projected gradients, one per step."""
    weights = dict(tensors)
    for step, gradient in enumerate(gradients):
        key = step_key(seed, step, 0)
        coefficient = update_coefficient(lr, gradient)
        for o, name in enumerate(names):
            w = weights[name]
            weights[name] = updated(w, samples(key, o, 0, w.size), coefficient, lr, wd, w.ndim == 2)
    return weights


def replay_f16(names, tensors, seed, gradients, lr, wd):
    """The same with the matrices stored in f16. Returns f16 matrices and f32 vectors."""
    weights = {name: w.astype(np.float16) if w.ndim == 2 else w for name, w in tensors.items()}
    for step, gradient in enumerate(gradients):
        key = step_key(seed, step, 0)
        coefficient = update_coefficient(lr, gradient)
        for o, name in enumerate(names):
            w = weights[name]
            x = updated(w.astype(np.float32), samples(key, o, 0, w.size), coefficient, lr, wd, w.ndim == 2)
            if w.ndim == 2:
                x = stochastic_f16(x, rounding_bits(seed, step, o, 0, w.size).reshape(w.shape)).view(np.float16)
            weights[name] = x
    return weights


# --- losses -------------------------------------------------------------------------------------------------------


def label_word_loss(model, sequences, mask_id, label_ids, labels):
    """Mean cross-entropy over the label words at each sequence's [MASK], without padding."""
    import torch

    with torch.no_grad():
        rows = []
        for ids in sequences:
            logits = model(input_ids=torch.tensor([ids])).logits[0]
            rows.append(logits[ids.index(mask_id), label_ids])
        return torch.nn.functional.cross_entropy(torch.stack(rows), torch.tensor(labels)).item()


def next_token_loss(model, sequences):
    import torch

    with torch.no_grad():
        logits = [model(input_ids=torch.tensor([ids])).logits[0, :-1] for ids in sequences]
        targets = [torch.tensor(ids[1:]) for ids in sequences]
        return torch.nn.functional.cross_entropy(torch.cat(logits), torch.cat(targets)).item()


def read_examples(path):
    with open(path, newline="", encoding="utf-8") as file:
        if str(path).endswith(".tsv"):
            rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        else:
            rows = csv.DictReader(file)
        return [(row["text"], row["label"]) for row in rows]


# --- expected.json ------------------------------------------------------------------------------------------------


def f32_hex(values):
    """Bit patterns, most significant digit first."""
    return ["%08x" % bits for bits in np.asarray(values, dtype=np.float32).reshape(-1).view(np.uint32).tolist()]


def digest(w):
    return hashlib.sha256(np.ascontiguousarray(w, dtype="<f4").tobytes()).hexdigest()


def summary(names, weights):
    return {
        name: {"sum": float(w.astype(np.float64).sum()), "first": f32_hex(w.reshape(-1)[:4]), "sha256": digest(w)}
        for name, w in zip(names, weights)
    }


KNOWN_ANSWERS = [
    # rounds, counter, key, result: Random123's kat_vectors
    (13, "00000000 00000000", "00000000 00000000", "9d1c5ec6 8bd50731"),
    (13, "ffffffff ffffffff", "ffffffff ffffffff", "fd36d048 2d17272c"),
    (13, "243f6a88 85a308d3", "13198a2e 03707344", "ba3e4725 f27d669e"),
    (20, "00000000 00000000", "00000000 00000000", "6b200159 99ba4efe"),
    (20, "ffffffff ffffffff", "ffffffff ffffffff", "1cb996fc bb002be7"),
    (20, "243f6a88 85a308d3", "13198a2e 03707344", "c4923a9c 483df7a0"),
]


def known_answers():
    for rounds, counter, key, result in KNOWN_ANSWERS:
        words = [[int(word, 16) for word in text.split()] for text in (counter, key, result)]
        x = threefry(words[1], words[0], rounds)
        assert [int(x[0]), int(x[1])] == words[2], (rounds, counter)
    return [dict(zip(("rounds", "counter", "key", "result"), row)) for row in KNOWN_ANSWERS]


def z_samples():
    rows = []
    for seed, step, ordinal, start, count in [
        (0, 0, 0, 0, 12), (42, 0, 0, 0, 12), (42, 1, 0, 0, 12), (42, 0, 1, 0, 12), (42, 7, 30, 3, 10),
        (123456789012345, 99999, 41, 134217721, 9), (9007199254740991, 4294967295, 271, 28311550, 8),
    ]:  # fmt: skip
        key = step_key(seed, step, 0)
        s = samples(key, ordinal, start, count)
        rows.append({
            "seed": seed, "step": step, "ordinal": ordinal, "start": start, "step_key": ["%08x" % k for k in key],
            "samples": ["%04x" % x for x in s.tolist()], "z": f32_hex(scaled(s, 1)),
        })  # fmt: skip
    return rows


def data_orders():
    return [
        {"seed": seed, "n": n, "epoch": epoch, "order": permutation(seed, epoch, n)}
        for seed, n, epoch in [(42, 1, 0), (42, 2, 0), (42, 7, 0), (42, 60, 0), (42, 60, 1), (123456789012345, 60, 0)]
    ]


def balanced_orders():
    """Labels of unequal shares, one of them rare; a single label; and a different label for each row."""
    cases = [
        (42, 0, [row * row % 7 % 3 for row in range(60)]),
        (42, 1, [row * row % 7 % 3 for row in range(60)]),
        (7, 0, [9 if row == 17 else row % 2 for row in range(41)]),
        (7, 0, [4] * 11),
        (7, 2, list(range(12))),
    ]
    return [{"seed": seed, "epoch": epoch, "labels": labels, "order": balanced(seed, epoch, labels)} for seed, epoch, labels in cases]


def run(mezo, steps, size, n, loss):
    """A run's record; `loss` takes example indices."""
    order = batches(mezo.seed, n, size)
    rows = []
    for step, batch in zip(range(steps), order):
        before = loss(batch)
        plus, minus, gradient = mezo.step(lambda batch=batch: loss(batch))
        rows.append({
            "step": step, "batch": batch, "loss": before, "loss_plus": float(plus), "loss_minus": float(minus),
            "projected_grad": float(gradient), "projected_grad_bits": f32_hex(gradient)[0],
        })  # fmt: skip
    return {
        "seed": mezo.seed, "lr": float(mezo.lr), "eps": float(mezo.eps), "weight_decay": float(mezo.wd), "batch_size": size,
        "steps": rows, "weights": summary(mezo.names, mezo.weights),
    }  # fmt: skip


def first_branches(mezo):
    """Digests of both branches of each tensor at step 0."""
    key = step_key(mezo.seed, 0, 0)
    digests = {}
    for o, (name, w) in enumerate(zip(mezo.names, mezo.weights)):
        plus, minus = perturbed(w, samples(key, o, 0, w.size), mezo.eps)
        digests[name] = {"plus": digest(plus), "minus": digest(minus)}
    return digests


def bert_run():
    from tokenizers import Tokenizer
    from transformers import BertForMaskedLM

    folder = HERE / "bert"
    model = BertForMaskedLM.from_pretrained(folder, attn_implementation="eager").eval()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    template, labels = "{text} It was [MASK] .", ["great", "terrible"]
    examples = read_examples(folder / "train.csv")
    sequences = [tokenizer.encode(template.replace("{text}", text)).ids for text, _ in examples]
    targets = [labels.index(label) for _, label in examples]
    label_ids, mask_id = [tokenizer.token_to_id(label) for label in labels], tokenizer.token_to_id("[MASK]")

    def loss(batch):
        return label_word_loss(model, [sequences[i] for i in batch], mask_id, label_ids, [targets[i] for i in batch])

    mezo = Mezo(model, seed=42, lr=1e-3, eps=1e-3)
    branches = first_branches(mezo)
    result = run(mezo, 10, 8, len(examples), loss)
    return {"model": "bert", "train": "bert/train.csv", "template": template, "labels": labels,
            "first_input_ids": sequences[:3], **result, "first_branches": branches}  # fmt: skip


def llama_run():
    import random

    from transformers import LlamaForCausalLM

    model = LlamaForCausalLM.from_pretrained(HERE / "llama", attn_implementation="eager").eval()
    numbers = random.Random(7)
    sequences = [[numbers.randrange(5, 97) for _ in range(numbers.randint(2, 24))] for _ in range(18)]

    def loss(batch):
        return next_token_loss(model, [sequences[i] for i in batch])

    result = run(Mezo(model, seed=123456789012345, lr=1e-3, eps=1e-3, wd=0.01), 10, 4, len(sequences), loss)
    return {"model": "llama", "sequences": sequences, **result}


def replay_record():
    from safetensors.numpy import load_file

    config = json.loads((HERE / "bert/config.json").read_text())
    names, seed, lr, eps, wd = canonical_names(config), 2026, np.float32(1e-3), np.float32(1e-3), np.float32(0.01)
    gradients = np.random.default_rng(8).normal(0, 3, 200).astype(np.float32)
    gradients[17], gradients[18] = 0.0, -0.0  # equal losses do happen
    weights = replay(names, load_file(HERE / "bert/model.safetensors"), seed, gradients, lr, wd)
    return {
        "model": "bert", "seed": seed, "lr": float(lr), "eps": float(eps), "weight_decay": float(wd),
        "projected_grad_bits": f32_hex(gradients), "coefficient_bits": f32_hex([update_coefficient(lr, g) for g in gradients]),
        "decay_factor_bits": f32_hex(decay_factor(lr, wd))[0],
        "weights": summary(names, [weights[name] for name in names]),
    }  # fmt: skip


# Bit patterns of values that each take a different branch of the rounding.
ROUNDED = [
    0x00000000, 0x80000000, 0x00000001, 0x007FFFFF, 0x00800000,  # zeros, f32 subnormals, the smallest f32 normal
    0x2AFFFFFF, 0x2B000001, 0x2F800001, 0x32FFFFFF, 0x33000000, 0x33000001, 0x33800000, 0xB3C00000,  # f16's 0 or one or two of its units
    0x358637BD, 0x37800001, 0x387FC000, 0x387FDFFF, 0x387FFFFF, 0x38800000, 0xB8800001,  # up to f16's smallest normal
    0x3C23D70A, 0x3CA3D70A, 0xBCA3D70A, 0x3F7FFFFF, 0x3F800000, 0x3F801FFF, 0x40490FDB,  # usual weights
    0x477FC000, 0x477FE000, 0x477FE001, 0x477FFFFF, 0x47800000, 0xC9742400,  # 65280, 65504 and beyond
]


def check_rounding():
    """Asserts over all 2^16 values of u that the mean is preserved, and shows what rounding to nearest loses."""
    every = np.arange(1 << 16, dtype=np.uint32)
    generator = np.random.default_rng(9)
    random = (generator.integers(0, 1 << 23, 200) | generator.integers(80, 142, 200) << 23).astype(np.uint32)
    for pattern in np.concatenate([np.array(ROUNDED, dtype=np.uint32), random]):
        x = np.full(1 << 16, pattern, dtype=np.uint32).view(np.float32)
        rounded = stochastic_f16(x, every)
        assert np.array_equal(rounded, stochastic_f16_in_32_bits(x, every)), hex(pattern)
        value, results = float(x[0]), as_f32(rounded).astype(np.float64)
        assert (results * np.sign(value or 1) >= 0).all() and bool((rounded[0] >> 15) == (pattern >> 31)), hex(pattern)
        if abs(value) >= 65504:
            assert (np.abs(results) == 65504).all()
            continue
        unit = 2.0 ** max(np.floor(np.log2(abs(value) or 1e-30)) - 10, -24)
        assert (np.abs(results - value) < unit).all(), hex(pattern)
        # The mean is exact if u has at least as many bits as are dropped. Otherwise the 16 bits of u cannot distinguish finer fractions.
        assert abs(results.mean() - value) <= unit * 2.0**-16, (hex(pattern), results.mean(), value)
    w, nearest = np.full(4096, 0.02, dtype=np.float16), np.float16(0.02)
    for step in range(1000):
        x = w.astype(np.float32) + np.float32(1e-6)
        w = stochastic_f16(x, rounding_bits(7, step, 3, 0, 4096)).view(np.float16)
        nearest = np.float16(np.float32(nearest) + np.float32(1e-6))
    moved = float(w.astype(np.float64).mean() - np.float64(np.float16(0.02)))
    assert abs(moved - 1e-3) < 0.02e-3, moved
    assert nearest == np.float16(0.02)
    print("1,000 updates of 1e-6 on 4,096 weights of 0.02: %.6f in the mean; to nearest: 0" % moved)


def rounding_record():
    """f16 results of chosen values, and a complete replay in f16."""
    from safetensors.numpy import load_file

    u = samples(step_key(5, 2, ROUNDING), 1, 0, 4 * len(ROUNDED)).reshape(-1, 4)
    u[:, 0], u[:, 3] = 0, 0xFFFF
    values = np.array(ROUNDED, dtype=np.uint32).view(np.float32)
    rows = [
        {"x_bits": "%08x" % bits, "u": ["%04x" % v for v in us], "f16": ["%04x" % h for h in stochastic_f16(np.full(4, x), us)]}
        for bits, x, us in zip(ROUNDED, values, u)
    ]
    config = json.loads((HERE / "bert/config.json").read_text())
    names, seed, lr, wd = canonical_names(config), 2027, np.float32(1e-3), np.float32(0.01)
    gradients = np.random.default_rng(10).normal(0, 3, 50).astype(np.float32)
    weights = replay_f16(names, load_file(HERE / "bert/model.safetensors"), seed, gradients, lr, wd)
    return {
        "key_seed_7_step_3": ["%08x" % k for k in step_key(7, 3, ROUNDING)], "values": rows,
        "replay": {
            "model": "bert", "seed": seed, "lr": float(lr), "weight_decay": float(wd), "projected_grad_bits": f32_hex(gradients),
            "sha256": {name: hashlib.sha256(np.ascontiguousarray(weights[name]).tobytes()).hexdigest() for name in names},
        },
    }  # fmt: skip


def compact_json(value, indent=0, width=140):
    """JSON with a line for each small value, so that diffs are readable."""
    line = json.dumps(value, ensure_ascii=False)
    if len(line) + indent <= width or not isinstance(value, (list, dict)):
        return line
    pad = " " * (indent + 1)
    if isinstance(value, dict):
        items = [json.dumps(k) + ": " + compact_json(v, indent + 1) for k, v in value.items()]
        return "{\n" + ",\n".join(pad + item for item in items) + "\n" + " " * indent + "}"
    if all(not isinstance(v, (list, dict)) for v in value):  # wrap plain values
        lines, current = [], ""
        for item in map(json.dumps, value):
            if current and len(current) + len(item) + 2 > width - indent:
                lines.append(current)
                current = ""
            current += (", " if current else "") + item
        return "[\n" + ",\n".join(pad + text for text in lines + [current]) + "\n" + " " * indent + "]"
    return "[\n" + ",\n".join(pad + compact_json(v, indent + 1) for v in value) + "\n" + " " * indent + "]"


def main():
    import torch
    import transformers

    torch.set_num_threads(1)
    transformers.logging.disable_progress_bar()
    check_rounding()
    expected = {
        "known_answers": known_answers(),
        "z": z_samples(),
        "data_order": data_orders(),
        "balanced_order": balanced_orders(),
        "label_words": bert_run(),
        "next_token": llama_run(),
        "replay": replay_record(),
        "rounding": rounding_record(),
    }
    (HERE / "mezo").mkdir(exist_ok=True)
    (HERE / "mezo/expected.json").write_text(compact_json(expected) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
