"""`custody journal …`: show, verify and export the journal. Nothing here writes to it."""

from collections.abc import Iterator
from pathlib import Path

import click

from custody import atomic
from custody.audit.fold import fold
from custody.audit.journal import Inspection, head_finding, inspect_export
from custody.audit.journal_fields import finding
from custody.errors import Altered, Finding
from custody.workflow.open_vault import open_vault
from custody.workspace.sqlite_store import SqliteJournal
from custody_cli.loading import workspace_of
from custody_cli.options import STDIO, NounGroup, examples, read_input
from custody_cli.output import Answer, AnswerValue, Line, Style, Styled, finding_lines, findings_json
from custody_cli.session import Session

_MAX_EXPORT = 4_000_000_000
_ALTERED = 10


@click.group(
    cls=NounGroup,
    epilog=examples("custody --vault reserve journal show", "custody journal verify --file export.jsonl"),
)
def journal() -> None:
    """The journal: every event of the vault, each holding the hash of the one before."""


@journal.command(epilog=examples("custody --vault reserve journal show --from 10 --limit 5"))
@click.option("--from", "start", type=click.IntRange(min=0), default=0, show_default=True, metavar="SEQ")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most N entries.")
@click.pass_obj
def show(session: Session, start: int, limit: int | None) -> Answer:
    """List entries, oldest first, after the chain between them was checked."""
    entries = SqliteJournal(workspace_of(session).journal_db).entries()
    chosen = entries[start:][:limit]

    def lines() -> Iterator[Line]:
        for entry in chosen:
            height = "-" if entry.tip is None else str(entry.tip.height)
            yield f"{entry.seq:>6}  {entry.time}  block {height:>7}  {entry.actor or '-':<12} {entry.kind}"
            yield Styled(f"{'':>8}{entry.hash}", Style.FAINT)

    listed = [
        {
            "seq": entry.seq,
            "time": entry.time,
            "tip": None if entry.tip is None else entry.tip.to_document(),
            "actor": entry.actor,
            "kind": entry.kind,
            "body": entry.body,
            "request_id": entry.request_id,
            "prev": entry.prev,
            "hash": entry.hash,
        }
        for entry in chosen
    ]
    return Answer({"entries": listed}, lines)


@journal.command(
    epilog=examples(
        "custody --vault reserve journal verify",
        "custody --vault reserve journal verify --expect-head 5c1f…",
        "custody journal verify --file export.jsonl --expect-head 5c1f…",
    )
)
@click.option("--expect-head", metavar="HASH", help="A head noted elsewhere: must be an ancestor or the head itself.")
@click.option("--file", "export_file", metavar="FILE", help="Verify this export instead of a workspace's journal.")
@click.pass_obj
def verify(session: Session, expect_head: str | None, export_file: str | None) -> Answer:
    """Check every entry, every link and the fold; list all that is wrong. Exit 10 if anything is."""
    if export_file is not None:
        inspection = inspect_export(read_input(export_file, max_bytes=_MAX_EXPORT))
    else:
        inspection = SqliteJournal(workspace_of(session).journal_db).inspect()
    findings = [*inspection.findings]
    if expect_head is not None:
        missing = head_finding(inspection.entries, expect_head)
        findings += [missing] if missing is not None else []
    if not findings:
        findings += _fold_findings(inspection)
        if export_file is None and not findings:
            open_vault(workspace_of(session))
    head = inspection.entries[-1].hash if inspection.entries else None
    json: dict[str, AnswerValue] = {
        "ok": not findings,
        "entries": len(inspection.entries),
        "head": head,
        "findings": findings_json(findings),
    }

    def lines() -> Iterator[Line]:
        yield from finding_lines(findings)
        if findings:
            yield Styled(f"ALTERED: {len(findings)} finding(s). Stop; call the auditor.", Style.BAD)
        else:
            yield Styled(f"the journal is whole: {len(inspection.entries)} entries", Style.GOOD)
        yield f"head {head or '-'}"
        if expect_head is None:
            yield "Without a head that was noted elsewhere, missing last entries can't be seen (--expect-head)."

    return Answer(json, lines, _ALTERED if findings else 0)


@journal.command(epilog=examples("custody journal export -o export.jsonl", "custody journal export -o -"))
@click.option("-o", "--output", required=True, metavar="FILE", help="Where to write; `-` is stdout. Never overwrites.")
@click.pass_obj
def export(session: Session, output: str) -> Answer:
    """Write every entry as one canonical JSON line; an auditor replays the file without us."""
    entries = SqliteJournal(workspace_of(session).journal_db).entries()
    data = b"".join(entry.export_line() for entry in entries)
    json: dict[str, AnswerValue] = {"entries": len(entries), "head": entries[-1].hash, "file": output}
    if output == STDIO:
        return Answer(json, lambda: (), raw=data)
    atomic.create_file(Path(output), data)
    return Answer(json, lambda: (f"wrote {len(entries)} entries", f"head {entries[-1].hash}"))


def _fold_findings(inspection: Inspection) -> list[Finding]:
    """Return what the fold refuses: a journal whose links hold may still say what could not happen."""
    try:
        fold(inspection.entries)
    except Altered as error:
        return [finding("fold", error.message)]
    return []
