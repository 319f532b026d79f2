"""Training: losses against independent computations, resuming, and that it learns."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pandas as pd
import pytest
from safetensors import safe_open

from fairmot_lab.errors import ConfigError, TrainingError

paddle = pytest.importorskip("paddle")

from scipy.special import logit  # noqa: E402

from fairmot_lab.cli.main import main  # noqa: E402
from fairmot_lab.lite import training  # noqa: E402
from fairmot_lab.lite.network import build_lite, load_lite, magnified  # noqa: E402
from fairmot_lab.lite.scenes import Scene, SceneConfig, write_sequence  # noqa: E402
from fairmot_lab.lite.training import Trainer, TrainingConfig, average_precision, fit_appearance, giou, scatter, train  # noqa: E402
from fairmot_lab.lite.training_data import Augmentation, Footage, People, prepare_footage  # noqa: E402
from fairmot_lab.sources.open import open_source  # noqa: E402

TINY = Augmentation(size=(128, 96), height_range=(30, 80))
QUICK = TrainingConfig(pairs=2, closed_form_batches=3, augmentation=TINY)


@pytest.fixture(scope="module")
def sequence(tmp_path_factory):
    config = SceneConfig(width=256, height=192, length=10, frame_rate=8, people=4, nearest=110, farthest=60)
    return write_sequence(Scene(1, config), tmp_path_factory.mktemp("scenes") / "tiny", progress=False)


@pytest.fixture(scope="module")
def footage(sequence, tmp_path_factory):
    return prepare_footage(open_source(sequence), tmp_path_factory.mktemp("cache"), progress=False)


def weights_of(model) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in model.state_dict().items()}


def test_giou_of_boxes_around_one_point():
    first = np.array([[2, 2, 2, 2], [1, 1, 1, 1], [3, 0.5, 1, 2]], np.float32)
    second = np.array([[2, 2, 2, 2], [2, 1, 0.5, 3], [0.5, 2, 4, 1]], np.float32)
    expected = []
    for a, b in zip(first, second, strict=True):
        a0, a1, b0, b1 = -a[:2], a[2:], -b[:2], b[2:]
        overlap = np.prod(np.minimum(a1, b1) - np.maximum(a0, b0))
        union = np.prod(a1 - a0) + np.prod(b1 - b0) - overlap
        hull = np.prod(np.maximum(a1, b1) - np.minimum(a0, b0))
        expected.append(overlap / union - (hull - union) / hull)
    assert np.allclose(giou(paddle.to_tensor(first), paddle.to_tensor(second)).numpy(), expected, atol=1e-6)


def test_scatter_is_the_sum_over_pairs():
    rng = np.random.default_rng(0)
    vectors, related = rng.normal(size=(6, 4)), rng.random((6, 6)) < 0.5
    related = (related | related.T).astype(float)
    expected = sum(
        related[i, j] * np.outer(vectors[i] - vectors[j], vectors[i] - vectors[j]) for i in range(6) for j in range(6)
    )
    assert np.allclose(scatter(vectors, related), expected)


def test_fitted_appearance_tells_people_of_the_footage_apart(footage):
    """Fisher's criterion of the fitted directions is higher than that of as many principal ones."""
    model = build_lite()
    fit_appearance(model, [footage], dataclasses.replace(QUICK, closed_form_batches=6, pairs=3), progress=False)
    layer = model.appearance
    same, different = layer.same.numpy().astype(float), layer.different.numpy().astype(float)
    assert np.trace(different) > 2 * np.trace(same) > 0  # different people differ more than one person at two times
    assert np.allclose(same, same.T, atol=1e-6)

    def criterion(directions):
        within, between = (directions.T @ kind @ directions for kind in (same, different))
        return np.trace(np.linalg.solve(within + 1e-6 * np.eye(8), between))

    principal = np.linalg.eigh(different)[1][:, ::-1][:, :8]
    assert criterion(layer.project.weight.numpy().astype(float)[:, :8]) > 1.2 * criterion(principal)
    # the mean histogram lies at the origin, so that cosines use the whole range
    centre = layer.mean.numpy() @ layer.project.weight.numpy() + layer.project.bias.numpy()
    assert np.allclose(centre, 0, atol=1e-4)


def test_later_training_adds_to_what_was_known_of_appearances(footage):
    known = load_lite()
    before = known.appearance.different.numpy().copy()
    alone = build_lite()
    fit_appearance(alone, [footage], QUICK, progress=False)
    fit_appearance(known, [footage], dataclasses.replace(QUICK, appearance_share=0.25), progress=False)
    expected = 0.75 * before + 0.25 * alone.appearance.different.numpy()
    assert np.allclose(known.appearance.different.numpy(), expected, atol=1e-6)
    assert np.abs(before - expected).max() > 1e-4


def test_nobody_seen_twice_is_refused(footage):
    lonely = prepare_lonely(footage)
    with pytest.raises(TrainingError, match="no person twice"):
        fit_appearance(build_lite(), [lonely], QUICK, progress=False)


def prepare_lonely(footage):
    """One person, alone, in every frame."""
    people = [
        dataclasses.replace(
            one,
            boxes=one.boxes[one.identities == 0],
            visibility=one.visibility[one.identities == 0],
            identities=one.identities[one.identities == 0],
        )
        for one in footage.people
    ]
    return Footage("lonely", footage.frames, footage.frame_rate, people, 1)


def painted(name, rng, *, rendered, grain):
    """Footage of two people whose background is smooth, or full of grain."""
    patches = rng.integers(60, 200, (8, 10, 3), np.uint8)
    frames = np.stack([np.kron(patches, np.ones((24, 26, 1), np.uint8))] * 6)
    if grain:
        frames = rng.integers(0, 256, frames.shape, np.uint8)
    boxes = np.array([[40.0, 50, 30, 80], [150, 60, 34, 90]])
    for x, y, w, h in boxes.astype(int):
        frames[:, y : y + h, x : x + w] = rng.integers(0, 256, 3, np.uint8)
    people = [People(boxes, np.arange(2), np.ones(2), np.zeros((0, 4))) for _ in frames]
    return Footage(name, frames, 8, people, 2, rendered=rendered)


def test_confined_pyramid_learns_from_scenes_alone_and_speaks_in_their_like_alone(tmp_path):
    rng = np.random.default_rng(0)
    scenes = [painted(f"scene{n}", rng, rendered=True, grain=False) for n in range(3)]
    real = [painted(f"real{n}", rng, rendered=False, grain=True) for n in range(2)]
    config = dataclasses.replace(QUICK, steps=1, warmup=1, confine=True, closed_form_batches=8)
    model = train([*scenes, *real], tmp_path / "both", config, start=load_lite(), progress=False)
    learned = weights_of(model)["fpn.lateral16.0.weight"]
    with safe_open(tmp_path / "both" / "fairmot_lite.safetensors", "np") as file:
        assert file.metadata()["trained_on"] == "scene0, scene1, scene2, real0, real1"  # the appearances are of all

    def familiarity(footage):
        blob = footage.frames[:1, :192, :256, ::-1].transpose(0, 3, 1, 2).astype(np.float32) / 255
        with paddle.no_grad():
            stride8 = model.backbone(magnified(paddle.to_tensor(np.ascontiguousarray(blob))))[1]
            return float(model.familiarity(stride8))

    assert min(familiarity(footage) for footage in scenes) > 0.8
    assert max(familiarity(painted("new", rng, rendered=False, grain=True)) for _ in range(3)) < 0.05
    # where an image is not familiar, the maps are those of COCO's head, whatever the pyramid has learned
    paddle.seed(1)
    model.score_head[2].weight.set_value(paddle.randn(model.score_head[2].weight.shape))
    strange = paddle.to_tensor(rng.random((1, 3, 192, 256), dtype=np.float32))
    with paddle.no_grad():
        feature = model.features(strange)
        coco = feature[:, model.width].numpy().astype(float)
        quiet, loud = (
            logit(model.heatmap(one).numpy().astype(float)[:, 0]) - coco
            for one in (feature, model.features(strange, familiar=True))
        )
    seen = coco > -9  # where single precision has digits left
    assert np.abs(loud[seen]).max() > 1
    assert np.abs(quiet[seen]).max() < 0.05 * np.abs(loud[seen]).max()
    # other real footage, the same pyramid: it learned from the scenes alone
    other = [painted(f"real{n}", rng, rendered=False, grain=True) for n in range(2)]
    again = train([*scenes, *other], tmp_path / "other", config, start=load_lite(), progress=False)
    assert np.array_equal(weights_of(again)["fpn.lateral16.0.weight"], learned)
    assert not np.array_equal(weights_of(load_lite())["fpn.lateral16.0.weight"], learned)


def test_confining_needs_scenes_and_real_footage(footage, tmp_path):
    with pytest.raises(TrainingError, match="some of both"):
        train([footage], tmp_path, dataclasses.replace(QUICK, confine=True), start=load_lite(), progress=False)


def test_fine_tuned_pyramid_speaks_everywhere(footage, tmp_path):
    bundled = load_lite()
    assert np.abs(bundled.familiarity.judge.weight.numpy()).max() > 0.1
    tuned = train([footage], tmp_path, dataclasses.replace(QUICK, steps=1), start=bundled, progress=False)
    with paddle.no_grad():
        assert float(tuned.familiarity(paddle.rand([1, 48, 8, 8]))) == 1


def test_average_precision_by_hand():
    # hit, miss, hit, of four people: precision 1 up to recall 1/4, then 2/3 up to 2/4
    scores, hits = np.array([0.9, 0.5, 0.7]), np.array([True, True, False])
    assert average_precision(scores, hits, 4) == pytest.approx(0.25 * 1 + 0.25 * 2 / 3)
    assert math.isnan(average_precision(scores, hits, 0))


def test_detections_match_the_person_they_overlap_most():
    people = People(
        np.array([[0, 0, 10, 20], [4, 0, 10, 20], [50, 0, 10, 20]], float),
        np.array([7, 8, 9]),
        np.array([1.0, 1.0, 0.1]),
        np.array([[80, 0, 20, 20]], float),
    )
    boxes = np.array(
        [[4, 0, 10, 20], [1, 0, 10, 20], [0, 0, 10, 20], [50, 0, 10, 20], [82, 0, 10, 20], [200, 0, 5, 9]], float
    )
    who, counts = training.match_detections(boxes, people)
    assert who.tolist() == [8, 7, -1, 9, -1, -1]  # the third finds its person taken
    assert counts.tolist() == [True, True, True, False, False, True]  # hardly visible; in an area to ignore


def test_resumed_run_ends_as_an_uninterrupted_one(footage, tmp_path, monkeypatch):
    config = dataclasses.replace(QUICK, steps=4, pairs=1, save_every=2, evaluate_every=2, warmup=1)
    whole = train([footage], tmp_path / "whole", config, start=load_lite(), held_out=[footage], progress=False)
    step = Trainer.step

    def killed(trainer):
        if trainer.step_number == 3:
            raise KeyboardInterrupt
        return step(trainer)

    monkeypatch.setattr(Trainer, "step", killed)
    with pytest.raises(KeyboardInterrupt):
        train([footage], tmp_path / "cut", config, start=load_lite(), held_out=[footage], progress=False)
    monkeypatch.setattr(Trainer, "step", step)
    build_lite()  # paddle numbers layers as they are built: names must not matter
    resumed = train([footage], tmp_path / "cut", config, held_out=[footage], progress=False)
    first, second = weights_of(whole), weights_of(resumed)
    assert all(np.array_equal(first[name], second[name]) for name in first)
    curves = [pd.read_csv(tmp_path / name / "curve.csv") for name in ("whole", "cut")]
    pd.testing.assert_frame_equal(curves[0][["step", "ap", "rank1"]], curves[1][["step", "ap", "rank1"]])
    assert (tmp_path / "cut" / "curve.png").stat().st_size > 5000
    # and the kept weights are the averaged ones
    kept = weights_of(load_lite(tmp_path / "cut" / "fairmot_lite.safetensors"))
    assert all(np.array_equal(kept[name], first[name]) for name in first)


def test_checkpoint_of_other_settings_is_refused(footage, tmp_path):
    trainer = Trainer([footage], TrainingConfig(steps=2, pairs=1, augmentation=TINY))
    trainer.save(tmp_path / "checkpoint.safetensors")
    other = Trainer([footage], TrainingConfig(steps=2, pairs=2, augmentation=TINY))
    with pytest.raises(TrainingError, match="pairs"):
        other.load(tmp_path / "checkpoint.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"x")
    with pytest.raises(TrainingError, match=r"bad\.safetensors is no checkpoint"):
        other.load(tmp_path / "bad.safetensors")


def test_a_short_training_learns(footage):
    config = TrainingConfig(steps=40, pairs=2, learning_rate=3e-3, backbone_rate=1.0, warmup=4, augmentation=TINY)
    trainer = Trainer([footage], config)
    losses = pd.DataFrame([trainer.step() for _ in range(40)])
    assert losses["heatmap"].tail(5).mean() < 0.75 * losses["heatmap"].head(5).mean()
    assert losses["giou"].tail(5).mean() < 0.85 * losses["giou"].head(5).mean()


def test_pretrained_parts_stay_as_they_are_unless_a_rate_is_given(footage):
    def changed(rate):
        trainer = Trainer(
            [footage], TrainingConfig(pairs=1, backbone_rate=rate, warmup=1, augmentation=TINY), load_lite()
        )
        trainer.step()
        before, after = weights_of(load_lite()), weights_of(trainer.model)
        return {name for name in before if not np.array_equal(before[name], after[name])}

    kept, free = changed(0.0), changed(0.5)
    started = ("backbone.", "SPP.", "detect_head.")
    assert not [name for name in kept if name.startswith(started)]  # no batch statistics either
    assert "fpn.lateral16.0.weight" in kept
    assert {"backbone.first_conv.0.weight", "SPP.output.1._mean"} <= free


def test_random_weights_are_not_kept_as_they_are(footage, tmp_path):
    with pytest.raises(ConfigError, match="no pretrained weights to keep"):
        train([footage], tmp_path, TrainingConfig(steps=1, augmentation=TINY), progress=False)


def test_finetune_command_trains_on_a_users_sequence(sequence, tmp_path, capsys):
    arguments = [str(sequence), "--steps", "2", "--pairs", "1", "--output", str(tmp_path / "mine"), "--quiet"]
    assert main(["finetune", *arguments, "--held-out", str(sequence)]) == 0
    path = tmp_path / "mine" / "fairmot_lite.safetensors"
    assert str(path) in capsys.readouterr().out
    tuned, bundled = weights_of(load_lite(path)), weights_of(load_lite())
    assert any(not np.array_equal(tuned[name], bundled[name]) for name in bundled)
    with safe_open(path, "np") as file:
        said = file.metadata()
    assert said["trained_on"] == "tiny"
    assert json.loads(said["config"])["steps"] == 2


def test_mistakes_are_one_line(tmp_path, capsys, sequence):
    assert main(["finetune", "--output", str(tmp_path)]) == 2
    assert "nothing to train on" in capsys.readouterr().err
    assert main(["finetune", str(sequence), "--steps", "0", "--output", str(tmp_path)]) == 2
    assert "steps is 0" in capsys.readouterr().err
    assert (
        main(["finetune", str(sequence), "--from", str(tmp_path / "none.safetensors"), "--output", str(tmp_path)]) == 2
    )
    assert "none.safetensors" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "value"), [("steps", 0), ("pairs", -1), ("learning_rate", 0.0), ("ema", 1.5)])
def test_impossible_settings_are_named(name, value):
    with pytest.raises(ConfigError, match=name):
        TrainingConfig(**{name: value})


def test_rate_warms_up_and_falls():
    config = TrainingConfig(steps=100, warmup=10, learning_rate=1.0, final_rate=0.02)
    rates = [config.rate(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1, rel=0.02)
    assert max(rates) == pytest.approx(1, rel=0.03)
    assert rates[-1] == pytest.approx(0.02, rel=0.05)
