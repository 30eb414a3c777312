"""`custody audit journal`: replay an exported journal with nothing else, and list all that is wrong with it."""

from collections.abc import Iterator
from pathlib import Path

import click

from custody.codes import Code
from custody.workflow.audit_journal import Beside, audit_journal
from custody.workflow.audited import NOT_SHOWN, JournalAudit, Placed
from custody.workflow.checkpoint import MAX_BYTES, SignedHead
from custody_cli.audit_sources import VaultChoice, vault_options
from custody_cli.options import CustodyCommand, examples, read_input
from custody_cli.output import Answer, Line, Style, Styled
from custody_cli.session import Session

_CONTRADICTED, _UNKNOWN, _ALTERED = 3, 6, 10

_BESIDE = frozenset({Code.VAULT_MISMATCH, Code.NONCE_REPEATED, Code.UNEXPLAINED_OUTFLOW})
"""An intact journal can say these: it contradicts something beside it, or raises an alarm about keys or coins."""

_STYLES = {"refuse": Style.BAD, "warn": Style.CARE, "note": Style.FAINT}


@click.command(
    "journal",
    cls=CustodyCommand,
    epilog=examples(
        "custody audit journal export.jsonl",
        "custody audit journal export.jsonl --vault-file vault.yaml --checkpoint bank.json --checkpoint ministry.json",
        "custody audit journal reserve.backup --expect-head HASH --json",
    ),
)
@click.argument("export", type=click.Path(path_type=Path))
@vault_options
@click.option(
    "--checkpoint", "checkpoints", multiple=True, metavar="FILE", help="Hold it against this signed checkpoint; repeat."
)
@click.option("--expect-head", metavar="HASH", help="A head kept elsewhere; it must be this journal's, or an ancestor.")
@click.pass_obj
def journal(
    session: Session,
    export: Path,
    vault_file: str | None,
    descriptor: str | None,
    network: str | None,
    checkpoints: tuple[str, ...],
    expect_head: str | None,
) -> Answer:
    """Replay an exported journal, or a backup, and list everything that is wrong with it, each with its entry and line.

    Needs no workspace, no node and no network. Checked again are the chain, every SSH signature, every signature of a
    payment by both engines, each decision by the policy in force at its entry, rehearsals, nonces, and observations
    against what the journal itself proves.

    Exit 10 if it was altered or holds what this program never writes, 3 if it contradicts what you gave beside it or
    raises an alarm, 6 if all that is wrong is an entry of an unknown kind, or the file is no
    journal at all. Warnings alone are exit 0.
    """
    chosen = vault_file is not None or descriptor is not None
    vault = VaultChoice(vault_file, descriptor, network).load(session) if chosen else None
    kept = [(place, SignedHead.from_bytes(read_input(place, max_bytes=MAX_BYTES))) for place in checkpoints]
    audit = audit_journal(export, Beside(vault, expect_head, kept), progress=session.progress)
    return Answer(audit.to_json(), lambda: _lines(audit), _exit_code(audit))


def _exit_code(audit: JournalAudit) -> int:
    codes = set(audit.refused)
    if audit.is_sound:
        return 0
    if codes and codes <= {Code.UPGRADE_NEEDED} and not audit.unlisted:
        return _UNKNOWN
    return _CONTRADICTED if codes and codes <= _BESIDE and not audit.unlisted else _ALTERED


def _lines(audit: JournalAudit) -> Iterator[Line]:
    yield _verdict(audit)
    if audit.vault_id is not None:
        yield f"vault `{audit.vault_name}` {audit.vault_id}"
    for placed in audit.findings:
        yield from _finding_lines(placed, audit.first_break)
    if audit.unlisted:
        yield Styled(f"{audit.unlisted} more findings are counted and not listed", Style.BAD)
    if audit.first_break is not None:
        yield Styled(
            f"The chain is broken at entry {audit.first_break}. What a signature proves or follows from the "
            "vault stands after it too; that nothing was left out, or in which order it was written, does not.",
            Style.BAD,
        )
    yield from _summary(audit)
    yield "What a journal can't show:"
    yield from (f"  - {words}" for words in NOT_SHOWN)


def _verdict(audit: JournalAudit) -> Line:
    warned = sum(1 for one in audit.findings if str(one.finding.severity) == "warn")
    if audit.is_sound:
        return Styled(f"SOUND: {audit.count} entries, {warned} warnings", Style.GOOD)
    return Styled(
        f"NOT SOUND: {len(audit.refused) + audit.unlisted} discrepancies, {warned} warnings, "
        f"{audit.count} readable entries",
        Style.BAD,
    )


def _finding_lines(placed: Placed, first_break: int | None) -> Iterator[Line]:
    finding = placed.finding
    place = "" if placed.line is None else f" (line {placed.line}{'' if placed.kind is None else f', {placed.kind}'})"
    after = f" [after the break at entry {first_break}]" if placed.after_break else ""
    head = f"{finding.severity.upper():<6} {finding.code}@{finding.where}{place}: {finding.message}{after}"
    yield Styled(head, _STYLES[str(finding.severity)])
    yield f"       {finding.advice}"


def _counted(count: int, things: str) -> str:
    return f"{count} {things.removesuffix('s') if count == 1 else things}"


def _summary(audit: JournalAudit) -> Iterator[Line]:
    if audit.by_code:
        yield "found: " + ", ".join(f"{count} {code}" for code, count in sorted(audit.by_code.items()))
    yield "entries: " + (", ".join(f"{count} {kind}" for kind, count in sorted(audit.by_kind.items())) or "none")
    done = [
        _counted(count, what.replace("_", " ").replace("ssh", "SSH"))
        for what, count in sorted(audit.checked.items())
        if count
    ]
    yield "checked again: " + (", ".join(done) or "the chain alone")
    if audit.checked.get("final_transactions") and not audit.kernel_verified:
        yield "libbitcoinkernel is missing on this Python: finished transactions were judged by two engines, not three"
    yield f"head {audit.head}"
    if audit.vouched_through is None:
        yield Styled(
            "No head and no signed checkpoint vouches for it: give one that was kept elsewhere with --checkpoint or "
            "--expect-head.",
            Style.CARE,
        )
    else:
        yield f"what was kept elsewhere vouches for entries 0 to {audit.vouched_through}"
