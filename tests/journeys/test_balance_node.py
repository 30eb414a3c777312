"""Must show: an auditor with an export, a descriptor and a node of their own finds the custodian's past balances."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from custody.chain import core_rpc_scan
from custody.vault.formats import vault_file
from support.balance_scene import BOTH_WAYS, Scene, auditor_scene, routes_of
from support.cli import run, run_json
from support.lying_node import Refusal, lying_node
from support.node import Node, start, stop
from support.node_office import NodeOffice

pytestmark = pytest.mark.node

_KEYS = combinations(range(1, 9), 3)
"""The auditor's node keeps what it searched: each test with a fresh vault takes keys of its own."""


@pytest.fixture(scope="module")
def scene(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Receipts, payments with change, a frozen coin and a miner's reward, over several blocks; then the export."""
    with auditor_scene(node.program, tmp_path_factory.mktemp("balance")) as made:
        yield made


def test_three_past_balances_to_the_satoshi_both_ways_and_as_claimed(scene: Scene) -> None:
    assert len({one.total for one in scene.said}) == 3
    heights = [argument for one in scene.said for argument in ("--height", one.height)]
    vault = ["--descriptor", scene.descriptor, "--network", "regtest", "--journal", scene.export]
    answer = run_json(scene.command(*vault, *heights))
    assert len(answer["balances"]) == 3
    for found, said in zip(answer["balances"], scene.said, strict=True):
        assert (found["height"], found["block_hash"]) == (said.height, said.block_hash)
        assert (found["total_sats"], found["coins"], found["complete"]) == (said.total, said.coins, True)
        assert routes_of(found) == dict.fromkeys([*BOTH_WAYS, "journal"], said.total)
        assert found["engines"] == ["custody", "libwally"]
        assert found["window"] == {"receive": 1000, "change": 1000}
        assert found["findings"] == []
    last = answer["balances"][-1]
    assert last["immature_sats"] == 5_000_000_000
    assert last["frozen_sats"] == scene.frozen > 0
    assert answer["balances"][0]["immature_sats"] == 0


def test_the_descriptor_alone_gives_the_same_and_says_nothing_of_freezes(scene: Scene) -> None:
    said = scene.said[1]
    answer = scene.ask("--block", said.block_hash)
    assert (answer["total_sats"], answer["height"], answer["frozen_sats"]) == (said.total, said.height, None)
    assert routes_of(answer) == dict.fromkeys(BOTH_WAYS, said.total)
    alone = run_json(scene.command("--journal", scene.export, "--height", said.height))
    assert (alone["total_sats"], list(routes_of(alone))) == (said.total, [*BOTH_WAYS, "journal"])


def test_today_has_what_waits_apart(scene: Scene) -> None:
    answer = scene.ask()
    tip: Any = scene.auditor.rpc("getblockchaininfo")
    assert (answer["height"], answer["unconfirmed_sats"]) == (tip["blocks"], 0)
    assert scene.ask("--height", scene.said[0].height)["unconfirmed_sats"] is None


def test_what_waits_in_the_mempool_is_shown_and_in_no_sum(scene: Scene, fresh: list[str | Path | int]) -> None:
    before = run_json(scene.command(*fresh))
    vault = vault_file.parse(Path(fresh[1]).read_bytes())
    coming = scene.custodian.node.pay(vault.deriver.address_at(0, 1, vault.network), "0.2")
    scene.auditor.rpc("sendrawtransaction", coming.serialize().hex())
    after = run_json(scene.command(*fresh))
    assert (after["unconfirmed_sats"], after["total_sats"]) == (20_000_000, before["total_sats"])
    assert "in no block yet, in no sum above: 0.20000000 BTC" in run(scene.command(*fresh)).stdout


def test_one_branch_alone_is_audited_alone(scene: Scene, tmp_path: Path) -> None:
    branch = tmp_path / "receive.txt"
    branch.write_text(scene.custodian.single_branch(0))
    said = scene.said[-1]
    answer = run_json(scene.command("--descriptor", branch, "--network", "regtest", "--height", said.height))
    whole = scene.ask("--height", said.height)
    assert answer["window"] == {"receive": 1_000, "change": 0}
    assert len(set(routes_of(answer).values())) == 1
    assert 0 < answer["total_sats"] < whole["total_sats"]


def test_a_date_is_the_last_block_whose_median_time_is_not_later(scene: Scene) -> None:
    said = scene.said[1]
    header: Any = scene.auditor.rpc("getblockheader", said.block_hash)
    at = scene.auditor.backend()
    # Regtest blocks come a second apart: the last one of that minute is what the rule finds.
    minute = header["mediantime"] // 60 * 60
    text = datetime.fromtimestamp(minute, UTC).strftime("%Y-%m-%dT%H:%MZ")
    expected = max(h for h in range(header["height"] + 1) if (at.block_at(h) or at.tip()).median_time_past <= minute)
    answer = scene.ask("--date", text)
    assert answer["height"] == expected
    assert answer["rule"] == "the last block whose median time past is not later than that time"
    future = run([*scene.command("--descriptor", scene.descriptor, "--network", "regtest"), "--date", "2100-01-01"])
    assert (future.exit_code, "has not passed" in future.stderr) == (9, True)


def test_a_copy_of_the_utxo_set_is_a_third_way(scene: Scene, tmp_path: Path) -> None:
    dump = tmp_path / "utxo.dat"
    told: Any = scene.auditor.rpc("dumptxoutset", str(dump), "latest")
    info: Any = scene.auditor.rpc("gettxoutsetinfo", "hash_serialized_3")
    hashed = ["--expect-txoutset-hash", info["hash_serialized_3"]]
    answer = scene.ask("--utxo-dump", dump, *hashed)
    assert (answer["block_hash"], answer["height"]) == (told["base_hash"], told["base_height"])
    assert set(routes_of(answer)) == {*BOTH_WAYS, "utxo-dump"}
    assert len(set(routes_of(answer).values())) == 1
    vault = ["--descriptor", scene.descriptor, "--network", "regtest"]
    alone = run_json(["audit", "balance", *vault, "--utxo-dump", dump])
    assert (alone["total_sats"], alone["height"]) == (answer["total_sats"], None)
    assert [one["code"] for one in alone["findings"]] == ["UTXO_UNVERIFIED"]
    foreign = run(["audit", "balance", *vault, "--utxo-dump", dump, "--expect-txoutset-hash", "ab" * 32, "--json"])
    assert (foreign.exit_code, foreign.error["error"]) == (3, "TXOUTSET_HASH_DIFFERS")


def test_a_journal_that_ends_before_the_block_claims_nothing_about_it(scene: Scene) -> None:
    scene.custodian.node.mine(2)
    scene.follow()
    answer = run_json(scene.command("--journal", scene.export), exit_code=9)
    assert answer["complete"] is False
    assert answer["incomplete"] == [f"the journal has seen the chain up to block {scene.seen_until} only"]
    assert scene.seen_until < answer["height"]
    shown = run(scene.command("--journal", scene.export))
    assert (shown.exit_code, shown.stderr) == (9, "")
    assert "INCOMPLETE: what follows is not the balance" in shown.stdout


def test_a_journal_of_another_vault_is_refused(scene: Scene, tmp_path: Path) -> None:
    other = NodeOffice(tmp_path / "other", scene.custodian.node, (2, 7, 12), threshold=2)
    refused = run([*scene.command("--vault-file", other.folder / "vault.yaml", "--journal", scene.export), "--json"])
    assert (refused.exit_code, refused.error["error"]) == (3, "VAULT_MISMATCH")


def test_a_snapshot_answers_offline_and_says_whose_word_it_is(scene: Scene, tmp_path: Path) -> None:
    snapshot = tmp_path / "snapshot.json"
    scene.custodian.json(["coins", "sync", "--to", snapshot])
    offline = ["audit", "balance", "--descriptor", scene.descriptor, "--network", "regtest", "--snapshot", snapshot]
    at_tip = run_json(offline)
    assert routes_of(at_tip) == dict.fromkeys(BOTH_WAYS, scene.custodian.json(["coins", "list"])["total_sats"])
    assert [one["code"] for one in at_tip["findings"]] == ["UTXO_UNVERIFIED"]
    mined_at = scene.block_of(scene.payments[0])
    node_s_word = scene.ask("--block", mined_at)
    assert run_json([*offline, "--block", mined_at])["total_sats"] == node_s_word["total_sats"]
    by_date = run([*offline, "--date", "2020-01-01", "--json"])
    assert (by_date.exit_code, by_date.error["error"]) == (9, "SYNC_INCOMPLETE")
    assert "does not know the time of block" in by_date.error["message"]
    assert "evidence" not in at_tip
    above = run([*offline, "--height", at_tip["height"] + 1, "--json"])
    assert (above.exit_code, above.error["error"]) == (9, "BLOCK_UNKNOWN")


def test_a_snapshot_with_headers_knows_every_block_and_its_time(scene: Scene, tmp_path: Path) -> None:
    snapshot = tmp_path / "snapshot.json"
    scene.custodian.json(["coins", "sync", "--to", snapshot, "--evidence", "--headers"])
    offline = ["audit", "balance", "--journal", scene.export, "--snapshot", snapshot]
    for said in scene.said:
        answer = run_json([*offline, "--height", said.height])
        assert routes_of(answer) == dict.fromkeys([*BOTH_WAYS, "journal"], said.total)
        assert (answer["block_hash"], answer["evidence"]["proves_work"]) == (said.block_hash, False)
        assert run_json([*offline, "--block", said.block_hash])["height"] == said.height
    header: Any = scene.auditor.rpc("getblockheader", scene.said[-1].block_hash)
    assert run_json([*offline, "--height", scene.said[-1].height])["time"] == datetime.fromtimestamp(
        header["mediantime"], UTC
    ).strftime("%Y-%m-%dT%H:%M:%SZ")
    shown = run([*offline, "--height", scene.said[0].height]).stdout
    assert "by their merkle proofs" in shown
    assert "not shown: only a node can tell that the coins are still unspent" in shown


@pytest.fixture
def fresh(scene: Scene, tmp_path: Path) -> list[str | Path | int]:
    """The command line for a funded vault that the auditor's node has never searched for."""
    office = NodeOffice(tmp_path / "office", scene.custodian.node, next(_KEYS), threshold=2)
    scene.custodian.node.pay(office.vault.deriver.address_at(0, 0, office.vault.network), "0.7")
    scene.custodian.node.mine(1)
    scene.follow()
    return ["--vault-file", office.folder / "vault.yaml"]


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("rescanblockchain", "Wallet is currently rescanning. Abort existing rescan or wait."),
        ("scantxoutset", 'Scan already in progress, use action "abort" or "status"'),
    ],
)
def test_a_busy_node_gives_no_number_and_the_next_call_does(
    scene: Scene, fresh: list[str | Path | int], method: str, words: str
) -> None:
    def busy(asked: str, _params: Any, result: Any) -> Any:
        if asked == method:
            raise Refusal(-8 if method == "scantxoutset" else -4, words)
        return result

    with lying_node(scene.auditor.login, busy) as liar:
        refused = run([*scene.command(*fresh, node=liar), "--json"])
    assert (refused.exit_code, refused.stdout, refused.error["error"]) == (9, "", "NODE_BUSY")
    first = run_json(scene.command(*fresh))
    assert first["total_sats"] == first["routes"][0]["total_sats"] == first["routes"][1]["total_sats"] > 0
    assert run_json(scene.command(*fresh)) == first


def test_a_search_that_times_out_leaves_no_half_answer(
    scene: Scene, fresh: list[str | Path | int], monkeypatch: pytest.MonkeyPatch
) -> None:
    over = Event()

    def slow(asked: str, params: Any, result: Any) -> Any:
        if asked == "scantxoutset" and params[0] == "start":
            over.wait(30)
        return result

    monkeypatch.setattr(core_rpc_scan, "_TIMEOUT_S", 1)
    with lying_node(scene.auditor.login, slow) as liar:
        refused = run([*scene.command(*fresh, node=liar), "--json"])
        over.set()
    assert (refused.exit_code, refused.stdout, refused.error["error"]) == (9, "", "NODE_BUSY")
    assert run_json(scene.command(*fresh))["total_sats"] > 0


def test_progress_is_shown_to_a_person_who_asks_for_it(scene: Scene) -> None:
    command = scene.command("--descriptor", scene.descriptor, "--network", "regtest", "--height", scene.said[0].height)
    shown = run(["-v", *command])
    for what in (
        "deriving receive scripts by two engines: 1000 of 1000",
        "following the chain of blocks",
        "undoing blocks",
    ):
        assert what in shown.stderr
    assert run(command).stderr == ""


def test_a_pruned_node_says_so_and_gives_no_number_that_counts(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "pruned").mkdir()
    process, pruned = start(scene.auditor.program, tmp_path / "pruned", "-prune=1", "-fastprune=1")
    try:
        office = NodeOffice(tmp_path / "office", pruned, (2, 7, 12), threshold=2)
        mining = f"addr({office.vault.deriver.address_at(0, 0, office.vault.network)})"
        pruned.rpc("setmocktime", 1_700_000_000)
        pruned.rpc("generatetodescriptor", 300, mining)
        pruned.rpc("setmocktime", 0)
        pruned.rpc("generatetodescriptor", 290, mining)
        pruned.rpc("pruneblockchain", 300)
        command = scene.command("--vault-file", office.folder / "vault.yaml", node=pruned)
        low = run([*command, "--height", 100, "--json"])
        assert (low.exit_code, low.stdout, low.error["error"]) == (9, "", "PRUNED_BELOW_BIRTH")
        today = run_json(command, exit_code=9)
        assert today["complete"] is False
        assert today["incomplete"][0].startswith("PRUNED_BELOW_BIRTH")
        assert today["total_sats"] is None
    finally:
        stop(process)
