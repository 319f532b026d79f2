"""Appearance of the compact model: colour histograms of strips of a box, and their discriminant projection.

A tracker compares people who were under one camera within seconds. Which colours they wear, and where on the body,
carries over to people and cameras never seen; a network that learned from a few dozen people does not
(docs/models/fairmot_lite.md has the figures). So the histograms are fixed, and only a linear projection is computed
from people whose identities are known.
"""

from __future__ import annotations

import numpy as np

ROWS, COLUMNS, STRIPS = 24, 8, 6  # points sampled in a box; strips that they are counted in
WIDTH = 2 / 3  # part of the box's width that they lie in: the background is at its sides
COLOURS = np.array([[1 / 3, 1 / 3, 1 / 3], [1, -1, 0], [1 / 2, 1 / 2, -1]], np.float32)
# borders of the bins of brightness, red - green and yellow - blue: narrow near grey, where clothes are
_OPPONENT = (-0.3, -0.15, -0.08, -0.03, 0, 0.03, 0.08, 0.15, 0.3)
KNOTS = tuple(
    np.array(knots, np.float32)
    for knots in ((0, 0.06, 0.12, 0.18, 0.25, 0.33, 0.42, 0.52, 0.64, 0.8, 1), _OPPONENT, _OPPONENT)
)
BINS = STRIPS * sum(map(len, KNOTS))


def colour_histograms(image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Describe the people in boxes by their colours.

    Points are sampled on a grid in the middle of each box. In each of six strips, from head to feet, brightness and two
    opponent colours are counted in triangular bins, whose square roots are taken (the Hellinger kernel).

    Parameters
    ----------
    image : (3, H, W) float32
        Red, green, blue, 0 to 1.
    boxes : (N, 4)
        `x, y, w, h` in pixels of the image; what lies outside counts as the nearest pixel inside.

    Returns
    -------
    (N, 174) float32
        Unit vectors, strip by strip from the top.

    Examples
    --------
    >>> import numpy as np
    >>> red, blue = np.eye(3, dtype=np.float32)[[0, 2]]
    >>> image = np.concatenate([np.tile(colour[:, None, None], (1, 8, 8)) for colour in (red, blue)], axis=2)
    >>> same, other, alike = colour_histograms(image, np.array([[0, 0, 8, 8], [8, 0, 8, 8], [1, 1, 6, 6]]))
    >>> round(float(same @ alike), 3), round(float(same @ other), 3)
    (1.0, 0.333)
    """
    count, (height, width) = len(boxes), image.shape[1:]
    if not count:
        return np.empty((0, BINS), np.float32)
    x, y, w, h = np.asarray(boxes, np.float32).T[:, :, None]
    ys = y + h * (np.arange(ROWS) + 0.5) / ROWS
    xs = x + w * ((1 - WIDTH) / 2 + WIDTH * (np.arange(COLUMNS) + 0.5) / COLUMNS)
    ys, xs = np.clip(ys, 0, height - 1).astype(int), np.clip(xs, 0, width - 1).astype(int)
    colours = np.tensordot(COLOURS, image[:, ys[:, :, None], xs[:, None, :]], 1).reshape(3, count, STRIPS, -1, 1)
    parts = []
    for values, knots in zip(colours, KNOTS, strict=True):
        # how far a value is between two borders, as a ramp from 0 to 1; a bin is the difference of two ramps
        ramps = np.clip((values - knots[:-1]) / np.diff(knots), 0, 1).mean(2)
        parts.append(-np.diff(ramps, axis=2, prepend=1, append=0))
    roots = np.sqrt(np.clip(np.concatenate(parts, axis=2), 0, None)).reshape(count, BINS)
    return roots / np.linalg.norm(roots, axis=1, keepdims=True)


def embed(histograms: np.ndarray, projection: np.ndarray) -> np.ndarray:
    """Project histograms (N, 174) to unit vectors (N, D) by a matrix (175, D), the last row of which is added."""
    vectors = histograms @ projection[:-1] + projection[-1]
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
