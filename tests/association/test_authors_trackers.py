"""Trackers give what their authors' own code gave (scripts/make_tracker_goldens.py): the same ids, boxes to 1e-3 px."""

from __future__ import annotations

import functools
import json
from types import SimpleNamespace

import numpy as np
import pytest
from golden_scenes import CASES, GOLDEN, WHOLE, digest, public_scene, random_scenes

from fairmot_lab.association.registry import TRACKERS, get_tracker

SCENES = random_scenes()
public = functools.cache(public_scene)
NAMES = [name for name, case in CASES.items() if case["tracker"] in TRACKERS]


def run(scene, case):
    """Rows of frame, id, x, y, w, h, with no track left out because of its box."""
    if case is CASES["deepsort, whole gallery"] and np.lib.NumpyVersion(np.__version__) >= "2.0.0":
        pytest.skip("numpy 2 rounds products of matrices otherwise than the numpy of the authors' figures; ties differ")
    settings = {**case["settings"], "any_scores": True}
    if case["tracker"] != "deepsort":
        settings.update(min_box_area=0, vertical_ratio=0)
    tracker = get_tracker(case["tracker"], frame_rate=scene.frame_rate, **settings)
    rows = []
    for index in range(len(scene.boxes)):
        frame = SimpleNamespace(frame=index + 1, boxes=scene.boxes[index], scores=scene.scores[index])
        if case.get("embeddings"):
            frame.embeddings = scene.embeddings[index]
        tracks = tracker.update(frame, scene.warps[index] if case.get("warps") else None)
        rows.append(np.column_stack([np.full(len(tracks), index + 1), tracks.ids, tracks.boxes]))
    table = np.concatenate(rows)
    return table[np.lexsort((table[:, 1], table[:, 0]))]


def assert_digest(found, expected):
    assert {**found, "means": 0} == {**expected, "means": 0}
    assert found["means"] == pytest.approx(expected["means"], abs=1e-3)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scene", WHOLE)
def test_random_scenes_row_by_row(scene, name):
    expected = np.load(GOLDEN / "trackers.npz")[f"{scene}: {name}"]
    expected = expected[np.lexsort((expected[:, 1], expected[:, 0]))]
    found = run(SCENES[scene], CASES[name])
    assert len(found) > 300
    np.testing.assert_array_equal(found[:, :2], expected[:, :2])
    np.testing.assert_allclose(found[:, 2:], expected[:, 2:] / 1e3, atol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_other_random_scenes(name):
    kept = json.loads((GOLDEN / "trackers.json").read_text(encoding="utf-8"))
    for scene in SCENES.keys() - set(WHOLE):
        assert_digest(digest(run(SCENES[scene], CASES[name])), kept[f"{scene}: {name}"])


@pytest.mark.parametrize("name", NAMES)
def test_public_detections(real_data, name):
    kept = json.loads((GOLDEN / "trackers.json").read_text(encoding="utf-8"))
    folders = sorted((real_data / "MOT17" / "train").iterdir())
    assert len(folders) == 21
    for folder in folders:
        assert_digest(digest(run(public(folder), CASES[name])), kept[f"{folder.name}: {name}"])
