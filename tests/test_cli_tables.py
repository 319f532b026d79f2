"""What commands and results print fits the terminal, and progress does not fill logs."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import fairmot_lab as fl
from fairmot_lab._progress import progress_bar
from fairmot_lab._terminal import wrapped
from fairmot_lab.cli.main import main
from fairmot_lab.evaluation.tables import aligned

TABLE = pd.DataFrame({"sequence": ["MOT17-09-FRCNN", "OVERALL"], "mota": [0.5, 0.7512], "idf1": 1.0, "num_misses": 7})


def test_a_table_that_fits_has_one_block() -> None:
    assert aligned(TABLE, ["sequence", "mota", "idf1", "absent", "num_misses"]).splitlines() == [
        "sequence        MOTA   IDF1  FN",
        "MOT17-09-FRCNN  50.0  100.0   7",
        "OVERALL         75.1  100.0   7",
    ]


def test_columns_without_room_follow_below_the_same_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "28")
    text = aligned(TABLE, ["sequence", "mota", "idf1", "num_misses"])
    assert text.splitlines() == [
        "sequence        MOTA   IDF1",
        "MOT17-09-FRCNN  50.0  100.0",
        "OVERALL         75.1  100.0",
        "sequence        FN",
        "MOT17-09-FRCNN   7",
        "OVERALL          7",
    ]
    assert wrapped("one two three four five six", "    ").splitlines() == ["one two three four five six"]
    monkeypatch.setenv("COLUMNS", "14")
    assert wrapped("one two three four", "    ").splitlines() == ["one two three", "    four"]


def test_results_print_in_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    scene = fl.example()
    trackers = {name: fl.track(scene.detections, name) for name in ("jde", "bytetrack")}
    result = fl.evaluate(trackers["jde"], scene.ground_truth)
    printed = {
        "evaluation": result,
        "comparison": fl.compare(trackers, scene.ground_truth),
        "budget": fl.error_budget(result, scene.detections, "jde"),
        "person": fl.person(result, 1, scene.detections, "jde"),
        "detections": fl.evaluate_detections(scene.detections, scene.ground_truth),
    }
    widths = {name: max(map(len, str(one).splitlines())) for name, one in printed.items()}
    assert {name: width for name, width in widths.items() if width > 80} == {}
    assert "-0.0" not in str(printed["budget"]).split()


def test_a_log_gets_few_lines_of_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    assert sum(progress_bar(range(1000))) == 499500
    assert len(log.getvalue().split("\r")) <= 4


@pytest.mark.skipif(os.name == "nt", reason="pipes end otherwise there")
def test_a_reader_that_has_enough_is_no_error() -> None:
    command = [sys.executable, "-m", "fairmot_lab", "models", "list"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), said) == (141, "")


@pytest.mark.parametrize("option", [["--classes", "7"], ["--evaluator", "trackeval"], ["--format", "latex"]])
def test_all_protocols_side_by_side_refuse_what_they_do_not_show(
    option: list[str], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    path = fl.write_mot(fl.example().tracks, tmp_path / "crossing.txt")
    arguments = ["evaluate", "--compare", "--gt", str(path), "--results", str(path)]
    assert main([*arguments, *option]) == 2
    assert f"leave out {option[0]}" in capsys.readouterr().err
