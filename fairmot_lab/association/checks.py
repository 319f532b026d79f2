"""What a tracker refuses: detections that would give wrong tracks silently."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._jit import compiled
from ..data import FrameDetections
from ..errors import TrackingError
from .costs import dot


def own_copy(detections: Any, place: str | None = None) -> FrameDetections:
    """Copy detections into contiguous arrays of the types that compiled code takes.

    Parameters
    ----------
    detections
        Anything with `boxes` (N, 4: x, y, w, h in pixels), `scores` (N,), and where they exist `embeddings` (N, D) and
        `class_ids` (N,): a frame with its number `frame`, or a whole sequence.
    place
        What an error calls them; by default the frame.

    Raises
    ------
    TrackingError
        If the arrays do not belong together.
    """
    frame = int(getattr(detections, "frame", 0))
    place = place or f"frame {frame}"
    try:
        boxes = np.array(detections.boxes, np.float32, order="C").reshape(-1, 4)
        scores = np.array(detections.scores, np.float32, order="C").reshape(-1)
        embeddings = getattr(detections, "embeddings", None)
        class_ids = getattr(detections, "class_ids", None)
        if embeddings is not None:
            embeddings = np.array(embeddings, np.float32, order="C")
            embeddings = embeddings.reshape(len(scores), -1) if len(scores) else None
        class_ids = np.full(len(scores), -1) if class_ids is None else np.array(class_ids).reshape(-1)
    except ValueError as error:
        raise TrackingError(f"{place}: the arrays do not belong together ({error}); see FrameDetections.") from error
    if not len(boxes) == len(scores) == len(class_ids):
        raise TrackingError(
            f"{place} has {len(boxes)} boxes, {len(scores)} scores and {len(class_ids)} classes; "
            "each detection needs one of each."
        )
    if embeddings is not None and not embeddings.shape[1]:
        embeddings = None
    return FrameDetections(frame, boxes, scores, embeddings, class_ids.astype(np.int64))


def no_detections(frame: int) -> FrameDetections:
    """Return a frame without detections."""
    return FrameDetections(frame, np.empty((0, 4), np.float32), np.empty(0, np.float32))


def dimension(detections: FrameDetections) -> int:
    """Return the length of the embeddings, 0 where there are none."""
    return 0 if detections.embeddings is None else detections.embeddings.shape[1]


_FAULTS = {
    1: ("has the box {box}", "every number of a box must be finite"),
    2: ("has the box {box}", "width and height must be above 0"),
    3: ("has the score {score}", "scores must be finite"),
    4: ("has the score {score}", "scale scores to 0..1, or set any_scores=True for a detector with another scale"),
    5: ("has an embedding that is not finite", "detect again"),
    6: ("has an embedding of zeros", "leave embeddings out (None) where there are none"),
}


def check_detections(
    detections: FrameDetections, any_scores: bool, place: Callable[[int], str], several_classes: bool = False
) -> None:
    """Refuse detections that no tracker should accept.

    Parameters
    ----------
    detections
        As of `own_copy`.
    any_scores
        Whether scores outside 0..1 are accepted.
    place
        Gives the words for where a row is.
    several_classes
        Whether detections of more than one class are accepted.

    Raises
    ------
    TrackingError
        Naming the place, the value and the remedy.
    """
    features = detections.embeddings
    features = np.empty((len(detections), 0), np.float32) if features is None else features
    row, kind = _fault(detections.boxes, detections.scores, features, any_scores)
    if kind:
        box = ", ".join(f"{value:g}" for value in detections.boxes[row])
        what, remedy = _FAULTS[kind]
        what = what.format(box=f"({box})", score=f"{detections.scores[row]:g}")
        raise TrackingError(f"{place(row)} {what}; {remedy}.")
    classes = detections.class_ids
    if len(detections) and (classes != classes[0]).any() and not several_classes:
        row = int(np.argmax(classes != classes[0]))
        raise TrackingError(
            f"{place(row)} is of class {classes[row]}, the first of class {classes[0]}; "
            "track each class by itself with PerClass(tracker), --tracker per_class:NAME."
        )


def check_ascending(frames: np.ndarray) -> None:
    """Refuse frame numbers that do not ascend.

    Raises
    ------
    TrackingError
        Naming the first that does not.
    """
    late = np.flatnonzero(np.diff(frames) <= 0)
    if len(late):
        raise TrackingError(
            f"frame {frames[late[0] + 1]} comes after frame {frames[late[0]]}; give each frame once, in ascending "
            "order."
        )


def check_warp(warp: Any, frame: int) -> np.ndarray:
    """Return a camera motion as a (2, 3) float64 array.

    Raises
    ------
    TrackingError
        If it has another shape or is not finite.
    """
    matrix = np.asarray(warp, np.float64)
    if matrix.shape != (2, 3) or not np.isfinite(matrix).all():
        raise TrackingError(
            f"frame {frame} has a camera motion of shape {matrix.shape}; give a finite affine matrix of shape (2, 3)."
        )
    return matrix


@compiled
def _fault(boxes, scores, features, any_scores):
    """Return the first row that no tracker should accept and the key of what is wrong in `_FAULTS`; (-1, 0) if none."""
    for i in range(len(scores)):
        for c in range(4):
            if not np.isfinite(boxes[i, c]):
                return i, 1
        if not (boxes[i, 2] > 0 and boxes[i, 3] > 0):
            return i, 2
        if not np.isfinite(scores[i]):
            return i, 3
        if not any_scores and not (0 <= scores[i] <= 1):
            return i, 4
        if features.shape[1]:
            length = dot(features[i], features[i])
            if not np.isfinite(length):
                return i, 5
            if length == 0:
                return i, 6
    return -1, 0
