"""Must show: an auditor with an export, a descriptor and a node of their own finds the custodian's past balances."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from support.balance_scene import BOTH_WAYS, Scene, auditor_scene, routes_of
from support.cli import run, run_json
from support.node import Node

pytestmark = pytest.mark.node


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
