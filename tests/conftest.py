"""Fixtures that several test modules share. Real sequences are read from `../shared/data` or `FAIRMOT_LAB_DATA`."""

from __future__ import annotations

import gc
import importlib.util
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


# Files with tests that need the extra [paddle]. Without it these skip, and the summary counts them; a test of another
# file that asks for paddle or ppdet fails.
NEED_PADDLE = {
    "association": ("test_arithmetic", "test_jde", "test_ppdet_parity"),
    "detection": ("test_authors", "test_classes", "test_export", "test_inference_folder", "test_weights"),
    "lite": ("test_network", "test_training"),
    "tests": (
        "test_detection",
        "test_docs",
        "test_evaluation",
        "test_hub",
        "test_network",
        "test_notebooks",
        "test_zoo",
    ),
}


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Any:
    """Keep the garbage collector from looking through what is imported, then and later: 5 % of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def _skip_without_paddle(item: pytest.Item) -> Any:
    try:
        return (yield)
    except Exception as error:  # one of a notebook's cells comes as nbclient's own class
        asked = getattr(error, "name", None) in ("paddle", "ppdet") or "PaddlePaddle is not installed" in str(error)
        listed = item.path.stem in NEED_PADDLE.get(item.path.parent.name, ())
        if asked and listed and importlib.util.find_spec("paddle") is None:
            pytest.skip(f"needs the extra [paddle]: {str(error).strip().splitlines()[-1]}")
        raise


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Any:
    """Skip a test whose fixtures need paddle."""
    return (yield from _skip_without_paddle(item))


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Any:
    """Skip a test that needs paddle."""
    return (yield from _skip_without_paddle(pyfuncitem))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with MOT17/, MOT15/, video/ and golden/; tests that need it skip where it does not exist."""
    folder = Path(os.environ.get("FAIRMOT_LAB_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "MOT17" / "train").is_dir():
        pytest.skip(f"no real sequences in {folder} (set FAIRMOT_LAB_DATA)")
    return folder


@pytest.fixture(scope="session")
def mot17(real_data: Path) -> Path:
    """MOT17/train: ground truth, public detections and seqinfo of 21 folders."""
    return real_data / "MOT17" / "train"


@pytest.fixture(scope="session")
def mot17_09(mot17: Path) -> Path:
    """MOT17-09-SDP, the one MOT17 sequence with frames (525 of 1920x1080)."""
    return mot17 / "MOT17-09-SDP"


@pytest.fixture(scope="session")
def golden(real_data: Path) -> Path:
    """A real tracker's results on MOT17-train with TrackEval's own figures for them."""
    return real_data / "golden" / "trackeval-mot17-train"


@pytest.fixture(scope="session")
def pets_video(real_data: Path) -> Path:
    """PETS09-S2L1 as a video of 795 frames, 768x576."""
    return real_data / "video" / "vtest.avi"


@pytest.fixture(scope="session")
def demo_outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the demo and the tour sequence in `data/` and what the bundled model found in `outputs/`.

    It is made once for all workers, so nothing may be changed in it.
    """
    from filelock import FileLock

    import fairmot_lab as fl
    from fairmot_lab.lite.demo import make_sequence, make_tour

    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # the workers' folders lie in the folder of the run
        base = base.parent
    root = base / "demo-outputs"
    with FileLock(base / "demo-outputs.lock"):
        if not (root / "made").exists():
            for sequence in (make_sequence(root / "data", progress=False), make_tour(root / "data", progress=False)):
                fl.detect(fl.open_source(sequence), fl.load_model("fairmot_lite"), root / "outputs", progress=False)
            (root / "made").touch()
    return root


@pytest.fixture(scope="session")
def notebook_workspace(demo_outputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder laid out as the repository, for all tests of a worker that run notebooks.

    `notebooks/` holds copies of the notebooks; `data/` and `outputs/` are copies of those of `demo_outputs`.
    """
    root = tmp_path_factory.mktemp("workspace")
    for name in ("notebooks", "docs"):
        shutil.copytree(REPOSITORY / name, root / name, ignore=shutil.ignore_patterns(".ipynb_checkpoints", "api"))
    for name in ("data", "outputs"):
        shutil.copytree(demo_outputs / name, root / name)
    return root
