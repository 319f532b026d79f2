"""HeatmapInspector: what the network sees before any tracker decides."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
from traitlets import Enum, Float, Int

from ..detection.cache import as_detections
from ..detection.detections import Detections
from ..detection.detector import Detector, check_detector, run_detector
from ..diagnosis.peaks import peak_table
from ..errors import DetectionsError, ViewError
from ..sources.base import Frame
from .base import Panel
from .checks import refuse_other_sequence
from .overlay import Overlay
from .page import Page
from .parts import COLOUR_MAPS, TableView, beside, colours, in_a_row
from .player import TrackPlayer

if TYPE_CHECKING:
    from ..data import FrameDetections

COLUMNS: list[dict[str, Any]] = [
    {"key": "rank", "label": "#", "kind": "number"},
    {"key": "score", "label": "score", "kind": "number", "digits": 3, "fixed": True},
    {"key": "passes", "label": "passes", "kind": "text", "help": "score at or above the threshold"},
    {"key": "cell_x", "label": "cell x", "kind": "number", "help": "heatmap cell, counted from 0"},
    {"key": "cell_y", "label": "cell y", "kind": "number"},
    *(
        {"key": k, "label": f"box {k}", "kind": "number", "digits": 1, "fixed": True, "help": "image pixels"}
        for k in "xywh"
    ),
]
HELD = 16  # frames that are remembered where a model computes them


class HeatmapInspector(Panel):
    """The centre heatmap over the frame, its peaks, and the boxes they decode to.

    Parameters
    ----------
    source
        Anything that `open_source` takes and that has random access.
    detections
        Kept detections of that source.
    model
        In their place: a model, which is then run on each frame that is looked at.
    player
        A TrackPlayer to draw into while the panel is active; one of its own is made where none is given.
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
    gamma : float
        Exponent of the colours; below 1 it lifts weak scores.
    colour_map : str
        "inferno", "turbo", "viridis" or "cividis".
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
    The frame is grey under the heatmap, a white line encloses the cells at or above the threshold, and the crosses of
    the peaks spare their middle. The buttons below the picture show the map over the frame, alone, or beside
    it. Resting on the picture reads out the pixel, the heatmap cell and its score. Detections without heatmaps show the
    peaks alone; those that come from a file have neither, which is said.

    Examples
    --------
    >>> scene = fl.example()
    >>> inspector = HeatmapInspector(scene.source, detections=scene.detections)
    >>> len(inspector.peaks), inspector.table.title
    (2, 'Peaks of frame 1: 2 of 2 pass 0.40')
    >>> inspector.close()
    """

    frame = Int(1)
    threshold = Float(0.4)
    opacity = Float(0.9)
    gamma = Float(0.5)
    colour_map = Enum(COLOUR_MAPS, "inferno")
    top_k = Int(100)
    selected_peak = Int(-1)

    def __init__(
        self,
        source: Any,
        *,
        detections: Detections | None = None,
        model: Detector | None = None,
        player: TrackPlayer | None = None,
        **traits: Any,
    ) -> None:
        if (detections is None) == (model is None):
            raise ViewError("HeatmapInspector needs detections= (kept by fl.detect) or model=, and not both.")
        detections = None if detections is None else as_detections(detections)
        super().__init__(**traits)
        self._frame_detections = frame_detections(detections if detections is not None else model)  # type: ignore[arg-type]
        prefetch = 0 if detections is None else 8
        own = player is None
        self.player = TrackPlayer(source, prefetch=prefetch, frame=self.frame) if player is None else player
        if detections is not None:
            refuse_other_sequence("detections", detections.name, self.player.name)
        self.table = TableView(title="Peaks", columns=COLUMNS, max_height=380)
        controls = {
            "threshold": _slider(self.threshold, 0.0, "threshold", "score that a peak must have to pass"),
            "gamma": _slider(self.gamma, 0.1, "gamma", "below 1 lifts weak scores"),
            "opacity": _slider(self.opacity, 0.0, "opacity", "opacity of the heatmap"),
            "colour_map": ipywidgets.Dropdown(options=COLOUR_MAPS, value=self.colour_map, description="colours"),
            "top_k": ipywidgets.IntSlider(self.top_k, 1, 500, description="top K", tooltip="number of peaks on show"),
        }
        for trait, control in controls.items():
            self._tie(self, trait, control, "value")
        if "frame" in traits:
            self.player.frame = self.frame
        self._tie(self.player, "frame", self)
        self._tie(self, "threshold", self.player, "overlay_floor")
        self._tie(self, "opacity", self.player, "overlay_opacity")
        self._tie(self, "gamma", self.player, "overlay_gamma")
        self._tie(self, "selected_peak", self.player, "active_peak")
        self._tie(self, "selected_peak", self.table, "selected")
        self._watch(self, ["frame", "threshold", "top_k", "active"], self._list_peaks)
        self._watch(self, "top_k", self.player.refresh)
        self._watch(self, ["colour_map", "active"], self._activate)
        self._activate()
        if detections is not None and not detections.has_heatmaps:
            self.player.note = f"{detections.name} was kept without heatmaps: only the peaks are shown."
        shown = beside(self.player, self.table, weights=(5, 3)) if own else self.table
        self.children = [self._banner, in_a_row(*controls.values()), shown]
        self._guard(self._list_peaks)()

    @property
    def peaks(self) -> Any:
        """The list of peaks of the frame on show."""
        return peak_table(self._frame_detections(self.frame, self.player.source), self.top_k)

    def _overlay(self, number: int) -> Overlay:
        found = self._frame_detections(number, self.player.source)
        if found.letterbox is None:
            raise DetectionsError(
                f"Frame {number} has detections from a file, so there is neither heatmap nor peaks to show."
            )
        table = peak_table(found, self.top_k)
        columns = ["cell_x", "cell_y", "score", "x", "y", "w", "h"]
        return Overlay(found.heatmap, found.letterbox, table[columns].to_numpy())

    def _activate(self) -> None:
        """Draw into the player while the panel is in sight."""
        self.player.overlay = self._overlay if self.active else None
        self.player.overlay_colours = colours(self.colour_map) if self.active else b""

    def _list_peaks(self) -> None:
        if not self.player.length or not self.active:
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

    def saved_html(self) -> str:
        """Return the frame on show and its peaks."""
        return self.player.saved_html() + self.table.saved_html()

    def page(self, *, max_mb: float = 8.0, max_width: int = 960, **options: Any) -> Page:
        """Return a page without kernel; see `to_html`. The list is of the frame on show."""
        page = Page(f"{self.player.name}: HeatmapInspector", max_mb=max_mb)
        page.add_text(f"threshold {self.threshold:.2f}, opacity {self.opacity:.2f}, the best {self.top_k} peaks")
        self.player.add_frames_to(page, max_width=max_width, group="heat", **options)
        self.table.add_to(page, group="heat")
        page.left_out(f"the lists of peaks of frames other than {self.frame}; their peaks are in the picture")
        return page


def _slider(value: float, low: float, name: str, meaning: str) -> ipywidgets.FloatSlider:
    return ipywidgets.FloatSlider(value, min=low, max=1.0, step=0.01, description=name, tooltip=meaning)


def frame_detections(detections: Detections | Detector) -> Callable[[int, Any], FrameDetections]:
    """Return a function of a frame number and its source that gives the frame's detections, kept or computed.

    Parameters
    ----------
    detections
        Kept, or a model that makes them.
    """
    if isinstance(detections, Detections):
        kept = detections
        return lambda number, source: kept.frame(number)
    model = check_detector(detections)

    @lru_cache(HELD)
    def compute(number: int, source: Any) -> FrameDetections:
        return next(run_detector(model, [Frame(number, source.image(number), 0.0)]))[1]

    return compute
