"""Plots of heatmaps, scores and embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..diagnosis.embeddings import EmbeddingDistances, area_under_roc
from ..errors import PlotError
from .style import (
    BLUE,
    COLOURS,
    LINES,
    ORANGE,
    YELLOW,
    _axes,
    _finish,
    _ink,
    _table,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

    from ..data import FrameDetections, Letterbox


def embedding_distances(pairs: Any, *, threshold: float | None = None, bins: int = 50, ax: Axes | None = None) -> Axes:
    """Draw cosine distances between embeddings of the same person and of different people, as densities.

    The title gives the area under the ROC curve: the chance that a same-person pair is nearer than one of different
    people.

    Parameters
    ----------
    pairs
        What `fl.diagnosis.embedding_distances` returns, or a DataFrame with the columns `distance` (1 - cosine
        similarity, in [0, 2]) and `same` (bool).
    threshold
        The setting `tracked_thresh`, drawn as a line with the share of each kind below it.
    bins
        Number of histogram bins.

    Examples
    --------
    >>> scene = fl.example()
    >>> ids = fl.diagnosis.label_detections(scene.detections, scene.ground_truth)
    >>> pairs = fl.diagnosis.embedding_distances(scene.detections.embeddings(), ids, scene.detections.table()["frame"])
    >>> embedding_distances(pairs)
    <Axes: ...>
    """
    ax = _axes(ax, (6, 4))
    if isinstance(pairs, EmbeddingDistances):
        same, other = np.asarray(pairs.same, float), np.asarray(pairs.different, float)
    else:
        table = _table(pairs, "pairs", ("distance", "same"))
        same = table.distance[table.same.astype(bool)].to_numpy(float)
        other = table.distance[~table.same.astype(bool)].to_numpy(float)
    top = max(same.max(initial=0), other.max(initial=0), 1e-6)
    edges = np.linspace(0, top, bins + 1).tolist()
    for values, name, colour, style in ((same, "same person", BLUE, "-"), (other, "different people", ORANGE, "--")):
        if not len(values):
            continue
        note = "" if threshold is None else f", {np.mean(values <= threshold):.0%} below the threshold"
        label = f"{name} ({len(values)} pairs{note})"
        ax.hist(values, edges, density=True, color=colour, alpha=0.35)
        ax.hist(values, edges, density=True, histtype="step", color=colour, linestyle=style, linewidth=1.5, label=label)
    if threshold is not None:
        ax.axvline(threshold, color=_ink(), linestyle=":", label=f"tracked_thresh {threshold:g}")
    if ax.get_legend_handles_labels()[0]:
        ax.legend(frameon=False, fontsize=8, loc="upper right")
    ax.set_ylim(top=ax.get_ylim()[1] * 1.25)  # room for the legend
    ax.set_xlim(0, top)
    auc = area_under_roc(same, other)
    note = "" if np.isnan(auc) else f", area under ROC {auc:.3f}"
    return _finish(ax, f"Embedding distances{note}", "cosine distance (0: alike)", "density")


def score_distributions(
    detections: pd.DataFrame,
    *,
    by: str | None = None,
    threshold: float | None = None,
    bins: int = 40,
    ax: Axes | None = None,
) -> Axes:
    """Draw how many detections there are at each score, on a logarithmic count axis.

    Parameters
    ----------
    detections
        Column `score` and, if named, the column `by`.
    by
        A column to split by (as `matched`, `class_id`, `sequence`): one outline each.
    threshold
        The setting `conf_thres`, drawn as a line with the share of detections above it.

    Examples
    --------
    >>> scene = fl.example()
    >>> score_distributions(scene.detections.table(), threshold=0.4)
    <Axes: ...>
    """
    ax = _axes(ax, (6, 3.6))
    table = _table(detections, "detections", ("score",) if by is None else ("score", by))
    low = min(0.0, float(table.score.min())) if len(table) else 0.0
    high = max(1.0, float(table.score.max())) if len(table) else 1.0
    edges = np.linspace(low, high, bins + 1).tolist()
    groups: list[tuple[str, pd.DataFrame]] = [("all", table)]
    if by is not None:
        parts = list(table.groupby(by))
        groups = [(value if isinstance(value, str) else f"{by} {value!s}", part) for value, part in parts]
    for number, (name, part) in enumerate(groups):
        colour = COLOURS[number % len(COLOURS)]
        style = LINES[number % len(LINES)]
        ax.hist(part.score, edges, color=colour, alpha=0.25)
        label = f"{name} ({len(part)})"
        ax.hist(part.score, edges, histtype="step", color=colour, linestyle=style, linewidth=1.5, label=label)
    if threshold is not None:
        share = f", {np.mean(table.score >= threshold):.0%} at or above" if len(table) else ""
        ax.axvline(threshold, color=_ink(), linestyle=":", label=f"conf_thres {threshold:g}{share}")
    if len(table):
        ax.set_yscale("log")
        ax.set_ylim(bottom=0.7)
    ax.set_xlim(low, high)
    if by is not None or threshold is not None:
        ax.legend(frameon=False, fontsize=8)
    return _finish(ax, f"Scores of {len(table)} detections", "score", "detections per bin")


def centre_heatmap(
    detections: FrameDetections,
    image: np.ndarray,
    *,
    threshold: float | None = None,
    opacity: float = 0.6,
    ax: Axes | None = None,
) -> Axes:
    """Draw the network's centre heatmap over the frame it was computed on, with the peaks that pass a threshold.

    Parameters
    ----------
    detections
        A `FrameDetections` with heatmap and letterbox.
    image
        (H, W, 3) uint8 BGR, the frame.
    threshold
        Peaks scoring at least so much are drawn as crosses with their boxes; None draws none.
    opacity
        Of the heatmap where it is 1; it fades out towards 0, so that the frame stays visible.

    Examples
    --------
    >>> scene = fl.example()
    >>> centre_heatmap(scene.detections.frame(1), image=scene.source.image(1))
    <Axes: ...>
    """
    from matplotlib.patches import Rectangle

    ax = _axes(ax, (7, 4.4))
    if detections.heatmap is None or detections.letterbox is None:
        raise PlotError(f"Frame {detections.frame} was kept without its heatmap; run detect(..., heatmaps=True).")
    heatmap = np.asarray(detections.heatmap, float)
    if not 0 <= opacity <= 1:
        raise PlotError(f"opacity is {opacity}; it must lie from 0 to 1.")
    opacities = np.sqrt(np.clip(heatmap, 0, 1)) * opacity
    _cells_over_frame(ax, heatmap, detections.letterbox, image, low=0, alpha=opacities)
    note = ""
    if threshold is not None:
        chosen = np.asarray(detections.scores) >= threshold
        for x, y, w, h in np.asarray(detections.boxes)[chosen]:
            ax.add_patch(Rectangle((x, y), w, h, fill=False, edgecolor=YELLOW, linewidth=1.2))
            ax.plot(x + w / 2, y + h / 2, marker="+", color="white", markersize=7, markeredgewidth=1.5)
        note = f": {int(chosen.sum())} of {len(chosen)} peaks reach {threshold:g}"
    return _finish(ax, f"Centre heatmap, frame {detections.frame}{note}", "x (pixels)", "y (pixels)", grid="")


def similarity_map(
    similarity: np.ndarray,
    letterbox: Letterbox,
    image: np.ndarray,
    *,
    low: float = 0.0,
    opacity: float = 0.65,
    ax: Axes | None = None,
) -> Axes:
    """Draw how much each position of a frame looks like one person; the most similar cell is marked.

    Parameters
    ----------
    similarity
        (H/4, W/4) cosine similarities in [-1, 1], as `fl.diagnosis.similarity_map` computes them.
    letterbox
        Of the same frame: where the cells lie in the image.
    image
        (H, W, 3) uint8 BGR, the frame.
    low
        Similarities up to this have the darkest colour.
    opacity
        Of the colours over the frame.

    Examples
    --------
    >>> scene = fl.example()
    >>> box = scene.detections.frame(1).letterbox
    >>> similarity_map(np.zeros(box.heatmap_size[::-1]), box, scene.source.image(1))
    <Axes: ...>
    """
    ax = _axes(ax, (7, 4.4))
    shown = _cells_over_frame(ax, similarity, letterbox, image, low=low, alpha=opacity)
    ax.figure.colorbar(shown, ax=ax, label="cosine similarity", shrink=0.7)
    row, column = np.unravel_index(np.argmax(similarity), similarity.shape)
    x, y = np.asarray(letterbox.to_image(np.array([[column + 0.5, row + 0.5]], float)))[0]
    ax.plot(x, y, marker="o", markersize=11, markerfacecolor="none", markeredgecolor="white", markeredgewidth=2)
    return _finish(ax, f"Most similar: {similarity.max():.2f} in the ring", "x (pixels)", "y (pixels)", grid="")


def _cells_over_frame(
    ax: Axes, cells: np.ndarray, letterbox: Letterbox, image: np.ndarray, *, low: float, alpha: Any
) -> AxesImage:
    """Draw a map of the network laid over the pixels that it saw, letterbox bars cut off."""
    height, width = image.shape[:2]
    if (width, height) != (letterbox.image_width, letterbox.image_height):
        raise PlotError(
            f"The map is of an image of {letterbox.image_width} x {letterbox.image_height} pixels and the image has "
            f"{width} x {height}; give the frame of the same sequence."
        )
    ax.imshow(image[:, :, ::-1])
    rows, columns = cells.shape
    (left, top), (right, bottom) = np.asarray(letterbox.to_image(np.array([[0, 0], [columns, rows]], float)))
    extent = (left, right, bottom, top)
    drawn = ax.imshow(
        cells, cmap="viridis", vmin=low, vmax=1, alpha=alpha, extent=extent, interpolation="bilinear", aspect="equal"
    )
    ax.set_xlim(0, width)
    ax.set_ylim(height, 0)
    return drawn
