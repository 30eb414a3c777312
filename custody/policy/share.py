"""A policy for a partner: its structure, written anew from values, with placeholders where it would say who we are.

An allow-list: nothing of the document's text is copied. What is written are numbers, words of the
policy language, and the roles that the program itself knows; every other name becomes a
placeholder by its place. Comments never get as far as the values that this reads.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from custody.errors import JsonValue
from custody.people.officer import KNOWN_ROLES
from custody.people.quorum import Quorum
from custody.policy.hours import DAYS, Hours, show_minute
from custody.policy.limit import UNLIMITED, Limit
from custody.policy.load import ANY, DENY, NONE, POLICY_FORMAT
from custody.policy.model import (
    Consent,
    EmergencyPath,
    Limits,
    MoveSection,
    PaymentSection,
    SpendPolicy,
    TransactionRules,
)

NAME = "shared-policy"
TIME_ZONE = "UTC"


@dataclass(slots=True)
class Placeholders:
    """Numbers for names of one kind, in the order in which they are met; the same name gets the same number."""

    kind: str
    _known: dict[str, str] = field(default_factory=dict)

    def of(self, name: str) -> str:
        """Return the placeholder, two digits wide so that none begins with another."""
        return self._known.setdefault(name, f"{self.kind}-{len(self._known) + 1:02d}")


class RoleNames:
    """Roles that the program knows keep their names; others are a custodian's own words."""

    def __init__(self) -> None:
        self._others = Placeholders("role")

    def of(self, role: str) -> str:
        """Return what a role is called outside."""
        return role if role in KNOWN_ROLES else self._others.of(role)


class AmountScale(Protocol):
    """How an amount that tells of the reserve's size is written."""

    def show(self, value: int) -> str:
        """Return an amount of satoshis as a policy writes one."""


class KeptAmounts:
    """Amounts as they are."""

    def show(self, value: int) -> str:
        """Return the amount itself."""
        return f"{value}sat"


class RankedAmounts:
    """Amounts by their order alone: the smallest becomes 1 BTC, the next 2 BTC; 0, which forbids, stays 0."""

    def __init__(self, amounts: Iterator[int]) -> None:
        ranks = sorted({amount for amount in amounts if amount})
        self._rank = {amount: place for place, amount in enumerate(ranks, 1)}

    def show(self, value: int) -> str:
        """Return the amount's place in the order, in BTC."""
        return f"{self._rank[value]}btc" if value else "0sat"


def shared_policy(policy: SpendPolicy, roles: RoleNames, *, keep_amounts: bool) -> dict[str, JsonValue]:
    """Return a policy document of the same structure; it loads, and `check` says of it what it says of ours.

    Kept are durations, numbers, hours and weekdays, caps on fees, and, with `keep_amounts`, the limits. Name, version,
    time zone, tiers, paths, destinations, labels and own roles are replaced.
    """
    scale: AmountScale = KeptAmounts() if keep_amounts else RankedAmounts(_amounts(policy))
    return _Writer(roles, scale).document(policy)


def _amounts(policy: SpendPolicy) -> Iterator[int]:
    limits = [policy.coins.address_cap]
    if policy.payment is not None:
        limits += [tier.up_to for tier in policy.payment.tiers]
        limits += _four(policy.payment.limits)
    for path in policy.emergency:
        limits += _four(path.limits)
    return (limit.most for limit in limits if limit.most is not None)


def _four(limits: Limits) -> list[Limit]:
    return [limits.payment, limits.day, limits.week, limits.month]


@dataclass(slots=True)
class _Writer:
    roles: RoleNames
    scale: AmountScale
    tiers: Placeholders = field(default_factory=lambda: Placeholders("tier"))
    paths: Placeholders = field(default_factory=lambda: Placeholders("path"))
    destinations: Placeholders = field(default_factory=lambda: Placeholders("destination"))
    labels: Placeholders = field(default_factory=lambda: Placeholders("label"))

    def document(self, policy: SpendPolicy) -> dict[str, JsonValue]:
        governance, coins = policy.governance, policy.coins
        document: dict[str, JsonValue] = {
            "format": POLICY_FORMAT,
            "name": NAME,
            "version": 1,
            "time_zone": TIME_ZONE,
            "governance": {
                "approvals": self.quorum(governance.approvals),
                "waiting": duration(governance.waiting),
                "custodians_attest": governance.custodians_attest,
            },
            "allowlist": {"waiting": duration(policy.allowlist_waiting)},
            "coins": {
                "address_cap": self.amount(coins.address_cap),
                "address_reuse": "allowed" if coins.address_reuse else "forbidden",
                "keep_apart": [self.labels.of(label) for label in coins.keep_apart],
            },
        }
        if policy.prove_keys_every is not None:
            document["keys"] = {"prove_every": duration(policy.prove_keys_every)}
        if not policy.publishes_addresses:
            document["publication"] = {"addresses": "committed"}
        if policy.payment is not None:
            document["payment"] = self.payment(policy.payment)
        for name, section in (("internal", policy.internal), ("bump", policy.bump), ("cancel", policy.cancel)):
            if section is not None:
                document[name] = self.move(section)
        if policy.emergency:
            document["emergency"] = [self.path(path) for path in policy.emergency]
        return document

    def payment(self, section: PaymentSection) -> dict[str, JsonValue]:
        tiers: list[JsonValue] = [
            {"name": self.tiers.of(tier.name), "up_to": self.amount(tier.up_to), **self.consent(tier.consent)}
            for tier in section.tiers
        ]
        return {
            "tiers": tiers,
            "drafter_approves": section.drafter_approves,
            "unlisted": DENY if section.unlisted is None else self.tiers.of(section.unlisted),
            "limits": self.limits(section.limits),
            **self.transaction(section.transaction),
        }

    def move(self, section: MoveSection) -> dict[str, JsonValue]:
        return {
            **self.consent(section.consent),
            "drafter_approves": section.drafter_approves,
            **self.transaction(section.transaction),
        }

    def path(self, path: EmergencyPath) -> dict[str, JsonValue]:
        return {
            "name": self.paths.of(path.name),
            "destinations": [self.destinations.of(name) for name in path.destinations],
            **self.consent(path.consent),
            "drafter_approves": path.drafter_approves,
            "limits": self.limits(path.limits),
            **self.transaction(path.transaction),
            "while_suspended": path.while_suspended,
        }

    def consent(self, consent: Consent) -> dict[str, JsonValue]:
        return {
            "approvals": self.quorum(consent.approvals),
            "waiting": duration(consent.waiting),
            "hours": _hours(consent.hours),
        }

    def quorum(self, quorum: Quorum) -> JsonValue:
        if not quorum.roles:
            return NONE
        named = {self.roles.of(role): count for role, count in quorum.roles}
        # Not in the order of our own names, whose first letters it would tell.
        return dict(sorted(named.items(), key=lambda one: (one[0] not in KNOWN_ROLES, one[0])))

    def limits(self, limits: Limits) -> dict[str, JsonValue]:
        names = ("payment", "day", "week", "month")
        return {name: self.amount(limit) for name, limit in zip(names, _four(limits), strict=True)}

    def amount(self, limit: Limit) -> str:
        return UNLIMITED if limit.most is None else self.scale.show(limit.most)

    def transaction(self, rules: TransactionRules) -> dict[str, JsonValue]:
        fee, most = rules.fee, rules.max_inputs.most
        return {
            "fee": {
                "max": UNLIMITED if fee.most.most is None else KeptAmounts().show(fee.most.most),
                "max_rate": UNLIMITED if fee.rate.most is None else _rate(fee.rate.most),
                "max_percent": UNLIMITED if fee.percent.most is None else _percent(fee.percent.most),
            },
            "confirmations": rules.confirmations,
            "inputs": {"min": rules.min_inputs, "max": UNLIMITED if most is None else most},
            "locktime": "tip" if rules.locktime_by_tip else ANY,
            "replaceable": "required" if rules.must_signal_replacement else ANY,
            "expiry": duration(rules.expiry),
        }


def duration(seconds: int) -> str:
    """Return seconds as a policy writes a duration, in whole days, hours or minutes."""
    units: Sequence[tuple[str, int]] = (("d", 86_400), ("h", 3_600), ("m", 60))
    return next((f"{seconds // length}{unit}" for unit, length in units if seconds and seconds % length == 0), "0h")


def _hours(hours: Hours | None) -> JsonValue:
    if hours is None:
        return ANY
    days: list[JsonValue] = [DAYS[day] for day in sorted(hours.days)]
    return {"days": days, "from": show_minute(hours.first), "to": show_minute(hours.last)}


def _rate(sat_kvb: int) -> str:
    whole, thousandths = divmod(sat_kvb, 1_000)
    return f"{whole}.{thousandths:03d}sat/vb" if thousandths else f"{whole}sat/vb"


def _percent(points: int) -> str:
    whole, hundredths = divmod(points, 100)
    return f"{whole}.{hundredths:02d}%" if hundredths else f"{whole}%"
