"""Columns and sentences that fit the terminal, or 80 characters where there is none."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence


def in_columns(rows: Sequence[Sequence[str]], keys: int = 1) -> str:
    """Return rows of cells as text that fits: the first `keys` columns to the left, the others to the right.

    Columns that have no room follow below, beside the first `keys` columns again.

    Examples
    --------
    >>> print(in_columns([["name", "MOTA", "IDF1"], ["a", "50.0", "100.0"]]))
    name  MOTA   IDF1
    a     50.0  100.0
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    blocks, most = [list(range(keys))], terminal_width()
    for column in range(keys, len(widths)):
        if len(blocks[-1]) > keys and sum(widths[each] + 2 for each in blocks[-1]) + widths[column] > most:
            blocks.append(list(range(keys)))
        blocks[-1].append(column)
    lines = []
    for block in blocks:
        for row in rows:
            parts = [row[at].ljust(widths[at]) if at < keys else row[at].rjust(widths[at]) for at in block]
            lines.append("  ".join(parts).rstrip())
    return "\n".join(lines)


def wrapped(text: str, indent: str = "") -> str:
    """Return a sentence in lines that fit, all but the first indented.

    Examples
    --------
    >>> wrapped("one two three", "    ")
    'one two three'
    """
    return textwrap.fill(
        text, terminal_width(), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def terminal_width() -> int:
    """Return the columns of the terminal: those that COLUMNS names, else the terminal's, else 80."""
    return shutil.get_terminal_size((80, 24)).columns
