"""What each setting does by itself: a metric over its values, computed while the hand rests."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import FairMOTLabError
from ..evaluation.names import LABELS
from .base import block, escape
from .parts import metric_text

if TYPE_CHECKING:
    from ..association.base import Tracker
    from ..association.settings import Setting

WIDTH, HEIGHT = 120, 30  # units of a curve; the page stretches its width to that of the slider


@dataclass(frozen=True)
class Point:
    """One value of one setting that was tried.

    Attributes
    ----------
    setting : str
    value : float
    tracker : Tracker or None
        None where the value contradicts the other settings.
    metrics, held_out : dict
        Metrics of the frames that are chosen on, and of those that are kept apart (empty for none).
    """

    setting: str
    value: float
    tracker: Tracker | None
    metrics: Mapping[str, float]
    held_out: Mapping[str, float]


def slider_step(high: float) -> float:
    """Return the step of a slider that ends at this value."""
    return 0.01 if high <= 10 else 1.0


def values_of(setting: Setting, present: float) -> list[float]:
    """Return values of a number to try: seven over its search range, where its slider can stand, and the present one.

    Examples
    --------
    >>> from fairmot_lab.association.settings import Setting
    >>> values_of(Setting("max_age", "int", 30, "", 0, 1000, (10, 70)), 30)
    [10, 20, 30, 40, 50, 60, 70]
    """
    kind = int if setting.kind == "int" else float
    low, high = setting.search[:2]
    digits = 2 if slider_step(2 * high) < 1 else 0
    spread = [kind(round(float(v), digits)) for v in np.linspace(low, high, 7)]
    return sorted({*spread, kind(present)})


class CurveScan:
    """Try the values of settings one at a time in a thread that gives way to other work.

    Parameters
    ----------
    measure
        Returns the metrics of a tracker: those chosen on, those held out.
    rest
        `rest(stop)` blocks until nothing more urgent is under way, or until the event `stop` is set.
    deliver
        `deliver(tracker, point)` as soon as a `Point` around that tracker is known.
    """

    def __init__(
        self,
        measure: Callable[[Tracker], tuple[Mapping[str, float], Mapping[str, float]]],
        rest: Callable[[threading.Event], object],
        deliver: Callable[[Tracker, Point], None],
    ) -> None:
        self._measure, self._rest, self._deliver = measure, rest, deliver
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, tracker: Tracker, settings: Sequence[Setting]) -> None:
        """Scan the settings around a tracker; a scan that runs is given up, which is not waited for."""
        self._stop.set()
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._work, args=(tracker, list(settings), self._stop), name="curves", daemon=True
        )
        self._thread.start()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end of the scan; False if that took longer than `timeout` seconds."""
        if self._thread is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def close(self) -> None:
        """Give the scan up."""
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(30)

    def _work(self, tracker: Tracker, settings: list[Setting], stop: threading.Event) -> None:
        for setting in settings:
            for value in values_of(setting, getattr(tracker.settings, setting.name)):
                self._rest(stop)
                if stop.is_set():
                    return
                self._deliver(tracker, self._point(tracker, setting.name, value))

    def _point(self, tracker: Tracker, name: str, value: float) -> Point:
        try:
            other = tracker.replace(**{name: value})
            return Point(name, value, other, *self._measure(other))
        except FairMOTLabError:
            return Point(name, value, None, {}, {})


def best_point(
    points: Sequence[Point], metric: str, larger: bool, at_least: Mapping[str, float] | None = None
) -> Point | None:
    """Return the point with the best metric among those that reach other metrics; None where none does.

    Examples
    --------
    >>> points = [Point("a", v, object(), {"num_switches": s, "idf1": f}, {}) for v, s, f in ((1, 5, 0.8), (2, 3, 0.6))]
    >>> best_point(points, "num_switches", False, {"idf1": 0.7}).value
    1
    """
    fit = [
        point
        for point in points
        if point.tracker is not None
        and not math.isnan(point.metrics.get(metric, math.nan))
        and all(point.metrics.get(name, -math.inf) >= least for name, least in (at_least or {}).items())
    ]
    if not fit:
        return None
    return max(fit, key=lambda point: point.metrics[metric] * (1 if larger else -1))


def curve_svg(
    name: str,
    points: Sequence[Point],
    metric: str,
    present: float,
    best: Point | None,
    span: tuple[float, float],
) -> str:
    """Return one setting's curve as SVG, to stand below its slider.

    Parameters
    ----------
    name
        Of the setting.
    points
        What was tried, by value.
    metric
        What the curve shows.
    present
        The setting's value: a dot. A ring marks `best` where it is of this setting.
    span
        The values at the ends of the slider. Where values contradict other settings a band is hatched.
    """
    known = [point for point in points if point.tracker is not None and not math.isnan(point.metrics[metric])]
    low, high = min((p.metrics[metric] for p in known), default=0), max((p.metrics[metric] for p in known), default=1)

    def at(value: float) -> float:
        return (value - span[0]) / ((span[1] - span[0]) or 1) * WIDTH

    def up(value: float) -> float:
        return HEIGHT / 2 if high == low else HEIGHT - 6 - (value - low) / (high - low) * (HEIGHT - 12)

    def dot(point: Point, style: str, size: int) -> str:
        # a line of no length with round ends is a circle however the picture is stretched
        place = f"{at(point.value):.1f},{up(point.metrics[metric]):.1f}"
        return f'<path d="M{place}l0,0" {style} stroke-width="{size}"/>'

    ends = [point.value for point in points]
    middles = [span[0], *((a + b) / 2 for a, b in itertools.pairwise(ends)), span[1]]
    bands = [
        f'<rect x="{at(left):.1f}" y="0" width="{at(right) - at(left):.1f}" height="{HEIGHT}" fill="#D55E00" '
        'opacity="0.25"><title>contradicts the other settings</title></rect>'
        for point, (left, right) in zip(points, itertools.pairwise(middles), strict=True)
        if point.tracker is None
    ]
    line = " ".join(f"{at(p.value):.1f},{up(p.metrics[metric]):.1f}" for p in known)
    marks = []
    if best is not None and best.setting == name:
        marks.append(dot(best, 'stroke="#009E73"', 11))
    marks += [dot(point, 'stroke="currentColor"', 6) for point in known if point.value == present]
    words = f"{metric_text(metric, low)} to {metric_text(metric, high)}" if known else "no value fits"
    title = f"{LABELS.get(metric, metric)} {words} over the values of {name}" if known else words
    drawn = (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(name)}: {escape(title)}"><title>{escape(title)}</title>{"".join(bands)}'
        f'<polyline points="{line}" fill="none" stroke="var(--fml-accent)" stroke-width="1.5"/>{"".join(marks)}</svg>'
    )
    shown = escape(words.replace(" to ", "\N{EN DASH}"))
    return block(f'{drawn}<span class="fml-dim">{shown}</span>', "fml-curve")
