"""How good tracks are: py-motmetrics and TrackEval's rules, from one set of matches that equals theirs.

`evaluate` gives an `Evaluation` with tables; `quick_figures` gives the numbers alone, for sliders and sweeps.
What the protocols and rules mean is in docs/evaluation-protocols.md.
"""

from __future__ import annotations

import functools
import html
import io
import itertools
import os
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from . import matching, trackeval_rules
from .errors import EvaluationError, FairMOTLabWarning
from .evaluation_inputs import find_inputs
from .files import atomic_write
from .matching import ASCEND, FP, MATCH, MIGRATE, MISS, SWITCH, TRANSFER
from .protocols import PROTOCOLS, RULES, GroundTruth, Overlaps, Scene, prepare

__all__ = ["Evaluation", "compare_protocols", "evaluate", "half_split", "prepare", "quick_figures"]

OVERALL = "OVERALL"
_THRESHOLD = 0.5

# Every figure of py-motmetrics that is one number, in the order of the summary.
MOTMETRICS = (
    "mota", "motp", "idf1", "idp", "idr", "recall", "precision", "num_switches", "num_fragmentations", "mostly_tracked",
    "partially_tracked", "mostly_lost", "num_false_positives", "num_misses", "num_matches", "num_detections",
    "num_transfer", "num_ascend", "num_migrate", "num_objects", "num_predictions", "num_unique_objects", "num_frames",
    "idtp", "idfp", "idfn",
)  # fmt: skip
_HOTA = ("hota", "deta", "assa")
_RATIOS = ("mota", "idf1", "idp", "idr", "recall", "precision")
_SHOWN = (
    "sequence", "hota", "deta", "assa", "mota", "idf1", "idp", "idr", "recall", "precision", "motp", "num_switches",
    "num_fragmentations", "mostly_tracked", "partially_tracked", "mostly_lost", "num_false_positives", "num_misses",
    "num_frames",
)  # fmt: skip
_SHORT = {
    "hota": "HOTA", "deta": "DetA", "assa": "AssA", "mota": "MOTA", "motp": "MOTP", "idf1": "IDF1", "idp": "IDP",
    "idr": "IDR", "recall": "Rcll", "precision": "Prcn", "num_switches": "IDs", "num_fragmentations": "FM",
    "mostly_tracked": "MT", "partially_tracked": "PT", "mostly_lost": "ML", "num_false_positives": "FP",
    "num_misses": "FN", "num_frames": "frames", "num_dropped": "dropped",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Events:
    """The events of one sequence: index of the frame, number in the frame, type, id codes (-1: none), distance."""

    frame: np.ndarray
    number: np.ndarray
    kind: np.ndarray
    o: np.ndarray
    h: np.ndarray
    distance: np.ndarray


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


def evaluate(
    tracks: Any,
    ground_truth: Any,
    *,
    protocol: str | None = None,
    rules: str = "motmetrics",
    sequences: Iterable[str] | None = None,
    frames: tuple[int, int] | None = None,
    metrics: Iterable[str] | None = None,
) -> Evaluation:
    """Compare tracks with ground truth.

    Parameters
    ----------
    tracks
        A tracks table, a result file, a folder of SEQUENCE.txt, or a dict from name to table or file.
    ground_truth
        A ground-truth table, a gt.txt, a sequence folder, a folder of sequence folders, a source, what `prepare`
        returns, or a dict from name to any of these.
    protocol
        "motchallenge", "raw" or "paddle": what is scored. By default "motchallenge" where the ground truth has classes,
        else "raw".
    rules
        "motmetrics" (py-motmetrics 1.4.0, to the last bit) or "trackeval": how matches are continued and counted.
    sequences
        Names to evaluate; by default all that have ground truth and results.
    frames
        (first, last), both included, counted from 1: evaluate this part only. Numbers stay those of the sequence.
    metrics
        Of the figures of motmetrics, those wanted; by default all. ("hota", "deta" and "assa" may be among them.)

    Returns
    -------
    Evaluation

    Raises
    ------
    EvaluationError
        If results and ground truth do not belong together, or an option does not exist.
    MotFileError
        If a file or table breaks the rules of `read_mot`.

    Warns
    -----
    FairMOTLabWarning
        For sequences without results, without ground truth, or without a match, and for anything that needs a caveat.
    """
    _check_options(protocol, rules, frames)
    wanted = _wanted_metrics(metrics, rules)
    loaded, notes = _load(tracks, ground_truth, sequences, frames, exact=_reads_exactly(protocol, rules))
    protocol = protocol or _default_protocol(truth for truth, _ in loaded.values())
    return _evaluate(loaded, protocol, rules, frames, wanted, notes)


def quick_figures(
    tracks: Any,
    ground_truth: Any,
    *,
    protocol: str | None = None,
    hota: bool = True,
    frames: tuple[int, int] | None = None,
) -> dict[str, float]:
    """The OVERALL row of `evaluate(..., rules="motmetrics")`, from counts alone: for sliders and sweeps.

    Parameters
    ----------
    tracks, ground_truth, protocol, frames
        As for `evaluate`. Give ground truth through `prepare` where many results meet the same.
    hota
        Whether to compute hota, deta and assa.

    Returns
    -------
    dict
        mota, motp, idf1, ... under the names of motmetrics, equal to the summary's.
    """
    _check_options(protocol, "motmetrics", frames)
    exact = _reads_exactly(protocol, "motmetrics")
    loaded, _ = _load(tracks, ground_truth, None, frames, exact=exact, quiet=True)
    protocol = protocol or _default_protocol(truth for truth, _ in loaded.values())
    totals: dict[str, float] = {}
    parts = []
    for truth, table in loaded.values():
        overlaps = Overlaps(truth, table)
        scene = overlaps.scene(protocol, "motmetrics")
        for name, value in _count(scene, _motmetrics_events(scene)).items():
            totals[name] = totals.get(name, 0) + value
        if hota:
            parts.append(trackeval_rules.hota(_hota_scene(overlaps, scene, protocol)))
    figures = _ratios(totals)
    if hota:
        figures |= _hota_means(trackeval_rules.combine_hota(parts))
    return figures


def compare_protocols(
    tracks: Any,
    ground_truth: Any,
    *,
    sequences: Iterable[str] | None = None,
    frames: tuple[int, int] | None = None,
) -> pd.DataFrame:
    """The same results under every protocol and both sets of rules, side by side.

    Parameters
    ----------
    tracks, ground_truth, sequences, frames
        As for `evaluate`.

    Returns
    -------
    pandas.DataFrame
        One row for each sequence, protocol and set of rules, OVERALL last: sequence, protocol, rules, the main figures,
        num_sequences, num_frames and num_dropped (results dropped as distractors). motp is a distance (1 - IoU) under
        motmetrics and an IoU under TrackEval. "paddle" is left out where the ground truth has no classes.
    """
    _check_options(None, "motmetrics", frames)
    names = [sequences] if isinstance(sequences, str) else None if sequences is None else list(sequences)
    tables: list[pd.DataFrame] = []
    loaded: dict[bool, tuple[Loaded, list[str]]] = {}
    for rules, protocol in itertools.product(RULES, PROTOCOLS):
        exact = _reads_exactly(protocol, rules)
        if exact not in loaded:
            loaded[exact] = _load(tracks, ground_truth, names, frames, exact=exact, quiet=bool(tables))
        has_classes = all(truth.has_classes for truth, _ in loaded[exact][0].values())
        if protocol == "paddle" and (rules == "trackeval" or not has_classes):
            continue
        with warnings.catch_warnings():
            if tables:
                warnings.simplefilter("ignore", FairMOTLabWarning)
            result = _evaluate(loaded[exact][0], protocol, rules, frames, (*_HOTA, *MOTMETRICS), loaded[exact][1])
        tables.append(result.summary)
    table = pd.concat(tables, ignore_index=True)
    columns = [name for name in _SHOWN if name not in ("sequence", "num_frames")]
    table = table[["sequence", "protocol", "rules", *columns, "num_sequences", "num_frames", "num_dropped"]]
    order = {name: index for index, name in enumerate(table["sequence"].unique())}
    order[OVERALL] = len(order)
    return table.sort_values("sequence", key=lambda names: names.map(order), kind="stable", ignore_index=True)


def half_split(length: int) -> dict[str, tuple[int, int]]:
    """The halves that papers on MOT17 train and validate on, as `frames` for `evaluate`.

    The split of CenterTrack's convert_mot_to_coco.py, which ByteTrack shares: with N frames, "train" is frames 1 to
    N // 2 + 1 and "val" is frames N // 2 + 2 to N. Its val_half files count frames from 1 again: add `first - 1` to the
    frames of results in that numbering.

    Parameters
    ----------
    length
        Frames in the sequence.
    """
    if length < 3:
        raise EvaluationError(f"a sequence of {length} frames has no two halves; at least 3 frames are needed.")
    return {"train": (1, length // 2 + 1), "val": (length // 2 + 2, length)}


# ------------------------------------------------------------------------------------------------------- the result


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
        """One row per ID switch: what happened. See `fairmot_lab.switches.switch_table`."""
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


# --------------------------------------------------------------------------------------------------------- the work


def _check_options(protocol: str | None, rules: str, frames: tuple[int, int] | None) -> None:
    if protocol is not None and protocol not in PROTOCOLS:
        raise EvaluationError(f"protocol={protocol!r} does not exist; choose {', '.join(PROTOCOLS)}.")
    if rules not in RULES:
        raise EvaluationError(f"rules={rules!r} do not exist; choose {' or '.join(RULES)}.")
    if protocol == "paddle" and rules == "trackeval":
        raise EvaluationError(
            "protocol='paddle' is what PaddleDetection does, with motmetrics; use rules='motmetrics'."
        )
    if frames is not None and (len(frames) != 2 or not 1 <= frames[0] <= frames[1]):
        raise EvaluationError(f"frames={frames!r} must be (first, last) with 1 <= first <= last, both included.")


def _reads_exactly(protocol: str | None, rules: str) -> bool:
    """TrackEval and PaddleDetection read numbers as Python does; motmetrics' reader rounds long ones otherwise."""
    return rules == "trackeval" or protocol == "paddle"


def _wanted_metrics(metrics: Iterable[str] | None, rules: str) -> tuple[str, ...]:
    if metrics is None:
        return (*_HOTA, *MOTMETRICS)
    wanted = (metrics,) if isinstance(metrics, str) else tuple(metrics)
    unknown = [name for name in wanted if name not in (*_HOTA, *MOTMETRICS)]
    if unknown:
        raise EvaluationError(f"there is no metric {unknown[0]!r}; choose among {', '.join((*_HOTA, *MOTMETRICS))}.")
    if rules == "trackeval":
        raise EvaluationError("rules='trackeval' computes all its figures at once; leave out metrics.")
    return wanted


def _default_protocol(truths: Iterable[GroundTruth]) -> str:
    return "motchallenge" if any(truth.has_classes for truth in truths) else "raw"


Loaded = dict[str, tuple[GroundTruth, pd.DataFrame]]


def _load(
    tracks: Any,
    ground_truth: Any,
    sequences: Iterable[str] | None,
    frames: tuple[int, int] | None,
    *,
    exact: bool,
    quiet: bool = False,
) -> tuple[Loaded, list[str]]:
    inputs = find_inputs(tracks, ground_truth, sequences)
    notes = []
    if inputs.without_results:
        notes.append(f"no results for {', '.join(inputs.without_results)}: not evaluated.")
    loaded: Loaded = {}
    for name, (load_truth, load_tracks) in inputs.pairs.items():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", FairMOTLabWarning)
            truth = load_truth(name=name, exact=exact)
            table = load_tracks(truth=truth, exact=exact)
        notes += [str(one.message) for one in caught]
        if frames is not None:
            truth, table = _part(truth, table, frames, notes)
        loaded[name] = (truth, table)
    copies: dict[str, list[str]] = {}
    for name in loaded:
        copies.setdefault(name.rpartition("-")[0], []).append(name)
    repeated = [names for base, names in copies.items() if base.startswith("MOT17-") and len(names) > 1]
    if repeated:
        notes.append(
            f"{', '.join(names[0].rpartition('-')[0] for names in repeated)}: the same frames with several public "
            "detectors; each result is evaluated once, as given, and counts in OVERALL."
        )
    if not quiet:
        for note in notes:
            warnings.warn(note, FairMOTLabWarning, stacklevel=3)
    return loaded, notes


def _part(
    truth: GroundTruth, tracks: pd.DataFrame, frames: tuple[int, int], notes: list[str]
) -> tuple[GroundTruth, pd.DataFrame]:
    first, last = frames
    if truth.length is not None and first > truth.length:
        raise EvaluationError(f"frames={frames}: {truth.name} has {truth.length} frames; choose a part inside it.")
    table = truth.table[(truth.frame >= first) & (truth.frame <= last)].reset_index(drop=True)
    table.attrs = {"length": truth.length, "frame_rate": truth.frame_rate, "width": truth.width, "height": truth.height}
    inside = tracks["frame"].between(first, last)
    if len(tracks) and not inside.any():
        notes.append(
            f"{truth.name}: no result lies in frames {first} to {last}; if the results count from 1 inside this part, "
            f"add {first - 1} to their frames."
        )
    return prepare(table, truth.name), tracks[inside].reset_index(drop=True)


def _evaluate(
    loaded: Loaded,
    protocol: str,
    rules: str,
    frames: tuple[int, int] | None,
    wanted: Sequence[str],
    notes: list[str],
) -> Evaluation:
    sequences = {}
    for name, (truth, table) in loaded.items():
        sequences[name] = _evaluate_sequence(name, truth, table, protocol, rules, frames, wanted)
    told = [note for one in sequences.values() for note in _caveats(one)]
    for note in told:
        warnings.warn(note, FairMOTLabWarning, stacklevel=3)
    parts = {name: one.figures for name, one in sequences.items()}
    detailed = curves = None
    if rules == "trackeval":
        everything = parts | {OVERALL: trackeval_rules.combine(list(parts.values()))}
        rows = {name: trackeval_rules.summary_row(fields) for name, fields in everything.items()}
        detailed, curves = trackeval_rules.detailed(everything), trackeval_rules.curves(everything)
    else:
        rows = _motmetrics_rows(parts, wanted)
    lengths = {name: one.frames if rules == "trackeval" else len(one.scene.frames) for name, one in sequences.items()}
    dropped = {name: one.scene.dropped for name, one in sequences.items()}
    lengths[OVERALL], dropped[OVERALL] = sum(lengths.values()), sum(dropped.values())
    table = pd.DataFrame(
        [
            {"sequence": name}
            | {key: value for key, value in row.items() if key != "num_frames"}
            | {"num_sequences": len(parts) if name == OVERALL else 1, "num_frames": lengths[name]}
            | {"num_dropped": dropped[name], "protocol": protocol, "rules": rules}
            for name, row in rows.items()
        ]
    )
    return Evaluation(table, protocol, rules, sequences, [*notes, *told], detailed, curves)


def _evaluate_sequence(
    name: str,
    truth: GroundTruth,
    tracks: pd.DataFrame,
    protocol: str,
    rules: str,
    frames: tuple[int, int] | None,
    wanted: Sequence[str],
) -> SequenceEvaluation:
    overlaps = Overlaps(truth, tracks)
    scene = overlaps.scene(protocol, rules)
    last = truth.length or int(max([*truth.frame[-1:], *overlaps.frame[-1:]], default=0))
    count = last if frames is None else min(frames[1], last) - frames[0] + 1
    if rules == "trackeval":
        matches = trackeval_rules.ClearMatches(scene)
        figures = trackeval_rules.hota(scene) | trackeval_rules.clear(scene, matches, count)
        figures |= trackeval_rules.identity(scene) | trackeval_rules.counts(scene)
        partner, switched = matches.partner, matches.switched
        events = _trackeval_events(scene, matches)
    else:
        events = _motmetrics_events(scene)
        partner, switched = _partners(scene, events)
        named = [key for key in wanted if key in MOTMETRICS]
        figures = _motmetrics_figures(_event_table(scene, events), named) if named else {}
        if any(key in _HOTA for key in wanted):
            figures["hota_fields"] = trackeval_rules.hota(_hota_scene(overlaps, scene, protocol))
    return SequenceEvaluation(name, truth, overlaps.tracks, scene, events, partner, switched, count, figures)


def match_tracks(
    tracks: pd.DataFrame, ground_truth: GroundTruth, protocol: str, rules: str = "motmetrics"
) -> SequenceEvaluation:
    """The matches of one sequence without any figures: for what only needs to know who carried which id."""
    return _evaluate_sequence(ground_truth.name, ground_truth, tracks, protocol, rules, None, ())


def _caveats(one: SequenceEvaluation) -> list[str]:
    scene = one.scene
    if not len(scene.g_id):
        return [
            f"{one.name} has no ground truth that counts: its ratios are set to 0, and its {len(scene.t_id)} results "
            "count as false positives in OVERALL."
        ]
    if not len(scene.t_id):
        return [f"{one.name} has no results: all its {len(scene.g_id)} ground-truth boxes are missed."]
    if not (one.partner >= 0).any():
        return [f"{one.name}: not one result matches the ground truth; are both in the same frames and pixels?"]
    return []


def _hota_scene(overlaps: Overlaps, scene: Scene, protocol: str) -> Scene:
    """HOTA is TrackEval's: it is computed on what TrackEval scores under the same protocol."""
    return scene if protocol == "paddle" else overlaps.scene(protocol, "trackeval")


def _hota_means(fields: dict[str, Any]) -> dict[str, float]:
    return {
        "hota": float(fields["HOTA"].mean()),
        "deta": float(fields["DetA"].mean()),
        "assa": float(fields["AssA"].mean()),
    }


# ------------------------------------------------------------------------------------------------- motmetrics' rules


def _motmetrics_events(scene: Scene) -> Events:
    """The events that MOTAccumulator would write, frame by frame."""
    near = scene.pair_distance <= _THRESHOLD
    before = np.concatenate([[0], np.cumsum(near)])
    pair_start = before[scene.pair_start]
    g, t, distance = scene.pair_g[near], scene.pair_t[near], scene.pair_distance[near]
    rows_g, rows_t, objects, hypotheses = len(scene.g_id), len(scene.t_id), len(scene.g_ids), len(scene.t_ids)
    capacity = len(scene.frames) + len(g) + 2 * (rows_g + rows_t) + 3 * min(rows_g, rows_t)
    cursor = np.zeros(3, np.int64)
    state = (
        np.full(objects, -1, np.int64),
        np.full(hypotheses, -1, np.int64),
        np.zeros(hypotheses, bool),
        np.zeros(objects, bool),
        np.full(hypotheses, -1, np.int64),
        np.zeros(rows_g, bool),
        np.zeros(rows_t, bool),
    )
    g_matched, t_matched = state[-2:]
    out = (
        np.empty(capacity, np.int64),
        np.empty(capacity, np.int64),
        np.empty(capacity, np.int8),
        np.empty(capacity, np.int64),
        np.empty(capacity, np.int64),
        np.empty(capacity),
    )
    starts = (scene.g_start, scene.t_start, scene.g_id, scene.t_id, pair_start)
    solved = (np.empty(0, np.int64), np.empty(0, np.int64))
    while not matching.continue_matches(cursor, *starts, g, t, distance, *state, *solved, *out):
        solved = _solve_as_motmetrics(scene, int(cursor[0]), pair_start, g, t, distance, g_matched, t_matched)
    return Events(*(array[: cursor[1]] for array in out))


def _solve_as_motmetrics(
    scene: Scene,
    frame: int,
    pair_start: np.ndarray,
    g: np.ndarray,
    t: np.ndarray,
    distance: np.ndarray,
    g_matched: np.ndarray,
    t_matched: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Assign the unmatched boxes of a frame with motmetrics' own solver, on the very matrix it would see."""
    from motmetrics.lap import linear_sum_assignment

    g0, t0 = scene.g_start[frame], scene.t_start[frame]
    matrix = np.full((scene.g_start[frame + 1] - g0, scene.t_start[frame + 1] - t0), np.nan)
    here = slice(pair_start[frame], pair_start[frame + 1])
    free = ~g_matched[g[here]] & ~t_matched[t[here]]
    matrix[g[here][free] - g0, t[here][free] - t0] = distance[here][free]
    rows, columns = linear_sum_assignment(matrix)
    return g0 + rows.astype(np.int64), t0 + columns.astype(np.int64)


def _event_table(scene: Scene, events: Events) -> pd.DataFrame:
    numbers = np.arange(int(events.number.max()) + 1 if len(events.number) else 0)
    levels: list[Any] = [scene.frames, numbers]
    codes: list[Any] = [events.frame, events.number]
    index = pd.MultiIndex(levels=levels, codes=codes, names=["FrameId", "Event"], verify_integrity=False)
    o_ids, h_ids = np.append(scene.g_ids.astype(float), np.nan), np.append(scene.t_ids.astype(float), np.nan)
    types: Any = matching.EVENT_TYPES
    columns = {
        "Type": pd.Categorical.from_codes(events.kind, categories=types),
        "OId": o_ids[events.o],
        "HId": h_ids[events.h],
        "D": events.distance,
    }
    return pd.DataFrame(columns, index=index)


def _partners(scene: Scene, events: Events) -> tuple[np.ndarray, np.ndarray]:
    """The scored result row matched with each scored ground-truth row (-1: none), and whether it is a switch."""
    rows = (events.kind == MATCH) | (events.kind == SWITCH)
    frame, o, h = events.frame[rows], events.o[rows], events.h[rows]
    g = _find_rows(scene.g_start, scene.g_id, len(scene.g_ids), frame, o)
    t = _find_rows(scene.t_start, scene.t_id, len(scene.t_ids), frame, h)
    partner = np.full(len(scene.g_id), -1, np.int64)
    switched = np.zeros(len(scene.g_id), bool)
    partner[g] = t
    switched[g] = events.kind[rows] == SWITCH
    return partner, switched


def _find_rows(start: np.ndarray, code: np.ndarray, codes: int, frame: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    keys = np.repeat(np.arange(len(start) - 1), np.diff(start)) * codes + code
    order = np.argsort(keys, kind="stable")
    return order[np.searchsorted(keys[order], frame * codes + wanted)]


def _motmetrics_figures(events: pd.DataFrame, wanted: Sequence[str]) -> dict[str, Any]:
    """What mm.metrics computes from the events, with what it needs to compute OVERALL."""
    import motmetrics as mm

    host = mm.metrics.create()
    needed = [name for name in (*wanted, "num_detections") if name != "num_fragmentations"]
    figures = host.compute(events, metrics=needed, return_dataframe=False, return_cached=True)
    if "num_fragmentations" in wanted:
        # The function looks through all events once for every object: it is given those that can matter.
        few = _that_can_fragment(events)
        figures |= host.compute(few, metrics=["num_fragmentations"], return_dataframe=False)
    return figures


def _that_can_fragment(events: pd.DataFrame) -> pd.DataFrame:
    """The first event of each run of matches or misses, for objects that may be matched again after a miss."""
    kind = events["Type"].cat.codes.to_numpy()
    rows = np.flatnonzero((kind == MISS) | (kind == MATCH) | (kind == SWITCH))
    objects, _ = pd.factorize(events["OId"].to_numpy()[rows])
    order = np.argsort(objects, kind="stable")
    owner, missed = objects[order], kind[rows[order]] == MISS
    begins = np.ones(len(order), bool)
    begins[1:] = (owner[1:] != owner[:-1]) | (missed[1:] != missed[:-1])
    runs = np.bincount(owner[begins], minlength=1)
    many = begins & (runs[owner] >= 3)
    return events.iloc[np.sort(rows[order[many]])]


def _motmetrics_rows(parts: dict[str, dict[str, Any]], wanted: Sequence[str]) -> dict[str, dict[str, Any]]:
    import motmetrics as mm

    rows = {name: {key: figures[key] for key in wanted if key in figures} for name, figures in parts.items()}
    partials = [figures | {"motp": _finite("motp", figures.get("motp", 0.0))} for figures in parts.values()]
    metrics = [key for key in wanted if key in MOTMETRICS]
    rows[OVERALL] = dict(mm.metrics.create().compute_overall(partials, metrics=metrics, return_dataframe=False))
    fields = {name: figures["hota_fields"] for name, figures in parts.items() if "hota_fields" in figures}
    if fields:
        fields[OVERALL] = trackeval_rules.combine_hota(list(fields.values()))
        for name, values in fields.items():
            rows[name] |= {key: value for key, value in _hota_means(values).items() if key in wanted}
    return {name: {key: _finite(key, row[key]) for key in wanted} for name, row in rows.items()}


def _finite(name: str, value: Any) -> Any:
    """Counts as int; a ratio without a denominator as 0, and motp, a distance, as 1."""
    if name in (*_RATIOS, *_HOTA, "motp"):
        return float(value) if np.isfinite(value) else float(name == "motp")
    return int(value)


def _count(scene: Scene, events: Events) -> dict[str, float]:
    """Everything that the figures of motmetrics are made of, as sums."""
    kinds = np.bincount(events.kind, minlength=len(matching.EVENT_TYPES))
    partner, _ = _partners(scene, events)
    tracked = partner >= 0
    present = np.bincount(scene.g_id, minlength=len(scene.g_ids))
    share = np.bincount(scene.g_id[tracked], minlength=len(scene.g_ids)) / np.maximum(present, 1)
    near = scene.pair_distance <= _THRESHOLD
    idtp = trackeval_rules.best_identity(scene.g_id[scene.pair_g[near]], scene.t_id[scene.pair_t[near]], scene)
    matched = (events.kind == MATCH) | (events.kind == SWITCH)
    return {
        "num_frames": len(scene.frames),
        "num_objects": len(scene.g_id),
        "num_predictions": len(scene.t_id),
        "num_unique_objects": len(scene.g_ids),
        "num_matches": int(kinds[MATCH]),
        "num_switches": int(kinds[SWITCH]),
        "num_misses": int(kinds[MISS]),
        "num_false_positives": int(kinds[FP]),
        "num_transfer": int(kinds[TRANSFER]),
        "num_ascend": int(kinds[ASCEND]),
        "num_migrate": int(kinds[MIGRATE]),
        "num_detections": int(kinds[MATCH] + kinds[SWITCH]),
        "num_fragmentations": int(_fragments(scene.g_id, tracked, len(scene.g_ids)).sum()),
        "mostly_tracked": int((share >= 0.8).sum()),
        "partially_tracked": int(((share >= 0.2) & (share < 0.8)).sum()),
        "mostly_lost": int((share < 0.2).sum()),
        "idtp": idtp,
        "idfp": len(scene.t_id) - idtp,
        "idfn": len(scene.g_id) - idtp,
        "distance": float(events.distance[matched].sum()),
    }


def _fragments(code: np.ndarray, tracked: np.ndarray, objects: int) -> np.ndarray:
    """For each object, how often it was lost and matched again (rows are ordered by frame)."""
    order = np.argsort(code, kind="stable")
    owner, good = code[order], tracked[order]
    begins = np.zeros(len(order), bool)
    begins[1:] = good[1:] & ~good[:-1] & (owner[1:] == owner[:-1])
    first = np.zeros(len(order), bool)
    position = np.flatnonzero(good)
    first[position[np.unique(owner[position], return_index=True)[1]]] = True
    return np.bincount(owner[begins & ~first], minlength=objects)


def _ratios(totals: dict[str, float]) -> dict[str, float]:
    def divide(a: float, b: float, default: float = 0.0) -> float:
        return a / b if b else default

    errors = totals["num_misses"] + totals["num_switches"] + totals["num_false_positives"]
    objects, found = totals["num_objects"], totals["num_detections"]
    figures = {
        "mota": 1 - errors / objects if objects else 0.0,
        "motp": divide(totals["distance"], found, 1.0),
        "idf1": divide(2 * totals["idtp"], objects + totals["num_predictions"]),
        "idp": divide(totals["idtp"], totals["idtp"] + totals["idfp"]),
        "idr": divide(totals["idtp"], totals["idtp"] + totals["idfn"]),
        "recall": divide(found, objects),
        "precision": divide(found, found + totals["num_false_positives"]),
    }
    return figures | {name: value for name, value in totals.items() if name != "distance"}


# -------------------------------------------------------------------------------------------------- TrackEval's rules


def _trackeval_events(scene: Scene, matches: trackeval_rules.ClearMatches) -> Events:
    """TrackEval's matches in the form of motmetrics' events, without ASCEND, TRANSFER and MIGRATE."""
    near = scene.pair_iou >= _THRESHOLD - matching.EPSILON
    frame_g = np.repeat(np.arange(len(scene.frames)), np.diff(scene.g_start))
    frame_t = np.repeat(np.arange(len(scene.frames)), np.diff(scene.t_start))
    pair_g, pair_t, pair_iou = scene.pair_g[near], scene.pair_t[near], scene.pair_iou[near]
    lonely_g, lonely_t = np.ones(len(frame_g), bool), np.ones(len(frame_t), bool)
    lonely_g[pair_g], lonely_t[pair_t] = False, False
    found = np.flatnonzero(matches.partner >= 0)
    partner = matches.partner[found]
    false = np.ones(len(frame_t), bool)
    false[partner] = False
    missed = np.flatnonzero(matches.partner < 0)
    nothing = np.nan

    def block(stage, frame, kind, o, h, distance):
        count = len(frame)
        return [np.broadcast_to(value, count) for value in (frame, stage, kind, o, h, distance)]

    kinds = np.where(matches.switched[found], SWITCH, MATCH)
    blocks = [
        block(0, np.arange(len(scene.frames)), matching.RAW, -1, -1, nothing),
        block(1, frame_g[pair_g], matching.RAW, scene.g_id[pair_g], scene.t_id[pair_t], 1 - pair_iou),
        block(2, frame_g[lonely_g], matching.RAW, scene.g_id[lonely_g], -1, nothing),
        block(3, frame_t[lonely_t], matching.RAW, -1, scene.t_id[lonely_t], nothing),
        block(4, frame_g[found], kinds, scene.g_id[found], scene.t_id[partner], 1 - matches.iou[found]),
        block(5, frame_g[missed], MISS, scene.g_id[missed], -1, nothing),
        block(6, frame_t[false], FP, -1, scene.t_id[false], nothing),
    ]
    frame, stage, kind, o, h, distance = (np.concatenate(column) for column in zip(*blocks, strict=True))
    order = np.argsort(frame * 7 + stage, kind="stable")
    frame = frame[order]
    number = np.arange(len(frame)) - np.searchsorted(frame, frame)
    return Events(frame, number, kind[order].astype(np.int8), o[order], h[order], distance[order])


# ------------------------------------------------------------------------------------------------------- more tables


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
