"""The bundled model with the tracker, beside what one would pick on a CPU otherwise, in one run.

    python benchmarks/lite.py --data DIR [--frames N]

The other is OpenCV's HOG people detector (its default settings: stride 8, scale 1.05) with ppdet's own tracker. HOG has
no embeddings, so the tracker associates by overlap (BYTE). HOG's scores are margins; three thresholds on them are tried
and the best MOTA is shown, which favours HOG. Both read the same frames, and are timed end to end: reading and decoding
the frame, finding people, tracking. Speed: frames a second by the wall clock, with CPU seconds a frame beside it, which
a busy machine does not change. MOTA and IDF1: protocol motchallenge.

Sequences in DIR (the layout of MOT17/train, MOT15/train, video/vtest.avi): KITTI-17 was not trained on; MOT17-09 and
vtest.avi were, so that their figures show the fit and not what to expect elsewhere.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import cv2
import numpy as np
import pandas as pd
from ppdet_oracle import reference

from fairmot_lab.association import get_tracker
from fairmot_lab.data import FrameDetections, FrameTracks
from fairmot_lab.detection.model import load_model
from fairmot_lab.errors import FairMOTLabWarning
from fairmot_lab.evaluation.evaluate import evaluate
from fairmot_lab.formats.mot import read_mot
from fairmot_lab.sources.base import Source
from fairmot_lab.sources.open import open_source

MARGINS = (0.2, 0.5, 0.8)


def table(results: Iterable[tuple[int, FrameTracks]]) -> pd.DataFrame:
    """The tracks of all frames in one table."""
    parts = []
    for number, result in results:
        part = pd.DataFrame(np.asarray(result.boxes, float).reshape(-1, 4), columns=list("xywh"))
        part.insert(0, "frame", number)
        part.insert(1, "id", np.asarray(result.ids, np.int64))
        parts.append(part.assign(score=np.asarray(result.scores, float), class_id=1))
    return pd.concat(parts, ignore_index=True)


def ours(source: Source, threads: int, last: int) -> list[pd.DataFrame]:
    """The bundled model and the project's tracker, default settings."""
    model, tracker = load_model("fairmot_lite", threads=threads), get_tracker("jde", frame_rate=source.frame_rate)
    return [table((frame.number, tracker.update(outputs)) for frame, outputs in model.run(source.frames(1, last)))]


def hog(source: Source, threads: int, last: int) -> list[pd.DataFrame]:
    """HOG and ppdet's tracker, for each of the thresholds."""
    cv2.setNumThreads(threads)
    detector = cv2.HOGDescriptor()
    detector.setSVMDetector(cv2.HOGDescriptor_getDefaultPeopleDetector())
    trackers = [
        reference(get_tracker("ppdet_byte", conf_thres=margin, low_conf_thres=margin / 2)).clone(source.frame_rate)
        for margin in MARGINS
    ]
    results: list[list[tuple]] = [[] for _ in trackers]
    for frame in source.frames(1, last):
        boxes, margins = detector.detectMultiScale(frame.image, winStride=(8, 8), scale=1.05)
        boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
        boxes = boxes * (1, 1, 0.8, 0.8) + boxes[:, [2, 3, 2, 3]] * (0.1, 0.07, 0, 0)  # its windows have margins
        scores = np.clip(np.asarray(margins, np.float32).reshape(-1), 0.001, 1)
        boxes = boxes.astype(np.float32)
        order = np.argsort(-scores, kind="stable")
        outputs = FrameDetections(frame.number, boxes[order], scores[order], class_ids=np.zeros(len(order), np.int64))
        for tracker, rows in zip(trackers, results, strict=True):
            rows.append((frame.number, tracker.update(outputs)))
    return [table(rows) for rows in results]


def measured(run: Callable[[Source, int, int], list[pd.DataFrame]], source: Source, threads: int, last: int):
    """Tables, frames a second and CPU seconds a frame, the model's loading left out."""
    run(source, threads, min(2, last))
    wall, cpu = time.perf_counter(), time.process_time()
    tables = run(source, threads, last)
    return tables, last / (time.perf_counter() - wall), (time.process_time() - cpu) / last


def figures(tables: list[pd.DataFrame], name: str, truth: pd.DataFrame, last: int) -> tuple[float, float]:
    """MOTA and IDF1 of the table with the best MOTA."""
    best = (-np.inf, 0.0)
    for tracks in tables:
        row = evaluate({name: tracks}, {name: truth}, protocol="motchallenge", frames=(1, last)).summary.iloc[-1]
        best = max(best, (float(row["mota"]), float(row["idf1"])))
    return best


def sequences(data: Path) -> Iterator[tuple[str, Source, pd.DataFrame]]:
    """What is found of the three sequences, with ground truth."""
    for folder in (data / "MOT15" / "train" / "KITTI-17", data / "MOT17" / "train" / "MOT17-09-SDP"):
        if (folder / "img1").is_dir():
            source = open_source(folder)
            yield f"{source.name} ({source.width}x{source.height} JPEG)", source, source.ground_truth
    video, truth = data / "video" / "vtest.avi", data / "MOT15" / "train" / "PETS09-S2L1" / "gt" / "gt.txt"
    if video.exists() and truth.exists():
        source = open_source(video, frame_rate=7)
        yield f"vtest.avi ({source.width}x{source.height})", source, read_mot(truth, "ground_truth")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--frames", type=int, default=10_000, metavar="N", help="at most so many of each sequence")
    parser.add_argument("--peer-frames", type=int, metavar="N", help="at most so many for HOG, which is slow")
    options = parser.parse_args()
    warnings.simplefilter("ignore", FairMOTLabWarning)
    print(f"{os.cpu_count()} cores; load {os.getloadavg()[0]:.1f}")
    for title, source, truth in sequences(options.data):
        last = min(options.frames, len(source))
        print(f"\n{title}, {last} frames")
        speed = {}
        for name, run in (("fairmot_lite + Tracker", ours), ("HOG + ppdet JDETracker", hog)):
            length = min(last, options.peer_frames or last) if run is hog else last
            for threads in (1, 2):
                tables, rate, cpu = measured(run, source, threads, length)
                speed[name, threads] = rate
                mota, idf1 = figures(tables, source.name, truth, length)
                quality = f"MOTA {mota:6.3f}  IDF1 {idf1:.3f}" + (f"  ({length} frames)" if length != last else "")
                print(
                    f"  {name:24} {threads} thread(s) {rate:7.1f} frames/s  {1e3 * cpu:7.1f} ms CPU a frame  {quality}"
                )
        names = list(dict.fromkeys(name for name, _ in speed))
        ratios = [speed[names[0], threads] / speed[names[1], threads] for threads in (1, 2)]
        print(f"  ours / HOG: {ratios[0]:.1f} x on one thread, {ratios[1]:.1f} x on two")


if __name__ == "__main__":
    main()
