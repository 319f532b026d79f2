"""List the sequences of MOTChallenge and of other data sets in a folder; report missing or inconsistent files."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import FairMOTLabError, FairMOTLabWarning, SourceError, collected_warnings
from ..formats.base import Format
from ..formats.classes import class_notes, frames_without_labels, people_rows
from ..formats.labels import MOTCHALLENGE, expected_frames, frames_beside, read_truth, sequences_in
from ..formats.mot import read_mot
from ..formats.motchallenge import BENCHMARKS, COPIES
from ..formats.seqinfo import read_seqinfo
from .images import IMAGE_SUFFIXES, read_image

OWN = "own"
SEPARATOR = " | "
COLUMNS = (
    "benchmark",
    "split",
    "sequence",
    "state",
    "length",
    "images",
    "people",
    "ground_truth",
    "detections",
    "remarks",
    "path",
)
_LISTED = [benchmark.name for benchmark in BENCHMARKS]
# data sets in MOTChallenge's form whose lists of sequences are not kept here, by the names of their folders
_BY_NAME = {"DanceTrack": r"dancetrack\d{4}", "SportsMOT": r"v_.{11}_c\d{3}"}


@dataclass
class _Found:
    """What was seen of one sequence folder while it was checked."""

    path: Path
    benchmark: str
    split: str
    name: str = ""
    length: int | None = None
    images: int = 0
    people: int | None = None
    ground_truth: int | None = None
    detections: int | None = None
    remarks: list[str] = field(default_factory=list)
    odd: bool = False
    video: bool = False

    def note(self, remark: str, *, odd: bool = False) -> None:
        self.remarks.append(remark)
        self.odd = self.odd or odd

    @property
    def state(self) -> str:
        return "odd" if self.odd else "complete" if self.images or self.video else "labels only"

    def row(self) -> tuple:
        """In the order of `COLUMNS`."""
        return (
            self.benchmark,
            self.split,
            self.name or self.path.name,
            self.state,
            self.length,
            self.images,
            self.people,
            self.ground_truth,
            self.detections,
            SEPARATOR.join(self.remarks),
            str(self.path),
        )


def check_data(folder: str | os.PathLike[str] = "data") -> pd.DataFrame:
    """Look at every sequence below a folder.

    Parameters
    ----------
    folder
        Where the benchmarks lie (`data/MOT17/train/MOT17-02-DPM/...`), one benchmark, one split, or one sequence; or
        another data set whose labels `read_labels` reads.

    Returns
    -------
    pandas.DataFrame
        One row per sequence: `benchmark` ("own" for MOTChallenge sequences of none, or the data set), `split`
        ("train", "val", "test" or ""), `sequence`, `state`, `length` (frames, of seqinfo.ini), `images` (files found),
        `people` (ids in the ground truth that are scored), `ground_truth` and `detections` (rows; empty where there is
        no file), `remarks` (joined by " | "), `path`. `state` is "complete" (labels as the split has them, and all
        frames), "labels only" (no frames: public detections can still be evaluated), "odd" (see the remarks), or
        "missing" (the benchmark has it, the folder does not). `.attrs["notes"]` holds what concerns more than one
        sequence: copies, archives that were not unpacked, benchmarks without any sequence.

    Raises
    ------
    SourceError
        If the folder does not exist.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp(), "street", "gt")
    >>> folder.mkdir(parents=True)
    >>> _ = (folder / "gt.txt").write_text("1,1,10,20,30,60,1,1,1.0\\n")
    >>> found = check_data(folder.parent)
    >>> found[["sequence", "people", "ground_truth"]].values.tolist()
    [['street', 1, 1]]
    >>> found["remarks"][0]
    'no seqinfo.ini: frame rate, size and length are not known | no det/det.txt'
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise SourceError(
            f"{folder} is not a folder; make it and put MOT17/train/MOT17-02-DPM/... in it as data/README.md says."
        )
    found = [_check_sequence(path) for path in _sequence_folders(folder)]
    notes = _loose_ends(folder)
    _compare_copies(found, notes)
    _find_doubles(found)
    others = _other_sets(folder, found)
    rows = [s.row() for s in (*found, *others)]
    for benchmark in BENCHMARKS:
        present = {s.path.name for s in found if s.benchmark == benchmark.name}
        if not present and not others:
            notes.append(f"{benchmark.name}: nothing found")
        for split, sequences in (("train", benchmark.train), ("test", benchmark.test)):
            if not present & set(sequences):
                if present:
                    notes.append(f"{benchmark.name} {split}: nothing found")
                continue
            for name in sequences:
                if name not in present:
                    remark = f"{benchmark.name} {split} has it, this folder does not"
                    rows.append((benchmark.name, split, name, "missing", None, 0, None, None, None, remark, ""))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    for column in ("length", "people", "ground_truth", "detections"):
        table[column] = table[column].astype("Int64")
    table = table.sort_values(["benchmark", "split", "sequence"], kind="stable", ignore_index=True)
    table.attrs["notes"] = notes
    return table


def describe(table: pd.DataFrame) -> list[str]:
    """Return the findings of `check_data` as lines for a terminal: a line per split, the oddities, the notes."""
    lines = []
    for (benchmark, split), part in table.groupby(["benchmark", "split"], sort=True):
        there = part[part.state != "missing"]
        head = " ".join(word for word in (str(benchmark), str(split)) if word)
        counts = f"{len(there)} of {len(part)} sequences" if benchmark in _LISTED else _many(len(there), "sequence")
        frames = int(((there.images > 0) | (there.state == "complete")).sum())
        lines.append(
            f"{head}: {counts}, {frames} with frames, {int(there.ground_truth.notna().sum())} with ground truth, "
            f"{int(there.detections.notna().sum())} with public detections"
        )
        for row in there.to_dict("records"):
            facts = ["length unknown" if pd.isna(row["length"]) else _many(row["length"], "frame")]
            facts.append(_many(row["images"], "image") if row["images"] else "no images")
            if not pd.isna(row["people"]):
                facts.append(f"{row['people']} {'person' if row['people'] == 1 else 'people'}")
            lines.append(f"  {row['sequence']:<16} {row['state']:<12} {', '.join(facts)}")
            lines += [f"    {remark}" for remark in row["remarks"].split(SEPARATOR) if remark]
        gone = part.sequence[part.state == "missing"].tolist()
        if gone:
            lines.append(f"  missing: {', '.join(gone)}")
    if table.empty:
        lines.append("no sequences found")
    return lines + list(table.attrs.get("notes", []))


def _sequence_folders(folder: Path) -> Iterator[Path]:
    """Folders that look like a MOT sequence, in the order of their names; what lies inside one is its own."""
    if _looks_like_sequence(folder):
        yield folder
        return
    for child in sorted(folder.iterdir()):
        if child.is_dir() and not child.name.startswith((".", "__MACOSX")):
            yield from _sequence_folders(child)


def _looks_like_sequence(folder: Path) -> bool:
    return any((folder / part).exists() for part in ("seqinfo.ini", "img1", "gt/gt.txt", "det/det.txt"))


def _home_of(path: Path) -> tuple[str, str]:
    """Benchmark and split of a sequence folder: by its name, which is the benchmark's own."""
    for benchmark in BENCHMARKS:
        for split, sequences in (("train", benchmark.train), ("test", benchmark.test)):
            if path.name in sequences:
                return benchmark.name, split
    split = path.parent.name if path.parent.name in ("train", "val", "test") else ""
    named = next((name for name, pattern in _BY_NAME.items() if re.fullmatch(pattern, path.name)), OWN)
    return named, split


def _check_sequence(path: Path) -> _Found:
    found = _Found(path, *_home_of(path))
    width = height = None
    images = "img1"
    extension = None
    official = next((b.lengths[path.name] for b in BENCHMARKS if path.name in b.lengths), None)
    if (path / "seqinfo.ini").exists():
        try:
            info = read_seqinfo(path / "seqinfo.ini")
        except FairMOTLabError as error:
            found.note(str(error), odd=True)
        else:
            found.length, width, height = info.length, info.width, info.height
            images, extension = info.image_dir, info.extension
            if info.name != path.name:
                found.note(f"seqinfo.ini names it {info.name}", odd=True)
            if official is not None and info.length != official:
                found.note(f"seqinfo.ini says {info.length} frames, the benchmark has {official}", odd=True)
    elif (path / "vdo.avi").is_file() or (path / "roi.jpg").is_file():
        found.benchmark, found.video = "AI City", (path / "vdo.avi").is_file()
        found.note("frames are in vdo.avi" if found.video else f"no frames: put vdo.avi into {path}")
    else:
        found.note("no seqinfo.ini: frame rate, size and length are not known", odd=True)
    if found.split in ("train", "test") and path.parent.name in ("train", "test") and path.parent.name != found.split:
        found.note(f"it belongs to {found.split}, not {path.parent.name}", odd=True)
    _check_images(found, path / images, extension, width, height)
    _check_labels(found, width, height)
    return found


def _check_images(found: _Found, folder: Path, extension: str | None, width: int | None, height: int | None) -> None:
    if not folder.is_dir():
        return
    names = [entry.name for entry in os.scandir(folder) if entry.is_file() and not entry.name.startswith(".")]
    pictures = sorted(name for name in names if Path(name).suffix.lower() in IMAGE_SUFFIXES)
    found.images = len(pictures)
    if len(names) > len(pictures):
        found.note(f"{_many(len(names) - len(pictures), 'file')} in {folder.name} that are not images", odd=True)
    if not pictures:
        found.note(f"{folder.name} is empty", odd=True)
        return
    if found.length is not None and len(pictures) != found.length:
        found.note(f"{_many(len(pictures), 'image')} for {found.length} frames", odd=True)
    if extension and any(not name.endswith(extension) for name in pictures):
        found.note(f"images do not all end with {extension} as seqinfo.ini says", odd=True)
    numbers = {int(Path(name).stem) for name in pictures if re.fullmatch(r"\d+", Path(name).stem)}
    if len(numbers) < len(pictures):
        found.note("image names are not all plain frame numbers", odd=True)
    absent = sorted(set(range(1, (found.length or max(numbers, default=0)) + 1)) - numbers)
    if absent and numbers:
        found.note(f"no image for frame {absent[0]}" + (f" and {len(absent) - 1} more" if absent[1:] else ""), odd=True)
    # every header would take minutes on a network disk: an interrupted unpacking shows in the last image
    for name in dict.fromkeys((pictures[0], pictures[-1])):
        problem = _image_problem(folder / name, width, height)
        if problem:
            found.note(problem, odd=True)


def _image_problem(path: Path, width: int | None, height: int | None) -> str | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FairMOTLabWarning)  # what reading repairs is odd here
            height_found, width_found = read_image(path).shape[:2]
    except (SourceError, FairMOTLabWarning) as error:
        return f"{path.name} cannot be read: {error}"
    if width is not None and (width_found, height_found) != (width, height):
        return f"{path.name} is {width_found}x{height_found}, seqinfo.ini says {width}x{height}"
    return None


def _check_labels(found: _Found, width: int | None, height: int | None) -> None:
    of_sequence = {"length": found.length, "width": width, "height": height}
    file = found.path / "gt/gt.txt"
    if file.exists():
        truth = _read(found, read_truth, file, found.path.name, **of_sequence)
        if truth is not None:
            truth.attrs["sequence"] = found.path.name
            if found.benchmark == OWN and truth.attrs.get("format") != MOTCHALLENGE.title:
                found.benchmark = truth.attrs["format"]
            _count(found, truth)
            if found.split == "test" and found.benchmark in _LISTED:
                found.note("a test sequence with ground truth, which the benchmark keeps to itself", odd=True)
    elif found.split == "test":
        found.note("no ground truth: it is a test sequence, scored by the benchmark's server only")
    else:
        found.note("no gt/gt.txt", odd=True)
    file = found.path / "det/det.txt"
    if file.exists():
        detections = _read(found, read_mot, file, kind="detections", **of_sequence)
        found.detections = None if detections is None else len(detections)
    else:
        found.note("no det/det.txt", odd=found.benchmark in _LISTED)


def _count(found: _Found, truth: pd.DataFrame) -> None:
    """Note how many rows and people the ground truth has, and what its columns mean where that is not plain."""
    found.ground_truth, found.people = len(truth), int(truth["id"][people_rows(truth)].nunique())
    for note in class_notes(truth):
        found.note(note, odd=True)
    unlabelled = frames_without_labels(truth, found.length or 0)
    if len(unlabelled) and len(truth):
        found.note(f"no ground truth in {len(unlabelled)} of {found.length} frames, from frame {unlabelled[0]} on")


def _other_sets(folder: Path, found: list[_Found]) -> list[_Found]:
    """Sequences of data sets that are not laid out like MOTChallenge's."""
    try:
        sequences = sequences_in(folder)
    except FairMOTLabError as error:
        broken = _Found(folder, OWN, "")
        broken.note(str(error), odd=True)
        return [broken]
    homes = {one.path for one in found}
    others = []
    for name, (file, format) in sequences.items():
        if format is MOTCHALLENGE or file.parent.parent in homes or file.parent in homes:
            continue
        others.append(_check_other(name, file, format))
    return others


def _check_other(name: str, file: Path, format: Format) -> _Found:
    parts = set(re.split(r"[^a-z]+", str(file.parent).lower()))
    split = next((each for each in ("train", "val", "test") if each in parts), "")
    one = _Found(file, format.title, split, name)
    truth = _read(one, read_truth, file, name)
    if truth is None:
        return one
    frames = frames_beside(file, format, name)
    one.length = truth.attrs.get("length") or int(truth["frame"].max() if len(truth) else 0)
    odd = one.odd
    _count(one, truth)
    one.odd = odd  # classes that are not scored are what such a data set has
    if frames is None:
        one.note(f"no frames: put them into {expected_frames(file, format, name)}")
    elif frames.is_dir():
        one.images = len([p for p in frames.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES])
        if one.images < one.length:
            one.note(f"{_many(one.images, 'image')} for {one.length} frames of labels", odd=True)
    return one


def _read(found: _Found, read: Callable[..., pd.DataFrame], *arguments: Any, **options: Any) -> pd.DataFrame | None:
    """Read a table, and note what is wrong or odd about it; None where it cannot be read."""
    with collected_warnings() as caught:
        try:
            table = read(*arguments, **options)
        except FairMOTLabError as error:
            found.note(str(error), odd=True)
            return None
    for note in caught:
        found.note(note, odd=True)
    return table


def _compare_copies(found: list[_Found], notes: list[str]) -> None:
    """MOT17 holds each video three times with other detections: the same frames, the same ground truth."""
    scenes: dict[tuple[Path, str], dict[str, _Found]] = {}
    for sequence in found:
        scene, _, copy = sequence.path.name.rpartition("-")
        if sequence.benchmark == "MOT17" and copy in COPIES:
            scenes.setdefault((sequence.path.parent, scene), {})[copy] = sequence
    three = sum(len(copies) == 3 for copies in scenes.values())
    if three:
        notes.append(
            f"MOT17: {_many(three, 'video')} in three copies ({', '.join(COPIES)}): the same frames and ground truth "
            f"with different public detections. Evaluate one set of copies, or say that all three were counted"
        )
    for (_, scene), copies in scenes.items():
        texts = {copy: (s.path / "gt/gt.txt").read_bytes() for copy, s in copies.items() if s.ground_truth is not None}
        if len(set(texts.values())) > 1:
            for copy in texts:
                copies[copy].note(f"ground truth differs between the copies of {scene}", odd=True)
        seen = [copy for copy, s in copies.items() if s.images]
        for s in copies.values():
            if seen and not s.images:
                s.note(f"its frames lie in {scene}-{seen[0]}")


def _find_doubles(found: list[_Found]) -> None:
    places: dict[str, Path] = {}
    for sequence in found:
        first = places.setdefault(sequence.path.name, sequence.path)
        if first != sequence.path:
            sequence.note(f"also found in {first}", odd=True)


def _loose_ends(folder: Path) -> list[str]:
    """Archives that were not unpacked, and what macOS leaves behind."""
    notes = []
    for path in sorted(folder.glob("*.zip")) + sorted(folder.glob("*/*.zip")):
        notes.append(f"{path} is not unpacked: `unzip {path.name} -d {folder}`")
    for path in sorted(folder.glob("**/__MACOSX")):
        notes.append(f"{path} is left over from an archive and can be removed")
    return notes


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
