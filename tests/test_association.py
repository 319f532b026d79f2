"""The tracker's settings, its arithmetic and its parity with ppdet's JDETracker."""

from __future__ import annotations

import dataclasses
import itertools
import math
import pickle
import warnings
from types import SimpleNamespace

import lap
import numpy as np
import pandas as pd
import pytest
from crowds import crowd, first_frames, with_looks
from hypothesis import given, settings
from hypothesis import strategies as st

from fairmot_lab import kernels
from fairmot_lab.association import Tracker, TrackerConfig, track_arrays, tracks_table, warm_up
from fairmot_lab.data import SequenceArrays
from fairmot_lab.detection.cache import open_detections
from fairmot_lab.detection.model import load_model
from fairmot_lab.errors import ConfigError, FairMOTLabWarning, TrackingError
from fairmot_lab.reference import ReferenceTracker, reference_track_arrays
from fairmot_lab.sources.open import open_source


def test_defaults_are_those_of_paddledetections_fairmot_config():
    # configs/mot/fairmot/_base_/fairmot_dla34.yml and the defaults of ppdet's JDETracker
    expected = {
        "conf_thres": 0.4,
        "tracked_thresh": 0.4,
        "r_tracked_thresh": 0.5,
        "unconfirmed_thresh": 0.7,
        "det_thresh": 0.3,
        "track_buffer": 30,
        "min_box_area": 200,
        "vertical_ratio": 1.6,
        "metric_type": "cosine",
        "use_byte": False,
        "match_thres": 0.8,
        "low_conf_thres": 0.2,
    }
    assert {name: TrackerConfig().to_dict()[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"conf_thres": 1.2}, ["conf_thres", "1.2", "0 to 1"]),
        ({"conf_thres": -0.1}, ["conf_thres", "-0.1"]),
        ({"tracked_thresh": math.nan}, ["tracked_thresh", "nan"]),
        ({"match_thres": math.inf}, ["match_thres"]),
        ({"track_buffer": 2.5}, ["track_buffer", "whole"]),
        ({"track_buffer": -1}, ["track_buffer"]),
        ({"track_buffer": True}, ["track_buffer"]),
        ({"metric_type": "manhattan"}, ["metric_type", "cosine", "euclidean"]),
        ({"use_byte": 1}, ["use_byte", "True or False"]),
        ({"conf_thres": "0.4"}, ["conf_thres", "number"]),
        ({"conf_thres": None}, ["conf_thres", "number"]),
        ({"conf_thresh": 0.4}, ["conf_thresh", "did you mean conf_thres"]),
        ({"use_byte": True, "low_conf_thres": 0.5}, ["low_conf_thres", "conf_thres"]),
    ],
)
def test_a_wrong_setting_is_one_sentence(changes, words):
    with pytest.raises(ConfigError) as caught:
        TrackerConfig().replace(**changes)
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_settings_accept_numpy_values_and_give_plain_ones():
    config = TrackerConfig(conf_thres=np.float32(0.5), track_buffer=np.int64(12), use_byte=np.bool_(True))
    assert (config.conf_thres, config.track_buffer, config.use_byte) == (0.5, 12, True)
    assert [type(value) for value in (config.conf_thres, config.track_buffer, config.use_byte)] == [float, int, bool]
    assert hash(config) == hash(TrackerConfig(conf_thres=0.5, track_buffer=12, use_byte=True))


def test_config_survives_json(tmp_path):
    config = TrackerConfig(conf_thres=0.35, use_byte=True, metric_type="euclidean")
    assert TrackerConfig.from_json(config.to_json()) == config
    path = tmp_path / "settings.json"
    path.write_text(config.to_json())
    assert TrackerConfig.from_json(path) == config
    with pytest.raises(ConfigError, match="JSON"):
        TrackerConfig.from_json('{"conf_thres": ')
    with pytest.raises(ConfigError, match="nowhere"):
        TrackerConfig.from_json(tmp_path / "nowhere.json")


def test_any_scores_opens_the_range_of_score_thresholds():
    assert TrackerConfig(any_scores=True, conf_thres=-0.5, det_thresh=2).det_thresh == 2
    with pytest.raises(ConfigError):
        TrackerConfig(det_thresh=2)


def test_every_setting_declares_a_search_range_that_it_accepts():
    for setting in TrackerConfig.settings().values():
        assert setting.doc
        for value in setting.search:
            assert setting.check(value) == value
        assert setting.check(setting.default) == setting.default


# --- arithmetic


@settings(max_examples=300, deadline=None)
@given(
    rows=st.integers(1, 9),
    columns=st.integers(1, 9),
    digits=st.sampled_from([0, 1, 12]),
    forbidden=st.floats(0, 0.8),
    limit=st.sampled_from([0.0, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5]),
    seed=st.integers(0, 2**32 - 1),
)
def test_assign_is_lapjv_with_a_cost_limit_ties_included(rows, columns, digits, forbidden, limit, seed):
    random = np.random.default_rng(seed)
    cost = np.round(random.random((rows, columns)), digits)
    cost[random.random(cost.shape) < forbidden] = np.inf
    _, x, y = lap.lapjv(cost, extend_cost=True, cost_limit=limit)
    ours_x, ours_y = kernels.assign(cost, limit)
    np.testing.assert_array_equal(ours_x, x)
    np.testing.assert_array_equal(ours_y, y)


def test_assign_finds_the_least_cost():
    """Against every possible assignment, where each thing left alone costs half the limit."""
    random = np.random.default_rng(3)
    for _ in range(60):
        cost = random.random((3, 4))
        limit = random.uniform(0.1, 1.2)
        least = math.inf
        for choice in itertools.product([-1, 0, 1, 2, 3], repeat=3):
            made = [(i, j) for i, j in enumerate(choice) if j >= 0]
            if len({j for _, j in made}) == len(made):
                least = min(least, sum(cost[i, j] for i, j in made) + limit / 2 * (7 - 2 * len(made)))
        x, _ = kernels.assign(cost, limit)
        made = [(i, j) for i, j in enumerate(x) if j >= 0]
        assert sum(cost[i, j] for i, j in made) + limit / 2 * (7 - 2 * len(made)) == pytest.approx(least)


def test_iou_counts_pixels_as_ppdet_does():
    # 10 x 10 pixels and the same moved by 5: 5 * 10 common of 150, where the last pixel counts
    cost = kernels.iou_cost(np.float32([[0, 0, 9, 9]]), np.float32([[5, 0, 14, 9], [20, 0, 29, 9]]), np.arange(2))
    np.testing.assert_allclose(cost, [[1 - 50 / 150, 1]], atol=1e-7)


def test_kalman_filter_is_ppdets():
    from ppdet.modeling.mot.motion.kalman_filter import KalmanFilter

    theirs, random = KalmanFilter(), np.random.default_rng(0)
    motion, slot = np.zeros((1, kernels.MOTION_SIZE), np.float32), np.array([0])
    measurement = np.float32([[640, 360, 0.4, 180]])
    mean, covariance = theirs.initiate(measurement[0])
    kernels.begin(motion, slot, measurement, slot)
    for step in range(200):
        means, covariances = theirs.multi_predict(mean[None], covariance[None])
        mean, covariance = means[0], covariances[0]
        kernels.predict(motion, slot, 1)
        if step % 7:
            measurement = measurement + np.float32(random.normal([[2, 1, 0, 0.5]], [[2, 2, 0.01, 1]]))
            mean, covariance = theirs.update(mean, covariance, measurement[0])
            kernels.correct(motion, slot, measurement, slot)
        np.testing.assert_allclose(motion[0, :8], mean, rtol=2e-5, atol=2e-5)
        for c in range(4):
            block = covariance[np.ix_([c, c + 4], [c, c + 4])]
            np.testing.assert_allclose(motion[0, 8 + 4 * c : 12 + 4 * c], block.ravel(), rtol=1e-4, atol=1e-7)
        others = covariance.copy()
        for c in range(4):
            others[np.ix_([c, c + 4], [c, c + 4])] = 0
        assert not others.any(), "ppdet's covariance falls into one block per coordinate"


def test_warm_up_compiles_whatever_a_tracker_needs():
    warm_up()
    names = [name for name in vars(kernels) if hasattr(getattr(kernels, name), "signatures")]
    compiled = {name: len(getattr(kernels, name).signatures) for name in names if not name.startswith("_")}
    assert len(compiled) >= 10
    assert all(compiled.values()), compiled
    assert track_arrays(crowd(6, 10), TrackerConfig(use_byte=True, metric_type="euclidean")).id.max() >= 6
    assert compiled == {name: len(getattr(kernels, name).signatures) for name in compiled}, (
        "nothing was left to compile"
    )


def test_where_no_cache_can_be_written_code_is_compiled_anew(monkeypatch):
    njit = kernels.numba.njit

    def without_locator(**options):
        if options.pop("cache", False):
            raise RuntimeError("cannot cache function: no locator available")
        return njit(**options)

    monkeypatch.setattr(kernels.numba, "njit", without_locator)
    assert kernels._compiled(lambda x: x + 1)(2) == 3


# --- parity with ppdet's tracker


def assert_same_tracks(ours, theirs):
    assert ours[["frame", "id", "det", "class_id"]].equals(theirs[["frame", "id", "det", "class_id"]])
    assert len(ours)
    for name in ("x", "y", "w", "h", "score"):
        np.testing.assert_allclose(ours[name], theirs[name], atol=0.01, rtol=0)


def assert_parity(arrays, config, frame_rate=30.0):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FairMOTLabWarning)
        ours = track_arrays(arrays, config, frame_rate)
    assert_same_tracks(ours, reference_track_arrays(arrays, config, frame_rate))


CONFIGS = {
    "defaults": {},
    "BYTE": {"use_byte": True},
    "euclidean": {"metric_type": "euclidean", "tracked_thresh": 0.8},
    "short buffer, high scores": {"track_buffer": 2, "conf_thres": 0.6, "det_thresh": 0.7},
    "loose": {"tracked_thresh": 1.5, "r_tracked_thresh": 1.0, "unconfirmed_thresh": 1.0, "match_thres": 1.0},
    "tight, all shapes": {
        "tracked_thresh": 0.1,
        "r_tracked_thresh": 0.2,
        "unconfirmed_thresh": 0.2,
        "match_thres": 0.4,
        "min_box_area": 0,
        "vertical_ratio": 0,
    },
    "BYTE, euclidean, no buffer": {
        "use_byte": True,
        "metric_type": "euclidean",
        "tracked_thresh": 0.7,
        "track_buffer": 0,
        "conf_thres": 0.7,
    },
}


@pytest.mark.parametrize("changes", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize("dimension", [0, 32])
def test_parity_on_generated_crowds(changes, dimension):
    arrays = crowd(14, 60, dimension=dimension, missed=0.15, noise=0.1, seed=dimension)
    assert_parity(arrays, TrackerConfig(**changes), frame_rate=25)


@pytest.mark.parametrize("detector", ["DPM", "FRCNN", "SDP"])
@pytest.mark.parametrize("sequence", ["02", "04", "05", "09", "10", "11", "13"])
def test_parity_on_public_detections(mot17, sequence, detector):
    """The first frames of every set, in turns with embeddings; `benchmarks/association.py --parity` does the whole."""
    outputs = open_detections(mot17 / f"MOT17-{sequence}-{detector}")
    arrays = first_frames(outputs.arrays(), 60)
    turn = int(sequence) + len(detector)
    for use_byte in (False, True):
        config = TrackerConfig(any_scores=True, use_byte=use_byte)
        assert_parity(with_looks(arrays) if turn % 2 else arrays, config, outputs.frame_rate)
        turn += 1


@pytest.mark.parametrize("use_byte", [False, True])
def test_parity_on_network_outputs(network_outputs, use_byte):
    assert_parity(network_outputs, TrackerConfig(use_byte=use_byte))


@pytest.fixture(scope="module")
def network_outputs(mot17_09):
    """What the bundled model says of the first frames of MOT17-09."""
    model = load_model("fairmot_lite")
    results = [model(frame.image, frame=frame.number) for frame in open_source(mot17_09).frames(1, 40)]
    return SequenceArrays(
        frames=np.arange(1, 41),
        offsets=np.concatenate([[0], np.cumsum([len(result) for result in results])]),
        **{
            name: np.concatenate([getattr(result, name) for result in results])
            for name in ("boxes", "scores", "embeddings", "class_ids")
        },
    )


def test_parity_when_every_detection_comes_twice():
    """Pairs of equal boxes, scores and embeddings: nothing but ties."""
    once = crowd(8, 40, dimension=16, seed=4)
    twice = dataclasses.replace(
        once,
        offsets=2 * once.offsets,
        **{name: np.repeat(getattr(once, name), 2, axis=0) for name in ("boxes", "scores", "embeddings", "class_ids")},
    )
    ours = track_arrays(twice, TrackerConfig())
    theirs = reference_track_arrays(twice, TrackerConfig())
    assert_same_tracks(ours.drop(columns="det").assign(det=0), theirs.assign(det=0))


# --- a tracker on its own


@dataclasses.dataclass
class Shot:
    """The detections of one frame."""

    frame: int
    boxes: list
    scores: list
    embeddings: list | None = None
    class_ids: list | None = None


def shots(arrays, chosen=None):
    for index, frame in enumerate(arrays.frames):
        rows = slice(arrays.offsets[index], arrays.offsets[index + 1])
        if chosen is None or frame in chosen:
            embeddings = None if arrays.embeddings is None else arrays.embeddings[rows]
            yield Shot(int(frame), arrays.boxes[rows], arrays.scores[rows], embeddings, arrays.class_ids[rows])


def table(results):
    return tracks_table(results).drop(columns="det")


def test_frame_by_frame_equals_the_whole_sequence_and_input_is_not_changed():
    arrays = crowd(10, 40, seed=1)
    before = [array.copy() for array in (arrays.boxes, arrays.scores, arrays.embeddings)]
    tracker = Tracker(TrackerConfig(), 25)
    results = [tracker.update(shot) for shot in shots(arrays)]
    whole = track_arrays(arrays, TrackerConfig(), 25)
    pd.testing.assert_frame_equal(tracks_table(results, arrays.offsets[:-1]), whole)
    pd.testing.assert_frame_equal(track_arrays(arrays, TrackerConfig(), 25), whole)
    for array, old in zip((arrays.boxes, arrays.scores, arrays.embeddings), before, strict=True):
        np.testing.assert_array_equal(array, old)


def test_a_track_names_the_detection_it_took():
    arrays = crowd(10, 30, seed=2)
    tracks = track_arrays(arrays, TrackerConfig(refresh_score=True))
    assert (np.searchsorted(arrays.offsets, tracks.det, side="right") == tracks.frame).all()
    centre = arrays.boxes[tracks.det, :2] + arrays.boxes[tracks.det, 2:] / 2
    estimate = tracks[["x", "y"]].to_numpy() + tracks[["w", "h"]].to_numpy() / 2
    assert np.abs(centre - estimate).max() < 20
    np.testing.assert_array_equal(tracks.score, arrays.scores[tracks.det])


def test_trackers_side_by_side_do_not_disturb_each_other():
    one, other = crowd(8, 30, seed=5), crowd(12, 30, seed=6)
    first, second = Tracker(), Tracker(TrackerConfig(use_byte=True))
    mixed = [(first.update(a), second.update(b)) for a, b in zip(shots(one), shots(other), strict=True)]
    alone = Tracker()
    pd.testing.assert_frame_equal(table([a for a, _ in mixed]), table([alone.update(shot) for shot in shots(one)]))
    assert min(result.ids.min() for _, result in mixed) == 1


def test_reference_trackers_side_by_side_and_ppdets_own_counter():
    from ppdet.modeling.mot.tracker.base_jde_tracker import BaseTrack

    BaseTrack._count_dict[0] = 77
    arrays = crowd(4, 10, seed=5)
    first, second = ReferenceTracker(), ReferenceTracker()
    for shot in shots(arrays):
        ours, theirs = first.update(shot), second.update(shot)
        np.testing.assert_array_equal(ours.ids, theirs.ids)
    assert ours.ids.min() == 1
    assert BaseTrack._count_dict[0] == 77


def test_pickling_in_the_middle():
    arrays = crowd(10, 40, seed=7)
    tracker, results = Tracker(trace=True), []
    for shot in shots(arrays):
        results.append(tracker.update(shot))
        if shot.frame == 20:
            tracker = pickle.loads(pickle.dumps(tracker))
    pd.testing.assert_frame_equal(tracks_table(results, arrays.offsets[:-1]), track_arrays(arrays), check_like=True)
    assert len(tracker.trace) == 40


def test_a_frame_without_detections():
    tracker = Tracker()
    assert len(tracker.update(Shot(1, [], []))) == 0
    tracker.update(Shot(2, [[10, 10, 40, 100]], [0.9], [[1.0, 0]]))
    result = tracker.update(Shot(3, [[10, 10, 40, 100]], [0.9], [[1.0, 0]]))
    assert result.ids.tolist() == [1], "born in frame 2, confirmed in frame 3"
    assert len(tracker.update(Shot(4, np.empty((0, 4)), np.empty(0)))) == 0
    assert tracker.update(Shot(5, [[10, 10, 40, 100]], [0.9], [[1.0, 0]])).ids.tolist() == [1]
    assert len(track_arrays(crowd(0, 5))) == 0


@pytest.mark.parametrize("gap", [1, 4, 5, 6, 7, 8, 50, 10_000])
def test_a_gap_in_frame_numbers_is_frames_without_detections(gap):
    arrays = crowd(6, 12, seed=8)
    config = TrackerConfig(track_buffer=5)
    skipping, waiting = Tracker(config), Tracker(config)
    for shot in shots(arrays):
        late = dataclasses.replace(shot, frame=shot.frame + (gap if shot.frame > 6 else 0))
        if shot.frame == 7 and gap < 100:
            for empty in range(7, 7 + gap):
                waiting.update(Shot(empty, [], []))
        ours = skipping.update(late)
        if gap < 100:
            expected = waiting.update(late)
            np.testing.assert_array_equal(ours.ids, expected.ids)
            np.testing.assert_array_equal(ours.boxes, expected.boxes)
    # a buffer of 5 frames, one more in ppdet, and frame 7 itself is the first that can find a track again
    assert (ours.ids.min() <= 6) == (gap <= 6)


def test_the_buffer_follows_the_frame_rate():
    assert [Tracker(TrackerConfig(track_buffer=30), rate).max_time_lost for rate in (30, 14, 25, 60)] == [
        30,
        14,
        25,
        60,
    ]
    for rate in (0, -3, math.nan, "fast", None):
        with pytest.raises(ConfigError, match="frame_rate"):
            Tracker(frame_rate=rate)


BOX, SCORE, LOOK = [10.0, 10.0, 40.0, 100.0], 0.9, [0.6, 0.8]


@pytest.mark.parametrize(
    ("box", "score", "look", "words"),
    [
        ([math.nan, 10, 40, 100], SCORE, LOOK, ["nan", "finite"]),
        ([10, math.inf, 40, 100], SCORE, LOOK, ["inf", "finite"]),
        ([10, 10, 0, 100], SCORE, LOOK, ["(10, 10, 0, 100)", "above 0"]),
        ([10, 10, 40, -1], SCORE, LOOK, ["-1", "above 0"]),
        (BOX, math.nan, LOOK, ["score nan"]),
        (BOX, 1.5, LOOK, ["score 1.5", "0..1", "any_scores"]),
        (BOX, -0.1, LOOK, ["score -0.1"]),
        (BOX, SCORE, [0, 0], ["zeros"]),
        (BOX, SCORE, [math.nan, 1], ["not finite"]),
    ],
)
def test_broken_detections_are_refused_with_the_frame(box, score, look, words):
    good = Shot(6, [BOX], [SCORE], [LOOK])
    bad = Shot(7, [BOX, box], [SCORE, score], [LOOK, look])
    for tracker in (Tracker(), ReferenceTracker()):
        tracker.update(good)
        with pytest.raises(TrackingError) as caught:
            tracker.update(bad)
        for word in ["frame 7, detection 1", *words]:
            assert word in str(caught.value)
        assert tracker.update(dataclasses.replace(good, frame=7)).ids.tolist() == [1], "as it was before"
    arrays = SimpleNamespace(
        frames=[6, 7], offsets=[0, 1, 3], boxes=[BOX, BOX, box], scores=[SCORE, SCORE, score],
        embeddings=[LOOK, LOOK, look], class_ids=None,
    )  # fmt: skip
    with pytest.raises(TrackingError, match="frame 7, detection 1"):
        track_arrays(arrays)


@pytest.mark.parametrize(
    ("shot", "words"),
    [
        (Shot(6, [BOX], [SCORE], [LOOK]), "frame 6 comes after frame 6"),
        (Shot(2, [BOX], [SCORE], [LOOK]), "frame 2 comes after frame 6"),
        (Shot(7, [BOX], [SCORE], [[1, 0, 0]]), "embeddings of 3 numbers"),
        (Shot(7, [BOX], [SCORE]), "embeddings of 0 numbers"),
        (Shot(7, [BOX, BOX], [SCORE], [LOOK]), "2 boxes, 1 scores"),
        (Shot(7, [[1, 2, 3]], [SCORE], [LOOK]), "do not belong together"),
        (Shot(7, [BOX], [SCORE], [LOOK], [3]), "class 3"),
        (Shot(7, [BOX, BOX], [SCORE, SCORE], [LOOK, LOOK], [0, 1]), "class 1"),
    ],
)
def test_frames_that_do_not_fit_are_refused(shot, words):
    tracker = Tracker()
    tracker.update(Shot(6, [BOX], [SCORE], [LOOK], [0]))
    with pytest.raises(TrackingError, match=words):
        tracker.update(shot)


def test_without_embeddings_a_warning_says_what_is_compared():
    arrays = crowd(5, 5, dimension=0)
    with pytest.warns(FairMOTLabWarning, match="no embeddings") as caught:
        track_arrays(arrays)
    assert len(caught) == 1
    tracker, (first, *later) = Tracker(), shots(arrays)
    with pytest.warns(FairMOTLabWarning, match="no embeddings"):
        tracker.update(first)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for shot in later:
            tracker.update(shot)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        track_arrays(arrays, TrackerConfig(use_byte=True))
        track_arrays(crowd(5, 5))


# --- repairs of ppdet's faults


def one_person(seen, config, frames=30):
    """Frames in which the only person is reported; there is somebody in the frames `seen`."""
    tracker, reported = Tracker(config), []
    for frame in range(1, frames + 1):
        shot = Shot(frame, [BOX], [SCORE], [LOOK]) if frame in seen else Shot(frame, [], [])
        reported += [(frame, int(i)) for i in tracker.update(shot).ids]
    return reported


def test_forget_removed():
    # lost after frame 3 with a buffer of 2 frames; seen again in frame 7, the frame after its buffer ran out
    seen, config = {1, 2, 3, 7, 8, 10, 11}, TrackerConfig(track_buffer=2)
    assert one_person(seen, config) == [(1, 1), (2, 1), (3, 1), (7, 1), (8, 1), (11, 2)], (
        "ppdet drops it at once after 8"
    )
    repaired = one_person(seen, config.replace(forget_removed=True))
    assert repaired == [(1, 1), (2, 1), (3, 1), (8, 2), (10, 2), (11, 2)]


def test_refresh_score():
    for refresh, expected in ((False, [0.9, 0.5]), (True, [0.6, 0.5])):
        tracker = Tracker(TrackerConfig(refresh_score=refresh))
        tracker.update(Shot(1, [BOX], [0.9], [LOOK]))
        tracker.update(Shot(2, [], []))
        scores = [tracker.update(Shot(frame, [BOX], [s], [LOOK])).scores[0] for frame, s in ((3, 0.6), (4, 0.5))]
        assert scores == pytest.approx(expected)


def test_predict_unconfirmed():
    variances = []
    for predict in (False, True):
        tracker = Tracker(TrackerConfig(predict_unconfirmed=predict))
        tracker.update(Shot(1, [], []))
        tracker.update(Shot(2, [BOX], [0.9], [LOOK]))
        result = tracker.update(Shot(3, [[30.0, 10.0, 40.0, 100.0]], [0.9], [LOOK]))
        variances.append(result.boxes[0, 0])
    assert variances[0] < variances[1] < 30, "one that was moved trusts its detection more"


def test_keep_equal_scores():
    for keep, expected in ((False, []), (True, [1])):
        tracker = Tracker(TrackerConfig(use_byte=True, conf_thres=0.5, keep_equal_scores=keep))
        tracker.update(Shot(1, [BOX], [0.9]))
        assert tracker.update(Shot(2, [BOX], [0.5])).ids.tolist() == expected


def test_the_reference_refuses_repairs():
    with pytest.raises(ConfigError, match="forget_removed"):
        ReferenceTracker(TrackerConfig(forget_removed=True))
