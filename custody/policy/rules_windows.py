"""Limits per payment and per rolling window, over everything that leaves the vault.

A window counts payees and fee of every proposal from its first approval until one window
after its first block or its death, a set that replace one another once at its largest, and
every outflow that no proposal explains. So ten payments drafted side by side can't each pass
alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from custody.policy.limit import Limit, show_amount, show_duration
from custody.policy.model import WINDOWS, Limits
from custody.policy.question import Question, Ruling, count, forbidden, permitted, ruled


def limit_rulings(question: Question, rule: str, limits: Limits) -> Iterator[Ruling]:
    """Rule on the limit per payment and on each rolling window."""
    amount = question.request.amount
    yield ruled(
        f"{rule}.limits.payment",
        limits.payment.allows(amount),
        f"{show_amount(amount)} is within the limit per payment: {_show(limits.payment)}",
        f"{show_amount(amount)} is more than one payment may be: {_show(limits.payment)}",
    )
    for name, length in WINDOWS:
        yield _window_ruling(question, f"{rule}.limits.{name}", _Window(question, name, length), limits.of_window(name))


def _window_ruling(question: Question, rule: str, window: "_Window", limit: Limit) -> Ruling:
    now = question.history.now
    others, own = window.used_by_others(now), window.used_by_own_group(now)
    groups, outflows = window.counted(now)
    sources = count(groups, "other proposal") + (f" and {count(outflows, 'unexplained outflow')}" if outflows else "")
    used = f"{show_amount(others)} counted in {show_duration(window.length)} by {sources}"
    words = f"limit per {window.name} {_show(limit)}: {used}; with this one {show_amount(others + own)}"
    if limit.allows(others + own):
        return permitted(rule, words)
    fits = next((moment for moment in window.changes(now) if limit.allows(window.total(moment))), None)
    if fits is not None:
        return forbidden(rule, f"{words}; it fits from {question.show(fits)} if nothing else happens")
    if limit.allows(question.request.amount):
        return forbidden(rule, f"{words}; it fits when enough of the others have ended, and one window has passed")
    return forbidden(rule, f"{words}; it never fits")


@dataclass(frozen=True, slots=True)
class _Window:
    """What counts at a moment, seen from now on."""

    question: Question
    name: str
    length: int

    def total(self, moment: int) -> int:
        return self.used_by_others(moment) + self.used_by_own_group(moment)

    def used_by_others(self, moment: int) -> int:
        """Return other groups at their largest, and outflows."""
        return sum(self._largest(moment).values()) + sum(
            one.amount for one in self.question.history.outflows if moment < one.time + self.length
        )

    def used_by_own_group(self, moment: int) -> int:
        """Return the request's own group at its largest, the request included."""
        request = self.question.request
        counted = [
            one.amount
            for one in self.question.history.spends
            if one.group == request.group and self._counts(one.ended, moment)
        ]
        return max([request.amount, *counted])

    def counted(self, moment: int) -> tuple[int, int]:
        """Return how many other groups and how many outflows count."""
        outflows = [one for one in self.question.history.outflows if moment < one.time + self.length]
        return len(self._largest(moment)), len(outflows)

    def changes(self, now: int) -> list[int]:
        """Return the moments after now at which something stops counting, if nothing else happens."""
        ends = {one.ended + self.length for one in self.question.history.spends if one.ended is not None}
        ends |= {one.time + self.length for one in self.question.history.outflows}
        return sorted(end for end in ends if end > now)

    def _largest(self, moment: int) -> dict[str, int]:
        largest: dict[str, int] = {}
        for one in self.question.history.spends:
            if one.group != self.question.request.group and self._counts(one.ended, moment):
                largest[one.group] = max(one.amount, largest.get(one.group, 0))
        return largest

    def _counts(self, ended: int | None, moment: int) -> bool:
        return ended is None or moment < ended + self.length


def _show(limit: Limit) -> str:
    return "unlimited" if limit.most is None else show_amount(limit.most)
