"""MOT17-train and the golden results in the folders that TrackEval expects, for the scripts that make golden files."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def lay_out(root: Path, data: Path) -> tuple[dict[str, Any], list[str]]:
    """Link ground truth and results below `root`; return TrackEval's options that say so, and the sequences."""
    truth, results = data / "MOT17" / "train", data / "golden" / "trackeval-mot17-train"
    names = sorted(path.stem for path in results.glob("*.txt"))
    (root / "gt" / "seqmaps").mkdir(parents=True)
    (root / "gt" / "MOT17-train").symlink_to(truth.resolve())
    (root / "trackers" / "MOT17-train" / "it").mkdir(parents=True)
    (root / "trackers" / "MOT17-train" / "it" / "data").symlink_to(results.resolve())
    (root / "gt" / "seqmaps" / "MOT17-train.txt").write_text("\n".join(["name", *names, ""]))
    folders = {"GT_FOLDER": str(root / "gt"), "TRACKERS_FOLDER": str(root / "trackers")}
    return folders | {"BENCHMARK": "MOT17", "PRINT_CONFIG": False}, names
