"""A100: kills, crashes and full disks at any moment leave the old or the new, never a mixture."""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from custody.audit.journal import check_chain, parse_export
from custody.errors import Conflict
from custody.workspace.sqlite_store import SqliteJournal
from support.journals import LOCAL_DISK, export, make_chain, make_journal, picture
from support.kill import run_and_kill, seeded
from support.unprivileged import as_nobody

TESTS = Path(__file__).resolve().parents[1]

HALF_COMMIT = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")
connection.execute("BEGIN IMMEDIATE")
seq, prev = connection.execute("SELECT seq, hash FROM entry ORDER BY seq DESC").fetchone()
for step in range(1, 200):
    connection.execute("INSERT INTO entry VALUES (?, ?, ?, zeroblob(4000))", (seq + step, prev, f"{step:064x}"))
    prev = f"{step:064x}"
os.kill(os.getpid(), 9)
"""

AT_THE_LIMIT = """
import resource, sys
sys.path.insert(0, sys.argv[2])
from support.journals import LOCAL_DISK, make_chain
from custody.errors import Conflict
from custody.workspace.sqlite_store import SqliteJournal
from pathlib import Path
path = Path(sys.argv[1])
journal = SqliteJournal(path, mount_table=LOCAL_DISK)
last = journal.entries()[-1]
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, resource.RLIM_INFINITY))
try:
    journal.append(make_chain(200, after=last, mark="x" * 1000), expected_head=last.hash)
except Conflict as error:
    print(error.code, error.exit_code)
"""

WRITE_FOREVER = """
import sys
from pathlib import Path
from custody.atomic import create_file, replace_file
path = Path(sys.argv[1])
print("ready", flush=True)
for number in range(100_000):
    replace_file(path, bytes([number % 256]) * 300_000)
    create_file(path.with_name(f"new-{number % 256:03d}-{number}"), bytes([number % 256]) * 50_000)
"""


def test_a100_twenty_kills_lose_nothing_that_was_acknowledged(tmp_path):
    journal = make_journal(tmp_path, 0)
    random = seeded(20261124)
    acknowledged: dict[int, str] = {}
    killed = 0
    for turn in range(20):
        command = [sys.executable, TESTS / "support" / "appender.py", tmp_path, f"turn-{turn}", "1000000"]
        outcome = run_and_kill(command, random=random, within_ms=150, after_first_line=True)
        killed += outcome.killed
        for line in outcome.stdout.splitlines()[1:]:
            seq, _, entry_hash = line.decode().partition(" ")
            if len(entry_hash) == 64:
                acknowledged[int(seq)] = entry_hash
        entries = journal.entries()
        check_chain(entries)
        assert {seq: entries[seq].hash for seq in acknowledged} == acknowledged
        # At most one entry a turn was written without its acknowledgement being heard.
        assert len(entries) - len(acknowledged) <= turn + 1
    assert killed == 20
    assert acknowledged
    assert journal.inspect().findings == ()
    assert parse_export(export(list(journal.entries()))) == list(journal.entries())


def _crash(path: Path) -> None:
    result = subprocess.run([sys.executable, "-c", HALF_COMMIT, path], check=False)
    assert result.returncode == -9
    assert path.with_name("journal.db-journal").stat().st_size > 0


def test_a100_a_reader_rolls_back_what_a_crash_left_and_then_reads_without_writing(tmp_path):
    journal = make_journal(tmp_path, 3)
    entries, size = journal.entries(), journal.path.stat().st_size
    _crash(journal.path)
    assert journal.path.stat().st_size > size
    assert journal.entries() == entries
    assert list(tmp_path.iterdir()) == [journal.path]
    before = picture(tmp_path)
    assert journal.inspect().findings == ()
    assert picture(tmp_path) == before


def test_a100_a_writer_goes_on_after_a_crash(tmp_path):
    journal = make_journal(tmp_path, 3)
    last = journal.entries()[-1]
    _crash(journal.path)
    journal.append(make_chain(1, after=last), expected_head=last.hash)
    assert len(journal.entries()) == 4


@pytest.fixture
def readable_folder():
    """A folder that anybody may reach; pytest's own ones are closed to others by every session that starts."""
    with TemporaryDirectory() as outer:
        Path(outer).chmod(0o755)
        folder = Path(outer) / "media"
        folder.mkdir()
        yield folder
        folder.chmod(0o755)


def _ask_as_nobody(path: Path) -> str:
    def ask() -> str:
        try:
            return f"{len(SqliteJournal(path, mount_table=LOCAL_DISK).entries())} entries"
        except Conflict as error:
            return f"{error.code} {error.exit_code}: {error.message}"

    return as_nobody(ask)


def _make_read_only(folder: Path) -> None:
    for path in folder.iterdir():
        path.chmod(0o444)
    folder.chmod(0o555)


def test_a100_on_read_only_media_a_crash_is_said_and_not_repaired(readable_folder):
    journal = make_journal(readable_folder, 3)
    _crash(journal.path)
    _make_read_only(readable_folder)
    before = picture(readable_folder)
    answer = _ask_as_nobody(journal.path)
    assert answer.startswith("WORKSPACE_READ_ONLY 7: a crash left half an entry")
    assert picture(readable_folder) == before


def test_a100_an_intact_journal_is_read_from_read_only_media(readable_folder):
    journal = make_journal(readable_folder, 3)
    _make_read_only(readable_folder)
    assert _ask_as_nobody(journal.path) == "3 entries"


def test_a100_appending_on_read_only_media_is_refused(readable_folder):
    journal = make_journal(readable_folder, 1)
    last = journal.entries()[-1]
    _make_read_only(readable_folder)

    def append() -> str:
        try:
            journal.append(make_chain(1, after=last), expected_head=last.hash)
        except Conflict as error:
            return f"{error.code} {error.exit_code}"
        return "appended"

    assert as_nobody(append) == "WORKSPACE_READ_ONLY 7"


def test_a100_a_full_disk_changes_nothing(tmp_path):
    journal = make_journal(tmp_path, 3)
    entries = journal.entries()
    command = [sys.executable, "-c", AT_THE_LIMIT, journal.path, TESTS]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    assert result.stdout.strip() == "WRITE_FAILED 7"
    assert journal.entries() == entries
    assert journal.inspect().findings == ()


def test_a100_kills_leave_whole_files_and_harmless_temporaries(tmp_path):
    path = tmp_path / "state"
    random = seeded(7)
    path.write_bytes(b"\xff" * 300_000)
    for _turn in range(10):
        command = [sys.executable, "-c", WRITE_FOREVER, path]
        outcome = run_and_kill(command, random=random, within_ms=80, after_first_line=True)
        assert outcome.killed
        content = path.read_bytes()
        assert len(content) == 300_000
        assert len(set(content)) == 1
        for found in tmp_path.iterdir():
            if found.name.startswith("new-"):
                content = found.read_bytes()
                assert (len(content), set(content)) == (50_000, {int(found.name[4:7])})
                found.unlink()
            else:
                assert found == path or found.name.startswith(".tmp-")


def test_a100_a_kill_during_create_leaves_no_journal_or_a_valid_one(tmp_path):
    program = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path\n"
        "from support.journals import make_journal\n"
        "print('ready', flush=True)\n"
        "for n in range(10000):\n"
        "    folder = Path(sys.argv[1]) / str(n); folder.mkdir(); make_journal(folder, 0)\n"
    )
    random = seeded(3)
    for turn in range(8):
        base = tmp_path / str(turn)
        base.mkdir()
        command = [sys.executable, "-c", program, base, TESTS]
        assert run_and_kill(command, random=random, within_ms=60, after_first_line=True).killed
        for folder in base.iterdir():
            path = folder / "journal.db"
            if path.exists():
                assert SqliteJournal(path, mount_table=LOCAL_DISK).inspect().findings == ()
            else:
                assert {found.name[:5] for found in folder.iterdir()} <= {".tmp-"}
