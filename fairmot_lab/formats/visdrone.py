"""VisDrone-MOT (annotations/SEQ.txt): ten numbers a line, ignored regions among them.

https://github.com/VisDrone/VisDrone2018-MOT-toolkit
"""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from .base import Format, first_line, one_sequence, stem
from .mot import looks_like_visdrone
from .text import clean_text, parse_numbers, read_bytes, read_numbers
from .truth import truth_table

VISDRONE_CLASSES = {
    0: "ignored regions", 1: "pedestrian", 2: "people", 3: "bicycle", 4: "car", 5: "van", 6: "truck", 7: "tricycle",
    8: "awning-tricycle", 9: "bus", 10: "motor", 11: "others",
}  # fmt: skip


def read_visdrone(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read an annotation file of VisDrone-MOT.

    Parameters
    ----------
    path
        The file: frame, id, x, y, w, h, score (0: not scored), category, truncation, occlusion.

    Returns
    -------
    pandas.DataFrame
        Ground truth as `read_mot` gives it. `attrs["classes"]` names the categories; ignored regions (category 0) have
        conf 0 and an id each.

    Raises
    ------
    MotFileError
        Naming the line and the value.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "uav0000013_00000_v.txt")
    >>> _ = path.write_text("1,0,800,10,300,100,0,0,0,0\\n1,4,20,30,15,40,1,1,0,2\\n")
    >>> read_visdrone(path)[["id", "class_id", "conf"]].values.tolist()
    [[5.0, 0.0, 0.0], [4.0, 1.0, 1.0]]
    """
    path = Path(path)
    values, _ = read_numbers(path)
    values = values[:, :10]
    region = values[:, 7] == 0
    rows = values[:, :8].copy()
    rows[region, 1], rows[region, 6] = -1, 0
    return truth_table(rows, path, format=FORMAT.title, classes=VISDRONE_CLASSES, sequence=stem(path))


def _recognise(path: Path, head: bytes) -> bool:
    fields = first_line(head)
    if len(fields) != 10 or not all(field.isdigit() for field in fields[6:]):
        return False
    values = parse_numbers(clean_text(read_bytes(path), path))
    return values is not None and looks_like_visdrone(values)


FORMAT = Format(
    name="visdrone",
    title="VisDrone-MOT",
    recognise=_recognise,
    sequences=one_sequence(read_visdrone),
    frames=("../sequences/{sequence}",),
    labels=("../../annotations/{sequence}.txt",),
    protocol="VisDrone-MOT: pedestrian and people as one class, or the five classes of its toolkit each by itself "
    "(pedestrian, car, van, truck, bus); what ignored regions and others cover is dropped",
)
