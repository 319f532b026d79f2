"""The compact network: FastestDet's weights fit it, its maps mean what the decoder takes them for, files are strict."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from safetensors import safe_open

from fairmot_lab.detection.decode import decode, find_peaks
from fairmot_lab.detection.letterbox import letterbox
from fairmot_lab.errors import WeightsError

paddle = pytest.importorskip("paddle")

from fairmot_lab.lite.network import (  # noqa: E402
    COCO_SHIFT,
    EMBEDDING_DIM,
    INPUT_SIZE,
    PEOPLE,
    WEIGHTS,
    agreed,
    build_lite,
    coco_people,
    is_fastestdet,
    load_lite,
    save_lite,
    start_from_fastestdet,
    whole,
)
from fairmot_lab.lite.training import _iou, cut_patches, match_detections, predict  # noqa: E402
from fairmot_lab.lite.training_data import people_of  # noqa: E402
from fairmot_lab.sources.open import open_source  # noqa: E402


@pytest.fixture(scope="module")
def model():
    return load_lite()


@pytest.fixture(scope="module")
def street(real_data):
    """KITTI-17, which the bundled weights were not trained on, and its people frame by frame."""
    source = open_source(real_data / "MOT15" / "train" / "KITTI-17")
    return source, people_of(source.ground_truth, len(source), source.name)[0]


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
    """Training asks for sizes at the people's cells only: the same numbers as a whole map gives there."""
    feature = paddle.to_tensor(np.random.default_rng(0).random((2, 64 + PEOPLE + 1, 12, 20), dtype=np.float32))
    cells = np.array([[0, 0, 0], [1, 11, 19], [0, 5, 7], [1, 0, 19], [1, 6, 3]])
    with paddle.no_grad():
        everywhere = [value.numpy() for value in model.describe(feature)]
        patches = [value[:, :, 1, 1].numpy() for value in model.describe(cut_patches(feature, paddle.to_tensor(cells)))]
    for every, part in zip(everywhere, patches, strict=True):
        assert np.allclose(every[cells[:, 0], :, cells[:, 1], cells[:, 2]], part, atol=1e-5)


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
    from fairmot_lab.formats.mot import read_mot

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


def test_an_untrained_pyramid_leaves_cocos_people_as_they_are(real_data):
    """FastestDet's own decoding of both looks, box by box, finds what the four maps say."""
    network = build_lite()
    start_from_fastestdet(network, real_data / "pretrained" / "fastestdet_coco.safetensors")
    network.eval()
    image = cv2.imread(str(real_data / "MOT15" / "train" / "TUD-Stadtmitte" / "img1" / "000001.jpg"))
    outputs = predict(network, image)
    blob, box = letterbox(image, INPUT_SIZE)
    looks = []
    for scale in (1, 2):
        resized = paddle.nn.functional.interpolate(
            paddle.to_tensor(blob), size=[320 * scale, 576 * scale], mode="bilinear", align_corners=False
        )
        with paddle.no_grad():
            _, stride8, stride16, stride32 = network.backbone(resized)
            raw = network.detect_head(network.SPP(stride8, stride16, stride32))[0].numpy().astype(float)
        row, column = np.indices(raw.shape[1:])
        score = 1 / (1 + np.exp(-raw[0])) * np.exp(raw[1])
        xy = (np.tanh(raw[2:4]) + np.stack((column, row))) * 16 / scale
        wh = 352 / (1 + np.exp(-raw[4:6])) / scale
        looks.append((np.log(score / (1 - score)).ravel(), xy.reshape(2, -1).T, wh.reshape(2, -1).T))
    checked = 0
    for peak, found, score in list(zip(outputs.peaks, outputs.boxes, outputs.scores, strict=True))[:10]:
        away = [np.abs(np.floor(xy / 4) - peak).max(1) for _, xy, _ in looks]
        nearby = [np.where(far <= 3, logit, -np.inf) for (logit, _, _), far in zip(looks, away, strict=True)]
        best = int(np.argmax([logits.max() for logits in nearby]))
        if away[best][nearby[best].argmax()] > 0:
            continue  # somebody beside this one is surer
        # what a look says counts when its centre lies up to three cells from the peak's; on the fourth it fades
        least = np.mean([logits.max() for logits in nearby])
        most = np.mean([logit[far <= 4].max() for (logit, _, _), far in zip(looks, away, strict=True)])
        assert least + COCO_SHIFT - 1e-3 <= np.log(score / (1 - score)) <= most + COCO_SHIFT + 1e-3
        _, xy, wh = looks[best]
        boxes = np.hstack((((xy - wh / 2) - (box.pad_x, box.pad_y)) / box.scale, wh / box.scale))
        assert _iou(found[None], boxes[[nearby[best].argmax()]]).item() > 0.75
        checked += 1
    assert checked >= 6


def test_two_looks_agree_on_the_mean_of_what_they_say_nearby():
    first, second = (np.full((1, PEOPLE, 12, 20), -9.0, np.float32) for _ in range(2))
    first[0, :, 4, 5] = (3, 1.0, 1.5, 0.2, 0.4)
    second[0, :, 5, 7] = (1, 2.0, 1.7, 0.6, 0.8)  # the same person, two cells away
    second[0, :, 9, 15] = (2, 0.5, 0.7, 0.5, 0.5)  # seen by one look alone
    both = agreed([paddle.to_tensor(look) for look in (first, second)])[0].numpy()
    assert both[0, 4, 5] == pytest.approx((3 + 1) / 2)
    assert both[0, 5, 7] == pytest.approx(1 - 3 + 2)  # less than the better place, by as much as before
    assert both[0, 9, 15] == pytest.approx((2 - 9) / 2)
    assert both[0, 0, 19] == pytest.approx(-9)
    assert both[1:, 4, 5] == pytest.approx(first[0, 1:, 4, 5], abs=1e-3)  # the other look knows of no box there
    assert both[1:, 9, 15] == pytest.approx(second[0, 1:, 9, 15], abs=1e-3)


def test_people_of_the_coarse_map_come_to_the_right_fine_cell():
    coarse = np.full((1, 6, 6, 9), -8.0, np.float32)
    coarse[0, 2:] = 0
    # one person, told by two cells: centre at (3.55, 2.3) coarse cells
    for row, column, score in ((2, 3, 3.0), (2, 4, 2.0)):
        coarse[0, :, row, column] = (score, 0, np.arctanh(3.55 - column), np.arctanh(0.3), -2, -1)
    maps = coco_people(paddle.to_tensor(coarse), [24, 36])[0].numpy()
    row, column = np.unravel_index(maps[0].argmax(), maps[0].shape)
    assert (row, column) == (9, 14)
    x, y = column + maps[3, row, column], row + maps[4, row, column]
    assert (x, y) == pytest.approx((14.2, 9.2), abs=0.01)
    half = np.exp(maps[1:3, row, column])
    assert half == pytest.approx(11 * 4 / (1 + np.exp([2, 1])), rel=1e-3)
    assert maps[0, row, column] == pytest.approx(3 + COCO_SHIFT, abs=0.01)  # the centre lies in the cell
    # the cell above is 0.2 cells away, the one to the upper left 0.2 and 0.2
    assert maps[0, row - 1, column] == pytest.approx(3 + COCO_SHIFT - 0.2**2 / (2 * 0.35**2), abs=0.01)
    farther = 3 + COCO_SHIFT - (0.2**2 + 0.2**2) / (2 * 0.35**2)
    assert maps[0, row - 1, column - 1] == pytest.approx(farther, abs=0.01)


def test_every_peak_gets_the_embedding_of_what_is_seen_in_its_own_box(model, street):
    blob, _ = letterbox(street[0].image(50), INPUT_SIZE)
    blob = paddle.to_tensor(blob)
    with paddle.no_grad():
        heatmap, _, offset, embedding = (value.numpy() for value in model(blob))
        seen = model.seen(model.features(blob))[0].numpy()
        _, ys, xs = find_peaks(heatmap[0], 0.05, 100)
        assert len(ys) >= 10
        cells = paddle.to_tensor(np.column_stack((np.zeros(len(ys), int), ys, xs)))
        alone = model.appearance(
            blob, cells, *(paddle.to_tensor(values[0][:, ys, xs].T.copy()) for values in (seen, offset))
        ).numpy()
    assert np.allclose(embedding[0][:, ys, xs].T, alone, atol=1e-5)


def test_boxes_of_whole_people_are_wider_and_slim_ones_the_most():
    """Width 4, 2 and 8 of height 10; a person has 0.4 of the height, so 1.1 times 1, 2 and 1 / 2 to the power 1 / 4."""
    seen = np.array([[2, 5, 2, 5], [0.5, 4, 1.5, 6], [4, 5, 4, 5]], np.float32)
    assert np.allclose(
        whole(paddle.to_tensor(seen)).numpy(),
        [[2.2, 5, 2.2, 5], [0.654058, 4, 1.962173, 6], [3.699943, 5, 3.699943, 5]],
        atol=1e-5,
    )


def test_boxes_of_whole_people_meet_more_of_real_ones_than_boxes_of_what_is_seen(model, street):
    source, people = street
    met = {"seen": 0, "whole": 0}
    for number in range(10, 140, 10):
        blob, box = letterbox(source.image(number), INPUT_SIZE)
        with paddle.no_grad():
            feature = model.features(paddle.to_tensor(blob))
            (seen, offset), heatmap = model.seen(feature), model.heatmap(feature)
        for kind, size in (("seen", seen), ("whole", whole(seen))):
            maps = (value.numpy() for value in (heatmap, size, offset, paddle.ones_like(heatmap)))
            outputs = decode(*maps, box, score_floor=0.4, nms_iou=0.5)
            met[kind] += int((match_detections(outputs.boxes, people[number - 1])[0] >= 0).sum())
    assert met["whole"] > met["seen"] > 0


def test_bundled_weights_find_people_in_real_footage_not_trained_on(model, street):
    source, people = street
    found = present = false = 0
    for number in (20, 50, 80, 110, 140):
        outputs = predict(model, source.image(number))
        confident = outputs.scores >= 0.4
        who, _ = match_detections(outputs.boxes[confident], people[number - 1])
        found, false = found + int((who >= 0).sum()), false + int((who < 0).sum())
        present += len(people[number - 1].boxes)
    assert found >= 0.8 * present
    assert false <= 0.2 * found


def test_the_bundled_file_names_the_real_footage_that_its_licence_comes_from():
    with safe_open(WEIGHTS, "np") as file:
        names = file.metadata()["trained_on"].split(", ")
    assert [name for name in names if not name.startswith("scene-")] == ["MOT17-09-SDP", "TUD-Stadtmitte", "vtest"]


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
