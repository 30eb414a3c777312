"""`custody audit keys`: when each key last proved that it is alive, and which combinations were verified."""

from collections.abc import Iterator
from pathlib import Path

import click

from custody.audit.key_proofs import KeyStanding
from custody.bitcoin import kernel
from custody.errors import refusals
from custody.policy.limit import show_duration
from custody.spend.expiry import format_time
from custody.workflow.audit_keys import KeyAudit, audit_exported_keys, audit_workspace_keys
from custody_cli.audit_sources import VaultChoice, vault_options
from custody_cli.loading import workspace_of
from custody_cli.options import CustodyCommand, examples
from custody_cli.output import Answer, Line, Style, Styled, finding_lines
from custody_cli.session import Session

_REFUSED = 3


@click.command(
    "keys",
    cls=CustodyCommand,
    epilog=examples(
        "custody --vault reserve audit keys",
        "custody audit keys --journal export.jsonl --vault-file vault.yaml",
        "custody audit keys --journal reserve.backup --json",
    ),
)
@click.option("--journal", type=click.Path(path_type=Path), metavar="FILE", help="An exported journal or a backup.")
@click.option("--expect-head", metavar="HASH", help="The export must hold this head, kept elsewhere.")
@vault_options
@click.pass_obj
def keys(
    session: Session,
    journal: Path | None,
    expect_head: str | None,
    vault_file: str | None,
    descriptor: str | None,
    network: str | None,
) -> Answer:
    """Show when each key last proved that it is alive, by which signature, and how old that is by the journal's tip.

    Counted are rehearsals (`device check`) and signatures of payments that were mined; each is verified again. A key
    that is overdue by the policy's interval is a warning. Exit 3 where a recorded signature is false.
    """
    choice = VaultChoice(vault_file, descriptor, network)
    if journal is not None:
        expected = choice.load(session) if choice.is_given else None
        audit = audit_exported_keys(journal, expected=expected, expect_head=expect_head, progress=session.progress)
    elif choice.is_given or network is not None or expect_head is not None:
        raise click.UsageError("--vault-file, --descriptor, --network and --expect-head go with --journal")
    else:
        audit = audit_workspace_keys(workspace_of(session), session.progress)
    return Answer(audit.to_json(), lambda: _lines(audit), _REFUSED if refusals(audit.findings) else 0)


def _lines(audit: KeyAudit) -> Iterator[Line]:
    if audit.height is None or audit.time is None:
        yield f"Vault {audit.vault.name}: the chain was never looked at, so that no age is known"
    else:
        yield f"Vault {audit.vault.name}, judged at block {audit.height} ({format_time(audit.time)})"
    if audit.interval is None:
        yield "no policy in force asks for proofs of keys"
    else:
        yield f"the policy in force asks for a proof every {show_duration(audit.interval)}"
    for one in audit.standings:
        yield from _key_lines(one)
    yield from _round_lines(audit)
    yield from finding_lines(audit.findings)


def _key_lines(one: KeyStanding) -> Iterator[Line]:
    proof, said = one.proof, one.record.description
    if proof is None:
        yield Styled(f"{one.cosigner}  {one.fingerprint}  NEVER PROVEN", Style.CARE)
    else:
        age = "age unknown" if one.age_days is None else f"{days_of(one.age_days)}, {one.age_blocks} blocks ago"
        words = f"{one.cosigner}  {one.fingerprint}  {age}: {proof.kind} {proof.what}"
        overdue = "  OVERDUE" if one.is_overdue else ""
        yield Styled(words + overdue, Style.CARE if one.is_overdue else Style.GOOD)
        at = "before the first sync" if one.height is None else f"at block {one.height}"
        yield f"    recorded {at}, in entry {proof.seq}"
    if said is not None:
        firmware, holder = said.firmware or "unknown", said.custodian or "nobody named"
        yield f"    said to be {said.device}, firmware {firmware}, held by {holder}"


def days_of(days: int) -> str:
    """Return a number of days for people."""
    return "1 day" if days == 1 else f"{days} days"


def _round_lines(audit: KeyAudit) -> Iterator[Line]:
    rounds, count = audit.rounds, len(audit.standings)
    yield f"keys verified alone: {len(rounds.alone)} of {count}"
    by = "" if kernel.is_available() else ", by our own engine alone: libbitcoinkernel is missing on this Python"
    words = f"combinations that can spend, verified: {rounds.verified} of {rounds.of_vault}{by}"
    yield Styled(words, Style.GOOD if rounds.is_complete else Style.CARE)
