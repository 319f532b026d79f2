"""Why the tracker decided as it did: frames whose story is known, and crowds in which every sentence is checked."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from crowds import changed, crowd

from fairmot_lab.association.costs import GATE
from fairmot_lab.association.explanation import explain, explain_pair
from fairmot_lab.association.records import Stage
from fairmot_lab.association.registry import get_tracker
from fairmot_lab.association.run import trace, track_detections, tracks_table
from fairmot_lab.errors import TrackingError

from .test_jde import Shot, shots

HERE, THERE = [100.0, 100.0, 40.0, 100.0], [600.0, 100.0, 40.0, 100.0]
RED, BLUE = [1.0, 0.0], [0.0, 1.0]


def told(frames, *, track=None, detection=None, name="jde", **settings):
    """What is said about the last frame, in one text. The tracker sees `frames`: (boxes, scores, embeddings) each."""
    tracker = get_tracker(name, **settings)
    tracker.records = []
    for number, (boxes, scores, looks) in enumerate(frames, start=1):
        tracker.update(Shot(number, boxes, scores, looks))
    return "\n".join(explain(tracker.records[-1], track=track, detection=detection))


def test_a_pair_of_the_first_stage():
    text = told([([HERE], [0.9], [RED]), ([HERE], [0.9], [RED])], track=1)
    assert text == (
        "track 1 and detection 0, first stage: cosine 0.00, motion 0.00 -> cost 0.00 <= tracked_thresh 0.4; paired."
    )


def test_an_embedding_that_differs_and_a_box_that_is_too_far():
    """The tracker's own example: refused by looks, refused by IoU, and a new track is born."""
    # cosine 0.5 makes a cost above 0.49; ppdet counts a box of 40 as 41 pixels: moved by 25, 16 of 66 are common
    near = [125.0, 100.0, 40.0, 100.0]
    frames = [([HERE], [0.9], [RED]), ([near], [0.8], [[0.5, 0.75**0.5]])]
    pair = told(frames, track=1, detection=0)
    first, second, born, lost = pair.splitlines()
    assert re.search(r"cosine 0\.50, motion (\d\.\d+) -> cost 0\.\d\d > tracked_thresh 0\.4; not paired", first)
    assert "IoU 0.24 -> cost 0.76 > r_tracked_thresh 0.5; not paired" in second
    assert born.startswith("a new track 2 was born from detection 0 (score 0.80 >= det_thresh 0.3)")
    assert "a second detection has to confirm it" in born
    assert lost == "track 1 is lost; it can be found again for 30 frames."
    assert "a new track 2" in told(frames, detection=0)
    assert told(frames, track=2) == born


def test_outside_the_motion_gate():
    frames = [([HERE], [0.9], [RED]), ([THERE], [0.8], [RED])]
    text = told(frames, track=1)
    assert re.search(r"cosine 0\.00, motion \d+\.\d\d > 9\.4877, outside the motion gate; not paired", text)
    assert "second stage: it overlaps with none of 1 detections" in text


def test_a_detection_that_went_to_another_track():
    # two tracks nearly in one place; one detection, of the look of the second
    beside = [102.0, 100.0, 40.0, 100.0]
    looks = [[1.0, 0.0], [0.95, 0.3122]]
    frames = [([HERE, beside], [0.9, 0.9], looks), ([beside], [0.9], [looks[1]])]
    text = told(frames, track=1)
    assert "but detection 0 went to track 2 (cost 0.00): the sum of costs is the least that way" in text
    assert "paired." in told(frames, track=2)
    assert told(frames, detection=0).startswith("track 2 and detection 0")


def test_lost_found_and_ended():
    person, nobody = ([HERE], [0.9], [RED]), ([], [], [])
    frames = [person, nobody, nobody, person]
    assert told(frames, track=1).startswith("track 1 had been lost for 2 frames.\n")
    assert "stays lost; it can be found again for 1 more frame." in told(frames[:3], track=1, track_buffer=2)
    ended = told([person, nobody, nobody, nobody], track=1, track_buffer=2)
    assert "track 1 ends: its buffer of 2 frames has run out (ppdet can find it in the next frame still" in ended
    ended = told([person, nobody, nobody, nobody], track=1, track_buffer=2, ppdet_quirks=False)
    assert ended.endswith("its buffer of 2 frames has run out.")
    relapsed = told([person, nobody, nobody, nobody, person, nobody], track=1, track_buffer=2)
    assert "ppdet then gives it no second one" in relapsed


def test_unconfirmed_tracks():
    person, nobody = ([HERE], [0.9], [RED]), ([], [], [])
    assert "track 1 is confirmed: it was seen a second time" in told([nobody, person, person], track=1)
    assert "track 1 ends: it was seen in one frame only" in told([nobody, person, nobody], track=1)


def test_scores():
    two = ([HERE, THERE], [0.9, 0.9], [RED, BLUE])
    weak = ([HERE, THERE], [0.9, 0.35], [RED, BLUE])
    assert "score 0.35 <= conf_thres 0.4: it was not used" in told([two, weak], detection=1)
    low = told([two, weak], detection=1, name="ppdet_byte")
    assert "BYTE offers it in the second stage only" in low
    assert "IoU 1.00 -> cost 0.00 <= 0.4, which is fixed; paired" in low
    nothing = told([two, ([HERE, THERE], [0.9, 0.1], [RED, BLUE])], detection=1, name="ppdet_byte")
    assert "<= low_conf_thres 0.2: it was not used" in nothing
    equal = told([two, ([HERE, THERE], [0.9, 0.4], [RED, BLUE])], detection=1, name="ppdet_byte")
    assert "ppdet_quirks=False repairs that" in equal
    unborn = told([([HERE], [0.9], [RED]), ([HERE, THERE], [0.9, 0.45], [RED, BLUE])], detection=1, det_thresh=0.5)
    assert "its score 0.45 < det_thresh 0.5 starts no track" in unborn


def test_duplicates_and_hidden_tracks():
    # lost when it changes its look; the new track stands on the spot of the old one
    frames = [([HERE], [0.9], [RED]), ([HERE], [0.9], [RED]), ([HERE], [0.9], [BLUE])]
    text = told(frames, track=2, r_tracked_thresh=0.0)
    assert "a new track 2 was born" in text
    assert "track 2 is dropped as a duplicate of track 1: their IoU 1.00 > 0.85" in text
    assert "track 2 is dropped as a duplicate of track 1 (IoU 1.00)" in told(frames, track=1, r_tracked_thresh=0.0)
    hidden = told(frames[:2], track=1, min_box_area=5000)
    assert "track 1 is not reported: its box has at most min_box_area 5000 square pixels" in hidden


def test_questions_that_have_no_answer():
    arrays = crowd(1, 1, missed=0)
    whole = trace(arrays, get_tracker("jde"))
    record = whole[1]
    for arguments, words in (
        ({}, "needs track="),
        ({"track": 9}, "held no track 9 in frame 1"),
        ({"detection": 1}, "no detection 1; its 1 detections"),
        ({"detection": -1}, "no detection -1"),
    ):
        with pytest.raises(TrackingError, match=words):
            explain(record, **arguments)
    with pytest.raises(TrackingError, match="no frame 2; it holds the frames 1 to 1"):
        whole[2]


@pytest.mark.parametrize("name", ["jde", "ppdet_byte"])
@pytest.mark.parametrize("dimension", [0, 32])
@pytest.mark.filterwarnings("ignore:These detections have no embeddings")
def test_the_record_of_a_crowd_tells_the_whole_story(name, dimension):
    tracker = get_tracker(name, track_buffer=4)
    arrays = crowd(15, 50, dimension=dimension, missed=0.2, noise=0.12, seed=3)
    plain = track_detections(arrays, tracker)
    whole = trace(arrays, tracker)
    assert whole.tracks.equals(plain), "tracing changes nothing"
    assert [record.frame for record in whole] == list(range(1, 51))
    for record in whole:
        taken = dict(record.births)
        for stage in record.stages:
            assert stage.cost.shape == (len(stage.tracks), len(stage.detections))
            for i, j in enumerate(stage.matched):
                if j >= 0:
                    assert stage.cost[i, j] <= stage.max_cost
                    taken[int(stage.tracks[i])] = int(stage.detections[j])
            if stage.appearance is not None:
                assert not np.isnan(stage.appearance).any(), "pairs outside the gate are compared for the record"
                inside = stage.mahalanobis <= np.float32(GATE)
                fused = 0.98 * stage.appearance + (1 - 0.98) * stage.mahalanobis
                np.testing.assert_allclose(stage.cost, np.where(inside, fused, np.inf), atol=1e-6)
        assert len(set(taken.values())) == len(taken), "a detection has one track"
        for track, row in zip(record.tracks.ids, record.tracks.detections, strict=True):
            assert taken[int(track)] == row == record.taken(int(track))
            assert record.owner(int(row)) == track
        for track, row in taken.items():
            words = " ".join(explain(record, track=track, detection=row))
            assert "; paired." in words or f"track {track} was born from detection {row}" in words
        used = {*taken.values(), *(note.detection for note in record.notes if note.kind == "unborn")}
        for row in range(len(record.detections)):
            words = " ".join(explain(record, detection=row))
            assert words, "something can be said of every detection"
            if row not in used:
                assert "<=" in words
                assert "paired" not in words.replace("not paired", "") or name == "ppdet_byte"
        for stage in record.stages:
            for track in stage.tracks:
                words = " ".join(explain(record, track=int(track)))
                fate = ("; paired", "is lost", "stays lost", "ends", "dropped as a duplicate")
                assert any(word in words for word in fate), words


def test_a_gap_is_in_the_record():
    tracker = get_tracker("jde", track_buffer=2)
    tracker.records = []
    for shot in shots(crowd(4, 3)):
        last = tracker.update(dataclasses.replace(shot, frame=shot.frame if shot.frame < 3 else 9))
    records = {record.frame: record for record in tracker.records}
    assert list(records) == [1, 2, 3, 4, 5, 6, 7, 9], "then all tracks are forgotten"
    assert "track 1 ends" in " ".join(explain(records[5], track=1))
    assert len(tracks_table([last])) == 0


def test_a_trace_gives_any_frame_in_any_order():
    arrays = crowd(5, 150, missed=0.2, seed=1)
    late = changed(
        arrays, *(dataclasses.replace(one, frame=one.frame + 50) if one.frame > 70 else one for one in arrays)
    )
    tracker = get_tracker("jde", track_buffer=3)
    whole = trace(late, tracker)
    tracker.records = []
    for shot in shots(late):
        tracker.update(shot)
    expected = {record.frame: record for record in tracker.records}
    assert [record.frame for record in whole] == list(expected)
    assert len(whole) == len(expected)
    for frame in (200, 1, 121, 72, 70, 33, 32, 150):
        assert frame in whole
        for ours, theirs in zip(whole[frame].stages, expected[frame].stages, strict=True):
            np.testing.assert_array_equal(ours.cost, theirs.cost)
            np.testing.assert_array_equal(ours.tracks, theirs.tracks)
        assert whole[frame].notes == expected[frame].notes
    for frame in (0, 90, 201):
        assert frame not in whole


def test_a_sentence_says_why_a_pair_was_or_was_not_made():
    stage = Stage(
        title="first stage",
        tracks=np.array([7, 9, 11]),
        detections=np.array([0, 2]),
        cost=np.array([[0.1, 0.3], [0.2, 0.9], [np.inf, 0.35]]),
        max_cost=0.4,
        setting="tracked_thresh",
        matched=np.array([0, -1, 1]),
        appearance=np.array([[0.1, 0.3], [0.2, 0.9], [0.5, 0.35]]),
        mahalanobis=np.array([[1.0, 2.0], [3.0, 4.0], [50.0, 1.0]], np.float32),
        gate=GATE,
    )
    outcomes = [[stage.outcome(row, column) for column in range(2)] for row in range(3)]
    assert outcomes == [["matched", "not chosen"], ["not chosen", "too costly"], ["outside the gate", "matched"]]
    assert explain_pair(stage, 0, 0).endswith("-> cost 0.10 <= tracked_thresh 0.4; paired.")
    both = "track 7 took detection 0 (cost 0.10) and detection 2 went to track 11 (cost 0.35)"
    assert both in explain_pair(stage, 0, 1)
    assert "but detection 0 went to track 7 (cost 0.10)" in explain_pair(stage, 1, 0)
    assert explain_pair(stage, 1, 1).endswith("cost 0.90 > tracked_thresh 0.4; not paired.")
    assert explain_pair(stage, 2, 0).endswith("motion 50.00 > 9.4877, outside the motion gate; not paired.")


def test_a_cost_on_the_limit_and_a_pair_that_is_forbidden():
    stage = Stage(
        title="only stage",
        tracks=np.array([1]),
        detections=np.array([0, 1]),
        cost=np.array([[0.5, np.inf]]),
        max_cost=0.5,
        setting="",
        matched=np.array([-1]),
        measures={"speed": np.array([[1.25, 9.0]])},
    )
    assert explain_pair(stage, 0, 0) == (
        "track 1 and detection 0, only stage: speed 1.25 -> cost 0.5000 <= 0.5, which is fixed; not paired, as a cost "
        "equal to the limit does not lower the sum of costs."
    )
    assert stage.outcome(0, 1) == "forbidden"
    assert explain_pair(stage, 0, 1).endswith("speed 9.00; the pair is forbidden, not paired.")
