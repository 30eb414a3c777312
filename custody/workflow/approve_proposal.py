"""Propose and approve: a drafter's and an approver's signed statements about one proposal.

What is signed is built from the proposal's own document. Before an approval is recorded the
policy is asked: one for a payment that it forbids would only mislead.
"""

from dataclasses import dataclass, replace

from custody.audit.fold_statements import STATEMENT, statement_problem
from custody.audit.governance import GovernanceState
from custody.audit.state import ProposalRecord
from custody.codes import Code
from custody.errors import CheckFailed, Conflict, CustodyError, NotYet, UsageError
from custody.people.approval import require_signed
from custody.people.officer import Officer
from custody.people.statement import GovernanceRef, Statement, StatementKind, proposal_statement
from custody.policy.decision import Gate, require_not_denied
from custody.policy.model import SpendPolicy
from custody.policy.sections import section_for
from custody.spend.expiry import is_expired
from custody.spend.proposal import Proposal
from custody.workflow.decide import decision_on
from custody.workflow.office import Desk, Office
from custody.workflow.proposal_access import find_proposal, require_live


@dataclass(frozen=True, slots=True)
class ToSign:
    """A statement and who signs it."""

    record: ProposalRecord
    officer: Officer
    statement: Statement
    governance: GovernanceRef


def statement_to_sign(office: Office, named: str | None, kind: StatementKind, name: str | None) -> ToSign:
    """Return the statement that `name` signs about a proposal now, if that would count.

    Raises:
        UsageError: nobody is named. Conflict: NOT_FOUNDED, PROPOSAL_STATE, PROPOSAL_EXPIRED, APPROVAL_REPLAYED.
        CheckFailed: APPROVER_NOT_AUTHORISED, SELF_APPROVAL, APPROVER_DUPLICATE.
        NotYet: APPROVALS_MISSING, the drafter has not signed. PolicyDenied: POLICY_DENIED.
    """
    gov = office.state.governance
    record = find_proposal(office.state, named)
    if gov.policy is None or gov.head is None:
        raise Conflict(
            Code.NOT_FOUNDED,
            "no officers and no policy are in force: there is nothing to approve under",
            advice="Found the vault with `custody vault found`.",
        )
    require_live(office.state, record)
    officer = _officer(gov, name)
    _require_countable(gov, record, kind, officer, gov.head)
    require_not_denied(decision_on(office.state, office.vault, record, Gate.APPROVE))
    statement = proposal_statement(kind, record.proposal, vault_name=office.vault.name, governance=gov.head)
    return ToSign(record, officer, statement, gov.head)


def record_statement(desk: Desk, to_sign: ToSign, signature: str) -> ProposalRecord:
    """Record the signature under a statement that was made at this head, or at an earlier one of this vault.

    Raises:
        CheckFailed: the signature is not the officer's over this statement, or would count for nothing.
        and all that `statement_to_sign` raises: everything is judged again.
    """
    kind = to_sign.statement.kind
    now = statement_to_sign(desk.office, to_sign.record.proposal_id, kind, to_sign.officer.name)
    _require_for_this(desk.office, to_sign, signature, now.officer)
    desk.record_authority(
        [
            (
                STATEMENT,
                {
                    "proposal_id": now.record.proposal_id,
                    "statement": str(kind),
                    "officer": now.officer.name,
                    "governance": {"number": to_sign.governance.number, "digest": to_sign.governance.digest},
                    "signature": signature,
                },
            )
        ]
    )
    return desk.state.proposals[now.record.proposal_id]


def fitting_statement(office: Office, to_sign: ToSign, signature: str) -> ToSign:
    """Return the statement that a signature made elsewhere is over: it may name an older governance statement.

    Where none fits, the newest is returned and `record_statement` says what is wrong.
    """
    for ref in reversed(office.state.governance.statements):
        statement = proposal_statement(
            to_sign.statement.kind, to_sign.record.proposal, vault_name=office.vault.name, governance=ref
        )
        if _is_over(signature, statement, to_sign.officer):
            return replace(to_sign, statement=statement, governance=ref)
    return to_sign


def _require_for_this(office: Office, to_sign: ToSign, signature: str, officer: Officer) -> None:
    """Demand the officer's signature over this statement; one over another of ours is named as a replay.

    Raises:
        CheckFailed: APPROVAL_REPLAYED, STATEMENT_OTHER_KEY, SSHSIG_INVALID.
    """
    try:
        require_signed(signature, to_sign.statement, officer)
    except CheckFailed as error:
        if error.code is not Code.SSHSIG_INVALID:
            raise
        for other in office.state.proposals.values():
            for ref in office.state.governance.statements:
                statement = proposal_statement(
                    to_sign.statement.kind, other.proposal, vault_name=office.vault.name, governance=ref
                )
                if other is not to_sign.record and _is_over(signature, statement, officer):
                    raise CheckFailed(
                        Code.APPROVAL_REPLAYED,
                        f"the signature is over proposal `{other.proposal_id[:16]}`, not over this one",
                        advice="Raise the alarm if nobody mixed up two files; each proposal is signed by itself.",
                        details={"proposal_id": other.proposal_id},
                    ) from error
        raise


def _is_over(signature: str, statement: Statement, officer: Officer) -> bool:
    try:
        require_signed(signature, statement, officer)
    except CustodyError:
        return False
    return True


def _officer(gov: GovernanceState, name: str | None) -> Officer:
    if name is None:
        raise UsageError(
            Code.USAGE, "nobody is named who signs", advice="Say who you are with --as NAME, or in custody.yaml."
        )
    officer = gov.officers.get(name)
    if officer is None:
        raise CheckFailed(
            Code.APPROVER_NOT_AUTHORISED,
            f"`{name}` is no officer in force",
            advice="See who is enrolled with `custody officer list`; a revoked officer's signature counts no more.",
        )
    return officer


def _require_countable(
    gov: GovernanceState, record: ProposalRecord, kind: StatementKind, officer: Officer, head: GovernanceRef
) -> None:
    """Raise the narrowest error for which the fold would disregard the statement, or the policy not count it."""
    if is_expired(record.proposal.expires, gov.time):
        raise Conflict(
            Code.PROPOSAL_EXPIRED,
            f"proposal `{record.proposal_id[:16]}` expired at {record.proposal.expires} by the chain's time",
            advice="Draft the payment again.",
        )
    if kind is StatementKind.APPROVE:
        _require_another_person(gov, record, officer)
        if record.proposed_by is None:
            raise NotYet(
                Code.APPROVALS_MISSING,
                f"drafter `{record.proposal.drafter or 'nobody'}` has not signed the proposal yet",
                advice="Its drafter signs it first: `custody proposal approve --propose --as NAME --key FILE`.",
            )
    problem = statement_problem(record, kind, officer.name, head, gov)
    if problem is not None:
        raise CheckFailed(
            Code.APPROVER_NOT_AUTHORISED, problem, advice="Look at it with `custody proposal show` and `officer list`."
        )


def _require_another_person(gov: GovernanceState, record: ProposalRecord, officer: Officer) -> None:
    given = [one for one in record.statements if one.kind == str(StatementKind.APPROVE)]
    if any(one.officer == officer.name or one.key == officer.key.blob for one in given):
        raise CheckFailed(
            Code.APPROVER_DUPLICATE,
            f"`{officer.name}` approved proposal `{record.proposal_id[:16]}` before",
            advice="Each person counts once; another officer has to approve.",
        )
    if record.proposal.drafter == officer.name and not _drafter_approves(gov.policy, record.proposal):
        raise CheckFailed(
            Code.SELF_APPROVAL,
            f"`{officer.name}` drafted proposal `{record.proposal_id[:16]}`: the policy doesn't count a drafter's own "
            "approval",
            advice="Another officer has to approve.",
        )


def _drafter_approves(policy: SpendPolicy | None, proposal: Proposal) -> bool:
    section = None if policy is None else section_for(policy, proposal.kind, proposal.policy_path)
    return section is not None and section.drafter_approves
