"""The journal in PostgreSQL: what `test_journal_store.py` demands of the file, and what only a server can do wrong."""

import time
from pathlib import Path

import psycopg
import pytest

from custody.audit.journal import Entry, inspect_export
from custody.codes import Code
from custody.errors import Altered, Conflict, InvalidInput, UpgradeNeeded
from custody.workspace.journal_url import JournalUrl
from custody.workspace.postgres_store import PostgresJournal
from support.databases import IMPATIENT, QUICK, Database
from support.journals import JOURNAL_ID, append_from_threads, make_chain, make_entry
from support.postgres import CERTIFICATE, PASSWORD

pytestmark = pytest.mark.postgres


def test_a_new_journal_is_empty(database: Database) -> None:
    journal = PostgresJournal.create(database.url, JOURNAL_ID)
    assert (journal.head(), journal.entries(), journal.journal_id()) == (None, (), JOURNAL_ID)
    assert journal.inspect().findings == ()


def test_create_leaves_an_existing_journal_alone(database: Database) -> None:
    journal = database.journal(2)
    with pytest.raises(Conflict) as caught:
        PostgresJournal.create(database.url, JOURNAL_ID)
    assert caught.value.code is Code.FILE_EXISTS
    assert len(journal.entries()) == 2


def test_appended_entries_are_read_back(database: Database) -> None:
    journal = database.journal(0)
    entries = make_chain(5)
    journal.append(entries[:2], expected_head=None)
    journal.append(entries[2:], expected_head=entries[1].hash)
    assert journal.entries() == tuple(entries)
    assert journal.entries(3) == tuple(entries[3:])
    assert journal.entries(5) == journal.entries(99) == ()
    assert journal.head() == (4, entries[4].hash)


def test_one_database_holds_several_journals_apart(database: Database) -> None:
    journal = database.journal(2)
    other = PostgresJournal.create(database.url, "other")
    first = make_entry(journal_id="other")
    other.append([first], expected_head=None)
    assert other.entries() == (first,)
    assert [entry.journal_id for entry in journal.entries()] == [JOURNAL_ID] * 2
    with pytest.raises(ValueError, match="can't be appended"):
        other.append(make_chain(1, after=first), expected_head=first.hash)


def test_stores_the_canonical_bytes_and_not_json(database: Database) -> None:
    entry = database.journal(1).entries()[0]
    rows = database.as_owner("SELECT journal_id, seq, prev, hash, entry FROM custody.entry")
    assert rows == [(JOURNAL_ID, 0, bytes(32), bytes.fromhex(entry.hash), entry.canonical)]


def test_a_moved_head_refuses_and_changes_nothing(database: Database) -> None:
    journal = database.journal(3)
    entries = journal.entries()
    for expected in (None, entries[1].hash, "f" * 64):
        with pytest.raises(Conflict) as caught:
            journal.append(make_chain(1, after=entries[1]), expected_head=expected)
        assert caught.value.code is Code.JOURNAL_MOVED
        assert caught.value.details["head"] == entries[2].hash
    assert journal.entries() == entries


def test_several_entries_are_appended_all_or_none(database: Database) -> None:
    journal = database.journal(1)
    first = journal.entries()[0]
    good = make_chain(2, after=first)
    for bad in (make_entry(9, good[1].hash), make_entry(3, "1" * 64), make_entry(3, good[1].hash, journal_id="other")):
        with pytest.raises(ValueError, match="can't be appended"):
            journal.append([*good, bad], expected_head=first.hash)
    assert journal.entries() == (first,)


def test_finds_the_entries_of_a_request_and_only_those(database: Database) -> None:
    journal = database.journal(0)
    decoy = make_entry(0, request_id="r-1", body={"request_id": "r-2"})
    first = make_entry(1, decoy.hash, request_id="r-2")
    second = make_entry(2, first.hash, request_id="r-2")
    journal.append([decoy, first, second], expected_head=None)
    assert journal.find_request("r-2") == (first, second)
    assert journal.find_request("r-") == ()
    with pytest.raises(InvalidInput):
        journal.find_request('"')


def test_export_of_a_store_has_no_findings(database: Database) -> None:
    entries = database.journal(8).entries()
    inspection = inspect_export(b"".join(entry.export_line() for entry in entries))
    assert (inspection.entries, inspection.findings) == (entries, ())


def test_entries_of_any_size_and_text_survive(database: Database) -> None:
    journal = database.journal(0)
    large = make_entry(body={"text": "\\ ' \" % é 😀 \u0000", "pad": "x" * 3_000_000})
    journal.append([large], expected_head=None)
    assert journal.entries() == (large,)


def test_a_long_journal_streams_in_pieces_of_one_moment(database: Database) -> None:
    journal = database.journal(0)
    entries: list[Entry] = []
    for seq in range(5):
        prev = entries[-1].hash if entries else "0" * 64
        entries.append(make_entry(seq, prev, body={"pad": f"{seq}" * 2_500_000}))
    journal.append(entries, expected_head=None)
    late = make_chain(1, after=entries[-1])
    stream = journal.stream()
    assert next(stream) == entries[0]
    journal.append(late, expected_head=entries[-1].hash)
    assert list(stream) == entries[1:]
    assert list(journal.stream(3)) == [*entries[3:], *late]
    assert [found for found in journal.inspect_each() if isinstance(found, Entry)] == [*entries, *late]


def test_who_stops_reading_early_leaves_no_session(database: Database) -> None:
    journal = database.journal(3)
    assert next(journal.stream()).seq == 0
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    deadline = time.monotonic() + 10
    while database.as_owner(sessions) != [(0,)]:
        assert time.monotonic() < deadline  # a session's end shows a moment later


def test_entries_lost_between_two_pieces_are_an_alteration(database: Database) -> None:
    journal = database.journal(0)
    first = make_entry(body={"pad": "x" * 4_100_000})
    journal.append([first, *make_chain(2, after=first)], expected_head=None)
    stream = journal.stream()
    assert next(stream) == first
    database.rewrite("DELETE FROM custody.entry WHERE seq > 0")
    with pytest.raises(Altered):
        list(stream)


WRITER_MAY_NOT = [
    "UPDATE custody.entry SET entry = entry WHERE seq = 1",
    "DELETE FROM custody.entry WHERE seq = 2",
    "TRUNCATE custody.entry",
    "TRUNCATE custody.journal CASCADE",
    "UPDATE custody.journal SET journal_id = 'other'",
    "DELETE FROM custody.handover",
    "ALTER TABLE custody.entry DISABLE TRIGGER ALL",
    "ALTER TABLE custody.entry DROP CONSTRAINT entry_hash",
    "DROP TRIGGER entry_unchanged ON custody.entry",
    "DROP TABLE custody.entry CASCADE",
    "CREATE TABLE custody.more (x int)",
    "CREATE VIEW custody.more AS SELECT 1",
    "CREATE RULE more AS ON INSERT TO custody.entry DO INSTEAD NOTHING",
    "CREATE OR REPLACE FUNCTION custody.refuse() RETURNS trigger LANGUAGE sql AS ''",
    "COMMENT ON SCHEMA custody IS 'x'",
    "SET ROLE custody_owner",
]


@pytest.mark.parametrize("statement", WRITER_MAY_NOT)
def test_an_offices_login_can_only_add(database: Database, statement: str) -> None:
    journal = database.journal(3)
    before = journal.entries()
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        database.server.execute(statement, database=database.name, user=database.login)
    assert journal.entries() == before


CHANGES = [
    "UPDATE custody.entry SET entry = entry WHERE seq = 1",
    "DELETE FROM custody.entry WHERE seq = 2",
    "TRUNCATE custody.entry",
    "TRUNCATE custody.journal CASCADE",
    "UPDATE custody.journal SET journal_id = 'other'",
    "DELETE FROM custody.journal",
]


@pytest.mark.parametrize(
    "before_it", ["RESET ROLE", "SET ROLE custody_owner", "SET session_replication_role = replica"]
)
@pytest.mark.parametrize("statement", CHANGES)
def test_even_the_owner_must_lift_the_triggers_first(database: Database, before_it: str, statement: str) -> None:
    journal = database.journal(3)
    before = journal.entries()
    with pytest.raises(psycopg.errors.RaiseException, match="only grows"):
        database.as_owner(before_it, statement)
    assert journal.entries() == before


def raw_insert(entry: Entry, *, seq: int | None = None, prev: str | None = None, entry_hash: str | None = None) -> str:
    return (
        f"INSERT INTO custody.entry VALUES ('{entry.journal_id}', {entry.seq if seq is None else seq}, "
        f"'\\x{prev or entry.prev}', '\\x{entry_hash or entry.hash}', '\\x{entry.canonical.hex()}')"
    )


def test_the_tables_refuse_what_does_not_follow(database: Database) -> None:
    journal = database.journal(3)
    entries = journal.entries()
    follower = make_chain(1, after=entries[2])[0]
    for statement, wanted in (
        (raw_insert(follower, seq=4), psycopg.errors.RaiseException),
        (raw_insert(follower, seq=2), psycopg.errors.RaiseException),
        (raw_insert(follower, prev=entries[1].hash), psycopg.errors.RaiseException),
        (raw_insert(follower, entry_hash="ab" * 32), psycopg.errors.CheckViolation),
        (raw_insert(make_entry(journal_id="unknown")), psycopg.errors.ForeignKeyViolation),
        ("INSERT INTO custody.journal VALUES ('not an id')", psycopg.errors.CheckViolation),
        ("INSERT INTO custody.journal VALUES ('two\nlines')", psycopg.errors.CheckViolation),
        (f"INSERT INTO custody.handover VALUES ('{JOURNAL_ID}', 2, 'n', '\\x{entries[2].hash}')",
         psycopg.errors.RaiseException),
        (f"INSERT INTO custody.handover VALUES ('{JOURNAL_ID}', 1, 'n', '\\x{entries[1].hash}')",
         psycopg.errors.RaiseException),
    ):  # fmt: skip
        with pytest.raises(wanted):
            database.server.execute(statement, database=database.name, user=database.login)
    assert journal.entries() == entries
    database.server.execute(raw_insert(follower), database=database.name, user=database.login)
    assert journal.head() == (3, follower.hash)


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TRIGGER entry_unchanged ON custody.entry",
        "ALTER TABLE custody.entry DISABLE TRIGGER entry_stays",
        "ALTER TABLE custody.entry ENABLE TRIGGER entry_unchanged",
        "ALTER TABLE custody.journal DISABLE TRIGGER ALL",
        "ALTER TABLE custody.entry DROP CONSTRAINT entry_hash",
        "ALTER TABLE custody.entry DROP CONSTRAINT entry_one_successor",
        "ALTER TABLE custody.entry ADD COLUMN more text",
        "ALTER TABLE custody.entry ALTER COLUMN prev DROP NOT NULL",
        "ALTER TABLE custody.entry OWNER TO postgres",
        "ALTER SCHEMA custody OWNER TO postgres",
        "ALTER TABLE custody.entry ENABLE ROW LEVEL SECURITY",
        "CREATE TABLE custody.more (x int)",
        "CREATE TABLE public.child () INHERITS (custody.entry)",
        "CREATE VIEW custody.more AS SELECT 1",
        "CREATE SEQUENCE custody.more",
        "CREATE INDEX more ON custody.entry (hash)",
        "CREATE RULE more AS ON INSERT TO custody.entry DO ALSO NOTHING",
        "CREATE POLICY more ON custody.entry USING (true)",
        "CREATE TRIGGER more AFTER INSERT ON custody.entry FOR EACH ROW EXECUTE FUNCTION custody.refuse()",
        "CREATE FUNCTION custody.more() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE OR REPLACE FUNCTION custody.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'",
        "ALTER FUNCTION custody.entry_follows() SECURITY DEFINER",
        "ALTER FUNCTION custody.entry_follows() RESET search_path",
        "GRANT UPDATE ON custody.entry TO custody_writer",
        "GRANT TRUNCATE ON custody.entry TO PUBLIC",
        "GRANT UPDATE (entry) ON custody.entry TO custody_writer",
        "GRANT INSERT ON custody.entry TO custody_reader",
        "GRANT CREATE ON SCHEMA custody TO custody_writer",
        "GRANT EXECUTE ON FUNCTION custody.refuse() TO PUBLIC",
        "REVOKE SELECT ON custody.handover FROM custody_writer",
        "COMMENT ON SCHEMA custody IS 'custody-journal layout 0'",
        "COMMENT ON SCHEMA custody IS NULL",
    ],
)
def test_other_tables_triggers_or_rights_are_an_alteration(database: Database, statement: str) -> None:
    journal = database.journal(1)
    database.as_owner(statement)
    refusal(journal)


@pytest.mark.parametrize(
    ("statement", "undo"),
    [
        ("ALTER ROLE custody_writer SUPERUSER", "ALTER ROLE custody_writer NOSUPERUSER"),
        ("ALTER ROLE custody_reader LOGIN", "ALTER ROLE custody_reader NOLOGIN"),
        ("GRANT custody_owner TO custody_writer", "REVOKE custody_owner FROM custody_writer"),
        ("GRANT pg_signal_backend TO custody_reader", "REVOKE pg_signal_backend FROM custody_reader"),
    ],
)
def test_roles_that_may_more_are_an_alteration(database: Database, statement: str, undo: str) -> None:
    journal = database.journal(1)
    try:
        database.as_owner(statement)
        assert "rights" in refusal(journal).message
    finally:
        database.as_owner(undo)  # roles belong to the whole server
    assert len(journal.entries()) == 1


def refusal(journal: PostgresJournal) -> Altered:
    for ask in (journal.head, journal.inspect):
        with pytest.raises(Altered) as caught:
            ask()
    with pytest.raises(Altered):
        journal.append(make_chain(1), expected_head=None)
    assert caught.value.exit_code == 10
    return caught.value


def test_a_login_with_every_right_uses_none_but_the_roles(database: Database) -> None:
    journal = PostgresJournal(database.url_of("postgres"), JOURNAL_ID, limits=QUICK)
    database.journal(1)
    first = journal.entries()[0]
    journal.append(make_chain(1, after=first), expected_head=first.hash)
    with pytest.raises(Conflict, match="no member"), journal.writing() as cursor:
        assert cursor.execute("SELECT current_user").fetchone() == ("custody_writer",)
        cursor.execute("DELETE FROM custody.entry")


def test_an_auditors_login_reads_and_cannot_append(database: Database) -> None:
    first = database.journal(1).entries()[0]
    auditor = PostgresJournal(database.url_of(database.server.new_login("custody_reader")), JOURNAL_ID, limits=QUICK)
    assert auditor.entries() == (first,)
    with pytest.raises(Conflict) as caught:
        auditor.append(make_chain(1, after=first), expected_head=first.hash)
    assert caught.value.code is Code.DATABASE_UNAVAILABLE
    assert "member" in caught.value.message


def test_a_login_without_a_role_reads_nothing(database: Database) -> None:
    database.journal(1)
    stranger = PostgresJournal(database.url_of(database.server.new_login()), JOURNAL_ID, limits=QUICK)
    with pytest.raises(Conflict) as caught:
        stranger.entries()
    assert caught.value.code is Code.DATABASE_UNAVAILABLE


@pytest.mark.parametrize("setting", ["synchronous_commit = off", "synchronous_commit = local", "role = custody_reader",
    "search_path = public", "session_replication_role = replica", "default_transaction_isolation = 'serializable'",
    "default_transaction_read_only = on", "statement_timeout = 1", "standard_conforming_strings = off",
    "bytea_output = escape", "DateStyle = 'SQL, DMY'", "client_encoding = LATIN1"])  # fmt: skip
def test_a_logins_own_settings_change_nothing(database: Database, setting: str) -> None:
    journal = database.journal(1)
    database.as_owner(f"ALTER ROLE {database.login} SET {setting}")
    first = journal.entries()[0]
    journal.append(make_chain(1, after=first, mark="é"), expected_head=first.hash)
    assert len(journal.entries()) == 2
    with journal.writing() as cursor:
        assert cursor.execute("SHOW synchronous_commit").fetchone() == ("on",)
        assert cursor.execute("SHOW search_path").fetchone() == ("pg_catalog, pg_temp",)


def test_a_planted_function_or_temporary_table_is_not_used(database: Database) -> None:
    journal = database.journal(2)
    database.as_owner(
        "CREATE FUNCTION public.sha256(bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT ''::bytea $$",
        "CREATE TABLE public.pg_trigger (x int)",
        f"ALTER DATABASE {database.name} SET search_path = public, pg_catalog",
    )
    assert len(journal.entries()) == 2


def test_a_newer_layout_needs_an_upgrade(database: Database) -> None:
    journal = database.journal(1)
    database.as_owner("COMMENT ON SCHEMA custody IS 'custody-journal layout 2'")
    with pytest.raises(UpgradeNeeded) as caught:
        journal.entries()
    assert caught.value.exit_code == 6


def test_a_database_without_our_tables_has_no_journal(database: Database) -> None:
    empty = database.server.new_database()
    journal = PostgresJournal(JournalUrl.parse(database.server.url(empty)), JOURNAL_ID)
    assert refusal(journal).code is Code.JOURNAL_MISSING


def test_an_unknown_journal_id_is_missing(database: Database) -> None:
    database.journal(1)
    assert refusal(PostgresJournal(database.url, "other")).code is Code.JOURNAL_MISSING
    with pytest.raises(InvalidInput):
        PostgresJournal(database.url, "no id")


def test_a_changed_entry_is_found_on_every_read(database: Database) -> None:
    journal = database.journal(3)
    entries = journal.entries()
    forged = make_entry(1, entries[0].hash, body={"label": "forged"})
    database.rewrite(f"UPDATE custody.entry SET entry = '\\x{forged.canonical.hex()}' WHERE seq = 1")
    with pytest.raises(Altered):
        journal.entries()
    assert [finding.where for finding in journal.inspect().findings] == ["entry:1"]
    # Its hash made to fit, the next entry's link tells.
    database.rewrite(f"UPDATE custody.entry SET hash = '\\x{forged.hash}' WHERE seq = 1")
    with pytest.raises(Altered):
        journal.entries()
    assert [finding.where for finding in journal.inspect().findings] == ["entry:2"]


@pytest.mark.parametrize(
    ("statement", "where"),
    [
        ("UPDATE custody.entry SET prev = decode(repeat('ee', 32), 'hex') WHERE seq = 1", "entry:1"),
        ("DELETE FROM custody.entry WHERE seq = 1", "entry:1"),
        ("UPDATE custody.entry SET seq = 7 WHERE seq = 2", "entry:2"),
        ("UPDATE custody.entry SET entry = '', hash = sha256('') WHERE seq = 2", "entry:2"),
    ],
)
def test_rows_that_contradict_the_chain_are_found(database: Database, statement: str, where: str) -> None:
    journal = database.journal(3)
    database.rewrite(statement)
    with pytest.raises(Altered):
        journal.entries()
    assert where in [finding.where for finding in journal.inspect().findings]


def test_entries_stored_under_another_journals_id_are_found(database: Database) -> None:
    database.journal(2)
    database.rewrite("INSERT INTO custody.journal VALUES ('other')", "UPDATE custody.entry SET journal_id = 'other'")
    other = PostgresJournal(database.url, "other")
    with pytest.raises(Altered):
        other.entries()
    assert [finding.where for finding in other.inspect().findings] == ["entry:0", "entry:1"]


def test_a_rewritten_whole_is_found_by_nothing_but_a_head_kept_elsewhere(database: Database) -> None:
    journal = database.journal(3)
    head = journal.entries()[2].hash
    database.rewrite("DELETE FROM custody.entry WHERE seq > 0")
    assert journal.inspect().findings == ()
    assert head not in {entry.hash for entry in journal.entries()}


def test_reading_can_write_nothing(database: Database) -> None:
    journal = database.journal(1)
    with journal.reading() as cursor:
        assert cursor.execute("SHOW transaction_read_only").fetchone() == ("on",)
        assert cursor.execute("SHOW transaction_isolation").fetchone() == ("repeatable read",)
        assert cursor.execute("SELECT current_user").fetchone() == ("custody_reader",)


def test_a_lock_that_another_holds_too_long_is_a_conflict(database: Database) -> None:
    journal = database.journal(1, limits=IMPATIENT)
    head = journal.entries()[0]
    other = PostgresJournal(database.url, JOURNAL_ID)
    with other.writing(), pytest.raises(Conflict) as caught:
        journal.append(make_chain(1, after=head), expected_head=head.hash)
    assert (caught.value.code, caught.value.exit_code) == (Code.WORKSPACE_LOCKED, 7)
    assert journal.entries() == (head,)


def test_a_writer_that_falls_silent_loses_its_lock_and_its_step(database: Database) -> None:
    silent = database.journal(1, limits=IMPATIENT)
    head = silent.entries()[0]
    patient = PostgresJournal(database.url, JOURNAL_ID)
    with pytest.raises(Conflict) as caught, silent.writing() as cursor:
        # Idle for longer than its limit, while another waits for the lock.
        patient.append(make_chain(1, after=head, mark="patient"), expected_head=head.hash)
        cursor.execute("SELECT 1")
    assert caught.value.code is Code.WRITE_FAILED
    assert "not written" in caught.value.message
    assert len(silent.entries()) == 2


def test_a_server_that_does_not_write_to_disk_is_refused(database: Database) -> None:
    journal = database.journal(1)
    head = journal.entries()[0]
    database.as_owner("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
    try:
        with pytest.raises(Conflict) as caught:
            for _ in range(50):
                journal.append([], expected_head=head.hash)
        assert caught.value.code is Code.DATABASE_NOT_DURABLE
    finally:
        database.as_owner("ALTER SYSTEM RESET fsync", "SELECT pg_reload_conf()")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://127.0.0.1:9/x", "nothing listens"),
        ("postgresql:///x?host=/nowhere", "no server"),
        ("postgresql://nobody.invalid/x?sslmode=disable", "host name"),
        ("postgresql://?service=nowhere&sslmode=require", "service"),
        ("postgresql://127.0.0.1:9/x?sslmode=nonsense", "can't be reached"),
    ],
)
def test_an_absent_server_is_a_conflict_that_says_why(url: str, words: str) -> None:
    with pytest.raises(Conflict) as caught:
        PostgresJournal(JournalUrl.parse(url), JOURNAL_ID, limits=QUICK).entries()
    assert (caught.value.code, caught.value.exit_code) == (Code.DATABASE_UNAVAILABLE, 7)
    assert words in caught.value.message
    assert url not in caught.value.message


def test_errors_repeat_neither_login_nor_password(database: Database, password_file: Path) -> None:
    database.journal(0)
    url = database.loopback_url()
    PostgresJournal(url, JOURNAL_ID).entries()
    password_file.write_text("127.0.0.1:*:*:*:hunter2\n")
    with pytest.raises(Conflict) as caught:
        PostgresJournal(url, JOURNAL_ID).entries()
    said = f"{caught.value.message} {caught.value.advice} {caught.value.details}"
    assert "refuses the login" in said
    assert not [word for word in ("hunter2", database.login, database.name, "127.0.0.1") if word in said]


def tls_url(database: Database, host: str, mode: str, *, trusted: bool) -> JournalUrl:
    text = database.loopback_url().text.replace("127.0.0.1", host).replace("sslmode=disable", f"sslmode={mode}")
    root = database.server.folder / CERTIFICATE if trusted else "/nowhere/root.crt"
    return JournalUrl.parse(f"{text}&sslrootcert={root}" if mode.startswith("verify") else text)


@pytest.mark.parametrize(
    ("host", "mode", "trusted", "words"),
    [
        ("localhost", "verify-full", True, None),
        ("127.0.0.1", "verify-ca", True, None),
        ("127.0.0.1", "require", False, None),
        ("127.0.0.1", "verify-full", True, "for another host"),
        ("localhost", "verify-full", False, "certificates to trust are missing"),
    ],
)
def test_tls_is_what_the_url_says(
    database: Database, password_file: Path, host: str, mode: str, trusted: bool, words: str | None
) -> None:
    database.journal(1)
    password_file.write_text(f"*:*:*:*:{PASSWORD}\n")
    journal = PostgresJournal(tls_url(database, host, mode, trusted=trusted), JOURNAL_ID, limits=QUICK)
    if words is None:
        with journal.reading() as cursor:
            assert cursor.connection.pgconn.ssl_in_use
        return
    with pytest.raises(Conflict) as caught:
        journal.entries()
    assert caught.value.code is Code.DATABASE_UNAVAILABLE
    assert words in caught.value.message


def test_threads_of_one_process_make_one_chain(database: Database) -> None:
    journal = database.journal(0, limits=QUICK)
    moved = append_from_threads(journal, 10)
    assert [entry.seq for entry in journal.entries()] == list(range(30))
    assert set(moved) <= {Code.JOURNAL_MOVED}
