"""Writes tests/golden/pickle/tiny.bin with torch.save, and its tensors in tiny.safetensors."""
import collections
from pathlib import Path
import torch
from safetensors.torch import save_file

torch.manual_seed(1)
shared = torch.randn(6, 4)
tensors = collections.OrderedDict(
    a=shared, tied=shared, rows=shared[2:5], half=torch.randn(3, 5).half(), bf=torch.randn(7).bfloat16(),
    parameter=torch.nn.Parameter(torch.randn(2, 2)), ids=torch.arange(9),
)
# As `state_dict` of a module sets it: the pickle has it as the state of the dictionary.
tensors._metadata = collections.OrderedDict({"": {"version": 1}, "a": {"version": 1}})
folder = Path(__file__).parent / "pickle"
torch.save(tensors, folder / "tiny.bin")
torch.save({"t": shared.T}, folder / "transposed.bin")
save_file({name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}, folder / "tiny.safetensors")
torch.save(tensors, folder / "legacy.bin", _use_new_zipfile_serialization=False)
