"""Pack tracks, ground truth and errors of a sequence into the numbers that the player draws."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..diagnosis.tables import error_lanes, evaluation_errors, records
from ..errors import ViewError
from ..formats.classes import MOTCHALLENGE_CLASSES, class_notes
from .checks import refuse_other_table, sequence_of

if TYPE_CHECKING:
    from ..evaluation.result import Evaluation

LAYERS = ("tracks", "ground_truth", "false_positives", "misses", "switches")
COLUMNS = 11  # frame, layer, id, x, y, w, h, score, tracker, person, class
_MARKS = ("frame", "gt_id", "from_id", "to_id", "kind", "why")


@dataclass
class Prepared:
    """Boxes, packed for the browser.

    Attributes
    ----------
    trackers : list of str
        Their names, in the order of their numbers in `rows`.
    tables : list of dict
        For each tracker, the table of each layer.
    rows : (N, 11) float
        frame, layer, id, x, y, w, h, score, tracker (-1: ground truth), person (-1: not known), class (its place in
        `classes`; -1: not known); by frame.
    lanes : (trackers, 2, length) or None
        False positives and misses per frame; NaN for a tracker that was not evaluated.
    switches : list of dict
        Marks of the timeline: frame, gt_id, from_id, to_id, kind, why, tracker.
    note : str
        What is not shown, and why.
    classes : list of str
        Names of the classes, where a table has several.
    """

    trackers: list[str]
    tables: list[dict[str, pd.DataFrame]]
    rows: np.ndarray
    lanes: np.ndarray | None
    switches: list[dict[str, Any]]
    note: str
    classes: list[str]

    @property
    def available(self) -> list[str]:
        """The layers that any tracker has."""
        return [layer for layer in LAYERS if any(layer in tables for tables in self.tables)]


def prepare(
    name: str,
    length: int,
    tracks: pd.DataFrame | Mapping[str, pd.DataFrame] | None = None,
    ground_truth: pd.DataFrame | None = None,
    evaluation: Evaluation | Mapping[str, Evaluation] | None = None,
) -> Prepared:
    """Pack the boxes of a sequence.

    Parameters
    ----------
    name, length
        Of the sequence; the length in frames.
    tracks
        A tracks table, or several by the name of their tracker.
    ground_truth
        Its ground truth; rows with conf 0 are left out and counted in the note.
    evaluation
        The evaluation of the tracks, or one for each tracker by name.

    Raises
    ------
    ViewError
        If a table or an evaluation is of another sequence, or of no tracker that was given.
    """
    notes: list[str] = []
    trackers = _by_tracker(tracks, evaluation)
    evaluated = {k: one.sequences[sequence_of(one, name)] for k, (_, one) in trackers.items() if one is not None}
    if ground_truth is None and evaluated:
        ground_truth = next(iter(evaluated.values())).ground_truth.table
    shared: dict[str, pd.DataFrame] = {}
    if ground_truth is not None:
        refuse_other_table("ground truth", ground_truth, name, length)
        notes += class_notes(ground_truth)
        counted = ground_truth[ground_truth["conf"] != 0] if "conf" in ground_truth else ground_truth
        if len(counted) < len(ground_truth):
            notes.append(f"{len(ground_truth) - len(counted)} ground-truth boxes with conf 0 are not shown.")
        shared["ground_truth"] = counted
    tracked = {
        key: evaluated[key].tracks if table is None and key in evaluated else table
        for key, (table, _) in trackers.items()
    }
    classes = _several_classes([*shared.values(), *(table for table in tracked.values() if table is not None)])
    lanes = np.full((len(trackers), 2, length), np.nan)
    tables: list[dict[str, pd.DataFrame]] = []
    marks: list[dict[str, Any]] = []
    packed = [_pack(1, shared["ground_truth"], -1, shared["ground_truth"]["id"], classes)] if shared else []
    for number, (key, (_, one)) in enumerate(trackers.items()):
        layers, people, table = dict(shared), None, tracked[key]
        if table is not None:
            refuse_other_table(f"tracks of {key}" if len(trackers) > 1 else "tracks", table, name, length)
            layers["tracks"] = table
        if one is not None:
            errors, switches = evaluation_errors(one, evaluated[key].name)
            people = _people(evaluated[key].events)
            lanes[number] = error_lanes(errors, length)
            marks += [{**mark, "tracker": number} for mark in records(switches[[c for c in _MARKS if c in switches]])]
            boxless = int(errors["x"].isna().sum())
            if boxless:
                notes.append(f"{boxless} errors have no box in the tables given; the timeline counts them.")
            errors = errors[errors["x"].notna()]
            for layer, kind in (("false_positives", "FP"), ("misses", "MISS"), ("switches", "SWITCH")):
                layers[layer] = errors[errors["kind"] == kind]
        tables.append(layers)
        for layer, rows in layers.items():
            if layer != "ground_truth":
                whose = rows["id"] if layer == "misses" else _whose(rows, people)
                packed.append(_pack(LAYERS.index(layer), rows, number, whose, classes))
    rows = np.concatenate(packed) if packed else np.empty((0, COLUMNS))
    outside = int(((rows[:, 0] < 1) | (rows[:, 0] > length)).sum())
    if outside:
        notes.append(f"{outside} boxes lie in frames that {name} does not have (it has {length}).")
    if len(rows) and rows[:, 2].max() > 2**24:
        notes.append("Ids above 16777216 are shown rounded.")
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    note = " ".join(dict.fromkeys(notes))
    return Prepared(list(trackers), tables, rows, lanes if evaluated else None, marks, note, classes)


def _by_tracker(tracks: Any, evaluation: Any) -> dict[str, tuple[pd.DataFrame | None, Any]]:
    """Pair tables and evaluations by the name of their tracker."""
    if not isinstance(tracks, Mapping) and not isinstance(evaluation, Mapping):
        return {"tracks": (tracks, evaluation)}
    if tracks is not None and not isinstance(tracks, Mapping):
        raise ViewError("The evaluations are named by tracker, so the tracks must be too: tracks={name: table}.")
    if evaluation is not None and not isinstance(evaluation, Mapping):
        raise ViewError("The tracks are named by tracker, so the evaluations must be too: evaluation={name: result}.")
    tables, results = dict(tracks or {}), dict(evaluation or {})
    unknown = [name for name in results if tables and name not in tables]
    if unknown:
        raise ViewError(f"There is an evaluation of {unknown[0]}, but no tracks of that name.")
    names = tables or results
    if not names:
        raise ViewError("No tracker was given: tracks={name: table} is empty.")
    return {str(name): (tables.get(name), results.get(name)) for name in names}


def matches_of(events: pd.DataFrame) -> pd.DataFrame:
    """Return who was matched with whom: columns FrameId, OId (person), HId (track), D (1 - IoU)."""
    flat = events.reset_index()
    matches = flat.loc[flat["Type"].isin(["MATCH", "SWITCH"]), ["FrameId", "OId", "HId", "D"]]
    return matches.astype({"FrameId": "int64", "OId": "int64", "HId": "int64"})


def _people(events: pd.DataFrame) -> pd.Series:
    """The person that each track has in each frame: indexed by frame and track."""
    people = matches_of(events).set_index(["FrameId", "HId"])["OId"]
    return people[~people.index.duplicated()]


def _whose(rows: pd.DataFrame, people: pd.Series | None) -> np.ndarray:
    """The person of each row, -1 where none is known."""
    if people is None or not len(people) or not len(rows):
        return np.full(len(rows), -1)
    index = pd.MultiIndex.from_arrays([rows["frame"].astype("int64"), rows["id"].astype("int64")])
    return people.reindex(index).fillna(-1).to_numpy()


def class_labels(table: pd.DataFrame) -> np.ndarray | None:
    """Return the name of each row's class, or None where the table has no classes.

    Examples
    --------
    >>> table = pd.DataFrame({"class_id": [0, 2]})
    >>> table.attrs["classes"] = {0: "person", 2: "car"}
    >>> class_labels(table).tolist()
    ['person', 'car']
    """
    if "class_id" not in table:
        return None
    names = table.attrs.get("classes") or (MOTCHALLENGE_CLASSES if "conf" in table else {})
    return np.array([str(names.get(int(number), f"class {number}")) for number in table["class_id"]], object)


def _several_classes(tables: list[pd.DataFrame]) -> list[str]:
    """The classes of all tables, if any of them has more than one."""
    found = [list(dict.fromkeys(labels)) for labels in map(class_labels, tables) if labels is not None]
    return list(dict.fromkeys(itertools.chain(*found))) if any(len(names) > 1 for names in found) else []


def _pack(layer: int, table: pd.DataFrame, tracker: int, person: Any, classes: list[str]) -> np.ndarray:
    """(N, 11): see `Prepared.rows`."""
    rows = np.empty((len(table), COLUMNS))
    rows[:, 1] = layer
    for column, name in ((0, "frame"), (2, "id"), (3, "x"), (4, "y"), (5, "w"), (6, "h")):
        rows[:, column] = table[name].to_numpy()
    rows[:, 7] = table["score"].to_numpy() if "score" in table else 1.0
    rows[:, 8] = tracker
    rows[:, 9] = np.asarray(person)
    labels = class_labels(table) if classes else None
    rows[:, 10] = -1 if labels is None else [classes.index(name) if name in classes else -1 for name in labels]
    return rows
