"""Write videos through PyAV (FFmpeg) that browsers and desktop players show."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from ._files import atomic_write, make_folder, reason_of, refuse_overwrite, write_error
from .errors import WriteError
from .sources.base import DEFAULT_FRAME_RATE
from .sources.video import mp4_boxes

_TICKS = 90_000  # time stamps of written videos, per second


class VideoWriter:
    """Write an H.264 MP4 that every browser plays: yuv420p, index at the front (faststart), real time stamps.

    While it is being written the video is beside its place as `NAME.partial.mp4`, in fragments of at most two seconds
    that can be played at any moment, also after the program was killed. `close` puts the index to the front and moves
    it to its place. As a context manager it is closed at the end of the block and when the user interrupts; after any
    other error the partial video stays.

    Parameters
    ----------
    path
        The file to make or replace; it must end in .mp4.
    frame_rate
        Frames per second: for frames written without a time, and for how long the last one is shown.
    crf
        Constant rate factor of x264: 18 looks like the original, 28 is small.
    pixel_aspect
        Width of a pixel by its height, as of `Source.pixel_aspect`; players stretch the picture by it.
    inputs
        Files that are read, or a `Source`; they are never overwritten.

    Attributes
    ----------
    path, partial : pathlib.Path
        Where the video will be, and where it is while it is written.
    count : int
        Frames written.
    last_time : float or None
        Time stamp of the last of them in seconds.

    Raises
    ------
    WriteError
        If the file cannot be written, or is an input.

    Examples
    --------
    >>> with VideoWriter(getfixture("tmp_path") / "dark.mp4", 10) as writer:
    ...     for _ in range(3):
    ...         writer.write(np.zeros((48, 64, 3), np.uint8))
    >>> fl.open_source(writer.path)
    <video 'dark': 3 frames, 64x48, 10 frames/s>
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        frame_rate: float = DEFAULT_FRAME_RATE,
        *,
        crf: int = 23,
        pixel_aspect: Fraction = Fraction(1),
        inputs: Any = (),
    ) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() != ".mp4":
            raise WriteError(f"{self.path} should be a video, but videos are written as .mp4; change its ending.")
        if not 0 < frame_rate < math.inf:
            raise WriteError(
                f"{self.path} cannot be written with {frame_rate} frames per second; give a finite number above 0."
            )
        self.frame_rate = float(frame_rate)
        self.partial = self.path.with_name(f"{self.path.stem}.partial.mp4")
        for place in (self.path, self.partial):
            refuse_overwrite(place, inputs)
        self.count = 0
        self.last_time: float | None = None
        self._crf = crf
        self._aspect = pixel_aspect
        self._container: Any = None
        self._stream: Any = None
        self._size: tuple[int, int] | None = None
        self._last_stamp = -1
        make_folder(self.path.parent)
        self.partial.unlink(missing_ok=True)

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
        if not (isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3):
            raise WriteError(
                f"{self.path} is made of images (height, width, 3) of uint8, blue first; give such arrays."
            )
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
            self._mux(self._container, self._stream.encode(frame))
        self.count += 1
        self.last_time = time

    def close(self) -> None:
        """Finish the video and move it to its place; without frames no file is written."""
        self._finish()
        if self.partial.exists():
            with atomic_write(self.path) as temporary, _refusals(self.path):
                _put_index_first(self.partial, temporary)
            self.partial.unlink()

    def stop(self) -> None:
        """Finish the partial video and leave it beside its place."""
        try:
            self._finish()
        except WriteError:  # the disk is full: what is complete on it can be played
            _cut_to_boxes(self.partial)

    def discard(self) -> None:
        """Remove what was written."""
        with contextlib.suppress(WriteError):
            self._finish()
        self.partial.unlink(missing_ok=True)

    # -- FFmpeg ---------------------------------------------------------------------------------------------------

    def _start(self, width: int, height: int) -> None:
        # Fragments begin at keyframes; each is complete in itself, and handed to the system at once.
        options = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "flush_packets": "1"}
        self._container = av.open(f"file:{self.partial}", "w", format="mp4", options=options)
        self._stream = stream = self._container.add_stream("libx264", rate=_rate(self.frame_rate))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, _TICKS)
        stream.codec_context.sample_aspect_ratio = self._aspect
        # Without reordered frames time stamps need no edit list.
        stream.codec_context.max_b_frames = 0
        stream.codec_context.gop_size = max(1, round(2 * self.frame_rate))
        # With more threads x264 gives other bytes, by the number of cores and now and then from run to run.
        stream.codec_context.thread_count = 1
        # And with code for AVX-512 its macroblock tree reads memory that nothing was written to.
        stream.options = {"preset": "veryfast", "crf": str(self._crf), "x264-params": "cpu-independent=1"}

    def _mux(self, container: Any, packets: list[Any]) -> None:
        for packet in packets:
            packet.duration = round(_TICKS / self.frame_rate)
            container.mux(packet)

    def _finish(self) -> None:
        container, self._container = self._container, None
        if container is None:
            return
        with _refusals(self.path):
            try:
                self._mux(container, self._stream.encode())
            finally:
                container.close()


class MotionJpegWriter:
    """Write a motion JPEG AVI, which plays in desktop players, not in browsers; `NAME.partial.avi` until it is closed.

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
                self._container = av.open(f"file:{self.partial}", "w", format="avi")
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
        raise write_error(path, error if isinstance(error, OSError) else OSError(reason_of(error))) from error


def _put_index_first(fragments: Path, target: Path) -> None:
    """Copy the packets of an MP4 in fragments into one with its index at the front."""
    with (
        av.open(f"file:{fragments}") as container,
        av.open(f"file:{target}", "w", format="mp4", options={"movflags": "faststart"}) as output,
    ):
        source: Any = container.streams.video[0]
        stream: Any = output.add_stream_from_template(source)
        for packet in container.demux(source):
            if packet.dts is not None:
                packet.stream = stream
                output.mux(packet)


def _cut_to_boxes(path: Path) -> None:
    """Cut an MP4 in fragments behind its last complete fragment."""
    end = 0
    for kind, stop in mp4_boxes(path):
        if stop > path.stat().st_size:
            break
        if kind in (b"moov", b"mdat"):
            end = stop
    os.truncate(path, end)
