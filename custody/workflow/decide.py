"""Ask the adopted policy about a proposal: the same question at every step, from the journal's head.

No answer is kept or carried from one step to the next. Without an adopted policy a decision is
allowed and says so (design, section 7).
"""

from custody.audit.governance import GovernanceState
from custody.audit.spend_facts import history_of, request_of
from custody.audit.state import ProposalRecord, State
from custody.codes import Code
from custody.policy.decision import Decision, Effect, Gate, Reason
from custody.policy.evaluate import evaluate
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
    request, history = request_of(state, vault, record), history_of(state, record)
    return evaluate(policy, request, history, gate, zone=time_zone(policy.time_zone))


def _outdated(gov: GovernanceState, record: ProposalRecord) -> Reason:
    drafted = record.proposal.policy_digest
    version = "" if gov.policy is None else f", now version {gov.policy.version} of `{gov.policy.name}` is"
    before = "before any policy was adopted" if drafted is None else "under a policy that is in force no more"
    return Reason("policy", Effect.FORBID, f"it was drafted {before}{version}: draft it again")
