"""The workbench in a real JupyterLab, by mouse and keyboard: one selection and one time axis in all panes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from . import lab

CELL = """
later = tracks.copy()
later.loc[(later["frame"] >= 15) & (later["id"] == 1), "id"] = 9  # person 2 changes twice, person 1 once
later = later[(later["frame"] < 18) | (later["id"] != 4)]  # person 4 is missed at the end
bench = fl.widgets.Workbench(frames, tracks={"A": later, "B": tracks}, ground_truth=truth, detections=detections)
bench
"""


@pytest.fixture(scope="module")
def book(notebook: Callable[..., lab.Notebook]) -> lab.Notebook:
    book = notebook([CELL], size=(1400, 900))
    shows(book, 10)
    return book


@pytest.fixture(autouse=True)
def reset(book: lab.Notebook) -> Any:
    # what the page sent last must have arrived: it would undo what the kernel sets
    last = book.page.evaluate("() => String(document.querySelector('.fml-player').player.frame)")
    assert book.wait_kernel("print(bench.player.frame)", last) == last
    book.kernel(
        "bench._tabs.selected_index = 0; bench.player.tracker = 0; bench.player.compare_mode = 'off'\n"
        "bench.player.frame = 10; bench.player.selected_gt_id = 2; bench.player.focus = 'fade'; bench.player.range = []"
    )
    shows(book, 10)
    book.page.locator(".fml-timeline").scroll_into_view_if_needed()  # a test alone finds the notebook at its top
    yield
    assert book.take_errors() == []


def shows(book: lab.Notebook, frame: int) -> None:
    book.until("f => document.querySelector('.fml-screen')?.dataset.frame === String(f)", frame)


def test_it_opens_on_the_worst_switch_and_fits_the_window(book: lab.Notebook) -> None:
    book.until("() => document.querySelectorAll('.fml-strip button img').length === 13")
    title = book.page.locator(".fml-detail .fml-caption").inner_text()
    assert title.startswith("Person 2 · 20 frames · 2 ID switches")
    assert book.page.locator(".fml-person[aria-selected=true] b").inner_text() == "2"
    whole = book.page.locator(".fml-workbench").bounding_box()
    visible = book.page.locator(".jp-NotebookPanel .jp-WindowedPanel-outer").first.bounding_box()
    assert whole["height"] < visible["height"]
    assert "A" in book.page.locator(".fml-workline").inner_text()
    assert book.page.locator(".fml-decisions .fml-current .fml-taken").inner_text() == "track 1 now"


def test_a_search_and_a_click_follow_another_person(book: lab.Notebook) -> None:
    search = book.page.locator(".fml-people input[type=search]")
    search.fill("switch")
    book.until("() => document.querySelectorAll('.fml-person').length === 2")
    search.fill("person 4")
    book.until("() => document.querySelectorAll('.fml-person').length === 1")
    search.press("Enter")
    assert book.wait_kernel("print(bench.player.selected_gt_id, bench.people.life['id'])", "4 4") == "4 4"
    book.page.locator(".fml-caption", has_text="Person 4").wait_for()
    search.fill("")
    book.page.locator(".fml-list").focus()
    book.page.keyboard.press("Home")
    assert book.wait_kernel("print(bench.player.selected_gt_id)", "2") == "2"
    book.page.locator(".fml-person", has_text="4").click()
    assert book.wait_kernel("print(bench.player.selected_gt_id)", "4") == "4"


def test_the_number_of_the_frame_follows_after_it_was_typed(book: lab.Notebook) -> None:
    number = book.page.get_by_label("Frame number")
    number.fill("13")
    number.press("Enter")
    shows(book, 13)
    book.kernel("bench.player.frame = 12")
    book.until("() => document.querySelector('.fml-frame').value === '12'")


def test_a_person_who_is_missed_is_in_the_picture_while_selected(book: lab.Notebook) -> None:
    assert book.kernel("print(bench.player.layers)").strip() == "['tracks', 'switches']"
    book.kernel("bench.player.selected_gt_id = 4; bench.player.focus = 'only'; bench.player.frame = 19")
    shows(book, 19)
    book.until("() => document.querySelector('.fml-screen').dataset.boxes === '1'")
    book.until("() => document.querySelector('.fml-player .fml-readout').innerText.startsWith('missed person 4')")


def test_n_and_p_go_to_the_breaks_of_the_person(book: lab.Notebook) -> None:
    player = book.page.locator(".fml-player")
    player.focus()
    book.page.keyboard.press("n")
    shows(book, 15)
    assert book.wait_kernel("print(bench.player.selected_id, bench.people.frame)", "9 15") == "9 15"
    book.until("() => document.querySelector('.fml-decisions .fml-current td')?.innerText === '15'")
    book.page.keyboard.press("p")
    shows(book, 10)
    # a click on a box follows that person in every pane
    box = book.page.locator(".fml-screen").bounding_box()
    x, y, w, h = (
        float(v)
        for v in book.kernel(
            "r = later[(later.frame == 10) & (later.id == 4)].iloc[0]; print(r.x, r.y, r.w, r.h)"
        ).split()
    )
    book.page.mouse.click(box["x"] + (x + w / 2) / 640 * box["width"], box["y"] + (y + h / 2) / 360 * box["height"])
    assert book.wait_kernel("print(bench.people.selected, bench.player.selected_id)", "4 4") == "4 4"
    book.page.locator(".fml-caption", has_text="Person 4").wait_for()


def test_only_the_person_is_shown(book: lab.Notebook) -> None:
    book.page.get_by_role("button", name="Show only 2").click()
    book.until("() => +document.querySelector('.fml-screen').dataset.boxes <= 2")
    book.page.get_by_role("button", name="Show everybody").click()
    book.until("() => +document.querySelector('.fml-screen').dataset.boxes > 2")


def test_trackers_are_compared(book: lab.Notebook) -> None:
    book.page.locator(".fml-chip-tracker", has_text="B").click(modifiers=["Shift"])
    book.page.locator(".fml-workline", has_text="B − A: MOTA").wait_for()
    book.until("() => [...document.querySelectorAll('.fml-lane-names div')].some(e => e.innerText === 'switches, B')")
    both = int(book.page.evaluate("document.querySelector('.fml-screen').dataset.boxes"))
    book.page.locator(".fml-player").focus()
    book.page.keyboard.press("c")
    assert book.wait_kernel("print(bench.player.compare_mode)", "split") == "split"
    book.until("n => +document.querySelector('.fml-screen').dataset.boxes < n", both)
    book.page.keyboard.press("c")
    assert book.wait_kernel("print(bench.player.compare_mode)", "off") == "off"
    book.page.locator(".fml-chip-tracker", has_text="B").click()
    assert book.wait_kernel("print(bench.name, bench.people.life['breaks'])", "B [10]") == "B [10]"


def test_a_range_is_drawn_and_played_over_and_over(book: lab.Notebook) -> None:
    plot = book.page.locator(".fml-timeline").bounding_box()
    at = lambda frame: plot["x"] + plot["width"] * (frame - 0.5) / 20  # noqa: E731
    book.page.keyboard.down("Shift")
    book.page.mouse.move(at(4), plot["y"] + 6)
    book.page.mouse.down()
    book.page.mouse.move(at(8), plot["y"] + 6, steps=4)
    book.page.mouse.up()
    book.page.keyboard.up("Shift")
    assert book.wait_kernel("print(bench.player.range)", "[4, 8]") == "[4, 8]"
    book.page.keyboard.press(" ")
    book.until(
        "() => { const p = document.querySelector('.fml-player').player; window.seen ??= new Set();"
        " window.seen.add(p.frame); return window.seen.has(8) && p.frame === 5; }"
    )
    book.page.keyboard.press(" ")
    book.page.keyboard.press("\\")
    assert book.wait_kernel("print(bench.player.range)", "[]") == "[]"


def test_the_timeline_zooms_and_its_card_says_who(book: lab.Notebook) -> None:
    plot = book.page.locator(".fml-timeline").bounding_box()
    x = plot["x"] + plot["width"] * 14.5 / 20
    book.page.mouse.move(x, plot["y"] + 8)
    card = book.page.locator(".fml-card")
    card.wait_for(state="visible")
    assert "person 2: track 1 → 9" in card.inner_text()
    book.page.locator(".fml-card-crop").wait_for(state="visible")
    book.page.keyboard.down("Control")
    book.page.mouse.wheel(0, -200)
    book.page.keyboard.up("Control")
    book.page.mouse.click(plot["x"] + 2, plot["y"] + 8)
    book.until("() => { const f = document.querySelector('.fml-player').player.frame; return f > 1 && f < 15; }")
    book.page.locator(".fml-frame").fill("17")
    book.page.keyboard.press("Enter")
    shows(book, 17)


def test_every_pane_opens(book: lab.Notebook) -> None:
    for name in ("Switches", "Errors", "Heatmap", "ReID", "Association", "Settings", "Correct"):
        book.page.locator(".fml-panes .lm-TabBar-tab", has_text=name).click()
        assert book.wait_kernel(f"print({name!r} in bench.panes, bench.error)", "True") == "True"
        told = book.kernel(f"print(bench.panes[{name!r}].error)").strip()
        assert not told or name in ("Switches", "Errors")  # the tracks are not those of a tracker: both say so
    book.page.get_by_role("button", name="Swap from here").click()
    assert book.wait_kernel("print(list(bench.tracks))", "['A', 'B', 'A corrected']") == "['A', 'B', 'A corrected']"
    book.page.locator(".fml-chip-tracker", has_text="A corrected").wait_for()


def test_the_page_follows_a_person_without_kernel_and_network(book: lab.Notebook, offline: Any, tmp_path: Path) -> None:
    path = tmp_path / "bench.html"
    said = book.kernel(f"bench.player.tracker = 0; bench.to_html({str(path)!r}); print('written')")
    assert said.strip() == "written"
    with lab.offline_page(offline, path) as page:
        page.wait_for_function("() => document.querySelector('.fml-screen')?.dataset.frame !== undefined")
        page.locator(".fml-person", has_text="1–20").first.click()
        page.locator(".fml-caption", has_text="Person").wait_for()
        page.locator(".fml-player").focus()
        page.keyboard.press("Home")
        page.keyboard.press("n")
        page.wait_for_function("() => document.querySelector('.fml-screen').dataset.frame === '10'")
        page.locator(".fml-decisions .fml-current", has_text="10").wait_for()
