"""Write tests/golden/tracks.json: digests of the tracks of many detection sets, to hold later code to.

    python scripts/make_golden_tracks.py DATA       DATA holds MOT17/train and MOT15/train

The file was made by the tracker that was compared with PaddleDetection 2.6.0 track by track. Make it anew only when
tracks are meant to change.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path.insert(0, str(TESTS))

from golden_tracks import GOLDEN, crowd_cases, measure, public_cases  # noqa: E402


def main() -> None:
    """Measure every case and write the file."""
    cases = [*crowd_cases(), *public_cases(Path(sys.argv[1]))]
    lines = [f"{json.dumps(name)}: {json.dumps(measure(*case))}" for name, case in cases]
    GOLDEN.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
