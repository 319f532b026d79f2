"""The workbench as pictures: three windows, two themes, a small scene and a crowd in 1080p, beside reviewed baselines.

Baselines lie in `baselines/` at half their size; both scenes are rendered, so they hold nobody's footage. To renew
them, run this file with FAIRMOT_LAB_BASELINES=renew, and look at each before it is committed. Pictures are compared as
blocks of 8 x 8 pixels, a little up and down, so that another font passes and a part that is missing or cut does not.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from . import lab

BASELINES = Path(__file__).parent / "baselines"
SIZES = [(1400, 900), (1024, 768), (700, 900)]
FAR, FEW = 40, 0.01  # grey levels by which a block may differ, and the share of blocks that may differ by more
CELL = """
import ipywidgets
from fairmot_lab.lite.demo import make_sequence
from fairmot_lab.lite.scenes import SceneConfig

SCENES = {
    "demo": SceneConfig(length=30),
    "crowd": SceneConfig(width=1920, height=1080, length=8, people=60),
}
benches = {}
for name, config in SCENES.items():
    path = make_sequence(name, 7, config, progress=False)
    source, kept = fl.open_source(path), fl.open_detections(path)
    named = {"SORT": fl.track(kept, "sort"), "ByteTrack": fl.track(kept, "bytetrack")}
    benches[name] = fl.widgets.Workbench(source, tracks=named, detections=kept)
benches["crowd"].player.focus = "all"
benches["crowd"].player.layers = ["tracks", "ground_truth", "switches"]
area = ipywidgets.VBox()
area
"""


@pytest.fixture(scope="module")
def book(notebook: Callable[..., lab.Notebook]) -> Iterator[lab.Notebook]:
    book = notebook([CELL], size=SIZES[0], page=None)  # it gets a style and a theme of its own
    book.page.add_style_tag(content=".jp-Cell-inputWrapper { display: none }")
    yield book
    assert book.take_errors() == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_workbench_looks_as_it_was_reviewed(book: lab.Notebook, dark: bool) -> None:
    book.theme(dark)
    wrong = []
    for scene in ("demo", "crowd"):
        book.kernel(f"area.children = [benches[{scene!r}]]")
        book.until("() => document.querySelectorAll('.fml-strip button img').length > 3")
        for width, height in SIZES:
            book.page.set_viewport_size({"width": width, "height": height})
            name = f"{scene}-{width}-{'dark' if dark else 'light'}"
            seen = photograph(book)
            if os.environ.get("FAIRMOT_LAB_BASELINES") == "renew":
                BASELINES.mkdir(exist_ok=True)
                seen.resize((seen.width // 2, seen.height // 2), Image.Resampling.BOX).save(
                    BASELINES / f"{name}.webp", quality=70, method=6
                )
                continue
            baseline = Image.open(BASELINES / f"{name}.webp")
            deadline = time.monotonic() + 30  # a busy machine may still lay the panes out
            while (share := differing(seen, baseline)) > FEW and time.monotonic() < deadline:
                seen = photograph(book)
            if share > FEW:
                wrong.append(f"{name}: {share:.0%} of the blocks differ")
        book.kernel("area.children = []")
        book.until("() => document.querySelectorAll('.fml-screen').length === 0")
    assert not wrong


def photograph(book: lab.Notebook) -> Image.Image:
    """The part of the workbench that the window shows, once two pictures in a row are the same."""
    book.until("() => document.querySelector('.fml-screen')?.dataset.frame !== undefined")
    before = b""
    for _ in range(20):
        whole = book.page.locator(".fml-workbench").bounding_box()
        size = book.page.viewport_size
        clip = {
            "x": whole["x"],
            "y": whole["y"],
            "width": min(whole["width"], size["width"] - whole["x"]),
            "height": min(whole["height"], size["height"] - 24 - whole["y"]),  # the status bar
        }
        taken = book.page.screenshot(clip=clip)
        if taken == before:
            break
        before = taken
        book.page.wait_for_timeout(150)
    return Image.open(io.BytesIO(taken)).convert("RGB")


def differing(seen: Image.Image, baseline: Image.Image) -> float:
    """The share of blocks that differ clearly."""
    width, height = baseline.width // 4, baseline.height // 4
    ours, theirs = (
        np.asarray(picture.convert("RGB").resize((width, height), Image.Resampling.BOX)).astype(float)
        for picture in (seen, baseline)
    )
    far = np.ones((height, width), bool)
    for up in (-2, -1, 0, 1, 2):  # lines of text that wrap move what lies below
        far &= np.abs(ours - np.roll(theirs, up, axis=0)).max(axis=2) > FAR
    return float(far.mean())


def test_the_tolerance_tells_other_pictures_apart() -> None:
    light, dark, crowd = (
        Image.open(BASELINES / f"{n}.webp") for n in ("demo-1400-light", "demo-1400-dark", "crowd-1400-light")
    )
    assert differing(light, light) == 0
    assert differing(dark, light) > FEW
    assert differing(crowd, light) > FEW
    cut = light.copy()
    cut.paste(
        cut.getpixel((cut.width - 2, cut.height - 2)), (cut.width * 3 // 5, 40, cut.width, cut.height)
    )  # no people
    assert differing(cut, light) > FEW
