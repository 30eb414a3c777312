"""A payment that Electrum signs: our wallet file opened with one private key, our PSBT, its answer taken back."""

import json
from pathlib import Path

import pytest
from embit import bip32

from custody.bitcoin.keys import format_path
from custody.vault.cosigner import Cosigner
from custody_hardware.simulator import public_seed
from support.cli import run
from support.electrum import Electrum
from support.rehearsal import Rehearsal, stranger

pytestmark = pytest.mark.electrum

_PRIVATE = {"wsh": bytes.fromhex("02575048"), "sh-wsh": bytes.fromhex("024285b5")}
"""Version bytes of Vprv and Uprv. Source: SLIP-132."""


def _private_key(number: int, cosigner: Cosigner, script: str) -> str:
    """Return a public test seed's account key, which stands nowhere in this repository."""
    account = bip32.HDKey.from_seed(public_seed(number)).derive(f"m/{format_path(cosigner.key.origin.path)}")
    return str(account.to_base58(_PRIVATE[script]))


@pytest.mark.parametrize("script", ["wsh", "sh-wsh"])
def test_signatures_by_electrum_come_back_and_count(tmp_path: Path, electrum: Electrum, script: str) -> None:
    office = Rehearsal(tmp_path / "office", script=script)
    office.fund(2)
    drafted = office.draft("--to", f"{stranger(1)}=60btc", "--reason", "grant 17")
    wallet = tmp_path / "wallet.json"
    office.json(["vault", "export", "--format", "electrum", "-o", wallet])

    document = json.loads(wallet.read_text())
    document["x1/"]["xprv"] = _private_key(1, office.vault.cosigners[0], script)
    wallet.write_text(json.dumps(document))
    answer = tmp_path / "answer.psbt"
    answer.write_text(electrum.sign(wallet, office.vault.network, drafted["psbt"]))

    added = office.json(["proposal", "add", answer])
    assert added["signing"] == {"threshold": 2, "signed": ["c1"], "missing": 1}
    assert office.send(drafted, 3)["state"] == "broadcast"

    # The file that Electrum wrote holds the private key: nothing of it comes in.
    refused = run(["vault", "import", wallet, tmp_path / "back", "--name", "back", "--network", "regtest", "--json"])
    assert (refused.exit_code, refused.error["error"]) == (6, "SECRET_MATERIAL")
