"""What every tracker of the registry must do, whatever its algorithm."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import pickle
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from golden_scenes import random_scenes

import fairmot_lab as fl
from fairmot_lab.association.explanation import explain
from fairmot_lab.association.registry import TRACKERS, get_tracker, tracker_class
from fairmot_lab.errors import ConfigError, TrackingError

SCENE = random_scenes()["crowded"]
FRAMES = [
    SimpleNamespace(frame=i + 1, boxes=SCENE.boxes[i], scores=SCENE.scores[i], embeddings=SCENE.embeddings[i])
    for i in range(40)
]


def table(tracks):
    return [(t.frame, *row) for t in tracks for row in zip(t.ids.tolist(), t.boxes.tolist(), strict=True)]


@pytest.fixture(params=TRACKERS)
def name(request):
    return request.param


def test_a_record_changes_nothing_and_explains_everything(name):
    plain, recorded = get_tracker(name), get_tracker(name)
    recorded.records = []
    assert table(plain.update(frame) for frame in FRAMES) == table(recorded.update(frame) for frame in FRAMES)
    for record in recorded.records:
        for stage in record.stages:
            assert stage.cost.shape == (len(stage.tracks), len(stage.detections))
            rows = np.flatnonzero(stage.matched >= 0)
            assert (stage.cost[rows, stage.matched[rows]] <= stage.max_cost).all()
        for detection in range(len(record.detections)):
            assert explain(record, detection=detection), f"nothing is said about detection {detection}"
        for track in record.tracks.ids.tolist():
            assert explain(record, track=track), f"nothing is said about track {track}"
        reported = record.tracks
        for track, row in zip(reported.ids.tolist(), reported.detections.tolist(), strict=True):
            assert record.taken(track) == (None if row < 0 else row)


def test_a_debugger_can_step_through():
    """Without compiler the same code gives the same tracks."""
    script = f"""
import json, sys
import fairmot_lab as fl
scene = fl.example()
print(json.dumps({{name: fl.track(scene.detections, name).to_csv() for name in {list(TRACKERS)}}}))
"""
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    answer = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    scene = fl.example()
    assert json.loads(answer.stdout) == {name: fl.track(scene.detections, name).to_csv() for name in TRACKERS}


def test_a_copy_goes_on_and_a_clone_starts_afresh(name):
    tracker = get_tracker(name)
    first = table(tracker.update(frame) for frame in FRAMES[:20])
    copy = pickle.loads(pickle.dumps(tracker))
    assert table(tracker.update(frame) for frame in FRAMES[20:]) == table(copy.update(frame) for frame in FRAMES[20:])
    clone = tracker.clone()
    assert table(clone.update(frame) for frame in FRAMES[:20]) == first


def test_detections_are_not_modified(name):
    before = pickle.dumps(FRAMES)
    tracker = get_tracker(name)
    for frame in FRAMES:
        tracker.update(frame)
    assert pickle.dumps(FRAMES) == before


def test_empty_frames_and_gaps(name):
    tracker = get_tracker(name)
    empty = SimpleNamespace(frame=1, boxes=np.empty((0, 4)), scores=np.empty(0))
    assert len(tracker.update(empty)) == 0
    for frame in FRAMES[1:10]:
        tracker.update(frame)
    late = SimpleNamespace(**{**vars(FRAMES[10]), "frame": 5000})
    assert tracker.update(late).frame == 5000


def test_settings_at_the_ends_of_their_search_range(name):
    settings = tracker_class(name).Settings.settings()
    for setting in settings.values():
        for value in {setting.search[0], setting.search[-1]} if setting.search else ():
            if setting.kind == "int":
                value = int(value)
            try:
                tracker = get_tracker(name, **{setting.name: value})
            except ConfigError:  # it contradicts another setting's default
                continue
            for frame in FRAMES[:12]:
                tracker.update(frame)


def test_the_registry_is_imported_by_no_tracker():
    """It finds their modules by name, which import-linter does not see: they must not import it in turn."""
    for place in TRACKERS.values():
        module = importlib.import_module(f"fairmot_lab.association.{place.partition(':')[0]}")
        assert "registry" not in inspect.getsource(module), place


def test_frames_in_steps_are_taken_as_consecutive_ones(name):
    """Numbered 1, 3, 5 with empty frames between, as a source without every other image gives them, or without."""
    plain, empty = get_tracker(name, frame_rate=15), SimpleNamespace(boxes=[], scores=[], embeddings=None)
    expected = [plain.update(frame) for frame in FRAMES]
    assert sum(map(len, expected)) > 100
    for with_empty in (True, False):
        stepped = get_tracker(name, frame_rate=30)
        stepped.frame_grid = (1, 2)
        stepped = stepped.clone()
        stepped.records = []
        for frame, wanted in zip(FRAMES, expected, strict=True):
            number = 2 * frame.frame - 1
            if with_empty and number > 1:
                between = stepped.update(SimpleNamespace(**{**vars(empty), "frame": number - 1}))
                assert (between.frame, len(between)) == (number - 1, 0)
            got = stepped.update(SimpleNamespace(**{**vars(frame), "frame": number}))
            assert got.frame == number
            np.testing.assert_array_equal(got.ids, wanted.ids)
            np.testing.assert_array_equal(got.boxes, wanted.boxes)
        if with_empty:
            assert [record.frame for record in stepped.records] == list(range(1, 80))


@pytest.mark.parametrize(
    ("boxes", "embeddings", "class_ids"),
    [
        (np.ones((4, 3)), None, None),
        (np.ones((2, 4)), np.ones((1, 4)), None),
        (np.ones((3, 4)), np.ones((8, 3)), None),
        (np.ones((3, 4)), None, [0, np.nan, 0]),
        (np.ones((3, 4)), None, [0, 1.7, 0]),
    ],
)
def test_arrays_of_another_shape_are_refused(boxes, embeddings, class_ids):
    scores = np.full(2 if len(boxes) == 2 else 3, 0.9)
    frame = SimpleNamespace(frame=1, boxes=boxes, scores=scores, embeddings=embeddings, class_ids=class_ids)
    with pytest.raises(TrackingError, match=r"do not belong together|embeddings and|whole numbers"):
        fl.get_tracker("jde").update(frame)
