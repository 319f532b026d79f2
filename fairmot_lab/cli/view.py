"""`fairmot-lab view`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .._files import file_name
from ..errors import ViewError

if TYPE_CHECKING:
    import pandas as pd


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
    from ..formats.labels import read_truth

    truth = None if options.gt is None else read_truth(Path(options.gt), Path(options.source).stem)
    page = view(
        options.source,
        options.tracks or (),
        ground_truth=truth,
        detections=options.detections,
        output=options.output,
        max_mb=options.max_mb,
        max_width=options.max_width,
    )
    print(page)
    if not options.no_browser:
        import webbrowser

        webbrowser.open(page.resolve().as_uri())


def view(
    source: str,
    tracks: Sequence[str] = (),
    *,
    ground_truth: pd.DataFrame | None = None,
    detections: str | None = None,
    output: str | None = None,
    max_mb: float = 48.0,
    max_width: int = 960,
) -> Path:
    """Write the workbench of a sequence as a page.

    Parameters
    ----------
    source
        What `open_source` takes.
    tracks
        Result files, one per tracker; without any, the detections are tracked, or the ground truth is shown alone.
    ground_truth
        By default that of the source, if it has one.
    detections
        Folder of kept detections.
    output
        The page; by default NAME-view.html.
    max_mb, max_width
        Bounds of the page's size and of the width of its pictures.
    """
    from ..detection.cache import open_detections
    from ..formats.mot import read_mot
    from ..sources.open import open_source
    from ..widgets import TrackPlayer, Workbench

    opened = open_source(source)
    tables = dict(zip(_names(tracks), (read_mot(path) for path in tracks), strict=True))
    for table in tables.values():
        table.attrs["sequence"] = opened.name  # results carry any name; frames beyond the sequence are refused
    kept = None if detections is None else open_detections(detections, opened.name)
    made: Workbench | TrackPlayer
    if tables or kept is not None:
        made = Workbench(opened, tracks=tables or None, ground_truth=ground_truth, detections=kept)
    else:
        made = TrackPlayer(opened, ground_truth=True if ground_truth is None else ground_truth)
    try:
        return made.to_html(output or f"{file_name(opened.name)}-view.html", max_mb=max_mb, max_width=max_width)
    finally:
        made.close()


def _names(paths: Sequence[str]) -> list[str]:
    """Return a name for each result file: its own, else with its folder's, where several files have the same."""
    stems = [Path(path).name.removesuffix(".gz").removesuffix(".txt") for path in paths]
    if len(set(stems)) < len(stems):
        stems = [f"{Path(path).resolve().parent.name}/{stem}" for path, stem in zip(paths, stems, strict=True)]
    if len(set(stems)) < len(stems):
        stems = [str(path) for path in paths]
    if len(set(stems)) < len(stems):
        twice = next(stem for stem in stems if stems.count(stem) > 1)
        raise ViewError(f"{twice} was given twice; give each result file once.")
    return stems
