"""`fairmot-lab evaluate`."""

from __future__ import annotations

import argparse

from ..errors import ConfigError
from .arguments import _add_comparison, _class, _comparison, _write_csv


def _add_evaluate(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("evaluate", help="compare result files with ground truth")
    _add_comparison(parser)
    parser.add_argument("--compare", action="store_true", help="show every protocol and both evaluators")
    parser.add_argument(
        "--format", choices=("text", "markdown", "latex", "csv"), default="text", help="of what is printed"
    )
    parser.add_argument(
        "--classes",
        nargs="+",
        type=_class,
        metavar="C",
        help="evaluate each of these classes, names or ids; all: those that the data set's protocol scores",
    )
    parser.add_argument("--csv", metavar="FILE", help="also write the summary, with full precision")
    parser.set_defaults(run=_run_evaluate)


def _run_evaluate(options: argparse.Namespace) -> None:
    from .._terminal import wrapped
    from ..evaluation.evaluate import compare_protocols, evaluate
    from ..evaluation.names import SHOWN
    from ..evaluation.tables import aligned

    if options.compare:
        given = _comparison(options)
        odd = [name for name in ("protocol", "evaluator") if given.get(name) not in (None, "motmetrics")]
        odd += ["classes"] * (options.classes is not None) + ["format"] * (options.format in ("markdown", "latex"))
        if odd:
            raise ConfigError(f"--compare shows all protocols as text or CSV; leave out --{odd[0]}, or --compare.")
        part = {name: value for name, value in given.items() if name in ("sequences", "frames")}
        table = compare_protocols(options.results, options.gt, **part)
        shown = ["sequence", "protocol", "evaluator", *SHOWN[1:], "num_dropped"]
        print(table.to_csv(index=False) if options.format == "csv" else aligned(table, shown, keys=3))
        _write_csv(table, options.csv)
        return
    result = evaluate(options.results, options.gt, classes=options.classes, **_comparison(options))
    written = {"markdown": result.to_markdown, "latex": result.to_latex, "csv": result.to_csv}
    if options.format in written:
        print(written[options.format]())
    else:
        print(aligned(result.summary, SHOWN))
        print(wrapped(result.caption))
    if result.per_class is not None and options.format == "text":
        shown = ["class", "mota", "idf1", "num_switches", "num_false_positives", "num_misses"]
        print(aligned(result.per_class, shown))
    if options.csv:
        result.to_csv(options.csv)
