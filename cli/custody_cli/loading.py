"""Where a command's vault comes from: the workspace, or one vault file named by a signer."""

from dataclasses import replace
from pathlib import Path

import click

from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import CustodyError, InvalidInput
from custody.vault.formats import foreign_json, vault_file
from custody.vault.formats.detect import VaultFormat, detect_format
from custody.vault.formats.registry import ImportTerms, read_vault
from custody.vault.vault import Vault
from custody.workflow.open_vault import open_vault
from custody.workspace.layout import VAULT_FILE, Workspace, find_workspace
from custody_cli.options import read_input
from custody_cli.session import Session

MAX_WALLET_BYTES = foreign_json.MAX_BYTES
"""Wallet files of other programs may hold years of history."""

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


def workspace_if_any(session: Session) -> Workspace | None:
    """Return the workspace as `workspace_of`; None where none is named and none is near.

    Raises:
        InvalidInput: VAULT_NOT_FOUND, one is named and isn't there.
    """
    try:
        return workspace_of(session)
    except InvalidInput as error:
        if error.code is not Code.VAULT_NOT_FOUND or session.vault_directory is not None:
            raise
        return None


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
    return vault_file.parse(_content_of(place, max_bytes=vault_file.MAX_BYTES))


def load_pair(first: str, second: str, network: Network | None) -> tuple[Vault, Vault, bool]:
    """Return the vaults of two files of any format or folders, and whether both bring names of their own.

    A format that doesn't say its network is read for the other's, or else for `network`.

    Raises:
        UsageError: nothing says the network.
        InvalidInput: NETWORK_MISMATCH, and all that the formats refuse.
    """
    contents = [_content_of(place, max_bytes=MAX_WALLET_BYTES) for place in (first, second)]
    ours = [detect_format(content) is VaultFormat.VAULT for content in contents]
    stated = [vault_file.parse(content).network for content, is_ours in zip(contents, ours, strict=True) if is_ours]
    if network is not None and any(one is not network for one in stated):
        raise InvalidInput(
            Code.NETWORK_MISMATCH,
            f"a vault file is for network `{stated[0]}`, --network says `{network}`",
            advice="Leave --network out: the vault file says it.",
        )
    known = stated[0] if stated else network
    one, other = (
        vault_file.parse(content) if is_ours else _foreign(content, known)
        for content, is_ours in zip(contents, ours, strict=True)
    )
    return one, other, all(ours)


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


def _content_of(place: str, *, max_bytes: int) -> bytes:
    path = str(Path(place) / VAULT_FILE) if place != "-" and Path(place).is_dir() else place
    return read_input(path, max_bytes=max_bytes)


def _foreign(content: bytes, network: Network | None) -> Vault:
    """Read a wallet of another program; one without a change branch may be compared, though not adopted."""
    terms = ImportTerms("unnamed", network)
    try:
        return read_vault(content, terms)[0]
    except InvalidInput as error:
        if error.code is not Code.CHANGE_BRANCH_MISSING:
            raise
        return read_vault(content, replace(terms, receive_only=True))[0]
