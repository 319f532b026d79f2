"""Two classes through the whole road: a rendered scene, a stand-in network, tracks, text, overlay, evaluation."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

import fairmot_lab as fl
from fairmot_lab.cli import main as cli
from fairmot_lab.detection.fairmot_detector import FairMOTDetector
from fairmot_lab.drawing import draw_tracks
from fairmot_lab.errors import ConfigError, EvaluationError
from fairmot_lab.pipeline import track_files

SIZE = (160, 96)
COLOURS = {0: (0, 0, 255), 1: (255, 0, 0)}  # people are red, cars are blue (blue first)
NAMES = {0: "person", 1: "car"}
LENGTH = 30


def walkers(frame: int) -> list[tuple[int, int, tuple[int, int, int, int]]]:
    """(id, class, box): two people and two cars that pass each other closely."""
    return [
        (1, 0, (10 + 4 * frame, 20, 12, 28)),
        (2, 0, (130 - 3 * frame, 60, 12, 28)),
        (3, 1, (130 - 4 * frame, 49, 24, 10)),
        (4, 1, (20 + 2 * frame, 6, 24, 12)),
    ]


def picture(frame: int) -> np.ndarray:
    image = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
    for number, class_id, (x, y, w, h) in walkers(frame):
        colour = np.array(COLOURS[class_id]) * (0.6 + 0.1 * number)
        cv2.rectangle(image, (x, y), (x + w - 1, y + h - 1), colour.tolist(), -1)
    return image


class ColourEngine:
    """A stand-in for MCFairMOT: a heatmap for red and one for blue, sizes as width and height, brightness as looks."""

    name, device, threads, at_once, libraries = "stand-in", "cpu", 1, 1, ()

    def __call__(self, blob: np.ndarray) -> tuple[np.ndarray, ...]:
        rgb = blob[0]
        heights, widths = SIZE[1] // 4, SIZE[0] // 4
        heatmap, size, offset = (np.zeros((1, 2, heights, widths), np.float32) for _ in range(3))
        embedding = np.zeros((1, 8, heights, widths), np.float32)
        embedding[0, 0] = 1
        for class_id, channel in ((0, 0), (1, 2)):
            others = np.delete(rgb, channel, axis=0).max(0)
            mask = ((rgb[channel] > 0.45) & (others < 0.2)).astype(np.uint8)
            count, _, stats, centres = cv2.connectedComponentsWithStats(mask)
            for k in range(1, count):
                left, top, w, h = stats[k, :4]
                x, y = left + w / 2, top + h / 2
                column, row = int(x // 4), int(y // 4)
                heatmap[0, class_id, row, column] = 0.9
                size[0, :, row, column] = w / 4, h / 4
                offset[0, :, row, column] = x / 4 - column, y / 4 - row
                shade = round(10 * float(rgb[channel, int(centres[k][1]), int(centres[k][0])]))
                embedding[0, :, row, column] = np.eye(8)[shade % 8]
        return heatmap, size, offset, embedding


@pytest.fixture(scope="module")
def detector() -> FairMOTDetector:
    settings = {"min_box_area": 0, "vertical_ratio": 0}
    return FairMOTDetector(
        "two", "stand-in", SIZE, 8, "0" * 64, ColourEngine(), class_names=NAMES, default_tracker=settings
    )


@pytest.fixture(scope="module")
def source() -> fl.Source:
    return fl.open_source([picture(frame) for frame in range(1, LENGTH + 1)])


@pytest.fixture(scope="module")
def truth() -> pd.DataFrame:
    """With the benchmark's own numbers, other than the network's, and a region in which nothing counts."""
    rows = [
        (frame, number, *box, 1, {0: 7, 1: 3}[class_id])
        for frame in range(1, LENGTH + 1)
        for number, class_id, box in walkers(frame)
    ]
    table = pd.DataFrame(rows, columns=["frame", "id", "x", "y", "w", "h", "conf", "class_id"])
    table.attrs = {"sequence": "arrays", "length": LENGTH, "classes": {7: "person", 3: "car"}}
    return table


@pytest.fixture(scope="module")
def tracks(source: fl.Source, detector: FairMOTDetector) -> pd.DataFrame:
    return fl.track(source, model=detector, progress=False)


def test_tracks_carry_classes_and_their_names(tracks: pd.DataFrame) -> None:
    assert tracks.attrs["tracker"] == "per_class:jde"
    assert tracks.attrs["classes"] == NAMES
    assert tracks.groupby("id")["class_id"].nunique().max() == 1
    assert tracks.groupby("class_id")["id"].nunique().to_dict() == {0: 2, 1: 2}


def test_kept_detections_give_the_same_tracks(
    source: fl.Source, detector: FairMOTDetector, tracks: pd.DataFrame, tmp_path: Path
) -> None:
    detections = fl.detect(source, detector, tmp_path, progress=False)
    assert detections.class_names == NAMES
    replayed = fl.track(detections, fl.PerClass(fl.JDETracker(min_box_area=0, vertical_ratio=0)))
    assert replayed.attrs["classes"] == NAMES
    columns = ["frame", "id", "class_id"]
    pd.testing.assert_frame_equal(replayed[columns], tracks[columns])


def test_the_text_has_the_class_in_column_8_and_the_record_its_name(
    source: fl.Source, detector: FairMOTDetector, tracks: pd.DataFrame, tmp_path: Path
) -> None:
    report = track_files(source, None, tmp_path, model=detector, progress=False)
    columns = [line.split(",") for line in report.text.read_text().splitlines()]
    assert [int(row[7]) for row in columns] == tracks["class_id"].tolist()
    assert json.loads(report.record.read_text())["classes"] == {"0": "person", "1": "car"}
    assert fl.read_mot(report.text)["class_id"].tolist() == tracks["class_id"].tolist()


def test_the_overlay_writes_the_names(source: fl.Source, tracks: pd.DataFrame) -> None:
    """The label is drawn as without a name but for what is written."""
    rows = tracks[tracks["frame"] == 5]
    image = source.image(5)
    named, plain = draw_tracks(image, rows, scores=False), draw_tracks(image, rows.set_axis(rows.columns, axis=1))
    assert not np.array_equal(named, draw_tracks(image, rows, scores=False, class_names={0: "x", 1: "y"}))
    bare = rows.copy()
    bare.attrs = {}
    assert np.array_equal(
        draw_tracks(image, bare, scores=False), draw_tracks(image, rows, scores=False, class_names={0: "person"})
    )
    assert named.shape == plain.shape


@pytest.mark.parametrize("evaluator", ["motmetrics", "trackeval"])
def test_evaluation_by_class(tracks: pd.DataFrame, truth: pd.DataFrame, evaluator: str) -> None:
    """Drop a track of one class, and only that class suffers; each row is that of an evaluation of its class alone."""
    lost = tracks.loc[tracks["class_id"] == 1, "id"].min()
    worse = tracks[tracks["id"] != lost]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing is left out, so nothing is said to be
        result = fl.evaluate(worse, truth, classes=["person", "car"], evaluator=evaluator)
    assert result.summary["sequence"].tolist() == ["arrays:person", "arrays:car", "OVERALL"]
    table = result.per_class.set_index("class")
    assert table.index.tolist() == ["person", "car", "AVERAGE", "OVERALL"]
    for name, ours, theirs in (("person", 0, 7), ("car", 1, 3)):
        own = worse[worse["class_id"] == ours].assign(class_id=1)
        own.attrs = {}
        wanted = truth[truth["class_id"] == theirs].assign(class_id=1)
        wanted.attrs = {"length": LENGTH}
        alone = fl.evaluate(own, wanted, evaluator=evaluator)
        for metric in ("mota", "idf1", "hota", "num_misses"):
            assert table.loc[name, metric] == pytest.approx(alone.overall[metric]), (name, metric)
    assert table.loc["person", "mota"] > 0.9
    assert table.loc["car", "mota"] == pytest.approx(table.loc["person", "mota"] / 2, abs=0.06)
    assert table.loc["AVERAGE", "idf1"] == pytest.approx(table.loc[["person", "car"], "idf1"].mean())
    assert table.loc["AVERAGE", "num_misses"] == table.loc[["person", "car"], "num_misses"].sum()
    assert table.loc["OVERALL", "mota"] == pytest.approx(result.overall["mota"])
    misses, objects = table.loc["OVERALL", "num_misses"], 4 * LENGTH
    positives, switches = table.loc["OVERALL", "num_false_positives"], table.loc["OVERALL", "num_switches"]
    assert table.loc["OVERALL", "mota"] == pytest.approx(1 - (misses + positives + switches) / objects)


def test_classes_that_are_not_there(tracks: pd.DataFrame, truth: pd.DataFrame) -> None:
    with pytest.raises(
        EvaluationError, match=r"No ground truth has objects of the class 'bus'; its classes are car, p"
    ):
        fl.evaluate(tracks, truth, classes=["bus"])
    with pytest.raises(EvaluationError, match="has no classes"):
        fl.evaluate(tracks.drop(columns="class_id"), truth, classes=["car"])
    with pytest.raises(EvaluationError, match="each once"):
        fl.evaluate(tracks, truth, classes=["car", "car"])


def test_reasons_by_class(source: fl.Source, detector: FairMOTDetector, truth: pd.DataFrame, tmp_path: Path) -> None:
    """Switches, causes and what-if of one class of a tracker that follows each."""
    detections = fl.detect(source, detector, tmp_path, progress=False)
    assert fl.track(detections).attrs["tracker"] == "per_class:jde"
    tracker = fl.PerClass(fl.JDETracker(min_box_area=0, vertical_ratio=0))
    result = fl.evaluate(fl.track(detections, tracker), truth, classes=["person", "car"])
    with pytest.raises(EvaluationError, match="give sequence= one of arrays:person, arrays:car"):
        fl.explain_switches(result, detections, tracker)
    for name in ("arrays:person", "arrays:car"):
        own = result.summary.set_index("sequence").loc[name]
        found = fl.explain_switches(result, detections, tracker, sequence=name)
        assert len(found) == own["num_switches"]
        errors = fl.error_budget(result, detections, tracker, sequence=name).errors
        assert len(errors) == own[["num_misses", "num_false_positives", "num_switches"]].sum()
        tried = fl.what_if(result, detections, tracker, sequence=name, changes={"conf_thres": [0.95]}).changes
        assert tried["num_misses"].tolist() == [own["num_misses"], own["num_objects"]]


def test_a_sweep_by_class(source: fl.Source, detector: FairMOTDetector, truth: pd.DataFrame, tmp_path: Path) -> None:
    """Each row is that of an evaluation by class under its setting."""
    detections = fl.detect(source, detector, tmp_path, progress=False)
    tracker = fl.PerClass(fl.JDETracker(min_box_area=0, vertical_ratio=0))
    options = {"ground_truth": truth, "classes": ["person", "car"], "progress": False}
    table = fl.sweep(detections, tracker, {"conf_thres": [0.5, 0.95]}, file=tmp_path / "rows", **options)
    assert table["sequence"].tolist() == ["arrays:person", "arrays:car", "OVERALL"] * 2
    again = fl.evaluate(fl.track(detections, tracker.replace(conf_thres=0.5)), truth, classes=["person", "car"])
    assert table["idf1"].tolist()[:3] == again.summary["idf1"].tolist()
    assert table["num_misses"].tolist()[3:] == [2 * LENGTH, 2 * LENGTH, 4 * LENGTH]
    with pytest.raises(ConfigError, match="its classes differ"):
        fl.sweep(detections, tracker, {"conf_thres": [0.5]}, ground_truth=truth, file=tmp_path / "rows", progress=False)
    with pytest.raises(ConfigError, match="leave out intervals or classes"):
        fl.sweep(detections, tracker, {"conf_thres": [0.5]}, intervals=True, **options)
    pytest.importorskip("optuna")
    with pytest.raises(ConfigError, match="leave out intervals or classes"):
        fl.tune(detections, tracker, intervals=True, **options)
    found = fl.tune(detections, tracker, search=["track_buffer"], trials=1, **options)
    first, last = fl.half_split(LENGTH)["train"]
    half = truth[truth["frame"] <= last].reset_index(drop=True)
    half.attrs = truth.attrs
    tracks = fl.track(detections.part(first, last), tracker)
    assert found.table["train_idf1"][0] == fl.evaluate(tracks, half, classes=["person", "car"]).overall["idf1"]


def test_a_detection_of_another_class_is_no_sign_of_a_person(
    source: fl.Source, truth: pd.DataFrame, tmp_path: Path
) -> None:
    """A car lies on every person whom the detector did not find."""
    rows = [
        (frame, 0 if number != 2 or frame < 10 else 1, box)
        for frame in range(1, LENGTH + 1)
        for number, class_id, box in walkers(frame)
        if class_id == 0
    ]
    frames = [
        fl.FrameDetections(
            frame,
            np.array([box for at, _, box in rows if at == frame], np.float32),
            np.full(2, 0.9, np.float32),
            class_ids=np.array([kind for at, kind, _ in rows if at == frame]),
        )
        for frame in range(1, LENGTH + 1)
    ]

    class Fixed:
        name, class_names = "fixed", NAMES

        def describe(self) -> dict:
            return {}

        def run(self, given):
            return (frames[frame.number - 1] for frame in given)

    detections = fl.detect(source, Fixed(), tmp_path, progress=False)
    tracker = fl.get_tracker("per_class:sort")
    result = fl.evaluate(fl.track(detections, tracker), truth, classes=["person"])
    errors = fl.error_budget(result, detections, tracker, sequence="arrays:person").errors
    lost = errors[(errors["kind"] == "MISS") & (errors["id"] == 2) & (errors["frame"] >= 12)]
    assert len(lost) == LENGTH - 11
    assert set(lost["cause"]) == {"no detection"}


def test_the_command_line_evaluates_classes(
    tracks: pd.DataFrame, truth: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A result file has no names, so its ids are the ground truth's (MOTChallenge: 1 pedestrian, 3 car)."""
    for name, table, ids in (("gt.txt", truth, {7: 1, 3: 3}), ("arrays.txt", tracks, {0: 1, 1: 3})):
        fl.write_mot(table.assign(class_id=table["class_id"].map(ids)), tmp_path / name)
    files = ["--gt", str(tmp_path / "gt.txt"), "--results", str(tmp_path / "arrays.txt")]
    assert cli.main(["evaluate", *files, "--classes", "pedestrian", "3"]) == 0
    rows = {line.split()[0]: line.split() for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert {"pedestrian", "3", "AVERAGE"} <= rows.keys()
    assert float(rows["pedestrian"][1]) > 90
