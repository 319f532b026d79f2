"""The tracker's settings, its arithmetic and its parity with ppdet's JDETracker."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fairmot_lab.association import TrackerConfig
from fairmot_lab.errors import ConfigError


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
