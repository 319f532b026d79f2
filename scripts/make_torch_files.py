"""Write the small torch files of tests/golden/torch, with torch itself (2.13; not a dependency of the project).

    python scripts/make_torch_files.py [FOLDER]

With `--authors FILE` (pose_dla_dcn.py of github.com/ifzhang/FairMOT) and torchvision it also writes the names and
shapes of the tensors of the authors' DLA-34, and its maps of one image with weights that `seeded_tensor` gives.
"""

from __future__ import annotations

import argparse
import sys
import types
import zlib
from pathlib import Path

import numpy as np


def seeded_tensor(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return numbers that depend on name and shape alone, of a size that keeps activations of order one."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    values = rng.standard_normal(shape)
    if name.endswith("running_var"):
        return (0.5 + np.abs(values)).astype(np.float32)
    if len(shape) == 1:
        return 0.1 * values + (name.endswith(("bn1.weight", "bn2.weight", "bn.weight", ".1.weight", "actf.0.weight")))
    fan = int(np.prod(shape[1:])) if ".up_" not in name else 4
    return values * np.sqrt(2 / fan)


def small_files(folder: Path) -> None:
    """Tensors of several types, views, and a training checkpoint, in both forms."""
    import torch

    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    state = {
        "module.weight": base,
        "module.view": base[1:3, 2:5],
        "module.transposed": base.t(),
        "module.half": torch.tensor([1.5, -2], dtype=torch.float16),
        "module.bfloat": torch.tensor([1.5, -2], dtype=torch.bfloat16),
        "module.double": torch.tensor([[0.1]], dtype=torch.float64),
        "module.steps": torch.tensor(7),
        "module.empty": torch.zeros(0, 3),
        "module.parameter": torch.nn.Parameter(torch.ones(2)),
    }
    layer = torch.nn.Linear(2, 2)
    optimizer = torch.optim.Adam(layer.parameters())
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    for legacy in (False, True):
        name = "bare_pickle" if legacy else "zip"
        torch.save(
            {"epoch": 3, "state_dict": state, "optimizer": optimizer.state_dict()},
            folder / f"{name}.pth",
            _use_new_zipfile_serialization=not legacy,
        )


def authors_network(source: Path, folder: Path) -> None:
    """Names and shapes of the authors' tensors, and the maps of their network."""
    import torch
    from torch import nn
    from torchvision.ops import deform_conv2d

    class DCN(nn.Module):
        """DCNv2 with one group: offsets y, x of each tap, then masks through a sigmoid."""

        def __init__(self, inputs: int, outputs: int, **_: object) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(outputs, inputs, 3, 3))
            self.bias = nn.Parameter(torch.zeros(outputs))
            self.conv_offset_mask = nn.Conv2d(inputs, 27, 3, 1, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            first, second, mask = torch.chunk(self.conv_offset_mask(x), 3, dim=1)
            offset = torch.cat((first, second), dim=1)
            return deform_conv2d(x, offset, self.weight, self.bias, padding=1, mask=torch.sigmoid(mask))

    stand_in = types.ModuleType("dcn_v2")
    stand_in.DCN = DCN  # type: ignore[attr-defined]
    sys.modules["dcn_v2"] = stand_in
    module = types.ModuleType("pose_dla_dcn")
    exec(compile(source.read_text(), str(source), "exec"), module.__dict__)
    heads = {"hm": 1, "wh": 4, "id": 128, "reg": 2}
    network = module.DLASeg("dla34", heads, False, 4, 1, 5, 256).eval()
    state = network.state_dict()
    lines = [f"{name} {' '.join(map(str, value.shape))}".rstrip() for name, value in state.items()]
    (folder / "authors_dla34.txt").write_text("\n".join(lines) + "\n")
    network.load_state_dict(
        {
            name: torch.tensor(0)
            if name.endswith("tracked")
            else torch.from_numpy(seeded_tensor(name, tuple(value.shape)).astype(np.float32))
            for name, value in state.items()
        }
    )
    image = np.random.default_rng(0).random((1, 3, 64, 96), np.float32)
    with torch.no_grad():
        (maps,) = network(torch.from_numpy(image))
    maps["hm"] = torch.sigmoid(maps["hm"])
    maps["id"] = nn.functional.normalize(maps["id"], dim=1)[:, :, ::4, ::4]
    np.savez_compressed(folder / "authors_dla34.npz", **{name: value.numpy() for name, value in maps.items()})


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path(__file__).parents[1] / "tests" / "golden" / "torch"
    )
    parser.add_argument("--authors", type=Path)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    small_files(options.folder)
    if options.authors:
        authors_network(options.authors, options.folder)
