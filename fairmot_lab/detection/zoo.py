"""The models that are known by name: settings, published figures, and where their weights are."""

from __future__ import annotations

import contextlib
import difflib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from .._files import atomic_write
from ..errors import UnknownModelError, WeightsError
from .weights import file_sha256

SERVER = "https://paddledet.bj.bcebos.com/models/mot"
BUNDLED = Path(__file__).parents[1] / "lite" / "weights" / "fairmot_lite.safetensors"
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
        The tracker it was published with: its name, unless that is jde, and the settings that differ from the defaults.
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
_BYTE = MappingProxyType({"tracker": "ppdet_byte", "match_thres": 0.8, "conf_thres": 0.4, "low_conf_thres": 0.2})


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
