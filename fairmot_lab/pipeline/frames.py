"""Track a source frame by frame."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..association.base import Tracker
from ..association.camera_motion import MASK_SCORE, METHODS, MotionEstimator
from ..association.per_class import PerClass
from ..association.registry import as_tracker, tracker_from_dict
from ..association.run import tracks_table
from ..data import FrameDetections, FrameTracks
from ..detection.detector import run_detector
from ..detection.model import as_detector
from ..detection.zoo import ALIASES, CARDS, card_of_file
from ..errors import ConfigError
from ..sources.base import Frame, Source
from ..sources.open import open_source

if TYPE_CHECKING:
    from ..detection.detector import Detector


DEFAULT_MODEL = "fairmot_lite"


@dataclasses.dataclass(frozen=True)
class FrameResult:
    """The tracking result of one frame.

    Attributes
    ----------
    frame : Frame
        Number (from 1), image and time.
    frame_tracks : FrameTracks
        Its tracks as arrays.
    detections : FrameDetections
        What the network said; with a heatmap where one was asked for.
    """

    frame: Frame
    frame_tracks: FrameTracks
    detections: FrameDetections

    @cached_property
    def tracks(self) -> pd.DataFrame:
        """The tracks of this frame: `frame`, `id`, `x`, `y`, `w`, `h` (pixels), `score`, `class_id`, `det`."""
        return tracks_table([self.frame_tracks])


def stream(
    source: Any,
    tracker: Tracker | str | None = None,
    *,
    model: Detector | str | os.PathLike[str] = DEFAULT_MODEL,
    score_threshold: float = 0.0,
    heatmaps: bool = False,
    camera_motion: str | None = None,
) -> Iterator[FrameResult]:
    """Track frame by frame, in memory that does not grow.

    Parameters
    ----------
    source
        Anything that `open_source` takes: a file, a camera number, an RTSP address, an iterator of arrays.
    tracker
        A tracker (a clone is used) or its name; by default the one that the model was published with.
    model
        A `Detector`, or a name or path that `load_model` takes; the bundled compact model unless given.
    score_threshold
        Tracks with a lower score are not reported. The tracker itself sees every detection.
    heatmaps
        Whether the detections carry the centre heatmap.
    camera_motion
        How the camera's motion is estimated for the tracker: "flow", "orb" or "ecc"; not at all unless given.

    Yields
    ------
    FrameResult
        One for each frame, at once.

    Raises
    ------
    SourceError
        If the source cannot be opened (before the first frame) or read further.

    Examples
    --------
    >>> scene = fl.example()
    >>> results = stream(scene.source, model="fairmot_lite")
    >>> next(results).frame.number
    1
    >>> results.close()
    """
    check_threshold("score_threshold", score_threshold)
    source, model = open_source(source), as_detector(model)
    tracker = chosen_tracker(tracker, model, source)
    return tracked_frames(
        source, model, tracker, score_threshold, heatmaps, CameraInput(camera_motion, tracker, source)
    )


class CameraInput:
    """The camera's motion of one frame after another: given, estimated, or not wanted."""

    def __init__(self, motion: Mapping[int, np.ndarray] | str | None, tracker: Tracker, source: Source) -> None:
        if motion is not None and not tracker.uses_camera_motion:
            raise ConfigError(f"{tracker.name} does not use camera motion; leave camera_motion out.")
        self.given = motion if isinstance(motion, Mapping) else {}
        self.estimator = None
        if isinstance(motion, str):
            if motion not in METHODS:
                raise ConfigError(f"There is no camera motion {motion!r}; there are {', '.join(METHODS)}.")
            self.estimator = MotionEstimator(source.width, source.height, motion)

    def warp(self, frame: Frame | None, detections: FrameDetections) -> np.ndarray | None:
        """Return the matrix (2, 3) of a frame."""
        if self.estimator is None or frame is None:
            return self.given.get(detections.frame)
        matrix = self.estimator.update(frame.image, detections.boxes[detections.scores >= MASK_SCORE])[:6]
        return np.reshape(matrix, (2, 3))


def tracked_frames(
    source: Source, model: Detector, tracker: Tracker, score_threshold: float, heatmaps: bool, camera: CameraInput
) -> Iterator[FrameResult]:
    """Yield the results of each frame with a tracker and detector that are ready."""
    results = run_detector(model, source.frames())
    with contextlib.closing(results):  # type: ignore[type-var]
        for frame, detections in results:
            if not heatmaps:
                detections.heatmap = None
            tracks = tracker.update(detections, camera.warp(frame, detections))
            yield FrameResult(frame, above(tracks, score_threshold), detections)


def above(tracks: FrameTracks, threshold: float) -> FrameTracks:
    """Return the tracks of a frame whose score is at least `threshold`.

    Examples
    --------
    >>> two = FrameTracks(1, np.array([7, 8]), np.zeros((2, 4)), np.array([0.9, 0.2]), np.zeros(2, int), np.arange(2))
    >>> above(two, 0.5).ids.tolist()
    [7]
    """
    if threshold <= 0 or not len(tracks):
        return tracks
    rows = tracks.scores >= threshold
    return FrameTracks(
        tracks.frame,
        tracks.ids[rows],
        tracks.boxes[rows],
        tracks.scores[rows],
        tracks.class_ids[rows],
        tracks.detections[rows],
    )


def chosen_tracker(tracker: Tracker | str | None, model: Detector, source: Source) -> Tracker:
    """Return a fresh tracker for a source: the given one, or that which the model was published with."""
    wanted = recommended_tracker(model) if tracker is None else as_tracker(tracker)
    fresh = wanted.clone(source.frame_rate)
    fresh.frame_grid = source.frame_grid
    return fresh


def recommended_tracker(model: Detector | str | os.PathLike[str]) -> Tracker:
    """Return the tracker that a model was published with, with its settings; `JDETracker()` where that is unknown.

    Parameters
    ----------
    model
        A detector, or a name or path that `load_model` takes. Detectors of several classes get `PerClass` of it.

    Examples
    --------
    >>> recommended_tracker("fairmot_dla34_30e_1088x608_airplane")
    JDETracker(min_box_area=0.0, vertical_ratio=0.0)
    >>> recommended_tracker("mcfairmot_dla34_30e_1088x608_visdrone")
    PerClass(JDETracker(min_box_area=0.0, vertical_ratio=0.0))
    """
    if isinstance(model, str | os.PathLike):
        name = os.fspath(model)
        if Path(name).suffix == ".onnx" and Path(name).is_file():  # it says itself what it is
            return recommended_tracker(as_detector(name))
        card = CARDS.get(ALIASES.get(name, name)) or card_of_file(Path(name))
        settings, classes = (card.tracker, len(card.classes)) if card else ({}, 1)
    else:
        settings = getattr(model, "default_tracker", None) or {}
        classes = len(getattr(model, "class_names", None) or {})
    tracker = tracker_from_dict(settings)
    return PerClass(tracker) if classes > 1 else tracker


def check_threshold(name: str, value: float) -> None:
    """Raise a ConfigError unless a threshold is a number from 0 to 1.

    Examples
    --------
    >>> check_threshold("score_threshold", 1.5)
    Traceback (most recent call last):
    ...
    fairmot_lab.errors.ConfigError: score_threshold is 1.5; it must lie from 0 to 1.
    """
    if not (isinstance(value, int | float | np.number) and 0 <= value <= 1):
        raise ConfigError(f"{name} is {value}; it must lie from 0 to 1.")
