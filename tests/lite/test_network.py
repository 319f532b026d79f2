"""The network in paddle: YOLOX's weights fit it and give YOLOX's figures, and so do the files that it is written to."""

from __future__ import annotations

import hashlib

import cv2
import numpy as np
import pytest

from fairmot_lab.detection.compact import decode_cells
from fairmot_lab.detection.zoo import BUNDLED
from fairmot_lab.errors import WeightsError

paddle = pytest.importorskip("paddle")
onnxruntime = pytest.importorskip("onnxruntime")

from fairmot_lab.lite.network import load_network, save_network  # noqa: E402


@pytest.fixture(scope="module")
def photograph():
    from pathlib import Path

    import matplotlib

    image = cv2.imread(str(Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"))
    return cv2.resize(image, (416, 416)).transpose(2, 0, 1)[None].astype(np.float32)  # blue first, 0 to 255


def in_paddle(network, blob):
    with paddle.no_grad():
        return [maps.numpy() for maps in network(paddle.to_tensor(blob))]


def rgb(blob):
    return np.ascontiguousarray(blob[:, ::-1]) / 255


def test_yolox_says_the_same_in_our_network(real_data, photograph):
    path = real_data / "pretrained" / "yolox_nano_coco.onnx"
    theirs = onnxruntime.InferenceSession(str(path)).run(None, {"images": photograph})[0][0]
    ours = in_paddle(load_network(path), rgb(photograph))
    ours = np.concatenate([maps[0].reshape(6, -1).T for maps in ours])
    assert np.allclose(ours[:, :4], theirs[:, :4], atol=2e-3)
    assert np.allclose(1 / (1 + np.exp(-ours[:, 4:])), theirs[:, 4:6], atol=1e-4)  # of 80 classes the first


def test_written_and_read_it_is_the_same_network(tmp_path, photograph):
    """Weights are rounded once: written again nothing changes, and onnxruntime says what paddle says."""
    network = load_network(BUNDLED)
    save_network(network, tmp_path / "copy.onnx", {"step": "3"})
    again = load_network(tmp_path / "copy.onnx")
    for name, value in network.state_dict().items():
        assert np.array_equal(value.numpy(), again.state_dict()[name].numpy()), name
    session = onnxruntime.InferenceSession(str(tmp_path / "copy.onnx"))
    about = session.get_modelmeta().custom_metadata_map
    assert about.pop("sha256") == hashlib.sha256((tmp_path / "copy.onnx").read_bytes()[:-76]).hexdigest()
    assert about == {"architecture": "fairmot_lite", "step": "3"}
    for size in ((416, 416), (192, 320)):
        blob = rgb(np.ascontiguousarray(photograph[:, :, : size[0], : size[1]]))
        *maps, projection = session.run(None, {"image": blob})
        for one, other in zip(maps, in_paddle(network, blob), strict=True):
            assert np.allclose(one, other, atol=2e-3)
        assert np.array_equal(projection, network.projection.numpy())


def test_half_precision_changes_little(tmp_path, real_data):
    """The bound that the model's card states: scores within 0.01, edges of boxes within 1 % of their longer side."""
    network = load_network(real_data / "pretrained" / "yolox_nano_coco.onnx")
    save_network(network, tmp_path / "half.onnx")
    film = cv2.VideoCapture(str(real_data / "video" / "vtest.avi"))
    image = cv2.resize(film.read()[1], (576, 320))
    blob = rgb(image.transpose(2, 0, 1)[None].astype(np.float32))
    boxes, scores = decode_cells(in_paddle(network, blob))
    halved, half_scores = decode_cells(
        onnxruntime.InferenceSession(str(tmp_path / "half.onnx")).run(None, {"image": blob})[:3]
    )
    assert np.abs(scores - half_scores).max() < 0.01
    people = scores > 0.05
    apart = np.abs(boxes - halved)[people].max(1)
    assert (apart < 0.01 * boxes[people, 2:].max(1)).all()


def test_the_bundled_file_is_small_and_says_where_it_comes_from():
    assert BUNDLED.stat().st_size < 2_500_000
    assert (BUNDLED.parent / "LICENSE-YOLOX.md").is_file()
    about = onnxruntime.InferenceSession(str(BUNDLED)).get_modelmeta().custom_metadata_map
    assert "MOT17-09-SDP" in about["trained_on"]
    assert sum(int(np.prod(parameter.shape)) for parameter in load_network(BUNDLED).parameters()) < 900_000


@pytest.mark.parametrize("content", [b"", b"not onnx"])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "broken.onnx").write_bytes(content)
    with pytest.raises(WeightsError, match=r"broken\.onnx"):
        load_network(tmp_path / "broken.onnx")


def test_another_network_is_refused(real_data):
    with pytest.raises(WeightsError, match="no YOLOX-nano"):
        load_network(real_data / "pretrained" / "osnet_x0_25_msmt17.onnx")
