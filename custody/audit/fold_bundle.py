"""Fold a bundle as the journal's fold would, and say what the policy is asked: from its bytes, and claims.

Governance starts from nothing: every statement since the founding is verified again under the rule
before it, by the code that folds a journal. The payment is taken from a review of the PSBT, never
from the proposal's words. Since the order of a bundle's entries is a claim, an approval by a key
that the bundle shows revoked never counts, wherever the revocation stands.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from custody.audit.bundle import Bundle
from custody.audit.change_rules import officer_facts
from custody.audit.fold_governance import VaultFacts, advance, apply_governance
from custody.audit.fold_statements import STATEMENT, apply_statement
from custody.audit.governance import Disregarded, GovernanceState
from custody.audit.journal import Entry
from custody.audit.spend_facts import approvals_in_force
from custody.audit.state import ProposalRecord
from custody.bitcoin.amount import Sats
from custody.bitcoin.network import Network
from custody.bitcoin.psbt import Psbt
from custody.policy.facts import ApprovalFact, History, InputFact, OwnOutputFact, PayeeFact, SpendRequest
from custody.spend.document import text_of
from custody.spend.expiry import parse_time
from custody.spend.proposal import Proposal
from custody.spend.review_model import Review, ReviewOutput

_FINAL_SEQUENCE = 0xFFFFFFFE
"""A sequence below this one signals replacement (BIP 125)."""


@dataclass(frozen=True, slots=True)
class FoldedBundle:
    """What a bundle's signatures bring about."""

    governance: GovernanceState
    record: ProposalRecord
    """The proposal with the statements that counted at their own positions."""
    replaced: tuple[ProposalRecord, ...]
    """What it replaces, oldest first, likewise."""
    refused: tuple[Disregarded, ...]
    """Statements about the proposal that count for nothing; those of governance are in its state."""


def fold_bundle(bundle: Bundle, *, now: int) -> FoldedBundle:
    """Fold every entry from nothing; `now` is Unix seconds that the chain has reached at least.

    Raises:
        InvalidInput: a body of a wrong shape.
    """
    facts = VaultFacts.of(bundle.vault)
    governance = GovernanceState()
    chain = {one.proposal_id: _bare_record(one) for one in (*bundle.replaced, bundle.proposal)}
    refused: list[Disregarded] = []
    last = 0
    for timed in bundle.entries:
        entry, last = timed.entry, timed.entry.seq
        governance = advance(governance, timed.time, last)
        if entry.kind != STATEMENT:
            governance = apply_governance(governance, entry, facts)
            continue
        answer = _with_statement(chain, entry, governance, facts)
        if isinstance(answer, ProposalRecord):
            chain[answer.proposal_id] = answer
        else:
            refused.append(Disregarded(last, answer))
    governance = advance(governance, max(now, bundle.claims.time), last)
    *replaced, record = chain.values()
    return FoldedBundle(governance, record, tuple(replaced), tuple(refused))


def request_of_bundle(bundle: Bundle, folded: FoldedBundle, review: Review) -> SpendRequest | None:
    """Return what the policy is asked about the reviewed PSBT; None where an input's amount is not proven.

    What the claims lack is taken at its worst: no confirmation, an address used before. Whether signing
    began, or a bump replaces what was approved, is the caller's to say.
    """
    fee = review.fee
    if fee is None or fee < 0:
        return None
    proposal = bundle.proposal
    return SpendRequest(
        kind=proposal.kind,
        path=proposal.policy_path,
        payees=tuple(_payee(one, folded.governance, review.network) for one in review.outputs if one.place is None),
        own_outputs=_own_outputs(bundle, review),
        inputs=_inputs(bundle, review),
        fee=Sats(fee),
        vsize=review.vsize,
        locktime=bundle.psbt.locktime,
        signals_replacement=all(one.sequence < _FINAL_SEQUENCE for one in bundle.psbt.inputs),
        expires=parse_time(proposal.expires),
        drafter=folded.record.proposed_by,
        group=(*bundle.replaced, proposal)[0].proposal_id,
        replaced_fee=bundle.replaced[-1].fee if bundle.replaced else None,
    )


def history_of_bundle(bundle: Bundle, folded: FoldedBundle, record: ProposalRecord) -> History:
    """Return what else the policy is told: people by their signatures, other payments by the bundle's word.

    The approvals are those of `record`, which is the proposal or one that it replaces.
    """
    gov = folded.governance
    return History(
        now=gov.time,
        tip_height=bundle.claims.height,
        officers=officer_facts(gov.officers),
        approvals=tuple(ApprovalFact(one.officer, one.roles, one.time) for one in approvals_in_force(gov, record)),
        spends=bundle.claims.spends,
        outflows=bundle.claims.outflows,
        suspended_by=gov.suspended_by,
    )


def _bare_record(proposal: Proposal) -> ProposalRecord:
    return ProposalRecord(proposal, Psbt.create(proposal.unsigned_transaction), 0, "")


def _with_statement(
    chain: Mapping[str, ProposalRecord], entry: Entry, governance: GovernanceState, facts: VaultFacts
) -> ProposalRecord | str:
    record = chain.get(text_of(entry.body.get("proposal_id"), "proposal_id"))
    if record is None:
        return "it is about another proposal"
    return apply_statement(record, entry, governance, facts)


def _payee(output: ReviewOutput, gov: GovernanceState, network: Network) -> PayeeFact:
    if output.address is None:
        return PayeeFact(f"script {output.script_pubkey.hex()[:80]}", output.value)
    covering = [one for one in gov.allowlist.values() if one.entry.covers(output.address, network)]
    if not covering:
        return PayeeFact(output.address, output.value)
    first = min(covering, key=lambda one: (one.usable_from, one.entry.name))
    return PayeeFact(output.address, output.value, first.entry.name, first.usable_from)


def _own_outputs(bundle: Bundle, review: Review) -> tuple[OwnOutputFact, ...]:
    claims = {one.address: one for one in bundle.claims.own_addresses}
    own = [(one.address or "", one.value) for one in review.outputs if one.place is not None]
    facts = []
    for address, value in own:
        claim = claims.get(address)
        paid = Sats(sum(other for there, other in own if there == address))
        facts.append(
            OwnOutputFact(
                address,
                value,
                was_used=claim is None or claim.was_used,
                balance_after=paid if claim is None else max(paid, claim.balance_after),
            )
        )
    return tuple(facts)


def _inputs(bundle: Bundle, review: Review) -> tuple[InputFact, ...]:
    claims = {one.outpoint: one for one in bundle.claims.coins}
    facts = []
    for one in review.inputs:
        claim = claims.get(one.outpoint)
        fact = InputFact(str(one.outpoint), one.value or Sats(0), confirmations=0, label=None, is_frozen=False)
        if claim is not None:
            fact = replace(fact, confirmations=claim.confirmations, label=claim.label, is_frozen=claim.is_frozen)
        facts.append(fact)
    return tuple(facts)
