"""Whether the embedded mempool takes a transaction: Bitcoin Core's rules as far as they bind here.

Inputs must exist and be unspent, the locktimes passed, the fee at least 1 sat/vB, no output
dust, every script satisfied; a transaction that spends what another one in the mempool spends
must pay for replacing it. Each refusal uses the node's own word for the same thing. What a
real node adds besides (package limits, non-standard scripts) is left out.
Source: BIP 68, BIP 113, BIP 125; replacement does not ask for the signal (full RBF).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from custody.bitcoin.amount import FeeRate, Sats, sats
from custody.bitcoin.block import is_coinbase
from custody.bitcoin.kernel import verify_scripts
from custody.bitcoin.script import dust_threshold
from custody.bitcoin.transaction import FINAL_SEQUENCE, OutPoint, Transaction, TxOutput
from custody.chain.embedded_index import ChainIndex
from custody.errors import CheckFailed
from custody.ports import ChainCoin

MINIMUM_RELAY_RATE = FeeRate(1000)
INCREMENTAL_RATE = FeeRate(1000)
MAX_STANDARD_WEIGHT = 400_000
MAX_REPLACED = 100
_STANDARD_VERSIONS = frozenset({1, 2, 3})
_LOCKTIME_THRESHOLD = 500_000_000
_SEQUENCE_DISABLED = 1 << 31
_SEQUENCE_TIME = 1 << 22
_SEQUENCE_MASK = 0xFFFF
_SEQUENCE_GRANULARITY = 9


@dataclass(frozen=True, slots=True)
class PoolEntry:
    """A transaction that the mempool holds."""

    transaction: Transaction
    fee: Sats

    @property
    def rate(self) -> FeeRate:
        """What it pays per virtual byte."""
        return FeeRate.of(self.fee, self.transaction.vsize)


Pool = Mapping[str, PoolEntry]


@dataclass(frozen=True, slots=True)
class Admission:
    """The answer to a transaction that asks for its place in the mempool."""

    reason: str
    """Why not, in the node's word; empty when it may enter."""
    fee: Sats
    replaced: tuple[str, ...]
    """Txids that leave the mempool when it enters, descendants included."""


def judge(transaction: Transaction, chain: ChainIndex, pool: Pool) -> Admission:
    """Say whether the mempool takes `transaction` on top of `chain`'s tip."""
    reason = _form_reason(transaction) or _lock_reason(transaction, chain)
    if reason:
        return _refused(reason)
    coins = _spent_coins(transaction, chain, pool)
    if coins is None:
        return _refused("bad-txns-inputs-missingorspent")
    if not all(chain.is_mature(coin) for coin in coins):
        return _refused("bad-txns-premature-spend-of-coinbase")
    paid = sum(coin.value for coin in coins) - sum(output.value for output in transaction.outputs)
    if paid < 0:
        return _refused("bad-txns-in-belowout")
    replaced = conflicts(transaction, pool)
    reason = (
        _relative_lock_reason(transaction, coins, chain)
        or _fee_reason(transaction, paid)
        or _replacement_reason(transaction, PoolEntry(transaction, sats(paid)), replaced, pool)
        or _script_reason(transaction, coins)
    )
    return _refused(reason) if reason else Admission("", sats(paid), replaced)


def conflicts(transaction: Transaction, pool: Pool) -> tuple[str, ...]:
    """Return the txids in `pool` that can't stay beside `transaction`, descendants included, sorted."""
    evicted = set(_direct_conflicts(transaction, pool))
    # A parent always stands before its children in the mempool, so one pass finds all.
    for txid, entry in pool.items():
        if any(tx_input.outpoint.txid in evicted for tx_input in entry.transaction.inputs):
            evicted.add(txid)
    return tuple(sorted(evicted))


def _refused(reason: str) -> Admission:
    return Admission(reason, sats(0), ())


def _direct_conflicts(transaction: Transaction, pool: Pool) -> tuple[str, ...]:
    spends = {tx_input.outpoint for tx_input in transaction.inputs}
    return tuple(
        txid
        for txid, entry in pool.items()
        if txid != transaction.txid and any(other.outpoint in spends for other in entry.transaction.inputs)
    )


def _form_reason(transaction: Transaction) -> str:
    outpoints = [tx_input.outpoint for tx_input in transaction.inputs]
    if is_coinbase(transaction):
        return "coinbase"
    if len(set(outpoints)) != len(outpoints):
        return "bad-txns-inputs-duplicate"
    if not transaction.outputs:
        return "bad-txns-vout-empty"
    if transaction.version not in _STANDARD_VERSIONS:
        return "version"
    if transaction.weight > MAX_STANDARD_WEIGHT:
        return "tx-size"
    if any(output.value < dust_threshold(output.script_pubkey) for output in transaction.outputs):
        return "dust"
    return ""


def _lock_reason(transaction: Transaction, chain: ChainIndex) -> str:
    if transaction.locktime == 0 or all(item.sequence == FINAL_SEQUENCE for item in transaction.inputs):
        return ""
    by_height = transaction.locktime < _LOCKTIME_THRESHOLD
    limit = chain.height + 1 if by_height else chain.tip.median_time_past
    return "" if transaction.locktime < limit else "non-final"


def _relative_lock_reason(transaction: Transaction, coins: tuple[ChainCoin, ...], chain: ChainIndex) -> str:
    if transaction.version < 2:
        return ""
    for tx_input, coin in zip(transaction.inputs, coins, strict=True):
        if tx_input.sequence & _SEQUENCE_DISABLED:
            continue
        lock = tx_input.sequence & _SEQUENCE_MASK
        height = chain.height + 1 if coin.height is None else coin.height
        if tx_input.sequence & _SEQUENCE_TIME:
            start = chain.median_time_past_at(max(height - 1, 0))
            locked = start + (lock << _SEQUENCE_GRANULARITY) > chain.tip.median_time_past
        else:
            locked = height + lock > chain.height + 1
        if locked:
            return "non-BIP68-final"
    return ""


def _spent_coins(transaction: Transaction, chain: ChainIndex, pool: Pool) -> tuple[ChainCoin, ...] | None:
    coins = tuple(_coin(tx_input.outpoint, chain, pool) for tx_input in transaction.inputs)
    found = tuple(coin for coin in coins if coin is not None)
    return found if len(found) == len(coins) else None


def _coin(outpoint: OutPoint, chain: ChainIndex, pool: Pool) -> ChainCoin | None:
    return chain.coins.get(outpoint) or pool_coin(outpoint, pool)


def pool_coin(outpoint: OutPoint, pool: Pool) -> ChainCoin | None:
    """Return an output of a transaction in `pool`, spent or not."""
    entry = pool.get(outpoint.txid)
    if entry is None or outpoint.vout >= len(entry.transaction.outputs):
        return None
    output = entry.transaction.outputs[outpoint.vout]
    return ChainCoin(outpoint, output.value, output.script_pubkey, None, False)


def _fee_reason(transaction: Transaction, paid: int) -> str:
    return "" if paid >= MINIMUM_RELAY_RATE.fee_for(transaction.vsize) else "min relay fee not met"


def _replacement_reason(transaction: Transaction, entry: PoolEntry, replaced: tuple[str, ...], pool: Pool) -> str:
    if not replaced:
        return ""
    direct = _direct_conflicts(transaction, pool)
    parents = {tx_input.outpoint.txid for tx_input in transaction.inputs}
    known = {tx_input.outpoint.txid for txid in direct for tx_input in pool[txid].transaction.inputs}
    if parents & set(replaced):
        return "bad-txns-spends-conflicting-tx"
    if any(txid in pool and txid not in known for txid in parents):
        return "replacement-adds-unconfirmed"
    if len(replaced) > MAX_REPLACED:
        return "too many potential replacements"
    needed = sum(pool[txid].fee for txid in replaced) + INCREMENTAL_RATE.fee_for(transaction.vsize)
    if entry.fee < needed or any(entry.rate <= pool[txid].rate for txid in direct):
        return "insufficient fee"
    return ""


def _script_reason(transaction: Transaction, coins: tuple[ChainCoin, ...]) -> str:
    try:
        verify_scripts(transaction.serialize(), [TxOutput(coin.value, coin.script_pubkey) for coin in coins])
    except CheckFailed:
        return "mandatory-script-verify-flag-failed"
    return ""
