"""Say why ID switches happened, from the stages and notes of the tracker's own trace."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..association.base import Tracker
from ..association.explanation import number_beside
from ..association.records import ENDS, FrameRecord, Note, Stage
from ..association.run import Trace
from ..boxes import BOX, iou
from .retrace import of_other_classes, retrace

if TYPE_CHECKING:
    from ..detection.detections import Detections
    from ..evaluation.events import SequenceEvaluation
    from ..evaluation.result import Evaluation

REASONS = {
    "not detected": "no detection that was offered to the track covered the person, and it went elsewhere",
    "lost too long": "the track had been forgotten when the person was detected again",
    "embedding too far": "the cost of appearance was above its limit",
    "outside the motion gate": "the detection was too far from where the person was expected",
    "IoU too low": "boxes were compared, and they overlapped too little",
    "too costly": "the cost was above its limit",
    "another detection nearer": "the track took a detection that cost less",
    "taken by another track": "another track took the person's detection, as the sum of costs is lower that way",
    "not offered": "the person's detection was offered to other tracks only, because of its score",
    "removed as a duplicate": "the track was dropped for another on the same spot",
    "not reported": "the track held on but was not reported, because of the size or shape of its box",
    "box off the person": "the track held on, but its box no longer fitted the ground truth",
    "box on another person": "the track held on, but its box was matched with another person close by",
    "found after it expired": "the track had expired before it was found, and was then dropped at its next miss",
    "never confirmed": "the track was new and found no second detection",
    "ended": "the tracker ended the track; its own words say why",
}
_KIND_OF_END = {
    "expired": "lost too long",
    "duplicate": "removed as a duplicate",
    "unconfirmed": "never confirmed",
    "re_expired": "found after it expired",
    "ended": "ended",
}
_BUFFERS = ("track_buffer", "max_age")  # how settings that say how long a lost track is kept are called
_NEAR = 0.5
_ADDED = (
    "why", "why_kind", "why_frame", "best_score", "score_threshold", "undetected", "lost_for", "buffer",
    "appearance_distance", "embedding_distance", "cost", "cost_limit", "gate", "gate_limit", "iou", "setting",
)  # fmt: skip


def explain_switches(
    evaluation: Evaluation,
    detections: Detections,
    tracker: Tracker | str | None = None,
    *,
    sequence: str | None = None,
) -> pd.DataFrame:
    """Return the switches of one sequence, each with its reason.

    The tracks are made again from the detections, with a record of every decision; they must be those that were
    evaluated.

    Parameters
    ----------
    evaluation
        Of tracks that were made from `detections`.
    detections
        What `detect` kept or `open_detections` opened.
    tracker
        The tracker that made the tracks; by default that which they carry in `attrs`, or the default of the
        detections.
    sequence
        Which sequence, where several were evaluated.

    Returns
    -------
    pandas.DataFrame
        The rows of `Evaluation.switches`, with `why` (a sentence), `why_kind` (one of `REASONS`), `why_frame` (the
        frame that decided), and what it was decided on, NaN where it plays no part: `best_score` near the person's box
        while no detection was used, against `score_threshold`; `undetected`, the number of such frames; `lost_for`,
        frames since the track last took a detection, against `buffer`, the frames that a lost track is kept;
        `appearance_distance`, the cosine distance of the embeddings before and after; `embedding_distance` of track and
        detection; their `cost` against `cost_limit`; `gate`, the squared Mahalanobis distance, against `gate_limit`;
        `iou`, of their boxes; and `setting`, the setting of the tracker that ruled, empty where none did.

    Raises
    ------
    EvaluationError
        If the detections and the tracker do not give the tracks that were evaluated.

    Examples
    --------
    >>> scene = fl.example()
    >>> tracker = fl.get_tracker("sort", max_age=1)
    >>> result = fl.evaluate(fl.track(scene.detections, tracker), scene.ground_truth)
    >>> table = explain_switches(result, scene.detections, tracker)
    >>> len(table) == result.overall["num_switches"]
    True
    """
    evaluated, trace = retrace(evaluation, detections, tracker, sequence)
    table = evaluation.switches_of(evaluated.name)
    diagnosis = SwitchDiagnosis(evaluated, trace)
    reasons = pd.DataFrame([diagnosis.reason(row) for row in table.itertuples()], columns=list(_ADDED))
    result = pd.concat([table, reasons], axis=1)
    result.attrs = dict(table.attrs)
    return result


@dataclasses.dataclass
class _Finding:
    """What decided a switch."""

    kind: str
    frame: int
    text: str
    values: dict[str, float] = dataclasses.field(default_factory=dict)
    setting: str = ""


@dataclasses.dataclass
class _Missed:
    """Frames in which the person was there and no detection on it was offered to the track, and what was near."""

    frames: list[int] = dataclasses.field(default_factory=list)
    best_score: float = -np.inf  # of detections that are used nowhere
    elsewhere: float = -np.inf  # of detections that were offered to other tracks only
    shared: bool = False  # a detection near the box fits another person better

    def words(self, min_score: float) -> str:
        """Say what was near the person in these frames."""
        parts = []
        if np.isfinite(self.elsewhere):
            parts.append(f"a detection of score {self.elsewhere:.2f} was offered to other tracks only")
        if np.isfinite(self.best_score):
            score = number_beside(self.best_score, min_score)
            limit = f" against {min_score:.2f}" if np.isfinite(min_score) else ""
            parts.append(f"best score near the box {score}{limit}")
        if self.shared and not parts:
            parts.append("the detection near the box fits another person better")
        return ", ".join(parts) or "nothing near the box"


class SwitchDiagnosis:
    """Follows the old track of each switch through the tracker's trace.

    Parameters
    ----------
    evaluated
        The evaluated sequence.
    trace
        Of the tracker that made its tracks.
    """

    def __init__(self, evaluated: SequenceEvaluation, trace: Trace) -> None:
        self.evaluated, self.trace = evaluated, trace
        truth = evaluated.ground_truth
        self.ids = truth.table["id"].to_numpy()
        self.frame, self.box = truth.frame, truth.box
        self.people = truth.is_person
        tracks = evaluated.tracks
        self.track_box = {
            (frame, track): box
            for frame, track, box in zip(
                tracks["frame"].tolist(), tracks["id"].tolist(), tracks[BOX].to_numpy(float), strict=True
            )
        }

    def reason(self, switch: Any) -> dict[str, Any]:
        """Return the columns that say why, for one row of the table of switches."""
        old, new, last, now = switch.from_id, switch.to_id, switch.last_frame, switch.frame
        finding, missed, seen = self._follow(switch.gt_id, old, new, last, now)
        before = _joined([part for frame, part in missed.items() if frame <= finding.frame])
        after = _joined([part for frame, part in missed.items() if frame > finding.frame])
        both = _joined([before, after])
        record_now = self.trace.get(now)
        values = {
            "best_score": both.best_score if np.isfinite(both.best_score) else np.nan,
            "score_threshold": np.nan if record_now is None else record_now.min_score,
            "undetected": len(both.frames),
            "lost_for": finding.frame - seen,
            "buffer": np.nan if record_now is None else record_now.max_time_lost,
            "appearance_distance": self._appearance_distance(old, last, new, now),
        }
        text = _sentence(finding, values, before, after)
        known: dict[str, Any] = dict.fromkeys(_ADDED, np.nan)
        words = {"why": text, "why_kind": finding.kind, "why_frame": finding.frame}
        return known | values | finding.values | words | {"setting": finding.setting}

    # -- the pieces

    def _follow(self, person: int, old: int, new: int, last: int, now: int) -> tuple[_Finding, dict[int, _Missed], int]:
        """Follow the old track to the switch; return what decided, the frames missed, and when it was last detected."""
        missed: dict[int, _Missed] = {}
        finding: _Finding | None = None
        refusal: _Finding | None = None  # holds until the track is back on the person, or something graver happens
        seen = last
        for frame in range(last + 1, now + 1):
            record = self.trace.get(frame)
            if record is None:
                missed[frame] = _Missed([frame])
                continue
            wanted = self._detection_on(person, record, old)
            if wanted is None and frame == now:
                wanted = record.taken(new)
            taken = record.taken(old)
            if wanted is None and len(self._box(person, frame)):
                missed[frame] = self._near(person, record)
            end = next(iter(record.about(old, kinds=ENDS)), None)
            if taken is not None:
                seen = frame
                if wanted is None and self._other_person(record, taken, person) is not None:
                    finding = self._went_away(record, old, taken, person)
                elif wanted is not None and taken != wanted and self._overlap(person, record, taken) < _NEAR:
                    finding = self._went_away(record, old, taken, person, wanted)
                elif end is not None:
                    finding = self._ended(record, end)
                if finding is not None:
                    break
                refusal = None
                continue
            if end is not None:
                since = [f for f in missed if refusal is not None and f > refusal.frame]
                detected = refusal is not None and len(since) < (frame - refusal.frame) / 2
                finding = refusal if detected else self._ended(record, end)
                break
            if wanted is not None:
                refusal = self._refused(record, old, wanted) or refusal
                if refusal is not None and record.owner(wanted) == new:
                    break
        return finding or refusal or self._held_on(person, old, now), missed, seen

    def _rows(self, frame: int) -> np.ndarray:
        """Return the rows of the people of a frame in the ground truth."""
        rows = np.arange(*np.searchsorted(self.frame, [frame, frame + 1]))
        return rows[self.people[rows]]

    def _box(self, person: int, frame: int) -> np.ndarray:
        """Return the box (1, 4) of a person in a frame; (0, 4) where the person is not there."""
        rows = self._rows(frame)
        return self.box[rows[self.ids[rows] == person]]

    def _overlap(self, person: int, record: FrameRecord, detection: int) -> float:
        box = self._box(person, record.frame)
        return float(iou(box, record.detections.boxes[[detection]])[0, 0]) if len(box) else 0.0

    def _fits(self, person: int, record: FrameRecord, candidates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the IoU of detections with a person, and whether each fits this person better than anyone else."""
        rows = self._rows(record.frame)
        own = np.flatnonzero(self.ids[rows] == person)
        if not len(own) or not len(candidates):
            return np.zeros(len(candidates)), np.zeros(len(candidates), bool)
        overlap = iou(self.box[rows], record.detections.boxes[candidates])
        overlap[:, of_other_classes(self.evaluated, record.detections)[candidates]] = 0
        near = overlap[own[0]]
        return near, (near >= _NEAR) & (overlap.argmax(axis=0) == own[0])

    def _detection_on(self, person: int, record: FrameRecord, track: int) -> int | None:
        """Return the detection that was offered to the track, or to any where it took no part, and fits this person."""
        offered = [stage.detections for stage in record.stages if stage.row(track) is not None]
        candidates = np.unique(np.concatenate(offered)) if offered else record.used()
        near, fits = self._fits(person, record, candidates)
        return int(candidates[np.argmax(np.where(fits, near, -1))]) if fits.any() else None

    def _near(self, person: int, record: FrameRecord) -> _Missed:
        every = np.arange(len(record.detections))
        near, fits = self._fits(person, record, every)
        used = np.isin(every, record.used())
        scores = record.detections.scores.astype(float)

        def best(which: np.ndarray) -> float:
            return float(scores[which].max()) if which.any() else -np.inf

        close = near >= _NEAR
        return _Missed([record.frame], best(close & ~used), best(fits & used), bool((close & used & ~fits).any()))

    def _other_person(self, record: FrameRecord, detection: int, person: int) -> int | None:
        """Return the other person that a detection fits best, if it fits anyone else."""
        rows = self._rows(record.frame)
        if not len(rows):
            return None
        overlap = iou(self.box[rows], record.detections.boxes[[detection]])[:, 0]
        best = int(np.argmax(overlap))
        return int(self.ids[rows[best]]) if overlap[best] >= _NEAR and self.ids[rows[best]] != person else None

    def _ended(self, record: FrameRecord, end: Note) -> _Finding:
        words = end.text.rstrip(".")
        setting = setting_in(words, self.trace.tracker)
        if end.kind == "expired":
            setting = next((name for name in _BUFFERS if name in self.trace.tracker.settings.to_dict()), setting)
        overlap = re.search(r"their IoU (?:is )?(\d\.\d+)", words)
        values = {"iou": float(overlap.group(1))} if overlap else {}
        return _Finding(_KIND_OF_END[end.kind], record.frame, f"in frame {record.frame} {words}", values, setting)

    def _went_away(
        self, record: FrameRecord, track: int, taken: int, person: int, wanted: int | None = None
    ) -> _Finding:
        """The track took a detection that is not on the person."""
        frame, other = record.frame, self._other_person(record, taken, person)
        where = f"person {other}" if other is not None else "a box on nobody"
        if wanted is None:
            return _Finding("not detected", frame, f"track {track} went over to {where} in frame {frame}")
        chosen = record.meetings(track, taken)
        offered = record.meetings(track, wanted)
        text = f"track {track} took {where} in frame {frame}"
        if not chosen or not offered:
            return _Finding("not offered", frame, f"{text}; the person's own detection was not offered to it")
        stage, i, j = offered[0]
        values = _measures(stage, i, j)
        spent = float(chosen[0][0].cost[chosen[0][1], chosen[0][2]])
        if stage.outcome(i, j) != "not chosen":  # it had no choice
            return _refusal(stage, i, j, frame, f"{text}; the person's own detection: {_far(stage, i, j)}", values)
        owner = record.owner(wanted)
        if owner is not None and owner != track and values["cost"] <= spent:
            text += f" (cost {_cost(spent, values['cost'])}), as track {owner} took the person's detection"
            text += f" (cost {_owner_cost(stage, owner, j)}; track {track} {_cost(values['cost'], spent)}): the sum of"
            return _Finding("taken by another track", frame, f"{text} costs is the least that way", values)
        text += f" (cost {_cost(spent, values['cost'])}; the person's own detection {_cost(values['cost'], spent)})"
        return _Finding("another detection nearer", frame, text, values)

    def _refused(self, record: FrameRecord, track: int, wanted: int) -> _Finding | None:
        """The person was detected and the track took nothing."""
        meetings, frame = record.meetings(track, wanted), record.frame
        if not meetings:
            return None
        stage, i, j = meetings[0]
        values = _measures(stage, i, j)
        later = "".join(f", {other.title}: {_far(other, row, column)}" for other, row, column in meetings[1:])
        if len(meetings) > 1 and "iou" not in values:
            values |= {key: value for key, value in _measures(*meetings[1]).items() if key == "iou"}
        if stage.outcome(i, j) in ("outside the gate", "forbidden", "too costly"):
            text = f"the detection of frame {frame} was refused to track {track}: {_far(stage, i, j)}{later}"
            return _refusal(stage, i, j, frame, text, values)
        rival = record.owner(wanted)
        if rival is None:
            return None
        text = f"in frame {frame} track {rival} took the person's detection"
        cost = _owner_cost(stage, rival, j)
        if cost:
            text += f" (cost {cost}; track {track} {number_beside(values['cost'], float(cost))})"
        return _Finding("taken by another track", frame, text, values)

    def _held_on(self, person: int, old: int, now: int) -> _Finding:
        """The track was on the person to the end: then it was not reported, or its box was off."""
        record = self.trace.get(now)
        filtered = [] if record is None else record.about(old, kinds=("filtered",))
        if filtered:
            words = filtered[0].text.rstrip(".")
            setting = setting_in(words, self.trace.tracker)
            return _Finding("not reported", now, f"track {old} is on the person; {words}", setting=setting)
        box, place = self.track_box.get((now, old)), self._box(person, now)
        if box is None or not len(place):
            return _Finding("not detected", now, f"track {old} has no detection on the person")
        overlap = float(iou(place, box[None])[0, 0])
        if overlap < _NEAR:
            text = f"track {old} is still there, but its box fits the person with an IoU of {overlap:.2f} only"
            return _Finding("box off the person", now, text, {"iou": overlap})
        text = f"track {old} is still there (IoU {overlap:.2f}), but is matched with another person close by"
        return _Finding("box on another person", now, text, {"iou": overlap})

    def _appearance_distance(self, old: int, last: int, new: int, now: int) -> float:
        before, after = self._embedding(last, old), self._embedding(now, new)
        return float(1 - before @ after) if before is not None and after is not None else np.nan

    def _embedding(self, frame: int, track: int) -> np.ndarray | None:
        record = self.trace.get(frame)
        if record is None or record.detections.embeddings is None:
            return None
        row = record.taken(track)
        if row is None:
            return None
        vector = record.detections.embeddings[row].astype(float)
        return vector / np.linalg.norm(vector)


def _sentence(finding: _Finding, values: dict[str, float], before: _Missed, after: _Missed) -> str:
    def missing(missed: _Missed) -> str:
        count = len(missed.frames)
        frames = f"{count} frame{'s' if count != 1 else ''}"
        return f"not detected for {frames} ({missed.words(values['score_threshold'])})"

    parts = [finding.text]
    if finding.kind == "lost too long":
        parts = [f"lost for {values['lost_for']} frames, and a lost track is kept for {values['buffer']}"]
    if before.frames and finding.kind in ("lost too long", "not detected"):
        parts.insert(0, missing(before))
    elif before.frames:
        parts.append(f"before that {missing(before)}")
    if after.frames:
        parts.append(f"after that {missing(after)}")
    return "; ".join(parts)


def _joined(parts: list[_Missed]) -> _Missed:
    return _Missed(
        [frame for part in parts for frame in part.frames],
        max([part.best_score for part in parts], default=-np.inf),
        max([part.elsewhere for part in parts], default=-np.inf),
        any(part.shared for part in parts),
    )


def _refusal(stage: Stage, row: int, column: int, frame: int, text: str, values: dict[str, float]) -> _Finding:
    """Return that a pair was not allowed; the motion gate is a quantile, not a setting."""
    if stage.outcome(row, column) == "outside the gate":
        return _Finding("outside the motion gate", frame, text, values)
    kind = "IoU too low" if stage.iou is not None else "too costly"
    if stage.appearance is not None:
        kind = "embedding too far"
    return _Finding(kind, frame, text, values, stage.setting)


def _far(stage: Stage, row: int, column: int) -> str:
    """Say in numbers why a pair was not allowed."""
    cost = float(stage.cost[row, column])
    if stage.outcome(row, column) == "outside the gate" and stage.mahalanobis is not None:
        distance = number_beside(float(stage.mahalanobis[row, column]), stage.gate)
        return f"squared Mahalanobis distance {distance} against a gate of {stage.gate:.2f}"
    if np.isinf(cost):
        return "the pair is forbidden" + ("" if stage.iou is None else f" with an IoU of {stage.iou[row, column]:.2f}")
    if stage.appearance is not None:
        what = f"embeddings are {stage.appearance[row, column]:.2f} apart"
    elif stage.iou is not None:
        overlap = float(stage.iou[row, column])
        if abs(1 - overlap - cost) < 1e-9:
            return f"IoU {number_beside(overlap, 1 - stage.max_cost)} against {1 - stage.max_cost:.2f}"
        what = f"IoU {overlap:.2f}"
    else:
        what = ""
    numbers = f"cost {number_beside(cost, stage.max_cost)} against {stage.max_cost:.2f}"
    return f"{what} ({numbers})" if what else numbers


def _owner_cost(stage: Stage, owner: int, column: int) -> str:
    """Return the cost of another track and a detection in a stage; empty where it took no part."""
    row = stage.row(owner)
    return "" if row is None else f"{stage.cost[row, column]:.2f}"


def _cost(value: float, other: float) -> str:
    return number_beside(value, other) if np.isfinite(value) else "infinite"


def _measures(stage: Stage, row: int, column: int) -> dict[str, float]:
    values = {"cost": float(stage.cost[row, column]), "cost_limit": float(stage.max_cost)}
    if stage.appearance is not None:
        values["embedding_distance"] = float(stage.appearance[row, column])
    if stage.mahalanobis is not None:
        values |= {"gate": float(stage.mahalanobis[row, column]), "gate_limit": stage.gate}
    if stage.iou is not None:
        values["iou"] = float(stage.iou[row, column])
    return values


def setting_in(text: str, tracker: Tracker) -> str:
    """Return the setting of a tracker that a sentence names; empty if it names none."""
    return next((name for name in tracker.settings.to_dict() if name in text), "")
