"""What several commands share: the parser, types of arguments."""

from __future__ import annotations

import argparse
import contextlib
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from ..association.base import Tracker
    from ..contrib.counting import Counter


Run = Callable[[argparse.Namespace], int | None]


class _Parser(argparse.ArgumentParser):
    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)  # options are looked at before they are parsed, too

    def error(self, message: str) -> None:  # type: ignore[override]
        """Say what is wrong in one line, without the usage text."""
        self.exit(2, f"{self.prog}: {message}\n")


def _counter(options: argparse.Namespace, classes: Mapping[int, str] | None = None) -> Counter | None:
    from ..contrib.counting import Counter, parse_line, parse_region

    interval = options.count_interval
    if not (options.count or options.line or options.region or interval is not None):
        return None
    lines = _named(options.line, parse_line)
    regions = _named(options.region, parse_region)
    several = classes if classes and len(classes) > 1 else None
    return Counter(lines=lines, regions=regions, interval=10.0 if interval is None else interval, classes=several)


def _named(texts: Iterable[str], parse: Callable[[str], Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, points = text.partition("=")
        if not (name and equals):
            raise ConfigError(f"{text!r} has no name; write it as NAME=X1,Y1,X2,Y2,...")
        if name in found:
            raise ConfigError(f"Two lines or regions are called {name}; give them different names.")
        found[name] = parse(points)
    return found


def _class(text: str) -> str | int:
    """A class by its name, or by its id."""
    return int(text) if text.isdecimal() else text


def _tracker_of_file(file: str, name: str | None, default: str) -> Tracker:
    """Return the tracker that a file describes; `default` names it where neither the file nor `--tracker` does."""
    from ..association.registry import get_tracker, load_tracker

    if name:
        get_tracker(name)  # a file may describe it, but not import it
    tracker = load_tracker(file, default=name or default)
    if name not in (None, tracker.name):
        raise ConfigError(f"{file} describes {tracker.name}; leave out --tracker {name}.")
    return tracker


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size; write it as 1088x608")
    return int(width), int(height)


def _overlap(text: str) -> float | str | None:
    if text in ("auto", "none"):
        return None if text == "none" else text
    try:
        return float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not an overlap; give 0 to 1, none or auto") from error


def _write_csv(table: pd.DataFrame, path: str | None) -> None:
    """Write a table where `--csv` names a file."""
    from .._files import atomic_write

    if path:
        with atomic_write(path) as temporary:
            table.to_csv(temporary, index=False)


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM end a run as Ctrl-C does: files are finished."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _add_comparison(parser: argparse.ArgumentParser, results: bool = True) -> None:
    """Add the arguments that `evaluate` and `switches` have in common."""
    parser.add_argument(
        "--gt",
        required=True,
        metavar="PATH",
        help="folder of SEQUENCE/gt/gt.txt or of another data set, one sequence folder, or a file of labels",
    )
    if results:
        parser.add_argument("--results", required=True, metavar="PATH", help="folder of SEQUENCE.txt, or a file")
    parser.add_argument(
        "--protocol", metavar="P", help="motchallenge, raw or paddle (default: motchallenge where there are classes)"
    )
    parser.add_argument("--evaluator", default="motmetrics", metavar="E", help="motmetrics (default) or trackeval")
    parser.add_argument("--sequences", nargs="+", metavar="NAME", help="only these")
    parser.add_argument(
        "--frames", nargs=2, type=int, metavar=("FIRST", "LAST"), help="only these frames, both included, from 1"
    )


def _comparison(options: argparse.Namespace) -> dict[str, Any]:
    """Return what `_add_comparison` declares as arguments of `evaluate`."""
    frames = tuple(options.frames) if options.frames else None
    how = {"protocol": options.protocol, "evaluator": options.evaluator}
    return {**how, "sequences": options.sequences, "frames": frames}
