"""Judge what came back signed, from a file or a device: which of its signatures count and are new."""

from dataclasses import dataclass, replace

from custody.audit.proposal_state import ON_CHAIN, ProposalState, state_of
from custody.audit.state import ProposalRecord, State
from custody.bitcoin.psbt import PartialSignature, Psbt
from custody.bitcoin.psbt_roles import take_signatures
from custody.bitcoin.transaction import Transaction
from custody.codes import Code
from custody.errors import Conflict, Finding, JsonValue
from custody.spend.review_inputs import spend_scripts
from custody.spend.review_model import Review, ReviewLimits
from custody.spend.review_places import VaultScripts
from custody.vault.vault import Vault
from custody.workflow.office import Event
from custody.workflow.proposal_access import collected_psbt, review_proposal

_CLOSED = ON_CHAIN | {ProposalState.VOID, ProposalState.REPLACED}


@dataclass(frozen=True, slots=True)
class Judged:
    """The verified signatures of one returned file."""

    proposal_id: str
    fresh: tuple[tuple[int, PartialSignature], ...]
    """Input and signature, of those that the journal doesn't know yet."""
    signers: tuple[str, ...]
    """Cosigners of whom `fresh` holds a signature on any input, in the vault's order."""
    notes: tuple[Finding, ...]
    merged: Psbt
    """The proposal's PSBT with the signatures collected before and those of the file."""
    review: Review
    """Of the proposal before."""

    def only(self, keys: frozenset[bytes]) -> "Judged":
        """Return the same without the fresh signatures of other keys."""
        return replace(self, fresh=tuple(each for each in self.fresh if each[1].public_key in keys))

    def event(self, source: str) -> Event:
        """Return the event that records the fresh signatures."""
        fresh: list[JsonValue] = [
            {"input": number, "public_key": one.public_key.hex(), "signature": one.signature.hex()}
            for number, one in self.fresh
        ]
        return "signatures_added", {"proposal_id": self.proposal_id, "source": source, "signatures": fresh}


def judge_returned(state: State, vault: Vault, record: ProposalRecord, returned: Psbt | Transaction) -> Judged:
    """Verify the signatures of a returned file against the proposal; nothing is recorded.

    Raises:
        CheckFailed: DIFFERENT_TRANSACTION, COMBINE_NON_SIGNATURE_CHANGE, or an invalid signature's code.
        NotYet: NO_SIGNATURES.
    """
    answer = review_proposal(state, vault, record, ReviewLimits())
    derived = VaultScripts.of(vault)
    merged, notes = take_signatures(collected_psbt(record), returned, spend_scripts(answer.inputs, derived))
    known = {(one.input_index, one.public_key) for one in record.signatures}
    fresh = tuple(
        (number, one)
        for number, psbt_input in enumerate(merged.inputs)
        for one in psbt_input.partial_signatures
        if (number, one.public_key) not in known
    )
    keys = {
        key: cosigner.name
        for one in answer.inputs
        if one.place is not None
        for cosigner, key in zip(vault.cosigners, derived.at(one.place).key_by_cosigner, strict=True)
    }
    signed = {keys[one.public_key] for _number, one in fresh}
    signers = tuple(one.name for one in vault.cosigners if one.name in signed)
    return Judged(record.proposal_id, fresh, signers, notes, merged, answer)


def require_open(state: State, record: ProposalRecord) -> None:
    """Demand that signatures can still do something for the proposal.

    Raises:
        Conflict: PROPOSAL_STATE.
    """
    now = state_of(state, record)
    if now in _CLOSED:
        raise Conflict(
            Code.PROPOSAL_STATE,
            f"proposal `{record.proposal_id[:16]}` is {now}: it needs no signature",
            advice="Look at `custody status`; keep the file if you don't know where it came from.",
        )
