"""The project's own promises: one set of pins, a light import, a command line that exits cleanly."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import fairmot_lab.errors
from conftest import REPOSITORY

PYPROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
CONSTRAINTS = {
    canonicalize_name(name): version
    for name, version in re.findall(r"^([\w.-]+)==(\S+)$", (REPOSITORY / "constraints.txt").read_text(), re.M)
}


def requirements() -> list[Requirement]:
    project = PYPROJECT["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    return [Requirement(text) for texts in lists for text in texts]


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_every_requirement_is_pinned_inside_its_range(requirement: Requirement) -> None:
    assert requirement.specifier, f"{requirement.name} has no range"
    assert requirement.specifier.contains(CONSTRAINTS[canonicalize_name(requirement.name)])


def test_environment_yml_uses_the_same_pins() -> None:
    environment = yaml.safe_load((REPOSITORY / "environment.yml").read_text())
    assert environment["name"] == "fairmot-lab"
    assert environment["channels"] == ["conda-forge"]
    assert "python=3.11" in environment["dependencies"]
    pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert "-c constraints.txt" in pip
    assert "-e .[paddle,cluster,test]" in pip
    pins = dict(entry.split("==") for entry in pip if "==" in entry)
    assert {canonicalize_name(name): version for name, version in pins.items()}.items() <= CONSTRAINTS.items()
    assert set(pins) <= {requirement.name for requirement in requirements()}


def test_installed_versions_are_the_pinned_ones() -> None:
    from importlib.metadata import version

    if importlib.util.find_spec("paddle") is None:
        pytest.skip("constraints.txt is for the installation with the extra [paddle]")
    names = {canonicalize_name(requirement.name) for requirement in requirements()}
    different = {name: version(name) for name in names if version(name) != CONSTRAINTS[name]}
    assert not different, f"installed, but not what constraints.txt says: {different}"


def test_import_is_light() -> None:
    heavy = ("paddle", "ppdet", "motmetrics", "matplotlib", "onnxruntime", "IPython", "pandas", "cv2")
    for used in ("import fairmot_lab", "from fairmot_lab.cli.main import build_parser; build_parser()"):
        code = f"{used}; import sys; print([name for name in {heavy!r} if name in sys.modules])"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]", used


def test_every_public_name_can_be_loaded() -> None:
    import fairmot_lab

    missing = [name for name in fairmot_lab.__all__ if getattr(fairmot_lab, name, None) is None]
    assert not missing
    assert set(fairmot_lab.__all__) <= set(dir(fairmot_lab))
    with pytest.raises(AttributeError, match="attribute tracc"):
        _ = fairmot_lab.tracc


def test_version_is_the_same_everywhere() -> None:
    import fairmot_lab

    assert fairmot_lab.__version__ == PYPROJECT["project"]["version"]


def test_messages_of_errors_and_warnings_begin_with_a_capital() -> None:
    """Unless the first word is a name: of an argument, a setting or a function."""
    paths = sorted((REPOSITORY / "fairmot_lab").rglob("*.py"))
    nodes = [(path, node) for path in paths for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    names = {getattr(node, "arg", None) or getattr(node, "name", None) for _, node in nodes}
    names |= {getattr(getattr(node, "target", None), "id", None) for _, node in nodes}
    names |= {"jde_darknet53", "onnxruntime"}
    small = []
    for path, node in nodes:
        call = node.exc if isinstance(node, ast.Raise) else node
        if not isinstance(call, ast.Call) or not call.args:
            continue
        said = getattr(call.func, "id", getattr(call.func, "attr", ""))
        text = call.args[0]
        while isinstance(text, ast.JoinedStr | ast.BinOp):
            text = text.values[0] if isinstance(text, ast.JoinedStr) else text.left
        text = str(text.value) if isinstance(text, ast.Constant) else ""
        word = re.match(r"\w*", text)[0]
        setting = word in names and re.match(r"\w+(=|\(|'s| (is|of|names|needs?|must|takes)) ?", text)
        if (said == "warn" or hasattr(fairmot_lab.errors, said)) and text[:1].islower() and not setting:
            small.append(f"{path.name}:{node.lineno}: {text}")
    assert not small


def test_messages_about_what_cannot_be_read_name_a_remedy() -> None:
    """It follows a semicolon."""
    lacking = []
    for path in sorted((REPOSITORY / "fairmot_lab").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
                text = "".join(str(part.value) for part in ast.walk(node.exc.args[0]) if isinstance(part, ast.Constant))
                broken = re.search(r"cannot be (read|decoded|opened|run)|\bis damaged|\bis broken|is not an? ", text)
                if broken and hasattr(fairmot_lab.errors, getattr(node.exc.func, "id", "")) and ";" not in text:
                    lacking.append(f"{path.name}:{node.lineno}: {text}")
    assert not lacking


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["track"], ["evaluate", "--gt"]])
def test_wrong_usage_is_one_line_and_exit_2(arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", "fairmot_lab", *arguments], capture_output=True, text=True)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_nothing_committed_names_a_machine() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in listed.stdout.split():
        path = REPOSITORY / name
        if path.suffix in {".py", ".md", ".ipynb", ".yml", ".toml", ".txt", ".js", ".css"}:
            text = path.read_text()
            assert not re.search(r"/(?:root|home/\w+|work)/\w", text), f"{name} holds a path of one machine"
