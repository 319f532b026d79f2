"""The settings of a tracker: a frozen dataclass whose fields say what they accept and mean.

A tracker declares its settings with `number`, `switch` and `choice`. The command line, the sliders of ThresholdLab,
sweeps and the docs are made from these declarations.

>>> import dataclasses
>>> @dataclasses.dataclass(frozen=True, kw_only=True)
... class MySettings(TrackerSettings):
...     max_age: int = number(30, 0, 1000, (1, 90), "frames that a lost track is kept")
>>> MySettings(max_age=10).to_dict()
{'max_age': 10, 'any_scores': False}
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Iterable, Mapping
from typing import Any, Self

from ..errors import ConfigError


@dataclasses.dataclass(frozen=True)
class Setting:
    """What one setting accepts, and where a search looks for good values.

    Attributes
    ----------
    name, kind, default, doc
        The setting, its type (float, int, bool or choice), its default, and what it does.
    low, high
        Smallest and largest value accepted (numbers only).
    search
        The range that a search draws from (numbers), or the values it chooses among.
    choices
        The values accepted (choices only).
    is_score
        Whether it is compared with scores of detections; `any_scores` then opens its range.
    """

    name: str
    kind: str
    default: Any
    doc: str
    low: float | None = None
    high: float | None = None
    search: tuple[Any, ...] = ()
    choices: tuple[str, ...] = ()
    is_score: bool = False

    def neighbours(self, value: Any) -> list[Any]:
        """Return values to try instead of `value`, one at a time; all are accepted.

        Whole numbers are halved, doubled and quadrupled, other numbers are moved by about a seventh and two sevenths of
        the search range, choices and switches take their other values.

        Examples
        --------
        >>> Setting("max_cost", "float", 0.4, "", 0, 1, (0.1, 0.8)).neighbours(0.9)
        [0.7, 0.8, 1.0]
        """
        if self.kind in ("choice", "bool"):
            return [one for one in self.search if one != value]
        assert self.low is not None
        assert self.high is not None
        if self.kind == "int":
            found = [value // 2, 2 * value, 4 * value]
        else:
            width = self.search[1] - self.search[0]
            steps = [float(f"{width / part:.0e}") for part in (3.5, 7)]
            found = [round(value + step, 6) for step in (-steps[0], -steps[1], steps[1], steps[0])]
        kind = int if self.kind == "int" else float
        return sorted({kind(min(max(one, self.low), self.high)) for one in found} - {value})

    def check(self, value: Any) -> Any:
        """Return `value` in the setting's own type.

        Raises
        ------
        ConfigError
            If it is of another type or out of range.
        """
        if self.kind == "choice":
            if value not in self.choices:
                raise ConfigError(f"{self.name} is {value!r}; choose one of {', '.join(self.choices)}.")
            return str(value)
        if self.kind == "bool":
            if not isinstance(value, bool) and not (hasattr(value, "dtype") and value.dtype.kind == "b"):
                raise ConfigError(f"{self.name} is {value!r}; it must be True or False.")
            return bool(value)
        if isinstance(value, bool) or not hasattr(value, "__float__") or isinstance(value, str):
            raise ConfigError(f"{self.name} is {value!r}; it must be a number from {self.low:g} to {self.high:g}.")
        number = float(value)
        assert self.low is not None
        assert self.high is not None
        if not (math.isfinite(number) and self.low <= number <= self.high):
            raise ConfigError(f"{self.name} is {value}; it must lie from {self.low:g} to {self.high:g}.")
        if self.kind == "int":
            if number != int(number):
                raise ConfigError(f"{self.name} is {value}; it must be a whole number.")
            return int(number)
        return number


def number(
    default: float, low: float, high: float, search: tuple[float, float], doc: str, *, is_score: bool = False
) -> Any:
    """Declare a number: whole if its default is, from `low` to `high`, searched in `search`."""
    kind = "int" if isinstance(default, int) else "float"
    metadata = {"kind": kind, "low": low, "high": high, "search": search, "doc": doc, "is_score": is_score}
    return dataclasses.field(default=default, metadata=metadata)


def switch(default: bool, doc: str, *, search: tuple[bool, ...] = (False, True)) -> Any:
    """Declare something that is on or off."""
    return dataclasses.field(default=default, metadata={"kind": "bool", "search": search, "doc": doc})


def choice(default: str, choices: tuple[str, ...], doc: str) -> Any:
    """Declare one of several words."""
    metadata = {"kind": "choice", "choices": choices, "search": choices, "doc": doc}
    return dataclasses.field(default=default, metadata=metadata)


def smallest_area(default: float) -> Any:
    """Declare `min_box_area`."""
    doc = "tracks with a box of at most this many square pixels are not reported"
    return number(default, 0, 1e12, (0, 1000), doc)


def widest_shape() -> Any:
    """Declare `vertical_ratio`."""
    doc = "tracks with a box wider than this times its height are not reported; 0 reports all"
    return number(1.6, 0, 1e6, (0.8, 2.5), doc)


def lost_buffer() -> Any:
    """Declare `track_buffer`."""
    doc = "how long a lost track can be found again, in frames of a 30 frames/s video"
    return number(30, 0, 100_000, (5, 120), doc)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrackerSettings:
    """Settings that every tracker has; those of a tracker inherit from it.

    Values are checked, and a frozen instance can be a dictionary key.

    Raises
    ------
    ConfigError
        If a value is of the wrong type, out of its range, or contradicts another.
    """

    any_scores: bool = switch(
        False,
        "accept scores outside 0..1, such as the margins of DPM; thresholds on scores may then be any number",
        search=(False,),
    )

    def __post_init__(self) -> None:
        for setting in self.settings().values():
            if self.any_scores is True and setting.is_score:
                setting = dataclasses.replace(setting, low=-1e6, high=1e6)
            object.__setattr__(self, setting.name, setting.check(getattr(self, setting.name)))
        self.check_together()

    def check_together(self) -> None:
        """Refuse values that contradict each other; a tracker's settings override it.

        Raises
        ------
        ConfigError
            Naming both settings.
        """

    @classmethod
    def settings(cls) -> dict[str, Setting]:
        """Return every setting by name, the tracker's own first.

        Examples
        --------
        >>> TrackerSettings.settings()["any_scores"].default
        False
        """
        fields = sorted(dataclasses.fields(cls), key=lambda field: field.name == "any_scores")
        return {field.name: Setting(name=field.name, default=field.default, **field.metadata) for field in fields}

    @classmethod
    def check_names(cls, names: Iterable[str]) -> None:
        """Refuse names that are not settings.

        Raises
        ------
        ConfigError
            Naming the unknown setting and the nearest known one.
        """
        known = list(cls.settings())
        for name in names:
            if name not in known:
                near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.4)
                hint = f"did you mean {near[0]}?" if near else f"the settings are {', '.join(known)}."
                raise ConfigError(f"{name} is not a setting of this tracker; {hint}")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the settings with these values; names left out keep their defaults.

        Raises
        ------
        ConfigError
            If a name is unknown (the nearest is proposed) or a value is refused.
        """
        cls.check_names(values)
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return plain Python values by name."""
        return {name: getattr(self, name) for name in self.settings()}

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some values changed.

        Raises
        ------
        ConfigError
            If a name is unknown (the nearest is proposed) or a value is refused.
        """
        return self.from_dict({**self.to_dict(), **changes})

    def changed(self) -> dict[str, Any]:
        """Return the values that differ from the defaults."""
        settings = self.settings()
        return {name: value for name, value in self.to_dict().items() if value != settings[name].default}


def check_low_score(low_name: str, low: float, high_name: str, high: float) -> None:
    """Refuse thresholds that leave no detections to the second stage.

    Raises
    ------
    ConfigError
        Naming both settings.
    """
    if low >= high:
        raise ConfigError(f"{low_name} is {low:g} and {high_name} is {high:g}; {low_name} must be the smaller.")


def check_frame_rate(frame_rate: Any) -> float:
    """Return the frame rate as a float.

    Raises
    ------
    ConfigError
        If it is not a positive number.
    """
    try:
        value = float(frame_rate)
    except (TypeError, ValueError):
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise ConfigError(f"frame_rate is {frame_rate!r}; it must be a number of frames per second above 0.")
    return value
