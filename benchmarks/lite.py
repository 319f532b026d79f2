"""The bundled model, beside what one would pick on a CPU otherwise, in one run.

    python benchmarks/lite.py --data DIR [--frames N]

Beside it: YOLOX-nano as published (`pretrained/yolox_nano_coco.onnx` in DIR, at its 416x416), whose boxes the same
tracker associates by overlap, and OpenCV's HOG people detector (its default settings) with ByteTrack. HOG's scores are
margins; three thresholds on them are tried and the best MOTA is shown, which favours HOG. All read the same frames and
are timed end to end: reading and decoding the frame, finding people, tracking. Speed: frames a second by the wall
clock, with CPU milliseconds a frame beside it, which a busy machine changes less. MOTA and IDF1: protocol motchallenge.

Sequences in DIR (the layout of MOT17/train, MOT15/train, video/vtest.avi): the bundled weights were trained on all of
them, so that their figures show the fit and not what to expect elsewhere: that is in docs/models/fairmot_lite.md.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

import fairmot_lab as fl
from fairmot_lab.data import FrameDetections, FrameTracks

MARGINS = (0.2, 0.5, 0.8)


def table(results: Iterable[tuple[int, FrameTracks]]) -> pd.DataFrame:
    """Return the tracks of all frames in one table."""
    parts = []
    for number, result in results:
        part = pd.DataFrame(np.asarray(result.boxes, float).reshape(-1, 4), columns=list("xywh"))
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


def measured(run: Callable[[int], list[pd.DataFrame]], last: int) -> tuple[list[pd.DataFrame], float, float]:
    """Return tables, frames a second and CPU seconds a frame, after a start on two frames."""
    run(min(2, last))
    wall, cpu = time.perf_counter(), time.process_time()
    tables = run(last)
    return tables, last / (time.perf_counter() - wall), (time.process_time() - cpu) / last


def figures(tables: list[pd.DataFrame], name: str, truth: pd.DataFrame, last: int) -> tuple[float, float]:
    """Return MOTA and IDF1 of the table with the best MOTA."""
    best = (-np.inf, 0.0)
    for tracks in tables:
        row = fl.evaluate({name: tracks}, {name: truth}, protocol="motchallenge", frames=(1, last)).summary.iloc[-1]
        best = max(best, (float(row["mota"]), float(row["idf1"])))
    return best


def sequences(data: Path) -> Iterator[tuple[str, fl.Source, pd.DataFrame]]:
    """Yield what is found of the sequences, with ground truth."""
    folders = ("MOT15/train/KITTI-17", "MOT15/train/TUD-Stadtmitte", "MOT17/train/MOT17-09-SDP")
    for folder in (data / name for name in folders):
        if (folder / "img1").is_dir():
            source = fl.open_source(folder)
            yield f"{source.name} ({source.width}x{source.height} JPEG)", source, source.ground_truth
    video, truth = data / "video" / "vtest.avi", data / "MOT15" / "train" / "PETS09-S2L1" / "gt" / "gt.txt"
    if video.exists() and truth.exists():
        source = fl.open_source(video, frame_rate=7)
        yield f"vtest.avi ({source.width}x{source.height})", source, fl.read_mot(truth, "ground_truth")


def main() -> None:
    """Print one block for each sequence."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--frames", type=int, default=10_000, metavar="N", help="at most so many of each sequence")
    parser.add_argument("--peer-frames", type=int, metavar="N", help="at most so many for HOG, which is slow")
    options = parser.parse_args()
    warnings.simplefilter("ignore", fl.FairMOTLabWarning)
    print(f"{os.cpu_count()} cores; load {os.getloadavg()[0]:.1f}")
    yolox = options.data / "pretrained" / "yolox_nano_coco.onnx"
    for title, source, truth in sequences(options.data):
        last = min(options.frames, len(source))
        print(f"\n{title}, {last} frames")
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in source.frames(1, last):
            pass
        rate, spent = last / (time.perf_counter() - wall), (time.process_time() - cpu) / last
        print(f"  {'reading alone':16} 1 thread(s)  {rate:7.1f} frames/s  {1e3 * spent:7.1f} ms CPU a frame")
        for threads in (1, 2):
            models: dict[str, Callable[[int], list[pd.DataFrame]]] = {}
            for name, model in (
                ("fairmot_lite", fl.load_model("fairmot_lite", threads=threads)),
                ("YOLOX-nano", fl.load_detector(yolox, score_floor=0.05, nms_iou=0.5, threads=threads)),
            ):
                models[name] = lambda last, model=model, source=source: detector(model, source, last)
            models["HOG"] = lambda last, source=source, threads=threads: hog(source, threads, last)
            for name, run in models.items():
                length = min(last, options.peer_frames or last) if name == "HOG" else last
                tables, rate, spent = measured(run, length)
                mota, idf1 = figures(tables, source.name, truth, length)
                quality = f"MOTA {mota:6.3f}  IDF1 {idf1:.3f}" + (f"  ({length} frames)" if length != last else "")
                speed = f"{rate:7.1f} frames/s  {1e3 * spent:7.1f} ms CPU a frame"
                print(f"  {name:16} {threads} thread(s)  {speed}  {quality}", flush=True)


if __name__ == "__main__":
    main()
