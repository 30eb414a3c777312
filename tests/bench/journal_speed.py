"""Measure a journal of 100,000 entries beside one of 10,000: read, folded, both as one stream; time and memory.

    journal_speed.py [--json] [--write docs/benchmarks.md --date 2026-01-31 --note WORDS]

Every measurement runs in a process of its own, one after the other. Building the journals is
timed apart. Nothing is asserted about time: the figures depend on the machine.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

CUSTODY = Path(sys.executable).with_name("custody")
COUNTS = (10_000, 100_000)
REPEATS = 5
BATCH = 5_000
HEADING = "## A journal of 100,000 entries"
Result = dict[str, object]


def build(folder: str, count: str) -> Result:
    """Write a workspace with a journal of so many entries, and its export."""
    from custody.vault.formats import vault_file
    from custody.workspace.sqlite_store import SqliteJournal
    from support.long_journal import long_journal
    from support.vaults import make_vault

    started = time.perf_counter()
    workspace = Path(folder)
    workspace.mkdir()
    (workspace / "vault.yaml").write_text(vault_file.write(make_vault()))
    journal = SqliteJournal.create(workspace / "journal.db", "5f" * 16)
    batch, head = [], None
    with (workspace / "export.jsonl").open("wb") as export:
        for entry in long_journal(int(count)):
            export.write(entry.export_line())
            batch.append(entry)
            if len(batch) == BATCH or entry.seq + 1 == int(count):
                journal.append(batch, expected_head=head)
                batch, head = [], entry.hash
    sizes = {name: (workspace / name).stat().st_size for name in ("journal.db", "export.jsonl")}
    return {"seconds": time.perf_counter() - started, "bytes": sizes}


def read_store(folder: str) -> Result:
    """Verify every entry and the chain."""
    from custody.workspace.sqlite_store import SqliteJournal

    journal = SqliteJournal(Path(folder) / "journal.db")
    return _measured(lambda: sum(1 for _ in journal.stream()))


def fold_store(folder: str) -> Result:
    """Fold entries that are in memory already."""
    from custody.audit.fold import fold
    from custody.workspace.sqlite_store import SqliteJournal

    entries = SqliteJournal(Path(folder) / "journal.db").entries()
    return _measured(lambda: fold(entries).head_seq)


def read_and_fold_store(folder: str) -> Result:
    """Verify and fold as one stream."""
    from custody.audit.fold import fold
    from custody.workspace.sqlite_store import SqliteJournal

    journal = SqliteJournal(Path(folder) / "journal.db")
    return _measured(lambda: fold(journal.stream()).head_seq)


def read_export(folder: str) -> Result:
    """Verify every line and the chain."""
    from custody.audit.journal import inspect_export_lines

    export = (Path(folder) / "export.jsonl").read_bytes()
    return _measured(lambda: sum(1 for _ in inspect_export_lines(export)))


def read_and_fold_export(folder: str) -> Result:
    """Verify and fold as one stream, with everything else that `journal verify --file` looks for."""
    from custody.workflow.verify_journal import verify_export

    export = (Path(folder) / "export.jsonl").read_bytes()

    def work() -> int:
        check = verify_export(export, expect_head=None)
        assert check.findings == ()
        return check.count

    return _measured(work)


def fold_one_more(folder: str) -> Result:
    """Fold the newest entry onto the state of all others."""
    from custody.audit.fold import fold, fold_more
    from custody.workspace.sqlite_store import SqliteJournal

    entries = SqliteJournal(Path(folder) / "journal.db").entries()
    state = fold(entries[:-1])
    return _measured(lambda: fold_more(state, entries[-1:]).head_seq)


def verify_command(folder: str) -> Result:
    """Run `custody journal verify`: the file itself, the vault document and the clocks, too."""
    return _command("--vault", folder, "journal", "verify", "--json")


def verify_file_command(folder: str) -> Result:
    """Run `custody journal verify --file`, which first looks for secrets in the file, as at every input."""
    return _command("journal", "verify", "--json", "--file", str(Path(folder) / "export.jsonl"))


def backup_command(folder: str) -> Result:
    """Run `custody vault backup`: two passes, a search for secrets, and the file read back."""
    return _best(lambda: _run("--vault", folder, "vault", "backup", _new(folder)), resource.RUSAGE_CHILDREN, 2)


def restore_command(folder: str) -> Result:
    """Run `custody vault restore`: everything verified, folded, appended to SQLite and read back."""
    backup = _new(folder)
    _run("--vault", folder, "vault", "backup", backup)
    return _best(lambda: _run("vault", "restore", backup, _new(folder)), resource.RUSAGE_CHILDREN, 2)


def _new(folder: str) -> str:
    """Return a path that nothing has."""
    return str(Path(tempfile.mkdtemp(dir=Path(folder).parent)) / "new")


def _command(*arguments: str) -> Result:
    return _best(lambda: _run(*arguments), resource.RUSAGE_CHILDREN, 2)


def _run(*arguments: str) -> None:
    subprocess.run([CUSTODY, *arguments], check=True, capture_output=True)


def _measured(work: Callable[[], int]) -> Result:
    def checked() -> None:
        assert work() > 0

    return _best(checked, resource.RUSAGE_SELF, REPEATS)


def _best(work: Callable[[], object], whose: int, repeats: int) -> Result:
    """Return the best of several runs, since others use the machine, and the highest resident size."""
    seconds, cpu_seconds = [], []
    for _ in range(repeats):
        started, used = time.perf_counter(), _cpu_seconds(whose)
        work()
        seconds.append(time.perf_counter() - started)
        cpu_seconds.append(_cpu_seconds(whose) - used)
    peak = resource.getrusage(whose).ru_maxrss
    return {"seconds": min(seconds), "cpu_seconds": min(cpu_seconds), "peak_kib": peak}


def _cpu_seconds(whose: int) -> float:
    usage = resource.getrusage(whose)
    return usage.ru_utime + usage.ru_stime


ROWS: dict[str, Callable[[str], Result]] = {
    "SQLite: verify": read_store,
    "SQLite: fold, entries in memory": fold_store,
    "SQLite: verify and fold, one stream": read_and_fold_store,
    "export: verify": read_export,
    "export: verify and fold, one stream": read_and_fold_export,
    "one more entry folded onto the state": fold_one_more,
    "whole command `custody journal verify`": verify_command,
    "whole command `custody journal verify --file`": verify_file_command,
    "whole command `custody vault backup`": backup_command,
    "whole command `custody vault restore`": restore_command,
}
TASKS: dict[str, Callable[..., Result]] = {task.__name__: task for task in (build, *ROWS.values())}


def run_task(name: str, *arguments: str) -> Result:
    """Run one task in a process of its own and return what it printed."""
    command = [sys.executable, __file__, "--task", name, *arguments]
    answer: Result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return answer


def measure(folder: Path) -> dict[str, dict[str, Result]]:
    """Measure everything, by row and number of entries."""
    result: dict[str, dict[str, Result]] = {"build": {}}
    for count in COUNTS:
        result["build"][str(count)] = run_task("build", str(folder / str(count)), str(count))
    for row, task in ROWS.items():
        result[row] = {str(count): run_task(task.__name__, str(folder / str(count))) for count in COUNTS}
    return result


def to_table(result: dict[str, dict[str, Result]]) -> str:
    """Return the table, as Markdown."""
    lines = [
        "| | " + " | ".join(f"{count:,} entries | peak memory" for count in COUNTS) + " | ratio of CPU times |",
        "|---|" + "---:|" * (2 * len(COUNTS) + 1),
    ]
    for row in ROWS:
        cells = [result[row][str(count)] for count in COUNTS]
        used = [_number(cell["cpu_seconds"]) for cell in cells]
        ratio = f"{used[-1] / used[0]:.1f}" if used[0] else ""
        lines.append(f"| {row} | " + " | ".join(_cell(cell) for cell in cells) + f" | {ratio} |")
    return "\n".join(lines)


def to_section(result: dict[str, dict[str, Result]], *, date: str, note: str) -> str:
    """Return the section of docs/benchmarks.md."""
    built = result["build"][str(COUNTS[-1])]
    sizes = built["bytes"]
    assert isinstance(sizes, dict)
    megabytes = {name: _number(size) / 1e6 for name, size in sizes.items()}
    return f"""{HEADING}

`tests/bench/journal_speed.py`, the second half of `make bench`. Of 100 entries 37 hand out an address, 37 label a
coin, 18 observe the chain with a transaction of two outputs, and eight are one payment from draft to broadcast. The
largest has {megabytes["journal.db"]:.0f} MB in SQLite and {megabytes["export.jsonl"]:.0f} MB as an export; it took
{_number(built["seconds"]):.0f} s to build.

Measured on {date}: seconds, and CPU seconds in brackets, each the best of {REPEATS} runs (of whole commands, of
two). {note}

{to_table(result)}

Verify is all of it: canonical bytes, hash, every field, link. Memory is the highest resident size of the whole
process. Streamed from SQLite it grows with the state alone (verified and not folded: not at all); an export's bytes
are held whole; in the second row all entries are.
"""


def _cell(cell: Result) -> str:
    shown = _seconds(_number(cell["seconds"]))
    return f"{shown} ({_seconds(_number(cell['cpu_seconds']))}) | {_number(cell['peak_kib']) / 1024:.0f} MiB"


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds * 1000:.1f} ms"


def _number(value: object) -> float:
    assert isinstance(value, int | float)
    return value


def with_section(page: str, section: str) -> str:
    """Return the page with this section in the place of the older one, or at its end."""
    before, found, rest = page.partition(HEADING)
    if not found:
        return f"{page.rstrip()}\n\n{section}"
    after = rest.partition("\n## ")[2]
    return before + section + (f"\n## {after}" if after else "")


def main() -> int:
    """Run as a script."""
    if sys.argv[1:2] == ["--task"]:
        print(json.dumps(TASKS[sys.argv[2]](*sys.argv[3:])))
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the section into the page")
    parser.add_argument("--date", help="the day of the measurement, for the page")
    parser.add_argument("--note", default="", help="a sentence for the page")
    options = parser.parse_args()
    if options.write and not options.date:
        parser.error("--write needs --date")
    with tempfile.TemporaryDirectory(prefix="custody-bench-") as folder:
        result = measure(Path(folder))
    print(json.dumps(result, indent=2) if options.json else to_table(result))
    if options.write:
        section = to_section(result, date=options.date, note=options.note)
        options.write.write_text(with_section(options.write.read_text(), section))
    return 0


if __name__ == "__main__":
    sys.exit(main())
