"""Find results and ground truth, whatever form they come in, and match them by the name of the sequence."""

from __future__ import annotations

import contextlib
import difflib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .._files import cannot_read, exists, file_name
from ..data import same_footage, split_sequences
from ..errors import EvaluationError, MotFileError, warn
from ..formats.base import stem
from ..formats.classes import class_notes, ignored_rows, people_classes
from ..formats.labels import MOTCHALLENGE, find_labels, has_free_name, recognise
from ..formats.mot import LARGEST_FRAME, check_table, read_mot, warn_about_corners
from ..formats.motchallenge import sequence_names
from .names import OVERALL
from .protocols import GroundTruth, prepare

Load = Callable[..., Any]
Loaded = dict[str, tuple[GroundTruth, pd.DataFrame]]  # ground truth and tracks by sequence


@dataclass(frozen=True)
class Inputs:
    """Loaders by name of sequence: ground truth and results that belong together, and what has no results."""

    pairs: dict[str, tuple[Load, Load]]
    without_results: list[str]


def find_inputs(tracks: Any, ground_truth: Any, sequences: Iterable[str] | None, *, check_name: bool = True) -> Inputs:
    """Match results with ground truth by name; nothing is read yet.

    A single result belongs to a single ground truth, unless `check_name` and it has the name of another sequence.

    Raises
    ------
    EvaluationError
        If a result has no ground truth, a named sequence does not exist, or nothing is left to evaluate.
    """
    if isinstance(tracks, pd.DataFrame) and "sequence" in tracks.columns:
        tracks = split_sequences(tracks)
    truths, one_truth = _find(ground_truth, "ground truth", _truth_loads, _load_truth)
    results, one_result = _find(tracks, "results", _result_loads, _load_tracks)
    _warn_if_same(tracks, ground_truth)
    _warn_if_swapped(tracks, ground_truth)
    if one_truth and one_result:
        if check_name and isinstance(tracks, str | os.PathLike | pd.DataFrame):
            _refuse_other_sequence(tracks, next(iter(results)), next(iter(truths)), ground_truth)
        results = dict(zip(truths, results.values(), strict=True))
    else:  # files of results are called as `track` calls them
        called = {file_name(name): name for name in truths if name not in results}
        results = {called.get(file_name(name), name): load for name, load in results.items()}
    if sequences is not None:
        truths = {name: truths[name] for name in chosen_names(sequences, truths, "ground truth")}
        results = {name: load for name, load in results.items() if name in truths}
    for name in results:
        if name not in truths:
            raise EvaluationError(
                f"The results of {name} have no ground truth (gt/gt.txt); {_nearest(name, truths)}, or name the "
                "sequences to evaluate."
            )
    if OVERALL in truths:
        raise EvaluationError(f"{OVERALL} is the row of all sequences together; give this sequence another name.")
    pairs = {name: (truths[name], results[name]) for name in truths if name in results}
    missing = [name for name in truths if name not in results]
    if not pairs:
        raise EvaluationError(
            f"None of the {len(truths)} sequences with ground truth has results; nothing to evaluate."
        )
    return Inputs(pairs, missing)


def chosen_names(sequences: str | Iterable[str], known: Iterable[str], what: str) -> list[str]:
    """Return the names of chosen sequences as a list.

    Raises
    ------
    EvaluationError
        If one is not among those that have what is wanted (`what`).
    """
    names = [sequences] if isinstance(sequences, str) else list(sequences)
    for name in names:
        if name not in known:
            raise EvaluationError(f"Sequence {name!r} has no {what}; {_nearest(name, known)}.")
    return names


def _nearest(name: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    return f"the nearest are {', '.join(near)}" if near else f"there is {', '.join(names[:5]) or 'none'}"


def _find(value: Any, what: str, loads: Callable, load: Callable) -> tuple[dict[str, Load], bool]:
    """Loaders by name, and whether `value` stands for a single sequence."""
    if isinstance(value, Mapping):
        loaders = {}
        for name, item in value.items():
            found, single = _find(item, what, loads, load)
            if not single:
                raise EvaluationError(f"The {what} of {name} is a folder of several sequences; give one for each name.")
            loaders[str(name)] = next(iter(found.values()))
        if not loaders:
            raise EvaluationError(f"The {what} is an empty dict; give at least one sequence.")
        return loaders, False
    if isinstance(value, str | os.PathLike):
        path = Path(value)
        if not exists(value, EvaluationError):
            raise EvaluationError(
                f"{os.fspath(value) or 'An empty path'} does not exist; give a file or folder with {what}."
            )
        return loads(path)
    name = getattr(value, "name", None) or getattr(value, "attrs", {}).get("sequence") or "sequence"
    return {str(name): lambda **how: load(value, **how)}, True


_RESULT_SUFFIXES = (".txt", ".txt.gz", ".json")
_RESULT_FORMATS = ("kitti", "bdd100k", "coco", "aicity")


def _result_files(folder: Path) -> dict[str, Path]:
    """Result files by name of sequence; of SEQ.txt, SEQ.txt.gz and SEQ.json the first is read, which is said."""
    found: dict[str, Path] = {}
    try:
        paths = sorted(folder.iterdir(), key=lambda path: (path.suffix == ".json", path))
    except OSError as error:
        raise EvaluationError(cannot_read(folder, error)) from error
    for path in paths:
        if not path.name.endswith(_RESULT_SUFFIXES) or path.name.startswith(".") or not path.is_file():
            continue
        first = found.setdefault(stem(path), path)
        if first != path and (path.suffix != ".json" or _holds_results(path)):  # others are records of runs
            warn(f"{first} is read; {path.name} beside it is not.")
    return found


def _holds_results(path: Path) -> bool:
    try:
        return recognise(path).name in _RESULT_FORMATS
    except MotFileError:
        return False


def _results_in(path: Path) -> dict[str, Load]:
    """Loaders of the results in a file: MOTChallenge text, or what the server of another data set takes."""
    if path.suffix.lower() in (".txt", ".json"):
        try:
            format = recognise(path) if path.stat().st_size else MOTCHALLENGE
        except MotFileError:
            format = MOTCHALLENGE  # whose reader says what is wrong
        if format.name in _RESULT_FORMATS:
            return {
                name: (lambda read=read, **how: _load_tracks(_as_tracks(read()), **how))
                for name, read in format.sequences(path).items()
            }
        if path.suffix.lower() == ".json":
            raise EvaluationError(
                f"{path} holds no results; a JSON file of results has the form of BDD100K or COCO for videos."
            )
    return {stem(path): lambda **how: _load_tracks(path, **how)}


def _as_tracks(table: pd.DataFrame) -> pd.DataFrame:
    """The table of a results file that a reader of ground truth has read, without regions to ignore."""
    tracks = table[~ignored_rows(table)].drop(columns=["conf", "visibility"]).reset_index(drop=True)
    tracks.attrs = {key: value for key, value in table.attrs.items() if key in ("classes", "frame_rate")}
    return tracks


def _truth_loads(path: Path) -> tuple[dict[str, Load], bool]:
    is_sequence = path.is_file() or (path / "gt" / "gt.txt").is_file()
    if not is_sequence and (path / "seqinfo.ini").is_file():
        raise EvaluationError(f"{path / 'gt' / 'gt.txt'} is missing; the sequence cannot be evaluated without it.")
    try:
        found = find_labels(path)
    except MotFileError as error:
        if path.is_file() or "known format" not in str(error):
            raise
        raise EvaluationError(
            f"{path} holds no ground truth; it needs SEQUENCE/gt/gt.txt for each sequence, or labels in a format of "
            "docs/datasets.md."
        ) from None
    loads = {name: (lambda read=read, **how: _load_truth(read(), **how)) for name, read in found.items()}
    return loads, len(found) == 1 and (is_sequence or path.is_file())


def _result_loads(path: Path) -> tuple[dict[str, Load], bool]:
    if path.is_file():
        loads = _results_in(path)
        return loads, len(loads) == 1
    found = _result_files(path)
    inside = path / "data"  # TrackEval keeps a tracker's files in TRACKER/data and its summaries beside
    if inside.is_dir() and all(name.endswith("_summary") for name in found):
        found = _result_files(inside)
    if not found:
        trackers = sorted({file.parent for pattern in ("*/*.txt", "*/data/*.txt") for file in path.glob(pattern)})
        hint = f", or give the folder of one tracker, such as {trackers[0]}" if trackers else ""
        raise EvaluationError(f"{path} holds no result file; it needs SEQUENCE.txt for each sequence{hint}.")
    if all(name.endswith("_summary") for name in found):
        raise EvaluationError(
            f"{path} holds TrackEval's summaries and no results; give the folder of the result files (TRACKER/data)."
        )
    every: dict[str, Load] = {}
    for file in found.values():
        for name, load in _results_in(file).items():
            if every.setdefault(name, load) is not load:
                raise EvaluationError(f"{file} holds results of {name}, as another file of {path} does; give one.")
    return every, False


def _warn_if_same(tracks: Any, ground_truth: Any) -> None:
    paths = [Path(each) for each in (tracks, ground_truth) if isinstance(each, str | os.PathLike)]
    if len(paths) == 2 and paths[0].resolve() == paths[1].resolve():
        warn(
            f"{paths[0]} is given both as the results and as the ground truth, so every figure is perfect; give the "
            "ground truth of the sequence."
        )


def _warn_if_swapped(tracks: Any, ground_truth: Any) -> None:
    if _looks_like_truth(tracks) is True and _looks_like_truth(ground_truth) is False:
        warn(
            "What is given as the tracks looks like ground truth, and the other way round; evaluate takes the tracks "
            "first."
        )


def _looks_like_truth(value: Any) -> bool | None:
    """Only ground truth has a column conf, or is called gt.txt; None where neither can be told."""
    if isinstance(value, pd.DataFrame):
        return "conf" in value
    if isinstance(value, str | os.PathLike) and Path(value).is_file():
        return Path(value).name.startswith("gt.txt")
    return None


def _refuse_other_sequence(tracks: Any, name: str, truth: str, ground_truth: Any) -> None:
    """Raise an error if results have the name of another sequence."""
    if not names_another_sequence(name, truth, ground_truth):
        return
    if isinstance(tracks, pd.DataFrame):
        raise _other_sequence(name, truth)
    raise EvaluationError(
        f"{tracks} has the name of the sequence {name}, and the ground truth is of {truth}; give the results of "
        f"{truth}, or rename the file if only its name is wrong."
    )


def _other_sequence(ours: str, theirs: str) -> EvaluationError:
    return EvaluationError(
        f"The tracks are of {ours}, the ground truth is of {theirs}; give the same sequence, or set "
        f"tracks.attrs['sequence'] = {theirs!r} if only the name differs."
    )


def names_another_sequence(name: str, truth: str, ground_truth: Any) -> bool:
    """Return whether a name is that of another sequence than the ground truth's; most, such as a tracker's, are none.

    A name belongs to a sequence if a benchmark lists it, or if a sequence of that name lies beside the ground truth.
    """
    known = sequence_names()
    is_known = name in known and truth in known
    return (is_known or _lies_beside(name, truth, ground_truth)) and not same_footage(name, truth)


def _lies_beside(name: str, truth: str, ground_truth: Any) -> bool:
    place = getattr(ground_truth, "path", ground_truth)
    if not isinstance(place, str | os.PathLike) or Path(name).name != name:  # as of a stream
        return False
    path = Path(place).resolve()
    own = next((one for one in (path, *path.parents) if one.name in (truth, truth + path.suffix)), None)
    if own is None:
        return False
    other = own.with_name(name + own.name.removeprefix(truth))
    if not os.path.exists(other) or other.samefile(own):  # a link to the sequence
        return False
    if other.is_file():
        with contextlib.suppress(MotFileError):
            return recognise(other) is not MOTCHALLENGE  # whose labels look like results
    return any((other / part).exists() for part in ("seqinfo.ini", "gt/gt.txt"))


def one_truth(ground_truth: Any, name: str) -> GroundTruth:
    """Return the ground truth of one sequence, whatever form it comes in.

    Raises
    ------
    EvaluationError
        If there are several sequences and none has the name.
    """
    if isinstance(ground_truth, GroundTruth):
        return ground_truth
    loads, is_one = _find(ground_truth, "ground truth", _truth_loads, _load_truth)
    (found,) = loads if is_one else chosen_names(name, loads, "ground truth")
    return loads[found](name=found)


def _load_truth(value: Any, *, name: str) -> GroundTruth:
    if isinstance(value, GroundTruth):
        return value
    if isinstance(value, pd.DataFrame):
        named = value.copy(deep=False)
        named.attrs = {"sequence": name, **value.attrs}
        for note in class_notes(named):
            warn(note)
        return prepare(value, name)
    if not hasattr(value, "ground_truth"):
        raise EvaluationError(
            f"Ground truth cannot be a {type(value).__name__}; give a table, a path, a source with ground truth, or a "
            "dict of these."
        )
    return _load_truth(value.ground_truth, name=name)


def _load_tracks(value: Any, *, truth: GroundTruth) -> pd.DataFrame:
    if isinstance(value, Path):
        table = read_mot(value, "results", length=truth.length, width=truth.width, height=truth.height)
    elif isinstance(value, pd.DataFrame):
        table = value
        check_table(table, name=f"results of {truth.name}", length=truth.length)
        warn_about_corners(table, f"results of {truth.name}", truth.width, truth.height)
        ours, theirs = table.attrs.get("sequence"), truth.table.attrs.get("sequence")
        if not (same_footage(ours, theirs) or has_free_name(table) or has_free_name(truth.table)):
            raise _other_sequence(ours, theirs)
    else:
        raise EvaluationError(
            f"Results cannot be a {type(value).__name__}; give a table of tracks, a path, or a dict of these."
        )
    if truth.length is None and len(table) and len(truth.frame) and table["frame"].max() > truth.frame[-1]:
        warn(
            f"{truth.name}: results reach frame {table['frame'].max()}, ground truth ends in frame {truth.frame[-1]} "
            "and the length of the sequence is unknown, so all of them count."
        )
    if "class_id" in table:
        names = table.attrs.get("classes")
        odd = ~table["class_id"].isin(people_classes(names)) if names else table["class_id"] > 1
        if odd.any():
            kinds = (
                f" ({', '.join(str(names.get(each, each)) for each in table['class_id'][odd].unique())})"
                if names
                else ""
            )
            warn(
                f"{truth.name}: {int(odd.sum())} results have {'another class' if names else 'a class other than 1'}"
                f"{kinds} and are evaluated as pedestrians; with classes= (--classes) each class is evaluated by "
                "itself."
            )
    return table


def unlabelled_frames(tracks: pd.DataFrame, truth: GroundTruth, frames: tuple[int, int] | None) -> str | None:
    """Return a note if results lie in many frames that nobody labelled, where each is a false positive, else None.

    Frames in which a tracker finds less than half of what it finds elsewhere may well be empty, and are not named.
    """
    if not len(tracks) or not len(truth.frame):
        return None
    frame, labelled = tracks["frame"].to_numpy(), np.unique(truth.frame)
    begin, end = (1, LARGEST_FRAME) if frames is None else frames
    end = min(end, truth.length or int(max(frame.max(), labelled[-1])))
    outside = ~np.isin(frame, labelled)
    count = end - begin + 1
    without = count - len(labelled)
    inside_rate = (~outside).sum() / len(labelled)
    if without < max(2, 0.1 * count) or outside.sum() < max(1, 0.5 * inside_rate * without):
        return None
    first, last = int(labelled[0]), int(labelled[-1])
    whole = last - first + 1 == len(labelled)
    remedy = f"evaluate frames {first} to {last} (--frames {first} {last})" if whole else "leave their results out"
    return (
        f"{truth.name}: {without} of {count} frames have no ground truth, and the {int(outside.sum())} results in them "
        f"count as false positives; if these frames are not labelled, {remedy}."
    )
