"""Pages that show views without a kernel and without a network."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._files import atomic_write
from .base import STATIC, View, escape, stylesheet

if TYPE_CHECKING:
    from .player import TrackPlayer

# The module of each view, and the traits that it shares with the others on its page.
KINDS = {
    "TrackPlayer": ("player", {"frame": "frame", "selected_id": "id", "selected_gt_id": "person"}),
    "TableView": ("table", {}),
    "MatrixView": ("matrix", {}),
    "ScatterView": ("scatter", {"frame": "frame", "selected_id": "id"}),
    "HistogramView": ("histogram", {}),
}

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ margin: 16px; font: 14px/1.5 system-ui, sans-serif; }}
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
    """Gathers views and writes them as one HTML file.

    Parameters
    ----------
    title
        Of the page.
    max_mb
        Bound of its size in megabytes: as many frames are put in as fit.
    """

    def __init__(self, title: str, *, max_mb: float = 8.0) -> None:
        self.title, self.max_bytes = title, int(max_mb * 1e6)
        self._parts: list[dict[str, Any]] = []
        self._body: list[tuple[str, str | None]] = []
        self._left_out: list[str] = []
        self._used = len(stylesheet()) + 100_000

    def add_text(self, text: str) -> None:
        """A paragraph."""
        self._body.append((f"<p>{escape(text)}</p>", None))

    def add_html(self, html: str) -> None:
        """HTML as it is."""
        self._body.append((html, None))
        self._used += len(html)

    def left_out(self, what: str) -> None:
        """Name something that the page lacks."""
        self._left_out.append(what)

    def add_view(
        self,
        view: View,
        *,
        group: str | None = None,
        title: str | None = None,
        note: str | None = None,
        links: dict[str, str] | None = None,
        changes: dict[str, Any] | None = None,
        frames: dict[int, Any] | None = None,
    ) -> None:
        """A view in its present state.

        Parameters
        ----------
        view
            What to show.
        group
            Views that follow each other with the same group stand side by side.
        title, note
            A heading above it; a sentence for the foot of the page.
        links
            Channels by trait, added to those that all views of its kind share; "" takes one away.
        changes
            Traits that differ from the present state.
        frames
            What a player gets for each frame: (message, buffers).
        """
        kind, shared = KINDS[type(view).__name__]
        held = {number: {"message": message, "buffers": list(b)} for number, (message, b) in (frames or {}).items()}
        connected = {trait: channel for trait, channel in {**shared, **(links or {})}.items() if channel}
        state = {**view.state(), **(changes or {})}
        self._parts.append({"kind": kind, "state": state, "links": connected, "frames": held})
        heading = f"<h2>{escape(title)}</h2>" if title else ""
        self._body.append((f'<div>{heading}<div id="view-{len(self._parts) - 1}"></div></div>', group))
        self._used += len(json.dumps(state, default=_encode))
        if note:
            self.left_out(note)

    def add_player(
        self,
        player: TrackPlayer,
        *,
        frames: Sequence[int] | None = None,
        max_width: int = 960,
        share: int = 1,
        **options: Any,
    ) -> None:
        """A player with as many frames as fit.

        Parameters
        ----------
        player
            What to show.
        frames
            The frames to put in, if they fit; by default the one on show, those of ID
            switches, and others evenly spread.
        max_width
            Width of the pictures in pixels.
        share
            Among how many players the room is divided.
        **options
            As of `add_view`.
        """
        budget = max(0, self.max_bytes - self._used) / share * 0.9
        wanted = list(frames) if frames is not None else preferred_frames(player)
        held: dict[int, Any] = {}
        size = 0.0
        for number in wanted[:1000]:
            message, buffers = player.payload(number, max_width=max_width, quality=75)
            cost = sum(len(b) for b in buffers) * 4 / 3 + 200
            if held and size + cost > budget:
                break
            held[number] = (message, buffers)
            size += cost
        numbers = sorted(held)
        rows = np.frombuffer(player.boxes, "<f4").reshape(-1, 8)
        changes = {
            "boxes": rows[np.isin(rows[:, 0], numbers)].tobytes(),
            "held": numbers,
            "poster": b"",
            "playing": False,
            "trail": 0,
            "frame": min(numbers, key=lambda n: abs(n - player.frame), default=player.frame),
        }
        if len(numbers) < player.length:
            self.left_out(f"{player.length - len(numbers)} of the {player.length} frames of {player.name}")
            if player.trail:
                self.left_out("trails, which need all frames")
        if max_width < player.width:
            self.left_out(f"detail: the pictures are {max_width} pixels wide instead of {player.width}")
        self._used += int(size)
        self.add_view(player, changes=changes, frames=held, **options)

    def render(self) -> str:
        """The page as text."""
        kinds = sorted({part["kind"] for part in self._parts})
        data = json.dumps({"title": self.title, "views": self._parts}, default=_encode).replace("</", "<\\/")
        modules = ", ".join(f"{kind}: () => {{ {_module(kind)} }}" for kind in kinds)
        script = f"{(STATIC / 'standalone.js').read_text()}\nstart({{ {modules} }});"
        left_out = "".join(f"<li>{escape(text)}</li>" for text in dict.fromkeys(self._left_out)) or "<li>nothing</li>"
        return _PAGE.format(
            title=escape(self.title),
            style=stylesheet(),
            body=_rows(self._body),
            left_out=left_out,
            data=data,
            script=script.replace("</script", "<\\/script"),
        )

    def write(self, path: str | Path | None) -> str:
        """The page as text, also written to `path` unless that is None."""
        html = self.render()
        if path is not None:
            with atomic_write(path) as temporary:
                temporary.write_text(html, encoding="utf-8")
        return html


def preferred_frames(player: TrackPlayer) -> list[int]:
    """Frames of a sequence in the order in which a page that cannot hold all should have them."""
    around = [mark["frame"] + step for mark in player.switches for step in (0, -1)]
    order = [player.frame, *around, *spread(player.length)]
    return [n for n in dict.fromkeys(order) if 1 <= n <= player.length]


def spread(length: int) -> Iterable[int]:
    """The numbers 1 to `length` in an order whose every beginning is evenly spread: ends first, then middles."""
    if length < 1:
        return []
    seen = [1, length]
    step = float(length - 1)
    while step > 1:
        seen += [round(1 + (k + 0.5) * step) for k in range(int((length - 1) / step))]
        step /= 2
    return dict.fromkeys([*seen, *range(1, length + 1)])


def _module(kind: str) -> str:
    """A view's module as the body of a function that returns what it exports."""
    from .base import compose

    return compose("common.js", f"{kind}.js").replace("export default {", "return {")


def _encode(value: Any) -> Any:
    if isinstance(value, (bytes, memoryview)):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, np.floating):
        return float(value)
    raise TypeError(f"{type(value).__name__} cannot be put in a page")


def _rows(parts: list[tuple[str, str | None]]) -> str:
    """Parts one below the other; those of one group side by side."""
    html, group = [], None
    for part, name in parts:
        if name != group:
            html.append(("</div>" if group else "") + ('<div class="row">' if name else ""))
            group = name
        html.append(part)
    return "\n".join([*html, "</div>" if group else ""])
