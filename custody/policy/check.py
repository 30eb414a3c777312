"""What a person should know about a policy before it is adopted: each finding has a code.

The loader refuses what has no meaning. Here stands what has one and is probably not meant:
tiers that no payment reaches or that ask for less than the one below, limits that never bind
or forbid everything, quorums that these officers can't complete, people who decide alone.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise

from custody.codes import Code
from custody.errors import Finding, Severity
from custody.people.officer import DRAFTER
from custody.policy.differences import Direction, consent_differences
from custody.policy.facts import OfficerFact
from custody.policy.limit import show_duration
from custody.policy.model import EmergencyPath, Limits, PaymentSection, SpendPolicy, TransactionRules
from custody.policy.quorums import NamedQuorum, consents_of, quorums_of

_RELAY_FLOOR_SAT_KVB = 1_000
"""Below 1 sat/vB most nodes pass no transaction on."""

_LONGEST_INTERVAL_S = 366 * 86_400
"""A year between two proofs of a key."""


def check_policy(policy: SpendPolicy, officers: Iterable[OfficerFact] | None = None) -> tuple[Finding, ...]:
    """Return everything that is probably not meant; with officers, what they can't fulfil too."""
    found = [*_people_findings(policy), *_address_findings(policy)]
    if policy.payment is not None:
        found += [*_tier_findings(policy.payment), *_limit_findings("payment", policy.payment.limits)]
        found += _section_findings(policy.payment)
    for path in policy.emergency:
        found += [*_limit_findings(f"emergency.{path.name}", path.limits), *_emergency_findings(policy, path)]
    for rule, rules, waiting in _transactions_of(policy):
        found += _transaction_findings(rule, rules, waiting)
    found += [*_key_findings(policy), *_absence_findings(policy)]
    if officers is not None:
        found += _officer_findings(policy, tuple(officers))
    return tuple(found)


def unreachable_quorums(policy: SpendPolicy, officers: Iterable[OfficerFact]) -> tuple[str, ...]:
    """Return every quorum that these officers can't complete: its rule and what it asks for.

    A quorum of a proposal needs somebody with the role drafter too.
    """
    return tuple(one.words() for one in _unreachable_of(policy, tuple(officers)))


def _unreachable_of(policy: SpendPolicy, officers: tuple[OfficerFact, ...]) -> list[NamedQuorum]:
    return [one for one in quorums_of(policy) if not one.is_reachable(officers)]


def _people_findings(policy: SpendPolicy) -> Iterator[Finding]:
    if policy.governance.approvals.total == 1:
        yield Finding(
            Code.POLICY_TOO_FEW_PEOPLE,
            Severity.WARN,
            "governance",
            "one person alone changes officers, policy and allowlist",
            "Ask for two people at least.",
        )
    for rule, consent, drafter_approves in consents_of(policy):
        asked = consent.approvals.total
        # A cancel pays nobody and may have to be quick.
        if rule != "cancel" and (asked == 0 or (asked == 1 and drafter_approves)):
            yield Finding(
                Code.POLICY_TOO_FEW_PEOPLE,
                Severity.WARN,
                rule,
                "a drafter needs nobody else's approval",
                "Ask for an approval, and don't count the drafter's own.",
            )


def _tier_findings(section: PaymentSection) -> Iterator[Finding]:
    for number, tier in enumerate(section.tiers):
        below = section.tiers[:number]
        covered = next((one for one in below if tier.up_to.is_within(one.up_to)), None)
        if covered is not None:
            yield _unreachable(tier.name, f"its `up_to` is not above that of tier `{covered.name}` before it")
        elif any(section.limits.payment.is_within(one.up_to) for one in below) and tier.name != section.unlisted:
            yield _unreachable(tier.name, "`limits.payment` lets no payment be that large")
    for lower, upper in pairwise(section.tiers):
        weaker = [
            one.words
            for one in consent_differences(upper.name, lower.consent, upper.consent, same_zone=True)
            if one.direction is Direction.EASIER
        ]
        if weaker:
            yield Finding(
                Code.POLICY_TIER_WEAKER,
                Severity.WARN,
                f"payment.tiers.{upper.name}",
                f"it asks for less than tier `{lower.name}` below it: {'; '.join(weaker)}",
                "Ask at least as much for larger payments: a person would make a payment larger to have it easier.",
            )


def _unreachable(name: str, why: str) -> Finding:
    return Finding(
        Code.POLICY_TIER_UNREACHABLE,
        Severity.WARN,
        f"payment.tiers.{name}",
        f"no payment reaches this tier: {why}",
        "Put tiers in order from small to large, and within the limit per payment; remove what can't be reached.",
    )


def _section_findings(section: PaymentSection) -> Iterator[Finding]:
    most = section.limits.payment.most
    if most is not None and not any(tier.up_to.allows(most) for tier in section.tiers):
        yield _idle("payment.limits.payment", "no tier is that large")
    if section.unlisted == section.tiers[0].name:
        yield Finding(
            Code.POLICY_ALLOWLIST_IDLE,
            Severity.WARN,
            "payment.unlisted",
            "a destination outside the allowlist needs no more than one on it",
            "Lift it to a higher tier, or deny it.",
        )


def _limit_findings(rule: str, limits: Limits) -> Iterator[Finding]:
    named = (("payment", limits.payment), ("day", limits.day), ("week", limits.week), ("month", limits.month))
    for name, limit in named:
        if limit.most == 0:
            yield _forbids_all(f"{rule}.limits.{name}", "a limit of 0 lets nothing through")
    for number, (name, limit) in enumerate(named):
        for longer_name, longer in named[number + 1 :]:
            if limit.most is not None and not limit.is_within(longer):
                yield _idle(f"{rule}.limits.{name}", f"`{longer_name}` is smaller")


def _transaction_findings(rule: str, rules: TransactionRules, waiting: int) -> Iterator[Finding]:
    fee = rules.fee
    rate = fee.rate.most
    if fee.most.most == 0 or fee.percent.most == 0 or (rate is not None and rate < _RELAY_FLOOR_SAT_KVB):
        yield _forbids_all(f"{rule}.fee", "no node passes on a transaction with so low a fee")
    if rules.expiry <= waiting:
        yield _forbids_all(
            f"{rule}.expiry",
            f"a proposal lives {show_duration(rules.expiry)} at most and waits {show_duration(waiting)}",
        )


def _address_findings(policy: SpendPolicy) -> Iterator[Finding]:
    if policy.coins.address_cap.most == 0:
        yield _forbids_all("coins.address_cap", "no output may come back to the vault, change included")


def _emergency_findings(policy: SpendPolicy, path: EmergencyPath) -> Iterator[Finding]:
    if policy.payment is None:
        return
    most = path.limits.payment
    tier = next((one for one in policy.payment.tiers if most.is_within(one.up_to)), policy.payment.tiers[-1])
    asked, ordinary = path.consent.approvals.total, tier.consent.approvals.total
    if asked < ordinary:
        yield Finding(
            Code.POLICY_EMERGENCY_WIDE,
            Severity.WARN,
            f"emergency.{path.name}",
            f"it asks {asked} people where an ordinary payment of that size (tier `{tier.name}`) asks {ordinary}",
            "An emergency path is narrower than the ordinary one: ask as many people, or limit its amount.",
        )


def _key_findings(policy: SpendPolicy) -> Iterator[Finding]:
    every = policy.prove_keys_every
    if every is not None and every > _LONGEST_INTERVAL_S:
        yield Finding(
            Code.POLICY_KEYS_SELDOM_PROVEN,
            Severity.WARN,
            "keys.prove_every",
            f"a key may be dead for {show_duration(every)} before anybody hears of it",
            "Let each key prove once a year at least; a vault that lost more than n - m keys is lost.",
        )


def _absence_findings(policy: SpendPolicy) -> Iterator[Finding]:
    if policy.payment is None and not policy.emergency:
        yield _forbids_all("payment", "there is neither a section `payment` nor an emergency path: nobody can be paid")
    if policy.cancel is None:
        yield Finding(
            Code.POLICY_NO_WAY_BACK,
            Severity.NOTE,
            "cancel",
            "without a section `cancel`, a payment whose signatures left the house can't be taken back",
            "Allow `cancel` with few approvals: it pays nobody.",
        )


def _officer_findings(policy: SpendPolicy, officers: tuple[OfficerFact, ...]) -> Iterator[Finding]:
    held = {role for officer in officers for role in officer.roles}
    asked = {role for one in quorums_of(policy) for role, _count in one.quorum.roles}
    if any(one.is_drafted for one in quorums_of(policy)):
        asked.add(DRAFTER)
    for role in sorted(asked - held):
        yield Finding(
            Code.POLICY_ROLE_UNHELD,
            Severity.WARN,
            f"role:{role}",
            f"no officer has the role `{role}`",
            "Enrol somebody with it first; look for a slip of spelling.",
        )
    for one in _unreachable_of(policy, officers):
        yield Finding(
            Code.POLICY_QUORUM_UNREACHABLE,
            Severity.REFUSE,
            one.rule,
            f"these officers can't complete {one.words()}",
            "Enrol more officers first, or ask for fewer.",
        )


def _transactions_of(policy: SpendPolicy) -> Iterator[tuple[str, TransactionRules, int]]:
    if policy.payment is not None:
        longest = max(tier.consent.waiting for tier in policy.payment.tiers)
        yield "payment", policy.payment.transaction, longest
    for name, section in (("internal", policy.internal), ("bump", policy.bump), ("cancel", policy.cancel)):
        if section is not None:
            yield name, section.transaction, section.consent.waiting
    for path in policy.emergency:
        yield f"emergency.{path.name}", path.transaction, path.consent.waiting


def _idle(where: str, why: str) -> Finding:
    return Finding(
        Code.POLICY_LIMIT_IDLE,
        Severity.NOTE,
        where,
        f"it never binds: {why}",
        "Make the limit of a longer time the larger one, and that of a payment no larger than the last tier.",
    )


def _forbids_all(where: str, why: str) -> Finding:
    return Finding(
        Code.POLICY_FORBIDS_ALL,
        Severity.WARN,
        where,
        f"it forbids everything: {why}",
        "Leave out the whole section if that is meant; else raise the value.",
    )
