"""Recordings for Rerun, supervision's detections, and that every extra can be imported."""

from __future__ import annotations

import importlib
import importlib.util
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from browser import scene
from packaging.requirements import Requirement

import fairmot_lab as fl
from conftest import REPOSITORY
from fairmot_lab.errors import ConfigError

EXTRAS = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]
MODULES = {  # what a package is called in an import, where that is another name
    "paddlepaddle": "paddle",
    "paddledet": "ppdet",
    "opencv-python": "cv2",
    "import-linter": "importlinter",
    "rerun-sdk": "rerun",
    "pytest-timeout": "pytest_timeout",
    "pytest-xdist": "xdist",
    "mkdocs-material": "material",
    "mkdocstrings-python": "mkdocstrings_handlers",
}


@pytest.mark.parametrize("extra", EXTRAS)
def test_every_extra_can_be_imported(extra: str) -> None:
    names = [Requirement(text).name for text in EXTRAS[extra]]
    if extra == "paddle" and importlib.util.find_spec("paddle") is None:
        pytest.skip("the extra [paddle] is not installed")
    missing = [name for name in names if importlib.util.find_spec(MODULES.get(name, name).replace("-", "_")) is None]
    assert not missing


def logged(path: Path) -> pd.DataFrame:
    """Return a recording as a table with a row per frame, in columns named as Rerun 0.23 names them."""
    rr = pytest.importorskip("rerun", reason="the extra [rerun] is not installed")
    if hasattr(rr, "dataframe"):
        view = rr.dataframe.load_recording(path).view(index="frame", contents="/**")
        table = view.select().read_all().to_pandas().set_index("frame")
    else:
        from rerun.chunk import RrdReader

        chunks = [chunk for chunk in RrdReader(path).stream() if chunk.entity_path != "/__properties"]
        parts = [chunk.to_record_batch().to_pandas().set_index("frame") for chunk in chunks]
        last = [part[~part.index.duplicated(keep="last")] for part in parts]
        names = [f"{chunk.entity_path}:" for chunk in chunks]
        table = pd.concat([part.add_prefix(name) for part, name in zip(last, names, strict=True)], axis=1)
    then = {"Boxes2D:labels": "Text", "TextLog:text": "Text", "Boxes2D:half_sizes": "HalfSize2D"}
    then |= {"EncodedImage:blob": "Blob", "\\": ""}
    for new, old in then.items():
        table.columns = table.columns.str.replace(new, old, regex=False)
    return table


def test_a_recording_holds_frames_boxes_and_switches(tmp_path: Path) -> None:
    pytest.importorskip("rerun", reason="the extra [rerun] is not installed")
    truth = scene.ground_truth()
    tracks = scene.tracks_with_swap(truth, 10)
    evaluation = fl.evaluate(tracks, truth)
    bench = fl.widgets.Workbench(
        scene.images(truth), tracks={"a/b": tracks}, ground_truth=truth, evaluation={"a/b": evaluation}
    )
    path = bench.to_rerun(tmp_path / "scene.rrd", 8, 12)
    bench.close()
    assert path == tmp_path / "scene.rrd"
    table = logged(path)
    assert table.index.tolist() == [8, 9, 10, 11, 12]
    here = tracks[tracks["frame"] == 8]
    assert list(table["/frame/a/b:Text"][8]) == [str(i) for i in here["id"]]
    half = np.array(list(table["/frame/a/b:HalfSize2D"][8]))
    np.testing.assert_allclose(2 * half, here[["w", "h"]], rtol=1e-5)
    assert bytes(table["/frame:Blob"][8][0])[:2] == b"\xff\xd8"  # a JPEG
    log = table["/ID switches:Text"].dropna()
    assert [(frame, texts[0].split(":")[0]) for frame, texts in log.items()] == [
        (10, "person 2")
    ]  # the last of the two
    with pytest.raises(fl.FairMOTLabError):
        fl.write_rerun(tmp_path, scene.images(truth), tracks)  # a folder


def test_supervision_and_back() -> None:
    sv = pytest.importorskip("supervision", reason="the extra [supervision] is not installed")
    detections = scene.SceneDetections(scene.ground_truth())
    frame = detections.frame(3)
    made = fl.to_supervision(frame)
    assert isinstance(made, sv.Detections)
    np.testing.assert_allclose(made.area, frame.boxes[:, 2] * frame.boxes[:, 3], rtol=1e-4)
    again = fl.from_supervision(made[::-1], 3)
    np.testing.assert_allclose(again.boxes, frame.boxes, atol=1e-3)
    np.testing.assert_allclose(again.scores, frame.scores)
    np.testing.assert_allclose(again.embeddings, frame.embeddings)
    tracked = fl.JDETracker().update(frame)
    assert fl.to_supervision(tracked).tracker_id.tolist() == tracked.ids.tolist()
    # tracks of ours go through supervision's own trackers' format: rows of a table, too
    table = fl.track(detections)
    rows = table[table["frame"] == 3]
    assert fl.to_supervision(rows).tracker_id.tolist() == rows["id"].tolist()
    with pytest.raises(ConfigError, match="one frame"):
        fl.to_supervision(table)
    assert len(fl.from_supervision(sv.Detections.empty())) == 0
