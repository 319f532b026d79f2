"""The record of what a tracker saw and decided, in terms that fit any tracker.

A frame's record is a list of stages, each a cost matrix of tracks and detections with the pairs that were made, and a
list of notes in the tracker's own words.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..data import FrameDetections, FrameTracks


@dataclasses.dataclass(frozen=True)
class Stage:
    """One round of pairing tracks with detections.

    Attributes
    ----------
    title : str
        Such as "first stage".
    tracks : (n,) int64
        Ids.
    detections : (m,) int64
        Rows of the frame.
    cost : (n, m) float64
        What was minimised; inf forbids a pair.
    max_cost : float
        No pair that costs more was made.
    setting : str
        The setting that `max_cost` comes from; empty where the tracker fixes it.
    matched : (n,) int64
        For each track the column of the detection it took, or -1.
    appearance : (n, m) float64 or None
        Distance of embeddings, where they were compared.
    metric : str
        What kind of distance that is.
    mahalanobis : (n, m) float32 or None
        Squared Mahalanobis distance between predicted and detected box, where it was computed.
    gate : float
        Pairs above this squared Mahalanobis distance were forbidden.
    iou : (n, m) float64 or None
        Intersection over union, where boxes were compared.
    measures : dict of str to (n, m) arrays
        What else the cost was made from, by name.
    """

    title: str
    tracks: np.ndarray
    detections: np.ndarray
    cost: np.ndarray
    max_cost: float
    setting: str
    matched: np.ndarray
    appearance: np.ndarray | None = None
    metric: str = "cosine"
    mahalanobis: np.ndarray | None = None
    gate: float = np.inf
    iou: np.ndarray | None = None
    measures: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def row(self, track: int) -> int | None:
        """Return the row of a track in the matrices; None where it took no part."""
        return _place(self.tracks, track)

    def column(self, detection: int) -> int | None:
        """Return the column of a detection in the matrices; None where it was not offered."""
        return _place(self.detections, detection)

    def partner(self, row: int) -> int | None:
        """Return the column of the detection that the track of a row took; None if it took none."""
        column = int(self.matched[row])
        return column if column >= 0 else None

    def owner(self, column: int) -> int | None:
        """Return the row of the track that took the detection of a column; None if none did."""
        return _place(self.matched, column)

    def outcome(self, row: int, column: int) -> str:
        """Return what became of a pair.

        Returns
        -------
        str
            "matched", "outside the gate", "forbidden" (infinite cost), "too costly" (above `max_cost`), or "not
            chosen": the sum of costs is lower without it.
        """
        if self.matched[row] == column:
            return "matched"
        if self.mahalanobis is not None and self.mahalanobis[row, column] > np.float32(self.gate):
            return "outside the gate"
        cost = self.cost[row, column]
        if np.isinf(cost):
            return "forbidden"
        return "too costly" if cost > self.max_cost else "not chosen"


@dataclasses.dataclass(frozen=True)
class Note:
    """Something that a tracker says about a track, a detection or both.

    Attributes
    ----------
    kind : str
        A word by which it is found. Known to all readers are "birth" (of a track from a detection), "unused" (a
        detection was offered to no track), "unborn" (a detection was left over and started no track), "lost",
        "filtered" (a track is followed but not reported); and of tracks that end, see `ENDS`. A tracker may use others.
    text : str
        A sentence.
    track, detection : int or None
        Id and row that it is about.
    after : int
        How many stages came before it.
    """

    kind: str
    text: str
    track: int | None
    detection: int | None
    after: int


ENDS = ("expired", "duplicate", "unconfirmed", "re_expired", "ended")
"""Kinds of notes about the end of a track: its time is up; another track is on the same spot; it found no second
detection; it had expired before it was found and is lost again; anything else."""


@dataclasses.dataclass
class FrameRecord:
    """What a tracker saw and did in one frame; tracks are given by id, detections by row.

    Attributes
    ----------
    detections : FrameDetections
        Boxes, scores, classes and embeddings as the tracker used them.
    tracks : FrameTracks
        What was reported.
    stages : list of Stage
        In the order in which they were decided.
    notes : list of Note
    min_score : float
        Detections with scores up to this are not used; NaN where the tracker has no such threshold.
    max_time_lost : int
        Frames that a lost track is kept.
    """

    detections: FrameDetections
    tracks: FrameTracks
    stages: list[Stage]
    notes: list[Note]
    min_score: float
    max_time_lost: int

    @property
    def frame(self) -> int:
        """Frame number, counted from 1."""
        return self.detections.frame

    @property
    def births(self) -> dict[int, int]:
        """Row of the detection that each new track was born from, by id."""
        return {note.track: note.detection for note in self.notes if note.kind == "birth"}  # type: ignore[misc]

    def note(self, kind: str, text: str, *, track: int | None = None, detection: int | None = None) -> None:
        """Add a note; see `Note`."""
        self.notes.append(Note(kind, text, track, detection, len(self.stages)))

    def about(self, track: int | None = None, detection: int | None = None, kinds: tuple[str, ...] = ()) -> list[Note]:
        """Return the notes about a track or a detection, of some kinds or of all."""
        return [
            note
            for note in self.notes
            if (not kinds or note.kind in kinds)
            and ((track is not None and note.track == track) or (detection is not None and note.detection == detection))
        ]

    def knows(self, track: int) -> bool:
        """Return whether the tracker held a track in this frame."""
        return any(stage.row(track) is not None for stage in self.stages) or bool(self.about(track))

    def taken(self, track: int) -> int | None:
        """Return the row of the detection that a track took or was born from; None if it took none."""
        for stage in self.stages:
            row = stage.row(track)
            if row is not None and stage.matched[row] >= 0:
                return int(stage.detections[stage.matched[row]])
        return self.births.get(track)

    def owner(self, detection: int) -> int | None:
        """Return the id of the track that took a detection or was born from it; None if none did."""
        for stage in self.stages:
            column = stage.column(detection)
            row = None if column is None else stage.owner(column)
            if row is not None:
                return int(stage.tracks[row])
        return next((track for track, row in self.births.items() if row == detection), None)

    def meetings(self, track: int, detection: int) -> list[tuple[Stage, int, int]]:
        """Return the stages in which a track and a detection met, with their row and column."""
        found = [(stage, stage.row(track), stage.column(detection)) for stage in self.stages]
        return [(stage, i, j) for stage, i, j in found if i is not None and j is not None]

    def used(self) -> np.ndarray:
        """Return the rows of the detections that were offered to a track or started one, ascending."""
        parts = [stage.detections for stage in self.stages]
        return np.unique(np.concatenate([*parts, np.array(list(self.births.values()), np.int64)])).astype(np.int64)


def _place(values: np.ndarray, value: int) -> int | None:
    found = np.flatnonzero(values == value)
    return int(found[0]) if len(found) else None
