"""Compare two trackers of a sequence: metrics with intervals, and the ID switches that only one of them makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets
import pandas as pd

from ..errors import FairMOTLabError
from ..evaluation.names import PERCENT, SHORT
from ..evaluation.switches import compare_switches
from .base import Panel, block, escape, sentence
from .parts import SWITCH_COLUMNS, TableView, rows_of

if TYPE_CHECKING:
    from ..evaluation.compare import Comparison
    from .page import Page
    from .player import TrackPlayer

METRICS = ("hota", "deta", "assa", "mota", "idf1", "recall", "precision", "num_switches", "num_misses")
SWITCHES: list[dict[str, Any]] = [
    *SWITCH_COLUMNS,
    {"key": "made_by", "label": "made by", "kind": "text"},
    {"key": "why", "label": "why", "kind": "text", "wide": True},
]


class ComparePanel(Panel):
    """The tracker that a player shows (A) beside the one it is compared with (B).

    Parameters
    ----------
    player
        The player: it says who A and B are, and a row of the table of ID switches moves it.
    sequence
        Name of the sequence in the evaluations.
    compared
        `compared()` returns what `fl.compare` says of the trackers that were evaluated.
    switches
        `switches(tracker)` returns its ID switches, with `why` where that is known.

    Attributes
    ----------
    comparison : Comparison or None
        What `compared()` returned last.
    shared : DataFrame
        What `compare_switches` says of A and B, and `made_by`: "only A", "only B" or "both".
    """

    def __init__(
        self,
        player: TrackPlayer,
        sequence: str,
        compared: Callable[[], Comparison],
        switches: Callable[[str], pd.DataFrame],
    ) -> None:
        super().__init__()
        self._player, self._sequence, self._compared, self._of = player, sequence, compared, switches
        self.comparison: Comparison | None = None
        self.shared = pd.DataFrame()
        self._figures = TableView(title="", columns=[])
        self._caption = ipywidgets.HTML()
        self._switches = TableView(
            title="", columns=SWITCHES, sort_by="frame", filter_by="made_by", searchable=True, max_height=230
        )
        self._watch(self._switches, "selected", self._go)
        self._watch(player, ["tracker", "compared", "trackers"], self.show)
        self.children = [self._banner, self._figures, self._caption, self._switches]
        self.show()

    @property
    def pair(self) -> tuple[str, str]:
        """The names of A and B."""
        names, player = self._player.trackers, self._player
        a = player.tracker
        b = player.compared if 0 <= player.compared < len(names) and player.compared != a else (a + 1) % len(names)
        return names[a], names[b]

    def show(self) -> None:
        """Compare anew."""
        self.error = ""
        a, b = self.pair
        try:
            self.comparison = self._compared()
            self._show_figures(a, b)
        except FairMOTLabError as error:
            self.error = sentence(error)
        changes = compare_switches(self._of(a), self._of(b))
        made_by = {"vanishes": f"only {a}", "appears": f"only {b}", "stays": "both"}
        self.shared = changes.assign(made_by=changes["change"].map(made_by))
        counts = self.shared["made_by"].value_counts()
        parts = [f"{counts.get(who, 0)} {who}" for who in (f"only {a}", f"only {b}", "both")]
        columns = [column for column in SWITCHES if column["key"] in self.shared]
        with self._switches.hold_sync():
            self._switches.title = f"ID switches: {', '.join(parts)}"
            self._switches.selected = -1
            self._switches.columns = columns
            self._switches.chosen = [f"only {a}"] if counts.get(f"only {a}", 0) else []
            self._switches.rows = rows_of(self.shared, columns)

    def _show_figures(self, a: str, b: str) -> None:
        assert self.comparison is not None
        names = [a, b, *(name for name in self._player.trackers if name not in (a, b))]
        columns = [{"key": "metric", "label": "", "kind": "text"}]
        columns += [{"key": f"tracker {k}", "label": name, "kind": "number"} for k, name in enumerate(names)]
        columns.insert(3, {"key": "difference", "label": f"{b} \N{MINUS SIGN} {a}", "kind": "number"})
        with self._figures.hold_sync():
            self._figures.columns = columns
            self._figures.rows = figure_rows(self.comparison, self._sequence, names)
            self._figures.title = f"{b} compared with {a}"
        self._caption.value = block(f"Grey: not a difference. {escape(self.comparison.caption)}", "fml-note")

    def _go(self) -> None:
        if not 0 <= self._switches.selected < len(self.shared):
            return
        row, player = self.shared.iloc[self._switches.selected], self._player
        _, b = self.pair
        if row["made_by"] == f"only {b}" and player.compare_mode == "off":
            player.compared, player.compare_mode = player.trackers.index(b), "overlay"
        player.frame = int(row["frame"])
        player.selected_gt_id = int(row["gt_id"])
        player.selected_id = int(row["to_id"]) if row["made_by"] != f"only {b}" else None

    def add_to(self, page: Page) -> None:
        """Put the tables into a page; there, too, an ID switch moves the player."""
        self._figures.add_to(page, group="compare")
        self._switches.add_to(page, group="compare")
        if self.comparison is not None:
            page.add_text(self.comparison.caption)

    def saved_html(self) -> str:
        """Return the metrics and the ID switches."""
        return self._figures.saved_html() + self._switches.saved_html()


def figure_rows(comparison: Comparison, sequence: str, names: list[str]) -> list[dict[str, Any]]:
    """Return rows of text: each metric of each tracker with its interval, and the second minus the first.

    Parameters
    ----------
    comparison
        Of the trackers.
    sequence
        The sequence whose metrics are meant.
    names
        The trackers; the first two are subtracted.
    """
    metrics = comparison.metrics[comparison.metrics["sequence"] == sequence].set_index(["tracker", "metric"])
    differences = comparison.differences[comparison.differences["sequence"] == sequence]
    rows = []
    for metric in METRICS:
        row: dict[str, Any] = {"metric": SHORT.get(metric, metric)}
        for k, name in enumerate(names):
            one = metrics.loc[(name, metric)]
            row[f"tracker {k}"] = _with_interval(metric, one["value"], one["low"], one["high"])
        mine = differences[differences["metric"] == metric].set_index(["tracker", "other"])
        turned = (names[1], names[0]) not in mine.index
        one = mine.loc[(names[0], names[1]) if turned else (names[1], names[0])]
        change, low, high = (float(one[key]) for key in ("difference", "low", "high"))
        if turned:
            change, low, high = -change, -high, -low
        row["difference"] = _with_interval(metric, change, low, high, sign=True)
        row["_class"] = None if one["verdict"] in ("higher", "lower") else "fml-muted"
        rows.append(row)
    return rows


def _with_interval(metric: str, value: float, low: float, high: float, sign: bool = False) -> str:
    """A number with its interval: shares in percent with one decimal, counts as whole numbers."""
    scale, digits = (100, 1) if metric in PERCENT else (1, 0)
    shown = [f"{scale * number:{'+' if sign else ''}.{digits}f}" for number in (value, low, high)]
    shown = [text.lstrip("+-") if not text.strip("+-0.") else text.replace("-", "\N{MINUS SIGN}") for text in shown]
    between = " to " if sign else "\N{EN DASH}"
    return f"{shown[0]} ({shown[1]}{between}{shown[2]})"
