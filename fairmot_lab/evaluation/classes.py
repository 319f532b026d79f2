"""Evaluation by class: each class of each sequence by itself, and the classes together as TrackEval combines them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ..errors import EvaluationError
from ..formats.classes import MOTCHALLENGE_CLASSES, class_notes, ignored_rows, same_class, scored_classes
from ..formats.scoring import scoring_of
from . import trackeval
from .inputs import Loaded
from .motmetrics import motmetrics_rows
from .names import OVERALL
from .protocols import prepare
from .result import Evaluation

AVERAGE = "AVERAGE"
ALL = "all"
_AS_PEOPLE = "are evaluated as pedestrians"  # of `inputs`
_REGION, _OBJECT, _NEUTRAL = 0, 1, 2
_ROLES = {_REGION: "ignored regions", _OBJECT: "object", _NEUTRAL: "distractor"}


def split_classes(loaded: Loaded, classes: Iterable[str | int]) -> tuple[Loaded, list[str]]:
    """Return ground truth and tracks of each class of each sequence, called `SEQUENCE:CLASS`.

    What a data set's published protocol says of a class holds for it: which other classes results may lie on, which are
    regions to ignore, and what else is dropped (`formats.scoring`).

    Parameters
    ----------
    loaded
        Ground truth and tracks by sequence.
    classes
        Names (`attrs["classes"]` of a table says which id has which name; MOTChallenge's without it) or ids; or "all",
        for those that the data set's protocol scores. Regions to ignore stay with every class.

    Returns
    -------
    dict
        Ground truth and tracks by name.
    list of str
        Notes on results that are of none of the classes.

    Raises
    ------
    EvaluationError
        If a class is in no ground truth, or a table has no classes.
    """
    for name, (truth, tracks) in loaded.items():
        for what, table in (("ground truth", truth.table), ("results", tracks)):
            if "class_id" not in table:
                raise EvaluationError(f"The {what} of {name} has no classes; leave out classes=.")
            if len(table) and (table["class_id"] < 0).all():
                raise EvaluationError(
                    f"The {what} of {name} has class -1 (not known) in every row; leave out classes=."
                )
    wanted = _wanted(loaded, classes)
    result: Loaded = {}
    notes: list[str] = []
    found: set[str] = set()
    known: set[str] = set()
    for name, (truth, tracks) in loaded.items():
        scoring = scoring_of(truth.table)
        ignored = ignored_rows(truth.table)
        truth_names = truth.table.attrs.get("classes") or MOTCHALLENGE_CLASSES
        track_names = tracks.attrs.get("classes") or truth_names
        known |= set(map(str, truth_names.values()))
        elsewhere = np.ones(len(tracks), bool)
        for each in wanted:
            objects = _rows(truth.table, each, truth_names) & ~ignored
            own = each
            if isinstance(each, int) and each in truth_names and _numbers(truth_names[each], track_names):
                own = truth_names[each]  # a number is that of the ground truth, which the results may count otherwise
            mine = _rows(tracks, own, track_names)
            elsewhere &= ~mine
            found |= {str(each)} if objects.any() else set()
            if not objects.any() and (scoring.skips_absent or not mine.any()):
                continue
            neutral = np.zeros(len(objects), bool)
            for own, others in scoring.neutral.items():
                if same_class(own, str(each)):
                    neutral |= np.any([_rows(truth.table, other, truth_names) for other in others], axis=0)
            roles = np.select([ignored, objects, neutral], [_REGION, _OBJECT, _NEUTRAL], -1)
            table = truth.table.assign(class_id=roles)[roles >= 0].reset_index(drop=True)
            table.attrs = {**truth.table.attrs, "classes": _ROLES}
            own_tracks = tracks[mine].reset_index(drop=True)
            own_tracks.attrs = {**tracks.attrs, "class_ids": _numbers(own, track_names)}
            one = replace(prepare(table, truth.name), present=truth.present[roles >= 0])
            result[f"{name}:{each}"] = one, own_tracks.assign(class_id=_OBJECT)
        if elsewhere.any():
            notes.append(f"{name}: {int(elsewhere.sum())} results are of none of these classes and do not count.")
    if absent := [each for each in wanted if str(each) not in found]:
        raise EvaluationError(
            f"No ground truth has objects of the class {absent[0]!r}; its classes are {', '.join(sorted(known))}."
        )
    return result, notes


def _wanted(loaded: Loaded, classes: Iterable[str | int]) -> list[str | int]:
    if classes in (ALL, [ALL], (ALL,)):
        scored = dict.fromkeys(name for truth, _ in loaded.values() for name in scored_classes(truth.table))
        if not scored:
            raise EvaluationError(
                "No ground truth has a row of a class that its protocol scores; name one in classes=."
            )
        return list(scored)
    wanted: list[str | int] = [classes] if isinstance(classes, str | int) else list(classes)
    if not wanted or len(set(map(str, wanted))) < len(wanted):
        raise EvaluationError(f"classes={wanted!r} must name one class or more, each once.")
    return wanted


def without_class_notes(notes: Iterable[str], loaded: Loaded) -> list[str]:
    """Leave out the notes that classes are not told apart."""
    untrue = {note for truth, _ in loaded.values() for note in class_notes(truth.table)}
    return [note for note in notes if note not in untrue and _AS_PEOPLE not in note]


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


def _rows(table: pd.DataFrame, wanted: str | int, names: Mapping[int, str]) -> np.ndarray:
    return table["class_id"].isin(_numbers(wanted, names)).to_numpy()


def _numbers(wanted: str | int, names: Mapping[int, str]) -> list[int]:
    return [wanted] if isinstance(wanted, int) else [n for n, name in names.items() if same_class(str(name), wanted)]
