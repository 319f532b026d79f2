"""The tracker beside ppdet's JDETracker on the same detections, in one run, on one thread.

    python benchmarks/association.py                      speed by people and frames, with a plot
    python benchmarks/association.py --data DIR           and on MOT17/train in DIR: time to track kept detections
    python benchmarks/association.py --data DIR --parity  compare every track on all public detections instead (long)

Times are CPU seconds of the process (the best of three for ours, one run for ppdet's). The first call, in which numba
compiles or loads its cache, is left out; its time is printed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import numpy as np
from crowds import crowd, with_looks
from ppdet_oracle import reference

from fairmot_lab.association import get_tracker, trace, track_detections, tracker_from_dict
from fairmot_lab.detection.cache import open_detections
from fairmot_lab.errors import FairMOTLabWarning

GRID = [
    {"conf_thres": 0.6, "tracked_thresh": 0.6},
    {"conf_thres": 0.1, "det_thresh": 0.5},
    {"metric_type": "euclidean", "tracked_thresh": 0.8},
    {"track_buffer": 3},
    {"track_buffer": 90, "r_tracked_thresh": 0.9, "unconfirmed_thresh": 0.9},
    {"tracked_thresh": 0.1, "r_tracked_thresh": 0.1, "unconfirmed_thresh": 0.1, "match_thres": 0.4},
    {"tracked_thresh": 1.5, "r_tracked_thresh": 1.0, "unconfirmed_thresh": 1.0, "match_thres": 1.0},
    {"min_box_area": 0, "vertical_ratio": 0},
    {"tracker": "ppdet_byte", "conf_thres": 0.6, "low_conf_thres": 0.1, "match_thres": 0.9},
    {"tracker": "ppdet_byte", "metric_type": "euclidean", "tracked_thresh": 0.8, "track_buffer": 5},
]


def seconds(function, *arguments, repeats=1, **options):
    """The result and the least CPU time of several calls."""
    best = np.inf
    for _ in range(repeats):
        start = time.process_time()
        result = function(*arguments, **options)
        best = min(best, time.process_time() - start)
    return result, best


def difference(ours, theirs):
    """Largest difference of boxes in pixels; inf where ids differ."""
    if len(ours) != len(theirs) or (ours[["frame", "id"]].to_numpy() != theirs[["frame", "id"]].to_numpy()).any():
        return np.inf
    box = ["x", "y", "w", "h"]
    return float(np.abs(ours[box].to_numpy() - theirs[box].to_numpy()).max(initial=0))


def compare_speed(plot):
    print("people  frames  form     ours ms/frame  ppdet ms/frame  ratio  with trace  box difference")
    rows = []
    for people, frames in ((5, 300), (10, 300), (30, 200), (80, 100), (150, 60)):
        arrays = crowd(people, frames)
        for form, name in (("JDE", "jde"), ("BYTE", "ppdet_byte")):
            tracker = get_tracker(name)
            ours, fast = seconds(track_detections, arrays, tracker, repeats=3)
            _, traced = seconds(lambda: len(trace(arrays, tracker)), repeats=3)  # noqa: B023
            theirs, slow = seconds(track_detections, arrays, reference(tracker))
            print(
                f"{people:6d} {frames:7d}  {form:5s} {1e3 * fast / frames:14.3f} {1e3 * slow / frames:15.2f} "
                f"{slow / fast:6.1f} {traced / fast:10.2f}x {difference(ours, theirs):13.1e}"
            )
            rows.append((people, form, 1e3 * fast / frames, 1e3 * slow / frames))
    lengths = []
    for frames in (250, 500, 1000, 2000):
        arrays = crowd(30, frames)
        lengths.append((frames, seconds(track_detections, arrays, repeats=3)[1]))
        print(f"    30 {frames:7d}  JDE   {1e3 * lengths[-1][1] / frames:14.3f}")
    draw(rows, lengths, plot)


def draw(rows, lengths, path):
    """Growth with people and with frames."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for form, style in (("JDE", "o-"), ("BYTE", "s--")):
        people = [row[0] for row in rows if row[1] == form]
        left.loglog(people, [row[3] for row in rows if row[1] == form], style, color="C1", label=f"ppdet, {form}")
        left.loglog(people, [row[2] for row in rows if row[1] == form], style, color="C0", label=f"fairmot_lab, {form}")
    left.set(xlabel="people in a frame", ylabel="CPU ms per frame", title="Growth with people")
    left.legend()
    right.plot([length[0] for length in lengths], [length[1] for length in lengths], "o-")
    right.set(xlabel="frames (30 people)", ylabel="CPU s", title="Growth with frames", xlim=(0, None), ylim=(0, None))
    figure.savefig(path, dpi=120)
    print(f"plot: {path}")


def time_sequences(train):
    print(
        "sequence         frames  people  ours s  (from kept detections, with 64 generated numbers of embedding each)"
    )
    for name in ("MOT17-09-SDP", "MOT17-04-SDP"):
        arrays = with_looks(open_detections(train / name))
        _, fast = seconds(track_detections, arrays, repeats=3)
        print(f"{name:16s} {len(arrays.frames):6d} {len(arrays.scores) / len(arrays.frames):7.1f} {fast:7.3f}")
    arrays = crowd(45, 1050)
    _, fast = seconds(track_detections, arrays, repeats=3)
    print(f"{'crowd':16s} {1050:6d} {45:7.1f} {fast:7.3f}")


def prove_parity(train):
    """All public detections whole, JDE and BYTE, with and without embeddings; the grid on their first 100 frames."""
    failed = runs = 0
    worst = 0.0
    for folder in sorted(path for path in train.iterdir() if (path / "det" / "det.txt").is_file()):
        kept = open_detections(folder)
        for arrays in (kept, with_looks(kept)):
            cases = [(arrays, {}), (arrays, {"tracker": "ppdet_byte"})]
            cases += [(arrays.part(1, 100), changes) for changes in GRID]
            for detections, changes in cases:
                tracker = tracker_from_dict({"any_scores": True, **changes})
                ours = track_detections(detections, tracker)
                gap = difference(ours, track_detections(detections, reference(tracker)))
                runs += 1
                failed += gap > 0.01
                worst = max(worst, gap)
                if gap > 0.01:
                    print(f"{folder.name} embeddings={arrays.has_embeddings} {changes}: {gap}")
        print(
            f"{folder.name}: {runs} runs so far, {failed} differ, largest difference of a box {worst:.1e} px",
            flush=True,
        )
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with MOT17/train")
    parser.add_argument("--parity", action="store_true")
    parser.add_argument("--plot", default="association.png")
    options = parser.parse_args()
    warnings.simplefilter("ignore", FairMOTLabWarning)
    train = options.data / "MOT17" / "train" if options.data else None
    if options.parity:
        return 1 if prove_parity(train) else 0
    small = crowd(5, 3)
    for name in ("jde", "ppdet_byte"):
        tracker = get_tracker(name)
        _, spent = seconds(track_detections, small, tracker)
        print(f"first call: {spent:.2f} s")
        track_detections(small, reference(tracker))
    compare_speed(options.plot)
    if train:
        time_sequences(train)
    return 0


if __name__ == "__main__":
    sys.exit(main())
