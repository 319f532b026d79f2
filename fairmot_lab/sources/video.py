"""Read videos through PyAV (FFmpeg), with exact frame numbers and real time stamps."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import re
import threading
import warnings
from collections import OrderedDict
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.stream import Disposition

from ..errors import FairMOTLabWarning, SourceError
from .base import DEFAULT_FRAME_RATE, Frame, Kind, Source

if TYPE_CHECKING:
    from av.container import InputContainer


_CACHE_BYTES = 96 * 2**20
_TEXT_ART_CODECS = {"ansi", "bintext", "xbin", "idf"}  # FFmpeg plays any text file as ANSI art


@dataclass(frozen=True)
class _VideoIndex:
    """Where each frame of a video is: found by reading the packets, without decoding them where that is enough."""

    stamps: np.ndarray  # (F,) presentation time stamps, ascending, in units of the stream's time base
    keyframes: np.ndarray  # (K,) numbers (from 1) of the frames where decoding can start
    seeks: np.ndarray  # (K, 2) stamps to seek to for each keyframe: presentation, decoding
    by_stamp: bool  # False: the container has no presentation time stamps, frames are known by counting them


class VideoSource(Source):
    """A video file, read with FFmpeg through PyAV.

    Frames are counted exactly when the file is opened: from the packets, which reads the file once without decoding it,
    or by decoding where the container does not say when each frame is shown. Frame numbers follow from the time stamps,
    so they do not depend on where reading begins. Rotation metadata is applied. Random access starts at the keyframe
    before, so its cost is bounded by the distance between keyframes; what is decoded on the way goes to a 96 MiB cache.
    """

    kind: Kind = "video"

    def __init__(self, path: Path, frame_rate: float | None, name: str | None, allow_truncated: bool) -> None:
        super().__init__(name or path.stem, path, frame_rate or DEFAULT_FRAME_RATE)
        with self._open() as container:
            stream = self._stream(container)
            own_rate = stream.average_rate or stream.guessed_rate
            time_base = float(stream.time_base or 0)
        self._index = self._read_index(allow_truncated)
        self.length = len(self._index.stamps)
        if frame_rate is None and own_rate:
            self.frame_rate = float(own_rate)
        # A frame rate that the user sets replaces the file's time stamps.
        stamped = frame_rate is None and self._index.by_stamp and time_base > 0
        self._times = (
            (self._index.stamps - self._index.stamps[0]) * time_base
            if stamped
            else np.arange(self.length) / self.frame_rate
        )
        self._lock = threading.Lock()
        self._cache: OrderedDict[int, np.ndarray] = OrderedDict()
        self._reader: Iterator[tuple[int, Any]] | None = None
        self._next = 1
        with contextlib.closing(self._decoded(1)) as decoded:
            first = next(decoded, None)
            if first is None:
                raise SourceError(f"{path} cannot be decoded: 0 of its {self.length} frames could be read.")
            self.height, self.width = upright(first[1]).shape[:2]

    def times(self) -> np.ndarray:
        """Seconds since the first frame, one for each frame."""
        return self._times.copy()

    def time_of(self, number: int) -> float:
        self._check_number(number)
        return float(self._times[number - 1])

    def number_at(self, time: float) -> int:
        return max(1, int(np.searchsorted(self._times, time + 1e-6, side="right")))

    def frames(self, first: int = 1, last: int | None = None) -> Iterator[Frame]:
        first, last = self._span(first, last)
        due = first
        missing: list[int] = []
        damaged: list[int] = []
        for number, frame in self._decoded(first):
            if number > last:
                break
            missing.extend(range(due, number))
            if frame.is_corrupt:
                damaged.append(number)
            due = number + 1
            yield Frame(number, self._fit(upright(frame), number), float(self._times[number - 1]))
        missing.extend(range(due, last + 1))
        faults = []
        if missing:
            faults.append(
                f"{len(missing)} of {len(self)} frames could not be decoded and are left out ({_ranges(missing)})"
            )
        if damaged:
            faults.append(f"{len(damaged)} are shown with damage ({_ranges(damaged)})")
        if faults:
            read = last - first + 1 - len(missing)
            message = f"{self.path}: {', '.join(faults)}; {read} frames were read."
            warnings.warn(message, FairMOTLabWarning, stacklevel=2)

    def image(self, number: int) -> np.ndarray:
        self._check_number(number)
        with self._lock:
            if number in self._cache:
                self._cache.move_to_end(number)
                return self._cache[number]
            start = self._keyframe(number)
            if self._reader is None or not start <= self._next <= number:
                self._reader, self._next = self._decoded(start), start
            for found, frame in self._reader:
                self._next = found + 1
                self._remember(found, self._fit(upright(frame), found))
                if found == number:
                    return self._cache[number]
                if found > number:
                    break
            else:
                self._reader = None
            raise SourceError(f"Frame {number} of {self.path} cannot be decoded; the video is damaged there.")

    def close(self) -> None:
        with self._lock:
            self._reader = None
            self._cache.clear()

    def fingerprint(self) -> str:
        assert self.path is not None
        size = self.path.stat().st_size
        digest = hashlib.sha256(f"video\0{size}\0".encode())
        with self.path.open("rb") as file:
            for start in (0, size // 2, max(0, size - 2**20)):
                file.seek(start)
                digest.update(file.read(2**20))
        return digest.hexdigest()

    def _remember(self, number: int, image: np.ndarray) -> None:
        self._cache[number] = image
        while len(self._cache) > 4 and len(self._cache) * image.nbytes > _CACHE_BYTES:
            self._cache.popitem(last=False)

    def _keyframe(self, number: int) -> int:
        """The last frame up to `number` where decoding can start."""
        place = int(np.searchsorted(self._index.keyframes, number, side="right")) - 1
        return int(self._index.keyframes[max(0, place)])

    # -- FFmpeg ---------------------------------------------------------------------------------------------------

    def _open(self) -> InputContainer:
        try:
            return av.open(os.fspath(self.path))  # type: ignore[arg-type]
        except (av.FFmpegError, OSError, ValueError) as error:
            raise SourceError(
                f"{self.path} cannot be read as a video ({_reason(error)}); it is of another kind, damaged, or cut off."
            ) from error

    def _stream(self, container: InputContainer) -> Any:
        for stream in container.streams.video:
            if stream.disposition & Disposition.attached_pic:  # the cover of an audio file
                continue
            if stream.codec_context is None:
                raise SourceError(
                    f"{self.path} is coded in a way that FFmpeg cannot decode; convert it, e.g. to H.264."
                )
            if stream.codec_context.name in _TEXT_ART_CODECS:
                break
            stream.thread_type = "AUTO"
            return stream
        if container.streams.audio:
            raise SourceError(f"{self.path} holds sound but no picture; give a video.")
        if "mp4" in container.format.name and _boxes_are_cut(self.path):  # type: ignore[arg-type]
            raise SourceError(
                f"{self.path} is cut off before its index, so 0 frames could be read; get the whole file."
            )
        raise SourceError(
            f"{self.path} holds no picture (0 frames); give a video, a sequence folder or a folder of images."
        )

    def _read_index(self, allow_truncated: bool) -> _VideoIndex:
        with self._open() as container:
            stream = self._stream(container)
            reorders = bool(stream.codec_context.has_b_frames)
            invented = reorders and container.format.name == "avi"  # AVI has no presentation stamps; FFmpeg guesses
            packets, end = [], 0
            count = 0
            for packet in _demux(container, stream):
                if packet.dts is None and packet.pts is None and not packet.size:
                    continue  # the end marker that flushes the decoder
                count += not packet.is_corrupt
                end = max(end, (packet.dts or packet.pts or 0) + (packet.duration or 0))
                if packet.size and not packet.is_discard and not packet.is_corrupt:
                    stamp = packet.pts if packet.pts is not None or reorders else packet.dts
                    packets.append((stamp, stamp if packet.dts is None else packet.dts, packet.is_keyframe))
            lacking = self._lacking(container, stream, count, end)
        if not packets:
            raise SourceError(f"{self.path} has 0 frames; it was cut off, or nothing was recorded.")
        stamps = [stamp for stamp, _, _ in packets]
        if invented or None in stamps or len(set(stamps)) != len(stamps):
            index = self._decode_index(trust_stamps=not invented)
        else:
            index = _index_of_packets(*(np.array(column) for column in zip(*packets, strict=True)))
        if lacking is not None:
            said = f"{self.path} ends early: {len(index.stamps)}{lacking} frames could be read"
            if not allow_truncated:
                raise SourceError(
                    f"{said}; get the whole file, or use these frames alone (--allow-truncated, allow_truncated=True)."
                )
            warnings.warn(f"{said}; the rest is missing.", FairMOTLabWarning, stacklevel=4)
        return index

    def _lacking(self, container: InputContainer, stream: Any, count: int, end: int) -> str | None:
        """None if the file holds what its header promises; else how much that is, for a message."""
        base = float(stream.time_base or 0)
        if stream.frames:
            if count >= stream.frames:
                return None
            rate = float(stream.average_rate or stream.guessed_rate or 0)
            if rate and (end - (stream.start_time or 0)) * base >= 0.99 * stream.frames / rate:
                warnings.warn(
                    f"{self.path} is damaged: {stream.frames - count} of {stream.frames} frames are lost in between.",
                    FairMOTLabWarning,
                    stacklevel=5,
                )
                return None
            return f" of {stream.frames}"
        if "mp4" in container.format.name:
            return "" if _boxes_are_cut(self.path) else None  # type: ignore[arg-type]
        seconds = None
        # Matroska as FFmpeg and mkvmerge write it: 00:00:10.400000000
        if match := re.fullmatch(r"([0-9]+):([0-9]+):([0-9.]+)", stream.metadata.get("DURATION", "")):
            hours, minutes, rest = (float(part) for part in match.groups())
            seconds = hours * 3600 + minutes * 60 + rest
        elif container.format.name in ("flv", "asf") and len(container.streams) == 1 and container.duration:
            seconds = container.duration / av.time_base
        tolerance = 0.5
        return "" if seconds is not None and end * base < seconds - tolerance else None

    def _decode_index(self, trust_stamps: bool) -> _VideoIndex:
        """Count by decoding, for containers without presentation time stamps."""
        stamps, keyframes = [], []
        with self._open() as container:
            for number, frame in enumerate(_decode(container, self._stream(container)), 1):
                stamps.append(frame.pts)
                if frame.key_frame and frame.pts is not None:
                    keyframes.append((number, frame.pts))
        if not stamps:
            raise SourceError(f"{self.path} cannot be decoded: 0 frames could be read.")
        by_stamp = trust_stamps and None not in stamps and all(a < b for a, b in itertools.pairwise(stamps))
        if not keyframes or keyframes[0][0] != 1:
            keyframes.insert(0, (1, stamps[0] or 0))
        numbers, seeks = np.array(keyframes).T
        shown = np.array(stamps) if by_stamp else np.arange(len(stamps))
        return _VideoIndex(shown, numbers, np.stack([seeks, seeks], axis=1), by_stamp)

    def _decoded(self, first: int) -> Generator[tuple[int, Any], None, None]:
        """Numbers and decoded frames from frame `first` on, ascending; what cannot be decoded is absent."""
        start = self._keyframe(first)
        due = first
        for place in self._places(start):
            with self._open() as container:
                stream = self._stream(container)
                if place is not None:
                    container.seek(place, stream=stream, backward=True)
                number: int | None = None
                for frame in _decode(container, stream):
                    arrived = number is not None
                    number = self._number(frame, number, place is None)
                    if number is None:
                        continue
                    if not arrived and place is not None and number > start:
                        number = None  # sought too far
                        break
                    if number >= due:  # in a damaged part a frame can come late or twice
                        due = number + 1
                        yield number, frame
                if number is not None:
                    return

    def _places(self, start: int) -> Iterator[int | None]:
        """Stamps to seek to for reading from keyframe `start`: some containers seek inexactly, so earlier follow."""
        at = int(np.searchsorted(self._index.keyframes, start))
        if at:
            yield from dict.fromkeys(self._index.seeks[at].tolist())
            back = 1
            while at > back:
                yield int(self._index.seeks[at - back, 0])
                back = 2 * back + 1
        yield None

    def _number(self, frame: Any, previous: int | None, from_start: bool) -> int | None:
        """The number of a decoded frame; None if it is not known (yet)."""
        index = self._index
        if index.by_stamp:
            known, stamps = None, index.stamps
        elif previous is not None or from_start:
            return (previous or 0) + 1
        else:
            known, stamps = index.keyframes, index.seeks[:, 0]
        if frame.pts is None:
            return None
        place = int(np.searchsorted(stamps, frame.pts))
        if place == len(stamps) or stamps[place] != frame.pts:
            return None
        return place + 1 if known is None else int(known[place])


def _index_of_packets(stamps: np.ndarray, decoding: np.ndarray, keys: np.ndarray) -> _VideoIndex:
    # What is shown before the first keyframe cannot be decoded: it needs a picture that is not in the file.
    first = int(np.argmax(keys)) if keys.any() else 0
    kept = (np.arange(len(stamps)) >= first) & (stamps >= stamps[first])
    order = np.flatnonzero(kept)[np.argsort(stamps[kept])]
    keyframes = np.flatnonzero(keys[order])
    if not len(keyframes):
        keyframes = np.array([0])
    seeks = np.stack([stamps, decoding], axis=1)[order[keyframes]]
    return _VideoIndex(stamps[order], keyframes + 1, seeks, True)


def _boxes(path: Path) -> Iterator[tuple[bytes, int]]:
    """Kind and end of each of the boxes that an MP4 file consists of; the last may end behind the file."""
    size, position = path.stat().st_size, 0
    with path.open("rb") as file:
        while position < size:
            file.seek(position)
            head = file.read(16)
            length = int.from_bytes(head[:4], "big")
            if length == 1:  # the length does not fit 32 bits and follows the kind
                length = int.from_bytes(head[8:16], "big")
            position = size if length == 0 else position + max(length, 8)
            yield head[4:8], position


def _boxes_are_cut(path: Path) -> bool:
    """Whether the last box of an MP4 file is longer than what is left of the file."""
    return any(end > path.stat().st_size for _, end in _boxes(path))


def _demux(container: InputContainer, stream: Any) -> Iterator[Any]:
    """Packets of a stream; reading goes on after damaged places, and ends after many of them without a packet."""
    failures = 0
    while failures < 20:
        try:
            for packet in container.demux(stream):
                failures = 0
                yield packet
            return
        except (av.FFmpegError, OSError):
            failures += 1


def _decode(container: InputContainer, stream: Any) -> Iterator[Any]:
    """Frames of a stream; packets that cannot be decoded give none."""
    for packet in _demux(container, stream):
        try:
            yield from packet.decode()
        except (av.FFmpegError, OSError):
            continue


def upright(frame: Any) -> np.ndarray:
    """The frame as BGR, turned as its display matrix says (a phone held upright records turned pictures)."""
    image = frame.to_ndarray(format="bgr24")
    turns = round(frame.rotation / 90) % 4  # counter-clockwise degrees
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _ranges(numbers: Sequence[int]) -> str:
    """[3, 4, 5, 9] as "3-5, 9"; long lists are shortened."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    texts = [str(a) if a == b else f"{a}-{b}" for a, b in parts]
    return ", ".join(texts[:8]) + (f" and {len(texts) - 8} more places" if len(texts) > 8 else "")


class AddressReader:
    """Plays a network address once: an iterable of upright BGR images, to be used in a `with` block.

    Attributes
    ----------
    frame_rate : float or None
        Frames per second, where the stream says so.
    finite : bool
        Whether it is a file that ends, not a live stream.
    """

    def __init__(self, address: str, timeout: float) -> None:
        # TCP: over UDP a lost datagram damages every picture up to the next keyframe
        options = {"rtsp_transport": "tcp"} if address.startswith("rtsp") else {}
        self._container = av.open(address, options=options, timeout=(timeout, timeout))
        if not self._container.streams.video:
            self._container.close()
            raise OSError("it has no picture")
        self._stream = self._container.streams.video[0]
        self._stream.thread_type = "AUTO"
        rate = self._stream.average_rate or self._stream.guessed_rate
        self.frame_rate = float(rate) if rate else None
        self.finite = bool(self._container.duration)

    def __enter__(self) -> AddressReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def __iter__(self) -> Iterator[tuple[np.ndarray, float | None]]:
        for packet in self._container.demux(self._stream):
            try:
                frames = packet.decode()
            except av.InvalidDataError:  # a damaged packet; what follows may be whole
                continue
            for frame in frames:
                yield upright(frame), frame.time
