"""`custody status`: the first command of an officer's day."""

from collections.abc import Iterator, Sequence

import click

from custody.bitcoin.amount import format_btc
from custody.documents.display import group_address
from custody.errors import JsonValue
from custody.workflow.key_standings import overdue_keys
from custody.workflow.office import open_office
from custody.workflow.status import GOVERNANCE_UNKNOWN, Status, next_step, status_of
from custody_cli.change_screen import change_line
from custody_cli.coins_screen import incomplete_lines
from custody_cli.cosigner_describe import ShownSigner, shown_signers
from custody_cli.loading import workspace_of
from custody_cli.options import CustodyCommand, examples
from custody_cli.output import Answer, Line, Style, Styled
from custody_cli.proposal_screen import agreement_lines, list_line
from custody_cli.session import Session
from custody_cli.system import SystemClock


@click.command(cls=CustodyCommand, epilog=examples("custody --vault reserve status", "custody status --json"))
@click.pass_obj
def status(session: Session) -> Answer:
    """Who is awaited, what is still spendable, what nobody explained. Exit 3 for an unexplained outflow.

    Exit 9 if the last view of the chain was incomplete. Nothing is asked of a node and nothing is written.
    """
    office = open_office(workspace_of(session))
    found = status_of(office, SystemClock())
    signers = shown_signers(office)
    listed: list[JsonValue] = [{"cosigner": one.name, **one.to_json()} for one in signers]
    overdue = overdue_keys(office.state, office.vault)
    return Answer(
        {**found.to_json(), "signers": listed, "keys_overdue": [*overdue]},
        lambda: (*_lines(found), *_signer_lines(signers), *_overdue_lines(overdue)),
        found.exit_code,
    )


def _lines(found: Status) -> Iterator[Line]:
    yield Styled(f"Vault {found.vault_name} on {found.network}; governance: {found.governance}", Style.STRONG)
    if found.governance == GOVERNANCE_UNKNOWN:
        yield Styled("RESTORED WITHOUT ITS JOURNAL: no address and no draft until it is founded anew", Style.BAD)
        yield "    `custody vault restore BACKUP DIR` brings the journal, policy, labels and freezes back."
    if found.suspended_by is not None:
        yield Styled(f"SPENDING IS SUSPENDED by {found.suspended_by}: only the quorum resumes it", Style.BAD)
    yield from incomplete_lines(found.coins.incomplete)
    yield from _sum_lines(found)
    yield from _alarm_lines(found)
    if found.set_aside:
        yield f"SET ASIDE {len(found.set_aside)} small coin(s) that nobody announced; `custody coins list` names them"
        yield "    `custody coins accept TXID:VOUT` takes one in"
    for change in found.changes:
        yield change_line(change)
        for what, names in change.missing:
            yield f"    awaits {what}: {', '.join(names)}"
    for one in found.receives:
        terms = one.record.terms
        yield f"ADDRESS receive {terms.index} for {terms.payer or 'a payer'}: {terms.purpose}"
        yield f"    awaits {one.missing} more officer(s); signed: {', '.join(one.signed_by) or 'nobody yet'}"
        yield f"    next: custody address attest {terms.index} --key FILE --as NAME"
    if not found.proposals:
        yield "No proposal is under way."
    for view in found.proposals:
        yield list_line(view)
        signing = view.review.signing
        yield from (f"    {line}" for line in agreement_lines(view))
        yield f"    signed: {', '.join(signing.signed) or 'nobody yet'}"
        if not signing.is_complete:
            yield f"    awaits {signing.missing} of {', '.join(signing.unsigned)}"
        yield f"    next: {next_step(view)}"


def _signer_lines(signers: Sequence[ShownSigner]) -> Iterator[Line]:
    """Show which devices are not registered or not proven, once any is described."""
    unknown = [one.name for one in signers if one.record.description is None]
    for one in signers:
        yield from one.standing()
    if unknown and len(unknown) < len(signers):
        yield f"devices of {', '.join(unknown)} are not described: `custody cosigner describe`"


def _overdue_lines(overdue: Sequence[str]) -> Iterator[Line]:
    if overdue:
        words = f"KEYS OVERDUE {', '.join(overdue)}: not proven alive for longer than the policy asks; "
        yield Styled(words + "`custody audit keys`", Style.CARE)


def _sum_lines(found: Status) -> Iterator[Line]:
    coins = found.coins
    if coins.tip is None:
        return
    known = "" if coins.is_complete else "  known, INCOMPLETE"
    yield f"TOTAL     {format_btc(coins.total):>17} BTC{known}"
    yield f"SPENDABLE {format_btc(coins.spendable):>17} BTC{known}"
    age = "" if found.tip_age_blocks is None else f", about {found.tip_age_blocks} blocks ago by this machine's clock"
    yield f"at block {coins.tip.height} {coins.tip.block_hash}{age}"


def _alarm_lines(found: Status) -> Iterator[Line]:
    for outflow, addresses in found.unexplained:
        seen = outflow.transaction
        place = "in no block" if seen.height is None else f"in block {seen.height}"
        yield Styled(f"UNEXPLAINED_OUTFLOW {seen.txid} {place}", Style.BAD)
        yield Styled(f"    {format_btc(outflow.left_us)} BTC left the vault and no proposal explains it", Style.BAD)
        for address in addresses:
            yield f"    to {group_address(address)}"
    if found.unexplained:
        if found.prior.count:
            yield (
                f"    {found.prior.count} of them, {format_btc(found.prior.sum)} BTC, lie before the first complete "
                "sync: `custody coins accept --prior-history`"
            )
        yield "    Raise the alarm, or explain each with `custody coins accept TXID --reason TEXT`."
    for txid in found.taken_back:
        yield Styled(f"REORGANIZED {txid} was in a block and is in none now", Style.BAD)
        yield "    Watch it; its coins are not gone until a conflicting transaction is buried."
