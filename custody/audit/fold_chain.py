"""Fold chain observations: blocks that vanished give back their transactions, new ones come in.

An observation holds only what changed. A transaction in a vanished block is taken back
whole; if it is in another block or in the mempool now, the same observation says so. Which
outputs are ours stands in the entry and was decided by our own scripts; an auditor who
doubts it derives again.
"""

from dataclasses import dataclass, replace
from functools import partial

from custody.audit.fold_governance import advance
from custody.audit.journal import Entry
from custody.audit.state import OwnInput, SeenOutput, SeenTip, SeenTransaction
from custody.audit.state_builder import StateBuilder
from custody.errors import JsonValue
from custody.spend.document import (
    boolean_of,
    fields_of,
    hash_of,
    hex_of,
    integer_of,
    list_of,
    malformed,
    optional_of,
    outpoint_of,
    sats_of,
    text_of,
)

_KEYS = frozenset(
    {
        "tip",
        "complete",
        "compared_with_utxo_set",
        "incomplete",
        "scanned",
        "transactions",
        "vanished_blocks",
        "gone",
    }
)


@dataclass(frozen=True, slots=True)
class Observation:
    """What one entry says of the chain."""

    seq: int
    """Of the entry."""
    tip: SeenTip
    incomplete: tuple[str, ...]
    """Why it is not complete; empty where it is."""
    compared: bool
    """Whether it was compared with the node's set of unspent outputs."""
    seen: tuple[SeenTransaction, ...]
    """Transactions that are new, or stand elsewhere than before."""
    lost: tuple[str, ...]
    """Txids that it takes back: their blocks vanished, or they left the mempool."""


def apply_observation(state: StateBuilder, entry: Entry) -> None:
    """Apply one `chain_observed` entry; one that is refused leaves no half of itself."""
    found = read_observation(state, entry)
    for txid in found.lost:
        del state.transactions[txid]
    state.see(found.tip)
    state.governance = advance(state.governance, found.tip.median_time_past, entry.seq)
    for one in found.seen:
        _add(state, one)
    state.is_complete = not found.incomplete
    state.incomplete = found.incomplete
    state.has_complete_sync = state.has_complete_sync or (state.is_complete and found.compared)


def read_observation(state: StateBuilder, entry: Entry) -> Observation:
    """Read one `chain_observed` entry as it follows on `state`, which stays as it is.

    Raises:
        InvalidInput: a body of a wrong shape, or one that contradicts what was seen before.
    """
    body = fields_of(entry.body, "the body", _KEYS)
    complete = boolean_of(body["complete"], "complete")
    incomplete = list_of(text_of, body["incomplete"], "incomplete")
    if complete is bool(incomplete):
        raise malformed("an observation is complete and says why it is not, or neither")
    scanned = fields_of(body["scanned"], "scanned", ("receive", "change"))
    for branch in ("receive", "change"):
        integer_of(scanned[branch], f"scanned.{branch}")
    found = Observation(
        seq=entry.seq,
        tip=_tip_of(body["tip"]),
        incomplete=incomplete,
        compared=boolean_of(body["compared_with_utxo_set"], "compared_with_utxo_set"),
        seen=list_of(partial(_transaction_of, entry.seq), body["transactions"], "transactions"),
        lost=_taken_back(state, body),
    )
    _require_same_outputs(state, found.seen)
    return found


def _taken_back(state: StateBuilder, body: dict[str, JsonValue]) -> tuple[str, ...]:
    vanished = set(list_of(hash_of, body["vanished_blocks"], "vanished_blocks"))
    gone = set(list_of(hash_of, body["gone"], "gone"))
    if not vanished and not gone:
        return ()
    lost = {txid: one for txid, one in state.transactions.items() if txid in gone or one.block_hash in vanished}
    for txid, one in lost.items():
        if one.block_hash is not None and one.block_hash not in vanished:
            raise malformed(f"transaction {txid} is gone, and its block did not vanish")
    return tuple(lost)


def _require_same_outputs(state: StateBuilder, seen: tuple[SeenTransaction, ...]) -> None:
    """Demand that each transaction has the outputs that it had before, in this observation or in an earlier one."""
    known: dict[str, SeenTransaction] = {}
    for one in seen:
        before = known.get(one.txid, state.transactions.get(one.txid))
        if before is not None and [(out.value, out.script_pubkey) for out in before.outputs] != [
            (out.value, out.script_pubkey) for out in one.outputs
        ]:
            raise malformed(f"transaction {one.txid} has other outputs than before")
        known[one.txid] = one


def _add(state: StateBuilder, seen: SeenTransaction) -> None:
    if not state.has_complete_sync:
        state.prior_txids.add(seen.txid)
    is_prior = seen.txid in state.prior_txids
    # The highest time that was seen, so that a block that moves back in time can't shorten a window.
    time = state.governance.time
    state.transactions[seen.txid] = replace(seen, before_first_complete_sync=is_prior, seen_time=time)
    for output in seen.outputs:
        if output.place is not None:
            state.use(*output.place)


def _tip_of(value: JsonValue) -> SeenTip:
    found = fields_of(value, "tip", ("height", "hash", "median_time_past"))
    return SeenTip(
        integer_of(found["height"], "tip height"),
        hash_of(found["hash"], "tip hash"),
        integer_of(found["median_time_past"], "median time past"),
    )


def _transaction_of(seq: int, value: JsonValue, _what: str) -> SeenTransaction:
    found = fields_of(
        value, "a transaction", ("txid", "block_hash", "height", "fee_sats", "coinbase", "inputs", "outputs")
    )
    block_hash = optional_of(hash_of, found["block_hash"], "block_hash")
    height = optional_of(integer_of, found["height"], "height")
    if (block_hash is None) is not (height is None):
        raise malformed("a transaction has a block without a height, or a height without a block")
    outputs = list_of(_output_of, found["outputs"], "outputs")
    if [vout for vout, _output in outputs] != list(range(len(outputs))):
        raise malformed("a transaction's outputs are not all of them in their order")
    return SeenTransaction(
        txid=hash_of(found["txid"], "txid"),
        block_hash=block_hash,
        height=height,
        fee=optional_of(sats_of, found["fee_sats"], "fee_sats"),
        is_coinbase=boolean_of(found["coinbase"], "coinbase"),
        inputs=list_of(_input_of, found["inputs"], "inputs"),
        outputs=tuple(output for _vout, output in outputs),
        seq=seq,
        before_first_complete_sync=False,
    )


def _input_of(value: JsonValue, what: str) -> OwnInput:
    found = fields_of(value, what, ("outpoint", "value_sats", "branch", "index"))
    return OwnInput(
        outpoint_of(found["outpoint"], "outpoint"),
        sats_of(found["value_sats"], "value_sats"),
        integer_of(found["branch"], "branch"),
        integer_of(found["index"], "index"),
    )


def _output_of(value: JsonValue, what: str) -> tuple[int, SeenOutput]:
    found = fields_of(value, what, ("vout", "value_sats", "script_pubkey", "branch", "index"))
    branch = optional_of(integer_of, found["branch"], "branch")
    index = optional_of(integer_of, found["index"], "index")
    if (branch is None) is not (index is None):
        raise malformed("an output has a branch without an index, or an index without a branch")
    return integer_of(found["vout"], "vout"), SeenOutput(
        value=sats_of(found["value_sats"], "value_sats"),
        script_pubkey=hex_of(found["script_pubkey"], "script_pubkey"),
        place=None if branch is None or index is None else (branch, index),
    )
