"""The models that are known by name: their settings and published figures, where their weights lie, how they get there.

Weights are read without running anything that is in them. The cache is `$FAIRMOT_LAB_CACHE`, or `fairmot_lab` in
`$XDG_CACHE_HOME` (`~/.cache`): `models/` holds weights with a record of their SHA-256, `onnx/` converted networks.
`$FAIRMOT_LAB_MIRROR` names another server (the address that the file names are put behind).
"""

from __future__ import annotations

import codecs
import contextlib
import difflib
import fcntl
import hashlib
import http.client
import json
import os
import pickle
import re
import time
import urllib.error
import urllib.request
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import numpy as np

from .errors import DownloadError, UnknownModelError, WeightsError
from .files import atomic_write, make_folder, write_error

SERVER = "https://paddledet.bj.bcebos.com/models/mot"
BUNDLED = Path(__file__).with_name("weights") / "fairmot_lite.safetensors"
SUFFIXES = (".pdparams", ".safetensors", ".npz")
ALIASES = {"fairmot_dla34": "fairmot_dla34_30e_1088x608"}  # PaddleHub's name
CHUNK = 2**18


@dataclass(frozen=True)
class Architecture:
    """A network that `network.build_network()` builds.

    Attributes
    ----------
    title
        What it is called in the literature.
    input_size
        (width, height) that its weights are usually trained for, in pixels.
    embedding_dim
        Length of an embedding.
    marker
        Beginning of a tensor name that no other architecture has.
    """

    title: str
    input_size: tuple[int, int]
    embedding_dim: int
    marker: str


ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType(
    {
        "lite": Architecture("ShuffleNetV2 x0.5, FPN", (576, 320), 64, "backbone.first_conv."),
        "dla34": Architecture("DLA-34, DLA-FPN with DCNv2", (1088, 608), 128, "detector.backbone.base_layer."),
        "hrnetv2_w18": Architecture("HRNetV2-W18, DLA-FPN", (1088, 608), 128, "detector.backbone.conv_layer1_1."),
        "hardnet85": Architecture("HarDNet-85, HarDNet-FPN", (1088, 608), 128, "detector.backbone.base.0."),
    }
)


@dataclass(frozen=True)
class ModelCard:
    """What is known of a model.

    Attributes
    ----------
    name, architecture
        The architecture is a key of `ARCHITECTURES`.
    input_size
        (width, height) in pixels.
    published
        MOTA / IDF1 / identity switches by data set, as its makers give them.
    megabytes
        Approximate size of the weights file.
    tracker
        Tracker settings in which its configuration differs from the other models'.
    """

    name: str
    architecture: str
    input_size: tuple[int, int]
    published: str
    megabytes: float
    tracker: Mapping[str, Any] = field(default_factory=dict)

    @property
    def bundled(self) -> bool:
        """Whether the package carries it."""
        return self.name == BUNDLED.stem

    @property
    def path(self) -> Path:
        """Where its weights lie, or would lie."""
        return BUNDLED if self.bundled else cache_folder() / "models" / f"{self.name}.pdparams"

    @property
    def url(self) -> str:
        """Where its weights are fetched from."""
        return f"{server()}/{self.name}.pdparams"


_BIG, _MIDDLE, _SMALL = (1088, 608), (864, 480), (576, 320)
_DLA, _HRNET, _HARDNET = 87, 48, 161
_AIRPLANE = MappingProxyType({"min_box_area": 0, "vertical_ratio": 0})
_BYTE = MappingProxyType({"use_byte": True, "match_thres": 0.8, "conf_thres": 0.4, "low_conf_thres": 0.2})

# Figures and settings: PaddleDetection, configs/mot/fairmot (and its README), release 2.6
CARDS: Mapping[str, ModelCard] = MappingProxyType(
    {
        card.name: card
        for card in (
            ModelCard("fairmot_lite", "lite", _SMALL, "weights CC BY-NC-SA 3.0; docs/models/fairmot_lite.md", 2.1),
            ModelCard(
                "fairmot_dla34_30e_1088x608",
                "dla34",
                _BIG,
                "MOT16 train 83.2 / 83.1 / 499, MOT16 test 75.0 / 74.7 / 919",
                _DLA,
            ),
            ModelCard(
                "fairmot_dla34_30e_864x480",
                "dla34",
                _MIDDLE,
                "MOT16 train 80.8 / 81.1 / 561, MOT16 test 73.0 / 72.6 / 977",
                _DLA,
            ),
            ModelCard(
                "fairmot_dla34_30e_576x320",
                "dla34",
                _SMALL,
                "MOT16 train 74.0 / 76.1 / 640, MOT16 test 69.9 / 70.2 / 1044",
                _DLA,
            ),
            ModelCard(
                "fairmot_dla34_30e_1088x608_bytetracker",
                "dla34",
                _BIG,
                "MOT17 half 70.3 / 73.2 / 234 (without BYTE 69.1 / 72.8 / 299)",
                _DLA,
                _BYTE,
            ),
            ModelCard(
                "fairmot_dla34_30e_1088x608_airplane",
                "dla34",
                _BIG,
                "GMOT-40 airplane 96.6 / 94.7 / 19",
                _DLA,
                _AIRPLANE,
            ),
            ModelCard(
                "fairmot_enhance_dla34_60e_1088x608",
                "dla34",
                _BIG,
                "MOT16 test 75.9 / 74.7 / 1021, MOT17 test 75.3 / 74.2 / 3270",
                _DLA,
            ),
            ModelCard(
                "fairmot_enhance_hardnet85_30e_1088x608",
                "hardnet85",
                _BIG,
                "MOT17 test 74.7 / 70.7 / 3210",
                _HARDNET,
            ),
            ModelCard(
                "fairmot_hrnetv2_w18_dlafpn_30e_1088x608",
                "hrnetv2_w18",
                _BIG,
                "MOT17 test 70.7 / 65.7 / 4281",
                _HRNET,
            ),
            ModelCard(
                "fairmot_hrnetv2_w18_dlafpn_30e_864x480",
                "hrnetv2_w18",
                _MIDDLE,
                "MOT17 test 70.3 / 65.8 / 4056",
                _HRNET,
            ),
            ModelCard(
                "fairmot_hrnetv2_w18_dlafpn_30e_576x320",
                "hrnetv2_w18",
                _SMALL,
                "MOT17 test 65.3 / 64.8 / 4137",
                _HRNET,
            ),
        )
    }
)


@dataclass(frozen=True)
class Weights:
    """A weights file and the network that it belongs to.

    Attributes
    ----------
    name
        The zoo's name, or the stem of the file.
    path
        The file.
    architecture
        A key of `ARCHITECTURES`.
    input_size
        (width, height) in pixels.
    embedding_dim
        Length of an embedding.
    """

    name: str
    path: Path
    architecture: str
    input_size: tuple[int, int]
    embedding_dim: int


def cache_folder() -> Path:
    """Where downloaded and converted models are kept."""
    if folder := os.environ.get("FAIRMOT_LAB_CACHE"):
        return Path(folder).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "fairmot_lab"


def server() -> str:
    """The address that weights are fetched from."""
    return (os.environ.get("FAIRMOT_LAB_MIRROR") or SERVER).rstrip("/")


def find_card(name: str) -> ModelCard:
    """The card of a model.

    Raises
    ------
    UnknownModelError
        If there is none of this name; the message has the nearest ones.
    """
    name = ALIASES.get(name, name)
    if name in CARDS:
        return CARDS[name]
    near = difflib.get_close_matches(name, CARDS, n=3, cutoff=0.4)
    hint = f"did you mean {', '.join(near)}?" if near else "`fairmot-lab models list` shows the names."
    raise UnknownModelError(f"There is no model {name!r} in the zoo; {hint}")


def find_weights(
    name_or_path: str | os.PathLike[str], architecture: str | None = None, *, fetch: bool = True
) -> Weights:
    """The weights file of a model, downloaded if need be, or a file of the user.

    Parameters
    ----------
    name_or_path
        A name of the zoo, or a file.
    architecture
        The architecture of a file, where neither its name nor its tensors tell.
    fetch
        Whether weights that are not in the cache are downloaded.

    Raises
    ------
    UnknownModelError
        If it is neither.
    WeightsError
        If the file is no weights file, or changed since it was downloaded, or its architecture cannot be told.
    DownloadError
        If the weights have to be fetched and cannot.
    """
    path, text = Path(name_or_path), os.fspath(name_or_path)
    if architecture is not None and architecture not in ARCHITECTURES:
        raise UnknownModelError(f"There is no architecture {architecture!r}; there are {', '.join(ARCHITECTURES)}.")
    if path.suffix not in SUFFIXES and not path.is_file() and os.sep not in text:
        card = find_card(text)
        if not card.path.is_file():
            if not fetch:
                raise WeightsError(f"{card.name} is not at {card.path}; `fairmot-lab models download` fetches it.")
            download(card.name)
        elif not card.bundled:
            check_record(card)
        known = ARCHITECTURES[card.architecture]
        return Weights(card.name, card.path, card.architecture, card.input_size, known.embedding_dim)
    if not path.is_file():
        raise WeightsError(f"There is no weights file {path}; give a model's name or a file that exists.")
    named = CARDS.get(path.stem)
    architecture = architecture or (named.architecture if named else _recognise(path))
    known = ARCHITECTURES[architecture]
    size = named.input_size if named and named.architecture == architecture else known.input_size
    return Weights(path.stem, path, architecture, size, known.embedding_dim)


def _recognise(path: Path) -> str:
    names = read_weights(path)
    for architecture, known in ARCHITECTURES.items():
        if any(name.startswith(known.marker) for name in names):
            return architecture
    first = ", ".join(list(names)[:3])
    raise WeightsError(
        f"{path} is of no architecture that is known here (its first tensors: {first}); "
        f"say architecture= ({', '.join(ARCHITECTURES)})."
    )


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits.

    Raises
    ------
    WeightsError
        If it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror}).") from error


# -- reading weights ------------------------------------------------------------------------------------------------


def read_weights(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read the tensors of a weights file; nothing in it is executed.

    Parameters
    ----------
    path
        `.pdparams` (a pickle, of which only what builds arrays of numbers is accepted), `.safetensors` or `.npz`.

    Returns
    -------
    dict
        Arrays by parameter name.

    Raises
    ------
    WeightsError
        If it is no such file, is cut short, or carries code.
    """
    path = Path(path)
    try:
        if path.suffix == ".safetensors":
            tensors = _read_safetensors(path)
        elif path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as archive:
                tensors = dict(archive)
        elif path.suffix == ".pdparams":
            tensors = _read_pdparams(path)
        else:
            raise WeightsError(f"{path} is no weights file; its name must end in {', '.join(SUFFIXES)}.")
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror or error}).") from error
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path} is no {path.suffix} file, or it is damaged ({error}).") from error
    for name, value in tensors.items():
        if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiub":
            raise WeightsError(f"{path} holds {name!r}, which is no array of numbers.")
    if not tensors:
        raise WeightsError(f"{path} holds no tensors.")
    return tensors


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(error) from error


def _read_pdparams(path: Path) -> dict[str, np.ndarray]:
    with path.open("rb") as file:
        if file.read(2) == b"PK":
            raise WeightsError(f"{path} is a PyTorch or zip file, not one of PaddlePaddle; only the latter are read.")
        file.seek(0)
        try:
            content = _ArraysOnly(file, path).load()
        except WeightsError:
            raise
        except Exception as error:  # a broken pickle can make the unpickler stumble in any way
            raise WeightsError(f"{path} is no .pdparams file, or it is cut short ({error}).") from error
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise WeightsError(f"{path} holds no tensors by name; a .pdparams file of a model is needed.")
    content.pop("StructuredToParameterName@@", None)  # paddle's own table of names
    return {
        name: value[1] if isinstance(value, tuple) and len(value) == 2 else value for name, value in content.items()
    }


class _ArraysOnly(pickle.Unpickler):
    """Unpickles dicts, lists, texts, numbers and arrays of numbers; whatever else a pickle asks for is refused."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        super().__init__(file)
        self._path = path

    def find_class(self, module: str, name: str) -> Any:
        """Stand-ins for the few things that build an array; nothing is imported."""
        stand_ins = {
            ("numpy", "ndarray"): "numpy.ndarray",  # only ever an argument, so a text does
            ("numpy", "dtype"): _number_type,
            ("numpy.core.multiarray", "_reconstruct"): _empty_array,
            ("numpy._core.multiarray", "_reconstruct"): _empty_array,
            ("_codecs", "encode"): _latin1,
            ("collections", "OrderedDict"): OrderedDict,
            ("builtins", "tuple"): tuple,
            ("__builtin__", "tuple"): tuple,
        }
        if (module, name) not in stand_ins:
            raise WeightsError(
                f"{self._path} carries code ({module}.{name}) and is refused: weights are arrays of numbers and "
                "nothing else; do not open this file with tools that unpickle it."
            )
        return stand_ins[module, name]


def _number_type(code: str, *_: object) -> np.dtype:
    if not re.fullmatch(r"[<>|=]?[fiub][1248]", code):
        raise ValueError(f"type {code!r}")
    return np.dtype(code)


def _empty_array(*_: object) -> np.ndarray:
    return np.ndarray.__new__(np.ndarray, (0,), "b")


def _latin1(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise ValueError(f"encoding {encoding!r}")
    return codecs.encode(text, "latin1")


# -- downloading ----------------------------------------------------------------------------------------------------


def download(name: str, *, progress: bool = True, timeout: float = 30.0, attempts: int = 5, pause: float = 1.0) -> Path:
    """Fetch the weights of a model into the cache; a transfer that was cut goes on where it ended.

    Parameters
    ----------
    name
        A name of the zoo.
    progress
        Whether a progress bar is shown.
    timeout
        Seconds without a byte after which a connection counts as dead.
    attempts
        Connections in a row that may bring nothing new.
    pause
        Seconds before the first new attempt; doubled before each further one.

    Returns
    -------
    pathlib.Path
        The file in the cache.

    Raises
    ------
    DownloadError
        If it cannot be had, is not as long as the server promised, is no weights file, or is not what was downloaded
        the first time.
    UnknownModelError
        If there is no such model.
    """
    card = find_card(name)
    if card.bundled or card.path.is_file():
        if not card.bundled:
            check_record(card)
        return card.path
    make_folder(card.path.parent)
    part = card.path.with_suffix(".part")
    try:
        with open(part, "a+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise DownloadError(f"{card.name} is being downloaded by another process; wait for it.") from error
            if card.path.is_file():  # the other process was faster
                return card.path
            _Transfer(card, file, progress, timeout).run(attempts, pause)
            _accept(card, part)
    except OSError as error:
        raise write_error(part, error) from error
    return card.path


class _Transfer:
    """Brings the bytes of one address into one file, over as many connections as it takes."""

    def __init__(self, card: ModelCard, file: BinaryIO, progress: bool, timeout: float) -> None:
        from tqdm.auto import tqdm

        self.card, self.file, self.timeout = card, file, timeout
        self.etag_file = card.path.with_suffix(".part.etag")
        self.bar = tqdm(unit="B", unit_scale=True, unit_divisor=1000, desc=card.name, disable=not progress)
        self.length: int | None = None
        self.answered = False

    def run(self, attempts: int, pause: float) -> None:
        """Go on until the file is whole, or `attempts` connections in a row brought nothing."""
        fruitless, reason = 0, ""
        with self.bar:
            while fruitless < attempts:
                before = self.file.seek(0, os.SEEK_END)
                try:
                    if self._connect(before):
                        return
                    reason = f"the connection ended after {self.file.tell()} of {self.length} bytes"
                except urllib.error.HTTPError as error:
                    self.answered = True
                    if error.code == 416:  # the part is longer than what the server has: start again
                        self._restart()
                    elif error.code < 500 and error.code not in (408, 429):
                        raise self._failure(f"the server answered {error.code} {error.reason}") from error
                    reason = f"the server answered {error.code} {error.reason}"
                except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
                    reason = str(getattr(error, "reason", "") or error) or type(error).__name__
                    if not self.answered:  # no network, or no such server: trying again would only take time
                        raise self._failure(reason) from error
                if self.file.seek(0, os.SEEK_END) > before:
                    fruitless = 0
                else:
                    fruitless += 1
                    if fruitless < attempts:
                        time.sleep(pause * 2 ** (fruitless - 1))
        raise self._failure(reason)

    def _connect(self, held: int) -> bool:
        """One connection; whether the file is whole after it."""
        request = urllib.request.Request(self.card.url, headers={"User-Agent": "fairmot_lab"})
        etag = self.etag_file.read_text() if held and self.etag_file.exists() else ""
        if held and etag:
            request.add_header("Range", f"bytes={held}-")
            request.add_header("If-Range", etag)
        elif held:
            self._restart()  # nothing tells whether the server still has the same file
            held = 0
        with urllib.request.urlopen(request, timeout=self.timeout) as response:
            self.answered = True
            goes_on = response.status == 206 and _range_start(response) == held
            if not goes_on and response.status == 206:
                raise self._failure("the server sent another part of the file than was asked for")
            if held and not goes_on:
                self._restart()
                held = 0
            length = response.headers.get("Content-Length")
            self.length = None if length is None else held + int(length)
            tag = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
            if tag and not tag.startswith("W/"):
                self.etag_file.write_text(tag)
            self.bar.total, self.bar.n = self.length, held
            self.bar.refresh()
            while chunk := response.read1(CHUNK):
                self.file.write(chunk)
                self.bar.update(len(chunk))
            self.file.flush()
        return self.length is None or self.file.tell() == self.length

    def _restart(self) -> None:
        self.file.truncate(0)
        self.file.seek(0)
        self.etag_file.unlink(missing_ok=True)

    def _failure(self, reason: str) -> DownloadError:
        return DownloadError(
            f"{self.card.name} could not be downloaded from {self.card.url} ({reason}); try again to go on, name a "
            f"mirror in FAIRMOT_LAB_MIRROR, or put the file by hand at {self.card.path}."
        )


def _range_start(response: http.client.HTTPResponse) -> int | None:
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range") or "")
    return int(found[1]) if found else None


def _accept(card: ModelCard, part: Path) -> None:
    """Move a complete file to its place, if it is weights, and the same as the first time."""
    digest, record = file_sha256(part), _record(card)
    try:
        if record is not None and record["sha256"] != digest:
            raise DownloadError(
                f"{card.url} has changed: its SHA-256 is {digest}, it was {record['sha256']} when it was first "
                f"downloaded; if the change is right, remove {_record_path(card)} and download again."
            )
        try:
            _read_pdparams(part)
        except WeightsError as error:
            raise DownloadError(f"{card.url} did not give weights: {error}") from error
    except DownloadError:
        part.unlink()
        part.with_suffix(".part.etag").unlink(missing_ok=True)
        raise
    if record is None:
        _write_record(card, digest, part.stat().st_size)
    os.replace(part, card.path)
    part.with_suffix(".part.etag").unlink(missing_ok=True)


def check_record(card: ModelCard) -> str:
    """Compare a file in the cache with the SHA-256 that was recorded for it; a file put there by hand is recorded now.

    Returns
    -------
    str
        The SHA-256.

    Raises
    ------
    WeightsError
        If it has changed.
    """
    digest, record = file_sha256(card.path), _record(card)
    if record is None:
        _write_record(card, digest, card.path.stat().st_size)
    elif record["sha256"] != digest:
        raise WeightsError(
            f"{card.path} has changed since it was recorded (SHA-256 {digest} instead of {record['sha256']}); remove "
            f"it to download it again, or remove {_record_path(card).name} too if the change is right."
        )
    return digest


def _record_path(card: ModelCard) -> Path:
    return card.path.with_suffix(".json")


def _record(card: ModelCard) -> dict[str, Any] | None:
    try:
        record = json.loads(_record_path(card).read_text())
        return {"sha256": str(record["sha256"])}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{_record_path(card)} is damaged; remove it to record the weights again.") from error


def _write_record(card: ModelCard, digest: str, size: int) -> None:
    with atomic_write(_record_path(card)) as temporary:
        temporary.write_text(json.dumps({"sha256": digest, "bytes": size, "url": card.url}, indent=1) + "\n")


def state(card: ModelCard) -> str:
    """ "bundled", "in cache", "begun" (a transfer that was cut) or "not here"."""
    if card.bundled:
        return "bundled"
    if card.path.is_file():
        return "in cache"
    with contextlib.suppress(OSError):
        if card.path.with_suffix(".part").stat().st_size:
            return "begun"
    return "not here"
