"""Which view of the chain a workspace uses, and how it is opened."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from custody.bitcoin.network import Network
from custody.chain.core_rpc import CoreRpcBackend
from custody.chain.embedded import EmbeddedBackend
from custody.chain.json_rpc import JsonRpc, RpcLogin
from custody.chain.snapshot import SnapshotBackend, read_snapshot_file
from custody.codes import Code
from custody.errors import InvalidInput


class BackendKind(StrEnum):
    """The three views of the chain, by the name that custody.yaml uses."""

    EMBEDDED = "embedded"
    CORE_RPC = "core_rpc"
    SNAPSHOT = "snapshot"


@dataclass(frozen=True, slots=True)
class ChainSettings:
    """Where the chain is to be had; read by the caller from wherever it keeps its settings."""

    backend: BackendKind
    url: str | None = None
    """core_rpc: `http://host:port`."""
    cookie_file: Path | None = None
    """core_rpc: the node's cookie; read at each call."""
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    """core_rpc: already read from its 0600 file."""
    wallet: str | None = None
    """core_rpc: name of the watch-only wallet, where it isn't the one made from the vault id."""
    snapshot_path: Path | None = None
    data_dir: Path | None = None
    """embedded: the workspace's folder for chain data, which exists."""


Backend = EmbeddedBackend | CoreRpcBackend | SnapshotBackend


def open_backend(settings: ChainSettings, network: Network) -> Backend:
    """Open the chosen view; close it when done.

    Raises:
        InvalidInput: a setting that the choice needs is missing.
        ChainUnavailable: the view can't be had.
        Conflict: WORKSPACE_LOCKED while another process holds the embedded chain.
    """
    if settings.backend is BackendKind.EMBEDDED:
        if settings.data_dir is None:
            raise _missing("a folder for its blocks")
        return EmbeddedBackend(settings.data_dir / "embedded", network)
    if settings.backend is BackendKind.SNAPSHOT:
        if settings.snapshot_path is None:
            raise _missing("the path of a snapshot file")
        return SnapshotBackend(read_snapshot_file(settings.snapshot_path), network)
    if settings.url is None:
        raise _missing("the node's address")
    login = RpcLogin(settings.url, settings.cookie_file, settings.user, settings.password)
    return CoreRpcBackend(JsonRpc(login), network, wallet=settings.wallet)


def _missing(what: str) -> InvalidInput:
    return InvalidInput(
        Code.MALFORMED_DOCUMENT,
        f"the chosen view of the chain needs {what}",
        advice="Complete the chain's settings in custody.yaml.",
    )
