"""BudgetBrowser: the error budget by cause; an error that is picked moves the player to its frame and person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets
import pandas as pd
from traitlets import Int

from ..boxes import BOX
from ..detection.cache import as_detections
from ..diagnosis.error_budget import CAUSES, ErrorBudget, error_budget
from ..errors import FairMOTLabError
from .base import block, escape
from .checks import sequence_of
from .page import Page
from .parts import TableView, as_sentence, beside, counted, crop_html, crops, rows_of
from .player import PlayerPanel, TrackPlayer

if TYPE_CHECKING:
    from ..detection.detections import Detections
    from ..evaluation.result import Evaluation

KINDS = {"MISS": "missed", "FP": "false positive", "SWITCH": "ID switch"}
LONGEST = 1000  # rows of one cause on show
_LOST = {"key": "", "label": "", "kind": "number", "digits": 1, "fixed": True, "signed": True}
CAUSE_COLUMNS: list[dict[str, Any]] = [
    {"key": "kind", "label": "kind", "kind": "text"},
    {"key": "cause", "label": "cause", "kind": "text"},
    {"key": "errors", "label": "errors", "kind": "number"},
    *(
        _LOST
        | {"key": f"lost_{metric}", "label": f"+{metric.upper()}", "help": "points gained without", "minor": minor}
        for metric, minor in (("mota", False), ("idf1", True), ("hota", False))
    ),
]
ERROR_COLUMNS: list[dict[str, Any]] = [
    {"key": "frame", "label": "frame", "kind": "number"},
    {"key": "who", "label": "who", "kind": "text"},
    {"key": "number", "label": "number", "kind": "number", "digits": 3, "fixed": True, "help": "that decided"},
    {"key": "measure", "label": "of what", "kind": "text"},
    {"key": "setting", "label": "setting", "kind": "text", "help": "that would have changed it"},
]


class BudgetBrowser(PlayerPanel):
    """The causes of all errors and what they cost; a cause lists its errors, and an error moves the player.

    Parameters
    ----------
    source
        The frames: for the picture and the player. None for the tables alone.
    evaluation
        An `Evaluation` of one sequence, or of several of which one is named as the source.
    detections, tracker
        What was tracked, and the tracker that did; by default that which the tracks carry.
    player
        A TrackPlayer to move; one of its own is made if there is a source and no player is given.
    **traits
        Start values of the traits.

    Attributes
    ----------
    budget : ErrorBudget
        What `fl.error_budget` says of the sequence.
    cause, selected : int
        Row of `budget.causes`, and row of `errors`, that are picked; -1 for none.
    errors : pandas.DataFrame
        The errors of the cause that is picked.
    frame : int
        The frame on show.

    Examples
    --------
    >>> scene = fl.example()
    >>> tracker = fl.JDETracker()
    >>> result = fl.evaluate(fl.track(scene.detections, tracker), scene.ground_truth)
    >>> browser = BudgetBrowser(evaluation=result, detections=scene.detections, tracker=tracker)
    >>> len(browser.errors) == browser.budget.causes["errors"][browser.cause]
    True
    >>> browser.close()
    """

    cause = Int(-1)
    selected = Int(-1)

    def __init__(
        self,
        source: Any = None,
        *,
        evaluation: Evaluation,
        detections: Detections,
        tracker: Any = None,
        player: TrackPlayer | None = None,
        **traits: Any,
    ) -> None:
        detections = as_detections(detections)
        super().__init__(**traits)
        made = self._join(source, player, detections, traits, evaluation=evaluation)
        self.name = sequence_of(evaluation, self.player.name if self.player is not None else detections.name)
        try:
            self.budget: ErrorBudget = error_budget(evaluation, detections, tracker, sequence=self.name)
        except FairMOTLabError:
            self.close()
            raise
        self.errors = self.budget.errors[:0]
        causes = self.budget.causes
        shown = causes.assign(kind=causes["kind"].map(KINDS))
        lost = [column["key"] for column in CAUSE_COLUMNS if column["key"].startswith("lost_")]
        shown[lost] = (100 * shown[lost]).round(1) + 0.0  # no -0.0
        self.causes_table = TableView(
            title=f"{counted(len(self.budget.errors), 'error')} in {self.name}, by cause",
            columns=CAUSE_COLUMNS,
            rows=rows_of(shown, CAUSE_COLUMNS),
            sort_by="errors",
            descending=True,
            filter_by="kind",
            max_height=260,
        )
        self.errors_table = TableView(columns=ERROR_COLUMNS, sort_by="frame", searchable=True, max_height=240)
        self._story = ipywidgets.HTML()
        self._tie(self, "cause", self.causes_table, "selected")
        self._tie(self, "selected", self.errors_table)
        self._watch(self, "cause", self._pick_cause)
        self._watch(self, "selected", self._pick)
        told = ipywidgets.VBox([self.causes_table, self.errors_table, self._story])
        self.children = [self._banner, beside(told, *made, least="400px")]
        if self.cause < 0 and len(causes):
            self.cause = int(causes["errors"].to_numpy().argmax())
        else:
            self._pick_cause()

    def _pick_cause(self) -> None:
        self.selected = -1
        causes, errors = self.budget.causes, self.budget.errors
        if not 0 <= self.cause < len(causes):
            self.errors = errors[:0]
            self.errors_table.title = "Pick a cause." if len(causes) else "There are no errors."
            self.errors_table.rows = []
        else:
            row = causes.iloc[self.cause]
            mine = errors[(errors["kind"] == row["kind"]) & (errors["cause"] == row["cause"])]
            self.errors = mine.iloc[:LONGEST].reset_index(drop=True)
            many = f"the first {LONGEST} of {len(mine)}" if len(mine) > LONGEST else str(len(mine))
            with self.errors_table.hold_sync():
                self.errors_table.title = f"{KINDS[row['kind']]}, {row['cause']}: {many}"
                who = "track" if row["kind"] == "FP" else "person"
                shown = self.errors.assign(who=[f"{who} {number}" for number in self.errors["id"]])
                self.errors_table.rows = rows_of(shown, ERROR_COLUMNS)
        self._pick()

    def _pick(self) -> None:
        if not 0 <= self.selected < len(self.errors):
            self._story.value = block(f"<p>{escape(self._meaning())}</p>")
            return
        self._story.value = block(self.story(self.selected))
        error = self.errors.iloc[self.selected]
        self.frame = int(error["frame"])
        if self.player is not None:
            track = int(error["track"])
            self.player.selected_id = track if track >= 0 else None
            self.player.selected_gt_id = None if error["kind"] == "FP" else int(error["id"])

    def _meaning(self) -> str:
        """What the cause that is picked means."""
        if not 0 <= self.cause < len(self.budget.causes):
            return ""
        row = self.budget.causes.iloc[self.cause]
        return as_sentence(CAUSES[row["kind"]][row["cause"]])

    def story(self, row: int) -> str:
        """Return one error in words, with a picture of its box, as HTML."""
        error = self.errors.iloc[row]
        who = f"{'track' if error['kind'] == 'FP' else 'person'} {error['id']}"
        words = f"Frame {error['frame']}, {who}: {self._meaning()}"
        if not pd.isna(error["number"]):
            words += f" {as_sentence(error['measure'])[:-1]} {error['number']:.4g}"
            words += f"; {error['setting']} decides." if error["setting"] else "."
        (jpeg,) = crops(self.source, [int(error["frame"])], error[BOX].to_numpy(float)[None], 140)
        picture = crop_html(jpeg, "") if jpeg else ""
        return f'<div style="display:flex">{picture}</div><p>{escape(words)}</p>'

    # -- without a kernel ---------------------------------------------------------------------------------------------

    def saved_html(self) -> str:
        """Return the causes, and the errors of the one that is picked."""
        return self.causes_table.saved_html() + self.errors_table.saved_html()

    def page(self, *, max_mb: float = 8.0, max_width: int = 800, **options: Any) -> Page:
        """Return a page without kernel; see `to_html`. Errors are those of the cause that is picked."""
        page = Page(f"{self.name}: BudgetBrowser", max_mb=max_mb)
        self.causes_table.add_to(page)
        self.errors_table.add_to(page)
        self._add_player_to(page, max_width=max_width, share=2, **options)
        page.left_out("the errors of the other causes, which need a kernel")
        return page
