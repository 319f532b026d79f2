"""Written videos: read back with FFmpeg, interrupted, killed, resumed, and on a disk that is full."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import av
import numpy as np
import pytest
from videos import number_in, picture

import fairmot_lab as fl
from fairmot_lab.errors import WriteError
from fairmot_lab.video_writer import VideoWriter

TESTS = Path(__file__).parent


def boxes(path: Path) -> list[str]:
    """Kinds of the boxes of an MP4 file, by its own structure."""
    data, position, kinds = path.read_bytes(), 0, []
    while position < len(data):
        kinds.append(data[position + 4 : position + 8].decode("ascii"))
        position += int.from_bytes(data[position : position + 4], "big")
    assert position == len(data)
    return kinds


def test_video_plays_in_a_browser(tmp_path: Path) -> None:
    """H.264, yuv420p, and the index before the pictures: what browsers need."""
    path = tmp_path / "deep" / "a.mp4"
    with VideoWriter(path, 25) as writer:
        for number in range(1, 61):
            writer.write(picture(number))
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert float(stream.average_rate) == 25
    kinds = boxes(path)
    assert kinds.index("moov") < kinds.index("mdat")
    assert "moof" not in kinds
    source = fl.open_source(path)
    assert [number_in(frame.image) for frame in source] == list(range(1, 61))
    assert [file.name for file in path.parent.iterdir()] == ["a.mp4"]


def test_time_stamps_are_kept(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.5, 0.51, 0.513, 7.25, 7.29, 20.0]
    with VideoWriter(tmp_path / "a.mp4", 25) as writer:
        for number, time in enumerate(times, 1):
            writer.write(picture(number), time)
    source = fl.open_source(tmp_path / "a.mp4")
    assert [frame.time for frame in source] == pytest.approx(times, abs=2e-5)


@pytest.mark.parametrize("size", [(64, 48), (480, 272)])
def test_the_same_frames_give_the_same_bytes(tmp_path: Path, size: tuple[int, int]) -> None:
    """Whatever the memory held before: glibc fills it, and x264's code for AVX-512 reads it before it is written."""
    code = (
        "import sys; from pathlib import Path; from videos import picture\n"
        "from fairmot_lab.video_writer import VideoWriter\n"
        "with VideoWriter(Path(sys.argv[1]), 10) as writer:\n"
        f"    for number in range(1, 31): writer.write(picture(number, *{size}))"
    )
    written = set()
    for filled in ("0", "1", "2"):
        path = tmp_path / f"{filled}.mp4"
        environment = os.environ | {"MALLOC_PERTURB_": filled}
        subprocess.run([sys.executable, "-c", code, str(path)], check=True, env=environment, cwd=Path(__file__).parent)
        written.add(path.read_bytes())
    assert len(written) == 1


def test_odd_size_gets_a_column_and_a_row(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4") as writer:
        writer.write(picture(5, 65, 49))
    source = fl.open_source(tmp_path / "a.mp4")
    assert (source.width, source.height) == (66, 50)
    assert number_in(source.image(1)[:49, :65]) == 5


def test_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(WriteError, match=r"written as \.mp4"):
        VideoWriter(tmp_path / "a.avi")
    with pytest.raises(WriteError, match="frames per second"):
        VideoWriter(tmp_path / "a.mp4", 0)
    with VideoWriter(tmp_path / "a.mp4") as writer:
        writer.write(picture(1))
        with pytest.raises(WriteError, match="frames of 64x48 and cannot take one of 32x24"):
            writer.write(picture(2, 32, 24))
    with VideoWriter(tmp_path / "none.mp4"):
        pass
    assert [file.name for file in tmp_path.iterdir()] == ["a.mp4"]


def test_interrupt_finishes_and_error_keeps_the_part(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with pytest.raises(KeyboardInterrupt), VideoWriter(path, 10) as writer:
        for number in range(1, 100):
            if number == 31:
                raise KeyboardInterrupt
            writer.write(picture(number))
    assert len(fl.open_source(path)) == 30
    with pytest.raises(ZeroDivisionError), VideoWriter(path, 10) as writer:
        for number in range(1, 100):
            writer.write(picture(number, 32, 24), number / (50 - number))
    assert len(fl.open_source(path)) == 30  # the old one
    assert len(fl.open_source(tmp_path / "a.partial.mp4")) == 49
    VideoWriter(path, 10).discard()
    assert [file.name for file in tmp_path.iterdir()] == ["a.mp4"]


KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from videos import picture
from fairmot_lab.video_writer import VideoWriter
with VideoWriter({path!r}, 10, crf=23) as writer:
    for number in range(1, 251):
        if writer.last_time is None or number / 10 > writer.last_time + 1e-4:
            writer.write(picture(number % 256), number / 10)
        if number == {stop}:
            os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_video_can_be_played(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    code = KILLED.format(tests=str(TESTS), path=str(path), stop=120)
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -signal.SIGKILL
    partial = fl.open_source(tmp_path / "a.partial.mp4", allow_truncated=True)
    shown = [number_in(frame.image) for frame in partial]
    assert shown == list(range(1, shown[-1] + 1))
    assert 40 < shown[-1] <= 120  # two seconds of fragment and what the encoder holds back
    subprocess.run([sys.executable, "-c", code.replace("number == 120", "False")], check=True)
    assert len(fl.open_source(path)) == 250
    assert [file.name for file in tmp_path.iterdir()] == ["a.mp4"]


def test_an_input_is_not_overwritten(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4") as writer:
        writer.write(picture(1))
    source = fl.open_source(tmp_path / "a.mp4")
    for inputs in (source, [tmp_path / "a.mp4"], ["b.mp4", str(tmp_path / "a.mp4")]):
        with pytest.raises(WriteError, match=r"a\.mp4 is an input"):
            VideoWriter(tmp_path / "a.mp4", inputs=inputs)
    with pytest.raises(WriteError, match="is an input"):
        fl.drawing.render_video(source, fl.example().tracks, tmp_path / "a.mp4", progress=False)
    assert len(fl.open_source(tmp_path / "a.mp4")) == 1


FULL = """
import resource, sys
sys.path.insert(0, {tests!r})
import numpy as np
from fairmot_lab.video_writer import VideoWriter
from fairmot_lab.errors import WriteError
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
noise = np.random.default_rng(0)
try:
    with VideoWriter({path!r}, 10) as writer:
        for number in range(400):
            writer.write(noise.integers(0, 256, (240, 320, 3), np.uint8))
except WriteError as error:
    print(error)
    sys.exit(7)
"""


def test_full_disk_is_said_and_leaves_a_playable_part(tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk: writes fail in the middle in the same way."""
    path = tmp_path / "a.mp4"
    limit = 3_000_000
    code = textwrap.dedent(FULL.format(tests=str(TESTS), path=str(path), limit=limit))
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 7, done.stderr
    assert "a.mp4 cannot be written" in done.stdout
    assert not path.exists()
    partial = tmp_path / "a.partial.mp4"
    assert 0.3 * limit < partial.stat().st_size <= limit
    assert boxes(partial)[-1] == "mdat"
    source = fl.open_source(partial)
    assert len(list(source)) == len(source) >= 20


def test_read_only_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match="cannot be written"):
        VideoWriter(tmp_path / "file" / "a.mp4")


def test_limit_is_not_left_behind() -> None:
    """The test above sets its limit in a process of its own."""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] in (resource.RLIM_INFINITY, -1)
    assert np.zeros(1).sum() == 0
