"""`fairmot-lab demo`."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path
from typing import Any


def _add_demo(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "demo", help="render a street scene, track it with the bundled model, evaluate the result"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="which scene (default: 0)")
    parser.add_argument("--data", default="data", metavar="DIR", help="where the sequence goes (default: data)")
    parser.add_argument("--output", default="outputs", metavar="DIR", help="where the results go (default: outputs)")
    parser.add_argument("--frames", type=int, default=300, metavar="N", help="length of the sequence (default: 300)")
    parser.add_argument("--no-video", action="store_true", help="make no overlay video")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    parser.set_defaults(run=_run_demo)


def _run_demo(options: argparse.Namespace) -> None:
    from ..detection.model import load_model
    from ..drawing import render_video
    from ..evaluation.evaluate import evaluate
    from ..formats.mot import read_mot
    from ..lite.demo import make_sequence
    from ..lite.scenes import SceneConfig
    from ..pipeline import track_files
    from ..sources.open import open_source

    progress = not options.quiet
    sequence = make_sequence(options.data, options.seed, SceneConfig(length=options.frames), progress=progress)
    source, model = open_source(sequence), load_model("fairmot_lite")
    started = time.perf_counter()
    report = track_files(source, model=model, folder=options.output, progress=progress)
    seconds = time.perf_counter() - started
    tracks = read_mot(report.text)
    picture, film = report.text.with_suffix(".png"), report.text.with_suffix(".mp4")
    _draw_middle(source, tracks, picture)
    if not options.no_video:
        render_video(source, tracks, film, progress=progress)
    row = evaluate(tracks, source, protocol="motchallenge").overall
    metrics = "  ".join(f"{name.upper()} {row[name]:.1%}" for name in ("mota", "idf1", "hota"))
    print(f"{metrics}  ID switches {row['num_switches']:.0f}")
    print(f"{len(source)} frames in {seconds:.1f} s: {len(source) / seconds:.1f} frames a second")
    for path in (sequence, report.text, picture, *([] if options.no_video else [film])):
        print(f"  {path}")
    ours = _command("fairmot-lab")
    print("Next:")
    switches = f"switches --gt {sequence} --results {report.text} --detections {options.output}"
    print(f"  {ours} {switches}\n      why each ID switch happened")
    print(f"  {ours} view {sequence} --tracks {report.text}\n      look at the tracks in the browser")
    print(f"  {ours} track VIDEO --video\n      track a video of your own")
    if Path("notebooks").is_dir():
        print(f"  {_command('jupyter')} lab notebooks\n      the tour: ten notebooks on this sequence")
    else:
        print(f"  {_command('jupyter')} lab\n      and in a notebook, after `import fairmot_lab as fl`:")
        print(f'      fl.widgets.Workbench("{sequence}", detections="{report.detections}")')


def _draw_middle(source: Any, tracks: Any, path: Path) -> None:
    """Draw the frame in the middle: the tracks with their trails beside the people of the ground truth."""
    import cv2

    from .._files import atomic_write
    from ..drawing import render_frames

    people = source.ground_truth.query("class_id == 1 and visibility > 0").drop(columns="score")
    middle = max(1, len(source) // 2)
    tables = {"tracked by fairmot_lite": tracks, "ground truth": people}
    *_, (_, drawn) = render_frames(source, tables, first=max(1, middle - 30), last=middle)
    with atomic_write(path) as temporary:
        cv2.imwrite(str(temporary), drawn)


def _command(name: str) -> str:
    """Return a command of this environment as it has to be typed here."""
    beside = Path(sys.executable).parent / name
    if shutil.which(name) or not beside.exists():
        return name
    return str(beside.relative_to(Path.cwd()) if beside.is_relative_to(Path.cwd()) else beside)
