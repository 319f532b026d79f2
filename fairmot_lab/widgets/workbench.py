"""Workbench: everything about a sequence in one view, to find out why a tracker fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
import pandas as pd

from ..association.run import Trace, trace
from ..boxes import BOX
from ..detection.cache import as_detections
from ..diagnosis.person import PersonLife, follow
from ..diagnosis.replay import explained_switches
from ..diagnosis.retrace import tracker_of
from ..errors import FairMOTLabError, SourceError, ViewError
from ..evaluation.compare import compare
from ..evaluation.evaluate import evaluate
from ..evaluation.names import PERCENT, SHORT
from ..pipeline import track
from .association import AssociationInspector
from .base import Panel, sentence
from .budget import BudgetBrowser
from .checks import refuse_other_sequence, refuse_other_table, refuse_unknown, sequence_of
from .comparison import ComparePanel
from .corrections import CorrectionPanel
from .embeddings import EmbeddingExplorer
from .heatmaps import HeatmapInspector
from .page import Page
from .parts import crops, metric_text
from .people import (
    Life,
    PeopleView,
    WorkbarView,
    decisions,
    describe_life,
    people_rows,
    person_life,
    track_life,
    track_rows,
)
from .player import TrackPlayer
from .switches import SwitchBrowser, worst_switch
from .thresholds import ThresholdLab

if TYPE_CHECKING:
    from ..detection.detections import Detections
    from ..detection.detector import Detector
    from ..evaluation.compare import Comparison
    from ..evaluation.result import Evaluation, SequenceEvaluation

METRICS = ("mota", "idf1", "hota", "num_switches")
AROUND = 4  # frames around the one on show whose decisions are told


class Workbench(Panel):
    """Player, people, ID switches, heatmaps, embeddings, association and settings with one selection and one time axis.

    Parameters
    ----------
    source
        The frames: anything that `open_source` takes and that has a known length and random access.
    tracks
        A tracks table, or several by the name of their tracker. Made from `detections` where none are given.
    ground_truth
        The ground truth; the source's own where it has one and nothing is given. False for none.
    detections
        Kept detections: for heatmaps, embeddings, association and settings, and for the reasons of ID switches.
    tracker
        The settings that made the tracks: for reasons and association. With several trackers, by name.
    model
        The network that made the detections: for the similarity map.
    evaluation
        Evaluations by the name of the tracker, if they are at hand.
    **traits
        Start values of the player's traits.

    Attributes
    ----------
    player : TrackPlayer
        The player: `frame`, `selected_gt_id`, `tracker` and all else can be set there.
    people : PeopleView
        The list of people and the life of the one who is selected.
    panes : dict
        The other panes by name, made when they are first opened.
    evaluations : dict
        Evaluation by tracker.

    Notes
    -----
    Opens on the first ID switch of the person who has most. Keys: those of the player.

    Examples
    --------
    >>> import numpy as np, fairmot_lab as fl
    >>> frames = [np.zeros((90, 160, 3), np.uint8)] * 3
    >>> tracks = pd.DataFrame({"frame": [1, 2], "id": 1, "x": 5.0, "y": 5.0, "w": 20.0, "h": 40.0, "score": 0.9})
    >>> bench = fl.widgets.Workbench(frames, tracks={"mine": tracks})
    >>> bench.people.rows[0]["frames"]
    2
    >>> bench.close()
    """

    def __init__(
        self,
        source: Any,
        *,
        tracks: pd.DataFrame | Mapping[str, pd.DataFrame] | None = None,
        ground_truth: pd.DataFrame | bool | None = None,
        detections: Detections | None = None,
        tracker: Any = None,
        model: Detector | None = None,
        evaluation: Mapping[str, Evaluation] | Evaluation | None = None,
        **traits: Any,
    ) -> None:
        refuse_unknown("Workbench", traits, TrackPlayer.class_trait_names())
        super().__init__()
        self.panes: dict[str, ipywidgets.Widget] = {}
        self._lives: dict[tuple[int, int], Life] = {}
        self._told: dict[tuple[int, int], PersonLife | None] = {}
        self._switches: dict[int, pd.DataFrame] = {}
        self._replays: dict[int, Trace | None] = {}
        self._comparison: tuple[list[Evaluation], Comparison] | None = None
        detections = None if detections is None else as_detections(detections)
        self.detections, self.model, self._tracker = detections, model, tracker
        start = {"focus": "fade", **traits}
        self.player = TrackPlayer(source, **start)
        self.player._whole = self  # its export menu writes the page of all
        if self.player.source is None:
            raise ViewError("The source holds no frames, so there is nothing to work on.")
        self.source = self.player.source
        name = self.source.name
        if detections is not None:
            refuse_other_sequence("detections", detections.name, name)
        self.ground_truth = self._truth(ground_truth)
        self.tracks = self._tracks(tracks, evaluation)
        for table in self.tracks.values():
            refuse_other_table("tracks", table, name, 0)
        self.evaluations = self._evaluations(evaluation)
        self.player.show(self.tracks, self.ground_truth, self.evaluations or None)
        if len(self.tracks) > 1 and self.player.compared < 0:
            self.player.compared = 1
        kind = "person" if self.evaluations else "track"
        self.people = PeopleView(kind=kind, focus=self.player.focus)
        self.bar = WorkbarView(title=name, chips=self._chips())
        self._link()
        self._makers = self._panes()
        self._tabs = ipywidgets.Tab([self.people, *(ipywidgets.VBox() for _ in self._makers)], titles=self._titles)
        self._watch(self._tabs, "selected_index", self._open)
        self._arrange()
        self._show_tracker()
        self._begin(traits)

    # -- what is compared ---------------------------------------------------------------------------------------------

    def _truth(self, ground_truth: Any) -> pd.DataFrame | None:
        if isinstance(ground_truth, pd.DataFrame) or ground_truth is False:
            return None if ground_truth is False else ground_truth
        try:
            return self.source.ground_truth
        except SourceError:
            if ground_truth is True:
                raise
            return None  # nothing was asked for, and the source has none

    def _tracks(self, tracks: Any, evaluation: Any) -> dict[str, pd.DataFrame]:
        if isinstance(tracks, Mapping):
            return {str(key): table for key, table in tracks.items()}
        if tracks is not None:
            return {"tracks": tracks}
        if isinstance(evaluation, Mapping):
            name = self.source.name
            return {str(key): one.sequences[sequence_of(one, name)].tracks for key, one in evaluation.items()}
        if self.detections is None:
            raise ViewError("Workbench needs tracks=, or detections= to make them from.")
        return {"tracks": track(self.detections, self._tracker) if self._tracker else track(self.detections)}

    def _evaluations(self, given: Any) -> dict[str, Evaluation]:
        if given is not None and not isinstance(given, Mapping):
            given = dict.fromkeys(self.tracks, given) if len(self.tracks) == 1 else {}
        given = dict(given or {})
        if self.ground_truth is None:
            return given
        name = self.source.name
        return {
            key: given.get(key) or evaluate({name: table}, {name: self.ground_truth})
            for key, table in self.tracks.items()
        }

    @property
    def name(self) -> str:
        """The tracker on show."""
        return list(self.tracks)[self.player.tracker]

    def _one(self) -> SequenceEvaluation | None:
        """The evaluated sequence of the tracker on show."""
        evaluation = self.evaluations.get(self.name)
        if evaluation is None:
            return None
        return evaluation.sequences[sequence_of(evaluation, self.source.name)]

    def _settings(self, name: str) -> Any:
        return self._tracker.get(name) if isinstance(self._tracker, Mapping) else self._tracker

    def _made_by(self) -> Any:
        """The tracker that made the tracks on show, as far as is known."""
        assert self.detections is not None
        return tracker_of(self.tracks[self.name], self.detections, self._settings(self.name))

    def _chips(self) -> list[dict[str, str]]:
        chips = []
        for name, table in self.tracks.items():
            if name in self.evaluations:
                row = self._of_sequence(self.evaluations[name], "summary").iloc[0]
                metrics = " · ".join(f"{SHORT[metric]} {metric_text(metric, row[metric])}" for metric in METRICS)
            else:
                metrics = f"{table['id'].nunique()} tracks"
            chips.append({"name": name, "metrics": metrics})
        return chips

    def _of_sequence(self, evaluation: Evaluation, table: str) -> pd.DataFrame:
        """The rows of the sequence on show in a table of an evaluation."""
        rows = getattr(evaluation, table)
        return rows[rows["sequence"] == sequence_of(evaluation, self.source.name)]

    def _difference(self) -> str:
        """How the compared tracker differs from the one on show."""
        player, names = self.player, list(self.tracks)
        if player.compare_mode == "off" or not 0 <= player.compared < len(names) or player.compared == player.tracker:
            return ""
        ours, theirs = (self.evaluations.get(names[k]) for k in (player.tracker, player.compared))
        if ours is None or theirs is None:
            return ""
        our_row, their_row = (self._of_sequence(one, "summary").iloc[0] for one in (ours, theirs))
        parts = []
        for metric in METRICS:
            change = float(their_row[metric]) - float(our_row[metric])
            text = f"{100 * change:+.1f}" if metric in PERCENT else f"{change:+.0f}"
            parts.append(f"{SHORT[metric]} {text if text.strip('+-0.') else '0'}")
        return f"{names[player.compared]} − {names[player.tracker]}: {', '.join(parts)}".replace("-", "\N{MINUS SIGN}")

    def comparison(self) -> Comparison:
        """Return what `fl.compare` says of the trackers that were evaluated: intervals of metrics and differences."""
        held = list(self.evaluations.values())
        if self._comparison is None or [*map(id, self._comparison[0])] != [*map(id, held)]:
            self._comparison = (held, compare(self.evaluations))
        return self._comparison[1]

    # -- links --------------------------------------------------------------------------------------------------------

    def _link(self) -> None:
        who = "selected_gt_id" if self.people.kind == "person" else "selected_id"
        self._tie(self.player, who, self.people, "selected")
        for trait in ("frame", "focus", "range"):
            self._tie(self.player, trait, self.people)
        for trait in ("tracker", "compared", "compare_mode"):
            self._tie(self.player, trait, self.bar)
        self._watch(self.player, "tracker", self._show_tracker)
        self._watch(self.player, ["tracker", "compared", "compare_mode"], self._show_difference)
        self._watch(self.people, "selected", self._show_life)
        self._watch(self.player, ["frame", "playing"], self._show_decisions)

    def _show_difference(self) -> None:
        with self.bar.hold_sync():
            self.bar.difference = self._difference()
            self.bar.intervals = self._intervals() if self.bar.difference else ""

    def _intervals(self) -> str:
        """The differences with their intervals, in sentences."""
        names = list(self.tracks)
        pair = {names[self.player.tracker], names[self.player.compared]}
        try:
            told = self.comparison()
        except FairMOTLabError:  # the pane Compare says why
            return ""
        rows = told.differences[
            [{a, b} == pair for a, b in zip(told.differences["tracker"], told.differences["other"], strict=True)]
        ]
        return "\n".join(replace(told, differences=rows).sentences(METRICS))

    def _show_tracker(self) -> None:
        """All that depends on the tracker on show."""
        evaluation, player = self.evaluations.get(self.name), self.player
        if evaluation is not None:
            self.people.rows = people_rows(self._of_sequence(evaluation, "per_object"))
        else:
            self.people.rows = track_rows(self.tracks[self.name], player.width, player.height, player.length)
        self._tell_why()
        self._show_difference()
        self._show_life()
        for pane in ("Switches", "Errors", "Association"):
            self._forget(pane)
        self._open()

    def _tell_why(self) -> None:
        """Give the marks of the timeline the reasons of the tracker on show."""
        table, number = self.switches(), self.player.tracker
        if "why" not in table:
            return
        reasons = {(row["frame"], row["gt_id"]): row["why"] for row in table.to_dict("records")}
        self.player.switches = [
            {**mark, "why": reasons.get((mark["frame"], mark["gt_id"]))} if mark["tracker"] == number else mark
            for mark in self.player.switches
        ]

    def _begin(self, traits: Mapping[str, Any]) -> None:
        """Go to the worst ID switch; without any, to where the track with most gaps is back after its first."""
        if {"frame", "selected_id", "selected_gt_id"} & set(traits):
            return
        switches = self.player.switches
        mine = pd.DataFrame([mark for mark in switches if mark["tracker"] == self.player.tracker])
        row = worst_switch(mine)
        if row >= 0:
            mark = mine.iloc[row]
            self.player.frame = int(mark["frame"])
            self.player.selected_id = int(mark["to_id"])
            self.player.selected_gt_id = int(mark["gt_id"])
        elif self.people.rows:
            first = max(self.people.rows, key=lambda row: row["breaks"])
            parts = self.life(first["id"]).segments()[1:-1]
            back = [end + 1 for _, end, track in parts if track is None and end is not None]  # after a gap
            self.player.frame = back[0] if back else first["first"]
            self.people.selected = first["id"]

    # -- a person -----------------------------------------------------------------------------------------------------

    def life(self, identity: int) -> Life:
        """Return the life of a person (without ground truth: of a track) under the tracker on show."""
        key = (self.player.tracker, identity)
        if key not in self._lives:
            one, tracks = self._one(), self.tracks[self.name]
            self._lives[key] = track_life(tracks, identity) if one is None else person_life(one, identity)
        return self._lives[key]

    def switches(self, number: int | None = None) -> pd.DataFrame:
        """Return the ID switches of a tracker (by default of the one on show), with their reasons where the detections
        lead to its tracks.
        """
        number = self.player.tracker if number is None else number
        if number not in self._switches:
            name = list(self.tracks)[number]
            evaluation = self.evaluations.get(name)
            if evaluation is None:
                self._switches[number] = pd.DataFrame({"gt_id": [], "frame": []})
            else:
                sequence = sequence_of(evaluation, self.source.name)
                found, _ = explained_switches(evaluation, sequence, self.detections, self._settings(name))
                self._switches[number] = found
        return self._switches[number]

    def _tell(self, identity: int) -> PersonLife | None:
        """Return what `fl.person` says, if the detections and settings give the tracks on show."""
        key = (self.player.tracker, identity)
        if key not in self._told:
            one, replay = self._one(), self._replay()
            self._told[key] = None
            if one is not None and replay is not None and self.detections is not None:
                self._told[key] = follow(one, replay, self.evaluations[self.name], self.detections, identity)
        return self._told[key]

    def _described(self, identity: int, told: PersonLife | None = None) -> dict[str, Any]:
        life = self.life(identity)
        switches = self.switches()
        own = switches[switches["gt_id"] == identity] if self.people.kind == "person" else switches[:0]
        size = (self.player.width, self.player.height)
        return describe_life(life, self.people.kind, own, size, None if told is None else told.events)

    def _strip(self, identity: int, height: int = 96) -> list[bytes]:
        places = self.life(identity).places((self.player.width, self.player.height))
        try:
            return crops(self.source, places["frame"].tolist(), places[BOX].to_numpy(), height)
        except SourceError:
            return [b""] * len(places)  # the player says which frames cannot be read

    def _show_life(self) -> None:
        selected = self.people.selected
        with self.people.hold_sync():
            if selected is None or all(row["id"] != selected for row in self.people.rows):
                self.people.life, self.people.strip = {}, []
                return
            self.people.strip = self._strip(selected)
            self.people.life = self._described(selected)
        told = self._tell(selected)  # takes up to a second for a long life: what is known is on show before
        if told is not None:
            self.people.life = self._described(selected, told)
        self._show_decisions()

    def _show_decisions(self) -> None:
        hidden = self._tabs.selected_index not in (0, None)
        if self.player.playing or hidden or self.people.selected is None or not self.people.life:
            return
        self.people.decisions = self._decisions(self.people.selected, [self.player.frame])

    def _decisions(self, identity: int, centres: Sequence[int]) -> dict[str, Any]:
        """What was decided about a person in some frames and those around them."""
        frames = sorted({frame for at in centres for frame in range(at - AROUND, at + AROUND + 1)})
        told = self._told.get((self.player.tracker, identity))
        causes = None if told is None else dict(zip(told.frames["frame"], told.frames["cause"], strict=True))
        return decisions(self.life(identity), frames, self.tracks[self.name], self._replay(), causes)

    def _replay(self) -> Trace | None:
        """The tracker's records, if the detections and settings give the tracks on show."""
        number = self.player.tracker
        if number not in self._replays:
            self._replays[number] = None
            if self.detections is not None:
                try:
                    found = trace(self.detections, self._made_by())
                except FairMOTLabError:
                    return None  # detections without embeddings, for a tracker that needs them
                if _same_tracks(found.tracks, self.tracks[self.name]):
                    self._replays[number] = found
        return self._replays[number]

    # -- panes --------------------------------------------------------------------------------------------------------

    def _panes(self) -> dict[str, Callable[[], ipywidgets.Widget]]:
        """The panes for which the data is at hand, by title."""
        makers: dict[str, Callable[[], ipywidgets.Widget]] = {}
        if len(self.evaluations) > 1:
            makers["Compare"] = self._make_comparison
        if self.evaluations:
            makers["Switches"] = self._make_switches
            if self.detections is not None:
                makers["Errors"] = self._make_budget
        if self.detections is not None:
            if self.detections.has_heatmaps:
                makers["Heatmap"] = self._make_heatmap
            if self.detections.has_embeddings:
                makers["ReID"] = self._make_embeddings
            makers["Association"] = self._make_association
            makers["Settings"] = self._make_settings
        makers["Correct"] = self._make_corrections
        return makers

    @property
    def _titles(self) -> list[str]:
        return ["People", *self._makers]

    def _make_corrections(self) -> ipywidgets.Widget:
        name = self.name
        panel = CorrectionPanel(
            self.tracks[name],
            self.player.name,
            lambda: self.player.frame,
            lambda table: self._corrected(f"{name} corrected", table),
        )
        self._watch(self.player, ["selected_id", "selected_gt_id"], lambda: self._suggest(panel))
        self._suggest(panel)
        return panel

    def _suggest(self, panel: CorrectionPanel) -> None:
        """Fill in the ids of the ID switch that is nearest to the frame on show, else the selected track."""
        life = self.people.life
        track = self.player.selected_id
        ids = [segment[2] for segment in life.get("segments", []) if segment[2] is not None]
        others = [i for i in dict.fromkeys(ids) if i != track]
        panel.select(track, others[-1] if others else None)

    def _corrected(self, name: str, table: pd.DataFrame) -> None:
        """Show corrected tracks as a tracker of their own, with their metrics."""
        self.tracks[name] = table
        if self.ground_truth is not None:
            self.evaluations[name] = evaluate({self.source.name: table}, {self.source.name: self.ground_truth})
        number = list(self.tracks).index(name)
        for held in (self._switches, self._replays):
            held.pop(number, None)
        self._lives = {key: life for key, life in self._lives.items() if key[0] != number}
        self._told = {key: told for key, told in self._told.items() if key[0] != number}
        self.player.show(self.tracks, self.ground_truth, self.evaluations or None)
        self.bar.chips = self._chips()
        self._offer_comparison()
        if self.player.tracker != number:
            self.player.tracker = number
        else:
            self._show_tracker()

    def _offer_comparison(self) -> None:
        """Refresh the pane Compare, or add it once there are two trackers."""
        pane = self.panes.get("Compare")
        if isinstance(pane, ComparePanel):
            pane.show()
        elif len(self.evaluations) > 1 and "Compare" not in self._makers:
            self._makers["Compare"] = self._make_comparison
            self._tabs.children = [*self._tabs.children, ipywidgets.VBox()]
            self._tabs.titles = self._titles

    def _make_comparison(self) -> ComparePanel:
        name = sequence_of(self.evaluations[self.name], self.source.name)
        return ComparePanel(
            self.player, name, self.comparison, lambda tracker: self.switches(list(self.tracks).index(tracker))
        )

    def _make_switches(self) -> ipywidgets.Widget:
        pane = SwitchBrowser(
            evaluation=self.evaluations[self.name],
            player=self.player,
            detections=self.detections,
            tracker=self._settings(self.name),
        )
        pane.table.max_height = 210  # leaves room for the pictures
        return pane

    def _make_budget(self) -> ipywidgets.Widget:
        assert self.detections is not None
        pane = BudgetBrowser(
            evaluation=self.evaluations[self.name],
            player=self.player,
            detections=self.detections,
            tracker=self._settings(self.name),
        )
        pane.causes_table.max_height = pane.errors_table.max_height = 150  # leaves room for what the error is
        return pane

    def _make_heatmap(self) -> ipywidgets.Widget:
        return HeatmapInspector(None, detections=self.detections, player=self.player)

    def _make_embeddings(self) -> ipywidgets.Widget:
        assert self.detections is not None
        truth = self.ground_truth
        return EmbeddingExplorer(
            detections=self.detections,
            ground_truth=truth,
            tracks=self.tracks[self.name] if truth is None else None,
            model=self.model,
            player=self.player,
        )

    def _make_association(self) -> ipywidgets.Widget:
        assert self.detections is not None
        return AssociationInspector(detections=self.detections, tracker=self._made_by(), player=self.player)

    def _make_settings(self) -> ipywidgets.Widget:
        assert self.detections is not None
        name, truth = self.name, self.ground_truth
        pane = ThresholdLab(detections=self.detections, ground_truth=truth, tracker=self._made_by())
        pane._tie(self.player, "frame", pane)
        pane._tie(self.player, "selected_gt_id", pane)
        pane.offer(lambda table: self._corrected(f"{name} with other settings", table))
        return pane

    def _open(self) -> None:
        """Make the pane of the open tab, and let the others rest."""
        index = self._tabs.selected_index or 0
        name = self._titles[index]
        for other, made in self.panes.items():
            if isinstance(made, Panel):
                made.active = other == name
        if name == "People":
            self._show_decisions()
        elif name not in self.panes:
            try:
                pane = self._makers[name]()
            except FairMOTLabError as error:
                pane = Panel()  # which shows why
                pane.error = sentence(error)
            self.panes[name] = pane
            self._tabs.children[index].children = [pane]

    def _forget(self, name: str) -> None:
        """Close a pane that is of another tracker."""
        pane = self.panes.pop(name, None)
        if pane is not None:
            self._tabs.children[self._titles.index(name)].children = []
            pane.close()

    def _arrange(self) -> None:
        self.player.layout.flex = "7 1 560px"
        self.player.layout.min_width = "min(100%, 320px)"
        self._tabs.layout.flex = "5 1 430px"
        self._tabs.layout.min_width = "min(100%, 320px)"
        self.player.add_class("fml-bench-player")
        self._tabs.add_class("fml-panes")
        middle = ipywidgets.Box(
            [self.player, self._tabs], layout={"flex_flow": "row wrap", "grid_gap": "12px", "align_items": "stretch"}
        )
        self.add_class("fml-workbench")
        self.children = [self._banner, self.bar, middle]

    def close(self) -> None:
        """Close all panes, and free what they hold."""
        if not self._closed:
            for held in (self.panes, self._lives, self._told, self._replays):
                held.clear()
        super().close()

    def to_rerun(self, path: str | Path, first: int = 1, last: int | None = None) -> Path:
        """Write all trackers, the ground truth and the ID switches of the tracker on show for Rerun's viewer."""
        return self.player.to_rerun(path, first, last)

    # -- without a kernel ---------------------------------------------------------------------------------------------

    def saved_html(self) -> str:
        """Return the frame on show, the trackers, and the people."""
        return self.bar.saved_html() + self.player.saved_html() + self.people.saved_html()

    def page(self, *, max_mb: float = 12.0, max_width: int = 960, **options: Any) -> Page:
        """Return a page without kernel; see `to_html`. It holds the lives of up to 40 people."""
        page = Page(f"{self.player.name}: Workbench", max_mb=max_mb)
        self.bar.add_to(page)
        held = [row["id"] for row in self.people.rows[:40]]
        lives = {}
        for identity in held:
            life = self._described(identity)
            told = self._decisions(identity, life["breaks"][:3])
            lives[str(identity)] = {
                **life,
                "strip": self._strip(identity, 64),
                "columns": told["columns"],
                "decisions": told["rows"],
            }
        who = "person" if self.people.kind == "person" else "id"
        if len(held) < len(self.people.rows):
            many = "people" if self.people.kind == "person" else "tracks"
            page.left_out(f"the lives of {len(self.people.rows) - len(held)} of {len(self.people.rows)} {many}")
        if len(self.tracks) > 1:
            page.left_out(f"the lives under trackers other than {self.name}")
        links = {t: t for t in ("tracker", "compared", "compare_mode", "focus", "range")}
        self.player.add_frames_to(page, max_width=max_width, links=links, group="bench", **options)
        self.people.add_to(
            page, changes={"lives": lives, "life": {}, "strip": []}, links={"selected": who}, group="bench"
        )
        if len(self.evaluations) > 1:
            panel = self._make_comparison()
            panel.add_to(page)
            panel.close()
        without = [name for name in self._makers if name != "Compare"]
        page.left_out(f"the panes that need a kernel ({', '.join(without)})")
        return page


def _same_tracks(ours: pd.DataFrame, theirs: pd.DataFrame) -> bool:
    if len(ours) != len(theirs):
        return False
    a, b = (table[["frame", "id", *BOX]].sort_values(["frame", "id"]).to_numpy(float) for table in (ours, theirs))
    return bool(np.allclose(a, b, atol=0.01))
