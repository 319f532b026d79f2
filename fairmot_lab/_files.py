"""Files and folders: atomic writes, locks, names, and outputs that never overwrite inputs."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from .errors import FairMOTLabError, WriteError

_LONGEST_NAME = 180  # bytes: file systems allow 255, and endings such as .partial.counts.csv are added
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)  # Windows' names of devices
_READ_ENDINGS = {".txt", ".gz", ".zip", ".ini", ".xml", ".json", ".tar", ".jpg", ".jpeg", ".png"}


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str], *inputs: Any) -> Iterator[Path]:
    """Give a temporary path beside `path` to write to; rename it into place when the block ends well.

    Parameters
    ----------
    path
        The file to make or replace. Its folder is made if it is missing. A link stays, and what it leads to is
        replaced; a pipe or a device stays, and gets the whole content at the end.
    *inputs
        What the file is made from, as for `refuse_overwrite`.

    Yields
    ------
    pathlib.Path
        An empty file in the same folder with the same suffix. If the block raises, it is removed and `path` stays
        as it was.

    Raises
    ------
    WriteError
        If `path` is one of the inputs, the folder cannot be made, the file cannot be written, or the disk is full.

    Examples
    --------
    >>> folder = getfixture("tmp_path")
    >>> with atomic_write(folder / "a.txt") as temporary:
    ...     _ = temporary.write_text("whole")
    >>> (folder / "a.txt").read_text()
    'whole'
    """
    path = Path(path)
    temporary: Path | None = None
    refuse_overwrite(path, *inputs)
    try:
        if path.is_symlink():
            path = path.resolve()
        to_device = path.exists() and not path.is_file() and not path.is_dir()
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = None if to_device else path.parent
        handle, name = tempfile.mkstemp(dir=folder, prefix=f".{path.stem[:30]}-", suffix=path.suffix)
        os.close(handle)
        temporary = Path(name)
        os.chmod(temporary, 0o666 & ~_umask())
        yield temporary
        if to_device:
            with temporary.open("rb") as content, path.open("wb") as device:
                shutil.copyfileobj(content, device)
        else:
            os.replace(temporary, path)
            temporary = None
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str, *inputs: Any) -> Path:
    """Make or replace a text file (UTF-8, line feeds) as `atomic_write` does, and return its path.

    Examples
    --------
    >>> write_text(getfixture("tmp_path") / "a.txt", "whole").read_text()
    'whole'
    """
    with atomic_write(path, *inputs) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
    return Path(path)


def write_zip(path: str | os.PathLike[str], texts: Mapping[str, str], *inputs: Any) -> Path:
    """Make or replace a zip of texts by name, the same bytes for the same texts, as `atomic_write` does."""
    with atomic_write(path, *inputs) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in texts.items():
            entry = zipfile.ZipInfo(name)  # dated 1980
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, text)
    return Path(path)


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Make a folder and prove that files can be written in it, before long work starts.

    Raises
    ------
    WriteError
        If it has no name, or cannot be made or written to.
    """
    if not os.fspath(path):
        raise WriteError("The folder to write to is an empty text; give a path, or . for this folder.")
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise write_error(path, error) from error
    return path


def private_folder(path: str | os.PathLike[str]) -> Path:
    """Make a folder that only this user can write to, for files that are trusted later.

    Raises
    ------
    WriteError
        If it cannot be made or written to, or belongs to another user (other than root).
    """
    path = Path(path)
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if hasattr(os, "getuid"):
            state = path.stat()
            if state.st_uid not in (os.getuid(), 0):
                raise WriteError(
                    f"{path} belongs to another user, who could replace the files in it; name a folder of your own in "
                    "FAIRMOT_LAB_CACHE."
                )
            if state.st_uid == os.getuid() and state.st_mode & 0o022:
                path.chmod(state.st_mode & 0o755)
    except OSError as error:
        raise write_error(path, error) from error
    return path


def user_cache() -> Path:
    """Return the folder for downloaded and converted models; it may not exist yet.

    `FAIRMOT_LAB_CACHE`, else `XDG_CACHE_HOME/fairmot_lab`, else `~/.cache/fairmot_lab`. For a user without a home
    directory, as in some containers, it is `fairmot_lab-UID` in the folder for temporary files.
    """
    try:
        if folder := os.environ.get("FAIRMOT_LAB_CACHE"):
            return Path(folder).expanduser()
        return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "fairmot_lab"
    except RuntimeError:  # no home directory
        return Path(tempfile.gettempdir()) / f"fairmot_lab-{os.getuid() if hasattr(os, 'getuid') else 'user'}"


@contextlib.contextmanager
def lock(
    path: str | os.PathLike[str], busy: str, error: type[FairMOTLabError] = WriteError, timeout: float = 0.0
) -> Iterator[None]:
    """Hold a file or folder for this process while the block runs; the lock ends with the process.

    Parameters
    ----------
    path
        What is held; the lock is the hidden file `.NAME.lock` beside it.
    busy, error
        The sentence, and the kind of error, when another process or another thread of this one holds it.
    timeout
        How long to wait for it (seconds).

    Raises
    ------
    WriteError
        If the lock cannot be made.

    Examples
    --------
    >>> path = getfixture("tmp_path") / "clip"
    >>> with lock(path, "clip is in use."), lock(path, "clip is in use."):
    ...     pass
    Traceback (most recent call last):
        ...
    fairmot_lab.errors.WriteError: clip is in use.
    """
    from filelock import FileLock, Timeout

    path, file = Path(path), lock_path(path)
    while True:
        held = FileLock(file, timeout=timeout)
        try:
            held.acquire()
        except Timeout as reason:
            raise error(busy) from reason
        except OSError as reason:
            raise write_error(path, reason) from reason
        if file.exists():
            break
        held.release()  # its last holder removed it meanwhile
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # Windows does not remove a file that is open
            file.unlink(missing_ok=True)
        held.release()


def lock_path(path: str | os.PathLike[str]) -> Path:
    """Return where the lock of a file or folder is; it is there only while a process holds it."""
    return Path(path).with_name(f".{Path(path).name}.lock")


def file_name(name: str) -> str:
    """Return a name that every file system takes, for files called after a source or sequence.

    Characters other than letters, digits and `-.=+@ ()_` become `_`, and so do dots at the start (hidden files) and
    dots and blanks at the end. Names of more than 180 bytes are cut and get a part of their hash.

    Raises
    ------
    WriteError
        If the name is empty.

    Examples
    --------
    >>> file_name("10:30:05"), file_name(".hidden"), len(file_name("x" * 250))
    ('10_30_05', '_hidden', 180)
    """
    if not name.strip():
        raise WriteError("The name of the source is empty, so result files would have none; give one (name=, --name).")
    clean = re.sub(r"[^-.=+@ ()\w]", "_", unicodedata.normalize("NFC", name))  # é of macOS is e and an accent
    clean = re.sub(r"^[.\s]|[.\s]$", "_", clean)
    if _RESERVED.fullmatch(clean):
        clean += "_"
    data = clean.encode()
    if len(data) > _LONGEST_NAME:
        digest = hashlib.sha256(data).hexdigest()[:8]
        clean = data[: _LONGEST_NAME - 9].decode(errors="ignore") + "-" + digest
    return clean


def refuse_overwrite(output: str | os.PathLike[str], *inputs: Any) -> None:
    """Raise an error if writing `output` would overwrite one of the inputs; compares real paths.

    Parameters
    ----------
    output
        A file that is about to be written.
    *inputs
        What it is made from; see `files_of`. A folder stands for the text, archive and image files in it.

    Raises
    ------
    WriteError
        Naming the input.

    Examples
    --------
    >>> refuse_overwrite("clip.mp4", "./clip.mp4")
    Traceback (most recent call last):
        ...
    fairmot_lab.errors.WriteError: clip.mp4 is an input and would be overwritten; choose another name or folder.
    """
    place = os.path.realpath(output)
    for each in files_of(*inputs):
        real = os.path.realpath(each)
        inside = place.startswith(os.path.join(real, "")) and Path(place).suffix.lower() in _READ_ENDINGS
        if place == real or _same_file(place, real) or (inside and os.path.exists(place)):
            raise WriteError(
                f"{os.fspath(output)} is an input and would be overwritten; choose another name or folder."
            )


def files_of(*things: Any) -> list[str]:
    """Return the files that things were read from.

    Parameters
    ----------
    *things
        Paths; tables, whose `attrs["files"]` name the files; objects with a method `inputs`, such as sources,
        detections and evaluations; lists and dicts of these. Anything else was read from no file.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame()
    >>> table.attrs["files"] = ["gt.txt"]
    >>> files_of("clip.mp4", {"truth": table}, None)
    ['clip.mp4', 'gt.txt']
    """
    files: list[str] = []
    for thing in things:
        if isinstance(thing, str | os.PathLike):
            files.append(os.fspath(thing))
        elif isinstance(thing, Mapping):
            files += files_of(*thing.values())
        elif isinstance(thing, list | tuple):
            files += files_of(*thing)
        elif callable(getattr(thing, "inputs", None)):
            files += files_of(*thing.inputs())
        elif isinstance(attrs := getattr(thing, "attrs", None), dict):
            parts = attrs.get("sequences")
            for each in (attrs, *(parts.values() if isinstance(parts, dict) else ())):
                files += each.get("files", [])
    return files


def exists(path: str | os.PathLike[str], error: type[Exception]) -> bool:
    """Return whether there is a file or folder; raise `error` where the operating system refuses to tell.

    Examples
    --------
    >>> exists("/no/such/file", OSError)
    False
    """
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a zero byte in the name
        return False
    except OSError as refusal:
        raise error(cannot_read(path, refusal)) from refusal
    return True


def cannot_read(path: str | os.PathLike[str], error: Exception) -> str:
    """Return a sentence with a remedy for an operating system's refusal to read `path`."""
    return f"{os.fspath(path)} cannot be read ({reason_of(error)}); make it readable, or give another path."


def write_error(path: str | os.PathLike[str], error: OSError) -> WriteError:
    """Turn an operating system's refusal to write `path` into a sentence with a remedy."""
    reason = reason_of(error)
    return WriteError(f"{os.fspath(path)} cannot be written ({reason}); free the space or choose another place.")


def reason_of(error: Exception) -> str:
    """Return what went wrong in the fewest words: without the number and the path that OSError adds.

    Examples
    --------
    >>> reason_of(FileNotFoundError(2, "No such file or directory", "a.txt"))
    'No such file or directory'
    """
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def cpu_count() -> int:
    """Return how many CPU cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _same_file(one: str, other: str) -> bool:
    """Return whether two names are one file, also through a hard link or on a file system that ignores case."""
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def natural_order(paths: Iterable[Path]) -> list[Path]:
    """Return paths in the order of the numbers in their names: frame2 before frame10, a before a1.

    A point between two numbers parts them, as in versions (1.9, 1.10), unless the digits behind it are decimals, as of
    times in seconds (0.25, 0.5): of several lengths, without a zero at the end, and with one in front or far apart.

    Examples
    --------
    >>> [path.stem for path in natural_order(map(Path, ["a10.png", "a2.png", "a.png"]))]
    ['a', 'a2', 'a10']
    >>> [path.stem for path in natural_order(map(Path, ["0.5.png", "0.25.png", "1.0.png"]))]
    ['0.25', '0.5', '1.0']
    """
    paths = list(paths)
    behind = {part for path in paths for part in re.findall(r"[0-9]\.([0-9]+)", path.stem)}
    are_decimals = (
        len(set(map(len, behind))) > 1
        and not any(len(part) > 1 and part.endswith("0") for part in behind)
        and (any(len(part) > 1 and part[0] == "0" for part in behind) or 4 * len(behind) < max(map(int, behind)))
    )
    number = r"([0-9]+\.[0-9]+|[0-9]+)" if are_decimals else r"([0-9]+)"

    def key(text: str) -> list[tuple[int, Decimal, str]]:
        parts = re.split(number, text.lower())
        return [(0, Decimal(part), "") if index % 2 else (1, Decimal(0), part) for index, part in enumerate(parts)]

    return sorted(paths, key=lambda path: ([key(part) for part in path.parent.parts], key(path.stem), path.suffix))
