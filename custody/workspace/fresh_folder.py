"""A folder that appears with all its files or not at all.

It is filled beside its final place under a name that nothing ever reads, synced, and renamed.
A kill leaves either no folder of that name (and at most a `.tmp-…` beside it), or the whole one.
"""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from custody.atomic import TEMPORARY_PREFIX, make_directory, sync_folder
from custody.codes import Code
from custody.errors import Conflict, InvalidInput

_TAKEN = frozenset({errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR})


@contextmanager
def fresh_folder(target: Path, *, unique: str) -> Iterator[Path]:
    """Yield an empty folder to fill; at the end it takes the name `target`, or goes away after an error.

    `target` may be absent or an empty folder; `unique` makes the temporary name, and is never used twice.

    Raises:
        Conflict: VAULT_EXISTS, something stands at `target`.
        InvalidInput: PATH_UNSAFE, or the parent folder is missing.
    """
    place = target.absolute()
    _require_free(place)
    if not place.parent.is_dir():
        raise InvalidInput(
            Code.FILE_NOT_FOUND,
            f"the folder `{place.parent}`, in which `{place.name}` is to be made, does not exist",
            advice="Make it first, or name another place.",
        )
    temporary = place.parent / f"{TEMPORARY_PREFIX}{unique}"
    make_directory(temporary)
    try:
        yield temporary
        sync_folder(temporary)
        _take_name(temporary, place)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    sync_folder(place.parent)


def _require_free(place: Path) -> None:
    if place.name in ("", ".."):
        raise InvalidInput(
            Code.PATH_UNSAFE, f"`{place}` names no folder of its own", advice="Give the new folder's own name."
        )
    if not os.path.lexists(place):
        return
    if place.is_symlink() or not place.is_dir() or any(place.iterdir()):
        raise _taken(place)
    if place.samefile(Path.cwd()):
        raise InvalidInput(
            Code.PATH_UNSAFE,
            f"`{place}` is the current folder",
            advice="Go up one folder and name it from there, or name a folder that does not exist yet.",
        )


def _take_name(temporary: Path, place: Path) -> None:
    try:
        temporary.rename(place)
    except OSError as error:
        if error.errno in _TAKEN:
            raise _taken(place) from error
        raise


def _taken(place: Path) -> Conflict:
    return Conflict(
        Code.VAULT_EXISTS,
        f"`{place}` exists and is not an empty folder",
        advice="Choose a folder that does not exist yet; nothing was written.",
    )
