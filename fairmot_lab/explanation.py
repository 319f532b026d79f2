"""Why the tracker decided as it did: the record of a frame, and the sentences it gives."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .errors import TrackingError

if TYPE_CHECKING:
    from .association import Detections, FrameTracks, TrackerConfig
    from .kernels import Record


@dataclasses.dataclass(frozen=True)
class FrameRecord:
    """What the tracker saw and did in one frame.

    Attributes
    ----------
    detections : Detections
        Boxes, scores, embeddings (normalised) and classes; rows of the record count in these.
    tracks : FrameTracks
        What was reported.
    details : Record
        Costs, pairs, births and deaths; see `kernels.Record`.
    config, max_time_lost
        The settings that they were made with.
    """

    detections: Detections
    tracks: FrameTracks
    details: Record
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
            raise TrackingError(f"the trace holds no frame {frame}; it holds {self._span()}.")
        return self._records[frame]

    def __contains__(self, frame: int) -> bool:
        return frame in self._records

    def __iter__(self) -> Iterator[FrameRecord]:
        return iter(self._records.values())

    def __len__(self) -> int:
        return len(self._records)

    def _span(self) -> str:
        frames = list(self._records)
        return f"the frames {frames[0]} to {frames[-1]}" if frames else "none"


def explain(record: FrameRecord, *, track: int | None = None, detection: int | None = None) -> list[str]:
    """What happened to a track (by id) or to a detection (by row) in one frame."""
    raise NotImplementedError("sentences follow")
