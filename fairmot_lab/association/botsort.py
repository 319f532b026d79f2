"""BoT-SORT: ByteTrack with a Kalman filter of width and height, camera motion, and appearance.

Source: N. Aharon, R. Orfaig, B. Bobrovsky, "BoT-SORT: Robust associations multi-pedestrian tracking", 2022, and its
code, tracker/bot_sort.py.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ..errors import TrackingError
from . import kalman_xywh
from .bytetrack import ByteTrackTracker
from .settings import TrackerSettings, check_low_score, lost_buffer, number, smallest_area, switch, widest_shape

if TYPE_CHECKING:
    from ..data import FrameDetections


@dataclasses.dataclass(frozen=True, kw_only=True)
class BoTSORTSettings(TrackerSettings):
    """Settings of BoT-SORT, with the defaults of its authors' script for MOT17."""

    track_high_thresh: float = number(
        0.6, 0, 1, (0.2, 0.8), "detections with a score above this are offered in the first stage", is_score=True
    )
    track_low_thresh: float = number(
        0.1, 0, 1, (0.05, 0.4), "detections with a score above this are offered in the second stage", is_score=True
    )
    new_track_thresh: float = number(
        0.7, 0, 1, (0.2, 0.9), "a detection left over starts a track if its score is at least this", is_score=True
    )
    match_thresh: float = number(
        0.8,
        0,
        1,
        (0.5, 1.0),
        "first stage: largest cost (1 - IoU x score, or appearance) at which a track takes a detection",
    )
    second_thresh: float = number(
        0.5, 0, 1, (0.3, 0.9), "second stage: largest cost 1 - IoU at which a track takes a detection of low score"
    )
    unconfirmed_thresh: float = number(
        0.7, 0, 1, (0.3, 1.0), "largest cost at which a track of one frame is confirmed by a second detection"
    )
    with_reid: bool = switch(False, "let appearance lower the cost of boxes that overlap (needs embeddings)")
    appearance_thresh: float = number(
        0.25, 0, 1, (0.05, 0.5), "ReID: half the cosine distance above which appearance does not count"
    )
    proximity_thresh: float = number(0.5, 0, 1, (0.3, 1.0), "ReID: 1 - IoU above which appearance does not count")
    track_buffer: int = lost_buffer()
    fuse_score: bool = switch(
        True, "multiply the IoU by the detection's score in the first and third stage (the authors do not on MOT20)"
    )
    min_box_area: float = smallest_area(10.0)
    vertical_ratio: float = widest_shape()

    def check_together(self) -> None:
        """Refuse a track_low_thresh that leaves nothing to the second stage."""
        check_low_score("track_low_thresh", self.track_low_thresh, "track_high_thresh", self.track_high_thresh)


class BoTSORTTracker(ByteTrackTracker):
    """BoT-SORT, one frame at a time.

    Its stages are ByteTrack's. Width and height are estimated in place of the aspect ratio; predictions are moved with
    the camera where its motion is known (`update(..., warp)`, see `camera_motion`); with `with_reid` the cost of a pair
    of boxes that overlap is the smaller of that of the boxes and half the cosine distance of their embeddings. Unlike
    ByteTrack it reports a track from the frame that it is born in.

    Parameters
    ----------
    frame_rate
        Frames per second; by default that of the detections, 30 where they have none. A lost track is kept for
        `int(frame_rate / 30 * track_buffer)` frames.

    Examples
    --------
    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> tracker = BoTSORTTracker()
    >>> frame = SimpleNamespace(frame=1, boxes=np.array([[10, 10, 40, 100]]), scores=np.array([0.9]))
    >>> tracker.update(frame).boxes
    array([[ 10.,  10.,  40., 100.]], dtype=float32)
    >>> frame.frame, shift = 2, np.array([[1, 0, 50], [0, 1, 0]])
    >>> frame.boxes = frame.boxes + [50, 0, 0, 0]
    >>> tracker.update(frame, shift).ids
    array([1])
    """

    name = "botsort"
    title = "BoT-SORT (Aharon et al., 2022)"
    Settings = BoTSORTSettings
    motion_size: ClassVar[int] = kalman_xywh.MOTION_SIZE
    reports_unconfirmed = True

    def _reset(self) -> None:
        super()._reset()
        self._limits["appearance"] = self.settings.appearance_thresh
        self._limits["proximity"] = self.settings.proximity_thresh

    def _score_thresholds(self) -> tuple[float, float, float]:
        settings = self.settings
        return settings.track_low_thresh, settings.track_high_thresh, settings.new_track_thresh

    @property
    def _birth_score(self) -> tuple[float, str]:
        return float(self._limits["birth"][0]), "new_track_thresh"

    def _features(self, detections: FrameDetections) -> np.ndarray:
        if not self.settings.with_reid or detections.embeddings is None:
            return super()._features(detections)
        return detections.embeddings

    def check_embeddings(self, present: bool) -> None:
        """Refuse ReID without embeddings."""
        if self.settings.with_reid and not present:
            raise TrackingError("These detections have no embeddings; set with_reid=False, or detect with FairMOT.")
