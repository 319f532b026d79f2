"""Read ground truth of any known format, found by what the files hold.

One module of this package reads one format; `FORMATS` lists them. A new format needs its module and its line here.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from .._files import cannot_read, exists
from ..errors import MotFileError, warn
from . import aicity, bdd100k, coco, cvat, detrac, jde, kitti, mots, uavdt, visdrone
from .base import Format, Loader, first_line, one_sequence, stem
from .mot import check_table, read_mot
from .motchallenge import sequence_names
from .seqinfo import read_seqinfo
from .text import FOR_DETECTION, WITHOUT_IDENTITIES, foreign_format, read_bytes, refuse_utf16

_HEAD = 65_536
_SUFFIXES = (".txt", ".txt.gz", ".xml", ".json", ".zip")
_DEPTH, _MOST_FOLDERS = 5, 20_000
_NOT_LABELS = ("seqmaps", "det", "calib", "oxts", "attr", "attribute")


def _is_mot(path: Path, head: bytes) -> bool:
    """Text whose first line begins like MOTChallenge's; what is wrong with it is for `read_mot` to say."""
    fields = first_line(head)
    return _is_text(path) and len(fields) >= 4 and fields[0].lstrip("+-")[:1].isdigit()


def _is_text(path: Path) -> bool:
    return path.name.endswith((".txt", ".txt.gz", ".csv"))


def _read_mot(path: Path) -> pd.DataFrame:
    """Ground truth with what seqinfo.ini says about the sequence, where it is in a sequence folder."""
    info_file = path.parent.parent / "seqinfo.ini" if path.parent.name == "gt" else None
    if info_file is None or not info_file.is_file():
        table = read_mot(path, "ground_truth")
        if info_file is not None and not (path.with_name("labels.txt").is_file() or _video_beside(path)):
            warn(
                f"{info_file} is missing: the length of {stem(path)} is unknown, and frames beyond its end go "
                "unnoticed."
            )
    else:
        info = read_seqinfo(info_file)
        table = read_mot(path, "ground_truth", length=info.length, width=info.width, height=info.height)
        table.attrs["frame_rate"] = info.frame_rate
    table.attrs["format"] = AI_CITY if _video_beside(path) else MOTCHALLENGE.title
    return table


def _video_beside(path: Path) -> bool:
    return (path.parent.parent / "vdo.avi").is_file() or (path.parent.parent / "roi.jpg").is_file()


AI_CITY = "AI City"
MOTCHALLENGE = Format(
    name="motchallenge",
    title="MOTChallenge",
    recognise=_is_mot,
    sequences=one_sequence(_read_mot),
    frames=("../img1", "../vdo.avi"),
    labels=("gt/gt.txt", "../gt/gt.txt"),  # a sequence's own first; the other is for the frames in its img1/
    protocol="MOTChallenge: pedestrians; results on distractors (classes 2, 7, 8, 12) are dropped",
)
FORMATS = (
    kitti.FORMAT, mots.FORMAT, uavdt.FORMAT, visdrone.FORMAT, detrac.FORMAT, cvat.VIDEO, cvat.FORMAT, bdd100k.FORMAT,
    coco.FORMAT, aicity.FORMAT, jde.FORMAT, MOTCHALLENGE,
)  # fmt: skip


# files of these are called as their makers like, those of other data sets as their sequences
_FREE_NAMES = (None, MOTCHALLENGE.title, cvat.VIDEO.title, cvat.FORMAT.title)


def has_free_name(table: pd.DataFrame) -> bool:
    """Return whether a table is called as the text, XML or zip file it was read from, which may have any name.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "bytetrack.txt")
    >>> _ = path.write_text("1,1,10,20,30,60,1,1,1.0\\n")
    >>> has_free_name(read_mot(path))
    True
    """
    name, files = table.attrs.get("sequence"), table.attrs.get("files") or [""]
    file = Path(files[0])
    is_file = file.suffix in (".txt", ".gz", ".xml", ".zip", ".csv") and file.parent.name not in ("gt", "det")
    free = table.attrs.get("format") in _FREE_NAMES and name not in sequence_names()
    return is_file and free and stem(file) == name


def read_labels(path: str | os.PathLike[str], sequence: str | None = None) -> pd.DataFrame:
    """Read the ground truth of one sequence, in whatever format it is.

    Parameters
    ----------
    path
        A file or folder of any format in docs/datasets.md: MOTChallenge (15, 16, 17, 20, DanceTrack, SportsMOT), CVAT
        MOT 1.1 and CVAT for video, KITTI, VisDrone, UA-DETRAC, UAVDT, BDD100K, COCO JSON for videos, AI City, MOTS, and
        labels_with_ids of FairMOT. The format is found by what the files hold.
    sequence
        Name of the sequence, where there are several.

    Returns
    -------
    pandas.DataFrame
        `frame` (from 1), `id`, `x`, `y`, `w`, `h`, `score`, `class_id`, `conf`, `visibility`; see `read_mot`. `attrs`
        holds `sequence`, `format`, and where they are known `classes` (names by `class_id`), `length`, `width`,
        `height`, `frame_rate`.

    Raises
    ------
    MotFileError
        If the format is not known, the labels are broken, or there are several sequences and none is named.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "0000.txt")
    >>> _ = path.write_text("0 7 Pedestrian 0 0 -0.2 10 20 40 80 1.7 0.6 0.8 1 1 9 0")
    >>> table = read_labels(path)
    >>> table.attrs["format"], table.attrs["classes"][int(table["class_id"].iloc[0])]
    ('KITTI tracking', 'Pedestrian')
    """
    found = find_labels(path)
    if sequence is None and len(found) > 1:
        raise MotFileError(
            f"{path} holds {len(found)} sequences ({', '.join(list(found)[:4])}, ...); pass sequence= with one of them."
        )
    name = next(iter(found)) if sequence is None else sequence
    if name not in found:
        raise MotFileError(f"{path} has no sequence {name!r}; it has {', '.join(list(found)[:6])}.")
    table = found[name]()
    table.attrs.setdefault("sequence", name)
    return table


def find_labels(path: str | os.PathLike[str]) -> dict[str, Loader]:
    """Return a loader of ground truth for each sequence in a file or folder, by name.

    Raises
    ------
    MotFileError
        If nothing that is found is in a known format.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp(), "annotations")
    >>> folder.mkdir()
    >>> for name in ("a", "b"):
    ...     _ = (folder / f"{name}.txt").write_text("1,0,8,1,30,10,0,0,0,0\\n1,4,20,30,15,40,1,1,0,2\\n")
    >>> list(find_labels(folder.parent))
    ['a', 'b']
    """
    path = Path(path)
    if not exists(path, MotFileError):
        raise MotFileError(f"{path} does not exist; give a file or folder of labels.")
    if not path.is_dir():
        return dict(recognise(path).sequences(path))
    found: dict[str, Loader] = {}
    places: dict[str, Path] = {}
    for file, format in label_files(path):
        for name, load in format.sequences(file).items():
            if name in places:
                raise MotFileError(f"{places[name]} and {file} both hold labels of {name}; give one of them.")
            found[name], places[name] = load, file
    if not found:
        raise MotFileError(
            f"{path} holds no labels of a known format; ground truth of MOTChallenge's form is SEQUENCE/gt/gt.txt, and "
            "docs/datasets.md lists the others."
        )
    return found


def read_truth(
    path: Path, sequence: str, *, length: int | None = None, width: int | None = None, height: int | None = None
) -> pd.DataFrame:
    """Return the ground truth of a source whose length and size are known; see `read_labels`.

    Raises
    ------
    MotFileError
        If there are several sequences and none has the name, a frame lies beyond the length, or the labels say that
        they are of frames of another size.
    """
    format = recognise(path) if path.is_file() else None
    if format in (MOTCHALLENGE, cvat.FORMAT) and path.suffix.lower() != ".zip":
        table = read_mot(path, "ground_truth", length=length, width=width, height=height)
        table.attrs["format"] = AI_CITY if _video_beside(path) else format.title
        info_file = path.parent.parent / "seqinfo.ini"
        if path.parent.name == "gt" and info_file.is_file() and width is not None:
            info = read_seqinfo(info_file)
            _check_size(path, (info.width, info.height), (width, height))
        return table
    found = find_labels(path)
    if sequence not in found and len(found) > 1:
        raise MotFileError(
            f"{path} holds {len(found)} sequences and none is called {sequence}; open the frames with name= set to one "
            f"of {', '.join(list(found)[:6])}."
        )
    table = found.get(sequence, next(iter(found.values())))()
    check_table(table, "ground_truth", name=str(path), length=length)
    _check_size(path, (table.attrs.get("width"), table.attrs.get("height")), (width, height))
    return table


def _check_size(path: Path, said: tuple[int | None, ...], known: tuple[int | None, ...]) -> None:
    if None not in (*said, *known) and set(said) != set(known):  # or turned
        raise MotFileError(
            f"{path} is of frames of {said[0]}x{said[1]}, and these frames are {known[0]}x{known[1]}; give the labels "
            "of this sequence."
        )


def recognise(path: str | os.PathLike[str]) -> Format:
    """Return the format of a file of labels, found by its content.

    Raises
    ------
    MotFileError
        If it is not known.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "gt.txt")
    >>> _ = path.write_text("1,1,10,20,30,60,1,1,1.0\\n")
    >>> recognise(path).title
    'MOTChallenge'
    """
    path = Path(path)
    head = _head(path)
    refuse_utf16(head, path)
    for format in FORMATS:
        if format.recognise(path, head):
            return format
    if _is_text(path) and foreign_format(head) is None:
        return MOTCHALLENGE  # whose reader says what is wrong
    looks = foreign_format(head) or "a file of an unknown kind"
    if looks in FOR_DETECTION:
        raise MotFileError(f"{path} is {looks}; {WITHOUT_IDENTITIES}.")
    titles = ", ".join(format.title for format in FORMATS)
    raise MotFileError(f"{path} is {looks} that is none of the formats that are read: {titles}.")


def label_files(folder: Path, most: int = _MOST_FOLDERS) -> Iterator[tuple[Path, Format]]:
    """Yield the files of labels below a folder with their format, or the folder where each frame has a file.

    Raises
    ------
    MotFileError
        If there are more than `most` folders to search.
    """
    found = _label_files(folder, _DEPTH, itertools.count(1), most)
    tree = any(path.name == "gt.txt" for path, _ in found)
    texts = {stem(path) for path, format in found if format is mots.FORMAT and path.is_file()}
    found = [each for each in found if not (each[0].is_dir() and each[0].name in texts)]  # masks, as text and as PNG
    # beside SEQUENCE/gt/gt.txt other texts of that form are results
    yield from (each for each in found if not tree or each[0].name == "gt.txt" or each[1] is not MOTCHALLENGE)


def _label_files(folder: Path, depth: int, counter: Iterator[int], most: int) -> list[tuple[Path, Format]]:
    if next(counter) > most:
        raise MotFileError(f"More than {most} folders were searched up to {folder}; give the folder of one data set.")
    truth = next((file for file in (folder / "gt" / "gt.txt", folder / "gt.txt") if file.is_file()), None)
    if truth is not None:
        return [(truth, recognise(truth))]
    try:
        children = sorted(folder.iterdir())
    except OSError as error:
        raise MotFileError(cannot_read(folder, error)) from error
    if jde.is_jde_folder(folder):
        return [(folder, jde.FORMAT)]
    if mots.is_mask_folder(folder):
        return [(folder, mots.FORMAT)]
    files = [file for file in children if _may_hold_labels(file) and not _is_copy(file)]
    found = [(file, format) for file in files if (format := _known_format(file)) is not None]
    if not found and depth > 0:
        for child in children:
            if child.is_dir() and not child.name.startswith((".", "__")) and child.name not in _NOT_LABELS:
                found += _label_files(child, depth - 1, counter, most)
    return found


def _is_copy(path: Path) -> bool:
    """Return whether a file is a compressed copy of the text beside it, and warn that it is not read."""
    text = path.with_name(path.name.removesuffix(".gz"))
    if text == path or not _may_hold_labels(text):
        return False
    warn(f"{text} is read; {path.name} beside it is not.")
    return True


def _may_hold_labels(path: Path) -> bool:
    name = path.name.lower()
    if not name.endswith(_SUFFIXES) or name.startswith((".", "readme", "license", "seqmap")):
        return False
    if name.endswith("_gt.txt") and path.with_name(path.name[:-7] + "_gt_whole.txt").is_file():
        return False  # the same boxes without categories
    return not name.endswith(("_summary.txt", "_gt_ignore.txt", "labels.txt")) and path.is_file()


def _known_format(path: Path) -> Format | None:
    """Return the format of a file in a folder that may hold other texts too; None where it is not a file of labels."""
    head = _head(path)
    return next((format for format in FORMATS if format.recognise(path, head)), None)


def _head(path: Path) -> bytes:
    if path.is_dir():
        raise MotFileError(f"{path} is a folder; give a file of labels.")
    if path.name.endswith(".gz"):
        return read_bytes(path, "a file of labels")[:_HEAD]
    try:
        with path.open("rb") as file:
            return file.read(_HEAD)
    except OSError as error:
        raise MotFileError(cannot_read(path, error)) from error


def labels_beside(frames: str | os.PathLike[str]) -> Path | None:
    """Return the file of labels that a data set keeps for a folder of images or a video; None if there is none.

    Examples
    --------
    >>> import tempfile
    >>> root = Path(tempfile.mkdtemp())
    >>> for folder in ("sequences/uav1", "annotations"):
    ...     (root / folder).mkdir(parents=True)
    >>> _ = (root / "annotations" / "uav1.txt").write_text("1,0,8,1,30,10,0,0,0,0\\n1,4,20,30,15,40,1,1,0,2\\n")
    >>> labels_beside(root / "sequences" / "uav1").name
    'uav1.txt'
    """
    frames = Path(frames).resolve()
    home = frames if frames.is_dir() else frames.parent
    for format in FORMATS:
        for pattern in format.labels:
            if pattern.startswith("../gt/") and (home / "img1").is_dir():
                continue  # a sequence in the folder of another
            path = Path(os.path.normpath(home / pattern.format(sequence=home.name)))
            if path.is_file() and format.recognise(path, _head(path)):
                return path
            if path.is_file() and path.name == "gt.txt":
                return path
    for place in (home.parent.parent / "instances", home.parent.parent.parent / "instances"):
        if mots.is_mask_folder(place / home.name):
            return place / home.name
    labels = jde.counterpart(home, "images", "labels_with_ids")
    places = () if labels is None else (labels, labels / "img1")
    return next((place for place in places if jde.is_jde_folder(place)), None)


def frames_beside(path: Path, format: Format, sequence: str) -> Path | None:
    """Return where the frames of a sequence are, as its data set lays them out; None if they are not there."""
    home = (path if path.is_dir() else path.parent).resolve()
    for pattern in format.frames:
        place = Path(os.path.normpath(home / pattern.format(sequence=sequence)))
        if place.exists():
            return place
    images = jde.counterpart(home, "labels_with_ids", "images") if format is jde.FORMAT else None
    return images if images is not None and images.is_dir() else None


def expected_frames(path: Path, format: Format, sequence: str) -> str:
    """Return where the frames of a sequence should be, for a message."""
    if not format.frames:
        return "any folder or video: open it with open_source(FRAMES, labels=LABELS)"
    home = path if path.is_dir() else path.parent
    return os.path.normpath(home / format.frames[0].format(sequence=sequence))


def sequences_in(path: Path, most: int = _MOST_FOLDERS) -> Mapping[str, tuple[Path, Format]]:
    """Return the file and format of each sequence below a folder, without reading single-sequence files."""
    return {name: (file, format) for file, format in label_files(path, most) for name in format.sequences(file)}
