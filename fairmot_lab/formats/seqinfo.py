"""Read and write MOTChallenge's `seqinfo.ini`."""

from __future__ import annotations

import configparser
import os
from dataclasses import dataclass
from pathlib import Path

from .._files import write_text
from ..errors import MotFileError
from .text import LARGEST_FRAME, NUMBER, read_bytes, short

_LARGEST = 2**20


@dataclass(frozen=True)
class SequenceInfo:
    """The content of a seqinfo.ini.

    `frame_rate` in frames a second, `length` in frames, `width` and `height` in pixels.
    """

    name: str
    image_dir: str
    frame_rate: float
    length: int
    width: int
    height: int
    extension: str


def read_seqinfo(path: str | os.PathLike[str]) -> SequenceInfo:
    """Read a sequence's seqinfo.ini.

    Parameters
    ----------
    path
        The file, or the folder of the sequence that holds it.

    Returns
    -------
    SequenceInfo
        `name`, `image_dir` and `extension` fall back to the folder's name, "img1" and ".jpg"; the numbers must be
        there.

    Raises
    ------
    MotFileError
        If the file is missing, is not an ini file, or a number in it is missing, not a number or not above zero.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "seqinfo.ini")
    >>> _ = path.write_text("[Sequence]\\nframeRate=25\\nseqLength=2\\nimWidth=640\\nimHeight=400\\n")
    >>> info = read_seqinfo(path)
    >>> info.length, info.frame_rate, info.width, info.height
    (2, 25.0, 640, 400)
    """
    path = Path(path)
    if path.is_dir():
        path = path / "seqinfo.ini"
    if not path.exists():
        raise MotFileError(f"{path} is missing; a MOTChallenge sequence folder needs it for its length and size.")
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(read_bytes(path, "a MOTChallenge seqinfo.ini", most=_LARGEST).decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise MotFileError(f"{path} cannot be read ({error}); give a MOTChallenge seqinfo.ini.") from error
    except configparser.Error as error:
        reason = short(" ".join(str(error).split()), 200).replace("'<string>'", "it").replace("<string>", "it")
        raise MotFileError(
            f"{path} is not an ini file ({reason}); write it as [Sequence] and lines of key=value."
        ) from error
    if "Sequence" not in parser:
        raise MotFileError(f"{path} has no section [Sequence]; add it above the keys.")
    section = parser["Sequence"]

    def number(key: str, whole: bool = True) -> float:
        text = section.get(key)
        if text is None:
            raise MotFileError(f"{path} has no {key}; add a line such as {key}={'30' if 'Rate' in key else '600'}.")
        if not NUMBER.fullmatch(text) or not 0 < float(text) < float("inf") or (whole and float(text) % 1):
            expected = "whole number" if whole else "number"
            raise MotFileError(f"{path} says {key}={short(text)!r}; it must be a {expected} above 0.")
        if float(text) > LARGEST_FRAME:
            raise MotFileError(f"{path} says {key}={short(text)!r}, more than any sequence has; correct it.")
        return float(text)

    return SequenceInfo(
        name=section.get("name", path.resolve().parent.name),
        image_dir=section.get("imDir", "img1"),
        frame_rate=number("frameRate", whole=False),
        length=int(number("seqLength")),
        width=int(number("imWidth")),
        height=int(number("imHeight")),
        extension=section.get("imExt", ".jpg"),
    )


def write_seqinfo(
    path: str | os.PathLike[str], name: str, frame_rate: float, length: int, size: tuple[int, int]
) -> None:
    """Write the seqinfo.ini of a sequence whose images, (width, height) in size, are img1/000001.jpg and so on.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "seqinfo.ini")
    >>> write_seqinfo(path, "street", 25, 2, (640, 400))
    >>> read_seqinfo(path).name
    'street'
    """
    values = {"name": name, "imDir": "img1", "frameRate": f"{frame_rate:g}", "seqLength": length}
    values |= {"imWidth": size[0], "imHeight": size[1], "imExt": ".jpg"}
    text = "\n".join(["[Sequence]", *(f"{key}={value}" for key, value in values.items()), ""])
    write_text(path, text)
