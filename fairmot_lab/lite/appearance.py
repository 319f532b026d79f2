"""What a person looks like, for the compact FairMOT: colour histograms of strips of the box, projected to a vector.

A tracker compares people who were under one camera within seconds. Which colours they wear, and where on the body,
carries far then, also to people and cameras never seen, which a network that learned from a few dozen people does not:
so the histograms are fixed, and only their linear projection is learned (`training.fit_appearance`).

A box is cut into six strips of equal height over the middle two thirds of its width. In each, brightness and two
opponent colours are counted in triangular bins, dense near grey, where clothes are. Triangular bins are differences of
clipped ramps, and means over a strip are differences of an integral image, so all of it is a 1x1 convolution, a
cumulated sum and a few look-ups.

This module imports paddle: nothing else in the package imports it at the top but `lite`.
"""

from __future__ import annotations

import numpy as np
import paddle
from paddle import nn
from paddle.nn import functional

from .._paddle import prepare_for_paddle

prepare_for_paddle()


STRIPS, STRIP_WIDTH = 6, 2 / 3
COLOURS = ((1 / 3, 1 / 3, 1 / 3), (1, -1, 0), (1 / 2, 1 / 2, -1))  # brightness, red - green, yellow - blue
KNOTS = (
    (0, 0.06, 0.12, 0.18, 0.25, 0.33, 0.42, 0.52, 0.64, 0.8, 1),
    (-0.3, -0.15, -0.08, -0.03, 0, 0.03, 0.08, 0.15, 0.3),
    (-0.3, -0.15, -0.08, -0.03, 0, 0.03, 0.08, 0.15, 0.3),
)
RAMPS = sum(len(knots) - 1 for knots in KNOTS)
HISTOGRAM = STRIPS * (RAMPS + len(KNOTS))


class Appearance(nn.Layer):
    """Boxes in images to unit vectors that tell people apart.

    Parameters
    ----------
    dim
        Length of a vector.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.project = nn.Linear(HISTOGRAM, dim)
        # what the projection was computed from (see `training.fit_appearance`), so that a later training adds to it
        self.register_buffer("mean", paddle.zeros([HISTOGRAM]))
        self.register_buffer("same", paddle.zeros([HISTOGRAM, HISTOGRAM]))
        self.register_buffer("different", paddle.zeros([HISTOGRAM, HISTOGRAM]))

    def forward(self, image, cells, size, offset):
        """Return the unit vectors (P, dim) of boxes, given as for `histograms`."""
        return functional.normalize(self.project(self.histograms(image, cells, size, offset)), axis=1)

    def histograms(self, image, cells, size, offset):
        """Return the roots of the colour histograms of boxes, before the projection.

        Parameters
        ----------
        image : (N, 3, H, W)
            RGB, 0 to 1.
        cells : (P, 3) int64
            Image, row and column of the boxes' centres.
        size : (P, 4)
            Left, top, right and bottom from the centre, in cells of 4 pixels.
        offset : (P, 2)
            x, y of the centre within its cell.

        Returns
        -------
        (P, 174) Tensor
            Unit vectors, strip by strip from the top.
        """
        sums = _integral(_colour_ramps(image))
        centre = 2 * (cells[:, 1:].astype("float32").flip(1) + offset)
        size = 2 * size
        steps = paddle.to_tensor(np.arange(STRIPS + 1, dtype=np.float32).reshape(1, -1) / STRIPS)
        upper, lower = centre[:, 1:2] - size[:, 1:2], centre[:, 1:2] + size[:, 3:4]
        edges = upper + (lower - upper) * steps
        inset = (size[:, :1] + size[:, 2:3]) * ((1 - STRIP_WIDTH) / 2)
        left, right = centre[:, :1] - size[:, :1] + inset, centre[:, :1] + size[:, 2:3] - inset
        rows, columns = sums.shape[1] - 1.0, sums.shape[2] - 1.0
        left = paddle.clip(left, 0, columns - 0.5)
        right = paddle.maximum(paddle.clip(right, max=columns), left + 0.5)
        # a strip beside the image sees its border
        least = 0.25 * np.arange(STRIPS + 1, dtype=np.float32).reshape(1, -1)
        edges = paddle.minimum(paddle.maximum(edges, paddle.to_tensor(least)), paddle.to_tensor(rows - least[:, ::-1]))
        across = _sums_above(sums, cells[:, :1], edges, right) - _sums_above(sums, cells[:, :1], edges, left)
        total = (across[:, 1:] - across[:, :-1]).astype("float32")
        means = total / ((edges[:, 1:] - edges[:, :-1]) * (right - left)).unsqueeze(2)
        bins = paddle.matmul(means, paddle.to_tensor(_BIN_MATRIX)) + paddle.to_tensor(_BIN_CONSTANT)
        return functional.normalize(paddle.sqrt(paddle.clip(bins, min=0)).reshape([-1, HISTOGRAM]), axis=1)


def _ramp_convolution() -> tuple[np.ndarray, np.ndarray]:
    """Weight (26, 3, 1, 1) and bias: RGB to how far a brightness or opponent colour is between neighbouring knots."""
    rows, biases = [], []
    for colour, knots in zip(COLOURS, KNOTS, strict=True):
        gaps = np.diff(knots)[:, None]
        rows.append(np.array([colour]) / gaps)
        biases.append(-np.array(knots[:-1]) / gaps[:, 0])
    return np.concatenate(rows).astype(np.float32)[:, :, None, None], np.concatenate(biases).astype(np.float32)


def _colour_ramps(image):
    """(N, 26, H/2, W/2): clipped ramps, from which the means of triangular bins follow linearly."""
    weight, bias = paddle.to_tensor(_RAMP_WEIGHT), paddle.to_tensor(_RAMP_BIAS)
    return paddle.clip(functional.conv2d(functional.avg_pool2d(image, 2), weight, bias), 0, 1)


def _bins_of_ramps() -> tuple[np.ndarray, np.ndarray]:
    """Matrix (26, 29) and constant (29,): ramps s_i to triangular bins s_(i-1) - s_i, where s_-1 is 1 and s_n 0."""
    matrix, constant = np.zeros((RAMPS, RAMPS + len(KNOTS)), np.float32), np.zeros(RAMPS + len(KNOTS), np.float32)
    ramp = column = 0
    for knots in KNOTS:
        constant[column] = 1
        for _ in knots[:-1]:
            matrix[ramp, column], matrix[ramp, column + 1] = -1, 1
            ramp, column = ramp + 1, column + 1
        column += 1
    return matrix, constant


_RAMP_WEIGHT, _RAMP_BIAS = _ramp_convolution()
_BIN_MATRIX, _BIN_CONSTANT = _bins_of_ramps()


def _integral(maps):
    """Sums over everything above and to the left: (N, C, H, W) to (N, H + 1, W + 1, C), in double precision."""
    sums = paddle.cumsum(paddle.cumsum(maps.astype("float64"), axis=2), axis=3)
    sums = paddle.transpose(sums, [0, 2, 3, 1])
    sums = paddle.concat([paddle.zeros_like(sums[:, :1]), sums], axis=1)  # paddle2onnx pads with garbage
    return paddle.concat([paddle.zeros_like(sums[:, :, :1]), sums], axis=2)


def _sums_above(sums, number, y, x):
    """Values (P, K, C) of the integrals `number` (P, 1) at points y (P, K), x (P, 1), between the corners of blocks."""
    _, rows, columns, channels = sums.shape
    flat = sums.reshape([-1, channels])
    y0, x0 = paddle.clip(paddle.floor(y), max=rows - 2.0), paddle.clip(paddle.floor(x), max=columns - 2.0)
    first = (number * rows + y0.astype("int64")) * columns + x0.astype("int64")

    def corner(shift):
        return paddle.gather(flat, (first + shift).reshape([-1])).reshape([-1, y.shape[1], channels])

    dy, dx = (y - y0).astype("float64").unsqueeze(2), (x - x0).astype("float64").unsqueeze(2)
    upper = corner(0) * (1 - dx) + corner(1) * dx
    return upper + (corner(columns) * (1 - dx) + corner(columns + 1) * dx - upper) * dy
