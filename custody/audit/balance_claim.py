"""What a journal claims that its vault held at a past block: its own observations, replayed to that block.

A claim of whoever wrote the journal, at places that it names itself; nothing of it is derived here, so that a
false place or a coin left out shows when it is held against the chain.
"""

from collections.abc import Mapping

from custody.audit.balance import HeldCoin, Route, RouteName, replayed
from custody.audit.state import SeenTransaction, State
from custody.bitcoin.transaction import OutPoint
from custody.codes import Code
from custody.errors import Finding, Severity


def claimed_route(state: State, height: int) -> Route:
    """Return the coins that the journal's transactions up to the block at `height` leave unspent."""
    until = [one for one in state.transactions.values() if one.height is not None and one.height <= height]
    made = (coin for one in until for coin in _made_by(one))
    spent = (item.outpoint for one in until for item in one.inputs)
    return Route(RouteName.JOURNAL, replayed(made, spent))


def claim_gaps(state: State, height: int) -> tuple[str, ...]:
    """Return why the journal can't say what was held at the block, in words; empty where it can."""
    if state.tip is None:
        return ("the journal never looked at the chain",)
    if state.tip.height < height:
        return (f"the journal has seen the chain up to block {state.tip.height} only",)
    return ()


def claim_doubts(state: State) -> tuple[Finding, ...]:
    """Return what the journal says against its own view: it makes no balance incomplete, and excuses no difference."""
    return tuple(
        Finding(
            Code.SYNC_INCOMPLETE,
            Severity.WARN,
            "journal",
            f"the journal calls its own view incomplete: {reason}",
            "Ask whoever keeps it to sync with `--full`; what the chain says doesn't depend on it.",
        )
        for reason in state.incomplete
    )


def claimed_blocks(state: State, height: int) -> Mapping[int, frozenset[str]]:
    """Return the hashes of the blocks up to `height` in which the journal saw transactions, by height."""
    seen: dict[int, set[str]] = {}
    for one in state.transactions.values():
        if one.height is not None and one.block_hash is not None and one.height <= height:
            seen.setdefault(one.height, set()).add(one.block_hash)
    return {at: frozenset(hashes) for at, hashes in seen.items()}


def _made_by(one: SeenTransaction) -> list[HeldCoin]:
    return [
        HeldCoin(OutPoint(one.txid, vout), output.value, *output.place, one.height or 0, one.is_coinbase)
        for vout, output in enumerate(one.outputs)
        if output.place is not None
    ]
