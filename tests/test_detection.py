"""Letterbox and decoding against ppdet's own operators, and against scenes computed by hand."""

from __future__ import annotations

import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fairmot_lab as fl
from fairmot_lab.data import STRIDE, Letterbox
from fairmot_lab.detection.decode import decode, find_peaks
from fairmot_lab.detection.letterbox import letterbox


def maps(
    rng: np.random.Generator, width: int, height: int, depth: int = 16, classes: int = 1
) -> tuple[np.ndarray, ...]:
    """Random network outputs with positive boxes and unit embeddings."""
    heatmap = rng.random((1, classes, height, width), dtype=np.float32)
    size = rng.random((1, 4, height, width), dtype=np.float32) * 20 + 0.5
    offset = rng.random((1, 2, height, width), dtype=np.float32)
    embedding = rng.standard_normal((1, depth, height, width), dtype=np.float32)
    return heatmap, size, offset, embedding / np.linalg.norm(embedding, axis=1, keepdims=True)


@pytest.mark.parametrize("image_size", [(1920, 1080), (768, 576), (641, 479), (100, 333), (576, 320)])
def test_letterbox_equals_ppdet(image_size: tuple[int, int]) -> None:
    with warnings.catch_warnings():
        from ppdet.data.transform.mot_operators import LetterBoxResize
        from ppdet.data.transform.operators import NormalizeImage, Permute

    image = np.random.default_rng(0).integers(0, 256, (image_size[1], image_size[0], 3), dtype=np.uint8)
    sample = {"image": cv2.cvtColor(image, cv2.COLOR_BGR2RGB), "im_shape": np.array(image.shape[:2], np.float32)}
    for operator in (LetterBoxResize([320, 576]), NormalizeImage([0, 0, 0], [1, 1, 1]), Permute()):
        sample = operator(sample)
    blob, box = letterbox(image, (576, 320))
    assert blob.shape == (1, 3, 320, 576)
    np.testing.assert_allclose(blob[0], sample["image"], atol=1e-7)
    assert box.scale == pytest.approx(float(sample["scale_factor"][0]), rel=1e-6)
    height, width = sample["im_shape"]
    assert (box.pad_x, box.pad_y) == ((576 - width) / 2, (320 - height) / 2)


@pytest.mark.parametrize("image_size", [(1920, 1080), (640, 480)])
def test_decode_equals_ppdet(image_size: tuple[int, int]) -> None:
    import paddle

    with warnings.catch_warnings():
        from ppdet.modeling.post_process import CenterNetPostProcess

    outputs = maps(np.random.default_rng(1), 144, 80)
    box = Letterbox.fit(image_size, (576, 320))
    shape = [[round(image_size[1] * box.scale), round(image_size[0] * box.scale)]]
    heatmap, size, offset, embedding = (paddle.to_tensor(values) for values in outputs)
    rows, _, cells, *_ = CenterNetPostProcess(max_per_img=500, down_ratio=4, regress_ltrb=True)(
        heatmap, size, offset, paddle.to_tensor(shape, "float32"), paddle.to_tensor([[box.scale] * 2], "float32")
    )
    rows, cells = rows.numpy(), cells.numpy().ravel()
    ours = decode(*outputs, box, score_floor=0.0, max_per_frame=500)
    assert len(ours) == 500
    np.testing.assert_array_equal(ours.peaks, np.stack((cells % 144, cells // 144), axis=1))
    np.testing.assert_array_equal(ours.scores, rows[:, 1])
    corners = np.concatenate((ours.boxes[:, :2], ours.boxes[:, :2] + ours.boxes[:, 2:]), axis=1)
    np.testing.assert_allclose(corners, rows[:, 2:], atol=1e-3)
    theirs = embedding.transpose([0, 2, 3, 1]).reshape([-1, 16]).numpy()[cells]
    np.testing.assert_array_equal(ours.embeddings, theirs.astype(np.float16).astype(np.float32))


def test_decode_of_several_classes_equals_ppdet() -> None:
    import paddle

    with warnings.catch_warnings():
        from ppdet.modeling.post_process import CenterNetPostProcess

    outputs = maps(np.random.default_rng(2), 40, 24, classes=3)
    box = Letterbox.fit((160, 96), (160, 96))
    heatmap, size, offset, _ = (paddle.to_tensor(values) for values in outputs)
    rows, *_ = CenterNetPostProcess(max_per_img=50, down_ratio=4, regress_ltrb=True)(
        heatmap, size, offset, paddle.to_tensor([[96.0, 160.0]]), paddle.to_tensor([[1.0, 1.0]])
    )
    ours = decode(*outputs, box, score_floor=0.0, max_per_frame=50)
    np.testing.assert_array_equal(ours.class_ids, rows.numpy()[:, 0])
    np.testing.assert_array_equal(ours.scores, rows.numpy()[:, 1])


def test_a_scene_by_hand() -> None:
    """One person: centre (400, 200), 100 wide and 200 high, in a 1920x1080 image shrunk by 0.3 to 576x324 ... 320."""
    box = Letterbox.fit((1920, 1080), (576, 320))
    assert box.scale == pytest.approx(320 / 1080)
    heatmap, size, offset = np.zeros((1, 1, 80, 144), np.float32), *np.zeros((2, 1, 4, 80, 144), np.float32)
    offset = offset[:, :2]
    x, y = box.to_heatmap(np.array([400.0, 200.0]))
    cell = int(x), int(y)
    reach = np.array([50, 100, 50, 100]) * box.scale / STRIDE
    heatmap[0, 0, cell[1], cell[0]] = 0.9
    heatmap[0, 0, cell[1], cell[0] + 1] = 0.8  # a neighbour of the peak is none itself
    heatmap[0, 0, 10, 10] = 0.7  # a peak whose box has no area
    heatmap[0, 0, 70, 5] = 0.04  # below the floor
    size[0, :, cell[1], cell[0]] = reach
    offset[0, :, cell[1], cell[0]] = x - cell[0], y - cell[1]
    found = decode(heatmap, size, offset, np.full((1, 4, 80, 144), 0.5, np.float32), box, frame=7)
    assert found.frame == 7
    np.testing.assert_allclose(found.boxes, [[350, 100, 100, 200]], atol=1e-3)
    assert found.scores == pytest.approx([0.9])
    assert found.peaks.tolist() == [list(cell)]
    assert found.discarded == 1
    assert found.class_ids.tolist() == [0]


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.95))
def test_suppression_leaves_no_two_boxes_that_overlap_more(seed: int, limit: float) -> None:
    """Every box left out overlaps a better one that was kept by more than the limit, and those kept do not."""
    rng = np.random.default_rng(seed)
    heatmap = rng.random((1, 1, 12, 16), dtype=np.float32)
    maps = heatmap, *(rng.random((1, n, 12, 16), dtype=np.float32) * scale for n, scale in ((4, 6), (2, 1), (8, 1)))
    box = Letterbox.fit((64, 48), (64, 48))
    every, kept = decode(*maps, box), decode(*maps, box, nms_iou=limit)
    assert every.discarded + len(every) == kept.discarded + len(kept)
    rows = [int(np.flatnonzero((every.peaks == peak).all(1))[0]) for peak in kept.peaks]
    assert rows == sorted(rows)
    np.testing.assert_array_equal(every.boxes[rows], kept.boxes)
    np.testing.assert_array_equal(every.embeddings[rows], kept.embeddings)

    def iou(a: np.ndarray, b: np.ndarray) -> float:
        sides = np.minimum(a[:2] + a[2:], b[:2] + b[2:]) - np.maximum(a[:2], b[:2])
        overlap = float(np.clip(sides.astype(float), 0, None).prod())
        return overlap / (float(a[2:].astype(float).prod() + b[2:].astype(float).prod()) - overlap)

    for row in range(len(every)):
        overlaps = [iou(every.boxes[row], every.boxes[better]) for better in rows if better < row]
        largest = max(overlaps, default=0.0)
        if abs(largest - limit) > 1e-5:
            assert (row in rows) == (largest <= limit)


def test_the_limit_keeps_the_best() -> None:
    heatmap = np.zeros((1, 9, 9), np.float32)
    heatmap[0, 1::3, 1::3] = np.arange(1, 10).reshape(3, 3) / 10
    _, ys, xs = find_peaks(heatmap, 0.25, 3)
    assert list(zip(ys.tolist(), xs.tolist(), strict=True)) == [(7, 7), (7, 4), (7, 1)]
    assert len(find_peaks(heatmap, 0.25, 100)[0]) == 7


@settings(deadline=None)
@given(st.integers(1, 4000), st.integers(1, 4000), st.floats(-100, 5000), st.floats(-100, 5000))
def test_heatmap_and_image_coordinates_are_inverse(width: int, height: int, x: float, y: float) -> None:
    box = Letterbox.fit((width, height), (1088, 608))
    np.testing.assert_allclose(box.to_image(box.to_heatmap(np.array([x, y]))), [x, y], atol=1e-6)


def test_everybody_in_a_crowd_is_found(real_data: Path) -> None:
    """A frame with six people, twelve times side by side: as many boxes for each, and the weak ones too."""
    image = cv2.imread(str(real_data / "MOT15" / "train" / "TUD-Stadtmitte" / "img1" / "000001.jpg"))
    model = fl.load_model("fairmot_lite", input_size=(1088, 608), max_per_frame=1000)
    found = model(np.tile(image, (3, 4, 1)))
    assert (found.scores >= 0.4).sum() == 72
    assert found.scores.min() < 0.1
