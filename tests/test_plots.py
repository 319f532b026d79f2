"""Figures: what is drawn equals the table, and the picture equals the one that was looked at.

What is committed in tests/baselines is made by `python tests/test_plots.py`; look at each picture before committing it.
Pictures are drawn without their text, whose shapes differ between versions of matplotlib; texts.json holds the text.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import matplotlib
import numpy as np
import pandas as pd
import pytest

if __name__ == "__main__":
    matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.testing.compare import compare_images
from matplotlib.text import Text

from fairmot_lab import plots
from fairmot_lab.diagnosis.embeddings import area_under_roc, embedding_distances
from fairmot_lab.errors import PlotError

BASELINES = Path(__file__).parent / "baselines"
TEXTS = BASELINES / "texts.json"
# root mean square over all pixels, 0..255: a changed mark is above it (see the test of small changes)
TOLERANCE = 0.9


# --- hand-made tables ------------------------------------------------------------------------------------------


def events() -> pd.DataFrame:
    """Three people in 30 frames: 1 goes from 7 to 9 and back, 2 is lost for 4 frames and gets 12, 3 is late."""
    rows = []
    for frame in range(1, 31):
        rows.append((frame, "MATCH" if frame not in (11, 21) else "SWITCH", 1, 9 if 11 <= frame <= 20 else 7))
        if not 14 <= frame <= 17:
            rows.append((frame, "SWITCH" if frame == 18 else "MATCH", 2, 8 if frame < 14 else 12))
        else:
            rows.append((frame, "MISS", 2, np.nan))
        if frame > 5:
            rows.append((frame, "MISS", 3, np.nan) if frame <= 10 else (frame, "MATCH", 3, 20))
        if frame == 11:
            rows.append((frame, "TRANSFER", 1, 9))
        rows.append((frame, "RAW", 1, 7))
    table = pd.DataFrame(rows, columns=["FrameId", "Type", "OId", "HId"])
    table["D"] = 0.2
    table["Event"] = table.groupby("FrameId").cumcount()
    return table.set_index(["FrameId", "Event"])


def switches() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "sequence": ["A", "A", "A", "B", "B", "B"],
            "frame": [11, 21, 18, 40, 44, 60],
            "kind": ["new id", "back to a known id", "takeover", "swap", "swap", "lost to another person"],
            "gap": [1, 1, 5, 12, 12, 33],
            "appearance_distance": [0.1, 0.12, 0.45, 0.3, 0.6, np.nan],
            "x": [100.0, 120, 300, 400, 420, 560],
            "y": [100.0, 110, 90, 120, 130, 80],
            "w": 40.0,
            "h": 100.0,
        }
    )


def sweep() -> pd.DataFrame:
    rows = []
    for conf in (0.2, 0.3, 0.4, 0.5, 0.6):
        for buffer in (10, 30, 60):
            idf1 = 0.7 - (conf - 0.32) ** 2 * 3 + buffer * 0.001
            rows.append(
                ("OVERALL", conf, buffer, bool(buffer == 30), 0.6 - (conf - 0.4) ** 2 * 4, idf1, int(80 * conf))
            )
            rows.append(("A", conf, buffer, bool(buffer == 30), 0.0, 0.0, 999))
    columns = ["sequence", "conf_thres", "track_buffer", "use_byte", "mota", "idf1", "num_switches"]
    return pd.DataFrame(rows, columns=columns)


def summary(mota: float, idf1: float, hota: float) -> pd.DataFrame:
    values = {"mota": [0.0, mota], "idf1": [0.0, idf1], "hota": [0.0, hota]}
    return pd.DataFrame({"sequence": ["A", "OVERALL"], **values})


def trackers() -> dict[str, pd.DataFrame]:
    return {"JDE": summary(0.7, 0.65, 0.55), "BYTE": summary(0.72, 0.6, 0.5), "bad": summary(-0.1, 0.2, 0.15)}


def curves(shift: float = 0.0) -> pd.DataFrame:
    alpha = np.arange(0.05, 0.99, 0.05)
    deta, assa = 0.8 - 0.6 * alpha**3, 0.7 - 0.5 * alpha**2 - shift
    return pd.DataFrame({"alpha": alpha, "hota": np.sqrt(deta * assa), "deta": deta, "assa": assa})


def pairs() -> pd.DataFrame:
    same, other = np.linspace(0.02, 0.4, 120) ** 1.3, np.linspace(0.2, 1.1, 200)
    return pd.DataFrame({"distance": np.concatenate([same, other]), "same": [True] * 120 + [False] * 200})


def detections() -> pd.DataFrame:
    score = np.concatenate([np.linspace(0.05, 0.99, 300) ** 3, np.linspace(0.6, 0.98, 150)])
    return pd.DataFrame({"score": score, "matched": [False] * 300 + [True] * 150})


def per_frame() -> pd.DataFrame:
    frame = np.arange(1, 61)
    return pd.DataFrame(
        {
            "frame": frame,
            "num_false_positives": (frame % 7 == 0).astype(int) * 2,
            "num_misses": (frame // 10) % 3,
            "num_switches": np.isin(frame, [22, 41]).astype(int),
        }
    )


def tracks() -> pd.DataFrame:
    frame = np.arange(1, 31)
    one = pd.DataFrame({"frame": frame, "id": 7, "x": 20.0 + 8 * frame, "y": 60.0 + frame, "w": 30.0, "h": 80.0})
    two = pd.DataFrame({"frame": frame, "id": 12, "x": 400.0 - 6 * frame, "y": 40.0 + 2 * frame, "w": 30.0, "h": 80.0})
    return pd.concat([one, two], ignore_index=True)


def picture() -> np.ndarray:
    rows, columns = np.mgrid[0:240, 0:640]
    return np.stack([rows, columns // 3, 255 - rows], axis=2).astype(np.uint8)


def one_frame() -> SimpleNamespace:
    """What `centre_heatmap` reads of FrameDetections: 640x240 seen at 320x120, so a heatmap cell is 8 image pixels."""
    rows, columns = np.mgrid[0:30, 0:80]
    heatmap = np.zeros((30, 80))
    for x, y, score in ((20, 15, 0.9), (45, 12, 0.35)):
        heatmap = np.maximum(heatmap, score * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 6))
    boxes = np.array([[140, 60, 40, 120], [345, 50, 30, 92]], np.float32)
    letterbox = SimpleNamespace(
        to_image=lambda points: np.asarray(points, float) * 8, image_width=640, image_height=240
    )
    scores = np.array([0.9, 0.35], np.float32)
    return SimpleNamespace(frame=4, heatmap=heatmap, letterbox=letterbox, boxes=boxes, scores=scores)


def growth() -> pd.DataFrame:
    people = np.array([10, 30, 80])
    table = [pd.DataFrame({"engine": "ppdet", "people": people, "frames": 200, "seconds": people * 0.08})]
    table.append(pd.DataFrame({"engine": "fairmot_lab", "people": people, "frames": 200, "seconds": people * 0.004}))
    return pd.concat(table, ignore_index=True)


def importance(first: float = 0.62) -> pd.Series:
    return pd.Series({"track_thresh": first, "match_thresh": 0.25, "track_buffer": 0.13})


def search(best: float = 0.72) -> SimpleNamespace:
    """Six trials with two objectives, three of them on the front, and the settings as they were given."""
    mota = [0.60, 0.52, best, 0.70, 0.66, 0.58, 0.61]
    idf1 = [0.58, 0.50, 0.60, 0.66, 0.70, 0.62, 0.55]
    columns = {"trial": [-1, 0, 1, 2, 3, 4, 5], "validation_mota": mota, "validation_idf1": idf1}
    table = pd.DataFrame({**columns, "train_mota": mota, "train_idf1": idf1})
    table.attrs["objective"] = ["mota", "idf1"]
    return SimpleNamespace(table=table, pareto=table.iloc[[2, 3, 4]])


def shaking(after: float = 2.5) -> pd.DataFrame:
    frame = np.arange(1, 41)
    return pd.DataFrame({"frame": frame, "before": 9 + 4 * np.sin(frame / 3), "after": after + 0.5 * np.cos(frame)})


def training() -> pd.DataFrame:
    step = np.arange(0, 500, 50)
    mota = np.where(step % 100 == 0, 0.7 - 0.6 * np.exp(-step / 120), np.nan)
    return pd.DataFrame({"step": step, "loss": 5 * np.exp(-step / 150) + 1, "mota": mota})


def footage() -> SimpleNamespace:
    return SimpleNamespace(name="A", image=lambda number: np.roll(picture(), 10 * number, axis=1))


def causes(first: float = 0.12) -> pd.DataFrame:
    rows = [
        ("MISS", "not detected", 40, first),
        ("MISS", "score below the threshold", 22, 0.065),
        ("FP", "no person near", 9, 0.03),
        ("SWITCH", "swap", 2, 0.006),
        ("FP", "box of another person", 1, -0.004),
    ]
    return pd.DataFrame(rows, columns=["kind", "cause", "errors", "lost_mota"])


def errors() -> pd.DataFrame:
    """Four misses whose feet are in two cells of 80 by 80 pixels, and one false positive."""
    rows = [("MISS", 100.0, 80.0), ("MISS", 110.0, 84.0), ("MISS", 95.0, 90.0), ("MISS", 500.0, 30.0), ("FP", 300, 20)]
    return pd.DataFrame(rows, columns=["kind", "x", "y"]).assign(w=40.0, h=100.0)


def found(threshold: float = 0.4) -> SimpleNamespace:
    """Ten small people, of whom two are never found, and ten tall ones."""
    small, tall = np.r_[np.linspace(0.1, 0.6, 8), np.nan, np.nan], np.linspace(0.5, 0.95, 10)
    best = pd.DataFrame({"height": [60.0] * 10 + [140.0] * 10, "score": np.r_[small, tall]})
    return SimpleNamespace(best=best, summary=pd.Series({"threshold": threshold}))


def life(track: int = 12) -> SimpleNamespace:
    """Six frames of one person: track 7, not found in frames 3 and 4, another track from frame 5 on."""
    columns = {"frame": range(1, 7), "track": [7, 7, -1, -1, track, track]}
    states = ["matched", "matched", "missed", "missed", "switched", "matched"]
    boxes = {"x": 100.0 * np.arange(6), "y": 60.0, "w": 60.0, "h": 140.0}
    return SimpleNamespace(gt_id=3, sequence="A", frames=pd.DataFrame({**columns, "state": states, **boxes}))


def horizons(last: float = 0.45) -> pd.DataFrame:
    table = pd.DataFrame({"sequence": "OVERALL", "horizon": [0, 5, 50, np.inf], "hota": [0.8, 0.75, 0.6, last]})
    table.attrs["unit"] = "frames"
    return table


def intervals(high: float = 0.03) -> pd.DataFrame:
    columns = ["sequence", "tracker", "other", "metric", "difference", "low", "high", "verdict"]
    rows = [
        ("OVERALL", "A", "B", "mota", 0.02, 0.01, high, "higher"),
        ("OVERALL", "A", "B", "idf1", 0.01, -0.01, 0.03, "not a difference"),
    ]
    return pd.DataFrame(rows, columns=columns)


# --- one picture per figure: how it is drawn, and the smallest change that must be seen -------------------------


def changed(table: pd.DataFrame, row: int, column: str, value: object) -> pd.DataFrame:
    table = table.copy()
    table.iloc[row, table.columns.get_loc(column)] = value
    return table


Draw = Callable[..., plt.Axes]
FIGURES: dict[str, tuple[Draw, Draw]] = {
    "switch_timeline": (
        lambda ax: plots.switch_timeline(events(), ax=ax),
        lambda ax: plots.switch_timeline(events().replace({"HId": {9: 7}}), ax=ax),
    ),
    "switch_kinds": (
        lambda ax: plots.switch_kinds(switches(), ax=ax),
        lambda ax: plots.switch_kinds(switches().iloc[1:], ax=ax),
    ),
    "gap_against_distance": (
        lambda ax: plots.gap_against_distance(switches(), threshold=0.4, ax=ax),
        lambda ax: plots.gap_against_distance(changed(switches(), 2, "appearance_distance", 0.3), threshold=0.4, ax=ax),
    ),
    "switch_map": (
        lambda ax: plots.switch_map(switches().drop(columns="sequence"), image=picture(), ax=ax),
        lambda ax: plots.switch_map(
            changed(switches(), 2, "x", 200.0).drop(columns="sequence"), image=picture(), ax=ax
        ),
    ),
    "life_lines": (
        lambda ax: plots.life_lines(events(), frame_rate=10, ax=ax),
        lambda ax: plots.life_lines(events()[lambda t: ~((t.OId == 2) & (t.Type == "MISS"))], frame_rate=10, ax=ax),
    ),
    "metric_against_threshold": (
        lambda ax: plots.metric_against_threshold(
            sweep(), "conf_thres", ("mota", "idf1", "num_switches"), default=0.4, ax=ax
        ),
        lambda ax: plots.metric_against_threshold(
            sweep().assign(mota=lambda t: t.mota - 0.01), "conf_thres", ("mota", "idf1", "num_switches"), ax=ax
        ),
    ),
    "setting_heatmap": (
        lambda ax: plots.setting_heatmap(sweep(), "conf_thres", "track_buffer", ax=ax),
        lambda ax: plots.setting_heatmap(sweep(), "conf_thres", "track_buffer", "mota", ax=ax),
    ),
    "parallel_coordinates": (
        lambda ax: plots.parallel_coordinates(sweep(), ["conf_thres", "track_buffer", "use_byte"], ax=ax),
        lambda ax: plots.parallel_coordinates(sweep(), ["conf_thres", "use_byte", "track_buffer"], ax=ax),
    ),
    "compare_trackers_bars": (
        lambda ax: plots.compare_trackers(trackers(), ("mota", "idf1", "hota", "assa"), ax=ax),
        lambda ax: plots.compare_trackers(
            {**trackers(), "bad": summary(0.1, 0.2, 0.15)}, ("mota", "idf1", "hota", "assa"), ax=ax
        ),
    ),
    "compare_trackers_radar": (
        lambda ax: plots.compare_trackers(trackers(), ("mota", "idf1", "hota"), kind="radar", ax=ax),
        lambda ax: plots.compare_trackers(
            {**trackers(), "JDE": summary(0.8, 0.65, 0.55)}, ("mota", "idf1", "hota"), kind="radar", ax=ax
        ),
    ),
    "hota_curves": (
        lambda ax: plots.hota_curves({"JDE": curves(), "BYTE": curves(0.1)}, ax=ax),
        lambda ax: plots.hota_curves({"JDE": curves(), "BYTE": curves(0.12)}, ax=ax),
    ),
    "hota_parts": (lambda ax: plots.hota_curves(curves(), ax=ax), lambda ax: plots.hota_curves(curves(0.02), ax=ax)),
    "embedding_distances": (
        lambda ax: plots.embedding_distances(pairs(), threshold=0.3, ax=ax),
        lambda ax: plots.embedding_distances(pairs(), threshold=0.25, ax=ax),
    ),
    "score_distributions": (
        lambda ax: plots.score_distributions(detections(), by="matched", threshold=0.4, ax=ax),
        lambda ax: plots.score_distributions(detections().iloc[:-60], by="matched", threshold=0.4, ax=ax),
    ),
    "centre_heatmap": (
        lambda ax: plots.centre_heatmap(one_frame(), picture(), threshold=0.3, ax=ax),
        lambda ax: plots.centre_heatmap(one_frame(), picture(), threshold=0.4, ax=ax),
    ),
    "similarity_map": (
        lambda ax: plots.similarity_map(one_frame().heatmap, one_frame().letterbox, picture(), ax=ax),
        lambda ax: plots.similarity_map(one_frame().heatmap[:, ::-1], one_frame().letterbox, picture(), ax=ax),
    ),
    "errors_over_time": (
        lambda ax: plots.errors_over_time(per_frame(), window=5, ax=ax),
        lambda ax: plots.errors_over_time(per_frame(), window=9, ax=ax),
    ),
    "trajectories": (
        lambda ax: plots.trajectories(tracks(), image=picture(), ax=ax),
        lambda ax: plots.trajectories(tracks(), image=picture(), ids=[7], ax=ax),
    ),
    "association_growth": (
        lambda ax: plots.association_growth(growth(), ax=ax),
        lambda ax: plots.association_growth(changed(growth(), 5, "seconds", 0.6), ax=ax),
    ),
    "learning_curve": (
        lambda ax: plots.learning_curve(training(), ax=ax),
        lambda ax: plots.learning_curve(changed(training(), 4, "mota", 0.5), ax=ax),
    ),
    "setting_importance": (
        lambda ax: plots.setting_importance(importance(), ax=ax),
        lambda ax: plots.setting_importance(importance(0.5), ax=ax),
    ),
    "pareto_front": (
        lambda ax: plots.pareto_front(search(), ax=ax),
        lambda ax: plots.pareto_front(search(0.75), ax=ax),
    ),
    "camera_motion": (
        lambda ax: plots.camera_motion(shaking(), ax=ax),
        lambda ax: plots.camera_motion(shaking(3.5), ax=ax),
    ),
    "error_budget": (
        lambda ax: plots.error_budget(causes(), ax=ax),
        lambda ax: plots.error_budget(causes(0.11), ax=ax),
    ),
    "error_map": (
        lambda ax: plots.error_map(errors(), image=picture(), cells=(8, 3), ax=ax),
        lambda ax: plots.error_map(errors().iloc[1:], image=picture(), cells=(8, 3), ax=ax),
    ),
    "detection_recall": (
        lambda ax: plots.detection_recall(found(), ax=ax),
        lambda ax: plots.detection_recall(found(0.5), ax=ax),
    ),
    "person_strip": (
        lambda ax: plots.person_strip(life(), footage(), count=6, ax=ax),
        lambda ax: plots.person_strip(life(track=13), footage(), count=6, ax=ax),
    ),
    "local_metrics": (
        lambda ax: plots.local_metrics({"JDE": horizons(), "SORT": horizons(0.3)}, "hota", ax=ax),
        lambda ax: plots.local_metrics({"JDE": horizons(), "SORT": horizons(0.35)}, "hota", ax=ax),
    ),
    "differences": (
        lambda ax: plots.differences(intervals(), ("mota", "idf1"), ax=ax),
        lambda ax: plots.differences(intervals(0.028), ("mota", "idf1"), ax=ax),
    ),
}


def render(name: str, draw: Draw, path: Path) -> list[str]:
    """Draw with matplotlib's own defaults, write a small PNG of all but the text, and return the text."""
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, "backend": "Agg"}):
        figure = plt.figure(figsize=(7.5, 5.625), dpi=64)
        # whole pixels: an edge inside a pixel is rounded up or down, as the version of matplotlib has it
        width = 360 if name == "person_strip" else 400
        place = (40 / 480, 30 / 360, width / 480, 300 / 360)
        ax = figure.add_axes(place, projection="polar" if name.endswith("radar") else None)
        assert draw(ax) is ax
        figure.savefig(path.with_suffix(".svg"))
        for text in figure.findobj(Text):
            text.set_visible(False)
        for one in figure.axes:
            if one.get_legend() is not None:
                one.get_legend().set_visible(False)  # its place depends on the size of its text
        figure.savefig(path, metadata={"Software": None})
        plt.close(figure)
    texts = re.findall("<!-- (.+?) -->", path.with_suffix(".svg").read_text(encoding="utf-8"), re.S)
    path.with_suffix(".svg").unlink()
    return texts


@pytest.mark.parametrize("name", FIGURES)
def test_picture(name: str, tmp_path: Path) -> None:
    texts = render(name, FIGURES[name][0], tmp_path / "now.png")
    difference = compare_images(str(BASELINES / f"{name}.png"), str(tmp_path / "now.png"), tol=TOLERANCE)
    assert difference is None, difference
    assert texts == json.loads(TEXTS.read_text(encoding="utf-8"))[name]


@pytest.mark.parametrize("name", FIGURES)
def test_a_small_change_is_seen(name: str, tmp_path: Path) -> None:
    render(name, FIGURES[name][1], tmp_path / "changed.png")
    assert compare_images(str(BASELINES / f"{name}.png"), str(tmp_path / "changed.png"), tol=TOLERANCE) is not None


@pytest.mark.parametrize("name", FIGURES)
def test_pictures_are_small(name: str) -> None:
    assert (BASELINES / f"{name}.png").stat().st_size < 60_000


def test_no_picture_without_a_figure() -> None:
    assert {path.stem for path in BASELINES.glob("*.png")} == set(FIGURES)


@pytest.fixture(autouse=True)
def closed_figures():
    backend = matplotlib.get_backend()
    plt.switch_backend("Agg")
    yield
    plt.close("all")
    plt.switch_backend(backend)


# --- what is drawn is what the table says ----------------------------------------------------------------------


def test_timeline_marks_each_switch_and_colours_by_id() -> None:
    ax = plots.switch_timeline(events(), frame_rate=10)
    marks = ax.lines[0].get_xydata().tolist()
    # frames 11, 18 and 21 at 10 a second begin half a frame before 1.0, 1.7 and 2.0 s; lanes 1 and 2
    np.testing.assert_allclose(sorted(marks), [[0.95, -0.4], [1.65, 0.6], [1.95, -0.4]])
    *lanes, legend = ax.collections
    assert tuple(legend.get_facecolor()[0][:3]) == plots.MISSED
    assert [len(lane.get_facecolors()) for lane in lanes] == [3, 3, 2]
    first = lanes[0].get_facecolors()
    assert tuple(first[0]) == tuple(first[2]) != tuple(first[1])  # 7, 9, 7
    assert tuple(lanes[1].get_facecolors()[1][:3]) == plots.MISSED
    assert ax.get_title(loc="left").endswith("3 people, 3 ID switches")
    assert ax.get_xlabel() == "time (s)"


def test_a_track_id_has_one_colour_in_all_lanes() -> None:
    table = events().reset_index()
    table.loc[(table.OId == 3) & (table.Type == "MATCH"), "HId"] = 8
    lanes = plots.switch_timeline(table.set_index(["FrameId", "Event"])).collections
    assert tuple(lanes[1].get_facecolors()[0]) == tuple(lanes[2].get_facecolors()[1])


def test_many_ids_in_one_lane_never_touch_their_own_colour() -> None:
    frames = np.arange(1, 201)
    ids = frames // 3
    kind = np.where(np.diff(ids, prepend=ids[0]) != 0, "SWITCH", "MATCH")
    table = pd.DataFrame({"FrameId": frames, "Event": 0, "Type": kind, "OId": 1, "HId": ids, "D": 0.1})
    colours = plots.switch_timeline(table.set_index(["FrameId", "Event"])).collections[0].get_facecolors()
    assert len(colours) == len(set(ids))
    assert all(tuple(a) != tuple(b) for a, b in pairwise(colours))


def test_timeline_says_how_many_lanes_it_leaves_out() -> None:
    ax = plots.switch_timeline(events(), max_lanes=1)
    assert ax.get_title(loc="left") == "Who carries which track id: 1 of 3 people, 2 of 3 ID switches"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["1"]


def test_timeline_of_chosen_people_and_of_one_who_is_not_there() -> None:
    ax = plots.switch_timeline(events(), objects=[3, 1])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["3", "1"]
    with pytest.raises(PlotError, match="No ground-truth person 99"):
        plots.switch_timeline(events(), objects=[99])


def test_several_sequences_must_be_named() -> None:
    both = pd.concat({"A": events(), "B": events()}, names=["sequence"])
    with pytest.raises(PlotError, match="2 sequences"):
        plots.switch_timeline(both)
    assert "3 ID switches" in plots.switch_timeline(both, sequence="B").get_title(loc="left")
    with pytest.raises(PlotError, match="No sequence 'C'"):
        plots.life_lines(both, sequence="C")


def test_life_lines_give_the_tracked_share() -> None:
    texts = [text.get_text().strip() for text in plots.life_lines(events()).texts]
    assert texts == ["100%", f"{26 / 30:.0%}", "80%"]  # person 3: 20 of 25 frames


def test_kinds_are_counted_per_sequence() -> None:
    ax = plots.switch_kinds(switches())
    assert [text.get_text().strip() for text in ax.texts] == ["1", "1", "2", "1", "1"]
    assert [label.get_text() for label in ax.get_yticklabels()] == list(plots.SWITCH_KINDS)
    assert [bar.get_width() for bar in ax.patches] == [1, 1, 0, 0, 1, 0, 0, 2, 1, 0]


def test_a_kind_of_ones_own_is_drawn_too() -> None:
    ax = plots.switch_kinds(pd.DataFrame({"kind": ["teleported", "new id"]}))
    assert [label.get_text() for label in ax.get_yticklabels()] == ["new id", "teleported"]


def test_switches_without_a_distance_are_counted() -> None:
    ax = plots.gap_against_distance(switches())
    assert sum(len(line.get_xdata()) for line in ax.lines) == 5
    assert "5 ID switches" in ax.get_title(loc="left")
    assert "1 more" in ax.get_title(loc="left")


def test_map_marks_the_feet() -> None:
    ax = plots.switch_map(switches().drop(columns="sequence"), size=(640, 360))
    marks = np.concatenate([line.get_xydata() for line in ax.lines])
    expected = np.c_[switches().x + 20, switches().y + 100]
    assert sorted(map(tuple, marks)) == sorted(map(tuple, expected))
    assert (ax.get_xlim(), ax.get_ylim()) == ((0, 640), (360, 0))


def test_what_is_of_another_sequence_is_refused() -> None:
    with pytest.raises(PlotError, match="2 sequences; name one of A, B"):
        plots.switch_map(switches(), size=(640, 360))
    assert len(plots.switch_map(switches(), sequence="B", size=(640, 360)).get_title(loc="left")) > 0
    with pytest.raises(PlotError, match="Most boxes lie far outside an image of 64 x 48 pixels"):
        plots.switch_map(switches(), sequence="B", size=(64, 48))
    with pytest.raises(PlotError, match="give an image of the same sequence"):
        plots.trajectories(tracks(), size=(20, 20))
    leaving = pd.DataFrame({"kind": "MISS", "x": [-35.0, -30.0, 630.0], "y": 100.0, "w": 40.0, "h": 90.0})
    plots.error_map(leaving, size=(640, 360))
    with pytest.raises(PlotError, match="and the image has 320 x 100; give the frame of the same sequence"):
        plots.centre_heatmap(one_frame(), np.zeros((100, 320, 3), np.uint8))
    results = {
        name: SimpleNamespace(summary=pd.DataFrame({"mota": [0.5]}), sequences={name: None})
        for name in ("MOT17-02-DPM", "MOT17-02-SDP", "MOT17-04-SDP")
    }
    one, copy, other = results.values()
    plots.compare_trackers({"a": one, "b": copy}, ("mota",))  # the same frames with other public detections
    with pytest.raises(PlotError, match="Metrics of MOT17-02-DPM and of MOT17-04-SDP cannot be compared"):
        plots.compare_trackers({"a": one, "c": other}, ("mota",))


def test_hota_curves_of_several_sequences_are_the_overall_ones() -> None:
    table = pd.concat([curves().assign(sequence="A"), curves(0.2).assign(sequence="OVERALL")])
    ax = plots.hota_curves({"JDE": table})
    assert ax.lines[0].get_ydata().tolist() == pytest.approx((100 * curves(0.2)["hota"]).tolist())


def test_differences_are_filled_where_they_are_real() -> None:
    rows = [
        ("OVERALL", "A", "B", "mota", 0.02, 0.01, 0.03, "higher"),
        ("OVERALL", "A", "B", "idf1", 0.01, -0.01, 0.03, "not a difference"),
        ("one", "A", "B", "mota", 0.5, 0.4, 0.6, "higher"),
    ]
    columns = ["sequence", "tracker", "other", "metric", "difference", "low", "high", "verdict"]
    table = pd.DataFrame(rows, columns=columns)
    ax = plots.differences(table, ("mota", "idf1"))
    lines, marks = ax.lines[0:4:2], ax.lines[1:4:2]
    assert [line.get_xdata() for line in lines] == [pytest.approx([1, 3]), pytest.approx([-1, 3])]
    assert [mark.get_markerfacecolor() == mark.get_color() for mark in marks] == [True, False]
    assert "1 of 2 are differences" in ax.get_title(loc="left")
    with pytest.raises(PlotError, match="num_switches is not a rate"):
        plots.differences(table, ("num_switches",))


def test_sweep_lines_are_the_overall_rows() -> None:
    ax = plots.metric_against_threshold(sweep(), "conf_thres", ("mota",))
    x, y = ax.lines[0].get_data()
    assert x.tolist() == [0.2, 0.3, 0.4, 0.5, 0.6]
    np.testing.assert_allclose(y, [44, 56, 60, 56, 44])


def test_heat_map_frames_the_best_cell() -> None:
    ax = plots.setting_heatmap(sweep(), "conf_thres", "track_buffer", "idf1")
    assert ax.patches[0].get_xy() == (0.5, 1.5)  # conf_thres 0.3, track_buffer 60
    np.testing.assert_allclose(ax.images[0].get_array()[2, 1], 100 * (0.7 - 0.02**2 * 3 + 0.06))
    ax = plots.setting_heatmap(sweep(), "conf_thres", "track_buffer", "num_switches")
    assert ax.patches[0].get_xy()[0] == -0.5  # fewest switches at conf_thres 0.2


def test_parallel_coordinates_thickest_line_is_the_best_run() -> None:
    ax = plots.parallel_coordinates(sweep(), ["conf_thres", "track_buffer"])
    runs = [line for line in ax.lines if len(line.get_xdata()) == 3]
    assert len(runs) == 15
    best = max(runs, key=lambda line: line.get_linewidth())
    np.testing.assert_allclose(best.get_ydata(), [0.25, 1, 1])


def test_bars_show_negative_mota_and_missing_metrics() -> None:
    ax = plots.compare_trackers(trackers(), ("mota", "assa"))
    assert [text.get_text() for text in ax.texts] == ["70.0", "n/a", "72.0", "n/a", "-10.0", "n/a"]
    assert ax.get_ylim()[0] < -10


def test_figures_of_different_protocols_are_not_compared() -> None:
    one = SimpleNamespace(summary=summary(0.7, 0.6, 0.5), protocol="raw", evaluator="motmetrics")
    two = SimpleNamespace(summary=summary(0.7, 0.6, 0.5), protocol="motchallenge", evaluator="motmetrics")
    with pytest.raises(PlotError, match="different protocol"):
        plots.compare_trackers({"one": one, "two": two}, ("mota", "idf1"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metrics": ("num_switches",)}, "not a rate"),
        ({"kind": "pie"}, "'bars' or 'radar'"),
        ({"metrics": ("mota", "idf1"), "kind": "radar"}, "three metrics"),
    ],
)
def test_comparisons_that_cannot_be_drawn(arguments: dict, message: str) -> None:
    with pytest.raises(PlotError, match=message):
        plots.compare_trackers(trackers(), **arguments)


def test_radar_says_what_it_clips() -> None:
    assert "bad: below 0" in plots.compare_trackers(trackers(), ("mota", "idf1", "hota"), kind="radar").get_title(
        "left"
    )
    with pytest.raises(PlotError, match="polar"):
        plots.compare_trackers(trackers(), ("mota", "idf1", "hota"), kind="radar", ax=plt.subplots()[1])


def test_distances_may_come_from_the_function_behind_the_widget() -> None:
    random = np.random.default_rng(0)
    ids = np.repeat([1, 2, 3], 20)
    vectors = np.eye(8)[ids] + random.normal(0, 0.3, (60, 8))
    distances = embedding_distances(vectors, ids, np.tile(np.arange(20), 3))
    pairs = pd.DataFrame({"distance": np.r_[distances.same, distances.different]})
    pairs["same"] = np.arange(len(pairs)) < len(distances.same)
    one, two = plots.embedding_distances(distances), plots.embedding_distances(pairs)
    assert one.get_title("left") == two.get_title("left") == f"Embedding distances, area under ROC {distances.auc:.3f}"


@pytest.mark.parametrize("seed", range(5))
def test_area_under_roc_against_sklearn(seed: int) -> None:
    from sklearn.metrics import roc_auc_score

    random = np.random.default_rng(seed)
    same, other = random.integers(0, 8, 30) / 10, random.integers(3, 12, 50) / 10  # with ties
    expected = roc_auc_score([1] * 30 + [0] * 50, -np.concatenate([same, other]))
    assert area_under_roc(same, other) == pytest.approx(expected)


def test_area_under_roc_of_nothing() -> None:
    assert np.isnan(area_under_roc(np.empty(0), np.ones(3)))


def test_errors_are_summed_in_the_legend_and_averaged_in_the_line() -> None:
    ax = plots.errors_over_time(per_frame(), window=3)
    assert [text.get_text() for text in ax.get_legend().texts] == [
        "misses (60)",
        "false positives (16)",
        "ID switches (2)",
    ]
    assert ax.lines[1].get_ydata()[6] == pytest.approx(2 / 3)
    assert ax.lines[2].get_xdata().tolist() == [22, 41]


def test_growth_is_per_frame_and_names_the_ratio() -> None:
    ax = plots.association_growth(growth())
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [4, 12, 32])
    assert [text.get_text() for text in ax.texts] == ["20x", "20x", "20x"]


def test_heatmap_lies_on_the_pixels_it_saw() -> None:
    ax = plots.centre_heatmap(one_frame(), picture(), threshold=0.4)
    assert ax.images[1].get_extent() == [0, 640, 240, 0]
    assert ax.get_title(loc="left") == "Centre heatmap, frame 4: 1 of 2 peaks reach 0.4"
    with pytest.raises(PlotError, match="without its heatmap"):
        plots.centre_heatmap(SimpleNamespace(frame=4, heatmap=None, letterbox=None), picture())


@pytest.mark.parametrize(
    ("draw", "table"),
    [
        (plots.switch_timeline, events().iloc[:0]),
        (plots.life_lines, events().iloc[:0]),
        (plots.switch_kinds, switches().iloc[:0]),
        (plots.gap_against_distance, switches().iloc[:0]),
        (plots.switch_map, switches().iloc[:0]),
        (plots.errors_over_time, per_frame().iloc[:0]),
        (plots.trajectories, tracks().iloc[:0]),
        (plots.score_distributions, detections().iloc[:0]),
        (plots.embedding_distances, pairs().iloc[:0]),
    ],
)
def test_an_empty_table_gives_an_empty_figure(draw: Draw, table: pd.DataFrame, tmp_path: Path) -> None:
    plots.save(draw(table), tmp_path / "empty.svg")
    assert (tmp_path / "empty.svg").stat().st_size > 0


@pytest.mark.parametrize("suffix", [".pdf", ".svg", ".eps", ".png"])
def test_saved_figures_are_the_same_each_time(suffix: str, tmp_path: Path) -> None:
    for name in ("one", "two"):
        plots.save(plots.switch_kinds(switches()), tmp_path / f"{name}{suffix}")
    one, two = (tmp_path / f"{name}{suffix}").read_bytes(), (tmp_path / f"two{suffix}").read_bytes()
    assert one == two if suffix != ".eps" else len(one) == len(two)  # PostScript carries a date in a comment
    if suffix == ".svg":
        assert b"Kinds of ID switch (6 in all)" in one  # text, not outlines
        assert b"<image" not in one
    with pytest.raises(PlotError, match="no suffix"):
        plots.save(plots.switch_kinds(switches()), tmp_path / "figure.jpeg")


def test_a_missing_column_is_named() -> None:
    with pytest.raises(PlotError, match="needs the column 'kind'"):
        plots.switch_kinds(pd.DataFrame({"type": [1]}))
    with pytest.raises(PlotError, match="needs a DataFrame, not list"):
        plots.trajectories([1, 2])


def test_colours_differ_for_colour_blind_readers() -> None:
    """As Machado et al. (2009) simulate the three kinds at full severity; the distance in CIE Lab is plainly seen."""
    from matplotlib.colors import to_rgb

    simulate = {
        "deuteranopia": [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ],
        "protanopia": [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ],
        "tritanopia": [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ],
    }
    rgb = np.array([to_rgb(colour) for colour in plots.COLOURS])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    for name, matrix in simulate.items():
        seen = np.clip(linear @ np.array(matrix).T, 0, 1) @ to_xyz.T / np.array([0.9505, 1.0, 1.089])
        root = np.where(seen > 0.008856, np.cbrt(seen), 7.787 * seen + 16 / 116)
        lab = np.c_[116 * root[:, 1] - 16, 500 * (root[:, 0] - root[:, 1]), 200 * (root[:, 1] - root[:, 2])]
        apart = np.linalg.norm(lab[:, None] - lab[None], axis=2)[np.triu_indices(len(lab), 1)]
        assert apart.min() > 7, (name, apart.min())


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else BASELINES
    target.mkdir(parents=True, exist_ok=True)
    made = {name: render(name, draw, target / f"{name}.png") for name, (draw, _) in FIGURES.items()}
    (target / "texts.json").write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def test_names_are_shown_as_they_are_written(tmp_path: Path) -> None:
    table = pd.DataFrame({"mota": [0.5], "idf1": [0.5], "hota": [0.4], "sequence": "OVERALL"})
    ax = plots.compare_trackers({"_baseline": table, "a$^$b": table}, ["mota", "idf1", "hota"])
    assert [text.get_text().strip() for text in ax.get_legend().get_texts()] == ["_baseline", "a$^$b"]
    plots.save(ax, tmp_path / "names.png")


def test_the_best_run_has_the_most_of_what_is_good() -> None:
    table = pd.DataFrame({"a": [1, 2], "b": [1, 1], "mostly_tracked": [20, 5], "num_misses": [9, 7]})
    for metric, best in (("mostly_tracked", -0.5), ("num_misses", 0.5)):
        ax = plots.setting_heatmap(table.assign(sequence="OVERALL"), "a", "b", metric)
        assert ax.patches[-1].get_x() == best


def test_frames_without_errors_are_drawn_at_zero() -> None:
    table = pd.DataFrame({"frame": [1, 100], "num_false_positives": 0, "num_misses": 5, "num_switches": 0})
    x, y = plots.errors_over_time(table).lines[0].get_data()
    assert (len(x), y[0], y[50], y[-1]) == (100, 5, 0, 5)


def test_what_is_unknown_is_left_open_on_a_radar() -> None:
    known = pd.DataFrame({"mota": [0.5], "idf1": [0.5], "hota": [0.4], "sequence": "OVERALL"})
    ax = plots.compare_trackers({"a": known, "b": known.drop(columns="hota")}, ["mota", "idf1", "hota"], kind="radar")
    assert "n/a: b" in ax.get_xticklabels()[2].get_text()
    assert np.isnan(ax.lines[1].get_ydata()).any()
