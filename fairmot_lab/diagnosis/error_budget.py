"""Give every miss, false positive and ID switch one cause, and say what each cause costs."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .._terminal import wrapped
from ..association.base import Tracker
from ..association.records import Note
from ..association.run import Trace
from ..boxes import BOX, iou
from ..data import column_of
from ..detection.cache import as_detections
from ..errors import DetectionsError
from ..evaluation.evaluate import compute_metrics
from .oracle import separate_ids
from .reasons import REASONS, SwitchDiagnosis, setting_in
from .retrace import of_other_classes, retrace

if TYPE_CHECKING:
    from ..detection.detections import Detections
    from ..evaluation.events import SequenceEvaluation
    from ..evaluation.result import Evaluation

CAUSES = {
    "MISS": {
        "no detection": "no box is the person's own: none has an IoU of 0.5, and none that is used one of 0.1",
        "hidden by another box": "the only box there fits another person better; a second one may have been suppressed",
        "box too far off": "the person's own box, which the tracker uses, has an IoU of less than 0.5",
        "score too low": "the detector found the person; the tracker does not use a score so low",
        "no track started": "the detection was left over and its score starts no track",
        "waiting for confirmation": "the detection is on a track that is not reported yet",
        "filtered by size or shape": "the track is not reported because of the size or shape of its box",
        "track too far off": "the track took the detection, but its own box has an IoU of less than 0.5",
        "given to another person": "the track that took the detection is matched with another person",
        "dropped as a distractor": "the track's box was dropped, as it fits a distractor better",
    },
    "FP": {
        "duplicate": "the box is on a person who is matched with another track",
        "on what is not scored": "the box is on a distractor, or on something that is ignored",
        "between people": "the box overlaps two people or more, none with an IoU of 0.5",
        "box too far off": "the box overlaps one person, with an IoU of 0.1 to 0.5",
        "track without its person": "the track was on a person before, and is now on nobody",
        "background": "the box is on nobody, and its track never was",
    },
    "SWITCH": REASONS,
}
_OF_THE_DETECTOR = ("no detection", "hidden by another box", "box too far off")
_NEAR, _FAR = 0.5, 0.1  # of a match; of anything to do with a person (as TIDE, Bolya et al., ECCV 2020)
_METRICS = ("mota", "idf1", "hota")
_COLUMNS = [
    "sequence", "frame", "kind", "id", "cause", "number", "measure", "setting", "track", "det", *BOX,
]  # fmt: skip


@dataclass(eq=False)
class ErrorBudget:
    """Every error with its cause; made by `error_budget`.

    Attributes
    ----------
    errors : pandas.DataFrame
        One row per error: sequence, frame, kind ("MISS", "FP", "SWITCH"), id (of the person; of the track for an FP),
        cause (see `CAUSES`), number and measure (what decided, such as 0.31 and "score"), setting (which would have
        changed it; empty where none would), track and det (that have to do with it, the detection as row of its frame;
        -1 for none), x, y, w, h (of the person; of the track for an FP).
    causes : pandas.DataFrame
        One row per kind and cause that occurs: kind, cause, errors, share (of all errors), and the metrics with these
        errors repaired: mota, idf1, hota, and lost_mota, lost_idf1, lost_hota, by which they are higher.
    metrics : dict
        mota, idf1 and hota as they are.
    sizes : dict of str to (int, int)
        Width and height of the image in pixels, by sequence; None where they are not known.
    caption : str
    """

    errors: pd.DataFrame
    causes: pd.DataFrame
    metrics: dict[str, float]
    sizes: dict[str, tuple[int | None, int | None]]
    caption: str

    def sentences(self) -> list[str]:
        """Return one sentence per cause, the most costly in MOTA first."""
        rows = self.causes.sort_values("lost_mota", ascending=False, kind="stable")
        names = {
            "MISS": ("missed box", "missed boxes"),
            "FP": ("false positive", "false positives"),
            "SWITCH": ("ID switch", "ID switches"),
        }
        return [
            f"{row.errors} {names[row.kind][row.errors != 1]}, {row.cause}: {CAUSES[row.kind][row.cause]} "
            f"(MOTA {100 * row.lost_mota:+.1f}, IDF1 {100 * row.lost_idf1:+.1f}, HOTA {100 * row.lost_hota:+.1f} "
            "without them)"
            for row in rows.itertuples()
        ]

    def table(self) -> pd.DataFrame:
        """Return `causes` in percent, to be shown."""
        shown = self.causes[["kind", "cause", "errors", "share", *(f"lost_{name}" for name in _METRICS)]].copy()
        shown.iloc[:, 3:] = (100 * shown.iloc[:, 3:]).round(1) + 0.0  # no -0.0
        return shown

    def __repr__(self) -> str:
        return f"{self.table().to_string(index=False)}\n{wrapped(self.caption)}"

    def _repr_html_(self) -> str:
        return f"{self.table().to_html(index=False)}<p>{html.escape(self.caption)}</p>"


def error_budget(
    evaluation: Evaluation,
    detections: Detections | Mapping[str, Detections],
    tracker: Tracker | str | None = None,
    *,
    sequence: str | None = None,
) -> ErrorBudget:
    """Give every error one cause, and compute what MOTA, IDF1 and HOTA would be without the errors of each cause.

    Parameters
    ----------
    evaluation
        Of tracks that were made from `detections`.
    detections
        Of one sequence, or a dict from the names of the sequences to theirs.
    tracker
        The tracker that made the tracks; by default that which they carry in `attrs`.
    sequence
        Which sequence, where several were evaluated and `detections` are of one.

    Returns
    -------
    ErrorBudget
        Its causes sum to the misses, false positives and ID switches of the evaluation.

    Raises
    ------
    EvaluationError
        If the detections and the tracker do not give the tracks that were evaluated.

    Notes
    -----
    Metrics are computed again from repaired tracks. A repaired miss is the person's box with the id that the person
    carried last, or else carries next (a new one where that is in use). A repaired false positive is gone. After a
    repaired switch the person keeps the id from before; whoever else has that id in the same frames gets a new one.

    Examples
    --------
    >>> import fairmot_lab as fl
    >>> scene = fl.example()
    >>> tracker = fl.JDETracker()
    >>> result = fl.evaluate(fl.track(scene.detections, tracker), scene.ground_truth)
    >>> budget = error_budget(result, scene.detections, tracker)
    >>> len(budget.errors) == result.overall["num_misses"] + result.overall["num_switches"]
    True
    """
    several = detections if isinstance(detections, Mapping) else {sequence: as_detections(detections)}
    if not several:
        raise DetectionsError("No detections are given; give those of at least one sequence.")
    sequences, tables = {}, {}
    for name, kept in several.items():
        evaluated, trace = retrace(evaluation, kept, tracker, name)
        sequences[evaluated.name] = evaluated
        tables[evaluated.name] = CauseFinder(evaluated, trace, evaluation, kept).table()
    errors = pd.concat(tables.values(), ignore_index=True)[_COLUMNS]
    truths = {name: evaluated.ground_truth for name, evaluated in sequences.items()}

    def metrics(tracks: Mapping[str, pd.DataFrame]) -> dict[str, float]:
        found = compute_metrics(tracks, truths, protocol=evaluation.protocol, evaluator=evaluation.evaluator)
        return {name: found[name] for name in _METRICS}

    def of_cause(table: pd.DataFrame, kind: str, cause: str) -> pd.DataFrame:
        return table[(table["kind"] == kind) & (table["cause"] == cause)]

    base = metrics({name: evaluated.tracks for name, evaluated in sequences.items()})
    rows = []
    for kind, meanings in CAUSES.items():
        for cause in meanings:
            count = len(of_cause(errors, kind, cause))
            if count:
                now = metrics(
                    {
                        name: repaired(evaluated, of_cause(tables[name], kind, cause))
                        for name, evaluated in sequences.items()
                    }
                )
                lost = {f"lost_{name}": now[name] - base[name] for name in _METRICS}
                rows.append(
                    {"kind": kind, "cause": cause, "errors": count, "share": count / len(errors), **now, **lost}
                )
    columns = ["kind", "cause", "errors", "share", *_METRICS, *(f"lost_{name}" for name in _METRICS)]
    shown = ", ".join(f"{name.upper()} {100 * base[name]:.1f}" for name in _METRICS)
    caption = (
        f"{len(errors)} errors of {', '.join(sequences)}, protocol {evaluation.protocol}, evaluator "
        f"{evaluation.evaluator}: {shown}. In percent; lost: what repairing the errors of a cause would gain."
    )
    missed = errors.loc[errors["kind"] == "MISS", "cause"]
    if len(missed):
        caption += (
            f" The detector's: {missed.isin(_OF_THE_DETECTOR).sum()} of {len(missed)} missed boxes "
            f"({', '.join(_OF_THE_DETECTOR)}); the others are the tracker's."
        )
    sizes = {name: (truth.width, truth.height) for name, truth in truths.items()}
    return ErrorBudget(errors, pd.DataFrame(rows, columns=columns), base, sizes, caption)


@dataclass(frozen=True)
class _Cause:
    """Why a box is missed or false: what decided, and the track and the detection that have to do with it."""

    cause: str
    number: float
    measure: str = "IoU"
    setting: str = ""
    track: int = -1
    det: int = -1


class CauseFinder:
    """Finds the cause of each error of one sequence.

    Parameters
    ----------
    evaluated
        The evaluated sequence.
    trace
        The trace of the tracker that made its tracks.
    evaluation
        Of this sequence, and perhaps of others.
    detections
        What was tracked: whether the detector suppresses overlapping boxes is in their description.
    """

    def __init__(
        self, evaluated: SequenceEvaluation, trace: Trace, evaluation: Evaluation, detections: Detections
    ) -> None:
        self.evaluated, self.trace = evaluated, trace
        self.detector: Mapping[str, Any] = getattr(getattr(detections, "info", None), "detector", {})
        self.truth = evaluated.ground_truth
        self.gt_ids = self.truth.table["id"].to_numpy()
        scored = evaluated.scored
        self.is_scored = np.zeros(len(self.gt_ids), bool)
        self.is_scored[scored.g_rows] = True
        self.track_frame = evaluated.tracks["frame"].to_numpy()
        self.track_ids = evaluated.tracks["id"].to_numpy()
        self.track_boxes = evaluated.tracks[BOX].to_numpy(float)
        self.track_scores = column_of(evaluated.tracks, "score", np.nan)
        # which truth row each track row is matched with; -1: none, -2: dropped before anything was counted
        self.partner = np.full(len(evaluated.tracks), -2)
        self.partner[scored.t_rows] = -1
        matched = evaluated.is_matched
        self.partner[scored.t_rows[evaluated.partner[matched]]] = scored.g_rows[matched]
        self.carried: set[int] = set()  # tracks that were on a person so far
        self._overlap: tuple[int, np.ndarray] = (0, np.empty((0, 0)))  # of the frame that `miss` was last asked about
        self.switches = evaluation.switches_of(evaluated.name)

    def table(self) -> pd.DataFrame:
        """Return the errors of all frames."""
        rows = [row for frame in self.evaluated.scored.frames.tolist() for row in self.of_frame(frame)]
        diagnosis = SwitchDiagnosis(self.evaluated, self.trace)
        for switch in self.switches.itertuples():
            reason = diagnosis.reason(switch)
            cause = _Cause(reason["why_kind"], *_number_of(reason), reason["setting"], switch.from_id)
            rows.append(_error(switch.frame, "SWITCH", switch.gt_id, cause, [getattr(switch, side) for side in BOX]))
        table = pd.DataFrame(rows, columns=_COLUMNS[1:])
        table.insert(0, "sequence", self.evaluated.name)
        return table.sort_values(["frame", "kind", "id"], kind="stable", ignore_index=True)

    def of_frame(self, frame: int) -> Iterator[dict[str, Any]]:
        """Give the misses and false positives of a frame; frames come in ascending order."""
        rows, tracks = _rows_in(self.truth.frame, frame), _rows_in(self.track_frame, frame)
        partner = self.partner[tracks]
        for row in np.setdiff1d(rows[self.is_scored[rows]], partner).tolist():
            yield self.miss(frame, row)
        wrong = tracks[partner == -1]
        overlap = iou(self.track_boxes[wrong], self.truth.box[rows])
        for near, row in zip(overlap, wrong.tolist(), strict=True):
            cause = self._false_positive(frame, near, rows, row)
            yield _error(frame, "FP", self.track_ids[row], cause, self.track_boxes[row])
        self.carried.update(self.track_ids[tracks[partner >= 0]].tolist())

    def miss(self, frame: int, row: int) -> dict[str, Any]:
        """Return the error that the person of a ground-truth row is missed."""
        return _error(frame, "MISS", self.gt_ids[row], self._miss(frame, row), self.truth.box[row])

    def _miss(self, frame: int, row: int) -> _Cause:
        record = self.trace.get(frame)
        if record is None or not len(record.detections):
            return _Cause("no detection", 0.0)
        people = _rows_in(self.truth.frame, frame)
        people = people[self.truth.is_person[people] | self.is_scored[people]]
        if self._overlap[0] != frame:
            overlap = iou(self.truth.box[people], record.detections.boxes)
            overlap[:, of_other_classes(self.evaluated, record.detections)] = 0
            self._overlap = frame, overlap
        _, overlap = self._overlap
        own = int(np.flatnonzero(people == row)[0])
        near = overlap[own]
        mine = overlap.argmax(axis=0) == own
        fits = mine & (near >= _NEAR)
        used = np.isin(np.arange(len(near)), record.used())
        if not fits.any():
            # a box of a low score that lies badly as well is no sign of the person: noise lies everywhere
            own_box = mine & used & (near >= _FAR)
            if own_box.any():
                best = int(np.argmax(np.where(own_box, near, -1)))
                return _Cause("box too far off", near[best], det=best)
            best = int(np.argmax(near))
            if near[best] >= _NEAR:
                setting = "" if self.detector.get("nms_iou") is None else "nms_iou"  # without it nothing is suppressed
                return _Cause("hidden by another box", near[best], setting=setting, det=best)
            return _Cause("no detection", near[best])
        scores = record.detections.scores
        if not (fits & used).any():
            best = int(np.argmax(np.where(fits, scores, -np.inf)))
            setting = self._setting_in(record.about(detection=best))
            return _Cause("score too low", scores[best], "score", setting, det=best)
        best = int(np.argmax(np.where(fits & used, near, -1)))
        owner = record.owner(best)
        if owner is None:
            setting = self._setting_in(record.about(detection=best, kinds=("unborn",)))
            return _Cause("no track started", scores[best], "score", setting, det=best)
        tracks = _rows_in(self.track_frame, frame)
        reported = tracks[self.track_ids[tracks] == owner]
        if not len(reported):
            setting = self._setting_in(record.about(track=owner, kinds=("filtered",)))
            if setting in ("min_box_area", "vertical_ratio", "min_detection_height"):
                area = np.prod(record.detections.boxes[best, 2:])
                return _Cause("filtered by size or shape", area, "area", setting, owner, best)
            return _Cause("waiting for confirmation", scores[best], "score", setting, owner, best)
        fit = iou(self.truth.box[[row]], self.track_boxes[reported[:1]])[0, 0]
        partner = self.partner[reported[0]]
        cause = "dropped as a distractor" if partner == -2 else "track too far off"
        return _Cause("given to another person" if partner >= 0 else cause, fit, track=owner, det=best)

    def _false_positive(self, frame: int, near: np.ndarray, rows: np.ndarray, track_row: int) -> _Cause:
        """Return why no person is matched with a result that overlaps the ground truth of its frame by `near`."""
        track = int(self.track_ids[track_row])
        scored = self.is_scored[rows]
        on_people = np.where(scored, near, 0.0)
        best = float(on_people.max(initial=0.0))
        if best >= _NEAR:
            return _Cause("duplicate", best, setting="nms_iou" if "nms_iou" in self.detector else "", track=track)
        ignored = float(np.where(scored, 0.0, near).max(initial=0.0))
        if ignored >= _NEAR:
            return _Cause("on what is not scored", ignored, track=track)
        if int((on_people >= _FAR).sum()) > 1:
            return _Cause("between people", best, track=track)
        if best >= _FAR:
            return _Cause("box too far off", best, track=track)
        record = self.trace.get(frame)
        setting = "" if record is None else self._setting_of(record.min_score)
        cause = "track without its person" if track in self.carried else "background"
        return _Cause(cause, self.track_scores[track_row], "score", setting, track)

    def _setting_in(self, notes: Iterable[Note]) -> str:
        return setting_in(" ".join(note.text for note in notes), self.trace.tracker)

    def _setting_of(self, score: float) -> str:
        """Return the setting that holds the lowest score used; empty where none does."""
        for name, held in self.trace.tracker.settings.to_dict().items():
            if isinstance(held, float) and np.isclose(held, score, rtol=1e-6, atol=0):
                return name
        return ""


def _rows_in(frames: np.ndarray, frame: int) -> np.ndarray:
    """Return the rows of one frame; `frames` ascend."""
    return np.arange(*np.searchsorted(frames, [frame, frame + 1]))


def _error(frame: int, kind: str, owner: int, cause: _Cause, box: Iterable[float]) -> dict[str, Any]:
    return {
        "frame": frame, "kind": kind, "id": int(owner), **dataclasses.asdict(cause), "number": float(cause.number),
        **dict(zip(BOX, map(float, box), strict=True)),
    }  # fmt: skip


def _number_of(reason: Mapping[str, Any]) -> tuple[float, str]:
    """Return the number that decided a switch, and what it is."""
    order = {
        "lost too long": (("lost_for", "frames lost"),),
        "outside the motion gate": (("gate", "squared Mahalanobis distance"),),
        "IoU too low": (("iou", "IoU"),),
        "not detected": (("best_score", "score"), ("undetected", "frames not detected")),
    }
    general = (("cost", "cost"), ("iou", "IoU"), ("undetected", "frames not detected"))
    for key, measure in (*order.get(reason["why_kind"], ()), *general):
        if np.isfinite(reason[key]) and (key != "undetected" or reason[key] > 0):
            return float(reason[key]), measure
    return float("nan"), ""


# -- repair


def repaired(evaluated: SequenceEvaluation, errors: pd.DataFrame) -> pd.DataFrame:
    """Return the tracks of a sequence without some of its errors; see `error_budget`.

    Parameters
    ----------
    evaluated
        The evaluated sequence.
    errors
        Rows of `ErrorBudget.errors` of this sequence.

    Examples
    --------
    >>> scene = fl.example()
    >>> tracker = fl.JDETracker()
    >>> result = fl.evaluate(fl.track(scene.detections, tracker), scene.ground_truth)
    >>> errors = error_budget(result, scene.detections, tracker).errors
    >>> fl.evaluate(repaired(result.sequences["crossing"], errors), scene.ground_truth).overall["mota"]
    1.0
    """
    kinds = errors["kind"]
    misses, false = errors[kinds == "MISS"], errors[kinds == "FP"]
    tracks = evaluated.tracks[["frame", "id", *BOX]].copy()
    gone = pd.MultiIndex.from_frame(false[["frame", "id"]])
    stays = ~pd.MultiIndex.from_frame(tracks[["frame", "id"]]).isin(gone)
    tracks["id"] = _without_switches(evaluated, errors[kinds == "SWITCH"])
    found = _found(evaluated, misses, tracks)
    tracks = pd.concat([tracks[stays], found], ignore_index=True)
    tracks = tracks.sort_values(["frame", "id"], kind="stable", ignore_index=True)
    tracks.attrs = dict(evaluated.tracks.attrs)
    return tracks


def _found(evaluated: SequenceEvaluation, misses: pd.DataFrame, tracks: pd.DataFrame) -> pd.DataFrame:
    """Return rows for people who were missed, with the ids that they carry before, or else after."""
    scored = evaluated.scored
    matched = np.flatnonzero(evaluated.is_matched)
    rows_of = pd.Series(scored.t_rows[evaluated.partner[matched]]).groupby(scored.g_ids[scored.g_id[matched]]).agg(list)
    frames, ids = tracks["frame"].to_numpy(), tracks["id"].to_numpy()
    unused = int(ids.max(initial=0)) + 1
    own = {person: unused + index for index, person in enumerate(misses["id"].unique().tolist())}
    held = set(zip(frames.tolist(), ids.tolist(), strict=True))
    chosen = []
    for person, frame in zip(misses["id"].tolist(), misses["frame"].tolist(), strict=True):
        wanted = own[person]
        if person in rows_of:
            rows = rows_of[person]
            before = int(np.searchsorted(frames[rows], frame)) - 1
            wanted = int(ids[rows[max(before, 0)]])
        if (frame, wanted) in held:
            wanted = own[person]
        held.add((frame, wanted))
        chosen.append(wanted)
    return misses[["frame", *BOX]].assign(id=np.array(chosen, np.int64))


def _without_switches(evaluated: SequenceEvaluation, switches: pd.DataFrame) -> np.ndarray:
    """Return the ids of all rows of the tracks, with people keeping their id over the given switches.

    A person's matches between two switches are a stretch. Stretches on both sides of a repaired switch are joined; a
    joined stretch keeps the id of its first part, and other stretches with this id in the same frames get a new one.
    """
    ids = evaluated.tracks["id"].to_numpy().copy()
    if not len(switches):
        return ids
    scored = evaluated.scored
    frame_g = scored.g_frame
    repair = set(zip(switches["id"].tolist(), switches["frame"].tolist(), strict=True))
    rows = np.flatnonzero(evaluated.is_matched)
    rows = rows[np.lexsort((frame_g[rows], scored.g_id[rows]))]
    stretches: list[list[int]] = []
    joined: list[bool] = []
    last = -1
    for row in rows.tolist():
        person = int(scored.g_id[row])
        mended = evaluated.switched[row] and (int(scored.g_ids[person]), int(frame_g[row])) in repair
        if person != last or (evaluated.switched[row] and not mended):
            stretches.append([])
            joined.append(False)
        joined[-1] |= bool(mended)
        stretches[-1].append(int(scored.t_rows[evaluated.partner[row]]))
        last = person
    in_stretch = {row for stretch in stretches for row in stretch}
    parts = [stretch for stretch, is_joined in zip(stretches, joined, strict=True) if is_joined]
    parts += [stretch for stretch, is_joined in zip(stretches, joined, strict=True) if not is_joined]
    parts += [[row] for row in range(len(ids)) if row not in in_stretch]
    frames = evaluated.tracks["frame"].to_numpy()
    wanted = [(frames[part].tolist(), int(ids[part[0]])) for part in parts]
    for part, given in zip(parts, separate_ids(wanted, int(ids.max()) + 1), strict=True):
        ids[part] = given
    return ids
