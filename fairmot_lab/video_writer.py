"""Write videos through PyAV (FFmpeg) that browsers and desktop players show."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from ._files import atomic_write, make_folder, write_error
from .errors import WriteError
from .sources.base import DEFAULT_FRAME_RATE
from .sources.video import _boxes, _reason

if TYPE_CHECKING:
    from av.container import InputContainer


_TICKS = 90_000  # time stamps of written videos, per second


class VideoWriter:
    """Writes an H.264 MP4 that every browser plays: yuv420p, index at the front (faststart), real time stamps.

    While it is being written the video lies beside its place as `NAME.partial.mp4`, in fragments of at most two seconds
    that can be played at any moment, also after the program was killed. `close` puts the index to the front and moves
    it to its place. As a context manager it is closed at the end of the block and when the user interrupts; after any
    other error the partial video stays where it is.

    Parameters
    ----------
    path
        The file to make or replace; it must end in .mp4.
    frame_rate
        Frames per second: for frames written without a time, and for how long the last one is shown.
    crf
        Constant rate factor of x264: 18 looks like the original, 28 is small.
    resume
        Go on behind a partial video that an earlier run left. `last_time` says where it ended.

    Attributes
    ----------
    path, partial : pathlib.Path
        Where the video will be, and where it lies while it is written.
    count : int
        Frames written, those of an earlier run included.
    last_time : float or None
        Time stamp of the last of them in seconds.

    Raises
    ------
    WriteError
        If the file cannot be written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        frame_rate: float = DEFAULT_FRAME_RATE,
        *,
        crf: int = 23,
        resume: bool = False,
    ) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() != ".mp4":
            raise WriteError(f"{self.path} should be a video, but videos are written as .mp4; change its ending.")
        if not frame_rate > 0:
            raise WriteError(f"{self.path} cannot be written with {frame_rate} frames per second; it must be above 0.")
        self.frame_rate = float(frame_rate)
        self.partial = self.path.with_name(f"{self.path.stem}.partial.mp4")
        self.count = 0
        self.last_time: float | None = None
        self._crf = crf
        self._container: Any = None
        self._stream: Any = None
        self._size: tuple[int, int] | None = None
        self._last_stamp = -1
        make_folder(self.path.parent)
        self._parts = self._earlier_parts()
        if resume:
            self._take_over()
        else:
            self._remove_parts()

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None or issubclass(kind, KeyboardInterrupt):
            self.close()
        else:
            self.stop()

    def write(self, image: np.ndarray, time: float | None = None) -> None:
        """Append a frame.

        Parameters
        ----------
        image : (H, W, 3) uint8
            BGR. All frames have one size; an odd width or height gets one more column or row, as the format wants it.
        time
            When it is shown, in seconds; later than the frame before. By default 1 / frame_rate after it.
        """
        if time is None:
            time = 0.0 if self.last_time is None else self.last_time + 1 / self.frame_rate
        height, width = image.shape[:2]
        if self._size is None:
            self._size = (width, height)
        if (width, height) != self._size:
            raise WriteError(
                f"{self.path} has frames of {self._size[0]}x{self._size[1]} and cannot take one of {width}x{height}."
            )
        if width % 2 or height % 2:
            image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="bgr24")
        frame.time_base = Fraction(1, _TICKS)
        self._last_stamp = frame.pts = max(round(time * _TICKS), self._last_stamp + 1)
        with _refusals(self.path):
            if self._container is None:
                self._start(image.shape[1], image.shape[0])
            for packet in self._stream.encode(frame):
                self._mux(packet)
        self.count += 1
        self.last_time = time

    def close(self) -> None:
        """Finish the video and move it to its place. Without any frame there is no file."""
        self._finish()
        parts = [*self._parts, self.partial] if self.partial.exists() else self._parts
        if parts:
            with atomic_write(self.path) as temporary, _refusals(self.path):
                _join(parts, temporary)
            self._parts = parts
            self._remove_parts()

    def stop(self) -> None:
        """Finish the partial video and leave it beside its place, to be played or gone on with."""
        try:
            self._finish()
        except WriteError:  # the disk is full: what is complete on it can be played
            _cut_to_boxes(self.partial)

    def discard(self) -> None:
        """Remove everything that was written."""
        with contextlib.suppress(WriteError):
            self._finish()
        self._parts = self._earlier_parts()
        self._remove_parts()

    # -- FFmpeg ---------------------------------------------------------------------------------------------------

    def _start(self, width: int, height: int) -> None:
        # Fragments begin at keyframes; each is complete in itself, and handed to the system at once.
        options = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "flush_packets": "1"}
        self._container = av.open(str(self.partial), "w", format="mp4", options=options)
        # Time stamps in the file count from its first frame; a later part has to say where that is.
        self._container.metadata["comment"] = str(self._last_stamp)
        self._stream = stream = self._container.add_stream("libx264", rate=_rate(self.frame_rate))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, _TICKS)
        # Without reordered frames parts can be joined, and time stamps need no edit list.
        stream.codec_context.max_b_frames = 0
        stream.codec_context.gop_size = max(1, round(2 * self.frame_rate))
        stream.options = {"preset": "veryfast", "crf": str(self._crf)}

    def _mux(self, packet: Any) -> None:
        packet.duration = round(_TICKS / self.frame_rate)
        self._container.mux(packet)

    def _finish(self) -> None:
        container, self._container = self._container, None
        if container is None:
            return
        with _refusals(self.path):
            try:
                for packet in self._stream.encode():
                    packet.duration = round(_TICKS / self.frame_rate)
                    container.mux(packet)
            finally:
                container.close()

    # -- parts of earlier runs ------------------------------------------------------------------------------------

    def _earlier_parts(self) -> list[Path]:
        stem = self.path.stem
        pattern = re.compile(re.escape(stem) + r"\.partial-([0-9]+)\.mp4")
        found = {int(match[1]): file for file in self.path.parent.iterdir() if (match := pattern.fullmatch(file.name))}
        return [found[number] for number in sorted(found)]

    def _remove_parts(self) -> None:
        for part in (*self._parts, self.partial):
            part.unlink(missing_ok=True)
        self._parts = []

    def _take_over(self) -> None:
        """Make the partial video of an earlier run a finished part, and find out where it ends."""
        if self.path.exists() and not self.partial.exists() and not self._parts:
            self.path.rename(self.partial)  # the user had interrupted, and the video was finished as far as it went
        if self.partial.exists():
            _cut_to_boxes(self.partial)
            part = self.path.with_name(f"{self.path.stem}.partial-{len(self._parts) + 1}.mp4")
            self.partial.rename(part)
            self._parts.append(part)
        for part in list(self._parts):
            stamps, size = _stamps(part)
            if not stamps:
                part.unlink()
                self._parts.remove(part)
                continue
            self._size = size
            self.count += len(stamps)
            self._last_stamp = stamps[-1]
            self.last_time = stamps[-1] / _TICKS


class MotionJpegWriter:
    """Writes a motion JPEG AVI, which any player shows and no browser; as a file beside its place until it is closed.

    Parameters
    ----------
    path
        The file to make or replace.
    frame_rate
        Frames per second; the format has no time stamps.

    Raises
    ------
    WriteError
        If the file cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], frame_rate: float) -> None:
        self.path = Path(path)
        self.partial = self.path.with_name(f"{self.path.stem}.partial{self.path.suffix}")
        self.frame_rate = frame_rate
        self._container: Any = None
        self._stream: Any = None
        make_folder(self.path.parent)

    def write(self, image: np.ndarray) -> None:
        """Append a (H, W, 3) uint8 BGR image."""
        with _refusals(self.path):
            if self._container is None:
                self._container = av.open(str(self.partial), "w", format="avi")
                self._stream = self._container.add_stream("mjpeg", rate=_rate(self.frame_rate))
                self._stream.height, self._stream.width = image.shape[:2]
                self._stream.pix_fmt = "yuvj420p"
                self._stream.codec_context.qmin = self._stream.codec_context.qmax = 3  # hardly any loss
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="bgr24")
            self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Finish the file and move it to its place."""
        self.stop()
        with _refusals(self.path):
            if self.partial.exists():
                os.replace(self.partial, self.path)

    def stop(self) -> None:
        """Finish the partial file and leave it where it is."""
        container, self._container = self._container, None
        if container is not None:
            with _refusals(self.path):
                try:
                    container.mux(self._stream.encode())
                finally:
                    container.close()


def _rate(frame_rate: float) -> Fraction:
    return Fraction(frame_rate).limit_denominator(1001)


@contextlib.contextmanager
def _refusals(path: Path) -> Iterator[None]:
    """Say in our words that `path` cannot be written."""
    try:
        yield
    except WriteError:
        raise
    except (av.FFmpegError, OSError) as error:
        raise write_error(path, error if isinstance(error, OSError) else OSError(_reason(error))) from error


def _stamps(path: Path) -> tuple[list[int], tuple[int, int]]:
    """Time stamps of the frames of a video of ours, in ticks, and its size."""
    try:
        with av.open(str(path)) as container:
            stream: Any = container.streams.video[0]
            size = (stream.codec_context.width, stream.codec_context.height)
            ticks = _TICKS * float(stream.time_base or 0)
            start = _start_of(container)
            packets = (packet for packet in container.demux(stream) if packet.pts is not None)
            return [start + round(packet.pts * ticks) for packet in packets], size
    except (av.FFmpegError, IndexError):
        return [], (0, 0)


def _start_of(container: InputContainer) -> int:
    """The time stamp, in ticks, of the first frame of a video of ours."""
    comment = container.metadata.get("comment", "")
    return int(comment) if comment.isdecimal() else 0


def _join(parts: Sequence[Path], target: Path) -> None:
    """Copy the packets of MP4 fragments into one MP4 with its index at the front."""
    with av.open(str(target), "w", format="mp4", options={"movflags": "faststart"}) as output:
        stream: Any = None
        for part in parts:
            with av.open(str(part)) as container:
                source: Any = container.streams.video[0]
                if stream is None:
                    stream = output.add_stream_from_template(source)
                    output.metadata["comment"] = str(_start_of(container))
                shift = round(_start_of(container) / _TICKS / source.time_base)
                for packet in container.demux(source):
                    if packet.dts is not None:
                        packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                        packet.stream = stream
                        output.mux(packet)


def _cut_to_boxes(path: Path) -> None:
    """Cut an MP4 in fragments behind its last complete fragment."""
    end = 0
    for kind, stop in _boxes(path):
        if stop > path.stat().st_size:
            break
        if kind in (b"moov", b"mdat"):
            end = stop
    os.truncate(path, end)
