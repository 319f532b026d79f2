"""Appearance of the compact model: histograms against counting point by point, and what they are blind to."""

from __future__ import annotations

import numpy as np
import pytest

from fairmot_lab.detection.appearance import (
    BINS,
    COLOURS,
    COLUMNS,
    KNOTS,
    ROWS,
    STRIPS,
    WIDTH,
    colour_histograms,
    embed,
)


def counted(image, box):
    """Triangular bins of the six strips of a box, point by point."""
    x, y, w, h = box
    strips = []
    for strip in range(STRIPS):
        bins = [np.zeros(len(knots)) for knots in KNOTS]
        for row in range(strip * ROWS // STRIPS, (strip + 1) * ROWS // STRIPS):
            for column in range(COLUMNS):
                at_y = int(np.clip(y + h * (row + 0.5) / ROWS, 0, image.shape[1] - 1))
                at_x = int(np.clip(x + w * (0.5 + WIDTH * ((column + 0.5) / COLUMNS - 0.5)), 0, image.shape[2] - 1))
                for place, (colour, knots) in enumerate(zip(COLOURS, KNOTS, strict=True)):
                    value = colour @ image[:, at_y, at_x]
                    bins[place] += [np.interp(value, knots, peak) for peak in np.eye(len(knots))]
        strips.append(np.concatenate(bins) / (ROWS // STRIPS * COLUMNS))
    roots = np.sqrt(np.concatenate(strips))
    return roots / np.linalg.norm(roots)


def test_histograms_are_those_counted_by_hand():
    image = np.random.default_rng(0).integers(0, 256, (3, 64, 96)).astype(np.float32) / 255
    boxes = np.array([[10.3, 5.6, 30, 50], [40, 20, 9.5, 25], [-20, 30, 60, 90]])
    ours = colour_histograms(image, boxes)
    assert ours.shape == (3, BINS)
    assert np.allclose(ours, [counted(image, box) for box in boxes], atol=1e-6)


def test_colours_are_told_apart_and_so_are_their_places():
    red, blue = np.array([0.8, 0.1, 0.1]), np.array([0.1, 0.1, 0.8])
    image = np.full((3, 64, 128), 0.5, np.float32)
    for column, (upper, lower) in {8: (red, blue), 40: (red, blue), 72: (blue, red), 104: (red, red)}.items():
        image[:, 8:32, column : column + 16] = upper[:, None, None]
        image[:, 32:56, column : column + 16] = lower[:, None, None]
    vectors = colour_histograms(image, np.array([[column, 8, 16, 48] for column in (8, 40, 72, 104)]))
    cosine = vectors @ vectors.T
    assert cosine[0, 1] == pytest.approx(1, abs=1e-5)
    assert cosine[0, 2] < 0.5 < cosine[0, 3] < 0.9


def test_nothing_to_look_at():
    assert colour_histograms(np.zeros((3, 8, 8), np.float32), np.empty((0, 4))).shape == (0, BINS)
    outside = colour_histograms(np.zeros((3, 8, 8), np.float32), np.array([[100, 100, 5, 5]]))
    assert np.linalg.norm(outside) == pytest.approx(1, abs=1e-6)


def test_embedding_is_an_affine_map_to_unit_vectors():
    rng = np.random.default_rng(1)
    histograms, matrix, shift = rng.random((4, BINS)), rng.normal(size=(BINS, 3)), rng.normal(size=3)
    vectors = embed(histograms, np.vstack((matrix, shift)))
    expected = histograms @ matrix + shift
    assert np.allclose(vectors, expected / np.linalg.norm(expected, axis=1, keepdims=True))
