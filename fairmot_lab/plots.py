"""Figures for papers and notebooks: each is a function of a DataFrame, draws on an `ax` and returns it.

Colours are those of Okabe and Ito ("Color Universal Design", 2008) and, for ordered values, cividis and viridis:
readers with any common colour blindness can tell them apart, and nothing is told by colour alone (markers, labels or
line styles repeat it).
Times are in seconds, image positions in pixels of the original image, rates in percent.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .errors import PlotError
from .files import atomic_write
from .inspection import EmbeddingDistances, area_under_roc

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

    from .detection import FrameOutputs, Letterbox

ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILLION, PURPLE = (
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION, YELLOW)
GREY, INK = "#B0B0B0", "#222222"
MISSED = (0.89, 0.89, 0.89)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (3, 1, 1, 1, 1, 1)), (0, (5, 1)), (0, (1, 1)))

# a kind of switch has the same colour and marker in every figure
SWITCH_KINDS = {
    "new id": (BLUE, "o"),
    "takeover": (VERMILLION, "^"),
    "swap": (PURPLE, "X"),
    "lost to another person": (ORANGE, "s"),
    "back to a known id": (GREEN, "D"),
}
METRIC_NAMES = {
    "mota": "MOTA",
    "motp": "MOTP",
    "idf1": "IDF1",
    "idp": "IDP",
    "idr": "IDR",
    "hota": "HOTA",
    "deta": "DetA",
    "assa": "AssA",
    "loca": "LocA",
    "recall": "recall",
    "precision": "precision",
    "ap": "AP at IoU 0.5",
    "rank1": "ReID rank-1",
    "num_switches": "ID switches",
    "num_false_positives": "false positives",
    "num_misses": "misses",
    "num_fragmentations": "fragmentations",
}
RATES = ("mota", "idf1", "idp", "idr", "hota", "deta", "assa", "loca", "recall", "precision")


def save(ax: Axes, path: str | os.PathLike[str], *, dpi: int = 200) -> Path:
    """Write the figure of `ax`: `.pdf`, `.svg` and `.eps` as vectors with selectable text, `.png` as pixels.

    The same figure gives the same file (no date is stored), and the file appears whole or not at all.

    Raises
    ------
    PlotError
        If the suffix is not one of the four.
    WriteError
        If the file cannot be written.
    """
    import matplotlib

    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".pdf", ".svg", ".eps", ".png"):
        raise PlotError(f"{path} has no suffix that a figure is written in; use .pdf, .svg, .eps or .png.")
    dates: dict[str, dict[str, Any]] = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}
    text = {"pdf.fonttype": 42, "ps.fonttype": 42, "svg.fonttype": "none", "svg.hashsalt": "fairmot_lab"}
    with atomic_write(path) as temporary, matplotlib.rc_context(text):
        ax.figure.savefig(temporary, dpi=dpi, metadata=dates.get(suffix), format=suffix[1:])  # type: ignore[union-attr]
    return path


# --- ID switches -----------------------------------------------------------------------------------------------


def switch_timeline(
    evaluation: Any,
    *,
    sequence: str | None = None,
    objects: Sequence[int] | None = None,
    max_lanes: int = 40,
    frame_rate: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """One lane per ground-truth person, coloured by the track id that it carries; a mark at each ID switch.

    A track id has one colour in the whole figure, and ids that follow each other in a lane get different ones.
    Grey stretches are frames in which the person was there and missed.

    Parameters
    ----------
    evaluation
        An `Evaluation`, or its events DataFrame (motmetrics' events: index FrameId, Event; columns Type, OId, HId, D).
    sequence
        Which sequence, where there are several.
    objects
        Ground-truth ids to show, from top to bottom. By default the people with most switches, then longest seen.
    max_lanes
        At most so many lanes; the title says how many people there are.
    frame_rate
        Frames per second: the axis is then in seconds from frame 1, otherwise in frames.

    Raises
    ------
    PlotError
        If the events lack what is drawn, or hold several sequences and none was named.
    """
    states = _states(evaluation, sequence)
    people = _order_people(states)
    if objects is not None:
        unknown = sorted(set(objects) - set(people))
        if unknown:
            raise PlotError(f"no ground-truth person {unknown[0]} in these events; there are {_few(people)}.")
        shown = list(objects)
    else:
        shown = people[:max_lanes]
    ax = _axes(ax, (9, 1.4 + 0.17 * max(len(shown), 6)))
    total = int(states.switch.sum())
    states = states[states.gt_id.isin(shown)]
    segments = _segments(states)
    colours = _id_colours(segments)
    at, half, unit = _time_axis(frame_rate)
    lane: dict[Any, int] = {person: row for row, person in enumerate(shown)}
    span = max(states.frame.max() - states.frame.min(), 1) if len(states) else 1

    for person, parts in segments.groupby("gt_id"):
        row = lane[person]
        ids = parts.track_id.to_numpy()
        left, right = at(parts["first"].to_numpy()) - half, at(parts["last"].to_numpy()) + half
        faces = [colours.get(track_id, MISSED) for track_id in ids]
        ax.broken_barh(np.c_[left, right - left].tolist(), (row - 0.4, 0.8), facecolors=faces, linewidth=0)
        for track_id, begin, end in zip(ids, left, right, strict=True):
            if track_id >= 0 and (end - begin) / (2 * half * span) > 0.011 * (1 + len(str(track_id))):
                ax.text((begin + end) / 2, row, str(track_id), ha="center", va="center", fontsize=7, clip_on=True)
    switches = states[states.switch]
    if len(switches):
        ax.plot(
            at(switches.frame) - half,
            switches.gt_id.map(lane) - 0.4,
            linestyle="none",
            marker="v",
            markersize=6,
            color=INK,
            markeredgecolor="white",
            clip_on=False,
            label="ID switch",
        )
    if (states.track_id < 0).any():
        ax.broken_barh([], (0, 0), facecolors=MISSED, label="missed")
    if ax.get_legend_handles_labels()[0]:
        ax.legend(loc="lower right", bbox_to_anchor=(1, 1), frameon=False, fontsize=8, ncols=2, borderaxespad=0.1)
    ax.set_yticks(range(len(shown)), [str(person) for person in shown], fontsize=8 if len(shown) < 25 else 6)
    ax.set_ylim(len(shown) - 0.5 if shown else 0.5, -0.9)
    some = f"{len(shown)} of {len(people)} people" if len(shown) < len(people) else f"{len(people)} people"
    count = f"{len(switches)} of {total}" if len(switches) < total else str(total)
    return _finish(
        ax,
        f"Who carries which track id: {some}, {count} ID switch{'' if total == 1 else 'es'}",
        unit,
        "ground-truth person",
        grid="x",
    )


def switch_kinds(switches: Any, *, ax: Axes | None = None) -> Axes:
    """How many ID switches there are of each kind, as bars; stacked by sequence where there are several.

    Parameters
    ----------
    switches
        An `Evaluation`, or its switches DataFrame (columns `kind` and, optionally, `sequence`).
    """
    from matplotlib.ticker import MaxNLocator

    ax = _axes(ax, (6, 3))
    table = _table(switches, "switches", ("kind",))
    kinds = _kinds(table)
    rows = np.arange(len(kinds))
    sequences = list(dict.fromkeys(table["sequence"])) if "sequence" in table else []
    if len(sequences) > 1:
        left = np.zeros(len(kinds))
        for number, name in enumerate(sequences):
            part = table[table["sequence"] == name]
            width = np.array([(part.kind == kind).sum() for kind in kinds], float)
            face = COLOURS[number % len(COLOURS)]
            hatch = ("", "//", "..", "xx")[number // len(COLOURS) % 4]
            ax.barh(rows, width, left=left, color=face, hatch=hatch, edgecolor="white", linewidth=0.5, label=name)
            left += width
        ax.legend(fontsize=7, frameon=False)
    else:
        left = np.array([(table.kind == kind).sum() for kind in kinds], float)
        ax.barh(rows, left, color=[_kind_style(kind)[0] for kind in kinds])
    for row, count in zip(rows, left, strict=True):
        ax.text(count, row, f" {int(count)}", va="center", fontsize=9)
    ax.set_yticks(rows, kinds)
    ax.set_ylim(len(kinds) - 0.4, -0.6)
    ax.set_xlim(0, max(left.max(initial=0) * 1.12, 1))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    return _finish(ax, f"Kinds of ID switch ({len(table)} in all)", "ID switches", "", grid="x")


def gap_against_distance(
    switches: Any, *, distance: str = "appearance_distance", threshold: float | None = None, ax: Axes | None = None
) -> Axes:
    """For each ID switch, how long the person was lost against how different the person then looked.

    Parameters
    ----------
    switches
        An `Evaluation`, or its switches DataFrame: columns `kind`, `gap` (frames since the last match) and `distance`.
    distance
        The column with the cosine distance between the embedding before and after; rows without one are left out and
        counted in the title.
    threshold
        The setting `tracked_thresh`, drawn as a line: the association refuses what is above.
    """
    ax = _axes(ax, (6, 4))
    table = _table(switches, "switches", ("kind", "gap", distance))
    known = table[table[distance].notna()]
    for kind in _kinds(known):
        part = known[known.kind == kind]
        colour, marker = _kind_style(kind)
        ax.plot(part.gap, part[distance], linestyle="none", marker=marker, color=colour, alpha=0.85, label=kind)
    if len(known) and known.gap.max() > 100:
        ax.set_xscale("log")
    if threshold is not None:
        ax.axhline(threshold, color=INK, linestyle="--", linewidth=1, label=f"tracked_thresh {threshold:g}")
    if len(known) or threshold is not None:
        ax.legend(fontsize=8, frameon=False)
    ax.set_ylim(bottom=0)
    left_out = len(table) - len(known)
    note = f"\n{left_out} more have no embedding on one side" if left_out else ""
    return _finish(
        ax,
        f"Lost for how long, and looking how different ({len(known)} ID switches){note}",
        "frames since the last match",
        "cosine distance before / after",
    )


def switch_map(
    switches: Any,
    *,
    image: np.ndarray | None = None,
    size: tuple[int, int] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Where in the image ID switches happen: a mark at the feet of each person, by kind.

    Parameters
    ----------
    switches
        An `Evaluation`, or its switches DataFrame: columns `kind`, `x`, `y`, `w`, `h` (pixels of the original image).
    image
        (H, W, 3) uint8 BGR, drawn pale behind the marks.
    size
        Width and height of the image in pixels, where no image is given.
    """
    ax = _axes(ax, (7, 4.4))
    table = _table(switches, "switches", ("kind", "x", "y", "w", "h"))
    _backdrop(ax, image, size)
    for kind in _kinds(table):
        part = table[table.kind == kind]
        colour, marker = _kind_style(kind)
        ax.plot(
            part.x + part.w / 2,
            part.y + part.h,
            linestyle="none",
            marker=marker,
            markersize=8,
            color=colour,
            markeredgecolor="white",
            label=f"{kind} ({len(part)})",
        )
    if len(table):
        ax.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, borderaxespad=0)
    return _finish(ax, f"Where ID switches happen ({len(table)})", "x (pixels)", "y (pixels)", grid="")


def life_lines(
    evaluation: Any,
    *,
    sequence: str | None = None,
    max_lanes: int = 60,
    frame_rate: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """One line per ground-truth person from first to last frame: tracked, missed, and where its id switched.

    The share of its frames in which it was tracked stands at the end of each line. People are in the order in which
    they appear.

    Parameters
    ----------
    evaluation, sequence, frame_rate
        As for `switch_timeline`.
    max_lanes
        At most so many people, the first to appear; the title says how many there are.
    """
    states = _states(evaluation, sequence)
    at, half, unit = _time_axis(frame_rate)
    first = states.groupby("gt_id").frame.min().sort_values(kind="stable")
    shown = list(first.index[:max_lanes])
    ax = _axes(ax, (8, 1.4 + 0.14 * max(len(shown), 8)))
    rows = {person: row for row, person in enumerate(shown)}
    visible = states[states.gt_id.isin(shown)].assign(track_id=lambda t: np.where(t.track_id >= 0, 0, -1))
    parts = _segments(visible)
    y = parts.gt_id.map(rows)
    for tracked, colour, width, label in ((True, BLUE, 3.5, "tracked"), (False, ORANGE, 1.3, "missed")):
        chosen = (parts.track_id >= 0) == tracked
        ax.hlines(
            y[chosen],
            at(parts["first"][chosen]) - half,
            at(parts["last"][chosen]) + half,
            colors=colour,
            linewidth=width,
            label=label,
        )
    switches = visible[visible.switch]
    ax.plot(
        at(switches.frame) - half,
        switches.gt_id.map(rows),
        linestyle="none",
        marker="|",
        markersize=9,
        markeredgewidth=1.6,
        color=INK,
        label="ID switch",
    )
    small = 8 if len(shown) <= 30 else 6
    for person, part in visible.groupby("gt_id"):
        share = (part.track_id >= 0).mean()
        ax.text(at(part.frame.max()) + half, rows[person], f"  {share:.0%}", va="center", fontsize=small - 1, color=INK)
    ax.set_yticks(range(len(shown)), [str(person) for person in shown], fontsize=small)
    ax.set_ylim(len(shown) - 0.4 if shown else 0.5, -0.6)
    ax.margins(x=0.07)
    ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False, fontsize=8, borderaxespad=0.1)
    total = len(first)
    some = f"{len(shown)} of {total} people" if len(shown) < total else f"{total} people"
    return _finish(ax, f"Life lines of {some}", unit, "ground-truth person", grid="x")


# --- settings and trackers -------------------------------------------------------------------------------------


def metric_against_threshold(
    table: pd.DataFrame,
    setting: str,
    metrics: Sequence[str] = ("mota", "idf1", "hota"),
    *,
    default: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """How the metrics change with one setting of a sweep.

    Parameters
    ----------
    table
        What `sweep` returns: one row per setting; of several sequences the rows named OVERALL are drawn.
        Where other settings were swept too, the line is the median and the band spans all of them.
    setting
        The column for the x axis.
    metrics
        Columns in [0, 1], drawn in percent. Counts (as `num_switches`) get an axis of their own on the right.
    default
        The value the setting has by default: drawn as a line.
    """
    ax = _axes(ax, (6, 4))
    table = _overall(_table(table, "summary", (setting, *metrics)))
    right = None
    for number, metric in enumerate(metrics):
        percent = 100 if metric in RATES else 1
        if percent == 1 and right is None:
            right = ax.twinx()
            right.spines["top"].set_visible(False)
        target = ax if percent == 100 or right is None else right
        groups = (table.set_index(setting)[metric].astype(float) * percent).groupby(level=0)
        middle, low, high = groups.median(), groups.min(), groups.max()
        colour = COLOURS[number % len(COLOURS)]
        if (high > low).any():
            target.fill_between(middle.index, low, high, color=colour, alpha=0.18, linewidth=0)
        name = METRIC_NAMES.get(metric, metric)
        target.plot(
            middle.index,
            middle,
            color=colour,
            marker=MARKERS[number % len(MARKERS)],
            markersize=5,
            linestyle=LINES[number % len(LINES)],
            label=name if percent == 100 else f"{name} (right)",
        )
    handles, labels = ax.get_legend_handles_labels()
    if right is not None:
        more = right.get_legend_handles_labels()
        handles, labels = handles + more[0], labels + more[1]
        right.set_ylabel("count")
    if default is not None:
        line = ax.axvline(default, color=INK, linestyle=":", linewidth=1)
        handles, labels = [*handles, line], [*labels, f"default {default:g}"]
    ax.legend(handles, labels, frameon=False, fontsize=8)
    names = ", ".join(METRIC_NAMES.get(metric, metric) for metric in metrics)
    return _finish(ax, f"{names} against {setting}", setting, "percent")


def setting_heatmap(table: pd.DataFrame, x: str, y: str, metric: str = "idf1", *, ax: Axes | None = None) -> Axes:
    """One metric over two settings of a sweep as a coloured grid with the values written in; the best cell is framed.

    Parameters
    ----------
    table
        What `sweep` returns; of several sequences the rows named OVERALL are drawn. Where more than these two settings
        were swept, a cell shows the best of them, and the title says so.
    x, y
        The two settings.
    metric
        The column to show; of counts of errors the smallest is the best.
    """
    ax = _axes(ax, (6, 4.2))
    table = _overall(_table(table, "summary", (x, y, metric)))
    rate = metric in RATES
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
    name = METRIC_NAMES.get(metric, metric)
    bar = ax.figure.colorbar(image, ax=ax)
    bar.set_label(f"{name} (percent)" if rate else name)
    bar.outline.set_visible(False)  # type: ignore[operator]
    more = len(table) > finite.sum()
    note = " (best over the other settings)" if more else ""
    return _finish(ax, f"{name} over {x} and {y}{note}", x, y, grid="")


def parallel_coordinates(
    table: pd.DataFrame, settings: Sequence[str], metric: str = "idf1", *, ax: Axes | None = None
) -> Axes:
    """Every run of a sweep as a line through its settings to its metric, coloured by the metric; the best one thick.

    Parameters
    ----------
    table
        What `sweep` returns; of several sequences the rows named OVERALL are drawn.
    settings
        Columns, one axis each; numbers keep their spacing, words and booleans are spread evenly.
    metric
        The column of the last axis.
    """
    import matplotlib
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    ax = _axes(ax, (8, 4.2))
    table = _overall(_table(table, "summary", (*settings, metric)))
    table = table[table[metric].notna()]
    rate = metric in RATES
    score = table[metric].to_numpy(float) * (100 if rate else 1)
    columns, ticks = [], []
    for name in settings:
        values = table[name]
        if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
            numbers = values.to_numpy(float)
            labels = {v: f"{v:.3g}" for v in np.unique(numbers)}
        else:
            words = [str(value) for value in values]
            places = {word: number for number, word in enumerate(sorted(set(words)))}
            numbers = np.array([places[word] for word in words], float)
            labels = {float(number): word for word, number in places.items()}
        low, high = numbers.min(initial=np.inf), numbers.max(initial=-np.inf)
        width = high - low if high > low else 1.0
        columns.append((numbers - low) / width if high > low else np.full(len(numbers), 0.5))
        chosen = list(labels) if len(labels) <= 8 else list(np.array(list(labels))[[0, len(labels) // 2, -1]])
        ticks.append([((v - low) / width if high > low else 0.5, labels[v]) for v in chosen])
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
        ax.axvline(position, color=INK, linewidth=0.8)
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
    ax.axvline(len(settings), color=INK, linewidth=0.8)
    name = METRIC_NAMES.get(metric, metric)
    label = f"{name} (percent)" if rate else name
    ax.figure.colorbar(ScalarMappable(norm, "viridis_r"), ax=ax, label=label)
    ax.set_xticks(range(len(settings) + 1), [*settings, name])
    ax.set_yticks([])
    ax.set_xlim(-0.35, len(settings) + 0.1)
    ax.set_ylim(-0.06, 1.06)
    _finish(ax, f"{len(table)} runs: settings and {name}", "", "", grid="")
    ax.spines["left"].set_visible(False)
    return ax


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
        If a metric is not a rate, the kind is unknown, or the results were evaluated under different protocols or
        rules.
    """
    counts = [metric for metric in metrics if metric not in RATES]
    if counts:
        raise PlotError(
            f"{counts[0]} is not a rate in [0, 1] and cannot share this axis; choose from {', '.join(RATES)}."
        )
    if kind not in ("bars", "radar"):
        raise PlotError(f"kind is 'bars' or 'radar', not {kind!r}.")
    for key in ("protocol", "rules"):
        found = {value for value in (getattr(result, key, None) for result in results.values()) if value is not None}
        if len(found) > 1:
            raise PlotError(f"figures of different {key} ({', '.join(sorted(found))}) cannot be compared in one plot.")
    values = np.array([[_overall_value(result, metric) * 100 for metric in metrics] for result in results.values()])
    values = values.reshape(len(results), len(metrics))
    names = [METRIC_NAMES.get(metric, metric) for metric in metrics]
    return (_radar if kind == "radar" else _bars)(values, list(results), names, ax)


def hota_curves(curves: Any, *, part: str = "hota", ax: Axes | None = None) -> Axes:
    """HOTA (or a part of it) over the localisation threshold alpha, one line per tracker (Luiten et al., IJCV 2021).

    Parameters
    ----------
    curves
        Tracker name to a DataFrame with columns `alpha` and `hota`, `deta`, `assa` in [0, 1]; or one such DataFrame, of
        which all three parts are drawn.
    part
        Which column, where several trackers are compared.
    """
    ax = _axes(ax, (6, 4))
    if isinstance(curves, Mapping):
        lines = [(name, _table(table, "hota_curves", ("alpha", part)), part) for name, table in curves.items()]
        title = f"{METRIC_NAMES.get(part, part)} over the localisation threshold"
    else:
        table = _table(curves, "hota_curves", ("alpha", "hota", "deta", "assa"))
        lines = [(METRIC_NAMES[column], table, column) for column in ("hota", "deta", "assa")]
        title = "HOTA and its parts over the localisation threshold"
    for number, (name, table, column) in enumerate(lines):
        mean = table[column].mean() * 100
        ax.plot(
            table.alpha,
            table[column] * 100,
            color=COLOURS[number % len(COLOURS)],
            linestyle=LINES[number % len(LINES)],
            marker=MARKERS[number % len(MARKERS)],
            markersize=4,
            label=f"{name} (mean {mean:.1f})",
        )
    ax.legend(frameon=False, fontsize=8)
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 100)
    return _finish(ax, title, "alpha (IoU at which a match counts)", "percent")


# --- appearance and detections ---------------------------------------------------------------------------------


def embedding_distances(pairs: Any, *, threshold: float | None = None, bins: int = 50, ax: Axes | None = None) -> Axes:
    """Cosine distances between embeddings of the same person and of different people, as densities.

    The title gives the area under the ROC curve: the chance that a same-person pair is nearer than one of different
    people.

    Parameters
    ----------
    pairs
        What `inspection.embedding_distances` returns, or a DataFrame with the columns `distance` (1 - cosine
        similarity, in [0, 2]) and `same` (bool).
    threshold
        The setting `tracked_thresh`, drawn as a line with the share of each kind below it.
    bins
        Number of histogram bins.
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
        ax.axvline(threshold, color=INK, linestyle=":", label=f"tracked_thresh {threshold:g}")
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
    """How many detections there are at each score, on a logarithmic count axis.

    Parameters
    ----------
    detections
        Column `score` and, if named, the column `by`.
    by
        A column to split by (as `matched`, `class_id`, `sequence`): one outline each.
    threshold
        The setting `conf_thres`, drawn as a line with the share of detections above it.
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
        ax.axvline(threshold, color=INK, linestyle=":", label=f"conf_thres {threshold:g}{share}")
    if len(table):
        ax.set_yscale("log")
        ax.set_ylim(bottom=0.7)
    ax.set_xlim(low, high)
    if by is not None or threshold is not None:
        ax.legend(frameon=False, fontsize=8)
    return _finish(ax, f"Scores of {len(table)} detections", "score", "detections per bin")


def centre_heatmap(
    outputs: FrameOutputs,
    image: np.ndarray,
    *,
    threshold: float | None = None,
    opacity: float = 0.6,
    ax: Axes | None = None,
) -> Axes:
    """The network's centre heatmap over the frame it was computed on, with the peaks that pass a threshold.

    Parameters
    ----------
    outputs
        A `FrameOutputs` with heatmap and letterbox.
    image
        (H, W, 3) uint8 BGR, the frame.
    threshold
        Peaks scoring at least so much are drawn as crosses with their boxes; None draws none.
    opacity
        Of the heatmap where it is 1; it fades out towards 0, so that the frame stays visible.
    """
    from matplotlib.patches import Rectangle

    ax = _axes(ax, (7, 4.4))
    if outputs.heatmap is None or outputs.letterbox is None:
        raise PlotError(f"frame {outputs.frame} was kept without its heatmap; run detect(..., heatmaps=True).")
    heatmap = np.asarray(outputs.heatmap, float)
    opacities = np.sqrt(np.clip(heatmap, 0, 1)) * np.clip(opacity, 0, 1)
    _cells_over_frame(ax, heatmap, outputs.letterbox, image, cmap="viridis", low=0, high=1, alpha=opacities)
    note = ""
    if threshold is not None:
        chosen = np.asarray(outputs.scores) >= threshold
        for x, y, w, h in np.asarray(outputs.boxes)[chosen]:
            ax.add_patch(Rectangle((x, y), w, h, fill=False, edgecolor=YELLOW, linewidth=1.2))
            ax.plot(x + w / 2, y + h / 2, marker="+", color="white", markersize=7, markeredgewidth=1.5)
        note = f": {int(chosen.sum())} of {len(chosen)} peaks reach {threshold:g}"
    return _finish(ax, f"Centre heatmap, frame {outputs.frame}{note}", "x (pixels)", "y (pixels)", grid="")


def similarity_map(
    similarity: np.ndarray,
    letterbox: Letterbox,
    image: np.ndarray,
    *,
    low: float = 0.0,
    opacity: float = 0.65,
    ax: Axes | None = None,
) -> Axes:
    """How much each position of a frame looks like one person; the most similar cell is marked.

    Parameters
    ----------
    similarity
        (H/4, W/4) cosine similarities in [-1, 1], as `inspection.similarity_map` computes them.
    letterbox
        Of the same frame: where the cells lie in the image.
    image
        (H, W, 3) uint8 BGR, the frame.
    low
        Similarities up to this have the darkest colour.
    opacity
        Of the colours over the frame.
    """
    ax = _axes(ax, (7, 4.4))
    shown = _cells_over_frame(ax, similarity, letterbox, image, cmap="viridis", low=low, high=1, alpha=opacity)
    ax.figure.colorbar(shown, ax=ax, label="cosine similarity", shrink=0.7)
    row, column = np.unravel_index(np.argmax(similarity), similarity.shape)
    x, y = np.asarray(letterbox.to_image(np.array([[column + 0.5, row + 0.5]], float)))[0]
    ax.plot(x, y, marker="o", markersize=11, markerfacecolor="none", markeredgecolor="white", markeredgewidth=2)
    return _finish(ax, f"Most similar: {similarity.max():.2f} in the ring", "x (pixels)", "y (pixels)", grid="")


# --- frames and time -------------------------------------------------------------------------------------------


def errors_over_time(
    per_frame: Any,
    *,
    sequence: str | None = None,
    window: int = 1,
    frame_rate: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """False positives and misses in each frame, and marks where ids switch.

    Parameters
    ----------
    per_frame
        An `Evaluation`, or its per_frame DataFrame: columns `frame`, `num_false_positives`, `num_misses`,
        `num_switches`.
    sequence
        Which sequence, where there are several.
    window
        Frames of a centred running mean; 1 shows each frame.
    frame_rate
        Frames per second: the axis is then in seconds from frame 1, otherwise in frames.
    """
    ax = _axes(ax, (8, 3.4))
    columns = ("frame", "num_false_positives", "num_misses", "num_switches")
    table = _one_sequence(_table(per_frame, "per_frame", columns), sequence)
    at, _, unit = _time_axis(frame_rate)
    time = at(table.frame)
    for column, colour, style in (("num_misses", ORANGE, "-"), ("num_false_positives", BLUE, "--")):
        smooth = table[column].rolling(window, center=True, min_periods=1).mean()
        label = f"{METRIC_NAMES[column]} ({int(table[column].sum())})"
        ax.plot(time, smooth, color=colour, linestyle=style, linewidth=1.4, label=label)
    ax.set_ylim(bottom=0)
    switched = table.num_switches > 0
    ax.plot(
        time[switched],
        np.full(int(switched.sum()), 1.0),
        transform=ax.get_xaxis_transform(),
        linestyle="none",
        marker="v",
        color=INK,
        clip_on=False,
        label=f"ID switches ({int(table.num_switches.sum())})",
    )
    ax.legend(frameon=False, fontsize=8, ncols=3, loc="lower right", bbox_to_anchor=(1, 1.02), borderaxespad=0.1)
    mean = f", mean over {window} frames" if window > 1 else ""
    _finish(ax, "", unit, f"boxes per frame{mean}")
    ax.set_title("Errors over time", loc="left", fontsize=11)
    return ax


def trajectories(
    tracks: pd.DataFrame,
    *,
    image: np.ndarray | None = None,
    size: tuple[int, int] | None = None,
    ids: Sequence[int] | None = None,
    max_labels: int = 25,
    ax: Axes | None = None,
) -> Axes:
    """The paths of people's feet over a frame; a ring where each begins, its id where it ends (of the longest paths).

    Parameters
    ----------
    tracks
        Columns `frame`, `id`, `x`, `y`, `w`, `h` (pixels of the original image): tracks or ground truth.
    image
        (H, W, 3) uint8 BGR, drawn pale behind the paths.
    size
        Width and height of the image in pixels, where no image is given.
    ids
        Only these ids.
    max_labels
        So many ids are written, those of the longest paths.
    """
    ax = _axes(ax, (7, 4.4))
    table = _table(tracks, "tracks", ("frame", "id", "x", "y", "w", "h"))
    everyone = table.id.nunique()
    if ids is not None:
        table = table[table.id.isin(ids)]
    _backdrop(ax, image, size)
    labelled = set(table.id.value_counts().index[:max_labels])
    for number, (track_id, path) in enumerate(table.sort_values("frame", kind="stable").groupby("id")):
        x, y = (path.x + path.w / 2).to_numpy(), (path.y + path.h).to_numpy()
        colour = COLOURS[number % len(COLOURS)]
        ax.plot(x, y, color="white", linewidth=3.2, alpha=0.7)
        ax.plot(x, y, color=colour, linestyle=LINES[number // len(COLOURS) % len(LINES)], linewidth=1.7)
        ax.plot(x[0], y[0], marker="o", markersize=5, markerfacecolor="white", markeredgecolor=colour)
        if track_id not in labelled:
            continue
        ax.text(
            x[-1],
            y[-1],
            str(track_id),
            fontsize=7,
            ha="center",
            va="center",
            clip_on=True,
            bbox={"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": colour, "linewidth": 1.2},
        )
    shown = table.id.nunique()
    some = f"{shown} of {everyone} ids" if shown < everyone else f"{shown} ids"
    return _finish(ax, f"Trajectories of {some}", "x (pixels)", "y (pixels)", grid="")


def association_growth(table: pd.DataFrame, *, x: str = "people", ax: Axes | None = None) -> Axes:
    """How an association engine's time grows with people or frames, on logarithmic axes.

    The ratio of the slowest engine to each other one stands beside its points.

    Parameters
    ----------
    table
        Columns `engine`, `seconds` and `x`: what `benchmarks/association.py` measures.
    x
        "people" (per frame; the y axis is then milliseconds a frame where the column `frames` exists) or "frames".
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
            color=COLOURS[number % len(COLOURS)],
            marker=MARKERS[number % len(MARKERS)],
            linestyle=LINES[number % len(LINES)],
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
    metrics: Sequence[str] = ("ap", "recall", "rank1"),
    *,
    loss: str = "heatmap",
    x: str = "step",
    ax: Axes | None = None,
) -> Axes:
    """What a training run reaches on held-out footage (left axis, percent) and one of its losses (right axis).

    Parameters
    ----------
    curve
        The curve.csv that training writes: columns `x`, `loss` and the metrics in [0, 1]; a metric is empty where it
        was not measured.
    metrics
        Columns to draw on the left axis.
    loss
        Column to draw on the right axis.
    """
    ax = _axes(ax, (6, 4))
    curve = _table(curve, "curve", (x, loss, *metrics))
    for number, metric in enumerate(metrics):
        part = curve[curve[metric].notna()]
        ax.plot(
            part[x],
            part[metric] * 100,
            color=COLOURS[number % len(COLOURS)],
            marker=MARKERS[number % len(MARKERS)],
            linestyle=LINES[number % len(LINES)],
            label=METRIC_NAMES.get(metric, metric),
        )
    right = ax.twinx()
    known = curve[curve[loss].notna()]
    right.plot(known[x], known[loss], color=GREY, linewidth=1, label=f"loss: {loss} (right)")
    right.set_ylabel("loss")
    right.spines["top"].set_visible(False)
    right.set_zorder(ax.get_zorder() - 1)
    ax.patch.set_visible(False)
    handles, labels = ax.get_legend_handles_labels()
    more = right.get_legend_handles_labels()
    ax.legend(handles + more[0], labels + more[1], frameon=False, fontsize=8, loc="center right")
    return _finish(ax, "Learning curve on held-out footage", x, "percent")


# --- shared parts ----------------------------------------------------------------------------------------------


def _axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size, layout="constrained")[1]


def _finish(ax: Axes, title: str, xlabel: str, ylabel: str, grid: str = "both") -> Axes:
    ax.set_title(title, loc="left", fontsize=11)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.set_axisbelow(True)
    if grid:
        ax.grid(axis=grid, color="#DDDDDD", linewidth=0.6)  # type: ignore[arg-type]
    return ax


def _table(data: Any, attribute: str, columns: Sequence[str]) -> pd.DataFrame:
    """`data` if it is a DataFrame, else its attribute of that name; every column must be there."""
    table = data if isinstance(data, pd.DataFrame) else getattr(data, attribute, None)
    if not isinstance(table, pd.DataFrame):
        raise PlotError(f"a figure of {attribute} needs a DataFrame, not {type(data).__name__}.")
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise PlotError(f"this figure needs the column {missing[0]!r}; the table has {_few(table.columns)}.")
    return table


def _few(values: Any) -> str:
    values = [str(value) for value in values]
    return ", ".join(values[:25]) + (f" and {len(values) - 25} more" if len(values) > 25 else "") if values else "none"


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, (int, float, np.number)) and not isinstance(value, bool) else str(value)


def _one_sequence(table: pd.DataFrame, sequence: str | None) -> pd.DataFrame:
    if "sequence" not in table:
        return table
    names = list(dict.fromkeys(table["sequence"]))
    if sequence is None and len(names) > 1:
        raise PlotError(f"there are {len(names)} sequences; name one of {_few(names)} with sequence=...")
    if sequence is not None and sequence not in names:
        raise PlotError(f"no sequence {sequence!r} here; there are {_few(names)}.")
    return table if sequence is None else table[table["sequence"] == sequence]


def _overall(table: pd.DataFrame) -> pd.DataFrame:
    if "sequence" not in table or not (table["sequence"] == "OVERALL").any():
        return table
    return table[table["sequence"] == "OVERALL"]


def _overall_value(result: Any, metric: str) -> float:
    summary = result if isinstance(result, pd.DataFrame) else getattr(result, "summary", None)
    if not isinstance(summary, pd.DataFrame):
        raise PlotError(f"a comparison needs an Evaluation or a summary DataFrame, not {type(result).__name__}.")
    rows = _overall(summary)
    if len(rows) != 1:
        raise PlotError(f"the summary has {len(rows)} rows and none named OVERALL; give one row per tracker.")
    return float(rows[metric].iloc[0]) if metric in rows else float("nan")


def _states(evaluation: Any, sequence: str | None) -> pd.DataFrame:
    """What each ground-truth person was in each frame: columns frame, gt_id, track_id (-1: missed), switch (bool)."""
    events = evaluation if isinstance(evaluation, pd.DataFrame) else getattr(evaluation, "events", None)
    if isinstance(events, Mapping):
        events = pd.concat(events, names=["sequence"])
    if not isinstance(events, pd.DataFrame):
        raise PlotError(f"a figure of events needs an Evaluation or its events, not {type(evaluation).__name__}.")
    rows = _one_sequence(_table(events.reset_index(), "events", ("FrameId", "Type", "OId", "HId")), sequence)
    kind = rows.Type.astype(str)
    # RAW rows are all candidate pairs; ASCEND, TRANSFER and MIGRATE repeat a switch from other points of view
    rows = rows[kind.isin(["MATCH", "SWITCH", "MISS"])]
    kind = rows.Type.astype(str)
    states = pd.DataFrame(
        {
            "frame": rows.FrameId.astype(np.int64),
            "gt_id": rows.OId.astype(np.int64),
            "track_id": rows.HId.where(kind != "MISS").fillna(-1).astype(np.int64),
            "switch": kind == "SWITCH",
        }
    )
    return states.sort_values(["gt_id", "frame"], kind="stable", ignore_index=True)


def _segments(states: pd.DataFrame) -> pd.DataFrame:
    """Runs of consecutive frames in which a person carried one id: columns gt_id, track_id, first, last."""
    new = (
        states.gt_id.ne(states.gt_id.shift())
        | states.track_id.ne(states.track_id.shift())
        | states.frame.diff().ne(1)
        | states.switch
    )
    runs = states.groupby(new.cumsum())
    first = runs[["gt_id", "track_id", "frame"]].first().rename(columns={"frame": "first"})
    return first.assign(last=runs.frame.last()).reset_index(drop=True)


def _order_people(states: pd.DataFrame) -> list[int]:
    people = states.groupby("gt_id").agg(switches=("switch", "sum"), length=("frame", "size"))
    return [int(p) for p in people.sort_values(["switches", "length"], ascending=False, kind="stable").index]


def _id_colours(segments: pd.DataFrame) -> dict[int, tuple[float, float, float]]:
    """A colour for each track id such that ids which follow each other in a lane differ (greedy graph colouring)."""
    carried = segments[segments.track_id >= 0]
    neighbours: dict[int, set[int]] = {int(i): set() for i in carried.sort_values("first", kind="stable").track_id}
    for _, lane in carried.groupby("gt_id"):
        ids = lane.track_id.tolist()
        for before, after in pairwise(ids):
            if before != after:
                neighbours[before].add(after)
                neighbours[after].add(before)
    chosen: dict[int, int] = {}
    for number, track_id in enumerate(neighbours):
        taken = {chosen[other] for other in neighbours[track_id] if other in chosen}
        turn = [(number + step) % len(COLOURS) for step in range(len(COLOURS))]
        chosen[track_id] = next((colour for colour in turn if colour not in taken), turn[0])
    return {track_id: _pale(COLOURS[colour]) for track_id, colour in chosen.items()}


def _pale(colour: str) -> tuple[float, float, float]:
    """The colour mixed with white, so that black text on it stays readable."""
    from matplotlib.colors import to_rgb

    red, green, blue = (0.68 * part + 0.32 for part in to_rgb(colour))
    return red, green, blue


def _kinds(switches: pd.DataFrame) -> list[str]:
    present = list(dict.fromkeys(switches.kind))
    known = [kind for kind in SWITCH_KINDS if kind in present]
    return known + [kind for kind in present if kind not in SWITCH_KINDS]


def _kind_style(kind: str) -> tuple[str, str]:
    return SWITCH_KINDS.get(kind, (GREY, "*"))


def _time_axis(frame_rate: float | None) -> tuple[Callable[[Any], Any], float, str]:
    """Where a frame number lies on the axis, half the width of a frame there, and the axis' label."""
    if frame_rate is None:
        return lambda frame: frame, 0.5, "frame"
    if not frame_rate > 0:
        raise PlotError(f"frame_rate is {frame_rate}; it must be a number of frames per second above 0.")
    return lambda frame: (frame - 1) / frame_rate, 0.5 / frame_rate, "time (s)"


def _backdrop(ax: Axes, image: np.ndarray | None, size: tuple[int, int] | None) -> None:
    """A pale image behind the marks and axes in pixels with y downwards."""
    if image is not None:
        pale = image[:, :, ::-1].astype(np.float32) * 0.55 + 255 * 0.45
        ax.imshow(pale.astype(np.uint8), zorder=-1)
        size = (image.shape[1], image.shape[0])
    ax.set_aspect("equal")
    if size is not None:
        ax.set_xlim(0, size[0])
        ax.set_ylim(size[1], 0)
    elif not ax.yaxis_inverted():
        ax.invert_yaxis()


def _cells_over_frame(
    ax: Axes,
    cells: np.ndarray,
    letterbox: Letterbox,
    image: np.ndarray,
    *,
    cmap: str,
    low: float,
    high: float,
    alpha: Any,
) -> AxesImage:
    """A map of the network laid over the pixels that it saw, letterbox bars cut off."""
    height, width = image.shape[:2]
    ax.imshow(image[:, :, ::-1])
    rows, columns = cells.shape
    (left, top), (right, bottom) = np.asarray(letterbox.to_image(np.array([[0, 0], [columns, rows]], float)))
    extent = (left, right, bottom, top)
    drawn = ax.imshow(
        cells, cmap=cmap, vmin=low, vmax=high, alpha=alpha, extent=extent, interpolation="bilinear", aspect="equal"
    )
    ax.set_xlim(0, width)
    ax.set_ylim(height, 0)
    return drawn


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
    ax.axhline(0, color=INK, linewidth=0.8)
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
        raise PlotError("a radar needs a polar ax: plt.subplots(subplot_kw={'projection': 'polar'}).")
    if len(names) < 3:
        raise PlotError(f"a radar needs three metrics or more, not {len(names)}; use kind='bars'.")
    angles = np.linspace(0, 2 * np.pi, len(names), endpoint=False)
    below = [tracker for tracker, row in zip(trackers, values, strict=True) if (row < 0).any()]
    for number, tracker in enumerate(trackers):
        row = np.clip(values[number], 0, 100)
        colour = COLOURS[number % len(COLOURS)]
        ax.plot(
            np.append(angles, angles[0]),
            np.append(row, row[0]),
            color=colour,
            linestyle=LINES[number % len(LINES)],
            marker=MARKERS[number % len(MARKERS)],
            label=tracker,
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
