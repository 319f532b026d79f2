"""Every snippet of README and docs runs, from top to bottom, in one fresh folder, twice.

Python blocks of a page share their names; lines of shell blocks run one after the other. A block whose first line is
`# not run by the tests: REASON` is left out; one that begins `# excerpt of FILE` has to be in that file, line by line.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import pytest
from matplotlib import pyplot as plt

import fairmot_lab as fl
from fairmot_lab.cli.main import main
from fairmot_lab.drawing import render_video
from fairmot_lab.lite.demo import make_sequence
from fairmot_lab.lite.scenes import SceneConfig

REPOSITORY = Path(__file__).resolve().parent.parent
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", flags=re.S | re.M)
LEFT_OUT = "# not run by the tests: "
EXCERPT = "# excerpt of "
#: In this order a reader meets them.
PAGES = ["README.md", "data/README.md", "docs/where-it-runs.md"]
PAGES += sorted(path.relative_to(REPOSITORY).as_posix() for path in REPOSITORY.glob("docs/how-to/*.md"))
PAGES += ["docs/gallery.md"]
PAGES += [
    name for name in sorted(path.relative_to(REPOSITORY).as_posix() for path in REPOSITORY.glob("docs/**/*.md"))
    if name not in PAGES and name != "docs/README.md"
]  # fmt: skip
PAGES += ["CONTRIBUTING.md"]


def blocks(page: str) -> list[tuple[int, str, str]]:
    """The fenced blocks of a page: line, language, text."""
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    return [(text.count("\n", 0, found.start()) + 1, found[1], found[2]) for found in FENCE.finditer(text)]


@pytest.mark.parametrize("page", PAGES)
def test_blocks_say_what_they_are(page: str) -> None:
    for line, language, text in blocks(page):
        assert language in ("python", "sh", "text", "ini"), f"{page}:{line} says {language!r}"
        if text.startswith(EXCERPT):
            path = text.split("\n", 1)[0].removeprefix(EXCERPT)
            there = {_bare(row) for row in (REPOSITORY / path).read_text(encoding="utf-8").splitlines()}
            shown = [_bare(row) for row in text.splitlines()[1:]]
            assert [row for row in shown if row not in there and row != "..."] == [], f"{page}:{line}"


def test_few_blocks_are_left_out() -> None:
    reasons = [text.split("\n")[0] for page in PAGES for _, _, text in blocks(page) if text.startswith(LEFT_OUT)]
    run = [1 for page in PAGES for _, language, text in blocks(page) if language in ("python", "sh") and _runs(text)]
    assert len(reasons) <= len(run) / 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a reader has who follows the pages: a clone, MOT17, some videos and result files. All of it is small."""
    root = tmp_path_factory.mktemp("fresh")
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, root / name)
    train = root / "data" / "MOT17" / "train"
    scene = make_sequence(root / "scene", 3, SceneConfig(length=30, width=480, height=270), progress=False)
    for name in ("MOT17-09-SDP", "MOT17-13-SDP"):
        shutil.copytree(scene, train / name)
        (train / name / "scene.json").unlink()
        note = train / name / "seqinfo.ini"
        note.write_text(note.read_text().replace("name=demo-3", f"name={name}"))
    source = fl.open_source(train / "MOT17-09-SDP")
    render_video(source, source.ground_truth.iloc[:0], root / "clip.mp4", progress=False)
    people = source.ground_truth.query("class_id == 1 and visibility > 0.3").drop(columns="score")
    (root / "results").mkdir()
    for name in ("MOT17-09-SDP", "MOT17-13-SDP"):
        fl.write_mot(people, root / "results" / f"{name}.txt")
    return root


@pytest.fixture(scope="module", autouse=True)
def _quiet_figures() -> Iterator[None]:
    matplotlib.use("agg")
    yield
    plt.close("all")


@pytest.mark.parametrize("page", [(run, page) for run in (1, 2) for page in PAGES], ids=lambda p: f"{p[0]}-{p[1]}")
def test_the_page_runs(
    page: tuple[int, str], folder: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.chdir(folder)
    if page[1] == "docs/detectors.md":
        _bring_networks(folder, request)
    names: dict = {"__name__": "__main__"}
    for line, language, text in blocks(page[1]):
        if language in ("python", "sh") and _runs(text):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", fl.FairMOTLabWarning)
                    _python(text, names) if language == "python" else _shell(text)
            except (Exception, SystemExit) as error:
                raise AssertionError(f"{page[1]}:{line} fails: {error!r}\n{text}") from error
    plt.close("all")


def _bring_networks(folder: Path, request: pytest.FixtureRequest) -> None:
    pretrained = request.getfixturevalue("real_data") / "pretrained"
    for name, there in (("yolox_nano", "yolox_nano_coco"), ("osnet_x0_25", "osnet_x0_25_msmt17")):
        if not (folder / f"{name}.onnx").exists():
            shutil.copy(pretrained / f"{there}.onnx", folder / f"{name}.onnx")


def _bare(row: str) -> str:
    """A row of code without indentation and comment."""
    return re.sub(r"\s+# .*", "", row).strip()


def _runs(text: str) -> bool:
    return not text.startswith((LEFT_OUT, EXCERPT))


def _python(text: str, names: dict) -> None:
    exec(compile(text, "snippet", "exec"), names)


def _shell(text: str) -> None:
    """Run shell lines; our own command in this process, because starting Python takes longer than most commands."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["fairmot-lab"]:
            assert main(words[1:]) == 0, line
        elif words[:2] == ["make", "demo"]:  # installed already, and shorter
            setup = ["-o", "setup", f"RUN={sys.executable}", "DEMO=--frames 40"]
            subprocess.run(["make", *setup, *words[1:]], check=True, capture_output=True)
        elif words[:1] != ["make"]:  # the others are what runs this test
            subprocess.run(["bash", "-ec", line], check=True, capture_output=True)
