"""Pair tracks with detections at the least total cost."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._jit import compiled

_HUGE = 1e6  # larger than any price that occurs in an assignment

_inlined = compiled(inline="always")  # compiled with its callers alone, which takes half the time


class Pairs(NamedTuple):
    """What `pair` decided.

    Attributes
    ----------
    matched : (n,) int64
        For each track the column of the detection it took, or -1.
    tracks, rows : (k,) int64
        The tracks and the detections that were paired.
    tracks_left, rows_left : (n - k,), (m - k,) int64
        Those that were not.
    """

    matched: np.ndarray
    tracks: np.ndarray
    rows: np.ndarray
    tracks_left: np.ndarray
    rows_left: np.ndarray


@compiled
def pair(cost, max_cost, tracks, rows):
    """Pair tracks with detections at the least total cost, no pair above `max_cost`.

    Parameters
    ----------
    cost : (n, m) float64
        inf forbids a pair.
    max_cost : float
        Leaving a track and a detection alone costs this much.
    tracks : (n,) int64
        Whatever the rows of `cost` stand for.
    rows : (m,) int64
        Whatever its columns stand for.

    Returns
    -------
    Pairs

    Examples
    --------
    >>> pair(np.array([[0.1, 0.9], [0.2, 0.3]]), 0.5, np.array([7, 8]), np.array([0, 1])).matched
    array([0, 1])
    """
    matched, owners = assign(cost, max_cost)
    is_paired = matched >= 0
    return Pairs(matched, tracks[is_paired], rows[matched[is_paired]], tracks[~is_paired], rows[owners < 0])


@_inlined
def assign(cost, max_cost):
    """Pair rows with columns at the smallest total cost, where leaving a row and a column alone costs `max_cost`.

    The shortest augmenting path algorithm of R. Jonker and A. Volgenant, "A shortest augmenting path algorithm for
    dense and sparse linear assignment problems", Computing 38 (1987), on the square matrix of n + m rows that ppdet
    gets from `lap.lapjv(cost, extend_cost=True, cost_limit=max_cost)`. Rows, columns and ties are visited in lap's
    order: of several best assignments it finds the one that lap finds.

    Parameters
    ----------
    cost : (n, m) float64
        May hold inf for pairs that are forbidden.
    max_cost : float
        No pair that costs more is made.

    Returns
    -------
    columns : (n,) int64
        For each row its column, or -1.
    rows : (m,) int64
        For each column its row, or -1.
    """
    n, m = cost.shape
    size = n + m if n and m else 0
    square = np.empty((size, size))
    for i in range(size):
        for j in range(size):
            if i < n and j < m:
                square[i, j] = cost[i, j]
            else:
                square[i, j] = max_cost / 2.0 if i < n or j < m else 0.0
    return _solve(square, n, m)


@compiled
def assign_all(cost):
    """Pair as many rows with columns as there can be, at the smallest total cost: `lap.lapjv(cost, extend_cost=True)`.

    Parameters
    ----------
    cost : (n, m) float64
        Finite numbers.

    Returns
    -------
    columns : (n,) int64
        For each row its column, or -1.
    rows : (m,) int64
        For each column its row, or -1.
    """
    n, m = cost.shape
    size = max(n, m) if n and m else 0
    square = np.zeros((size, size))
    for i in range(min(n, size)):
        for j in range(m):
            square[i, j] = cost[i, j]
    return _solve(square, n, m)


@compiled
def assign_most(cost):
    """Pair as many rows with columns as there can be, at the smallest total cost, as `linear_sum_assignment` does.

    The shortest augmenting paths of D. Crouse, "On implementing 2D rectangular assignment algorithms", IEEE
    Transactions on Aerospace and Electronic Systems 52 (2016). Rows, columns and ties are visited in scipy's order: of
    several best assignments it finds the one that scipy finds.

    Parameters
    ----------
    cost : (n, m) float64
        Finite numbers.

    Returns
    -------
    (n,) int64
        For each row its column, or -1.
    """
    is_tall = cost.shape[0] > cost.shape[1]
    if is_tall:
        cost = np.ascontiguousarray(cost.T)
    n, m = cost.shape
    column_of, row_of, before = np.full(n, -1, np.int64), np.full(m, -1, np.int64), np.full(m, -1, np.int64)
    row_price, price, distance = np.zeros(n), np.zeros(m), np.empty(m)
    ahead = np.empty(m, np.int64)  # columns that are not labelled yet
    for start in range(n):
        for k in range(m):
            ahead[k], distance[k] = m - 1 - k, np.inf
        count, least, i, end = m, 0.0, start, -1
        while end < 0:
            best, lowest = -1, np.inf
            for k in range(count):
                j = ahead[k]
                reduced = least + cost[i, j] - row_price[i] - price[j]
                if reduced < distance[j]:
                    before[j], distance[j] = i, reduced
                if distance[j] < lowest or (distance[j] == lowest and row_of[j] < 0):
                    lowest, best = distance[j], k
            least = lowest
            j = ahead[best]
            if row_of[j] < 0:
                end = j
            else:
                i = row_of[j]
            count -= 1
            ahead[best], ahead[count] = ahead[count], j
        row_price[start] += least
        for k in range(count, m):  # the columns that were labelled
            j = ahead[k]
            if row_of[j] >= 0:
                row_price[row_of[j]] += least - distance[j]
            price[j] -= least - distance[j]
        j = end
        while True:  # swap along the path
            i = before[j]
            row_of[j] = i
            column_of[i], j = j, column_of[i]
            if i == start:
                break
    return row_of if is_tall else column_of


@compiled
def sole_pairs(iou, least):
    """Return for each detection the first track with an IoU above `least`, or -1; and whether those are sole pairs.

    SORT and OC-SORT assign only where a detection or a track has several, or where there is none at all.
    """
    n, m = iou.shape
    owners, takers = np.empty(n, np.int64), np.empty(m, np.int64)
    for j in range(m):
        takers[j] = 0
    is_sole, count = True, 0
    for i in range(n):
        owners[i] = -1
        for j in range(m):
            if iou[i, j] > least:
                takers[j] += 1
                is_sole &= owners[i] < 0 and takers[j] == 1
                if owners[i] < 0:
                    owners[i] = j
                count += 1
    return owners, n == 0 or m == 0 or (is_sole and count > 0)


@compiled
def part(owners, iou, least):
    """Divide an assignment: rows and columns of the pairs, then the rows and columns left, in the authors' order."""
    n, m = iou.shape
    rows, columns = np.empty(n, np.int64), np.empty(n, np.int64)
    free_rows, free, is_free = np.empty(n, np.int64), np.empty(m, np.int64), np.ones(m, np.bool_)
    pairs = left = rest = 0
    for i in range(n):
        j = owners[i]
        if j < 0:
            free_rows[left] = i
            left += 1
        else:
            is_free[j] = False
            if not iou[i, j] < least:
                rows[pairs], columns[pairs] = i, j
                pairs += 1
    for j in range(m):
        if is_free[j]:
            free[rest] = j
            rest += 1
    for i in range(n):  # pairs that overlap too little come last
        j = owners[i]
        if j >= 0 and iou[i, j] < least:
            free_rows[left], free[rest] = i, j
            left, rest = left + 1, rest + 1
    return rows[:pairs], columns[:pairs], free_rows[:left], free[:rest]


@compiled
def without(values, places):
    """Return the values at other places, sorted."""
    is_left = np.ones(len(values), np.bool_)
    for place in places:
        is_left[place] = False
    left, count = np.empty(len(values), np.int64), 0
    for place in range(len(values)):
        if is_left[place]:
            k = count
            while k > 0 and left[k - 1] > values[place]:  # they are nearly in order
                left[k] = left[k - 1]
                k -= 1
            left[k] = values[place]
            count += 1
    return left[:count]


@_inlined
def _solve(square, n, m):
    """Return for each of the first n rows its column, for each of the first m columns its row; -1 for those beyond."""
    size = len(square)
    column_of, row_of = np.empty(size, np.int64), np.empty(size, np.int64)
    price = np.empty(size)
    for j in range(size):
        column_of[j], row_of[j], price[j] = -1, -1, _HUGE
    free = _reduce_columns(square, column_of, row_of, price)
    for _ in range(2):
        if len(free):
            free = _reduce_rows(square, free, column_of, row_of, price)
    for start in free:
        _augment(square, start, column_of, row_of, price)
    columns, rows = np.empty(n, np.int64), np.empty(m, np.int64)
    for i in range(n):
        columns[i] = column_of[i] if size and column_of[i] < m else -1
    for j in range(m):
        rows[j] = row_of[j] if size and row_of[j] < n else -1
    return columns, rows


@_inlined
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


@_inlined
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


@_inlined
def _augment(square, start, column_of, row_of, price):
    """Find the cheapest alternating path from the free row `start` to a free column, and swap along it."""
    size = len(square)
    columns = np.empty(size, np.uintp)  # unsigned: no check whether an index counts from the end
    before, distance = np.empty(size, np.int64), np.empty(size)
    for k in range(size):
        columns[k], before[k], distance[k] = k, start, square[start, k] - price[k]
    ready = scanned = labelled = 0
    end = np.int64(-1)
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
                    end = np.int64(columns[k])
        while end < 0 and scanned != labelled:
            j = columns[scanned]
            scanned += 1
            i = row_of[j]
            least = distance[j]
            costs = square[i]
            offset = costs[j] - price[j] - least
            k = labelled
            while k < size:
                j = columns[k]
                reduced = costs[j] - price[j] - offset
                if reduced < distance[j]:
                    distance[j] = reduced
                    before[j] = i
                    if reduced == least:
                        if row_of[j] < 0:
                            end = np.int64(j)
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
