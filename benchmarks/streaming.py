"""A long run in constant memory: resident memory and speed over 10,000 frames, with text, outputs and video written.

    python benchmarks/streaming.py [--frames 10000] [--source VIDEO] [--size 960x540] [--threads N] [--stand-in]

The source is an endless iterator (frames of a video, or drawn figures, in a loop), so nothing is known beforehand and
nothing can be fetched again. The peer is ppdet's JDETracker on the outputs that our run kept.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import psutil

import fairmot_lab as fl
from fairmot_lab.contrib.counting import Counter, Line
from fairmot_lab.pipeline import track_files

WARM_UP = 500
LIMIT = 50  # MB that resident memory may grow by after the warm-up


def pictures(source: str | None, size: tuple[int, int]) -> list[np.ndarray]:
    """A minute of frames at most, to be shown in a loop."""
    if source is not None:
        frames = fl.open_source(source).frames(1, 300)
        return [cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA) for frame in frames]
    random = np.random.default_rng(0)
    ground = cv2.resize(random.integers(60, 200, (27, 48, 3), np.uint8), size, interpolation=cv2.INTER_CUBIC)
    shown = []
    for number in range(100):
        image = ground.copy()
        for walker in range(12):
            x = int((walker * 83 + number * (3 + walker % 4)) % size[0])
            y = size[1] // 3 + walker * 11
            cv2.ellipse(image, (x, y), (14, 40), 0, 0, 360, (20 * walker, 40, 240 - 20 * walker), -1)
        shown.append(image)
    return shown


class StandIn:
    """Says of every frame that twelve people walk in it, without looking."""

    name = architecture = engine = "stand-in"
    weights_sha256 = "0" * 64
    input_size = (576, 320)
    embedding_dim = 64
    versions: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._box = fl.Letterbox.fit(size, self.input_size)
        self._looks = np.random.default_rng(1).normal(size=(12, 64)).astype(np.float32)
        self._looks /= np.linalg.norm(self._looks, axis=1, keepdims=True)

    def __repr__(self) -> str:
        return "<a stand-in for the network>"

    def run(self, frames: Iterable[fl.Frame], **_: object) -> Iterator[tuple[fl.Frame, fl.FrameDetections]]:
        width, height = self._size
        for frame in frames:
            walker = np.arange(12)
            x = (walker * width / 12 + frame.number * (1 + walker % 4)) % width
            y = height / 4 + walker * height / 24
            size = np.full(12, 24.0)
            boxes = np.stack([x, y, size, 2.5 * size], axis=1).astype(np.float32)
            scores = np.linspace(0.9, 0.6, 12).astype(np.float32)
            heatmap = np.zeros((80, 144), np.float32)
            heatmap[40, frame.number % 144] = 0.9
            peaks = np.zeros((12, 2), np.int64)
            classes = np.zeros(12, np.int64)
            looks = self._looks.copy()
            yield (
                frame,
                fl.FrameDetections(frame.number, boxes, scores, looks, classes, heatmap, None, self._box, peaks),
            )


class Watch:
    """Passes frames on and notes resident memory and processor time on the way."""

    def __init__(self, images: list[np.ndarray], frames: int) -> None:
        self._images, self._frames = images, frames
        self._process = psutil.Process()
        self.notes: list[tuple[int, float, float, float]] = []

    def __iter__(self) -> Iterator[np.ndarray]:
        for number, image in enumerate(itertools.islice(itertools.cycle(self._images), self._frames), 1):
            if number == WARM_UP or number % 1000 == 0 or number == self._frames:
                self.note(number)
            yield image

    def note(self, number: int) -> None:
        memory = self._process.memory_info().rss / 2**20
        self.notes.append((number, memory, time.process_time(), time.perf_counter()))
        print(f"frame {number:6d}: {memory:7.1f} MB resident", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--source", help="a video whose first 300 frames are shown in a loop (default: drawn figures)")
    parser.add_argument("--size", default="960x540")
    parser.add_argument("--threads", type=int, help="threads of the network (default: all cores)")
    parser.add_argument("--stand-in", action="store_true", help="a stand-in for the network: everything else alone")
    parser.add_argument("--no-video", action="store_true")
    options = parser.parse_args()
    width, height = (int(side) for side in options.size.split("x"))
    images = pictures(options.source, (width, height))
    model = StandIn((width, height)) if options.stand_in else fl.load_model(threads=options.threads)
    print(f"{model!r}, frames of {width}x{height}", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        watch = Watch(images, options.frames)
        source = fl.open_source(iter(watch), name="loop", frame_rate=30)
        counter = Counter(lines={"gate": Line((0, height / 2), (width, height / 2))})
        report = track_files(
            source, None, folder, model=model, video=not options.no_video, counter=counter, progress=False
        )
        watch.note(report.frames)
        (first, before, cpu_before, wall_before), (last, after, cpu_after, wall_after) = watch.notes[0], watch.notes[-1]
        peak = max(memory for _, memory, _, _ in watch.notes)
        frames = last - first
        print(f"{report.frames} frames, {report.rows} boxes of {report.ids} tracks")
        print(
            f"resident memory after frame {first}: {after - before:+.1f} MB at the end, {peak - before:+.1f} MB at most"
        )
        print(f"limit: {LIMIT} MB; {'kept' if peak - before < LIMIT else 'BROKEN'}")
        print(f"{1000 * (cpu_after - cpu_before) / frames:.1f} ms of processor time a frame, ", end="")
        print(f"{frames / (wall_after - wall_before):.1f} frames/s by the clock")
        for file in sorted(folder.iterdir()):
            print(f"  {file.name}: {file.stat().st_size / 2**20:.1f} MB")
        compare(report.detections)


def compare(outputs: Path | None) -> None:
    """Memory and processor time of our tracker and of ppdet's, over the same outputs."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
    from ppdet_oracle import reference

    process = psutil.Process()
    figures = {}
    for name, tracker in (("fairmot_lab", fl.JDETracker()), ("ppdet", reference(fl.JDETracker()))):
        kept = fl.open_detections(outputs)
        cpu, memory = 0.0, None
        for frame in kept:
            start = time.process_time()
            tracker.update(frame)
            cpu += time.process_time() - start
            if frame.frame == WARM_UP:
                memory = process.memory_info().rss
        grown = (process.memory_info().rss - (memory or 0)) / 2**20
        figures[name] = 1000 * cpu / len(kept)
        print(f"{name:12s} tracker: {figures[name]:.2f} ms a frame, memory {grown:+.1f} MB after frame {WARM_UP}")
    print(f"ratio ppdet / fairmot_lab: {figures['ppdet'] / figures['fairmot_lab']:.1f} in processor time")


if __name__ == "__main__":
    main()
