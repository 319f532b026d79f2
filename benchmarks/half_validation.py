"""MOT17's half validation, on which papers compare trackers: ours, the authors' code, and what was published.

    python benchmarks/half_validation.py DETECTIONS --data DIR [--motion DIR] [--authors DIR]

DETECTIONS holds what ByteTrack's ablation model (YOLOX-X, trained on the first halves) found, one det.txt-like file per
sequence, all frames, named like MOT17-02-SDP.txt; corfyi/UCMCTrack has them in det_results/mot17/yolox_x_ablation. DIR
holds MOT17/train. `--motion` is BoT-SORT's tracker/GMC_files/MOT17_ablation. `--authors` is a folder that
`benchmarks/trackers.py --setup` made: the authors' code tracks the same detections, and ids and boxes are compared.

Settings are those of the authors' scripts, per sequence too: a track is kept for 14 frames in MOT17-05, 25 in MOT17-13.
ByteTrack's authors evaluate with motmetrics on all boxes that count (`raw`), the others with TrackEval.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT / "scripts")
sys.path.append(str(ROOT))

import numpy as np  # noqa: E402

LENGTHS = {"02": 600, "04": 1050, "05": 837, "09": 525, "10": 654, "11": 900, "13": 750}
KEPT = {"05": 14, "13": 25}  # frames that a lost track is kept; 30 elsewhere
BYTE = ("raw", "motmetrics")  # as ByteTrack's authors evaluate
OTHERS = ("motchallenge", "trackeval")
# what runs: evaluation, published MOTA, IDF1, HOTA and ID switches, and where
RUNS = {
    "sort": (BYTE, (74.6, 76.9, None, 291), "ByteTrack, table 3"),
    "bytetrack": (BYTE, (76.6, 79.3, None, 159), "ByteTrack, README"),
    "ocsort": (OTHERS, (74.9, 77.7, 66.5, None), "OC-SORT, MODEL_ZOO"),
    "botsort": (OTHERS, (78.31, 81.51, 69.06, None), "BoT-SORT, table 1"),
    "botsort, still": (OTHERS, (77.67, 79.89, 68.12, None), "BoT-SORT, table 1"),
}


def first_frame(sequence):
    """First frame of the second half, as ByteTrack's conversion splits."""
    return LENGTHS[sequence] // 2 + 2


def read(folder, sequence):
    """Rows of frame, x, y, w, h, score of the second half, the frames counted from 1."""
    (file,) = folder.glob(f"MOT17-{sequence}*.txt")
    table = np.loadtxt(file, delimiter=",", usecols=(0, 2, 3, 4, 5, 6))
    table[:, 0] -= first_frame(sequence) - 1
    return table[table[:, 0] > 0]


def read_motion(folder, sequence):
    """Camera motion by frame, counted from 1."""
    rows = np.loadtxt(folder / f"GMC-MOT17-{sequence}.txt")
    return {int(row[0]) + 1: row[1:].reshape(2, 3) for row in rows}


def frames_of(sequence):
    """How many frames the second half has."""
    return LENGTHS[sequence] - first_frame(sequence) + 1


# -- the authors' code, in its own environment


def run_authors(name, detections, motion, clones):
    """Rows of frame, id, x, y, w, h of each sequence, as the authors' scripts write them."""
    import make_tracker_goldens as goldens

    results = {}
    for sequence in LENGTHS:
        table, count = read(detections, sequence), frames_of(sequence)
        rows = [table[table[:, 0] == frame] for frame in range(1, count + 1)]
        motions = read_motion(motion, sequence) if name == "botsort" else {}
        scene = SimpleNamespace(
            frame_rate=30,
            boxes=[row[:, 1:5] for row in rows],
            scores=[row[:, 5] for row in rows],
            embeddings=[np.ones((len(row), 1), np.float32) for row in rows],
            warps=[motions.get(frame, np.eye(2, 3)) for frame in range(1, count + 1)],
        )
        tracker = name.split(",")[0]
        settings = {"track_buffer": KEPT.get(sequence, 30)} if tracker in ("bytetrack", "botsort") else {}
        run = run_sort if tracker == "sort" else goldens.RUNS[tracker]
        found = run(clones, scene, {"settings": settings, "warps": name == "botsort"})
        whole = np.concatenate([np.column_stack([np.full(len(r), i), r]) for i, r in enumerate(found, 1)])
        area = 10 if tracker == "botsort" else 100
        results[sequence] = whole[(whole[:, 4] * whole[:, 5] > area) & (whole[:, 4] / whole[:, 5] <= 1.6)]
    return results


def run_sort(clones, scene, case):
    """SORT as ByteTrack's authors compare with it: yolox/sort_tracker/sort.py."""
    import make_tracker_goldens as goldens

    module = goldens.load(clones, "ByteTrack", "yolox.sort_tracker.sort")
    module.KalmanBoxTracker.count = 0
    tracker, results = module.Sort(0.6), []
    for boxes, scores in zip(scene.boxes, scene.scores, strict=True):
        given = np.column_stack([goldens.corners(boxes), scores, np.ones(len(scores))])
        output = SimpleNamespace(cpu=lambda given=given: SimpleNamespace(numpy=lambda: given))
        found = tracker.update(output, (1, 1), (1, 1))
        results.append(np.column_stack([found[:, 4], found[:, :2], found[:, 2:4] - found[:, :2]]))
    return results


def authors(name, arguments):
    """Run `run_authors` in the authors' environment."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tracks.npz"
        command = [arguments.authors / "authors/bin/python", "-W", "ignore", __file__, arguments.detections]
        command += ["--authors", arguments.authors, "--worker", name, file]
        subprocess.run(command + (["--motion", arguments.motion] if arguments.motion else []), check=True)
        return dict(np.load(file))


# -- ours


def ours(name, arguments):
    """A tracks table of each sequence, frames counted from 1."""
    import fairmot_lab as fl
    from fairmot_lab.data import FrameDetections

    tables = {}
    for sequence in LENGTHS:
        table = read(arguments.detections, sequence)
        if name == "sort":  # it has no threshold of its own
            table = table[table[:, 5].astype(np.float32) > np.float32(0.6)]
        rows = [table[table[:, 0] == frame] for frame in range(1, frames_of(sequence) + 1)]
        frames = [FrameDetections(i, row[:, 1:5], row[:, 5]) for i, row in enumerate(rows, 1)]
        given = fl.Detections.from_frames(frames, name=f"MOT17-{sequence}-SDP")
        tracker, kept = name.split(",")[0], KEPT.get(sequence, 30)
        settings = {"sort": {"max_age": 30}, "ocsort": {}}.get(tracker, {"track_buffer": kept})
        motion = read_motion(arguments.motion, sequence) if name == "botsort" else None
        tables[sequence] = fl.track(given, fl.get_tracker(tracker, **settings), camera_motion=motion)
    return tables


def truth_of(data, sequence):
    """Ground truth of the second half, frames counted from 1."""
    import fairmot_lab as fl

    source = data / "MOT17" / "train" / f"MOT17-{sequence}-SDP"
    table = fl.open_source(source).ground_truth
    first = first_frame(sequence)
    part = table[table["frame"] >= first].reset_index(drop=True)
    part["frame"] -= first - 1
    part.attrs = {**table.attrs, "sequence": f"MOT17-{sequence}-SDP", "length": frames_of(sequence)}
    return part


def differences(tables, peers):
    """How many rows of both have no partner with the same frame and id, and the largest difference of boxes."""
    alone, largest = 0, 0.0
    for sequence, table in tables.items():
        own = {(int(r[0]), int(r[1])): r[2:] for r in table[["frame", "id", "x", "y", "w", "h"]].to_numpy()}
        other = {(int(r[0]), int(r[1])): r[2:] for r in peers[sequence]}
        alone += len(own.keys() ^ other.keys())
        both = own.keys() & other.keys()
        largest = max([largest, *(float(np.abs(own[key] - other[key]).max()) for key in both)])
    return alone, largest


def figures(tables, truths, protocol, evaluator):
    """MOTA, IDF1, HOTA in percent and ID switches of all sequences together."""
    from fairmot_lab.evaluation.evaluate import compute_metrics

    named = {truth.attrs["sequence"]: truth for truth in truths.values()}
    results = dict(zip(named, tables.values(), strict=True))
    found = compute_metrics(results, named, protocol=protocol, evaluator=evaluator)
    return [100 * found[key] for key in ("mota", "idf1", "hota")] + [found["num_switches"]]


def table_of(rows):
    """A tracks table of rows of frame, id, x, y, w, h."""
    import pandas as pd

    table = pd.DataFrame(rows, columns=["frame", "id", "x", "y", "w", "h"])
    return table.astype({"frame": int, "id": int}).assign(score=1.0, class_id=1, det=-1)


def shown(values):
    """MOTA, IDF1, HOTA and ID switches in columns."""
    digits = zip(values, (2, 2, 2, 0), strict=True)
    return "".join(f"{'-' if value is None else f'{value:.{places}f}':>7}" for value, places in digits)


def main():
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("detections", type=Path)
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("FAIRMOT_LAB_DATA", ROOT.parent / "shared/data"))
    )
    parser.add_argument("--motion", type=Path)
    parser.add_argument("--authors", type=Path)
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        name, file = arguments.worker
        np.savez(file, **run_authors(name, arguments.detections, arguments.motion, arguments.authors))
        return
    truths = {sequence: truth_of(arguments.data, sequence) for sequence in LENGTHS}
    print(f"{'':16}{'':10}{'MOTA':>7}{'IDF1':>7}{'HOTA':>7}{'IDsw':>7}")
    for name, (rules, published, where) in RUNS.items():
        if name == "botsort" and arguments.motion is None:
            continue
        tables = ours(name, arguments)
        print(f"{name:16}{'ours':10}{shown(figures(tables, truths, *rules))}")
        if arguments.authors:
            peers = authors(name, arguments)
            found = figures({key: table_of(rows) for key, rows in peers.items()}, truths, *rules)
            alone, largest = differences(tables, peers)
            print(f"{'':16}{'authors':10}{shown(found)}  {alone} rows differ in id, boxes by up to {largest:.5f} px")
        print(f"{'':16}{'published':10}{shown(published)}  {where}", flush=True)


if __name__ == "__main__":
    main()
