"""The one numba decorator: compiled functions release the interpreter and are kept on disk."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numba
import numpy as np


def compiled(function: Callable | None = None, **options: Any) -> Callable:
    """Compile a function of numbers and arrays when it is first called.

    Machine code is kept by numba beside the source file, or in the user's cache folder where that is read-only; where
    neither can be written, it is compiled anew in each process.

    Assign rows of arrays number by number: for `a[i] = b[j]` later versions of numba (seen: 0.68) also compile the
    message about different shapes, which takes two CPU seconds.

    Parameters
    ----------
    function
        The function; left out when options are given.
    **options
        Of `numba.njit`; by default `nogil=True` and `error_model="numpy"` (a division by zero gives inf or NaN).

    Examples
    --------
    >>> @compiled
    ... def double(x):
    ...     return 2 * x
    >>> double(21)
    42

    With NUMBA_DISABLE_JIT=1 nothing is compiled, so that a debugger can step through a tracker.
    """
    if function is None:
        return lambda function: compiled(function, **options)
    if numba.config.DISABLE_JIT:
        return _interpreted(function)
    options = {"nogil": True, "error_model": "numpy", **options}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder for the cache can be written
        return numba.njit(**options)(function)


def _interpreted(function: Callable) -> Callable:
    """Let Python run a compiled function, which reads the fields of records as attributes."""

    def readable(value: Any) -> Any:
        return value.view(np.recarray) if isinstance(value, np.ndarray) and value.dtype.names else value

    return functools.wraps(function)(lambda *arguments: function(*map(readable, arguments)))
