"""The events of one sequence as arrays, and as py-motmetrics' table."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from . import matching
from .protocols import GroundTruth, ScoredSequence


@dataclass(frozen=True, eq=False)
class Events:
    """The events of one sequence: index of the frame, number in the frame, type, id codes (-1: none), distance."""

    frame: np.ndarray
    number: np.ndarray
    kind: np.ndarray
    o: np.ndarray
    h: np.ndarray
    distance: np.ndarray


def event_table(scored: ScoredSequence, events: Events) -> pd.DataFrame:
    numbers = np.arange(int(events.number.max()) + 1 if len(events.number) else 0)
    levels: list[Any] = [scored.frames, numbers]
    codes: list[Any] = [events.frame, events.number]
    index = pd.MultiIndex(levels=levels, codes=codes, names=["FrameId", "Event"], verify_integrity=False)
    o_ids, h_ids = np.append(scored.g_ids.astype(float), np.nan), np.append(scored.t_ids.astype(float), np.nan)
    types: Any = matching.EVENT_TYPES
    columns = {
        "Type": pd.Categorical.from_codes(events.kind, categories=types),
        "OId": o_ids[events.o],
        "HId": h_ids[events.h],
        "D": events.distance,
    }
    return pd.DataFrame(columns, index=index)


def count_fragments(code: np.ndarray, tracked: np.ndarray, objects: int) -> np.ndarray:
    """Count for each object how often it was lost and matched again (rows are ordered by frame)."""
    order = np.argsort(code, kind="stable")
    owner, good = code[order], tracked[order]
    begins = np.zeros(len(order), bool)
    begins[1:] = good[1:] & ~good[:-1] & (owner[1:] == owner[:-1])
    first = np.zeros(len(order), bool)
    position = np.flatnonzero(good)
    first[position[np.unique(owner[position], return_index=True)[1]]] = True
    return np.bincount(owner[begins & ~first], minlength=objects)


@dataclass(frozen=True, eq=False)
class SequenceEvaluation:
    """One evaluated sequence: its inputs, what was scored of them, and the events.

    partner : scored result row matched with each scored ground-truth row, -1 for none.  switched : whether the match is
    an ID switch.  frames : number of frames that the sequence has, or that were asked for.  part : the first and the
    last frame that were asked for, None for all.
    """

    name: str
    ground_truth: GroundTruth
    tracks: pd.DataFrame
    scored: ScoredSequence
    coded: Events
    partner: np.ndarray
    switched: np.ndarray
    frames: int
    metrics: dict[str, Any]
    part: tuple[int, int] | None = None

    @property
    def is_matched(self) -> np.ndarray:
        """Which scored rows of ground truth have a result."""
        return self.partner >= 0

    @property
    def is_false(self) -> np.ndarray:
        """Which scored results are matched with nobody."""
        false = np.ones(len(self.scored.t_id), bool)
        false[self.partner[self.is_matched]] = False
        return false

    @functools.cached_property
    def events(self) -> pd.DataFrame:
        """The events as motmetrics' DataFrame: index FrameId, Event; columns Type, OId, HId, D."""
        return event_table(self.scored, self.coded)
