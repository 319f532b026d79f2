"""The compiled arithmetic of the association: the only module that touches numba.

One call of `step` takes the tracker's state from one frame to the next. Every rounding step follows ppdet's tracker
(single precision in the Kalman filter, double precision in the costs), so that ties fall the same way.

Machine code is kept by numba beside this file, or in the user's cache folder where that is read-only; where neither can
be written, it is compiled anew in each process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numba
import numpy as np

FREE, TRACKED, LOST, REMOVED = 0, 1, 2, 3  # status of a slot
N_TRACKED, N_LOST, LAST_ID, STEP = 0, 1, 2, 3  # places in State.counters

GATE = np.float32(9.4877)  # 0.95 quantile of chi-square with 4 degrees of freedom, as ppdet rounds it
MOTION_WEIGHT = 0.98  # lambda of FairMOT's fuse_motion
BYTE_SECOND_THRESH = 0.4  # ByteTrack fixes the second stage's limit, so does ppdet
DUPLICATE_COST = np.float32(0.15)  # 1 - IoU below which two tracks are one

_POSITION = 1.0 / 20  # standard deviations of the Kalman filter as shares of the box height (DeepSORT)
_VELOCITY = 1.0 / 160
_POSITION32, _VELOCITY32 = np.float32(_POSITION), np.float32(_VELOCITY)
_ASPECT_NOISE = np.float32(1e-2) * np.float32(1e-2)
_ASPECT_VELOCITY_NOISE = np.float32(1e-5) * np.float32(1e-5)
_ASPECT_MEASUREMENT_NOISE = np.float32(1e-1) * np.float32(1e-1)
_HALF, _ONE, _ZERO = np.float32(0.5), np.float32(1), np.float32(0)
_KEEP, _TAKE = np.float32(0.9), np.float32(1.0 - 0.9)  # smoothing of a track's embedding
_HUGE = 1e6  # larger than any price that occurs in an assignment


def _compiled(function: Callable | None = None, **options) -> Callable:
    if function is None:
        return lambda function: _compiled(function, **options)
    try:
        return numba.njit(cache=True, nogil=True, **options)(function)
    except RuntimeError:  # no folder for the cache can be written
        return numba.njit(nogil=True, **options)(function)


class State(NamedTuple):
    """All that a tracker remembers. A track lives in one slot; slots are reused.

    `mean` (K, 8): centre x, centre y, aspect w / h, height, and their velocities per frame. `covariance` (K, 4, 4):
    ppdet's 8 x 8 matrix falls into one 2 x 2 block per coordinate (motion, noise and measurement do not mix
    coordinates); a row holds position-position, position-velocity, velocity-position, velocity-velocity. `feature`
    (K, D): the smoothed embedding. `tracked` and `lost` hold slots in ppdet's order, as many as `counters` says.
    """

    mean: np.ndarray
    covariance: np.ndarray
    feature: np.ndarray
    ids: np.ndarray
    score: np.ndarray
    status: np.ndarray
    confirmed: np.ndarray
    retired: np.ndarray
    start: np.ndarray
    last: np.ndarray
    detection: np.ndarray
    tracked: np.ndarray
    lost: np.ndarray
    counters: np.ndarray


class Rules(NamedTuple):
    """The settings in the precision in which ppdet compares them."""

    conf_thres: np.float32
    low_conf_thres: np.float32
    det_thresh: float
    embedding_thresh: float
    iou_thresh: float
    second_thresh: float
    unconfirmed_thresh: float
    max_time_lost: int
    min_box_area: float
    vertical_ratio: float
    euclidean: bool
    use_byte: bool
    forget_removed: bool
    refresh_score: bool
    predict_unconfirmed: bool
    keep_equal_scores: bool


class Record(NamedTuple):
    """What `step` saw and did in one frame. Slots are given as ids, detections as rows of the frame.

    `pool`, `high`: tracks and detections of the first stage, with `appearance` (distance between embeddings), `gate`
    (squared Mahalanobis distance) and `first` (the cost), each (pool, high). `second_tracks`, `second_rows`,
    `second`: of the second. `new_tracks`, `new_rows`, `third`: of the stage for unconfirmed tracks. `*_match`: for
    each track the column it got, or -1. `born`: pairs of id and row. `too_weak`: rows left over with a score below
    det_thresh. `ended`: ids whose buffer ran out, `vanished`: ids lost a second time after that. `duplicates`: rows
    of removed id, kept id; `duplicate_cost`. `hidden`: ids not reported because of their size or shape.
    """

    pool: np.ndarray
    pool_lost: np.ndarray
    high: np.ndarray
    appearance: np.ndarray
    gate: np.ndarray
    first: np.ndarray
    first_match: np.ndarray
    second_tracks: np.ndarray
    second_rows: np.ndarray
    second: np.ndarray
    second_match: np.ndarray
    new_tracks: np.ndarray
    new_rows: np.ndarray
    third: np.ndarray
    third_match: np.ndarray
    born: np.ndarray
    too_weak: np.ndarray
    ended: np.ndarray
    vanished: np.ndarray
    duplicates: np.ndarray
    duplicate_cost: np.ndarray
    hidden: np.ndarray


def empty_state(slots: int, dimension: int) -> State:
    """A state without tracks, with room for `slots` tracks and embeddings of `dimension` numbers (0: none)."""
    return State(
        mean=np.zeros((slots, 8), np.float32),
        covariance=np.zeros((slots, 4, 4), np.float32),
        feature=np.zeros((slots, dimension), np.float32),
        ids=np.zeros(slots, np.int64),
        score=np.zeros(slots, np.float32),
        status=np.zeros(slots, np.int64),
        confirmed=np.zeros(slots, np.bool_),
        retired=np.zeros(slots, np.bool_),
        start=np.zeros(slots, np.int64),
        last=np.zeros(slots, np.int64),
        detection=np.zeros(slots, np.int64),
        tracked=np.zeros(slots, np.int64),
        lost=np.zeros(slots, np.int64),
        counters=np.zeros(4, np.int64),
    )


def resized_state(state: State, slots: int, dimension: int) -> State:
    """The same tracks in a state with more slots, or with room for embeddings where there was none."""
    new = empty_state(slots, dimension)
    for name, old in state._asdict().items():
        target = getattr(new, name)
        if name == "feature":
            target[: len(old), : old.shape[1]] = old
        else:
            target[: len(old)] = old
    return new


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
# Kalman filter of DeepSORT and ppdet: centre x, centre y, aspect ratio and height at constant velocity
# ---------------------------------------------------------------------------------------------------------------------


@_compiled
def _predict(state, slot):
    mean, covariance = state.mean[slot], state.covariance[slot]
    if state.status[slot] != TRACKED:
        mean[7] = _ZERO
    position = _POSITION32 * mean[3]
    velocity = _VELOCITY32 * mean[3]
    for c in range(4):
        noise = _ASPECT_NOISE if c == 2 else position * position
        velocity_noise = _ASPECT_VELOCITY_NOISE if c == 2 else velocity * velocity
        mean[c] += mean[c + 4]
        block = covariance[c]
        position_row = block[0] + block[2]
        velocity_row = block[1] + block[3]
        block[0] = (position_row + velocity_row) + noise
        block[1] = velocity_row
        block[2] = block[2] + block[3]
        block[3] = block[3] + velocity_noise


@_compiled
def _innovation_variance(state, slot, c):
    """Variance of measurement minus prediction in coordinate `c`."""
    if c == 2:
        return state.covariance[slot, c, 0] + _ASPECT_MEASUREMENT_NOISE
    deviation = np.float32(_POSITION * np.float64(state.mean[slot, 3]))
    return state.covariance[slot, c, 0] + deviation * deviation


@_compiled
def _start_filter(state, slot, measurement):
    mean, covariance = state.mean[slot], state.covariance[slot]
    mean[:4] = measurement
    mean[4:] = _ZERO
    position = 2 * _POSITION * np.float64(measurement[3])
    velocity = 10 * _VELOCITY * np.float64(measurement[3])
    for c in range(4):
        covariance[c, 0] = np.float32(1e-2 * 1e-2) if c == 2 else np.float32(position * position)
        covariance[c, 1] = _ZERO
        covariance[c, 2] = _ZERO
        covariance[c, 3] = np.float32(1e-5 * 1e-5) if c == 2 else np.float32(velocity * velocity)


@_compiled
def _correct(state, slot, measurement):
    mean, covariance = state.mean[slot], state.covariance[slot]
    innovation_variance = np.empty(4, np.float32)
    for c in range(4):  # first all four: they depend on the height before the correction
        innovation_variance[c] = _innovation_variance(state, slot, c)
    for c in range(4):
        variance = innovation_variance[c]
        block = covariance[c]
        gain = block[0] / variance
        velocity_gain = block[2] / variance
        innovation = measurement[c] - mean[c]
        mean[c] += innovation * gain
        mean[c + 4] += innovation * velocity_gain
        weighted = gain * variance
        velocity_weighted = velocity_gain * variance
        block[0] -= weighted * gain
        block[1] -= weighted * velocity_gain
        block[2] -= velocity_weighted * gain
        block[3] -= velocity_weighted * velocity_gain


# ---------------------------------------------------------------------------------------------------------------------
# costs
# ---------------------------------------------------------------------------------------------------------------------


@_compiled
def iou_cost(corners, others):
    """1 - IoU of each box with each other, as ppdet's `iou_distance` counts it: a box from 10 to 19 is 10 wide.

    Parameters
    ----------
    corners, others : (n, 4), (m, 4) float32
        left, top, right, bottom.

    Returns
    -------
    (n, m) float64 that holds single-precision values
    """
    n, m = len(corners), len(others)
    cost = np.ones((n, m))
    area = np.empty(m)
    for j in range(m):
        area[j] = (np.float64(others[j, 2] - others[j, 0]) + 1.0) * (np.float64(others[j, 3] - others[j, 1]) + 1.0)
    for i in range(n):
        own = (np.float64(corners[i, 2] - corners[i, 0]) + 1.0) * (np.float64(corners[i, 3] - corners[i, 1]) + 1.0)
        for j in range(m):
            width = np.float64(min(corners[i, 2], others[j, 2]) - max(corners[i, 0], others[j, 0])) + 1.0
            if width > 0:
                height = np.float64(min(corners[i, 3], others[j, 3]) - max(corners[i, 1], others[j, 1])) + 1.0
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
def _absorb(smooth, feature):
    """Move a track's embedding towards that of its detection."""
    _normalise(feature)
    for k in range(len(smooth)):
        smooth[k] = _KEEP * smooth[k] + _TAKE * feature[k]
    _normalise(smooth)


@_compiled
def _appearance_cost(state, pool, features, high, measurements, euclidean, all_pairs):
    """Distance of embeddings, squared Mahalanobis distance, and their mixture (FairMOT's fuse_motion).

    The embeddings of pairs outside the gate are compared only if `all_pairs`, for their cost is inf anyhow.
    """
    n, m = len(pool), len(high)
    appearance = np.full((n, m), np.nan)
    gate = np.empty((n, m), np.float32)
    cost = np.full((n, m), np.inf)
    lengths = np.empty(m)
    deviation = np.empty(4, np.float32)
    share = np.float32(1 - MOTION_WEIGHT)
    for j in range(m):
        lengths[j] = np.sqrt(_dot(features[high[j]], features[high[j]]))
    for i in range(n):
        slot = pool[i]
        smooth = state.feature[slot]
        length = np.sqrt(_dot(smooth, smooth))
        for c in range(4):
            deviation[c] = np.sqrt(_innovation_variance(state, slot, c))
        for j in range(m):
            row = high[j]
            total = _ZERO
            for c in range(4):
                z = (measurements[row, c] - state.mean[slot, c]) / deviation[c]
                total += z * z
            gate[i, j] = total
            inside = not total > GATE
            if inside or all_pairs:
                if euclidean:
                    distance = np.sqrt(_squared_difference(smooth, features[row]))
                else:
                    cosine = _dot(smooth, features[row]) / (length * lengths[j])
                    distance = 1.0 - min(1.0, max(-1.0, cosine))
                appearance[i, j] = distance
                if inside:
                    cost[i, j] = MOTION_WEIGHT * distance + np.float64(share * total)
    return appearance, gate, cost


# ---------------------------------------------------------------------------------------------------------------------
# one frame
# ---------------------------------------------------------------------------------------------------------------------


@_compiled
def _track_corners(state, slots):
    corners = np.empty((len(slots), 4), np.float32)
    for i in range(len(slots)):
        mean = state.mean[slots[i]]
        width = mean[2] * mean[3]
        corners[i, 0] = mean[0] - width / np.float32(2)
        corners[i, 1] = mean[1] - mean[3] / np.float32(2)
        corners[i, 2] = width + corners[i, 0]
        corners[i, 3] = mean[3] + corners[i, 1]
    return corners


@_compiled
def _detections(boxes):
    """Corners and measurements (centre x, centre y, w / h, h) of boxes x, y, w, h.

    ppdet is given corners in single precision and takes widths from those: so do we. For boxes that came from corners,
    such as the network's, this changes nothing.
    """
    corners = np.empty((len(boxes), 4), np.float32)
    measurements = np.empty((len(boxes), 4), np.float32)
    for i in range(len(boxes)):
        x, y = boxes[i, 0], boxes[i, 1]
        width = (x + boxes[i, 2]) - x
        height = (y + boxes[i, 3]) - y
        corners[i, 0], corners[i, 1], corners[i, 2], corners[i, 3] = x, y, width + x, height + y
        measurements[i, 0] = x + width / np.float32(2)
        measurements[i, 1] = y + height / np.float32(2)
        measurements[i, 2] = width / height
        measurements[i, 3] = height
    return corners, measurements


@_compiled
def _take(state, slot, row, measurements, scores, features, step):
    """A track takes the detection of a row."""
    _correct(state, slot, measurements[row])
    if features.shape[1]:
        _absorb(state.feature[slot], features[row])
    state.status[slot] = TRACKED
    state.confirmed[slot] = True
    state.last[slot] = step
    state.detection[slot] = row


@_compiled
def _picked(values, keep):
    """The values at which `keep` is true."""
    count = 0
    for i in range(len(values)):
        count += keep[i]
    picked = np.empty(count, values.dtype)
    count = 0
    for i in range(len(values)):
        if keep[i]:
            picked[count] = values[i]
            count += 1
    return picked


@_compiled
def _advance(state, boxes, scores, features, rules, all_pairs):
    """Take the state one frame further, changing it in place.

    Parameters
    ----------
    state : State
        With at least as many free slots as there are detections.
    boxes : (N, 4) float32
        x, y, w, h in pixels.
    scores : (N,) float32
    features : (N, D) float32
        The embeddings; they are normalised in place. D = 0: none.
    rules : Rules
    all_pairs : bool
        Compare the embeddings of pairs outside the gate, for the record.
    """
    counters = state.counters
    counters[STEP] += 1
    step = counters[STEP]
    total = len(scores)
    corners, measurements = _detections(boxes)
    rows = np.arange(total)
    is_high = scores > rules.conf_thres
    high = _picked(rows, is_high)
    with_features = features.shape[1] > 0

    tracked = state.tracked[: counters[N_TRACKED]].copy()
    lost = state.lost[: counters[N_LOST]].copy()
    confirmed = np.empty(len(tracked), np.bool_)
    for i in range(len(tracked)):
        confirmed[i] = state.confirmed[tracked[i]]
    unconfirmed = _picked(tracked, ~confirmed)
    pool = np.concatenate((_picked(tracked, confirmed), lost))
    pool_lost = np.empty(len(pool), np.bool_)
    for i in range(len(pool)):
        pool_lost[i] = state.status[pool[i]] != TRACKED
        _predict(state, pool[i])
    if rules.predict_unconfirmed:
        for i in range(len(unconfirmed)):
            _predict(state, unconfirmed[i])

    # first stage: embeddings and motion, or IoU where there are no embeddings
    if with_features:
        for row in range(total):
            _normalise(features[row])
            _normalise(features[row])  # ppdet does it twice, which can change the last bit
        appearance, gate, first = _appearance_cost(
            state, pool, features, high, measurements, rules.euclidean, all_pairs
        )
    else:
        appearance = np.empty((0, 0))
        gate = np.empty((0, 0), np.float32)
        first = iou_cost(_track_corners(state, pool), corners[high])
    first_match, first_track = assign(first, rules.embedding_thresh if with_features else rules.iou_thresh)
    found = np.zeros(len(pool), np.bool_)
    for i in range(len(pool)):
        if first_match[i] >= 0:
            slot, row = pool[i], high[first_match[i]]
            found[i] = pool_lost[i]
            if not pool_lost[i] or rules.refresh_score:
                state.score[slot] = scores[row]
            _take(state, slot, row, measurements, scores, features, step)

    # second stage: IoU of the tracks still there, in BYTE with the detections of low score
    left = _picked(high, first_track < 0)
    second_tracks = _picked(pool, (first_match < 0) & ~pool_lost)
    if rules.use_byte:
        is_low = (scores > rules.low_conf_thres) & (scores < rules.conf_thres)
        if rules.keep_equal_scores:
            is_low |= scores == rules.conf_thres
        second_rows = _picked(rows, is_low)
        second_thresh = BYTE_SECOND_THRESH
    else:
        second_rows = left
        second_thresh = rules.second_thresh
    second = iou_cost(_track_corners(state, second_tracks), corners[second_rows])
    second_match, second_track = assign(second, second_thresh)
    for i in range(len(second_tracks)):
        slot = second_tracks[i]
        if second_match[i] >= 0:
            row = second_rows[second_match[i]]
            state.score[slot] = scores[row]
            _take(state, slot, row, measurements, scores, features, step)
        else:
            state.status[slot] = LOST
    newly_lost = _picked(second_tracks, second_match < 0)
    if not rules.use_byte:
        left = _picked(second_rows, second_track < 0)

    # third stage: tracks of one frame are confirmed or dropped
    third_rows = left
    third = iou_cost(_track_corners(state, unconfirmed), corners[third_rows])
    third_match, third_track = assign(third, rules.unconfirmed_thresh)
    for i in range(len(unconfirmed)):
        slot = unconfirmed[i]
        if third_match[i] >= 0:
            row = third_rows[third_match[i]]
            state.score[slot] = scores[row]
            _take(state, slot, row, measurements, scores, features, step)
        else:
            state.status[slot] = REMOVED
    left = _picked(third_rows, third_track < 0)

    # births
    strong = np.empty(len(left), np.bool_)
    for i in range(len(left)):
        strong[i] = not np.float64(scores[left[i]]) < rules.det_thresh
    too_weak = _picked(left, ~strong)
    parents = _picked(left, strong)
    newborn = np.empty(len(parents), np.int64)
    slot = 0
    for i in range(len(parents)):
        while state.status[slot] != FREE:
            slot += 1
        newborn[i] = slot
        row = parents[i]
        counters[LAST_ID] += 1
        _start_filter(state, slot, measurements[row])
        if with_features:
            state.feature[slot] = features[row]
        state.ids[slot] = counters[LAST_ID]
        state.score[slot] = scores[row]
        state.status[slot] = TRACKED
        state.confirmed[slot] = step == 1
        state.retired[slot] = False
        state.start[slot] = step
        state.last[slot] = step
        state.detection[slot] = row

    # lists of the next frame
    expired = np.zeros(len(lost), np.bool_)
    still_lost = np.zeros(len(lost), np.bool_)
    for i in range(len(lost)):
        slot = lost[i]
        if step - state.last[slot] > rules.max_time_lost:
            state.status[slot] = REMOVED
            expired[i] = True
        # ppdet takes an expired track off the list of lost ones only in the frame after: `retired` is set below
        still_lost[i] = (
            state.status[slot] != TRACKED and not state.retired[slot] and not (expired[i] and rules.forget_removed)
        )
    relapsed = np.empty(len(newly_lost), np.bool_)
    for i in range(len(newly_lost)):
        relapsed[i] = state.retired[newly_lost[i]]
    ended = _picked(lost, expired)
    vanished = _picked(newly_lost, relapsed)
    for i in range(len(ended)):
        state.retired[ended[i]] = True
    stays = np.empty(len(tracked), np.bool_)
    for i in range(len(tracked)):
        stays[i] = state.status[tracked[i]] == TRACKED
    next_tracked = np.concatenate((_picked(tracked, stays), newborn, _picked(pool, found)))
    next_lost = np.concatenate((_picked(lost, still_lost), _picked(newly_lost, ~relapsed)))

    # of two tracks on one spot, the one that was reported longer survives
    duplicate_cost = iou_cost(_track_corners(state, next_tracked), _track_corners(state, next_lost))
    keep_tracked = np.ones(len(next_tracked), np.bool_)
    keep_lost = np.ones(len(next_lost), np.bool_)
    pairs = np.empty((len(next_tracked) * len(next_lost), 2), np.int64)
    pair_cost = np.empty(len(pairs))
    count = 0
    for i in range(len(next_tracked)):
        for j in range(len(next_lost)):
            if np.float32(duplicate_cost[i, j]) < DUPLICATE_COST:
                p, q = next_tracked[i], next_lost[j]
                pair_cost[count] = duplicate_cost[i, j]
                if state.last[p] - state.start[p] > state.last[q] - state.start[q]:
                    keep_lost[j] = False
                    pairs[count, 0], pairs[count, 1] = state.ids[q], state.ids[p]
                else:
                    keep_tracked[i] = False
                    pairs[count, 0], pairs[count, 1] = state.ids[p], state.ids[q]
                count += 1
    duplicates = pairs[:count]
    next_tracked = _picked(next_tracked, keep_tracked)
    next_lost = _picked(next_lost, keep_lost)

    # the record speaks of ids, for slots are free again from here on
    pool_ids, second_ids, new_ids = state.ids[pool], state.ids[second_tracks], state.ids[unconfirmed]
    born = np.empty((len(newborn), 2), np.int64)
    born[:, 0] = state.ids[newborn]
    born[:, 1] = parents
    ended_ids, vanished_ids = state.ids[ended], state.ids[vanished]

    alive = np.zeros(len(state.status), np.bool_)
    for i in range(len(next_tracked)):
        alive[next_tracked[i]] = True
        state.tracked[i] = next_tracked[i]
    for i in range(len(next_lost)):
        alive[next_lost[i]] = True
        state.lost[i] = next_lost[i]
    for slot in range(len(alive)):
        if not alive[slot]:
            state.status[slot] = FREE
    counters[N_TRACKED] = len(next_tracked)
    counters[N_LOST] = len(next_lost)

    # what is reported
    reported = np.empty(len(next_tracked), np.bool_)
    concealed = np.empty(len(next_tracked), np.bool_)
    for i in range(len(next_tracked)):
        mean = state.mean[next_tracked[i]]
        width = mean[2] * mean[3]
        concealed[i] = np.float64(width * mean[3]) <= rules.min_box_area or (
            rules.vertical_ratio > 0 and np.float64(width / mean[3]) > rules.vertical_ratio
        )
        concealed[i] = concealed[i] and state.confirmed[next_tracked[i]]
        reported[i] = state.confirmed[next_tracked[i]] and not concealed[i]
    shown = _picked(next_tracked, reported)
    out_boxes = _track_corners(state, shown)
    for i in range(len(shown)):
        out_boxes[i, 2] = state.mean[shown[i], 2] * state.mean[shown[i], 3]
        out_boxes[i, 3] = state.mean[shown[i], 3]
    result = (state.ids[shown], out_boxes, state.score[shown], state.detection[shown])
    record = Record(
        pool_ids,
        pool_lost,
        high,
        appearance,
        gate,
        first,
        first_match,
        second_ids,
        second_rows,
        second,
        second_match,
        new_ids,
        third_rows,
        third,
        third_match,
        born,
        too_weak,
        ended_ids,
        vanished_ids,
        duplicates,
        pair_cost[:count],
        state.ids[_picked(next_tracked, concealed)],
    )
    return result, record


@_compiled
def step(state, boxes, scores, features, rules):
    """Take the state one frame further; give ids, boxes (x, y, w, h), scores and rows of the reported tracks."""
    return _advance(state, boxes, scores, features, rules, False)[0]


@_compiled
def traced_step(state, boxes, scores, features, rules):
    """As `step`, and with it the frame's `Record`."""
    return _advance(state, boxes, scores, features, rules, True)


@_compiled
def fault(boxes, scores, features, any_scores):
    """The first row that no tracker should accept and what is wrong with it.

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
