"""Several classes: each tracked as if it were alone, with ids that no two share."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import fairmot_lab as fl
from fairmot_lab.association import PerClass, get_tracker, track_detections, trackers
from fairmot_lab.data import FrameDetections
from fairmot_lab.detection.detections import Detections
from fairmot_lab.errors import TrackingError


def frames(length: int = 40) -> list[FrameDetections]:
    """Three classes that walk across each other; class 7 appears late and pauses."""
    rng = np.random.default_rng(0)
    result = []
    for number in range(1, length + 1):
        rows = []
        for class_id, count in ((0, 3), (2, 2), (7, 1)):
            if class_id == 7 and (number < 10 or 20 < number < 26):
                continue
            for k in range(count):
                x = 50 + 4 * number if k % 2 == 0 else 250 - 4 * number
                rows.append((class_id, x + 10 * k, 100 + 40 * k + class_id, 0.5 + 0.4 * rng.random(), k + class_id))
        order = rng.permutation(len(rows))
        rows = [rows[k] for k in order]
        embeddings = np.eye(16, dtype=np.float32)[[row[4] for row in rows]] + 0.05 * rng.random((len(rows), 16))
        embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
        result.append(
            FrameDetections(
                number,
                np.array([[row[1], row[2], 40, 90] for row in rows], np.float32),
                np.array([row[3] for row in rows], np.float32),
                embeddings.astype(np.float32),
                np.array([row[0] for row in rows]),
            )
        )
    return result


def arrays(length: int = 40) -> Detections:
    return Detections.from_frames(frames(length))


@pytest.mark.parametrize("name", sorted(trackers()))
def test_each_class_is_tracked_as_if_it_were_alone(name: str) -> None:
    """A tracker that gets one class alone gives the same boxes; only the numbers of the ids differ."""
    together = get_tracker(f"per_class:{name}")
    alone = {class_id: get_tracker(name) for class_id in (0, 2, 7)}
    seen: dict[tuple[int, int], int] = {}
    for part in frames():
        tracks = together.update(part)
        for class_id, tracker in alone.items():
            rows = np.flatnonzero(part.class_ids == class_id)
            if part.frame < 10 and class_id == 7:
                continue
            if tracker._frame is None and part.frame > 1:  # it has seen empty frames, as the one in PerClass has
                tracker._first_frame, tracker._frame = 1, part.frame - 1
            own = FrameDetections(part.frame, part.boxes[rows], part.scores[rows], part.embeddings[rows])
            expected, mine = tracker.update(own), np.flatnonzero(tracks.class_ids == class_id)
            np.testing.assert_array_equal(tracks.boxes[mine], expected.boxes)
            np.testing.assert_array_equal(tracks.scores[mine], expected.scores)
            taken = expected.detections
            np.testing.assert_array_equal(tracks.detections[mine], [rows[k] if k >= 0 else -1 for k in taken])
            for here, there in zip(tracks.ids[mine].tolist(), expected.ids.tolist(), strict=True):
                assert seen.setdefault((class_id, there), here) == here
    assert len(set(seen.values())) == len(seen) >= 6


def test_the_record_counts_rows_in_the_whole_frame_and_changes_nothing() -> None:
    plain, kept = PerClass(fl.JDETracker()), PerClass(fl.JDETracker())
    kept.records = []
    for part in frames():
        expected, got = plain.update(part), kept.update(part)
        np.testing.assert_array_equal(expected.ids, got.ids)
        record = kept.records[-1]
        for stage in record.stages:
            class_id = int(stage.title.split(",")[0].removeprefix("class "))
            assert set(part.class_ids[stage.detections]) <= {class_id}
        for track, row in zip(got.ids.tolist(), got.detections.tolist(), strict=True):
            if row >= 0:
                assert record.taken(track) == row


def test_sequences_clones_settings_and_descriptions() -> None:
    tracker = PerClass(fl.JDETracker(conf_thres=0.3))
    table = track_detections(arrays(), tracker)
    assert isinstance(table, pd.DataFrame)
    assert table.attrs["tracker"] == "per_class:jde"
    assert set(table["class_id"]) == {0, 2, 7}
    pd.testing.assert_frame_equal(table, track_detections(arrays(), tracker))  # no state is left
    assert (table.groupby("id")["class_id"].nunique() == 1).all()
    again = fl.association.tracker_from_dict(tracker.to_dict())
    assert repr(again) == repr(tracker) == "PerClass(JDETracker(conf_thres=0.3))"
    assert tracker.replace(conf_thres=0.5).settings.conf_thres == 0.5
    assert PerClass(tracker).tracker.name == "jde"
    assert fl.trace(arrays(), tracker)[5].stages


def test_a_tracker_by_itself_says_what_to_use() -> None:
    with pytest.raises(TrackingError, match=r"is of class \d, .*track each class by itself with PerClass"):
        fl.JDETracker().update(frames()[0])


def test_the_rate_of_the_detections_is_no_setting():
    frames = [fl.FrameDetections(1, np.array([[1, 2, 30, 60]], np.float32), np.array([0.9]), None, np.array([0]))]
    tracks = fl.track(fl.Detections.from_frames(frames, frame_rate=10), "per_class:bytetrack")
    assert "frame_rate" not in tracks.attrs["settings"]
    assert fl.get_tracker("per_class:bytetrack").clone(10).clone(30).frame_rate == 30
