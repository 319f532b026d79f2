"""`fairmot-lab warm-up`."""

from __future__ import annotations

import argparse


def _add_warm_up(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("warm-up", help="compile once what the first run would compile: for installers")
    parser.set_defaults(run=_run_warm_up)


def _run_warm_up(options: argparse.Namespace) -> None:
    from matplotlib import font_manager  # noqa: F401  builds the cache of fonts

    from .._example import example
    from ..association import warm_up
    from ..association.run import track_detections
    from ..evaluation import evaluate

    warm_up()
    scene = example()
    tracks = track_detections(scene.detections)
    for evaluator in ("motmetrics", "trackeval"):
        evaluate(tracks, scene.ground_truth, evaluator=evaluator)
