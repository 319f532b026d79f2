"""Views cut for training: boxes stay on their people, and what is to be ignored is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fairmot_lab.errors import ConfigError, FairMOTLabWarning, TrainingError
from fairmot_lab.lite import training_data
from fairmot_lab.lite.training_data import Footage, draw_views, prepare_footage
from fairmot_lab.sources.open import open_source

SIZE = (192, 128)


def coloured_footage(frames: int = 8) -> Footage:
    """Three rectangles of pure colours on black, moving; the third is to be ignored."""
    images, people, ignored = np.zeros((frames, 180, 320, 3), np.uint8), [], []
    for number in range(frames):
        boxes = np.array(
            [[20 + 9 * number, 30, 24, 60], [150, 40 + 5 * number, 30, 70], [230 - 4 * number, 20, 20, 44]], float
        )
        for channel, (x, y, w, h) in enumerate(boxes.astype(int)):
            images[number, y : y + h, x : x + w, channel] = 255
        people.append(boxes[:2])
        ignored.append(boxes[2:])
    return Footage("coloured", images, 10, people, [np.arange(2)] * frames, ignored)


@pytest.fixture
def plain(monkeypatch):
    """Views in the footage's own colours."""
    monkeypatch.setattr(training_data, "_recoloured", lambda image, rng: image)


def test_boxes_stay_on_the_pixels_they_belong_to(plain):
    views = draw_views([coloured_footage()], 30, SIZE, np.random.default_rng(1))
    checked = 0
    for view in views:
        assert view.image.shape == (128, 192, 3)
        for boxes, channels in ((view.people, (0, 1)), (view.ignored, (2,))):
            for x, y, w, h in boxes:
                x0, y0 = np.round(np.clip((x, y), 0, SIZE)).astype(int)
                x1, y1 = np.round(np.clip((x + w, y + h), 0, SIZE)).astype(int)
                if x1 - x0 < 6 or y1 - y0 < 8:
                    continue
                inner = view.image[y0 + 2 : y1 - 2, x0 + 2 : x1 - 2]
                channel = int(inner.mean((0, 1)).argmax())
                assert inner[..., channel].mean() > 200  # the box lies on its colour
                assert channel in channels or len(view.ignored) > 1  # people cut by the border are ignored, too
                if x0 >= 4 and x1 <= 188:
                    assert view.image[y0 + 3 : y1 - 3, x0 - 4 : x0 - 2, channel].mean() < 140  # and no further
                    assert view.image[y0 + 3 : y1 - 3, x1 + 2 : x1 + 4, channel].mean() < 140
                checked += 1
    assert checked > 40


def test_views_follow_from_the_generator():
    first, second = (draw_views([coloured_footage()], 3, SIZE, np.random.default_rng(5)) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one.image, other.image)
        assert np.array_equal(one.people, other.people)


def test_long_footage_is_drawn_more_often(plain):
    short, long = coloured_footage(2), coloured_footage(8)
    long.frames = np.full((200, 180, 320, 3), 255, np.uint8)
    long.people, long.ignored = [np.empty((0, 4))] * 200, [np.empty((0, 4))] * 200
    views = draw_views([short, long], 220, SIZE, np.random.default_rng(0))
    bright = np.mean([view.image.mean() > 100 for view in views])
    assert bright == pytest.approx(10 / 11, abs=0.06)  # as the roots of 2 and 200


def test_ground_truth_is_sorted_as_motchallenge_means_it(tmp_path, monkeypatch):
    from fairmot_lab.lite.scenes import SceneConfig, write_sequence

    config = SceneConfig(width=256, height=192, length=2, people=3, nearest=60, farthest=40)
    source = open_source(write_sequence(3, config, tmp_path / "scene", progress=False))
    rows = [
        (1, 1, 1, 1, 0.9),  # a person
        (1, 2, 1, 1, 0.1),  # hardly to be seen
        (1, 3, 1, 0, 1.0),  # not to be considered
        (1, 4, 7, 0, 1.0),  # standing
        (1, 5, 3, 0, 1.0),  # a car
        (2, 1, -1, 1, np.nan),  # a format without classes
    ]
    truth = pd.DataFrame(rows, columns=["frame", "id", "class_id", "conf", "visibility"])
    truth[["x", "y", "w", "h"]] = 10.0
    monkeypatch.setattr(training_data, "HEIGHT", 96)
    footage = prepare_footage(source, tmp_path, truth=truth, progress=False)
    assert [ids.tolist() for ids in footage.identities] == [[1], [1]]
    assert [len(areas) for areas in footage.ignored] == [3, 0]
    assert footage.people[0].tolist() == [[5, 5, 5, 5]]
    assert footage.frames.shape == (2, 96, 128, 3)
    with pytest.raises(TrainingError, match="no person"):
        prepare_footage(source, tmp_path, truth=truth[truth["id"] > 2], progress=False)
    with pytest.raises(TrainingError, match="frame 9"):
        prepare_footage(source, tmp_path, truth=truth.assign(frame=9), progress=False)


@pytest.mark.parametrize(
    ("changed", "column"),
    [
        ({"class_id": 3}, r"class \(column 8\) is 3 and never 1"),
        ({"conf": 0.0}, r"conf \(column 7\) is 0 in all 2 rows"),
        ({"conf": 0.9}, r"conf \(column 7\) lies between 0 and 1"),
        ({"visibility": 0.0}, r"Visibility \(column 9\) is below 0.15"),
    ],
)
def test_the_column_is_named_that_hides_every_person(tmp_path, changed, column):
    source = open_source([np.zeros((48, 64, 3), np.uint8)] * 2, name="street")
    truth = pd.DataFrame({"frame": [1, 2], "id": 1, "x": 5.0, "y": 5.0, "w": 9.0, "h": 9.0, "class_id": 1, "conf": 1.0})
    truth = truth.assign(visibility=1.0).assign(**changed)
    with pytest.raises(TrainingError, match=rf"street has no person to learn from\. .*{column}"):
        prepare_footage(source, tmp_path, truth=truth, progress=False)


def test_scenes_fewer_than_none_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="scenes is -3"):
        training_data.rendered_footage(-3, tmp_path)


def test_nothing_is_asked_in_frames_that_nobody_labelled(tmp_path):
    source = open_source([np.zeros((90, 160, 3), np.uint8)] * 5, name="clip")
    truth = pd.DataFrame({"frame": [1, 2], "id": 1, "class_id": 0, "conf": 1.0, "visibility": np.nan})
    truth[["x", "y", "w", "h"]] = 10.0
    with pytest.warns(FairMOTLabWarning, match="3 of 5 frames have no ground truth; nothing is learnt from them"):
        footage = prepare_footage(source, tmp_path, truth=truth, progress=False)
    assert [len(people) for people in footage.people] == [1, 1, 0, 0, 0]
    assert [areas.tolist() for areas in footage.ignored] == [[], [], *[[[0, 0, 160, 90]]] * 3]
