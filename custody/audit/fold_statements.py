"""Fold the signed statements about a proposal: its drafter's propose, and people's approvals.

Each counts only if, at its own position, its officer was in force, it was over the statement
built again here, and named the policy in force and a governance statement of this chain. What
doesn't count is disregarded with its reason; nothing is counted twice for one person or key.
"""

from dataclasses import replace

from custody.audit.fold_governance import VaultFacts
from custody.audit.governance import GovernanceState
from custody.audit.journal import Entry
from custody.audit.state import ProposalRecord, SignedStatement
from custody.errors import CustodyError
from custody.people.approval import require_signed
from custody.people.officer import DRAFTER
from custody.people.statement import GovernanceRef, StatementKind, proposal_statement
from custody.spend.document import fields_of, hash_of, integer_of, malformed, text_of
from custody.spend.expiry import is_expired

STATEMENT = "proposal_statement"

_KINDS = {str(StatementKind.PROPOSE): StatementKind.PROPOSE, str(StatementKind.APPROVE): StatementKind.APPROVE}


def apply_statement(
    record: ProposalRecord, entry: Entry, gov: GovernanceState, vault: VaultFacts
) -> ProposalRecord | str:
    """Return the proposal with the statement, or why the entry counts for nothing.

    Raises:
        InvalidInput: a body of a wrong shape.
    """
    body = fields_of(entry.body, "the body", ("proposal_id", "statement", "officer", "governance", "signature"))
    kind = _KINDS.get(text_of(body["statement"], "statement"))
    if kind is None:
        raise malformed("a statement about a proposal is neither propose nor approve")
    named = fields_of(body["governance"], "governance", ("number", "digest"))
    ref = GovernanceRef(integer_of(named["number"], "number"), hash_of(named["digest"], "digest"))
    name, signature = text_of(body["officer"], "officer"), text_of(body["signature"], "signature")
    problem = statement_problem(record, kind, name, ref, gov)
    if problem is not None:
        return problem
    officer = gov.officers[name]
    statement = proposal_statement(kind, record.proposal, vault_name=vault.name, governance=ref)
    try:
        require_signed(signature, statement, officer)
    except CustodyError as error:
        return error.message
    signed = SignedStatement(str(kind), name, officer.roles, officer.key.blob, ref, signature, entry.seq, gov.time)
    return replace(record, statements=(*record.statements, signed))


def statement_problem(
    record: ProposalRecord, kind: StatementKind, name: str, ref: GovernanceRef, gov: GovernanceState
) -> str | None:
    """Return why `name` can't sign such a statement about the proposal now, None if they can."""
    officer = gov.officers.get(name)
    if officer is None or gov.policy is None:
        return f"`{name}` is no officer in force"
    if not gov.knows(ref):
        return f"it names governance statement {ref.number}, which is not one of this vault's"
    if record.proposal.policy_digest != gov.policy.digest:
        return "the proposal was drafted under another policy"
    if is_expired(record.proposal.expires, gov.time):
        return f"the proposal expired at {record.proposal.expires}"
    if any(one.kind == str(kind) and (one.officer == name or one.key == officer.key.blob) for one in record.statements):
        return f"`{name}` signed this statement before"
    if record.withdrawn or record.rejected:
        return "the proposal was withdrawn or rejected"
    if kind is StatementKind.PROPOSE:
        if DRAFTER not in officer.roles:
            return f"`{name}` has not the role {DRAFTER}"
        return None if record.proposal.drafter == name else f"the proposal names another drafter than `{name}`"
    if record.proposed_by is None:
        return "its drafter has not signed it yet"
    return None
