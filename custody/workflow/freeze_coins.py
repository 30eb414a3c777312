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
    if not fresh:
        raise _nothing("frozen already")
    desk.record([("coins_frozen", {"outpoints": [str(one) for one in fresh], "reason": reason})])
    return fresh


def unfreeze_coins(desk: Desk, outpoints: Sequence[OutPoint], *, reason: str | None) -> tuple[OutPoint, ...]:
    """Give frozen coins free and return them; a founded vault does it by a signed change instead.

    Raises:
        Conflict: NOTHING_TO_DO.
    """
    held = frozen_of(desk, outpoints)
    desk.record([("coins_unfrozen", {"outpoints": [str(one) for one in held], "reason": reason})])
    return held


def frozen_of(desk: Desk, outpoints: Sequence[OutPoint]) -> tuple[OutPoint, ...]:
    """Return those of the coins that are frozen, each once.

    Raises:
        Conflict: NOTHING_TO_DO when none of them is.
    """
    held = tuple(one for one in dict.fromkeys(outpoints) if one in desk.state.frozen)
    if not held:
        raise _nothing("not frozen")
    return held


def _nothing(already: str) -> Conflict:
    return Conflict(
        Code.NOTHING_TO_DO, f"every coin named is {already}", advice="Look at them with `custody coins list`."
    )
