"""An append-only tar file of numbered groups of members, in which every byte is checked and every change is noticed.

Group 0 has the stem "outputs", group `n` the stem "00000n"; members are called STEM.EXTENSION, as WebDataset expects.
The last member of a group, STEM.sha256, holds the SHA-256 of the bytes of the members above it, headers and padding
included. Groups are appended and never changed; one without its last member was cut off, and is written again. Two zero
blocks close the archive, and a digest of the whole file is then put beside it in the format of `sha256sum`. The same
content always gives the same bytes: no times, owners or random numbers go in.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import tarfile
from pathlib import Path
from typing import BinaryIO

from .._files import atomic_write, write_error
from ..errors import DetectionsError

BLOCK = tarfile.BLOCKSIZE
END = bytes(2 * BLOCK)


class ArchiveScan:
    """Finds and checks the groups of an archive, also of one that is still being written.

    Attributes
    ----------
    places : list of (int, int)
        First byte and end of each complete group.
    closed : bool
        Whether the archive has its end.
    end : int
        Bytes that are complete and checked.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.places: list[tuple[int, int]] = []
        self.closed = False
        self.end = 0
        self._digest = hashlib.sha256()

    def run(self, file: BinaryIO) -> None:
        """Go on from where the last scan ended. A group that is cut off by the end of the file is left for later.

        Raises
        ------
        DetectionsError
            If a byte is not what it was, naming the group; or if the file is no archive of this kind.
        """
        file.seek(self.end)
        while not self.closed:
            group = self._next_group(file)
            if group is None:
                return
            if group == END:
                self.closed = True
            else:
                unpack_group(group, len(self.places), self.path)
                self.places.append((self.end, self.end + len(group)))
            self._digest.update(group)
            self.end += len(group)
        if file.read(1):
            raise _damaged(self.path, "there is something behind its end")

    def read(self, file: BinaryIO, number: int) -> dict[str, bytes]:
        """The members of a group by extension, checked again.

        Raises
        ------
        DetectionsError
            If the bytes are no longer what they were.
        """
        start, end = self.places[number]
        return unpack_group(os.pread(file.fileno(), end - start, start), number, self.path)

    def check_digest(self) -> None:
        """A finished archive must be the one that its digest was made of.

        Raises
        ------
        DetectionsError
            If it is shorter or another one, or if the digest is damaged.
        """
        beside = digest_path(self.path)
        if not beside.exists() or beside.read_bytes() == _digest_line(self.path, self._digest.hexdigest()):
            return
        what = "they do not belong together" if self.closed else f"it ends behind frame {max(len(self.places) - 1, 0)}"
        raise DetectionsError(f"{self.path} or {beside.name} is damaged ({what}); remove both and call detect() again.")

    def _next_group(self, file: BinaryIO) -> bytes | None:
        """The bytes up to and including the next checksum, or the end of the archive; None where they are cut off."""
        group = bytearray()
        while True:
            header = file.read(BLOCK)
            if len(header) < BLOCK:
                return None
            if header == bytes(BLOCK) and not group:
                second = file.read(BLOCK)
                if any(second):
                    raise _damaged(self.path, "its end is broken")
                return END if len(second) == BLOCK else None
            try:
                member = tarfile.TarInfo.frombuf(header, "ascii", "strict")
            except (tarfile.HeaderError, ValueError) as error:
                if not self.places and not group:
                    raise DetectionsError(f"{self.path} is no outputs file; name one that detect() wrote.") from error
                raise _damaged(self.path, _where(len(self.places))) from error
            content = file.read(_padded(member.size))
            if len(content) < _padded(member.size):
                return None
            group += header + content
            if member.name.endswith(".sha256"):
                return bytes(group)


class ArchiveWriter:
    """Opens or makes an archive to append to it. One process at a time: the lock vanishes with the process.

    Parameters
    ----------
    path
        The archive. A group at its end that was cut off is removed by the first `append`.

    Attributes
    ----------
    scan : ArchiveScan
        What was there when the archive was opened.

    Raises
    ------
    DetectionsError
        If another process is writing it, or it is damaged.
    WriteError
        If it cannot be opened for writing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.scan = ArchiveScan(path)
        try:
            self._file: BinaryIO = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
        except OSError as error:
            raise write_error(path, error) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.scan.run(self._file)
            self.scan.check_digest()
        except BlockingIOError as error:
            self._file.close()
            raise DetectionsError(
                f"{path} is being written by another process; wait for it, or choose another folder."
            ) from error
        except BaseException:
            self._file.close()
            raise
        self.groups = len(self.scan.places)
        self.closed = self.scan.closed
        self._end = self.scan.end

    def __enter__(self) -> ArchiveWriter:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # what could not be written was said by `append`, and is still in the buffer
            self._file.close()

    def read(self, number: int) -> dict[str, bytes]:
        """The members, by extension, of a group that was there when the archive was opened."""
        return self.scan.read(self._file, number)

    def append(self, members: dict[str, bytes]) -> None:
        """Add the next group. When this returns it is out of this process's hands, and survives its end.

        Parameters
        ----------
        members
            Content by file name extension.

        Raises
        ------
        WriteError
            If the disk is full; what was complete stays.
        """
        self._write(pack_group(members, self.groups))
        self.groups += 1

    def close_archive(self) -> None:
        """Write the end of the archive, and its digest beside it; only the digest if the end is there already."""
        if not self.closed:
            self._write(END)
            self.closed = True
        if not digest_path(self.path).exists():
            os.fsync(self._file.fileno())
            self._file.seek(0)
            digest = hashlib.file_digest(self._file, "sha256").hexdigest()  # type: ignore[arg-type]
            with atomic_write(digest_path(self.path)) as temporary:
                temporary.write_bytes(_digest_line(self.path, digest))

    def _write(self, group: bytes) -> None:
        try:
            self._file.seek(self._end)
            self._file.truncate()
            self._file.write(group)
            self._file.flush()
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file.fileno(), self._end)
            raise write_error(self.path, error) from error
        self._end += len(group)


def is_being_written(file: BinaryIO) -> bool:
    """Whether a writer holds the archive that `file` reads."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(file, fcntl.LOCK_UN)
    return False


def pack_group(members: dict[str, bytes], number: int) -> bytes:
    """The bytes of a group, its checksum included."""
    body = b"".join(_member(f"{_stem(number)}.{extension}", content) for extension, content in members.items())
    return body + _checksum(body, number)


def unpack_group(group: bytes, number: int, path: Path) -> dict[str, bytes]:
    """The members of a group by extension, once every byte of it is found to be right.

    Raises
    ------
    DetectionsError
        If one is not; it names the file and the group.
    """
    body = group[: -len(_checksum(b"", number))]
    if group[len(body) :] != _checksum(body, number):
        raise _damaged(path, _where(number))
    members, position = {}, 0
    while position < len(body):
        header = tarfile.TarInfo.frombuf(body[position : position + BLOCK], "ascii", "strict")
        start = position + BLOCK
        members[header.name.partition(".")[2]] = body[start : start + header.size]
        position = start + _padded(header.size)
    return members


def digest_path(path: Path) -> Path:
    """Where the digest of a finished archive lies."""
    return path.with_name(f"{path.name}.sha256")


def _digest_line(path: Path, digest: str) -> bytes:
    return f"{digest}  {path.name}\n".encode()


def _checksum(body: bytes, number: int) -> bytes:
    return _member(f"{_stem(number)}.sha256", hashlib.sha256(body).hexdigest().encode() + b"\n")


def _member(name: str, content: bytes) -> bytes:
    header = tarfile.TarInfo(name)
    header.size = len(content)
    return header.tobuf(tarfile.USTAR_FORMAT) + content.ljust(_padded(len(content)), b"\0")


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _stem(number: int) -> str:
    return f"{number:06d}" if number else "outputs"


def _where(number: int) -> str:
    return f"frame {number}" if number else "its first member"


def _damaged(path: Path, where: str) -> DetectionsError:
    return DetectionsError(f"{path} is damaged ({where}); remove it and call detect() again, or restore a copy.")
