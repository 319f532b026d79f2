"""`fairmot-lab finetune`."""

from __future__ import annotations

import argparse
from typing import Any

from ..errors import ConfigError


def _add_finetune(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("finetune", help="fine-tune the compact model on sequences with ground truth")
    add = parser.add_argument
    add("sequences", nargs="*", metavar="SEQ", help="MOTChallenge sequence folders with gt/gt.txt")
    add(
        "--video",
        nargs=2,
        action="append",
        default=[],
        metavar=("FILE", "GT"),
        help="a video and its gt.txt; repeatable",
    )
    add("--scenes", type=int, default=0, help="rendered scenes to train on as well (%(default)s)")
    add(
        "--from",
        dest="start",
        default="fairmot_lite",
        metavar="WEIGHTS",
        help="fairmot_lite (default), an .onnx file that training wrote, or YOLOX-nano's",
    )
    add("--held-out", nargs="*", default=[], metavar="SEQ", help="sequences for the learning curve only")
    add("--output", default="training", metavar="DIR", help="weights, checkpoint and curve (%(default)s)")
    add("--cache", metavar="DIR", help="frames kept between runs (DIR/cache)")
    add("--steps", type=int, default=120, help="%(default)s")
    add("--pairs", type=int, default=4, help="pairs of views in a step (%(default)s)")
    add("--learning-rate", type=float, default=1.5e-4, help="%(default)s")
    add("--labels", type=float, default=1.0, help="weight of the loss on the labels of real views (%(default)s)")
    add("--anchor", type=float, default=3.0, help="weight of what keeps the model as it was (%(default)s)")
    add("--appearance", action="store_true", help="compute the appearance projection from these sequences alone")
    add("--seed", type=int, default=0, help="%(default)s")
    add("--evaluate-every", type=int, default=40, metavar="STEPS", help="%(default)s")
    add("--quiet", action="store_true", help="no progress bars")
    parser.set_defaults(run=_run_finetune)


def _run_finetune(options: argparse.Namespace) -> None:
    from .._files import make_folder
    from ..detection.zoo import BUNDLED
    from ..formats.mot import read_mot
    from ..lite.training import TrainingConfig, train
    from ..lite.training_data import prepare_footage, rendered_footage
    from ..sources.open import open_source

    names = ("steps", "learning_rate", "labels", "anchor", "appearance", "seed", "evaluate_every")
    config = TrainingConfig(views=2 * options.pairs, **{name: getattr(options, name) for name in names})
    sequences, held_out = ([_with_labels(path) for path in paths] for paths in (options.sequences, options.held_out))
    output = make_folder(options.output)
    cache = make_folder(options.cache or output / "cache")
    progress = not options.quiet
    footages = [prepare_footage(source, cache, progress=progress) for source in sequences]
    for video, path in options.video:
        source = open_source(video)
        truth = read_mot(path, "ground_truth", length=len(source))
        footages.append(prepare_footage(source, cache, truth=truth, progress=progress))
    footages += rendered_footage(options.scenes, cache, progress=progress)
    start = BUNDLED if options.start == "fairmot_lite" else options.start
    weights = train(footages, output, config, start=start, held_out=held_out, progress=progress)
    print(f"{weights}\nUse it with: fairmot-lab track SOURCE --model {weights}")


def _with_labels(path: str) -> Any:
    """Open a sequence that has its ground truth beside it."""
    from ..sources.open import open_source

    source = open_source(path)
    if not source.has_ground_truth:
        raise ConfigError(f"{path} has no ground truth (gt/gt.txt) beside it; give both files: --video {path} GT.")
    return source
