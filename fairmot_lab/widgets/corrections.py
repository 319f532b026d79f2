"""Correct identities by hand: merge, split, rename, swap and delete tracks, with undo."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
import pandas as pd

from ..errors import ViewError
from ..formats.cvat import write_cvat
from ..formats.mot import write_mot
from .base import Panel, block, escape, html_table
from .checks import refuse_existing
from .page import Page
from .parts import counted, file_field, in_a_row


class Corrections:
    """A tracks table and what was changed in it; the table that is given is not modified.

    Parameters
    ----------
    tracks
        The table to correct.

    Attributes
    ----------
    table : DataFrame
        The tracks with all corrections.
    log : list of str
        The corrections in words, the first one first.

    Examples
    --------
    >>> tracks = pd.DataFrame({"frame": [1, 2, 3], "id": [1, 1, 7], "x": 0.0, "y": 0.0, "w": 9.0, "h": 9.0})
    >>> corrections = Corrections(tracks)
    >>> corrections.merge(1, 7)
    >>> corrections.table["id"].tolist(), corrections.log
    ([1, 1, 1], ['track 7 merged into track 1'])
    >>> corrections.undo()
    >>> corrections.table["id"].tolist()
    [1, 1, 7]
    """

    def __init__(self, tracks: pd.DataFrame) -> None:
        self._states = [tracks]
        self._words: list[str] = []
        self._at = 0

    @property
    def table(self) -> pd.DataFrame:
        """The tracks with all corrections."""
        return self._states[self._at]

    @property
    def log(self) -> list[str]:
        """The corrections in words."""
        return self._words[: self._at]

    def merge(self, keep: int, drop: int) -> None:
        """Give all boxes of track `drop` to track `keep`.

        Raises
        ------
        ViewError
            If there is no such track, or both are in one frame.
        """
        kept, dropped = self._rows(keep), self._rows(drop)
        if keep == drop:
            raise ViewError(f"Track {keep} cannot be merged with itself.")
        both = np.intersect1d(self.table["frame"][kept], self.table["frame"][dropped])
        if len(both):
            raise ViewError(
                f"Tracks {keep} and {drop} are both in frame {both[0]} ({len(both)} in all), so they are two people; "
                "swap or split them instead."
            )
        self._set_ids(dropped, keep, f"track {drop} merged into track {keep}")

    def split(self, track: int, frame: int) -> int:
        """Give the boxes of a track from a frame on a new id, and return that id."""
        later = self._rows(track) & (self.table["frame"] >= frame)
        if not later.any() or later.sum() == self._rows(track).sum():
            raise ViewError(f"Track {track} has no boxes on both sides of frame {frame}, so it cannot be split there.")
        new = int(self.table["id"].max()) + 1
        self._set_ids(later, new, f"track {track} split at frame {frame}: track {new} from there")
        return new

    def rename(self, track: int, new: int) -> None:
        """Give a track another id that no track has."""
        rows = self._rows(track)
        if (self.table["id"] == new).any():
            raise ViewError(f"There is a track {new} already; merge {track} with it instead.")
        if new < 1:
            raise ViewError(f"An id must be at least 1, not {new}.")
        self._set_ids(rows, new, f"track {track} renamed to {new}")

    def swap(self, a: int, b: int, frame: int) -> None:
        """Exchange two ids from a frame on."""
        first, second = (self._rows(track) & (self.table["frame"] >= frame) for track in (a, b))
        if not first.any() and not second.any():
            raise ViewError(f"Neither track {a} nor track {b} is there from frame {frame} on.")
        table = self.table.copy()
        table.loc[first, "id"], table.loc[second, "id"] = b, a
        self._push(table, f"tracks {a} and {b} swapped from frame {frame} on")

    def delete(self, track: int) -> None:
        """Remove a track."""
        rows = self._rows(track)
        self._push(self.table[~rows], f"track {track} deleted")

    def undo(self) -> None:
        """Take the last correction back."""
        if self._at:
            self._at -= 1

    def redo(self) -> None:
        """Make the correction again that was taken back last."""
        if self._at < len(self._words):
            self._at += 1

    def save(self, path: str | Path) -> Path:
        """Write the corrected tracks: MOTChallenge text, or CVAT's zip where the name ends in .zip.

        Raises
        ------
        ViewError
            If the file exists: what a correction began with is not overwritten.
        """
        path = Path(str(path).strip() or ".")
        if path.is_dir():
            raise ViewError("The file to save the corrected tracks in has no name; give one, such as corrected.txt.")
        refuse_existing(path)
        if path.suffix == ".zip":
            return write_cvat(self.table.assign(class_id=-1), path)
        write_mot(self.table, path)
        return path

    def _rows(self, track: int) -> pd.Series:
        rows = self.table["id"] == track
        if not rows.any():
            raise ViewError(f"There is no track {track}.")
        return rows

    def _set_ids(self, rows: pd.Series, new: int, words: str) -> None:
        table = self.table.copy()
        table.loc[rows, "id"] = new
        self._push(table, words)

    def _push(self, table: pd.DataFrame, words: str) -> None:
        del self._states[self._at + 1 :], self._words[self._at :]
        self._states.append(table)
        self._words.append(words)
        self._at += 1


class CorrectionPanel(Panel):
    """Buttons to correct identities; `changed` is called with the table after each correction.

    Parameters
    ----------
    tracks
        The table to correct.
    name
        Of the sequence, for the name of the file.
    frame
        Returns the frame on show.
    changed
        Called with the corrected table.
    """

    def __init__(
        self,
        tracks: pd.DataFrame,
        name: str,
        frame: Callable[[], int],
        changed: Callable[[pd.DataFrame], None],
        **traits: Any,
    ) -> None:
        super().__init__(**traits)
        self.corrections = Corrections(tracks)
        self._changed = changed
        self._first = ipywidgets.IntText(0, description="track", tooltip="the track to change")
        self._second = ipywidgets.IntText(0, description="other", tooltip="the other track, or the new id")
        for field in (self._first, self._second):
            field.layout.width = "150px"
        edits, one, other = self.corrections, self._first, self._second
        merging = "give the boxes of the other track to the track"
        buttons = [
            self._edit("Merge", merging, lambda: edits.merge(one.value, other.value)),
            self._edit("Split here", "a new id from this frame on", lambda: edits.split(one.value, frame())),
            self._edit("Swap from here", "exchange both ids", lambda: edits.swap(one.value, other.value, frame())),
            self._edit("Rename", "to the id in the field other", lambda: edits.rename(one.value, other.value)),
            self._edit("Delete", "remove the track", lambda: edits.delete(one.value)),
        ]
        back = [
            self._edit("Undo", "take the last correction back", edits.undo),
            self._edit("Redo", "make it again", edits.redo),
        ]
        self._path = file_field(f"{name}-corrected.txt", ".txt: MOTChallenge; .zip: CVAT")
        save = self._button("Save", "write the corrected tracks", self._write)
        self._log = ipywidgets.HTML()
        self.children = [
            self._banner,
            in_a_row(one, other, *back),
            in_a_row(*buttons),
            in_a_row(self._path, save),
            self._log,
        ]
        self._tell()

    def select(self, first: int | None, second: int | None = None) -> None:
        """Put ids into the fields."""
        for field, value in ((self._first, first), (self._second, second)):
            if value is not None:
                field.value = value

    def _edit(self, text: str, meaning: str, correct: Callable[[], Any]) -> ipywidgets.Button:
        """Make a button for a correction."""

        def press() -> None:
            self.error = ""
            before = self.corrections.table
            correct()
            if self.corrections.table is not before:
                self._changed(self.corrections.table)
            self._tell()

        return self._button(text, meaning, press)

    def _write(self) -> None:
        self.error = ""
        path = self.corrections.save(self._path.value)
        self._tell(f"Saved as {path}.")

    def _tell(self, text: str = "") -> None:
        lines = "".join(f"<li>{escape(words)}</li>" for words in self.corrections.log[-12:])
        said = escape(
            text or f"{counted(len(self.corrections.log), 'correction')}; the files that were read are not touched."
        )
        self._log.value = block(f'<p class="fml-dim">{said}</p><ol>{lines}</ol>')

    def saved_html(self) -> str:
        """Return the corrections in words."""
        return html_table(["correction"], [[words] for words in self.corrections.log])

    def page(self, *, max_mb: float = 8.0, max_width: int = 960) -> Page:
        """Return a page that lists the corrections."""
        page = Page("Corrections", max_mb=max_mb)
        page.add_html(self.saved_html())
        return page
