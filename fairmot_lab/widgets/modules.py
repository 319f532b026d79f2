"""What is in static/: the style sheet, and ES modules joined into one, as anywidget and a page of its own load them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

STATIC = Path(__file__).parent / "static"

_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([a-z]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?:async )?(?:function|class|const) (\w+)", re.MULTILINE)


@cache
def stylesheet() -> str:
    """Return the style sheet of all views."""
    return _read("views.css")


@cache
def bundle(entry: str) -> str:
    """Return one ES module that holds `entry` and all modules that it imports.

    Each imported module becomes a function that returns its exports, so that names of different modules do not clash.

    Parameters
    ----------
    entry
        Name of a file in static/.

    Raises
    ------
    ValueError
        If modules import each other in a circle.

    Examples
    --------
    >>> text = bundle("table.js")
    >>> text.count("export default"), "import {" in text
    (1, False)
    """
    order: list[str] = []
    _gather(entry, order, ())
    shared = [_as_function(name) for name in order[:-1]]
    return "\n".join([*shared, _body(entry)])


def as_expression(entry: str) -> str:
    """Return what `entry` exports by default as a JavaScript expression, for a page that holds several bundles."""
    return f"(() => {{\n{bundle(entry).replace('export default ', 'return ')}\n}})()"


def _gather(name: str, order: list[str], above: tuple[str, ...]) -> None:
    """List a module behind those that it imports."""
    if name in above:
        raise ValueError(f"The modules {' -> '.join([*above, name])} import each other in a circle.")
    if name in order:
        return
    for match in _IMPORT.finditer(_read(name)):
        _gather(match[2], order, (*above, name))
    order.append(name)


def _as_function(name: str) -> str:
    text = _body(name)
    exports = ", ".join(_EXPORT.findall(_read(name)))
    return f"const {_variable(name)} = (() => {{\n{text}\nreturn {{ {exports} }};\n}})();"


def _body(name: str) -> str:
    """The text of a module that finds its imports in variables."""
    text = _IMPORT.sub(
        lambda match: f"const {{{match[1].replace(' as ', ': ')}}} = {_variable(match[2])};\n", _read(name)
    )
    return re.sub(r"^export (?!default)", "", text, flags=re.MULTILINE)


def _variable(name: str) -> str:
    return f"$module_{name.removesuffix('.js')}"


@cache
def _read(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")
