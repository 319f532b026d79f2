"""JDE's tracker as FairMOT uses it and PaddleDetection implements it (ppdet/modeling/mot/tracker/jde_tracker.py).

Wang et al., "Towards Real-Time Multi-Object Tracking", ECCV 2020; Zhang et al., "FairMOT", IJCV 2021.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from ..data import FrameDetections, FrameTracks
from . import costs, kalman
from .assignment import Pairs, pair
from .base import Tracker, warn
from .settings import TrackerSettings, choice, number, switch

FREE, TRACKED, LOST, REMOVED = 0, 1, 2, 3  # status of a slot
DUPLICATE_COST = 0.15  # 1 - IoU below which a tracked and a lost track are one
_NO_ROWS = np.empty(0, np.int64)


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


class JDETracker(Tracker):
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

    def _reset(self) -> None:
        self.max_time_lost = int(self.frame_rate / 30.0 * self.settings.track_buffer)
        self.min_score = self.settings.conf_thres
        self._table = _TrackTable.with_room(64, 0)
        self._tracked = _NO_ROWS  # slots, in ppdet's order
        self._lost = _NO_ROWS
        self._last_id = 0

    def check_embeddings(self, present: bool) -> None:
        """Say what is compared where there are no embeddings."""
        if not present:
            warn(
                "these detections have no embeddings: the first stage compares boxes alone (IoU with match_thres), "
                "tracked_thresh and metric_type have no effect"
            )

    # -- where BYTE differs

    @property
    def _birth_score(self) -> tuple[float, str]:
        """Smallest score that starts a track, and what it is called."""
        return self.settings.det_thresh, "det_thresh"

    def _second_stage(self, unseen: np.ndarray, first: Pairs, frame: _Observations) -> tuple[Pairs, np.ndarray]:
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
        frame = _Observations.of(detections)
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
        is_taken = first.matched >= 0
        unseen = confirmed[~is_taken[: len(confirmed)]]
        found = self._lost[is_taken[len(confirmed) :]]

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
        newborn = self._spawn_tracks(third.rows_left[~below_birth_score], frame)
        table = self._table  # the births may have called for a larger one

        # the lists of the next frame; ppdet takes an expired track off the lost ones one frame late, and off at once
        # if it is found in that frame and lost again later
        table.status[newly_lost] = LOST
        table.status[third.tracks_left] = REMOVED
        expired = self._lost[number - table.last[self._lost] > self.max_time_lost]
        table.status[expired] = REMOVED
        stays_lost = (table.status[self._lost] != TRACKED) & ~table.retired[self._lost]
        if not quirks:
            stays_lost &= table.status[self._lost] != REMOVED
        re_expired = table.retired[newly_lost]
        table.retired[expired] = True
        stays_tracked = table.status[self._tracked] == TRACKED
        tracked = np.concatenate((self._tracked[stays_tracked], newborn, found))
        lost = np.concatenate((self._lost[stays_lost], newly_lost[~re_expired]))
        if self._record is not None:
            self._note_births(newborn, third.rows_left[below_birth_score], scores)
            self._note_losses(newly_lost[~re_expired], expired, newly_lost[re_expired], number)
            self._note_unconfirmed(third)
        if len(lost) and len(tracked):
            tracked, lost = self._remove_duplicates(tracked, lost)

        result = self._report(detections, tracked)
        if len(tracked) + len(lost) < len(self._tracked) + len(self._lost) + len(newborn):
            table.keep_only(tracked, lost)
        self._tracked, self._lost = tracked, lost
        return result

    def _appearance_stage(
        self, title: str, slots: np.ndarray, rows: np.ndarray, frame: _Observations, max_cost: float, setting: str
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
        pairs = pair(cost, max_cost, slots, rows)
        self._record_stage(
            title,
            table.ids[slots],
            rows,
            cost,
            max_cost,
            setting,
            pairs.matched,
            appearance=appearance,
            metric=metric,
            mahalanobis=mahalanobis,
            gate=costs.GATE,
        )
        return pairs

    def _iou_stage(
        self, title: str, slots: np.ndarray, rows: np.ndarray, frame: _Observations, max_cost: float, setting: str
    ) -> Pairs:
        if len(slots) and len(rows):
            _, corners = kalman.estimate(self._table.motion, slots)
            cost = costs.iou_cost(corners, frame.corners, rows)
            pairs = pair(cost, max_cost, slots, rows)
        else:
            cost = np.empty((len(slots), len(rows)))
            pairs = Pairs(np.full(len(slots), -1), _NO_ROWS, _NO_ROWS, slots, rows)
        if self._record is not None:
            ids = self._table.ids[slots]
            self._record_stage(title, ids, rows, cost, max_cost, setting, pairs.matched, iou=1 - cost)
        return pairs

    def _update_matched(self, slots: np.ndarray, rows: np.ndarray, frame: _Observations) -> None:
        if not len(slots):
            return
        table = self._table
        kalman.update(table.motion, slots, frame.measurements, rows)
        if self._dimension:
            costs.update_embeddings(table.feature, slots, frame.embeddings, rows)
        table.status[slots] = TRACKED
        table.confirmed[slots] = True
        table.last[slots] = frame.number
        table.score[slots] = frame.scores[rows]
        table.row[slots] = rows

    def _spawn_tracks(self, rows: np.ndarray, frame: _Observations) -> np.ndarray:
        """Start tracks at detections; return their slots."""
        if not len(rows):
            return _NO_ROWS
        slots = np.flatnonzero(self._table.status == FREE)[: len(rows)]
        if len(slots) < len(rows) or self._table.feature.shape[1] != frame.embeddings.shape[1]:
            self._table = self._table.enlarged(2 * len(self._table.ids) + len(rows), frame.embeddings.shape[1])
            slots = np.flatnonzero(self._table.status == FREE)[: len(rows)]
        table = self._table
        kalman.initiate(table.motion, slots, frame.measurements, rows)
        table.feature[slots] = frame.embeddings[rows]
        table.ids[slots] = np.arange(self._last_id + 1, self._last_id + 1 + len(rows))
        self._last_id += len(rows)
        table.status[slots] = TRACKED
        table.confirmed[slots] = frame.number == self._first_frame
        table.retired[slots] = False
        table.start[slots] = table.last[slots] = frame.number
        table.score[slots] = frame.scores[rows]
        table.row[slots] = rows
        return slots

    def _remove_duplicates(self, tracked: np.ndarray, lost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of a tracked and a lost track on one spot, drop the one that has been seen for fewer frames."""
        table = self._table
        _, corners = kalman.estimate(table.motion, tracked)
        _, others = kalman.estimate(table.motion, lost)
        cost = costs.iou_cost(corners, others, np.arange(len(lost)))
        i, j = np.nonzero(cost < float(np.float32(DUPLICATE_COST)))
        if not len(i):
            return tracked, lost
        age = table.last - table.start
        drops_lost = age[tracked[i]] > age[lost[j]]
        if self._record is not None:
            dropped = table.ids[np.where(drops_lost, lost[j], tracked[i])]
            kept = table.ids[np.where(drops_lost, tracked[i], lost[j])]
            self._note_duplicates(dropped, kept, 1 - cost[i, j])
        return np.delete(tracked, i[~drops_lost]), np.delete(lost, j[drops_lost])

    def _report(self, detections: FrameDetections, tracked: np.ndarray) -> FrameTracks:
        """Return the tracks that are confirmed, large enough and not too wide."""
        table, settings = self._table, self.settings
        slots = tracked[table.confirmed[tracked]]
        boxes, _ = kalman.estimate(table.motion, slots)
        width, height = boxes[:, 2], boxes[:, 3]
        is_shown = (width * height).astype(np.float64) > settings.min_box_area
        if settings.vertical_ratio > 0:
            is_shown &= (width / height).astype(np.float64) <= settings.vertical_ratio
        if self._record is not None:
            for track in table.ids[slots[~is_shown]].tolist():
                self._record.note(
                    "filtered",
                    f"track {track} is not reported: its box has at most min_box_area {settings.min_box_area:g} square "
                    f"pixels, or is wider than vertical_ratio {settings.vertical_ratio:g} times its height.",
                    track=track,
                )
        shown = slots[is_shown]
        rows = table.row[shown]
        return FrameTracks(
            detections.frame, table.ids[shown], boxes[is_shown], table.score[shown], detections.class_ids[rows], rows
        )

    # -- the record in words; called only where one is kept

    def _note_unused(self, row: int, words: str, kind: str = "unused") -> None:
        assert self._record is not None
        self._record.note(kind, f"detection {row} {words}", detection=row)

    def _note_absence(self, pool: np.ndarray, number: int) -> None:
        assert self._record is not None
        for track, last in zip(self._table.ids[pool].tolist(), self._table.last[pool].tolist(), strict=True):
            if number - last > 1:
                self._record.note(
                    "absent", f"track {track} had been lost for {_frames(number - last - 1)}.", track=track
                )

    def _note_births(self, newborn: np.ndarray, unborn: np.ndarray, scores: np.ndarray) -> None:
        record, table, (limit, name) = self._record, self._table, self._birth_score
        assert record is not None
        for slot in newborn.tolist():
            track, row = int(table.ids[slot]), int(table.row[slot])
            end = "." if table.confirmed[slot] else "; a second detection has to confirm it."
            words = (
                f"a new track {track} was born from detection {row} (score {scores[row]:.2f} >= {name} {limit:g}){end}"
            )
            record.note("birth", words, track=track, detection=row)
        for row in unborn.tolist():
            words = f"was left over; its score {scores[row]:.2f} < {name} {limit:g} starts no track."
            self._note_unused(row, words, "unborn")

    def _note_losses(self, lost: np.ndarray, expired: np.ndarray, re_expired: np.ndarray, number: int) -> None:
        record, table, buffer = self._record, self._table, self.max_time_lost
        assert record is not None
        for track in table.ids[lost].tolist():
            record.note("lost", f"track {track} is lost; it can be found again for {_frames(buffer)}.", track=track)
        for slot in self._lost[table.status[self._lost] == LOST].tolist():
            track, left = int(table.ids[slot]), buffer - (number - int(table.last[slot])) + 1
            words = f"track {track} stays lost; it can be found again for {_frames(left, ' more')}."
            record.note("lost", words, track=track)
        for slot in expired.tolist():
            track = int(table.ids[slot])
            is_first = number - table.last[slot] == buffer + 1 and self.settings.ppdet_quirks
            grace = " (ppdet can find it in the next frame still; ppdet_quirks=False repairs that)" if is_first else ""
            words = f"track {track} ends: its buffer of {_frames(buffer)} has run out{grace}."
            record.note("expired", words, track=track)
        for track in table.ids[re_expired].tolist():
            record.note(
                "re_expired",
                f"track {track} ends: its buffer had run out before it was found again, and ppdet then gives it no "
                "second one (ppdet_quirks=False repairs that).",
                track=track,
            )

    def _note_unconfirmed(self, third: Pairs) -> None:
        record, ids = self._record, self._table.ids
        assert record is not None
        for track in ids[third.tracks].tolist():
            record.note("confirmed", f"track {track} is confirmed: it was seen a second time.", track=track)
        for track in ids[third.tracks_left].tolist():
            record.note("unconfirmed", f"track {track} ends: it was seen in one frame only.", track=track)

    def _note_duplicates(self, dropped: np.ndarray, kept: np.ndarray, iou: np.ndarray) -> None:
        record, least = self._record, 1 - DUPLICATE_COST
        assert record is not None
        for one, other, overlap in zip(dropped.tolist(), kept.tolist(), iou.tolist(), strict=True):
            shown = f"{overlap:.4f}" if overlap - least < 0.005 else f"{overlap:.2f}"
            words = f"track {one} is dropped as a duplicate of track {other}"
            reason = f"their IoU {shown} > {least:g}, and track {one} has been seen over fewer frames, or as few"
            record.note("duplicate", f"{words}: {reason}.", track=one)
            record.note("kept", f"{words} (IoU {overlap:.2f}).", track=other)


def _frames(count: int, more: str = "") -> str:
    return f"{count}{more} frame{'' if count == 1 else 's'}"


@dataclasses.dataclass(frozen=True)
class _Observations:
    """A frame's detections as the stages take them; see `kalman.measure`."""

    number: int
    scores: np.ndarray
    embeddings: np.ndarray  # (N, D), D being 0 where there are none
    corners: np.ndarray
    measurements: np.ndarray

    @classmethod
    def of(cls, detections: FrameDetections) -> _Observations:
        features = detections.embeddings
        if features is None:
            features = np.empty((len(detections), 0), np.float32)
        return cls(detections.frame, detections.scores, features, *kalman.measure(detections.boxes))


@dataclasses.dataclass
class _TrackTable:
    """Per-track state: a track holds one slot (row) of every array; free slots are reused."""

    motion: np.ndarray  # (K, 24) float32, see kalman.py
    feature: np.ndarray  # (K, D) float32, the smoothed embedding
    ids: np.ndarray
    status: np.ndarray
    confirmed: np.ndarray  # seen twice, or in the first frame
    retired: np.ndarray  # its buffer ran out once
    start: np.ndarray  # first frame
    last: np.ndarray  # last frame in which it took a detection
    score: np.ndarray
    row: np.ndarray  # of the detection that it took last

    @classmethod
    def with_room(cls, slots: int, dimension: int) -> _TrackTable:
        def whole() -> np.ndarray:
            return np.zeros(slots, np.int64)

        return cls(
            motion=np.zeros((slots, kalman.MOTION_SIZE), np.float32),
            feature=np.zeros((slots, dimension), np.float32),
            ids=whole(),
            status=whole(),
            confirmed=np.zeros(slots, np.bool_),
            retired=np.zeros(slots, np.bool_),
            start=whole(),
            last=whole(),
            score=np.zeros(slots, np.float32),
            row=whole(),
        )

    def enlarged(self, slots: int, dimension: int) -> _TrackTable:
        """Return the same tracks with more room; embeddings may appear where there were none."""
        new = _TrackTable.with_room(slots, dimension)
        for name, old in vars(self).items():
            if old.size:
                getattr(new, name)[: len(old)] = old
        return new

    def keep_only(self, tracked: np.ndarray, lost: np.ndarray) -> None:
        """Free the slots of all other tracks."""
        is_held = np.zeros(len(self.status), np.bool_)
        is_held[tracked] = True
        is_held[lost] = True
        self.status[~is_held] = FREE
