"""The detector seam: what the library asks of a detector, and the checks of what it gives."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from ..data import FrameDetections
from ..errors import ConfigError, DetectionsError

if TYPE_CHECKING:
    from ..sources.base import Frame


@runtime_checkable
class Detector(Protocol):
    """Anything that finds people, or other objects, in frames.

    A detector may also have `class_names` (from class id to name), `embedding_map(image)` (what similarity maps show)
    and `default_tracker` (the name and settings of the tracker it was published with).

    Attributes
    ----------
    name : str
        What figures and files call it.
    """

    name: str

    def describe(self) -> dict[str, Any]:
        """Return all that decides the detector's numbers, as JSON: weights, input size, thresholds, versions.

        Detections that were kept under another description are refused. The keys `engine` and `versions` may differ for
        detections that are complete.
        """
        ...

    def run(self, frames: Iterable[Frame]) -> Iterator[FrameDetections]:
        """Yield the detections of each frame, in order.

        `frame.number` counts from 1, `frame.image` is (H, W, 3) uint8, blue first. Boxes and scores are needed;
        embeddings, class ids, peaks and heatmaps may be None, then in every frame.
        """
        ...


def check_detector(detector: Any) -> Detector:
    """Return the detector if it has what the protocol asks for.

    Raises
    ------
    ConfigError
        If it lacks a part; the message names it.

    Examples
    --------
    >>> check_detector(len)
    Traceback (most recent call last):
    ...
    fairmot_lab.errors.ConfigError: builtin_function_or_method is not a detector: it has no name, describe(), run(); \
see fl.Detector.
    """
    parts = {"name": "name", "describe": "describe()", "run": "run()"}
    absent = [shown for part, shown in parts.items() if not hasattr(detector, part)]
    if not absent and not isinstance(detector.name, str):
        absent = ["name that is a text"]
    if absent:
        raise ConfigError(
            f"{type(detector).__name__} is not a detector: it has no {', '.join(absent)}; see fl.Detector."
        )
    return detector


def run_detector(detector: Detector, frames: Iterable[Frame]) -> Iterator[tuple[Frame, FrameDetections]]:
    """Yield each frame with its checked detections.

    Parameters
    ----------
    detector
        Anything that fulfils `Detector`.
    frames
        Frames with ascending numbers; the detector may read ahead.

    Raises
    ------
    DetectionsError
        If the detector leaves out a frame, changes the order, or gives arrays that do not belong together or are not
        finite.
    """
    waiting: deque[Frame] = deque()

    def remembered() -> Iterator[Frame]:
        for frame in frames:
            waiting.append(frame)
            yield frame

    results = iter(detector.run(remembered()))
    check_shapes = ShapeChecks(detector.name)
    try:
        for detections in results:
            expected = waiting[0].number if waiting else None
            given = getattr(detections, "frame", None)
            if expected is None or given != expected:
                wanted = "no frame was left" if expected is None else f"frame {expected} was expected"
                raise DetectionsError(
                    f"{detector.name} gave detections of frame {given} where {wanted}; "
                    "run() must yield one FrameDetections per frame, in order."
                )
            check_shapes(detections)
            _check_finite(detections, detector.name)
            yield waiting.popleft(), detections
        if waiting:
            raise DetectionsError(
                f"{detector.name} ended before frame {waiting[0].number}; run() must yield detections of each."
            )
    finally:
        if hasattr(results, "close"):
            results.close()


def _check_finite(detections: FrameDetections, name: str) -> None:
    for part in ("boxes", "scores", "embeddings", "heatmap"):
        values = getattr(detections, part)
        if values is not None and not np.isfinite(values).all():
            raise DetectionsError(
                f"{name}, frame {detections.frame}: {part} holds numbers that are not finite; correct the detector."
            )


class ShapeChecks:
    """Check the detections of one frame after another: what is there must be there in every frame.

    Parameters
    ----------
    name
        What a message calls the detections.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._dimension: int | None = None  # of the embeddings; 0: none
        self._has_heatmap: bool | None = None

    def __call__(self, detections: FrameDetections) -> None:
        """Raise a DetectionsError if arrays do not belong together."""
        place = f"{self.name}, frame {detections.frame}"
        count = len(detections.scores)
        shapes = {"boxes": (count, 4), "scores": (count,), "class_ids": (count,), "peaks": (count, 2)}
        for part, shape in shapes.items():
            values = getattr(detections, part)
            if values is None and part == "peaks":
                continue
            if np.shape(values) != shape:
                raise DetectionsError(
                    f"{place}: {part} has the shape {np.shape(values)} where {shape} was expected; see FrameDetections."
                )
        embeddings = detections.embeddings
        if count:
            dimension = 0 if embeddings is None else np.shape(embeddings)[-1]
            if embeddings is not None and np.shape(embeddings) != (count, dimension):
                raise DetectionsError(
                    f"{place}: embeddings have the shape {np.shape(embeddings)} where ({count}, D) was expected; "
                    "see FrameDetections."
                )
            if self._dimension is not None and dimension != self._dimension:
                raise DetectionsError(
                    f"{place} has embeddings of {dimension} numbers and the frames before of {self._dimension}; "
                    "give them in every frame or in none (None)."
                )
            self._dimension = dimension
        has_heatmap = detections.heatmap is not None
        if self._has_heatmap is not None and has_heatmap != self._has_heatmap:
            raise DetectionsError(f"{place}: heatmaps come and go; give one in every frame or in none (None).")
        if has_heatmap and detections.letterbox is None:
            raise DetectionsError(f"{place} has a heatmap without a letterbox, which places its cells in the image.")
        self._has_heatmap = has_heatmap
