"""Checkpoints of FairMOT's authors (github.com/ifzhang/FairMOT): their tensors under PaddleDetection's names.

The network is the same; checked on the authors' own code, the maps of both differ by at most 2.4e-7.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from ..errors import WeightsError

_HEADS = {"hm": "detector.head.heatmap", "wh": "detector.head.size", "reg": "detector.head.offset", "id": "reid.reid"}
_DCN = "dla_up.ida_0.proj_1.conv.conv_offset_mask.weight"  # lacking in the DLA-34 without deformable convolutions
_DROPPED = re.compile(r"\.num_batches_tracked$|^base\.fc\.")
_RULES = [
    (r"running_mean$", "_mean"),
    (r"running_var$", "_variance"),
    (r"^base\.(base_layer|level[01])\.0\.", r"detector.backbone.\1.0.conv."),
    (r"^base\.(base_layer|level[01])\.1\.", r"detector.backbone.\1.0.norm."),
    (r"^base\.", "detector.backbone."),
    (r"\.conv([12])\.", r".conv\1.conv."),
    (r"\.bn([12])\.", r".conv\1.norm."),
    (r"\.root\.conv\.", ".root.conv.conv."),
    (r"\.root\.bn\.", ".root.conv.norm."),
    (r"\.project\.0\.", ".project.conv."),
    (r"\.project\.1\.", ".project.norm."),
    (r"^(dla_up|ida_up)\.", r"detector.neck.\1."),
    (r"\.conv\.conv_offset_mask\.", ".0.conv.conv_offset."),
    (r"\.(proj|node)_(\d+)\.conv\.(weight|bias)$", r".\1_\2.0.conv.conv_dcn.\3"),
    (r"\.actf\.0\.", ".0.norm."),
]


def is_authors_checkpoint(names: Iterable[str]) -> bool:
    """Return whether these parameter names are those of the authors' DLA-34.

    Examples
    --------
    >>> names = ["base.base_layer.0.weight", "hm.2.bias", "dla_up.ida_0.proj_1.conv.conv_offset_mask.weight"]
    >>> is_authors_checkpoint(f"module.{name}" for name in names)
    True
    """
    plain = {_plain(name) for name in names}
    return "base.base_layer.0.weight" in plain and any(name.startswith("hm.") for name in plain) and _DCN in plain


def convert_authors_checkpoint(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the tensors under the names that PaddleDetection's FairMOT gives them.

    Parameters
    ----------
    tensors
        As in the authors' files; what only training needs is dropped.

    Raises
    ------
    WeightsError
        If two tensors would get one name.

    Examples
    --------
    >>> list(convert_authors_checkpoint({"module.hm.0.weight": np.zeros(1), "base.level0.1.running_mean": np.zeros(1)}))
    ['detector.head.heatmap.0.conv.weight', 'detector.backbone.level0.0.norm._mean']
    """
    result: dict[str, np.ndarray] = {}
    for name, value in tensors.items():
        new = _plain(name)
        if _DROPPED.search(new):
            continue
        head, _, rest = new.partition(".")
        if head in _HEADS and rest.startswith(("0.", "2.")):
            new = f"{_HEADS[head]}.{rest[0]}.conv.{rest[2:]}"
        for pattern, replacement in _RULES:
            new = re.sub(pattern, replacement, new)
        if new in result:
            raise WeightsError(
                f"The checkpoint holds {name[:80]!r} twice, with and without a leading 'module.'; remove one."
            )
        result[new] = value
    return result


def describe_foreign_checkpoint(names: Iterable[str]) -> str:
    """Return what network a checkpoint of the authors' other models is; empty where it is unknown."""
    plain = [_plain(name) for name in names]
    if "base.base_layer.0.weight" in plain:
        return "the authors' DLA-34 without deformable convolutions"
    if any(name.startswith("deconv_layers.") for name in plain):
        return "the authors' ResNet with deconvolutions"
    if any(name.startswith("stage2.") for name in plain):
        return "the authors' HRNet, whose neck concatenates"
    if any(re.match(r"(model|backbone)\.(model\.)?\d+\.", name) for name in plain):
        return "a YOLO network"
    if any(re.match(r"(base\.)?layer1\.0\.", name) for name in plain):
        return "a ResNet"
    return ""


def _plain(name: str) -> str:
    return name.removeprefix("module.")
