"""Tables and sentences that fit the terminal, or 80 columns where there is none."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..evaluation.names import SHORT
from ..evaluation.report import cell

if TYPE_CHECKING:
    import pandas as pd


def table_text(table: pd.DataFrame, columns: Sequence[str], keys: int = 1) -> str:
    """Return columns of a table as text that fits: ratios in percent, numbers to the right.

    Columns that have no room follow below, beside the first `keys` columns again.
    """
    shown = [name for name in columns if name in table]
    rows = [[cell(name, value) for name, value in zip(shown, row, strict=True)] for row in table[shown].to_numpy()]
    head = [SHORT.get(name, name) for name in shown]
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(shown))]
    width = terminal_width()
    blocks: list[list[int]] = []
    for column in range(keys, len(shown)):
        used = sum(widths[each] + 2 for each in blocks[-1]) if blocks else width
        if used + widths[column] > width:
            blocks.append(list(range(keys)))
        blocks[-1].append(column)
    lines = []
    for block in blocks or [list(range(keys))]:
        for row in [head, *rows]:
            parts = [row[at].ljust(widths[at]) if at < keys else row[at].rjust(widths[at]) for at in block]
            lines.append("  ".join(parts).rstrip())
    return "\n".join(lines)


def wrapped(text: str, indent: str = "") -> str:
    """Return a sentence in lines that fit, all but the first indented."""
    return textwrap.fill(
        text, terminal_width(), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def terminal_width() -> int:
    """Return the columns of the terminal: those that COLUMNS names, else the terminal's, else 80."""
    return shutil.get_terminal_size((80, 24)).columns
