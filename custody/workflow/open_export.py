"""Open an exported journal on a machine that has nothing else: the vault it adopted, and the state it comes to.

The export is checked as `journal verify` checks it and folded on the way, with memory that grows with the state
alone. Whose vault it is, the journal says; so a vault file or a descriptor from elsewhere is compared where one is
given. What it says of the chain is the word of whoever wrote it: only a node can tell (`audit balance --journal`).
"""

from dataclasses import dataclass
from pathlib import Path

from custody.audit.journal import require_clean
from custody.audit.state import State
from custody.codes import Code
from custody.errors import CheckFailed, Finding, Severity, refusals
from custody.ports import Progress, no_progress
from custody.vault.vault import Vault
from custody.workflow.export_file import ExportFile
from custody.workflow.verify_journal import Kept, check_inspected


@dataclass(frozen=True, slots=True)
class Export:
    """A sound journal, replayed."""

    vault: Vault
    """The one that it adopted."""
    state: State
    head: str
    """Hash of the newest entry."""
    count: int
    """How many entries it has."""
    findings: tuple[Finding, ...]
    """Warnings: clocks that stepped back, entries that claim authority and have none. Nothing refuses."""


def open_export(
    path: Path,
    *,
    expected: Vault | None = None,
    expect_head: str | None = None,
    kept: Kept = (),
    progress: Progress = no_progress,
) -> Export:
    """Replay the export or backup `path`, and compare it with what was kept elsewhere.

    Raises:
        Altered: JOURNAL_ALTERED or JOURNAL_FORK, with every finding in its details; BACKUP_ALTERED.
        CheckFailed: VAULT_MISMATCH, it is the journal of another vault than `expected`.
        InvalidInput, SecretRefused: the file can't be read. UpgradeNeeded: a later version wrote it.
        UsageError: `expect_head` is no hash.
    """
    file = ExportFile(path, progress)
    check, state = check_inspected(file.inspect_each(), expect_head, kept)
    require_clean(refusals(check.findings))
    if state is None:
        raise TypeError("a journal without a refusal has a state")
    file.require_said(state.vault_id, check.count, check.head)
    vault = Vault.from_document(dict(state.vault_document))
    mismatch = vault_finding(vault, expected)
    if mismatch is not None:
        raise CheckFailed(mismatch.code, mismatch.message, advice=mismatch.advice)
    return Export(vault, state, check.head, check.count, check.findings)


def vault_finding(adopted: Vault, expected: Vault | None) -> Finding | None:
    """Return what is wrong where a journal adopts another vault than the expected one; names don't matter."""
    if expected is None or adopted.vault_id == expected.vault_id:
        return None
    return Finding(
        Code.VAULT_MISMATCH,
        Severity.REFUSE,
        "entry:0",
        f"the journal adopts the vault {adopted.vault_id}, the one given beside it is {expected.vault_id}",
        "Find out whose journal this is: nothing in it says anything about your vault.",
    )
