"""Read videos through PyAV (FFmpeg): the frames that FFmpeg decodes, in order, with their time stamps."""

from __future__ import annotations

import bisect
import contextlib
import hashlib
import itertools
import re
import threading
from collections import OrderedDict
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.stream import Disposition

from .._files import cannot_read, reason_of
from ..errors import SourceError, warn
from .base import DEFAULT_FRAME_RATE, Frame, Kind, Source, ranges
from .images import ValueRange, own_range, to_bgr

if TYPE_CHECKING:
    from av.container import InputContainer


_REPAIR = "get the whole file, or convert it with FFmpeg"
_CACHE_BYTES = 96 * 2**20
_CLOCKED = {"mpegts", "mpeg", "dv"}  # time stamps are those of a clock that runs on between recordings
_OUTPUT_CORRUPT = 1 << 3  # AV_CODEC_FLAG_OUTPUT_CORRUPT
_HDR = {16: "PQ", 18: "HLG"}
_TEXT_ART_CODECS = {"ansi", "bintext", "xbin", "idf"}  # FFmpeg plays any text file as ANSI art


@dataclass(frozen=True)
class _VideoIndex:
    """Where each frame of a video is, found by reading the packets, or by decoding where packets do not tell."""

    stamps: np.ndarray  # (F,) time stamps that decoded frames carry, in units of the stream's time base
    shown: np.ndarray | None  # (F,) when each frame is shown, in the same units; None: the file does not say
    keyframes: np.ndarray  # (K,) numbers (from 1) of the frames where decoding can start
    seeks: np.ndarray  # (K, 2) stamps to seek to for each keyframe: presentation, decoding
    by_stamp: bool  # False: frames are known by counting them
    damaged: tuple[int, ...] = ()  # numbers of frames that are known to be damaged
    incomplete: bool = False  # parts of the file cannot be read


class VideoSource(Source):
    """A video file, read with FFmpeg through PyAV.

    The frames are those that FFmpeg and OpenCV decode, in that order. They are counted when the file is opened: from
    the packets, which reads the file once without decoding it, or by decoding where packets do not tell (edit lists,
    lost packets, missing or repeated time stamps). Frame numbers do not depend on where reading begins. Rotation
    metadata is applied. Random access starts at the keyframe before, so its cost is bounded by the distance between
    keyframes; what is decoded on the way goes to a 96 MiB cache.
    """

    kind: Kind = "video"

    def __init__(
        self,
        path: Path,
        frame_rate: float | None,
        name: str | None,
        allow_truncated: bool,
        value_range: ValueRange | None = None,
    ) -> None:
        super().__init__(name or path.stem, path, frame_rate or DEFAULT_FRAME_RATE)
        self.value_range = value_range
        self._given = frame_rate, name, allow_truncated
        self._state = _file_state(path)
        with self._open() as container:
            stream = self._stream(container)
            header_rate = stream.average_rate or stream.guessed_rate
            time_base = float(stream.time_base or 0)
            aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
            live_clock = container.format.name in _CLOCKED
            others = [each.index for each in container.streams.video if each is not stream and not _is_cover(each)]
        self._index = self._read_index(allow_truncated)
        self.length = len(self._index.stamps)
        shown = self._index.shown
        times = None if shown is None or not time_base else self._continuous(shown * time_base, live_clock)
        if frame_rate is None:
            self.frame_rate = self._rate(header_rate, times)
        # A frame rate that the user sets replaces the file's time stamps.
        self._times = np.arange(self.length) / self.frame_rate if times is None or frame_rate is not None else times
        self._lock = threading.Lock()
        self._cache: OrderedDict[int, np.ndarray] = OrderedDict()
        self._reader: Iterator[tuple[int, Any]] | None = None
        self._next = 1
        with contextlib.closing(self._decoded(1)) as decoded:
            first = next(decoded, None)
            if first is None:
                raise SourceError(f"{path} cannot be decoded: 0 of its {self.length} frames could be read; {_REPAIR}.")
            if self.value_range is None and _is_deep(first[1]):
                self._find_range()
            self.height, self.width = upright(first[1], self.value_range).shape[:2]
            self._describe(first[1], aspect)
        if others:
            self._warn(
                f"it holds {len(others) + 1} videos, and the first is read; take out another by itself to read it "
                f"(ffmpeg -i {path.name} -map 0:{others[0]} -c copy OTHER{path.suffix})"
            )

    def __reduce__(self) -> tuple[Any, ...]:
        return VideoSource, (self.path, *self._given, self.value_range), {"_labels": self._labels}

    def _rate(self, header: Any, times: np.ndarray | None) -> float:
        """Return frames per second: the header's where the measured time stamps agree within 5 %, else measured."""
        header = float(header or 0)
        if times is not None and self.length and self.length > 1 and times[-1] > 0:
            measured = (self.length - 1) / float(times[-1])
            return header if abs(header - measured) <= 0.05 * measured else measured
        if 1 / 60 <= header <= 480:
            return header
        if header:
            self._warn(
                f"the header says {header:g} frames per second, which cannot be; {DEFAULT_FRAME_RATE:g} is used, set "
                "the true one with frame_rate= (--frame-rate)"
            )
        return DEFAULT_FRAME_RATE

    def _continuous(self, shown: np.ndarray, live_clock: bool) -> np.ndarray | None:
        """Seconds since the first frame; where the clock restarts or jumps, it continues by one usual step.

        None if the time stamps say nothing: there is one frame, or all have the same.
        """
        steps = np.diff(shown)
        if not (steps > 0).any():
            return None
        usual = float(np.median(steps[steps > 0]))
        incomplete = self._index.incomplete
        if (steps <= 0).any():
            straight = _without_strays(shown)
            incomplete = incomplete or not np.array_equal(straight, shown)
            steps = np.diff(straight)
        longest = max(10.0 if live_clock else 3600.0, 100 * usual)
        restarts = np.flatnonzero((steps < -usual) | (steps > longest))
        if len(restarts):
            worst = float(steps[restarts[np.argmax(np.abs(steps[restarts]))]])
            self._warn(
                f"its clock jumps by {worst:.6g} s at frame {ranges((restarts + 2).tolist())}; times continue from the "
                "frame before"
            )
        steps = np.where((steps <= 0) | (steps > longest), usual, steps)
        gaps = np.flatnonzero(steps > 1.9 * usual)
        if incomplete and len(gaps):
            self._warn(
                f"data are lost before frame {ranges((gaps + 2).tolist())} ({sum(steps[gaps] - usual):.3g} s in all); "
                "frames are numbered as FFmpeg and OpenCV decode them"
            )
        return np.concatenate([[0.0], np.cumsum(steps)])

    def _describe(self, frame: Any, aspect: Fraction | None) -> None:
        """Set the shape of the pixels; name what is unusual about the pictures."""
        if aspect and 0.1 < aspect < 10:
            self.pixel_aspect = 1 / aspect if round(frame.rotation / 90) % 2 else Fraction(aspect)
        if frame.interlaced_frame:
            self._warn(
                "it is interlaced, so that moving people have combed edges; deinterlace it first (ffmpeg: bwdif)"
            )
        if transfer := _HDR.get(int(frame.color_trc or 0)):
            self._warn(f"it is HDR ({transfer}) and read without tone mapping, so that its colours are pale")

    def _find_range(self) -> None:
        """Set the range of grey values of more than 8 bits from up to eight frames."""
        found = []
        for number in np.unique(np.linspace(1, len(self), 8).astype(int)):
            with contextlib.closing(self._decoded(int(number))) as decoded:
                found += [_grey(frame) for _, frame in itertools.islice(decoded, 1) if _is_deep(frame)]
        self.value_range = low, high = own_range(found)
        self._warn(
            f"it has grey values of more than 8 bits; {low:g} to {high:g} are shown as 0 to 255 (another range: "
            "value_range=(low, high), --value-range LOW HIGH)"
        )

    def _warn(self, said: str) -> None:
        warn(f"{self.path}: {said}.")

    def times(self) -> np.ndarray:
        """Return the seconds since the first frame, one for each frame."""
        return self._times.copy()

    def time_of(self, number: int) -> float:
        self._check_number(number)
        return float(self._times[number - 1])

    def number_at(self, time: float) -> int:
        return max(1, int(np.searchsorted(self._times, time + 1e-6, side="right")))

    def frames(self, first: int = 1, last: int | None = None) -> Iterator[Frame]:
        first, last = self.span(first, last)
        due = first
        missing: list[int] = []
        damaged: list[int] = []
        for number, frame in self._decoded(first):
            if number > last:
                break
            if number > due or frame.is_corrupt:
                self._check_unchanged(due)
            missing.extend(range(due, number))
            if frame.is_corrupt and number not in self._index.damaged:
                damaged.append(number)
            due = number + 1
            yield Frame(number, self._fit(upright(frame, self.value_range), number), float(self._times[number - 1]))
        if due <= last:
            self._check_unchanged(due)
            missing.extend(range(due, last + 1))
        faults = []
        if missing:
            faults.append(
                f"{len(missing)} of {len(self)} frames could not be decoded and are left out ({ranges(missing)})"
            )
        if damaged:
            faults.append(f"{len(damaged)} are shown with damage ({ranges(damaged)})")
        if faults:
            read = last - first + 1 - len(missing)
            message = f"{self.path}: {', '.join(faults)}; {read} frames were read."
            warn(message)

    def _check_unchanged(self, number: int) -> None:
        """Raise an error if the file is not what it was when it was opened: a fault may be over by the next try."""
        assert self.path is not None
        if _file_state(self.path) != self._state:
            raise SourceError(
                f"{self.path} changed while it was read (at frame {number} of {self.length}); track it again when it "
                "is complete."
            )

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
                self._remember(found, self._fit(upright(frame, self.value_range), found))
                if found == number:
                    return self._cache[number]
                if found > number:
                    break
            else:
                self._reader = None
            raise SourceError(
                f"Frame {number} of {self.path} cannot be decoded, as the video is damaged there; {_REPAIR}."
            )

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
        if self.value_range is not None:
            digest.update(f"{self.value_range}".encode())
        return digest.hexdigest()

    def _remember(self, number: int, image: np.ndarray) -> None:
        self._cache[number] = image
        while len(self._cache) > 4 and len(self._cache) * image.nbytes > _CACHE_BYTES:
            self._cache.popitem(last=False)

    def _keyframe(self, number: int) -> int:
        """Return the last frame up to `number` where decoding can start."""
        place = int(np.searchsorted(self._index.keyframes, number, side="right")) - 1
        return int(self._index.keyframes[max(0, place)])

    # -- FFmpeg ---------------------------------------------------------------------------------------------------

    def _open(self) -> InputContainer:
        try:
            # "file:" keeps FFmpeg from taking 10:30:05.mp4 for an address
            return av.open(f"file:{self.path}")
        except PermissionError as error:
            raise SourceError(cannot_read(str(self.path), error)) from error
        except (av.FFmpegError, OSError, ValueError) as error:
            raise SourceError(
                f"{self.path} cannot be read as a video ({reason_of(error)}), as it is of another kind, damaged, or "
                f"cut off; {_REPAIR}."
            ) from error

    def _stream(self, container: InputContainer) -> Any:
        for stream in container.streams.video:
            if _is_cover(stream):
                continue
            if stream.codec_context is None:
                raise SourceError(
                    f"{self.path} is coded in a way that FFmpeg cannot decode; convert it, e.g. to H.264."
                )
            if stream.codec_context.name in _TEXT_ART_CODECS:
                break
            stream.thread_type = "AUTO"
            if stream.codec_context.name == "hevc":  # since FFmpeg 8 it drops frames whose references are damaged
                stream.codec_context.flags |= _OUTPUT_CORRUPT
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
            avi = container.format.name == "avi"
            reorders = bool(stream.codec_context.has_b_frames)
            packets, end, whole, suspects = [], 0, True, []
            failures: list[Exception] = []
            for packet in _demux(container, stream, failures):
                if packet.dts is None and packet.pts is None and not packet.size:
                    continue  # the end marker that flushes the decoder
                end = max(end, max(packet.dts or 0, packet.pts or 0) + (packet.duration or 0))
                if not packet.size:
                    continue
                # AVI has no presentation stamps: FFmpeg guesses them, wrongly where frames are repeated
                dts = packet.pts if packet.dts is None else packet.dts
                packets.append((packet.pts if packet.pts is not None or reorders else dts, dts, packet.is_keyframe))
                whole = whole and not packet.is_discard and not packet.is_corrupt
                if packet.is_corrupt:
                    suspects.append(packet.pts)
            lacking = self._lacking(container, stream, len(packets), end)
        if not packets:
            raise SourceError(f"{self.path} has 0 frames: it was cut off, or nothing was recorded; {_REPAIR}.")
        stamps, decoding, keys = (list(column) for column in zip(*packets, strict=True))
        simple = whole and not failures and not (avi and reorders) and None not in stamps and None not in decoding
        index = _index_of_packets(np.array(stamps), np.array(decoding), np.array(keys), avi) if simple else None
        if index is None:
            slots = sorted(decoding) if avi and None not in decoding else None
            index = self._decode_index(slots, suspects, bool(failures))
        if lacking is not None:
            said = f"{self.path} ends early: {len(index.stamps)}{lacking} frames could be read"
            if not allow_truncated:
                raise SourceError(
                    f"{said}; get the whole file, or use these frames alone (--allow-truncated, allow_truncated=True)."
                )
            warn(f"{said}; the rest is missing.")
        return index

    def _lacking(self, container: InputContainer, stream: Any, count: int, end: int) -> str | None:
        """None if the file holds what its header promises; else how much that is, for a message."""
        base = float(stream.time_base or 0)
        if stream.frames:
            # AVI also counts chunks without content, which mean that the frame before is shown again
            if count >= stream.frames or (container.format.name == "avi" and end >= stream.frames):
                return None
            rate = float(stream.average_rate or stream.guessed_rate or 0)
            if rate and (end - (stream.start_time or 0)) * base >= 0.99 * stream.frames / rate:
                warn(f"{self.path} is damaged: {stream.frames - count} of {stream.frames} frames are lost in between.")
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

    def _decode_index(self, slots: list[int] | None, suspects: list[int | None], failed: bool) -> _VideoIndex:
        """Count by decoding.

        Parameters
        ----------
        slots
            The times at which frames are shown, where the container keeps them apart from the frames (AVI).
        suspects
            Time stamps of packets that arrived damaged.
        failed
            Whether packets could not be read.
        """
        stamps, keyframes, damaged = [], [], []
        with self._open() as container:
            for number, frame in enumerate(_decode(container, self._stream(container)), 1):
                stamps.append(frame.pts)
                if frame.key_frame and frame.pts is not None:
                    keyframes.append((number, frame.pts))
                if frame.is_corrupt:
                    damaged.append(number)
        if not stamps:
            raise SourceError(f"{self.path} cannot be decoded: 0 frames could be read; {_REPAIR}.")
        ascending = None not in stamps and all(a < b for a, b in itertools.pairwise(stamps))
        by_stamp = slots is None and ascending
        if damaged:
            self._warn(f"of {len(stamps)} frames {len(damaged)} are shown with damage ({ranges(damaged)})")
        else:  # not every decoder marks the pictures that it makes of incomplete packets
            damaged = sorted(stamps.index(suspect) + 1 for suspect in suspects if suspect in stamps)
            if damaged:
                self._warn(
                    f"of {len(stamps)} frames {len(damaged)} may show damage ({ranges(damaged)}): packets are missing"
                )
        # a damaged keyframe is patched from the frames before it, so decoding has to start earlier
        keyframes = [(number, stamp) for number, stamp in keyframes if number not in damaged]
        if not by_stamp and any(a >= b for (_, a), (_, b) in itertools.pairwise(keyframes)):
            keyframes = []  # where the clock restarts, a time stamp leads to no one place
        if not keyframes or keyframes[0][0] != 1:
            keyframes.insert(0, (1, stamps[0] or 0))
        numbers, seeks = np.array(keyframes).T
        if slots is not None:
            shown = np.array(slots) if len(slots) == len(stamps) else None
        else:
            shown = None if None in stamps else np.array(stamps)
        keys = np.array(stamps) if by_stamp else np.arange(len(stamps))
        places = np.stack([seeks, seeks], axis=1)
        return _VideoIndex(keys, shown, numbers, places, by_stamp, tuple(damaged), failed or bool(suspects))

    def _decoded(self, first: int) -> Generator[tuple[int, Any], None, None]:
        """Numbers and decoded frames from frame `first` on, ascending; what cannot be decoded is absent."""
        start = self._keyframe(first)
        due = first
        for place in self._places(start):
            with self._open() as container:
                stream = self._stream(container)
                if place is not None:
                    if stream.codec_context.pix_fmt == "pal8":  # the palette comes with the first packet
                        next(_decode(container, stream), None)
                    try:
                        container.seek(place, stream=stream, backward=True)
                    except (av.FFmpegError, OSError):
                        continue  # a format that can only be read from its start
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
                if number is not None and number >= first:  # else a cut file ends before, read from here
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
        """Return the number of a decoded frame; None if it is not known (yet)."""
        index = self._index
        if not index.by_stamp and (previous is not None or from_start):
            return (previous or 0) + 1
        if frame.pts is None:
            return None
        stamps = index.stamps if index.by_stamp else index.seeks[:, 0]
        place = int(np.searchsorted(stamps, frame.pts))
        if place == len(stamps) or stamps[place] != frame.pts:
            return None
        return place + 1 if index.by_stamp else int(index.keyframes[place])


def _index_of_packets(stamps: np.ndarray, decoding: np.ndarray, keys: np.ndarray, avi: bool) -> _VideoIndex | None:
    """Return the index of a video whose packets are one frame each; None if they may not be."""
    order = np.argsort(stamps, kind="stable")
    ascending = (np.diff(stamps[order]) > 0).all() and (np.diff(decoding) > 0).all()
    if not keys[0] or order[0] != 0 or not ascending:  # what comes before the first keyframe may not be decoded
        return None
    keyframes = np.flatnonzero(keys[order])
    seeks = np.stack([stamps, decoding], axis=1)[order[keyframes]]
    return _VideoIndex(stamps[order], decoding if avi else stamps[order], keyframes + 1, seeks, True)


def _is_cover(stream: Any) -> bool:
    """Return whether a stream is the picture that players show of a file, not a video."""
    return bool(stream.disposition & Disposition.attached_pic)


def _without_strays(shown: np.ndarray) -> np.ndarray:
    """Replace a few time stamps that damage has put out of order by ones between their neighbours'."""
    tails: list[float] = []  # the longest ascending subsequence, by patience sorting
    last: list[int] = []
    before = np.full(len(shown), -1)
    for index, stamp in enumerate(shown.tolist()):
        place = bisect.bisect_left(tails, stamp)
        before[index] = last[place - 1] if place else -1
        tails[place : place + 1], last[place : place + 1] = [stamp], [index]
    good = np.zeros(len(shown), bool)
    index = last[-1]
    while index >= 0:
        good[index] = True
        index = before[index]
    edges = np.flatnonzero(np.diff(np.concatenate([[True], good, [True]]).astype(int)))
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        if stop - start > 16:
            good[start:stop] = True  # a clock that restarts
    numbers = np.arange(len(shown))
    return np.interp(numbers, numbers[good], shown[good])


def mp4_boxes(path: Path) -> Iterator[tuple[bytes, int]]:
    """Yield kind and end of each of the boxes that an MP4 file consists of; the last may end behind the file."""
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
    """Return whether the last box of an MP4 file is longer than what is left of the file."""
    return any(end > path.stat().st_size for _, end in mp4_boxes(path))


def _demux(container: InputContainer, stream: Any, failures: list[Exception] | None = None) -> Iterator[Any]:
    """Yield the packets of a stream; damaged places are skipped, many of them in a row end the stream."""
    fruitless = 0
    while fruitless < 20:
        try:
            for packet in container.demux(stream):
                fruitless = 0
                yield packet
            return
        except (av.FFmpegError, OSError, IndexError) as error:
            fruitless += not isinstance(error, IndexError)  # of a stream that begins later: PyAV does not know it
            if failures is not None:
                failures.append(error)


def _decode(container: InputContainer, stream: Any) -> Iterator[Any]:
    """Yield the frames of a stream; packets that cannot be decoded give none."""
    for packet in _demux(container, stream):
        try:
            yield from packet.decode()
        except (av.FFmpegError, OSError):
            continue


def _file_state(path: Path) -> tuple[int, int, int]:
    try:
        state = path.stat()
    except OSError as error:
        raise SourceError(cannot_read(path, error)) from error
    return state.st_size, state.st_mtime_ns, state.st_ctime_ns


def upright(frame: Any, value_range: ValueRange | None = None) -> np.ndarray:
    """Return a frame as BGR, mirrored and turned by its display matrix (a phone held upright records turned pictures).

    Angles between the quarter turns are left out, as OpenCV does.
    """
    image = to_bgr(_grey(frame), value_range) if value_range and _is_deep(frame) else _pixels(frame, "bgr24")
    mirrored = _is_mirrored(frame)
    turns = round(frame.rotation / 90) % 4  # counter-clockwise degrees
    return np.ascontiguousarray(np.rot90(image[::-1] if mirrored else image, turns)) if turns or mirrored else image


def _is_mirrored(frame: Any) -> bool:
    """Return whether a frame is shown upside down before it is turned."""
    try:
        found = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # PyAV does not know every kind of side data
        return False
    return found is not None and bool(np.linalg.det(np.frombuffer(found, np.int32).reshape(3, 3)[:2, :2]) < 0)


def _is_deep(frame: Any) -> bool:
    """Return whether a frame is grey with more than 8 bits, as of a thermal camera."""
    return frame.format.name.startswith("gray") and frame.format.components[0].bits > 8


def _grey(frame: Any) -> np.ndarray:
    return _pixels(frame, "grayf32le" if "f" in frame.format.name[4:] else "gray16le")


def _pixels(frame: Any, format: str) -> np.ndarray:
    # PyAV 19 converts all frames with one pool of threads, for which a process that was forked would wait for ever
    return frame.reformat(format=format, threads=1).to_ndarray()
