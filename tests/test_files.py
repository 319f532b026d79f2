"""Files are the old one or the whole new one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import fairmot_lab as fl
from fairmot_lab._files import (
    atomic_write,
    cpu_count,
    file_name,
    lock,
    make_folder,
    private_folder,
    refuse_overwrite,
    user_cache,
    write_text,
)
from fairmot_lab.cli.main import main
from fairmot_lab.errors import FairMOTLabError, WriteError


def test_the_file_appears_only_when_the_block_ends(tmp_path):
    path = tmp_path / "new" / "result.txt"
    with atomic_write(path) as temporary:
        temporary.write_text("one")
        assert not path.exists()
        assert temporary.parent == path.parent
        assert temporary.suffix == ".txt"
    assert path.read_text() == "one"
    assert list(path.parent.iterdir()) == [path]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "result.txt"
    path.write_text("old")

    def write_half() -> None:
        with atomic_write(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_in_the_way_of_the_folder_is_named(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(WriteError, match=r"taken.*cannot be written"), atomic_write(tmp_path / "taken" / "a.txt"):
        pass
    with pytest.raises(WriteError, match=r"taken.*cannot be written"):
        make_folder(tmp_path / "taken")


def test_a_full_disk_is_said_so():
    with pytest.raises(WriteError, match="No space left"), atomic_write("/dev/shm/full.txt") as temporary:
        temporary.unlink()
        temporary.symlink_to("/dev/full")
        with temporary.open("w") as file:
            file.write("x" * 100_000)


# -- locks, names, inputs -------------------------------------------------------------------------------------------


def test_a_lock_is_held_against_threads_and_processes_and_leaves_nothing(tmp_path):
    code = f"from fairmot_lab._files import lock\nwith lock({str(tmp_path / 'clip')!r}, 'clip is in use.'): pass"
    with lock(tmp_path / "clip", "busy"):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert "WriteError: clip is in use." in done.stderr
    subprocess.run([sys.executable, "-c", code], check=True)
    assert list(tmp_path.iterdir()) == []


def test_a_lock_ends_with_its_process(tmp_path):
    code = f"import os, fairmot_lab._files as f\nwith f.lock({str(tmp_path / 'clip')!r}, 'x'): os.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    with lock(tmp_path / "clip", "busy"):
        pass


@pytest.mark.parametrize("name", ["x" * 250, "é" * 250, "..", ".hidden", "CON", "nul.txt", "a/b\\c:d", "\udcff", "a. "])
def test_every_name_becomes_a_file(tmp_path, name):
    with atomic_write(tmp_path / f"{file_name(name)}.partial.counts.csv") as temporary:
        temporary.write_text("")
    (made,) = tmp_path.iterdir()
    assert not made.name.startswith(".")


def test_names_stay_apart_when_they_are_cut():
    assert file_name("x" * 250) != file_name("x" * 251)
    assert file_name("MOT17-09-SDP") == "MOT17-09-SDP"
    with pytest.raises(WriteError, match="empty"):
        file_name(" ")


def test_an_output_that_is_an_input_is_refused_by_its_real_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.mp4").write_text("")
    (tmp_path / "hard.mp4").hardlink_to(tmp_path / "clip.mp4")
    (tmp_path / "soft.mp4").symlink_to("clip.mp4")
    (tmp_path / "linked").symlink_to(tmp_path)
    for output in ("clip.mp4", "./clip.mp4", "hard.mp4", "soft.mp4", tmp_path / "clip.mp4", "linked/clip.mp4"):
        with pytest.raises(WriteError, match="is an input and would be overwritten"):
            refuse_overwrite(output, None, "clip.mp4")
    refuse_overwrite("other.mp4", "clip.mp4", "missing.mp4")


def test_a_folder_of_inputs_protects_what_is_read_from_it(tmp_path):
    (tmp_path / "a.txt").write_text("")
    (tmp_path / "a.csv").write_text("")
    with pytest.raises(WriteError, match="is an input"):
        refuse_overwrite(tmp_path / "a.txt", [tmp_path])
    refuse_overwrite(tmp_path / "a.csv", [tmp_path])  # a table of an earlier run
    refuse_overwrite(tmp_path / "new.txt", [tmp_path])


def test_the_cache_is_private(tmp_path, monkeypatch):
    old = tmp_path / "old"
    old.mkdir()
    old.chmod(0o777)
    assert private_folder(old).stat().st_mode & 0o777 == 0o755
    assert private_folder(tmp_path / "deep" / "new").stat().st_mode & 0o777 == 0o700
    monkeypatch.setattr(os, "getuid", lambda: old.stat().st_uid + 1)
    if old.stat().st_uid:  # files of root are trusted
        with pytest.raises(WriteError, match="belongs to another user"):
            private_folder(old)


def test_no_home_directory(monkeypatch):
    for name in ("FAIRMOT_LAB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)

    def expanduser(self: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", expanduser)
    assert "fairmot_lab-" in user_cache().name


def test_cores_are_counted_on_every_platform(monkeypatch):
    assert cpu_count() >= 1
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert cpu_count() == os.cpu_count()


# -- every command and view that writes -----------------------------------------------------------------------------


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The example as files: images, ground truth, results and detections."""
    scene = fl.example()
    folder = tmp_path / "crossing"
    for part in ("img1", "gt"):
        (folder / part).mkdir(parents=True)
    for frame in scene.source:
        cv2.imwrite(str(folder / "img1" / f"{frame.number:06d}.png"), frame.image)
    size = f"imWidth={scene.source.width}\nimHeight={scene.source.height}\nimExt=.png\n"
    info = f"[Sequence]\nname=crossing\nimDir=img1\nframeRate=10\nseqLength={len(scene.source)}\n{size}"
    (folder / "seqinfo.ini").write_text(info)
    fl.write_mot(scene.ground_truth, folder / "gt" / "gt.txt")
    fl.write_mot(scene.tracks, tmp_path / "crossing.txt")
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        "evaluate --gt crossing --results crossing.txt --csv crossing.txt",
        "evaluate --gt crossing --results . --csv crossing.txt",
        "evaluate --gt crossing --results crossing.txt --csv crossing/gt/gt.txt",
        "evaluate --gt crossing --results crossing.txt --csv ./crossing/../crossing.txt",
        "switches --gt crossing --results crossing.txt --csv crossing.txt",
        "sweep crossing.txt --gt crossing --csv crossing.txt",
        "sweep crossing.txt --gt crossing --file crossing/gt/gt.txt",
        "view crossing --tracks crossing.txt --output crossing.txt --no-browser",
        "view crossing --tracks crossing.txt --output crossing/img1/000001.png --no-browser",
        "data check . --csv crossing/seqinfo.ini",
    ],
)
def test_no_command_overwrites_what_it_reads(kept, monkeypatch, capsys, command):
    monkeypatch.chdir(kept)
    before = {path: path.read_bytes() for path in kept.rglob("*") if path.is_file()}
    assert main(command.split()) == 2
    said = capsys.readouterr().err
    assert "is an input and would be overwritten" in said
    assert said.count("\n") == 1
    assert {path: path.read_bytes() for path in kept.rglob("*") if path.is_file()} == before


def test_no_view_overwrites_the_frames(kept):
    source = fl.open_source(kept / "crossing")
    player = fl.widgets.TrackPlayer(source, tracks=fl.example().tracks)
    for write in (player.to_html, player.record):
        with pytest.raises(WriteError, match="is an input"):
            write(source.files[3])
    assert source.image(4).shape == (source.height, source.width, 3)


@pytest.mark.parametrize(
    "read",
    [
        fl.open_source,
        fl.track,
        fl.read_mot,
        fl.read_labels,
        fl.open_detections,
        fl.load_model,
        fl.load_detector,
        lambda path: fl.open_source([np.zeros((8, 8, 3), np.uint8)], labels=path),
        lambda path: fl.evaluate(path, path),
        lambda path: fl.sweep(path, "jde", {"conf_thres": [0.3]}, ground_truth=path),
    ],
)
def test_a_path_that_the_system_refuses_is_one_sentence(read, tmp_path):
    """A name that is too long stands for folders that others have closed, which tests by root cannot make."""
    with pytest.raises(FairMOTLabError, match=r"cannot be read \(File name too long\); make it readable"):
        read(str(tmp_path / ("x" * 300)))


def test_links_stay_and_pipes_are_written_to(tmp_path):
    real, link, pipe = tmp_path / "real.csv", tmp_path / "link.csv", tmp_path / "pipe"
    real.write_text("old")
    link.symlink_to(real)
    write_text(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True) as reader:
        write_text(pipe, "all of it")
        assert reader.communicate(timeout=30)[0] == "all of it"
    assert pipe.is_fifo()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_a_full_disk_behind_the_output_is_one_sentence():
    with open("/dev/full", "w") as full:
        run = subprocess.run([sys.executable, "-m", "fairmot_lab", "models", "list"], stdout=full, stderr=-1, text=True)
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert "the output cannot be written (No space left on device)" in run.stderr
