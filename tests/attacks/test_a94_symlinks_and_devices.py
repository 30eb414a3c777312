"""A94: paths that are not what they seem: symbolic links, devices, pipes, NUL."""

import os
import socket
from pathlib import Path

import pytest

from custody.atomic import create_file, make_directory, read_file, replace_file, require_regular_file
from custody.codes import Code
from custody.errors import Altered, Conflict, CustodyError, InvalidInput
from custody.workspace.lock import writer_lock
from custody.workspace.sqlite_store import SqliteJournal
from support.journals import JOURNAL_ID, LOCAL_DISK, make_chain, make_journal, picture


def test_a94_a_symlinked_journal_is_refused_for_reading_and_writing(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "work").mkdir()
    real = make_journal(tmp_path / "real", 1)
    link = tmp_path / "work" / "journal.db"
    link.symlink_to(real.path)
    before = picture(tmp_path)
    journal = SqliteJournal(link, mount_table=LOCAL_DISK)
    with pytest.raises(InvalidInput) as caught:
        journal.entries()
    assert caught.value.code is Code.PATH_UNSAFE
    with pytest.raises(InvalidInput):
        journal.append(make_chain(1), expected_head=None)
    with pytest.raises(Conflict):
        SqliteJournal.create(link, JOURNAL_ID, mount_table=LOCAL_DISK)
    assert picture(tmp_path) == before | {".": picture(tmp_path)["."], "work": picture(tmp_path)["work"]}


def test_a94_a_dangling_link_is_not_a_place_for_a_new_journal(tmp_path):
    link = tmp_path / "journal.db"
    link.symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(Conflict):
        SqliteJournal.create(link, JOURNAL_ID, mount_table=LOCAL_DISK)
    assert not (tmp_path / "elsewhere.db").exists()


def test_a94_a_symlinked_rollback_file_is_refused(tmp_path):
    journal = make_journal(tmp_path, 1)
    (tmp_path / "journal.db-journal").symlink_to(tmp_path / "victim")
    with pytest.raises(Altered):
        journal.entries()
    with pytest.raises(Altered):
        journal.append(make_chain(1), expected_head=None)
    assert not (tmp_path / "victim").exists()


def _make(kind: str, path: Path) -> None:
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "link":
        path.symlink_to("/etc/hostname")
    elif kind == "dangling link":
        path.symlink_to(path.parent / "nothing")
    elif kind == "socket":
        here = Path.cwd()
        os.chdir(path.parent)  # socket names are short
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
        os.chdir(here)


KINDS = ["pipe", "folder", "link", "dangling link", "socket"]


@pytest.mark.parametrize("kind", KINDS)
def test_a94_only_plain_files_are_read_or_replaced(tmp_path, kind):
    path = tmp_path / "file"
    _make(kind, path)
    before = picture(tmp_path)
    with pytest.raises(InvalidInput):
        read_file(path, max_bytes=10)
    with pytest.raises(InvalidInput):
        replace_file(path, b"new")
    with pytest.raises(InvalidInput):
        require_regular_file(path)
    with pytest.raises(Conflict):
        create_file(path, b"new")
    with pytest.raises(CustodyError):
        SqliteJournal(path, mount_table=LOCAL_DISK).entries()
    assert set(picture(tmp_path)) == set(before)


@pytest.mark.parametrize("kind", ["pipe", "link", "dangling link", "socket"])
def test_a94_a_lock_or_a_folder_is_nothing_else(tmp_path, kind):
    path = tmp_path / ".lock"
    _make(kind, path)
    with pytest.raises(InvalidInput), writer_lock(path):
        pass
    with pytest.raises(InvalidInput):
        make_directory(path)
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("device", ["/dev/null", "/dev/zero", "/dev/stdin"])
def test_a94_devices_are_not_read(device):
    with pytest.raises(InvalidInput):
        read_file(Path(device), max_bytes=10)


@pytest.mark.parametrize("name", ["a\0b", "..", "/", "."])
def test_a94_paths_that_name_no_file(tmp_path, name):
    path = Path(name) if name == "/" else tmp_path / name
    for act in (lambda: create_file(path, b""), lambda: replace_file(path, b""), lambda: read_file(path, max_bytes=1)):
        with pytest.raises(CustodyError) as caught:
            act()
        assert caught.value.exit_code in (6, 7)
