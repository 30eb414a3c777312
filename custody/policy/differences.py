"""What differs between two versions of one part of a policy, and which way it moves.

A change counts as harder only where it is provable that whatever the new version lets
through, the old one let through too. Everything else that isn't mere wording is easier:
doubt counts against the change.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from custody.people.quorum import Quorum
from custody.policy.hours import Hours
from custody.policy.limit import Limit, show_amount, show_duration, show_percent, show_rate
from custody.policy.model import WINDOWS, Consent, Limits, TransactionRules


class Direction(Enum):
    """Which way a change moves."""

    EASIER = auto()
    HARDER = auto()
    NEUTRAL = auto()


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that changed."""

    field: str
    """Where it stands: `payment.limits.day`."""
    direction: Direction
    words: str
    """A sentence with the old value and the new one."""


Differences = Iterator[Difference]


def moved(field: str, old: str, new: str, *, is_no_weaker: bool) -> Differences:
    """Return that a value changed; nothing where both read alike."""
    if old != new:
        direction = Direction.HARDER if is_no_weaker else Direction.EASIER
        yield Difference(field, direction, f"{field}: from {old} to {new}")


def number_differences(field: str, old: int, new: int, *, show: Callable[[int], str] = str) -> Differences:
    """Compare numbers of which more is harder."""
    yield from moved(field, show(old), show(new), is_no_weaker=new >= old)


def limit_differences(field: str, old: Limit, new: Limit, show: Callable[[int], str] = show_amount) -> Differences:
    """Compare limits, of which less is harder."""
    yield from moved(field, show_limit(old, show), show_limit(new, show), is_no_weaker=new.is_within(old))


def flag_differences(field: str, old: bool, new: bool, *, when_harder: bool) -> Differences:
    """Compare yes and no, of which `when_harder` is the harder one."""
    yield from moved(field, "yes" if old else "no", "yes" if new else "no", is_no_weaker=new is when_harder)


def quorum_differences(field: str, old: Quorum, new: Quorum) -> Differences:
    """Compare quorums. As many or more of each role is harder: whoever meets the new one meets the old one."""
    counts = dict(new.roles)
    is_no_weaker = all(counts.get(role, 0) >= number for role, number in old.roles)
    yield from moved(field, old.words(), new.words(), is_no_weaker=is_no_weaker)


def consent_differences(field: str, old: Consent, new: Consent, *, same_zone: bool) -> Differences:
    """Compare approvals, waiting time and hours."""
    yield from quorum_differences(f"{field}.approvals", old.approvals, new.approvals)
    yield from number_differences(f"{field}.waiting", old.waiting, new.waiting, show=show_duration)
    if old.hours != new.hours or (new.hours is not None and not same_zone):
        yield Difference(
            f"{field}.hours",
            Direction.HARDER if _hours_within(new.hours, old.hours, same_zone) else Direction.EASIER,
            f"{field}.hours: from {show_hours(old.hours)} to {show_hours(new.hours)}"
            + ("" if same_zone else ", in another time zone"),
        )


def transaction_differences(field: str, old: TransactionRules, new: TransactionRules) -> Differences:
    """Compare what a transaction must be like."""
    yield from limit_differences(f"{field}.fee.max", old.fee.most, new.fee.most)
    yield from limit_differences(f"{field}.fee.max_rate", old.fee.rate, new.fee.rate, show_rate)
    yield from limit_differences(f"{field}.fee.max_percent", old.fee.percent, new.fee.percent, show_percent)
    yield from number_differences(f"{field}.confirmations", old.confirmations, new.confirmations)
    yield from number_differences(f"{field}.inputs.min", old.min_inputs, new.min_inputs)
    yield from limit_differences(f"{field}.inputs.max", old.max_inputs, new.max_inputs, str)
    yield from flag_differences(
        f"{field}.locktime: only the tip's", old.locktime_by_tip, new.locktime_by_tip, when_harder=True
    )
    yield from flag_differences(
        f"{field}.replaceable: required",
        old.must_signal_replacement,
        new.must_signal_replacement,
        when_harder=True,
    )
    yield from limit_differences(f"{field}.expiry", Limit(old.expiry), Limit(new.expiry), show_duration)


def limits_differences(field: str, old: Limits, new: Limits) -> Differences:
    """Compare the limit per payment and those of the windows."""
    yield from limit_differences(f"{field}.payment", old.payment, new.payment)
    for name, _length in WINDOWS:
        yield from limit_differences(f"{field}.{name}", old.of_window(name), new.of_window(name))


def show_limit(limit: Limit, show: Callable[[int], str] = show_amount) -> str:
    """Return a limit for people."""
    return "unlimited" if limit.most is None else show(limit.most)


def show_hours(hours: Hours | None) -> str:
    """Return hours for people."""
    return "any hour" if hours is None else hours.show()


def _hours_within(new: Hours | None, old: Hours | None, same_zone: bool) -> bool:
    if old is None:
        return True
    return new is not None and same_zone and old.covers(new)
