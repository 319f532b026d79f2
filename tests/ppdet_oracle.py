"""ppdet's own JDETracker behind the interface of `Tracker`: the yardstick for ours, and slow.

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
from typing import Any, ClassVar

import numpy as np

from fairmot_lab.association.base import Tracker
from fairmot_lab.association.jde import JDESettings
from fairmot_lab.association.ppdet_byte import PPDetByteSettings
from fairmot_lab.data import FrameTracks


class PPDetReference(Tracker):
    """ppdet's JDETracker, one frame at a time."""

    Settings = JDESettings
    use_byte = False

    def _reset(self) -> None:
        values = self.settings.to_dict()
        assert values.pop("ppdet_quirks"), "ppdet's own tracker has ppdet's quirks"
        del values["any_scores"]
        self._tracker = _tracker_class()(use_byte=self.use_byte, **values)
        self.max_time_lost = self._tracker.max_time_lost = int(self.frame_rate / 30.0 * self.settings.track_buffer)

    def _step(self, detections: Any, warp: np.ndarray | None) -> FrameTracks:
        x, y, w, h = detections.boxes.T
        table = np.stack([np.zeros_like(x), detections.scores, x, y, x + w, y + h], axis=1)
        tracks = self._tracker.update(table, detections.embeddings)[0]
        tracks = [track for track in tracks if self._is_shown(track.tlwh)]
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
        if box[2] * box[3] <= self.settings.min_box_area:
            return False
        return not (self.settings.vertical_ratio > 0 and box[2] / box[3] > self.settings.vertical_ratio)


class PPDetByteReference(PPDetReference):
    """The same with `use_byte`."""

    Settings = PPDetByteSettings
    use_byte = True


def reference(tracker: Tracker) -> Tracker:
    """ppdet's own tracker with the settings of ours."""
    return {"jde": PPDetReference, "ppdet_byte": PPDetByteReference}[tracker.name](**tracker.settings.to_dict())


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

    class PPDetTracker(jde_tracker.JDETracker):
        update = types.FunctionType(
            jde_tracker.JDETracker.update.__code__, {**vars(jde_tracker), "STrack": Track}, "update", (None,)
        )  # (None,): the default of pred_embs

    return PPDetTracker
