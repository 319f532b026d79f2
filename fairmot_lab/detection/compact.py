"""The compact model that the package carries: YOLOX-nano finds people, colours inside the boxes tell them apart.

Its file is ONNX: `image` (1, 3, H, W; red, green, blue, 0 to 1, sides multiples of 32) to one map for each of the
strides 8, 16 and 32, with six channels (x and y of the centre from the cell's corner, logarithms of width and height,
all in cells; logits of an object and of a person), and the constant `projection` of `appearance.embed`. The detector is
that of Ge et al., "YOLOX: Exceeding YOLO Series in 2021" (arXiv 2107.08430), with one class.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..data import FrameDetections, Letterbox
from ..errors import WeightsError
from .appearance import colour_histograms, embed
from .decode import best_boxes, round_embeddings
from .fairmot_detector import FairMOTDetector
from .letterbox import letterbox

STRIDES = (8, 16, 32)
MOST = 200  # boxes that are compared by suppression, which takes the square of their number
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
        if not (np.isfinite(scores).all() and np.isfinite(boxes).all()):
            place = f" in frame {frame}" if frame else ""
            raise WeightsError(f"{self.name} gives scores or boxes that are not finite{place}; its weights are broken.")
        return boxes, scores, projection

    def embedding_map(self, image: np.ndarray) -> np.ndarray:
        """Return what is in the best box of every cell: (D, H/8, W/8) float32, unit length along axis 0."""
        blob, _ = self.prepare(image)
        boxes, scores, projection = self.infer(blob)
        each = boxes[_best_cells(scores, blob.shape[2:])]
        vectors = embed(colour_histograms(blob[0], each.reshape(-1, 4)), projection).astype(np.float32)
        return vectors.reshape(*each.shape[:2], -1).transpose(2, 0, 1)

    def _letterbox(self, image: np.ndarray) -> tuple[np.ndarray, Letterbox]:
        return letterbox(image, self.input_size, stride=STRIDES[0], fast=True)

    def _compute(self, blob: np.ndarray, box: Letterbox, frame: int) -> FrameDetections:
        boxes, scores, projection = self.infer(blob, frame)
        candidates = np.flatnonzero(scores >= self.score_floor)
        order = candidates[np.argsort(-scores[candidates], kind="stable")[:MOST]]
        if self.nms_iou is not None:
            order = order[best_boxes(boxes[order], scores[order], self.nms_iou)]
        order = order[: self.max_per_frame]
        found = boxes[order]
        corner = box.to_image(found[:, :2] / box.stride)
        return FrameDetections(
            frame=frame,
            boxes=np.concatenate((corner, found[:, 2:] / box.scale), axis=1).astype(np.float32),
            scores=scores[order],
            embeddings=round_embeddings(embed(colour_histograms(blob[0], found), projection)),
            class_ids=np.zeros(len(order), np.int64),
            heatmap=scores[_best_cells(scores, blob.shape[2:])],
            letterbox=box,
            peaks=_peaks(order, found, blob.shape[2:]),
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
    boxes, scores = [], []
    for (cells,), stride in zip(maps, STRIDES, strict=True):
        rows, columns = np.indices(cells.shape[1:], np.float32)
        size = np.exp(np.minimum(cells[2:4], 8)) * stride
        corner = (cells[:2] + np.stack((columns, rows))) * stride - size / 2
        boxes.append(np.concatenate((corner, size)).reshape(4, -1).T)
        scores.append(1 / ((1 + np.exp(-cells[4])) * (1 + np.exp(-cells[5]))).ravel())
    score = np.concatenate(scores)
    odds = np.float32(np.exp(CALIBRATION))
    return np.concatenate(boxes), score * odds / (1 - score + score * odds)


def _levels(size: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """Rows, columns and first cell of each level, for an input of (height, width)."""
    shapes = [(size[0] // stride, size[1] // stride) for stride in STRIDES]
    starts = np.cumsum([0, *(rows * columns for rows, columns in shapes)])
    return [(rows, columns, int(start)) for (rows, columns), start in zip(shapes, starts, strict=False)]


def _best_cells(scores: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """(H/8, W/8): of the cells of all levels that cover a cell of the finest, the one that scores most."""
    covering = []
    for (rows, columns, start), stride in zip(_levels(size), STRIDES, strict=True):
        cells = start + np.arange(rows * columns).reshape(rows, columns)
        covering.append(cells.repeat(stride // STRIDES[0], 0).repeat(stride // STRIDES[0], 1))
    stacked = np.stack(covering)
    return np.take_along_axis(stacked, scores[stacked].argmax(0)[None], 0)[0]


def _peaks(order: np.ndarray, boxes: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """(N, 2) x, y: of the finest cells that each box's own cell covers, the one nearest to the box's centre."""
    peaks = np.floor((boxes[:, :2] + boxes[:, 2:] / 2) / STRIDES[0]).astype(np.int64)
    for (rows, columns, start), stride in zip(_levels(size), STRIDES, strict=True):
        here = (order >= start) & (order < start + rows * columns)
        row, column = np.divmod(order[here] - start, columns)
        first = np.stack((column, row), axis=1) * (stride // STRIDES[0])
        peaks[here] = np.clip(peaks[here], first, first + stride // STRIDES[0] - 1)
    return peaks
