"""Plots of where errors come from: the error budget, places, detections before tracking, one person's life."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ..data import same_footage
from ..drawing import id_color
from ..errors import PlotError
from ..evaluation.breakdown import error_map as count_in_cells
from .identity import _backdrop
from .style import (
    BLUE,
    LINES,
    MISSED,
    ORANGE,
    PURPLE,
    _at_least,
    _axes,
    _few,
    _finish,
    _ink,
    _label,
    _one_sequence,
    _table,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..diagnosis.error_budget import ErrorBudget
    from ..diagnosis.person import PersonLife
    from ..evaluation.detections import DetectionEvaluation
    from ..sources.base import Source

_KINDS = {"MISS": ("missed", ORANGE, ""), "FP": ("false positive", BLUE, "//"), "SWITCH": ("ID switch", PURPLE, "..")}


def error_budget(budget: ErrorBudget, metric: str = "mota", *, ax: Axes | None = None) -> Axes:
    """Draw what each cause of errors costs, the most costly first, with the number of errors.

    After the error types of TIDE (Bolya et al., ECCV 2020).

    Parameters
    ----------
    budget
        What `fl.error_budget` returns, or its `causes`.
    metric
        "mota", "idf1" or "hota": points that it would gain without these errors.

    Examples
    --------
    >>> scene = fl.example()
    >>> tracker = fl.JDETracker()
    >>> result = fl.evaluate(fl.track(scene.detections, tracker), scene.ground_truth)
    >>> error_budget(fl.error_budget(result, scene.detections, tracker))
    <Axes: ...>
    """
    table = _table(budget, "causes", ("kind", "cause", "errors", f"lost_{metric}"))
    table = table.sort_values(f"lost_{metric}", ascending=False, kind="stable")
    ax = _axes(ax, (7, 1.2 + 0.28 * max(len(table), 3)))
    places = np.arange(len(table))
    lost = 100 * table[f"lost_{metric}"].to_numpy(float)
    for kind, (name, colour, hatch) in _KINDS.items():
        mine = (table["kind"] == kind).to_numpy()
        if mine.any():
            ax.barh(places[mine], lost[mine], color=colour, hatch=hatch, edgecolor="white", linewidth=0.5, label=name)
    for place, value, errors in zip(places, lost, table["errors"], strict=True):
        ax.text(max(value, 0), place, f" {errors}", va="center", fontsize=8)
    ax.set_yticks(places, table["cause"].tolist(), fontsize=8)
    ax.set_ylim(len(table) - 0.4, -0.6)
    ax.set_xlim(right=max(float(lost.max(initial=0.0)), 0.1) * 1.12)
    ax.axvline(0, color=_ink(), linewidth=0.8)
    if len(table):
        ax.legend(frameon=False, fontsize=8, loc="lower right")
    name = _label(metric)
    title = f"Where {name} is lost: {int(table['errors'].sum())} errors by cause"
    return _finish(ax, title, f"{name} gained without these errors (percentage points)", "", grid="x")


def error_map(
    errors: Any,
    kind: str = "MISS",
    *,
    cause: str | None = None,
    sequence: str | None = None,
    image: np.ndarray | None = None,
    size: tuple[int, int] | None = None,
    cells: tuple[int, int] = (32, 18),
    ax: Axes | None = None,
) -> Axes:
    """Draw where in the image errors of one kind happen, counted by the foot of the box.

    Parameters
    ----------
    errors
        An `Evaluation`, an `ErrorBudget`, or a table of errors: columns kind, x, y, w, h (pixels of the original
        image) and, for a cause, cause.
    kind
        "MISS", "FP" or "SWITCH".
    cause
        Only errors with this cause, of an `ErrorBudget`.
    sequence
        Which sequence, where there are several: one map is of one camera.
    image
        (H, W, 3) uint8 BGR, drawn pale behind the cells.
    size
        Width and height of the image in pixels, where neither an image nor the errors give it.
    cells
        Columns and rows of the map.

    Raises
    ------
    PlotError
        If there are several sequences, no such kind or cause, no size, or the image is of another sequence.

    Examples
    --------
    >>> scene = fl.example()
    >>> result = fl.evaluate(scene.tracks, scene.ground_truth)
    >>> error_map(result, "SWITCH", image=scene.source.image(20)).get_title(loc="left")
    'Where ID switches happen (2)'
    """
    from matplotlib.ticker import MaxNLocator

    if kind not in _KINDS:
        raise PlotError(f"kind={kind!r} does not exist; choose {', '.join(_KINDS)}.")
    table = _table(errors, "errors", ("kind", *"xywh", *(["cause"] if cause else [])))
    table = _one_sequence(table, sequence)
    table = table[table["kind"] == kind]
    if cause is not None:
        if not (table["cause"] == cause).any():
            raise PlotError(f"No error of kind {kind} has the cause {cause!r}; there are {_few(set(table['cause']))}.")
        table = table[table["cause"] == cause]
    size = (image.shape[1], image.shape[0]) if image is not None else size or _image_size(errors, sequence)
    ax = _axes(ax, (7, 4.4))
    _backdrop(ax, image, size, table)
    counts = count_in_cells(table, size, cells)
    shown = ax.imshow(
        np.ma.masked_equal(counts, 0), cmap="viridis_r", alpha=0.75, extent=(0, size[0], size[1], 0), aspect="equal",
        vmin=0, vmax=max(1, int(counts.max())), interpolation="nearest",
    )  # fmt: skip
    bar = ax.figure.colorbar(shown, ax=ax, label="errors per cell", shrink=0.7)
    bar.locator = MaxNLocator(integer=True)  # type: ignore[assignment]
    bar.update_ticks()
    name = {"MISS": "people are missed", "FP": "false positives stand", "SWITCH": "ID switches happen"}[kind]
    title = f"Where {name} ({len(table)}{f', {cause}' if cause else ''})"
    return _finish(ax, title, "x (pixels)", "y (pixels)", grid="")


def _image_size(errors: Any, sequence: str | None) -> tuple[int, int]:
    """Return width and height of the image that an evaluation or a budget is of."""
    sizes = getattr(errors, "sizes", None)
    if sizes is None:
        known = getattr(errors, "sequences", {})
        sizes = {name: (one.ground_truth.width, one.ground_truth.height) for name, one in known.items()}
    size = sizes.get(sequence or next(iter(sizes), ""), (None, None))
    if not all(size):
        raise PlotError("The size of the image is not known; give image=, or size=(width, height).")
    return size


def detection_recall(found: DetectionEvaluation, *, ax: Axes | None = None) -> Axes:
    """Draw how many people a detector finds down to each score, in all and by height: what a threshold leaves out.

    Parameters
    ----------
    found
        What `fl.evaluate_detections` returns.

    Examples
    --------
    >>> scene = fl.example()
    >>> detection_recall(fl.evaluate_detections(scene.detections, scene.ground_truth))
    <Axes: ...>
    """
    ax = _axes(ax, (6, 4))
    best = _table(found, "best", ("height", "score"))
    threshold = found.summary["threshold"]
    heights = best["height"].to_numpy(float)
    halves = [("all people", np.ones(len(best), bool))]
    if len(best):
        middle = float(np.median(heights))
        halves += [
            (f"height below {middle:.0f} px", heights < middle),
            (f"height from {middle:.0f} px", heights >= middle),
        ]
    grid = np.linspace(0, 1, 201)
    for number, (name, rows) in enumerate(halves):
        scores = best["score"].to_numpy(float)[rows]
        share = [100 * np.mean(scores >= limit) if len(scores) else np.nan for limit in grid]
        colour = (_ink(), ORANGE, BLUE)[number]
        ax.plot(grid, share, color=colour, linestyle=LINES[number], label=f"{name} ({len(scores)})")
    floor, limit = (100 * float((best["score"] >= low).mean()) for low in (-np.inf, threshold))
    ax.axvline(threshold, color=_ink(), linestyle=":", label=f"threshold {threshold:g}")
    ax.legend(frameon=False, fontsize=8)
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 100)
    title = f"People found at each score: {floor:.0f} % at the floor, {limit:.0f} % at the threshold"
    return _finish(ax, title, "lowest score that is used", "people found (percent)")


def person_strip(life: PersonLife, source: Source, *, count: int = 12, ax: Axes | None = None) -> Axes:
    """Draw a row of crops of one person over their life, framed in the colour of the track that carries them.

    Parameters
    ----------
    life
        What `fl.person` returns.
    source
        The frames of the same sequence.
    count
        How many crops, evenly spread; frames with ID switches come first.

    Raises
    ------
    PlotError
        If the source is another sequence, or `count` is below 1.

    Examples
    --------
    >>> scene = fl.example()
    >>> tracker = fl.JDETracker()
    >>> result = fl.evaluate(fl.track(scene.detections, tracker), scene.ground_truth)
    >>> person_strip(fl.person(result, 1, scene.detections, tracker), scene.source)
    <Axes: ...>
    """
    if not same_footage(life.sequence, source.name):
        raise PlotError(f"The person is of {life.sequence} and the source is {source.name}; give the same sequence.")
    _at_least(1, count=count)
    ax = _axes(ax, (9, 2.2))
    frames = life.frames
    switched = np.flatnonzero((frames["state"] == "switched").to_numpy())[:count]
    spread = np.linspace(0, len(frames) - 1, max(count - len(switched), 0)).round().astype(int)
    rows = frames.iloc[np.unique(np.concatenate([switched, spread]))]
    wide, high, gap = 60, 140, 6
    canvas = np.full((high + 2 * gap, len(rows) * (wide + 2 * gap), 3), 255, np.uint8)
    for place, row in enumerate(rows.itertuples()):
        left = place * (wide + 2 * gap)
        colour = tuple(round(255 * part) for part in MISSED) if row.track < 0 else id_color(int(row.track))[::-1]
        canvas[:, left : left + wide + 2 * gap - 2] = colour
        picture = _crop(source.image(row.frame), row, (wide - 2, high))
        canvas[gap : gap + high, left + gap : left + gap + wide - 2] = picture
        label = f"frame {row.frame}\n{'missed' if row.track < 0 else f'track {row.track}'}"
        ax.text(left + wide / 2 + gap, high + 2 * gap + 4, label, ha="center", va="top", fontsize=7)
    ax.imshow(canvas)
    ax.set_xticks([])
    ax.set_yticks([])
    _finish(ax, f"Person {life.gt_id} of {life.sequence}", "", "", grid="")
    for side in ax.spines.values():
        side.set_visible(False)
    return ax


def _crop(image: np.ndarray, row: Any, size: tuple[int, int]) -> np.ndarray:
    """Return a person's box as RGB of a size, grey where it reaches beyond the image."""
    height, width = image.shape[:2]
    left, top, right, bottom = (round(v) for v in (row.x, row.y, row.x + row.w, row.y + row.h))
    inside = image[max(top, 0) : max(min(bottom, height), 0), max(left, 0) : max(min(right, width), 0)]
    whole = np.full((max(bottom - top, 1), max(right - left, 1), 3), 128, np.uint8)
    if inside.size:
        y, x = max(top, 0) - top, max(left, 0) - left
        whole[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
    return cv2.resize(whole, size, interpolation=cv2.INTER_AREA)[:, :, ::-1]
