"""Download weights: resumable, retried, checked before use."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from .._files import exists, lock, private_folder, write_error
from .._progress import progress_bar
from ..errors import DownloadError, UnknownModelError, WeightsError
from .authors import describe_foreign_checkpoint
from .fairmot import heads_of, read_checkpoint
from .weights import SUFFIXES, check_seal, file_sha256, read_weights
from .zoo import (
    ARCHITECTURES,
    BUNDLED,
    ModelCard,
    card_of_file,
    check_record,
    find_card,
    record_path,
    recorded_sha256,
    write_record,
)

CHUNK = 2**18
SLOWEST = 1000  # bytes a second


def download(name: str, *, progress: bool = True, timeout: float = 30.0, attempts: int = 5, pause: float = 1.0) -> Path:
    """Fetch the weights of a model into the cache; resume a transfer that was cut.

    Parameters
    ----------
    name
        A name of the zoo.
    progress
        Whether a progress bar is shown.
    timeout
        Seconds in which a connection must bring 1000 bytes a second to count as alive.
    attempts
        Connections in a row that may bring nothing new.
    pause
        Seconds before the first new attempt; doubled before each further one.

    Returns
    -------
    pathlib.Path
        The file in the cache.

    Raises
    ------
    DownloadError
        If the server cannot be reached, is too slow, promises or sends more than the file can have, sends less than it
        promised, sends something that is not a weights file, or another file than the first time.
    UnknownModelError
        If there is no such model.
    WriteError
        If the cache cannot be written, belongs to another user, or another process is downloading the same file.

    Examples
    --------
    >>> download("fairmot_lite").name.startswith("fairmot_lite")  # the bundled model is never fetched
    True
    """
    card = find_card(name)
    if card.bundled:
        return card.path
    if card.path.is_file():
        check_record(card)
        return card.path
    private_folder(card.path.parent)
    part = card.path.with_suffix(".part")
    with lock(card.path, f"{card.name} is being downloaded by another process; wait for it."):
        if card.path.is_file():  # the other process was faster
            return card.path
        try:
            with open(part, "a+b") as file:
                _Transfer(card, file, progress, timeout).run(attempts, pause)
            _accept(card, part)
        except OSError as error:
            raise write_error(part, error) from error
    return card.path


def download_first(model: object) -> None:
    """Bring the weights of a model of the zoo, given by name, before several processes ask for them.

    Examples
    --------
    >>> download_first("fairmot_lite")  # the bundled model is never fetched
    """
    if isinstance(model, str) and not Path(model).exists():
        with contextlib.suppress(UnknownModelError):
            download(model)


class _SlowError(Exception):
    """A connection that is alive but brings almost nothing."""


class _Transfer:
    """Brings the bytes of one address into one file, over as many connections as it takes."""

    def __init__(self, card: ModelCard, file: BinaryIO, progress: bool, timeout: float) -> None:
        self.card, self.file, self.timeout = card, file, timeout
        self.url = card.url
        self.etag_file = card.path.with_suffix(".part.etag")
        self.bar = progress_bar(unit="B", unit_scale=True, unit_divisor=1000, desc=card.name, disable=not progress)
        self.length: int | None = None
        self.answered = False

    def run(self, attempts: int, pause: float) -> None:
        """Go on until the file is whole, or `attempts` connections in a row brought nothing."""
        fruitless, reason = 0, ""
        with self.bar:
            while fruitless < attempts:
                before, slow = self.file.seek(0, os.SEEK_END), False
                try:
                    if self._connect(before):
                        return
                    reason = f"the connection ended after {self.file.tell()} of {self.length} bytes"
                except urllib.error.HTTPError as error:
                    self.answered = True
                    reason = f"the server answered {error.code} {str(error.reason)[:80]}"
                    if error.code == 416:  # the part is longer than what the server has: start again
                        self._restart()
                    elif error.code < 500 and error.code not in (408, 429):
                        raise self._failure(reason) from error
                except _SlowError as error:
                    reason, slow = str(error), True
                except (
                    urllib.error.URLError,
                    http.client.HTTPException,
                    TimeoutError,
                    ConnectionError,
                    ValueError,
                ) as error:
                    reason = str(getattr(error, "reason", "") or error)[:200] or type(error).__name__
                    if not self.answered:  # no network, or no such server: trying again would only take time
                        raise self._failure(reason) from error
                if self.file.seek(0, os.SEEK_END) > before and not slow:
                    fruitless = 0
                else:
                    fruitless += 1
                    if fruitless < attempts:
                        time.sleep(pause * 2 ** (fruitless - 1))
        raise self._failure(reason)

    def _connect(self, held: int) -> bool:
        """Read one connection to its end; return whether the file is whole then."""
        request = urllib.request.Request(self.url, headers={"User-Agent": "fairmot_lab"})
        etag = self.etag_file.read_text() if held and self.etag_file.exists() else ""
        if held and etag:
            request.add_header("Range", f"bytes={held}-")
            request.add_header("If-Range", etag)
        elif held:
            self._restart()  # the server may have another file now
            held = 0
        with _Deadline(3 * self.timeout) as deadline:
            response = deadline.opener().open(request, timeout=self.timeout)
        with response:
            if deadline.passed:
                raise _SlowError("the server's answer did not begin in time")
            self.answered = True
            goes_on = response.status == 206 and _range_start(response) == held
            if not goes_on and response.status == 206:
                raise self._failure("the server sent another part of the file than was asked for")
            if held and not goes_on:
                self._restart()
                held = 0
            self.length = self._promised(response, held)
            tag = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
            if tag and not tag.startswith("W/"):
                self.etag_file.write_text(tag)
            self.bar.total, self.bar.n = self.length, held
            self.bar.refresh()
            since, brought = time.monotonic(), 0
            while chunk := _read(response):
                if self.file.tell() + len(chunk) > self.card.most_bytes:
                    self._restart()
                    raise self._failure(
                        f"the server sent more than {self.card.most_bytes} bytes; the file has about "
                        f"{self.card.megabytes:g} MB"
                    )
                self.file.write(chunk)
                self.bar.update(len(chunk))
                brought += len(chunk)
                if (seconds := time.monotonic() - since) >= self.timeout:
                    if brought < SLOWEST * seconds:
                        raise _SlowError(f"the server sent {brought} bytes in {seconds:.0f} seconds")
                    since, brought = time.monotonic(), 0
            self.file.flush()
        return self.length is None or self.file.tell() == self.length

    def _promised(self, response: http.client.HTTPResponse, held: int) -> int | None:
        """Return the length of the whole file, where the server gives it."""
        text = response.headers.get("Content-Length")
        if text is None:
            return None
        if not re.fullmatch(r"[0-9]{1,18}", text.strip()):
            raise self._failure(f"the server gives {text[:40]!r} as the length")
        length = held + int(text)
        if length > self.card.most_bytes:
            raise self._failure(f"the server promises {length} bytes; the file has about {self.card.megabytes:g} MB")
        return length

    def _restart(self) -> None:
        self.file.truncate(0)
        self.file.seek(0)
        self.etag_file.unlink(missing_ok=True)

    def _failure(self, reason: str) -> DownloadError:
        return DownloadError(
            f"{self.card.name} could not be downloaded from {self.url} ({' '.join(reason.split())}); try again to go "
            f"on, name a mirror in FAIRMOT_LAB_MIRROR, or put the file by hand at {self.card.path}."
        )


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read1(CHUNK)
    except (TimeoutError, ConnectionError):
        raise
    except OSError as error:  # of the network; those of the file are the caller's
        raise ConnectionError(error.strerror or str(error)) from error


class _Deadline:
    """Closes connections whose answer does not begin in time: a server may send its headers byte by byte."""

    def __init__(self, seconds: float) -> None:
        self.passed = False
        self._connections: list[http.client.HTTPConnection] = []
        self._timer = threading.Timer(seconds, self._close)
        self._timer.daemon = True

    def __enter__(self) -> _Deadline:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def _close(self) -> None:
        self.passed = True
        for connection in self._connections:
            with contextlib.suppress(OSError, AttributeError):  # one that has ended has no socket
                connection.sock.shutdown(socket.SHUT_RDWR)

    def opener(self) -> urllib.request.OpenerDirector:
        """Return what opens addresses, by connections that this closes when the time has passed."""

        def remembered(kind: type[http.client.HTTPConnection]) -> Any:
            def connect(*arguments: Any, **options: Any) -> http.client.HTTPConnection:
                self._connections.append(kind(*arguments, **options))
                return self._connections[-1]

            return connect

        class Plain(urllib.request.HTTPHandler):
            def http_open(self, request: urllib.request.Request) -> Any:
                return self.do_open(remembered(http.client.HTTPConnection), request)

        class Secure(urllib.request.HTTPSHandler):
            def https_open(self, request: urllib.request.Request) -> Any:
                context = ssl.create_default_context()
                return self.do_open(remembered(http.client.HTTPSConnection), request, context=context)

        return urllib.request.build_opener(Plain, Secure, _Redirects)


class _Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, request: Any, file: Any, code: int, message: str, headers: Any, url: str) -> Any:
        if not url.startswith("https://") and not (url.startswith("http://") and request.type == "http"):
            raise http.client.HTTPException(f"the server redirects to {url[:100]!r}")
        return super().redirect_request(request, file, code, message, headers, url)


def _range_start(response: http.client.HTTPResponse) -> int | None:
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range") or "")
    return int(found[1]) if found else None


def _accept(card: ModelCard, part: Path) -> None:
    """Move a complete file to its place, if it is weights, and the same as the first time."""
    digest, recorded = file_sha256(part), recorded_sha256(card)
    try:
        if recorded is not None and recorded != digest:
            raise DownloadError(
                f"{card.url} has changed: its SHA-256 is {digest}, it was {recorded} when it was first downloaded; if "
                f"the change is right, remove {record_path(card)} and download again."
            )
        try:
            read_weights(part, ".pdparams")
        except WeightsError as error:
            raise DownloadError(f"{card.url} did not give weights: {error}") from error
    except DownloadError:
        part.unlink()
        part.with_suffix(".part.etag").unlink(missing_ok=True)
        raise
    if recorded is None:
        write_record(card, digest, part.stat().st_size)
    os.replace(part, card.path)
    part.with_suffix(".part.etag").unlink(missing_ok=True)


@dataclass(frozen=True)
class Weights:
    """A weights file and the network that it belongs to.

    Attributes
    ----------
    name
        The zoo's name, or the stem of the file.
    path
        The file.
    sha256
        Of the file, in hexadecimal digits.
    architecture
        A key of `ARCHITECTURES`.
    input_size
        (width, height) in pixels.
    embedding_dim
        Length of an embedding.
    card
        The model's description, by its name or the file's.
    class_names
        From class id to name.
    """

    name: str
    path: Path
    sha256: str
    architecture: str
    input_size: tuple[int, int]
    embedding_dim: int
    card: ModelCard | None = None
    class_names: Mapping[int, str] = field(default_factory=dict)


def find_weights(
    name_or_path: str | os.PathLike[str], architecture: str | None = None, *, fetch: bool = True
) -> Weights:
    """Find the weights file of a model, downloaded if need be, or a file of the user.

    Parameters
    ----------
    name_or_path
        A name of the zoo, or a file. A file whose name begins with a name of the zoo gets that model's settings.
    architecture
        The architecture of a file, where neither its name nor its tensors tell.
    fetch
        Whether weights that are not in the cache are downloaded.

    Raises
    ------
    UnknownModelError
        If it is neither.
    WeightsError
        If the file is not a weights file, changed since it was written or downloaded, or its architecture cannot be
        inferred.
    DownloadError
        If the weights have to be fetched and cannot.

    Examples
    --------
    >>> find_weights("fairmot_lite").input_size
    (576, 320)
    """
    path, text = Path(name_or_path), os.fspath(name_or_path)
    if architecture is not None and architecture not in ARCHITECTURES:
        raise UnknownModelError(f"There is no architecture {architecture!r}; there are {', '.join(ARCHITECTURES)}.")
    if path.suffix not in SUFFIXES and not exists(path, WeightsError) and os.sep not in text:
        card = find_card(text)
        if not card.path.is_file():
            if not fetch:
                raise WeightsError(f"{card.name} is not at {card.path}; `fairmot-lab models download` fetches it.")
            download(card.name)
        digest = check_seal(card.path) if card.bundled else check_record(card)
        known = ARCHITECTURES[card.architecture]
        names = dict(enumerate(card.classes))
        return Weights(
            card.name, card.path, digest, card.architecture, card.input_size, known.embedding_dim, card, names
        )
    if not exists(path, WeightsError):
        raise WeightsError(f"There is no weights file {path}; give a model's name or a file that exists.")
    if path.suffix == BUNDLED.suffix:
        known = ARCHITECTURES["lite"]
        return Weights(path.stem, path, check_seal(path), "lite", known.input_size, known.embedding_dim)
    tensors = read_checkpoint(path)
    architecture = architecture or _recognise(path, tensors)
    named = card_of_file(path)
    if named is not None and named.architecture != architecture:
        named = None
    known = ARCHITECTURES[architecture]
    size = named.input_size if named else known.input_size
    heads = heads_of(tensors)
    names = {number: str(number) for number in range(heads.classes)} if heads.classes > 1 else {}
    if named is not None and len(named.classes) == heads.classes:
        names = dict(enumerate(named.classes))
    return Weights(path.stem, path, file_sha256(path), architecture, size, heads.embedding_dim, named, names)


def _recognise(path: Path, names: Iterable[str]) -> str:
    names = list(names)
    for architecture, known in ARCHITECTURES.items():
        if known.marker and any(name.startswith(known.marker) for name in names):
            return architecture
    if foreign := describe_foreign_checkpoint(names):
        raise WeightsError(
            f"{path} is a checkpoint of {foreign}, which is not one of the networks here ({', '.join(ARCHITECTURES)}); "
            "export it to ONNX with the outputs heatmap, size, offset and embedding (docs/detectors.md), and "
            "load_model() reads that."
        )
    first = ", ".join(name[:60] for name in names[:3])
    raise WeightsError(
        f"{path} is not of an architecture that is known here (its first tensors: {first}); "
        f"give architecture= ({', '.join(ARCHITECTURES)})."
    )
