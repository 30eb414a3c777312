"""Check a journal whole, in its store or as an export, and return every discrepancy.

Checked are the file, each entry's bytes and hash, the chain, what the entries mean together
(the fold), the vault file beside it, and an expected head kept elsewhere: only that shows a
journal cut short or rewritten as a whole. One pass, which keeps no entry: memory grows with
the state and 32 bytes an entry. Clocks that stepped back, and entries that claim authority and
have none, are warnings; the journal is intact all the same. Signed checkpoints, those in it and
those kept elsewhere, are held against it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from custody.audit.fold import fold
from custody.audit.governance import GovernanceState
from custody.audit.journal import GENESIS_PREV, Entry, fork_finding, inspect_export_lines, require_hash
from custody.audit.journal_clock import ClockWatch
from custody.audit.state import State
from custody.errors import Altered, Finding, JsonValue, Severity, UpgradeNeeded, refusals
from custody.vault.vault import Vault
from custody.workflow.checkpoint import Hashes, SignedHead, compare_checkpoint, governance_findings
from custody.workflow.open_vault import require_adopted_file
from custody.workspace.journal_store import open_journal
from custody.workspace.layout import Workspace


@dataclass(frozen=True, slots=True)
class JournalCheck:
    """What was found."""

    count: int
    """How many entries could be read."""
    head: str
    """Hash of the newest entry that could be read, 64 zeros for none."""
    findings: tuple[Finding, ...]
    """Those that refuse first."""

    @property
    def is_intact(self) -> bool:
        """Whether nothing was altered; warnings may be there all the same."""
        return not refusals(self.findings)

    def to_json(self) -> dict[str, JsonValue]:
        """Return the keys of the design, section 6, and the findings."""
        return {
            "ok": self.is_intact,
            "entries": self.count,
            "head": self.head,
            "findings": [one.to_json() for one in self.findings],
        }


Kept = Sequence[tuple[str, SignedHead]]
"""Checkpoints that were kept elsewhere, each with the name of its file."""


def verify_workspace_journal(workspace: Workspace, *, expect_head: str | None, kept: Kept = ()) -> JournalCheck:
    """Check the workspace's journal and that its vault file is the adopted one.

    Raises:
        UpgradeNeeded: the journal is intact and holds an entry of a kind that this version does not know.
        UsageError: `expect_head` is no hash.
    """
    try:
        inspected = open_journal(workspace).inspect_each()
    except Altered as error:
        inspected = iter((_named("file", error),))
    check, state = check_inspected(inspected, expect_head, kept)
    if state is None:
        return check
    try:
        require_adopted_file(workspace, Vault.from_document(dict(state.vault_document)))
    except Altered as error:
        return replace(check, findings=(_named("vault.yaml", error), *check.findings))
    return check


def verify_export(export: bytes, *, expect_head: str | None, kept: Kept = ()) -> JournalCheck:
    """Check an export alone. Raises as `verify_workspace_journal`."""
    return check_inspected(inspect_export_lines(export), expect_head, kept)[0]


def check_inspected(
    inspected: Iterator[Entry | Finding], expect_head: str | None, kept: Kept
) -> tuple[JournalCheck, State | None]:
    """Check whatever an inspection yields; return what was found, and the state where nothing refuses.

    Raises as `verify_workspace_journal`.
    """
    if expect_head is not None:
        require_hash(expect_head)
    reading = _Reading(inspected, expect_head)
    state, objection = _folded(reading.sound_entries())
    reading.finish()
    findings = reading.findings
    if not findings and objection is not None:
        if isinstance(objection, UpgradeNeeded):
            raise objection
        seq = objection.details.get("seq")
        findings.append(_named("journal" if seq is None else f"entry:{seq}", objection))
    if expect_head is not None and not reading.has_expected_head:
        findings.append(fork_finding(expect_head, reading.head, reading.count))
    gov = GovernanceState() if state is None else state.governance
    found = governance_findings(reading.hashes, gov)
    found += [one for where, head in kept for one in compare_checkpoint(reading.hashes, gov, head, where)]
    findings += refusals(found)
    warnings = [*reading.warnings, *(one for one in found if one.severity is Severity.WARN)]
    check = JournalCheck(reading.count, reading.head, (*findings, *warnings))
    return check, state if check.is_intact else None


class _Reading:
    """One pass over what an inspection yields: counts, collects the findings, looks for the head, watches clocks."""

    def __init__(self, inspected: Iterator[Entry | Finding], expect_head: str | None) -> None:
        self.count = 0
        self.head = GENESIS_PREV
        self.findings: list[Finding] = []
        self.warnings: list[Finding] = []
        self.has_expected_head = expect_head in (None, GENESIS_PREV)
        self._expect_head = expect_head
        self._inspected = inspected
        self._clocks = ClockWatch()
        self._hashes = bytearray()

    @property
    def hashes(self) -> Hashes:
        """The hash of every entry that could be read: 32 bytes each is all that is kept of one."""
        return Hashes(bytes(self._hashes))

    def sound_entries(self) -> Iterator[Entry]:
        """Yield the entries up to the first discrepancy: after it, what entries mean together is unknown."""
        for found in self._each():
            if isinstance(found, Finding):
                return
            yield found

    def finish(self) -> None:
        """Read whatever nobody asked for."""
        for _found in self._each():
            pass

    def _each(self) -> Iterator[Entry | Finding]:
        try:
            for found in self._inspected:
                self._note(found)
                yield found
        except Altered as error:
            self.findings.append(_named("file", error))

    def _note(self, found: Entry | Finding) -> None:
        if isinstance(found, Finding):
            self.findings.append(found)
            return
        self.count += 1
        self.head = found.hash
        self._hashes += bytes.fromhex(found.hash)
        self.has_expected_head = self.has_expected_head or found.hash == self._expect_head
        self.warnings += self._clocks.judge(found)


def _folded(entries: Iterable[Entry]) -> tuple[State | None, Altered | UpgradeNeeded | None]:
    """Return the state, or why there is none; that counts only where the entries themselves are sound."""
    try:
        return fold(entries), None
    except (Altered, UpgradeNeeded) as error:
        return None, error


def _named(where: str, error: Altered) -> Finding:
    return Finding(error.code, Severity.REFUSE, where, error.message, error.advice)
