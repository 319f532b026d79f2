"""Record the README's moving picture: the workbench finds a person who changed ids, and says why.

    python scripts/record_workbench.py [--data data] [--outputs outputs] [--to docs/images/workbench.webp]

Needs Chromium and the test requirements, and the sequence of `fairmot-lab demo`.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from tests.browser import lab  # noqa: E402

LARGEST = 3_000_000  # bytes
WIDTH = 960
SETUP = """
import fairmot_lab as fl
source = fl.open_source({sequence!r})
detections = fl.detect(source, "fairmot_lite", {outputs!r}, progress=False)
tracks = {{"JDE": fl.track(detections, "jde"), "ByteTrack": fl.track(detections, "bytetrack")}}
"""
CELL = "bench = fl.widgets.Workbench(source, tracks=tracks, detections=detections)\nbench"


class Film:
    """Frames of one element, each with the time that it stays."""

    def __init__(self, book: lab.Notebook) -> None:
        self.page = book.page
        self.shown = self.page.locator(".jp-OutputArea-output >> visible=true").last
        self.frames: list[Image.Image] = []
        self.times: list[int] = []

    def take(self, milliseconds: int) -> None:
        """Photograph what is shown now."""
        image = Image.open(io.BytesIO(self.shown.screenshot())).convert("RGB")
        self.frames.append(image.resize((WIDTH, round(image.height * WIDTH / image.width)), Image.Resampling.LANCZOS))
        self.times.append(milliseconds)

    def press(self, key: str, count: int, milliseconds: int) -> None:
        """Press a key in the player several times and photograph each."""
        for _ in range(count):
            self.page.keyboard.press(key)
            self.page.wait_for_timeout(250)
            self.take(milliseconds)

    def save(self, path: Path) -> None:
        """Write an animated WebP that stays below the bound."""
        height = min(frame.height for frame in self.frames)
        frames = [frame.crop((0, 0, WIDTH, height)) for frame in self.frames]
        for quality in (80, 70, 60, 50):
            frames[0].save(
                path, save_all=True, append_images=frames[1:], duration=self.times, loop=0, quality=quality, method=6
            )
            if path.stat().st_size <= LARGEST:
                return
        raise RuntimeError(f"{path} has {path.stat().st_size} bytes; at most {LARGEST} belong into the repository.")


def record(book: lab.Notebook) -> Film:
    """Search people with ID switches, follow one, step through the switch, and compare the other tracker."""
    film = Film(book)
    film.shown.scroll_into_view_if_needed()
    book.page.wait_for_timeout(2500)  # canvases are drawn after the kernel has rested
    film.take(1500)
    search = film.shown.locator("input[type=search]").first
    for letter in "switch":
        search.type(letter)
        book.page.wait_for_timeout(150)
        film.take(120)
    film.take(800)
    canvas = film.shown.locator("canvas").first
    canvas.click(position={"x": 5, "y": 5})
    film.press("n", 1, 900)
    film.press("ArrowLeft", 4, 180)
    film.press("ArrowRight", 8, 260)
    film.take(1200)
    film.press("c", 1, 1600)
    return film


def main() -> None:
    """Record the film."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=REPOSITORY / "data", help="where the demo sequence lies")
    parser.add_argument("--outputs", type=Path, default=REPOSITORY / "outputs", help="where the outputs are kept")
    parser.add_argument("--to", type=Path, default=REPOSITORY / "docs" / "images" / "workbench.webp")
    options = parser.parse_args()
    setup = SETUP.format(sequence=str((options.data / "demo-0").resolve()), outputs=str(options.outputs.resolve()))
    with tempfile.TemporaryDirectory() as folder, lab.jupyterlab(Path(folder)) as server, lab.chromium() as browser:
        server.write("workbench.ipynb", [setup, CELL])
        book = lab.Notebook(browser, server, "workbench.ipynb", size=(1280, 860))
        try:
            book.run()
            film = record(book)
        finally:
            book.close()
    film.save(options.to)
    print(f"{options.to}: {len(film.frames)} frames, {sum(film.times) / 1000:.1f} s, {options.to.stat().st_size} bytes")


if __name__ == "__main__":
    main()
