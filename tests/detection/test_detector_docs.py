"""The code of docs/detectors.md runs, and finds what `load_detector` finds."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

import fairmot_lab as fl
from conftest import REPOSITORY


def test_the_detectors_of_the_documentation(
    real_data: Path, mot17_09: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretrained = real_data / "pretrained"
    if not (pretrained / "yolox_nano_coco.onnx").is_file():
        pytest.skip(f"no networks in {pretrained}")
    (tmp_path / "yolox_nano.onnx").symlink_to(pretrained / "yolox_nano_coco.onnx")
    (tmp_path / "osnet_x0_25.onnx").symlink_to(pretrained / "osnet_x0_25_msmt17.onnx")
    monkeypatch.chdir(tmp_path)
    images = [cv2.resize(fl.open_source(mot17_09).image(number), (832, 468)) for number in range(100, 103)]
    monkeypatch.setattr(fl, "open_source", lambda path: source)
    source = _arrays(images)

    snippets = re.findall(
        r"```python\n((?!# not run).*?)```", (REPOSITORY / "docs" / "detectors.md").read_text(), re.DOTALL
    )
    assert [len(snippet.splitlines()) <= 42 for snippet in snippets] == [True, True, True]
    names: dict = {}
    for snippet in snippets:
        exec(snippet, names)
    detections, tracks = names["detections"], names["tracks"]
    assert detections.has_embeddings
    assert len(tracks) >= 4
    theirs = fl.load_detector("yolox_nano.onnx", reid="osnet_x0_25.onnx")
    for number, found in enumerate(theirs.run(source.frames()), 1):
        mine = detections.frame(number)
        assert abs(len(mine) - len(found)) <= 1
        strong = found.scores > 0.3
        for box, score, vector in zip(found.boxes[strong], found.scores[strong], found.embeddings[strong], strict=True):
            row = np.abs(mine.boxes - box).sum(1).argmin()
            np.testing.assert_allclose(mine.boxes[row], box, atol=6)  # the sizes are rounded in another way
            assert mine.scores[row] == pytest.approx(score, abs=0.05)
            assert mine.embeddings[row] @ vector > 0.95


def _arrays(images: list[np.ndarray]) -> fl.Source:
    from fairmot_lab.sources.open import open_source

    return open_source(images)
