"""`fairmot-lab view`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from .._files import file_name
from ..errors import ViewError


def _add_view(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "view", help="look at tracks in the browser: a page that needs no server and no kernel"
    )
    parser.add_argument("source", help="a sequence folder, a video or a folder of images")
    parser.add_argument("--tracks", nargs="+", metavar="FILE", help="results (MOTChallenge text), one file per tracker")
    parser.add_argument("--gt", metavar="FILE", help="labels of any format, if the source has none beside it")
    parser.add_argument("--detections", metavar="DIR", help="kept detections: for the reasons of ID switches")
    parser.add_argument("--output", metavar="FILE", help="the page to write (default: NAME-view.html)")
    parser.add_argument("--max-mb", type=float, default=48.0, help="most megabytes of the page (default: 48)")
    parser.add_argument("--max-width", type=int, default=960, help="width of its pictures in pixels (default: 960)")
    parser.add_argument("--no-browser", action="store_true", help="write the page without opening it")
    parser.set_defaults(run=_run_view)


def _run_view(options: argparse.Namespace) -> None:
    from ..detection.cache import open_detections
    from ..formats.mot import read_mot
    from ..sources.open import open_source
    from ..widgets import TrackPlayer, Workbench

    source = open_source(options.source, labels=options.gt)
    tables = {name: read_mot(path) for name, path in _by_name(options.tracks or []).items()}
    for table in tables.values():
        table.attrs["sequence"] = source.name  # results carry any name; frames beyond the sequence are refused
    kept = None if options.detections is None else open_detections(options.detections, source.name)
    view: Workbench | TrackPlayer
    if tables or kept is not None:
        view = Workbench(source, tracks=tables or None, detections=kept)
    else:
        view = TrackPlayer(source, ground_truth=True)
    try:
        page = view.to_html(
            options.output or f"{file_name(source.name)}-view.html", max_mb=options.max_mb, max_width=options.max_width
        )
    finally:
        view.close()
    print(page)
    if not options.no_browser:
        import webbrowser

        webbrowser.open(page.resolve().as_uri())


def _by_name(paths: Sequence[str]) -> dict[str, str]:
    """Return the result files by name: their own, else with their folder's, where several files have the same."""
    stems = [Path(path).name.removesuffix(".gz").removesuffix(".txt") for path in paths]
    if len(set(stems)) < len(stems):
        stems = [f"{Path(path).resolve().parent.name}/{stem}" for path, stem in zip(paths, stems, strict=True)]
    if len(set(stems)) < len(stems):
        stems = list(paths)
    if len(set(stems)) < len(stems):
        twice = next(stem for stem in stems if stems.count(stem) > 1)
        raise ViewError(f"{twice} was given twice; give each result file once.")
    return dict(zip(stems, paths, strict=True))
