"""`custody coins history`: every change of the balance, on screen or as CSV for the books."""

from collections.abc import Iterator
from pathlib import Path

import click

from custody import atomic
from custody.bitcoin.amount import format_btc
from custody.spend.expiry import format_time
from custody.workflow.list_history import History, list_history
from custody.workflow.office import open_office
from custody_cli.coins_screen import incomplete_lines
from custody_cli.loading import workspace_of
from custody_cli.options import STDIO, CustodyCommand, examples
from custody_cli.output import Answer, Line, Style, Styled
from custody_cli.session import Session

_INCOMPLETE = 9


@click.command(
    cls=CustodyCommand,
    epilog=examples("custody coins history", "custody coins history -o 2026.csv", "custody coins history --json"),
)
@click.option("-o", "--output", metavar="FILE", help="Write it as CSV; `-` is stdout. Never overwrites.")
@click.pass_obj
def history(session: Session, output: str | None) -> Answer:
    """List what came, what was paid and what it cost, one row per output, adding up to the balance.

    Transactions in no block are left out. Exit 9 if the last sync was incomplete; no file is written then.
    """
    told = list_history(open_office(workspace_of(session)))
    if output is None:
        return Answer(told.to_json(), lambda: _lines(told), 0 if told.is_complete else _INCOMPLETE)
    content = told.to_csv()
    json = {**told.to_json(), "file": output}
    if output == STDIO:
        return Answer(json, lambda: (), raw=content)
    atomic.create_file(Path(output), content)
    return Answer(json, lambda: (f"wrote {len(told.rows)} row(s) to {output}", *_sums(told)))


def _lines(told: History) -> Iterator[Line]:
    yield from incomplete_lines(told.incomplete)
    for row in told.rows:
        seen = row.transaction
        about = row.payee or row.address or ""
        reason = None if row.proposal is None else row.proposal.proposal.reason
        sign = "+" if row.amount > 0 else "-" if row.amount < 0 else " "
        when = f"{format_time(seen.seen_time)[:10]} {seen.height:>8}"
        sums = f"{sign}{format_btc(abs(row.amount)):>17} {format_btc(row.balance):>17}"
        yield f"{when} {row.kind:<8} {sums}  {about}  {reason or row.label or ''}".rstrip()
    yield from _sums(told)


def _sums(told: History) -> Iterator[Line]:
    yield Styled(f"balance {format_btc(told.balance)} BTC in blocks", Style.STRONG)
    if told.unconfirmed:
        yield f"{told.unconfirmed} transaction(s) in no block are left out"
