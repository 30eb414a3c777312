"""A balance at a block as a person reads it: the block, the sum with its parts, every way to it, what was searched."""

from collections.abc import Iterator, Sequence

from custody.audit.balance import BlockBalance
from custody.bitcoin.amount import Sats, format_btc
from custody.errors import Finding
from custody.workflow.balance_blocks import TIME_RULE
from custody.workflow.clock import rfc3339
from custody_cli.output import AnswerValue, Line, Style, Styled, finding_lines


def balance_json(balance: BlockBalance, view: str, *, by_time: bool) -> dict[str, AnswerValue]:
    """Return the answer for one block; `time` is the block's median time past, `view` whose word it is."""
    return {
        **balance.to_json(),
        "time": rfc3339(balance.median_time_past) if balance.median_time_past else None,
        "rule": TIME_RULE if by_time else None,
        "view": view,
    }


def balance_lines(balances: Sequence[BlockBalance], view: str, *, by_time: bool) -> Iterator[Line]:
    """Show each block's balance; never a sum that the ways don't agree on."""
    yield f"asked: {view}"
    if by_time:
        yield f"for a date: {TIME_RULE}"
    for balance in balances:
        yield ""
        yield from _balance(balance)
    yield ""
    yield "What this doesn't show:"
    yield from (f"  - {words}" for words in dict.fromkeys(words for one in balances for words in one.not_shown))


def _balance(balance: BlockBalance) -> Iterator[Line]:
    at = "" if not balance.median_time_past else f"  {rfc3339(balance.median_time_past)} (median time past)"
    yield f"block {'' if balance.height is None else f'{balance.height} '}{balance.block_hash}{at}"
    if balance.incomplete:
        yield Styled("INCOMPLETE: what follows is not the balance", Style.BAD)
        yield from (f"  {reason}" for reason in balance.incomplete)
    yield from _sum_lines(balance)
    for route in balance.routes:
        yield f"  {route.name!s:<10} {route.total:>16} sat  {len(route.coins):>6} coin(s)  {route.name.words}"
    if balance.total is not None and balance.is_complete and len(balance.routes) > 1:
        yield Styled(f"all {len(balance.routes)} agree to the satoshi", Style.GOOD)
    window = balance.window
    yield f"searched {window.receive} receive and {window.change} change scripts, each derived by two engines"
    yield from finding_lines(_ordered(balance.findings))


def _sum_lines(balance: BlockBalance) -> Iterator[Line]:
    if balance.total is None:
        yield Styled("NO BALANCE: the ways to it don't agree", Style.BAD)
        return
    addresses = len({(coin.branch, coin.index) for coin in balance.coins})
    known = "" if balance.is_complete else " known, INCOMPLETE"
    held = f"{len(balance.coins)} coin(s) at {addresses} address(es)"
    yield Styled(f"total{known}  {format_btc(balance.total)} BTC  {balance.total} sat in {held}", Style.STRONG)
    yield from _part("not yet mature", balance.immature)
    yield from _part("frozen, as the journal says at its end", balance.frozen_sum)
    if balance.unconfirmed:
        yield f"  in no block yet, in no sum above: {format_btc(balance.unconfirmed)} BTC"


def _part(what: str, value: Sats | None) -> Iterator[Line]:
    if value:
        yield f"  of it {what}: {format_btc(value)} BTC"


def _ordered(findings: Sequence[Finding]) -> list[Finding]:
    weight = ("refuse", "warn", "note")
    return sorted(findings, key=lambda finding: weight.index(str(finding.severity)))
