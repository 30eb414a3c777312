"""Collect signatures: from a device here, or from files that came back. Only signatures are taken.

Before a device gets the PSBT it is reviewed again and the journal notes that it left. What
returns is matched by its unsigned transaction, each signature is verified against scripts
that the vault derives, and only then recorded. The bytes that were reviewed are the bytes
that the device gets: nothing is read twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from custody.audit.proposal_state import ON_CHAIN, ProposalState, state_of
from custody.audit.state import ProposalRecord, State
from custody.bitcoin.psbt import Psbt
from custody.bitcoin.psbt_roles import take_signatures
from custody.bitcoin.transaction import Transaction
from custody.codes import Code
from custody.errors import CheckFailed, Conflict, DeviceUnavailable, Finding, JsonValue
from custody.policy.decision import Gate, require_allowed
from custody.ports import SigningDevice
from custody.spend.psbt_builder import stripped_txid
from custody.spend.review_inputs import spend_scripts
from custody.spend.review_model import Review, ReviewLimits, require_clean
from custody.spend.review_places import VaultScripts
from custody.vault.vault import Vault
from custody.workflow.acknowledge import require_acknowledged
from custody.workflow.decide import decision_on
from custody.workflow.draft_proposal import left_event
from custody.workflow.office import Desk, Event
from custody.workflow.proposal_access import (
    collected_psbt,
    find_proposal,
    require_live,
    require_sole_holder,
    review_proposal,
)

_CLOSED = ON_CHAIN | {ProposalState.VOID, ProposalState.REPLACED}


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
    """Let a device sign, verify what it returns, and record the signatures.

    Raises:
        Conflict: PROPOSAL_STATE, PROPOSAL_EXPIRED. NotYet: ACK_MISSING, APPROVALS_MISSING.
        PolicyDenied: POLICY_DENIED. CheckFailed: the review refuses.
        DeviceUnavailable: DEVICE_REFUSED, DEVICE_NO_SIGNATURE.
    """
    record = find_proposal(desk.state, named)
    _require_cosigner(desk.vault, device)
    require_live(desk.state, record)
    require_sole_holder(desk.state, record)
    require_allowed(decision_on(desk.state, desk.vault, record, Gate.SIGN))
    reviewed = collected_psbt(record)
    checked = require_reviewed(desk.state, desk.vault, record, limits)
    items = require_acknowledged(checked.findings, given_acks, record.acknowledged)
    events = acknowledged_events(record, "sign", items)
    if not record.has_left:
        events.append(left_event(record.proposal_id, "sign"))
    desk.record(events)
    returned = Psbt.parse(device.sign(reviewed.serialize()))
    added = _add(desk, desk.state.proposals[record.proposal_id], returned, f"device {device.name}")
    if not _has_signed(desk, added.record, device):
        raise DeviceUnavailable(
            Code.DEVICE_NO_SIGNATURE,
            f"the device `{device.name}` returned no valid signature by its own key on every input",
            advice="Check that it is the right device and holds this vault's key, then sign again.",
        )
    return added


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
    now = state_of(desk.state, record)
    if now in _CLOSED:
        raise Conflict(
            Code.PROPOSAL_STATE,
            f"proposal `{record.proposal_id[:16]}` is {now}: it needs no signature",
            advice="Look at `custody status`; keep the file if you don't know where it came from.",
        )
    require_allowed(decision_on(desk.state, desk.vault, record, Gate.SIGN))
    return _add(desk, record, returned, source)


def match_returned(state: State, returned: Psbt | Transaction) -> ProposalRecord:
    """Return the proposal that a returned file is about, by its whole unsigned transaction.

    Raises:
        CheckFailed: DIFFERENT_TRANSACTION, with what differs from the proposal that shares a coin.
    """
    unsigned = returned.unsigned_transaction() if isinstance(returned, Psbt) else returned
    txid = stripped_txid(unsigned)
    for record in state.proposals.values():
        if record.proposal.unsigned_txid == txid:
            return record
    differences = _differences(state, unsigned)
    raise CheckFailed(
        Code.DIFFERENT_TRANSACTION,
        f"the file is about transaction `{txid}`, which is no proposal of this vault"
        + (f": {differences[0]}" if differences else ""),
        advice="Do not use it: find out how another payment came into its place.",
        details={"unsigned_txid": txid, "differences": [*differences]},
    )


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


def _add(desk: Desk, record: ProposalRecord, returned: Psbt | Transaction, source: str) -> Added:
    master = collected_psbt(record)
    answer = review_proposal(desk.state, desk.vault, record, ReviewLimits())
    scripts = spend_scripts(answer.inputs, VaultScripts.of(desk.vault))
    merged, notes = take_signatures(master, returned, scripts)
    known = {(one.input_index, one.public_key) for one in record.signatures}
    fresh: list[JsonValue] = [
        {"input": number, "public_key": one.public_key.hex(), "signature": one.signature.hex()}
        for number, psbt_input in enumerate(merged.inputs)
        for one in psbt_input.partial_signatures
        if (number, one.public_key) not in known
    ]
    if fresh:
        desk.record([("signatures_added", {"proposal_id": record.proposal_id, "source": source, "signatures": fresh})])
    return Added(desk.state.proposals[record.proposal_id], len(fresh), notes)


def _require_cosigner(vault: Vault, device: SigningDevice) -> None:
    if all(one.key.origin.fingerprint != device.fingerprint for one in vault.cosigners):
        raise DeviceUnavailable(
            Code.DEVICE_NO_SIGNATURE,
            f"the device `{device.name}` has fingerprint {device.fingerprint.hex()}, which no cosigner has",
            advice="Connect a device that holds one of this vault's keys.",
        )


def _has_signed(desk: Desk, record: ProposalRecord, device: SigningDevice) -> bool:
    names = {one.name for one in desk.vault.cosigners if one.key.origin.fingerprint == device.fingerprint}
    signing = review_proposal(desk.state, desk.vault, record, ReviewLimits()).signing
    return bool(names & set(signing.signed))


def _differences(state: State, unsigned: Transaction) -> list[str]:
    """Say in words how a transaction differs from the newest proposal that shares a coin with it."""
    spent = {one.outpoint for one in unsigned.inputs}
    rivals = [one for one in state.proposals.values() if spent & set(one.proposal.inputs)]
    if not rivals:
        return []
    wanted = rivals[-1].proposal.unsigned_transaction
    words: list[str] = []
    for name, got, expected in (
        ("version", unsigned.version, wanted.version),
        ("locktime", unsigned.locktime, wanted.locktime),
        ("number of inputs", len(unsigned.inputs), len(wanted.inputs)),
        ("number of outputs", len(unsigned.outputs), len(wanted.outputs)),
    ):
        if got != expected:
            words.append(f"{name} is {got}, the proposal has {expected}")
    for number, (mine, theirs) in enumerate(zip(wanted.inputs, unsigned.inputs, strict=False)):
        if mine.outpoint != theirs.outpoint:
            words.append(f"input {number} spends {theirs.outpoint}, the proposal {mine.outpoint}")
        elif mine.sequence != theirs.sequence:
            words.append(f"input {number} has sequence {theirs.sequence:#x}, the proposal {mine.sequence:#x}")
    for number, (ours, other) in enumerate(zip(wanted.outputs, unsigned.outputs, strict=False)):
        if ours.value != other.value:
            words.append(f"output {number} pays {other.value} sat, the proposal {ours.value} sat")
        if ours.script_pubkey != other.script_pubkey:
            words.append(f"output {number} pays another script than the proposal")
    return words
