"""Frames from MOT sequences, videos, image folders, cameras, streams and arrays, behind one interface.

Every source gives `Frame`s numbered from 1, with 8-bit BGR images of one size. Nothing is read before it is asked for.
"""

from __future__ import annotations

import abc
import hashlib
import io
import math
import os
import re
import threading
import uuid
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np

from .errors import FairMOTLabWarning, SourceError

if TYPE_CHECKING:
    import av
    import av.container
    import pandas as pd

Kind = Literal["sequence", "video", "images", "camera", "stream", "arrays"]

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
DEFAULT_FRAME_RATE = 30.0
_CACHE_BYTES = 96 * 2**20
_TEXT_ART_CODECS = {"ansi", "bintext", "xbin", "idf"}  # FFmpeg plays any text file as ANSI art


@dataclass(frozen=True)
class Frame:
    """One picture of a source.

    Attributes
    ----------
    number : int
        Counted from 1, as MOTChallenge does.
    image : numpy.ndarray
        (H, W, 3) uint8, BGR.
    time : float
        Seconds since the first frame: the video's own time stamps, or `(number - 1) / frame_rate`.
    """

    number: int
    image: np.ndarray
    time: float


class Source(abc.ABC):
    """A sequence of frames of one size.

    Attributes
    ----------
    name : str
        What result files are called.
    path : pathlib.Path or None
        Where it lies on disk.
    kind : str
        "sequence", "video", "images", "camera", "stream" or "arrays".
    frame_rate : float
        Frames per second; the mean where it varies.
    width, height : int
        Size of every frame in pixels, after rotation.
    length : int or None
        Number of frames, exact; None where it cannot be known (live sources, generators).
    """

    kind: Kind

    def __init__(self, name: str, path: Path | None, frame_rate: float) -> None:
        self.name = name
        self.path = path
        self.frame_rate = frame_rate
        self.width = 0
        self.height = 0
        self.length: int | None = None
        self._rescaled = False

    # -- what each medium does in its own way ---------------------------------------------------------------------

    @abc.abstractmethod
    def frames(self, first: int = 1, last: int | None = None) -> Iterator[Frame]:
        """Frames `first` to `last`, both included; to the end if `last` is None."""

    @abc.abstractmethod
    def image(self, number: int) -> np.ndarray:
        """Frame `number` as a (H, W, 3) uint8 BGR array.

        Raises
        ------
        SourceError
            If there is no such frame, it is broken, or the medium has no random access.
        """

    @abc.abstractmethod
    def fingerprint(self) -> str:
        """A text that is equal for equal content, computed without decoding every frame.

        It hashes names, sizes and samples of the bytes, not places or modification times: a copied sequence keeps it.
        Live sources and generators have a new one each time they are opened.
        """

    # -- what all share -------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Frame]:
        return self.frames()

    def __len__(self) -> int:
        if self.length is None:
            raise SourceError(f"{self.name} has no known length; iterate over its frames instead.")
        return self.length

    def __bool__(self) -> bool:
        return True  # a live source has no length, and none is empty

    def __repr__(self) -> str:
        length = "unknown length" if self.length is None else f"{self.length} frames"
        return f"<{self.kind} {self.name!r}: {length}, {self.width}x{self.height}, {self.frame_rate:g} frames/s>"

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the camera, file or connection; a file is opened again when it is read again."""

    def jpeg(self, number: int, max_width: int | None = None, quality: int = 85) -> bytes:
        """Frame `number` as JPEG bytes.

        Parameters
        ----------
        number
            The frame, counted from 1.
        max_width
            Scale wider frames down to this width, in pixels.
        quality
            JPEG quality, 1 to 95, where the frame has to be encoded.

        Returns
        -------
        bytes
            The stored file, unchanged, where the medium is a JPEG file and needs no scaling.
        """
        return encode_jpeg(self.image(number), max_width, quality)

    @property
    def has_ground_truth(self) -> bool:
        """Whether `ground_truth` can be read."""
        return False

    @property
    def ground_truth(self) -> pd.DataFrame:
        """The table of gt/gt.txt; see `read_mot`."""
        raise SourceError(f"{self.name} is no MOTChallenge sequence folder, so it has no gt/gt.txt.")

    @property
    def has_detections(self) -> bool:
        """Whether `detections` can be read."""
        return False

    @property
    def detections(self) -> pd.DataFrame:
        """The table of the public detections det/det.txt; see `read_mot`."""
        raise SourceError(f"{self.name} is no MOTChallenge sequence folder, so it has no det/det.txt.")

    def _check_number(self, number: int) -> None:
        if number < 1 or (self.length is not None and number > self.length):
            raise SourceError(f"{self.name} has no frame {number}; its frames are 1 to {self.length}.")

    def _fit(self, image: np.ndarray, number: int) -> np.ndarray:
        """Bring a frame to the size of the source, because boxes are given in that one size; said once."""
        height, width = image.shape[:2]
        if (width, height) == (self.width, self.height):
            return image
        if not self._rescaled:
            self._rescaled = True
            warnings.warn(
                f"{self.name} changes its size at frame {number} from {self.width}x{self.height} to {width}x{height}; "
                f"frames of another size are scaled to {self.width}x{self.height}, and boxes are given in that size.",
                FairMOTLabWarning,
                stacklevel=3,
            )
        shrinks = width * height > self.width * self.height
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return cv2.resize(image, (self.width, self.height), interpolation=method)


def open_source(
    source: Any,
    *,
    frame_rate: float | None = None,
    name: str | None = None,
    allow_truncated: bool = False,
    retries: int = 5,
    stall_seconds: float = 10.0,
) -> Source:
    """Open anything that has frames.

    Parameters
    ----------
    source
        A MOTChallenge sequence folder (with seqinfo.ini), a video file, a folder of images (taken in natural order), one
        image, a camera number, an address such as rtsp://..., an iterable of (H, W, 3) uint8 BGR arrays, or a `Source`
        (returned as it is).
    frame_rate
        Frames per second, where the medium does not say it (images, arrays: 30 unless given) or says it wrongly.
    name
        What result files are called; the file's or folder's name unless given.
    allow_truncated
        Accept a video file that ends before the length its header promises.
    retries
        How often in a row a camera or stream that fails is opened again.
    stall_seconds
        A camera or stream that gives no frame for so long has failed.

    Raises
    ------
    SourceError
        If it does not exist, is empty, broken, or of no kind that can be read.
    """
    if isinstance(source, Source):
        return source
    if frame_rate is not None and not (math.isfinite(frame_rate) and frame_rate > 0):
        raise SourceError(f"The frame rate must be a positive number of frames per second, not {frame_rate}.")
    if isinstance(source, str) and re.fullmatch(r"[0-9]{1,3}", source) and not Path(source).exists():
        source = int(source)
    if isinstance(source, (int, np.integer)) and not isinstance(source, bool):
        return CameraSource(int(source), frame_rate, name, retries, stall_seconds)
    if isinstance(source, str) and "://" in source:
        return StreamSource(source, frame_rate, name, retries, stall_seconds)
    if isinstance(source, (str, os.PathLike)):
        return _open_path(Path(source), frame_rate, name, allow_truncated)
    if isinstance(source, Iterable):
        return ArraySource(source, frame_rate, name)
    raise SourceError(
        f"A {type(source).__name__} has no frames; give a path, a camera number, an address or an iterable of BGR arrays."
    )


def _open_path(path: Path, frame_rate: float | None, name: str | None, allow_truncated: bool) -> Source:
    try:
        if path.is_dir():
            if (path / "seqinfo.ini").is_file():
                return SequenceSource(path, frame_rate, name)
            return ImageSource(_images_in(path), path, frame_rate, name or path.resolve().name)
        if not path.exists():
            raise SourceError(
                f"There is no {path}; give a sequence folder, a video, a folder of images or a camera number."
            )
        if path.suffix.lower() in IMAGE_SUFFIXES:
            return ImageSource([path], path, frame_rate, name or path.stem)
        return VideoSource(path, frame_rate, name, allow_truncated)
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror or error}).") from error


# -- images ---------------------------------------------------------------------------------------------------------


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sort key that puts frame2 before frame10."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part.lower()) for part in re.split(r"([0-9]+)", name)]


def _image_files(folder: Path) -> list[Path]:
    files = (p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith("."))
    return sorted(files, key=lambda p: natural_key(p.name))


def _images_in(folder: Path) -> list[Path]:
    """The images of a plain folder; the error tells what the folder is instead."""
    files = _image_files(folder)
    if files:
        return files
    if any((folder / part).is_dir() for part in ("img1", "gt", "det")):
        raise SourceError(
            f"{folder / 'seqinfo.ini'} is missing, so {folder.name} cannot be read as a MOTChallenge sequence; restore the "
            f"file, or give {folder / 'img1'} to read its images alone."
        )
    inside = sorted(p.name for p in folder.iterdir() if (p / "seqinfo.ini").is_file())
    if inside:
        raise SourceError(f"{folder} holds {len(inside)} sequences; give one of them, such as {folder / inside[0]}.")
    found = "is empty" if not any(folder.iterdir()) else "holds no images"
    raise SourceError(f"{folder} {found}; a folder of images has files that end in {', '.join(IMAGE_SUFFIXES)}.")


def read_image(path: str | os.PathLike[str]) -> np.ndarray:
    """Read one image as (H, W, 3) uint8 BGR.

    Grey images get three equal channels, 16-bit values are divided by 256, transparency is dropped, and EXIF orientation
    is applied. A JPEG or PNG that is cut short is an error: decoders would fill the rest with grey without a word.

    Raises
    ------
    SourceError
        If the file is missing, cut short, or no image.
    """
    return _decode_image(_read_bytes(Path(path)), Path(path))


def _read_bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(f"The image {path} cannot be read ({error.strerror or error}).") from error
    if not data:
        raise SourceError(f"The image {path} is empty (0 bytes); restore the file.")
    if _is_cut(data):
        raise SourceError(
            f"The image {path} is cut short (its end marker is missing after {len(data)} bytes); restore it."
        )
    return data


def _decode_image(data: bytes, path: Path) -> np.ndarray:
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        raise SourceError(f"The image {path} cannot be decoded; it is damaged or no image.")
    return image


def _is_cut(data: bytes) -> bool:
    """Whether a JPEG or PNG lacks its end marker."""
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return data.rfind(b"IEND") < 0
    if data[:2] != b"\xff\xd8":
        return False
    # Walk over the segments before the first scan: an embedded thumbnail has an end marker of its own.
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF and data[position + 1] != 0xDA:
        if data[position + 1] == 0xFF:  # padding
            position += 1
            continue
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return data.find(b"\xff\xd9", position) < 0


def encode_jpeg(image: np.ndarray, max_width: int | None = None, quality: int = 85) -> bytes:
    """A BGR image as JPEG bytes, scaled down to `max_width` pixels where it is wider."""
    from PIL import Image

    height, width = image.shape[:2]
    if max_width is not None and max_width < width:
        size = (max_width, max(1, round(height * max_width / width)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    buffer = io.BytesIO()
    Image.fromarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB)).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


class ImageSource(Source):
    """Image files, one a frame."""

    kind: Kind = "images"

    def __init__(self, files: Sequence[Path], path: Path, frame_rate: float | None, name: str) -> None:
        super().__init__(name, path, frame_rate or DEFAULT_FRAME_RATE)
        self.files = list(files)
        self.length = len(self.files)
        self._measure()

    def _measure(self) -> None:
        self.height, self.width = read_image(self.files[0]).shape[:2]

    def frames(self, first: int = 1, last: int | None = None) -> Iterator[Frame]:
        for number in range(max(first, 1), min(last or len(self), len(self)) + 1):
            yield Frame(number, self.image(number), (number - 1) / self.frame_rate)

    def image(self, number: int) -> np.ndarray:
        path = self._file(number)
        return self._fit(read_image(path), number)

    def jpeg(self, number: int, max_width: int | None = None, quality: int = 85) -> bytes:
        path = self._file(number)
        if path.suffix.lower() in (".jpg", ".jpeg") and (max_width is None or max_width >= self.width):
            data = _read_bytes(path)
            if data[:2] == b"\xff\xd8":
                return data
        return super().jpeg(number, max_width, quality)

    def fingerprint(self) -> str:
        digest = hashlib.sha256(self.kind.encode())
        for file in self.files:
            digest.update(f"{file.name}\0{_size(file)}\0".encode())
        for index in np.unique(np.linspace(0, len(self.files) - 1, 8).astype(int)):
            digest.update(_read_bytes(self.files[index]))
        return digest.hexdigest()

    def _file(self, number: int) -> Path:
        self._check_number(number)
        return self.files[number - 1]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise SourceError(f"The image {path} cannot be read ({error.strerror or error}).") from error


class SequenceSource(ImageSource):
    """A MOTChallenge sequence folder: seqinfo.ini, img1/, gt/gt.txt, det/det.txt.

    A folder without its images can be opened, for its ground truth and detections; asking for a frame is an error then.
    """

    kind: Kind = "sequence"

    def __init__(self, path: Path, frame_rate: float | None, name: str | None) -> None:
        from .motfile import read_seqinfo

        self.info = read_seqinfo(path / "seqinfo.ini")
        self.folder = path / self.info.image_dir
        files = _image_files(self.folder) if self.folder.is_dir() else []
        if files and len(files) != self.info.length:
            raise SourceError(
                f"{path / 'seqinfo.ini'} gives seqLength={self.info.length}, but {self.folder} holds {len(files)} images"
                f"{self._first_missing(files)}; restore the images or correct seqLength."
            )
        super().__init__(files, path, frame_rate or self.info.frame_rate, name or self.info.name)
        self.length = self.info.length

    def _first_missing(self, files: list[Path]) -> str:
        present = {file.name for file in files}
        expected = (f"{number:06d}{self.info.extension}" for number in range(1, self.info.length + 1))
        missing = next((each for each in expected if each not in present), None)
        # other naming schemes exist; then only the count is known
        return f" ({missing} is the first that is missing)" if missing and len(files) < self.info.length else ""

    def _measure(self) -> None:
        self.width, self.height = self.info.width, self.info.height
        if not self.files:
            return
        height, width = read_image(self.files[0]).shape[:2]
        if (width, height) != (self.width, self.height):
            raise SourceError(
                f"{self.files[0]} is {width}x{height}, but seqinfo.ini gives imWidth={self.width} and "
                f"imHeight={self.height}; boxes would not fit, so correct the one that is wrong."
            )

    def _file(self, number: int) -> Path:
        self._check_number(number)
        if not self.files:
            raise SourceError(
                f"{self.folder} has no images, so {self.name} has no frames to show; put its images there."
            )
        return self.files[number - 1]

    def fingerprint(self) -> str:
        if self.files:
            return super().fingerprint()
        return hashlib.sha256((self.path / "seqinfo.ini").read_bytes()).hexdigest()  # type: ignore[operator]

    @property
    def has_ground_truth(self) -> bool:
        return (self.path / "gt" / "gt.txt").is_file()  # type: ignore[operator]

    @property
    def ground_truth(self) -> pd.DataFrame:
        return self._table("gt", "ground_truth")

    @property
    def has_detections(self) -> bool:
        return (self.path / "det" / "det.txt").is_file()  # type: ignore[operator]

    @property
    def detections(self) -> pd.DataFrame:
        return self._table("det", "detections")

    def _table(self, part: str, kind: Literal["ground_truth", "detections"]) -> pd.DataFrame:
        from .motfile import read_mot

        assert self.path is not None
        path = self.path / part / f"{part}.txt"
        if not path.is_file():
            raise SourceError(f"{path} is missing, so the {kind.replace('_', ' ')} of {self.name} is not known.")
        table = read_mot(path, kind, length=self.length, width=self.width, height=self.height)
        table.attrs.update(
            sequence=self.name, length=self.length, frame_rate=self.frame_rate, width=self.width, height=self.height
        )
        return table


# -- video files ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _VideoIndex:
    """Where each frame of a video is: found by reading the packets, without decoding them where that is enough."""

    stamps: np.ndarray  # (F,) presentation time stamps, ascending, in units of the stream's time base
    keyframes: np.ndarray  # numbers (from 1) of the frames where decoding can start
    by_stamp: bool  # False: the container has no time stamps, frames are known by counting them


class VideoSource(Source):
    """A video file, read with FFmpeg through PyAV.

    Frames are counted exactly when the file is opened: from the packets, which reads the file once without decoding it, or by
    decoding where the container does not say when each frame is shown. Frame numbers follow from the time stamps, so they do
    not depend on where reading begins. Rotation metadata is applied. Random access starts at the keyframe before, so its cost
    is bounded by the distance between keyframes; frames decoded on the way are kept in a cache of 96 MiB.
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
        self._reader: Iterator[tuple[int, np.ndarray]] | None = None
        self._next = 1
        picture = next(self._pictures(1), None)
        if picture is None:
            raise SourceError(f"{path} cannot be decoded: 0 of its {self.length} frames could be read.")
        self.height, self.width = picture[1].shape[:2]

    def times(self) -> np.ndarray:
        """Seconds since the first frame, one for each frame."""
        return self._times.copy()

    def frames(self, first: int = 1, last: int | None = None) -> Iterator[Frame]:
        last = min(last or len(self), len(self))
        due = first = max(first, 1)
        missing: list[int] = []
        for number, image in self._pictures(first):
            if number > last:
                break
            missing.extend(range(due, number))
            due = number + 1
            yield Frame(number, self._fit(image, number), float(self._times[number - 1]))
        missing.extend(range(due, last + 1))
        if missing:
            warnings.warn(
                f"{self.path}: {len(missing)} of {len(self)} frames could not be decoded and are left out "
                f"(frames {_ranges(missing)}); {last - first + 1 - len(missing)} were read.",
                FairMOTLabWarning,
                stacklevel=2,
            )

    def image(self, number: int) -> np.ndarray:
        self._check_number(number)
        with self._lock:
            if number in self._cache:
                self._cache.move_to_end(number)
                return self._cache[number]
            start = self._keyframe(number)
            if self._reader is None or not start <= self._next <= number:
                self._reader, self._next = self._pictures(start), start
            for found, image in self._reader:
                self._next = found + 1
                self._remember(found, self._fit(image, found))
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
        keyframes = self._index.keyframes
        return int(keyframes[max(0, np.searchsorted(keyframes, number, side="right") - 1)])

    # -- FFmpeg ---------------------------------------------------------------------------------------------------

    def _open(self) -> av.container.InputContainer:
        import av

        try:
            return av.open(os.fspath(self.path))  # type: ignore[arg-type]
        except (av.FFmpegError, OSError, ValueError) as error:
            raise SourceError(
                f"{self.path} cannot be read as a video ({_reason(error)}); it is of another kind, damaged, or cut off."
            ) from error

    def _stream(self, container: av.container.InputContainer) -> Any:
        from av.stream import Disposition

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
        raise SourceError(f"{self.path} holds no video; give a video, a sequence folder or a folder of images.")

    def _read_index(self, allow_truncated: bool) -> _VideoIndex:
        with self._open() as container:
            stream = self._stream(container)
            promised, end = stream.frames, _promised_end(container, stream)
            packets = [
                (packet.pts, packet.dts, packet.is_keyframe, packet.duration or 0)
                for packet in _demux(container, stream)
                if packet.size and not packet.is_discard and not packet.is_corrupt
            ]
            reorders = bool(stream.codec_context.has_b_frames)
            time_base = stream.time_base
        if not packets:
            raise SourceError(f"{self.path} has 0 frames; it was cut off, or nothing was recorded.")
        last = max((pts if pts is not None else dts or 0) + duration for pts, dts, _, duration in packets)
        short = len(packets) < promised or (not promised and end is not None and float(last * time_base) < end)
        stamps = [pts if pts is not None or reorders else dts for pts, dts, _, _ in packets]
        if None in stamps or len(set(stamps)) != len(stamps):
            index = self._decode_index()
        else:
            index = _index_of_packets(np.array(stamps, np.int64), np.array([key for _, _, key, _ in packets]))
        if short:
            of = f" of {promised}" if promised else ""
            said = f"{self.path} ends early: {len(index.stamps)}{of} frames could be read"
            if not allow_truncated:
                raise SourceError(f"{said}; get the whole file, or allow truncated videos to use these frames alone.")
            warnings.warn(f"{said}; the rest is missing.", FairMOTLabWarning, stacklevel=4)
        return index

    def _decode_index(self) -> _VideoIndex:
        """Count by decoding, for containers without presentation time stamps."""
        stamps, keyframes = [], []
        with self._open() as container:
            for number, frame in enumerate(_decode(container, self._stream(container)), 1):
                stamps.append(frame.pts)
                if frame.key_frame:
                    keyframes.append(number)
        if not stamps:
            raise SourceError(f"{self.path} cannot be decoded: 0 frames could be read.")
        by_stamp = None not in stamps and all(a < b for a, b in zip(stamps, stamps[1:], strict=False))
        if not by_stamp:
            return _VideoIndex(np.arange(len(stamps)), np.array([1]), False)
        return _VideoIndex(np.array(stamps, np.int64), np.array(keyframes or [1]), True)

    def _pictures(self, first: int) -> Iterator[tuple[int, np.ndarray]]:
        """Numbers and BGR images from frame `first` on; frames that cannot be decoded are absent."""
        index = self._index
        start = self._keyframe(first)
        sought = index.by_stamp and start > 1
        while True:
            with self._open() as container:
                stream = self._stream(container)
                if sought:
                    container.seek(int(index.stamps[start - 1]), stream=stream, backward=True)
                overshot = False
                for count, frame in enumerate(_decode(container, stream), 1):
                    number = self._number(frame.pts) if index.by_stamp else count
                    if sought and count == 1 and (number is None or number > start):
                        overshot = True  # some containers seek inexactly: start again from the beginning
                        break
                    if number is not None and number >= first:
                        yield number, _upright(frame)
                if not overshot:
                    return
                sought = False

    def _number(self, stamp: int | None) -> int | None:
        if stamp is None:
            return None
        place = int(np.searchsorted(self._index.stamps, stamp))
        return place + 1 if place < len(self._index.stamps) and self._index.stamps[place] == stamp else None


def _index_of_packets(stamps: np.ndarray, keys: np.ndarray) -> _VideoIndex:
    # What is shown before the first keyframe cannot be decoded: it needs a picture that is not in the file.
    first = int(np.argmax(keys)) if keys.any() else 0
    stamps, keys = stamps[first:], keys[first:]
    decodable = stamps >= stamps[0]
    stamps, keys = stamps[decodable], keys[decodable]
    order = np.argsort(stamps)
    keyframes = np.flatnonzero(keys[order]) + 1
    return _VideoIndex(stamps[order], keyframes if len(keyframes) else np.array([1]), True)


def _promised_end(container: av.container.InputContainer, stream: Any) -> float | None:
    """The time at which the header says that the pictures end, less a tolerance; None if it does not say."""
    text = stream.metadata.get("DURATION", "")  # Matroska, by FFmpeg and mkvmerge: 00:00:10.400000000
    if match := re.fullmatch(r"([0-9]+):([0-9]+):([0-9.]+)", text):
        hours, minutes, seconds = (float(part) for part in match.groups())
        return hours * 3600 + minutes * 60 + seconds - 0.5
    return None


def _demux(container: av.container.InputContainer, stream: Any) -> Iterator[Any]:
    """Packets of a stream; reading goes on after damaged places, and ends after many of them without a packet."""
    import av

    failures = 0
    while failures < 20:
        try:
            for packet in container.demux(stream):
                failures = 0
                yield packet
            return
        except (av.FFmpegError, OSError):
            failures += 1


def _decode(container: av.container.InputContainer, stream: Any) -> Iterator[Any]:
    """Frames of a stream; packets that cannot be decoded give none."""
    import av

    for packet in _demux(container, stream):
        try:
            yield from packet.decode()
        except (av.FFmpegError, OSError):
            continue


def _upright(frame: Any) -> np.ndarray:
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


# -- live sources ---------------------------------------------------------------------------------------------------


class _Lost(Exception):
    """A connection that ended, failed or stalled."""


class _Connection:
    """Reads images in a thread, so that a stalled camera can be given up.

    With `newest`, an image that was not fetched in time is replaced by the next one, so that the delay stays constant.
    """

    def __init__(self, images: Callable[[], Iterator[np.ndarray]], newest: bool) -> None:
        self.dropped = 0
        self._images = images
        self._newest = newest
        self._waiting: tuple[np.ndarray, float] | None = None
        self._end: Exception | None = None
        self._closed = False
        self._changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        end: Exception = EOFError("it ended")
        try:
            for image in self._images():
                with self._changed:
                    if not self._newest:
                        self._changed.wait_for(lambda: self._waiting is None or self._closed)
                    if self._closed:
                        return
                    self.dropped += self._waiting is not None
                    self._waiting = (image, monotonic())
                    self._changed.notify_all()
        except Exception as error:  # handed to the reader in `get`
            end = error
        with self._changed:
            self._end = end
            self._changed.notify_all()

    def get(self, timeout: float) -> tuple[np.ndarray, float]:
        """The next image and the time it came; raises _Lost, with EOFError as cause where the source ended by itself."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._waiting or self._end, timeout):
                raise _Lost(f"no frame came for {timeout:g} seconds")
            if self._waiting is None:
                raise _Lost(_reason(self._end)) from self._end  # type: ignore[arg-type]
            waiting, self._waiting = self._waiting, None
            self._changed.notify_all()
            return waiting

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class LiveSource(Source):
    """Frames as they come. A connection that fails or stalls is opened again, up to `retries` times in a row.

    Where the reader is slower than the source, the newest frame is given and the ones between are counted in `dropped`.
    """

    def __init__(self, name: str, frame_rate: float | None, retries: int, stall_seconds: float) -> None:
        super().__init__(name, None, frame_rate or DEFAULT_FRAME_RATE)
        self.retries = retries
        self.stall_seconds = stall_seconds
        self.retry_seconds = 1.0
        self._dropped = 0
        self._finite = False
        self._number = 0
        self._started: float | None = None
        self._stopped = threading.Event()
        self._connection: _Connection | None = None
        self._token = uuid.uuid4().hex

    def _connect(self) -> Iterator[np.ndarray]:
        """Open the medium and give its images until it ends."""
        raise NotImplementedError

    def _start(self) -> None:
        """Connect and read one frame, for its size."""
        self._connection = _Connection(self._connect, newest=True)
        try:
            self._first: tuple[np.ndarray, float] | None = self._connection.get(self.stall_seconds)
        except _Lost as lost:
            self.close()
            raise SourceError(
                f"{self._label()} cannot be opened ({lost}); check that it is there and not in use."
            ) from lost
        self.height, self.width = self._first[0].shape[:2]
        self._connection._newest = not self._finite

    def _label(self) -> str:
        return self.name

    @property
    def dropped(self) -> int:
        """How many frames came and went while the reader was busy."""
        return self._dropped + (self._connection.dropped if self._connection else 0)

    def frames(self, first: int = 1, last: int | None = None) -> Iterator[Frame]:
        """New frames as they come; numbers go on where an earlier call stopped."""
        failures = 0
        while not self._stopped.is_set() and (last is None or self._number < last):
            try:
                if self._first is not None:
                    (image, now), self._first = self._first, None
                else:
                    if self._connection is None:
                        self._connection = _Connection(self._connect, newest=not self._finite)
                    image, now = self._connection.get(self.stall_seconds)
            except _Lost as lost:
                self._disconnect()
                if self._finite and isinstance(lost.__cause__, EOFError):
                    return
                failures += 1
                if failures > self.retries:
                    raise SourceError(
                        f"{self._label()} was lost after frame {self._number} ({lost}) and did not come back in "
                        f"{self.retries} tries."
                    ) from lost
                warnings.warn(
                    f"{self._label()} was lost after frame {self._number} ({lost}); try {failures} of {self.retries}.",
                    FairMOTLabWarning,
                    stacklevel=2,
                )
                self._stopped.wait(min(self.retry_seconds * 2 ** (failures - 1), 30.0))
                continue
            failures = 0
            self._number += 1
            self._started = now if self._started is None else self._started
            if self._number >= first:
                yield Frame(self._number, self._fit(image, self._number), now - self._started)

    def image(self, number: int) -> np.ndarray:
        raise SourceError(f"{self._label()} is live: frame {number} cannot be fetched again; iterate over its frames.")

    def fingerprint(self) -> str:
        return f"{self.kind}-{self._token}"

    def close(self) -> None:
        self._stopped.set()
        self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._dropped += self._connection.dropped
            self._connection.close()
            self._connection = None


class CameraSource(LiveSource):
    """A camera of this machine, by its number, read with OpenCV."""

    kind: Kind = "camera"

    def __init__(
        self, number: int, frame_rate: float | None, name: str | None, retries: int, stall_seconds: float
    ) -> None:
        super().__init__(name or f"camera{number}", frame_rate, retries, stall_seconds)
        self.number = number
        self._given_rate = frame_rate
        self._start()

    def _label(self) -> str:
        return f"Camera {self.number}"

    def _connect(self) -> Iterator[np.ndarray]:
        capture = cv2.VideoCapture(self.number)
        try:
            if not capture.isOpened():
                raise OSError("there is no such camera, or another program uses it")
            rate = capture.get(cv2.CAP_PROP_FPS)
            if self._given_rate is None and math.isfinite(rate) and rate > 0:
                self.frame_rate = float(rate)
            while True:
                good, image = capture.read()
                if not good:
                    raise OSError("it gave no frame")
                yield image
        finally:
            capture.release()


class StreamSource(LiveSource):
    """An address such as rtsp://host/stream, read with FFmpeg through PyAV. One that has an end is read to its end."""

    kind: Kind = "stream"

    def __init__(
        self, address: str, frame_rate: float | None, name: str | None, retries: int, stall_seconds: float
    ) -> None:
        host = re.sub(r"^[^:]+://([^/@]*@)?", "", address)  # without user and password
        super().__init__(
            name or re.sub(r"[^A-Za-z0-9.-]+", "_", host).strip("_") or "stream", frame_rate, retries, stall_seconds
        )
        self.address = address
        self._shown = re.sub(r"://[^/@]*@", "://", address)
        self._given_rate = frame_rate
        self._start()

    def _label(self) -> str:
        return self._shown

    def _connect(self) -> Iterator[np.ndarray]:
        import av

        # TCP: over UDP a lost datagram damages every picture up to the next keyframe
        options = {"rtsp_transport": "tcp"} if self.address.startswith("rtsp") else {}
        with av.open(self.address, options=options, timeout=(self.stall_seconds, self.stall_seconds)) as container:
            if not container.streams.video:
                raise OSError("it has no picture")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            self._finite = bool(container.duration)
            rate = stream.average_rate or stream.guessed_rate
            if self._given_rate is None and rate:
                self.frame_rate = float(rate)
            for packet in container.demux(stream):
                try:
                    frames = packet.decode()
                except av.InvalidDataError:
                    continue
                for frame in frames:
                    yield _upright(frame)


# -- arrays ---------------------------------------------------------------------------------------------------------


class ArraySource(Source):
    """BGR arrays from Python: a list (random access, any number of passes) or any other iterable (one pass)."""

    kind: Kind = "arrays"

    def __init__(self, arrays: Iterable[np.ndarray], frame_rate: float | None, name: str | None) -> None:
        super().__init__(name or "arrays", None, frame_rate or DEFAULT_FRAME_RATE)
        if isinstance(arrays, np.ndarray) and arrays.ndim != 4:
            raise SourceError(f"An array of shape {arrays.shape} is no list of images; give [image] or (N, H, W, 3).")
        self._list: Sequence[np.ndarray] | None = None
        self._token = uuid.uuid4().hex
        if isinstance(arrays, (Sequence, np.ndarray)):
            self._list = arrays
            self.length = len(arrays)
            first = arrays[0] if len(arrays) else None
        else:
            self._rest = iter(arrays)
            first = next(self._rest, None)
            self._peeked: np.ndarray | None = first
            self._read = 0
        if first is None:
            raise SourceError("There are no images to read: the list or iterator is empty.")
        self.height, self.width = self._checked(first, 1).shape[:2]

    def frames(self, first: int = 1, last: int | None = None) -> Iterator[Frame]:
        if self._list is not None:
            for number in range(max(first, 1), min(last or len(self), len(self)) + 1):
                yield Frame(number, self.image(number), (number - 1) / self.frame_rate)
            return
        if first <= self._read:
            raise SourceError(
                f"{self.name} is an iterator and was read up to frame {self._read}; make it again, or a list."
            )
        while last is None or self._read < last:
            image, self._peeked = (self._peeked if self._peeked is not None else next(self._rest, None)), None
            if image is None:
                return
            self._read += 1
            if self._read >= first:
                image = self._fit(self._checked(image, self._read), self._read)
                yield Frame(self._read, image, (self._read - 1) / self.frame_rate)

    def image(self, number: int) -> np.ndarray:
        self._check_number(number)
        if self._list is None:
            raise SourceError(
                f"{self.name} is an iterator: frame {number} cannot be fetched by number; give a list instead."
            )
        return self._fit(self._checked(self._list[number - 1], number), number)

    def fingerprint(self) -> str:
        if self._list is None:
            return f"arrays-{self._token}"
        digest = hashlib.sha256(f"arrays\0{len(self)}\0{self.width}x{self.height}\0".encode())
        for index in np.unique(np.linspace(0, len(self) - 1, 8).astype(int)):
            digest.update(np.ascontiguousarray(self._list[index]).tobytes())
        return digest.hexdigest()

    def _checked(self, image: Any, number: int) -> np.ndarray:
        if not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            given = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else f"a {type(image).__name__}"
            raise SourceError(
                f"Frame {number} of {self.name} is {given}; give (height, width, 3) uint8 arrays in BGR order."
            )
        if not image.size:
            raise SourceError(f"Frame {number} of {self.name} is empty: its shape is {image.shape}.")
        return image
