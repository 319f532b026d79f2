"""MOTS (KITTI MOTS instances_txt/0002.txt or instances/0002/*.png, MOTS20 gt/gt.txt): masks, read as boxes.

https://www.vision.rwth-aachen.de/page/mots
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from ..errors import MotFileError
from .base import Format, first_line, one_sequence, stem
from .text import read_bytes, read_fields
from .truth import truth_table, whole

MOTS_CLASSES = {1: "car", 2: "pedestrian"}
_IGNORED = 10
_LARGEST_SIDE = 65_536


def read_mots(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a MOTS text file, or a folder of PNG masks; each mask becomes its bounding box.

    Parameters
    ----------
    path
        The file: frame, object id, class (1 car, 2 pedestrian, 10 ignored), image height, image width, run lengths in
        COCO's compressed form. Frames count from 1 in gt/gt.txt (MOTS20), and from 0 elsewhere (KITTI MOTS). Or the
        folder: an image of 16 bits for each frame, whose pixels hold 1000 times the class and the instance. Where
        there is a 000000.png, frames count from 0.

    Returns
    -------
    pandas.DataFrame
        Ground truth as `read_mot` gives it, frames from 1. Ignored masks are left out, as the box around one covers
        more than is to be ignored; `attrs["notes"]` says how many.

    Raises
    ------
    MotFileError
        Naming the line or the image, and the value.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "0002.txt")
    >>> _ = path.write_text("0 2001 2 4 4 52203")
    >>> read_mots(path)[["frame", "id", "x", "y", "w", "h"]].iloc[0].tolist()
    [1.0, 2001.0, 1.0, 1.0, 2.0, 2.0]
    """
    path = Path(path)
    if path.is_dir():
        return _read_pictures(path)
    rows, ignored, size = [], 0, (0, 0)
    first = 0 if path.name.startswith("gt.") else 1
    for place, fields in read_fields(path, (6,), "a MOTS file has 6"):
        frame, track, kind, height, width = (whole(field, "a number", place) for field in fields[:5])
        size = (width, height)
        if kind == _IGNORED:
            ignored += 1
            continue
        if kind not in MOTS_CLASSES:
            raise MotFileError(f"{place}: class {kind} is not 1 (car), 2 (pedestrian) or 10 (ignored).")
        if not (0 < height <= _LARGEST_SIDE and 0 < width <= _LARGEST_SIDE):
            raise MotFileError(f"{place}: an image of {width}x{height} cannot be; correct the line.")
        box = mask_box(fields[5], height, width, place)
        if box is not None:
            rows.append((frame + first, track, *box, 1.0, kind))
    return _table(rows, path, stem(path), size, ignored)


def _table(rows: list[tuple], path: Path, sequence: str, size: tuple[int, int], ignored: int) -> pd.DataFrame:
    notes = [f"{sequence}: {ignored} masks of ignored areas are left out, as boxes cannot stand for them."]
    return truth_table(
        rows, path, format=FORMAT.title, classes=MOTS_CLASSES, sequence=sequence,
        width=size[0] or None, height=size[1] or None, notes=notes if ignored else None,
    )  # fmt: skip


def _read_pictures(folder: Path) -> pd.DataFrame:
    files = mask_files(folder)
    if not files:
        raise MotFileError(
            f"{folder} holds no 000000.png, 000001.png, ...; give a folder of masks, such as instances/0002."
        )
    first = 0 if int(files[0].stem) else 1
    rows, ignored, size = [], 0, (0, 0)
    for file in files:
        mask = _picture(file)
        size = (mask.shape[1], mask.shape[0])
        for value in np.unique(mask[mask > 0]).tolist():
            kind = value // 1000
            if kind == _IGNORED:
                ignored += 1
                continue
            if kind not in MOTS_CLASSES:
                raise MotFileError(
                    f"{file}: a pixel holds {value}; 1000 to 1999 are cars, 2000 to 2999 pedestrians, 10000 is ignored."
                )
            here = mask == value
            across, down = np.flatnonzero(here.any(axis=0)), np.flatnonzero(here.any(axis=1))
            box = (across[0], down[0], across[-1] - across[0] + 1, down[-1] - down[0] + 1)
            rows.append((int(file.stem) + first, value, *box, 1.0, kind))
    return _table(rows, folder, folder.resolve().name, size, ignored)


def _picture(file: Path) -> np.ndarray:
    """Return the pixels of a mask of 16 bits."""
    data = read_bytes(file, "a mask")
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if b"IEND" in data[-64:] else None
    if image is None or image.dtype != np.uint16 or image.ndim != 2:
        raise MotFileError(f"{file} is not a whole grey PNG of 16 bits, as masks of MOTS are; restore it.")
    return image


def mask_files(folder: Path) -> list[Path]:
    """Return the images of a folder whose names are frame numbers and which may be masks of MOTS."""
    return sorted(file for file in folder.glob("*.png") if re.fullmatch(r"\d{4,9}", file.stem, re.ASCII))


def is_mask_folder(folder: Path) -> bool:
    """Return whether a folder holds PNG masks: 16 bits, with values that MOTS has and thermal images have not."""
    seen = False
    for file in mask_files(folder)[:20]:
        with file.open("rb") as opened:
            head = opened.read(26)
        if head[:8] != b"\x89PNG\r\n\x1a\n" or head[24:26] != b"\x10\x00":  # depth 16, grey
            return False
        try:
            values = np.unique(_picture(file))
        except MotFileError:
            return False
        values = values[values > 0]
        if not np.isin(values // 1000, (*MOTS_CLASSES, _IGNORED)).all() or len(values) > 500:
            return False
        if len(values):
            return True
        seen = True
    return seen and folder.parent.name == "instances"  # frames in which nothing is


def mask_box(counts: str, height: int, width: int, place: Path) -> tuple[int, int, int, int] | None:
    """Return x, y, w, h of a mask in COCO's compressed run lengths, None for an empty mask.

    Runs of zeros and ones follow each other, down the columns. Each number has 5 bits in a character, the lowest first;
    the sixth bit says that more follow; from the fourth number on, the number before the last is subtracted.

    Raises
    ------
    MotFileError
        If the text does not describe a mask of this size.

    Examples
    --------
    >>> mask_box("52203", 4, 4, Path("here"))
    (1, 1, 2, 2)
    """
    runs: list[int] = []
    value = shift = 0
    for character in counts:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > 40:
            raise MotFileError(
                f"{place}: {character!r} has no place in the run lengths of a mask; write the file again."
            )
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:
                value -= 1 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    ends = np.cumsum(np.array(runs, dtype=np.int64))
    if (
        shift
        or min(runs, default=0) < 0
        or max(runs, default=0) > height * width
        or not len(ends)
        or ends[-1] > height * width
    ):
        raise MotFileError(f"{place}: the run lengths do not fill an image of {width}x{height}; write the file again.")
    starts, stops = ends[:-1:2], ends[1::2]
    starts, stops = starts[stops > starts], stops[stops > starts]
    if not len(starts):
        return None
    left, right = int(starts[0] // height), int((stops[-1] - 1) // height)
    crosses = (starts // height) != ((stops - 1) // height)  # a run over the end of a column touches top and bottom
    top = 0 if crosses.any() else int((starts % height).min())
    bottom = height - 1 if crosses.any() else int(((stops - 1) % height).max())
    return left, top, right - left + 1, bottom - top + 1


def _recognise(path: Path, head: bytes) -> bool:
    fields = first_line(head.partition(b"\n")[0].replace(b";", b":").replace(b",", b":"))
    if len(fields) != 6 or not all(field.isdecimal() for field in fields[:5]):
        return False
    return any(not (character.isdigit() or character in ".-+eE") for character in fields[5])


FORMAT = Format(
    name="mots",
    title="MOTS",
    recognise=_recognise,
    sequences=one_sequence(read_mots, lambda path: path.resolve().name if path.is_dir() else stem(path)),
    frames=(
        "../img1",
        "../training/image_02/{sequence}",
        "../image_02/{sequence}",
        "../images/{sequence}",
        "../../training/image_02/{sequence}",
        "../../image_02/{sequence}",
        "../../images/{sequence}",
    ),
    labels=("../../instances_txt/{sequence}.txt", "../../../instances_txt/{sequence}.txt"),
    protocol="boxes of the masks, not sMOTSA: pedestrians, or cars and pedestrians each by itself",
)
