"""Kept detections: the same bytes however the run ended, every damaged byte noticed, readable by tools that exist."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import re
import signal
import subprocess
import sys
import tarfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from safetensors.numpy import load, save

import fairmot_lab as fl
from fairmot_lab.data import FrameDetections
from fairmot_lab.detection.archive import ArchiveScan, ArchiveWriter
from fairmot_lab.detection.cache import CachedDetections, DetectionsInfo, detect, open_detections
from fairmot_lab.detection.detections import PublicDetections
from fairmot_lab.detection.model import FairMOTDetector
from fairmot_lab.errors import ConfigError, DetectionsError, FairMOTLabWarning, SourceError

SIZE = (160, 96)


class ColourEngine:
    """A stand-in for a network: maps that are a fixed function of the input's pixels, with a few peaks."""

    name = "onnxruntime"
    device = "cpu"
    threads = 1
    at_once = 1
    libraries = ("numpy",)

    def __init__(self, pause: float = 0.0) -> None:
        self.pause = pause

    def __call__(self, blob: np.ndarray) -> tuple[np.ndarray, ...]:
        time.sleep(self.pause)
        red, green, blue = blob[0, :, ::4, ::4]
        heatmap = (red**8)[None, None]
        size = np.stack((green, blue, red, green))[None] * 5 + 0.1
        embedding = np.stack((red, green, blue, 1 + red, 1 + green, 1 + blue, red * blue, 1 - green))[None]
        return heatmap, size, size[:, :2] / 10, embedding / np.linalg.norm(embedding, axis=1, keepdims=True)


def make_model(
    weights: str = "0" * 64, pause: float = 0.0, size: tuple[int, int] = SIZE, **settings: float
) -> FairMOTDetector:
    return FairMOTDetector("colours", "lite", size, 8, weights, ColourEngine(pause), **settings)


def make_frames(count: int = 12, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [cv2.GaussianBlur(rng.integers(0, 256, (90, 120, 3), np.uint8), (3, 3), 0) for _ in range(count)]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "street"
    folder.mkdir()
    for number, image in enumerate(make_frames(), 1):
        cv2.imwrite(str(folder / f"{number:06d}.png"), image)
    return folder


def same(left: FrameDetections, right: FrameDetections) -> None:
    assert left.frame == right.frame
    assert left.letterbox == right.letterbox
    assert left.discarded == right.discarded
    for name in ("boxes", "scores", "embeddings", "class_ids", "peaks"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name), err_msg=name)
        assert getattr(left, name).dtype == getattr(right, name).dtype


def test_outputs_on_disk_are_those_in_memory(images: Path, tmp_path: Path) -> None:
    model = make_model()
    detections = detect(images, model, tmp_path / "out", progress=False)
    assert detections.complete
    assert detections.frames.tolist() == list(range(1, 13))
    total = 0
    for frame, kept in zip(fl.open_source(images), detections, strict=True):
        direct = model(frame.image, frame=frame.number)
        assert len(direct) > 3
        same(kept, direct)
        assert np.abs(kept.heatmap - direct.heatmap).max() <= 0.5 / 255 + 1e-6
        total += len(direct)
    table = detections.table()
    assert len(table) == total == detections.offsets[-1]
    same_frame = table[table["frame"] == 5]
    np.testing.assert_array_equal(same_frame[["x", "y", "w", "h"]], detections.frame(5).boxes)
    np.testing.assert_array_equal(detections.embeddings()[same_frame["det"]], detections.frame(5).embeddings)
    assert detections.fingerprint["weights_sha256"] == "0" * 64
    assert detections.fingerprint["versions"] == {"numpy": np.__version__}


def test_tools_that_exist_read_the_file(images: Path, tmp_path: Path) -> None:
    detections = detect(images, make_model(), tmp_path, progress=False)
    with tarfile.open(detections.path) as archive:
        names = archive.getnames()
        assert names[:5] == [
            "detections.json",
            "detections.sha256",
            "000001.safetensors",
            "000001.png",
            "000001.sha256",
        ]
        assert json.load(archive.extractfile("detections.json"))["length"] == 12
        boxes = load(archive.extractfile("000012.safetensors").read())["boxes"]
        png = archive.extractfile("000012.png").read()
    np.testing.assert_array_equal(boxes, detections.frame(12).boxes)
    assert cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED).shape == (24, 40)


def test_without_heatmaps(images: Path, tmp_path: Path) -> None:
    detections = detect(images, make_model(), tmp_path, heatmaps=False, progress=False)
    assert not detections.has_heatmaps
    assert detections.frame(1).heatmap is None


def test_a_run_cut_anywhere_goes_on_to_the_same_bytes(images: Path, tmp_path: Path) -> None:
    """Whatever prefix of the file a killed process leaves, the next call makes the same file of it."""
    whole = detect(images, make_model(), tmp_path / "whole", progress=False).path.read_bytes()
    rng = random.Random(0)
    cuts = {0, 1, 511, 512, len(whole) - 1024, len(whole) - 1} | {rng.randrange(len(whole)) for _ in range(20)}
    for cut in sorted(cuts):
        folder = tmp_path / str(cut)
        folder.mkdir()
        (folder / "street.tar").write_bytes(whole[:cut])
        detect(images, make_model(), folder, progress=False)
        assert (folder / "street.tar").read_bytes() == whole, cut


CHILD = """
import sys
sys.path.insert(0, {tests!r})
from test_outputs import detect, make_model
detect({images!r}, make_model(pause=0.02), {folder!r}, progress=False)
"""


def start_child(images: Path, folder: Path) -> subprocess.Popen:
    code = CHILD.format(tests=str(Path(__file__).parent), images=str(images), folder=str(folder))
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def wait_for(path: Path, size: int) -> None:
    deadline = time.monotonic() + 60
    while not (path.exists() and path.stat().st_size >= size):
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_sigkill_at_random_moments(images: Path, tmp_path: Path) -> None:
    whole = detect(images, make_model(), tmp_path / "whole", progress=False).path.read_bytes()
    folder, rng, kills = tmp_path / "killed", random.Random(1), 0
    for _ in range(4):
        child = start_child(images, folder)
        held = (folder / "street.tar").stat().st_size if (folder / "street.tar").exists() else 0
        wait_for(folder / "street.tar", held + 1)
        time.sleep(rng.random() * 0.06)
        child.send_signal(signal.SIGKILL)
        kills += child.wait() == -signal.SIGKILL
        child.stderr.close()
    assert kills
    detect(images, make_model(), folder, progress=False)
    assert (folder / "street.tar").read_bytes() == whole


def test_read_while_it_is_written_and_a_second_writer_is_refused(images: Path, tmp_path: Path) -> None:
    detect(images, make_model(), tmp_path / "whole", progress=False)
    path = tmp_path / "out" / "street.tar"
    child = start_child(images, tmp_path / "out")
    try:
        wait_for(path, 4000)
        os.kill(child.pid, signal.SIGSTOP)  # so that the writer is there for sure while we look
        early = open_detections(path)  # no warning: a writer is at work
        held = len(early)
        assert not early.complete
        with pytest.raises(DetectionsError, match=r"street\.tar is being written by another process"):
            detect(images, make_model(), tmp_path / "out", progress=False)
    finally:
        os.kill(child.pid, signal.SIGCONT)
        _, message = child.communicate()
    assert child.returncode == 0, message
    assert early.refresh() == 12 > held
    same(early.frame(12), open_detections(tmp_path / "whole").frame(12))


def test_interrupt_keeps_what_is_complete(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append = ArchiveWriter.append

    def interrupted(self: ArchiveWriter, members: dict[str, bytes]) -> None:
        append(self, members)
        if self.groups == 6:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ArchiveWriter, "append", interrupted)
        with pytest.raises(KeyboardInterrupt):
            detect(images, make_model(), tmp_path, progress=False)
    with pytest.warns(FairMOTLabWarning, match=r"street\.tar is not finished: it holds 5 of 12 frames"):
        assert len(open_detections(tmp_path)) == 5
    assert detect(images, make_model(), tmp_path, progress=False).complete


def test_a_broken_frame_keeps_those_before_it(images: Path, tmp_path: Path) -> None:
    good = (images / "000006.png").read_bytes()
    (images / "000006.png").write_bytes(good[: len(good) // 2])
    with pytest.raises(SourceError, match=r"000006\.png"):
        detect(images, make_model(), tmp_path / "out", progress=False)
    with pytest.warns(FairMOTLabWarning, match="5 of 12 frames"):
        assert len(open_detections(tmp_path / "out")) == 5


def test_every_flipped_byte_is_noticed(images: Path, tmp_path: Path) -> None:
    path = detect(images, make_model(), tmp_path, progress=False).path
    whole, rng = path.read_bytes(), random.Random(2)
    places = {0, 150, len(whole) - 1, len(whole) - 1024} | {rng.randrange(len(whole)) for _ in range(60)}
    for place in sorted(places):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(DetectionsError, match=r"street\.tar"):
            open_detections(path)
        with pytest.raises(DetectionsError, match=r"street\.tar"):
            detect(images, make_model(), tmp_path, progress=False)
        assert path.read_bytes() == damaged  # evidence is not overwritten
    path.write_bytes(whole)


def test_damage_names_the_frame(images: Path, tmp_path: Path) -> None:
    path = detect(images, make_model(), tmp_path, progress=False).path
    detections = open_detections(path)
    start, end = detections._scan.places[7]
    damaged = bytearray(path.read_bytes())
    damaged[(start + end) // 2] ^= 255
    path.write_bytes(damaged)
    with pytest.raises(DetectionsError, match=r"street\.tar is damaged \(frame 7\)"):
        open_detections(path)
    with pytest.raises(DetectionsError, match=r"street\.tar is damaged \(frame 7\)"):
        detections.frame(7)  # also when it happens after opening
    assert len(detections.frame(6)) > 0


def test_a_bar_is_shown_while_there_is_something_to_do(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    detect(images, make_model(), tmp_path)
    assert "12/12" in capsys.readouterr().err
    detect(images, make_model(), tmp_path)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("name", "data"), [("a.json", b"[{}]"), ("a.npy", b"\x93NUMPY\1\0")])
def test_a_file_of_another_kind_is_named(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DetectionsError, match=rf"{name} is not a file of detections; give a \.tar"):
        open_detections(tmp_path / name)


def test_a_finished_file_cut_short_is_noticed_and_resumed(images: Path, tmp_path: Path) -> None:
    path = detect(images, make_model(), tmp_path, progress=False).path
    detections, whole = open_detections(path), path.read_bytes()
    for cut in (len(whole) - 1, len(whole) - 5000, detections._scan.places[9][0]):
        path.write_bytes(whole[:cut])
        with pytest.warns(FairMOTLabWarning, match=r"street\.tar is not finished: it holds \d+ of 12 frames"):
            open_detections(path)
        detect(images, make_model(), tmp_path, progress=False)
        assert path.read_bytes() == whole
    for cut in (600, 0):
        path.write_bytes(whole[:cut])
        with pytest.raises(DetectionsError, match="holds no frame yet"):
            open_detections(path)
    path.write_bytes(whole + b"more")
    with pytest.raises(DetectionsError, match="something after its end"):
        open_detections(path)


def test_a_renamed_file_is_good_data(images: Path, tmp_path: Path) -> None:
    path = detect(images, make_model(), tmp_path, progress=False).path
    same(open_detections(path.rename(tmp_path / "avenue.tar")).frame(3), make_model()(make_frames()[2], frame=3))


def test_frames_that_were_exchanged_are_noticed(images: Path, tmp_path: Path) -> None:
    """Each checksum covers the one before, so whole frames cannot change places."""
    path = detect(images, make_model(), tmp_path, progress=False).path
    detections, whole = open_detections(path), path.read_bytes()
    groups = [whole[start:end] for start, end in detections._scan.places]
    tail = whole[detections._scan.places[-1][1] :]
    path.write_bytes(b"".join([*groups[:4], groups[5], groups[4], *groups[6:]]) + tail)
    with pytest.raises(DetectionsError, match=r"street\.tar is damaged \(frame 4\)"):
        open_detections(path)


def test_something_else_under_the_same_name_is_refused(images: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    detect(images, make_model(), folder, progress=False)
    with pytest.raises(DetectionsError, match=r"made from something else: weights_sha256 0+ \(now 1+\)"):
        detect(images, make_model("1" * 64), folder, progress=False)
    with pytest.raises(DetectionsError, match=r"input_width 160 \(now 192\), input_height 96 \(now 128\)"):
        detect(images, make_model(size=(192, 128)), folder, progress=False)
    with pytest.raises(DetectionsError, match=r"score_floor 0\.05 \(now 0\.1\)"):
        detect(images, make_model(score_floor=0.1), folder, progress=False)
    cv2.imwrite(str(images / "000003.png"), make_frames(seed=9)[0])
    with pytest.raises(DetectionsError, match=r"something else: source \w+"):
        detect(images, make_model(), folder, progress=False)


def test_another_engine_may_use_finished_outputs_but_not_go_on_with_unfinished_ones(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = detect(images, make_model(), tmp_path, progress=False).path
    whole = path.read_bytes()
    monkeypatch.setattr(ColourEngine, "name", "paddle")
    with pytest.warns(FairMOTLabWarning, match=r"made with engine onnxruntime \(now paddle\)"):
        assert len(detect(images, make_model(), tmp_path, progress=False)) == 12
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DetectionsError, match=r"begun with engine onnxruntime \(now paddle\)"):
        detect(images, make_model(), tmp_path, progress=False)


def test_embedding_maps_are_computed_on_request(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, source = make_model(), fl.open_source(images)
    detections = detect(source, model, tmp_path, progress=False)
    monkeypatch.setattr("fairmot_lab.detection.cache.MAP_CACHE_BYTES", 3 * 8 * 24 * 40 * 4)
    for number in (1, 2, 3, 4, 5):
        embedding_map = detections.embedding_map(number, source, model)
        assert embedding_map.shape == (8, 24, 40)
        frame = detections.frame(number)
        xs, ys = frame.peaks.T
        np.testing.assert_allclose(embedding_map[:, ys, xs].T, frame.embeddings, atol=1e-3)
    assert list(detections._maps) == [3, 4, 5]
    assert detections.embedding_map(4, source, model) is detections.embedding_map(4, source, model)
    with pytest.raises(DetectionsError, match="weights_sha256"):
        detections.embedding_map(1, source, make_model("1" * 64))


def test_outputs_can_be_pickled(images: Path, tmp_path: Path) -> None:
    detections = detect(images, make_model(), tmp_path, progress=False)
    same(pickle.loads(pickle.dumps(detections)).frame(3), detections.frame(3))


def test_what_cannot_be_opened(images: Path, tmp_path: Path) -> None:
    with pytest.raises(DetectionsError, match="does not exist"):
        open_detections(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DetectionsError, match=r"neither kept detections \(\*\.tar\) nor det/det\.txt"):
        open_detections(tmp_path / "empty")
    detect(images, make_model(), tmp_path / "two", progress=False)
    detect(make_frames(2), make_model(), tmp_path / "two", progress=False)
    with pytest.raises(DetectionsError, match="holds several sequences; it holds"):
        open_detections(tmp_path / "two")
    assert open_detections(tmp_path / "two", "street").name == "street"
    with pytest.raises(DetectionsError, match="holds no alley; it holds arrays, street: name one"):
        open_detections(tmp_path / "two", "alley")
    (tmp_path / "photo.tar").write_bytes(cv2.imencode(".png", make_frames(1)[0])[1].tobytes())
    with pytest.raises(DetectionsError, match=r"photo\.tar is not a file of detections"):
        open_detections(tmp_path / "photo.tar")
    with tarfile.open(tmp_path / "other.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("readme"), io.BytesIO())
    with pytest.raises(DetectionsError, match=r"other\.tar"):
        open_detections(tmp_path / "other.tar")
    with pytest.raises(DetectionsError, match="holds no frame 13; it holds the frames 1 to 12"):
        open_detections(tmp_path / "two", "street").frame(13)


@pytest.mark.parametrize(("name", "value"), [("score_floor", 0), ("score_floor", 1.5), ("max_per_frame", 0)])
def test_settings_out_of_range(images: Path, tmp_path: Path, name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=name):
        make_model(**{name: value})
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("shape", [(4, 4), (0, 4, 3), (4, 4, 4)])
def test_images_that_are_none(shape: tuple[int, ...]) -> None:
    with pytest.raises(SourceError, match=rf"uint8, blue first; this is {re.escape(str(shape))} uint8"):
        make_model()(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2"])
def test_impossible_threads(threads: object) -> None:
    with pytest.raises(ConfigError, match=f"threads is {threads!r}; it must be a whole number"):
        fl.load_model("fairmot_lite", threads=threads)


def test_memory_stays_flat(tmp_path: Path) -> None:
    """A long run holds a few frames, not all: 600 frames of 32 KB at a peak of less than 5 MB."""
    image = make_frames(1)[0]
    tracemalloc.start()
    detections = detect((image for _ in range(600)), make_model(), tmp_path, progress=False)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(detections) == 600
    assert peak < 5e6


def test_public_detections(mot17_09: Path) -> None:
    detections = open_detections(mot17_09)
    assert isinstance(detections, PublicDetections)
    assert not detections.has_embeddings
    assert (detections.name, detections.frame_rate, detections.length) == ("MOT17-09-SDP", 30.0, 525)
    rows = np.loadtxt(mot17_09 / "det" / "det.txt", delimiter=",")
    assert len(detections.table()) == len(rows)
    assert len(detections) == 525
    for number in (1, 200, 525):
        wanted = rows[rows[:, 0] == number]
        wanted = wanted[np.argsort(-wanted[:, 6], kind="stable")]
        frame = detections.frame(number)
        np.testing.assert_allclose(frame.boxes, wanted[:, 2:6], rtol=1e-6)
        np.testing.assert_allclose(frame.scores, wanted[:, 6], rtol=1e-6)
        assert frame.embeddings is None
    with pytest.raises(DetectionsError, match="without embeddings"):
        detections.embeddings()


def test_detections_of_every_other_frame_are_named(tmp_path: Path) -> None:
    path = tmp_path / "det.txt"
    path.write_text("".join(f"{frame},-1,10,10,40,80,0.9\n" for frame in (1, 3, 5, 7, 9)))
    with pytest.warns(FairMOTLabWarning, match="Only every 2nd frame is there"):
        detections = fl.open_detections(path)
    assert detections.frame_grid == (1, 2)
    assert len(detections) == 9
    assert fl.track(detections, fl.SORTTracker(min_hits=1))["id"].tolist() == [1] * 5


def test_a_text_file_of_detections_is_named_on_opening(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("1,-1,10,20,30,60,0.9\n2,-1,11,20,30,60,0.8\n")
    assert fl.open_detections(tmp_path / "mine.txt").name == "mine"
    named = fl.open_detections(tmp_path / "mine.txt", "MOT17-09-SDP")
    assert (named.name, fl.track(named, "sort").attrs["sequence"]) == ("MOT17-09-SDP", "MOT17-09-SDP")


def test_every_public_detection_file_opens(mot17: Path) -> None:
    for folder in sorted(mot17.iterdir()):
        detections = open_detections(folder)
        assert detections.offsets[-1] == len((folder / "det" / "det.txt").read_text().splitlines())


def test_the_first_member_tells_everything(images: Path, tmp_path: Path) -> None:
    detections = detect(images, make_model(), tmp_path, progress=False)
    assert isinstance(detections, CachedDetections)
    assert isinstance(detections.info, DetectionsInfo)
    wanted = {"source", "weights_sha256", "engine", "input_width", "input_height", "versions", "score_floor"}
    assert wanted <= detections.fingerprint.keys()


def forged(path: Path, change: Callable[[int, dict[str, bytes]], dict[str, bytes]]) -> None:
    """Write an archive anew with changed members and right checksums."""
    scan = ArchiveScan(path)
    with path.open("rb") as file:
        scan.run(file)
        groups = [scan.read(file, number) for number in range(len(scan.places))]
    path.unlink()
    with ArchiveWriter(path) as writer:
        for number, members in enumerate(groups):
            writer.append(change(number, members))
        writer.finish()


@pytest.mark.parametrize(
    ("number", "member", "content", "words"),
    [
        (0, "json", b"{}", "not one that detect"),
        (0, "json", b"[" * 100_000, "not one that detect"),
        (0, "json", None, "not one that detect"),
        (3, "safetensors", b"not tensors", "frame 3 was not written by detect"),
        (3, "safetensors", save({"boxes": np.zeros((2, 4), np.float32)}), "frame 3 was not written by detect"),
        (3, "png", b"not a picture", "frame 3 was not written by detect"),
        (3, "json", b'{"letterbox": {"scale": 1}}', "frame 3 was not written by detect"),
    ],
)
def test_forged_archives_with_right_checksums_are_refused(
    number: int, member: str, content: bytes | None, words: str, images: Path, tmp_path: Path
) -> None:
    path = detect(images, make_model(), tmp_path, progress=False).path

    def change(at: int, members: dict[str, bytes]) -> dict[str, bytes]:
        if at != number:
            return members
        rest = {name: value for name, value in members.items() if name != member}
        return rest if content is None else {**rest, member: content}

    forged(path, change)
    with pytest.raises(DetectionsError, match=words):
        open_detections(path).frame(3)
