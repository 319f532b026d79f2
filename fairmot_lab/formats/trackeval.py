"""Write the folders that TrackEval reads."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from .._files import refuse_overwrite, write_text
from ..data import by_sequence
from ..errors import EvaluationError
from .classes import ignored_rows, motchallenge_classes
from .mot import check_table, submitted_text, write_mot
from .seqinfo import write_seqinfo

_FILES = ("gt/gt.txt", "seqinfo.ini")


def write_trackeval(
    tracks: Mapping[str, pd.DataFrame] | pd.DataFrame,
    ground_truth: Mapping[str, pd.DataFrame] | pd.DataFrame,
    folder: str | os.PathLike[str],
    *,
    tracker: str = "fairmot_lab",
    benchmark: str = "MOT17",
    split: str = "train",
) -> Path:
    """Write results and ground truth in the folders that TrackEval reads.

    Written are gt/BENCHMARK-SPLIT/SEQ/gt/gt.txt and seqinfo.ini, gt/seqmaps/BENCHMARK-SPLIT.txt, and
    trackers/BENCHMARK-SPLIT/TRACKER/data/SEQ.txt. TrackEval is then run with GT_FOLDER=folder/gt,
    TRACKERS_FOLDER=folder/trackers, BENCHMARK and SPLIT_TO_EVAL as here.

    Parameters
    ----------
    tracks, ground_truth
        Tables by name of sequence, or joined, or of one sequence. The length comes from the `attrs` of the ground
        truth, or is the largest frame of both. Named classes (`attrs["classes"]`) are written in MOTChallenge's
        numbers; regions to ignore, which TrackEval does not know for MOTChallenge, are left out.
    folder
        The folder to make or add to.
    tracker, benchmark, split
        Names that TrackEval's configuration takes.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    EvaluationError
        If tracks have no ground truth, or the benchmark needs classes and there are none.
    MotFileError
        If a table breaks the rules of `read_mot`.
    WriteError
        If a file cannot be written, or is one that a table was read from.

    Examples
    --------
    >>> import tempfile
    >>> table = pd.DataFrame({"frame": [1], "id": [7], "x": [10.0], "y": [20.0], "w": [30.0], "h": [60.0]})
    >>> folder = write_trackeval({"S": table}, {"S": table.assign(conf=1.0, class_id=1)}, tempfile.mkdtemp())
    >>> (folder / "gt" / "seqmaps" / "MOT17-train.txt").read_text()
    'name\\nS\\n'
    """
    tracks, ground_truth = by_sequence(tracks), by_sequence(ground_truth)
    folder, part = Path(folder), f"{benchmark}-{split}"
    absent = [name for name in tracks if name not in ground_truth]
    if absent:
        raise EvaluationError(f"The tracks of {absent[0]} have no ground truth; give it under the same name.")
    homes = {name: folder / "gt" / part / name for name in tracks}
    texts = {name: folder / "trackers" / part / tracker / "data" / f"{name}.txt" for name in tracks}
    seqmap = folder / "gt" / "seqmaps" / f"{part}.txt"
    for path in (seqmap, *texts.values(), *(home / file for home in homes.values() for file in _FILES)):
        refuse_overwrite(path, tracks, ground_truth)
    for name, table in tracks.items():
        length = ground_truth[name].attrs.get("length")
        check_table(ground_truth[name], "ground_truth", name=f"ground truth of {name}", length=length)
        check_table(table, name=f"the tracks of {name}", length=length)
    for name, table in tracks.items():
        truth, home = ground_truth[name], homes[name]
        known = truth.attrs
        if benchmark != "MOT15" and not (motchallenge_classes(truth) >= 1).any():
            raise EvaluationError(
                f"{name} has no classes, and TrackEval needs them for {benchmark}; use benchmark='MOT15'."
            )
        write_mot(_trackeval_truth(truth), home / _FILES[0])
        last = max((int(each["frame"].max()) for each in (truth, table) if len(each)), default=1)
        size = known.get("width") or 1, known.get("height") or 1
        write_seqinfo(home / _FILES[1], name, known.get("frame_rate") or 30, known.get("length") or last, size)
        write_text(texts[name], submitted_text(table))
    before = seqmap.read_text(encoding="utf-8").splitlines()[1:] if seqmap.exists() else []
    write_text(seqmap, "\n".join(["name", *dict.fromkeys((*before, *tracks)), ""]))
    return folder


def _trackeval_truth(table: pd.DataFrame) -> pd.DataFrame:
    """Return TrackEval's nine columns, also for MOT15, with MOTChallenge's classes and no regions to ignore."""
    rows = table[~ignored_rows(table)]
    classes = motchallenge_classes(rows)
    defaults = {"conf": 1.0, "visibility": 1.0}
    rows = rows.assign(**{name: value for name, value in defaults.items() if name not in rows})
    return rows.assign(class_id=np.where(classes == -1, 1, classes), visibility=rows["visibility"].fillna(1.0))
