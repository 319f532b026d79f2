"""What the rows of a ground-truth table are: people to be found, distractors, regions to ignore, or something else.

One reading for evaluation, fine-tuning, `data check` and the views. Where a table names its classes
(`attrs["classes"]`), the names decide; otherwise the classes are MOTChallenge's, or there are none.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..data import DISTRACTOR, PEDESTRIAN, column_of
from .scoring import scoring_of

OTHER, IGNORED = 9, 0  # roles of named classes: neither scored nor a distractor; a region to ignore
MOTCHALLENGE_CLASSES = {
    1: "pedestrian", 2: "person on vehicle", 3: "car", 4: "bicycle", 5: "motorbike", 6: "non motorized vehicle",
    7: "static person", 8: "distractor", 9: "occluder", 10: "occluder on the ground", 11: "occluder full",
    12: "reflection", 13: "crowd",
}  # fmt: skip
_PEOPLE = frozenset(
    ["person", "persons", "people", "pedestrian", "pedestrians", "human", "humans", "man", "woman", "child", "player",
     "players", "athlete", "dancer", "walker", "runner", "skater", "worker"]
)  # fmt: skip
_NEUTRAL = frozenset(
    ["person on vehicle", "static person", "distractor", "distractors", "reflection", "person sitting", "other person"]
)
_REGIONS = frozenset(["ignored regions", "ignored region", "ignored", "ignore", "ignore region", "dontcare"])
SURE = 0.99  # a row of less confidence is not scored; motmetrics has the same limit


def people_classes(classes: Mapping[int, str]) -> list[int]:
    """Return the ids of the classes that are scored: the people, or every object where no class is a person.

    Examples
    --------
    >>> people_classes({1: "car", 2: "Person"})
    [2]
    >>> people_classes({0: "ignored regions", 1: "car", 2: "van"})
    [1, 2]
    """
    plain = {number: _plain(name) for number, name in classes.items()}
    people = [number for number, name in plain.items() if name in _PEOPLE]
    return people or [number for number, name in plain.items() if name not in _NEUTRAL | _REGIONS]


def motchallenge_classes(table: pd.DataFrame) -> np.ndarray:
    """Return the class of every row in MOTChallenge's numbers, as the benchmark scores them.

    Parameters
    ----------
    table
        Ground truth. `attrs["classes"]`, a dict from `class_id` to name, says what the ids mean; without it they are
        MOTChallenge's own.

    Returns
    -------
    (N,) int64
        Where classes have names: 1 for people (every object where no class is a person), 8 for what a tracker may find
        or not, 0 for regions to ignore, 9 for all else. Otherwise `class_id` unchanged, and -1 in every row where the
        only class is 0.

    Examples
    --------
    >>> table = pd.DataFrame({"class_id": [1, 2, 2]})
    >>> table.attrs["classes"] = {1: "car", 2: "person"}
    >>> motchallenge_classes(table).tolist()
    [9, 1, 1]
    """
    if "class_id" not in table:
        return np.full(len(table), -1, np.int64)
    class_id = table["class_id"].to_numpy().astype(np.int64)
    names: Mapping[int, str] = table.attrs.get("classes") or {}
    if not names:
        return class_id.copy() if (class_id > 0).any() else np.full(len(table), -1, np.int64)
    regions = region_classes(table)
    result = np.full(len(table), OTHER, np.int64)
    for number, name in names.items():
        if _plain(name) in _NEUTRAL:
            result[class_id == number] = DISTRACTOR
    objects = {number: name for number, name in names.items() if number not in regions}
    result[np.isin(class_id, people_classes(objects))] = PEDESTRIAN
    result[np.isin(class_id, regions)] = IGNORED
    return result


def region_classes(table: pd.DataFrame) -> list[int]:
    """Return the ids of classes that are regions to ignore: by their names, or because the data set's protocol says so.

    Examples
    --------
    >>> table = pd.DataFrame({"class_id": [11]})
    >>> table.attrs = {"classes": {1: "pedestrian", 11: "others"}, "format": "VisDrone-MOT"}
    >>> region_classes(table)
    [11]
    """
    names: Mapping[int, str] = table.attrs.get("classes") or {}
    regions = _REGIONS.union(scoring_of(table).regions)
    return [number for number, name in names.items() if _plain(name) in regions]


def scored_classes(table: pd.DataFrame) -> list[str]:
    """Return the names of the classes that are scored each by itself, of those that have rows.

    They are what the data set's published protocol scores, and every class of objects where it has no list.

    Examples
    --------
    >>> table = pd.DataFrame({"class_id": [1, 2, 2, 3]})
    >>> table.attrs["classes"] = {1: "car", 2: "person", 3: "DontCare"}
    >>> scored_classes(table)
    ['car', 'person']
    """
    names = table.attrs.get("classes") or MOTCHALLENGE_CLASSES
    regions, there = region_classes(table), set(table["class_id"]) if "class_id" in table else set()
    present = {_plain(name): str(name) for number, name in names.items() if number in there and number not in regions}
    published = [_plain(name) for name in scoring_of(table).classes]
    return [present[name] for name in published or present if name in present and name not in _NEUTRAL]


def people_rows(table: pd.DataFrame) -> np.ndarray:
    """Return which rows are people that a tracker is expected to find.

    Returns
    -------
    (N,) bool
        Rows of the scored class, or of none, whose conf is at least 0.99.

    Examples
    --------
    >>> people_rows(pd.DataFrame({"class_id": [1, 1, 7], "conf": [1.0, 0.0, 1.0]})).tolist()
    [True, False, False]
    """
    return (column_of(table, "conf", 1.0) >= SURE) & np.isin(motchallenge_classes(table), (PEDESTRIAN, -1))


def ignored_rows(table: pd.DataFrame) -> np.ndarray:
    """Return which rows are regions in which results count for nothing, such as VisDrone's and KITTI's DontCare.

    Without names of the classes these are the rows of class 0 with conf 0, where there are other classes.

    Returns
    -------
    (N,) bool

    Examples
    --------
    >>> table = pd.DataFrame({"class_id": [0, 1]})
    >>> table.attrs["classes"] = {0: "ignored regions", 1: "pedestrian"}
    >>> ignored_rows(table).tolist()
    [True, False]
    """
    ignored = motchallenge_classes(table) == IGNORED
    if not table.attrs.get("classes"):
        ignored &= column_of(table, "conf", np.nan) == 0
    return ignored


def frames_without_labels(table: pd.DataFrame, length: int) -> np.ndarray:
    """Return the frames without a row, where they are so many that they are hardly empty but not labelled.

    Parameters
    ----------
    table
        Ground truth.
    length
        Frames in the sequence.

    Returns
    -------
    (N,) int64
        Frame numbers; none where less than a tenth of the frames, or one, has no row.

    Examples
    --------
    >>> frames_without_labels(pd.DataFrame({"frame": [1, 2, 3]}), 5).tolist()
    [4, 5]
    """
    frames = np.setdiff1d(np.arange(1, length + 1), table["frame"].to_numpy())
    return frames if len(frames) >= max(2, 0.1 * length) else frames[:0]


def class_notes(table: pd.DataFrame) -> list[str]:
    """Return what a reader of figures should know about the labels: which rows count, and which do not.

    One sentence for each column that is used in part or may mean something else, with the number of rows and the
    remedy. `read_labels` leaves them in `attrs["notes"]` too.

    Examples
    --------
    >>> table = pd.DataFrame({"class_id": [1, 2, 2]})
    >>> table.attrs = {"classes": {1: "reflector", 2: "person"}, "format": "MOTChallenge"}
    >>> print(*class_notes(table))
    sequence (MOTChallenge): by the names of its classes, 2 rows of person are scored, 1 row of reflector is not.
    """
    notes = [str(note) for note in table.attrs.get("notes", ())]
    name = table.attrs.get("sequence", "sequence")
    notes += _odd_classes(table, name)
    if "conf" in table:
        conf = table["conf"].to_numpy()
        between = (conf > 0) & (conf < SURE)
        if between.any():
            share = f"{int(between.sum())} of {len(conf)} rows"
            notes.append(
                f"{name}: conf (column 7) lies between 0 and 1 in {share}, such as {conf[between][0]:g}; ground truth "
                "has 1 for what is scored and 0 for what is not. The benchmark leaves these rows out, as do HOTA and "
                "TrackEval; motmetrics by protocol raw scores them. Write 1 to score them"
                + (", unless this is a result file." if between.mean() > 0.5 else ".")
            )
        elif len(conf) and not (conf >= SURE).any():
            notes.append(
                f"{name}: conf (column 7) is {conf[0]:g} in all {len(conf)} rows, so none is scored, unless the "
                "protocol is raw; write 1 for what is to be scored."
            )
    if "visibility" in table and (table["visibility"] > 1).any():
        above = int((table["visibility"] > 1).sum())
        notes.append(
            f"{name}: visibility (column 9) is above 1 in {above} of {len(table)} rows; it is a share from 0 to 1, so "
            "make sure that the columns are conf, class, visibility."
        )
    return notes


def _odd_classes(table: pd.DataFrame, name: str) -> list[str]:
    names: Mapping[int, str] = table.attrs.get("classes") or {}
    if "class_id" not in table or not len(table):
        return []
    class_id = table["class_id"].to_numpy()
    if not names:
        regions = ignored_rows(table)
        zero, above = int(((class_id == 0) & ~regions).sum()), int((class_id > 0).sum())
        if regions.any():
            return [
                f"{name}: {int(regions.sum())} rows of class 0 with conf 0 are read as regions to ignore, as VisDrone "
                "has them; results in them are dropped."
            ]
        if zero and above:
            return [
                f"{name}: class (column 8) is 0 in {zero} rows and above 0 in {above}; MOTChallenge's classes begin "
                "with 1, pedestrian: name the classes in gt/labels.txt, one a line, that of class 0 first."
            ]
        if above and not (class_id == PEDESTRIAN).any():
            found = ", ".join(map(str, np.unique(class_id[class_id > 0])[:5].tolist()))
            return [
                f"{name}: class (column 8) is {found} and never 1, MOTChallenge's pedestrian, so its protocol scores "
                "no row; name the classes in gt/labels.txt, one a line, or use protocol='raw' (--protocol raw)."
            ]
        return []
    roles = motchallenge_classes(table)

    def counts(role: int) -> dict[str, int]:
        found, number = np.unique(class_id[roles == role], return_counts=True)
        return {str(names.get(int(each), each)): int(count) for each, count in zip(found, number, strict=True)}

    title = f" ({table.attrs['format']})" if "format" in table.attrs else ""
    kept = counts(PEDESTRIAN)
    if len(kept) > 1 and not any(_plain(each) in _PEOPLE for each in kept):
        return [f"{name}{title}: none of its classes is a person, so all are scored as one: {', '.join(kept)}."]
    if not (roles == OTHER).any():
        return []
    scored, left = _rows(kept), _rows(counts(OTHER))
    each = scored_classes(table)
    remedy = f'; classes="all" (--classes all) evaluates {", ".join(each)}, each by itself' if len(each) > 1 else ""
    return [f"{name}{title}: by the names of its classes, {scored} scored, {left} not{remedy}."]


def _rows(counts: Mapping[str, int]) -> str:
    if not counts:
        return "no row is"
    named = ", ".join(f"{count} row{'' if count == 1 else 's'} of {name}" for name, count in counts.items())
    return f"{named} {'is' if list(counts.values()) == [1] else 'are'}"


def same_class(name: str, other: str) -> bool:
    """Return whether two names mean the same class: capitals, hyphens and underscores do not matter."""
    return _plain(name) == _plain(other)


def _plain(name: str) -> str:
    return " ".join(str(name).lower().replace("_", " ").replace("-", " ").replace("'", "").split()).replace(
        "dont care", "dontcare"
    )
