"""Each class by itself, as the published protocols of KITTI, BDD100K, VisDrone and UA-DETRAC score it."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import class_scenes
import pandas as pd
import pytest

import fairmot_lab as fl
from fairmot_lab.cli import main as cli
from fairmot_lab.errors import EvaluationError, FairMOTLabWarning

GOLDEN = json.loads((Path(__file__).parent / "golden" / "classes.json").read_text(encoding="utf-8"))
NAMES = {
    "mota": "MOTA", "num_false_positives": "CLR_FP", "num_misses": "CLR_FN", "num_switches": "IDSW", "idf1": "IDF1",
    "hota": "HOTA", "deta": "DetA", "assa": "AssA",
}  # fmt: skip


def quiet(*given, **options) -> fl.Evaluation:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FairMOTLabWarning)
        return fl.evaluate(*given, **options)


@pytest.mark.parametrize("name", ["kitti", "bdd100k"])
def test_every_class_equals_trackeval(tmp_path: Path, name: str) -> None:
    """Against TrackEval's own classes for these data sets (scripts/make_class_golden.py), results in their own form."""
    truth, results = getattr(class_scenes, name)(tmp_path)
    table = quiet(results, truth, classes="all", evaluator="trackeval").per_class.set_index("class")
    assert (
        table.index.str.lower().tolist()[:2]
        == {"kitti": ["car", "pedestrian"], "bdd100k": ["pedestrian", "rider"]}[name]
    )
    for row, metrics in table.drop(index="AVERAGE").iterrows():
        expected = GOLDEN[name].get("cls_comb_det_av" if row == "OVERALL" else str(row).lower())
        for ours, theirs in NAMES.items() if expected else ():
            assert metrics[ours] == pytest.approx(expected[theirs], abs=1e-12), (row, ours)
    both = quiet(results, truth, classes="all").per_class.set_index("class")  # motmetrics follows matches differently
    assert both.loc[:, "mota"].to_numpy() == pytest.approx(table.loc[:, "mota"].to_numpy(), abs=0.02)


def test_people_of_kitti_are_those_of_its_class(tmp_path: Path) -> None:
    truth, results = class_scenes.kitti(tmp_path)
    people = {name: fl.formats.read_kitti(results / f"{name}.txt") for name in class_scenes.SEQUENCES}
    people = {name: table[table["class_id"] == 4].drop(columns=["conf"]) for name, table in people.items()}
    found = quiet(people, truth, evaluator="trackeval").overall
    for ours, theirs in NAMES.items():
        assert found[ours] == pytest.approx(GOLDEN["kitti"]["pedestrian"][theirs], abs=1e-12)


def visdrone(root: Path) -> Path:
    """A van and a pedestrian in the open; a car, three quarters of it under two regions that overlap."""
    lines = []
    for frame in (1, 2, 3):
        lines += [f"{frame},1,100,100,40,40,1,5,0,0", f"{frame},2,200,100,20,40,1,1,0,0"]
        lines += [f"{frame},3,500,100,40,40,1,4,0,0", f"{frame},4,600,300,40,40,1,4,0,0"]
        lines += [f"{frame},0,500,100,20,40,0,0,0,0", f"{frame},0,510,100,20,40,0,11,0,1"]
    path = root / "annotations" / "uav1.txt"
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def test_visdrone_drops_what_regions_and_others_cover(tmp_path: Path) -> None:
    """A third of a result lies in each of two regions, but they share most of it: it counts."""
    truth = visdrone(tmp_path)
    rows = [
        *((frame, 1, 100, 100, 40, 40, 5) for frame in (1, 2, 3)),
        *((frame, 2, 200, 100, 20, 40, 1) for frame in (1, 2)),
        *((frame, 3, 600, 300, 40, 40, 4) for frame in (1, 2, 3)),
        (1, 4, 500, 100, 40, 40, 4),  # 75 %: dropped, with the car beneath
        (2, 5, 490, 100, 75, 40, 4),  # 40 % of it: a false positive
        (3, 6, 50, 50, 20, 20, 6),  # a truck where there is none: the toolkit skips the class
        (3, 7, 50, 300, 20, 20, 10),  # a motor, which is not scored
    ]
    results = tmp_path / "uav1.txt"
    results.write_text("".join(f"{f},{i},{x},{y},{w},{h},1,{k},-1,-1\n" for f, i, x, y, w, h, k in rows))
    for evaluator in ("motmetrics", "trackeval"):
        table = quiet(results, truth, classes="all", evaluator=evaluator).per_class.set_index("class")
        assert table.index.tolist() == ["pedestrian", "car", "van", "AVERAGE", "OVERALL"]
        counts = table[["num_misses", "num_false_positives"]].to_numpy().tolist()
        assert counts == [[1, 0], [0, 1], [0, 0], [1, 1], [1, 1]]
        assert table.loc["AVERAGE", "mota"] == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    with pytest.warns(FairMOTLabWarning, match=r"uav1: 2 results are of none of these classes and do not count"):
        fl.evaluate(results, truth, classes="all")


def test_results_of_a_class_that_a_sequence_lacks_count(tmp_path: Path) -> None:
    truth = {
        name: pd.DataFrame({"frame": [1], "id": 1, "x": 0.0, "y": 0.0, "w": 9.0, "h": 9.0, "class_id": kind})
        for name, kind in (("a", 1), ("b", 3))
    }
    tracks = {name: table.assign(class_id=3) for name, table in truth.items()}
    table = quiet(tracks, truth, classes=["car"]).per_class.set_index("class")
    assert table.loc["car", ["num_false_positives", "num_misses"]].tolist() == [1, 0]


def test_the_published_classes_are_asked_for_by_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth, results = class_scenes.kitti(tmp_path)
    with pytest.warns(FairMOTLabWarning, match=r'classes="all" \(--classes all\) evaluates Car, Pedestrian, each by'):
        fl.evaluate(results / "0001.txt", truth / "0001.txt")
    assert cli.main(["evaluate", "--gt", str(truth), "--results", str(results), "--classes", "all"]) == 0
    rows = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert rows[-4:] == ["Car", "Pedestrian", "AVERAGE", "OVERALL"]


def test_results_without_classes_are_told(tmp_path: Path) -> None:
    results = tmp_path / "uav1.txt"
    results.write_text("1,1,100,100,40,40,1,-1,-1,-1\n")
    with pytest.raises(EvaluationError, match=r"The results of uav1 has class -1 \(not known\) in every row"):
        quiet(results, visdrone(tmp_path), classes="all")


def test_a_text_of_all_cameras_is_taken_as_results(tmp_path: Path) -> None:
    """AI City's ground_truth_train.txt and a submission, track1.txt: camera, id, frame, box, place in the world."""
    rows = [(camera, 7, frame, 10 * frame, 20, 30, 40) for camera in (1, 2) for frame in (1, 2, 3)]
    for name, part in (("ground_truth_train.txt", rows), ("track1.txt", rows[:-1])):
        (tmp_path / name).write_text("".join(" ".join(map(str, row)) + " -1 -1\n" for row in part))
    result = quiet(tmp_path / "track1.txt", tmp_path / "ground_truth_train.txt")
    assert result.summary.set_index("sequence")["num_misses"].to_dict() == {"c001": 0, "c002": 1, "OVERALL": 1}


def test_json_that_is_no_result_is_refused(tmp_path: Path) -> None:
    (tmp_path / "uav1.json").write_text('{"a": 1}')
    with pytest.raises(EvaluationError, match="holds no results"):
        quiet(tmp_path / "uav1.json", visdrone(tmp_path))
