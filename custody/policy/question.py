"""One question to the policy, and what a rule answers: the shared ground of the rules.

A rule yields a `Reason` where it permits or forbids, a `Missing` where something is still to
come. It always yields: whoever asks sees every rule that was asked.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from custody.policy.decision import Effect, Gate, Missing, Reason
from custody.policy.facts import History, SpendRequest
from custody.policy.hours import TimeZone
from custody.policy.model import SpendPolicy

Ruling: TypeAlias = "Reason | Missing"
Rulings: TypeAlias = "Iterator[Ruling]"


@dataclass(frozen=True, slots=True)
class Question:
    """May this request pass this gate, by this policy, after this history?"""

    policy: SpendPolicy
    request: SpendRequest
    history: History
    gate: Gate
    zone: TimeZone

    def __post_init__(self) -> None:
        if self.zone.name != self.policy.time_zone:
            raise ValueError("the rules of another time zone than the policy's were passed in")

    def show(self, unix_s: int) -> str:
        """Return a moment in UTC and in the policy's zone."""
        return self.zone.show(unix_s)


def ruled(rule: str, holds: bool, if_so: str, if_not: str) -> Reason:
    """Return that a rule permits where it holds, and forbids where it doesn't."""
    return permitted(rule, if_so) if holds else forbidden(rule, if_not)


def permitted(rule: str, words: str) -> Reason:
    """Return that a rule permits."""
    return Reason(rule, Effect.PERMIT, words)


def forbidden(rule: str, words: str) -> Reason:
    """Return that a rule forbids."""
    return Reason(rule, Effect.FORBID, words)


def count(number: int, noun: str) -> str:
    """Return `1 coin`, `2 coins`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
