"""An office whose chain is a real node: a vault of simulated keys, driven through the real command line.

Each office takes its own simulators, since tests share one node and equal keys would be one vault with one wallet.
"""

from collections.abc import Sequence
from pathlib import Path

from embit import bip32

from custody.bitcoin.descriptor import ScriptType, add_checksum
from custody.bitcoin.network import Network
from custody.chain.core_rpc_wallet import wallet_name
from custody.chain.json_rpc import RpcValue
from custody.workflow.open_vault import open_vault
from custody.workspace.layout import Workspace
from custody_hardware.simulator import public_seed, simulated_key
from support.cli import run
from support.node import Node
from support.rehearsal import Rehearsal

TPRV_VERSION = bytes.fromhex("04358394")
_LAST_STEP = {"wsh": 2, "sh-wsh": 1}


class NodeOffice(Rehearsal):
    """A workspace on a node with an empty vault; `devices` are the simulators whose keys it holds."""

    def __init__(
        self, folder: Path, node: Node, devices: Sequence[int], *, threshold: int, script: str = "wsh"
    ) -> None:
        self.folder = folder
        self.node = node
        self.script = script
        self.devices = tuple(devices)
        kind = ScriptType.WSH_SORTEDMULTI if script == "wsh" else ScriptType.SH_WSH_SORTEDMULTI
        command: list[str | Path | int] = ["vault", "create", folder, "--name", "office", "--network", "regtest"]
        command += ["--script", script, "--threshold", threshold]
        for number in devices:
            key = simulated_key(number, Network.REGTEST, kind).to_text(Network.REGTEST)
            command += ["--cosigner", f"c{number}={key}"]
        created = run(command)
        assert created.exit_code == 0, created.stderr
        (folder / "custody.yaml").write_text(
            "format: custody-settings/1\n"
            "chain:\n"
            "  backend: core_rpc\n"
            f"  url: {node.login.url}\n"
            f"  cookie_file: {node.login.cookie_file}\n"
        )
        self.vault = open_vault(Workspace(folder)).vault

    def fund(self, count: int = 2) -> list[str]:
        """Receive `count` buried coins of 10 BTC at fresh addresses; sync."""
        addresses = [str(self.json(["address", "next"])["address"]) for _ in range(count)]
        for address in addresses:
            self.node.pay(address, "10")
        self.mine(6)
        self.json(["coins", "sync"])
        return addresses

    def mine(self, count: int) -> None:
        """Mine blocks with what waits in the node's mempool."""
        self.node.mine(count)

    def wallet(self, method: str, *params: RpcValue) -> RpcValue:
        """Call our watch-only wallet on the node, past our own code."""
        return self.node.json_rpc.for_wallet(wallet_name(self.vault.vault_id)).call(method, list(params))

    def single_branch(self, branch: int) -> str:
        """Return the descriptor of one branch, with its checksum."""
        return self.vault.descriptor.single_branch_text(branch, self.vault.network)

    def with_private_key(self, number: int, branch: int) -> str:
        """Return the descriptor of one branch in which simulator `number` has its private test key."""
        master = bip32.HDKey.from_seed(public_seed(number))
        account = master.derive(f"m/48h/1h/0h/{_LAST_STEP[self.script]}h")
        body = self.single_branch(branch).partition("#")[0]
        public = next(one.key for one in self.vault.cosigners if one.name == f"c{number}")
        public_text = public.to_text(self.vault.network).rpartition("]")[2]
        assert public_text in body
        return add_checksum(body.replace(public_text, str(account.to_base58(version=TPRV_VERSION))))

    def chain_total(self) -> int:
        """Return what the node's whole set of unspent outputs holds for the vault, in satoshis."""
        branches: list[RpcValue] = [{"desc": self.single_branch(branch), "range": 200} for branch in (0, 1)]
        found = self.node.rpc("scantxoutset", "start", branches)
        assert isinstance(found, dict)
        return int(str(found["total_amount"]).replace(".", ""))
