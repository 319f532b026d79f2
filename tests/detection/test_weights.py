"""Every reader of weights: only WeightsError for any bytes, and memory that the file's size bounds."""

from __future__ import annotations

import io
import json
import pickle
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from torch_files import save

from fairmot_lab.detection import weights
from fairmot_lab.detection.fairmot import build_network, load_weights
from fairmot_lab.detection.weights import read_weights
from fairmot_lab.errors import WeightsError


def tensors() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {"detector.weight": rng.standard_normal((8, 3, 3, 3)).astype(np.float32), "steps": np.array(3)}


def write(folder: Path, kind: str) -> Path:
    path = folder / f"w{kind.removeprefix('old')}"
    if kind == ".safetensors":
        save_file(tensors(), path)
    elif kind == ".npz":
        np.savez(path, **tensors())
    elif kind == ".pdparams":
        path.write_bytes(pickle.dumps(tensors(), protocol=4))
    else:
        save(path, tensors(), legacy=kind == "old.pth")
    return path


KINDS = (".safetensors", ".npz", ".pdparams", ".pth", "old.pth")


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_bytes_give_weights_or_a_weights_error(kind: str, tmp_path: Path) -> None:
    """400 files with flipped, removed, repeated and foreign bytes, most of them near the headers."""
    path = write(tmp_path, kind)
    whole, rng = path.read_bytes(), np.random.default_rng(1)
    refused = 0
    for _ in range(400):
        content = bytearray(whole)
        for _ in range(rng.integers(1, 4)):
            near = int(rng.choice([300, len(content)]))
            at = int(rng.integers(0, max(1, min(near, len(content)))))
            at = at if rng.random() < 0.6 else len(content) - 1 - at
            action = rng.integers(0, 4)
            if action == 0:
                content[at] = int(rng.integers(0, 256))
            elif action == 1:
                del content[at : at + int(rng.integers(1, 9))]
            elif action == 2:
                content[at:at] = content[at : at + 16]
            else:
                content[at : at + 8] = rng.integers(0, 256, 8, np.uint8).tobytes()
        path.write_bytes(content)
        try:
            read_weights(path)
        except WeightsError:  # anything else fails the test
            refused += 1
    assert refused > 100


def safetensors_file(path: Path, header: object, data: bytes = b"") -> Path:
    text = json.dumps(header).encode() if not isinstance(header, bytes) else header
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def test_bfloat16_is_read_as_float32(tmp_path: Path) -> None:
    values = np.array([1.5, -2.0, 3e38], np.float32)
    upper = (values.view(np.uint32) >> 16).astype("<u2").tobytes()
    header = {"x": {"dtype": "BF16", "shape": [3], "data_offsets": [0, 6]}}
    read = read_weights(safetensors_file(tmp_path / "w.safetensors", header, upper))["x"]
    np.testing.assert_allclose(read, values, rtol=2**-7)
    assert read.dtype == np.float32


@pytest.mark.parametrize("kind", ["F8_E4M3", "F8_E5M2"])
def test_eight_bit_floats_are_refused(kind: str, tmp_path: Path) -> None:
    header = {"x": {"dtype": kind, "shape": [3], "data_offsets": [0, 3]}}
    with pytest.raises(WeightsError, match=r"'x' as F8_E.M., which numpy does not have; save it as F32"):
        read_weights(safetensors_file(tmp_path / "w.safetensors", header, bytes(3)))


@pytest.mark.parametrize(
    "header",
    [
        {"x": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 4]}},
        {"x": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}},
        {"x": {"dtype": "F32", "shape": [1], "data_offsets": [2**60, 2**60 + 4]}},
        {"x": {"dtype": "OBJ", "shape": [1], "data_offsets": [0, 4]}},
        b"[" * 100_000,
        b'{"__metadata__": {}}',
    ],
)
def test_impossible_safetensors(header: object, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"w\.safetensors"):
        read_weights(safetensors_file(tmp_path / "w.safetensors", header, bytes(4)))


def npy(shape: str, kind: str = "<f4", data: bytes = b"") -> bytes:
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + data


@pytest.mark.parametrize(
    ("member", "words"),
    [
        (npy(f"({2**38},)"), "impossible shape|but 0 bytes"),
        (npy("(-5,)"), "impossible shape"),
        (npy("(1000000, 1000000, 1000000)", data=bytes(8)), "but 8 bytes of it"),
        (npy("(2,)", "|O"), "not an array of numbers"),
        (npy("(2,)", "<c8", bytes(16)), "not an array of numbers"),
        (b"", "damaged"),
        (b"\x93NUMPY\x03\x00", "version"),
    ],
)
def test_npz_of_an_impossible_shape_allocates_nothing(member: bytes, words: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.npz", "w") as archive:
        archive.writestr("x.npy", member)
    tracemalloc.start()
    with pytest.raises(WeightsError, match=words):
        read_weights(tmp_path / "w.npz")
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


@pytest.mark.parametrize("suffix", [".npz", ".pth"])
def test_zip_bombs_are_refused_before_they_are_unpacked(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"w{suffix}"
    member = "x.npy" if suffix == ".npz" else "archive/data.pkl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(member, "w") as file:
        for _ in range(64):
            file.write(bytes(2**20))
    assert path.stat().st_size < 2**17
    tracemalloc.start()
    with pytest.raises(WeightsError, match="more than a hundred times its size"):
        read_weights(path)
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


def test_more_tensors_than_any_network_has_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(weights, "MOST_BYTES", 500)
    for kind in KINDS:
        with pytest.raises(WeightsError, match="are not read"):
            read_weights(write(tmp_path, kind))


MEMO = b"\x80\x02" + b"N" + b"r" + struct.pack("<I", 2**32 - 2) + b"."
LENGTHS = [
    b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b".",  # BINBYTES8
    b"\x80\x05\x96" + struct.pack("<Q", 2**62) + b".",  # BYTEARRAY8
    b"\x80\x05\x96" + struct.pack("<Q", 2**30) + b".",  # of a size that a machine can give
    b"\x80\x04\x8d" + struct.pack("<Q", 2**40) + b".",  # BINUNICODE8
    b"\x80\x04\x95" + struct.pack("<Q", 2**40) + b".",  # FRAME
    b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b".",  # LONG4
    b"I" + b"9" * 100_000 + b"\n.",
    b"(" * 100_000 + b".",
]


@pytest.mark.parametrize("content", [MEMO, *LENGTHS], ids=range(len(LENGTHS) + 1))
def test_pickles_that_claim_lengths_allocate_nothing(content: bytes, tmp_path: Path) -> None:
    """An index of the memo alone makes the unpickler in C take 64 GB."""
    (tmp_path / "w.pdparams").write_bytes(content)
    tracemalloc.start()
    with pytest.raises(WeightsError, match=r"w\.pdparams"):
        read_weights(tmp_path / "w.pdparams")
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


def test_a_pickle_cannot_change_what_reads_it(tmp_path: Path) -> None:
    """BUILD sets attributes of what is on the stack: here of the function that makes bytes."""
    file = io.BytesIO()
    file.write(b"\x80\x02c_codecs\nencode\n}X\x01\x00\x00\x00xK\x01sb.")
    (tmp_path / "w.pdparams").write_bytes(file.getvalue())
    with pytest.raises(WeightsError, match="sets attributes"):
        read_weights(tmp_path / "w.pdparams")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_both_byte_orders_are_read(order: str, protocol: int, tmp_path: Path) -> None:
    arrays = {kind: np.arange(6).reshape(2, 3).astype(order + kind) for kind in ("f2", "f4", "f8", "i8", "u1", "b1")}
    arrays["fortran"] = np.asfortranarray(arrays["f4"])
    (tmp_path / "w.pdparams").write_bytes(pickle.dumps(arrays, protocol=protocol))
    np.savez(tmp_path / "w.npz", **arrays)
    for suffix in (".pdparams", ".npz"):
        for name, values in read_weights(tmp_path / f"w{suffix}").items():
            np.testing.assert_array_equal(values, arrays[name])


@pytest.mark.parametrize(
    ("value", "words"),
    [(1e300, r"not finite \(1\): detector.head.offset.2"), (1e38, r"above 1e\+18 \(1\): detector.head.offset.2")],
)
def test_weights_are_checked_after_the_cast(value: float, words: str) -> None:
    network = build_network("hrnetv2_w18")
    given = {name: parameter.numpy() for name, parameter in network.state_dict().items()}
    given["detector.head.offset.2.conv.bias"] = np.array([value, 0])
    with pytest.raises(WeightsError, match=words):
        load_weights(network, given, "w.npz")
