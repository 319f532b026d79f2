"""Tuning: both halves apart, resumed from its storage, several objectives."""

from __future__ import annotations

import importlib
import sys

import numpy as np
import pandas as pd
import pytest
from golden_scenes import random_scene

import fairmot_lab as fl
from fairmot_lab import tuning
from fairmot_lab.detection.detections import Detections
from fairmot_lab.errors import ConfigError, PlotError

optuna = pytest.importorskip("optuna")


def write_sequence(folder, seed, frames=60):
    """A sequence folder: people with known paths, detections that miss and jitter."""
    scene = random_scene(folder.name, seed, people=8, frames=frames)
    truth = random_scene(folder.name, seed, people=8, frames=frames)
    random = np.random.default_rng(seed)
    (folder / "det").mkdir(parents=True)
    (folder / "gt").mkdir()
    rows, paths = [], []
    for frame in range(1, frames + 1):
        for box, score in zip(scene.boxes[frame - 1], scene.scores[frame - 1], strict=True):
            rows.append(f"{frame},-1,{','.join(f'{v:.2f}' for v in box)},{score:.3f}")
        for person in range(8):
            x = 40 + 100 * person + 3 * frame * np.cos(person)
            box = x, 100 + 20 * np.sin(frame / 9 + person), 40, 110
            paths.append(f"{frame},{person + 1},{','.join(f'{v:.2f}' for v in box)},1,1,1")
            if random.random() > 0.1:
                score = random.uniform(0.3, 0.95)
                rows.append(f"{frame},-1,{','.join(f'{v + random.normal(0, 2):.2f}' for v in box)},{score:.3f}")
    assert truth.name == folder.name
    (folder / "det" / "det.txt").write_text("\n".join(rows) + "\n")
    (folder / "gt" / "gt.txt").write_text("\n".join(paths) + "\n")
    (folder / "seqinfo.ini").write_text(
        f"[Sequence]\nname={folder.name}\nimDir=img1\nframeRate=25\nseqLength={frames}\nimWidth=1000\nimHeight=600\n"
        "imExt=.jpg\n"
    )
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("benchmark")
    for seed in (1, 2):
        write_sequence(root / f"SEQ-0{seed}", seed)
    return root


def test_both_halves_are_measured_apart(data):
    found = fl.tune(
        data, "bytetrack", objective="hota", trials=4, search=["track_thresh", "match_thresh"], progress=False
    )
    table = found.table
    assert table["trial"].tolist() == [-1, 0, 1, 2, 3]
    tracker = fl.get_tracker("bytetrack")
    for part, frames in (("train", (1, 31)), ("validation", (32, 60))):
        tracks = {}
        for name in ("SEQ-01", "SEQ-02"):
            half = [one for one in fl.open_detections(data / name) if frames[0] <= one.frame <= frames[1]]
            half = Detections.from_frames(half, name=name, frame_rate=25)
            tracks[name] = fl.track(half, tracker)
        expected = fl.evaluate(tracks, data, frames=frames).overall
        for metric in ("hota", "idf1", "num_switches"):
            assert table[f"{part}_{metric}"][0] == pytest.approx(expected[metric]), (part, metric)
    best = table.loc[table["train_hota"].astype(float).idxmax()]
    assert found.best.settings.track_thresh == pytest.approx(best["track_thresh"])
    assert found.best.settings.low_thresh == tracker.settings.low_thresh


def test_a_search_is_resumed_from_its_storage(data, tmp_path):
    options = {"search": {"det_thresh": (0.3, 0.7), "use_byte": [True, False]}, "progress": False}
    kept = tmp_path / "trials.log"
    first = fl.tune(data, "ocsort", trials=2, storage=kept, **options)
    second = fl.tune(data, "ocsort", trials=3, storage=kept, **options)
    pd.testing.assert_frame_equal(first.table, second.table.iloc[:3], check_flags=False)
    assert len(second.table) == 4
    with pytest.raises(ConfigError, match="holds the search of another tracker"):
        fl.tune(data, "bytetrack", trials=3, storage=kept, progress=False)


def test_a_resumed_search_is_the_one_that_was_not_stopped(data, tmp_path):
    options = {"objective": "mota", "search": ["track_thresh", "match_thresh"], "progress": False}
    fl.tune(data, "bytetrack", trials=3, storage=tmp_path / "kept.log", **options)
    resumed = fl.tune(data, "bytetrack", trials=12, storage=tmp_path / "kept.log", **options).table
    assert resumed["track_thresh"].nunique() == 13
    pd.testing.assert_frame_equal(resumed, fl.tune(data, "bytetrack", trials=12, **options).table)


def test_several_objectives_give_a_front(data):
    found = fl.tune(
        data, "bytetrack", objective=["idf1", "num_switches"], trials=6, progress=False, search=["track_thresh"]
    )
    front = found.pareto
    assert 1 <= len(front) <= len(found.table)
    for _, row in found.table.iterrows():
        beats = (front["train_idf1"] >= row["train_idf1"]) & (front["train_num_switches"] <= row["train_num_switches"])
        assert beats.any(), "every trial is beaten or equalled by one on the front"


def test_processes_and_split_by_sequence(data):
    found = fl.tune(
        data,
        "bytetrack",
        trials=4,
        n_jobs=2,
        split={"train": ["SEQ-01"], "validation": ["SEQ-02"]},
        search=["track_thresh", "second_thresh"],
        progress=False,
    )
    assert len(found.table) == 5
    importance = found.importance()
    assert set(importance.index) == {"track_thresh", "second_thresh"}
    assert importance.sum() == pytest.approx(1)


def test_settings_that_contradict_each_other_are_passed_over(data):
    found = fl.tune(
        data, "bytetrack", trials=6, search={"track_thresh": (0.1, 0.3), "low_thresh": (0.1, 0.3)}, progress=False
    )
    assert (found.table["low_thresh"] < found.table["track_thresh"]).all()


def test_mistakes_are_told(data):
    with pytest.raises(ConfigError, match="no metric 'hotta'"):
        fl.tune(data, objective="hotta", trials=1)
    with pytest.raises(ConfigError, match="match_tresh is not a setting"):
        fl.tune(data, "bytetrack", search=["match_tresh"], trials=1)
    with pytest.raises(ConfigError, match="split is 'third'"):
        fl.tune(data, "bytetrack", split="third", trials=1)
    with pytest.raises(ConfigError, match=r"split is 0\.5"):
        fl.tune(data, "bytetrack", split=0.5, trials=1)
    with pytest.raises(ConfigError, match="split names SEQ-01 in both parts"):
        fl.tune(data, "bytetrack", split={"train": "SEQ-01", "validation": "SEQ-01"}, trials=1)
    with pytest.raises(ConfigError, match="trials is 0"):
        fl.tune(data, "bytetrack", trials=0)
    with pytest.raises(ConfigError, match=r"from 0\.8 to 0\.2; give the smaller first"):
        fl.tune(data, "bytetrack", search={"track_thresh": (0.8, 0.2)}, trials=1)
    with pytest.raises(ConfigError, match="Every trial was refused: low_thresh is"):
        fl.tune(data, "bytetrack", search={"track_thresh": 0.2, "low_thresh": (0.3, 0.4)}, trials=2, progress=False)


def test_storages_that_do_not_fit(data, tmp_path):
    given: dict = {"objective": "mota", "trials": 1, "progress": False}
    kept = tmp_path / "new folder" / "trials.log"
    fl.tune(data, "sort", storage=kept, **given)
    with pytest.raises(ConfigError, match="holds the search of another range of settings"):
        fl.tune(data, "sort", search=["max_age"], storage=kept, **given)
    (tmp_path / "bad.log").write_text("hello\n")
    with pytest.raises(ConfigError, match="another protocol"):
        fl.tune(data, "sort", storage=kept, protocol="raw", **given)
    with pytest.raises(ConfigError, match="another choice of intervals"):
        fl.tune(data, "sort", storage=kept, intervals=True, **given)
    held = (tmp_path / "bad.log").read_bytes()
    for storage in (tmp_path / "bad.log", "nosuch://database"):
        with pytest.raises(ConfigError, match=f"{storage} cannot hold the trials"):
            fl.tune(data, "sort", storage=storage, **given)
    assert (tmp_path / "bad.log").read_bytes() == held


def test_without_optuna_it_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.setattr(fl, "tuning", tuning)  # both are there again after the test
    monkeypatch.delitem(sys.modules, "fairmot_lab.tuning")
    anew = importlib.import_module("fairmot_lab.tuning")  # the module, too, is imported without Optuna
    with pytest.raises(ConfigError, match=r"pip install 'fairmot-lab\[tune\]'"):
        anew.tune("x", trials=1)


def test_plots(data):
    found = fl.tune(
        data, "bytetrack", objective=["idf1", "hota"], trials=6, progress=False, search=["track_thresh", "match_thresh"]
    )
    bars = fl.plots.setting_importance(found.importance("hota"))
    assert [label.get_text() for label in bars.get_yticklabels()][-1] == found.importance("hota").index[0]
    points = fl.plots.pareto_front(found).collections[0].get_offsets()
    np.testing.assert_allclose(points, 100 * found.table[["validation_idf1", "validation_hota"]])
    with pytest.raises(PlotError, match="needs two objectives"):
        fl.plots.pareto_front(fl.tune(data, "bytetrack", trials=1, progress=False))


def test_intervals(data):
    """The table gets the ends of the intervals of each part, and the front its bars."""
    found = fl.tune(
        data, "sort", objective=["mota", "num_switches"], trials=2, progress=False, intervals=True, sequences=["SEQ-01"]
    )
    for part in ("train", "validation"):
        for metric in ("hota", "mota", "idf1", "num_switches"):
            low, value, high = (found.table[f"{part}_{metric}{end}"].astype(float) for end in ("_low", "", "_high"))
            assert (low <= value + 1e-9).all()
            assert (value <= high + 1e-9).all()
    ax = fl.plots.pareto_front(found)
    assert any(text.get_text() == "95 % intervals" for text in ax.get_legend().get_texts())
