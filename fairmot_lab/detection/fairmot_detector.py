"""Run a FairMOT network over frames: reading, letterboxing and the network overlap."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import InitVar, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import FrameDetections, Letterbox
from ..errors import ConfigError, WeightsError
from .decode import decode
from .engines import Engine, Maps, library_versions, run_ahead
from .letterbox import check_image, letterbox

if TYPE_CHECKING:
    from ..sources.base import Frame


@dataclass(eq=False, repr=False)
class FairMOTDetector:
    """A FairMOT network with its weights, ready to run: a `Detector`.

    Attributes
    ----------
    name : str
        The zoo's name, or the stem of the weights file.
    architecture : str
        "dla34", "hrnetv2_w18" or "hardnet85"; "lite" of the compact model.
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
    half : bool
        Whether it computes in half precision.
    """

    name: str
    architecture: str
    input_size: tuple[int, int]
    embedding_dim: int
    weights_sha256: str
    run_engine: InitVar[Engine]
    nms_iou: float | None = None
    score_floor: float = 0.05
    max_per_frame: int = 500
    class_names: Mapping[int, str] = field(default_factory=dict)
    default_tracker: Mapping[str, Any] = field(default_factory=dict)
    half: bool = False

    def __post_init__(self, run_engine: Engine) -> None:
        if not 0 < self.score_floor < 1:
            raise ConfigError(f"score_floor is {self.score_floor}; it must lie between 0 and 1.")
        if self.max_per_frame < 1:
            raise ConfigError(f"max_per_frame is {self.max_per_frame}; it must be 1 or more.")
        self.class_names, self.default_tracker = dict(self.class_names), dict(self.default_tracker)
        self.versions = library_versions(run_engine.libraries)
        self._engine = run_engine

    def __repr__(self) -> str:
        width, height = self.input_size
        precision = ", half precision" if self.half else ""
        return f"<{self.name}: {self.architecture} at {width}x{height}, {self.engine} on {self.device}{precision}>"

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
        } | ({"precision": "half"} if self.half else {})

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
        return self._compute(*self.prepare(image), frame)

    def embedding_map(self, image: np.ndarray) -> np.ndarray:
        """Return the appearance vector of every cell of one image: (D, H/4, W/4) float32, unit length along axis 0."""
        return self.infer(self.prepare(image)[0])[3][0].copy()

    def _compute(self, blob: np.ndarray, box: Letterbox, frame: int) -> FrameDetections:
        return decode(
            *self.infer(blob, frame),
            box,
            frame=frame,
            score_floor=self.score_floor,
            max_per_frame=self.max_per_frame,
            nms_iou=self.nms_iou,
        )

    def prepare(self, image: np.ndarray) -> tuple[np.ndarray, Letterbox]:
        """Letterbox an image into the network's input."""
        check_image(image)
        return self._letterbox(image)

    def _letterbox(self, image: np.ndarray) -> tuple[np.ndarray, Letterbox]:
        return letterbox(image, self.input_size)

    def infer(self, blob: np.ndarray, frame: int = 0) -> Maps:
        """Run the network on letterboxed input: heatmap, size, offset and embedding maps."""
        maps = self._engine(blob)
        for part, values in zip(("scores", "sizes", "offsets", "embeddings"), maps, strict=True):
            self._check_finite(part, values, frame)
        return maps

    def _check_finite(self, part: str, values: np.ndarray, frame: int) -> None:
        if not np.isfinite(values).all():
            place = f" in frame {frame}" if frame else ""
            raise WeightsError(
                f"{self.name} gives {part} that are not finite{place}: its weights are broken; load others."
            )

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

        def submitted() -> Iterator[Future[FrameDetections]]:
            with contextlib.closing(run_ahead(prepared())) as ready:  # type: ignore[type-var]
                for number, blob, box in ready:
                    yield pool.submit(self._compute, blob, box, number)

        pool = ThreadPoolExecutor(self.at_once, thread_name_prefix="fairmot_lab.model")
        with contextlib.ExitStack() as stack:
            stack.callback(pool.shutdown, cancel_futures=True)
            results = stack.enter_context(contextlib.closing(run_ahead(submitted(), depth=self.at_once)))  # type: ignore[type-var]
            for detections in results:
                yield detections.result()
