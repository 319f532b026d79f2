"""Replay kept detections under other settings."""

from __future__ import annotations

import pickle
import time
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import DetectionsError, EvaluationError, FairMOTLabWarning
from .embeddings import switch_distances

if TYPE_CHECKING:
    from ..association import TrackerConfig
    from ..data import FrameDetections
    from ..detection.detections import Detections
    from ..evaluation.result import Evaluation
    from ..explanation import FrameRecord, StageRecord


class TracedReplay:
    """A tracker's records of any frame, in bounded memory.

    The whole trace of a crowded sequence takes gigabytes. So the sequence is tracked once without a trace, the tracker
    is copied every `every` frames, and the records around a frame are made from the copy before it.

    Parameters
    ----------
    outputs
        Kept outputs or public detections.
    config
        The settings.
    every
        Frames between two copies.

    Attributes
    ----------
    tracks : DataFrame
        As `track_outputs` returns them.
    """

    def __init__(self, outputs: Detections, config: TrackerConfig, every: int = 32) -> None:
        from ..association import Tracker, tracks_table

        self._arrays = outputs.arrays()
        self._every = every
        self._copies: list[bytes] = []
        self._window: dict[int, FrameRecord] = {}
        tracker = Tracker(config, outputs.frame_rate or 30.0)
        results = []
        for index in range(len(self._arrays.frames)):
            if index % every == 0:
                self._copies.append(pickle.dumps(tracker))
            results.append(tracker.update(self._frame(index)))
        self.tracks = tracks_table(results, self._arrays.offsets[:-1])
        self.tracks.attrs.update(sequence=outputs.name, length=outputs.length, frame_rate=outputs.frame_rate)

    def _frame(self, index: int) -> FrameDetections:
        from ..data import FrameDetections

        arrays = self._arrays
        rows = slice(arrays.offsets[index], arrays.offsets[index + 1])
        embeddings = None if arrays.embeddings is None else arrays.embeddings[rows]
        number = int(arrays.frames[index])
        return FrameDetections(number, arrays.boxes[rows], arrays.scores[rows], embeddings, arrays.class_ids[rows])

    def record(self, frame: int) -> FrameRecord:
        """What the tracker saw and did in a frame.

        Raises
        ------
        DetectionsError
            If the outputs do not hold the frame.
        """
        from ..explanation import Trace

        if frame not in self._window:
            index = int(np.searchsorted(self._arrays.frames, frame))
            if index == len(self._arrays.frames) or self._arrays.frames[index] != frame:
                raise DetectionsError(f"There are no outputs of frame {frame}; choose one of those that were kept.")
            first = index // self._every
            tracker = pickle.loads(self._copies[first])
            tracker.trace = Trace()
            start = first * self._every
            for i in range(start, min(start + self._every, len(self._arrays.frames))):
                tracker.update(self._frame(i))
            self._window = {record.frame: record for record in tracker.trace}
        return self._window[frame]


def pair_sentence(stage: StageRecord, row: int, column: int) -> str:
    """Why a track and a detection were, or were not, paired in one stage.

    Parameters
    ----------
    stage
        The stage.
    row, column
        Of its matrices.
    """
    from ..kernels import GATE

    track, detection, cost = stage.tracks[row], stage.detections[column], float(stage.cost[row, column])
    parts = []
    if stage.appearance is not None:
        parts.append(f"distance of the embeddings {stage.appearance[row, column]:.3f}")
    if stage.gate is not None:
        gate = float(stage.gate[row, column])
        parts.append(f"motion {gate:.2f} ({'inside' if gate <= GATE else 'outside'} the gate of {GATE})")
    if stage.appearance is None:
        parts.append(f"IoU {1 - cost:.3f}")
    if np.isfinite(cost):
        parts.append(f"cost {cost:.3f} {'<=' if cost <= stage.limit else '>'} limit {stage.limit:g}")
    if stage.columns[row] == column:
        verdict = "paired"
    elif not np.isfinite(cost):
        verdict = "not paired: the motion forbids it"
    elif cost > stage.limit:
        verdict = "not paired: too far"
    else:
        rivals = []
        if stage.columns[row] >= 0:
            other = stage.columns[row]
            rivals.append(f"the track took detection {stage.detections[other]} at {stage.cost[row, other]:.3f}")
        if column in stage.columns:
            other = int(np.flatnonzero(stage.columns == column)[0])
            rivals.append(f"the detection went to track {stage.tracks[other]} at {stage.cost[other, column]:.3f}")
        verdict = "not paired: " + (" and ".join(rivals) or "leaving both alone costs less")
    return f"Track {track} and detection {detection}: {', '.join(parts)}; {verdict}."


def cell_sentences(record: FrameRecord, stage: int, row: int, column: int) -> list[str]:
    """All that is to be said about a cell: the pair, then what became of the track and of the detection."""
    from ..explanation import explain

    found = record.stages[stage]
    sentences = [pair_sentence(found, row, column)]
    sentences += explain(record, track=int(found.tracks[row]))
    sentences += explain(record, detection=int(found.detections[column]))
    return list(dict.fromkeys(sentences))


def explained_switches(
    evaluation: Evaluation, name: str, outputs: Detections | None = None, config: TrackerConfig | None = None
) -> tuple[pd.DataFrame, str]:
    """The ID switches of one sequence with all that is known about them.

    Parameters
    ----------
    evaluation, name
        The evaluation, and which of its sequences.
    outputs
        The network outputs that were tracked.
    config
        The settings that they were tracked with; by default those that the tracks carry.

    Returns
    -------
    switches : DataFrame
        `Evaluation.switches` of the sequence; with outputs, `why` and what else `explain_switches` says, and
        `distance` (see `switch_distances`).
    caveat : str
        Why there are no reasons, if outputs were given that do not lead to these tracks; else empty.
    """
    switches = evaluation.switches
    switches = switches[switches["sequence"] == name].reset_index(drop=True)
    if outputs is None:
        return switches, ""
    caveat = ""
    try:
        from .reasons import explain_switches

        switches = explain_switches(evaluation, outputs, config, sequence=name).reset_index(drop=True)
    except EvaluationError as error:
        caveat = f"The reasons of the ID switches are not known: {error}"
    if outputs.has_embeddings:
        switches["distance"] = switch_distances(switches, outputs, evaluation.sequences[name].tracks)
    return switches, caveat


def config_line(config: TrackerConfig) -> str:
    """The settings as Python: those that differ from the defaults."""
    settings = config.settings()
    changed = {name: value for name, value in config.to_dict().items() if value != settings[name].default}
    return f"TrackerConfig({', '.join(f'{name}={value!r}' for name, value in changed.items())})"


@dataclass(frozen=True)
class Replay:
    """Tracks and their figures under one setting.

    Attributes
    ----------
    config : TrackerConfig
    tracks : DataFrame
    figures : dict
        As `compute_metrics` gives them.
    seconds : float
        What tracking and counting took.
    evaluation : Evaluation or None
        Events, switches and all; made by `evaluate_replay`.
    """

    config: TrackerConfig
    tracks: pd.DataFrame
    figures: dict[str, float]
    seconds: float
    evaluation: Evaluation | None = None


def replay(outputs: Detections, ground_truth: Any, config: TrackerConfig) -> Replay:
    """Track kept outputs with `config` and count.

    Parameters
    ----------
    outputs
        Kept outputs or public detections.
    ground_truth
        A table, or better what `evaluation.prepare` returns.
    config
        The settings.
    """
    from ..association import track_outputs
    from ..evaluation.evaluate import compute_metrics

    start = time.perf_counter()
    tracks = track_outputs(outputs, config)
    figures = compute_metrics(tracks, ground_truth)
    return Replay(config, tracks, figures, time.perf_counter() - start)


def evaluate_replay(replayed: Replay, ground_truth: Any) -> Replay:
    """The same with its full evaluation."""
    from ..evaluation.evaluate import evaluate

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FairMOTLabWarning)  # of a sequence without a match: the figures show it
        return replace(replayed, evaluation=evaluate(replayed.tracks, ground_truth))
