"""A real Electrum for the tests marked `electrum`: ELECTRUM, PATH, or what `make electrum` unpacked under .electrum.

It runs offline with a folder of its own. Without it the tests are skipped with the reason; where CI is set they fail
instead, so that nothing is skipped unseen.
"""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from custody.bitcoin.network import Network

ROOT = Path(__file__).parents[2]
FLAGS = {Network.MAIN: [], Network.SIGNET: ["--signet"], Network.REGTEST: ["--regtest"]}
"""How Electrum 4.3 is told its network; it knows no testnet4."""
_TIMEOUT_S = 120


@dataclass(frozen=True)
class Electrum:
    """The program, and the folder that it may write to."""

    program: str
    folder: Path

    def addresses(self, wallet: Path, network: Network, which: str) -> list[str]:
        """Open the wallet file, which Electrum then brings up to date, and list `receiving` or `change` addresses."""
        listed: list[str] = json.loads(self._run(wallet, network, "listaddresses", f"--{which}"))
        return listed

    def sign(self, wallet: Path, network: Network, psbt: str) -> str:
        """Return the PSBT as Electrum gives it back, signed with the wallet's private keys."""
        return self._run(wallet, network, "signtransaction", psbt).strip()

    def _run(self, wallet: Path, network: Network, *words: str) -> str:
        command = [self.program, *FLAGS[network], "--offline", "-D", str(self.folder), "-w", str(wallet), *words]
        answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout


@pytest.fixture
def electrum(tmp_path: Path) -> Electrum:
    """Return Electrum, or skip the test (in CI: fail)."""
    program = os.environ.get("ELECTRUM") or shutil.which("electrum") or str(ROOT / ".electrum" / "electrum")
    if not Path(program).exists():
        reason = "no Electrum here: make electrum, or set ELECTRUM"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return Electrum(program, tmp_path / "electrum")
