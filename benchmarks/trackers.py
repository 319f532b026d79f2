"""Frames per CPU second of every tracker, beside the authors' code and roboflow's `trackers`, on the same detections.

    python benchmarks/trackers.py                    ours
    python benchmarks/trackers.py --setup DIR        clone the authors' code, make environments for it and roboflow's
    python benchmarks/trackers.py --peers DIR        ours and both, in the environments that --setup made

One thread, generated people in 1920x1080, frames given one by one as a stream. The first frames, in which numba
compiles or loads its cache, are left out. Best of three runs for ours and roboflow's, one run for the authors'.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT / "tests")  # in place of this folder: this file has the name of roboflow's package
sys.path.append(str(ROOT / "scripts"))

import numpy as np  # noqa: E402
from golden_scenes import random_scene  # noqa: E402

PEOPLE = (5, 30, 80, 150)
FRAMES = 150
WARM = 5
ENVIRONMENTS = {
    "authors": "numpy==1.23.5 scipy==1.15.3 lap==0.5.13 filterpy==2.0.0 matplotlib opencv-python-headless==4.5.5.64",
    "roboflow": "trackers==2.6.1",
}
ROBOFLOW = {
    "bytetrack": "ByteTrackTracker",
    "ocsort": "OCSORTTracker",
    "botsort": "BoTSORTTracker",
    "sort": "SORTTracker",
}


def scene(people, frames=FRAMES):
    """People in a 1080p picture."""
    return random_scene(f"{people} people", 0, people=people, frames=frames, area=(1920, 1080))


def timed(update, frames):
    """Frames per CPU second, after the warm ones."""
    for index in range(WARM):
        update(index)
    start = time.process_time()
    for index in range(WARM, frames):
        update(index)
    return (frames - WARM) / (time.process_time() - start)


def ours(name, given):
    """Frames per second of our tracker."""
    from fairmot_lab.association.registry import get_tracker

    frames = [
        SimpleNamespace(frame=i + 1, boxes=given.boxes[i], scores=given.scores[i], embeddings=given.embeddings[i])
        for i in range(len(given.boxes))
    ]
    if name not in ("jde", "deepsort"):
        for frame in frames:
            frame.embeddings = None
    results = []
    for _ in range(3):
        tracker = get_tracker(name)
        results.append(timed(lambda i, tracker=tracker: tracker.update(frames[i]), len(frames)))
    return max(results)


def roboflow(name, given):
    """Frames per second of roboflow's tracker; BoT-SORT without camera motion, as ours here."""
    import supervision
    import trackers

    options = {"enable_cmc": False} if name == "botsort" else {}
    frames = [
        supervision.Detections(
            xyxy=np.concatenate([box[:, :2], box[:, :2] + box[:, 2:]], 1),
            confidence=score,
            class_id=np.zeros(len(box), int),
        )
        for box, score in zip(given.boxes, given.scores, strict=True)
    ]
    results = []
    for _ in range(3):
        tracker = getattr(trackers, ROBOFLOW[name])(**options)
        results.append(timed(lambda i, tracker=tracker: tracker.update(frames[i]), len(frames)))
    return max(results)


def authors(name, given, clones):
    """Frames per second of the authors' code: the time of all frames less that of the first few."""
    import warnings

    import make_tracker_goldens as goldens

    def seconds(frames):
        part = SimpleNamespace(
            **{key: value[:frames] if isinstance(value, list) else value for key, value in vars(given).items()}
        )
        start = time.process_time()
        goldens.RUNS[name](clones, part, {"settings": {}})
        return time.process_time() - start

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seconds(WARM)
        few = seconds(WARM)
        return (len(given.boxes) - WARM) / (seconds(len(given.boxes)) - few)


def setup(folder):
    """Make the environments of the peers and clone the authors' code."""
    import make_tracker_goldens as goldens

    for name, packages in ENVIRONMENTS.items():
        subprocess.run([sys.executable, "-m", "venv", folder / name], check=True)
        pip = [folder / name / "bin" / "pip", "install", "--quiet"]
        subprocess.run([*pip, *packages.split()], check=True)
        if name == "authors":  # cython_bbox is built against numpy
            subprocess.run([*pip, "cython==0.29.37", "setuptools<81", "wheel"], check=True)
            subprocess.run([*pip, "--no-build-isolation", "cython_bbox==0.1.5"], check=True)
    for repository, commit in goldens.COMMITS.items():
        owner = goldens.OWNERS[repository]
        subprocess.run(
            ["git", "clone", "--quiet", f"https://github.com/{owner}/{repository}", folder / repository], check=True
        )
        subprocess.run(["git", "-C", folder / repository, "checkout", "--quiet", commit], check=True)


def peer(kind, name, folder):
    """Run this script in a peer's environment; return its figures by people, empty where it has no such tracker."""
    if kind == "roboflow" and name not in ROBOFLOW:
        return {}
    import make_tracker_goldens as goldens

    if kind == "authors" and name not in goldens.RUNS:
        return {}
    command = [folder / kind / "bin" / "python", "-W", "ignore", __file__, "--worker", kind, name, "--peers", folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{kind} {name} failed: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return {}
    return {int(people): speed for people, speed in json.loads(done.stdout.splitlines()[-1]).items()}


def main():
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setup", type=Path)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--trackers", nargs="*")
    arguments = parser.parse_args()
    if arguments.setup:
        setup(arguments.setup.resolve())
        return
    if arguments.worker:
        kind, name = arguments.worker
        function = roboflow if kind == "roboflow" else lambda name, given: authors(name, given, arguments.peers)
        print(json.dumps({people: function(name, scene(people)) for people in PEOPLE}))
        return
    from fairmot_lab.association.registry import TRACKERS

    print(f"{'tracker':12}{'people':>8}{'ours':>10}{'roboflow':>10}{'times':>8}{'authors':>10}{'times':>8}")
    for name in arguments.trackers or TRACKERS:
        others = {
            kind: peer(kind, name, arguments.peers) if arguments.peers else {} for kind in ("roboflow", "authors")
        }
        for people in PEOPLE:
            speed = ours(name, scene(people))
            line = f"{name:12}{people:8}{speed:10.0f}"
            for figures in others.values():
                other = figures.get(people)
                line += f"{other:10.1f}{speed / other:8.1f}" if other else f"{'-':>10}{'-':>8}"
            print(line, flush=True)


if __name__ == "__main__":
    main()
