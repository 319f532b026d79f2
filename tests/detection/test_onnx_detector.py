"""Detectors from ONNX files: every layout against boxes computed by hand, and real networks on a real frame."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import fairmot_lab as fl
from fairmot_lab.boxes import iou
from fairmot_lab.cli import main as cli
from fairmot_lab.detection.onnx_detector import COCO, Embedder, _grid
from fairmot_lab.errors import ConfigError, DetectionsError, EngineError, SourceError, WeightsError
from fairmot_lab.pipeline import recommended_tracker

SIZE = (64, 96)  # width, height: 96 + 24 + 6 = 126 cells
CELLS = 126


def write(path: Path, outputs: dict[str, np.ndarray], *, size: object = SIZE, metadata: dict | None = None) -> Path:
    """An ONNX file that gives the same arrays for any image, plus zero times a pixel so that the input is used."""
    width, height = size  # type: ignore[misc]
    nodes, made = [], []
    for name, values in outputs.items():
        nodes.append(helper.make_node("Constant", [], [f"{name}_c"], value=numpy_helper.from_array(values)))
        nodes.append(helper.make_node("Identity", [f"{name}_c"], [name]))
        kind = helper.np_dtype_to_tensor_dtype(values.dtype)
        made.append(helper.make_tensor_value_info(name, kind, values.shape))
    given = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, height, width])
    graph = helper.make_graph(nodes, "g", [given], made)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, metadata or {})
    onnx.save(model, path)
    return path


def yolox() -> np.ndarray:
    """One person of 16 x 32 pixels around (36, 52), in cell (4, 6) of stride 8, and a weaker car of the same box."""
    rows = np.zeros((1, CELLS, 85), np.float32)
    grid, stride = _grid(SIZE)
    (row,) = np.flatnonzero((grid == (4, 6)).all(1) & (stride[:, 0] == 8))
    rows[0, row, :5] = 0.5, 0.5, np.log(2), np.log(4), 0.9
    rows[0, row, 5] = 1.0
    rows[0, row + 1, :5] = -0.5, 0.5, np.log(2), np.log(4), 0.5
    rows[0, row + 1, 5 + 2] = 1.0
    return rows


def pixels(count: int, with_objectness: bool) -> np.ndarray:
    """The same two in pixels."""
    columns = 85 if with_objectness else 84
    rows = np.zeros((count, columns), np.float32)
    rows[7, :4] = rows[9, :4] = 36, 52, 16, 32
    if with_objectness:
        rows[7, 4], rows[9, 4] = 0.9, 0.5
        rows[7, 5], rows[9, 7] = 1, 1
    else:
        rows[7, 4], rows[9, 6] = 0.9, 0.5
    return rows


CORNERS = np.array([[28, 36, 44, 68, 0.9, 0], [28, 36, 44, 68, 0.5, 2]], np.float32)
FILES: dict[str, Callable[[], dict[str, np.ndarray]]] = {
    "yolox": lambda: {"output": yolox()},
    "yolox_decoded": lambda: {"output": pixels(CELLS, True)[None]},
    "yolov5": lambda: {"output0": pixels(3 * CELLS, True)[None]},
    "yolov8": lambda: {"output0": np.ascontiguousarray(pixels(CELLS, False).T)[None]},
    "end2end": lambda: {"output0": np.concatenate((CORNERS, np.zeros((8, 6), np.float32)))[None]},
    "rtmdet": lambda: {"dets": CORNERS[None, :, :5], "labels": CORNERS[None, :, 5].astype(np.int64)},
}


@pytest.mark.parametrize("layout", FILES)
def test_every_layout_gives_the_boxes_computed_by_hand(layout: str, tmp_path: Path) -> None:
    """A 32 x 48 image is enlarged twice, so boxes are half as large in the image; nothing is padded."""
    path = write(tmp_path / "d.onnx", FILES[layout]())
    option = layout if layout == "yolox_decoded" else "auto"
    image = np.zeros((48, 32, 3), np.uint8)
    people = fl.load_detector(path, layout=option)
    assert (people.layout, people.class_names, people.input_size) == (layout, {0: "person"}, SIZE)
    found = people(image)
    np.testing.assert_allclose(found.boxes, [[14, 18, 8, 16]], atol=1e-4)
    np.testing.assert_allclose(found.scores, [0.9], atol=1e-6)
    assert (found.class_ids.tolist(), found.embeddings, found.heatmap) == ([0], None, None)
    both = fl.load_detector(path, layout=option, classes=["person", "car"])(image)
    assert (both.class_ids.tolist(), len(fl.load_detector(path, layout=option, classes="all").class_names)) == (
        [0, 2],
        80,
    )
    np.testing.assert_allclose(both.boxes[1], [14, 18, 8, 16], atol=1e-4)
    assert isinstance(people, fl.Detector)


@pytest.mark.parametrize(("layout", "corner"), [("yolov8", (-6, 18)), ("rtmdet", (14, 18))])
def test_the_grey_border_is_where_the_layout_has_it(layout: str, corner: tuple, tmp_path: Path) -> None:
    """A tall image of 24 x 96 pixels fills the height: 40 grey columns, halved where it is centred."""
    path = write(tmp_path / "d.onnx", FILES[layout]())
    found = fl.load_detector(path)(np.zeros((96, 24, 3), np.uint8))
    left = 28 - (20 if layout == "yolov8" else 0)
    np.testing.assert_allclose(found.boxes, [[left, 36, 16, 32]], atol=1e-4)


def test_names_come_from_the_file_or_the_user(tmp_path: Path) -> None:
    rows = np.zeros((1, 6, CELLS), np.float32)
    rows[0, :, 3] = 36, 52, 16, 32, 0.1, 0.8
    path = write(tmp_path / "d.onnx", {"o": rows}, metadata={"names": "{0: 'boat', 1: 'buoy'}"})
    detector = fl.load_detector(path)
    assert detector.class_names == {0: "boat", 1: "buoy"}
    assert detector(np.zeros((96, 64, 3), np.uint8)).class_ids.tolist() == [1]
    assert repr(recommended_tracker(detector)) == "PerClass(JDETracker())"
    assert fl.load_detector(path, classes="buoy").class_names == {1: "buoy"}
    hostile = write(tmp_path / "h.onnx", {"o": rows}, metadata={"names": "__import__('os').mkdir('ran')"})
    assert fl.load_detector(hostile, classes="all").class_names == {0: "0", 1: "1"}
    with pytest.raises(ConfigError, match="has 2 classes and class_names names 3"):
        fl.load_detector(path, class_names=["a", "b", "c"])
    with pytest.raises(ConfigError, match="has no class 'cat'; it has boat, buoy"):
        fl.load_detector(path, classes=["cat"])


def test_what_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    image = np.zeros((96, 64, 3), np.uint8)
    odd = write(tmp_path / "odd.onnx", {"o": np.zeros((1, 7, 5), np.float32)})
    with pytest.raises(WeightsError, match=r"odd\.onnx is of no layout .*\(1, 7, 5\).*layout="):
        fl.load_detector(odd)
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(EngineError, match="cannot be run by onnxruntime"):
        fl.load_detector(tmp_path / "text.onnx")
    broken = write(tmp_path / "nan.onnx", {"o": np.full((1, 84, CELLS), np.nan, np.float32)})
    with pytest.raises(DetectionsError, match="not finite in frame 5"):
        fl.load_detector(broken)(image, frame=5)
    good = write(tmp_path / "d.onnx", FILES["yolov8"]())
    with pytest.raises(ConfigError, match="takes 64x96 pixels only, not 640x640"):
        fl.load_detector(good, input_size=(640, 640))
    with pytest.raises(WeightsError, match="is not a ReID network"):
        fl.load_detector(good, reid=good)
    with pytest.raises(SourceError, match="uint8"):
        fl.load_detector(good)(image.astype(float))
    options = ({"nms_iou": 2}, {"score_floor": -1}, {"max_per_frame": 0}, {"layout": "vgg"}, {"device": "tpu"})
    for option in (*options, {"threads": 0}):
        with pytest.raises(ConfigError, match=next(iter(option))):
            fl.load_detector(good, **option)
    for device in ("gpu", "openvino"):
        import onnxruntime

        if len(onnxruntime.get_available_providers()) <= 2:
            with pytest.raises(EngineError, match=rf"device='{device}' is not possible: this onnxruntime has no"):
                fl.load_detector(good, device=device)


def test_a_reid_network_that_fails_says_so(tmp_path: Path) -> None:
    given = helper.make_tensor_value_info("crops", TensorProto.FLOAT16, ["N", 3, 8, 8])
    made = helper.make_tensor_value_info("o", TensorProto.FLOAT16, ["N", 3])
    node = helper.make_node("ReduceMean", ["crops"], ["o"], axes=[2, 3], keepdims=0)
    graph = helper.make_graph([node], "g", [given], [made])
    path = tmp_path / "reid.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    with pytest.raises(EngineError, match=r"reid\.onnx fails in onnxruntime"):
        Embedder(path, threads=1)(np.zeros((20, 20, 3), np.uint8), np.array([[2, 2, 8, 8.0]]))


def test_a_custom_operator_says_to_bring_the_weights(tmp_path: Path) -> None:
    node = helper.make_node("DCNv2", ["images"], ["o"], domain="custom")
    given = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 96, 64])
    made = helper.make_tensor_value_info("o", TensorProto.FLOAT, [1, 3, 96, 64])
    graph = helper.make_graph([node], "g", [given], [made])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("custom", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / "fairmot.onnx")
    with pytest.raises(EngineError, match=r"deformable convolutions .*load the original weights \(\.pth"):
        fl.load_detector(tmp_path / "fairmot.onnx")


@pytest.fixture(scope="module")
def networks(real_data: Path) -> tuple[Path, Path]:
    folder = real_data / "pretrained"
    files = folder / "yolox_nano_coco.onnx", folder / "osnet_x0_25_msmt17.onnx"
    if not all(file.is_file() for file in files):
        pytest.skip(f"no networks in {folder}")
    return files


def test_yolox_finds_the_people_of_a_real_frame(networks: tuple[Path, Path], mot17_09: Path) -> None:
    detector = fl.load_detector(networks[0], threads=1)
    source = fl.open_source(mot17_09)
    truth = source.ground_truth
    person = truth[
        (truth["frame"] == 100) & (truth["class_id"] == 1) & (truth["h"] > 200) & (truth["visibility"] > 0.7)
    ]
    found = detector(source.image(100))
    overlaps = iou(person[["x", "y", "w", "h"]].to_numpy(), found.boxes)
    assert len(person) >= 4
    assert (overlaps.max(1) > 0.6).mean() > 0.7
    assert set(found.class_ids.tolist()) == {0}


def test_embeddings_tell_people_apart(networks: tuple[Path, Path], mot17_09: Path) -> None:
    """The same person five frames on is nearer than any other person of that frame."""
    embedder = Embedder(networks[1], threads=1)
    source = fl.open_source(mot17_09)
    truth = source.ground_truth
    truth = truth[(truth["class_id"] == 1) & (truth["visibility"] > 0.7) & (truth["h"] > 150)]
    first, second = (truth[truth["frame"] == number].set_index("id") for number in (100, 105))
    common = first.index.intersection(second.index)
    assert len(common) >= 4
    vectors = [
        embedder(source.image(number), rows.loc[common, ["x", "y", "w", "h"]].to_numpy())
        for number, rows in ((100, first), (105, second))
    ]
    np.testing.assert_allclose(np.linalg.norm(vectors[0], axis=1), 1, atol=1e-3)
    assert ((vectors[0] @ vectors[1].T).argmax(1) == np.arange(len(common))).all()
    assert embedder(source.image(100), np.empty((0, 4))).shape == (0, 512)


def test_detector_and_reid_run_the_whole_road(networks: tuple[Path, Path], mot17_09: Path, tmp_path: Path) -> None:
    source = fl.open_source([cv2.resize(fl.open_source(mot17_09).image(k), (640, 360)) for k in range(100, 104)])
    detector = fl.load_detector(networks[0], reid=networks[1], threads=1)
    detections = fl.detect(source, detector, tmp_path, progress=False)
    assert detections.has_embeddings
    assert not detections.has_heatmaps
    assert detections.class_names == {0: "person"}
    assert detections.fingerprint["reid_sha256"] == detector.describe()["reid_sha256"]
    tracks = fl.track(detections, "jde")
    assert tracks["id"].nunique() >= 2
    assert len(COCO) == 80


def test_the_command_line_takes_a_detector(
    networks: tuple[Path, Path], pets_video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    video = cv2.VideoCapture(str(pets_video))
    for number in range(1, 4):
        cv2.imwrite(str(images / f"{number:03d}.jpg"), video.read()[1])
    common = ["track", str(images), "--output", str(tmp_path / "out"), "--quiet"]
    assert cli.main([*common, "--detector", str(networks[0]), "--reid", str(networks[1]), "--threads", "1"]) == 0
    assert len((tmp_path / "out" / "images.txt").read_text().splitlines()) > 3
    for options in (["--reid", "a.onnx"], ["--detector", "a.onnx", "--model", "fairmot_lite"]):
        capsys.readouterr()
        assert cli.main([*common, *options]) == 2
        assert capsys.readouterr().err.count("\n") == 1
