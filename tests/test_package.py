"""What is installed: the wheel's content, the extras, and the steps of the Dockerfile."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import fairmot_lab

REPOSITORY = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_versions_agree() -> None:
    assert PROJECT["version"] == fairmot_lab.__version__
    changes = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## {PROJECT['version']}\n" in changes
    kinds = re.findall(r"^### (\w+)$", changes, flags=re.M)
    assert set(kinds) <= {"Added", "Changed", "Fixed", "Removed"}


def test_wheel_has_the_model_and_the_views(tmp_path: Path) -> None:
    """`make package` also builds in isolation, checks with twine, installs both archives and tracks with them."""
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, tmp_path / name)
    shutil.copytree(REPOSITORY / "fairmot_lab", tmp_path / "fairmot_lab", ignore=shutil.ignore_patterns("__pycache__"))
    build = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(tmp_path / "dist"),
        str(tmp_path),
    ]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name: archive.getinfo(name).file_size for name in archive.namelist()}
    files = [path for path in (tmp_path / "fairmot_lab").rglob("*") if path.is_file()]
    wanted = {path.relative_to(tmp_path).as_posix(): path.stat().st_size for path in files}
    assert {name: size for name, size in packed.items() if "dist-info" not in name} == wanted
    assert packed["fairmot_lab/lite/weights/fairmot_lite.onnx"] > 1_000_000
    assert wheel.stat().st_size < 5_000_000


def docker_steps() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile, in order."""
    text = re.sub(r"\\\n", " ", (REPOSITORY / "Dockerfile").read_text(encoding="utf-8"))
    steps = [line.split(" ", 1) for line in text.splitlines() if line and not line.startswith("#")]
    return [(name, rest) for name, rest in steps]


def test_docker_steps_name_what_is_there() -> None:
    known = {"FROM", "RUN", "WORKDIR", "COPY", "USER", "EXPOSE", "CMD"}
    assert {name for name, _ in docker_steps()} <= known
    ignored = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").split()
    for name, rest in docker_steps():
        if name == "COPY":
            sources = [word for word in rest.split() if not word.startswith("--")][:-1]
            for source in sources:
                assert (REPOSITORY / source).exists()
                assert source not in ignored
    (extras,) = (re.findall(r"\[([\w,]+)\]", rest) for name, rest in docker_steps() if name == "RUN" and "pip" in rest)
    assert set(extras[0].split(",")) <= PROJECT["optional-dependencies"].keys()


def test_docker_copies_what_pip_needs(tmp_path: Path) -> None:
    """The root's step of pip, in a folder of the copied files alone; requirements are named, not fetched."""
    (step,) = (rest for name, rest in docker_steps() if name == "RUN" and "pip install" in rest)
    for name, rest in docker_steps():
        if name == "COPY" and rest.split()[-1].startswith("/opt/fairmot_lab"):
            *sources, target = rest.split()
            there = tmp_path / Path(target).relative_to("/opt")
            there.mkdir(exist_ok=True)
            for source in (REPOSITORY / name for name in sources):
                if source.is_dir():
                    shutil.copytree(source, there, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
                else:
                    shutil.copy(source, there)
    dry = step.replace("pip install", f"{sys.executable} -m pip install --dry-run --no-deps --no-build-isolation")
    done = subprocess.run(
        ["sh", "-ec", dry.replace("/opt", str(tmp_path))], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"Would install fairmot-lab-{PROJECT['version']}" in done.stdout


def test_docker_steps_lead_to_jupyterlab(tmp_path: Path) -> None:
    """Where no engine is at hand: the user's steps run one by one in a folder that stands for the image.

    JupyterLab itself starts in tests/browser; here it reads the options that it gets.
    """
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    given = {**os.environ, "JUPYTER_CONFIG_DIR": str(tmp_path / "config"), "PATH": path}
    steps = docker_steps()
    for name, rest in steps[steps.index(("USER", "user")) :]:
        if name == "RUN":
            short = rest.replace("demo --quiet", "demo --quiet --frames 5 --no-video")
            subprocess.run(["sh", "-ec", short], check=True, cwd=tmp_path, env=given, capture_output=True)
    assert (tmp_path / "outputs" / "demo-0.tar").exists()
    (command,) = (json.loads(rest) for name, rest in steps if name == "CMD")
    shown = [*command, "--show-config-json"]
    done = subprocess.run(shown, check=True, cwd=tmp_path, env=given, capture_output=True, text=True)
    config = json.loads(done.stdout)
    assert (config["ServerApp"]["port"], config["ServerApp"]["ip"]) == (8888, "0.0.0.0")
