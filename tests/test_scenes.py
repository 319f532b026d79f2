"""Rendered scenes: the same from the same seed, and a ground truth that agrees with what is drawn."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from fairmot_lab.data import PEDESTRIAN
from fairmot_lab.errors import ConfigError
from fairmot_lab.formats.mot import read_mot
from fairmot_lab.formats.seqinfo import read_seqinfo
from fairmot_lab.lite.scenes import Scene, SceneConfig, ground_truth, write_sequence
from fairmot_lab.lite.street import CLASSES
from fairmot_lab.sources.open import open_source

SMALL = SceneConfig(
    width=480,
    height=270,
    length=12,
    frame_rate=10,
    people=8,
    nearest=150,
    farthest=50,
    clutter=1,
    camera_height=(2.5, 4),
)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene(4, SMALL)


def drawn_truth(scene: Scene) -> pd.DataFrame:
    return ground_truth(scene.render(number).objects for number in range(1, scene.config.length + 1))


def test_seed_decides_everything(scene):
    again, other = Scene(4, SMALL), Scene(5, SMALL)
    again.render(2)  # what was drawn before must not matter
    first, second = scene.render(7), again.render(7)
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.labels, second.labels)
    pd.testing.assert_frame_equal(first.objects, second.objects)
    assert not np.array_equal(first.image, other.render(7).image)


@pytest.mark.parametrize("number", [1, 6, 12])
@pytest.mark.parametrize("seed", [4, 9, 11])
def test_boxes_and_visibility_are_those_of_the_drawn_pixels(seed, number):
    """Each object drawn alone gives its own pixels; the full frame's labels say which of them are seen."""
    scene = Scene(seed, SMALL)
    frame, actors, checked = scene.render(number), scene.actors, 0
    scene.occluders = []
    for row in frame.objects.itertuples():
        if row.class_id == CLASSES["reflection"]:
            continue
        scene.actors = [actor for actor in actors if actor.number == row.id]
        alone = scene.render(number).labels == row.id
        ys, xs = np.nonzero(alone)
        if len(ys) == 0:
            assert row.visibility == 0
            continue
        drawn = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
        box = np.array([row.x, row.y, row.x + row.w, row.y + row.h])
        width, height = SMALL.width, SMALL.height
        inside = row.x >= 0 and row.y >= 0 and row.x + row.w <= width and row.y + row.h <= height
        assert np.array_equal(drawn, np.clip(box, 0, (width, height, width, height))) or not inside
        seen = np.count_nonzero(frame.labels == row.id)
        assert not np.any((frame.labels == row.id) & ~alone)
        if inside:
            assert row.visibility == pytest.approx(seen / len(ys))
            checked += 1
        else:  # the pixels outside the image count as hidden
            assert row.visibility <= seen / len(ys)
    assert checked >= 5


def test_people_are_hidden_sometimes_and_mostly_seen():
    scene = Scene(4, dataclasses.replace(SMALL, people=14, spread=1, companions=0.3))
    truth = drawn_truth(scene)
    people = truth[truth["class_id"] == PEDESTRIAN]
    assert people.groupby("frame").size().min() >= 5
    assert (people["visibility"] < 0.5).any()
    assert (people["visibility"] > 0.95).mean() > 0.3
    heights = people.groupby("id")["h"].median()
    assert heights.max() > 1.3 * heights.min()  # perspective
    assert set(truth["class_id"]) - {PEDESTRIAN}  # distractors


def test_feet_and_height_follow_the_camera(scene):
    """A body of 1.75 m whose feet stand at row y is 1.75 / camera height * (y - horizon) pixels high."""
    for z in (scene.z_near, scene.z_far):
        _, y, scale = scene.project(0.0, z)
        assert 1.75 * scale == pytest.approx(1.75 / scene.camera_height * (y - scene.horizon))
    assert 1.75 * scene.project(0, scene.z_far)[2] == pytest.approx(
        min(SMALL.farthest, 0.6 * 1.75 * scene.focal / scene.z_near)
    )


def test_sequence_is_in_mot17_format(scene, tmp_path):
    folder = write_sequence(4, SMALL, tmp_path / "street", progress=False)
    info = read_seqinfo(folder / "seqinfo.ini")
    assert (info.name, info.length, info.frame_rate, info.width, info.height) == ("street", 12, 10, 480, 270)
    source = open_source(folder)
    truth = read_mot(folder / "gt" / "gt.txt", "ground_truth")
    drawn = drawn_truth(scene)
    assert len(truth) == len(drawn)
    merged = truth.merge(drawn, on=["frame", "id"], suffixes=("", "_drawn"))
    assert len(merged) == len(truth)
    for name in ("x", "y", "w", "h", "class_id", "conf"):
        assert (merged[name] == merged[f"{name}_drawn"]).all()
    assert np.allclose(merged["visibility"], merged["visibility_drawn"], atol=1e-4)
    assert ((truth["conf"] == 1) == (truth["class_id"] == PEDESTRIAN)).all()
    difference = source.image(5).astype(int) - scene.render(5).image
    assert np.abs(difference).mean() < 6  # JPEG
    detections = source.detections
    assert len(detections) > 0.5 * (drawn["class_id"] == PEDESTRIAN).sum()
    again = write_sequence(4, SMALL, tmp_path / "again", progress=False)
    for name in ("gt/gt.txt", "det/det.txt", "img1/000012.jpg"):
        assert (folder / name).read_bytes() == (again / name).read_bytes()


def test_sequence_that_another_program_begins_is_written_too(tmp_path):
    """The other one has made the folder, and has written nothing yet; what is visible is somebody's."""
    folder = tmp_path / "street"
    folder.mkdir()
    (folder / ".scene-abc.json").write_text("")
    tiny = dataclasses.replace(SMALL, length=2)
    assert (write_sequence(4, tiny, folder, progress=False) / "seqinfo.ini").exists()
    other = tmp_path / "other"
    other.mkdir()
    (other / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="other holds something else"):
        write_sequence(4, tiny, other, progress=False)


@pytest.mark.parametrize(
    ("name", "value"),
    [("length", 0), ("people", 0), ("clutter", 1.5), ("companions", -0.1), ("nearest", 0), ("width", -5)],
)
def test_impossible_scene_names_the_setting(name, value):
    with pytest.raises(ConfigError, match=name):
        dataclasses.replace(SMALL, **{name: value})


def test_frame_outside_the_scene(scene):
    with pytest.raises(ConfigError, match="1 to 12"):
        scene.render(13)
