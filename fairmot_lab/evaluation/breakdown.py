"""Break recall, precision and errors down by what a person or a box is like."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..boxes import BOX, iou
from ..errors import EvaluationError

if TYPE_CHECKING:
    from .events import SequenceEvaluation

BINS = {
    "visibility": [0, 0.25, 0.5, 0.75, 1],
    "height": [0, 30, 60, 90, 120, 180, 270, np.inf],
    "crowding": [0, 0.05, 0.2, 0.4, 1],
    "border": [-np.inf, 0, 20, 100, np.inf],
    "speed": [0, 0.05, 0.2, 0.5, np.inf],
    "time since entry": [0, 5, 15, 30, 90, np.inf],
}
"""Edges of the bins, the left one included and the right one not (in the last bin both). visibility: of the ground
truth. height: of the box, in pixels. crowding: largest IoU with another person. border: pixels from the box to the
nearest edge of the image. speed: how far the centre moves in a second, in heights of the box. time since entry: frames
since the person was first there."""

BOXES_TOO = ("height", "crowding", "border")
"""What results have as well as people: only these give false positives and a precision."""


def box_table(one: SequenceEvaluation) -> pd.DataFrame:
    """Return one row for each scored person in a frame, and for each false positive.

    Returns
    -------
    pandas.DataFrame
        sequence, frame, kind ("tracked", "switched", "missed" or "false positive"), id (of the person or the track),
        x, y, w, h, and the columns of `BINS`, NaN where they are not known.
    """
    scored, truth = one.scored, one.ground_truth
    false = one.is_false
    people = pd.DataFrame(truth.box[scored.g_rows], columns=BOX)
    people.insert(0, "frame", scored.g_frame)
    people.insert(1, "kind", np.select([~one.is_matched, one.switched], ["missed", "switched"], "tracked"))
    people.insert(2, "id", scored.g_ids[scored.g_id])
    people["visibility"] = truth.visibility[scored.g_rows]
    by_person = people.groupby("id")
    people["time since entry"] = people["frame"] - truth.present[scored.g_rows, 0]
    centre = people[["x", "y"]].to_numpy() + people[["w", "h"]].to_numpy() / 2
    step = pd.DataFrame(centre).groupby(people["id"].to_numpy()).diff().to_numpy()
    passed = by_person["frame"].diff().to_numpy()
    moved = np.hypot(*step.T) / passed * (truth.frame_rate or np.nan) / people["h"].to_numpy()
    people["speed"] = pd.Series(moved).groupby(people["id"].to_numpy()).bfill(limit=1)
    boxes = pd.DataFrame(one.tracks[BOX].to_numpy(float)[scored.t_rows[false]], columns=BOX)
    boxes.insert(0, "frame", scored.t_frame[false])
    boxes.insert(1, "kind", "false positive")
    boxes.insert(2, "id", scored.t_ids[scored.t_id[false]])
    table = pd.concat([people, boxes], ignore_index=True)
    table["height"] = table["h"]
    if truth.width and truth.height:
        sides = [table["x"], table["y"], truth.width - table["x"] - table["w"], truth.height - table["y"] - table["h"]]
        table["border"] = np.min(sides, axis=0)
    else:
        table["border"] = np.nan
    table["crowding"] = 0.0
    of_frame = people.groupby("frame").indices
    values = table[BOX].to_numpy(float)
    for frame, rows in table.groupby("frame").indices.items():
        others = of_frame.get(frame, np.empty(0, np.int64))
        overlap = iou(values[rows], values[others])
        overlap[rows[:, None] == others[None]] = 0
        table.loc[rows, "crowding"] = overlap.max(1, initial=0.0)
    table.insert(0, "sequence", one.name)
    return table


def breakdown(table: pd.DataFrame, by: str, bins: list[float] | None = None) -> pd.DataFrame:
    """Count people and errors in bins of one property.

    Parameters
    ----------
    table
        As `box_table` gives it; of several sequences, put together.
    by
        One of `BINS`.
    bins
        Edges; by default those of `BINS`.

    Returns
    -------
    pandas.DataFrame
        One row per bin that is not empty: bin (text), low, high, num_objects, num_detections, num_misses, num_switches,
        num_false_positives, recall, precision (NaN where false positives have no such property), share_objects and
        share_errors (of all errors that have the property). Rows without the property are counted in
        `attrs["unknown"]`.

    Examples
    --------
    >>> import fairmot_lab as fl
    >>> scene = fl.example()
    >>> result = fl.evaluate(scene.tracks, scene.ground_truth)
    >>> result.by("height")[["bin", "num_objects", "recall"]].values.tolist()
    [['60 to 90', 80, 0.975]]
    """
    if by not in BINS:
        raise EvaluationError(f"There is no breakdown by {by!r}; choose among {', '.join(BINS)}.")
    edges = np.asarray(BINS[by] if bins is None else bins, float)
    if len(edges) < 2 or (np.diff(edges) <= 0).any():
        raise EvaluationError(f"bins={bins} must be two or more ascending numbers.")
    values = table[by].to_numpy(float)
    place = np.searchsorted(edges, values, side="right") - 1
    place[values == edges[-1]] = len(edges) - 2
    inside = (place >= 0) & (place < len(edges) - 1) & ~np.isnan(values)
    kinds = table["kind"].to_numpy()

    def count(rows: np.ndarray) -> np.ndarray:
        return np.bincount(place[inside & rows], minlength=len(edges) - 1)

    missed, switched, false = (count(kinds == kind) for kind in ("missed", "switched", "false positive"))
    objects = count(kinds != "false positive")
    found, errors = objects - missed, missed + switched + false
    with np.errstate(invalid="ignore"):  # nan where there is nothing to divide by
        recall, precision = found / objects, found / (found + false)
    columns = {
        "bin": [_words(low, high) for low, high in itertools.pairwise(edges)],
        "low": edges[:-1],
        "high": edges[1:],
        "num_objects": objects,
        "num_detections": found,
        "num_misses": missed,
        "num_switches": switched,
        "num_false_positives": false,
        "recall": recall,
        "precision": precision if by in BOXES_TOO else np.nan,
        "share_objects": objects / max(1, objects.sum()),
        "share_errors": errors / max(1, errors.sum()),
    }
    result = pd.DataFrame(columns)[objects + false > 0].reset_index(drop=True)
    result.attrs = {"by": by, "unknown": int((~inside).sum())}
    return result


def _words(low: float, high: float) -> str:
    if np.isinf(low):
        return f"below {high:g}"
    return f"from {low:g}" if np.isinf(high) else f"{low:g} to {high:g}"


def error_map(errors: pd.DataFrame, size: tuple[int, int], cells: tuple[int, int] = (32, 18)) -> np.ndarray:
    """Count errors by where in the image their boxes stand.

    Parameters
    ----------
    errors
        Boxes x, y, w, h in pixels, such as rows of `Evaluation.errors`.
    size
        Width and height of the image in pixels.
    cells
        Columns and rows of the map.

    Returns
    -------
    (rows, columns) int64
        Errors by the foot of the box, the middle of its lower edge; feet outside the image count at its edge.

    Examples
    --------
    >>> import pandas as pd
    >>> error_map(pd.DataFrame({"x": [0.0], "y": [0.0], "w": [10.0], "h": [90.0]}), (100, 100), (2, 2)).tolist()
    [[0, 0], [1, 0]]
    """
    counts = np.zeros(cells[::-1], np.int64)
    x = (errors["x"] + errors["w"] / 2).to_numpy() / size[0] * cells[0]
    y = (errors["y"] + errors["h"]).to_numpy() / size[1] * cells[1]
    np.add.at(counts, tuple(np.clip(np.floor(v), 0, n - 1).astype(int) for v, n in ((y, cells[1]), (x, cells[0]))), 1)
    return counts
