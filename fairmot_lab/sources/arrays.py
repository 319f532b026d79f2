"""Frames that are arrays in memory."""

from __future__ import annotations

import hashlib
import itertools
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ..errors import SourceError
from .base import DEFAULT_FRAME_RATE, Frame, Kind, Source
from .images import ValueRange, from_pillow, own_range, to_bgr, warn_of_range


class ArraySource(Source):
    """BGR arrays or Pillow images: a list (random access, any number of passes) or any other iterable (one pass)."""

    kind: Kind = "arrays"

    def __init__(
        self,
        arrays: Iterable[Any],
        frame_rate: float | None,
        name: str | None,
        value_range: ValueRange | None = None,
    ) -> None:
        super().__init__(name or "arrays", None, frame_rate or DEFAULT_FRAME_RATE)
        self.value_range = value_range
        if isinstance(arrays, np.ndarray) and arrays.ndim != 4:
            raise SourceError(
                f"An array of shape {arrays.shape} is not a list of images; give [image] or (N, H, W, 3)."
            )
        self._list: Any = None  # a sequence of images, or one (N, H, W, 3) array
        self._token = uuid.uuid4().hex
        if isinstance(arrays, (Sequence, np.ndarray)):
            self._list = arrays
            self.length = len(arrays)
            first = [arrays[0]] if len(arrays) else []
        else:
            rest = iter(arrays)
            first = list(itertools.islice(rest, 1))
            self._rest = itertools.chain(first, rest)
            self._read = 0
        if not first:
            raise SourceError("There are no images to read: the list or iterator is empty; give at least one.")
        self.height, self.width = self._checked(first[0], 1).shape[:2]

    def frames(self, first: int = 1, last: int | None = None) -> Iterator[Frame]:
        if self._list is not None:
            first, last = self.span(first, last)
            for number in range(first, last + 1):
                yield Frame(number, self.image(number), (number - 1) / self.frame_rate)
            return
        if first <= self._read:
            raise SourceError(
                f"{self.name} is an iterator and was read up to frame {self._read}; make it again, or a list."
            )
        for image in itertools.islice(self._rest, None if last is None else max(0, last - self._read)):
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
        for index in range(len(self)):
            digest.update(np.ascontiguousarray(self._checked(self._list[index], index + 1)).data)
        return digest.hexdigest()

    def _checked(self, image: Any, number: int) -> np.ndarray:
        if type(image).__module__.startswith("PIL."):
            image = self._eight_bits(from_pillow(image))
        if not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            given = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else f"a {type(image).__name__}"
            raise SourceError(
                f"Frame {number} of {self.name} is {given}; give (height, width, 3) uint8 arrays in BGR order."
            )
        if not image.size:
            raise SourceError(f"Frame {number} of {self.name} is empty: its shape is {image.shape}; leave it out.")
        return image

    def _eight_bits(self, raw: np.ndarray) -> np.ndarray:
        """Scale a deep image by the range of a sample of the list, or of the first image."""
        if raw.dtype != np.uint8 and self.value_range is None:
            sample = [raw]
            if self._list is not None:
                places = np.unique(np.linspace(0, len(self._list) - 1, 32).astype(int))
                sample = [from_pillow(self._list[place]) for place in places]
            self.value_range = own_range(sample)
            warn_of_range(self.name, raw.dtype, self.value_range)
        return to_bgr(raw, self.value_range)
