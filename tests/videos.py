"""Small videos with known content, and their faults, for the tests of sources and tracking."""

from __future__ import annotations

import os
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def picture(number: int, width: int = 64, height: int = 48) -> np.ndarray:
    """A BGR image that shows its number as eight black and white columns (bit 0 on the left)."""
    image = np.full((height, width, 3), 90, np.uint8)
    for bit in range(8):
        left, right = bit * width // 8, (bit + 1) * width // 8
        image[: height // 2, left:right] = 255 if number >> bit & 1 else 0
    return image


def number_in(image: np.ndarray) -> int:
    """The number that `picture` drew, read back from a decoded image of any size."""
    height, width = image.shape[:2]
    row = image[height // 4, :, 0]
    return sum((row[(2 * bit + 1) * width // 16] > 127) << bit for bit in range(8))


def write_video(
    path: Path,
    count: int = 20,
    *,
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    rate: int = 10,
    gop: int = 5,
    b_frames: int = 2,
    stamps: list[int] | None = None,
    pixels: str = "yuv420p",
    movflags: str = "faststart",
    time_base: int = 1000,
    aspect: Fraction | None = None,
    x264: str = "",
) -> Path:
    """Encode `picture(1)` ... `picture(count)`; `stamps` are in milliseconds."""
    options = {"movflags": movflags} if path.suffix in (".mp4", ".mov") else {}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt = pixels
        stream.codec_context.gop_size = gop
        if codec in ("libx264", "mpeg4"):
            stream.codec_context.max_b_frames = b_frames
        if codec == "libx264":
            stream.options = {"crf": "12", "sc_threshold": "0", **({"x264-params": x264} if x264 else {})}
        if codec == "libx265":
            stream.options = {"crf": "12", "x265-params": f"log-level=none:keyint={gop}:bframes={b_frames}"}
        if codec == "libsvtav1":
            stream.options = {"preset": "12", "crf": "20", "svtav1-params": f"keyint={gop}"}
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if stamps is not None:
            stream.time_base = stream.codec_context.time_base = Fraction(1, time_base)
        for number in range(1, count + 1):
            frame = av.VideoFrame.from_ndarray(picture(number, *size), format="bgr24")
            if stamps is not None:
                frame.pts, frame.time_base = stamps[number - 1] * time_base // 1000, Fraction(1, time_base)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    if codec == "libsvtav1" and hasattr(os, "sched_setscheduler"):
        # as root, SVT-AV1 makes its caller a real-time thread (FIFO, 99), and all that it starts later starve the rest
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return path


def trim(path: Path, target: Path, seconds: float) -> Path:
    """Cut the beginning off without encoding again: an edit list hides the frames from the keyframe on."""
    with av.open(str(path)) as source, av.open(str(target), "w") as output:
        stream = source.streams.video[0]
        copy = output.add_stream_from_template(stream, opaque=True)  # the decoder of AV1 has no encoder
        shift = round(seconds / stream.time_base)
        for packet in source.demux(stream):
            if packet.dts is not None:
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, copy
                output.mux(packet)
    return target


def write_sound(path: Path, seconds: int = 1) -> Path:
    """A file with sound and no picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        for start in range(0, 8000 * seconds, 1024):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 8000, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def turn(path: Path, degrees: int, upside_down: bool = False) -> Path:
    """Write a display matrix into an MP4, as a phone does: `degrees` clockwise, of a picture stored upside down."""
    one = -0x10000 if upside_down else 0x10000
    a, b = {0: (0x10000, 0), 90: (0, 0x10000), 180: (-0x10000, 0), 270: (0, -0x10000)}[degrees]
    matrix = struct.pack(">9i", a, b, 0, -b * one // 0x10000, a * one // 0x10000, 0, 0, 0, 0x40000000)
    data = path.read_bytes()
    place = data.index(b"tkhd") + 4 + 40
    path.write_bytes(data[:place] + matrix + data[place + 36 :])
    return path


def damage(path: Path, start: float, stop: float) -> Path:
    """Overwrite the part of a file between two fractions of its length with noise."""
    data = bytearray(path.read_bytes())
    first, last = int(start * len(data)), int(stop * len(data))
    data[first:last] = np.random.default_rng(0).integers(0, 256, last - first, np.uint8).tobytes()
    path.write_bytes(data)
    return path
