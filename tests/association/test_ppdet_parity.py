"""JDE and PaddleDetection's BYTE beside ppdet's own tracker: the same ids, detections and boxes."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from crowds import changed, crowd, with_looks
from ppdet_oracle import reference

from fairmot_lab.association.registry import get_tracker
from fairmot_lab.association.run import track_detections
from fairmot_lab.data import FrameDetections
from fairmot_lab.detection.cache import open_detections
from fairmot_lab.detection.detections import Detections
from fairmot_lab.detection.model import load_model
from fairmot_lab.errors import FairMOTLabWarning
from fairmot_lab.sources.open import open_source


def assert_same_tracks(ours, theirs):
    assert ours[["frame", "id", "det", "class_id"]].equals(theirs[["frame", "id", "det", "class_id"]])
    assert len(ours)
    for name in ("x", "y", "w", "h", "score"):
        np.testing.assert_allclose(ours[name], theirs[name], atol=0.01, rtol=0)


def assert_parity(arrays, tracker):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FairMOTLabWarning)
        ours = track_detections(arrays, tracker)
    assert_same_tracks(ours, track_detections(arrays, reference(tracker)))


TRACKERS = {
    "defaults": get_tracker("jde"),
    "BYTE": get_tracker("ppdet_byte"),
    "euclidean": get_tracker("jde", metric_type="euclidean", tracked_thresh=0.8),
    "short buffer, high scores": get_tracker("jde", track_buffer=2, conf_thres=0.6, det_thresh=0.7),
    "loose": get_tracker("jde", tracked_thresh=1.5, r_tracked_thresh=1.0, unconfirmed_thresh=1.0, match_thres=1.0),
    "tight, all shapes": get_tracker(
        "jde",
        tracked_thresh=0.1,
        r_tracked_thresh=0.2,
        unconfirmed_thresh=0.2,
        match_thres=0.4,
        min_box_area=0,
        vertical_ratio=0,
    ),
    "BYTE, euclidean, no buffer": get_tracker(
        "ppdet_byte", metric_type="euclidean", tracked_thresh=0.7, track_buffer=0, conf_thres=0.7
    ),
}


@pytest.mark.parametrize("tracker", TRACKERS.values(), ids=TRACKERS)
@pytest.mark.parametrize("dimension", [0, 32])
def test_parity_on_generated_crowds(tracker, dimension):
    arrays = crowd(14, 60, dimension=dimension, missed=0.15, noise=0.1, seed=dimension)
    assert_parity(changed(arrays, frame_rate=25), tracker)


@pytest.mark.parametrize("detector", ["DPM", "FRCNN", "SDP"])
@pytest.mark.parametrize("sequence", ["02", "04", "05", "09", "10", "11", "13"])
def test_parity_on_public_detections(mot17, sequence, detector):
    """The first frames of every set, in turns with embeddings; `benchmarks/association.py --parity` does the whole."""
    detections = open_detections(mot17 / f"MOT17-{sequence}-{detector}")
    arrays = detections.part(1, 60)
    turn = int(sequence) + len(detector)
    for name in ("jde", "ppdet_byte"):
        tracker = get_tracker(name, any_scores=True)
        assert_parity(with_looks(arrays) if turn % 2 else arrays, tracker)
        turn += 1


@pytest.mark.parametrize("name", ["jde", "ppdet_byte"])
def test_parity_on_detections_of_the_bundled_model(network_detections, name):
    assert_parity(network_detections, get_tracker(name))


@pytest.fixture(scope="module")
def network_detections(mot17_09):
    """Detections of the bundled model in the first frames of MOT17-09."""
    model = load_model("fairmot_lite")
    results = [model(frame.image, frame=frame.number) for frame in open_source(mot17_09).frames(1, 40)]
    return Detections.from_frames(results)


def test_parity_when_every_detection_comes_twice():
    """Pairs of equal boxes, scores and embeddings: nothing but ties."""
    once = crowd(8, 40, dimension=16, seed=4)
    twice = changed(
        once,
        *(
            FrameDetections(
                one.frame,
                *(np.repeat(values, 2, axis=0) for values in (one.boxes, one.scores, one.embeddings, one.class_ids)),
            )
            for one in once
        ),
    )
    ours = track_detections(twice, get_tracker("jde"))
    theirs = track_detections(twice, reference(get_tracker("jde")))
    assert_same_tracks(ours.drop(columns="det").assign(det=0), theirs.assign(det=0))
