"""The rules for changes of governance: what makes sense, who must sign, how long it waits.

Each change needs the quorum of the rule before it and of the rule after it, counted among the
officers before and after (design, section 7). Suspending needs one administrator. A change that
could make anything easier waits, by the rule before it; one that is provably no weaker doesn't.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from custody.audit.governance import GovernanceState
from custody.errors import CustodyError
from custody.people.change import Change, ChangeKind
from custody.people.officer import ADMINISTRATOR, Officer
from custody.people.quorum import Quorum
from custody.policy.check import unreachable_quorums
from custody.policy.diff import is_no_weaker
from custody.policy.facts import OfficerFact
from custody.policy.load import policy_from_canonical
from custody.policy.model import SpendPolicy


@dataclass(frozen=True, slots=True)
class Electorate:
    """Who can sign a change, and which quorums it takes: each is counted among its own officers."""

    quorums: tuple[tuple[Quorum, Mapping[str, Officer]], ...]
    """The rule before and the officers before; then, where they differ, the rule and the officers after."""

    @classmethod
    def of(cls, gov: GovernanceState, change: Change) -> "Electorate":
        """Return the electorate of a change that makes sense on `gov`."""
        payload = change.payload
        named = {one.name: one for one in payload.officers}
        if change.kind is ChangeKind.FOUND:
            return cls(((Quorum.of({}), named),))
        rule = governance_quorum(gov.policy)
        match change.kind:
            case ChangeKind.SUSPEND:
                return cls(((Quorum.of({ADMINISTRATOR: 1}), gov.officers),))
            case ChangeKind.ENROL:
                return cls(((rule, gov.officers), (rule, {**gov.officers, **named})))
            case ChangeKind.REVOKE:
                rest = {name: one for name, one in gov.officers.items() if name != payload.name}
                return cls(((rule, gov.officers), (rule, rest)))
            case ChangeKind.ADOPT:
                after = governance_quorum(policy_from_canonical(change.policy_bytes))
                return cls(((rule, gov.officers), (after, gov.officers)))
            case _:
                return cls(((rule, gov.officers),))

    def find(self, name: str) -> Officer | None:
        """Return the officer of that name who can sign, None if there is none."""
        return next((officers[name] for _quorum, officers in self.quorums if name in officers), None)

    def is_complete(self, approvers: Iterable[str]) -> bool:
        """Tell whether these officers' approvals complete every quorum; a founding takes all its officers."""
        given = set(approvers)
        if self._is_founding:
            return given >= set(self.quorums[0][1])
        return all(quorum.is_met(_roles(officers, given)) for quorum, officers in self.quorums)

    def missing(self, approvers: Iterable[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Return what is still missing, in words, each with the officers who can give it."""
        given = set(approvers)
        if self._is_founding:
            rest = tuple(sorted(set(self.quorums[0][1]) - given))
            return ((f"the signature of every founder, {len(rest)} more", rest),) if rest else ()
        found = []
        for number, (quorum, officers) in enumerate(self.quorums):
            short = quorum.shortfall(_roles(officers, given))
            if short:
                rule = "the rule in force" if number == 0 else "the rule as it will be"
                wanted = {role for role, _count in quorum.roles}
                able = tuple(sorted(name for name, one in officers.items() if one.roles & wanted and name not in given))
                found.append((f"{short} more of {quorum.words()} by {rule}", able))
        return tuple(found)

    @property
    def _is_founding(self) -> bool:
        return not self.quorums[0][0].roles


def governance_quorum(policy: SpendPolicy | None) -> Quorum:
    """Return who must sign a change under a policy."""
    if policy is None:
        raise TypeError("a founded vault has a policy")
    return policy.governance.approvals


def waiting_time(gov: GovernanceState, change: Change) -> int:
    """Return the seconds between a change's last signature and its effect, by the rule before it."""
    if gov.policy is None:
        return 0
    if change.kind is ChangeKind.ENROL:
        return gov.policy.governance.waiting
    if change.kind is ChangeKind.ADOPT and not is_no_weaker(gov.policy, policy_from_canonical(change.policy_bytes)):
        return gov.policy.governance.waiting
    return 0


def rejection_is_final(electorate: Electorate, refusers: Iterable[str]) -> bool:
    """Tell whether those who have not refused can't complete every quorum any more."""
    refused = set(refusers)
    everybody = {name for _quorum, officers in electorate.quorums for name in officers}
    return bool(refused) and not electorate.is_complete(everybody - refused)


def change_problem(gov: GovernanceState, change: Change) -> str | None:
    """Return why a change makes no sense on this governance, None if it does.

    Its number and predecessor are not looked at: a change whose waiting time ends is judged here too.
    """
    payload = change.payload
    if (change.kind is ChangeKind.FOUND) is gov.is_founded:
        return "the vault is founded already" if gov.is_founded else "the vault is not founded"
    match change.kind:
        case ChangeKind.FOUND:
            return _founding_problem(change)
        case ChangeKind.ENROL:
            return _enrolment_problem(gov, payload.officers[0])
        case ChangeKind.REVOKE:
            return _revocation_problem(gov, payload.name or "")
        case ChangeKind.ADOPT:
            return _adoption_problem(gov, change)
        case ChangeKind.ALLOW if payload.entry is not None:
            if payload.entry.name in gov.allowlist:
                return f"the allowlist has `{payload.entry.name}` already: remove it first"
            return _refused(lambda: payload.entry.check(change.network) if payload.entry is not None else None)
        case ChangeKind.DISALLOW if payload.name not in gov.allowlist:
            return f"the allowlist has no `{payload.name}`"
        case ChangeKind.SUSPEND if gov.suspended_by is not None:
            return "spending is suspended already"
        case ChangeKind.RESUME if gov.suspended_by is None:
            return "spending is not suspended"
        case ChangeKind.UNFREEZE if not payload.outpoints:
            return "no coin is named"
        case _:
            return None


def officer_facts(officers: Mapping[str, Officer]) -> tuple[OfficerFact, ...]:
    """Return officers as the policy knows them."""
    return tuple(OfficerFact(one.name, one.roles) for one in officers.values())


def _founding_problem(change: Change) -> str | None:
    officers = change.payload.officers
    if len({one.name for one in officers}) < len(officers) or not officers:
        return "nobody founds, or two officers have one name"
    if len({one.key.blob for one in officers}) < len(officers):
        return "two officers have one key"
    return _policy_problem(change, {one.name: one for one in officers}, above=0)


def _enrolment_problem(gov: GovernanceState, officer: Officer) -> str | None:
    if officer.name in gov.officers:
        return f"officer `{officer.name}` is enrolled already: revoke first"
    if officer.key.blob in gov.enrolled_keys:
        return f"the key of `{officer.name}` was enrolled before, as that of `{gov.enrolled_keys[officer.key.blob]}`"
    return None


def _revocation_problem(gov: GovernanceState, name: str) -> str | None:
    if name not in gov.officers:
        return f"no officer `{name}` is in force"
    if gov.policy is None:
        return "the vault is not founded"
    rest = {known: one for known, one in gov.officers.items() if known != name}
    before = set(unreachable_quorums(gov.policy, officer_facts(gov.officers)))
    broken = [one for one in unreachable_quorums(gov.policy, officer_facts(rest)) if one not in before]
    return None if not broken else f"without `{name}` nobody could complete {broken[0]}: enrol a successor first"


def _adoption_problem(gov: GovernanceState, change: Change) -> str | None:
    return _policy_problem(change, gov.officers, above=gov.highest_version)


def _policy_problem(change: Change, officers: Mapping[str, Officer], *, above: int) -> str | None:
    try:
        policy = policy_from_canonical(change.policy_bytes)
    except CustodyError as error:
        return error.message
    if policy.version <= above:
        return f"the policy is version {policy.version}; versions up to {above} are never accepted again"
    broken = unreachable_quorums(policy, officer_facts(officers))
    return None if not broken else f"with these officers nobody could complete {broken[0]}"


def _refused(check: Callable[[], None]) -> str | None:
    try:
        check()
    except CustodyError as error:
        return error.message
    return None


def _roles(officers: Mapping[str, Officer], given: set[str]) -> list[frozenset[str]]:
    return [one.roles for name, one in officers.items() if name in given]
