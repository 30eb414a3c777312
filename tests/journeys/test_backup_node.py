"""A drill against a real node: the office's folder is gone; a backup, and then paper alone, bring the vault back."""

import re
import shutil
from pathlib import Path

import pytest

from support.cli import run, run_json
from support.node import Node
from support.node_office import NodeOffice
from support.qr import scan
from support.rehearsal import stranger
from support.sheets import codes_of

pytestmark = pytest.mark.node


def test_a_lost_office_comes_back_from_its_backup_and_pays(node: Node, tmp_path: Path) -> None:
    office = NodeOffice(tmp_path / "office", node, (12, 13, 14), threshold=2)
    office.fund(2)
    coin = office.json(["coins", "list"])["coins"][0]
    office.json(["coins", "freeze", f"{coin['txid']}:{coin['vout']}", "--reason", "claimed by two"])
    drafted = office.draft("--to", f"{stranger(41)}=3btc", "--reason", "grant 41")
    office.sign(drafted, 12)
    before = office.json(["coins", "list"])
    backup, paper = tmp_path / "x.backup", tmp_path / "x.html"
    made = office.json(["vault", "backup", backup, "--paper", paper])
    settings = (office.folder / "custody.yaml").read_bytes()
    shutil.rmtree(office.folder)

    kept = ["--expect-head", made["head"], "--expect-vault-id", made["vault_id"]]
    assert run_json(["vault", "restore", backup, office.folder, *kept])["head"] == made["head"]
    (office.folder / "custody.yaml").write_bytes(settings)
    synced = office.json(["coins", "sync", "--full"])
    assert (synced["complete"], synced["compared_with_utxo_set"]) == (True, True)
    after = office.json(["coins", "list"])
    assert (after["coins"], after["total_sats"]) == (before["coins"], before["total_sats"])
    assert office.show(drafted)["signing"]["signed"] == ["c12"]
    office.send(drafted, 14)
    office.mine(6)
    office.json(["coins", "sync"])
    assert office.show(drafted)["state"] == "confirmed"
    total = office.json(["coins", "list"])["total_sats"]
    assert total == office.chain_total()

    # On paper there is the vault and no more: the balance is right, and nobody may spend.
    page = paper.read_text()
    frames = "\n".join(scan(picture)[0].decode() for picture in codes_of(page, "vault"))
    from_paper, bare = tmp_path / "vault.yaml", tmp_path / "bare"
    assert run(["qr", "read", "-", "-o", from_paper], frames).exit_code == 0
    head = re.search(r"--expect-head ([0-9a-f]{64})", page)
    assert head is not None
    answer = run_json(["vault", "restore", from_paper, bare, "--expect-head", head[1], *kept[2:]])
    assert (answer["governance"], answer["lost_head"]) == ("unknown", made["head"])
    (bare / "custody.yaml").write_bytes(settings)
    assert run_json(["--vault", bare, "coins", "sync"])["complete"] is True
    assert run_json(["--vault", bare, "coins", "list"])["total_sats"] == total
    draft = ["proposal", "draft", "--to", f"{stranger(42)}=1btc", "--fee-rate", "5", "--json"]
    refused = run(["--vault", bare, *draft])
    assert (refused.exit_code, refused.error["error"]) == (4, "GOVERNANCE_UNKNOWN")
