"""Take the README's pictures: the widgets on the demo sequence, in a real JupyterLab and browser.

    python scripts/take_screenshots.py [--only player] [--data data] [--outputs outputs] [--to docs/images]

Needs Chromium and the test requirements. Only rendered scenes are shown, never footage of a benchmark.
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

LARGEST = 300_000  # bytes of a picture in the repository
WHOLE = ("workbench", "comparison")  # in the window of a laptop
SETUP = """
import fairmot_lab as fl
source = fl.open_source({sequence!r})
detections = fl.detect(source, fl.load_model("fairmot_lite"), {outputs!r}, progress=False)
truth = source.ground_truth
tracks = fl.track(detections)
result = fl.evaluate(tracks, source)
busiest = int(truth[(truth.conf != 0)].groupby("frame").size().idxmax())
"""
# picture: the cell that shows the widget, and what of it is photographed
PICTURES = {
    "workbench": "fl.widgets.Workbench(\n"
    "    source, tracks={'JDE': tracks, 'ByteTrack': fl.track(detections, 'bytetrack')}, detections=detections\n)",
    "comparison": "bench = fl.widgets.Workbench(\n"
    "    source, tracks={'JDE': tracks, 'ByteTrack': fl.track(detections, 'bytetrack')}, detections=detections,\n"
    "    compare_mode='overlay', focus='all',\n)\n"
    "bench._tabs.selected_index = bench._tabs.titles.index('Compare')\nbench",
    "player": "fl.widgets.TrackPlayer(source, evaluation=result, frame=len(source) // 2, trail=30)",
    "heatmaps": "fl.widgets.HeatmapInspector(source, detections=detections, frame=busiest, top_k=8)",
    "embeddings": "fl.widgets.EmbeddingExplorer(source, detections=detections, ground_truth=truth)",
    "thresholds": "fl.widgets.ThresholdLab(detections=detections, ground_truth=truth)",
    "switches": "browser = fl.widgets.SwitchBrowser(source, evaluation=result, detections=detections)\n"
    "browser.selected = 0\nbrowser",
    "association": "fl.widgets.AssociationInspector(source, detections=detections, frame=len(source) // 2)",
}


def photograph(browser, server: lab.Server, name: str, cell: str, setup: str) -> Image.Image:
    """Run the cell in a notebook and cut out what it shows."""
    server.write(f"{name}.ipynb", [setup, cell])
    book = lab.Notebook(browser, server, f"{name}.ipynb", size=(1400, 900) if name in WHOLE else (1200, 1600))
    try:
        book.run()
        shown = book.page.locator(".jp-OutputArea-output >> visible=true").last
        shown.wait_for()
        shown.scroll_into_view_if_needed()
        book.wait_idle()
        if name == "thresholds":
            curves = "document.querySelectorAll('.fml-curve').length === 6 && !document.querySelector('.fml-stale')"
            book.until(f"() => {curves}")
        book.page.wait_for_timeout(1500)  # canvases are drawn after the kernel has rested
        if book.errors:
            raise RuntimeError(f"{name}: {book.errors[0]}")
        return Image.open(io.BytesIO(shown.screenshot())).convert("RGB")
    finally:
        book.close()


def save(image: Image.Image, path: Path, highest: int = 1000) -> None:
    """Write a JPEG as good as its bound allows; the lower end of a long view is cut off."""
    image = image.crop((0, 0, image.width, min(image.height, highest)))
    for quality in (92, 88, 84, 78):
        image.save(path, quality=quality, subsampling=0, optimize=True)
        if path.stat().st_size <= LARGEST:
            return
    raise RuntimeError(f"{path} has {path.stat().st_size} bytes; at most {LARGEST} belong into the repository.")


def main() -> None:
    """Photograph every widget, or those that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", choices=list(PICTURES), help="a picture; repeatable")
    parser.add_argument("--data", type=Path, default=REPOSITORY / "data", help="where the demo sequence lies")
    parser.add_argument("--outputs", type=Path, default=REPOSITORY / "outputs", help="where the outputs are kept")
    parser.add_argument("--to", type=Path, default=REPOSITORY / "docs" / "images")
    options = parser.parse_args()
    from fairmot_lab.lite.demo import make_sequence

    sequence = make_sequence(options.data)
    options.to.mkdir(parents=True, exist_ok=True)
    setup = SETUP.format(sequence=str(sequence.resolve()), outputs=str(options.outputs.resolve()))
    with tempfile.TemporaryDirectory() as root, lab.jupyterlab(Path(root)) as server, lab.chromium() as browser:
        for name in options.only or PICTURES:
            save(photograph(browser, server, name, PICTURES[name], setup), options.to / f"{name}.jpg")
            print(options.to / f"{name}.jpg")


if __name__ == "__main__":
    main()
