"""The folders and files of a workspace, and how one is found.

    vault.yaml      the vault document, also the signer's trust root
    custody.yaml    this office's settings
    journal.db      the journal, unless custody.yaml names a database
    device-profiles.jsonl  what a restored backup knew of the signers' devices
    chain/          rebuildable: coins at a block hash, the embedded chain
    outbox/ inbox/  what goes to signers and what comes back

Names only: nothing is read here but whether a vault file is there.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from custody.atomic import make_directory
from custody.codes import Code
from custody.errors import InvalidInput

VAULT_FILE = "vault.yaml"


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folder of one vault."""

    folder: Path

    @property
    def vault_yaml(self) -> Path:
        """The vault document."""
        return self.folder / VAULT_FILE

    @property
    def custody_yaml(self) -> Path:
        """This office's settings."""
        return self.folder / "custody.yaml"

    @property
    def journal_db(self) -> Path:
        """The journal."""
        return self.folder / "journal.db"

    @property
    def moving_db(self) -> Path:
        """A copy of the journal that a move fills."""
        return self.folder / "journal-moving.db"

    @property
    def move_note(self) -> Path:
        """Says that a move of the journal is under way."""
        return self.folder / "journal-move.yaml"

    @property
    def device_profiles(self) -> Path:
        """The profiles of the signers' devices that a restored backup brought along."""
        return self.folder / "device-profiles.jsonl"

    @property
    def chain_dir(self) -> Path:
        """What can be rebuilt from a node."""
        return self.folder / "chain"

    @property
    def outbox(self) -> Path:
        """Files for signers."""
        return self.folder / "outbox"

    @property
    def inbox(self) -> Path:
        """Files that came back."""
        return self.folder / "inbox"

    @property
    def lock_file(self) -> Path:
        """The writer lock."""
        return self.folder / ".lock"

    def make_folders(self) -> None:
        """Create the workspace's folder (its parent must exist) and those in it, each with mode 0700."""
        for folder in (self.folder, self.chain_dir, self.outbox, self.inbox):
            make_directory(folder)


def find_workspace(explicit: Path | None, environment: str | None, start: Path) -> Workspace:
    """Return the workspace that is named, or the nearest one at or above `start`.

    `explicit` (--vault) goes before `environment` (the value of CUSTODY_VAULT), and a named one is
    never searched for: a wrong name must not end in another vault.

    Raises:
        InvalidInput: VAULT_NOT_FOUND.
    """
    named = explicit if explicit is not None else Path(environment) if environment else None
    if named is not None:
        if not _holds_vault(named):
            raise _not_found(f"`{named}` has no {VAULT_FILE}", "Give the folder of a vault, or create one there.")
        return Workspace(named.absolute())
    here = start.resolve()
    for folder in (here, *here.parents):
        if _holds_vault(folder):
            return Workspace(folder)
    raise _not_found(
        f"neither `{here}` nor a folder above it has a {VAULT_FILE}",
        "Go to the folder of a vault, or name it with --vault DIR or CUSTODY_VAULT.",
    )


def _holds_vault(folder: Path) -> bool:
    # A link counts as there: whoever reads it then refuses it by name, instead of us walking on to another vault.
    return os.path.lexists(folder / VAULT_FILE)


def _not_found(message: str, advice: str) -> InvalidInput:
    return InvalidInput(Code.VAULT_NOT_FOUND, message, advice=advice)
