"""Arguments that cannot be meant: each is refused in one sentence, and none is taken for another in silence."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import fairmot_lab as fl
from fairmot_lab.errors import FairMOTLabError, FairMOTLabWarning

SCENE = fl.example()
RESULT = fl.evaluate(SCENE.tracks, SCENE.ground_truth)
BOTH = {"a": SCENE.tracks, "b": SCENE.tracks}
REFUSED = {
    "settings of a source that is open": (
        lambda path: fl.open_source(SCENE.source, frame_rate=5),
        "crossing is open already",
    ),
    "no sequence to track": (lambda path: fl.track({}), "No sequence is given"),
    "no sequence with a camera": (lambda path: fl.camera_motion({}), "No sequence is given"),
    "a tracker without a name": (lambda path: fl.track(SCENE.detections, ""), "''"),
    "a budget of nothing": (lambda path: fl.error_budget(RESULT, {}), "No detections are given"),
    "blocks of no frames": (
        lambda path: fl.compare(BOTH, SCENE.ground_truth, block_frames=0),
        "block_frames=0 must be at least 1",
    ),
    "no settings": (lambda path: fl.random_search(["conf_thres"], 0), "count is 0"),
    "a range that falls": (
        lambda path: fl.random_search({"conf_thres": (0.9, 0.1)}, 3),
        "conf_thres cannot be drawn from 0.9 to 0.1",
    ),
    "a frame of no width": (
        lambda path: fl.write_rerun(path / "a.rrd", SCENE.source, max_width=0),
        "max_width is 0; give at least 1 pixel",
    ),
    "every box on every person": (
        lambda path: fl.evaluate_detections(SCENE.detections, SCENE.ground_truth, min_iou=0),
        "min_iou=0 ",
    ),
    "a threshold that is no number": (
        lambda path: fl.evaluate_detections(SCENE.detections, SCENE.ground_truth, threshold=np.nan),
        "threshold=nan",
    ),
    "detections without boxes": (
        lambda path: fl.evaluate_detections(pd.DataFrame({"frame": [1]}), SCENE.ground_truth),
        "has no column x, y, w, h",
    ),
    "labels from any box": (
        lambda path: fl.diagnosis.label_detections(SCENE.detections, SCENE.ground_truth, min_iou=1.5),
        "min_iou is 1.5",
    ),
    "bars of nobody": (lambda path: fl.plots.compare_trackers({}), "There is no tracker to draw"),
    "curves of nobody": (lambda path: fl.plots.hota_curves({}), "There is no tracker to draw"),
    "horizons of nobody": (lambda path: fl.plots.local_metrics({}), "There is no tracker to draw"),
    "an id that is not there": (lambda path: fl.plots.trajectories(SCENE.tracks, ids=[99]), "No id 99"),
    "labels below none": (lambda path: fl.plots.trajectories(SCENE.tracks, max_labels=-1), "max_labels is -1"),
    "lanes below one": (lambda path: fl.plots.life_lines(RESULT, max_lanes=-1), "max_lanes is -1; give 1 or more"),
    "lanes of a timeline": (lambda path: fl.plots.switch_timeline(RESULT, max_lanes=0), "max_lanes is 0"),
    "a mean of no frames": (lambda path: fl.plots.errors_over_time(RESULT, window=0), "window is 0; give 1 or more"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_arguments_that_cannot_be_meant_are_refused(case, tmp_path):
    call, said = REFUSED[case]
    with pytest.raises(FairMOTLabError, match=said):
        call(tmp_path)


def test_a_part_that_ends_after_the_sequence_says_so():
    with pytest.warns(FairMOTLabWarning, match="crossing has 40 frames: 30 to 40 are evaluated, not 99"):
        cut = fl.evaluate(SCENE.tracks, SCENE.ground_truth, frames=(30, 99))
    assert cut.overall["num_frames"] == 11
