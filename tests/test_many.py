"""Several sequences in one call: one table, one bar, failures told at the end."""

from __future__ import annotations

import pickle
import threading

import cv2
import numpy as np
import pandas as pd
import pytest
from test_tuning import write_sequence

import fairmot_lab as fl
from fairmot_lab.cli.main import main
from fairmot_lab.data import join_sequences, split_sequences
from fairmot_lab.errors import ConfigError, FairMOTLabWarning, SourceError, TrackingError
from fairmot_lab.lite import scenes
from fairmot_lab.sources.many import run_each, several
from fairmot_lab.video_writer import VideoWriter


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("benchmark")
    for seed in (1, 2, 3):
        write_sequence(root / f"SEQ-0{seed}", seed, frames=20)
    return root


def opened(data, *numbers):
    return [fl.open_detections(data / f"SEQ-0{number}") for number in numbers]


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_one_table_equal_to_tracking_each(data, n_jobs):
    whole = fl.track(opened(data, 1, 2, 3), "bytetrack", n_jobs=n_jobs, progress=False)
    assert whole.columns[0] == "sequence"
    for name, table in split_sequences(whole).items():
        alone = fl.track(fl.open_detections(data / name), "bytetrack")
        pd.testing.assert_frame_equal(table, alone)
        assert table.attrs == alone.attrs
    result = fl.evaluate(whole, data)
    assert result.summary["sequence"].tolist() == ["SEQ-01", "SEQ-02", "SEQ-03", "OVERALL"]
    better = fl.postprocess(whole)
    assert len(better) >= len(whole)
    assert set(better["sequence"]) == set(whole["sequence"])


def test_a_failed_sequence_is_told_and_the_others_are_kept(data):
    sequences = opened(data, 1, 2)
    sequences[1].scores[3] = 7
    with pytest.warns(FairMOTLabWarning, match="1 of 2 sequences failed and are left out. SEQ-02: .* has the score 7"):
        whole = fl.track(sequences, "bytetrack", progress=False)
    assert set(whole["sequence"]) == {"SEQ-01"}
    with pytest.raises(TrackingError, match="has the score 7"):
        fl.track(sequences[1:], "bytetrack", progress=False)


def test_camera_motion_by_sequence(data):
    shift = {frame: np.array([[1.0, 0, 500], [0, 1, 0]]) for frame in range(2, 21)}
    with_motion = fl.track(opened(data, 1, 2), "bytetrack", camera_motion={"SEQ-01": shift}, progress=False)
    without = fl.track(opened(data, 1, 2), "bytetrack", progress=False)
    a, b = split_sequences(with_motion), split_sequences(without)
    assert a["SEQ-02"].equals(b["SEQ-02"])
    assert not a["SEQ-01"].equals(b["SEQ-01"])


def test_what_stands_for_several(data, tmp_path):
    assert list(several(data)) == ["SEQ-01", "SEQ-02", "SEQ-03"]
    for name in ("a/seqinfo.ini", "b/img1/000001.jpg", "notes/readme.txt"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    assert list(several(tmp_path)) == ["a", "b"], "b fails by name: its seqinfo.ini is missing"
    assert several(data / "SEQ-01") is None
    assert several([np.zeros((4, 4, 3), np.uint8)]) is None
    assert several(["a.png", "b.png"]) is None
    with pytest.raises(SourceError, match="Two sequences are called clip"):
        several(["one/clip.mp4", "two/clip.mp4"])


def test_images_that_a_shell_names_are_in_natural_order(tmp_path, monkeypatch, capsys):
    def opened(paths, **_):
        raise SourceError(" ".join(path.name for path in paths))

    monkeypatch.setattr("fairmot_lab.sources.open.open_source", opened)
    names = [str(tmp_path / name) for name in ("img1.png", "img10.png", "img2.png")]
    assert main(["track", *names]) == 2
    assert "img1.png img2.png img10.png" in capsys.readouterr().err


def test_joined_tables_come_apart_as_they_were():
    a, b = pd.DataFrame({"frame": [1], "id": [3]}), pd.DataFrame({"frame": np.empty(0, int), "id": np.empty(0, int)})
    a.attrs, b.attrs = {"tracker": "jde", "length": 4}, {"tracker": "jde", "length": 9}
    whole = join_sequences({"a": a, "b": b})
    assert whole.attrs["tracker"] == "jde"
    assert "length" not in whole.attrs
    parts = split_sequences(whole)
    assert list(parts) == ["a", "b"]
    assert parts["b"].attrs == {"sequence": "b", **b.attrs}


def pictures(folder):
    (folder / "img1").mkdir()
    for frame in range(1, 4):
        cv2.imwrite(str(folder / "img1" / f"{frame:06d}.jpg"), np.full((120, 160, 3), 90, np.uint8))
    text = (
        (folder / "seqinfo.ini")
        .read_text()
        .replace("imWidth=1000", "imWidth=160")
        .replace("imHeight=600", "imHeight=120")
    )
    (folder / "seqinfo.ini").write_text(text)


def test_detect_and_the_command_line(tmp_path, capsys):
    for seed in (1, 2, 3):
        write_sequence(tmp_path / "data" / f"SEQ-0{seed}", seed, frames=3)
        pictures(tmp_path / "data" / f"SEQ-0{seed}")
    held = fl.detect(tmp_path / "data", "fairmot_lite", tmp_path / "kept", progress=False)
    assert {name: len(one) for name, one in held.items()} == {"SEQ-01": 3, "SEQ-02": 3, "SEQ-03": 3}
    (tmp_path / "data" / "SEQ-02" / "img1" / "000002.jpg").write_bytes(b"broken")
    arguments = [
        "track",
        str(tmp_path / "data"),
        "--tracker",
        "bytetrack",
        "--output",
        str(tmp_path / "out"),
        "--quiet",
    ]
    assert main([*arguments, "--jobs", "1"]) == 2
    said = capsys.readouterr()
    assert "1 of 3 sequences failed and are left out. SEQ-02: " in said.err
    assert "SEQ-03: 3 frames" in said.out
    assert sorted(path.name for path in (tmp_path / "out").glob("*.txt")) == ["SEQ-01.txt", "SEQ-03.txt"]
    arguments[1:2] = [str(tmp_path / "data" / "SEQ-01"), str(tmp_path / "data" / "SEQ-03")]
    assert main([*arguments, "--jobs", "1", "--resume"]) == 0
    assert "SEQ-03: 3 frames" in capsys.readouterr().out
    assert main([*arguments, "--name", "x"]) == 2
    assert "--name goes with one sequence" in capsys.readouterr().err


def test_open_videos_and_models_are_handed_to_other_processes(tmp_path):
    scene = fl.example()
    with VideoWriter(tmp_path / "clip.mp4", 10) as writer:
        for frame in scene.source:
            writer.write(frame.image)
    (tmp_path / "gt.txt").write_text("1,1,10,10,20,40,1,1,1\n")
    video = fl.open_source(tmp_path / "clip.mp4", name="walk", frame_rate=5, labels=tmp_path / "gt.txt")
    copy = pickle.loads(pickle.dumps(video))
    assert (repr(copy), copy.labels) == (repr(video), video.labels)
    assert (copy.image(7) == video.image(7)).all()
    model = fl.load_model("fairmot_lite", threads=1, score_floor=0.2)
    copy = pickle.loads(pickle.dumps(model))
    assert copy.describe() == model.describe()
    assert (copy(scene.source.image(1)).boxes == model(scene.source.image(1)).boxes).all()


def test_what_no_other_process_can_have_is_refused():
    with pytest.raises(ConfigError, match="cannot be handed to other processes; give names and paths"):
        run_each(lambda name, one: name, {"a": threading.Lock(), "b": 1}, n_jobs=2, progress=False)


def test_kept_detections_that_begin_late_give_the_tracks_of_the_source(tmp_path):
    first = tmp_path / "first"
    scenes.write_sequence(3, scenes.SceneConfig(length=12, people=8), first, progress=False)
    late = tmp_path / "late"
    late.mkdir()
    (late / "img1").mkdir()
    images = sorted((first / "img1").iterdir())
    for image in images[3:]:
        (late / "img1" / image.name).write_bytes(image.read_bytes())
    ini = (first / "seqinfo.ini").read_text().replace(f"name={first.name}", "name=late")
    (late / "seqinfo.ini").write_text(ini)
    with pytest.warns(FairMOTLabWarning, match="Without an image: 1-3"):
        source = fl.open_source(late)
    model = fl.load_model("fairmot_lite")
    for tracker in ("jde", "bytetrack", "ocsort"):
        live = fl.track(source, tracker, model=model, progress=False)
        kept = fl.detect(source, model, tmp_path / "kept", progress=False)
        assert len(live)
        again = fl.track(kept, tracker)
        pd.testing.assert_frame_equal(again[["frame", "id"]], live[["frame", "id"]])
        for tracks in (live, again):
            assert tracks.attrs["missing"] == [1, 2, 3]
            assert fl.contrib.counting.count(tracks).per_frame["frame"].tolist() == list(range(4, 13))
    again = fl.open_detections(tmp_path / "kept")
    assert again.has_heatmaps
    assert again.missing == (1, 2, 3)
