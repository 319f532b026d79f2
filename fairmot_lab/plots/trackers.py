"""Plots of a search for settings, and of camera motion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import PlotError
from ..evaluation.names import PERCENT
from .style import BLUE, GREY, ORANGE, VERMILLION, _axes, _finish, _label, _table

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
    x, y = (f"{part}_{name}" for name in names)
    unit = {f"{part}_{name}": 100 if name in PERCENT else 1 for name in names}
    table, front = (
        rows.assign(**{name: rows[name] * unit[name] for name in unit}) for rows in (tuning.table, tuning.pareto)
    )
    ax.scatter(table[x], table[y], s=18, color=GREY, label="trials")
    front = front.sort_values(x)
    ax.plot(front[x], front[y], color=BLUE, marker="o", markersize=5, linewidth=1, label="front of the training part")
    if f"{x}_low" in front:
        low, high = ([front[f"{name}_{end}"] * unit[name] for name in (x, y)] for end in ("low", "high"))
        ends = [np.maximum([front[name] - low[i], high[i] - front[name]], 0) for i, name in enumerate((x, y))]
        ax.errorbar(front[x], front[y], ends[1], ends[0], "none", ecolor=BLUE, elinewidth=0.7, label="95 % intervals")
    given = table[table["trial"] < 0]
    ax.scatter(given[x], given[y], s=50, color=VERMILLION, marker="X", label="as given", zorder=3)
    ax.legend(frameon=False, fontsize=8)
    shown = [_label(name) for name in names]
    axes = [f"{label} (percent)" if name in PERCENT else label for name, label in zip(names, shown, strict=True)]
    return _finish(ax, f"{shown[0]} and {shown[1]}, {part}", *axes)


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
