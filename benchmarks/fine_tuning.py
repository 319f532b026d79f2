"""Fine-tuning on the first half of a sequence, measured on the second: the tables of docs/models/fairmot_lite.md.

    python benchmarks/fine_tuning.py --data DIR --weights DIR [--letter A] [--seeds 0 1 2] [--each N] [--steps 120]

DIR/A0.onnx and so on are what `benchmarks/held_out.py --train` makes: A was trained without MOT17-09, B without
TUD-Stadtmitte, C without KITTI-17. Each is fine-tuned N times on half of that sequence, as `fairmot-lab finetune` does
it by default, with other seeds. `--appearance` is handed on.

The first table has the settings of this model's tracker. IDF1 hangs on single decisions there, so the second takes the
mean over eleven settings around these. A figure is the mean over seeds and half the distance from lowest to highest.
"""

from __future__ import annotations

import argparse
import itertools
import os
import warnings
from pathlib import Path

import pandas as pd
from held_out import FOLDERS, HELD_OUT, METRICS, markdown, three, tracked

import fairmot_lab as fl
from fairmot_lab.cli.main import main as command
from fairmot_lab.formats.seqinfo import write_seqinfo

AROUND: list[dict[str, float]] = [
    *({"det_thresh": start, "track_buffer": buffer} for start in (0.57, 0.6, 0.63) for buffer in (80, 90, 100)),
    *({"det_thresh": 0.6, "track_buffer": 90, "conf_thres": least} for least in (0.38, 0.42)),
]


def half(sequence: Path, number: int, folder: Path) -> Path:
    """Make a sequence of a half of another, with links to its frames, and return it."""
    source = fl.open_source(sequence)
    first, last = [(1, len(source) // 2), (len(source) // 2 + 1, len(source))][number - 1]
    half = folder / f"{source.name}-{number}"
    if (half / "seqinfo.ini").exists():
        return half
    for part in ("img1", "gt"):
        (half / part).mkdir(parents=True, exist_ok=True)
    for frame in range(first, last + 1):
        link = half / "img1" / f"{frame - first + 1:06d}.jpg"
        link.unlink(missing_ok=True)
        os.symlink((sequence / "img1" / f"{frame:06d}.jpg").resolve(), link)
    truth = pd.read_csv(sequence / "gt" / "gt.txt", header=None)
    truth = truth[truth[0].between(first, last)]
    truth[0] -= first - 1
    truth.to_csv(half / "gt" / "gt.txt", header=False, index=False)
    write_seqinfo(half / "seqinfo.ini", half.name, source.frame_rate, last - first + 1, (source.width, source.height))
    return half


def measure(source: fl.Source, weights: Path, cache: Path) -> tuple[dict[str, float], dict[str, float]]:
    """MOTA, IDF1 and HOTA by default, and their means over the settings around it."""
    detections = fl.detect(source, weights, cache, progress=False)
    default = tracked(detections, source.ground_truth, fl.pipeline.recommended_tracker("fairmot_lite"))
    around = [tracked(detections, source.ground_truth, fl.get_tracker("jde", **one)) for one in AROUND]
    return default, dict(pd.DataFrame(around).mean())


def main() -> None:
    """Fine-tune what is not there yet, measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--letter", choices=[one for one, name in HELD_OUT.items() if name in FOLDERS], default="A")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--each", type=int, default=1)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--appearance", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    folder = options.weights / "fine-tuning"
    sequence = options.data / FOLDERS[HELD_OUT[options.letter]]
    first, second = (half(sequence, number, folder) for number in (1, 2))
    source = fl.open_source(second)
    rows: dict[str, list] = {"before": [], "after": []}
    starts = {number: options.weights / f"{options.letter}{number}.onnx" for number in options.seeds}
    before_any = {number: measure(source, start, folder / "kept" / start.stem) for number, start in starts.items()}
    for number, again in itertools.product(options.seeds, range(options.each)):
        start, seed = starts[number], number + 10 * again
        output = folder / f"{start.stem}-{options.steps}-{seed}{'-appearance' * options.appearance}"
        arguments = ["finetune", str(first), "--from", str(start), "--steps", str(options.steps), "--seed", str(seed)]
        arguments += ["--output", str(output), "--cache", str(folder / "cache")] + ["--appearance"] * options.appearance
        if command(arguments):
            raise SystemExit(f"{start} was not fine-tuned.")
        rows["before"].append(before_any[number])
        rows["after"].append(measure(source, output / "fairmot_lite.onnx", folder / "kept" / output.name))
    for place, title in enumerate(("default", "mean of eleven settings")):
        before, after = (pd.DataFrame([one[place] for one in rows[name]]) for name in ("before", "after"))
        gains = [
            " / ".join(f"{100 * (after - before).loc[row, metric]:+.1f}" for metric in METRICS) for row in before.index
        ]
        table = {
            "before": [three(before)],
            f"{options.steps} steps": [three(after)],
            "gain": [three(after - before)],
            "gain, run by run": [", ".join(gains)],
        }
        print(markdown(f"{second.name}, {title}", table, ["MOTA / IDF1 / HOTA"]), end="\n\n")


if __name__ == "__main__":
    main()
