"""Where a workspace keeps its journal, and the one way to open it.

It is the database that `custody.yaml` names, else the file `journal.db`. Never both: a file beside
the name of a database, or the note of a move, is refused until `custody journal move` has ended
what it began, because nobody could say which of the two is the journal.

Everything that reads or appends asks `open_journal`; nothing else names a store.
"""

import os
from typing import TYPE_CHECKING

from custody.codes import Code
from custody.errors import Altered, Conflict
from custody.ports import JournalStore
from custody.workspace.journal_move import read_note
from custody.workspace.layout import Workspace
from custody.workspace.settings import JournalSettings, load_settings
from custody.workspace.sqlite_store import SqliteJournal

if TYPE_CHECKING:
    from custody.workspace.postgres_store_handover import TransitJournal


def open_journal(workspace: Workspace) -> JournalStore:
    """Return the workspace's journal; it is not read until it is asked.

    Raises:
        Altered: JOURNAL_MISSING.
        Conflict: JOURNAL_RELOCATED while a move is under way or a file stands beside a database's name;
            COMPONENT_MISSING without the library that a database needs.
        InvalidInput: `custody.yaml` can't be read, so that nobody knows where the journal is.
    """
    settings = load_settings(workspace.custody_yaml).journal
    note = read_note(workspace)
    if note is not None:
        raise _relocated("a move of the journal was interrupted", note.target_text)
    has_file = os.path.lexists(workspace.journal_db)
    if settings is None:
        if not has_file:
            raise _missing(workspace)
        return SqliteJournal(workspace.journal_db)
    if has_file:
        raise _relocated(
            f"custody.yaml names a database, and `{workspace.journal_db.name}` is here too", settings.url.text
        )
    return in_database(settings)


def in_database(settings: JournalSettings) -> JournalStore:
    """Return a journal in a database, as every command but a move sees it; nothing is connected yet.

    Raises:
        Conflict: COMPONENT_MISSING.
    """
    try:
        from custody.workspace.postgres_store import PostgresJournal  # takes 130 ms, which others don't pay
    except ImportError as error:
        raise _no_library() from error
    return PostgresJournal(settings.url, settings.journal_id)


def in_transit(settings: JournalSettings) -> "TransitJournal":
    """Return a journal in a database, as a move sees it.

    Raises:
        Conflict: COMPONENT_MISSING.
    """
    try:
        from custody.workspace.postgres_store_handover import TransitJournal
    except ImportError as error:
        raise _no_library() from error
    return TransitJournal(settings.url, settings.journal_id)


def _missing(workspace: Workspace) -> Altered:
    return Altered(
        Code.JOURNAL_MISSING,
        f"`{workspace.folder}` has a vault file and no journal",
        advice="Restore the journal, or the part of custody.yaml that says in which database it is; "
        "to read a vault file alone, name it with --vault-file.",
    )


def _relocated(what: str, target: str) -> Conflict:
    return Conflict(
        Code.JOURNAL_RELOCATED,
        f"{what}: which one is the journal can't be told",
        advice=f"Run `custody journal move {target}` to end it; if you began no move, call the auditor.",
        details={"target": target},
    )


def _no_library() -> Conflict:
    return Conflict(
        Code.COMPONENT_MISSING,
        "the journal is in PostgreSQL, and psycopg is not installed or does not load on this Python",
        advice="Install the locked packages, or name a Python for which they exist.",
    )
