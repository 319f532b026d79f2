"""Write tests/golden/classes.json: metrics by class of a scene in the forms of KITTI and BDD100K, by TrackEval.

    python scripts/make_class_golden.py CHECKOUT_OF_TRACKEVAL

The scene is that of tests/class_scenes.py. The commit of the checkout and the version of NumPy are kept beside.
"""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
SHOWN = ("MOTA", "CLR_FP", "CLR_FN", "IDSW", "IDF1", "HOTA", "DetA", "AssA")


def main() -> None:
    checkout = Path(sys.argv[1])
    for name, kind in (("float", float), ("int", int), ("bool", bool)):
        if name not in np.__dict__:
            setattr(np, name, kind)  # TrackEval was written for NumPy 1.20
    sys.path[:0] = [str(checkout), str(ROOT / "tests")]
    with contextlib.redirect_stdout(io.StringIO()):
        import trackeval
        from class_scenes import LENGTH, SEQUENCES, bdd100k, kitti
    commit = subprocess.run(
        ["git", "-C", str(checkout), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        truth, results = kitti(root / "kitti")
        lines = [f"{name} empty 000000 {LENGTH:06d}" for name in SEQUENCES]
        (root / "kitti" / "evaluate_tracking.seqmap.training").write_text("\n".join(lines) + "\n")
        found = {"kitti": _figures(trackeval, trackeval.datasets.Kitti2DBox, truth.parent, results)}
        truth, results = bdd100k(root / "bdd100k", capital=True)
        found["bdd100k"] = _figures(trackeval, trackeval.datasets.BDD100K, truth, results)
    made = {"trackeval": commit, "numpy": np.__version__, **found}
    path = ROOT / "tests" / "golden" / "classes.json"
    path.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


def _figures(trackeval: Any, kind: Any, truth: Path, results: Path) -> dict[str, dict[str, float]]:
    """The figures of each class over all sequences."""
    data = kind.get_default_dataset_config()
    data |= {"GT_FOLDER": str(truth), "TRACKERS_FOLDER": str(results.parent.parent), "PRINT_CONFIG": False}
    data |= {"TRACKERS_TO_EVAL": [results.parent.name], "OUTPUT_FOLDER": str(results.parent / "out")}
    config = trackeval.Evaluator.get_default_eval_config()
    config |= dict.fromkeys(("PRINT_RESULTS", "PRINT_CONFIG", "TIME_PROGRESS", "OUTPUT_SUMMARY"), False)
    config |= dict.fromkeys(("OUTPUT_DETAILED", "OUTPUT_EMPTY_CLASSES", "PLOT_CURVES"), False)
    config["BREAK_ON_ERROR"] = True
    metrics = [trackeval.metrics.HOTA(), trackeval.metrics.CLEAR(), trackeval.metrics.Identity()]
    with contextlib.redirect_stdout(io.StringIO()):
        dataset = kind(data)
        found, _ = trackeval.Evaluator(config).evaluate([dataset], metrics)
    combined = found[dataset.get_name()][results.parent.name]["COMBINED_SEQ"]
    rows = {}
    for name, families in combined.items():
        values = {key: value for family in families.values() for key, value in family.items()}
        rows[name] = {key: float(np.mean(values[key])) for key in SHOWN}
    return rows


if __name__ == "__main__":
    main()
