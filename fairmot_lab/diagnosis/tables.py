"""Tables of errors and ID switches for views and plots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..evaluation.names import LABELS, MAIN, SMALLER_IS_BETTER
from .retrace import one_sequence

if TYPE_CHECKING:
    from ..evaluation.result import Evaluation


def error_lanes(errors: pd.DataFrame, length: int) -> np.ndarray:
    """Count the false positives and misses of each frame.

    Parameters
    ----------
    errors
        As `Evaluation.errors`, of one sequence.
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


def evaluation_errors(evaluation: Evaluation, name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the errors and the ID switches of one sequence of an evaluation.

    Parameters
    ----------
    evaluation
        Of one sequence or several.
    name
        The sequence; may be another if the evaluation holds only one.

    Returns
    -------
    errors, switches : DataFrame
        As `Evaluation.errors` and `Evaluation.switches`.

    Examples
    --------
    >>> scene = fl.example()
    >>> result = fl.evaluate(scene.tracks, scene.ground_truth)
    >>> errors, switches = evaluation_errors(result, "crossing")
    >>> errors["kind"].value_counts().to_dict(), len(switches)
    ({'MISS': 2, 'SWITCH': 2}, 2)
    """
    name = one_sequence(evaluation, None, name).name
    errors = evaluation.errors[evaluation.errors["sequence"] == name]
    return errors.drop(columns="sequence").reset_index(drop=True), evaluation.switches_of(name)


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as JSON knows them: plain numbers and texts, None for missing values."""
    return [{str(k): _plain(v) for k, v in row.items()} for row in table.to_dict("records")]


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


def compare_figures(baseline: Mapping[str, float], candidate: Mapping[str, float]) -> pd.DataFrame:
    """Put the metrics of two evaluations side by side.

    Parameters
    ----------
    baseline, candidate
        Figures by name: of `compute_metrics`, or rows of `Evaluation.summary`.

    Returns
    -------
    DataFrame
        metric, label, baseline, candidate, difference, better (1: a larger value is better, -1: a smaller one).
    """
    rows = [
        {
            "metric": name,
            "label": LABELS[name],
            "baseline": float(baseline[name]),
            "candidate": float(candidate[name]),
            "difference": float(candidate[name]) - float(baseline[name]),
            "better": -1 if name in SMALLER_IS_BETTER else 1,
        }
        for name in MAIN
        if name in baseline and name in candidate
    ]
    return pd.DataFrame(rows, columns=["metric", "label", "baseline", "candidate", "difference", "better"])
