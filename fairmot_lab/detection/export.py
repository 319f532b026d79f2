"""Write a FairMOT network for other programs: ONNX with what goes in and comes out, or safetensors."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from .._files import atomic_write, refuse_overwrite
from ..errors import ConfigError
from .download import Weights, find_weights
from .fairmot import build_network, heads_of, load_weights, read_checkpoint
from .half import check_half, to_half
from .onnx import onnx_file
from .weights import sealed

FORMATS = ("onnx", "safetensors")
MAPS = ("heatmap", "size", "offset", "embedding")
KEY = "fairmot_lab"  # of the description in an ONNX file's metadata


def export_model(
    name_or_path: str | os.PathLike[str],
    path: str | os.PathLike[str] | None = None,
    *,
    format: str = "onnx",
    input_size: tuple[int, int] | None = None,
    architecture: str | None = None,
    half: bool = False,
) -> Path:
    """Write a FairMOT network as ONNX or safetensors.

    The ONNX file has the input `image` (1, 3, height, width) and the outputs `heatmap`, `size`, `offset` and
    `embedding`. It is compared with paddle on a photograph when it is made. Its metadata `fairmot_lab` is JSON that
    says how an image becomes the input and how the outputs become boxes. `load_model` reads either file.

    Parameters
    ----------
    name_or_path, architecture
        As `load_model` takes them.
    path
        The file to make; by default the model's name in this folder, with the ending of the format.
    format
        "onnx" or "safetensors".
    input_size
        (width, height) of the ONNX file's input; the size that the weights were trained for unless given.
    half
        Write an ONNX file that computes in half precision, with float32 inputs and outputs, and has half the size. It
        is refused where that changes the best 500 peaks of a photograph by more than `half.HALF_LIMITS`: scores by
        0.01, edges by 1 pixel of the input (1 % of the longer side above 100 pixels), or embeddings to a cosine below
        0.999.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    ConfigError
        If the format is unknown, or the compact model, which is an ONNX file already, is wanted in another.
    EngineError
        If half precision changes the detections too much.
    WeightsError, UnknownModelError, DownloadError
        As of `load_model`.
    WriteError
        If the file cannot be written, or is the one that is read.

    Examples
    --------
    >>> path = export_model("fairmot_lite", getfixture("tmp_path") / "mine.onnx")
    >>> fl.load_model(path, threads=1).name
    'mine'
    """
    if format not in FORMATS:
        raise ConfigError(f"format is {format!r}; it must be {' or '.join(map(repr, FORMATS))}.")
    if half and format != "onnx":
        raise ConfigError("Half precision is for ONNX files; leave out half, or give format='onnx'.")
    weights = find_weights(name_or_path, architecture)
    target = Path(path) if path is not None else Path(f"{weights.name}.{format}")
    refuse_overwrite(target, weights.path)
    if weights.path.suffix == ".onnx":
        if format != "onnx":
            raise ConfigError(f"{weights.name} is an ONNX file without separate weights; give format='onnx'.")
        if input_size is not None:
            raise ConfigError(f"{weights.name} is an ONNX file, whose input stays as it is; leave out the input size.")
        with atomic_write(target) as temporary:
            temporary.write_bytes(_in_half(weights.path) if half else weights.path.read_bytes())
            if half:
                check_half(temporary, weights.path, weights.input_size)
    elif format == "safetensors":
        _write_safetensors(weights, target)
    else:
        _write_onnx(weights, target, input_size or weights.input_size, half)
    return target


def description(weights: Weights, size: tuple[int, int]) -> dict[str, Any]:
    """Return what a program has to do before and after the network."""
    return {
        "model": weights.name,
        "architecture": weights.architecture,
        "weights_sha256": weights.sha256,
        "input_width": size[0],
        "input_height": size[1],
        "class_names": {str(number): name for number, name in weights.class_names.items()},
        "tracker": dict(weights.card.tracker) if weights.card else {},
        "letterbox": (
            "scale = min(height / image height, width / image width); resize to round(image size * scale) with area "
            "interpolation; centre it in 127.5 grey, an odd border one pixel wider on the right and below; red, green, "
            "blue; divide by 255"
        ),
        "decode": (
            "a peak is a cell (c, y, x) of heatmap that is the largest of its 3 x 3 neighbours; centre = (x + "
            "offset[0], y + offset[1]); size is left, top, right, bottom (4 channels) or width, height around it "
            "(2); all "
            "in cells of 4 input pixels; subtract the border and divide by scale for pixels of the image; embedding[:, "
            "y, x] has unit length"
        ),
    }


def _in_half(path: Path) -> bytes:
    import onnx

    model = to_half(path)
    about = {entry.key: entry.value for entry in onnx.load(str(path)).metadata_props if entry.key != "sha256"}
    onnx.helper.set_model_props(model, about)
    return sealed(model.SerializeToString())


def _write_safetensors(weights: Weights, target: Path) -> None:
    tensors = read_checkpoint(weights.path)
    network = build_network(weights.architecture, heads_of(tensors))
    load_weights(network, tensors, f"{weights.path} (as {weights.architecture})")
    arrays = {name: np.asarray(tensors[name], np.float32) for name in network.state_dict()}
    metadata = {"model": weights.name, "architecture": weights.architecture}
    with atomic_write(target) as temporary:
        temporary.write_bytes(save(arrays, metadata))


def _write_onnx(weights: Weights, target: Path, size: tuple[int, int], half: bool) -> None:
    import onnx

    whole = onnx_file(weights.path, weights.architecture, size)
    model = to_half(whole) if half else onnx.load(str(whole))
    names = {model.graph.input[0].name: "image"}
    names |= {output.name: name for output, name in zip(model.graph.output, MAPS, strict=True)}
    for node in model.graph.node:
        for values in (node.input, node.output):
            for place, name in enumerate(values):
                values[place] = names.get(name, name)
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        value.name = names.get(value.name, value.name)
    onnx.helper.set_model_props(model, {KEY: json.dumps(description(weights, size))})
    onnx.checker.check_model(model)
    with atomic_write(target) as temporary:
        temporary.write_bytes(sealed(model.SerializeToString()))
        if half:
            check_half(temporary, whole, size)
