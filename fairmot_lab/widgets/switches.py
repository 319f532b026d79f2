"""SwitchBrowser: every ID switch, with pictures of before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
import pandas as pd
from traitlets import Int

from ..boxes import BOX
from ..detection.cache import as_detections
from ..diagnosis.replay import explained_switches
from .base import block, escape
from .checks import sequence_of
from .page import Page
from .parts import SWITCH_COLUMNS, TableView, as_sentence, beside, counted, crop_html, crops, rows_of
from .player import PlayerPanel, TrackPlayer

if TYPE_CHECKING:
    from ..detection.detections import Detections
    from ..evaluation.result import Evaluation

_NUMBER = {"kind": "number", "minor": True}
_SHARE = {**_NUMBER, "digits": 2, "fixed": True}
COLUMNS: list[dict[str, Any]] = [
    SWITCH_COLUMNS[0],
    {"key": "time", "label": "time (s)", "kind": "number", "digits": 2, "fixed": True},
    *SWITCH_COLUMNS[1:],
    {**_NUMBER, "key": "gap", "label": "gap", "help": "frames since the last match"},
    {**_NUMBER, "key": "missed", "label": "missed", "help": "frames of the gap in which the person was missed"},
    {**_SHARE, "key": "visibility", "label": "visible"},
    {**_SHARE, "key": "iou_other", "label": "IoU other", "help": "with the nearest other person"},
    {**_SHARE, "key": "covered", "label": "covered", "help": "share covered by someone nearer"},
    {**_SHARE, "key": "distance", "label": "distance", "digits": 3, "help": "of the embeddings, 1 - cosine"},
    {"key": "why", "label": "why", "kind": "text", "wide": True},
]


class SwitchBrowser(PlayerPanel):
    """The table of ID switches; a row shows the person before and after, and moves the player.

    Parameters
    ----------
    source
        The frames: for pictures and the player. None for the table alone.
    evaluation
        An `Evaluation` of one sequence, or of several of which one is named as the source.
    detections
        What was tracked: for the distances of embeddings and the reasons.
    tracker
        The tracker that made them: for the reasons; by default that which the tracks carry.
    player
        A TrackPlayer to move; one of its own is made if there is a source and no player is given.
    **traits
        Start values of the traits.

    Attributes
    ----------
    selected : int
        Row of `switches` that is picked; -1 for none.
    frame : int
        The frame on show.
    switches : pandas.DataFrame
        `Evaluation.switches` of the sequence, with a column `distance` where detections with embeddings are given, and
        `why` where it is known.
    table : TableView
        Sortable by each column, filtered by kind with the buttons above it.

    Examples
    --------
    >>> scene = fl.example()
    >>> browser = SwitchBrowser(evaluation=fl.evaluate(scene.tracks, scene.ground_truth))
    >>> browser.switches["kind"].tolist(), browser.frame
    (['swap', 'swap'], 21)
    >>> browser.close()
    """

    selected = Int(-1)

    def __init__(
        self,
        source: Any = None,
        *,
        evaluation: Evaluation,
        detections: Detections | None = None,
        tracker: Any = None,
        player: TrackPlayer | None = None,
        **traits: Any,
    ) -> None:
        detections = None if detections is None else as_detections(detections)
        super().__init__(**traits)
        made = self._join(source, player, detections, traits, evaluation=evaluation)
        wanted = self.player.name if self.player is not None else detections.name if detections is not None else ""
        self.name = sequence_of(evaluation, wanted)
        evaluated = evaluation.sequences[self.name]
        self.tracks, self.ground_truth = evaluated.tracks, evaluated.ground_truth.table
        self.switches, caveat = explained_switches(evaluation, self.name, detections, tracker)
        columns = [column for column in COLUMNS if column["key"] in self.switches]
        self.table = TableView(
            title=f"{counted(len(self.switches), 'ID switch', 'ID switches')} in {self.name}",
            columns=columns,
            rows=rows_of(self.switches, columns),
            sort_by="frame",
            filter_by="kind",
            searchable=True,
            max_height=300,
        )
        self._pictures = ipywidgets.HTML()
        self._tie(self, "selected", self.table)
        self._watch(self, "selected", self._pick)
        told = ipywidgets.VBox([self.table, self._pictures])
        self.children = [self._banner, beside(told, *made, least="400px")]
        if self.selected < 0 and len(self.switches):
            self.selected = self._on_show() if player is not None else worst_switch(self.switches)
        self._pick()
        self.error = caveat

    def _on_show(self) -> int:
        """The ID switch in the frame and of the person on show: what the player shows stays on show; -1 for none."""
        assert self.player is not None
        table = self.switches
        there = (table["frame"] == self.player.frame) & (table["gt_id"] == self.player.selected_gt_id)
        return int(there.to_numpy().argmax()) if there.any() else -1

    def _pick(self) -> None:
        self.error = ""
        if not 0 <= self.selected < len(self.switches):
            text = "Pick an ID switch." if len(self.switches) else "No person changes their id: nothing to browse."
            self._pictures.value = block(f"<p>{text}</p>")
            return
        self._pictures.value = block(self.story(self.selected))
        switch = self.switches.iloc[self.selected]
        self.frame = int(switch["frame"])
        if self.player is not None:
            self.player.selected_id = int(switch["to_id"])
            self.player.selected_gt_id = int(switch["gt_id"])

    def story(self, row: int) -> str:
        """Return what happened in a switch, as HTML: pictures of the person before and after, distance and reason."""
        switch = self.switches.iloc[row]
        pictures = "".join(crop_html(jpeg, caption) for jpeg, caption in self.pictures(row) if jpeg)
        words = [
            f"Person {switch['gt_id']}: id {_plain(switch['from_id'])} becomes {_plain(switch['to_id'])} in frame "
            f"{switch['frame']} ({switch['kind']})."
        ]
        if "distance" in self.switches:
            distance = switch["distance"]
            known = not pd.isna(distance)
            words.append(f"Cosine distance before to after: {distance:.3f}." if known else "No distance is known.")
        if "why" in self.switches and isinstance(switch["why"], str):
            words.append(as_sentence(switch["why"]))
        return f'<p>{escape(" ".join(words))}</p><div style="display:flex">{pictures}</div>'

    def pictures(self, row: int, height: int = 180) -> list[tuple[bytes, str]]:
        """Return crops of the person: with the old id, and with the new; JPEG bytes and captions."""
        switch = self.switches.iloc[row]
        wanted = [
            (self.tracks, switch["last_frame"], switch["from_id"], "before: id {id}, frame {frame}"),
            (self.ground_truth, switch["last_frame"], switch["gt_id"], "person {id} then, frame {frame}"),
            (self.tracks, switch["frame"], switch["to_id"], "after: id {id}, frame {frame}"),
            (self.ground_truth, switch["frame"], switch["gt_id"], "person {id} now, frame {frame}"),
        ]
        frames, boxes, captions = [], [], []
        for table, frame, identity, caption in wanted:
            found = table[(table["frame"] == frame) & (table["id"] == identity)]
            if len(found):
                frames.append(int(frame))
                boxes.append(found[BOX].to_numpy()[0])
                captions.append(caption.format(id=_plain(identity), frame=int(frame)))
        return list(zip(crops(self.source, frames, np.array(boxes), height), captions, strict=True))

    # -- without a kernel ---------------------------------------------------------------------------------------------

    def saved_html(self) -> str:
        """Return the table, and the switch that is picked."""
        story = self.story(self.selected) if 0 <= self.selected < len(self.switches) else ""
        return self.table.saved_html() + story

    def page(self, *, max_mb: float = 8.0, max_width: int = 800, **options: Any) -> Page:
        """Return a page without kernel; see `to_html`. Up to 40 switches have pictures."""
        page = Page(f"{self.name}: SwitchBrowser", max_mb=max_mb)
        self.table.add_to(page)
        self._add_player_to(page, max_width=max_width, share=2, **options)
        for row in range(min(40, len(self.switches))):
            page.add_html(f"<section>{self.story(row)}</section>")
        if len(self.switches) > 40:
            page.left_out(f"the pictures of {len(self.switches) - 40} ID switches")
        return page


def worst_switch(switches: pd.DataFrame) -> int:
    """Return the row of the first ID switch of the person who has most; -1 where there is none.

    Examples
    --------
    >>> worst_switch(pd.DataFrame({"gt_id": [1, 2, 2], "frame": [3, 5, 9]}))
    1
    """
    if not len(switches):
        return -1
    counts = switches["gt_id"].map(switches["gt_id"].value_counts())
    order = np.lexsort((switches["frame"].to_numpy(), -counts.to_numpy()))
    return int(order[0])


def _plain(value: Any) -> str:
    return "none" if pd.isna(value) else str(int(value))
