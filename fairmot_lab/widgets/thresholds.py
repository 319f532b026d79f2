"""ThresholdLab: turn a setting and see at once what it does."""

from __future__ import annotations

import asyncio
import math
import re
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets
import pandas as pd
from traitlets import Int, Unicode

from .._files import write_text
from ..association.base import Tracker
from ..association.registry import tracker_for
from ..association.run import track_detections
from ..association.settings import Setting
from ..detection.cache import as_detections
from ..diagnosis.replay import Replay, evaluate_replay
from ..diagnosis.replay import replay as replay_of_replay
from ..diagnosis.tables import compare_figures
from ..errors import ConfigError, FairMOTLabWarning
from ..evaluation.compare import compare
from ..evaluation.evaluate import compute_metrics, half_split
from ..evaluation.names import OVERALL
from ..evaluation.protocols import prepare as prepare_truth
from ..evaluation.switches import compare_switches
from .background import LatestWins, Post
from .base import Panel, block, escape, sentence
from .checks import refuse_existing, refuse_other_sequence, refuse_other_table
from .curves import CurveScan, Point, best_point, curve_svg, slider_step, values_of
from .packing import prepare
from .page import Page
from .parts import SWITCH_COLUMNS, TableView, beside, counted, file_field, heading, in_a_row, metric_text, rows_of
from .people import track_measures
from .player import TrackPlayer

if TYPE_CHECKING:
    from ..detection.detections import Detections

REST = 0.6  # seconds without a change of the settings after which curves are drawn
Spans = dict[str, tuple[float, float]]  # ends of an interval by metric
CORE = 6  # settings that are shown at once; the others are folded
IN_A_LINE = ("mota", "idf1", "hota", "num_switches")
WITHOUT_TRUTH = (
    ("num_tracks", "tracks", -1),
    ("median_length", "median length (frames)", 1),
    ("num_gaps", "gaps", -1),
    ("num_ends", "ends in mid-image", -1),
)
METRICS_WITHOUT = {"fewest tracks": "num_tracks", "longest tracks": "median_length", "fewest gaps": "num_gaps"}
METRICS = {"IDF1": "idf1", "MOTA": "mota", "HOTA": "hota", "fewest ID switches": "num_switches"}
FIGURES: list[dict[str, Any]] = [
    {"key": "label", "label": "metric", "kind": "text"},
    {"key": "baseline", "label": "baseline", "kind": "number"},
    {"key": "candidate", "label": "now", "kind": "number"},
    {"key": "difference", "label": "difference", "kind": "number"},
    {"key": "interval", "label": "95 % interval", "kind": "text"},
    {"key": "verdict", "label": "", "kind": "text"},
]
SWITCHES: list[dict[str, Any]] = [{"key": "change", "label": "ID switch", "kind": "text"}, *SWITCH_COLUMNS]


class ThresholdLab(Panel):
    """Every setting of the tracker as a slider; figures and pictures follow while it moves.

    Parameters
    ----------
    source
        The frames, for the two players. None for the figures alone.
    detections
        Kept detections of the sequence, or public ones.
    ground_truth
        Its ground-truth table. None to count tracks, their lengths, gaps and ends in mid-image instead.
    tracker
        The tracker whose settings are turned, or its name; as it is given it is the first baseline.
    frame
        The frame on show at first.

    Attributes
    ----------
    tracker : Tracker
        The candidate. Set it to another of its kind to move the sliders.
    baseline, candidate : diagnosis.Replay
        Tracks and evaluation of the pinned settings and of the present ones.
    frame : int
        The frame on show in both players; `selected_gt_id` the person who is selected.
    code : str
        The candidate as a line of Python.
    figures : pandas.DataFrame
        What `compare_figures` says of baseline and candidate, and low and high, the ends of the difference's 95 %
        interval (see `fl.compare`; NaN while it is not known).
    switches : pandas.DataFrame
        What `compare_switches` says: the ID switches that vanish and appear.
    controls : dict
        The slider or box of each setting, by name.
    points : list of curves.Point
        What the curves under the sliders show; `best()` the best of it, `take_best()` moves the sliders there.

    Notes
    -----
    Settings are replayed in a thread of their own, always the newest: those that were overtaken are never computed.
    `pin()` makes the candidate the baseline, `reset()` goes back to it, `save(path)` writes JSON.

    Examples
    --------
    >>> scene = fl.example()
    >>> lab = ThresholdLab(detections=scene.detections, ground_truth=scene.ground_truth, tracker="jde")
    >>> lab.controls["conf_thres"].value = 0.85
    >>> lab.wait()
    True
    >>> lab.figures.set_index("metric")["difference"]["num_misses"] > 0
    True
    >>> lab.close()
    """

    frame = Int(1)
    selected_gt_id = Int(None, allow_none=True)
    code = Unicode("")

    def __init__(
        self,
        source: Any = None,
        *,
        detections: Detections,
        ground_truth: pd.DataFrame | None = None,
        tracker: Tracker | str | None = None,
        frame: int = 1,
        **traits: Any,
    ) -> None:
        detections = as_detections(detections)
        super().__init__(frame=frame, **traits)
        if ground_truth is not None:
            refuse_other_table("ground truth", ground_truth, detections.name, 0)
        self.detections, self.ground_truth = detections, ground_truth
        self._tracker = tracker_for(detections, tracker)
        self._setting, self._moved = False, 0.0
        self._spans: Spans = {}
        values = self._tracker.settings.to_dict()
        self.controls = {s.name: _control(s, values[s.name]) for s in self._tracker.Settings.settings().values()}
        for control in self.controls.values():
            self._watch(control, "value", self._turned)
        self._figures = TableView(title="Metrics", columns=FIGURES)
        self._switches = TableView(title="ID switches that change", columns=SWITCHES, max_height=240)
        self._watch(self._switches, "selected", self._go)
        self._status = ipywidgets.HTML()
        self._now = ipywidgets.HTML()
        self._line = ipywidgets.HTML()
        pin = self._button("Pin as baseline", "compare with these settings from now on", self.pin)
        reset = self._button("Back to baseline", "move all sliders back", self.reset)
        self._path = file_field("tracker.json", "where Save writes")
        save = self._button("Save as JSON", "write the settings to the file", self._save_new)
        self.players = [] if source is None else [TrackPlayer(source, frame=frame) for _ in range(2)]
        views = []
        for title, player in zip(("Baseline", "Now"), self.players, strict=False):
            refuse_other_sequence("detections", detections.name, player.name)
            self._tie(self, "frame", player)
            self._tie(self, "selected_gt_id", player)
            views.append(ipywidgets.VBox([heading(title), player]))
        self._truth = None if ground_truth is None else prepare_truth(ground_truth)
        post = post_to_loop()
        stages: list[Callable[[Any, Any], Any]] = [self._replay, self._evaluate]
        self._work = LatestWins(stages, self._deliver, self._fail, post)
        self._closers.append(self._work.close)
        sliders = self._fold()
        self._buttons = in_a_row(pin, reset, self._path, save)
        shown = [self._figures] if self._truth is None else [self._figures, self._switches]
        below = [self._line, self._status, self._buttons, beside(*shown, least="340px"), beside(*views)]
        self.children = [self._banner, self._make_curves(post), self._now, sliders, *below]
        start = self._evaluated(self._tracked(self._tracker))
        self.baseline = self.candidate = start
        self._show_baseline()
        self._show_figures()
        self._show_switches()
        self._follow()

    def _fold(self) -> ipywidgets.Widget:
        """The sliders: the first numbers at once, the rest folded."""
        declared = self._tracker.Settings.settings()
        numbers = [name for name, setting in declared.items() if setting.kind in ("int", "float")]
        self._core = numbers[:CORE]
        self._curves = {name: ipywidgets.HTML() for name in self._core}
        first = [ipywidgets.VBox([self.controls[name], self._curves[name]]) for name in self._core]
        rest = [control for name, control in self.controls.items() if name not in self._core]
        for part in (*first, *rest):
            part.layout.flex, part.layout.max_width = "1 1 24em", "34em"
        parts: list[ipywidgets.Widget] = [in_a_row(*first)]
        if rest:
            parts.append(ipywidgets.Accordion([in_a_row(*rest)], titles=[counted(len(rest), "more setting")]))
        return ipywidgets.VBox(parts)

    # -- which is best ------------------------------------------------------------------------------------------------

    def _make_curves(self, post: Post | None) -> ipywidgets.Widget:
        self.points: list[Point] = []
        self._around = self._tracker
        self._post = post or (lambda callback: callback())
        self._live = post is not None  # in a kernel the curves are drawn by themselves
        self._scan = CurveScan(self._measure, self._rest, self._take_point)
        self._closers.insert(0, self._scan.close)  # it waits for the other thread, so it ends first
        self._metrics = METRICS if self._truth is not None else METRICS_WITHOUT
        self._metric = ipywidgets.Dropdown(
            options=list(self._metrics), description="best by", tooltip="what the curves show and what is compared"
        )
        self._least = ipywidgets.BoundedFloatText(
            0.0, min=0.0, max=100.0, step=0.5, description="IDF1 ≥ %", tooltip="leave out settings with less"
        )
        self._frames = ipywidgets.Dropdown(
            options=["all frames", "first half"],
            description="chosen on",
            tooltip="first half: the metrics of the second half are kept apart and shown for the best",
        )
        for control in (self._metric, self._least, self._frames):
            control.layout.width = "220px"
        self._watch(self._metric, "value", self._show_curves)
        self._watch(self._least, "value", self._show_curves)
        self._watch(self._frames, "value", self._follow)
        take = self._button("Take the best", "move the sliders to the best value found", self.take_best)
        self._best = ipywidgets.HTML()
        if self._truth is None:
            self._least.layout.display = self._frames.layout.display = "none"
        return ipywidgets.VBox([in_a_row(self._metric, self._least, self._frames, take), self._best])

    def draw_curves(self) -> None:
        """Try the values of each core setting by itself, in the background, around the present settings.

        In a notebook this is done whenever the settings rest.
        """
        self.points, self._around = [], self._tracker.clone()
        for curve in self._curves.values():
            curve.add_class("fml-stale")
        declared = self._tracker.Settings.settings()
        self._scan.start(self._around, [declared[name] for name in self._core])

    def _follow(self) -> None:
        """In a notebook, draw the curves anew."""
        if self._live:
            self.draw_curves()

    def wait_curves(self, timeout: float | None = 600) -> bool:
        """Wait until all curves are drawn; False if that took longer (seconds)."""
        return self._scan.wait(timeout)

    def _rest(self, stop: threading.Event) -> None:
        """In the background: wait until the hand has rested for a while."""
        while not stop.is_set():
            if not self._work.wait(0.1):
                continue
            rest = REST - (time.monotonic() - self._moved)
            if rest <= 0:
                return
            stop.wait(rest)

    def best(self) -> Point | None:
        """Return the best value found, as the controls ask; None where none fits."""
        metric = self._metrics[self._metric.value]
        least = {"idf1": self._least.value / 100} if self._least.value else None
        return best_point(self.points, metric, not metric.startswith("num_"), least)

    def take_best(self) -> None:
        """Move the sliders to the best value found."""
        best = self.best()
        if best is None or best.tracker is None:
            raise ConfigError("No settings that were tried fit; draw the curves first, or ask for less IDF1.")
        self.tracker = best.tracker

    def _measure(self, tracker: Tracker) -> tuple[dict[str, float], dict[str, float]]:
        """In the background: metrics of the frames that are chosen on, and of those that are kept apart."""
        found = self._replay(tracker)
        if self._truth is None or self._frames.value == "all frames":
            return found.metrics, {}
        halves = half_split(self.detections.length or int(self.detections.frames[-1]))
        ours, apart = (compute_metrics(found.tracks, self._truth, frames=halves[half]) for half in ("train", "val"))
        return ours, apart

    def _take_point(self, around: Tracker, point: Point) -> None:
        def take() -> None:
            if not self._closed and self._around is around:  # not of an older scan
                self.points.append(point)
                self._show_curves()

        self._post(take)

    def _show_curves(self) -> None:
        """Draw the curves that are complete, or that nothing was drawn of before, and name the best setting."""
        metric, best = self._metrics[self._metric.value], self.best()
        declared = self._tracker.Settings.settings()
        for name, curve in self._curves.items():
            mine = sorted((point for point in self.points if point.setting == name), key=lambda point: point.value)
            present = getattr(self._around.settings, name)
            whole = len(mine) == len(values_of(declared[name], present))
            if mine and (whole or not curve.value):
                control = self.controls[name]
                curve.value = curve_svg(name, mine, metric, present, best, (control.min, control.max))
            if whole:
                curve.remove_class("fml-stale")
        words = ""
        if best is not None:
            words = f"Best so far: {best.setting} {best.value:g}, {_metric_words(best.metrics)}"
            words += f"; on the second half {_metric_words(best.held_out)}." if best.held_out else "."
        elif self.points:
            words = "No settings that were tried fit."
        self._best.value = block(f"<p>{escape(words)}</p>")

    # -- settings -----------------------------------------------------------------------------------------------------

    @property
    def tracker(self) -> Tracker:
        """The tracker with the present settings."""
        return self._tracker

    @tracker.setter
    def tracker(self, tracker: Tracker) -> None:
        if type(tracker) is not type(self._tracker):
            raise ConfigError(
                f"The sliders are those of {self._tracker.name}; open another ThresholdLab for {tracker!r}."
            )
        self._setting = True
        try:
            for name, control in self.controls.items():
                value = getattr(tracker.settings, name)
                if hasattr(control, "max"):
                    control.min, control.max = min(control.min, value), max(control.max, value)
                control.value = value
        finally:
            self._setting = False
        self._want(tracker)

    def _turned(self) -> None:
        if self._setting:
            return
        self._moved = time.monotonic()
        self._mark(())
        try:
            tracker = self._tracker.replace(**{name: control.value for name, control in self.controls.items()})
        except ConfigError as error:
            self._mark([name for name in self.controls if re.search(rf"\b{re.escape(name)}\b", str(error))])
            raise
        self._want(tracker)

    def _mark(self, wrong: Sequence[str]) -> None:
        """Colour the settings that contradict each other, and grey out metrics that are of other settings."""
        for name, control in self.controls.items():
            if hasattr(control.style, "handle_color"):
                control.style.handle_color = "#D55E00" if name in wrong else None
        for table in (self._figures, self._switches):
            (table.add_class if wrong else table.remove_class)("fml-stale")
        if wrong:
            self._status.value = _words(f"The metrics are still those of {self.code}.")

    def _want(self, tracker: Tracker) -> None:
        self.error = ""
        self._moved = time.monotonic()
        self._tracker = tracker
        self._work.submit(tracker)

    def wait(self, timeout: float | None = 60) -> bool:
        """Wait until the figures are those of the present settings; False if that took longer (seconds)."""
        return self._work.wait(timeout)

    def pin(self) -> None:
        """Make the present settings the baseline."""
        self.wait()
        if self.candidate.evaluation is None:
            self.candidate = self._evaluated(self.candidate)
        self.baseline, self._spans = self.candidate, {}
        self._show_baseline()
        self._show_figures()
        self._show_switches()

    def offer(self, show: Callable[[pd.DataFrame], object]) -> None:
        """Add a button that shows the present tracks somewhere else, such as in the player of a workbench."""

        def press() -> None:
            self.wait()
            show(self.candidate.tracks)

        button = self._button("Show in the player", "as a tracker beside the others", press)
        self._buttons.children = (*self._buttons.children[:2], button, *self._buttons.children[2:])

    def reset(self) -> None:
        """Go back to the baseline's settings."""
        self.tracker = self.baseline.tracker

    def save(self, path: str | Path) -> Path:
        """Write the present settings as JSON; `load_tracker` reads it."""
        if not str(path).strip():
            raise ConfigError("The file to save the settings in has no name; give one, such as tracker.json.")
        written = write_text(path, self._tracker.to_json(), self)
        self._status.value = _words(f"Saved as {path}.")
        return written

    def _save_new(self) -> None:
        """Save to the file of the field, unless it is there."""
        if self._path.value.strip():
            refuse_existing(Path(self._path.value))
        self.save(self._path.value)

    # -- replays ------------------------------------------------------------------------------------------------------

    def _replay(self, tracker: Tracker, _: Any = None) -> Replay:
        """In the background, first: tracks and figures; what there was to warn of was said at the start."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FairMOTLabWarning)
            return self._tracked(tracker)

    def _tracked(self, tracker: Tracker) -> Replay:
        """Tracks and metrics; without ground truth, what can be counted."""
        if self._truth is not None:
            return replay_of_replay(self.detections, self._truth, tracker)
        start, held = time.perf_counter(), self.detections
        tracks = track_detections(held, tracker)
        length = held.length or int(max(held.frames, default=0))
        measures = track_measures(tracks, held.width or 0, held.height or 0, length)
        return Replay(tracker, tracks, measures, time.perf_counter() - start)

    def _evaluated(self, replayed: Replay) -> Replay:
        return replayed if self._truth is None else evaluate_replay(replayed, self._truth)

    def _evaluate(self, _: Tracker, replayed: Replay) -> tuple[Replay, Any, Spans]:
        """In the background, once the hand rests: ID switches, the boxes for the player, intervals of differences."""
        found, spans = self._evaluated(replayed), {}
        if self.baseline.evaluation is not None and found.evaluation is not None:
            rows = compare({"now": found.evaluation, "baseline": self.baseline.evaluation}).differences
            spans = {row.metric: (row.low, row.high) for row in rows[rows["sequence"] == OVERALL].itertuples()}
        if not self.players:
            return found, None, spans
        player = self.players[1]
        boxes = prepare(self.detections.name, player.length, found.tracks, self.ground_truth, found.evaluation)
        return found, boxes, spans

    def _deliver(self, stage: int, _: Tracker, result: Any) -> None:
        if stage == 0:
            self.candidate, self._spans = result, {}
            self._show_figures()
        else:
            self.candidate, boxes, self._spans = result
            self._show_figures()
            self._show_switches()
            if boxes:
                self.players[1].apply(boxes)
            if self._around.settings != self._tracker.settings:
                self._follow()

    def _fail(self, _: Tracker, error: Exception) -> None:
        self.error = sentence(error)

    def _show_baseline(self) -> None:
        for player, found in zip(self.players, (self.baseline, self.candidate), strict=False):
            player.show(found.tracks, self.ground_truth, found.evaluation)

    @property
    def figures(self) -> pd.DataFrame:
        """Figures of baseline and candidate."""
        if self._truth is None:
            return _compare(self.baseline.metrics, self.candidate.metrics)
        table = compare_figures(self.baseline.metrics, self.candidate.metrics)
        spans = [self._spans.get(metric, (math.nan, math.nan)) for metric in table["metric"]]
        return table.assign(low=[low for low, _ in spans], high=[high for _, high in spans])

    @property
    def switches(self) -> pd.DataFrame:
        """ID switches that vanish and appear; empty while the candidate's are not known yet."""
        if self.baseline.evaluation is None or self.candidate.evaluation is None:
            return pd.DataFrame(columns=[column["key"] for column in SWITCHES])
        changes = compare_switches(self.baseline.evaluation.switches, self.candidate.evaluation.switches)
        return changes[changes["change"] != "stays"].reset_index(drop=True)

    def _show_figures(self) -> None:
        self._figures.rows = [_figure_row(row) for row in self.figures.to_dict("records")]
        self.code = repr(self.candidate.tracker)
        self._line.value = block(f"<code>{escape(self.code)}</code>")
        self._status.value = _words(f"tracked and counted in {self.candidate.seconds:.2f} s")
        self._now.value = block(escape(self._now_words()), "fml-now-line")

    def _now_words(self) -> str:
        """The metrics above the sliders, with what they differ from the baseline by."""
        shown = [row for row in self._figures.rows if row["metric"] in IN_A_LINE or self._truth is None]
        words = []
        for row in shown:
            change = f" ({row['difference']})" if row["difference"].strip("0.") else ""
            words.append(f"{row['label']} {row['candidate']}{change}")
        return f"Now: {' · '.join(words)}"

    def _show_switches(self) -> None:
        changed = self.switches
        vanish = int((changed["change"] == "vanishes").sum())
        with self._switches.hold_sync():
            appear = len(changed) - vanish
            self._switches.title = (
                f"ID switches: {vanish} {'vanishes' if vanish == 1 else 'vanish'}, "
                f"{appear} {'appears' if appear == 1 else 'appear'}"
            )
            self._switches.selected = -1
            self._switches.rows = rows_of(changed, SWITCHES)

    def _go(self) -> None:
        if self._switches.selected >= 0:
            row = self._switches.rows[self._switches.selected]
            self.frame, self.selected_gt_id = row["frame"], row["gt_id"]
            for player, wanted in zip(self.players, ("vanishes", "appears"), strict=False):
                player.selected_id = row["to_id"] if row["change"] == wanted else None

    # -- without a kernel ---------------------------------------------------------------------------------------------

    def saved_html(self) -> str:
        """Return the settings and the figures."""
        return f"<p><code>{escape(self.code)}</code></p>{self._figures.saved_html()}{self._switches.saved_html()}"

    def page(self, *, max_mb: float = 8.0, max_width: int = 640, **options: Any) -> Page:
        """Return a page without kernel; see `to_html`. Its settings cannot be turned."""
        page = Page(f"{self.detections.name}: ThresholdLab", max_mb=max_mb)
        page.add_text(f"baseline: {self.baseline.tracker!r}")
        page.add_text(f"now: {self.code}")
        self._figures.add_to(page)
        self._switches.add_to(page, group="switches")
        for player, title in zip(self.players, ("Baseline", "Now"), strict=False):
            player.add_frames_to(
                page, title=title, group="players", max_width=max_width, share=len(self.players), **options
            )
        page.left_out("the sliders, because tracking needs a kernel")
        return page


def _control(setting: Setting, value: Any) -> ipywidgets.Widget:
    """A slider for numbers, a box for yes or no, a list for choices."""
    common = {"description": setting.name, "tooltip": setting.doc, "style": {"description_width": "10em"}}
    layout = {"width": "auto"}
    if setting.kind == "bool":
        return ipywidgets.Checkbox(value, indent=False, layout=layout, **common)
    if setting.kind == "choice":
        return ipywidgets.Dropdown(options=setting.choices, value=value, layout=layout, **common)
    assert setting.low is not None
    assert setting.high is not None
    # The range accepted can be endless; the slider ends at twice the range that a search covers.
    low, high = setting.low, min(setting.high, 2 * setting.search[1])
    low, high = min(low, value), max(high, value)
    if setting.kind == "int":
        return ipywidgets.IntSlider(value, min=int(low), max=int(high), layout=layout, **common)
    return ipywidgets.FloatSlider(value, min=low, max=high, step=slider_step(high), layout=layout, **common)


def _words(text: str) -> str:
    return block(f'<span class="fml-dim">{escape(text)}</span>')


def _figure_row(row: dict[str, Any]) -> dict[str, Any]:
    """A metric as the benchmarks print it: shares in percent with one decimal, counts as whole numbers."""
    metric, low, high = row["metric"], row.get("low", math.nan), row.get("high", math.nan)
    difference = metric_text(metric, row["difference"])
    sign = "+" if row["difference"] > 0 and difference.strip("0.") else ""
    known = not math.isnan(low)
    gain = row["difference"] * row["better"]
    verdict = "better" if gain > 0 else "worse" if gain < 0 else ""
    return {
        "metric": metric,
        "label": row["label"],
        "baseline": metric_text(metric, row["baseline"]),
        "candidate": metric_text(metric, row["candidate"]),
        "difference": sign + difference,
        "interval": f"{metric_text(metric, low)} to {metric_text(metric, high)}" if known else "",
        "verdict": "not a difference" if known and verdict and low <= 0 <= high else verdict,
    }


def _compare(baseline: Mapping[str, float], candidate: Mapping[str, float]) -> pd.DataFrame:
    """As `compare_figures`, of what is counted without ground truth."""
    rows = [
        (name, label, baseline[name], candidate[name], candidate[name] - baseline[name], better)
        for name, label, better in WITHOUT_TRUTH
    ]
    return pd.DataFrame(rows, columns=["metric", "label", "baseline", "candidate", "difference", "better"])


def _metric_words(metrics: Mapping[str, float]) -> str:
    if "num_switches" not in metrics:
        return ", ".join(f"{label} {metric_text(name, metrics[name])}" for name, label, _ in WITHOUT_TRUTH)
    rates = [
        f"{name.upper()} {metric_text(name, metrics[name])}" for name in ("mota", "idf1", "hota") if name in metrics
    ]
    return ", ".join([*rates, counted(int(metrics["num_switches"]), "ID switch", "ID switches")])


def post_to_loop() -> Post | None:
    """Return what shows a thread's results: the kernel's event loop, since widgets belong to its thread."""
    from IPython import get_ipython

    if getattr(get_ipython(), "kernel", None) is None:  # a loop that others run may not turn while we wait
        return None
    try:
        return asyncio.get_running_loop().call_soon_threadsafe
    except RuntimeError:
        return None
