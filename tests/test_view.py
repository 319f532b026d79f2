"""`fairmot-lab view`, and what a player writes."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from browser import scene
from PIL import Image

import fairmot_lab as fl
from fairmot_lab.cli.main import main
from fairmot_lab.formats.mot import write_mot


@pytest.fixture
def sequence(tmp_path: Path) -> Path:
    """A MOTChallenge folder of the scene."""
    truth = scene.ground_truth()
    folder = tmp_path / "scene"
    (folder / "img1").mkdir(parents=True)
    (folder / "gt").mkdir()
    for number, image in enumerate(scene.images(truth), 1):
        Image.fromarray(image[..., ::-1]).save(folder / "img1" / f"{number:06d}.jpg")
    write_mot(truth, folder / "gt" / "gt.txt")
    (folder / "seqinfo.ini").write_text(
        "[Sequence]\nname=scene\nimDir=img1\nframeRate=25\nseqLength=20\nimWidth=640\nimHeight=360\nimExt=.jpg\n"
    )
    return folder


def data_of(page: Path) -> dict:
    return json.loads(page.read_text().split('id="fml-data">')[1].split("</script>")[0])


def test_results_of_two_trackers_become_a_page(sequence: Path, tmp_path: Path, capsys) -> None:
    tracks = scene.tracks_with_swap(scene.ground_truth(), 10)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_mot(tracks if name == "a" else tracks[tracks["id"] != 4], tmp_path / name / "scene.txt")
    page = tmp_path / "page.html"
    arguments = ["view", str(sequence), "--no-browser", "--output", str(page)]
    assert main([*arguments, "--tracks", str(tmp_path / "a/scene.txt"), str(tmp_path / "b/scene.txt")]) == 0
    assert capsys.readouterr().out.strip() == str(page)
    parts = {part["kind"]: part["state"] for part in data_of(page)["views"]}
    assert parts["player"]["trackers"] == ["a/scene", "b/scene"]
    assert parts["player"]["held"] == list(range(1, 21))
    assert parts["people"]["lives"]["1"]["breaks"] == [10]
    assert "IDs 2" in parts["workbar"]["chips"][0]["metrics"]


def test_without_results_the_ground_truth_is_shown(sequence: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert main(["view", str(sequence), "--no-browser", "--output", str(page)]) == 0
    assert data_of(page)["views"][0]["state"]["available"] == ["ground_truth"]


def test_labels_are_those_of_the_sequence_that_is_viewed(sequence: Path, tmp_path: Path, capsys) -> None:
    frames = (sequence / "img1").rename(tmp_path / "scene.v1")
    labels = tmp_path / "labels"
    for name in ("scene.v1", "other"):
        write_mot(scene.ground_truth(), labels / f"{name}.txt")
    page = tmp_path / "page.html"
    arguments = ["view", str(frames), "--gt", str(labels), "--no-browser", "--output"]
    assert main([*arguments, str(page)]) == 0
    assert data_of(page)["views"][0]["state"]["available"] == ["ground_truth"]
    assert main([*arguments, str(labels / "scene.v1.txt")]) == 2
    assert "would be overwritten" in capsys.readouterr().err


def test_a_result_file_is_not_overwritten(sequence: Path, tmp_path: Path, capsys) -> None:
    path = tmp_path / "scene.txt"
    write_mot(scene.tracks_with_swap(scene.ground_truth(), 10), path)
    before = path.read_bytes()
    assert main(["view", str(sequence), "--tracks", str(path), "--output", str(path), "--no-browser"]) == 2
    assert "would be overwritten" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_results_of_a_longer_sequence_are_refused(sequence: Path, tmp_path: Path, capsys) -> None:
    path = tmp_path / "other.txt"
    tracks = scene.tracks_with_swap(scene.ground_truth(), 10)
    write_mot(tracks.assign(frame=tracks["frame"] + 500), path)
    assert (
        main(["view", str(sequence), "--tracks", str(path), "--no-browser", "--output", str(tmp_path / "p.html")]) == 2
    )
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_a_player_writes_videos_and_animations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    truth = scene.ground_truth()
    tracks = scene.tracks_with_swap(truth, 10)
    player = fl.widgets.TrackPlayer(scene.images(truth), tracks={"A": tracks, "B": tracks}, compared=1)
    path = player.record(tmp_path / "part.mp4", 3, 9)
    assert fl.open_source(path).length == 7
    player.compare_mode = "split"
    animation = Image.open(player.record(tmp_path / "part.gif", 1, 4))
    assert animation.n_frames == 4
    monkeypatch.chdir(tmp_path)
    said: list[dict] = []
    monkeypatch.setattr(player, "send", lambda content, buffers=None: said.append(content))
    for _ in range(2):
        player._handle_custom_msg({"kind": "export", "format": "gif", "first": 1, "last": 2}, [])
    assert [one["text"] for one in said] == [
        "Written: arrays-TrackPlayer.gif",
        "Written: arrays-TrackPlayer-2.gif",  # nothing is overwritten
    ]
    player._handle_custom_msg({"kind": "export", "format": "exe", "first": 1, "last": 2}, [])
    assert player.error == "A player cannot be exported as exe."


def test_pages_need_a_name(tmp_path: Path) -> None:
    table = pd.DataFrame({"frame": [1], "id": [1], "x": [1.0], "y": [1.0], "w": [5.0], "h": [9.0], "score": [0.5]})
    player = fl.widgets.TrackPlayer(scene.images(scene.ground_truth())[:1], tracks=table)
    assert player.to_html(tmp_path / "one.html") == tmp_path / "one.html"
