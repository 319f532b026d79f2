"""Association: from the detections of one frame after another to tracks.

`base.Tracker` is the base of all trackers; `base.get_tracker` and `base.trackers` find them by name.
"""

from ._legacy import (
    Detections,
    FrameTracks,
    Setting,
    Trace,
    Tracker,
    TrackerConfig,
    check_order,
    explain,
    track_arrays,
    track_outputs,
    track_sequence,
    tracks_table,
    warm_up,
    warn_of_iou,
)

__all__ = [
    "Detections",
    "FrameTracks",
    "Setting",
    "Trace",
    "Tracker",
    "TrackerConfig",
    "check_order",
    "explain",
    "track_arrays",
    "track_outputs",
    "track_sequence",
    "tracks_table",
    "warm_up",
    "warn_of_iou",
]
