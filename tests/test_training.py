"""Training: losses against independent computations, resuming, and that it learns."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pandas as pd
import pytest

from fairmot_lab.errors import ConfigError, TrainingError

paddle = pytest.importorskip("paddle")

from fairmot_lab import training  # noqa: E402
from fairmot_lab.cli import main  # noqa: E402
from fairmot_lab.lite import build_lite, load_lite  # noqa: E402
from fairmot_lab.scenes import Scene, SceneConfig, write_sequence  # noqa: E402
from fairmot_lab.sources import open_source  # noqa: E402
from fairmot_lab.training import Trainer, TrainingConfig, average_precision, contrastive_loss, giou, spread_loss, train  # noqa: E402
from fairmot_lab.training_data import Augmentation, People, build_targets, prepare_footage, sample_batch  # noqa: E402

TINY = Augmentation(size=(128, 96), height_range=(30, 80))


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


def test_contrastive_loss_is_khoslas():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(6, 5))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    identities = np.array([3, 3, 5, 5, 5, 9])  # nobody else is 9
    each = []
    for i in range(5):
        others = [j for j in range(6) if j != i]
        total = sum(math.exp(vectors[i] @ vectors[j] / 0.1) for j in others)
        partners = [j for j in others if identities[j] == identities[i]]
        each.append(-np.mean([math.log(math.exp(vectors[i] @ vectors[j] / 0.1) / total) for j in partners]))
    loss = contrastive_loss(paddle.to_tensor(vectors.astype("float32")), paddle.to_tensor(identities), 0.1)
    assert float(loss) == pytest.approx(np.mean(each), rel=1e-4)


def test_people_of_other_footage_are_no_rivals(footage):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(7, 5)).astype("float32")
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    identities, footages = np.array([0, 0, 1, 1, 2, 2, 3]), np.array([0, 0, 0, 0, 1, 1, 1])

    def loss(rows, *more):
        arguments = [paddle.to_tensor(value[rows]) for value in (vectors, identities)]
        return float(contrastive_loss(*arguments, 0.1, *more))

    everyone = np.arange(7)
    apart = [4 * loss(everyone[:4]), 2 * loss(everyone[4:])]  # 4 and 2 vectors have a partner
    assert loss(everyone, paddle.to_tensor(footages)) == pytest.approx(sum(apart) / 6, rel=1e-4)
    assert loss(everyone) > sum(apart) / 6 + 0.1

    trainer = Trainer([footage, footage], TrainingConfig(augmentation=TINY))
    views = sample_batch([footage], 2, dataclasses.replace(TINY, paste=0), rng)
    batch = {name: paddle.to_tensor(value) for name, value in build_targets(views, rng).items()}
    trainer.losses(batch)["identity"].backward()
    first, second = np.split(np.abs(trainer.classifier.weight.grad.numpy()).max(0), 2)
    assert second.max() < 1e-12 * first.max()


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
    config = TrainingConfig(steps=4, pairs=1, save_every=2, evaluate_every=2, warmup=1, augmentation=TINY)
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
    assert losses["identity"].tail(5).mean() < losses["identity"].head(5).mean()


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


def test_spread_loss_by_hand():
    vectors = np.array([[1, 0], [0.6, 0.8], [-1, 0], [0, 1], [1, 0]], "float32")
    identities, footages = np.array([0, 1, 2, 0, 3]), np.array([0, 0, 0, 0, 1])
    # rivals: 0-1 (cosine 0.6), 1-3 (0.8), and 0-2, 1-2, 2-3 with none above 0; 0-3 are one person, 4 is elsewhere
    expected = (0.6**2 + 0.8**2) / 5
    arguments = [paddle.to_tensor(value) for value in (vectors, identities, footages)]
    assert float(spread_loss(*arguments)) == pytest.approx(expected, rel=1e-5)
    assert float(spread_loss(arguments[0][:1], arguments[1][:1], arguments[2][:1])) == 0


def test_finetune_command_trains_on_a_users_sequence(sequence, tmp_path, capsys):
    arguments = [str(sequence), "--steps", "2", "--pairs", "1", "--output", str(tmp_path / "mine"), "--quiet"]
    assert main(["finetune", *arguments, "--held-out", str(sequence)]) == 0
    path = tmp_path / "mine" / "fairmot_lite.safetensors"
    assert str(path) in capsys.readouterr().out
    tuned, bundled = weights_of(load_lite(path)), weights_of(load_lite())
    assert any(not np.array_equal(tuned[name], bundled[name]) for name in bundled)
    from safetensors import safe_open

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
