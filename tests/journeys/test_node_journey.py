"""The officer's journey against a real bitcoind, through the real command line, beside the node's own opinion."""

import base64
from pathlib import Path
from typing import Any

import pytest

from support.cli import run_json
from support.node import Node
from support.node_office import NodeOffice
from support.rehearsal import stranger

pytestmark = pytest.mark.node

VAULTS = [("wsh", 3, (1, 2, 3, 4, 5)), ("sh-wsh", 2, (6, 7, 8))]
ADDRESSES = 1_000


@pytest.mark.parametrize(("script", "threshold", "devices"), VAULTS)
def test_our_addresses_are_the_node_s(
    node: Node, tmp_path: Path, script: str, threshold: int, devices: tuple[int, ...]
) -> None:
    office = NodeOffice(tmp_path / "office", node, devices, threshold=threshold, script=script)
    for branch, label in enumerate(("receive", "change")):
        listed = office.json(["address", "list", "--branch", label, "--count", ADDRESSES])["addresses"]
        theirs = node.rpc("deriveaddresses", office.single_branch(branch), [0, ADDRESSES - 1])
        assert [one["address"] for one in listed] == theirs


@pytest.mark.parametrize(("script", "threshold", "devices"), VAULTS)
def test_a_payment_from_draft_to_confirmed_that_the_node_agrees_with(
    node: Node, tmp_path: Path, script: str, threshold: int, devices: tuple[int, ...]
) -> None:
    office = NodeOffice(tmp_path / "office", node, devices, threshold=threshold, script=script)
    office.fund(2)
    synced = office.json(["coins", "sync", "--full"])
    assert (synced["complete"], synced["compared_with_utxo_set"]) == (True, True)

    drafted = office.draft("--to", f"{stranger(11)}=15btc", "--reason", "grant 17")
    analyzed: Any = node.rpc("analyzepsbt", drafted["psbt"])
    assert analyzed["next"] == "signer"
    assert [one["has_utxo"] for one in analyzed["inputs"]] == [True, True]
    assert int(str(analyzed["fee"]).replace(".", "")) == drafted["fee_sats"]

    signed = office.sign(drafted, *reversed(devices[:threshold]))
    assert node.rpc("analyzepsbt", signed["psbt"])["next"] == "finalizer"  # type: ignore[index,call-overload]
    theirs: Any = node.rpc("finalizepsbt", signed["psbt"])
    final = office.json(["proposal", "finalize", drafted["proposal_id"]])
    assert (theirs["complete"], theirs["hex"]) == (True, final["transaction"])
    accepted: Any = node.rpc("testmempoolaccept", [final["transaction"]])
    assert (accepted[0]["allowed"], accepted[0]["txid"]) == (True, final["txid"])

    broadcast = ["proposal", "broadcast", drafted["proposal_id"], "--confirm-sats", drafted["confirm_sats"]]
    assert office.json(broadcast)["state"] == "broadcast"
    assert final["txid"] in _mempool(node)
    assert office.json(["coins", "sync", "--full"])["complete"] is True  # what waits in the mempool is no gap
    office.mine(1)
    office.json(["coins", "sync"])
    assert office.show(drafted)["state"] == "mined"
    office.mine(5)
    office.json(["coins", "sync", "--full"])
    assert office.show(drafted)["state"] == "confirmed"
    status = office.json(["status"])
    assert status["total_sats"] == office.chain_total() == drafted["change"][0]["value_sats"]
    assert status["unexplained_outflows"] == []


def test_a_psbt_of_the_node_s_passes_with_warnings(node: Node, tmp_path: Path) -> None:
    office = NodeOffice(tmp_path / "office", node, (1, 2, 9), threshold=2)
    office.fund(1)
    watcher = node.json_rpc.for_wallet("watcher")
    node.rpc("createwallet", "watcher", True, True)
    ours: Any = [
        {"desc": office.single_branch(branch), "active": True, "internal": branch == 1, "timestamp": 0, "range": 100}
        for branch in (0, 1)
    ]
    watcher.call("importdescriptors", [ours])
    terms: Any = {"fee_rate": "5", "change_type": "bech32"}
    drafted: Any = watcher.call("walletcreatefundedpsbt", [[], [{stranger(12): "1"}], 0, terms])
    file = tmp_path / "node.psbt"
    file.write_bytes(base64.b64decode(drafted["psbt"]))
    review = office.json(["psbt", "review", file, "--vault-file", office.folder / "vault.yaml"])
    assert review["verdict"] == "warned"
    codes = {finding["code"] for finding in review["findings"] if finding["severity"] == "warn"}
    assert "GLOBAL_XPUBS_MISSING" in codes
    roles = sorted(one["kind"] for one in review["outputs"])
    assert roles == ["change", "external"]


@pytest.mark.parametrize(("script", "threshold", "devices"), [("wsh", 3, (3, 4, 5, 6, 7)), ("sh-wsh", 2, (9, 10, 11))])
def test_a_node_wallet_with_one_test_key_is_one_signer(
    node: Node, tmp_path: Path, script: str, threshold: int, devices: tuple[int, ...]
) -> None:
    office = NodeOffice(tmp_path / "office", node, devices, threshold=threshold, script=script)
    office.fund(1)
    drafted = office.draft("--to", f"{stranger(13)}=1btc")
    office.sign(drafted, *devices[: threshold - 1])

    signer = f"signer-{script}"
    node.rpc("createwallet", signer, False, True)
    wallet = node.json_rpc.for_wallet(signer)
    last = devices[-1]
    wanted: Any = [
        {"desc": office.with_private_key(last, branch), "timestamp": "now", "range": 100} for branch in (0, 1)
    ]
    imported: Any = wallet.call("importdescriptors", [wanted])
    assert [one["success"] for one in imported] == [True, True]
    processed: Any = wallet.call("walletprocesspsbt", [drafted["psbt"], True, "ALL", True, False])
    file = tmp_path / "signed-by-node.psbt"
    file.write_text(processed["psbt"])
    added = office.json(["proposal", "add", file])
    assert added["new_signatures"] == 1
    assert added["state"] == "signed"
    assert f"c{last}" in added["signing"]["signed"]
    office.json(["proposal", "finalize", drafted["proposal_id"]])
    broadcast = ["proposal", "broadcast", drafted["proposal_id"], "--confirm-sats", drafted["confirm_sats"]]
    assert office.json(broadcast)["state"] == "broadcast"
    office.mine(1)


def test_bump_replaces_in_the_node_s_mempool(node: Node, tmp_path: Path) -> None:
    office = NodeOffice(tmp_path / "office", node, (1, 2, 10), threshold=2)
    office.fund(2)
    first = office.draft("--to", f"{stranger(14)}=3btc")
    stuck = office.send(first, 1, 10)["txid"]
    assert stuck in _mempool(node)
    bumped = office.json(["proposal", "bump", first["proposal_id"], "--fee-rate", "30"])
    assert bumped["destinations"] == first["destinations"]
    sent = office.send(bumped, 2, 10)["txid"]
    assert sent in _mempool(node)
    assert stuck not in _mempool(node)
    office.mine(6)
    office.json(["coins", "sync", "--full"])
    assert (office.show(first)["state"], office.show(bumped)["state"]) == ("replaced", "confirmed")
    assert office.json(["status"])["total_sats"] == office.chain_total()


def test_cancel_takes_a_broadcast_payment_back(node: Node, tmp_path: Path) -> None:
    office = NodeOffice(tmp_path / "office", node, (1, 2, 11), threshold=2)
    office.fund(1)
    first = office.draft("--to", f"{stranger(15)}=3btc")
    stuck = office.send(first, 1, 2)["txid"]
    cancel = office.json(["proposal", "cancel", first["proposal_id"], "--fee-rate", "25"])
    assert (cancel["kind"], cancel["destinations"]) == ("cancel", [])
    office.send(cancel, 1, 11)
    assert stuck not in _mempool(node)
    office.mine(6)
    office.json(["coins", "sync"])
    assert (office.show(first)["state"], office.show(cancel)["state"]) == ("replaced", "confirmed")
    assert office.json(["status"])["total_sats"] == office.chain_total() == 1_000_000_000 - cancel["fee_sats"]


def test_a_child_pays_for_a_stuck_inflow(node: Node, tmp_path: Path) -> None:
    office = NodeOffice(tmp_path / "office", node, (1, 2, 12), threshold=2)
    office.fund(1)
    address = office.json(["address", "next"])["address"]
    terms: tuple[Any, ...] = ("", "", False, True, None, "unset", False, "1")
    inflow = str(node.miner("sendtoaddress", address, "2", *terms))
    office.json(["coins", "sync"])
    child = office.json(["proposal", "bump", "--inflow", inflow, "--fee-rate", "20"])
    assert [one["txid"] for one in child["inputs"]] == [inflow]
    sent = office.send(child, 1, 12)["txid"]
    entry: Any = node.rpc("getmempoolentry", sent)
    package = int(str(entry["fees"]["ancestor"]).replace(".", ""))
    assert entry["ancestorcount"] == 2
    assert package >= 20 * entry["ancestorsize"]
    office.mine(6)
    office.json(["coins", "sync"])
    assert office.show(child)["state"] == "confirmed"
    assert office.json(["status"])["total_sats"] == office.chain_total()


def test_a_reorganization_takes_a_confirmed_payment_back(node: Node, tmp_path: Path) -> None:
    office = NodeOffice(tmp_path / "office", node, (1, 2, 13), threshold=2)
    office.fund(1)
    paid = office.draft("--to", f"{stranger(16)}=3btc")
    txid = office.send(paid, 1, 13)["txid"]
    first, *_later = node.mine(6)
    office.json(["coins", "sync"])
    assert office.show(paid)["state"] == "confirmed"

    node.rpc("invalidateblock", first)
    # The payment waits in the mempool again; the new chain is longer and doesn't hold it.
    for _ in range(7):
        node.rpc("generateblock", node.miner("getnewaddress"), [])
    assert office.json(["coins", "sync"])["vanished_blocks"] == [first]
    assert office.show(paid)["state"] == "broadcast"
    assert office.json(["status"])["taken_back"] == [txid]
    shown = office.run(["status"])
    assert f"REORGANIZED {txid}" in shown.stdout

    node.mine(6)
    office.json(["coins", "sync"])
    assert office.show(paid)["state"] == "confirmed"
    assert office.json(["status"])["taken_back"] == []
    office.run(["journal", "export", "-o", tmp_path / "export.jsonl"])
    assert run_json(["audit", "journal", tmp_path / "export.jsonl"])["findings"] == []


def test_a_spend_made_outside_is_an_alarm_until_somebody_accepts_it(node: Node, tmp_path: Path) -> None:
    office = NodeOffice(tmp_path / "office", node, (1, 2, 14), threshold=2)
    office.fund(2)
    txid = _spend_outside(office, 1, 14)
    assert txid in _mempool(node)
    office.json(["coins", "sync"])
    (waiting,) = office.json(["status"], exit_code=3)["unexplained_outflows"]
    assert (waiting["txid"], waiting["height"]) == (txid, None)

    office.mine(6)
    office.json(["coins", "sync"])
    status = office.json(["status"], exit_code=3)
    (outflow,) = status["unexplained_outflows"]
    assert (outflow["code"], outflow["txid"]) == ("UNEXPLAINED_OUTFLOW", txid)
    assert stranger(17) in outflow["addresses"]
    assert status["total_sats"] == office.chain_total()

    draft = ["proposal", "draft", "--fee-rate", "5", "--to", f"{stranger(18)}=1btc"]
    assert office.error(draft, exit_code=3)["error"] == "UNEXPLAINED_OUTFLOW"
    office.json(["coins", "accept", txid, "--reason", "paid by hand"])
    assert office.json(["status"])["unexplained_outflows"] == []
    assert office.json(draft)["state"] == "draft"


@pytest.mark.parametrize(("how", "threshold"), [((), 2), (("--full",), 3)])
def test_a35_a_coin_that_the_wallet_s_history_hides_is_found_in_the_node_s_set(
    node: Node, tmp_path: Path, how: tuple[str, ...], threshold: int
) -> None:
    office = NodeOffice(tmp_path / "office", node, (1, 2, 15), threshold=threshold)
    office.fund(2)
    whole = office.json(["status"])["total_sats"]
    hidden = office.json(["coins", "list"])["coins"][0]["txid"]
    office.wallet("removeprunedfunds", hidden)
    synced = office.json(["coins", "sync", *how], exit_code=9)
    assert synced["complete"] is False
    assert hidden in synced["incomplete"][0]
    assert office.json(["status"], exit_code=9)["total_sats"] < whole
    draft = ["proposal", "draft", "--fee-rate", "5", "--to", f"{stranger(19)}=1btc"]
    assert office.error(draft, exit_code=9)["error"] == "SYNC_INCOMPLETE"


def _spend_outside(office: NodeOffice, *devices: int) -> str:
    """Pay 4 BTC past our commands: drafted and sent by the node, signed by embit alone."""
    change = office.json(["address", "list", "--branch", "change", "--count", 1])["addresses"][0]["address"]
    terms: Any = {"fee_rate": "5", "changeAddress": change}
    drafted: Any = office.wallet("walletcreatefundedpsbt", [], [{stranger(17): "4"}], 0, terms)
    raw = base64.b64decode(drafted["psbt"])
    for device in devices:
        raw = office.device(device).sign(raw)
    finished: Any = office.node.rpc("finalizepsbt", base64.b64encode(raw).decode())
    return str(office.node.rpc("sendrawtransaction", finished["hex"]))


def _mempool(node: Node) -> list[str]:
    listed: Any = node.rpc("getrawmempool")
    return list(listed)
