"""The compact FairMOT that the package carries: ShuffleNetV2 x0.5, an SPP neck, a light FPN to stride 4, ppdet's heads.

`build_lite()` gives a paddle layer whose four maps mean what ppdet's DLA-34 FairMOT means by them, so that one decoder
serves both:

=========== ============================= ===========================================================================
map         shape                         meaning
=========== ============================= ===========================================================================
heatmap     (N, 1, H/4, W/4)              probability of a person's centre (the sigmoid is applied)
size        (N, 4, H/4, W/4)              distances from the centre to left, top, right, bottom, in cells of 4 pixels
offset      (N, 2, H/4, W/4)              x, y from the cell's corner to the centre, in cells
embedding   (N, D, H/4, W/4)              appearance, unit length over the D channels (64)
=========== ============================= ===========================================================================

The input is (N, 3, H, W) float32, RGB, 0 to 1, letterboxed as for every FairMOT; H and W are multiples of 32, and
576x320 is what the bundled weights were trained for. The network looks at it magnified by 1.5: the coarsest maps of a
small backbone are too coarse for small people otherwise.

Backbone, SPP neck and COCO head have the shapes of FastestDet (https://github.com/dog-qiuqiu/FastestDet, BSD-3-Clause;
backbone: Ma et al., "ShuffleNet V2", ECCV 2018) and keep its COCO weights: what they know about people is far more than
a few sequences can teach, and training on those makes it worse. Heads: Zhang et al., "FairMOT", IJCV 2021, as
PaddleDetection builds them.

This module imports paddle, and ppdet when a network is built: nothing else in the package imports it at the top.
"""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from pathlib import Path

import numpy as np

from .engines import prepare_for_paddle
from .errors import WeightsError
from .files import atomic_write

prepare_for_paddle()

import paddle  # noqa: E402
from paddle import nn  # noqa: E402
from paddle.nn import functional  # noqa: E402

INPUT_SIZE = (576, 320)
EMBEDDING_DIM = 64
WEIGHTS = Path(__file__).with_name("weights") / "fairmot_lite.safetensors"
MAGNIFICATION = 1.5
PRETRAINED = ("backbone", "SPP", "detect_head")  # the network's parts that FastestDet's weights fit
_MAX_LOG_SIZE = 6.0  # exp(6) cells are 1600 pixels: more than any input; keeps an untrained network finite


def build_lite(*, width: int = 64, head_width: int = 32, embedding_dim: int = EMBEDDING_DIM) -> FairMOTLite:
    """Build the compact FairMOT with random weights.

    Parameters
    ----------
    width
        Channels of the feature map at stride 4.
    head_width
        Hidden channels of the heatmap, size and offset heads.
    embedding_dim
        Length of an embedding.

    Returns
    -------
    FairMOTLite
        `forward(image)` gives (heatmap, size, offset, embedding): see the module's table.
    """
    return FairMOTLite(width, head_width, embedding_dim)


class FairMOTLite(nn.Layer):
    """Image in, four maps at a quarter of its size out: see the module's table for shapes and meanings."""

    def __init__(self, width: int, head_width: int, embedding_dim: int) -> None:
        super().__init__()
        center_head, embedding_head = _fairmot_heads()
        self.backbone = ShuffleNet()
        self.SPP = SpatialPyramidPooling(48 + 96 + 192, 96)
        self.detect_head = CocoHead(96)
        self.fpn = FeaturePyramid((24, 48, 96 + CocoHead.OUTPUTS + 96 + 192), width)
        self.head = center_head(width, num_classes=1, head_planes=head_width, regress_ltrb=True)
        # ppdet's head owns a classifier of identities too, which only training needs
        self.reid = embedding_head(width, ch_head=embedding_dim, ch_emb=embedding_dim, num_identities_dict={0: 1}).reid

    def forward(self, image):
        """Return heatmap, size, offset and embedding maps of `image` (N, 3, H, W)."""
        feature = self.features(image)
        size, offset, embedding = self.describe(feature)
        return self.heatmap(feature), size, offset, embedding

    def heatmap(self, feature):
        """Return the probability of a centre in every cell of the feature map."""
        return functional.sigmoid(self.head.heatmap(feature))

    def describe(self, feature):
        """Return size, offset and embedding for every cell of the feature map, or of patches cut from it."""
        size = paddle.exp(paddle.clip(self.head.size(feature), max=_MAX_LOG_SIZE))  # learned as logarithms
        return size, self.head.offset(feature), functional.normalize(self.reid(feature), axis=1)

    def features(self, image):
        """Return the shared feature map (N, width, H/4, W/4)."""
        height, width = image.shape[2:]
        magnified = [round(side * MAGNIFICATION / 32) * 32 for side in (height, width)]
        stride4, stride8, stride16, stride32 = self.backbone(_resized(image, magnified))
        context = self.SPP(stride8, stride16, stride32)
        context = paddle.concat([context, self.detect_head(context), stride16, _doubled(stride32)], axis=1)
        return self.fpn(stride4, stride8, context, [height // 4, width // 4])

    def pretrained(self) -> list[nn.Layer]:
        """The parts that FastestDet's COCO weights fit."""
        return [getattr(self, name) for name in PRETRAINED]


class ShuffleNet(nn.Layer):
    """ShuffleNetV2 x0.5: feature maps at strides 4, 8, 16, 32 with 24, 48, 96, 192 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.first_conv = _convolution(3, 24, 3, stride=2)
        self.maxpool = nn.MaxPool2D(3, stride=2, padding=1)
        self.stage2 = _stage(24, 48, 4)
        self.stage3 = _stage(48, 96, 8)
        self.stage4 = _stage(96, 192, 4)

    def forward(self, image):
        """Return the four maps, finest first."""
        stride4 = self.maxpool(self.first_conv(image))
        stride8 = self.stage2(stride4)
        stride16 = self.stage3(stride8)
        return stride4, stride8, stride16, self.stage4(stride16)


class ShuffleUnit(nn.Layer):
    """A unit of ShuffleNetV2: even channels pass through, odd ones are worked on; at stride 2 both branches see all."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        middle = outputs // 2
        self.branch_main = nn.Sequential(
            *_convolution(inputs if stride == 2 else inputs // 2, middle, 1),
            *_convolution(middle, middle, 3, stride=stride, groups=middle, activate=False),
            *_convolution(middle, middle if stride == 1 else outputs - inputs, 1),
        )
        self.branch_proj = (
            nn.Sequential(
                *_convolution(inputs, inputs, 3, stride=2, groups=inputs, activate=False),
                *_convolution(inputs, inputs, 1),
            )
            if stride == 2
            else None
        )

    def forward(self, x):
        """Return the unit's output."""
        if self.branch_proj is not None:
            return paddle.concat([self.branch_proj(x), self.branch_main(x)], axis=1)
        batch, channels, height, width = x.shape
        pairs = x.reshape([batch, channels // 2, 2, height, width])  # paddle2onnx knows no channel_shuffle
        return paddle.concat([pairs[:, :, 0], self.branch_main(pairs[:, :, 1])], axis=1)


class SpatialPyramidPooling(nn.Layer):
    """FastestDet's neck: three maps brought to stride 16, then one to three depthwise 5x5 convolutions side by side."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.pool = nn.AvgPool2D(3, stride=2, padding=1)
        self.Conv1x1 = _Named(conv1x1=_convolution(inputs, outputs, 1))
        self.S1, self.S2, self.S3 = (
            nn.Sequential(*[part for _ in range(count) for part in _convolution(outputs, outputs, 5, groups=outputs)])
            for count in (1, 2, 3)
        )
        self.output = _convolution(3 * outputs, outputs, 1, activate=False)

    def forward(self, stride8, stride16, stride32):
        """Return the context map at stride 16."""
        upsampled = _doubled(stride32)
        x = self.Conv1x1.conv1x1(paddle.concat([self.pool(stride8), stride16, upsampled], axis=1))
        pyramid = paddle.concat([self.S1(x), self.S2(x), self.S3(x)], axis=1)
        return functional.relu(x + self.output(pyramid))


class CocoHead(nn.Layer):
    """FastestDet's detection head: object or not, person or not, and a rough box, for every cell of the context map."""

    OUTPUTS = 6

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1x1 = _Named(conv1x1=_convolution(channels, channels, 1))
        self.obj_layers, self.reg_layers, self.cls_layers = (
            _Named(
                conv5x5=nn.Sequential(
                    *_convolution(channels, channels, 5, groups=channels),
                    *_convolution(channels, outputs, 1, activate=False),
                )
            )
            for outputs in (1, 4, 80)
        )

    def forward(self, context):
        """Return 6 channels: the logit of an object, the logarithm of the part of "person" in it, 4 of its box."""
        x = self.conv1x1.conv1x1(context)
        person = functional.log_softmax(self.cls_layers.conv5x5(x), axis=1)[:, :1]
        return paddle.concat([self.obj_layers.conv5x5(x), person, self.reg_layers.conv5x5(x)], axis=1)


class FeaturePyramid(nn.Layer):
    """Top-down path: add the finer map, mix with depthwise-separable residual blocks; ends at the size asked for."""

    def __init__(self, inputs: tuple[int, int, int], width: int) -> None:
        super().__init__()
        fine, middle, coarse = inputs
        self.lateral4, self.lateral8, self.lateral16 = (
            _convolution(channels, width, 1, activate=False) for channels in (fine, middle, 2 * width)
        )
        self.mix16 = nn.Sequential(
            _convolution(coarse, 2 * width, 1), *(SeparableResidual(2 * width) for _ in range(3))
        )
        self.mix8 = nn.Sequential(*(SeparableResidual(width) for _ in range(3)))
        self.mix4 = nn.Sequential(*(SeparableResidual(width) for _ in range(2)))

    def forward(self, stride4, stride8, context, size: list[int]):
        """Return the merged map, of `size` (height, width)."""
        x = _doubled(self.lateral16(self.mix16(context)))
        x = self.mix8(functional.relu(x + self.lateral8(stride8)))
        return self.mix4(functional.relu(_resized(x, size) + _resized(self.lateral4(stride4), size)))


class SeparableResidual(nn.Layer):
    """x + pointwise(depthwise 3x3(x)), then ReLU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = _convolution(width, width, 3, groups=width, activate=False)
        self.pointwise = _convolution(width, width, 1, activate=False)

    def forward(self, x):
        """Return the block's output, shaped as `x`."""
        return functional.relu(x + self.pointwise(self.depthwise(x)))


class _Named(nn.Layer):
    """A holder of sublayers, which gives their weights the names that FastestDet's file has."""

    def __init__(self, **layers: nn.Layer) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_sublayer(name, layer)


def _resized(x, size: list[int]):
    return functional.interpolate(x, size=size, mode="bilinear", align_corners=False)


def _doubled(x):
    """Nearest neighbour, twice the size; paddle2onnx cannot read a scale factor, but it can read a size."""
    return functional.interpolate(x, size=[2 * x.shape[2], 2 * x.shape[3]], mode="nearest")


def _convolution(inputs, outputs, kernel, *, stride=1, groups=1, activate=True) -> nn.Sequential:
    layers = [
        nn.Conv2D(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias_attr=False),
        nn.BatchNorm2D(outputs),
    ]
    return nn.Sequential(*layers, *([nn.ReLU()] if activate else []))


def _stage(inputs: int, outputs: int, repeats: int) -> nn.Sequential:
    return nn.Sequential(
        ShuffleUnit(inputs, outputs, 2), *(ShuffleUnit(outputs, outputs, 1) for _ in range(repeats - 1))
    )


def is_fastestdet(path: str | os.PathLike[str]) -> bool:
    """Whether a safetensors file holds FastestDet, and not a FairMOT."""
    names = _read_tensors(path)
    return "detect_head.conv1x1.conv1x1.0.weight" in names and not any(name.startswith("reid.") for name in names)


def start_from_fastestdet(model: FairMOTLite, path: str | os.PathLike[str]) -> int:
    """Give backbone, SPP neck and COCO head FastestDet's weights; everything else stays as it is.

    FastestDet was trained on BGR; the first convolution's channels are turned round for RGB.

    Returns
    -------
    int
        How many tensors were set.

    Raises
    ------
    WeightsError
        If the file lacks a tensor of these parts, or has one of another shape.
    """
    tensors = _read_tensors(path)
    state = model.state_dict()
    wanted = [name for name in state if name.partition(".")[0] in PRETRAINED]
    for name in wanted:
        source = name.replace("._mean", ".running_mean").replace("._variance", ".running_var")
        shape = tuple(state[name].shape)
        if source not in tensors or tensors[source].shape != shape:
            found = f"has shape {tensors[source].shape}" if source in tensors else "is missing"
            raise WeightsError(f"{path}: tensor {source} {found}, {shape} is needed; give FastestDet's COCO weights.")
        value = tensors[source]
        state[name].set_value(value[:, ::-1].copy() if name == "backbone.first_conv.0.weight" else value)
    return len(wanted)


def save_lite(model: FairMOTLite, path: str | os.PathLike[str], metadata: dict[str, str] | None = None) -> None:
    """Write a model's weights as safetensors, beside the target and renamed into place."""
    from safetensors.numpy import save

    data = save({name: value.numpy() for name, value in model.state_dict().items()}, metadata)
    with atomic_write(path) as temporary:
        temporary.write_bytes(data)


def load_lite(path: str | os.PathLike[str] = WEIGHTS) -> FairMOTLite:
    """Build the compact FairMOT and load weights that `save_lite` wrote.

    Raises
    ------
    WeightsError
        If the file is no safetensors file, or a tensor is missing, surplus or of the wrong shape.
    """
    model = build_lite()
    tensors, state = _read_tensors(path), model.state_dict()
    missing = sorted(set(state) - set(tensors))
    surplus = sorted(set(tensors) - set(state))
    reshaped = sorted(name for name in set(state) & set(tensors) if tuple(state[name].shape) != tensors[name].shape)
    if missing or surplus or reshaped:
        raise WeightsError(
            f"{path} does not fit the compact FairMOT: missing {missing}, surplus {surplus}, wrong shape {reshaped}."
        )
    for name, value in tensors.items():
        state[name].set_value(value)
    model.eval()
    return model


def fairmot_target(boxes: np.ndarray, size: tuple[int, int]) -> dict[str, np.ndarray]:
    """ppdet's training target for people in an image.

    Parameters
    ----------
    boxes : (P, 4)
        `x, y, w, h` in pixels of the image.
    size
        (width, height) of the image, multiples of 4.

    Returns
    -------
    dict
        ppdet's `Gt2FairMOTTarget`: `heatmap` (1, H/4, W/4), and for each person `index` (row * W/4 + column of its
        cell), `size` (left, top, right, bottom in cells) and `offset`.
    """
    with _quiet_ppdet():
        from ppdet.data.transform.mot_operators import Gt2FairMOTTarget
    width, height = size
    normalised = np.asarray(boxes, np.float32).reshape(-1, 4) / (width, height, width, height)
    normalised[:, :2] += normalised[:, 2:] / 2
    sample = {
        "image": np.empty((3, height, width), np.uint8),
        "gt_bbox": normalised.astype(np.float32),
        "gt_class": np.zeros((len(boxes), 1), np.int64),
        "gt_ide": np.zeros((len(boxes), 1), np.int64),
    }
    return Gt2FairMOTTarget(num_classes=1, max_objs=max(1, len(boxes)))([sample])[0]


def shift_scores(model: FairMOTLite, logits: float) -> None:
    """Add to the heatmap's logits, in place: moves all scores, and their order not at all.

    It sets a trained model so that the tracker's default threshold fits it: 0.3 turns a score of 0.33 into 0.40.
    """
    bias = model.head.heatmap[2].conv.bias
    bias.set_value(bias + logits)


def _read_tensors(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path} is no readable safetensors file ({error}); give one made by training.") from error


@contextlib.contextmanager
def _quiet_ppdet():
    """Undo what importing ppdet does besides: it prints, and sets a process-wide filter that hides all warnings."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        yield


def _fairmot_heads():
    with _quiet_ppdet():
        from ppdet.modeling.heads.centernet_head import CenterNetHead
        from ppdet.modeling.reid.fairmot_embedding_head import FairMOTEmbeddingHead
    return CenterNetHead, FairMOTEmbeddingHead
