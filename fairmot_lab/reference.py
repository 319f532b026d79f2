"""ppdet's own JDETracker behind the interface of `Tracker`: the yardstick for the fast one, and slow.

Faults of it that have nothing to do with association are repaired here: ids belong to the tracker and not to the
process, `max_time_lost` follows the frame rate, input is checked and never changed, each tracker starts afresh, and
the embeddings of all detections ever seen do not pile up. Nothing in ppdet's modules is changed for that.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import types
import warnings
from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .association import Detections, FrameTracks, check_order, track_sequence
from .errors import ConfigError
from .settings import TrackerConfig, check_frame_rate

if TYPE_CHECKING:
    import pandas as pd

    from .data import FrameDetections, SequenceArrays

_OWN_SETTINGS = ("any_scores", "forget_removed", "refresh_score", "predict_unconfirmed", "keep_equal_scores")


class ReferenceTracker:
    """ppdet's JDETracker, one frame at a time.

    Parameters
    ----------
    config
        The settings; the repairs that only `Tracker` offers must be off.
    frame_rate
        Frames per second.

    Raises
    ------
    ConfigError
        If the frame rate is not a positive number, or a repair is on.
    """

    def __init__(self, config: TrackerConfig | None = None, frame_rate: float = 30.0) -> None:
        self.config = config or TrackerConfig()
        values = self.config.to_dict()
        own = {name: values.pop(name) for name in _OWN_SETTINGS}
        for name, is_on in own.items():
            if is_on and name != "any_scores":
                raise ConfigError(
                    f"{name} repairs a fault of ppdet's tracker; turn it off to run ppdet's tracker itself."
                )
        self.frame_rate = check_frame_rate(frame_rate)
        self._tracker = _tracker_class()(**values)
        self._tracker.max_time_lost = int(self.frame_rate / 30.0 * self.config.track_buffer)
        self._frame: int | None = None

    def update(self, outputs: FrameDetections) -> FrameTracks:
        """Track the next frame; see `Tracker.update`."""
        detections = Detections.from_frame(outputs)
        check_order(detections, self._frame, self.config.any_scores)
        return self._update(detections)

    def _update(self, detections: Detections) -> FrameTracks:
        for _ in range(0 if self._frame is None else detections.frame - self._frame - 1):
            self._step(Detections.none(0))
        self._frame = detections.frame
        return self._step(detections)

    def _step(self, detections: Detections) -> FrameTracks:
        x, y, w, h = detections.boxes.T
        table = np.stack([np.zeros_like(x), detections.scores, x, y, x + w, y + h], axis=1)
        embeddings = detections.embeddings.copy() if detections.dimension else None  # it normalises them in place
        tracks = [track for track in self._tracker.update(table, embeddings)[0] if self._is_shown(track.tlwh)]
        taken = np.array([track.taken for track in tracks], np.float32).reshape(-1, 5)
        offered = np.column_stack([table[:, 2:4], table[:, 4:6] - table[:, 2:4], table[:, 1]])
        rows = np.array([np.flatnonzero((offered == one).all(axis=1))[0] for one in taken], np.int64)
        return FrameTracks(
            detections.frame,
            np.array([track.track_id for track in tracks], np.int64),
            np.array([track.tlwh for track in tracks], np.float32).reshape(-1, 4),
            np.array([track.score for track in tracks], np.float32),
            detections.class_ids[rows],
            rows,
        )

    def _is_shown(self, box: np.ndarray) -> bool:
        """The filter of ppdet's engine (ppdet/engine/tracker.py, `_eval_seq_jde`)."""
        if box[2] * box[3] <= self.config.min_box_area:
            return False
        return not (self.config.vertical_ratio > 0 and box[2] / box[3] > self.config.vertical_ratio)


def reference_track_arrays(
    arrays: SequenceArrays, config: TrackerConfig | None = None, frame_rate: float = 30.0
) -> pd.DataFrame:
    """Track a whole sequence with ppdet's tracker; see `association.track_arrays`."""
    return track_sequence(ReferenceTracker(config, frame_rate), arrays)


def _tracker_class() -> Any:
    """ppdet's JDETracker on a class of tracks of its own: what ppdet keeps per process is then kept per tracker."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        # importing ppdet prints, and sets a process-wide filter that hides all warnings
        from ppdet.modeling.mot.tracker import jde_tracker

    class Track(jde_tracker.STrack):
        features: ClassVar[deque] = deque(maxlen=0)  # ppdet appends every first embedding to a list of the class
        _ids = itertools.count(1)
        taken: tuple[float, ...] = ()  # box and score of the detection that the track took last

        def next_id(self, cls_id: int) -> int:
            return next(self._ids)

        @staticmethod
        def init_count(num_classes: int) -> None:
            """ppdet's would set the counters of every tracker in the process to 0."""

        def activate(self, kalman_filter, frame_id):
            super().activate(kalman_filter, frame_id)
            self.taken = (*self._tlwh, self.score)

        def update(self, new_track, frame_id, update_feature=True):
            super().update(new_track, frame_id, update_feature)
            self.taken = (*new_track._tlwh, new_track.score)

        def re_activate(self, new_track, frame_id, new_id=False):
            super().re_activate(new_track, frame_id, new_id)
            self.taken = (*new_track._tlwh, new_track.score)

    class Tracker(jde_tracker.JDETracker):
        update = types.FunctionType(
            jde_tracker.JDETracker.update.__code__, {**vars(jde_tracker), "STrack": Track}, "update", (None,)
        )  # (None,): the default of pred_embs

    return Tracker
