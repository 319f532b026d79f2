"""What all plots share: colours, markers, names of metrics, checks of tables.

Colours are those of Okabe and Ito ("Color Universal Design", 2008) and, for ordered values, cividis and viridis;
markers, labels or line styles repeat what colour says.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .._files import atomic_write, write_error
from ..drawing import OKABE_ITO
from ..errors import PlotError, WriteError
from ..evaluation.names import LABELS, OVERALL, PERCENT

if TYPE_CHECKING:
    from matplotlib.axes import Axes


ORANGE, SKY, GREEN, YELLOW, PURPLE, VERMILLION, BLUE = OKABE_ITO
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION, YELLOW)
GREY, INK = "#B0B0B0", "#222222"
MISSED = (0.89, 0.89, 0.89)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (3, 1, 1, 1, 1, 1)), (0, (5, 1)), (0, (1, 1)))
HATCHES = ("", "//", "..", "xx")

# a kind of switch has the same colour and marker in every figure
SWITCH_KINDS = {
    "new id": (BLUE, "o"),
    "takeover": (VERMILLION, "^"),
    "swap": (PURPLE, "X"),
    "lost to another person": (ORANGE, "s"),
    "back to a known id": (GREEN, "D"),
}


def save(ax: Axes, path: str | os.PathLike[str], *, dpi: int = 200) -> Path:
    """Write the figure of `ax`: `.pdf`, `.svg` and `.eps` as vectors with selectable text, `.png` as pixels.

    The same figure gives the same file (no date is stored), and the file appears whole or not at all.

    Raises
    ------
    PlotError
        If the suffix is not one of the four.
    WriteError
        If the file cannot be written, or is there and is not a figure of matplotlib's: a photo is not overwritten.

    Examples
    --------
    >>> import tempfile
    >>> scene = fl.example()
    >>> ax = fl.plots.switch_kinds(fl.evaluate(scene.tracks, scene.ground_truth))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(ax, f"{folder}/kinds.png").name
    'kinds.png'
    """
    import matplotlib

    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".pdf", ".svg", ".eps", ".png"):
        raise PlotError(f"{path} has no suffix that a figure is written in; use .pdf, .svg, .eps or .png.")
    if path.exists() and not _is_figure(path):
        raise WriteError(f"{path} is not a figure and would be overwritten; choose another name or folder.")
    dates: dict[str, dict[str, Any]] = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}
    text = {"pdf.fonttype": 42, "ps.fonttype": 42, "svg.fonttype": "none", "svg.hashsalt": "fairmot_lab"}
    with atomic_write(path) as temporary, matplotlib.rc_context(text):
        ax.figure.savefig(temporary, dpi=dpi, metadata=dates.get(suffix), format=suffix[1:])  # type: ignore[union-attr]
    return path


def _is_figure(path: Path) -> bool:
    """Return whether matplotlib wrote a file: all four formats name their maker."""
    try:
        return b"matplotlib" in path.read_bytes().lower()
    except OSError as error:
        raise write_error(path, error) from error


def _line(number: int) -> dict[str, Any]:
    """Return colour, line and mark of the curve of a number: they tell curves apart without colours too."""
    return {
        "color": COLOURS[number % len(COLOURS)],
        "linestyle": LINES[number % len(LINES)],
        "marker": MARKERS[number % len(MARKERS)],
    }


def _fill(number: int) -> dict[str, Any]:
    """Return colour and hatching of the bars of a number."""
    return {"color": COLOURS[number % len(COLOURS)], "hatch": HATCHES[number // len(COLOURS) % len(HATCHES)]}


def _label(metric: str) -> str:
    """Return what a metric is called in a figure."""
    return LABELS.get(metric, metric)


def _label_with_unit(metric: str) -> str:
    """Return what an axis of a metric is called."""
    return f"{_label(metric)} (percent)" if metric in PERCENT else _label(metric)


def _scale(metric: str) -> int:
    """Return what a metric is multiplied by in a figure: rates are drawn in percent."""
    return 100 if metric in PERCENT else 1


def _part_of(shown: int, total: int, noun: str) -> str:
    """Return how many are shown in words: "3 of 5 people", "5 people"."""
    return f"{shown} of {total} {noun}" if shown < total else f"{total} {noun}"


def _right_axis(ax: Axes, label: str) -> Axes:
    """Return a second axis for values of another unit."""
    right = ax.twinx()
    right.set_ylabel(label)
    right.spines["top"].set_visible(False)
    return right


def _legend_of_both(ax: Axes, right: Axes | None, more: Sequence[tuple[Any, str]] = (), **options: Any) -> None:
    """Show one legend for both axes of a figure."""
    sides = [one.get_legend_handles_labels() for one in (ax, right) if one is not None]
    handles = [handle for side in sides for handle in side[0]] + [handle for handle, _ in more]
    labels = [label for side in sides for label in side[1]] + [label for _, label in more]
    ax.legend(handles, labels, frameon=False, fontsize=8, **options)


def _axes(ax: Axes | None, size: tuple[float, float], **options: Any) -> Axes:
    """Return `ax`, or the axes of a new figure of a size in inches."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size, layout="constrained", subplot_kw=options)[1]


def _ink() -> Any:
    """The colour of lines and marks that mean no category: readable on the ground of the style in use."""
    from matplotlib import rcParams

    return INK if rcParams["text.color"] == "black" else rcParams["text.color"]


def _named(name: Any) -> str:
    """A name as the entry of a legend; matplotlib leaves out those that begin with an underscore."""
    return f" {name}" if str(name).startswith("_") else str(name)


def _as_written(ax: Axes) -> None:
    """Show every text of a figure as it is: a dollar sign in a name from a file does not begin a formula."""
    from matplotlib.text import Text

    ax.get_xticklabels(), ax.get_yticklabels()  # makes the labels, which findobj would miss
    for text in ax.findobj(Text):
        text.set_parse_math(False)  # type: ignore[attr-defined]


def _finish(ax: Axes, title: str, xlabel: str, ylabel: str, grid: str = "both") -> Axes:
    ax.set_title(title, loc="left", fontsize=11, wrap=True)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    _as_written(ax)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.set_axisbelow(True)
    if grid:
        faint = {"color": "#DDDDDD"} if _ink() == INK else {"color": _ink(), "alpha": 0.25}
        ax.grid(axis=grid, linewidth=0.6, **faint)  # type: ignore[arg-type]
    return ax


def _data_frame(data: Any, attribute: str) -> pd.DataFrame:
    """Return `data` if it is a DataFrame, else its attribute of that name."""
    table = data if isinstance(data, pd.DataFrame) else getattr(data, attribute, None)
    if not isinstance(table, pd.DataFrame):
        raise PlotError(
            f"A figure of {attribute} needs a DataFrame, not {type(data).__name__}; give one, or an object that has it "
            f"as its {attribute}."
        )
    return table


def _table(data: Any, attribute: str, columns: Sequence[str]) -> pd.DataFrame:
    """Return the DataFrame that is meant; every column must be there."""
    table = _data_frame(data, attribute)
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise PlotError(f"This figure needs the column {missing[0]!r}; the table has {_few(table.columns)}.")
    return table


def _few(values: Any) -> str:
    values = [str(value) for value in values]
    return ", ".join(values[:25]) + (f" and {len(values) - 25} more" if len(values) > 25 else "") if values else "none"


def _names(given: str | Sequence[str]) -> list[str]:
    """Return the names of columns, of which one may be given by itself."""
    return [given] if isinstance(given, str) else list(given)


def _at_least(lowest: int, **argument: int) -> int:
    """Return the value of the one argument; PlotError if it is lower."""
    ((name, value),) = argument.items()
    if not value >= lowest:
        raise PlotError(f"{name} is {value}; give {lowest} or more.")
    return value


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, (int, float, np.number)) and not isinstance(value, bool) else str(value)


def _one_sequence(table: pd.DataFrame, sequence: str | None) -> pd.DataFrame:
    if "sequence" not in table:
        return table
    names = list(dict.fromkeys(table["sequence"]))
    if sequence is None and len(names) > 1:
        raise PlotError(f"There are {len(names)} sequences; name one of {_few(names)} with sequence=...")
    if sequence is not None and sequence not in names:
        raise PlotError(f"No sequence {sequence!r} here; there are {_few(names)}.")
    return table if sequence is None else table[table["sequence"] == sequence]


def _overall(table: pd.DataFrame) -> pd.DataFrame:
    if "sequence" not in table or not (table["sequence"] == OVERALL).any():
        return table
    return table[table["sequence"] == OVERALL]


def _overall_value(result: Any, metric: str) -> float:
    rows = _overall(_data_frame(result, "summary"))
    if len(rows) != 1:
        raise PlotError(f"The summary has {len(rows)} rows and none named OVERALL; give one row per tracker.")
    return float(rows[metric].iloc[0]) if metric in rows else float("nan")


def _kinds(switches: pd.DataFrame) -> list[str]:
    present = list(dict.fromkeys(switches.kind))
    known = [kind for kind in SWITCH_KINDS if kind in present]
    return known + [kind for kind in present if kind not in SWITCH_KINDS]


def _kind_style(kind: str) -> tuple[str, str]:
    return SWITCH_KINDS.get(kind, (GREY, "*"))
