"""`check_data` on small made-up trees, each with one thing wrong, and on the real ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fairmot_lab import check_data
from fairmot_lab.cli.main import main
from fairmot_lab.errors import SourceError
from fairmot_lab.formats.motchallenge import BENCHMARKS
from fairmot_lab.sources.data_check import describe


def make_sequence(
    folder: Path, *, length: int = 3, images: int | None = None, truth: bool = True, size: tuple[int, int] = (64, 48)
) -> Path:
    """A sequence of two people, one a distractor, in black frames."""
    (folder / "det").mkdir(parents=True)
    (folder / "seqinfo.ini").write_text(
        f"[Sequence]\nname={folder.name}\nimDir=img1\nframeRate=25\nseqLength={length}\n"
        "imWidth=64\nimHeight=48\nimExt=.jpg\n"
    )
    (folder / "det" / "det.txt").write_text("".join(f"{f},-1,5,5,10,20,0.9\n" for f in range(1, length + 1)))
    if truth:
        (folder / "gt").mkdir()
        rows = [f"{f},1,5,5,10,20,1,1,1\n{f},2,30,5,10,20,0,8,1\n" for f in range(1, length + 1)]
        (folder / "gt" / "gt.txt").write_text("".join(rows))
    images = length if images is None else images
    if images:
        (folder / "img1").mkdir()
        for number in range(1, images + 1):
            Image.new("RGB", size).save(folder / "img1" / f"{number:06d}.jpg")
    return folder


def row_of(table: pd.DataFrame, sequence: str) -> pd.Series:
    (row,) = [row for _, row in table.iterrows() if row.sequence == sequence]
    return row


def remarks(folder: Path, sequence: str) -> str:
    row = row_of(check_data(folder), sequence)
    assert row.state == "odd"
    return row.remarks


def test_a_good_sequence_of_ones_own(tmp_path: Path) -> None:
    make_sequence(tmp_path / "street")
    row = row_of(check_data(tmp_path), "street")
    assert (row.benchmark, row.split, row.state, row.remarks) == ("own", "", "complete", "")
    assert (row.length, row.images, row.people, row.ground_truth, row.detections) == (3, 3, 1, 6, 3)


def test_the_folder_may_be_the_sequence_itself(tmp_path: Path) -> None:
    assert check_data(make_sequence(tmp_path / "street")).sequence.tolist() == ["street"]


def test_labels_without_frames(tmp_path: Path) -> None:
    make_sequence(tmp_path / "street", images=0)
    assert row_of(check_data(tmp_path), "street").state == "labels only"


@pytest.mark.parametrize(
    ("break_it", "sentence"),
    [
        (lambda s: (s / "img1/000002.jpg").unlink(), "2 images for 3 frames | no image for frame 2"),
        (lambda s: shutil.copy(s / "img1/000003.jpg", s / "img1/000004.jpg"), "4 images for 3 frames"),
        (lambda s: (s / "img1/000003.jpg").write_bytes(b"\xff\xd8 cut"), "000003.jpg cannot be read"),
        (lambda s: Image.new("RGB", (64, 49)).save(s / "img1/000003.jpg"), "is 64x49, seqinfo.ini says 64x48"),
        (lambda s: (s / "img1/notes.txt").write_text("x"), "1 file in img1 that are not images"),
        (lambda s: (s / "img1/000002.jpg").rename(s / "img1/b.jpg"), "not all plain frame numbers"),
        (lambda s: (s / "img1/000002.jpg").rename(s / "img1/000002.png"), "do not all end with .jpg"),
        (lambda s: [p.unlink() for p in (s / "img1").iterdir()], "img1 is empty"),
        (lambda s: (s / "seqinfo.ini").unlink(), "no seqinfo.ini"),
        (lambda s: (s / "seqinfo.ini").write_text("[Sequence]\nname=street\n"), "seqinfo.ini"),
        (lambda s: (s / "gt/gt.txt").write_text("4,1,5,5,10,20,1,1,1\n"), "gt.txt, line 1"),
        (lambda s: (s / "gt/gt.txt").unlink(), "no gt/gt.txt"),
        (lambda s: (s / "det/det.txt").write_text("1,-1,5,5,0,20,0.9\n"), "det.txt, line 1"),
        (lambda s: (s / "det/det.txt").write_text(""), "det.txt is empty"),
    ],
)
def test_what_is_odd_is_said(tmp_path: Path, break_it, sentence: str) -> None:
    break_it(make_sequence(tmp_path / "street"))
    assert sentence in remarks(tmp_path, "street")


def test_a_name_that_is_not_the_folders(tmp_path: Path) -> None:
    make_sequence(tmp_path / "street").rename(tmp_path / "road")
    assert "seqinfo.ini names it street" in remarks(tmp_path, "road")


def test_a_benchmark_knows_its_lengths_and_what_is_missing(tmp_path: Path) -> None:
    make_sequence(tmp_path / "MOT20" / "train" / "MOT20-01")
    table = check_data(tmp_path)
    assert "says 3 frames, the benchmark has 429" in row_of(table, "MOT20-01").remarks
    assert table.sequence[table.state == "missing"].tolist() == ["MOT20-02", "MOT20-03", "MOT20-05"]
    assert table.attrs["notes"] == [
        "MOT15: nothing found",
        "MOT16: nothing found",
        "MOT17: nothing found",
        "MOT20 test: nothing found",
    ]


def test_test_sequences_have_no_ground_truth(tmp_path: Path) -> None:
    make_sequence(tmp_path / "test" / "TUD-Crossing", length=201, images=0, truth=False)
    make_sequence(tmp_path / "test" / "Venice-1", length=450, images=0)
    table = check_data(tmp_path)
    first, second = row_of(table, "TUD-Crossing"), row_of(table, "Venice-1")
    assert (first.benchmark, first.split, first.state) == ("MOT15", "test", "labels only")
    assert "no ground truth: it is a test sequence" in first.remarks
    assert second.state == "odd"
    assert "keeps to itself" in second.remarks


def test_a_sequence_in_the_wrong_split(tmp_path: Path) -> None:
    make_sequence(tmp_path / "train" / "TUD-Crossing", length=201, images=0, truth=False)
    assert "belongs to test, not train" in remarks(tmp_path, "TUD-Crossing")


def test_copies_share_frames_and_must_agree(tmp_path: Path) -> None:
    for copy in ("DPM", "FRCNN", "SDP"):
        make_sequence(tmp_path / f"MOT17-09-{copy}", length=525, images=525 if copy == "SDP" else 0)
    table = check_data(tmp_path)
    assert table.state[table.state != "missing"].tolist() == ["labels only", "labels only", "complete"]
    assert row_of(table, "MOT17-09-DPM").remarks == "its frames lie in MOT17-09-SDP"
    assert any("1 video in three copies" in note for note in table.attrs["notes"])
    other = tmp_path / "MOT17-09-DPM" / "gt" / "gt.txt"
    other.write_text(other.read_text().replace("1,1,5,", "1,1,6,"))
    assert "differs between the copies of MOT17-09" in remarks(tmp_path, "MOT17-09-DPM")


def test_the_same_sequence_twice(tmp_path: Path) -> None:
    make_sequence(tmp_path / "a" / "street")
    make_sequence(tmp_path / "b" / "street")
    table = check_data(tmp_path)
    assert table.state.tolist() == ["complete", "odd"]
    assert "also found in" in table.remarks[1]


def test_archives_and_leftovers(tmp_path: Path) -> None:
    (tmp_path / "MOT17.zip").write_bytes(b"PK")
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / ".hidden" / "img1").mkdir(parents=True)
    table = check_data(tmp_path)
    assert table.empty
    assert "MOT17.zip is not unpacked" in table.attrs["notes"][0]
    assert "__MACOSX is left over" in table.attrs["notes"][1]
    assert describe(table)[0] == "no sequences found"


def test_no_folder_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SourceError, match="is not a folder"):
        check_data(tmp_path / "nothing")
    assert main(["data", "check", str(tmp_path / "nothing")]) == 2
    streams = capsys.readouterr()
    assert (streams.out, streams.err.count("\n")) == ("", 1)


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_sequence(tmp_path / "data" / "street")
    assert main(["data", "check", str(tmp_path / "data"), "--csv", str(tmp_path / "found.csv")]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "own: 1 sequence, 1 with frames, 1 with ground truth, 1 with public detections"
    assert " ".join(out[1].split()) == "street complete 3 frames, 3 images, 1 person"
    assert pd.read_csv(tmp_path / "found.csv").sequence.tolist() == ["street"]


def test_benchmarks_have_the_published_sizes() -> None:
    """Sequences and frames as https://motchallenge.net lists them: train, then test."""
    sizes = {b.name: [len(b.train), sum(b.train.values()), len(b.test), sum(b.test.values())] for b in BENCHMARKS}
    assert sizes == {
        "MOT15": [11, 5500, 11, 5783],
        "MOT16": [7, 5316, 7, 5919],
        "MOT17": [21, 15948, 21, 17757],
        "MOT20": [4, 8931, 4, 4479],
    }


def test_real_data(real_data: Path) -> None:
    table = check_data(real_data)
    assert (table.state != "odd").all()
    mot17 = table[table.benchmark == "MOT17"]
    assert len(mot17) == 21
    # the published numbers of people in the training videos
    people = {"02": 62, "04": 83, "05": 133, "09": 26, "10": 57, "11": 75, "13": 110}
    assert all(people[name.split("-")[1]] == count for name, count in zip(mot17.sequence, mot17.people, strict=True))
    assert row_of(table, "MOT17-09-SDP").state == "complete"
    assert row_of(table, "TUD-Stadtmitte").people == 10
    assert np.all(mot17.state[mot17.sequence != "MOT17-09-SDP"] == "labels only")


def test_labels_of_a_part_and_columns_that_mean_something_else_are_remarked(tmp_path):
    folder = tmp_path / "street"
    (folder / "gt").mkdir(parents=True)
    info = "[Sequence]\nname=street\nframeRate=25\nseqLength=30\nimWidth=640\nimHeight=400\n"
    (folder / "seqinfo.ini").write_text(info)
    rows = [
        f"{frame},{who},{100 * who},50,30,80,{'0.5' if who == 2 else '1'},1,-1"
        for frame in range(1, 11)
        for who in (1, 2)
    ]
    (folder / "gt" / "gt.txt").write_text("\n".join(rows) + "\n")
    found = check_data(tmp_path).iloc[0]
    assert (found["state"], found["people"], found["ground_truth"]) == ("odd", 1, 20)
    assert "conf (column 7) lies between 0 and 1 in 10 of 20 rows" in found["remarks"]
    assert "no ground truth in 20 of 30 frames, from frame 11 on" in found["remarks"]
    (folder / "gt" / "labels.txt").write_text("car\nperson\n")
    found = check_data(tmp_path).iloc[0]
    assert found["benchmark"] == "CVAT MOT 1.1"
