"""Tables of tracks: arrays whose first rows are in use."""

from __future__ import annotations

import numpy as np

from .._jit import compiled


def with_room(table: np.ndarray, rows: int) -> np.ndarray:
    """Return a table, or a larger copy of it if it has fewer rows than are needed.

    Examples
    --------
    >>> len(with_room(np.zeros(4, [("id", np.int64)]), 5))
    10
    """
    if rows <= len(table):
        return table
    larger = np.zeros((2 * rows, *table.shape[1:]), table.dtype)
    larger[: len(table)] = table
    return larger


@compiled
def keep(table, is_kept):
    """Move the rows that are kept to the front, in order; return how many they are.

    Parameters
    ----------
    table : (K, ...)
        Changed in place.
    is_kept : (n,) bool
        For each of the first n rows.
    """
    count = 0
    for i in range(len(is_kept)):
        if is_kept[i]:
            if count < i:
                table[count] = table[i]
            count += 1
    return count
