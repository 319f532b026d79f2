"""Sweeps: the same rows however the work is spread, killed, or resumed."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from crowds import crowd

import fairmot_lab as fl
from fairmot_lab import sweeps
from fairmot_lab._files import lock
from fairmot_lab.cli import main as cli
from fairmot_lab.errors import ConfigError, DetectionsError, EvaluationError, FairMOTLabWarning, TrackingError
from fairmot_lab.evaluation.switches import _partners
from fairmot_lab.formats.mot import write_mot

pytestmark = pytest.mark.filterwarnings("ignore:These detections have no embeddings")


def make_sequence(folder, *, people, frames, seed):
    """A MOTChallenge sequence whose detections are those of a crowd, and whose ground truth is how it truly walked."""
    truth = crowd(people, frames, dimension=0, missed=0, seed=seed)
    random = np.random.default_rng(seed)
    frame = np.repeat(truth.frames, np.diff(truth.offsets))
    table = pd.DataFrame(truth.boxes.astype(float), columns=["x", "y", "w", "h"])
    table.insert(0, "frame", frame)
    table.insert(1, "id", np.tile(np.arange(1, people + 1), frames))
    # everybody is unseen now and then for 8 frames, and boxes are rough: ids are lost, and found with some settings
    hidden = random.random((frames, people)) < 0.03
    for _ in range(7):
        hidden[1:] |= hidden[:-1] & (random.random((frames - 1, people)) < 0.9)
    seen = table[~hidden.ravel()].copy()
    seen[["x", "y"]] += random.normal(0, 12, (len(seen), 2))
    seen["score"] = random.uniform(0.2, 1, len(seen)).round(3)
    seen["id"] = -1
    (folder / "gt").mkdir(parents=True)
    (folder / "det").mkdir()
    gt = table.assign(conf=1, class_id=1, visibility=1.0)
    gt.to_csv(folder / "gt" / "gt.txt", header=False, index=False, float_format="%.3f")
    seen[["frame", "id", "x", "y", "w", "h", "score"]].to_csv(folder / "det" / "det.txt", header=False, index=False)
    (folder / "seqinfo.ini").write_text(
        f"[Sequence]\nname={folder.name}\nimDir=img1\nframeRate=30\nseqLength={frames}\n"
        "imWidth=1920\nimHeight=1080\nimExt=.jpg\n"
    )
    return folder


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    folder = tmp_path_factory.mktemp("train")
    make_sequence(folder / "ONE", people=20, frames=60, seed=1)
    make_sequence(folder / "TWO", people=25, frames=40, seed=2)
    return folder


def same_rows(table, other):
    pd.testing.assert_frame_equal(table.drop(columns="seconds"), other.drop(columns="seconds"))


GRID = {"conf_thres": [0.3, 0.5, 0.7], "ppdet_quirks": [False, True]}


def test_each_row_is_what_track_and_evaluate_give(tree):
    table = fl.sweep(tree, None, GRID, ground_truth=tree, progress=False)
    assert list(table.columns[:4]) == ["setting", "conf_thres", "ppdet_quirks", "sequence"]
    assert table.sequence.tolist() == ["ONE", "TWO", "OVERALL"] * 6
    assert table.attrs["tracker"] == "jde"
    assert table.attrs["settings"]["track_buffer"] == 30
    for number, (conf, quirks) in enumerate((c, q) for c in GRID["conf_thres"] for q in GRID["ppdet_quirks"]):
        tracker = fl.JDETracker(conf_thres=conf, ppdet_quirks=quirks)
        tracks = {name: fl.track(fl.open_detections(tree / name), tracker) for name in ("ONE", "TWO")}
        summary = fl.evaluate(tracks, tree).summary
        rows = table[table.setting == number].reset_index(drop=True)
        assert set(rows.conf_thres) == {conf}
        assert set(rows.ppdet_quirks) == {quirks}
        pd.testing.assert_frame_equal(rows[summary.columns], summary, check_dtype=False)
    assert table.num_switches.nunique() > 1, "the settings matter"


def test_one_sequence_gives_one_row_per_setting(tree):
    table = fl.sweep(fl.open_detections(tree / "ONE"), None, {"conf_thres": "0.2:0.6:0.2"}, progress=False)
    assert table.conf_thres.tolist() == [0.2, 0.4, 0.6]
    assert table.sequence.tolist() == ["OVERALL"] * 3
    assert table.attrs["sequences"] == ["ONE"]
    detections = {name: fl.open_detections(tree / name) for name in ("ONE", "TWO")}
    both = fl.sweep(
        detections, None, {"conf_thres": [0.2, 0.4, 0.6]}, ground_truth=tree, sequences=["ONE"], progress=False
    )
    same_rows(table, both)


def test_ground_truth_as_tables_and_outputs_in_memory(tree):
    source = fl.read_mot(tree / "ONE" / "gt" / "gt.txt", kind="ground_truth")
    table = fl.sweep(fl.open_detections(tree / "ONE"), None, GRID, ground_truth=source, protocol="raw", progress=False)
    same_rows(table, fl.sweep([tree / "ONE"], None, GRID, protocol="raw", progress=False))


def test_processes_give_the_rows_of_the_serial_run(tree):
    serial = fl.sweep(tree, None, GRID, progress=False)
    same_rows(serial, fl.sweep(tree, None, GRID, n_jobs=2, progress=False))


def test_a_dask_cluster_that_loses_a_worker_gives_the_rows_of_the_serial_run(tree, tmp_path):
    distributed = pytest.importorskip("distributed")
    grid = {"conf_thres": "0.2:0.75:0.05", "track_buffer": [5, 30]}
    serial = fl.sweep(tree, None, grid, progress=False)
    file = tmp_path / "rows.jsonl"
    killed = []

    def kill_one(pids):
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline and not killed:
            if file.exists() and len(file.read_text().splitlines()) > 4:
                os.kill(pids[0], signal.SIGKILL)
                killed.append(len(file.read_text().splitlines()) - 1)
            time.sleep(0.02)

    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        pids = list(client.run(os.getpid).values())
        assert len(set(pids)) == 2
        watcher = threading.Thread(target=kill_one, args=(pids,))
        watcher.start()
        with joblib.parallel_config(backend="dask"):
            spread = fl.sweep(tree, None, grid, file=file, progress=False)
        watcher.join()
        assert killed, "the sweep ended before a worker could be killed"
        assert killed[0] < len(serial) // 3, "the worker died in the middle"
        assert pids[0] not in client.run(os.getpid).values()
    same_rows(serial, spread)


def test_a_sweep_that_was_killed_goes_on(tree, tmp_path, monkeypatch):
    file = tmp_path / "rows.jsonl"
    whole = fl.sweep(tree, None, GRID, file=file, progress=False)
    lines = file.read_text().splitlines(keepends=True)
    assert len(lines) == 1 + 6
    file.write_text("".join(lines[:4]) + lines[4][:30])  # killed while the fourth row was written
    ran = []
    run = sweeps._run
    monkeypatch.setattr(sweeps, "_run", lambda packed, key, *rest: ran.append(key) or run(packed, key, *rest))
    pd.testing.assert_frame_equal(
        fl.sweep(tree, None, GRID, file=file, progress=False).drop(columns="seconds"), whole.drop(columns="seconds")
    )
    assert len(ran) == 3
    assert all(json.loads(line) for line in file.read_text().splitlines())
    more = fl.sweep(tree, None, {"conf_thres": [0.3, 0.4], "ppdet_quirks": [False]}, file=file, progress=False)
    assert len(ran) == 4, "a wider grid takes the rows that are there"
    assert len(more) == 2 * 3


def test_the_best_of_several_trackers_is_the_one_that_was_measured(tree):
    base = fl.ByteTrackTracker(track_thresh=0.35)
    table = fl.sweep(tree, base, [{"track_thresh": 0.5}, {"tracker": "sort"}, {"tracker": "bytetrack"}], progress=False)
    overall = table[table["sequence"] == "OVERALL"]
    assert overall["tracker"].tolist() == ["bytetrack", "sort", "bytetrack"]
    assert overall["track_thresh"].fillna(-1).tolist() == [0.5, -1, 0.35]
    for row, wanted in enumerate((base.replace(track_thresh=0.5), fl.SORTTracker(), base)):
        one = table[table["setting"] == row]
        one.attrs = table.attrs
        assert fl.best_tracker(one).to_dict() == wanted.to_dict()


def test_a_table_of_an_unknown_tracker_needs_its_name(tree, tmp_path):
    fl.sweep(tree, "bytetrack", {"track_thresh": [0.5]}, progress=False).to_csv(tmp_path / "rows.csv", index=False)
    table = pd.read_csv(tmp_path / "rows.csv")
    with pytest.raises(ConfigError, match="does not say which tracker"):
        fl.best_tracker(table)
    assert fl.best_tracker(table, tracker="bytetrack").settings.track_thresh == 0.5


def test_a_file_of_somebody_else_is_left_as_it_is(tree, tmp_path):
    mine = tmp_path / "mine.txt"
    mine.write_text("no line ends here")
    with pytest.raises(ConfigError, match="does not belong to this sweep"):
        fl.sweep(tree / "ONE", None, {"conf_thres": [0.3]}, file=mine, progress=False)
    assert mine.read_text() == "no line ends here"
    rows = tmp_path / "rows.jsonl"
    arguments = ["sweep", str(tree / "ONE"), "--set", "conf_thres=.3", "--file", str(rows), "--csv", str(rows)]
    assert cli.main(arguments) == 2
    assert not rows.exists()
    fl.sweep(tree / "ONE", None, {"conf_thres": [0.3]}, file=rows, progress=False)
    rows.write_text(rows.read_text()[:40])  # killed in its first line
    assert len(fl.sweep(tree / "ONE", None, {"conf_thres": [0.3]}, file=rows, progress=False))


def test_one_sweep_writes_to_a_file(tree, tmp_path):
    file = tmp_path / "new" / "rows.jsonl"
    file.parent.mkdir()
    with (
        lock(file, "held"),
        pytest.raises(ConfigError, match=r"Another sweep writes to .*rows\.jsonl; wait for it, or name another file"),
    ):
        fl.sweep(tree / "ONE", None, {"conf_thres": [0.3]}, file=file, progress=False)
    assert not file.exists()
    fl.sweep(tree / "ONE", None, {"conf_thres": [0.3]}, file=file, progress=False)
    assert sorted(one.name for one in file.parent.iterdir()) == ["rows.jsonl"]


def test_a_file_of_another_sweep_is_refused(tree, tmp_path):
    file = tmp_path / "rows.jsonl"
    fl.sweep(tree / "ONE", None, {"conf_thres": [0.3]}, file=file, progress=False)
    held = file.read_text()
    with pytest.raises(ConfigError, match="material and sequences differ"):
        fl.sweep(tree / "TWO", None, {"conf_thres": [0.3]}, file=file, progress=False)
    with pytest.raises(ConfigError, match="protocol differ"):
        fl.sweep(tree / "ONE", None, {"conf_thres": [0.3]}, protocol="raw", file=file, progress=False)
    assert file.read_text() == held
    (tmp_path / "notes.txt").write_text("1,2,3\n")
    with pytest.raises(ConfigError, match="does not belong to this sweep"):
        fl.sweep(tree / "ONE", None, {"conf_thres": [0.3]}, file=tmp_path / "notes.txt", progress=False)
    assert (tmp_path / "notes.txt").read_text() == "1,2,3\n"


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ({}, "no setting"),
        ({"conf_thres": []}, "no values"),
        ({"conf_thres": [0.3, 1.3]}, "conf_thres is 1.3"),
        ({"conf": [0.3]}, "did you mean conf_thres"),
        ({"conf_thres": "0.3:0.1:0.1"}, "first:last:step"),
        ({"conf_thres": "low"}, "cannot be read"),
        ({"ppdet_quirks": "maybe"}, "true,false"),
        ([{"track_buffer": -1}], "track_buffer is -1"),
    ],
)
def test_a_wrong_grid_is_refused_before_anything_runs(tree, grid, words, monkeypatch):
    monkeypatch.setattr(sweeps, "_run", None)
    with pytest.raises(ConfigError, match=words):
        fl.sweep(tree, None, grid, progress=False)


def test_missing_inputs_are_named(tree, tmp_path):
    with pytest.raises(EvaluationError, match="'THREE' has no detections; there is ONE, TWO"):
        fl.sweep(tree, None, GRID, sequences=["THREE"], progress=False)
    with pytest.raises(DetectionsError, match="Two sequences are called ONE"):
        fl.sweep([tree / "ONE", tree / "TWO", tree / "ONE"], None, GRID, progress=False)
    alone = tmp_path / "det.txt"
    alone.write_text((tree / "ONE" / "det" / "det.txt").read_text())
    with pytest.raises(EvaluationError, match=r"no gt/gt.txt next to"):
        fl.sweep(alone, None, GRID, progress=False)
    odd = make_sequence(tmp_path / "ODD", people=3, frames=5, seed=0)
    (odd / "det" / "det.txt").write_text("1,-1,10,10,40,100,3.5\n")
    with pytest.raises(TrackingError, match="ODD: Frame 1, detection 0 has the score 3"):
        fl.sweep(odd, None, GRID, progress=False)


def test_values_from_text():
    declared = fl.JDETracker.Settings.settings()
    for name, text, values in (
        ("conf_thres", ".3, .4,.5", [0.3, 0.4, 0.5]),
        ("conf_thres", "0.1:0.4:0.1", [0.1, 0.2, 0.3, 0.4]),
        ("track_buffer", "10:30:10", [10, 20, 30]),
        ("ppdet_quirks", "true,false", [True, False]),
        ("metric_type", "cosine,euclidean", ["cosine", "euclidean"]),
    ):
        assert sweeps.values_from_text(declared[name], text) == values


def test_random_search_draws_from_declared_ranges_and_is_seeded():
    names = ["conf_thres", "track_buffer", "metric_type", "low_conf_thres"]
    drawn = sweeps.random_search(names, 200, seed=1, tracker="ppdet_byte")
    assert drawn == sweeps.random_search(names, 200, seed=1, tracker="ppdet_byte")
    assert drawn != sweeps.random_search(names, 200, seed=2, tracker="ppdet_byte")
    declared = fl.PPDetByteTracker.Settings.settings()
    for name in ("conf_thres", "track_buffer", "low_conf_thres"):
        values = [one[name] for one in drawn]
        low, high = declared[name].search
        assert low <= min(values) < low + 0.1 * (high - low)
        assert high - 0.1 * (high - low) < max(values) <= high
    assert {one["metric_type"] for one in drawn} == {"cosine", "euclidean"}
    assert all(fl.PPDetByteTracker(**one) for one in drawn), "combinations that are refused are drawn again"
    own = sweeps.random_search({"conf_thres": (0.5, 0.6), "track_buffer": [10, 20, 40]}, 50)
    assert {one["track_buffer"] for one in own} == {10, 20, 40}
    assert all(0.5 <= one["conf_thres"] <= 0.6 for one in own)
    with pytest.raises(ConfigError, match="only 0 are valid"):
        sweeps.random_search({"low_conf_thres": [0.5]}, 3, tracker="ppdet_byte")


def test_best_tracker(tree):
    table = fl.sweep(tree, fl.JDETracker(track_buffer=7), GRID, progress=False)
    overall = table[table.sequence == "OVERALL"]
    best = overall.loc[overall.num_switches.idxmin()]
    found = fl.best_tracker(table, "num_switches")
    assert (
        found.to_dict()
        == fl.JDETracker(conf_thres=best.conf_thres, ppdet_quirks=bool(best.ppdet_quirks), track_buffer=7).to_dict()
    )
    with pytest.raises(ConfigError, match="no column speed"):
        fl.best_tracker(table, "speed")


def test_trackers_of_several_kinds_in_one_sweep(tree):
    tried = [fl.JDETracker(conf_thres=0.5), fl.PPDetByteTracker(low_conf_thres=0.1)]
    table = fl.sweep(tree, None, tried, progress=False)
    overall = table[table.sequence == "OVERALL"]
    assert overall.tracker.tolist() == ["jde", "ppdet_byte"]
    for row, tracker in zip(overall.itertuples(), tried, strict=True):
        tracks = {name: fl.track(fl.open_detections(tree / name), tracker) for name in ("ONE", "TWO")}
        assert fl.evaluate(tracks, tree).overall["idf1"] == row.idf1
    best = tried[int(overall.idf1.to_numpy().argmax())]
    assert fl.best_tracker(table, "idf1").to_dict() == best.to_dict()


def test_compare_settings_names_the_switches_that_change(tree):
    first, second = fl.JDETracker(), fl.JDETracker(track_buffer=2, match_thres=0.5)
    table = fl.compare_settings(fl.open_detections(tree / "ONE"), first, second)
    keys = []
    for tracker in (first, second):
        switches = fl.evaluate(fl.track(fl.open_detections(tree / "ONE"), tracker), tree / "ONE").switches
        keys.append(set(zip(switches.gt_id, switches.frame, strict=True)))
    for change, expected in {
        "vanishes": keys[0] - keys[1],
        "appears": keys[1] - keys[0],
        "stays": keys[0] & keys[1],
    }.items():
        rows = table[table.change == change]
        assert set(zip(rows.gt_id, rows.frame, strict=True)) == expected
        assert table.attrs["counts"][change] == len(expected)
    assert table.attrs["counts"]["appears"] > 0
    summary = table.attrs["summary"]
    assert [summary[which]["num_switches"] for which in ("first", "second")] == [len(key) for key in keys]
    loose = fl.compare_settings(tree / "ONE", first, second.to_dict(), tolerance=1000)
    people = [sorted(gt_id for gt_id, _ in key) for key in keys]
    shared = sum(min(people[0].count(one), people[1].count(one)) for one in set(people[0]))
    assert loose.attrs["counts"]["stays"] == shared


def test_partners_are_the_nearest_in_time():
    before = pd.DataFrame({"sequence": "A", "gt_id": [1, 1, 2], "frame": [10, 14, 30]})
    after = pd.DataFrame({"sequence": "A", "gt_id": [1, 2, 3], "frame": [13, 40, 10]})
    assert _partners(before, after, 5).tolist() == [-1, 0, -1]
    assert _partners(before, after, 0).tolist() == [-1, -1, -1]


def test_command_line(tree, tmp_path, capsys):
    csv = tmp_path / "table.csv"
    arguments = [
        "sweep",
        str(tree),
        "--gt",
        str(tree),
        "--set",
        "conf_thres=.3,.5",
        "--set",
        "low_conf_thres=.1",
        "--tracker",
        "ppdet_byte",
        "--quiet",
    ]
    assert cli.main([*arguments, "--csv", str(csv)]) == 0
    expected = fl.sweep(tree, "ppdet_byte", {"conf_thres": [0.3, 0.5], "low_conf_thres": [0.1]}, progress=False)
    written = pd.read_csv(csv)
    np.testing.assert_allclose(written.idf1, expected.idf1, rtol=1e-12)
    assert written.sequence.tolist() == expected.sequence.tolist()
    assert "OVERALL" in capsys.readouterr().out
    assert cli.main(["sweep", str(tree), "--set", "conf_thres", "--random", "2", "--quiet"]) == 0
    for wrong, word in (
        (["--set", "conf_thres=7"], "conf_thres is 7"),
        (["--set", "conf_thres"], "cannot be read"),
        ([], "No setting is given"),
        (["--set", "conf_thres=.3", "--set", "conf_thres=.4"], "set twice"),
        (["--set", "low_conf_thres=.1"], "low_conf_thres is not a setting"),
        (["--tracker", "nobody", "--set", "conf_thres=.3"], "no tracker 'nobody'"),
    ):
        capsys.readouterr()
        assert cli.main(["sweep", str(tree), *wrong]) == 2
        error = capsys.readouterr().err
        assert word in error
        assert error.count("\n") == 1


def test_it_says_when_there_are_no_embeddings(tree):
    with pytest.warns(FairMOTLabWarning, match="no embeddings"):
        fl.sweep(tree / "ONE", None, {"conf_thres": [0.3]}, progress=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fl.sweep(tree / "ONE", "ppdet_byte", {"conf_thres": [0.3]}, progress=False)


def test_results_written_from_the_best_settings_score_as_the_table_says(tree, tmp_path):
    table = fl.sweep(tree / "ONE", None, GRID, progress=False)
    tracks = fl.track(fl.open_detections(tree / "ONE"), fl.best_tracker(table, "idf1"))
    write_mot(tracks, tmp_path / "ONE.txt")
    assert fl.evaluate(tmp_path / "ONE.txt", tree / "ONE").overall["idf1"] == table.idf1.max()


def test_combinations_that_contradict_themselves_are_left_out_and_counted(tree):
    grid = {"conf_thres": [0.2, 0.4], "low_conf_thres": [0.1, 0.3]}
    with pytest.warns(
        FairMOTLabWarning, match=r"1 of 4 combinations contradict themselves and are left out: conf_thres=0"
    ):
        table = fl.sweep(tree / "ONE", "ppdet_byte", grid, progress=False)
    assert table.attrs["left_out"] == [{"conf_thres": 0.2, "low_conf_thres": 0.3}]
    assert table["setting"].nunique() == 3
    with pytest.raises(ConfigError, match="Every combination of the grid is refused"):
        fl.sweep(tree / "ONE", "ppdet_byte", {"conf_thres": [0.2], "low_conf_thres": [0.3]}, progress=False)
    with pytest.raises(ConfigError, match="conf_thres is 7; it must lie from 0 to 1"):
        fl.sweep(tree / "ONE", "ppdet_byte", {"conf_thres": [0.2, 7]}, progress=False)


def test_a_worker_that_dies_is_told_in_one_sentence(tree, tmp_path, monkeypatch):
    class BrokenProcessPool(RuntimeError):
        pass

    def dies(*_):
        raise BrokenProcessPool("killed")

    monkeypatch.setattr(sweeps, "_run", dies)
    with pytest.raises(
        ConfigError, match=r"A worker process of the sweep died .*0 of 2 settings .*kept in .*rows\.jsonl"
    ):
        fl.sweep(tree / "ONE", None, {"conf_thres": [0.3, 0.4]}, file=tmp_path / "rows.jsonl", progress=False)


def test_intervals_are_those_of_compare(tree, tmp_path):
    """Of each sequence and overall; a file of a sweep without intervals is another sweep's."""
    settings = {"grid": {"conf_thres": [0.3, 0.5]}, "progress": False, "file": tmp_path / "rows.jsonl"}
    table = fl.sweep(tree, "sort", {"max_age": [1, 5]}, progress=False, intervals=True)
    assert table["sequence"].tolist() == ["ONE", "TWO", "OVERALL"] * 2
    tracks = {
        one.name: fl.track(one, fl.get_tracker("sort", max_age=5)) for one in map(fl.open_detections, _dets(tree))
    }
    found = fl.compare({"": fl.evaluate(tracks, tree)}).metrics.set_index(["sequence", "metric"])
    for row in table[table["setting"] == 1].itertuples():
        for metric in ("mota", "hota", "num_switches"):
            expected = found.loc[(row.sequence, metric)]
            ends = getattr(row, f"{metric}_low"), getattr(row, f"{metric}_high")
            assert ends == pytest.approx((expected["low"], expected["high"]))
    ax = fl.plots.metric_against_threshold(table, "max_age", ("mota",))
    assert ax.get_title(loc="left").endswith("(95 % intervals)")
    assert len(ax.collections) == 1
    fl.sweep(tree, "jde", **settings)
    with pytest.raises(ConfigError, match="its intervals differ"):
        fl.sweep(tree, "jde", **settings, intervals=True)


def _dets(tree):
    return sorted(tree.glob("*/det/det.txt"))


def test_ground_truth_of_other_frames_is_noticed():
    scene = fl.example()
    other = scene.ground_truth.copy()
    other.attrs = {"sequence": "other", "width": 1920, "height": 1080}
    with pytest.raises(EvaluationError, match="the ground truth to frames of 1920x1080"):
        fl.sweep(scene.detections, "jde", {"conf_thres": [0.4]}, ground_truth=other, progress=False)
    scene.detections.name, other.attrs = "MOT17-09-SDP", {"sequence": "MOT17-10-SDP"}
    with pytest.raises(EvaluationError, match="detections are of MOT17-09-SDP, the ground truth of MOT17-10-SDP"):
        fl.sweep(scene.detections, "jde", {"conf_thres": [0.4]}, ground_truth=other, progress=False)
    named = {"MOT17-09-SDP": other}  # as the message says
    assert len(fl.sweep(scene.detections, "jde", {"conf_thres": [0.4]}, ground_truth=named, progress=False)) == 1
    elsewhere = scene.ground_truth.assign(x=scene.ground_truth["x"] + 5000)
    elsewhere.attrs = {}
    with pytest.warns(FairMOTLabWarning, match="Not one result of any setting matches"):
        fl.sweep(scene.detections, "jde", {"conf_thres": [0.4]}, ground_truth=elsewhere, progress=False, n_jobs=1)
