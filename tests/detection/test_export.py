"""Exports: read back, equal to the network they came from, and described well enough to be decoded by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import fairmot_lab as fl
from fairmot_lab.cli import main as cli
from fairmot_lab.detection.engines import agreement
from fairmot_lab.detection.export import KEY, export_model
from fairmot_lab.detection.fairmot import Heads, random_weights
from fairmot_lab.detection.half import HALF_LIMITS
from fairmot_lab.detection.letterbox import letterbox
from fairmot_lab.detection.onnx import _photograph
from fairmot_lab.detection.weights import read_weights
from fairmot_lab.detection.zoo import BUNDLED
from fairmot_lab.errors import ConfigError, WeightsError, WriteError

IMAGE = _photograph()  # random weights get their statistics from it, and the conversion is checked on it
NAME = "mcfairmot_dla34_30e_1088x608_visdrone_vehicle_bytetracker"


@pytest.fixture(autouse=True)
def cache(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is converted once serves all tests."""
    monkeypatch.setenv("FAIRMOT_LAB_CACHE", str(weights.parent / "cache"))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tensors = random_weights("dla34", letterbox(IMAGE, (160, 96))[0], heads=Heads(4, 2))
    tensors["detector.head.size.2.conv.bias"] = np.array([8, 6], np.float32)
    path = tmp_path_factory.mktemp("export") / f"{NAME}.npz"
    np.savez(path, **tensors)
    return path


def test_an_onnx_export_gives_the_same_detections(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / f"{NAME}.onnx"
    assert cli.main(["export", str(weights), "--output", str(target), "--input-size", "160x96"]) == 0
    assert capsys.readouterr().out.strip() == str(target)
    before = fl.load_model(weights, input_size=(160, 96), threads=1)(IMAGE)
    model = fl.load_model(target, threads=1)
    assert (model.input_size, model.class_names) == ((160, 96), {0: "car", 1: "van", 2: "truck", 3: "bus"})
    assert (model.architecture, model.max_per_frame) == ("dla34", 200)
    with pytest.raises(ConfigError, match="max_per_frame is 0"):
        fl.load_model(target, max_per_frame=0)
    assert model.default_tracker["tracker"] == "ppdet_byte"
    after = model(IMAGE)
    np.testing.assert_array_equal(before.boxes, after.boxes)
    np.testing.assert_array_equal(before.embeddings, after.embeddings)

    session = onnxruntime.InferenceSession(str(target))
    said = json.loads(session.get_modelmeta().custom_metadata_map[KEY])
    assert {"letterbox", "decode", "input_width", "class_names", "weights_sha256"} <= said.keys()
    blob, _ = letterbox(IMAGE, (160, 96))
    maps = session.run(["heatmap", "size", "offset", "embedding"], {"image": blob})
    assert [values.shape for values in maps] == [(1, n, 24, 40) for n in (4, 2, 2, 128)]


def test_half_precision_halves_the_file_and_computes_within_its_bound(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["export", str(weights), "--input-size", "160x96", "--output"]
    monkeypatch.setitem(HALF_LIMITS, "cosine", 0.9)  # random weights amplify rounding errors
    assert cli.main([*arguments, str(tmp_path / "whole.onnx")]) == 0
    assert cli.main([*arguments, str(tmp_path / "half.onnx"), "--half"]) == 0
    whole, half = (tmp_path / f"{name}.onnx" for name in ("whole", "half"))
    assert half.stat().st_size < 0.55 * whole.stat().st_size
    blob, _ = letterbox(IMAGE, (160, 96))
    session = onnxruntime.InferenceSession(str(half))
    ours, theirs = (onnxruntime.InferenceSession(str(path)).run(None, {"image": blob}) for path in (half, whole))
    assert 0 < np.abs(ours[0] - theirs[0]).max() < 0.01
    assert 0 < agreement(ours, theirs)["boxes"] < 1
    types = [value.type for value in (*session.get_inputs(), *session.get_outputs())]
    assert types == ["tensor(float)"] * 5
    exported, computed = fl.load_model(half, threads=1), fl.load_model(weights, input_size=(160, 96), half=True)
    assert len(exported(IMAGE).boxes) > 100
    np.testing.assert_array_equal(exported(IMAGE).boxes, computed(IMAGE).boxes)
    again = fl.load_model(whole, threads=1, half=True)
    np.testing.assert_array_equal(exported(IMAGE).boxes, again(IMAGE).boxes)
    assert (computed.half, computed.describe()["precision"], again.class_names[3]) == (True, "half", "bus")
    assert again.default_tracker["tracker"] == "ppdet_byte"  # the file says so, whatever it is called
    monkeypatch.setitem(HALF_LIMITS, "heatmap", 0.0)
    capsys.readouterr()
    assert cli.main([*arguments, str(tmp_path / "other.onnx"), "--half"]) == 2
    assert "Half precision changes scores by" in capsys.readouterr().err
    assert not (tmp_path / "other.onnx").exists()
    with pytest.raises(ConfigError, match="Half precision is for ONNX files"):
        export_model(weights, tmp_path / "w.safetensors", format="safetensors", half=True)


def test_a_safetensors_export_holds_the_same_tensors(weights: Path, tmp_path: Path) -> None:
    path = export_model(weights, tmp_path / "w.safetensors", format="safetensors")
    given, written = dict(np.load(weights)), read_weights(path)
    assert given.keys() == written.keys()
    assert all(np.array_equal(given[name], written[name]) for name in given)


def test_the_bundled_network_is_exported_in_half_precision(tmp_path: Path) -> None:
    path = export_model("fairmot_lite", tmp_path / "half.onnx", half=True)
    photographs = fl.open_source([IMAGE, IMAGE])
    ours, theirs, whole = (
        fl.detect(photographs, model, tmp_path / str(number), progress=False)
        for number, model in enumerate((fl.load_model(path), fl.load_model(half=True), fl.load_model()))
    )
    assert ours.scores.tolist() == theirs.scores.tolist() != whole.scores.tolist()
    assert np.array_equal(ours.embeddings(), theirs.embeddings())
    with pytest.raises(WeightsError, match="half"):
        damaged = path.read_bytes().replace(b"fairmot_lite", b"fairmot_rite", 1)
        (tmp_path / "half-damaged.onnx").write_bytes(damaged)
        fl.load_model(tmp_path / "half-damaged.onnx")


def test_what_cannot_be_exported_is_one_sentence(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="fairmot_lite is an ONNX file, whose input stays as it is"):
        export_model("fairmot_lite", tmp_path / "x.onnx", input_size=(320, 192))
    with pytest.raises(ConfigError, match="format is 'pickle'"):
        export_model(weights, format="pickle")
    with pytest.raises(ConfigError, match="fairmot_lite is an ONNX file without separate weights"):
        export_model("fairmot_lite", tmp_path / "x.safetensors", format="safetensors")
    mine = tmp_path / "mine.onnx"
    mine.write_bytes(BUNDLED.read_bytes())
    with pytest.raises(WriteError, match="is an input and would be overwritten"):
        export_model(mine, mine)


def test_another_onnx_file_says_what_reads_it(real_data: Path) -> None:
    path = real_data / "pretrained" / "yolox_nano_coco.onnx"
    if not path.is_file():
        pytest.skip(f"no {path}")
    with pytest.raises(WeightsError, match=r"neither the compact model nor an export .*load_detector\(\) reads"):
        fl.load_model(path)
