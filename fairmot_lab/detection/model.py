"""Load a model, and run it on frames."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .._paddle import import_paddle
from ..data import FrameDetections, Letterbox
from ..errors import ConfigError, EngineError, SourceError, WeightsError
from .decode import decode
from .download import Weights, find_weights
from .engines import Engine, Maps, OnnxEngine, PaddleEngine, available_threads, run_ahead
from .fairmot import _loaded_network, _save_program
from .letterbox import letterbox
from .onnx import onnx_file
from .weights import file_sha256

if TYPE_CHECKING:
    from ..sources.base import Frame


NMS_IOU = {"lite": 0.5}  # its coarse cells tell one person more than once; measured in docs/models/fairmot_lite.md


# Layers that are too small for two threads to share: each thread computes a frame of its
# own. More than this the one thread that reads and letterboxes cannot feed.
MOST_AT_ONCE = {"lite": 8}


class FairMOTDetector:
    """A FairMOT network with its weights, ready to run: a `Detector`.

    Attributes
    ----------
    name : str
        The zoo's name, or the stem of the weights file.
    architecture : str
        "lite", "dla34", "hrnetv2_w18" or "hardnet85".
    input_size : (int, int)
        Width and height of the network's input in pixels.
    embedding_dim : int
    weights_sha256 : str
    nms_iou : float or None
        Boxes that overlap a better one by more than this are left out; None: FairMOT's peak rule alone.
    score_floor : float
        Smallest centre score of a detection, in 0..1.
    max_per_frame : int
        Largest number of detections of a frame, best first.
    versions : dict
        Versions of the libraries that the figures depend on.
    class_names : dict
        From class id to name; empty where the weights' file does not tell.
    default_tracker : dict
        Name and settings of the tracker that the model was published with; what differs from `JDETracker()`.
    """

    def __init__(
        self,
        name: str,
        architecture: str,
        input_size: tuple[int, int],
        embedding_dim: int,
        weights_sha256: str,
        run_engine: Engine,
        nms_iou: float | None = None,
        score_floor: float = 0.05,
        max_per_frame: int = 500,
        class_names: Mapping[int, str] | None = None,
        default_tracker: Mapping[str, Any] | None = None,
    ) -> None:
        if not 0 < score_floor < 1:
            raise ConfigError(f"score_floor is {score_floor}; it must lie between 0 and 1.")
        if max_per_frame < 1:
            raise ConfigError(f"max_per_frame is {max_per_frame}; it must be 1 or more.")
        self.name = name
        self.architecture = architecture
        self.input_size = input_size
        self.embedding_dim = embedding_dim
        self.weights_sha256 = weights_sha256
        self.nms_iou = nms_iou
        self.score_floor = score_floor
        self.max_per_frame = max_per_frame
        self.versions = {library: importlib.metadata.version(library) for library in run_engine.libraries}
        self.class_names = dict(class_names or {})
        self.default_tracker = dict(default_tracker or {})
        self._engine = run_engine

    def __repr__(self) -> str:
        width, height = self.input_size
        return f"<{self.name}: {self.architecture} at {width}x{height}, {self.engine} on {self.device}>"

    @property
    def engine(self) -> str:
        """ "onnxruntime" or "paddle"."""
        return self._engine.name

    @property
    def device(self) -> str:
        """ "cpu" or "gpu"."""
        return self._engine.device

    @property
    def threads(self) -> int:
        """CPU threads that compute."""
        return self._engine.threads

    @property
    def at_once(self) -> int:
        """Frames that `run` computes at the same time: one a thread, at most 8, with the compact model, else 1."""
        return self._engine.at_once

    def describe(self) -> dict[str, Any]:
        """Return all that decides the numbers, and what computed them."""
        return {
            "architecture": self.architecture,
            "weights_sha256": self.weights_sha256,
            "input_width": self.input_size[0],
            "input_height": self.input_size[1],
            "embedding_dim": self.embedding_dim,
            "score_floor": self.score_floor,
            "max_per_frame": self.max_per_frame,
            "nms_iou": self.nms_iou,
            "engine": self.engine,
            "versions": self.versions,
        }

    def __call__(self, image: np.ndarray, *, frame: int = 0) -> FrameDetections:
        """Return boxes, scores, embeddings and heatmap of one image.

        Parameters
        ----------
        image : (H, W, 3) uint8
            Blue first, as OpenCV reads it.
        frame
            Frame number that the detections carry.

        Returns
        -------
        FrameDetections
            Boxes in pixels of the image.

        Raises
        ------
        SourceError
            If it is not such an image.
        WeightsError
            If the network gives numbers that are not finite.
        """
        blob, box = self.prepare(image)
        return self._decode(self.infer(blob, frame), box, frame)

    def embedding_map(self, image: np.ndarray) -> np.ndarray:
        """Return the appearance vector of every cell of one image: (D, H/4, W/4) float32, unit length along axis 0."""
        return self.infer(self.prepare(image)[0])[3][0].copy()

    def _decode(self, maps: Maps, box: Letterbox, frame: int) -> FrameDetections:
        return decode(
            *maps,
            box,
            frame=frame,
            score_floor=self.score_floor,
            max_per_frame=self.max_per_frame,
            nms_iou=self.nms_iou,
        )

    def prepare(self, image: np.ndarray) -> tuple[np.ndarray, Letterbox]:
        """Letterbox an image into the network's input."""
        if not (isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3):
            got = f"{image.shape} {image.dtype}" if isinstance(image, np.ndarray) else type(image).__name__
            raise SourceError(f"An image must be an array (height, width, 3) of uint8, blue first; this is {got}.")
        return letterbox(image, self.input_size)

    def infer(self, blob: np.ndarray, frame: int = 0) -> Maps:
        """Run the network on letterboxed input: heatmap, size, offset and embedding maps."""
        maps = self._engine(blob)
        for part, values in zip(("scores", "sizes", "offsets", "embeddings"), maps, strict=True):
            if not np.isfinite(values).all():
                place = f" in frame {frame}" if frame else ""
                raise WeightsError(f"{self.name} gives {part} that are not finite{place}; its weights are broken.")
        return maps

    def run(self, frames: Iterable[Frame]) -> Iterator[FrameDetections]:
        """Run over frames; reading and letterboxing, the network, and the consumer's work overlap.

        Yields
        ------
        FrameDetections
            In the order of the frames. At most six frames are in memory; with the compact model five, and one for each
            that is computed at once.
        """

        def prepared() -> Iterator[tuple[int, np.ndarray, Letterbox]]:
            for frame in frames:
                yield frame.number, *self.prepare(frame.image)

        def submitted() -> Iterator[tuple[int, Future[Maps], Letterbox]]:
            with contextlib.closing(run_ahead(prepared())) as ready:  # type: ignore[type-var]
                for number, blob, box in ready:
                    yield number, pool.submit(self.infer, blob, number), box

        pool = ThreadPoolExecutor(self.at_once, thread_name_prefix="fairmot_lab.model")
        with contextlib.ExitStack() as stack:
            stack.callback(pool.shutdown, cancel_futures=True)
            results = stack.enter_context(contextlib.closing(run_ahead(submitted(), depth=self.at_once)))  # type: ignore[type-var]
            for number, maps, box in results:
                yield self._decode(maps.result(), box, number)


def load_model(
    name_or_path: str | os.PathLike[str] = "fairmot_lite",
    *,
    architecture: str | None = None,
    input_size: tuple[int, int] | None = None,
    engine: str = "auto",
    device: str = "auto",
    threads: int | None = None,
    nms_iou: float | Literal["auto"] | None = "auto",
    score_floor: float = 0.05,
    max_per_frame: int | None = None,
) -> FairMOTDetector:
    """Load a model of the zoo, or weights from a file.

    The first time onnxruntime runs some weights at some input size the network is converted to ONNX, compared with
    paddle on a photograph, and kept in the cache; that takes 10 to 60 seconds, and paddle is not needed again.

    Parameters
    ----------
    name_or_path
        A name of the zoo (`fairmot-lab models list`; downloaded if need be), or a `.pdparams`, `.safetensors` or `.npz`
        file, or a `.pth` file of FairMOT's authors (DLA-34). Nothing in a file runs.
    architecture
        Of a weights file whose name and tensors do not tell: "lite", "dla34", "hrnetv2_w18", "hardnet85".
    input_size
        (width, height) in pixels, multiples of 32; the size that the weights were trained for unless given.
    engine
        "onnxruntime", "paddle", or "auto": onnxruntime on CPU, paddle on GPU.
    device
        "cpu", "gpu", or "auto": a GPU where paddle finds one.
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
    FairMOTDetector

    Raises
    ------
    UnknownModelError
        If the zoo has no such name.
    WeightsError
        If the weights are damaged, unsafe, or of another architecture (it lists the first tensors that do not fit).
    DownloadError
        If weights have to be fetched and cannot.
    EngineError
        If this machine does not offer the engine or device.

    Examples
    --------
    >>> load_model("fairmot_lite", threads=1).embedding_dim
    64
    """
    device, engine = _choose(device, engine)
    threads = available_threads() if threads is None else threads
    if threads < 1:
        raise ConfigError(f"threads is {threads}; it must be 1 or more.")
    if nms_iou not in ("auto", None) and not (isinstance(nms_iou, int | float) and 0 <= nms_iou <= 1):
        raise ConfigError(f"nms_iou is {nms_iou!r}; it must lie from 0 to 1, or be None or 'auto'.")
    weights = find_weights(name_or_path, architecture)
    overlap = NMS_IOU.get(weights.architecture) if nms_iou == "auto" else nms_iou
    size = _check_size(input_size or weights.input_size)
    digest = file_sha256(weights.path)
    if engine == "paddle":
        runner: Engine = _paddle_engine(weights.path, weights.architecture, size, device, threads)
    else:
        at_once = min(threads, MOST_AT_ONCE.get(weights.architecture, 1))
        runner = OnnxEngine(onnx_file(weights.path, weights.architecture, size, digest), threads, at_once)
    return FairMOTDetector(
        weights.name,
        weights.architecture,
        size,
        weights.embedding_dim,
        digest,
        runner,
        overlap,
        score_floor,
        max_per_frame if max_per_frame is not None else (200 if len(weights.class_names) > 1 else 500),
        weights.class_names,
        weights.card.tracker if weights.card else None,
    )


def verify_weights(name_or_path: str | os.PathLike[str], architecture: str | None = None) -> tuple[Weights, str]:
    """Check that weights are what was recorded, carry no code, and fit their network tensor by tensor.

    Parameters
    ----------
    name_or_path, architecture
        As for `load_model`; nothing is downloaded.

    Returns
    -------
    weights : zoo.Weights
    digest : str
        The SHA-256 of the file.

    Raises
    ------
    UnknownModelError, WeightsError
        If one of it is not so.
    """
    weights = find_weights(name_or_path, architecture, fetch=False)
    _loaded_network(weights.path, weights.architecture)
    return weights, file_sha256(weights.path)


def _choose(device: str, engine: str) -> tuple[str, str]:
    if device not in ("auto", "cpu", "gpu"):
        raise ConfigError(f"device is {device!r}; it must be 'auto', 'cpu' or 'gpu'.")
    if engine not in ("auto", "onnxruntime", "paddle"):
        raise ConfigError(f"engine is {engine!r}; it must be 'auto', 'onnxruntime' or 'paddle'.")
    if device == "gpu" and engine == "onnxruntime":
        raise EngineError("onnxruntime runs on the CPU here; give engine='paddle' (or 'auto') for device='gpu'.")
    if device == "gpu" or (device == "auto" and engine != "onnxruntime" and _paddle_may_have_cuda()):
        reason = _gpu_missing()
        if device == "gpu" and reason:
            raise EngineError(f"device='gpu' is not possible: {reason}; give device='cpu'.")
        device = "cpu" if reason else "gpu"
    else:
        device = "cpu"
    return device, {"gpu": "paddle", "cpu": "onnxruntime"}[device] if engine == "auto" else engine


def _paddle_may_have_cuda() -> bool:
    """Told without importing paddle: the CUDA build is a distribution of another name."""
    try:
        return bool(importlib.metadata.version("paddlepaddle-gpu"))
    except importlib.metadata.PackageNotFoundError:
        return False


def _gpu_missing() -> str:
    """Why there is no GPU for paddle; empty where there is one."""
    paddle = import_paddle()
    if not paddle.device.is_compiled_with_cuda():
        return "this paddle is built without CUDA (install paddlepaddle-gpu)"
    if paddle.device.cuda.device_count() < 1:
        return "paddle finds no CUDA device (see nvidia-smi)"
    return ""


def _check_size(size: tuple[int, int]) -> tuple[int, int]:
    width, height = (int(value) for value in size)
    if min(width, height) < 32 or width % 32 or height % 32:
        raise ConfigError(f"input_size is {width}x{height}; width and height must be multiples of 32.")
    return width, height


def _paddle_engine(weights: Path, architecture: str, size: tuple[int, int], device: str, threads: int) -> PaddleEngine:
    network = _loaded_network(weights, architecture)
    with tempfile.TemporaryDirectory() as folder:
        _save_program(network, Path(folder) / "network", size)
        return PaddleEngine(Path(folder) / "network", device, threads, onednn=architecture == "dla34")
