"""Arithmetic on boxes `x, y, w, h` in pixels, `x, y` being the top-left corner."""

from __future__ import annotations

import numpy as np

BOX = ["x", "y", "w", "h"]


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(M, N) intersection over union of (M, 4) and (N, 4) boxes x, y, w, h."""
    a, b = np.asarray(a, float)[:, None], np.asarray(b, float)[None]
    sides = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    inside = np.clip(sides, 0, None).prod(-1)
    union = a[..., 2:].prod(-1) + b[..., 2:].prod(-1) - inside
    return inside / np.maximum(union, 1e-12)


def union_area(corners: np.ndarray) -> float:
    """Area that rectangles (n, 4: left, top, right, bottom) cover together."""
    if not len(corners):
        return 0.0
    xs, ys = np.unique(corners[:, [0, 2]]), np.unique(corners[:, [1, 3]])
    inside = np.zeros((len(xs) - 1, len(ys) - 1), bool)
    for left, top, right, bottom in corners:
        columns = slice(*np.searchsorted(xs, [left, right]))
        inside[columns, slice(*np.searchsorted(ys, [top, bottom]))] = True
    return float((np.diff(xs)[:, None] * np.diff(ys)[None, :])[inside].sum())
