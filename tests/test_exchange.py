"""What is handed to others is in their form, and what they hand back is read."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fairmot_lab as fl
from fairmot_lab.data import join_sequences
from fairmot_lab.diagnosis.oracle import oracle_detections, oracle_identities, oracle_study
from fairmot_lab.errors import EvaluationError, FairMOTLabWarning, MotFileError
from fairmot_lab.evaluation.evaluate import compute_metrics
from fairmot_lab.formats.classes import people_rows
from fairmot_lab.formats.coco import read_coco, write_coco
from fairmot_lab.formats.cvat import read_cvat, write_cvat
from fairmot_lab.formats.kitti import read_kitti, write_kitti
from fairmot_lab.formats.mot import read_mot, write_mot
from fairmot_lab.formats.motchallenge import BENCHMARKS
from fairmot_lab.formats.seqinfo import read_seqinfo
from fairmot_lab.formats.submission import write_submission
from fairmot_lab.formats.trackeval import write_trackeval
from fairmot_lab.lite.scenes import SceneConfig, write_sequence

TEST_SETS = {benchmark.name: sorted(benchmark.test) for benchmark in BENCHMARKS}


def tracks() -> pd.DataFrame:
    """Two people in three frames; the first is missed in frame 2 and has another id in frame 3."""
    rows = [(1, 5, 10.5), (3, 6, 12.0), (1, 7, 300.0), (2, 7, 301.0), (3, 7, 302.0), (3, 9, 900.0)]
    return pd.DataFrame(rows, columns=["frame", "id", "x"]).assign(y=20.0, w=40.0, h=80.0, score=0.75, class_id=1)


def truth() -> pd.DataFrame:
    rows = [(1, 1, 10.0), (2, 1, 11.0), (3, 1, 12.0), (1, 2, 300.0), (2, 2, 301.0), (3, 2, 302.0)]
    table = pd.DataFrame(rows, columns=["frame", "id", "x"]).assign(
        y=20.0, w=40.0, h=80.0, score=1.0, class_id=1, conf=1.0, visibility=0.5
    )
    table.attrs = {"sequence": "A", "length": 3, "frame_rate": 25.0, "width": 1000, "height": 200}
    return table


@pytest.mark.parametrize(("benchmark", "files"), [("MOT15", 11), ("MOT16", 7), ("MOT17", 21), ("MOT20", 4)])
def test_submission(tmp_path, benchmark, files):
    results = dict.fromkeys(TEST_SETS[benchmark], tracks())
    assert len(results) == files
    path = write_submission(results, tmp_path / "submission.zip")
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert set(archive.namelist()) == {f"{name}.txt" for name in results}
        lines = archive.read(f"{next(iter(results))}.txt").decode().split()
    assert lines[0] == "1,5,10.5,20.0,40.0,80.0,0.75,-1,-1,-1"
    assert all(line.count(",") == 9 for line in lines)
    again = write_submission(results, tmp_path / "again.zip")
    assert again.read_bytes() == path.read_bytes()


def test_submission_refuses_what_the_server_would(tmp_path):
    results = dict.fromkeys(TEST_SETS["MOT17"], tracks())
    with pytest.raises(EvaluationError, match="1 are missing: MOT17-01-SDP"):
        write_submission({k: v for k, v in results.items() if k != "MOT17-01-SDP"}, tmp_path / "a.zip")
    with pytest.raises(EvaluationError, match=r"'MOT17-01-YOLO' is not a sequence of MOT17; did you mean"):
        write_submission(results | {"MOT17-01-YOLO": tracks()}, tmp_path / "a.zip")
    with pytest.raises(EvaluationError, match="pass benchmark="):
        write_submission({"mine": tracks()}, tmp_path / "a.zip")
    with pytest.raises(MotFileError, match="tracks of MOT17-01-DPM, row 0: the box has width 0"):
        write_submission(results | {"MOT17-01-DPM": tracks().assign(w=0.0)}, tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()


def test_cvat_round_trip(tmp_path):
    path = write_cvat(truth(), tmp_path / "task.zip", labels=["person", "cart"])
    with zipfile.ZipFile(path) as archive:
        assert sorted(archive.namelist()) == ["gt/gt.txt", "gt/labels.txt"]
        assert archive.read("gt/gt.txt").decode().split()[0] == "1,1,10.0,20.0,40.0,80.0,1,1,0.5"
        archive.extractall(tmp_path / "unpacked")
    for place in (path, tmp_path / "unpacked"):
        table = read_cvat(place)
        assert table.attrs["classes"] == {1: "person", 2: "cart"}
        expected = truth().sort_values(["frame", "id"], ignore_index=True)
        pd.testing.assert_frame_equal(table[list(expected)], expected, check_exact=True)
    # tracks have neither ignored boxes nor visibility; class 0 would have no label
    for class_id in (-1, 0, 1):
        table = read_cvat(write_cvat(tracks().assign(class_id=class_id), tmp_path / "tracks.zip"))
        assert (table["class_id"] == 1).all()
        assert table.attrs["classes"] == {1: "person"}
    with pytest.raises(EvaluationError, match="Class 2 has no label"):
        write_cvat(tracks().assign(class_id=2), tmp_path / "tracks.zip", labels=["person"])


def test_cvat_that_is_not_one(tmp_path):
    with pytest.raises(MotFileError, match="does not exist"):
        read_cvat(tmp_path / "a.zip")
    (tmp_path / "a.zip").write_text("no zip")
    with pytest.raises(MotFileError, match="is not a zip file"):
        read_cvat(tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("readme", "")
    with pytest.raises(MotFileError, match=r"b\.zip holds no gt/gt\.txt"):
        read_cvat(tmp_path / "b.zip")
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("gt/gt.txt", "1,1,1,1,5,nan,1,1,1\n")
    with pytest.raises(MotFileError, match=r"c\.zip.gt.gt\.txt, line 1"):
        read_cvat(tmp_path / "c.zip")


def test_trackeval_layout(tmp_path):
    folder = write_trackeval({"A": tracks()}, {"A": truth()}, tmp_path, tracker="mine")
    assert (folder / "gt" / "seqmaps" / "MOT17-train.txt").read_text() == "name\nA\n"
    info = read_seqinfo(folder / "gt" / "MOT17-train" / "A")
    assert (info.length, info.frame_rate, info.width) == (3, 25.0, 1000)
    written = read_mot(folder / "gt" / "MOT17-train" / "A" / "gt" / "gt.txt", "ground_truth")
    assert len(written) == 6
    result = fl.evaluate(
        folder / "trackers" / "MOT17-train" / "mine", folder / "gt" / "MOT17-train", evaluator="trackeval"
    )
    assert result.overall["num_objects"] == 6
    with pytest.raises(EvaluationError, match="tracks of B have no ground truth"):
        write_trackeval({"B": tracks()}, {"A": truth()}, tmp_path)
    with pytest.raises(EvaluationError, match="benchmark='MOT15'"):
        write_trackeval({"A": tracks()}, {"A": truth().assign(class_id=-1)}, tmp_path)


def test_writers_of_several_sequences_take_tables_of_one_and_joined_ones(tmp_path):
    one, two = tracks(), tracks().iloc[:1]
    one.attrs["sequence"] = "A"
    joined = join_sequences({"A": one, "B": two})
    assert {name: len(part) for name, part in read_coco(write_coco(one, tmp_path / "a.json")).items()} == {"A": 6}
    assert {name: len(part) for name, part in read_coco(write_coco(joined, tmp_path / "b.json")).items()} == {
        "A": 6,
        "B": 1,
    }
    folder = write_trackeval(joined, join_sequences({"A": truth(), "B": truth()}), tmp_path)
    assert (folder / "gt" / "seqmaps" / "MOT17-train.txt").read_text() == "name\nA\nB\n"
    with pytest.raises(EvaluationError, match="'A' does not say which benchmark"):
        write_submission(joined, tmp_path / "s.zip")
    for write in (write_mot, write_kitti, write_cvat):  # which hold one sequence
        with pytest.raises(MotFileError, match="holds several sequences, such as A; give those of one"):
            write(joined, tmp_path / "one.txt")


def test_trackeval_takes_the_largest_frame_and_named_classes(tmp_path):
    shuffled = truth().sort_values("x", ascending=False)
    shuffled.attrs = {"classes": {1: "person", 4: "car"}}
    folder = write_trackeval({"A": tracks().iloc[::-1]}, {"A": shuffled.iloc[::-1]}, tmp_path)
    home = folder / "gt" / "MOT17-train" / "A"
    assert read_seqinfo(home).length == 3
    assert set(read_mot(home / "gt" / "gt.txt", "ground_truth")["class_id"]) == {1}


def exported(tmp_path, made, gt, name):
    """Feed every exporter with tables of the library's own."""
    people = gt[people_rows(gt)]
    for table in (made, gt):
        zipped = read_cvat(write_cvat(table, tmp_path / "a.zip"))
        assert len(zipped) == len(table)
        kept = zipped["class_id"].map(zipped.attrs["classes"]) == "person"
        assert kept.sum() == (len(made) if table is made else len(gt[gt["class_id"].isin((1, -1, 0))]))
        back = read_coco(write_coco({name: table}, tmp_path / "a.json"))[name]
        assert np.array_equal(back[["frame", "x", "y", "w", "h"]], table[["frame", "x", "y", "w", "h"]])
    for table in (made, people):
        back = read_kitti(
            write_kitti(table, tmp_path / "a.txt", classes={-1: "Pedestrian", 0: "Pedestrian", 1: "Pedestrian"})
        )
        assert len(back) == len(table)
    write_trackeval({name: made}, {name: gt}, tmp_path / "trackeval")
    laid = tmp_path / "trackeval"
    result = fl.evaluate(laid / "trackers/MOT17-train/fairmot_lab", laid / "gt/MOT17-train", evaluator="trackeval")
    direct = fl.evaluate(made, gt, evaluator="trackeval")
    assert result.overall["hota"] == direct.overall["hota"]
    write_mot(gt, tmp_path / "gt.txt")
    again = read_mot(tmp_path / "gt.txt", "ground_truth")
    pd.testing.assert_frame_equal(again, gt, check_exact=True)


def test_exporters_take_the_demo(tmp_path):
    config = SceneConfig(length=12, frame_rate=8, people=6, nearest=120, farthest=60)
    source = fl.open_source(write_sequence(3, config, tmp_path / "demo", progress=False))
    gt = source.ground_truth
    made = gt[["frame", "id", "x", "y", "w", "h", "score"]].assign(class_id=0, det=0)
    made.attrs = {"sequence": source.name}
    exported(tmp_path, made, gt, source.name)


def test_exporters_take_mot17(tmp_path, mot17, golden):
    source = fl.open_source(mot17 / "MOT17-09-SDP")
    exported(tmp_path, read_mot(golden / "MOT17-09-FRCNN.txt").assign(class_id=0), source.ground_truth, source.name)


def test_trackeval_itself_reads_the_layout(tmp_path, mot17, golden):
    checkout = os.environ.get("FAIRMOT_LAB_TRACKEVAL")
    if not checkout or not Path(checkout).is_dir():
        pytest.skip("no TrackEval (set FAIRMOT_LAB_TRACKEVAL to a checkout)")
    name = "MOT17-09-FRCNN"
    gt = read_mot(mot17 / name / "gt" / "gt.txt", "ground_truth")
    gt.attrs |= {"length": 525}
    write_trackeval({name: read_mot(golden / f"{name}.txt")}, {name: gt}, tmp_path)
    script = (
        "import sys, trackeval as t\n"
        "d = t.datasets.MotChallenge2DBox.get_default_dataset_config()\n"
        f"d.update(GT_FOLDER=r'{tmp_path}/gt', TRACKERS_FOLDER=r'{tmp_path}/trackers', BENCHMARK='MOT17')\n"
        "e = t.Evaluator(t.Evaluator.get_default_eval_config() | dict(PLOT_CURVES=False, LOG_ON_ERROR=None))\n"
        "r, _ = e.evaluate([t.datasets.MotChallenge2DBox(d)], [t.metrics.HOTA(), t.metrics.CLEAR()])\n"
        "p = r['MotChallenge2DBox']['fairmot_lab']['COMBINED_SEQ']['pedestrian']\n"
        "print('FOUND', p['HOTA']['HOTA'].mean(), p['CLEAR']['MOTA'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        env=os.environ | {"PYTHONPATH": checkout},
        capture_output=True,
        text=True,
        check=True,
    )
    hota, mota = map(float, next(line for line in done.stdout.split("\n") if line.startswith("FOUND")).split()[1:])
    ours = fl.evaluate(golden, mot17, sequences=[name], evaluator="trackeval").overall
    assert (ours["hota"], ours["mota"]) == pytest.approx((hota, mota), abs=1e-12)


# -------------------------------------------------------------------------------------------------------- oracles


def test_oracles_by_hand():
    boxes = oracle_detections(tracks(), truth())
    # person 1 carries 5 in frame 1, is missed in 2 (5 is carried on), and carries 6 in 3
    assert boxes.sort_values(["x"])[["frame", "id", "x"]].to_numpy().tolist() == [
        [1, 5, 10], [2, 5, 11], [3, 6, 12], [1, 7, 300], [2, 7, 301], [3, 7, 302],
    ]  # fmt: skip
    identities = oracle_identities(tracks(), truth())
    assert identities.sort_values(["x"])[["frame", "x"]].to_numpy().tolist() == [
        [1, 10.5], [3, 12], [1, 300], [2, 301], [3, 302], [3, 900],
    ]  # fmt: skip
    by_place = identities.set_index(["frame", "x"])["id"]
    assert by_place[1, 10.5] == by_place[3, 12.0] == 1
    assert by_place[3, 900.0] not in (1, 2)
    study = oracle_study(tracks(), truth()).set_index("tracks")
    assert study.loc["perfect detection", ["num_misses", "num_false_positives"]].tolist() == [0, 0]
    assert study.loc["perfect detection", "num_switches"] == study.loc["tracker", "num_switches"] == 1
    assert study.loc["perfect association", "num_switches"] == 0
    assert study.loc["perfect association", "num_misses"] == study.loc["tracker", "num_misses"] == 1


def test_an_id_is_given_once_a_frame():
    # 5 moves from person 1 to person 2 while person 1 is missed: it cannot be on both
    rows = [(1, 5, 10.0), (2, 5, 301.0), (1, 7, 300.0)]
    made = pd.DataFrame(rows, columns=["frame", "id", "x"]).assign(y=20.0, w=40.0, h=80.0)
    boxes = oracle_detections(made, truth()[truth()["frame"] < 3])
    assert not boxes.duplicated(["frame", "id"]).any()
    assert boxes.set_index(["frame", "x"])["id"][2, 301.0] == 5


def test_a_protocol_that_does_not_exist_is_refused():
    for what in (oracle_detections, oracle_study, fl.evaluate_detections):
        with pytest.raises(EvaluationError, match="protocol='row' does not exist"):
            what(tracks(), truth(), protocol="row")


def test_oracles_part_the_errors_of_a_real_tracker(mot17, golden):
    name = "MOT17-09-FRCNN"
    made = read_mot(golden / f"{name}.txt")
    gt = read_mot(mot17 / name / "gt" / "gt.txt", "ground_truth")
    with warnings.catch_warnings():
        warnings.simplefilter("error", FairMOTLabWarning)
        study = oracle_study(made, gt).set_index("tracks")
    assert study.loc["tracker", "hota"] == pytest.approx(compute_metrics(made, gt)["hota"])
    assert study.loc["perfect detection", ["recall", "precision"]].tolist() == [1, 1]
    assert study.loc["perfect detection", "deta"] > study.loc["tracker", "deta"]
    assert study.loc["perfect association", "num_switches"] == 0
    assert study.loc["perfect association", "assa"] > study.loc["tracker", "assa"]
    assert study.loc["perfect detection", "hota"] < 1
    same = ["num_misses", "num_false_positives"]
    assert np.array_equal(study.loc["perfect association", same], study.loc["tracker", same])


@pytest.mark.parametrize("name", ["MOT17-09-SDP", "MOT17-05-SDP", "MOT17-02-FRCNN"])
@pytest.mark.parametrize("tracker", ["jde", "sort"])
def test_perfect_detection_has_no_more_switches_than_the_tracker(mot17, name, tracker):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FairMOTLabWarning)
        detections = fl.open_detections(mot17 / name / "det" / "det.txt")
        made = fl.track(detections, fl.get_tracker(tracker))
        study = oracle_study(made, fl.open_source(mot17 / name)).set_index("tracks")
    assert study.loc["perfect detection", "num_switches"] <= study.loc["tracker", "num_switches"]
    assert study.loc["perfect detection", "num_misses"] == 0
