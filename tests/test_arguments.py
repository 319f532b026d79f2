"""Arguments that cannot be meant: each is refused in one sentence, and none is taken for another in silence."""

from __future__ import annotations

import warnings

import cv2
import numpy as np
import pandas as pd
import pytest

import fairmot_lab as fl
from fairmot_lab.cli.main import main
from fairmot_lab.errors import FairMOTLabError, FairMOTLabWarning
from fairmot_lab.formats import write_coco
from fairmot_lab.video_writer import VideoWriter

SCENE = fl.example()
RESULT = fl.evaluate(SCENE.tracks, SCENE.ground_truth)
FRAME = SCENE.detections.frame(3)


def named(name: str) -> pd.DataFrame:
    """Return the tracks of the scene, whose class has a name."""
    tracks = SCENE.tracks.copy()
    tracks.attrs["classes"] = {0: name}
    return tracks


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
    "workers that are none": (
        lambda path: fl.sweep(SCENE.detections, "sort", {"max_age": [1]}, ground_truth=SCENE.ground_truth, n_jobs=0),
        "n_jobs is 0",
    ),
    "a protocol that does not exist": (
        lambda path: fl.sweep(
            SCENE.detections, "sort", {"max_age": [1]}, ground_truth=SCENE.ground_truth, protocol="x"
        ),
        "protocol='x' does not exist",
    ),
    "switches of a sequence that is not there": (lambda path: RESULT.switches_of("x"), "'x' was not evaluated"),
    "a part of no frames": (lambda path: SCENE.detections.part(30, 20), "crossing holds no frames 30 to 20"),
    "a part after the end": (lambda path: SCENE.detections.part(41, 50), "it holds the frames 1 to 40"),
    "a folder without a name": (lambda path: fl.detect(SCENE.source, "fairmot_lite", ""), "is an empty text"),
    "a heatmap more than opaque": (
        lambda path: fl.drawing.draw_heatmap(SCENE.source.image(3), FRAME.heatmap, FRAME.letterbox, opacity=2),
        "opacity is 2",
    ),
    "a heatmap less than clear": (
        lambda path: fl.plots.centre_heatmap(FRAME, SCENE.source.image(3), opacity=-1),
        "opacity is -1",
    ),
    "another protocol than the evaluation's": (
        lambda path: fl.compare({"a": RESULT, "b": RESULT}, protocol="raw"),
        "a is evaluated already",
    ),
    "another part than the evaluation's": (
        lambda path: fl.compare({"a": RESULT}, frames=(1, 9)),
        "a is evaluated already",
    ),
    "a page of no size": (
        lambda path: fl.widgets.TrackPlayer(SCENE.source).to_html(path / "a.html", max_mb=np.nan),
        "max_mb is nan",
    ),
    "a camera that is not waited for": (lambda path: fl.open_source(0, stall_seconds=0), "stall_seconds 0"),
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
    "names of images that cannot be made": (
        lambda path: write_coco(SCENE.tracks, path / "a.json", file_name="{video}.jpg"),
        "file_name='{video}.jpg' cannot be filled in",
    ),
    "a class without a name": (
        lambda path: write_coco(SCENE.tracks, path / "a.json", classes={5: "car"}),
        "crossing has rows of class 0, which has no name",
    ),
    "a class of two names": (
        lambda path: write_coco({"a": named("car"), "b": named("person")}, path / "a.json"),
        "b calls class 0 person, another sequence car",
    ),
    "the best settings of another tracker": (
        lambda path: fl.best_tracker(
            fl.sweep(SCENE.detections, "sort", {"max_age": [1]}, ground_truth=SCENE.ground_truth), "mota", "jde"
        ),
        "The table is of settings of sort, not of jde",
    ),
    "fewer people than none": (
        lambda path: fl.write_report(path / "a.html", RESULT, SCENE.detections, people=-1),
        "people is -1",
    ),
    "bars of nobody": (lambda path: fl.plots.compare_trackers({}), "There is no tracker to draw"),
    "curves of nobody": (lambda path: fl.plots.hota_curves({}), "There is no tracker to draw"),
    "horizons of nobody": (lambda path: fl.plots.local_metrics({}), "There is no tracker to draw"),
    "an id that is not there": (lambda path: fl.plots.trajectories(SCENE.tracks, ids=[99]), "No id 99"),
    "labels below none": (lambda path: fl.plots.trajectories(SCENE.tracks, max_labels=-1), "max_labels is -1"),
    "lanes below one": (lambda path: fl.plots.life_lines(RESULT, max_lanes=-1), "max_lanes is -1; give 1 or more"),
    "lanes of a timeline": (lambda path: fl.plots.switch_timeline(RESULT, max_lanes=0), "max_lanes is 0"),
    "lines through nothing": (
        lambda path: fl.plots.parallel_coordinates(pd.DataFrame({"idf1": [0.5], "sequence": "OVERALL"}), []),
        "There is no setting to draw",
    ),
    "a strip of no pictures": (
        lambda path: fl.plots.person_strip(_life(), SCENE.source, count=0),
        "count is 0; give 1",
    ),
    "a frame twice": (
        lambda path: fl.Detections.from_frames([SCENE.detections.frame(1)] * 2),
        "not in ascending order, each once",
    ),
    "boxes without scores": (
        lambda path: fl.Detections.from_frames([fl.FrameDetections(1, np.zeros((2, 4)), np.zeros(1))]),
        r"frame 1: boxes has the shape \(2, 4\) where \(1, 4\) was expected",
    ),
    "a list of names to try": (
        lambda path: fl.sweep(SCENE.detections, "sort", ["max_age"], ground_truth=SCENE.ground_truth),
        "lists 'max_age', which is not a tracker or a dict of settings",
    ),
    "a grey image in a video": (
        lambda path: VideoWriter(path / "a.mp4", 10).write(np.zeros((48, 64), np.uint8)),
        r"is made of images \(height, width, 3\) of uint8",
    ),
    "a video without end of speed": (lambda path: VideoWriter(path / "a.mp4", float("inf")), "inf frames per second"),
    "a mean of no frames": (lambda path: fl.plots.errors_over_time(RESULT, window=0), "window is 0; give 1 or more"),
}


def _life():
    result = fl.evaluate(fl.track(SCENE.detections, "jde"), SCENE.ground_truth)
    return fl.person(result, 1, SCENE.detections, "jde")


@pytest.mark.parametrize("case", REFUSED)
def test_arguments_that_cannot_be_meant_are_refused(case, tmp_path):
    call, said = REFUSED[case]
    with pytest.raises(FairMOTLabError, match=said):
        call(tmp_path)


def test_one_name_stands_for_a_list_of_one(tmp_path):
    made = fl.formats.write_cvat(SCENE.tracks.assign(class_id=1), tmp_path / "task.zip", labels="person")
    assert fl.read_labels(made).attrs["classes"] == {1: "person"}
    assert fl.random_search("conf_thres", 2) == fl.random_search(["conf_thres"], 2)
    assert fl.plots.compare_trackers({"a": RESULT}, "idf1").get_xticklabels()[0].get_text() == "IDF1"
    table = pd.DataFrame(
        {"conf_thres": [0.3, 0.5], "mota": [0.6, 0.5], "loss": 1, "step": [1, 2], "sequence": "OVERALL"}
    )
    assert fl.plots.metric_against_threshold(table, "conf_thres", "mota").get_title(loc="left").startswith("MOTA")
    assert len(fl.plots.parallel_coordinates(table, "conf_thres", "mota").get_xticks()) == 2
    assert fl.plots.learning_curve(table, "mota").get_legend().get_texts()[0].get_text() == "MOTA"


def test_a_part_that_ends_after_the_sequence_says_so():
    with pytest.warns(FairMOTLabWarning, match="crossing has 40 frames: 30 to 40 are evaluated, not 99"):
        cut = fl.evaluate(SCENE.tracks, SCENE.ground_truth, frames=(30, 99))
    assert cut.overall["num_frames"] == 11


@pytest.mark.parametrize(("option", "made"), [("--trails=3", ".mp4"), ("--count-interval=2", ".counts.csv")])
def test_an_option_of_an_output_asks_for_the_output(option, made, tmp_path, capsys):
    """They did nothing without --video and --count."""
    (tmp_path / "walk").mkdir()
    for frame in SCENE.source.frames(1, 3):
        cv2.imwrite(str(tmp_path / "walk" / f"{frame.number}.png"), frame.image)
    assert main(["track", str(tmp_path / "walk"), "--output", str(tmp_path / "out"), "--quiet", option]) == 0
    assert f"walk{made}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["switches", "--gt", "gt", "--results", "out", "--what-if"], "--what-if goes with --detections"),
        (["switches", "--gt", "gt", "--results", "out", "--tracker", "jde"], "--tracker goes with --detections"),
        (["sweep", "det", "--tracker", "jde", "--set", "conf_thres=.3,.4", "--seed", "1"], "--seed goes with --random"),
    ],
)
def test_an_option_that_needs_another_names_it(arguments, said, capsys):
    assert main(arguments) == 2
    assert said in capsys.readouterr().err


def test_an_option_that_a_detector_does_not_use_is_refused(tmp_path, capsys):
    cv2.imwrite(str(tmp_path / "1.png"), SCENE.source.image(1))
    assert main(["track", str(tmp_path), "--detector", "yolox.onnx", "--engine", "paddle"]) == 2
    assert "--engine goes with --model" in capsys.readouterr().err


def test_warnings_name_the_line_that_called(tmp_path):
    """However deep in the package they are given: here, in the reader of the images and in the evaluation."""
    for number in (1, 3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), SCENE.source.image(1))
    detections = fl.Detections.from_frames([fl.FrameDetections(1, np.ones((1, 4)), np.ones(1))])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fl.open_source(tmp_path)
        fl.evaluate(SCENE.tracks, SCENE.ground_truth, frames=(30, 99))
        fl.track(detections, "jde", progress=False)
    assert len(caught) >= 3
    assert {one.filename for one in caught} == {__file__}
