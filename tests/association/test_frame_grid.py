"""Sequences that have every other frame: the same tracks as if their frames were numbered without gaps."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

import fairmot_lab as fl
from fairmot_lab.data import FrameDetections
from fairmot_lab.errors import FairMOTLabWarning
from fairmot_lab.pipeline import track_files


class Walkers:
    """A detector that finds two people who walk, wherever the frame's number is written in its colour."""

    name = "walkers"

    def describe(self) -> dict:
        return {"name": "walkers"}

    def run(self, frames):
        for frame in frames:
            count = int(frame.image[0, 0, 0]) // 10  # the place in the sequence
            boxes = np.array([[10 + 3 * count, 20, 30, 80], [200 - 3 * count, 30, 30, 80]], np.float32)
            yield FrameDetections(frame.number, boxes, np.array([0.9, 0.8], np.float32))


def write_images(folder: Path, numbers: range) -> Path:
    (folder / "img1").mkdir(parents=True)
    for place, number in enumerate(numbers):
        image = np.full((160, 320, 3), 10 * place, np.uint8)
        cv2.imwrite(str(folder / "img1" / f"{number:06d}.png"), image)
    (folder / "seqinfo.ini").write_text(
        f"[Sequence]\nname=walk\nimDir=img1\nframeRate=30\nseqLength={numbers[-1]}\nimWidth=320\nimHeight=160\n"
        "imExt=.png\n"
    )
    return folder


@pytest.mark.parametrize("name", ["jde", "sort"])
def test_every_way_to_track_takes_the_images_as_consecutive(tmp_path: Path, name: str) -> None:
    plain = fl.open_source(write_images(tmp_path / "plain", range(1, 13)), frame_rate=15)
    with pytest.warns(FairMOTLabWarning, match="trackers take these frames as consecutive ones"):
        source = fl.open_source(write_images(tmp_path / "stepped", range(1, 24, 2)))
    expected = fl.track(plain, name, model=Walkers(), progress=False)
    assert expected["id"].nunique() == 2
    expected["frame"] = 2 * expected["frame"] - 1
    kept = fl.detect(source, Walkers(), tmp_path / "kept", progress=False)
    assert kept.frame_grid == (1, 2)
    streamed = [result.tracks for result in fl.stream(source, name, model=Walkers())]
    report = track_files(source, name, model=Walkers(), folder=tmp_path / "run", progress=False)
    for tracks in (
        fl.track(source, name, model=Walkers(), progress=False),
        fl.track(kept, name),
        fl.trace(kept, name).tracks,
        fl.track(kept.part(1, 23), name),
    ):
        pd.testing.assert_frame_equal(tracks, expected)
    columns = ["frame", "id", "x", "y", "w", "h"]
    again = pd.concat(streamed, ignore_index=True)
    pd.testing.assert_frame_equal(again[columns], expected[columns])
    np.testing.assert_allclose(fl.read_mot(report.text)[columns], expected[columns], rtol=1e-6)
