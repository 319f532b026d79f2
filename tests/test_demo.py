"""The demo: a scene nobody trained on, tracked well enough, with its files."""

from __future__ import annotations

import json

import pandas as pd
import pytest

import fairmot_lab as fl
from fairmot_lab.cli.main import main
from fairmot_lab.errors import ConfigError
from fairmot_lab.formats.mot import read_mot
from fairmot_lab.formats.seqinfo import read_seqinfo
from fairmot_lab.lite.demo import make_sequence
from fairmot_lab.lite.scenes import Scene, SceneConfig, ground_truth
from fairmot_lab.lite.training_data import TRAINING_SEED


@pytest.mark.parametrize(("name", "mota", "idf1"), [("demo-0", 0.84, 0.87), ("tour", 0.69, 0.70)])
def test_bundled_model_tracks_scenes_it_never_saw(demo_outputs, name, mota, idf1):
    source = fl.open_source(demo_outputs / "data" / name)
    found = fl.track(fl.open_detections(demo_outputs / "outputs" / f"{name}.tar"), fl.JDETracker(), progress=False)
    figures = fl.evaluate(found, source, protocol="motchallenge").overall
    assert figures["mota"] >= mota, figures
    assert figures["idf1"] >= idf1, figures


def test_bundled_model_finds_people_in_other_scenes():
    """Nine frames of four scenes each; docs/models/fairmot_lite.md has the figures of all 300, tracked."""
    model, figures = fl.load_model("fairmot_lite"), []
    for seed in range(1, 5):
        scene = Scene(seed)
        drawn = [scene.render(number) for number in range(20, 301, 35)]
        found = fl.Detections.from_frames(
            [model(one.image, frame=number) for number, one in enumerate(drawn, 1)],
            name=f"demo-{seed}",
            frame_rate=30,
            width=scene.config.width,
            height=scene.config.height,
        )
        truth = ground_truth(one.objects for one in drawn)
        assert truth["conf"].sum() >= 9 * 9
        figures.append(fl.evaluate_detections(found, truth, threshold=0.4).summary)
    mean = pd.DataFrame(figures).astype(float).mean()
    assert mean["ap"] >= 0.9, mean
    assert mean["recall_threshold"] >= 0.88, mean
    assert mean["precision_threshold"] >= 0.95, mean


def test_demo_is_a_sequence_with_its_figures(tmp_path, capsys):
    data, output = tmp_path / "data", tmp_path / "outputs"
    folders = ["--data", str(data), "--output", str(output)]
    assert main(["demo", "--frames", "40", "--seed", "1", "--no-video", "--quiet", *folders]) == 0
    said = capsys.readouterr().out
    source, tracks = fl.open_source(data / "demo-1"), read_mot(output / "demo-1.txt")
    mota = fl.evaluate(tracks, source, protocol="motchallenge").overall["mota"]
    assert mota > 0.7
    assert f"MOTA {mota:.1%}" in said
    info = read_seqinfo(data / "demo-1" / "seqinfo.ini")
    assert (info.length, info.width, info.height) == (40, 960, 540)
    people = source.ground_truth.query("class_id == 1")
    assert people.groupby("frame").size().median() >= 12
    assert len(tracks) > 250
    assert (output / "demo-1.png").stat().st_size > 100_000
    assert not (output / "demo-1.mp4").exists()


def test_tour_has_what_the_notebooks_take_apart(demo_outputs):
    """A swap, a takeover, a crowd in the middle, and a setting that MOTA and IDF1 disagree about."""
    source = fl.open_source(demo_outputs / "data" / "tour")
    assert (source.name, len(source)) == ("tour", 200)
    detections, truth = fl.open_detections(demo_outputs / "outputs" / "tour.tar"), source.ground_truth
    result = fl.evaluate(fl.track(detections, fl.JDETracker(), progress=False), source)
    assert {"swap", "takeover"} <= set(result.switches["kind"])
    people = truth[truth["conf"] == 1].groupby("frame").size()
    assert people.idxmax() > 50
    assert people.max() >= 16
    grid = {"conf_thres": [0.3, 0.35, 0.4, 0.45, 0.5, 0.55]}
    table = fl.sweep(detections, fl.JDETracker(), grid, ground_truth=source, progress=False)
    best = {name: table.loc[table[name].astype(float).idxmax()] for name in ("mota", "idf1")}
    assert best["mota"]["conf_thres"] != best["idf1"]["conf_thres"]
    assert best["idf1"]["idf1"] > best["mota"]["idf1"] + 0.01


def test_command_writes_everything_and_uses_the_sequence_again(tmp_path, capsys):
    import av

    folders = ["--data", str(tmp_path / "data"), "--output", str(tmp_path / "out")]
    arguments = ["demo", "--frames", "8", "--seed", "5", "--quiet", *folders]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "MOTA" in said.split("\n")[0]
    assert "Next:" in said
    assert max(len(line) for line in said.splitlines() if str(tmp_path) not in line) <= 80
    names = ("demo-5.txt", "demo-5.mp4", "demo-5.png")
    for word in ("MOTA", "IDF1", "HOTA", "frames a second", "switches --gt", "jupyter", *names):
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
