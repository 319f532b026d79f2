"""Write MOTChallenge text while tracking."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import numpy as np

from .._files import make_folder, write_error
from ..data import FrameTracks


class TextWriter:
    """Appends tracks to a MOTChallenge text that is valid at every moment.

    It is called `NAME.partial.txt` until it is closed. The lines are those of `write_mot`.

    Parameters
    ----------
    path
        The file to make or replace.

    Raises
    ------
    WriteError
        If the file cannot be written; the lines of earlier frames are whole.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.partial = self.path.with_name(f"{self.path.stem}.partial{self.path.suffix}")
        make_folder(self.path.parent)
        try:
            self._file = self.partial.open("wb", buffering=0)
        except OSError as error:
            raise write_error(self.partial, error) from error
        self._end = 0

    def append(self, tracks: FrameTracks) -> None:
        """Write the rows of a frame; when this returns they survive the end of the program."""
        rows = zip(
            tracks.ids.tolist(),
            tracks.boxes.astype(np.float64).tolist(),
            tracks.scores.astype(np.float64).tolist(),
            tracks.class_ids.tolist(),
            strict=True,
        )
        lines = "".join(
            f"{tracks.frame},{number},{x},{y},{w},{h},{score},{class_id},-1,-1\n"
            for number, (x, y, w, h), score, class_id in rows
        )
        self.write(lines.encode("ascii"))

    def write(self, lines: bytes) -> None:
        """Append whole lines, or none of them."""
        try:
            left = memoryview(lines)
            while left:
                left = left[self._file.write(left) :]
            self._end += len(lines)
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.truncate(self._end)
            raise write_error(self.partial, error) from error

    def close(self) -> None:
        """Move the file to its place."""
        try:
            os.fsync(self._file.fileno())
            self._file.close()
            os.replace(self.partial, self.path)
        except OSError as error:
            raise write_error(self.path, error) from error

    def stop(self) -> None:
        """Leave the partial file where it is."""
        self._file.close()

    def discard(self) -> None:
        """Remove what was written."""
        self._file.close()
        self.partial.unlink(missing_ok=True)
