"""TrackPlayer in a real JupyterLab."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from . import lab

CELL = """
evaluation = fl.evaluate(tracks, truth)
player = fl.widgets.TrackPlayer(frames, tracks=tracks, ground_truth=truth, evaluation=evaluation)
player
"""
AREA = "import ipywidgets\narea = ipywidgets.VBox()\narea"  # other widgets are shown here, one after the other


@pytest.fixture(scope="module")
def book(notebook: Callable[..., lab.Notebook]) -> lab.Notebook:
    book = notebook([CELL, AREA])
    shows(book, 1)
    return book


@pytest.fixture(autouse=True)
def rewound(book: lab.Notebook) -> Any:
    """Every test begins at frame 1 with nothing selected, and leaves no error on the console."""
    book.kernel(
        "player.playing = False; player.frame = 1; player.selected_id = player.selected_gt_id = None\n"
        "player.min_score = 0.0; player.layers = ['tracks', 'switches']; player.error = ''"
    )
    shows(book, 1)
    book.page.locator(".fml-player").first.focus()
    book.page.keyboard.press("0")
    yield
    # the browser tells the kernel its frame a moment later; told after the next test's rewinding, it would undo that
    shown = book.page.evaluate("() => document.querySelector('.fml-screen').dataset.frame")
    book.wait_kernel("print(player.frame)", shown, seconds=10)
    assert book.take_errors() == []


def shows(book: lab.Notebook, frame: int, view: int = 0) -> None:
    book.until("([f, v]) => document.querySelectorAll('.fml-screen')[v]?.dataset.frame === String(f)", [frame, view])


def pixels(book: lab.Notebook, view: int = 0) -> np.ndarray:
    """(H, W, 3): what the canvas shows."""
    data = book.page.evaluate(
        "v => document.querySelectorAll('.fml-screen')[v].toDataURL('image/png').split(',')[1]", view
    )
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")).astype(int)


def colour_of_left_edge(book: lab.Notebook) -> float:
    """The scene's left edge has a grey of frame * 255 // 20."""
    shot = pixels(book)
    return float(shot[-10:-4, 1:3].mean())


def test_a_step_changes_the_picture_to_that_of_the_frame(book: lab.Notebook) -> None:
    before = pixels(book)
    for expected in (2, 3, 4):
        book.page.keyboard.press("ArrowRight")
        shows(book, expected)
        assert colour_of_left_edge(book) == pytest.approx(expected * 255 // 20, abs=4)
    assert np.abs(pixels(book) - before).max() > 50
    book.page.keyboard.press("ArrowLeft")
    shows(book, 3)
    assert book.wait_kernel("print(player.frame)", "3") == "3"


def test_every_key_does_what_the_help_says(book: lab.Notebook) -> None:
    press = book.page.keyboard.press
    press("Shift+ArrowRight")
    shows(book, 11)
    press("End")
    shows(book, 20)
    press("ArrowRight")
    shows(book, 20)
    press("Home")
    shows(book, 1)
    press("n")
    shows(book, 10)
    assert book.wait_kernel("print(player.selected_id in (1, 2))", "True") == "True"
    press("p")
    shows(book, 10)
    press("Home")
    press("2")
    assert book.wait_kernel("print('ground_truth' in player.layers)", "True") == "True"
    press("Escape")
    assert book.wait_kernel("print(player.selected_id)", "None") == "None"
    press("t")
    assert book.wait_kernel("print(player.selected_id or player.selected_gt_id)", "1") == "1"


def test_keys_do_not_reach_the_notebook(book: lab.Notebook) -> None:
    """a, b, x, dd, m, z are commands of JupyterLab that add, cut, delete and change cells."""
    count = "window.jupyterapp.shell.currentWidget.content.widgets.map(c => c.model.type).join()"
    before = book.page.evaluate(count)
    for key in ("a", "b", "x", "d", "d", "m", "z", "ArrowDown", "ArrowUp", "j", "k", "1", "1", "n", "p", "y"):
        book.page.keyboard.press(key)
    book.page.locator(".fml-player button").first.focus()
    for key in ("d", "d", "x", "b"):
        book.page.keyboard.press(key)
    assert book.page.evaluate(count) == before
    assert book.page.evaluate("document.activeElement.closest('.fml-player') !== null")


def test_a_click_selects_the_box_under_it_everywhere(book: lab.Notebook) -> None:
    box = book.page.locator(".fml-screen").first.bounding_box()
    # person 2 in frame 1: x 162.4, y 180, 96 x 144 in a frame of 640 x 360
    book.page.mouse.click(box["x"] + (162.4 + 48) / 640 * box["width"], box["y"] + (180 + 72) / 360 * box["height"])
    assert book.wait_kernel("print(player.selected_id)", "2") == "2"
    plain = pixels(book)
    book.page.mouse.click(box["x"] + box["width"] * 0.99, box["y"] + box["height"] * 0.02)
    assert book.wait_kernel("print(player.selected_id)", "None") == "None"
    assert (pixels(book) != plain).any()


def test_the_kernel_moves_the_view(book: lab.Notebook) -> None:
    book.kernel("player.frame = 7; player.selected_id = 4")
    shows(book, 7)
    assert book.kernel("player.frame = 21").startswith("TraitError: arrays has no frame 21; its frames are 1 to 20.")


def test_the_score_filter_works_without_the_kernel(book: lab.Notebook) -> None:
    count = "document.querySelector('.fml-screen').dataset.boxes"
    assert book.page.evaluate(count) == "4"
    slider = book.page.locator(".fml-player input[aria-label^='Least score']")
    slider.evaluate("e => { e.value = 0.5; e.dispatchEvent(new Event('input')); }")
    book.until("() => document.querySelector('.fml-screen').dataset.boxes === '3'")
    assert book.wait_kernel("print(player.min_score)", "0.5") == "0.5"


def test_classes_are_filtered_and_coloured(book: lab.Notebook) -> None:
    book.kernel(
        "mixed = tracks.assign(class_id=np.where(tracks['id'] == 4, 2, 0))\n"
        "mixed.attrs['classes'] = {0: 'person', 2: 'car'}\n"
        "other = fl.widgets.TrackPlayer(frames, tracks=mixed); area.children = [other]"
    )
    shows(book, 1, view=1)
    second = book.page.locator(".fml-player").nth(1)
    by_id = pixels(book, 1)
    second.get_by_role("button", name="by class").click()
    assert book.wait_kernel("print(other.colour_by)", "class") == "class"
    assert (pixels(book, 1) != by_id).any()
    second.get_by_role("button", name="car", exact=True).click()
    book.until("() => document.querySelectorAll('.fml-screen')[1].dataset.boxes === '3'")
    assert book.wait_kernel("print(other.hidden_classes)", "['car']") == "['car']"
    book.kernel("area.children = []; other.close()")
    book.until("() => document.querySelectorAll('.fml-player').length === 1")


def test_layers_show_what_the_evaluation_found(book: lab.Notebook) -> None:
    book.kernel("player.frame = 10; player.layers = ['switches']")
    shows(book, 10)
    book.until("() => document.querySelector('.fml-screen').dataset.boxes === '2'")
    assert book.kernel("print(len(evaluation.switches), [s['frame'] for s in player.switches])").strip() == "2 [10, 10]"
    label = book.page.locator(".fml-screen").first.get_attribute("aria-label")
    assert "ID switch 1 to 2" in label
    assert "ID switch 2 to 1" in label


def test_zoom_and_pan_show_a_part(book: lab.Notebook) -> None:
    whole = pixels(book)
    for _ in range(3):
        book.page.keyboard.press("+")
    zoomed = pixels(book)
    assert (zoomed != whole).mean() > 0.05
    book.page.keyboard.press("Control+ArrowRight")
    assert (pixels(book) != zoomed).any()
    book.page.keyboard.press("0")
    np.testing.assert_array_equal(pixels(book), whole)


@pytest.mark.parametrize("speed", [2.0, 4.0])  # faster than the screen: frames are left out
def test_playing_goes_on_to_the_end_and_stops(book: lab.Notebook, speed: float) -> None:
    book.kernel(f"player.speed = {speed}")
    book.page.keyboard.press(" ")
    shows(book, 20)
    assert book.wait_kernel("print(player.playing, player.frame)", "False 20") == "False 20"
    book.kernel("player.speed = 1.0")


def test_the_timeline_seeks_and_finds_switches(book: lab.Notebook) -> None:
    box = book.page.locator(".fml-timeline").first.bounding_box()
    book.page.mouse.click(box["x"] + box["width"] * 0.999, box["y"] + 5)
    shows(book, 20)
    book.page.mouse.click(box["x"] + box["width"] * 9 / 19 + 3, box["y"] + 5)
    shows(book, 10)


def test_two_views_of_one_widget_move_together_and_one_may_go(book: lab.Notebook) -> None:
    book.add_cell("player")
    book.until("() => document.querySelectorAll('.fml-screen').length === 2")
    shows(book, 1, view=1)
    book.page.locator(".fml-player").first.focus()
    book.page.keyboard.press("ArrowRight")
    shows(book, 2, view=0)
    shows(book, 2, view=1)
    assert (pixels(book, 1) != 0).any()
    book.page.locator(".fml-player").nth(1).focus()
    book.page.keyboard.press("ArrowRight")
    shows(book, 3, view=0)
    book.command("notebook:delete-cell")
    book.until("() => document.querySelectorAll('.fml-screen').length === 1")
    book.page.locator(".fml-player").first.focus()
    book.page.keyboard.press("ArrowRight")
    shows(book, 4)


def test_both_themes_are_readable(book: lab.Notebook, tmp_path: Path) -> None:
    contrast = """() => {
        const root = document.querySelector('.fml-player'), style = getComputedStyle(root);
        const light = c => { const m = c.match(/[\\d.]+/g).slice(0, 3).map(v => (v / 255) ** 2.2);
            return 0.2126 * m[0] + 0.7152 * m[1] + 0.0722 * m[2]; };
        const [a, b] = [light(style.color), light(style.backgroundColor)];
        return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); }"""
    assert book.page.evaluate(contrast) > 7
    light = book.page.locator(".fml-player").first.screenshot()
    book.theme(dark=True)
    book.until("() => getComputedStyle(document.querySelector('.fml-player')).backgroundColor !== 'rgb(255, 255, 255)'")
    assert book.page.evaluate(contrast) > 7
    assert book.page.locator(".fml-player").first.screenshot() != light
    book.theme(dark=False)


def test_the_export_menu_writes_every_format(book: lab.Notebook, tmp_path: Path) -> None:
    book.kernel(
        f"import os; back = os.getcwd(); os.chdir({str(tmp_path)!r}); player.frame = 10; player.range = [8, 12]"
    )
    shows(book, 10)
    menu = book.page.locator(".fml-export").first
    for ending in ("png", "svg"):
        with book.page.expect_download() as download:
            menu.select_option(ending)
        assert download.value.suggested_filename == f"arrays-000010.{ending}"
        download.value.save_as(tmp_path / f"frame.{ending}")
    with Image.open(tmp_path / "frame.png") as picture:
        assert picture.size == (640, 360)
        colours = {tuple(colour) for colour in np.asarray(picture.convert("RGB")).reshape(-1, 3)}
        assert (0x56, 0xB4, 0xE9) in colours  # the box of track 2
    text = (tmp_path / "frame.svg").read_text()
    assert text.count("<rect") == 6  # four tracks and two ID switches
    assert "<title>arrays, frame 10</title>" in text
    for ending in ("mp4", "gif", "html"):
        menu.select_option(ending)
        book.page.locator(".fml-readout", has_text=f"Written: arrays-TrackPlayer.{ending}").first.wait_for()
    assert book.kernel("print(len(fl.open_source('arrays-TrackPlayer.mp4')))").strip() == "5"
    assert Image.open(tmp_path / "arrays-TrackPlayer.gif").n_frames == 5
    assert "Left out of this page" in (tmp_path / "arrays-TrackPlayer.html").read_text()
    book.kernel("os.chdir(back); player.range = []")


def test_an_error_of_the_source_is_shown_in_the_view(book: lab.Notebook) -> None:
    book.kernel("kept = frames[11]; frames[11] = np.zeros((3, 3), np.uint8); player.refresh(); player.frame = 12")
    banner = book.page.locator(".fml-player .fml-error").first
    banner.wait_for(state="visible")
    assert "Frame 12 of arrays is uint8 (3, 3)" in banner.inner_text()
    book.kernel("frames[11] = kept; player.refresh()")
    shows(book, 12)
    banner.wait_for(state="hidden")


@pytest.mark.parametrize(
    ("make", "boxes", "text"),
    [
        ("fl.widgets.TrackPlayer([])", None, "holds no frames"),
        ("fl.widgets.TrackPlayer(frames, tracks=tracks[:0])", "0", "/ 20"),
        ("fl.widgets.TrackPlayer(frames[:1], tracks=tracks[tracks['frame'] == 1])", "4", "/ 1"),
        (
            "fl.widgets.TrackPlayer(scene.images(big := scene.ground_truth(1, 200, (3840, 2160))), tracks=big)",
            "200",
            "/ 1",
        ),
    ],
    ids=["empty source", "no detections", "one frame", "4K with 200 people"],
)
def test_extremes_look_right(book: lab.Notebook, make: str, boxes: str | None, text: str) -> None:
    book.kernel(f"other = {make}; area.children = [other]")
    book.until("text => document.querySelectorAll('.fml-player')[1]?.innerText.includes(text)", text)
    if boxes is not None:
        shows(book, 1, view=1)
        book.until("n => document.querySelectorAll('.fml-screen')[1].dataset.boxes === n", boxes)
        assert pixels(book, 1).std() > 1
    book.kernel("area.children = []; other.close()")
    book.until("() => document.querySelectorAll('.fml-player').length === 1")


def test_a_saved_notebook_shows_a_picture_without_its_kernel(book: lab.Notebook, browser: Any) -> None:
    """A copy, opened with no kernel at all: what a colleague sees who only reads."""
    assert book.page.locator(".fml-saved").first.is_hidden()
    book.command("docmanager:save")
    name = f"copy-of-{book.name}"
    (book.server.root / name).write_bytes((book.server.root / book.name).read_bytes())
    page = browser.new_page()
    page.set_default_timeout(180_000)
    try:
        page.goto(f"{book.server.url}/doc/tree/{name}?token={book.server.token}&kernel=null")
        picture = page.locator(".fml-saved img")
        picture.wait_for(state="visible")
        page.wait_for_function("() => document.querySelector('.fml-saved img').naturalWidth === 640")
        assert "frame 1 of 20" in page.locator(".fml-saved").inner_text()
        assert page.get_by_text("model not found").count() == 0 or page.get_by_text("model not found").is_hidden()
    finally:
        page.close()


def test_two_players_stand_side_by_side(book: lab.Notebook) -> None:
    book.kernel("pair = [fl.widgets.TrackPlayer(frames, tracks=tracks) for _ in range(2)]")
    book.kernel("area.children = [ipywidgets.HBox(pair)]")
    for view in (1, 2):
        shows(book, 1, view)
    left, right = (book.page.locator(".fml-screen").nth(view).bounding_box() for view in (1, 2))
    assert left["width"] == pytest.approx(right["width"], abs=1)
    assert left["width"] > 400
    assert left["x"] + left["width"] < right["x"]
    assert left["y"] == right["y"]
    book.kernel("area.children = []; [one.close() for one in pair]")
    book.until("() => document.querySelectorAll('.fml-player').length === 1")


def test_full_screen_fills_the_window(book: lab.Notebook) -> None:
    book.page.keyboard.press("f")
    book.until("() => document.fullscreenElement?.classList.contains('fml-player')")
    size = book.page.viewport_size
    book.until("h => document.querySelector('.fml-screen').getBoundingClientRect().height > h * 0.6", size["height"])
    book.page.keyboard.press("ArrowRight")
    shows(book, 2)
    book.page.keyboard.press("f")
    book.until("() => document.fullscreenElement === null")


def test_an_output_view_shows_the_whole_player(book: lab.Notebook) -> None:
    book.page.evaluate("window.jupyterapp.shell.currentWidget.content.activeCellIndex = 1")
    book.command("notebook:create-output-view")
    shows(book, 1, view=1)
    book.until(
        """() => {
            const player = document.querySelectorAll('.fml-player')[1], view = player.closest('.jp-LinkedOutputView');
            const box = player.getBoundingClientRect(), stage = player.querySelector('.fml-stage').offsetHeight;
            return stage === 80 || (stage > 80 && box.bottom <= view.getBoundingClientRect().bottom + 1);
        }"""
    )
    book.page.locator(".lm-TabBar-tab", has_text="Output View").locator(".lm-TabBar-tabCloseIcon").click()
    book.until("() => document.querySelectorAll('.fml-screen').length === 1")


def test_closing_frees_the_kernel_and_the_page(book: lab.Notebook) -> None:
    count = "print(len(ipywidgets.widgets.widget._instances))"
    before = book.kernel(count)
    book.kernel("other = fl.widgets.TrackPlayer(frames, tracks=tracks); area.children = [other]")
    shows(book, 1, view=1)
    book.kernel("area.children = []; other.close()")
    book.until("() => document.querySelectorAll('.fml-player').length === 1")
    assert book.kernel(count) == before


def test_the_page_works_from_disk_without_kernel_and_network(book: lab.Notebook, offline: Any, tmp_path: Path) -> None:
    path = tmp_path / "player.html"
    book.kernel(f"player.to_html({str(path)!r}, frames=[1, 2, 3, 9, 10, 20])")
    with lab.offline_page(offline, path) as page:
        wait = "f => document.querySelector('.fml-screen')?.dataset.frame === String(f)"
        page.wait_for_function(wait, arg=1)
        page.locator(".fml-player").focus()
        for key, frame in (("ArrowRight", 2), ("n", 10), ("ArrowRight", 20), ("ArrowLeft", 10), ("ArrowLeft", 9)):
            page.keyboard.press(key)
            page.wait_for_function(wait, arg=frame)
        assert "14 of the 20 frames" in page.locator("footer").inner_text()
