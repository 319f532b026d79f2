"""Convert networks to ONNX, once, and check the result against paddle."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .. import errors
from .._files import atomic_write, private_folder, write_text
from .._paddle import import_paddle
from ..errors import EngineError, WeightsError
from .engines import OnnxEngine, agreement
from .fairmot import _loaded_network, _save_program, logger
from .letterbox import letterbox
from .weights import file_sha256
from .zoo import cache_folder

OPSET = 19  # the first with DeformConv
LIMITS = {"heatmap": 1e-3, "boxes": 0.05, "cosine": 0.9999}


def onnx_file(
    weights: Path, architecture: str, size: tuple[int, int], digest: str | None = None, *, batch: int = 1
) -> Path:
    """Return the network as an ONNX file in the cache; make it, and compare it with paddle, if it is not there yet.

    The work is done by a process of its own: its memory, its output and its changes to global settings end with it.

    Parameters
    ----------
    weights
        A weights file.
    architecture, size
        The network and its input (width, height).
    digest
        SHA-256 of the weights file, if it is known.
    batch
        Images per run.

    Raises
    ------
    WeightsError
        If the weights do not fit.
    EngineError
        If the conversion fails, or its figures are not paddle's.
    """
    digest = digest or file_sha256(weights)
    libraries = ("paddlepaddle", "paddledet", "paddle2onnx")
    versions = "-".join(f"{name}_{importlib.metadata.version(name)}" for name in libraries)
    made_of = f"{digest[:32]}-{architecture}-{batch}x{size[0]}x{size[1]}-{_code_digest()[:12]}-{versions}"
    path = private_folder(cache_folder() / "onnx") / f"{made_of}.onnx"
    if is_whole(path, digest):
        return path
    logger.info("converting %s at %dx%d for onnxruntime, once", weights.name, *size)
    job = {"weights": str(weights), "architecture": architecture, "size": size, "batch": batch, "path": str(path)}
    job["weights_sha256"] = digest
    command = [
        sys.executable,
        "-c",
        "from fairmot_lab.detection.onnx import convert_job; convert_job()",
        json.dumps(job),
    ]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    answer = done.stdout.rpartition("\n\x1e")[2]
    if done.returncode != 0 or not answer:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise EngineError(f"{weights} could not be converted for onnxruntime ({last}); give engine='paddle'.")
    result = json.loads(answer)
    if "error" in result:
        raise getattr(errors, result["error"])(result["message"])
    return path


CODE = ("detection/fairmot.py", "detection/onnx.py")


def _code_digest(folder: Path = Path(__file__).parents[1]) -> str:
    """SHA-256 of the code that builds and converts networks: what was converted by other code is not used."""
    parts = [(folder / name).read_bytes() for name in CODE]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def convert_job() -> None:
    """Convert in a process of its own: one job in `sys.argv[1]`, one answer on stdout behind a record separator."""
    job = json.loads(sys.argv[1])
    try:
        result: dict[str, Any] = _convert(**job)
    except errors.FairMOTLabError as error:
        result = {"error": type(error).__name__, "message": str(error)}
    sys.stdout.write("\n\x1e" + json.dumps(result))


def _convert(
    weights: str, architecture: str, size: tuple[int, int], batch: int, path: str, weights_sha256: str
) -> dict[str, float]:
    import paddle2onnx

    if file_sha256(Path(weights)) != weights_sha256:
        raise WeightsError(f"{weights} changed while it was read; load it again when it is whole.")
    network = _loaded_network(Path(weights), architecture)
    blob = np.repeat(letterbox(_photograph(), size)[0], batch, axis=0)
    paddle = import_paddle()
    with paddle.no_grad():  # before the network is saved: a call after that would record it a second time
        reference = tuple(values.numpy() for values in network(paddle.to_tensor(blob)))
    with tempfile.TemporaryDirectory() as folder, recorded_write(Path(path), weights_sha256) as (temporary, record):
        program = Path(folder) / "network"
        _save_program(network, program, size, batch)
        use_single_precision_scales(Path(f"{program}.json"))
        paddle2onnx.export(
            f"{program}.json",
            f"{program}.pdiparams",
            str(temporary),
            opset_version=OPSET,
            enable_onnx_checker=True,
            optimize_tool="none",  # the default one runs pip
        )
        found = agreement(OnnxEngine(temporary, 1)(blob), reference)  # type: ignore[arg-type]
        if (
            found["heatmap"] > LIMITS["heatmap"]
            or found["boxes"] > LIMITS["boxes"]
            or found["cosine"] < LIMITS["cosine"]
        ):
            raise EngineError(f"onnxruntime's figures for {weights} are not paddle's ({found}); give engine='paddle'.")
        record["agreement_with_paddle"] = found
    return found


def use_single_precision_scales(program: Path) -> None:
    """Paddle 3.3 saves the scale factors of interpolations as doubles, which paddle2onnx 2.1 cannot read."""

    def convert(node: dict[str, Any]) -> dict[str, Any]:
        if node.get("N") == "scale" and isinstance(node["AT"].get("D"), list):
            for factor in node["AT"]["D"]:
                factor["#"] = "0.a_f32"
        return node

    program.write_text(json.dumps(json.loads(program.read_text(), object_hook=convert)))


@contextlib.contextmanager
def recorded_write(path: Path, made_of: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Give a place to write a converted file to, and its record, which is written beside it.

    Parameters
    ----------
    path
        The file; its name says the network, the size and the versions.
    made_of
        SHA-256 of what it is converted from.
    """
    record: dict[str, Any] = {"file": path.name, "made_of": made_of}
    with atomic_write(path) as temporary:
        yield temporary, record
        record["sha256"] = file_sha256(temporary)
    write_text(f"{path}.json", json.dumps(record, indent=1) + "\n")


def is_whole(path: Path, made_of: str) -> bool:
    """Return whether a file is the one that `recorded_write` wrote under this name, of the same thing."""
    try:
        record = json.loads(path.with_name(f"{path.name}.json").read_text())
        wanted = {"file": path.name, "made_of": made_of, "sha256": file_sha256(path)}
        return all(record[key] == value for key, value in wanted.items())
    except (OSError, ValueError, KeyError, TypeError, RecursionError, WeightsError):
        return False


def _photograph() -> np.ndarray:
    """Return the photograph of a person in matplotlib's sample data, blue first."""
    import matplotlib

    return cv2.imread(str(Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"))
