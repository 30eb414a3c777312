"""`custody journal show | verify | export | move | schema`: read the journal, check it, take it elsewhere."""

import json
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from custody import atomic
from custody.audit.journal import GENESIS_PREV, Entry
from custody.errors import JsonValue, refusals
from custody.workflow.checkpoint import MAX_BYTES, SignedHead
from custody.workflow.verify_journal import JournalCheck, verify_export, verify_workspace_journal
from custody.workspace.journal_store import open_journal
from custody_cli.journal_checkpoint import checkpoint
from custody_cli.loading import workspace_of
from custody_cli.options import STDIO, NounGroup, examples, read_input
from custody_cli.output import Answer, Line, Style, Styled, finding_lines
from custody_cli.session import Session

_ALTERED = 10
_MAX_EXPORT = 1_000_000_000
_WIDTH = 160


@click.group(
    cls=NounGroup,
    epilog=examples(
        "custody --vault reserve journal show",
        "custody --vault reserve journal verify --expect-head HASH",
        "custody --vault reserve journal export -o journal.jsonl",
    ),
)
def journal() -> None:
    """The journal: everything that was done, in a chain of hashes."""


@journal.command(epilog=examples("custody journal show --limit 50", "custody journal show --from 0 --json"))
@click.option("--from", "start", type=click.IntRange(min=0), metavar="SEQ", help="Start at this entry.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most N entries; without --from the last N.")
@click.pass_obj
def show(session: Session, start: int | None, limit: int | None) -> Answer:
    """Show entries in their order, after the chain between them was checked. Actors and times are claims."""
    shown: deque[Entry] = deque(maxlen=limit if start is None else None)
    count, head = 0, GENESIS_PREV
    # To the end, whatever is shown: nothing is shown of a journal whose chain is broken.
    for entry in open_journal(workspace_of(session)).stream():
        count, head = count + 1, entry.hash
        if start is None or (start <= entry.seq and (limit is None or entry.seq < start + limit)):
            shown.append(entry)

    def lines() -> Iterator[Line]:
        for entry in shown:
            yield Styled(
                f"{entry.seq:>6}  {entry.time}  {entry.kind}  by {entry.actor or 'nobody named'}", Style.STRONG
            )
            yield f"        {_summary(entry)}"
        yield f"{count} entries, head {head}"

    return Answer({"entries": [_entry_json(one) for one in shown], "count": count, "head": head}, lines)


@journal.command(
    epilog=examples(
        "custody journal verify",
        "custody journal verify --expect-head HASH",
        "custody journal verify --file export.jsonl",
    )
)
@click.option("--expect-head", metavar="HASH", help="A head kept elsewhere; it must be this journal's, or an ancestor.")
@click.option(
    "--checkpoint", "checkpoints", multiple=True, metavar="FILE", help="Hold it against this signed checkpoint; repeat."
)
@click.option("--file", "export", metavar="EXPORT", help="Check this export alone, without a workspace.")
@click.pass_obj
def verify(session: Session, expect_head: str | None, checkpoints: tuple[str, ...], export: str | None) -> Answer:
    """Check every entry, the chain, what it means, and the vault file; list every discrepancy. Exit 10 if altered.

    Without --expect-head or --checkpoint, a journal that was cut short or rewritten as a whole looks intact.
    """
    kept = [(place, SignedHead.from_bytes(read_input(place, max_bytes=MAX_BYTES))) for place in checkpoints]
    if export is not None:
        check = verify_export(read_input(export, max_bytes=_MAX_EXPORT), expect_head=expect_head, kept=kept)
    else:
        check = verify_workspace_journal(workspace_of(session), expect_head=expect_head, kept=kept)
    return Answer(check.to_json(), lambda: _check_lines(check, expect_head), 0 if check.is_intact else _ALTERED)


@journal.command(epilog=examples("custody journal export -o journal.jsonl", "custody journal export > journal.jsonl"))
@click.option("-o", "--output", default=STDIO, metavar="FILE", help="A new file; stdout by default.")
@click.pass_obj
def export(session: Session, output: str) -> Answer:
    """Write the whole journal as plain JSON Lines, which an auditor checks without this program."""
    written = _Written()
    lines = written.lines(open_journal(workspace_of(session)).stream())
    if output == STDIO:
        content = b"".join(lines)
        return Answer({**written.to_json(), "content": content.decode("utf-8")}, lambda: (), raw=content)
    atomic.create_file_from(Path(output), lines)
    said = (f"wrote {written.count} entries to {output}", f"head {written.head}")
    return Answer({**written.to_json(), "file": output}, lambda: said)


journal.add_command(checkpoint)


@journal.command(
    epilog=examples(
        "custody journal move 'postgresql://db.example/reserve?sslmode=verify-full'",
        "custody journal move sqlite:",
    )
)
@click.argument("url")
@click.pass_obj
def move(session: Session, url: str) -> Answer:
    """Move the journal into PostgreSQL, for several offices, or back into the workspace's file (URL `sqlite:`).

    The entries and their hashes stay the same. Interrupted, it is ended by the same command. Without tables for
    journals in the database they are made, if the login may.
    """
    from custody.workflow.move_journal import move_journal
    from custody_cli.journal_move_text import moved_lines
    from custody_cli.system import SystemNonces

    moved = move_journal(workspace_of(session), url, nonces=SystemNonces())
    return Answer(moved.to_json(), lambda: moved_lines(moved))


@journal.command(epilog=examples("custody journal schema > custody-journal.sql"))
def schema() -> Answer:
    """Print the SQL that makes roles and tables for journals, to be run once per database by its administrator."""
    from custody.workspace.postgres_store_schema import SCHEMA_SQL

    return Answer({"sql": SCHEMA_SQL}, lambda: (), raw=SCHEMA_SQL.encode())


@dataclass(slots=True)
class _Written:
    """How far an export has come."""

    count: int = 0
    head: str = GENESIS_PREV

    def lines(self, entries: Iterable[Entry]) -> Iterator[bytes]:
        """Yield the line of each entry, counting."""
        for entry in entries:
            self.count, self.head = self.count + 1, entry.hash
            yield entry.export_line()

    def to_json(self) -> dict[str, JsonValue]:
        """Return what every answer says."""
        return {"entries": self.count, "head": self.head}


def _entry_json(entry: Entry) -> JsonValue:
    line: JsonValue = json.loads(entry.export_line())
    return line


def _summary(entry: Entry) -> str:
    text = json.dumps(entry.body, ensure_ascii=False)
    return text if len(text) <= _WIDTH else text[:_WIDTH] + " … (whole with --json)"


def _check_lines(check: JournalCheck, expect_head: str | None) -> Iterator[Line]:
    if check.is_intact:
        yield Styled(f"intact: {check.count} entries", Style.GOOD)
    else:
        found = len(refusals(check.findings))
        yield Styled(f"ALTERED: {found} discrepancies, {check.count} readable entries", Style.BAD)
    yield from finding_lines(check.findings)
    yield f"head {check.head}"
    if expect_head is None:
        yield "keep this head elsewhere and give it as --expect-head: only that shows a journal cut short or rewritten"
