"""Refuse, in one sentence, what a view cannot show: unknown options, and data of another sequence."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..data import same_footage
from ..errors import ViewError
from ..formats.labels import has_free_name


def refuse_unknown(view: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Raise a ViewError that names the first keyword that a view does not have.

    Examples
    --------
    >>> refuse_unknown("TrackPlayer", ["trails"], ["trail", "frame"])
    Traceback (most recent call last):
    fairmot_lab.errors.ViewError: TrackPlayer has no option trails; did you mean trail?
    """
    known = sorted(known)
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"help(fl.widgets.{view}) lists its options."
            raise ViewError(f"{view} has no option {name}; {hint}")


def refuse_existing(path: Path) -> None:
    """Raise a ViewError if a file is there: a click is no second look."""
    if path.exists():
        raise ViewError(f"{path} exists and is not overwritten; choose another name.")


def refuse_other_sequence(what: str, theirs: str | None, name: str) -> None:
    """Raise a ViewError if something belongs to another sequence than the one on show."""
    if not same_footage(theirs, name):
        verb = "belongs" if what == "ground truth" else "belong"
        remedy = "" if what == "detections" else f", or set attrs['sequence'] = {name!r} if only the name differs"
        raise ViewError(f"The {what} {verb} to {theirs}, but the source is {name}; give both of one sequence{remedy}.")


def refuse_other_table(what: str, table: Any, name: str, length: int) -> None:
    """Raise a ViewError if `table` is not a table of boxes, or is one of another sequence.

    Parameters
    ----------
    what
        What the table is called in the sentence.
    table
        A tracks, detections or ground-truth table.
    name, length
        Of the sequence on show; length 0 if it is not known.
    """
    if not isinstance(table, pd.DataFrame):
        raise ViewError(
            f"The {what} must be a table (a pandas DataFrame), not {type(table).__name__}; fl.read_mot and "
            "fl.read_labels read files."
        )
    missing = [column for column in ("frame", "id", "x", "y", "w", "h") if column not in table]
    if missing:
        verb = "has" if what == "ground truth" else "have"
        raise ViewError(f"The {what} {verb} no column {missing[0]}; frame, id, x, y, w and h are needed.")
    if not has_free_name(table):
        refuse_other_sequence(what, table.attrs.get("sequence"), name)
    outside = int((table["frame"].to_numpy() > length).sum()) if length else 0
    if outside > len(table) / 2:
        last = int(np.max(table["frame"].to_numpy()))
        raise ViewError(
            f"The {what} belong{'s' if what == 'ground truth' else ''} to another sequence: "
            f"frames go up to {last}, but {name} has {length}."
        )


def sequence_of(evaluation: Any, name: str) -> str:
    """Return the key of the sequence `name` in an evaluation.

    Raises
    ------
    ViewError
        If the evaluation does not hold it.
    """
    if not hasattr(evaluation, "sequences"):
        raise ViewError(f"The evaluation must be what fl.evaluate returns, not {type(evaluation).__name__}.")
    names = list(evaluation.sequences)
    if name in names:
        return name
    alike = [other for other in names if same_footage(other, name)]
    if len(alike) == 1:
        return alike[0]
    raise ViewError(
        f"The evaluation is of {', '.join(names) or 'no sequence'}, but the source is {name}; evaluate {name}."
    )
