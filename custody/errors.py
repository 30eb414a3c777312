"""The error tree: what went wrong, where, and what to do about it.

Every failure that a person can meet is a `CustodyError` with an exit code (what the
reader does next), a stable code from the one registry in `codes.py` (what scripts match
on), a message, and one sentence of advice. A `Finding` is the same thing as a value:
checks return findings, and only a `require_*` function turns one into an error.

Nothing here prints. No message, advice or detail may ever hold secret material.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, TypeAlias

from custody.codes import Code

JsonValue: TypeAlias = "bool | int | str | list[JsonValue] | dict[str, JsonValue] | None"


class CustodyError(Exception):
    """A refusal that a person can act on. Raise a subclass, never this class itself."""

    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        advice: str,
        points: Sequence[str] = (),
        details: Mapping[str, JsonValue] | None = None,
    ) -> None:
        self.lead = message
        """The message without its points."""
        self.points = tuple(points)
        """What the lead says one by one: a list on a screen, joined in the message."""
        message = f"{message}: {'; '.join(self.points)}" if points else message
        super().__init__(message)
        self.code = code
        self.message = message
        """Lower case, no full stop, user's text in backticks, got and wanted."""
        self.advice = advice
        """One full sentence that says what to do."""
        self.details: dict[str, JsonValue] = dict(details or {})


class UsageError(CustodyError):
    """The command line is wrong: an unknown acknowledgement, a missing unit (exit 2)."""

    exit_code = 2


class CheckFailed(CustodyError):
    """Something contradicts trusted data: do not sign, raise the alarm (exit 3)."""

    exit_code = 3


class PolicyDenied(CustodyError):
    """The spend policy, or the lack of one, says no (exit 4)."""

    exit_code = 4


class NotYet(CustodyError):
    """Approvals, signatures, an acknowledgement or a person's yes are missing (exit 5)."""

    exit_code = 5


class InvalidInput(CustodyError):
    """The input is wrong in itself: malformed, unsupported, out of range (exit 6)."""

    exit_code = 6


class SecretRefused(InvalidInput):
    """Input that looks like a private key or seed. Names kind and place, never the value (exit 6)."""


class UpgradeNeeded(InvalidInput):
    """An intact document or entry of a kind that this version does not know (exit 6)."""


class Conflict(CustodyError):
    """Stale, already done, coin spent or too few, workspace locked: look, then redo (exit 7)."""

    exit_code = 7


class DeviceUnavailable(CustodyError):
    """A device is absent, locked, or its holder refused (exit 8)."""

    exit_code = 8


class ChainUnavailable(CustodyError):
    """The node is absent, behind, busy, incomplete, or rejected the transaction (exit 9)."""

    exit_code = 9


class Altered(CustodyError):
    """The journal, its export or the workspace was altered: stop, call the auditor (exit 10)."""

    exit_code = 10


class Severity(StrEnum):
    """How much a finding weighs. REFUSE stops, WARN needs an acknowledgement, NOTE informs."""

    REFUSE = "refuse"
    WARN = "warn"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a check, as a value."""

    code: Code
    severity: Severity
    where: str
    """`tx`, `input:N`, `output:N`, a txid, `cosigner:NAME`, `vault`, …: what `--ack CODE@where` names."""
    message: str
    advice: str

    def to_json(self) -> dict[str, JsonValue]:
        """Return the finding in the form that every `--json` answer uses."""
        return {
            "code": str(self.code),
            "severity": str(self.severity),
            "where": self.where,
            "message": self.message,
            "advice": self.advice,
        }


def refusals(findings: "tuple[Finding, ...] | list[Finding]") -> tuple[Finding, ...]:
    """Return the findings that refuse, in their order."""
    return tuple(finding for finding in findings if finding.severity is Severity.REFUSE)
