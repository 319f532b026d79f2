"""AI City Challenge: one text with the rows of all cameras (ground_truth_train.txt, track1.txt).

https://www.aicitychallenge.org. The cameras' own gt/gt.txt beside vdo.avi are MOTChallenge text.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd

from .base import Format, first_line, several_sequences
from .mot import check_whole
from .text import read_numbers
from .truth import truth_table


def read_aicity(path: str | os.PathLike[str]) -> dict[str, pd.DataFrame]:
    """Read a text with the vehicles of all cameras.

    Parameters
    ----------
    path
        The file: camera, id, frame (from 1), x, y, w, h, and two coordinates in the world, with spaces between.

    Returns
    -------
    dict from str to pandas.DataFrame
        Ground truth of each camera ("c001", ...) as `read_mot` gives it, without classes.

    Raises
    ------
    MotFileError
        Naming the line and the value.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "ground_truth_train.txt")
    >>> _ = path.write_text("1 5 1 10 20 30 40 -1 -1\\n2 5 9 11 21 31 41 -1 -1\\n")
    >>> {name: table["frame"].tolist() for name, table in read_aicity(path).items()}
    {'c001': [1], 'c002': [9]}
    """
    path = Path(path)
    values, where = read_numbers(path)
    camera = values[:, 0]
    check_whole(camera, "camera", where)
    nothing = np.ones(len(values))
    rows = np.column_stack((values[:, 2], values[:, 1], values[:, 3:7], nothing, -nothing))
    return {
        f"c{int(each):03d}": truth_table(rows[camera == each], path, format=FORMAT.title, sequence=f"c{int(each):03d}")
        for each in np.unique(camera)
    }


def _recognise(path: Path, head: bytes) -> bool:
    line = head.partition(b"\n")[0]
    if len(first_line(head)) != 9 or b"," in line or b";" in line:
        return False
    if not path.name.startswith(("ground_truth", "track1", "track3", "track5")):
        return False
    return all(field.lstrip("-").isdigit() for field in first_line(head)[:7])


FORMAT = Format(
    name="aicity",
    title="AI City",
    recognise=_recognise,
    sequences=several_sequences(read_aicity),
    protocol="vehicles, each camera by itself (the challenge's IDF1 is over all cameras)",
)
