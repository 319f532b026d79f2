"""Explain why ID switches happened, from the tracker's own trace."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from ..detection.detections import Detections
    from ..evaluation.result import Evaluation
    from ..settings import TrackerConfig

from typing import TYPE_CHECKING

from ..boxes import iou
from ..errors import EvaluationError
from ..explanation import number_beside

if TYPE_CHECKING:
    from ..detection.detections import Detections
    from ..evaluation.result import Evaluation, SequenceEvaluation
    from ..explanation import FrameRecord, StageRecord, Trace
    from ..settings import TrackerConfig


REASONS = {
    "not detected": "no detection that the tracker uses covered the person, and its track went elsewhere",
    "lost longer than track_buffer": "the track had been forgotten when the person was detected again",
    "embedding too far": "the cost of appearance and motion was above tracked_thresh",
    "outside the motion gate": "the detection was too far from where the Kalman filter expected the person",
    "IoU too low": "boxes were compared, and they overlapped too little",
    "another detection nearer": "the track took another detection",
    "taken by another track": "another track took the person's detection at a lower total cost",
    "removed as a duplicate": "the track was dropped for another on the same spot",
    "filtered by area or ratio": "the track held on but was not reported because of min_box_area or vertical_ratio",
    "box off the person": "the track held on, but its box no longer fitted the ground truth",
    "box on another person": "the track held on, but its box was matched with another person close by",
    "dropped by ppdet": "the track had expired and was found a frame later; ppdet drops such a track at its next miss",
    "never confirmed": "the track was one frame old and found no second detection",
}
_NEAR = 0.5
_ADDED = (
    "why", "why_kind", "why_frame", "best_score", "score_threshold", "undetected", "lost_for", "buffer",
    "appearance_distance", "embedding_distance", "cost", "cost_limit", "gate", "gate_limit", "iou",
)  # fmt: skip


def explain_switches(
    evaluation: Evaluation, outputs: Detections, config: TrackerConfig | None = None, *, sequence: str | None = None
) -> pd.DataFrame:
    """The switches of one sequence, each with its reason.

    The tracks are made again from the outputs, with a record of every decision; they must be those that were evaluated.

    Parameters
    ----------
    evaluation
        Of tracks that were made from `outputs`.
    outputs
        What `detect` kept or `open_detections` opened.
    config
        The settings that they were tracked with; by default those that the tracks carry in `attrs`, or the defaults.
    sequence
        Which sequence, where several were evaluated.

    Returns
    -------
    pandas.DataFrame
        The rows of `Evaluation.switches`, with `why` (a sentence), `why_kind` (one of `REASONS`), `why_frame` (the
        frame that decided), and what it was decided on, NaN where it plays no part: `best_score` near the person's box
        while no detection was used, against `score_threshold`; `undetected`, the number of such frames; `lost_for`,
        frames since the track last took a detection, against `buffer`; `appearance_distance`, the cosine distance of
        the embeddings before and after; `embedding_distance` of track and detection; their `cost` against `cost_limit`;
        `gate`, the squared Mahalanobis distance, against `gate_limit`; `iou`, of their boxes.

    Raises
    ------
    EvaluationError
        If the outputs and settings do not give the tracks that were evaluated.
    """
    one = _only(evaluation, sequence, outputs.name)
    config = config or _settings_of(one.tracks)
    from ..association import track_outputs

    again, trace = track_outputs(outputs, config, trace=True)
    _check_same(one.tracks, again, one.name)
    table = evaluation.switches
    table = table[table["sequence"] == one.name].reset_index(drop=True)
    detective = _Detective(one, trace)
    reasons = pd.DataFrame([detective.reason(row) for row in table.itertuples()], columns=list(_ADDED))
    result = pd.concat([table, reasons], axis=1)
    result.attrs = dict(table.attrs)
    return result


def _only(evaluation: Evaluation, sequence: str | None, name: str) -> SequenceEvaluation:
    sequences = evaluation.sequences
    if (sequence or name) in sequences:
        return sequences[sequence or name]
    if len(sequences) == 1 and sequence is None:
        return next(iter(sequences.values()))
    raise EvaluationError(f"sequence {sequence or name!r} was not evaluated; there is {', '.join(sequences)}.")


def _check_same(evaluated: pd.DataFrame, again: pd.DataFrame, name: str) -> None:
    columns = ["frame", "id", "x", "y", "w", "h"]
    left = evaluated[columns].sort_values(["frame", "id"]).to_numpy(float)
    right = again[columns].sort_values(["frame", "id"]).to_numpy(float)
    count = min(len(left), len(right))
    differs = (np.abs(left[:count] - right[:count]) > 0.01).any(axis=1)
    if len(left) == len(right) and not differs.any():
        return
    row = int(np.argmax(differs)) if differs.any() else count
    frame = int(min(side[row, 0] for side in (left, right) if row < len(side)))
    raise EvaluationError(
        f"{name}: these outputs and settings give other tracks than were evaluated (first in frame {frame}); "
        "pass the settings that were tracked with as config."
    )


@dataclasses.dataclass
class _Finding:
    """What decided a switch."""

    kind: str
    frame: int
    text: str
    values: dict[str, float] = dataclasses.field(default_factory=dict)


class _Detective:
    """Follows the old track of each switch through the tracker's record."""

    def __init__(self, one: SequenceEvaluation, trace: Trace) -> None:
        self.trace = trace
        truth = one.ground_truth
        self.ids = truth.table["id"].to_numpy()
        self.frame, self.box = truth.frame, truth.box
        self.people = np.isin(truth.class_id, (1, 2, 7)) if truth.has_classes else np.ones(len(truth.frame), bool)
        tracks = one.tracks
        self.track_box = {
            (frame, track): box
            for frame, track, box in zip(
                tracks["frame"].tolist(), tracks["id"].tolist(), tracks[list("xywh")].to_numpy(float), strict=True
            )
        }

    def reason(self, switch: Any) -> dict[str, Any]:
        """The columns that say why, for one row of the table of switches."""
        person, old, new, last, now = switch.gt_id, switch.from_id, switch.to_id, switch.last_frame, switch.frame
        undetected: list[int] = []
        best_score = -np.inf
        finding: _Finding | None = None
        refusal: _Finding | None = None  # holds until the track is back on the person, or something graver happens
        seen = last
        for frame in range(last + 1, now + 1):
            record = self._record(frame)
            if record is None:
                undetected.append(frame)
                continue
            wanted = self._detection_on(person, record)
            if wanted is None and frame == now:
                wanted = _taken(record, new)
            taken = _taken(record, old)
            if wanted is None and self._is_there(person, frame):
                undetected.append(frame)
                best_score = max(best_score, self._best_score(person, record))
            gone = self._removal(record, old)
            if taken is not None:
                seen = frame
                if wanted is None and (self._other_person(record, taken, person) is not None):
                    finding = self._went_away(record, old, taken, person, frame)
                elif wanted is not None and taken != wanted and self._overlap(person, record, taken) < _NEAR:
                    finding = self._went_away(record, old, taken, person, frame, wanted)
                if finding is not None:
                    break
                if gone is not None and gone.kind == "removed as a duplicate":
                    finding = gone
                    break
                refusal = None
                continue
            if gone is not None:
                detected = (
                    refusal is not None and sum(f > refusal.frame for f in undetected) < (frame - refusal.frame) / 2
                )
                finding = refusal if detected else gone
                break
            if wanted is not None:
                refusal = self._refused(record, old, wanted, frame) or refusal
                if refusal is not None and _owner(record, wanted) == new:
                    break
        finding = finding or refusal or self._held_on(person, old, now)
        record_now = self._record(now)
        values = {
            "best_score": best_score if np.isfinite(best_score) else np.nan,
            "score_threshold": self._score_threshold(record_now),
            "undetected": len(undetected),
            "lost_for": finding.frame - seen,
            "buffer": record_now.max_time_lost if record_now is not None else np.nan,
            "appearance_distance": self._appearance(old, last, new, now),
        }
        text = self._sentence(finding, values, undetected)
        known: dict[str, Any] = dict.fromkeys(_ADDED, np.nan)
        return known | values | finding.values | {"why": text, "why_kind": finding.kind, "why_frame": finding.frame}

    # -- the pieces

    def _record(self, frame: int) -> FrameRecord | None:
        """None in a long gap of the outputs, in which the tracker had nothing left to follow."""
        return self.trace[frame] if frame in self.trace else None  # noqa: SIM401

    def _rows(self, frame: int) -> np.ndarray:
        first, last = np.searchsorted(self.frame, [frame, frame + 1])
        rows = np.arange(first, last)
        return rows[self.people[first:last]]

    def _is_there(self, person: int, frame: int) -> bool:
        return bool((self.ids[self._rows(frame)] == person).any())

    def _overlap(self, person: int, record: FrameRecord, detection: int) -> float:
        rows = self._rows(record.frame)
        rows = rows[self.ids[rows] == person]
        return float(iou(self.box[rows], record.detections.boxes[[detection]])[0, 0]) if len(rows) else 0.0

    def _detection_on(self, person: int, record: FrameRecord) -> int | None:
        """The detection that the tracker uses and that fits this person better than anyone else."""
        rows = self._rows(record.frame)
        used = _used(record)
        if not len(rows) or not len(used):
            return None
        overlap = iou(self.box[rows], record.detections.boxes[used])
        own = np.flatnonzero(self.ids[rows] == person)
        if not len(own):
            return None
        fits = (overlap[own[0]] >= _NEAR) & (overlap.argmax(axis=0) == own[0])
        return int(used[np.argmax(np.where(fits, overlap[own[0]], -1))]) if fits.any() else None

    def _best_score(self, person: int, record: FrameRecord) -> float:
        """The best score of a detection near the person that the tracker does not use."""
        rows = self._rows(record.frame)
        rows = rows[self.ids[rows] == person]
        if not len(rows) or not len(record.detections):
            return -np.inf
        near = iou(self.box[rows], record.detections.boxes)[0] >= _NEAR
        near[_used(record)] = False
        return float(record.detections.scores[near].max()) if near.any() else -np.inf

    def _other_person(self, record: FrameRecord, detection: int, person: int) -> int | None:
        """The other person that a detection fits best, if it fits anyone else."""
        rows = self._rows(record.frame)
        if not len(rows):
            return None
        overlap = iou(self.box[rows], record.detections.boxes[[detection]])[:, 0]
        best = int(np.argmax(overlap))
        return int(self.ids[rows[best]]) if overlap[best] >= _NEAR and self.ids[rows[best]] != person else None

    def _score_threshold(self, record: FrameRecord | None) -> float:
        if record is None:
            return np.nan
        return record.config.low_conf_thres if record.config.use_byte else record.config.conf_thres

    def _removal(self, record: FrameRecord, track: int) -> _Finding | None:
        for dropped, kept, cost in record.duplicates:
            if dropped == track:
                text = f"track {track} lay on the same spot as track {kept} (IoU {1 - cost:.2f}) and was removed"
                return _Finding("removed as a duplicate", record.frame, text, {"iou": 1 - cost})
        if track in record.expired:
            return _Finding("lost longer than track_buffer", record.frame, "")
        if track in record.relapsed:
            text = f"track {track} had expired and was found one frame later; at its next miss ppdet drops it"
            return _Finding("dropped by ppdet", record.frame, text)
        stage = next((one for one in record.stages if one.name == "unconfirmed" and track in one.tracks), None)
        if stage is not None and _taken(record, track) is None:
            return _Finding("never confirmed", record.frame, f"track {track} was one frame old and found no second box")
        return None

    def _went_away(
        self, record: FrameRecord, track: int, taken: int, person: int, frame: int, wanted: int | None = None
    ) -> _Finding:
        """The track took a detection that is not on the person."""
        other = self._other_person(record, taken, person)
        where = f"person {other}" if other is not None else "a box on nobody"
        if wanted is None:
            return _Finding("not detected", frame, f"track {track} went over to {where} in frame {frame}")
        stage, row, column = _candidate(record, track, wanted)
        chosen = _candidate(record, track, taken)
        values, text, kind = {}, f"track {track} took {where} in frame {frame}", "another detection nearer"
        if stage is not None and chosen[0] is not None:
            values = _measures(stage, row, column)
            text += f" (cost {_cost(chosen[0].cost[chosen[1], chosen[2]])}; the person's own detection "
            text += f"{_cost(values['cost'], stage.limit)})"
            if values["cost"] > stage.limit:  # it had no choice
                kind = "IoU too low" if stage.appearance is None else "embedding too far"
                kind = "outside the motion gate" if not np.isfinite(values["cost"]) else kind
                if np.isfinite(values["cost"]):
                    text = f"{text[:-1]}, above {stage.limit:.2f})"
        return _Finding(kind, frame, text, values)

    def _refused(self, record: FrameRecord, track: int, wanted: int, frame: int) -> _Finding | None:
        """The person was detected and the track took nothing."""
        stage, row, column = _candidate(record, track, wanted)
        if stage is None:
            return None
        values = _measures(stage, row, column)
        later = next(
            (s for s in record.stages if s is not stage and track in s.tracks and wanted in s.detections), None
        )
        tail = ""
        if later is not None:
            cost = float(later.cost[_index(later.tracks, track), _index(later.detections, wanted)])
            values["iou"] = 1 - cost
            tail = f", and its IoU of {number_beside(1 - cost, 1 - later.limit)} is below {1 - later.limit:.2f}"
        if stage.appearance is not None and values["gate"] > values["gate_limit"]:
            far = f"the detection of frame {frame} lies outside the motion gate of track {track}"
            far += f" (squared Mahalanobis distance {values['gate']:.1f} against {values['gate_limit']:.1f}{tail})"
            return _Finding("outside the motion gate", frame, far, values)
        if values["cost"] > stage.limit:
            if stage.appearance is None:
                values["iou"] = 1 - values["cost"]
                text = f"track {track} and the detection of frame {frame} overlap too little"
                text += f" (IoU {number_beside(values['iou'], 1 - stage.limit)} against {1 - stage.limit:.2f})"
                return _Finding("IoU too low", frame, text, values)
            text = f"in frame {frame} the embedding is {values['embedding_distance']:.2f} from that of track {track}"
            text += f" (cost {_cost(values['cost'], stage.limit)} against {stage.limit:.2f}{tail})"
            return _Finding("embedding too far", frame, text, values)
        rival = _owner(record, wanted)
        if rival is None:
            return None
        text = f"in frame {frame} track {rival} took the person's detection"
        at, there, here = _candidate(record, rival, wanted)
        if at is not None:
            cost = float(at.cost[there, here])
            text += f" (cost {_cost(cost, values['cost'])}; track {track} {_cost(values['cost'], cost)})"
        return _Finding("taken by another track", frame, text, values)

    def _held_on(self, person: int, old: int, now: int) -> _Finding:
        """The track was on the person to the end: then it was not reported, or its box was off."""
        record = self._record(now)
        if record is not None and old in record.hidden:
            text = f"track {old} is on the person but not reported: its box is too small or too wide"
            return _Finding("filtered by area or ratio", now, text)
        box = self.track_box.get((now, old))
        rows = self._rows(now)
        rows = rows[self.ids[rows] == person]
        if box is None or not len(rows):
            return _Finding("not detected", now, f"track {old} has no detection on the person")
        overlap = float(iou(self.box[rows], box[None])[0, 0])
        if overlap < _NEAR:
            text = f"track {old} is still there, but its box fits the person with an IoU of {overlap:.2f} only"
            return _Finding("box off the person", now, text, {"iou": overlap})
        text = f"track {old} is still there (IoU {overlap:.2f}), but is matched with another person close by"
        return _Finding("box on another person", now, text, {"iou": overlap})

    def _appearance(self, old: int, last: int, new: int, now: int) -> float:
        before, after = self._embedding(last, old), self._embedding(now, new)
        return float(1 - before @ after) if before is not None and after is not None else np.nan

    def _embedding(self, frame: int, track: int) -> np.ndarray | None:
        record = self._record(frame)
        if record is None or not record.detections.dimension:
            return None
        row = _taken(record, track)
        return None if row is None else record.detections.embeddings[row].astype(float)

    def _sentence(self, finding: _Finding, values: dict[str, float], undetected: list[int]) -> str:
        frames = f"{len(undetected)} frame{'s' if len(undetected) != 1 else ''}"
        best = "nothing near the box"
        if np.isfinite(values["best_score"]):
            limit = values["score_threshold"]
            best = f"best score near the box {number_beside(values['best_score'], limit)} against {limit:.2f}"
        missing = f"not detected for {frames} ({best})"
        if finding.kind == "lost longer than track_buffer":
            lost = f"lost for {values['lost_for']} frames, and track_buffer keeps {values['buffer']}"
            return f"{missing}; {lost}" if undetected else lost
        if finding.kind == "not detected":
            return f"{missing}; {finding.text}"
        return f"{finding.text}; before that {missing}" if undetected else finding.text


def _cost(value: float, other: float = np.inf) -> str:
    return number_beside(value, other) if np.isfinite(value) else "outside the motion gate"


def _index(values: np.ndarray, wanted: int) -> int:
    return int(np.flatnonzero(values == wanted)[0])


def _used(record: FrameRecord) -> np.ndarray:
    """Detections that were offered to tracks."""
    parts = [stage.detections for stage in record.stages]
    born = [row for _, row in record.born]
    return np.unique(np.concatenate([*parts, np.asarray(born, np.int64)])).astype(np.int64)


def _taken(record: FrameRecord, track: int) -> int | None:
    """The detection that a track took or was born from."""
    for stage in record.stages:
        if track in stage.tracks:
            column = int(stage.columns[_index(stage.tracks, track)])
            if column >= 0:
                return int(stage.detections[column])
    return next((row for born, row in record.born if born == track), None)


def _owner(record: FrameRecord, detection: int) -> int | None:
    """The track that took a detection or was born from it."""
    for stage in record.stages:
        for track, column in zip(stage.tracks.tolist(), stage.columns.tolist(), strict=True):
            if column >= 0 and stage.detections[column] == detection:
                return int(track)
    return next((born for born, row in record.born if row == detection), None)


def _candidate(record: FrameRecord, track: int, detection: int) -> tuple[StageRecord | None, int, int]:
    """The first stage in which track and detection met, and their row and column in it."""
    for stage in record.stages:
        if track in stage.tracks and detection in stage.detections:
            return stage, _index(stage.tracks, track), _index(stage.detections, detection)
    return None, -1, -1


def _measures(stage: StageRecord, row: int, column: int) -> dict[str, float]:
    from ..kernels import GATE

    values = {"cost": float(stage.cost[row, column]), "cost_limit": float(stage.limit)}
    if stage.appearance is not None:
        values["embedding_distance"] = float(stage.appearance[row, column])
    if stage.gate is not None:
        values |= {"gate": float(stage.gate[row, column]), "gate_limit": GATE}
    return values


def _settings_of(tracks: pd.DataFrame) -> TrackerConfig:
    from ..settings import TrackerConfig

    settings = tracks.attrs.get("settings")
    return TrackerConfig.from_dict(settings) if settings else TrackerConfig()
