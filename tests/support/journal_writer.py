"""A program that appends numbered requests to a journal of any store until it is killed or done.

python journal_writer.py STORE NAME FROM COUNT, where STORE is a folder with a `journal.db`, or a PostgreSQL URL.

It begins as a person does after a crash: by looking whether request FROM was written after all. It prints
`ack N SEQ HASH` (or `found …`) once an entry is known to be written, and at the end what it met. A lost race, a busy
journal, a broken connection are no errors to it: it looks, and goes on.
"""

import random
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from custody.audit.journal import GENESIS_PREV, Entry
from custody.codes import Code
from custody.errors import Conflict
from custody.ports import JournalStore
from support.journals import JOURNAL_ID, LOCAL_DISK, make_entry

_RETRIED = (Code.WORKSPACE_LOCKED, Code.WRITE_FAILED, Code.DATABASE_UNAVAILABLE)
"""Nothing was written, and it may be tried again."""


def store_of(text: str) -> JournalStore:
    """Return the store that the command line names."""
    if text.startswith("postgresql:"):
        from custody.workspace.journal_url import JournalUrl
        from custody.workspace.postgres_store import PostgresJournal

        return PostgresJournal(JournalUrl.parse(text), JOURNAL_ID)
    from custody.workspace.sqlite_store import SqliteJournal

    return SqliteJournal(Path(text) / "journal.db", mount_table=LOCAL_DISK)


class Writer:
    """Appends its own requests, one entry each."""

    def __init__(self, store: JournalStore, name: str) -> None:
        self._store = store
        self._name = name
        self._head: tuple[int, str | None] | None = None
        self._random = random.Random(name)  # noqa: S311
        self.met: Counter[str] = Counter()

    def find(self, number: int) -> Entry | None:
        """Look whether a request was written, for as long as it takes."""
        while True:
            try:
                found = self._store.find_request(f"{self._name}-{number}")
            except Conflict as error:
                self._meet(error, 1)
                continue
            assert len(found) <= 1, f"request {number} was written {len(found)} times"
            return found[0] if found else None

    def write(self, number: int) -> Entry:
        """Append one request, once, for as long as it takes."""
        losses = 0
        while True:
            try:
                if self._head is None:
                    self._head = self._store.head() or (-1, None)
                entry = make_entry(
                    self._head[0] + 1,
                    self._head[1] or GENESIS_PREV,
                    request_id=f"{self._name}-{number}",
                    body={"pad": "x" * 1_000},
                )
                self._store.append([entry], expected_head=self._head[1])
            except Conflict as error:
                losses += 1
                self._head = None
                self._meet(error, losses)
                if error.code is Code.ACKNOWLEDGEMENT_LOST and (found := self.find(number)) is not None:
                    return found
            else:
                self._head = (entry.seq, entry.hash)
                return entry

    def _meet(self, error: Conflict, losses: int) -> None:
        if error.code not in (*_RETRIED, Code.JOURNAL_MOVED, Code.ACKNOWLEDGEMENT_LOST):
            raise error
        self.met[str(error.code)] += 1
        time.sleep(self._random.random() * 0.005 * 2 ** min(losses, 5))


def say(line: str) -> None:
    """Print a line in one write, so that a kill leaves it whole or not there."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(store: str, name: str, first: str, count: str) -> None:
    """Write the requests FROM to COUNT."""
    writer = Writer(store_of(store), name)
    say("ready")
    start = int(first)
    found = writer.find(start)
    if found is not None:
        say(f"found {start} {found.seq} {found.hash}")
        start += 1
    for number in range(start, int(count)):
        entry = writer.write(number)
        say(f"ack {number} {entry.seq} {entry.hash}")
    for code, times in writer.met.items():
        say(f"met {code} {times}")
    say("done")


if __name__ == "__main__":
    main(*sys.argv[1:])
