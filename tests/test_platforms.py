"""Linux, macOS and Windows: what the others lack is taken away in a process of its own. They were not run for real."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from videos import picture, write_video

MISSING = """
import os, sys
del os.sched_getaffinity
if {windows}:
    sys.modules["fcntl"] = sys.modules["resource"] = sys.modules["pwd"] = sys.modules["grp"] = None
    for name in ("getuid", "fork", "pread", "fchmod", "mkfifo", "getloadavg"):
        if hasattr(os, name):
            delattr(os, name)
"""
TRACK = """
sys.path.insert(0, {tests!r})
from fakes import FakeModel
import fairmot_lab as fl
from fairmot_lab.pipeline import track_files
detections = fl.detect({folder!r}, FakeModel(), {out!r}, progress=False)
tracks = fl.track(detections, "jde")
report = track_files({clip!r}, None, {out!r}, model=FakeModel(), video=True, progress=False)
fl.write_mot(tracks, {out!r} + "/mot.txt")
again = fl.open_detections({out!r} + "/walk.tar")
print(len(tracks), report.frames, len(again), len(fl.open_source(report.video)))
"""


@pytest.mark.parametrize("windows", [False, True], ids=["macOS", "Windows"])
def test_the_road_without_what_a_platform_lacks(tmp_path: Path, windows: bool) -> None:
    folder = tmp_path / "walk"
    folder.mkdir()
    for number in range(1, 6):
        cv2.imwrite(str(folder / f"{number}.jpg"), picture(number))
    clip = write_video(tmp_path / "clip.mp4", 6)
    code = (MISSING + TRACK).format(
        windows=windows, tests=str(Path(__file__).parent), folder=str(folder), clip=str(clip), out=str(tmp_path / "out")
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["10", "6", "5", "6"], done.stderr
    assert not [path.name for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("windows", [False, True], ids=["macOS", "Windows"])
def test_the_bundled_model_without_what_a_platform_lacks(tmp_path: Path, windows: bool) -> None:
    cv2.imwrite(str(tmp_path / "1.jpg"), picture(1, 320, 240))
    code = MISSING.format(windows=windows) + (
        "from fairmot_lab.cli.main import main\n"
        f"sys.exit(main(['track', {str(tmp_path)!r}, '--output', {str(tmp_path / 'out')!r}, '--quiet']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_output_is_utf8_whatever_the_console(tmp_path: Path, encoding: str) -> None:
    folder = tmp_path / "straße-街"
    commands = f"main(['track', {str(folder)!r}])\nmain(['data', 'check', {str(tmp_path)!r}])"
    code = f"from fairmot_lab.cli.main import main\n{commands}"
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment, check=False)
    assert "straße-街" in done.stderr.decode("utf-8")
    assert b"Traceback" not in done.stderr


def test_nothing_of_one_platform_is_imported() -> None:
    """`fcntl`, `resource`, `pwd` and `os.sched_getaffinity` are not everywhere."""
    package = Path(__file__).parent.parent / "fairmot_lab"
    for path in package.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for name in ("import fcntl", "import resource", "import pwd", "os.fork"):
            assert name not in text, f"{path.name} uses {name}"
        if path.name != "_files.py":
            assert "sched_getaffinity" not in text, path.name
