"""Turn the network's maps into scored boxes with embeddings."""

from __future__ import annotations

import cv2
import numpy as np

from ..data import FrameDetections, Letterbox


def find_peaks(heatmap: np.ndarray, score_floor: float, limit: int) -> tuple[np.ndarray, ...]:
    """Return the cells that are the largest of their 3x3 neighbourhood, best first.

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

    Examples
    --------
    >>> heatmap = np.zeros((1, 5, 5), np.float32)
    >>> heatmap[0, 1, 1], heatmap[0, 1, 2], heatmap[0, 4, 4] = 0.6, 0.5, 0.9
    >>> [each.tolist() for each in find_peaks(heatmap, 0.3, 10)]
    [[0, 0], [4, 1], [4, 1]]
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
) -> FrameDetections:
    """Turn the network's maps into boxes, scores and embeddings.

    Parameters
    ----------
    heatmap : (1, C, H, W) float32
        Centre scores after the sigmoid.
    size : (1, 4, H, W) or (1, 2, H, W) float32
        Distances of the left, top, right and bottom edge from the centre, in cells; or width and height, as the
        multi-class models give them.
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

    Returns
    -------
    FrameDetections

    Notes
    -----
    The decoding of CenterNet ("Objects as Points", Zhou et al. 2019) with FairMOT's four distances, equal to ppdet's
    `CenterNetPostProcess` and `FairMOTEmbeddingHead` down to the score floor. Peaks whose box has no area are
    counted in `discarded`: ppdet hands them on to the tracker.

    Examples
    --------
    >>> heatmap, size = np.zeros((1, 1, 8, 16), np.float32), np.ones((1, 4, 8, 16), np.float32)
    >>> heatmap[0, 0, 4, 6] = 0.9
    >>> offset, embedding = np.full((1, 2, 8, 16), 0.5, np.float32), np.ones((1, 1, 8, 16), np.float32)
    >>> found = decode(heatmap, size, offset, embedding, Letterbox.fit((64, 32), (64, 32)))
    >>> found.boxes.tolist(), found.scores.tolist()
    ([[22.0, 14.0, 8.0, 8.0]], [0.8999999761581421])
    """
    classes, ys, xs = find_peaks(heatmap[0], score_floor, max_per_frame)
    edges = size[0][:, ys, xs]
    left, top, right, bottom = edges if len(edges) == 4 else np.concatenate((edges, edges)) / 2
    centre = np.stack((xs, ys)).astype(np.float32) + offset[0][:, ys, xs]
    upper_left = box.to_image((centre - np.stack((left, top))).T)
    lower_right = box.to_image((centre + np.stack((right, bottom))).T)
    boxes = np.concatenate((upper_left, lower_right - upper_left), axis=1).astype(np.float32)
    vectors = embedding[0][:, ys, xs].T
    good = np.isfinite(boxes).all(1) & (boxes[:, 2:] > 0).all(1) & np.isfinite(vectors).all(1)
    scores = heatmap[0][classes, ys, xs]
    if nms_iou is not None:
        good[np.delete(np.flatnonzero(good), best_boxes(boxes[good], scores[good], nms_iou))] = False
    classes, ys, xs = classes[good], ys[good], xs[good]
    return FrameDetections(
        frame=frame,
        boxes=boxes[good],
        scores=scores[good],
        embeddings=round_embeddings(vectors[good]),
        class_ids=classes,
        heatmap=heatmap[0].max(0),
        letterbox=box,
        peaks=np.stack((xs, ys), axis=1),
        discarded=int((~good).sum()),
    )


def best_boxes(boxes: np.ndarray, scores: np.ndarray, iou: float) -> np.ndarray:
    """Return the rows that remain, best first, when boxes whose IoU with a better one is above a limit are left out.

    Examples
    --------
    >>> boxes = np.array([[0, 0, 10, 10], [1, 0, 10, 10], [30, 0, 10, 10]])
    >>> best_boxes(boxes, np.array([0.5, 0.9, 0.4]), 0.5).tolist()
    [1, 2]
    """
    return np.ravel(cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), 0.0, iou)).astype(np.int64)


def round_embeddings(embeddings: np.ndarray) -> np.ndarray:
    """Round to half precision, so that outputs just computed and outputs read from disk are the same numbers."""
    return np.ascontiguousarray(embeddings.astype(np.float16).astype(np.float32))
