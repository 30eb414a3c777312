"""Turn what a chain backend says into `chain_observed` bodies for the journal.

Only what is new goes in: transactions not journalled yet, transactions whose block changed,
blocks that vanished, and mempool transactions that are no longer seen. Which outputs and
inputs are ours is decided by our own scripts, never by the backend. A fee is written where
all inputs are ours, from our own sums; else as the backend claims it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from custody.bitcoin.amount import Sats
from custody.bitcoin.transaction import OutPoint
from custody.errors import JsonValue
from custody.ports import ChainTransaction, Tip, WatchedScript

TRANSACTIONS_PER_ENTRY = 500


@dataclass(frozen=True, slots=True)
class KnownOutput:
    """An output of ours that the journal or this batch knows."""

    value: Sats
    branch: int
    index: int


@dataclass(frozen=True, slots=True)
class Known:
    """What the journal knows before this observation."""

    outputs: Mapping[OutPoint, KnownOutput]
    """Every output of ours that any known transaction made, spent or not."""
    blocks: Mapping[str, str | None]
    """Block hash by txid of each known transaction; None where it was only in a mempool."""


@dataclass(frozen=True, slots=True)
class Completeness:
    """How far an observation can be relied on."""

    incomplete: tuple[str, ...]
    compared_with_utxo_set: bool
    scanned_receive: int
    scanned_change: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What differs from the journal."""

    transactions: tuple[JsonValue, ...]
    vanished_blocks: tuple[str, ...]
    gone: tuple[str, ...]


def find_changes(known: Known, seen: Sequence[ChainTransaction], scripts: Sequence[WatchedScript]) -> Changes:
    """Compare what a backend sees with what the journal knows."""
    places = {script.script_pubkey: (script.branch, script.index) for script in scripts}
    outputs = dict(known.outputs)
    for one in seen:
        outputs.update(_own_outputs(one, places))
    ours = [one for one in seen if _touches_us(one, outputs)]
    now = {one.transaction.txid: one.block_hash for one in ours}
    fresh = [one for one in ours if known.blocks.get(one.transaction.txid, "") != one.block_hash]
    lost = [txid for txid in known.blocks if txid not in now]
    vanished = {
        block for txid, block in known.blocks.items() if block is not None and (txid not in now or now[txid] != block)
    }
    return Changes(
        transactions=tuple(_transaction_body(one, outputs, places) for one in fresh),
        vanished_blocks=tuple(sorted(vanished)),
        gone=tuple(sorted(txid for txid in lost if known.blocks[txid] is None)),
    )


def observation_bodies(tip: Tip, changes: Changes, completeness: Completeness) -> tuple[dict[str, JsonValue], ...]:
    """Return the entry bodies, at most 500 transactions each; what vanished stands in the first."""
    chunks = [
        changes.transactions[start : start + TRANSACTIONS_PER_ENTRY]
        for start in range(0, max(1, len(changes.transactions)), TRANSACTIONS_PER_ENTRY)
    ]
    return tuple(
        {
            "tip": {"height": tip.height, "hash": tip.block_hash, "median_time_past": tip.median_time_past},
            "complete": not completeness.incomplete and number == len(chunks) - 1,
            "compared_with_utxo_set": completeness.compared_with_utxo_set,
            "incomplete": list(completeness.incomplete)
            if number == len(chunks) - 1
            else ["continued in the next entry"],
            "scanned": {"receive": completeness.scanned_receive, "change": completeness.scanned_change},
            "transactions": list(chunk),
            "vanished_blocks": list(changes.vanished_blocks) if number == 0 else [],
            "gone": list(changes.gone) if number == 0 else [],
        }
        for number, chunk in enumerate(chunks)
    )


def _own_outputs(seen: ChainTransaction, places: Mapping[bytes, tuple[int, int]]) -> dict[OutPoint, KnownOutput]:
    txid = seen.transaction.txid
    return {
        OutPoint(txid, vout): KnownOutput(output.value, *places[output.script_pubkey])
        for vout, output in enumerate(seen.transaction.outputs)
        if output.script_pubkey in places
    }


def _touches_us(seen: ChainTransaction, outputs: Mapping[OutPoint, KnownOutput]) -> bool:
    transaction = seen.transaction
    makes = any(OutPoint(transaction.txid, vout) in outputs for vout in range(len(transaction.outputs)))
    return makes or any(tx_input.outpoint in outputs for tx_input in transaction.inputs)


def _transaction_body(
    seen: ChainTransaction,
    outputs: Mapping[OutPoint, KnownOutput],
    places: Mapping[bytes, tuple[int, int]],
) -> JsonValue:
    transaction = seen.transaction
    inputs: list[JsonValue] = []
    spent = 0
    for tx_input in transaction.inputs:
        known = outputs.get(tx_input.outpoint)
        if known is not None:
            spent += known.value
            inputs.append(
                {
                    "outpoint": str(tx_input.outpoint),
                    "value_sats": known.value,
                    "branch": known.branch,
                    "index": known.index,
                }
            )
    all_ours = len(inputs) == len(transaction.inputs)
    fee = spent - sum(output.value for output in transaction.outputs) if all_ours else seen.fee
    made: list[JsonValue] = []
    for vout, output in enumerate(transaction.outputs):
        place = places.get(output.script_pubkey)
        made.append(
            {
                "vout": vout,
                "value_sats": output.value,
                "script_pubkey": output.script_pubkey.hex(),
                "branch": None if place is None else place[0],
                "index": None if place is None else place[1],
            }
        )
    return {
        "txid": transaction.txid,
        "block_hash": seen.block_hash,
        "height": seen.height,
        "fee_sats": fee,
        "coinbase": seen.is_coinbase,
        "inputs": inputs,
        "outputs": made,
    }
