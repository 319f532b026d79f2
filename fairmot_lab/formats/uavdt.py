"""UAVDT (GT/M0101_gt_whole.txt and M0101_gt_ignore.txt): vehicles seen from drones.

https://sites.google.com/view/grli-uavdt
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import MotFileError
from .base import Format, one_sequence
from .mot import refuse
from .text import read_numbers
from .truth import truth_table

UAVDT_CLASSES = {0: "ignored region", 1: "car", 2: "truck", 3: "bus"}
_ENDINGS = ("_gt_whole.txt", "_gt.txt")


def read_uavdt(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read the ground truth of a UAVDT sequence.

    Parameters
    ----------
    path
        M0101_gt_whole.txt (frame, id, x, y, w, h, out-of-view, occlusion, category) or M0101_gt.txt, which has no
        categories. Regions of M0101_gt_ignore.txt beside it are read too.

    Returns
    -------
    pandas.DataFrame
        Ground truth as `read_mot` gives it. Ignored regions are rows of class 0 with conf 0.

    Raises
    ------
    MotFileError
        Naming the line and the value.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "M0101_gt_whole.txt")
    >>> _ = path.write_text("1,1,10,20,30,15,1,2,3\\n")
    >>> read_uavdt(path)[["id", "conf", "class_id"]].values.tolist()
    [[1.0, 1.0, 3.0]]
    """
    path = Path(path)
    values, where = read_numbers(path)
    if values.shape[1] < 9:
        raise MotFileError(f"{where(0)} has {values.shape[1]} columns; UAVDT's files have 9.")
    rows = np.column_stack((values[:, :6], np.ones(len(values)), np.ones(len(values))))
    if path.name.endswith("_gt_whole.txt"):
        rows[:, 7] = values[:, 8]
        is_odd = ~np.isin(rows[:, 7], (1, 2, 3))
        refuse(is_odd, rows[:, 7], where, "category {:g} is not 1 (car), 2 (truck) or 3 (bus)")
    ignored = path.with_name(_name(path) + "_gt_ignore.txt")
    if ignored.is_file() and ignored.stat().st_size:
        regions = read_numbers(ignored)[0][:, :6]
        regions = np.column_stack((regions, np.zeros(len(regions)), np.zeros(len(regions))))
        regions[:, 1] = -1
        rows = np.concatenate((rows, regions))
    table = truth_table(rows, path, format=FORMAT.title, classes=UAVDT_CLASSES, sequence=_name(path))
    table.attrs["files"].append(os.path.realpath(ignored))
    return table


def _name(path: Path) -> str:
    return next((path.name.removesuffix(ending) for ending in _ENDINGS if path.name.endswith(ending)), path.stem)


def _recognise(path: Path, head: bytes) -> bool:
    return path.name.endswith(_ENDINGS)


FORMAT = Format(
    name="uavdt",
    title="UAVDT",
    recognise=_recognise,
    sequences=one_sequence(read_uavdt, _name),
    frames=("../../UAV-benchmark-M/{sequence}", "../UAV-benchmark-M/{sequence}", "../{sequence}"),
    labels=(
        "../../UAV-benchmark-MOTD_v1.0/GT/{sequence}_gt_whole.txt",
        "../../GT/{sequence}_gt_whole.txt",
        "../GT/{sequence}_gt_whole.txt",
    ),
    protocol="UAVDT-MOT: all vehicles as one class; what ignored regions cover is dropped",
)
