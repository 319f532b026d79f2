"""The documents hold what they promise: links lead somewhere, and every public name has its page."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

import fairmot_lab

REPOSITORY = Path(__file__).resolve().parent.parent
DOCUMENTS = [
    path
    for folder in (REPOSITORY, REPOSITORY / "docs", REPOSITORY / "data", REPOSITORY / "notebooks")
    for path in sorted(folder.glob("*.md"))
] + [path for name in ("models", "how-to") for path in sorted((REPOSITORY / "docs" / name).glob("*.md"))]


def anchors(text: str) -> set[str]:
    """The names that headings get: lower case, words joined by hyphens, punctuation dropped."""
    headings = re.findall(r"^#+ +(.+)$", re.sub(r"```.*?```", "", text, flags=re.S), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_links_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        name, _, anchor = target.partition("#")
        there = (document.parent / name).resolve() if name else document
        assert there.exists(), f"{document.name} links to {target}"
        if anchor and there.suffix == ".md":
            assert anchor in anchors(there.read_text(encoding="utf-8")), f"{document.name} links to {target}"


def test_the_index_lists_every_document() -> None:
    index = (REPOSITORY / "docs" / "README.md").read_text(encoding="utf-8")
    for path in (REPOSITORY / "docs").glob("**/*.md"):
        name = path.relative_to(REPOSITORY / "docs").as_posix()
        assert name == "README.md" or f"({name})" in index, name
    for path in (REPOSITORY / "notebooks").glob("*.ipynb"):
        assert f"(../notebooks/{path.name})" in index, path.name


def test_every_promise_names_a_test() -> None:
    promises = (REPOSITORY / "docs" / "reliability.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", promises))
    known = {
        name
        for path in (REPOSITORY / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), flags=re.M)
    }
    assert named
    assert named <= known, sorted(named - known)


def test_names_used_in_documents_and_notebooks_are_public() -> None:
    """And not by an accident of what was imported before: `fl.name` is one of the package's names."""
    texts = [path.read_text(encoding="utf-8") for path in DOCUMENTS]
    for path in (REPOSITORY / "notebooks").glob("*.ipynb"):
        cells = nbformat.read(path, as_version=4).cells
        texts += [cell.source for cell in cells]
    used = {name for text in texts for name in re.findall(r"\bfl\.([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?)", text)}
    for text in texts:
        for room, names in re.findall(r"from fairmot_lab\.(\w[\w.]*) import ([\w, ]+)", text):
            used |= {f"{room}.{name.strip()}" for name in names.split(",")}
    assert {"load_model", "trace", "widgets.TrackPlayer", "lite.demo.make_sequence"} <= used
    for name in sorted(used):
        first, *rest = name.split(".")
        assert first in fairmot_lab.__all__, name
        thing = getattr(fairmot_lab, first)
        for part in rest:
            assert hasattr(thing, part), name
            thing = getattr(thing, part)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built without a network: a broken link, anchor or reference fails it (`strict` in mkdocs.yml).

    The pictures of the gallery are left out: its code runs in test_documents_run.py.
    """
    folder = tmp_path_factory.mktemp("site")
    script = "import socket, runpy; socket.socket.connect = None; runpy.run_module('mkdocs', run_name='__main__')"
    command = [sys.executable, "-c", script, "build", "--quiet", "--site-dir", str(folder)]
    given = {**os.environ, "FAIRMOT_LAB_GALLERY": "no", "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY, env=given)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return folder


def test_every_public_name_has_its_place(site: Path) -> None:
    front = (site / "reference" / "index.html").read_text(encoding="utf-8")
    for name in fairmot_lab.__all__:
        assert f"fl.{name}</code>" in front, name
    for path in (REPOSITORY / "fairmot_lab").glob("[!_]*.py"):
        page = (site / "reference" / f"{path.stem}.html").read_text(encoding="utf-8")
        assert 'class="doc doc-object' in page, path.stem


def test_every_document_and_notebook_has_its_page(site: Path) -> None:
    for path in REPOSITORY.glob("docs/**/*.md"):
        name = path.relative_to(REPOSITORY / "docs").with_suffix(".html")
        assert name.name == "README.html" or (site / name).exists(), name
    for path in REPOSITORY.glob("notebooks/*.ipynb"):
        assert (site / "tour" / f"{path.stem}.html").exists(), path.stem
    front = (site / "index.html").read_text(encoding="utf-8")
    for name in ("changelog", "contributing", "data", "documents", "gallery"):
        assert f'href="{name}.html"' in front, name


def test_search_finds_docs_and_docstrings(site: Path) -> None:
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    titles = {entry["location"]: entry["title"] for entry in index["docs"]}
    assert "how-to/why-did-person-12-switch.html" in titles
    assert any(place.endswith("#fairmot_lab.pipeline.table.track") for place in titles)


def test_pages_need_no_network_and_name_no_machine(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"(https?://[^\"]+)", text)
        assert not loaded, (page.name, loaded)
        assert str(REPOSITORY) not in text, page.name
        assert str(Path.home()) + "/" not in text, page.name


def test_every_public_name_is_documented() -> None:
    for name in fairmot_lab.__all__:
        thing = getattr(fairmot_lab, name)
        assert inspect.getdoc(thing), f"{name} has no docstring"
        if not inspect.ismodule(thing):
            continue
        for part, member in vars(thing).items():
            own = inspect.isfunction(member) and member.__module__ == thing.__name__
            if own and not part.startswith("_"):
                assert inspect.getdoc(member), f"{name}.{part} has no docstring"


def test_functions_with_several_arguments_describe_them() -> None:
    """NumPy style: a section of parameters wherever there is more than one to explain."""
    for name in fairmot_lab.__all__:
        thing = getattr(fairmot_lab, name)
        if inspect.isfunction(thing) and len(inspect.signature(thing).parameters) > 1:
            assert re.search(r"^Parameters\n-+$", inspect.getdoc(thing) or "", flags=re.M), name


def test_public_functions_show_an_example_that_runs() -> None:
    """The examples themselves run with the tests (--doctest-modules)."""
    lacking = []
    for name in fairmot_lab.__all__:
        thing = getattr(fairmot_lab, name)
        parts = {name: thing}
        if inspect.ismodule(thing):
            parts = {f"{name}.{part}": getattr(thing, part) for part in getattr(thing, "__all__", ())}
        lacking += [full for full, one in parts.items() if inspect.isfunction(one) and ">>>" not in (one.__doc__ or "")]
    assert not lacking
