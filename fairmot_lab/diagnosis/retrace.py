"""Track the detections of an evaluated sequence again, and make sure that the tracks are those that were evaluated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..association.base import Tracker
from ..association.registry import tracker_for
from ..association.run import Trace, trace
from ..boxes import BOX
from ..detection.cache import as_detections
from ..errors import EvaluationError

if TYPE_CHECKING:
    from ..data import FrameDetections
    from ..detection.detections import Detections
    from ..evaluation.events import SequenceEvaluation
    from ..evaluation.result import Evaluation


def retrace(
    evaluation: Evaluation, detections: Detections, tracker: Any = None, sequence: str | None = None
) -> tuple[SequenceEvaluation, Trace]:
    """Return the evaluated sequence of some detections, and the trace of the tracker that made its tracks.

    Parameters
    ----------
    evaluation, detections, tracker, sequence
        As for `explain_switches`.

    Raises
    ------
    EvaluationError
        If the sequence was not evaluated, or the detections and the tracker do not give the tracks that were.
    """
    detections = as_detections(detections)
    evaluated = one_sequence(evaluation, sequence, detections.name)
    again = trace(detections, tracker_of(evaluated.tracks, detections, tracker))
    check_same(evaluated, again.tracks)
    return evaluated, again


def one_sequence(evaluation: Evaluation, sequence: str | None, name: str) -> SequenceEvaluation:
    """Return the sequence of an evaluation that was asked for, or that has the name of the detections.

    Raises
    ------
    EvaluationError
        If it was not evaluated.
    """
    sequences = evaluation.sequences
    if (sequence or name) in sequences:
        return sequences[sequence or name]
    if len(sequences) == 1 and sequence is None:
        return next(iter(sequences.values()))
    raise EvaluationError(
        f"Sequence {sequence or name!r} was not evaluated; give sequence= one of {', '.join(sequences)}."
    )


def tracker_of(tracks: pd.DataFrame, detections: Detections, tracker: Any = None) -> Tracker:
    """Return the tracker that made tracks: the given one, that of their `attrs`, or else the detections' default."""
    if tracker is None and "tracker" in tracks.attrs:
        tracker = {"tracker": tracks.attrs["tracker"], **tracks.attrs.get("settings", {})}
    return tracker_for(detections, tracker)


def evaluated_part(evaluated: SequenceEvaluation, tracks: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of tracks in the frames, and of the class, that were evaluated."""
    if "class_ids" in evaluated.tracks.attrs:
        attributes = tracks.attrs
        tracks = tracks[tracks["class_id"].isin(evaluated.tracks.attrs["class_ids"])].reset_index(drop=True)
        tracks.attrs = attributes
    first, last = evaluated.part or (1, evaluated.ground_truth.length or np.inf)
    part = tracks[tracks["frame"].between(first, last)].reset_index(drop=True)
    part.attrs = tracks.attrs
    return part


def of_other_classes(evaluated: SequenceEvaluation, detections: FrameDetections) -> np.ndarray:
    """Return which detections (N,) are not of the class that was evaluated; none where classes are not told apart."""
    if detections.class_ids is None or "class_ids" not in evaluated.tracks.attrs:
        return np.zeros(len(detections), bool)
    return ~np.isin(detections.class_ids, evaluated.tracks.attrs["class_ids"])


def check_same(evaluated: SequenceEvaluation, again: pd.DataFrame) -> None:
    """Refuse tracks that are not those that were evaluated.

    Raises
    ------
    EvaluationError
        Naming the first frame that differs.
    """
    columns = ["frame", "id", *BOX]
    left = evaluated.tracks[columns].sort_values(["frame", "id"]).to_numpy(float)
    right = evaluated_part(evaluated, again)[columns].sort_values(["frame", "id"]).to_numpy(float)
    count = min(len(left), len(right))
    differs = (np.abs(left[:count] - right[:count]) > 0.01).any(axis=1)
    if len(left) == len(right) and not differs.any():
        return
    row = int(np.argmax(differs)) if differs.any() else count
    frame = int(min(side[row, 0] for side in (left, right) if row < len(side)))
    raise EvaluationError(
        f"{evaluated.name}: these detections and this tracker give other tracks than were evaluated (first in frame "
        f"{frame}); pass the tracker, with its settings, that made them."
    )
