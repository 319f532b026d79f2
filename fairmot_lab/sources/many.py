"""Several sequences at once: found in a folder or a list, processed by joblib, failures reported at the end."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from .._files import exists
from .._progress import progress_bar
from ..errors import ConfigError, FairMOTLabError, SourceError, warn
from ..formats.base import stem
from .images import IMAGE_SUFFIXES


def several(source: Any) -> dict[str, Any] | None:
    """Return the sequences that `source` stands for, by name; None where it is a single source.

    Parameters
    ----------
    source
        A folder of sequence folders (with `seqinfo.ini`) such as `MOT17/train`, a folder of several kept detections
        (`.tar`), a list of sources, detections or their paths, or a dict from name to one.

    Raises
    ------
    SourceError
        If two sequences have one name, or a dict is empty.

    Examples
    --------
    >>> several(["clips/a.mp4", "clips/b.mp4"])
    {'a': 'clips/a.mp4', 'b': 'clips/b.mp4'}
    >>> several("clips/a.mp4") is several(["1.jpg", "2.jpg"]) is None
    True
    """
    if isinstance(source, Mapping):
        if not source:
            raise SourceError("No sequence is given; give at least one, by its name.")
        return {str(name): item for name, item in source.items()}
    if isinstance(source, str | os.PathLike):
        folder = Path(source)
        if not (source and exists(folder, SourceError) and folder.is_dir()) or (folder / "seqinfo.ini").exists():
            return None
        found = sorted(path.parent for path in folder.glob("*/seqinfo.ini"))
        if found:  # one whose seqinfo.ini is missing is named as a failure
            found = sorted({*found, *(path.parent for path in folder.glob("*/img1"))})
        else:
            found = sorted(folder.glob("*.tar"))
            found = found if len(found) > 1 else []
        return {_name(path): path for path in found} or None
    if not isinstance(source, list | tuple) or not source or not all(map(_is_sequence, source)):
        return None
    names = [_name(item) for item in source]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise SourceError(
            f"Two sequences are called {twice[0]}; give a dict from name to sequence, or one at a time (--name)."
        )
    return dict(zip(names, source, strict=True))


def _is_sequence(item: Any) -> bool:
    if isinstance(item, str | os.PathLike):
        return Path(item).suffix.lower() not in IMAGE_SUFFIXES
    return not isinstance(item, np.ndarray) and hasattr(item, "name") and hasattr(item, "frame_rate")


def _name(item: Any) -> str:
    if isinstance(item, str | os.PathLike):
        path = Path(item)
        return path.name if path.is_dir() else stem(path)
    return str(item.name)


def check_jobs(n_jobs: int | None) -> None:
    """Refuse to work with no process: ConfigError."""
    if n_jobs == 0:
        raise ConfigError("n_jobs is 0; give a number of processes, or -1 for one per core.")


def workers(n_jobs: int | None) -> joblib.Parallel:
    """Return joblib's workers, which take one call at a time and give results as they come; ConfigError for none."""
    check_jobs(n_jobs)
    return joblib.Parallel(n_jobs=n_jobs, return_as="generator_unordered", batch_size=1)


def run_each(
    function: Callable[[str, Any], Any],
    sequences: Mapping[str, Any],
    *,
    n_jobs: int | None = None,
    description: str = "",
    progress: bool = True,
) -> dict[str, Any]:
    """Call a function for each sequence, and keep the results of those that do not fail.

    Parameters
    ----------
    function
        Of a sequence's name and the sequence.
    sequences
        By name.
    n_jobs
        Processes, as joblib counts them; by default joblib's own setting, or the cluster of
        `joblib.parallel_config`.
    description
        Of the progress bar.
    progress
        Whether it is shown.

    Raises
    ------
    FairMOTLabError
        If every sequence fails: the first error.
    ConfigError
        If a sequence, or what the function needs, cannot be handed to other processes.

    Warns
    -----
    FairMOTLabWarning
        Naming the sequences that failed, and why.

    Examples
    --------
    >>> run_each(lambda name, number: number + 1, {"a": 1, "b": 2}, progress=False)
    {'a': 2, 'b': 3}
    """
    calls = (joblib.delayed(_attempt)(function, name, one) for name, one in sequences.items())
    results: dict[str, Any] = {}
    failures: dict[str, FairMOTLabError] = {}
    with progress_bar(total=len(sequences), unit="sequence", desc=description, disable=not progress) as bar:
        try:
            for name, result, error in workers(n_jobs)(calls):
                if error is None:
                    results[name] = result
                else:
                    failures[name] = error
                bar.update()
        except pickle.PicklingError as error:
            raise ConfigError(
                "A source or model that is open cannot be handed to other processes; give names and paths, or leave "
                "out n_jobs."
            ) from error
    if failures and not results:
        raise next(failures[name] for name in sequences if name in failures)
    if failures:
        failed = "; ".join(f"{name}: {failures[name]}" for name in sequences if name in failures)
        warn(f"{len(failures)} of {len(sequences)} sequences failed and are left out. {failed}")
    return {name: results[name] for name in sequences if name in results}


def _attempt(function: Callable[[str, Any], Any], name: str, one: Any) -> tuple[str, Any, FairMOTLabError | None]:
    try:
        return name, function(name, one), None
    except FairMOTLabError as error:
        return name, None, error
