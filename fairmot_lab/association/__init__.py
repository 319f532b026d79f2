"""Association: from the detections of one frame after another to tracks.

Each tracker is one module; `get_tracker` and `trackers` find them by name. docs/association.md shows how one is added.
"""

from typing import Any

from .base import Tracker
from .explanation import explain, explain_pair
from .per_class import PerClass
from .records import FrameRecord, Note, Stage
from .registry import TRACKERS, as_tracker, get_tracker, load_tracker, tracker_class, tracker_from_dict, trackers
from .run import Trace, trace, track_detections, tracks_table, warm_up
from .settings import Setting, TrackerSettings

__all__ = [
    "FrameRecord",
    "Note",
    "PerClass",
    "Setting",
    "Stage",
    "Trace",
    "Tracker",
    "TrackerSettings",
    "as_tracker",
    "explain",
    "explain_pair",
    "get_tracker",
    "load_tracker",
    "trace",
    "track_detections",
    "tracker_class",
    "tracker_from_dict",
    "trackers",
    "tracks_table",
    "warm_up",
]


def __getattr__(name: str) -> Any:
    """Find the class of a registered tracker, such as `JDETracker`."""
    for tracker, place in TRACKERS.items():
        if place.endswith(f":{name}"):
            return tracker_class(tracker)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
