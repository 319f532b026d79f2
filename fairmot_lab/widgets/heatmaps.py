"""HeatmapInspector: what the network sees before any tracker decides."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
from traitlets import Float, Int, Unicode, link

from ..detection.cache import Detections
from ..diagnosis.peaks import peak_table
from ..errors import DetectionsError
from .base import Panel
from .parts import COLOUR_MAPS, TableView, beside, colours
from .player import Overlay, TrackPlayer

if TYPE_CHECKING:
    from ..data import FrameDetections
    from ..detection.model import Model

COLUMNS: list[dict[str, Any]] = [
    {"key": "rank", "label": "#", "kind": "number"},
    {"key": "score", "label": "score", "kind": "number", "digits": 4, "fixed": True},
    {"key": "passes", "label": "passes", "kind": "text", "help": "score at or above the threshold"},
    {"key": "cell_x", "label": "cell x", "kind": "number", "help": "heatmap cell, counted from 0"},
    {"key": "cell_y", "label": "cell y", "kind": "number"},
    *(
        {"key": k, "label": f"box {k}", "kind": "number", "digits": 1, "fixed": True, "help": "image pixels"}
        for k in "xywh"
    ),
]


class HeatmapInspector(Panel):
    """The centre heatmap over the frame, its peaks, and the boxes they decode to.

    Parameters
    ----------
    source
        Anything that `open_source` takes and that has random access.
    outputs
        Kept outputs of that source, or a model, which is then run on each frame that is looked at.
    **traits
        Start values of the traits.

    Attributes
    ----------
    frame : int
        The frame on show, counted from 1.
    threshold : float
        Score that a peak must have to pass; those that do not are drawn as rings and without a box.
    opacity : float
        Of the heatmap, 0 to 1.
    colour_map : str
        "cividis", "viridis", "magma" or "gray".
    top_k : int
        Number of peaks on show.
    selected_peak : int
        Row of `peaks` that is picked; -1 for none.
    peaks : pandas.DataFrame
        The list on show, as `peak_table` returns it.
    player : TrackPlayer
        The picture; `table` the list.

    Notes
    -----
    Resting on the picture reads out the pixel, the heatmap cell and its score. Without heatmaps there are the peaks
    alone; detections that come from a file have neither, which is said.
    """

    frame = Int(1)
    threshold = Float(0.4)
    opacity = Float(0.6)
    colour_map = Unicode("cividis")
    top_k = Int(100)
    selected_peak = Int(-1)

    def __init__(self, source: Any, outputs: Detections | Model, **traits: Any) -> None:
        super().__init__(**traits)
        self._frame_outputs = frame_outputs(outputs)
        live = not isinstance(outputs, Detections)
        self.player = TrackPlayer(source, overlay=self._overlay, prefetch=0 if live else 8, frame=self.frame)
        self.table = TableView(title="Peaks", columns=COLUMNS, max_height=420)
        self._threshold = _slider(self.threshold, 1.0, "threshold", "score that a peak must have to pass")
        self._opacity = _slider(self.opacity, 1.0, "opacity", "opacity of the heatmap")
        self._top_k = ipywidgets.IntSlider(self.top_k, 1, 500, description="top K", tooltip="number of peaks on show")
        self._map = ipywidgets.Dropdown(options=COLOUR_MAPS, value=self.colour_map, description="colours")
        self._links = [
            link((self, "frame"), (self.player, "frame")),
            link((self, "threshold"), (self._threshold, "value")),
            link((self, "threshold"), (self.player, "overlay_floor")),
            link((self, "opacity"), (self._opacity, "value")),
            link((self, "opacity"), (self.player, "overlay_opacity")),
            link((self, "colour_map"), (self._map, "value")),
            link((self, "top_k"), (self._top_k, "value")),
            link((self, "selected_peak"), (self.table, "selected")),
            link((self, "selected_peak"), (self.player, "active_peak")),
        ]
        self._closers += [item.unlink for item in self._links]
        self.observe(self._guard(lambda _: self._list_peaks()), ["frame", "threshold"])
        self.observe(self._guard(self._change_top_k), "top_k")
        self.observe(self._guard(self._change_colours), "colour_map")
        self._change_colours(None)
        if isinstance(outputs, Detections) and not outputs.has_heatmaps:
            self.player.note = f"{outputs.name} was kept without heatmaps: only the peaks are shown."
        controls = ipywidgets.Box(
            [self._threshold, self._opacity, self._map, self._top_k], layout={"flex_flow": "row wrap"}
        )
        self.children = [self._banner, controls, beside(self.player, self.table)]
        self._guard(self._list_peaks)()

    @property
    def peaks(self) -> Any:
        """The list of peaks of the frame on show."""
        return peak_table(self._frame_outputs(self.frame, self.player.source), self.top_k)

    def _overlay(self, number: int) -> Overlay:
        found = self._frame_outputs(number, self.player.source)
        if found.letterbox is None:
            raise DetectionsError(
                f"Frame {number} has detections from a file, so there is neither heatmap nor peaks to show."
            )
        table = peak_table(found, self.top_k)
        columns = ["cell_x", "cell_y", "score", "x", "y", "w", "h"]
        return Overlay(found.heatmap, found.letterbox, table[columns].to_numpy())

    def _list_peaks(self) -> None:
        if not self.player.length:
            return
        self.error = ""
        table = self.peaks
        table["passes"] = np.where(table["score"] >= self.threshold, "yes", "no")
        passing = int((table["score"] >= self.threshold).sum())
        with self.table.hold_sync():
            self.table.title = f"Peaks of frame {self.frame}: {passing} of {len(table)} pass {self.threshold:.2f}"
            if self.selected_peak >= len(table):
                self.selected_peak = -1
            self.table.rows = [
                {**row, "_class": "" if row["passes"] == "yes" else "fml-muted"} for row in table.to_dict("records")
            ]

    def _change_top_k(self, _: Any) -> None:
        self.player.refresh()
        self._list_peaks()

    def _change_colours(self, _: Any) -> None:
        self.player.overlay_colours = colours(self.colour_map)

    def saved_html(self) -> str:
        """The frame on show and its peaks."""
        return self.player.saved_html() + self.table.saved_html()

    def to_html(
        self, path: str | Path | None = None, *, max_mb: float = 8.0, max_width: int = 960, **options: Any
    ) -> str:
        """A page that works without kernel and network; see `TrackPlayer.to_html`. The list is of the frame on show."""
        from .page import Page

        page = Page(f"{self.player.name}: HeatmapInspector", max_mb=max_mb)
        page.add_text(f"threshold {self.threshold:.2f}, opacity {self.opacity:.2f}, the best {self.top_k} peaks")
        page.add_view(
            self.table,
            note=f"The list of peaks is of frame {self.frame}; other frames have their peaks in the picture.",
        )
        page.add_player(self.player, max_width=max_width, **options)
        return page.write(path)


def _slider(value: float, high: float, name: str, meaning: str) -> ipywidgets.FloatSlider:
    return ipywidgets.FloatSlider(value, min=0.0, max=high, step=0.01, description=name, tooltip=meaning)


def frame_outputs(outputs: Detections | Model, held: int = 16) -> Callable[[int, Any], FrameDetections]:
    """A function of a frame number and its source that gives the frame's outputs, kept or computed.

    Parameters
    ----------
    outputs
        Kept outputs, or a model.
    held
        How many computed frames are remembered.
    """
    if isinstance(outputs, Detections):
        kept = outputs
        return lambda number, source: kept.frame(number)
    model = outputs
    known: OrderedDict[int, FrameDetections] = OrderedDict()

    def compute(number: int, source: Any) -> FrameDetections:
        if number not in known:
            known[number] = model(source.image(number), frame=number)
            while len(known) > held:
                known.popitem(last=False)
        known.move_to_end(number)
        return known[number]

    return compute
