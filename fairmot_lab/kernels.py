"""The compiled arithmetic of the association: the only module that touches numba.

Every rounding step follows ppdet's tracker (single precision in the Kalman filter, double precision in the costs), so
that ties fall the same way.

A track's motion is a row of 24 single-precision numbers: centre x, centre y, aspect w / h and height; their velocities
per frame; and four covariances for each of the four: position-position, position-velocity, velocity-position,
velocity-velocity. ppdet's 8 x 8 covariance falls into these 2 x 2 blocks, for neither motion nor noise nor measurement
mixes coordinates.

Machine code is kept by numba beside this file, or in the user's cache folder where that is read-only; where neither can
be written, it is compiled anew in each process.
"""

from __future__ import annotations

from collections.abc import Callable

import numba
import numpy as np

GATE = 9.4877  # 0.95 quantile of chi-square with 4 degrees of freedom, as ppdet rounds it
MOTION_SIZE = 24

_MOTION_WEIGHT = 0.98  # lambda of FairMOT's fuse_motion
_POSITION = 1.0 / 20  # standard deviations of the Kalman filter as shares of the box height (DeepSORT)
_VELOCITY = 1.0 / 160
_POSITION32, _VELOCITY32 = np.float32(_POSITION), np.float32(_VELOCITY)
_ASPECT_NOISE = np.float32(1e-2) * np.float32(1e-2)
_ASPECT_VELOCITY_NOISE = np.float32(1e-5) * np.float32(1e-5)
_ASPECT_MEASUREMENT_NOISE = np.float32(1e-1) * np.float32(1e-1)
_GATE32, _ZERO, _ONE, _TWO = np.float32(GATE), np.float32(0), np.float32(1), np.float32(2)
_KEEP, _TAKE = np.float32(0.9), np.float32(1.0 - 0.9)  # smoothing of a track's embedding
_HUGE = 1e6  # larger than any price that occurs in an assignment


def _compiled(function: Callable | None = None, **options) -> Callable:
    if function is None:
        return lambda function: _compiled(function, **options)
    options = {"nogil": True, "error_model": "numpy", **options}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder for the cache can be written
        return numba.njit(**options)(function)


# ---------------------------------------------------------------------------------------------------------------------
# assignment
# ---------------------------------------------------------------------------------------------------------------------


@_compiled
def assign(cost, limit):
    """Pair rows with columns at the smallest total cost, where leaving a row and a column alone costs `limit`.

    The shortest augmenting path algorithm of R. Jonker and A. Volgenant, "A shortest augmenting path algorithm for
    dense and sparse linear assignment problems", Computing 38 (1987), on the square matrix of n + m rows that ppdet
    gets from `lap.lapjv(cost, extend_cost=True, cost_limit=limit)`. Rows, columns and ties are visited in lap's
    order: of several best assignments it finds the one that lap finds.

    Parameters
    ----------
    cost : (n, m) float64
        May hold inf for pairs that are forbidden.
    limit : float
        No pair that costs more is made.

    Returns
    -------
    columns : (n,) int64
        For each row its column, or -1.
    rows : (m,) int64
        For each column its row, or -1.
    """
    n, m = cost.shape
    if n == 0 or m == 0:
        return np.full(n, -1, np.int64), np.full(m, -1, np.int64)
    size = n + m
    square = np.empty((size, size))
    for i in range(n):
        for j in range(m):
            square[i, j] = cost[i, j]
        for j in range(m, size):
            square[i, j] = limit / 2.0
    for i in range(n, size):
        for j in range(m):
            square[i, j] = limit / 2.0
        for j in range(m, size):
            square[i, j] = 0.0

    column_of = np.full(size, -1, np.int64)
    row_of = np.full(size, -1, np.int64)
    price = np.full(size, _HUGE)
    free = _reduce_columns(square, column_of, row_of, price)
    for _ in range(2):
        if len(free):
            free = _reduce_rows(square, free, column_of, row_of, price)
    for i in range(len(free)):
        _augment(square, free[i], column_of, row_of, price)

    columns = column_of[:n].copy()
    rows = row_of[:m].copy()
    for i in range(n):
        if columns[i] >= m:
            columns[i] = -1
    for j in range(m):
        if rows[j] >= n:
            rows[j] = -1
    return columns, rows


@_compiled
def _reduce_columns(square, column_of, row_of, price):
    """Price each column at its cheapest row; give a row the first column it is cheapest for; return the free rows."""
    size = len(square)
    for i in range(size):
        for j in range(size):
            if square[i, j] < price[j]:
                price[j] = square[i, j]
                row_of[j] = i
    alone = np.ones(size, np.bool_)
    for j in range(size - 1, -1, -1):
        i = row_of[j]
        if column_of[i] < 0:
            column_of[i] = j
        else:
            alone[i] = False
            row_of[j] = -1
    free = np.empty(size, np.int64)
    count = 0
    for i in range(size):
        if column_of[i] < 0:
            free[count] = i
            count += 1
        elif alone[i]:  # reduction transfer: lower the price until another column would do as well
            least = _HUGE
            for j in range(size):
                if j != column_of[i]:
                    least = min(least, square[i, j] - price[j])
            price[column_of[i]] -= least
    return free[:count]


@_compiled
def _reduce_rows(square, free, column_of, row_of, price):
    """Give each free row its cheapest column, lowering the price to the second cheapest; return the rows still free."""
    size = len(square)
    current = 0
    still = 0
    rounds = 0
    while current < len(free):
        rounds += 1
        i = free[current]
        current += 1
        best, second = 0, -1
        least, next_least = square[i, 0] - price[0], _HUGE
        for j in range(1, size):
            reduced = square[i, j] - price[j]
            if reduced < next_least:
                if reduced >= least:
                    next_least, second = reduced, j
                else:
                    next_least, second = least, best
                    least, best = reduced, j
        owner = row_of[best]
        lowered = price[best] - (next_least - least)
        lowers = lowered < price[best]
        if rounds < current * size:
            if lowers:
                price[best] = lowered
            elif owner >= 0 and second >= 0:
                best = second
                owner = row_of[second]
            if owner >= 0:
                if lowers:
                    current -= 1
                    free[current] = owner
                else:
                    free[still] = owner
                    still += 1
        elif owner >= 0:
            free[still] = owner
            still += 1
        column_of[i] = best
        row_of[best] = i
    return free[:still]


@_compiled
def _augment(square, start, column_of, row_of, price):
    """Find the cheapest alternating path from the free row `start` to a free column, and swap along it."""
    size = len(square)
    columns = np.arange(size)
    before = np.full(size, start)
    distance = square[start] - price
    ready = scanned = labelled = 0
    end = -1
    while end < 0:
        if scanned == labelled:  # label every column at the next smallest distance
            ready = scanned
            labelled = scanned + 1
            least = distance[columns[scanned]]
            for k in range(labelled, size):
                j = columns[k]
                if distance[j] <= least:
                    if distance[j] < least:
                        labelled = scanned
                        least = distance[j]
                    columns[k] = columns[labelled]
                    columns[labelled] = j
                    labelled += 1
            for k in range(scanned, labelled):
                if row_of[columns[k]] < 0:
                    end = columns[k]
        while end < 0 and scanned != labelled:
            j = columns[scanned]
            scanned += 1
            i = row_of[j]
            least = distance[j]
            offset = square[i, j] - price[j] - least
            k = labelled
            while k < size:
                j = columns[k]
                reduced = square[i, j] - price[j] - offset
                if reduced < distance[j]:
                    distance[j] = reduced
                    before[j] = i
                    if reduced == least:
                        if row_of[j] < 0:
                            end = j
                            break
                        columns[k] = columns[labelled]
                        columns[labelled] = j
                        labelled += 1
                k += 1
    least = distance[columns[ready]]
    for k in range(ready):
        j = columns[k]
        price[j] += distance[j] - least
    j = end
    i = -1
    while i != start:
        i = before[j]
        row_of[j] = i
        j, column_of[i] = column_of[i], j


# ---------------------------------------------------------------------------------------------------------------------
# Kalman filter of DeepSORT and ppdet at constant velocity
# ---------------------------------------------------------------------------------------------------------------------


@_compiled
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


@_compiled
def _innovation_variance(state, c):
    """Variance of measurement minus prediction in coordinate `c`."""
    if c == 2:
        return state[8 + 4 * c] + _ASPECT_MEASUREMENT_NOISE
    deviation = np.float32(_POSITION * np.float64(state[3]))
    return state[8 + 4 * c] + deviation * deviation


@_compiled
def correct(motion, slots, measurements, rows):
    """Correct tracks by the measurements that they took, in place.

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
            variances[c] = _innovation_variance(state, c)
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


@_compiled
def begin(motion, slots, measurements, rows):
    """Start tracks at measurements, at rest; parameters as of `correct`."""
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


# ---------------------------------------------------------------------------------------------------------------------
# boxes and costs
# ---------------------------------------------------------------------------------------------------------------------


@_compiled
def measure(boxes):
    """Corners and measurements of detections.

    ppdet is given corners in single precision and takes widths from those: so do we. For boxes that came from corners,
    such as the network's, this changes nothing.

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


@_compiled
def estimate(motion, slots):
    """Boxes x, y, w, h and corners left, top, right, bottom of tracks, each (n, 4) float32."""
    boxes = np.empty((len(slots), 4), np.float32)
    corners = np.empty((len(slots), 4), np.float32)
    for i in range(len(slots)):
        state = motion[slots[i]]
        width, height = state[2] * state[3], state[3]
        left, top = state[0] - width / _TWO, state[1] - height / _TWO
        boxes[i, 0], boxes[i, 1], boxes[i, 2], boxes[i, 3] = left, top, width, height
        corners[i, 0], corners[i, 1], corners[i, 2], corners[i, 3] = left, top, width + left, height + top
    return boxes, corners


@_compiled
def iou_cost(corners, others, rows):
    """1 - IoU of boxes with others, as ppdet's `iou_distance` counts it: a box from 10 to 19 is 10 wide.

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


@_compiled(fastmath={"reassoc", "contract"})
def _dot(a, b):
    total = np.float64(0)
    for k in range(len(a)):
        total += np.float64(a[k]) * np.float64(b[k])
    return total


@_compiled(fastmath={"reassoc", "contract"})
def _squared_difference(a, b):
    total = np.float64(0)
    for k in range(len(a)):
        total += (np.float64(a[k]) - np.float64(b[k])) ** 2
    return total


@_compiled
def _normalise(feature):
    length = np.float32(np.sqrt(_dot(feature, feature)))
    for k in range(len(feature)):
        feature[k] /= length


@_compiled
def normalise(features):
    """Bring each row of (N, D) float32 to length 1, in place; twice, as ppdet does, which can change the last bit."""
    for i in range(len(features)):
        _normalise(features[i])
        _normalise(features[i])


@_compiled
def absorb(smooth, slots, features, rows):
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


@_compiled
def appearance_cost(motion, smooth, slots, features, measurements, rows, euclidean, all_pairs):
    """Distance of embeddings, squared Mahalanobis distance of boxes, and FairMOT's mixture of both (`fuse_motion`).

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
        Compare the embeddings of pairs outside the gate too. Their cost is inf anyhow: this is for the record.

    Returns
    -------
    appearance : (n, m) float64
        NaN where not compared.
    gate : (n, m) float32
    cost : (n, m) float64
        inf outside the gate.
    """
    n, m = len(slots), len(rows)
    appearance = np.full((n, m), np.nan)
    gate = np.empty((n, m), np.float32)
    cost = np.full((n, m), np.inf)
    lengths = np.empty(m)
    deviation = np.empty(4, np.float32)
    share = np.float32(1 - _MOTION_WEIGHT)
    for j in range(m):
        feature = features[rows[j]]
        lengths[j] = np.sqrt(_dot(feature, feature))
    for i in range(n):
        state, track = motion[slots[i]], smooth[slots[i]]
        length = np.sqrt(_dot(track, track))
        for c in range(4):
            deviation[c] = np.sqrt(_innovation_variance(state, c))
        for j in range(m):
            total = _ZERO
            for c in range(4):
                z = (measurements[rows[j], c] - state[c]) / deviation[c]
                total += z * z
            gate[i, j] = total
            inside = total <= _GATE32
            if inside or all_pairs:
                feature = features[rows[j]]
                if euclidean:
                    distance = np.sqrt(_squared_difference(track, feature))
                else:
                    distance = 1.0 - min(1.0, max(-1.0, _dot(track, feature) / (length * lengths[j])))
                appearance[i, j] = distance
                if inside:
                    cost[i, j] = _MOTION_WEIGHT * distance + np.float64(share * total)
    return appearance, gate, cost


@_compiled
def fault(boxes, scores, features, any_scores):
    """The first row that no tracker should accept and what is wrong with it.

    Parameters
    ----------
    boxes, scores, features : (N, 4), (N,), (N, D) float32
    any_scores : bool
        Accept scores outside 0..1.

    Returns
    -------
    row, kind : int
        (-1, 0) if all is well; kind 1: a box is not finite, 2: not positive in size, 3: a score is not finite, 4: a
        score is outside 0..1, 5: an embedding is not finite, 6: an embedding is zero.
    """
    for i in range(len(scores)):
        for c in range(4):
            if not np.isfinite(boxes[i, c]):
                return i, 1
        if not (boxes[i, 2] > 0 and boxes[i, 3] > 0):
            return i, 2
        if not np.isfinite(scores[i]):
            return i, 3
        if not any_scores and not (0 <= scores[i] <= 1):
            return i, 4
        if features.shape[1]:
            length = _dot(features[i], features[i])
            if not np.isfinite(length):
                return i, 5
            if length == 0:
                return i, 6
    return -1, 0
