"""Why the tracker decided as it did: the record of a frame, and the sentences it gives."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from .errors import TrackingError

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
    """What happened to a track (by id) or to a detection (by row) in one frame."""
    raise NotImplementedError("sentences follow")
