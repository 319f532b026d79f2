"""Train the compact model, or fine-tune it: labelled views teach it, and an anchor keeps it what it was elsewhere.

A step draws views of rendered scenes and of real sequences. In both, YOLOX's loss asks for the people of the ground
truth (Ge et al., arXiv 2107.08430): cells are assigned to people by SimOTA, and cross-entropies on object and person
and 5 (1 - IoU^2) on boxes are summed. A few sequences would teach a network their own backgrounds and make it forget
people elsewhere, so on real views it is also held to what the network said before training: that is the anchor.

Every step's randomness comes from (seed, step) alone: a run that was stopped and resumed ends as one that was not.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.linalg import eigh

from .._files import atomic_write, lock, make_folder, refuse_overwrite, write_text
from .._progress import progress_bar
from ..boxes import iou
from ..detection.appearance import BINS, colour_histograms
from ..detection.compact import STRIDES, CellGrid, cell_grid
from ..detection.letterbox import letterbox
from ..detection.model import load_model
from ..detection.weights import file_sha256
from ..detection.zoo import BUNDLED
from ..errors import ConfigError, TrainingError
from ..evaluation.evaluate import evaluate
from ..pipeline import track
from ..plots import learning_curve, save
from ..sources.base import Source
from .network import DIMENSION, CompactNetwork, functional, load_network, paddle, save_network
from .training_data import Footage, View, draw_views

INPUT_SIZE = (576, 320)
entropy = functional.binary_cross_entropy_with_logits
SHRINKAGE = 0.5  # of the scatter within a person towards its mean variance, in parts of it
PARTS = ("network", "average", "optimizer")  # of a trainer, kept in checkpoints
LONGEST = 2.0  # seconds between two looks at a person that count as the same clothes in the same light


@dataclass(frozen=True)
class TrainingConfig:
    """Settings of a training run; they are kept in its checkpoints."""

    steps: int = 1000
    views: int = 8  # in a step: half of them rendered where there are rendered and real sequences
    size: tuple[int, int] = (448, 256)  # width and height of a view in pixels, multiples of 32
    learning_rate: float = 1.5e-4  # AdamW's, after a warm-up over a tenth of the run, at most 100 steps
    labels: float = 0.5  # weight of the loss on the labels of real views
    anchor: float = 3.0  # weight of the anchor there
    ema: float = 0.998  # decay of the running average of the weights, which is what is measured and saved
    appearance: bool = False  # compute the projection of appearances anew from the identities in the footage
    evaluate_every: int = 250  # steps between two points of the curve
    save_every: int = 50  # steps between two checkpoints
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "views", "learning_rate", "evaluate_every", "save_every"):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(f"{name} is {getattr(self, name)}; training needs a finite value above 0.")
        for name, most in (("ema", 1), ("labels", math.inf), ("anchor", math.inf), ("seed", math.inf)):
            if not 0 <= getattr(self, name) < most:
                raise ConfigError(f"{name} is {getattr(self, name)}; it goes from 0 to below {most}.")

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0: a cosine that leads to 2 %."""
        warm = min(1.0, (step + 1) / min(100, max(1, self.steps // 10)))
        return self.learning_rate * warm * (0.02 + 0.98 * (0.5 + 0.5 * math.cos(math.pi * step / self.steps)))


def inside(boxes: np.ndarray, cells: CellGrid) -> np.ndarray:
    """Return (B, A) bool: which cells have their centres in which boxes."""
    upper, lower = boxes[:, None, :2], boxes[:, None, :2] + boxes[:, None, 2:]
    return ((cells.centres > upper) & (cells.centres < lower)).all(2)


def assign(output: np.ndarray, boxes: np.ndarray, cells: CellGrid) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Choose the cells that are to tell of each person: YOLOX's SimOTA.

    Takes what the network says of each cell (A, 6) and the people's boxes (P, 4); returns the chosen cells (C,), whom
    each tells of (C,), and the IoU of its box and that person's (C,).
    """
    reach = 2.5 * cells.strides[:, None]
    near = (np.abs(cells.centres - (boxes[:, None, :2] + boxes[:, None, 2:] / 2)) < reach).all(2)
    within = inside(boxes, cells)
    candidates = np.flatnonzero((within | near).any(0))
    output, stride = output[candidates], cells.strides[candidates, None]
    size = np.exp(np.clip(output[:, 2:4], -8, 8)) * stride
    corner = (output[:, :2] + cells.places.T[candidates]) * stride - size / 2
    overlap = iou(boxes, np.concatenate((corner, size), axis=1))
    score = np.sqrt((1 / (1 + np.exp(-np.clip(output[:, 4:], -20, 20)))).prod(1))
    cost = -np.log(score) - 3 * np.log(overlap + 1e-8) + 1e5 * ~(within & near)[:, candidates]
    matched = np.zeros(cost.shape, bool)
    for row, (overlaps, costs) in enumerate(zip(overlap, cost, strict=True)):
        count = max(1, int(np.sort(overlaps)[-10:].sum()))
        matched[row, np.argsort(costs, kind="stable")[:count]] = True
    cheapest = cost.argmin(0) == np.arange(len(boxes))[:, None]
    matched = np.where(matched.sum(0) > 1, cheapest, matched)
    chosen = np.flatnonzero(matched.any(0))
    person = matched[:, chosen].argmax(0)
    return candidates[chosen], person, overlap[person, chosen]


def label_loss(outputs, views: Sequence[View], cells: CellGrid):
    """Return YOLOX's loss of outputs (N, A, 6) for the people of N views, per assigned cell."""
    said, count = outputs.numpy(), outputs.shape[1]
    if not np.isfinite(said).all():
        raise TrainingError("What the network says is no longer finite; lower learning_rate.")
    wanted, weight = np.zeros(said.shape[:2], np.float32), np.ones(said.shape[:2], np.float32)
    rows, boxes, overlaps = [], [np.empty((0, 4))], [np.empty(0)]
    for number, view in enumerate(views):
        if len(view.ignored):
            weight[number][inside(view.ignored, cells).any(0)] = 0
        if len(view.people):
            chosen, person, overlap = assign(said[number], view.people, cells)
            wanted[number, chosen] = weight[number, chosen] = 1
            rows.append(number * count + chosen)
            boxes.append(view.people[person])
            overlaps.append(overlap)
    total = (entropy(outputs[:, :, 4], paddle.to_tensor(wanted), reduction="none") * paddle.to_tensor(weight)).sum()
    if rows:
        row = np.concatenate(rows)
        target = paddle.to_tensor(np.concatenate(boxes).astype(np.float32))
        overlap = paddle.to_tensor(np.concatenate(overlaps).astype(np.float32))
        chosen = outputs.reshape([-1, 6]).index_select(paddle.to_tensor(row))
        stride, place = (paddle.to_tensor(value[row % count]) for value in (cells.strides[:, None], cells.places.T))
        size = paddle.exp(chosen[:, 2:4]) * stride
        corner = (chosen[:, :2] + place) * stride - size / 2
        edges = paddle.minimum(corner + size, target[:, :2] + target[:, 2:]) - paddle.maximum(corner, target[:, :2])
        width, height = functional.relu(edges).unbind(1)  # the gradient of paddle's prod is NaN where a factor is 0
        found = width * height / (size[:, 0] * size[:, 1] + target[:, 2] * target[:, 3] - width * height)
        total = total + entropy(chosen[:, 5], overlap, reduction="sum") + 5 * (1 - found * found).sum()
    return total / max(1, sum(map(len, rows)))


def anchor_loss(outputs, before):
    """Measure how far outputs (N, A, 6) moved from those before training, by the people seen then; 0 at best."""
    seen = functional.sigmoid(before[:, :, 4:])
    moved = entropy(outputs[:, :, 4:], seen, reduction="none") - entropy(before[:, :, 4:], seen, reduction="none")
    score = seen.prod(2)
    boxes = (outputs[:, :, :4] - before[:, :, :4]).abs().sum(2)
    return (moved[:, :, 0] + (moved[:, :, 1] + boxes) * score).sum() / paddle.clip(score.sum(), min=1.0)


class Trainer:
    """A network in training: weights, their running average, the network before, the optimizer and the step reached.

    `start` is the file of the weights that training starts from and is anchored to (`load_network`).
    """

    def __init__(self, footages: Sequence[Footage], config: TrainingConfig, start: str | os.PathLike[str]) -> None:
        if not footages:
            raise TrainingError("There is nothing to train on; name at least one sequence or some rendered scenes.")
        self.config, self.step_number = config, 0
        self.cells = cell_grid(*(side // STRIDES[0] for side in config.size))
        self.kinds = [[one for one in footages if one.rendered], [one for one in footages if not one.rendered]]
        self.names = [one.name for one in footages]
        seen = joblib.hash([(one.frames[0], one.people, one.identities, one.ignored) for one in footages])
        self.settings = json.dumps([dataclasses.asdict(config), self.names, seen, file_sha256(Path(start))])
        self.network, self.average, self.before = (load_network(start) for _ in range(3))
        for name, parameter in self.network.named_parameters():
            parameter.name = name  # the optimizer's state is kept under it
            parameter.stop_gradient = name.startswith(("stem.", "stage2."))  # edges and colours are left as they are
        settings = {"weight_decay": 1e-4, "grad_clip": paddle.nn.ClipGradByGlobalNorm(10.0)}
        self.optimizer = paddle.optimizer.AdamW(config.learning_rate, parameters=self.network.parameters(), **settings)

    def step(self) -> dict[str, float]:
        """Train on one batch; the losses by name."""
        config, (rendered, real) = self.config, self.kinds
        rng = np.random.default_rng((config.seed, self.step_number))
        drawn = (config.views // 2 if real else config.views) if rendered else 0
        views = draw_views(rendered, drawn, config.size, rng) if drawn else []
        if real:
            views += draw_views(real, config.views - drawn, config.size, rng)
        pixels = np.stack([view.image[:, :, ::-1].transpose(2, 0, 1) for view in views])
        images = paddle.to_tensor(pixels.astype(np.float32) / 255)
        outputs = _flat(self.network(images))
        losses = {}
        if drawn:
            losses["rendered"] = label_loss(outputs[:drawn], views[:drawn], self.cells)
        if real:
            with paddle.no_grad():
                before = _flat(self.before(images[drawn:]))
            losses["anchor"] = config.anchor * anchor_loss(outputs[drawn:], before)
            losses["labels"] = config.labels * label_loss(outputs[drawn:], views[drawn:], self.cells)
        loss = sum(losses.values())
        self.optimizer.set_lr(config.rate(self.step_number))
        loss.backward()
        with paddle.utils.unique_name.guard():  # its state has the same names in every process
            self.optimizer.step()
        self.optimizer.clear_grad()
        values = {"loss": float(loss)} | {name: float(value) for name, value in losses.items()}
        if not math.isfinite(values["loss"]):
            raise TrainingError(f"The loss is {values['loss']} at step {self.step_number}; lower learning_rate.")
        self.step_number += 1
        decay = min(config.ema, self.step_number / (9 + self.step_number))  # a short memory at first
        state = self.network.state_dict()
        with paddle.no_grad():
            for name, value in self.average.state_dict().items():
                value.set_value(value * decay + state[name] * (1 - decay))
        return values

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything that a resumed run needs, as .npz, whose parts carry checksums."""
        states = [(part, getattr(self, part).state_dict()) for part in PARTS]
        named = ((f"{part}.{name}", value) for part, state in states for name, value in state.items())
        tensors = {name: value.numpy() for name, value in named if hasattr(value, "numpy")}
        with atomic_write(path) as temporary, temporary.open("wb") as file:
            np.savez(file, step=self.step_number, settings=self.settings, **tensors)

    def load(self, path: str | os.PathLike[str]) -> None:
        """Continue from what `save` wrote; TrainingError if it is damaged, or of other settings or footage."""
        try:
            with np.load(path) as file:
                tensors = dict(file)
            step, settings = int(tensors.pop("step")), str(tensors.pop("settings"))
        except Exception as error:  # numpy and zipfile raise classes of many kinds
            reason = f"is damaged, or no checkpoint of a training run ({error})"
            raise TrainingError(f"{path} {reason}; restore it, or remove it to start again.") from error
        if settings != self.settings:
            raise TrainingError(f"{path} belongs to other settings, weights or data; resume with those, or remove it.")
        with paddle.utils.unique_name.guard():
            for part in PARTS:
                names = [name for name in tensors if name.startswith(f"{part}.")]
                state = {name.removeprefix(f"{part}."): paddle.to_tensor(tensors[name]) for name in names}
                getattr(self, part).set_state_dict(state)
        self.step_number = step


def _flat(maps):
    """(N, A, 6): the maps' cells, level by level."""
    return paddle.concat([one.flatten(2) for one in maps], axis=2).transpose([0, 2, 1])


def fit_projection(footages: Sequence[Footage], *, step: int = 3, seed: int = 0) -> np.ndarray:
    """Compute the projection (175, 64) float32 of `detection.appearance.embed` that tells people apart.

    Fisher's linear discriminant over pairs: sought are directions in which people of one frame differ much, and one
    person at two times (at most two seconds apart) differs little. It is centred, so that vectors of different people
    have a cosine around 0. Footages with several people count alike. Every `step`-th frame is seen, each rendered one.
    """
    rng = np.random.default_rng(seed)
    same, different, mean, counted = np.zeros((BINS, BINS)), np.zeros((BINS, BINS)), np.zeros(BINS), 0.0
    for footage in footages:
        numbers = range(0, len(footage.frames), 1 if footage.rendered else step)
        looks, ids = zip(*((_looks(footage, one, rng), footage.identities[one]) for one in numbers), strict=True)
        rows, who = np.concatenate(looks), np.concatenate(ids)
        when = np.repeat(numbers, list(map(len, ids))) / footage.frame_rate
        within, pairs = np.zeros((BINS, BINS)), 0.0
        for identity in np.unique(who):
            here = who == identity
            related = (np.abs(when[here][:, None] - when[here]) <= LONGEST).astype(float)
            np.fill_diagonal(related, 0)
            count = min(related.sum(), 900) ** 0.5  # who stays long says little more
            if count:
                within += _scatter(rows[here], related) / related.sum() * count
                pairs += count
        crowds = [frame for frame in looks if len(frame) > 1]
        if pairs and crowds:
            weight = 1 / 30 if footage.rendered else 1.0  # a scene has a second or two
            same += weight * within / pairs
            between = [_scatter(one, 1 - np.eye(len(one))) / (len(one) * (len(one) - 1)) for one in crowds]
            different += weight * np.mean(between, axis=0)
            mean += weight * rows.mean(0)
            counted += weight
    if not counted:
        raise TrainingError("Appearances need footage with several people in a frame, and someone in two frames.")
    same[np.diag_indices(BINS)] += SHRINKAGE * np.trace(same) / BINS
    directions = eigh(different, same)[1][:, ::-1][:, :DIMENSION]
    directions /= np.abs(directions).max()
    return np.vstack((directions, -(mean / counted) @ directions)).astype(np.float32)


def _looks(footage: Footage, number: int, rng: np.random.Generator) -> np.ndarray:
    """Histograms (P, 174) of a frame's people, as the model would see them in boxes that are a little off."""
    frame, boxes = np.asarray(footage.frames[number]), footage.people[number]
    blob, box = letterbox(frame, INPUT_SIZE, fast=True)
    boxes = boxes + rng.normal(0, 0.06, boxes.shape) * boxes[:, [2, 3, 2, 3]]
    corner = boxes[:, :2] * box.scale + (box.pad_x, box.pad_y)
    size = np.maximum(boxes[:, 2:] * box.scale, 2)
    return colour_histograms(blob[0], np.concatenate((corner, size), axis=1)).astype(float)


def _scatter(vectors: np.ndarray, related: np.ndarray) -> np.ndarray:
    """Sum of (a - b)(a - b)^T over the ordered pairs of rows of `vectors` (P, D) that `related` (P, P) has 1 for."""
    return 2 * (vectors.T * related.sum(1) @ vectors - vectors.T @ related @ vectors)


def train(
    footages: Sequence[Footage],
    folder: str | os.PathLike[str],
    config: TrainingConfig,
    *,
    start: str | os.PathLike[str] = BUNDLED,
    held_out: Sequence[Source] = (),
    progress: bool = True,
) -> Path:
    """Train until `config.steps`, continuing if `folder` holds a checkpoint; return the path of the weights.

    `folder` gets `fairmot_lite.onnx` (the averaged weights, for `load_model`), `checkpoint.npz`, and the curve as
    `curve.csv` and `curve.png`. `start` is the ONNX file of the weights to start from, the bundled ones or
    YOLOX-nano's; `held_out` are sequences with ground truth that the curve measures and nothing is learnt from.

    Raises
    ------
    TrainingError
        If the checkpoint is of other settings or footage, another training writes there, or the loss becomes infinite.
    """
    folder = make_folder(folder)
    weights, checkpoint, curve = folder / "fairmot_lite.onnx", folder / "checkpoint.npz", folder / "curve.csv"
    for path in (weights, checkpoint):
        refuse_overwrite(path, start)
    with lock(weights, f"Another training writes to {folder}; give this one a folder of its own.", TrainingError):
        trainer = Trainer(footages, config, start)
        trainer.settings += ", ".join(one.name for one in held_out)  # one curve is of the same sequences
        rows: list[dict] = []
        recent: list[dict] = []
        if checkpoint.exists():
            trainer.load(checkpoint)
            rows = pd.read_csv(curve).to_dict("records") if curve.exists() else []
            rows = [row for row in rows if row["step"] <= trainer.step_number]
        elif config.appearance:
            trainer.average.projection.set_value(fit_projection(footages, seed=config.seed))
            trainer.network.projection.set_value(trainer.average.projection)
        trainer.before.projection.set_value(trainer.average.projection)
        about = {"trained_on": ", ".join(trainer.names), "config": json.dumps(dataclasses.asdict(config))}
        with progress_bar(total=config.steps, initial=trainer.step_number, disable=not progress, unit="step") as bar:
            while trainer.step_number < config.steps:
                if not rows:
                    rows.append({"step": 0} | measure(trainer.before, held_out))
                recent.append(trainer.step())
                bar.update()
                bar.set_postfix(loss=f"{recent[-1]['loss']:.2f}")
                step, last = trainer.step_number, trainer.step_number == config.steps
                if step % config.evaluate_every == 0 or last:
                    losses, recent = pd.DataFrame(recent).mean().to_dict(), []
                    rows.append({"step": step} | losses | measure(trainer.average, held_out))
                    save_network(trainer.average, weights, about | {"step": str(step)})
                    write_text(curve, pd.DataFrame(rows).to_csv(index=False))
                    ax = Figure(figsize=(7, 4), layout="constrained").subplots()  # pyplot would keep the figure
                    save(learning_curve(pd.DataFrame(rows), ax=ax), folder / "curve.png", dpi=110)
                if step % config.save_every == 0 or last:
                    trainer.save(checkpoint)
        if not weights.exists():  # removed after the run had ended
            save_network(trainer.average, weights, about | {"step": str(config.steps)})
    return weights


def measure(network: CompactNetwork, sources: Sequence[Source]) -> dict[str, float]:
    """Measure mean MOTA, IDF1 and recall over sequences with ground truth, by default settings; empty without any."""
    if not sources:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        save_network(network, Path(folder, "network.onnx"))
        model = load_model(Path(folder, "network.onnx"))
        tracks = {source.name: track(source, model=model, progress=False) for source in sources}
    summary = evaluate(tracks, {source.name: source for source in sources}).summary
    each = summary[summary["sequence"] != "OVERALL"]
    return {name: float(each[name].mean()) for name in ("mota", "idf1", "recall")}
