"""Folders that many tests begin with: made once by the real command line, then copied.

A step is named by everything that it depends on. A folder that only named steps have touched gets its next one
from a copy where some test of this process took the same way before; any other folder goes the way itself.
"""

import atexit
import copy
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, cast

Name = tuple[object, ...]
Answer = TypeVar("Answer")

_LARGE = 1_000_000
"""Bytes; the chain's files, which the journal and the mempool file beside them never outlive unchanged."""
_kept: dict[tuple[Name, ...], tuple[Path, object]] = {}


@dataclass
class Beginning:
    """How a folder came about, as long as nothing but named steps touched it."""

    folder: Path
    steps: tuple[Name, ...] = ()
    seen: dict[str, tuple[int, str]] = field(default_factory=dict)
    """What was in the folder after the last step."""

    def take(self, name: Name, step: Callable[[], Answer]) -> Answer:
        """Take a step, from a copy if the same way was taken before, and return its answer."""
        if _look(self.folder) != self.seen:
            return step()
        steps = (*self.steps, name)
        if steps in _kept:
            made, answer = _kept[steps]
            _copy(made, self.folder)
        else:
            answer = step()
            made = _room() / str(len(_kept))
            _copy(self.folder, made)
            _kept[steps] = made, answer
        self.steps, self.seen = steps, _look(self.folder)
        return cast(Answer, copy.deepcopy(answer))


def _look(folder: Path) -> dict[str, tuple[int, str]]:
    """Return every file with its size and digest, of a large one its time of change instead."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        mark = "" if path.is_dir() else str(status.st_mtime_ns)
        if path.is_file() and status.st_size < _LARGE:
            mark = hashlib.sha256(path.read_bytes()).hexdigest()
        found[str(path.relative_to(folder))] = (0 if path.is_dir() else status.st_size, mark)
    return found


def _copy(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, symlinks=True, copy_function=_copy_file)


def _copy_file(source: str, target: str) -> None:
    """Copy a file; the zeros at its end, of which a chain's files mostly consist, take no room."""
    data = Path(source).read_bytes()
    Path(target).write_bytes(data.rstrip(b"\0"))
    os.truncate(target, len(data))
    shutil.copystat(source, target)


def _room() -> Path:
    if not _rooms:
        room = tempfile.mkdtemp(prefix="custody-beginnings-")
        atexit.register(shutil.rmtree, room, ignore_errors=True)
        _rooms.append(Path(room))
    return _rooms[0]


_rooms: list[Path] = []
