"""The registry of trackers: find one by name, or make one of a dict or a JSON file.

It imports the trackers, so no tracker may import it.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import importlib.metadata
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError, warn
from .base import Tracker
from .per_class import PerClass

TRACKERS = {
    "jde": "jde:JDETracker",
    "ppdet_byte": "ppdet_byte:PPDetByteTracker",
    "bytetrack": "bytetrack:ByteTrackTracker",
    "ocsort": "ocsort:OCSORTTracker",
    "botsort": "botsort:BoTSORTTracker",
    "sort": "sort:SORTTracker",
    "deepsort": "deepsort:DeepSORTTracker",
}
"""Module and class of every tracker of this package, by name: add a tracker here."""
ENTRY_POINTS = "fairmot_lab.trackers"  # where other packages name theirs


def trackers() -> dict[str, type[Tracker]]:
    """Return the class of every tracker by name, those of other packages last.

    Warns
    -----
    FairMOTLabWarning
        If that of another package cannot be loaded; it is left out.

    Examples
    --------
    >>> trackers()["jde"].title
    'JDE, as FairMOT uses it (PaddleDetection)'
    """
    found = {}
    for name in _places():
        try:
            found[name] = tracker_class(name)
        except ConfigError as error:
            warn(str(error))
    return found


@functools.cache
def _places() -> dict[str, str]:
    """Return module and class of every tracker by name."""
    others = {point.name: point.value for point in importlib.metadata.entry_points(group=ENTRY_POINTS)}
    own = {name: f"{__package__}.{place}" for name, place in TRACKERS.items()}
    return {**own, **{name: place for name, place in others.items() if name not in own}}


def tracker_class(name: str) -> type[Tracker]:
    """Return the class of a tracker.

    Parameters
    ----------
    name
        One of `trackers()`, or `module:Class` of a class that Python can import.

    Raises
    ------
    ConfigError
        If there is none of this name, or it cannot be loaded.

    Examples
    --------
    >>> tracker_class("jde")
    <class 'fairmot_lab.association.jde.JDETracker'>
    """
    module, colon, attribute = _places().get(name, name).partition(":")
    if not colon:
        near = difflib.get_close_matches(name, _places(), n=1)
        hint = f"did you mean {near[0]}? There" if near else "there"
        raise ConfigError(
            f"There is no tracker {name!r}; {hint} are {', '.join(_places())}; name one of your own as "
            "module:Class, or pass it as an object."
        )
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"The tracker {name} cannot be loaded ({error}); write it as module:Class, with the module's folder on "
            "PYTHONPATH."
        ) from error
    if not (isinstance(found, type) and issubclass(found, Tracker)):
        raise ConfigError(f"{name} is not a tracker; name a class that derives from fairmot_lab.Tracker.")
    if ":" not in found.name and found.name not in _places():
        raise ConfigError(
            f"{name} calls itself {found.name!r}, by which it is not found; leave its `name` out, or register it as an "
            f"entry point of {ENTRY_POINTS} by that name."
        )
    return found


def get_tracker(name: str, **settings: Any) -> Tracker:
    """Return a tracker by name.

    Parameters
    ----------
    name
        One of `trackers()`, or `module:Class`; with "per_class:" before it for `PerClass` of that tracker.
    **settings
        Its settings, and `frame_rate`.

    Raises
    ------
    ConfigError
        If the name or a setting is unknown, or a value is refused.

    Examples
    --------
    >>> get_tracker("jde", conf_thres=0.5)
    JDETracker(conf_thres=0.5)
    """
    if not isinstance(name, str):
        raise ConfigError(f"A tracker's name cannot be a {type(name).__name__}; give one of {', '.join(_places())}.")
    if name.startswith("per_class:"):
        return PerClass(get_tracker(name.removeprefix("per_class:"), **settings))
    return tracker_class(name)(**settings)


def as_tracker(tracker: Any) -> Tracker:
    """Return a tracker that was given as such, by name, as a dict of `Tracker.to_dict`, or as None (`JDETracker()`).

    Raises
    ------
    ConfigError
        If it is anything else.

    Examples
    --------
    >>> as_tracker("jde")
    JDETracker()
    """
    if isinstance(tracker, Tracker):
        return tracker
    if tracker is None or isinstance(tracker, str):
        return get_tracker("jde" if tracker is None else tracker)
    if isinstance(tracker, Mapping):
        return tracker_from_dict(tracker)
    if isinstance(tracker, type) and issubclass(tracker, Tracker):
        return tracker()
    raise ConfigError(
        f"The tracker is a {type(tracker).__name__}; give one such as JDETracker(conf_thres=0.4) or "
        "a name (a model goes into model=)."
    )


def tracker_for(detections: Any, tracker: Any = None) -> Tracker:
    """Return the tracker that was given, as `as_tracker` does; without one, the default of the detections.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> kept = SimpleNamespace(default_tracker={"tracker": "sort", "max_age": 3})
    >>> tracker_for(kept), tracker_for(kept, "jde")
    (SORTTracker(max_age=3), JDETracker())
    """
    return as_tracker(detections.default_tracker if tracker is None else tracker)


def tracker_from_dict(values: Mapping[str, Any], default: str = "jde") -> Tracker:
    """Return the tracker that `Tracker.to_dict` described; `default` names it where the name is left out.

    The description may come from a file, which must not import code: `module:Class` is taken where the module has been
    imported.

    Raises
    ------
    ConfigError
        If its module has not been imported, or as `get_tracker` does.

    Examples
    --------
    >>> tracker_from_dict({"tracker": "jde", "conf_thres": 0.5}).settings.conf_thres
    0.5
    """
    settings = dict(values)
    name = str(settings.pop("tracker", default))
    module, colon, _ = name.removeprefix("per_class:").partition(":")
    if colon and module not in sys.modules:
        raise ConfigError(
            f"The tracker {name} is of a module that is not imported, and a description of settings does not import "
            f"one: import {module} first, or in the shell name it with --tracker {name}."
        )
    return get_tracker(name, **settings)


def load_tracker(text_or_path: str | os.PathLike[str], default: str = "jde") -> Tracker:
    """Return the tracker that `Tracker.to_json` described.

    Parameters
    ----------
    text_or_path
        The text itself, or a file that holds it.
    default
        The tracker's name, where the text leaves it out.

    Raises
    ------
    ConfigError
        If it is not a JSON object of settings, or the file cannot be read.

    Examples
    --------
    >>> load_tracker('{"tracker": "sort", "max_age": 3}').settings.max_age
    3
    """
    text = os.fspath(text_or_path)
    place = "The settings"
    if not text.lstrip().startswith("{"):
        place = text
        try:
            text = Path(text).read_text(encoding="utf-8-sig")  # editors of Windows put a mark first
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{place} cannot be read as a settings file ({error}); give a JSON file.") from error
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{place} is not JSON ({error}); write it with tracker.to_json().") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{place} holds a {type(values).__name__}; it must be a JSON object of settings.")
    try:
        return tracker_from_dict(values, default)
    except ConfigError as error:
        raise ConfigError(f"{place}: {error}") from error
