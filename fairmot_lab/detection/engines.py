"""Engines run a network: a letterboxed frame in, four maps out. And the means to let stages of work overlap."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import queue
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from .._files import cpu_count
from .._paddle import import_paddle
from ..data import STRIDE
from ..errors import ConfigError, EngineError
from .decode import find_peaks

if TYPE_CHECKING:
    from ..data import FrameDetections
    from ..sources.base import Frame

Maps = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
T = TypeVar("T")


CONVERTED_BY = ("onnxruntime", "paddle2onnx", "paddlepaddle", "paddledet")


class Engine(Protocol):
    """Runs one network at one input size.

    Attributes
    ----------
    name : str
        "onnxruntime" or "paddle".
    device : str
        "cpu" or "gpu".
    threads : int
        CPU threads that compute.
    at_once : int
        How many frames it may be asked for at the same time, from as many threads.
    libraries : tuple of str
        Distributions whose versions its figures depend on.
    """

    name: str
    device: str
    threads: int
    at_once: int
    libraries: tuple[str, ...]

    def __call__(self, blob: np.ndarray) -> Maps:
        """Heatmap, size, offset and embedding maps of a blob (N, 3, H, W) float32; each of them (N, C, H/4, W/4)."""
        ...


PROVIDERS = {"gpu": "CUDAExecutionProvider", "openvino": "OpenVINOExecutionProvider", "cpu": "CPUExecutionProvider"}


def onnx_device(device: str) -> str:
    """Return the device that the installed onnxruntime is to use; "auto" becomes "gpu" or "cpu".

    Raises
    ------
    ConfigError
        If there is no device of this name.
    EngineError
        If the installed onnxruntime lacks it.

    Examples
    --------
    >>> onnx_device("cpu")
    'cpu'
    """
    import onnxruntime

    if device not in (*PROVIDERS, "auto"):
        raise ConfigError(f"device is {device!r}; it must be 'auto', {', '.join(map(repr, PROVIDERS))}.")
    available = onnxruntime.get_available_providers()
    if device == "auto":
        device = "gpu" if PROVIDERS["gpu"] in available else "cpu"
    if PROVIDERS[device] not in available:
        package = {"gpu": "onnxruntime-gpu", "openvino": "onnxruntime-openvino"}[device]
        raise EngineError(
            f"device={device!r} is not possible: this onnxruntime has no {PROVIDERS[device]} (pip install {package} in "
            "place of onnxruntime); give device='cpu'."
        )
    return device


def open_session(path: Path, threads: int, device: str = "cpu") -> tuple[Any, str]:
    """Open an ONNX file with onnxruntime.

    Parameters
    ----------
    path
        The file.
    threads
        CPU threads that compute.
    device
        "cpu", "gpu" (CUDA), "openvino", or "auto": the first of CUDA and CPU that the installed onnxruntime has.

    Returns
    -------
    session : onnxruntime.InferenceSession
    device : str
        The one that is used.

    Raises
    ------
    EngineError
        If the installed onnxruntime lacks the device, or cannot run the file.
    """
    import onnxruntime

    device = onnx_device(device)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # Waiting threads that spin take the core that reads and letterboxes the next frame: a third of the CPU time
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=[PROVIDERS[device]])
    except Exception as error:  # onnxruntime raises classes of its own C++ module
        reason = " ".join(str(error).split())[:300]
        if "DeformConv" in reason:
            raise EngineError(
                f"{path} needs the operator DeformConv, which onnxruntime {onnxruntime.__version__} lacks on {device}; "
                "install onnxruntime 1.25 or later, or give engine='paddle'."
            ) from error
        if any(word in reason for word in ("DCNv2", "Plugin")):
            raise EngineError(
                f"{path} holds deformable convolutions as an operator that onnxruntime does not have; load the "
                "original weights (.pth or .pdparams) with load_model()."
            ) from error
        remedy = "export it again" if device == "cpu" else "give device='cpu'"
        raise EngineError(f"{path} cannot be run by onnxruntime on {device} ({reason}); {remedy}.") from error
    if PROVIDERS[device] not in session.get_providers():
        raise EngineError(
            f"device={device!r} is not possible: onnxruntime could not start {PROVIDERS[device]} (for CUDA: are the "
            "driver, CUDA and cuDNN of its version there?); give device='cpu'."
        )
    return session, device


def run_session(session: Any, inputs: dict[str, np.ndarray], path: Path) -> list[np.ndarray]:
    """Run an ONNX file.

    Raises
    ------
    EngineError
        If onnxruntime fails at it.
    """
    try:
        return session.run(None, inputs)
    except Exception as error:  # onnxruntime raises classes of its own C++ module
        reason = " ".join(str(error).split())[:300]
        raise EngineError(f"{path} fails in onnxruntime ({reason}); export it again.") from error


def library_versions(libraries: Iterable[str]) -> dict[str, str]:
    """Return the versions of installed distributions, left out where they are not installed under this name.

    Examples
    --------
    >>> list(library_versions(["numpy", "no-such-thing"]))
    ['numpy']
    """
    versions = {}
    for library in libraries:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[library] = importlib.metadata.version(library)
    return versions


class OnnxEngine:
    """onnxruntime, on CPU unless another device is given.

    Parameters
    ----------
    path
        An ONNX file with one input and the outputs heatmap, size, offset, embedding, in that order.
    threads
        CPU threads that compute.
    at_once
        Frames that are computed at the same time, each by its share of the threads.
    device
        As of `open_session`.
    libraries
        Distributions whose versions the figures depend on.

    Attributes
    ----------
    input_shape : tuple
    outputs : dict
        From name to shape.
    metadata : dict
        What the file says about itself.
    """

    name = "onnxruntime"

    def __init__(
        self,
        path: Path,
        threads: int,
        at_once: int = 1,
        device: str = "cpu",
        *,
        libraries: tuple[str, ...] = CONVERTED_BY,
    ) -> None:
        self.threads, self.at_once, self.path, self.libraries = threads, at_once, path, libraries
        self._session, self.device = open_session(path, threads // at_once, device)
        self._input = self._session.get_inputs()[0].name
        self.input_shape: tuple[Any, ...] = tuple(self._session.get_inputs()[0].shape)
        self.outputs: dict[str, tuple[Any, ...]] = {
            each.name: tuple(each.shape) for each in self._session.get_outputs()
        }
        self.metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map

    def __reduce__(self) -> tuple[Any, ...]:  # a session cannot be pickled
        given = self.path, self.threads, self.at_once, self.device
        return functools.partial(OnnxEngine, libraries=self.libraries), given

    def of_file(self, path: Path, at_once: int) -> OnnxEngine:
        """Return an engine of the same threads, device and libraries; this one where nothing differs."""
        if (path, at_once) == (self.path, self.at_once):
            return self
        return OnnxEngine(path, self.threads, at_once, self.device, libraries=self.libraries)

    def __call__(self, blob: np.ndarray) -> Maps:
        """Run the network."""
        maps: Any = tuple(run_session(self._session, {self._input: blob}, self.path))
        return maps


class PaddleEngine:
    """paddle.inference: on CPU or, with CUDA, on GPU.

    Parameters
    ----------
    program
        Path of a saved program, without `.json` / `.pdiparams`.
    device
        "cpu" or "gpu".
    threads
        CPU threads per frame.
    onednn
        Whether oneDNN computes on CPU; that of paddle 3.3 cannot run networks that interpolate.
    """

    name = "paddle"
    at_once = 1
    libraries: tuple[str, ...] = ("paddlepaddle", "paddledet")

    def __init__(self, program: Path, device: str, threads: int, onednn: bool) -> None:
        self.device, self.threads = device, threads
        self._predictor = paddle_predictor(f"{program}.json", f"{program}.pdiparams", device, threads, onednn)
        self._input = self._predictor.get_input_handle(self._predictor.get_input_names()[0])

    def __call__(self, blob: np.ndarray) -> Maps:
        """Run the network."""
        self._input.copy_from_cpu(np.ascontiguousarray(blob))
        self._predictor.run()
        names = self._predictor.get_output_names()
        return tuple(self._predictor.get_output_handle(name).copy_to_cpu() for name in names)


def paddle_predictor(program: str, parameters: str, device: str, threads: int, onednn: bool = False) -> Any:
    """Return paddle's predictor of a program; the parameters are those of `PaddleEngine`."""
    inference = import_paddle().inference
    config = inference.Config(program, parameters)
    if device == "gpu":
        config.enable_use_gpu(512, 0)
    else:
        config.disable_gpu()
        (config.enable_mkldnn if onednn else config.disable_mkldnn)()
        config.set_cpu_math_library_num_threads(threads)
    config.disable_glog_info()
    return inference.create_predictor(config)


def available_threads() -> int:
    """Return the CPU cores that this process may use, also inside a container with a quota."""
    cores = cpu_count()
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return min(cores, max(1, round(int(quota) / int(period))))
    except (OSError, ValueError):  # no cgroup, or "max": no quota
        return cores


def checked_threads(threads: int | None) -> int:
    """Return the number of CPU threads to use: all available ones where None is given.

    Raises
    ------
    ConfigError
        If it is not a whole number above 0.
    """
    threads = available_threads() if threads is None else threads
    if not isinstance(threads, int) or threads < 1:
        raise ConfigError(f"threads is {threads!r}; it must be a whole number, 1 or more.")
    return threads


def agreement(ours: Maps, reference: Maps) -> dict[str, float]:
    """Return how far two engines' maps of one frame are apart.

    Returns
    -------
    dict
        `heatmap`: largest difference of a centre score. `boxes`: largest difference of a box edge at the 500 best
        peaks, in input pixels; in percent of the box's longer side where that is above 100 pixels (rounding
        grows with size). `cosine`: smallest cosine between the embeddings of the peaks that score 0.05 or more.
        Elsewhere many cells score the same nothing, and the compact model may describe another of two.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> maps = tuple(random.random((1, channels, 8, 16), np.float32) for channels in (1, 4, 2, 8))
    >>> agreement(maps, maps)["boxes"], round(agreement((maps[0] + 0.5, *maps[1:]), maps)["heatmap"], 3)
    (0.0, 0.5)
    """
    classes, ys, xs = find_peaks(reference[0][0], 0.0, 500)
    scoring = reference[0][0][classes, ys, xs] >= 0.05
    edges = []
    for maps in (ours, reference):
        sides = maps[1][0][:, ys, xs]
        sides = sides if len(sides) == 4 else np.concatenate((sides, sides)) / 2
        centre = maps[2][0][:, ys, xs]
        edges.append(np.concatenate((centre - sides[:2], centre + sides[2:])))
    longer_side = (edges[1][2:] - edges[1][:2]).max(0, initial=0) * STRIDE
    difference = np.abs(edges[0] - edges[1]).max(0, initial=0) * STRIDE / np.maximum(longer_side / 100, 1)
    return {
        "heatmap": float(np.abs(ours[0] - reference[0]).max()),
        "boxes": float(difference.max(initial=0)),
        "cosine": float((ours[3][0] * reference[3][0]).sum(0)[ys, xs][scoring].min(initial=1)),
    }


def run_ahead(items: Iterable[T], depth: int = 2) -> Iterator[T]:
    """Iterate in a thread of its own, up to `depth` items ahead of the consumer.

    An error in `items` is raised here, behind the items that came before it. When the consumer stops early the thread
    ends with the item it is at.

    Examples
    --------
    >>> list(run_ahead(range(4), depth=2))
    [0, 1, 2, 3]
    """
    waiting: queue.Queue = queue.Queue(maxsize=depth)
    stop = threading.Event()

    def put(entry: tuple[str, object]) -> None:
        while not stop.is_set():
            try:
                return waiting.put(entry, timeout=0.1)
            except queue.Full:
                continue

    def work() -> None:
        iterator = iter(items)
        try:
            for item in iterator:
                put(("item", item))
                if stop.is_set():
                    break
            put(("end", None))
        except BaseException as error:
            put(("error", error))
        finally:
            if hasattr(iterator, "close"):
                iterator.close()  # a generator is closed where it ran

    thread = threading.Thread(target=work, name="fairmot_lab.run_ahead", daemon=True)
    thread.start()
    try:
        while True:
            kind, value = waiting.get()
            if kind == "end":
                return
            if kind == "error":
                raise value  # type: ignore[misc]
            yield value  # type: ignore[misc]
    finally:
        stop.set()
        thread.join()


def read_ahead(detector: Any, frames: Iterable[Frame]) -> Iterator[FrameDetections]:
    """Yield the detections of each frame, in order; the next frames are read meanwhile. A method of detectors."""
    with contextlib.closing(run_ahead(frames)) as ready:  # type: ignore[type-var]
        for frame in ready:
            yield detector(frame.image, frame=frame.number)
