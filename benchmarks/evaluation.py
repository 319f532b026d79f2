"""Evaluation of MOT17-train from text files to OVERALL: stock motmetrics, TrackEval where there is a checkout, ours.

    python benchmarks/evaluation.py [--data FOLDER] [--repeat N]

The data is `../shared/data` or FAIRMOT_LAB_DATA. TrackEval is measured if FAIRMOT_LAB_TRACKEVAL names a checkout of it.
Figures are CPU seconds of this process (the least of the repeats for ours), after everything was imported and compiled;
the first line says what importing and compiling took. Ours also computes HOTA, which motmetrics does not.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

warnings.simplefilter("ignore")


def seconds(work: Callable[[], Any], repeat: int = 1) -> tuple[float, Any]:
    """CPU seconds of the quickest run, and its result."""
    best, result = float("inf"), None
    for _ in range(repeat):
        begin = time.process_time()
        result = work()
        best = min(best, time.process_time() - begin)
    return best, result


def stock(truth: Path, results: Path, names: list[str]) -> Any:
    """What py-motmetrics' users run: loadtxt, CLEAR_MOT_M, compute_many."""
    import motmetrics as mm

    accumulators, analyses = [], []
    for name in names:
        gt = mm.io.loadtxt(truth / name / "gt" / "gt.txt", fmt="mot15-2D")
        dt = mm.io.loadtxt(results / f"{name}.txt", fmt="mot15-2D")
        accumulator, analysis = mm.utils.CLEAR_MOT_M(gt, dt, truth / name / "seqinfo.ini")
        accumulators.append(accumulator)
        analyses.append(analysis)
    metrics = mm.metrics.motchallenge_metrics
    host = mm.metrics.create()
    summary = host.compute_many(accumulators, anas=analyses, metrics=metrics, names=names, generate_overall=True)
    return summary, [accumulator.events for accumulator in accumulators]


def trackeval_runner(checkout: str, truth: Path, results: Path, names: list[str], folder: Path) -> Callable[[], Any]:
    """A run of TrackEval with HOTA, CLEAR and Identity, on links to the same files."""
    sys.path.insert(0, checkout)
    with contextlib.redirect_stdout(io.StringIO()):  # it tells which of its data sets lack a dependency
        import trackeval

    (folder / "gt" / "seqmaps").mkdir(parents=True)
    (folder / "gt" / "MOT17-train").symlink_to(truth)
    (folder / "trackers" / "MOT17-train" / "it").mkdir(parents=True)
    (folder / "trackers" / "MOT17-train" / "it" / "data").symlink_to(results)
    (folder / "gt" / "seqmaps" / "MOT17-train.txt").write_text("\n".join(["name", *names, ""]))
    config = trackeval.Evaluator.get_default_eval_config()
    config |= dict.fromkeys(("PRINT_RESULTS", "PRINT_CONFIG", "TIME_PROGRESS", "OUTPUT_SUMMARY"), False)
    config |= dict.fromkeys(("OUTPUT_DETAILED", "OUTPUT_EMPTY_CLASSES", "PLOT_CURVES"), False)
    data = trackeval.datasets.MotChallenge2DBox.get_default_dataset_config()
    data |= {"GT_FOLDER": str(folder / "gt"), "TRACKERS_FOLDER": str(folder / "trackers"), "PRINT_CONFIG": False}
    data |= {"BENCHMARK": "MOT17", "OUTPUT_FOLDER": str(folder / "out")}
    quiet = {"PRINT_CONFIG": False}

    def run() -> Any:
        with contextlib.redirect_stdout(io.StringIO()):
            metrics = [
                trackeval.metrics.HOTA(),
                trackeval.metrics.CLEAR(quiet),
                trackeval.metrics.Identity(quiet),
            ]
            found, _ = trackeval.Evaluator(config).evaluate([trackeval.datasets.MotChallenge2DBox(data)], metrics)
        return found["MotChallenge2DBox"]["it"]["COMBINED_SEQ"]["pedestrian"]

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("FAIRMOT_LAB_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--data", type=Path, default=Path(default))
    parser.add_argument("--repeat", type=int, default=3, help="runs of ours, of which the quickest counts")
    options = parser.parse_args()
    truth = options.data / "MOT17" / "train"
    results = options.data / "golden" / "trackeval-mot17-train"
    if not truth.is_dir() or not results.is_dir():
        sys.exit(f"no MOT17/train and golden/trackeval-mot17-train in {options.data}; set FAIRMOT_LAB_DATA")
    names = sorted(path.stem for path in results.glob("*.txt"))

    def first() -> None:
        import motmetrics  # noqa: F401

        import fairmot_lab as fl

        for rules in ("motmetrics", "trackeval"):
            fl.evaluate(results, truth, evaluator=rules, sequences=names[:1])

    print(f"MOT17-train, {len(names)} sequences; import and first use: {seconds(first)[0]:.1f} s")
    import fairmot_lab as fl
    from fairmot_lab.evaluation.evaluate import compute_metrics, half_split
    from fairmot_lab.evaluation.names import MOTMETRICS
    from fairmot_lab.evaluation.protocols import prepare

    ours, result = seconds(lambda: fl.evaluate(results, truth, sequences=names), options.repeat)
    alone, _ = seconds(lambda: fl.evaluate(results, truth, sequences=names, metrics=MOTMETRICS), options.repeat)
    theirs, (summary, events) = seconds(lambda: stock(truth, results, names))
    # motmetrics' text reader is off by one unit in the last place for some long numbers
    pairs = [(result.sequences[name].events, one) for name, one in zip(names, events, strict=True)]
    same = all(a.drop(columns="D").equals(b.drop(columns="D")) for a, b in pairs)
    same = same and all(np.allclose(a["D"], b["D"], rtol=0, atol=1e-12, equal_nan=True) for a, b in pairs)
    shared = [name for name in summary if name in result.summary]
    equal = np.allclose(result.summary[shared].to_numpy(), summary[shared].to_numpy(), rtol=1e-12)
    print(f"events equal: {same}; figures equal: {equal}")
    print(f"stock motmetrics                 {theirs:8.2f} s")
    print(f"ours, as motmetrics              {alone:8.2f} s   {theirs / alone:6.1f} x less")
    print(f"ours, the same and HOTA          {ours:8.2f} s   {theirs / ours:6.1f} x less")

    fast, by_rules = seconds(
        lambda: fl.evaluate(results, truth, sequences=names, evaluator="trackeval"), options.repeat
    )
    checkout = os.environ.get("FAIRMOT_LAB_TRACKEVAL")
    if checkout:
        with tempfile.TemporaryDirectory() as folder:
            run = trackeval_runner(checkout, truth, results, names, Path(folder))
            slow, found = seconds(run)
        overall = by_rules.overall
        difference = max(
            abs(overall["hota"] - found["HOTA"]["HOTA"].mean()),
            abs(overall["mota"] - found["CLEAR"]["MOTA"]),
            abs(overall["idf1"] - found["Identity"]["IDF1"]),
        )
        print(f"TrackEval                        {slow:8.2f} s   (HOTA, MOTA and IDF1 differ by {difference:.1e})")
        print(f"ours, as TrackEval               {fast:8.2f} s   {slow / fast:6.1f} x less")
    else:
        print(f"ours, as TrackEval               {fast:8.2f} s   (TrackEval: set FAIRMOT_LAB_TRACKEVAL to a checkout)")

    name = "MOT17-09-FRCNN"
    one = result.sequences[name]
    tracks, prepared = one.tracks, prepare(one.ground_truth)
    print(f"{name}, {half_split(525)['val'][1]} frames, from tables, ground truth prepared:")
    for title, work in (
        ("evaluate, every figure", lambda: fl.evaluate(tracks, prepared)),
        ("compute_metrics with HOTA", lambda: compute_metrics(tracks, prepared)),
        ("compute_metrics", lambda: compute_metrics(tracks, prepared, hota=False)),
    ):
        print(f"  {title:24s} {1000 * seconds(work, 5 * options.repeat)[0]:6.1f} ms")

    lines = (results / "MOT17-04-FRCNN.txt").read_bytes().split(b"\n")[:40_000]
    integers = (truth / "MOT17-04-FRCNN" / "gt" / "gt.txt").read_bytes().split(b"\n")[:40_000]
    with tempfile.TemporaryDirectory() as folder:
        print("reading 40,000 rows:")
        import motmetrics as mm
        import pandas as pd

        path = Path(folder) / "SEQ.txt"
        for title, content, kind in (
            ("results, up to 17 digits", lines, "results"),
            ("ground truth", integers, "ground_truth"),
        ):
            path.write_bytes(b"\n".join(content) + b"\n")
            here, _ = seconds(lambda kind=kind: fl.read_mot(path, kind), 5 * options.repeat)
            there, _ = seconds(lambda: mm.io.loadtxt(path, fmt="mot15-2D"))
            plain, _ = seconds(lambda: pd.read_csv(path, header=None), 5 * options.repeat)
            print(
                f"  {title:24s} {1000 * here:6.1f} ms   (motmetrics' loadtxt {1000 * there:.0f} ms, "
                f"pandas alone and unchecked {1000 * plain:.0f} ms)"
            )


if __name__ == "__main__":
    main()
