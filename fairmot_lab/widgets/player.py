"""TrackPlayer: frames with boxes, identities, errors and ID switches."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from traitlets import Bool, Bytes, Enum, Float, Int, List, TraitError, Unicode, validate

from .._files import atomic_write, refuse_overwrite
from ..drawing import PALETTE, draw_tracks, render_frames, render_video
from ..errors import SourceError, ViewError
from ..interop import write_rerun
from ..sources.base import Source
from ..sources.images import encode_jpeg
from ..sources.open import open_source
from .base import Panel, Shown, View, escape, floats, picture, sentence
from .checks import refuse_other_sequence
from .packing import COLUMNS, Prepared, class_labels, prepare
from .page import Page
from .parts import crops

if TYPE_CHECKING:
    from ..detection.detections import Detections
    from ..evaluation.result import Evaluation
    from .overlay import Overlay


class TrackPlayer(View):
    """Play a sequence with its tracks, ground truth and errors; scrub, zoom, click.

    Parameters
    ----------
    source
        Anything that `open_source` takes and that has a known length and random access.
    tracks
        Tracks table: `frame`, `id`, `x`, `y`, `w`, `h` (pixels of the original image, top-left corner), `score`; or
        several by the name of their tracker, to compare them.
    ground_truth
        Ground-truth table; rows whose `conf` is 0 are not shown, and counted in `note`. The source's own where True.
    evaluation
        An `Evaluation` of these tracks: adds the layers of false positives, misses and ID switches, and the timeline's
        lanes. With several sequences, the one named as the source. Its tables are shown where none are given. For
        several trackers, one for each by name.
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
        Marks on the timeline: `frame`, `from_id`, `to_id`, `gt_id`, `kind`, `tracker`.
    trackers : list of str
        Names of the trackers; `tracker` the index of the one on show, `compared` of the one it is compared with.
    compare_mode : str
        "off", "overlay" (both in one picture, coloured by tracker) or "split" (side by side).
    focus : str
        Who is shown: "all", "fade" (others than the selected are faded) or "only" (the selected alone).
    classes : list of str
        Names of the classes, where there are several; `hidden_classes` those that are not shown.
    colour_by : str
        "id", or "class".
    range : list of int
        First and last frame of the part that is played over and over and exported; empty for all.
    overlay_mode : str
        "overlay", "heat" (the map alone) or "beside" (frame and map side by side).
    overlay_opacity, overlay_floor, overlay_gamma : float
        Opacity of the map; the score that a peak must have to pass, which is also the contour; the exponent that lifts
        weak values (below 1).
    prefetch : int
        Frames read ahead. `cache_mb`: size of the compressed frames kept in the browser.
    name, length, width, height, frame_rate
        Of the source; read only.

    Raises
    ------
    SourceError
        If the source is live or has no known length.
    ViewError
        If tracks, ground truth or evaluation are of another sequence, or an option does not exist.

    Notes
    -----
    Keys, when the player has the focus: arrows (with shift ten frames), space, Home, End, n and p for the next and the
    previous ID switch, t to select the next box, Escape, o to fade others, c to compare, [ ] for a range, + - 0 to
    zoom, Ctrl with arrows to pan, 1 to 5 for the layers, f for full screen, ? for this list.

    Examples
    --------
    >>> scene = fl.example()
    >>> player = TrackPlayer(scene.source, tracks=scene.tracks, frame=5)
    >>> player.length, player.available
    (40, ['tracks'])
    >>> player.close()
    """

    module = "player.js"
    shared: ClassVar[Mapping[str, str]] = {"frame": "frame", "selected_id": "id", "selected_gt_id": "person"}

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
    trackers = List(Unicode()).tag(sync=True)
    tracker = Int(0).tag(sync=True)
    compared = Int(-1).tag(sync=True)
    compare_mode = Enum(["off", "overlay", "split"], "off").tag(sync=True)
    focus = Enum(["all", "fade", "only"], "all").tag(sync=True)
    classes = List(Unicode()).tag(sync=True)
    hidden_classes = List(Unicode()).tag(sync=True)
    colour_by = Enum(["id", "class"], "id").tag(sync=True)
    range: List = List().tag(sync=True)
    exports = List(Unicode(), ["mp4", "gif", "html"]).tag(sync=True)
    overlay_mode = Enum(["overlay", "heat", "beside"], "overlay").tag(sync=True)
    overlay_gamma = Float(0.5).tag(sync=True)
    overlay_opacity = Float(0.9).tag(sync=True)
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
        *,
        tracks: pd.DataFrame | Mapping[str, pd.DataFrame] | None = None,
        ground_truth: pd.DataFrame | bool | None = None,
        evaluation: Evaluation | Mapping[str, Evaluation] | None = None,
        max_width: int = 1920,
        overlay: Callable[[int], Overlay] | None = None,
        **traits: Any,
    ) -> None:
        self.source = _open(source)
        self.max_width = max_width
        self._overlay = overlay
        self._tables: list[dict[str, pd.DataFrame]] = []
        self._whole: Shown | None = None  # the view that a page is made of, where the player is a part of it
        wanted_layers = traits.pop("layers", None)
        described = {} if self.source is None else _described(self.source)
        super().__init__(**{"name": "The source", **described, **traits})
        self._handlers = {
            "need": self._send_frames,
            "click": self._clicked,
            "crop": self._send_crop,
            "export": self._export,
        }
        self._click_observers: list[Callable[[int, float, float], None]] = []
        self.observe(self._choose_other, ["compare_mode", "trackers"])
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
        tracks: pd.DataFrame | Mapping[str, pd.DataFrame] | None = None,
        ground_truth: pd.DataFrame | None = None,
        evaluation: Evaluation | Mapping[str, Evaluation] | None = None,
    ) -> None:
        """Replace the boxes; parameters as of the class."""
        name = self.name if self.source is None else self.source.name
        self.apply(prepare(name, self.length, tracks, ground_truth, evaluation))

    def apply(self, prepared: Prepared) -> None:
        """Show boxes that `prepare` made, for instance in another thread."""
        added = [layer for layer in prepared.available if layer not in self.available]
        with self.hold_sync():
            self.available = prepared.available
            if not self.layers:
                start = {"tracks", "switches"} if "tracks" in prepared.available else {"ground_truth"}
                self.layers = [layer for layer in self.available if layer in start]
            elif added:
                self.layers = [x for x in self.available if x in self.layers or (x == "switches" and x in added)]
            if self.tracker >= len(prepared.trackers):
                self.tracker = 0
            self.trackers = prepared.trackers
            self.classes = prepared.classes
            self.boxes = floats(prepared.rows)
            self.lanes = b"" if prepared.lanes is None else floats(prepared.lanes)
            self.switches = prepared.switches
            self.note = prepared.note
        self._tables = prepared.tables

    def _choose_other(self, _: Any) -> None:
        """Compare with the next tracker, where nobody said which."""
        if self.compare_mode != "off" and len(self.trackers) > 1 and self.compared in (-1, self.tracker):
            self.compared = (self.tracker + 1) % len(self.trackers)

    def refresh(self) -> None:
        """Fetch frames and overlays anew: what the overlay shows has changed."""
        self.generation += 1

    @property
    def overlay(self) -> Callable[[int], Overlay] | None:
        """What is painted over each frame. Setting it fetches the frames anew."""
        return self._overlay

    @overlay.setter
    def overlay(self, overlay: Callable[[int], Overlay] | None) -> None:
        if overlay != self._overlay:
            self._overlay = overlay
            self.refresh()

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
        """Return what the browser gets for a frame: a description, and the JPEG with the overlay's numbers."""
        width = min(self.max_width, max_width or self.max_width)
        buffers = [self._source_of_frames().jpeg(number, max_width=width, quality=quality)]
        if self._overlay is None:
            return {}, buffers
        overlay = self._overlay(number)
        return {"overlay": overlay.describe()}, buffers + overlay.buffers()

    def _send_crop(self, content: dict, _: list) -> None:
        """Send the picture of a box; an empty one where its frame is lacking."""
        found = crops(self.source, [int(content["frame"])], np.array([content["box"]], float), 88)
        self.send({"kind": "crop", "ticket": content["ticket"]}, found)

    def _export(self, content: dict, _: list) -> None:
        """Write what the export menu asks for beside the notebook, and say where; nothing is overwritten."""
        ending = str(content["format"])
        if ending not in self.exports:
            raise ViewError(f"A player cannot be exported as {ending}.")
        first, last = int(content["first"]), int(content["last"])
        whole = self._whole or self
        path = _free_path(f"{self.name}-{type(whole if ending == 'html' else self).__name__}", ending)
        if ending == "html":
            frames = preferred_frames(self)
            whole.to_html(path, frames=[n for n in frames if first <= n <= last] if self.range else None)
        else:
            self.record(path, first, last)
        self.send({"kind": "said", "text": f"Written: {path}"})

    def record(self, path: str | Path, first: int = 1, last: int | None = None) -> Path:
        """Write the frames with the tracks on show as an MP4, or as a GIF of at most 640 pixels' width.

        Parameters
        ----------
        path
            The file; its ending says which.
        first, last
            The frames, both included.
        """
        source, path = self._source_of_frames(), Path(path)
        refuse_overwrite(path, self)
        shown = [self.tracker]
        if self.compare_mode != "off" and self.compared not in (-1, self.tracker):
            shown.append(self.compared)
        tables = {}
        for number in shown:
            table = self._boxes_of(number)
            if table is None:
                raise ViewError("There are no boxes to draw; give tracks= or ground_truth=.")
            tables[self.trackers[number] if len(shown) > 1 else ""] = table
        if path.suffix == ".mp4":
            render_video(source, tables, path, first=first, last=last, progress=False, trails=self.trail)
            return path
        from PIL import Image

        frames = []
        for _, image in render_frames(source, tables, first=first, last=last, trails=self.trail):
            picture = Image.fromarray(image[..., ::-1])
            picture.thumbnail((640, 640))
            frames.append(picture.quantize(128))
        with atomic_write(path) as temporary:
            pause = 1000 / (self.frame_rate or 25)
            frames[0].save(
                temporary, format="GIF", save_all=True, append_images=frames[1:], duration=pause, loop=0, optimize=True
            )
        return path

    def _boxes_of(self, tracker: int) -> pd.DataFrame | None:
        """The tracks of a tracker, else the ground truth: those on show, by class, score, and who is followed."""
        layers = self._tables[tracker] if tracker < len(self._tables) else {}
        table = layers.get("tracks", layers.get("ground_truth"))
        if table is None:
            return None
        labels = class_labels(table) if self.hidden_classes else None
        if labels is not None:
            table = table[~np.isin(labels, self.hidden_classes)]
        if "tracks" in layers and "score" in table:
            table = table[~(table["score"] < self.min_score)]
        nobody = self.selected_gt_id is None and self.selected_id is None
        if self.focus != "only" or nobody:
            return table
        if "tracks" not in layers:
            return table[table["id"] == self.selected_gt_id]
        rows = np.frombuffer(self.boxes, "<f4").reshape(-1, COLUMNS)
        rows = rows[(rows[:, 1] == 0) & (rows[:, 8] == tracker)].astype(np.int64)  # its tracks
        people = pd.Series(rows[:, 9], index=pd.MultiIndex.from_arrays([rows[:, 0], rows[:, 2]]))
        person = people.reindex(pd.MultiIndex.from_frame(table[["frame", "id"]]), fill_value=-1).to_numpy()
        known = (person >= 0) & (self.selected_gt_id is not None)
        return table[np.where(known, person == self.selected_gt_id, table["id"] == self.selected_id)]

    def _source_of_frames(self) -> Source:
        if self.source is None:
            raise SourceError("The source holds no frames.")
        return self.source

    def to_rerun(self, path: str | Path, first: int = 1, last: int | None = None) -> Path:
        """Write frames, boxes and ID switches as a recording for Rerun's viewer; see `fl.write_rerun`.

        Parameters
        ----------
        path
            The file, usually `.rrd`.
        first, last
            The frames, both included.
        """
        source = self._source_of_frames()
        truth = next((layers["ground_truth"] for layers in self._tables if "ground_truth" in layers), None)
        tracks = {
            name: layers["tracks"]
            for name, layers in zip(self.trackers, self._tables, strict=True)
            if "tracks" in layers
        }
        marks = [mark for mark in self.switches if mark["tracker"] == self.tracker]
        return write_rerun(path, source, tracks, truth, switches=marks, first=first, last=last)

    def _clicked(self, content: dict, _: list) -> None:
        for function in self._click_observers:
            function(int(content["frame"]), float(content["x"]), float(content["y"]))

    def close(self) -> None:
        """Close the player everywhere. The source stays open: it belongs to the caller."""
        if not self._closed:
            self._click_observers.clear()
            self._overlay = self._whole = None
            self._tables = []
        super().close()

    # -- without a kernel ---------------------------------------------------------------------------------------------

    def saved_html(self) -> str:
        """Return the frame on show with its tracks, as a picture."""
        if not self.length:
            return f"<p>{escape(self.name)} holds no frames.</p>"
        text = f"{self.name}, frame {self.frame} of {self.length}"
        return picture(self.snapshot(), text) + f"<p>{escape(text)}</p>"

    def snapshot(self) -> bytes:
        """Return the frame on show with its tracks (else its ground truth) drawn on it, as JPEG bytes."""
        image = self._source_of_frames().image(self.frame)
        table = self._boxes_of(self.tracker)
        if table is not None:
            image = draw_tracks(image, table[table["frame"] == self.frame])
        return encode_jpeg(image, 960, 80)

    def page(self, *, frames: Sequence[int] | None = None, max_mb: float = 8.0, max_width: int = 960) -> Page:
        """Return a page that shows the player without a kernel and without a network; see `to_html`."""
        page = Page(f"{self.name}: {type(self).__name__}", max_mb=max_mb)
        self.add_frames_to(page, frames=frames, max_width=max_width)
        return page

    def add_frames_to(
        self,
        page: Page,
        *,
        frames: Sequence[int] | None = None,
        max_width: int = 960,
        share: int = 1,
        **options: Any,
    ) -> None:
        """Put the player into a page, with as many frames as fit.

        Parameters
        ----------
        page
            The page.
        frames
            The frames to put in, if they fit; by default the one on show, those of ID switches, and others evenly
            spread.
        max_width
            Width of the pictures in pixels.
        share
            Among how many players the room is divided.
        **options
            As of `add_to`.
        """
        budget = page.room / share * 0.9
        wanted = list(frames) if frames is not None else preferred_frames(self)
        held: dict[int, tuple[dict, list[bytes]]] = {}
        size = 0.0
        for number in wanted[:1000]:
            message, buffers = self.payload(number, max_width=max_width, quality=75)
            cost = sum(len(b) for b in buffers) * 4 / 3 + 200
            if held and size + cost > budget:
                break
            held[number] = (message, buffers)
            size += cost
        numbers = sorted(held)
        rows = np.frombuffer(self.boxes, "<f4").reshape(-1, COLUMNS)
        changes = {
            "boxes": rows[np.isin(rows[:, 0], numbers)].tobytes(),
            "held": numbers,
            "poster": b"",
            "playing": False,
            "range": [],
            "trail": 0,
            "frame": min(numbers, key=lambda n: abs(n - self.frame), default=self.frame),
        }
        if len(numbers) < self.length:
            page.left_out(f"{self.length - len(numbers)} of the {self.length} frames of {self.name}")
            if self.trail:
                page.left_out("trails, which need all frames")
        if max_width < self.width:
            page.left_out(f"detail: the pictures are {max_width} pixels wide instead of {self.width}")
        page.take(int(size))
        self.add_to(page, changes=changes, frames=held, **options)


class PlayerPanel(Panel):
    """A panel that moves along with a player.

    Attributes
    ----------
    player : TrackPlayer or None
        None where there are neither a player nor frames to show.
    source : Source or None
        The player's.
    frame : int
        The frame on show.
    """

    frame = Int(1)
    player: TrackPlayer | None
    source: Source | None

    def _join(
        self,
        source: Any,
        player: TrackPlayer | None,
        detections: Detections | None,
        traits: Mapping[str, Any],
        **options: Any,
    ) -> list[TrackPlayer]:
        """Move along with a player, or with a new one; return what the panel must show: a new one, or nothing.

        A player that is given keeps its frame unless `traits` has another. Detections of another sequence are refused.
        """
        made = [TrackPlayer(source, frame=self.frame, **options)] if player is None and source is not None else []
        self.children = [*self.children, *made]  # closed with the panel even where the rest of it cannot be made
        self.player = made[0] if made else player
        self.source = None if self.player is None else self.player.source
        if self.player is not None:
            if detections is not None:
                refuse_other_sequence("detections", detections.name, self.player.name)
            if "frame" in traits:
                self.player.frame = self.frame
            self._tie(self.player, "frame", self)
        return made

    def _player_html(self) -> str:
        return "" if self.player is None else self.player.saved_html()

    def _add_player_to(self, page: Page, **options: Any) -> None:
        if self.player is not None:
            self.player.add_frames_to(page, **options)


def preferred_frames(player: TrackPlayer) -> list[int]:
    """Return the frames of a sequence in the order in which a page that cannot hold all should have them."""
    around = [mark["frame"] + step for mark in player.switches for step in (0, -1)]
    order = [player.frame, *around, *spread(player.length)]
    return [n for n in dict.fromkeys(order) if 1 <= n <= player.length]


def spread(length: int) -> Iterable[int]:
    """Return the numbers 1 to `length` in an order whose every beginning is evenly spread: ends first, then middles.

    Examples
    --------
    >>> list(spread(5))
    [1, 5, 3, 2, 4]
    """
    if length < 1:
        return []
    seen = [1, length]
    step = float(length - 1)
    while step > 1:
        seen += [round(1 + (k + 0.5) * step) for k in range(int((length - 1) / step))]
        step /= 2
    return dict.fromkeys([*seen, *range(1, length + 1)])


def _free_path(stem: str, ending: str) -> Path:
    """Return a path in the working directory that no file has."""
    plain = re.sub(r"[^\w.-]+", "-", stem).strip("-.")[:80] or "view"
    numbers = itertools.count(2)
    path = Path(f"{plain}.{ending}")
    while path.exists():
        path = Path(f"{plain}-{next(numbers)}.{ending}")
    return path


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
