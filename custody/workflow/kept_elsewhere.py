"""What people kept apart from a backup: only that shows an old one, another history, or another vault."""

from dataclasses import dataclass

from custody.audit.governance import GovernanceState
from custody.audit.journal import GENESIS_PREV, fork_finding, require_clean, require_hash
from custody.audit.journal_fields import is_hash
from custody.codes import Code
from custody.errors import CheckFailed, Finding, Severity, UsageError, refusals
from custody.workflow.checkpoint import Hashes, compare_checkpoint, governance_findings
from custody.workflow.verify_journal import Kept


@dataclass(frozen=True, slots=True)
class Expected:
    """What was kept apart from the backup; each part is compared if it is there."""

    vault_id: str | None = None
    head: str | None = None
    """A head of the journal: the restored one must be it or follow it."""
    kept: Kept = ()
    """Signed checkpoints."""

    def __post_init__(self) -> None:
        if self.head is not None:
            require_hash(self.head)
        if self.vault_id is not None and not is_hash(self.vault_id):
            raise UsageError(
                Code.USAGE,
                "the expected vault_id is not 64 lower-case hex characters",
                advice="Copy the whole vault_id from the place where it was kept.",
            )

    def require_vault(self, vault_id: str) -> None:
        """Demand that a vault is the expected one, where one is.

        Raises:
            CheckFailed: VAULT_MISMATCH.
        """
        if self.vault_id is not None and vault_id != self.vault_id:
            raise CheckFailed(
                Code.VAULT_MISMATCH,
                f"the vault_id is {vault_id}, expected {self.vault_id}",
                advice="Nothing was written. Find out where this file comes from before anybody relies on it.",
            )

    def require_journal(self, hashes: Hashes, gov: GovernanceState) -> list[Finding]:
        """Hold a journal against the head and the checkpoints, and return the warnings, one if there are neither.

        Raises:
            Altered: JOURNAL_FORK.
        """
        found = governance_findings(hashes, gov)
        if self.head is not None and not hashes.holds(self.head):
            found.append(fork_finding(self.head, hashes.of_head(len(hashes)) or GENESIS_PREV, len(hashes)))
        found += [one for where, head in self.kept for one in compare_checkpoint(hashes, gov, head, where)]
        require_clean(refusals(found))
        return found if self.head is not None or self.kept else [*found, _not_compared("its journal")]

    def remarks_on_description(self) -> list[Finding]:
        """Return what to say of a vault that came without a journal: a warning where no vault_id was given."""
        return [] if self.vault_id is not None else [_not_compared("the vault")]


def _not_compared(what: str) -> Finding:
    return Finding(
        Code.BACKUP_NOT_COMPARED,
        Severity.WARN,
        "backup",
        f"{what} was compared with nothing that was kept elsewhere: an old or a forged file looks as good as this",
        "Compare vault_id and head with paper before anybody relies on this folder, or delete it and restore again "
        "with --expect-head and --expect-vault-id.",
    )
