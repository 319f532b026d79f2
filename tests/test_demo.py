"""The demo: a scene nobody trained on, tracked well enough, with its files."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from fairmot_lab.cli.main import main
from fairmot_lab.errors import ConfigError
from fairmot_lab.formats.mot import read_mot
from fairmot_lab.formats.seqinfo import read_seqinfo
from fairmot_lab.lite.demo import make_sequence, run_demo
from fairmot_lab.lite.scenes import SceneConfig
from fairmot_lab.lite.training_data import TRAINING_SEED


def test_bundled_model_tracks_scenes_it_never_saw(tmp_path):
    reports = [
        run_demo(tmp_path / "data", tmp_path / "outputs", seed=seed, video=False, progress=False) for seed in range(5)
    ]
    figures = pd.DataFrame([report.summary.iloc[-1] for report in reports])
    assert set(figures["sequence"]) == {"OVERALL"}
    assert set(figures["protocol"]) == {"motchallenge"}
    assert figures["mota"].mean() >= 0.85
    assert figures["idf1"].mean() >= 0.87
    report = reports[1]
    info = read_seqinfo(report.sequence / "seqinfo.ini")
    assert (info.length, info.width, info.height) == (300, 960, 540)
    truth = read_mot(report.sequence / "gt" / "gt.txt", "ground_truth")
    people = truth[truth["class_id"] == 1]
    assert people["id"].nunique() >= 12
    assert people.groupby("frame").size().median() >= 12
    assert len(read_mot(report.text)) > 2000
    assert report.picture.stat().st_size > 100_000
    assert report.video is None


def test_command_writes_everything_and_uses_the_sequence_again(tmp_path, capsys):
    import av

    folders = ["--data", str(tmp_path / "data"), "--output", str(tmp_path / "out")]
    arguments = ["demo", "--frames", "8", "--seed", "5", "--quiet", *folders]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    for word in ("MOTA", "IDF1", "HOTA", "frames a second", "demo-5.txt", "demo-5.mp4", "demo-5.png"):
        assert word in said
    with av.open(str(tmp_path / "out" / "demo-5.mp4")) as film:
        assert film.streams.video[0].codec_context.name == "h264"
        assert sum(1 for _ in film.decode(video=0)) == 8
    image = tmp_path / "data" / "demo-5" / "img1" / "000001.jpg"
    drawn = image.stat().st_mtime_ns
    assert json.loads((tmp_path / "data" / "demo-5" / "scene.json").read_text())["seed"] == 5
    assert main(arguments) == 0
    assert image.stat().st_mtime_ns == drawn
    assert main(["demo", "--frames", "9", "--seed", "5", "--quiet", *folders]) == 2
    assert "demo-5 holds something else" in capsys.readouterr().err


def test_seeds_of_the_training_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="trained on"):
        make_sequence(tmp_path, TRAINING_SEED)


def test_an_interrupted_drawing_is_drawn_again(tmp_path):
    config = SceneConfig(length=2)
    folder = make_sequence(tmp_path, 1, config, progress=False)
    (folder / "seqinfo.ini").unlink()
    (folder / "img1" / "000002.jpg").unlink()
    assert make_sequence(tmp_path, 1, config, progress=False) == folder
    assert (folder / "img1" / "000002.jpg").exists()
