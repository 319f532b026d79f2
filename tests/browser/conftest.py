"""One JupyterLab and one browser for all tests of this folder; without a browser they skip."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from . import lab

SETUP = """
import warnings
import numpy as np, pandas as pd
import fairmot_lab as fl
from fairmot_lab.widgets.parts import *
from tests.browser import scene
truth = scene.ground_truth()
frames = scene.images(truth)
tracks = scene.tracks_with_swap(truth, 10)
detections = scene.SceneDetections(truth)
"""


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    if shutil.which(lab.CHROMIUM) is None:
        pytest.skip(f"no browser at {lab.CHROMIUM} (install chromium or set FAIRMOT_LAB_CHROMIUM)")
    with lab.chromium() as running:
        yield running


@pytest.fixture(scope="session")
def server(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[lab.Server]:
    with lab.jupyterlab(tmp_path_factory.mktemp("notebooks")) as running:
        yield running


@pytest.fixture(scope="session")
def offline(browser: Any) -> Iterator[Any]:
    """A page without network for files from disk, one after the other: a new page costs more than most files."""
    context = browser.new_context(offline=True)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="session")
def window(browser: Any) -> Iterator[Any]:
    """A page for notebooks that are open one after the other: JupyterLab starts in it once."""
    page = browser.new_page()
    yield page
    page.close()


@pytest.fixture(scope="module")
def notebook(browser: Any, server: lab.Server, window: Any) -> Iterator[Callable[..., lab.Notebook]]:
    """Opens notebooks: `notebook(cells)` runs them after a common beginning and returns the open page.

    One at a time can be open in the window that all share; `page=None` gives it a window of its own.
    """
    opened: list[lab.Notebook] = []

    def open_cells(cells: Sequence[str], **options: Any) -> lab.Notebook:
        name = f"{uuid.uuid4().hex[:8]}.ipynb"
        server.write(name, [SETUP, *cells])
        opened.append(lab.Notebook(browser, server, name, **{"page": window, **options}))
        opened[-1].run()
        return opened[-1]

    yield open_cells
    for book in opened:
        book.close()
