"""The one progress bar: a widget in notebooks, a line in terminals, and a line every 30 seconds in logs."""

from __future__ import annotations

import sys
from typing import Any


def progress_bar(*arguments: Any, **options: Any) -> Any:
    """Return tqdm's bar; what is not a terminal or a notebook gets a line every 30 seconds.

    Examples
    --------
    >>> sum(progress_bar([1, 2, 3], disable=True))
    6
    """
    from tqdm.auto import tqdm

    if not sys.stderr.isatty() and "ipykernel" not in sys.modules:
        options.setdefault("mininterval", 30)
    return tqdm(*arguments, **options)
