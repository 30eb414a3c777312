"""Freeze coins, so that no draft spends them, and give them free again."""

from collections.abc import Sequence

from custody.audit.chain_view import require_unspent
from custody.bitcoin.transaction import OutPoint
from custody.codes import Code
from custody.errors import Conflict
from custody.workflow.office import Desk


def freeze_coins(desk: Desk, outpoints: Sequence[OutPoint], *, reason: str | None) -> tuple[OutPoint, ...]:
    """Freeze coins of ours and return those that were not frozen before.

    A proposal that is already on its way keeps its coin: only `proposal cancel` takes that back.

    Raises:
        Conflict: COIN_UNKNOWN, COIN_SPENT, NOTHING_TO_DO.
    """
    require_unspent(desk.state, outpoints)
    fresh = tuple(one for one in dict.fromkeys(outpoints) if one not in desk.state.frozen)
    _record(desk, "coins_frozen", fresh, reason, "frozen already")
    return fresh


def unfreeze_coins(desk: Desk, outpoints: Sequence[OutPoint], *, reason: str | None) -> tuple[OutPoint, ...]:
    """Give frozen coins free and return them.

    Raises:
        Conflict: NOTHING_TO_DO.
    """
    held = tuple(one for one in dict.fromkeys(outpoints) if one in desk.state.frozen)
    _record(desk, "coins_unfrozen", held, reason, "not frozen")
    return held


def _record(desk: Desk, kind: str, outpoints: tuple[OutPoint, ...], reason: str | None, already: str) -> None:
    if not outpoints:
        raise Conflict(
            Code.NOTHING_TO_DO, f"every coin named is {already}", advice="Look at them with `custody coins list`."
        )
    desk.record([(kind, {"outpoints": [str(one) for one in outpoints], "reason": reason})])
