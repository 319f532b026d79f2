"""UA-DETRAC (MVI_20011.xml): vehicles, and regions to ignore that hold for the whole sequence.

https://detrac-db.rit.albany.edu
"""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from ..errors import MotFileError
from .base import Format, one_sequence, stem
from .text import beginning
from .truth import number, read_xml, truth_table, whole

DETRAC_CLASSES = {0: "ignored region", 1: "car", 2: "van", 3: "bus", 4: "others"}
_LONGEST = 100_000
_NUMBERS = {name: index for index, name in DETRAC_CLASSES.items()}


def read_detrac(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read the XML file of a UA-DETRAC sequence.

    Parameters
    ----------
    path
        The file: `<sequence name="MVI_20011">` with `<ignored_region>` and `<frame num="1">`.

    Returns
    -------
    pandas.DataFrame
        Ground truth as `read_mot` gives it. Ignored regions are rows of class 0 with conf 0 in every frame.

    Raises
    ------
    MotFileError
        If it is not such a file, or a value in it is missing.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "MVI_1.xml")
    >>> _ = path.write_text('<sequence name="MVI_1"><frame num="1"><target_list><target id="3">'
    ...     '<box left="5" top="6" width="70" height="80"/><attribute vehicle_type="bus"/></target></target_list>'
    ...     '</frame></sequence>')
    >>> read_detrac(path)[["frame", "id", "w", "class_id"]].values.tolist()
    [[1.0, 3.0, 70.0, 3.0]]
    """
    path = Path(path)
    root = read_xml(path)
    if root.tag != "sequence":
        raise MotFileError(f"{path} begins with <{root.tag}>; a UA-DETRAC file begins with <sequence>.")

    def box(element, place: Path) -> tuple[float, float, float, float]:
        if element is None:
            raise MotFileError(f"{place} has no <box>; correct the file.")
        left, top, width, height = (number(element.get(k), k, place) for k in ("left", "top", "width", "height"))
        return left, top, width, height

    rows, last = [], 0
    for frame in root.iter("frame"):
        index = whole(frame.get("num"), "the number of a frame", path)
        if index > _LONGEST:
            raise MotFileError(f"{path} has a frame {index}, beyond any UA-DETRAC sequence; correct it.")
        last = max(last, index)
        for target in frame.iter("target"):
            place = Path(f"{path}, frame {index}")
            attribute = target.find("attribute")
            kind = attribute.get("vehicle_type", "others") if attribute is not None else "others"
            track = whole(target.get("id"), "the id of a target", place)
            rows.append((index, track, *box(target.find("box"), place), 1.0, _NUMBERS.get(kind.lower(), 4)))
    regions = [box(element, path) for region in root.iter("ignored_region") for element in region.iter("box")]
    rows += [(index, -1, *region, 0.0, 0) for index in range(1, last + 1) for region in regions]
    return truth_table(rows, path, format=FORMAT.title, classes=DETRAC_CLASSES, sequence=root.get("name") or stem(path))


def _recognise(path: Path, head: bytes) -> bool:
    return b"<sequence" in head and beginning(head).startswith(b"<")


FORMAT = Format(
    name="detrac",
    title="UA-DETRAC",
    recognise=_recognise,
    sequences=one_sequence(read_detrac, lambda path: stem(path).removesuffix("_v3")),
    frames=(
        "../Insight-MVT_Annotation_Train/{sequence}",
        "../Insight-MVT_Annotation_Test/{sequence}",
        "../../Insight-MVT_Annotation_Train/{sequence}",
        "../../Insight-MVT_Annotation_Test/{sequence}",
    ),
    labels=(
        "../../DETRAC-Train-Annotations-XML/{sequence}.xml",
        "../../DETRAC-Test-Annotations-XML/{sequence}.xml",
        "../../DETRAC-Train-Annotations-XML-v3/{sequence}_v3.xml",
    ),
    protocol="UA-DETRAC: all vehicles as one class; what ignored regions cover is dropped (without its PR curve)",
)
