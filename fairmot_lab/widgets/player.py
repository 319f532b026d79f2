"""TrackPlayer: frames with boxes, identities, errors and ID switches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from traitlets import Bool, Bytes, Float, Int, List, TraitError, Unicode, validate

from ..diagnosis.errors import error_lanes, evaluation_errors, only_sequence, switch_marks
from ..drawing import PALETTE
from ..errors import SourceError
from ..sources.base import Source
from ..sources.open import open_source
from .base import View, compose, floats, picture, sentence

if TYPE_CHECKING:
    import pandas as pd

    from ..data import Letterbox
    from ..evaluation.result import Evaluation

LAYERS = ("tracks", "ground_truth", "false_positives", "misses", "switches")


@dataclass
class Overlay:
    """What is painted over a frame.

    Attributes
    ----------
    values : (rows, columns) float32 or None
        One number per heatmap cell.
    letterbox
        Where the cells lie in the image.
    peaks : (N, 7) float32
        Heatmap cell x, y; score; box x, y, w, h in pixels of the image.
    low, high
        The values that the ends of the colour map stand for.
    label
        What the values are, for the readout.
    fade
        Whether low values are painted more transparently.
    """

    values: np.ndarray | None
    letterbox: Letterbox
    peaks: np.ndarray
    low: float = 0.0
    high: float = 1.0
    label: str = "heatmap"
    fade: bool = True

    def describe(self) -> dict[str, Any]:
        """Its geometry for the browser: cell = (pixel * scale + pad) / stride."""
        from ..data import STRIDE

        box = self.letterbox
        rows, columns = self.values.shape if self.values is not None else (0, 0)
        return {
            "rows": rows,
            "columns": columns,
            "stride": STRIDE,
            "scale": box.scale,
            "pad_x": box.pad_x,
            "pad_y": box.pad_y,
            "low": self.low,
            "high": self.high,
            "label": self.label,
            "fade": self.fade,
        }

    def buffers(self) -> list[bytes]:
        """Its numbers for the browser."""
        return [floats(self.values if self.values is not None else []), floats(self.peaks)]


class TrackPlayer(View):
    """Play a sequence with its tracks, ground truth and errors; scrub, zoom, click.

    Parameters
    ----------
    source
        Anything that `open_source` takes and that has a known length and random access.
    tracks
        Tracks table: `frame`, `id`, `x`, `y`, `w`, `h` (pixels of the original image, top-left corner), `score`.
    ground_truth
        Ground-truth table; rows whose `conf` is 0 are not shown, and counted in `note`. The source's own where True.
    evaluation
        An `Evaluation` of these tracks: adds the layers of false positives, misses and ID switches, and the timeline's
        lanes. With several sequences, the one named as the source. Its tables are shown where none are given.
    max_width
        Wider frames are sent scaled down to this width (pixels); boxes are drawn at full precision all the same.
    overlay
        `overlay(frame) -> Overlay`, painted over each frame.
    **traits
        Start values of the traits.

    Attributes
    ----------
    frame : int
        The frame on show, counted from 1. Set it to go there.
    selected_id : int or None
        The track that is selected; `selected_gt_id` the person of the ground truth.
    playing : bool
        Whether it plays; at `speed` times `frame_rate`.
    min_score : float
        Tracks and false positives with a lower score are hidden.
    layers : list of str
        The layers on show, of those in `available`: "tracks", "ground_truth", "false_positives", "misses", "switches".
    trail : int
        Length of the trails in frames; 0 for none.
    switches : list of dict
        Marks on the timeline: `frame`, `from_id`, `to_id`, `gt_id`, `kind`.
    overlay_opacity, overlay_floor : float
        Opacity of the overlay, and the score that a peak must have to pass.
    prefetch : int
        Frames read ahead. `cache_mb`: size of the compressed frames kept in the browser.
    name, length, width, height, frame_rate
        Of the source; read only.

    Raises
    ------
    SourceError
        If the source is live or has no known length.

    Notes
    -----
    Keys, when the player has the focus: arrows (with shift ten frames), space, Home, End, n and p for the next and the
    previous ID switch, t to select the next box, Escape, + - 0 to zoom, Ctrl with arrows to pan, 1 to 5 for the
    layers, f for full screen, ? for this list.
    """

    _esm = compose("common.js", "player.js")

    frame = Int(1).tag(sync=True)
    selected_id = Int(None, allow_none=True).tag(sync=True)
    selected_gt_id = Int(None, allow_none=True).tag(sync=True)
    playing = Bool(False).tag(sync=True)
    speed = Float(1.0).tag(sync=True)
    min_score = Float(0.0).tag(sync=True)
    layers = List(Unicode()).tag(sync=True)
    available = List(Unicode()).tag(sync=True)
    trail = Int(0).tag(sync=True)
    switches: List = List().tag(sync=True)
    overlay_opacity = Float(0.6).tag(sync=True)
    overlay_floor = Float(0.0).tag(sync=True)
    overlay_colours = Bytes(b"").tag(sync=True)
    active_peak = Int(-1).tag(sync=True)
    smooth = Bool(False).tag(sync=True)
    prefetch = Int(16).tag(sync=True)
    cache_mb = Float(48.0).tag(sync=True)
    palette = List(Unicode(), list(PALETTE)).tag(sync=True)

    name = Unicode("").tag(sync=True)
    length = Int(0).tag(sync=True)
    width = Int(1).tag(sync=True)
    height = Int(1).tag(sync=True)
    frame_rate = Float(30.0).tag(sync=True)

    boxes = Bytes(b"").tag(sync=True)
    lanes = Bytes(b"").tag(sync=True)
    poster = Bytes(b"").tag(sync=True)
    held: List = List().tag(sync=True)
    generation = Int(0).tag(sync=True)

    def __init__(
        self,
        source: Any,
        tracks: pd.DataFrame | None = None,
        ground_truth: pd.DataFrame | bool | None = None,
        evaluation: Evaluation | None = None,
        *,
        max_width: int = 1920,
        overlay: Callable[[int], Overlay] | None = None,
        **traits: Any,
    ) -> None:
        self.source = _open(source)
        self.max_width = max_width
        self._overlay = overlay
        self._tables: dict[str, pd.DataFrame] = {}
        wanted_layers = traits.pop("layers", None)
        described = {} if self.source is None else _described(self.source)
        super().__init__(**{"name": "The source", **described, **traits})
        self._handlers["need"] = self._send_frames
        self._handlers["click"] = self._clicked
        self._click_observers: list[Callable[[int, float, float], None]] = []
        if ground_truth is True and self.source is not None:
            ground_truth = self.source.ground_truth
        self.show(tracks, None if isinstance(ground_truth, bool) else ground_truth, evaluation)
        if wanted_layers is not None:
            self.layers = wanted_layers
        if self.length:
            try:
                self.poster = self.source.jpeg(self.frame, max_width=640, quality=75)  # type: ignore[union-attr]
            except Exception as error:
                self.error = sentence(error)

    # -- what is on show ----------------------------------------------------------------------------------------------

    def show(
        self,
        tracks: pd.DataFrame | None = None,
        ground_truth: pd.DataFrame | None = None,
        evaluation: Evaluation | None = None,
    ) -> None:
        """Replace the boxes; parameters as of the class."""
        self.apply(prepare(self.name, self.length, tracks, ground_truth, evaluation))

    def apply(self, prepared: Prepared) -> None:
        """Show boxes that `prepare` made, for instance in another thread."""
        added = [layer for layer in prepared.tables if layer not in self.available]
        with self.hold_sync():
            self.available = [layer for layer in LAYERS if layer in prepared.tables]
            if not self.layers:
                start = {"tracks", "switches"} if "tracks" in prepared.tables else {"ground_truth"}
                self.layers = [layer for layer in self.available if layer in start]
            elif added:
                self.layers = [x for x in self.available if x in self.layers or (x == "switches" and x in added)]
            self.boxes = floats(prepared.rows)
            self.lanes = b"" if prepared.lanes is None else floats(prepared.lanes)
            self.switches = prepared.switches
            self.note = prepared.note
        self._tables = prepared.tables

    def refresh(self) -> None:
        """Fetch frames and overlays anew: what the overlay shows has changed."""
        self.generation += 1

    def on_frame_click(self, function: Callable[[int, float, float], None]) -> None:
        """Call `function(frame, x, y)` with a click's place in pixels of the original image."""
        self._click_observers.append(function)

    @validate("frame")
    def _check_frame(self, proposal: Any) -> int:
        if self.length and not 1 <= proposal["value"] <= self.length:
            raise TraitError(f"{self.name} has no frame {proposal['value']}; its frames are 1 to {self.length}.")
        return proposal["value"]

    # -- messages -----------------------------------------------------------------------------------------------------

    def _send_frames(self, content: dict, _: list) -> None:
        for number in content["frames"]:
            answer = {"frame": number, "generation": content.get("generation", self.generation)}
            try:
                message, buffers = self.payload(int(number))
            except Exception as error:
                self.send({"kind": "failed", "text": sentence(error), **answer})
            else:
                self.send({"kind": "frame", **message, **answer}, buffers)

    def payload(self, number: int, max_width: int | None = None, quality: int = 85) -> tuple[dict, list[bytes]]:
        """What the browser gets for a frame: a description, and the JPEG with the overlay's numbers."""
        if self.source is None:
            raise SourceError("The source holds no frames.")
        buffers = [
            self.source.jpeg(number, max_width=min(self.max_width, max_width or self.max_width), quality=quality)
        ]
        if self._overlay is None:
            return {}, buffers
        overlay = self._overlay(number)
        return {"overlay": overlay.describe()}, buffers + overlay.buffers()

    def _clicked(self, content: dict, _: list) -> None:
        for function in self._click_observers:
            function(int(content["frame"]), float(content["x"]), float(content["y"]))

    def close(self) -> None:
        """Close the player everywhere. The source stays open: it belongs to the caller."""
        if not self._closed:
            self._click_observers.clear()
            self._overlay = None
            self._tables = {}
        super().close()

    # -- without a kernel ---------------------------------------------------------------------------------------------

    def saved_html(self) -> str:
        """The frame on show with its tracks, as a picture."""
        if not self.length:
            return f"<p>{self.name} holds no frames.</p>"
        text = f"{self.name}, frame {self.frame} of {self.length}"
        return picture(self.snapshot(), text) + f"<p>{text}</p>"

    def snapshot(self, number: int | None = None, max_width: int = 960) -> bytes:
        """A frame with its tracks (else its ground truth) drawn on it, as JPEG bytes."""
        from ..drawing import draw_tracks
        from ..sources.images import encode_jpeg

        if self.source is None:
            raise SourceError("The source holds no frames.")
        number = number or self.frame
        image = self.source.image(number)
        table = next((t for layer, t in self._tables.items() if layer in ("tracks", "ground_truth")), None)
        if table is not None:
            image = draw_tracks(image, table[table["frame"] == number])
        return encode_jpeg(image, max_width, 80)

    def to_html(
        self,
        path: str | Path | None = None,
        *,
        frames: Sequence[int] | None = None,
        max_mb: float = 8.0,
        max_width: int = 960,
    ) -> str:
        """A page that works without a kernel and without a network.

        Parameters
        ----------
        path
            Where to write it; not written if None.
        frames
            Frames to put in. By default the one on show, those around ID switches, and as many others, evenly spread,
            as `max_mb` allows.
        max_mb, max_width
            Bounds of the page's size and of the pictures' width in pixels.

        Returns
        -------
        str
            The HTML. What was left out is said at its foot.
        """
        from .page import Page

        page = Page(f"{self.name}: TrackPlayer", max_mb=max_mb)
        page.add_player(self, frames=frames, max_width=max_width)
        return page.write(path)


@dataclass
class Prepared:
    """Boxes, packed for the browser.

    Attributes
    ----------
    tables : dict
        Table of each layer.
    rows : (N, 8) float
        frame, layer, id, x, y, w, h, score; by frame.
    lanes : (2, length) or None
        False positives and misses per frame.
    switches : list of dict
        Marks of the timeline.
    note : str
        What is not shown, and why.
    """

    tables: dict[str, pd.DataFrame]
    rows: np.ndarray
    lanes: np.ndarray | None
    switches: list[dict[str, Any]]
    note: str


def prepare(
    name: str,
    length: int,
    tracks: pd.DataFrame | None = None,
    ground_truth: pd.DataFrame | None = None,
    evaluation: Evaluation | None = None,
) -> Prepared:
    """Pack the boxes of a sequence; parameters as of `TrackPlayer`."""
    tables: dict[str, pd.DataFrame] = {}
    notes: list[str] = []
    if evaluation is not None:
        evaluated = evaluation.sequences[only_sequence(evaluation, name)]
        tracks = evaluated.tracks if tracks is None else tracks
        ground_truth = evaluated.ground_truth.table if ground_truth is None else ground_truth
    if tracks is not None:
        tables["tracks"] = tracks
    if ground_truth is not None:
        counted = ground_truth[ground_truth["conf"] != 0] if "conf" in ground_truth else ground_truth
        if len(counted) < len(ground_truth):
            notes.append(f"{len(ground_truth) - len(counted)} ground-truth boxes with conf 0 are not shown.")
        tables["ground_truth"] = counted
    lanes, marks = None, []
    if evaluation is not None:
        errors, switches = evaluation_errors(evaluation, name, tracks, ground_truth)
        lanes, marks = error_lanes(errors, length), switch_marks(switches)
        boxless = int(errors["x"].isna().sum())
        if boxless:
            notes.append(f"{boxless} errors have no box in the tables given; the timeline counts them.")
        errors = errors[errors["x"].notna()]
        for layer, kind in (("false_positives", "FP"), ("misses", "MISS"), ("switches", "SWITCH")):
            tables[layer] = errors[errors["kind"] == kind]
    packed = [_pack(LAYERS.index(layer), table) for layer, table in tables.items()]
    rows = np.concatenate(packed) if packed else np.empty((0, 8))
    outside = int(((rows[:, 0] < 1) | (rows[:, 0] > length)).sum())
    if outside:
        notes.append(f"{outside} boxes lie in frames that {name} does not have (it has {length}).")
    if len(rows) and rows[:, 2].max() > 2**24:
        notes.append("Ids above 16777216 are shown rounded.")
    return Prepared(tables, rows[np.argsort(rows[:, 0], kind="stable")], lanes, marks, " ".join(notes))


def _open(source: Any) -> Source | None:
    """The source, or None for a list without frames, which the player shows as such."""
    if isinstance(source, (list, tuple, np.ndarray)) and len(source) == 0:
        return None
    source = open_source(source)
    if source.length is None:
        raise SourceError(
            f"{source.name} is live or has no known length, so it cannot be scrubbed; record it to a file first."
        )
    return source


def _described(source: Source) -> dict[str, Any]:
    return {
        "name": source.name,
        "length": source.length,
        "width": source.width,
        "height": source.height,
        "frame_rate": float(source.frame_rate),
    }


def _pack(layer: int, table: pd.DataFrame) -> np.ndarray:
    """(N, 8): frame, layer, id, x, y, w, h, score."""
    rows = np.empty((len(table), 8))
    rows[:, 1] = layer
    for column, name in ((0, "frame"), (2, "id"), (3, "x"), (4, "y"), (5, "w"), (6, "h")):
        rows[:, column] = table[name].to_numpy()
    rows[:, 7] = table["score"].to_numpy() if "score" in table else 1.0
    return rows
