"""Check a journal whole, in its file or as an export, and return every discrepancy.

Checked are the file, each entry's bytes and hash, the chain, what the entries mean together
(the fold), the vault file beside it, and an expected head kept elsewhere: only that shows a
journal cut short or rewritten as a whole.
"""

from dataclasses import dataclass

from custody.audit.fold import fold
from custody.audit.journal import GENESIS_PREV, Entry, Inspection, head_finding, inspect_export
from custody.errors import Altered, Finding, JsonValue, Severity
from custody.workflow.open_vault import open_vault
from custody.workspace.journal_store import open_journal
from custody.workspace.layout import Workspace


@dataclass(frozen=True, slots=True)
class JournalCheck:
    """What was found."""

    entries: tuple[Entry, ...]
    findings: tuple[Finding, ...]

    @property
    def is_intact(self) -> bool:
        """Whether nothing at all is wrong."""
        return not self.findings

    @property
    def head(self) -> str:
        """Hash of the newest entry that could be read, 64 zeros for none."""
        return self.entries[-1].hash if self.entries else GENESIS_PREV

    def to_json(self) -> dict[str, JsonValue]:
        """Return the keys of the design, section 6, and the findings."""
        return {
            "ok": self.is_intact,
            "entries": len(self.entries),
            "head": self.head,
            "findings": [one.to_json() for one in self.findings],
        }


def verify_workspace_journal(workspace: Workspace, *, expect_head: str | None) -> JournalCheck:
    """Check the workspace's journal and that its vault file is the adopted one.

    Raises:
        UpgradeNeeded: the journal is intact and holds an entry of a kind that this version does not know.
        UsageError: `expect_head` is no hash.
    """
    try:
        inspection = open_journal(workspace).inspect()
    except Altered as error:
        inspection = Inspection((), (_named("file", error),))
    check = _checked(inspection, expect_head)
    if not check.is_intact:
        return check
    try:
        open_vault(workspace)
    except Altered as error:
        return JournalCheck(check.entries, (_named("vault.yaml", error),))
    return check


def verify_export(export: bytes, *, expect_head: str | None) -> JournalCheck:
    """Check an export alone. Raises as `verify_workspace_journal`."""
    return _checked(inspect_export(export), expect_head)


def _checked(inspection: Inspection, expect_head: str | None) -> JournalCheck:
    findings = list(inspection.findings)
    if not findings:
        try:
            fold(inspection.entries)
        except Altered as error:
            seq = error.details.get("seq")
            findings.append(_named("journal" if seq is None else f"entry:{seq}", error))
    if expect_head is not None:
        missing = head_finding(inspection.entries, expect_head)
        findings += [] if missing is None else [missing]
    return JournalCheck(inspection.entries, tuple(findings))


def _named(where: str, error: Altered) -> Finding:
    return Finding(error.code, Severity.REFUSE, where, error.message, error.advice)
