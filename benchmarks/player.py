"""How fast the views are in a real browser, beside ipywidgets.Image from the same run.

    python benchmarks/player.py [SEQUENCE] [--steps 1000] [--detections FOLDER]

A key step is timed inside the page: from the key until the canvas holds the new frame with its boxes (TrackPlayer), and
until the picture of the usual notebook is decoded (a slider whose observer draws the boxes with OpenCV and sets the
bytes of an ipywidgets.Image). Frames are 1080p with 40 boxes. Keys come as those of a held key, 30 a second, or once
the last picture is there. The screen shows either picture in its next refresh, up to 17 ms later at 60 Hz; that time is
given too, and so are steps with a key at every refresh, where the time to decode a frame counts. CPU time depends less
on what else the machine does. Then: playback with prefetch, memory over many steps, and the time from a slider's key to
new figures in ThresholdLab.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.browser import lab

REPOSITORY = Path(__file__).resolve().parents[1]

SETUP = """
import cv2, ipywidgets, os, psutil, warnings
import numpy as np, pandas as pd
import fairmot_lab as fl
from fairmot_lab.sources.images import encode_jpeg
warnings.simplefilter("ignore")
source = fl.open_source({sequence!r})
generator = np.random.default_rng(0)
rows = []
for person in range(40):
    x, y, vx = generator.uniform(0, 1700), generator.uniform(100, 700), generator.uniform(-1, 1)
    rows += [(n, person + 1, x + vx * n, y, 80.0, 220.0, 0.9) for n in range(1, len(source) + 1)]
tracks = pd.DataFrame(rows, columns=["frame", "id", "x", "y", "w", "h", "score"]).sort_values("frame")
by_frame = dict(list(tracks.groupby("frame")))
def rss(): return psutil.Process().memory_info().rss / 1e6
"""
PLAYER = "player = fl.widgets.TrackPlayer(source, tracks=tracks)\nplayer"
IMAGE = """
slider = ipywidgets.IntSlider(1, 1, len(source), description="frame")
picture = ipywidgets.Image(format="jpeg")
def show(_):
    image = fl.drawing.draw_tracks(source.image(slider.value), by_frame[slider.value])
    picture.value = cv2.imencode(".jpg", image)[1].tobytes()
slider.observe(show, "value")
show(None)
ipywidgets.VBox([slider, picture])
"""
LAB = """
from fairmot_lab.detection.cache import open_detections
laboratory = fl.widgets.ThresholdLab(detections=open_detections({detections!r}), ground_truth=source.ground_truth)
laboratory
"""

HELD = 33  # milliseconds between the keys of a key that is held
# Each step: a key, the event that tells the picture is there, the next refresh of the screen; times in milliseconds.
STEP_PLAYER = """async ([n, pace]) => {
  const root = document.querySelector('.fml-player'), canvas = root.querySelector('.fml-screen'), times = [];
  for (let i = 0; i < n; i++) {
    const key = root.player.frame >= root.player.last ? 'Home' : 'ArrowRight';
    const ready = root.player.store.ready(root.player.frame + 1), start = performance.now();
    const painted = new Promise(resolve => {
      const watch = new MutationObserver(() => {
        if (+canvas.dataset.frame === root.player.frame) { watch.disconnect(); resolve(); }
      });
      watch.observe(canvas, {attributes: true, attributeFilter: ['data-frame']});
    });
    root.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
    await painted;
    const drawn = performance.now() - start;
    await new Promise(requestAnimationFrame);
    times.push([drawn, performance.now() - start, ready]);
    await new Promise(resolve => setTimeout(resolve, Math.max(0, pace - (performance.now() - start))));
  }
  return times; }"""
STEP_IMAGE = """async ([n, pace]) => {
  const handle = document.querySelector('.widget-slider .noUi-handle'), times = [];
  const image = document.querySelector('img.widget-image');
  for (let i = 0; i < n; i++) {
    const start = performance.now();
    const loaded = new Promise(resolve => image.addEventListener('load', resolve, {once: true}));
    handle.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight', bubbles: true, cancelable: true}));
    await loaded;
    await image.decode();
    const drawn = performance.now() - start;
    await new Promise(requestAnimationFrame);
    times.push([drawn, performance.now() - start]);
    await new Promise(resolve => setTimeout(resolve, Math.max(0, pace - (performance.now() - start))));
  }
  return times; }"""
PLAY = """async n => {
  const player = document.querySelector('.fml-player').player;
  const until = done => new Promise(resolve => {
    const poll = () => done() ? resolve() : requestAnimationFrame(poll);
    poll();
  });
  player.go(1);
  await until(() => player.store.has(8));
  const before = {...player.counts}, start = performance.now();
  player.play(true);
  await until(() => player.frame >= n || !player.playing);
  const seconds = (performance.now() - start) / 1000, passed = player.frame - 1, counts = player.counts;
  player.play(false);
  return {seconds, passed, painted: counts.painted - before.painted, dropped: counts.dropped - before.dropped}; }"""
DRAG = """async n => {
  const handle = document.querySelector('.widget-slider .noUi-handle'), times = [];
  const table = document.querySelector('.fml-table tbody');
  for (let i = 0; i < n; i++) {
    const start = performance.now(), key = i % 2 ? 'ArrowLeft' : 'ArrowRight';
    const changed = new Promise(resolve => {
      const watch = new MutationObserver(() => { watch.disconnect(); resolve(); });
      watch.observe(table, {childList: true});
    });
    handle.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
    await changed;
    times.push(performance.now() - start);
    await new Promise(resolve => setTimeout(resolve, 400));
  }
  return times; }"""


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("sequence", nargs="?", default=str(_default_sequence()))
    arguments.add_argument("--steps", type=int, default=1000, help="steps of the memory test")
    arguments.add_argument("--detections", help="kept detections of the sequence; its public detections by default")
    options = arguments.parse_args()
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}; {Path(options.sequence).name}, 40 boxes", flush=True)
    setup = SETUP.format(sequence=options.sequence)
    with tempfile.TemporaryDirectory() as root, lab.jupyterlab(Path(root)) as server, lab.chromium() as browser:
        peer, peer_cpu = _measure_image(browser, server, setup)
        ours, our_cpu = _measure_player(browser, server, setup, options.steps)
        for words, k in (("the picture is drawn", 0), ("the screen's next refresh", 1)):
            player, image = ours[:, k], peer[:, k]
            ratio = np.median(image) / np.median(player)
            print(f"key until {words}: TrackPlayer {_ms(player)}, ipywidgets.Image {_ms(image)}: {ratio:.1f} x")
        print(
            f"CPU a step (browser, server and kernel): TrackPlayer {our_cpu * 1000:.0f} ms, "
            f"ipywidgets.Image {peer_cpu * 1000:.0f} ms: {peer_cpu / our_cpu:.1f} x",
            flush=True,
        )
        _measure_lab(browser, server, setup, options.detections or options.sequence)
        print(f"load at the end {os.getloadavg()[0]:.1f}")


def _measure_player(browser: Any, server: lab.Server, setup: str, steps: int) -> tuple[np.ndarray, float]:
    with _open(browser, server, [setup, PLAYER]) as book:
        book.until("() => document.querySelector('.fml-screen')?.dataset.frame === '1'")
        book.page.evaluate(STEP_PLAYER, [5, HELD])
        start = _cpu()
        times = np.array(book.page.evaluate(STEP_PLAYER, [60, HELD]))
        cpu = (_cpu() - start) / len(times)
        fast = np.array(book.page.evaluate(STEP_PLAYER, [60, 0]))
        for words, (drawn, _, ready) in (("30 keys a second", times.T), ("a key at every refresh", fast.T)):
            print(f"{words}: {ready.sum():.0f} of {len(ready)} frames were decoded ahead, drawn in {_ms(drawn)}")
        start = _cpu()
        played = book.page.evaluate(PLAY, 150)
        painted, passed, seconds = played["painted"], played["passed"], played["seconds"]
        print(
            f"playback at 1 x: {passed / seconds:.1f} frames a second gone by, {painted / seconds:.1f} painted, "
            f"{played['dropped']} of {passed} dropped, {(_cpu() - start) / painted * 1000:.0f} ms CPU a painted frame",
            flush=True,
        )
        if steps:
            book.page.evaluate(STEP_PLAYER, [100, 0])
            first = _memory(book)
            book.page.evaluate(STEP_PLAYER, [steps, 0])
            last = _memory(book)
            print(
                f"memory over {steps} steps: browser {first[0]:.0f} -> {last[0]:.0f} MB, "
                f"kernel {first[1]:.0f} -> {last[1]:.0f} MB",
                flush=True,
            )
        return times, cpu


def _measure_image(browser: Any, server: lab.Server, setup: str) -> tuple[np.ndarray, float]:
    with _open(browser, server, [setup, IMAGE]) as book:
        book.page.locator("img.widget-image").wait_for()
        book.page.evaluate(STEP_IMAGE, [5, HELD])
        start = _cpu()
        times = np.array(book.page.evaluate(STEP_IMAGE, [30, HELD]))
        return times, (_cpu() - start) / len(times)


def _measure_lab(browser: Any, server: lab.Server, setup: str, detections: str) -> None:
    with _open(browser, server, [setup, LAB.format(detections=detections)]) as book:
        book.page.locator(".fml-table tbody tr").first.wait_for()
        start = float(book.kernel("import time; print(time.process_time())"))
        times = np.array(book.page.evaluate(DRAG, 12))
        cpu = (float(book.kernel("print(time.process_time())")) - start) / len(times)
        print(
            f"ThresholdLab, key on a slider to new figures: {_ms(times)} (wanted: 100 ms); "
            f"{cpu * 1000:.0f} ms CPU of the kernel, ID switches and all"
        )


class _open:
    """A notebook that is run when entered and closed when left."""

    def __init__(self, browser: Any, server: lab.Server, cells: list[str]) -> None:
        self.browser, self.server, self.cells = browser, server, cells

    def __enter__(self) -> lab.Notebook:
        self.server.write("benchmark.ipynb", self.cells)
        self.book = lab.Notebook(self.browser, self.server, "benchmark.ipynb")
        self.book.run()
        return self.book

    def __exit__(self, *_: object) -> None:
        self.book.close()


def _memory(book: lab.Notebook) -> tuple[float, float]:
    """Megabytes of the browser's processes together (after a collection of garbage) and of the kernel."""
    book.page.evaluate("() => window.gc && window.gc()")
    children = psutil.Process().children(recursive=True)
    total = sum(p.memory_info().rss for p in _alive(children) if "chrom" in p.name())
    return total / 1e6, float(book.kernel("import gc; gc.collect(); print(rss())"))


def _cpu() -> float:
    """CPU seconds of all that runs for this benchmark, itself left out."""
    return sum(sum(p.cpu_times()[:2]) for p in _alive(psutil.Process().children(recursive=True)))


def _alive(processes: list[psutil.Process]) -> Iterator[psutil.Process]:
    for process in processes:
        try:
            process.memory_info()
            yield process
        except psutil.Error:
            continue


def _ms(times: np.ndarray) -> str:
    return f"{np.median(times):.0f} ms (90 %: {np.quantile(times, 0.9):.0f})"


def _default_sequence() -> Path:
    data = Path(os.environ.get("FAIRMOT_LAB_DATA", REPOSITORY.parent / "shared" / "data"))
    return data / "MOT17" / "train" / "MOT17-09-SDP"


if __name__ == "__main__":
    main()
