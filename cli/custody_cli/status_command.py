"""`custody status`: the first command of an officer's day."""

from collections.abc import Iterator

import click

from custody.bitcoin.amount import format_btc
from custody.documents.display import group_address
from custody.workflow.office import open_office
from custody.workflow.status import Status, status_of
from custody_cli.loading import workspace_of
from custody_cli.options import CustodyCommand, examples
from custody_cli.output import Answer, Line, Style, Styled
from custody_cli.proposal_screen import list_line
from custody_cli.session import Session


@click.command(cls=CustodyCommand, epilog=examples("custody --vault reserve status", "custody status --json"))
@click.pass_obj
def status(session: Session) -> Answer:
    """Who is awaited, what is still spendable, what nobody explained. Exit 3 for an unexplained outflow."""
    found = status_of(open_office(workspace_of(session)))
    return Answer(found.to_json(), lambda: _lines(found), found.exit_code)


def _lines(found: Status) -> Iterator[Line]:
    yield Styled(f"Vault {found.vault_name} on {found.network}; governance: {found.governance}", Style.STRONG)
    coins = found.coins
    where = "never synced" if coins.height is None else f"at block {coins.height}"
    yield f"TOTAL     {format_btc(coins.balance.total):>17} BTC  {where}"
    yield f"SPENDABLE {format_btc(coins.balance.spendable):>17} BTC"
    for reason in coins.incomplete:
        yield Styled(f"INCOMPLETE: {reason}", Style.BAD)
    yield from _alarm_lines(found)
    aside = [coin for coin, _address in coins.coins if coin.is_set_aside]
    if aside:
        yield f"SET ASIDE {len(aside)} small coin(s) that nobody announced; `coins accept TXID:VOUT` takes one in"
    if not found.proposals:
        yield "No proposal is under way."
    for view in found.proposals:
        yield list_line(view)
        if not view.review.signing.is_complete:
            yield f"    awaits {view.review.signing.missing} of {', '.join(view.review.signing.unsigned)}"


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
