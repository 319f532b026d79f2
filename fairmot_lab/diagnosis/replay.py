"""Replay kept detections under other settings."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..association.base import Tracker
from ..association.explanation import explain, explain_pair
from ..association.records import FrameRecord
from ..association.run import track_detections
from ..errors import EvaluationError, FairMOTLabWarning
from ..evaluation.evaluate import compute_metrics, evaluate
from .embeddings import switch_distances
from .reasons import explain_switches

if TYPE_CHECKING:
    from ..detection.detections import Detections
    from ..evaluation.result import Evaluation


def cell_sentences(record: FrameRecord, stage: int, row: int, column: int) -> list[str]:
    """Explain one cell of a cost matrix: the pair, then what became of the track and of the detection.

    Parameters
    ----------
    record
        Of the frame: `trace[frame]`.
    stage
        Which of `record.stages`.
    row, column
        Of its matrices.

    Examples
    --------
    >>> scene = fl.example()
    >>> record = fl.trace(scene.detections, fl.JDETracker())[2]
    >>> len(cell_sentences(record, 0, 0, 0)) > 0
    True
    """
    found = record.stages[stage]
    sentences = [explain_pair(found, row, column)]
    sentences += explain(record, track=int(found.tracks[row]))
    sentences += explain(record, detection=int(found.detections[column]))
    return list(dict.fromkeys(sentences))


def explained_switches(
    evaluation: Evaluation, name: str, detections: Detections | None = None, tracker: Tracker | str | None = None
) -> tuple[pd.DataFrame, str]:
    """Return the ID switches of one sequence with all that is known about them.

    Parameters
    ----------
    evaluation, name
        The evaluation, and which of its sequences.
    detections
        What was tracked.
    tracker
        The tracker that made them; by default that which the tracks carry.

    Returns
    -------
    switches : DataFrame
        `Evaluation.switches` of the sequence; with detections, `why` and what else `explain_switches` says, and
        `distance` (see `switch_distances`).
    caveat : str
        Why the reasons are missing, where the given detections do not lead to these tracks; otherwise empty.
    """
    switches = evaluation.switches_of(name)
    if detections is None:
        return switches, ""
    caveat = ""
    try:
        switches = explain_switches(evaluation, detections, tracker, sequence=name).reset_index(drop=True)
    except EvaluationError as error:
        caveat = f"The reasons of the ID switches are not known: {error}"
    if detections.has_embeddings:
        switches["distance"] = switch_distances(switches, detections, evaluation.sequences[name].tracks)
    return switches, caveat


@dataclass(frozen=True)
class Replay:
    """Tracks and their metrics under one setting.

    Attributes
    ----------
    tracker : Tracker
    tracks : DataFrame
    metrics : dict
        As `compute_metrics` gives them.
    seconds : float
        What tracking and counting took.
    evaluation : Evaluation or None
        Events, switches and all; made by `evaluate_replay`.
    """

    tracker: Tracker
    tracks: pd.DataFrame
    metrics: dict[str, float]
    seconds: float
    evaluation: Evaluation | None = None


def replay(detections: Detections, ground_truth: Any, tracker: Tracker) -> Replay:
    """Track kept detections and count.

    Parameters
    ----------
    detections
        Kept or public detections.
    ground_truth
        A table, or better what `evaluation.prepare` returns.
    tracker
        A clone of it is used.

    Examples
    --------
    >>> scene = fl.example()
    >>> replay(scene.detections, scene.ground_truth, fl.JDETracker()).tracks["id"].nunique()
    2
    """
    start = time.perf_counter()
    tracks = track_detections(detections, tracker)
    metrics = compute_metrics(tracks, ground_truth)
    return Replay(tracker, tracks, metrics, time.perf_counter() - start)


def evaluate_replay(replayed: Replay, ground_truth: Any) -> Replay:
    """Return the same with its full evaluation."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FairMOTLabWarning)  # of a sequence without a match: the metrics show it
        return replace(replayed, evaluation=evaluate(replayed.tracks, ground_truth))
