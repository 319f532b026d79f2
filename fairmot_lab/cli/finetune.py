"""`fairmot-lab finetune`."""

from __future__ import annotations

import argparse


def _add_finetune(commands: argparse._SubParsersAction) -> None:
    from ..lite.arguments import add_arguments

    parser = commands.add_parser("finetune", help="fine-tune the compact model on sequences with ground truth")
    add_arguments(parser, steps=300, learning_rate=5e-4, scenes=0, confine=False)
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    parser.set_defaults(run=_run_finetune)


def _run_finetune(options: argparse.Namespace) -> None:
    from ..lite.training import run

    weights = run(options, progress=not options.quiet)
    print(f"{weights}\nUse it with: fairmot-lab track SOURCE --model {weights}")
