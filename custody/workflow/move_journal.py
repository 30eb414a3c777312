"""Move a workspace's journal into a database, or back into its file: the same entries, the same hashes.

The order of steps is what makes a kill harmless. A note is written first, and while it stands no
journal is opened here. The copy is whole and verified before `custody.yaml` names it; the old place
takes no entry any more before the new one takes its first. So after a kill there is one journal, and
running the same command again ends the move. Until `custody.yaml` is switched, moving to where the
journal still is calls the move off.

Into a database: copy there, closed; verify; switch; rename the file; open. Into the file: copy;
verify; close the database if its head is still the copied one, else copy again; rename; switch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from custody.audit.journal import Entry, require_clean
from custody.audit.journal_fields import altered
from custody.codes import Code
from custody.errors import Conflict, CustodyError, JsonValue, UsageError
from custody.ports import JournalStore, NonceSource
from custody.workspace import journal_move
from custody.workspace.journal_move import MoveNote
from custody.workspace.journal_store import in_transit, open_journal
from custody.workspace.journal_url import SQLITE, JournalUrl
from custody.workspace.layout import Workspace
from custody.workspace.lock import writer_lock
from custody.workspace.settings import JournalSettings, Settings, load_settings, save_settings
from custody.workspace.sqlite_store import SqliteJournal

if TYPE_CHECKING:
    from custody.workspace.postgres_store_handover import TransitJournal

_MAX_COPIES = 5
"""Other offices may append while the journal is copied out of a database."""


@dataclass(frozen=True, slots=True)
class MovedJournal:
    """Where the journal is now."""

    place: JournalUrl | None
    """None is the workspace's own file."""
    journal_id: str
    entries: int
    head: str
    kept: Path | None = None
    """The file that the journal was before, which nothing opens."""
    called_off: bool = False
    """Whether an interrupted move was taken back, so that the journal is where it was."""

    def to_json(self) -> dict[str, JsonValue]:
        """Return the answer of `journal move`."""
        return {
            "place": SQLITE if self.place is None else self.place.text,
            "journal_id": self.journal_id,
            "entries": self.entries,
            "head": self.head,
            "kept": None if self.kept is None else str(self.kept),
            "called_off": self.called_off,
        }


def move_journal(workspace: Workspace, target: str, *, nonces: NonceSource) -> MovedJournal:
    """Move the journal to `target`, a PostgreSQL URL or `sqlite:`; safe to repeat.

    Raises:
        Conflict: DATABASE_UNAVAILABLE, JOURNAL_RELOCATED, WORKSPACE_LOCKED; what the journal was is untouched, or
            the same command ends the move.
        Altered: JOURNAL_ALTERED, JOURNAL_FORK when the database holds another history of this journal.
        SecretRefused: the URL holds a password.
        UsageError: from one database to another.
    """
    url = None if target == SQLITE else JournalUrl.parse(target)
    with writer_lock(workspace.lock_file):
        settings = load_settings(workspace.custody_yaml)
        note = journal_move.read_note(workspace)
        here = None if settings.journal is None else settings.journal.url
        if note is not None and note.target != url:
            return _call_off(workspace, settings, note, url)
        if note is None:
            journal = open_journal(workspace)
            if here == url:
                return _answer(url, journal)
            note = MoveNote(nonces.nonce(), url)
        if url is None:
            return _into_file(workspace, settings, note)
        if here not in (None, url):
            raise UsageError(
                Code.USAGE,
                "the journal is in a database already",
                advice="Move it to `sqlite:` first; where only the server's address changed, correct custody.yaml.",
            )
        return _into_database(workspace, settings, note, url)


def _into_database(workspace: Workspace, settings: Settings, note: MoveNote, url: JournalUrl) -> MovedJournal:
    place = settings.journal
    if place is None:
        place = JournalSettings(url, SqliteJournal(workspace.journal_db).journal_id())
        _copy_into_database(workspace, place, note)
        save_settings(workspace.custody_yaml, replace(settings, journal=place))
    # From here on the database is the journal's place: a failure leaves the note, and the move is ended later.
    database = in_transit(place)
    _require_same_head(workspace, database)
    kept = journal_move.retire(workspace)
    database.reopen(note.nonce)
    journal_move.remove_note(workspace)
    return replace(_answer(url, database), kept=kept)


def _copy_into_database(workspace: Workspace, place: JournalSettings, note: MoveNote) -> None:
    from custody.workspace.postgres_store_handover import install_schema  # loads the database's library

    entries = SqliteJournal(workspace.journal_db).entries()
    install_schema(place.url)
    database = in_transit(place)
    database.standing(note.nonce)
    journal_move.write_note(workspace, note)
    try:
        database.receive(entries, note.nonce)
        _require_same(database, entries)
    except CustodyError:
        # The file is still the journal; a copy that is there stays closed.
        journal_move.remove_note(workspace)
        raise


def _into_file(workspace: Workspace, settings: Settings, note: MoveNote) -> MovedJournal:
    if settings.journal is not None:
        _copy_into_file(workspace, in_transit(settings.journal), note)
        journal_move.take_name(workspace)
        save_settings(workspace.custody_yaml, replace(settings, journal=None))
    journal_move.remove_note(workspace)
    return _answer(None, open_journal(workspace))


def _copy_into_file(workspace: Workspace, database: "TransitJournal", note: MoveNote) -> None:
    from custody.workspace.postgres_store_handover import Standing

    standing = database.standing(note.nonce)
    if standing is Standing.CLOSED_BY_US:
        if workspace.journal_db.exists():
            _require_same(SqliteJournal(workspace.journal_db), database.entries())
        else:
            _fill_copy(workspace, database)
        return
    if standing is not Standing.OPEN:
        raise Conflict(
            Code.JOURNAL_RELOCATED,
            "another office moved the journal out of the database",
            advice="Ask the other offices where it is.",
        )
    journal_move.write_note(workspace, note)
    for _copy in range(_MAX_COPIES):
        head = _fill_copy(workspace, database)
        try:
            database.close(note.nonce, expected_head=head)
        except Conflict as error:
            if error.code is not Code.JOURNAL_MOVED:
                raise
        else:
            return
    raise Conflict(
        Code.JOURNAL_MOVED,
        "other offices wrote to the journal each time that it was copied",
        advice="Ask them to pause, then run the same command again.",
    )


def _fill_copy(workspace: Workspace, database: "TransitJournal") -> str:
    """Write the database's journal anew into the file beside `journal.db`, verify it, and return its head."""
    journal_move.discard_copy(workspace)
    entries = database.entries()
    if not entries:
        raise altered("the database's journal is empty")
    copy = SqliteJournal.create(workspace.moving_db, entries[0].journal_id)
    copy.append(entries, expected_head=None)
    _require_same(copy, entries)
    return entries[-1].hash


def _call_off(workspace: Workspace, settings: Settings, note: MoveNote, url: JournalUrl | None) -> MovedJournal:
    here = None if settings.journal is None else settings.journal.url
    if here != url:
        raise Conflict(
            Code.JOURNAL_RELOCATED,
            "a move of the journal was interrupted, to another place than this",
            advice=f"End it first with `custody journal move {note.target_text}`.",
        )
    if settings.journal is not None:
        from custody.workspace.postgres_store_handover import Standing

        database = in_transit(settings.journal)
        standing = database.standing(note.nonce)
        journal_move.discard_copy(workspace)
        journal_move.retire(workspace)
        if standing is Standing.CLOSED_BY_US:
            database.reopen(note.nonce)
    journal_move.remove_note(workspace)
    return replace(_answer(url, open_journal(workspace)), called_off=True)


def _require_same(store: JournalStore, entries: Sequence[Entry]) -> None:
    """Demand that the other place holds exactly these entries, read whole and verified there."""
    inspection = store.inspect()
    require_clean(inspection.findings)
    if inspection.entries != tuple(entries):
        raise altered("the copy of the journal is not the journal")


def _require_same_head(workspace: Workspace, database: JournalStore) -> None:
    if workspace.journal_db.exists() and SqliteJournal(workspace.journal_db).head() != database.head():
        raise altered("journal.db and the database hold different heads", code=Code.JOURNAL_FORK)


def _answer(place: JournalUrl | None, journal: JournalStore) -> MovedJournal:
    head = journal.head()
    if head is None:
        raise altered("the journal is empty")
    return MovedJournal(place, journal.journal_id(), head[0] + 1, head[1])
