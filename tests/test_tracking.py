"""Tracking into tables and files: what is written, and what is left when a run ends before its time."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from fakes import FakeModel
from test_sources import FakeCamera
from videos import damage, number_in, picture, turn, write_video

import fairmot_lab as fl
from fairmot_lab.cli.main import build_parser, main
from fairmot_lab.contrib.counting import Counter, Line, Region
from fairmot_lab.drawing import FrameAnnotator
from fairmot_lab.errors import ConfigError, FairMOTLabWarning, SourceError, WriteError
from fairmot_lab.pipeline import TextWriter, read_tracks, track_files

COLUMNS = ["frame", "id", "x", "y", "w", "h", "score", "class_id", "det"]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_video(tmp_path / "clip.mp4", 40)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "walk"
    folder.mkdir()
    for number in range(1, 41):
        cv2.imwrite(str(folder / f"{number}.jpg"), picture(number))
    return folder


def files(path: Path) -> set[str]:
    return {file.name for file in path.iterdir()}


# -- tables and streams ---------------------------------------------------------------------------------------------


def test_track_gives_the_table_of_kept_outputs(clip: Path, tmp_path: Path) -> None:
    model = FakeModel()
    detections = fl.detect(clip, model, tmp_path / "kept", progress=False)
    kept = fl.track(detections, fl.JDETracker())
    direct = fl.track(clip, model=model, progress=False)
    pd.testing.assert_frame_equal(direct, kept)
    assert list(direct.columns) == COLUMNS
    assert direct["id"].nunique() == 2
    assert len(direct) == 80
    files = direct.attrs.pop("files"), kept.attrs.pop("files")
    assert files == ([os.path.realpath(clip)], [os.path.realpath(detections.path)])
    assert direct.attrs == kept.attrs
    assert direct.attrs["sequence"] == "clip"
    assert direct.attrs["frame_rate"] == 10
    assert direct.attrs["length"] == 40
    assert direct.attrs["tracker"] == "jde"
    assert direct.attrs["settings"]["conf_thres"] == 0.4


def test_score_threshold_acts_on_rows_not_on_the_tracker(clip: Path) -> None:
    every = fl.track(clip, model=FakeModel(), progress=False)
    some = fl.track(clip, model=FakeModel(), score_threshold=0.7, progress=False)
    pd.testing.assert_frame_equal(some, every[every["score"] >= 0.7].reset_index(drop=True))
    assert 0 < len(some) < len(every)
    assert some.attrs["score_threshold"] == 0.7


def test_track_refuses_what_makes_no_sense(clip: Path, tmp_path: Path) -> None:
    detections = fl.detect(clip, FakeModel(), tmp_path / "kept", progress=False)
    with pytest.raises(ConfigError, match="made by a model already"):
        fl.track(detections, model=FakeModel())
    with pytest.raises(ConfigError, match=r"The tracker is a FakeModel; .*model="):
        fl.track(clip, FakeModel())
    for threshold in (-0.1, 1.5, float("nan")):
        with pytest.raises(ConfigError, match="score_threshold is"):
            fl.track(detections, score_threshold=threshold)
        with pytest.raises(ConfigError, match="score_threshold is"):
            fl.stream(clip, model=FakeModel(), score_threshold=threshold)


def test_stream_yields_each_frame_at_once() -> None:
    made: list[int] = []

    def camera():
        for number in range(1, 1000):
            made.append(number)
            yield picture(number % 256)

    results = fl.stream(camera(), model=FakeModel(), heatmaps=True)
    for number in range(1, 6):
        result = next(results)
        assert result.frame.number == number
        assert number_in(result.frame.image) == number
        assert len(made) <= number + 2
        assert result.tracks["frame"].tolist() == [number, number]
        assert list(result.tracks.columns) == COLUMNS
        assert result.detections.heatmap is not None
    results.close()


def test_stream_of_a_camera(clip: Path) -> None:
    camera = FakeCamera([[picture(1), "fail"], [picture(2), picture(3)]], retries=1)
    seen = []
    with pytest.warns(FairMOTLabWarning, match="try 1 of 1"), pytest.raises(SourceError, match="did not come back"):
        seen.extend(result.frame.number for result in fl.stream(camera, model=FakeModel()))
    assert seen == [1, 2, 3]


def test_wrong_source_is_said_before_the_first_frame() -> None:
    with pytest.raises(SourceError):
        fl.stream("/nowhere.mp4", model=FakeModel())


# -- files ----------------------------------------------------------------------------------------------------------


def test_files_of_a_whole_run(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    report = track_files(clip, None, out, model=FakeModel(), video=True, progress=False)
    assert files(out) == {"clip.txt", "clip.json", "clip.mp4", "clip.tar"}
    assert (report.frames, report.rows, report.ids, report.complete) == (40, 80, 2, True)
    tracks = fl.track(clip, model=FakeModel(), progress=False)
    fl.write_mot(tracks, tmp_path / "expected.txt")
    assert report.text.read_bytes() == (tmp_path / "expected.txt").read_bytes()
    video = fl.open_source(report.video)
    assert (len(video), video.frame_rate) == (40, 10)
    record = json.loads(report.record.read_text())
    assert (record["complete"], record["frames"], record["model"]) == (True, 40, "fake")
    assert {"tracker": record["tracker"], **record["settings"]} == fl.JDETracker().to_dict()


def test_second_run_does_not_run_the_network_again(clip: Path, tmp_path: Path) -> None:
    track_files(clip, None, tmp_path / "out", model=FakeModel(), progress=False)
    model = FakeModel()
    strict = fl.JDETracker(conf_thres=0.7, det_thresh=0.7)
    report = track_files(clip, strict, tmp_path / "out", model=model, video=True, progress=False)
    assert model.seen == []
    assert report.ids == 1
    assert len(fl.open_source(report.video)) == 40


def test_nothing_is_kept_if_not_wanted(clip: Path, tmp_path: Path) -> None:
    track_files(clip, None, tmp_path / "out", model=FakeModel(), keep_detections=False, progress=False)
    assert files(tmp_path / "out") == {"clip.txt", "clip.json"}


@pytest.mark.parametrize("name", ["--no-detections", "--no-outputs"])
def test_command_keeps_no_detections_where_asked(name):
    """People's scripts have both names; see CHANGELOG."""
    given = ["track", "clip.mp4", name]
    assert build_parser(given).parse_args(given).no_detections


def test_video_keeps_the_time_stamps_of_the_source(tmp_path: Path) -> None:
    stamps = [0, 100, 150, 400, 430, 1000]
    clip = write_video(tmp_path / "clip.mp4", 6, stamps=stamps)
    report = track_files(clip, None, tmp_path / "out", model=FakeModel(), video=True, progress=False)
    times = [frame.time for frame in fl.open_source(report.video)]
    assert times == pytest.approx([stamp / 1000 for stamp in stamps], abs=1e-4)


def test_turned_and_odd_videos_are_drawn_upright(tmp_path: Path) -> None:
    clip = turn(write_video(tmp_path / "clip.mp4", 5, size=(65, 49), pixels="yuv444p"), 90)
    report = track_files(clip, None, tmp_path / "out", model=FakeModel(), video=True, progress=False)
    video = fl.open_source(report.video)
    assert (video.width, video.height) == (50, 66)


def test_draw_threshold_acts_on_the_drawing_only(folder: Path, tmp_path: Path) -> None:
    for number in range(1, 41):
        cv2.imwrite(str(folder / f"{number}.jpg"), np.full((240, 800, 3), 90, np.uint8))
    report = track_files(
        folder, None, tmp_path / "out", model=FakeModel(), video=True, overlay={"draw_threshold": 0.7}, progress=False
    )
    assert report.rows == 80
    image = fl.open_source(report.video).image(30).astype(int)
    assert np.abs(image[40:95, 95:125] - 90).max() > 60  # the walker of score 0.9
    assert np.abs(image[110:165, 695:725] - 90).max() < 20  # the one of score 0.6


def test_counts_are_written_and_drawn(folder: Path, tmp_path: Path) -> None:
    counter = Counter(lines={"door": Line((150, 300), (150, 0))}, interval=1)  # feet start at x = 112 and go right
    report = track_files(folder, None, tmp_path / "out", model=FakeModel(), counter=counter, video=True, progress=False)
    counts = pd.read_csv(report.counts)
    assert counts["door_in"].sum() == 1
    assert counts["unique"].tolist() == [2, 2]
    crossing = pd.read_csv(report.events).iloc[0]
    assert crossing["frame"] == 22  # 110 + 2 * 22 = 154 is the first beyond the margin of 3


@pytest.mark.filterwarnings("ignore::fairmot_lab.errors.FairMOTLabWarning")
def test_counts_of_a_second_run_leave_missing_frames_out_too(tmp_path: Path) -> None:
    images = tmp_path / "gaps" / "img1"
    images.mkdir(parents=True)
    for number in {*range(1, 41)} - {5, 6, 20}:
        cv2.imwrite(str(images / f"{number:06d}.jpg"), picture(number))
    (tmp_path / "gaps" / "seqinfo.ini").write_text(
        "[Sequence]\nname=gaps\nimDir=img1\nframeRate=10\nseqLength=40\nimWidth=64\nimHeight=48\nimExt=.jpg\n"
    )
    counts = []
    for _ in range(2):
        with_door = counter(interval=1)
        report = track_files(
            tmp_path / "gaps", None, tmp_path / "out", model=FakeModel(), counter=with_door, progress=False
        )
        counts.append(pd.read_csv(report.counts))
    assert counts[0]["frames"].sum() == 37
    pd.testing.assert_frame_equal(*counts)


def test_tables_of_the_user_are_not_overwritten(folder: Path, tmp_path: Path) -> None:
    mine = tmp_path / f"{fl.open_source(folder).name}.counts.csv"
    mine.write_text("mine")
    with pytest.raises(WriteError, match="is there already and was not written by a run"):
        track_files(folder, None, tmp_path, model=FakeModel(), counter=counter(interval=1), progress=False)
    assert mine.read_text() == "mine"


def test_comparison_is_drawn_beside_the_result(folder: Path, tmp_path: Path) -> None:
    tracks = fl.track(folder, model=FakeModel(), progress=False)
    fl.write_mot(tracks, tmp_path / "other.txt")
    compare = read_tracks(tmp_path / "other.txt", fl.open_source(folder))
    report = track_files(folder, None, tmp_path / "out", model=FakeModel(), compare=compare, video=True, progress=False)
    assert fl.open_source(report.video).width == 128


def test_ground_truth_to_compare_with_is_what_counts(mot17_09: Path) -> None:
    title, truth = read_tracks("gt", fl.open_source(mot17_09))
    assert title == "ground truth"
    lines = [line.split(",") for line in (mot17_09 / "gt" / "gt.txt").read_text().split()]
    assert len(truth) == sum(line[6] == "1" and line[7] == "1" for line in lines)


# -- runs that end before their time --------------------------------------------------------------------------------


def interrupting(at: int):
    def on_frame(number: int) -> None:
        if number == at:
            raise KeyboardInterrupt

    return on_frame


def same_pictures(one: Path, other: Path) -> bool:
    """Whether two videos show the same frames at the same times."""
    first, second = list(fl.open_source(one)), list(fl.open_source(other))
    return [frame.time for frame in first] == [frame.time for frame in second] and all(
        np.array_equal(a.image, b.image) for a, b in zip(first, second, strict=True)
    )


def record_of(out: Path, name: str = "clip") -> dict:
    return json.loads((out / f"{name}.json").read_text())


def test_interrupt_finishes_the_text_and_resume_makes_the_video(clip: Path, tmp_path: Path) -> None:
    out, whole = tmp_path / "out", tmp_path / "whole"
    said = r"first 24 of 40 frames are in .*clip\.txt\. The video is rendered when the run is resumed"
    with pytest.raises(KeyboardInterrupt, match=said):
        track_files(clip, None, out, model=FakeModel(interrupting(25)), video=True, progress=False)
    assert files(out) == {"clip.txt", "clip.tar", "clip.json"}
    assert fl.read_mot(out / "clip.txt")["frame"].max() == 24
    assert (record_of(out)["frames"], record_of(out)["rows"], record_of(out)["complete"]) == (24, 48, False)
    model = FakeModel()
    report = track_files(clip, None, out, model=model, video=True, resume=True, progress=False)
    assert model.seen == list(range(25, 41))
    assert report.complete
    expected = track_files(clip, None, whole, model=FakeModel(), video=True, progress=False)
    assert report.text.read_bytes() == expected.text.read_bytes()
    assert [frame.time for frame in fl.open_source(report.video)] == pytest.approx([k / 10 for k in range(40)])
    assert same_pictures(report.video, expected.video)
    again = FakeModel()
    written = report.video.stat().st_mtime_ns
    assert track_files(clip, None, out, model=again, video=True, resume=True, progress=False) == report
    assert again.seen == []
    assert report.video.stat().st_mtime_ns == written


INTERRUPTED = """
import os, signal, sys, time
sys.path.insert(0, {tests!r})
from fakes import FakeModel
from fairmot_lab.association import JDETracker
from fairmot_lab.pipeline import track_files
def on_frame(number):
    os.write(tell, b".")
    time.sleep(0.004)
track_files({source!r}, None, {folder!r} + "/first", model=FakeModel(), progress=False)  # loads what is compiled, once
for run in range(12):
    heard, tell = os.pipe()
    said = os.open({folder!r} + f"/{{run}}.err", os.O_WRONLY | os.O_CREAT)
    child = os.fork()
    if child == 0:
        os.dup2(said, 2)
        track_files({source!r}, None, {folder!r} + f"/{{run}}", model=FakeModel(on_frame), video=True, progress=False)
        sys.exit()
    os.close(tell)
    if run % 2:
        os.read(heard, 1)  # the first frame is there
    time.sleep(0.05 + 0.03 * run)
    os.kill(child, signal.SIGINT)
    os.waitpid(child, 0)
"""


def test_interrupt_while_a_frame_is_written_leaves_all_files_in_agreement(clip: Path, tmp_path: Path) -> None:
    """Signals arrive at any moment; text, table, record and message always say the same."""
    code = INTERRUPTED.format(tests=str(Path(__file__).parent), source=str(clip), folder=str(tmp_path))
    subprocess.run([sys.executable, "-c", code], check=True)  # all runs in one process: importing takes longest
    for run in range(12):
        out = tmp_path / f"{run}"
        if not (out / "clip.json").exists():
            continue  # it came before the run began
        frames, said = record_of(out)["frames"], (tmp_path / f"{run}.err").read_text()
        rows = (out / "clip.txt").read_text().splitlines()
        assert len(rows) == 2 * frames == record_of(out)["rows"]
        assert frames == 40 or f"first {frames} of 40 frames" in said
        assert not any("partial" in name for name in files(out))


def test_interrupt_while_the_video_is_rendered(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = FrameAnnotator.draw

    def draw(self: FrameAnnotator, frame: fl.Frame, *rest: object) -> np.ndarray:
        if frame.number == 20:
            raise KeyboardInterrupt
        return drawn(self, frame, *rest)

    monkeypatch.setattr(FrameAnnotator, "draw", draw)
    with pytest.raises(KeyboardInterrupt, match="All 40 frames are tracked"):
        track_files(clip, None, tmp_path / "out", model=FakeModel(), video=True, progress=False)
    assert files(tmp_path / "out") == {"clip.txt", "clip.tar", "clip.json"}
    monkeypatch.undo()
    model = FakeModel()
    report = track_files(clip, None, tmp_path / "out", model=model, video=True, resume=True, progress=False)
    assert (model.seen, len(fl.open_source(report.video))) == ([], 40)


def test_frames_that_come_once_are_drawn_as_they_come(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt, match=r"first 24 frames are in .*arrays\.txt and .*arrays\.mp4"):
        track_files(
            (picture(number) for number in range(1, 100)),
            None,
            tmp_path,
            model=FakeModel(interrupting(25)),
            video=True,
            progress=False,
        )
    assert record_of(tmp_path, "arrays")["frames"] == len(fl.open_source(tmp_path / "arrays.mp4")) == 24


def test_heatmaps_are_drawn_without_being_kept(clip: Path, tmp_path: Path) -> None:
    images = []
    for keep in (True, False):
        report = track_files(
            clip, None, tmp_path / str(keep), model=FakeModel(), video=True, keep_detections=keep, progress=False,
            overlay={"heatmap": True},
        )  # fmt: skip
        images.append(fl.open_source(report.video).image(20).astype(int))
    assert np.abs(images[0] - images[1]).mean() < 1
    assert np.abs(images[0] - fl.open_source(clip).image(20)).mean() > 10


KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from fakes import FakeModel
from fairmot_lab.pipeline import track_files
def on_frame(number):
    if number == {stop}:
        os.kill(os.getpid(), signal.SIGKILL)
track_files({source!r}, None, {out!r}, model=FakeModel(on_frame), video=True, resume={resume}, progress=False)
"""


def test_kill_leaves_valid_files_and_resume_goes_on(tmp_path: Path) -> None:
    clip, out = write_video(tmp_path / "clip.mp4", 200), tmp_path / "out"
    for stop, resume in ((120, False), (170, True)):
        code = KILLED.format(tests=str(Path(__file__).parent), source=str(clip), out=str(out), stop=stop, resume=resume)
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
        assert files(out) >= {"clip.partial.txt", "clip.tar", "clip.json"}
        assert not files(out) & {"clip.txt", "clip.mp4"}
        assert fl.read_mot(out / "clip.partial.txt")["frame"].max() == stop - 1
    report = track_files(clip, None, out, model=FakeModel(), video=True, resume=True, progress=False)
    fl.write_mot(fl.track(clip, model=FakeModel(), progress=False), tmp_path / "expected.txt")
    assert report.text.read_bytes() == (tmp_path / "expected.txt").read_bytes()
    times = [frame.time for frame in fl.open_source(report.video)]
    assert times == pytest.approx([number / 10 for number in range(200)], abs=1e-4)
    assert files(out) == {"clip.txt", "clip.json", "clip.mp4", "clip.tar"}


def test_resume_with_other_settings_is_refused(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        track_files(clip, None, out, model=FakeModel(interrupting(10)), progress=False)
    with pytest.raises(ConfigError, match=r"begun with conf_thres 0\.4 \(now 0\.5\)"):
        track_files(clip, fl.JDETracker(conf_thres=0.5), out, model=FakeModel(), resume=True, progress=False)
    with pytest.raises(ConfigError, match=r"score_threshold 0\.0 \(now 0\.3\)"):
        track_files(clip, None, out, model=FakeModel(), resume=True, score_threshold=0.3, progress=False)
    with pytest.raises(ConfigError, match="only be resumed from kept detections"):
        track_files(clip, None, out, model=FakeModel(), resume=True, keep_detections=False, progress=False)


def counter(**settings: object) -> Counter:
    return Counter(lines={"door": Line((150, 300), (150, 0))}, **settings)


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"counter": None}, "begun with counting .* .now None"),
        ({"counter": counter(interval=2)}, "begun with interval 1"),
        ({"counter": Counter(lines={"door": Line((150, 300), (160, 0))}, interval=1)}, "begun with lines"),
        ({"counter": counter(interval=1, regions={"a": Region(((0, 0), (9, 0), (9, 9)))})}, "begun with regions"),
        ({"detector": {"nms_iou": 0.5}}, "begun with nms_iou 0.7 .now 0.5"),
        ({"detector": {"input_width": 32}}, "begun with input_width 64 .now 32"),
        ({"tracker": "ocsort"}, "begun with tracker jde .now ocsort"),
        ({"tracker": fl.JDETracker(track_buffer=3)}, "begun with track_buffer 30 .now 3"),
        ({"frame_rate": 5}, "holds the results of another source|begun with frame_rate 10.0 .now 5"),
    ],
)
def test_resume_compares_all_that_decides_a_result(
    clip: Path, tmp_path: Path, finished: bool, change: dict, said: str
) -> None:
    def go(resume: bool, stop: int, change: dict) -> None:
        model = FakeModel(interrupting(stop))
        described = model.describe() | {"nms_iou": 0.7} | change.get("detector", {})
        model.describe = lambda: described
        track_files(
            fl.open_source(clip, frame_rate=change.get("frame_rate")),
            change.get("tracker"),
            tmp_path / "out",
            model=model,
            counter=change.get("counter", counter(interval=1)),
            resume=resume,
            progress=False,
        )

    with contextlib.nullcontext() if finished else pytest.raises(KeyboardInterrupt):
        go(False, 1000 if finished else 10, {})
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with pytest.raises((ConfigError, WriteError), match=said):
        go(True, 1000, change)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    go(True, 1000, {})


@pytest.mark.parametrize("name", ["clip.txt", "clip.counts.csv", "clip.events.csv", "clip.mp4"])
@pytest.mark.parametrize("fault", ["cut", "missing", "other"])
def test_resume_of_a_finished_run_makes_again_what_was_changed(
    clip: Path, tmp_path: Path, name: str, fault: str
) -> None:
    clip_source = fl.open_source(clip)
    tmp_path /= "out"
    settings = {"counter": counter(), "video": True, "progress": False}
    track_files(clip_source, None, tmp_path, model=FakeModel(), **settings)
    path = tmp_path / name
    whole = path.read_bytes()
    kept = path.rename(tmp_path.parent / f"kept-{name}")
    path.write_bytes(whole)
    if fault == "missing":
        path.unlink()
    else:
        path.write_bytes(whole[: len(whole) // 2] if fault == "cut" else whole.replace(b"1", b"2"))
    model = FakeModel()
    settings["counter"] = counter()
    track_files(clip_source, None, tmp_path, model=model, resume=True, **settings)
    assert model.seen == []
    assert same_pictures(path, kept) if name == "clip.mp4" else path.read_bytes() == whole


def test_a_video_can_be_added_and_drawn_otherwise(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "clip.mp4", 20, size=(800, 240))
    out, model = tmp_path / "out", FakeModel()
    track_files(clip, None, out, model=FakeModel(), progress=False)
    track_files(clip, None, out, model=model, resume=True, video=True, progress=False)
    first = (out / "clip.mp4").read_bytes()
    track_files(clip, None, out, model=model, resume=True, video=True, overlay={"trails": 0}, progress=False)
    assert model.seen == []
    assert (out / "clip.mp4").read_bytes() != first


# -- inputs, names and other runs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("keep", [True, False])
def test_two_sources_of_one_name(tmp_path: Path, keep: bool) -> None:
    for day, count in (("day1", 10), ("day2", 12)):
        (tmp_path / day).mkdir()
        write_video(tmp_path / day / "cam.mp4", count)
    out = tmp_path / "out"
    settings = {"model": FakeModel(), "keep_detections": keep, "progress": False}
    report = track_files(tmp_path / "day1" / "cam.mp4", None, out, **settings)
    before = report.text.read_bytes()
    with pytest.raises(WriteError, match=r"cam\.txt holds the results of another source \(.*day1.cam\.mp4"):
        track_files(tmp_path / "day2" / "cam.mp4", None, out, **settings)
    assert report.text.read_bytes() == before
    track_files(fl.open_source(tmp_path / "day2" / "cam.mp4", name="cam2"), None, out, **settings)
    assert track_files(tmp_path / "day1" / "cam.mp4", None, out, **settings).frames == 10  # again is fine


def test_an_input_is_never_overwritten(clip: Path, tmp_path: Path) -> None:
    before = clip.read_bytes()
    (tmp_path / "link").symlink_to(tmp_path)
    for folder in (tmp_path, tmp_path / "link"):
        with pytest.raises(WriteError, match=r"clip\.mp4 is an input and would be overwritten"):
            track_files(clip, None, folder, model=FakeModel(), video=True, progress=False)
    assert clip.read_bytes() == before
    assert files(tmp_path) == {"clip.mp4", "link"}
    track_files(clip, None, tmp_path, model=FakeModel(), progress=False)  # without a video nothing is in the way
    config = tmp_path / "clip.json"
    with pytest.raises(WriteError, match=r"clip\.json is an input"):
        track_files(clip, None, tmp_path, model=FakeModel(), inputs=[None, config], progress=False)


@pytest.mark.parametrize("name", ["clip.txt", "clip.mp4"])
def test_a_file_of_the_user_is_not_replaced(clip: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text("mine")
    with pytest.raises(WriteError, match="is there already and was not written by a run"):
        track_files(clip, None, out, model=FakeModel(), video=True, progress=False)
    assert (out / name).read_text() == "mine"


@pytest.mark.parametrize("name", ["x" * 250, "é" * 200, "a/b:c*d", ".hidden", "\udcff", "CON"])
def test_any_name_of_a_source(tmp_path: Path, name: str) -> None:
    source = fl.open_source([picture(1), picture(2)], name=name)
    report = track_files(source, None, tmp_path, model=FakeModel(), counter=Counter(), video=True, progress=False)
    assert len(files(tmp_path)) == 6
    assert not any(name.startswith(".") for name in files(tmp_path))
    assert track_files(source, None, tmp_path, model=FakeModel(), video=True, progress=False).text == report.text


def test_two_runs_into_one_folder_at_once(clip: Path, tmp_path: Path) -> None:
    said: list[str] = []

    def second(number: int) -> None:
        if number == 5:
            with pytest.raises(WriteError) as error:
                track_files(clip, None, tmp_path / "out", model=FakeModel(), keep_detections=False, progress=False)
            said.append(str(error.value))

    report = track_files(clip, None, tmp_path / "out", model=FakeModel(second), keep_detections=False, progress=False)
    assert len(said) == 1
    assert "being written by another run" in said[0]
    assert not fl.read_mot(report.text).duplicated(["frame", "id"]).any()
    assert files(tmp_path / "out") == {"clip.txt", "clip.json"}


def test_source_that_shrinks_is_computed_again_when_it_is_whole(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "clip.avi", 150, size=(640, 480), codec="mjpeg", pixels="yuvj420p")
    whole, out = clip.read_bytes(), tmp_path / "out"

    def shrink(number: int) -> None:
        if number == 60:
            clip.write_bytes(whole[: len(whole) // 2])

    with pytest.raises(SourceError, match="changed while it was read"):
        track_files(clip, None, out, model=FakeModel(shrink), progress=False)
    assert files(out) == {"clip.tar"}
    clip.write_bytes(whole)
    report = track_files(clip, None, out, model=FakeModel(), progress=False)
    assert (report.frames, report.rows, report.complete) == (150, 300, True)
    assert len(fl.track(fl.open_detections(out))) == 300


def test_pixels_that_are_not_square_keep_their_shape(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "clip.mp4", 5, aspect=Fraction(64, 45))
    report = track_files(clip, None, tmp_path / "out", model=FakeModel(), video=True, progress=False)
    assert fl.open_source(report.video).pixel_aspect == Fraction(64, 45)
    fl.drawing.render_video(fl.open_source(clip), fl.read_mot(report.text), tmp_path / "b.mp4", progress=False)
    assert fl.open_source(tmp_path / "b.mp4").pixel_aspect == Fraction(64, 45)


def test_jpeg_cut_in_half_in_the_middle_leaves_no_half_result(folder: Path, tmp_path: Path) -> None:
    victim = folder / "20.jpg"
    victim.write_bytes(victim.read_bytes()[: victim.stat().st_size // 2])
    with pytest.raises(SourceError, match=r"20\.jpg is cut short"):
        track_files(folder, None, tmp_path / "out", model=FakeModel(), video=True, progress=False)
    assert files(tmp_path / "out") == {"walk.tar"}  # what the network said of the frames before can be used again


def test_corrupt_segment_is_survived_and_numbers_stay_right(tmp_path: Path) -> None:
    clip = damage(write_video(tmp_path / "clip.mp4", 100, gop=10), 0.5, 0.55)
    with pytest.warns(FairMOTLabWarning, match="could not be decoded and are left out"):
        report = track_files(clip, None, tmp_path / "out", model=FakeModel(), video=True, progress=False)
    tracks = fl.read_mot(report.text)
    with pytest.warns(FairMOTLabWarning):
        read = {frame.number for frame in fl.open_source(clip)}
    assert 60 <= len(read) < 100
    assert set(tracks["frame"]) <= read
    assert len(read - set(tracks["frame"])) <= 3  # a damaged picture may show the walkers elsewhere
    last = tracks[(tracks["frame"] == 100) & (tracks["score"] > 0.7)]
    assert last["x"].item() == pytest.approx(100 + 2 * 100, abs=12)
    assert fl.open_source(report.video).times()[-1] == pytest.approx(9.9, abs=0.01)


def test_lost_camera_leaves_finished_files(tmp_path: Path) -> None:
    camera = FakeCamera([[picture(number) for number in range(1, 21)]], retries=0)
    with pytest.raises(SourceError, match="did not come back in 0 tries"):
        track_files(camera, None, tmp_path / "out", model=FakeModel(), video=True, progress=False)
    assert files(tmp_path / "out") == {"fake.txt", "fake.json", "fake.mp4", "fake.tar"}
    assert fl.read_mot(tmp_path / "out" / "fake.txt")["frame"].max() == 20


def test_live_source_cannot_be_resumed(tmp_path: Path) -> None:
    camera = FakeCamera([[picture(1)]])
    with pytest.raises(ConfigError, match="is live"):
        track_files(camera, None, tmp_path, model=FakeModel(), resume=True, progress=False)
    camera.close()


FULL = """
import resource, sys
sys.path.insert(0, {tests!r})
import numpy as np
from fakes import FakeModel
from videos import picture
from fairmot_lab.errors import WriteError
from fairmot_lab.pipeline import track_files
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
noise = np.random.default_rng(0)
top = picture(1, 160, 120)[:60]
frames = (np.vstack([top, noise.integers(0, 256, (60, 160, 3), np.uint8)]) for _ in range(3000))
try:
    track_files(frames, None, {out!r}, model=FakeModel(), video={video}, keep_detections={keep}, progress=False)
except WriteError as error:
    print(error)
    sys.exit(7)
"""


@pytest.mark.parametrize(("video", "keep"), [(True, False), (False, True), (False, False)])
def test_full_disk_is_said_and_results_so_far_are_valid(tmp_path: Path, video: bool, keep: bool) -> None:
    """A limit on the size of files stands for a full disk; it is met first by video, outputs or text."""
    out = tmp_path / "out"
    limit = 300_000 if video else 30_000
    code = FULL.format(tests=str(Path(__file__).parent), out=str(out), limit=limit, video=video, keep=keep)
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 7, done.stderr
    assert "cannot be written" in done.stdout
    assert "arrays.partial.txt" in done.stdout
    tracks = fl.read_mot(out / "arrays.partial.txt")
    frames = tracks["frame"].max()
    assert f"first {frames} frames" in done.stdout or f"first {frames - 1} frames" in done.stdout
    assert tracks.groupby("frame").size().iloc[1:].eq(2).all()  # no frame is half written
    if video:
        assert len(list(fl.open_source(out / "arrays.partial.mp4"))) >= 10


def test_text_writer_takes_back_half_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = TextWriter(tmp_path / "a.txt")
    writer.write(b"1,1,1,1,5,5,1,-1,-1,-1\n")

    class Full:
        def __init__(self, file) -> None:
            self.file = file

        def write(self, data) -> int:
            if self.file.tell() > 30:
                raise OSError(28, "No space left on device")
            return self.file.write(bytes(data)[:10])

        def truncate(self, size: int) -> None:
            self.file.truncate(size)

    monkeypatch.setattr(writer, "_file", Full(writer._file))
    with pytest.raises(WriteError, match=r"a\.partial\.txt cannot be written \(No space left"):
        writer.write(b"2,1,1,1,5,5,1,-1,-1,-1\n")
    assert (tmp_path / "a.partial.txt").read_bytes() == b"1,1,1,1,5,5,1,-1,-1,-1\n"


# -- command line ---------------------------------------------------------------------------------------------------


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line with a fake network in place of the real one."""
    monkeypatch.setattr("fairmot_lab.detection.model.load_model", lambda *args, **settings: FakeModel())


def run(capsys: pytest.CaptureFixture, *arguments: object) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of a command."""
    try:
        status = main([str(argument) for argument in arguments])
    except SystemExit as stop:
        status = int(stop.code or 0)
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.mark.usefixtures("no_network")
def test_track_command(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / "out"
    arguments = ("--output", out, "--video", "--conf-thres", 0.7, "--det_thresh", 0.7, "--line", "door=10,0,10,40")
    status, said, errors = run(capsys, "track", clip, *arguments)
    assert status == 0
    assert "clip: 40 frames, 40 boxes of 1 tracks" in said
    assert str(out / "clip.mp4") in said
    assert "bundled compact model fairmot_lite" in errors
    assert "fairmot-lab models download fairmot_dla34_30e_1088x608" in errors
    assert "40/40" in errors
    assert "frame/s" in errors
    assert json.loads((out / "clip.json").read_text())["settings"]["conf_thres"] == 0.7
    status, _, errors = run(capsys, "track", clip, "--model", "fake", "--output", out, "--quiet")
    assert (status, errors) == (0, "")


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    ("source", "arguments", "message"),
    [
        ("nowhere.mp4", [], "There is no"),
        ("", [], "argument source is empty"),
        ("clip.mp4", ["--config", ""], "argument config is empty"),
        ("empty", [], "is empty"),
        ("note.mp4", [], "cannot be read as a video"),
        ("cut.mp4", [], "ends early: [0-9]+ of 40 frames could be read; .*allow-truncated"),
        ("clip.mp4", ["--conf-thres", "1.5"], "conf_thres is 1.5; it must lie from 0 to 1"),
        ("clip.mp4", ["--conf-thres", "high"], "argument --conf-thres"),
        ("clip.mp4", ["--score-threshold", "7"], "score_threshold is 7"),
        ("clip.mp4", ["--draw-threshold", "-1"], "draw_threshold is -1"),
        ("clip.mp4", ["--trails", "-1"], "trails is -1; it must be a number of frames"),
        ("clip.mp4", ["--frame-rate", "0"], "frame rate must be"),
        ("clip.mp4", ["--line", "1,2,3,4"], "has no name"),
        ("clip.mp4", ["--region", "a=1,2,3,4"], "at least 3 points"),
        ("clip.mp4", ["--output", "clip.mp4/sub"], "cannot be written"),
        ("clip.mp4", ["--output", "/proc/outputs"], "cannot be written"),
        ("clip.mp4", ["--config", "nothing.json"], "nothing.json cannot be read"),
        ("clip.mp4", ["--compare", "gt"], "has no gt/gt.txt"),
        ("half", [], r"3\.jpg is cut short"),
        ("seq", [], "seqLength=5, but .* holds 4 images"),
        ("seqless", [], r"seqinfo\.ini is missing"),
    ],
)
def test_bad_input_gets_one_sentence_and_nothing_half_written(
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    arguments: list,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "clip.mp4", 40)
    (tmp_path / "empty").mkdir()
    (tmp_path / "note.mp4").write_text("just a note")
    data = (tmp_path / "clip.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: int(0.7 * len(data))])
    for name, count in (("half", 5), ("seq/img1", 4), ("seqless/img1", 4)):
        (tmp_path / name).mkdir(parents=True)
        for number in range(1, count + 1):
            cv2.imwrite(str(tmp_path / name / f"{number}.jpg"), picture(number))
    half = tmp_path / "half" / "3.jpg"
    half.write_bytes(half.read_bytes()[: half.stat().st_size // 2])
    (tmp_path / "seq" / "seqinfo.ini").write_text(
        "[Sequence]\nname=seq\nimDir=img1\nframeRate=25\nseqLength=5\nimWidth=64\nimHeight=48\nimExt=.jpg\n"
    )
    status, said, errors = run(capsys, "track", source, "--model", "fake", "--quiet", *arguments)
    assert (status, said) == (2, "")
    assert errors.count("\n") == 1
    assert errors.startswith("fairmot-lab")
    assert re.search(message, errors), errors
    results = {file.suffix for file in tmp_path.glob("outputs/*")}
    assert not results & {".txt", ".mp4", ".json", ".csv"}


def test_terminated_command_ends_as_an_interrupted_one(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_frame(number: int) -> None:
        if number == 20:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("fairmot_lab.detection.model.load_model", lambda *args, **settings: FakeModel(on_frame))
    before = signal.getsignal(signal.SIGTERM)
    status, _, errors = run(
        capsys, "track", clip, "--model", "fake", "--output", tmp_path / "out", "--video", "--quiet"
    )
    assert status == 130
    assert "interrupted. The results of the first 19 of 40 frames are in" in errors
    assert fl.read_mot(tmp_path / "out" / "clip.txt")["frame"].max() == 19
    assert signal.getsignal(signal.SIGTERM) == before
    assert threading.current_thread() is threading.main_thread()


def test_real_video_with_the_bundled_model(pets_video: Path, tmp_path: Path) -> None:
    """The road from end to end: 40 frames of PETS09-S2L1, of which it is known how many people they show."""
    model = fl.load_model()
    frames = fl.open_source([frame.image for frame in fl.open_source(pets_video).frames(1, 40)], frame_rate=10)
    report = track_files(frames, None, tmp_path, model=model, video=True, overlay={"heatmap": True}, progress=False)
    tracks = fl.read_mot(report.text)
    assert report.complete
    assert tracks["frame"].max() == 40
    assert 1 <= tracks.groupby("frame").size().median() <= 12
    assert len(fl.open_source(report.video)) == 40
    pd.testing.assert_frame_equal(fl.track(fl.open_detections(tmp_path)).drop(columns="det"), tracks, check_dtype=False)
