"""`fairmot-lab demo`."""

from __future__ import annotations

import argparse


def _add_demo(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "demo", help="render a street scene, track it with the bundled model, judge the result"
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
    print(f"MOTA {row['mota']:.3f}  IDF1 {row['idf1']:.3f}  HOTA {row['hota']:.3f}  switches {row['num_switches']:.0f}")
    print(f"{report.frames} frames in {report.seconds:.1f} s: {report.frames / report.seconds:.1f} frames a second")
    for path in (report.sequence, report.text, report.picture, report.video):
        if path is not None:
            print(f"  {path}")
