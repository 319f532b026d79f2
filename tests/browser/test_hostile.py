"""Names from files run no script: live in JupyterLab, in saved notebooks and in exported pages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from . import lab

NAMES = {
    "tags": "x<img src=x onerror=window.pwned=1></script><script>window.pwned=1</script>\" onclick='window.pwned=1'",
    "comment": "<!--<script>",
}
AREA = "import ipywidgets\narea = ipywidgets.VBox()\narea"
NAME = """
name = {name!r}
source = fl.open_source(frames)
source.name = name
detections = scene.SceneDetections(truth)
detections.name = name
truth_h, tracks_h = truth.copy(), tracks.copy()
for table in (truth_h, tracks_h):
    table.attrs.update(truth.attrs, sequence=name)
result = fl.evaluate(dict([(name, tracks_h)]), dict([(name, truth_h)]))
for column in ("kind", "why"):
    if column in result.switches:
        result.switches[column] = name
classed = tracks_h.assign(class_id=tracks_h["id"] % 2)
classed.attrs.update(sequence=name, classes=dict([(0, name), (1, "B" + name)]))
"""
MAKE = {
    "player": "fl.widgets.TrackPlayer(source, evaluation=result)",
    "trackers": "fl.widgets.TrackPlayer(source, tracks={name: tracks_h, 'B' + name: tracks_h}, compare_mode='split')",
    "classes": "fl.widgets.TrackPlayer(source, tracks=classed)",
    "budget": "fl.widgets.BudgetBrowser(source, evaluation=fl.evaluate(dict([(name, fl.track(detections, 'jde'))]), "
    "dict([(name, truth_h)])), detections=detections, cause=0)",
    "heatmap": "fl.widgets.HeatmapInspector(source, detections=detections)",
    "embeddings": "fl.widgets.EmbeddingExplorer(source, detections=detections, ground_truth=truth_h)",
    "thresholds": "fl.widgets.ThresholdLab(source, detections=detections, ground_truth=truth_h)",
    "switches": "fl.widgets.SwitchBrowser(source, evaluation=result, detections=detections)",
    "association": "fl.widgets.AssociationInspector(source, detections=detections, frame=5)",
}
INJECTED = "() => window.pwned !== undefined || document.querySelector('img[onerror], [onclick]') !== null"


@pytest.fixture(scope="module")
def book(notebook: Callable[..., lab.Notebook]) -> lab.Notebook:
    return notebook([AREA])


@pytest.mark.parametrize("widget", MAKE)
@pytest.mark.parametrize("kind", NAMES)
def test_names_are_text(book: lab.Notebook, offline: Any, tmp_path: Path, kind: str, widget: str) -> None:
    name = NAMES[kind]
    said = book.kernel(f"{NAME.format(name=name)}\nw = {MAKE[widget]}\narea.children = [w]\nprint('made')")
    assert said.strip() == "made"
    book.until("() => document.querySelector('.fml-screen')?.dataset.frame !== undefined")
    box = book.page.locator(".fml-timeline").first.bounding_box()
    book.page.mouse.move(box["x"] + box["width"] * 9.5 / 20, box["y"] + 5)  # the card, where there is a switch
    book.page.mouse.move(1, 1)
    book.page.evaluate("() => new Promise(requestAnimationFrame)")
    assert not book.page.evaluate(INJECTED)
    book.kernel("w.error = name")
    book.page.locator(".fml-error").first.wait_for(state="visible")
    assert not book.page.evaluate(INJECTED)
    book.kernel("w.error = ''")
    page_file, saved_file = tmp_path / "page.html", tmp_path / "saved.html"
    said = book.kernel(
        f"w.to_html({str(page_file)!r}, max_mb=2)\n"
        f"open({str(saved_file)!r}, 'w').write('<meta charset=utf-8>' + w._saved())\nprint('written')"
    )
    assert said.strip() == "written"
    with lab.offline_page(offline, page_file) as page:
        page.wait_for_function("() => document.querySelector('.fml-screen')?.dataset.frame !== undefined")
        assert not page.evaluate(INJECTED)
        if widget != "trackers":
            assert name in page.locator("h1").inner_text()
    with lab.offline_page(offline, saved_file) as page:
        assert not page.evaluate(INJECTED)
        assert page.locator("script").count() == 0
    book.kernel("area.children = []; w.close()")
    book.until("() => document.querySelectorAll('.fml').length === 0")


def test_names_are_text_in_every_pane_of_the_workbench(book: lab.Notebook, offline: Any, tmp_path: Path) -> None:
    """Names of the sequence, of trackers and of classes; the page without a kernel has every pane too."""
    for kind, name in NAMES.items():
        said = book.kernel(
            f"{NAME.format(name=name)}\n"
            "w = fl.widgets.Workbench(source, tracks=dict([(name, classed), ('B' + name, tracks_h)]), "
            "ground_truth=truth_h, detections=detections)\narea.children = [w]\nprint('made')"
        )
        assert said.strip() == "made"
        book.until("() => document.querySelector('.fml-screen')?.dataset.frame !== undefined")
        tabs = book.page.locator(".fml-panes .lm-TabBar-tab")
        tabs.first.wait_for()
        assert tabs.count() >= 8
        for index in range(tabs.count()):
            tabs.nth(index).click()
            shown = "print(w._tabs.selected_index, w.error)"
            assert book.wait_kernel(shown, str(index)).startswith(str(index))
            book.page.evaluate("() => new Promise(requestAnimationFrame)")
            assert not book.page.evaluate(INJECTED), (kind, index)
        tabs.first.click()
        book.page.locator(".fml-person").first.click()
        book.page.evaluate("() => new Promise(requestAnimationFrame)")
        assert not book.page.evaluate(INJECTED)
        path = tmp_path / f"{kind}.html"
        assert book.kernel(f"w.to_html({str(path)!r}); print('written')").strip() == "written"
        with lab.offline_page(offline, path) as page:
            page.wait_for_function("() => document.querySelector('.fml-screen')?.dataset.frame !== undefined")
            page.locator(".fml-person").first.click()
            assert not page.evaluate(INJECTED)
            assert name in page.locator("body").inner_text()
        book.kernel("area.children = []; w.close()")
        book.until("() => document.querySelectorAll('.fml').length === 0")


def test_an_exported_drawing_holds_names_as_text(book: lab.Notebook) -> None:
    name = "x<img src=x onerror=window.pwned=1>"
    book.kernel(f"{NAME.format(name=name)}\nw = {MAKE['player']}\narea.children = [w]")
    book.until("() => document.querySelector('.fml-screen')?.dataset.frame !== undefined")
    with book.page.expect_download() as download:
        book.page.locator(".fml-export").select_option("svg")
    text = Path(download.value.path()).read_text()
    assert "<title>x&lt;img src=x onerror=window.pwned=1&gt;, frame 1</title>" in text
    assert download.value.suggested_filename == "x-img-src-x-onerror-window.pwned-1--000001.svg"
    with book.page.expect_download() as download:
        book.page.locator(".fml-export").select_option("png")
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")
    book.kernel("area.children = []; w.close()")


def test_a_restarted_kernel_greys_the_player_out(book: lab.Notebook) -> None:
    book.add_cell("player = fl.widgets.TrackPlayer(frames, tracks=tracks)\nplayer")
    book.until("() => document.querySelector('.fml-screen')?.dataset.frame === '1'")
    book.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    banner = book.page.locator(".fml-error", has_text="No kernel: run the cell again.")
    banner.wait_for(state="visible")
    assert book.page.locator(".fml-stage").evaluate("e => e.inert && +getComputedStyle(e).opacity < 0.5")
    book.wait_idle()
    book.run()
    book.until("() => document.querySelector('.fml-screen')?.dataset.frame === '1'")
    book.until("() => [...document.querySelectorAll('.fml-error')].every(e => e.hidden)")
    book.command("notebook:delete-cell")
