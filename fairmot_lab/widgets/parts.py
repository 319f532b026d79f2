"""The parts that the larger views are built of: a table, a matrix, a scatter plot, a histogram."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

import ipywidgets
import numpy as np
import pandas as pd
from traitlets import Bool, Bytes, Dict, Float, Int, List, Unicode

from ..diagnosis.tables import records
from ..drawing import PALETTE
from ..evaluation.names import PERCENT
from ..sources.images import crop, encode_jpeg
from .base import View, block, escape, floats, html_table, picture

if TYPE_CHECKING:
    from ..sources.base import Source


@cache
def colours(name: str) -> bytes:
    """Return a colour map of matplotlib as 256 times 3 bytes (red, green, blue)."""
    import matplotlib

    return (matplotlib.colormaps[name](np.arange(256))[:, :3] * 255).round().astype(np.uint8).tobytes()


COLOUR_MAPS = ("inferno", "turbo", "viridis", "cividis")  # strong over a grey frame; all but turbo even in lightness

SWITCH_COLUMNS: list[dict[str, Any]] = [
    {"key": "frame", "label": "frame", "kind": "number"},
    {"key": "gt_id", "label": "person", "kind": "number"},
    {"key": "from_id", "label": "from", "kind": "number", "help": "id before"},
    {"key": "to_id", "label": "to", "kind": "number", "help": "id after"},
    {"key": "kind", "label": "kind", "kind": "text"},
]


def beside(*parts: ipywidgets.Widget, least: str = "420px", weights: Sequence[int] | None = None) -> ipywidgets.Box:
    """Put parts side by side where there is room, one below the other where there is not."""
    for part, weight in zip(parts, weights or [1] * len(parts), strict=True):
        part.layout.flex = f"{weight} 1 {least}"
        part.layout.min_width = f"min(100%, {least})"
    return ipywidgets.Box(parts, layout={"flex_flow": "row wrap", "grid_gap": "12px", "align_items": "flex-start"})


def in_a_row(*controls: ipywidgets.Widget) -> ipywidgets.Box:
    """Put controls in a row, which is continued below where it has no room."""
    return ipywidgets.Box(controls, layout={"flex_flow": "row wrap"})


def file_field(name: str, meaning: str) -> ipywidgets.Text:
    """Make a field for the name of a file to write."""
    layout = {"width": "auto", "flex": "1 1 200px", "max_width": "400px"}
    return ipywidgets.Text(name, description="file", tooltip=meaning, layout=layout)


def rows_of(table: pd.DataFrame, columns: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of a table as `TableView` takes them, with the columns that it shows."""
    return records(table[[column["key"] for column in columns]])


def metric_text(metric: str, value: float) -> str:
    """Return the value of a metric as the tables have it: rates in percent with one decimal, counts whole.

    Examples
    --------
    >>> metric_text("mota", 0.4567), metric_text("num_switches", 12.0), metric_text("hota", float("nan"))
    ('45.7', '12', '–')
    """
    if pd.isna(value):
        return "–"
    return f"{100 * value:.1f}" if metric in PERCENT else f"{value:.0f}"


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return a number and its noun.

    Examples
    --------
    >>> counted(1, "pair"), counted(2, "pair"), counted(0, "switch", "switches")
    ('1 pair', '2 pairs', '0 switches')
    """
    return f"{count} {one if count == 1 else many or f'{one}s'}"


def as_sentence(text: str) -> str:
    """Return text with a capital letter and a full stop.

    Examples
    --------
    >>> as_sentence("the track was lost")
    'The track was lost.'
    """
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}" if text else ""


def heading(text: str) -> ipywidgets.HTML:
    """Make a small heading between parts; `heading_html` gives its value when it changes."""
    return ipywidgets.HTML(heading_html(text))


def heading_html(text: str) -> str:
    """Return the value of a heading."""
    return block(f'<div class="fml-caption">{escape(text)}</div>')


class TableView(View):
    """Rows that can be sorted, filtered and picked.

    Attributes
    ----------
    columns : list of dict
        `key`, `label`, `kind` ("number" or "text"), and optionally `digits` (of fractions; of all if `fixed`), `help`,
        `signed` (show a plus), `wide` (a long text: a line of its own where the table is narrow), `minor` (left out
        where the table is narrow).
    rows : list of dict
        Values by key, None for none.
    selected : int
        Index of the row that is picked; -1 for none.
    sort_by, descending
        The order on show. `filter_by`: key whose values can be chosen; `chosen`: the values chosen, none meaning all.
    """

    module = "table.js"
    title = Unicode("").tag(sync=True)
    columns: List = List().tag(sync=True)
    rows: List = List().tag(sync=True)
    selected = Int(-1).tag(sync=True)
    sort_by = Unicode("").tag(sync=True)
    descending = Bool(False).tag(sync=True)
    filter_by = Unicode("").tag(sync=True)
    chosen = List(Unicode()).tag(sync=True)
    searchable = Bool(False).tag(sync=True)
    max_height = Int(0).tag(sync=True)

    def saved_html(self) -> str:
        """Return the rows as plain HTML."""
        rows = [[_text(row.get(c["key"]), c) for c in self.columns] for row in self.rows]
        return f"<p>{escape(self.title)}</p>" + html_table([c["label"] for c in self.columns], rows, limit=50)


def _text(value: Any, column: dict) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.{column.get('digits', 3)}f}"
    return str(value)


class MatrixView(View):
    """A matrix with pictures along its sides, marks for thresholds, gates and chosen pairs.

    Attributes
    ----------
    values : bytes
        Set with `show`: (rows, columns) float32; NaN where nothing was compared.
    rows, columns : list of str
        What the sides stand for; `row_crops`, `column_crops` their pictures (JPEG bytes, may be empty).
    masked : bytes
        One byte per cell: 1 outside the gate, drawn hatched.
    limit : float or None
        Cells at or below it (`accept_below`), else at or above it, get a dotted frame.
    pairs : list of [row, column]
        Chosen cells, drawn with a double frame.
    selected : [row, column]
        The cell that was clicked; `text` what is said about it.
    """

    module = "matrix.js"
    title = Unicode("").tag(sync=True)
    values = Bytes(b"").tag(sync=True)
    masked = Bytes(b"").tag(sync=True)
    rows = List(Unicode()).tag(sync=True)
    columns = List(Unicode()).tag(sync=True)
    row_crops: List = List().tag(sync=True)
    column_crops: List = List().tag(sync=True)
    row_name = Unicode("row").tag(sync=True)
    column_name = Unicode("column").tag(sync=True)
    pairs: List = List().tag(sync=True)
    limit = Float(None, allow_none=True).tag(sync=True)
    accept_below = Bool(True).tag(sync=True)
    low = Float(0.0).tag(sync=True)
    high = Float(1.0).tag(sync=True)
    selected = List([-1, -1]).tag(sync=True)
    text = Unicode("").tag(sync=True)
    texts = Dict().tag(sync=True)
    hint = Unicode("Click a cell, or use the arrow keys.").tag(sync=True)
    empty = Unicode("There is nothing to compare.").tag(sync=True)
    colours = Bytes(b"").tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        super().__init__(**{"colours": colours("cividis"), **traits})

    def show(
        self,
        values: np.ndarray,
        rows: Sequence[str],
        columns: Sequence[str],
        *,
        masked: np.ndarray | None = None,
        pairs: Iterable[Sequence[int]] = (),
        row_crops: Sequence[bytes] = (),
        column_crops: Sequence[bytes] = (),
        **traits: Any,
    ) -> None:
        """Show another matrix, in one update."""
        with self.hold_sync():
            self.values = floats(values)
            self.masked = b"" if masked is None else np.ascontiguousarray(masked, np.uint8).tobytes()
            self.rows, self.columns = list(rows), list(columns)
            self.row_crops, self.column_crops = list(row_crops), list(column_crops)
            self.pairs = [[int(r), int(c)] for r, c in pairs]
            self.selected, self.text = [-1, -1], ""
            for name, value in traits.items():
                setattr(self, name, value)

    def saved_html(self) -> str:
        """Return the numbers as a plain HTML table."""
        values = np.frombuffer(self.values, "<f4").reshape(len(self.rows), -1) if self.rows else np.empty((0, 0))
        rows = [
            [name, *(f"{v:.2f}" if np.isfinite(v) else "–" for v in line)]
            for name, line in zip(self.rows, values, strict=False)
        ]
        return f"<p>{escape(self.title)}</p>" + html_table(["", *self.columns], rows, limit=60)


class ScatterView(View):
    """Points in the plane, coloured by identity.

    Attributes
    ----------
    points : bytes
        (N, 4) float32: x, y, id (-1: none), frame.
    selected_id : int or None
        The identity that stands out; `frame` the frame whose points have a rim; `active` the point picked (-1: none).
    """

    module = "scatter.js"
    shared: ClassVar[Mapping[str, str]] = {"frame": "frame", "selected_id": "id"}
    title = Unicode("").tag(sync=True)
    points = Bytes(b"").tag(sync=True)
    palette = List(Unicode(), list(PALETTE)).tag(sync=True)
    selected_id = Int(None, allow_none=True).tag(sync=True)
    frame = Int(1).tag(sync=True)
    active = Int(-1).tag(sync=True)
    hint = Unicode("Rest on a point to see the person; click to go there.").tag(sync=True)
    crops = Dict().tag(sync=True)

    def saved_html(self) -> str:
        """Return how many points there are; the plane itself needs a script."""
        return f"<p>{escape(self.title)}: {counted(len(self.points) // 16, 'point')}.</p>"


class HistogramView(View):
    """Two histograms over the same edges, each as a share of its own pairs, with a threshold that can be moved.

    Attributes
    ----------
    edges, same, different : bytes
        float32: (n + 1,), (n,), (n,).
    threshold : float
        Where the line stands.
    text : str
        What the threshold means, in words.
    """

    module = "histogram.js"
    title = Unicode("").tag(sync=True)
    edges = Bytes(b"").tag(sync=True)
    same = Bytes(b"").tag(sync=True)
    different = Bytes(b"").tag(sync=True)
    threshold = Float(0.4).tag(sync=True)
    text = Unicode("").tag(sync=True)

    def saved_html(self) -> str:
        """Return what the threshold means."""
        return f"<p>{escape(self.title)}: {escape(self.text)}</p>"


def crop_html(jpeg: bytes, caption: str) -> str:
    """Return a crop with a caption below."""
    return (
        f'<figure style="margin:0 8px 0 0">{picture(jpeg, caption)}<figcaption>{escape(caption)}</figcaption></figure>'
    )


def crops(source: Source | None, frames: Sequence[int], boxes: np.ndarray, height: int = 72) -> list[bytes]:
    """Return pictures of boxes as JPEG bytes, empty without a source or where a frame is lacking.

    Parameters
    ----------
    source
        Where the frames come from.
    frames : (N,)
        The frame of each box; 0 for none.
    boxes : (N, 4)
        x, y, w, h in pixels.
    height
        Of the pictures in pixels.
    """
    found = [b""] * len(frames)
    if source is None:
        return found
    for number in sorted({int(f) for f in frames}):
        if not 1 <= number <= len(source):
            continue
        image = source.image(number)
        for i in np.flatnonzero(np.asarray(frames) == number):
            found[i] = encode_jpeg(crop(image, boxes[i], height), quality=80)
    return found
