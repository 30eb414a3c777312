"""Coins as a person reads them: never a sum without how far it can be relied on."""

from collections.abc import Iterator, Sequence

from custody.bitcoin.amount import format_btc
from custody.bitcoin.descriptor import Branch
from custody.documents.display import group_address
from custody.workflow.list_coins import CoinList, ListedCoin
from custody_cli.output import Line, Style, Styled


def incomplete_lines(reasons: Sequence[str]) -> Iterator[Line]:
    """Say that a view is not the whole truth, and why; nothing for a complete one."""
    if reasons:
        yield Styled("INCOMPLETE: what follows is not the balance; run `custody coins sync --full`", Style.BAD)
        yield from (f"  {reason}" for reason in reasons)


def coin_list_lines(listed: CoinList) -> Iterator[Line]:
    """Show every coin, then the sums with the block at which they hold."""
    yield from incomplete_lines(listed.incomplete)
    for one in listed.coins:
        yield from _coin_lines(one)
    if listed.tip is None:
        return
    known = "" if listed.is_complete else " known, INCOMPLETE"
    yield Styled(f"total{known}      {format_btc(listed.total):>17} BTC  {listed.total:>16} sat", Style.STRONG)
    yield f"spendable  {format_btc(listed.spendable):>17} BTC  {listed.spendable:>16} sat"
    if listed.unconfirmed:
        yield f"in no block yet, in no sum above: {format_btc(listed.unconfirmed)} BTC"
    yield f"{len(listed.coins)} coin(s) at block {listed.tip.height} {listed.tip.block_hash}"


def _coin_lines(one: ListedCoin) -> Iterator[Line]:
    coin = one.coin
    held = f"  {', '.join(one.held)}" if one.held else ""
    where = f"{Branch(coin.branch).label} {coin.index}"
    yield f"{format_btc(coin.value):>17} BTC  {where:<14} {one.confirmations:>6} deep{held}"
    yield f"    {coin.outpoint}"
    yield f"    {group_address(one.address)}"
    if one.label is not None:
        yield f"    label: {one.label}"
    if one.spendable_by_label is not None:
        word = "true" if one.spendable_by_label else "false"
        yield f"    an imported label says spendable: {word} (without effect here)"
    if coin.is_set_aside:
        yield f"    small and unannounced: `custody coins accept {coin.outpoint}` takes it in"
    if coin.reserved_by:
        yield f"    reserved by proposal {', '.join(holder[:16] for holder in coin.reserved_by)}"
