"""Fold chain observations: blocks that vanished give back their transactions, new ones come in.

An observation holds only what changed. A transaction in a vanished block is taken back
whole; if it is in another block or in the mempool now, the same observation says so. Which
outputs are ours stands in the entry and was decided by our own scripts; an auditor who
doubts it derives again.
"""

from dataclasses import replace

from custody.audit.journal import Entry
from custody.audit.journal_fields import altered
from custody.audit.state import OwnInput, SeenOutput, SeenTip, SeenTransaction, State
from custody.errors import JsonValue
from custody.spend.document import (
    boolean_of,
    fields_of,
    hash_of,
    hex_of,
    integer_of,
    list_of,
    optional_of,
    outpoint_of,
    sats_of,
    text_of,
)


def apply_observation(state: State, entry: Entry) -> State:
    """Return the state after one `chain_observed` entry."""
    body = fields_of(
        entry.body,
        "the body",
        (
            "tip",
            "complete",
            "compared_with_utxo_set",
            "incomplete",
            "scanned",
            "transactions",
            "vanished_blocks",
            "gone",
        ),
    )
    complete = boolean_of(body["complete"], "complete")
    incomplete = list_of(text_of, body["incomplete"], "incomplete")
    if complete is bool(incomplete):
        raise altered(f"entry:{entry.seq}: an observation is complete and says why it is not, or neither")
    compared = boolean_of(body["compared_with_utxo_set"], "compared_with_utxo_set")
    scanned = fields_of(body["scanned"], "scanned", ("receive", "change"))
    for branch in ("receive", "change"):
        integer_of(scanned[branch], f"scanned.{branch}")
    transactions = _without_lost(state, body)
    early = not state.has_complete_sync
    for value in list_of(lambda item, _what: item, body["transactions"], "transactions"):
        seen = _transaction_of(value, entry.seq, early=early)
        known = state.transactions.get(seen.txid)
        if known is not None:
            seen = replace(seen, before_first_complete_sync=known.before_first_complete_sync)
        transactions[seen.txid] = seen
    return replace(
        state,
        tip=_tip_of(body["tip"]),
        is_complete=complete,
        incomplete=incomplete,
        has_complete_sync=state.has_complete_sync or (complete and compared),
        transactions=transactions,
    )


def _without_lost(state: State, body: dict[str, JsonValue]) -> dict[str, SeenTransaction]:
    vanished = set(list_of(hash_of, body["vanished_blocks"], "vanished_blocks"))
    gone = set(list_of(hash_of, body["gone"], "gone"))
    return {
        txid: one
        for txid, one in state.transactions.items()
        if txid not in gone and (one.block_hash is None or one.block_hash not in vanished)
    }


def _tip_of(value: JsonValue) -> SeenTip:
    found = fields_of(value, "tip", ("height", "hash", "median_time_past"))
    return SeenTip(
        integer_of(found["height"], "tip height"),
        hash_of(found["hash"], "tip hash"),
        integer_of(found["median_time_past"], "median time past"),
    )


def _transaction_of(value: JsonValue, seq: int, *, early: bool) -> SeenTransaction:
    found = fields_of(
        value, "a transaction", ("txid", "block_hash", "height", "fee_sats", "coinbase", "inputs", "outputs")
    )
    block_hash = optional_of(hash_of, found["block_hash"], "block_hash")
    height = optional_of(integer_of, found["height"], "height")
    if (block_hash is None) is not (height is None):
        raise altered(f"entry:{seq}: a transaction has a block without a height, or a height without a block")
    return SeenTransaction(
        txid=hash_of(found["txid"], "txid"),
        block_hash=block_hash,
        height=height,
        fee=optional_of(sats_of, found["fee_sats"], "fee_sats"),
        is_coinbase=boolean_of(found["coinbase"], "coinbase"),
        inputs=list_of(_input_of, found["inputs"], "inputs"),
        outputs=list_of(_output_of, found["outputs"], "outputs"),
        seq=seq,
        before_first_complete_sync=early,
    )


def _input_of(value: JsonValue, what: str) -> OwnInput:
    found = fields_of(value, what, ("outpoint", "value_sats", "branch", "index"))
    return OwnInput(
        outpoint_of(found["outpoint"], "outpoint"),
        sats_of(found["value_sats"], "value_sats"),
        integer_of(found["branch"], "branch"),
        integer_of(found["index"], "index"),
    )


def _output_of(value: JsonValue, what: str) -> SeenOutput:
    found = fields_of(value, what, ("vout", "value_sats", "script_pubkey", "branch", "index"))
    integer_of(found["vout"], "vout")
    branch = optional_of(integer_of, found["branch"], "branch")
    index = optional_of(integer_of, found["index"], "index")
    return SeenOutput(
        value=sats_of(found["value_sats"], "value_sats"),
        script_pubkey=hex_of(found["script_pubkey"], "script_pubkey"),
        place=None if branch is None or index is None else (branch, index),
    )
