"""Networks of several classes: shapes, peaks, boxes and embeddings as ppdet's own post-process gives them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import fairmot_lab as fl
from fairmot_lab._paddle import import_paddle
from fairmot_lab.association import PerClass
from fairmot_lab.data import Letterbox
from fairmot_lab.detection.decode import decode
from fairmot_lab.detection.download import find_weights
from fairmot_lab.detection.fairmot import Heads, heads_of, random_weights
from fairmot_lab.detection.letterbox import letterbox
from fairmot_lab.pipeline import recommended_tracker

VISDRONE = (
    *("pedestrian", "people", "bicycle", "car", "van"),
    *("truck", "tricycle", "awning-tricycle", "bus", "motor"),
)
IMAGE = np.random.default_rng(0).integers(0, 255, (90, 170, 3), np.uint8)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory):
    """Random weights of an MCFairMOT network on HRNet, as a file with the name of a card."""
    blob, _ = letterbox(IMAGE, (160, 96))
    tensors = random_weights("hrnetv2_w18", blob, heads=Heads(classes=10, box_channels=2))
    tensors["detector.head.heatmap.2.conv.weight"] *= 30
    tensors["detector.head.size.2.conv.bias"] = np.array([8, 6], np.float32)
    path = tmp_path_factory.mktemp("mc") / "mcfairmot_hrnetv2_w18_dlafpn_30e_576x320_visdrone.npz"
    np.savez(path, **tensors)
    return path


def test_classes_and_box_form_come_from_the_shapes(weights) -> None:
    found = find_weights(weights)
    assert (found.architecture, found.input_size) == ("hrnetv2_w18", (576, 320))
    assert dict(found.class_names) == dict(enumerate(VISDRONE))
    other = weights.with_name("mine.npz")
    other.write_bytes(weights.read_bytes())
    assert dict(find_weights(other).class_names) == {number: str(number) for number in range(10)}
    tensors = dict(np.load(weights))
    assert heads_of(tensors) == Heads(10, 2, 128)
    assert heads_of({}) == Heads()


def test_maps_and_detections_are_those_of_ppdets_mcfairmot(weights, tmp_path, monkeypatch) -> None:
    paddle = import_paddle()
    monkeypatch.setenv("FAIRMOT_LAB_CACHE", str(tmp_path))
    with warnings.catch_warnings():
        from ppdet.modeling.post_process import CenterNetPostProcess
        from ppdet.modeling.reid.fairmot_embedding_head import FairMOTEmbeddingHead

    image, size = IMAGE, (160, 96)
    model = fl.load_model(weights, input_size=size, score_floor=1e-6, threads=1, engine="paddle")
    assert (model.max_per_frame, model.class_names) == (200, dict(enumerate(VISDRONE)))
    assert isinstance(recommended_tracker(model), PerClass)
    assert recommended_tracker(model).settings.min_box_area == 0
    ours = model(image)

    blob, box = letterbox(image, size)
    maps = [paddle.to_tensor(values) for values in model.infer(blob)]
    content = paddle.to_tensor([[box.content_size[1], box.content_size[0]]], "float32")
    scale = paddle.to_tensor([[box.scale, box.scale]], "float32")
    post = CenterNetPostProcess(max_per_img=200, regress_ltrb=False)
    rows, _, indices, classes, _, _ = post(maps[0], maps[1], maps[2], content, scale)
    head = FairMOTEmbeddingHead(4, num_classes=10, num_identities_dict=dict.fromkeys(range(10), 2))
    flat = paddle.reshape(paddle.transpose(maps[3], [0, 2, 3, 1]), [-1, 128])
    rows, vectors = (values.numpy() for values in head.process_by_class(rows, flat, indices, classes))
    kept = rows[:, 1] >= 1e-6
    order = np.argsort(-rows[kept, 1], kind="stable")
    rows, vectors = rows[kept][order], vectors[kept][order]
    assert len(ours) == len(rows) > 100
    assert len(set(ours.class_ids.tolist())) > 5
    np.testing.assert_array_equal(ours.class_ids, rows[:, 0])
    np.testing.assert_allclose(ours.scores, rows[:, 1], atol=1e-6)
    np.testing.assert_allclose(ours.boxes[:, :2], rows[:, 2:4], atol=0.01)
    np.testing.assert_allclose(ours.boxes[:, :2] + ours.boxes[:, 2:], rows[:, 4:6], atol=0.01)
    np.testing.assert_allclose(ours.embeddings, vectors, atol=1e-3)


def test_a_width_and_height_box_lies_around_its_centre() -> None:
    """By hand: cell (3, 2), offset (0.5, 0.25), 4 x 2 cells: x 6..22, y 5..13 pixels."""
    maps = [np.zeros((1, channels, 8, 8), np.float32) for channels in (2, 2, 2, 1)]
    maps[0][0, 1, 2, 3] = 0.9
    maps[1][0, :, 2, 3] = 4, 2
    maps[2][0, :, 2, 3] = 0.5, 0.25
    maps[3][:] = 1
    found = decode(*maps, Letterbox.fit((32, 32), (32, 32)))
    np.testing.assert_allclose(found.boxes, [[6, 5, 16, 8]])
    assert found.class_ids.tolist() == [1]
