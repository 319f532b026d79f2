"""Follow one person of the ground truth through a sequence: detections, tracks, costs, and why they were lost."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .._terminal import wrapped
from ..association.base import Tracker
from ..association.records import FrameRecord
from ..association.run import Trace
from ..boxes import BOX, iou
from ..detection.cache import as_detections
from ..errors import EvaluationError
from .error_budget import CAUSES, CauseFinder
from .reasons import SwitchDiagnosis
from .retrace import retrace

if TYPE_CHECKING:
    from ..detection.detections import Detections
    from ..evaluation.events import SequenceEvaluation
    from ..evaluation.result import Evaluation

_NUMBERS = ("score", "iou", "cost", "max_cost", "gate", "gate_limit", "rival_cost")
_COLUMNS = [
    "frame", "time", "visibility", "state", "track", "cause", "det", "score", "iou", "taken_by", "stage", "cost",
    "max_cost", "gate", "gate_limit", "rival", "rival_cost", *BOX,
]  # fmt: skip


@dataclass(eq=False)
class PersonLife:
    """One person from the first frame to the last; made by `person`.

    Attributes
    ----------
    sequence : str
    gt_id : int
    frames : pandas.DataFrame
        One row per frame in which the person is scored: frame, time (s), visibility, state ("tracked", "switched" or
        "missed"), track (that the person is matched with, -1 for none), cause (of a miss, see `error_budget`); the
        detection that fits the person best: det (row of its frame, -1 for none), score, iou, taken_by (the track that
        took it, -1 for none), in which stage, at what cost against max_cost, gate (squared Mahalanobis distance)
        against gate_limit, rival (the other track to which it would have cost least) and rival_cost; x, y, w, h of the
        person.
    events : pandas.DataFrame
        What happened when: frame, event ("enters", "lost", "found", "switched", "leaves") and text.
    sentence : str
        The whole life in words.
    """

    sequence: str
    gt_id: int
    frames: pd.DataFrame
    events: pd.DataFrame
    sentence: str

    def __repr__(self) -> str:
        return wrapped(self.sentence)

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self.sentence)}</p>{self.events.to_html(index=False)}"


def person(
    evaluation: Evaluation,
    gt_id: int,
    detections: Detections,
    tracker: Tracker | str | None = None,
    *,
    sequence: str | None = None,
) -> PersonLife:
    """Tell the life of one person: who carried them, when they were lost, and why.

    Parameters
    ----------
    evaluation, detections, tracker, sequence
        As for `explain_switches`.
    gt_id
        Id of the person in the ground truth.

    Returns
    -------
    PersonLife

    Raises
    ------
    EvaluationError
        If no such person was scored, or the detections and the tracker do not give the tracks that were evaluated.

    Examples
    --------
    >>> import fairmot_lab as fl
    >>> scene = fl.example()
    >>> tracker = fl.JDETracker()
    >>> result = fl.evaluate(fl.track(scene.detections, tracker), scene.ground_truth)
    >>> life = person(result, 1, scene.detections, tracker)
    >>> life.frames["state"].value_counts().to_dict()
    {'tracked': 38, 'missed': 2}
    """
    detections = as_detections(detections)
    evaluated, trace = retrace(evaluation, detections, tracker, sequence)
    return follow(evaluated, trace, evaluation, detections, gt_id)


def follow(
    evaluated: SequenceEvaluation, trace: Trace, evaluation: Evaluation, detections: Detections, gt_id: int
) -> PersonLife:
    """Return the life of one person of a sequence whose tracker was traced; see `person`."""
    scored = evaluated.scored
    codes = np.flatnonzero(scored.g_ids == gt_id) if not isinstance(gt_id, str) else []
    if not len(codes):
        known = ", ".join(map(str, scored.g_ids[:20].tolist())) or "nobody"
        raise EvaluationError(f"{evaluated.name}: no person {gt_id!r} was scored; there are {known}.")
    finder = CauseFinder(evaluated, trace, evaluation, detections)
    frame_g = scored.g_frame
    rate = evaluated.ground_truth.frame_rate
    rows = []
    for row in np.flatnonzero(scored.g_id == codes[0]).tolist():
        frame, partner = int(frame_g[row]), int(evaluated.partner[row])
        record = trace.get(frame)
        truth_row = int(scored.g_rows[row])
        track = int(scored.t_ids[scored.t_id[partner]]) if partner >= 0 else -1
        if partner < 0:
            miss = finder.miss(frame, truth_row)
            cause, det = miss["cause"], miss["det"]
        else:
            cause, det = "", None if record is None else record.taken(track)
        state = "missed" if partner < 0 else "switched" if evaluated.switched[row] else "tracked"
        rows.append(
            {
                "frame": frame,
                "time": (frame - 1) / rate if rate else np.nan,
                "visibility": float(evaluated.ground_truth.visibility[truth_row]),
                "state": state,
                "track": track,
                "cause": cause,
                **_of_detection(record, evaluated.ground_truth.box[truth_row], -1 if det is None else det),
                **dict(zip(BOX, map(float, evaluated.ground_truth.box[truth_row]), strict=True)),
            }
        )
    frames = pd.DataFrame(rows, columns=_COLUMNS)
    present = evaluated.ground_truth.present[scored.g_rows[scored.g_id == codes[0]][0]].tolist()
    events = _events(frames, gt_id, evaluation, SwitchDiagnosis(evaluated, trace), evaluated.name, present)
    return PersonLife(evaluated.name, gt_id, frames, events, _sentence(frames, events, gt_id, evaluated.name))


def _of_detection(record: FrameRecord | None, box: np.ndarray, chosen: int) -> dict[str, Any]:
    """Return what is known of the detection that fits a person best, and of the track that took it."""
    found: dict[str, Any] = {"det": -1, "taken_by": -1, "stage": "", "rival": -1, **dict.fromkeys(_NUMBERS, np.nan)}
    if record is None or not len(record.detections):
        return found
    near = iou(box[None], record.detections.boxes)[0]
    det = chosen if chosen >= 0 else int(np.argmax(near))
    if near[det] <= 0:
        return found
    found |= {"det": det, "score": float(record.detections.scores[det]), "iou": float(near[det])}
    owner = record.owner(det)
    if owner is None:
        return found
    found["taken_by"] = owner
    for stage, i, j in record.meetings(owner, det):
        if stage.matched[i] != j:
            continue
        found |= {"stage": stage.title, "cost": float(stage.cost[i, j]), "max_cost": float(stage.max_cost)}
        if stage.mahalanobis is not None:
            found |= {"gate": float(stage.mahalanobis[i, j]), "gate_limit": float(stage.gate)}
        others = np.where(np.arange(len(stage.tracks)) == i, np.inf, stage.cost[:, j])
        if len(others) and np.isfinite(others).any():
            rival = int(np.argmin(others))
            found |= {"rival": int(stage.tracks[rival]), "rival_cost": float(others[rival])}
    return found


def _events(
    frames: pd.DataFrame,
    gt_id: int,
    evaluation: Evaluation,
    diagnosis: SwitchDiagnosis,
    name: str,
    present: tuple[int, int],
) -> pd.DataFrame:
    """Return when the person entered, was lost and found, changed the id, and left; `present`: first and last frame."""
    switches = evaluation.switches_of(name)
    first, last = int(frames["frame"].iloc[0]), int(frames["frame"].iloc[-1])
    before, after = present if evaluation.frames else (first, last)
    words = f"is there since frame {before}; frames from {first} on are evaluated"
    events = [(first, "enters", words if before < first else f"enters in frame {first}")]
    missed = frames["state"] == "missed"
    starts = frames.index[missed & ~missed.shift(fill_value=False)]
    ends = frames.index[missed & ~missed.shift(-1, fill_value=False)]
    for start, end in zip(starts, ends, strict=True):
        part = frames.loc[start:end]
        causes = ", ".join(f"{cause} ({count})" for cause, count in part["cause"].value_counts().items())
        span = _span(part)
        before = frames["track"].iloc[:start]
        lost = before.iloc[-1] if len(before) else -1
        words = f"lost by track {lost}" if lost >= 0 else "not yet tracked"
        events.append((int(part["frame"].iloc[0]), "lost", f"{words} {span}: {causes}"))
        if end + 1 < len(frames):
            now = frames.loc[end + 1]
            if now["state"] == "tracked":
                word = "found again by" if lost >= 0 else "first tracked by"
                events.append((int(now["frame"]), "found", f"{word} track {now['track']} in frame {now['frame']}"))
    for switch in switches[switches["gt_id"] == gt_id].itertuples():
        why = diagnosis.reason(switch)["why"]
        text = f"changes from track {switch.from_id} to {switch.to_id} in frame {switch.frame}: {why}"
        events.append((switch.frame, "switched", text))
    words = f"is there until frame {after}; frames up to {last} are evaluated"
    events.append((last, "leaves", words if after > last else f"is last seen in frame {last}"))
    order = {"enters": 0, "found": 1, "switched": 2, "lost": 3, "leaves": 4}
    table = pd.DataFrame(events, columns=["frame", "event", "text"])
    return table.sort_values(
        ["frame", "event"], key=lambda c: c.map(order) if c.name == "event" else c, kind="stable", ignore_index=True
    )


def _span(part: pd.DataFrame) -> str:
    first, last = int(part["frame"].iloc[0]), int(part["frame"].iloc[-1])
    return f"in frame {first}" if first == last else f"in frames {first} to {last}"


def _sentence(frames: pd.DataFrame, events: pd.DataFrame, gt_id: int, name: str) -> str:
    tracked = frames["state"] != "missed"
    ids = list(dict.fromkeys(frames.loc[tracked, "track"]))
    who = f"by track{'s' if len(ids) > 1 else ''} {', '.join(map(str, ids))}" if ids else "by no track"
    text = (
        f"Person {gt_id} of {name} is there in {len(frames)} frames ({frames['frame'].iloc[0]} to "
        f"{frames['frame'].iloc[-1]}) and tracked in {int(tracked.sum())} of them ({100 * tracked.mean():.0f} %), {who}"
    )
    missed = frames[~tracked]
    if len(missed):
        counts = missed["cause"].value_counts()
        meanings = "; ".join(
            f"in {count} frame{'s' if count > 1 else ''} {CAUSES['MISS'][str(cause)].partition(':')[0]}"
            for cause, count in counts.items()
        )
        text += f". Missed {len(missed)} times: {meanings}"
    switched = events[events["event"] == "switched"]
    if len(switched):
        text += ". The person " + "; then ".join(switched["text"])
    return f"{text}."
