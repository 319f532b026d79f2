"""Why the tracker decided as it did: the record of a frame, and the sentences it gives."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from .errors import TrackingError
from .kernels import GATE

if TYPE_CHECKING:
    from .association import Detections, FrameTracks
    from .settings import TrackerConfig


@dataclasses.dataclass(frozen=True)
class StageRecord:
    """One round of pairing tracks with detections.

    Attributes
    ----------
    name : str
        "first", "second" or "unconfirmed".
    tracks : (n,) int64
        Ids.
    detections : (m,) int64
        Rows of the frame.
    cost : (n, m) float64
        What was minimised: with embeddings the fused cost (inf outside the motion gate), else 1 - IoU.
    limit : float
        No pair that costs more was made.
    columns : (n,) int64
        For each track the column of the detection it took, or -1.
    appearance : (n, m) float64 or None
        Distance between embeddings; None in stages of IoU.
    gate : (n, m) float32 or None
        Squared Mahalanobis distance between predicted and detected box; pairs above `kernels.GATE` are forbidden.
    """

    name: str
    tracks: np.ndarray
    detections: np.ndarray
    cost: np.ndarray
    limit: float
    columns: np.ndarray
    appearance: np.ndarray | None
    gate: np.ndarray | None


@dataclasses.dataclass(frozen=True)
class FrameRecord:
    """What the tracker saw and did in one frame; tracks are given by id, detections by row.

    Attributes
    ----------
    detections : Detections
        Boxes, scores, classes and normalised embeddings.
    tracks : FrameTracks
        What was reported.
    stages : tuple of StageRecord
        The first, the second, and that of unconfirmed tracks.
    born : tuple of (id, row)
    too_weak : tuple of rows
        Left over, with a score too low for a birth.
    expired : tuple of ids
        Lost tracks whose buffer ran out.
    relapsed : tuple of ids
        Tracks that had expired, were found in the frame after, and are lost again: ppdet drops them at once.
    duplicates : tuple of (dropped id, kept id, 1 - IoU)
    hidden : tuple of ids
        Tracked, but not reported because of size or shape.
    last_seen : dict
        For each id of the first stage the frame in which it took its last detection before.
    config, max_time_lost
        The settings they were made with.
    """

    detections: Detections
    tracks: FrameTracks
    stages: tuple[StageRecord, ...]
    born: tuple[tuple[int, int], ...]
    too_weak: tuple[int, ...]
    expired: tuple[int, ...]
    relapsed: tuple[int, ...]
    duplicates: tuple[tuple[int, int, float], ...]
    hidden: tuple[int, ...]
    last_seen: dict[int, int]
    config: TrackerConfig
    max_time_lost: int

    @property
    def frame(self) -> int:
        """Frame number, counted from 1."""
        return self.detections.frame


class Trace:
    """The records of the frames that a tracker saw, by frame number: `trace[17]`."""

    def __init__(self) -> None:
        self._records: dict[int, FrameRecord] = {}

    def append(self, record: FrameRecord) -> None:
        """Add the record of the next frame."""
        self._records[record.frame] = record

    def __getitem__(self, frame: int) -> FrameRecord:
        if frame not in self._records:
            frames = list(self._records)
            span = f"the frames {frames[0]} to {frames[-1]}" if frames else "none"
            raise TrackingError(f"the trace holds no frame {frame}; it holds {span}.")
        return self._records[frame]

    def __contains__(self, frame: int) -> bool:
        return frame in self._records

    def __iter__(self) -> Iterator[FrameRecord]:
        return iter(self._records.values())

    def __len__(self) -> int:
        return len(self._records)


def explain(record: FrameRecord, *, track: int | None = None, detection: int | None = None) -> list[str]:
    """What happened to a track, to a detection, or between the two, in one frame.

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
        Sentences in the order in which things were decided. Costs are compared with the threshold that ruled;
        "motion" is the squared Mahalanobis distance between the predicted and the detected box.

    Raises
    ------
    TrackingError
        If neither is given, the frame has no such detection, or the tracker did not know the track in this frame.
    """
    if track is None and detection is None:
        raise TrackingError("explain() needs track=, detection= or both; a track is given by id, a detection by row.")
    count = len(record.detections)
    if detection is not None and not 0 <= detection < count:
        raise TrackingError(f"frame {record.frame} has no detection {detection}; its {count} detections count from 0.")
    if track is not None and not _knows(record, track):
        raise TrackingError(
            f"the tracker held no track {track} in frame {record.frame}; see record.stages and record.born."
        )
    sentences = []
    if track is not None and detection is not None:
        sentences += _about_score(record, detection)
        for stage in record.stages:
            i, j = _place(stage.tracks, track), _place(stage.detections, detection)
            if i is not None and j is not None:
                sentences.append(_verdict(record, stage, i, j))
        if not any(_place(stage.tracks, track) is not None for stage in record.stages):
            sentences.append(f"track {track} did not exist when frame {record.frame} began.")
    elif track is not None:
        for stage in record.stages:
            i = _place(stage.tracks, track)
            if i is not None:
                sentences += _track_in_stage(record, stage, i)
    else:
        assert detection is not None
        sentences += _about_score(record, detection)
        for stage in record.stages:
            j = _place(stage.detections, detection)
            if j is not None:
                sentences += _detection_in_stage(record, stage, j)
    return sentences + _birth(record, track, detection) + _track_fate(record, track)


def _knows(record: FrameRecord, track: int) -> bool:
    return track in dict(record.born) or any(_place(stage.tracks, track) is not None for stage in record.stages)


def _place(values: np.ndarray, value: int) -> int | None:
    found = np.flatnonzero(values == value)
    return int(found[0]) if len(found) else None


def _stage_name(stage: StageRecord) -> str:
    return "for unconfirmed tracks" if stage.name == "unconfirmed" else f"the {stage.name} stage"


def _limit(record: FrameRecord, stage: StageRecord) -> str:
    """The threshold that ruled a stage, by name."""
    names = {"first": "match_thres" if stage.appearance is None else "tracked_thresh", "second": "r_tracked_thresh"}
    name = names.get(stage.name, "unconfirmed_thresh")
    if stage.name == "second" and record.config.use_byte:
        return f"{stage.limit:g}, which BYTE fixes"
    return f"{name} {stage.limit:g}"


def number_beside(value: float, limit: float) -> str:
    """Two decimals, or four where two do not show on which side of the limit it lies."""
    return f"{value:.4f}" if abs(value - limit) < 0.005 else f"{value:.2f}"


def _measured(record: FrameRecord, stage: StageRecord, i: int, j: int) -> str:
    """The numbers of a pair: what was measured and the cost it made."""
    cost = stage.cost[i, j]
    if stage.appearance is None or stage.gate is None:
        return f"IoU {1 - cost:.2f} -> cost {number_beside(cost, stage.limit)}"
    words = f"{record.config.metric_type} {stage.appearance[i, j]:.2f}, motion {number_beside(stage.gate[i, j], GATE)}"
    if np.isinf(cost):
        return f"{words} > {GATE:g}, outside the motion gate"
    return f"{words} -> cost {number_beside(cost, stage.limit)}"


def _verdict(record: FrameRecord, stage: StageRecord, i: int, j: int) -> str:
    """Why a pair was made, or not, in a stage."""
    cost = stage.cost[i, j]
    track, row = stage.tracks[i], stage.detections[j]
    words = f"track {track} and detection {row}, {_stage_name(stage)}: {_measured(record, stage, i, j)}"
    if np.isinf(cost):
        return f"{words}; not paired."
    if cost > stage.limit:
        return f"{words} > {_limit(record, stage)}; not paired."
    words += f" <= {_limit(record, stage)}"
    if stage.columns[i] == j:
        return f"{words}; paired."
    rivals = []
    if stage.columns[i] >= 0:
        taken = stage.columns[i]
        rivals.append(f"track {track} took detection {stage.detections[taken]} (cost {stage.cost[i, taken]:.2f})")
    owner = _place(stage.columns, j)
    if owner is not None:
        rivals.append(f"detection {row} went to track {stage.tracks[owner]} (cost {stage.cost[owner, j]:.2f})")
    if not rivals:
        return f"{words}; not paired, for a cost on the limit gains nothing."
    return f"{words}, but {' and '.join(rivals)}: the sum of costs is the least that way."


def _track_in_stage(record: FrameRecord, stage: StageRecord, i: int) -> list[str]:
    """What a track met in a stage: the pair it made, or the nearest pairs that it did not make."""
    track, cost = stage.tracks[i], stage.cost[i]
    lead = []
    if stage.name == "first":
        since = record.frame - record.last_seen[int(track)] - 1
        if since:
            lead.append(f"track {track} had been lost for {since} frame{'s' if since > 1 else ''}.")
    if not len(cost):
        return [*lead, f"track {track}, {_stage_name(stage)}: no detection was left for it."]
    column = int(stage.columns[i])
    if column >= 0:
        better = [j for j in np.argsort(cost, kind="stable")[:2] if cost[j] < cost[column]]
        return lead + [_verdict(record, stage, i, int(j)) for j in [column, *better]]
    nearness = cost
    if np.isinf(cost).all() and stage.gate is not None:
        nearness = stage.gate[i]
    if stage.appearance is None and (cost >= 1).all():
        return [*lead, f"track {track}, {_stage_name(stage)}: it overlaps with none of {len(cost)} detections."]
    return [*lead, *(_verdict(record, stage, i, int(j)) for j in _nearest(nearness))]


def _detection_in_stage(record: FrameRecord, stage: StageRecord, j: int) -> list[str]:
    """What a detection met in a stage; as `_track_in_stage`."""
    row, cost = stage.detections[j], stage.cost[:, j]
    if not len(cost):
        return [f"detection {row}, {_stage_name(stage)}: no track was left for it."]
    owner = _place(stage.columns, j)
    if owner is not None:
        better = [i for i in np.argsort(cost, kind="stable")[:2] if cost[i] < cost[owner]]
        return [_verdict(record, stage, int(i), j) for i in [owner, *better]]
    nearness = cost
    if np.isinf(cost).all() and stage.gate is not None:
        nearness = stage.gate[:, j]
    if stage.appearance is None and (cost >= 1).all():
        return [f"detection {row}, {_stage_name(stage)}: it overlaps with none of {len(cost)} tracks."]
    return [_verdict(record, stage, int(i), j) for i in _nearest(nearness)]


def _nearest(costs: np.ndarray) -> np.ndarray:
    """The best candidate, and the second if it is a possible one too."""
    order = np.argsort(costs, kind="stable")[:2]
    return order[: 1 + int(len(order) > 1 and np.isfinite(costs[order[1]]) and costs[order[1]] < 1)]


def _about_score(record: FrameRecord, row: int) -> list[str]:
    """Why a detection was offered to no stage, or only to the second."""
    config, score = record.config, float(record.detections.scores[row])
    if score > np.float32(config.conf_thres):
        return []
    words = f"detection {row} has score {score:.2f} <= conf_thres {config.conf_thres:g}"
    if not config.use_byte:
        return [f"{words}: it was not used."]
    if _place(record.stages[1].detections, row) is not None:
        return [f"{words}: BYTE offers it in the second stage only."]
    if score > np.float32(config.low_conf_thres):
        return [f"{words} and not below: ppdet's BYTE leaves it out (keep_equal_scores repairs that)."]
    return [f"{words} and <= low_conf_thres {config.low_conf_thres:g}: it was not used."]


def _track_fate(record: FrameRecord, track: int | None) -> list[str]:
    """How a track leaves the frame."""
    if track is None:
        return []
    sentences = []
    first, second, third = record.stages
    taken = [stage.tracks[i] for stage in record.stages for i in np.flatnonzero(stage.columns >= 0)]
    if track in record.relapsed:
        sentences.append(
            f"track {track} ends: its buffer had run out before it was found again, and ppdet then gives it no second "
            "one (forget_removed repairs that)."
        )
    elif _place(second.tracks, track) is not None and track not in taken:
        sentences.append(
            f"track {track} is lost; it can be found again for {record.max_time_lost} "
            f"frame{'' if record.max_time_lost == 1 else 's'}."
        )
    elif track in record.expired:
        again = record.frame - record.last_seen[track] == record.max_time_lost + 1 and not record.config.forget_removed
        grace = " (ppdet can find it in the next frame still; forget_removed repairs that)" if again else ""
        sentences.append(f"track {track} ends: its buffer of {record.max_time_lost} frames has run out{grace}.")
    elif _place(first.tracks, track) is not None and track not in taken:
        left = record.max_time_lost - (record.frame - record.last_seen[track]) + 1
        sentences.append(
            f"track {track} stays lost; it can be found again for {left} more frame{'' if left == 1 else 's'}."
        )
    if _place(third.tracks, track) is not None:
        if track in taken:
            sentences.append(f"track {track} is confirmed: it was seen a second time.")
        else:
            sentences.append(f"track {track} ends: it was seen in one frame only.")
    for dropped, kept, cost in record.duplicates:
        if dropped == track:
            sentences.append(
                f"track {track} is dropped as a duplicate of track {kept}: their IoU "
                f"{number_beside(1 - cost, 0.85)} > 0.85, and track {track} has been seen over fewer frames, or as few."
            )
        elif kept == track:
            sentences.append(f"track {dropped} is dropped as a duplicate of track {track} (IoU {1 - cost:.2f}).")
    if track in record.hidden:
        config = record.config
        sentences.append(
            f"track {track} is not reported: its box has at most min_box_area {config.min_box_area:g} square pixels, "
            f"or is wider than vertical_ratio {config.vertical_ratio:g} times its height."
        )
    return sentences


def _birth(record: FrameRecord, track: int | None, detection: int | None) -> list[str]:
    """Births of a track, or from a detection, and why there was none."""
    config = record.config
    name = "conf_thres + 0.1 =" if config.use_byte else "det_thresh"
    limit = config.conf_thres + 0.1 if config.use_byte else config.det_thresh
    sentences = []
    for born, row in record.born:
        if row == detection or born == track:
            confirmed = born in record.tracks.ids or born in record.hidden
            end = "." if confirmed else "; a second detection has to confirm it."
            sentences.append(
                f"a new track {born} was born from detection {row} "
                f"(score {record.detections.scores[row]:.2f} >= {name} {limit:g}){end}"
            )
    if detection in record.too_weak:
        score = record.detections.scores[detection]
        sentences.append(
            f"detection {detection} was left over; its score {score:.2f} < {name} {limit:g} starts no track."
        )
    return sentences
