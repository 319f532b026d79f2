"""The compact model without paddle: reading its maps, suppression, the maps for the views, and the bundled weights."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import cv2
import numpy as np
import onnx
import pytest

import fairmot_lab as fl
from fairmot_lab.boxes import iou
from fairmot_lab.data import Letterbox
from fairmot_lab.detection import half
from fairmot_lab.detection.compact import CALIBRATION, CompactDetector, decode_cells
from fairmot_lab.detection.model import load_model
from fairmot_lab.detection.zoo import BUNDLED
from fairmot_lab.errors import DetectionsError, EngineError, WeightsError

SIZE = (96, 64)  # width, height of an input: levels of 12x8, 6x4 and 3x2 cells


def empty_maps():
    maps = [np.zeros((1, 6, SIZE[1] // stride, SIZE[0] // stride), np.float32) for stride in (8, 16, 32)]
    for level in maps:
        level[:, 4:] = -20
    return maps


def say(maps, level, row, column, centre, size, score):
    """Let a cell tell of a person: centre and size in pixels, score before calibration."""
    stride = (8, 16, 32)[level]
    person = np.array([centre[0] / stride - column, centre[1] / stride - row, *np.log(np.array(size) / stride)])
    maps[level][0, :4, row, column] = person
    maps[level][0, 4:, row, column] = 20, np.log(score / (1 - score))


class Engine:
    """Gives the maps that it was given."""

    name, device, threads, at_once, libraries = "onnxruntime", "cpu", 1, 1, ()

    def __init__(self, maps):
        self.maps = maps

    def __call__(self, blob):
        return (*self.maps, np.random.default_rng(0).normal(size=(175, 64)).astype(np.float32))


IMAGE = np.random.default_rng(1).integers(0, 255, (128, 192, 3)).astype(np.uint8)


def detector(maps, nms_iou=0.5, **options):
    return CompactDetector("stand-in", "lite", SIZE, 64, "0" * 64, Engine(maps), nms_iou, **options)


def detections(maps, nms_iou=0.5, **options):
    return detector(maps, nms_iou, **options)(IMAGE)


def calibrated(score):
    return 1 / (1 + np.exp(-(np.log(score / (1 - score)) + CALIBRATION)))


def test_boxes_and_scores_are_those_that_the_cells_tell():
    maps = empty_maps()
    say(maps, 0, 3, 5, (43, 30), (12, 30), 0.7)
    say(maps, 2, 1, 1, (50, 40), (40, 60), 0.9)
    found = detections(maps)
    expected = np.array([[30, 10, 40, 60], [37, 15, 12, 30]]) * 2  # the image is twice as large as the input
    assert np.allclose(found.boxes, expected, atol=1e-3)
    assert np.allclose(found.scores, [calibrated(0.9), calibrated(0.7)], atol=1e-5)
    assert found.letterbox == Letterbox.fit((192, 128), SIZE, stride=8)
    assert found.peaks.tolist() == [[6, 5], [5, 3]]
    assert found.heatmap.shape == (8, 12)
    assert (found.heatmap > 0.5).sum() == 4 * 4 + 1  # the cells that a coarse one covers, and one beside them
    assert np.allclose(found.heatmap[found.peaks[:, 1], found.peaks[:, 0]], found.scores)
    there = detector(maps).embedding_map(IMAGE)[:, found.peaks[:, 1], found.peaks[:, 0]].T
    assert np.allclose((there * found.embeddings).sum(1), 1, atol=1e-3)


def test_who_is_told_of_twice_is_found_once():
    maps = empty_maps()
    say(maps, 0, 3, 5, (44, 30), (20, 40), 0.8)
    say(maps, 1, 1, 2, (45, 31), (20, 40), 0.6)
    say(maps, 0, 3, 9, (75, 30), (20, 40), 0.5)
    found = detections(maps)
    assert len(found) == 2
    assert found.discarded == 1
    assert len(detections(maps, nms_iou=None)) == 3
    assert len(detections(maps, max_per_frame=1)) == 1
    assert len(detections(maps, score_floor=0.7)) == 1


def test_an_empty_street():
    found = detections(empty_maps())
    assert found.boxes.shape == (0, 4)
    assert found.embeddings.shape == (0, 64)
    assert found.peaks.shape == (0, 2)
    assert found.heatmap.max() < 0.01


def test_scores_of_a_broken_network_are_refused():
    maps = empty_maps()
    maps[1][0, 4, 0, 0] = np.nan
    with pytest.raises(WeightsError, match="not finite"):
        detections(maps)


def test_every_cell_has_its_box():
    boxes, scores = decode_cells(empty_maps())
    assert len(boxes) == len(scores) == 96 + 24 + 6
    assert boxes[0].tolist() == [-4, -4, 8, 8]  # zeros: the cell's corner is the centre, its size the size
    assert boxes[96 + 7].tolist() == [16 - 8, 16 - 8, 16, 16]


def test_bundled_model_finds_a_person_and_needs_no_paddle():
    """In a process of its own, in which importing paddle fails."""
    code = """
import sys
sys.modules["paddle"] = sys.modules["ppdet"] = sys.modules["onnx"] = None
import cv2, matplotlib, fairmot_lab
from pathlib import Path
image = cv2.imread(str(Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"))
found = fairmot_lab.load_model("fairmot_lite")(image)
print(found.scores[0], *found.boxes[0])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    score, *box = map(float, done.stdout.split())
    assert score > 0.6
    assert iou(np.array([box]), np.array([[30, 20, 470, 580]]))[0, 0] > 0.7


def test_input_size_is_free_and_the_engine_is_not():
    model = load_model("fairmot_lite", input_size=(320, 192), threads=2)
    assert model.at_once == 2
    image = np.full((300, 500, 3), 90, np.uint8)
    assert model(image).heatmap.shape == (24, 40)
    assert model.embedding_map(image).shape == (64, 24, 40)
    assert model.describe()["stride"] == 8
    with pytest.raises(EngineError, match="onnxruntime and the CPU only"):
        load_model("fairmot_lite", engine="paddle")


def test_an_onnx_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "other.onnx").write_bytes(b"no network")
    with pytest.raises(EngineError, match=r"other\.onnx"):
        load_model(tmp_path / "other.onnx")


def test_a_file_with_a_changed_byte_is_refused(tmp_path):
    """Anywhere in the network; the digest that its metadata state is that of all before the entry itself."""
    data = BUNDLED.read_bytes()
    body, stated = data[:-76], data[-64:].decode()
    assert hashlib.sha256(body).hexdigest() == stated
    assert onnx.load_from_string(data).metadata_props[-1].value == stated
    path = tmp_path / "mine.onnx"
    for place in (1000, len(data) // 2, len(body) - 1, len(data) - 1):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(WeightsError, match=r"mine\.onnx is damaged: .*SHA-256.*; restore it"):
            load_model(path)
    path.write_bytes(body)  # without a digest, as other programs write files
    assert load_model(path, threads=1)(IMAGE).scores.tolist() == load_model(threads=1)(IMAGE).scores.tolist()


def test_suppression_keeps_neighbours_apart(real_data):
    source = cv2.VideoCapture(str(real_data / "video" / "vtest.avi"))
    _, image = source.read()
    found = load_model("fairmot_lite")(image)
    overlap = iou(found.boxes, found.boxes)
    assert overlap[~np.eye(len(found), dtype=bool)].max() <= 0.5 + 1e-3
    assert (np.diff(found.scores) <= 0).all()


@pytest.fixture
def in_half(tmp_path, monkeypatch):
    monkeypatch.setenv("FAIRMOT_LAB_CACHE", str(tmp_path / "cache"))
    return load_model(half=True, threads=1)


def test_half_precision_keeps_the_boxes_of_real_frames(in_half, real_data):
    """Within the documented bound: edges 1 pixel of the input (1 % of longer sides above 100), scores 0.01."""
    source = cv2.VideoCapture(str(real_data / "video" / "vtest.avi"))
    single = load_model(threads=1)
    for _ in range(3):
        _, image = source.read()
        wanted, found = single(image), in_half(image)
        overlap = iou(wanted.boxes, found.boxes)
        assert abs(len(wanted) - len(found)) <= 1  # a score at the floor may come or go
        best, sure = overlap.argmax(1), overlap.max(1) > 0.8
        assert sure.sum() >= len(wanted) - 1
        edges = [np.hstack((boxes[:, :2], boxes[:, :2] + boxes[:, 2:])) for boxes in (wanted.boxes, found.boxes[best])]
        allowed = np.maximum(wanted.boxes[:, 2:].max(1) * wanted.letterbox.scale / 100, 1) / wanted.letterbox.scale
        assert (np.abs(edges[0] - edges[1]).max(1) <= allowed)[sure].all()
        assert 0 < np.abs(wanted.scores - found.scores[best])[sure].max() <= 0.01


def test_half_precision_keeps_the_last_layers_single(in_half):
    graph = half.to_half(BUNDLED).graph
    weights = {tensor.name: tensor.data_type for tensor in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    kinds = {node.name: weights[node.input[1]] for node in graph.node if node.op_type == "Conv"}
    last = [makers[name] for level in ("stride8", "stride16", "stride32") for name in makers[level].input]
    assert len(last) == 9
    assert all(node.op_type == "Conv" and kinds[node.name] == onnx.TensorProto.FLOAT for node in last)
    assert list(kinds.values()).count(onnx.TensorProto.FLOAT16) == len(kinds) - 9


def test_detections_in_half_precision_are_not_mixed_with_others(in_half, tmp_path):
    source = fl.open_source(np.repeat(IMAGE[None], 2, axis=0))
    fl.detect(source, "fairmot_lite", tmp_path, progress=False)
    with pytest.raises(DetectionsError, match=r"was made from something else: precision None \(now half\)"):
        fl.detect(source, in_half, tmp_path, progress=False)
    assert "half precision" in repr(in_half)


def test_half_precision_that_cannot_be_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("FAIRMOT_LAB_CACHE", str(tmp_path))
    monkeypatch.setitem(half.HALF_LIMITS, "boxes", 0.0)
    with pytest.raises(EngineError, match=r"Half precision changes scores by .*, which is too much; leave out half\."):
        load_model(half=True)
    assert not list(tmp_path.rglob("*half*"))
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(EngineError, match=r"Half precision needs the package onnx \(pip install onnx\)"):
        load_model(half=True)
