"""Write results for the MOTChallenge server (https://motchallenge.net/instructions)."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from .._files import write_zip
from ..data import by_sequence
from ..errors import EvaluationError, warn
from .mot import check_table, submitted_text
from .motchallenge import BENCHMARKS, Benchmark

_BENCHMARKS = {benchmark.name: benchmark for benchmark in BENCHMARKS}


def write_submission(
    tracks: Mapping[str, pd.DataFrame] | pd.DataFrame, path: str | os.PathLike[str], *, benchmark: str | None = None
) -> Path:
    """Write a zip that the MOTChallenge server takes: one SEQUENCE.txt for each sequence, in no folder.

    Rows are frame, id, x, y, w, h, score, -1, -1, -1, with a class of -1 as the server asks.

    Parameters
    ----------
    tracks
        Tracks tables by name of sequence, or joined. MOT17 wants one for each of its three detectors.
    path
        The zip to make or replace.
    benchmark
        "MOT15", "MOT16", "MOT17" or "MOT20"; by default inferred from the names of the sequences.

    Raises
    ------
    EvaluationError
        If a sequence is not of the benchmark, or one of its test set is missing: the server refuses such a zip.
    MotFileError
        If a table breaks the rules of `read_mot`.
    WriteError
        If the file cannot be written, or is one that a table was read from.

    Examples
    --------
    >>> import tempfile
    >>> table = pd.DataFrame({"frame": [1], "id": [7], "x": [10.0], "y": [20.0], "w": [30.0], "h": [60.0]})
    >>> names = ("MOT20-04", "MOT20-06", "MOT20-07", "MOT20-08")
    >>> write_submission(dict.fromkeys(names, table), Path(tempfile.mkdtemp(), "mine.zip")).name
    'mine.zip'
    """
    tracks = by_sequence(tracks)
    benchmark = benchmark or _benchmark_of(tracks)
    if benchmark not in _BENCHMARKS:
        raise EvaluationError(f"Benchmark {benchmark!r} is unknown; choose {', '.join(_BENCHMARKS)}.")
    known, wanted = _accepted(_BENCHMARKS[benchmark]), sorted(_BENCHMARKS[benchmark].test)
    foreign = [name for name in tracks if name not in known]
    if foreign:
        near = difflib.get_close_matches(foreign[0], known, n=2)
        hint = f"did you mean {' or '.join(near)}" if near else f"it has {', '.join(known[:3])}, ..."
        raise EvaluationError(f"{foreign[0]!r} is not a sequence of {benchmark}; {hint}.")
    missing = [name for name in wanted if name not in tracks]
    if missing:
        raise EvaluationError(
            f"A {benchmark} submission needs results for its {len(wanted)} test sequences; {len(missing)} are missing: "
            f"{', '.join(missing[:6])}{', ...' if len(missing) > 6 else ''}."
        )
    texts = {}
    for name in sorted(tracks):
        check_table(tracks[name], name=f"tracks of {name}")
        if not len(tracks[name]):
            warn(f"{name} has no track at all.")
        texts[f"{name}.txt"] = submitted_text(tracks[name])
    return write_zip(path, texts, tracks)


def _accepted(benchmark: Benchmark) -> list[str]:
    """Return the sequences that a server takes: it scores the test set, and takes the training set beside it."""
    return sorted(benchmark.test if benchmark.name == "MOT15" else benchmark.lengths)


def _benchmark_of(tracks: Iterable[str]) -> str:
    first = next(iter(tracks), "an empty dict")
    for benchmark in BENCHMARKS:
        if first in _accepted(benchmark):
            return benchmark.name
    raise EvaluationError(
        f"{first!r} does not say which benchmark it belongs to; pass benchmark=, one of {', '.join(_BENCHMARKS)}."
    )
