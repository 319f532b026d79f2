"""The command line: `fairmot-lab COMMAND` and `python -m fairmot_lab COMMAND`.

Each command is one `add_...` function that declares its arguments and one `run_...` function that calls the library.
A user's mistake is one line on stderr and exit status 2.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Sequence

from .errors import FairMOTLabError, FairMOTLabWarning

Run = Callable[[argparse.Namespace], int | None]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        """Say what is wrong in one line, without the usage text."""
        self.exit(2, f"{self.prog}: {message}\n")


def build_parser() -> argparse.ArgumentParser:
    """The parser with every command."""
    parser = _Parser(prog="fairmot-lab", description="Understand a FairMOT tracker: track, evaluate, explain.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    for add in COMMANDS:
        add(commands)
    return parser


def _add_data(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("data", help="what is found of MOT15, MOT16, MOT17 and MOT20")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=_Parser)
    check = actions.add_parser("check", help="say what is there, what is missing and what is odd")
    check.add_argument("folder", nargs="?", default="data", metavar="DIR", help="where they lie (default: data)")
    check.add_argument("--csv", metavar="FILE", help="also write the table")
    check.set_defaults(run=_run_data_check)


def _run_data_check(options: argparse.Namespace) -> None:
    from .datasets import check_data, describe
    from .files import atomic_write

    table = check_data(options.folder)
    print("\n".join(describe(table)))
    if options.csv:
        with atomic_write(options.csv) as path:
            table.to_csv(path, index=False)


COMMANDS: list[Callable[[argparse._SubParsersAction], None]] = [_add_data]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns
    -------
    int
        0 when it went well, 2 for a user's mistake, 130 when interrupted.
    """
    options = build_parser().parse_args(arguments)
    warnings.showwarning = _show_warning
    warnings.simplefilter("always", FairMOTLabWarning)
    try:
        return options.run(options) or 0
    except FairMOTLabError as error:
        print(f"fairmot-lab: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("fairmot-lab: interrupted; what was written so far is kept", file=sys.stderr)
        return 130


def _show_warning(message, category, filename, lineno, file=None, line=None) -> None:
    if issubclass(category, FairMOTLabWarning):
        print(f"fairmot-lab: warning: {message}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
