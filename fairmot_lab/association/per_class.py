"""Several classes: one tracker for each class, one counter for the ids of all."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ..data import FrameDetections, FrameTracks
from ..errors import ConfigError
from .base import Tracker
from .checks import no_tracks
from .records import FrameRecord, Note

if TYPE_CHECKING:
    from .settings import TrackerSettings


class PerClass(Tracker):
    """Track each class by itself: detections of one class never continue a track of another.

    Ids are unique over all classes. The settings are those of the tracker that is given.

    Parameters
    ----------
    tracker
        It is cloned for each class.
    frame_rate
        Frames per second, as for any tracker.

    Raises
    ------
    ConfigError
        If it is not given a tracker.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> tracker = PerClass(fl.JDETracker(), frame_rate=25)
    >>> boxes, embeddings = [[10, 10, 40, 100], [10, 10, 40, 100]], [[0.6, 0.8], [0.6, 0.8]]
    >>> frame = SimpleNamespace(frame=1, boxes=boxes, scores=[0.9, 0.8], embeddings=embeddings, class_ids=[3, 0])
    >>> tracks = tracker.update(frame)
    >>> tracks.ids.tolist(), tracks.class_ids.tolist(), tracks.detections.tolist()
    ([1, 2], [0, 3], [1, 0])
    """

    several_classes = True

    def __init__(self, tracker: Tracker, *, frame_rate: float | None = None) -> None:
        if not isinstance(tracker, Tracker):
            raise ConfigError(
                f"PerClass needs a tracker, not {tracker!r}; give one such as JDETracker(), or use "
                'get_tracker("per_class:NAME").'
            )
        self.tracker: Tracker = tracker.tracker if isinstance(tracker, PerClass) else tracker
        self.Settings: type[TrackerSettings] = self.tracker.Settings  # type: ignore[misc]
        self.name = "per_class:" + self.tracker.name  # type: ignore[misc]
        self.title = f"{self.tracker.title}, each class by itself"  # type: ignore[misc]
        self.uses_camera_motion = self.tracker.uses_camera_motion  # type: ignore[misc]
        super().__init__(frame_rate=frame_rate or self.tracker._given_rate, **self.tracker.settings.to_dict())

    def _reset(self) -> None:
        self._classes: dict[int, Tracker] = {}
        fresh = self.tracker.clone(self.frame_rate)
        self.max_time_lost, self.min_score = fresh.max_time_lost, fresh.min_score

    def check_embeddings(self, present: bool) -> None:
        """Warn or refuse as the tracker does."""
        self.tracker.check_embeddings(present)

    def _made_again(self) -> Self:
        return type(self)(self.tracker, frame_rate=self._given_rate)

    def replace(self, **changes: Any) -> Self:
        """Return a tracker with some settings changed that has seen nothing."""
        return type(self)(self.tracker.replace(**changes), frame_rate=self._given_rate)

    def __repr__(self) -> str:
        rate = "" if self._given_rate is None else f", frame_rate={self._given_rate!r}"
        return f"PerClass({self.tracker!r}{rate})"

    def _step(self, detections: FrameDetections, warp: np.ndarray | None) -> FrameTracks:
        """Track one frame: the classes in ascending order, those without detections too."""
        number = detections.frame
        for new in sorted(set(detections.class_ids.tolist()) - self._classes.keys()):
            tracker = self.tracker.clone(self.frame_rate)
            tracker.frame_grid = self.frame_grid
            # a class that appears later does not start in its first frame
            if number != self._first_frame:
                tracker._first_frame, tracker._frame = self._first_frame, number - (self.frame_grid or (0, 1))[1]
            self._classes[new] = tracker
        parts = [no_tracks(number)]
        for class_id in sorted(self._classes):
            rows = np.flatnonzero(detections.class_ids == class_id)
            tracker = self._classes[class_id]
            tracker._last_id = self._last_id
            tracker.records = None if self._record is None else []
            embeddings = None if detections.embeddings is None else detections.embeddings[rows]
            own = FrameDetections(
                number, detections.boxes[rows], detections.scores[rows], embeddings, detections.class_ids[rows]
            )
            tracks = tracker._update(own, warp)
            self._last_id = tracker._last_id
            if self._record is not None:
                self._merge(self._record, tracker.records[-1], class_id, rows)  # type: ignore[index]
            taken = np.full(len(tracks), -1)  # a predicted box took no detection
            taken[tracks.detections >= 0] = rows[tracks.detections[tracks.detections >= 0]]
            parts.append(dataclasses.replace(tracks, detections=taken, class_ids=np.full(len(tracks), class_id)))
        names = ("ids", "boxes", "scores", "class_ids", "detections")
        return FrameTracks(number, *(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    @staticmethod
    def _merge(whole: FrameRecord, part: FrameRecord, class_id: int, rows: np.ndarray) -> None:
        """Add the record of one class, with rows counted in the whole frame."""
        before = len(whole.stages)

        def renumber(found: re.Match[str]) -> str:
            row = int(found[2])
            return f"{found[1]}{rows[row] if row < len(rows) else row}"

        for stage in part.stages:
            title = f"class {class_id}, {stage.title}"
            whole.stages.append(dataclasses.replace(stage, title=title, detections=rows[stage.detections]))
        for note in part.notes:
            row = None if note.detection is None else int(rows[note.detection])
            text = re.sub(r"(\bdetection )(\d+)", renumber, note.text)
            whole.notes.append(Note(note.kind, text, note.track, row, note.after + before))
