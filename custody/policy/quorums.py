"""Every quorum of a policy by name, and whether the officers in force can complete it.

Where a drafter's own approval doesn't count, a quorum must be reachable beside some drafter.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from custody.people.officer import DRAFTER
from custody.people.quorum import Quorum
from custody.policy.facts import OfficerFact
from custody.policy.model import Consent, SpendPolicy


@dataclass(frozen=True, slots=True)
class NamedQuorum:
    """A quorum and where it stands."""

    rule: str
    """`governance`, `payment.tiers.large`, `emergency.sweep`, …"""
    quorum: Quorum
    is_drafted: bool
    """Whether it approves something that a drafter must have signed first."""
    drafter_approves: bool

    def words(self) -> str:
        """Return its rule and what it asks for."""
        return f"`{self.rule}` ({self.quorum.words()}{', beside a drafter' if self.is_drafted else ''})"

    def is_reachable(self, officers: tuple[OfficerFact, ...]) -> bool:
        """Say whether these officers can complete it."""
        if not self.is_drafted:
            return self.quorum.is_met(one.roles for one in officers)
        return any(
            self.quorum.is_met(one.roles for one in officers if self.drafter_approves or one is not drafter)
            for drafter in officers
            if DRAFTER in drafter.roles
        )


def quorums_of(policy: SpendPolicy) -> tuple[NamedQuorum, ...]:
    """Return every quorum of a policy, in its order."""
    governance = NamedQuorum("governance", policy.governance.approvals, is_drafted=False, drafter_approves=False)
    return (governance, *(_named(*one) for one in consents_of(policy)))


def consents_of(policy: SpendPolicy) -> Iterator[tuple[str, Consent, bool]]:
    """Return the consent that each kind and tier asks for, with whether a drafter's approval counts."""
    if policy.payment is not None:
        for tier in policy.payment.tiers:
            yield f"payment.tiers.{tier.name}", tier.consent, policy.payment.drafter_approves
    for name, section in (("internal", policy.internal), ("bump", policy.bump), ("cancel", policy.cancel)):
        if section is not None:
            yield name, section.consent, section.drafter_approves
    for path in policy.emergency:
        yield f"emergency.{path.name}", path.consent, path.drafter_approves


def _named(rule: str, consent: Consent, drafter_approves: bool) -> NamedQuorum:
    return NamedQuorum(rule, consent.approvals, is_drafted=True, drafter_approves=drafter_approves)
