"""What the views show: errors per frame, peaks, embedding statistics, similarity, differences of figures.

Functions of tables and arrays; nothing here knows about widgets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .errors import EvaluationError

if TYPE_CHECKING:
    from .evaluation import Evaluation

BOX = ["x", "y", "w", "h"]

# -- errors of a tracker --------------------------------------------------------------------------------------------------


def error_boxes(
    events: pd.DataFrame, tracks: pd.DataFrame | None = None, ground_truth: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The boxes of a tracker's errors.

    Parameters
    ----------
    events
        motmetrics' events of one sequence: index (FrameId, Event), columns Type, OId, HId, D.
    tracks, ground_truth
        Where the boxes come from. Errors whose table is not given, or lacks the box, have NaN in x, y, w, h.

    Returns
    -------
    DataFrame
        frame, kind ("FP", "MISS" or "SWITCH"), id (of the track; of the person for misses), x, y, w, h, score.
    """
    flat = events.reset_index()
    flat = flat[flat["Type"].isin(["FP", "MISS", "SWITCH"])]
    missed = flat["Type"] == "MISS"
    errors = pd.DataFrame(
        {
            "frame": flat["FrameId"].astype("int64"),
            "kind": flat["Type"].astype(str),
            "id": flat["OId"].where(missed, flat["HId"]).astype("int64"),
        }
    ).reset_index(drop=True)
    parts = []
    for table, rows in ((ground_truth, errors["kind"] == "MISS"), (tracks, errors["kind"] != "MISS")):
        part = errors[rows]
        if table is None:
            parts.append(part.assign(x=np.nan, y=np.nan, w=np.nan, h=np.nan, score=np.nan))
        else:
            columns = ["frame", "id", *BOX, *(["score"] if "score" in table else [])]
            parts.append(part.merge(table[columns].drop_duplicates(["frame", "id"]), on=["frame", "id"], how="left"))
    columns = ["frame", "kind", "id", *BOX, "score"]
    joined = pd.concat(parts).reindex(columns=columns)
    return joined.sort_values(["frame", "kind", "id"], kind="stable").reset_index(drop=True)


def error_lanes(errors: pd.DataFrame, length: int) -> np.ndarray:
    """How many false positives and misses each frame has.

    Parameters
    ----------
    errors
        As `error_boxes` returns.
    length
        Number of frames of the sequence.

    Returns
    -------
    (2, length) int64
        False positives, misses; column k is frame k + 1.
    """
    lanes = np.zeros((2, length), np.int64)
    for lane, kind in enumerate(("FP", "MISS")):
        frames = errors.loc[errors["kind"] == kind, "frame"].to_numpy()
        frames = frames[(frames >= 1) & (frames <= length)]
        np.add.at(lanes[lane], frames - 1, 1)
    return lanes


def only_sequence(evaluation: Evaluation, name: str) -> str:
    """The sequence of an evaluation that a view of the source `name` is about.

    Raises
    ------
    EvaluationError
        If there are several and none has that name.
    """
    names = [str(n) for n in evaluation.summary["sequence"] if n != "OVERALL"]
    if name in names:
        return name
    if len(names) == 1:
        return names[0]
    raise EvaluationError(f"The evaluation holds {', '.join(names) or 'no sequence'}, but not {name}; evaluate it too.")


def switch_marks(switches: pd.DataFrame) -> list[dict[str, Any]]:
    """The ID switches of one sequence as plain records: frame, gt_id, from_id, to_id, kind."""
    columns = [c for c in ("frame", "gt_id", "from_id", "to_id", "kind") if c in switches]
    return [{k: _plain(v) for k, v in row.items()} for row in switches[columns].to_dict("records")]


def _plain(value: Any) -> Any:
    """A number or text that JSON knows; None for missing values."""
    if value is None or value is pd.NA or (isinstance(value, (float, np.floating)) and not np.isfinite(value)):
        return None
    if isinstance(value, (np.bool_, bool)):
        return bool(value)
    if isinstance(value, (np.integer, int)):
        return int(value)
    if isinstance(value, (np.floating, float)):
        return int(value) if float(value).is_integer() else float(value)
    return str(value)
