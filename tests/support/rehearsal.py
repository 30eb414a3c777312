"""A vault of simulated keys on the embedded chain, driven through the real command line."""

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from custody.bitcoin import kernel
from custody.bitcoin.address import address_of, script_of
from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.hashing import sha256
from custody.bitcoin.network import Network
from custody.chain.embedded import EmbeddedBackend
from custody.workflow.open_vault import open_vault
from custody.workspace.layout import Workspace
from custody_hardware.simulator import SimulatedDevice, simulated_key
from support.beginnings import Answer, Beginning, Name
from support.cli import Result, run, run_json

START_TIME = 1_767_225_600
NOBODY = b"\x00\x20" + sha256(b"custody tests: nobody")


def stranger(number: int) -> str:
    """Return an address of nobody's, on regtest."""
    address = address_of(b"\x00\x14" + sha256(f"stranger {number}".encode())[:20], Network.REGTEST)
    assert address is not None
    return address


class Rehearsal:
    """A workspace with funds. Amounts are in satoshis."""

    _beginning: Beginning | None = None

    def __init__(self, folder: Path, *, threshold: int = 2, keys: int = 3, script: str = "wsh") -> None:
        if not kernel.is_available():
            pytest.skip("libbitcoinkernel is missing on this Python: no embedded chain")
        self.folder = folder
        kind = ScriptType.WSH_SORTEDMULTI if script == "wsh" else ScriptType.SH_WSH_SORTEDMULTI
        cosigners: list[str] = []
        for number in range(1, keys + 1):
            text = simulated_key(number, Network.REGTEST, kind).to_text(Network.REGTEST)
            cosigners += ["--cosigner", f"c{number}={text}"]
        create = ["vault", "create", folder, "--name", "rehearsal", "--network", "regtest", "--script", script]

        def make() -> None:
            created = run([*create, "--threshold", threshold, *cosigners])
            assert created.exit_code == 0, created.stderr

        self._beginning = Beginning(folder)
        self.begin(("create", threshold, keys, script), make)
        self.vault = open_vault(Workspace(folder)).vault

    def chain(self) -> AbstractContextManager[EmbeddedBackend]:
        """Open the embedded chain; close it before the next command."""
        return EmbeddedBackend(self.folder / "chain" / "embedded", Network.REGTEST)

    def fund(self, count: int = 2) -> list[str]:
        """Mine `count` ripe coins of 50 BTC to fresh addresses; sync."""
        return self.begin(("fund", count), lambda: self._fund(count))

    def begin(self, name: Name, step: Callable[[], Answer]) -> Answer:
        """Take a step that depends on `name` alone: copied where the whole way up to it was gone before."""
        beginning = self._beginning
        return step() if beginning is None or beginning.folder != self.folder else beginning.take(name, step)

    def _fund(self, count: int) -> list[str]:
        addresses = [str(self.json(["address", "next"])["address"]) for _ in range(count)]
        with self.chain() as chain:
            first = START_TIME if chain.tip().height == 0 else None
            for address in addresses:
                chain.mine(1, script_of(address, Network.REGTEST), first_time=first)
                first = None
            chain.mine(105, NOBODY)
        self.json(["coins", "sync"])
        return addresses

    def mine(self, count: int) -> None:
        """Mine empty or waiting blocks."""
        with self.chain() as chain:
            chain.mine(count, NOBODY)

    def run(self, arguments: Sequence[str | Path | int], stdin: str | bytes | None = None) -> Result:
        """Run a command on this workspace."""
        return run(["--vault", self.folder, *arguments], stdin)

    def json(self, arguments: Sequence[str | Path | int], *, exit_code: int = 0) -> Any:
        """Run a command on this workspace and return its JSON."""
        return run_json(["--vault", self.folder, *arguments], exit_code=exit_code)

    def error(self, arguments: Sequence[str | Path | int], *, exit_code: int, stdin: str | None = None) -> Any:
        """Run a command that must fail with `exit_code`, and return its JSON error, the last thing on stderr."""
        result = self.run([*arguments, "--json"], stdin)
        assert result.exit_code == exit_code, (result.exit_code, result.stdout[-2000:], result.stderr)
        return result.error if stdin is None else json.loads(result.stderr[result.stderr.index("{\n") :])

    def draft(self, *arguments: str | int) -> Any:
        """Draft a payment at 5 sat/vB."""
        return self.json(["proposal", "draft", "--fee-rate", "5", *arguments])

    def sign(self, proposal: Any, *devices: int) -> Any:
        """Sign with simulated devices and return the last answer."""
        answer = proposal
        for device in devices:
            command = ["proposal", "sign", proposal["proposal_id"], "--simulator", device]
            answer = self.json([*command, "--confirm-sats", proposal["confirm_sats"]])
        return answer

    def send(self, proposal: Any, *devices: int) -> Any:
        """Sign, finalize and broadcast."""
        self.sign(proposal, *devices)
        self.json(["proposal", "finalize", proposal["proposal_id"]])
        broadcast = ["proposal", "broadcast", proposal["proposal_id"]]
        return self.json([*broadcast, "--confirm-sats", proposal["confirm_sats"]])

    def show(self, proposal: Any) -> Any:
        """Show a proposal."""
        return self.json(["proposal", "show", proposal["proposal_id"]])

    def device(self, number: int) -> SimulatedDevice:
        """Return a simulated device."""
        return SimulatedDevice(number, self.vault)
