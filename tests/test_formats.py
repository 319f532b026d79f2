"""Every format of labels: read by its published description, found by content, written back equal."""

from __future__ import annotations

import gzip
import json
import random
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fairmot_lab as fl
from fairmot_lab.errors import EvaluationError, FairMOTLabError, FairMOTLabWarning, MotFileError
from fairmot_lab.formats import FORMATS, read_coco, read_cvat, read_kitti, write_coco, write_cvat, write_kitti
from fairmot_lab.formats.aicity import read_aicity
from fairmot_lab.formats.classes import ignored_rows, motchallenge_classes, people_rows
from fairmot_lab.formats.labels import find_labels, frames_beside, label_files, labels_beside, read_labels, recognise
from fairmot_lab.formats.mot import write_mot
from fairmot_lab.formats.mots import mask_box
from fairmot_lab.formats.trackeval import write_trackeval

BOX = ["frame", "id", "x", "y", "w", "h"]

# Two people and a car in two frames, as each data set would publish them.
PEOPLE = [[1, 1, 100, 50, 30, 80], [1, 2, 200, 60, 30, 80], [2, 1, 102, 50, 30, 80], [2, 2, 203, 60, 30, 80]]
CAR = [[1, 3, 300, 100, 90, 60], [2, 3, 310, 100, 90, 60]]


def encode(mask: np.ndarray) -> str:
    """COCO's compressed run lengths, written from their description: runs down the columns, 5 bits a character."""
    flat = mask.flatten(order="F").astype(int)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flat, [1 - flat[-1]]))))
    runs = np.diff(np.concatenate(([0], edges))).tolist()
    text = ""
    for index, run in enumerate(runs):
        value = run - runs[index - 2] if index > 2 else run
        more = True
        while more:
            bits = value & 31
            value >>= 5
            more = value != (-1 if bits & 16 else 0)
            text += chr((bits | 32 if more else bits) + 48)
    return text


def box_mask(x: int, y: int, w: int, h: int) -> np.ndarray:
    mask = np.zeros((400, 640), bool)
    mask[y : y + h, x : x + w] = True
    return mask


def make(root: Path, name: str) -> Path:
    """Write the scene in a format; returns what a user would give as ground truth."""
    rows = [(*row, "person") for row in PEOPLE] + [(*row, "car") for row in CAR]

    def text(path: str, lines: list[str]) -> Path:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(line + "\n" for line in lines))
        return file

    if name == "motchallenge":
        kind = {"person": 1, "car": 3}
        text("S/gt/gt.txt", [f"{f},{i},{x},{y},{w},{h},1,{kind[k]},1" for f, i, x, y, w, h, k in rows])
        text("S/seqinfo.ini", ["[Sequence]", "name=S", "frameRate=25", "seqLength=2", "imWidth=640", "imHeight=400"])
        return root
    if name == "kitti":
        kind = {"person": "Pedestrian", "car": "Car"}
        lines = [
            f"{f - 1} {i} {kind[k]} 0 0 -1.5 {x} {y} {x + w} {y + h} 1 1 1 1 1 1 1" for f, i, x, y, w, h, k in rows
        ]
        for frame in (0, 1):
            lines.append(f"{frame} -1 DontCare -1 -1 -10 500 0 600 100 -1000 -1000 -1000 -10 -1 -1 -1")
            lines.append(f"{frame} -1 DontCare -1 -1 -10 0 300 100 400 -1000 -1000 -1000 -10 -1 -1 -1")
        return text("training/label_02/0001.txt", lines).parent.parent.parent
    if name == "visdrone":
        kind = {"person": 1, "car": 4}
        lines = [f"{f},{i},{x},{y},{w},{h},1,{kind[k]},0,0" for f, i, x, y, w, h, k in rows]
        lines += [f"{f},0,{x},{y},100,100,0,0,0,0" for f in (1, 2) for x, y in ((500, 0), (0, 300))]
        return text("annotations/uav1.txt", lines).parent.parent
    if name == "detrac":
        frames = ""
        for number in (1, 2):
            targets = "".join(
                f'<target id="{i}"><box left="{x}" top="{y}" width="{w}" height="{h}"/>'
                f'<attribute vehicle_type="{"car" if k == "car" else "van"}"/></target>'
                for f, i, x, y, w, h, k in rows
                if f == number
            )
            frames += f'<frame density="3" num="{number}"><target_list>{targets}</target_list></frame>'
        region = '<ignored_region><box left="500" top="0" width="100" height="100"/></ignored_region>'
        head = (
            '<?xml version="1.0" encoding="utf-8"?><sequence name="MVI_1"><sequence_attribute camera_state="stable"/>'
        )
        return text("DETRAC-Train-Annotations-XML/MVI_1.xml", [head + region + frames + "</sequence>"])
    if name == "uavdt":
        kind = {"person": 2, "car": 1}
        lines = [f"{f},{i},{x},{y},{w},{h},1,2,{kind[k]}" for f, i, x, y, w, h, k in rows]
        text("GT/M0101_gt_whole.txt", lines)
        text("GT/M0101_gt.txt", [line.rsplit(",", 3)[0] + ",1,-1,-1" for line in lines])
        return text("GT/M0101_gt_ignore.txt", ["1,1,500,0,100,100,1,-1,-1", "2,1,500,0,100,100,1,-1,-1"]).parent.parent
    if name == "bdd100k":
        frames = [
            {
                "name": f"b1-{number:07d}.jpg", "videoName": "b1", "frameIndex": number - 1,
                "labels": [
                    {
                        "id": f"{i:08d}", "category": "pedestrian" if k == "person" else "car",
                        "attributes": {"crowd": False}, "box2d": {"x1": x, "y1": y, "x2": x + w, "y2": y + h},
                    }
                    for f, i, x, y, w, h, k in rows
                    if f == number
                ] + [{"id": "99", "category": "pedestrian", "attributes": {"crowd": True},
                      "box2d": {"x1": 500, "y1": 0, "x2": 600, "y2": 100}}],
            }
            for number in (1, 2)
        ]  # fmt: skip
        return text("labels/box_track_20/train/b1.json", [json.dumps(frames)])
    if name == "coco":
        kind = {"person": 1, "car": 3}
        content = {
            "videos": [{"id": 5, "name": "street"}],
            "images": [
                {"id": 70 + f, "video_id": 5, "frame_id": f - 1, "file_name": f"{f}.jpg", "width": 640, "height": 400}
                for f in (1, 2)
            ],
            "annotations": [
                {"id": n, "image_id": 70 + f, "track_id": i, "category_id": kind[k], "bbox": [x, y, w, h], "iscrowd": 0}
                for n, (f, i, x, y, w, h, k) in enumerate(rows, start=1)
            ],
            "categories": [{"id": 1, "name": "person"}, {"id": 3, "name": "car"}],
        }  # fmt: skip
        return text("annotations/train.json", [json.dumps(content)])
    if name == "cvat-video":
        tracks = ""
        for identity, kind in ((1, "person"), (2, "person"), (3, "car")):
            boxes = "".join(
                f'<box frame="{f - 1}" outside="0" occluded="0" keyframe="1" xtl="{x}" ytl="{y}" xbr="{x + w}" '
                f'ybr="{y + h}"/>'
                for f, i, x, y, w, h, _ in rows
                if i == identity
            )
            gone = '<box frame="2" outside="1" occluded="0" keyframe="1" xtl="1" ytl="1" xbr="2" ybr="2"/>'
            tracks += f'<track id="{identity}" label="{kind}" source="manual">{boxes}{gone}</track>'
        labels = "<labels><label><name>car</name></label><label><name>person</name></label></labels>"
        size = "<original_size><width>640</width><height>400</height></original_size>"
        head = f"<annotations><version>1.1</version><meta><task>{labels}{size}</task></meta>"
        return text("export/annotations.xml", [head + tracks + "</annotations>"]).parent
    if name == "cvat":
        kind = {"person": 2, "car": 1}
        text("task/gt/gt.txt", [f"{f},{i},{x},{y},{w},{h},1,{kind[k]},1.0" for f, i, x, y, w, h, k in rows])
        return text("task/gt/labels.txt", ["car", "person"]).parent.parent
    if name == "aicity":
        return text(
            "train/ground_truth_train.txt",
            [f"{camera} {i} {f} {x} {y} {w} {h} -1 -1" for camera in (1, 2) for f, i, x, y, w, h, _ in rows],
        )
    if name == "mots":
        kind = {"person": 2, "car": 1}
        lines = [
            f"{f - 1} {kind[k]}00{i} {kind[k]} 400 640 {encode(box_mask(x, y, w, h))}" for f, i, x, y, w, h, k in rows
        ]
        return text("instances_txt/0002.txt", lines)
    if name == "jde":
        for number in (1, 2):
            here = [row for row in PEOPLE if row[0] == number]
            text(
                f"labels_with_ids/train/S/img1/{number:06d}.txt",
                [f"0 {i} {(x + w / 2) / 640} {(y + h / 2) / 400} {w / 640} {h / 400}" for _, i, x, y, w, h in here],
            )
        info = ["[Sequence]", "name=S", "frameRate=25", "seqLength=2", "imWidth=640", "imHeight=400"]
        text("images/train/S/seqinfo.ini", info)
        return root / "labels_with_ids"
    raise AssertionError(name)


NAMES = [format.name for format in FORMATS]


def quiet_labels(path: Path, sequence: str | None = None) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FairMOTLabWarning)
        return read_labels(path, sequence)


@pytest.mark.parametrize("name", NAMES)
def test_each_format_is_found_by_content_and_read(tmp_path, name):
    path = make(tmp_path, name)
    table = quiet_labels(path, "c001" if name == "aicity" else None)
    title = next(format.title for format in FORMATS if format.name == name)
    assert table.attrs["format"] == title
    vehicles = name in ("detrac", "uavdt", "aicity", "motchallenge")
    scored = table[people_rows(table)]
    expected = sorted(PEOPLE + CAR) if vehicles and name != "motchallenge" else sorted(PEOPLE)
    found = scored[BOX].to_numpy()
    if name == "mots":
        found[:, 1] -= 2000
    assert np.allclose(sorted(found.tolist()), expected, rtol=0, atol=1e-9)
    regions = {"kitti": 4, "visdrone": 4, "detrac": 2, "uavdt": 2, "bdd100k": 2}.get(name, 0)
    assert ignored_rows(table).sum() == regions
    assert (table.loc[ignored_rows(table), "conf"] == 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_each_format_is_evaluated_as_it_is(tmp_path, name):
    truth = make(tmp_path / "truth", name)
    rows = PEOPLE + (CAR if name in ("detrac", "uavdt", "aicity") else [])
    tracks = pd.DataFrame(rows, columns=BOX).astype({side: float for side in "xywh"})
    # in a region to ignore: dropped where the format has one at that place
    extra = pd.DataFrame([[1, 50, 520.0, 10.0, 30.0, 80.0]], columns=BOX)
    results = tmp_path / "results"
    for sequence in find_labels(truth):
        write_mot(pd.concat([tracks, extra], ignore_index=True), results / f"{sequence}.txt")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FairMOTLabWarning)
        for evaluator in ("motmetrics", "trackeval"):
            overall = fl.evaluate(results, truth, evaluator=evaluator).overall
            with_region = name in ("kitti", "visdrone", "detrac", "uavdt", "bdd100k")
            sequences = 2 if name == "aicity" else 1
            assert overall["num_misses"] == 0
            assert overall["num_false_positives"] == (0 if with_region else sequences)
            assert overall["num_switches"] == 0


def test_classes_by_name_are_told():
    table = pd.DataFrame({"frame": 1, "id": range(5), "class_id": [1, 4, 5, 9, 6], "conf": [1, 1, 1, 0, 1]})
    table.attrs["classes"] = {1: "Car", 4: "Pedestrian", 5: "Person_sitting", 6: "Cyclist", 9: "DontCare"}
    assert motchallenge_classes(table).tolist() == [9, 1, 8, 0, 9]
    assert people_rows(table).tolist() == [False, True, False, False, False]
    table.attrs["classes"] = {}
    assert motchallenge_classes(table.assign(class_id=0)).tolist() == [-1] * 5  # one class, whatever its number


def test_distractors_by_name_cost_nothing(tmp_path):
    path = tmp_path / "0000.txt"
    kinds = [("Pedestrian", 100), ("Person_sitting", 200), ("Car", 300)]
    path.write_text(
        "".join(f"0 {i} {kind} 0 0 0 {x} 50 {x + 30} 130 1 1 1 1 1 1 1\n" for i, (kind, x) in enumerate(kinds))
    )
    tracks = pd.DataFrame([[1, i, float(x), 50.0, 30.0, 80.0] for i, (_, x) in enumerate(kinds)], columns=BOX)
    with pytest.warns(FairMOTLabWarning, match="1 row of Pedestrian is scored, 1 row of Car is not"):
        overall = fl.evaluate(tracks, path).overall
    assert (overall["num_objects"], overall["num_detections"], overall["num_false_positives"]) == (1, 1, 1)


def test_visibility_minus_one_is_unknown(tmp_path):
    path = tmp_path / "S.txt"
    path.write_text("1,1,100,50,30,80,1,1,-1\n2,1,100,50,30,80,1,1,0.5\n")
    table = fl.read_mot(path, "ground_truth")
    assert np.isnan(table["visibility"][0])
    assert table["visibility"][1] == 0.5
    write_mot(table, tmp_path / "again.txt")
    pd.testing.assert_frame_equal(fl.read_mot(tmp_path / "again.txt", "ground_truth"), table)
    overall = fl.evaluate(table.drop(columns=["conf", "visibility"]), table).overall
    assert overall["mota"] == 1


def test_labels_that_are_read_in_part_are_told(tmp_path):
    path = tmp_path / "S.txt"
    path.write_text("1,1,100,50,30,80,1,1,1\n1,2,200,50,30,80,0.93,1,1\n")
    tracks = pd.DataFrame(PEOPLE[:2], columns=BOX)
    with pytest.warns(FairMOTLabWarning, match=r"conf \(column 7\) lies between 0 and 1 in 1 of 2 rows, such as 0.93"):
        fl.evaluate(tracks, path)
    path.write_text("1,1,100,50,30,80,1,0,1\n1,2,200,50,30,80,1,1,1\n")
    with pytest.warns(FairMOTLabWarning, match=r"class \(column 8\) is 0 in 1 rows and above 0 in 1.*labels.txt"):
        fl.evaluate(tracks, path, protocol="raw")


def test_classes_from_0_are_named_in_labels_txt(tmp_path):
    path = tmp_path / "S" / "gt" / "gt.txt"
    path.parent.mkdir(parents=True)
    path.write_text("1,1,100,50,30,80,1,0,1\n1,2,200,60,30,80,1,1,1\n1,3,300,60,30,80,1,1,1\n")
    tracks = pd.DataFrame(PEOPLE[:1], columns=BOX)
    with pytest.raises(EvaluationError, match=r"1 of 3 rows .* \(column 8\) .* such as 0 in frame 1; name the classes"):
        fl.evaluate(tracks, tmp_path / "S")
    (path.parent / "labels.txt").write_text("person\ncar\n")
    with pytest.warns(FairMOTLabWarning, match="1 row of person is scored, 2 rows of car are not"):
        overall = fl.evaluate(tracks, tmp_path / "S").overall
    assert (overall["num_objects"], overall["num_misses"]) == (1, 0)
    (path.parent / "labels.txt").write_text("Hund\nKatze\n")
    with pytest.warns(
        FairMOTLabWarning, match="none of its classes is a person, so all are scored as one: Hund, Katze"
    ):
        assert fl.evaluate(tracks, tmp_path / "S").overall["num_objects"] == 3


def test_conf_of_one_value_throughout(tmp_path):
    path = tmp_path / "S.txt"
    tracks = pd.DataFrame(PEOPLE[:1], columns=BOX)
    path.write_text("1,1,100,50,30,80,0,1,1\n")
    with pytest.warns(FairMOTLabWarning, match=r"conf \(column 7\) is 0 in all 1 rows, so none is scored"):
        fl.evaluate(tracks, path)
    path.write_text("1,1,100,50,30,80,-1,-1,-1,-1\n")
    assert fl.evaluate(tracks, path).overall["mota"] == 1
    assert people_rows(read_labels(path)).all()
    path.write_text("1,0,100,50,30,80,0,0,1\n1,0,200,50,30,80,0,0,1\n")
    with pytest.raises(MotFileError, match="regions to ignore, as in VisDrone, give each an id"):
        fl.evaluate(tracks, path)
    path.write_text("1,1,100,50,30,80,1,1,-2\n1,0,500,0,99,99,0,0,1\n1,0,200,50,30,80,0,0,1\n")
    tracks = pd.DataFrame(PEOPLE[:2], columns=BOX)
    with (
        pytest.warns(FairMOTLabWarning, match="2 rows of class 0 with conf 0 are read as regions to ignore"),
        pytest.warns(FairMOTLabWarning, match=r"visibility \(column 9\) is below 0 in 1 of 3 rows, such as -2"),
    ):
        overall = fl.evaluate(tracks, path).overall
    assert (overall["mota"], overall["num_dropped"]) == (1, 1)
    assert read_labels(path)["id"].tolist() == [1, 2, 3]


def test_results_that_are_all_dropped_are_not_called_missing():
    table = pd.DataFrame([[1, 1, 100.0, 50.0, 30.0, 80.0]], columns=BOX)
    truth = pd.concat([table, table.assign(id=2, x=300.0)]).assign(class_id=[7, 1], conf=1.0)
    with pytest.warns(FairMOTLabWarning, match="all its 1 results lie on distractors"):
        fl.evaluate(table, truth)


def test_a_camera_of_the_ai_city_challenge(tmp_path):
    import cv2

    home = tmp_path / "train" / "S01" / "c001"
    (home / "gt").mkdir(parents=True)
    (home / "gt" / "gt.txt").write_text("".join(f"{f},{i},{x},{y},{w},{h},1,-1,-1,-1\n" for f, i, x, y, w, h in PEOPLE))
    cv2.imwrite(str(home / "roi.jpg"), np.zeros((400, 640), np.uint8))
    assert fl.check_data(tmp_path)["state"].tolist() == ["labels only"]
    video = cv2.VideoWriter(str(home / "vdo.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (640, 400))
    for _ in range(2):
        video.write(np.zeros((400, 640, 3), np.uint8))
    video.release()
    found = fl.check_data(tmp_path)
    assert found[["benchmark", "sequence", "state"]].to_numpy().tolist() == [["AI City", "c001", "complete"]]
    source = fl.open_source(home)
    assert (source.name, len(source)) == ("c001", 2)
    assert source.ground_truth.attrs["length"] == 2
    assert read_labels(tmp_path).attrs["format"] == "AI City"
    tracks = pd.DataFrame(PEOPLE, columns=BOX)
    assert fl.evaluate(tracks, source).overall["mota"] == fl.evaluate({"c001": tracks}, tmp_path).overall["mota"] == 1


def test_frames_that_nobody_labelled_are_told():
    rows = [[frame, 1, 100.0, 50.0, 30.0, 80.0] for frame in range(1, 31)]
    tracks = pd.DataFrame(rows, columns=BOX)
    truth = tracks[tracks["frame"] <= 10].copy()
    truth.attrs = {"length": 30, "sequence": "S"}
    with pytest.warns(FairMOTLabWarning, match=r"20 of 30 frames have no .* the 20 results .*--frames 1 10"):
        fl.evaluate(tracks, truth)
    strided = tracks[tracks["frame"] % 5 == 1].copy()
    strided.attrs = truth.attrs
    with warnings.catch_warnings():
        warnings.simplefilter("error", FairMOTLabWarning)
        fl.evaluate(tracks, truth, frames=(1, 10))
    with pytest.warns(FairMOTLabWarning, match="24 of 30 frames have no .*leave their results out"):
        fl.evaluate(tracks, strided)
    with warnings.catch_warnings():
        warnings.simplefilter("error", FairMOTLabWarning)
        fl.evaluate(truth, truth)  # an empty street at the end, and no results there


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (
            "a.txt",
            "Pedestrian 0.0 0 -0.2 712.4 143.0 810.7 307.9 1.9 0.5 1.2 1.8 1.5 8.4 0.0",
            "a KITTI label file of obj",
        ),
        ("a.txt", "0 0.5 0.5 0.2 0.3", "a YOLO label file"),
        ("a.xml", "<annotation><filename>a.jpg</filename></annotation>", "a Pascal VOC file"),
        ("a.json", '{"version": "5.0", "shapes": []}', "a LabelMe file"),
        ("a.json", '{"_via_settings": {}}', "a file of the VGG annotator"),
        ("a.json", '[{"image_id": 1, "bbox": [1, 2, 3, 4], "score": 0.9}]', "a list of COCO's detection results"),
    ],
)
def test_labels_for_detection_are_named(tmp_path, name, content, words):
    (tmp_path / name).write_text(content + "\n")
    with pytest.raises(MotFileError, match=f"is {words}.*have no identities"):
        read_labels(tmp_path / name)


def test_a_table_of_numbers_may_be_called_csv(tmp_path):
    (tmp_path / "S.csv").write_text("1,1,100,50,30,80,1,1,1\n")
    assert len(read_labels(tmp_path / "S.csv")) == 1
    (tmp_path / "S.csv").write_text("frame,id,x,y,w,h\n1,1,100,50,30,80\n")
    with pytest.raises(MotFileError, match="looks like a header"):
        read_labels(tmp_path / "S.csv")


@pytest.mark.parametrize("name", ["a.json", "a.xml", "a.txt"])
def test_utf16_is_named(tmp_path, name):
    (tmp_path / name).write_bytes('{"images": []}'.encode("utf-16"))
    with pytest.raises(MotFileError, match=rf"{name} is text in UTF-16; save it as UTF-8"):
        read_labels(tmp_path / name)


def test_results_and_labels_in_unexpected_places(tmp_path):
    truth = make(tmp_path / "truth", "motchallenge")
    tracks = pd.DataFrame(PEOPLE, columns=BOX)
    write_mot(tracks, tmp_path / "trk" / "data" / "S.txt")
    (tmp_path / "trk" / "pedestrian_summary.txt").write_text("HOTA DetA\n1 2\n")
    assert fl.evaluate(tmp_path / "trk", truth).overall["num_misses"] == 0
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "trk").symlink_to(tmp_path / "trk")
    with pytest.raises(EvaluationError, match=r"holds no result file.* folder of one tracker, such as .*trk"):
        fl.evaluate(tmp_path / "all", truth)
    (tmp_path / "trk" / "data").rename(tmp_path / "elsewhere")
    with pytest.raises(EvaluationError, match="holds TrackEval's summaries and no results"):
        fl.evaluate(tmp_path / "trk", truth)
    write_mot(tracks, tmp_path / "two" / "S.txt")
    write_mot(tracks.iloc[:1], tmp_path / "two" / "S.txt.gz")
    with pytest.warns(FairMOTLabWarning, match=r"S\.txt is read; S\.txt\.gz beside it is not"):
        assert fl.evaluate(tmp_path / "two", truth).overall["num_misses"] == 0
    (tmp_path / "two" / "S.txt.gz").unlink()
    (tmp_path / "two" / "S.json").write_text('{"complete": true, "source": "S"}')  # as `track` writes it
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fl.evaluate(tmp_path / "two", truth).overall["num_misses"] == 0
    with pytest.warns(FairMOTLabWarning, match="given both as the results and as the ground truth"):
        fl.evaluate(tmp_path / "two" / "S.txt", tmp_path / "two" / "S.txt")
    write_mot(tracks.assign(frame=tracks["frame"] + 100), tmp_path / "late.txt")
    with pytest.raises(MotFileError, match="all rows lie beyond its end"):
        fl.evaluate(tmp_path / "late.txt", truth / "S")
    with pytest.warns(
        FairMOTLabWarning, match=r"2 results have another class \(Car\) and are evaluated as pedestrians"
    ):
        fl.evaluate(make(tmp_path / "kitti", "kitti") / "training" / "label_02" / "0001.txt", truth / "S")
    with pytest.raises(MotFileError, match="a MOTS file with masks"):
        fl.evaluate(make(tmp_path / "mots", "mots"), truth / "S")
    with pytest.raises(EvaluationError, match="labels in a format of"):
        (tmp_path / "none").mkdir()
        fl.evaluate(tracks, tmp_path / "none")


def test_results_are_found_by_the_name_that_track_gives_them(tmp_path):
    """A file name has no percent sign, and macOS writes é as e and an accent."""
    tracks = pd.DataFrame(PEOPLE, columns=BOX)
    for name, file in (("cam 50%", "cam 50_"), ("cafe\u0301", "caf\u00e9"), ("r\u00e9", "re\u0301")):
        text = "".join(",".join(map(str, [*row, 1, 1, 1])) + "\n" for row in PEOPLE)
        (tmp_path / "truth" / name / "gt").mkdir(parents=True)
        (tmp_path / "truth" / name / "gt" / "gt.txt").write_text(text)
        write_mot(tracks, tmp_path / "results" / f"{file}.txt")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FairMOTLabWarning)
        result = fl.evaluate(tmp_path / "results", tmp_path / "truth")
    assert result.overall["mota"] == 1
    assert len(result.sequences) == 3


def test_zips_are_read_where_they_are(tmp_path):
    tracks = pd.DataFrame(PEOPLE, columns=BOX)
    folder = make(tmp_path, "cvat")
    with zipfile.ZipFile(tmp_path / "task.zip", "w") as archive:
        for name in ("gt/gt.txt", "gt/labels.txt"):
            archive.write(folder / name, name)
    with zipfile.ZipFile(tmp_path / "video.zip", "w") as archive:
        archive.write(make(tmp_path, "cvat-video") / "annotations.xml", "annotations.xml")
    for name in ("task", "video"):
        with pytest.warns(FairMOTLabWarning, match="4 rows of person are scored, 2 rows of car are not"):
            assert fl.evaluate(tracks, tmp_path / f"{name}.zip").overall["mota"] == 1
        assert list(find_labels(tmp_path / f"{name}.zip")) == [name]


def test_youtube_vis_is_read(tmp_path):
    content = {
        "videos": [{"id": 1, "file_names": ["a/1.jpg", "a/2.jpg"], "length": 10**15, "width": 640, "height": 400}],
        "annotations": [{"id": 4, "video_id": 1, "category_id": 1, "bboxes": [[100, 50, 30, 80], None]}],
        "categories": [{"id": 1, "name": "person"}],
    }
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(content))
    table = read_labels(path)
    assert table[BOX].to_numpy().tolist() == [[1, 4, 100, 50, 30, 80]]
    assert (table.attrs["length"], table.attrs["width"]) == (2, 640)


def coco(tmp_path: Path, images: list[dict], annotations: list[dict], videos: list[dict] | None = None) -> Path:
    path = tmp_path / "coco.json"
    content = {"videos": videos or [], "images": images, "annotations": annotations}
    path.write_text(json.dumps(content | {"categories": [{"id": 1, "name": "person"}]}))
    return path


def test_images_without_a_frame_are_in_the_order_of_their_files(tmp_path):
    images = [{"id": n, "file_name": f"S/{n}.jpg"} for n in (10, 2, 1)]
    one = {"category_id": 1, "bbox": [1, 2, 3, 4]}
    path = coco(tmp_path, images, [{"image_id": n, "attributes": {"track_id": n}, **one} for n in (1, 2, 10)])
    assert read_labels(path)[["frame", "id"]].to_numpy().tolist() == [[1, 1], [2, 2], [3, 10]]  # CVAT's attributes


def test_videos_of_one_name_stay_apart(tmp_path):
    images = [{"id": n, "video_id": n, "frame_id": 1} for n in (1, 2)]
    one = {"category_id": 1, "bbox": [1, 2, 3, 4]}
    rows = [{"image_id": n, "track_id": n, **one} for n in (1, 2)]
    for names, found in ((("S/img1", "T/img1"), ["S", "T"]), (("train/S", "val/S"), ["train/S", "val/S"])):
        path = coco(tmp_path, images, rows, [{"id": n, "name": name} for n, name in enumerate(names, start=1)])
        tables = read_coco(path)
        assert [(name, table["id"].tolist()) for name, table in tables.items()] == [(found[0], [1]), (found[1], [2])]
    with pytest.raises(MotFileError, match="two videos that are called S"):
        read_labels(coco(tmp_path, images, rows, [{"id": 1, "name": "S"}, {"id": 2, "name": "S"}]))


def test_annotations_to_ignore_are_regions(tmp_path):
    one = {"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}
    path = coco(tmp_path, [{"id": 1}], [{"track_id": 1, **one}, {"track_id": 2, "ignore": 1, **one}])
    assert ignored_rows(read_labels(path)).tolist() == [False, True]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            '<track id="1"><polygon frame="0" outside="0" points="1,2;3,4;5,6"/></track>',
            "1 polygon shapes are not read",
        ),
        ('<track id="1"><box frame="0" rotation="30" xtl="1" ytl="2" xbr="3" ybr="4"/></track>', "1 turns of boxes"),
        ('<image id="0"><box label="person" xtl="1" ytl="2" xbr="3" ybr="4"/></image>', "1 shapes without a track"),
    ],
)
def test_shapes_of_cvat_that_are_not_read_are_told(tmp_path, more, said):
    box = '<track id="0" task_id="1"><box frame="0" xtl="1" ytl="2" xbr="3" ybr="4"/></track>'
    (tmp_path / "a.xml").write_text(
        f"<annotations>{box}{more.replace('<track', '<track task_id=' + repr('1'))}</annotations>"
    )
    with pytest.warns(FairMOTLabWarning, match=said):
        read_labels(tmp_path / "a.xml")
    (tmp_path / "a.xml").write_text(f"<annotations>{box}{box.replace('1', '2')}</annotations>")
    with pytest.raises(MotFileError, match="tracks of 2 tasks; export each task by itself"):
        read_labels(tmp_path / "a.xml")


def test_visdrone_with_decimals_is_visdrone(tmp_path):
    path = make(tmp_path, "visdrone") / "annotations" / "uav1.txt"
    path.write_text("".join(line.replace(",", ".5,", 3).replace(".5", "", 2) for line in path.open()))
    assert quiet_labels(path).attrs["format"] == "VisDrone-MOT"
    assert quiet_labels(path)["x"].iloc[1] % 1 == 0.5


def test_ground_truth_without_class_1_is_told(tmp_path):
    cars = pd.DataFrame(CAR, columns=BOX).assign(conf=1.0, class_id=3, score=1.0)
    with pytest.warns(FairMOTLabWarning, match=r"class \(column 8\) is 3 and never 1.*gt/labels.txt.*--protocol raw"):
        assert fl.evaluate(cars[BOX], cars).overall["num_objects"] == 0
    cars.attrs["format"] = "MOTChallenge"
    with pytest.raises(EvaluationError, match="No ground truth has a row of a class that its protocol scores"):
        fl.evaluate(cars.drop(columns="conf"), cars, classes="all")


def test_labels_with_ids_that_count_from_0(tmp_path):
    folder = make(tmp_path, "jde") / "train" / "S" / "img1"
    there = quiet_labels(folder)
    for number in (1, 2):
        (folder / f"{number:06d}.txt").rename(folder / f"{number - 1:06d}.txt")
    pd.testing.assert_frame_equal(quiet_labels(folder), there)  # as images that count from 0 are read


def test_the_search_for_labels_ends(tmp_path):
    for number in range(30):
        (tmp_path / "home" / f"{number}").mkdir(parents=True)
    assert list(label_files(tmp_path / "home")) == []
    with pytest.raises(MotFileError, match="More than 20 folders were searched"):
        list(label_files(tmp_path / "home", most=20))


def test_a_folder_of_several_files(tmp_path):
    path = make(tmp_path, "visdrone")
    (path / "annotations" / "uav2.txt").write_text((path / "annotations" / "uav1.txt").read_text())
    assert list(find_labels(path)) == ["uav1", "uav2"]
    with pytest.raises(MotFileError, match="holds 2 sequences"):
        read_labels(path)
    assert len(quiet_labels(path, "uav2")) == 10
    with pytest.raises(MotFileError, match="no sequence 'uav3'"):
        read_labels(path, "uav3")
    (path / "other").mkdir()
    (path / "other" / "uav2.txt").write_text((path / "annotations" / "uav1.txt").read_text())
    with pytest.raises(MotFileError, match="both hold labels of uav2"):
        find_labels(path)


LAYOUTS = {
    "kitti": ("training/image_02/0001", "0001"),
    "visdrone": ("sequences/uav1", "uav1"),
    "detrac": ("Insight-MVT_Annotation_Train/MVI_1", "MVI_1"),
    "uavdt": ("UAV-benchmark-M/M0101", "M0101"),
    "bdd100k": ("images/track/train/b1", "b1"),
    "jde": ("images/train/S/img1", "S"),
    "motchallenge": ("S/img1", "S"),
}


def test_a_sequence_has_its_own_labels_not_those_of_its_folder(tmp_path):
    """A clip in the folder of a sequence: its own gt.txt, or none."""
    outer, clip = tmp_path / "SEQ", tmp_path / "SEQ" / "clip"
    for folder in (outer / "gt", outer / "img1", clip / "gt", clip / "img1"):
        folder.mkdir(parents=True)
    for home in (outer, clip):
        (home / "gt" / "gt.txt").write_text("1,1,10,10,20,40,1,1,1\n")
    assert labels_beside(outer / "img1") == outer / "gt" / "gt.txt"
    assert labels_beside(clip) == labels_beside(clip / "img1") == clip / "gt" / "gt.txt"
    (clip / "gt" / "gt.txt").unlink()
    assert labels_beside(clip) is None
    assert labels_beside(clip / "img1") is None


@pytest.mark.parametrize("name", LAYOUTS)
def test_frames_and_labels_find_each_other(tmp_path, name):
    make(tmp_path, name)
    frames, sequence = tmp_path / LAYOUTS[name][0], LAYOUTS[name][1]
    frames.mkdir(parents=True, exist_ok=True)
    labels = labels_beside(frames)
    assert labels is not None
    format = next(format for format in FORMATS if format.name == name)
    found = frames_beside(labels, format, sequence)
    assert found is not None
    assert found.resolve() in (frames.resolve(), frames.resolve() / "img1")


def images(folder: Path, names: list[str]) -> None:
    import cv2

    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        cv2.imwrite(str(folder / name), np.zeros((400, 640, 3), np.uint8))


@pytest.mark.parametrize("name", ["kitti", "visdrone", "detrac", "uavdt", "bdd100k"])
def test_a_folder_of_frames_has_its_labels(tmp_path, name):
    made = make(tmp_path, name)
    frames, sequence = tmp_path / LAYOUTS[name][0], LAYOUTS[name][1]
    first = 0 if name in ("kitti", "bdd100k") else 1
    images(frames, [f"{number:06d}.jpg" for number in (first, first + 1)])
    source = fl.open_source(frames)
    assert (source.name, source.has_ground_truth) == (sequence, True)
    truth = source.ground_truth
    assert truth.attrs["length"] == 2
    assert sorted(truth.loc[people_rows(truth), "frame"].unique()) == [1, 2]
    found = fl.check_data(tmp_path)
    title = next(format.title for format in FORMATS if format.name == name)
    assert found[["benchmark", "sequence", "state", "images"]].to_numpy().tolist() == [[title, sequence, "complete", 2]]
    tracks = pd.DataFrame(PEOPLE, columns=BOX)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FairMOTLabWarning)
        assert fl.evaluate(tracks, source).overall["num_false_positives"] == 0
    labels = made if made.is_file() else made / "nothing"
    if labels.is_file():
        with pytest.raises(fl.FairMOTLabError, match="is a file of labels"):
            fl.open_source(labels)


def test_data_check_says_where_frames_belong(tmp_path):
    make(tmp_path, "visdrone")
    found = fl.check_data(tmp_path)
    assert found["state"].tolist() == ["labels only"]
    assert str(Path("sequences", "uav1")) in found["remarks"][0]
    with pytest.raises(fl.FairMOTLabError, match=r"labels of uav1 .* without its frames; put them into .*uav1"):
        fl.open_source(tmp_path)


def test_labels_are_given_beside_frames_that_lie_elsewhere(tmp_path):
    images(tmp_path / "clip", ["1.jpg", "2.jpg"])
    assert not fl.open_source(tmp_path / "clip").has_ground_truth
    with pytest.raises(fl.FairMOTLabError, match=r"labels=PATH"):
        _ = fl.open_source(tmp_path / "clip").ground_truth
    path = make(tmp_path / "made", "cvat-video")
    truth = fl.open_source(tmp_path / "clip", labels=path).ground_truth
    assert truth.attrs["sequence"] == "clip"
    assert truth.attrs["classes"] == {1: "car", 2: "person"}
    with pytest.raises(fl.FairMOTLabError, match="There are no labels"):
        fl.open_source(tmp_path / "clip", labels=tmp_path / "nothing")
    images(path / "images", ["frame_000000.png", "frame_000001.png"])
    source = fl.open_source(path)
    assert (source.name, len(source), len(source.ground_truth)) == ("export", 2, 6)
    task = make(tmp_path / "task", "cvat")
    images(task / "img1", ["frame_000000.png", "frame_000001.png"])
    source = fl.open_source(task)
    assert (source.name, source.ground_truth.attrs["classes"][2]) == ("task", "person")


# ------------------------------------------------------------------------------------------------------ written back


@st.composite
def labelled(draw, classes: tuple[int, ...]) -> pd.DataFrame:
    keys = draw(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 99)), min_size=1, max_size=12, unique=True))
    table = pd.DataFrame(sorted(keys), columns=["frame", "id"])
    side = st.floats(0.25, 5000).map(lambda value: float(np.float32(value)))
    for name in "xywh":
        table[name] = [draw(side) for _ in keys]
    table["score"] = 1.0
    table["class_id"] = [draw(st.sampled_from(classes)) for _ in keys]
    table["conf"] = 1.0
    table["visibility"] = np.nan
    return table


def written_back(tmp_path_factory, classes, write, read, columns):
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(labelled(classes))
    def check(table):
        path = tmp_path_factory.mktemp("back") / "labels"
        back = read(write(table, path))
        again = read(write(back, path.with_name("again")))
        pd.testing.assert_frame_equal(again, back, check_exact=True)
        assert again.attrs["classes"] == back.attrs["classes"]
        ordered = table.sort_values(["frame", "id"], ignore_index=True)
        back = back.sort_values(["frame", "id"], ignore_index=True)
        pd.testing.assert_frame_equal(back[columns], ordered[columns], check_exact=True)

    check()


FULL = [*BOX, "score", "class_id", "conf"]


def test_kitti_is_written_back_equal(tmp_path_factory):
    def write(table, path):
        table = table.copy()
        table.attrs.setdefault("classes", {1: "Car", 4: "Pedestrian"})
        return write_kitti(table, path)

    written_back(tmp_path_factory, (1, 4), write, read_kitti, FULL)


def test_coco_is_written_back_equal(tmp_path_factory):
    def read(path):
        return read_coco(path)["S"]

    written_back(tmp_path_factory, (1, 2, 7), lambda t, path: write_coco({"S": t}, path), read, [*FULL, "visibility"])


def test_cvat_is_written_back_equal(tmp_path_factory):
    written_back(tmp_path_factory, (1, 3, 8), write_cvat, read_cvat, FULL)


@pytest.mark.parametrize("name", ["kitti", "visdrone", "coco", "cvat", "cvat-video", "bdd100k", "mots"])
def test_what_any_reader_gives_can_be_written(tmp_path, name):
    table = quiet_labels(make(tmp_path, name))
    back = read_coco(write_coco({"S": table}, tmp_path / "S.json"))["S"]
    assert sorted(back[FULL].to_numpy().tolist()) == sorted(table[FULL].to_numpy().tolist())
    zipped = read_cvat(write_cvat(table, tmp_path / "S.zip"))
    names = [zipped.attrs["classes"][each] for each in zipped["class_id"]]
    given_names = [table.attrs["classes"][each] for each in table.sort_values(["frame", "id"])["class_id"]]
    assert names == given_names


def test_kitti_results_have_a_score(tmp_path):
    tracks = pd.DataFrame(PEOPLE, columns=BOX).assign(score=0.5, class_id=0)
    path = write_kitti(tracks, tmp_path / "0000.txt")
    assert all(len(line.split()) == 18 for line in path.read_text().splitlines())
    assert (read_kitti(path)["score"] == 0.5).all()
    with pytest.raises(EvaluationError, match="not a type of KITTI's"):
        write_kitti(tracks.assign(class_id=3), tmp_path / "a.txt", classes={3: "dog"})


# ----------------------------------------------------------------------------------------------------- masks, safety


@settings(max_examples=200, deadline=None)
@given(st.lists(st.booleans(), min_size=12, max_size=12), st.sampled_from([(3, 4), (4, 3), (2, 6), (12, 1)]))
def test_boxes_of_masks_are_those_of_their_pixels(bits, shape):
    mask = np.array(bits).reshape(shape)
    box = mask_box(encode(mask), *shape, Path("mask"))
    if not mask.any():
        assert box is None
        return
    ys, xs = np.nonzero(mask)
    assert box == (xs.min(), ys.min(), xs.max() - xs.min() + 1, ys.max() - ys.min() + 1)


def mask_pictures(folder: Path, first: int = 0) -> None:
    """The scene as MOTS publishes it in PNG: 1000 times the class and the instance, 10000 for what is ignored."""
    import cv2

    folder.mkdir(parents=True)
    for number in (1, 2):
        picture = np.zeros((400, 640), np.uint16)
        picture[0:20, 600:640] = 10_000
        for kind, rows in ((2000, PEOPLE), (1000, CAR)):
            for frame, identity, x, y, w, h in rows:
                if frame == number:
                    picture[y : y + h, x : x + w] = kind + identity
        cv2.imwrite(str(folder / f"{number - 1 + first:06d}.png"), picture)


@pytest.mark.parametrize("first", [0, 1])
def test_masks_as_pictures_are_those_of_the_text(tmp_path, first):
    root = tmp_path / "kitti"
    mask_pictures(root / "instances" / "0002", first)
    table = read_labels(root / "instances")
    assert (table.attrs["format"], table.attrs["sequence"], table.attrs["width"]) == ("MOTS", "0002", 640)
    assert "2 masks of ignored areas are left out" in table.attrs["notes"][0]
    text = read_labels(make(tmp_path / "other", "mots"))
    order = ["frame", "x"]
    key = ["frame", "x", "y", "w", "h", "class_id"]
    ours, theirs = (each.sort_values(order)[key].to_numpy().tolist() for each in (table, text))
    assert ours == theirs
    make(root, "mots")  # with the text beside, the pictures are not a second set of labels
    assert list(find_labels(root)) == ["0002"]
    images(root / "training" / "image_02" / "0002", ["000000.png", "000001.png"])
    source = fl.open_source(root / "training" / "image_02" / "0002")
    assert len(source.ground_truth) == len(table)
    with pytest.raises(fl.errors.SourceError, match=r"holds masks \(MOTS\) and no frames; open .*image_02"):
        fl.open_source(root / "instances" / "0002")
    assert fl.evaluate(table.drop(columns="conf"), root / "instances", classes="all").overall["mota"] == 1


def test_masks_that_are_none(tmp_path):
    import cv2

    mask_pictures(tmp_path / "0002")
    whole = (tmp_path / "0002" / "000001.png").read_bytes()
    (tmp_path / "0002" / "000001.png").write_bytes(whole[:-40])
    with pytest.raises(MotFileError, match=r"000001\.png is not a whole grey PNG of 16 bits"):
        read_labels(tmp_path / "0002")
    cv2.imwrite(str(tmp_path / "0002" / "000001.png"), np.full((4, 4), 7000, np.uint16))
    with pytest.raises(MotFileError, match="a pixel holds 7000"):
        read_labels(tmp_path / "0002")
    thermal = np.arange(7000, 7000 + 64, dtype=np.uint16).reshape(8, 8)
    (tmp_path / "thermal").mkdir()
    cv2.imwrite(str(tmp_path / "thermal" / "000000.png"), thermal)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FairMOTLabWarning)
        assert len(fl.open_source(tmp_path / "thermal")) == 1


def test_boxes_of_masks_equal_pycocotools():
    mask_api = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(0)
    for _ in range(50):
        mask = np.zeros((60, 90), np.uint8)
        y, x, h, w = rng.integers(0, 30), rng.integers(0, 50), rng.integers(1, 30), rng.integers(1, 40)
        mask[y : y + h, x : x + w] = rng.random((h, w)) < 0.7
        coded = mask_api.encode(np.asfortranarray(mask))
        if mask.any():
            assert mask_box(coded["counts"].decode(), 60, 90, Path("m")) == tuple(mask_api.toBbox(coded).astype(int))


HOSTILE = {
    "bomb.xml": b'<!DOCTYPE a [<!ENTITY b "' + b"c" * 99 + b'">]><annotations>&b;</annotations>',
    "outside.xml": b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><annotations>&b;</annotations>',
    "deep.xml": b"<annotations>" * 100_000,
    "cut.xml": b"<annotations><track",
    "encoding.xml": b'<?xml version="1.0" encoding="ebcdic-nowhere"?><annotations/>',
    "images.xml": b'<annotations><image id="0" name="a"/></annotations>',
    "deep.json": b'{"images":' + b"[" * 100_000,
    "deep-list.json": b"[" * 100_000 + b'"videoName""labels"',
    "digits.json": b'{"images": [], "annotations": [{"id": ' + b"9" * 5000 + b"}]}",
    "nan.json": b'{"images":[{"id":1}],"annotations":[{"image_id":1,"track_id":1,"category_id":1,"bbox":[NaN,1,1,1]}]}',
    "huge.json": b'{"images":[{"id":1}],"annotations":[{"image_id":1,"track_id":1e999,"category_id":1,"bbox":[1,1,1,1]}'
    b"]}",
    "detections.json": b'{"images":[{"id":1}],"annotations":[{"image_id":1,"category_id":1,"bbox":[1,1,1,1]}]}',
    "utf.json": b'{"images": "\xff\xfe"}',
    "results.json": b'[{"image_id": 1, "bbox": [1, 2, 3, 4]}]',
    "no.zip": b"PK\x03\x04 nothing",
    "picture.txt": b"\xff\xd8\xff\xe0JFIF",
    "late.xml": b'<sequence name="a"><ignored_region><box left="1" top="1" width="1" height="1"/></ignored_region>'
    b'<frame num="9000000"/></sequence>',
    "runs.txt": b"0 2001 2 400 640 " + b"oooooooP" * 3 + b"\n",
    "mask.txt": b"1 2001 2 100000000 100000000 WSV:2d;\n",
    "kitti.txt": b"0 1 Dragon 0 0 0 1 1 2 2 1 1 1 1 1 1 1\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_give_one_sentence(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(HOSTILE[name])
    with pytest.raises(FairMOTLabError) as error:
        quiet_labels(path)
    assert name in str(error.value)
    assert len(str(error.value)) < 600


def test_zip_files_with_faults(tmp_path, monkeypatch):
    good = write_cvat(pd.DataFrame(PEOPLE, columns=BOX), tmp_path / "good.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(good[:-30])
    encrypted = bytearray(good)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = 0
        while (start := encrypted.find(mark, start)) >= 0:
            encrypted[start + offset] |= 1
            start += 4
    (tmp_path / "encrypted.zip").write_bytes(encrypted)
    for name in ("cut.zip", "encrypted.zip"):
        with pytest.raises(MotFileError, match="not a zip file that can be read"):
            read_cvat(tmp_path / name)
    with zipfile.ZipFile(tmp_path / "labels.zip", "w") as archive:
        archive.writestr("gt/gt.txt", "1,1,1,1,5,5,1,1,1\n")
        archive.writestr("gt/labels.txt", b"\xff\xfe\x00")
    with pytest.raises(MotFileError, match=r"labels\.txt is not text in UTF-8"):
        read_cvat(tmp_path / "labels.zip")
    monkeypatch.setattr("fairmot_lab.formats.text.LARGEST_TEXT", 2**16)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("gt/gt.txt", "1,1,1,1,5,5,1,1,1\n" * 10_000)
    with pytest.raises(MotFileError, match="the most that is read"):
        read_cvat(tmp_path / "bomb.zip")


@pytest.mark.parametrize("name", NAMES)
def test_damaged_files_raise_own_errors_only(tmp_path, name):
    """Bytes changed, cut, doubled or moved in a good file: a table or one of the project's own errors."""
    make(tmp_path, name)
    files = [p for p in tmp_path.rglob("*") if p.is_file() and p.suffix in (".txt", ".xml", ".json")]
    rng = random.Random(0)
    pieces = [
        b"\0",
        b"\xff",
        b"-",
        b",",
        b" ",
        b'"',
        b"{",
        b"]",
        b"<",
        b"&",
        b"nan",
        b"1e999",
        b"9" * 400,
        b"null",
        b"\n",
    ]
    for file in files:
        good = file.read_bytes()
        for _ in range(60):
            data = bytearray(good)
            for _ in range(rng.randint(1, 3)):
                at = rng.randrange(len(data) + 1)
                action = rng.randrange(4)
                if action == 0:
                    data[at:at] = rng.choice(pieces)
                elif action == 1:
                    del data[at : at + rng.randint(1, 20)]
                elif action == 2:
                    data[at : at + 1] = rng.choice(pieces)
                else:
                    del data[at:]
            file.write_bytes(bytes(data))
            try:
                quiet_labels(file)
            except FairMOTLabError:
                continue
        file.write_bytes(good)


def test_compressed_text_is_recognised(tmp_path):
    path = tmp_path / "S.txt.gz"
    path.write_bytes(gzip.compress(b"1,1,100,50,30,80,1,1,1\n"))
    assert recognise(path).name == "motchallenge"
    assert len(read_labels(path)) == 1


def test_the_document_names_every_format_and_its_protocol():
    text = (Path(__file__).parent.parent / "docs" / "datasets.md").read_text(encoding="utf-8")
    for format in FORMATS:
        line = next(line for line in text.splitlines() if line.startswith(f"| {format.title} |"))
        assert line.endswith(f"| {format.protocol} |")


def test_coco_takes_the_size_of_a_single_video_from_its_images_and_no_infinite_one(tmp_path):
    content = {
        "images": [{"id": 1, "frame_id": 1, "width": 640, "height": 1e999}],
        "videos": [{"id": 5, "name": "S"}],
        "annotations": [{"id": 1, "image_id": 1, "track_id": 3, "category_id": 1, "bbox": [1, 2, 3, 4]}],
    }
    path = tmp_path / "S.json"
    path.write_text(json.dumps(content))
    attrs = read_coco(path)["S"].attrs
    assert (attrs["width"], attrs.get("height")) == (640, None)


def test_cameras_of_ai_city_have_whole_numbers(tmp_path):
    path = tmp_path / "ground_truth_train.txt"
    path.write_text("1 5 1 10 20 30 40 -1 -1\n1.5 6 1 10 20 30 40 -1 -1\n")
    with pytest.raises(MotFileError, match=r"line 2: camera 1.5 is not a whole number"):
        read_aicity(path)


def test_a_csv_file_is_called_as_it_is_without_its_ending(tmp_path):
    (tmp_path / "bytetrack.csv").write_text("".join(f"{frame},1,10,20,30,60,1\n" for frame in (1, 2)))
    tracks = fl.read_mot(tmp_path / "bytetrack.csv")
    assert tracks.attrs["sequence"] == "bytetrack"
    truth = tracks.assign(conf=1.0)
    truth.attrs = {"sequence": "street"}
    assert fl.evaluate(tracks, truth).overall["mota"] == 1


def test_crowds_of_bdd100k_are_known_by_either_spelling(tmp_path):
    tables = []
    for key in ("crowd", "Crowd"):
        labels = [
            {
                "id": str(i),
                "category": "pedestrian",
                "box2d": {"x1": i, "y1": 0, "x2": i + 5, "y2": 9},
                "attributes": {key: i == 2},
            }
            for i in (1, 2)
        ]
        frames = [{"name": f"{v}{k}.jpg", "videoName": v, "labels": labels} for v in "ab" for k in range(2)]
        (tmp_path / f"{key}.json").write_text(json.dumps(frames))
        tables.append({name: read_labels(tmp_path / f"{key}.json", sequence=name) for name in "ab"})
    for name in "ab":
        first, second = (each[name] for each in tables)
        first.attrs = second.attrs
        pd.testing.assert_frame_equal(first, second)
        assert first["conf"].tolist() == [1, 0, 1, 0]
        assert first["frame"].tolist() == [1, 1, 2, 2], "each video counts its own frames"


def test_images_of_one_number_are_refused(tmp_path):
    images = [{"id": 1, "video_id": video, "frame_id": 1} for video in (1, 2)]
    content = {"videos": [{"id": 1, "name": "A"}, {"id": 2, "name": "B"}], "images": images}
    content |= {"annotations": [], "categories": [{"id": 1, "name": "person"}]}
    (tmp_path / "both.json").write_text(json.dumps(content))
    with pytest.raises(MotFileError, match="two images have the id 1"):
        read_coco(tmp_path / "both.json")


def test_ground_truth_of_motchallenge_keeps_its_classes_as_coco_and_is_refused_as_kitti(tmp_path):
    """A result on a distractor is dropped; as a class of another name it would be a false positive."""
    rows = [(1, 1, 10, 1, 1), (1, 2, 200, 0, 8), (2, 1, 10, 1, 1)]
    truth = pd.DataFrame(rows, columns=["frame", "id", "x", "conf", "class_id"]).assign(y=10.0, w=20.0, h=50.0)
    path = write_coco({"S": truth}, tmp_path / "truth.json")
    results = truth[["frame", "id", "x", "y", "w", "h"]]
    for labels in ({"S": truth}, path):
        overall = fl.evaluate({"S": results}, labels, protocol="motchallenge").overall
        assert (overall["mota"], overall["num_false_positives"]) == (1.0, 0)
    with pytest.raises(EvaluationError, match="Class '8' is not a type"):
        write_kitti(truth, tmp_path / "S.txt")
    with pytest.raises(EvaluationError, match="1 rows have conf 0"):
        write_kitti(truth.assign(class_id=1), tmp_path / "S.txt")
    apart = pd.DataFrame({"frame": 1, "id": [1, 2], "x": 1.0, "y": 1.0, "w": 5.0, "h": 5.0, "class_id": [0, 1]})
    assert read_labels(write_coco({"S": apart}, tmp_path / "two.json")).class_id.nunique() == 2


def test_trackeval_gets_checked_tracks_and_all_sequences(tmp_path):
    tracks = pd.DataFrame({"frame": [1, 2], "id": 1, "x": 1.0, "y": 1.0, "w": 5.0, "h": 5.0})
    truth = tracks.assign(conf=1.0, class_id=1)
    with pytest.raises(MotFileError, match="tracks of S"):
        write_trackeval({"S": tracks.assign(w=[5.0, -5.0])}, {"S": truth}, tmp_path / "bad")
    assert not (tmp_path / "bad").exists()
    write_trackeval({"S1": tracks, "S2": tracks}, {"S1": truth, "S2": truth}, tmp_path, tracker="A")
    write_trackeval({"S1": tracks}, {"S1": truth}, tmp_path, tracker="B")
    assert (tmp_path / "gt/seqmaps/MOT17-train.txt").read_text().split() == ["name", "S1", "S2"]
