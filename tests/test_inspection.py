"""Figures behind the views, against scenes counted by hand and independent libraries."""

from __future__ import annotations

import sys
import threading

import numpy as np
import pandas as pd
import pytest
from browser import scene
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

import fairmot_lab as fl
from fairmot_lab.boxes import iou
from fairmot_lab.diagnosis.embeddings import (
    cosine_matrix,
    embedding_distances,
    label_detections,
    project,
    similarity_map,
    switch_distances,
)
from fairmot_lab.diagnosis.peaks import detection_at, peak_table
from fairmot_lab.diagnosis.replay import evaluate_replay
from fairmot_lab.diagnosis.replay import replay as replay_of_replay
from fairmot_lab.diagnosis.tables import (
    compare_figures,
    error_lanes,
    evaluation_errors,
    records,
)
from fairmot_lab.errors import ConfigError, EvaluationError
from fairmot_lab.evaluation.names import MAIN
from fairmot_lab.evaluation.switches import compare_switches
from fairmot_lab.sources.images import crop as crop_of_images
from fairmot_lab.widgets.background import LatestWins


@pytest.fixture(scope="module")
def truth() -> pd.DataFrame:
    return scene.ground_truth()


@pytest.fixture(scope="module")
def detections(truth: pd.DataFrame) -> scene.SceneDetections:
    return scene.SceneDetections(truth)


# -- errors -----------------------------------------------------------------------------------------------------------


def test_error_boxes_and_lanes_of_a_scene_counted_by_hand(truth: pd.DataFrame) -> None:
    tracks = scene.tracks_with_swap(truth, 10)
    tracks = tracks[~((tracks["frame"] == 5) & (tracks["id"] == 4))]  # one miss
    ghost = tracks.iloc[:1].assign(frame=7, id=99, x=0.0, y=300.0, w=20.0, h=20.0, score=0.5)
    tracks = pd.concat([tracks, ghost]).sort_values("frame", ignore_index=True)
    evaluation = fl.evaluate(tracks, truth)
    errors, switches = evaluation_errors(evaluation, "scene")
    assert errors.groupby("kind").size().to_dict() == {"FP": 1, "MISS": 1, "SWITCH": 2}
    miss = errors[errors["kind"] == "MISS"].iloc[0]
    person = truth[(truth["frame"] == 5) & (truth["id"] == 4)].iloc[0]
    assert (miss["frame"], miss["id"], miss["x"], miss["h"]) == (5, 4, person["x"], person["h"])
    false_positive = errors[errors["kind"] == "FP"].iloc[0]
    assert (false_positive["id"], false_positive["w"], false_positive["score"]) == (99, 20.0, 0.5)
    lanes = error_lanes(errors, 20)
    assert lanes.sum() == 2
    assert lanes[0, 6] == 1  # the false positive, frame 7
    assert lanes[1, 4] == 1  # the miss, frame 5
    told = switches[["frame", "gt_id", "from_id", "to_id"]]
    assert told.to_numpy().tolist() == [[10, 1, 1, 2], [10, 2, 2, 1]]


def test_an_evaluation_of_other_sequences_is_refused(truth: pd.DataFrame) -> None:
    tracks = scene.tracks_with_swap(truth, 10)
    evaluation = fl.evaluate({"a": tracks, "b": tracks}, {"a": truth, "b": truth})
    assert len(evaluation_errors(evaluation, "b")[1]) == 2
    with pytest.raises(EvaluationError, match="'c' was not evaluated; give sequence= one of a, b"):
        evaluation_errors(evaluation, "c")


def test_records_hold_only_what_json_knows() -> None:
    table = pd.DataFrame({"a": [1.0, np.nan], "b": ["x", None], "c": [np.int64(3), 4], "d": [True, False]})
    assert records(table) == [
        {"a": 1, "b": "x", "c": 3, "d": True},
        {"a": None, "b": None, "c": 4, "d": False},
    ]


# -- peaks and crops --------------------------------------------------------------------------------------------------


def test_peaks_are_listed_best_first_with_their_boxes(detections: scene.SceneDetections, truth: pd.DataFrame) -> None:
    table = peak_table(detections.frame(3), top_k=2)
    assert table["rank"].tolist() == [1, 2]
    person = truth[(truth["frame"] == 3) & (truth["id"] == 1)].iloc[0]
    np.testing.assert_allclose(
        table.loc[0, ["x", "y", "w", "h"]].to_numpy(float), person[["x", "y", "w", "h"]].to_numpy(float), rtol=1e-6
    )
    box = detections.frame(3).letterbox
    centre = box.to_heatmap(np.array([person["x"] + person["w"] / 2, person["y"] + person["h"] / 2]))
    assert (table.loc[0, "cell_x"], table.loc[0, "cell_y"]) == tuple(np.floor(centre).astype(int))


def test_a_click_finds_the_best_box_under_it(detections: scene.SceneDetections) -> None:
    frame = detections.frame(1)
    x, y, w, h = frame.boxes[2]
    assert detection_at(frame, x + w / 2, y + h / 2) == 2
    assert detection_at(frame, 639, 359) is None


def test_a_crop_shows_the_box_and_is_black_outside_the_frame() -> None:
    image = np.zeros((100, 200, 3), np.uint8)
    image[20:60, 30:50] = (10, 200, 30)
    crop = crop_of_images(image, (30, 20, 20, 40), height=80, margin=0)
    assert crop.shape == (80, 40, 3)
    assert (crop == (10, 200, 30)).all()
    beyond = crop_of_images(np.full((50, 50, 3), 255, np.uint8), (-50, 0, 100, 50), height=50, margin=0)
    assert beyond.shape == (50, 100, 3)
    assert (beyond[:, :49] == 0).all()
    assert (beyond[:, 51:] == 255).all()
    far = crop_of_images(np.full((50, 50, 3), 255, np.uint8), (500, 500, 10, 20), height=40)
    assert far.shape[0] == 40
    assert not far.any()


# -- embeddings -------------------------------------------------------------------------------------------------------


def test_similarity_map_is_the_cosine_of_every_cell() -> None:
    generator = np.random.default_rng(1)
    dense, vector = generator.normal(size=(8, 5, 6)), generator.normal(size=8)
    found = similarity_map(dense, vector)
    cell = dense[:, 3, 2]
    assert found.shape == (5, 6)
    assert found[3, 2] == pytest.approx(cell @ vector / np.linalg.norm(cell) / np.linalg.norm(vector), abs=1e-6)
    np.testing.assert_allclose(cosine_matrix(dense.reshape(8, -1).T, vector[None])[:, 0], found.ravel(), atol=1e-6)


def test_detections_get_the_ids_of_the_people_they_cover(
    detections: scene.SceneDetections, truth: pd.DataFrame
) -> None:
    ids = label_detections(detections, truth)
    np.testing.assert_array_equal(ids, np.tile([1, 2, 4, 3], 20))  # by score: person 3 has the lowest
    shifted = truth.assign(x=truth["x"] + truth["w"] * 0.4)  # IoU 0.6 / 1.4
    assert (label_detections(detections, shifted) == -1).all()
    tracks = fl.track(detections, fl.JDETracker())
    by_track = label_detections(detections, tracks)
    assert (by_track[tracks["det"]] == tracks["id"]).all()
    assert (by_track >= 0).sum() == len(tracks)
    filled = fl.postprocess(tracks[tracks["frame"] != 10])  # rows that were filled in have no detection
    assert set(np.flatnonzero(label_detections(detections, filled) >= 0)) == set(filled["det"]) - {-1}


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_iou_is_symmetric_and_one_with_itself(seed: int) -> None:
    generator = np.random.default_rng(seed)
    boxes = generator.uniform(-50, 50, (6, 4))
    boxes[:, 2:] = generator.uniform(1, 40, (6, 2))
    found = iou(boxes, boxes)
    np.testing.assert_allclose(np.diag(found), 1)
    np.testing.assert_allclose(found, found.T)
    assert ((found >= 0) & (found <= 1 + 1e-12)).all()


def test_embedding_distances_against_scikit_learn() -> None:
    generator = np.random.default_rng(2)
    ids = np.repeat(np.arange(5), 8)
    frames = np.tile(np.arange(8), 5)
    vectors = generator.normal(size=(5, 6))[ids] + generator.normal(size=(40, 6))
    found = embedding_distances(vectors, ids, frames, gap=2)
    assert not found.sampled
    assert len(found.same) == 5 * 8 * 7 / 2
    assert len(found.different) == 40 * 39 / 2 - len(found.same)
    labels = np.r_[np.ones(len(found.same)), np.zeros(len(found.different))]
    expected = roc_auc_score(labels, -np.r_[found.same, found.different])
    assert found.auc == pytest.approx(expected, abs=2e-6)  # cosines are float32
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    hits = []
    for row in range(40):
        gallery = np.flatnonzero(frames == frames[row] + 2)
        if len(gallery):
            hits.append(ids[gallery[np.argmax(unit[gallery] @ unit[row])]] == ids[row])
    assert (found.rank1, found.queries) == (pytest.approx(np.mean(hits)), len(hits))
    edges, same, different = found.histogram(10)
    assert (same.sum(), different.sum(), len(edges)) == (len(found.same), len(found.different), 11)
    assert found.accepted(0.5) == (
        pytest.approx((found.same <= 0.5).mean()),
        pytest.approx((found.different <= 0.5).mean()),
    )


def test_sampled_distances_come_close_to_all_of_them() -> None:
    generator = np.random.default_rng(3)
    ids, frames = np.repeat(np.arange(10), 30), np.tile(np.arange(30), 10)
    vectors = generator.normal(size=(10, 8))[ids] + 0.7 * generator.normal(size=(300, 8))
    full = embedding_distances(vectors, ids, frames)
    part = embedding_distances(vectors, ids, frames, max_pairs=3000)
    assert part.sampled
    assert len(part.same) == len(part.different) == 3000
    assert part.auc == pytest.approx(full.auc, abs=0.02)
    again = embedding_distances(vectors, ids, frames, max_pairs=3000)
    np.testing.assert_array_equal(part.same, again.same)


def test_distances_of_nobody_are_nan() -> None:
    found = embedding_distances(np.eye(3), np.array([-1, -1, 5]), np.arange(3))
    assert np.isnan([found.auc, found.rank1, *found.accepted(0.4)]).all()


def test_pca_equals_scikit_learns() -> None:
    vectors = np.random.default_rng(4).normal(size=(60, 5)) * [5, 3, 1, 1, 1]
    found = project(vectors)
    reference = PCA(2).fit(vectors)
    expected = reference.transform(vectors)
    np.testing.assert_allclose(np.abs(found.points), np.abs(expected), rtol=1e-3, atol=1e-4)
    assert found.explained == pytest.approx(reference.explained_variance_ratio_.sum(), abs=1e-5)


def test_projections_sample_when_asked_and_refuse_what_they_do_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.random.default_rng(5).normal(size=(50, 4))
    found = project(vectors, "tsne", max_points=20)
    assert (found.points.shape, found.left_out, len(set(found.rows))) == ((20, 2), 30, 20)
    for size in (0, 1, 2):
        assert project(vectors[:size]).points.shape == (size, 2)
    with pytest.raises(ConfigError, match="choose pca, tsne or umap"):
        project(vectors, "lda")
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ConfigError, match="pip install umap-learn"):
        project(vectors, "umap")


# -- settings and figures ---------------------------------------------------------------------------------------------


def test_figures_are_compared_one_by_one() -> None:
    table = compare_figures({"mota": 0.5, "num_switches": 10}, {"mota": 0.25, "num_switches": 4})
    assert table[["metric", "difference", "better"]].values.tolist() == [["mota", -0.25, 1], ["num_switches", -6.0, -1]]


def test_switches_that_vanish_and_appear(truth: pd.DataFrame) -> None:
    early, late = (fl.evaluate(scene.tracks_with_swap(truth, frame), truth).switches for frame in (5, 12))
    changed = compare_switches(early, late)
    assert changed[["change", "frame", "gt_id"]].values.tolist() == [
        ["vanishes", 5, 1],
        ["vanishes", 5, 2],
        ["appears", 12, 1],
        ["appears", 12, 2],
    ]
    assert set(compare_switches(early, early)["change"]) == {"stays"}


def test_distances_of_switches_are_between_the_right_detections(
    detections: scene.SceneDetections, truth: pd.DataFrame
) -> None:
    tracks = scene.tracks_with_swap(truth, 10)
    evaluation = fl.evaluate(tracks, truth)
    switches = evaluation.switches
    found = switch_distances(switches, detections, tracks)
    before, after = detections.frame(9), detections.frame(10)
    for row, person in enumerate((0, 1)):  # rows by score: persons 1, 2
        expected = 1 - before.embeddings[person] @ after.embeddings[person]
        assert found[row] == pytest.approx(expected, abs=1e-3)


def test_a_replay_gives_the_figures_of_the_library(detections: scene.SceneDetections, truth: pd.DataFrame) -> None:
    tracker = fl.JDETracker(conf_thres=0.3)
    found = evaluate_replay(replay_of_replay(detections, truth, tracker), truth)
    expected = fl.evaluate(fl.track(detections, tracker), truth).summary.iloc[-1]
    for name in MAIN:
        assert found.metrics[name] == pytest.approx(expected[name], abs=1e-12), name
    assert found.evaluation is not None
    assert len(found.evaluation.switches) == expected["num_switches"]


# -- latest wins ------------------------------------------------------------------------------------------------------


def test_values_that_were_overtaken_are_never_computed() -> None:
    started, go = threading.Event(), threading.Event()
    computed, delivered = [], []

    def slow(value: int, _: object) -> int:
        computed.append(value)
        started.set()
        go.wait(10)
        return value * 10

    work = LatestWins([slow], lambda stage, value, result: delivered.append((value, result)), lambda *_: None)
    work.submit(0)
    assert started.wait(10)
    for value in range(1, 100):
        work.submit(value)
    go.set()
    assert work.wait(10)
    work.close()
    assert computed == [0, 99]
    assert delivered == [(0, 0), (99, 990)]


def test_a_newer_value_takes_over_between_stages_and_errors_are_handed_on() -> None:
    hold, inside = threading.Event(), threading.Event()
    log: list[object] = []

    def first(value: int, _: object) -> int:
        if value == 1:
            inside.set()
            hold.wait(10)
        if value == 3:
            raise ConfigError("no")
        return value

    work = LatestWins(
        [first, lambda value, result: result + 100],
        lambda stage, value, result: log.append((stage, result)),
        lambda value, error: log.append((value, str(error))),
    )
    work.submit(1)
    assert inside.wait(10)
    work.submit(2)
    hold.set()
    assert work.wait(10)
    assert log == [(0, 1), (0, 2), (1, 102)]
    work.submit(3)
    assert work.wait(10)
    assert log[-1] == (3, "no")
    work.submit(4)
    assert work.wait(10)
    assert log[-1] == (1, 104)
    work.close()
    work.submit(5)
    assert work.wait(10)
    assert log[-1] == (1, 104)
