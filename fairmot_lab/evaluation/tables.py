"""The summary of an evaluation as text, Markdown, LaTeX and HTML."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import pandas as pd

from .._terminal import in_columns, wrapped
from ..errors import EvaluationError
from .names import OVERALL, PERCENT, SHORT, SHOWN


def to_text(summary: pd.DataFrame, caption: str) -> str:
    """Return the summary in aligned columns, the caption below it; ratios in percent."""
    return f"{aligned(summary, SHOWN)}\n{wrapped(caption)}"


def aligned(table: pd.DataFrame, columns: Sequence[str], keys: int = 1) -> str:
    """Return those of some columns that a table has as text that fits the terminal: ratios in percent.

    Parameters
    ----------
    table
        A summary, or a table with columns of one.
    columns
        In this order.
    keys
        The first columns are text.
    """
    return in_columns(_texts(table, [name for name in columns if name in table]), keys)


def to_markdown(summary: pd.DataFrame, caption: str, columns: Sequence[str] | None = None) -> str:
    """Return the summary as a GitHub table below its caption; ratios in percent."""
    header, *rows = ([cell.replace("|", "\\|") for cell in row] for row in cells(summary, columns))
    rule = [":--"] + ["--:"] * (len(header) - 1)
    lines = [f"| {' | '.join(row)} |" for row in [header, rule, *rows]]
    return "\n".join([f"{_sentence(caption)}.", "", *lines, ""])


def to_latex(summary: pd.DataFrame, caption: str, columns: Sequence[str] | None = None) -> str:
    """Return the summary as a LaTeX table (package booktabs) with its caption; ratios in percent."""
    table = cells(summary, columns)
    lines = [" & ".join(map(_latex, row)) + r" \\" for row in table]
    if len(table) > 2 and table[-1][0] == OVERALL:
        lines.insert(-1, r"\midrule")
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_latex(_sentence(caption))}.}}",
            rf"\begin{{tabular}}{{l{'r' * (len(table[0]) - 1)}}}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def to_html(summary: pd.DataFrame, caption: str, notes: Sequence[str] = ()) -> str:
    """Return the summary as an HTML table with its caption and notes; ratios in percent, all text escaped."""
    header, *rows = ([html.escape(cell) for cell in row] for row in cells(summary))
    cell = "padding:.25em .6em;text-align:"
    head = "".join(
        f'<th scope="col" style="{cell}{"right" if n else "left"}">{name}</th>' for n, name in enumerate(header)
    )
    body = []
    for row in rows:
        style = ' style="font-weight:bold;border-top:2px solid currentColor"' if row[0] == OVERALL else ""
        numbers = "".join(f'<td style="{cell}right">{value}</td>' for value in row[1:])
        body.append(f'<tr{style}><th scope="row" style="{cell}left">{row[0]}</th>{numbers}</tr>')
    listed = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
    return (
        '<table style="font-variant-numeric:tabular-nums"><caption style="caption-side:top;text-align:left">'
        f"{html.escape(_sentence(caption))}. Ratios in percent.</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
        + (f"<ul>{listed}</ul>" if listed else "")
    )


def cells(summary: pd.DataFrame, columns: Sequence[str] | None = None) -> list[list[str]]:
    """Return the summary as rows of text, the header first; `sequence` is always there.

    Raises
    ------
    EvaluationError
        If the summary lacks a column.
    """
    names = list(columns) if columns is not None else [name for name in SHOWN if name in summary]
    missing = [name for name in names if name not in summary]
    if missing:
        raise EvaluationError(f"The summary has no column {missing[0]!r}; it has {', '.join(map(str, summary))}.")
    if "sequence" not in names:
        names.insert(0, "sequence")
    return _texts(summary, names)


def _texts(table: pd.DataFrame, names: list[str]) -> list[list[str]]:
    rows = [[cell(name, value) for name, value in zip(names, row, strict=True)] for row in table[names].to_numpy()]
    return [[SHORT.get(name, name) for name in names], *rows]


def cell(name: str, value: Any) -> str:
    """Return one value of a summary as text: ratios in percent with one decimal."""
    if isinstance(value, str):
        return value
    if name in PERCENT:
        return f"{100 * value:.1f}"
    return f"{value:.3f}" if name == "motp" or (isinstance(value, float) and value % 1) else f"{value:.0f}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _latex(text: str) -> str:
    for mark in "&%$#_{}":
        text = text.replace(mark, "\\" + mark)
    return text
