"""A sweep beside ppdet's tracker with stock py-motmetrics, in one run, on one thread.

    python benchmarks/sweep.py DIR [--thresholds 20] [--peer 1] [--detector SDP] [--sequences 05 09]

DIR holds MOT17/train. Twenty values of conf_thres are tracked and evaluated on the seven sequences with public
detections. The peer does the same with ppdet's JDETracker and `motmetrics.utils.CLEAR_MOT_M`; it is so slow that by
default it is run for one of the values and its time multiplied by their number (--peer 20 runs them all). Times are
CPU seconds of the process, with the reading of all files on both sides. The figures that both give for the same
setting are compared.
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
import pandas as pd
from ppdet_oracle import reference

import fairmot_lab as fl
from fairmot_lab.association import track_detections
from fairmot_lab.errors import FairMOTLabWarning

METRICS = ["num_frames", "mota", "motp", "idf1", "num_switches", "num_false_positives", "num_misses", "mostly_tracked"]


def peer(folders, tracker):
    """One setting with ppdet's tracker and stock motmetrics."""
    import motmetrics as mm

    accumulators, results = [], {}
    for folder in folders:
        detections = fl.open_detections(folder)
        tracks = track_detections(detections, reference(tracker))
        results[folder.name] = tracks
        table = pd.DataFrame(
            {
                "FrameId": tracks.frame,
                "Id": tracks.id,
                "X": tracks.x - 1,  # motmetrics reads files with corners from 0
                "Y": tracks.y - 1,
                "Width": tracks.w,
                "Height": tracks.h,
                "Confidence": tracks.score,
                "ClassId": -1,
                "Visibility": -1,
            }
        ).set_index(["FrameId", "Id"])
        truth = mm.io.loadtxt(folder / "gt" / "gt.txt", fmt="mot16", min_confidence=-1)
        accumulator, _ = mm.utils.CLEAR_MOT_M(truth, table, str(folder / "seqinfo.ini"), "iou", distth=0.5, vflag="")
        accumulators.append(accumulator)
    names = [folder.name for folder in folders]
    summary = mm.metrics.create().compute_many(accumulators, names=names, metrics=METRICS, generate_overall=True)
    return summary, results


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--thresholds", type=int, default=20)
    parser.add_argument("--peer", type=int, default=1, help="for how many of the thresholds the peer is run")
    parser.add_argument("--detector", default="SDP")
    parser.add_argument("--sequences", nargs="+", default=["*"], metavar="NN", help="only these of the seven")
    options = parser.parse_args()
    warnings.simplefilter("ignore", FairMOTLabWarning)
    train = options.data / "MOT17" / "train"
    folders = sorted(one for number in options.sequences for one in train.glob(f"MOT17-{number}-{options.detector}"))
    values = np.linspace(0.4, 0.9, options.thresholds).round(4).tolist()
    detections = [fl.open_detections(folder) for folder in folders]

    fl.sweep([folders[0]], None, {"conf_thres": [0.5]}, ground_truth=train, progress=False)  # compiles
    track_detections(detections[0], reference(fl.JDETracker()))  # imports ppdet

    start = time.process_time()
    table = fl.sweep([*folders], None, {"conf_thres": values}, ground_truth=train, progress=False)
    ours = time.process_time() - start
    start = time.process_time()
    summaries = [peer(folders, fl.JDETracker(conf_thres=value))[0] for value in values[: options.peer]]
    theirs = (time.process_time() - start) / options.peer * len(values)

    frames = sum(len(one) for one in detections)
    print(f"{len(values)} thresholds x {len(folders)} sequences ({frames} frames, detections {options.detector})")
    print(f"fairmot_lab      {ours:9.1f} s CPU")
    run = "all run" if options.peer == len(values) else f"{options.peer} of {len(values)} run, multiplied"
    print(f"ppdet + motmetrics {theirs:7.1f} s CPU ({run})")
    print(f"ratio            {theirs / ours:9.1f}")
    for number, summary in enumerate(summaries):
        rows = table[table.setting == number].set_index("sequence")
        # a sweep of one sequence gives OVERALL alone; motp follows the boxes, which differ in single precision
        theirs_here = summary.loc[rows.index, METRICS].to_numpy(float)
        same = np.allclose(rows[METRICS].to_numpy(float), theirs_here, rtol=1e-6, atol=0)
        print(f"conf_thres {values[number]}: figures of every row {'equal' if same else 'DIFFER'}")
        if not same:
            print(pd.concat([rows[METRICS], summary[METRICS]], keys=["ours", "theirs"]).to_string())
    return 0


if __name__ == "__main__":
    sys.exit(main())
