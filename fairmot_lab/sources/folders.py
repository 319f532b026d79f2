"""Folders of images, with or without the files of a MOTChallenge sequence, and files of several pages."""

from __future__ import annotations

import hashlib
import itertools
import re
import threading
import warnings
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .._files import cannot_read, natural_order
from ..data import frame_grid, note_on_grid
from ..errors import SourceError, warn
from ..formats.mot import read_mot
from ..formats.seqinfo import read_seqinfo
from .base import DEFAULT_FRAME_RATE, Frame, Kind, Source, ranges
from .images import (
    IMAGE_SUFFIXES,
    ValueRange,
    from_pillow,
    is_left_to_opencv,
    own_range,
    read_bytes,
    read_page,
    read_raw,
    strict_pillow,
    tiff_pages,
    to_bgr,
    warn_of_range,
)

_PAGED = (".png", ".apng", ".tif", ".tiff", ".webp")
_SAMPLES = 32  # images whose values give the range of a sequence
_UNCOMPRESSED = (".bmp", ".ppm", ".pgm", ".pnm", ".tif", ".tiff")  # or maybe so
_SECONDS = r"[1-9][0-9]{8,}\.[0-9]+"  # as time.time() gives


def image_files(folder: Path) -> list[Path]:
    """Return the images of a folder in natural order."""
    return natural_order(
        file for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith(".")
    )


def frame_numbers(files: Sequence[Path]) -> list[int] | None:
    """Return the frame number that each name holds: of its numbers the last one that is different in every name.

    Examples
    --------
    >>> frame_numbers([Path("cam2_0001_30fps.jpg"), Path("cam2_0003_30fps.jpg")])
    [1, 3]

    Returns
    -------
    list of int or None
        None if names differ in more than that, or the numbers are not in natural order, or too large for frames.
    """
    if any(re.search(_SECONDS, file.stem) for file in files):
        return None
    parts = [re.split(r"([0-9]+)", file.stem) for file in files]
    if len({len(each) for each in parts}) != 1:
        return None
    for place in range(len(parts[0]) - 2, 0, -2):
        numbers = [int(each[place]) for each in parts]
        if all(a < b for a, b in itertools.pairwise(numbers)) and numbers[-1] < 10_000_000:
            return numbers
    return None


def kinds_of_names(files: Sequence[Path], folder: Path) -> list[Path]:
    """Return one file for each kind of name, "000001", "cover", "000001 copy"; refuse two images of one name.

    Raises
    ------
    SourceError
        Naming the two.
    """
    first: dict[str, Path] = {}
    for file in files:
        if first.setdefault(file.stem, file) is not file:
            raise SourceError(
                f"{folder} holds {first[file.stem].name} and {file.name}, two images of one name; give those of one "
                f"kind, such as {folder / '*'}{file.suffix}."
            )
    kinds: dict[str, Path] = {}
    for file in files:
        kinds.setdefault(re.sub(r"[0-9]+", "0", file.stem.lower()), file)
    return list(kinds.values())


class ImageSource(Source):
    """Image files, one a frame.

    Images of more than 8 bits, or of floats, are scaled to 8 bits by one range for the whole sequence: `value_range`,
    or that of their own values (of up to 32 images, evenly spaced).
    """

    kind: Kind = "images"

    def __init__(
        self,
        files: Sequence[Path],
        path: Path | None,
        frame_rate: float | None,
        name: str,
        value_range: ValueRange | None = None,
    ) -> None:
        super().__init__(name, path, frame_rate or DEFAULT_FRAME_RATE)
        self.files = list(files)
        self.length = len(self.files)
        self.value_range = value_range
        self._measure()

    def _measure(self) -> None:
        self.height, self.width = self._read(1).shape[:2]
        pages = page_count(self.files[0]) if self.files else 1
        if pages > 1:
            warn(
                f"{self.files[0]} holds {pages} pages; of the files in a folder only the first page is read, so open "
                "the file itself to read them all."
            )

    def frames(self, first: int = 1, last: int | None = None) -> Iterator[Frame]:
        first, last = self.span(first, last)
        for number in range(first, last + 1):
            if self._has_image(number):
                yield Frame(number, self.image(number), self.time_of(number))

    def image(self, number: int) -> np.ndarray:
        self._check_number(number)
        return self._fit(self._read(number), number)

    def _read(self, number: int) -> np.ndarray:
        raw = self._raw(number)
        if raw.dtype != np.uint8 and self.value_range is None:
            self._find_range(raw.dtype)
        return to_bgr(raw, self.value_range)

    def _raw(self, number: int) -> np.ndarray:
        """Return frame `number` without conversion."""
        return read_raw(self._file(number))

    def _find_range(self, dtype: np.dtype) -> None:
        """Set the range of values from the images, and warn once."""
        present = [number for number in range(1, len(self) + 1) if self._has_image(number)]
        sample = np.unique(np.linspace(0, len(present) - 1, _SAMPLES).astype(int))
        self.value_range = own_range(self._raw(present[index]) for index in sample)
        warn_of_range(self.name, dtype, self.value_range)

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
            digest.update(f"{file.name}\0{_size(file)}\0".encode(errors="surrogateescape"))
        for index in np.unique(np.linspace(0, len(self.files) - 1, 8).astype(int)):
            digest.update(read_bytes(self.files[index]))
        for file in self.files:
            if file.suffix.lower() in _UNCOMPRESSED:  # whose size tells nothing
                digest.update(_pieces(file))
        if self.value_range is not None:
            digest.update(f"{self.value_range}".encode())
        return digest.hexdigest()

    def inputs(self) -> list[Path]:
        return [*self.files, *([] if self.labels is None else [self.labels])]

    def _has_image(self, number: int) -> bool:
        return True

    def _file(self, number: int) -> Path:
        self._check_number(number)
        return self.files[number - 1]


def _pieces(path: Path, count: int = 16, length: int = 4096) -> bytes:
    """Return pieces of a file, evenly spread."""
    try:
        with path.open("rb") as file:
            last = max(0, path.stat().st_size - length)
            parts = []
            for place in np.unique(np.linspace(0, last, count).astype(int)).tolist():
                file.seek(place)
                parts.append(file.read(length))
            return b"".join(parts)
    except OSError as error:
        raise SourceError(f"The image {cannot_read(path, error)}") from error


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise SourceError(f"The image {cannot_read(path, error)}") from error


class PageSource(ImageSource):
    """A TIFF of several pages or an animated WebP: one page a frame, shown as long as the file says."""

    def __init__(
        self, path: Path, pages: int, frame_rate: float | None, name: str, value_range: ValueRange | None
    ) -> None:
        from PIL import Image

        self._lock = threading.Lock()
        self._path, self._pages, self._given_rate = path, pages, frame_rate
        with path.open("rb") as file:
            tiff = file.read(2) in (b"II", b"MM")
            if tiff and tiff_pages(file, path.stat().st_size) is None:
                raise SourceError(f"{path} is cut short: {pages} of its pages could be read; restore the file.")
        self._picture: Any = None  # where OpenCV reads the pages
        try:
            picture = Image.open(path)
        except Exception:
            if not tiff:
                raise
        else:
            if is_left_to_opencv(picture):
                picture.close()
            else:
                self._picture = picture
                weakref.finalize(self, picture.close)
        milliseconds = [0.0]
        if self._picture is not None:
            milliseconds = [self._page(number).info.get("duration", 0) for number in range(1, pages + 1)]
        self._times: np.ndarray | None = None
        if frame_rate is None and all(each > 0 for each in milliseconds):
            self._times = np.concatenate([[0.0], np.cumsum(milliseconds[:-1])]) / 1000
            frame_rate = 1000 * pages / sum(milliseconds)
        super().__init__([path], path, frame_rate, name, value_range)

    def _measure(self) -> None:
        self.length = self._pages
        self.height, self.width = self._read(1).shape[:2]

    def _page(self, number: int) -> Any:
        try:
            with strict_pillow():
                self._picture.seek(number - 1)
                self._picture.load()
        except Exception as error:  # Pillow's decoders raise errors of many kinds
            raise SourceError(
                f"Page {number} of {self._path} cannot be decoded ({error}); restore the file."
            ) from error
        return self._picture

    def _raw(self, number: int) -> np.ndarray:
        if self._picture is None:
            return read_page(self._path, number)
        with self._lock:
            return from_pillow(self._page(number))

    def time_of(self, number: int) -> float:
        self._check_number(number)
        return super().time_of(number) if self._times is None else float(self._times[number - 1])

    def number_at(self, time: float) -> int:
        if self._times is None:
            return super().number_at(time)
        return max(1, int(np.searchsorted(self._times, time + 1e-6, side="right")))

    def jpeg(self, number: int, max_width: int | None = None, quality: int = 85) -> bytes:
        return Source.jpeg(self, number, max_width, quality)

    def __reduce__(self) -> tuple[Any, ...]:
        given = (self.path, self._pages, self._given_rate, self.name, self.value_range)
        return PageSource, given, {"_labels": self._labels}


def page_count(path: Path) -> int:
    """Return how many pages an image file has; 1 for files that are not images."""
    from PIL import Image

    if path.suffix.lower() not in _PAGED:
        return 1
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as picture:
                return getattr(picture, "n_frames", 1)
    except Exception:  # a kind that Pillow does not know, or reading the file says what is wrong with it
        with path.open("rb") as file:
            is_tiff = file.read(2) in (b"II", b"MM")
            return (tiff_pages(file, path.stat().st_size) or 1) if is_tiff else 1


class SequenceSource(ImageSource):
    """A MOTChallenge sequence folder: seqinfo.ini, img1/, gt/gt.txt, det/det.txt.

    The number in an image's name is its frame; frames without an image are left out by `frames`. A folder without its
    images can be opened, for its ground truth and detections; asking for a frame is an error then.
    """

    kind: Kind = "sequence"

    def __init__(
        self, path: Path, frame_rate: float | None, name: str | None, value_range: ValueRange | None = None
    ) -> None:
        self.info = read_seqinfo(path / "seqinfo.ini")
        self.folder = path / self.info.image_dir
        files = image_files(self.folder) if self.folder.is_dir() else []
        self._grid: tuple[int, int] | None = None
        self._by_number, self._last = self._numbered(files, path / "seqinfo.ini")
        super().__init__(files, path, frame_rate or self.info.frame_rate, name or self.info.name, value_range)
        self.frame_grid = self._grid

    def _numbered(self, files: list[Path], ini: Path) -> tuple[dict[int, Path], int]:
        """Return the images by frame number, and the number of the last frame."""
        length = self.info.length
        numbers, kinds = frame_numbers(files), kinds_of_names(files, self.folder)
        if numbers is None and 1 < len(kinds) <= len(files) / 2:
            found = ", ".join(file.name for file in kinds[:4])
            raise SourceError(
                f"{self.folder} holds images whose names are of {len(kinds)} kinds, such as {found}, so their frames "
                "are not known; take out what is no frame."
            )
        plain = numbers is None or numbers in (list(range(1, len(files) + 1)), list(range(len(files))))
        if files and len(files) != length and (plain or len(files) > length):
            raise SourceError(
                f"{ini} gives seqLength={length}, but {self.folder} holds {len(files)} images"
                f"{self._first_missing(files)}; restore the images or correct seqLength."
            )
        if plain or numbers is None:
            return dict(enumerate(files, 1)), length
        if numbers[0] == 0:
            numbers = [number + 1 for number in numbers]
        last = max(length, numbers[-1])
        gaps = sorted(set(range(1, last + 1)) - set(numbers))
        self._grid = frame_grid(numbers)
        said = f" (seqLength={length})" if last != length else ""
        warn(
            f"{self.folder} holds {len(files)} images; by name they are frames {ranges(numbers)} of {last}{said}. "
            f"Without an image: {ranges(gaps)}.{note_on_grid(self._grid)}"
        )
        return dict(zip(numbers, files, strict=True)), last

    def _first_missing(self, files: list[Path]) -> str:
        present = {file.name for file in files}
        expected = (f"{number:06d}{self.info.extension}" for number in range(1, self.info.length + 1))
        missing = next((each for each in expected if each not in present), None)
        # other naming schemes exist; then only the count is known
        return f" ({missing} is the first that is missing)" if missing and len(files) < self.info.length else ""

    def _measure(self) -> None:
        self.length = self._last
        self.width, self.height = self.info.width, self.info.height
        if not self.files:
            return
        height, width = self._read(min(self._by_number)).shape[:2]
        if (width, height) != (self.width, self.height):
            raise SourceError(
                f"{self.files[0]} is {width}x{height}, but seqinfo.ini gives imWidth={self.width} and "
                f"imHeight={self.height}; boxes would not fit, so correct the one that is wrong."
            )

    def _has_image(self, number: int) -> bool:
        return number in self._by_number or not self.files  # without any, asking for the first says so

    def _file(self, number: int) -> Path:
        self._check_number(number)
        if not self.files:
            raise SourceError(
                f"{self.folder} has no images, so {self.name} has no frames to show; put its images there."
            )
        if number not in self._by_number:
            raise SourceError(f"{self.folder} has no image for frame {number} of {self.name}; put it there.")
        return self._by_number[number]

    def fingerprint(self) -> str:
        if self.files:
            return super().fingerprint()
        return hashlib.sha256((self.path / "seqinfo.ini").read_bytes()).hexdigest()  # type: ignore[operator]

    def inputs(self) -> list[Path]:
        assert self.path is not None
        return [*super().inputs(), *(self.path / each for each in ("seqinfo.ini", "gt/gt.txt", "det/det.txt"))]

    @property
    def ground_truth(self) -> pd.DataFrame:
        if self.labels is None:
            assert self.path is not None
            raise SourceError(
                f"{self.path / 'gt' / 'gt.txt'} is missing, so the ground truth of {self.name} is not known; put it "
                "there, or give it with open_source(..., labels=PATH)."
            )
        return super().ground_truth

    @property
    def has_detections(self) -> bool:
        return (self.path / "det" / "det.txt").is_file()  # type: ignore[operator]

    @property
    def detections(self) -> pd.DataFrame:
        assert self.path is not None
        path = self.path / "det" / "det.txt"
        if not path.is_file():
            raise SourceError(f"{path} is missing, so the detections of {self.name} are not known; use detect().")
        table = read_mot(path, "detections", length=self.length, width=self.width, height=self.height)
        table.attrs.update(
            sequence=self.name, length=self.length, frame_rate=self.frame_rate, width=self.width, height=self.height
        )
        table.attrs["files"] = self.table_files()
        return table
