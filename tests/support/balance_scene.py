"""A custodian with a journal, and an auditor with a node of their own: two nodes with two data directories.

The auditor's node gets the same blocks and judges them itself; nothing else passes between the two but the
exported journal and the descriptor.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.cli import run_json
from support.lying_node import LyingNode
from support.node import Node, start, stop
from support.node_office import NodeOffice
from support.rehearsal import stranger

BOTH_WAYS = ["history", "unspent"]


@dataclass(frozen=True)
class Said:
    """What the custodian's own screen said at one block."""

    height: int
    block_hash: str
    total: int
    coins: int


@dataclass
class Scene:
    """Both sides."""

    custodian: NodeOffice
    auditor: Node
    export: Path
    descriptor: Path
    said: list[Said]
    frozen: int
    """Sum in satoshis."""
    payments: list[str]
    """Txids."""
    seen_until: int
    """Height of the newest block that the exported journal knows."""

    def follow(self) -> None:
        """Give the auditor's node the blocks that it lacks; it judges each one."""
        height, have = (one.rpc("getblockcount") for one in (self.custodian.node, self.auditor))
        assert isinstance(height, int)
        assert isinstance(have, int)
        for at in range(have + 1, height + 1):
            block = self.custodian.node.rpc("getblock", self.custodian.node.rpc("getblockhash", at), 0)
            assert self.auditor.rpc("submitblock", block) is None

    def command(self, *arguments: str | Path | int, node: Node | LyingNode | None = None) -> list[str | Path | int]:
        """Return the auditor's command line."""
        login = (node or self.auditor).login
        cookie = login.cookie_file
        assert cookie is not None
        return ["audit", "balance", *arguments, "--node", login.url, "--cookie", cookie]

    def block_of(self, txid: str) -> str:
        """Return the block that holds a payment."""
        return str(self.custodian.wallet("gettransaction", txid)["blockhash"])  # type: ignore[index,call-overload]

    def ask(self, *arguments: str | Path | int, exit_code: int = 0, node: Node | LyingNode | None = None) -> Any:
        """Ask with the descriptor and return the JSON answer."""
        vault = ["--descriptor", self.descriptor, "--network", "regtest"]
        return run_json(self.command(*vault, *arguments, node=node), exit_code=exit_code)


@contextmanager
def auditor_scene(program: Path, folder: Path) -> Iterator[Scene]:
    """Receipts, payments with change, a frozen coin and a miner's reward, over several blocks; then the export."""
    for name in ("custodian", "auditor"):
        (folder / name).mkdir()
    theirs, custodian = start(program, folder / "custodian")
    process, auditor = start(program, folder / "auditor")
    try:
        custodian.rpc("createwallet", "miner")
        custodian.mine(110)
        office = NodeOffice(folder / "office", custodian, (3, 6, 9), threshold=2)
        made = Scene(office, auditor, folder / "export.jsonl", folder / "vault.txt", [], 0, [], 0)
        office.fund(5)
        made.said.append(said_by(office))
        pay(made, "4btc", 51)
        frozen = next(one for one in office.json(["coins", "list"])["coins"] if one["branch"] == "receive")
        office.json(["coins", "freeze", f"{frozen['txid']}:{frozen['vout']}", "--reason", "disputed"])
        made.frozen = frozen["value_sats"]
        made.said.append(said_by(office))
        custodian.rpc("generatetoaddress", 1, office.json(["address", "next"])["address"])
        pay(made, "2btc", 52)
        made.said.append(said_by(office))
        custodian.pay(office.json(["address", "next"])["address"], "0.3")
        pay(made, "9btc", 53)
        made.seen_until = office.json(["coins", "sync"])["height"]
        made.descriptor.write_text(office.json(["vault", "show"])["descriptor"] + "\n")
        office.run(["journal", "export", "-o", made.export])
        made.follow()
        yield made
    finally:
        stop(process)
        stop(theirs)


def pay(scene: Scene, amount: str, number: int) -> None:
    """Pay a stranger and bury it."""
    office = scene.custodian
    drafted = office.draft("--to", f"{stranger(number)}={amount}", "--reason", f"grant {number}")
    scene.payments.append(office.send(drafted, 3, 6)["txid"])
    office.mine(6)


def said_by(office: NodeOffice) -> Said:
    """Sync, and return what the custodian's own list says."""
    office.json(["coins", "sync"])
    listed = office.json(["coins", "list"])
    in_blocks = [one for one in listed["coins"] if one["confirmations"]]
    return Said(listed["height"], listed["block_hash"], listed["total_sats"], len(in_blocks))


def routes_of(answer: Any) -> dict[str, int]:
    """Return each way's sum."""
    return {one["name"]: one["total_sats"] for one in answer["routes"]}
