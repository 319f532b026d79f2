"""Sentences from a tracker's record: why a pair was made or not, what happened to a track or a detection."""

from __future__ import annotations

import numpy as np

from ..errors import TrackingError
from .records import FrameRecord, Stage


def explain(record: FrameRecord, *, track: int | None = None, detection: int | None = None) -> list[str]:
    """Say what happened to a track, to a detection, or between the two, in one frame.

    Parameters
    ----------
    record
        Of the frame: `trace[frame]`.
    track
        Id of a track.
    detection
        Row of a detection in the frame.

    Returns
    -------
    list of str
        Sentences in the order in which things were decided. Costs are compared with the threshold that ruled; "motion"
        is the squared Mahalanobis distance between the predicted and the detected box.

    Raises
    ------
    TrackingError
        If neither is given, the frame has no such detection, or the tracker did not know the track in this frame.

    Examples
    --------
    >>> scene = fl.example()
    >>> record = fl.trace(scene.detections, fl.JDETracker())[2]
    >>> explain(record, detection=0)[0]
    'track 1 and detection 0, first stage: cosine 0.00, motion 0.40 -> cost 0.01 <= tracked_thresh 0.4; paired.'
    """
    if track is None and detection is None:
        raise TrackingError("explain() needs track=, detection= or both; a track is given by id, a detection by row.")
    count = len(record.detections)
    if detection is not None and not 0 <= detection < count:
        raise TrackingError(f"Frame {record.frame} has no detection {detection}; its {count} detections count from 0.")
    if track is not None and not record.knows(track):
        raise TrackingError(f"The tracker held no track {track} in frame {record.frame}; see record.stages.")
    notes = record.about(track, detection)
    sentences = [note.text for note in notes if note.after == 0]
    for number, stage in enumerate(record.stages, start=1):
        row = None if track is None else stage.row(track)
        column = None if detection is None else stage.column(detection)
        if track is None and column is not None:
            sentences += _met(stage, column, 1)
        elif detection is None and row is not None:
            sentences += _met(stage, row, 0)
        elif row is not None and column is not None:
            sentences.append(explain_pair(stage, row, column))
        sentences += [note.text for note in notes if note.after == number]
    if track is not None and detection is not None and all(stage.row(track) is None for stage in record.stages):
        sentences.append(f"track {track} did not exist when frame {record.frame} began.")
    return sentences


def explain_pair(stage: Stage, row: int, column: int) -> str:
    """Say why a pair was made, or not, in a stage.

    Parameters
    ----------
    stage
        One of `record.stages`.
    row, column
        Of its matrices: the track and the detection.

    Examples
    --------
    >>> scene = fl.example()
    >>> record = fl.trace(scene.detections, fl.JDETracker())[2]
    >>> explain_pair(record.stages[0], 0, 0)
    'track 1 and detection 0, first stage: cosine 0.00, motion 0.40 -> cost 0.01 <= tracked_thresh 0.4; paired.'
    """
    track, detection, outcome = stage.tracks[row], stage.detections[column], stage.outcome(row, column)
    words = f"track {track} and detection {detection}, {stage.title}: {_measured(stage, row, column)}"
    if outcome == "outside the gate":
        return f"{words} > {stage.gate:g}, outside the motion gate; not paired."
    if outcome == "forbidden":
        return f"{words}; the pair is forbidden, not paired."
    words += f" -> cost {number_beside(stage.cost[row, column], stage.max_cost)}"
    limit = f"{stage.setting} {stage.max_cost:g}" if stage.setting else f"{stage.max_cost:g}, which is fixed"
    if outcome == "too costly":
        return f"{words} > {limit}; not paired."
    if np.isfinite(stage.max_cost):
        words += f" <= {limit}"
    if outcome == "matched":
        return f"{words}; paired."
    rivals = []
    taken = stage.matched[row]
    if taken >= 0:
        rivals.append(f"track {track} took detection {stage.detections[taken]} (cost {stage.cost[row, taken]:.2f})")
    owner = stage.owner(column)
    if owner is not None:
        rivals.append(
            f"detection {detection} went to track {stage.tracks[owner]} (cost {stage.cost[owner, column]:.2f})"
        )
    if rivals:
        return f"{words}, but {' and '.join(rivals)}: the sum of costs is the least that way."
    if stage.cost[row, column] == stage.max_cost:
        return f"{words}; not paired, as a cost equal to the limit does not lower the sum of costs."
    return f"{words}; not paired: the sum of all costs is the least that way."


def number_beside(value: float, limit: float) -> str:
    """Return two decimals, or four where two do not show on which side of the limit it lies.

    Examples
    --------
    >>> number_beside(0.4012, 0.4), number_beside(0.52, 0.4)
    ('0.4012', '0.52')
    """
    return f"{value:.4f}" if abs(value - limit) < 0.005 else f"{value:.2f}"


def _measured(stage: Stage, row: int, column: int) -> str:
    parts = []
    if stage.appearance is not None and np.isfinite(stage.appearance[row, column]):
        parts.append(f"{stage.metric} {stage.appearance[row, column]:.2f}")
    if stage.mahalanobis is not None:
        parts.append(f"motion {number_beside(stage.mahalanobis[row, column], stage.gate)}")
    if stage.iou is not None:
        parts.append(f"IoU {stage.iou[row, column]:.2f}")
    parts += [f"{name} {values[row, column]:.2f}" for name, values in stage.measures.items()]
    return ", ".join(parts)


def _met(stage: Stage, place: int, axis: int) -> list[str]:
    """Say what a track (axis 0) or a detection (axis 1) met in a stage: the pair it made, or the nearest it did not."""
    of_track = axis == 0
    who = f"track {stage.tracks[place]}" if of_track else f"detection {stage.detections[place]}"
    other, chosen = ("detection", stage.partner(place)) if of_track else ("track", stage.owner(place))
    cost = stage.cost.take(place, axis)
    if not len(cost):
        return [f"{who}, {stage.title}: no {other} was left for it."]
    overlaps_with_none = stage.iou is not None and stage.appearance is None and (stage.iou.take(place, axis) <= 0).all()
    if overlaps_with_none and chosen is None:
        return [f"{who}, {stage.title}: it overlaps with none of {len(cost)} {other}s."]
    gate = None if stage.mahalanobis is None else stage.mahalanobis.take(place, axis)
    pairs = [(place, one) if of_track else (one, place) for one in _of_interest(cost, gate, chosen)]
    return [explain_pair(stage, row, column) for row, column in pairs]


def _of_interest(costs: np.ndarray, gate: np.ndarray | None, chosen: int | None) -> list[int]:
    """Return the partner that was chosen and any at lower cost; without one, the nearest and a second one near."""
    if chosen is not None:
        return [chosen, *(int(k) for k in np.argsort(costs, kind="stable")[:2] if costs[k] < costs[chosen])]
    nearness = gate if gate is not None and np.isinf(costs).all() else costs
    first, *second = np.argsort(nearness, kind="stable")[:2].tolist()
    return [first, *(k for k in second if np.isfinite(nearness[k]) and nearness[k] < 1)]
