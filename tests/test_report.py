"""The report: one page that works offline, holds every switch, and escapes what comes from files."""

from __future__ import annotations

import re

import pytest

import fairmot_lab as fl
from fairmot_lab.cli.main import main
from fairmot_lab.errors import EvaluationError
from fairmot_lab.formats.mot import write_mot
from fairmot_lab.report import write_report

HOSTILE = "x<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def scene():
    return fl.example()


@pytest.fixture(scope="module")
def with_switches(scene):
    """Detections of one person are gone for a while, so that a short buffer loses the track."""
    frames = [scene.detections.frame(number) for number in range(1, 41)]
    for frame in frames[8:16]:
        frame.boxes, frame.scores, frame.embeddings = frame.boxes[:0], frame.scores[:0], frame.embeddings[:0]
        frame.class_ids, frame.peaks = frame.class_ids[:0], None
    return fl.Detections.from_frames(frames, name="crossing", frame_rate=10, width=320, height=160)


def test_a_page_with_clips(scene, with_switches, tmp_path):
    tracker = fl.JDETracker(track_buffer=3)
    result = fl.evaluate(fl.track(with_switches, tracker), scene.ground_truth)
    assert len(result.switches) == 2
    path = write_report(tmp_path / "report.html", result, with_switches, tracker, scene.source, draws=50)
    page = path.read_text()
    assert page.count("<video") == 2
    assert page.count("<img") == 2 + 2 + 2  # the budget, where misses and switches are, two people
    assert "no detection" in page
    assert "By height" in page
    assert "track_buffer" in page
    assert not re.search(r"https?://(?!www\.w3\.org)", page)
    assert "<script" not in page
    small = write_report(
        tmp_path / "small.html", result, with_switches, tracker, scene.source, draws=50, max_bytes=250_000
    )
    text = small.read_text()
    assert "<video" not in text
    assert "the clips of 2 of 2 ID switches: the page would be too large" in text


def test_names_are_escaped(scene, tmp_path):
    detections = fl.Detections.from_frames(list(scene.detections), name=HOSTILE, frame_rate=10, width=320, height=160)
    truth = scene.ground_truth.copy()
    truth.attrs = {**truth.attrs, "sequence": HOSTILE}
    result = fl.evaluate({HOSTILE: fl.track(detections)}, {HOSTILE: truth})
    page = write_report(tmp_path / "report.html", result, detections, draws=20).read_text()
    assert "<img src=x" not in page
    assert "x&lt;img src=x onerror=alert(1)&gt;" in page
    with pytest.raises(EvaluationError, match="give the same sequence"):
        write_report(tmp_path / "other.html", result, detections, None, scene.source)


def test_from_the_command_line(scene, tmp_path, capsys):
    run = tmp_path / "run"
    run.mkdir()
    fl.detect(scene.source, "fairmot_lite", run, progress=False)
    tracks = fl.track(fl.open_detections(run))
    write_mot(tracks, run / "crossing.txt")
    truth = tmp_path / "crossing" / "gt"
    truth.mkdir(parents=True)
    (truth / "gt.txt").write_text(
        "".join(f"{r.frame},{r.id},{r.x},{r.y},{r.w},{r.h},1,1,1\n" for r in scene.ground_truth.itertuples())
    )
    assert main(["report", str(run), "--gt", str(truth / "gt.txt"), "--output", str(tmp_path / "page.html")]) == 0
    assert capsys.readouterr().out.strip().endswith("page.html")
    assert "crossing" in (tmp_path / "page.html").read_text()
    assert main(["report", str(run / "crossing.txt"), "--gt", str(truth), "--output", str(tmp_path / "p.html")]) == 2
    assert "crossing.txt is not a folder; give the one that" in capsys.readouterr().err
    assert main(["report", str(tmp_path / "none"), "--gt", str(truth), "--output", str(tmp_path / "p.html")]) == 2


def test_of_several_sequences_the_page_is_of_one(scene, tmp_path):
    other = scene.ground_truth.assign(id=scene.ground_truth["id"] + 10)
    other.attrs = {**scene.ground_truth.attrs, "sequence": "other"}
    tracks = fl.track(scene.detections, fl.JDETracker())
    alone = fl.evaluate(tracks, scene.ground_truth)
    name = next(iter(alone.sequences))
    both = fl.evaluate({name: tracks, "other": other}, {name: scene.ground_truth, "other": other})
    pages = [
        write_report(tmp_path / f"{n}.html", one, scene.detections, fl.JDETracker(), draws=50, progress=False)
        for n, one in enumerate((alone, both))
    ]
    parts = [re.search(r"<h2>Metrics</h2>.*?<h2>Where in the image", page.read_text(), re.S)[0] for page in pages]
    assert [re.sub(r'src="[^"]*"', "", part) for part in parts[:1]] == [re.sub(r'src="[^"]*"', "", parts[1])]
