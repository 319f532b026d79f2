"""Counting in scenes whose every crossing is known."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairmot_lab.cli.main import main
from fairmot_lab.contrib.counting import Counter, Line, Region, count, parse_line, parse_region
from fairmot_lab.errors import ConfigError

SQUARE = Region(((100, 100), (200, 100), (200, 200), (100, 200)))
DOWN = Line((150, 0), (150, 300))  # an arrow down the picture: its right side is the picture's left


def walk(track: int, *feet: tuple[float, float] | None, first: int = 1) -> pd.DataFrame:
    """A track whose feet are at these points, one a frame; None: not seen."""
    rows = [
        (frame, track, point[0] - 5, point[1] - 20, 10, 20)
        for frame, point in enumerate(feet, first)
        if point is not None
    ]
    return pd.DataFrame(rows, columns=["frame", "id", "x", "y", "w", "h"])


def events(table: pd.DataFrame, **settings) -> list[tuple]:
    found = count(table, frame_rate=10, **settings).events
    return list(found[["frame", "id", "name", "event"]].itertuples(index=False, name=None))


def test_line_is_crossed_in_both_directions() -> None:
    there = [(100, 50), (140, 50), (160, 50), (200, 50)]
    table = pd.concat([walk(1, *there), walk(2, *there[::-1])])
    assert events(table, lines={"door": DOWN}) == [(3, 1, "door", "out"), (3, 2, "door", "in")]


@pytest.mark.parametrize(
    ("feet", "expected"),
    [
        ([(140, 400), (160, 400)], []),  # past its end
        ([(140, 290), (160, 290)], ["out"]),  # just before its end
        ([(140, 50), None, None, (160, 50)], ["out"]),  # unseen while crossing
        ([(100, 50), (149, 50), (151, 50), (149, 50), (152, 50), (148, 50)], []),  # trembles on the line
        ([(140, 50), (151, 50), (152, 50), (160, 50)], ["out"]),  # goes slowly
        ([(140, 50), (160, 50), (140, 50)], ["out", "in"]),  # turns round
        ([(140, 310), (160, 290)], ["out"]),  # diagonally, meets the end of the line exactly
        ([(140, 320), (160, 290)], []),  # diagonally, misses it
    ],
)
def test_line_cases(feet: list, expected: list[str]) -> None:
    assert [event for *_, event in events(walk(1, *feet), lines={"door": DOWN})] == expected


@pytest.mark.parametrize(
    ("feet", "expected"),
    [
        ([(50, 150), (90, 150), (110, 150), (150, 150), (150, 250)], [(3, "entries"), (5, "exits")]),
        ([(150, 150), (160, 150)], []),  # first seen inside
        ([(98, 150), (101, 150), (99, 150), (101, 150)], []),  # trembles on the border
        ([(50, 50), (250, 250)], []),  # never seen inside
    ],
)
def test_region_cases(feet: list, expected: list) -> None:
    found = events(walk(1, *feet), regions={"square": SQUARE})
    assert [(frame, event) for frame, _, _, event in found] == expected


def test_intervals_by_hand() -> None:
    """Two people over 5 seconds at 2 frames a second, rows of 2 seconds: frames 1-4, 5-8, 9-10."""
    first = walk(1, *[(20 * frame, 150) for frame in range(1, 11)])  # inside from frame 6 to 9, door after frame 7
    second = walk(2, (10, 10), (10, 10), (10, 10), first=4)
    counts = count(
        pd.concat([first, second]),
        frame_rate=2,
        interval=2,
        lines={"door": DOWN},
        regions={"square": SQUARE},
        length=10,
    )
    expected = pd.DataFrame(
        {
            "start": [0.0, 2.0, 4.0],
            "end": [2.0, 4.0, 6.0],
            "frames": [4, 4, 2],
            "people_mean": [5 / 4, 6 / 4, 1.0],
            "people_max": [2, 2, 1],
            "unique": [2, 2, 1],
            "new": [2, 0, 0],
            "door_in": [0, 0, 0],
            "door_out": [0, 1, 0],
            "square_entries": [0, 1, 0],
            "square_exits": [0, 0, 0],  # at x = 200 (frame 10) the feet are on the border, not beyond it
            "square_inside_max": [0, 1, 1],
        }
    )
    pd.testing.assert_frame_equal(counts.intervals, expected)
    assert counts.per_frame["people"].tolist() == [1, 1, 1, 2, 2, 2, 1, 1, 1, 1]
    assert counts.per_frame["unique"].tolist() == [1, 1, 1, 2, 2, 2, 2, 2, 2, 2]


def test_interval_without_people_has_a_row() -> None:
    table = pd.concat([walk(1, (10, 10)), walk(1, (10, 10), first=61)])
    counts = count(table, frame_rate=10, interval=2)
    assert counts.intervals["people_max"].tolist() == [1, 0, 0, 1]
    assert len(count(table.iloc[:0], frame_rate=10, length=30).intervals) == 1


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), min_size=1, max_size=40))
def test_in_and_out_alternate_and_match_the_last_side(feet: list[tuple[int, int]]) -> None:
    """For a line that nobody can walk round, in and out take turns, and tell on which side the way ends."""
    wall = Line((150, -10_000), (150, 10_000))
    ways = [event for *_, event in events(walk(1, *feet), lines={"wall": wall})]
    assert all(a != b for a, b in itertools.pairwise(ways))
    definite = [x for x, _ in feet[1:] if abs(x - 150) > 3]
    if ways:
        assert (ways[-1] == "in") == (definite[-1] < 150)


def test_memory_of_places_is_bounded() -> None:
    counter = Counter(lines={"door": DOWN}, forget=5.0)
    for frame in range(1, 301):
        counter.update(frame, frame / 10, walk(frame, (10, 10), first=frame))
    assert len(counter._people) <= 52
    assert counter.unique == 300


def test_draw_shows_counts_and_leaves_the_image() -> None:
    image = np.full((300, 400, 3), 90, np.uint8)
    counter = Counter(lines={"door": DOWN}, regions={"square": SQUARE})
    counter.update(1, 0.0, walk(1, (150, 150)))
    drawn = counter.draw(image)
    assert (image == 90).all()
    assert (drawn[250, 148:153] != 90).any()  # the line
    assert (drawn[150, 198:203] != 90).any()  # the border of the region
    assert counter.inside("square") == 1


def test_write(tmp_path: Path) -> None:
    counter = Counter(lines={"door": DOWN}, interval=1)
    for frame, x in enumerate((100, 140, 160, 200)):
        counter.update(frame + 1, frame * 0.5, walk(1, (x, 50)))
    counts, found = counter.write(tmp_path / "clip")
    assert pd.read_csv(counts)["door_out"].tolist() == [0, 1]
    assert pd.read_csv(found)[["frame", "event"]].values.tolist() == [[3, "out"]]


def test_each_class_is_counted_by_itself(tmp_path: Path) -> None:
    """A person and two cars cross the line; the rows of the classes are those of counting each alone."""
    people = walk(1, (100, 50), (140, 50), (160, 50)).assign(class_id=0)
    cars = pd.concat([walk(2, (200, 80), (120, 80), (90, 80)), walk(3, (140, 20), (130, 20), (170, 20))]).assign(
        class_id=4
    )
    both = pd.concat([people, cars]).sort_values("frame", ignore_index=True)
    both.attrs["classes"] = {0: "person", 4: "car"}
    settings = {"lines": {"door": DOWN}, "regions": {"square": SQUARE}, "frame_rate": 2, "interval": 1}
    counts = count(both, **settings)
    table = counts.intervals.set_index("class")
    assert counts.intervals["class"].tolist() == ["all", "person", "car"] * 2
    for name, alone in (("all", both), ("person", people), ("car", cars)):
        own = count(alone, classes={}, **settings).intervals
        assert table.loc[name].to_dict("list") == own.to_dict("list")
    assert table["door_out"].groupby(level=0).sum().to_dict() == {"all": 2, "person": 1, "car": 1}
    assert counts.events[["id", "event", "class"]].values.tolist() == [
        [2, "in", "car"],
        [1, "out", "person"],
        [3, "out", "car"],
    ]
    counter = Counter(lines={"door": DOWN}, classes={0: "person", 4: "car"})
    counter.update(1, 0.0, both[both["frame"] == 1])
    assert counter._shown(lambda one: one.in_frame) == "3 (1 person, 2 car)"
    assert counter.describe()["classes"] == {"0": "person", "4": "car"}
    assert pd.read_csv(counter.write(tmp_path / "clip")[0])["class"].tolist() == ["all", "person", "car"]
    assert "class" not in count(people, frame_rate=2).intervals


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,x,4", "1,2", "5,5,5,5", "1,2,3,nan"])
def test_wrong_lines(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_line(text)


def test_wrong_regions_and_settings() -> None:
    assert parse_region("0,0,10,0,10,10").corners == ((0, 0), (10, 0), (10, 10))
    with pytest.raises(ConfigError, match="at least 3 points"):
        parse_region("0,0,10,0")
    with pytest.raises(ConfigError, match="interval"):
        Counter(interval=0)
    with pytest.raises(ConfigError, match="both called a"):
        Counter(lines={"a": DOWN}, regions={"a": SQUARE})
    with pytest.raises(ConfigError, match="frame rate"):
        count(walk(1, (1, 1)))


def test_points_that_are_shares_or_outside_are_told(tmp_path, capsys):
    with pytest.raises(ConfigError, match=r"lies within one pixel.*multiply them by its width and height"):
        parse_line("0.1,0.5,0.9,0.5")
    counter = Counter(lines={"left": Line((-9, 0), (-1, 50))}, regions={"square": SQUARE})
    assert counter.outside(640, 400) == ["left"]
    assert counter.outside(100, 400) == ["left", "square"]
    assert main(["track", str(tmp_path), "--line", "a=1,2,3,4", "--line", "a=5,6,7,8"]) == 2
    assert "Two lines or regions are called a" in capsys.readouterr().err
