"""Where a workspace keeps its journal, and the one way to open it.

Everything that reads or appends asks `open_journal`; nothing else names a store.
"""

from custody.codes import Code
from custody.errors import Altered
from custody.ports import JournalStore
from custody.workspace.layout import Workspace
from custody.workspace.sqlite_store import SqliteJournal


def open_journal(workspace: Workspace) -> JournalStore:
    """Return the workspace's journal; it is not read until it is asked.

    Raises:
        Altered: JOURNAL_MISSING.
    """
    if not workspace.journal_db.exists():
        raise _missing(workspace)
    return SqliteJournal(workspace.journal_db)


def _missing(workspace: Workspace) -> Altered:
    return Altered(
        Code.JOURNAL_MISSING,
        f"`{workspace.folder}` has a vault file and no journal",
        advice="Restore the journal; to read a vault file alone, name it with --vault-file.",
    )
