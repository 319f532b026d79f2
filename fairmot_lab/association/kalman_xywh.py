"""BoT-SORT's Kalman filter: centre, width and height at constant velocity, in double precision.

A track's motion is a row of 28 numbers: centre x, centre y, width and height; their velocities per frame; and the
covariance of two pairs, first of x and y, then of width and height, which camera motion mixes. Each has ten numbers:
three of the positions (00, 01, 11), four of positions and velocities (00, 01, 10, 11), three of the velocities. The
functions take and return what those of `kalman_xyah` do.

Source: N. Aharon, R. Orfaig, B. Bobrovsky, "BoT-SORT: Robust associations multi-pedestrian tracking", 2022, and its
code, tracker/kalman_filter.py and `STrack.multi_gmc`.
"""

from __future__ import annotations

import numpy as np

from .._jit import compiled
from . import kalman_xyah

MOTION_SIZE = 28

_POSITION = 1.0 / 20  # standard deviations as shares of the width and the height
_VELOCITY = 1.0 / 160


@compiled(inline="always")
def measure(boxes):
    """Return corners (left, top, right, bottom) and measurements (centre x, centre y, w, h) of boxes x, y, w, h."""
    corners, measurements = kalman_xyah.measure(boxes)
    for i in range(len(boxes)):
        measurements[i, 2] = boxes[i, 2]
    return corners, measurements


@compiled(inline="always")
def initiate(motion, slots, measurements, rows):
    """Start tracks at measurements, at rest."""
    for i in range(len(slots)):
        state = motion[slots[i]]
        state[:] = 0.0
        for c in range(4):
            state[c] = measurements[rows[i], c]
        for k in (8, 18):
            state[k], state[k + 2] = (2 * _POSITION * state[2]) ** 2, (2 * _POSITION * state[3]) ** 2
            state[k + 7], state[k + 9] = (10 * _VELOCITY * state[2]) ** 2, (10 * _VELOCITY * state[3]) ** 2


@compiled(inline="always")
def predict(motion, slots, moving):
    """Move tracks by one frame, in place; those after the first `moving` lose the velocity of their size."""
    for i in range(len(slots)):
        state = motion[slots[i]]
        if i >= moving:
            state[6] = state[7] = 0.0
        width, height = state[2], state[3]
        for c in range(4):
            state[c] += state[4 + c]
        for k in (8, 18):
            pp, pv, vv = state[k : k + 3], state[k + 3 : k + 7], state[k + 7 : k + 10]
            pp[0] += 2 * pv[0] + vv[0] + (_POSITION * width) ** 2
            pp[1] += pv[1] + pv[2] + vv[1]
            pp[2] += 2 * pv[3] + vv[2] + (_POSITION * height) ** 2
            pv[0] += vv[0]
            pv[1] += vv[1]
            pv[2] += vv[1]
            pv[3] += vv[2]
            vv[0] += (_VELOCITY * width) ** 2
            vv[2] += (_VELOCITY * height) ** 2


@compiled(inline="always")
def update(motion, slots, measurements, rows):
    """Correct tracks by the measurements that they took, in place."""
    for i in range(len(slots)):
        state = motion[slots[i]]
        noise0, noise1 = (_POSITION * state[2]) ** 2, (_POSITION * state[3]) ** 2
        for b in range(2):
            k = 8 + 10 * b
            pp, pv, vv = state[k : k + 3], state[k + 3 : k + 7], state[k + 7 : k + 10]
            s00, s01, s11 = pp[0] + noise0, pp[1], pp[2] + noise1
            determinant = s00 * s11 - s01 * s01
            i00, i01, i11 = s11 / determinant, -s01 / determinant, s00 / determinant
            # gains: rows for both positions (p) and both velocities (v), columns for both measurements
            p00, p01 = pp[0] * i00 + pp[1] * i01, pp[0] * i01 + pp[1] * i11
            p10, p11 = pp[1] * i00 + pp[2] * i01, pp[1] * i01 + pp[2] * i11
            v00, v01 = pv[0] * i00 + pv[2] * i01, pv[0] * i01 + pv[2] * i11
            v10, v11 = pv[1] * i00 + pv[3] * i01, pv[1] * i01 + pv[3] * i11
            y0, y1 = measurements[rows[i], 2 * b] - state[2 * b], measurements[rows[i], 2 * b + 1] - state[2 * b + 1]
            state[2 * b] += p00 * y0 + p01 * y1
            state[2 * b + 1] += p10 * y0 + p11 * y1
            state[4 + 2 * b] += v00 * y0 + v01 * y1
            state[5 + 2 * b] += v10 * y0 + v11 * y1
            vv[0] -= v00 * pv[0] + v01 * pv[2]
            vv[1] -= v00 * pv[1] + v01 * pv[3]
            vv[2] -= v10 * pv[1] + v11 * pv[3]
            q0, q1, q2, q3 = pv[0], pv[1], pv[2], pv[3]
            pv[0] -= p00 * q0 + p01 * q2
            pv[1] -= p00 * q1 + p01 * q3
            pv[2] -= p10 * q0 + p11 * q2
            pv[3] -= p10 * q1 + p11 * q3
            a, b_, c = pp[0], pp[1], pp[2]
            pp[0] -= p00 * a + p01 * b_
            pp[1] -= p00 * b_ + p01 * c
            pp[2] -= p10 * b_ + p11 * c


@compiled
def _turn(matrix, m00, m01, m10, m11):
    """Return R M R' for the left half R of a camera motion."""
    a, b, c, d = matrix[0, 0], matrix[0, 1], matrix[1, 0], matrix[1, 1]
    n00, n01 = a * m00 + b * m10, a * m01 + b * m11
    n10, n11 = c * m00 + d * m10, c * m01 + d * m11
    return n00 * a + n01 * b, n00 * c + n01 * d, n10 * a + n11 * b, n10 * c + n11 * d


@compiled(inline="always")
def warp(motion, slots, matrix):
    """Move tracks as the camera moved, in place; as published, width and height are turned like x and y."""
    for i in range(len(slots)):
        state = motion[slots[i]]
        for c in (0, 2, 4, 6):
            first, second = state[c], state[c + 1]
            state[c] = matrix[0, 0] * first + matrix[0, 1] * second
            state[c + 1] = matrix[1, 0] * first + matrix[1, 1] * second
        state[0] += matrix[0, 2]
        state[1] += matrix[1, 2]
        for k in (8, 18):
            pp, pv, vv = state[k : k + 3], state[k + 3 : k + 7], state[k + 7 : k + 10]
            pp[0], pp[1], _, pp[2] = _turn(matrix, pp[0], pp[1], pp[1], pp[2])
            pv[0], pv[1], pv[2], pv[3] = _turn(matrix, pv[0], pv[1], pv[2], pv[3])
            vv[0], vv[1], _, vv[2] = _turn(matrix, vv[0], vv[1], vv[1], vv[2])


@compiled
def boxes_of(motion, slots):
    """Return boxes x, y, w, h and corners left, top, right, bottom of tracks, each (n, 4) float64."""
    boxes, corners = np.empty((len(slots), 4)), np.empty((len(slots), 4))
    for i in range(len(slots)):
        state = motion[slots[i]]
        width, height = state[2], state[3]
        left, top = state[0] - width / 2, state[1] - height / 2
        boxes[i, 0], boxes[i, 1], boxes[i, 2], boxes[i, 3] = left, top, width, height
        corners[i, 0], corners[i, 1], corners[i, 2], corners[i, 3] = left, top, width + left, height + top
    return boxes, corners
