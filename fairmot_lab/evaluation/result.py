"""The result of an evaluation: summary, events, figures per frame and per object."""

from __future__ import annotations

import functools
import html
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from .._files import atomic_write
from ..errors import EvaluationError
from . import trackeval as trackeval_rules
from .events import Events, _event_table, _fragments
from .matching import FP, MATCH, MISS, SWITCH
from .names import _HOTA, _RATIOS, _SHORT, _SHOWN, OVERALL
from .protocols import GroundTruth, Scene


@dataclass(frozen=True, eq=False)
class SequenceEvaluation:
    """One evaluated sequence: its inputs, what was scored of them, and the events.

    partner : scored result row matched with each scored ground-truth row, -1 for none.  switched : whether the match is
    an ID switch.  frames : number of frames that the sequence has, or that were asked for.
    """

    name: str
    ground_truth: GroundTruth
    tracks: pd.DataFrame
    scene: Scene
    events: Events
    partner: np.ndarray
    switched: np.ndarray
    frames: int
    figures: dict[str, Any]

    @functools.cached_property
    def event_table(self) -> pd.DataFrame:
        """The events as motmetrics' DataFrame."""
        return _event_table(self.scene, self.events)


@dataclass(eq=False)
class Evaluation:
    """Figures and tables of a comparison of tracks with ground truth; made by `evaluate`.

    Attributes
    ----------
    summary : pandas.DataFrame
        One row per sequence and OVERALL (from summed counts): `sequence`, the figures, `num_sequences`, `num_frames`,
        `num_dropped` (results dropped as distractors), `protocol`, `rules`.
    protocol, rules : str
    sequences : dict of str to SequenceEvaluation
    notes : list of str
        What was warned about.
    detailed, hota_curves : pandas.DataFrame or None
        With rules="trackeval": the columns of TrackEval's pedestrian_detailed.csv, and HOTA over alpha in long form.
    """

    summary: pd.DataFrame
    protocol: str
    rules: str
    sequences: dict[str, SequenceEvaluation]
    notes: list[str] = field(default_factory=list)
    detailed: pd.DataFrame | None = None
    hota_curves: pd.DataFrame | None = None

    @property
    def overall(self) -> dict[str, Any]:
        """The OVERALL row."""
        return {str(name): value for name, value in self.summary.iloc[-1].items()}

    @property
    def events(self) -> Any:
        """motmetrics' events DataFrame; with several sequences, a dict from name to DataFrame."""
        tables = {name: one.event_table for name, one in self.sequences.items()}
        return next(iter(tables.values())) if len(tables) == 1 else tables

    @functools.cached_property
    def switches(self) -> pd.DataFrame:
        """One row per ID switch: what happened. See `fairmot_lab.evaluation.switch_table`."""
        from .switches import switch_table

        return self._stamped(switch_table(self))

    @functools.cached_property
    def per_frame(self) -> pd.DataFrame:
        """One row per sequence and frame: frame, time (s), numbers of objects, predictions, matches and errors."""
        return self._stamped(_concat([_per_frame(one) for one in self.sequences.values()]))

    @functools.cached_property
    def per_object(self) -> pd.DataFrame:
        """One row per sequence and ground-truth id: when it was there, how much of it was tracked, by how many ids."""
        return self._stamped(_concat([_per_object(one, self.rules) for one in self.sequences.values()]))

    @property
    def caption(self) -> str:
        """Protocol, rules, number of sequences and frames, and of dropped results: what a figure needs beside it."""
        last = self.overall
        sequences = int(last["num_sequences"])
        return (
            f"protocol {self.protocol}, rules of {self.rules}, {sequences} sequence{'s' if sequences > 1 else ''}, "
            f"{int(last['num_frames'])} frames, {int(last['num_dropped'])} results dropped as distractors"
        )

    def to_markdown(self, columns: Sequence[str] | None = None) -> str:
        """The summary as a GitHub table under its caption; ratios in percent."""
        header, rows = self._cells(columns)
        lines = [f"| {' | '.join(header)} |", f"|{'|'.join([':--'] + ['--:'] * (len(header) - 1))}|"]
        lines += [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
        return "\n".join([self.caption.capitalize() + ".", "", *lines, ""])

    def to_latex(self, columns: Sequence[str] | None = None) -> str:
        """The summary as a LaTeX table (package booktabs) with its caption; ratios in percent."""
        header, rows = self._cells(columns)
        lines = [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_latex(self.caption.capitalize())}.}}",
            rf"\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}",
            r"\toprule",
            " & ".join(map(_latex, header)) + r" \\",
            r"\midrule",
        ]
        for row in rows:
            if row[0] == OVERALL and len(rows) > 1:
                lines.append(r"\midrule")
            lines.append(" & ".join(map(_latex, row)) + r" \\")
        return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}", ""])

    def to_csv(self, path: str | os.PathLike[str] | None = None) -> str | None:
        """The summary with full precision: first column `sequence`, last row OVERALL. Returned if no path is given."""
        text = self.summary.to_csv(index=False, lineterminator="\n")
        if path is None:
            return text
        with atomic_write(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
        return None

    def __str__(self) -> str:
        header, rows = self._cells(None)
        widths = [max(len(row[index]) for row in [header, *rows]) for index in range(len(header))]
        out = io.StringIO()
        for row in [header, *rows]:
            cells = [
                row[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
            ]
            out.write("  ".join(cells).rstrip() + "\n")
        return out.getvalue() + self.caption

    __repr__ = __str__

    def _repr_html_(self) -> str:
        header, rows = self._cells(None)
        cell = "padding:.25em .6em;text-align:{}"
        lines = [f'<th scope="col" style="{cell.format("right" if n else "left")}">{html.escape(name)}</th>'
                 for n, name in enumerate(header)]  # fmt: skip
        body = []
        for row in rows:
            style = ' style="font-weight:bold;border-top:2px solid currentColor"' if row[0] == OVERALL else ""
            first = f'<th scope="row" style="{cell.format("left")}">{html.escape(row[0])}</th>'
            rest = "".join(f'<td style="{cell.format("right")}">{html.escape(value)}</td>' for value in row[1:])
            body.append(f"<tr{style}>{first}{rest}</tr>")
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in self.notes)
        return (
            '<table style="font-variant-numeric:tabular-nums">'
            f'<caption style="caption-side:top;text-align:left">{html.escape(self.caption.capitalize())}. '
            "Ratios in percent.</caption>"
            f"<thead><tr>{''.join(lines)}</tr></thead><tbody>{''.join(body)}</tbody></table>"
            + (f"<ul>{notes}</ul>" if notes else "")
        )

    def _cells(self, columns: Sequence[str] | None) -> tuple[list[str], list[list[str]]]:
        names = list(columns) if columns is not None else [name for name in _SHOWN if name in self.summary]
        missing = [name for name in names if name not in self.summary]
        if missing:
            raise EvaluationError(
                f"the summary has no column {missing[0]!r}; it has {', '.join(map(str, self.summary))}."
            )
        if "sequence" not in names:
            names.insert(0, "sequence")
        cells = [
            [_cell(name, value) for name, value in zip(names, row, strict=True)]
            for row in self.summary[names].to_numpy()
        ]
        return [_SHORT.get(name, name) for name in names], cells

    def _stamped(self, table: pd.DataFrame) -> pd.DataFrame:
        last = self.overall
        table.attrs |= {"protocol": self.protocol, "rules": self.rules}
        table.attrs |= {name: int(last[name]) for name in ("num_sequences", "num_frames", "num_dropped")}
        return table


def _cell(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if name in (*_RATIOS, *_HOTA, "detre", "detpr", "assre", "asspr", "loca", "moda", "smota"):
        return f"{100 * value:.1f}"
    if isinstance(value, float) and value % 1:
        return f"{value:.3f}"
    return f"{value:.0f}" if name != "motp" else f"{value:.3f}"


def _latex(text: str) -> str:
    for mark in "&%$#_{}":
        text = text.replace(mark, "\\" + mark)
    return text


def _concat(tables: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(tables, ignore_index=True)


def _per_frame(one: SequenceEvaluation) -> pd.DataFrame:
    events, count = one.events, len(one.scene.frames)

    def number(*kinds: int) -> np.ndarray:
        return np.bincount(events.frame[np.isin(events.kind, kinds)], minlength=count)

    rate = one.ground_truth.frame_rate
    table = pd.DataFrame(
        {
            "sequence": one.name,
            "frame": one.scene.frames,
            "time": (one.scene.frames - 1) / rate if rate else np.nan,
            "num_objects": np.diff(one.scene.g_start),
            "num_predictions": np.diff(one.scene.t_start),
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


def _per_object(one: SequenceEvaluation, rules: str) -> pd.DataFrame:
    scene, objects = one.scene, len(one.scene.g_ids)
    frame = np.repeat(scene.frames, np.diff(scene.g_start))
    tracked = one.partner >= 0
    present = np.bincount(scene.g_id, minlength=objects)
    found = np.bincount(scene.g_id[tracked], minlength=objects)
    order = np.argsort(scene.g_id, kind="stable")
    ends = np.cumsum(present)
    pairs = np.unique(scene.g_id[tracked] * len(scene.t_ids) + scene.t_id[one.partner[tracked]])
    share = found / np.maximum(present, 1)
    if rules == "trackeval":
        fragments = np.maximum(trackeval_rules.ClearMatches(scene).fragments - 1, 0)
        mostly = share > 0.8
    else:
        fragments = _fragments(scene.g_id, tracked, objects)
        mostly = share >= 0.8
    visibility = one.ground_truth.visibility[scene.g_rows]
    return pd.DataFrame(
        {
            "sequence": one.name,
            "gt_id": scene.g_ids,
            "first_frame": frame[order[ends - present]],
            "last_frame": frame[order[ends - 1]],
            "num_frames": present,
            "num_tracked": found,
            "tracked_share": share,
            "state": np.select([mostly, share >= 0.2], ["mostly tracked", "partially tracked"], "mostly lost"),
            "num_switches": np.bincount(scene.g_id[one.switched], minlength=objects),
            "num_fragmentations": fragments,
            "num_ids": np.bincount(pairs // max(1, len(scene.t_ids)), minlength=objects),
            "visibility": np.bincount(scene.g_id, weights=visibility, minlength=objects) / np.maximum(present, 1),
        }
    )
