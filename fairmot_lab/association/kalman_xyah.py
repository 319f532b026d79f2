"""The Kalman filter of DeepSORT at constant velocity, in double precision as DeepSORT and ByteTrack compute it.

A track's motion is a row of 20 numbers: centre x, centre y, aspect w / h and height; their velocities per frame; and
three covariances for each of the four: position-position, position-velocity, velocity-velocity.

Source: N. Wojke, A. Bewley, D. Paulus, "Simple online and realtime tracking with a deep association metric", ICIP 2017,
and its code, deep_sort/kalman_filter.py.
"""

from __future__ import annotations

import numpy as np

from .._jit import compiled

MOTION_SIZE = 20

_POSITION = 1.0 / 20  # standard deviations as shares of the box height
_VELOCITY = 1.0 / 160
_HALF = np.float32(0.5)  # keeps single precision where it is computed in


@compiled(inline="always")
def measure(boxes):
    """Return corners (left, top, right, bottom) and measurements (centre x, centre y, w / h, h) of boxes x, y, w, h.

    Parameters
    ----------
    boxes : (N, 4) float32
        Pixels.

    Returns
    -------
    corners, measurements : (N, 4) float64
    """
    corners, measurements = np.empty((len(boxes), 4)), np.empty((len(boxes), 4))
    for i in range(len(boxes)):
        x, y = np.float64(boxes[i, 0]), np.float64(boxes[i, 1])
        width, height = np.float64(boxes[i, 2]), np.float64(boxes[i, 3])
        corners[i, 0], corners[i, 1], corners[i, 2], corners[i, 3] = x, y, x + width, y + height
        measurements[i, 0], measurements[i, 1] = x + width / 2, y + height / 2
        measurements[i, 2], measurements[i, 3] = width / height, height
    return corners, measurements


@compiled(inline="always")
def initiate(motion, slots, measurements, rows):
    """Start tracks at measurements, at rest.

    Parameters
    ----------
    motion : (K, 20) float64
        Changed in place.
    slots : (n,) int64
        Rows of `motion`.
    measurements : (N, 4) float64
        As of `measure`.
    rows : (n,) int64
        Rows of `measurements`.
    """
    for i in range(len(slots)):
        state = motion[slots[i]]
        height = measurements[rows[i], 3]
        for c in range(4):
            k = 8 + 3 * c
            state[c], state[c + 4] = measurements[rows[i], c], 0.0
            position = 1e-2 if c == 2 else 2 * _POSITION * height
            velocity = 1e-5 if c == 2 else 10 * _VELOCITY * height
            state[k], state[k + 1], state[k + 2] = position * position, 0.0, velocity * velocity


@compiled(inline="always")
def predict(motion, slots, moving):
    """Move tracks by one frame, in place.

    Parameters
    ----------
    motion : (K, 20) float64
    slots : (n,) int64
        Rows of `motion`.
    moving : int
        The first `moving` of them keep the velocity of their height; that of the others is set to 0.
    """
    for i in range(len(slots)):
        state = motion[slots[i]]
        if i >= moving:
            state[7] = 0.0
        position, velocity = _POSITION * state[3], _VELOCITY * state[3]
        for c in range(4):
            k = 8 + 3 * c
            state[c] += state[c + 4]
            state[k] += 2 * state[k + 1] + state[k + 2] + (1e-4 if c == 2 else position * position)
            state[k + 1] += state[k + 2]
            state[k + 2] += 1e-10 if c == 2 else velocity * velocity


@compiled
def innovation_variance(state, c):
    """Return the variance of measurement minus prediction in coordinate `c`."""
    deviation = 1e-1 if c == 2 else _POSITION * state[3]
    return state[8 + 3 * c] + deviation * deviation


@compiled(inline="always")
def update(motion, slots, measurements, rows):
    """Correct tracks by the measurements that they took, in place; parameters as of `initiate`."""
    variances = np.empty(4)
    for i in range(len(slots)):
        state = motion[slots[i]]
        for c in range(4):  # first all four: they depend on the height before the correction
            variances[c] = innovation_variance(state, c)
        for c in range(4):
            k = 8 + 3 * c
            gain, velocity_gain = state[k] / variances[c], state[k + 1] / variances[c]
            innovation = measurements[rows[i], c] - state[c]
            state[c] += gain * innovation
            state[c + 4] += velocity_gain * innovation
            state[k + 2] -= velocity_gain * state[k + 1]
            state[k + 1] -= gain * state[k + 1]
            state[k] -= gain * state[k]


@compiled(inline="always")
def warp(motion, slots, matrix):
    """Move tracks as the camera moved, in place.

    Exact for a rotation, a scale and a shift: the variances of x and y are always equal, so a rotation leaves them.

    Parameters
    ----------
    motion : (K, 20) float64
    slots : (n,) int64
        Rows of `motion`.
    matrix : (2, 3) float64
        From the pixels of the frame before to those of this one.
    """
    area = matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0]
    scale = np.sqrt(abs(area))
    for i in range(len(slots)):
        state = motion[slots[i]]
        x, y, vx, vy = state[0], state[1], state[4], state[5]
        state[0] = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2]
        state[1] = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2]
        state[4] = matrix[0, 0] * vx + matrix[0, 1] * vy
        state[5] = matrix[1, 0] * vx + matrix[1, 1] * vy
        state[3] *= scale
        state[7] *= scale
        for c in (0, 1, 3):
            for k in range(8 + 3 * c, 11 + 3 * c):
                state[k] *= scale * scale


@compiled
def boxes_of(motion, slots):
    """Return boxes x, y, w, h and corners left, top, right, bottom of tracks, each (n, 4), precise as `motion`."""
    boxes, corners = np.empty((len(slots), 4), motion.dtype), np.empty((len(slots), 4), motion.dtype)
    for i in range(len(slots)):
        state = motion[slots[i]]
        width, height = state[2] * state[3], state[3]
        left, top = state[0] - width * _HALF, state[1] - height * _HALF
        boxes[i, 0], boxes[i, 1], boxes[i, 2], boxes[i, 3] = left, top, width, height
        corners[i, 0], corners[i, 1], corners[i, 2], corners[i, 3] = left, top, width + left, height + top
    return boxes, corners
