"""Pages that show views without a kernel and without a network."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .._files import write_text
from ..errors import ViewError
from .modules import as_expression, bundle, stylesheet

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data: blob:; style-src 'unsafe-inline';
 script-src 'unsafe-inline'; connect-src 'self'">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ margin: 16px; font: 14px/1.5 system-ui, sans-serif; }}
h1 {{ font-size: 18px; }} h2 {{ font-size: 15px; margin: 12px 0 4px; }}
.row {{ display: flex; flex-wrap: wrap; gap: 16px; }} .row > * {{ flex: 1 1 420px; min-width: min(100%, 320px); }}
footer {{ border-top: 1px solid; margin-top: 16px; padding-top: 8px; }} code {{ overflow-wrap: anywhere; }}
{style}
</style></head><body>
<h1>{title}</h1>
{body}
<footer><p>Left out of this page:</p><ul>{left_out}</ul></footer>
<script type="application/json" id="fml-data">{data}</script>
<script type="module">
{script}
</script></body></html>
"""


class Page:
    """Gathers parts of views and writes them as one HTML file.

    Parameters
    ----------
    title
        Of the page.
    max_mb
        Bound of its size in megabytes.
    """

    def __init__(self, title: str, *, max_mb: float = 8.0) -> None:
        if not 0 < max_mb < float("inf"):
            raise ViewError(f"max_mb is {max_mb}; give how many megabytes the page may have.")
        self.title, self.max_bytes = title, int(max_mb * 1e6)
        self._parts: list[dict[str, Any]] = []
        self._body: list[tuple[str, str | None]] = []
        self._left_out: list[str] = []
        self._used = len(stylesheet()) + 160_000  # the modules

    @property
    def room(self) -> int:
        """Bytes that are left for pictures."""
        return max(0, self.max_bytes - self._used)

    def take(self, size: int) -> None:
        """Count bytes that a part adds."""
        self._used += size

    def add_text(self, text: str) -> None:
        """Add a paragraph."""
        self.add_html(f"<p>{html.escape(text)}</p>")

    def add_html(self, text: str) -> None:
        """Add HTML as it is: whoever makes it escapes what comes from files."""
        self._body.append((text, None))
        self.take(len(text))

    def left_out(self, what: str) -> None:
        """Name something that the page lacks."""
        self._left_out.append(what)

    def add_part(
        self,
        module: str,
        state: Mapping[str, Any],
        links: Mapping[str, str],
        frames: Mapping[int, tuple[dict, list[bytes]]],
        *,
        title: str | None = None,
        group: str | None = None,
    ) -> None:
        """Add a view.

        Parameters
        ----------
        module
            The module in static/ that draws it.
        state
            Its traits.
        links
            Channels by trait: traits of one channel move together.
        frames
            What it gets for each frame: message and buffers.
        title, group
            A heading; parts that follow each other with the same group stand side by side.
        """
        held = {number: {"message": message, "buffers": list(b)} for number, (message, b) in frames.items()}
        kind = module.removesuffix(".js")
        self._parts.append({"kind": kind, "state": dict(state), "links": dict(links), "frames": held})
        heading = f"<h2>{html.escape(title)}</h2>" if title else ""
        self._body.append((f'<div>{heading}<div id="view-{len(self._parts) - 1}"></div></div>', group))
        self.take(len(json.dumps(dict(state), default=_encode)))

    def render(self) -> str:
        """Return the page as text."""
        kinds = sorted({part["kind"] for part in self._parts})
        data = json.dumps({"views": self._parts}, default=_encode)
        modules = ",\n".join(f"{kind}: {as_expression(f'{kind}.js')}" for kind in kinds)
        script = f"{bundle('standalone.js')}\nstart({{ {modules} }});"
        left_out = "".join(f"<li>{html.escape(text)}</li>" for text in dict.fromkeys(self._left_out))
        return _PAGE.format(
            title=html.escape(self.title),
            style=stylesheet(),
            body=_rows(self._body),
            left_out=left_out or "<li>nothing</li>",
            data=data.replace("<", "\\u003c"),  # neither </script> nor <!-- can end or hide what follows
            script=script.replace("</script", "<\\/script"),
        )

    def write(self, path: str | Path) -> Path:
        """Write the page and return its path."""
        return write_text(path, self.render())


def _encode(value: Any) -> Any:
    if isinstance(value, (bytes, memoryview)):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, np.floating):
        return float(value)
    raise TypeError(f"{type(value).__name__} cannot be put in a page")


def _rows(parts: list[tuple[str, str | None]]) -> str:
    """Stack parts; those of one group stand side by side."""
    text, group = [], None
    for part, name in parts:
        if name != group:
            text.append(("</div>" if group else "") + ('<div class="row">' if name else ""))
            group = name
        text.append(part)
    return "\n".join([*text, "</div>" if group else ""])
