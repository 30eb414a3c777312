"""docs/recover-without-custody.md, carried out command by command with Bitcoin Core alone.

The commands are read from the document itself, so that it can't say anything that doesn't work.
"""

import base64
import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from support.node import ROOT, Node
from support.node_office import NodeOffice
from support.rehearsal import stranger

pytestmark = pytest.mark.node

DOCUMENT = ROOT / "docs" / "recover-without-custody.md"
_BLOCK = re.compile(r"^```\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_BLANK = re.compile(r"[A-Z][A-Z_]+[A-Z](?:_\d)?")


class Recovery:
    """Carries out the document's commands in their order; each is named by its RPC, so none can be left out."""

    def __init__(self, node: Node, *, edits: Mapping[str, str]) -> None:
        self._client = _bitcoin_cli(node)
        url = node.login.url
        self._login = [
            "-regtest",
            f"-datadir={node.folder}",
            f"-rpcport={url.rpartition(':')[2]}",
            f"-rpccookiefile={node.login.cookie_file}",
        ]
        text = DOCUMENT.read_text("utf-8")
        for before, after in edits.items():
            text = text.replace(before, after)
        joined = "".join(_BLOCK.findall(text)).replace("\\\n", " ")
        self.commands = [shlex.split(line) for line in joined.splitlines()]

    def step(self, method: str, **blanks: str) -> Any:
        """Carry out the next command, which must call `method`, with its blanks filled in."""
        program, *arguments = self.commands.pop(0)
        assert program == "bitcoin-cli"
        assert next(one for one in arguments if not one.startswith("-")) == method
        filled = [_BLANK.sub(lambda found: blanks.get(found[0], found[0]), one) for one in arguments]
        done = subprocess.run([str(self._client), *self._login, *filled], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, (method, done.stderr)
        try:
            return json.loads(done.stdout, parse_float=str)
        except json.JSONDecodeError:
            return done.stdout.strip()


@pytest.mark.parametrize(
    ("script", "threshold", "devices"), [("wsh", 3, (11, 12, 13, 14, 15)), ("sh-wsh", 2, (13, 14, 15))]
)
def test_the_money_comes_out_with_the_document_s_commands_alone(
    node: Node, tmp_path: Path, script: str, threshold: int, devices: tuple[int, ...]
) -> None:
    office = NodeOffice(tmp_path / "office", node, devices, threshold=threshold, script=script)
    addresses = office.fund(2)
    descriptor = office.run(["vault", "export", "--format", "descriptor"]).stdout.strip()
    shutil.rmtree(office.folder)  # nothing of ours is left but the line on paper and the devices

    edits = {"recovery": f"recovery-{script}"}  # both cases share one node
    if script == "sh-wsh":
        edits |= {'"change_type":"bech32"': '"change_type":"p2sh-segwit"', ',"SIGNED_3"': ""}
    recovery = Recovery(node, edits=edits)
    recovery.step("createwallet")
    described = recovery.step("getdescriptorinfo", DESCRIPTOR=descriptor)
    assert described["checksum"] == descriptor.rpartition("#")[2]
    assert recovery.step("deriveaddresses", DESCRIPTOR=descriptor)[0] == addresses[:1]
    imported = recovery.step("importdescriptors", DESCRIPTOR=descriptor)
    assert [one["success"] for one in imported] == [True]
    recovery.step("rescanblockchain")
    assert recovery.step("getbalances")["mine"]["trusted"] == "20.00000000"

    payment = {"ADDRESS": stranger(20), "AMOUNT_IN_BTC": "15", "SAT_PER_VB": "5"}
    unsigned = base64.b64decode(recovery.step("walletcreatefundedpsbt", **payment)["psbt"])
    signed = [base64.b64encode(office.device(one).sign(unsigned)).decode() for one in devices[-threshold:]]
    combined = recovery.step("combinepsbt", **{f"SIGNED_{at}": one for at, one in enumerate(signed, 1)})
    finished = recovery.step("finalizepsbt", COMBINED=combined)
    assert finished["complete"] is True
    decoded = recovery.step("decoderawtransaction", HEX=finished["hex"])
    paid = {out["scriptPubKey"]["address"]: out["value"] for out in decoded["vout"]}
    assert paid[stranger(20)] == "15.00000000"
    assert recovery.step("testmempoolaccept", HEX=finished["hex"])[0]["allowed"] is True
    assert recovery.step("sendrawtransaction", HEX=finished["hex"]) == decoded["txid"]
    assert recovery.commands == []
    node.mine()


def _bitcoin_cli(node: Node) -> Path:
    beside = node.program.parent / "bitcoin-cli"
    found = shutil.which("bitcoin-cli")
    if not beside.exists() and found is None:
        reason = "no bitcoin-cli beside bitcoind or on PATH"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return beside if beside.exists() else Path(str(found))
