"""Clear outputs, execution counts and everything of this machine from the notebooks, so that their diffs stay small.

python scripts/clean_notebooks.py [--check] [NOTEBOOK ...]
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from pathlib import Path

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def clean(text: str, stem: str) -> str:
    """The notebook with sources only, new cells named after their notebook, in nbformat 4.5's own layout."""
    notebook = json.loads(text)
    taken = {cell.get("id") for cell in notebook["cells"]}
    fresh = (name for number in itertools.count(1) if (name := f"{stem[:2]}-{number:02d}") not in taken)
    cells = []
    for cell in notebook["cells"]:
        kept = {"cell_type": cell["cell_type"], "id": cell.get("id") or next(fresh), "metadata": {}}
        if cell["cell_type"] == "code":
            kept.update(execution_count=None, outputs=[])
        source = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
        kept["source"] = source.strip("\n").splitlines(keepends=True)
        cells.append(kept)
    tidy = {"cells": cells, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(tidy, indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    """Clean in place, or with --check only say which notebooks are not clean."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if a notebook is not clean")
    parser.add_argument("notebooks", nargs="*", type=Path, default=sorted(NOTEBOOKS.glob("*.ipynb")))
    options = parser.parse_args()
    dirty = []
    for path in options.notebooks:
        text = path.read_text(encoding="utf-8")
        tidy = clean(text, path.stem)
        if tidy != text:
            dirty.append(path)
            if not options.check:
                path.write_text(tidy, encoding="utf-8")
    for path in dirty:
        print(f"{path}: {'not clean' if options.check else 'cleaned'}")
    return 1 if options.check and dirty else 0


if __name__ == "__main__":
    sys.exit(main())
