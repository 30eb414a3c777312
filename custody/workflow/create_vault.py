"""Create a workspace for a vault: its file and its journal with the adoption, in one step.

Both `vault create` and `vault import` end here. The folder appears whole or not at all, so that
a kill never leaves a vault file without the journal that adopted it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from custody import atomic
from custody.audit.fold import fold
from custody.audit.journal import GENESIS_PREV, Entry
from custody.audit.signers import DESCRIBED
from custody.codes import Code
from custody.errors import Altered, Finding, JsonValue
from custody.ports import Clock, NonceSource
from custody.vault.checks import require_sound
from custody.vault.formats import vault_file
from custody.vault.vault import Vault
from custody.workflow.clock import rfc3339
from custody.workspace.fresh_folder import fresh_folder
from custody.workspace.layout import Workspace
from custody.workspace.sqlite_store import SqliteJournal

ADOPTED = "vault_adopted"


def create_vault(
    vault: Vault,
    directory: Path,
    *,
    ungoverned: bool,
    actor: str | None,
    clock: Clock,
    ids: NonceSource,
    descriptions: Sequence[Mapping[str, JsonValue]] = (),
) -> tuple[Finding, ...]:
    """Write the workspace and return what the checks of the vault's keys warn of.

    `ungoverned` says that payments are meant to be possible without a spend policy; `descriptions` are bodies of
    `cosigner_described`, as `describe_cosigner` makes them.

    Raises:
        InvalidInput: a key is refused, or the parent folder is missing.
        Conflict: VAULT_EXISTS.
    """
    findings = require_sound(vault)
    entries = [adoption(vault, ungoverned=ungoverned, actor=actor, clock=clock, ids=ids)]
    for body in descriptions:
        entries.append(_following(entries[-1], DESCRIBED, body))
    fold(entries)  # before anything is written: what no later command could read never gets in
    write_workspace(vault, entries, directory, unique=ids.nonce())
    return findings


def write_workspace(vault: Vault, entries: Sequence[Entry], directory: Path, *, unique: str) -> None:
    """Write a workspace whose journal holds `entries`, whole or not at all.

    Raises:
        Conflict: VAULT_EXISTS. InvalidInput: the parent folder is missing.
    """
    with fresh_folder(directory, unique=unique) as folder:
        workspace = Workspace(folder)
        workspace.make_folders()
        journal = SqliteJournal.create(workspace.journal_db, entries[0].journal_id)
        journal.append(entries, expected_head=None)
        write_vault_file(workspace, vault)


def write_vault_file(workspace: Workspace, vault: Vault) -> None:
    """Write a workspace's vault file, and read it back.

    Raises:
        Conflict: FILE_EXISTS. Altered: WORKSPACE_ALTERED, it does not read back.
    """
    atomic.create_file(workspace.vault_yaml, vault_file.write(vault).encode())
    _require_readable(workspace.vault_yaml, vault)


def adoption(vault: Vault, *, ungoverned: bool, actor: str | None, clock: Clock, ids: NonceSource) -> Entry:
    """Return the first entry of a new journal: it adopts the vault."""
    return Entry.make(
        journal_id=ids.nonce(),
        seq=0,
        time=rfc3339(clock.now()),
        tip=None,
        actor=actor,
        kind=ADOPTED,
        body={"document": vault.to_document(), "vault_id": vault.vault_id, "ungoverned": ungoverned},
        request_id=ids.nonce(),
        prev=GENESIS_PREV,
    )


def _following(before: Entry, kind: str, body: Mapping[str, JsonValue]) -> Entry:
    return Entry.make(
        journal_id=before.journal_id,
        seq=before.seq + 1,
        time=before.time,
        tip=None,
        actor=before.actor,
        kind=kind,
        body=dict(body),
        request_id=before.request_id,
        prev=before.hash,
    )


def _require_readable(path: Path, vault: Vault) -> None:
    """Read back what will be trusted for decades before anybody relies on it."""
    written = vault_file.parse(atomic.read_file(path, max_bytes=vault_file.MAX_BYTES))
    if written != vault:
        raise Altered(
            Code.WORKSPACE_ALTERED,
            f"`{path.name}` does not read back as it was written",
            advice="Check the disk, then create the vault again.",
        )
