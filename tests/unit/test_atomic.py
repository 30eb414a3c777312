import errno
import os
import stat

import pytest

from custody.atomic import (
    create_file,
    make_directory,
    read_blocks,
    read_file,
    read_private_file,
    read_start,
    replace_file,
    require_regular_file,
    sync_folder,
)
from custody.codes import Code
from custody.errors import Conflict, InvalidInput
from support.journals import picture


class FullDisk:
    """A write function that takes `room` bytes and then fails, a few bytes at a time before."""

    def __init__(self, room: int, number: int = errno.ENOSPC) -> None:
        self.room = room
        self.number = number

    def __call__(self, file: int, content: bytes) -> int:
        if self.room <= 0:
            raise OSError(self.number, os.strerror(self.number))
        count = os.write(file, content[: min(7, self.room)])
        self.room -= count
        return count


def _no_hard_links(_folder: int, _name: str, _second: str) -> None:
    raise OSError(errno.EPERM, "not permitted")


def test_creates_a_private_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "file"
    create_file(path, b"content")
    assert path.read_bytes() == b"content"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_nlink == 1
    assert list(tmp_path.iterdir()) == [path]


def test_replaces_a_file_with_the_mode_asked_for(tmp_path):
    path = tmp_path / "file"
    replace_file(path, b"old")
    replace_file(path, b"new" * 1_000_000, mode=0o640)
    assert path.read_bytes() == b"new" * 1_000_000
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("link", [None, _no_hard_links])
def test_create_never_overwrites(tmp_path, link):
    path = tmp_path / "file"
    path.write_bytes(b"mine")
    with pytest.raises(Conflict) as caught:
        create_file(path, b"theirs", **({} if link is None else {"link": link}))
    assert (caught.value.code, caught.value.exit_code) == (Code.FILE_EXISTS, 7)
    assert path.read_bytes() == b"mine"
    assert list(tmp_path.iterdir()) == [path]


def test_creates_where_there_are_no_hard_links(tmp_path):
    path = tmp_path / "file"
    create_file(path, b"content", link=_no_hard_links)
    assert path.read_bytes() == b"content"
    assert list(tmp_path.iterdir()) == [path]


def test_short_writes_are_continued(tmp_path):
    path = tmp_path / "file"
    create_file(path, b"0123456789" * 10, write=FullDisk(10_000))
    assert path.read_bytes() == b"0123456789" * 10


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO])
@pytest.mark.parametrize("room", [0, 1, 20])
def test_a_failing_write_leaves_the_old_file_and_no_litter(tmp_path, number, room):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    for act in (lambda: replace_file(path, b"n" * 50, write=FullDisk(room, number)),
                lambda: create_file(tmp_path / "new", b"n" * 50, write=FullDisk(room, number))):  # fmt: skip
        with pytest.raises(Conflict) as caught:
            act()
        assert (caught.value.code, caught.value.exit_code) == (Code.WRITE_FAILED, 7)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_takes_nothing_does_not_go_on_for_ever(tmp_path):
    with pytest.raises(Conflict):
        create_file(tmp_path / "file", b"x", write=lambda _file, _content: 0)
    assert not list(tmp_path.iterdir())


def test_reads_up_to_the_limit_and_not_a_byte_more(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_file(path, max_bytes=5) == b"12345"
    with pytest.raises(InvalidInput) as caught:
        read_file(path, max_bytes=4)
    assert caught.value.code is Code.FILE_TOO_LARGE
    assert (read_start(path, 3), read_start(path, 99)) == (b"123", b"12345")


def test_reading_changes_nothing(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    before = picture(tmp_path)
    read_file(tmp_path / "file", max_bytes=10)
    require_regular_file(tmp_path / "file")
    assert picture(tmp_path) == before


def test_a_missing_file_or_folder_is_said(tmp_path):
    for act in (
        lambda: read_file(tmp_path / "no", max_bytes=1),
        lambda: create_file(tmp_path / "no" / "file", b""),
        lambda: require_regular_file(tmp_path / "no"),
        lambda: sync_folder(tmp_path / "no"),
        lambda: make_directory(tmp_path / "no" / "folder"),
    ):
        with pytest.raises(InvalidInput) as caught:
            act()
        assert caught.value.code is Code.FILE_NOT_FOUND


@pytest.mark.parametrize(
    ("mode", "allowed"), [(0o600, True), (0o400, True), (0o640, False), (0o604, False), (0o620, False)]
)
def test_a_secret_is_read_only_from_a_file_that_is_its_owners(tmp_path, mode, allowed):
    path = tmp_path / "secret"
    path.write_bytes(b"hush")
    path.chmod(mode)
    if allowed:
        assert read_private_file(path, max_bytes=10) == b"hush"
        return
    with pytest.raises(InvalidInput) as caught:
        read_private_file(path, max_bytes=10)
    assert caught.value.code is Code.PATH_UNSAFE
    assert "hush" not in caught.value.message


def test_folders_are_private_and_may_be_there_already(tmp_path):
    make_directory(tmp_path / "folder")
    make_directory(tmp_path / "folder")
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o700
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InvalidInput):
        make_directory(tmp_path / "file")


def test_a_linked_parent_folder_is_the_owners_own_arrangement(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    create_file(tmp_path / "link" / "file", b"x")
    assert read_file(tmp_path / "real" / "file", max_bytes=1) == b"x"


def test_reads_a_file_of_any_size_in_blocks(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(range(250)))
    blocks = list(read_blocks(path, block_bytes=100))
    assert [len(block) for block in blocks] == [100, 100, 50]
    assert b"".join(blocks) == bytes(range(250))


@pytest.mark.parametrize("kind", ["link", "folder", "pipe", "nothing"])
def test_blocks_come_from_plain_files_alone(tmp_path, kind):
    path = tmp_path / "file"
    {"link": lambda: path.symlink_to("other"), "folder": path.mkdir, "pipe": lambda: os.mkfifo(path)}.get(
        kind, lambda: None
    )()
    with pytest.raises(InvalidInput):
        next(read_blocks(path, block_bytes=100))
