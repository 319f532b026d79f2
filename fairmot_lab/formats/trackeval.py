"""Write the folders that TrackEval reads."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from ..errors import EvaluationError
from .mot import check_table, write_mot
from .mot_text import _mot_text, _write_text


def write_trackeval(
    tracks: Mapping[str, pd.DataFrame],
    ground_truth: Mapping[str, pd.DataFrame],
    folder: str | os.PathLike[str],
    *,
    tracker: str = "fairmot_lab",
    benchmark: str = "MOT17",
    split: str = "train",
) -> Path:
    """Lay results and ground truth out as TrackEval wants them, so that it can be run on the folder as it is.

    Written are gt/BENCHMARK-SPLIT/SEQ/gt/gt.txt and seqinfo.ini, gt/seqmaps/BENCHMARK-SPLIT.txt, and
    trackers/BENCHMARK-SPLIT/TRACKER/data/SEQ.txt. TrackEval is then run with GT_FOLDER=folder/gt,
    TRACKERS_FOLDER=folder/trackers, BENCHMARK and SPLIT_TO_EVAL as here.

    Parameters
    ----------
    tracks, ground_truth
        Tables by name of sequence. The length comes from the `attrs` of the ground truth, or is the largest frame of
        both.

    Returns
    -------
    pathlib.Path
        The folder.
    """
    folder, part = Path(folder), f"{benchmark}-{split}"
    absent = [name for name in tracks if name not in ground_truth]
    if absent:
        raise EvaluationError(f"the tracks of {absent[0]} have no ground truth; give it under the same name.")
    for name, table in tracks.items():
        truth = ground_truth[name]
        known = truth.attrs
        check_table(truth, "ground_truth", name=f"ground truth of {name}", length=known.get("length"))
        home = folder / "gt" / part / name
        if benchmark != "MOT15" and not ("class_id" in truth and (truth["class_id"] >= 1).any()):
            raise EvaluationError(
                f"{name} has no classes, and TrackEval needs them for {benchmark}; use benchmark='MOT15'."
            )
        write_mot(_trackeval_truth(truth), home / "gt" / "gt.txt")
        length = known.get("length") or max([1, *truth["frame"], *table["frame"]])
        info = {
            "name": name, "imDir": "img1", "frameRate": f"{known.get('frame_rate') or 30:g}", "seqLength": length,
            "imWidth": known.get("width") or 1, "imHeight": known.get("height") or 1, "imExt": ".jpg",
        }  # fmt: skip
        _write_text(home / "seqinfo.ini", "\n".join(["[Sequence]", *(f"{k}={v}" for k, v in info.items()), ""]))
        _write_text(folder / "trackers" / part / tracker / "data" / f"{name}.txt", _mot_text(table))
    _write_text(folder / "gt" / "seqmaps" / f"{part}.txt", "\n".join(["name", *tracks, ""]))
    return folder


def _trackeval_truth(table: pd.DataFrame) -> pd.DataFrame:
    """TrackEval wants nine columns, also for MOT15."""
    defaults = {"conf": 1.0, "class_id": 1, "visibility": 1.0}
    table = table.assign(**{name: value for name, value in defaults.items() if name not in table})
    return table.assign(class_id=table["class_id"].replace(-1, 1), visibility=table["visibility"].fillna(1.0))
