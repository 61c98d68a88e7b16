"""Write tests/golden/llama-gguf-split: the model of tests/golden/llama-gguf in three parts, as the gguf package splits it.

It has the same metadata and the same tensors, bit for bit, so its expected values are those of llama-gguf.
"""
from pathlib import Path

import gguf

HERE = Path(__file__).resolve().parent
OUT = HERE / "llama-gguf-split"


def main():
    OUT.mkdir(exist_ok=True)
    reader = gguf.GGUFReader(HERE / "llama-gguf/model.gguf")
    most = -(-len(reader.tensors) // 3)
    writer = gguf.GGUFWriter(None, "llama", split_max_tensors=most)
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key == "general.architecture":
            continue
        kind = field.types[0]
        writer.add_key_value(key, field.contents(), kind, field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file(OUT / "model.gguf")
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print(*sorted(path.name for path in OUT.iterdir()))


main()
