"""Open a source: a MOT sequence, a video, an image folder, a camera, a network stream or arrays."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import SourceError
from .arrays import ArraySource
from .base import Source
from .folders import IMAGE_SUFFIXES, ImageSource, SequenceSource, _image_files


def open_source(
    source: Any,
    *,
    frame_rate: float | None = None,
    name: str | None = None,
    allow_truncated: bool = False,
    retries: int = 5,
    stall_seconds: float = 10.0,
) -> Source:
    """Open anything that has frames.

    Parameters
    ----------
    source
        A MOTChallenge sequence folder (with seqinfo.ini), a video file, a folder of images (in natural order), one
        image, a camera number, an address such as rtsp://..., an iterable of (H, W, 3) uint8 BGR arrays, or a
        `Source` (returned as it is).
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

    Raises
    ------
    SourceError
        If it does not exist, is empty, broken, or of no kind that can be read.
    """
    if isinstance(source, Source):
        return source
    if frame_rate is not None and not (math.isfinite(frame_rate) and frame_rate > 0):
        raise SourceError(f"The frame rate must be a positive number of frames per second, not {frame_rate}.")
    if isinstance(source, str) and re.fullmatch(r"[0-9]{1,3}", source) and not Path(source).exists():
        source = int(source)
    if isinstance(source, (int, np.integer)) and not isinstance(source, bool):
        from .live import CameraSource

        return CameraSource(int(source), frame_rate, name, retries, stall_seconds)
    if isinstance(source, str) and "://" in source:
        from .live import StreamSource

        return StreamSource(source, frame_rate, name, retries, stall_seconds)
    if isinstance(source, (str, os.PathLike)):
        return _open_path(Path(source), frame_rate, name, allow_truncated)
    if isinstance(source, Iterable):
        return ArraySource(source, frame_rate, name)
    raise SourceError(
        f"A {type(source).__name__} has no frames; give a path, a camera number, an address or an iterable of arrays."
    )


def _open_path(path: Path, frame_rate: float | None, name: str | None, allow_truncated: bool) -> Source:
    try:
        if path.is_dir():
            if (path / "seqinfo.ini").is_file():
                return SequenceSource(path, frame_rate, name)
            return ImageSource(_images_in(path), path, frame_rate, name or path.resolve().name)
        if not path.exists():
            raise SourceError(
                f"There is no {path}; give a sequence folder, a video, a folder of images or a camera number."
            )
        if path.suffix.lower() in IMAGE_SUFFIXES:
            return ImageSource([path], path, frame_rate, name or path.stem)
        from .video import VideoSource

        return VideoSource(path, frame_rate, name, allow_truncated)
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror or error}).") from error


def _images_in(folder: Path) -> list[Path]:
    """The images of a plain folder; the error tells what the folder is instead."""
    files = _image_files(folder)
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
