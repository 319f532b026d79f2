"""Plots of trackers side by side, of their speed, and of camera motion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..data import same_footage
from ..errors import PlotError
from ..evaluation.names import LABELS, PERCENT
from .style import (
    BLUE,
    COLOURS,
    ORANGE,
    _as_written,
    _axes,
    _few,
    _fill,
    _finish,
    _ink,
    _label,
    _line,
    _named,
    _names,
    _number,
    _one_sequence,
    _overall,
    _overall_value,
    _table,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def compare_trackers(
    results: Mapping[str, Any],
    metrics: str | Sequence[str] = ("mota", "idf1", "hota", "deta", "assa"),
    *,
    kind: str = "bars",
    ax: Axes | None = None,
) -> Axes:
    """Draw the overall metrics of several trackers side by side, as bars or as a radar.

    Parameters
    ----------
    results
        Name of the tracker to its `Evaluation` or summary DataFrame (the row OVERALL, or the only row, is drawn).
    metrics
        Columns in [0, 1]; drawn in percent. A metric that a tracker lacks is left open and marked "n/a".
    kind
        "bars" or "radar". A radar is clipped at 0 (MOTA can be negative: bars show it), and the title says where.

    Raises
    ------
    PlotError
        If a metric is not a rate, the kind is unknown, or the results are of different sequences, protocols or
        evaluators.

    Examples
    --------
    >>> scene = fl.example()
    >>> result = fl.evaluate(scene.tracks, scene.ground_truth)
    >>> compare_trackers({"exchanged": result})
    <Axes: ...>
    """
    metrics = _names(metrics)
    counts = [metric for metric in metrics if metric not in PERCENT]
    if counts:
        raise PlotError(
            f"{counts[0]} is not a rate in [0, 1] and cannot share this axis; choose from {', '.join(PERCENT)}."
        )
    if kind not in ("bars", "radar"):
        raise PlotError(f"kind is 'bars' or 'radar', not {kind!r}.")
    results = _by_tracker(results)
    for key in ("protocol", "evaluator"):
        found = {value for result in results.values() for value in _ways(result, key)}
        if len(found) > 1:
            raise PlotError(f"Metrics of different {key}s ({', '.join(sorted(found))}) cannot be compared in one plot.")
    evaluations = [result for result in results.values() if not isinstance(result, pd.DataFrame)]
    lists = [sorted(names) for names in (getattr(result, "sequences", None) for result in evaluations) if names]
    for names in lists:
        if len(names) != len(lists[0]) or not all(map(same_footage, names, lists[0])):
            raise PlotError(
                f"Metrics of {', '.join(lists[0])} and of {', '.join(names)} cannot be compared in one plot; "
                "evaluate the same sequences."
            )
    values = np.array([[_overall_value(result, metric) * 100 for metric in metrics] for result in results.values()])
    values = values.reshape(len(results), len(metrics))
    labels = [_label(metric) for metric in metrics]
    return (_radar if kind == "radar" else _bars)(values, list(results), labels, ax)


def _ways(result: Any, key: str) -> set[str]:
    """The protocol or evaluator (`key`) of an evaluation, or of the rows of its summary."""
    if isinstance(result, pd.DataFrame):
        return set(result[key]) if key in result else set()
    return {getattr(result, key)} if hasattr(result, key) else set()


def _by_tracker(results: Mapping[str, Any]) -> Mapping[str, Any]:
    if not results:
        raise PlotError("There is no tracker to draw; give a dict from name to its results.")
    return results


def hota_curves(curves: Any, *, part: str = "hota", ax: Axes | None = None) -> Axes:
    """Draw HOTA or a part over the localisation threshold alpha, one line per tracker (Luiten et al., IJCV 2021).

    Parameters
    ----------
    curves
        Tracker name to an `Evaluation` by TrackEval's rules, or to a DataFrame with columns `alpha` and `hota`, `deta`,
        `assa` in [0, 1]; or one of these, of which all three parts are drawn. Of several sequences, OVERALL is drawn.
    part
        Which column, where several trackers are compared.

    Examples
    --------
    >>> scene = fl.example()
    >>> result = fl.evaluate(scene.tracks, scene.ground_truth, evaluator="trackeval")
    >>> hota_curves({"exchanged": result})
    <Axes: ...>
    """
    ax = _axes(ax, (6, 4))
    if isinstance(curves, Mapping):
        lines = [
            (name, _overall(_table(table, "hota_curves", ("alpha", part))), part)
            for name, table in _by_tracker(curves).items()
        ]
        title = f"{_label(part)} over the localisation threshold"
    else:
        table = _overall(_table(curves, "hota_curves", ("alpha", "hota", "deta", "assa")))
        lines = [(LABELS[column], table, column) for column in ("hota", "deta", "assa")]
        title = "HOTA and its parts over the localisation threshold"
    for number, (name, table, column) in enumerate(lines):
        percent = table[column] * 100
        ax.plot(
            table.alpha, percent, **_line(number), markersize=4, label=f"{_named(name)} (mean {percent.mean():.1f})"
        )
    ax.legend(frameon=False, fontsize=8)
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 100)
    return _finish(ax, title, "alpha (IoU at which a match counts)", "percent")


def differences(
    comparison: Any,
    metrics: str | Sequence[str] = ("hota", "mota", "idf1"),
    *,
    sequence: str = "OVERALL",
    ax: Axes | None = None,
) -> Axes:
    """Draw the differences of trackers with their intervals: filled marks where there is a difference, open ones else.

    Parameters
    ----------
    comparison
        What `fl.compare` returned, or its differences.
    metrics
        Rates, in percentage points.
    sequence
        Whose rows are drawn.

    Raises
    ------
    PlotError
        If a metric is not a rate, or there is no such sequence or metric.

    Examples
    --------
    >>> scene = fl.example()
    >>> found = fl.compare({"given": scene.tracks, "JDE": fl.track(scene.detections)}, scene.ground_truth, draws=100)
    >>> differences(found)
    <Axes: ...>
    """
    metrics = _names(metrics)
    table = _one_sequence(
        _table(comparison, "differences", ("sequence", "tracker", "other", "metric", "difference", "low", "high")),
        sequence,
    )
    wrong = [metric for metric in metrics if metric not in PERCENT or metric not in set(table["metric"])]
    if wrong:
        raise PlotError(f"{wrong[0]} is not a rate with an interval; choose from {_few(PERCENT)}.")
    rows = [row for metric in metrics for row in table[table["metric"] == metric].itertuples()]
    ax = _axes(ax, (7, 1.4 + 0.3 * max(len(rows), 3)))
    for place, row in enumerate(rows):
        colour = COLOURS[metrics.index(row.metric) % len(COLOURS)]
        real = row.verdict != "not a difference"
        ax.plot([100 * row.low, 100 * row.high], [place, place], color=colour, linewidth=2)
        face = colour if real else "white"
        ax.plot(100 * row.difference, place, marker="o", markersize=7, color=colour, markerfacecolor=face)
    ax.axvline(0, color=_ink(), linewidth=0.8)
    names = [f"{_label(row.metric)}: {row.tracker} - {row.other}" for row in rows]
    ax.set_yticks(range(len(rows)), names, fontsize=8)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    count = sum(row.verdict != "not a difference" for row in rows)
    title = f"Differences with their intervals: {count} of {len(rows)} are differences"
    return _finish(ax, title, "percentage points", "", grid="x")


def local_metrics(tables: Any, metric: str = "ata", *, sequence: str = "OVERALL", ax: Axes | None = None) -> Axes:
    """Draw a metric over the time horizon, one line per tracker: over which time a tracker loses its people.

    After Valmadre et al., "Local Metrics for Multi-Object Tracking" (2021).

    Parameters
    ----------
    tables
        What `evaluation.local_metrics` returned, or a dict from the names of trackers to that.
    metric
        "ata", "idf1", "hota", or another of its columns.
    sequence
        Whose rows are drawn.

    Raises
    ------
    PlotError
        If the tables have different units, or no such sequence.

    Examples
    --------
    >>> scene = fl.example()
    >>> table = fl.evaluation.local_metrics(fl.evaluate(scene.tracks, scene.ground_truth), [0, 5, float("inf")])
    >>> local_metrics(table, "hota")
    <Axes: ...>
    """
    several = _by_tracker(tables) if isinstance(tables, Mapping) else {"": tables}
    units = {table.attrs.get("unit", "frames") for table in several.values()}
    if len(units) > 1:
        raise PlotError(f"The tables have different units ({', '.join(sorted(units))}); compute them with one.")
    ax = _axes(ax, (6, 4))
    rows = {
        name: _one_sequence(_table(table, "table", ("sequence", "horizon", metric)), sequence)
        for name, table in several.items()
    }
    places = sorted({horizon for table in rows.values() for horizon in table["horizon"]})
    for number, (name, table) in enumerate(rows.items()):
        ax.plot(table["horizon"].map(places.index), 100 * table[metric], **_line(number), label=_named(name))
    ax.set_xticks(range(len(places)), ["all" if np.isinf(place) else f"{place:g}" for place in places])
    ax.set_ylim(0, 100)
    if isinstance(tables, Mapping):
        ax.legend(frameon=False, fontsize=8)
    shown = LABELS.get(metric, metric.upper())
    return _finish(ax, f"{shown} over the time horizon", f"{units.pop()} to either side", f"{shown} (percent)")


def association_growth(table: pd.DataFrame, *, x: str = "people", ax: Axes | None = None) -> Axes:
    """Draw how an association engine's time grows with people or frames, on logarithmic axes.

    The ratio of the slowest engine to each other one stands beside its points.

    Parameters
    ----------
    table
        Columns `engine`, `seconds` and `x`: what `benchmarks/association.py` measures.
    x
        "people" (per frame; the y axis is then milliseconds a frame where the column `frames` exists) or "frames".

    Examples
    --------
    >>> association_growth(pd.DataFrame({"people": [5, 30], "engine": "ours", "seconds": [0.2, 1.0]}))
    <Axes: ...>
    """
    ax = _axes(ax, (6, 4))
    table = _table(table, "table", ("engine", "seconds", x))
    per_frame = x == "people" and "frames" in table
    milliseconds = table.seconds * 1000 / (table.frames if per_frame else 1)
    table = table.assign(y=milliseconds if per_frame else table.seconds)
    curves = {str(name): part.groupby(x).y.median() for name, part in table.groupby("engine", sort=False)}
    slowest = max(curves, key=lambda name: float(curves[name].max()), default="")
    for number, (name, curve) in enumerate(curves.items()):
        ax.plot(curve.index, curve, **_line(number), label=_named(name))
        if name == slowest:
            continue
        ratios = (curves[slowest] / curve).dropna()
        for at, value, ratio in zip(ratios.index, curve[ratios.index], ratios, strict=True):
            ax.annotate(f"{ratio:.0f}x", (at, value), (0, -13), textcoords="offset points", ha="center", fontsize=7)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ticks = sorted(table[x].unique())
    ax.set_xticks(ticks, [_number(tick) for tick in ticks])
    ax.minorticks_off()
    ax.margins(y=0.12)
    if curves:
        ax.legend(frameon=False, fontsize=8)
    label = "people per frame" if x == "people" else "frames"
    unit = "milliseconds per frame" if per_frame else "seconds"
    return _finish(ax, f"Time of the association against {label}", label, unit)


def camera_motion(motion: Any, *, ax: Axes | None = None) -> Axes:
    """Draw how much frames differ from those before, with and without compensation of the camera's motion.

    Parameters
    ----------
    motion
        What `camera_motion` returned, or its table.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"frame": [1, 2, 3], "before": [0, 9.0, 8.0], "after": [0, 2.0, 2.5]})
    >>> camera_motion(table).get_ylabel()
    'mean difference (grey levels)'
    """
    table = _table(motion, "table", ("frame", "before", "after"))
    ax = _axes(ax, (8, 3))
    frames = table["frame"].to_numpy()[1:]
    before, after = table["before"].to_numpy(float)[1:], table["after"].to_numpy(float)[1:]
    ax.plot(frames, before, color=ORANGE, linewidth=1, label="as they are")
    ax.plot(frames, after, color=BLUE, linewidth=1, linestyle="--", label="with the camera's motion taken back")
    ax.fill_between(frames, after, before, where=before > after, color=ORANGE, alpha=0.15, linewidth=0)
    ax.set_ylim(bottom=0)
    ax.legend(frameon=False, fontsize=8)
    share = 100 * (1 - np.sum(after) / np.sum(before)) if np.sum(before) else 0.0
    name = getattr(motion, "name", "")
    title = f"Camera motion{f' of {name}' if name else ''}: differences {share:.0f} % smaller"
    return _finish(ax, title, "frame", "mean difference (grey levels)")


def _bars(values: np.ndarray, trackers: list[str], names: list[str], ax: Axes | None) -> Axes:
    ax = _axes(ax, (7, 4))
    width = 0.8 / max(len(trackers), 1)
    for number, tracker in enumerate(trackers):
        at = np.arange(len(names)) + (number - (len(trackers) - 1) / 2) * width
        ax.bar(at, np.nan_to_num(values[number]), width * 0.92, **_fill(number), label=_named(tracker))
        for x, value in zip(at, values[number], strict=True):
            text = "n/a" if np.isnan(value) else f"{value:.1f}"
            side = -1 if value < 0 else 1
            ax.annotate(
                text,
                (x, np.nan_to_num(value)),
                (0, 2 * side),
                textcoords="offset points",
                ha="center",
                va="bottom" if side > 0 else "top",
                fontsize=7 if len(trackers) < 5 else 5,
            )
    ax.axhline(0, color=_ink(), linewidth=0.8)
    ax.set_xticks(range(len(names)), names)
    lowest = float(np.nanmin(values, initial=0.0))
    ax.set_ylim(lowest * 1.05 - 5 if lowest < 0 else 0.0, 100)
    ax.legend(
        frameon=False, fontsize=8, ncols=min(4, max(len(trackers), 1)), loc="upper left", bbox_to_anchor=(0, -0.1)
    )
    return _finish(ax, "Trackers side by side", "", "percent", grid="y")


def _radar(values: np.ndarray, trackers: list[str], names: list[str], ax: Axes | None) -> Axes:
    ax = _axes(ax, (5, 5), projection="polar")
    if ax.name != "polar":
        raise PlotError("A radar needs a polar ax: plt.subplots(subplot_kw={'projection': 'polar'}).")
    if len(names) < 3:
        raise PlotError(f"A radar needs three metrics or more, not {len(names)}; use kind='bars'.")
    angles = np.linspace(0, 2 * np.pi, len(names), endpoint=False)
    below = [tracker for tracker, row in zip(trackers, values, strict=True) if (row < 0).any()]
    for number, tracker in enumerate(trackers):
        row = np.clip(values[number], 0, 100)  # NaN stays: the line is left open
        ax.plot(np.append(angles, angles[0]), np.append(row, row[0]), **_line(number), label=_named(tracker))
        if not np.isnan(row).any():
            ax.fill(angles, row, color=COLOURS[number % len(COLOURS)], alpha=0.08)
    unknown = np.isnan(values)
    marked = [
        f"{name}\nn/a: {', '.join(np.array(trackers)[here])}" if here.any() else name
        for name, here in zip(names, unknown.T, strict=True)
    ]
    ax.set_xticks(angles, marked)
    ax.set_ylim(0, 100)
    ax.set_yticks([20, 40, 60, 80, 100])
    ax.tick_params(axis="y", labelsize=7)
    ax.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.06), ncols=3)
    note = f" ({', '.join(below)}: below 0 drawn at 0)" if below else ""
    ax.set_title(f"Trackers side by side, percent{note}", loc="left", fontsize=11)
    _as_written(ax)
    return ax
