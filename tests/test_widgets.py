"""Views without a browser: what they send, how they answer messages, and that they leave nothing behind."""

from __future__ import annotations

import dataclasses
import gc
import json
import re
import threading
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
import pandas as pd
import pytest
from browser import scene
from traitlets import TraitError

import fairmot_lab as fl
from fairmot_lab.data import Letterbox
from fairmot_lab.errors import (
    ConfigError,
    DetectionsError,
    EvaluationError,
    FairMOTLabError,
    FairMOTLabWarning,
    SourceError,
    ViewError,
)
from fairmot_lab.widgets import curves, thresholds
from fairmot_lab.widgets.modules import STATIC, bundle
from fairmot_lab.widgets.overlay import Overlay
from fairmot_lab.widgets.packing import COLUMNS
from fairmot_lab.widgets.page import Page
from fairmot_lab.widgets.parts import MatrixView, TableView
from fairmot_lab.widgets.player import spread


@pytest.fixture(scope="module")
def truth() -> pd.DataFrame:
    return scene.ground_truth()


@pytest.fixture(scope="module")
def frames(truth: pd.DataFrame) -> list[np.ndarray]:
    return scene.images(truth)


@pytest.fixture(scope="module")
def detections(truth: pd.DataFrame) -> scene.SceneDetections:
    return scene.SceneDetections(truth)


@pytest.fixture
def tracks(truth: pd.DataFrame) -> pd.DataFrame:
    return scene.tracks_with_swap(truth, 10)


def sent(view: Any, monkeypatch: pytest.MonkeyPatch) -> list[tuple[dict, list[bytes]]]:
    """What a view sends from now on."""
    messages: list[tuple[dict, list[bytes]]] = []
    monkeypatch.setattr(view, "send", lambda content, buffers=None: messages.append((content, buffers or [])))
    return messages


def ask(view: Any, **content: Any) -> None:
    """A message from the browser."""
    view._handle_custom_msg(content, [])


# -- modules ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(STATIC.glob("*.js")), ids=lambda path: path.stem)
def test_modules_load_nothing_from_elsewhere(path: Path) -> None:
    text = path.read_text()
    assert not re.findall(r"https?://(?!www\.w3\.org/)", text)
    assert all(name.startswith("./") for name in re.findall(r'from "([^"]+)"', text))
    bundled = bundle(path.name)
    assert not re.findall(r"^import ", bundled, re.MULTILINE)
    assert len(re.findall(r"^export ", bundled, re.MULTILINE)) == ("export default" in text)


# -- player -----------------------------------------------------------------------------------------------------------


def test_the_player_sends_every_box_once_by_frame(frames: list, tracks: pd.DataFrame, truth: pd.DataFrame) -> None:
    player = fl.widgets.TrackPlayer(frames, tracks=tracks, ground_truth=truth)
    rows = np.frombuffer(player.boxes, "<f4").reshape(-1, COLUMNS)
    assert len(rows) == len(tracks) + len(truth)
    assert (np.diff(rows[:, 0]) >= 0).all()
    mine = rows[(rows[:, 1] == 0) & (rows[:, 0] == 12) & (rows[:, 2] == 1)][0]
    wanted = tracks[(tracks["frame"] == 12) & (tracks["id"] == 1)].iloc[0]
    np.testing.assert_allclose(mine[3:8], wanted[["x", "y", "w", "h", "score"]].to_numpy(float), rtol=1e-6)
    assert player.available == ["tracks", "ground_truth"]
    assert player.layers == ["tracks"]


def test_what_is_not_shown_is_said(frames: list, tracks: pd.DataFrame, truth: pd.DataFrame) -> None:
    late = tracks.assign(frame=tracks["frame"] + 2)
    ignored = truth.assign(conf=np.where(truth["id"] == 2, 0, 1))
    player = fl.widgets.TrackPlayer(frames, tracks=late, ground_truth=ignored)
    assert "20 ground-truth boxes with conf 0 are not shown." in player.note
    assert "8 boxes lie in frames that arrays does not have (it has 20)." in player.note


def test_an_evaluation_brings_tables_errors_and_marks(frames: list, tracks: pd.DataFrame, truth: pd.DataFrame) -> None:
    player = fl.widgets.TrackPlayer(frames, evaluation=fl.evaluate(tracks, truth))
    assert player.available == ["tracks", "ground_truth", "false_positives", "misses", "switches"]
    assert [mark["frame"] for mark in player.switches] == [10, 10]
    assert np.frombuffer(player.lanes, "<f4").reshape(2, 20).sum() == 0


def test_frames_are_answered_one_by_one_and_failures_named(
    frames: list, tracks: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = [*frames[:4], np.zeros((2, 2), np.uint8)]
    player = fl.widgets.TrackPlayer(broken, tracks=tracks[:0])
    messages = sent(player, monkeypatch)
    ask(player, kind="need", frames=[3, 5, 9], generation=0)
    assert [(m["kind"], m["frame"]) for m, _ in messages] == [("frame", 3), ("failed", 5), ("failed", 9)]
    assert messages[0][1][0].startswith(b"\xff\xd8")
    assert "Frame 5 of arrays is uint8 (2, 2)" in messages[1][0]["text"]
    assert "has no frame 9" in messages[2][0]["text"]


def test_a_jpeg_on_disk_is_sent_as_it_is(mot17_09: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    player = fl.widgets.TrackPlayer(mot17_09, ground_truth=True)
    messages = sent(player, monkeypatch)
    ask(player, kind="need", frames=[7], generation=0)
    assert messages[0][1][0] == (mot17_09 / "img1" / "000007.jpg").read_bytes()
    assert (player.length, player.width, player.height, player.frame_rate) == (525, 1920, 1080, 30.0)


def test_large_frames_are_sent_scaled_down(monkeypatch: pytest.MonkeyPatch) -> None:
    player = fl.widgets.TrackPlayer([np.full((2160, 3840, 3), 99, np.uint8)])
    messages = sent(player, monkeypatch)
    ask(player, kind="need", frames=[1], generation=0)
    import io

    from PIL import Image

    assert Image.open(io.BytesIO(messages[0][1][0])).size == (1920, 1080)
    assert (player.width, player.height) == (3840, 2160)  # boxes keep their pixels


def test_clicks_frames_and_unknown_messages(frames: list) -> None:
    player = fl.widgets.TrackPlayer(frames)
    clicks: list[tuple] = []
    player.on_frame_click(lambda *place: clicks.append(place))
    ask(player, kind="click", frame=3, x=1.5, y=2)
    ask(player, kind="nonsense")
    assert clicks == [(3, 1.5, 2.0)]
    with pytest.raises(TraitError, match="arrays has no frame 0; its frames are 1 to 20"):
        player.frame = 0


def test_a_crop_is_sent_for_its_ticket(frames: list, monkeypatch: pytest.MonkeyPatch) -> None:
    player = fl.widgets.TrackPlayer(frames)
    messages = sent(player, monkeypatch)
    ask(player, kind="crop", ticket=7, frame=3, box=[10, 20, 30, 60])
    ask(player, kind="crop", ticket=8, frame=99, box=[10, 20, 30, 60])
    assert [content for content, _ in messages] == [{"kind": "crop", "ticket": k} for k in (7, 8)]
    assert [buffers[0][:2] for _, buffers in messages] == [b"\xff\xd8", b""]


def test_a_panel_begins_with_the_frame_asked_for_else_with_that_of_its_player(
    frames: list, truth: pd.DataFrame, detections: scene.SceneDetections, tracks: pd.DataFrame
) -> None:
    flawless = fl.evaluate(truth.assign(score=1.0, class_id=0)[tracks.columns], truth)  # no ID switch to go to
    player = fl.widgets.TrackPlayer(frames, frame=7)
    browser = fl.widgets.SwitchBrowser(evaluation=flawless, player=player)
    assert (player.frame, browser.frame) == (7, 7)
    inspector = fl.widgets.AssociationInspector(detections=detections, player=player, frame=9)
    assert (player.frame, inspector.frame) == (9, 9)
    heat = fl.widgets.HeatmapInspector(None, detections=detections, player=player, frame=11)
    assert (player.frame, heat.frame) == (11, 11)
    explorer = fl.widgets.EmbeddingExplorer(frames, detections=detections, ground_truth=truth, frame=5)
    assert (explorer.player.frame, explorer.frame, explorer.other_frame) == (5, 5, 6)


def test_sources_that_cannot_be_scrubbed_are_refused(frames: list) -> None:
    with pytest.raises(SourceError, match="record it to a file first"):
        fl.widgets.TrackPlayer(iter(frames))
    empty = fl.widgets.TrackPlayer([])
    assert empty.length == 0
    assert "holds no frames" in empty.saved_html()


def test_an_error_in_a_handler_is_shown(frames: list) -> None:
    player = fl.widgets.TrackPlayer(frames)
    ask(player, kind="need")  # lacks its frames
    assert player.error.startswith("KeyError")


# -- saved notebooks and pages ----------------------------------------------------------------------------------------


def test_a_widget_displays_itself_and_a_picture(frames: list, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[dict] = []
    monkeypatch.setattr("IPython.display.display", lambda data, **_: shown.append(data))
    fl.widgets.TrackPlayer(frames)._ipython_display_()
    assert "application/vnd.jupyter.widget-view+json" in shown[0]
    assert '<img alt="arrays, frame 1 of 20" src="data:image/jpeg;base64,' in shown[1]["text/html"]
    assert "<script" not in shown[1]["text/html"]


def test_pages_keep_their_bound_and_say_what_they_lack(
    frames: list, tracks: pd.DataFrame, truth: pd.DataFrame, tmp_path: Path
) -> None:
    player = fl.widgets.TrackPlayer(frames, evaluation=fl.evaluate(tracks, truth), trail=5, name="<scene>")
    small = player.page(max_mb=0.3).render()
    large = player.to_html(tmp_path / "page.html", max_mb=8).read_text()
    assert len(small) < 0.3e6 < len(large)
    held = [set(json.loads(_data(html))["views"][0]["state"]["held"]) for html in (small, large)]
    assert held[1] == set(range(1, 21))
    assert {1, 9, 10} <= held[0] < held[1]  # the frame on show and those around the switches come first
    assert f"{20 - len(held[0])} of the 20 frames of &lt;scene&gt;" in small
    assert "trails, which need all frames" in small
    assert "<li>nothing</li>" in large
    assert not re.findall(r'(?:src|href)="http', large)


def _data(html: str) -> str:
    return html.split('id="fml-data">')[1].split("</script>")[0]


def test_pages_cannot_be_broken_out_of() -> None:
    view = TableView(columns=[{"key": "a", "label": "a", "kind": "text"}], rows=[{"a": "</script><script>alert(1)"}])
    page = Page("a <b> & c")
    view.add_to(page)
    html = page.render()
    assert "</script><script>" not in html
    assert "<title>a &lt;b&gt; &amp; c</title>" in html
    assert json.loads(_data(html))["views"][0]["state"]["rows"][0]["a"] == "</script><script>alert(1)"


def test_the_beginning_of_a_spread_is_even() -> None:
    assert list(spread(0)) == []
    assert list(spread(1)) == [1]
    order = list(spread(100))
    assert sorted(order) == list(range(1, 101))
    for count in (3, 5, 9, 17):
        gaps = np.diff(sorted(order[:count]))
        assert gaps.max() <= 2 * gaps.min() + 1, count


# -- panels -----------------------------------------------------------------------------------------------------------


def test_heatmaps_need_outputs_of_a_network(
    frames: list, truth: pd.DataFrame, detections: scene.SceneDetections
) -> None:
    inspector = fl.widgets.HeatmapInspector(frames, detections=detections, threshold=0.5)
    message, buffers = inspector.player.payload(4)
    assert message["overlay"]["columns"] * message["overlay"]["rows"] * 4 == len(buffers[1])
    np.testing.assert_array_equal(np.frombuffer(buffers[1], "<f4"), detections.frame(4).heatmap.ravel())
    inspector.threshold = 0.2
    assert inspector.player.overlay_floor == 0.2
    assert [row["passes"] for row in inspector.table.rows] == ["yes"] * 4
    inspector.top_k = 2
    assert len(inspector.table.rows) == 2
    bare = fl.widgets.HeatmapInspector(frames, detections=scene.SceneDetections(truth, heatmaps=False))
    assert "kept without heatmaps" in bare.player.note
    assert bare.player.payload(1)[0]["overlay"]["columns"] == 0


def test_a_model_is_run_on_frames_that_are_looked_at(frames: list, detections: scene.SceneDetections) -> None:
    calls: list[int] = []

    class Detector:
        name = "scene"

        def describe(self) -> dict[str, Any]:
            return {}

        def run(self, images: Any) -> Any:
            for image in images:
                calls.append(image.number)
                yield detections.frame(image.number)

    inspector = fl.widgets.HeatmapInspector(frames, model=Detector())
    inspector.player.payload(1)
    inspector.frame = 2
    inspector.player.payload(2)
    assert calls == [1, 2]
    assert inspector.player.prefetch == 0


def test_the_similarity_map_finds_the_person(
    frames: list, truth: pd.DataFrame, detections: scene.SceneDetections, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dense(number: int, source: Any, model: Any) -> np.ndarray:
        found = detections.frame(number)
        columns, rows = found.letterbox.heatmap_size
        cells = np.zeros((found.embeddings.shape[1], rows, columns), np.float32)
        for (x, y), vector in zip(found.peaks, found.embeddings, strict=True):
            cells[:, y, x] = vector
        return cells

    monkeypatch.setattr(detections, "embedding_map", dense)
    explorer = fl.widgets.EmbeddingExplorer(
        frames, detections=detections, ground_truth=truth, model=object(), other_frame=15
    )
    x, y, w, h = detections.frame(1).boxes[1]
    ask(explorer.player, kind="click", frame=1, x=float(x + w / 2), y=float(y + h / 2))
    assert explorer.error == ""
    assert explorer.query == (1, 1)
    explorer.map.payload(15)
    best = np.unravel_index(explorer.similarity.argmax(), explorer.similarity.shape)
    assert tuple(detections.frame(15).peaks[1]) == best[::-1]
    without = fl.widgets.EmbeddingExplorer(detections=detections, ground_truth=truth)
    with pytest.raises(ConfigError, match="give source= and model="):
        without.search(1, 0)


def test_detections_without_embeddings_are_refused(truth: pd.DataFrame, mot17_09: Path) -> None:
    with pytest.raises(DetectionsError, match="without embeddings"):
        fl.widgets.EmbeddingExplorer(detections=fl.open_detections(mot17_09), ground_truth=truth)


def test_weak_detections_are_left_out_and_counted(truth: pd.DataFrame, detections: scene.SceneDetections) -> None:
    explorer = fl.widgets.EmbeddingExplorer(detections=detections, ground_truth=truth)
    assert len(explorer.projection.rows) == 60
    assert "20 with a score below 0.40 are left out everywhere." in explorer.histogram.note
    explorer.min_score = 0.1
    assert len(explorer.projection.rows) == 80


def test_the_lab_shows_what_the_library_says(
    truth: pd.DataFrame, detections: scene.SceneDetections, tmp_path: Path
) -> None:
    lab = fl.widgets.ThresholdLab(detections=detections, ground_truth=truth)
    assert set(lab.controls) == set(fl.JDETracker.Settings.settings())
    lab.controls["conf_thres"].value = 0.3
    assert lab.wait(60)
    expected = fl.evaluate(fl.track(detections, fl.JDETracker(conf_thres=0.3)), truth).summary.iloc[-1]
    shown = {row["metric"]: row["candidate"] for row in lab._figures.rows}
    percent = {
        name: f"{expected[name]:.0f}" if name.startswith("num_") else f"{100 * expected[name]:.1f}" for name in shown
    }
    assert shown == percent
    known = lab.figures.set_index("metric")["candidate"]
    assert known.to_dict() == pytest.approx({name: expected[name] for name in shown}, abs=1e-12)
    assert lab.code == "JDETracker(conf_thres=0.3)"
    before, now = (fl.evaluate(fl.track(detections, one), truth) for one in (fl.JDETracker(), lab.tracker))
    rows = fl.compare({"now": now, "before": before}).differences
    rows = rows[rows["sequence"] == "OVERALL"].set_index("metric")
    spans = lab.figures.set_index("metric")
    for name in shown:
        assert spans.loc[name, ["low", "high"]].tolist() == pytest.approx(rows.loc[name, ["low", "high"]].tolist())
    assert all(" to " in row["interval"] for row in lab._figures.rows)
    lab.pin()
    assert (lab.figures["difference"] == 0).all()
    path = lab.save(tmp_path / "tracker.json")
    assert fl.load_tracker(path).to_dict() == lab.tracker.to_dict()
    lab._path.value, written = str(path), path.read_bytes()
    lab.tracker = lab.tracker.replace(conf_thres=0.35)
    (press,) = (one for one in lab._buttons.children if one.description == "Save as JSON")
    press.click()
    assert "exists and is not overwritten" in lab.error
    assert path.read_bytes() == written
    lab._path.value = str(tmp_path / "another.json")
    press.click()
    assert fl.load_tracker(tmp_path / "another.json").settings.conf_thres == 0.35
    lab.close()


@pytest.mark.parametrize("name", fl.trackers())
def test_the_lab_has_the_settings_of_any_tracker(
    truth: pd.DataFrame, detections: scene.SceneDetections, name: str
) -> None:
    lab = fl.widgets.ThresholdLab(detections=detections, ground_truth=truth, tracker=name)
    assert set(lab.controls) == set(lab.tracker.settings.to_dict())
    assert lab.error == ""
    with pytest.raises(ConfigError, match=f"The sliders are those of {name}"):
        lab.tracker = next(kind() for other, kind in fl.trackers().items() if other != name)
    lab.close()


def test_the_lab_warns_once_of_missing_embeddings(
    truth: pd.DataFrame, detections: scene.SceneDetections, recwarn: pytest.WarningsRecorder
) -> None:
    frames = [
        dataclasses.replace(detections.frame(n), embeddings=np.empty((4, 0), np.float32)) for n in detections.frames
    ]
    boxes = fl.Detections.from_frames(frames, name="scene")
    lab = fl.widgets.ThresholdLab(detections=boxes, ground_truth=truth, tracker="jde")
    for value in (0.3, 0.5):
        lab.controls["conf_thres"].value = value
        assert lab.wait(60)
    assert lab.error == ""
    assert sum("have no embeddings" in str(one.message) for one in recwarn) == 1
    lab.close()


def test_settings_that_contradict_each_other_are_told_and_taken_back(
    truth: pd.DataFrame, detections: scene.SceneDetections
) -> None:
    lab = fl.widgets.ThresholdLab(
        detections=detections, ground_truth=truth, tracker=fl.PPDetByteTracker(conf_thres=0.3)
    )
    lab.controls["low_conf_thres"].value = 0.35
    assert lab.wait(60)
    assert "low_conf_thres is 0.35" in lab.error
    lab.reset()
    assert lab.wait(60)
    assert (lab.error, lab.tracker.to_dict()) == ("", fl.PPDetByteTracker(conf_thres=0.3).to_dict())
    lab.close()


def test_switches_are_explained_where_the_outputs_lead_to_the_tracks(
    frames: list, truth: pd.DataFrame, detections: scene.SceneDetections, tracks: pd.DataFrame
) -> None:
    browser = fl.widgets.SwitchBrowser(frames, evaluation=fl.evaluate(tracks, truth), detections=detections)
    assert browser.error.startswith("The reasons of the ID switches are not known")
    browser.selected = 1
    assert (browser.frame, browser.player.selected_gt_id) == (10, 2)
    assert [caption for _, caption in browser.pictures(1)] == [
        "before: id 2, frame 9",
        "person 2 then, frame 9",
        "after: id 1, frame 10",
        "person 2 now, frame 10",
    ]
    none = fl.widgets.SwitchBrowser(
        frames, evaluation=fl.evaluate(truth.assign(score=1.0, class_id=0)[tracks.columns], truth)
    )
    assert "nothing to browse" in none._pictures.value


def test_the_budget_moves_the_player_to_an_error(
    frames: list, truth: pd.DataFrame, detections: scene.SceneDetections, tracks: pd.DataFrame
) -> None:
    """Person 3 is detected with low scores; person 4 is not in the ground truth from frame 11 on."""
    part = truth[(truth["id"] != 4) | (truth["frame"] <= 10)]
    tracker = fl.JDETracker()
    result = fl.evaluate(fl.track(detections, tracker), part)
    browser = fl.widgets.BudgetBrowser(frames, evaluation=result, detections=detections, tracker=tracker)
    causes = browser.budget.causes
    assert browser.causes_table.rows[browser.cause]["errors"] == causes["errors"].max() == 20
    assert browser.errors_table.title == "missed, score too low: 20"
    browser.selected = 4
    row = browser.errors_table.rows[4]
    assert (browser.player.frame, browser.player.selected_gt_id, browser.player.selected_id) == (row["frame"], 3, None)
    assert "Score 0.35; conf_thres decides." in browser._story.value
    browser.cause = int((causes["kind"] == "FP").to_numpy().argmax())
    assert (browser.selected, len(browser.errors)) == (-1, 10)
    browser.selected = 0
    assert (browser.frame, browser.player.selected_gt_id) == (11, None)
    assert browser.player.selected_id == browser.errors["id"][0]
    assert "track" in browser.saved_html()
    browser.close()
    with pytest.raises(EvaluationError, match="other tracks than were evaluated"):
        fl.widgets.BudgetBrowser(frames, evaluation=fl.evaluate(tracks, truth), detections=detections, tracker=tracker)


def test_the_inspector_shows_the_trackers_own_record(frames: list, detections: scene.SceneDetections) -> None:
    inspector = fl.widgets.AssociationInspector(frames, detections=detections, tracker=fl.JDETracker(), frame=5)
    stage = inspector.record.stages[0]
    first = inspector.matrices[0]
    np.testing.assert_allclose(np.frombuffer(first.values, "<f4").reshape(stage.cost.shape), stage.cost, rtol=1e-6)
    assert first.pairs == [[row, column] for row, column in enumerate(stage.matched.tolist()) if column >= 0]
    assert all(crop.startswith(b"\xff\xd8") for crop in (*first.row_crops, *first.column_crops))
    first.selected = [0, 0]
    assert first.text.splitlines()[0].endswith("paired.")
    assert inspector.selected_id == stage.tracks[0]
    inspector.values = "motion"
    np.testing.assert_allclose(
        np.frombuffer(first.values, "<f4").reshape(stage.mahalanobis.shape), stage.mahalanobis, rtol=1e-6
    )
    inspector.frame = 1  # nothing to pair yet
    assert inspector.matrices[0].rows == []
    assert "born from detection" in inspector._events.value


@pytest.mark.parametrize("name", fl.trackers())
def test_the_inspector_shows_the_stages_of_any_tracker(
    frames: list, detections: scene.SceneDetections, name: str
) -> None:
    inspector = fl.widgets.AssociationInspector(frames, detections=detections, tracker=name)
    for frame in (1, 6, 12):
        inspector.frame = frame
        assert inspector.error == ""
        stages = inspector.record.stages
        assert len(inspector.matrices) >= len(stages)
        for matrix, stage in zip(inspector.matrices, stages, strict=False):
            assert len(matrix.rows) == (len(stage.tracks) if stage.cost.size else 0)
            if stage.cost.size:
                assert stage.title.capitalize() in matrix.title
                matrix.selected = [0, 0]
                assert matrix.text.startswith(f"track {stage.tracks[0]} and detection {stage.detections[0]}, ")
    assert inspector.page()
    inspector.close()


@pytest.mark.parametrize(
    "panel",
    ["TrackPlayer", "HeatmapInspector", "EmbeddingExplorer", "ThresholdLab", "SwitchBrowser", "AssociationInspector"],
)
def test_closing_leaves_nothing_behind(
    panel: str, frames: list, truth: pd.DataFrame, detections: scene.SceneDetections, tracks: pd.DataFrame
) -> None:
    arguments: dict[str, Any] = {
        "TrackPlayer": {"tracks": tracks, "ground_truth": truth},
        "HeatmapInspector": {"detections": detections},
        "EmbeddingExplorer": {"detections": detections, "ground_truth": truth},
        "ThresholdLab": {"detections": detections, "ground_truth": truth},
        "SwitchBrowser": {"evaluation": fl.evaluate(tracks, truth), "detections": detections},
        "AssociationInspector": {"detections": detections},
    }[panel]
    instances = ipywidgets.widgets.widget._instances
    before, threads = set(instances), threading.active_count()
    view = getattr(fl.widgets, panel)(frames, **arguments)
    assert view.error == "" or panel == "SwitchBrowser"
    assert len(view.saved_html()) > 50
    if panel == "ThresholdLab":
        view.controls["conf_thres"].value = 0.5
        view.wait(60)
        worker = view._work._thread
    view.close()
    view.close()
    assert set(instances) == before
    if panel == "ThresholdLab":
        worker.join(10)
    assert threading.active_count() == threads


def test_nothing_detected_and_nobody_there_look_right(frames: list, truth: pd.DataFrame, tracks: pd.DataFrame) -> None:
    nobody = truth[:0]
    nobody.attrs.update(truth.attrs)
    nothing = scene.SceneDetections(nobody)
    heat = fl.widgets.HeatmapInspector(frames, detections=nothing)
    assert (heat.error, heat.table.rows) == ("", [])
    explorer = fl.widgets.EmbeddingExplorer(frames, detections=nothing, ground_truth=truth)
    assert (explorer.error, explorer.scatter.points) == ("", b"")
    lab = fl.widgets.ThresholdLab(detections=nothing, ground_truth=truth)
    assert lab.error == ""
    assert lab.figures.set_index("metric").loc["num_misses", "candidate"] == len(truth)
    inspector = fl.widgets.AssociationInspector(frames, detections=nothing)
    assert inspector.error == ""
    for panel in (heat, explorer, lab, inspector):
        assert panel.saved_html()
        assert "<script" in panel.page().render()
        panel.close()


def test_a_matrix_of_200_by_200_is_saved_as_a_bounded_table() -> None:
    matrix = MatrixView()
    names = [str(i) for i in range(200)]
    matrix.show(np.random.default_rng(0).random((200, 200)), names, names)
    assert "140 more rows are not in this page." in matrix.saved_html()


# -- what is refused --------------------------------------------------------------------------------------------------


def test_unknown_options_are_refused_in_one_sentence(frames: list, truth: pd.DataFrame, detections: Any) -> None:
    with pytest.raises(ViewError, match=r"TrackPlayer has no option trails; did you mean trail\?"):
        fl.widgets.TrackPlayer(frames, trails=3)
    with pytest.raises(ViewError, match=r"HeatmapInspector has no option treshold; did you mean threshold\?"):
        fl.widgets.HeatmapInspector(frames, detections=detections, treshold=0.3)
    with pytest.raises(ViewError, match="Workbench has no option sorce"):
        fl.widgets.Workbench(frames, ground_truth=truth, detections=detections, sorce=1)
    with pytest.raises(TraitError, match=r"'colour_map' trait of a HeatmapInspector instance expected any of .*'jet'"):
        fl.widgets.HeatmapInspector(frames, detections=detections, colour_map="jet")
    with pytest.raises(TraitError, match=r"'values' trait of an AssociationInspector instance expected any of"):
        fl.widgets.AssociationInspector(detections=detections, values="looks")


def test_data_of_another_sequence_is_refused(
    frames: list, truth: pd.DataFrame, detections: scene.SceneDetections, tracks: pd.DataFrame
) -> None:
    source = fl.open_source(frames)
    source.name = "MOT17-09-SDP"
    evaluation = fl.evaluate(tracks, truth)
    other = tracks.copy()
    other.attrs["sequence"] = "MOT17-11-SDP"
    with pytest.raises(ViewError, match="The tracks belong to MOT17-11-SDP, but the source is MOT17-09-SDP"):
        fl.widgets.TrackPlayer(source, tracks=other)
    other.attrs["sequence"] = "mytracker"  # as read_mot("mytracker.txt") gives
    with pytest.raises(ViewError, match=r"or set attrs\['sequence'\] = 'MOT17-09-SDP' if only the name differs"):
        fl.widgets.TrackPlayer(source, tracks=other)
    with pytest.raises(ViewError, match="The ground truth belongs to scene"):
        fl.widgets.TrackPlayer(source, ground_truth=truth)
    with pytest.raises(ViewError, match="The evaluation is of scene, but the source is MOT17-09-SDP"):
        fl.widgets.TrackPlayer(source, evaluation=evaluation)
    with pytest.raises(ViewError, match="evaluate MOT17-09-SDP"):
        fl.widgets.SwitchBrowser(source, evaluation=evaluation)
    for make in (
        lambda: fl.widgets.HeatmapInspector(source, detections=detections),
        lambda: fl.widgets.EmbeddingExplorer(source, detections=detections, ground_truth=truth),
        lambda: fl.widgets.ThresholdLab(source, detections=detections, ground_truth=truth),
        lambda: fl.widgets.AssociationInspector(source, detections=detections),
        lambda: fl.widgets.Workbench(source, tracks=tracks, detections=detections),
    ):
        with pytest.raises(ViewError, match="to scene, but the source is MOT17-09-SDP"):
            make()
    late = tracks.assign(frame=tracks["frame"] + 100)
    with pytest.raises(ViewError, match="frames go up to 120, but arrays has 20"):
        fl.widgets.TrackPlayer(frames, tracks=late)
    with pytest.raises(ViewError, match=r"The tracks must be a table .*; fl\.read_mot"):
        fl.widgets.TrackPlayer(frames, tracks=[1, 2])
    other.attrs["sequence"] = "MOT17-09-FRCNN"  # the same footage with other detections
    fl.widgets.TrackPlayer(source, tracks=other).close()


# -- several trackers, people -----------------------------------------------------------------------------------------


def test_a_player_knows_classes_where_there_are_several(
    frames: list, truth: pd.DataFrame, tracks: pd.DataFrame
) -> None:
    assert fl.widgets.TrackPlayer(frames, tracks=tracks).classes == []
    mixed = tracks.assign(class_id=np.where(tracks["id"] == 4, 2, 0))
    mixed.attrs["classes"] = {0: "person", 2: "car"}
    player = fl.widgets.TrackPlayer(frames, tracks=mixed)
    assert player.classes == ["person", "car"]
    rows = np.frombuffer(player.boxes, "<f4").reshape(-1, COLUMNS)
    np.testing.assert_array_equal(rows[:, 10] == 1, rows[:, 2] == 4)
    whole = player.snapshot()
    player.hidden_classes = ["car"]
    assert player.snapshot() != whole  # pictures and videos follow the filter
    player.close()
    with pytest.warns(FairMOTLabWarning, match="another class"):
        result = fl.evaluate(mixed, truth)
    assert fl.widgets.TrackPlayer(frames, evaluation=result).classes == ["pedestrian", "person", "car"]


def test_a_video_shows_whom_the_view_shows(frames: list, truth: pd.DataFrame, tracks: pd.DataFrame) -> None:
    tracks = tracks.assign(score=np.where(tracks["frame"] < 5, 0.3, 0.9))
    player = fl.widgets.TrackPlayer(frames, tracks=tracks, evaluation=fl.evaluate(tracks, truth), min_score=0.5)
    assert player._boxes_of(0)["frame"].min() == 5
    player.selected_gt_id, player.selected_id = 2, 1
    assert player._boxes_of(0)["id"].nunique() > 2  # others are not hidden yet
    player.focus = "only"
    shown = player._boxes_of(0)  # person 2 has track 2, and track 1 from frame 10 on
    assert shown[["frame", "id"]].to_numpy().tolist() == [[f, 2 if f < 10 else 1] for f in range(5, 21)]
    player.close()


def test_a_video_shows_the_trackers_that_are_compared(frames: list, tracks: pd.DataFrame, tmp_path: Path) -> None:
    player = fl.widgets.TrackPlayer(frames, tracks={"a": tracks, "b": tracks}, compare_mode="split")
    for compared, pictures in ((-1, 1), (0, 1), (1, 2)):
        player.compared = compared
        path = player.record(tmp_path / f"{compared}.mp4", last=1)
        assert fl.open_source(path).width == pictures * player.width


def test_trackers_share_a_player_and_know_their_people(frames: list, truth: pd.DataFrame, tracks: pd.DataFrame) -> None:
    perfect = tracks.assign(id=truth["id"].to_numpy())
    named = {"swapped": tracks, "perfect": perfect}
    evaluation = {name: fl.evaluate(table, truth) for name, table in named.items()}
    player = fl.widgets.TrackPlayer(frames, tracks=named, ground_truth=truth, evaluation=evaluation)
    assert player.trackers == ["swapped", "perfect"]
    rows = np.frombuffer(player.boxes, "<f4").reshape(-1, COLUMNS)
    tracked = rows[rows[:, 1] == 0]
    for number, table in enumerate(named.values()):
        mine = tracked[tracked[:, 8] == number]
        assert len(mine) == len(table)
        # the swap of ids at frame 10 is in the ids, not in the people
        merged = pd.DataFrame(mine[:, [0, 2, 9]], columns=["frame", "id", "person"])
        late = merged[(merged["frame"] >= 10) & (merged["person"] == 1)]
        assert set(late["id"]) == ({2} if number == 0 else {1})
    assert {mark["tracker"] for mark in player.switches} == {0}
    assert np.frombuffer(player.lanes, "<f4").reshape(2, 2, 20).sum() == 0
    with pytest.raises(ViewError, match="There is an evaluation of third, but no tracks of that name"):
        fl.widgets.TrackPlayer(frames, tracks=named, evaluation={"third": evaluation["perfect"]})


def test_the_workbench_opens_on_the_worst_switch(
    frames: list, truth: pd.DataFrame, detections: scene.SceneDetections, tracks: pd.DataFrame
) -> None:
    later = tracks.copy()  # person 2 changes once more, so person 2 is the worst
    later.loc[(later["frame"] >= 15) & (later["id"] == 1), "id"] = 9
    bench = fl.widgets.Workbench(frames, tracks={"A": later, "B": tracks}, ground_truth=truth, detections=detections)
    assert (bench.player.frame, bench.player.selected_gt_id, bench.people.selected) == (10, 2, 2)
    assert [row["id"] for row in bench.people.rows][:2] == [2, 1]
    life = bench.people.life
    assert life["segments"] == [[1, 9, 2], [10, 14, 1], [15, 20, 9]]
    assert life["breaks"] == [10, 15]
    assert life["title"].startswith("Person 2 · 20 frames · 2 ID switches")
    assert len(bench.people.strip) == len(life["places"]) == 13
    told = {row["frame"]: (row["taken"], row["mood"]) for row in bench.people.decisions["rows"]}
    assert told[9] == ("track 2", "")
    assert told[10] == ("track 1 now", "bad")
    assert "IoU" in bench.people.decisions["columns"]  # these tracks were not made from the detections
    assert bench.bar.chips[1]["name"] == "B"
    bench.player.compare_mode = "overlay"
    assert bench.bar.difference.startswith("B − A: MOTA +")
    bench.player.tracker = 1
    assert bench.people.life["breaks"] == [10]
    bench.close()


def test_opening_the_switches_leaves_the_frame_and_the_person(
    frames: list, truth: pd.DataFrame, tracks: pd.DataFrame
) -> None:
    bench = fl.widgets.Workbench(frames, tracks=tracks, ground_truth=truth, frame=6, selected_gt_id=3)
    bench._tabs.selected_index = bench._tabs.titles.index("Switches")
    pane = bench.panes["Switches"]
    assert (bench.player.frame, bench.player.selected_gt_id, pane.selected) == (6, 3, -1)
    pane.selected = 1
    assert bench.player.frame == pane.switches["frame"][1] != 6
    bench.close()
    there = fl.widgets.Workbench(frames, tracks=tracks, ground_truth=truth)
    there._tabs.selected_index = there._tabs.titles.index("Switches")
    switch = there.panes["Switches"].switches.iloc[there.panes["Switches"].selected]
    assert (there.player.frame, there.player.selected_gt_id) == (switch["frame"], switch["gt_id"])
    there.close()


def test_the_life_of_a_person_says_why_they_were_missed() -> None:
    scene = fl.example()
    bench = fl.widgets.Workbench(
        [np.zeros((90, 160, 3), np.uint8)] * len(scene.detections),
        ground_truth=scene.ground_truth, detections=scene.detections, tracker=fl.JDETracker(),
    )  # fmt: skip
    told = fl.person(bench.evaluations["tracks"], 1, scene.detections, fl.JDETracker())
    bench.people.selected = 1
    assert [one["text"].lower() for one in bench.people.life["sentences"]] == [
        f"{text.lower()}." for text in told.events["text"]
    ]
    missed = told.frames[told.frames["state"] == "missed"]
    bench.player.frame = int(missed["frame"].iloc[0])
    row = next(row for row in bench.people.decisions["rows"] if row["frame"] == bench.player.frame)
    assert row["taken"] == missed["cause"].iloc[0] != ""
    bench.close()


def test_the_workbench_compares_with_intervals_and_lists_switches_of_one_tracker(
    frames: list, truth: pd.DataFrame, tracks: pd.DataFrame
) -> None:
    later = tracks.copy()
    later.loc[(later["frame"] >= 15) & (later["id"] == 1), "id"] = 9
    bench = fl.widgets.Workbench(frames, tracks={"A": later, "B": tracks}, ground_truth=truth)
    bench._tabs.selected_index = bench._tabs.titles.index("Compare")
    pane = bench.panes["Compare"]
    assert (bench.error, pane.error) == ("", "")
    # person 2 changes at 15 under A alone, persons 1 and 2 at 10 under both
    made = pane.shared[["made_by", "frame", "gt_id"]].to_numpy().tolist()
    assert made == [["both", 10, 1], ["both", 10, 2], ["only A", 15, 2]]
    assert pane._switches.title == "ID switches: 1 only A, 0 only B, 2 both"
    assert pane._switches.chosen == ["only A"]
    library = fl.compare({"A": later, "B": tracks}, truth).metrics
    wanted = library[(library["metric"] == "idf1") & (library["tracker"] == "B")].iloc[0]
    row = next(row for row in pane._figures.rows if row["metric"] == "IDF1")
    low, high = (f"{100 * wanted[end]:.1f}" for end in ("low", "high"))
    assert row["tracker 1"] == f"{100 * wanted['value']:.1f} ({low}\N{EN DASH}{high})"
    assert row["difference"].startswith("+")
    pane._switches.selected = 2
    assert (bench.player.frame, bench.player.selected_gt_id, bench.player.selected_id) == (15, 2, 9)
    bench.player.tracker, bench.player.compared = 1, 0  # B is A now: what only it makes
    assert pane._switches.title == "ID switches: 0 only B, 1 only A, 2 both"
    turned = next(row for row in pane._figures.rows if row["metric"] == "IDF1")
    assert turned["difference"].startswith("\N{MINUS SIGN}")
    assert "made_by" in bench.page().render()
    bench.close()


def test_corrected_tracks_are_compared_with_the_original(
    frames: list, truth: pd.DataFrame, tracks: pd.DataFrame
) -> None:
    bench = fl.widgets.Workbench(frames, tracks=tracks, ground_truth=truth)
    assert "Compare" not in bench._tabs.titles
    bench._corrected("tracks corrected", tracks.assign(id=truth["id"].to_numpy()))
    bench._tabs.selected_index = bench._tabs.titles.index("Compare")
    assert bench.error == ""
    assert bench.panes["Compare"]._switches.title == "ID switches: 0 only tracks corrected, 2 only tracks, 0 both"
    bench.close()


def test_the_workbench_tells_costs_where_the_detections_lead_to_the_tracks(
    frames: list, truth: pd.DataFrame, detections: scene.SceneDetections
) -> None:
    bench = fl.widgets.Workbench(frames, ground_truth=truth, detections=detections)
    bench.people.selected, bench.player.frame = 1, 6
    told = bench.people.decisions
    assert told["columns"] == ["score", "cost", "gate"]
    record = fl.trace(detections)[6]
    row = next(row for row in told["rows"] if row["frame"] == 6)
    stage = record.stages[0]
    track = int(row["taken"].split()[1])
    assert row["cost"] == pytest.approx(float(stage.cost[stage.row(track), stage.matched[stage.row(track)]]))
    for index in range(1, len(bench._tabs.titles)):
        bench._tabs.selected_index = index
        assert bench.error == ""
    assert bench.panes["Errors"].budget.causes["errors"].tolist() == [20]
    assert set(bench.panes) == {"Switches", "Errors", "Heatmap", "ReID", "Association", "Settings", "Correct"}
    assert bench.player.overlay is None  # the heatmap rests while another pane is open
    bench._tabs.selected_index = bench._tabs.titles.index("Heatmap")
    assert bench.player.overlay is not None
    assert "heatmap" in str(bench.player.payload(6)[0])
    bench.close()


def test_without_ground_truth_the_people_are_tracks(frames: list, tracks: pd.DataFrame) -> None:
    gap = tracks[~((tracks["id"] == 4) & tracks["frame"].between(5, 7))]
    bench = fl.widgets.Workbench(frames, tracks=gap, ground_truth=False)
    assert bench.people.kind == "track"
    row = next(row for row in bench.people.rows if row["id"] == 4)
    assert (row["frames"], row["breaks"], row["share"]) == (17, 1, None)
    bench.people.selected = 4
    assert bench.people.life["segments"] == [[1, 4, 4], [5, 7, None], [8, 20, 4]]
    assert bench.page().render()
    bench.close()


def test_the_lab_draws_curves_and_takes_the_best(truth: pd.DataFrame, detections: scene.SceneDetections) -> None:
    lab = fl.widgets.ThresholdLab(detections=detections, ground_truth=truth, tracker=fl.JDETracker(conf_thres=0.6))
    lab.draw_curves()
    assert lab.wait_curves(300)
    tried = {point.setting for point in lab.points}
    assert tried == set(lab._core) <= set(lab.controls)
    best = lab.best()
    values = [p.metrics["idf1"] for p in lab.points if p.tracker is not None]
    assert best.metrics["idf1"] == max(values)
    assert fl.evaluate(fl.track(detections, best.tracker), truth).overall["idf1"] == pytest.approx(max(values))
    assert f"Best so far: {best.setting}" in lab._best.value
    assert all("<polyline" in curve.value for curve in lab._curves.values())  # one under each core slider
    lab.take_best()
    assert lab.wait(60)
    assert lab.candidate.metrics["idf1"] == pytest.approx(max(values))
    lab._metric.value, lab._least.value = "fewest ID switches", 100.0 * max(values)
    assert lab.best().metrics["idf1"] == max(values)
    lab._least.value = 100.0
    if max(values) < 1:
        assert lab.best() is None
    lab._frames.value = "first half"
    lab.draw_curves()
    assert lab.wait_curves(300)
    assert lab.points[0].held_out["idf1"] >= 0
    lab.close()


def test_settings_that_contradict_each_other_are_marked(truth: pd.DataFrame, detections: scene.SceneDetections) -> None:
    lab = fl.widgets.ThresholdLab(detections=detections, ground_truth=truth, tracker="ppdet_byte")
    name, other = "low_conf_thres", "conf_thres"
    lab.controls[name].value = lab.controls[other].value + 0.1
    assert lab.error
    assert lab.controls[name].style.handle_color == "#D55E00"
    assert "fml-stale" in lab._figures._dom_classes
    assert "still those of" in lab._status.value
    lab.controls[name].value = 0.1
    assert lab.wait(60)
    assert (lab.error, lab.controls[name].style.handle_color) == ("", None)
    assert "fml-stale" not in lab._figures._dom_classes
    lab.close()


def test_without_ground_truth_the_lab_counts_tracks(detections: scene.SceneDetections) -> None:
    lab = fl.widgets.ThresholdLab(detections=detections)
    shown = {row["metric"]: row["candidate"] for row in lab._figures.rows}
    assert shown == {"num_tracks": "3", "median_length": "20", "num_gaps": "0", "num_ends": "0"}
    lab.controls["conf_thres"].value = 0.3  # person 3 has a score of 0.35
    lab.controls["det_thresh"].value = 0.3
    assert lab.wait(60)
    assert lab._figures.rows[0]["candidate"] == "4"
    lab.close()


def test_cells_of_any_stride_lie_where_the_letterbox_says() -> None:
    box = Letterbox.fit((640, 360), (320, 192), 8)
    told = Overlay(np.zeros(box.heatmap_size[::-1], np.float32), box, np.empty((0, 7))).describe()
    x, y = (np.array([3.0, 5.0]) * told["stride"] - (told["pad_x"], told["pad_y"])) / told["scale"]
    np.testing.assert_allclose((x, y), box.to_image(np.array([3.0, 5.0])))


def test_a_workbench_that_cannot_be_made_leaves_nothing_behind(recwarn: pytest.WarningsRecorder) -> None:
    truth = scene.ground_truth()
    with pytest.raises(ViewError, match="The tracks must be a table"):
        fl.widgets.Workbench(scene.images(truth), tracks={"A": 1})
    gc.collect()
    assert [str(one.message) for one in recwarn if "exception" in str(one.message).lower()] == []


def test_a_pane_that_cannot_be_made_leaves_nothing_behind() -> None:
    truth = scene.ground_truth()
    evaluation = fl.evaluate(scene.tracks_with_swap(truth, 10), truth)
    before = set(ipywidgets.widgets.widget._instances)
    with pytest.raises(FairMOTLabError, match="other tracks than were evaluated"):
        fl.widgets.BudgetBrowser(scene.images(truth), evaluation=evaluation, detections=scene.SceneDetections(truth))
    assert set(ipywidgets.widgets.widget._instances) == before


def test_without_ground_truth_the_workbench_opens_after_a_gap() -> None:
    truth = scene.ground_truth()
    tracks = scene.tracks_with_swap(truth, 10)
    tracks = tracks[(tracks["id"] != 3) | ~tracks["frame"].isin([5, 6, 7])]
    bench = fl.widgets.Workbench(scene.images(truth), tracks=tracks, ground_truth=False)
    assert (bench.people.selected, bench.player.frame) == (3, 8)
    bench.close()


def test_nobody_tracked_is_no_error() -> None:
    truth = scene.ground_truth()
    nobody = scene.tracks_with_swap(truth, 10)[:0]
    with pytest.warns(FairMOTLabWarning, match="has no results"):
        bench = fl.widgets.Workbench(scene.images(truth), tracks=nobody, ground_truth=truth)
    assert bench.player.frame == 1
    bench.close()


def test_a_comparison_from_python_has_a_second_tracker():
    scene = fl.example()
    tracks = {"A": scene.tracks, "B": scene.tracks, "C": scene.tracks}
    for player in (
        fl.widgets.TrackPlayer(scene.source, tracks=tracks, compare_mode="split"),
        fl.widgets.TrackPlayer(scene.source, tracks=tracks),
    ):
        player.compare_mode = "split"
        assert player.compared == 1
        player.compare_mode, player.compared = "off", 2
        player.compare_mode = "overlay"
        assert player.compared == 2
        player.close()
    alone = fl.widgets.TrackPlayer(scene.source, tracks=scene.tracks, compare_mode="split")
    assert alone.compared == -1
    alone.close()


def test_curves_try_what_a_slider_can_hold():
    for tracker in map(fl.get_tracker, fl.trackers()):
        for name, setting in tracker.Settings.settings().items():
            if setting.kind != "float" or len(setting.search) < 2:
                continue
            control = thresholds._control(setting, getattr(tracker.settings, name))
            for value in curves.values_of(setting, getattr(tracker.settings, name)):
                steps = (value - control.min) / control.step
                assert abs(steps - round(steps)) < 1e-6, (tracker.name, name, value)
