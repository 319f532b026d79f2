"""An output that is an input is refused everywhere, before the first byte, by real path."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

import fairmot_lab as fl
from fairmot_lab.cli.main import main
from fairmot_lab.errors import WriteError
from fairmot_lab.formats import read_labels, write_coco, write_cvat, write_kitti, write_mot, write_submission
from fairmot_lab.formats.trackeval import write_trackeval
from fairmot_lab.report import write_report
from fairmot_lab.video_writer import VideoWriter

REFUSED = "would be overwritten"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sequence folder, results, a video, and a link to all of them."""
    folder = tmp_path_factory.mktemp("inputs")
    scene = fl.example()
    home = folder / "crossing"
    (home / "img1").mkdir(parents=True)
    for number in range(1, 4):
        cv2.imwrite(str(home / "img1" / f"{number:06d}.png"), scene.source.image(number))
    (home / "seqinfo.ini").write_text(
        "[Sequence]\nname=crossing\nimDir=img1\nframeRate=10\nseqLength=3\nimWidth=320\nimHeight=160\nimExt=.png\n"
    )
    first = scene.ground_truth["frame"] <= 3
    write_mot(scene.ground_truth[first], home / "gt" / "gt.txt")
    write_mot(scene.detections.table().query("frame <= 3"), home / "det" / "det.txt")
    write_mot(scene.tracks.query("frame <= 3"), folder / "crossing.txt")
    with VideoWriter(folder / "clip.mp4", 10) as writer:
        for number in range(1, 4):
            writer.write(scene.source.image(number))
    (folder / "link").symlink_to(folder)
    return folder


def refuses(made: Path, target: str, write: Callable[[Path], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Try the file itself, a relative path, a path through a link, a link and a hard link to it."""
    file = made / target
    before = file.read_bytes()
    aliases = [made / f"soft{file.suffix}", made / f"hard{file.suffix}"]
    aliases[0].symlink_to(file)
    aliases[1].hardlink_to(file)
    monkeypatch.chdir(made / "crossing")
    try:
        for path in (file, Path(os.path.relpath(file)), made / "link" / target, *aliases):
            with pytest.raises(WriteError, match=REFUSED):
                write(path)
            assert file.read_bytes() == before
    finally:
        for alias in aliases:
            alias.unlink()


def results(made: Path) -> pd.DataFrame:
    return fl.read_mot(made / "crossing.txt")


WRITERS: dict[str, Callable[[Path, pd.DataFrame], Any]] = {
    "write_mot": lambda path, table: write_mot(table, path),
    "write_cvat": lambda path, table: write_cvat(table.assign(class_id=-1), path),
    "write_kitti": lambda path, table: write_kitti(table.assign(class_id=-1), path, classes={-1: "Pedestrian"}),
    "write_coco": lambda path, table: write_coco({"crossing": table}, path),
    "write_submission": lambda path, table: write_submission(
        dict.fromkeys(("MOT20-04", "MOT20-06", "MOT20-07", "MOT20-08"), table), path
    ),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_table_is_not_written_over_what_it_was_read_from(made, monkeypatch, name):
    table = results(made)
    changed = table[table["id"] > 0].sort_values("id").assign(score=0.5)
    refuses(made, "crossing.txt", lambda path: WRITERS[name](path, changed), monkeypatch)
    source = fl.open_source(made / "crossing")
    for target, read in (("crossing/gt/gt.txt", source.ground_truth), ("crossing/seqinfo.ini", source.ground_truth)):
        refuses(made, target, lambda path, read=read: WRITERS[name](path, read), monkeypatch)
    tracks = fl.track(fl.open_detections(made / "crossing"), "sort")
    refuses(made, "crossing/det/det.txt", lambda path: WRITERS[name](path, tracks), monkeypatch)
    WRITERS[name](made / f"new-{name}", tracks)


def test_every_reader_says_which_file_it_read(made, tmp_path):
    table = results(made)
    write_kitti(table.assign(class_id=-1), tmp_path / "kitti.txt", classes={-1: "Pedestrian"})
    write_cvat(table, tmp_path / "cvat.zip")
    write_coco({"crossing": table}, tmp_path / "coco.json")
    shutil.copy(made / "crossing" / "gt" / "gt.txt", tmp_path / "mot.txt")
    for path in sorted(tmp_path.iterdir()):
        read = read_labels(path)
        assert read.attrs["files"] == [os.path.realpath(path)], path.name
        with pytest.raises(WriteError, match=REFUSED):
            write_mot(read, path)


def test_a_folder_for_trackeval_is_not_written_over_its_own_input(made, tmp_path):
    truth, tracks = {"crossing": fl.open_source(made / "crossing").ground_truth}, {"crossing": results(made)}
    folder = write_trackeval(tracks, truth, tmp_path / "eval")
    home = folder / "gt" / "MOT17-train" / "crossing"
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    again = {"crossing": read_labels(home / "gt" / "gt.txt")}
    with pytest.raises(WriteError, match=REFUSED):
        write_trackeval(tracks, again, tmp_path / "eval")
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_joined_tables_remember_the_files_of_each_sequence(made):
    whole = fl.track({"a": made / "crossing" / "det" / "det.txt"}, "sort", progress=False)
    with pytest.raises(WriteError, match=REFUSED):
        write_mot(whole, made / "crossing" / "det" / "det.txt")


def test_views_reports_and_summaries_do_not_overwrite_what_they_show(made, monkeypatch):
    source, tracks = fl.open_source(made / "crossing"), results(made)
    kept = fl.open_detections(made / "crossing")
    tracks = fl.track(kept, "sort")
    evaluation = fl.evaluate(tracks, source, protocol="raw")
    table = results(made)
    views = [
        fl.widgets.TrackPlayer(source, tracks=table),
        fl.widgets.Workbench(source, tracks={"a": table}, ground_truth=source.ground_truth),
        fl.widgets.TrackPlayer(fl.open_source(made / "clip.mp4", name="crossing"), tracks=table),
        lab := fl.widgets.ThresholdLab(source, detections=kept, ground_truth=source.ground_truth, tracker="sort"),
    ]
    try:
        for view, target in zip(views, ("crossing.txt", "crossing.txt", "clip.mp4", "crossing/gt/gt.txt"), strict=True):
            refuses(made, target, view.to_html, monkeypatch)
        refuses(made, "crossing/img1/000001.png", views[0].to_html, monkeypatch)
        refuses(made, "clip.mp4", views[2].record, monkeypatch)
        refuses(made, "crossing/gt/gt.txt", lab.save, monkeypatch)
        refuses(made, "crossing/det/det.txt", lab.save, monkeypatch)
    finally:
        for view in views:
            view.close()
    for target in ("crossing/gt/gt.txt", "crossing/det/det.txt"):
        refuses(made, target, evaluation.to_csv, monkeypatch)
        refuses(made, target, lambda path: write_report(path, evaluation, kept, "sort", source), monkeypatch)
    refuses(
        made,
        "crossing/gt/gt.txt",
        lambda path: fl.sweep(kept, "sort", {"max_age": [1]}, ground_truth=source, file=path, progress=False),
        monkeypatch,
    )


def test_a_figure_does_not_overwrite_a_picture(made, monkeypatch, tmp_path):
    scene = fl.example()
    ax = fl.plots.switch_kinds(fl.evaluate(scene.tracks, scene.ground_truth))
    refuses(made, "crossing/img1/000001.png", lambda path: fl.plots.save(ax, path, dpi=20), monkeypatch)
    for suffix in ("png", "pdf", "svg", "eps"):
        for _ in range(2):  # a figure is replaced by the next one
            fl.plots.save(ax, tmp_path / f"kinds.{suffix}", dpi=20)


def test_commands_do_not_overwrite_what_they_read(made, monkeypatch, capsys):
    truth, text = made / "crossing" / "gt" / "gt.txt", made / "crossing.txt"
    for target, command in (
        ("crossing/gt/gt.txt", ["evaluate", "--gt", str(truth), "--results", str(text), "--csv"]),
        ("crossing.txt", ["switches", "--gt", str(truth), "--results", str(text), "--csv"]),
        ("crossing.txt", ["view", str(made / "crossing"), "--tracks", str(text), "--no-browser", "--output"]),
        ("crossing/det/det.txt", ["sweep", str(made / "crossing" / "det" / "det.txt"), "--csv"]),
    ):

        def write(path: Path, command: list[str] = command) -> None:
            if main([*command, str(path)]) == 2:
                raise WriteError(capsys.readouterr().err)

        refuses(made, target, write, monkeypatch)


def test_a_network_is_not_exported_over_its_weights(tmp_path, monkeypatch):
    mine = fl.export_model("fairmot_lite", tmp_path / "mine.onnx")
    (tmp_path / "crossing").mkdir()
    (tmp_path / "link").symlink_to(tmp_path)
    refuses(tmp_path, "mine.onnx", lambda path: fl.export_model(mine, path), monkeypatch)
    assert main(["export", str(mine), "--output", str(tmp_path / "link" / "mine.onnx")]) == 2
    assert np.frombuffer(mine.read_bytes(), np.uint8).size > 1000
