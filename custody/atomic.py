"""Files written whole or not at all, and read only when they are plain files.

Every write goes to a temporary file in the target's folder, is synced, and takes the target's
name in one step; the folder is synced last. A kill at any moment leaves the old file or the new
one, never a mixture, and at most a `.tmp-…` beside it that nothing ever reads.

The last component of a path is never followed when it is a symbolic link, and devices, pipes and
folders are refused; links among the parent folders are the owner's own arrangement and allowed.
It deliberately never copies a file and never edits one in place.
"""

import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from custody.codes import Code
from custody.errors import Conflict, CustodyError, InvalidInput

TEMPORARY_PREFIX = ".tmp-"

FILE_MODE = 0o600
FOLDER_MODE = 0o700

_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_WRITE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NO_HARD_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_CHUNK = 1 << 20

Write = Callable[[int, bytes], int]
"""Like `os.write`: takes a file descriptor and bytes, returns how many were written."""

Link = Callable[[int, str, str], None]
"""Takes a folder's descriptor, a name in it, and gives the file a second name there, never over another file."""


def _hard_link(folder: int, name: str, second_name: str) -> None:
    os.link(name, second_name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)


def create_file(
    path: Path, content: bytes, *, mode: int = FILE_MODE, write: Write = os.write, link: Link = _hard_link
) -> None:
    """Write a new file; an existing one, of whatever kind, is left alone.

    Raises:
        Conflict: FILE_EXISTS, WORKSPACE_READ_ONLY or WRITE_FAILED.
        InvalidInput: the path can't be one of a file, or its folder is missing.
    """
    create_file_from(path, (content,), mode=mode, write=write, link=link)


def create_file_from(
    path: Path, pieces: Iterable[bytes], *, mode: int = FILE_MODE, write: Write = os.write, link: Link = _hard_link
) -> None:
    """Write a new file piece by piece, whole or not at all: where `pieces` raises, no file appears.

    Raises:
        Conflict, InvalidInput: as `create_file`; and whatever `pieces` raises.
    """
    with _folder_of(path) as (folder, name):
        _create(folder, name, path, pieces, mode=mode, write=write, link=link)


def require_creatable(path: Path) -> None:
    """Demand that `create_file` would find the folder there and the name free now.

    Raises:
        Conflict: FILE_EXISTS. InvalidInput: as `create_file`.
    """
    with _folder_of(path) as (folder, name):
        if _exists(folder, name):
            raise FileExistsError(errno.EEXIST, "exists")


def replace_file(path: Path, content: bytes, *, mode: int = FILE_MODE, write: Write = os.write) -> None:
    """Write a file, in the place of an older one if there is one.

    Raises:
        Conflict: WORKSPACE_READ_ONLY or WRITE_FAILED; the old file then stands as it was.
        InvalidInput: the path names a symbolic link or no plain file, or its folder is missing.
    """
    with _folder_of(path) as (folder, name):
        if _exists(folder, name):
            _require_regular(os.stat(name, dir_fd=folder, follow_symlinks=False), path)
        with _written(folder, path, (content,), mode, write) as temporary:
            os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)


def read_file(path: Path, *, max_bytes: int) -> bytes:
    """Read a plain file of at most `max_bytes`.

    Raises:
        InvalidInput: FILE_NOT_FOUND, FILE_NOT_REGULAR, PATH_UNSAFE (a symbolic link), FILE_TOO_LARGE,
            FILE_UNREADABLE.
    """
    with _opened(path) as file:
        return _read_all(file, path, max_bytes)


def read_start(path: Path, length: int) -> bytes:
    """Read the first `length` bytes of a plain file, or all of it where it is shorter; errors as `read_file`."""
    with _opened(path) as file:
        return os.pread(file, length, 0)


def read_lines(path: Path, *, max_line_bytes: int) -> Iterator[bytes]:
    """Yield the lines of a plain file, each with its line feed (the last as it is); errors as `read_file`, by line."""
    with _opened(path) as file, os.fdopen(os.dup(file), "rb") as stream:
        while line := stream.readline(max_line_bytes + 1):
            if len(line) > max_line_bytes:
                raise _too_large(f"a line of `{path}`", max_line_bytes)
            yield line


def read_blocks(path: Path, *, block_bytes: int) -> Iterator[bytes]:
    """Yield a plain file of any size in blocks, one in memory at a time; errors as `read_file`."""
    with _opened(path) as file:
        while block := os.read(file, block_bytes):
            yield block


def read_private_file(path: Path, *, max_bytes: int) -> bytes:
    """Read a plain file that only its owner may read or write (mode 0600 or less).

    Raises:
        InvalidInput: as `read_file`, and PATH_UNSAFE when others have any right to it.
    """
    with _opened(path) as file:
        mode = stat.S_IMODE(os.fstat(file).st_mode)
        if mode & 0o077:
            raise InvalidInput(
                Code.PATH_UNSAFE,
                f"`{path}` has mode {mode:04o}, others than its owner have rights to it",
                advice=f"Set its mode with `chmod 600 {path}`, and change the secret if others may have read it.",
            )
        return _read_all(file, path, max_bytes)


def make_directory(path: Path, *, mode: int = FOLDER_MODE) -> None:
    """Create one folder, or accept one that is there; its parent must exist.

    Raises:
        Conflict: WORKSPACE_READ_ONLY or WRITE_FAILED.
        InvalidInput: the name is taken by something that is no folder, or by a symbolic link.
    """
    with _folder_of(path) as (parent, name):
        with suppress(FileExistsError):
            os.mkdir(name, mode, dir_fd=parent)
            os.fsync(parent)
        found = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
    if stat.S_ISLNK(found):
        raise _is_link(path)
    if not stat.S_ISDIR(found):
        raise InvalidInput(
            Code.FILE_NOT_REGULAR, f"`{path}` is not a folder", advice="Move it away or choose another place."
        )


def require_regular_file(path: Path) -> None:
    """Refuse a path that is not a plain file of its own.

    Raises:
        InvalidInput: FILE_NOT_FOUND, FILE_NOT_REGULAR, PATH_UNSAFE (a symbolic link).
    """
    with _folder_of(path) as (folder, name):
        _require_regular(os.stat(name, dir_fd=folder, follow_symlinks=False), path)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    with _translated(path):
        folder = os.open(path, _FOLDER_FLAGS)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def opened_folder(path: Path) -> Iterator["Folder"]:
    """Open a folder that is there, so that all that is done with it happens in that very folder.

    Raises:
        InvalidInput: FILE_NOT_FOUND, FILE_NOT_REGULAR (no folder), PATH_UNSAFE (a symbolic link).
    """
    with _translated(path):
        try:
            descriptor = os.open(path, _FOLDER_FLAGS | os.O_NOFOLLOW)
        except NotADirectoryError as error:
            if path.is_symlink():
                raise _is_link(path) from error
            raise InvalidInput(
                Code.FILE_NOT_REGULAR, f"`{path}` is not a folder", advice="Give the path of a folder."
            ) from error
        try:
            yield Folder(path, descriptor)
        finally:
            os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder held open, such as an SD card: what lies in it is read and created by name, never by a path."""

    path: Path
    descriptor: int

    def names(self) -> list[str]:
        """Return the names of all that lies in it, sorted."""
        with _translated(self.path), os.scandir(self.descriptor) as entries:
            return sorted(entry.name for entry in entries)

    def read(self, name: str, *, max_bytes: int) -> bytes:
        """Read a plain file of it; errors as `read_file`."""
        with self._opened(name) as file:
            return _read_all(file, self.path / name, max_bytes)

    def read_start(self, name: str, length: int) -> bytes:
        """Read the first `length` bytes of a plain file of it; errors as `read_file`."""
        with self._opened(name) as file:
            return os.pread(file, length, 0)

    def create(self, name: str, content: bytes, *, mode: int = FILE_MODE) -> None:
        """Write a new file in it, whole or not at all; errors as `create_file`."""
        path = self.path / name
        with _translated(path):
            _create(self.descriptor, name, path, (content,), mode=mode, write=os.write, link=_hard_link)

    @contextmanager
    def _opened(self, name: str) -> Iterator[int]:
        path = self.path / name
        with _translated(path), _opened_at(self.descriptor, name, path) as file:
            yield file


def _create(
    folder: int, name: str, path: Path, pieces: Iterable[bytes], *, mode: int, write: Write, link: Link
) -> None:
    with _written(folder, path, pieces, mode, write) as temporary:
        try:
            link(folder, temporary, name)
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            # A file system without hard links (an SD card): only another program that creates
            # this very name between the look and the rename could be overwritten.
            if _exists(folder, name):
                raise FileExistsError(errno.EEXIST, "exists") from error
            os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)


@contextmanager
def _folder_of(path: Path) -> Iterator[tuple[int, str]]:
    """Open the folder of `path`, so that every step below happens in that very folder."""
    name = path.name
    if name == "-":
        # Everywhere else it means stdin or stdout: a file of that name would be a surprise, and is never one we made.
        raise InvalidInput(
            Code.PATH_UNSAFE, "`-` is stdin or stdout, which can't be used here", advice="Give the path of a file."
        )
    if name in ("", ".", "..") or "\0" in str(path):
        raise InvalidInput(
            Code.PATH_UNSAFE, f"`{str(path)!r}` can't be the path of a file", advice="Give the path of a file."
        )
    with _translated(path.parent):
        folder = os.open(path.parent, _FOLDER_FLAGS)
    with _translated(path):
        try:
            yield folder, name
        finally:
            os.close(folder)


@contextmanager
def _written(folder: int, path: Path, pieces: Iterable[bytes], mode: int, write: Write) -> Iterator[str]:
    """Yield the name of a synced temporary file; afterwards remove that name if it is left, and sync the folder."""
    temporary = f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}"
    file = os.open(temporary, _WRITE_FLAGS, mode, dir_fd=folder)
    try:
        try:
            for piece in pieces:
                _write_all(file, piece, write, path)
            os.fsync(file)
        finally:
            os.close(file)
        yield temporary
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=folder)
    os.fsync(folder)


def _write_all(file: int, content: bytes, write: Write, path: Path) -> None:
    left = memoryview(content)
    while left:
        count = write(file, bytes(left[:_CHUNK]))
        if count <= 0:
            raise OSError(errno.EIO, "nothing was written", str(path))
        left = left[count:]


def _exists(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    with _folder_of(path) as (folder, name), _opened_at(folder, name, path) as file:
        yield file


@contextmanager
def _opened_at(folder: int, name: str, path: Path) -> Iterator[int]:
    # O_NONBLOCK: a named pipe must not hang us before it can be refused. A socket can't be opened at all.
    _require_regular(os.stat(name, dir_fd=folder, follow_symlinks=False), path)
    file = os.open(name, _READ_FLAGS, dir_fd=folder)
    try:
        _require_regular(os.fstat(file), path)
        yield file
    finally:
        os.close(file)


def _read_all(file: int, path: Path, max_bytes: int) -> bytes:
    parts: list[bytes] = []
    left = max_bytes + 1
    while left > 0 and (part := os.read(file, min(left, _CHUNK))):
        parts.append(part)
        left -= len(part)
    if left <= 0:
        raise _too_large(f"`{path}`", max_bytes)
    return b"".join(parts)


def _too_large(what: str, max_bytes: int) -> InvalidInput:
    return InvalidInput(
        Code.FILE_TOO_LARGE,
        f"{what} has more than {max_bytes} bytes",
        advice="Check that it is the file that you mean.",
    )


def _require_regular(found: os.stat_result, path: Path) -> None:
    if stat.S_ISLNK(found.st_mode):
        raise _is_link(path)
    if not stat.S_ISREG(found.st_mode):
        raise InvalidInput(
            Code.FILE_NOT_REGULAR, f"`{path}` is not a plain file", advice="Give the path of a plain file."
        )


def _is_link(path: Path) -> InvalidInput:
    return InvalidInput(
        Code.PATH_UNSAFE,
        f"`{path}` is a symbolic link",
        advice="Name the file itself; links are refused so that nobody can point a path elsewhere.",
    )


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turn the operating system's errors into ours, at the one place that knows the path."""
    try:
        yield
    except OSError as error:
        raise _error_for(error, path) from error


def _error_for(error: OSError, path: Path) -> CustodyError:
    words = os.strerror(error.errno).lower() if error.errno else "failed"
    number = error.errno
    if number == errno.EEXIST:
        return Conflict(Code.FILE_EXISTS, f"`{path}` exists", advice="Choose another name, or move that file away.")
    if number == errno.EROFS:
        return Conflict(
            Code.WORKSPACE_READ_ONLY, f"`{path}` is on read-only media", advice="Write to another place instead."
        )
    if number == errno.ELOOP:
        return _is_link(path)
    if number in (errno.ENOENT, errno.ENOTDIR):
        return InvalidInput(Code.FILE_NOT_FOUND, f"`{path}` does not exist", advice="Check the path.")
    if number in _FULL or number == errno.EIO:
        return Conflict(
            Code.WRITE_FAILED,
            f"`{path}` can't be read or written: {words}",
            advice="Make room or mend the disk, then try again; what stood there before is unchanged.",
        )
    return InvalidInput(Code.FILE_UNREADABLE, f"`{path}`: {words}", advice="Check the path and its rights.")
