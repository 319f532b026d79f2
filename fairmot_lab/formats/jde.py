"""labels_with_ids of JDE and FairMOT: one text for each frame, in fractions of the image.

https://github.com/Zhongdao/Towards-Realtime-MOT/blob/master/DATASET_ZOO.md
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pandas as pd

from ..data import PERSON
from ..errors import MotFileError, SourceError
from .base import Format, Loader, first_line
from .seqinfo import read_seqinfo
from .text import read_fields
from .truth import number, truth_table, whole

_PICTURES = (".jpg", ".jpeg", ".png", ".bmp")


def read_jde(path: str | os.PathLike[str], *, width: int | None = None, height: int | None = None) -> pd.DataFrame:
    """Read the labels of one sequence from a folder of labels_with_ids.

    Parameters
    ----------
    path
        The folder that holds 000001.txt, 000002.txt, ... (or 000000.txt, ...): class, id, centre x, centre y, width,
        height.
    width, height
        Size of the image in pixels; by default that of the images in the folder of the same place in `images`.

    Returns
    -------
    pandas.DataFrame
        Ground truth as `read_mot` gives it. Boxes whose id is -1 have conf 0: who they are is not known.

    Raises
    ------
    MotFileError
        If the size is not known, or a value breaks the rules.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "000001.txt").write_text("0 7 0.5 0.5 0.25 0.5\\n")
    >>> read_jde(folder, width=400, height=200)[["frame", "id", "x", "y", "w", "h"]].values.tolist()
    [[1.0, 7.0, 150.0, 50.0, 100.0, 100.0]]
    """
    path = Path(path)
    if width is None or height is None:
        width, height = _size(path)
    rows = []
    files = _files(path)
    first = 0 if any(int(file.stem) == 0 for file in files) else 1
    for file in files:
        frame = int(file.stem) + 1 - first
        for place, fields in read_fields(file, (6,), "labels_with_ids has 6"):
            kind, track = whole(fields[0], "the class", place), whole(fields[1], "the id", place)
            x, y, w, h = (number(field, "a coordinate", place) for field in fields[2:])
            w, h = w * width, h * height
            rows.append((frame, track, x * width - w / 2, y * height - h / 2, w, h, float(track != -1), kind))
    unknown = sum(row[6] == 0 for row in rows)
    if rows and unknown == len(rows):
        raise MotFileError(f"{path}: every id is -1; these are labels for detection, and tracking needs identities.")
    notes = [f"{_name(path)}: {unknown} boxes have no identity (id -1) and are not scored."] if unknown else None
    return truth_table(
        rows, path, format=FORMAT.title, classes={0: PERSON}, sequence=_name(path), width=width, height=height,
        notes=notes,
    )  # fmt: skip


def is_jde_folder(path: Path) -> bool:
    """Return whether a folder holds the labels of single frames."""
    files = _files(path)
    if not files:
        return False
    head = next((data for data in (file.read_bytes()[:1000] for file in files[:50]) if data.strip()), b"")
    fields = first_line(head)
    if len(fields) != 6:
        return False
    try:
        return all(-0.5 <= float(field) <= 1.5 for field in fields[2:]) and float(fields[0]) % 1 == 0
    except ValueError:
        return False


def _files(path: Path) -> list[Path]:
    return sorted(file for file in path.glob("*.txt") if re.fullmatch(r"\d{3,9}", file.stem, re.ASCII))


def _name(path: Path) -> str:
    path = path.resolve()
    return path.parent.name if path.name == "img1" else path.name


def counterpart(path: Path, folder: str, other: str) -> Path | None:
    """Return the path with another folder in place of the last of its name; None if it is below none.

    Examples
    --------
    >>> counterpart(Path("MOT17/images/train/A"), "images", "labels_with_ids").as_posix()
    'MOT17/labels_with_ids/train/A'
    """
    for home in (path, *path.parents):
        if home.name == folder:
            return home.with_name(other) / path.relative_to(home)
    return None


def _size(path: Path) -> tuple[int, int]:
    """Return the size of the images, which lie in `images` where the labels lie in `labels_with_ids`."""
    images = counterpart(path.resolve(), "labels_with_ids", "images")
    places = [path] if images is None else [images, path]
    for place in places:
        for info in (place / "seqinfo.ini", place.parent / "seqinfo.ini"):
            if info.is_file():
                found = read_seqinfo(info)
                return found.width, found.height
        pictures = sorted(p for p in place.glob("*") if p.suffix.lower() in _PICTURES) if place.is_dir() else []
        if pictures:
            from PIL import Image, UnidentifiedImageError

            try:
                with Image.open(pictures[0]) as picture:
                    return picture.size
            except (OSError, UnidentifiedImageError, ValueError) as error:
                raise SourceError(f"{pictures[0]} cannot be read ({error}); restore it.") from error
    raise MotFileError(
        f"{path} gives boxes in fractions of the image, whose size is not known: put the images into {places[0]}, or "
        "pass width= and height= to read_jde."
    )


def _recognise(path: Path, head: bytes) -> bool:
    return re.fullmatch(r"\d{3,9}", path.stem, re.ASCII) is not None and is_jde_folder(path.parent)


def _sequences(path: Path) -> dict[str, Loader]:
    folder = path if path.is_dir() else path.parent
    return {_name(folder): lambda: read_jde(folder)}


FORMAT = Format(
    name="jde",
    title="labels_with_ids of FairMOT",
    recognise=_recognise,
    sequences=_sequences,
    protocol="people; boxes without an identity are not scored",
)
