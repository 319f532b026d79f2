"""A tracker on its own: what it accepts, what it keeps, and ppdet's quirks."""

from __future__ import annotations

import dataclasses
import math
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from crowds import changed, crowd
from ppdet_oracle import PPDetReference

from fairmot_lab.association.jde import JDETracker
from fairmot_lab.association.ppdet_byte import PPDetByteTracker
from fairmot_lab.association.registry import get_tracker, tracker_from_dict
from fairmot_lab.association.run import track_detections, tracks_table
from fairmot_lab.data import FrameDetections
from fairmot_lab.detection.detections import Detections
from fairmot_lab.errors import ConfigError, FairMOTLabWarning, TrackingError


@dataclasses.dataclass
class Shot:
    """The detections of one frame."""

    frame: int
    boxes: list
    scores: list
    embeddings: list | None = None
    class_ids: list | None = None


def shots(detections, chosen=None):
    for one in detections:
        if chosen is None or one.frame in chosen:
            yield Shot(one.frame, one.boxes, one.scores, one.embeddings, one.class_ids)


def table(results):
    return tracks_table(results).drop(columns="det")


def test_frame_by_frame_equals_the_whole_sequence_and_input_is_not_changed():
    arrays = changed(crowd(10, 40, seed=1), frame_rate=25)
    columns = arrays.boxes, arrays.scores, arrays.embeddings()
    before = [array.copy() for array in columns]
    tracker = JDETracker(frame_rate=25)
    results = [tracker.update(shot) for shot in shots(arrays)]
    whole = track_detections(arrays, JDETracker())
    pd.testing.assert_frame_equal(tracks_table(results, arrays.offsets[:-1]), whole)
    pd.testing.assert_frame_equal(track_detections(arrays, JDETracker()), whole)
    for array, old in zip(columns, before, strict=True):
        np.testing.assert_array_equal(array, old)


def test_a_track_names_the_detection_it_took():
    arrays = crowd(10, 30, seed=2)
    tracks = track_detections(arrays, JDETracker(ppdet_quirks=False))
    assert (np.searchsorted(arrays.offsets, tracks.det, side="right") == tracks.frame).all()
    centre = arrays.boxes[tracks.det, :2] + arrays.boxes[tracks.det, 2:] / 2
    estimate = tracks[["x", "y"]].to_numpy() + tracks[["w", "h"]].to_numpy() / 2
    assert np.abs(centre - estimate).max() < 20
    np.testing.assert_array_equal(tracks.score, arrays.scores[tracks.det])


def test_trackers_side_by_side_do_not_disturb_each_other():
    one, other = crowd(8, 30, seed=5), crowd(12, 30, seed=6)
    first, second = JDETracker(), PPDetByteTracker()
    mixed = [(first.update(a), second.update(b)) for a, b in zip(shots(one), shots(other), strict=True)]
    alone = JDETracker()
    pd.testing.assert_frame_equal(table([a for a, _ in mixed]), table([alone.update(shot) for shot in shots(one)]))
    assert min(result.ids.min() for _, result in mixed) == 1


def test_reference_trackers_side_by_side_and_ppdets_own_counter():
    from ppdet.modeling.mot.tracker.base_jde_tracker import BaseTrack

    BaseTrack._count_dict[0] = 77
    arrays = crowd(4, 10, seed=5)
    first, second = PPDetReference(), PPDetReference()
    for shot in shots(arrays):
        ours, theirs = first.update(shot), second.update(shot)
        np.testing.assert_array_equal(ours.ids, theirs.ids)
    assert ours.ids.min() == 1
    assert BaseTrack._count_dict[0] == 77


def test_pickling_in_the_middle():
    arrays = crowd(10, 40, seed=7)
    tracker, results = JDETracker(), []
    tracker.records = []
    for shot in shots(arrays):
        results.append(tracker.update(shot))
        if shot.frame == 20:
            tracker = pickle.loads(pickle.dumps(tracker))
    pd.testing.assert_frame_equal(tracks_table(results, arrays.offsets[:-1]), track_detections(arrays), check_like=True)
    assert len(tracker.records) == 40


def test_a_frame_without_detections():
    tracker = JDETracker()
    assert len(tracker.update(Shot(1, [], []))) == 0
    tracker.update(Shot(2, [[10, 10, 40, 100]], [0.9], [[1.0, 0]]))
    result = tracker.update(Shot(3, [[10, 10, 40, 100]], [0.9], [[1.0, 0]]))
    assert result.ids.tolist() == [1], "born in frame 2, confirmed in frame 3"
    assert len(tracker.update(Shot(4, np.empty((0, 4)), np.empty(0)))) == 0
    assert tracker.update(Shot(5, [[10, 10, 40, 100]], [0.9], [[1.0, 0]])).ids.tolist() == [1]
    assert len(track_detections(crowd(0, 5))) == 0


@pytest.mark.parametrize("gap", [1, 4, 5, 6, 7, 8, 50, 10_000])
def test_a_gap_in_frame_numbers_is_frames_without_detections(gap):
    arrays = crowd(6, 12, seed=8)
    skipping, waiting = JDETracker(track_buffer=5), JDETracker(track_buffer=5)
    for shot in shots(arrays):
        late = dataclasses.replace(shot, frame=shot.frame + (gap if shot.frame > 6 else 0))
        if shot.frame == 7 and gap < 100:
            for empty in range(7, 7 + gap):
                waiting.update(Shot(empty, [], []))
        ours = skipping.update(late)
        if gap < 100:
            expected = waiting.update(late)
            np.testing.assert_array_equal(ours.ids, expected.ids)
            np.testing.assert_array_equal(ours.boxes, expected.boxes)
    # a buffer of 5 frames, one more in ppdet, and frame 7 itself is the first that can find a track again
    assert (ours.ids.min() <= 6) == (gap <= 6)


def test_the_buffer_follows_the_frame_rate():
    rates = (30, 14, 25, 60)
    assert [JDETracker(track_buffer=30, frame_rate=rate).max_time_lost for rate in rates] == [30, 14, 25, 60]
    assert [JDETracker(track_buffer=30).clone(rate).max_time_lost for rate in rates] == [30, 14, 25, 60]
    assert JDETracker(frame_rate=10).clone(25).frame_rate == 10, "its own comes before that of the detections"
    for rate in (0, -3, math.nan, "fast"):
        with pytest.raises(ConfigError, match="frame_rate"):
            JDETracker(frame_rate=rate)


def test_functions_work_on_a_clone():
    arrays = changed(crowd(6, 20, seed=3), frame_rate=25)
    tracker = JDETracker(track_buffer=7)
    first = track_detections(arrays, tracker)
    pd.testing.assert_frame_equal(track_detections(arrays, tracker), first)
    for shot in shots(arrays):
        tracker.update(shot)
    pd.testing.assert_frame_equal(track_detections(arrays, tracker), first)
    for fresh in (tracker.clone(), tracker.replace()):
        assert fresh.settings == tracker.settings
        assert fresh.update(next(shots(arrays))).ids.min() == 1
    assert first.attrs["tracker"] == "jde"
    assert first.attrs["settings"] == tracker.settings.to_dict()
    assert first.attrs["frame_rate"] == 25
    own = track_detections(arrays, JDETracker(track_buffer=7, frame_rate=10))
    assert own.attrs["frame_rate"] == 25, "that of the sequence"
    again = tracker_from_dict({"tracker": own.attrs["tracker"], **own.attrs["settings"]})
    assert again.clone(25).max_time_lost == again.clone(25).clone().max_time_lost == 2
    assert tracker.clone(60).clone().max_time_lost == 14, "a clone of a clone keeps the frame rate"
    assert tracker.clone(60).clone(30).max_time_lost == 7


def test_camera_motion_is_refused_by_a_tracker_that_cannot_use_it():
    arrays, still = crowd(3, 4), np.eye(2, 3)
    tracker = get_tracker("ocsort")
    with pytest.raises(TrackingError, match="ocsort does not use camera motion"):
        tracker.update(next(shots(arrays)), still)
    with pytest.raises(TrackingError, match="ocsort does not use camera motion"):
        track_detections(arrays, tracker, camera_motion={2: still})
    assert tracker.update(next(shots(arrays))).ids.min() == 1, "as it was before"


BOX, SCORE, LOOK = [10.0, 10.0, 40.0, 100.0], 0.9, [0.6, 0.8]


@pytest.mark.parametrize(
    ("box", "score", "look", "words"),
    [
        ([math.nan, 10, 40, 100], SCORE, LOOK, ["nan", "finite"]),
        ([10, math.inf, 40, 100], SCORE, LOOK, ["inf", "finite"]),
        ([10, 10, 0, 100], SCORE, LOOK, ["(10, 10, 0, 100)", "above 0"]),
        ([10, 10, 40, -1], SCORE, LOOK, ["-1", "above 0"]),
        (BOX, math.nan, LOOK, ["score nan"]),
        (BOX, 1.5, LOOK, ["score 1.5", "0..1", "any_scores"]),
        (BOX, -0.1, LOOK, ["score -0.1"]),
        (BOX, SCORE, [0, 0], ["zeros"]),
        (BOX, SCORE, [math.nan, 1], ["not finite"]),
    ],
)
def test_broken_detections_are_refused_with_the_frame(box, score, look, words):
    good = Shot(6, [BOX], [SCORE], [LOOK])
    bad = Shot(7, [BOX, box], [SCORE, score], [LOOK, look])
    for tracker in (JDETracker(), PPDetReference()):
        tracker.update(good)
        with pytest.raises(TrackingError) as caught:
            tracker.update(bad)
        for word in ["Frame 7, detection 1", *words]:
            assert word in str(caught.value)
        assert tracker.update(dataclasses.replace(good, frame=7)).ids.tolist() == [1], "as it was before"
    frames = [
        FrameDetections(one.frame, *map(np.array, (one.boxes, one.scores, one.embeddings))) for one in (good, bad)
    ]
    with pytest.raises(TrackingError, match="Frame 7, detection 1"):
        track_detections(Detections.from_frames(frames))


@pytest.mark.parametrize(
    ("shot", "words"),
    [
        (Shot(6, [BOX], [SCORE], [LOOK]), "Frame 6 comes after frame 6"),
        (Shot(2, [BOX], [SCORE], [LOOK]), "Frame 2 comes after frame 6"),
        (Shot(7.5, [BOX], [SCORE], [LOOK]), "Frame 7.5 is not a whole number"),
        (Shot(7, [BOX], [SCORE], [[1, 0, 0]]), "embeddings of 3 numbers"),
        (Shot(7, [BOX], [SCORE]), "embeddings of 0 numbers"),
        (Shot(7, [BOX, BOX], [SCORE], [LOOK]), "2 boxes, 1 scores"),
        (Shot(7, [[1, 2, 3]], [SCORE], [LOOK]), "do not belong together"),
        (Shot(7, [BOX], [SCORE], [LOOK], [3]), "class 3"),
        (Shot(7, [BOX, BOX], [SCORE, SCORE], [LOOK, LOOK], [0, 1]), "class 1"),
    ],
)
def test_frames_that_do_not_fit_are_refused(shot, words):
    tracker = JDETracker()
    tracker.update(Shot(6, [BOX], [SCORE], [LOOK], [0]))
    with pytest.raises(TrackingError, match=words):
        tracker.update(shot)


def test_without_embeddings_a_warning_says_what_is_compared():
    arrays = crowd(5, 5, dimension=0)
    with pytest.warns(FairMOTLabWarning, match="no embeddings") as caught:
        track_detections(arrays)
    assert len(caught) == 1
    tracker, (first, *later) = JDETracker(), shots(arrays)
    with pytest.warns(FairMOTLabWarning, match="no embeddings"):
        tracker.update(first)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for shot in later:
            tracker.update(shot)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        track_detections(arrays, PPDetByteTracker())
        track_detections(crowd(5, 5))


# --- ppdet's quirks, and the same without them


def one_person(seen, tracker, frames=30):
    """Frames in which the only person is reported; there is somebody in the frames `seen`."""
    reported = []
    for frame in range(1, frames + 1):
        shot = Shot(frame, [BOX], [SCORE], [LOOK]) if frame in seen else Shot(frame, [], [])
        reported += [(frame, int(i)) for i in tracker.update(shot).ids]
    return reported


def test_an_expired_track_is_not_found_again():
    # lost after frame 3 with a buffer of 2 frames; seen again in frame 7, the frame after its buffer ran out
    seen = {1, 2, 3, 7, 8, 10, 11}
    expected = [(1, 1), (2, 1), (3, 1), (7, 1), (8, 1), (11, 2)]
    assert one_person(seen, JDETracker(track_buffer=2)) == expected, "ppdet drops it at once after 8"
    repaired = one_person(seen, JDETracker(track_buffer=2, ppdet_quirks=False))
    assert repaired == [(1, 1), (2, 1), (3, 1), (8, 2), (10, 2), (11, 2)]


def test_a_track_found_again_reports_its_new_score():
    for quirks, expected in ((True, [0.9, 0.5]), (False, [0.6, 0.5])):
        tracker = JDETracker(ppdet_quirks=quirks)
        tracker.update(Shot(1, [BOX], [0.9], [LOOK]))
        tracker.update(Shot(2, [], []))
        scores = [tracker.update(Shot(frame, [BOX], [s], [LOOK])).scores[0] for frame, s in ((3, 0.6), (4, 0.5))]
        assert scores == pytest.approx(expected)


def test_a_track_of_one_frame_is_moved_before_it_is_compared():
    lefts = []
    for quirks in (True, False):
        tracker = JDETracker(ppdet_quirks=quirks)
        tracker.update(Shot(1, [], []))
        tracker.update(Shot(2, [BOX], [0.9], [LOOK]))
        result = tracker.update(Shot(3, [[30.0, 10.0, 40.0, 100.0]], [0.9], [LOOK]))
        lefts.append(result.boxes[0, 0])
    assert lefts[0] < lefts[1] < 30, "one that was moved trusts its detection more"


def test_a_score_of_exactly_conf_thres_is_low():
    for quirks, expected in ((True, []), (False, [1])):
        tracker = PPDetByteTracker(conf_thres=0.5, ppdet_quirks=quirks)
        tracker.update(Shot(1, [BOX], [0.9]))
        assert tracker.update(Shot(2, [BOX], [0.5])).ids.tolist() == expected
