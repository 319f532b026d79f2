"""What all views share: how their modules are put together, shown, saved with a notebook, and closed."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import ipywidgets
import numpy as np
from traitlets import Bool, Unicode, link

from .._files import files_of, refuse_overwrite
from ..errors import FairMOTLabError
from .checks import refuse_unknown
from .modules import bundle, stylesheet
from .page import Page

# Attributes of views that hold what was read.
_DATA = ("source", "tracks", "_tables", "ground_truth", "evaluations", "detections", "player", "players")

# The saved picture hides while a live view precedes it; where there is none (no kernel), the picture stands in for it.
_SAVED_STYLE = """<style>
.jp-OutputArea-child:has(.fml) + .jp-OutputArea-child:has(.fml-saved) { display: none; }
.jp-OutputArea-child:not(:has(.fml)):has(+ .jp-OutputArea-child .fml-saved) { display: none; }
.fml-saved img { max-width: 100%; display: block; } .fml-saved { font-size: 13px; }
</style>"""


def sentence(error: Exception) -> str:
    """Return what a view shows of an error: ours are written for readers, others carry their type."""
    return str(error) if isinstance(error, FairMOTLabError) else f"{type(error).__name__}: {error}"


def floats(array: Any) -> bytes:
    """Pack numbers for the browser: 32-bit floats, little-endian, row by row."""
    return np.ascontiguousarray(array, "<f4").tobytes()


class Shown:
    """Display of a view: the live widget, followed by a picture that takes its place when there is no kernel."""

    def _ipython_display_(self, **kwargs: Any) -> None:
        from IPython.display import display

        live = self._repr_mimebundle_(**kwargs)  # type: ignore[attr-defined]
        if live is None:
            return
        data, metadata = live if isinstance(live, tuple) else (live, {})
        display(data, metadata=metadata, raw=True)
        display({"text/html": self._saved(), "text/plain": repr(self)}, raw=True)

    def _saved(self) -> str:
        try:
            body = self.saved_html()
        except Exception as error:  # the picture is an extra: the live view says what is wrong
            body = f"<p>No picture was saved: {escape(sentence(error))}</p>"
        name = type(self).__name__
        return f'{_SAVED_STYLE}<div class="fml-saved">{body}<p><em>{name}: run the cell to use it.</em></p></div>'

    def saved_html(self) -> str:
        """Return what a notebook shows that is opened without its kernel: HTML without scripts."""
        raise NotImplementedError

    def inputs(self) -> list[str]:
        """Return the files that were read for what is on show: no file that the view writes may overwrite them."""
        return files_of([getattr(self, name, None) for name in _DATA])

    def page(self, *, max_mb: float = 8.0, max_width: int = 960) -> Page:
        """Return a page that shows the view without a kernel and without a network; see `to_html`."""
        raise NotImplementedError

    def to_html(self, path: str | Path, **options: Any) -> Path:
        """Write a page that works without a kernel and without a network.

        Parameters
        ----------
        path
            The file to write.
        **options
            `max_mb` and `max_width` bound the size of the page and the width of its pictures (pixels). Views with
            frames also take `frames`, the numbers of those to put in: by default the one on show, those around ID
            switches, and as many others, evenly spread, as fit.

        Returns
        -------
        Path
            The file. What was left out is said at its foot.

        Raises
        ------
        WriteError
            If the file cannot be written, or is one that the view shows.
        """
        refuse_overwrite(path, self)
        return self.page(**options).write(path)


class View(Shown, anywidget.AnyWidget):
    """An element drawn by one of the modules in static/, which `module` names.

    A subclass sets `module`, and in `shared` the traits that it shares with other views of a page, by channel.

    Attributes
    ----------
    error : str
        Shown in a banner above the view; empty for none.
    note : str
        Shown below the view: what was left out and why.
    """

    error = Unicode("").tag(sync=True)
    note = Unicode("").tag(sync=True)
    module: ClassVar[str] = ""
    shared: ClassVar[Mapping[str, str]] = {}
    _css = stylesheet()
    _closed = True  # until it is made: an error on the way leaves nothing to close

    def __init_subclass__(cls, **kwargs: Any) -> None:
        if "module" in cls.__dict__:
            cls._esm = bundle(cls.module)
        super().__init_subclass__(**kwargs)

    def __init__(self, **traits: Any) -> None:
        refuse_unknown(type(self).__name__, traits, self.trait_names())
        super().__init__(**traits)
        self._handlers: dict[str, Callable[[dict, list], None]] = {}
        self._closed = False
        self.on_msg(self._receive)

    def _receive(self, _: Any, content: Any, buffers: list) -> None:
        """Hand a message of the browser to its handler; an error in it is shown, not lost in a log."""
        handler = self._handlers.get(content.get("kind", "")) if isinstance(content, dict) else None
        if handler is None:
            return
        try:
            handler(content, buffers)
        except Exception as error:
            self.error = sentence(error)

    def close(self) -> None:
        """Close the view in all its places and free what it holds."""
        if not self._closed:
            self._closed = True
            self._handlers.clear()
            _close_parts(self)
            super().close()

    def state(self) -> dict[str, Any]:
        """Return the synced traits that the module reads: what a page without a kernel is made of."""
        skip = set(ipywidgets.DOMWidget.class_trait_names()) | {"_esm", "_css", "_anywidget_id", "comm"}
        return {name: getattr(self, name) for name in self.traits(sync=True) if name not in skip}

    def page(self, *, max_mb: float = 8.0, max_width: int = 960) -> Page:
        page = Page(type(self).__name__, max_mb=max_mb)
        self.add_to(page)
        return page

    def add_to(
        self,
        page: Page,
        *,
        group: str | None = None,
        title: str | None = None,
        links: Mapping[str, str] | None = None,
        changes: Mapping[str, Any] | None = None,
        frames: Mapping[int, tuple[dict, list[bytes]]] | None = None,
    ) -> None:
        """Put the view into a page, in its present state.

        Parameters
        ----------
        page
            The page.
        group
            Views that follow each other with the same group stand side by side.
        title
            A heading above the view.
        links
            Channels by trait, added to `shared`; "" takes one away.
        changes
            Traits that differ from the present state.
        frames
            What the view gets for each frame: message and buffers.
        """
        connected = {trait: channel for trait, channel in {**self.shared, **(links or {})}.items() if channel}
        state = {**self.state(), "exports": [], **(changes or {})}
        page.add_part(self.module, state, connected, frames or {}, title=title, group=group)


class Panel(Shown, ipywidgets.VBox):
    """Several views and controls that belong together.

    Attributes
    ----------
    error : str
        What went wrong last, shown above the parts; empty for none.
    active : bool
        False while the panel is out of sight: it then leaves changes of the frame alone, and catches up later.
    """

    error = Unicode("")
    active = Bool(True)
    _closed = True  # until it is made: an error on the way leaves nothing to close

    def __init__(self, **traits: Any) -> None:
        refuse_unknown(type(self).__name__, traits, self.trait_names())
        super().__init__(**traits)
        self._closed = False
        self._banner = ipywidgets.HTML(layout={"display": "none"})
        self._closers: list[Callable[[], None]] = []
        self.observe(self._show_error, "error")
        self.add_class("fml-panel")
        self.children = [self._banner]  # closed with the panel even where the rest of it cannot be made

    def _show_error(self, _: Any) -> None:
        self._banner.layout.display = "" if self.error else "none"
        shown = f'<div class="fml-error" role="alert">{escape(self.error)}</div>'
        self._banner.value = block(shown) if self.error else ""

    def _tie(self, one: Any, trait: str, other: Any, other_trait: str | None = None) -> None:
        """Keep a trait of two objects equal for as long as the panel lives; at first the other takes the value of one.

        The trait of the other has the same name where none is given.
        """
        self._closers.append(link((one, trait), (other, other_trait or trait)).unlink)

    def _watch(self, widget: Any, traits: str | Sequence[str], function: Callable[[], object]) -> None:
        """Call a function when a trait changes, for as long as the panel lives; what goes wrong in it is shown."""
        observer = self._guard(lambda _: function())
        widget.observe(observer, traits)
        self._closers.append(lambda: widget.unobserve(observer, traits))

    def _button(self, text: str, meaning: str, action: Callable[[], object]) -> ipywidgets.Button:
        """Make a button; what goes wrong in its action is shown in the panel."""
        button = ipywidgets.Button(description=text, tooltip=meaning, layout={"width": "auto"})
        button.on_click(self._guard(lambda _: action()))
        return button

    def _guard(self, function: Callable[..., object]) -> Callable[..., None]:
        """Wrap a function that the browser calls: what goes wrong in it is shown in the panel."""

        def guarded(*arguments: Any) -> None:
            if self._closed:
                return
            try:
                function(*arguments)
            except Exception as error:
                self.error = sentence(error)

        return guarded

    def close(self) -> None:
        """Close all parts, stop what runs in the background, and free what it holds."""
        if not self._closed:
            self._closed = True
            for closer in self._closers:
                closer()
            _close_parts(self)
            super().close()


def _close_parts(widget: ipywidgets.Widget) -> None:
    """Close children, layout and style too: ipywidgets leaves them registered for ever."""
    for child in getattr(widget, "children", ()):
        if not isinstance(child, Shown):
            _close_parts(child)
        child.close()
    for part in ("layout", "style"):
        if isinstance(getattr(widget, part, None), ipywidgets.Widget):
            getattr(widget, part).close()
    widget.unobserve_all()


def block(content: str, *classes: str) -> str:
    """Return HTML for `ipywidgets.HTML`, in the style of our views."""
    return f'<div class="{" ".join(("fml", *classes))}">{content}</div>'


def picture(jpeg: bytes, text: str) -> str:
    """Return an <img> element that carries its bytes."""
    return f'<img alt="{escape(text)}" src="data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}">'


def html_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], limit: int = 100) -> str:
    """Return a plain HTML table; rows past the limit are counted, not dropped in silence."""
    head = "".join(f'<th scope="col">{escape(str(c))}</th>' for c in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(v))}</td>" for v in row) + "</tr>" for row in rows[:limit])
    rest = f"<p>{len(rows) - limit} more rows are not in this page.</p>" if len(rows) > limit else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{rest}"


def escape(text: Any) -> str:
    """Return text for HTML, between tags or inside quotes: nothing in it is read as markup.

    Examples
    --------
    >>> escape("<img src=x onerror='f()'>")
    '&lt;img src=x onerror=&#x27;f()&#x27;&gt;'
    """
    return html.escape(str(text), quote=True)
