"""A104: two commands at once: no position is given out twice, and nothing is lost."""

import subprocess
import sys
from pathlib import Path

import pytest

from custody.audit.journal import check_chain
from custody.codes import Code
from custody.errors import Conflict
from custody.workspace.lock import writer_lock
from custody.workspace.sqlite_store import SqliteJournal
from support.journals import make_chain, make_journal

TESTS = Path(__file__).resolve().parents[1]

HOLD_LOCK = """
import sys
from pathlib import Path
from custody.workspace.lock import writer_lock
with writer_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a104_two_processes_append_and_no_entry_is_lost(tmp_path):
    journal = make_journal(tmp_path, 0)
    writers = [
        subprocess.Popen(
            [sys.executable, TESTS / "support" / "appender.py", tmp_path, name, "40"], stdout=subprocess.PIPE, text=True
        )
        for name in ("one", "two")
    ]
    acknowledged: dict[int, str] = {}
    moved = 0
    for writer in writers:
        output, _ = writer.communicate(timeout=120)
        assert writer.returncode == 0
        *lines, last = output.splitlines()[1:]
        moved += int(last.removeprefix("moved "))
        assert len(lines) == 40
        for line in lines:
            seq, entry_hash = line.split()
            assert int(seq) not in acknowledged
            acknowledged[int(seq)] = entry_hash
    entries = journal.entries()
    check_chain(entries)
    assert acknowledged == {entry.seq: entry.hash for entry in entries}
    assert sorted(acknowledged) == list(range(80))
    assert journal.inspect().findings == ()


def test_a104_of_two_that_decided_on_one_head_the_second_is_refused(tmp_path):
    one = make_journal(tmp_path, 1)
    other = SqliteJournal(one.path, mount_table="")
    head = one.entries()[0]
    mine, theirs = make_chain(1, after=head, mark="mine "), make_chain(1, after=head, mark="theirs ")
    other.append(theirs, expected_head=head.hash)
    with pytest.raises(Conflict) as caught:
        one.append(mine, expected_head=head.hash)
    assert (caught.value.code, caught.value.exit_code) == (Code.JOURNAL_MOVED, 7)
    assert one.entries() == (head, *theirs)


def test_a104_a_second_writer_waits_and_then_says_that_it_is_locked(tmp_path):
    path = tmp_path / ".lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(Conflict) as caught, writer_lock(path, wait_ms=120):
        pass
    assert (caught.value.code, caught.value.exit_code) == (Code.WORKSPACE_LOCKED, 7)
    holder.kill()
    holder.communicate()
    # A killed holder leaves no lock behind.
    with writer_lock(path, wait_ms=0), pytest.raises(Conflict), writer_lock(path, wait_ms=0):
        pass
    with writer_lock(path, wait_ms=0):
        assert path.stat().st_mode & 0o777 == 0o600
