"""Write tests/golden/local.json: local metrics of real results on MOT17-train, as their authors' code computes them.

    python scripts/make_golden_local.py CHECKOUT_OF_LOCALMOT CHECKOUT_OF_TRACKEVAL [--data FOLDER]

The checkouts are of google-research/localmot and JonathonLuiten/TrackEval, which reads and prepares the files. The
results are golden/trackeval-mot17-train of the data folder, by default ../shared/data or FAIRMOT_LAB_DATA.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import json
import os
import sys
import tempfile
import types
from pathlib import Path

import numpy as np
from trackeval_layout import lay_out

ROOT = Path(__file__).resolve().parents[1]
HORIZONS = [0, 10, 100, np.inf]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("localmot", type=Path)
    parser.add_argument("trackeval", type=Path)
    default = os.environ.get("FAIRMOT_LAB_DATA", ROOT.parent / "shared" / "data")
    parser.add_argument("--data", type=Path, default=Path(default))
    options = parser.parse_args()
    metrics = load_metrics(options.localmot / "localmot")
    sys.path.insert(0, str(options.trackeval))
    with contextlib.redirect_stdout(io.StringIO()):
        import trackeval
    found, total = {}, 0
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        layout, names = lay_out(root, options.data)
        config = trackeval.datasets.MotChallenge2DBox.get_default_dataset_config() | layout
        with contextlib.redirect_stdout(io.StringIO()):
            dataset = trackeval.datasets.MotChallenge2DBox(config)
        for name in names:
            data = dataset.get_preprocessed_seq_data(dataset.get_raw_seq_data("it", name), "pedestrian")
            parts = (data["num_timesteps"], data["gt_ids"], data["tracker_ids"], data["similarity_scores"])
            stats = metrics.local_stats(*parts, horizons=HORIZONS, with_diagnostics=False)
            found[name] = stats
            total = total + stats
    found["OVERALL"] = total
    rows = {name: metrics.normalize(stats).to_dict("list") for name, stats in found.items()}
    held = {"horizons": [str(horizon) for horizon in HORIZONS], "metrics": rows}
    (ROOT / "tests" / "golden" / "local.json").write_text(json.dumps(held, indent=1) + "\n", encoding="utf-8")


def load_metrics(folder: Path) -> types.ModuleType:
    """Load localmot's metrics without the rest of the package, which asks for more packages."""
    sys.modules["localmot"] = package = types.ModuleType("localmot")
    package.__path__ = [str(folder)]
    for name in ("util", "horizon_util", "metrics"):
        spec = importlib.util.spec_from_file_location(f"localmot.{name}", folder / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[spec.name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        setattr(package, name, module)
    return package.metrics


if __name__ == "__main__":
    main()
