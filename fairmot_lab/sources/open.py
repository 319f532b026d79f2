"""Open a source: a MOT sequence, a video, an image folder, a camera, a network stream or arrays."""

from __future__ import annotations

import glob
import itertools
import math
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np

from .._files import cannot_read, exists, natural_order
from ..data import frame_grid, note_on_grid
from ..errors import MotFileError, SourceError, warn
from ..formats.labels import MOTCHALLENGE, expected_frames, frames_beside, recognise, sequences_in
from ..formats.mots import FORMAT, is_mask_folder
from .arrays import ArraySource
from .base import Source, ranges
from .folders import ImageSource, PageSource, SequenceSource, frame_numbers, image_files, kinds_of_names, page_count
from .images import IMAGE_SUFFIXES, ValueRange, checked_range
from .live import CameraSource, StreamSource
from .video import VideoSource


def open_source(
    source: Any,
    *,
    frame_rate: float | None = None,
    name: str | None = None,
    allow_truncated: bool = False,
    retries: int = 5,
    stall_seconds: float = 10.0,
    value_range: tuple[float, float] | None = None,
    labels: str | os.PathLike[str] | None = None,
) -> Source:
    """Open anything that has frames.

    Parameters
    ----------
    source
        A MOTChallenge sequence folder (with seqinfo.ini), a video file, a folder of images (in natural order), one
        image (a TIFF stack and an animated PNG, WebP or GIF are sequences), image files in a list, a pattern such as
        `shots/*.png`, a camera number, an address with `://` such as rtsp://..., an iterable of (H, W, 3) uint8 BGR
        arrays or of Pillow images, or a `Source` (returned as it is; the other arguments are then refused).
    frame_rate
        Frames per second, where the medium does not say it (images, arrays: 30 unless given) or says it wrongly.
    name
        What result files are called; the file's or folder's name unless given.
    allow_truncated
        Accept a video file that ends before the length its header promises.
    retries
        How often in a row a camera or stream that fails is opened again.
    stall_seconds
        A camera or stream that gives no frame for so long has failed.
    value_range
        The values that become black and white, for images of more than 8 bits (thermal cameras) and floats; the range
        of their own values unless given.
    labels
        A file or folder of ground truth in any format of `read_labels`, for frames that do not lie where their data set
        keeps them; `ground_truth` of the source then reads it.

    Raises
    ------
    SourceError
        If it does not exist, is empty, broken, or of a kind that cannot be read.

    Examples
    --------
    >>> frames = open_source([np.zeros((48, 64, 3), np.uint8)] * 3, frame_rate=10, name="dark")
    >>> frames
    <arrays 'dark': 3 frames, 64x48, 10 frames/s>
    >>> [(frame.number, frame.time) for frame in frames]
    [(1, 0.0), (2, 0.1), (3, 0.2)]
    """
    if isinstance(source, Source):
        if allow_truncated or any(one is not None for one in (frame_rate, name, value_range, labels)):
            raise SourceError(f"{source.name} is open already; give its frame rate, name and so on where it is opened.")
        return source
    opened = _open(source, _Options(frame_rate, name, allow_truncated, value_range), retries, stall_seconds)
    if labels is not None:
        if not exists(labels, SourceError):
            raise SourceError(f"There are no labels {labels}; give a file or folder of ground truth.")
        opened.labels = Path(labels)
    return opened


@dataclass(frozen=True)
class _Options:
    """What `open_source` is told of files and arrays."""

    frame_rate: float | None
    name: str | None
    allow_truncated: bool
    value_range: ValueRange | None

    def named(self, name: str) -> _Options:
        """Return the options with a name, where none was given."""
        return self if self.name else replace(self, name=name)


def _open(source: Any, options: _Options, retries: int, stall_seconds: float) -> Source:
    if (frame_rate := options.frame_rate) is not None:
        try:
            frame_rate = float(frame_rate)
        except (TypeError, ValueError):
            frame_rate = math.nan
        if not (math.isfinite(frame_rate) and frame_rate > 0):
            raise SourceError(
                f"The frame rate must be a positive number of frames per second, not {options.frame_rate}."
            )
        options = replace(options, frame_rate=frame_rate)
    name = options.name
    if isinstance(source, str) and not source:
        raise SourceError("The source is an empty text; give a path, a camera number or an address.")
    if isinstance(source, str) and re.fullmatch(r"[0-9]{1,3}", source) and not Path(source).exists():
        source = int(source)
    if isinstance(source, (int, np.integer)) and not isinstance(source, bool):
        return CameraSource(int(source), frame_rate, name, retries, stall_seconds)
    options = replace(options, value_range=checked_range(options.value_range))
    if isinstance(source, str) and "://" in source and not Path(source).exists():
        if not source.startswith("file://"):
            return StreamSource(source, frame_rate, name, retries, stall_seconds)
        source = url2pathname(urlsplit(source).path)
    if isinstance(source, (str, os.PathLike)):
        return _open_path(Path(source), options)
    if type(source).__module__.startswith("PIL."):
        source = [source]
    if isinstance(source, (list, tuple)) and source and all(isinstance(each, (str, os.PathLike)) for each in source):
        return _open_list([Path(each) for each in source], options)
    if isinstance(source, Iterable) and not hasattr(source, "columns"):  # a table's items are names
        if not isinstance(source, (Sequence, np.ndarray)):  # one pass: look at the first without losing it
            rest = iter(source)
            first = list(itertools.islice(rest, 1))
            source = itertools.chain(first, rest)
            if first and isinstance(first[0], (str, os.PathLike)):
                return _open_list(natural_order(Path(each) for each in source), options)
        return ArraySource(source, frame_rate, name, options.value_range)
    raise SourceError(
        f"A {type(source).__name__} has no frames; give a path, a camera number, an address or an iterable of arrays."
    )


def _open_path(path: Path, options: _Options) -> Source:
    frame_rate, value_range = options.frame_rate, options.value_range
    try:
        if path.is_dir():
            if (path / "seqinfo.ini").is_file():
                return SequenceSource(path, frame_rate, options.name, value_range)
            if (path / "vdo.avi").is_file():  # a camera of the AI City Challenge, beside a picture of its region
                return _open_path(path / "vdo.avi", options.named(path.resolve().name))
            if not image_files(path):
                frames, labels = _frames_of_labels(path)
                if frames is not None:
                    named = path if frames.name in ("images", "img1") else frames
                    opened = _open_path(frames, options.named(named.resolve().name))
                    opened.labels = labels
                    return opened
            files, options = _images_in(path), options.named(path.resolve().name)
            _refuse_masks(path)
            _check_names(files, path)
            if len(files) > 1 or page_count(files[0]) == 1:
                return ImageSource(files, path, frame_rate, str(options.name), value_range)
            path = files[0]  # a folder around one stack
        if not path.exists():
            if re.search(r"[*?[]", str(path)):
                found = natural_order(Path(each) for each in glob.glob(str(path), recursive=True))
                if len(found) != 1:
                    return _open_list(found, options, str(path))
                return _open_path(found[0], options)
            remedy = "give a sequence folder, a video, a folder of images or a camera number"
            if demo := re.fullmatch(r"demo-(\d+)", path.name):
                remedy = f"`fairmot-lab demo --seed {demo[1]}` renders it"
            raise SourceError(f"There is no {path}; {remedy}.")
        suffix, name = path.suffix.lower(), options.name or path.stem
        if suffix in (".txt", ".xml", ".json"):
            _refuse_labels(path)
        if suffix == ".tar":
            raise SourceError(f"{path} is an archive without frames; read kept detections with fl.open_detections().")
        if suffix in (*IMAGE_SUFFIXES, ".apng"):
            pages = page_count(path)
            if pages == 1:
                return ImageSource([path], path, frame_rate, name, value_range)
            if suffix not in (".png", ".apng"):  # FFmpeg plays animated PNG and GIF
                return PageSource(path, pages, frame_rate, name, value_range)
        return VideoSource(path, frame_rate, name, options.allow_truncated, value_range)
    except OSError as error:
        raise SourceError(cannot_read(path, error)) from error


def _open_list(files: list[Path], options: _Options, pattern: str = "") -> Source:
    """Open image files in the order they are given; of those that a pattern matches, the images."""
    folders = {file.resolve().parent for file in files}
    if pattern:
        files = [file for file in files if file.suffix.lower() in IMAGE_SUFFIXES]
        if not files:
            raise SourceError(f"{pattern} matches no images; check the pattern, and quote it in a shell.")
    for file in files:
        if not file.is_file():
            raise SourceError(f"There is no {file}; give image files that exist.")
    folder = folders.pop() if len(folders) == 1 else None
    name = options.name or (folder.name if folder else "images")
    return ImageSource(files, folder, options.frame_rate, name, options.value_range)


def _frames_of_labels(folder: Path) -> tuple[Path | None, Path | None]:
    """Return where the frames are of the one sequence whose labels are in a folder, and these labels.

    Raises
    ------
    SourceError
        If the labels are of several sequences, or the frames are not where the data set keeps them.
    """
    try:
        found = sequences_in(folder, most=200)
    except MotFileError:
        return None, None
    found = {name: each for name, each in found.items() if each[1] is not MOTCHALLENGE}
    if not found:
        return None, None
    name, (file, format) = next(iter(found.items()))
    frames = frames_beside(file, format, name)
    where = frames or expected_frames(file, format, name)
    if len(found) > 1:
        raise SourceError(
            f"{folder} holds labels of {len(found)} sequences ({format.title}); open the frames of one of them, such "
            f"as {where}."
        )
    if frames is None:
        raise SourceError(
            f"{folder} holds labels of {name} ({format.title}) without its frames; put them into {where}, or open the "
            f"frames where they are with labels={str(file)!r}."
        )
    return frames, file


def _refuse_labels(path: Path) -> None:
    if path.parent.name == "det" or path.name == "det.txt":
        raise SourceError(f"{path} holds detections and has no frames; read it with fl.open_detections().")
    try:
        format = recognise(path)
        name = next(iter(format.sequences(path)))
    except MotFileError:
        return
    where = frames_beside(path, format, name) or expected_frames(path, format, name)
    raise SourceError(
        f"{path} is a file of labels ({format.title}) and has no frames; open {where}, with labels={str(path)!r} where "
        "the frames lie elsewhere."
    )


def _refuse_masks(folder: Path) -> None:
    if is_mask_folder(folder):
        where = frames_beside(folder, FORMAT, folder.name) or expected_frames(folder, FORMAT, folder.name)
        raise SourceError(
            f"{folder} holds masks ({FORMAT.title}) and no frames; open {where}, with labels={str(folder)!r} where the "
            "frames lie elsewhere."
        )


def _check_names(files: list[Path], folder: Path) -> None:
    """Refuse two images of one name; warn if numbers are missing, since frames are counted without gaps."""
    kinds = kinds_of_names(files, folder)
    if 1 < len(kinds) <= len(files) / 2:  # others are photos with names of their own
        found = ", ".join(file.name for file in kinds[:4])
        warn(
            f"{folder}: the names of its {len(files)} images are of {len(kinds)} kinds, such as {found}; all are read "
            "as frames, so take out what is none."
        )
    numbers = frame_numbers(files) or []
    grid = frame_grid(numbers)
    steps = np.diff(numbers)
    if grid or (len(steps) and steps.max() > 1 and 2 * len(steps) >= steps.sum()):  # others are no frames of a video
        warn(
            f"{folder}: by name the images are numbers {ranges(numbers)}; they are counted as frames 1 to {len(files)}."
            f"{note_on_grid(grid)}"
        )


def _images_in(folder: Path) -> list[Path]:
    """Return the images of a plain folder; the error says what the folder holds instead."""
    files = image_files(folder)
    if files:
        return files
    if any((folder / part).is_dir() for part in ("img1", "gt", "det")):
        raise SourceError(
            f"{folder / 'seqinfo.ini'} is missing, so {folder.name} cannot be read as a MOTChallenge sequence; restore "
            f"it, or give {folder / 'img1'} to read its images alone."
        )
    inside = sorted(p.name for p in folder.iterdir() if (p / "seqinfo.ini").is_file())
    if inside:
        raise SourceError(f"{folder} holds {len(inside)} sequences; give one of them, such as {folder / inside[0]}.")
    found = "is empty" if not any(folder.iterdir()) else "holds no images"
    raise SourceError(f"{folder} {found}; a folder of images has files that end in {', '.join(IMAGE_SUFFIXES)}.")
