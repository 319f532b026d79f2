"""An append-only tar file of numbered groups of members, in which every byte is checked and every change is noticed.

Group 0 has the stem "detections", group `n` the stem "00000n"; members are called STEM.EXTENSION, as WebDataset
expects. The last member of a group, STEM.sha256, holds the SHA-256 of the checksum of the group before and of the
bytes of the members above it, headers and padding included: a group that is changed, moved or exchanged is noticed.
Groups are appended and never changed; one without its last member was cut off, and is written again. Two zero blocks
close the archive. The same content always gives the same bytes: no times, owners or random numbers go in.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tarfile
from pathlib import Path
from typing import BinaryIO

from .._files import lock, lock_path, write_error
from ..errors import DetectionsError, WriteError

BLOCK = tarfile.BLOCKSIZE
END = bytes(2 * BLOCK)
LARGEST_MEMBER = 2**28  # bytes; a header that claims more is not ours


class ArchiveScan:
    """Find and check the groups of an archive, also of one that is still being written.

    Attributes
    ----------
    places : list of (int, int)
        First byte and end of each complete group.
    checksums : list of bytes
        The checksum of each complete group.
    closed : bool
        Whether the archive has its end.
    end : int
        Bytes that are complete and checked.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.places: list[tuple[int, int]] = []
        self.checksums: list[bytes] = []
        self.closed = False
        self.end = 0

    @property
    def last_checksum(self) -> bytes:
        """The checksum of the last group; empty before the first."""
        return self.checksums[-1] if self.checksums else b""

    def run(self, file: BinaryIO) -> None:
        """Continue where the last scan ended. A group that is cut off by the end of the file is left for later.

        Raises
        ------
        DetectionsError
            If a byte is not what it was, naming the group; or if the file is not an archive of this kind.
        """
        file.seek(self.end)
        while not self.closed:
            group = self._next_group(file)
            if group is None:
                return
            if group == END:
                self.closed = True
            else:
                _, checksum = unpack_group(group, len(self.places), self.last_checksum, self.path)
                self.places.append((self.end, self.end + len(group)))
                self.checksums.append(checksum)
            self.end += len(group)
        if file.read(1):
            raise _damaged(self.path, "there is something after its end")

    def read(self, file: BinaryIO, number: int) -> dict[str, bytes]:
        """Return the members of a group by extension, checked again.

        Raises
        ------
        DetectionsError
            If the bytes are no longer what they were.
        """
        start, end = self.places[number]
        file.seek(start)
        before = self.checksums[number - 1] if number else b""
        return unpack_group(file.read(end - start), number, before, self.path)[0]

    def _next_group(self, file: BinaryIO) -> bytes | None:
        """Read up to and including the next checksum, or the end of the archive; None where they are cut off."""
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
                if not 0 <= member.size <= LARGEST_MEMBER:
                    raise ValueError("a member of impossible size")
            except (tarfile.HeaderError, ValueError) as error:
                if not self.places and not group:
                    raise DetectionsError(
                        f"{self.path} is not a file of detections; name one that detect() wrote."
                    ) from error
                raise _damaged(self.path, _where(len(self.places))) from error
            content = file.read(_padded(member.size))
            if len(content) < _padded(member.size):
                return None
            group += header + content
            if member.name.endswith(".sha256"):
                return bytes(group)


class ArchiveWriter:
    """Open or create an archive to append to it. One process at a time: the lock vanishes with the process.

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
        busy = f"{path} is being written by another process; wait for it, or choose another folder."
        with contextlib.ExitStack() as stack:
            # a reader holds the lock for a moment when it looks whether we write
            stack.enter_context(lock(path, busy, DetectionsError, timeout=0.2))
            try:
                self._file: BinaryIO = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | _BINARY, 0o666), "r+b")
            except OSError as error:
                raise write_error(path, error) from error
            stack.callback(self._close_file)
            self.scan.run(self._file)
            self._stack = stack.pop_all()
        self.groups = len(self.scan.places)
        self.closed = self.scan.closed
        self._end = self.scan.end
        self._checksum = self.scan.last_checksum

    def __enter__(self) -> ArchiveWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and free its lock; an archive without its end can be appended to later."""
        self._stack.close()

    def _close_file(self) -> None:
        with contextlib.suppress(OSError):  # `append` reported what could not be written; it is still in the buffer
            self._file.close()

    def read(self, number: int) -> dict[str, bytes]:
        """Return the members, by extension, of a group that was there when the archive was opened."""
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
        group, checksum = pack_group(members, self.groups, self._checksum)
        self._write(group)
        self.groups += 1
        self._checksum = checksum

    def finish(self) -> None:
        """Write the end of the archive, unless it is there."""
        if not self.closed:
            self._write(END)
            self.closed = True
            os.fsync(self._file.fileno())

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


_BINARY = getattr(os, "O_BINARY", 0)  # Windows


def is_being_written(path: Path) -> bool:
    """Return whether a writer holds the archive."""
    if not lock_path(path).exists():
        return False
    try:
        with lock(path, "It is held.", DetectionsError):
            return False
    except DetectionsError:
        return True
    except WriteError:  # a folder that cannot be written has no writer
        return False


def pack_group(members: dict[str, bytes], number: int, before: bytes = b"") -> tuple[bytes, bytes]:
    """Return the bytes of a group, its checksum member included, and the checksum.

    Parameters
    ----------
    before
        The checksum of the group before.
    """
    body = b"".join(_member(f"{_stem(number)}.{extension}", content) for extension, content in members.items())
    checksum = _checksum(body, before)
    return body + _member(f"{_stem(number)}.sha256", checksum), checksum


def unpack_group(group: bytes, number: int, before: bytes, path: Path) -> tuple[dict[str, bytes], bytes]:
    """Return the members of a group by extension, and its checksum, after every byte was checked.

    Raises
    ------
    DetectionsError
        If a byte is wrong; the message names the file and the group.
    """
    body = group[: -len(_member("", bytes(65)))]
    checksum = _checksum(body, before)
    if group[len(body) :] != _member(f"{_stem(number)}.sha256", checksum):
        raise _damaged(path, _where(number))
    members, position = {}, 0
    while position < len(body):
        header = tarfile.TarInfo.frombuf(body[position : position + BLOCK], "ascii", "strict")
        start = position + BLOCK
        members[header.name.partition(".")[2]] = body[start : start + header.size]
        position = start + _padded(header.size)
    return members, checksum


def _checksum(body: bytes, before: bytes) -> bytes:
    return hashlib.sha256(before + body).hexdigest().encode() + b"\n"


def _member(name: str, content: bytes) -> bytes:
    header = tarfile.TarInfo(name)
    header.size = len(content)
    return header.tobuf(tarfile.USTAR_FORMAT) + content.ljust(_padded(len(content)), b"\0")


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _stem(number: int) -> str:
    return f"{number:06d}" if number else "detections"


def _where(number: int) -> str:
    return f"frame {number}" if number else "its first member"


def _damaged(path: Path, where: str) -> DetectionsError:
    return DetectionsError(f"{path} is damaged ({where}); remove it and call detect() again, or restore a copy.")
