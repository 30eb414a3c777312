"""Bring the journal's view of the chain up to date, and say honestly whether it is complete.

Two routes must agree: the backend's history of our scripts, and the set of unspent outputs
(`scan` on the first sync and with `--full`, else one question for each coin known before or
now). The window of watched scripts grows until nothing is used near its end. What is new is
appended as `chain_observed`; a view that is incomplete is journalled as such and answers exit 9, never a bare number.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from custody.audit.chain_view import coins_of, known_outputs
from custody.audit.state import State
from custody.bitcoin.amount import Sats
from custody.bitcoin.descriptor import Branch
from custody.bitcoin.transaction import OutPoint
from custody.codes import Code
from custody.errors import ChainUnavailable
from custody.ports import ChainBackend, Progress, Tip, WatchedScript, WatchRequest, WatchResult
from custody.vault.vault import Vault
from custody.workflow.governance import time_ahead
from custody.workflow.observation import (
    Changes,
    Completeness,
    Known,
    KnownOutput,
    find_changes,
    observation_bodies,
)
from custody.workflow.office import Desk, Event

WINDOW = 1_000
"""Scripts watched on each branch at least."""
MARGIN = 200
"""Scripts watched above the last one in use."""
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class SyncOutcome:
    """What a sync did."""

    tip: Tip
    transactions: int
    """New or changed transactions."""
    vanished_blocks: tuple[str, ...]
    incomplete: tuple[str, ...]
    compared_with_utxo_set: bool

    @property
    def is_complete(self) -> bool:
        """Whether the view may be relied on."""
        return not self.incomplete


def sync_coins(desk: Desk, backend: ChainBackend, *, full: bool, progress: Progress) -> SyncOutcome:
    """Observe the chain and append what changed.

    Raises:
        ChainUnavailable: the backend can't answer, or its tip keeps moving while it is asked.
    """
    # Only the whole set of unspent outputs lifts what an earlier comparison left open: asking for
    # known coins one by one would never show a coin that the history hides.
    scan = full or not desk.state.has_complete_sync or not desk.state.is_complete
    for _attempt in range(_ATTEMPTS):
        scripts, seen = _watch(desk, backend, progress)
        changes = find_changes(_known(desk.state), seen.transactions, scripts)
        events = _events(seen.tip, changes, seen.incomplete, scripts, scanned=False)
        after = desk.tentative(events)
        views = (desk.state, after)
        difference = _difference(desk.vault, backend, views, scripts, seen.tip, scan=scan, progress=progress)
        if difference is None:
            continue
        incomplete = (*seen.incomplete, *difference, *time_ahead(desk.state.governance, seen.tip.median_time_past))
        if _is_news(desk.state, seen.tip, changes, incomplete, scan=scan):
            desk.record(_events(seen.tip, changes, incomplete, scripts, scanned=scan))
        return SyncOutcome(seen.tip, len(changes.transactions), changes.vanished_blocks, incomplete, scan)
    raise ChainUnavailable(
        Code.NODE_BUSY,
        "the chain's tip moved each time while its coins were compared",
        advice="Try again in a minute.",
    )


def watch_request(vault: Vault, receive: int, change: int) -> WatchRequest:
    """Return the scripts of the first `receive` and `change` indexes of the branches."""
    counts = {Branch.RECEIVE: receive, Branch.CHANGE: change}
    deriver = vault.deriver
    scripts = tuple(
        WatchedScript(deriver.at(branch, index).script_pubkey, int(branch), index)
        for branch in map(Branch, vault.descriptor.branches)
        for index in range(counts[branch])
    )
    return WatchRequest(vault.vault_id, vault.descriptor_text, scripts, vault.birth_height)


def window_of(state: State) -> tuple[int, int]:
    """Return how many receive and change scripts to watch: above all that was handed out, drafted or seen."""
    receive, change = (max(WINDOW, last + 1 + MARGIN) for last in state.highest)
    return receive, change


def _watch(desk: Desk, backend: ChainBackend, progress: Progress) -> tuple[tuple[WatchedScript, ...], WatchResult]:
    """Watch a window that ends well above the last script in use; widen it while it doesn't."""
    receive, change = window_of(desk.state)
    while True:
        request = watch_request(desk.vault, receive, change)
        seen = backend.watch(request, progress)
        used = _used_indexes(request, seen)
        wider = (max(receive, used[Branch.RECEIVE] + 1 + MARGIN), max(change, used[Branch.CHANGE] + 1 + MARGIN))
        if wider == (receive, change):
            return request.scripts, seen
        receive, change = wider


def _used_indexes(request: WatchRequest, seen: WatchResult) -> dict[Branch, int]:
    places = {script.script_pubkey: (Branch(script.branch), script.index) for script in request.scripts}
    used = dict.fromkeys(Branch, -1)
    for one in seen.transactions:
        for output in one.transaction.outputs:
            place = places.get(output.script_pubkey)
            if place is not None:
                used[place[0]] = max(used[place[0]], place[1])
    return used


def _known(state: State) -> Known:
    outputs = {
        outpoint: KnownOutput(Sats(one.value), one.branch, one.index) for outpoint, one in known_outputs(state).items()
    }
    return Known(outputs, {txid: one.block_hash for txid, one in state.transactions.items()})


def _events(
    tip: Tip,
    changes: Changes,
    incomplete: tuple[str, ...],
    scripts: tuple[WatchedScript, ...],
    *,
    scanned: bool,
) -> list[Event]:
    receive = sum(1 for script in scripts if script.branch == Branch.RECEIVE)
    completeness = Completeness(incomplete, scanned, receive, len(scripts) - receive)
    return [("chain_observed", body) for body in observation_bodies(tip, changes, completeness)]


def _is_news(state: State, tip: Tip, changes: Changes, incomplete: tuple[str, ...], *, scan: bool) -> bool:
    """Whether the journal has to hear of it; a sync that learned nothing adds no entry."""
    same_tip = state.tip is not None and state.tip.block_hash == tip.block_hash
    same_verdict = state.is_complete is (not incomplete)
    nothing = not (changes.transactions or changes.vanished_blocks or changes.gone)
    return scan or not (same_tip and same_verdict and nothing)


def _difference(
    vault: Vault,
    backend: ChainBackend,
    views: tuple[State, State],
    scripts: tuple[WatchedScript, ...],
    tip: Tip,
    *,
    scan: bool,
    progress: Progress,
) -> tuple[str, ...] | None:
    """Return how our coins differ from the chain's unspent outputs, None if the tip moved meanwhile.

    `views` are the journal's before and after this observation. The chain is asked about the coins of
    both: one that the history dropped or calls spent, though the chain has it, is a difference.
    """
    before, ours = (
        {coin.outpoint: coin.value for coin in coins_of(view, vault) if coin.height is not None} for view in views
    )
    if scan:
        request = WatchRequest(vault.vault_id, vault.descriptor_text, scripts, vault.birth_height)
        result = backend.scan(request, progress)
        if result.tip.block_hash != tip.block_hash:
            return None
        return tuple(_differences(ours, {coin.outpoint: coin.value for coin in result.coins}))
    theirs: dict[OutPoint, Sats] = {}
    asked = tuple(before | ours)
    for number, outpoint in enumerate(asked):
        coin = backend.unspent(outpoint, include_mempool=False)
        progress("comparing coins", number + 1, len(asked))
        if coin is not None:
            theirs[outpoint] = coin.value
    if backend.tip().block_hash != tip.block_hash:
        return None
    return tuple(_differences(ours, theirs))


def _differences(ours: dict[OutPoint, Sats], theirs: dict[OutPoint, Sats]) -> Iterator[str]:
    for outpoint in sorted(ours.keys() | theirs.keys(), key=str):
        if outpoint not in theirs:
            yield f"coin {outpoint} is in the wallet's history, the chain has it as spent or unknown"
        elif outpoint not in ours:
            yield f"coin {outpoint} of {theirs[outpoint]} sat is on the chain, the wallet's history lacks it"
        elif ours[outpoint] != theirs[outpoint]:
            yield f"coin {outpoint} has {ours[outpoint]} sat in the history, {theirs[outpoint]} sat on the chain"
