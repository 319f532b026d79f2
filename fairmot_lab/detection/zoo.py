"""The models that are known by name: settings, published figures, and where their weights are."""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from .._files import private_folder, user_cache, write_text
from ..errors import DownloadError, UnknownModelError, WeightsError
from .weights import file_sha256

SERVER = "https://paddledet.bj.bcebos.com/models/mot"
BUNDLED = Path(__file__).parents[1] / "lite" / "weights" / "fairmot_lite.onnx"
ALIASES = {"fairmot_dla34": "fairmot_dla34_30e_1088x608"}  # PaddleHub's name


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
        Beginning of a tensor name that no other architecture has; None for the one whose files are ONNX.
    """

    title: str
    input_size: tuple[int, int]
    embedding_dim: int
    marker: str | None


ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType(
    {
        "lite": Architecture("YOLOX-nano, colour histograms", (576, 320), 64, None),
        "dla34": Architecture("DLA-34, DLA-FPN with DCNv2", (1088, 608), 128, "detector.backbone.base_layer."),
        "hrnetv2_w18": Architecture("HRNetV2-W18, DLA-FPN", (1088, 608), 128, "detector.backbone.conv_layer1_1."),
        "hardnet85": Architecture("HarDNet-85, HarDNet-FPN", (1088, 608), 128, "detector.backbone.base.0."),
    }
)


@dataclass(frozen=True)
class ModelCard:
    """The description of a model.

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
        The tracker's name, where it is not `jde`, and settings that differ from the defaults.
    classes
        What it finds, by class id.
    """

    name: str
    architecture: str
    input_size: tuple[int, int]
    published: str
    megabytes: float
    tracker: Mapping[str, Any] = field(default_factory=dict)
    classes: tuple[str, ...] = ("pedestrian",)

    @property
    def bundled(self) -> bool:
        """Whether the package carries it."""
        return self.name == BUNDLED.stem

    @property
    def authors(self) -> bool:
        """Whether it is a checkpoint of FairMOT's authors, which no server here offers."""
        return self.name in AUTHORS_CARDS

    @property
    def group(self) -> str:
        """What `models list` shows it under."""
        if self.authors:
            return "FairMOT's authors (.pth files, to be downloaded by hand)"
        return "several classes" if len(self.classes) > 1 else self.classes[0]

    @property
    def path(self) -> Path:
        """Where its weights are, or would be."""
        suffix = ".pth" if self.authors else ".pdparams"
        return BUNDLED if self.bundled else cache_folder() / "models" / f"{self.name}{suffix}"

    @property
    def url(self) -> str:
        """Where its weights are fetched from."""
        return f"{server()}/{self.name}.pdparams"

    @property
    def most_bytes(self) -> int:
        """More bytes than its weights file can have."""
        return int(self.megabytes * 1.5e6) + 20_000_000


_BIG, _MIDDLE, _SMALL = (1088, 608), (864, 480), (576, 320)
_SIZES = {"1088x608": _BIG, "864x480": _MIDDLE, "576x320": _SMALL}
_MEGABYTES = {"dla34": 87, "hrnetv2_w18": 48, "hardnet85": 161}
_ANY_SHAPE: Mapping[str, Any] = MappingProxyType({"min_box_area": 0, "vertical_ratio": 0})
_BYTE: Mapping[str, Any] = MappingProxyType(
    {"tracker": "ppdet_byte", "match_thres": 0.8, "conf_thres": 0.4, "low_conf_thres": 0.2}
)
_VISDRONE = (
    "pedestrian", "people", "bicycle", "car", "van", "truck", "tricycle", "awning-tricycle", "bus", "motor",
)  # fmt: skip
_BDD100K = (
    "pedestrian", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle", "other person", "trailer",
    "other vehicle",
)  # fmt: skip


def _card(name: str, published: str, classes: tuple[str, ...] = ("pedestrian",), **tracker: Any) -> ModelCard:
    """Return the card of a model of PaddleDetection, whose name gives the network and the input size."""
    architecture = next(key for key in _MEGABYTES if key.removesuffix("v2_w18") in name)
    size = next(size for text, size in _SIZES.items() if text in name)
    return ModelCard(name, architecture, size, published, _MEGABYTES[architecture], tracker, classes)


def _cards() -> Iterator[ModelCard]:
    """Figures and settings: PaddleDetection, configs/mot/{fairmot,vehicle,pedestrian,headtracking21,mcfairmot}."""
    dla, hrnet = "fairmot_dla34_30e_1088x608", "fairmot_hrnetv2_w18_dlafpn_30e"
    lite = {"det_thresh": 0.6, "track_buffer": 90}  # better in the mean of four sequences: see there
    yield ModelCard("fairmot_lite", "lite", _SMALL, "weights CC BY-NC-SA 3.0; docs/models/fairmot_lite.md", 2.1, lite)
    yield _card(dla, "MOT16 train 83.2 / 83.1 / 499, MOT16 test 75.0 / 74.7 / 919")
    yield _card("fairmot_dla34_30e_864x480", "MOT16 train 80.8 / 81.1 / 561, MOT16 test 73.0 / 72.6 / 977")
    yield _card("fairmot_dla34_30e_576x320", "MOT16 train 74.0 / 76.1 / 640, MOT16 test 69.9 / 70.2 / 1044")
    yield _card(f"{dla}_bytetracker", "MOT17 half 70.3 / 73.2 / 234 (without BYTE 69.1 / 72.8 / 299)", **_BYTE)
    yield _card("fairmot_enhance_dla34_60e_1088x608", "MOT16 test 75.9 / 74.7 / 1021, MOT17 test 75.3 / 74.2 / 3270")
    yield _card("fairmot_enhance_hardnet85_30e_1088x608", "MOT17 test 74.7 / 70.7 / 3210")
    yield _card(f"{hrnet}_1088x608", "MOT17 test 70.7 / 65.7 / 4281")
    yield _card(f"{hrnet}_864x480", "MOT17 test 70.3 / 65.8 / 4056")
    yield _card(f"{hrnet}_576x320", "MOT17 test 65.3 / 64.8 / 4137")
    yield _card(f"{dla}_pathtrack", "PathTrack val 44.9 / 59.3")
    yield _card(f"{dla}_visdrone_pedestrian", "VisDrone val, pedestrian and people 49.2 / 63.1")
    for size, published in (("1088x608", "40.5 / 54.7"), ("864x480", "38.6 / 50.9"), ("576x320", "30.6 / 47.2")):
        yield _card(f"{hrnet}_{size}_visdrone_pedestrian", f"VisDrone val, pedestrian and people {published}")
    yield _card(f"{dla}_headtracking21", "HT21 train 64.7 / 69.0 / 8533, HT21 test 60.8 / 62.8 / 12781", ("head",))
    yield _card(f"{dla}_airplane", "GMOT-40 airplane 96.6 / 94.7 / 19", ("airplane",), **_ANY_SHAPE)
    vehicle = ("vehicle",)
    yield _card(f"{dla}_bdd100kmot_vehicle", "BDD100K val 43.5 / 50.0", vehicle, **_ANY_SHAPE)
    yield _card(f"{hrnet}_576x320_bdd100kmot_vehicle", "BDD100K val 32.6 / 38.7", vehicle, **_ANY_SHAPE)
    yield _card(f"{dla}_kitti_vehicle", "KITTI val 82.7 (by KITTI's rules)", vehicle, **_ANY_SHAPE)
    yield _card(f"{dla}_visdrone_vehicle", "VisDrone val 52.1 / 63.3", vehicle, **_ANY_SHAPE)
    for size, published in (("1088x608", "46.0 / 56.8"), ("864x480", "43.7 / 56.1"), ("576x320", "39.8 / 52.4")):
        yield _card(f"{hrnet}_{size}_visdrone_vehicle", f"VisDrone val {published}", vehicle, **_ANY_SHAPE)
    yield _card(f"mc{dla}_visdrone", "VisDrone val 24.3 / 41.6 / 2314", _VISDRONE, **_ANY_SHAPE)
    for size, published in (
        ("1088x608", "20.4 / 39.9 / 2603"),
        ("864x480", "18.2 / 38.7 / 2416"),
        ("576x320", "12.0 / 33.8 / 2178"),
    ):
        yield _card(f"mc{hrnet}_{size}_visdrone", f"VisDrone val {published}", _VISDRONE, **_ANY_SHAPE)
    four = ("car", "van", "truck", "bus")
    for name, published in ((dla, "37.7 / 56.8 / 199"), (f"{hrnet}_1088x608", "35.6 / 56.3 / 190")):
        settings = {**_ANY_SHAPE, **_BYTE}
        yield _card(f"mc{name}_visdrone_vehicle_bytetracker", f"VisDrone val {published}", four, **settings)
    yield _card(f"mc{hrnet}_576x320_bdd100k_mcmot", "none published", _BDD100K, **_ANY_SHAPE)


CARDS: Mapping[str, ModelCard] = MappingProxyType({card.name: card for card in _cards()})

# Files of github.com/ifzhang/FairMOT; its demo filters boxes of less than 100 pixels, and new tracks as all others
_AUTHORS = MappingProxyType({"min_box_area": 100, "det_thresh": 0.4})
AUTHORS_CARDS: Mapping[str, ModelCard] = MappingProxyType(
    {
        name: ModelCard(name, "dla34", _BIG, published, 80, _AUTHORS)
        for name, published in (
            ("fairmot_dla34", "MOT16 test 74.9 / 72.8, MOT17 test 73.7 / 72.3, MOT15 test 60.6 / 64.7"),
            ("mot20_fairmot", "MOT20 test 61.8 / 67.3"),
            ("mix_mot17_half_dla34", "MOT17 half 69.1 / 72.8"),
            ("crowdhuman_dla34", "trained on CrowdHuman, to start from"),
        )
    }
)


# A file of another name, such as model_30.pth, which the authors' training writes
_OTHER_AUTHORS = ModelCard("another checkpoint of FairMOT's authors", "dla34", _BIG, "none published", 80, _AUTHORS)


def card_of_file(path: Path) -> ModelCard | None:
    """Return the card that a file's name matches: the longest of the names that it begins with.

    A torch file of another name is taken for one that the authors' code wrote, and gets their settings.

    Examples
    --------
    >>> card_of_file(Path("fairmot_dla34_30e_576x320 (1).pdparams")).input_size
    (576, 320)
    >>> dict(card_of_file(Path("model_30.pth")).tracker)
    {'min_box_area': 100, 'det_thresh': 0.4}
    >>> card_of_file(Path("mine.npz"))
    """
    authors = path.suffix in (".pth", ".pt")
    cards = AUTHORS_CARDS if authors else CARDS
    found = [name for name in cards if re.fullmatch(re.escape(name) + r"([^0-9a-z].*)?", path.stem, re.IGNORECASE)]
    return cards[max(found, key=len)] if found else _OTHER_AUTHORS if authors else None


def cache_folder() -> Path:
    """Return the folder for downloaded and converted models."""
    return user_cache()


def server() -> str:
    """Return the address that weights are fetched from.

    Raises
    ------
    DownloadError
        If FAIRMOT_LAB_MIRROR is not the address of a web server.
    """
    address = (os.environ.get("FAIRMOT_LAB_MIRROR") or SERVER).strip().rstrip("/")
    if not re.fullmatch(r"https?://([^\s/:@\[\]]+|\[[0-9a-fA-F:]+\])(:\d{1,5})?(/[\x21-\x7e]*)?", address):
        raise DownloadError(
            f"FAIRMOT_LAB_MIRROR is {address[:200]!r}, which is not an address; give one like https://example.org/models."
        )
    return address


def find_card(name: str) -> ModelCard:
    """Return the card of a model.

    Raises
    ------
    UnknownModelError
        If there is none of this name; the message has the nearest ones.
    """
    name = ALIASES.get(name, name)
    if name in CARDS:
        return CARDS[name]
    if name in AUTHORS_CARDS:
        raise UnknownModelError(
            f"{name} is a checkpoint of FairMOT's authors: download it by hand (github.com/ifzhang/FairMOT) and give "
            f"the file, {name}.pth."
        )
    near = difflib.get_close_matches(name, CARDS, n=3, cutoff=0.4)
    hint = f"did you mean {', '.join(near)}?" if near else "`fairmot-lab models list` shows the names."
    raise UnknownModelError(f"There is no model {name!r} in the zoo; {hint}")


def check_record(card: ModelCard) -> str:
    """Compare a file in the cache with the SHA-256 that was recorded for it; record a file that was put there by hand.

    Returns
    -------
    str
        The SHA-256.

    Raises
    ------
    WeightsError
        If it has changed.
    """
    private_folder(card.path.parent)
    digest, recorded = file_sha256(card.path), recorded_sha256(card)
    if recorded is None:
        write_record(card, digest, card.path.stat().st_size)
    elif recorded != digest:
        raise WeightsError(
            f"{card.path} has changed since it was recorded (SHA-256 {digest} instead of {recorded}); remove "
            f"it to download it again, or remove {record_path(card).name} too if the change is right."
        )
    return digest


def record_path(card: ModelCard) -> Path:
    """Return the file beside the weights in the cache that records what they were."""
    return card.path.with_suffix(".json")


def recorded_sha256(card: ModelCard) -> str | None:
    """Return the SHA-256 that was recorded for weights in the cache; None where there is none."""
    try:
        return str(json.loads(record_path(card).read_text())["sha256"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise WeightsError(f"{record_path(card)} is damaged; remove it to record the weights again.") from error


def write_record(card: ModelCard, digest: str, size: int) -> None:
    """Record what the weights of a model are, and where they come from."""
    write_text(record_path(card), json.dumps({"sha256": digest, "bytes": size, "url": card.url}, indent=1) + "\n")


def state(card: ModelCard) -> str:
    """Return "bundled", "in cache", "begun" (a transfer that was cut) or "not here"."""
    if card.bundled:
        return "bundled"
    if card.path.is_file():
        return "in cache"
    with contextlib.suppress(OSError):
        if card.path.with_suffix(".part").stat().st_size:
            return "begun"
    return "not here"
