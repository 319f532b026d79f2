"""Read and write CVAT's format "MOT 1.1"."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import EvaluationError, MotFileError
from .mot import check_table, read_mot
from .mot_text import _write_zip

_CVAT_LABELS = ("person",)


def write_cvat(tracks: pd.DataFrame, path: str | os.PathLike[str], *, labels: Iterable[str] = _CVAT_LABELS) -> Path:
    """Write tracks as a zip in CVAT's format "MOT 1.1", to be uploaded to a task as annotations.

    The zip holds gt/gt.txt (frame from 1, track, x, y, w, h, not ignored, label, visibility) and gt/labels.txt.

    Parameters
    ----------
    tracks
        Tracks or ground truth. `class_id` counts the labels from 1; where it is -1 or missing, the first is meant.
    path
        The zip to make or replace.
    labels
        Names of the labels in the CVAT task.

    Raises
    ------
    EvaluationError
        If a class has no label.
    MotFileError
        If the table breaks the rules of `read_mot`.
    """
    names = list(labels)
    check_table(tracks, name="the tracks")
    rows = tracks.sort_values(["frame", "id"], kind="stable")
    classes = rows["class_id"].to_numpy() if "class_id" in rows else np.full(len(rows), -1)
    classes = np.where(classes == -1, 1, classes)
    if len(rows) and (classes.min() < 1 or classes.max() > len(names)):
        odd = int(classes[(classes < 1) | (classes > len(names))][0])
        raise EvaluationError(f"class {odd} has no label: there are {len(names)} ({', '.join(names)}), counted from 1.")
    table = pd.DataFrame({name: rows[name].astype(np.int64) for name in ("frame", "id")})
    for name in "xywh":
        table[name] = rows[name].astype(float)
    conf = rows["conf"].to_numpy() if "conf" in rows else np.ones(len(rows))
    table["not_ignored"] = (conf != 0).astype(int)
    table["class"] = classes
    visibility = rows["visibility"].to_numpy(float) if "visibility" in rows else np.ones(len(rows))
    table["visibility"] = np.where(np.isnan(visibility), 1.0, visibility)
    text = table.to_csv(header=False, index=False, lineterminator="\n")
    return _write_zip(path, {"gt/gt.txt": text, "gt/labels.txt": "\n".join(names) + "\n"})


def read_cvat(path: str | os.PathLike[str]) -> tuple[pd.DataFrame, list[str]]:
    """Read annotations that CVAT exported as "MOT 1.1".

    Parameters
    ----------
    path
        The zip, or the folder it was unpacked to.

    Returns
    -------
    pandas.DataFrame
        Ground truth as `read_mot` gives it: `class_id` counts the labels from 1, `conf` is 0 for what was ignored.
    list of str
        The labels.

    Raises
    ------
    MotFileError
        If gt/gt.txt is missing or breaks the rules of `read_mot`.
    """
    path = Path(path)
    if path.is_dir():
        return _read_cvat_folder(path, path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = {
                name: archive.read(name) for name in archive.namelist() if name in ("gt/gt.txt", "gt/labels.txt")
            }
    except FileNotFoundError as error:
        raise MotFileError(f"{path} does not exist; give the zip that CVAT exported.") from error
    except (zipfile.BadZipFile, OSError) as error:
        raise MotFileError(f"{path} is not a zip file ({error}); export the task from CVAT as MOT 1.1.") from error
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "gt").mkdir()
        for name, data in members.items():
            (Path(folder) / name).write_bytes(data)
        try:
            return _read_cvat_folder(Path(folder), path)
        except MotFileError as error:
            raise MotFileError(str(error).replace(str(Path(folder)), str(path))) from None


def _read_cvat_folder(folder: Path, named: Path) -> tuple[pd.DataFrame, list[str]]:
    if not (folder / "gt" / "gt.txt").is_file():
        raise MotFileError(f"{named} holds no gt/gt.txt; export the task from CVAT as MOT 1.1.")
    table = read_mot(folder / "gt" / "gt.txt", "ground_truth")
    table.attrs["sequence"] = named.name.removesuffix(".zip")
    labels_file = folder / "gt" / "labels.txt"
    labels = labels_file.read_text(encoding="utf-8").split("\n") if labels_file.is_file() else list(_CVAT_LABELS)
    labels = [label.strip() for label in labels if label.strip()]
    if len(table) and table["class_id"].max() > len(labels):
        raise MotFileError(
            f"{named}: gt/gt.txt has class {table['class_id'].max()} and gt/labels.txt has {len(labels)} labels; "
            "export again."
        )
    return table, labels
