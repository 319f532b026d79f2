"""`fairmot-lab switches`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._files import file_name
from ..errors import ConfigError, EvaluationError
from .arguments import _add_comparison, _comparison, _write_csv

if TYPE_CHECKING:
    import pandas as pd


def _add_switches(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("switches", help="the ID switches, one row each: what happened, and why")
    _add_comparison(parser)
    parser.add_argument(
        "--detections", metavar="DIR", help="kept detections of the one sequence: tracks them again to say why"
    )
    parser.add_argument(
        "--what-if", action="store_true", help="with --detections: which single changed setting avoids each switch"
    )
    parser.add_argument(
        "--tracker",
        metavar="NAME",
        help="with --detections: the tracker, where no record of the run names it, or it is yours",
    )
    parser.add_argument("--csv", metavar="FILE", help="also write the table")
    parser.set_defaults(run=_run_switches)


def _run_switches(options: argparse.Namespace) -> None:
    from .._terminal import wrapped
    from ..evaluation.evaluate import evaluate
    from ..evaluation.switches import describe

    if options.detections:
        table, lines = _explained(options)
    else:
        for flag, given in (("--what-if", options.what_if), ("--tracker", options.tracker)):
            if given:
                raise ConfigError(f"{flag} goes with --detections; name the folder that the tracks were written to.")
        result = evaluate(options.results, options.gt, **_comparison(options))
        table, lines = result.switches, describe(result.switches, result.caption)
    print("\n".join(wrapped(line, "    ") if len(line.split("  ")) == 1 else line for line in lines))
    _write_csv(table.assign(**{str(key): value for key, value in table.attrs.items()}), options.csv)


def _explained(options: argparse.Namespace) -> tuple[pd.DataFrame, list[str]]:
    """Return the explained switches of a run of `fairmot-lab track`, and lines that describe them."""
    from ..detection.cache import open_detections
    from ..diagnosis.reasons import explain_switches
    from ..diagnosis.what_if import what_if
    from ..evaluation.evaluate import evaluate
    from ..evaluation.switches import describe

    results = Path(options.results)
    of_results = Path(options.detections) / f"{results.stem}.tar"
    kept = open_detections(of_results if of_results.is_file() else options.detections)
    if results.is_dir():
        results = results / f"{file_name(kept.name)}.txt"
    tracker = tracker_of_record(results, options.tracker)
    evaluation = evaluate(results, options.gt, **_comparison(options))
    table = explain_switches(evaluation, kept, tracker)
    lines = describe(table, evaluation.caption)
    if options.what_if:
        tried = what_if(evaluation, kept, tracker)
        same = ["sequence", "frame", "gt_id", "from_id", "to_id"]
        attrs, table = table.attrs, table.merge(tried.switches, on=same, validate="1:1")
        table.attrs = attrs
        lines += ["", "One setting changed at a time:", *str(tried).split("\n")]
    return table, lines


def tracker_of_record(results: Path, name: str | None = None) -> Any:
    """Return the tracker in the record beside results (NAME.json), without one that of a name; None without both."""
    from ..association.registry import get_tracker, tracker_from_dict

    named = get_tracker(name) if name else None
    record = results.with_suffix(".json")
    if not record.is_file():
        return named
    try:
        held = json.loads(record.read_text(encoding="utf-8"))
        found = tracker_from_dict({"tracker": held["tracker"], **held["settings"]})
    except ConfigError as error:
        raise ConfigError(f"{record}: {error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise EvaluationError(f"{record} holds no settings of a run ({error}); remove it or track again.") from error
    if named is not None and named.name != found.name:
        raise ConfigError(f"{record} says that {found.name} made the tracks; leave out --tracker {name}.")
    return found
