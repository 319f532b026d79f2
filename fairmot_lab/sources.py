"""Frames from MOT sequences, videos, image folders, cameras, streams and arrays, behind one interface.

Every source gives `Frame`s numbered from 1, with 8-bit BGR images of one size. Nothing is read before it is asked for.
"""

from __future__ import annotations

import abc
import hashlib
import math
import os
import re
import uuid
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np

from .errors import FairMOTLabWarning, SourceError
from .images import encode_jpeg, read_bytes, read_image

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["sequence", "video", "images", "camera", "stream", "arrays"]

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
DEFAULT_FRAME_RATE = 30.0


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

    def close(self) -> None:  # noqa: B027, most media hold nothing open
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

    def time_of(self, number: int) -> float:
        """Seconds from the first frame to frame `number`."""
        return (number - 1) / self.frame_rate

    def number_at(self, time: float) -> int:
        """The number of the frame that is shown at `time` (seconds since the first frame)."""
        return max(1, math.floor(time * self.frame_rate + 1e-6) + 1)

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

    def _span(self, first: int, last: int | None) -> tuple[int, int]:
        """The part of a request that exists."""
        return max(first, 1), len(self) if last is None else min(last, len(self))

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
        A MOTChallenge sequence folder (with seqinfo.ini), a video file, a folder of images (in natural order), one
        image, a camera number, an address such as rtsp://..., an iterable of (H, W, 3) uint8 BGR arrays, or a
        `Source` (returned as it is).
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
        from .live import CameraSource

        return CameraSource(int(source), frame_rate, name, retries, stall_seconds)
    if isinstance(source, str) and "://" in source:
        from .live import StreamSource

        return StreamSource(source, frame_rate, name, retries, stall_seconds)
    if isinstance(source, (str, os.PathLike)):
        return _open_path(Path(source), frame_rate, name, allow_truncated)
    if isinstance(source, Iterable):
        return ArraySource(source, frame_rate, name)
    raise SourceError(
        f"A {type(source).__name__} has no frames; give a path, a camera number, an address or an iterable of arrays."
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
        from .video import VideoSource

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
            f"{folder / 'seqinfo.ini'} is missing, so {folder.name} cannot be read as a MOTChallenge sequence; restore "
            f"it, or give {folder / 'img1'} to read its images alone."
        )
    inside = sorted(p.name for p in folder.iterdir() if (p / "seqinfo.ini").is_file())
    if inside:
        raise SourceError(f"{folder} holds {len(inside)} sequences; give one of them, such as {folder / inside[0]}.")
    found = "is empty" if not any(folder.iterdir()) else "holds no images"
    raise SourceError(f"{folder} {found}; a folder of images has files that end in {', '.join(IMAGE_SUFFIXES)}.")


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
        first, last = self._span(first, last)
        for number in range(first, last + 1):
            yield Frame(number, self.image(number), (number - 1) / self.frame_rate)

    def image(self, number: int) -> np.ndarray:
        path = self._file(number)
        return self._fit(read_image(path), number)

    def jpeg(self, number: int, max_width: int | None = None, quality: int = 85) -> bytes:
        path = self._file(number)
        if path.suffix.lower() in (".jpg", ".jpeg") and (max_width is None or max_width >= self.width):
            data = read_bytes(path)
            if data[:2] == b"\xff\xd8":
                return data
        return super().jpeg(number, max_width, quality)

    def fingerprint(self) -> str:
        digest = hashlib.sha256(self.kind.encode())
        for file in self.files:
            digest.update(f"{file.name}\0{_size(file)}\0".encode())
        for index in np.unique(np.linspace(0, len(self.files) - 1, 8).astype(int)):
            digest.update(read_bytes(self.files[index]))
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
                f"{path / 'seqinfo.ini'} gives seqLength={self.info.length}, but {self.folder} holds {len(files)} "
                f"images{self._first_missing(files)}; restore the images or correct seqLength."
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


# -- arrays ---------------------------------------------------------------------------------------------------------


class ArraySource(Source):
    """BGR arrays from Python: a list (random access, any number of passes) or any other iterable (one pass)."""

    kind: Kind = "arrays"

    def __init__(self, arrays: Iterable[np.ndarray], frame_rate: float | None, name: str | None) -> None:
        super().__init__(name or "arrays", None, frame_rate or DEFAULT_FRAME_RATE)
        if isinstance(arrays, np.ndarray) and arrays.ndim != 4:
            raise SourceError(f"An array of shape {arrays.shape} is no list of images; give [image] or (N, H, W, 3).")
        self._list: Any = None  # a sequence of images, or one (N, H, W, 3) array
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
            first, last = self._span(first, last)
            for number in range(first, last + 1):
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
