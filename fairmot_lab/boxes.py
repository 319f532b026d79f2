"""Arithmetic on boxes `x, y, w, h` in pixels, `x, y` being the top-left corner."""

from __future__ import annotations

import numpy as np

BOX = ["x", "y", "w", "h"]


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the intersection over union (M, N) of (M, 4) and (N, 4) boxes x, y, w, h.

    Examples
    --------
    >>> iou(np.array([[0, 0, 10, 10]]), np.array([[5, 0, 10, 10], [20, 0, 5, 5]])).round(2).tolist()
    [[0.33, 0.0]]
    """
    a, b = np.asarray(a, float)[:, None], np.asarray(b, float)[None]
    sides = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    inside = np.clip(sides, 0, None).prod(-1)
    union = a[..., 2:].prod(-1) + b[..., 2:].prod(-1) - inside
    return inside / np.maximum(union, 1e-12)


def to_corners(boxes: np.ndarray) -> np.ndarray:
    """Return left, top, right, bottom (N, 4) of boxes x, y, w, h.

    Examples
    --------
    >>> to_corners(np.array([[10, 20, 30, 40]])).tolist()
    [[10, 20, 40, 60]]
    """
    return np.concatenate((boxes[:, :2], boxes[:, :2] + boxes[:, 2:]), axis=1)


def from_corners(corners: np.ndarray) -> np.ndarray:
    """Return boxes x, y, w, h (N, 4) of left, top, right, bottom.

    Examples
    --------
    >>> from_corners(np.array([[10, 20, 40, 60]])).tolist()
    [[10, 20, 30, 40]]
    """
    return np.concatenate((corners[:, :2], corners[:, 2:] - corners[:, :2]), axis=1)


def union_area(corners: np.ndarray) -> float:
    """Return the area that rectangles (n, 4: left, top, right, bottom) cover together.

    Examples
    --------
    >>> union_area(np.array([[0, 0, 10, 10], [5, 0, 15, 10]]))
    150.0
    """
    if not len(corners):
        return 0.0
    xs, ys = np.unique(corners[:, [0, 2]]), np.unique(corners[:, [1, 3]])
    inside = np.zeros((len(xs) - 1, len(ys) - 1), bool)
    for left, top, right, bottom in corners:
        columns = slice(*np.searchsorted(xs, [left, right]))
        inside[columns, slice(*np.searchsorted(ys, [top, bottom]))] = True
    return float((np.diff(xs)[:, None] * np.diff(ys)[None, :])[inside].sum())
