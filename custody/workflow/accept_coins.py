"""Take responsibility for what nobody announced: an outflow, a small coin, the time before us.

Each is named. An outflow is named by its txid, a coin that was set aside by its outpoint, and
prior history by the count and sum that were shown. The journal keeps who accepted what and why.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from custody.audit.chain_view import owned_coins, prior_outflows, prior_total, unexplained_outflows
from custody.audit.state import PriorHistory, State
from custody.bitcoin.transaction import OutPoint
from custody.codes import Code
from custody.errors import ChainUnavailable, Conflict, InvalidInput, JsonValue
from custody.workflow.office import Desk

_TXID = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Accepted:
    """What was accepted."""

    txids: tuple[str, ...]
    outpoints: tuple[OutPoint, ...]
    prior_history: PriorHistory | None

    def to_json(self) -> dict[str, JsonValue]:
        """Return what was accepted, as the journal holds it."""
        return {
            "txids": list(self.txids),
            "outpoints": [str(one) for one in self.outpoints],
            "prior_history": _prior_body(self.prior_history),
        }


def accept_coins(desk: Desk, names: Sequence[str], *, reason: str | None) -> Accepted:
    """Accept the outflows (TXID) and the set-aside coins (TXID:VOUT) that are named.

    Raises:
        InvalidInput: a name is neither. Conflict: NOTHING_TO_DO for one that needs no acceptance.
    """
    txids = tuple(name for name in dict.fromkeys(names) if _TXID.fullmatch(name))
    outpoints = tuple(OutPoint.parse(name) for name in dict.fromkeys(names) if name not in txids)
    _require_outflows(desk.state, txids)
    _require_set_aside(desk.state, outpoints)
    return _record(desk, Accepted(txids, outpoints, None), reason)


def accept_prior_history(desk: Desk, *, reason: str | None) -> Accepted:
    """Accept every outflow from before the first complete sync, by their count and sum.

    Raises:
        ChainUnavailable: SYNC_NEEDED before the first complete sync.
        Conflict: NOTHING_TO_DO.
    """
    if not desk.state.has_complete_sync:
        raise ChainUnavailable(
            Code.SYNC_NEEDED,
            "prior history is not known: no sync was complete yet",
            advice="Run `custody coins sync`, look at what it shows, then accept it.",
        )
    if not prior_outflows(desk.state):
        raise _nothing("there is no outflow from before the first complete sync left to accept")
    return _record(desk, Accepted((), (), prior_total(desk.state)), reason)


def _require_outflows(state: State, txids: Sequence[str]) -> None:
    unexplained = {one.transaction.txid for one in unexplained_outflows(state)}
    for txid in txids:
        if txid not in unexplained:
            raise _nothing(f"transaction `{txid}` is no unexplained outflow")


def _require_set_aside(state: State, outpoints: Sequence[OutPoint]) -> None:
    coins = {coin.outpoint: coin for coin in owned_coins(state)}
    for outpoint in outpoints:
        coin = coins.get(outpoint)
        if coin is None:
            raise InvalidInput(
                Code.COIN_UNKNOWN,
                f"`{outpoint}` is no coin of the vault",
                advice="Run `coins sync`, then copy the outpoint from `coins list`.",
            )
        if not coin.is_set_aside:
            raise _nothing(f"coin `{outpoint}` is not set aside")


def _record(desk: Desk, accepted: Accepted, reason: str | None) -> Accepted:
    desk.record(
        [
            (
                "coins_accepted",
                {
                    "outpoints": [str(one) for one in accepted.outpoints],
                    "txids": list(accepted.txids),
                    "prior_history": _prior_body(accepted.prior_history),
                    "reason": reason,
                },
            )
        ]
    )
    return accepted


def _prior_body(prior: PriorHistory | None) -> JsonValue:
    return None if prior is None else {"count": prior.count, "sum_sats": prior.sum}


def _nothing(message: str) -> Conflict:
    return Conflict(Code.NOTHING_TO_DO, message, advice="See `custody status` for what waits to be accepted.")
