"""Write tests/golden/trackers.json and trackers.npz: what the authors' own trackers give.

    python scripts/make_tracker_goldens.py AUTHORS DATA [--tables DIRECTORY]

AUTHORS holds clones of the repositories below, at these commits; nothing of them is part of this project. DATA holds
MOT17/train. The environment needs the versions below and `cython_bbox`. `--tables` also writes each result in
full, to compare with.

| repository         | commit                                   | what runs                               |
|--------------------|------------------------------------------|-----------------------------------------|
| ifzhang/ByteTrack  | d1bf0191adff59bc8fcfeaa0b33d3d1642552a99 | yolox/tracker/byte_tracker.py           |
| noahcao/OC_SORT    | 8462e7e729a93ccd3bd995c0a79a890336cb3a0b | trackers/ocsort_tracker/ocsort.py       |
| NirAharon/BoT-SORT | 251985436d6712aaf682aaaf5f71edb4987224bd | tracker/bot_sort.py                     |
| nwojke/deep_sort   | f08cf1dc470eeb1cd2add1cbf077d95ac6c48aab | deep_sort/tracker.py, deep_sort_app.py  |

Made with Python 3.11, numpy 1.23.5, scipy 1.15.3, lap 0.5.13, filterpy 2.0.0, cython_bbox 0.1.5.

Each frame is given to the tracker, also where nothing was detected; detections are handed over in double precision,
ReID features as the scene holds them, camera motion as the scene's true warp. Tracks are kept as the authors' scripts
write them, before their filter of small and wide boxes.
"""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from golden_scenes import CASES, GOLDEN, WHOLE, Scene, digest, public_scene, random_scenes

COMMITS = {
    "ByteTrack": "d1bf0191adff59bc8fcfeaa0b33d3d1642552a99",
    "OC_SORT": "8462e7e729a93ccd3bd995c0a79a890336cb3a0b",
    "BoT-SORT": "251985436d6712aaf682aaaf5f71edb4987224bd",
    "deep_sort": "f08cf1dc470eeb1cd2add1cbf077d95ac6c48aab",
}

OWNERS = {"ByteTrack": "ifzhang", "OC_SORT": "noahcao", "BoT-SORT": "NirAharon", "deep_sort": "nwojke"}


def corners(boxes: np.ndarray) -> np.ndarray:
    """left, top, right, bottom in double precision."""
    boxes = boxes.astype(np.float64)
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1)


def load(authors: Path, repository: str, module: str) -> Any:
    """Import a module of an author's repository, after those of another one are forgotten."""
    head = subprocess.run(
        ["git", "-C", str(authors / repository), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    if head != COMMITS[repository]:
        raise SystemExit(f"{authors / repository} is at {head}; check out {COMMITS[repository]}.")
    for name in list(sys.modules):
        if name.split(".")[0] in {"yolox", "trackers", "tracker", "deep_sort", "fast_reid"}:
            del sys.modules[name]
    for stub in ("torch", "torch.nn", "torch.nn.functional", "fast_reid", "fast_reid.fast_reid_interfece"):
        sys.modules[stub] = types.ModuleType(stub)
    sys.modules["torch"].nn = sys.modules["torch.nn"]
    sys.modules["torch.nn"].functional = sys.modules["torch.nn.functional"]
    sys.modules["fast_reid.fast_reid_interfece"].FastReIDInterface = object
    if repository == "ByteTrack":  # yolox/__init__.py imports the detector
        sys.modules["yolox"] = types.ModuleType("yolox")
        sys.modules["yolox"].__path__ = [str(authors / repository / "yolox")]
        sys.modules["yolox.tracker"] = types.ModuleType("yolox.tracker")
        sys.modules["yolox.tracker"].__path__ = [str(authors / repository / "yolox" / "tracker")]
    sys.path.insert(0, str(authors / repository))
    try:
        return importlib.import_module(module)
    finally:
        sys.path.pop(0)


def run_bytetrack(authors: Path, scene: Scene, case: dict[str, Any]) -> list[np.ndarray]:
    """ByteTrack's BYTETracker."""
    module = load(authors, "ByteTrack", "yolox.tracker.byte_tracker")
    options = {"track_thresh": 0.6, "track_buffer": 30, "match_thresh": 0.9, "fuse_score": True, **case["settings"]}
    options["mot20"] = not options.pop("fuse_score")
    module.BaseTrack._count = 0
    tracker = module.BYTETracker(types.SimpleNamespace(**options), frame_rate=scene.frame_rate)
    results = []
    for boxes, scores in zip(scene.boxes, scene.scores, strict=True):
        given = np.column_stack([corners(boxes), scores.astype(np.float64)])
        tracks = tracker.update(given, (1, 1), (1, 1))
        results.append(np.array([[t.track_id, *t.tlwh] for t in tracks]).reshape(-1, 5))
    return results


def run_ocsort(authors: Path, scene: Scene, case: dict[str, Any]) -> list[np.ndarray]:
    """OC-SORT's OCSort."""
    module = load(authors, "OC_SORT", "trackers.ocsort_tracker.ocsort")
    options = {"det_thresh": 0.6, **case["settings"]}
    tracker = module.OCSort(**options)
    results = []
    for boxes, scores in zip(scene.boxes, scene.scores, strict=True):
        given = np.column_stack([corners(boxes), scores.astype(np.float64)])
        tracks = tracker.update(given, (1, 1), (1, 1))
        results.append(np.column_stack([tracks[:, 4], tracks[:, :2], tracks[:, 2:4] - tracks[:, :2]]))
    return results


def run_botsort(authors: Path, scene: Scene, case: dict[str, Any]) -> list[np.ndarray]:
    """BoT-SORT's BoTSORT; its camera motion and ReID network are replaced by the scene's warps and embeddings."""
    module = load(authors, "BoT-SORT", "tracker.bot_sort")
    options = {
        "track_high_thresh": 0.6,
        "track_low_thresh": 0.1,
        "new_track_thresh": 0.7,
        "track_buffer": 30,
        "match_thresh": 0.8,
        "proximity_thresh": 0.5,
        "appearance_thresh": 0.25,
        "fuse_score": True,
        **case["settings"],
    }
    options["mot20"] = not options.pop("fuse_score")
    with_reid = options.pop("with_reid", False)
    options = types.SimpleNamespace(with_reid=False, cmc_method="none", name="", ablation=False, **options)
    tracker = module.BoTSORT(options, frame_rate=scene.frame_rate)
    options.with_reid = with_reid
    results = []
    for boxes, scores, embeddings, warp in zip(scene.boxes, scene.scores, scene.embeddings, scene.warps, strict=True):
        high = scores > options.track_high_thresh
        tracker.encoder = types.SimpleNamespace(inference=lambda image, dets, given=embeddings[high]: given.copy())
        tracker.gmc.apply = lambda image, dets, warp=warp: warp if case.get("warps") else np.eye(2, 3)
        given = np.column_stack([corners(boxes), scores.astype(np.float64)])
        tracks = tracker.update(given, None)
        results.append(np.array([[t.track_id, *t.tlwh] for t in tracks]).reshape(-1, 5))
    return results


def run_deepsort(authors: Path, scene: Scene, case: dict[str, Any]) -> list[np.ndarray]:
    """DeepSORT's Tracker as deep_sort_app.py drives it, but detections stay in order if none are suppressed."""
    load(authors, "deep_sort", "deep_sort.tracker")
    modules = {name: sys.modules[f"deep_sort.{name}"] for name in ("tracker", "linear_assignment", "kalman_filter")}
    sys.path.insert(0, str(authors / "deep_sort"))
    matching = importlib.import_module("deep_sort.nn_matching")
    detection = importlib.import_module("deep_sort.detection")
    suppress = importlib.import_module("application_util.preprocessing").non_max_suppression
    sys.path.pop(0)
    options = {
        "min_confidence": 0.3,
        "max_cosine_distance": 0.2,
        "nn_budget": 100,
        "max_iou_distance": 0.7,
        "max_age": 30,
        "n_init": 3,
        "nms_max_overlap": 1.0,
        "min_detection_height": 0,
        **case["settings"],
    }
    metric = matching.NearestNeighborDistanceMetric(
        "cosine", options["max_cosine_distance"], options["nn_budget"] or None
    )
    tracker = modules["tracker"].Tracker(metric, options["max_iou_distance"], options["max_age"], options["n_init"])
    results = []
    for boxes, scores, embeddings in zip(scene.boxes, scene.scores, scene.embeddings, strict=True):
        detections = [
            detection.Detection(box, score, feature)
            for box, score, feature in zip(boxes, scores, embeddings, strict=True)
        ]
        detections = [d for d in detections if d.tlwh[3] >= options["min_detection_height"]]
        detections = [d for d in detections if d.confidence >= options["min_confidence"]]
        if options["nms_max_overlap"] < 1:  # at 1 it suppresses nothing, but sorts by score
            order = suppress(
                np.array([d.tlwh for d in detections]),
                options["nms_max_overlap"],
                np.array([d.confidence for d in detections]),
            )
            detections = [detections[i] for i in order]
        tracker.predict()
        tracker.update(detections)
        shown = [t for t in tracker.tracks if t.is_confirmed() and t.time_since_update <= 1]
        results.append(np.array([[t.track_id, *t.to_tlwh()] for t in shown]).reshape(-1, 5))
    return results


RUNS: dict[str, Callable[[Path, Scene, dict[str, Any]], list[np.ndarray]]] = {
    "bytetrack": run_bytetrack,
    "ocsort": run_ocsort,
    "botsort": run_botsort,
    "deepsort": run_deepsort,
}


def run(authors: Path, scene: Scene, case: dict[str, Any]) -> np.ndarray:
    """Rows of frame, id, x, y, w, h."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = RUNS[case["tracker"]](authors, scene, case)
    frames = [np.column_stack([np.full(len(rows), frame), rows]) for frame, rows in enumerate(results, start=1)]
    return np.concatenate(frames)


def main() -> None:
    """Run every case and write the files."""
    parser = argparse.ArgumentParser()
    parser.add_argument("authors", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--tables", type=Path)
    parser.add_argument("--only", default="", help="only cases whose name starts with this; the others are kept")
    arguments = parser.parse_args()
    tables, digests = {}, {}
    if arguments.only and (GOLDEN / "trackers.json").exists():
        tables = dict(np.load(GOLDEN / "trackers.npz"))
        digests = json.loads((GOLDEN / "trackers.json").read_text(encoding="utf-8"))
    cases = {name: case for name, case in CASES.items() if name.startswith(arguments.only)}
    full = {}
    for scene in random_scenes().values():
        for name, case in cases.items():
            table = run(arguments.authors, scene, case)
            if scene.name in WHOLE:
                tables[f"{scene.name}: {name}"] = np.round(table * [1, 1, 1e3, 1e3, 1e3, 1e3]).astype(np.int32)
            else:
                digests[f"{scene.name}: {name}"] = digest(table)
            full[f"{scene.name}: {name}"] = table
    np.savez_compressed(GOLDEN / "trackers.npz", **tables)
    for folder in sorted((arguments.data / "MOT17" / "train").iterdir()):
        scene = public_scene(folder)
        for name, case in cases.items():
            table = run(arguments.authors, scene, case)
            digests[f"{scene.name}: {name}"] = digest(table)
            full[f"{scene.name}: {name}"] = table
        print(folder.name, flush=True)
        lines = [f"{json.dumps(name)}: {json.dumps(digests[name])}" for name in sorted(digests)]
        (GOLDEN / "trackers.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    if arguments.tables:
        arguments.tables.mkdir(parents=True, exist_ok=True)
        np.savez(arguments.tables / f"tables-{arguments.only or 'all'}.npz", **full)


if __name__ == "__main__":
    main()
