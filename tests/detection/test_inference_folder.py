"""Exported inference folders: the same detections as the weights they were made from, without maps."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fairmot_lab as fl
from conftest import REPOSITORY
from fairmot_lab.detection.onnx import _photograph
from fairmot_lab.errors import ConfigError, DetectionsError, EngineError, WeightsError
from fairmot_lab.pipeline import recommended_tracker


@pytest.fixture(scope="module", params=["model.json", "model.pdmodel"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in the form of paddle 3, and one in that of paddle 2."""
    path = tmp_path_factory.mktemp("export") / "fairmot"
    options = ["--old"] if request.param == "model.pdmodel" else []
    paddle = importlib.util.find_spec("paddle") and importlib.metadata.version("paddlepaddle")
    if options and paddle and paddle.startswith("3.3."):  # it takes 8 seconds to say so
        pytest.skip("paddle 3.3 does not write model.pdmodel")
    script = REPOSITORY / "scripts" / "make_inference_folder.py"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run([sys.executable, str(script), str(path), *options], env=environment, capture_output=True)
    if not (path / request.param).is_file():
        pytest.skip(f"this paddle does not write {request.param} ({done.stderr.decode()[-200:]})")
    return path


def test_detections_are_those_of_the_weights(folder: Path, tmp_path: Path) -> None:
    image = _photograph()
    exported = fl.load_model(folder, threads=1)
    weights = fl.load_model(folder / "weights.npz", input_size=(160, 96), engine="paddle", threads=1, max_per_frame=50)
    ours, theirs = exported(image), weights(image)
    assert (exported.input_size, exported.class_names, exported.name) == ((160, 96), {0: "person"}, "fairmot")
    assert len(ours) == len(theirs) > 5
    np.testing.assert_allclose(ours.scores, theirs.scores, atol=1e-4)
    np.testing.assert_allclose(ours.boxes, theirs.boxes, atol=0.1)
    np.testing.assert_allclose(ours.embeddings, theirs.embeddings, atol=5e-3)
    assert recommended_tracker(exported).settings.min_box_area == 100

    source = fl.open_source([image, image])
    detections = fl.detect(source, exported, tmp_path, progress=False)
    assert not detections.has_heatmaps
    assert detections.scores.size == 2 * len(ours)
    with pytest.raises(DetectionsError, match=r"fairmot has no embedding_map\(\)"):
        detections.embedding_map(1, source, exported)


@pytest.mark.parametrize("option", [{"half": True}, {"nms_iou": 0.5}, {"max_per_frame": 10}])
def test_options_that_an_export_cannot_have_are_refused(option: dict, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=f"computes as it was exported; leave out {next(iter(option))}"):
        fl.load_model(tmp_path, **option)


CONFIG = (REPOSITORY / "scripts" / "make_inference_folder.py").read_text().split('"""\\\n')[1].split('"""')[0]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("FairMOT", "YOLO", "is an export of YOLO, not of FairMOT"),
        ("[96, 160]", "[0, 160]", "no LetterBoxResize with a target_size"),
        ("mean: [0, 0, 0]", "mean: [1, 0, 0]", "prepares images in another way"),
        ("- type: Permute", "- type: Permute\n- type: Pad", "prepares images in another way"),
        ("mode: paddle", "mode: !!python/object/apply:os.mkdir [ran]", "cannot be read"),
        ("mode: paddle", "{" * 2000, "cannot be read"),
        (CONFIG, "text", "is not the description"),
    ],
)
def test_descriptions_that_do_not_fit(old: str, new: str, words: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("model.json", "model.pdiparams"):
        (tmp_path / name).write_text("x")
    (tmp_path / "infer_cfg.yml").write_text(CONFIG.replace(old, new))
    with pytest.raises(WeightsError, match=words):
        fl.load_model(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_folders_that_are_not_whole(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"holds no infer_cfg\.yml"):
        fl.load_model(tmp_path)
    (tmp_path / "infer_cfg.yml").write_text(CONFIG)
    with pytest.raises(WeightsError, match=r"holds no model\.json or model\.pdmodel with model\.pdiparams"):
        fl.load_model(tmp_path)
    with pytest.raises(EngineError, match="is a program of paddle"):
        fl.load_model(tmp_path, engine="onnxruntime")
    with pytest.raises(ConfigError, match="score_floor"):
        fl.load_model(tmp_path, score_floor=0)
    for name in ("model.json", "model.pdiparams"):
        (tmp_path / name).write_text("x")
    with pytest.raises(EngineError, match="cannot be run by paddle"):
        fl.load_model(tmp_path)
