"""The auditor's route of docs/auditor.md, every line of it, in a fresh folder with a real node of the auditor's own."""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from custody.bitcoin import kernel
from support.node import find_bitcoind

ROOT = Path(__file__).resolve().parents[2]
SECTION = "From nothing to a verified statement"
_MADE_ALREADY = ("make ", "export PATH=")
_FOR_REAL = "--network main"
_CLIENTS = "bitcoin-cli"


def route() -> list[str]:
    """Return the command lines of the section, in their order."""
    text = (ROOT / "docs/auditor.md").read_text(encoding="utf-8")
    section = text.split(f"## {SECTION}\n", 1)[1].split("\n## ", 1)[0]
    return [line[4:] for line in section.split("\n") if line.startswith("    ")]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.node
def test_every_line_of_the_route_does_what_the_page_says(tmp_path: Path) -> None:
    program = find_bitcoind()
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("no bitcoind: run `make node`, or set BITCOIND")
        pytest.skip("no bitcoind: run `make node`, or set BITCOIND")
    if not kernel.is_available():
        pytest.skip("libbitcoinkernel is missing on this Python: no demo")
    if shutil.which("bash") is None:
        pytest.skip("no bash here")
    lines = [line for line in route() if not line.startswith(_MADE_ALREADY) and _FOR_REAL not in line]
    port = _free_port()
    # The one thing that differs from the page: a port of this test's own, as another node may run on this machine.
    settings = f"mkdir own-node && printf 'regtest=1\\n[regtest]\\nrpcport={port}\\n' > own-node/bitcoin.conf"
    script = "\n".join(settings if line == "mkdir own-node" else line.replace("18443", str(port)) for line in lines)
    path = os.pathsep.join((str(Path(sys.executable).parent), str(program.parent), os.environ["PATH"]))
    environment = {key: value for key, value in os.environ.items() if key != "CUSTODY_VAULT"} | {"PATH": path}
    try:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    finally:
        stopped = [str(program.parent / _CLIENTS), "-regtest", f"-datadir={tmp_path / 'own-node'}", "stop"]
        subprocess.run(stopped, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    balances = re.findall(r"total +([0-9.]+) BTC", done.stdout)
    assert {"100.00000000", "47.49997905"} <= set(balances)
    assert "SOUND" in done.stdout
    assert done.stdout.count("\nVALID\n") == 2
    assert done.stdout.count("\nNOT VALID: don't rely on it") == 1
    assert "PAGE_DIFFERS@page:index.html" in done.stdout
    assert "exit 3" in done.stdout
    assert '"total_amount": 47.49997905' in done.stdout


def test_the_route_is_whole() -> None:
    lines = route()
    assert lines[:3] == ["make venv", "make node", 'export PATH="$PWD/.venv/bin:$PWD/.node/bin:$PATH"']
    for step in ("audit addresses", "audit balance", "audit journal", "audit reserves verify"):
        assert any(step in line for line in lines), step
