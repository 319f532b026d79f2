"""What it costs to pair a track with a detection: overlap, appearance, motion.

Every rounding step follows ppdet's tracker (double precision in the costs), so that ties fall the same way.
"""

from __future__ import annotations

import numpy as np

from .._jit import compiled
from .kalman import innovation_variance

GATE = 9.4877  # 0.95 quantile of chi-square with 4 degrees of freedom, as ppdet rounds it

_MOTION_WEIGHT = 0.98  # lambda of FairMOT's fuse_motion
_GATE32, _ZERO, _ONE = np.float32(GATE), np.float32(0), np.float32(1)
_KEEP, _TAKE = np.float32(0.9), np.float32(1.0 - 0.9)  # smoothing of a track's embedding


@compiled
def iou_cost(corners, others, rows):
    """Return 1 - IoU of boxes with others, as ppdet's `iou_distance` counts it: a box from 10 to 19 is 10 wide.

    Parameters
    ----------
    corners, others : (n, 4), (N, 4) float32
        left, top, right, bottom.
    rows : (m,) int64
        Which of the others.

    Returns
    -------
    (n, m) float64
        Its values have single precision.
    """
    n, m = len(corners), len(rows)
    cost = np.ones((n, m))
    area = np.empty(m)
    for j in range(m):
        other = others[rows[j]]
        area[j] = (np.float64(other[2] - other[0]) + 1.0) * (np.float64(other[3] - other[1]) + 1.0)
    for i in range(n):
        box = corners[i]
        own = (np.float64(box[2] - box[0]) + 1.0) * (np.float64(box[3] - box[1]) + 1.0)
        for j in range(m):
            other = others[rows[j]]
            width = np.float64(min(box[2], other[2]) - max(box[0], other[0])) + 1.0
            if width > 0:
                height = np.float64(min(box[3], other[3]) - max(box[1], other[1])) + 1.0
                if height > 0:
                    common = width * height
                    cost[i, j] = _ONE - np.float32(common / (own + area[j] - common))
    return cost


@compiled
def overlaps(corners, others, rows, extra):
    """Return the IoU of boxes with others in double precision.

    Parameters
    ----------
    corners, others : (n, 4), (N, 4) float64
        left, top, right, bottom in pixels.
    rows : (m,) int64
        Which of the others.
    extra : float
        Added to every width and height: 1 where a box from 10 to 19 is 10 wide, else 0.

    Returns
    -------
    (n, m) float64
    """
    n, m = len(corners), len(rows)
    iou = np.zeros((n, m))
    area = np.empty(m)
    for j in range(m):
        other = others[rows[j]]
        area[j] = (other[2] - other[0] + extra) * (other[3] - other[1] + extra)
    for i in range(n):
        box = corners[i]
        own = (box[2] - box[0] + extra) * (box[3] - box[1] + extra)
        for j in range(m):
            other = others[rows[j]]
            width = min(box[2], other[2]) - max(box[0], other[0]) + extra
            if width > 0:
                height = min(box[3], other[3]) - max(box[1], other[1]) + extra
                if height > 0:
                    iou[i, j] = width * height / (own + area[j] - width * height)
    return iou


@compiled(fastmath={"reassoc", "contract"})
def dot(a, b):
    total = np.float64(0)
    for k in range(len(a)):
        total += np.float64(a[k]) * np.float64(b[k])
    return total


@compiled(fastmath={"reassoc", "contract"})
def _squared_difference(a, b):
    total = np.float64(0)
    for k in range(len(a)):
        total += (np.float64(a[k]) - np.float64(b[k])) ** 2
    return total


@compiled
def _normalise(feature):
    length = np.float32(np.sqrt(dot(feature, feature)))
    for k in range(len(feature)):
        feature[k] /= length


@compiled
def normalise(features):
    """Scale each row of (N, D) float32 to length 1, in place; twice, as ppdet does, which can change the last bit."""
    for i in range(len(features)):
        _normalise(features[i])
        _normalise(features[i])


@compiled
def update_embeddings(smooth, slots, features, rows):
    """Move the smoothed embeddings of tracks towards those of the detections they took, in place.

    Parameters
    ----------
    smooth : (K, D) float32
    slots : (n,) int64
        Rows of `smooth`.
    features : (N, D) float32
        Of the detections.
    rows : (n,) int64
        Rows of `features`.
    """
    for i in range(len(slots)):
        track, feature = smooth[slots[i]], features[rows[i]]
        _normalise(feature)
        for k in range(len(track)):
            track[k] = _KEEP * track[k] + _TAKE * feature[k]
        _normalise(track)


@compiled
def appearance_cost(motion, smooth, slots, features, measurements, rows, euclidean, all_pairs):
    """Return distances of embeddings and of boxes, and FairMOT's sum of both (`fuse_motion`).

    Parameters
    ----------
    motion, smooth : (K, 24), (K, D) float32
        Of the tracks.
    slots : (n,) int64
        Which tracks.
    features, measurements : (N, D), (N, 4) float32
        Of the detections, normalised.
    rows : (m,) int64
        Which detections.
    euclidean : bool
        Else cosine.
    all_pairs : bool
        Compare the embeddings of pairs outside the gate too, for the record; their cost is inf all the same.

    Returns
    -------
    appearance : (n, m) float64
        NaN where not compared.
    mahalanobis : (n, m) float32
        Squared.
    cost : (n, m) float64
        inf outside the gate.
    """
    n, m = len(slots), len(rows)
    appearance = np.full((n, m), np.nan)
    mahalanobis = np.empty((n, m), np.float32)
    cost = np.full((n, m), np.inf)
    lengths = np.empty(m)
    deviation = np.empty(4, np.float32)
    share = np.float32(1 - _MOTION_WEIGHT)
    for j in range(m):
        feature = features[rows[j]]
        lengths[j] = np.sqrt(dot(feature, feature))
    for i in range(n):
        state, track = motion[slots[i]], smooth[slots[i]]
        length = np.sqrt(dot(track, track))
        for c in range(4):
            deviation[c] = np.sqrt(innovation_variance(state, c))
        for j in range(m):
            total = _ZERO
            for c in range(4):
                z = (measurements[rows[j], c] - state[c]) / deviation[c]
                total += z * z
            mahalanobis[i, j] = total
            inside = total <= _GATE32
            if inside or all_pairs:
                feature = features[rows[j]]
                if euclidean:
                    distance = np.sqrt(_squared_difference(track, feature))
                else:
                    distance = 1.0 - min(1.0, max(-1.0, dot(track, feature) / (length * lengths[j])))
                appearance[i, j] = distance
                if inside:
                    cost[i, j] = _MOTION_WEIGHT * distance + np.float64(share * total)
    return appearance, mahalanobis, cost
