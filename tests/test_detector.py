"""The detector seam: detectors that are not FairMOT, through detect, track, evaluate, explain, sweep and widgets."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fairmot_lab as fl
from fairmot_lab.data import Letterbox
from fairmot_lab.detection.detector import run_detector
from fairmot_lab.errors import ConfigError, DetectionsError, FairMOTLabError, FairMOTLabWarning

FRAMES = 40


def person(number: int, frame: int) -> tuple[float, float, float, float]:
    """Three people: two cross in frame 20, one stands."""
    x = {1: 40 + 10 * frame, 2: 440 - 10 * frame, 3: 500}[number]
    return float(x), 60.0, 40.0, 100.0


def picture(frame: int) -> np.ndarray:
    image = np.full((240, 640, 3), 90, np.uint8)
    for number, colour in ((1, (0, 0, 200)), (2, (0, 200, 0)), (3, (200, 0, 0))):
        x, y, w, h = (int(value) for value in person(number, frame))
        image[y : y + h, max(x, 0) : x + w] = colour
    return image


def ground_truth() -> pd.DataFrame:
    rows = [(frame, number, *person(number, frame)) for frame in range(1, FRAMES + 1) for number in (1, 2, 3)]
    table = pd.DataFrame(rows, columns=["frame", "id", "x", "y", "w", "h"])
    table["conf"], table["class_id"], table["visibility"] = 1.0, 1, 1.0
    table.attrs = {"sequence": "crossing", "frame_rate": 30.0, "length": FRAMES, "width": 640, "height": 240}
    return table


class BoxesOnly:
    """A detector that gives boxes and scores, and nothing else."""

    name = "boxes"
    class_names = {0: "person"}  # noqa: RUF012

    def describe(self) -> dict[str, Any]:
        return {"threshold": 0.5}

    def run(self, frames: Any) -> Iterator[fl.FrameDetections]:
        for frame in frames:
            boxes = np.array([person(number, frame.number) for number in (1, 2, 3)], np.float32)
            boxes[:, 0] += frame.number % 3  # a detector is never exact
            yield fl.FrameDetections(frame.number, boxes, np.array([0.9, 0.8, 0.7], np.float32))


class DetectorAndReID(BoxesOnly):
    """A detector with a network for appearance beside it: the mean colour of each box."""

    name = "yolox+reid"

    def describe(self) -> dict[str, Any]:
        return {"threshold": 0.5, "reid": "mean colour"}

    def run(self, frames: Any) -> Iterator[fl.FrameDetections]:
        for frame in frames:
            (detections,) = super().run([frame])
            colours = []
            for x, y, w, h in detections.boxes.astype(int):
                colours.append(frame.image[y : y + h, max(x, 0) : x + w].reshape(-1, 3).mean(0))
            vectors = np.array(colours, np.float32)
            detections.embeddings = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
            yield detections


@pytest.fixture
def source() -> fl.Source:
    return fl.open_source([picture(frame) for frame in range(1, FRAMES + 1)], name="crossing")


@pytest.fixture(params=[BoxesOnly, DetectorAndReID])
def detector(request: pytest.FixtureRequest) -> Any:
    return request.param()


def test_any_detector_goes_the_whole_way(detector: Any, source: fl.Source, tmp_path: Path) -> None:
    assert isinstance(detector, fl.Detector)
    has_embeddings = isinstance(detector, DetectorAndReID)
    detections = fl.detect(source, detector, tmp_path, progress=False)
    assert (len(detections), detections.has_embeddings, detections.has_heatmaps) == (FRAMES, has_embeddings, False)
    assert detections.class_names == {0: "person"}
    again = fl.open_detections(tmp_path)
    assert again.has_embeddings == has_embeddings
    if not has_embeddings:
        with pytest.raises(DetectionsError, match="holds detections without embeddings"):
            again.embeddings()

    tracker = fl.get_tracker("jde" if has_embeddings else "ocsort")
    tracks = fl.track(detections, tracker)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FairMOTLabWarning)
        streamed = fl.track(source, tracker, model=detector, progress=False)
    pd.testing.assert_frame_equal(tracks, streamed)
    truth = ground_truth()
    result = fl.evaluate(tracks, truth)
    assert result.overall["mota"] > 0.8
    if has_embeddings:
        assert result.overall["num_switches"] == 0  # appearance tells them apart where they cross
    explained = fl.explain_switches(result, detections, tracker)
    assert len(explained) == result.overall["num_switches"]
    record = fl.trace(detections, tracker)[20]
    assert fl.explain(record, detection=0)

    if not has_embeddings:
        table = fl.sweep(detections, tracker, {"max_age": [1, 5]}, ground_truth=truth, progress=False)
        assert len(table) == 2


def test_any_detector_in_every_widget(detector: Any, source: fl.Source, tmp_path: Path) -> None:
    detections = fl.detect(source, detector, tmp_path, progress=False)
    has_embeddings = detections.has_embeddings
    tracker, truth = fl.get_tracker("jde" if has_embeddings else "ocsort"), ground_truth()
    tracks = fl.track(detections, tracker)
    result = fl.evaluate(tracks, truth)
    widgets = fl.widgets
    opened = [
        widgets.TrackPlayer(source, tracks=tracks, evaluation=result),
        widgets.SwitchBrowser(source, evaluation=result),
        widgets.AssociationInspector(source, detections=detections, tracker=tracker),
        widgets.ThresholdLab(source, detections=detections, ground_truth=truth, tracker=tracker),
        widgets.HeatmapInspector(source, model=detector),
    ]
    if has_embeddings:
        opened.append(widgets.EmbeddingExplorer(source, detections=detections, ground_truth=truth))
    else:
        with pytest.raises(FairMOTLabError, match="embeddings"):
            widgets.EmbeddingExplorer(source, detections=detections, ground_truth=truth)
    bare = widgets.HeatmapInspector(source, detections=detections)
    assert "without heatmaps" in bare.player.note
    opened.append(bare)
    for widget in opened:
        widget.close()


def test_what_is_not_a_detector_is_told_in_one_sentence(source: fl.Source, tmp_path: Path) -> None:
    class Called:
        def __call__(self, image: np.ndarray) -> None: ...

    with pytest.raises(ConfigError, match=r"Called is not a detector: it has no name, describe\(\), run\(\); see fl"):
        fl.detect(source, Called(), tmp_path)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="it has no name that is a text"):
        fl.detect(source, SimpleNamespace(name=3, describe=dict, run=iter), tmp_path)  # type: ignore[arg-type]


class Faulty(DetectorAndReID):
    def __init__(self, change: Any) -> None:
        self.change = change

    def run(self, frames: Any) -> Iterator[fl.FrameDetections]:
        for detections in super().run(frames):
            changed = self.change(detections)
            if changed is not None:
                yield changed


def altered(**changes: Any) -> Any:
    def alter(detections: fl.FrameDetections) -> fl.FrameDetections:
        if detections.frame == 3:
            for name, value in changes.items():
                setattr(detections, name, value)
        return detections

    return alter


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (altered(embeddings=None), "has embeddings of 0 numbers and the frames before of 3"),
        (altered(embeddings=np.eye(3, 5, dtype=np.float32)), "of 5 numbers and the frames before of 3"),
        (altered(embeddings=np.eye(2, 3, dtype=np.float32)), r"embeddings have the shape \(2, 3\) where \(3, D\)"),
        (altered(boxes=np.ones((2, 4), np.float32)), r"boxes has the shape \(2, 4\) where \(3, 4\) was expected"),
        (altered(scores=np.full(3, np.nan, np.float32)), "frame 3: scores holds numbers that are not finite"),
        (altered(boxes=np.full((3, 4), np.inf, np.float32)), "frame 3: boxes holds numbers that are not finite"),
        (altered(heatmap=np.zeros((8, 8), np.float32)), "frame 3: heatmaps come and go"),
        (altered(frame=7), "gave detections of frame 7 where frame 3 was expected"),
        (lambda found: None if found.frame == 3 else found, "gave detections of frame 4 where frame 3 was expected"),
        (lambda found: found if found.frame < FRAMES else None, f"ended before frame {FRAMES}"),
    ],
)
def test_a_detector_that_breaks_its_protocol_is_told(change: Any, words: str, source: fl.Source) -> None:
    with pytest.raises(DetectionsError, match=rf"^yolox\+reid.*{words}"):
        list(run_detector(Faulty(change), source.frames()))


def test_a_description_that_changes_is_another_detector(source: fl.Source, tmp_path: Path) -> None:
    fl.detect(source, DetectorAndReID(), tmp_path, progress=False)

    class Other(DetectorAndReID):
        def describe(self) -> dict[str, Any]:
            return {"threshold": 0.6, "reid": "mean colour"}

    with pytest.raises(DetectionsError, match=r"made from something else: threshold 0\.5 \(now 0\.6\)"):
        fl.detect(source, Other(), tmp_path, progress=False)
    with pytest.raises(DetectionsError, match=r"reid mean colour \(now None\)"):
        fl.detect(source, BoxesOnly(), tmp_path, progress=False)


def test_a_description_that_json_cannot_hold_is_told(source: fl.Source, tmp_path: Path) -> None:
    class Odd(BoxesOnly):
        def describe(self) -> dict[str, Any]:
            return {"weights": object()}

    with pytest.raises(DetectionsError, match=r"boxes: describe\(\) must return a dict of what JSON can hold"):
        fl.detect(source, Odd(), tmp_path, progress=False)


def test_a_source_that_changes_while_it_is_read_is_not_recorded_as_complete(
    source: fl.Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = type(source).frames
    prints = iter(["before", "after", "before", "before"])
    monkeypatch.setattr(type(source), "fingerprint", lambda self: next(prints))
    monkeypatch.setattr(type(source), "frames", lambda self, first=1, last=None: whole(self, first, 10))
    with pytest.raises(fl.FairMOTLabError, match=r"changed while it was read: 10 of 40 frames were read and are kept"):
        fl.detect(source, BoxesOnly(), tmp_path, progress=False)
    monkeypatch.setattr(type(source), "frames", whole)
    detections = fl.detect(source, BoxesOnly(), tmp_path, progress=False)
    assert (detections.complete, len(detections), detections.table()["frame"].nunique()) == (True, 40, 40)


def test_a_frame_that_the_source_leaves_out_is_marked(
    source: fl.Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = type(source).frames
    monkeypatch.setattr(type(source), "fingerprint", lambda self: "the same")
    monkeypatch.setattr(
        type(source),
        "frames",
        lambda self, first=1, last=None: (f for f in whole(self, first) if f.number not in (5, 40)),
    )
    detections = fl.detect(source, DetectorAndReID(), tmp_path, progress=False)
    assert detections.has_embeddings
    assert (detections.missing, len(detections.frame(5)), detections.has_embeddings) == ((5, 40), 0, True)


class Described:
    """A detector with a box as wide as the first pixel is bright, and a description that is given."""

    name = "mine"

    def __init__(self, description: dict[str, Any], class_names: dict[int, str] | None = None) -> None:
        self.description, self.class_names = description, class_names or {}

    def describe(self) -> dict[str, Any]:
        return self.description

    def run(self, frames: Any) -> Iterator[fl.FrameDetections]:
        for one in frames:
            box = np.array([[one.image[0, 0, 0], 1, 20, 40]], np.float32)
            yield fl.FrameDetections(one.number, box, np.array([0.9], np.float32))


def clip(value: int, name: str = "clip") -> fl.Source:
    return fl.open_source([np.full((48, 64, 3), value, np.uint8)] * 3, name=name)


def test_a_description_hides_nothing_of_the_source(tmp_path: Path) -> None:
    detector = Described({"source": "https://example.org/me", "width": 640, "frame_rate": 7})
    made = fl.detect(clip(10), detector, tmp_path, progress=False)
    assert (made.fingerprint["width"], made.frame_rate) == (64, clip(10).frame_rate)
    with pytest.raises(DetectionsError, match="made from something else: source"):
        fl.detect(clip(30), detector, tmp_path, progress=False)


def test_other_names_of_classes_are_told(tmp_path: Path) -> None:
    fl.detect(clip(10), Described({}, {0: "person"}), tmp_path, progress=False)
    with pytest.warns(FairMOTLabWarning, match=r"class_names \{'0': 'person'\}"):
        fl.detect(clip(10), Described({}, {0: "car"}), tmp_path, progress=False)


def test_the_names_of_a_dict_are_those_of_the_files(tmp_path: Path) -> None:
    made = fl.detect({"A": clip(10), "B": clip(30)}, Described({}), tmp_path, n_jobs=1, progress=False)
    assert {name: one.boxes[0, 0] for name, one in made.items()} == {"A": 10, "B": 30}
    assert sorted(path.name for path in tmp_path.glob("*.tar")) == ["A.tar", "B.tar"]


def test_what_cannot_be_kept_is_refused(tmp_path: Path) -> None:
    class Odd(Described):
        def run(self, frames: Any) -> Iterator[fl.FrameDetections]:
            for one in super().run(frames):
                one.heatmap = self.description["heatmap"]
                one.letterbox = Letterbox.fit((64, 48), (64, 48))
                one.class_ids[:] = self.description["class"]
                yield one

        def describe(self) -> dict[str, Any]:
            return {}

    wide = Odd({"heatmap": np.full(Letterbox.fit((64, 48), (64, 48)).heatmap_size[::-1], 1.5, np.float32), "class": 0})
    with pytest.raises(DetectionsError, match=r"heatmap from 1\.5 to 1\.5"):
        fl.detect(clip(10), wide, tmp_path / "a", progress=False)
    with pytest.raises(DetectionsError, match="class id 70000"):
        fl.detect(clip(10), Odd({"heatmap": None, "class": 70000}), tmp_path / "b", progress=False)


@pytest.mark.parametrize("name", ["a[1]", "50 %", "it's", " blank "])
def test_kept_detections_are_found_by_any_name(name: str, tmp_path: Path) -> None:
    fl.detect(clip(10, name), Described({}), tmp_path, progress=False)
    fl.detect(clip(10, "other"), Described({}), tmp_path, progress=False)
    assert fl.open_detections(tmp_path, name).name == name
