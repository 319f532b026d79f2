"""FairMOT networks built from PaddleDetection's classes, with strictly checked weights."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .._paddle import import_paddle, silence
from ..errors import ConfigError, WeightsError
from .authors import convert_authors_checkpoint, is_authors_checkpoint
from .weights import read_weights
from .zoo import ARCHITECTURES

logger = logging.getLogger(__name__)
TRAINING_ONLY = ("reid.classifier", "loss.")  # in checkpoints, but not in the network that runs
LARGEST = 1e18  # of a weight: larger ones overflow somewhere in the network


@dataclass(frozen=True)
class Heads:
    """What a network gives for each cell.

    Attributes
    ----------
    classes
        Channels of the heatmap.
    box_channels
        4: distances of the edges from the centre; 2: width and height around the centre.
    embedding_dim
        Length of an embedding.
    """

    classes: int = 1
    box_channels: int = 4
    embedding_dim: int = 128


def read_checkpoint(path: Path) -> dict[str, np.ndarray]:
    """Read the tensors of a weights file under PaddleDetection's names, also those of FairMOT's authors.

    Raises
    ------
    WeightsError
        If the file is damaged or unsafe; see `read_weights`.
    """
    tensors = read_weights(path)
    return convert_authors_checkpoint(tensors) if is_authors_checkpoint(tensors) else tensors


def heads_of(tensors: dict[str, np.ndarray]) -> Heads:
    """Return number of classes, box form and embedding length from the shapes of the last layers.

    Examples
    --------
    >>> shapes = {"detector.head.heatmap.2.conv.bias": 10, "detector.head.size.2.conv.bias": 2}
    >>> heads_of({name: np.zeros(count) for name, count in shapes.items()})
    Heads(classes=10, box_channels=2, embedding_dim=128)
    """
    names = ("detector.head.heatmap.2.conv.bias", "detector.head.size.2.conv.bias", "reid.reid.2.conv.bias")
    default = (1, 4, 128)
    found = [
        len(tensors[name]) if name in tensors and tensors[name].ndim == 1 else count
        for name, count in zip(names, default, strict=True)
    ]
    if not 0 < found[0] <= 1000 or found[1] not in (2, 4) or not 0 < found[2] <= 4096:
        return Heads()  # load_weights names the tensors that do not fit
    return Heads(*found)


def build_network(architecture: str, heads: Heads | None = None) -> Any:
    """Build a network with random weights, in evaluation mode.

    Parameters
    ----------
    architecture
        "dla34", "hrnetv2_w18" or "hardnet85".
    heads
        Number of classes, box form and embedding length; one class, four distances and 128 unless given.

    Returns
    -------
    paddle.nn.Layer
        Called with (N, 3, H, W) it gives heatmap, size, offset and embedding maps. Its parameters have the names that
        PaddleDetection's checkpoints give them; the identity classifier of the training is left out.
    """
    paddle = import_paddle()
    heads = heads or Heads()
    with silence():
        from ppdet.modeling.architectures.centernet import CenterNet
        from ppdet.modeling.heads.centernet_head import CenterNetHead
        from ppdet.modeling.reid.fairmot_embedding_head import FairMOTEmbeddingHead

        backbone, neck = _trunk(architecture)
        channels = neck.out_shape[0].channels
        head = CenterNetHead(
            channels,
            num_classes=heads.classes,
            head_planes=256,
            prior_bias=-2.19,
            regress_ltrb=heads.box_channels == 4,
        )
        detector = CenterNet(backbone, neck, head, post_process=None, for_mot=True)
        reid = FairMOTEmbeddingHead(channels, ch_head=256, ch_emb=heads.embedding_dim, num_identities_dict={0: 1})
    del reid.classifier

    class FairMOT(paddle.nn.Layer):  # type: ignore[name-defined]
        """Zhang et al., "FairMOT: On the Fairness of Detection and Re-Identification in Multiple Object Tracking"."""

        def __init__(self) -> None:
            super().__init__()
            self.detector, self.reid = detector, reid

        @paddle.jit.not_to_static  # no branch depends on values: running it once records it all
        def forward(self, image):
            feature = self.detector.neck(self.detector.backbone({"image": image}))
            maps = self.detector.head(feature, {})
            embedding = paddle.nn.functional.normalize(self.reid.reid(feature), axis=1)
            return maps["heatmap"], maps["size"], maps["offset"], embedding

    network = FairMOT()
    network.eval()
    return network


def _trunk(architecture: str) -> tuple[Any, Any]:
    """Backbone and neck with the settings of PaddleDetection's `configs/mot/fairmot`."""
    from ppdet.modeling import backbones, necks

    if architecture == "dla34":
        backbone = backbones.DLA(depth=34)
        channels = [shape.channels for shape in backbone.out_shape]
        return backbone, necks.CenterNetDLAFPN(channels, down_ratio=4, last_level=5, out_channel=0, dcn_v2=True)
    if architecture == "hrnetv2_w18":
        backbone = backbones.HRNet(width=18, freeze_at=0, return_idx=[0, 1, 2, 3], upsample=False)
        channels = [shape.channels for shape in backbone.out_shape]
        return backbone, necks.CenterNetDLAFPN(
            channels, down_ratio=4, first_level=0, last_level=3, out_channel=0, dcn_v2=False
        )
    if architecture == "hardnet85":
        backbone = backbones.HarDNet(depth_wise=False, return_idx=[1, 3, 8, 13], arch=85)
        channels = [shape.channels for shape in backbone.out_shape]
        return backbone, necks.CenterNetHarDNetFPN(channels, num_layers=85, down_ratio=4, last_level=4, out_channel=0)
    raise ConfigError(f"architecture is {architecture!r}; it must be one of {', '.join(ARCHITECTURES)}.")


def load_weights(network: Any, tensors: dict[str, np.ndarray], origin: str) -> None:
    """Give a network its weights; every tensor must be there, be known, and have the right shape.

    Parameters
    ----------
    network
        From `build_network()`.
    tensors
        Arrays by parameter name. Those of the training's identity classifier and loss may be there.
    origin
        What the message calls the weights.

    Raises
    ------
    WeightsError
        If one does not fit; the first of each kind are listed.
    """
    wanted = network.state_dict()
    given = {name: value for name, value in tensors.items() if not name.startswith(TRAINING_ONLY)}
    with np.errstate(over="ignore"):
        cast = {name: np.asarray(value).astype(np.float32) for name, value in given.items() if name in wanted}
    faults = {
        "missing": [name for name in wanted if name not in given],
        "surplus": [name for name in given if name not in wanted],
        "wrong shape": [
            f"{name} {list(given[name].shape)} instead of {list(value.shape)}"
            for name, value in wanted.items()
            if name in given and list(given[name].shape) != list(value.shape)
        ],
        "not finite": [name for name, value in cast.items() if not np.isfinite(value).all()],
        f"above {LARGEST:g}": [
            name for name, value in cast.items() if np.isfinite(value).all() and np.abs(value).max(initial=0) > LARGEST
        ],
    }
    found = [f"{kind} ({len(names)}): {_first(names)}" for kind, names in faults.items() if names]
    if found:
        raise WeightsError(f"{origin} does not fit the network: {'; '.join(found)}; give architecture=.")
    for name, parameter in wanted.items():
        parameter.set_value(cast[name])


def _first(names: list[str], count: int = 4) -> str:
    return ", ".join(names[:count]) + (", ..." if len(names) > count else "")


def random_weights(
    architecture: str, image: np.ndarray, seed: int = 0, heads: Heads | None = None
) -> dict[str, np.ndarray]:
    """Return weights for tests and benchmarks where no trained ones are at hand.

    Batch-norm statistics are those of the image, so that activations stay of order one, and the offsets of deformable
    convolutions are not zero.

    Parameters
    ----------
    architecture, heads
        See `build_network`.
    image : (1, 3, H, W) float32
        Letterboxed input.
    seed
        Of the random numbers.
    """
    paddle = import_paddle()
    paddle.seed(seed)
    rng = np.random.default_rng(seed)
    network = build_network(architecture, heads)

    def fit(layer: Any, inputs: tuple[Any, ...]) -> None:
        values = inputs[0].numpy()
        layer._mean.set_value(values.mean((0, 2, 3)))
        layer._variance.set_value(values.var((0, 2, 3)) + 1e-3)

    hooks = []
    for layer in network.sublayers():
        if hasattr(layer, "_variance"):
            hooks.append(layer.register_forward_pre_hook(fit))
        if hasattr(layer, "conv_offset"):
            weight = layer.conv_offset.weight
            weight.set_value(rng.normal(0, 0.01, weight.shape).astype(np.float32))
    with paddle.no_grad():
        network(paddle.to_tensor(image))
    for hook in hooks:
        hook.remove()
    return {name: value.numpy() for name, value in network.state_dict().items()}


def _loaded_network(weights: Path, architecture: str) -> Any:
    tensors = read_checkpoint(weights)
    network = build_network(architecture, heads_of(tensors))
    load_weights(network, tensors, f"{weights} (as {architecture})")
    _check_activations(network, f"{weights} (as {architecture})")
    return network


def _check_activations(network: Any, origin: str) -> None:
    """Run once and refuse weights that make numbers overflow: later layers can turn those into an empty heatmap."""
    paddle = import_paddle()
    overflowed: list[str] = []

    def check(name: str) -> Any:
        def hook(layer: Any, inputs: Any, output: Any) -> None:
            values = output if isinstance(output, tuple | list) else [output]
            if any(hasattr(value, "numpy") and not np.isfinite(value.numpy()).all() for value in values):
                overflowed.append(name)

        return hook

    hooks = [layer.register_forward_post_hook(check(name)) for name, layer in network.named_sublayers()]
    ramp = np.linspace(0, 1, 64, dtype=np.float32)
    image = np.stack([np.tile(ramp, (64, 1)), np.tile(ramp[:, None], (1, 64)), np.eye(64, dtype=np.float32)])
    with paddle.no_grad(), np.errstate(all="ignore"):
        network(paddle.to_tensor(image[None]))
    for hook in hooks:
        hook.remove()
    if overflowed:
        raise WeightsError(
            f"{origin} gives numbers that are not finite in the layer {overflowed[0]}: its weights are broken; "
            "load others."
        )


def _save_program(network: Any, path: Path, size: tuple[int, int], batch: int = 1) -> None:
    paddle = import_paddle()
    spec = paddle.static.InputSpec([batch, 3, size[1], size[0]], "float32", "image")
    with silence():
        program = paddle.jit.to_static(network, input_spec=[spec], full_graph=True)
        paddle.jit.save(program, str(path))
