"""Networks that compute in half precision: ONNX files with float32 inputs and outputs and float16 in between."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from .._files import private_folder
from ..boxes import to_corners
from ..errors import EngineError
from .compact import STRIDES, decode_cells
from .engines import OnnxEngine, agreement, library_versions
from .letterbox import letterbox
from .onnx import _photograph, is_whole, logger, recorded_write
from .weights import file_sha256
from .zoo import cache_folder

HALF_LIMITS = {"heatmap": 0.01, "boxes": 1.0, "cosine": 0.999}  # of `engines.agreement`
_RANGE = (-65504, 65504)
_KEPT = ("Cast", "NonMaxSuppression", "TopK")  # operators that stay in single precision wherever they are
_SINGLE_INPUTS = {"Resize": 1}  # operators whose inputs from this one on are always float32


def half_file(path: Path, size: tuple[int, int]) -> Path:
    """Return an ONNX file's network in half precision; make it, and compare it with the file, if it is not there yet.

    Parameters
    ----------
    path
        A FairMOT network or the compact model in single precision.
    size
        Input (width, height) in pixels that both are compared at.

    Raises
    ------
    EngineError
        If half precision changes the detections of a photograph by more than `HALF_LIMITS`, or the package onnx is not
        installed.
    """
    digest = file_sha256(path)
    versions = "-".join(f"{name}_{version}" for name, version in library_versions(("onnxruntime", "onnx")).items())
    code = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    name = f"{digest[:32]}-half-{size[0]}x{size[1]}-{code[:12]}-{versions}.onnx"
    target = private_folder(cache_folder() / "onnx") / name
    if is_whole(target, digest):
        return target
    logger.info("converting %s to half precision, once", path.name)
    with recorded_write(target, digest) as (temporary, record):
        temporary.write_bytes(to_half(path).SerializeToString())
        record["agreement_with_single"] = check_half(temporary, path, size)
    return target


def check_half(half: Path, single: Path, size: tuple[int, int]) -> dict[str, float]:
    """Compare two files of a network on a photograph, and return how far their detections are apart.

    Raises
    ------
    EngineError
        If that is more than `HALF_LIMITS`.
    """
    image = _photograph()
    ours, theirs = OnnxEngine(half, 1), OnnxEngine(single, 1)
    if "stride8" in theirs.outputs:
        blob, _ = letterbox(image, size, stride=STRIDES[0], fast=True)
        found = _agreement_of_cells(ours(blob), theirs(blob))
    else:
        blob, _ = letterbox(image, size)
        found = agreement(ours(blob), theirs(blob))
    # written so that a number that is not finite fails
    if not (found["heatmap"] <= HALF_LIMITS["heatmap"] and found["boxes"] <= HALF_LIMITS["boxes"]):
        raise EngineError(
            f"Half precision changes scores by {found['heatmap']:.2g} and edges by {found['boxes']:.2g} pixels of the "
            "input, which is too much; leave out half."
        )
    if not found["cosine"] >= HALF_LIMITS["cosine"]:
        raise EngineError(f"Half precision turns embeddings to a cosine of {found['cosine']:.5f}; leave out half.")
    return found


def _agreement_of_cells(ours: Iterable[np.ndarray], reference: Iterable[np.ndarray]) -> dict[str, float]:
    """Return `engines.agreement` of the compact model's cells; its embeddings are colours, not the network's.

    Only cells that score 0.05 or more count: one image has few people, and the other cells' boxes mean nothing.
    """
    (boxes, scores), (wanted, wanted_scores) = (decode_cells(list(maps)[:3]) for maps in (ours, reference))
    best = np.flatnonzero(wanted_scores >= 0.05)
    edges, wanted_edges = to_corners(boxes[best]), to_corners(wanted[best])
    longer = np.maximum(wanted[best, 2:].max(1, keepdims=True) / 100, 1)
    return {
        "heatmap": float(np.abs(scores - wanted_scores).max()),
        "boxes": float((np.abs(edges - wanted_edges) / longer).max(initial=0)),
        "cosine": 1.0,
    }


def to_half(path: Path) -> Any:
    """Return the network of an ONNX file in half precision, as an `onnx.ModelProto`.

    Inputs and outputs stay float32. So do the last convolution of every output and all that follows it (sigmoid,
    normalisation): there a rounding error is an error of a box.

    Raises
    ------
    EngineError
        If the package onnx is not installed.
    """
    try:
        import onnx
        from onnx import TensorProto, helper, numpy_helper
    except ImportError as error:
        raise EngineError("Half precision needs the package onnx (pip install onnx); leave out half.") from error
    model = _simplified(path)
    graph = model.graph
    known = onnx.shape_inference.infer_shapes(model).graph
    values = (*known.value_info, *known.input, *known.output)
    floats = {value.name for value in values if value.type.tensor_type.elem_type == TensorProto.FLOAT}
    weights = {tensor.name: tensor for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT}
    floats |= weights.keys()
    in_single = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    in_half: set[str] = set()
    nodes: list[Any] = []

    def half(name: str) -> str:
        """Return the name of a tensor's half-precision twin, made if need be; other types are left alone."""
        if name not in floats:
            return name
        twin = f"{name}.half"
        if twin not in in_half:
            in_half.add(twin)
            if name in weights:
                numbers = np.clip(numpy_helper.to_array(weights[name]), *_RANGE).astype(np.float16)
                graph.initializer.append(numpy_helper.from_array(numbers, twin))
            else:
                nodes.append(helper.make_node("Cast", [name], [twin], to=TensorProto.FLOAT16))
        return twin

    def single(name: str) -> str:
        if name in floats and name not in in_single:
            in_single.add(name)
            nodes.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
        return name

    kept = _last_layers(graph)
    for place, node in enumerate(graph.node):
        if place in kept or node.op_type in _KEPT:
            inputs, outputs = [single(name) for name in node.input], list(node.output)
            in_single.update(outputs)
        else:
            few = _SINGLE_INPUTS.get(node.op_type, len(node.input))
            inputs = [half(name) if at < few else single(name) for at, name in enumerate(node.input)]
            outputs = [f"{name}.half" if name in floats else name for name in node.output]
            in_half.update(outputs)
        copy = type(node).FromString(node.SerializeToString())
        del copy.input[:], copy.output[:]
        copy.input.extend(inputs)
        copy.output.extend(outputs)
        nodes.append(copy)
    for output in graph.output:
        single(output.name)
    used = {name for node in nodes for name in node.input} | {output.name for output in graph.output}
    tensors = [type(each).FromString(each.SerializeToString()) for each in graph.initializer if each.name in used]
    del graph.initializer[:], graph.node[:], graph.value_info[:]  # the types of what is in between change
    graph.initializer.extend(tensors)
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model


def _simplified(path: Path) -> Any:
    """Return the network with batch norms in the convolutions and constants as initializers, as onnxruntime does it."""
    import onnx
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(Path(folder) / "simple.onnx")
        onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        return onnx.load(options.optimized_model_filepath)


def _last_layers(graph: Any) -> set[int]:
    """Return the places of the nodes between the outputs and the last convolutions, those included."""
    makers = {name: place for place, node in enumerate(graph.node) for name in node.output}
    found: set[int] = set()
    waiting = [output.name for output in graph.output]
    while waiting:
        place = makers.get(waiting.pop())
        if place is not None and place not in found:
            found.add(place)
            if graph.node[place].op_type != "Conv":
                waiting.extend(graph.node[place].input)
    return found
