"""`fairmot-lab demo`."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path


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
    from ..lite.demo import run_demo
    from ..lite.scenes import SceneConfig

    report = run_demo(
        options.data,
        options.output,
        seed=options.seed,
        config=SceneConfig(length=options.frames),
        video=not options.no_video,
        progress=not options.quiet,
    )
    row = report.summary.iloc[-1]
    metrics = "  ".join(f"{name.upper()} {row[name]:.1%}" for name in ("mota", "idf1", "hota"))
    print(f"{metrics}  ID switches {row['num_switches']:.0f}")
    print(f"{report.frames} frames in {report.seconds:.1f} s: {report.frames / report.seconds:.1f} frames a second")
    for path in (report.sequence, report.text, report.picture, report.video):
        if path is not None:
            print(f"  {path}")
    ours, files = _command("fairmot-lab"), (report.sequence, report.text)
    print("Next:")
    print(f"  {ours} switches --gt {files[0]} --results {files[1]}\n      what happened at each ID switch")
    print(f"  {ours} view {files[0]} --tracks {files[1]}\n      look at the tracks in the browser")
    print(f"  {ours} track VIDEO --video\n      track a video of your own")
    if Path("notebooks").is_dir():
        print(f"  {_command('jupyter')} lab notebooks\n      the tour: ten notebooks on this sequence")
    else:
        print(f"  {_command('jupyter')} lab\n      and in a notebook, after `import fairmot_lab as fl`:")
        print(f'      fl.widgets.Workbench("{files[0]}", tracks=fl.read_mot("{files[1]}"))')


def _command(name: str) -> str:
    """Return a command of this environment as it has to be typed here."""
    beside = Path(sys.executable).parent / name
    if shutil.which(name) or not beside.exists():
        return name
    return str(beside.relative_to(Path.cwd()) if beside.is_relative_to(Path.cwd()) else beside)
