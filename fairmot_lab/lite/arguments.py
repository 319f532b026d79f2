"""Command-line arguments of training and fine-tuning, without importing paddle."""

from __future__ import annotations

import argparse


def add_arguments(
    parser: argparse.ArgumentParser, *, steps: int, learning_rate: float, scenes: int, confine: bool
) -> None:
    """Declare what training and fine-tuning can be told on the command line, with these defaults."""
    parser.add_argument("sequences", nargs="*", metavar="SEQ", help="MOTChallenge sequence folders with gt/gt.txt")
    parser.add_argument(
        "--video",
        nargs=2,
        action="append",
        default=[],
        metavar=("FILE", "GT"),
        help="a video and its gt.txt; repeatable",
    )
    parser.add_argument("--scenes", type=int, default=scenes, help="rendered scenes to train on as well (%(default)s)")
    parser.add_argument(
        "--scene-share", type=float, default=0.4, help="part of the views taken from them (%(default)s)"
    )
    parser.add_argument(
        "--from",
        dest="start",
        default="fairmot_lite",
        metavar="WEIGHTS",
        help="fairmot_lite (default), a file that training wrote, FastestDet's COCO weights, or scratch",
    )
    parser.add_argument(
        "--held-out", nargs="*", default=[], metavar="SEQ", help="sequences for the learning curve only"
    )
    parser.add_argument(
        "--output", default="training", metavar="DIR", help="weights, checkpoint and curve (%(default)s)"
    )
    parser.add_argument("--cache", metavar="DIR", help="frames kept between runs (DIR/cache)")
    parser.add_argument("--steps", type=int, default=steps, help="%(default)s")
    parser.add_argument("--pairs", type=int, default=8, help="pairs of views in a step (%(default)s)")
    parser.add_argument("--learning-rate", type=float, default=learning_rate, help="%(default)s")
    parser.add_argument(
        "--confine",
        action=argparse.BooleanOptionalAction,
        default=confine,
        help="train the pyramid on rendered scenes alone and let it speak only in their like, so that unknown cameras"
        " get COCO's detector as it is (%(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="%(default)s")
    parser.add_argument("--evaluate-every", type=int, default=100, metavar="STEPS", help="%(default)s")
