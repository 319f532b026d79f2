"""The compact FairMOT that the package carries: COCO's detector, what a small pyramid adds to it, and appearances.

`build_lite()` gives a paddle layer whose four maps mean what ppdet's DLA-34 FairMOT means by them, so that one decoder
serves both:

=========== ============================= ===========================================================================
map         shape                         meaning
=========== ============================= ===========================================================================
heatmap     (N, 1, H/4, W/4)              probability of a person's centre (the sigmoid is applied)
size        (N, 4, H/4, W/4)              distances from the centre to left, top, right, bottom, in cells of 4 pixels
offset      (N, 2, H/4, W/4)              x, y from the cell's corner to the centre, in cells
embedding   (N, D, H/4, W/4)              appearance, unit length over the D channels (64); alike in 2x2 cells
=========== ============================= ===========================================================================

The input is (N, 3, H, W) float32, RGB, 0 to 1, letterboxed as for every FairMOT; H and W are multiples of 32, and
576x320 is what the bundled weights were trained for. The network looks twice, at the image as it is and at it magnified
by 2: the coarsest maps of a small backbone are too coarse for small people otherwise, and what it says of one person
changes with how the person lies in the grid of its cells, so that two opinions are steadier than one.

Backbone (ShuffleNetV2 x0.5: Ma et al., ECCV 2018), SPP neck and COCO head have the shapes of FastestDet
(https://github.com/dog-qiuqiu/FastestDet, BSD-3-Clause) and keep its COCO weights: what they know about people is far
more than a few sequences can teach, and training on those makes it worse. The people of both looks are brought to the
cells of stride 4 (`coco_people`, `agreed`); a pyramid adds a correction to their scores and sizes, which starts at
nothing, and `whole` makes boxes of whole people of it. For the embeddings see `appearance`. FairMOT: Zhang et al.,
IJCV 2021.

This module imports paddle, and ppdet when a training target is made: nothing else in the package imports it at the top.
"""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from pathlib import Path

import numpy as np
import paddle
from paddle import nn
from paddle.nn import functional

from .._files import atomic_write
from .._paddle import prepare_for_paddle
from ..errors import WeightsError
from .appearance import Appearance

prepare_for_paddle()


INPUT_SIZE = (576, 320)
EMBEDDING_DIM = 64
WEIGHTS = Path(__file__).with_name("weights") / "fairmot_lite.safetensors"
MAGNIFICATION = 2  # of the second look
PRETRAINED = ("backbone", "SPP", "detect_head")  # the network's parts that FastestDet's weights fit
PEOPLE = 5  # channels of `coco_people`
SAME_PERSON = 7  # cells of stride 4: two looks at one person give centres within such a square
WIDER = 1.1  # is the box of a whole person than that of what is seen
SHAPE, TO_SHAPE = 0.4, 0.25  # a person's width by height, and how far a box is brought to it (as an exponent)
COCO_SHIFT = -0.5  # added to the logits of COCO's head, so that the tracker's default thresholds fit them
_COCO_SIDE = 22  # coarse cells in the largest box that FastestDet knows: it was trained on images of 352 pixels
_LEAST_SCORE = 1e-4  # of COCO's head that is told from nothing
_LEAST_LOGIT, _FAR = -12.0, 3.0  # where nobody is near, a cell's values are of no use: they are only kept small
_MAX_LOG_SIZE = 6.0  # exp(6) cells are 1600 pixels: more than any input; keeps an untrained network finite


def build_lite(*, width: int = 64, head_width: int = 32, embedding_dim: int = EMBEDDING_DIM) -> FairMOTLite:
    """Build the compact FairMOT with random weights.

    Parameters
    ----------
    width
        Channels of the feature map at stride 4.
    head_width
        Hidden channels of the heads that correct scores and sizes.
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
        self.width = width
        self.backbone = ShuffleNet()
        self.SPP = SpatialPyramidPooling(48 + 96 + 192, 96)
        self.detect_head = CocoHead(96)
        context = 96 + CocoHead.OUTPUTS
        self.fpn = FeaturePyramid((PEOPLE + 24 + 48, 48 + 96 + context, 96 + 192 + context), width)
        self.score_head, self.size_head = _correction(width, head_width, 1), _correction(width, head_width, 4)
        self.familiarity = Familiarity(48)
        self.appearance = Appearance(embedding_dim)

    def forward(self, image):
        """Return heatmap, size, offset and embedding maps of `image` (N, 3, H, W)."""
        feature = self.features(image)
        heatmap, (seen, offset) = self.heatmap(feature), self.seen(feature)
        blocks, cells = _best_of_blocks(heatmap, paddle.concat([seen, offset], axis=1))
        embedding = self.appearance(image, cells, blocks[:, :4], blocks[:, 4:])
        count, _, rows, columns = heatmap.shape
        embedding = embedding.reshape([count, rows // 2, columns // 2, -1])
        return heatmap, whole(seen), offset, _doubled(paddle.transpose(embedding, [0, 3, 1, 2]))

    def heatmap(self, feature):
        """Return the probability of a centre in every cell of the feature map."""
        familiarity = feature[:, self.width + PEOPLE :]
        correction = self.score_head(feature[:, : self.width])
        return functional.sigmoid(feature[:, self.width : self.width + 1] + familiarity * correction)

    def describe(self, feature):
        """Return size and offset of the whole person for every cell of the feature map, or of patches cut from it."""
        seen, offset = self.seen(feature)
        return whole(seen), offset

    def seen(self, feature):
        """Return size and offset as `describe` does, of what is seen of the person: colours are taken from there."""
        half = feature[:, self.width + 1 : self.width + 3]
        familiarity = feature[:, self.width + PEOPLE :]
        log_size = paddle.concat([half, half], axis=1) + familiarity * self.size_head(feature[:, : self.width])
        return paddle.exp(paddle.clip(log_size, max=_MAX_LOG_SIZE)), feature[:, self.width + 3 : self.width + 5]

    def features(self, image, *, familiar: bool = False):
        """Return the pyramid's map, COCO's people and the familiarity: (N, width + 5 + 1, H/4, W/4).

        With `familiar` the pyramid speaks whatever the image looks like.
        """
        plain, close = self.look(image), self.look(magnified(image))
        size = [image.shape[2] // 4, image.shape[3] // 4]
        people = agreed([coco_people(look["coco"], size) for look in (plain, close)])
        familiarity = paddle.ones_like(people[:, :1])
        if not familiar:
            familiarity = familiarity * self.familiarity(close["stride8"])
        return paddle.concat([self.fpn(plain, close, people), people, familiarity], axis=1)

    def look(self, image) -> dict[str, paddle.Tensor]:
        """Return what the COCO parts see: the backbone's maps, and at stride 16 the neck's `context` and `coco`."""
        stride4, stride8, stride16, stride32 = self.backbone(image)
        context = self.SPP(stride8, stride16, stride32)
        maps = {"stride4": stride4, "stride8": stride8, "stride16": stride16, "stride32": stride32}
        return {**maps, "context": context, "coco": self.detect_head(context)}

    def pretrained(self) -> list[nn.Layer]:
        """The parts that FastestDet's COCO weights fit."""
        return [getattr(self, name) for name in PRETRAINED]


def magnified(image):
    """What the second look sees of an image (N, 3, H, W)."""
    size = [side * MAGNIFICATION for side in image.shape[2:]]
    return functional.interpolate(image, size=size, mode="bilinear", align_corners=False)


class Familiarity(nn.Layer):
    """How much an image looks like what the pyramid was trained on, 0 to 1; 1 for all at first.

    Parameters
    ----------
    channels
        Of the map that is looked at.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.judge = nn.Linear(channels, 1)
        self.open()

    def open(self) -> None:
        """Take every image for familiar."""
        self.judge.weight.set_value(paddle.zeros_like(self.judge.weight))
        self.judge.bias.set_value(paddle.full_like(self.judge.bias, 20))  # whose sigmoid is 1

    def forward(self, stride8):
        """Return the familiarity (N, 1, 1, 1) of images with the backbone's maps `stride8` (N, C, h, w)."""
        return functional.sigmoid(self.judge(self.texture(stride8))).reshape([-1, 1, 1, 1])

    def texture(self, stride8):
        """Return how much each channel varies over the image: its standard deviation, (N, C)."""
        mean = stride8.mean([2, 3], keepdim=True)
        return paddle.sqrt(((stride8 - mean) ** 2).mean([2, 3]))


def whole(seen):
    """Make boxes of whole people, as MOTChallenge draws them, of boxes of what is seen of them, as COCO draws them.

    Mostly the legs or one side of a person are hidden. Boxes are made wider, and slim ones the most: for the overlap
    with the whole person it costs little to be somewhat too wide, and much to be too slim.

    Parameters
    ----------
    seen : (N, 4, ...)
        Left, top, right, bottom from the centre.

    Returns
    -------
    (N, 4, ...) Tensor
        The same with left and right multiplied by one number.
    """
    left, top, right, bottom = paddle.split(seen, 4, axis=1)
    wider = WIDER * (SHAPE * (top + bottom) / (left + right)) ** TO_SHAPE
    return paddle.concat([left * wider, top, right * wider, bottom], axis=1)


def coco_people(coco, size: list[int], spread: float = 0.35):
    """Bring the people of COCO's head to the cells of a finer map.

    A coarse cell says where, up to one cell from its upper left corner, a box's centre lies. So a fine cell takes the
    best score of the four coarse cells with corners around it, less for a centre outside of it by the squared distance,
    and the mean of their boxes, weighted by the softmax of that.

    Parameters
    ----------
    coco : (N, 6, h, w)
        What `CocoHead` gives.
    size
        (H, W) of the fine map.
    spread
        Standard deviation of a centre that lies outside, in fine cells.

    Returns
    -------
    (N, 5, H, W) Tensor
        Logit of a centre; logarithms of half a box's width and height, and x, y of its centre from the cell's corner,
        in fine cells.
    """
    (rows, columns), (height, width) = coco.shape[2:], size
    high, wide = height / rows, width / columns  # fine cells in a coarse one
    score = paddle.clip(paddle.exp(functional.log_sigmoid(coco[:, :1]) + coco[:, 1:2]), _LEAST_SCORE, 1 - _LEAST_SCORE)
    logit = paddle.log(score) - paddle.log(1 - score) + COCO_SHIFT
    x = (paddle.tanh(coco[:, 2:3]) + _ramp(columns, [1, 1, 1, -1])) * wide
    y = (paddle.tanh(coco[:, 3:4]) + _ramp(rows, [1, 1, -1, 1])) * high
    largest = np.log(_COCO_SIDE / 2 * np.array([wide, high], np.float32)).reshape(1, 2, 1, 1)
    maps = paddle.concat([logit, x, y, functional.log_sigmoid(coco[:, 4:6]) + paddle.to_tensor(largest)], axis=1)
    here_x, here_y = _ramp(width, [1, 1, 1, -1]) + 0.5, _ramp(height, [1, 1, -1, 1]) + 0.5
    column = ((np.arange(width) + 0.5) / wide).astype(np.int64)
    row = ((np.arange(height) + 0.5) / high).astype(np.int64)
    logits, boxes = [], []
    for dy in (0, 1):
        strip = paddle.index_select(maps, paddle.to_tensor(np.minimum(row + dy, rows - 1)), 2)
        for dx in (0, 1):
            near = paddle.index_select(strip, paddle.to_tensor(np.minimum(column + dx, columns - 1)), 3)
            away = paddle.concat([near[:, 1:2] - here_x, near[:, 2:3] - here_y], axis=1)
            outside = functional.relu(away.abs() - 0.5)
            logits.append(near[:, :1] - (outside * outside).sum(1, keepdim=True) / (2 * spread**2))
            boxes.append(paddle.concat([near[:, 3:5], paddle.clip(away, -_FAR, _FAR) + 0.5], axis=1))
    each = paddle.stack(logits, axis=1)
    box = (paddle.stack(boxes, axis=1) * functional.softmax(each, axis=1)).sum(1)
    return paddle.concat([paddle.clip(each.max(1), min=_LEAST_LOGIT), box], axis=1)


def agreed(looks):
    """Make one of what several looks say of people.

    The best of the looks says where somebody is; how sure that is, is the mean of what each of them has to say within
    `SAME_PERSON` cells, so that who is seen by one look alone is believed less. The box is the mean of the cell's
    boxes, weighted by the softmax of their logits.

    Parameters
    ----------
    looks : list of (N, 5, H, W)
        As `coco_people` gives them.

    Returns
    -------
    (N, 5, H, W) Tensor
        The same for all together.
    """
    logits = paddle.stack([look[:, :1] for look in looks], axis=1)
    box = (paddle.stack([look[:, 1:] for look in looks], axis=1) * functional.softmax(logits, axis=1)).sum(1)
    pool = nn.MaxPool2D(SAME_PERSON, stride=1, padding=SAME_PERSON // 2)
    nearby = paddle.stack([pool(look[:, :1]) for look in looks], axis=1)
    return paddle.concat([logits.max(1) - nearby.max(1) + nearby.mean(1), box], axis=1)


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
    """Top-down path: add the finer maps, mix with depthwise-separable residual blocks; ends at COCO's people.

    What the second look sees at stride 8, 16 and 32 of the magnified image lies at 4, 8 and 16 of the image.
    """

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

    def forward(self, plain, close, people):
        """Return the merged map, as high and wide as `people`, of two looks (`FairMOTLite.look`)."""
        x = self.mix16(paddle.concat([plain["stride16"], close["stride32"], plain["context"], plain["coco"]], axis=1))
        middle = paddle.concat([plain["stride8"], close["stride16"], close["context"], close["coco"]], axis=1)
        x = self.mix8(functional.relu(_doubled(self.lateral16(x)) + self.lateral8(middle)))
        scaled = people * paddle.to_tensor(np.array([0.2, 1, 1, 1, 1], np.float32).reshape(1, -1, 1, 1))
        fine = paddle.concat([plain["stride4"], close["stride8"], scaled], axis=1)
        return self.mix4(functional.relu(_doubled(x) + self.lateral4(fine)))


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


def _correction(width: int, hidden: int, outputs: int) -> nn.Sequential:
    """A head that starts by saying nothing."""
    last = nn.Conv2D(hidden, outputs, 1)
    last.weight.set_value(paddle.zeros_like(last.weight))
    return nn.Sequential(nn.Conv2D(width, hidden, 3, padding=1), nn.ReLU(), last)


def _best_of_blocks(heatmap, maps):
    """Of each block of 2x2 cells the cell that scores most: its values (P, C) in `maps`, and where it is (P, 3).

    No two peaks share a block, so that every peak is among them; four times less to describe than all cells.
    """
    count, _, rows, columns = heatmap.shape
    corners = [(y, x) for y in (0, 1) for x in (0, 1)]
    scores = paddle.stack([heatmap[:, 0, y::2, x::2] for y, x in corners], axis=-1)
    values = paddle.stack([maps[:, :, y::2, x::2] for y, x in corners], axis=-1)
    best = paddle.argmax(scores, axis=-1)
    chosen = functional.one_hot(best, 4)
    values = (values * chosen.unsqueeze(1)).sum(-1)
    number, row, column = np.indices((count, rows // 2, columns // 2))
    place = [paddle.to_tensor(number), paddle.to_tensor(2 * row) + best // 2, paddle.to_tensor(2 * column) + best % 2]
    return (
        paddle.transpose(values, [0, 2, 3, 1]).reshape([-1, maps.shape[1]]),
        paddle.stack([part.reshape([-1]) for part in place], axis=1),
    )


def _ramp(count: int, shape: list[int]):
    return paddle.to_tensor(np.arange(count, dtype=np.float32).reshape(shape))


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
    return "detect_head.conv1x1.conv1x1.0.weight" in names and not any(name.startswith("fpn.") for name in names)


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
