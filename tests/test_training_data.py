"""Views cut for training: boxes stay on their people, targets say what the decoder reads back."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from fairmot_lab.data import STRIDE, Letterbox
from fairmot_lab.detection.decode import decode
from fairmot_lab.errors import TrainingError
from fairmot_lab.lite.training_data import (
    IGNORED_TARGET,
    Augmentation,
    Footage,
    People,
    build_targets,
    covered_by_nearer,
    people_of,
    sample_batch,
)

PLAIN = Augmentation(size=(192, 128), height_range=(20, 100), mosaic=0, paste=0)


def coloured_footage(frames: int = 8) -> Footage:
    """Three rectangles of pure colours on black, moving: each colour is an identity."""
    images = np.zeros((frames, 180, 320, 3), np.uint8)
    people = []
    for number in range(frames):
        boxes = np.array(
            [[20 + 9 * number, 30, 24, 60], [150, 40 + 5 * number, 30, 70], [230 - 4 * number, 20, 20, 44]], float
        )
        for channel, (x, y, w, h) in enumerate(boxes.astype(int)):
            images[number, y : y + h, x : x + w, channel] = 255
        people.append(People(boxes, np.arange(3), np.ones(3), np.zeros((0, 4))))
    return Footage("coloured", images, 10, people, 3)


@pytest.mark.parametrize("changes", [{}, {"flip": 1.0}, {"mosaic": 1.0}, {"max_zoom": 4.0, "height_range": (60, 110)}])
def test_boxes_stay_on_the_pixels_they_belong_to(changes, monkeypatch):
    monkeypatch.setattr("fairmot_lab.lite.training_data._recolour", lambda image, rng: image)
    rng = np.random.default_rng(1)
    views = sample_batch([coloured_footage()], 6, dataclasses.replace(PLAIN, **changes), rng)
    checked = 0
    for image, people in views:
        assert image.shape == (128, 192, 3)
        for (x, y, w, h), who in zip(people.boxes, people.identities, strict=True):
            clipped = np.array([max(x, 0), max(y, 0), min(x + w, 192), min(y + h, 128)])
            x0, y0, x1, y1 = np.round(clipped).astype(int)
            inner = image[y0 + 2 : y1 - 2, x0 + 2 : x1 - 2, who]
            if inner.size < 20:
                continue
            assert inner.mean() > 200  # the box lies on its colour
            checked += 1
            if x0 >= 4 and x1 <= 188 and not changes.get("mosaic"):
                assert image[y0 + 3 : y1 - 3, x0 - 4 : x0 - 2, who].mean() < 130  # and no further
                assert image[y0 + 3 : y1 - 3, x1 + 2 : x1 + 4, who].mean() < 130
    assert checked >= 6


def test_pairs_show_the_same_person_at_different_times():
    rng = np.random.default_rng(0)
    views = sample_batch([coloured_footage()], 5, PLAIN, rng)
    for first, second in zip(views[::2], views[1::2], strict=True):
        assert set(first[1].identities) & set(second[1].identities)


def test_identities_are_unique_over_footages():
    rng = np.random.default_rng(0)
    views = sample_batch([coloured_footage(), coloured_footage()], 12, PLAIN, rng)
    assert {int(who) for _, people in views for who in people.identities} == set(range(6))


def test_pasted_people_are_labelled_and_hide_others():
    rng = np.random.default_rng(3)
    views = sample_batch([coloured_footage(), coloured_footage()], 8, dataclasses.replace(PLAIN, paste=1.0), rng)
    assert any(len(set(people.identities // 3)) == 2 for _, people in views)
    assert any((people.visibility < 1).any() for _, people in views)


def test_targets_decode_to_the_boxes_they_were_made_from():
    people = People(
        np.array([[10.3, 20.2, 30, 60.5], [100.8, 31, 25, 55]]), np.array([4, 7]), np.ones(2), np.zeros((0, 4))
    )
    batch = build_targets([(np.zeros((128, 192, 3), np.uint8), people)], np.random.default_rng(0))
    size, offset = np.zeros((1, 4, 32, 48), np.float32), np.zeros((1, 2, 32, 48), np.float32)
    for (_, row, column), ltrb, shift in zip(batch["cell"], batch["size"], batch["offset"], strict=True):
        size[0, :, row, column], offset[0, :, row, column] = ltrb, shift
    embedding = np.zeros((1, 8, 32, 48), np.float32)
    outputs = decode(
        batch["heatmap"], size, offset, embedding, Letterbox.fit((192, 128), (192, 128)), score_floor=0.999
    )
    order = np.argsort(outputs.boxes[:, 0])
    assert np.allclose(outputs.boxes[order], people.boxes, atol=0.01)
    # the cell beside each centre describes the same box
    for (_, row, column), ltrb, (dx, dy) in zip(batch["cell"], batch["size"], batch["offset"], strict=True):
        left, top = (column + dx - ltrb[0]) * STRIDE, (row + dy - ltrb[1]) * STRIDE
        assert np.abs(people.boxes[:, :2] - (left, top)).max(1).min() < 0.01


def test_ignored_areas_cost_nothing():
    paddle = pytest.importorskip("paddle")
    from ppdet.modeling.losses import CTFocalLoss

    people = People(np.zeros((0, 4)), np.zeros(0, int), np.zeros(0), np.array([[40.0, 20, 32, 64]]))
    target = build_targets([(np.zeros((128, 192, 3), np.uint8), people)], np.random.default_rng(0))["heatmap"]
    assert target[0, 0, 6, 12] == np.float32(IGNORED_TARGET)
    wrong = np.zeros((1, 1, 32, 48), np.float32)
    wrong[0, 0, 5:21, 10:18] = 0.9  # a confident answer inside the area
    loss = CTFocalLoss()(paddle.to_tensor(np.clip(wrong, 1e-4, None)), paddle.to_tensor(target))
    assert float(loss) < 1e-3


def test_mot17_classes_sort_people_from_areas_to_ignore():
    rows = [(1, 1, 1, 1), (1, 2, 7, 0), (1, 3, 3, 0), (2, 1, 1, 1), (2, 4, 1, 0), (2, 5, 12, 0)]
    truth = pd.DataFrame(rows, columns=["frame", "id", "class_id", "conf"])
    truth[["x", "y"]], truth[["w", "h"]], truth["visibility"] = 10.0, 20.0, 0.7
    people, identities = people_of(truth, 3, "x")
    assert identities == 1
    assert [len(one.boxes) for one in people] == [1, 1, 0]
    assert [len(one.ignored) for one in people] == [1, 2, 0]
    assert people[0].visibility.tolist() == [0.7]
    with pytest.raises(TrainingError, match="frame 2"):
        people_of(truth, 1, "x")


def test_coverage_by_nearer_people():
    boxes = np.array([[0, 0, 10, 20], [5, 0, 10, 30], [100, 0, 10, 20]], float)
    assert covered_by_nearer(boxes) == pytest.approx([0.5, 0, 0])


def test_footage_without_people_is_refused():
    nobody = People(np.zeros((0, 4)), np.zeros(0, int), np.zeros(0), np.zeros((0, 4)))
    with pytest.raises(TrainingError, match="empty"):
        Footage("empty", np.zeros((1, 8, 8, 3), np.uint8), 10, [nobody], 0)
