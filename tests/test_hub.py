"""PaddleHub's contract, row by row, and each fault of the original that is repaired."""

from __future__ import annotations

import inspect
import signal
from pathlib import Path
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pytest
from fakes import FakeModel
from test_tracking import files, run
from videos import picture, write_video

import fairmot_lab as fl
import fairmot_lab.contrib.paddlehub as hub
from fairmot_lab.errors import ConfigError, DownloadError, EngineError, HubError, SourceError, WriteError


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple]:
    """A fake network in place of the real one; the list shows which weights were loaded, and for which device."""
    calls: list[tuple] = []

    def load_model(weights: object, device: str = "auto") -> FakeModel:
        calls.append((weights, device))
        return FakeModel()

    monkeypatch.setattr("fairmot_lab.contrib.paddlehub.load_model", load_model)
    found = SimpleNamespace(path=tmp_path / "weights" / "official.pdparams")
    monkeypatch.setattr("fairmot_lab.contrib.paddlehub.find_weights", lambda name: found)
    monkeypatch.delenv("FAIRMOT_LAB_MODEL", raising=False)
    monkeypatch.setenv("FAIRMOT_LAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return calls


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Twelve frames at 10 a second, in a file whose name has two dots."""
    return write_video(tmp_path / "clip.one.avi", 12, size=(800, 240), codec="mjpeg", pixels="yuvj420p")


def images(first: int, last: int) -> list[np.ndarray]:
    return [picture(number, 800, 240) for number in range(first, last + 1)]


def lines(path: Path) -> list[list[str]]:
    return [line.split(",") for line in path.read_text().splitlines()]


# -- the table of calls ---------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("loaded")
def test_module_is_the_tracker() -> None:
    tracker = hub.Module(name="fairmot_dla34")
    assert type(tracker).__name__ == "FairmotTracker_1088x608"
    assert type(hub.Module(name="fairmot_dla34", version="1.1.0")) is type(tracker)


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        (
            "tracking",
            {
                "video_stream": inspect.Parameter.empty,
                "output_dir": "mot_result",
                "visualization": True,
                "draw_threshold": 0.5,
                "use_gpu": False,
            },
        ),
        ("stream_mode", {"output_dir": "mot_result", "visualization": True, "draw_threshold": 0.5, "use_gpu": False}),
        ("predict", {"images": []}),
    ],
)
def test_names_order_and_defaults(method: str, expected: dict) -> None:
    parameters = inspect.signature(getattr(hub.FairmotTracker_1088x608, method)).parameters
    assert {name: parameter.default for name, parameter in list(parameters.items())[1:]} == expected
    assert list(parameters)[1:] == list(expected)


def test_tracking_returns_none_and_writes_the_files(loaded: list, clip: Path, tmp_path: Path) -> None:
    assert hub.Module(name="fairmot_dla34").tracking(str(clip)) is None
    out = tmp_path / "mot_result"
    assert files(out) == {"mot_results", "mot_outputs"}
    assert files(out / "mot_results") == {"clip.one.txt"}
    assert files(out / "mot_outputs") == {"clip.one", "clip.one_vis.avi"}
    assert files(out / "mot_outputs" / "clip.one") == {f"{number:05d}.jpg" for number in range(12)}
    assert loaded == [("fairmot_dla34_30e_1088x608", "cpu")]


def test_lines_of_the_result_file(loaded: list, clip: Path, tmp_path: Path) -> None:
    hub.Module(name="fairmot_dla34").tracking(str(clip), output_dir="out", visualization=False)
    written = lines(tmp_path / "out" / "mot_results" / "clip.one.txt")
    assert {len(line) for line in written} == {10}
    assert [int(line[0]) for line in written] == [frame for frame in range(1, 13) for _ in range(2)]
    assert {line[1] for line in written} == {"1", "2"}
    assert all(line[7:] == ["-1", "-1", "-1"] for line in written)
    x, y, w, h, score = (float(value) for value in written[0][2:7])
    assert (x, y, w, h, score) == pytest.approx((102, 50, 20, 40, 0.9), abs=0.5)
    assert files(tmp_path / "out") == {"mot_results"}  # visualization is off


def test_draw_threshold_filters_the_rows(loaded: list, clip: Path, tmp_path: Path) -> None:
    hub.Module(name="fairmot_dla34").tracking(str(clip), draw_threshold=0.7, visualization=False)
    written = lines(tmp_path / "mot_result" / "mot_results" / "clip.one.txt")
    assert len(written) == 12
    assert all(float(line[6]) > 0.7 for line in written)


def test_boxes_that_are_small_or_wide_are_left_out(
    loaded: list, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Area above 200 pixels and width at most 1.6 times the height."""
    boxes = {
        "small": (100, 50, 10, 20),
        "large": (200, 50, 10, 21),
        "wide": (300, 50, 65, 40),
        "upright": (500, 50, 63, 40),
    }
    see = FakeModel.__call__

    def four_boxes(self: FakeModel, image: np.ndarray, **settings: object) -> fl.FrameDetections:
        detections = see(self, image, **settings)
        detections.boxes, detections.scores = np.array(list(boxes.values()), np.float32), np.full(4, 0.9, np.float32)
        detections.embeddings, detections.class_ids = np.eye(4, dtype=np.float32), np.zeros(4, np.int64)
        detections.peaks = np.zeros((4, 2), np.int64)
        return detections

    monkeypatch.setattr(FakeModel, "__call__", four_boxes)
    hub.Module(name="fairmot_dla34").tracking(str(clip), visualization=False)
    last = [line for line in lines(tmp_path / "mot_result" / "mot_results" / "clip.one.txt") if line[0] == "12"]
    assert sorted(round(float(line[2])) for line in last) == [200, 500]


def test_stream_mode_and_predict(loaded: list, tmp_path: Path) -> None:
    tracker = hub.Module(name="fairmot_dla34")
    assert tracker.stream_mode(output_dir="out") is tracker
    with tracker.stream_mode(output_dir="out", visualization=True, draw_threshold=0.5, use_gpu=False) as entered:
        assert entered is tracker  # PaddleHub gives None
        first = tracker.predict(images(1, 3))
        second = tracker.predict(images=images(4, 5))
    assert [result[0] for result in first + second] == [1, 2, 3, 4, 5]
    frame, boxes, scores, ids = second[-1]
    assert (frame, ids) == (5, [1, 2])
    assert [len(box) for box in boxes] == [4, 4]
    assert boxes[0] == pytest.approx([110, 50, 20, 40], abs=1)
    assert scores == pytest.approx([0.9, 0.6])
    written = lines(tmp_path / "out" / "mot_results" / "inputimages.txt")  # PaddleHub never writes it
    assert [int(line[0]) for line in written] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert files(tmp_path / "out" / "mot_outputs") == {"inputimages", "inputimages_vis.avi"}
    assert files(tmp_path / "out" / "mot_outputs" / "inputimages") == {f"{number:05d}.jpg" for number in range(5)}


def test_predict_filters_by_draw_threshold(loaded: list) -> None:
    with hub.Module(name="fairmot_dla34").stream_mode(draw_threshold=0.7, visualization=False) as tracker:
        assert [len(ids) for *_, ids in tracker.predict(images(1, 4))] == [1, 1, 1, 1]


def test_predict_without_images(loaded: list, capsys: pytest.CaptureFixture) -> None:
    with hub.Module(name="fairmot_dla34").stream_mode(visualization=False) as tracker:
        assert tracker.predict() is None
        assert tracker.predict([]) is None
    assert capsys.readouterr().out == "No images provided.\nNo images provided.\n"


def test_wrong_use_of_stream_mode(loaded: list) -> None:
    tracker = hub.Module(name="fairmot_dla34")
    with pytest.raises(HubError, match="inside the stream mode"):
        tracker.predict(images(1, 1))
    with pytest.raises(HubError, match="not a context manager by itself"), tracker:
        pass
    with tracker.stream_mode(visualization=False):
        tracker.predict(images(1, 1))
        with pytest.raises(HubError, match=r"Image 2 is 64x48, but those before are 800x240"):
            tracker.predict([picture(2)])
        with pytest.raises(SourceError, match="BGR"):
            tracker.predict([np.zeros((240, 800), np.uint8)])
    with pytest.raises(ConfigError, match="draw_threshold is 2"):
        tracker.stream_mode(draw_threshold=2)


# -- the table of files ---------------------------------------------------------------------------------------------


def test_annotated_frames_and_video(loaded: list, clip: Path, tmp_path: Path) -> None:
    hub.Module(name="fairmot_dla34").tracking(str(clip))
    out = tmp_path / "mot_result" / "mot_outputs"
    image = cv2.imread(str(out / "clip.one" / "00004.jpg"))  # 0-based: frame 5, the walker is at x = 110
    assert image.shape == (240, 800, 3)
    colour = np.array(fl.drawing.id_color(1)).astype(int)
    assert np.abs(image[90, 115:125].astype(int) - colour).mean() < 60
    with av.open(str(out / "clip.one_vis.avi")) as container:
        stream = container.streams.video[0]
        assert (container.format.name, stream.codec_context.name) == ("avi", "mjpeg")
        assert float(stream.average_rate) == 10  # PaddleHub: always 30
        assert sum(1 for _ in container.decode(stream)) == 12


# -- repaired faults ------------------------------------------------------------------------------------------------


def test_ids_and_results_begin_anew_with_each_call(loaded: list, clip: Path, tmp_path: Path) -> None:
    tracker = hub.Module(name="fairmot_dla34")
    result = tmp_path / "mot_result" / "mot_results" / "clip.one.txt"
    tracker.tracking(str(clip), visualization=False)
    first = result.read_bytes()
    tracker.tracking(str(clip), visualization=False)
    assert result.read_bytes() == first
    for _ in range(2):
        with tracker.stream_mode(visualization=False):
            assert tracker.predict(images(1, 2))[-1][0] == 2
            assert tracker.predict(images(3, 3))[-1][3] == [1, 2]


def test_nothing_is_left_behind(loaded: list, clip: Path, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    pictures = tmp_path / "mot_result" / "mot_outputs" / "clip.one"
    pictures.mkdir(parents=True)
    (pictures / "00011.jpg").write_bytes(b"of an earlier run")
    (pictures / "00000000.jpg").write_bytes(b"of an earlier run, a number that is not written now")
    (pictures / "00400.jpg").write_bytes(b"of an earlier, longer run")
    (pictures / "notes.jpg").write_bytes(b"of the user")
    hub.Module(name="fairmot_dla34").tracking(str(clip))
    assert signal.getsignal(signal.SIGINT) is before
    assert files(tmp_path) == {"clip.one.avi", "mot_result"}  # no clip.one_raw
    assert files(pictures) == {"notes.jpg", *(f"{number:05d}.jpg" for number in range(12))}


def test_interrupt_finishes_the_files(
    loaded: list, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(number: int) -> None:
        if number == 8:
            raise KeyboardInterrupt

    monkeypatch.setattr("fairmot_lab.contrib.paddlehub.load_model", lambda *args, **settings: FakeModel(interrupt))
    with pytest.raises(KeyboardInterrupt):
        hub.Module(name="fairmot_dla34").tracking(str(clip))
    written = lines(tmp_path / "mot_result" / "mot_results" / "clip.one.txt")
    assert written[-1][0] == "7"
    assert len(fl.open_source(tmp_path / "mot_result" / "mot_outputs" / "clip.one_vis.avi")) == 7


def test_two_runs_into_one_folder_at_once(
    loaded: list, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def second(number: int) -> None:
        if number == 8:
            monkeypatch.setattr("fairmot_lab.contrib.paddlehub.load_model", lambda *args, **settings: FakeModel())
            with pytest.raises(WriteError) as error:
                hub.Module(name="fairmot_dla34").tracking(str(clip))
            said.append(str(error.value))

    monkeypatch.setattr("fairmot_lab.contrib.paddlehub.load_model", lambda *args, **settings: FakeModel(second))
    hub.Module(name="fairmot_dla34").tracking(str(clip))
    assert "being written by another run" in said[0]
    written = lines(tmp_path / "mot_result" / "mot_results" / "clip.one.txt")
    assert len(written) == len({tuple(line[:2]) for line in written}) == 24


def test_inputs_are_never_overwritten(loaded: list, clip: Path, tmp_path: Path) -> None:
    hub.Module(name="fairmot_dla34").tracking(str(clip))
    drawn = tmp_path / "mot_result" / "mot_outputs"
    before = {path.name: path.read_bytes() for path in (drawn / "clip.one").iterdir()}
    with pytest.raises(WriteError, match=r"00000\.jpg is an input"):
        hub.Module(name="fairmot_dla34").tracking(str(drawn / "clip.one"))
    assert {path.name: path.read_bytes() for path in (drawn / "clip.one").iterdir()} == before
    source = clip.rename(drawn / "walk_vis.avi")
    with pytest.raises(WriteError, match=r"walk_vis\.avi is an input"):
        hub.Module(name="fairmot_dla34").tracking(fl.open_source(source, name="walk"))


def test_camera_number_is_taken_as_one(loaded: list) -> None:
    with pytest.raises(SourceError, match="Camera 93 cannot be opened"):
        hub.Module(name="fairmot_dla34").tracking("93")


# -- weights and other modules --------------------------------------------------------------------------------------


def test_weights_by_argument_and_environment(loaded: list, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hub.Module(name="fairmot_dla34").weights == "fairmot_dla34_30e_1088x608"
    monkeypatch.setenv("FAIRMOT_LAB_MODEL", "fairmot_lite")
    assert hub.Module(name="fairmot_dla34").weights == "fairmot_lite"
    assert hub.Module(name="fairmot_dla34", weights="mine.pdparams").weights == "mine.pdparams"
    with hub.Module(name="fairmot_dla34").stream_mode(visualization=False):
        pass
    assert loaded == [("fairmot_lite", "cpu")]


def test_offline_without_weights_names_the_bundled_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A server that refuses at once stands for a machine without a network."""
    monkeypatch.setenv("FAIRMOT_LAB_CACHE", str(tmp_path))
    monkeypatch.setenv("FAIRMOT_LAB_MIRROR", "http://127.0.0.1:9")
    monkeypatch.delenv("FAIRMOT_LAB_MODEL", raising=False)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with pytest.raises(DownloadError, match=r"weights='fairmot_lite' .* FAIRMOT_LAB_MODEL=fairmot_lite"):
        hub.Module(name="fairmot_dla34")


def test_use_gpu_without_one_is_said(clip: Path) -> None:
    tracker = hub.Module(name="fairmot_dla34", weights="fairmot_lite")
    with pytest.raises(EngineError, match=r"CPU only; .*leave out use_gpu"):
        tracker.tracking(str(clip), use_gpu=True)


@pytest.mark.parametrize(
    ("name", "message"), [("jde_darknet53", "JDE.*not served"), ("yolov3", "no module 'yolov3' here")]
)
def test_other_modules(name: str, message: str) -> None:
    with pytest.raises(HubError, match=message):
        hub.Module(name=name)


# -- command line ---------------------------------------------------------------------------------------------------


def test_command_line(loaded: list, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    command = ("hub", "run", "fairmot_dla34", "--video_stream", clip)
    assert run(capsys, *command, "--draw_threshold", "0.7")[0] == 0
    assert files(tmp_path / "mot_result") == {"mot_results"}  # visualization is off by default here
    assert len(lines(tmp_path / "mot_result" / "mot_results" / "clip.one.txt")) == 12
    assert run(capsys, *command, "--output_dir", "out", "--visualization", "--weights", "mine.npz")[0] == 0
    assert files(tmp_path / "out") == {"mot_results", "mot_outputs"}
    assert len(lines(tmp_path / "out" / "mot_results" / "clip.one.txt")) == 24
    assert run(capsys, *command, "--use_gpu")[0] == 0
    assert loaded == [("fairmot_dla34_30e_1088x608", "cpu"), ("mine.npz", "cpu"), ("fairmot_dla34_30e_1088x608", "gpu")]


def test_command_line_mistakes(loaded: list, capsys: pytest.CaptureFixture) -> None:
    status, _, errors = run(capsys, "hub", "run", "fairmot_dla34")
    assert (status, errors) == (2, "fairmot-lab: --video_stream should be set.\n")
    status, _, errors = run(capsys, "hub", "run", "jde_darknet53", "--video_stream", "a.avi")
    assert status == 2
    assert "jde_darknet53" in errors
    status, _, errors = run(capsys, "hub", "run", "fairmot_dla34", "--video_stream", "nowhere.avi")
    assert status == 2
    assert "There is no nowhere.avi" in errors


# -- what scripts written for PaddleHub also use --------------------------------------------------------------------


def test_the_arguments_and_attributes_of_a_paddlehub_module(loaded: list[tuple], tmp_path: Path) -> None:
    tracker = hub.Module(
        name="fairmot_dla34", version="1.0.0", source=None, update=False, branch=None, ignore_env_mismatch=True
    )
    assert (tracker.name, tracker.version, tracker.author, tracker.author_email) == (
        "fairmot_dla34",
        "1.0.0",
        "paddlepaddle",
        "",
    )
    assert tracker.type == "CV/multiple_object_tracking"
    assert tracker.summary.startswith("Fairmot is a model")
    assert (tracker.directory, tracker.source, tracker.branch) == (str(tmp_path / "weights"), "", "")
    assert tracker.is_runnable
    assert hub.Module(name="fairmot_dla34").version == "1.1.0"
    with pytest.raises(HubError, match=r"no version 9 of fairmot_dla34; there are 1\.0\.0 and 1\.1\.0"):
        hub.Module(name="fairmot_dla34", version="9")
    with pytest.raises(HubError, match="needs a name"):
        hub.Module()


def test_a_module_from_its_folder(loaded: list[tuple], tmp_path: Path) -> None:
    with pytest.raises(HubError, match=r"holds no fairmot_dla34_30e_1088x608\.pdparams"):
        hub.Module(directory=tmp_path)
    (tmp_path / "fairmot_dla34_30e_1088x608.pdparams").touch()
    assert hub.Module(directory=tmp_path).weights == tmp_path / "fairmot_dla34_30e_1088x608.pdparams"


def test_run_cmd_runs_the_module(loaded: list[tuple], clip: Path, tmp_path: Path) -> None:
    tracker = hub.Module(name="fairmot_dla34")
    assert tracker.run_cmd(["--video_stream", str(clip), "--output_dir", "out", "--draw_threshold", "0.7"]) is None
    rows = lines(tmp_path / "out" / "mot_results" / "clip.one.txt")
    assert rows
    assert all(float(row[6]) >= 0.7 for row in rows)
    assert not (tmp_path / "out" / "mot_outputs").exists()
    with pytest.raises(HubError, match="--video_stream should be set"):
        tracker.run_cmd([])
    with pytest.raises(HubError, match="unrecognized arguments: --gpu_id"):
        tracker.run_cmd(["--gpu_id", "0"])


def test_mot_predict_of_version_1_0_0(
    loaded: list[tuple], clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """The call and the flag that the module's first README has; names with spaces, folders that are not there."""
    names = [
        (each.name, each.default)
        for each in inspect.signature(hub.Module("fairmot_dla34").mot_predict).parameters.values()
    ]
    assert names == [
        ("video_stream", inspect.Parameter.empty),
        ("output_dir", ""),
        ("visualization", True),
        ("draw_threshold", 0.5),
        ("use_gpu", False),
        ("from_device", False),
    ]
    tracker = hub.Module("fairmot_dla34", "1.0.0")
    (tmp_path / "my clips").mkdir()
    clip = clip.rename(tmp_path / "my clips" / "clip one.avi")
    assert tracker.mot_predict(str(clip), output_dir="new folder/out 1", visualization=False) is None
    assert lines(tmp_path / "new folder" / "out 1" / "mot_results" / "clip one.txt")
    tracker.mot_predict(str(clip), visualization=False)
    assert (tmp_path / "mot_results" / "clip one.txt").is_file()
    with pytest.raises(HubError, match=r"video_stream is '.*'; with from_device it must be a camera number"):
        tracker.mot_predict(str(clip), from_device=True)
    with pytest.raises(SourceError, match="Camera 93 cannot be opened"):
        tracker.mot_predict("93", from_device=True)
    command = ("run", "fairmot_dla34", "--video_stream", "93", "--from_device")
    assert hub.main(command) == 2
    assert "hub: Camera 93 cannot be opened" in capsys.readouterr().err
    status, _, errors = run(capsys, "hub", *command)
    assert (status, "Camera 93 cannot be opened" in errors) == (2, True)


def test_the_commands_of_hub(loaded: list[tuple], clip: Path, capsys: pytest.CaptureFixture[str], tmp_path) -> None:
    assert hub.main(["install", "--ignore_env_mismatch", "fairmot_dla34==1.0.0"]) == 0
    assert capsys.readouterr().out.startswith("Successfully installed fairmot_dla34-1.0.0")
    assert hub.main(["run", "fairmot_dla34", "--video_stream", str(clip), "--visualization"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "None"
    assert (tmp_path / "mot_result" / "mot_outputs" / "clip.one_vis.avi").exists()
    assert hub.main(["show", "fairmot_dla34"]) == 0
    shown = capsys.readouterr().out
    assert "Version         1.0.0" in shown  # the one that was installed
    assert "Author          paddlepaddle" in shown
    assert hub.main(["list"]) == 0
    assert capsys.readouterr().out.startswith("ModuleName")
    assert hub.main(["version"]) == hub.main(["help"]) == hub.main([]) == 0
    assert "install fairmot_dla34" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run"], "Name a module"),
        (["run", "fairmot_dla34"], "--video_stream should be set"),
        (["run", "fairmot_dla34", "--video_stream", "a.avi", "--wrong"], "unrecognized arguments"),
        (["run", "jde_darknet53"], "another network"),
        (["run", "lac", "--input_text", "x"], "no module 'lac'"),
        (["install", "--ignore_env_mismatch"], "Name a module"),
        (["install", "lac"], "no module 'lac'"),
        (["install", "fairmot_dla34==7"], "no version 7"),
        (["show", "lac"], "is not existed"),
        (["serving"], "no command 'serving'"),
    ],
)
def test_mistakes_of_hub_are_one_line(
    arguments: list[str], words: str, loaded: list[tuple], capsys: pytest.CaptureFixture[str]
) -> None:
    assert hub.main(arguments) == 2
    assert not loaded, "refused before the network is loaded"
    error = capsys.readouterr().err
    assert error.startswith("hub: ")
    assert words in error
    assert error.count("\n") == 1


def test_images_of_two_sizes_in_one_call_are_refused(tmp_path: Path) -> None:
    images = [np.zeros((48, 64, 3), np.uint8), np.zeros((24, 32, 3), np.uint8)]
    module = hub.Module(name="fairmot_dla34", weights="fairmot_lite")
    with module.stream_mode(output_dir=str(tmp_path / "h"), visualization=False) as tracker:
        with pytest.raises(HubError, match="Image 2 is 32x24"):
            tracker.predict(images)
        with pytest.raises(HubError, match="no list of images"):
            tracker.predict(None)
