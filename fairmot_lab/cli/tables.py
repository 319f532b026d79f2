"""Tables and sentences that fit the terminal, or 80 columns where there is none."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..evaluation.tables import aligned

if TYPE_CHECKING:
    import pandas as pd


def table_text(table: pd.DataFrame, columns: Sequence[str], keys: int = 1) -> str:
    """Return columns of a table as text that fits; see `evaluation.tables.aligned`."""
    return aligned(table, columns, keys, terminal_width())


def wrapped(text: str, indent: str = "") -> str:
    """Return a sentence in lines that fit, all but the first indented."""
    return textwrap.fill(
        text, terminal_width(), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def terminal_width() -> int:
    """Return the columns of the terminal: those that COLUMNS names, else the terminal's, else 80."""
    return shutil.get_terminal_size((80, 24)).columns
