"""The Kalman filter of DeepSORT and PaddleDetection at constant velocity, on many tracks at once.

Every rounding step follows ppdet's tracker (single precision), so that ties fall the same way.

A track's motion is a row of 24 single-precision numbers: centre x, centre y, aspect w / h and height; their velocities
per frame; and four covariances for each of the four: position-position, position-velocity, velocity-position,
velocity-velocity. ppdet's 8 x 8 covariance falls into these 2 x 2 blocks, because neither motion nor noise nor
measurement mixes coordinates.
"""

from __future__ import annotations

import numpy as np

from .._jit import compiled

MOTION_SIZE = 24

_POSITION = 1.0 / 20  # standard deviations as shares of the box height (DeepSORT)
_VELOCITY = 1.0 / 160
_POSITION32, _VELOCITY32 = np.float32(_POSITION), np.float32(_VELOCITY)
_ASPECT_NOISE = np.float32(1e-2) * np.float32(1e-2)
_ASPECT_VELOCITY_NOISE = np.float32(1e-5) * np.float32(1e-5)
_ASPECT_MEASUREMENT_NOISE = np.float32(1e-1) * np.float32(1e-1)
_ZERO, _TWO = np.float32(0), np.float32(2)


@compiled
def predict(motion, slots, tracked):
    """Move tracks by one frame, in place.

    Parameters
    ----------
    motion : (K, 24) float32
    slots : (n,) int64
        Rows of `motion`.
    tracked : int
        How many of them are tracked; the others are lost, and their height is kept from growing.
    """
    for i in range(len(slots)):
        state = motion[slots[i]]
        if i >= tracked:
            state[7] = _ZERO
        position = _POSITION32 * state[3]
        velocity = _VELOCITY32 * state[3]
        for c in range(4):
            k = 8 + 4 * c
            state[c] += state[c + 4]
            position_row = state[k] + state[k + 2]
            velocity_row = state[k + 1] + state[k + 3]
            state[k] = (position_row + velocity_row) + (_ASPECT_NOISE if c == 2 else position * position)
            state[k + 1] = velocity_row
            state[k + 2] = state[k + 2] + state[k + 3]
            state[k + 3] = state[k + 3] + (_ASPECT_VELOCITY_NOISE if c == 2 else velocity * velocity)


@compiled
def innovation_variance(state, c):
    """Return the variance of measurement minus prediction in coordinate `c`."""
    if c == 2:
        return state[8 + 4 * c] + _ASPECT_MEASUREMENT_NOISE
    deviation = np.float32(_POSITION * np.float64(state[3]))
    return state[8 + 4 * c] + deviation * deviation


@compiled
def update(motion, slots, measurements, rows):
    """Update tracks with the measurements that they took, in place.

    Parameters
    ----------
    motion : (K, 24) float32
    slots : (n,) int64
        Rows of `motion`.
    measurements : (N, 4) float32
        As of `measure`.
    rows : (n,) int64
        Rows of `measurements`.
    """
    variances = np.empty(4, np.float32)
    for i in range(len(slots)):
        state = motion[slots[i]]
        for c in range(4):  # first all four: they depend on the height before the correction
            variances[c] = innovation_variance(state, c)
        for c in range(4):
            k = 8 + 4 * c
            gain = state[k] / variances[c]
            velocity_gain = state[k + 2] / variances[c]
            innovation = measurements[rows[i], c] - state[c]
            state[c] += innovation * gain
            state[c + 4] += innovation * velocity_gain
            weighted = gain * variances[c]
            velocity_weighted = velocity_gain * variances[c]
            state[k] -= weighted * gain
            state[k + 1] -= weighted * velocity_gain
            state[k + 2] -= velocity_weighted * gain
            state[k + 3] -= velocity_weighted * velocity_gain


@compiled
def initiate(motion, slots, measurements, rows):
    """Start tracks at measurements, at rest; parameters as of `update`."""
    for i in range(len(slots)):
        state = motion[slots[i]]
        state[:] = _ZERO
        height = np.float64(measurements[rows[i], 3])
        position = 2 * _POSITION * height
        velocity = 10 * _VELOCITY * height
        for c in range(4):
            k = 8 + 4 * c
            state[c] = measurements[rows[i], c]
            state[k] = np.float32(1e-2 * 1e-2) if c == 2 else np.float32(position * position)
            state[k + 3] = np.float32(1e-5 * 1e-5) if c == 2 else np.float32(velocity * velocity)


@compiled
def warp(motion, slots, matrix):
    """Move tracks as the camera moved, in place.

    Exact for a rotation, a scale and a shift: the variances of x and y are always equal, so a rotation leaves them.

    Parameters
    ----------
    motion : (K, 24) float32
    slots : (n,) int64
        Rows of `motion`.
    matrix : (2, 3) float64
        From the pixels of the frame before to those of this one.
    """
    scale = np.sqrt(abs(matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0]))
    for i in range(len(slots)):
        state = motion[slots[i]]
        x, y, vx, vy = state[0], state[1], state[4], state[5]
        state[0] = np.float32(matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2])
        state[1] = np.float32(matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2])
        state[4] = np.float32(matrix[0, 0] * vx + matrix[0, 1] * vy)
        state[5] = np.float32(matrix[1, 0] * vx + matrix[1, 1] * vy)
        state[3] = np.float32(state[3] * scale)
        state[7] = np.float32(state[7] * scale)
        for c in (0, 1, 3):
            for k in range(8 + 4 * c, 12 + 4 * c):
                state[k] = np.float32(state[k] * scale * scale)


@compiled
def measure(boxes):
    """Return corners and measurements of detections.

    ppdet is given corners in single precision and takes widths from those: so do we. For boxes that came from corners,
    such as the network's, this makes no difference.

    Parameters
    ----------
    boxes : (N, 4) float32
        x, y, w, h in pixels.

    Returns
    -------
    corners : (N, 4) float32
        left, top, right, bottom.
    measurements : (N, 4) float32
        centre x, centre y, w / h, h.
    """
    corners = np.empty((len(boxes), 4), np.float32)
    measurements = np.empty((len(boxes), 4), np.float32)
    for i in range(len(boxes)):
        x, y = boxes[i, 0], boxes[i, 1]
        width = (x + boxes[i, 2]) - x
        height = (y + boxes[i, 3]) - y
        corners[i, 0], corners[i, 1], corners[i, 2], corners[i, 3] = x, y, width + x, height + y
        measurements[i, 0] = x + width / _TWO
        measurements[i, 1] = y + height / _TWO
        measurements[i, 2] = width / height
        measurements[i, 3] = height
    return corners, measurements
