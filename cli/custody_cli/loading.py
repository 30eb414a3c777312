"""Where a command's vault comes from: the workspace, or one vault file named by a signer."""

from pathlib import Path

import click

from custody.errors import CustodyError
from custody.vault.formats import vault_file
from custody.vault.vault import Vault
from custody.workflow.open_vault import open_vault
from custody.workspace.layout import VAULT_FILE, Workspace, find_workspace
from custody_cli.options import read_input
from custody_cli.session import Session

vault_file_option = click.option(
    "--vault-file",
    "vault_file_path",
    metavar="FILE",
    help="Read this vault file alone, without a workspace.",
)


def workspace_of(session: Session) -> Workspace:
    """Return the workspace that the global options name, or the nearest one.

    Raises:
        InvalidInput: VAULT_NOT_FOUND.
    """
    return find_workspace(session.vault_directory, None, Path.cwd())


def load_vault(session: Session, vault_file_path: str | None) -> Vault:
    """Return the vault of `--vault-file`, else the workspace's, compared with its journal.

    Raises:
        Altered: the workspace's file is not what its journal adopted.
    """
    if vault_file_path is not None:
        return vault_file.parse(read_input(vault_file_path, max_bytes=vault_file.MAX_BYTES))
    return open_vault(workspace_of(session)).vault


def load_vault_at(place: str) -> Vault:
    """Return the vault of a file, or of a folder's vault file, without looking at a journal."""
    path = str(Path(place) / VAULT_FILE) if place != "-" and Path(place).is_dir() else place
    return vault_file.parse(read_input(path, max_bytes=vault_file.MAX_BYTES))


def load_unadopted(workspace: Workspace) -> Vault:
    """Return what the workspace's vault file says, adopted or not, for a command that judges the difference itself.

    Raises:
        Altered: the file can't even be read as a vault, so it is not what the journal adopted.
    """
    try:
        return load_vault_at(str(workspace.folder))
    except CustodyError:
        open_vault(workspace)
        raise
