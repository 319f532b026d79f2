"""Models: FairMOT networks built from ppdet's classes, their weights loaded strictly, run by an engine.

Paddle and ppdet are imported only when a network has to be built: once it is converted, onnxruntime runs it without.

When paddle is imported here some environment variables are set: see `engines.prepare_for_paddle()`.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import io
import json
import logging
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np

from . import errors, zoo
from .detection import FrameOutputs, Letterbox, decode, letterbox
from .engines import Engine, Maps, OnnxEngine, PaddleEngine, agreement, available_threads, prepare_for_paddle, run_ahead
from .errors import ConfigError, EngineError, SourceError, WeightsError
from .files import atomic_write

if TYPE_CHECKING:
    from .sources import Frame

logger = logging.getLogger(__name__)

OPSET = 19  # the first with DeformConv
TRAINING_ONLY = ("reid.classifier.", "loss.")  # in checkpoints, but not in the network that runs
NMS_IOU = {"lite": 0.5}  # its coarse cells tell one person more than once; measured in docs/models/fairmot_lite.md
# Layers that are too small for two threads to share (figures in docs/outputs.md): each thread computes a frame of its
# own. More than this the one thread that reads and letterboxes cannot feed.
MOST_AT_ONCE = {"lite": 8}
LIMITS = {"heatmap": 1e-3, "boxes": 0.05, "cosine": 0.9999}


class Model:
    """A network with its weights, ready to run.

    Attributes
    ----------
    name : str
        The zoo's name, or the stem of the weights file.
    architecture : str
        "lite", "dla34", "hrnetv2_w18" or "hardnet85".
    input_size : (int, int)
        Width and height of the network's input in pixels.
    embedding_dim : int
    weights_sha256 : str
    nms_iou : float or None
        Boxes that overlap a better one by more than this are left out; None: FairMOT's peak rule alone.
    versions : dict
        Versions of the libraries that the figures depend on.
    """

    def __init__(
        self,
        name: str,
        architecture: str,
        input_size: tuple[int, int],
        embedding_dim: int,
        weights_sha256: str,
        run_engine: Engine,
        nms_iou: float | None = None,
    ) -> None:
        self.name = name
        self.architecture = architecture
        self.input_size = input_size
        self.embedding_dim = embedding_dim
        self.weights_sha256 = weights_sha256
        self.nms_iou = nms_iou
        self.versions = {library: importlib.metadata.version(library) for library in run_engine.libraries}
        self._engine = run_engine

    def __repr__(self) -> str:
        width, height = self.input_size
        return f"<{self.name}: {self.architecture} at {width}x{height}, {self.engine} on {self.device}>"

    @property
    def engine(self) -> str:
        """ "onnxruntime" or "paddle"."""
        return self._engine.name

    @property
    def device(self) -> str:
        """ "cpu" or "gpu"."""
        return self._engine.device

    @property
    def threads(self) -> int:
        """CPU threads that compute."""
        return self._engine.threads

    @property
    def at_once(self) -> int:
        """Frames that `run` computes at the same time: one a thread, at most 8, with the compact model, else 1."""
        return self._engine.at_once

    def __call__(
        self,
        image: np.ndarray,
        *,
        frame: int = 0,
        heatmap: bool = True,
        embedding_map: bool = False,
        score_floor: float = 0.05,
        max_per_frame: int = 500,
    ) -> FrameOutputs:
        """Boxes, scores, embeddings and heatmap of one image.

        Parameters
        ----------
        image : (H, W, 3) uint8
            Blue first, as OpenCV reads it.
        frame
            Frame number that the outputs carry.
        heatmap, embedding_map
            Whether the outputs carry these maps.
        score_floor, max_per_frame
            Which peaks are kept.

        Returns
        -------
        FrameOutputs
            Boxes in pixels of the image.

        Raises
        ------
        SourceError
            If it is no such image.
        WeightsError
            If the network gives numbers that are not finite.
        """
        blob, box = self.prepare(image)
        return decode(
            *self.infer(blob),
            box,
            frame=frame,
            score_floor=score_floor,
            max_per_frame=max_per_frame,
            nms_iou=self.nms_iou,
            keep_heatmap=heatmap,
            keep_embedding_map=embedding_map,
        )

    def prepare(self, image: np.ndarray) -> tuple[np.ndarray, Letterbox]:
        """Letterbox an image into the network's input."""
        if not (isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3):
            got = f"{image.shape} {image.dtype}" if isinstance(image, np.ndarray) else type(image).__name__
            raise SourceError(f"An image must be an array (height, width, 3) of uint8, blue first; this is {got}.")
        return letterbox(image, self.input_size)

    def infer(self, blob: np.ndarray) -> Maps:
        """Run the network on letterboxed input: heatmap, size, offset and embedding maps."""
        maps = self._engine(blob)
        if not np.isfinite(maps[0]).all():
            raise WeightsError(f"{self.name} gives scores that are not finite; its weights are broken.")
        return maps

    def run(
        self,
        frames: Iterable[Frame],
        *,
        score_floor: float = 0.05,
        max_per_frame: int = 500,
        heatmap: bool = True,
    ) -> Iterator[tuple[Frame, FrameOutputs]]:
        """Run over frames; reading and letterboxing, the network, and the consumer's work go on at the same time.

        Yields
        ------
        frame, outputs
            In the order of the frames. At most six frames are in memory; with the compact model five, and one for each
            that is computed at once.
        """

        def prepared() -> Iterator[tuple[Frame, np.ndarray, Letterbox]]:
            for frame in frames:
                yield frame, *self.prepare(frame.image)

        def submitted() -> Iterator[tuple[Frame, Future[Maps], Letterbox]]:
            with contextlib.closing(run_ahead(prepared())) as ready:  # type: ignore[type-var]
                for frame, blob, box in ready:
                    yield frame, pool.submit(self.infer, blob), box

        pool = ThreadPoolExecutor(self.at_once, thread_name_prefix="fairmot_lab.network")
        with contextlib.ExitStack() as stack:
            stack.callback(pool.shutdown, cancel_futures=True)
            results = stack.enter_context(contextlib.closing(run_ahead(submitted(), depth=self.at_once)))  # type: ignore[type-var]
            for frame, maps, box in results:
                yield (
                    frame,
                    decode(
                        *maps.result(),
                        box,
                        frame=frame.number,
                        score_floor=score_floor,
                        max_per_frame=max_per_frame,
                        nms_iou=self.nms_iou,
                        keep_heatmap=heatmap,
                    ),
                )


def load_model(
    name_or_path: str | os.PathLike[str] = "fairmot_lite",
    *,
    architecture: str | None = None,
    input_size: tuple[int, int] | None = None,
    engine: str = "auto",
    device: str = "auto",
    threads: int | None = None,
    nms_iou: float | Literal["auto"] | None = "auto",
) -> Model:
    """Load a model of the zoo, or weights from a file.

    The first time onnxruntime runs some weights at some input size the network is converted to ONNX, compared with
    paddle on a photograph, and kept in the cache; that takes 10 to 60 seconds, and paddle is not needed again.

    Parameters
    ----------
    name_or_path
        A name of the zoo (`fairmot-lab models list`; downloaded if need be), or a `.pdparams`, `.safetensors` or `.npz`
        file.
    architecture
        Of a weights file whose name and tensors do not tell: "lite", "dla34", "hrnetv2_w18", "hardnet85".
    input_size
        (width, height) in pixels, multiples of 32; the size that the weights were trained for unless given.
    engine
        "onnxruntime", "paddle", or "auto": onnxruntime on CPU, paddle on GPU.
    device
        "cpu", "gpu", or "auto": a GPU where paddle finds one.
    threads
        CPU threads; all cores that this process may use unless given. The official models share them for each frame.
        With the compact one each thread computes a frame of its own, up to eight: sequences are faster by that, one
        image is not.
    nms_iou
        Leave out boxes whose IoU with a better one is above this, from 0 to 1; None for FairMOT's peak rule alone.
        "auto": 0.5 for the compact architecture, None for all others.

    Returns
    -------
    Model

    Raises
    ------
    UnknownModelError
        If the zoo has no such name.
    WeightsError
        If the weights are damaged, unsafe, or of another architecture (it lists the first tensors that do not fit).
    DownloadError
        If weights have to be fetched and cannot.
    EngineError
        If this machine does not offer the engine or device.
    """
    device, engine = _choose(device, engine)
    threads = available_threads() if threads is None else threads
    if threads < 1:
        raise ConfigError(f"threads is {threads}; it must be 1 or more.")
    if nms_iou not in ("auto", None) and not (isinstance(nms_iou, int | float) and 0 <= nms_iou <= 1):
        raise ConfigError(f"nms_iou is {nms_iou!r}; it must lie from 0 to 1, or be None or 'auto'.")
    weights = zoo.find_weights(name_or_path, architecture)
    overlap = NMS_IOU.get(weights.architecture) if nms_iou == "auto" else nms_iou
    size = _check_size(input_size or weights.input_size)
    digest = zoo.file_sha256(weights.path)
    if engine == "paddle":
        runner: Engine = _paddle_engine(weights.path, weights.architecture, size, device, threads)
    else:
        at_once = min(threads, MOST_AT_ONCE.get(weights.architecture, 1))
        runner = OnnxEngine(onnx_file(weights.path, weights.architecture, size, digest), threads, at_once)
    return Model(weights.name, weights.architecture, size, weights.embedding_dim, digest, runner, overlap)


def verify_weights(name_or_path: str | os.PathLike[str], architecture: str | None = None) -> tuple[zoo.Weights, str]:
    """Check that weights are what was recorded, carry no code, and fit their network tensor by tensor.

    Parameters
    ----------
    name_or_path, architecture
        As for `load_model`; nothing is downloaded.

    Returns
    -------
    weights : zoo.Weights
    digest : str
        The SHA-256 of the file.

    Raises
    ------
    UnknownModelError, WeightsError
        If one of it is not so.
    """
    weights = zoo.find_weights(name_or_path, architecture, fetch=False)
    _loaded_network(weights.path, weights.architecture)
    return weights, zoo.file_sha256(weights.path)


def _choose(device: str, engine: str) -> tuple[str, str]:
    if device not in ("auto", "cpu", "gpu"):
        raise ConfigError(f"device is {device!r}; it must be 'auto', 'cpu' or 'gpu'.")
    if engine not in ("auto", "onnxruntime", "paddle"):
        raise ConfigError(f"engine is {engine!r}; it must be 'auto', 'onnxruntime' or 'paddle'.")
    if device == "gpu" and engine == "onnxruntime":
        raise EngineError("onnxruntime runs on the CPU here; give engine='paddle' (or 'auto') for device='gpu'.")
    if device == "gpu" or (device == "auto" and engine != "onnxruntime" and _paddle_may_have_cuda()):
        reason = _gpu_missing()
        if device == "gpu" and reason:
            raise EngineError(f"device='gpu' is not possible: {reason}; give device='cpu'.")
        device = "cpu" if reason else "gpu"
    else:
        device = "cpu"
    return device, {"gpu": "paddle", "cpu": "onnxruntime"}[device] if engine == "auto" else engine


def _paddle_may_have_cuda() -> bool:
    """Told without importing paddle: the CUDA build is a distribution of another name."""
    try:
        return bool(importlib.metadata.version("paddlepaddle-gpu"))
    except importlib.metadata.PackageNotFoundError:
        return False


def _gpu_missing() -> str:
    """Why there is no GPU for paddle; empty where there is one."""
    paddle = import_paddle()
    if not paddle.device.is_compiled_with_cuda():
        return "this paddle is built without CUDA (install paddlepaddle-gpu)"
    if paddle.device.cuda.device_count() < 1:
        return "paddle finds no CUDA device (see nvidia-smi)"
    return ""


def _check_size(size: tuple[int, int]) -> tuple[int, int]:
    width, height = (int(value) for value in size)
    if min(width, height) < 32 or width % 32 or height % 32:
        raise ConfigError(f"input_size is {width}x{height}; width and height must be multiples of 32.")
    return width, height


# -- networks -------------------------------------------------------------------------------------------------------


def import_paddle() -> Any:
    """Paddle, imported without its noise."""
    prepare_for_paddle()
    with _silence():
        import paddle
    return paddle


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
        from .lite import build_lite

        with _silence():
            network = build_lite()
        network.eval()
        return network
    with _silence():
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
    raise ConfigError(f"architecture is {architecture!r}; it must be one of {', '.join(zoo.ARCHITECTURES)}.")


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
    load_weights(network, zoo.read_weights(weights), f"{weights} (as {architecture})")
    return network


def _save_program(network: Any, path: Path, size: tuple[int, int], batch: int = 1) -> None:
    paddle = import_paddle()
    spec = paddle.static.InputSpec([batch, 3, size[1], size[0]], "float32", "image")
    with _silence():
        program = paddle.jit.to_static(network, input_spec=[spec], full_graph=True)
        paddle.jit.save(program, str(path))


def _paddle_engine(weights: Path, architecture: str, size: tuple[int, int], device: str, threads: int) -> PaddleEngine:
    network = _loaded_network(weights, architecture)
    with tempfile.TemporaryDirectory() as folder:
        _save_program(network, Path(folder) / "network", size)
        return PaddleEngine(Path(folder) / "network", device, threads, onednn=architecture == "dla34")


# -- conversion to ONNX ---------------------------------------------------------------------------------------------


def onnx_file(
    weights: Path, architecture: str, size: tuple[int, int], digest: str | None = None, *, batch: int = 1
) -> Path:
    """The network as an ONNX file in the cache; made, and compared with paddle, if it is not there yet.

    The work is done by a process of its own: its memory, its output and its changes to global settings end with it.

    Parameters
    ----------
    weights
        A weights file.
    architecture, size
        The network and its input (width, height).
    digest
        SHA-256 of the weights file, if it is known.
    batch
        Images per run.

    Raises
    ------
    WeightsError
        If the weights do not fit.
    EngineError
        If the conversion fails, or its figures are not paddle's.
    """
    digest = digest or zoo.file_sha256(weights)
    libraries = ("paddlepaddle", "paddledet", "paddle2onnx")
    versions = "-".join(f"{name}_{importlib.metadata.version(name)}" for name in libraries)
    made_of = f"{digest[:32]}-{architecture}-{batch}x{size[0]}x{size[1]}-{_code_digest()[:12]}-{versions}"
    path = zoo.cache_folder() / "onnx" / f"{made_of}.onnx"
    if _is_whole(path):
        return path
    logger.info("converting %s at %dx%d for onnxruntime, once", weights.name, *size)
    job = {"weights": str(weights), "architecture": architecture, "size": size, "batch": batch, "path": str(path)}
    command = [sys.executable, "-c", "from fairmot_lab.network import convert_job; convert_job()", json.dumps(job)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    answer = done.stdout.rpartition("\n\x1e")[2]
    if done.returncode != 0 or not answer:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise EngineError(f"{weights} could not be converted for onnxruntime ({last}); give engine='paddle'.")
    result = json.loads(answer)
    if "error" in result:
        raise getattr(errors, result["error"])(result["message"])
    return path


def _code_digest(folder: Path = Path(__file__).parent) -> str:
    """SHA-256 of the code that builds and converts networks: what was converted by other code is not used."""
    parts = [(folder / name).read_bytes() for name in ("appearance.py", "lite.py", "network.py")]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def convert_job() -> None:
    """What the converting process does: one job in `sys.argv[1]`, one answer on stdout behind a record separator."""
    job = json.loads(sys.argv[1])
    try:
        result: dict[str, Any] = _convert(**job)
    except errors.FairMOTLabError as error:
        result = {"error": type(error).__name__, "message": str(error)}
    sys.stdout.write("\n\x1e" + json.dumps(result))


def _convert(weights: str, architecture: str, size: tuple[int, int], batch: int, path: str) -> dict[str, float]:
    import paddle2onnx

    network = _loaded_network(Path(weights), architecture)
    with tempfile.TemporaryDirectory() as folder, atomic_write(path) as temporary:
        program = Path(folder) / "network"
        _save_program(network, program, size, batch)
        _use_single_precision_scales(Path(f"{program}.json"))
        paddle2onnx.export(
            f"{program}.json",
            f"{program}.pdiparams",
            str(temporary),
            opset_version=OPSET,
            enable_onnx_checker=True,
            optimize_tool="none",  # the default one runs pip
        )
        blob = np.repeat(letterbox(_photograph(), size)[0], batch, axis=0)
        paddle = import_paddle()
        with paddle.no_grad():
            reference = tuple(values.numpy() for values in network(paddle.to_tensor(blob)))
        found = agreement(OnnxEngine(temporary, 1)(blob), reference)  # type: ignore[arg-type]
        if (
            found["heatmap"] > LIMITS["heatmap"]
            or found["boxes"] > LIMITS["boxes"]
            or found["cosine"] < LIMITS["cosine"]
        ):
            raise EngineError(f"onnxruntime's figures for {weights} are not paddle's ({found}); give engine='paddle'.")
        record = {"sha256": zoo.file_sha256(temporary), "agreement_with_paddle": found}
    with atomic_write(f"{path}.json") as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n")
    return found


def _use_single_precision_scales(program: Path) -> None:
    """Paddle 3.3 saves the scale factors of interpolations as doubles, which paddle2onnx 2.1 cannot read."""

    def convert(node: dict[str, Any]) -> dict[str, Any]:
        if node.get("N") == "scale" and isinstance(node["AT"].get("D"), list):
            for factor in node["AT"]["D"]:
                factor["#"] = "0.a_f32"
        return node

    program.write_text(json.dumps(json.loads(program.read_text(), object_hook=convert)))


def _is_whole(path: Path) -> bool:
    try:
        record = json.loads(path.with_name(f"{path.name}.json").read_text())
        return record["sha256"] == zoo.file_sha256(path)
    except (OSError, ValueError, KeyError):
        return False


def _photograph() -> np.ndarray:
    """A photograph of a person that matplotlib carries, blue first."""
    import matplotlib

    return cv2.imread(str(Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"))


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep imports and exports from printing and from leaving a process-wide filter that hides all warnings."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield
