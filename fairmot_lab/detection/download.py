"""Download weights: resumable, retried, checked before use."""

from __future__ import annotations

import fcntl
import http.client
import os
import re
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .._files import make_folder, write_error
from ..errors import DownloadError, UnknownModelError, WeightsError
from .weights import SUFFIXES, _read_pdparams, file_sha256, read_weights
from .zoo import ARCHITECTURES, CARDS, ModelCard, _record, _record_path, _write_record, check_record, find_card

CHUNK = 2**18


def download(name: str, *, progress: bool = True, timeout: float = 30.0, attempts: int = 5, pause: float = 1.0) -> Path:
    """Fetch the weights of a model into the cache; a transfer that was cut goes on where it ended.

    Parameters
    ----------
    name
        A name of the zoo.
    progress
        Whether a progress bar is shown.
    timeout
        Seconds without a byte after which a connection counts as dead.
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
        If it cannot be had, is not as long as the server promised, is no weights file, or is not what was downloaded
        the first time.
    UnknownModelError
        If there is no such model.
    """
    card = find_card(name)
    if card.bundled or card.path.is_file():
        if not card.bundled:
            check_record(card)
        return card.path
    make_folder(card.path.parent)
    part = card.path.with_suffix(".part")
    try:
        with open(part, "a+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise DownloadError(f"{card.name} is being downloaded by another process; wait for it.") from error
            if card.path.is_file():  # the other process was faster
                return card.path
            _Transfer(card, file, progress, timeout).run(attempts, pause)
            _accept(card, part)
    except OSError as error:
        raise write_error(part, error) from error
    return card.path


class _Transfer:
    """Brings the bytes of one address into one file, over as many connections as it takes."""

    def __init__(self, card: ModelCard, file: BinaryIO, progress: bool, timeout: float) -> None:
        from tqdm.auto import tqdm

        self.card, self.file, self.timeout = card, file, timeout
        self.etag_file = card.path.with_suffix(".part.etag")
        self.bar = tqdm(unit="B", unit_scale=True, unit_divisor=1000, desc=card.name, disable=not progress)
        self.length: int | None = None
        self.answered = False

    def run(self, attempts: int, pause: float) -> None:
        """Go on until the file is whole, or `attempts` connections in a row brought nothing."""
        fruitless, reason = 0, ""
        with self.bar:
            while fruitless < attempts:
                before = self.file.seek(0, os.SEEK_END)
                try:
                    if self._connect(before):
                        return
                    reason = f"the connection ended after {self.file.tell()} of {self.length} bytes"
                except urllib.error.HTTPError as error:
                    self.answered = True
                    if error.code == 416:  # the part is longer than what the server has: start again
                        self._restart()
                    elif error.code < 500 and error.code not in (408, 429):
                        raise self._failure(f"the server answered {error.code} {error.reason}") from error
                    reason = f"the server answered {error.code} {error.reason}"
                except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
                    reason = str(getattr(error, "reason", "") or error) or type(error).__name__
                    if not self.answered:  # no network, or no such server: trying again would only take time
                        raise self._failure(reason) from error
                if self.file.seek(0, os.SEEK_END) > before:
                    fruitless = 0
                else:
                    fruitless += 1
                    if fruitless < attempts:
                        time.sleep(pause * 2 ** (fruitless - 1))
        raise self._failure(reason)

    def _connect(self, held: int) -> bool:
        """One connection; whether the file is whole after it."""
        request = urllib.request.Request(self.card.url, headers={"User-Agent": "fairmot_lab"})
        etag = self.etag_file.read_text() if held and self.etag_file.exists() else ""
        if held and etag:
            request.add_header("Range", f"bytes={held}-")
            request.add_header("If-Range", etag)
        elif held:
            self._restart()  # nothing tells whether the server still has the same file
            held = 0
        with urllib.request.urlopen(request, timeout=self.timeout) as response:
            self.answered = True
            goes_on = response.status == 206 and _range_start(response) == held
            if not goes_on and response.status == 206:
                raise self._failure("the server sent another part of the file than was asked for")
            if held and not goes_on:
                self._restart()
                held = 0
            length = response.headers.get("Content-Length")
            self.length = None if length is None else held + int(length)
            tag = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
            if tag and not tag.startswith("W/"):
                self.etag_file.write_text(tag)
            self.bar.total, self.bar.n = self.length, held
            self.bar.refresh()
            while chunk := response.read1(CHUNK):
                self.file.write(chunk)
                self.bar.update(len(chunk))
            self.file.flush()
        return self.length is None or self.file.tell() == self.length

    def _restart(self) -> None:
        self.file.truncate(0)
        self.file.seek(0)
        self.etag_file.unlink(missing_ok=True)

    def _failure(self, reason: str) -> DownloadError:
        return DownloadError(
            f"{self.card.name} could not be downloaded from {self.card.url} ({reason}); try again to go on, name a "
            f"mirror in FAIRMOT_LAB_MIRROR, or put the file by hand at {self.card.path}."
        )


def _range_start(response: http.client.HTTPResponse) -> int | None:
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range") or "")
    return int(found[1]) if found else None


def _accept(card: ModelCard, part: Path) -> None:
    """Move a complete file to its place, if it is weights, and the same as the first time."""
    digest, record = file_sha256(part), _record(card)
    try:
        if record is not None and record["sha256"] != digest:
            raise DownloadError(
                f"{card.url} has changed: its SHA-256 is {digest}, it was {record['sha256']} when it was first "
                f"downloaded; if the change is right, remove {_record_path(card)} and download again."
            )
        try:
            _read_pdparams(part)
        except WeightsError as error:
            raise DownloadError(f"{card.url} did not give weights: {error}") from error
    except DownloadError:
        part.unlink()
        part.with_suffix(".part.etag").unlink(missing_ok=True)
        raise
    if record is None:
        _write_record(card, digest, part.stat().st_size)
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
    architecture
        A key of `ARCHITECTURES`.
    input_size
        (width, height) in pixels.
    embedding_dim
        Length of an embedding.
    """

    name: str
    path: Path
    architecture: str
    input_size: tuple[int, int]
    embedding_dim: int


def find_weights(
    name_or_path: str | os.PathLike[str], architecture: str | None = None, *, fetch: bool = True
) -> Weights:
    """The weights file of a model, downloaded if need be, or a file of the user.

    Parameters
    ----------
    name_or_path
        A name of the zoo, or a file.
    architecture
        The architecture of a file, where neither its name nor its tensors tell.
    fetch
        Whether weights that are not in the cache are downloaded.

    Raises
    ------
    UnknownModelError
        If it is neither.
    WeightsError
        If the file is no weights file, or changed since it was downloaded, or its architecture cannot be told.
    DownloadError
        If the weights have to be fetched and cannot.
    """
    path, text = Path(name_or_path), os.fspath(name_or_path)
    if architecture is not None and architecture not in ARCHITECTURES:
        raise UnknownModelError(f"There is no architecture {architecture!r}; there are {', '.join(ARCHITECTURES)}.")
    if path.suffix not in SUFFIXES and not path.is_file() and os.sep not in text:
        card = find_card(text)
        if not card.path.is_file():
            if not fetch:
                raise WeightsError(f"{card.name} is not at {card.path}; `fairmot-lab models download` fetches it.")
            download(card.name)
        elif not card.bundled:
            check_record(card)
        known = ARCHITECTURES[card.architecture]
        return Weights(card.name, card.path, card.architecture, card.input_size, known.embedding_dim)
    if not path.is_file():
        raise WeightsError(f"There is no weights file {path}; give a model's name or a file that exists.")
    named = CARDS.get(path.stem)
    architecture = architecture or (named.architecture if named else _recognise(path))
    known = ARCHITECTURES[architecture]
    size = named.input_size if named and named.architecture == architecture else known.input_size
    return Weights(path.stem, path, architecture, size, known.embedding_dim)


def _recognise(path: Path) -> str:
    names = read_weights(path)
    for architecture, known in ARCHITECTURES.items():
        if any(name.startswith(known.marker) for name in names):
            return architecture
    first = ", ".join(list(names)[:3])
    raise WeightsError(
        f"{path} is of no architecture that is known here (its first tensors: {first}); "
        f"say architecture= ({', '.join(ARCHITECTURES)})."
    )
