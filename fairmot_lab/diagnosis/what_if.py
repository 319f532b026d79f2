"""Find the single settings that would have avoided an ID switch."""

from __future__ import annotations

import contextlib
import dataclasses
import html
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .._progress import progress_bar
from .._terminal import in_columns, wrapped
from ..association.base import Tracker
from ..association.registry import trackers
from ..association.run import track_detections
from ..detection.cache import as_detections
from ..errors import ConfigError
from ..evaluation.evaluate import compute_metrics, match_tracks
from ..evaluation.names import MAIN
from ..evaluation.switches import Matches
from .retrace import check_same, evaluated_part, one_sequence, tracker_of

if TYPE_CHECKING:
    from ..detection.detections import Detections
    from ..evaluation.events import SequenceEvaluation
    from ..evaluation.result import Evaluation


@dataclasses.dataclass(frozen=True, repr=False)
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
        switches, see `what_if`), `gone` and `added` (switches of a person in a frame that are no longer, or newly,
        there; added less gone is d_num_switches), mota, idf1, hota, num_switches,
        num_false_positives, num_misses, and each of these minus what it was, as `d_mota` and so on.
    """

    switches: pd.DataFrame
    changes: pd.DataFrame

    def table(self) -> pd.DataFrame:
        """Return the changes that alter something, the highest IDF1 first, metrics in percent, to be shown."""
        altered = self.changes[[f"d_{name}" for name in MAIN]].any(axis=1) | (self.changes["avoided"] > 0)
        rows = self.changes[altered].sort_values("idf1", ascending=False, kind="stable")
        shown = rows[["change", "avoided", "gone", "added"]].assign(IDs=rows["num_switches"].astype(int))
        for name in ("mota", "idf1", "hota"):
            shown[f"+{name.upper()}"] = (100 * rows[f"d_{name}"]).round(1) + 0.0  # no -0.0
        return shown.reset_index(drop=True)

    @property
    def caption(self) -> str:
        """How many ID switches can be avoided, and what the columns of `table` mean."""
        helped, tried = int((self.switches["avoided_by"] != "").sum()), len(self.changes) - 1
        return (
            f"{helped} of {len(self.switches)} ID switches are avoided by at least one of {tried} single changes; the "
            f"{tried - len(self.table())} that alter nothing are left out. avoided: the person keeps the id; gone, "
            "added: ID switches that no longer happen, and new ones; +: how many points the metric changes."
        )

    def __repr__(self) -> str:
        shown = self.table()
        cells = [[f"{cell:+.1f}" if isinstance(cell, float) else str(cell) for cell in row] for row in shown.to_numpy()]
        return f"{in_columns([list(shown), *cells])}\n{wrapped(self.caption)}"

    def _repr_html_(self) -> str:
        shown = self.table().to_html(index=False, float_format="{:+.1f}".format)
        return f"{shown}<p>{html.escape(self.caption)}</p>"


def single_changes(tracker: Tracker) -> dict[str, Tracker]:
    """Return trackers that differ from one in a single setting, by text such as "track_buffer=60".

    Trackers of a kind that derives from this one, or that it derives from, are among them as "tracker=NAME", with the
    settings that they share.

    Examples
    --------
    >>> from fairmot_lab.association import get_tracker
    >>> list(single_changes(get_tracker("jde")))[:4]
    ['conf_thres=0.2', 'conf_thres=0.3', 'conf_thres=0.5', 'conf_thres=0.6']
    """
    changes = {}
    for name, setting in tracker.Settings.settings().items():
        for value in setting.neighbours(getattr(tracker.settings, name)):
            with contextlib.suppress(ConfigError):  # together with the other settings
                changes[_text(name, value)] = tracker.replace(**{name: value})
    for name, kind in trackers().items():
        if kind is not type(tracker) and (issubclass(kind, type(tracker)) or isinstance(tracker, kind)):
            shared = {
                key: value for key, value in tracker.settings.to_dict().items() if key in kind.Settings.settings()
            }
            with contextlib.suppress(ConfigError):
                changes[f"tracker={name}"] = kind(**shared)
    return changes


def _text(name: str, value: Any) -> str:
    return f"{name}={value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else f"{name}={value}"


def what_if(
    evaluation: Evaluation,
    detections: Detections,
    tracker: Tracker | str | None = None,
    *,
    sequence: str | None = None,
    changes: Mapping[str, Iterable[Any]] | None = None,
    progress: bool = True,
) -> WhatIf:
    """Track the detections again with one setting changed at a time, and see which switches are gone.

    A switch counts as avoided if the person carries the same id on both sides of it: in the last frame in which it was
    matched up to `last_frame`, and in the first from `frame` on, and in every match between.

    Parameters
    ----------
    evaluation, detections, tracker, sequence
        As for `explain_switches`.
    changes
        Values to try by name of setting; by default `single_changes`.
    progress
        Whether a progress bar is shown.

    Examples
    --------
    >>> scene = fl.example()
    >>> tracker = fl.get_tracker("sort", max_age=1)
    >>> result = fl.evaluate(fl.track(scene.detections, tracker), scene.ground_truth)
    >>> found = what_if(result, scene.detections, tracker)
    >>> list(found.changes.columns[:3])
    ['change', 'setting', 'value']
    """
    detections = as_detections(detections)
    evaluated = one_sequence(evaluation, sequence, detections.name)
    tracker = tracker_of(evaluated.tracks, detections, tracker)
    check_same(evaluated, track_detections(detections, tracker))
    table = evaluation.switches_of(evaluated.name)
    tries = (
        single_changes(tracker)
        if changes is None
        else {
            _text(name, value): tracker.replace(**{name: value})
            for name, values in changes.items()
            for value in ([values] if np.isscalar(values) else values)
        }
    )
    base = _metrics(evaluated, evaluated.tracks, evaluation)
    held = set(zip(table["gt_id"], table["frame"], strict=True))
    rows = [{"change": "as it is", "setting": "", "value": None, "avoided": 0, "gone": 0, "added": 0, **base}]
    avoided_by: dict[str, np.ndarray] = {}
    for text, other in progress_bar(tries.items(), desc="what if", disable=not progress, leave=False):
        tracks = evaluated_part(evaluated, track_detections(detections, other))
        matched = match_tracks(tracks, evaluated.ground_truth, evaluation.protocol, evaluation.evaluator)
        carriers = _carriers(matched)
        avoided = np.array([_same_id(carriers, row) for row in table.itertuples()], bool)
        avoided_by[text] = avoided
        now = _switches(matched)
        name, _, _ = text.partition("=")
        rows.append(
            {
                "change": text,
                "setting": name,
                "value": other.name if name == "tracker" else getattr(other.settings, name),
                "avoided": int(avoided.sum()),
                "gone": len(held - now),
                "added": len(now - held),
                **_metrics(evaluated, tracks, evaluation),
            }
        )
    result = pd.DataFrame(rows)
    for name in MAIN:
        result[f"d_{name}"] = result[name] - base[name]
    order = result.iloc[1:].sort_values(["num_switches", "idf1"], ascending=[True, False])["change"].tolist()
    idf1 = result.set_index("change")["idf1"]
    by_switch = [[text for text in order if avoided_by[text][index]] for index in range(len(table))]
    switches = table[["sequence", "frame", "gt_id", "from_id", "to_id"]].copy()
    switches["avoided_by"] = [", ".join(texts) for texts in by_switch]
    switches["cheapest"] = [max(texts, key=lambda text: idf1[text]) if texts else "" for texts in by_switch]
    return WhatIf(switches, result)


def _metrics(evaluated: SequenceEvaluation, tracks: pd.DataFrame, evaluation: Evaluation) -> dict[str, float]:
    found = compute_metrics(
        tracks, evaluated.ground_truth, protocol=evaluation.protocol, evaluator=evaluation.evaluator
    )
    return {name: found[name] for name in MAIN}


def _switches(matched: SequenceEvaluation) -> set[tuple[int, int]]:
    """Return the person and frame of every ID switch."""
    scored = matched.scored
    frames = scored.g_frame[matched.switched]
    return set(zip(scored.g_ids[scored.g_id[matched.switched]].tolist(), frames.tolist(), strict=True))


def _carriers(matched: SequenceEvaluation) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Return for each person the frames in which it was matched and the ids that it carried in them."""
    scored, matches = matched.scored, Matches.of(matched)
    rows = matches.by_person()
    frames, ids = scored.frames[matches.frame], scored.t_ids[matches.track]
    return {int(person): (frames[rows(code)], ids[rows(code)]) for code, person in enumerate(scored.g_ids)}


def _same_id(carriers: Mapping[int, tuple[np.ndarray, np.ndarray]], switch: Any) -> bool:
    if switch.gt_id not in carriers:
        return False
    frames, ids = carriers[switch.gt_id]
    before = int(np.searchsorted(frames, switch.last_frame, side="right"))
    after = int(np.searchsorted(frames, switch.frame))
    if before == 0 or after == len(frames):
        return False
    return bool((ids[before - 1 : after + 1] == ids[before - 1]).all())
