"""Settings: what they accept, how they are written, and the registry of trackers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fairmot_lab.association.jde import JDESettings, JDETracker
from fairmot_lab.association.ppdet_byte import PPDetByteTracker
from fairmot_lab.association.registry import get_tracker, load_tracker, tracker_from_dict, trackers
from fairmot_lab.errors import ConfigError


def test_defaults_are_those_of_paddledetections_fairmot_config():
    # configs/mot/fairmot/_base_/fairmot_dla34.yml and the defaults of ppdet's JDETracker
    common = {
        "conf_thres": 0.4,
        "tracked_thresh": 0.4,
        "unconfirmed_thresh": 0.7,
        "track_buffer": 30,
        "min_box_area": 200,
        "vertical_ratio": 1.6,
        "metric_type": "cosine",
        "match_thres": 0.8,
        "ppdet_quirks": True,
        "any_scores": False,
    }
    assert JDETracker().settings.to_dict() == {**common, "r_tracked_thresh": 0.5, "det_thresh": 0.3}
    assert PPDetByteTracker().settings.to_dict() == {**common, "low_conf_thres": 0.2}


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
        ({"ppdet_quirks": 1}, ["ppdet_quirks", "True or False"]),
        ({"conf_thres": "0.4"}, ["conf_thres", "number"]),
        ({"conf_thres": None}, ["conf_thres", "number"]),
        ({"conf_thresh": 0.4}, ["conf_thresh", "did you mean conf_thres"]),
    ],
)
def test_a_wrong_setting_is_one_sentence(changes, words):
    for make in (JDETracker, JDETracker().replace, JDETracker().settings.replace):
        with pytest.raises(ConfigError) as caught:
            make(**changes)
        for word in words:
            assert word in str(caught.value)
        assert "\n" not in str(caught.value)


def test_byte_refuses_thresholds_between_which_nothing_is_low():
    with pytest.raises(ConfigError, match=r"low_conf_thres is 0\.5 and conf_thres is 0\.4"):
        PPDetByteTracker(low_conf_thres=0.5)
    with pytest.raises(ConfigError, match="did you mean conf_thres"):
        PPDetByteTracker(conf_thresh=0.5)


def test_settings_accept_numpy_values_and_give_plain_ones():
    given = JDESettings(conf_thres=np.float32(0.5), track_buffer=np.int64(12), ppdet_quirks=np.bool_(False))
    assert (given.conf_thres, given.track_buffer, given.ppdet_quirks) == (0.5, 12, False)
    assert [type(value) for value in (given.conf_thres, given.track_buffer, given.ppdet_quirks)] == [float, int, bool]
    assert hash(given) == hash(JDESettings(conf_thres=0.5, track_buffer=12, ppdet_quirks=False))


def test_a_tracker_survives_json(tmp_path):
    tracker = get_tracker("ppdet_byte", conf_thres=0.35, metric_type="euclidean")
    path = tmp_path / "tracker.json"
    path.write_text(tracker.to_json())
    for again in (load_tracker(tracker.to_json()), load_tracker(path), tracker_from_dict(tracker.to_dict())):
        assert type(again) is PPDetByteTracker
        assert again.settings == tracker.settings
    assert load_tracker('{"conf_thres": 0.3}').to_dict() == JDETracker(conf_thres=0.3).to_dict()
    path.write_text('{"conf_thres": 0.3}', encoding="utf-8-sig")
    assert load_tracker(path).settings.conf_thres == 0.3
    path.write_text('{"conf_thres": 3}')
    with pytest.raises(ConfigError, match=r"tracker\.json: conf_thres is 3; it must lie from 0 to 1"):
        load_tracker(path)
    for text, words in (
        ('{"conf_thres": ', "JSON"),
        (tmp_path / "nowhere.json", "nowhere"),
        ("{" * 100_000, "JSON"),
        ('{"tracker": "sorted"}', "The settings: There is no tracker 'sorted'"),
    ):
        with pytest.raises(ConfigError, match=words):
            load_tracker(text)


def test_any_scores_opens_the_range_of_score_thresholds():
    assert JDESettings(any_scores=True, conf_thres=-0.5, det_thresh=2).det_thresh == 2
    with pytest.raises(ConfigError):
        JDESettings(det_thresh=2)


@pytest.mark.parametrize("name", trackers())
def test_every_tracker_declares_itself(name):
    """Each setting has a meaning and a search range that it accepts; the class shows them in its help."""
    kind = trackers()[name]
    assert kind.name == name
    assert kind.title
    for setting in kind.Settings.settings().values():
        assert setting.doc
        for value in setting.search:
            assert setting.check(value) == value
        assert setting.check(setting.default) == setting.default
        assert setting.doc in kind.__doc__


def test_repr_shows_what_differs_from_the_defaults():
    assert repr(JDETracker()) == "JDETracker()"
    assert repr(JDETracker(track_buffer=9, frame_rate=25)) == "JDETracker(track_buffer=9, frame_rate=25.0)"
    assert eval(repr(JDETracker(metric_type="euclidean"))).settings == JDESettings(metric_type="euclidean")
