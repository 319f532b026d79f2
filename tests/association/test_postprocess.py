"""Offline processing of finished tracks."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import fairmot_lab as fl
from fairmot_lab.association.postprocess import postprocess
from fairmot_lab.errors import ConfigError, MotFileError, TrackingError


def table(*tracks):
    """Rows of tracks, each (id, frames, x of its boxes)."""
    parts = [
        pd.DataFrame(
            {"frame": frames, "id": name, "x": x, "y": 50.0, "w": 20.0, "h": 60.0, "score": 0.9, "class_id": 0}
        )
        for name, frames, x in tracks
    ]
    whole = pd.concat(parts).sort_values(["frame", "id"]).reset_index(drop=True)
    whole["det"] = np.arange(len(whole))
    whole.attrs = {"tracker": "jde"}
    return whole


def test_gaps_up_to_max_gap_are_filled_and_longer_ones_are_not():
    tracks = table((1, [1, 5], [0.0, 40.0]), (2, [1, 6], [0.0, 50.0]))
    filled = postprocess(tracks, max_gap=3)
    assert filled.query("id == 1")["x"].tolist() == [0, 10, 20, 30, 40]
    assert filled.query("id == 1")["det"].tolist()[1:4] == [-1, -1, -1]
    assert filled.query("id == 2")["frame"].tolist() == [1, 6]
    assert filled.attrs == {"tracker": "jde", "offline": ["linear interpolation of gaps up to 3 frames"]}
    assert "offline" not in tracks.attrs
    assert filled.dtypes.equals(tracks.dtypes)


def test_gaussian_smoothing_is_that_of_scikit_learn():
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF

    random = np.random.default_rng(0)
    frames = np.arange(1, 61)
    tracks = table((7, frames, 3.0 * frames + random.normal(0, 2, 60)))
    smooth = postprocess(tracks, interpolate="gaussian")
    scale = float(np.clip(10 * np.log(10**3 / 60), 0.1, 100))
    process = GaussianProcessRegressor(RBF(scale, "fixed")).fit(frames[:, None], tracks["x"])
    np.testing.assert_allclose(smooth["x"], process.predict(frames[:, None]), atol=1e-2)
    assert np.abs(np.diff(smooth["x"], 2)).mean() < 0.2 * np.abs(np.diff(tracks["x"], 2)).mean()


def test_short_tracks_are_removed():
    tracks = table((1, [1, 2, 3], [0.0, 1, 2]), (2, [1, 2], [90.0, 90]))
    assert set(postprocess(tracks, min_length=3)["id"]) == {1}


def test_a_track_is_linked_to_the_one_that_goes_on_where_it_should_be():
    tracks = table(
        (1, range(1, 11), np.arange(10) * 5.0),
        (2, range(15, 25), 14 * 5.0 + np.arange(10) * 5.0),  # goes on at the same speed
        (3, range(15, 25), np.full(10, 400.0)),
    )
    linked = postprocess(tracks, link=True, interpolate=None)
    assert set(linked["id"]) == {1, 3}
    assert set(postprocess(tracks, link=True, link_gap=3, interpolate=None)["id"]) == {1, 2, 3}
    whole = postprocess(tracks, link=True)
    assert len(whole.query("id == 1")) == 24
    assert len(whole.attrs["offline"]) == 2


def test_appearance_decides_between_two_that_stand_close():
    tracks = table(
        (1, range(1, 11), np.full(10, 100.0)),
        (2, range(14, 24), np.full(10, 100.0)),
        (3, range(14, 24), np.full(10, 110.0)),
    )
    look = {1: [1.0, 0, 0], 2: [0, 1.0, 0], 3: [0.99, 0, 0.1]}
    embeddings = np.array([look[name] for name in tracks["id"]], np.float32)
    detections = SimpleNamespace(has_embeddings=True, embeddings=lambda: embeddings, table=lambda: tracks)
    linked = postprocess(tracks, detections, link=True, interpolate=None)
    assert set(linked["id"]) == {1, 2}
    assert len(linked.query("id == 1")) == 20


def test_chains_have_the_first_id_and_no_frame_twice():
    tracks = table(*((name, range(20 * name, 20 * name + 10), np.full(10, 50.0)) for name in (3, 1, 2)))
    linked = postprocess(tracks, link=True)
    assert set(linked["id"]) == {1}
    assert not linked.duplicated(["id", "frame"]).any()


def test_an_empty_table_stays_empty():
    empty = table((1, [1], [0.0])).iloc[:0]
    assert postprocess(empty, link=True, interpolate="gaussian", min_length=3).empty


def test_mistakes_are_told():
    with pytest.raises(ConfigError, match="interpolate is 'cubic'"):
        postprocess(table((1, [1], [0.0])), interpolate="cubic")
    with pytest.raises(ConfigError, match="max_gap is -1"):
        postprocess(table((1, [1], [0.0])), max_gap=-1)
    with pytest.raises(ConfigError, match="link_appearance is -1"):
        postprocess(table((1, [1], [0.0])), link=True, link_appearance=-1)
    with pytest.raises(MotFileError, match="frame 2 has id 1 a second time"):
        postprocess(table((1, [2, 2], [0.0, 1])))
    with pytest.raises(MotFileError, match="has no column w"):
        postprocess(table((1, [1, 3], [0.0, 1])).drop(columns="w"))
    with pytest.raises(MotFileError, match="x is nan"):
        postprocess(table((1, [1, 3], [0.0, np.nan])), interpolate="gaussian")
    with pytest.raises(TrackingError, match=r"are a str; give a table, of a file with read_mot\(file\)"):
        postprocess("results/a.txt")
    others = fl.example().detections
    with pytest.raises(TrackingError, match="not made from the detections of crossing"):
        postprocess(table((1, [1, 3], [0.0, 1])).assign(det=10**6), others, link=True)
    with pytest.raises(TrackingError, match="not made from the detections of crossing"):
        postprocess(table((1, [1, 3], [0.0, 1])).drop(columns="det"), others, link=True)


def test_tracks_of_two_classes_are_not_linked():
    tracks = table((1, range(1, 11), np.arange(10) * 5.0), (2, range(13, 23), 60 + np.arange(10) * 5.0))
    assert postprocess(tracks, link=True)["id"].nunique() == 1
    tracks["class_id"] = np.where(tracks["id"] == 1, 0, 3)
    assert postprocess(tracks, link=True)["id"].nunique() == 2


def test_tables_of_files_and_of_one_row(tmp_path):
    tracks = fl.example().tracks
    fl.write_mot(tracks[~tracks["frame"].isin([10, 11])], tmp_path / "crossing.txt")
    assert len(postprocess(fl.read_mot(tmp_path / "crossing.txt"), link=True, interpolate="gaussian")) == 80
    for options in ({}, {"interpolate": "gaussian"}, {"link": True}):
        assert len(postprocess(tracks.iloc[:1], **options)) == 1


def test_detections_of_another_video_are_refused():
    scene = fl.example()
    tracks = fl.track(scene.detections, "jde")
    postprocess(tracks, scene.detections, link=True)
    tracks["frame"] += 1
    with pytest.raises(TrackingError, match="not made from the detections of crossing"):
        postprocess(tracks, scene.detections, link=True)
    with pytest.raises(ConfigError, match="max_gap is '20'; it must be a number from 0 up"):
        postprocess(tracks, max_gap="20")


def test_frames_between_images_are_no_gaps():
    """Every third frame has an image: tracks come out as those of the images numbered through."""
    rng = np.random.default_rng(0)
    rows = [
        (f, i, 10.0 * f + rng.normal(), 30.0 * i, 8.0, 20.0)
        for i in (1, 2)
        for f in range(1, 21)
        if (f, i) not in {(7, 1), (8, 1)}
    ]
    through = pd.DataFrame(rows, columns=["frame", "id", "x", "y", "w", "h"])
    apart = through.assign(frame=3 * through["frame"] - 2)
    for options in ({}, {"interpolate": "gaussian", "link": True}, {"max_gap": 1}):
        wanted, found = postprocess(through, **options), postprocess(apart, **options)
        pd.testing.assert_frame_equal(found, wanted.assign(frame=3 * wanted["frame"] - 2))
    assert len(postprocess(apart)) == 40
