"""Ask the adopted policy about a proposal: the same question at every step, from the journal's head.

No answer is kept or carried from one step to the next. Without an adopted policy a decision is
allowed and says so (design, section 7).
"""

from dataclasses import replace

from custody.audit.chain_view import Outflow, outflows
from custody.audit.governance import GovernanceState
from custody.audit.proposal_state import replacement_chain
from custody.audit.signing_start import SigningStart, signing_start
from custody.audit.spend_facts import history_of, request_of, statements_before, statements_in_force
from custody.audit.state import ProposalRecord, SignedStatement, State
from custody.codes import Code
from custody.policy.decision import Decision, Effect, Gate, Reason
from custody.policy.evaluate import evaluate
from custody.policy.facts import History, SpendRequest
from custody.policy.model import SpendPolicy
from custody.spend.proposal import ProposalKind
from custody.vault.vault import Vault
from custody.workflow.governance import time_ahead
from custody.workflow.time_zones import time_zone

NO_POLICY = str(Code.NO_POLICY_ADOPTED)
"""The reason that every decision names until a policy is adopted."""

WITHOUT_POLICY = Decision((Reason("governance", Effect.PERMIT, NO_POLICY),))


def decision_on(state: State, vault: Vault, record: ProposalRecord, gate: Gate) -> Decision:
    """Return what the policy in force says to the proposal at `gate`, at this head of the journal."""
    policy = state.governance.policy
    if policy is None:
        return WITHOUT_POLICY
    if record.proposal.policy_digest != policy.digest:
        return Decision((_outdated(state.governance, record),))
    behind = () if state.tip is None else time_ahead(state.governance, state.tip.median_time_past)
    if behind:
        return Decision((Reason("chain.time", Effect.FORBID, behind[0]),))
    start = start_that_counts(state, vault, record)
    statements = statements_in_force(state.governance, record, start)
    request = replace(_request(state, vault, record, statements), signing_began=start is not None)
    return _asked(policy, request, history_of(state, record, statements), gate)


def start_that_counts(state: State, vault: Vault, record: ProposalRecord) -> SigningStart | None:
    """Return when devices began to sign the proposal, if nothing was missing then: approvals, waiting time, hours.

    A signature that came before began nothing: what was missing then is still asked for, and a revocation still
    takes an approval away. Else whoever holds one device could end a waiting time by signing early.
    """
    policy, start = state.governance.policies.get(record.proposal.policy_digest or ""), signing_start(vault, record)
    if policy is None or start is None:
        return None
    then = statements_before(state.governance, record, start.seq)
    history = replace(history_of(state, record, then), now=start.time)
    return None if _asked(policy, _request(state, vault, record, then), history, Gate.SIGN).missing else start


def approvals_of(state: State, vault: Vault, record: ProposalRecord) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the officers whose approvals hold now, and those whose approvals a revocation took away."""
    holding = statements_in_force(state.governance, record, start_that_counts(state, vault, record))
    given = [one for one in record.statements if one.kind == "approve"]
    return (
        tuple(one.officer for one in given if one in holding),
        tuple(one.officer for one in given if one not in holding),
    )


def unapproved_outflows(state: State, vault: Vault) -> tuple[Outflow, ...]:
    """Return the outflows by proposals that were drafted under a policy and never had what it asks for.

    A draft explains nothing by itself: whoever can append could write one for a transaction that m devices
    signed without anybody's approval.
    """
    founded = state.governance.founded_seq
    if founded is None:
        return ()
    return tuple(
        outflow
        for outflow in outflows(state)
        if outflow.proposal_id is not None
        and not outflow.is_accepted
        and state.proposals[outflow.proposal_id].drafted_seq > founded
        and not _had_approvals(state, vault, state.proposals[outflow.proposal_id])
    )


def _had_approvals(state: State, vault: Vault, record: ProposalRecord) -> bool:
    policy = state.governance.policies.get(record.proposal.policy_digest or "")
    if policy is None:
        return False
    if start_that_counts(state, vault, record) is not None:
        return True
    statements = statements_in_force(state.governance, record, None)
    history = history_of(state, record, statements)
    return not _asked(policy, _request(state, vault, record, statements), history, Gate.FINALIZE).missing


def _request(
    state: State, vault: Vault, record: ProposalRecord, statements: tuple[SignedStatement, ...]
) -> SpendRequest:
    request = request_of(state, vault, record, statements)
    if record.proposal.kind is not ProposalKind.BUMP:
        return request
    return replace(request, replaced_was_approved=_was_approved(state, vault, record))


def _was_approved(state: State, vault: Vault, bump: ProposalRecord) -> bool:
    """Tell whether what a bump replaces was signed by devices under its own approvals, by the same policy.

    That it pays the same payees from a coin of it was checked when it was folded.
    """
    replaced = replacement_chain(state, bump)[-2]
    same_policy = replaced.proposal.policy_digest == bump.proposal.policy_digest
    return same_policy and start_that_counts(state, vault, replaced) is not None


def _asked(policy: SpendPolicy, request: SpendRequest, history: History, gate: Gate) -> Decision:
    return evaluate(policy, request, history, gate, zone=time_zone(policy.time_zone))


def _outdated(gov: GovernanceState, record: ProposalRecord) -> Reason:
    drafted = record.proposal.policy_digest
    version = "" if gov.policy is None else f", now version {gov.policy.version} of `{gov.policy.name}` is"
    before = "before any policy was adopted" if drafted is None else "under a policy that is in force no more"
    return Reason("policy", Effect.FORBID, f"it was drafted {before}{version}: draft it again")
