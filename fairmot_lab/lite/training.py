"""Train the compact FairMOT, or fine-tune it on sequences of one's own: `python -m fairmot_lab.lite.training --help`.

Two things are computed in closed form at the start: the projection of appearances (`fit_appearance`) and, with
`confine`, what rendered scenes look like (`fit_familiarity`). Then one step draws pairs of views (see `training_data`),
asks for centres everywhere and for sizes at the people's cells only, and moves the pyramid's weights by AdamW. Every
step's randomness comes from (seed, step) alone, so a run that was killed and resumed ends with the same weights as one
that was not.

Losses: ppdet's focal loss on centres; 1 - GIoU and L1 of the logarithms on sizes.

What `confine` is for: a few real sequences teach a pyramid their own backgrounds, and people elsewhere are found worse
than by COCO's head alone (docs/models/fairmot_lite.md has the figures), while rendered scenes are found much better. So
the pyramid learns from rendered scenes, and is kept from speaking where an image does not look like one.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from .._files import atomic_write, make_folder
from ..detection.decode import decode
from ..detection.letterbox import letterbox
from ..errors import ConfigError, FairMOTLabError, TrainingError
from .appearance import HISTOGRAM
from .arguments import add_arguments
from .network import (
    INPUT_SIZE,
    FairMOTLite,
    build_lite,
    is_fastestdet,
    load_lite,
    magnified,
    save_lite,
    start_from_fastestdet,
)
from .training_data import Augmentation, Footage, build_targets, prepare_footage, rendered_footage, sample_batch

import paddle  # isort: skip  (.lite prepares the environment for it)
from paddle.nn import functional  # isort: skip


FAMILIARITY_C = 300  # inverse strength of the regression's L2 penalty, against the mean loss of views
SHRINKAGE = 0.1  # of the within-person scatter towards its mean variance, in parts of it


@dataclass(frozen=True)
class TrainingConfig:
    """Settings of a training run; they are kept in its checkpoints.

    Attributes
    ----------
    steps
        Length of the run.
    pairs
        Pairs of views in a step.
    learning_rate, final_rate
        AdamW's rate after the warm-up, and its part that is left at the end (cosine between).
    backbone_rate
        Factor on the rate for the pretrained parts. At 0 they stay as they are, their batch statistics too: a few
        sequences make COCO's knowledge of people worse (docs/models/fairmot_lite.md has the figures).
    warmup
        Steps of linear warm-up.
    weight_decay
        AdamW's, on convolution weights.
    ema
        Decay of the running average of the weights, which is what is evaluated and saved.
    giou, size
        Weights of the losses beside the focal loss, which counts 1.
    confine
        Train the pyramid on rendered scenes alone, and let it speak only where an image looks like one.
    closed_form_batches
        Batches that appearances and familiarity are computed from.
    appearance_share
        How much their people count beside those that the start knows already.
    evaluate_every, save_every
        Steps between evaluations and between checkpoints.
    seed
        Of everything random.
    augmentation
        How views are made.
    """

    steps: int = 1000
    pairs: int = 8
    learning_rate: float = 2e-3
    final_rate: float = 0.02
    backbone_rate: float = 0.0
    warmup: int = 50
    weight_decay: float = 1e-4
    ema: float = 0.998
    giou: float = 2.0
    size: float = 0.3
    confine: bool = False
    closed_form_batches: int = 100
    appearance_share: float = 0.5
    evaluate_every: int = 200
    save_every: int = 50
    seed: int = 0
    augmentation: Augmentation = dataclasses.field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        for name in ("steps", "pairs", "learning_rate", "evaluate_every", "save_every", "closed_form_batches"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; training needs a value above 0.")
        if not 0 <= self.ema < 1:
            raise ConfigError(f"ema is {self.ema}; it goes from 0 to below 1.")
        if not 0 <= self.appearance_share <= 1:
            raise ConfigError(f"appearance_share is {self.appearance_share}; it goes from 0 to 1.")

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        warm = min(1.0, (step + 1) / max(1, self.warmup))
        cosine = 0.5 + 0.5 * math.cos(math.pi * min(1.0, step / max(1, self.steps)))
        return self.learning_rate * warm * (self.final_rate + (1 - self.final_rate) * cosine)


class Trainer:
    """A model in training: weights, their running average, the optimizer and the step it has reached.

    Parameters
    ----------
    footages
        What is trained on.
    config
        Settings.
    model
        Starting weights; random ones if None.
    """

    def __init__(self, footages: Sequence[Footage], config: TrainingConfig, model: FairMOTLite | None = None) -> None:
        if not footages:
            raise TrainingError("there is nothing to train on; name at least one sequence or some rendered scenes.")
        paddle.seed(config.seed)
        self.footages, self.config = list(footages), config
        self.model = build_lite() if model is None else model
        self.frozen = not config.backbone_rate
        self.average = build_lite()
        self.average.set_state_dict(self.model.state_dict())
        self.average.eval()
        self.step_number = 0
        started = [parameter for part in self.model.pretrained() for parameter in part.parameters()]
        computed = self.model.appearance.parameters() + self.model.familiarity.parameters()
        for parameter in computed:
            parameter.stop_gradient = True  # in closed form, not by descent
        known = {id(parameter) for parameter in (*started, *computed)}
        fresh = [p for p in self.model.parameters() if id(p) not in known]
        for parameter in started:
            parameter.stop_gradient = self.frozen
        self.optimizer = paddle.optimizer.AdamW(
            learning_rate=config.learning_rate,
            parameters=[  # type: ignore
                {"params": fresh},
                *([] if self.frozen else [{"params": started, "learning_rate": config.backbone_rate}]),
            ],
            weight_decay=config.weight_decay,
            grad_clip=paddle.nn.ClipGradByGlobalNorm(10.0),
        )

    def step(self) -> dict[str, float]:
        """Train on one batch; the losses by name."""
        config = self.config
        rng = np.random.default_rng((config.seed, self.step_number))
        views = sample_batch(self.footages, config.pairs, config.augmentation, rng)
        batch = {name: paddle.to_tensor(value) for name, value in build_targets(views, rng).items()}
        self.model.train()
        if self.frozen:
            for part in self.model.pretrained():
                part.eval()
        losses = self.losses(batch)
        self.optimizer.set_lr(config.rate(self.step_number))
        losses["loss"].backward()
        self.optimizer.step()
        self.optimizer.clear_grad()
        values = {name: float(value) for name, value in losses.items()}
        if not math.isfinite(values["loss"]):
            raise TrainingError(f"the loss is {values['loss']} at step {self.step_number}; lower learning_rate.")
        self.step_number += 1
        self._update_average()
        return values

    def losses(self, batch: dict[str, paddle.Tensor]) -> dict[str, paddle.Tensor]:
        """Every loss of a batch that `build_targets` made, and their weighted sum `loss`."""
        from ppdet.modeling.losses import CTFocalLoss

        config = self.config
        feature = self.model.features(batch["image"], familiar=True)
        heatmap = paddle.clip(self.model.heatmap(feature), 1e-4, 1 - 1e-4)
        parts = {"heatmap": CTFocalLoss()(heatmap, batch["heatmap"])}
        size = self.model.describe(cut_patches(feature, batch["cell"]))[0][:, :, 1, 1]
        parts["giou"] = 1 - giou(size, batch["size"]).mean()
        parts["size"] = (paddle.log(size) - paddle.log(paddle.clip(batch["size"], min=0.25))).abs().mean()
        loss = parts["heatmap"]
        for name in ("giou", "size"):
            loss = loss + getattr(config, name) * parts[name]
        return {"loss": loss, **parts}

    def _update_average(self) -> None:
        # a short memory at first: random weights must not linger in the average
        decay = min(self.config.ema, (1 + self.step_number) / (10 + self.step_number))
        state = self.model.state_dict()
        with paddle.no_grad():
            for name, value in self.average.state_dict().items():
                value.set_value(value * decay + state[name] * (1 - decay))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything that a resumed run needs, as safetensors."""
        from safetensors.numpy import save

        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        tensors |= {f"average.{name}": value for name, value in self.average.state_dict().items()}
        tensors |= {f"optimizer.{name}": value for name, value in self._moments().items()}
        metadata = {"step": str(self.step_number), "config": json.dumps(dataclasses.asdict(self.config))}
        metadata["footages"] = json.dumps([[one.name, one.identities] for one in self.footages])
        data = save({name: np.asarray(value.numpy()) for name, value in tensors.items()}, metadata)
        with atomic_write(path) as temporary:
            temporary.write_bytes(data)

    def load(self, path: str | os.PathLike[str]) -> None:
        """Continue from what `save` wrote.

        Raises
        ------
        TrainingError
            If the file is no checkpoint, or one of other settings or other footage.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, "np") as file:
                metadata, tensors = file.metadata() or {}, {name: file.get_tensor(name) for name in list(file.keys())}
            step, config, footages = (
                int(metadata["step"]),
                json.loads(metadata["config"]),
                json.loads(metadata["footages"]),
            )
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise TrainingError(f"{path} is no checkpoint of a training run ({error!r}); remove it.") from error
        mine = json.loads(json.dumps(dataclasses.asdict(self.config)))
        changed = sorted(name for name in mine if mine[name] != config.get(name))
        if changed or footages != [[one.name, one.identities] for one in self.footages]:
            what = ", ".join(changed) or "the sequences"
            raise TrainingError(
                f"{path} belongs to a run with other settings ({what}); resume with those, or remove it."
            )
        for prefix, layer in (("model.", self.model), ("average.", self.average)):
            for name, value in layer.state_dict().items():
                value.set_value(tensors[prefix + name])
        moments = {n.removeprefix("optimizer."): v for n, v in tensors.items() if n.startswith("optimizer.")}
        names = {ours: theirs for theirs, ours in self._parameter_names().items()}
        state = {}
        for name, value in moments.items():
            parameter, _, kind = name.partition("|")
            state[names[parameter] + kind] = paddle.to_tensor(value)
        self.optimizer.set_state_dict(state)
        self.step_number = step

    def _parameter_names(self) -> dict[str, str]:
        """paddle's own names, which depend on what was built before in the process, to the names of our layers."""
        return {value.name: f"model.{name}" for name, value in self.model.named_parameters()}

    def _moments(self) -> dict[str, paddle.Tensor]:
        names, moments = self._parameter_names(), {}
        for key, value in self.optimizer.state_dict().items():
            owner = max((name for name in names if key.startswith(name)), key=len, default=None)
            if owner is not None:
                moments[f"{names[owner]}|{key.removeprefix(owner)}"] = value
        return moments


def cut_patches(feature: paddle.Tensor, cells: paddle.Tensor) -> paddle.Tensor:
    """The 3x3 neighbourhoods of cells: what a 3x3 convolution sees there, so that a head need not run everywhere.

    Parameters
    ----------
    feature : (N, C, H, W)
    cells : (P, 3) int64
        Image, row, column.

    Returns
    -------
    (P, C, 3, 3) Tensor
        Zero outside the map.
    """
    padded = paddle.transpose(functional.pad(feature, [1, 1, 1, 1]), [0, 2, 3, 1])
    steps = paddle.to_tensor([[0, y, x] for y in range(3) for x in range(3)], dtype="int64")
    patches = paddle.gather_nd(padded, cells.unsqueeze(1) + steps)
    return paddle.transpose(patches, [0, 2, 1]).reshape([-1, feature.shape[1], 3, 3])


def giou(first: paddle.Tensor, second: paddle.Tensor) -> paddle.Tensor:
    """Generalised IoU (Rezatofighi et al., CVPR 2019) of boxes (P, 4) around one point: left, top, right, bottom."""

    def area(box: paddle.Tensor) -> paddle.Tensor:
        return (box[:, 0] + box[:, 2]) * (box[:, 1] + box[:, 3])

    overlap = area(paddle.minimum(first, second))
    union = area(first) + area(second) - overlap
    hull = area(paddle.maximum(first, second))
    return overlap / union - (hull - union) / hull


def fit_appearance(
    model: FairMOTLite, footages: Sequence[Footage], config: TrainingConfig, *, progress: bool = True
) -> None:
    """Compute the projection of colour histograms that tells people of one footage apart, in place.

    Fisher's linear discriminant over pairs: directions in which different people of a pair of views differ much, and
    one person at two times little. The scatter of both kinds is kept in the weights; what a model brings from an
    earlier training counts `1 - config.appearance_share`.

    Raises
    ------
    TrainingError
        If no person is seen twice, or nobody beside another one.
    """
    from scipy.linalg import eigh
    from tqdm.auto import tqdm

    sums = {"same": np.zeros((HISTOGRAM, HISTOGRAM)), "different": np.zeros((HISTOGRAM, HISTOGRAM))}
    counts, mean, people = {"same": 0.0, "different": 0.0}, np.zeros(HISTOGRAM), 0
    batches = range(config.closed_form_batches)
    for number in tqdm(batches, desc="appearances", disable=not progress, unit="batch"):
        rng = np.random.default_rng((config.seed, number, 1))
        views = sample_batch(footages, config.pairs, config.augmentation, rng)
        batch = build_targets(views, rng)
        rows = batch["recognisable"]
        size = batch["size"] * rng.uniform(0.93, 1.07, batch["size"].shape).astype(np.float32)  # as detections vary
        arguments = [paddle.to_tensor(value[rows]) for value in (batch["cell"], size, batch["offset"])]
        with paddle.no_grad():
            histograms = model.appearance.histograms(paddle.to_tensor(batch["image"]), *arguments).numpy()
        view, identity = batch["cell"][rows, 0], batch["identity"][rows]
        together = view[:, None] // 2 == view // 2
        alike = identity[:, None] == identity
        related = {"same": together & alike & (view[:, None] != view), "different": together & ~alike}
        for kind, pairs in related.items():
            sums[kind] += scatter(histograms.astype(float), pairs.astype(float))
            counts[kind] += pairs.sum()
        mean, people = mean + histograms.sum(0), people + len(rows)
    if not (counts["same"] and counts["different"]):
        raise TrainingError("the footage shows no person twice, or never two people; give sequences with more people.")
    found = {kind: sums[kind] / counts[kind] for kind in sums} | {"mean": mean / people}
    layer = model.appearance
    share = config.appearance_share if float(layer.same.abs().sum()) else 1.0
    for kind, value in found.items():
        known = getattr(layer, kind)
        known.set_value(((1 - share) * known.numpy() + share * value).astype(np.float32))
    same, different = layer.same.numpy().astype(float), layer.different.numpy().astype(float)
    shrunk = same + SHRINKAGE * np.trace(same) / HISTOGRAM * np.eye(HISTOGRAM)
    directions = eigh(different, shrunk)[1][:, ::-1][:, : layer.project.weight.shape[1]]
    directions *= np.sign(directions[np.abs(directions).argmax(0), np.arange(directions.shape[1])])  # one of two signs
    layer.project.weight.set_value(directions.astype(np.float32))
    layer.project.bias.set_value((-layer.mean.numpy().astype(float) @ directions).astype(np.float32))


def fit_familiarity(
    model: FairMOTLite,
    rendered: Sequence[Footage],
    real: Sequence[Footage],
    config: TrainingConfig,
    *,
    progress: bool = True,
) -> None:
    """Tell rendered scenes from real footage by how much the backbone's channels vary over an image, in place.

    A logistic regression on views, every real footage weighing the same. Footage of a kind never seen shall not pass
    for a rendered scene: so the boundary is then moved to where whole frames of the rendered scenes have a familiarity
    of 0.95, all but 1 in 50 of them.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler
    from tqdm.auto import tqdm

    model.eval()

    def textures(images: Sequence[np.ndarray], size: tuple[int, int]) -> np.ndarray:
        blobs = np.concatenate([letterbox(np.ascontiguousarray(image), size)[0] for image in images])
        with paddle.no_grad():
            return model.familiarity.texture(model.backbone(magnified(paddle.to_tensor(blobs)))[1]).numpy()

    looks, labels = [], []
    batches = range(config.closed_form_batches)
    for number in tqdm(batches, desc="familiarity", disable=not progress, unit="batch"):
        rng = np.random.default_rng((config.seed, number, 2))
        for label, footages in enumerate(([real[number % len(real)]], rendered)):
            views = sample_batch(footages, 1, config.augmentation, rng)
            looks.append(textures([image for image, _ in views], config.augmentation.size))
            labels += [label] * len(views)
    scaler = StandardScaler().fit(np.concatenate(looks).astype(float))
    regression = LogisticRegression(C=FAMILIARITY_C / len(labels), class_weight="balanced", max_iter=5000)
    regression.fit(scaler.transform(np.concatenate(looks)), labels)
    weight = regression.coef_[0] / scaler.scale_
    seen = np.concatenate([textures([footage.frames[0]], INPUT_SIZE) for footage in rendered]) @ weight
    bias = math.log(0.95 / 0.05) - np.quantile(seen, 0.02)
    model.familiarity.judge.weight.set_value(weight.astype(np.float32)[:, None])
    model.familiarity.judge.bias.set_value(np.array([bias], np.float32))


def scatter(vectors: np.ndarray, related: np.ndarray) -> np.ndarray:
    """Sum of (a - b)(a - b)^T over the ordered pairs of rows of `vectors` (P, D) that `related` (P, P) has 1 for."""
    # sum r_ij (x_i - x_j)(x_i - x_j)^T = 2 (X^T diag(sum_j r_ij) X - X^T R X) for a symmetric R
    return 2 * (vectors.T * related.sum(1) @ vectors - vectors.T @ related @ vectors)


def train(
    footages: Sequence[Footage],
    folder: str | os.PathLike[str],
    config: TrainingConfig,
    *,
    start: FairMOTLite | None = None,
    held_out: Sequence[Footage] = (),
    progress: bool = True,
) -> FairMOTLite:
    """Train until `config.steps`, continuing if `folder` holds a checkpoint.

    Parameters
    ----------
    footages
        What is trained on.
    folder
        Gets `checkpoint.safetensors`, `fairmot_lite.safetensors` (the averaged weights, for `load_model`), `curve.csv`
        and `curve.png`.
    start
        Starting weights; random ones if None. Not used when a checkpoint is continued.
    held_out
        Footage that is not trained on, for the learning curve.

    Returns
    -------
    FairMOTLite
        The averaged model.

    Raises
    ------
    TrainingError
        If the checkpoint belongs to other settings or footage, or the loss is no longer finite.
    ConfigError
        If random weights would be kept as they are.
    """
    from tqdm.auto import tqdm

    folder = make_folder(folder)
    checkpoint, curve_path = folder / "checkpoint.safetensors", folder / "curve.csv"
    if start is None and not config.backbone_rate and not checkpoint.exists():
        raise ConfigError("backbone_rate is 0, but there are no pretrained weights to keep; give start, or a rate.")
    rendered = [footage for footage in footages if footage.rendered]
    real = [footage for footage in footages if not footage.rendered]
    if config.confine and not (rendered and real):
        raise TrainingError("confine tells rendered scenes from real footage; give some of both, or train without it.")
    trainer = Trainer(rendered if config.confine else footages, config, start)
    rows: list[dict] = []
    if checkpoint.exists():
        trainer.load(checkpoint)
        if curve_path.exists():
            curve = pd.read_csv(curve_path)
            rows = curve[curve["step"] <= trainer.step_number].to_dict("records")
    else:
        fit_appearance(trainer.model, footages, config, progress=progress)
        trainer.model.familiarity.open()
        if config.confine:
            fit_familiarity(trainer.model, rendered, real, config, progress=progress)
        trainer.average.set_state_dict(trainer.model.state_dict())
    recent: list[dict[str, float]] = []
    with tqdm(total=config.steps, initial=trainer.step_number, disable=not progress, unit="step") as bar:
        while trainer.step_number < config.steps:
            recent.append(trainer.step())
            bar.update()
            bar.set_postfix(loss=f"{recent[-1]['loss']:.2f}")
            step, last = trainer.step_number, trainer.step_number == config.steps
            if step % config.evaluate_every == 0 or last:
                row = {"step": step} | pd.DataFrame(recent).mean().to_dict() | validate(trainer.average, held_out)
                rows.append(row)
                recent = []
                _write_curve(rows, folder)
                save_lite(trainer.average, folder / "fairmot_lite.safetensors", _provenance(trainer, footages))
            if step % config.save_every == 0 or last:
                trainer.save(checkpoint)
    return trainer.average


def validate(model: FairMOTLite, footages: Sequence[Footage], frames: int = 24, gap: int = 30) -> dict[str, float]:
    """Average precision and re-identification on footage that was not trained on: means, and one by one.

    Parameters
    ----------
    frames
        Frames looked at in each footage, evenly spread; as many again lie `gap` later.
    gap
        Frames between the two times of the re-identification.

    Returns
    -------
    dict
        `ap`: average precision at IoU 0.5 of people with visibility 0.25 or more; `recall`: the part of them found with
        a score of 0.4 or more; `rank1`: how often a found person's most similar found person `gap` frames later is the
        same one. NaN without footage. With several footages, `ap NAME` and so on are theirs.
    """
    if not footages:
        return dict.fromkeys(("ap", "recall", "rank1"), math.nan)
    measured = [_validate_one(model, footage, frames, gap) for footage in footages]
    averages = pd.DataFrame(measured).mean()  # of those that are no NaN
    means = {str(name): float(value) for name, value in averages.items()}
    if len(footages) == 1:
        return means
    named = zip(footages, measured, strict=True)
    return means | {f"{name} {footage.name}": one[name] for footage, one in named for name in one}


def _validate_one(model: FairMOTLite, footage: Footage, frames: int, gap: int) -> dict[str, float]:
    last = max(1, len(footage.frames) - gap)
    scores, hits, present, found_above, right, asked = [], [], 0, 0, 0, 0
    for first in np.unique(np.linspace(0, last - 1, min(frames, last)).astype(int)):
        seen = []
        for number in (first, first + gap):
            if number >= len(footage.frames):
                continue
            outputs = predict(model, footage.frames[number])
            people = footage.people[number]
            who, counts = match_detections(outputs.boxes, people)
            scores.append(outputs.scores[counts])
            hits.append(who[counts] >= 0)
            present += int((people.visibility >= 0.25).sum())
            found_above += int((counts & (who >= 0) & (outputs.scores >= 0.4)).sum())
            good = (who >= 0) & (outputs.scores >= 0.3)
            seen.append((who[good], outputs.embeddings[good]))
        if len(seen) == 2:
            (earlier, queries), (later, gallery) = seen
            both = np.isin(earlier, later)
            if both.any():
                best = later[np.argmax(queries[both].astype(float) @ gallery.T.astype(float), axis=1)]
                right, asked = right + int((best == earlier[both]).sum()), asked + int(both.sum())
    precision = average_precision(np.concatenate(scores), np.concatenate(hits), present)
    return {
        "ap": precision,
        "recall": found_above / max(1, present),
        "rank1": right / asked if asked else math.nan,
    }


def predict(model: FairMOTLite, image: np.ndarray, input_size: tuple[int, int] = INPUT_SIZE):
    """Run the model under paddle on one image; a `FrameDetections`."""
    blob, box = letterbox(np.ascontiguousarray(image), input_size)
    with paddle.no_grad():
        heatmap, size, offset, embedding = (value.numpy() for value in model(paddle.to_tensor(blob)))
    return decode(heatmap, size, offset, embedding, box)


def match_detections(boxes: np.ndarray, people, visible: float = 0.25) -> tuple[np.ndarray, np.ndarray]:
    """Give each detection, best first, the free person it overlaps most, at IoU 0.5 or more.

    Returns
    -------
    identity : (N,) int64
        Of the person found, -1 where none.
    counts : (N,) bool
        Whether the detection counts: not those that found someone less visible than `visible`, nor those that lie more
        than half in an area to ignore.
    """
    identity = np.full(len(boxes), -1, np.int64)
    counts = np.ones(len(boxes), bool)
    free = np.ones(len(people.boxes), bool)
    overlap = _iou(boxes, people.boxes)
    for row in range(len(boxes)):
        candidates = np.where(free, overlap[row], 0)
        if candidates.size and candidates.max() >= 0.5:
            best = int(candidates.argmax())
            free[best] = False
            identity[row] = people.identities[best]
            counts[row] = people.visibility[best] >= visible
        elif len(people.ignored):
            counts[row] = _inside(boxes[row], people.ignored).max() <= 0.5
    return identity, counts


def average_precision(scores: np.ndarray, hits: np.ndarray, present: int) -> float:
    """Area under the precision envelope over recall (every point, as in PASCAL VOC from 2010 on)."""
    if not present:
        return math.nan
    order = np.argsort(-scores, kind="stable")
    found = np.cumsum(hits[order])
    precision = found / np.arange(1, len(found) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(found / present, prepend=0) * envelope))


def _overlap(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    upper_left = np.maximum(first[..., None, :2], second[:, :2])
    lower_right = np.minimum((first[..., :2] + first[..., 2:])[..., None, :], second[:, :2] + second[:, 2:])
    return np.clip(lower_right - upper_left, 0, None).prod(-1)


def _iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    overlap = _overlap(first, second)
    return overlap / (first[:, 2:].prod(1)[:, None] + second[:, 2:].prod(1) - overlap)


def _inside(box: np.ndarray, areas: np.ndarray) -> np.ndarray:
    return _overlap(box, areas) / box[2:].prod()


def _provenance(trainer: Trainer, footages: Sequence[Footage]) -> dict[str, str]:
    """What the weights' file says about itself; what the closed forms alone were computed from counts as well."""
    return {
        "architecture": "fairmot_lite",
        "step": str(trainer.step_number),
        "trained_on": ", ".join(footage.name for footage in footages),
        "config": json.dumps(dataclasses.asdict(trainer.config)),
    }


def _write_curve(rows: list[dict], folder: Path) -> None:
    from matplotlib.figure import Figure  # not through pyplot, which would keep it

    from ..plots.settings import learning_curve

    curve = pd.DataFrame(rows)
    with atomic_write(folder / "curve.csv") as temporary:
        curve.to_csv(temporary, index=False)
    figure = Figure(figsize=(7, 4), layout="constrained")
    learning_curve(curve, ax=figure.subplots())
    with atomic_write(folder / "curve.png") as temporary:
        figure.savefig(temporary, dpi=110)


def load_start(path: str | os.PathLike[str], seed: int = 0) -> FairMOTLite:
    """Starting weights: "fairmot_lite" for the bundled ones, "scratch" for none, or a file.

    Parameters
    ----------
    path
        The file holds weights that training wrote, or FastestDet's COCO weights for backbone, neck and COCO head.
    seed
        Of the weights that come from nowhere.

    Raises
    ------
    WeightsError
        If the file is neither.
    """
    paddle.seed(seed)
    if path in ("fairmot_lite", "scratch"):
        return load_lite() if path == "fairmot_lite" else build_lite()
    if is_fastestdet(path):
        model = build_lite()
        start_from_fastestdet(model, path)
        return model
    return load_lite(path)


def gather_footage(
    sequences: Sequence[str],
    videos: Sequence[tuple[str, str]],
    scenes: int,
    cache: str | os.PathLike[str],
    *,
    scene_share: float = 0.4,
    progress: bool = True,
) -> list[Footage]:
    """Sequences, videos with ground truth, and rendered scenes, weighted.

    Parameters
    ----------
    sequences
        MOTChallenge folders with ground truth.
    videos
        Pairs of a video and its gt.txt.
    scenes
        How many scenes to render.
    cache
        Folder for frames.
    scene_share
        Part of the views that come from rendered scenes where there is real footage too.

    Returns
    -------
    list of Footage
        Real ones weigh as the root of how many people they show, so that one long sequence does not decide.
    """
    from ..formats.mot import read_mot
    from ..sources.open import open_source

    real = [prepare_footage(open_source(path), cache, progress=progress) for path in sequences]
    for video, truth in videos:
        source = open_source(video)
        table = read_mot(truth, "ground_truth", length=len(source))
        real.append(prepare_footage(source, cache, truth=table, progress=progress))
    total = sum(math.sqrt(footage.identities) for footage in real)
    for footage in real:
        footage.weight = (1 - scene_share if scenes else 1) * math.sqrt(footage.identities) / total
    return real + rendered_footage(scenes, cache, weight=scene_share if real else 1.0, progress=progress)


def run(options: argparse.Namespace, *, progress: bool = True) -> Path:
    """Train as the command line says; the path of the weights."""
    config = TrainingConfig(
        steps=options.steps,
        pairs=options.pairs,
        learning_rate=options.learning_rate,
        backbone_rate=1.0 if options.start == "scratch" else 0.0,
        confine=options.confine,
        seed=options.seed,
        evaluate_every=options.evaluate_every,
    )
    start = load_start(options.start, options.seed)  # a mistake is found before frames are read
    if not 0 <= options.scene_share <= 1:
        raise ConfigError(f"scene_share is {options.scene_share}; it goes from 0 to 1.")
    output = make_folder(options.output)
    cache = make_folder(options.cache or output / "cache")
    footages = gather_footage(
        options.sequences, options.video, options.scenes, cache, scene_share=options.scene_share, progress=progress
    )
    held_out = gather_footage(options.held_out, [], 0, cache, progress=progress)
    train(footages, output, config, start=start, held_out=held_out, progress=progress)
    return output / "fairmot_lite.safetensors"


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m fairmot_lab.lite.training`: 0 when it went well, 2 for a user's mistake, 130 when interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m fairmot_lab.lite.training", description="Train the compact FairMOT."
    )
    add_arguments(parser, steps=1000, learning_rate=2e-3, scenes=60, confine=True)
    try:
        path = run(parser.parse_args(arguments))
    except FairMOTLabError as error:
        sys.stderr.write(f"training: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("training: interrupted; the same command continues from the last checkpoint\n")
        return 130
    sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
