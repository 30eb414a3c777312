"""SQLite's result codes, as what a person must do about them.

Source: https://www.sqlite.org/rescode.html.
"""

import sqlite3
from pathlib import Path

from custody.audit.journal_fields import altered
from custody.codes import Code
from custody.errors import Conflict, CustodyError

_PRIMARY_MASK = 0xFF
_LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})
_READ_ONLY = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_AUTH})
_FAILED = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_NOLFS})
_TORN = frozenset({sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS})


def error_code(error: sqlite3.Error) -> int:
    """Return SQLite's extended result code, 0 where Python found the fault itself (text that is no UTF-8)."""
    try:
        return error.sqlite_errorcode
    except AttributeError:
        return 0


def error_for(error: sqlite3.Error, path: Path) -> CustodyError:
    """Return our error for one of SQLite's: whatever is neither lock, medium nor disk is an alteration."""
    code = error_code(error)
    primary = code & _PRIMARY_MASK
    if primary in _LOCKED:
        return Conflict(
            Code.WORKSPACE_LOCKED,
            f"`{path}` is being written by another command",
            advice="Wait until it has ended, look at what it did, then try again.",
        )
    if code == sqlite3.SQLITE_READONLY_ROLLBACK:
        return Conflict(
            Code.WORKSPACE_READ_ONLY,
            f"a crash left half an entry in `{path}`, and rolling it back needs to write where nothing can be written",
            advice="Open the workspace once where it can be written, with `custody journal verify`.",
        )
    if primary in _READ_ONLY:
        return Conflict(
            Code.WORKSPACE_READ_ONLY,
            f"`{path}` or its folder can't be written",
            advice="Work in a workspace of your own on a disk that can be written.",
        )
    if primary in _FAILED and code not in _TORN:
        return Conflict(
            Code.WRITE_FAILED,
            f"`{path}` can't be read or written: {error}",
            advice="Make room or mend the disk, then look whether the step was recorded before you do it again.",
        )
    return altered(f"`{path}` is damaged: {error}")
