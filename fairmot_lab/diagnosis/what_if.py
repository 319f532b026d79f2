"""Find the single settings that would have avoided an ID switch."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .reasons import _check_same, _only, _settings_of

if TYPE_CHECKING:
    from ..detection.detections import Detections
    from ..evaluation.result import Evaluation
    from ..settings import TrackerConfig


SINGLE_CHANGES = {
    "track_buffer": ("*", 0.5, 2, 4),
    "conf_thres": ("+", -0.2, -0.1, 0.1),
    "det_thresh": ("+", -0.1, 0.1, 0.2),
    "tracked_thresh": ("+", -0.1, 0.1, 0.2, 0.4),
    "r_tracked_thresh": ("+", -0.2, 0.2, 0.4),
    "unconfirmed_thresh": ("+", -0.2, 0.2),
    "match_thres": ("+", -0.2, 0.1),
    "min_box_area": ("=", 0),
    "vertical_ratio": ("=", 0),
    "use_byte": ("=", True),
}
"""The changes that `what_if` tries: factors (*), differences (+) or values (=), one at a time."""


@dataclasses.dataclass(frozen=True)
class WhatIf:
    """Which single changed setting avoids which switch, and what it costs.

    Attributes
    ----------
    switches : pandas.DataFrame
        One row per switch: sequence, frame, gt_id, from_id, to_id, `avoided_by` (the changes that avoid it, those with
        the fewest switches first, as text such as "track_buffer=60"; empty if none does) and `cheapest` (the one of
        them with the highest IDF1).
    changes : pandas.DataFrame
        One row per change, and first the settings as they were: `change`, setting, value, `avoided` (number of
        switches), `added` (switches that were not there before), mota, idf1, hota, num_switches,
        num_false_positives, num_misses, and each of these minus what it was, as `d_mota` and so on.
    """

    switches: pd.DataFrame
    changes: pd.DataFrame


def single_changes(config: TrackerConfig) -> dict[str, tuple[str, Any]]:
    """The settings that `what_if` tries, as text -> (name, value), without those out of range."""
    from ..errors import ConfigError

    changes = {}
    for name, (how, *steps) in SINGLE_CHANGES.items():
        now = getattr(config, name)
        for step in steps:
            value = step if how == "=" else now * step if how == "*" else round(now + step, 6)
            value = int(value) if isinstance(now, int) and not isinstance(now, bool) else value
            try:
                if value != now and config.replace(**{name: value}) != config:
                    changes[f"{name}={value:g}" if not isinstance(value, bool) else f"{name}={value}"] = (name, value)
            except ConfigError:
                continue
    return changes


def what_if(
    evaluation: Evaluation,
    outputs: Detections,
    config: TrackerConfig | None = None,
    *,
    sequence: str | None = None,
    changes: Mapping[str, Iterable[Any]] | None = None,
    progress: bool = True,
) -> WhatIf:
    """Track the outputs again with one setting changed at a time, and see which switches are gone.

    A switch counts as avoided if the person carries the same id on both sides of it: in the last frame in which it was
    matched up to `last_frame`, and in the first from `frame` on, and in every match between.

    Parameters
    ----------
    evaluation, outputs, config, sequence
        As for `explain_switches`.
    changes
        Values to try by name of setting; by default `single_changes`.
    progress
        Whether a progress bar is shown.
    """
    from tqdm.auto import tqdm

    from ..association import track_outputs
    from ..evaluation.evaluate import compute_metrics

    one = _only(evaluation, sequence, outputs.name)
    config = config or _settings_of(one.tracks)
    _check_same(one.tracks, track_outputs(outputs, config), one.name)
    table = evaluation.switches
    table = table[table["sequence"] == one.name].reset_index(drop=True)
    tries = (
        single_changes(config)
        if changes is None
        else {f"{name}={value}": (name, value) for name, values in changes.items() for value in values}
    )
    figures = ("mota", "idf1", "hota", "num_switches", "num_false_positives", "num_misses")
    base = compute_metrics(one.tracks, one.ground_truth, protocol=evaluation.protocol)
    rows = [{"change": "as it is", "setting": "", "value": None, "avoided": 0, "added": 0, **_some(base, figures)}]
    avoided_by: dict[str, np.ndarray] = {}
    for text, (name, value) in tqdm(tries.items(), desc="what if", disable=not progress, leave=False):
        tracks = track_outputs(outputs, config.replace(**{name: value}))
        after = _carriers(one.ground_truth, tracks, evaluation)
        avoided = np.array([_same_id(after, row) for row in table.itertuples()], bool)
        avoided_by[text] = avoided
        now = compute_metrics(tracks, one.ground_truth, protocol=evaluation.protocol)
        rows.append(
            {
                "change": text,
                "setting": name,
                "value": value,
                "avoided": int(avoided.sum()),
                "added": int(now["num_switches"] - base["num_switches"] + avoided.sum()),
                **_some(now, figures),
            }
        )
    result = pd.DataFrame(rows)
    for name in figures:
        result[f"d_{name}"] = result[name] - base[name]
    order = result.iloc[1:].sort_values(["num_switches", "idf1"], ascending=[True, False])["change"].tolist()
    idf1 = result.set_index("change")["idf1"]
    by_switch = [[text for text in order if avoided_by[text][index]] for index in range(len(table))]
    switches = table[["sequence", "frame", "gt_id", "from_id", "to_id"]].copy()
    switches["avoided_by"] = [", ".join(texts) for texts in by_switch]
    switches["cheapest"] = [max(texts, key=lambda text: idf1[text]) if texts else "" for texts in by_switch]
    return WhatIf(switches, result)


def _some(values: Mapping[str, float], names: Iterable[str]) -> dict[str, float]:
    return {name: values[name] for name in names}


def _carriers(truth: Any, tracks: pd.DataFrame, evaluation: Evaluation) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """For each person, the frames in which it was matched and the ids that it carried in them."""
    from ..evaluation.evaluate import match_tracks
    from ..evaluation.switches import Matches

    one = match_tracks(tracks, truth, evaluation.protocol, evaluation.evaluator)
    matches = Matches.of(one)
    rows = matches.by_person()
    frames, ids = one.scored.frames[matches.frame], one.scored.t_ids[matches.track]
    return {int(person): (frames[rows(code)], ids[rows(code)]) for code, person in enumerate(one.scored.g_ids)}


def _same_id(carriers: Mapping[int, tuple[np.ndarray, np.ndarray]], switch: Any) -> bool:
    if switch.gt_id not in carriers:
        return False
    frames, ids = carriers[switch.gt_id]
    before = int(np.searchsorted(frames, switch.last_frame, side="right"))
    after = int(np.searchsorted(frames, switch.frame))
    if before == 0 or after == len(frames):
        return False
    return bool((ids[before - 1 : after + 1] == ids[before - 1]).all())
