"""Drives a real JupyterLab in Debian's Chromium; also used by benchmarks/player.py."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import nbformat
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = os.environ.get("FAIRMOT_LAB_CHROMIUM", "/usr/bin/chromium")
REPOSITORY = Path(__file__).resolve().parents[2]

# Settings of a user who wants no news and no cells that are drawn only when scrolled to.
SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
}
# Server settings that are not read from the command line.
CONFIG = {
    "LabApp": {"expose_app_in_browser": True, "extension_manager": "readonly", "news_url": None},
    "JupyterNotebookApp": {"expose_app_in_browser": True},
}

KERNEL_IDLE = """() => {
  const panel = window.jupyterapp?.shell.currentWidget;
  const kernel = panel?.context?.isReady && panel.sessionContext?.isReady && panel.sessionContext.session?.kernel;
  return !!kernel && kernel.status === 'idle';
}"""


class Server:
    """A JupyterLab that serves one folder."""

    def __init__(self, root: Path, process: subprocess.Popen, url: str, token: str) -> None:
        self.root, self.process, self.url, self.token = root, process, url, token

    def write(self, name: str, cells: Sequence[str]) -> Path:
        """Write a notebook with these code cells."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        path = self.root / name
        nbformat.write(notebook, path)
        return path


@contextlib.contextmanager
def jupyterlab(root: Path) -> Iterator[Server]:
    """Start JupyterLab on a free port, with settings, runtime files and kernels of its own."""
    with socket.socket() as probe, tempfile.TemporaryDirectory(prefix="jupyterlab-") as home:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        token, places = secrets.token_hex(16), Path(home)
        for plugin, values in SETTINGS.items():
            file = places / "settings" / f"{plugin}.jupyterlab-settings"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(values))
        (places / "config").mkdir()
        (places / "config" / "jupyter_lab_config.json").write_text(json.dumps(CONFIG))
        environment = {
            **os.environ,
            "JUPYTER_PLATFORM_DIRS": "1",
            "JUPYTER_CONFIG_DIR": str(places / "config"),
            "JUPYTER_DATA_DIR": str(places / "data"),
            "JUPYTER_RUNTIME_DIR": str(places / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(places / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(places / "workspaces"),
            "IPYTHONDIR": str(places / "ipython"),
            "PYTHONPATH": os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")])),
            "OMP_NUM_THREADS": "1",
        }
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
        command += [f"--ServerApp.port={port}", "--ServerApp.ip=127.0.0.1", "--ServerApp.port_retries=0"]
        command += [f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={root}"]
        with open(places / "server.log", "w") as log:
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        server = Server(root, process, f"http://127.0.0.1:{port}", token)
        try:
            _wait_until_up(server, places / "server.log")
            yield server
        finally:
            _shut_kernels(server)
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _ask(server: Server, path: str, method: str = "GET") -> bytes:
    request = urllib.request.Request(
        f"{server.url}/api/{path}", method=method, headers={"Authorization": f"token {server.token}"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read()


def _wait_until_up(server: Server, log: Path, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            _ask(server, "status")
            return
        except (urllib.error.URLError, OSError):
            if server.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-3000:]}") from None
            time.sleep(0.1)  # between two questions of a condition


def _shut_kernels(server: Server) -> None:
    with contextlib.suppress(urllib.error.URLError, OSError, ValueError):
        for session in json.loads(_ask(server, "sessions")):
            _ask(server, f"sessions/{session['id']}", "DELETE")


def shut_kernel(server: Server, notebook: str) -> None:
    """End the kernel of one notebook."""
    for session in json.loads(_ask(server, "sessions")):
        if session["path"] == notebook:
            _ask(server, f"sessions/{session['id']}", "DELETE")


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, headless."""
    flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions", "--no-first-run"]
    flags += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    flags += ["--enable-precise-memory-info", "--js-flags=--expose-gc"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def offline_page(page: Page, path: Path) -> Iterator[Page]:
    """An HTML file, opened in a page that has no network; any script error or request is a failure."""
    errors: list[str] = []
    listeners: dict[str, Callable[..., None]] = {
        "pageerror": lambda error: errors.append(str(error)),
        "console": lambda message: errors.append(message.text) if message.type == "error" else None,
        "request": lambda request: errors.append(request.url) if request.url.startswith("http") else None,
    }
    for event, listener in listeners.items():
        page.on(event, listener)
    try:
        page.goto(path.as_uri())
        yield page
    finally:
        for event, listener in listeners.items():
            page.remove_listener(event, listener)
    assert errors == []


class Notebook:
    """A notebook that is open in the browser. `errors` gathers what the page wrote to its console as errors.

    It is opened in a page of its own, or in `page`, where JupyterLab may run already: starting it takes 4 s of a core.
    """

    def __init__(
        self,
        browser: Browser,
        server: Server,
        name: str,
        size: tuple[int, int] = (1400, 1200),
        page: Page | None = None,
    ) -> None:
        self.server, self.name, self._owns_page = server, name, page is None
        self.page: Page = page or browser.new_page()
        self.page.set_viewport_size({"width": size[0], "height": size[1]})
        self.page.set_default_timeout(180_000)  # a busy machine is slow, not broken
        self.errors: list[str] = []
        self._listeners: dict[str, Callable[..., None]] = {
            "pageerror": lambda error: self._note(str(error), error.stack or ""),
            "console": lambda message: self._note(message.text) if message.type == "error" else None,
        }
        for event, listener in self._listeners.items():
            self.page.on(event, listener)
        if self.page.url == "about:blank":
            self.page.goto(f"{server.url}/doc/tree/{name}?token={server.token}")
        else:
            self.page.evaluate(
                "async path => { await window.jupyterapp.commands.execute('docmanager:open', {path}); }", name
            )
        self.wait_idle()

    def _note(self, error: str, stack: str = "") -> None:
        # anywidget says so after two seconds, which a busy machine needs; a view that really fails does not render
        if "[anywidget] Failed to initialize model" not in error:
            self.errors.append(f"{error} {stack}".strip())

    def take_errors(self) -> list[str]:
        """The errors since the last call, so that each is told of once."""
        taken, self.errors = self.errors, []
        return taken

    def wait_idle(self) -> None:
        """Wait until the kernel is there and has nothing to do."""
        self.page.wait_for_function(KERNEL_IDLE, polling=100)

    def command(self, name: str) -> object:
        """Run a command of JupyterLab and wait for its end."""
        return self.page.evaluate("name => window.jupyterapp.commands.execute(name)", name)

    def run(self) -> None:
        """Run all cells; an exception in one of them fails here."""
        ok = self.command("notebook:run-all-cells")
        wrong = self.page.evaluate(
            """() => window.jupyterapp.shell.currentWidget.content.widgets.flatMap(cell => cell.model.outputs ?
                cell.model.outputs.toJSON().filter(o => o.output_type === 'error').map(o => o.evalue) : [])"""
        )
        assert ok, wrong
        assert not wrong, wrong

    def kernel(self, code: str) -> str:
        """Run code in the notebook's kernel without a cell; returns what it printed."""
        return self.page.evaluate(
            """async code => {
                const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
                const future = kernel.requestExecute({code, store_history: false}, true);
                let text = '';
                future.onIOPub = m => {
                    if (m.header.msg_type === 'stream') text += m.content.text;
                    if (m.header.msg_type === 'error') text += m.content.ename + ': ' + m.content.evalue;
                };
                await future.done;
                future.dispose();
                return text;
            }""",
            code,
        )

    def until(self, condition: str, argument: object = None) -> None:
        """Wait until a JavaScript condition holds."""
        self.page.wait_for_function(condition, arg=argument, polling=50)

    def wait_kernel(self, code: str, wanted: str, seconds: float = 60) -> str:
        """Ask the kernel until `code` prints `wanted`; returns what it printed last."""
        deadline = time.monotonic() + seconds
        while True:
            printed = self.kernel(code).strip()
            if printed == wanted or time.monotonic() > deadline:
                return printed
            time.sleep(0.05)  # between two questions of a condition

    def theme(self, dark: bool) -> None:
        """Switch JupyterLab's theme, and wait for the end of its splash.

        JupyterLab takes the splash off the page 200 ms after a switch, once for each; two switches within that time
        make it throw "Failed to execute 'removeChild'" (`apputils-extension:splash`).
        """
        name = "JupyterLab Dark" if dark else "JupyterLab Light"
        self.page.evaluate("name => window.jupyterapp.commands.execute('apputils:change-theme', {theme: name})", name)
        self.until(
            "dark => document.body.dataset.jpThemeLight === String(!dark) "
            "&& !document.getElementById('jupyterlab-splash')",
            dark,
        )

    def add_cell(self, code: str) -> None:
        """Put a cell below the active one and run it."""
        self.command("notebook:insert-cell-below")
        self.page.evaluate(
            "code => window.jupyterapp.shell.currentWidget.content.activeCell.model.sharedModel.setSource(code)", code
        )
        self.command("notebook:run-cell")

    def close(self) -> None:
        """Close the notebook, and the page if it is the notebook's own, and end the kernel."""
        if self._owns_page:
            self.page.close()
        else:
            for event, listener in self._listeners.items():
                self.page.remove_listener(event, listener)
            self.page.evaluate("() => window.jupyterapp.shell.currentWidget.dispose()")  # unlike close: asks nothing
        shut_kernel(self.server, self.name)
