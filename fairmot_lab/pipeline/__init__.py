"""From a source to tracks: as a table (`track`), frame by frame (`stream`), or into files (`track_files`)."""

from .files import FrameCounter, TrackReport, track_files
from .frames import DEFAULT_MODEL, FrameResult, above, check_threshold, recommended_tracker, stream
from .table import read_tracks, track
from .text import TextWriter

__all__ = [
    "DEFAULT_MODEL",
    "FrameCounter",
    "FrameResult",
    "TextWriter",
    "TrackReport",
    "above",
    "check_threshold",
    "read_tracks",
    "recommended_tracker",
    "stream",
    "track",
    "track_files",
]
