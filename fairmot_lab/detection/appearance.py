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
DOWN = (np.arange(ROWS) + 0.5) / ROWS  # where they lie in the box
ACROSS = (1 - WIDTH) / 2 + WIDTH * (np.arange(COLUMNS) + 0.5) / COLUMNS
COLOURS = np.array([[1 / 3, 1 / 3, 1 / 3], [1, -1, 0], [1 / 2, 1 / 2, -1]], np.float32)
# borders of the bins of brightness, red - green and yellow - blue: narrow near grey, where clothes are
_OPPONENT = (-0.3, -0.15, -0.08, -0.03, 0, 0.03, 0.08, 0.15, 0.3)
KNOTS = ((0, 0.06, 0.12, 0.18, 0.25, 0.33, 0.42, 0.52, 0.64, 0.8, 1), _OPPONENT, _OPPONENT)
BINS = STRIPS * sum(map(len, KNOTS))
# times this the colours of 8-bit images are whole numbers from -510 to 765; each has a place among the bins of a strip:
# 2.25 counts three quarters in bin 2 and a quarter in bin 3
_WHOLE = np.array([[765], [255], [510]], np.float32)
_PLACES = np.stack(
    [
        first + np.interp(np.arange(-510, 766) / whole, np.array(knots, np.float32), np.arange(len(knots)))
        for first, whole, knots in zip((0, 11, 20), _WHOLE, KNOTS, strict=True)
    ]
)


def colour_histograms(image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Describe the people in boxes by their colours.

    Points are sampled on a grid in the middle of each box. In each of six strips, from head to feet, brightness and two
    opponent colours are counted in triangular bins, whose square roots are taken (the Hellinger kernel).

    Parameters
    ----------
    image : (3, H, W) float32
        Red, green, blue, 0 to 1, in steps of 1/255 (what lies between is rounded).
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
    x, y, w, h = np.asarray(boxes, np.float32).T[:, :, None]
    ys = np.clip(y + h * DOWN, 0, height - 1).astype(int)
    xs = np.clip(x + w * ACROSS, 0, width - 1).astype(int)
    points = (ys * width)[:, :, None] + xs[:, None, :]
    colours = np.rint(_WHOLE * COLOURS @ image.reshape(3, -1).take(points.ravel(), axis=1)).astype(int)
    places = _PLACES[np.arange(3)[:, None], colours + 510]
    lower = places.astype(int)
    share = (places - lower).ravel()
    strips = np.arange(count * STRIPS).repeat(ROWS * COLUMNS // STRIPS)
    bins = (lower + strips * (BINS // STRIPS)).ravel()
    length = count * BINS + 1  # the last bin's neighbour gets a share of nothing
    counted = np.bincount(bins, 1 - share, length) + np.bincount(bins + 1, share, length)
    roots = np.sqrt(counted[:-1]).reshape(count, BINS)
    return (roots / np.linalg.norm(roots, axis=1, keepdims=True)).astype(np.float32)


def embed(histograms: np.ndarray, projection: np.ndarray) -> np.ndarray:
    """Project histograms (N, 174) to unit vectors (N, D) by a matrix (175, D), the last row of which is added."""
    # a product of matrices would wake the threads of BLAS, which then spin for longer than this takes
    vectors = np.einsum("nb,bd->nd", histograms, projection[:-1]) + projection[-1]
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
