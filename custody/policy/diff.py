"""Two policies side by side: what becomes easier, what becomes harder, what stays as it was.

This is shown to everyone who approves a change, and it decides too whether the change waits:
a policy is no weaker exactly when nothing in it is easier. There is no second judgement.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from custody.errors import JsonValue
from custody.policy.differences import (
    Difference,
    Differences,
    Direction,
    consent_differences,
    flag_differences,
    limit_differences,
    limits_differences,
    number_differences,
    quorum_differences,
    transaction_differences,
)
from custody.policy.limit import Limit, show_amount, show_duration
from custody.policy.model import CoinRules, EmergencyPath, Governance, MoveSection, PaymentSection, SpendPolicy, Tier


@dataclass(frozen=True, slots=True)
class PolicyDiff:
    """What an adoption would change, in sentences."""

    easier: tuple[str, ...]
    """Everything that isn't provably no weaker."""
    harder: tuple[str, ...]
    neutral: tuple[str, ...]

    def to_json(self) -> dict[str, JsonValue]:
        """Return the three lists."""
        return {"easier": [*self.easier], "harder": [*self.harder], "neutral": [*self.neutral]}


def diff_policies(old: SpendPolicy, new: SpendPolicy) -> PolicyDiff:
    """Compare two policies field by field."""
    found = tuple(_differences(old, new))

    def words(direction: Direction) -> tuple[str, ...]:
        return tuple(one.words for one in found if one.direction is direction)

    return PolicyDiff(words(Direction.EASIER), words(Direction.HARDER), words(Direction.NEUTRAL))


def is_no_weaker(old: SpendPolicy, new: SpendPolicy) -> bool:
    """Say whether everything that `new` allows is provably allowed by `old`; in doubt, no."""
    return not diff_policies(old, new).easier


def _differences(old: SpendPolicy, new: SpendPolicy) -> Differences:
    same_zone = old.time_zone == new.time_zone
    for field, before, after in (
        ("name", old.name, new.name),
        ("version", str(old.version), str(new.version)),
        ("time_zone", old.time_zone, new.time_zone),
    ):
        if before != after:
            # A zone matters through hours alone, and there it is compared with them.
            yield Difference(field, Direction.NEUTRAL, f"{field}: from {before} to {after}")
    yield from _governance_differences(old.governance, new.governance)
    yield from number_differences("allowlist.waiting", old.allowlist_waiting, new.allowlist_waiting, show=show_duration)
    yield from _coin_differences(old.coins, new.coins)
    every = Limit(old.prove_keys_every), Limit(new.prove_keys_every)
    yield from limit_differences("keys.prove_every", *every, show_duration)
    shown = old.publishes_addresses, new.publishes_addresses
    yield from flag_differences("publication.addresses: shown", *shown, when_harder=False)
    if old.payment is None or new.payment is None:
        yield from _presence("payment", old.payment is not None, new.payment is not None)
    else:
        yield from _payment_differences(old.payment, new.payment, same_zone=same_zone)
    for field, before_move, after_move in (
        ("internal", old.internal, new.internal),
        ("bump", old.bump, new.bump),
        ("cancel", old.cancel, new.cancel),
    ):
        yield from _move_differences(field, before_move, after_move, same_zone=same_zone)
    names = [path.name for path in old.emergency]
    names += [path.name for path in new.emergency if path.name not in names]
    for name in names:
        yield from _path_differences(
            f"emergency.{name}", old.path_named(name), new.path_named(name), same_zone=same_zone
        )


def _presence(field: str, was_there: bool, is_there: bool) -> Differences:
    if was_there and not is_there:
        yield Difference(field, Direction.HARDER, f"{field}: forbidden from now on")
    elif is_there and not was_there:
        yield Difference(field, Direction.EASIER, f"{field}: allowed from now on, by rules of its own")


def _governance_differences(old: Governance, new: Governance) -> Differences:
    yield from quorum_differences("governance.approvals", old.approvals, new.approvals)
    yield from number_differences("governance.waiting", old.waiting, new.waiting, show=show_duration)
    yield from flag_differences(
        "governance.custodians_attest", old.custodians_attest, new.custodians_attest, when_harder=True
    )


def _coin_differences(old: CoinRules, new: CoinRules) -> Differences:
    yield from limit_differences("coins.address_cap", old.address_cap, new.address_cap)
    yield from flag_differences("coins.address_reuse", old.address_reuse, new.address_reuse, when_harder=False)
    for prefix in sorted({*old.keep_apart} ^ {*new.keep_apart}):
        is_new = prefix in new.keep_apart
        yield Difference(
            "coins.keep_apart",
            Direction.HARDER if is_new else Direction.EASIER,
            f"coins.keep_apart: coins labelled `{prefix}…` are {'now' if is_new else 'no longer'} kept apart",
        )


def _payment_differences(old: PaymentSection, new: PaymentSection, *, same_zone: bool) -> Differences:
    yield from _tier_differences(old, new, same_zone=same_zone)
    yield from flag_differences(
        "payment.drafter_approves", old.drafter_approves, new.drafter_approves, when_harder=False
    )
    yield from limits_differences("payment.limits", old.limits, new.limits)
    yield from transaction_differences("payment", old.transaction, new.transaction)


def _tier_differences(old: PaymentSection, new: PaymentSection, *, same_zone: bool) -> Differences:
    """Compare what each amount needs, range by range, to listed destinations and to others."""
    floor: int | None = None
    for top in _range_ends(old, new):
        label = "payment" if floor is None else f"payment above {show_amount(floor)}"
        label += "" if top is None else f" up to {show_amount(top)}"
        listed = _tier_for(old, top), _tier_for(new, top)
        yield from _need_differences(label, *listed, same_zone=same_zone)
        unlisted = _lifted(old, listed[0]), _lifted(new, listed[1])
        if unlisted != listed:
            yield from _need_differences(f"{label}, to others", *unlisted, same_zone=same_zone)
        floor = top


def _range_ends(old: PaymentSection, new: PaymentSection) -> list[int | None]:
    ends = {tier.up_to.most for tier in (*old.tiers, *new.tiers) if tier.up_to.most is not None}
    return [*sorted(ends), None]


def _tier_for(section: PaymentSection, amount: int | None) -> Tier | None:
    """Return the tier of an amount; None as an amount is one above every tier's that isn't unlimited."""
    return next(
        (
            tier
            for tier in section.tiers
            if tier.up_to.most is None or (amount is not None and tier.up_to.allows(amount))
        ),
        None,
    )


def _lifted(section: PaymentSection, tier: Tier | None) -> Tier | None:
    if tier is None or section.unlisted is None:
        return None
    return section.tiers[max(section.tiers.index(tier), section.tier_named(section.unlisted))]


def _need_differences(label: str, old: Tier | None, new: Tier | None, *, same_zone: bool) -> Differences:
    if old is None or new is None:
        yield from _presence(label, old is not None, new is not None)
        return
    yield from consent_differences(label, old.consent, new.consent, same_zone=same_zone)
    if old.name != new.name:
        yield Difference(label, Direction.NEUTRAL, f"{label}: tier {old.name} is now {new.name}")


def _move_differences(field: str, old: MoveSection | None, new: MoveSection | None, *, same_zone: bool) -> Differences:
    if old is None or new is None:
        yield from _presence(field, old is not None, new is not None)
        return
    yield from consent_differences(field, old.consent, new.consent, same_zone=same_zone)
    yield from flag_differences(
        f"{field}.drafter_approves", old.drafter_approves, new.drafter_approves, when_harder=False
    )
    yield from transaction_differences(field, old.transaction, new.transaction)


def _path_differences(
    field: str, old: EmergencyPath | None, new: EmergencyPath | None, *, same_zone: bool
) -> Iterator[Difference]:
    if old is None or new is None:
        yield from _presence(field, old is not None, new is not None)
        return
    for name in sorted({*old.destinations} ^ {*new.destinations}):
        is_new = name in new.destinations
        yield Difference(
            f"{field}.destinations",
            Direction.EASIER if is_new else Direction.HARDER,
            f"{field}.destinations: {name} is {'added' if is_new else 'removed'}",
        )
    yield from consent_differences(field, old.consent, new.consent, same_zone=same_zone)
    yield from flag_differences(
        f"{field}.drafter_approves", old.drafter_approves, new.drafter_approves, when_harder=False
    )
    yield from limits_differences(f"{field}.limits", old.limits, new.limits)
    yield from transaction_differences(field, old.transaction, new.transaction)
    yield from flag_differences(f"{field}.while_suspended", old.while_suspended, new.while_suspended, when_harder=False)
