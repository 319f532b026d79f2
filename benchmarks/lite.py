"""The bundled model, beside what one would pick on a CPU otherwise: one run, whole sequences, one table.

    python benchmarks/lite.py --data DIR [--earlier CHECKOUT] [--frames N] [--peer-frames N]

Beside it: the bundled model of version 0.1, if CHECKOUT holds that version (`git worktree add CHECKOUT fee2791`), in a
process of its own; YOLOX-nano as published (`pretrained/yolox_nano_coco.onnx` in DIR, at its 416x416), whose boxes the
same tracker associates by overlap; and OpenCV's HOG people detector (its default settings) with ByteTrack. HOG's scores
are margins; three thresholds on them are tried and the best MOTA is shown, which favours HOG. All read the same frames
and are timed end to end: reading and decoding the frame, finding people, tracking. `detect()` keeps the detections in a
file instead. Speed: frames a second by the wall clock, and CPU milliseconds a frame, which a busy machine changes less.
MOTA and IDF1: protocol motchallenge.

Sequences in DIR (the layout of MOT17/train, MOT15/train, video/vtest.avi): the bundled weights were trained on all of
them, so that their figures show the fit and not what to expect elsewhere: that is in docs/models/fairmot_lite.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

import fairmot_lab as fl
from fairmot_lab.data import FrameDetections, FrameTracks
from fairmot_lab.sources.folders import SequenceSource, image_files

MARGINS = (0.2, 0.5, 0.8)
COLUMNS = list("xywh")

# run by version 0.1 with: path, threads, frame rate, last frame, file for the tracks
EARLIER = """
import json, sys, time
import pandas as pd
from fairmot_lab.association import Tracker, TrackerConfig
from fairmot_lab.network import load_model
from fairmot_lab.sources import open_source

path, threads, rate, last, output = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
source, model = open_source(path), load_model("fairmot_lite", threads=threads)
def run(last):
    tracker, parts = Tracker(TrackerConfig(), rate), []
    for frame, detections in model.run(source.frames(1, last)):
        result = tracker.update(detections)
        part = pd.DataFrame(result.boxes, columns=list("xywh"))
        parts.append(part.assign(frame=frame.number, id=result.ids, score=result.scores, class_id=1))
    return pd.concat(parts, ignore_index=True)
run(min(2, last))
wall, cpu = time.perf_counter(), time.process_time()
tracks = run(last)
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
tracks.to_csv(output, index=False)
print("\\n" + json.dumps([wall, cpu]))
"""


def table(results: Iterable[tuple[int, FrameTracks]]) -> pd.DataFrame:
    """Return the tracks of all frames in one table."""
    parts = []
    for number, result in results:
        part = pd.DataFrame(np.asarray(result.boxes, float).reshape(-1, 4), columns=COLUMNS)
        part.insert(0, "frame", number)
        part.insert(1, "id", np.asarray(result.ids, np.int64))
        parts.append(part.assign(score=np.asarray(result.scores, float), class_id=1))
    return pd.concat(parts, ignore_index=True)


def detector(model: fl.Detector, source: fl.Source, last: int) -> list[pd.DataFrame]:
    """A detector and FairMOT's tracker with its default settings."""
    tracker = fl.get_tracker("jde", frame_rate=source.frame_rate)
    with contextlib.closing(model.run(source.frames(1, last))) as results:  # type: ignore[type-var]
        return [table((detections.frame, tracker.update(detections)) for detections in results)]


def hog(source: fl.Source, threads: int, last: int) -> list[pd.DataFrame]:
    """HOG and ByteTrack, for each of the thresholds."""
    cv2.setNumThreads(threads)
    finder = cv2.HOGDescriptor()
    finder.setSVMDetector(cv2.HOGDescriptor_getDefaultPeopleDetector())
    settings = [{"track_thresh": margin, "low_thresh": margin / 2} for margin in MARGINS]
    trackers = [fl.get_tracker("bytetrack", frame_rate=source.frame_rate, **one) for one in settings]
    results: list[list[tuple]] = [[] for _ in trackers]
    for frame in source.frames(1, last):
        boxes, margins = finder.detectMultiScale(frame.image, winStride=(8, 8), scale=1.05)
        boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
        boxes = boxes * (1, 1, 0.8, 0.8) + boxes[:, [2, 3, 2, 3]] * (0.1, 0.07, 0, 0)  # its windows have margins
        scores = np.clip(np.asarray(margins, np.float32).reshape(-1), 0.001, 1)
        order = np.argsort(-scores, kind="stable")
        found = FrameDetections(frame.number, boxes[order].astype(np.float32), scores[order])
        for tracker, rows in zip(trackers, results, strict=True):
            rows.append((frame.number, tracker.update(found)))
    return [table(rows) for rows in results]


def read(source: fl.Source, last: int) -> list[pd.DataFrame]:
    """Read and decode the frames, and nothing else."""
    for _ in source.frames(1, last):
        pass
    return []


def imread(files: list[Path], last: int) -> list[pd.DataFrame]:
    """Read and decode images whole, one after the other, with cv2.imread."""
    for path in files[:last]:
        cv2.imread(str(path))
    return []


def keep(model: fl.Detector, source: fl.Source) -> list[pd.DataFrame]:
    """Detect all frames into a file."""
    with tempfile.TemporaryDirectory() as folder:
        fl.detect(source, model, folder, progress=False)
    return []


def measured(run: Callable[[int], list[pd.DataFrame]], last: int) -> tuple[list[pd.DataFrame], float, float]:
    """Return tables, wall seconds and CPU seconds, after a start on two frames."""
    run(min(2, last))
    wall, cpu = time.perf_counter(), time.process_time()
    tables = run(last)
    return tables, time.perf_counter() - wall, time.process_time() - cpu


def earlier(checkout: Path, source: fl.Source, threads: int, last: int) -> tuple[list[pd.DataFrame], float, float]:
    """As `measured`, by version 0.1 in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "tracks.csv")
        words = [str(Path(str(source.path)).resolve()), str(threads), str(source.frame_rate), str(last), str(output)]
        command = [sys.executable, "-c", EARLIER, *words]
        environment = os.environ | {"PYTHONPATH": str(checkout.resolve())}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=checkout)
        if done.returncode:
            sys.exit(f"version 0.1 in {checkout} fails: {done.stderr.strip().splitlines()[-1]}")
        wall, cpu = json.loads(done.stdout.strip().splitlines()[-1])
        return [pd.read_csv(output)], wall, cpu


def figures(tables: list[pd.DataFrame], name: str, truth: pd.DataFrame, last: int) -> tuple[float, float]:
    """Return MOTA and IDF1 of the table with the best MOTA."""
    best = (-np.inf, 0.0)
    for tracks in tables:
        row = fl.evaluate({name: tracks}, {name: truth}, protocol="motchallenge", frames=(1, last)).summary.iloc[-1]
        best = max(best, (float(row["mota"]), float(row["idf1"])))
    return best


def sequences(data: Path) -> Iterator[tuple[fl.Source, pd.DataFrame]]:
    """Yield what is found of the sequences, with ground truth."""
    folders = ("MOT15/train/KITTI-17", "MOT15/train/TUD-Stadtmitte", "MOT17/train/MOT17-09-SDP")
    for folder in (data / name for name in folders):
        if (folder / "img1").is_dir():
            source = fl.open_source(folder)
            yield source, source.ground_truth
    video, truth = data / "video" / "vtest.avi", data / "MOT15" / "train" / "PETS09-S2L1" / "gt" / "gt.txt"
    if video.exists() and truth.exists():
        yield fl.open_source(video, frame_rate=7), fl.read_mot(truth, "ground_truth")


def main() -> None:
    """Print one row for each sequence, number of threads and way to find people."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--earlier", type=Path, metavar="CHECKOUT", help="version 0.1 of the project")
    parser.add_argument("--frames", type=int, default=10_000, metavar="N", help="at most so many of each sequence")
    parser.add_argument("--peer-frames", type=int, metavar="N", help="at most so many for version 0.1 and HOG")
    options = parser.parse_args()
    warnings.simplefilter("ignore", fl.FairMOTLabWarning)
    print(f"{os.cpu_count()} cores; load {os.getloadavg()[0]:.1f} at the start", flush=True)
    yolox = options.data / "pretrained" / "yolox_nano_coco.onnx"
    rows: list[dict] = []
    for source, truth in sequences(options.data):
        last = min(options.frames, len(source))
        few = min(last, options.peer_frames or last)
        for threads in (1, 2):
            lite = fl.load_model("fairmot_lite", threads=threads)
            nano = fl.load_detector(yolox, score_floor=0.05, nms_iou=0.5, threads=threads)
            ways: dict[str, tuple[int, Callable[[], tuple[list[pd.DataFrame], float, float]]]] = {}

            def add(name: str, length: int, run: Callable[[int], list[pd.DataFrame]], ways: dict = ways) -> None:
                ways[name] = length, lambda: measured(run, length)

            if threads == 1:
                add("reading alone", last, lambda last, source=source: read(source, last))
                if isinstance(source, SequenceSource):
                    files = image_files(source.folder)
                    add("reading, cv2.imread", last, lambda last, files=files: imread(files, last))
            add("fairmot_lite", last, lambda last, model=lite, source=source: detector(model, source, last))
            if last == len(source):
                add("fairmot_lite, detect()", last, lambda _, model=lite, source=source: keep(model, source))
            add("YOLOX-nano", last, lambda last, model=nano, source=source: detector(model, source, last))
            add("HOG", few, lambda last, source=source, threads=threads: hog(source, threads, last))
            if options.earlier:
                arguments = (options.earlier, source, threads, few)
                ways["version 0.1"] = few, lambda arguments=arguments: earlier(*arguments)
            for name, (length, way) in ways.items():
                tables, wall, cpu = way()
                mota, idf1 = figures(tables, source.name, truth, length) if tables else (np.nan, np.nan)
                place = {"sequence": source.name, "size": f"{source.width}x{source.height}", "frames": length}
                speed = {"frames/s": length / wall, "CPU ms": 1e3 * cpu / length}
                rows.append(place | {"way": name, "threads": threads} | speed | {"MOTA": mota, "IDF1": idf1})
                said = ", ".join(f"{value:.1f} {unit}" for unit, value in speed.items())
                print(f"{source.name}: {name}, {threads} thread(s): {said}", file=sys.stderr, flush=True)
    result = pd.DataFrame(rows)
    one = result[result["threads"] == 1].set_index(["sequence", "way"])["frames/s"]
    for title, way in (("times reading", "reading alone"), ("times imread", "reading, cv2.imread")):
        reading = one[one.index.get_level_values("way") == way].droplevel("way")
        result[title] = result["sequence"].map(reading) / result["frames/s"]
    keys = pd.MultiIndex.from_frame(result[["sequence", "way"]])
    result["of one thread"] = result["frames/s"] / one.reindex(keys).to_numpy()
    digits = {"frames/s": 1, "CPU ms": 1, "MOTA": 3, "IDF1": 3}
    digits |= dict.fromkeys(("times reading", "times imread", "of one thread"), 2)
    formats = {name: lambda value, n=n: "" if np.isnan(value) else f"{value:.{n}f}" for name, n in digits.items()}
    print(result.to_string(index=False, formatters=formats))


if __name__ == "__main__":
    main()
