"""Appearance of the compact model: histograms against counting pixel by pixel, and what they are blind to."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

paddle = pytest.importorskip("paddle")

from fairmot_lab.lite.appearance import COLOURS, HISTOGRAM, KNOTS, STRIP_WIDTH, STRIPS, Appearance  # noqa: E402


def histograms(images, cells, sizes, offsets=None):
    cells, sizes = np.asarray(cells, np.int64), np.asarray(sizes, np.float32)
    offsets = np.zeros((len(cells), 2), np.float32) if offsets is None else np.asarray(offsets, np.float32)
    layer = Appearance(8)
    arguments = [paddle.to_tensor(value) for value in (np.asarray(images, np.float32), cells, sizes, offsets)]
    return layer.histograms(*arguments).numpy()


def counted(image, left, top, right, bottom):
    """Triangular bins of a rectangle, given in blocks of 2x2 pixels; a block counts by its part inside."""
    blocks = image.reshape(3, image.shape[1] // 2, 2, image.shape[2] // 2, 2).mean((2, 4))
    _, rows, columns = blocks.shape
    high = np.clip(np.minimum(bottom, np.arange(rows) + 1) - np.maximum(top, np.arange(rows)), 0, 1)
    wide = np.clip(np.minimum(right, np.arange(columns) + 1) - np.maximum(left, np.arange(columns)), 0, 1)
    weight = np.outer(high, wide)
    bins = []
    for colour, knots in zip(COLOURS, KNOTS, strict=True):
        value = np.tensordot(np.array(colour), blocks, 1)
        for number in range(len(knots)):
            peak = np.zeros(len(knots))
            peak[number] = 1
            bins.append((np.interp(value, knots, peak) * weight).sum() / weight.sum())
    return bins


def test_histograms_are_those_counted_by_hand():
    rng = np.random.default_rng(0)
    images = rng.random((2, 3, 64, 96))
    cells, offsets = [[0, 8, 10], [1, 6, 15]], [[0.3, 0.6], [0.5, 0.1]]
    sizes = [[3.1, 6.2, 2.7, 5.9], [1.2, 2.5, 1.4, 3.0]]  # left, top, right, bottom in cells of 4 pixels
    ours = histograms(images, cells, sizes, offsets)
    assert ours.shape == (2, HISTOGRAM)
    assert np.allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-5)
    for (number, row, column), (dx, dy), (left, top, right, bottom), found in zip(
        cells, offsets, sizes, ours, strict=True
    ):
        x, y = 2 * (column + dx), 2 * (row + dy)  # blocks of 2 pixels
        inset = (left + right) * (1 - STRIP_WIDTH)
        edges = np.linspace(y - 2 * top, y + 2 * bottom, STRIPS + 1)
        expected = [
            counted(images[number], x - 2 * left + inset, upper, x + 2 * right - inset, lower)
            for upper, lower in itertools.pairwise(edges)
        ]
        expected = np.sqrt(np.concatenate(expected))
        assert np.allclose(found, expected / np.linalg.norm(expected), atol=2e-3)


def test_colours_are_told_apart_and_so_are_their_places():
    red, blue = np.array([0.8, 0.1, 0.1]), np.array([0.1, 0.1, 0.8])
    image = np.full((3, 64, 128), 0.5)
    dresses = {8: (red, blue), 40: (red, blue), 72: (blue, red), 104: (red, red)}
    for column, (upper, lower) in dresses.items():
        image[:, 8:32, column : column + 16] = upper[:, None, None]
        image[:, 32:56, column : column + 16] = lower[:, None, None]
    cells = [[0, 8, 4], [0, 8, 12], [0, 8, 20], [0, 8, 28]]
    vectors = histograms([image], cells, np.full((4, 4), (2, 6, 2, 6)))
    cosine = vectors @ vectors.T
    assert cosine[0, 1] == pytest.approx(1, abs=1e-5)
    assert cosine[0, 2] < 0.5 < cosine[0, 3] < 0.9


def test_boxes_that_reach_beyond_the_image_see_its_border():
    rng = np.random.default_rng(1)
    image = rng.random((3, 64, 96))
    image[:, 60:] = image[:, 58:60, :].mean((1, 2), keepdims=True)
    inside, beyond = histograms([image], [[0, 8, 10]] * 2, [[2, 4, 2, 7.9], [2, 4, 2, 60]])
    assert np.isfinite(beyond).all()
    last = beyond.reshape(STRIPS, -1)[-1]
    assert last == pytest.approx(inside.reshape(STRIPS, -1)[-1], abs=0.15)
    outside = histograms([image], [[0, 0, 0]], [[30, 30, -20, -20]])
    assert np.isfinite(outside).all()
    assert np.linalg.norm(outside) == pytest.approx(1, abs=1e-5)
