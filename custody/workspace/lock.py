"""One writer at a time in a workspace: load, decide and append without another in between.

The lock is `flock` on the file `.lock`; the kernel drops it when its holder ends, however that
happens, so a kill never leaves a workspace locked. The file itself stays and means nothing.
Readers take no lock. The journal's compare-and-append still stands behind it.
"""

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from custody.codes import Code
from custody.errors import Conflict, InvalidInput

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_PAUSE_MS = 50


@contextmanager
def writer_lock(path: Path, *, wait_ms: int = 2_000) -> Iterator[None]:
    """Hold the workspace's writer lock (`Workspace.lock_file`), waiting at most `wait_ms` for another holder.

    Not reentrant: a second one in the same process waits like any other, and fails.

    Raises:
        Conflict: WORKSPACE_LOCKED, or WORKSPACE_READ_ONLY where the workspace can't be written at all.
        InvalidInput: the lock file is a symbolic link or no plain file.
    """
    file = _open(path)
    try:
        _acquire(file, path, wait_ms)
        yield
    finally:
        os.close(file)


def _open(path: Path) -> int:
    try:
        file = os.open(path, _FLAGS, 0o600)
    except OSError as error:
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise Conflict(
                Code.WORKSPACE_READ_ONLY,
                f"`{path.parent}` can't be written",
                advice="Work in a workspace of your own on a disk that can be written.",
            ) from error
        raise _unsafe(path) from error
    if stat.S_ISREG(os.fstat(file).st_mode):
        return file
    os.close(file)
    raise _unsafe(path)


def _acquire(file: int, path: Path, wait_ms: int) -> None:
    deadline_ns = time.monotonic_ns() + wait_ms * 1_000_000
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES):
                raise _unsafe(path) from error
            if time.monotonic_ns() >= deadline_ns:
                raise Conflict(
                    Code.WORKSPACE_LOCKED,
                    f"another command is writing in `{path.parent}`",
                    advice="Wait until it has ended, look at what it did, then try again.",
                ) from error
        else:
            return
        time.sleep(_PAUSE_MS / 1_000)


def _unsafe(path: Path) -> InvalidInput:
    return InvalidInput(
        Code.PATH_UNSAFE,
        f"`{path}` can't be used as a lock: it must be a plain file in an existing folder",
        advice="Remove what stands there; it holds nothing.",
    )
