"""The compact model that the package carries: YOLOX-nano finds people, colours inside the boxes tell them apart.

Its file is ONNX: `image` (1, 3, H, W; red, green, blue, 0 to 1, sides multiples of 32) to one map for each of the
strides 8, 16 and 32, with six channels (x and y of the centre from the cell's corner, logarithms of width and height,
all in cells; logits of an object and of a person), and the constant `projection` of `appearance.embed`. The detector is
that of Ge et al., "YOLOX: Exceeding YOLO Series in 2021" (arXiv 2107.08430), with one class.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ..data import FrameDetections, Letterbox
from .appearance import colour_histograms, embed
from .decode import best_boxes, round_embeddings
from .fairmot_detector import FairMOTDetector
from .letterbox import letterbox

STRIDES = (8, 16, 32)
CALIBRATION = -0.2  # added to the scores' logits: the tracker's default threshold then lies where it is best


class CompactDetector(FairMOTDetector):
    """The compact model, ready to run; its attributes are those of `FairMOTDetector`."""

    def describe(self) -> dict[str, Any]:
        """Return all that decides the numbers, and what computed them."""
        return super().describe() | {"stride": STRIDES[0]}

    def infer(self, blob: np.ndarray, frame: int = 0) -> Any:
        """Run the network on letterboxed input: a box and a score for every cell, and the projection."""
        *maps, projection = self._engine(blob)
        boxes, scores = decode_cells(maps)
        self._check_finite("scores", scores, frame)
        self._check_finite("boxes", boxes, frame)
        return boxes, scores, projection

    def embedding_map(self, image: np.ndarray) -> np.ndarray:
        """Return what is in the best box of every cell: (D, H/8, W/8) float32, unit length along axis 0."""
        blob, box = self.prepare(image)
        boxes, scores, projection = self.infer(blob)
        covering = cell_grid(*box.heatmap_size).covering
        each = boxes[np.take_along_axis(covering, scores[covering].argmax(0)[None], 0)[0]]
        vectors = embed(colour_histograms(blob[0], each.reshape(-1, 4)), projection).astype(np.float32)
        return vectors.reshape(*each.shape[:2], -1).transpose(2, 0, 1)

    def _letterbox(self, image: np.ndarray) -> tuple[np.ndarray, Letterbox]:
        return letterbox(image, self.input_size, stride=STRIDES[0], fast=True)

    def _compute(self, blob: np.ndarray, box: Letterbox, frame: int) -> FrameDetections:
        boxes, scores, projection = self.infer(blob, frame)
        candidates = np.flatnonzero(scores >= self.score_floor)
        order = candidates[np.argsort(-scores[candidates], kind="stable")]
        if self.nms_iou is not None:
            order = order[best_boxes(boxes[order], scores[order], self.nms_iou)]
        order = order[: self.max_per_frame]
        found, grid = boxes[order], cell_grid(*box.heatmap_size)
        # a peak: of the finest cells that a box's own cell covers, the one nearest to its centre
        times = grid.strides[order, None] / STRIDES[0]
        first = grid.places.T[order] * times
        peaks = np.clip(np.floor((found[:, :2] + found[:, 2:] / 2) / STRIDES[0]), first, first + times - 1)
        corner = box.to_image(found[:, :2] / box.stride)
        return FrameDetections(
            frame=frame,
            boxes=np.concatenate((corner, found[:, 2:] / box.scale), axis=1).astype(np.float32),
            scores=scores[order],
            embeddings=round_embeddings(embed(colour_histograms(blob[0], found), projection)),
            class_ids=np.zeros(len(order), np.int64),
            heatmap=scores[grid.covering].max(0),
            letterbox=box,
            peaks=peaks.astype(np.int64),
            discarded=len(candidates) - len(order),
        )


def decode_cells(maps: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Turn the maps into a box and a score for every cell.

    Parameters
    ----------
    maps
        (1, 6, H, W) float32 for each stride, the finest first.

    Returns
    -------
    boxes : (A, 4) float32
        `x, y, w, h` in pixels of the input; level by level, row by row.
    scores : (A,) float32
        Probability of an object times that of a person, calibrated.
    """
    rows, columns = maps[0].shape[2:]
    grid = cell_grid(columns, rows)
    cells = np.concatenate([level.reshape(6, -1) for level in maps], axis=1)
    size = np.exp(np.minimum(cells[2:4], 8)) * grid.strides
    corner = (cells[:2] + grid.places) * grid.strides - size / 2
    score = 1 / ((1 + np.exp(-cells[4])) * (1 + np.exp(-cells[5])))
    odds = np.float32(np.exp(CALIBRATION))
    return np.concatenate((corner, size)).T, score * odds / (1 - score + score * odds)


class CellGrid(NamedTuple):
    """The A cells of all levels, level by level, row by row.

    Attributes
    ----------
    places : (2, A) float32
        Column and row of each cell in its level.
    strides : (A,) float32
    centres : (A, 2) float32
        x, y in pixels of the input.
    covering : (3, H, W) int64
        The cells, one of each level, that cover a cell of the finest level.
    """

    places: np.ndarray
    strides: np.ndarray
    centres: np.ndarray
    covering: np.ndarray


@lru_cache(maxsize=8)
def cell_grid(columns: int, rows: int) -> CellGrid:
    """Return the cells of all levels where the finest has so many columns and rows.

    Examples
    --------
    >>> cell_grid(8, 4).covering[:, 3, 5].tolist()
    [29, 38, 41]
    """
    places, strides, covering = [], [], []
    first = 0
    for stride in STRIDES:
        times = stride // STRIDES[0]
        row, column = np.indices((rows // times, columns // times))
        places.append(np.stack((column.ravel(), row.ravel())))
        strides.append(np.full(row.size, stride))
        covering.append((first + row * row.shape[1] + column).repeat(times, 0).repeat(times, 1))
        first += row.size
    place = np.concatenate(places, axis=1, dtype=np.float32)
    each = np.concatenate(strides, dtype=np.float32)
    return CellGrid(place, each, ((place + 0.5) * each).T.copy(), np.stack(covering))
