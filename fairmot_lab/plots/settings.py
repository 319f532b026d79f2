"""Plots of settings, trackers and training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..data import same_footage
from ..errors import PlotError
from ..evaluation.names import LABELS, PERCENT
from .style import (
    COLOURS,
    GREY,
    VERMILLION,
    _axes,
    _few,
    _finish,
    _ink,
    _label,
    _legend_of_both,
    _line,
    _number,
    _one_sequence,
    _overall,
    _overall_value,
    _table,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def metric_against_threshold(
    table: pd.DataFrame,
    setting: str,
    metrics: Sequence[str] = ("mota", "idf1", "hota"),
    *,
    default: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw how the metrics change with one setting of a sweep.

    Parameters
    ----------
    table
        What `sweep` returns: one row per setting; of several sequences the rows named OVERALL are drawn.
        Where other settings were swept too, the line is the median and the band spans all of them; else the band is the
        95 % interval where the sweep computed it (`intervals=True`).
    setting
        The column for the x axis.
    metrics
        Columns in [0, 1], drawn in percent. Counts (as `num_switches`) get an axis of their own on the right.
    default
        The value the setting has by default: drawn as a line.

    Examples
    --------
    >>> table = pd.DataFrame({"conf_thres": [0.3, 0.5], "mota": [0.6, 0.5], "sequence": "OVERALL"})
    >>> metric_against_threshold(table, "conf_thres", ("mota",))
    <Axes: ...>
    """
    ax = _axes(ax, (6, 4))
    table = _overall(_table(table, "summary", (setting, *metrics)))
    right = None
    note = ""
    for number, metric in enumerate(metrics):
        percent = 100 if metric in PERCENT else 1
        if percent == 1 and right is None:
            right = ax.twinx()
            right.spines["top"].set_visible(False)
        target = ax if percent == 100 or right is None else right
        groups = (table.set_index(setting)[metric].astype(float) * percent).groupby(level=0)
        middle, low, high = groups.median(), groups.min(), groups.max()
        if f"{metric}_low" in table and len(middle) == len(table):
            ends = table.set_index(setting).loc[middle.index]
            low, high = (ends[f"{metric}_{end}"].astype(float) * percent for end in ("low", "high"))
            note = " (95 % intervals)"
        colour = COLOURS[number % len(COLOURS)]
        if (high > low).any():
            target.fill_between(middle.index, low, high, color=colour, alpha=0.18, linewidth=0)
        name = _label(metric)
        target.plot(
            middle.index, middle, markersize=5, label=name if percent == 100 else f"{name} (right)", **_line(number)
        )
    if right is not None:
        right.set_ylabel("count")
    lines = []
    if default is not None:
        lines.append((ax.axvline(default, color=_ink(), linestyle=":", linewidth=1), f"default {default:g}"))
    _legend_of_both(ax, right, lines)
    names = ", ".join(_label(metric) for metric in metrics)
    return _finish(ax, f"{names} against {setting}{note}", setting, "percent")


def setting_heatmap(table: pd.DataFrame, x: str, y: str, metric: str = "idf1", *, ax: Axes | None = None) -> Axes:
    """Draw one metric over two settings of a sweep as a coloured grid with the values; the best cell is framed.

    Parameters
    ----------
    table
        What `sweep` returns; of several sequences the rows named OVERALL are drawn. Where more than these two settings
        were swept, a cell shows the best of them, and the title says so.
    x, y
        The two settings.
    metric
        The column to show; of counts of errors the smallest is the best.

    Examples
    --------
    >>> table = pd.DataFrame({"a": [1, 1, 2], "b": [3, 4, 3], "idf1": [0.5, 0.6, 0.7], "sequence": "OVERALL"})
    >>> setting_heatmap(table, "a", "b")
    <Axes: ...>
    """
    ax = _axes(ax, (6, 4.2))
    table = _overall(_table(table, "summary", (x, y, metric)))
    rate = metric in PERCENT
    cells = table.pivot_table(index=y, columns=x, values=metric, aggfunc="max" if rate else "min", dropna=False)
    values = cells.to_numpy(float) * (100 if rate else 1)
    image = ax.imshow(values, origin="lower", aspect="auto", cmap="cividis")
    ax.set_xticks(range(len(cells.columns)), [_number(v) for v in cells.columns])
    ax.set_yticks(range(len(cells.index)), [_number(v) for v in cells.index])
    finite = np.isfinite(values)
    if finite.any():
        middle = (np.nanmin(values) + np.nanmax(values)) / 2
        if values.size <= 150:
            for row, column in np.argwhere(finite):
                value = values[row, column]
                text = f"{value:.1f}" if rate else f"{value:.0f}"
                ink = "black" if value > middle else "white"
                ax.text(column, row, text, ha="center", va="center", fontsize=8, color=ink)
        best = np.nanargmax(values) if rate else np.nanargmin(values)
        row, column = np.unravel_index(best, values.shape)
        from matplotlib.patches import Rectangle

        frame = (float(column) - 0.5, float(row) - 0.5)
        ax.add_patch(Rectangle(frame, 1, 1, fill=False, edgecolor=VERMILLION, linewidth=2.5, clip_on=False))
    name = _label(metric)
    bar = ax.figure.colorbar(image, ax=ax)
    bar.set_label(f"{name} (percent)" if rate else name)
    bar.outline.set_visible(False)  # type: ignore[operator]
    more = len(table) > finite.sum()
    note = " (best over the other settings)" if more else ""
    return _finish(ax, f"{name} over {x} and {y}{note}", x, y, grid="")


def parallel_coordinates(
    table: pd.DataFrame, settings: Sequence[str], metric: str = "idf1", *, ax: Axes | None = None
) -> Axes:
    """Draw each run of a sweep as a line through its settings to its metric, coloured by it, the best one thick.

    Parameters
    ----------
    table
        What `sweep` returns; of several sequences the rows named OVERALL are drawn.
    settings
        Columns, one axis each; numbers keep their spacing, words and booleans are spread evenly.
    metric
        The column of the last axis.

    Examples
    --------
    >>> table = pd.DataFrame({"a": [1, 2], "b": [3, 4], "idf1": [0.5, 0.6], "sequence": "OVERALL"})
    >>> parallel_coordinates(table, ["a", "b"])
    <Axes: ...>
    """
    import matplotlib
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    ax = _axes(ax, (8, 4.2))
    table = _overall(_table(table, "summary", (*settings, metric)))
    table = table[table[metric].notna()]
    rate = metric in PERCENT
    score = table[metric].to_numpy(float) * (100 if rate else 1)
    columns, ticks = ([*part] for part in zip(*(_axis_of(table[name]) for name in settings), strict=True))
    norm = Normalize(score.min(initial=np.inf), score.max(initial=-np.inf)) if len(score) else Normalize(0, 1)
    columns.append(
        np.asarray(norm(score), float) if len(score) and norm.vmax != norm.vmin else np.full(len(score), 0.5)
    )
    lines = np.stack(columns, axis=1)
    colours = matplotlib.colormaps["viridis_r"](norm(score))
    order = np.argsort(score if rate else -score, kind="stable")
    for row in order:
        best = row == order[-1]
        ax.plot(lines[row], color=colours[row], linewidth=3.5 if best else 1, alpha=1 if best else 0.6)
    for position, marks in enumerate(ticks):
        ax.axvline(position, color=_ink(), linewidth=0.8)
        for height, label in marks:
            ax.text(
                position - 0.03,
                height,
                label,
                ha="right",
                va="center",
                fontsize=8,
                bbox={"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 0.8},
            )
    ax.axvline(len(settings), color=_ink(), linewidth=0.8)
    name = _label(metric)
    label = f"{name} (percent)" if rate else name
    ax.figure.colorbar(ScalarMappable(norm, "viridis_r"), ax=ax, label=label)
    ax.set_xticks(range(len(settings) + 1), [*settings, name])
    ax.set_yticks([])
    ax.set_xlim(-0.35, len(settings) + 0.1)
    ax.set_ylim(-0.06, 1.06)
    _finish(ax, f"{len(table)} runs: settings and {name}", "", "", grid="")
    ax.spines["left"].set_visible(False)
    return ax


def _axis_of(values: pd.Series) -> tuple[np.ndarray, list[tuple[float, str]]]:
    """Return the places of values on an axis from 0 to 1, and the places and texts of its ticks."""
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        numbers = values.to_numpy(float)
        labels = {v: f"{v:.3g}" for v in np.unique(numbers)}
    else:
        words = [str(value) for value in values]
        places = {word: number for number, word in enumerate(sorted(set(words)))}
        numbers = np.array([places[word] for word in words], float)
        labels = {float(number): word for word, number in places.items()}
    low, high = numbers.min(initial=np.inf), numbers.max(initial=-np.inf)
    chosen = list(labels) if len(labels) <= 8 else list(np.array(list(labels))[[0, len(labels) // 2, -1]])
    if not high > low:
        return np.full(len(numbers), 0.5), [(0.5, labels[v]) for v in chosen]
    return (numbers - low) / (high - low), [((v - low) / (high - low), labels[v]) for v in chosen]


def compare_trackers(
    results: Mapping[str, Any],
    metrics: Sequence[str] = ("mota", "idf1", "hota", "deta", "assa"),
    *,
    kind: str = "bars",
    ax: Axes | None = None,
) -> Axes:
    """Several trackers' overall figures side by side, as bars or as a radar.

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
    counts = [metric for metric in metrics if metric not in PERCENT]
    if counts:
        raise PlotError(
            f"{counts[0]} is not a rate in [0, 1] and cannot share this axis; choose from {', '.join(PERCENT)}."
        )
    if kind not in ("bars", "radar"):
        raise PlotError(f"kind is 'bars' or 'radar', not {kind!r}.")
    for key in ("protocol", "evaluator"):
        found = {value for value in (getattr(result, key, None) for result in results.values()) if value is not None}
        if len(found) > 1:
            raise PlotError(f"Metrics of different {key}s ({', '.join(sorted(found))}) cannot be compared in one plot.")
    lists = [sorted(names) for names in (getattr(result, "sequences", None) for result in results.values()) if names]
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


def hota_curves(curves: Any, *, part: str = "hota", ax: Axes | None = None) -> Axes:
    """HOTA (or a part of it) over the localisation threshold alpha, one line per tracker (Luiten et al., IJCV 2021).

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
            (name, _overall(_table(table, "hota_curves", ("alpha", part))), part) for name, table in curves.items()
        ]
        title = f"{_label(part)} over the localisation threshold"
    else:
        table = _overall(_table(curves, "hota_curves", ("alpha", "hota", "deta", "assa")))
        lines = [(LABELS[column], table, column) for column in ("hota", "deta", "assa")]
        title = "HOTA and its parts over the localisation threshold"
    for number, (name, table, column) in enumerate(lines):
        mean = table[column].mean() * 100
        ax.plot(
            table.alpha,
            table[column] * 100,
            **_line(number),
            markersize=4,
            label=f"{name} (mean {mean:.1f})",
        )
    ax.legend(frameon=False, fontsize=8)
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 100)
    return _finish(ax, title, "alpha (IoU at which a match counts)", "percent")


def differences(
    comparison: Any,
    metrics: Sequence[str] = ("hota", "mota", "idf1"),
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
        colour = COLOURS[list(metrics).index(row.metric) % len(COLOURS)]
        real = row.verdict != "not a difference"
        ax.plot([100 * row.low, 100 * row.high], [place, place], color=colour, linewidth=2)
        face = colour if real else "white"
        ax.plot(100 * row.difference, place, marker="o", markersize=7, color=colour, markerfacecolor=face)
    ax.axvline(0, color=_ink(), linewidth=0.8)
    names = [f"{_label(row.metric)}: {row.tracker} - {row.other}" for row in rows]
    ax.set_yticks(range(len(rows)), names, fontsize=8)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    count = sum(row.verdict != "not a difference" for row in rows)
    title = f"Differences with 95 % intervals: {count} of {len(rows)} are differences"
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
    several = tables if isinstance(tables, Mapping) else {"": tables}
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
        ax.plot(
            table["horizon"].map(places.index),
            100 * table[metric],
            **_line(number),
            label=name,
        )
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
        ax.plot(
            curve.index,
            curve,
            **_line(number),
            label=name,
        )
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


def learning_curve(
    curve: pd.DataFrame,
    metrics: Sequence[str] | None = None,
    *,
    loss: str = "loss",
    x: str = "step",
    ax: Axes | None = None,
) -> Axes:
    """Draw what a training run reaches on held-out footage (left axis, percent) and one of its losses (right axis).

    Parameters
    ----------
    curve
        The curve.csv that training writes: columns `x`, `loss` and the metrics in [0, 1]; a metric is empty where it
        was not measured.
    metrics
        Columns to draw on the left axis; by default those of MOTA, IDF1 and recall that are there.
    loss
        Column to draw on the right axis.

    Examples
    --------
    >>> learning_curve(pd.DataFrame({"step": [1, 2], "loss": [3.0, 2.0], "mota": [0.5, 0.6]}))
    <Axes: ...>
    """
    ax = _axes(ax, (6, 4))
    curve = _table(curve, "curve", (x, loss, *(metrics or ())))
    if metrics is None:
        metrics = [name for name in ("mota", "idf1", "recall") if name in curve]
    for number, metric in enumerate(metrics):
        part = curve[curve[metric].notna()]
        ax.plot(
            part[x],
            part[metric] * 100,
            **_line(number),
            label=_label(metric),
        )
    right = ax.twinx()
    known = curve[curve[loss].notna()]
    right.plot(
        known[x],
        known[loss],
        color=GREY,
        linewidth=1,
        label="loss (right)" if loss == "loss" else f"loss: {loss} (right)",
    )
    right.set_ylabel("loss")
    right.spines["top"].set_visible(False)
    right.set_zorder(ax.get_zorder() - 1)
    ax.patch.set_visible(False)
    _legend_of_both(ax, right, loc="center right")
    return _finish(ax, "Learning curve on held-out footage", x, "percent")


def _bars(values: np.ndarray, trackers: list[str], names: list[str], ax: Axes | None) -> Axes:
    ax = _axes(ax, (7, 4))
    width = 0.8 / max(len(trackers), 1)
    for number, tracker in enumerate(trackers):
        at = np.arange(len(names)) + (number - (len(trackers) - 1) / 2) * width
        hatch = ("", "//", "..", "xx")[number // len(COLOURS) % 4]
        heights = np.nan_to_num(values[number])
        ax.bar(at, heights, width * 0.92, color=COLOURS[number % len(COLOURS)], hatch=hatch, label=tracker)
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
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.subplots(figsize=(5, 5), layout="constrained", subplot_kw={"projection": "polar"})[1]
    if ax.name != "polar":
        raise PlotError("A radar needs a polar ax: plt.subplots(subplot_kw={'projection': 'polar'}).")
    if len(names) < 3:
        raise PlotError(f"A radar needs three metrics or more, not {len(names)}; use kind='bars'.")
    angles = np.linspace(0, 2 * np.pi, len(names), endpoint=False)
    below = [tracker for tracker, row in zip(trackers, values, strict=True) if (row < 0).any()]
    for number, tracker in enumerate(trackers):
        row = np.clip(values[number], 0, 100)
        colour = COLOURS[number % len(COLOURS)]
        ax.plot(
            np.append(angles, angles[0]),
            np.append(row, row[0]),
            label=tracker,
            **_line(number),
        )
        ax.fill(angles, np.nan_to_num(row), color=colour, alpha=0.08)
    ax.set_xticks(angles, names)
    ax.set_ylim(0, 100)
    ax.set_yticks([20, 40, 60, 80, 100])
    ax.tick_params(axis="y", labelsize=7)
    ax.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.06), ncols=3)
    note = f" ({', '.join(below)}: below 0 drawn at 0)" if below else ""
    ax.set_title(f"Trackers side by side, percent{note}", loc="left", fontsize=11)
    return ax
