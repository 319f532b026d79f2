"""ByteTrack: what its stages decide, worked out by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from fairmot_lab.association.explanation import explain
from fairmot_lab.association.registry import get_tracker
from fairmot_lab.errors import ConfigError


def frame(number, *boxes_and_scores):
    return SimpleNamespace(
        frame=number,
        boxes=np.array([box for box, _ in boxes_and_scores], np.float32).reshape(-1, 4),
        scores=np.array([score for _, score in boxes_and_scores], np.float32),
    )


HERE, THERE = (100, 100, 40, 100), (400, 100, 40, 100)


def recorded(**settings):
    tracker = get_tracker("bytetrack", **settings)
    tracker.records = []
    return tracker


def test_first_stage_costs_one_minus_iou_times_score():
    tracker = recorded()
    tracker.update(frame(1, (HERE, 0.9)))
    tracker.update(frame(2, ((110, 100, 40, 100), 0.8)))
    stage = tracker.records[1].stages[0]
    overlap = 31 * 101  # a box from 100 to 140 counts as 41 wide
    assert stage.cost == pytest.approx(1 - 0.8 * overlap / (2 * 41 * 101 - overlap))
    assert stage.iou == pytest.approx(overlap / (2 * 41 * 101 - overlap))


def test_low_scores_keep_a_track_and_start_none():
    tracker = recorded()
    tracker.update(frame(1, (HERE, 0.9)))
    tracks = tracker.update(frame(2, (HERE, 0.2), (THERE, 0.2)))
    assert tracks.ids.tolist() == [1]
    assert tracks.detections.tolist() == [0]
    assert any("second stage" in sentence for sentence in explain(tracker.records[1], track=1))


@pytest.mark.parametrize(("score", "born"), [(0.69, 0), (0.7, 1), (0.71, 1)])
def test_birth_needs_track_thresh_plus_margin(score, born):
    tracker = recorded()
    tracker.update(frame(1, (HERE, score)))
    record = tracker.records[0]
    assert len(record.births) == born
    assert len(record.about(detection=0, kinds=("unborn",))) == 1 - born


def test_a_track_born_later_is_reported_once_it_is_seen_again():
    tracker = recorded()
    tracker.update(frame(1, (HERE, 0.9)))
    assert tracker.update(frame(2, (HERE, 0.9), (THERE, 0.9))).ids.tolist() == [1]
    assert tracker.update(frame(3, (HERE, 0.9), (THERE, 0.9))).ids.tolist() == [1, 2]


def test_camera_motion_moves_predictions():
    shift = np.array([[1.0, 0, 300], [0, 1, 0]])
    still, moved = get_tracker("bytetrack"), get_tracker("bytetrack")
    for tracker in (still, moved):
        tracker.update(frame(1, (HERE, 0.9)))
    later = frame(2, (THERE, 0.9))
    assert still.update(later).ids.tolist() == []
    assert moved.update(later, shift).ids.tolist() == [1]


def test_lost_for_longer_than_the_buffer_gives_a_new_id():
    for gap, expected in ((29, [1]), (60, [])):
        tracker = get_tracker("bytetrack", frame_rate=30)
        tracker.update(frame(1, (HERE, 0.9)))
        assert tracker.update(frame(2 + gap, (HERE, 0.9))).ids.tolist() == expected


def test_thresholds_that_contradict_each_other_are_refused():
    with pytest.raises(ConfigError, match=r"low_thresh is 0\.7 and track_thresh is 0\.6"):
        get_tracker("bytetrack", low_thresh=0.7)
