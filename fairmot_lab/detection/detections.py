"""The detections of a sequence, wherever they come from: by frame, as columns, or as a table."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from ..boxes import BOX
from ..data import FrameDetections, frame_grid, note_on_grid
from ..errors import DetectionsError, warn
from ..formats.base import stem
from ..formats.mot import read_mot
from ..formats.seqinfo import read_seqinfo
from .detector import ShapeChecks

if TYPE_CHECKING:
    from ..sources.base import Source


class Columns(NamedTuple):
    """What `Detections` holds inside: one array per column, so that a sequence is checked and copied in one go."""

    frames: np.ndarray
    offsets: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    embeddings: np.ndarray | None
    class_ids: np.ndarray

    def part(self, first: int, last: int) -> Columns:
        """Return the columns of the frames of the indices `first` to `last`, the last one excluded."""
        offsets = self.offsets[first : last + 1]
        rows = slice(offsets[0], offsets[-1])
        embeddings = None if self.embeddings is None else self.embeddings[rows]
        frames, offsets = self.frames[first:last], offsets - offsets[0]
        return Columns(frames, offsets, self.boxes[rows], self.scores[rows], embeddings, self.class_ids[rows])


class Detections:
    """The detections of a sequence.

    Attributes
    ----------
    name, frame_rate, width, height, length
        Of the sequence. `width`, `height` and `length` are None where they are not known.
    path : pathlib.Path or None
        The file that holds them.
    fingerprint : dict
        What the detections were made from.
    class_names : dict
        From class id to name; empty where they are not known.
    missing : tuple of int
        Frames that the source could not give.
    camera_motion : mapping or None
        Set it to what `camera_motion` gave: trackers that know it then take it wherever these detections are tracked.
    """

    name: str
    frame_rate: float
    width: int | None
    height: int | None
    length: int | None
    fingerprint: dict[str, Any]
    path: Path | None = None
    has_heatmaps = False
    camera_motion: Mapping[int, np.ndarray] | None = None

    def __init__(self) -> None:
        self._held: Columns | None = None
        self._inputs: list[Path] = []
        self._frames: dict[int, FrameDetections] = {}
        self.class_names: dict[int, str] = {}
        self._missing: tuple[int, ...] = ()
        self._grid: tuple[int, int] | None = None

    @classmethod
    def from_frames(
        cls,
        frames: Iterable[FrameDetections],
        *,
        name: str = "detections",
        frame_rate: float = 30.0,
        width: int | None = None,
        height: int | None = None,
        class_names: Mapping[int, str] | None = None,
    ) -> Detections:
        """Hold the detections of frames in memory.

        Parameters
        ----------
        frames
            In ascending order of their numbers.
        name, frame_rate, width, height, class_names
            Of the sequence.

        Raises
        ------
        DetectionsError
            If arrays of a frame do not belong together, or the frames are not in ascending order.

        Examples
        --------
        >>> boxes, scores = np.array([[10, 10, 40, 80]]), np.array([0.9])
        >>> Detections.from_frames([FrameDetections(1, boxes, scores), FrameDetections(2, boxes, scores)])
        <Detections 'detections': 2 frames, 2 detections>
        """
        self, frames, check_shapes = Detections(), list(frames), ShapeChecks(name)
        for one in frames:
            check_shapes(one)
        numbers = np.array([one.frame for one in frames], np.int64)
        if (np.diff(numbers) <= 0).any():
            raise DetectionsError(f"{name}: the frames are not in ascending order, each once; sort them by frame.")
        self._frames = dict(zip(numbers.tolist(), frames, strict=True))
        self.name, self.frame_rate, self.width, self.height = name, float(frame_rate), width, height
        self.length = int(numbers[-1]) if len(numbers) else 0
        self.class_names = dict(class_names or {})
        self.fingerprint = {"name": name, "engine": "memory"}
        self.has_heatmaps = any(one.heatmap is not None for one in frames)
        self._held = join_frames(numbers, frames)
        return self

    def part(self, first: int, last: int) -> Detections:
        """Return the detections of the frames `first` to `last`, both included, without heatmaps.

        Raises
        ------
        DetectionsError
            If there are none of these frames.

        Examples
        --------
        >>> fl.example().detections.part(11, 20)
        <Detections 'crossing': 10 frames, 18 detections, with embeddings>
        """
        start, stop = np.searchsorted(self.frames, [first, last + 1])
        if start >= stop:
            raise DetectionsError(f"{self.name} holds no frames {first} to {last}; it holds {_span(self.frames)}.")
        part = Detections()
        part._held = self._columns().part(int(start), int(stop))
        part.name, part.frame_rate, part.length = self.name, self.frame_rate, self.length
        part.width, part.height, part._inputs = self.width, self.height, self.inputs()
        part.class_names, part.camera_motion = self.class_names, self.camera_motion
        part._grid = self.frame_grid
        part.fingerprint = {**self.fingerprint, "frames": [first, last]}
        return part

    def __repr__(self) -> str:
        parts = [("embeddings", self.has_embeddings), ("heatmaps", self.has_heatmaps)]
        given = " and ".join(part for part, there in parts if there)
        count = f"{len(self)} frames, {len(self.scores)} detections"
        return f"<{type(self).__name__} {self.name!r}: {count}{', with ' + given if given else ''}>"

    @property
    def has_embeddings(self) -> bool:
        """Whether there are embeddings."""
        return self._columns().embeddings is not None

    @property
    def default_tracker(self) -> Mapping[str, Any]:
        """Name and settings of the tracker that their model was published with; empty where that is unknown.

        Detections of several classes get `per_class:NAME`.
        """
        settings = dict(self.fingerprint.get("tracker", {}))
        if len(self.class_names) > 1:
            settings = {**settings, "tracker": f"per_class:{settings.get('tracker', 'jde')}"}
        return settings

    @property
    def frames(self) -> np.ndarray:
        """Frame numbers (F,) int64, ascending."""
        return self._columns().frames

    @property
    def missing(self) -> tuple[int, ...]:
        """Frames that the source could not give."""
        self._columns()  # which frames are missing is known once all are read
        return self._missing

    @property
    def frame_grid(self) -> tuple[int, int] | None:
        """First number and step, where frames are numbered in steps (1, 3, 5): trackers take them as consecutive."""
        self._columns()
        return self._grid

    @property
    def offsets(self) -> np.ndarray:
        """Places (F + 1,) int64: the detections of the frame at index `i` are the rows `offsets[i]:offsets[i + 1]`."""
        return self._columns().offsets

    @property
    def boxes(self) -> np.ndarray:
        """Boxes (T, 4) float32 of all frames: `x, y, w, h` in pixels of the original image."""
        return self._columns().boxes

    @property
    def scores(self) -> np.ndarray:
        """Scores (T,) float32, descending within a frame."""
        return self._columns().scores

    @property
    def class_ids(self) -> np.ndarray:
        """Class ids (T,) int64, -1 where unknown."""
        return self._columns().class_ids

    def frame(self, number: int) -> FrameDetections:
        """Return the detections of one frame.

        Raises
        ------
        DetectionsError
            If there is no such frame, or its bytes are damaged.
        """
        if number in self._frames:
            return self._frames[number]
        held = self._columns()
        index = int(np.searchsorted(held.frames, number))
        if index == len(held.frames) or held.frames[index] != number:
            raise DetectionsError(f"{self.name} holds no frame {number}; it holds {_span(held.frames)}.")
        one = held.part(index, index + 1)
        return FrameDetections(number, one.boxes, one.scores, one.embeddings, one.class_ids)

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[FrameDetections]:
        return (self.frame(int(number)) for number in self.frames)

    def inputs(self) -> list[Path]:
        """Return the files that are read, which no output may overwrite."""
        return self._inputs if self.path is None else [self.path]

    def _columns(self) -> Columns:
        """Return all detections, read once and kept in memory."""
        assert self._held is not None
        return self._held

    def embeddings(self) -> np.ndarray:
        """Return the embeddings (T, D) float32: one row per detection, numbered as the column `det` of `table()`.

        Raises
        ------
        DetectionsError
            If these are detections without embeddings.
        """
        embeddings = self._columns().embeddings
        if embeddings is None:
            raise DetectionsError(
                f"{self.name} holds detections without embeddings; make detections with detect() and a FairMOT model."
            )
        return embeddings

    def table(self) -> pd.DataFrame:
        """Return all detections as a table.

        Returns
        -------
        pandas.DataFrame
            `frame` (from 1), `x`, `y`, `w`, `h` (pixels of the original image, top-left corner), `score`, `class_id`
            (-1 unknown), `det` (row in `embeddings()`).
        """
        table = pd.DataFrame(self.boxes.astype(np.float64), columns=BOX)
        table.insert(0, "frame", np.repeat(self.frames, np.diff(self.offsets)))
        table["score"] = self.scores.astype(np.float64)
        table["class_id"] = self.class_ids
        table["det"] = np.arange(len(table))
        known = {"length": self.length, "width": self.width, "height": self.height, "class_names": self.class_names}
        table.attrs.update(sequence=self.name, frame_rate=self.frame_rate, **{k: v for k, v in known.items() if v})
        table.attrs["files"] = [os.path.realpath(path) for path in self.inputs()]
        return table

    def embedding_map(self, number: int, source: Source, detector: Any) -> np.ndarray:
        """Return the appearance vector (D, H, W) float32 of every heatmap cell of one frame.

        Raises
        ------
        DetectionsError
            If these detections come without a network.
        """
        raise DetectionsError(f"{self.name} comes without a network, so there is no embedding map; use detect().")


def join_frames(frames: np.ndarray, parts: list[FrameDetections]) -> Columns:
    """Join the detections of frames (F,) into columns; embeddings are None where no frame has them."""
    vectors = [part.embeddings for part in parts if len(part) and part.embeddings is not None]
    return Columns(
        frames=frames,
        offsets=np.cumsum([0, *(len(part) for part in parts)], dtype=np.int64),
        boxes=np.concatenate([np.empty((0, 4), np.float32), *(part.boxes for part in parts)]),
        scores=np.concatenate([np.empty(0, np.float32), *(part.scores for part in parts)]),
        embeddings=np.concatenate(vectors) if vectors else _no_embeddings(parts),
        class_ids=np.concatenate([np.empty(0, np.int64), *(part.class_ids for part in parts)]),
    )


def _no_embeddings(parts: list[FrameDetections]) -> np.ndarray | None:
    """Nothing detected at all is not the same as nothing known of appearance."""
    empty = next((part.embeddings for part in parts if part.embeddings is not None), None)
    return None if empty is None or any(len(part) for part in parts) else empty


class PublicDetections(Detections):
    """Detections of a MOTChallenge `det.txt`: boxes and scores, no embeddings, no heatmaps.

    Parameters
    ----------
    path
        The text file. Name, length, size and frame rate come from a `seqinfo.ini` next to it or in the folder above;
        without one the name is that of the folder above det/, else the file's, the length the last frame with a
        detection, the frame rate 30.
    name
        Of the sequence, where the file does not say.
    """

    path: Path

    def __init__(self, path: str | os.PathLike[str], name: str | None = None) -> None:
        super().__init__()
        self.path = Path(path)
        self.name, self.frame_rate, self.width, self.height, self.length = stem(self.path), 30.0, None, None, None
        for folder in (self.path.parent, self.path.parent.parent):
            if (folder / "seqinfo.ini").is_file():
                info = read_seqinfo(folder / "seqinfo.ini")
                self.name, self.frame_rate, self.length = info.name, float(info.frame_rate), info.length
                self.width, self.height = info.width, info.height
                break
        self.name = name or self.name
        table = read_mot(self.path, kind="detections", length=self.length, width=self.width, height=self.height)
        table = table.sort_values(["frame", "score"], ascending=[True, False], kind="stable")
        self._grid = frame_grid(table["frame"].unique())
        if note := note_on_grid(self._grid):
            warn(f"{self.path} has frames that are numbered in steps.{note}")
        if self.length is None:
            self.length = int(table["frame"].max()) if len(table) else 0
        numbers = np.arange(1, self.length + 1)
        self._held = Columns(
            frames=numbers,
            offsets=np.append(0, np.searchsorted(table["frame"].to_numpy(), numbers, side="right")).astype(np.int64),
            boxes=table[BOX].to_numpy(np.float32),
            scores=table["score"].to_numpy(np.float32),
            embeddings=None,
            class_ids=table["class_id"].to_numpy(np.int64) if "class_id" in table else np.full(len(table), -1),
        )
        self.fingerprint = {
            "name": self.name,
            "detections_sha256": hashlib.sha256(self.path.read_bytes()).hexdigest(),
            "engine": "public detections",
        }


def _span(frames: np.ndarray) -> str:
    return f"the frames {frames[0]} to {frames[-1]}" if len(frames) else "none"
