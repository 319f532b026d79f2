"""The registry of trackers: find one by name, or make one of a dict or a JSON file.

It imports the trackers, so no tracker may import it.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError
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
"""Module and class of every tracker, by name: add a tracker here."""


def trackers() -> dict[str, type[Tracker]]:
    """Return the class of every tracker by name.

    Examples
    --------
    >>> trackers()["jde"].title
    'JDE, as FairMOT uses it (PaddleDetection)'
    """
    return {name: tracker_class(name) for name in TRACKERS}


def tracker_class(name: str) -> type[Tracker]:
    """Return the class of a tracker.

    Raises
    ------
    ConfigError
        If there is none of this name.

    Examples
    --------
    >>> tracker_class("jde")
    <class 'fairmot_lab.association.jde.JDETracker'>
    """
    if name not in TRACKERS:
        raise ConfigError(
            f"There is no tracker {name!r}; there are {', '.join(TRACKERS)}; pass a tracker of your own as an object."
        )
    module, _, attribute = TRACKERS[name].partition(":")
    return getattr(importlib.import_module(f".{module}", __package__), attribute)


def get_tracker(name: str, **settings: Any) -> Tracker:
    """Return a tracker by name.

    Parameters
    ----------
    name
        One of `trackers()`; with "per_class:" before it for `PerClass` of that tracker.
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
        return get_tracker(tracker or "jde")
    if isinstance(tracker, Mapping):
        return tracker_from_dict(tracker)
    if isinstance(tracker, type) and issubclass(tracker, Tracker):
        return tracker()
    raise ConfigError(
        f"The tracker is a {type(tracker).__name__}; give one such as JDETracker(conf_thres=0.4) or "
        "a name (a model goes into model=)."
    )


def tracker_from_dict(values: Mapping[str, Any], default: str = "jde") -> Tracker:
    """Return the tracker that `Tracker.to_dict` described; `default` names it where the name is left out.

    Examples
    --------
    >>> tracker_from_dict({"tracker": "jde", "conf_thres": 0.5}).settings.conf_thres
    0.5
    """
    settings = dict(values)
    return get_tracker(settings.pop("tracker", default), **settings)


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
            text = Path(text).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{place} cannot be read as a settings file ({error}); give a JSON file.") from error
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{place} is not JSON ({error}); write it with tracker.to_json().") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{place} holds a {type(values).__name__}; it must be a JSON object of settings.")
    return tracker_from_dict(values, default)
