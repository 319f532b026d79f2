"""Two notebooks of the tour, opened in a real JupyterLab and run, and a widget of each used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from . import lab


@pytest.fixture(scope="module")
def tour(server: lab.Server, notebook_workspace: Path) -> str:
    """The folder of the notebooks, as the server names it."""
    (server.root / "tour").symlink_to(notebook_workspace)
    return "tour/notebooks"


def test_quickstart_and_its_player(browser: Any, server: lab.Server, window: Any, tour: str) -> None:
    book = lab.Notebook(browser, server, f"{tour}/01_quickstart.ipynb", page=window)
    try:
        book.run()
        start = int(book.kernel("print(player.frame)"))
        player = book.page.locator(".fml-player").first
        player.scroll_into_view_if_needed()
        showing = "f => document.querySelector('.fml-screen')?.dataset.frame === String(f)"
        book.until(showing, start)
        player.focus()
        book.page.keyboard.press("Home")
        book.until(showing, 1)
        book.page.keyboard.press("ArrowRight")
        book.until(showing, 2)
        assert book.wait_kernel("print(player.frame)", "2") == "2"
        book.page.keyboard.press("n")  # to the next ID switch
        switches = json.loads(book.kernel("print(result.switches.frame.tolist())"))
        wanted = min(frame for frame in switches if frame > 2)
        book.until(showing, wanted)
        assert book.wait_kernel("print(player.frame)", str(wanted)) == str(wanted)
        assert book.errors == []
    finally:
        book.close()


def test_thresholds_and_their_lab(
    browser: Any, server: lab.Server, window: Any, tour: str, notebook_workspace: Path
) -> None:
    """The cells that make the lab; tests/test_notebooks.py runs the sweeps before it."""
    path = notebook_workspace / "notebooks" / "04_thresholds.ipynb"
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    notebook.cells = [code[0], *(cell for cell in code[1:] if "ThresholdLab" in cell.source)]
    assert len(notebook.cells) == 2
    nbformat.write(notebook, path.with_stem("04_lab"))
    book = lab.Notebook(browser, server, f"{tour}/04_lab.ipynb", page=window)
    try:
        book.run()
        before = float(book.kernel("print(lab.tracker.settings.conf_thres)"))
        slider = book.page.locator(".widget-slider", has_text="conf_thres").first
        slider.scroll_into_view_if_needed()
        slider.locator(".noUi-handle").focus()
        for _ in range(5):
            book.page.keyboard.press("ArrowLeft")
        book.wait_kernel(f"print(lab.tracker.settings.conf_thres < {before})", "True")
        book.kernel("lab.wait()")
        after = float(book.kernel("print(lab.candidate.tracker.settings.conf_thres)"))
        assert after < before
        # the figures on screen are those that the library computes for these settings
        book.wait_kernel("print(lab.candidate.tracker is lab.tracker)", "True")
        same = "here = fl.evaluate(fl.track(detections, lab.tracker), truth).overall\n"
        same += "print(all(abs(here[k] - lab.candidate.metrics[k]) < 1e-9 for k in ('mota', 'idf1', 'hota')))"
        assert book.kernel(same).strip() == "True"
        book.until("text => document.body.innerText.includes(text)", f"conf_thres={after:g}")
        assert book.errors == []
    finally:
        book.close()
