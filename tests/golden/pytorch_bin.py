"""Writes the files of tests/golden/pickle/ with torch.save, and their tensors with safetensors."""
import collections
import io
import struct
import zipfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

folder = Path(__file__).parent / "pickle"


def right(tensors, name):
    plain = {key: tensor.detach().clone().contiguous() for key, tensor in tensors.items()}
    save_file(plain, folder / f"{name}.safetensors")


torch.manual_seed(1)
shared = torch.randn(6, 4)
tensors = collections.OrderedDict(
    a=shared, tied=shared, rows=shared[2:5], half=torch.randn(3, 5).half(), bf=torch.randn(7).bfloat16(),
    parameter=torch.nn.Parameter(torch.randn(2, 2)), ids=torch.arange(9),
)
# A module's `state_dict` sets this too. In the pickle it is the state of the dictionary.
tensors._metadata = collections.OrderedDict({"": {"version": 1}, "a": {"version": 1}})
torch.save(tensors, folder / "tiny.bin")
torch.save(tensors, folder / "legacy.bin", _use_new_zipfile_serialization=False)
torch.save(tensors, folder / "legacy-protocol-4.bin", _use_new_zipfile_serialization=False, pickle_protocol=4)
right(tensors, "tiny")

# Views whose order differs from that of their storage, and storage elements that no view reads.
block = torch.randn(7, 9)
views = collections.OrderedDict(
    transposed=block.T, column=block[:, 3], part=block[2:5, 1:8:2], turned=block[1:6:2, ::4].T, cube=block.view(7, 3, 3)[:, 1],
    half=torch.randn(5, 3).half().T,
)
right(views, "views")
views.update(
    expanded=torch.randn(1).expand(4), permuted=torch.randn(2, 3, 4).permute(2, 1, 0), double=torch.randn(3).double(),
    int=torch.arange(3).int(), byte=torch.arange(3).byte(), bool=torch.tensor([True, False]), complex=torch.randn(2) + 1j,
)
torch.save(views, folder / "views.bin")
torch.save(views, folder / "views-legacy.bin", _use_new_zipfile_serialization=False)

# A tensor with an attribute is pickled by `_rebuild_from_type_v2`.
plain = torch.randn(3, 2)
plain.note = 1
torch.save({"typed": plain}, folder / "typed.bin")
right({"typed": torch.Tensor(plain)}, "typed")

# An adapter as peft wrote it before October 2023.
torch.save(load_file(folder.parent / "peft/bert-lora/adapter_model.safetensors"), folder / "adapter_model.bin")

# A whole model, in both layouts.
model = load_file(folder.parent / "bert/model.safetensors")
torch.save(model, folder / "bert.bin")
torch.save(model, folder / "bert-legacy.bin", _use_new_zipfile_serialization=False)

# The same archive as other programs write it: not aligned, compressed, or encrypted by its flag.
members = {info.filename: zipfile.ZipFile(folder / "tiny.bin").read(info) for info in zipfile.ZipFile(folder / "tiny.bin").infolist()}
for name, method in [("stored", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED)]:
    with zipfile.ZipFile(folder / f"{name}.bin", "w", method) as archive:
        for member, content in members.items():
            archive.writestr(zipfile.ZipInfo(member), content, method)
stored = bytearray((folder / "stored.bin").read_bytes())
at = 0
while (at := stored.find(b"PK\x01\x02", at)) >= 0:
    stored[at + 8] |= 1
    at += 4
(folder / "encrypted.bin").write_bytes(stored)

# Sizes and offsets in zip64 fields, as in an archive of more than 4 GiB.
out = io.BytesIO()
directory = b""
for member, content in members.items():
    name = member.encode()
    offset, crc = out.tell(), zipfile.crc32(content)
    wide = struct.pack("<HHQQ", 1, 16, len(content), len(content))
    out.write(struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 45, 0, 0, 0, 0, crc, 2**32 - 1, 2**32 - 1, len(name), len(wide)) + name + wide + content)
    wide = struct.pack("<HHQQQ", 1, 24, len(content), len(content), offset)
    directory += struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", 45, 45, 0, 0, 0, 0, crc, 2**32 - 1, 2**32 - 1, len(name), len(wide), 0, 0, 0, 0, 2**32 - 1)
    directory += name + wide
begin = out.tell()
out.write(directory)
end = out.tell()
out.write(struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, len(members), len(members), len(directory), begin))
out.write(struct.pack("<4sIQI", b"PK\6\7", 0, end, 1))
out.write(struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 2**32 - 1, 2**32 - 1, 0))
(folder / "zip64.bin").write_bytes(out.getvalue())
assert set(zipfile.ZipFile(folder / "zip64.bin").namelist()) == set(members)
