"""Checkpoints of FairMOT's authors: read without torch, renamed, and equal to the maps of the authors' own code."""

from __future__ import annotations

import importlib.util
import pickle
from pathlib import Path

import numpy as np
import pytest
from torch_files import save

from conftest import REPOSITORY
from fairmot_lab._paddle import import_paddle
from fairmot_lab.detection.authors import convert_authors_checkpoint
from fairmot_lab.detection.download import find_weights
from fairmot_lab.detection.fairmot import _loaded_network
from fairmot_lab.detection.weights import read_weights
from fairmot_lab.errors import UnknownModelError, WeightsError

GOLDEN = REPOSITORY / "tests" / "golden" / "torch"


@pytest.fixture(scope="module")
def checkpoint() -> dict[str, np.ndarray]:
    """All tensors of the authors' DLA-34, with the numbers that scripts/make_torch_files.py gave their code."""
    spec = importlib.util.spec_from_file_location("maker", REPOSITORY / "scripts" / "make_torch_files.py")
    assert spec is not None
    assert spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    tensors = {}
    for line in (GOLDEN / "authors_dla34.txt").read_text().splitlines():
        name, *shape = line.split()
        if name.endswith("num_batches_tracked"):
            tensors[name] = np.array(0)
        else:
            tensors[name] = maker.seeded_tensor(name, tuple(map(int, shape))).astype(np.float32)
    return tensors


@pytest.mark.parametrize("form", ["zip", "bare_pickle"])
def test_what_torch_wrote_is_read(form: str) -> None:
    """Views, transposed tensors, several types, a parameter, an optimizer beside the weights."""
    tensors = read_weights(GOLDEN / f"{form}.pth")
    base = np.arange(24, dtype=np.float32).reshape(4, 6)
    expected = {
        "weight": base,
        "view": base[1:3, 2:5],
        "transposed": base.T,
        "half": np.array([1.5, -2], np.float16),
        "bfloat": np.array([1.5, -2], np.float32),
        "double": np.array([[0.1]]),
        "steps": np.array(7),
        "empty": np.zeros((0, 3), np.float32),
        "parameter": np.ones(2, np.float32),
    }
    assert list(tensors) == [f"module.{name}" for name in expected]
    for name, values in expected.items():
        np.testing.assert_array_equal(tensors[f"module.{name}"], values)
        assert tensors[f"module.{name}"].dtype == values.dtype


@pytest.mark.parametrize("legacy", [False, True])
def test_the_maps_are_those_of_the_authors_code(
    checkpoint: dict[str, np.ndarray], legacy: bool, tmp_path: Path
) -> None:
    """Golden maps of the authors' network, run with torch; permuted offsets would differ by far more."""
    paddle = import_paddle()
    names = {f"module.{name}": value for name, value in checkpoint.items()} if legacy else checkpoint
    path = save(tmp_path / "mix_mot17_half_dla34.pth", names, legacy=legacy)
    weights = find_weights(path)
    assert (weights.architecture, weights.input_size, dict(weights.class_names)) == (
        "dla34",
        (1088, 608),
        {0: "pedestrian"},
    )
    assert weights.card is not None
    assert dict(weights.card.tracker) == {"min_box_area": 100, "det_thresh": 0.4}
    image = np.random.default_rng(0).random((1, 3, 64, 96), np.float32)
    network = _loaded_network(path, "dla34")
    with paddle.no_grad():
        maps = [values.numpy() for values in network(paddle.to_tensor(image))]
    golden = np.load(GOLDEN / "authors_dla34.npz")
    maps[3] = maps[3][:, :, ::4, ::4]
    for values, name in zip(maps, ("hm", "wh", "reg", "id"), strict=True):
        assert golden[name].std() > 5e-3
        np.testing.assert_allclose(values, golden[name], atol=2e-4, err_msg=name)
    if legacy:
        return
    for name, parameter in network.named_parameters():
        if name.endswith("conv_offset.weight"):
            parameter.set_value(parameter.numpy()[::-1].copy())
    with paddle.no_grad():
        spoiled = network(paddle.to_tensor(image))[0].numpy()
    assert np.abs(spoiled - golden["hm"]).max() > 1e-3


def test_names_that_only_training_needs_are_dropped() -> None:
    names = ["base.fc.weight", "base.level0.1.num_batches_tracked", "hm.2.bias"]
    assert list(convert_authors_checkpoint(dict.fromkeys(names, np.zeros(1)))) == ["detector.head.heatmap.2.conv.bias"]
    with pytest.raises(WeightsError, match="twice"):
        convert_authors_checkpoint({"hm.2.bias": np.zeros(1), "module.hm.2.bias": np.zeros(1)})


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["deconv_layers.0.weight", "hm.0.weight"], "ResNet with deconvolutions"),
        (["module.stage2.0.branches.0.0.conv1.weight"], "HRNet, whose neck concatenates"),
        (["backbone.model.0.conv.conv.weight"], "a YOLO network"),
        (["layer1.0.conv1.weight"], "a ResNet"),
        (["module.base.base_layer.0.weight", "hm.0.weight"], "DLA-34 without deformable convolutions"),
    ],
)
def test_the_authors_other_networks_get_a_sentence(names: list[str], words: str, tmp_path: Path) -> None:
    path = save(tmp_path / "all_other.pth", dict.fromkeys(names, np.zeros((1, 1), np.float32)))
    with pytest.raises(WeightsError, match=f"is a checkpoint of .*{words}.*heatmap, size, offset and embedding"):
        find_weights(path)


def test_a_name_without_its_file_says_where_to_get_it() -> None:
    with pytest.raises(UnknownModelError, match=r"download it by hand .*mot20_fairmot\.pth"):
        find_weights("mot20_fairmot")


# -- hostile files --------------------------------------------------------------------------------------------------


def _small() -> dict[str, np.ndarray]:
    return {"a": np.arange(12, dtype=np.float32).reshape(3, 4), "b": np.ones(2, np.float32)}


@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_torch_file_is_refused_and_does_not_run(legacy: bool, tmp_path: Path) -> None:
    import os

    victim = tmp_path / "ran"

    class Evil:
        def __reduce__(self) -> tuple:
            return os.mkdir, (str(victim),)

    path = save(tmp_path / "evil.pth", _small(), legacy=legacy, wrap=lambda state: {"state_dict": state, "x": Evil()})
    with pytest.raises(WeightsError, match=r"evil\.pth carries code \(posix\.mkdir\)"):
        read_weights(path)
    assert not victim.exists()


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"shape": (2**30, 2**30), "strides": (2**30, 1)}, "larger than its storage"),
        ({"shape": (3, 4), "strides": (2**20, 1)}, "larger than its storage"),
        ({"offset": 2**40}, "larger than its storage"),
        ({"offset": -1}, "impossible"),
        ({"shape": (-3, 4)}, "impossible"),
        ({"shape": (1000, 4), "strides": (0, 1)}, "larger than its storage"),
        ({"shape": tuple([1] * 40)}, "short list"),
    ],
)
def test_impossible_tensors_are_refused(legacy: bool, change: dict, words: str, tmp_path: Path) -> None:
    path = save(
        tmp_path / "odd.pth",
        _small(),
        legacy=legacy,
        change=lambda tensor: [setattr(tensor, *x) for x in change.items()],
    )
    with pytest.raises(WeightsError, match=words):
        read_weights(path)


@pytest.mark.parametrize("legacy", [False, True])
def test_files_that_are_cut_short(legacy: bool, tmp_path: Path) -> None:
    whole = save(tmp_path / "a.pth", _small(), legacy=legacy).read_bytes()
    for cut in (0, 1, 2, 30, len(whole) // 2, len(whole) - 5):
        (tmp_path / "a.pth").write_bytes(whole[:cut])
        with pytest.raises(WeightsError, match=r"a\.pth"):
            read_weights(tmp_path / "a.pth")


def test_links_and_twins_in_a_zip_are_refused(tmp_path: Path) -> None:
    import zipfile

    path = save(tmp_path / "a.pth", _small())
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("archive/data/9")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(WeightsError, match="links are not followed"):
        read_weights(path)
    path = save(tmp_path / "b.pth", _small())
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("archive/data/0", b"")
    with pytest.raises(WeightsError, match="two members of one name"):
        read_weights(path)


def test_what_is_not_a_state_dict_is_refused(tmp_path: Path) -> None:
    for wrap in (lambda state: [state], lambda state: {"state_dict": {"a": "text"}}, lambda state: 3):
        with pytest.raises(WeightsError, match="holds"):
            read_weights(save(tmp_path / "a.pth", _small(), wrap=wrap))
    (tmp_path / "p.pth").write_bytes(pickle.dumps(_small()))
    with pytest.raises(WeightsError, match="not a file that torch"):
        read_weights(tmp_path / "p.pth")
