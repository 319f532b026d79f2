"""Plots of settings: sweeps, searches for settings, training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import PlotError
from ..evaluation.names import PERCENT, SMALLER_IS_BETTER
from .style import (
    BLUE,
    COLOURS,
    GREY,
    VERMILLION,
    _axes,
    _finish,
    _ink,
    _label,
    _label_with_unit,
    _legend_of_both,
    _line,
    _names,
    _number,
    _overall,
    _right_axis,
    _scale,
    _table,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def metric_against_threshold(
    table: pd.DataFrame,
    setting: str,
    metrics: str | Sequence[str] = ("mota", "idf1", "hota"),
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
    metrics = _names(metrics)
    table = _overall(_table(table, "summary", (setting, *metrics)))
    right = None if set(metrics) <= set(PERCENT) else _right_axis(ax, "count")
    note = ""
    for number, metric in enumerate(metrics):
        target, name = ax, _label(metric)
        if right is not None and metric not in PERCENT:
            target, name = right, f"{name} (right)"
        groups = (table.set_index(setting)[metric].astype(float) * _scale(metric)).groupby(level=0)
        middle, low, high = groups.median(), groups.min(), groups.max()
        if f"{metric}_low" in table and len(middle) == len(table):
            ends = table.set_index(setting).loc[middle.index]
            low, high = (ends[f"{metric}_{end}"].astype(float) * _scale(metric) for end in ("low", "high"))
            note = " (95 % intervals)"
        colour = COLOURS[number % len(COLOURS)]
        if (high > low).any():
            target.fill_between(middle.index, low, high, color=colour, alpha=0.18, linewidth=0)
        target.plot(middle.index, middle, markersize=5, label=name, **_line(number))
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
        The column to show; of errors (`evaluation.names.SMALLER_IS_BETTER`) the smallest is the best.

    Examples
    --------
    >>> table = pd.DataFrame({"a": [1, 1, 2], "b": [3, 4, 3], "idf1": [0.5, 0.6, 0.7], "sequence": "OVERALL"})
    >>> setting_heatmap(table, "a", "b")
    <Axes: ...>
    """
    ax = _axes(ax, (6, 4.2))
    table = _overall(_table(table, "summary", (x, y, metric)))
    rate, larger = metric in PERCENT, _larger_is_better(table, metric)
    cells = table.pivot_table(index=y, columns=x, values=metric, aggfunc="max" if larger else "min", dropna=False)
    values = cells.to_numpy(float) * _scale(metric)
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
        best = np.nanargmax(values) if larger else np.nanargmin(values)
        row, column = np.unravel_index(best, values.shape)
        from matplotlib.patches import Rectangle

        frame = (float(column) - 0.5, float(row) - 0.5)
        ax.add_patch(Rectangle(frame, 1, 1, fill=False, edgecolor=VERMILLION, linewidth=2.5, clip_on=False))
    bar = ax.figure.colorbar(image, ax=ax, label=_label_with_unit(metric))
    bar.outline.set_visible(False)  # type: ignore[operator]
    note = " (best over the other settings)" if len(table) > finite.sum() else ""
    return _finish(ax, f"{_label(metric)} over {x} and {y}{note}", x, y, grid="")


def _larger_is_better(table: pd.DataFrame, metric: str) -> bool:
    """Whether the best run has the most of a metric; motp is a distance for motmetrics and an IoU for TrackEval."""
    if metric == "motp" and "evaluator" in table:
        return bool((table["evaluator"] == "trackeval").all())
    return metric not in (*SMALLER_IS_BETTER, "idfp", "idfn", "num_transfer", "num_ascend", "num_migrate")


def parallel_coordinates(
    table: pd.DataFrame, settings: str | Sequence[str], metric: str = "idf1", *, ax: Axes | None = None
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

    settings = _names(settings)
    if not settings:
        raise PlotError("There is no setting to draw; name the columns of some.")
    ax = _axes(ax, (8, 4.2))
    table = _overall(_table(table, "summary", (*settings, metric)))
    table = table[table[metric].notna()]
    score = table[metric].to_numpy(float) * _scale(metric)
    columns, ticks = ([*part] for part in zip(*(_axis_of(table[name]) for name in settings), strict=True))
    norm = Normalize(score.min(initial=np.inf), score.max(initial=-np.inf)) if len(score) else Normalize(0, 1)
    columns.append(
        np.asarray(norm(score), float) if len(score) and norm.vmax != norm.vmin else np.full(len(score), 0.5)
    )
    lines = np.stack(columns, axis=1)
    colours = matplotlib.colormaps["viridis_r"](norm(score))
    order = np.argsort(score if _larger_is_better(table, metric) else -score, kind="stable")
    for row in order:
        best = row == order[-1]
        ax.plot(lines[row], color=colours[row], linewidth=3.5 if best else 1, alpha=1 if best else 0.6)
    for position, marks in enumerate(ticks):
        ax.axvline(position, color=_ink(), linewidth=0.8)
        box = {"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 0.8}
        for height, label in marks:
            ax.text(position - 0.03, height, label, ha="right", va="center", fontsize=8, bbox=box)
    ax.axvline(len(settings), color=_ink(), linewidth=0.8)
    name = _label(metric)
    ax.figure.colorbar(ScalarMappable(norm, "viridis_r"), ax=ax, label=_label_with_unit(metric))
    ax.set_xticks(range(len(settings) + 1), [*settings, name])
    ax.set_yticks([])
    ax.set_xlim(-0.35, len(settings) + 0.1)
    ax.set_ylim(-0.06, 1.06)
    _finish(ax, f"{len(table)} runs: settings and {name}", "", "", grid="")
    ax.spines["left"].set_visible(False)
    return ax


def setting_importance(importance: pd.Series, *, ax: Axes | None = None) -> Axes:
    """Draw how much each setting matters, the most important on top.

    Parameters
    ----------
    importance
        What `Tuning.importance` returns: shares by name of setting.

    Examples
    --------
    >>> import pandas as pd
    >>> setting_importance(pd.Series({"track_thresh": 0.7, "match_thresh": 0.3})).get_xlabel()
    'percent of the variance explained (fANOVA)'
    """
    ax = _axes(ax, (6, 0.6 + 0.32 * max(len(importance), 1)))
    shares = 100 * importance.sort_values()
    bars = ax.barh(shares.index.tolist(), shares.to_numpy(), color=BLUE)
    ax.bar_label(bars, fmt="%.0f", padding=3, fontsize=8)
    return _finish(ax, "Which settings matter", "percent of the variance explained (fANOVA)", "", grid="x")


def pareto_front(tuning: Any, *, part: str = "validation", ax: Axes | None = None) -> Axes:
    """Draw the trials of a search with two objectives, and those that no other beats on the training part.

    Parameters
    ----------
    tuning
        What `tune` returned for two objectives.
    part
        "train" or "validation": whose figures are drawn.

    Raises
    ------
    PlotError
        If the search had not two objectives, or there is no such part.

    Examples
    --------
    >>> scene = fl.example()
    >>> found = fl.tune(
    ...     scene.detections, "sort", scene.ground_truth, objective=["mota", "idf1"], trials=2, progress=False
    ...  )
    >>> pareto_front(found)
    <Axes: ...>
    """
    names = tuning.table.attrs["objective"]
    if len(names) != 2:
        raise PlotError(f"A front needs two objectives and this search had {len(names)}; draw a column of the table.")
    if part not in ("train", "validation"):
        raise PlotError(f"part={part!r} does not exist; choose 'train' or 'validation'.")
    ax = _axes(ax, (5, 4))
    scale = {f"{part}_{name}": _scale(name) for name in names}
    x, y = scale
    table, front = (
        rows.assign(**{name: rows[name] * scale[name] for name in scale}) for rows in (tuning.table, tuning.pareto)
    )
    ax.scatter(table[x], table[y], s=18, color=GREY, label="trials")
    front = front.sort_values(x)
    ax.plot(front[x], front[y], color=BLUE, marker="o", markersize=5, linewidth=1, label="front of the training part")
    if f"{x}_low" in front:
        low, high = ([front[f"{name}_{end}"] * scale[name] for name in (x, y)] for end in ("low", "high"))
        ends = [np.maximum([front[name] - low[i], high[i] - front[name]], 0) for i, name in enumerate((x, y))]
        ax.errorbar(front[x], front[y], ends[1], ends[0], "none", ecolor=BLUE, elinewidth=0.7, label="95 % intervals")
    given = table[table["trial"] < 0]
    ax.scatter(given[x], given[y], s=50, color=VERMILLION, marker="X", label="as given", zorder=3)
    ax.legend(frameon=False, fontsize=8)
    title = f"{_label(names[0])} and {_label(names[1])}, {part}"
    return _finish(ax, title, *map(_label_with_unit, names))


def learning_curve(
    curve: pd.DataFrame,
    metrics: str | Sequence[str] | None = None,
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
    curve = _table(curve, "curve", (x, loss, *_names(metrics or ())))
    if metrics is None:
        metrics = [name for name in ("mota", "idf1", "recall") if name in curve]
    for number, metric in enumerate(_names(metrics)):
        part = curve[curve[metric].notna()]
        ax.plot(part[x], part[metric] * 100, **_line(number), label=_label(metric))
    right = _right_axis(ax, "loss")
    known = curve[curve[loss].notna()]
    name = "loss" if loss == "loss" else f"loss: {loss}"
    right.plot(known[x], known[loss], color=GREY, linewidth=1, label=f"{name} (right)")
    right.set_zorder(ax.get_zorder() - 1)
    ax.patch.set_visible(False)
    _legend_of_both(ax, right, loc="center right")
    return _finish(ax, "Learning curve on held-out footage", x, "percent")


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
