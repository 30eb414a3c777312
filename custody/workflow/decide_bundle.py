"""Ask the policy about the payment in a bundle: as an office does, from what a signer can verify, and claims.

A signer takes the stricter reading where an office believes its journal. No statement by a key that
the bundle shows revoked counts, and a change that waited is in force only once the pin settled it.
Signing began only where a cosigner's verified signature is in the PSBT and nothing was missing at the
moment that the bundle claims for it. A bump goes by its own smaller quorum only if the approvals of
what it replaces are in the bundle and suffice.
"""

from dataclasses import replace

from custody.audit.bundle import Bundle
from custody.audit.bundle_claims import StartClaim
from custody.audit.fold_bundle import FoldedBundle, drafter_of, history_of_bundle, request_of_bundle
from custody.audit.state import ProposalRecord
from custody.policy.decision import Decision, Effect, Gate, Reason
from custody.policy.evaluate import evaluate
from custody.policy.facts import History, SpendRequest
from custody.policy.model import SpendPolicy
from custody.spend.proposal import Proposal
from custody.spend.review_model import Review
from custody.workflow.time_zones import time_zone


def bundle_decision(bundle: Bundle, folded: FoldedBundle, review: Review) -> Decision:
    """Return what the policy in force says to signing the reviewed PSBT.

    Raises:
        InvalidInput: the policy names a time zone that doesn't exist.
    """
    policy = folded.governance.policy
    if policy is None:
        return _forbidden("governance", "the bundle holds no founding: no policy is in force by it")
    if bundle.proposal.policy_digest != policy.digest:
        words = f"people approved it under another policy than version {policy.version} of `{policy.name}`"
        return _forbidden("policy", f"{words}, which is in force")
    request = request_of_bundle(bundle, folded, review)
    if request is None:
        return _forbidden("amounts", "the amount of an input is not proven, so that nothing can be decided")
    request = replace(request, replaced_was_approved=_was_approved(policy, bundle, folded, request))
    history = history_of_bundle(bundle, folded, folded.record)
    start = bundle.claims.signing_start
    if start is not None and review.signing.signed:
        then = _history_then(history, folded.record, start)
        request = replace(request, signing_began=not _ask(policy, request, then, Gate.SIGN).missing)
    return _ask(policy, request, history, Gate.SIGN)


def _was_approved(policy: SpendPolicy, bundle: Bundle, folded: FoldedBundle, request: SpendRequest) -> bool:
    """Tell whether what is replaced pays the same payees and has its own approvals, itself a bump or not."""
    approved = False
    for number, record in enumerate(folded.replaced):
        replaced = record.proposal
        following = (*bundle.replaced, bundle.proposal)[number + 1]
        fee_before = bundle.replaced[number - 1].fee if number else None
        asked = replace(
            request,
            kind=replaced.kind,
            path=replaced.policy_path,
            fee=replaced.fee,
            drafter=drafter_of(folded.governance, record),
            replaced_fee=fee_before,
            replaced_was_approved=approved,
        )
        # At this gate people are asked for and times are not; what forbids has no say in who approved.
        missing = _ask(policy, asked, history_of_bundle(bundle, folded, record), Gate.FINALIZE).missing
        same_policy = replaced.policy_digest == bundle.proposal.policy_digest
        approved = same_policy and not missing and _payees(replaced) == _payees(following)
    return approved


def _history_then(history: History, record: ProposalRecord, start: StartClaim) -> History:
    """Return the history at the moment that is claimed for the first signature, with the approvals before it."""
    before = {one.officer for one in record.statements if one.kind == "approve" and one.seq < start.position}
    earlier = tuple(one for one in history.approvals if one.officer in before)
    return replace(history, now=start.time, approvals=earlier)


def _payees(proposal: Proposal) -> list[tuple[str, int]]:
    return sorted((one.address, one.value) for one in proposal.destinations)


def _ask(policy: SpendPolicy, request: SpendRequest, history: History, gate: Gate) -> Decision:
    return evaluate(policy, request, history, gate, zone=time_zone(policy.time_zone))


def _forbidden(rule: str, words: str) -> Decision:
    return Decision((Reason(rule, Effect.FORBID, words),))
