"""The views that are built of several parts, in a real JupyterLab: what they show is what the library says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from . import lab

AREA = "import ipywidgets\narea = ipywidgets.VBox()\narea"
MAKE = {
    "heatmap": "fl.widgets.HeatmapInspector(frames, detections=detections)",
    "embeddings": "fl.widgets.EmbeddingExplorer(frames, detections=detections, ground_truth=truth, min_score=0.1)",
    "thresholds": "fl.widgets.ThresholdLab(frames, detections=detections, ground_truth=truth)",
    "switches": "fl.widgets.SwitchBrowser(frames, evaluation=fl.evaluate(tracks, truth), detections=detections)",
    "budget": "fl.widgets.BudgetBrowser(frames, evaluation=fl.evaluate(fl.track(detections, 'jde'), truth), "
    "detections=detections)",
    "association": "fl.widgets.AssociationInspector(frames, detections=detections, frame=5)",
}


@pytest.fixture(scope="module")
def book(notebook: Callable[..., lab.Notebook]) -> lab.Notebook:
    return notebook([AREA])


@pytest.fixture(autouse=True)
def clean(book: lab.Notebook) -> Iterator[None]:
    yield
    book.kernel("area.children = []; w.close()")
    book.until("() => document.querySelectorAll('.fml').length === 0")
    assert book.take_errors() == []


def show(book: lab.Notebook, name: str) -> None:
    assert book.kernel(f"w = {MAKE[name]}; area.children = [w]; print(w.error)").strip() in (
        "",
        # the scene's tracks were not made by the tracker: SwitchBrowser says so and goes on
        book.kernel("print(w.error if isinstance(w, fl.widgets.SwitchBrowser) else '')").strip(),
    )
    book.until("() => document.querySelector('.fml-screen')?.dataset.frame !== undefined")


def frame_shown(book: lab.Notebook, frame: int, view: int = 0) -> None:
    book.until("([f, v]) => document.querySelectorAll('.fml-screen')[v]?.dataset.frame === String(f)", [frame, view])


def table(book: lab.Notebook, number: int = 0) -> list[list[str]]:
    return book.page.evaluate(
        """n => [...document.querySelectorAll('.fml-table')[n].tBodies[0].rows].map(
            row => [...row.cells].map(cell => cell.innerText))""",
        number,
    )


def test_heatmap_lists_its_peaks_and_reads_out_cells(book: lab.Notebook) -> None:
    show(book, "heatmap")
    book.until("() => document.querySelectorAll('.fml-table tbody tr').length === 4")
    rows = table(book)
    expected = json.loads(book.kernel("print(w.peaks.to_json(orient='records'))"))
    assert [float(row[1]) for row in rows] == pytest.approx([peak["score"] for peak in expected], abs=1e-3)
    assert [row[2] for row in rows] == ["yes", "yes", "yes", "no"]
    # The pointer on the best peak reads out its cell and its score.
    box = book.page.locator(".fml-screen").bounding_box()
    x, y = (expected[0]["x"] + expected[0]["w"] / 2) / 640, (expected[0]["y"] + expected[0]["h"] / 2) / 360
    book.page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
    readout = book.page.locator(".fml-readout").first
    book.until("() => document.querySelector('.fml-readout').innerText.includes('heatmap cell')")
    assert f"cell {expected[0]['cell_x']}, {expected[0]['cell_y']}: {expected[0]['score']:.4f}" in readout.inner_text()
    # A lower threshold lets the fourth peak pass, in the list and in the picture.
    handle = book.page.locator(".widget-slider .noUi-handle").first
    handle.focus()
    for _ in range(6):
        book.page.keyboard.press("ArrowLeft")
    book.until("() => document.querySelectorAll('.fml-table td')[3 * 9 + 2].innerText === 'yes'")
    assert float(book.kernel("print(w.threshold)")) == pytest.approx(0.34)
    book.page.locator(".fml-table tbody tr").nth(2).click()
    assert book.wait_kernel("print(w.selected_peak, w.player.active_peak)", "2 2") == "2 2"
    book.page.keyboard.press("ArrowDown")
    assert book.wait_kernel("print(w.selected_peak)", "3") == "3"


def test_a_slider_changes_the_figures_to_what_the_library_says(book: lab.Notebook) -> None:
    show(book, "thresholds")
    book.until("() => document.querySelectorAll('.fml-table tbody')[0]?.rows.length === 6")
    baseline = table(book)
    handle = book.page.locator(".widget-slider", has_text="conf_thres").first.locator(".noUi-handle")
    box = handle.bounding_box()
    track = book.page.locator(".widget-slider", has_text="conf_thres").first.locator(".noUi-target").bounding_box()
    book.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    book.page.mouse.down()
    book.page.mouse.move(track["x"] + track["width"] * 0.2, box["y"] + box["height"] / 2, steps=12)
    book.page.mouse.up()
    book.until("old => document.querySelector('.fml-table').innerText !== old", "\n".join(map("\t".join, baseline)))
    assert book.wait_kernel("w.wait(); print(w.tracker is w.candidate.tracker)", "True") == "True"
    library = json.loads(
        book.kernel(
            "print(fl.evaluate(fl.track(detections, w.tracker), truth).summary.iloc[-1]"
            "[['mota', 'idf1', 'hota', 'num_switches', 'num_false_positives', 'num_misses']].to_json())"
        )
    )
    book.until(
        "mota => Math.abs(parseFloat(document.querySelectorAll('.fml-table td')[2].innerText) - 100 * mota) < 0.06",
        library["mota"],
    )
    shown = [float(row[2]) for row in table(book)]
    percent = [value if name.startswith("num_") else 100 * value for name, value in library.items()]
    assert shown == pytest.approx(percent, abs=0.051)
    assert [row[5] for row in table(book)][:3] == ["better"] * 3
    assert "JDETracker(conf_thres=" in book.page.locator("code").first.inner_text()
    # Not every position of the hand was computed, or the work would lag behind it.
    assert int(book.kernel("print(w._work.computed)")) <= 13
    # Settings that contradict each other are said so in the panel, and the figures stay.
    made = MAKE["thresholds"].replace(")", ", tracker='ppdet_byte')")
    book.kernel(f"w = {made}; area.children = [w]")
    book.kernel("w.controls['low_conf_thres'].value = 0.9")
    book.page.locator(".fml-error", has_text="low_conf_thres is").first.wait_for(state="visible")


def test_settings_are_saved_and_read_again(book: lab.Notebook, tmp_path: Path) -> None:
    show(book, "thresholds")
    path = tmp_path / "tracker.json"
    book.kernel(f"w.tracker = fl.JDETracker(track_buffer=77); w.wait(); w._path.value = {str(path)!r}")
    book.page.get_by_role("button", name="Save as JSON").click()
    book.page.get_by_text(f"Saved as {path}").wait_for()
    assert book.kernel(f"print(fl.load_tracker({str(path)!r}).settings.track_buffer)").strip() == "77"
    book.page.get_by_role("button", name="Back to baseline").click()
    assert book.wait_kernel("print(w.tracker.to_dict() == fl.JDETracker().to_dict())", "True") == "True"


def test_the_two_players_of_the_lab_move_together(book: lab.Notebook) -> None:
    show(book, "thresholds")
    book.page.locator(".fml-player").first.focus()
    book.page.keyboard.press("ArrowRight")
    frame_shown(book, 2, view=0)
    frame_shown(book, 2, view=1)


def test_embeddings_link_points_people_and_matrix(book: lab.Notebook) -> None:
    show(book, "embeddings")
    book.until("() => document.querySelector('.fml-plane').dataset.points === '80'")
    text = book.page.locator(".fml-histogram .fml-words").inner_text()
    assert f"AUC {float(book.kernel('print(w.distances.auc)')):.4f}" in text
    book.page.locator(".fml-scatter").focus()
    book.page.keyboard.press("ArrowRight")  # the first point, then the same person later
    book.page.keyboard.press("ArrowRight")
    assert book.wait_kernel("print(w.frame, w.player.frame)", "2 2") == "2 2"
    frame_shown(book, 2)
    book.page.locator(".fml-tip").wait_for(state="visible")
    book.until("() => document.querySelector('.fml-tip img').naturalHeight === 88")
    book.page.locator(".fml-matrix").focus()
    book.page.keyboard.press("ArrowRight")
    shown = book.page.locator(".fml-matrix .fml-readout").inner_text()
    value = float(book.kernel("print(np.frombuffer(w.matrix.values, '<f4')[0])"))
    assert shown.startswith(f"detection 1 × detection 1: {value:.4f}")


def test_switches_are_picked_filtered_and_sorted(book: lab.Notebook) -> None:
    show(book, "switches")
    book.until("() => document.querySelectorAll('.fml-table tbody tr').length === 2")
    assert [row[0] for row in table(book)] == ["10", "10"]
    book.page.locator(".fml-error", has_text="The reasons of the ID switches are not known").wait_for(state="visible")
    book.page.locator(".fml-table tbody tr").nth(1).click()
    assert book.wait_kernel("print(w.selected, w.frame, w.player.selected_gt_id)", "1 10 2") == "1 10 2"
    frame_shown(book, 10)
    book.until("() => document.querySelectorAll('figure img').length === 4")
    distance = float(book.kernel("print(w.switches['distance'][1])"))
    assert (
        f"Cosine distance before to after: {distance:.3f}."
        in book.page.locator(".fml", has_text="becomes").first.inner_text()
    )
    book.page.locator(".fml-table th button", has_text="person").click()
    book.page.locator(".fml-table th button", has_text="person").click()
    book.until("() => document.querySelector('.fml-table th[aria-sort=descending]') !== null")
    assert [row[2] for row in table(book)] == ["2", "1"]
    book.page.locator(".fml-tableview input[type=search]").fill("nothing like this")
    book.until("() => document.querySelector('.fml-table').tBodies[0].rows.length === 0")


def test_an_error_of_the_budget_is_picked(book: lab.Notebook) -> None:
    show(book, "budget")
    book.until("() => document.querySelectorAll('.fml-table')[1]?.tBodies[0].rows.length === 20")
    assert table(book)[0][:3] == ["missed", "score too low", "20"]
    book.page.locator(".fml-table").nth(1).locator("tbody tr").nth(6).click()
    asked = "print(w.selected, w.player.frame, w.player.selected_gt_id)"
    assert book.wait_kernel(asked, "6 7 3") == "6 7 3"
    frame_shown(book, 7)
    book.page.locator(".fml", has_text="Score 0.35; conf_thres decides.").first.wait_for()


def test_a_cell_says_why(book: lab.Notebook) -> None:
    show(book, "association")
    matrix = book.page.locator(".fml-matrix").first
    matrix.focus()
    book.page.keyboard.press("Enter")
    reason = matrix.locator(".fml-reason")
    reason.wait_for(state="visible")
    expected = book.kernel("from fairmot_lab import diagnosis; print(diagnosis.cell_sentences(w.record, 0, 0, 0)[0])")
    assert reason.inner_text().startswith(expected.strip())
    assert "paired." in expected
    book.page.keyboard.press("ArrowRight")
    book.until("() => document.querySelector('.fml-reason').innerText.includes('detection 1')")
    assert book.wait_kernel("print(w.selected_id, w.matrices[0].selected)", "1 [0, 1]") == "1 [0, 1]"
    book.kernel("w.frame = 6")
    frame_shown(book, 6)


@pytest.mark.parametrize("name", MAKE)
def test_pages_work_from_disk_without_kernel_and_network(
    book: lab.Notebook, offline: Any, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "page.html"
    show(book, name)
    said = book.kernel(f"w.to_html({str(path)!r}, max_mb=2)")
    assert path.is_file(), said
    assert path.stat().st_size < 2e6
    with lab.offline_page(offline, path) as page:
        page.wait_for_function("() => document.querySelector('.fml-screen')?.dataset.frame !== undefined")
        player = page.locator(".fml-player").first
        player.focus()
        before = player.locator(".fml-screen").get_attribute("data-frame")
        page.keyboard.press("ArrowRight")
        page.wait_for_function("f => document.querySelector('.fml-screen').dataset.frame !== f", arg=before)
        assert "Left out of this page" in page.locator("footer").inner_text()
        if name == "association":
            page.locator(".fml-matrix").first.focus()
            page.keyboard.press("Enter")
            page.locator(".fml-reason", has_text="paired").first.wait_for(state="visible")
