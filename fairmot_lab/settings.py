"""The settings of the tracker: names, ranges, meanings, checks."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import ConfigError


@dataclasses.dataclass(frozen=True)
class Setting:
    """What one field of `TrackerConfig` accepts, and where a search looks for good values.

    Attributes
    ----------
    name, kind, default, doc
        The field, its type (float, int, bool or choice), PaddleDetection's default for FairMOT, and what it does.
    low, high
        Smallest and largest value accepted (numbers only).
    search
        The range that a random search draws from (numbers), or the values it chooses among.
    choices
        The values accepted (choices only).
    """

    name: str
    kind: str
    default: Any
    doc: str
    low: float | None = None
    high: float | None = None
    search: tuple[Any, ...] = ()
    choices: tuple[str, ...] = ()

    def check(self, value: Any) -> Any:
        """Give `value` in the setting's own type.

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


def _number(default: float, low: float, high: float, search: tuple[float, float], doc: str) -> Any:
    kind = "int" if isinstance(default, int) else "float"
    return dataclasses.field(
        default=default, metadata={"kind": kind, "low": low, "high": high, "search": search, "doc": doc}
    )


def _switch(default: bool, doc: str, *, search: tuple[bool, ...] = (False, True)) -> Any:
    return dataclasses.field(default=default, metadata={"kind": "bool", "search": search, "doc": doc})


def _choice(default: str, choices: tuple[str, ...], doc: str) -> Any:
    return dataclasses.field(
        default=default, metadata={"kind": "choice", "choices": choices, "search": choices, "doc": doc}
    )


@dataclasses.dataclass(frozen=True)
class TrackerConfig:
    """Settings of the tracker: PaddleDetection's names for its JDETracker, with the defaults of its FairMOT models.

    A cost is a distance (0: the same; embeddings: at most 2, IoU: at most 1), a score is a confidence (1: certain).
    Values are checked, and a frozen instance can be a dictionary key. `TrackerConfig.settings()` lists every field with
    its range and meaning. The last five fields are not in ppdet: the first admits detectors with scores of another
    scale, the others repair faults of ppdet's tracker, and are off so that the default is exactly ppdet.

    Raises
    ------
    ConfigError
        If a value is of the wrong type, out of its range, or contradicts another.
    """

    conf_thres: float = _number(0.4, 0, 1, (0.1, 0.8), "detections with a score above this are tracked (BYTE: first)")
    det_thresh: float = _number(
        0.3,
        0,
        1,
        (0.1, 0.8),
        "a detection with a score below this starts no track (BYTE uses conf_thres + 0.1 instead)",
    )
    tracked_thresh: float = _number(
        0.4, 0, 3, (0.1, 1.0), "first stage: largest cost of embedding and motion at which a track takes a detection"
    )
    r_tracked_thresh: float = _number(
        0.5,
        0,
        1,
        (0.1, 1.0),
        "second stage: largest cost 1 - IoU at which a track takes a detection left over (not in BYTE)",
    )
    unconfirmed_thresh: float = _number(
        0.7, 0, 1, (0.1, 1.0), "largest cost 1 - IoU at which a track of one frame is confirmed by a second detection"
    )
    track_buffer: int = _number(
        30, 0, 100_000, (5, 120), "how long a lost track can be found again, in frames of a 30 frames/s video"
    )
    min_box_area: float = _number(
        200.0, 0, 1e12, (0, 1000), "tracks with a box of at most this many square pixels are not reported"
    )
    vertical_ratio: float = _number(
        1.6, 0, 1e6, (0.8, 2.5), "tracks with a box wider than this times its height are not reported; 0 reports all"
    )
    metric_type: str = _choice("cosine", ("cosine", "euclidean"), "the distance between embeddings")
    use_byte: bool = _switch(False, "BYTE: the second stage offers the tracks left over the detections of low score")
    match_thres: float = _number(
        0.8, 0, 1, (0.3, 1.0), "first stage without embeddings: largest cost 1 - IoU at which a track takes a detection"
    )
    low_conf_thres: float = _number(0.2, 0, 1, (0.05, 0.3), "BYTE: detections with a score at most this are left out")
    any_scores: bool = _switch(
        False,
        "accept scores outside 0..1, such as the margins of DPM; thresholds on scores may then be any number",
        search=(False,),
    )
    forget_removed: bool = _switch(
        False,
        "repair: a track whose buffer has run out ends at once (ppdet can find it for one more frame, "
        "and then drops it at its next miss whatever the buffer)",
        search=(False,),
    )
    refresh_score: bool = _switch(
        False, "repair: a track found again reports its new score (ppdet reports its old one)", search=(False,)
    )
    predict_unconfirmed: bool = _switch(
        False,
        "repair: a track of one frame is moved by the Kalman filter as any other (ppdet leaves it)",
        search=(False,),
    )
    keep_equal_scores: bool = _switch(
        False,
        "repair: in BYTE a score of exactly conf_thres is of the low kind (ppdet drops the detection)",
        search=(False,),
    )

    def __post_init__(self) -> None:
        for setting in self.settings().values():
            value = getattr(self, setting.name)
            if self.any_scores is True and setting.name in _SCORE_THRESHOLDS:
                setting = dataclasses.replace(setting, low=-1e6, high=1e6)
            object.__setattr__(self, setting.name, setting.check(value))
        if self.use_byte and self.low_conf_thres >= self.conf_thres:
            raise ConfigError(
                f"low_conf_thres is {self.low_conf_thres:g} and conf_thres is {self.conf_thres:g}; "
                "with use_byte, low_conf_thres must be the smaller, or no detection is of low score."
            )

    @classmethod
    def settings(cls) -> dict[str, Setting]:
        """Every field by name: its type, default, range, search range and meaning."""
        return {
            field.name: Setting(name=field.name, default=field.default, **field.metadata)
            for field in dataclasses.fields(cls)
        }

    def replace(self, **changes: Any) -> TrackerConfig:
        """A copy with some values changed.

        Raises
        ------
        ConfigError
            If a name is unknown (the nearest is proposed) or a value is refused.
        """
        return TrackerConfig.from_dict({**self.to_dict(), **changes})

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values by name."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrackerConfig:
        """The inverse of `to_dict`; names left out keep their defaults.

        Raises
        ------
        ConfigError
            If a name is unknown (the nearest is proposed) or a value is refused.
        """
        check_names(values)
        return cls(**values)

    def to_json(self) -> str:
        """A JSON object, one line per setting."""
        return json.dumps(self.to_dict(), indent=2)

    @classmethod
    def from_json(cls, text_or_path: str | os.PathLike[str]) -> TrackerConfig:
        """Read what `to_json` gave: the text itself, or a file that holds it.

        Raises
        ------
        ConfigError
            If it is not a JSON object of settings, or the file cannot be read.
        """
        text = os.fspath(text_or_path)
        place = "the settings"
        if not text.lstrip().startswith("{"):
            place = text
            try:
                text = Path(text).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"{place} cannot be read as a settings file ({error}); give a JSON file.") from error
        try:
            values = json.loads(text)
        except ValueError as error:
            raise ConfigError(f"{place} is not JSON ({error}); write it with TrackerConfig.to_json().") from error
        if not isinstance(values, dict):
            raise ConfigError(f"{place} holds a {type(values).__name__}; it must be a JSON object of settings.")
        return cls.from_dict(values)


_SCORE_THRESHOLDS = ("conf_thres", "det_thresh", "low_conf_thres")


def check_names(names: Any) -> None:
    """Refuse names that are not fields of `TrackerConfig`.

    Raises
    ------
    ConfigError
        Naming the unknown setting and the nearest known one.
    """
    known = [field.name for field in dataclasses.fields(TrackerConfig)]
    for name in names:
        if name not in known:
            import difflib

            near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]}?" if near else f"the settings are {', '.join(known)}."
            raise ConfigError(f"{name} is not a setting of the tracker; {hint}")


def check_frame_rate(frame_rate: float) -> float:
    """Give the frame rate as a float.

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
