"""Evaluation by class: each class of each sequence by itself, and the classes together as TrackEval combines them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..errors import EvaluationError
from ..formats.classes import MOTCHALLENGE_CLASSES, class_notes, ignored_rows
from . import trackeval
from .motmetrics import motmetrics_rows
from .names import OVERALL
from .protocols import GroundTruth, prepare
from .result import Evaluation

AVERAGE = "AVERAGE"
_REGION, _OBJECT = 0, 1
Loaded = dict[str, tuple[GroundTruth, pd.DataFrame]]


def split_classes(loaded: Mapping[str, tuple[GroundTruth, pd.DataFrame]], classes: Iterable[str | int]) -> Loaded:
    """Return ground truth and tracks of each class of each sequence, called `SEQUENCE:CLASS`.

    Parameters
    ----------
    loaded
        Ground truth and tracks by sequence.
    classes
        Names (`attrs["classes"]` of a table says which id has which name; MOTChallenge's without it) or ids. Regions to
        ignore stay with every class.

    Raises
    ------
    EvaluationError
        If a class is in no ground truth, or a table has no classes.
    """
    wanted = [classes] if isinstance(classes, str | int) else list(classes)
    if not wanted or len(set(map(str, wanted))) < len(wanted):
        raise EvaluationError(f"classes={wanted!r} must name one class or more, each once.")
    result: Loaded = {}
    known: set[str] = set()
    for name, (truth, tracks) in loaded.items():
        for what, table in (("ground truth", truth.table), ("results", tracks)):
            if "class_id" not in table:
                raise EvaluationError(f"the {what} of {name} has no classes; leave out classes=.")
        ignored = ignored_rows(truth.table)
        truth_names = _names(truth.table.attrs.get("classes") or MOTCHALLENGE_CLASSES)
        track_names = _names(tracks.attrs.get("classes") or {}) or truth_names
        known |= set(truth_names)
        for each in wanted:
            here = _rows(truth.table, each, truth_names) & ~ignored
            if not here.any():
                continue
            table = truth.table[here | ignored].copy()
            table["class_id"] = np.where(ignored[here | ignored], _REGION, _OBJECT)
            table.attrs = {**truth.table.attrs, "classes": {_REGION: "ignored regions", _OBJECT: "object"}}
            own = tracks[_rows(tracks, each, track_names)].reset_index(drop=True)
            own.attrs = dict(tracks.attrs)
            result[f"{name}:{each}"] = prepare(table.reset_index(drop=True), truth.name), own.assign(class_id=_OBJECT)
    found = {name.rpartition(":")[2] for name in result}
    if absent := [each for each in wanted if str(each) not in found]:
        raise EvaluationError(
            f"no ground truth has objects of the class {absent[0]!r}; its classes are {', '.join(sorted(known))}."
        )
    return result


def without_class_notes(notes: Iterable[str], loaded: Mapping[str, tuple[GroundTruth, pd.DataFrame]]) -> list[str]:
    """Leave out the notes that classes are not told apart."""
    untrue = {note for truth, _ in loaded.values() for note in class_notes(truth.table)}
    return [note for note in notes if note not in untrue and not note.endswith("are evaluated as pedestrians.")]


def per_class(result: Evaluation, wanted: Sequence[str]) -> pd.DataFrame:
    """Return one row per class over all sequences, then AVERAGE and OVERALL.

    Parameters
    ----------
    result
        Of sequences called `SEQUENCE:CLASS`.
    wanted
        Names of metrics.

    Returns
    -------
    pandas.DataFrame
        `class` and the metrics. AVERAGE has the means of ratios and the sums of counts (TrackEval's
        cls_comb_cls_av), OVERALL the metrics of all counts together (cls_comb_det_av).
    """
    parts = {name: one.metrics for name, one in result.sequences.items()}
    classes = dict.fromkeys(name.rpartition(":")[2] for name in parts)
    rows: dict[str, dict[str, Any]] = {}
    for each in [*classes, OVERALL]:
        own = {name: part for name, part in parts.items() if each == OVERALL or name.rpartition(":")[2] == each}
        if result.evaluator == "trackeval":
            rows[each] = trackeval.summary_row(trackeval.combine(list(own.values())))
        else:
            rows[each] = motmetrics_rows(own, wanted)[OVERALL]
    average = {
        key: sum(rows[each][key] for each in classes)
        if isinstance(value, int | np.integer)
        else float(np.mean([rows[each][key] for each in classes]))
        for key, value in rows[OVERALL].items()
    }
    order = [*((each, rows[each]) for each in classes), (AVERAGE, average), (OVERALL, rows[OVERALL])]
    return pd.DataFrame([{"class": each, **row} for each, row in order])


def _names(classes: Mapping[int, str]) -> dict[str, int]:
    return {str(name): int(number) for number, name in classes.items()}


def _rows(table: pd.DataFrame, wanted: str | int, names: Mapping[str, int]) -> np.ndarray:
    number = wanted if isinstance(wanted, int) else names.get(wanted, -1)
    return (table["class_id"] == number).to_numpy() if number >= 0 else np.zeros(len(table), bool)
