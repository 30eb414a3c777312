"""A real bitcoind on regtest for the tests marked `node`: fresh folder, free loopback ports, ended with the session.

The program is BITCOIND, else `bitcoind` on PATH, else what `make node` put under .node. Without one the
tests are skipped with the reason; where CI is set they fail instead, so that nothing is skipped unseen.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from custody.bitcoin.network import Network
from custody.bitcoin.transaction import Transaction
from custody.chain.core_rpc import CoreRpcBackend
from custody.chain.json_rpc import JsonRpc, RpcLogin, RpcValue
from custody.errors import ChainUnavailable

ROOT = Path(__file__).parents[2]
MINER_WALLET = "miner"
MATURE_BLOCKS = 101
_START_TIMEOUT_S = 60
_STOP_TIMEOUT_S = 30


@dataclass(frozen=True)
class Node:
    """A running node with a wallet of its own, `miner`, that holds mature coins."""

    program: Path
    folder: Path
    login: RpcLogin

    @property
    def json_rpc(self) -> JsonRpc:
        """The connection, bound to no wallet."""
        return JsonRpc(self.login)

    def rpc(self, method: str, *params: RpcValue) -> RpcValue:
        """Call the node."""
        return self.json_rpc.call(method, list(params))

    def miner(self, method: str, *params: RpcValue) -> RpcValue:
        """Call the node's own wallet."""
        return self.json_rpc.for_wallet(MINER_WALLET).call(method, list(params))

    def mine(self, count: int = 1) -> list[str]:
        """Mine blocks to the node's own wallet and return their hashes."""
        hashes = self.rpc("generatetoaddress", count, self.miner("getnewaddress"))
        assert isinstance(hashes, list)
        return [str(one) for one in hashes]

    def pay(self, address: str, btc: str) -> Transaction:
        """Pay an address from the node's own wallet, unconfirmed, and return the transaction."""
        made = self.miner("gettransaction", self.miner("sendtoaddress", address, btc))
        assert isinstance(made, dict)
        # The wallet says nothing where the mempool refuses its transaction; asked again, the node says why.
        self.rpc("sendrawtransaction", made["hex"])
        return Transaction.parse(bytes.fromhex(str(made["hex"])))

    def backend(self, **options: str) -> CoreRpcBackend:
        """Return a backend of ours on this node."""
        return CoreRpcBackend(self.json_rpc, Network.REGTEST, **options)


def find_bitcoind() -> Path | None:
    """Return the bitcoind to test with, None when there is none."""
    named = os.environ.get("BITCOIND")
    if named:
        return Path(named)
    found = shutil.which("bitcoind")
    fetched = ROOT / ".node" / "bin" / "bitcoind"
    return Path(found) if found else fetched if fetched.exists() else None


@pytest.fixture(scope="session")
def node() -> Iterator[Node]:
    """Start a node with a funded wallet; kill it when the session ends."""
    program = find_bitcoind()
    if program is None:
        reason = "no bitcoind: run `make node`, or set BITCOIND"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="custody-node-") as folder:
        process, running = start(program, Path(folder))
        try:
            running.rpc("createwallet", MINER_WALLET)
            running.mine(MATURE_BLOCKS)
            yield running
        finally:
            stop(process)


def start(program: Path, folder: Path, *options: str) -> tuple[subprocess.Popen[bytes], Node]:
    """Start a node in `folder` and wait until it answers."""
    port = _free_port()
    log = (folder / "stdout.log").open("wb")
    process = subprocess.Popen(
        [
            str(program),
            "-regtest",
            f"-datadir={folder}",
            f"-rpcport={port}",
            "-rpcbind=127.0.0.1",
            "-rpcallowip=127.0.0.1",
            "-server=1",
            "-listen=0",
            "-dnsseed=0",
            "-connect=0",
            "-txindex=0",
            "-fallbackfee=0.0002",
            "-dbcache=16",
            "-unsafesqlitesync=1",
            *options,
        ],
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    log.close()
    login = RpcLogin(f"http://127.0.0.1:{port}", cookie_file=folder / "regtest" / ".cookie")
    running = Node(program, folder, login)
    deadline = time.monotonic() + _START_TIMEOUT_S
    while True:
        try:
            running.rpc("getblockchaininfo")
        except ChainUnavailable as error:
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                output = (folder / "stdout.log").read_text(errors="replace")
                raise RuntimeError(f"bitcoind did not start: {error.message}\n{output[-2000:]}") from error
            time.sleep(0.1)
        else:
            return process, running


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a node, by force if it does not end by itself."""
    process.terminate()
    try:
        process.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
