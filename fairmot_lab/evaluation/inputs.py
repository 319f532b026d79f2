"""Find results and ground truth, whatever form they come in, and match them by the name of the sequence."""

from __future__ import annotations

import difflib
import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ..data import same_footage
from ..errors import EvaluationError, FairMOTLabWarning
from ..formats.mot import check_table, read_mot
from ..formats.seqinfo import read_seqinfo
from .protocols import GroundTruth, prepare

Load = Callable[..., Any]


@dataclass(frozen=True)
class Inputs:
    """Loaders by name of sequence: ground truth and results that belong together, and what has no results."""

    pairs: dict[str, tuple[Load, Load]]
    without_results: list[str]


def find_inputs(tracks: Any, ground_truth: Any, sequences: Iterable[str] | None) -> Inputs:
    """Match results with ground truth by name; nothing is read yet.

    Raises
    ------
    EvaluationError
        If a result has no ground truth, a named sequence does not exist, or nothing is left to evaluate.
    """
    truths, one_truth = _find(ground_truth, "ground truth", _truth_files, _load_truth)
    results, one_result = _find(tracks, "results", _result_files, _load_tracks)
    if one_truth and one_result:
        results = dict(zip(truths, results.values(), strict=True))
    if sequences is not None:
        wanted = [sequences] if isinstance(sequences, str) else list(sequences)
        for name in wanted:
            if name not in truths:
                raise EvaluationError(f"sequence {name!r} has no ground truth; {_nearest(name, truths)}.")
        truths = {name: truths[name] for name in wanted}
        results = {name: load for name, load in results.items() if name in truths}
    for name in results:
        if name not in truths:
            raise EvaluationError(
                f"the results of {name} have no ground truth (gt/gt.txt); {_nearest(name, truths)}, or name the "
                "sequences to evaluate."
            )
    pairs = {name: (truths[name], results[name]) for name in truths if name in results}
    missing = [name for name in truths if name not in results]
    if not pairs:
        raise EvaluationError(
            f"none of the {len(truths)} sequences with ground truth has results; nothing to evaluate."
        )
    return Inputs(pairs, missing)


def _nearest(name: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    return f"the nearest are {', '.join(near)}" if near else f"there is {', '.join(names[:5]) or 'none'}"


def _find(value: Any, what: str, files: Callable, load: Callable) -> tuple[dict[str, Load], bool]:
    """Loaders by name, and whether `value` stands for a single sequence."""
    if isinstance(value, Mapping):
        loaders = {}
        for name, item in value.items():
            found, single = _find(item, what, files, load)
            if not single:
                raise EvaluationError(f"the {what} of {name} is a folder of several sequences; give one for each name.")
            loaders[str(name)] = next(iter(found.values()))
        if not loaders:
            raise EvaluationError(f"the {what} is an empty dict; give at least one sequence.")
        return loaders, False
    if isinstance(value, str | os.PathLike):
        path = Path(value)
        if path.is_file():
            return {_name_of(path): lambda **how: load(path, **how)}, True
        if not path.exists():
            raise EvaluationError(f"{path} does not exist; give a file or folder with {what}.")
        found, single = files(path)
        return {name: (lambda file=file, **how: load(file, **how)) for name, file in found.items()}, single
    name = getattr(value, "name", None) or getattr(value, "attrs", {}).get("sequence") or "sequence"
    return {str(name): lambda **how: load(value, **how)}, True


def _name_of(path: Path) -> str:
    if path.parent.name in ("gt", "det") and path.name.startswith(("gt.txt", "det.txt")):
        return path.resolve().parent.parent.name
    return path.name.removesuffix(".gz").removesuffix(".txt")


def _text_files(folder: Path) -> dict[str, Path]:
    files = [path for path in sorted(folder.iterdir()) if path.name.endswith((".txt", ".txt.gz")) and path.is_file()]
    return {_name_of(path): path for path in files if not path.name.startswith(".")}


def _truth_files(folder: Path) -> tuple[dict[str, Path], bool]:
    if (folder / "gt" / "gt.txt").is_file():
        return {folder.resolve().name: folder / "gt" / "gt.txt"}, True
    if (folder / "seqinfo.ini").is_file():
        raise EvaluationError(f"{folder / 'gt' / 'gt.txt'} is missing; the sequence cannot be evaluated without it.")
    tree = {
        path.name: path / "gt" / "gt.txt" for path in sorted(folder.iterdir()) if (path / "gt" / "gt.txt").is_file()
    }
    found = tree or _text_files(folder)
    if not found:
        raise EvaluationError(f"{folder} holds no ground truth; it needs SEQUENCE/gt/gt.txt for each sequence.")
    return found, False


def _result_files(folder: Path) -> tuple[dict[str, Path], bool]:
    found = _text_files(folder)
    if not found and (folder / "data").is_dir():
        found = _text_files(folder / "data")  # TrackEval keeps a tracker's files in TRACKER/data
    if not found:
        raise EvaluationError(f"{folder} holds no result file; it needs SEQUENCE.txt for each sequence.")
    return found, False


def _load_truth(value: Any, *, name: str) -> GroundTruth:
    if isinstance(value, GroundTruth):
        return value
    if isinstance(value, pd.DataFrame):
        return prepare(value, name)
    if not isinstance(value, Path):
        if not hasattr(value, "ground_truth"):
            raise EvaluationError(
                f"ground truth cannot be a {type(value).__name__}; give a table, a path, a source with ground truth, "
                "or a dict of these."
            )
        return prepare(value.ground_truth, name)
    info_file = value.parent.parent / "seqinfo.ini" if value.parent.name == "gt" else None
    info = None
    if info_file is not None and info_file.is_file():
        info = read_seqinfo(info_file)
    elif info_file is not None:
        warnings.warn(
            f"{info_file} is missing: the length of {name} is unknown, and frames beyond its end go unnoticed.",
            FairMOTLabWarning,
            stacklevel=4,
        )
    size = {} if info is None else {"length": info.length, "width": info.width, "height": info.height}
    table = read_mot(value, "ground_truth", **size)
    if info is not None:
        table.attrs["frame_rate"] = info.frame_rate
    return prepare(table, name)


def _load_tracks(value: Any, *, truth: GroundTruth) -> pd.DataFrame:
    if isinstance(value, Path):
        table = read_mot(value, "results", length=truth.length, width=truth.width, height=truth.height)
    elif isinstance(value, pd.DataFrame):
        table = value
        check_table(table, name=f"results of {truth.name}", length=truth.length)
        ours, theirs = table.attrs.get("sequence"), truth.table.attrs.get("sequence")
        if not same_footage(ours, theirs):
            raise EvaluationError(f"the tracks are of {ours}, the ground truth is of {theirs}; give the same sequence.")
    else:
        raise EvaluationError(
            f"results cannot be a {type(value).__name__}; give a table of tracks, a path, or a dict of these."
        )
    if truth.length is None and len(table) and len(truth.frame) and table["frame"].max() > truth.frame[-1]:
        warnings.warn(
            f"{truth.name}: results reach frame {table['frame'].max()}, ground truth ends in frame {truth.frame[-1]} "
            "and the length of the sequence is unknown, so all of them count.",
            FairMOTLabWarning,
            stacklevel=4,
        )
    if "class_id" in table and (table["class_id"] > 1).any():
        other = int((table["class_id"] > 1).sum())
        warnings.warn(
            f"{truth.name}: {other} results have a class other than 1 and are evaluated as pedestrians.",
            FairMOTLabWarning,
            stacklevel=4,
        )
    return table
