"""FairMOT networks built from PaddleDetection's classes, with strictly checked weights."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from .._paddle import import_paddle, silence
from ..errors import ConfigError, WeightsError
from .weights import read_weights
from .zoo import ARCHITECTURES

logger = logging.getLogger(__name__)
TRAINING_ONLY = ("reid.classifier.", "loss.")  # in checkpoints, but not in the network that runs


def build_network(architecture: str) -> Any:
    """Build a network with random weights, in evaluation mode.

    Parameters
    ----------
    architecture
        "lite", "dla34", "hrnetv2_w18" or "hardnet85".

    Returns
    -------
    paddle.nn.Layer
        Called with (N, 3, H, W) it gives heatmap, size, offset and embedding maps. Its parameters have the names that
        PaddleDetection's checkpoints give them; the identity classifier of the training is left out.
    """
    paddle = import_paddle()
    if architecture == "lite":
        from ..lite.network import build_lite

        with silence():
            network = build_lite()
        network.eval()
        return network
    with silence():
        from ppdet.modeling.architectures.centernet import CenterNet
        from ppdet.modeling.heads.centernet_head import CenterNetHead
        from ppdet.modeling.reid.fairmot_embedding_head import FairMOTEmbeddingHead

        backbone, neck = _trunk(architecture)
        channels = neck.out_shape[0].channels
        head = CenterNetHead(channels, num_classes=1, head_planes=256, prior_bias=-2.19, regress_ltrb=True)
        detector = CenterNet(backbone, neck, head, post_process=None, for_mot=True)
        reid = FairMOTEmbeddingHead(channels, ch_head=256, ch_emb=128, num_identities_dict={0: 1})
    del reid.classifier

    class FairMOT(paddle.nn.Layer):  # type: ignore[name-defined]
        """Zhang et al., "FairMOT: On the Fairness of Detection and Re-Identification in Multiple Object Tracking"."""

        def __init__(self) -> None:
            super().__init__()
            self.detector, self.reid = detector, reid

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
    faults = {
        "missing": [name for name in wanted if name not in given],
        "surplus": [name for name in given if name not in wanted],
        "wrong shape": [
            f"{name} {list(given[name].shape)} instead of {list(value.shape)}"
            for name, value in wanted.items()
            if name in given and list(given[name].shape) != list(value.shape)
        ],
        "not finite": [name for name in given if name in wanted and not np.isfinite(given[name]).all()],
    }
    found = [f"{kind} ({len(names)}): {_first(names)}" for kind, names in faults.items() if names]
    if found:
        raise WeightsError(f"{origin} does not fit the network: {'; '.join(found)}.")
    for name, parameter in wanted.items():
        parameter.set_value(given[name].astype(np.float32))


def _first(names: list[str], count: int = 4) -> str:
    return ", ".join(names[:count]) + (", ..." if len(names) > count else "")


def random_weights(architecture: str, image: np.ndarray, seed: int = 0) -> dict[str, np.ndarray]:
    """Weights for tests and benchmarks where no trained ones are at hand.

    Batch-norm statistics are those of the image, so that activations stay of order one, and the offsets of deformable
    convolutions are not zero.

    Parameters
    ----------
    architecture
        See `build_network`.
    image : (1, 3, H, W) float32
        Letterboxed input.
    seed
        Of the random numbers.
    """
    paddle = import_paddle()
    paddle.seed(seed)
    rng = np.random.default_rng(seed)
    network = build_network(architecture)

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
    network = build_network(architecture)
    load_weights(network, read_weights(weights), f"{weights} (as {architecture})")
    return network


def _save_program(network: Any, path: Path, size: tuple[int, int], batch: int = 1) -> None:
    paddle = import_paddle()
    spec = paddle.static.InputSpec([batch, 3, size[1], size[0]], "float32", "image")
    with silence():
        program = paddle.jit.to_static(network, input_spec=[spec], full_graph=True)
        paddle.jit.save(program, str(path))
