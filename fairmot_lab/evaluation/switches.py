"""ID switches: one row each, what happened. docs/switch-kinds.md shows the kinds in pictures.

Why they happened, from kept detections, is for `fairmot_lab.diagnosis.explain_switches` to say.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd

from ..boxes import union_area
from .events import SequenceEvaluation
from .protocols import GroundTruth, ScoredSequence

KINDS = {
    "swap": "two people exchange their ids",
    "lost to another person": "the old id has gone over to another person",
    "takeover": "the new id is taken from another person",
    "back to a known id": "the person gets an id back that it had before",
    "new id": "the new id was on nobody before",
}
_COLUMNS = (
    "sequence", "frame", "time", "gt_id", "from_id", "to_id", "kind", "last_frame", "gap", "missed", "visibility",
    "iou_other", "other_gt_id", "covered", "x", "y", "w", "h", "new_length", "from_fate", "to_origin",
)  # fmt: skip


def switch_table(sequences: Iterable[SequenceEvaluation]) -> pd.DataFrame:
    """Return one row per ID switch, as many as the metric counts.

    Parameters
    ----------
    sequences
        As in `Evaluation.sequences`.

    Returns
    -------
    pandas.DataFrame
        sequence; frame and time (s, NaN without a frame rate) of the switch; gt_id, the person; from_id and to_id, the
        track ids before and after; kind (one of `KINDS`); last_frame in which the person carried from_id; gap, frames
        from there to the switch (1: the very next); missed, frames of the gap in which the person was there and not
        matched; visibility (from the ground truth); iou_other and other_gt_id, the nearest other person and the IoU
        with it (0 and the nearest by centre where none overlaps; -1 where there is no other); covered, the share of the
        box covered by people nearer to the camera (with their feet lower in the image); x, y, w, h, the ground-truth
        box in pixels; new_length, for how many matched frames the person then carries to_id; from_fate, where from_id
        is at the switch; to_origin, where to_id was before.

    Examples
    --------
    >>> scene = fl.example()
    >>> result = fl.evaluate(scene.tracks, scene.ground_truth)
    >>> switch_table(result.sequences.values())[["frame", "gt_id", "kind"]].values.tolist()
    [[21, 1, 'swap'], [21, 2, 'swap']]
    """
    tables = [_sequence_table(one) for one in sequences]
    return pd.concat(tables, ignore_index=True)


def describe(switches: pd.DataFrame, caption: str) -> list[str]:
    """Return the switches as lines of text: their number by kind, then one line each.

    Parameters
    ----------
    switches
        As `Evaluation.switches` or `explain_switches` gives them.
    caption
        What they were counted by, as in `Evaluation.caption`.

    Examples
    --------
    >>> scene = fl.example()
    >>> result = fl.evaluate(scene.tracks, scene.ground_truth)
    >>> describe(result.switches, result.caption)[1]
    'crossing frame 21: person 1 1 -> 2, swap, after 3 frames (2 of them missed); 1 is on person 2'
    """
    counts = switches["kind"].value_counts()
    shares = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS if kind in counts)
    lines = [f"{len(switches)} ID switches" + (f": {shares}" if shares else "") + f" ({caption})"]
    for row in switches.itertuples():
        gap = "in the next frame" if row.gap == 1 else f"after {row.gap} frames ({row.missed} of them missed)"
        line = f"{row.sequence} frame {row.frame}: person {row.gt_id} {row.from_id} -> {row.to_id}, {row.kind}, {gap}"
        why = getattr(row, "why", "")
        lines.append(f"{line}; {why}" if why else f"{line}; {row.from_id} {row.from_fate}")
    return lines


def compare_switches(before: pd.DataFrame, after: pd.DataFrame, tolerance: int = 0) -> pd.DataFrame:
    """Return the ID switches of two trackers, and which of them vanish, appear or stay.

    Parameters
    ----------
    before, after
        `Evaluation.switches` of the same sequences.
    tolerance
        A switch of a person stays if there is one of that person at most so many frames away, the nearest counting.

    Returns
    -------
    pandas.DataFrame
        `change` ("vanishes", "appears", "stays"), then the columns of the switches, for one that stays as before, and
        `frame_second`, its frame afterwards (-1: nowhere). By sequence and frame.

    Examples
    --------
    >>> before = pd.DataFrame({"sequence": "A", "frame": [5, 9], "gt_id": [1, 2]})
    >>> compare_switches(before, before[:1])["change"].tolist()
    ['stays', 'vanishes']
    """
    before, after = before.reset_index(drop=True), after.reset_index(drop=True)
    partner = _partners(before, after, tolerance)
    staying = partner >= 0
    old = before.assign(frame_second=-1)
    old.insert(0, "change", np.where(staying, "stays", "vanishes"))
    old.loc[staying, "frame_second"] = after["frame"].to_numpy()[partner[staying]]
    new = after.iloc[np.setdiff1d(np.arange(len(after)), partner)].assign(change="appears")
    new["frame_second"] = new["frame"]
    table = pd.concat([part for part in (old, new) if len(part)] or [old])
    return table.sort_values(["sequence", "frame", "gt_id"], kind="stable", ignore_index=True)


def _partners(before: pd.DataFrame, after: pd.DataFrame, tolerance: int) -> np.ndarray:
    """For each switch before, the row of the same switch after, or -1; the nearest in time first."""
    partner = np.full(len(before), -1)
    where: dict[tuple[str, int], list[int]] = {}
    for row, key in enumerate(zip(after["sequence"], after["gt_id"], strict=True)):
        where.setdefault(key, []).append(row)
    frames = after["frame"].to_numpy()
    candidates = []
    for row, (sequence, person, frame) in enumerate(
        zip(before["sequence"], before["gt_id"], before["frame"], strict=True)
    ):
        for other in where.get((sequence, person), ()):
            distance = abs(int(frames[other]) - int(frame))
            if distance <= tolerance:
                candidates.append((distance, row, other))
    taken: set[int] = set()
    for _, row, other in sorted(candidates):
        if partner[row] < 0 and other not in taken:
            partner[row] = other
            taken.add(other)
    return partner


@dataclasses.dataclass(frozen=True)
class Matches:
    """Who carried which id when: codes and frame indices of all matches of one sequence, looked up by person or id."""

    frame: np.ndarray
    person: np.ndarray
    track: np.ndarray
    scored: ScoredSequence

    @classmethod
    def of(cls, one: SequenceEvaluation) -> Matches:
        """Return the matches behind an evaluation, ordered by frame."""
        scored = one.scored
        rows = np.flatnonzero(one.is_matched)
        frame = scored.g_index[rows]
        return cls(frame, scored.g_id[rows], scored.t_id[one.partner[rows]], scored)

    def by_person(self) -> Callable[[int], np.ndarray]:
        """Return a function from person code to its rows, ordered by frame."""
        return _grouped(self.person, len(self.scored.g_ids))

    def by_track(self) -> Callable[[int], np.ndarray]:
        """Return a function from track code to its rows, ordered by frame."""
        return _grouped(self.track, len(self.scored.t_ids))


def _grouped(code: np.ndarray, count: int) -> Callable[[int], np.ndarray]:
    order = np.argsort(code, kind="stable")
    start = np.searchsorted(code[order], np.arange(count + 1))
    return lambda index: order[start[index] : start[index + 1]]


def _sequence_table(one: SequenceEvaluation) -> pd.DataFrame:
    scored, truth = one.scored, one.ground_truth
    matches = Matches.of(one)
    of_person, history = matches.by_person(), _History(one, matches)
    present = _grouped(scored.g_id, len(scored.g_ids))
    frame_of_row = scored.g_index
    people = _People(truth)
    rows = []
    for row in np.flatnonzero(one.switched):
        person, track = int(scored.g_id[row]), int(scored.t_id[one.partner[row]])
        now = int(frame_of_row[row])
        own = of_person(person)
        place = int(np.searchsorted(matches.frame[own], now))
        before = int(own[place - 1])
        old, last = int(matches.track[before]), int(matches.frame[before])
        later = matches.track[own[place:]] != track
        there = frame_of_row[present(person)]
        frame = int(scored.frames[now])
        box = truth.box[scored.g_rows[row]]
        rows.append(
            {
                "sequence": one.name,
                "frame": frame,
                "time": (frame - 1) / truth.frame_rate if truth.frame_rate else np.nan,
                "gt_id": int(scored.g_ids[person]),
                "from_id": int(scored.t_ids[old]),
                "to_id": int(scored.t_ids[track]),
                "kind": history.kind(person, old, track, last, now),
                "last_frame": int(scored.frames[last]),
                "gap": frame - int(scored.frames[last]),
                "missed": int(((there > last) & (there < now)).sum()),
                "visibility": float(truth.visibility[scored.g_rows[row]]),
                **people.around(int(scored.g_rows[row])),
                **dict(zip("xywh", map(float, box), strict=True)),
                "new_length": int(np.argmax(later)) if later.any() else len(later),
                "from_fate": history.fate(person, old, now),
                "to_origin": history.origin(person, track, now),
            }
        )
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    whole = ("frame", "gt_id", "from_id", "to_id", "last_frame", "gap", "missed", "other_gt_id", "new_length")
    numbers = ("time", "visibility", "iou_other", "covered", "x", "y", "w", "h")
    return table.astype(dict.fromkeys(whole, np.int64) | dict.fromkeys(numbers, np.float64))


class _History:
    """What track ids did around a switch."""

    def __init__(self, one: SequenceEvaluation, matches: Matches) -> None:
        codes = pd.Index(one.scored.t_ids).get_indexer(one.tracks["id"])
        self.matches, self.of_track = matches, matches.by_track()
        self.reported, self.reported_frame = _grouped(codes, len(one.scored.t_ids)), one.tracks["frame"].to_numpy()

    def kind(self, person: int, old: int, new: int, last: int, now: int) -> str:
        """Return which of `KINDS` a switch from track `old` to `new` is."""
        previous = self._person_before(new, now)
        holder = self._holder(old, person, last, now)
        if previous is not None and previous != person and self._exchanged(previous, old, last, now):
            return "swap"
        if holder is not None:
            return "lost to another person"
        if previous is None:
            return "new id"
        return "back to a known id" if previous == person else "takeover"

    def _person_before(self, track: int, now: int) -> int | None:
        """The person that a track was last matched with before frame index `now`."""
        rows = self.of_track(track)
        count = int(np.searchsorted(self.matches.frame[rows], now))
        return int(self.matches.person[rows[count - 1]]) if count else None

    def _holder(self, track: int, person: int, last: int, now: int) -> int | None:
        """Another person that carries the track at the switch, or did last since the person lost it."""
        rows = self.of_track(track)
        frame = self.matches.frame[rows]
        rows = rows[(frame > last) & (frame <= now) & (self.matches.person[rows] != person)]
        return int(self.matches.person[rows[-1]]) if len(rows) else None

    def _exchanged(self, other: int, old: int, last: int, now: int) -> bool:
        """Whether `other` carries the old id by now, or gets it within a second of frames after the switch."""
        frames = self.matches.scored.frames
        rows = self.of_track(old)
        frame = self.matches.frame[rows]
        soon = (frame > last) & (frames[frame] <= frames[now] + SWAP_WINDOW)
        return bool((self.matches.person[rows[soon]] == other).any())

    def fate(self, person: int, track: int, now: int) -> str:
        """Say where a track id is in frame index `now`."""
        scored = self.matches.scored
        rows = self.of_track(track)
        here = rows[self.matches.frame[rows] == now]
        if len(here):
            return f"is on person {scored.g_ids[self.matches.person[here[0]]]}"
        frames = np.unique(self.reported_frame[self.reported(track)])
        number = int(scored.frames[now])
        if number in frames:
            return "is reported on nobody"
        after = frames[frames > number]
        if not len(after):
            return f"ended in frame {frames[-1]}"
        later = rows[self.matches.frame[rows] > now]
        if not len(later):
            return f"returns in frame {after[0]} on nobody"
        whom = int(self.matches.person[later[0]])
        name = "the same person" if whom == person else f"person {scored.g_ids[whom]}"
        return f"returns in frame {scored.frames[self.matches.frame[later[0]]]} on {name}"

    def origin(self, person: int, track: int, now: int) -> str:
        """Say where a track id was before frame index `now`."""
        scored = self.matches.scored
        previous = self._person_before(track, now)
        if previous is None:
            frames = self.reported_frame[self.reported(track)]
            first, number = int(frames.min()), int(scored.frames[now])
            return "new" if first == number else f"on nobody since frame {first}"
        return "on this person" if previous == person else f"on person {scored.g_ids[previous]}"


SWAP_WINDOW = 30
"""Frames within which the second half of a swap may follow the first."""


class _People:
    """The people of the ground truth by frame, scored or not."""

    def __init__(self, truth: GroundTruth) -> None:
        self.truth = truth
        self.rows = np.flatnonzero(truth.is_person)
        self.frame = truth.frame[self.rows]
        self.ids = truth.table["id"].to_numpy()

    def around(self, row: int) -> dict[str, Any]:
        """Return iou_other, other_gt_id and covered of a ground-truth row."""
        first, last = np.searchsorted(self.frame, [self.truth.frame[row], self.truth.frame[row] + 1])
        others = self.rows[first:last]
        others = others[others != row]
        if not len(others):
            return {"iou_other": 0.0, "other_gt_id": -1, "covered": 0.0}
        x, y, w, h = self.truth.box[row]
        box = self.truth.box[others]
        left, top = np.maximum(box[:, 0], x), np.maximum(box[:, 1], y)
        right, bottom = np.minimum(box[:, 0] + box[:, 2], x + w), np.minimum(box[:, 1] + box[:, 3], y + h)
        both = np.clip(right - left, 0, None) * np.clip(bottom - top, 0, None)
        iou = both / (w * h + box[:, 2] * box[:, 3] - both)
        centre = np.hypot(box[:, 0] + box[:, 2] / 2 - x - w / 2, box[:, 1] + box[:, 3] / 2 - y - h / 2)
        nearest = int(np.lexsort((centre, -iou))[0])
        in_front = (both > 0) & (box[:, 1] + box[:, 3] > y + h)
        covered = union_area(np.column_stack([left, top, right, bottom])[in_front]) / (w * h)
        return {"iou_other": float(iou[nearest]), "other_gt_id": int(self.ids[others[nearest]]), "covered": covered}
