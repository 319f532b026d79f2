"""Load a model, and run it on frames."""

from __future__ import annotations

import importlib.metadata
import json
import os
import tempfile
from pathlib import Path
from typing import Literal

from .._files import exists
from .._paddle import import_paddle
from ..errors import ConfigError, EngineError, WeightsError
from .compact import CompactDetector
from .detector import Detector, check_detector
from .download import Weights, find_weights
from .engines import Engine, OnnxEngine, PaddleEngine, checked_threads, onnx_device
from .export import KEY, MAPS
from .fairmot import _loaded_network, _save_program
from .fairmot_detector import FairMOTDetector
from .half import half_file
from .inference_folder import InferenceFolderDetector
from .onnx import onnx_file
from .zoo import BUNDLED, CARDS, card_of_file

# The compact model's layers are too small for two threads to share: each thread computes a frame of its own. More than
# this the one thread that reads and letterboxes cannot feed.
MOST_AT_ONCE = 8


def load_model(
    name_or_path: str | os.PathLike[str] = "fairmot_lite",
    *,
    architecture: str | None = None,
    input_size: tuple[int, int] | None = None,
    engine: str = "auto",
    device: str = "auto",
    half: bool = False,
    threads: int | None = None,
    nms_iou: float | Literal["auto"] | None = "auto",
    score_floor: float = 0.05,
    max_per_frame: int | None = None,
) -> FairMOTDetector | InferenceFolderDetector:
    """Load a model of the zoo, or weights from a file.

    The compact model ("fairmot_lite", or an `.onnx` file that fine-tuning wrote) is ready at once and needs no paddle.
    The first time onnxruntime runs other weights at some input size their network is converted to ONNX, compared with
    paddle on a photograph, and kept in the cache; that takes 10 to 60 seconds, and paddle is not needed again.

    Parameters
    ----------
    name_or_path
        A name of the zoo (`fairmot-lab models list`; downloaded if need be), or a `.pdparams`, `.safetensors`, `.npz`
        or `.onnx` file, or a `.pth` file of FairMOT's authors (DLA-34). Nothing in a file runs. Or a folder that
        PaddleDetection's `export_model.py` wrote, which paddle runs and which has no heatmaps.
    architecture
        Of a weights file whose name and tensors do not tell: "dla34", "hrnetv2_w18", "hardnet85".
    input_size
        (width, height) in pixels, multiples of 32; the size that the weights were trained for unless given.
    engine
        "onnxruntime", "paddle", or "auto": onnxruntime; paddle for a GPU that onnxruntime has no CUDA for.
    device
        "cpu", "gpu" (CUDA), "openvino" (with onnxruntime-openvino), or "auto": a GPU where the installed onnxruntime
        or paddle has CUDA.
    half
        Compute in half precision, with onnxruntime; meant for a GPU. The network is compared with that in single
        precision on a photograph, once, and refused where the best 500 peaks differ by more than 0.01 in score, 1 pixel
        of the input in an edge (1 % of the longer side above 100 pixels), or a cosine of 0.999 between embeddings.
    threads
        CPU threads; all cores that this process may use unless given. The official models share them for each frame.
        With the compact one each thread computes a frame of its own, up to eight: sequences are faster by that, one
        image is not.
    nms_iou
        Leave out boxes whose IoU with a better one is above this, from 0 to 1; None for FairMOT's peak rule alone.
        "auto": 0.5 for the compact architecture, None for all others.
    score_floor
        Smallest centre score of a detection, in 0..1. Trackers have thresholds of their own, above this.
    max_per_frame
        Largest number of detections of a frame, best first; as published (500, several classes 200) unless given.

    Returns
    -------
    FairMOTDetector or InferenceFolderDetector

    Raises
    ------
    UnknownModelError
        If the zoo has no such name.
    WeightsError
        If the weights are damaged, unsafe, or of another architecture (it lists the first tensors that do not fit).
    DownloadError
        If weights have to be fetched and cannot.
    EngineError
        If this machine does not offer the engine or device, or half precision changes the detections too much.

    Examples
    --------
    >>> load_model("fairmot_lite", threads=1).embedding_dim
    64
    """
    if exists(name_or_path, WeightsError) and Path(name_or_path).is_dir():
        given = {"half": half, "nms_iou": nms_iou not in ("auto", None), "max_per_frame": max_per_frame is not None}
        if unused := [option for option, is_given in given.items() if is_given]:
            raise EngineError(f"{name_or_path} computes as it was exported; leave out {' and '.join(unused)}.")
        return _folder(Path(name_or_path), input_size, engine, device, threads, score_floor)
    compact = os.fspath(name_or_path) == BUNDLED.stem or Path(name_or_path).suffix == BUNDLED.suffix
    if compact and (engine == "paddle" or (device in ("gpu", "openvino") and os.fspath(name_or_path) == BUNDLED.stem)):
        raise EngineError(f"{name_or_path} runs on onnxruntime and the CPU only; leave engine and device at 'auto'.")
    device, engine = _choose("cpu" if compact and device == "auto" else device, engine)
    if half and engine == "paddle":
        raise EngineError(
            "Half precision is computed by onnxruntime, and the engine here is paddle; install onnxruntime-gpu for a "
            "GPU, or leave out half."
        )
    threads = checked_threads(threads)
    if nms_iou not in ("auto", None) and not (isinstance(nms_iou, int | float) and 0 <= nms_iou <= 1):
        raise ConfigError(f"nms_iou is {nms_iou!r}; it must lie from 0 to 1, or be None or 'auto'.")
    weights = find_weights(name_or_path, architecture)
    size = _check_size(input_size or weights.input_size)
    if compact:
        file = OnnxEngine(weights.path, threads, min(threads, MOST_AT_ONCE), device, libraries=("onnxruntime",))
        if tuple(file.outputs) == MAPS:
            if input_size is not None and file.input_shape[2:] != (size[1], size[0]):
                raise ConfigError(f"{weights.path} takes one input size only; leave out input_size.")
            overlap = None if nms_iou == "auto" else nms_iou
            return _exported(weights, file, overlap, score_floor, max_per_frame, half)
        if "stride8" not in file.outputs:
            raise WeightsError(
                f"{weights.path} is neither the compact model nor an export of FairMOT (its outputs are "
                f"{', '.join(list(file.outputs)[:5])}); load_detector() reads other ONNX files."
            )
        runner: Engine = file.of_file(half_file(weights.path, size), file.at_once) if half else file
    elif engine == "paddle":
        runner = _paddle_engine(weights.path, weights.architecture, size, device, threads)
    else:
        converted = onnx_file(weights.path, weights.architecture, size, weights.sha256)
        converted = half_file(converted, size) if half else converted
        runner = OnnxEngine(converted, threads, device=device)
    card = weights.card or (CARDS[BUNDLED.stem] if compact else None)
    return (CompactDetector if compact else FairMOTDetector)(
        weights.name,
        weights.architecture,
        size,
        weights.embedding_dim,
        weights.sha256,
        runner,
        (0.5 if compact else None) if nms_iou == "auto" else nms_iou,  # several of its cells tell of one person
        score_floor,
        _most_per_frame(max_per_frame, len(weights.class_names)),
        weights.class_names,
        card.tracker if card else {},
        half,
    )


def as_detector(model: Detector | str | os.PathLike[str]) -> Detector:
    """Return a detector: the given one, or that of a name or path that `load_model` takes.

    Raises
    ------
    ConfigError
        If it is not a detector.

    Examples
    --------
    >>> as_detector("fairmot_lite").name
    'fairmot_lite'
    """
    return load_model(model) if isinstance(model, str | os.PathLike) else check_detector(model)


def _folder(
    folder: Path,
    input_size: tuple[int, int] | None,
    engine: str,
    device: str,
    threads: int | None,
    score_floor: float,
) -> InferenceFolderDetector:
    """Return the detector of an exported folder, which paddle runs."""
    if engine not in ("auto", "paddle"):
        raise EngineError(f"{folder} is a program of paddle; leave engine at 'auto'.")
    device, _ = _choose(device, "paddle")
    detector = InferenceFolderDetector(folder, device=device, threads=checked_threads(threads), score_floor=score_floor)
    if input_size is not None and tuple(input_size) != detector.input_size:
        width, height = detector.input_size
        raise ConfigError(f"{folder} takes {width}x{height} pixels only; leave out input_size.")
    return detector


def _exported(
    weights: Weights,
    file: OnnxEngine,
    nms_iou: float | None,
    score_floor: float,
    max_per_frame: int | None,
    half: bool,
) -> FairMOTDetector:
    """Return the detector of an ONNX file that `export_model` wrote."""
    try:
        said = json.loads(file.metadata.get(KEY, "{}")[:100_000])
        names = {int(number): str(name) for number, name in said.get("class_names", {}).items()}
        architecture = str(said.get("architecture", "onnx"))
        tracker = dict(said.get("tracker", {}))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise WeightsError(
            f"{weights.path} describes itself in a way that cannot be read ({error}); export it again."
        ) from error
    classes, dimension = file.outputs["heatmap"][1], file.outputs["embedding"][1]
    sides = file.input_shape[3], file.input_shape[2]
    if not all(isinstance(number, int) for number in (classes, dimension, *sides)):
        raise WeightsError(f"{weights.path} has open shapes; export it with a fixed input size.")
    if set(names) != set(range(classes)):
        names = {}
    if not tracker and (card := card_of_file(weights.path.with_suffix(""))):
        tracker = dict(card.tracker)
    size = _check_size(sides)
    runner = file.of_file(half_file(weights.path, size) if half else weights.path, 1)  # one frame takes all threads
    return FairMOTDetector(
        weights.name,
        architecture,
        size,
        dimension,
        weights.sha256,
        runner,
        nms_iou,
        score_floor,
        _most_per_frame(max_per_frame, classes),
        names,
        tracker,
        half,
    )


def _most_per_frame(given: int | None, classes: int) -> int:
    """Return the largest number of detections of a frame: as given, else as the models are published."""
    return given if given is not None else 200 if classes > 1 else 500


def verify_weights(name_or_path: str | os.PathLike[str], architecture: str | None = None) -> Weights:
    """Check that weights are what was recorded, carry no code, and fit their network tensor by tensor.

    Parameters
    ----------
    name_or_path, architecture
        As for `load_model`; nothing is downloaded.

    Returns
    -------
    Weights

    Raises
    ------
    UnknownModelError, WeightsError
        If one of it is not so.
    """
    weights = find_weights(name_or_path, architecture, fetch=False)
    if weights.architecture == "lite":
        OnnxEngine(weights.path, 1)
    else:
        _loaded_network(weights.path, weights.architecture)
    return weights


def _choose(device: str, engine: str) -> tuple[str, str]:
    """Return the device and the engine to use."""
    if device not in ("auto", "cpu", "gpu", "openvino"):
        raise ConfigError(f"device is {device!r}; it must be 'auto', 'cpu', 'gpu' or 'openvino'.")
    if engine not in ("auto", "onnxruntime", "paddle"):
        raise ConfigError(f"engine is {engine!r}; it must be 'auto', 'onnxruntime' or 'paddle'.")
    if device == "openvino" and engine == "paddle":
        raise EngineError("device='openvino' needs onnxruntime; leave out engine='paddle'.")
    if engine == "onnxruntime" or device == "openvino":
        return onnx_device(device), "onnxruntime"
    import onnxruntime

    if engine == "auto" and device != "cpu" and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        return "gpu", "onnxruntime"
    if device == "gpu" or (device == "auto" and _paddle_may_have_cuda()):
        reason = _gpu_missing()
        if device == "gpu" and reason:
            raise EngineError(
                f"device='gpu' is not possible: {reason}, and this onnxruntime has no CUDA (install onnxruntime-gpu); "
                "give device='cpu'."
            )
        device = "cpu" if reason else "gpu"
    else:
        device = "cpu"
    return device, {"gpu": "paddle", "cpu": "onnxruntime"}[device] if engine == "auto" else engine


def _paddle_may_have_cuda() -> bool:
    """Detect the CUDA build without importing paddle: it is a distribution of another name."""
    try:
        return bool(importlib.metadata.version("paddlepaddle-gpu"))
    except importlib.metadata.PackageNotFoundError:
        return False


def _gpu_missing() -> str:
    """Return why paddle cannot use a GPU; empty where it can."""
    paddle = import_paddle()
    if not paddle.device.is_compiled_with_cuda():
        return "this paddle is built without CUDA (install paddlepaddle-gpu)"
    if paddle.device.cuda.device_count() < 1:
        return "paddle finds no CUDA device (see nvidia-smi)"
    return ""


def _check_size(size: tuple[int, int]) -> tuple[int, int]:
    try:
        width, height = (int(value) for value in size)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"input_size is {size!r}; it must be a pair of width and height, such as (576, 320)."
        ) from error
    if min(width, height) < 32 or width % 32 or height % 32:
        raise ConfigError(f"input_size is {width}x{height}; width and height must be multiples of 32.")
    return width, height


def _paddle_engine(weights: Path, architecture: str, size: tuple[int, int], device: str, threads: int) -> PaddleEngine:
    network = _loaded_network(weights, architecture)
    with tempfile.TemporaryDirectory() as folder:
        _save_program(network, Path(folder) / "network", size)
        return PaddleEngine(Path(folder) / "network", device, threads, onednn=architecture == "dla34")
