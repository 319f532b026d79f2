"""`fairmot-lab hub run`."""

from __future__ import annotations

import argparse

from ..errors import HubError
from .arguments import _Parser


def _add_hub(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("hub", help="PaddleHub's command line for its module fairmot_dla34")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=_Parser)
    run = actions.add_parser("run", help="track a video as `hub run` does")
    run.add_argument("module", metavar="MODULE", help="fairmot_dla34")
    run.add_argument("--video_stream", metavar="PATH", help="a video file, or a camera number")
    run.add_argument("--output_dir", default="mot_result", metavar="DIR", help="where the results go (mot_result)")
    run.add_argument("--draw_threshold", type=float, default=0.5, metavar="S", help="smallest score of a row (0.5)")
    run.add_argument("--use_gpu", action="store_true", help="run on the GPU")
    run.add_argument("--from_device", action="store_true", help="--video_stream is a camera number")
    run.add_argument("--visualization", action="store_true", help="write annotated frames and a video")
    run.add_argument("--weights", metavar="M", help="other weights: a model's name or a file")
    run.set_defaults(run=_run_hub)


def _run_hub(options: argparse.Namespace) -> None:
    from ..contrib import paddlehub as hub

    module = hub.Module(name=options.module, weights=options.weights)
    if not options.video_stream:
        raise HubError("--video_stream should be set.")
    module.mot_predict(
        options.video_stream,
        output_dir=options.output_dir,
        visualization=options.visualization,
        draw_threshold=options.draw_threshold,
        use_gpu=options.use_gpu,
        from_device=options.from_device,
    )
