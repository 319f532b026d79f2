"""What MkDocs does with the documents of the repository: see mkdocs.yml.

The documents are written for readers of the repository, so they link to files outside docs/. Here README, CONTRIBUTING,
CHANGELOG, data/README.md and the notebooks become pages, links between them are rewritten, the plots of the gallery are
drawn by the code that is shown, and every module gets a page of the reference.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import itertools
import json
import os
import pkgutil
import posixpath
import re
import warnings
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import fairmot_lab
from fairmot_lab.errors import FairMOTLabWarning
from fairmot_lab.lite.demo import make_sequence
from fairmot_lab.pipeline import track_files

REPOSITORY = Path(__file__).resolve().parent.parent
#: Files of the repository outside docs/, and the pages that they become.
OUTSIDE = {
    "README.md": "index.md",
    "data/README.md": "data.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "docs/README.md": "documents.md",
    "LICENSE": "licence.txt",
    "fairmot_lab/lite/weights/LICENSE-YOLOX.md": "models/licence-yolox.md",
}
NAV = [
    {"Start": ["index.md", "documents.md", "where-it-runs.md", "data.md"]},
    {"Tour": []},
    {"How to": []},
    {"Gallery": "gallery.md"},
    {
        "Explained": [
            "detections.md", "detectors.md", "association.md", "trackers.md", "evaluation-protocols.md",
            "switch-kinds.md", "widgets.md", "datasets.md", "streaming.md", "paddlehub.md", "reliability.md",
            "models/fairmot_lite.md", "other-tools.md",
        ]
    },
    {"Reference": []},
    {"Project": ["contributing.md", "changelog.md", "models/licence-yolox.md"]},
]  # fmt: skip
LINK = re.compile(r"(\]\()([^)\s]+)(\))")
FENCE = re.compile(r"^```python\n(.*?)^```\n", flags=re.S | re.M)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fill the navigation: fixed parts above, notebooks, how-to pages and modules as they are found."""
    docs = REPOSITORY / "docs"
    found = {
        "Tour": [_notebook_page(path.name) for path in _notebooks()],
        "How to": [path.relative_to(docs).as_posix() for path in sorted((docs / "how-to").glob("*.md"))],
        "Reference": ["reference/index.md", *_module_pages()],
    }
    nav = [{name: pages or found[name] for name, pages in part.items()} for part in NAV]
    named = {page for part in nav for pages in part.values() for page in ([pages] if isinstance(pages, str) else pages)}
    written = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")} - {"README.md"}
    nav[4]["Explained"] += sorted(written - named)
    config.nav = [part | {name: _short(pages) for name, pages in part.items() if name == "Reference"} for part in nav]
    return config


def _short(pages: list[str]) -> list[str | dict[str, str]]:
    """Name modules in the navigation without the package, which all begin with."""
    return [page if page.endswith("index.md") else {PurePosixPath(page).stem: page} for page in pages]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not files of docs/."""
    for source, page in OUTSIDE.items():
        _add(files, config, page, (REPOSITORY / source).read_text(encoding="utf-8"))
    for path in _notebooks():
        _add(files, config, _notebook_page(path.name), _notebook_text(path))
    for name, text in _reference().items():
        _add(files, config, name, text)
    for number, picture in enumerate(_draw_gallery()):
        if picture:
            files.append(File.generated(config, f"gallery/{number}.png", content=picture))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links at pages of the site, and put each plot of the gallery below its code."""
    uri = page.file.src_uri
    here = next((source for source, name in _site_pages().items() if name == uri), f"docs/{uri}")
    markdown = LINK.sub(lambda link: link[1] + _target(link[2], here, uri) + link[3], markdown)
    if uri == "gallery.md":
        numbers = itertools.count()
        markdown = FENCE.sub(lambda fence: fence[0] + _picture(next(numbers), files), markdown)
    return markdown


def _picture(number: int, files: Files) -> str:
    drawn = files.get_file_from_path(f"gallery/{number}.png")
    return f"\n![What this code draws](gallery/{number}.png)\n" if drawn else ""


def _add(files: Files, config: MkDocsConfig, uri: str, content: str) -> None:
    files.append(File.generated(config, uri, content=content))


def _notebooks() -> list[Path]:
    return sorted((REPOSITORY / "notebooks").glob("*.ipynb"))


def _notebook_page(name: str) -> str:
    return f"tour/{Path(name).stem}.md"


def _site_pages() -> dict[str, str]:
    """From files of the repository to pages of the site; files of docs/ keep their names."""
    return OUTSIDE | {f"notebooks/{path.name}": _notebook_page(path.name) for path in _notebooks()}


def _target(target: str, here: str, uri: str) -> str:
    """What a link of the page `uri`, made from the file `here`, has to say on the site."""
    if re.match(r"[a-z]+:|#|<", target):
        return target
    path, _, anchor = target.partition("#")
    file = posixpath.normpath(posixpath.join(posixpath.dirname(here), path))
    there = _site_pages().get(file, file.removeprefix("docs/") if file.startswith("docs/") else None)
    if there is None and file in ("notebooks", "docs"):
        there = _notebook_page(_notebooks()[0].name) if file == "notebooks" else "documents.md"
    if there is None:
        return target  # MkDocs reports it
    return posixpath.relpath(there, posixpath.dirname(uri) or ".") + (f"#{anchor}" if anchor else "")


def _notebook_text(path: Path) -> str:
    """The prose and the code of a notebook; run it to see its figures."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    parts = []
    for cell in cells:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
    return "\n\n".join(parts) + "\n"


def _modules() -> list[str]:
    """`fairmot_lab` without what is private: the modules that a user may import."""
    found = (module.name for module in pkgutil.walk_packages(fairmot_lab.__path__, "fairmot_lab."))
    return sorted(name for name in found if not any(part.startswith("_") for part in name.split(".")))


def _module_pages() -> list[str]:
    return [f"reference/{name.removeprefix('fairmot_lab.')}.md" for name in _modules()]


def _reference() -> dict[str, str]:
    pages = {}
    for name, page in zip(_modules(), _module_pages(), strict=True):
        pages[page] = f"# {name}\n\n::: {name}\n    options:\n      show_root_heading: false\n"
    rows = ["| name | |", "|---|---|"]
    for name in fairmot_lab.__all__:
        thing = getattr(fairmot_lab, name)
        summary = (inspect.getdoc(thing) or "").split("\n", 1)[0]
        path = thing.__name__ if inspect.ismodule(thing) else f"{thing.__module__}.{thing.__qualname__}"
        rows.append(f"| [`fl.{name}`][{path}] | {summary} |")
    about = "`import fairmot_lab as fl` gives these names; the pages beside this one describe every module.\n"
    example = (
        "::: fairmot_lab._example\n    options:\n      show_root_heading: false\n      show_root_toc_entry: false\n"
    )
    pages["reference/index.md"] = "\n".join(
        ["# fairmot_lab", "", about, *rows, "", "## The example scene", "", example]
    )
    return pages


def _draw_gallery() -> list[bytes | None]:
    """Run the code of docs/gallery.md from top to bottom and return the picture that each snippet draws, if any.

    It runs where FAIRMOT_LAB_GALLERY says (build/docs by default), on the demo, which is made there once; "no" leaves
    the pictures out.
    """
    place = os.environ.get("FAIRMOT_LAB_GALLERY", str(REPOSITORY / "build" / "docs"))
    if place == "no":
        return []
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    folder = Path(place)
    if not (folder / "outputs" / "demo-0.tar").exists():
        track_files(make_sequence(folder / "data"), folder=folder / "outputs")
    pictures: list[bytes | None] = []
    names: dict = {}
    with contextlib.chdir(folder), warnings.catch_warnings():
        warnings.simplefilter("error", FairMOTLabWarning)
        for snippet in FENCE.findall((REPOSITORY / "docs" / "gallery.md").read_text(encoding="utf-8")):
            exec(snippet, names)
            picture = io.BytesIO()
            if plt.get_fignums():
                plt.savefig(picture, dpi=110)
            pictures.append(picture.getvalue() or None)
            plt.close("all")
    return pictures
