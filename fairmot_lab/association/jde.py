"""JDE's tracker as FairMOT uses it and PaddleDetection implements it (ppdet/modeling/mot/tracker/jde_tracker.py).

Wang et al., "Towards Real-Time Multi-Object Tracking", ECCV 2020; Zhang et al., "FairMOT", IJCV 2021.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np

from ..data import FrameDetections, FrameTracks
from . import costs, kalman
from .assignment import Pairs
from .base import warn
from .lists import ListTracker, Observations, frames, pairs_below, unseen_and_found
from .settings import TrackerSettings, choice, number, switch

_DUPLICATE_COST = float(np.float32(0.15))  # 1 - DUPLICATE_IOU, in ppdet's precision


@dataclasses.dataclass(frozen=True, kw_only=True)
class PPDetSettings(TrackerSettings):
    """What both forms of PaddleDetection's tracker have: its names, with the defaults of its FairMOT models.

    A cost is a distance (0: the same; embeddings: at most 2, IoU: at most 1), a score is a confidence (1: certain).
    """

    conf_thres: float = number(
        0.4, 0, 1, (0.1, 0.8), "detections with a score above this take part in the first stage", is_score=True
    )
    match_thres: float = number(
        0.8, 0, 1, (0.3, 1.0), "first stage without embeddings: largest cost 1 - IoU at which a track takes a detection"
    )
    tracked_thresh: float = number(
        0.4, 0, 3, (0.1, 1.0), "first stage: largest cost of embedding and motion at which a track takes a detection"
    )
    metric_type: str = choice("cosine", ("cosine", "euclidean"), "the distance between embeddings")
    unconfirmed_thresh: float = number(
        0.7, 0, 1, (0.1, 1.0), "largest cost 1 - IoU at which a track of one frame is confirmed by a second detection"
    )
    track_buffer: int = number(
        30, 0, 100_000, (5, 120), "how long a lost track can be found again, in frames of a 30 frames/s video"
    )
    min_box_area: float = number(
        200.0, 0, 1e12, (0, 1000), "tracks with a box of at most this many square pixels are not reported"
    )
    vertical_ratio: float = number(
        1.6, 0, 1e6, (0.8, 2.5), "tracks with a box wider than this times its height are not reported; 0 reports all"
    )
    ppdet_quirks: bool = switch(
        True,
        "decide exactly as PaddleDetection, faults included: an expired track can be found for one more frame and is "
        "then dropped at its next miss; a track found again reports its old score; a track of one frame is not moved "
        "before it is compared; in BYTE a score of exactly conf_thres is dropped",
        search=(True,),
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class JDESettings(PPDetSettings):
    """Settings of `JDETracker`."""

    det_thresh: float = number(
        0.3, 0, 1, (0.1, 0.8), "a detection with a score below this starts no track", is_score=True
    )
    r_tracked_thresh: float = number(
        0.5, 0, 1, (0.1, 1.0), "second stage: largest cost 1 - IoU at which a track takes a detection left over"
    )


class JDETracker(ListTracker):
    """FairMOT's tracker: appearance and motion first, then IoU; exactly ppdet's JDETracker, at a fraction of its time.

    In the first frame, whatever its number, detections are tracked at once; later ones must be seen twice. Without
    embeddings the first stage compares boxes (IoU with `match_thres`) in place of embeddings and motion, as ppdet does;
    a warning says so.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> tracker = JDETracker(conf_thres=0.3)
    >>> frame = SimpleNamespace(frame=1, boxes=[[10, 10, 40, 100]], scores=[0.9], embeddings=[[0.6, 0.8]])
    >>> tracker.update(frame).ids
    array([1])
    """

    name = "jde"
    title = "JDE, as FairMOT uses it (PaddleDetection)"
    uses_camera_motion = True
    Settings: ClassVar[type[TrackerSettings]] = JDESettings
    kalman: ClassVar[Any] = kalman
    motion_type: ClassVar[type] = np.float32

    def _reset(self) -> None:
        super()._reset()
        self.min_score = self.settings.conf_thres
        repaired = "ppdet_quirks=False repairs that"
        self._keeps_expired = self.settings.ppdet_quirks
        self._grace = f" (ppdet can find it in the next frame still; {repaired})" if self._keeps_expired else ""
        self._no_second = f"ppdet then gives it no second one ({repaired})"

    def check_embeddings(self, present: bool) -> None:
        """Say what is compared where there are no embeddings."""
        if not present:
            warn(
                "These detections have no embeddings: the first stage compares boxes alone (IoU with match_thres), "
                "tracked_thresh and metric_type have no effect"
            )

    # -- where BYTE differs

    @property
    def _birth_score(self) -> tuple[float, str]:
        return self.settings.det_thresh, "det_thresh"

    def _second_stage(self, unseen: np.ndarray, first: Pairs, frame: Observations) -> tuple[Pairs, np.ndarray]:
        """Offer the tracks still to be seen what the first stage left over; return what is left after that too."""
        second = self._iou_stage(
            "second stage", unseen, first.rows_left, frame, self.settings.r_tracked_thresh, "r_tracked_thresh"
        )
        return second, second.rows_left

    def _note_scores(self, scores: np.ndarray) -> None:
        """Say which detections are not used because of their score."""
        limit = self.settings.conf_thres
        for row in np.flatnonzero(~(scores > np.float32(limit))).tolist():
            self._note_unused(row, f"has score {scores[row]:.2f} <= conf_thres {limit:g}: it was not used.")

    # -- one frame

    def _step(self, detections: FrameDetections, warp: np.ndarray | None) -> FrameTracks:
        """Track one frame as ppdet's `JDETracker.update` does."""
        settings, table, quirks = self.settings, self._table, self.settings.ppdet_quirks
        number, scores = detections.frame, detections.scores
        features = detections.embeddings
        if features is None:
            features = np.empty((len(detections), 0), np.float32)
        frame = Observations(detections, features, *kalman.measure(detections.boxes))
        if self._dimension:
            costs.normalise(frame.embeddings)

        # tracks that were seen twice, and lost ones, move; ppdet lets those of one frame wait
        is_confirmed = table.confirmed[self._tracked]
        confirmed, unconfirmed = self._tracked[is_confirmed], self._tracked[~is_confirmed]
        pool = np.concatenate((confirmed, self._lost))
        kalman.predict(table.motion, pool, len(confirmed))
        if not quirks:
            kalman.predict(table.motion, unconfirmed, len(unconfirmed))
        if warp is not None:
            kalman.warp(table.motion, pool, warp)
            kalman.warp(table.motion, unconfirmed, warp)
        if self._record is not None:
            self._note_scores(scores)
            self._note_absence(pool, number)

        # first stage: embeddings and motion, or IoU where there are no embeddings
        high = (scores > np.float32(settings.conf_thres)).nonzero()[0]
        if self._dimension:
            first = self._appearance_stage("first stage", pool, high, frame, settings.tracked_thresh, "tracked_thresh")
        else:
            first = self._iou_stage("first stage", pool, high, frame, settings.match_thres, "match_thres")
        unseen, found = unseen_and_found(first.matched, pool, len(confirmed))

        # second stage: IoU of the tracks still to be seen; third: tracks of one frame are confirmed or dropped
        second, left = self._second_stage(unseen, first, frame)
        newly_lost = second.tracks_left
        third = self._iou_stage(
            "unconfirmed tracks", unconfirmed, left, frame, settings.unconfirmed_thresh, "unconfirmed_thresh"
        )

        old_scores = table.score[found]
        for stage in (first, second, third):
            self._update_matched(stage.tracks, stage.rows, frame)
        if quirks:
            table.score[found] = old_scores
        below_birth_score = scores[third.rows_left].astype(np.float64) < self._birth_score[0]
        newborn = self._spawn(third.rows_left[~below_birth_score], frame)
        return self._finish(frame, newborn, found, newly_lost, third, third.rows_left[below_birth_score])

    def _appearance_stage(
        self, title: str, slots: np.ndarray, rows: np.ndarray, frame: Observations, max_cost: float, setting: str
    ) -> Pairs:
        table, metric = self._table, self.settings.metric_type
        appearance, mahalanobis, cost = costs.appearance_cost(
            table.motion,
            table.feature,
            slots,
            frame.embeddings,
            frame.measurements,
            rows,
            metric == "euclidean",
            self._record is not None,
        )
        return self._pair(
            title,
            slots,
            rows,
            cost,
            max_cost,
            setting,
            appearance=appearance,
            metric=metric,
            mahalanobis=mahalanobis,
            gate=costs.GATE,
        )

    def _iou_stage(
        self, title: str, slots: np.ndarray, rows: np.ndarray, frame: Observations, max_cost: float, setting: str
    ) -> Pairs:
        cost = np.empty((len(slots), len(rows)))
        if cost.size:
            _, corners = kalman.boxes_of(self._table.motion, slots)
            cost = costs.iou_cost(corners, frame.corners, rows)
        measures = {} if self._record is None else {"iou": 1 - cost}
        return self._pair(title, slots, rows, cost, max_cost, setting, **measures)

    def _update_matched(self, slots: np.ndarray, rows: np.ndarray, frame: Observations) -> None:
        super()._update_matched(slots, rows, frame)
        if self._dimension and len(slots):
            costs.update_embeddings(self._table.feature, slots, frame.embeddings, rows)

    def _duplicates(self, tracked: np.ndarray, lost: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        _, corners = kalman.boxes_of(self._table.motion, tracked)
        _, others = kalman.boxes_of(self._table.motion, lost)
        i, j, cost = pairs_below(costs.iou_cost(corners, others, np.arange(len(lost))), _DUPLICATE_COST)
        return i, j, 1 - cost

    def _note_absence(self, pool: np.ndarray, number: int) -> None:
        assert self._record is not None
        step = (self.frame_grid or (0, 1))[1]
        for track, last in zip(self._table.ids[pool].tolist(), self._table.last[pool].tolist(), strict=True):
            missed = (number - last) // step - 1
            if missed > 0:
                self._record.note("absent", f"track {track} had been lost for {frames(missed)}.", track=track)
