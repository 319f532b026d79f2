"""Networks against ppdet's own FairMOT, engines against paddle, on a real frame."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
from safetensors.numpy import save_file

from fairmot_lab._paddle import import_paddle
from fairmot_lab.detection import onnx
from fairmot_lab.detection.detector import run_detector
from fairmot_lab.detection.engines import PROVIDERS, OnnxEngine, agreement, run_ahead
from fairmot_lab.detection.fairmot import build_network, load_weights, random_weights
from fairmot_lab.detection.half import HALF_LIMITS, to_half
from fairmot_lab.detection.letterbox import letterbox
from fairmot_lab.detection.model import FairMOTDetector, load_model, verify_weights
from fairmot_lab.detection.onnx import CODE, LIMITS, _code_digest, is_whole, onnx_file
from fairmot_lab.detection.weights import file_sha256
from fairmot_lab.detection.zoo import BUNDLED
from fairmot_lab.errors import ConfigError, EngineError, UnknownModelError, WeightsError
from fairmot_lab.sources.base import Frame


@pytest.fixture(scope="module")
def image(mot17_09: Path) -> np.ndarray:
    return cv2.imread(str(mot17_09 / "img1" / "000100.jpg"))


def paddle_maps(layer: object, blob: np.ndarray) -> tuple[np.ndarray, ...]:
    paddle = import_paddle()
    with paddle.no_grad():
        return tuple(values.numpy() for values in layer(paddle.to_tensor(blob)))


def assert_agreement(ours: tuple[np.ndarray, ...], reference: tuple[np.ndarray, ...]) -> None:
    found = agreement(ours, reference)
    assert found["heatmap"] <= LIMITS["heatmap"]
    assert found["boxes"] <= LIMITS["boxes"]
    assert found["cosine"] >= LIMITS["cosine"]
    assert reference[0].max() > 0.05  # there is something to agree on
    assert reference[3].std() > 0.01


def assert_half_agreement(ours: tuple[np.ndarray, ...], reference: tuple[np.ndarray, ...]) -> None:
    """Within the bound of half precision; random weights, which amplify rounding errors, get more room."""
    found = agreement(ours, reference)
    assert 0 < found["heatmap"] <= 2 * HALF_LIMITS["heatmap"]
    assert 0 < found["boxes"] <= HALF_LIMITS["boxes"]
    assert found["cosine"] > 0.8


# The number of tensors of the published checkpoints: the network's, two of the classifier and two of the loss
CHECKPOINT_TENSORS = {"dla34": 351, "hrnetv2_w18": 1633, "hardnet85": 570}


@pytest.mark.parametrize(
    ("architecture", "size"), [("dla34", (320, 192)), ("hrnetv2_w18", (160, 96)), ("hardnet85", (160, 96))]
)
def test_onnxruntime_agrees_with_paddle_on_a_real_frame(
    architecture: str, size: tuple[int, int], image: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random weights with batch-norm statistics of the frame and deformable offsets that are not zero."""
    monkeypatch.setenv("FAIRMOT_LAB_CACHE", str(tmp_path))
    blob, _ = letterbox(image, size)
    tensors = random_weights(architecture, blob)
    assert len(tensors) == CHECKPOINT_TENSORS[architecture] - 4
    offsets = [value for name, value in tensors.items() if name.endswith("conv_offset.weight")]
    assert bool(offsets) == (architecture == "dla34")
    assert all(np.abs(value).max() > 0 for value in offsets)
    save_file(tensors, tmp_path / "weights.safetensors")
    layer = build_network(architecture)
    load_weights(layer, tensors, "test")
    path = onnx_file(tmp_path / "weights.safetensors", architecture, size)
    maps = OnnxEngine(path, 1)(blob)
    assert_agreement(maps, paddle_maps(layer, blob))
    (tmp_path / "half.onnx").write_bytes(to_half(path).SerializeToString())
    assert_half_agreement(OnnxEngine(tmp_path / "half.onnx", 1)(blob), maps)
    digest = file_sha256(tmp_path / "weights.safetensors")
    for part in (digest[:32], f"{size[0]}x{size[1]}", f"-{_code_digest()[:12]}-", "paddlepaddle_3."):
        assert part in path.name
    assert is_whole(path, digest)
    assert not is_whole(path, "0" * 64)  # of other weights
    assert path.parent.stat().st_mode & 0o777 == 0o700
    other = path.with_name(f"other-{path.name}")
    other.write_bytes(path.read_bytes())
    Path(f"{other}.json").write_bytes(Path(f"{path}.json").read_bytes())
    assert not is_whole(other, digest)  # a record does not vouch for a file of another name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert not is_whole(path, digest)  # it would be made again
    record = json.loads(Path(f"{path}.json").read_text())
    assert record["agreement_with_paddle"]["heatmap"] <= LIMITS["heatmap"]


def test_the_network_is_ppdets_fairmot(image: np.ndarray) -> None:
    """Our maps and our decoding give what ppdet's FairMOT class gives with the same weights."""
    paddle = import_paddle()
    with warnings.catch_warnings():
        from ppdet.modeling.architectures.centernet import CenterNet
        from ppdet.modeling.architectures.fairmot import FairMOT
        from ppdet.modeling.backbones.dla import DLA
        from ppdet.modeling.heads.centernet_head import CenterNetHead
        from ppdet.modeling.losses.fairmot_loss import FairMOTLoss
        from ppdet.modeling.mot.tracker.jde_tracker import JDETracker
        from ppdet.modeling.necks.centernet_fpn import CenterNetDLAFPN
        from ppdet.modeling.post_process import CenterNetPostProcess
        from ppdet.modeling.reid.fairmot_embedding_head import FairMOTEmbeddingHead

    size = (160, 96)
    blob, box = letterbox(image, size)
    tensors = random_weights("dla34", blob)
    tensors["detector.head.size.2.conv.bias"] += 3  # boxes of some size
    detector = CenterNet(
        DLA(34),
        CenterNetDLAFPN([16, 32, 64, 128, 256, 512], out_channel=0),
        CenterNetHead(64, num_classes=1),
        CenterNetPostProcess(max_per_img=20),
        for_mot=True,
    )
    theirs = FairMOT(detector, FairMOTEmbeddingHead(64), JDETracker(), FairMOTLoss())
    missing, surplus = theirs.set_state_dict(tensors)
    assert sorted(missing) == ["loss.det_weight", "loss.reid_weight", "reid.classifier.bias", "reid.classifier.weight"]
    assert not surplus
    theirs.eval()
    height, width = box.content_size[1], box.content_size[0]
    inputs = {
        "image": paddle.to_tensor(blob),
        "im_shape": paddle.to_tensor([[height, width]], "float32"),
        "scale_factor": paddle.to_tensor([[box.scale, box.scale]], "float32"),
    }
    with paddle.no_grad():
        rows, embeddings = (values.numpy() for values in theirs(inputs))

    layer = build_network("dla34")
    load_weights(layer, tensors | {"reid.classifier.weight": np.zeros(3), "loss.det_weight": np.zeros(1)}, "test")

    class Dynamic:
        name, device, threads, libraries = "paddle", "cpu", 1, ()
        __call__ = staticmethod(lambda blob: paddle_maps(layer, blob))

    detector = FairMOTDetector("x", "dla34", size, 128, "", Dynamic(), score_floor=1e-6, max_per_frame=20)
    ours = detector(image)
    kept = (rows[:, 4] > rows[:, 2]) & (rows[:, 5] > rows[:, 3])
    assert ours.discarded == (~kept).sum()
    assert kept.sum() > 5
    np.testing.assert_allclose(ours.scores, rows[kept, 1], atol=1e-6)
    np.testing.assert_allclose(ours.boxes[:, :2], rows[kept, 2:4], atol=0.01)
    np.testing.assert_allclose(ours.boxes[:, :2] + ours.boxes[:, 2:], rows[kept, 4:6], atol=0.01)
    np.testing.assert_allclose(ours.embeddings, embeddings[kept], atol=1e-3)


QUIET = """
import sys, warnings
import numpy as np
before = list(warnings.filters)
import fairmot_lab as fl
detections = fl.load_model()(np.full((90, 160, 3), 128, np.uint8))
assert detections.heatmap.shape == (40, 72)
assert warnings.filters == before, warnings.filters[:3]
assert "paddle" not in sys.modules
"""


def test_the_bundled_model_runs_at_once_without_noise_and_without_paddle(tmp_path: Path) -> None:
    import os

    environment = os.environ | {"FAIRMOT_LAB_CACHE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", QUIET], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def tensors() -> dict[str, np.ndarray]:
    return random_weights("dla34", np.random.default_rng(0).random((1, 3, 64, 64), dtype=np.float32))


def test_weights_load_strictly(tensors: dict[str, np.ndarray]) -> None:
    layer = build_network("dla34")
    first, second, *rest = tensors
    wrong = {name: value for name, value in tensors.items() if name != first}
    wrong[second] = np.zeros((1, 2, 3), np.float32)
    wrong["extra.weight"] = np.zeros(1, np.float32)
    wrong[rest[0]] = np.full_like(wrong[rest[0]], np.nan)
    with pytest.raises(WeightsError) as caught:
        load_weights(layer, wrong, "w.npz")
    message = str(caught.value)
    assert message.startswith("w.npz does not fit the network: ")
    assert f"missing (1): {first}" in message
    assert "surplus (1): extra.weight" in message
    assert f"wrong shape (1): {second} [1, 2, 3] instead of {list(tensors[second].shape)}" in message
    assert f"not finite (1): {rest[0]}" in message


@pytest.mark.parametrize("engine", ["onnxruntime", "paddle"])
def test_a_checkpoint_of_another_architecture_is_refused(
    engine: str, tensors: dict[str, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIRMOT_LAB_CACHE", str(tmp_path / "cache"))
    np.savez(tmp_path / "mine.npz", **tensors)
    with pytest.raises(
        WeightsError, match=r"mine\.npz \(as hardnet85\) does not fit.*missing \(\d+\): detector\.backbone"
    ):
        load_model(tmp_path / "mine.npz", architecture="hardnet85", input_size=(64, 64), engine=engine)


def test_verify_weights(tensors: dict[str, np.ndarray], tmp_path: Path) -> None:
    weights = verify_weights("fairmot_lite")
    assert (weights.architecture, weights.sha256) == ("lite", file_sha256(BUNDLED))
    np.savez(tmp_path / "mine.npz", **dict(list(tensors.items())[:-1]))
    with pytest.raises(WeightsError, match=r"missing \(1\)"):
        verify_weights(tmp_path / "mine.npz")
    with pytest.raises(WeightsError, match="models download"):
        verify_weights("fairmot_dla34_30e_1088x608")


def test_wrong_arguments() -> None:
    for options, wanted in (
        ({"engine": "tensorrt"}, "engine is 'tensorrt'"),
        ({"device": "tpu"}, "device is 'tpu'"),
        ({"threads": 0}, "threads is 0"),
        ({"nms_iou": 1.2}, "nms_iou is 1.2; it must lie from 0 to 1"),
        ({"input_size": (500, 300)}, "input_size is 500x300; width and height must be multiples of 32"),
        ({"input_size": 576}, "input_size is 576; it must be a pair of width and height"),
    ):
        with pytest.raises(ConfigError, match=wanted):
            load_model(**options)
    with pytest.raises(UnknownModelError, match="did you mean fairmot_lite"):
        load_model("fairmot_light")
    with pytest.raises(EngineError, match="this onnxruntime has no CUDAExecutionProvider"):
        load_model("fairmot_dla34", device="gpu", engine="onnxruntime")
    with pytest.raises(EngineError, match="fairmot_lite runs on onnxruntime and the CPU only"):
        load_model(device="gpu")
    with pytest.raises(EngineError, match="fairmot_lite runs on onnxruntime and the CPU only"):
        load_model(device="openvino")
    with pytest.raises(EngineError, match="Half precision is computed by onnxruntime, and the engine here is paddle"):
        load_model("fairmot_dla34", engine="paddle", half=True)


def test_a_gpu_that_is_not_there() -> None:
    if import_paddle().device.is_compiled_with_cuda():
        pytest.skip("this paddle is built with CUDA")
    sentence = r"device='gpu' is not possible: this paddle is built without CUDA.*onnxruntime"
    with pytest.raises(EngineError, match=sentence):
        load_model("fairmot_dla34", device="gpu")
    with pytest.raises(EngineError, match=r"this onnxruntime has no OpenVINOExecutionProvider \(pip install onnxr"):
        load_model("fairmot_dla34", device="openvino")


@pytest.mark.parametrize("device", ["gpu", "openvino"])
def test_another_device_gives_what_the_cpu_gives(
    image: np.ndarray, tmp_path: Path, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs wherever the installed onnxruntime has CUDA, or OpenVINO; in single and in half precision."""
    import onnxruntime

    if PROVIDERS[device] not in onnxruntime.get_available_providers():
        pytest.skip(f"this onnxruntime has no {PROVIDERS[device]}")
    blob, _ = letterbox(image, (320, 192))
    save_file(random_weights("hrnetv2_w18", blob), tmp_path / "w.safetensors")
    options = {"input_size": (320, 192), "engine": "onnxruntime"}
    maps = [load_model(tmp_path / "w.safetensors", device=each, **options).infer(blob) for each in (device, "cpu")]
    assert_agreement(*maps)
    monkeypatch.setattr("fairmot_lab.detection.half.HALF_LIMITS", {"heatmap": 0.02, "boxes": 1, "cosine": 0.8})
    half = load_model(tmp_path / "w.safetensors", device=device, half=True, **options)
    assert_half_agreement(half.infer(blob), maps[1])


@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_maps_that_are_not_finite_are_an_error_with_the_frame(part: int, value: float) -> None:
    maps = [np.zeros((1, channels, 80, 144), np.float32) for channels in (1, 4, 2, 64)]
    maps[part][0, 0, 5, 5] = value
    model = FairMOTDetector("mine", "dla34", (576, 320), 64, "", Engine(maps))
    name = ("scores", "sizes", "offsets", "embeddings")[part]
    with pytest.raises(WeightsError, match=f"mine gives {name} that are not finite in frame 7"):
        list(model.run([Frame(7, np.zeros((90, 160, 3), np.uint8), 0.0)]))


class Engine:
    """Gives the same maps for any frame."""

    name, device, threads, at_once, libraries = "fake", "cpu", 1, 1, ()

    def __init__(self, maps: list[np.ndarray]) -> None:
        self.maps = tuple(maps)

    def __call__(self, blob: np.ndarray) -> tuple[np.ndarray, ...]:
        return self.maps


def test_weights_that_overflow_inside_the_network_are_refused(tmp_path: Path) -> None:
    """A first layer of 1e17 leaves the maps finite, but later layers have infinities in between."""
    network = build_network("hrnetv2_w18")
    given = {name: value.numpy() for name, value in network.state_dict().items()}
    names = [name for name in given if name.endswith(".weight") and given[name].ndim == 4]
    for name in names[:3]:
        given[name] = np.full_like(given[name], 1e17)
    np.savez(tmp_path / "w.npz", **given)
    with pytest.raises(WeightsError, match=r"w\.npz .*not finite in the layer detector\.backbone"):
        verify_weights(tmp_path / "w.npz")


def test_other_input_sizes_of_the_bundled_model(
    image: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIRMOT_LAB_CACHE", str(tmp_path))
    model = load_model(input_size=(160, 96), threads=1)
    assert model(image).heatmap.shape == (12, 20)
    embedding_map = model.embedding_map(image)
    assert embedding_map.shape == (64, 12, 20)
    np.testing.assert_allclose(np.linalg.norm(embedding_map, axis=0), 1, atol=1e-5)


def test_run_ahead_keeps_order_errors_and_ends() -> None:
    assert list(run_ahead(iter(range(100)))) == list(range(100))

    def failing():
        yield 1
        yield 2
        raise ZeroDivisionError

    got = []
    with pytest.raises(ZeroDivisionError):
        for value in run_ahead(failing()):
            got.append(value)
    assert got == [1, 2]

    closed, made = [], []

    def endless():
        try:
            while True:
                made.append(1)
                yield 1
        finally:
            closed.append(True)

    ahead = run_ahead(endless(), depth=2)
    next(ahead)
    ahead.close()
    assert closed == [True]
    assert len(made) <= 5


class SlowEngine:
    """Computes some frames at once, each as long as its first pixel says; remembers how many there were."""

    name, device, threads, libraries = "onnxruntime", "cpu", 3, ("numpy",)

    def __init__(self, at_once: int) -> None:
        self.at_once, self.lock = at_once, threading.Lock()
        self.busy = self.most = self.asked = 0

    def __call__(self, blob: np.ndarray) -> tuple[np.ndarray, ...]:
        with self.lock:
            self.busy, self.asked = self.busy + 1, self.asked + 1
            self.most = max(self.most, self.busy)
        value = float(blob[0, 0, 48, 80])
        time.sleep(0.1 * value)
        with self.lock:
            self.busy -= 1
        if value > 0.9:
            raise ZeroDivisionError
        maps = np.full((4, 1, 4, 24, 40), 0.5, np.float32)
        maps[0, 0, 0, 5, 5] += value / 10
        return maps[0][:, :1], maps[1], maps[2][:, :2], maps[3][:, :1]


@pytest.mark.parametrize("at_once", [1, 3])
def test_frames_computed_at_once_come_in_order_and_with_their_errors(at_once: int) -> None:
    brightness = [200, 0, 100, 0, 50, 150, 0, 0, 100, 0, 0, 255, 0, 0]
    frames = [Frame(k, np.full((96, 160, 3), value, np.uint8), k / 30) for k, value in enumerate(brightness, 1)]
    engine = SlowEngine(at_once)
    model = FairMOTDetector("slow", "lite", (160, 96), 1, "0" * 64, engine)
    got = []
    with pytest.raises(ZeroDivisionError):
        for frame, detections in run_detector(model, frames):
            assert detections.frame == frame.number
            assert detections.scores.max() == pytest.approx(0.5 + frame.image[0, 0, 0] / 2550, abs=1e-6)
            got.append(frame.number)
    assert got == list(range(1, 12))
    assert engine.most == at_once


def test_stopping_early_asks_for_few_frames_more() -> None:
    image = np.zeros((96, 160, 3), np.uint8)
    engine = SlowEngine(2)
    results = FairMOTDetector("slow", "lite", (160, 96), 1, "0" * 64, engine).run(
        Frame(k, image, 0.0) for k in itertools.count(1)
    )
    assert [next(results).frame for _ in range(3)] == [1, 2, 3]
    results.close()
    assert engine.asked <= 3 + 2 + 2
    assert engine.busy == 0


def test_the_compact_model_computes_frames_side_by_side_and_gives_what_it_gives_alone(image: np.ndarray) -> None:
    one, three = load_model(threads=1), load_model(threads=3)
    frames = [Frame(k, np.roll(image, 40 * k, axis=1), 0.0) for k in range(1, 8)]
    assert (three.threads, three.at_once) == (3, 3)
    assert load_model(threads=20).at_once == 8
    for frame, detections in run_detector(three, frames):
        alone = one(frame.image)
        assert np.array_equal(detections.boxes, alone.boxes)
        assert np.array_equal(detections.scores, alone.scores)
        assert np.array_equal(detections.embeddings, alone.embeddings)


def test_what_other_code_converted_is_not_used(tmp_path: Path) -> None:
    folder = Path(onnx.__file__).parents[1]
    for name in CODE:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    assert _code_digest(tmp_path) == _code_digest()
    with (tmp_path / CODE[0]).open("a") as file:
        file.write("STRIPS = 7")
    assert _code_digest(tmp_path) != _code_digest()
