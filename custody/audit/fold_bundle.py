"""Fold a bundle as the journal's fold would, and say what the policy is asked: from its bytes, and claims.

Governance starts from nothing: every statement since the founding is verified again under the rule
before it, by the code that folds a journal. The payment is taken from a review of the PSBT, never
from the proposal's words. Since the order of a bundle's entries is a claim, no statement by a key
that the bundle shows revoked counts, wherever the revocation stands. Since their times are claims,
a change that had to wait is in force only as far as the signer's pin has settled it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from custody.audit.bundle import Bundle
from custody.audit.change_rules import officer_facts
from custody.audit.fold_governance import VaultFacts, advance, apply_governance
from custody.audit.fold_statements import STATEMENT, apply_statement
from custody.audit.governance import ChangeRecord, ChangeStatus, Disregarded, GovernanceState
from custody.audit.journal import Entry
from custody.audit.spend_facts import statements_in_force
from custody.audit.state import ProposalRecord, SignedStatement
from custody.audit.waited_changes import waited_changes
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
    as_claimed: "FoldedBundle | None" = None
    """The same by the bundle's own times, where a change counts there that waits on in `governance`."""

    @property
    def claimed(self) -> "FoldedBundle":
        """What the bundle brings about if all its times are true: to see what is signed, never to decide."""
        return self if self.as_claimed is None else self.as_claimed

    @property
    def statements(self) -> tuple[SignedStatement, ...]:
        """The statements about the proposal that hold now."""
        return statements_in_force(self.governance, self.record, None)

    @property
    def unsettled(self) -> tuple[ChangeRecord, ...]:
        """The changes that only the bundle's times bring into force."""
        ours = self.governance.changes
        in_force = {change_id for change_id, one in ours.items() if one.status is ChangeStatus.IN_FORCE}
        return tuple(
            one
            for one in waited_changes(self.claimed.governance)
            if one.status is ChangeStatus.IN_FORCE and one.change.change_id not in in_force
        )


def fold_bundle(bundle: Bundle, *, settled: int | None = None) -> FoldedBundle:
    """Fold every entry from nothing.

    Changes that had to wait and have a higher number than `settled` wait on; without it the
    bundle's times are believed.

    Raises:
        InvalidInput: a body of a wrong shape.
    """
    claimed = _fold(bundle, None)
    if settled is None or all(one.change.number <= settled for one in waited_changes(claimed.governance)):
        return claimed
    return replace(_fold(bundle, settled), as_claimed=claimed)


def _fold(bundle: Bundle, settled: int | None) -> FoldedBundle:
    facts = VaultFacts.of(bundle.vault)
    governance = GovernanceState()
    chain = {one.proposal_id: _bare_record(one) for one in (*bundle.replaced, bundle.proposal)}
    refused: list[Disregarded] = []
    last = 0
    for timed in bundle.entries:
        entry, last = timed.entry, timed.entry.seq
        governance = advance(governance, timed.time, last, settled=settled)
        if entry.kind != STATEMENT:
            governance = apply_governance(governance, entry, facts)
            continue
        answer = _with_statement(chain, entry, governance, facts)
        if isinstance(answer, ProposalRecord):
            chain[answer.proposal_id] = answer
        else:
            refused.append(Disregarded(last, answer))
    governance = advance(governance, bundle.claims.time, last, settled=settled)
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
        drafter=drafter_of(folded.governance, folded.record),
        group=_group(bundle),
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
        approvals=tuple(
            ApprovalFact(one.officer, one.roles, one.time)
            for one in statements_in_force(gov, record, None)
            if one.kind == "approve"
        ),
        spends=bundle.claims.spends,
        outflows=bundle.claims.outflows,
        suspended_by=gov.suspended_by,
    )


def drafter_of(gov: GovernanceState, record: ProposalRecord) -> str | None:
    """Return who drafted and signed it, None where nobody did or that key was revoked."""
    return next((one.officer for one in statements_in_force(gov, record, None) if one.kind == "propose"), None)


def _group(bundle: Bundle) -> str:
    """Name the set of proposals of which at most one can confirm: all of the chain must spend one coin."""
    common = set(bundle.proposal.inputs).intersection(*(one.inputs for one in bundle.replaced))
    return (*bundle.replaced, bundle.proposal)[0].proposal_id if common else bundle.proposal.proposal_id


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
