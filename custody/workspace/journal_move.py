"""The note of a journal's move that is under way, and the files that a move leaves.

While the note stands the workspace opens no journal: neither the old place nor the new one may be
read for current or appended to, whatever a kill left behind. The same move, run again, ends it.
A journal that has moved away stays as a file of another name, read-only: nothing opens it.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from custody.atomic import read_file, replace_file, sync_folder
from custody.audit.journal import GENESIS_PREV
from custody.codes import Code
from custody.documents.strict_yaml import dump, load
from custody.errors import Altered, InvalidInput
from custody.workspace.journal_url import SQLITE, JournalUrl
from custody.workspace.layout import Workspace
from custody.workspace.sqlite_store import SqliteJournal

_FORMAT = "custody-journal-move/1"
_MAX_BYTES = 8_000
_READ_ONLY = 0o400


@dataclass(frozen=True, slots=True)
class MoveNote:
    """A move that has begun."""

    nonce: str
    """Tells this move from every other at the database."""
    target: JournalUrl | None
    """Where to; None is the file in the workspace."""

    @property
    def target_text(self) -> str:
        """The target as it is given on the command line."""
        return SQLITE if self.target is None else self.target.text


def read_note(workspace: Workspace) -> MoveNote | None:
    """Return the note of a move under way, None when there is none.

    Raises:
        Altered: WORKSPACE_ALTERED, the note is not one of ours.
    """
    try:
        document = load(read_file(workspace.move_note, max_bytes=_MAX_BYTES))
        if not isinstance(document, dict) or document.keys() != {"format", "nonce", "target"}:
            raise _altered(workspace)
        nonce, target = document["nonce"], document["target"]
        if document["format"] != _FORMAT or not isinstance(nonce, str) or not isinstance(target, str):
            raise _altered(workspace)
        return MoveNote(nonce, None if target == SQLITE else JournalUrl.parse(target))
    except InvalidInput as error:
        if error.code is Code.FILE_NOT_FOUND:
            return None
        raise _altered(workspace) from error


def write_note(workspace: Workspace, note: MoveNote) -> None:
    """Say that a move begins."""
    document = dump({"format": _FORMAT, "nonce": note.nonce, "target": note.target_text})
    replace_file(workspace.move_note, document.encode())


def remove_note(workspace: Workspace) -> None:
    """Say that the move has ended."""
    workspace.move_note.unlink(missing_ok=True)
    sync_folder(workspace.folder)


def moved_file(workspace: Workspace, head: str) -> Path:
    """Return the name of a journal that has moved away at `head`."""
    return workspace.folder / f"journal-moved-{head[:8]}.db"


def retire(workspace: Workspace) -> Path | None:
    """Give `journal.db`, if it is there, the name of a journal that has moved away, and make it read-only.

    Raises:
        Altered: it is no journal.
    """
    if not os.path.lexists(workspace.journal_db):
        return None
    head = SqliteJournal(workspace.journal_db).head()
    place = moved_file(workspace, GENESIS_PREV if head is None else head[1])
    workspace.journal_db.chmod(_READ_ONLY)
    workspace.journal_db.rename(place)
    sync_folder(workspace.folder)
    return place


def take_name(workspace: Workspace) -> None:
    """Make the copy that a move filled the workspace's journal, if that has not happened yet."""
    if workspace.moving_db.exists():
        workspace.moving_db.rename(workspace.journal_db)
        sync_folder(workspace.folder)


def discard_copy(workspace: Workspace) -> None:
    """Remove what a move left of a copy that nobody has used."""
    for suffix in ("", "-journal"):
        workspace.moving_db.with_name(workspace.moving_db.name + suffix).unlink(missing_ok=True)
    sync_folder(workspace.folder)


def _altered(workspace: Workspace) -> Altered:
    return Altered(
        Code.WORKSPACE_ALTERED,
        f"`{workspace.move_note.name}` is not the note of a move that this program wrote",
        advice="Stop, leave the files as they are, and call the auditor.",
    )
