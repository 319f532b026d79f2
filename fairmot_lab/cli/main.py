"""The command line: `fairmot-lab COMMAND` and `python -m fairmot_lab COMMAND`.

Each command is a module with one function that declares its arguments and one that calls the library.
A user's mistake is one line on stderr and exit status 2.
"""

from __future__ import annotations

import argparse
import errno
import io
import logging
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from .._files import refuse_overwrite
from ..errors import ConfigError, FairMOTLabError, FairMOTLabWarning
from .arguments import _Parser
from .data import _add_data
from .demo import _add_demo
from .evaluate import _add_evaluate
from .export import _add_export
from .finetune import _add_finetune
from .hub import _add_hub
from .models import _add_models
from .report import _add_report
from .sweep import _add_sweep
from .switches import _add_switches
from .track import _add_track
from .view import _add_view
from .warm_up import _add_warm_up


def build_parser(arguments: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Return the parser with every command.

    Parameters
    ----------
    arguments
        What will be parsed: `track` has the settings of the tracker that they name as options.
    """
    parser = _Parser(prog="fairmot-lab", description="Understand a FairMOT tracker: track, evaluate, explain.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    _add_track(commands, arguments)
    for add in COMMANDS:
        add(commands)
    return parser


COMMANDS: list[Callable[[argparse._SubParsersAction], None]] = [
    _add_hub,
    _add_data,
    _add_evaluate,
    _add_switches,
    _add_report,
    _add_sweep,
    _add_models,
    _add_export,
    _add_view,
    _add_demo,
    _add_finetune,
    _add_warm_up,
]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns
    -------
    int
        0 when it went well, 2 for a user's mistake, 130 when interrupted, 141 when nobody reads the output any more.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    if sys.stdout is None:  # closed, as by >&-
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # consoles of Windows and containers may have another encoding
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    warnings.showwarning = _show_warning
    warnings.simplefilter("always", FairMOTLabWarning)
    logging.basicConfig(format="fairmot-lab: %(message)s")
    logging.getLogger("fairmot_lab").setLevel(logging.INFO)
    try:
        options = build_parser(given).parse_args(given)
        _refuse_empty(options)
        _refuse_overwrites(options)
        status = options.run(options) or 0
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # the reader has enough, as `| head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"fairmot-lab: the output cannot be written ({error.strerror or error})", file=sys.stderr)
        return 2
    except FairMOTLabError as error:
        print(f"fairmot-lab: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("fairmot-lab: interrupted; what was written so far is kept", file=sys.stderr)
        return 130


def _refuse_empty(options: argparse.Namespace) -> None:
    """Raise an error if an argument is an empty text, as an unset shell variable gives: as a path it is this folder."""
    for name, value in vars(options).items():
        if "" in (value if isinstance(value, list) else [value]):
            raise ConfigError(f"The argument {name} is empty; give a value, or leave it out.")


def _refuse_overwrites(options: argparse.Namespace) -> None:
    """Raise an error if a file that the command writes is one that it reads: any other argument may name one."""
    values: dict[str, Any] = {
        name: value for name, value in vars(options).items() if value and isinstance(value, str | list)
    }
    outputs = [values.pop(name, None) for name in ("csv", "file", "output")]
    if values.pop("command") in ("track", "demo", "hub", "finetune"):  # whose output is a folder
        outputs.pop()
    for path in outputs:
        if path:
            refuse_overwrite(path, values)


def _show_warning(message, category, filename, lineno, file=None, line=None) -> None:
    if issubclass(category, FairMOTLabWarning):
        print(f"fairmot-lab: warning: {message}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
