"""Fold the entries of proposals: drafted, left, signed, finalized, broadcast, withdrawn, rejected.

Each entry must fit what stands before it: a proposal is drafted once, signatures belong to
its inputs, a final transaction is the drafted one. Whether the signatures are valid was
decided before they were written and is decided again by whoever relies on them.
"""

import base64
import binascii
from dataclasses import replace

from custody.audit.draft_rules import draft_problem
from custody.audit.fold_governance import disregard
from custody.audit.fold_statements import STATEMENT, apply_statement
from custody.audit.journal import Entry
from custody.audit.state import ProposalRecord, RecordedSignature
from custody.audit.state_builder import StateBuilder
from custody.bitcoin.psbt import Psbt
from custody.bitcoin.transaction import Transaction
from custody.errors import InvalidInput, JsonValue
from custody.spend.document import (
    boolean_of,
    fields_of,
    hash_of,
    hex_of,
    integer_of,
    list_of,
    malformed,
    optional_of,
    text_of,
)
from custody.spend.proposal import Proposal
from custody.spend.psbt_builder import stripped_txid

DRAFTED = "proposal_drafted"
LEFT = "proposal_left"
SIGNED = "signatures_added"
ACKNOWLEDGED = "warnings_acknowledged"
FINALIZED = "proposal_finalized"
BROADCAST = "proposal_broadcast"
WITHDRAWN = "proposal_withdrawn"
REJECTED = "proposal_rejected"

PROPOSAL_KINDS = frozenset({DRAFTED, LEFT, SIGNED, ACKNOWLEDGED, FINALIZED, BROADCAST, WITHDRAWN, REJECTED, STATEMENT})

_WAYS_OUT = ("draft", "export", "sign")


def apply_proposal_event(state: StateBuilder, entry: Entry) -> None:
    """Apply one entry of a proposal."""
    if entry.kind == DRAFTED:
        _apply_draft(state, entry)
        return
    proposal_id = hash_of(entry.body.get("proposal_id"), "proposal_id")
    known = state.proposals.get(proposal_id)
    if known is not None:
        state.proposals[proposal_id] = _advanced(state, known, entry)
    elif proposal_id in state.refused_drafts:
        state.governance = disregard(state.governance, entry, "it is about a draft that counts for nothing")
    else:
        raise malformed(f"proposal `{proposal_id}` was never drafted")


def _apply_draft(state: StateBuilder, entry: Entry) -> None:
    record = _drafted(state, entry)
    replaces = record.proposal.replaces
    replaced = None if replaces is None else state.proposals[replaces]
    problem = draft_problem(record.proposal, state.vault, replaced, state.highest)
    if problem is not None:
        state.refused_drafts.add(record.proposal_id)
        state.governance = disregard(state.governance, entry, problem)
        return
    for one in record.proposal.change:
        state.use(one.branch, one.index)
    state.proposals[record.proposal_id] = record


def _advanced(state: StateBuilder, known: ProposalRecord, entry: Entry) -> ProposalRecord:
    """Apply what comes after the draft; some entries are judged by the officers in force, or take the chain's time."""
    if entry.kind == STATEMENT:
        return _signed_statement(state, known, entry)
    if entry.kind == SIGNED:
        return _signed(known, entry, state.governance.time)
    record = _STEPS[entry.kind](known, entry)
    if entry.kind in (WITHDRAWN, REJECTED):
        return replace(record, ended_time=state.governance.time)
    return record


def _signed_statement(state: StateBuilder, known: ProposalRecord, entry: Entry) -> ProposalRecord:
    answer = apply_statement(known, entry, state.governance, state.vault_facts)
    if isinstance(answer, ProposalRecord):
        return answer
    state.governance = disregard(state.governance, entry, answer)
    return known


def _drafted(state: StateBuilder, entry: Entry) -> ProposalRecord:
    body = fields_of(entry.body, "the body", ("proposal_id", "proposal", "psbt", "acknowledged", "second_payment"))
    proposal = Proposal.from_document(body["proposal"])
    psbt = Psbt.parse(_base64_of(body["psbt"]))
    boolean_of(body["second_payment"], "second_payment")
    if proposal.proposal_id != body["proposal_id"] or proposal.vault_id != state.vault_id:
        raise malformed("a proposal is not the one that its id names, or of another vault")
    if psbt.unsigned_txid != proposal.unsigned_txid or any(one.partial_signatures for one in psbt.inputs):
        raise malformed("a drafted PSBT is not its proposal's transaction, or is signed")
    if proposal.proposal_id in state.proposals or proposal.proposal_id in state.refused_drafts:
        raise malformed("a proposal is drafted twice")
    if proposal.replaces is not None and proposal.replaces not in state.proposals:
        raise malformed("a proposal replaces one that was never drafted")
    acknowledged = frozenset(list_of(text_of, body["acknowledged"], "acknowledged"))
    return ProposalRecord(proposal, psbt, entry.seq, entry.time, acknowledged=acknowledged)


def _left(record: ProposalRecord, entry: Entry) -> ProposalRecord:
    found = fields_of(entry.body, "the body", ("proposal_id", "how"))
    if found["how"] not in _WAYS_OUT:
        raise malformed("a proposal left in an unknown way")
    return replace(record, has_left=True)


def _signed(record: ProposalRecord, entry: Entry, chain_time: int) -> ProposalRecord:
    found = fields_of(entry.body, "the body", ("proposal_id", "source", "signatures"))
    source = text_of(found["source"], "source")

    def read(value: JsonValue, _what: str) -> RecordedSignature:
        return _signature_of(value, source, entry, chain_time)

    added = list_of(read, found["signatures"], "signatures")
    known = {(one.input_index, one.public_key) for one in record.signatures}
    for one in added:
        if one.input_index >= len(record.proposal.inputs) or (one.input_index, one.public_key) in known:
            raise malformed("a signature is for no input of the proposal, or stands there twice")
        known.add((one.input_index, one.public_key))
    return replace(record, signatures=(*record.signatures, *added), has_left=True)


def _signature_of(value: JsonValue, source: str, entry: Entry, chain_time: int) -> RecordedSignature:
    found = fields_of(value, "a signature", ("input", "public_key", "signature"))
    return RecordedSignature(
        input_index=integer_of(found["input"], "input"),
        public_key=hex_of(found["public_key"], "public_key"),
        signature=hex_of(found["signature"], "signature"),
        source=source,
        time=entry.time,
        seq=entry.seq,
        chain_time=chain_time,
    )


def _acknowledged(record: ProposalRecord, entry: Entry) -> ProposalRecord:
    found = fields_of(entry.body, "the body", ("proposal_id", "step", "items"))
    text_of(found["step"], "step")
    items = frozenset(list_of(text_of, found["items"], "items"))
    return replace(record, acknowledged=record.acknowledged | items)


def _finalized(record: ProposalRecord, entry: Entry) -> ProposalRecord:
    found = fields_of(entry.body, "the body", ("proposal_id", "txid", "transaction"))
    final = Transaction.parse(hex_of(found["transaction"], "transaction"))
    if {final.txid, record.final_txid} != {found["txid"]} or stripped_txid(final) != record.proposal.unsigned_txid:
        raise malformed("a final transaction is not the proposal's")
    return replace(record, final=final)


def _broadcast(record: ProposalRecord, entry: Entry) -> ProposalRecord:
    found = fields_of(entry.body, "the body", ("proposal_id", "txid"))
    if record.final is None or record.final.txid != found["txid"]:
        raise malformed("a proposal was broadcast that was not finalized so")
    return replace(record, is_broadcast=True)


def _withdrawn(record: ProposalRecord, entry: Entry) -> ProposalRecord:
    optional_of(text_of, fields_of(entry.body, "the body", ("proposal_id", "reason"))["reason"], "reason")
    return replace(record, withdrawn=True)


def _rejected(record: ProposalRecord, entry: Entry) -> ProposalRecord:
    optional_of(text_of, fields_of(entry.body, "the body", ("proposal_id", "reason"))["reason"], "reason")
    return replace(record, rejected=True)


def _base64_of(value: JsonValue) -> bytes:
    try:
        return base64.b64decode(text_of(value, "psbt"), validate=True)
    except binascii.Error as error:
        raise _not_base64() from error


def _not_base64() -> InvalidInput:
    return malformed("psbt is not base64")


_STEPS = {
    LEFT: _left,
    ACKNOWLEDGED: _acknowledged,
    FINALIZED: _finalized,
    BROADCAST: _broadcast,
    WITHDRAWN: _withdrawn,
    REJECTED: _rejected,
}
