"""The compact network: FastestDet's weights fit it, its maps mean what the decoder takes them for, files are strict."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fairmot_lab.errors import WeightsError

paddle = pytest.importorskip("paddle")

from fairmot_lab.lite import (  # noqa: E402
    EMBEDDING_DIM,
    WEIGHTS,
    build_lite,
    is_fastestdet,
    load_lite,
    save_lite,
    shift_scores,
    start_from_fastestdet,
)
from fairmot_lab.training import cut_patches, predict  # noqa: E402


@pytest.fixture(scope="module")
def model():
    return load_lite()


def test_maps_have_the_documented_shapes_and_ranges(model):
    image = paddle.to_tensor(np.random.default_rng(0).random((2, 3, 96, 160), dtype=np.float32))
    with paddle.no_grad():
        heatmap, size, offset, embedding = (value.numpy() for value in model(image))
    assert heatmap.shape == (2, 1, 24, 40)
    assert size.shape == (2, 4, 24, 40)
    assert offset.shape == (2, 2, 24, 40)
    assert embedding.shape == (2, EMBEDDING_DIM, 24, 40)
    assert (heatmap > 0).all()
    assert (heatmap < 1).all()
    assert (size > 0).all()
    assert np.allclose(np.linalg.norm(embedding, axis=1), 1, atol=1e-5)


def test_bundled_file_is_small_and_the_network_compact(model):
    assert WEIGHTS.stat().st_size < 5_000_000
    assert sum(int(np.prod(parameter.shape)) for parameter in model.parameters()) < 600_000


def test_heads_on_patches_equal_heads_everywhere(model):
    """Training runs three heads at the people's cells only: the same numbers as a whole map gives there."""
    feature = paddle.to_tensor(np.random.default_rng(0).random((2, 64, 12, 20), dtype=np.float32))
    cells = np.array([[0, 0, 0], [1, 11, 19], [0, 5, 7], [1, 0, 19], [1, 6, 3]])
    with paddle.no_grad():
        everywhere = [value.numpy() for value in model.describe(feature)]
        patches = [value[:, :, 1, 1].numpy() for value in model.describe(cut_patches(feature, paddle.to_tensor(cells)))]
    for whole, part in zip(everywhere, patches, strict=True):
        assert np.allclose(whole[cells[:, 0], :, cells[:, 1], cells[:, 2]], part, atol=1e-5)


def test_fastestdet_finds_people_as_it_stands_in_our_network(real_data):
    """Its head, computed from the file's tensors on our backbone and neck, scores people high; ours is the same."""
    from safetensors.numpy import load_file

    path = real_data / "pretrained" / "fastestdet_coco.safetensors"
    network = build_lite()
    assert start_from_fastestdet(network, path) == 350
    network.eval()
    tensors = {name.removeprefix("detect_head."): paddle.to_tensor(v) for name, v in load_file(path).items()}

    def block(x, name, groups=1, activate=True):
        x = paddle.nn.functional.conv2d(
            x, tensors[f"{name}.weight"], padding=(tensors[f"{name}.weight"].shape[2] // 2), groups=groups
        )
        stem, _, index = name.rpartition(".")
        bn = f"{stem}.{int(index) + 1}"
        x = paddle.nn.functional.batch_norm(
            x,
            tensors[f"{bn}.running_mean"],
            tensors[f"{bn}.running_var"],
            tensors[f"{bn}.weight"],
            tensors[f"{bn}.bias"],
        )
        return paddle.nn.functional.relu(x) if activate else x

    image = cv2.imread(str(real_data / "MOT15" / "train" / "TUD-Stadtmitte" / "img1" / "000001.jpg"))
    image = cv2.resize(image, (352, 352))  # as FastestDet does it
    blob = cv2.dnn.blobFromImage(image, 1 / 255, swapRB=True)
    with paddle.no_grad():
        _, stride8, stride16, stride32 = network.backbone(paddle.to_tensor(blob))
        context = network.SPP(stride8, stride16, stride32)
        ours = network.detect_head(context)[0].numpy()
        x = block(context, "conv1x1.conv1x1.0")
        person = block(block(x, "obj_layers.conv5x5.0", 96), "obj_layers.conv5x5.3", activate=False)
        person = paddle.nn.functional.sigmoid(person)[0, 0]
        box = block(block(x, "reg_layers.conv5x5.0", 96), "reg_layers.conv5x5.3", activate=False)[0]
        classes = block(block(x, "cls_layers.conv5x5.0", 96), "cls_layers.conv5x5.3", activate=False)
        classes = paddle.nn.functional.softmax(classes, axis=1)[0, 0]
    assert np.allclose(1 / (1 + np.exp(-ours[0])), person.numpy(), atol=1e-5)
    assert np.allclose(np.exp(ours[1]), classes.numpy(), atol=1e-5)
    assert np.allclose(ours[2:], box.numpy(), atol=1e-4)
    score = (person**0.6 * classes**0.4).numpy()  # COCO's class 0
    from fairmot_lab.motfile import read_mot

    truth = read_mot(real_data / "MOT15" / "train" / "TUD-Stadtmitte" / "gt" / "gt.txt", "ground_truth")
    first = truth[truth["frame"] == 1]
    on_people = np.zeros(score.shape, bool)
    best = []
    for row in first.itertuples():
        x0, x1 = row.x / 640 * 22, (row.x + row.w) / 640 * 22
        y0, y1 = row.y / 480 * 22, (row.y + row.h) / 480 * 22
        area = np.s_[int(y0) : int(np.ceil(y1)), int(x0) : int(np.ceil(x1))]
        on_people[area] = True
        best.append(score[area].max())
    assert np.median(best) > 0.6
    assert np.quantile(score[~on_people], 0.95) < 0.3


def test_bundled_weights_find_people_in_real_footage_not_trained_on(model, real_data):
    from fairmot_lab.sources import open_source
    from fairmot_lab.training import match_detections
    from fairmot_lab.training_data import people_of

    source = open_source(real_data / "MOT15" / "train" / "KITTI-17")
    people, _ = people_of(source.ground_truth, len(source), source.name)
    found = present = false = 0
    for number in (20, 50, 80, 110, 140):
        outputs = predict(model, source.image(number))
        confident = outputs.scores >= 0.4
        who, _ = match_detections(outputs.boxes[confident], people[number - 1])
        found, false = found + int((who >= 0).sum()), false + int((who < 0).sum())
        present += len(people[number - 1].boxes)
    assert found >= 0.7 * present
    assert false <= 0.4 * found


def test_shifted_scores_move_by_the_logits_asked_for(model):
    image = paddle.to_tensor(np.random.default_rng(1).random((1, 3, 64, 96), dtype=np.float32))
    shifted = load_lite()
    shift_scores(shifted, 0.3)
    with paddle.no_grad():
        before, after = model(image)[0].numpy().astype(float), shifted(image)[0].numpy().astype(float)
    assert np.allclose(np.log(after / (1 - after)), np.log(before / (1 - before)) + 0.3, atol=1e-3)
    assert 1 / (1 + np.exp(-(np.log(0.33 / 0.67) + 0.3))) == pytest.approx(0.40, abs=0.005)


def test_weights_survive_the_file(model, tmp_path):
    save_lite(model, tmp_path / "copy.safetensors", {"step": "1"})
    again = load_lite(tmp_path / "copy.safetensors")
    for name, value in model.state_dict().items():
        assert np.array_equal(value.numpy(), again.state_dict()[name].numpy())
    assert not is_fastestdet(tmp_path / "copy.safetensors")


def test_files_that_do_not_fit_are_refused(model, tmp_path):
    from safetensors.numpy import save_file

    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"no tensors here")
    with pytest.raises(WeightsError, match=r"broken\.safetensors is no readable safetensors"):
        load_lite(broken)
    tensors = {name: value.numpy() for name, value in model.state_dict().items()}
    first, second, third = list(tensors)[:3]
    tensors["surplus.one"] = tensors.pop(first)
    tensors[second] = tensors[second][:1]
    save_file(tensors, tmp_path / "odd.safetensors")
    with pytest.raises(WeightsError) as error:
        load_lite(tmp_path / "odd.safetensors")
    assert first in str(error.value)
    assert "surplus.one" in str(error.value)
    assert second in str(error.value)
    assert third not in str(error.value)
    with pytest.raises(WeightsError, match="FastestDet"):
        start_from_fastestdet(build_lite(), tmp_path / "odd.safetensors")
