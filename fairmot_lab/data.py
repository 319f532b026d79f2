"""The data types that the packages exchange: detections of one frame, detections of a sequence.

Boxes are `x, y, w, h` in pixels of the original image, `x, y` being the top-left corner; frames count from 1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

STRIDE = 4

# Classes of MOTChallenge ground truth that this project names; a pedestrian is what is scored.
PEDESTRIAN, ON_VEHICLE, NON_MOTORISED, STATIC_PERSON, DISTRACTOR, REFLECTION = 1, 2, 6, 7, 8, 12
PERSON = "person"  # what the one class is called where nobody names it
PEOPLE = (PEDESTRIAN, ON_VEHICLE, STATIC_PERSON)
DISTRACTORS = (ON_VEHICLE, STATIC_PERSON, DISTRACTOR, REFLECTION)
LARGEST_CLASS = 13


_NAMELESS = ("", "arrays", "sequence", "frames")  # of sources and tables that nobody named


def same_footage(a: str | None, b: str | None) -> bool:
    """Return whether two names of sequences can stand for the same frames; data that nobody named can be of any.

    MOT17's sequences are those of MOT16, in one copy per public detector, which the last part of the name tells.

    Examples
    --------
    >>> same_footage("MOT17-09-SDP", "MOT17-09-FRCNN"), same_footage("MOT17-09-SDP", "MOT17-10-SDP")
    (True, False)
    """
    plain = [re.sub(r"^MOT1[67](-\d+)(-DPM|-FRCNN|-SDP)?$", r"MOT17\1", name or "") for name in (a, b)]
    return plain[0] == plain[1] or any(name in _NAMELESS for name in plain)


def frame_grid(numbers: Sequence[int]) -> tuple[int, int] | None:
    """Return the first number and the step of frames that are numbered in steps, such as 1, 3, 5; None for others.

    At least five frames, and half of those that such a numbering would have, must be there.

    Examples
    --------
    >>> frame_grid([1, 3, 5, 9, 11]), frame_grid([1, 2, 4, 5, 6])
    ((1, 2), None)
    """
    steps = np.diff(numbers)
    step = int(np.gcd.reduce(steps)) if len(numbers) >= 5 else 1
    if step <= 1 or 2 * len(numbers) < int(steps.sum()) // step + 1:
        return None
    return int(numbers[0]), step


def note_on_grid(grid: tuple[int, int] | None) -> str:
    """Return a sentence on frames that are numbered in steps, and nothing for others.

    Examples
    --------
    >>> note_on_grid((1, 2))
    ' Only every 2nd frame is there; trackers take these frames as consecutive ones.'
    """
    if grid is None:
        return ""
    nth = {2: "2nd", 3: "3rd"}.get(grid[1], f"{grid[1]}th")
    return f" Only every {nth} frame is there; trackers take these frames as consecutive ones."


@dataclass(frozen=True)
class Letterbox:
    """How an image lies in the network's input: scaled with its aspect kept, centred, padded with grey.

    Attributes
    ----------
    image_width, image_height
        Size of the original image in pixels.
    input_width, input_height
        Size of the network's input in pixels.
    scale
        Input pixels per image pixel.
    pad_x, pad_y
        Width of the left and height of the upper grey border in input pixels; halves occur.
    stride
        Input pixels per heatmap cell.

    Examples
    --------
    >>> Letterbox.fit((1920, 1080), (576, 320)).heatmap_size
    (144, 80)
    """

    image_width: int
    image_height: int
    input_width: int
    input_height: int
    scale: float
    pad_x: float
    pad_y: float
    stride: int = STRIDE

    @classmethod
    def fit(cls, image_size: tuple[int, int], input_size: tuple[int, int], stride: int = STRIDE) -> Letterbox:
        """Return the letterbox of an image of (width, height) in an input of (width, height), as ppdet lays it."""
        (image_width, image_height), (input_width, input_height) = image_size, input_size
        scale = min(input_height / image_height, input_width / image_width)
        box = cls(image_width, image_height, input_width, input_height, scale, 0, 0, stride)
        pad_x, pad_y = (input_width - box.content_size[0]) / 2, (input_height - box.content_size[1]) / 2
        return replace(box, pad_x=pad_x, pad_y=pad_y)

    @property
    def content_size(self) -> tuple[int, int]:
        """(width, height) of the scaled image inside the borders, in input pixels."""
        return max(1, round(self.image_width * self.scale)), max(1, round(self.image_height * self.scale))

    @property
    def heatmap_size(self) -> tuple[int, int]:
        """(width, height) of the heatmap in cells."""
        return self.input_width // self.stride, self.input_height // self.stride

    def to_image(self, heat_xy: np.ndarray) -> np.ndarray:
        """Convert heatmap coordinates (..., 2) to pixels of the original image."""
        return (np.asarray(heat_xy) * self.stride - (self.pad_x, self.pad_y)) / self.scale

    def to_heatmap(self, image_xy: np.ndarray) -> np.ndarray:
        """Convert pixels (..., 2) of the original image to heatmap coordinates; the cell is their floor."""
        return (np.asarray(image_xy) * self.scale + (self.pad_x, self.pad_y)) / self.stride


@dataclass
class FrameDetections:
    """The detections of one frame.

    Attributes
    ----------
    frame : int
        Frame number, counted from 1 (0: a single image).
    boxes : (N, 4) float32
        `x, y, w, h` in pixels of the original image; they may reach beyond its edges.
    scores : (N,) float32
        Centre scores in 0..1, descending.
    embeddings : (N, D) float32 or None
        Appearance vectors of unit length to half precision (they are rounded to float16, which is how they are kept).
        None for detections that came without.
    class_ids : (N,) int64
        Class index of the network (0 for single-class models), -1 where unknown.
    heatmap : (H/S, W/S) float32 or None
        Centre scores of every cell: the largest over classes.
    embedding_map : (D, H/S, W/S) float32 or None
        The appearance vector of every cell.
    letterbox : Letterbox or None
        Maps heatmap cells to pixels and back.
    peaks : (N, 2) int64 or None
        Heatmap cell `x, y` of each box.
    discarded : int
        Peaks above the score floor that were left out: their box has no area, is not finite, or overlaps a better one
        by more than the model's `nms_iou`.

    Examples
    --------
    >>> len(FrameDetections(1, np.array([[10, 10, 40, 80]]), np.array([0.9])))
    1
    """

    frame: int
    boxes: np.ndarray
    scores: np.ndarray
    embeddings: np.ndarray | None = None
    class_ids: np.ndarray = None  # type: ignore[assignment]  # filled in below
    heatmap: np.ndarray | None = None
    embedding_map: np.ndarray | None = None
    letterbox: Letterbox | None = None
    peaks: np.ndarray | None = None
    discarded: int = 0

    def __post_init__(self) -> None:
        if self.class_ids is None:
            self.class_ids = np.empty(len(self.scores), np.int64)
            self.class_ids.fill(-1)  # np.full takes three times as long

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True)
class FrameTracks:
    """The tracks that are reported in one frame.

    Attributes
    ----------
    frame : int
        Frame number, counted from 1.
    ids : (M,) int64
        Track ids, counted from 1 within one tracker.
    boxes : (M, 4) float32
        `x, y, w, h` in pixels: the tracker's estimate, not the detector's box.
    scores : (M,) float32
        The score of the detection that the track took.
    class_ids : (M,) int64
        The class of that detection (-1 unknown).
    detections : (M,) int64
        Row of that detection in the frame's boxes.
    """

    frame: int
    ids: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    class_ids: np.ndarray
    detections: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)


def column_of(table: pd.DataFrame, name: str, default: float) -> np.ndarray:
    """Return a column (N,) of a table; `default` in every row where the table has no such column.

    Examples
    --------
    >>> import pandas as pd
    >>> column_of(pd.DataFrame({"frame": [1, 2]}), "conf", 1.0).tolist()
    [1.0, 1.0]
    """
    return table[name].to_numpy() if name in table else np.full(len(table), default)


def join_sequences(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Join the tables of several sequences into one with a first column `sequence`.

    Parameters
    ----------
    tables
        By name of sequence.

    Returns
    -------
    pandas.DataFrame
        `attrs` hold `sequences`, the attrs of each table by name, and those that all share.

    Examples
    --------
    >>> import pandas as pd
    >>> one = join_sequences({"a": pd.DataFrame({"frame": [1]}), "b": pd.DataFrame({"frame": [1, 2]})})
    >>> one["sequence"].tolist(), split_sequences(one)["b"]["frame"].tolist()
    (['a', 'b', 'b'], [1, 2])
    """
    parts = []
    for name, table in tables.items():
        part = table.copy()
        part.attrs = {}
        part.insert(0, "sequence", name)
        parts.append(part)
    whole = pd.concat(parts, ignore_index=True)
    attrs = {name: dict(table.attrs) for name, table in tables.items()}
    first = next(iter(attrs.values()))
    shared = {key: value for key, value in first.items() if all(one.get(key) == value for one in attrs.values())}
    whole.attrs = {**shared, "sequences": attrs}
    return whole


def by_sequence(tables: Mapping[str, pd.DataFrame] | pd.DataFrame) -> Mapping[str, pd.DataFrame]:
    """Return tables by name of sequence: those of a dict, of a joined table, or the one that is given.

    Examples
    --------
    >>> import pandas as pd
    >>> list(by_sequence(pd.DataFrame({"sequence": ["a", "b"], "frame": [1, 1]}))), list(by_sequence(pd.DataFrame()))
    (['a', 'b'], ['sequence'])
    """
    if not isinstance(tables, pd.DataFrame):
        return tables
    if "sequence" in tables:
        return split_sequences(tables)
    return {str(tables.attrs.get("sequence") or "sequence"): tables}


def split_sequences(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the tables that `join_sequences` joined, by name of sequence, with their attrs.

    Examples
    --------
    >>> import pandas as pd
    >>> list(split_sequences(pd.DataFrame({"sequence": ["a", "b", "b"], "frame": [1, 1, 2]})))
    ['a', 'b']
    """
    attrs = table.attrs.get("sequences", {})
    names = list(dict.fromkeys([*attrs, *table["sequence"].unique().tolist()]))
    tables = {}
    for name in names:
        part = table[table["sequence"] == name].drop(columns="sequence").reset_index(drop=True)
        part.attrs = {"sequence": name, **attrs.get(name, {})}
        tables[str(name)] = part
    return tables
