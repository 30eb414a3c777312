"""A journal moves into a database and back with the same hashes, and a kill between any two steps loses nothing."""

from pathlib import Path

import pytest

from custody.audit.journal import Entry
from custody.codes import Code
from custody.errors import Altered, Conflict, CustodyError, SecretRefused, UsageError
from custody.workflow import move_journal as mover
from custody.workflow.create_vault import create_vault
from custody.workflow.issue_address import issue_address
from custody.workflow.move_journal import move_journal
from custody.workflow.office import Surroundings, editing, open_office
from custody.workspace import journal_move
from custody.workspace.journal_store import in_transit, open_journal
from custody.workspace.journal_url import JournalUrl
from custody.workspace.layout import Workspace
from custody.workspace.settings import JournalSettings, Settings, load_settings, save_settings
from custody.workspace.sqlite_store import SqliteJournal
from custody_cli.system import SystemClock, SystemNonces
from support.databases import Database
from support.vaults import make_vault

pytestmark = pytest.mark.postgres

NONCES = SystemNonces()
SURROUNDINGS = Surroundings(SystemClock(), NONCES, "ann")


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours catches it."""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A workspace with a vault and three addresses in its journal."""
    create_vault(make_vault(), tmp_path / "w", ungoverned=False, actor=None, clock=SystemClock(), ids=NONCES)
    made = Workspace(tmp_path / "w")
    save_settings(made.custody_yaml, Settings(officer="ann"))
    for _ in range(3):
        issue(made)
    return made


def issue(workspace: Workspace) -> int:
    with editing(workspace, SURROUNDINGS) as desk:
        return issue_address(desk, label=None).index


def joined(workspace: Workspace, folder: Path) -> Workspace:
    """Return a second office: a copy of the vault file, and settings that name the database."""
    folder.mkdir()
    other = Workspace(folder)
    other.vault_yaml.write_bytes(workspace.vault_yaml.read_bytes())
    save_settings(other.custody_yaml, Settings(journal=load_settings(workspace.custody_yaml).journal))
    return other


def there(workspace: Workspace) -> tuple[Entry, ...]:
    return tuple(open_journal(workspace).entries())


def move_in(workspace: Workspace, database: Database) -> mover.MovedJournal:
    return move_journal(workspace, database.url.text, nonces=NONCES)


def move_out(workspace: Workspace) -> mover.MovedJournal:
    return move_journal(workspace, "sqlite:", nonces=NONCES)


def test_moves_there_and_back_with_the_same_entries(workspace: Workspace, database: Database) -> None:
    before = there(workspace)
    moved = move_in(workspace, database)
    assert (moved.entries, moved.head, moved.called_off) == (4, before[-1].hash, False)
    assert there(workspace) == before
    assert not workspace.journal_db.exists()
    assert moved.kept == workspace.folder / f"journal-moved-{before[-1].hash[:8]}.db"
    assert moved.kept.stat().st_mode & 0o777 == 0o400
    settings = load_settings(workspace.custody_yaml)
    assert settings == Settings("ann", journal=JournalSettings(database.url, before[0].journal_id))
    assert issue(workspace) == 3
    later = there(workspace)
    back = move_out(workspace)
    assert (back.entries, back.head) == (5, later[-1].hash)
    assert there(workspace) == later == tuple(SqliteJournal(workspace.journal_db).entries())
    assert load_settings(workspace.custody_yaml) == Settings("ann")
    assert {path.name for path in workspace.folder.glob("journal*")} == {"journal.db", moved.kept.name}
    assert issue(workspace) == 4
    again = move_in(workspace, database)
    assert again.entries == 6
    assert issue(workspace) == 5


def test_moving_to_where_it_is_changes_nothing(workspace: Workspace, database: Database) -> None:
    assert move_out(workspace).place is None
    move_in(workspace, database)
    before = there(workspace)
    assert move_in(workspace, database).head == before[-1].hash
    assert there(workspace) == before


def test_a_second_office_joins_and_both_make_one_chain(
    workspace: Workspace, database: Database, tmp_path: Path
) -> None:
    move_in(workspace, database)
    other = joined(workspace, tmp_path / "other")
    assert [issue(other), issue(workspace), issue(other)] == [3, 4, 5]
    assert there(other) == there(workspace)
    assert open_office(other).state == open_office(workspace).state


def test_a_second_office_with_another_vault_file_is_refused(
    workspace: Workspace, database: Database, tmp_path: Path
) -> None:
    move_in(workspace, database)
    other = joined(workspace, tmp_path / "other")
    other.vault_yaml.write_text(other.vault_yaml.read_text().replace("name: reserve", "name: reserv3"))
    with pytest.raises(Altered) as caught:
        open_office(other)
    assert caught.value.code is Code.WORKSPACE_ALTERED


def test_an_office_left_behind_is_told_that_the_journal_moved(
    workspace: Workspace, database: Database, tmp_path: Path
) -> None:
    move_in(workspace, database)
    other = joined(workspace, tmp_path / "other")
    move_out(other)
    assert issue(other) == 3
    for ask in (lambda: there(workspace), lambda: issue(workspace), lambda: move_out(workspace)):
        with pytest.raises(Conflict) as caught:
            ask()
        assert (caught.value.code, caught.value.exit_code) == (Code.JOURNAL_RELOCATED, 7)
    assert not workspace.moving_db.exists()


def test_another_history_of_the_journal_at_the_database_is_refused(
    workspace: Workspace, database: Database, tmp_path: Path
) -> None:
    move_in(workspace, database)
    old = (workspace.folder / next(workspace.folder.glob("journal-moved-*")).name).read_bytes()
    issue(workspace)
    move_out(workspace)
    workspace.journal_db.unlink()
    workspace.journal_db.write_bytes(old)
    issue(workspace)  # another entry 4 than the database has
    with pytest.raises(Altered) as caught:
        move_in(workspace, database)
    assert (caught.value.code, caught.value.exit_code) == (Code.JOURNAL_FORK, 10)
    assert len(there(workspace)) == 5


def test_a_database_that_keeps_the_journal_is_never_overwritten(
    workspace: Workspace, database: Database, tmp_path: Path
) -> None:
    move_in(workspace, database)
    settings = load_settings(workspace.custody_yaml)
    restored = next(workspace.folder.glob("journal-moved-*"))
    workspace.journal_db.write_bytes(restored.read_bytes())
    with pytest.raises(Conflict) as caught:
        there(workspace)  # a file beside the name of a database
    assert caught.value.code is Code.JOURNAL_RELOCATED
    with pytest.raises(Conflict):
        move_in(workspace, database)
    save_settings(workspace.custody_yaml, Settings())
    with pytest.raises(Conflict) as caught:
        move_in(workspace, database)
    assert caught.value.code is Code.JOURNAL_RELOCATED
    save_settings(workspace.custody_yaml, settings)
    workspace.journal_db.unlink()
    assert issue(workspace) == 3


def test_tables_are_made_where_the_login_may(workspace: Workspace, database: Database) -> None:
    empty = database.server.new_database()
    login = database.server.new_login()
    with pytest.raises(Conflict) as caught:
        move_journal(workspace, database.server.url(empty, login), nonces=NONCES)
    assert "journal schema" in caught.value.advice
    assert not workspace.move_note.exists()
    moved = move_journal(workspace, database.server.url(empty), nonces=NONCES)
    assert moved.entries == 4
    assert issue(workspace) == 3


def test_a_database_that_is_away_leaves_everything_as_it_was(workspace: Workspace) -> None:
    before = sorted(path.name for path in workspace.folder.iterdir())
    with pytest.raises(Conflict) as caught:
        move_journal(workspace, "postgresql://127.0.0.1:9/reserve", nonces=NONCES)
    assert caught.value.code is Code.DATABASE_UNAVAILABLE
    assert sorted(path.name for path in workspace.folder.iterdir()) == before
    assert issue(workspace) == 3


def test_refuses_a_password_and_a_second_database(workspace: Workspace, database: Database) -> None:
    with pytest.raises(SecretRefused):
        move_journal(workspace, "postgresql://ann:hunter2@127.0.0.1/reserve", nonces=NONCES)
    move_in(workspace, database)
    with pytest.raises(UsageError):
        move_journal(workspace, "postgresql:///elsewhere", nonces=NONCES)


INWARDS = (
    "write_note",
    "receive",
    "_require_same",
    "save_settings",
    "_require_same_head",
    "retire",
    "reopen",
    "remove_note",
)
OUTWARDS = ("write_note", "_require_same", "close", "take_name", "save_settings", "remove_note")
"""What a move calls, in this order; a kill falls before each, which is after the one before it."""


def arm(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Let the next move be killed when it comes to `step`."""
    from custody.workspace.postgres_store_handover import TransitJournal

    def killed(*_args: object, **_kwargs: object) -> None:
        raise Killed

    (owner,) = [owner for owner in (TransitJournal, journal_move, mover) if step in vars(owner)]
    monkeypatch.setattr(owner, step, killed)


def demand_one_writable_journal(workspace: Workspace, database: Database, before: tuple[Entry, ...]) -> None:
    """After a kill nothing was lost, and at most one place takes entries."""
    open_places = 0
    settings = load_settings(workspace.custody_yaml).journal
    try:
        assert there(workspace) == before
        open_places += 1
    except CustodyError as error:
        assert error.code is Code.JOURNAL_RELOCATED  # a note, or both places: nothing is opened here
    if settings is None:
        other = JournalSettings(database.url, before[0].journal_id)
        try:
            in_transit(other).close("f" * 32, expected_head=before[-1].hash)
        except CustodyError:
            return
        raise AssertionError("another office could have appended at the database meanwhile")


@pytest.mark.parametrize("undo", [False, True], ids=["again", "call off"])
@pytest.mark.parametrize(("inwards", "step"), [(True, one) for one in INWARDS] + [(False, one) for one in OUTWARDS])
def test_a_kill_between_two_steps_is_mended_by_the_same_command(
    workspace: Workspace, database: Database, monkeypatch: pytest.MonkeyPatch, inwards: bool, step: str, undo: bool
) -> None:
    if not inwards:
        move_in(workspace, database)
    before = there(workspace)
    target, source = (database.url.text, "sqlite:") if inwards else ("sqlite:", database.url.text)
    with monkeypatch.context() as patch:
        arm(patch, step)
        with pytest.raises(Killed):
            move_journal(workspace, target, nonces=NONCES)
    if inwards:
        demand_one_writable_journal(workspace, database, before)
    if undo:
        try:
            move_journal(workspace, source, nonces=NONCES)
            assert there(workspace) == before
        except Conflict as error:
            assert error.code is Code.JOURNAL_RELOCATED  # past the switch it can only be ended
            assert target in error.advice
    moved = move_journal(workspace, target, nonces=NONCES)
    assert (moved.entries, moved.head) == (4, before[-1].hash)
    assert there(workspace) == before
    assert not workspace.move_note.exists()
    assert not workspace.moving_db.exists()
    assert issue(workspace) == 3
    assert len(there(workspace)) == 5


def test_an_interrupted_move_stops_every_command(
    workspace: Workspace, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        arm(patch, "_require_same")
        with pytest.raises(Killed):
            move_in(workspace, database)
    for ask in (there, issue, open_office):
        with pytest.raises(Conflict) as caught:
            ask(workspace)
        assert caught.value.code is Code.JOURNAL_RELOCATED
        assert database.url.text in caught.value.advice
    with pytest.raises(Conflict):
        move_journal(workspace, "postgresql:///elsewhere", nonces=NONCES)
    assert move_out(workspace).called_off
    assert issue(workspace) == 3


def test_what_others_append_while_it_is_copied_out_comes_along(
    workspace: Workspace, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    move_in(workspace, database)
    other = joined(workspace, tmp_path / "other")
    real = mover._fill_copy
    turns = iter((True, True, False))

    def fill_and_let_another_append(*args: object) -> object:
        head = real(*args)  # type: ignore[arg-type]
        if next(turns):
            issue(other)
        return head

    monkeypatch.setattr(mover, "_fill_copy", fill_and_let_another_append)
    assert move_out(workspace).entries == 6
    assert issue(workspace) == 5


@pytest.mark.parametrize("content", ["", "format: custody-journal-move/2\nnonce: a\ntarget: 'sqlite:'\n", "[]\n"])
def test_a_note_that_is_not_ours_is_an_alteration(workspace: Workspace, content: str) -> None:
    workspace.move_note.write_text(content)
    with pytest.raises(Altered) as caught:
        there(workspace)
    assert caught.value.code is Code.WORKSPACE_ALTERED


def test_a_note_reads_back_as_it_was_written(workspace: Workspace) -> None:
    for target in (None, JournalUrl.parse("postgresql:///reserve?host=/run/postgresql")):
        note = journal_move.MoveNote("ab" * 16, target)
        journal_move.write_note(workspace, note)
        assert journal_move.read_note(workspace) == note
