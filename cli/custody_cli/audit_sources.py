"""What an auditor brings: a vault (file, descriptor or workspace) and a view of the chain that is their own.

Nothing here needs a workspace. Without an option the workspace's vault and its `custody.yaml` are taken, and
`describe` says so: a custodian's own node proves nothing to anybody else.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, TypeVar

import click

from custody.bitcoin.network import Network
from custody.chain.open_backend import Backend, BackendKind, ChainSettings, open_backend
from custody.chain.snapshot import SnapshotBackend
from custody.codes import Code
from custody.errors import Finding, InvalidInput
from custody.vault.formats import vault_file
from custody.vault.formats.descriptor_annotations import without_annotations
from custody.vault.formats.detect import VaultFormat, detect_format
from custody.vault.formats.registry import ImportTerms, read_vault
from custody.vault.vault import Vault
from custody.workspace.settings import read_password
from custody_cli.chain_access import workspace_chain
from custody_cli.loading import MAX_WALLET_BYTES, load_vault, workspace_if_any
from custody_cli.options import NETWORK, read_input
from custody_cli.session import Session

_Command = TypeVar("_Command", bound=Callable[..., object])


class VaultArguments(TypedDict):
    """What `vault_options` gives a command, as `**vault: Unpack[VaultArguments]`, for `VaultChoice(**vault)`."""

    vault_file: str | None
    descriptor: str | None
    network: str | None


class ChainArguments(TypedDict):
    """What `chain_options` gives a command, as `**chain: Unpack[ChainArguments]`, for `ChainChoice(**chain)`."""

    node: str | None
    cookie: Path | None
    user: str | None
    password_file: Path | None
    snapshot: Path | None


@dataclass(frozen=True, slots=True)
class VaultChoice:
    """Which vault is audited."""

    vault_file: str | None
    descriptor: str | None
    """A file with a descriptor, or with a wallet of another program."""
    network: str | None

    @property
    def is_given(self) -> bool:
        """Whether the auditor brought one; else it is the workspace's."""
        return self.vault_file is not None or self.descriptor is not None

    def load(self, session: Session) -> Vault:
        """Return the vault; as `load_noting`, with what is worth saying about its file said on stderr."""
        vault, findings = self.load_noting(session)
        for finding in findings:
            session.talk(f"{finding.severity}: {finding.message} [{finding.code}]")
        return vault

    def load_noting(self, session: Session) -> tuple[Vault, tuple[Finding, ...]]:
        """Return the vault, and what is worth saying about its file.

        Without a choice it is the workspace's, compared with its journal. A descriptor without a change branch
        may be audited, though not adopted; annotations behind one are left out (ANNOTATION_PRESENT).
        """
        if self.vault_file is not None and self.descriptor is not None:
            raise click.UsageError("--vault-file or --descriptor, not both")
        if self.descriptor is None:
            if self.network is not None:
                raise click.UsageError("--network goes with --descriptor; a vault file says its own")
            return load_vault(session, self.vault_file), ()
        content = read_input(self.descriptor, max_bytes=max(MAX_WALLET_BYTES, vault_file.MAX_BYTES))
        noted: tuple[Finding, ...] = ()
        if detect_format(content) is VaultFormat.DESCRIPTOR:
            content, noted = without_annotations(content)
        network = None if self.network is None else Network(self.network)
        vault, findings = read_vault(content, ImportTerms("audited", network, receive_only=_one_branch(content)))
        return vault, (*noted, *findings)


def _one_branch(content: bytes) -> bool:
    return b"<" not in content and b"/1/*" not in content


def is_word_of_writer(backend: Backend) -> bool:
    """Whether a view of the chain is a snapshot, from an option or from the workspace's settings: a writer's word."""
    return isinstance(backend, SnapshotBackend)


def vault_options(command: _Command) -> _Command:
    """Add the options that say which vault; the command takes them as `vault_file`, `descriptor`, `network`."""
    for option in (
        click.option("--network", type=NETWORK, help="Of a --descriptor that doesn't say it."),
        click.option("--descriptor", metavar="FILE", help="A descriptor, or a wallet file of another program."),
        click.option("--vault-file", "vault_file", metavar="FILE", help="A vault file, without a workspace."),
    ):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class ChainChoice:
    """Which view of the chain is asked."""

    node: str | None
    cookie: Path | None
    user: str | None
    password_file: Path | None
    snapshot: Path | None

    @property
    def is_own(self) -> bool:
        """Whether the auditor named one; else the workspace's is asked."""
        return self.node is not None or self.snapshot is not None

    def describe(self) -> str:
        """Return in words whose view it is."""
        if self.snapshot is not None:
            return f"the snapshot `{self.snapshot}`: the word of whoever wrote it"
        return f"the node at {self.node}" if self.node is not None else "the view of the chain that the workspace names"

    @contextmanager
    def opened(self, session: Session, network: Network) -> Iterator[Backend]:
        """Open it for one command.

        Raises:
            ChainUnavailable: none is named anywhere, or it can't be had.
        """
        backend = open_backend(self._settings(session, network), network)
        try:
            yield backend
        finally:
            backend.close()

    def _settings(self, session: Session, network: Network) -> ChainSettings:
        if self.node is not None and self.snapshot is not None:
            raise click.UsageError("--node or --snapshot, not both")
        if self.node is None and (self.cookie, self.user, self.password_file) != (None, None, None):
            raise click.UsageError("--cookie, --user and --password-file go with --node")
        if self.snapshot is not None:
            return ChainSettings(BackendKind.SNAPSHOT, snapshot_path=self.snapshot)
        if self.node is None:
            workspace = workspace_if_any(session)
            if workspace is None:
                raise InvalidInput(
                    Code.VAULT_NOT_FOUND,
                    "no node is named, and no vault's folder is here whose node could be asked",
                    advice="Name your own node with --node and --cookie, or go to the folder of a vault.",
                )
            return workspace_chain(workspace, network)
        password = None if self.password_file is None else read_password(self.password_file)
        return ChainSettings(
            BackendKind.CORE_RPC, url=self.node, cookie_file=self.cookie, user=self.user, password=password
        )


def chain_options(command: _Command) -> _Command:
    """Add the options that say which view of the chain: `node`, `cookie`, `user`, `password_file`, `snapshot`."""
    path = click.Path(path_type=Path)
    for option in (
        click.option("--snapshot", type=path, metavar="FILE", help="Ask a snapshot file instead of a node."),
        click.option("--password-file", type=path, metavar="FILE", help="Its password, in a file of your own (0600)."),
        click.option("--user", metavar="NAME", help="A user of your node, instead of the cookie."),
        click.option("--cookie", type=path, metavar="FILE", help="Your node's cookie file."),
        click.option("--node", metavar="URL", help="Your own node, as http://127.0.0.1:8332."),
    ):
        command = option(command)
    return command
