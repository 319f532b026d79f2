"""What is scored: which ground truth counts, and which results are dropped before anything is counted.

=============  =====================================================================================================
motchallenge   the benchmark's preprocessing: ground truth of class 1 with conf; results on a distractor are dropped
raw            all ground truth with conf != 0; nothing is dropped
paddle         what PaddleDetection's own evaluator does, its faults included
=============  =====================================================================================================

docs/evaluation-protocols.md compares them, and what motmetrics and TrackEval do afterwards.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from ..boxes import union_area
from ..data import DISTRACTOR, DISTRACTORS, LARGEST_CLASS, NON_MOTORISED, PEDESTRIAN, PEOPLE
from ..errors import EvaluationError
from ..formats.classes import OTHER, ignored_rows, motchallenge_classes
from ..formats.mot import check_table
from ..formats.scoring import Scoring, scoring_of
from . import matching
from .matching import THRESHOLD

PROTOCOLS = ("motchallenge", "raw", "paddle")
EVALUATORS = ("motmetrics", "trackeval")


def distractor_classes(sequence: str) -> tuple[int, ...]:
    """Return the classes that a tracker may find or not, without reward or penalty; MOT20 adds vehicles.

    Examples
    --------
    >>> distractor_classes("MOT20-01")
    (2, 7, 8, 12, 6)
    """
    return (*DISTRACTORS, NON_MOTORISED) if sequence.startswith("MOT20-") else DISTRACTORS


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """Ground truth of one sequence, checked and laid out once, to be compared with many results.

    Made by `prepare`. Arrays have one entry per row of `table`, which is ordered by frame. `class_id` is in
    MOTChallenge's numbers, whatever the table's own are; `ignored` marks regions in which results count for nothing;
    `has_classes`: whether it tells pedestrians from distractors (not in MOT15), maybe in other frames;
    `present` (rows, 2) has the first and the last frame of that id, those outside an evaluated part included;
    `scoring` is what the protocol of the table's format adds.
    """

    name: str
    table: pd.DataFrame
    frame: np.ndarray
    box: np.ndarray
    conf: np.ndarray
    class_id: np.ndarray
    visibility: np.ndarray
    length: int | None
    frame_rate: float | None
    width: int | None
    height: int | None
    ignored: np.ndarray
    present: np.ndarray
    has_classes: bool
    scoring: Scoring = field(default_factory=Scoring)
    _sides: dict[tuple[str, str], _Side] = field(default_factory=dict, repr=False)

    @functools.cached_property
    def is_person(self) -> np.ndarray:
        """Which rows are people, scored or not."""
        return np.isin(self.class_id, PEOPLE) if self.has_classes else np.ones(len(self.class_id), bool)


def prepare(ground_truth: pd.DataFrame | GroundTruth, name: str | None = None) -> GroundTruth:
    """Check a ground-truth table and lay it out for comparison; sweeps and sliders do this once.

    Parameters
    ----------
    ground_truth
        Table with frame, id, x, y, w, h and, where known, conf, class_id and visibility (see `read_mot`). Its `attrs`
        may hold sequence, length, frame_rate, width, height and classes (names by `class_id`, which then say what is
        scored; see `formats.classes`).
    name
        Name of the sequence; by default the one in `attrs`.

    Raises
    ------
    MotFileError
        If the table breaks the rules that `read_mot` enforces.

    Examples
    --------
    >>> scene = fl.example()
    >>> prepare(scene.ground_truth).has_classes
    True
    """
    if isinstance(ground_truth, GroundTruth):
        return ground_truth
    attrs = ground_truth.attrs
    name = name or attrs.get("sequence") or "sequence"
    check_table(ground_truth, "ground_truth", name=f"ground truth of {name}", length=attrs.get("length"))
    table = _by_frame(ground_truth)
    rows = len(table)

    def column(key: str, default: float) -> np.ndarray:
        return table[key].to_numpy() if key in table else np.full(rows, default)

    scoring, frame, box = scoring_of(table), table["frame"].to_numpy().astype(np.int64), _boxes(table)
    ignored, visibility = ignored_rows(table), column("visibility", np.nan)
    class_id = np.where(ignored, OTHER, motchallenge_classes(table))
    for key, most in scoring.limits.items():
        if key in table:
            class_id[(class_id == PEDESTRIAN) & (table[key].to_numpy() > most)] = DISTRACTOR
    if scoring.drops_truth and ignored.any():
        class_id[_covered(frame, box, frame[ignored], box[ignored], together=True) >= 0.5] = OTHER
    return GroundTruth(
        name=name,
        table=table,
        frame=frame,
        box=box,
        conf=column("conf", 1.0),
        class_id=class_id,
        visibility=np.where(visibility < 0, np.nan, visibility),
        length=attrs.get("length"),
        frame_rate=attrs.get("frame_rate"),
        width=attrs.get("width"),
        height=attrs.get("height"),
        ignored=ignored,
        present=_present(frame, table["id"].to_numpy()),
        has_classes=bool((class_id >= 1).any()),
        scoring=scoring,
    )


def part_of(truth: GroundTruth, first: int, last: int) -> GroundTruth:
    """Return ground truth of some of its frames, which still knows what the whole says of classes and of who is there.

    Parameters
    ----------
    truth
        The whole.
    first, last
        Frames, both included.
    """
    inside = (truth.frame >= first) & (truth.frame <= last)
    table = truth.table[inside].reset_index(drop=True)
    table.attrs = dict(truth.table.attrs)
    part = prepare(table, truth.name)
    return replace(part, length=truth.length, present=truth.present[inside], has_classes=truth.has_classes)


def _present(frame: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """The first and the last frame (N, 2) of the id of each row; rows are ordered by frame."""
    _, first, code = np.unique(ids, return_index=True, return_inverse=True)
    last = len(ids) - 1 - np.unique(ids[::-1], return_index=True)[1]
    return np.column_stack((frame[first], frame[last]))[code].reshape(-1, 2)


@dataclass(frozen=True, eq=False)
class ScoredSequence:
    """One sequence as it is scored: what was dropped is gone, ids are codes, and overlapping boxes are paired.

    frames : (F,) frame numbers.  g_start, t_start, pair_start : (F + 1,) where the rows and pairs of each frame begin.
    g_rows, t_rows : rows in the tables that are scored.  g_id, t_id : id code of each scored row.
    g_ids, t_ids : the id behind each code.  pair_g, pair_t : scored rows of each pair.  pair_iou : their IoU.
    pair_distance : 1 - IoU as motmetrics finds it.  dropped : number of results dropped as distractors.
    """

    frames: np.ndarray
    g_start: np.ndarray
    t_start: np.ndarray
    pair_start: np.ndarray
    g_rows: np.ndarray
    t_rows: np.ndarray
    g_id: np.ndarray
    t_id: np.ndarray
    g_ids: np.ndarray
    t_ids: np.ndarray
    pair_g: np.ndarray
    pair_t: np.ndarray
    pair_iou: np.ndarray
    pair_distance: np.ndarray
    dropped: int

    @functools.cached_property
    def g_index(self) -> np.ndarray:
        """The index of the frame of each scored row of ground truth."""
        return np.repeat(np.arange(len(self.frames)), np.diff(self.g_start))

    @functools.cached_property
    def t_index(self) -> np.ndarray:
        """The index of the frame of each scored result."""
        return np.repeat(np.arange(len(self.frames)), np.diff(self.t_start))

    @property
    def g_frame(self) -> np.ndarray:
        """The number of the frame of each scored row of ground truth."""
        return self.frames[self.g_index]

    @property
    def t_frame(self) -> np.ndarray:
        """The number of the frame of each scored result."""
        return self.frames[self.t_index]


@dataclass(frozen=True, eq=False)
class _Side:
    """The scored rows of one side and their ids as codes."""

    keep: np.ndarray
    rows: np.ndarray
    frame: np.ndarray
    code: np.ndarray
    ids: np.ndarray

    @functools.cached_property
    def place(self) -> np.ndarray:
        """For each row that is scored, its place among those."""
        return np.cumsum(self.keep) - 1


class Overlaps:
    """The results of one sequence laid against its ground truth: every pair of boxes that overlap, found once.

    Parameters
    ----------
    ground_truth
        From `prepare`.
    tracks
        Tracks table, already checked.
    """

    def __init__(self, ground_truth: GroundTruth, tracks: pd.DataFrame) -> None:
        self.ground_truth = ground_truth
        self.tracks = _by_frame(tracks)
        self.frame = self.tracks["frame"].to_numpy().astype(np.int64)
        pairs = matching.overlapping_pairs(ground_truth.frame, ground_truth.box, self.frame, _boxes(self.tracks))
        self.g, self.t, self.iou, self.shifted = pairs
        outside = ground_truth.ignored
        if ground_truth.scoring.spares_matches:
            outside = outside | (ground_truth.class_id == OTHER)
        if outside.any():
            kept = ~outside[self.g]
            self.g, self.t, self.iou, self.shifted = (each[kept] for each in pairs)

    def scored(self, protocol: str, evaluator: str) -> ScoredSequence:
        """Apply a protocol as an evaluator does."""
        truth = self.ground_truth
        if protocol == "motchallenge" and truth.has_classes:
            _check_classes(truth)
            is_distractor = np.isin(truth.class_id, distractor_classes(truth.name))
            by_evaluator = self._assigned_by_trackeval if evaluator == "trackeval" else self._assigned_by_motmetrics
            drop = by_evaluator(is_distractor)
            drop |= self._in_regions()
        elif protocol == "paddle":
            drop = self._on_distractors_paddle()
        else:
            drop = np.zeros(len(self.frame), bool)
        g_side = truth._sides.get((protocol, evaluator))
        if g_side is None:
            g_side = _side(_scored_truth(truth, protocol, evaluator), truth.frame, truth.table["id"].to_numpy())
            truth._sides[protocol, evaluator] = g_side
        t_side = _side(~drop, self.frame, self.tracks["id"].to_numpy())
        distance = 1 - (self.iou if protocol == "paddle" else self.shifted)
        if protocol == "paddle":
            # PaddleDetection walks the frames of the result file only: what is missed elsewhere is not counted.
            frames = np.unique(self.frame)
            inside = np.isin(truth.frame, frames)
            g_side = _side(g_side.keep & inside, truth.frame, truth.table["id"].to_numpy())
        elif evaluator == "motmetrics":
            frames = self._frames_motmetrics(g_side, t_side)
        else:
            frames = np.union1d(g_side.frame, t_side.frame)
        kept = g_side.keep[self.g] & t_side.keep[self.t]
        pair_g, pair_t = g_side.place[self.g[kept]], t_side.place[self.t[kept]]
        return ScoredSequence(
            frames=frames,
            g_start=_starts(g_side.frame, frames),
            t_start=_starts(t_side.frame, frames),
            pair_start=_starts(g_side.frame[pair_g], frames),
            g_rows=g_side.rows,
            t_rows=t_side.rows,
            g_id=g_side.code,
            t_id=t_side.code,
            g_ids=g_side.ids,
            t_ids=t_side.ids,
            pair_g=pair_g,
            pair_t=pair_t,
            pair_iou=self.iou[kept],
            pair_distance=distance[kept],
            dropped=int(drop.sum()),
        )

    def _in_regions(self) -> np.ndarray:
        """Results that a region to ignore covers, and those too low to count, as the protocol of the format says."""
        truth, scoring = self.ground_truth, self.ground_truth.scoring
        box = _boxes(self.tracks)
        regions = truth.frame[truth.ignored], truth.box[truth.ignored]
        share = _covered(self.frame, box, *regions, together=not scoring.spares_matches)
        inside = share >= 0.5 if scoring.drops_truth else share > 0.5 + matching.EPSILON
        if not scoring.spares_matches:
            return inside
        is_matched = self._assigned_by_trackeval(np.ones(len(truth.frame), bool))
        return (inside | (box[:, 3] <= scoring.lowest + matching.EPSILON)) & ~is_matched

    def _frames_motmetrics(self, g_side: _Side, t_side: _Side) -> np.ndarray:
        """The frames that motmetrics walks: those of both files, filtered rows included (it keeps the index levels)."""
        if not len(t_side.frame):
            return np.unique(self.ground_truth.frame)
        if not len(g_side.frame):
            return np.unique(self.frame)
        return np.union1d(self.ground_truth.frame, self.frame)

    def _assigned_by_motmetrics(self, flagged: np.ndarray) -> np.ndarray:
        """CLEAR_MOT_M's preprocessing: the best assignment to all ground truth, with motmetrics' own solver."""
        distance = 1 - self.shifted
        near = distance <= THRESHOLD
        return self._assigned_to(flagged, np.ones(len(flagged), bool), near, distance)

    def _on_distractors_paddle(self) -> np.ndarray:
        """MOTEvaluator.eval_frame: the best assignment to distractors alone deletes true positives."""
        truth = self.ground_truth
        if not truth.has_classes:
            raise EvaluationError(
                f"{truth.name}: PaddleDetection's evaluator takes column 8 for the class and there is none here; use "
                "protocol='raw'."
            )
        if not any(mark in truth.name for mark in ("MOT15-", "MOT16-", "MOT17-", "MOT20-")):
            return np.zeros(len(self.frame), bool)  # it looks for distractors in MOTChallenge sequences only
        flagged = np.isin(truth.class_id, DISTRACTORS)
        distance = 1 - self.iou
        return self._assigned_to(flagged, flagged, (distance <= THRESHOLD) & flagged[self.g], distance)

    def _assigned_to(
        self, flagged: np.ndarray, in_matrix: np.ndarray, candidate: np.ndarray, distance: np.ndarray
    ) -> np.ndarray:
        """Results whose partner is flagged when all `candidate` pairs are assigned, frame by frame.

        A pair whose boxes have no other candidate is assigned for certain; the solver is asked only where a flagged
        box and another compete.
        """
        drop = np.zeros(len(self.frame), bool)
        g, t = self.g[candidate], self.t[candidate]
        if not len(g):
            return drop
        lonely = (np.bincount(g, minlength=len(flagged))[g] == 1) & (np.bincount(t, minlength=len(drop))[t] == 1)
        drop[t[lonely & flagged[g]]] = True
        frame = self.frame[t]
        contested = np.unique(frame[~lonely & flagged[g]])
        if not len(contested):
            return drop
        from motmetrics.lap import linear_sum_assignment

        near = distance[candidate]
        rows_g = np.flatnonzero(in_matrix)
        frame_g = self.ground_truth.frame[rows_g]
        place_g = np.cumsum(in_matrix) - 1
        for number in contested.tolist():
            g0, g1 = np.searchsorted(frame_g, [number, number + 1])
            t0, t1 = np.searchsorted(self.frame, [number, number + 1])
            p0, p1 = np.searchsorted(frame, [number, number + 1])
            matrix = np.full((g1 - g0, t1 - t0), np.nan)
            matrix[place_g[g[p0:p1]] - g0, t[p0:p1] - t0] = near[p0:p1]
            rows, columns = linear_sum_assignment(matrix)
            drop[t0:t1] = False
            drop[t0 + columns[flagged[rows_g[g0 + rows]]]] = True
        return drop

    def _assigned_by_trackeval(self, flagged: np.ndarray) -> np.ndarray:
        """Results whose partner is flagged when all ground truth and results are assigned, frame by frame."""
        truth = self.ground_truth
        near = self.iou >= THRESHOLD - matching.EPSILON
        g, t = self.g[near], self.t[near]
        frames = np.union1d(truth.frame, self.frame)
        keep = np.ones(len(self.frame), bool)
        matching.drop_distractors(
            _starts(truth.frame, frames),
            _starts(self.frame, frames),
            _starts(self.frame[t], frames),
            g,
            t,
            self.iou[near],
            flagged,
            keep,
        )
        return ~keep


def _covered(
    frame: np.ndarray, box: np.ndarray, region_frame: np.ndarray, region_box: np.ndarray, *, together: bool
) -> np.ndarray:
    """The share of each box that regions of its frame cover: all of them together, or the one that covers most."""
    r, b, *_ = matching.overlapping_pairs(region_frame, region_box, frame, box)
    low = np.maximum(region_box[r, :2], box[b, :2])
    high = np.minimum(region_box[r, :2] + region_box[r, 2:], box[b, :2] + box[b, 2:])
    area = box[:, 2] * box[:, 3]
    shared = (high - low).prod(axis=1) / area[b]
    most = np.zeros(len(frame))
    np.maximum.at(most, b, shared)
    if not together:
        return most
    total = np.bincount(b, shared, minlength=len(frame))
    for row in np.flatnonzero((total >= 0.5) & (most < 0.5)).tolist():  # regions may overlap: count no pixel twice
        total[row] = union_area(np.hstack((low, high))[b == row]) / area[row]
    return total


def _scored_truth(truth: GroundTruth, protocol: str, evaluator: str) -> np.ndarray:
    if protocol == "paddle":
        return (truth.conf.astype(np.int64) != 0) & (truth.class_id == PEDESTRIAN)
    if protocol == "motchallenge" and truth.has_classes:
        sure = truth.conf.astype(np.int64) != 0 if evaluator == "trackeval" else truth.conf >= 0.99
        return sure & (truth.class_id == PEDESTRIAN)
    return truth.conf.astype(np.int64) != 0 if evaluator == "trackeval" else truth.conf != 0


def _check_classes(truth: GroundTruth) -> None:
    odd = (truth.class_id < 1) | (truth.class_id > LARGEST_CLASS)
    if odd.any():
        row = int(np.argmax(odd))
        raise EvaluationError(
            f"{truth.name}: {int(odd.sum())} of {len(odd)} rows of ground truth have a class (column 8) that is not 1 "
            f"to 13 as in MOTChallenge, such as {truth.class_id[row]} in frame {truth.frame[row]}; name the classes in "
            "gt/labels.txt, one a line from the lowest on, or use protocol='raw'."
        )


def _side(keep: np.ndarray, frame: np.ndarray, ids: np.ndarray) -> _Side:
    rows = np.flatnonzero(keep)
    code, unique = pd.factorize(ids[rows], sort=True)
    return _Side(keep, rows, frame[rows], code.astype(np.int64), np.asarray(unique, dtype=np.int64))


def _starts(frame: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Where the rows of each of `frames` begin in the ordered `frame`, and the end of the last."""
    return np.append(np.searchsorted(frame, frames), len(frame)).astype(np.int64)


def _by_frame(table: pd.DataFrame) -> pd.DataFrame:
    if table["frame"].is_monotonic_increasing:
        return table
    return table.sort_values("frame", kind="stable", ignore_index=True)


def _boxes(table: pd.DataFrame) -> np.ndarray:
    return np.column_stack([table[name].to_numpy().astype(np.float64) for name in "xywh"])
