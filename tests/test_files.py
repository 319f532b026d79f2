"""Files are the old one or the whole new one."""

from __future__ import annotations

import pytest

from fairmot_lab._files import atomic_write, make_folder
from fairmot_lab.errors import WriteError


def test_the_file_appears_only_when_the_block_ends(tmp_path):
    path = tmp_path / "new" / "result.txt"
    with atomic_write(path) as temporary:
        temporary.write_text("one")
        assert not path.exists()
        assert temporary.parent == path.parent
        assert temporary.suffix == ".txt"
    assert path.read_text() == "one"
    assert list(path.parent.iterdir()) == [path]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "result.txt"
    path.write_text("old")

    def write_half() -> None:
        with atomic_write(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_in_the_way_of_the_folder_is_named(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(WriteError, match=r"taken.*cannot be written"), atomic_write(tmp_path / "taken" / "a.txt"):
        pass
    with pytest.raises(WriteError, match=r"taken.*cannot be written"):
        make_folder(tmp_path / "taken")


def test_a_full_disk_is_said_so():
    with pytest.raises(WriteError, match="No space left"), atomic_write("/dev/shm/full.txt") as temporary:
        temporary.unlink()
        temporary.symlink_to("/dev/full")
        with temporary.open("w") as file:
            file.write("x" * 100_000)
