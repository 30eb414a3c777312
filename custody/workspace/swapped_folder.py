"""A folder of files that appears whole, or takes the place of an older one in a single step.

It is filled beside its final place and synced. A new name is taken by a rename; where an older folder
stands, the two change places at once (`renameat2` on Linux). Where the system can't do that, the old one
steps aside first, and a kill between leaves both whole under other names. What is replaced is only ever
a folder that the caller knows as its own.
"""

import ctypes
import errno
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from custody.atomic import TEMPORARY_PREFIX, create_file, make_directory, sync_folder
from custody.codes import Code
from custody.errors import Conflict, InvalidInput

PUBLIC_FILE_MODE = 0o644
PUBLIC_FOLDER_MODE = 0o755

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_NO_EXCHANGE = frozenset({errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP})

Exchange = Callable[[Path, Path], bool]
"""Lets two folders change their names at once; False where the system can't."""


def publish_folder(target: Path, files: Mapping[str, bytes], *, unique: str) -> None:
    """Write a new folder with `files`, readable by everybody; `target` may be absent or an empty folder.

    `unique` makes the temporary name, and is never used twice.

    Raises:
        Conflict: FILE_EXISTS, something stands at `target`; WORKSPACE_READ_ONLY, WRITE_FAILED.
        InvalidInput: PATH_UNSAFE, or the parent folder is missing.
    """
    place = _place_of(target)
    if _is_taken(place):
        raise _taken(place)
    temporary = _filled(place, files, unique)
    try:
        temporary.rename(place)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise _taken(place) from error
    sync_folder(place.parent)


def replace_folder(target: Path, files: Mapping[str, bytes], *, unique: str, exchange: Exchange | None = None) -> None:
    """Write a folder with `files` in the place of the one at `target`, which the caller has found to be its own.

    Raises:
        Conflict, InvalidInput: as `publish_folder`; the old folder then stands as it was.
    """
    place = _place_of(target)
    if not _is_taken(place):
        publish_folder(target, files, unique=unique)
        return
    if place.is_symlink() or not place.is_dir():
        raise _taken(place)
    temporary = _filled(place, files, unique)
    try:
        if not (exchange or _exchange)(temporary, place):
            _step_aside(temporary, place, unique)
    finally:
        # After the exchange the old folder has this name; after a failure it is the new one.
        shutil.rmtree(temporary, ignore_errors=True)
    sync_folder(place.parent)


def _place_of(target: Path) -> Path:
    place = target.absolute()
    if place.name in ("", "..") or (place.is_dir() and place.samefile(Path.cwd())):
        raise InvalidInput(
            Code.PATH_UNSAFE,
            f"`{target}` can't be written as a whole: it names no folder of its own, or the current one",
            advice="Go up one folder and name it from there.",
        )
    if not place.parent.is_dir():
        raise InvalidInput(
            Code.FILE_NOT_FOUND,
            f"the folder `{place.parent}`, in which `{place.name}` is to be made, does not exist",
            advice="Make it first, or name another place.",
        )
    return place


def _is_taken(place: Path) -> bool:
    return os.path.lexists(place) and (place.is_symlink() or not place.is_dir() or any(place.iterdir()))


def _taken(place: Path) -> Conflict:
    return Conflict(
        Code.FILE_EXISTS,
        f"`{place}` exists and is not an empty folder",
        advice="Name a folder that does not exist yet, or say --replace where a page lies there; nothing was written.",
    )


def _filled(place: Path, files: Mapping[str, bytes], unique: str) -> Path:
    temporary = place.parent / f"{TEMPORARY_PREFIX}{unique}"
    make_directory(temporary)
    try:
        for name, content in files.items():
            create_file(temporary / name, content, mode=PUBLIC_FILE_MODE)
        temporary.chmod(PUBLIC_FOLDER_MODE)
        sync_folder(temporary)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return temporary


def _exchange(one: Path, other: Path) -> bool:
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    if rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _NO_EXCHANGE:
        return False
    raise Conflict(
        Code.WRITE_FAILED,
        f"`{other}` can't be replaced: {os.strerror(number).lower()}",
        advice="Check the rights of its folder; what stood there before is unchanged.",
    )


def _step_aside(temporary: Path, place: Path, unique: str) -> None:
    aside = place.parent / f"{TEMPORARY_PREFIX}{unique}-old"
    place.rename(aside)
    try:
        temporary.rename(place)
    except OSError:
        aside.rename(place)
        raise
    shutil.rmtree(aside, ignore_errors=True)
