"""The result of an evaluation: summary, events, metrics per frame and per object."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from .._files import files_of, write_text
from ..boxes import BOX
from ..errors import EvaluationError
from . import tables, trackeval
from .breakdown import box_table, breakdown
from .events import SequenceEvaluation, count_fragments
from .matching import FP, MATCH, MISS, SWITCH
from .switches import switch_table


@dataclass(eq=False)
class Evaluation:
    """Figures and tables of a comparison of tracks with ground truth; made by `evaluate`.

    Attributes
    ----------
    summary : pandas.DataFrame
        One row per sequence and OVERALL (from summed counts): `sequence`, the metrics, `num_sequences`, `num_frames`,
        `num_dropped` (results dropped as distractors), `protocol`, `evaluator`.
    protocol, evaluator : str
    sequences : dict of str to SequenceEvaluation
    frames : (int, int) or None
        First and last frame that were evaluated, where only a part was asked for.
    notes : list of str
        What was warned about.
    detailed, hota_curves : pandas.DataFrame or None
        With evaluator="trackeval": the columns of TrackEval's pedestrian_detailed.csv, and HOTA over alpha in long
        form.
    per_class : pandas.DataFrame or None
        With classes=: `class` and metrics, one row per class, AVERAGE (of the classes) and OVERALL (from all counts).
    """

    summary: pd.DataFrame
    protocol: str
    evaluator: str
    sequences: dict[str, SequenceEvaluation]
    frames: tuple[int, int] | None = None
    notes: list[str] = field(default_factory=list)
    detailed: pd.DataFrame | None = None
    hota_curves: pd.DataFrame | None = None
    per_class: pd.DataFrame | None = None

    @property
    def overall(self) -> dict[str, Any]:
        """The OVERALL row."""
        return {str(name): value for name, value in self.summary.iloc[-1].items()}

    @functools.cached_property
    def events(self) -> pd.DataFrame:
        """motmetrics' events of all sequences: index sequence, FrameId, Event; columns Type, OId, HId, D.

        `result.events.loc[name]` equals the DataFrame of motmetrics' own accumulator.
        """
        return pd.concat({name: one.events for name, one in self.sequences.items()}, names=["sequence"])

    @functools.cached_property
    def errors(self) -> pd.DataFrame:
        """One row per false positive, miss and ID switch: sequence, frame, kind, id, x, y, w, h, score.

        kind is "FP", "MISS" or "SWITCH"; id, box (pixels) and score are the person's for a miss and the track's
        otherwise.
        """
        return self._stamped(pd.concat([_errors(one) for one in self.sequences.values()], ignore_index=True))

    @functools.cached_property
    def switches(self) -> pd.DataFrame:
        """One row per ID switch: what happened. See `fairmot_lab.evaluation.switch_table`."""
        return self._stamped(switch_table(self.sequences.values()))

    def switches_of(self, sequence: str) -> pd.DataFrame:
        """Return the rows of `switches` of one sequence, numbered from 0; EvaluationError if it was not evaluated."""
        if sequence not in self.sequences:
            raise EvaluationError(f"Sequence {sequence!r} was not evaluated; there are {', '.join(self.sequences)}.")
        return self.switches[self.switches["sequence"] == sequence].reset_index(drop=True)

    @functools.cached_property
    def per_frame(self) -> pd.DataFrame:
        """One row per sequence and frame: frame, time (s), numbers of objects, predictions, matches and errors."""
        return self._stamped(pd.concat([_per_frame(one) for one in self.sequences.values()], ignore_index=True))

    @functools.cached_property
    def per_object(self) -> pd.DataFrame:
        """One row per sequence and ground-truth id: when it was there, how much of it was tracked, by how many ids."""
        return self._stamped(
            pd.concat([_per_object(one, self.evaluator) for one in self.sequences.values()], ignore_index=True)
        )

    def by(self, what: str, bins: Sequence[float] | None = None) -> pd.DataFrame:
        """Break recall, precision and errors down: see `breakdown.breakdown`.

        Parameters
        ----------
        what
            "visibility", "height", "crowding", "border", "speed" or "time since entry".
        bins
            Edges; by default those of `breakdown.BINS`.
        """
        return self._stamped(breakdown(self._boxes, what, None if bins is None else list(bins)))

    @functools.cached_property
    def _boxes(self) -> pd.DataFrame:
        return pd.concat([box_table(one) for one in self.sequences.values()], ignore_index=True)

    @property
    def caption(self) -> str:
        """What a metric needs beside it: protocol, evaluator, numbers of sequences, frames and dropped results."""
        last = self.overall
        sequences = int(last["num_sequences"])
        return (
            f"protocol {self.protocol}, evaluator {self.evaluator}, "
            f"{sequences} sequence{'s' if sequences > 1 else ''}, "
            f"{int(last['num_frames'])} frames, {int(last['num_dropped'])} results dropped as distractors"
        )

    def inputs(self) -> list[str]:
        """Return the files that tracks and ground truth were read from, which no output may overwrite."""
        return files_of([(one.tracks, one.ground_truth.table) for one in self.sequences.values()])

    def to_markdown(self, columns: Sequence[str] | None = None) -> str:
        """Return the summary, or some of its columns, as a GitHub table under its caption; ratios in percent."""
        return tables.to_markdown(self.summary, self.caption, columns)

    def to_latex(self, columns: Sequence[str] | None = None) -> str:
        """Return the summary, or some of its columns, as a LaTeX table (package booktabs); ratios in percent."""
        return tables.to_latex(self.summary, self.caption, columns)

    def to_csv(self, path: str | os.PathLike[str] | None = None) -> str | None:
        """Write the summary with full precision, `sequence` first and OVERALL last; without a path, return it."""
        text = self.summary.to_csv(index=False, lineterminator="\n")
        if path is None:
            return text
        write_text(path, text, self)
        return None

    def __repr__(self) -> str:
        return tables.to_text(self.summary, self.caption)

    def _repr_html_(self) -> str:
        return tables.to_html(self.summary, self.caption, self.notes)

    def _stamped(self, table: pd.DataFrame) -> pd.DataFrame:
        last = self.overall
        table.attrs |= {"protocol": self.protocol, "evaluator": self.evaluator}
        table.attrs |= {name: int(last[name]) for name in ("num_sequences", "num_frames", "num_dropped")}
        return table


def _per_frame(one: SequenceEvaluation) -> pd.DataFrame:
    events, count = one.coded, len(one.scored.frames)

    def number(*kinds: int) -> np.ndarray:
        return np.bincount(events.frame[np.isin(events.kind, kinds)], minlength=count)

    rate = one.ground_truth.frame_rate
    table = pd.DataFrame(
        {
            "sequence": one.name,
            "frame": one.scored.frames,
            "time": (one.scored.frames - 1) / rate if rate else np.nan,
            "num_objects": np.diff(one.scored.g_start),
            "num_predictions": np.diff(one.scored.t_start),
            "num_matches": number(MATCH),
            "num_switches": number(SWITCH),
            "num_misses": number(MISS),
            "num_false_positives": number(FP),
        }
    )
    found = np.isin(events.kind, (MATCH, SWITCH))
    distance = np.bincount(events.frame[found], weights=events.distance[found], minlength=count)
    with np.errstate(invalid="ignore"):
        table["motp"] = distance / np.bincount(events.frame[found], minlength=count)
    return table


def _errors(one: SequenceEvaluation) -> pd.DataFrame:
    scored = one.scored
    missed = np.flatnonzero(~one.is_matched)
    false, switched = np.flatnonzero(one.is_false), one.partner[one.switched]
    wrong = np.concatenate([false, switched])
    table = pd.DataFrame(
        {
            "sequence": one.name,
            "frame": np.concatenate([scored.g_frame[missed], scored.t_frame[wrong]]),
            "kind": np.repeat(["MISS", "FP", "SWITCH"], [len(missed), len(false), len(switched)]),
            "id": np.concatenate([scored.g_ids[scored.g_id[missed]], scored.t_ids[scored.t_id[wrong]]]),
        }
    )
    sides = [one.ground_truth.table.iloc[scored.g_rows[missed]], one.tracks.iloc[scored.t_rows[wrong]]]
    for column in (*BOX, "score"):
        values = [side[column].to_numpy(float) if column in side else np.full(len(side), np.nan) for side in sides]
        table[column] = np.concatenate(values)
    return table.sort_values(["frame", "kind", "id"], kind="stable", ignore_index=True)


def _per_object(one: SequenceEvaluation, evaluator: str) -> pd.DataFrame:
    scored, objects = one.scored, len(one.scored.g_ids)
    frame = scored.g_frame
    tracked = one.is_matched
    present = np.bincount(scored.g_id, minlength=objects)
    found = np.bincount(scored.g_id[tracked], minlength=objects)
    order = np.argsort(scored.g_id, kind="stable")
    ends = np.cumsum(present)
    pairs = np.unique(scored.g_id[tracked] * len(scored.t_ids) + scored.t_id[one.partner[tracked]])
    share = found / np.maximum(present, 1)
    if evaluator == "trackeval":
        fragments = np.maximum(trackeval.ClearMatches(scored).fragments - 1, 0)
        mostly = share > 0.8
    else:
        fragments = count_fragments(scored.g_id, tracked, objects)
        mostly = share >= 0.8
    visibility = one.ground_truth.visibility[scored.g_rows]
    return pd.DataFrame(
        {
            "sequence": one.name,
            "gt_id": scored.g_ids,
            "first_frame": frame[order[ends - present]],
            "last_frame": frame[order[ends - 1]],
            "num_frames": present,
            "num_tracked": found,
            "tracked_share": share,
            "state": np.select([mostly, share >= 0.2], ["mostly tracked", "partially tracked"], "mostly lost"),
            "num_switches": np.bincount(scored.g_id[one.switched], minlength=objects),
            "num_fragmentations": fragments,
            "num_ids": np.bincount(pairs // max(1, len(scored.t_ids)), minlength=objects),
            "visibility": np.bincount(scored.g_id, weights=visibility, minlength=objects) / np.maximum(present, 1),
        }
    )
