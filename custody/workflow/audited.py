"""What an audit of a journal found, each finding with its place: values, and the order in which they are shown."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from custody.codes import Code
from custody.errors import Finding, JsonValue, Severity

MAX_FINDINGS = 10_000
"""So many are kept whole; of a file that has more the rest is counted."""

NOT_SHOWN = (
    "that a coin which an observation names exists and is unspent, and that no payment or outflow was left out: ask "
    "your own node (`custody audit balance --journal EXPORT --node URL`)",
    "that this is the only history of the vault: only a head or a signed checkpoint that was kept elsewhere shows a "
    "journal that was cut short or written anew as a whole",
    "who an actor was where no signature stands in the entry, and when by the clock",
)
"""What no journal can show by itself: on every answer."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A finding with its place."""

    finding: Finding
    seq: int | None
    """The entry, None where it is about the file or about something beside it."""
    line: int | None
    """In the file, from 1."""
    kind: str | None
    """Of the entry."""
    after_break: bool = False
    """Whether the chain is broken before it: that nothing between was left out is not shown then."""

    def to_json(self) -> dict[str, JsonValue]:
        """Return the finding's keys, and `entry line kind after_break`."""
        return {
            **self.finding.to_json(),
            "entry": self.seq,
            "line": self.line,
            "kind": self.kind,
            "after_break": self.after_break,
        }


@dataclass(slots=True)
class Findings:
    """Collects findings with their places."""

    placed: list[Placed] = field(default_factory=list)
    by_code: Counter[str] = field(default_factory=Counter)
    unlisted: int = 0
    """How many more there are than are kept."""
    first_break: int | None = None
    """The entry at which the chain is broken first."""

    def add(self, finding: Finding, *, seq: int | None, line: int | None = None, kind: str | None = None) -> None:
        """Keep one more, or count it."""
        self.by_code[str(finding.code)] += 1
        if len(self.placed) >= MAX_FINDINGS:
            self.unlisted += 1
            return
        broken = self.first_break is not None and seq is not None and seq > self.first_break
        self.placed.append(Placed(finding, seq, line, kind, broken))


@dataclass(frozen=True, slots=True)
class JournalAudit:
    """All that was found in a journal."""

    count: int
    """Entries that could be read."""
    head: str
    """Hash of the newest, as the file claims it; 64 zeros for none."""
    journal_id: str | None
    vault_id: str | None
    """Of the vault that it adopts, None where it adopts none."""
    vault_name: str | None
    findings: tuple[Placed, ...]
    """In the order of their entries; what is about no entry comes first."""
    unlisted: int
    by_code: Mapping[str, int]
    by_kind: Mapping[str, int]
    """Entries of each kind."""
    checked: Mapping[str, int]
    """How many of each were checked again."""
    first_break: int | None
    vouched_through: int | None
    """The newest entry that a head or a signed checkpoint kept elsewhere covers, through an unbroken chain."""
    kernel_verified: bool
    """False where this Python has no libbitcoinkernel to run finished transactions."""

    @property
    def refused(self) -> tuple[Code, ...]:
        """The codes of the findings that refuse, in their order."""
        return tuple(one.finding.code for one in self.findings if one.finding.severity is Severity.REFUSE)

    @property
    def is_sound(self) -> bool:
        """Whether nothing refuses; warnings may be there all the same."""
        return not self.refused and not self.unlisted

    def to_json(self) -> dict[str, JsonValue]:
        """Return `ok entries head findings`, and the rest."""
        return {
            "ok": self.is_sound,
            "entries": self.count,
            "head": self.head,
            "journal_id": self.journal_id,
            "vault_id": self.vault_id,
            "vault_name": self.vault_name,
            "findings": [one.to_json() for one in self.findings],
            "findings_not_listed": self.unlisted,
            "findings_by_code": dict(self.by_code),
            "entries_by_kind": dict(self.by_kind),
            "checked": dict(self.checked),
            "chain_whole_through": None if self.count == 0 else self._whole_through,
            "vouched_through": self.vouched_through,
            "kernel_verified": self.kernel_verified,
            "not_shown": [*NOT_SHOWN],
        }

    @property
    def _whole_through(self) -> int | None:
        if self.first_break is None:
            return self.count - 1
        return self.first_break - 1 if self.first_break > 0 else None
