"""Write tests/golden/sort.json: digests of what SORT's own code gives on public detections and generated scenes.

    python scripts/make_sort_golden.py SORT DATA

SORT is a clone of https://github.com/abewley/sort at commit 2236dff5019565958b84df7d871d41cc1db58ac7; nothing of it is
part of this project. DATA holds MOT15/train and MOT17/train. Made with Python 3.11, numpy 1.23.5, lap 0.5.13 and
filterpy 2.0.0; matplotlib and scikit-image, which only draw, are not needed. Every frame is given, also where nothing
was detected.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from golden_scenes import GOLDEN, Scene, digest, public_scene, random_scenes

COMMIT = "2236dff5019565958b84df7d871d41cc1db58ac7"
CASES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "long, loose": {"max_age": 8, "min_hits": 1, "iou_threshold": 0.15},
}


def load(folder: Path) -> ModuleType:
    """Import the authors' sort.py without what it draws with."""
    head = subprocess.run(["git", "-C", folder, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    if head.stdout.strip() != COMMIT:
        raise SystemExit(f"{folder} is at {head.stdout.strip()}; check out {COMMIT}.")
    for name in ("matplotlib", "matplotlib.pyplot", "matplotlib.patches", "skimage", "skimage.io"):
        sys.modules[name] = ModuleType(name)
    sys.modules["matplotlib"].use = lambda backend: None  # type: ignore[attr-defined]
    sys.modules["skimage"].io = sys.modules["skimage.io"]  # type: ignore[attr-defined]
    sys.path.insert(0, str(folder))
    import sort

    return sort


def run(module: ModuleType, scene: Scene, settings: dict[str, Any]) -> np.ndarray:
    """Rows of frame, id, x, y, w, h."""
    module.KalmanBoxTracker.count = 0
    tracker, parts = module.Sort(**settings), []
    for frame, (boxes, scores) in enumerate(zip(scene.boxes, scene.scores, strict=True), start=1):
        boxes = boxes.astype(np.float32).astype(np.float64)  # the precision of our detections
        found = tracker.update(np.column_stack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:], scores]))
        box = np.column_stack([found[:, :2], found[:, 2:4] - found[:, :2]])
        parts.append(np.column_stack([np.full(len(found), frame), found[:, 4], box]))
    return np.concatenate(parts)


def main() -> None:
    """Run every case and write the file."""
    module, data = load(Path(sys.argv[1])), Path(sys.argv[2])
    folders = sorted(path.parent.parent for path in data.glob("MOT1[57]/train/*/det/det.txt"))
    digests = {}
    for scene in (*random_scenes().values(), *map(public_scene, folders)):
        for name, settings in CASES.items():
            digests[f"{scene.name}: {name}"] = digest(run(module, scene, settings))
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in digests.items()]
    (GOLDEN / "sort.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
