"""A proposal as every command shows it: one dictionary, the same keys everywhere (design, section 6)."""

from dataclasses import dataclass
from decimal import Decimal

from custody.audit.proposal_state import ON_CHAIN, ProposalState, state_of
from custody.audit.state import ProposalRecord, State
from custody.bitcoin.transaction import Transaction
from custody.errors import Finding, JsonValue
from custody.policy.decision import Decision, Effect, Gate, Reason
from custody.spend.device_fit import DeviceFit
from custody.spend.review_model import Review, ReviewLimits
from custody.vault.vault import Vault
from custody.workflow.decide import approvals_of, decision_on
from custody.workflow.proposal_access import collected_psbt, review_proposal


@dataclass(frozen=True, slots=True)
class ProposalView:
    """One proposal at one head of the journal, reviewed anew."""

    record: ProposalRecord
    state: ProposalState
    review: Review
    psbt_base64: str
    decision: Decision
    """What the policy says to the step that comes next."""
    approved_by: tuple[str, ...] = ()
    """Officers whose approvals hold now."""
    void_approvals: tuple[str, ...] = ()
    """Officers who approved and were revoked before a device had signed."""
    devices: tuple[DeviceFit, ...] | None = None
    """How it fits each signer's device, where that was asked."""

    @property
    def proposal_id(self) -> str:
        """Hash of the proposal's document."""
        return self.record.proposal_id

    @property
    def final(self) -> Transaction | None:
        """The finished transaction, from `finalize` on."""
        return self.record.final

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """All findings but notes."""
        return tuple(finding for finding in self.review.findings if str(finding.severity) != "note")

    @property
    def amount_to_confirm(self) -> int:
        """What a person types: the sum of external outputs; of all outputs for a move to ourselves."""
        return self.review.external_total or self.review.output_total

    def to_json(self) -> "dict[str, JsonValue | Decimal]":
        """Return the keys of the design, section 6, and a few more."""
        proposal = self.record.proposal
        reviewed = self.review.to_json()
        answer: dict[str, JsonValue | Decimal] = {
            "proposal_id": self.proposal_id,
            "state": str(self.state),
            "kind": str(proposal.kind),
            "unsigned_txid": proposal.unsigned_txid,
            "psbt": self.psbt_base64,
            "destinations": [{"address": one.address, "value_sats": one.value} for one in proposal.destinations],
            "change": [
                {"address": one.address, "value_sats": one.value, "index": one.index} for one in proposal.change
            ],
            "inputs": reviewed["inputs"],
            "fee_sats": proposal.fee,
            "fee_rate_sat_vb": reviewed["fee_rate_sat_vb"],
            "decision": self.decision.to_json(),
            "approved_by": [*self.approved_by],
            "void_approvals": [*self.void_approvals],
            "proposed_by": self.record.proposed_by,
            "policy_path": proposal.policy_path,
            "signing": self.review.signing.to_json(),
            "reason": proposal.reason,
            "expires": proposal.expires,
            "drafter": proposal.drafter,
            "replaces": proposal.replaces,
            "has_left": self.record.has_left,
            "acknowledged": [*sorted(self.record.acknowledged)],
            "confirm_sats": self.amount_to_confirm,
            "verdict": reviewed["verdict"],
            "findings": reviewed["findings"],
        }
        if self.devices is not None:
            answer["devices"] = [one.to_json() for one in self.devices]
        if self.final is not None:
            answer["txid"] = self.final.txid
            answer["transaction"] = self.final.serialize().hex()
        return answer


def view_proposal(
    state: State, vault: Vault, record: ProposalRecord, limits: ReviewLimits | None = None
) -> ProposalView:
    """Return the proposal with its state, reviewed anew with the signatures collected so far."""
    review = review_proposal(state, vault, record, limits or ReviewLimits())
    now, (approved_by, void) = state_of(state, record), approvals_of(state, vault, record)
    return ProposalView(
        record=record,
        state=now,
        review=review,
        psbt_base64=collected_psbt(record).to_base64(),
        decision=_decision(state, vault, record, now),
        approved_by=approved_by,
        void_approvals=void,
    )


def _decision(state: State, vault: Vault, record: ProposalRecord, now: ProposalState) -> Decision:
    """Return what the policy says to the step that comes next; what is in a block needs no decision any more."""
    if now in ON_CHAIN:
        return Decision((Reason("chain", Effect.PERMIT, "it is in a block: there is nothing left to decide"),))
    return decision_on(state, vault, record, _NEXT_GATE.get(now, Gate.SIGN))


_NEXT_GATE = {
    ProposalState.SIGNED: Gate.FINALIZE,
    ProposalState.FINALIZED: Gate.BROADCAST,
    ProposalState.BROADCAST: Gate.BROADCAST,
}
"""The step that comes next in a state; in every other it is signing."""
