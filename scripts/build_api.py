"""Render the docstrings of fairmot_lab to docs/api/ (HTML, works without a network).

python scripts/build_api.py [FOLDER]
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from pathlib import Path

import pdoc
import pdoc.render

import fairmot_lab

REPOSITORY = Path(__file__).resolve().parent.parent


def module_names() -> list[str]:
    """`fairmot_lab` and every module in it that a user may import."""
    found = pkgutil.walk_packages(fairmot_lab.__path__, "fairmot_lab.")
    return ["fairmot_lab", *sorted(module.name for module in found if not module.name.endswith("__main__"))]


def build(folder: Path) -> list[Path]:
    """Write one page per module and the index with its search; returns the pages.

    Raises
    ------
    ImportError
        If a module cannot be imported: a page that silently lacks a module helps nobody.
    """
    names = module_names()
    for name in names:
        importlib.import_module(name)
    for name in fairmot_lab.__all__:
        getattr(fairmot_lab, name)  # loads the lazy names, so that they stand on the front page
    pdoc.render.configure(docformat="numpy", show_source=False, search=True, footer_text="fairmot_lab")
    pdoc.pdoc(*names, output_directory=folder)
    pages = sorted(folder.rglob("*.html"))
    for page in pages:  # values of constants show where this machine keeps the package
        text = page.read_text(encoding="utf-8")
        page.write_text(text.replace(f"{Path(fairmot_lab.__file__).parent.parent}/", ""), encoding="utf-8")
    return pages


def main() -> None:
    """Build into docs/api, or where told, and say where to look."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=REPOSITORY / "docs" / "api")
    folder = parser.parse_args().folder
    pages = build(folder)
    print(f"{len(pages)} pages; open {folder / 'fairmot_lab.html'}")


if __name__ == "__main__":
    sys.exit(main())
