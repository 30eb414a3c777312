"""A holder with a node and a workspace, and an auditor with a node of their own on a second data directory.

Nothing passes between the two but blocks, the challenge and the statement; the auditor needs no workspace.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.cli import Result, run, run_json
from support.node import Node, start, stop
from support.node_office import NodeOffice
from support.reserves_office import Holder

DEVICES = (2, 5, 8)


@dataclass
class ReservesScene:
    """Both sides."""

    office: NodeOffice
    holder: Holder
    auditor: Node
    folder: Path

    def follow(self) -> None:
        """Give the auditor's node the blocks that it lacks; it judges each one."""
        source = self.office.node
        height, have = source.rpc("getblockcount"), self.auditor.rpc("getblockcount")
        assert isinstance(height, int) and isinstance(have, int)
        for at in range(have + 1, height + 1):
            block = source.rpc("getblock", source.rpc("getblockhash", at), 0)
            assert self.auditor.rpc("submitblock", block) is None

    def own_node(self) -> list[str | Path]:
        """Return the options that name the auditor's node."""
        login = self.auditor.login
        assert login.cookie_file is not None
        return ["--node", login.url, "--cookie", login.cookie_file]

    def ask(self, name: str, *more: str | Path | int, holder: str = "Ruritania", purpose: str = "2026") -> Path:
        """Let the auditor write a challenge with their own node."""
        file = self.folder / f"{name}.challenge.json"
        asked = ["audit", "reserves", "challenge", "--network", "regtest", "--holder", holder, "--purpose", purpose]
        run_json([*asked, *self.own_node(), "-o", file, *more])
        return file

    def verify(self, *arguments: str | Path | int) -> Result:
        """Let the auditor verify with their own node, without any workspace."""
        return run(["audit", "reserves", "verify", *arguments, *self.own_node(), "--json"])


@contextmanager
def reserves_scene(program: Path, folder: Path) -> Iterator[ReservesScene]:
    """Start both nodes, fund a vault with three coins at three addresses, and let the auditor's node follow."""
    for name in ("holder", "auditor", "files"):
        (folder / name).mkdir()
    theirs, node = start(program, folder / "holder")
    process, auditor = start(program, folder / "auditor")
    try:
        node.rpc("createwallet", "miner")
        node.mine(110)
        office = NodeOffice(folder / "office", node, DEVICES, threshold=2)
        office.fund(3)
        made = ReservesScene(office, Holder(office, folder / "files", devices=DEVICES[:2]), auditor, folder)
        made.follow()
        yield made
    finally:
        stop(theirs)
        stop(process)
