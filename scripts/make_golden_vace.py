"""Write tests/golden/vace.json: VACE of real results on MOT17-train, as TrackEval computes it.

    python scripts/make_golden_vace.py CHECKOUT_OF_TRACKEVAL [--data FOLDER]

The results are golden/trackeval-mot17-train of the data folder, by default ../shared/data or FAIRMOT_LAB_DATA.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import sys
import tempfile
from pathlib import Path

from trackeval_layout import lay_out

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    default = os.environ.get("FAIRMOT_LAB_DATA", ROOT.parent / "shared" / "data")
    parser.add_argument("--data", type=Path, default=Path(default))
    options = parser.parse_args()
    sys.path.insert(0, str(options.checkout))
    with contextlib.redirect_stdout(io.StringIO()):
        import trackeval
        from trackeval.metrics.vace import VACE
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        layout, _ = lay_out(root, options.data)
        data = trackeval.datasets.MotChallenge2DBox.get_default_dataset_config() | layout
        data |= {"OUTPUT_FOLDER": str(root / "out")}
        config = trackeval.Evaluator.get_default_eval_config()
        config |= dict.fromkeys(("PRINT_RESULTS", "PRINT_CONFIG", "TIME_PROGRESS", "OUTPUT_SUMMARY"), False)
        config |= dict.fromkeys(("OUTPUT_DETAILED", "OUTPUT_EMPTY_CLASSES", "PLOT_CURVES"), False)
        with contextlib.redirect_stdout(io.StringIO()):
            found, _ = trackeval.Evaluator(config).evaluate([trackeval.datasets.MotChallenge2DBox(data)], [VACE()])
    rows = {
        name.replace("COMBINED_SEQ", "OVERALL"): {key: float(value) for key, value in row["pedestrian"]["VACE"].items()}
        for name, row in found["MotChallenge2DBox"]["it"].items()
    }
    (ROOT / "tests" / "golden" / "vace.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
