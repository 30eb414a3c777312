"""What a vault held at blocks of the past, asked of an auditor's own view of the chain in two ways.

The history of the scripts, replayed to the block; and the unspent outputs with the blocks since undone, which
asks no wallet. A copy of the UTXO set and a journal's claim stand beside them where they are given. Birth
heights and windows from files are only where the search begins: what lies outside is found and said (A29).
A chain that changes meanwhile is asked again; two chains are never mixed into one answer.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from custody.audit.balance import BlockBalance, HeldCoin, Route, RouteName, differences, differing, replayed
from custody.audit.balance_claim import claim_doubts, claim_gaps, claimed_blocks, claimed_route
from custody.audit.state import State
from custody.bitcoin.amount import sum_sats
from custody.bitcoin.transaction import OutPoint
from custody.codes import Code
from custody.errors import ChainUnavailable, Finding, Severity
from custody.ports import ChainBackend, ChainTransaction, PastCoins, Progress, WatchResult
from custody.vault.vault import Vault
from custody.workflow.audit_window import AuditWindow, Place, placed
from custody.workflow.balance_of_dump import DumpChoice

_ATTEMPTS = 3
_ASKED_ALONE = 100
"""Where more coins than this differ, one question for each tells nothing more."""
_WORD_OF_A_FILE = Finding(
    Code.UTXO_UNVERIFIED,
    Severity.NOTE,
    "snapshot",
    "both ways come from one file, which is the word of whoever wrote it",
    "Ask a node of your own: only a node can tell that the coins existed on the chain and were unspent.",
)


@dataclass(frozen=True, slots=True)
class BalanceQuestion:
    """What is asked beside the vault and the chain."""

    heights: tuple[int, ...]
    """Of blocks on the active chain."""
    window: int = 0
    """Scripts of each branch at least; never fewer than an audit's own minimum."""
    birth_height: int | None = None
    """Where the search of the history begins, by the auditor's own word; else by the vault's."""
    journal: State | None = None
    """Whose claim is held against the chain."""
    dump: DumpChoice | None = None
    """A copy of the UTXO set at the one height that is asked."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """Both ways at all heights, on one chain."""

    history: WatchResult
    past: tuple[PastCoins, ...]
    dump: Route | None
    birth_finding: Finding | None


def balances_at(
    vault: Vault, backend: ChainBackend, question: BalanceQuestion, progress: Progress
) -> tuple[BlockBalance, ...]:
    """Return the balance right after each block, in the order asked.

    Raises:
        ChainUnavailable: the view can't answer, or its chain keeps changing. No number is given then.
        CheckFailed: ENGINES_DISAGREE, and CHAIN_DISAGREES for a copy of the UTXO set of another block than expected.
    """
    if question.dump is not None:
        question.dump.require_network(vault)
        question.dump.require_block()
    window = AuditWindow(vault, question.window, question.journal, progress)
    for _attempt in range(_ATTEMPTS):
        seen = _look(vault, backend, window, question, progress)
        if _is_one_chain(backend, seen):
            return tuple(_balance(backend, window, question, seen, past) for past in seen.past)
    raise ChainUnavailable(
        Code.NODE_BUSY,
        "the chain changed each time while the balance was computed",
        advice="Try again in a minute.",
    )


def _look(
    vault: Vault, backend: ChainBackend, window: AuditWindow, question: BalanceQuestion, progress: Progress
) -> _Seen:
    """Ask both ways, wider and from an earlier block as long as one of them shows that this is needed."""
    said = vault.birth_height if question.birth_height is None else question.birth_height
    birth, late = said, None
    while True:
        history = backend.watch(window.request(birth), progress)
        if window.widen(_paid_scripts(history.transactions)):
            continue
        past = backend.coins_at_each(window.scripts, question.heights, progress)
        coins = [coin for one in past for coin in one.coins]
        earliest = min((coin.height for coin in coins if coin.height is not None), default=birth)
        if earliest < birth:
            late = _late_birth(said, earliest)
            birth = earliest
            continue
        if window.widen(coin.script_pubkey for coin in coins):
            continue
        asked = window.counts
        dump = None if question.dump is None else question.dump.route(window, progress)
        if window.counts == asked:
            return _Seen(history, past, dump, late)


def _paid_scripts(transactions: Iterable[ChainTransaction]) -> Iterable[bytes]:
    return (output.script_pubkey for one in transactions for output in one.transaction.outputs)


def _is_one_chain(backend: ChainBackend, seen: _Seen) -> bool:
    blocks = (seen.history.tip, *(one.block for one in seen.past))
    highest = max(one.block.height for one in seen.past)
    return seen.history.tip.height >= highest and all(
        backend.block_hash_at(block.height) == block.block_hash for block in blocks
    )


def _balance(
    backend: ChainBackend, window: AuditWindow, question: BalanceQuestion, seen: _Seen, past: PastCoins
) -> BlockBalance:
    block, history, journal = past.block, seen.history, question.journal
    routes = [
        _history_route(history.transactions, window.places, block.height),
        Route(RouteName.UNSPENT, placed(past.coins, window.places)),
    ]
    incomplete = [reason for reason in history.incomplete if not reason.startswith(Code.CHAIN_DISAGREES)]
    findings = [] if seen.birth_finding is None else [seen.birth_finding]
    if seen.dump is not None and question.dump is not None:
        routes.append(seen.dump)
        findings += question.dump.findings()
    if backend.name == "snapshot":
        findings.append(_WORD_OF_A_FILE)
    findings += [_contradiction(reason) for reason in history.incomplete if reason.startswith(Code.CHAIN_DISAGREES)]
    if journal is not None:
        routes.append(claimed_route(journal, block.height))
        incomplete += claim_gaps(journal, block.height)
        findings += claim_doubts(journal)
        findings += _other_blocks(backend, journal, block.height)
    findings += differences(routes, _asked_alone(backend, differing(routes)))
    unconfirmed = None
    if block.block_hash == history.tip.block_hash:
        unconfirmed = sum_sats(coin.value for coin in history.coins if coin.height is None)
    return BlockBalance(
        height=block.height,
        block_hash=block.block_hash,
        median_time_past=block.median_time_past,
        routes=tuple(routes),
        window=window.counts,
        unconfirmed=unconfirmed,
        frozen=None if journal is None else journal.frozen,
        incomplete=tuple(incomplete),
        findings=tuple(findings),
        is_one_view=backend.name != "snapshot" and (question.dump is None or question.dump.expected_hash is None),
    )


def _asked_alone(backend: ChainBackend, outpoints: Sequence[OutPoint]) -> dict[OutPoint, bool]:
    return {
        outpoint: backend.unspent(outpoint, include_mempool=False) is not None for outpoint in outpoints[:_ASKED_ALONE]
    }


def _history_route(seen: Sequence[ChainTransaction], places: Mapping[bytes, Place], height: int) -> Route:
    until = [one for one in seen if one.height is not None and one.height <= height]
    made = (
        HeldCoin(
            OutPoint(one.transaction.txid, vout),
            output.value,
            *places[output.script_pubkey],
            one.height or 0,
            one.is_coinbase,
        )
        for one in until
        for vout, output in enumerate(one.transaction.outputs)
        if output.script_pubkey in places
    )
    return Route(RouteName.HISTORY, replayed(made, (item.outpoint for one in until for item in one.transaction.inputs)))


def _other_blocks(backend: ChainBackend, journal: State, height: int) -> Iterable[Finding]:
    """Yield a finding for each block that the journal saw and this chain doesn't have."""
    for at, hashes in sorted(claimed_blocks(journal, height).items()):
        ours = _hash_at(backend, at)
        for claimed in sorted(hashes - {ours}):
            yield Finding(
                Code.CHAIN_DISAGREES,
                Severity.REFUSE,
                claimed,
                f"the journal saw a transaction in block {at} `{claimed}`, this chain has `{ours}` there",
                "Find out which chain the journal's writer followed; believe the one that your own node has judged.",
            )


def _hash_at(backend: ChainBackend, height: int) -> str | None:
    try:
        return backend.block_hash_at(height)
    except ChainUnavailable as error:
        if error.code is Code.SYNC_INCOMPLETE:
            return None  # a snapshot names the blocks of the vault's own transactions alone
        raise


def _contradiction(reason: str) -> Finding:
    return Finding(
        Code.CHAIN_DISAGREES,
        Severity.REFUSE,
        "history",
        reason.removeprefix(f"{Code.CHAIN_DISAGREES}: "),
        "Ask another node: this one contradicts itself about the vault's coins.",
    )


def _late_birth(said: int, earliest: int) -> Finding:
    return Finding(
        Code.BIRTH_HEIGHT_LATE,
        Severity.WARN,
        "vault",
        f"the vault was said to begin at block {said}, and has a coin of block {earliest}",
        "Ask who wrote that height: a search that began there would have missed coins.",
    )
