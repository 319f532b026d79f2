"""What a tracker refuses: detections that would give wrong tracks silently."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._jit import compiled
from ..data import FrameDetections, FrameTracks
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
    number = getattr(detections, "frame", 0)
    try:
        frame = int(number)
    except (TypeError, ValueError, OverflowError):
        frame = None
    if frame is None or frame != number:
        raise TrackingError(f"Frame {number} is not a whole number; number the frames 1, 2, 3, ...")
    place = place or f"Frame {frame}"
    try:
        boxes = np.array(detections.boxes, np.float32, order="C")
        if not boxes.size:
            boxes = boxes.reshape(0, 4)
        scores = np.array(detections.scores, np.float32, order="C").ravel()
        embeddings = getattr(detections, "embeddings", None)
        class_ids = getattr(detections, "class_ids", None)
        if embeddings is not None:
            embeddings = np.array(embeddings, np.float32, order="C") if len(scores) else None
        if class_ids is not None:
            given = np.array(class_ids).reshape(-1)
            class_ids = given.astype(np.int64) if np.isfinite(given).all() else np.full(len(given), -1)
            if (class_ids != given).any():
                odd = given[class_ids != given][0]
                raise TrackingError(f"{place} has the class id {odd}; class ids are whole numbers.")
    except ValueError as error:
        raise TrackingError(f"{place}: the arrays do not belong together ({error}); see FrameDetections.") from error
    count = len(scores)
    for what, array, wanted in (("boxes", boxes, "N, 4"), ("embeddings", embeddings, "N, D")):
        if array is not None and (array.ndim != 2 or (what == "boxes" and array.shape[1] != 4)):
            shape = ", ".join(map(str, array.shape))
            raise TrackingError(
                f"{place}: the arrays do not belong together ({what} of shape ({shape}), not "
                f"({wanted})); see FrameDetections."
            )
    if embeddings is not None and len(embeddings) != count:
        raise TrackingError(
            f"{place} has {len(embeddings)} embeddings and {count} scores; each detection needs one of each."
        )
    if len(boxes) != count or (class_ids is not None and len(class_ids) != count):
        kinds = count if class_ids is None else len(class_ids)
        raise TrackingError(
            f"{place} has {len(boxes)} boxes, {count} scores and {kinds} classes; each detection needs one of each."
        )
    if embeddings is not None and not embeddings.shape[1]:
        embeddings = None
    return FrameDetections(frame, boxes, scores, embeddings, class_ids)  # type: ignore[arg-type]  # None: filled in


def no_detections(frame: int) -> FrameDetections:
    """Return a frame without detections."""
    return FrameDetections(frame, np.empty((0, 4), np.float32), np.empty(0, np.float32))


def no_tracks(frame: int) -> FrameTracks:
    """Return a frame in which no track is reported."""
    none = np.empty(0, np.int64)
    return FrameTracks(frame, none, np.empty((0, 4), np.float32), np.empty(0, np.float32), none, none)


def dimension(detections: FrameDetections) -> int:
    """Return the length of the embeddings, 0 where there are none."""
    return 0 if detections.embeddings is None else detections.embeddings.shape[1]


NO_FEATURES = np.empty((0, 0), np.float32)
_FAULTS = {
    1: ("has the box {box}", "every number of a box must be finite"),
    2: ("has the box {box}", "width and height must be above 0"),
    3: ("has the score {score}", "scores must be finite"),
    4: ("has the score {score}", "scale scores to 0..1, or give the tracker any_scores=True for another scale"),
    5: ("has an embedding that is not finite", "detect again"),
    6: ("has an embedding of zeros", "leave embeddings out (None) where there are none"),
    7: (
        "is of class {class_id}, the first of class {first_class}",
        "track each class by itself with PerClass(tracker), --tracker per_class:NAME",
    ),
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
    features, classes = detections.embeddings, detections.class_ids
    features = NO_FEATURES if features is None else features
    row, kind = _fault(detections.boxes, detections.scores, features, classes, any_scores, several_classes)
    if kind:
        box = ", ".join(f"{value:g}" for value in detections.boxes[row])
        what, remedy = _FAULTS[kind]
        values = {"box": f"({box})", "score": f"{detections.scores[row]:g}"}
        what = what.format(**values, class_id=classes[row], first_class=classes[0])
        raise TrackingError(f"{place(row)} {what}; {remedy}.")


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
            f"Frame {frames[late[0] + 1]} comes after frame {frames[late[0]]}; give each frame once, in ascending "
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
    if matrix.shape != (2, 3):
        raise TrackingError(
            f"Frame {frame} has a camera motion of shape {matrix.shape}; give an affine matrix of shape (2, 3)."
        )
    if not np.isfinite(matrix).all():
        raise TrackingError(f"Frame {frame} has a camera motion that is not finite; give finite numbers.")
    return matrix


@compiled
def _fault(boxes, scores, features, classes, any_scores, several_classes):
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
    if not several_classes:
        for i in range(len(classes)):
            if classes[i] != classes[0]:
                return i, 7
    return -1, 0
