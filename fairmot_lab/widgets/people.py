"""Follow one person: the list of people, and the life of each under a tracker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from traitlets import Dict, Int, List, Unicode

from ..boxes import BOX, iou
from ..drawing import PALETTE
from .base import View, escape, html_table
from .packing import matches_of
from .parts import as_sentence, counted

if TYPE_CHECKING:
    from ..evaluation.result import SequenceEvaluation

PICTURES = 13  # of a life
_OVERLAP = 0.5  # least IoU of a detection with the person whose it is


class PeopleView(View):
    """A list of people, and the life of the one who is selected.

    Attributes
    ----------
    kind : str
        "person" (of the ground truth) or "track".
    rows : list of dict
        `id`, `first`, `last`, `frames`, `share` (of the frames in which the person is tracked; None for tracks),
        `breaks` (ID switches of a person, gaps of a track), `note`.
    selected : int or None
        The one who is shown.
    frame : int
        The frame on show.
    life : dict
        What `describe_life` returns; `strip` the pictures of its places (JPEG bytes).
    decisions : dict
        `id`, `columns`, `rows` of the frames around the one on show.
    lives : dict
        Lives by id, for a page that cannot ask.
    """

    module = "people.js"
    shared: ClassVar[Mapping[str, str]] = {"frame": "frame", "selected": "person", "focus": "focus", "range": "range"}
    kind = Unicode("person").tag(sync=True)
    rows: List = List().tag(sync=True)
    selected = Int(None, allow_none=True).tag(sync=True)
    frame = Int(1).tag(sync=True)
    life = Dict().tag(sync=True)
    strip: List = List().tag(sync=True)
    decisions: Dict = Dict({"id": None, "columns": [], "rows": []}).tag(sync=True)
    lives = Dict().tag(sync=True)
    focus = Unicode("fade").tag(sync=True)
    range: List = List().tag(sync=True)
    palette = List(Unicode(), list(PALETTE)).tag(sync=True)

    def saved_html(self) -> str:
        """Return the list, and what is known of the one who is selected."""
        rows = [[row["id"], row["first"], row["last"], row["frames"], row["breaks"]] for row in self.rows]
        table = html_table([self.kind, "first frame", "last frame", "frames", "breaks"], rows, limit=30)
        text = " ".join(one["text"] for one in self.life.get("sentences", []))
        return f"<p>{escape(self.life.get('title', ''))}</p><p>{escape(text)}</p>{table}"


class WorkbarView(View):
    """The head of the workbench: trackers with their metrics.

    Attributes
    ----------
    title : str
        Name of the sequence.
    chips : list of dict
        `name` and `metrics` (text) of each tracker.
    difference : str
        How the compared tracker differs from the one on show; `intervals` the same in sentences, with intervals.
    """

    module = "workbar.js"
    shared: ClassVar[Mapping[str, str]] = {
        "tracker": "tracker",
        "compared": "compared",
        "compare_mode": "compare_mode",
    }
    title = Unicode("").tag(sync=True)
    chips: List = List().tag(sync=True)
    difference = Unicode("").tag(sync=True)
    intervals = Unicode("").tag(sync=True)
    tracker = Int(0).tag(sync=True)
    compared = Int(-1).tag(sync=True)
    compare_mode = Unicode("off").tag(sync=True)

    def saved_html(self) -> str:
        """Return the trackers and their metrics."""
        return html_table(["tracker", "metrics"], [[chip["name"], chip["metrics"]] for chip in self.chips])


@dataclass(frozen=True)
class Life:
    """The life of a person or a track.

    Attributes
    ----------
    id : int
    boxes : DataFrame
        frame, x, y, w, h; by frame.
    ids : Series
        The track that has the person, by frame; frames in which nobody has are missing.
    overlap : Series
        IoU of track and person, by frame.
    """

    id: int
    boxes: pd.DataFrame
    ids: pd.Series
    overlap: pd.Series

    @property
    def first(self) -> int:
        """The first frame."""
        return int(self.boxes["frame"].iloc[0])

    @property
    def last(self) -> int:
        """The last frame."""
        return int(self.boxes["frame"].iloc[-1])

    def track(self, frame: int) -> int | None:
        """Return the track that has the person in a frame; None where nobody has."""
        return int(self.ids[frame]) if frame in self.ids.index else None

    def segments(self) -> list[list[int | None]]:
        """Return [first, last, track] for each run of frames with one track; track None where nobody has the person."""
        runs: list[list[int | None]] = []
        for frame in range(self.first, self.last + 1):
            track = self.track(frame)
            if runs and runs[-1][2] == track:
                runs[-1][1] = frame
            else:
                runs.append([frame, frame, track])
        return runs

    def before(self, frame: int) -> int | None:
        """Return the track that had the person last before a frame."""
        earlier = self.ids[self.ids.index < frame]
        return int(earlier.iloc[-1]) if len(earlier) else None

    def places(self, size: tuple[int, int]) -> pd.DataFrame:
        """Return at most `PICTURES` boxes, evenly spread, whose middle lies in a frame of (width, height)."""
        x, y = self.boxes["x"] + self.boxes["w"] / 2, self.boxes["y"] + self.boxes["h"] / 2
        inside = self.boxes[(x >= 0) & (y >= 0) & (x < size[0]) & (y < size[1])]
        inside = inside if len(inside) else self.boxes
        rows = np.unique(np.linspace(0, len(inside) - 1, min(PICTURES, len(inside))).round().astype(int))
        return inside.iloc[rows]


def person_life(one: SequenceEvaluation, person: int) -> Life:
    """Return the life of a person of the ground truth under the tracker that was evaluated."""
    truth = one.ground_truth.table
    boxes = truth[truth["id"] == person].sort_values("frame", kind="stable")
    matches = matches_of(one.events)
    mine = matches[matches["OId"] == person].set_index("FrameId")
    return Life(int(person), boxes[["frame", *BOX]], mine["HId"], 1 - mine["D"])


def track_life(tracks: pd.DataFrame, track: int) -> Life:
    """Return the life of a track."""
    boxes = tracks[tracks["id"] == track].sort_values("frame", kind="stable")
    frames = boxes["frame"].to_numpy()
    return Life(int(track), boxes[["frame", *BOX]], pd.Series(track, index=frames), pd.Series(1.0, index=frames))


def people_rows(per_object: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of `PeopleView` for the people of one sequence, those with most ID switches first.

    Parameters
    ----------
    per_object
        `Evaluation.per_object` of that sequence.
    """
    rows = [
        {
            "id": int(one["gt_id"]),
            "first": int(one["first_frame"]),
            "last": int(one["last_frame"]),
            "frames": int(one["num_frames"]),
            "share": float(one["tracked_share"]),
            "breaks": int(one["num_switches"]),
            "note": f"{counted(int(one['num_ids']), 'track')}, {one['state']}",
        }
        for one in per_object.to_dict("records")
    ]
    return sorted(rows, key=lambda row: (-row["breaks"], row["id"]))


def track_rows(tracks: pd.DataFrame, width: int, height: int, length: int) -> list[dict[str, Any]]:
    """Return the rows of `PeopleView` for tracks without ground truth, the longest first."""
    rows = []
    for track, part in tracks.groupby("id"):
        frames = np.sort(part["frame"].to_numpy())
        last = part.loc[part["frame"].idxmax()]
        edge = 0.02 * width
        inside = last["x"] > edge and last["x"] + last["w"] < width - edge and last["y"] + last["h"] < height - 1
        rows.append(
            {
                "id": int(track),
                "first": int(frames[0]),
                "last": int(frames[-1]),
                "frames": len(frames),
                "share": None,
                "breaks": int((np.diff(frames) > 1).sum()),
                "note": "ends in mid-image" if inside and frames[-1] < length else "",
            }
        )
    return sorted(rows, key=lambda row: (-row["frames"], row["id"]))


def describe_life(
    life: Life, kind: str, switches: pd.DataFrame, size: tuple[int, int], events: pd.DataFrame | None = None
) -> dict[str, Any]:
    """Return what `PeopleView.life` shows.

    Parameters
    ----------
    life
        The life.
    kind
        "person" or "track".
    switches
        The ID switches of this person, with `why` where it is known.
    size
        Width and height of the frames in pixels.
    events
        `PersonLife.events`, where it is known; without it only the ID switches are told.
    """
    if events is None:
        sentences = [{"frame": int(row["frame"]), "text": _switch_words(row)} for _, row in switches.iterrows()]
    else:
        sentences = [{"frame": int(row.frame), "text": as_sentence(row.text)} for row in events.itertuples()]
    segments = life.segments()
    breaks = [int(frame) for frame in switches["frame"]] if len(switches) else []
    missed = life.last - life.first + 1 - len(life.ids)
    words = [f"{kind.capitalize()} {life.id}", counted(len(life.boxes), "frame")]
    words.append(counted(len(breaks), "ID switch", "ID switches") if kind == "person" else counted(missed, "gap frame"))
    if kind == "person":
        tracked = len(life.ids) / max(1, len(life.boxes))
        words.append(f"tracked {100 * tracked:.1f} %")
    return {
        "id": life.id,
        "title": " · ".join(words),
        "first": life.first,
        "last": life.last,
        "segments": segments,
        "breaks": breaks,
        "places": [{"frame": int(frame), "id": life.track(frame)} for frame in life.places(size)["frame"]],
        "sentences": sentences,
    }


def _switch_words(switch: pd.Series) -> str:
    """A switch in a sentence, with its reason where it is known."""
    ids = [switch.get("from_id"), switch.get("to_id")]
    before, after = ("nobody" if pd.isna(i) else f"track {int(i)}" for i in ids)
    kind, why = switch.get("kind"), switch.get("why")
    in_brackets = f" ({kind})" if isinstance(kind, str) else ""
    said = f"Frame {int(switch['frame'])}: {before} gave way to {after}{in_brackets}."
    return f"{said} {as_sentence(why)}" if isinstance(why, str) and why else said


def decisions(
    life: Life,
    frames: Sequence[int],
    scores: pd.DataFrame,
    records: Any = None,
    causes: Mapping[int, str] | None = None,
) -> dict[str, Any]:
    """Return what was decided about a person in some frames: detected, at which cost, and taken by whom.

    Parameters
    ----------
    life
        The life.
    frames
        The frames.
    scores
        The tracks table: frame, id, score.
    records
        The tracker's trace, where the detections are at hand.
    causes
        Why the person is missed, by frame, where it is known.
    """
    own = life.boxes.set_index("frame")
    rows = []
    for frame in frames:
        if frame not in own.index:
            continue
        taken = life.track(frame)
        row: dict[str, Any] = {"frame": int(frame), "score": None, **_words(life, frame, taken)}
        if taken is not None and "score" in scores:
            found = scores[(scores["frame"] == frame) & (scores["id"] == taken)]["score"]
            row["score"] = float(found.iloc[0]) if len(found) else None
        if records is not None:
            row |= _from_record(records[frame], own.loc[[frame], BOX].to_numpy(float), life.before(frame), taken)
        elif frame in life.overlap.index:
            row["IoU"] = float(life.overlap[frame])
        if taken is None and causes and causes.get(frame):
            row["taken"] = causes[frame]
        rows.append(row)
    return {
        "id": life.id,
        "columns": ["score", "cost", "gate"] if records is not None else ["score", "IoU"],
        "rows": rows,
    }


def _words(life: Life, frame: int, taken: int | None) -> dict[str, str]:
    before = life.before(frame)
    if taken is None:
        return {"taken": "nobody", "mood": "bad"}
    if before is None or taken == before:
        return {"taken": f"track {taken}", "mood": ""}
    known = taken in set(life.ids[life.ids.index < frame])
    return {"taken": f"track {taken} again" if known else f"track {taken} now", "mood": "warn" if known else "bad"}


def _taken_by(record: Any, track: int) -> int | None:
    """The detection that a track took or began with."""
    rows = np.flatnonzero(record.tracks.ids == track)
    return int(record.tracks.detections[rows[0]]) if len(rows) else None


def _from_record(record: Any, box: np.ndarray, before: int | None, taken: int | None) -> dict[str, Any]:
    """Score, cost and gate of the person's detection, for the track that had the person before."""
    detections = record.detections
    best = None if taken is None else _taken_by(record, taken)
    if best is None and len(detections.boxes):
        overlap = iou(box, np.asarray(detections.boxes, float))[0]
        best = int(overlap.argmax()) if overlap.max() >= _OVERLAP else None
    if best is None:
        return {"taken": "not detected", "mood": "bad"} if taken is None else {}
    found: dict[str, Any] = {"score": float(detections.scores[best])}
    wanted = before if before is not None else taken
    for stage in record.stages:
        row, column = stage.row(wanted), stage.column(best)
        if row is None or column is None:
            continue
        cost = float(stage.cost[row, column])
        found["cost"] = cost if np.isfinite(cost) else None
        if stage.mahalanobis is not None:
            found["gate"] = float(stage.mahalanobis[row, column])
    if taken is None:
        found["taken"] = "detected, not tracked"
    return found


def track_measures(tracks: pd.DataFrame, width: int, height: int, length: int) -> dict[str, float]:
    """Return what can be counted without ground truth.

    Returns
    -------
    dict
        `num_tracks`; `median_length` of a track in frames; `num_gaps`, how often a track is missing and comes back;
        `num_ends`, tracks that end before the last frame and away from the edges of the image.
    """
    rows = track_rows(tracks, width, height, length)
    return {
        "num_tracks": float(len(rows)),
        "median_length": float(np.median([row["frames"] for row in rows])) if rows else float("nan"),
        "num_gaps": float(sum(row["breaks"] for row in rows)),
        "num_ends": float(sum(bool(row["note"]) for row in rows)),
    }
