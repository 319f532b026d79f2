"""Counting people: in the frame, in total, across lines and into regions, per interval of time.

A person is where the middle of the lower edge of the box is: the feet. Coordinates are pixels of the original image.
What is counted is tracks: an id switch counts a person twice.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pandas as pd

from .._files import atomic_write
from ..boxes import BOX
from ..data import column_of
from ..drawing import FrameRows, draw_label
from ..errors import ConfigError

if TYPE_CHECKING:
    from ..data import FrameTracks


Point = tuple[float, float]
_LINE_COLOUR = (66, 228, 240)  # yellow, blue first
_REGION_COLOUR = (233, 180, 86)  # sky blue
_TEXT_GROUND = (235, 235, 235)


@dataclasses.dataclass(frozen=True)
class Line:
    """A line to be crossed, drawn as an arrow from `start` to `end`.

    Looking along the arrow, a person who crosses from its left to its right goes in, from right to left goes out.

    Attributes
    ----------
    start, end : (float, float)
        x, y in pixels.
    """

    start: Point
    end: Point

    def __post_init__(self) -> None:
        _check_points("A line", (self.start, self.end), 2)
        if self.start == self.end:
            raise ConfigError(f"A line from {self.start} to itself cannot be crossed; give two different points.")

    def distance(self, point: Point) -> float:
        """Return pixels from the line (prolonged without end): positive on its right side, as seen along the arrow."""
        (ax, ay), (bx, by) = self.start, self.end
        return ((bx - ax) * (point[1] - ay) - (by - ay) * (point[0] - ax)) / math.hypot(bx - ax, by - ay)

    def is_met(self, before: Point, after: Point) -> bool:
        """Return whether the way between two points on different sides meets the line between its ends."""
        at_before, at_after = self.distance(before), self.distance(after)
        share = at_before / (at_before - at_after)
        x, y = (b + share * (a - b) for b, a in zip(before, after, strict=True))
        (ax, ay), (bx, by) = self.start, self.end
        along = (x - ax) * (bx - ax) + (y - ay) * (by - ay)
        return 0 <= along <= (bx - ax) ** 2 + (by - ay) ** 2


@dataclasses.dataclass(frozen=True)
class Region:
    """A polygon that people enter and leave.

    Attributes
    ----------
    corners : tuple of (float, float)
        At least three x, y in pixels, in order around it.
    """

    corners: tuple[Point, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "corners", tuple(tuple(corner) for corner in self.corners))
        _check_points("A region", self.corners, 3)

    def depth(self, point: Point) -> float:
        """Return pixels to the border: positive inside, negative outside."""
        return cv2.pointPolygonTest(np.array(self.corners, np.float32), point, True)


@dataclasses.dataclass
class _Person:
    """The last that was seen of a track: when, and where with respect to each line and region."""

    time: float
    sides: dict[str, tuple[bool, Point]]
    inside: dict[str, bool]


class Counter:
    """Counts frame by frame.

    A side or a region is taken as changed once the feet are more than `margin` pixels beyond the border, so that
    somebody who stands on it is counted once. Who is first seen inside a region has not entered it. The memory is one
    row per interval and event, and one number per track; a track's last place is forgotten after `forget`
    seconds out of sight.

    Parameters
    ----------
    lines, regions
        By name. The names appear in the tables and on the video.
    interval
        Seconds that a row of `intervals` spans.
    margin
        Pixels.
    forget
        Seconds.
    classes
        Names by class id: each class is also counted by itself, and the tables get a column `class`.

    Examples
    --------
    >>> counter = Counter(lines={"gate": Line((50, 0), (50, 100))}, classes={0: "person", 1: "car"})
    >>> for frame, x in enumerate((20, 40, 60, 80), start=1):
    ...     boxes = pd.DataFrame({"id": [1, 2], "x": [x, 90 - x], "y": 40, "w": 10, "h": 20, "class_id": [0, 1]})
    ...     counter.update(frame, frame / 25, boxes)
    >>> counter.intervals[["class", "unique", "gate_in", "gate_out"]].values.tolist()
    [['all', 2, 1, 1], ['person', 1, 0, 1], ['car', 1, 1, 0]]
    """

    def __init__(
        self,
        *,
        lines: Mapping[str, Line] | None = None,
        regions: Mapping[str, Region] | None = None,
        interval: float = 10.0,
        margin: float = 3.0,
        forget: float = 60.0,
        classes: Mapping[int, str] | None = None,
    ) -> None:
        if not interval > 0:
            raise ConfigError(f"The counting interval is {interval} seconds; it must be above 0.")
        if not margin >= 0:
            raise ConfigError(f"The counting margin is {margin} pixels; it must not be negative.")
        self.lines = dict(lines or {})
        self.regions = dict(regions or {})
        if shared := self.lines.keys() & self.regions.keys():
            raise ConfigError(f"A line and a region are both called {min(shared)}; give them different names.")
        self.interval = float(interval)
        self.margin = margin
        self.forget = forget
        self.classes = {int(number): str(name) for number, name in (classes or {}).items()}
        same: dict[str, Any] = {"interval": interval, "margin": margin, "forget": forget}
        self._of_class = {number: Counter(lines=lines, regions=regions, **same) for number in self.classes}
        self.in_frame = 0
        self.totals = dict.fromkeys(self._event_columns(), 0)
        self._seen: set[int] = set()
        self._seen_in_interval: set[int] = set()
        self._people: dict[int, _Person] = {}
        self._rows: list[dict[str, Any]] = []
        self._events: list[dict[str, Any]] = []
        self._present: set[int] = set()

    def outside(self, width: int, height: int) -> list[str]:
        """Return the names of lines and regions that lie beyond one side of an image, where nobody is seen.

        Examples
        --------
        >>> Counter(lines={"gate": Line((700, 0), (700, 400))}).outside(640, 400)
        ['gate']
        """
        points = {name: [line.start, line.end] for name, line in self.lines.items()}
        points |= {name: list(region.corners) for name, region in self.regions.items()}
        corners = {name: (np.min(each, axis=0), np.max(each, axis=0)) for name, each in points.items()}
        return [name for name, (low, high) in corners.items() if (low >= (width, height)).any() or (high <= 0).any()]

    def describe(self) -> dict[str, Any]:
        """Return all that decides the counts, as JSON."""
        lines = {name: [line.start, line.end] for name, line in self.lines.items()}
        regions = {name: list(region.corners) for name, region in self.regions.items()}
        return {
            "lines": lines,
            "regions": regions,
            "interval": self.interval,
            "margin": self.margin,
            "forget": self.forget,
            **({"classes": {str(number): name for number, name in self.classes.items()}} if self.classes else {}),
        }

    @property
    def unique(self) -> int:
        """How many different tracks were seen so far."""
        return len(self._seen)

    def inside(self, region: str) -> int:
        """Return how many people of the latest frame are in a region."""
        return sum(self._people[number].inside[region] for number in self._present)

    def update(self, frame: int, time: float, tracks: FrameTracks | pd.DataFrame) -> None:
        """Count the next frame.

        Parameters
        ----------
        frame
            Its number.
        time
            Seconds since the first frame.
        tracks
            The tracks of this frame: `FrameTracks`, or rows of a tracks table.
        """
        ids, boxes, class_ids = _rows_of(tracks)
        before = len(self._events)
        self._count(frame, time, ids, boxes)
        if self.classes:
            kinds = dict(zip(ids, class_ids, strict=True))
            for event in self._events[before:]:
                event["class"] = self.classes.get(kinds[event["id"]], "")
        for kind, counter in self._of_class.items():
            mine = [each == kind for each in class_ids]
            counter._count(frame, time, list(compress(ids, mine)), list(compress(boxes, mine)))

    def _count(self, frame: int, time: float, ids: list[int], boxes: list[list[float]]) -> None:
        self._present = set(ids)
        row = self._row(time)
        before = len(self._seen)
        self._seen |= self._present
        self._seen_in_interval |= self._present
        row["new"] += len(self._seen) - before
        row["unique"] = len(self._seen_in_interval)
        row["frames"] += 1
        row["people"] += len(ids)
        row["people_max"] = max(row["people_max"], len(ids))
        self.in_frame = len(ids)
        for number, (x, y, w, h) in zip(ids, boxes, strict=True):
            self._follow(frame, time, number, (x + w / 2, y + h), row)
        for name in self.regions:
            row[f"{name}_inside_max"] = max(row[f"{name}_inside_max"], self.inside(name))
        for number in [number for number, person in self._people.items() if person.time < time - self.forget]:
            del self._people[number]

    def _follow(self, frame: int, time: float, number: int, feet: Point, row: dict[str, Any]) -> None:
        person = self._people.get(number)
        if person is None:
            sides = {name: (line.distance(feet) > 0, feet) for name, line in self.lines.items()}
            inside = {name: region.depth(feet) > 0 for name, region in self.regions.items()}
            self._people[number] = _Person(time, sides, inside)
            return
        person.time = time
        for name, line in self.lines.items():
            was_right, last = person.sides[name]
            distance = line.distance(feet)
            is_right = distance > 0
            if abs(distance) <= self.margin:
                continue
            person.sides[name] = (is_right, feet)
            if is_right != was_right and line.is_met(last, feet):
                self._event(frame, time, number, name, "in" if is_right else "out", feet, row)
        for name, region in self.regions.items():
            depth = region.depth(feet)
            is_inside = depth > 0
            if is_inside != person.inside[name] and abs(depth) > self.margin:
                person.inside[name] = is_inside
                self._event(frame, time, number, name, "entries" if is_inside else "exits", feet, row)

    def _event(
        self, frame: int, time: float, number: int, name: str, what: str, feet: Point, row: dict[str, Any]
    ) -> None:
        row[f"{name}_{what}"] += 1
        self.totals[f"{name}_{what}"] += 1
        event = {"frame": frame, "time": time, "id": number, "name": name, "event": what, "x": feet[0], "y": feet[1]}
        self._events.append(event)

    def _row(self, time: float) -> dict[str, Any]:
        """Return the row of the interval that holds `time`; intervals without a frame get rows of zeros."""
        place = max(0, math.floor(time / self.interval + 1e-9))
        while len(self._rows) <= place:
            start = len(self._rows) * self.interval
            numbers = ["frames", "people", "people_max", "unique", "new", *self._event_columns()]
            numbers += [f"{name}_inside_max" for name in self.regions]
            self._rows.append({"start": start, "end": start + self.interval, **dict.fromkeys(numbers, 0)})
            self._seen_in_interval = set()
        return self._rows[place]

    def _event_columns(self) -> list[str]:
        lines = [f"{name}_{way}" for name in self.lines for way in ("in", "out")]
        return lines + [f"{name}_{way}" for name in self.regions for way in ("entries", "exits")]

    @property
    def intervals(self) -> pd.DataFrame:
        """One row per interval, from time 0 to the last frame.

        Columns: `start`, `end` (seconds), `frames`, `people_mean` and `people_max` (in one frame), `unique` (different
        tracks in the interval), `new` (tracks never seen before); for each line NAME `NAME_in` and `NAME_out`; for each
        region `NAME_entries`, `NAME_exits` and `NAME_inside_max` (in one frame). With classes there is a first column
        `class`: "all", then one row for each class.
        """
        if self.classes:
            named = {"all": self._table(), **{self.classes[kind]: c._table() for kind, c in self._of_class.items()}}
            tables = [table.assign(**{"class": name}) for name, table in named.items()]
            table = pd.concat(tables, keys=range(len(tables)), names=["class_order", "row"])
            table = table.sort_index(level=["row", "class_order"], sort_remaining=False)
            return table[["class", *(name for name in table if name != "class")]].reset_index(drop=True)
        return self._table()

    def _table(self) -> pd.DataFrame:
        columns = ["start", "end", "frames", "people_mean", "people_max", "unique", "new", *self._event_columns()]
        columns += [f"{name}_inside_max" for name in self.regions]
        rows = [{**row, "people_mean": row["people"] / max(row["frames"], 1)} for row in self._rows]
        return pd.DataFrame(rows, columns=columns)

    @property
    def events(self) -> pd.DataFrame:
        """One row per crossing, entry or exit: `frame`, `time`, `id`, `name`, `event`, `x`, `y` (the feet), `class`."""
        columns = ["frame", "time", "id", "name", "event", "x", "y", *(["class"] if self.classes else [])]
        return pd.DataFrame(self._events, columns=columns)

    def draw(self, image: np.ndarray) -> np.ndarray:
        """Draw lines, regions and the counts so far on a copy of a frame."""
        canvas = image.copy()
        width = max(2, round(min(canvas.shape[:2]) / 300))
        for name, region in self.regions.items():
            corners = np.rint(np.array(region.corners)).astype(np.int32)
            cv2.polylines(canvas, [corners], True, _REGION_COLOUR, width, cv2.LINE_AA)
            inside = self._shown(partial(Counter.inside, region=name))
            text = f"{name}: {inside} inside, {self._total(f'{name}_entries')} entered"
            draw_label(canvas, text, tuple(corners[0].tolist()), _REGION_COLOUR, above=True)
        for name, line in self.lines.items():
            start, end = ((round(x), round(y)) for x, y in (line.start, line.end))
            length = max(1.0, math.dist(start, end))
            cv2.arrowedLine(
                canvas, start, end, _LINE_COLOUR, width, cv2.LINE_AA, tipLength=min(0.2, 12 * width / length)
            )
            text = f"{name}: {self._total(f'{name}_in')} in, {self._total(f'{name}_out')} out"
            draw_label(canvas, text, start, _LINE_COLOUR, above=True)
        corner = (0, canvas.shape[0])
        text = f"in frame {self._shown(lambda one: one.in_frame)}  seen {self._shown(lambda one: one.unique)}"
        draw_label(canvas, text, corner, _TEXT_GROUND, above=True)
        return canvas

    def _total(self, column: str) -> str:
        return self._shown(lambda counter: counter.totals[column])

    def _shown(self, number: Callable[[Counter], int]) -> str:
        """Return a number, and those of the classes that have a share in it."""
        parts = [f"{part} {self.classes[kind]}" for kind, one in self._of_class.items() if (part := number(one))]
        return f"{number(self)} ({', '.join(parts)})" if parts else str(number(self))

    def write(self, stem: str | os.PathLike[str]) -> tuple[Path, Path]:
        """Write `STEM.counts.csv` (the intervals) and `STEM.events.csv`; gives their paths."""
        paths = Path(f"{os.fspath(stem)}.counts.csv"), Path(f"{os.fspath(stem)}.events.csv")
        for path, table in zip(paths, (self.intervals, self.events), strict=True):
            with atomic_write(path) as temporary:
                table.to_csv(temporary, index=False)
        return paths


@dataclasses.dataclass(frozen=True)
class Counts:
    """What `count` found.

    Attributes
    ----------
    per_frame : pandas.DataFrame
        `frame`, `time`, `people`, and `unique`: different tracks up to this frame.
    intervals, events : pandas.DataFrame
        As of `Counter`.
    """

    per_frame: pd.DataFrame
    intervals: pd.DataFrame
    events: pd.DataFrame


def count(
    tracks: pd.DataFrame,
    *,
    lines: Mapping[str, Line] | None = None,
    regions: Mapping[str, Region] | None = None,
    interval: float = 10.0,
    frame_rate: float | None = None,
    length: int | None = None,
    margin: float = 3.0,
    classes: Mapping[int, str] | None = None,
) -> Counts:
    """Count in a tracks table.

    Parameters
    ----------
    tracks
        A tracks table.
    lines, regions, interval, margin
        As for `Counter`.
    frame_rate
        Frames per second; `tracks.attrs["frame_rate"]` unless given.
    length
        Frames of the sequence, those without people included; `tracks.attrs["length"]`, or the last frame with people,
        unless given. Frames that have no image (`tracks.attrs["missing"]`) are left out.
    classes
        Names by class id, to count each class by itself too; `tracks.attrs["classes"]` where it names several, unless
        given. {} counts all as one.

    Raises
    ------
    ConfigError
        If the frame rate is not known, or a line, region or interval cannot be used.

    Examples
    --------
    >>> tracks = pd.DataFrame({"frame": [1, 2, 2], "id": [1, 1, 2], "x": 10.0, "y": 10.0, "w": 20.0, "h": 50.0})
    >>> count(tracks, frame_rate=25).per_frame[["frame", "people", "unique"]].values.tolist()
    [[1, 1, 1], [2, 2, 2]]
    """
    frame_rate = frame_rate or tracks.attrs.get("frame_rate")
    if not frame_rate:
        raise ConfigError(
            "The frame rate of these tracks is not known, so seconds cannot be counted; give frame_rate=."
        )
    length = length or tracks.attrs.get("length") or int(tracks["frame"].max() if len(tracks) else 0)
    if classes is None:
        named = tracks.attrs.get("classes") or {}
        classes = named if len(named) > 1 else {}
    counter = Counter(lines=lines, regions=regions, interval=interval, margin=margin, classes=classes)
    rows = FrameRows(tracks)
    frames = []
    missing = set(tracks.attrs.get("missing", ()))
    for frame in (number for number in range(1, length + 1) if number not in missing):
        time = (frame - 1) / frame_rate
        counter.update(frame, time, rows.at(frame))
        frames.append((frame, time, counter.in_frame, counter.unique))
    per_frame = pd.DataFrame(frames, columns=["frame", "time", "people", "unique"])
    return Counts(per_frame, counter.intervals, counter.events)


def parse_line(text: str) -> Line:
    """Return the line that a text "x1,y1,x2,y2" describes.

    Raises
    ------
    ConfigError
        If it is not such a text.

    Examples
    --------
    >>> parse_line("0,0,100,50").end
    (100.0, 50.0)
    """
    points = _parse_points(text)
    if len(points) != 2:
        raise ConfigError(f"{text!r} is not a line; write it as x1,y1,x2,y2 in pixels.")
    return Line(*points)


def parse_region(text: str) -> Region:
    """Return the region that a text "x1,y1,x2,y2,x3,y3,..." describes.

    Raises
    ------
    ConfigError
        If it is not such a text.

    Examples
    --------
    >>> len(parse_region("0,0,100,0,100,50").corners)
    3
    """
    return Region(tuple(_parse_points(text)))


def _parse_points(text: str) -> list[Point]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or len(numbers) % 2:
        raise ConfigError(f"{text!r} is not a list of points; write it as x1,y1,x2,y2,... in pixels.")
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _check_points(what: str, points: Sequence[Any], fewest: int) -> None:
    if len(points) < fewest:
        raise ConfigError(f"{what} needs at least {fewest} points, not {len(points)}.")
    for point in points:
        if len(point) != 2 or not all(math.isfinite(value) for value in point):
            raise ConfigError(f"{what} has the point {point}; give x and y as finite numbers of pixels.")
    if all(0 <= value <= 1 for point in points for value in point):
        raise ConfigError(
            f"{what} lies within one pixel ({points[0]} to {points[-1]}); if its points are shares of the image, "
            "multiply them by its width and height."
        )


def _rows_of(tracks: FrameTracks | pd.DataFrame) -> tuple[list[int], list[list[float]], list[int]]:
    """Ids, boxes and class ids."""
    if isinstance(tracks, pd.DataFrame):
        return tracks["id"].tolist(), tracks[BOX].to_numpy(float).tolist(), column_of(tracks, "class_id", -1).tolist()
    return tracks.ids.tolist(), np.asarray(tracks.boxes, float).tolist(), tracks.class_ids.tolist()
