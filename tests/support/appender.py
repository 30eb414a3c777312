"""A program that appends to a journal until it is killed or done: python appender.py FOLDER NAME COUNT.

It prints `ready`, then `seq hash` of each entry once the store has acknowledged it. A lost race is
not an error: it looks at the new head and tries again.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from custody.audit.journal import GENESIS_PREV
from custody.codes import Code
from custody.errors import Conflict
from custody.workspace.sqlite_store import SqliteJournal
from support.journals import LOCAL_DISK, make_entry


def main(folder: str, name: str, count: str) -> None:
    journal = SqliteJournal(Path(folder) / "journal.db", mount_table=LOCAL_DISK)
    print("ready", flush=True)
    written = moved = 0
    while written < int(count):
        seq, prev = journal.head() or (-1, None)
        entry = make_entry(seq + 1, prev or GENESIS_PREV, request_id=f"{name}-{written}", body={"pad": "x" * 3_000})
        try:
            journal.append([entry], expected_head=prev)
        except Conflict as error:
            if error.code is not Code.JOURNAL_MOVED:
                raise
            moved += 1
            continue
        written += 1
        print(entry.seq, entry.hash, flush=True)
    print("moved", moved, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
