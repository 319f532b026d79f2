"""`fairmot-lab hub`."""

from __future__ import annotations

import argparse


def _add_hub(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("hub", help="PaddleHub's command line for its module fairmot_dla34")
    parser.add_argument(
        "action", metavar="COMMAND", help="run, install, list, show or version, as of PaddleHub; help lists them"
    )
    parser.add_argument(
        "rest", nargs=argparse.REMAINDER, metavar="...", help="what goes with it: run fairmot_dla34 --help says all"
    )
    parser.set_defaults(run=_run_hub)


def _run_hub(options: argparse.Namespace) -> None:
    from ..contrib.paddlehub import run_command

    run_command([options.action, *options.rest])
