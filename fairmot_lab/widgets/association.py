"""AssociationInspector: how tracks and detections were paired in a frame, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
from traitlets import Enum, Int

from ..association.base import Tracker
from ..association.records import ENDS, FrameRecord, Stage
from ..association.run import trace
from ..boxes import BOX
from ..detection.cache import as_detections
from ..diagnosis.replay import cell_sentences
from .base import block, escape
from .page import Page
from .parts import MatrixView, beside, counted, crops, in_a_row
from .player import PlayerPanel, TrackPlayer

if TYPE_CHECKING:
    from ..detection.detections import Detections

VALUES = ("cost", "appearance", "motion")


class AssociationInspector(PlayerPanel):
    """The stages of the association in one frame: cost matrices, gates, limits, the pairs chosen, and why.

    Parameters
    ----------
    source
        The frames: for the player, and for the pictures along the sides of the matrices. None for the matrices alone.
    detections
        Kept detections, or public ones.
    tracker
        A tracker or its name; unless given that which the detections' model was published with, or `JDETracker()`.
    player
        A TrackPlayer to move along with; one of its own is made if there is a source and no player is given.
    **traits
        Start values of the traits.

    Attributes
    ----------
    frame : int
        The frame on show, counted from 1.
    selected_id : int or None
        The track that is selected.
    values : str
        What the matrices show, where a stage has it: "cost", "appearance" (distance of the embeddings) or "motion"
        (squared Mahalanobis distance).
    tracks : pandas.DataFrame
        What the tracker reports. `record`: the `FrameRecord` of the frame on show.
    matrices : list of MatrixView
        One per stage of the tracker: tracks by id down, detections by row across. Hatched: outside the gate of motion.
        Dotted: within the limit. Double frame: paired. Clicking a cell, or Enter, says why.

    Examples
    --------
    >>> scene = fl.example()
    >>> inspector = AssociationInspector(detections=scene.detections, tracker="jde", frame=2)
    >>> inspector.matrices[0].title
    '...: 2 pairs, limit 0.4'
    >>> inspector.close()
    """

    selected_id = Int(None, allow_none=True)
    values = Enum(VALUES, "cost")

    def __init__(
        self,
        source: Any = None,
        *,
        detections: Detections,
        tracker: Tracker | str | None = None,
        player: TrackPlayer | None = None,
        **traits: Any,
    ) -> None:
        super().__init__(**traits)
        self.detections = detections = as_detections(detections)
        self._trace = trace(detections, tracker)
        self.tracker, self.tracks = self._trace.tracker, self._trace.tracks
        self._last_seen = self.tracks[["frame", "id", *BOX]].sort_values("frame", kind="stable")
        views = self._join(source, player, detections, traits, tracks=self.tracks)
        shown = ipywidgets.Dropdown(
            options=VALUES, value=self.values, description="show", tooltip="what the matrices show"
        )
        last = int(max(detections.frames, default=1))
        number = ipywidgets.BoundedIntText(self.frame, min=1, max=last, description="frame")
        self._tie(self, "values", shown, "value")
        self._tie(self, "frame", number, "value")
        if self.player is not None:
            self._tie(self.player, "selected_id", self)
        self.matrices: list[MatrixView] = []
        self._later = beside(least="340px")
        self._events = ipywidgets.HTML()
        self._watch(self, ["frame", "values", "active"], self._draw)
        self._add_matrix()
        first = beside(*views, *self.matrices)
        self.children = [self._banner, in_a_row(shown, number), first, self._later, self._events]
        self._guard(self._draw)()

    @property
    def record(self) -> FrameRecord:
        """What the tracker saw and did in the frame on show."""
        return self._trace[self.frame]

    def _add_matrix(self) -> None:
        """Add the matrix of one more stage: the first goes beside the player, the others below."""
        matrix, stage = MatrixView(row_name="track", column_name="detection"), len(self.matrices)
        self._watch(matrix, "selected", lambda: self._say(stage))
        self.matrices.append(matrix)
        if stage:
            matrix.layout.flex, matrix.layout.min_width = "1 1 340px", "min(100%, 340px)"
            self._later.children = self.matrices[1:]

    def _draw(self) -> None:
        if not self.active:
            return
        self.error = ""
        if not len(self.detections):
            self.matrices[0].empty = f"{self.detections.name} holds no frames."
            return
        record = self.record
        pictures = self._pictures(record)
        while len(self.matrices) < len(record.stages):
            self._add_matrix()
        for matrix in self.matrices[len(record.stages) :]:
            matrix.show(np.empty((0, 0)), [], [], title="", empty="This frame has fewer stages.")
        for stage, matrix in zip(record.stages, self.matrices, strict=False):
            shown, values, low, high, limit = _values(stage, self.values)
            outside = None if stage.mahalanobis is None else stage.mahalanobis > stage.gate
            pairs = [(row, column) for row, column in enumerate(stage.matched) if column >= 0]
            matrix.show(
                values,
                [str(t) for t in stage.tracks],
                [str(d) for d in stage.detections],
                masked=outside,
                pairs=pairs,
                row_crops=[pictures[("track", int(t))] for t in stage.tracks],
                column_crops=[pictures[("detection", int(d))] for d in stage.detections],
                title=f"{stage.title.capitalize()}, {shown}: {counted(len(pairs), 'pair')}, limit {stage.max_cost:g}",
                low=low,
                high=high,
                limit=limit,
                empty=f"{counted(len(stage.tracks), 'track')} and {counted(len(stage.detections), 'detection')}: "
                "nothing to compare.",
            )
        self._events.value = block(escape(_event_words(record)), "fml-words")

    def _pictures(self, record: FrameRecord) -> dict[tuple[str, int], bytes]:
        """A crop per detection of the frame, and per track where it was last reported before."""
        tracks = sorted({int(t) for stage in record.stages for t in stage.tracks})
        rows = sorted({int(d) for stage in record.stages for d in stage.detections})
        before = self._last_seen[self._last_seen["frame"] < record.frame]
        last = before.drop_duplicates("id", keep="last").set_index("id").reindex(tracks)
        frames = [*last["frame"].fillna(0).astype(int), *[record.frame] * len(rows)]
        boxes = np.concatenate((last[BOX].to_numpy(), record.detections.boxes[rows]))
        keys = [("track", t) for t in tracks] + [("detection", d) for d in rows]
        return dict(zip(keys, crops(self.source, frames, boxes, 64), strict=True))

    def _say(self, stage: int) -> None:
        matrix, (row, column) = self.matrices[stage], self.matrices[stage].selected
        if row < 0:
            return
        matrix.text = "\n".join(cell_sentences(self.record, stage, row, column))
        self.selected_id = int(self.record.stages[stage].tracks[row])
        for other in self.matrices:
            if other is not matrix:
                other.selected = [-1, -1]

    # -- without a kernel ---------------------------------------------------------------------------------------------

    def saved_html(self) -> str:
        """Return the frame on show and its matrices as tables."""
        return self._player_html() + "".join(matrix.saved_html() for matrix in self.matrices)

    def page(self, *, max_mb: float = 8.0, max_width: int = 960, **options: Any) -> Page:
        """Return a page without kernel; see `to_html`.

        It holds the matrices of the frame on show with the sentences of up to 2,500 cells each.
        """
        page = Page(f"{self.detections.name}: AssociationInspector, frame {self.frame}", max_mb=max_mb)
        page.add_text(repr(self.tracker))
        page.left_out("the matrices of other frames")
        for number, (matrix, stage) in enumerate(zip(self.matrices, self.record.stages, strict=False)):
            texts = {}
            if stage.cost.size <= 2500:
                for row, column in np.ndindex(*stage.cost.shape):
                    texts[f"{row},{column}"] = "\n".join(cell_sentences(self.record, number, row, column))
            else:
                page.left_out(f"the reasons of the {stage.cost.size} cells of the {stage.title}")
            matrix.add_to(page, changes={"texts": texts}, group=None if number == 0 else "later")
        page.add_text(_event_words(self.record))
        self._add_player_to(page, max_width=max_width, **options)
        return page


def _values(stage: Stage, which: str) -> tuple[str, np.ndarray, float, float, float | None]:
    """Return what a matrix shows and its name, the ends of its colours, and its mark."""
    if which == "appearance" and stage.appearance is not None:
        return which, stage.appearance, 0.0, 1.0, None
    if which == "motion" and stage.mahalanobis is not None:
        return which, stage.mahalanobis, 0.0, 2 * stage.gate, stage.gate
    is_iou = stage.iou is not None and np.allclose(stage.cost, 1 - stage.iou)
    known = stage.cost[np.isfinite(stage.cost)]
    limit = float(stage.max_cost) if np.isfinite(stage.max_cost) else None
    low, high = float(known.min(initial=0.0)), float(known.max(initial=1.0))
    return "1 - IoU" if is_iou else "cost", stage.cost, low, high, limit


def _event_words(record: FrameRecord) -> str:
    """Return births, ends and what else the tracker noted, in a line."""
    shown = ("birth", "unborn", "filtered", *ENDS)
    words = [note.text.rstrip(".") for note in record.notes if note.kind in shown]
    return f"Frame {record.frame}: {'; '.join(words) or 'no births, no ends'}."
