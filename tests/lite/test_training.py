"""Training: losses against independent computations, the anchor, resuming, and that it learns."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from fairmot_lab.boxes import iou
from fairmot_lab.detection.appearance import BINS, colour_histograms, embed
from fairmot_lab.detection.compact import cell_grid
from fairmot_lab.detection.zoo import BUNDLED
from fairmot_lab.errors import ConfigError, TrainingError

paddle = pytest.importorskip("paddle")

from fairmot_lab.cli.main import main  # noqa: E402
from fairmot_lab.lite.network import load_network, save_network  # noqa: E402
from fairmot_lab.lite.scenes import SceneConfig, write_sequence  # noqa: E402
from fairmot_lab.lite.training import (  # noqa: E402
    Trainer,
    TrainingConfig,
    _scatter,
    anchor_loss,
    assign,
    fit_projection,
    inside,
    label_loss,
    train,
)
from fairmot_lab.lite.training_data import View, prepare_footage  # noqa: E402
from fairmot_lab.sources.open import open_source  # noqa: E402

SIZE = (128, 96)
CELLS = cell_grid(SIZE[0] // 8, SIZE[1] // 8)
STRIDES, PLACES = CELLS.strides[:, None], CELLS.places.T  # a row for each cell
QUICK = TrainingConfig(steps=4, views=2, size=SIZE, evaluate_every=4, save_every=2)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    config = SceneConfig(width=256, height=192, length=10, frame_rate=8, people=4, nearest=110, farthest=60)
    folder = tmp_path_factory.mktemp("scenes") / "tiny"
    return open_source(write_sequence(1, config, folder, progress=False))


@pytest.fixture(scope="module")
def footage(source, tmp_path_factory):
    return prepare_footage(source, tmp_path_factory.mktemp("cache"), progress=False)


def weights_of(path) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in load_network(path).state_dict().items()}


def output_for(boxes, score=0.5):
    """(A, 6): every cell tells of the same box."""
    x, y, w, h = boxes
    place = np.array([x + w / 2, y + h / 2]) / STRIDES - PLACES
    size = np.log(np.broadcast_to([w, h], place.shape) / STRIDES)
    logits = np.full((len(place), 2), np.log(score / (1 - score)))
    return np.concatenate((place, size, logits), axis=1).astype(np.float32)


def test_cells_lie_where_the_levels_have_them():
    assert len(CELLS.centres) == 16 * 12 + 8 * 6 + 4 * 3
    assert CELLS.centres[[0, 17, 192, 240]].tolist() == [[4, 4], [12, 12], [8, 8], [16, 16]]
    here = inside(np.array([[0, 0, 17, 9]]), CELLS)[0]
    assert CELLS.centres[here].tolist() == [[4, 4], [12, 4], [8, 8]]


def test_each_person_gets_the_cells_that_know_it_best():
    """Two people far apart, every cell telling of the first: it gets as many as IoUs sum to, the other one at least."""
    people = np.array([[10, 10, 30, 60], [90, 20, 20, 40]], float)
    chosen, person, overlap = assign(output_for(people[0]), people, CELLS)
    assert (person == 0).sum() in (9, 10)  # the largest ten IoUs, all 1, summed and rounded down
    assert (person == 1).sum() == 1
    assert len(set(chosen)) == len(chosen)
    assert np.allclose(overlap[person == 0], 1, atol=1e-4)
    near = np.abs(CELLS.centres[chosen] - (people[person, :2] + people[person, 2:] / 2)) < 2.5 * STRIDES[chosen]
    assert near.all()


def test_label_loss_is_the_sum_that_yolox_takes():
    """Against plain numpy, cell by cell, for the assignment that was tested above."""
    rng = np.random.default_rng(0)
    people, ignored = np.array([[20, 10, 30, 60], [90, 20, 20, 40]], float), np.array([[0, 70, 40, 26]], float)
    output = np.stack([output_for(people[0]), rng.normal(0, 1, (len(CELLS.centres), 6))]).astype(np.float32)
    views = [View(np.zeros(0), people, ignored), View(np.zeros(0), np.empty((0, 4)), np.empty((0, 4)))]

    def entropy(logit, wanted):
        return np.log1p(np.exp(-np.abs(logit))) + np.maximum(logit, 0) - logit * wanted

    chosen, person, _ = assign(output[0], people, CELLS)
    wanted = np.zeros(output.shape[:2])
    wanted[0, chosen] = 1
    counts = np.ones(output.shape[:2])
    counts[0, inside(ignored, CELLS)[0]] = 0
    counts[0, chosen] = 1
    expected = (entropy(output[:, :, 4], wanted) * counts).sum()
    for cell, who in zip(chosen, person, strict=True):
        size = np.exp(output[0, cell, 2:4]) * STRIDES[cell]
        corner = (output[0, cell, :2] + PLACES[cell]) * STRIDES[cell] - size / 2
        overlap = iou([[*corner, *size]], people[who : who + 1])[0, 0]
        expected += entropy(output[0, cell, 5], overlap) + 5 * (1 - overlap**2)
    found = float(label_loss(paddle.to_tensor(output), views, CELLS))
    assert found == pytest.approx(expected / len(chosen), rel=1e-4)


def test_label_loss_has_a_gradient_where_boxes_do_not_meet():
    output = paddle.to_tensor(output_for((100, 70, 10, 10))[None], stop_gradient=False)
    label_loss(output, [View(np.zeros(0), np.array([[5, 5, 20, 40.0]]), np.empty((0, 4)))], CELLS).backward()
    assert np.isfinite(output.grad.numpy()).all()


def test_anchor_is_lowest_where_nothing_has_moved():
    rng = np.random.default_rng(2)
    before = paddle.to_tensor(rng.normal(size=(2, 40, 6)).astype(np.float32))
    assert float(anchor_loss(before, before)) == pytest.approx(0, abs=1e-6)
    for channel in range(6):
        moved = before.numpy()
        moved[:, :, channel] += 0.1 * rng.choice([-1, 1], moved.shape[:2])
        assert float(anchor_loss(paddle.to_tensor(moved), before)) > 0


def test_scatter_is_the_sum_over_pairs():
    rng = np.random.default_rng(0)
    vectors, related = rng.normal(size=(6, 4)), rng.random((6, 6)) < 0.5
    related = (related | related.T).astype(float)
    expected = sum(
        related[i, j] * np.outer(vectors[i] - vectors[j], vectors[i] - vectors[j]) for i in range(6) for j in range(6)
    )
    assert np.allclose(_scatter(vectors, related), expected)


def test_fitted_projection_tells_people_of_the_footage_apart(footage):
    projection = fit_projection([footage], step=1)
    assert projection.shape == (BINS + 1, 64)
    vectors, who = [], []
    for frame, boxes, ids in zip(footage.frames, footage.people, footage.identities, strict=True):
        image = np.asarray(frame)[:, :, ::-1].transpose(2, 0, 1).astype(np.float32) / 255
        vectors.append(embed(colour_histograms(image, boxes), projection))
        who.append(ids)
    cosine, same = np.concatenate(vectors) @ np.concatenate(vectors).T, np.equal.outer(*[np.concatenate(who)] * 2)
    other = ~same
    np.fill_diagonal(same, False)
    assert cosine[same].mean() > 0.5
    assert abs(cosine[other].mean()) < 0.35
    alone = dataclasses.replace(footage, people=[boxes[:1] for boxes in footage.people])
    alone.identities = [ids[:1] for ids in footage.identities]
    with pytest.raises(TrainingError, match="several people"):
        fit_projection([alone])


def test_a_training_that_has_left_the_finite_says_so(footage, tmp_path):
    with pytest.raises(TrainingError, match="lower learning_rate"):
        train([footage], tmp_path, dataclasses.replace(QUICK, learning_rate=1e4), progress=False)


def test_settings_out_of_range_are_refused():
    for wrong in (
        {"steps": 0},
        {"learning_rate": float("inf")},
        {"ema": 1.0},
        {"anchor": -1},
        {"labels": float("nan")},
    ):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            TrainingConfig(**wrong)
    rates = [TrainingConfig(steps=1000).rate(step) for step in (0, 99, 500, 999)]
    assert rates[0] < rates[2] < rates[1]
    assert rates[3] < 0.05 * rates[1]
    with pytest.raises(TrainingError, match="nothing to train on"):
        Trainer([], QUICK, BUNDLED)


def stop_training(monkeypatch, number, footage, folder, config):
    """Train until a step, and interrupt it there."""
    plain = Trainer.step

    def stopped(trainer):
        if trainer.step_number == number:
            raise KeyboardInterrupt
        return plain(trainer)

    monkeypatch.setattr(Trainer, "step", stopped)
    with pytest.raises(KeyboardInterrupt):
        train([footage], folder, config, progress=False)
    monkeypatch.setattr(Trainer, "step", plain)


def test_resumed_run_ends_as_one_that_was_not_stopped(footage, source, tmp_path, monkeypatch):
    config = dataclasses.replace(QUICK, appearance=True)
    whole = weights_of(train([footage], tmp_path / "whole", config, held_out=[source], progress=False))
    curve = pd.read_csv(tmp_path / "whole" / "curve.csv")
    assert curve["step"].tolist() == [0, 4]
    assert {"loss", "anchor", "labels", "mota", "idf1", "recall"} <= set(curve)
    assert (tmp_path / "whole" / "curve.png").stat().st_size > 5000
    stop_training(monkeypatch, 3, footage, tmp_path / "cut", config)
    again = train([footage], tmp_path / "cut", config, progress=False)
    resumed = weights_of(again)
    for name, value in whole.items():
        assert np.array_equal(value, resumed[name]), name
    again.unlink()  # the checkpoint has all that is needed to write it once more
    assert train([footage], tmp_path / "cut", config, progress=False) == again
    written = weights_of(again)
    assert all(np.array_equal(value, written[name]) for name, value in whole.items())
    with pytest.raises(TrainingError, match="other settings"):
        train([footage], tmp_path / "cut", dataclasses.replace(config, seed=1), progress=False)
    checkpoint = tmp_path / "cut" / "checkpoint.npz"
    whole = checkpoint.read_bytes()
    for place in (whole.index(b"step.npy") + 140, len(whole) // 2, whole.rindex(b"step.npy") - 30):
        checkpoint.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(TrainingError, match=r"checkpoint\.npz is damaged, .*; restore it, or remove it"):
            train([footage], tmp_path / "cut", config, progress=False)
    checkpoint.write_bytes(b"broken")
    with pytest.raises(TrainingError, match="no checkpoint of a training run"):
        train([footage], tmp_path / "cut", config, progress=False)


def test_a_folder_of_other_weights_or_labels_is_not_continued(footage, source, tmp_path):
    train([footage], tmp_path, QUICK, progress=False)
    other = tmp_path / "other.onnx"
    save_network(load_network(BUNDLED), other, {"note": "the same weights in another file"})
    moved = dataclasses.replace(footage, people=[boxes + 1 for boxes in footage.people])
    for changed in ({"start": other}, {"footages": [moved]}, {"held_out": [source]}):
        with pytest.raises(TrainingError, match="other settings, weights or data"):
            train(**({"footages": [footage], "folder": tmp_path, "config": QUICK, "progress": False} | changed))


def test_the_first_point_of_a_resumed_curve_is_the_start(footage, tmp_path, monkeypatch):
    def total(network, sources):
        return {"mota": float(sum(value.abs().sum() for value in network.state_dict().values()))}

    monkeypatch.setattr("fairmot_lab.lite.training.measure", total)
    config = dataclasses.replace(QUICK, steps=4, save_every=2, learning_rate=1e-3, ema=0.0)
    train([footage], tmp_path / "whole", config, progress=False)
    stop_training(monkeypatch, 2, footage, tmp_path / "cut", config)
    train([footage], tmp_path / "cut", config, progress=False)
    first, second = (pd.read_csv(tmp_path / name / "curve.csv") for name in ("whole", "cut"))
    assert first[["step", "mota"]].equals(second[["step", "mota"]])
    assert first.mota[0] != first.mota[1]


def test_weights_that_have_left_the_finite_are_not_written(footage, tmp_path):
    with pytest.raises(TrainingError, match="no longer finite"):
        train([footage], tmp_path, dataclasses.replace(QUICK, steps=1, learning_rate=1e20, ema=0.0), progress=False)
    assert not (tmp_path / "fairmot_lite.onnx").exists()


def test_two_trainings_do_not_share_a_folder(footage, tmp_path, monkeypatch):
    plain = Trainer.step

    def step(trainer):
        monkeypatch.setattr(Trainer, "step", plain)
        with pytest.raises(TrainingError, match=f"Another training writes to {tmp_path}; give this one a folder"):
            train([footage], tmp_path, QUICK, progress=False)
        return plain(trainer)

    monkeypatch.setattr(Trainer, "step", step)
    assert train([footage], tmp_path, QUICK, progress=False).exists()
    assert Trainer.step is plain


def test_it_learns_labels_and_the_anchor_holds(footage):
    """On one batch over and over the loss on labels falls, by less where the anchor is strong."""
    falls = {}
    for anchor in (0.0, 30.0):
        config = TrainingConfig(steps=200, views=2, size=SIZE, learning_rate=1e-3, labels=1, anchor=anchor)
        trainer = Trainer([footage], config, BUNDLED)
        losses = []
        for _ in range(16):
            trainer.step_number = max(trainer.step_number, 20)
            losses.append(trainer.step()["labels"])
            trainer.config = dataclasses.replace(config, seed=0)
        falls[anchor] = np.mean(losses[:4]) - np.mean(losses[-4:])
    assert falls[0.0] > 0.1
    assert falls[0.0] > falls[30.0]


def test_the_first_layers_stay_and_others_move(footage, tmp_path):
    path = train([footage], tmp_path, dataclasses.replace(QUICK, learning_rate=1e-3, ema=0.0), progress=False)
    before, after = weights_of(BUNDLED), weights_of(path)
    moved = {name.partition(".")[0] for name, value in after.items() if not np.array_equal(value, before[name])}
    assert moved == {name.partition(".")[0] for name in before} - {"stem", "stage2", "projection"}


def test_command_trains_and_its_weights_run(source, tmp_path, capsys):
    output = tmp_path / "mine"
    arguments = ["finetune", str(source.folder.parent), "--steps", "2", "--quiet", "--output", str(output)]
    assert main(arguments) == 0
    assert f"{output / 'fairmot_lite.onnx'}" in capsys.readouterr().out
    assert (
        main(
            [
                "track",
                str(source.folder.parent),
                "--model",
                str(output / "fairmot_lite.onnx"),
                "--output",
                str(tmp_path),
            ]
        )
        == 0
    )
    assert main(["finetune", str(tmp_path / "missing"), "--output", str(output)]) == 2
    assert "missing" in capsys.readouterr().err
