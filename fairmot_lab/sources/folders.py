"""Folders of images, with or without the files of a MOTChallenge sequence."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..errors import SourceError
from .base import DEFAULT_FRAME_RATE, Frame, Kind, Source
from .images import read_bytes, read_image

if TYPE_CHECKING:
    import pandas as pd


IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm")


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sort key that puts frame2 before frame10."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part.lower()) for part in re.split(r"([0-9]+)", name)]


def _image_files(folder: Path) -> list[Path]:
    files = (p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith("."))
    return sorted(files, key=lambda p: natural_key(p.name))


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
        from ..formats.seqinfo import read_seqinfo

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
        from ..formats.mot import read_mot

        assert self.path is not None
        path = self.path / part / f"{part}.txt"
        if not path.is_file():
            raise SourceError(f"{path} is missing, so the {kind.replace('_', ' ')} of {self.name} is not known.")
        table = read_mot(path, kind, length=self.length, width=self.width, height=self.height)
        table.attrs.update(
            sequence=self.name, length=self.length, frame_rate=self.frame_rate, width=self.width, height=self.height
        )
        return table
