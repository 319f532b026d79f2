"""One HTML page about a tracker on a sequence, which works without a network or a kernel.

All text that comes from files is escaped; the page loads nothing and runs no script.
"""

from __future__ import annotations

import base64
import dataclasses
import html
import io
import os
import platform
import tempfile
from collections import deque
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pandas as pd

from ._files import refuse_overwrite, write_text
from ._progress import progress_bar
from .association.base import Tracker
from .boxes import BOX
from .data import FrameTracks, same_footage
from .detection.cache import as_detections
from .diagnosis.error_budget import ErrorBudget, error_budget
from .diagnosis.person import person
from .diagnosis.reasons import explain_switches
from .diagnosis.retrace import one_sequence, tracker_of
from .drawing import draw_tracks
from .errors import ConfigError, EvaluationError
from .evaluation.breakdown import BINS
from .evaluation.compare import compare
from .evaluation.names import OVERALL
from .evaluation.tables import to_html
from .plots.errors import error_budget as plot
from .plots.errors import error_map, person_strip
from .video_writer import VideoWriter

if TYPE_CHECKING:
    from .detection.detections import Detections
    from .evaluation.events import SequenceEvaluation
    from .evaluation.result import Evaluation
    from .sources.base import Source

_PACKAGES = ("fairmot-lab", "motmetrics", "numpy", "pandas", "onnxruntime", "paddlepaddle", "av")
_STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:1100px;margin:2rem auto;padding:0 1rem;color:#222}
table,td,th{border:0}table{border-collapse:collapse;font-size:14px;font-variant-numeric:tabular-nums;margin:.5rem 0}
td,th{padding:.2em .6em;border-bottom:1px solid #ddd;text-align:right}td:first-child,th:first-child{text-align:left}
figure{display:inline-block;margin:.5rem 1rem .5rem 0;max-width:520px;vertical-align:top}video,img{max-width:100%}
figcaption{font-size:14px}h2{margin-top:2rem;border-top:1px solid #ddd;padding-top:1rem}"""


def write_report(
    path: str | os.PathLike[str],
    evaluation: Evaluation,
    detections: Detections,
    tracker: Tracker | str | None = None,
    source: Source | None = None,
    *,
    sequence: str | None = None,
    people: int = 5,
    max_bytes: int = 30_000_000,
    draws: int = 1000,
    progress: bool = True,
) -> Path:
    """Write a page with metrics and intervals, the error budget, breakdowns, the worst people and the ID switches.

    Parameters
    ----------
    path
        The `.html` file to make or replace.
    evaluation, detections, tracker, sequence
        As for `error_budget`, of one sequence.
    source
        The frames: gives crops of people and a clip of each ID switch.
    people
        How many people are followed, those with the most errors.
    max_bytes
        Largest size of the page. Clips that do not fit are left out, which the page says.
    draws
        Of the intervals.
    progress
        Whether a progress bar is shown while the clips are made.

    Returns
    -------
    Path

    Raises
    ------
    ConfigError
        If `people` is below 0.
    EvaluationError
        If the detections and the tracker do not give the tracks that were evaluated, or the source is another sequence.
    WriteError
        If the file cannot be written, or is one that is read.

    Examples
    --------
    >>> import fairmot_lab as fl
    >>> scene, folder = fl.example(), getfixture("tmp_path")
    >>> result = fl.evaluate(fl.track(scene.detections, fl.JDETracker()), scene.ground_truth)
    >>> write_report(folder / "report.html", result, scene.detections, fl.JDETracker(), draws=50).name
    'report.html'
    """
    if people < 0:
        raise ConfigError(f"people is {people}; it must be 0 or more.")
    refuse_overwrite(path, evaluation, detections, source)
    detections = as_detections(detections)
    evaluated = one_sequence(evaluation, sequence, detections.name)
    if source is not None and not same_footage(source.name, evaluated.name):
        raise EvaluationError(
            f"The source is {source.name} and {evaluated.name} was evaluated; give the same sequence."
        )
    if len(evaluation.sequences) > 1:
        evaluation = _of_one(evaluation, evaluated)
    tracker = tracker_of(evaluated.tracks, detections, tracker)
    budget = error_budget(evaluation, detections, tracker, sequence=evaluated.name)
    switches = explain_switches(evaluation, detections, tracker, sequence=evaluated.name)
    left_out: list[str] = [] if source is not None else ["crops and clips: no source of frames was given"]
    parts = [
        f"<h1>{html.escape(evaluated.name)}</h1><p>{html.escape(repr(tracker))}</p>",
        _section("Metrics", _metrics(evaluation, draws)),
        _section("Where the errors come from", _budget(budget)),
        _section("Who and what is missed", _breakdowns(evaluation)),
        _section("Where in the image", _maps(budget, source)),
        _section(
            "People with the most errors", _people(evaluation, evaluated.name, detections, tracker, source, people)
        ),
    ]
    room = max_bytes - sum(map(len, parts)) - 200_000
    parts.append(_section("ID switches", _switches(switches, evaluated, source, room, left_out, progress)))
    parts.append(_section("Settings and versions", _versions(tracker, detections, evaluation)))
    listed = "".join(f"<li>{html.escape(text)}</li>" for text in left_out or ["nothing"])
    parts.append(_section("Left out", f"<ul>{listed}</ul>"))
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; media-src data:; '
        "style-src 'unsafe-inline'\">"
        f"<title>{html.escape(evaluated.name)}</title><style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>"
    )
    return write_text(path, page)


def _of_one(evaluation: Evaluation, evaluated: SequenceEvaluation) -> Evaluation:
    """Return the evaluation of one of its sequences: OVERALL is that sequence too."""
    row = evaluation.summary[evaluation.summary["sequence"] == evaluated.name]
    others = tuple(f"{name}:" for name in evaluation.sequences if name != evaluated.name)
    return dataclasses.replace(
        evaluation,
        summary=pd.concat([row, row.assign(sequence=OVERALL)], ignore_index=True),
        sequences={evaluated.name: evaluated},
        notes=[note for note in evaluation.notes if not note.startswith(others)],
    )


def _section(title: str, body: str) -> str:
    return f"<h2>{title}</h2>{body}"


def _metrics(evaluation: Evaluation, draws: int) -> str:
    made = compare({"tracker": evaluation}, draws=draws)
    return to_html(evaluation.summary, evaluation.caption, evaluation.notes) + (
        f"<p>With 95 % intervals:</p>{made.table().to_html(index=False)}<p>{html.escape(made.caption)}</p>"
    )


def _budget(budget: ErrorBudget) -> str:
    listed = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in budget.sentences())
    pictures = "".join(_picture(plot(budget, metric), f"{metric} lost by cause") for metric in ("mota", "idf1"))
    return f"{pictures}{budget._repr_html_()}<ul>{listed}</ul>"


def _breakdowns(evaluation: Evaluation) -> str:
    tables = []
    for name in BINS:
        table = evaluation.by(name)
        if len(table):
            shown = table.drop(columns=["low", "high", "num_detections"]).round(3)
            tables.append(f"<h3>By {html.escape(name)}</h3>{shown.to_html(index=False, na_rep='')}")
    return "".join(tables)


def _maps(budget: ErrorBudget, source: Source | None) -> str:
    ((name, size),) = budget.sizes.items()
    if source is None and not all(size):
        return "<p>The size of the image is not known.</p>"
    image = None if source is None else source.image(1)
    pictures = [
        _picture(error_map(budget, kind, image=image), f"where errors of {name} are, {kind}")
        for kind in ("MISS", "FP", "SWITCH")
        if (budget.errors["kind"] == kind).any()
    ]
    return "".join(pictures) or "<p>There are no errors.</p>"


def _people(
    evaluation: Evaluation, name: str, detections: Detections, tracker: Tracker, source: Source | None, count: int
) -> str:
    table = evaluation.per_object
    table = table[table["sequence"] == name]
    errors = table["num_frames"] - table["num_tracked"] + 10 * table["num_switches"]
    parts = []
    for gt_id in table.loc[errors.sort_values(ascending=False, kind="stable").index, "gt_id"].iloc[:count]:
        life = person(evaluation, int(gt_id), detections, tracker, sequence=name)
        strip = "" if source is None else _picture(person_strip(life, source), f"person {gt_id}", wide=True)
        parts.append(f"<h3>Person {int(gt_id)}</h3><p>{html.escape(life.sentence)}</p>{strip}")
    return "".join(parts)


def _switches(
    switches: pd.DataFrame, evaluated: Any, source: Source | None, room: int, left_out: list[str], progress: bool
) -> str:
    if not len(switches):
        return "<p>There is none.</p>"
    switches = switches.sort_values("frame", kind="stable")
    videos: list[str] = []
    clips = () if source is None else _clips(source, evaluated.tracks, switches)
    for clip in progress_bar(
        clips, total=len(switches), desc="clips", disable=not progress or source is None, leave=False
    ):
        text = base64.b64encode(clip).decode()
        if len(text) > room:
            break
        room -= len(text)
        videos.append(f'<video controls muted loop preload="metadata" src="data:video/mp4;base64,{text}"></video>')
    parts = []
    for number, row in enumerate(switches.itertuples()):
        words = html.escape(
            f"Frame {row.frame}: person {row.gt_id} changes from track {row.from_id} to {row.to_id} ({row.kind}); "
            f"{row.why}."
        )
        if number < len(videos):
            parts.append(f"<figure>{videos[number]}<figcaption>{words}</figcaption></figure>")
        else:
            parts.append(f"<p>{words}</p>")
    if source is not None and len(videos) < len(switches):
        dropped = len(switches) - len(videos)
        left_out.append(f"the clips of {dropped} of {len(switches)} ID switches: the page would be too large")
    return "".join(parts)


def _clips(source: Source, tracks: pd.DataFrame, switches: pd.DataFrame) -> Iterator[bytes]:
    """Give a second before and after each switch as H.264, cut to the surroundings of the person.

    Switches are in the order of their frames, and each frame is read once.
    """
    rate = float(source.frame_rate or 25.0)
    around = round(rate)
    waiting = deque(
        (max(1, row.frame - around), min(source.length or row.frame, row.frame + around), row)
        for row in switches.itertuples()
    )
    frames = tracks["frame"].to_numpy()  # ascending
    ids, boxes = tracks["id"].to_numpy(), tracks[BOX].to_numpy(float)
    begun: deque[tuple[int, Any, VideoWriter]] = deque()
    with tempfile.TemporaryDirectory() as folder:
        try:
            number = 0
            while waiting or begun:
                number = number + 1 if begun else waiting[0][0]
                while waiting and waiting[0][0] <= number:
                    _, last, row = waiting.popleft()
                    writer = VideoWriter(Path(folder) / f"{len(waiting)}.mp4", rate, crf=28)
                    begun.append((last, row, writer))
                image = source.image(number)
                here = slice(*np.searchsorted(frames, [number, number + 1]))
                for _, row, writer in begun:
                    writer.write(_surroundings(image, ids[here], boxes[here], row))
                while begun and begun[0][0] <= number:
                    _, _, writer = begun.popleft()
                    writer.close()
                    yield writer.path.read_bytes()
                    writer.path.unlink()
        finally:
            for _, _, writer in begun:
                writer.stop()


def _surroundings(image: np.ndarray, ids: np.ndarray, boxes: np.ndarray, switch: Any) -> np.ndarray:
    """Return the image around a switched person, at most 480 pixels wide, with the tracks of its frame drawn."""
    height, width = image.shape[:2]
    size = int(min(max(3 * switch.h, 240), height, width))
    left = int(np.clip(switch.x + switch.w / 2 - size / 2, 0, width - size))
    top = int(np.clip(switch.y + switch.h / 2 - size / 2, 0, height - size))
    side = max(2, min(size, 480) // 2 * 2)
    crop = cv2.resize(image[top : top + size, left : left + size], (side, side), interpolation=cv2.INTER_AREA)
    placed = (boxes - [left, top, 0, 0]) * (side / size)
    none = np.full(len(ids), -1)
    return draw_tracks(crop, FrameTracks(0, ids, placed, np.ones(len(ids)), none, none), scores=False)


def _picture(ax: Any, name: str, wide: bool = False) -> str:
    import matplotlib.pyplot as plt

    held = io.BytesIO()
    ax.figure.savefig(held, format="png", dpi=90)
    plt.close(ax.figure)
    text = base64.b64encode(held.getvalue()).decode()
    style = ' style="max-width:100%"' if wide else ""
    return f'<figure{style}><img alt="{html.escape(name)}" src="data:image/png;base64,{text}"></figure>'


def _versions(tracker: Tracker, detections: Detections, evaluation: Evaluation) -> str:
    rows = [("tracker", tracker.name), *tracker.settings.to_dict().items()]
    rows += [("protocol", evaluation.protocol), ("evaluator", evaluation.evaluator), ("detections", repr(detections))]
    rows.append(("Python", platform.python_version()))
    for package in _PACKAGES:
        try:
            rows.append((package, metadata.version(package)))
        except metadata.PackageNotFoundError:
            continue
    cells = "".join(
        f"<tr><td>{html.escape(str(name))}</td><td>{html.escape(str(value))}</td></tr>" for name, value in rows
    )
    return f"<table>{cells}</table>"
