"""Fold the entries of attested receive addresses: terms written down, officers' signatures, proofs.

What claims authority and has none is disregarded and listed, as everywhere; a body of a wrong
shape is an alteration.
"""

from dataclasses import replace

from custody.audit.fold_governance import disregard
from custody.audit.governance import GovernanceState
from custody.audit.journal import Entry
from custody.audit.receives import ReceiveRecord, ReceiveSignature, signer_problem, terms_problem
from custody.audit.state_builder import StateBuilder
from custody.errors import CustodyError, JsonValue
from custody.people.approval import require_signed
from custody.people.receive import ReceiveTerms
from custody.people.receive_document import check_proof_text
from custody.spend.document import fields_of, hash_of, text_of

DRAFTED = "receive_drafted"
SIGNED = "receive_signed"
PROVED = "receive_proved"
RECEIVE_KINDS = frozenset({DRAFTED, SIGNED, PROVED})


def apply_receive_event(state: StateBuilder, entry: Entry) -> None:
    """Apply one entry of `RECEIVE_KINDS`.

    Raises:
        InvalidInput: a body of a wrong shape.
    """
    if entry.kind == DRAFTED:
        _apply_draft(state, entry)
        return
    receive_id = hash_of(entry.body.get("receive_id"), "receive_id")
    proof = _proof_of(entry.body) if entry.kind == PROVED else None
    signed = _signed_of(entry.body) if entry.kind == SIGNED else ("", "")
    record = state.receives.get(receive_id)
    if record is None:
        state.governance = disregard(state.governance, entry, "it is about no attestation that counts")
    elif proof is not None:
        _apply_proof(state, entry, record, proof)
    else:
        _apply_signature(state, entry, record, *signed)


def _apply_draft(state: StateBuilder, entry: Entry) -> None:
    terms = ReceiveTerms.from_document(fields_of(entry.body, "the body", ("terms",))["terms"])
    handed_out = state.issued.get(terms.index)
    address = None if handed_out is None else handed_out.address
    problem = terms_problem(terms, state.governance, state.vault, address)
    if terms.receive_id in state.receives:
        problem = "it was written down before"
    if problem is not None:
        state.governance = disregard(state.governance, entry, problem)
        return
    state.receives[terms.receive_id] = ReceiveRecord(terms, entry.seq)


def _apply_signature(state: StateBuilder, entry: Entry, record: ReceiveRecord, name: str, signature: str) -> None:
    problem = _signature_problem(record, state.governance, name, signature)
    if problem is not None:
        state.governance = disregard(state.governance, entry, problem)
        return
    blob = state.governance.officers[name].key.blob
    one = ReceiveSignature(name, blob, signature, entry.seq)
    state.receives[record.terms.receive_id] = replace(record, signatures=(*record.signatures, one))


def _apply_proof(state: StateBuilder, entry: Entry, record: ReceiveRecord, proof: str) -> None:
    from custody.people.receive_proof import verify_proof  # few journals hold a proof: others don't wait for BIP 322

    result = verify_proof(record.terms, proof)
    if not result.is_valid:
        problem = f"the proof is {result.verdict} for this address and statement: {result.reason}"
        state.governance = disregard(state.governance, entry, problem)
        return
    state.receives[record.terms.receive_id] = replace(record, proof=proof)


def _signature_problem(record: ReceiveRecord, gov: GovernanceState, name: str, signature: str) -> str | None:
    problem = signer_problem(record, gov, name)
    if problem is not None:
        return problem
    try:
        require_signed(signature, record.terms.statement, gov.officers[name])
    except CustodyError as error:
        return error.message
    return None


def _signed_of(body: dict[str, JsonValue]) -> tuple[str, str]:
    found = fields_of(body, "the body", ("receive_id", "officer", "signature"))
    return text_of(found["officer"], "officer"), text_of(found["signature"], "signature")


def _proof_of(body: dict[str, JsonValue]) -> str:
    return check_proof_text(text_of(fields_of(body, "the body", ("receive_id", "proof"))["proof"], "proof"))
