"""What the reader of a format gives to the registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

Loader = Callable[[], pd.DataFrame]


@dataclass(frozen=True)
class Format:
    """A format of labels.

    Attributes
    ----------
    name
        Short name, such as "kitti".
    title
        What messages call it.
    recognise
        Whether a file, given with its first bytes, has this format.
    sequences
        A loader of the ground-truth table for each sequence in a file.
    frames
        Where a data set keeps the frames, relative to the folder of the label file; `{sequence}` stands for the name.
    labels
        Where a data set keeps the label file, relative to the folder of the frames.
    protocol
        Name of the published protocol, and what of it applies here.
    """

    name: str
    title: str
    recognise: Callable[[Path, bytes], bool]
    sequences: Callable[[Path], Mapping[str, Loader]]
    frames: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    protocol: str = ""


def first_line(head: bytes) -> list[str]:
    """Return the fields of the first line that is not blank, whatever separates them."""
    for line in head.decode("utf-8", "replace").lstrip("\ufeff").splitlines():
        if line.strip():
            separator = next((mark for mark in ",;\t" if mark in line), None)
            return [field.strip() for field in line.split(separator)]
    return []


def stem(path: Path) -> str:
    """Return the name of the sequence that a label file belongs to."""
    if path.name.startswith(("gt.", "det.")) and path.parent.name in ("gt", "det"):
        return path.resolve().parent.parent.name
    name = path.name.removesuffix(".gz")
    return name.rpartition(".")[0] or name


def one_sequence(
    read: Callable[[Path], pd.DataFrame], name: Callable[[Path], str] = stem
) -> Callable[[Path], dict[str, Loader]]:
    """Return `Format.sequences` of a format with one sequence in a file, called as the file unless `name` says so."""
    return lambda path: {name(path): lambda: read(path)}


def several_sequences(read: Callable[[Path], Mapping[str, pd.DataFrame]]) -> Callable[[Path], dict[str, Loader]]:
    """Return `Format.sequences` of a format with several sequences in a file, which is read as a whole."""
    return lambda path: {sequence: table.copy for sequence, table in read(path).items()}
