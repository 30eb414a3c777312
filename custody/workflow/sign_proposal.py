"""Collect signatures: from a device here, or from files that came back. Only signatures are taken.

Before a device gets the PSBT it is reviewed again and the journal notes that it left. What
returns is matched by its unsigned transaction, each signature is verified against scripts
that the vault derives, and only then recorded. The bytes that were reviewed are the bytes
that the device gets: nothing is read twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from custody.audit.nonces import nonce_findings
from custody.audit.state import ProposalRecord, State
from custody.bitcoin.psbt import Psbt
from custody.bitcoin.psbt_roles import take_signatures
from custody.bitcoin.transaction import Transaction
from custody.codes import Code
from custody.errors import DeviceUnavailable, Finding, InvalidInput, NotYet
from custody.policy.decision import Gate, require_allowed
from custody.ports import SigningDevice
from custody.spend.review_inputs import spend_scripts
from custody.spend.review_model import Review, ReviewLimits, require_clean
from custody.spend.review_places import VaultScripts
from custody.vault.cosigner import Cosigner
from custody.vault.vault import Vault
from custody.workflow.acknowledge import require_acknowledged
from custody.workflow.decide import decision_on
from custody.workflow.draft_proposal import left_event
from custody.workflow.judge_returned import Judged, judge_returned, require_open
from custody.workflow.match_returned import match_returned
from custody.workflow.office import Desk, Event
from custody.workflow.proposal_access import (
    collected_psbt,
    find_proposal,
    require_live,
    require_sole_holder,
    review_proposal,
)


@dataclass(frozen=True, slots=True)
class HandedOver:
    """A proposal that leaves to be signed by one cosigner's device."""

    proposal_id: str
    cosigner: Cosigner
    psbt: bytes
    """Version 0, with all signatures so far: the bytes that were reviewed, and what the device gets."""


@dataclass(frozen=True, slots=True)
class Added:
    """What one file or device brought."""

    record: ProposalRecord
    new_signatures: int
    """0 where every signature was known already: no error, and nothing was written."""
    notes: tuple[Finding, ...]


def sign_with_device(
    desk: Desk,
    device: SigningDevice,
    named: str | None,
    *,
    given_acks: Sequence[str],
    limits: ReviewLimits,
) -> Added:
    """Let a device sign while the desk is held, verify what it returns, and record the signatures.

    For devices that answer at once; one with a person before its screen is asked between `hand_over` and
    `take_back`, without the lock.

    Raises: as `hand_over` and `take_back`, and what the device raises.
    """
    handed = hand_over(desk, named, _cosigner_of(desk.vault, device), given_acks=given_acks, limits=limits)
    return take_back(desk, handed, device.sign(handed.psbt), device_name=device.name)


def require_ready_to_sign(state: State, vault: Vault, named: str | None) -> ProposalRecord:
    """Return the proposal if a device may be asked to sign it now: asked first, so that nobody fetches one in vain.

    Raises:
        Conflict: PROPOSAL_STATE, PROPOSAL_EXPIRED, COIN_RESERVED. NotYet: APPROVALS_MISSING.
        PolicyDenied: POLICY_DENIED.
    """
    record = find_proposal(state, named)
    require_live(state, record)
    require_sole_holder(state, record)
    require_allowed(decision_on(state, vault, record, Gate.SIGN))
    return record


def hand_over(
    desk: Desk,
    named: str | None,
    cosigner: Cosigner,
    *,
    given_acks: Sequence[str],
    limits: ReviewLimits,
    of_device: Sequence[Finding] = (),
) -> HandedOver:
    """Judge a proposal anew, record that it leaves, and return the very bytes that were judged.

    `of_device` are findings about the device itself; its warnings are acknowledged like those of the review.

    Raises:
        Conflict: PROPOSAL_STATE, PROPOSAL_EXPIRED, COIN_RESERVED. NotYet: ACK_MISSING, APPROVALS_MISSING.
        PolicyDenied: POLICY_DENIED. CheckFailed: the review refuses.
    """
    record = require_ready_to_sign(desk.state, desk.vault, named)
    reviewed = collected_psbt(record)
    checked = require_reviewed(desk.state, desk.vault, record, limits)
    items = require_acknowledged([*checked.findings, *of_device], given_acks, record.acknowledged)
    events = acknowledged_events(record, "sign", items)
    if not record.has_left:
        events.append(left_event(record.proposal_id, "sign"))
    desk.record(events)
    return HandedOver(record.proposal_id, cosigner, reviewed.serialize())


def take_back(desk: Desk, handed: HandedOver, returned: bytes, *, device_name: str) -> Added:
    """Judge what a device returned, demand its cosigner's signature on every input, and record those alone.

    Everything is judged again: other commands may have written meanwhile. Nothing is written unless all of it holds.

    Raises:
        DeviceUnavailable: DEVICE_ANSWER_INVALID, DEVICE_NO_SIGNATURE.
        CheckFailed: DIFFERENT_TRANSACTION, COMBINE_NON_SIGNATURE_CHANGE, or an invalid signature's code.
        NotYet: APPROVALS_MISSING. PolicyDenied: POLICY_DENIED. Conflict: PROPOSAL_STATE.
    """
    psbt = _read_answer(returned, device_name)
    record = desk.state.proposals[handed.proposal_id]
    if psbt.unsigned_txid != record.proposal.unsigned_txid:
        match_returned(desk.state, psbt, expected=record)
    require_open(desk.state, record)
    require_allowed(decision_on(desk.state, desk.vault, record, Gate.SIGN))
    try:
        judged = judge_returned(desk.state, desk.vault, record, psbt)
    except NotYet as nothing:
        raise _no_signature(handed.cosigner, device_name) from nothing
    keys = _keys_of(desk.vault, handed.cosigner, judged.review)
    # Taken into the bare draft: a signature that was known before is no answer of this device.
    scripts = spend_scripts(judged.review.inputs, VaultScripts.of(desk.vault))
    answered, _notes = take_signatures(record.psbt, psbt, scripts)
    by_device = [
        {one.public_key for one in psbt_input.partial_signatures} & {key}
        for psbt_input, key in zip(answered.inputs, keys, strict=True)
    ]
    if not all(by_device):
        raise _no_signature(handed.cosigner, device_name)
    return _record(desk, judged.only(frozenset(keys)), f"device {device_name}")


def add_returned(desk: Desk, returned: Psbt | Transaction, *, source: str) -> Added:
    """Take the signatures of a PSBT or transaction that was signed elsewhere.

    Under a policy a signature is taken only while the policy lets devices sign: one that comes without the
    approvals is refused, and whoever made it has something to explain.

    Raises:
        NotYet: APPROVALS_MISSING. PolicyDenied: POLICY_DENIED.
        CheckFailed: DIFFERENT_TRANSACTION, COMBINE_NON_SIGNATURE_CHANGE, or an invalid signature's code.
        NotYet: NO_SIGNATURES. Conflict: PROPOSAL_STATE.
    """
    record = match_returned(desk.state, returned)
    require_open(desk.state, record)
    require_allowed(decision_on(desk.state, desk.vault, record, Gate.SIGN))
    return _record(desk, judge_returned(desk.state, desk.vault, record, returned), source)


def require_reviewed(state: State, vault: Vault, record: ProposalRecord, limits: ReviewLimits) -> Review:
    """Review the collected PSBT with both engines and demand that nothing refuses.

    Raises:
        CheckFailed: the first refusing finding's code.
    """
    answer = review_proposal(state, vault, record, limits)
    require_clean(answer)
    return answer


def acknowledged_events(record: ProposalRecord, step: str, items: Sequence[str]) -> list[Event]:
    """Return the event that records new acknowledgements, if there are any."""
    if not items:
        return []
    return [("warnings_acknowledged", {"proposal_id": record.proposal_id, "step": step, "items": [*items]})]


def _record(desk: Desk, judged: Judged, source: str) -> Added:
    if judged.fresh:
        desk.record([judged.event(source)])
    notes = (*judged.notes, *nonce_findings(desk.state, desk.vault))
    return Added(desk.state.proposals[judged.proposal_id], len(judged.fresh), notes)


def _cosigner_of(vault: Vault, device: SigningDevice) -> Cosigner:
    found = [one for one in vault.cosigners if one.fingerprint == device.fingerprint]
    if not found:
        raise DeviceUnavailable(
            Code.DEVICE_NO_SIGNATURE,
            f"the device `{device.name}` has fingerprint {device.fingerprint.hex()}, which no cosigner has",
            advice="Connect a device that holds one of this vault's keys.",
        )
    return found[0]


def _keys_of(vault: Vault, cosigner: Cosigner, answer: Review) -> list[bytes]:
    """Return the cosigner's public key in each input; every input of a reviewed proposal is ours."""
    position = vault.cosigners.index(cosigner)
    places = [one.place for one in answer.inputs if one.place is not None]
    return [vault.deriver.at(place.branch, place.index).key_by_cosigner[position] for place in places]


def _read_answer(returned: bytes, device_name: str) -> Psbt:
    try:
        return Psbt.parse(returned)
    except InvalidInput as unreadable:
        raise DeviceUnavailable(
            Code.DEVICE_ANSWER_INVALID,
            f"what the device `{device_name}` returned is no valid PSBT: {unreadable.message}",
            advice="Nothing was recorded. Try again; if it happens again, sign by file or QR code.",
        ) from unreadable


def _no_signature(cosigner: Cosigner, device_name: str) -> DeviceUnavailable:
    return DeviceUnavailable(
        Code.DEVICE_NO_SIGNATURE,
        f"the device `{device_name}` returned no valid signature by the key of `{cosigner.name}` on every input",
        advice="Nothing was recorded. Check that it is the right device and that the vault is registered on it, "
        "then sign again.",
    )
