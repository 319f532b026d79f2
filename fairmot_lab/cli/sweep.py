"""`fairmot-lab sweep`."""

from __future__ import annotations

import argparse
from typing import Any

from ..errors import ConfigError
from .arguments import _class, _tracker_of_file, _write_csv


def _add_sweep(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("sweep", help="track kept detections with many settings and evaluate each")
    parser.add_argument(
        "detections",
        nargs="+",
        metavar="DETECTIONS",
        help="kept detections, a det.txt, a sequence folder, or a folder of these",
    )
    parser.add_argument(
        "--gt", metavar="PATH", help="ground truth, as for evaluate (default: that beside public detections)"
    )
    parser.add_argument(
        "--tracker", metavar="NAME", help="whose settings they are, or module:Class (default: the model's, else jde)"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUES",
        help="a tracker setting and its values: .3,.4,.5 or a range .2:.6:.1; several times: every combination",
    )
    parser.add_argument(
        "--random", type=int, metavar="N", help="draw N settings; --set NAME then draws from the range it declares"
    )
    parser.add_argument("--seed", type=int, metavar="S", help="of the random draws (default: 0)")
    parser.add_argument("--config", metavar="FILE", help="the tracker with its other settings as JSON")
    parser.add_argument("--protocol", metavar="P", help="motchallenge, raw or paddle")
    parser.add_argument("--classes", nargs="+", type=_class, metavar="C", help="evaluate each of these, as of evaluate")
    parser.add_argument("--sequences", nargs="+", metavar="NAME", help="only these")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes; -1: one per core (default: 1)")
    parser.add_argument("--file", metavar="FILE", help="append rows here as they come; run again to resume")
    parser.add_argument("--intervals", action="store_true", help="with 95 %% intervals of the metrics")
    parser.add_argument("--csv", metavar="FILE", help="also write the table, with every column")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=_run_sweep)


def _run_sweep(options: argparse.Namespace) -> None:
    from .._files import refuse_overwrite
    from ..association.registry import get_tracker
    from ..evaluation.tables import aligned
    from ..material import open_material, pack_material
    from ..sweeps import grid_from_text, random_search, sweep

    if options.csv:
        refuse_overwrite(options.csv, options.file)
    detections = options.detections[0] if len(options.detections) == 1 else options.detections
    if options.config:
        tracker = _tracker_of_file(options.config, options.tracker, "jde")
    elif options.tracker:
        tracker = get_tracker(options.tracker)
    else:
        packed = pack_material(detections, options.gt, options.sequences, options.protocol)
        tracker = open_material(packed).default_tracker
    grid: Any = grid_from_text(options.set, tracker, drawn=options.random is not None)
    if options.random is not None:
        grid = random_search(grid, options.random, seed=options.seed or 0, tracker=tracker)
    elif options.seed is not None:
        raise ConfigError("--seed goes with --random; settings that are all tried are not drawn.")
    table = sweep(
        detections,
        tracker,
        grid,
        ground_truth=options.gt,
        sequences=options.sequences,
        protocol=options.protocol,
        classes=options.classes,
        n_jobs=options.jobs,
        file=options.file,
        intervals=options.intervals,
        progress=not options.quiet,
    )
    _write_csv(table, options.csv)
    swept = list(table.columns[1 : list(table.columns).index("sequence")])
    shown = ["sequence", *swept, "mota", "idf1", "hota", "num_switches", "num_false_positives", "num_misses", "seconds"]
    if options.intervals:
        for name in ("mota", "idf1", "hota"):
            table[name] = [
                f"{100 * value:.1f} ({100 * low:.1f} to {100 * high:.1f})"
                for value, low, high in zip(table[name], table[f"{name}_low"], table[f"{name}_high"], strict=True)
            ]
    written = {name: table[name].map("{:g}".format) for name in swept if table[name].dtype.kind == "f"}
    print(aligned(table.assign(**written), shown, keys=1 + len(swept)))
