"""`fairmot-lab data check`."""

from __future__ import annotations

import argparse

from .arguments import _Parser, _write_csv


def _add_data(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("data", help="list the sequences of MOTChallenge and other data sets in a folder")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=_Parser)
    check = actions.add_parser("check", help="report what is there, what is missing and what is odd")
    check.add_argument("folder", nargs="?", default="data", metavar="DIR", help="where they lie (default: data)")
    check.add_argument("--csv", metavar="FILE", help="also write the table")
    check.set_defaults(run=_run_data_check)


def _run_data_check(options: argparse.Namespace) -> None:
    from .._terminal import wrapped
    from ..sources.data_check import check_data, describe

    table = check_data(options.folder)
    for line in describe(table):
        print(wrapped(line, " " * (len(line) - len(line.lstrip()) + 4)))
    _write_csv(table, options.csv)
