"""Ask the policy again at every gate that a journal passed: with the facts that its entries had at that position.

The question is the one that the step itself asked (`decide.py`), on the state right before the entry. A draft and an
approval need only not to be forbidden; signing, finalizing and sending need everything that the policy asks for.
"""

from custody.audit.fold_proposals import BROADCAST, DRAFTED, FINALIZED, LEFT, SIGNED
from custody.audit.fold_statements import STATEMENT
from custody.audit.journal import Entry
from custody.audit.state import ProposalRecord, State
from custody.codes import Code
from custody.policy.decision import Gate
from custody.vault.vault import Vault
from custody.workflow.decide import decision_on

_GATES = {DRAFTED: Gate.DRAFT, SIGNED: Gate.SIGN, FINALIZED: Gate.FINALIZE, BROADCAST: Gate.BROADCAST}
_NEED_ALL = (Gate.SIGN, Gate.FINALIZE, Gate.BROADCAST)


def gate_of(entry: Entry) -> Gate | None:
    """Return the gate that an entry says was passed, None where it passes none."""
    if entry.kind == STATEMENT:
        return Gate.APPROVE if entry.body.get("statement") == "approve" else None
    if entry.kind == LEFT:
        # A draft hands its PSBT out by itself, and `export` copies it: no signature counts by that.
        return Gate.SIGN if entry.body.get("how") == "sign" else None
    return _GATES.get(entry.kind)


def gate_problem(state: State, vault: Vault, record: ProposalRecord, gate: Gate) -> tuple[Code, str] | None:
    """Return why a proposal could not rightly pass a gate on this state, None where it could.

    For a draft, `state` holds it already.
    """
    if state.governance.policy is None:
        if record.proposal.policy_digest is None:
            return None
        return Code.ENTRY_CONTRADICTED, "it names a policy, and none is in force at this entry"
    if gate is Gate.BROADCAST and record.final_txid in state.transactions:
        return None  # the chain had it already: nothing was decided any more
    decision = decision_on(state, vault, record, gate)
    passed = f"proposal {record.proposal_id[:16]} passed the gate `{gate}`"
    if decision.is_denied:
        words = "; ".join(reason.words for reason in decision.forbidding) or "no rule of the policy permits it"
        return Code.POLICY_DENIED, f"{passed}, and the policy in force forbids it: {words}"
    if gate in _NEED_ALL and decision.missing:
        words = "; ".join(one.what for one in decision.missing)
        return Code.APPROVALS_MISSING, f"{passed} without what the policy in force asks for: {words}"
    return None
