"""`fairmot-lab report`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import ConfigError
from .arguments import _add_comparison, _comparison


def _add_report(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("report", help="one HTML page: metrics, where the errors come from, every ID switch")
    parser.add_argument("folder", metavar="RUN", help="folder that `fairmot-lab track` wrote")
    _add_comparison(parser, results=False)
    parser.add_argument("--output", required=True, metavar="FILE", help="the page to write, an .html file")
    parser.add_argument("--source", metavar="PATH", help="the frames, for crops of people and a clip of each ID switch")
    parser.add_argument("--name", metavar="NAME", help="which sequence, where RUN holds several")
    parser.add_argument("--tracker", metavar="NAME", help="the tracker, where no record names it, or it is yours")
    parser.set_defaults(run=_run_report)


def _run_report(options: argparse.Namespace) -> None:
    from .._files import file_name
    from ..detection.cache import open_detections
    from ..evaluation.evaluate import evaluate
    from ..report import write_report
    from ..sources.open import open_source
    from .switches import tracker_of_record

    folder = Path(options.folder)
    if folder.is_file():
        raise ConfigError(f"{folder} is not a folder; give the one that `fairmot-lab track` wrote: {folder.parent}.")
    kept = open_detections(folder, options.name)
    results = folder / f"{file_name(kept.name)}.txt"
    evaluation = evaluate(results, options.gt, **_comparison(options))
    source = open_source(options.source) if options.source else None
    path = write_report(options.output, evaluation, kept, tracker_of_record(results, options.tracker), source)
    print(path)
