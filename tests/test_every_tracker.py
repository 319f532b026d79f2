"""Whatever takes a tracker takes any: of each in the registry, track, trace, sweep, reasons, what-if, command line."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_switches import detections_of, evaluate, people, walk

import fairmot_lab as fl
from fairmot_lab.association import registry
from fairmot_lab.association.assignment import pair
from fairmot_lab.association.settings import number
from fairmot_lab.cli.main import build_parser, main
from fairmot_lab.cli.switches import tracker_of_record
from fairmot_lab.cli.track import _named_tracker
from fairmot_lab.diagnosis.reasons import REASONS
from fairmot_lab.errors import ConfigError, DetectionsError, EvaluationError, FairMOTLabWarning, SourceError

# one person who is hidden for longer than any tracker waits, and one who is always there
ROWS = [*walk(range(1, 21), 100), *walk(range(121, 141), 100), *walk(range(1, 141), 600, look=1)]
TRUTH = people((1, range(1, 141), 100, 400), (2, range(1, 141), 600, 400))


@pytest.fixture(params=fl.trackers())
def tracker(request):
    return fl.get_tracker(request.param)


def test_a_switch_is_explained_from_the_trackers_own_record(tracker):
    detections = detections_of(ROWS)
    whole = fl.trace(detections, tracker)
    pd.testing.assert_frame_equal(fl.association.track_detections(detections, tracker), whole.tracks)
    assert whole.tracks.attrs["tracker"] == tracker.name
    result = evaluate(whole.tracks, TRUTH)
    assert len(result.switches) == result.overall["num_switches"] == 1
    table = fl.explain_switches(result, detections)  # the tracker is that which the tracks name
    assert set(table["why_kind"]) <= set(REASONS)
    assert table["why_kind"].tolist() == ["lost too long"]
    row = table.iloc[0]
    # DeepSORT reports a track once more where it is predicted, so that the person is matched a frame longer
    assert row["lost_for"] > row["buffer"] - (tracker.name == "deepsort")
    assert row["buffer"] == whole[140].max_time_lost
    assert "not detected for" in row["why"]
    tried = fl.what_if(result, detections, progress=False)
    assert len(tried.changes) > 2
    assert tried.changes["added"].ge(0).all()
    buffers = [name for name, value in tracker.settings.to_dict().items() if value == tracker.max_time_lost]
    longer = tried.changes[tried.changes["setting"].isin(buffers)]
    assert len(longer), "the buffer is among the settings tried"


def test_a_sweep_takes_its_settings(tracker):
    name, setting = next((n, s) for n, s in tracker.Settings.settings().items() if s.kind == "float")
    values = sorted({*setting.neighbours(setting.default)[-2:], setting.default})
    table = fl.sweep(detections_of(ROWS), tracker, {name: values}, ground_truth=TRUTH, progress=False)
    assert table[name].tolist() == values
    expected = fl.association.track_detections(detections_of(ROWS), tracker.replace(**{name: values[0]}))
    assert table["idf1"].iloc[0] == pytest.approx(evaluate(expected, TRUTH).overall["idf1"])
    drawn = fl.random_search([name], 5, tracker=tracker)
    assert all(setting.search[0] <= one[name] <= setting.search[1] for one in drawn)


def test_the_command_line_has_its_settings_as_options(tracker, tmp_path: Path):
    settings = tracker.Settings.settings()
    name, setting = next((n, s) for n, s in settings.items() if s.kind in ("float", "int"))
    value = setting.search[0]
    given = ["track", "clip.mp4", "--tracker", tracker.name, f"--{name.replace('_', '-')}", str(value)]
    options = build_parser(given).parse_args(given)
    assert getattr(options, name) == pytest.approx(value)
    assert type(options.chosen_tracker) is type(tracker)
    assert set(settings) <= set(vars(options))
    path = tmp_path / "tracker.json"
    path.write_text(tracker.to_json(), encoding="utf-8")
    assert _named_tracker(["track", "clip.mp4", "--config", str(path)]).to_dict() == tracker.to_dict()


def test_the_command_line_refuses_what_contradicts_itself(tmp_path: Path, capsys):
    path = tmp_path / "tracker.json"
    path.write_text(json.dumps({"tracker": "sort", "max_age": 4}), encoding="utf-8")
    for arguments, word in (
        (["track", "x.mp4", "--tracker", "nobody"], "no tracker 'nobody'"),
        (["track", "x.mp4", "--tracker", "jde", "--config", str(path)], "describes sort"),
        (["track", "x.mp4", "--tracker", "sort", "--max-age", "-1"], "max_age is -1"),
        (["sweep", "x", "--tracker", "jde", "--config", str(path)], "describes sort"),
    ):
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert word in error
        assert error.count("\n") == 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class NearestSettings(fl.association.TrackerSettings):
    """Settings of a tracker that is not in the registry."""

    reach: float = number(30.0, 0, 1000, (5, 100), "how far a track looks for a detection, in pixels")


class NearestTracker(fl.Tracker):
    """The nearest left edge within reach; the smallest tracker there can be."""

    Settings = NearestSettings

    def _reset(self):
        self._places, self._last_id = {}, 0

    def _step(self, detections, warp):
        ids, left = list(self._places), detections.boxes[:, 0].astype(float)
        rows = np.arange(len(left))
        cost = np.abs(np.array([self._places[track] for track in ids]).reshape(-1, 1) - left)
        pairs = pair(cost, self.settings.reach, np.array(ids, np.int64), rows)
        self._record_stage("only stage", np.array(ids, int), rows, cost, self.settings.reach, "reach", pairs.matched)
        taken = dict(zip(pairs.tracks.tolist(), pairs.rows.tolist(), strict=True))
        for track in pairs.tracks_left.tolist() if self._record is not None else ():
            self._record.note("ended", f"track {track} ends: nothing is within reach.", track=track)
        for row in pairs.rows_left.tolist():
            self._last_id += 1
            taken[self._last_id] = row
            if self._record is not None:
                self._record.note("birth", f"track {self._last_id} is born.", track=self._last_id, detection=row)
        self._places = {track: float(left[row]) for track, row in taken.items()}
        rows = np.array(list(taken.values()), np.int64)
        ids = np.array(list(taken), np.int64)
        parts = (detections.boxes[rows], detections.scores[rows], detections.class_ids[rows])
        return fl.FrameTracks(detections.frame, ids, *parts, rows)


def test_a_tracker_of_ones_own_need_not_be_registered():
    detections, tracker = detections_of(ROWS), NearestTracker(reach=20)
    assert repr(tracker) == "NearestTracker(reach=20.0)"
    result = evaluate(fl.track(detections, tracker), TRUTH)
    table = fl.explain_switches(result, detections, tracker)
    assert table["why_kind"].tolist() == ["ended"]
    assert "nothing is within reach" in table["why"].iloc[0]
    assert fl.explain_switches(result, detections)["why"].equals(table["why"])  # found by module and class
    swept = fl.sweep(detections, tracker, {"reach": [5, 600]}, ground_truth=TRUTH, progress=False)
    assert swept["reach"].tolist() == [5, 600]
    assert swept["num_switches"].tolist() == [1, 1]
    tried = fl.what_if(result, detections, tracker, progress=False)
    assert {"reach=10", "reach=50"} <= set(tried.changes["change"])
    lab = fl.widgets.ThresholdLab(detections=detections, ground_truth=TRUTH, tracker=tracker)
    assert "reach" in lab.controls
    lab.close()


def test_a_tracker_of_ones_own_by_module_and_class(monkeypatch):
    name = f"{__name__}:NearestTracker"
    tracker = fl.get_tracker(name, reach=7)
    assert isinstance(tracker, NearestTracker)
    assert tracker.name == name
    assert fl.association.load_tracker(tracker.to_json()).settings == tracker.settings
    assert fl.get_tracker(f"per_class:{name}").tracker.name == name
    given = ["track", "x.mp4", "--tracker", name, "--reach", "9"]
    assert build_parser(given).parse_args(given).reach == 9
    tracks = fl.track(detections_of(ROWS), name)
    assert tracks.attrs["tracker"] == name
    for wrong, message in (
        ("no_such_module:Nearest", "no_such_module:Nearest cannot be loaded .*PYTHONPATH"),
        (f"{__name__}:Nearest", "cannot be loaded"),
        (f"{__name__}:NearestSettings", "is not a tracker; name a class that derives from"),
    ):
        with pytest.raises(ConfigError, match=message):
            fl.get_tracker(wrong)
    monkeypatch.setattr(NearestTracker, "name", "nearest")
    with pytest.raises(ConfigError, match="calls itself 'nearest', by which it is not found"):
        fl.get_tracker(name)


def test_a_tracker_of_another_package(monkeypatch):
    """Packages name theirs as entry points; those of this package keep their names."""
    points = [
        importlib.metadata.EntryPoint(name, f"{__name__}:NearestTracker", registry.ENTRY_POINTS)
        for name in ("nearest", "jde")
    ]
    points.append(importlib.metadata.EntryPoint("broken", "no_such_module:Tracker", registry.ENTRY_POINTS))
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points)
    registry._places.cache_clear()
    try:
        with pytest.warns(FairMOTLabWarning, match="The tracker broken cannot be loaded"):
            assert list(fl.trackers())[-1] == "nearest"
        assert fl.get_tracker("nearest", reach=7).settings.reach == 7
        assert isinstance(fl.get_tracker("jde"), fl.JDETracker)
        with pytest.raises(ConfigError, match=r"There are jde, .*, nearest, broken; name one of your own as module"):
            fl.get_tracker("farthest")
    finally:
        registry._places.cache_clear()


def test_a_model_brings_the_tracker_it_was_published_with():
    from fairmot_lab.pipeline import recommended_tracker

    assert recommended_tracker("fairmot_lite").to_dict() == fl.JDETracker(det_thresh=0.6, track_buffer=90).to_dict()
    byte = recommended_tracker("fairmot_dla34_30e_1088x608_bytetracker")
    assert byte.to_dict() == fl.PPDetByteTracker().to_dict()
    given = ["track", "x.mp4", "--model", "fairmot_dla34_30e_1088x608_airplane"]
    assert build_parser(given).parse_args(given).chosen_tracker.settings.vertical_ratio == 0
    given = ["track", "x.mp4", "--detector", "yolox.onnx"]
    assert build_parser(given).parse_args(given).chosen_tracker.to_dict() == fl.JDETracker().to_dict()


def test_kept_detections_are_tracked_as_their_model_was_published(tmp_path):
    scene = fl.example()
    kept = fl.detect(scene.source, "fairmot_lite", tmp_path, progress=False)
    streamed, tracks = fl.track(scene.source, progress=False), fl.track(kept)
    assert tracks.attrs["settings"] == streamed.attrs["settings"]
    assert (tracks.attrs["settings"]["det_thresh"], tracks.attrs["settings"]["track_buffer"]) == (0.6, 90)
    assert fl.trace(kept).tracks.equals(tracks)
    tracks.attrs.clear()  # as if read from a file
    fl.explain_switches(fl.evaluate(tracks, scene.ground_truth), kept)
    assert fl.track(scene.detections).attrs["settings"] == fl.JDETracker().settings.to_dict()
    given = {"ground_truth": scene.ground_truth, "progress": False}
    swept = fl.sweep(kept, None, {"conf_thres": [0.4]}, **given)
    assert (swept.attrs["settings"]["det_thresh"], swept.attrs["settings"]["track_buffer"]) == (0.6, 90)
    tuned = fl.tune(kept, trials=1, search=["conf_thres"], **given)
    assert (tuned.best.settings.det_thresh, tuned.best.settings.track_buffer) == (0.6, 90)


def test_weights_of_another_name_keep_the_tracker_of_their_kind(tmp_path):
    from fairmot_lab.detection.zoo import BUNDLED
    from fairmot_lab.pipeline import recommended_tracker

    mine = tmp_path / "mine.onnx"
    mine.write_bytes(BUNDLED.read_bytes())
    wanted = recommended_tracker("fairmot_lite").to_dict()
    assert recommended_tracker(mine).to_dict() == wanted
    kept = fl.detect(fl.example().source, mine, tmp_path, progress=False)
    assert fl.track(kept).attrs["settings"] == recommended_tracker("fairmot_lite").settings.to_dict()
    assert dict(fl.open_detections(kept.path).default_tracker) == dict(fl.load_model(mine).default_tracker)


def test_a_file_does_not_import_a_module(tmp_path, monkeypatch):
    """Settings and records of runs are data: a module that they name is not imported, unless it is named by hand."""
    (tmp_path / "strange_module.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("strange_module:Tracker", "per_class:strange_module:Tracker"):
        with pytest.raises(ConfigError, match="import strange_module first, or in the shell"):
            registry.load_tracker(f'{{"tracker": "{name}"}}')
        (tmp_path / "run.json").write_text(f'{{"tracker": "{name}", "settings": {{}}}}')
        with pytest.raises(ConfigError, match=r"run\.json: The tracker .* is of a module that is not imported"):
            tracker_of_record(tmp_path / "run.txt")
    assert not (tmp_path / "ran").exists()
    (tmp_path / "run.json").write_text('{"tracker": "jde", "settings": {}}')
    with pytest.raises(ConfigError, match="says that jde made the tracks; leave out --tracker sort"):
        tracker_of_record(tmp_path / "run.txt", "sort")
    assert tracker_of_record(tmp_path / "other.txt", "sort").name == "sort"


def test_what_is_no_tracker_is_refused():
    for wrong in (3, object(), ["jde"]):
        with pytest.raises(ConfigError, match="give one such as"):
            fl.trace(detections_of(ROWS), wrong)
    with pytest.raises(ConfigError, match="no tracker 'jed'"):
        fl.trace(detections_of(ROWS), "jed")
    with pytest.raises(ConfigError, match="name cannot be a NoneType; give one of jde, "):
        fl.get_tracker(None)


def test_whatever_takes_detections_takes_a_path_of_them(tmp_path):
    scene = fl.example()
    path = tmp_path / "crossing" / "det" / "det.txt"
    fl.write_mot(scene.detections.table(), path)
    kept = fl.open_detections(path)
    result = fl.evaluate(fl.track(kept, "bytetrack"), scene.ground_truth)
    first = int(result.sequences["crossing"].scored.g_ids[0])
    uses = {
        "track": lambda held: fl.track(held, "bytetrack").to_csv(),
        "trace": lambda held: fl.trace(held, "bytetrack").tracks.to_csv(),
        "explain_switches": lambda held: fl.explain_switches(result, held, "bytetrack").to_csv(),
        "what_if": lambda held: str(
            fl.what_if(result, held, "bytetrack", changes={"track_buffer": [60]}, progress=False)
        ),
        "error_budget": lambda held: str(fl.error_budget(result, held, "bytetrack")),
        "person": lambda held: str(fl.person(result, first, held, "bytetrack")),
        "evaluate_detections": lambda held: fl.evaluate_detections(held, scene.ground_truth).summary,
        "workbench": lambda held: fl.widgets.Workbench(scene.source, detections=held, tracker="bytetrack").tracks,
    }
    for name, use in uses.items():
        assert str(use(str(path))) == str(use(kept)), name
        for wrong in (None, scene.ground_truth, [kept]):
            if name in ("workbench", "track", "evaluate_detections"):  # which take other things too
                continue
            with pytest.raises(DetectionsError, match=r"Detections cannot be a .*; give what detect"):
                use(wrong)
    one = fl.what_if(result, kept, "bytetrack", changes={"track_buffer": 60}, progress=False)  # as a sweep takes it
    assert str(one) == uses["what_if"](kept)
    with pytest.raises(SourceError, match="A DataFrame has no frames"):
        fl.track(scene.ground_truth, "bytetrack")
    with pytest.raises(EvaluationError, match="Trackers cannot be a DataFrame; give a dict"):
        fl.compare(scene.tracks, scene.ground_truth)
    with pytest.raises(ConfigError, match="score_threshold is high; it must lie from 0 to 1"):
        fl.track(kept, "bytetrack", score_threshold="high")


def test_what_if_counts_false_positives_where_nobody_is_labelled():
    frames = [
        fl.FrameDetections(f, np.array([[20 + 3 * f, 40, 30, 80]]), np.array([0.9 if 10 < f < 31 else 0.35]))
        for f in range(1, 41)
    ]
    detections = fl.Detections.from_frames(frames, name="w", frame_rate=10.0, width=320, height=160)
    rows = [(f, 1, 20.0 + 3 * f, 40.0, 30.0, 80.0) for f in range(11, 31)]
    truth = pd.DataFrame(rows, columns=["frame", "id", *"xywh"])
    truth.attrs = {"sequence": "w", "length": 40}
    tracker = fl.JDETracker()
    result = fl.evaluate(fl.track(detections, tracker), truth)
    tried = fl.what_if(result, detections, tracker, changes={"conf_thres": [0.3]}, progress=False).changes.iloc[1]
    expected = fl.evaluate(fl.track(detections, tracker.replace(conf_thres=0.3)), truth).overall
    assert expected["num_false_positives"] > 5
    assert (tried["mota"], tried["num_false_positives"]) == (expected["mota"], expected["num_false_positives"])
