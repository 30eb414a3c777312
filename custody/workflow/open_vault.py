"""Open a workspace's vault: the file on disk counts only where it says what the journal adopted."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from custody import atomic
from custody.audit.journal import Entry
from custody.codes import Code
from custody.errors import Altered, CustodyError, JsonValue
from custody.vault.formats import vault_file
from custody.vault.vault import Vault
from custody.workflow.create_vault import ADOPTED
from custody.workspace.journal_store import open_journal
from custody.workspace.layout import Workspace


@dataclass(frozen=True, slots=True)
class OpenedVault:
    """A vault whose file and journal agree."""

    vault: Vault
    ungoverned: bool
    head: str
    """Hash of the journal's newest entry."""


def read_vault_file(path: Path) -> Vault:
    """Read one vault file, without a journal: what a signer does.

    Raises:
        InvalidInput: absent, unreadable, or not a sound vault document.
    """
    return vault_file.parse(atomic.read_file(path, max_bytes=vault_file.MAX_BYTES))


def open_vault(workspace: Workspace) -> OpenedVault:
    """Return the adopted vault, after the journal's chain was checked and the file compared with it.

    Raises:
        Altered: WORKSPACE_ALTERED, JOURNAL_MISSING, JOURNAL_ALTERED.
    """
    adopted, head = _adoption_and_head(open_journal(workspace).stream())
    vault = _vault_of(adopted)
    require_adopted_file(workspace, vault)
    return OpenedVault(vault, adopted.body.get("ungoverned") is True, head)


def require_adopted_file(workspace: Workspace, vault: Vault) -> None:
    """Demand that the workspace's vault file says what the journal adopted: `vault`, read from there.

    Raises:
        Altered: WORKSPACE_ALTERED.
    """
    if _file_digest(workspace.vault_yaml) != vault.document_digest:
        raise _altered(f"`{workspace.vault_yaml.name}` is not the vault document that the journal adopted")


def _adoption_and_head(entries: Iterable[Entry]) -> tuple[Entry, str]:
    adopted, head = None, ""
    for entry in entries:
        head = entry.hash
        if entry.kind == ADOPTED:
            adopted = entry
    if adopted is None:
        raise _altered("the journal adopts no vault")
    return adopted, head


def _vault_of(adopted: Entry) -> Vault:
    document: JsonValue = adopted.body.get("document")
    vault = Vault.from_document(document)
    if adopted.body.get("vault_id") != vault.vault_id:
        raise _altered("the adopted vault document and its vault_id do not belong together")
    return vault


def _file_digest(path: Path) -> str | None:
    """Return the digest of the document, or None for a file that is no vault document any more."""
    try:
        return read_vault_file(path).document_digest
    except CustodyError:
        return None


def _altered(message: str) -> Altered:
    return Altered(
        Code.WORKSPACE_ALTERED,
        message,
        advice="Stop, sign nothing, keep the files as they are, and call the auditor.",
    )
