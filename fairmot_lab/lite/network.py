"""The compact model's network in paddle, to be trained: YOLOX-nano with one class, read from ONNX and written to it.

Ge et al., "YOLOX: Exceeding YOLO Series in 2021" (arXiv 2107.08430): a trunk of CSP blocks, feature maps merged from
coarse to fine and back, and a decoupled head for each of the strides 8, 16 and 32. There are no batch norms: those of
YOLOX are folded into the convolutions of the file that training starts from.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from .._paddle import import_paddle
from ..detection.appearance import BINS
from ..detection.weights import check_seal, write_sealed
from ..detection.zoo import BUNDLED
from ..errors import TrainingError, WeightsError

paddle: Any = import_paddle()
nn, functional = paddle.nn, paddle.nn.functional
Layer: Any = nn.Layer

DIMENSION = 64  # of an embedding


class Convolution(nn.Conv2D):  # type: ignore[name-defined]
    """nn.Conv2D, whose bias is added apart: within it paddle's CPU kernels take twice as long in training."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> None:
        self.settings = {"stride": stride, "padding": (kernel - 1) // 2, "groups": groups}
        super().__init__(inputs, outputs, kernel, **self.settings)

    def forward(self, x):
        product = functional.conv2d(x, self.weight, **self.settings)
        return product + self.bias.reshape([1, -1, 1, 1]).expand(product.shape)


def activated(*arguments: int) -> Any:
    """Return a convolution with SiLU."""
    return nn.Sequential(Convolution(*arguments), nn.Silu())


def separable(inputs: int, outputs: int, stride: int = 1) -> Any:
    """Return a depthwise 3x3 convolution, then a pointwise one."""
    return nn.Sequential(activated(inputs, inputs, 3, stride, inputs), activated(inputs, outputs))


class Bottleneck(Layer):
    """A pointwise and a separable convolution, added to what came in or not."""

    def __init__(self, channels: int, residual: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(activated(channels, channels), separable(channels, channels))
        self.residual = residual

    def forward(self, x):
        return x + self.layers(x) if self.residual else self.layers(x)


class CSP(Layer):
    """A cross-stage partial block: half of the channels go through bottlenecks, half go past them."""

    def __init__(self, inputs: int, outputs: int, repeats: int = 1, residual: bool = True) -> None:
        super().__init__()
        half = outputs // 2
        self.through, self.past = activated(inputs, half), activated(inputs, half)
        self.blocks = nn.Sequential(*(Bottleneck(half, residual) for _ in range(repeats)))
        self.merge = activated(2 * half, outputs)

    def forward(self, x):
        through, past = self.through(x), self.past(x)
        return self.merge(paddle.concat([self.blocks(through), past], axis=1))


class SPP(Layer):
    """Spatial pyramid pooling: the largest values of windows of 5, 9 and 13 cells."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduce, self.merge = activated(channels, channels // 2), activated(2 * channels, channels)

    def forward(self, x):
        x = self.reduce(x)
        pooled = [functional.max_pool2d(x, size, 1, size // 2) for size in (5, 9, 13)]
        return self.merge(paddle.concat([x, *pooled], axis=1))


class Head(Layer):
    """One level's head: four channels of the box, the logit of an object, the logit of a person."""

    def __init__(self, inputs: int, width: int = 64) -> None:
        super().__init__()
        self.stem = activated(inputs, width)
        self.person = nn.Sequential(separable(width, width), separable(width, width), Convolution(width, 1))
        self.region = nn.Sequential(separable(width, width), separable(width, width))
        self.box, self.object = Convolution(width, 4), Convolution(width, 1)

    def forward(self, x):
        x = self.stem(x)
        person, region = self.person(x), self.region(x)
        return paddle.concat([self.box(region), self.object(region), person], axis=1)


class CompactNetwork(Layer):
    """YOLOX-nano with one class; `projection` is that of `detection.appearance.embed`: computed, not trained."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = activated(3, 16, 6, 2)
        self.stage2 = nn.Sequential(separable(16, 32, 2), CSP(32, 32))
        self.stage3 = nn.Sequential(separable(32, 64, 2), CSP(64, 64, 3))
        self.stage4 = nn.Sequential(separable(64, 128, 2), CSP(128, 128, 3))
        self.stage5 = nn.Sequential(separable(128, 256, 2), SPP(256), CSP(256, 256, residual=False))
        self.lateral5, self.down4 = activated(256, 128), CSP(256, 128, residual=False)
        self.lateral4, self.down3 = activated(128, 64), CSP(128, 64, residual=False)
        self.halve3, self.up4 = separable(64, 64, 2), CSP(128, 128, residual=False)
        self.halve4, self.up5 = separable(128, 128, 2), CSP(256, 256, residual=False)
        self.doubled = nn.Upsample(scale_factor=2)
        self.heads = nn.LayerList([Head(64), Head(128), Head(256)])
        self.register_buffer("projection", paddle.zeros([BINS + 1, DIMENSION]))

    def forward(self, image):
        """Return maps (N, 6, h, w) of strides 8, 16 and 32 for (N, 3, H, W): red, green, blue, 0 to 1."""
        stride8 = self.stage3(self.stage2(self.stem(image)))
        stride16 = self.stage4(stride8)
        top5 = self.lateral5(self.stage5(stride16))
        top4 = self.lateral4(self.down4(paddle.concat([self.doubled(top5), stride16], axis=1)))
        fine = self.down3(paddle.concat([self.doubled(top4), stride8], axis=1))
        middle = self.up4(paddle.concat([self.halve3(fine), top4], axis=1))
        coarse = self.up5(paddle.concat([self.halve4(middle), top5], axis=1))
        return tuple(self.heads[level](x) for level, x in enumerate((fine, middle, coarse)))


def load_network(path: str | os.PathLike[str]) -> CompactNetwork:
    """Read weights from ONNX that `save_network` wrote or YOLOX's own `yolox_nano.onnx`; WeightsError for others."""
    import onnx
    from onnx import numpy_helper

    check_seal(path)
    try:
        graph = onnx.load(os.fspath(path)).graph
    except Exception as error:  # protobuf and onnx raise classes of their own
        raise WeightsError(f"{path} cannot be read as ONNX ({error}); give a file that training wrote.") from error
    tensors = {one.name: numpy_helper.to_array(one).astype(np.float32) for one in graph.initializer}
    network = CompactNetwork()
    if "projection" not in tensors:
        convolutions = [[tensors.get(name) for name in node.input[1:]] for node in graph.node if node.op_type == "Conv"]
        tensors = _of_yolox(network, convolutions, path)
    for name, parameter in network.state_dict().items():
        if name not in tensors or list(tensors[name].shape) != parameter.shape:
            raise WeightsError(f"{path} has no {name} of shape {parameter.shape}; give a file that training wrote.")
        parameter.set_value(tensors[name])
    return network


def _of_yolox(network: CompactNetwork, convolutions: list[Any], path: Any) -> dict[str, np.ndarray]:
    """Name YOLOX-nano's tensors, which come in the order of our layers; of its 80 classes keep the first, persons.

    Its first convolution, 3x3 of the corners of 2x2 blocks of BGR from 0 to 255, becomes 6x6 of RGB from 0 to 1.
    """
    names = [name for name, layer in network.named_sublayers() if isinstance(layer, Convolution)]
    known = all(len(one) == 2 and all(part is not None for part in one) for one in convolutions)
    if len(convolutions) != len(names) or not known:
        raise WeightsError(f"{path} is no YOLOX-nano; give its ONNX file, or one that training wrote.")
    tensors = {"projection": network.projection.numpy()}
    for name, (weight, bias) in zip(names, convolutions, strict=True):
        kept = 1 if len(bias) == 80 else len(bias)
        tensors |= {f"{name}.weight": weight[:kept], f"{name}.bias": bias[:kept]}
    first = tensors["stem.0.weight"].reshape(-1, 2, 2, 3, 3, 3)  # output, x and y of the corner, BGR, row, column
    tensors["stem.0.weight"] = 255 * first.transpose(0, 3, 4, 2, 5, 1).reshape(-1, 3, 6, 6)[:, ::-1].copy()
    return tensors


def save_network(network: CompactNetwork, path: str | os.PathLike[str], about: dict[str, str] | None = None) -> None:
    """Write the network as ONNX for images of any size, weights in half precision; `about` becomes its metadata.

    The graph is that of the bundled file, which was exported with paddle2onnx; its weights are replaced.
    """
    import onnx
    from onnx import helper, numpy_helper

    model, weights = onnx.load(os.fspath(BUNDLED)), network.state_dict()
    for tensor in model.graph.initializer:
        if tensor.name in weights:
            values = weights[tensor.name].numpy().astype(helper.tensor_dtype_to_np_dtype(tensor.data_type))
            if not np.isfinite(values).all():
                raise TrainingError(f"{tensor.name} is no longer finite in half precision; lower learning_rate.")
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    helper.set_model_props(model, {"architecture": "fairmot_lite", **(about or {})})
    write_sealed(path, model.SerializeToString())
