"""The workbench in Notebook 7 and in Voilà, which the JupyterLab of these tests serves too."""

from __future__ import annotations

from typing import Any

import pytest

from . import lab
from .conftest import SETUP

CELL = """
bench = fl.widgets.Workbench(frames, tracks={"A": tracks, "B": tracks}, ground_truth=truth, detections=detections)
bench
"""


@pytest.mark.parametrize(("package", "place"), [("notebook", "notebooks"), ("voila", "voila/render")])
def test_the_workbench_shows(browser: Any, server: lab.Server, package: str, place: str) -> None:
    pytest.importorskip(package, reason=f"{package} is not installed")
    server.write("place.ipynb", [SETUP, CELL])
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    try:
        page = context.new_page()
        page.set_default_timeout(180_000)
        page.goto(f"{server.url}/{place}/place.ipynb?token={server.token}")
        if place == "notebooks":
            page.wait_for_function(lab.KERNEL_IDLE, polling=100)
            assert page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
        page.wait_for_function("() => document.querySelector('.fml-screen')?.dataset.frame === '10'")
        page.wait_for_function("() => document.querySelectorAll('.fml-strip button img').length > 5")
        # the kernel answers: the other panes are made there
        page.locator(".fml-panes .lm-TabBar-tab", has_text="Compare").click()
        page.locator(".fml-tableview", has_text="compared with").first.wait_for()
        page.locator(".fml-player").focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_function("() => document.querySelector('.fml-screen').dataset.frame === '11'")
    finally:
        context.close()
        lab.shut_kernel(server, "place.ipynb")
