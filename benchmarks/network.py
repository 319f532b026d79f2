"""The network: ppdet as installed, paddle tuned, and onnxruntime, beside the floor that the arithmetic sets.

    python benchmarks/network.py                         # DLA-34 at 576x320 and 1088x608, the bundled model, end to end
    python benchmarks/network.py --sizes 576x320         # shorter
    python benchmarks/network.py --parts engines         # or: end-to-end, reading

Every engine is measured in a process of its own, as what it needs from the environment is read when it is imported.
CPU seconds are the smallest of the repeats; the floor is the GFLOP of the network divided by what a matrix product does
in one CPU second in the same run. Without trained weights the networks have random ones with fitted batch norm.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fairmot_lab.detection.model import FairMOTDetector

DATA = Path(os.environ.get("FAIRMOT_LAB_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
SEQUENCE = DATA / "MOT17" / "train" / "MOT17-09-SDP"


def cost(function: Callable[[], object], repeats: int) -> dict[str, float]:
    """Smallest CPU and wall seconds of a call."""
    processor, wall = [], []
    for _ in range(repeats):
        start, clock = time.process_time(), time.perf_counter()
        function()
        processor.append(time.process_time() - start)
        wall.append(time.perf_counter() - clock)
    return {"cpu": min(processor), "wall": min(wall)}


def sgemm_rate() -> float:
    """GFLOP that a single-precision matrix product does in one CPU second."""
    left, right = np.random.default_rng(0).random((2, 2048, 2048), dtype=np.float32)
    return 2 * 2048**3 / 1e9 / cost(lambda: left @ right, 8)["cpu"]


def gigaflop(path: Path, size: tuple[int, int]) -> float:
    """GFLOP of the convolutions of an ONNX network, by the shapes of one run; multiply and add count as two."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # nodes as they were exported
    options.enable_profiling = True
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = f"{folder}/profile"
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        session.run(None, {"image": np.zeros((1, 3, size[1], size[0]), np.float32)})
        events = json.loads(Path(session.end_profiling()).read_text())
    total = 0
    for event in events:
        details = event.get("args", {})
        if details.get("op_name") in ("Conv", "DeformConv", "ConvTranspose") and event["name"].endswith("_kernel_time"):
            inputs = [next(iter(entry.values())) for entry in details["input_type_shape"]]
            outputs = [next(iter(entry.values())) for entry in details["output_type_shape"]]
            spread = inputs[0] if details["op_name"] == "ConvTranspose" else outputs[0]
            total += np.prod(spread) * np.prod(inputs[1][1:])
    return 2 * float(total) / 1e9


# -- one engine, in a process of its own ----------------------------------------------------------------------------


def ppdet_fairmot(weights: Path):
    """PaddleDetection's own FairMOT class with DLA-34, as its configuration builds it."""
    import paddle
    from ppdet.modeling.architectures.centernet import CenterNet
    from ppdet.modeling.architectures.fairmot import FairMOT
    from ppdet.modeling.backbones.dla import DLA
    from ppdet.modeling.heads.centernet_head import CenterNetHead
    from ppdet.modeling.losses.fairmot_loss import FairMOTLoss
    from ppdet.modeling.mot.tracker.jde_tracker import JDETracker
    from ppdet.modeling.necks.centernet_fpn import CenterNetDLAFPN
    from ppdet.modeling.post_process import CenterNetPostProcess
    from ppdet.modeling.reid.fairmot_embedding_head import FairMOTEmbeddingHead

    from fairmot_lab.detection.weights import read_weights

    backbone = DLA(34)
    neck = CenterNetDLAFPN([shape.channels for shape in backbone.out_shape], out_channel=0)
    detector = CenterNet(backbone, neck, CenterNetHead(64, num_classes=1), CenterNetPostProcess(), for_mot=True)
    model = FairMOT(detector, FairMOTEmbeddingHead(64), JDETracker(), FairMOTLoss())
    model.set_state_dict(read_weights(weights))
    model.eval()

    def run(blob: np.ndarray) -> object:
        size = paddle.to_tensor([[float(blob.shape[2]), float(blob.shape[3])]])
        with paddle.no_grad():
            return model({"image": paddle.to_tensor(blob), "im_shape": size, "scale_factor": paddle.ones([1, 2])})

    return run


def measure(job: dict) -> dict[str, float]:
    """CPU and wall seconds of one engine on one blob."""
    blob = np.load(job["blob"])
    if job["engine"] == "ppdet":
        run = ppdet_fairmot(Path(job["weights"]))
        run(blob)
        return cost(lambda: run(blob), job["repeats"])
    from fairmot_lab.detection.model import load_model

    model = load_model(
        job["weights"],
        input_size=(blob.shape[3], blob.shape[2]),
        architecture=job["architecture"],
        engine=job["engine"],
        threads=job["threads"],
    )
    run = as_in_a_sequence(model, blob)
    run()
    return {clock: seconds / model.at_once for clock, seconds in cost(run, job["repeats"]).items()}


def as_in_a_sequence(model: FairMOTDetector, blob: np.ndarray) -> Callable[[], object]:
    """A function that computes as many frames as the model computes at once in a sequence."""
    pool = ThreadPoolExecutor(model.at_once)
    return lambda: list(pool.map(model.infer, [blob] * model.at_once))


def in_process(job: dict) -> dict[str, float]:
    """Run `measure` in a new process."""
    environment = {key: value for key, value in os.environ.items() if key != "MKL_DEBUG_CPU_TYPE"}
    command = [sys.executable, __file__, "--job", json.dumps(job)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def engines(architecture: str, size: tuple[int, int], folder: Path, repeats: int) -> None:
    """Print the table of one network at one input size."""
    from fairmot_lab.detection import zoo
    from fairmot_lab.detection.fairmot import random_weights
    from fairmot_lab.detection.letterbox import letterbox
    from fairmot_lab.detection.onnx import onnx_file
    from fairmot_lab.sources.images import read_image

    blob, _ = letterbox(read_image(SEQUENCE / "img1" / "000001.jpg"), size)
    np.save(folder / "blob.npy", blob)
    weights = zoo.BUNDLED
    if architecture != "lite":
        weights = folder / f"{architecture}.npz"
        if not weights.exists():
            np.savez(weights, **random_weights(architecture, blob))
    rate, work = sgemm_rate(), gigaflop(onnx_file(weights, architecture, size), size)
    floor = work / rate
    print(
        f"\n{architecture} at {size[0]}x{size[1]}: {work:.2f} GFLOP; sgemm {rate:.1f} GFLOP/s; floor {floor:.3f} CPU s"
    )
    print(f"{'engine':26}{'threads':>8}{'CPU s/frame':>13}{'frames/s':>10}{'x floor':>9}{'x ppdet CPU':>13}")
    jobs = [("ppdet", 1)] if architecture == "dla34" else []
    jobs += [("paddle", 1), ("paddle", 2), ("onnxruntime", 1), ("onnxruntime", 2)]
    baseline, walls = None, {}
    for engine, threads in jobs:
        count = max(2, repeats // 3) if engine == "ppdet" else repeats
        job = {"engine": engine, "threads": threads, "weights": str(weights), "architecture": architecture}
        found = in_process(job | {"blob": str(folder / "blob.npy"), "repeats": count})
        baseline = baseline or (found["cpu"] if engine == "ppdet" else None)
        walls[engine, threads] = found["wall"]
        gain = f"{baseline / found['cpu']:.2f}" if baseline else "-"
        name = {"ppdet": "ppdet as installed", "paddle": "paddle.inference, tuned"}.get(engine, engine)
        print(
            f"{name:26}{threads:8}{found['cpu']:13.4f}{1 / found['wall']:10.2f}{found['cpu'] / floor:9.2f}{gain:>13}",
            flush=True,
        )
    gain = walls["onnxruntime", 1] / walls["onnxruntime", 2]
    print(f"onnxruntime, two threads / one thread: {gain:.2f} x the frames/s")


# -- from JPEG files to kept detections --------------------------------------------------------------------------------


def end_to_end(
    name: str, weights: Path, architecture: str, size: tuple[int, int], threads: int, count: int, turns: int
) -> None:
    """Print the rate of `detect()` on 1080p JPEG files beside that of the network alone, and where the time goes."""
    from fairmot_lab.detection import cache
    from fairmot_lab.detection.archive import pack_group
    from fairmot_lab.detection.decode import decode
    from fairmot_lab.detection.model import load_model
    from fairmot_lab.sources.open import open_source

    model = load_model(weights, architecture=architecture, input_size=size, threads=threads)
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "images"
        images.mkdir()
        for number in range(1, count + 1):
            (images / f"{number:06d}.jpg").symlink_to(SEQUENCE / "img1" / f"{number:06d}.jpg")
        source = open_source(images)
        image = source.image(1)
        blob, box = model.prepare(image)
        maps = model.infer(blob)
        found = decode(*maps, box, frame=1)
        stages = {
            "read and decode the JPEG": cost(lambda: source.image(1), 10),
            "letterbox": cost(lambda: model.prepare(image), 10),
            "network": cost(lambda: model.infer(blob), 5),
            "decode the maps": cost(lambda: decode(*maps, box, frame=1), 10),
            "pack and compress": cost(lambda: pack_group(cache._pack(found), 1), 10),
        }
        alone, whole, run = [], [], as_in_a_sequence(model, blob)
        for turn in range(turns):  # one after the other, so that other load and the clock's steps meet both
            clock, start = time.perf_counter(), time.process_time()
            for _ in range(count // model.at_once):
                run()
            alone.append((time.perf_counter() - clock, time.process_time() - start))
            clock, start = time.perf_counter(), time.process_time()
            cache.detect(source, model, Path(folder) / str(turn), progress=False)
            whole.append((time.perf_counter() - clock, time.process_time() - start))
    print(f"\n{name} at {size[0]}x{size[1]}, {threads} threads, {count} JPEG files of 1920x1080, {turns} turns")
    for stage, seconds in stages.items():
        print(f"  {stage:26}{1e3 * seconds['cpu']:9.1f} CPU ms")
    for title, turned in (("network alone", alone), ("detect()", whole)):
        wall, processor = np.median(turned, axis=0) / count
        print(f"  {title:26}{1 / wall:9.2f} frames/s{1e3 * processor:10.1f} CPU ms a frame")
    ratios = sorted(float(one[0] / other[0]) for one, other in zip(alone, whole, strict=True))
    print(
        f"  detect() / network alone: median of the turns {np.median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})"
    )


def reading(count: int) -> None:
    """Print what other ways to read, decode, letterbox and batch would bring for the bundled model."""
    import cv2
    import simplejpeg

    from fairmot_lab.detection import zoo
    from fairmot_lab.detection.engines import OnnxEngine
    from fairmot_lab.detection.letterbox import letterbox
    from fairmot_lab.detection.model import load_model
    from fairmot_lab.detection.onnx import onnx_file

    path = SEQUENCE / "img1" / "000001.jpg"
    data = np.frombuffer(path.read_bytes(), np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    half = cv2.imdecode(data, cv2.IMREAD_REDUCED_COLOR_2)
    model = load_model(threads=1)
    size = model.input_size

    def plain() -> np.ndarray:
        inside = cv2.resize(image, letterbox(image, size)[1].content_size, interpolation=cv2.INTER_AREA)
        return np.ascontiguousarray(inside[:, :, ::-1].transpose(2, 0, 1), np.float32) * np.float32(1 / 255)

    def buffered(buffering: int) -> bytes:
        with open(path, "rb", buffering=buffering) as file:
            return file.read()

    batched = OnnxEngine(onnx_file(zoo.BUNDLED, "lite", size, batch=4), 1)
    blob, _ = letterbox(image, size)
    four = np.repeat(blob, 4, axis=0)
    rows = {
        "read the file, 8 KB buffer": cost(lambda: buffered(8192), 20),
        "read the file, 1 MB buffer": cost(lambda: buffered(2**20), 20),
        "decode, OpenCV": cost(lambda: cv2.imdecode(data, cv2.IMREAD_COLOR), 20),
        "decode, simplejpeg": cost(lambda: simplejpeg.decode_jpeg(data, colorspace="BGR"), 20),
        "the same at half size": cost(lambda: simplejpeg.decode_jpeg(data, colorspace="BGR", min_factor=2), 20),
        "letterbox the full image": cost(lambda: letterbox(image, size), 20),
        "letterbox the half image": cost(lambda: letterbox(half, size), 20),
        "letterbox by numpy": cost(plain, 20),
        "network, one image": cost(lambda: model.infer(blob), 10),
        "network, batch of four / 4": {"cpu": cost(lambda: batched(four), 5)["cpu"] / 4},
    }
    print("\nOther ways, bundled model at 576x320, one thread, 1080p")
    for title, seconds in rows.items():
        print(f"  {title:30}{1e3 * seconds['cpu']:9.2f} CPU ms")
    differences, moved = [], []
    for number in range(1, 526, max(1, 525 // count)):
        file = str(SEQUENCE / "img1" / f"{number:06d}.jpg")
        full, reduced = model(cv2.imread(file)), model(cv2.imread(file, cv2.IMREAD_REDUCED_COLOR_2))
        differences.append(np.abs(full.heatmap - reduced.heatmap).max())
        moved.append((full.scores > 0.4).sum() - (reduced.scores > 0.4).sum())
    print(
        f"  half-size decoding moves the heatmap by up to {max(differences):.3f} (median {np.median(differences):.3f})"
    )
    print(f"  and the number of detections above 0.4 by up to {np.abs(moved).max()} a frame ({len(moved)} frames)")


def main() -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--job", help=argparse.SUPPRESS)
    parser.add_argument("--parts", nargs="+", default=["engines", "end-to-end", "reading"])
    parser.add_argument("--sizes", nargs="+", default=["576x320", "1088x608"], help="of DLA-34")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--frames", type=int, default=20, help="of the DLA-34 run from end to end")
    parser.add_argument("--turns", type=int, default=7, help="of the network alone and detect(), one after the other")
    options = parser.parse_args()
    if options.job:
        print(json.dumps(measure(json.loads(options.job))))
        return
    if not SEQUENCE.is_dir():
        sys.exit(f"{SEQUENCE} is needed (set FAIRMOT_LAB_DATA)")
    from fairmot_lab.detection import zoo

    sizes = [tuple(int(value) for value in text.split("x")) for text in options.sizes]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "engines" in options.parts:
            engines("lite", (576, 320), folder, 4 * options.repeats)
            for size in sizes:
                engines("dla34", size, folder, options.repeats)
        if "end-to-end" in options.parts:
            weights = folder / "dla34.npz"
            if not weights.exists():
                from fairmot_lab.detection.fairmot import random_weights
                from fairmot_lab.detection.letterbox import letterbox
                from fairmot_lab.sources.images import read_image

                blob, _ = letterbox(read_image(SEQUENCE / "img1" / "000001.jpg"), sizes[0])
                np.savez(weights, **random_weights("dla34", blob))
            end_to_end("DLA-34", weights, "dla34", sizes[0], 2, options.frames, options.turns)
            end_to_end("bundled model", zoo.BUNDLED, "lite", (576, 320), 2, 8 * options.frames, options.turns)
        if "reading" in options.parts:
            reading(20)


if __name__ == "__main__":
    main()
