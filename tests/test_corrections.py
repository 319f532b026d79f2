"""Identities corrected by hand, and what is written of them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from browser import scene

import fairmot_lab as fl
from fairmot_lab.errors import ViewError
from fairmot_lab.widgets import Corrections


@pytest.fixture
def truth() -> pd.DataFrame:
    return scene.ground_truth()


@pytest.fixture
def swapped(truth: pd.DataFrame) -> pd.DataFrame:
    return scene.tracks_with_swap(truth, 10)


def test_a_swap_is_taken_back_and_the_metrics_follow(truth: pd.DataFrame, swapped: pd.DataFrame) -> None:
    before = swapped.copy()
    corrections = Corrections(swapped)
    assert fl.evaluate(corrections.table, truth).overall["num_switches"] == 2
    corrections.swap(1, 2, 10)
    assert fl.evaluate(corrections.table, truth).overall["num_switches"] == 0
    pd.testing.assert_frame_equal(swapped, before)  # what was given is not changed
    corrections.undo()
    pd.testing.assert_frame_equal(corrections.table, before)
    corrections.redo()
    assert corrections.log == ["tracks 1 and 2 swapped from frame 10 on"]


def test_split_merge_rename_and_delete(swapped: pd.DataFrame) -> None:
    corrections = Corrections(swapped)
    new = corrections.split(3, 8)
    assert new == 5
    frames = corrections.table.groupby("id")["frame"].agg(["min", "max"])
    assert frames.loc[3].tolist() == [1, 7]
    assert frames.loc[5].tolist() == [8, 20]
    corrections.merge(3, 5)
    assert set(corrections.table["id"]) == {1, 2, 3, 4}
    corrections.rename(3, 30)
    corrections.delete(4)
    assert set(corrections.table["id"]) == {1, 2, 30}
    for _ in range(4):
        corrections.undo()
    pd.testing.assert_frame_equal(corrections.table, swapped)
    corrections.delete(1)  # what was taken back is gone now
    corrections.redo()
    assert corrections.log == ["track 1 deleted"]


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda c: c.merge(1, 2), "both in frame 1 (20 in all), so they are two people"),
        (lambda c: c.merge(1, 1), "cannot be merged with itself"),
        (lambda c: c.split(1, 1), "has no boxes on both sides of frame 1"),
        (lambda c: c.rename(1, 2), "There is a track 2 already"),
        (lambda c: c.rename(1, 0), "An id must be at least 1"),
        (lambda c: c.delete(77), "There is no track 77"),
        (lambda c: c.save(""), "has no name"),
    ],
)
def test_what_cannot_be_done_is_said(swapped: pd.DataFrame, act, said: str) -> None:
    corrections = Corrections(swapped)
    with pytest.raises(ViewError) as error:
        act(corrections)
    assert said in str(error.value)
    assert corrections.log == []


def test_corrected_tracks_are_written_and_nothing_is_overwritten(swapped: pd.DataFrame, tmp_path: Path) -> None:
    corrections = Corrections(swapped)
    corrections.swap(1, 2, 10)
    path = corrections.save(tmp_path / "corrected.txt")
    again = fl.read_mot(path)
    assert (again[["frame", "id"]].to_numpy() == corrections.table[["frame", "id"]].to_numpy()).all()
    with pytest.raises(ViewError, match="exists and is not overwritten"):
        corrections.save(path)
    assert corrections.save(tmp_path / "corrected.zip").stat().st_size > 100


def test_the_workbench_shows_corrections_as_a_tracker_of_their_own(truth: pd.DataFrame, swapped: pd.DataFrame) -> None:
    bench = fl.widgets.Workbench(scene.images(truth), tracks={"A": swapped}, ground_truth=truth)
    bench._tabs.selected_index = bench._tabs.titles.index("Correct")
    panel = bench.panes["Correct"]
    assert (panel._first.value, panel._second.value) == (2, 1)  # of the switch on show
    bench.player.frame = 10
    next(b for b in panel.children[2].children if b.description == "Swap from here").click()
    assert panel.error == ""
    assert list(bench.tracks) == ["A", "A corrected"]
    assert bench.player.trackers == ["A", "A corrected"]
    assert bench.player.tracker == 1
    assert "IDs 0" in bench.bar.chips[1]["metrics"]
    next(b for b in panel.children[1].children if b.description == "Undo").click()
    assert "IDs 2" in bench.bar.chips[1]["metrics"]
    next(b for b in panel.children[2].children if b.description == "Merge").click()
    assert "so they are two people" in panel.error
    bench.close()
