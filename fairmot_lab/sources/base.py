"""The base class of sources, and the frame they yield."""

from __future__ import annotations

import abc
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pandas as pd

from ..errors import SourceError, warn
from ..formats.labels import labels_beside, read_truth
from .images import IMAGE_SUFFIXES, encode_jpeg

Kind = Literal["sequence", "video", "images", "camera", "stream", "arrays"]
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


class _UnknownLengthError(SourceError, TypeError):
    """A length that cannot be known; `list()` takes a TypeError of `__len__` for that, and goes on without."""


class Source(abc.ABC):
    """A sequence of frames of one size.

    Attributes
    ----------
    name : str
        What result files are called.
    path : pathlib.Path or None
        Where it is on disk.
    kind : str
        "sequence", "video", "images", "camera", "stream" or "arrays".
    frame_rate : float
        Frames per second; the mean where it varies.
    width, height : int
        Size of every frame in pixels, after rotation.
    length : int or None
        Number of frames, exact; None where it cannot be known (live sources, generators).
    frame_grid : (int, int) or None
        First number and step, where frames are numbered in steps (1, 3, 5): trackers take them as consecutive.
    pixel_aspect : fractions.Fraction
        Width of a pixel by its height; 1 for square pixels. Boxes are in stored pixels, whatever their shape.
    """

    kind: Kind

    def __init__(self, name: str, path: Path | None, frame_rate: float) -> None:
        self.name = name
        self.path = path
        self.frame_rate = frame_rate
        self.width = 0
        self.height = 0
        self.length: int | None = None
        self.frame_grid: tuple[int, int] | None = None
        self.pixel_aspect = Fraction(1)
        self._rescaled = False
        self._labels: Path | Literal[False] | None = None

    # -- each medium does these in its own way ---------------------------------------------------------------------

    @abc.abstractmethod
    def frames(self, first: int = 1, last: int | None = None) -> Iterator[Frame]:
        """Yield the frames `first` to `last`, both included; to the end if `last` is None.

        Frames that are missing or cannot be decoded are left out; their numbers stay free. SourceError if the source
        does not reach from `first` to `last`.
        """

    @abc.abstractmethod
    def image(self, number: int) -> np.ndarray:
        """Return frame `number` as a (H, W, 3) uint8 BGR array.

        Raises
        ------
        SourceError
            If there is no such frame, it is broken, or the medium has no random access.
        """

    @abc.abstractmethod
    def fingerprint(self) -> str:
        """Return a text that is equal for equal content, computed without decoding every frame.

        It hashes names, sizes and samples of the bytes, not places or modification times: a copied sequence keeps it.
        Live sources and generators have a new one each time they are opened.
        """

    # -- all share these -------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Frame]:
        return self.frames()

    def __len__(self) -> int:
        if self.length is None:
            raise _UnknownLengthError(f"{self.name} has no known length; iterate over its frames instead.")
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

    def inputs(self) -> list[Path]:
        """Return the files that are read, which no output may overwrite."""
        return [path for path in (self.path, self.labels) if path is not None]

    def table_files(self) -> list[str]:
        """Return the real paths of `inputs` without images, for `attrs["files"]` of tables."""
        return [os.path.realpath(path) for path in self.inputs() if path.suffix.lower() not in IMAGE_SUFFIXES]

    def close(self) -> None:  # noqa: B027, most media hold nothing open
        """Release the camera, file or connection; a file is opened again when needed."""

    def jpeg(self, number: int, max_width: int | None = None, quality: int = 85) -> bytes:
        """Return frame `number` as JPEG bytes.

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
        """Return the seconds from the first frame to frame `number`."""
        return (number - 1) / self.frame_rate

    def number_at(self, time: float) -> int:
        """Return the number of the frame that is shown at `time` (seconds since the first frame)."""
        return max(1, math.floor(time * self.frame_rate + 1e-6) + 1)

    @property
    def labels(self) -> Path | None:
        """The file of ground truth: the one given to `open_source`, or the one where a data set keeps it."""
        if self._labels is None and self.path is not None:
            self._labels = labels_beside(self.path) or False
        return self._labels or None

    @labels.setter
    def labels(self, path: Path | None) -> None:
        self._labels = path

    @property
    def has_ground_truth(self) -> bool:
        """Whether `ground_truth` can be read."""
        return self.labels is not None

    @property
    def ground_truth(self) -> pd.DataFrame:
        """The table of ground truth; see `read_labels`."""
        if self.labels is None:
            raise SourceError(
                f"{self.name} has no gt/gt.txt, and no labels of another data set where it keeps them; give its ground "
                "truth with open_source(..., labels=PATH)."
            )
        table = read_truth(self.labels, self.name, length=self.length, width=self.width, height=self.height)
        table.attrs.update(sequence=self.name, frame_rate=self.frame_rate, width=self.width, height=self.height)
        table.attrs["files"] = [*table.attrs.get("files", ()), *self.table_files()]
        if self.length is not None:
            table.attrs["length"] = self.length
        return table

    @property
    def has_detections(self) -> bool:
        """Whether `detections` can be read."""
        return False

    @property
    def detections(self) -> pd.DataFrame:
        """The table of the public detections det/det.txt; see `read_mot`."""
        raise SourceError(f"{self.name} is not a MOTChallenge sequence folder, so it has no det/det.txt; use detect().")

    def _check_number(self, number: int) -> None:
        if number < 1 or (self.length is not None and number > self.length):
            raise SourceError(f"{self.name} has no frame {number}; its frames are 1 to {self.length}.")

    def span(self, first: int, last: int | None) -> tuple[int, int]:
        """Return the first and last frame of a request; SourceError if one does not exist."""
        end = len(self) if last is None else last
        if not 1 <= first <= end <= len(self):
            asked = f"frame {first}" if last is None else f"frames {first} to {last}"
            raise SourceError(f"{self.name} has no {asked}; its frames are 1 to {len(self)}.")
        return first, end

    def _fit(self, image: np.ndarray, number: int) -> np.ndarray:
        """Scale a frame to the size of the source, because boxes are given in that one size; warns once."""
        height, width = image.shape[:2]
        if (width, height) == (self.width, self.height):
            return image
        if not self._rescaled:
            self._rescaled = True
            warn(
                f"{self.name} changes its size at frame {number} from {self.width}x{self.height} to {width}x{height}; "
                f"frames of another size are scaled to {self.width}x{self.height}, and boxes are given in that size."
            )
        shrinks = width * height > self.width * self.height
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return cv2.resize(image, (self.width, self.height), interpolation=method)


def ranges(numbers: Sequence[int]) -> str:
    """Return ascending numbers as text, runs shortened, at most eight of them.

    Examples
    --------
    >>> ranges([3, 4, 5, 9])
    '3-5, 9'
    """
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    texts = [str(a) if a == b else f"{a}-{b}" for a, b in parts]
    return ", ".join(texts[:8]) + (f" and {len(texts) - 8} more places" if len(texts) > 8 else "")
