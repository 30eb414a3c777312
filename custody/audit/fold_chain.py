"""Fold chain observations: blocks that vanished give back their transactions, new ones come in.

An observation holds only what changed. A transaction in a vanished block is taken back
whole; if it is in another block or in the mempool now, the same observation says so. Which
outputs are ours stands in the entry and was decided by our own scripts; an auditor who
doubts it derives again.
"""

from dataclasses import replace

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


def apply_observation(state: StateBuilder, entry: Entry) -> None:
    """Apply one `chain_observed` entry."""
    body = fields_of(entry.body, "the body", _KEYS)
    complete = boolean_of(body["complete"], "complete")
    incomplete = list_of(text_of, body["incomplete"], "incomplete")
    if complete is bool(incomplete):
        raise malformed("an observation is complete and says why it is not, or neither")
    compared = boolean_of(body["compared_with_utxo_set"], "compared_with_utxo_set")
    scanned = fields_of(body["scanned"], "scanned", ("receive", "change"))
    for branch in ("receive", "change"):
        integer_of(scanned[branch], f"scanned.{branch}")
    taken_back = _take_back(state, body)
    tip = _tip_of(body["tip"])
    state.see(tip)
    state.governance = advance(state.governance, tip.median_time_past, entry.seq)
    for value in list_of(_any_of, body["transactions"], "transactions"):
        _add(state, taken_back, _transaction_of(value, entry.seq))
    state.is_complete = complete
    state.incomplete = incomplete
    state.has_complete_sync = state.has_complete_sync or (complete and compared)


def _take_back(state: StateBuilder, body: dict[str, JsonValue]) -> dict[str, SeenTransaction]:
    vanished = set(list_of(hash_of, body["vanished_blocks"], "vanished_blocks"))
    gone = set(list_of(hash_of, body["gone"], "gone"))
    if not vanished and not gone:
        return {}
    lost = {txid: one for txid, one in state.transactions.items() if txid in gone or one.block_hash in vanished}
    for txid, one in lost.items():
        if one.block_hash is not None and one.block_hash not in vanished:
            raise malformed(f"transaction {txid} is gone, and its block did not vanish")
        del state.transactions[txid]
    return lost


def _add(state: StateBuilder, taken_back: dict[str, SeenTransaction], seen: SeenTransaction) -> None:
    before = state.transactions.get(seen.txid, taken_back.get(seen.txid))
    if before is not None and [(one.value, one.script_pubkey) for one in before.outputs] != [
        (one.value, one.script_pubkey) for one in seen.outputs
    ]:
        raise malformed(f"transaction {seen.txid} has other outputs than before")
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


def _transaction_of(value: JsonValue, seq: int) -> SeenTransaction:
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


def _any_of(value: JsonValue, _what: str) -> JsonValue:
    return value


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
