"""The view of the chain that a workspace uses, opened for one command and closed after it.

`custody.yaml` says which. Without it a regtest workspace uses the embedded chain, because
nothing there has value; on every other network a missing setting is an error.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from custody.bitcoin.network import Network
from custody.chain.open_backend import Backend, BackendKind, ChainSettings, open_backend
from custody.codes import Code
from custody.errors import ChainUnavailable
from custody.workflow.office import Office
from custody.workspace.layout import Workspace
from custody.workspace.settings import ChainSettings as OfficeChain
from custody.workspace.settings import load_settings, read_password


@contextmanager
def opened_chain(office: Office) -> Iterator[Backend]:
    """Open the workspace's view of the chain.

    Raises:
        ChainUnavailable: none is set, or it can't be had.
    """
    settings = workspace_chain(office.workspace, office.vault.network)
    backend = open_backend(settings, office.vault.network)
    try:
        yield backend
    finally:
        backend.close()


def workspace_chain(workspace: Workspace, network: Network) -> ChainSettings:
    """Return the view that the workspace's settings name.

    Raises:
        ChainUnavailable: none is named, and the network is not regtest.
    """
    chain = load_settings(workspace.custody_yaml).chain
    if chain is None:
        if network is not Network.REGTEST:
            raise ChainUnavailable(
                Code.NODE_UNREACHABLE,
                f"custody.yaml names no node for `{network}`",
                advice="Write `chain:` with `backend: core_rpc`, `url` and `cookie_file` into custody.yaml; see docs.",
            )
        return ChainSettings(BackendKind.EMBEDDED, data_dir=workspace.chain_dir)
    return _translated(workspace, chain)


def _translated(workspace: Workspace, chain: OfficeChain) -> ChainSettings:
    def absolute(path: Path | None) -> Path | None:
        return None if path is None else workspace.folder / path

    password_file = absolute(chain.password_file)
    return ChainSettings(
        BackendKind(str(chain.backend)),
        url=chain.url,
        cookie_file=absolute(chain.cookie_file),
        user=chain.user,
        password=None if password_file is None else read_password(password_file),
        wallet=chain.wallet,
        snapshot_path=absolute(chain.snapshot),
        data_dir=workspace.chain_dir,
    )
