"""A decision: may it happen, which rules say so, and what is still missing from whom.

Deny by default, forbid beats permit. A rule that forbids makes the decision a no; what only
time, a signature or an approval can bring is `missing`, and the decision is a not-yet.
"""

from dataclasses import dataclass
from enum import StrEnum

from custody.codes import Code
from custody.errors import JsonValue, NotYet, PolicyDenied


class Gate(StrEnum):
    """The step that asks. Each asks again from the bytes; no answer is carried from one to the next."""

    DRAFT = "draft"
    APPROVE = "approve"
    SIGN = "sign"
    FINALIZE = "finalize"
    BROADCAST = "broadcast"


class Effect(StrEnum):
    """What a rule says."""

    PERMIT = "permit"
    FORBID = "forbid"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule that made the decision."""

    rule: str
    """Where it stands in the policy: `payment.limits.day`, `payment.tiers.large`, `suspension`, …"""
    effect: Effect
    words: str
    """A sentence for an officer, with the amounts, names and times that made it so."""

    def to_json(self) -> dict[str, JsonValue]:
        """Return the reason."""
        return {"rule": self.rule, "effect": str(self.effect), "words": self.words}


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that is still to come."""

    rule: str
    what: str
    """A sentence: `2 more approvals by an approver`, `waits until 2026-11-30T08:00:00Z`."""
    sources: tuple[str, ...] = ()
    """Officers who can give it, by name; empty where only time can."""

    def to_json(self) -> dict[str, JsonValue]:
        """Return the keys of the design, section 6."""
        return {"rule": self.rule, "what": self.what, "from": [*self.sources]}


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer of the policy to one request at one gate."""

    reasons: tuple[Reason, ...]
    """Every rule that was asked, in the policy's order; those that forbid among them."""
    missing: tuple[Missing, ...] = ()

    @property
    def is_denied(self) -> bool:
        """Whether any rule forbids it, or none permits it."""
        effects = {reason.effect for reason in self.reasons}
        return Effect.FORBID in effects or Effect.PERMIT not in effects

    @property
    def is_allowed(self) -> bool:
        """Whether it may happen now."""
        return not self.is_denied and not self.missing

    @property
    def forbidding(self) -> tuple[Reason, ...]:
        """The rules that forbid it."""
        return tuple(reason for reason in self.reasons if reason.effect is Effect.FORBID)

    def to_json(self) -> dict[str, JsonValue]:
        """Return the keys of the design, section 6, and each rule with its effect."""
        return {
            "allowed": self.is_allowed,
            "reasons": [reason.words for reason in (self.forbidding or self.reasons)],
            "missing": [one.to_json() for one in self.missing],
            "rules": [reason.to_json() for reason in self.reasons],
        }


def require_not_denied(decision: Decision) -> None:
    """Demand that no rule forbids it; what is missing may still come.

    Raises:
        PolicyDenied: POLICY_DENIED with every rule that forbids.
    """
    if not decision.is_denied:
        return
    words = [reason.words for reason in decision.forbidding] or ["no rule of the policy permits it"]
    raise PolicyDenied(
        Code.POLICY_DENIED,
        "the spend policy says no",
        points=words,
        advice="Read the policy with `custody policy explain`; change the payment, or the policy by its own rule.",
        details={"decision": decision.to_json()},
    )


def require_allowed(decision: Decision) -> None:
    """Demand that it may happen now.

    Raises:
        PolicyDenied: POLICY_DENIED. NotYet: APPROVALS_MISSING with what is missing and from whom.
    """
    require_not_denied(decision)
    if decision.missing:
        raise NotYet(
            Code.APPROVALS_MISSING,
            "not yet",
            points=[one.what for one in decision.missing],
            advice="See `custody proposal show` for who is awaited; `custody proposal approve` gives an approval.",
            details={"decision": decision.to_json()},
        )
