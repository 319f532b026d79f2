"""What a workbench offers beside looking, each by mouse and keyboard: corrections, settings, heatmap, range, export."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fairmot_lab as fl
from fairmot_lab.formats.cvat import read_cvat

from . import lab

CELL = """
import os, ipywidgets
bench = None
area = ipywidgets.VBox()
area
"""
MADE = "fl.widgets.Workbench(frames, tracks={{'A': tracks, 'B': tracks}}, detections=detections, ground_truth={truth})"


@pytest.fixture(scope="module")
def book(notebook: Callable[..., lab.Notebook]) -> lab.Notebook:
    return notebook([CELL], size=(1400, 900))


@pytest.fixture
def bench(book: lab.Notebook, request: pytest.FixtureRequest) -> Iterator[lab.Notebook]:
    """A new workbench; with `indirect` the expression of its ground truth."""
    truth = getattr(request, "param", "truth")
    assert book.kernel(f"bench = {MADE.format(truth=truth)}; area.children = [bench]; print(bench.error)").strip() == ""
    book.until("() => document.querySelector('.fml-screen')?.dataset.frame !== undefined")
    yield book
    book.kernel("area.children = []; bench.close()")
    book.until("() => document.querySelectorAll('.fml').length === 0")
    assert book.take_errors() == []


def pane(book: lab.Notebook, name: str) -> None:
    book.page.locator(".fml-panes .lm-TabBar-tab", has_text=name).click()
    assert book.wait_kernel(f"print({name!r} in bench.panes, bench.error)", "True") == "True"


def field(book: lab.Notebook, label: str, value: object) -> None:
    box = book.page.locator(".fml-panes .widget-inline-hbox", has_text=label).locator("input").first
    box.fill(str(value))
    box.press("Enter")


def press(book: lab.Notebook, name: str) -> None:
    book.page.locator(".fml-panes").get_by_role("button", name=name, exact=True).click()


def picture(book: lab.Notebook) -> str:
    return book.page.evaluate("() => document.querySelector('.fml-screen').toDataURL()")


def other_picture(book: lab.Notebook, before: str) -> str:
    book.until("old => document.querySelector('.fml-screen').toDataURL() !== old", before)
    return picture(book)


def test_every_correction_is_made_undone_and_made_again(bench: lab.Notebook) -> None:
    pane(bench, "Correct")
    bench.kernel("bench.player.frame = 10; made = lambda: bench.tracks['A corrected']")
    steps = [  # button, ids, what holds afterwards
        ("Swap from here", 1, 2, "len(bench.evaluations['A corrected'].switches) == 0"),
        ("Split here", 1, None, "sorted(set(made()[made().frame >= 10].id)) == [2, 3, 4, 5]"),
        ("Merge", 1, 5, "sorted(set(made().id)) == [1, 2, 3, 4]"),
        ("Rename", 3, 33, "sorted(set(made().id)) == [1, 2, 4, 33]"),
        ("Delete", 33, None, "sorted(set(made().id)) == [1, 2, 4]"),
    ]
    for button, first, second, wanted in steps:
        field(bench, "track", first)
        if second is not None:
            field(bench, "other", second)
        press(bench, button)
        assert bench.wait_kernel(f"print({wanted}, bench.panes['Correct'].error)", "True") == "True", button
    for *_, wanted in reversed(steps[:-1]):
        press(bench, "Undo")
        assert bench.wait_kernel(f"print({wanted})", "True") == "True"
    press(bench, "Undo")
    assert bench.wait_kernel("print(len(bench.evaluations['A corrected'].switches))", "2") == "2"
    press(bench, "Redo")
    assert bench.wait_kernel("print(len(bench.evaluations['A corrected'].switches))", "0") == "0"
    bench.page.locator(".fml-chip-tracker", has_text="A corrected").get_by_text("IDs 0").wait_for()  # metrics follow
    assert (
        bench.kernel("print(len(tracks[tracks.id == 3]), len(bench.tracks['A']) == len(tracks))").strip() == "20 True"
    )
    field(bench, "track", 77)
    press(bench, "Delete")
    bench.page.locator(".fml-panes .fml-error", has_text="There is no track 77.").wait_for()


@pytest.mark.parametrize("name", ["fixed.txt", "fixed.zip"], ids=["MOT txt", "CVAT"])
def test_corrections_are_saved_and_read_back(bench: lab.Notebook, tmp_path: Path, name: str) -> None:
    pane(bench, "Correct")
    field(bench, "track", 3)
    press(bench, "Delete")
    assert bench.wait_kernel("print('A corrected' in bench.tracks)", "True") == "True"
    path = tmp_path / name
    field(bench, "file", path)
    press(bench, "Save")
    bench.page.get_by_text(f"Saved as {path}.").wait_for()
    read = read_cvat(path) if name.endswith(".zip") else fl.read_mot(path)
    rows = bench.kernel("print(bench.tracks['A corrected'][['frame', 'id', 'x', 'y', 'w', 'h']].values.tolist())")
    columns = ["frame", "id", "x", "y", "w", "h"]
    ours = read[columns].sort_values(["frame", "id"]).to_numpy(float)
    np.testing.assert_allclose(ours, np.array(sorted(eval(rows))), atol=0.01)
    press(bench, "Save")  # nothing is overwritten
    bench.page.locator(".fml-panes .fml-error", has_text="exists and is not overwritten").wait_for()


def test_the_best_settings_are_chosen_on_one_half(bench: lab.Notebook) -> None:
    pane(bench, "Settings")
    assert bench.kernel("lab = bench.panes['Settings']; print(lab.wait_curves())").strip() == "True"
    bench.page.locator(".fml-curve svg").first.wait_for()
    ends = bench.page.evaluate(  # a value stands below its place on the slider
        """() => ['.noUi-base', '.fml-curve svg'].map(part => {
            const box = document.querySelector(`.fml-panes ${part}`).getBoundingClientRect();
            return [box.left, box.right];
        })"""
    )
    np.testing.assert_allclose(*ends, atol=3)
    before = bench.page.locator(".fml-panes", has_text="Best so far").inner_text()
    assert "on the second half" not in before
    choose = lambda label, value: (  # noqa: E731
        bench.page.locator(".fml-panes .widget-dropdown", has_text=label).locator("select").select_option(value)
    )
    choose("chosen on", "first half")
    choose("best by", "fewest ID switches")
    bench.page.locator(".fml-panes .fml", has_text="on the second half MOTA").first.wait_for()
    assert bench.kernel("print(lab.wait_curves())").strip() == "True"
    field(bench, "IDF1", 100)
    field(bench, "IDF1", 50)
    assert bench.wait_kernel("print(lab.best() is not None, lab._least.value)", "True 50.0") == "True 50.0"
    press(bench, "Take the best")
    same = "print(lab.best().tracker.settings == lab.tracker.settings or lab._around is not lab.tracker, lab.error)"
    assert bench.wait_kernel(same, "True") == "True"
    # metrics above the sliders follow the hand, and the tracks can be looked at
    handle = bench.page.locator(".fml-panes .widget-slider", has_text="conf_thres").first.locator(".noUi-handle")
    line = bench.page.locator(".fml-now-line")
    told = line.inner_text()
    handle.focus()
    bench.page.keyboard.press("End")  # no detection has such a score
    bench.until("old => document.querySelector('.fml-now-line').innerText !== old", told)
    press(bench, "Show in the player")
    bench.page.locator(".fml-chip-tracker", has_text="A with other settings").wait_for()
    assert bench.wait_kernel("print(bench.name)", "A with other settings") == "A with other settings"


@pytest.mark.parametrize("bench", ["False"], indirect=True, ids=["no ground truth"])
def test_without_ground_truth_tracks_are_followed_and_counted(bench: lab.Notebook) -> None:
    assert bench.page.locator(".fml-panes .lm-TabBar-tab").all_inner_texts() == [
        *("People", "Heatmap", "ReID", "Association", "Settings", "Correct")
    ]
    search = bench.page.locator(".fml-people input[type=search]")
    search.fill("3")
    bench.until("() => document.querySelectorAll('.fml-person').length === 1")
    bench.page.locator(".fml-person").click()
    bench.page.locator(".fml-caption", has_text="Track 3 · 20 frames").wait_for()
    pane(bench, "Settings")
    table = ".fml-panes .fml-tableview"
    rows = f"() => [...document.querySelectorAll('{table} tbody tr')].map(r => r.cells[0].innerText)"
    assert bench.page.evaluate(rows) == ["tracks", "median length (frames)", "gaps", "ends in mid-image"]
    handle = bench.page.locator(".fml-panes .widget-slider", has_text="conf_thres").first.locator(".noUi-handle")
    handle.focus()
    bench.page.keyboard.press("End")  # no detection has such a score
    bench.until(f"() => document.querySelectorAll('{table} td')[2].innerText === '0'")


def test_settings_that_contradict_each_other_are_marked(bench: lab.Notebook) -> None:
    bench.kernel("bench._tracker = fl.get_tracker('ppdet_byte')")
    pane(bench, "Settings")
    assert bench.kernel("print(bench.panes['Settings'].wait_curves())").strip() == "True"
    bench.until(
        "() => document.querySelector('.fml-curve rect title')?.textContent === 'contradicts the other settings'"
    )


def test_the_heatmap_is_turned_by_hand(bench: lab.Notebook) -> None:
    grey = picture(bench)
    pane(bench, "Heatmap")
    seen = other_picture(bench, grey)
    for slider, key, trait in (
        ("gamma", "ArrowRight", "overlay_gamma"),
        ("threshold", "ArrowLeft", "overlay_floor"),  # the contour moves
        ("opacity", "ArrowLeft", "overlay_opacity"),
    ):
        before = bench.kernel(f"print(bench.player.{trait})")
        bench.page.locator(".fml-panes .widget-slider", has_text=slider).locator(".noUi-handle").focus()
        for _ in range(10):
            bench.page.keyboard.press(key)
        seen = other_picture(bench, seen)
        assert bench.kernel(f"print(bench.player.{trait})") != before
    bench.page.locator(".fml-panes .widget-dropdown", has_text="colours").locator("select").select_option("turbo")
    seen = other_picture(bench, seen)
    for button, mode in (("map only", "heat"), ("side by side", "beside"), ("overlay", "overlay")):
        bench.page.locator(".fml-player").get_by_role("button", name=button, exact=True).click()
        assert bench.wait_kernel("print(bench.player.overlay_mode)", mode) == mode
        seen = other_picture(bench, seen)
    bench.page.locator(".fml-panes .lm-TabBar-tab", has_text="People").click()
    other_picture(bench, seen)
    assert bench.wait_kernel("print(bench.player.overlay is None)", "True") == "True"


def test_others_fade_and_a_life_is_played(bench: lab.Notebook) -> None:
    player = bench.page.locator(".fml-player")
    player.focus()
    seen = picture(bench)
    for focus in ("only", "all", "fade"):
        bench.page.keyboard.press("o")
        assert bench.wait_kernel("print(bench.player.focus)", focus) == focus
        seen = other_picture(bench, seen)
    names = "() => [...document.querySelectorAll('.fml-lane-names div')].map(e => e.innerText)"
    lane = bench.kernel("print(f'person {bench.player.selected_gt_id}')").strip()
    assert bench.page.evaluate(names)[-1] == lane
    bench.page.locator(".fml-people").get_by_role("button", name="Clip").click()
    assert bench.wait_kernel("print(bench.player.range)", "[1, 20]") == "[1, 20]"
    bench.page.locator(".fml-decisions tr[data-frame], .fml-decisions tbody tr").first.click()
    frame = bench.page.locator(".fml-decisions tbody tr").first.locator("td").first.inner_text()
    assert bench.wait_kernel("print(bench.player.frame)", frame) == frame


def test_the_page_of_the_whole_is_exported(bench: lab.Notebook, offline: Any, tmp_path: Path) -> None:
    bench.kernel(f"back = os.getcwd(); os.chdir({str(tmp_path)!r})")
    bench.page.locator(".fml-player .fml-export").select_option("html")
    bench.page.locator(".fml-readout", has_text="Written: arrays-Workbench.html").wait_for()
    bench.kernel("os.chdir(back)")
    with lab.offline_page(offline, tmp_path / "arrays-Workbench.html") as page:
        page.locator(".fml-chip-tracker", has_text="B").click()
        page.locator(".fml-person").nth(1).click()
        page.locator(".fml-player").focus()
        page.keyboard.press("End")
        page.wait_for_function("() => document.querySelector('.fml-screen')?.dataset.frame === '20'")


def test_a_low_output_view_shows_the_whole_player(book: lab.Notebook) -> None:
    """JupyterLab's view of one output, some 200 pixels high: the picture comes first."""
    book.kernel("player = fl.widgets.TrackPlayer(frames, tracks=tracks, ground_truth=truth); area.children = [player]")
    book.until("() => document.querySelector('.fml-screen')?.dataset.frame !== undefined")
    book.page.set_viewport_size({"width": 1400, "height": 820})
    book.page.evaluate("window.jupyterapp.shell.currentWidget.content.activeCellIndex = 1")
    book.command("notebook:create-output-view")
    book.until(
        """() => {
            const player = document.querySelectorAll('.fml-player')[1], view = player?.closest('.jp-LinkedOutputView');
            if (!view || player.querySelector('.fml-screen').dataset.frame === undefined) return false;
            const box = player.getBoundingClientRect(), place = view.getBoundingClientRect();
            const stage = player.querySelector('.fml-stage'), button = player.querySelector('.fml-primary');
            const shown = stage.offsetHeight > 85 && button.offsetHeight > 0;
            return place.height < 270 && shown && box.bottom <= place.bottom + 1;
        }"""
    )
    book.page.locator(".lm-TabBar-tab", has_text="Output View").locator(".lm-TabBar-tabCloseIcon").click()
    book.page.set_viewport_size({"width": 1400, "height": 900})
    book.until("() => document.querySelectorAll('.fml-screen').length === 1")
    book.kernel("area.children = []; player.close()")
    assert book.take_errors() == []
