"""From a frame to the network's input, and from the network's maps to scored boxes with embeddings.

Coordinates: boxes are `x, y, w, h` in pixels of the original image, `x, y` being the top-left corner. Heatmap cells are
counted from 0 and are `STRIDE` input pixels wide and high. Images are OpenCV's: (H, W, 3) uint8, blue first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

STRIDE = 4
GREY = 127.5


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
    """

    image_width: int
    image_height: int
    input_width: int
    input_height: int
    scale: float
    pad_x: float
    pad_y: float

    @classmethod
    def fit(cls, image_size: tuple[int, int], input_size: tuple[int, int]) -> Letterbox:
        """The letterbox of an image of (width, height) in an input of (width, height), as ppdet lays it."""
        (image_width, image_height), (input_width, input_height) = image_size, input_size
        scale = min(input_height / image_height, input_width / image_width)
        box = cls(image_width, image_height, input_width, input_height, scale, 0, 0)
        pad_x, pad_y = (input_width - box.content_size[0]) / 2, (input_height - box.content_size[1]) / 2
        return replace(box, pad_x=pad_x, pad_y=pad_y)

    @property
    def content_size(self) -> tuple[int, int]:
        """(width, height) of the scaled image inside the borders, in input pixels."""
        return max(1, round(self.image_width * self.scale)), max(1, round(self.image_height * self.scale))

    @property
    def heatmap_size(self) -> tuple[int, int]:
        """(width, height) of the heatmap in cells."""
        return self.input_width // STRIDE, self.input_height // STRIDE

    def to_image(self, heat_xy: np.ndarray) -> np.ndarray:
        """Heatmap coordinates (..., 2) to pixels of the original image."""
        return (np.asarray(heat_xy) * STRIDE - (self.pad_x, self.pad_y)) / self.scale

    def to_heatmap(self, image_xy: np.ndarray) -> np.ndarray:
        """Pixels (..., 2) of the original image to heatmap coordinates; the cell is their floor."""
        return (np.asarray(image_xy) * self.scale + (self.pad_x, self.pad_y)) / STRIDE


@dataclass
class FrameOutputs:
    """What the network says about one frame.

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
    heatmap : (H/4, W/4) float32 or None
        Centre scores of every cell: the largest over classes.
    embedding_map : (D, H/4, W/4) float32 or None
        The appearance vector of every cell.
    letterbox : Letterbox or None
        Maps heatmap cells to pixels and back.
    peaks : (N, 2) int64 or None
        Heatmap cell `x, y` of each box.
    discarded : int
        Peaks above the score floor that were left out: their box has no area, is not finite, or overlaps a better one
        by more than the model's `nms_iou`.
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
            self.class_ids = np.full(len(self.scores), -1, np.int64)

    def __len__(self) -> int:
        return len(self.scores)


def letterbox(image: np.ndarray, input_size: tuple[int, int]) -> tuple[np.ndarray, Letterbox]:
    """Fit a frame into the network's input: scaled (area interpolation), grey borders, RGB, 0..1, channels first.

    Parameters
    ----------
    image : (H, W, 3) uint8
        A frame, blue first.
    input_size
        (width, height) of the network's input.

    Returns
    -------
    blob : (1, 3, height, width) float32
    box : Letterbox

    Notes
    -----
    Equal to PaddleDetection's `LetterBoxResize`, `NormalizeImage` and `Permute` with the settings of its FairMOT
    models.
    """
    box = Letterbox.fit((image.shape[1], image.shape[0]), input_size)
    size = box.content_size
    resized = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    if size != tuple(input_size):
        left, top = round(box.pad_x - 0.1), round(box.pad_y - 0.1)  # an odd border is one pixel wider on the far side
        right, bottom = input_size[0] - size[0] - left, input_size[1] - size[1] - top
        resized = cv2.copyMakeBorder(resized, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(GREY,) * 3)
    return cv2.dnn.blobFromImage(resized, 1 / 255, swapRB=True), box


def find_peaks(heatmap: np.ndarray, score_floor: float, limit: int) -> tuple[np.ndarray, ...]:
    """Cells that are the largest of their 3x3 neighbourhood, best first.

    Parameters
    ----------
    heatmap : (C, H, W) float32
        Centre scores per class.
    score_floor
        Smallest score that counts.
    limit
        Largest number of peaks, over all classes together.

    Returns
    -------
    classes, ys, xs : (N,) int64
        Ties are ordered by class, row and column.
    """
    kernel = np.ones((3, 3), np.uint8)
    largest = np.stack([cv2.dilate(plane, kernel) for plane in heatmap])
    classes, ys, xs = np.nonzero((heatmap == largest) & (heatmap >= score_floor) & (heatmap > 0))
    order = np.argsort(-heatmap[classes, ys, xs], kind="stable")[:limit]
    return classes[order], ys[order], xs[order]


def decode(
    heatmap: np.ndarray,
    size: np.ndarray,
    offset: np.ndarray,
    embedding: np.ndarray,
    box: Letterbox,
    *,
    frame: int = 0,
    score_floor: float = 0.05,
    max_per_frame: int = 500,
    nms_iou: float | None = None,
    keep_heatmap: bool = True,
    keep_embedding_map: bool = False,
) -> FrameOutputs:
    """Turn the network's maps into boxes, scores and embeddings.

    Parameters
    ----------
    heatmap : (1, C, H, W) float32
        Centre scores after the sigmoid.
    size : (1, 4, H, W) float32
        Distances of the left, top, right and bottom edge from the centre, in cells.
    offset : (1, 2, H, W) float32
        Position x, y of the centre within its cell.
    embedding : (1, D, H, W) float32
        Appearance vectors of unit length.
    box
        The letterbox of the frame.
    frame
        Frame number that the outputs carry.
    score_floor, max_per_frame
        Which peaks are kept.
    nms_iou
        Leave out a box whose IoU with a better one is above this; None keeps all, as FairMOT does.
    keep_heatmap, keep_embedding_map
        Whether copies of the maps go with the outputs.

    Returns
    -------
    FrameOutputs

    Notes
    -----
    The decoding of CenterNet ("Objects as Points", Zhou et al. 2019) with FairMOT's four distances, equal to ppdet's
    `CenterNetPostProcess` and `FairMOTEmbeddingHead` down to the score floor. Peaks whose box has no area are
    counted in `discarded`: ppdet hands them on to the tracker.
    """
    classes, ys, xs = find_peaks(heatmap[0], score_floor, max_per_frame)
    left, top, right, bottom = size[0][:, ys, xs]
    centre = np.stack((xs, ys)).astype(np.float32) + offset[0][:, ys, xs]
    upper_left = box.to_image((centre - np.stack((left, top))).T)
    lower_right = box.to_image((centre + np.stack((right, bottom))).T)
    boxes = np.concatenate((upper_left, lower_right - upper_left), axis=1).astype(np.float32)
    vectors = embedding[0][:, ys, xs].T
    good = np.isfinite(boxes).all(1) & (boxes[:, 2:] > 0).all(1) & np.isfinite(vectors).all(1)
    scores = heatmap[0][classes, ys, xs]
    if nms_iou is not None:
        best = cv2.dnn.NMSBoxes(boxes[good].tolist(), scores[good].tolist(), 0.0, nms_iou)
        good[np.delete(np.flatnonzero(good), np.ravel(best).astype(int))] = False
    classes, ys, xs = classes[good], ys[good], xs[good]
    return FrameOutputs(
        frame=frame,
        boxes=boxes[good],
        scores=scores[good],
        embeddings=round_embeddings(vectors[good]),
        class_ids=classes,
        heatmap=heatmap[0].max(0) if keep_heatmap else None,
        embedding_map=embedding[0].copy() if keep_embedding_map else None,
        letterbox=box,
        peaks=np.stack((xs, ys), axis=1),
        discarded=int((~good).sum()),
    )


def round_embeddings(embeddings: np.ndarray) -> np.ndarray:
    """Round to half precision, so that outputs just computed and outputs read from disk are the same numbers."""
    return np.ascontiguousarray(embeddings.astype(np.float16).astype(np.float32))
