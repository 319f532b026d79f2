"""Pair tracks with detections at the least total cost."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._jit import compiled

_HUGE = 1e6  # larger than any price that occurs in an assignment


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


def pair(cost: np.ndarray, max_cost: float, tracks: np.ndarray, rows: np.ndarray) -> Pairs:
    """Pair tracks with detections at the least total cost, no pair above `max_cost`.

    Parameters
    ----------
    cost : (n, m) float64
        inf forbids a pair.
    max_cost
        Leaving a track and a detection alone costs this much.
    tracks : (n,) int64
        Whatever the rows of `cost` stand for.
    rows : (m,) int64
        Whatever its columns stand for.

    Examples
    --------
    >>> pair(np.array([[0.1, 0.9], [0.2, 0.3]]), 0.5, np.array([7, 8]), np.array([0, 1])).matched
    array([0, 1])
    """
    return Pairs(*_pair(cost, max_cost, tracks, rows))


@compiled
def _pair(cost, max_cost, tracks, rows):
    """Return the fields of `Pairs`."""
    matched, owners = assign(cost, max_cost)
    count = 0
    for i in range(len(matched)):
        count += matched[i] >= 0
    paired, taken = np.empty(count, np.int64), np.empty(count, np.int64)
    tracks_left, rows_left = np.empty(len(tracks) - count, np.int64), np.empty(len(rows) - count, np.int64)
    pair_end = left_end = 0
    for i in range(len(matched)):
        if matched[i] >= 0:
            paired[pair_end], taken[pair_end] = tracks[i], rows[matched[i]]
            pair_end += 1
        else:
            tracks_left[left_end] = tracks[i]
            left_end += 1
    left_end = 0
    for j in range(len(owners)):
        if owners[j] < 0:
            rows_left[left_end] = rows[j]
            left_end += 1
    return matched, paired, taken, tracks_left, rows_left


@compiled
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
    if n == 0 or m == 0:
        return np.full(n, -1, np.int64), np.full(m, -1, np.int64)
    size = n + m
    square = np.empty((size, size))
    for i in range(n):
        for j in range(m):
            square[i, j] = cost[i, j]
        for j in range(m, size):
            square[i, j] = max_cost / 2.0
    for i in range(n, size):
        for j in range(m):
            square[i, j] = max_cost / 2.0
        for j in range(m, size):
            square[i, j] = 0.0

    column_of, row_of = _solve(square)
    columns = column_of[:n].copy()
    rows = row_of[:m].copy()
    for i in range(n):
        if columns[i] >= m:
            columns[i] = -1
    for j in range(m):
        if rows[j] >= n:
            rows[j] = -1
    return columns, rows


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
    if n == 0 or m == 0:
        return np.full(n, -1, np.int64), np.full(m, -1, np.int64)
    square = np.zeros((max(n, m), max(n, m)))
    square[:n, :m] = cost
    column_of, row_of = _solve(square)
    columns, rows = column_of[:n].copy(), row_of[:m].copy()
    columns[columns >= m] = -1
    rows[rows >= n] = -1
    return columns, rows


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
    n, m = cost.shape
    if n > m:
        rows = assign_most(np.ascontiguousarray(cost.T))
        columns = np.full(n, -1, np.int64)
        columns[rows] = np.arange(m)
        return columns
    column_of, row_of, before = np.full(n, -1, np.int64), np.full(m, -1, np.int64), np.full(m, -1, np.int64)
    row_price, price, distance = np.zeros(n), np.zeros(m), np.empty(m)
    ahead = np.empty(m, np.int64)  # columns that are not labelled yet
    for start in range(n):
        distance[:] = np.inf
        for k in range(m):
            ahead[k] = m - 1 - k
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
    return column_of


@compiled
def sole_pairs(iou, least):
    """Return for each detection the first track with an IoU above `least`, or -1; and whether those are sole pairs.

    SORT and OC-SORT assign only where a detection or a track has several, or where there is none at all.
    """
    n, m = iou.shape
    owners, counts = np.full(n, -1), np.zeros(m, np.int64)
    most = 0
    for i in range(n):
        count = 0
        for j in range(m):
            if iou[i, j] > least:
                if count == 0:
                    owners[i] = j
                count += 1
                counts[j] += 1
        most = max(most, count)
    return owners, n == 0 or m == 0 or (most == 1 and counts.max() == 1)


@compiled
def part(owners, iou, least):
    """Divide an assignment: rows and columns of the pairs, then the rows and columns left, in the authors' order."""
    rows = np.flatnonzero(owners >= 0)
    columns = owners[rows]
    is_low = np.empty(len(rows), np.bool_)
    for k in range(len(rows)):
        is_low[k] = iou[rows[k], columns[k]] < least
    free_rows = np.concatenate((np.flatnonzero(owners < 0), rows[is_low]))
    free = np.concatenate((without(np.arange(iou.shape[1]), columns), columns[is_low]))
    return rows[~is_low], columns[~is_low], free_rows, free


@compiled
def without(values, places):
    """Return the values at other places, sorted."""
    is_left = np.ones(len(values), np.bool_)
    is_left[places] = False
    return np.sort(values[is_left])


@compiled
def _solve(square):
    """Return for each row its column, and for each column its row."""
    size = len(square)
    column_of = np.full(size, -1, np.int64)
    row_of = np.full(size, -1, np.int64)
    price = np.full(size, _HUGE)
    free = _reduce_columns(square, column_of, row_of, price)
    for _ in range(2):
        if len(free):
            free = _reduce_rows(square, free, column_of, row_of, price)
    for i in range(len(free)):
        _augment(square, free[i], column_of, row_of, price)
    return column_of, row_of


@compiled
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


@compiled
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


@compiled
def _augment(square, start, column_of, row_of, price):
    """Find the cheapest alternating path from the free row `start` to a free column, and swap along it."""
    size = len(square)
    columns = np.arange(size).astype(np.uintp)  # unsigned: no check whether an index counts from the end
    before = np.full(size, start)
    distance = square[start] - price
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
