"""Plots of identities and errors over time and in the image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import PlotError
from ..evaluation.names import LABELS
from .style import (
    BLUE,
    COLOURS,
    LINES,
    MISSED,
    ORANGE,
    _at_least,
    _axes,
    _data_frame,
    _few,
    _fill,
    _finish,
    _ink,
    _kind_style,
    _kinds,
    _named,
    _one_sequence,
    _part_of,
    _table,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def switch_timeline(
    evaluation: Any,
    *,
    sequence: str | None = None,
    objects: Sequence[int] | None = None,
    max_lanes: int = 40,
    frame_rate: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw one lane per ground-truth person, coloured by the track id that it carries; a mark at each ID switch.

    A track id has one colour in the whole figure, and ids that follow each other in a lane get different ones.
    Grey stretches are frames in which the person was there and missed.

    Parameters
    ----------
    evaluation
        An `Evaluation`, or its events DataFrame (index sequence, FrameId, Event; columns Type, OId, HId, D).
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

    Examples
    --------
    >>> scene = fl.example()
    >>> switch_timeline(fl.evaluate(scene.tracks, scene.ground_truth))
    <Axes: ...>
    """
    states = _states(evaluation, sequence)
    people = _order_people(states)
    if objects is not None:
        unknown = sorted(set(objects) - set(people))
        if unknown:
            raise PlotError(f"No ground-truth person {unknown[0]} in these events; there are {_few(people)}.")
        shown = list(objects)
    else:
        shown = people[: _at_least(1, max_lanes=max_lanes)]
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
            color=_ink(),
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
    counted = _part_of(len(switches), total, f"ID switch{'' if total == 1 else 'es'}")
    title = f"Who carries which track id: {_part_of(len(shown), len(people), 'people')}, {counted}"
    return _finish(ax, title, unit, "ground-truth person", grid="x")


def switch_kinds(switches: Any, *, ax: Axes | None = None) -> Axes:
    """Draw how many ID switches there are of each kind, as bars; stacked by sequence where there are several.

    Parameters
    ----------
    switches
        An `Evaluation`, or its switches DataFrame (columns `kind` and, optionally, `sequence`).

    Examples
    --------
    >>> scene = fl.example()
    >>> switch_kinds(fl.evaluate(scene.tracks, scene.ground_truth))
    <Axes: ...>
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
            ax.barh(rows, width, left=left, **_fill(number), edgecolor="white", linewidth=0.5, label=_named(name))
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
    """Draw for each ID switch how long the person was lost against how different they looked afterwards.

    Parameters
    ----------
    switches
        An `Evaluation`, or its switches DataFrame: columns `kind`, `gap` (frames since the last match) and `distance`.
    distance
        The column with the cosine distance between the embedding before and after; rows without one are left out and
        counted in the title.
    threshold
        The setting `tracked_thresh`, drawn as a line: the association refuses what is above.

    Examples
    --------
    >>> scene = fl.example()
    >>> switches = fl.evaluate(scene.tracks, scene.ground_truth).switches
    >>> switches["appearance_distance"] = fl.diagnosis.switch_distances(switches, scene.detections, scene.tracks)
    >>> gap_against_distance(switches)
    <Axes: ...>
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
        ax.axhline(threshold, color=_ink(), linestyle="--", linewidth=1, label=f"tracked_thresh {threshold:g}")
    if len(known) or threshold is not None:
        ax.legend(fontsize=8, frameon=False)
    ax.set_ylim(bottom=0)
    left_out = len(table) - len(known)
    note = f"\n{left_out} more without an embedding on one side" if left_out else ""
    title = f"Lost for how long, and looking how different ({len(known)} ID switches){note}"
    return _finish(ax, title, "frames since the last match", "cosine distance before / after")


def switch_map(
    switches: Any,
    *,
    sequence: str | None = None,
    image: np.ndarray | None = None,
    size: tuple[int, int] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw where in the image ID switches happen: a mark at the feet of each person, by kind.

    Parameters
    ----------
    switches
        An `Evaluation`, or its switches DataFrame: columns `kind`, `x`, `y`, `w`, `h` (pixels of the original image).
    sequence
        Which sequence, where there are several: one map is of one camera.
    image
        (H, W, 3) uint8 BGR, drawn pale behind the marks.
    size
        Width and height of the image in pixels, where no image is given.

    Raises
    ------
    PlotError
        If there are several sequences, or the image is of another one.

    Examples
    --------
    >>> scene = fl.example()
    >>> switch_map(fl.evaluate(scene.tracks, scene.ground_truth), image=scene.source.image(20))
    <Axes: ...>
    """
    ax = _axes(ax, (7, 4.4))
    table = _one_sequence(_table(switches, "switches", ("kind", "x", "y", "w", "h")), sequence)
    _backdrop(ax, image, size, table)
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
    """Draw one line per ground-truth person from first to last frame: tracked, missed, and where its id switched.

    The share of its frames in which it was tracked stands at the end of each line. People are in the order in which
    they appear.

    Parameters
    ----------
    evaluation, sequence, frame_rate
        As for `switch_timeline`.
    max_lanes
        At most so many people, the first to appear; the title says how many there are.

    Examples
    --------
    >>> scene = fl.example()
    >>> life_lines(fl.evaluate(scene.tracks, scene.ground_truth))
    <Axes: ...>
    """
    states = _states(evaluation, sequence)
    at, half, unit = _time_axis(frame_rate)
    first = states.groupby("gt_id").frame.min().sort_values(kind="stable")
    shown = list(first.index[: _at_least(1, max_lanes=max_lanes)])
    ax = _axes(ax, (8, 1.4 + 0.14 * max(len(shown), 8)))
    rows = {person: row for row, person in enumerate(shown)}
    visible = states[states.gt_id.isin(shown)].assign(track_id=lambda t: np.where(t.track_id >= 0, 0, -1))
    parts = _segments(visible)
    y = parts.gt_id.map(rows)
    begin, end = at(parts["first"]) - half, at(parts["last"]) + half
    for tracked, colour, width, label in ((True, BLUE, 3.5, "tracked"), (False, ORANGE, 1.3, "missed")):
        chosen = (parts.track_id >= 0) == tracked
        ax.hlines(y[chosen], begin[chosen], end[chosen], colors=colour, linewidth=width, label=label)
    switches = visible[visible.switch]
    ax.plot(
        at(switches.frame) - half,
        switches.gt_id.map(rows),
        linestyle="none",
        marker="|",
        markersize=9,
        markeredgewidth=1.6,
        color=_ink(),
        label="ID switch",
    )
    small = 8 if len(shown) <= 30 else 6
    for person, part in visible.groupby("gt_id"):
        share = (part.track_id >= 0).mean()
        ax.text(
            at(part.frame.max()) + half, rows[person], f"  {share:.0%}", va="center", fontsize=small - 1, color=_ink()
        )
    ax.set_yticks(range(len(shown)), [str(person) for person in shown], fontsize=small)
    ax.set_ylim(len(shown) - 0.4 if shown else 0.5, -0.6)
    ax.margins(x=0.07)
    ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False, fontsize=8, borderaxespad=0.1)
    title = f"Life lines of {_part_of(len(shown), len(first), 'people')}"
    return _finish(ax, title, unit, "ground-truth person", grid="x")


def errors_over_time(
    per_frame: Any,
    *,
    sequence: str | None = None,
    window: int = 1,
    frame_rate: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw false positives and misses of each frame, and marks where ids switch.

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

    Examples
    --------
    >>> scene = fl.example()
    >>> result = fl.evaluate(scene.tracks, scene.ground_truth)
    >>> errors_over_time(result)
    <Axes: ...>
    """
    ax = _axes(ax, (8, 3.4))
    columns = ("frame", "num_false_positives", "num_misses", "num_switches")
    table = _one_sequence(_table(per_frame, "per_frame", columns), sequence)
    at, _, unit = _time_axis(frame_rate)
    time = at(table.frame)
    window = _at_least(1, window=window)
    first, last = (int(table["frame"].min()), int(table["frame"].max())) if len(table) else (1, 0)
    errors = table.set_index("frame")[list(columns[1:3])].reindex(range(first, last + 1), fill_value=0)
    for column, colour, style in (("num_misses", ORANGE, "-"), ("num_false_positives", BLUE, "--")):
        smooth = errors[column].rolling(window, center=True, min_periods=1).mean()
        label = f"{LABELS[column]} ({int(table[column].sum())})"
        ax.plot(at(errors.index.to_numpy()), smooth, color=colour, linestyle=style, linewidth=1.4, label=label)
    ax.set_ylim(bottom=0)
    switched = table.num_switches > 0
    ax.plot(
        time[switched],
        np.full(int(switched.sum()), 1.0),
        transform=ax.get_xaxis_transform(),
        linestyle="none",
        marker="v",
        color=_ink(),
        clip_on=False,
        label=f"ID switches ({int(table.num_switches.sum())})",
    )
    ax.legend(frameon=False, fontsize=8, ncols=3, loc="lower right", bbox_to_anchor=(1, 1.02), borderaxespad=0.1)
    mean = f", mean over {window} frames" if window > 1 else ""
    return _finish(ax, "Errors over time", unit, f"boxes per frame{mean}")


def trajectories(
    tracks: pd.DataFrame,
    *,
    image: np.ndarray | None = None,
    size: tuple[int, int] | None = None,
    ids: Sequence[int] | None = None,
    max_labels: int = 25,
    ax: Axes | None = None,
) -> Axes:
    """Draw the paths of people's feet over a frame; a ring where each begins, the id where it ends (longest only).

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

    Raises
    ------
    PlotError
        If there are several sequences, the image is of another one, or an id is not there.

    Examples
    --------
    >>> scene = fl.example()
    >>> trajectories(scene.tracks, image=scene.source.image(20))
    <Axes: ...>
    """
    ax = _axes(ax, (7, 4.4))
    table = _one_sequence(_table(tracks, "tracks", ("frame", "id", "x", "y", "w", "h")), None)
    everyone = table.id.nunique()
    if ids is not None:
        unknown = sorted(set(ids) - set(table.id))
        if unknown:
            raise PlotError(f"No id {unknown[0]} in these tracks; there are {_few(sorted(set(table.id)))}.")
        table = table[table.id.isin(ids)]
    _backdrop(ax, image, size, table)
    labelled = set(table.id.value_counts().index[: _at_least(0, max_labels=max_labels)])
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
    title = f"Trajectories of {_part_of(table.id.nunique(), everyone, 'ids')}"
    return _finish(ax, title, "x (pixels)", "y (pixels)", grid="")


def _states(evaluation: Any, sequence: str | None) -> pd.DataFrame:
    """Return the state of each person in each frame: columns frame, gt_id, track_id (-1: missed), switch (bool)."""
    events = _data_frame(evaluation, "events").reset_index()
    rows = _one_sequence(_table(events, "events", ("FrameId", "Type", "OId", "HId")), sequence)
    # RAW rows are all candidate pairs; ASCEND, TRANSFER and MIGRATE repeat a switch from other points of view
    rows = rows[rows.Type.isin(["MATCH", "SWITCH", "MISS"])]
    states = pd.DataFrame(
        {
            "frame": rows.FrameId.astype(np.int64),
            "gt_id": rows.OId.astype(np.int64),
            "track_id": rows.HId.where(rows.Type != "MISS").fillna(-1).astype(np.int64),
            "switch": rows.Type == "SWITCH",
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
    """Return a colour for each track id; ids that follow each other in a lane differ (greedy graph colouring)."""
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
    """Return the colour mixed with white, so that black text on it stays readable."""
    from matplotlib.colors import to_rgb

    red, green, blue = (0.68 * part + 0.32 for part in to_rgb(colour))
    return red, green, blue


def _time_axis(frame_rate: float | None) -> tuple[Callable[[Any], Any], float, str]:
    """Return where a frame number lies on the axis, half the width of a frame there, and the axis' label."""
    if frame_rate is None:
        return lambda frame: frame, 0.5, "frame"
    if not frame_rate > 0:
        raise PlotError(f"frame_rate is {frame_rate}; it must be a number of frames per second above 0.")
    return lambda frame: (frame - 1) / frame_rate, 0.5 / frame_rate, "time (s)"


def _backdrop(ax: Axes, image: np.ndarray | None, size: tuple[int, int] | None, boxes: pd.DataFrame) -> None:
    """Draw a pale image behind the marks, and axes in pixels with y downwards; refuse boxes of another image."""
    if image is not None:
        size = (image.shape[1], image.shape[0])
    if size is not None and len(boxes):
        x, y = (boxes[place] + boxes[side] / 2 for place, side in ("xw", "yh"))
        # people who walk out of the image are missed there, but not that far out
        far = ~x.between(-0.5 * size[0], 1.5 * size[0]) | ~y.between(-0.5 * size[1], 1.5 * size[1])
        if far.mean() > 0.5:
            raise PlotError(
                f"Most boxes lie far outside an image of {size[0]} x {size[1]} pixels, some at {x.max():.0f}, "
                f"{y.max():.0f}; give an image of the same sequence."
            )
    if image is not None:
        pale = image[:, :, ::-1].astype(np.float32) * 0.55 + 255 * 0.45
        ax.imshow(pale.astype(np.uint8), zorder=-1)
    ax.set_aspect("equal")
    if size is not None:
        ax.set_xlim(0, size[0])
        ax.set_ylim(size[1], 0)
    elif not ax.yaxis_inverted():
        ax.invert_yaxis()
