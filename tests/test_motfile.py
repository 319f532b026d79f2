"""read_mot: what it reads is right, and what it cannot read rightly it refuses."""

from __future__ import annotations

import gzip
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import fairmot_lab as fl
from fairmot_lab.errors import FairMOTLabWarning, MotFileError
from fairmot_lab.formats.mot import LARGEST_ID, LARGEST_PIXEL, check_table, read_mot, write_mot
from fairmot_lab.formats.seqinfo import read_seqinfo

BASE = [
    f"{frame},{track},{100 * track + 3.25 * frame:.2f},{200 + frame}.5,60.25,150.75,0.9,-1,-1,-1"
    for frame in range(1, 31)
    for track in range(1, 5)
]


def edited(rows, column: int, value: str | Callable[[list[str]], str]) -> list[str]:
    lines = list(BASE)
    for row in [rows] if isinstance(rows, int) else rows:
        fields = lines[row].split(",")
        fields[column] = value if isinstance(value, str) else value(fields)
        lines[row] = ",".join(fields)
    return lines


def text(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"


def expected() -> np.ndarray:
    return np.array([[float(field) for field in line.split(",")[:7]] for line in BASE])


def read(tmp_path: Path, content: str | bytes, kind: str = "results", **known) -> pd.DataFrame:
    path = tmp_path / "SEQ.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_mot(path, kind, **known)


READ_AS_THE_BASE = {
    "as it is": text(BASE),
    "no line end at the end": text(BASE)[:-1],
    "blank line in the middle": text([*BASE[:50], "", *BASE[50:]]),
    "blank lines around": "\n\n" + text(BASE) + "\n  \n",
    "7 columns": text([",".join(line.split(",")[:7]) for line in BASE]),
    "11 columns": text([line + ",9" for line in BASE]),
    "12 columns": text([line + ",9,9" for line in BASE]),
    "frame and id as 3.0": text([line.replace(",", ".0,", 2) for line in BASE]),
    "CRLF": "\r\n".join(BASE) + "\r\n",
    "old Macintosh line ends": "\r".join(BASE) + "\r",
    "byte order mark": "\ufeff" + text(BASE),
    "semicolon": text(BASE).replace(",", ";"),
    "spaces": text(BASE).replace(",", " "),
    "several spaces": text(["  " + line.replace(",", "   ") for line in BASE]),
    "comma and space": text(BASE).replace(",", ", "),
    "comma and spaces": text(["  " + line.replace(",", " ,  ") for line in BASE]),
    "tab": text(BASE).replace(",", "\t"),
    "semicolon and space": text(BASE).replace(",", "; "),
    "plus signs": text([line.replace(",0.9,", ",+0.9,") for line in BASE]),
    "exponents": text([line.replace(",0.9,", ",9e-1,") for line in BASE]),
    "leading zeros": text(["00" + line for line in BASE]),
}

ODD_BUT_RIGHT = {
    "score 0": (text(edited(range(len(BASE)), 6, "0")), "score", 0.0),
    "score -2": (text(edited(range(len(BASE)), 6, "-2")), "score", -2.0),
    "class 3": (text(edited(range(len(BASE)), 7, "3")), "class_id", 3),
    "6 columns": (text([",".join(line.split(",")[:6]) for line in BASE]), "score", 1.0),
}

REFUSED = {
    "NaN in x": (text(edited(20, 2, "nan")), "line 21", "column 3 (x) is nan"),
    "inf in x": (text(edited(20, 2, "inf")), "line 21", "inf"),
    "minus infinity": (text(edited(20, 2, "-Infinity")), "line 21", "Infinity"),
    "too large for a number": (text(edited(20, 2, "1e400")), "line 21", "1e400"),
    "width beyond any image": (text(edited(20, 4, "1e200")), "line 21", "beyond any image"),
    "NaN score": (text(edited(20, 6, "nan")), "line 21", "score"),
    "NaN frame": (text(edited(20, 0, "nan")), "line 21", "frame"),
    "NaN id": (text(edited(20, 1, "NaN")), "line 21", "id"),
    "NaN in a column nobody reads": (text(edited(20, 9, "nan")), "line 21", "column 10"),
    "NA": (text(edited(20, 2, "NA")), "line 21", "'NA'"),
    "None": (text(edited(20, 2, "None")), "line 21", "'None'"),
    "True": (text(edited(20, 6, "True")), "line 21", "'True'"),
    "negative width": (text(edited(range(20, 30), 4, "-60")), "line 21", "width -60"),
    "zero height": (text(edited(range(20, 30), 5, "0")), "line 21", "height 0"),
    "duplicate, same box": (text([*BASE[:21], BASE[20], *BASE[21:]]), "line 22", "a second time"),
    "duplicate, other box": (text([*BASE[:21], edited(20, 2, "10")[20], *BASE[21:]]), "line 22", "line 21"),
    "duplicate far away": (text([*BASE, BASE[0]]), "line 121", "line 1)"),
    "frame 3.5": (text(edited(20, 0, "3.5")), "line 21", "3.5"),
    "frame abc": (text(edited(20, 0, "abc")), "line 21", "'abc'"),
    "frame 0x3": (text(edited(20, 0, "0x3")), "line 21", "'0x3'"),
    "frame 1_0": (text(edited(20, 0, "1_0")), "line 21", "'1_0'"),
    "other digits": (text(edited(20, 0, "\u0663")), "line 21", "frame"),
    "unicode minus": (text(edited(20, 2, "\u22125")), "line 21", "column 3"),
    "two points": (text(edited(20, 2, "1.2.3")), "line 21", "'1.2.3'"),
    "a bare sign": (text(edited(20, 2, "-")), "line 21", "'-'"),
    "half an exponent": (text(edited(20, 2, "5e")), "line 21", "'5e'"),
    "two numbers in a field": (text(edited(20, 2, "5 6")), "line 21", "'5 6'"),
    "quoted": (text(edited(20, 2, '"5"')), "line 21", "'\"5\"'"),
    "empty field": (text(edited(20, 2, "")), "line 21", "column 3 (x) is empty"),
    "id 7.5": (text(edited(20, 1, "7.5")), "line 21", "7.5"),
    "id -1": (text(edited(range(len(BASE)), 1, "-1")), "line 1", "id -1"),
    "4 columns": (text([",".join(line.split(",")[:4]) for line in BASE]), "line 1", "4 columns"),
    "5 columns": (text([",".join(line.split(",")[:5]) for line in BASE]), "line 1", "5 columns"),
    "last line cut in fields": (text(BASE[:-1]) + ",".join(BASE[-1].split(",")[:3]), "line 120", "cut off"),
    "last line cut in a number": (text(BASE)[:-2], "line 120", "cut off"),
    "a short line": (text([*BASE[:30], "8,9,1,2,3", *BASE[30:]]), "line 31", "5 columns"),
    "14 columns": (text([line + ",9,9,9,9" for line in BASE]), "line 1", "14 columns"),
    "trailing comma": (text([line + "," for line in BASE]), "line 1", "separator at the end"),
    "one row with 12 fields": (text([*BASE[:30], BASE[30] + ",5,5", *BASE[31:]]), "line 31", "12 columns"),
    "header": (text(["frame,id,x,y,w,h,conf,a,b,c", *BASE]), "line 1", "header"),
    "header with numbers": (text(["frame,id,bb_left,bb_top,bb_width,bb_height,conf,x,y,z", *BASE]), "line 1", "header"),
    "comment": (text(["# made by x", *BASE]), "line 1", "comment"),
    "comment in the middle": (text([*BASE[:20], "# made by x", *BASE[20:]]), "line 21", "columns"),
    "frames from 0": (
        text([",".join([str(int(line.split(",")[0]) - 1), *line.split(",")[1:]]) for line in BASE]),
        "line 1",
        "count from 1",
    ),
    "negative frame": (text(edited(20, 0, "-3")), "line 21", "frame -3"),
    "frame 1e9": (text([*BASE, "1000000000,1,1,1,5,5,1,-1,-1,-1"]), "line 121", "frame 1000000000"),
    "frame 1e300": (text([*BASE, "1e300,1,1,1,5,5,1,-1,-1,-1"]), "line 121", "frame"),
    "frame beyond the sequence": (text([*BASE, "31,1,1,1,5,5,1,-1,-1,-1"]), "line 121", "30 frames"),
    "id 2**53": (text(edited(0, 1, str(2**53))), "line 1", "2^53"),
    "id 2**53 + 1": (text(edited(0, 1, str(2**53 + 1))), "line 1", "2^53"),
    "id 1e300": (text(edited(0, 1, "1e300")), "line 1", "2^53"),
    "decimal comma, 14 columns": (text(BASE).replace(".", ","), "line 1", "decimal"),
    "decimal comma, 6 numbers": (
        text(
            [
                ",".join(
                    f"{float(field):.2f}".replace(".", ",") if i > 1 else field
                    for i, field in enumerate(line.split(",")[:6])
                )
                for line in BASE
            ]
        ),
        "line 1",
        "decimals",
    ),
    "decimal comma and semicolon": (text(BASE).replace(",", ";").replace(".", ","), "line 1", "decimals"),
    "two separators": (
        text([line.replace(",", ";") if index > 40 else line for index, line in enumerate(BASE)]),
        "line 42",
        "",
    ),
    "binary": (b"\x00\x01\x02garbage\n", "", "binary"),
    "UTF-16": (text(BASE).encode("utf-16"), "", "UTF-16"),
    "a picture": (b"\xff\xd8\xff\xe0JFIF", "", ""),
    "seqinfo.ini": ("[Sequence]\nname=S\n", "line 1", "an ini file"),
    "HTML": ("<html><body>404</body></html>\n", "line 1", "a web page"),
    "JSON": ('{"frame": 1, "id": 2}\n', "line 1", "a JSON file"),
    "KITTI": ("0 1 Pedestrian 0 0 -0.2 16 8 19 17 1.7 0.6 0.8 1 1 9 0\n", "line 1", "a KITTI label file"),
    "MOTS": ("52 1005 1 375 1242 WSV:2d;1O10000O1\n", "line 1", "a MOTS file"),
    "XML": ("<sequence name='MVI_20011'>\n", "line 1", "an XML file"),
    "Git LFS pointer": ("version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 12\n", "line 1", "columns"),
    "end-of-file mark": (text(BASE) + "\x1a", "line 121", ""),
}


@pytest.mark.parametrize("content", READ_AS_THE_BASE.values(), ids=READ_AS_THE_BASE.keys())
def test_other_spellings_give_the_same_table(tmp_path, content):
    path = tmp_path / "SEQ.txt"
    path.write_bytes(content.encode())
    table = read_mot(path, "results", length=30)
    assert np.array_equal(table[["frame", "id", "x", "y", "w", "h", "score"]].to_numpy(), expected())
    assert (table["class_id"] == -1).all()
    assert table["frame"].dtype == np.int64
    assert table["id"].dtype == np.int64
    assert table.attrs == {"sequence": "SEQ", "length": 30, "files": [os.path.realpath(path)]}


@pytest.mark.parametrize(("content", "column", "value"), ODD_BUT_RIGHT.values(), ids=ODD_BUT_RIGHT.keys())
def test_odd_values_are_kept(tmp_path, content, column, value):
    table = read(tmp_path, content)
    assert len(table) == len(BASE)
    assert (table[column] == value).all()


@pytest.mark.parametrize(("content", "line", "words"), REFUSED.values(), ids=REFUSED.keys())
@pytest.mark.parametrize("kind", ["results", "ground_truth"])
def test_broken_files_are_refused_with_their_line(tmp_path, content, line, words, kind):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FairMOTLabWarning)
        with pytest.raises(MotFileError) as error:
            read(tmp_path, content, kind, length=30 if "beyond" not in line else None)
    message = str(error.value)
    assert "SEQ.txt" in message
    assert f"{line}" in message
    assert words in message
    assert "\n" not in message
    assert len(message) < 400


def test_unsorted_rows_are_ordered_by_frame(tmp_path):
    order = np.random.default_rng(0).permutation(len(BASE))
    table = read(tmp_path, text([BASE[row] for row in order]))
    assert table["frame"].is_monotonic_increasing
    # rows of one frame keep the order they have in the file
    in_frame = [int(BASE[row].split(",")[1]) for row in order if BASE[row].startswith("7,")]
    assert table.loc[table["frame"] == 7, "id"].tolist() == in_frame


def test_an_empty_file_warns(tmp_path):
    for content in ("", "\n\n\n", "   \n"):
        with pytest.warns(FairMOTLabWarning, match=r"SEQ\.txt is empty"):
            table = read(tmp_path, content)
        assert len(table) == 0
        assert list(table) == ["frame", "id", "x", "y", "w", "h", "score", "class_id"]


@pytest.mark.parametrize("columns", [(4,), (4, 5)])
@pytest.mark.parametrize("size", [{}, {"width": 640, "height": 480}])
def test_corners_in_place_of_sizes_warn(tmp_path, columns, size):
    lines = list(BASE)
    for column in columns:
        for row, line in enumerate(lines):
            fields = line.split(",")
            fields[column] = str(float(fields[column - 2]) + float(fields[column]))
            lines[row] = ",".join(fields)
    with pytest.warns(FairMOTLabWarning, match="x1, y1, x2, y2"):
        read(tmp_path, text(lines), **size)


def test_fractions_of_the_image_warn(tmp_path):
    with pytest.warns(FairMOTLabWarning, match="multiply them by"):
        read(tmp_path, "1,1,0.1,0.2,0.05,0.1,1\n2,1,0.1,0.2,0.05,0.1,1\n3,1,0.8,0.9,0.05,0.1,1\n")


def test_ordinary_boxes_do_not_warn(tmp_path, recwarn):
    read(tmp_path, text(BASE), width=640, height=480)
    read(tmp_path, text(BASE))
    assert not recwarn.list


def test_large_ids_stay_apart(tmp_path):
    lines = [f"1,{track},1,1,5,5,1,-1,-1,-1" for track in (0, 1, 5 * 10**9, LARGEST_ID - 1, LARGEST_ID)]
    assert read(tmp_path, text(lines))["id"].tolist() == [0, 1, 5 * 10**9, LARGEST_ID - 1, LARGEST_ID]


def test_gzip(tmp_path):
    path = tmp_path / "SEQ.txt.gz"
    path.write_bytes(gzip.compress(text(BASE).encode()))
    table = read_mot(path)
    assert table.attrs["sequence"] == "SEQ"
    assert len(table) == len(BASE)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(MotFileError, match="not a whole gzip file"):
        read_mot(path)
    path.write_bytes(text(BASE).encode())
    with pytest.raises(MotFileError, match="not a whole gzip file"):
        read_mot(path)
    unnamed = tmp_path / "SEQ.txt"
    unnamed.write_bytes(gzip.compress(b"1"))
    with pytest.raises(MotFileError, match=r"end in \.gz"):
        read_mot(unnamed)


def test_paths_that_are_no_file(tmp_path):
    with pytest.raises(MotFileError, match="does not exist"):
        read_mot(tmp_path / "nothing.txt")
    with pytest.raises(MotFileError, match="is a folder"):
        read_mot(tmp_path)
    with pytest.raises(MotFileError, match="none of"):
        read_mot(tmp_path, "gt")


def test_ground_truth_layouts(tmp_path):
    with_classes = read(tmp_path, "1,1,10,20,30,40,1,7,0.25\n2,1,10,20,30,40,0,1,1\n", "ground_truth")
    assert with_classes["class_id"].tolist() == [7, 1]
    assert with_classes["conf"].tolist() == [1, 0]
    assert with_classes["visibility"].tolist() == [0.25, 1]
    mot15 = read(tmp_path, "1,9,499,158,31.03,75.17,1,-4.1554,-7.3591,0\n", "ground_truth")
    assert mot15["class_id"].tolist() == [-1]
    assert mot15["visibility"].isna().all()
    with pytest.raises(MotFileError, match=r"line 1: class 1.5"):
        read(tmp_path, "1,1,10,20,30,40,1,1.5,0.25\n", "ground_truth")
    with pytest.warns(FairMOTLabWarning, match="look|class and visibility"):
        read(tmp_path, "1,1,10,20,30,40,1,1,0.25,-1\n", "ground_truth")


def test_a_position_in_the_world_is_no_class(tmp_path):
    assert read(tmp_path, "1,1,5,5,9,9,1,4.5,6,0\n")["class_id"].tolist() == [-1]
    assert read(tmp_path, "1,1,5,5,9,9,1,4,6,0\n")["class_id"].tolist() == [-1]


def test_detections_have_their_row_and_no_id(tmp_path):
    table = read(tmp_path, "2,-1,5,5,9,9,0.5\n1,-1,5,5,9,9,0.6\n1,-1,5,5,9,9,0.7\n", "detections")
    assert "id" not in table
    assert table["det"].tolist() == [0, 1, 2]
    assert table["score"].tolist() == [0.6, 0.7, 0.5]
    with pytest.raises(MotFileError, match=r"line 1: id -2"):
        read(tmp_path, "2,-2,5,5,9,9,0.5\n", "detections")


def test_detections_that_are_there_twice_are_told(tmp_path):
    rows = ["1,-1,5,5,9,9,0.5", "1,-1,15,5,9,9,0.5", "2,-1,5,5,9,9,0.5", "1,-1,5,5,9,9,0.4"]
    with pytest.warns(FairMOTLabWarning, match=r"SEQ\.txt, line 4: the frame has this box a second time.* 1 of 4 rows"):
        assert len(read(tmp_path, text(rows), "detections")) == 4


def test_real_files_are_read_as_python_reads_numbers(real_data):
    for pattern, kind in (("MOT15/train/*/gt/gt.txt", "ground_truth"), ("golden/*/MOT17-09*.txt", "results")):
        for path in sorted(real_data.glob(pattern)):
            rows = [[float(field) for field in line.split(",")] for line in path.read_text().split()]
            rows.sort(key=lambda row: row[0])
            table = read_mot(path, kind)
            assert np.array_equal(table[["frame", "id", "x", "y", "w", "h"]].to_numpy(), np.array(rows)[:, :6])


def test_all_real_files_are_read_without_a_warning(real_data, recwarn):
    for pattern, kind in (("*/train/*/gt/gt.txt", "ground_truth"), ("*/train/*/det/det.txt", "detections")):
        paths = sorted(real_data.glob(pattern))
        assert paths
        for path in paths:
            info = read_seqinfo(path.parent.parent)
            table = read_mot(path, kind, length=info.length, width=info.width, height=info.height)
            assert len(table) == len(path.read_text().split())
    assert not recwarn.list


# ---------------------------------------------------------------------------------------------------- properties

finite = st.floats(-1e9, 1e9, allow_nan=False)
positive = st.floats(1e-6, 1e9, allow_nan=False)


@st.composite
def tables(draw, kind: str) -> pd.DataFrame:
    keys = draw(
        st.lists(st.tuples(st.integers(1, 9999), st.integers(0, LARGEST_ID)), min_size=1, max_size=20, unique=True)
    )
    count = len(keys)

    def column(elements) -> np.ndarray:
        return draw(npst.arrays(np.float64, count, elements=elements))

    table = pd.DataFrame({"frame": [frame for frame, _ in keys], "id": [track for _, track in keys]})
    for name, elements in (("x", finite), ("y", finite), ("w", positive), ("h", positive), ("score", finite)):
        table[name] = column(elements)
    table["class_id"] = draw(npst.arrays(np.int64, count, elements=st.integers(-1, 80)))
    if kind == "detections":
        del table["id"]
    if kind == "ground_truth":
        table["conf"] = table["score"]
        table["visibility"] = column(st.floats(0, 1))
        if draw(st.booleans()):
            table["visibility"] = np.nan
    table = table.sort_values("frame", kind="stable", ignore_index=True)
    if kind == "detections":
        table["det"] = np.arange(count)
    return table


@pytest.mark.parametrize("kind", ["results", "detections", "ground_truth"])
@pytest.mark.parametrize("name", ["SEQ.txt", "SEQ.txt.gz"])
def test_any_table_round_trips(tmp_path, kind, name):
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(tables(kind))
    def check(table):
        path = tmp_path / name
        write_mot(table, path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FairMOTLabWarning)
            pd.testing.assert_frame_equal(read_mot(path, kind), table[list(read_mot(path, kind))], check_exact=True)

    check()


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.sampled_from([*"0123456789", *",;.\t \n\n-+eE", "nan", "1,2,3,4,5,6\n", "2,1,1,1,1,1\n", "\r\n", "x"]),
        max_size=60,
    )
)
def test_no_text_is_read_silently_wrong(tmp_path_factory, pieces):
    """Whatever the text: either an error of ours, or the numbers that Python finds in it."""
    path = tmp_path_factory.mktemp("any") / "SEQ.txt"
    content = "".join(pieces)
    path.write_bytes(content.encode())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FairMOTLabWarning)
        try:
            table = read_mot(path)
        except MotFileError:
            return
    lines = [line for line in content.replace("\r\n", "\n").split("\n") if line.strip()]
    marks = [mark for mark in ",;\t" if any(mark in line for line in lines)]
    assert len(marks) <= 1 or marks == [",", "\t"] or marks == [";", "\t"]
    rows = [[float(field) for field in line.split(marks[0] if marks else None)][:6] for line in lines]
    rows.sort(key=lambda row: row[0])
    assert table[["frame", "id", "x", "y", "w", "h"]].to_numpy().tolist() == rows


@settings(max_examples=100, deadline=None)
@given(npst.arrays(np.float64, (5, 10), elements=st.floats(1e-3, 1e9)))
def test_numbers_are_rounded_as_python_rounds_them(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("numbers") / "SEQ.txt"
    values[:, 0] = 1
    values[:, 1] = np.arange(5)
    path.write_text("".join(",".join(map(repr, row)) + "\n" for row in values.tolist()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FairMOTLabWarning)
        assert np.array_equal(read_mot(path)[["x", "y", "w", "h", "score"]].to_numpy(), values[:, 2:7])


SEPARATORS = [",", ";", "\t", " ", ", ", " ,", " , ", " ;", " ; ", " \t", "\t ", " \t ", "  ", ",  ", "  , "]


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.tuples(*[st.floats(1e-3, 1e6) for _ in range(5)]), min_size=1, max_size=4),
    st.sampled_from(SEPARATORS),
    st.sampled_from(["{!r}", "{:.17g}", "{:.4f}", "{:.20f}", "{:e}", "+{:.16e}"]),
)
def test_spaces_beside_the_separator_do_not_cut_numbers(tmp_path_factory, boxes, separator, form):
    """A number is what a plain parse makes of it, whatever stands on either side of the separator."""
    path = tmp_path_factory.mktemp("spaces") / "SEQ.txt"
    rows = [[form.format(value) for value in box] for box in boxes]
    lines = [separator.join(["1", str(index), *row]) for index, row in enumerate(rows)]
    path.write_text("\n".join(lines) + "\n")
    expected = [[float(field) for field in row] for row in rows]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FairMOTLabWarning)
        table = read_mot(path)
    assert table[["x", "y", "w", "h", "score"]].to_numpy().tolist() == expected


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text("0123456789.eE+-", min_size=1, max_size=24))
def test_a_number_is_what_float_makes_of_it(tmp_path_factory, field):
    path = tmp_path_factory.mktemp("number") / "SEQ.txt"
    path.write_text(f"1,1,{field},2,3,4,1,-1,-1,-1\n1,2,1.5,2,3,4,1,-1,-1,-1\n")
    try:
        expected = float(field)
    except ValueError:
        expected = np.nan
    try:
        value = read_mot(path)["x"][0]
    except MotFileError:
        assert not abs(expected) <= LARGEST_PIXEL
        return
    assert value == expected


@pytest.mark.parametrize("position", [0, 1, 2, 6, 9])
@pytest.mark.parametrize("field", ["18.4330e523011100054", "1e4294967298", "1" * 70, "0." + "3" * 5000])
def test_numbers_that_upset_a_native_parser(tmp_path, field, position):
    row = ["1", "1", "2", "2", "3", "4", "1", "-1", "-1", "-1"]
    row[position] = field
    with pytest.raises(MotFileError, match="line 1") as error:
        read(tmp_path, ",".join(row) + "\n")
    assert len(str(error.value)) < 300


def test_a_text_that_unpacks_to_more_than_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("fairmot_lab.formats.text.LARGEST_TEXT", 2**20)
    for name in ("SEQ.txt.gz", "SEQ.txt"):
        path = tmp_path / name
        data = text(BASE[:1]).encode() * 50_000
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        with pytest.raises(MotFileError, match="more than 1 MiB of text"):
            read_mot(path)


# ---------------------------------------------------------------------------------------------------- tables

GOOD = pd.DataFrame({"frame": [1, 2], "id": [1, 1], "x": [1.0, 2.0], "y": [1.0, 2.0], "w": [5.0, 5.0], "h": [5.0, 5.0]})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"x": [1.0, np.nan]}, "row 1: x is nan"),
        ({"frame": [1, 0]}, "row 1: frame 0"),
        ({"frame": [1, 1.5]}, "row 1: frame 1.5"),
        ({"frame": [1, 1]}, "row 1: frame 1 has id 1 a second time"),
        ({"w": [5.0, 0.0]}, "row 1: the box has width 0"),
        ({"id": [1, -1]}, "row 1: id -1"),
        ({"x": ["1", "2"]}, "must hold numbers"),
        ({"frame": [1, 3]}, "row 1: frame 3, but the sequence has 2 frames"),
    ],
)
def test_tables_are_held_to_the_same_rules(change, words):
    with pytest.raises(MotFileError, match=words.replace("(", r"\(")):
        check_table(GOOD.assign(**change), length=2)
    check_table(GOOD, length=2)


def test_a_table_without_a_column():
    with pytest.raises(MotFileError, match="no column w"):
        check_table(GOOD.drop(columns="w"))


# ---------------------------------------------------------------------------------------------------- seqinfo.ini

SEQINFO = "[Sequence]\nname=A\nimDir=img1\nframeRate=30\nseqLength=60\nimWidth=1920\nimHeight=1080\nimExt=.jpg\n"


def test_seqinfo(tmp_path):
    path = tmp_path / "seqinfo.ini"
    path.write_text("\ufeff" + SEQINFO, encoding="utf-8")
    for given_path in (path, tmp_path):
        info = read_seqinfo(given_path)
        assert (info.name, info.image_dir, info.frame_rate, info.length) == ("A", "img1", 30.0, 60)
        assert (info.width, info.height, info.extension) == (1920, 1080, ".jpg")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("seqLength=60\n", "", "no seqLength"),
        ("seqLength=60", "seqLength=sixty", "seqLength='sixty'"),
        ("seqLength=60", "seqLength=0", "above 0"),
        ("seqLength=60", "seqLength=60.5", "whole number"),
        ("seqLength=60", "seqLength=1e300", "more than any sequence"),
        ("name=A", "name=A" + "A" * 2**20, "more than 1 MiB"),
        ("frameRate=30", "frameRate=-1", "above 0"),
        ("[Sequence]", "[Other]", r"no section \[Sequence\]"),
        ("[Sequence]\n", "", "not an ini file"),
        ("imWidth=1920", "imWidth", "not an ini file"),
    ],
)
def test_broken_seqinfo(tmp_path, old, new, words):
    path = tmp_path / "seqinfo.ini"
    path.write_text(SEQINFO.replace(old, new))
    with pytest.raises(MotFileError, match=words) as error:
        read_seqinfo(path)
    assert str(path) in str(error.value)


def test_seqinfo_missing(tmp_path):
    with pytest.raises(MotFileError, match=r"seqinfo.ini is missing"):
        read_seqinfo(tmp_path)


def test_columns_that_nobody_reads_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("1,1,394,9,20,1,30,40,1,-1,-1,-1\n")
    with pytest.warns(FairMOTLabWarning, match=r"a\.txt has 12 columns.*after the 10th are not read.*points"):
        read_mot(path)


def test_the_record_of_a_run_names_the_classes_of_its_results(tmp_path):
    (tmp_path / "S.txt").write_text("1,7,10,20,30,60,0.9,0,-1,-1\n1,8,90,20,30,60,0.9,2,-1,-1\n")
    truth = pd.DataFrame({"frame": 1, "id": [1, 2], "x": [10.0, 90.0], "y": 20.0, "w": 30.0, "h": 60.0})
    truth = truth.assign(conf=1.0, class_id=[1, 2])
    truth.attrs = {"sequence": "S", "classes": {1: "pedestrian", 2: "car"}}
    for record in ("", "[1]", '{"classes": {"0": "pedestrian"}}', '{"tracker": "jde", "classes": {"x": "y"}}'):
        (tmp_path / "S.json").write_text(record)  # of somebody else, or broken
        assert "classes" not in read_mot(tmp_path / "S.txt").attrs
    (tmp_path / "S.json").write_text('{"tracker": "jde", "classes": {"0": "pedestrian", "2": "car"}}')
    assert read_mot(tmp_path / "S.txt").attrs["classes"] == {0: "pedestrian", 2: "car"}
    for classes in (["pedestrian", "car"], [1, 2]):  # numbers are those of the ground truth
        result = fl.evaluate(tmp_path / "S.txt", truth, classes=classes)
        assert result.per_class["mota"].tolist() == [1.0] * 4, "each class, AVERAGE, OVERALL"
