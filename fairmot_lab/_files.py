"""Files that are either the old one or the whole new one, never half of it."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .errors import WriteError


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path` to write to; rename it into place when the block ends well.

    Parameters
    ----------
    path
        The file to make or replace. Its folder is made if it is missing.

    Yields
    ------
    pathlib.Path
        An empty file in the same folder with the same suffix. If the block raises, it is removed and `path` stays
        as it was.

    Raises
    ------
    WriteError
        If the folder cannot be made, the file cannot be written, or the disk is full.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
        os.close(handle)
        temporary = Path(name)
        os.chmod(temporary, 0o666 & ~_umask())
        yield temporary
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Make a folder and prove that files can be written in it, before long work starts.

    Raises
    ------
    WriteError
        If it cannot be made or written to.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise write_error(path, error) from error
    return path


def write_error(path: str | os.PathLike[str], error: OSError) -> WriteError:
    """Turn an operating system's refusal to write `path` into a sentence with a remedy."""
    reason = error.strerror or str(error)
    return WriteError(f"{os.fspath(path)} cannot be written ({reason}); free the space or choose another place.")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
