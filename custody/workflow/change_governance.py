"""Change who may do what: name the founders, propose a change, sign for or against it.

A change is proposed by anybody and decides nothing by itself. Each officer signs its statement
where they sit; the signature is checked against the statement built again here, and the journal's
fold says from which entry on the change is in force.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from custody.audit.change_rules import Electorate, change_problem
from custody.audit.fold_governance import CHANGE_PROPOSED, CHANGE_SIGNED, OFFICER_NAMED, OFFICER_UNNAMED
from custody.audit.governance import ChangeRecord, ChangeStatus, GovernanceState
from custody.codes import Code
from custody.errors import CheckFailed, Conflict, InvalidInput, JsonValue, UsageError
from custody.people.approval import require_signed
from custody.people.change import Change, ChangeKind, Payload
from custody.people.officer import Officer
from custody.people.statement import Statement
from custody.policy.diff import PolicyDiff, diff_policies
from custody.policy.explain import explain_policy
from custody.policy.load import policy_from_canonical
from custody.policy.model import SpendPolicy
from custody.spend.expiry import format_time
from custody.workflow.office import Desk, Office

_PREFIX = re.compile(r"[0-9a-f]{8,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ChangeView:
    """A change as every command shows it."""

    record: ChangeRecord
    statement: Statement
    missing: tuple[tuple[str, tuple[str, ...]], ...]
    """What is missing in words, and who can give it; empty once its quorums were complete."""
    diff: PolicyDiff | None
    """adopt: what becomes easier and what harder than under the policy in force."""
    policy: SpendPolicy | None
    """found, adopt: the policy that it brings."""

    def to_json(self) -> dict[str, JsonValue]:
        """Return the change with its statement and where it stands."""
        record, change = self.record, self.record.change
        facts: list[JsonValue] = [{"label": label, "value": value} for label, value in change.facts()]
        answer: dict[str, JsonValue] = {
            "change_id": change.change_id,
            "kind": str(change.kind),
            "number": change.number,
            "status": str(record.status),
            "reason": change.reason,
            "proposed_by": change.proposed_by,
            "facts": facts,
            "approved_by": [*record.approvers],
            "refused_by": [*record.refusers],
            "missing": [{"what": what, "from": [*names]} for what, names in self.missing],
            "effective_from": None if record.effective_from is None else format_time(record.effective_from),
            "statement": self.statement.text,
            "statement_digest": self.statement.digest,
            "namespace": self.statement.kind.namespace,
        }
        if self.diff is not None:
            answer["diff"] = self.diff.to_json()
        if self.policy is not None:
            answer["policy"] = self.policy.to_document()
            answer["policy_says"] = [*explain_policy(self.policy)]
        return answer


def name_officer(desk: Desk, officer: Officer) -> None:
    """Name an officer for the founding to come: a claim without authority.

    Raises:
        Conflict: the vault is founded, or another officer has the name or the key.
    """
    named = desk.state.governance.named
    if officer.name in named:
        raise Conflict(
            Code.OFFICER_EXISTS,
            f"`{officer.name}` is named already",
            advice="Take the name back with `custody officer revoke`, then add it again.",
        )
    _require_new_key(officer, {one.key.blob: one.name for one in named.values()})
    desk.record_authority([(OFFICER_NAMED, {"officer": officer.to_document()})])


def unname_officer(desk: Desk, name: str) -> None:
    """Take an officer's name back before the founding.

    Raises:
        InvalidInput: OFFICER_UNKNOWN.
    """
    if name not in desk.state.governance.named:
        raise _unknown_officer(name)
    desk.record_authority([(OFFICER_UNNAMED, {"name": name})])


def propose_change(desk: Desk, kind: ChangeKind, payload: Payload, *, reason: str | None) -> ChangeView:
    """Propose a change on the newest governance statement.

    Raises:
        Conflict: NOT_FOUNDED, or GOVERNANCE_REFUSED where it makes no sense now. CheckFailed: POLICY_VERSION_OLD.
        InvalidInput: OFFICER_UNKNOWN, what it holds is refused.
    """
    gov = desk.state.governance
    _require_stage(gov, kind)
    change = Change(
        vault_id=desk.vault.vault_id,
        network=desk.vault.network,
        kind=kind,
        number=gov.next_number,
        predecessor=None if gov.head is None else gov.head.digest,
        payload=payload,
        reason=reason,
        proposed_by=desk.surroundings.actor,
        nonce=desk.surroundings.nonces.nonce(),
    )
    _require_sense(gov, change)
    desk.record_authority([(CHANGE_PROPOSED, {"change": change.to_document()})])
    return view_change(desk.office, desk.state.governance.changes[change.change_id])


def find_change(gov: GovernanceState, named: str | None) -> ChangeRecord:
    """Return the change of an id or of its first eight characters; without one, the only open one.

    Raises:
        InvalidInput: CHANGE_UNKNOWN. Conflict: CHANGE_UNKNOWN when several fit.
    """
    if named is None:
        found = [one for one in gov.changes.values() if one.status in (ChangeStatus.PENDING, ChangeStatus.WAITING)]
    elif _PREFIX.fullmatch(named) is None:
        found = []
    else:
        found = [one for change_id, one in gov.changes.items() if change_id.startswith(named)]
    if len(found) == 1:
        return found[0]
    words = (
        "no change is under way"
        if named is None
        else f"there is no change `{named}`, by its id or 8 or more of its first characters"
    )
    if not found:
        raise InvalidInput(Code.CHANGE_UNKNOWN, words, advice="List them with `custody change list`.")
    raise Conflict(
        Code.CHANGE_UNKNOWN,
        f"{len(found)} changes are meant",
        advice="Name one: " + ", ".join(one.change.change_id[:16] for one in found) + ".",
    )


def view_change(office: Office, record: ChangeRecord) -> ChangeView:
    """Return a change with its statement, what is missing, and what its policy would change."""
    gov, change = office.state.governance, record.change
    open_still = record.status is ChangeStatus.PENDING
    brings = None if change.payload.policy is None else policy_from_canonical(change.policy_bytes)
    diff = None
    if brings is not None and gov.policy is not None and record.status is not ChangeStatus.IN_FORCE:
        diff = diff_policies(gov.policy, brings)
    return ChangeView(
        record=record,
        statement=change.statement(office.vault.name),
        missing=Electorate.of(gov, change).missing(record.approvers) if open_still else (),
        diff=diff,
        policy=brings,
    )


def statement_of_change(office: Office, record: ChangeRecord, *, approves: bool) -> Statement:
    """Return what an officer signs for or against the change, if it is still open.

    Raises:
        Conflict: CHANGE_CLOSED.
    """
    still_open = {ChangeStatus.PENDING} if approves else {ChangeStatus.PENDING, ChangeStatus.WAITING}
    if record.status not in still_open:
        raise Conflict(
            Code.CHANGE_CLOSED,
            f"change `{record.change.change_id[:16]}` is {record.status}",
            advice="Look at it with `custody change show`; propose it again if it is stale and still wanted.",
            details={"status": str(record.status)},
        )
    change = record.change
    return change.statement(office.vault.name) if approves else change.rejection(office.vault.name)


def signer_of_change(gov: GovernanceState, record: ChangeRecord, name: str | None) -> Officer:
    """Return the officer of that name if their signature under the change can count.

    Raises:
        UsageError: nobody is named. CheckFailed: APPROVER_NOT_AUTHORISED.
    """
    if name is None:
        raise UsageError(
            Code.USAGE, "nobody is named who signs", advice="Say who you are with --as NAME, or in custody.yaml."
        )
    officer = Electorate.of(gov, record.change).find(name)
    if officer is None:
        raise CheckFailed(
            Code.APPROVER_NOT_AUTHORISED,
            f"`{name}` is no officer who can sign this change",
            advice="See who is enrolled with `custody officer list`.",
        )
    return officer


def sign_change(desk: Desk, change_id: str, name: str | None, *, approves: bool, signature: str) -> ChangeView:
    """Record an officer's signature for or against a change.

    Raises:
        Conflict: CHANGE_CLOSED. CheckFailed: APPROVER_NOT_AUTHORISED, STATEMENT_OTHER_KEY, SSHSIG_*.
    """
    gov = desk.state.governance
    record = find_change(gov, change_id)
    officer = signer_of_change(gov, record, name)
    require_signed(signature, statement_of_change(desk.office, record, approves=approves), officer)
    body: Mapping[str, JsonValue] = {
        "change_id": record.change.change_id,
        "officer": officer.name,
        "approves": approves,
        "signature": signature,
    }
    desk.record_authority([(CHANGE_SIGNED, dict(body))])
    return view_change(desk.office, desk.state.governance.changes[record.change.change_id])


def require_officer(gov: GovernanceState, name: str) -> Officer:
    """Return an officer in force.

    Raises:
        InvalidInput: OFFICER_UNKNOWN.
    """
    officer = gov.officers.get(name)
    if officer is None:
        raise _unknown_officer(name)
    return officer


def _require_stage(gov: GovernanceState, kind: ChangeKind) -> None:
    """Refuse a second founding, and every other change before the first."""
    if kind is ChangeKind.FOUND and gov.is_founded:
        raise Conflict(
            Code.GOVERNANCE_REFUSED,
            "the vault is founded already",
            advice="Change officers and policy by the rule in force; see `custody change --help`.",
        )
    if kind is not ChangeKind.FOUND and not gov.is_founded:
        raise Conflict(
            Code.NOT_FOUNDED,
            "no officers and no policy are in force",
            advice="Name the founders with `custody officer add`, then found the vault with `custody vault found`.",
        )


def _require_sense(gov: GovernanceState, change: Change) -> None:
    if change.kind is ChangeKind.ADOPT and gov.is_founded:
        version = policy_from_canonical(change.policy_bytes).version
        if version <= gov.highest_version:
            raise CheckFailed(
                Code.POLICY_VERSION_OLD,
                f"the policy is version {version}; version {gov.highest_version} was adopted before",
                advice="An older policy is never accepted again: raise its version if its rules are wanted.",
            )
    problem = change_problem(gov, change)
    if problem is not None:
        raise Conflict(
            Code.GOVERNANCE_REFUSED,
            problem,
            advice="Look at what is in force with `custody officer list`, `policy explain` and `allowlist list`.",
        )


def _require_new_key(officer: Officer, known: Mapping[bytes, str]) -> None:
    if officer.key.blob in known:
        raise Conflict(
            Code.OFFICER_EXISTS,
            f"the key of `{officer.name}` is that of `{known[officer.key.blob]}`",
            advice="Every person brings a key of their own.",
        )


def _unknown_officer(name: str) -> InvalidInput:
    return InvalidInput(
        Code.OFFICER_UNKNOWN, f"there is no officer `{name}`", advice="See them with `custody officer list`."
    )
