"""The compact model on sequences that it did not see: the tables of docs/models/fairmot_lite.md, as Markdown.

    python benchmarks/held_out.py --data DIR --weights DIR [--seeds 0 1 2] [--train] [--choose]

One sequence at a time is held out: DIR/A1.onnx was trained with seed 1 without MOT17-09, B1 without TUD-Stadtmitte, C1
without KITTI-17, D1 without PETS09-S2L1. With --train those that are not there are trained first, as the bundled
weights were (six CPU minutes each); without it they are left out. The head of a table says over how many trainings a
figure is the mean; behind it stands half the distance from the lowest to the highest. The mean of the sequences is
taken for each seed. The demo scenes are measured with the A.

Beside the trained network stands YOLOX-nano as it was before training, with the same appearance. The settings tried on
the tracker one at a time have a table of their own. With --choose the settings are chosen without the sequence too: of
eighteen candidates, and of the six that are JDE's, the one with the largest mean of MOTA and IDF1 over the other three
sequences and the demo scenes (which count once). Weights that were trained on what is measured are refused.
"""

from __future__ import annotations

import argparse
import shutil
import warnings
from pathlib import Path

import numpy as np
import onnx
import pandas as pd

import fairmot_lab as fl
from fairmot_lab.boxes import BOX
from fairmot_lab.cli.main import main as command
from fairmot_lab.diagnosis.embeddings import embedding_distances, label_detections
from fairmot_lab.lite.demo import make_sequence
from fairmot_lab.lite.network import load_network, save_network

HELD_OUT = {"A": "MOT17-09", "B": "TUD-Stadtmitte", "C": "KITTI-17", "D": "PETS09-S2L1"}
FOLDERS = {
    "MOT17-09": "MOT17/train/MOT17-09-SDP",
    "TUD-Stadtmitte": "MOT15/train/TUD-Stadtmitte",
    "KITTI-17": "MOT15/train/KITTI-17",
}
PETS = ("video/vtest.avi", "MOT15/train/PETS09-S2L1/gt/gt.txt")
RECIPE = "--scenes 120 --steps 400 --learning-rate 2e-4 --labels 0.5 --appearance"
HEIGHTS = {"under 60 px": (0, 60), "60 to 100 px": (60, 100), "over 100 px": (100, np.inf)}
METRICS = ("mota", "idf1", "hota")
TRACKERS = ("jde", "ppdet_byte", "bytetrack", "ocsort", "botsort", "deepsort")
JDE: list[dict[str, float]] = [
    {"det_thresh": start, "track_buffer": buffer} for buffer in (60, 90, 120) for start in (0.5, 0.6)
]
TRIED: list[dict[str, float]] = [
    *({"track_buffer": buffer} for buffer in (60, 90, 120)),
    *({"det_thresh": start} for start in (0.5, 0.6, 0.65)),
    *({"conf_thres": least} for least in (0.3, 0.5)),
    *({"tracked_thresh": most} for most in (0.3, 0.5, 0.7)),
    *({"r_tracked_thresh": most} for most in (0.4, 0.6)),
]


def train(data: Path, weights: Path, letter: str, seed: int) -> None:
    """Train without the sequence of a letter."""
    folder = weights / f"{letter}{seed}"
    arguments = [str(data / path) for name, path in FOLDERS.items() if name != HELD_OUT[letter]]
    if HELD_OUT[letter] != "PETS09-S2L1":
        arguments += ["--video", *(str(data / path) for path in PETS)]
    arguments += ["--from", str(data / "pretrained" / "yolox_nano_coco.onnx"), *RECIPE.split(), "--seed", str(seed)]
    if command(["finetune", *arguments, "--output", str(folder), "--cache", str(weights / "cache")]):
        raise SystemExit(f"{folder} was not trained.")
    shutil.copy(folder / "fairmot_lite.onnx", weights / f"{letter}{seed}.onnx")


def open_sequence(data: Path, name: str) -> tuple[fl.Source, pd.DataFrame]:
    """Return a sequence and its ground truth."""
    if name == "PETS09-S2L1":
        return fl.open_source(data / PETS[0], frame_rate=7), fl.read_mot(data / PETS[1], "ground_truth")
    source = fl.open_source(make_sequence(data, int(name[5:])) if name.startswith("demo-") else data / FOLDERS[name])
    return source, source.ground_truth


def tracked(detections: fl.Detections, truth: pd.DataFrame, tracker: fl.Tracker) -> dict[str, float]:
    """MOTA, IDF1, HOTA, precision and recall of a tracker."""
    tracks = fl.track(detections, tracker)
    tracks.attrs.clear()  # a video has another name than its ground truth
    figures = fl.evaluate({"it": tracks}, {"it": truth}, protocol="motchallenge").overall
    return {name: float(figures[name]) for name in ("mota", "idf1", "hota", "precision", "recall")}


def detected(detections: fl.Detections, truth: pd.DataFrame, scale: float) -> dict[str, float]:
    """Rank-1 after 30 frames, and recall by height at the input: people at least a quarter visible, scores from 0.4."""
    people = truth[(truth["conf"] > 0) & truth["class_id"].isin((1, -1))]
    used = detections.scores >= 0.4
    frames = np.repeat(detections.frames, np.diff(detections.offsets))
    near = label_detections(detections, people)
    figures = {
        "rank-1": embedding_distances(detections.embeddings()[used], near[used], frames[used], gap=30).rank1,
    }
    found = set(zip(frames[used].tolist(), near[used].tolist(), strict=True))
    seen = people[~(people["visibility"] < 0.25)]
    hit = np.array([pair in found for pair in zip(seen["frame"], seen["id"], strict=True)])
    height = seen[BOX[3]].to_numpy() * scale
    for label, (low, high) in HEIGHTS.items():
        here = (height >= low) & (height < high)
        figures[label] = float(hit[here].mean()) if here.sum() >= 100 else float("nan")
    return figures


def named(name: str, settings: dict[str, float]) -> str:
    """A tracker with its settings, as the tables call it."""
    return ", ".join((name, *(f"{key} {value:g}" for key, value in settings.items())))


def candidates() -> dict[str, fl.Tracker]:
    """Trackers to choose among; PaddleDetection's BYTE lets detections from `conf_thres` + 0.1 on start tracks."""
    every = [("jde", settings) for settings in JDE]
    for one in JDE:
        for low in (0.1, 0.2):
            byte = {"conf_thres": one["det_thresh"] - 0.1, "low_conf_thres": low, "track_buffer": one["track_buffer"]}
            every.append(("ppdet_byte", byte))
    return {named(name, settings): fl.get_tracker(name, **settings) for name, settings in every}


def chosen_without(real: pd.DataFrame, demo: pd.DataFrame, names: list[str]) -> str:
    """A Markdown table: each sequence with the one of these candidates that is best without it."""
    means = real.groupby(level=0, sort=False).mean()
    every = pd.concat([means, demo.mean().to_frame("demo scenes").T])[names]
    scores = every.loc[:, (slice(None), ["mota", "idf1"])].T.groupby(level=0).mean().T
    rows, parts = {}, []
    for name in means.index:
        title = scores.drop(name).mean().idxmax()
        parts.append(real.xs(name)[title])
        rows[name] = [title, three(parts[-1])]
    rows["mean"] = ["", three(sum(parts) / len(parts))]
    rows["none"] = [scores.mean().idxmax(), ""]
    return markdown("left out", rows, ["chosen on the others", "MOTA / IDF1 / HOTA"])


def untrained(data: Path, weights: Path, to: Path) -> Path:
    """YOLOX-nano with the appearance of trained weights, as a file of its own."""
    trained_on = {entry.key: entry.value for entry in onnx.load(weights).metadata_props}.get("trained_on", "")
    network = load_network(data / "pretrained" / "yolox_nano_coco.onnx")
    network.projection.set_value(load_network(weights).projection)
    to.mkdir(parents=True, exist_ok=True)
    save_network(network, to / weights.name, {"trained_on": trained_on})
    return to / weights.name


def measure(data: Path, weights: Path, name: str, cache: Path, trackers: dict[str, fl.Tracker]) -> pd.Series:
    """All figures of one file of weights on one sequence, by tracker and metric."""
    source, truth = open_sequence(data, name)
    about = {entry.key: entry.value for entry in onnx.load(weights).metadata_props}
    if source.name in about.get("trained_on", source.name).split(", "):
        raise SystemExit(f"{weights} was trained on {source.name}, or does not say on what; that is not held out.")
    detections = fl.detect(source, weights, cache, progress=False)
    figures = {
        (title, metric): value
        for title, tracker in trackers.items()
        for metric, value in tracked(detections, truth, tracker).items()
    }
    scale = min(576 / source.width, 320 / source.height)
    figures |= {("", metric): value for metric, value in detected(detections, truth, scale).items()}
    return pd.Series(figures)


def number(values: pd.Series) -> str:
    """Percent: the mean, and half the distance from the lowest to the highest; a dash where there is none."""
    if values.isna().any():
        return "-"
    spread = 50 * (values.max() - values.min())
    return f"{100 * values.mean():.1f}" + (f" ±{spread:.1f}" if len(values) > 1 else "")


def ends(values: pd.Series) -> str:
    """The lowest and the highest, in percent."""
    return f"{100 * values.min():.1f} to {100 * values.max():.1f}"


def three(values: pd.DataFrame) -> str:
    """MOTA, IDF1 and HOTA of the rows."""
    return " / ".join(number(values[metric]) for metric in METRICS)


def markdown(title: str, rows: dict[str, list[str]], heads: list[str]) -> str:
    """A Markdown table."""
    lines = [[title, *heads], ["---"] * (len(heads) + 1), *([label, *cells] for label, cells in rows.items())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines).replace("| --- |", "|---|").replace(" --- |", "---|")


def tables(figures: pd.DataFrame, tried: list[str]) -> str:
    """Figures by sequence and seed as three tables: trackers, what was tried, and what the detector finds."""
    groups = figures.groupby(level=0, sort=False)
    parts = {f"{name} ({len(part)})": part.droplevel(0) for name, part in groups}
    parts["mean"] = figures.groupby(level=1).mean()
    titles = [title for title in figures.columns.unique(level=0) if title and title not in tried]
    rows = {metric: ("default", metric) for metric in ("precision", "recall")} | {
        metric: ("", metric) for metric in (*HEIGHTS, "rank-1")
    }
    return "\n\n".join(
        (
            markdown(
                "MOTA / IDF1 / HOTA",
                {title: [three(part[title]) for part in parts.values()] for title in titles},
                [*parts],
            ),
            markdown("tried", {title: [three(part[title]) for part in parts.values()] for title in tried}, [*parts]),
            markdown(
                "default",
                {
                    label: [*(number(part[column]) for part in parts.values()), ends(groups[[column]].mean()[column])]
                    for label, column in rows.items()
                },
                [*parts, "lowest and highest"],
            ),
        )
    )


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--choose", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    default = {"default": fl.pipeline.recommended_tracker("fairmot_lite")}
    trackers = default | {title: fl.get_tracker(title) for title in TRACKERS}
    trackers["botsort, with_reid"] = fl.get_tracker("botsort", with_reid=True)
    tried = {named("jde", settings): fl.get_tracker("jde", **settings) for settings in TRIED}
    trackers |= tried | (candidates() if options.choose else {})
    rows: dict[tuple[str, int], pd.Series] = {}
    for letter, name in HELD_OUT.items():
        for seed in options.seeds:
            weights, kept = options.weights / f"{letter}{seed}.onnx", options.weights / "kept"
            if options.train and not weights.exists():
                train(options.data, options.weights, letter, seed)
            if not weights.exists():
                continue
            before = untrained(options.data, weights, options.weights / "before")
            for one in (name, *(f"demo-{scene}" for scene in range(5 if letter == "A" else 0))):
                data = options.weights if one.startswith("demo-") else options.data
                figures = measure(data, weights, one, kept / weights.stem, trackers)
                start = measure(data, before, one, kept / f"before-{weights.stem}", default)["default"]
                start.index = pd.MultiIndex.from_product([["YOLOX-nano before training"], start.index])
                rows[one, seed] = pd.concat([figures, start])
    if not rows:
        raise SystemExit(f"{options.weights} holds no weights such as A0.onnx; --train makes them.")
    table = pd.DataFrame(rows).T
    of_demo = table.index.get_level_values(0).str.startswith("demo-")
    real, demo = table[~of_demo], table[of_demo]
    for figures in (real, demo):
        print(tables(figures, list(tried)), end="\n\n")
    if options.choose:
        names = list(candidates())
        for part in (names, [name for name in names if name.startswith("jde")]):
            print(chosen_without(real, demo, part), end="\n\n")


if __name__ == "__main__":
    main()
