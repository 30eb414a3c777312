"""Ask the adopted policy about a proposal: the same question at every step, from the journal's head.

No answer is kept or carried from one step to the next. Without an adopted policy a decision is
allowed and says so (design, section 7).
"""

from dataclasses import replace

from custody.audit.governance import GovernanceState
from custody.audit.signing_start import SigningStart, signing_start
from custody.audit.spend_facts import history_of, request_of
from custody.audit.state import ProposalRecord, State
from custody.codes import Code
from custody.policy.decision import Decision, Effect, Gate, Reason
from custody.policy.evaluate import evaluate
from custody.policy.facts import History
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
    start = signing_start(vault, record)
    request, history = request_of(state, vault, record), history_of(state, record, start)
    zone = time_zone(policy.time_zone)
    if start is not None:
        then = _history_then(history, record, start)
        began = not evaluate(policy, request, then, Gate.SIGN, zone=zone).missing
        request = replace(request, signing_began=began)
    return evaluate(policy, request, history, gate, zone=zone)


def _history_then(history: History, record: ProposalRecord, start: SigningStart) -> History:
    """Return the history as it was when the first device signed: its time, and the approvals before it.

    Where approvals, waiting time or hours were missing then, that signature began nothing: they are
    still asked for. Else one holder of a device could end a waiting time by signing early.
    """
    before = {one.officer for one in record.statements if one.kind == "approve" and one.seq < start.seq}
    earlier = tuple(one for one in history.approvals if one.officer in before)
    return replace(history, now=start.time, approvals=earlier)


def _outdated(gov: GovernanceState, record: ProposalRecord) -> Reason:
    drafted = record.proposal.policy_digest
    version = "" if gov.policy is None else f", now version {gov.policy.version} of `{gov.policy.name}` is"
    before = "before any policy was adopted" if drafted is None else "under a policy that is in force no more"
    return Reason("policy", Effect.FORBID, f"it was drafted {before}{version}: draft it again")
