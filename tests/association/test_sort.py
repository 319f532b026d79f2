"""SORT gives what its author's own code gave (scripts/make_sort_golden.py): the same ids, boxes to 1e-3 px."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from golden_scenes import GOLDEN, digest, public_scene, random_scenes

import fairmot_lab as fl

CASES = {"defaults": {}, "long, loose": {"max_age": 8, "min_hits": 1, "iou_threshold": 0.15}}


def assert_equal(scene, name):
    """Compare with what is kept."""
    tracker, rows = fl.get_tracker("sort", any_scores=True, **CASES[name]), []
    for frame, (boxes, scores) in enumerate(zip(scene.boxes, scene.scores, strict=True), start=1):
        tracks = tracker.update(SimpleNamespace(frame=frame, boxes=boxes, scores=scores))
        rows.append(np.column_stack([np.full(len(tracks), frame), tracks.ids, tracks.boxes]))
    found = digest(np.concatenate(rows))
    expected = json.loads((GOLDEN / "sort.json").read_text(encoding="utf-8"))[f"{scene.name}: {name}"]
    assert {**found, "means": 0} == {**expected, "means": 0}
    assert found["means"] == pytest.approx(expected["means"], abs=1e-3)


@pytest.mark.parametrize("name", CASES)
def test_random_scenes(name):
    for scene in random_scenes().values():
        assert_equal(scene, name)


@pytest.mark.parametrize("name", CASES)
def test_public_detections(real_data: Path, name):
    folders = sorted(path.parent.parent for path in real_data.glob("MOT1[57]/train/*/det/det.txt"))
    assert len(folders) == 24, "21 sets of MOT17, 3 of MOT15"
    for folder in folders:
        assert_equal(public_scene(folder), name)


def test_a_track_by_hand():
    """Two boxes of 10 x 10 that overlap by 6 x 10 have an IoU of 60 / 140; a track is shown after min_hits more."""
    boxes = [[0.0, 0, 10, 10], [4.0, 0, 10, 10]]
    for threshold, ids in ((0.42, [1, 1]), (0.43, [1, 2])):
        tracker = fl.get_tracker("sort", iou_threshold=threshold)
        found = [tracker.update(SimpleNamespace(frame=i + 1, boxes=[box], scores=[0.5])) for i, box in enumerate(boxes)]
        assert [int(one.ids[0]) for one in found] == ids
    tracker = fl.get_tracker("sort", min_hits=2)
    here = {"boxes": boxes[:1], "scores": [0.5]}
    empty = {"boxes": np.empty((0, 4)), "scores": []}
    shown = [len(tracker.update(SimpleNamespace(frame=f, **(empty if f < 4 else here)))) for f in range(1, 8)]
    assert shown == [0, 0, 0, 0, 0, 1, 1], "born in frame 4, shown with its second hit after that"
