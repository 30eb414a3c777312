"""A35 and A115: the auditor's view of the chain, or the custodian's, lies about a coin; each lie is named.

Every lie is told by a proxy in front of a real node, to the real command line.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.balance_scene import BOTH_WAYS, Scene, auditor_scene, routes_of
from support.cli import Result, run, run_json
from support.edited_journals import Export
from support.lying_node import LyingNode, Refusal, lying_node
from support.node import Node
from support.node_office import NodeOffice
from support.rehearsal import stranger

pytestmark = pytest.mark.node

HISTORY = "the history of the watch-only wallet"
UNSPENT = "the unspent outputs with later blocks undone"


@pytest.fixture(scope="module")
def scene(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Receipts, payments with change, a frozen coin and a miner's reward, over several blocks; then the export."""
    with auditor_scene(node.program, tmp_path_factory.mktemp("balance")) as made:
        yield made


def hidden(answer: Any) -> list[tuple[str, str]]:
    """Return place and message of each difference."""
    assert answer["total_sats"] is None
    return [(one["where"], one["message"]) for one in answer["findings"] if one["code"] == "BALANCE_DIFFERS"]


def test_a35_a115_a_node_that_hides_a_coin_from_its_unspent_outputs_is_caught(scene: Scene) -> None:
    said = scene.said[-1]
    coin = next(one for one in scene.custodian.json(["coins", "list"])["coins"] if one["frozen"])

    def lie(method: str, params: Any, result: Any) -> Any:
        if method == "scantxoutset" and params[0] == "start":
            kept = [one for one in result["unspents"] if (one["txid"], one["vout"]) != (coin["txid"], coin["vout"])]
            return {**result, "unspents": kept, "total_amount": sum(one["amount"] for one in kept)}
        return result

    with lying_node(scene.auditor.login, lie) as liar:
        answer = scene.ask("--height", said.height, exit_code=3, node=liar)
    [(where, message)] = hidden(answer)
    assert where == f"{coin['txid']}:{coin['vout']}"
    assert f"it is in {HISTORY}, and not in {UNSPENT}" in message
    assert message.endswith("asked for it alone, this view of the chain says that it is unspent today")
    assert answer["complete"] is True


def test_a35_a115_a_node_that_hides_a_transaction_from_the_wallet_s_history_is_caught(scene: Scene) -> None:
    said = scene.said[-1]
    coin = next(one for one in scene.custodian.json(["coins", "list"])["coins"] if one["frozen"])

    def lie(method: str, _params: Any, result: Any) -> Any:
        if method == "listsinceblock":
            return {**result, "transactions": [one for one in result["transactions"] if one["txid"] != coin["txid"]]}
        if method == "listunspent":
            return [one for one in result if one["txid"] != coin["txid"]]
        return result

    with lying_node(scene.auditor.login, lie) as liar:
        answer = scene.ask("--height", said.height, exit_code=3, node=liar)
    [(where, message)] = hidden(answer)
    assert where == f"{coin['txid']}:{coin['vout']}"
    assert f"it is in {UNSPENT}, and not in {HISTORY}" in message


def test_a35_a115_a_history_that_contradicts_the_same_wallet_s_coins_is_caught(scene: Scene) -> None:
    coin = next(one for one in scene.custodian.json(["coins", "list"])["coins"] if one["frozen"])

    def lie(method: str, _params: Any, result: Any) -> Any:
        if method == "listsinceblock":
            return {**result, "transactions": [one for one in result["transactions"] if one["txid"] != coin["txid"]]}
        return result

    with lying_node(scene.auditor.login, lie) as liar:
        answer = scene.ask("--height", scene.said[-1].height, exit_code=3, node=liar)
    assert {one["code"] for one in answer["findings"]} == {"CHAIN_DISAGREES", "BALANCE_DIFFERS"}


def test_a35_a115_a_node_that_hides_a_later_spend_is_caught(scene: Scene) -> None:
    said, payment = scene.said[-1], scene.payments[-1]
    spent: Any = scene.auditor.rpc("getrawtransaction", payment, 1, scene.block_of(payment))
    taken = {f"{one['txid']}:{one['vout']}" for one in spent["vin"]}

    def lie(method: str, params: Any, result: Any) -> Any:
        if method == "getblock" and params[1:] == [3]:
            for one in result["tx"]:
                if one["txid"] == payment:
                    one["vin"] = one["vin"][:0]
        return result

    with lying_node(scene.auditor.login, lie) as liar:
        answer = scene.ask("--height", said.height, exit_code=3, node=liar)
    assert {where for where, _message in hidden(answer)} == taken
    assert all(f"it is in {HISTORY}, and not in {UNSPENT}" in message for _where, message in hidden(answer))


def test_a35_a115_a_node_that_drops_a_whole_transaction_of_a_block_is_refused(scene: Scene) -> None:
    payment = scene.payments[-1]

    def lie(method: str, params: Any, result: Any) -> Any:
        if method == "getblock" and params[1:] == [3]:
            return {**result, "tx": [one for one in result["tx"] if one["txid"] != payment]}
        return result

    with lying_node(scene.auditor.login, lie) as liar:
        refused = refusal(scene, liar)
    assert (refused.exit_code, refused.stdout) == (9, "")
    assert (refused.error["error"], "leaves transactions of block" in refused.error["message"]) == (
        "NODE_ANSWER_INVALID",
        True,
    )


def _coin_twice(method: str, _params: Any, result: Any) -> Any:
    if method == "scantxoutset" and isinstance(result, dict) and "unspents" in result:
        coins = [*result["unspents"], result["unspents"][0]]
        return {**result, "unspents": coins, "total_amount": sum(one["amount"] for one in coins)}
    return result


def _spend_of_another_output(method: str, params: Any, result: Any) -> Any:
    if method == "getblock" and params[1:] == [3]:
        for one in result["tx"][1:]:
            for spent in one["vin"]:
                spent["vout"] += 7
    return result


def _header_of_another_block(method: str, params: Any, result: Any) -> Any:
    if method == "getblockheader" and params[1:] == [False]:
        return "01" + result[2:]
    return result


@pytest.mark.parametrize(
    ("lie", "words"),
    [
        (_coin_twice, "has a coin twice"),
        (_spend_of_another_output, "spends what it does not"),
        (_header_of_another_block, "is about another block"),
    ],
)
def test_a35_a115_an_answer_that_contradicts_itself_is_refused(scene: Scene, lie: Any, words: str) -> None:
    with lying_node(scene.auditor.login, lie) as liar:
        vault = ["--descriptor", scene.descriptor, "--network", "regtest", "--height", scene.said[0].height]
        refused = run([*scene.command(*vault, node=liar), "--json"])
    assert (refused.exit_code, refused.stdout, refused.error["error"]) == (9, "", "NODE_ANSWER_INVALID")
    assert words in refused.error["message"]


def test_a35_a115_a_journal_that_follows_another_block_is_named(scene: Scene, tmp_path: Path) -> None:
    """The same coins at the same heights, in a block that the auditor's chain doesn't have."""
    edited = Export.read(scene.export)
    seen = [one for at in edited.all("chain_observed") for one in edited.body(at)["transactions"] if one["block_hash"]]
    tips = {edited.body(at)["tip"]["hash"] for at in edited.all("chain_observed")}
    claimed = next(one["block_hash"] for one in seen if one["block_hash"] not in tips)
    for one in seen:
        if one["block_hash"] == claimed:
            one["block_hash"] = "ab" * 32
    path = edited.rehash().write(tmp_path / "edited.jsonl")
    answer = run_json(scene.command("--journal", path, "--height", scene.said[-1].height), exit_code=3)
    assert [(one["code"], one["where"]) for one in answer["findings"]] == [("CHAIN_DISAGREES", "ab" * 32)]
    assert len(set(routes_of(answer).values())) == 1


def refusal(scene: Scene, node: LyingNode) -> Result:
    vault = ["--descriptor", scene.descriptor, "--network", "regtest", "--height", scene.said[-1].height]
    return run([*scene.command(*vault, node=node), "--json"])


def test_a35_a115_a_journal_whose_writer_left_a_coin_out_is_caught(scene: Scene, tmp_path: Path) -> None:
    """The custodian's own node hid a receipt from the custodian: the journal is sound, and its claim too low."""
    hidden_one: list[str] = []

    def lie(method: str, _params: Any, result: Any) -> Any:
        if method == "listsinceblock":
            return {**result, "transactions": [one for one in result["transactions"] if one["txid"] not in hidden_one]}
        if method == "listunspent":
            return [one for one in result if one["txid"] not in hidden_one]
        if method == "gettransaction" and result["txid"] in hidden_one:
            raise Refusal(-5, "Invalid or non-wallet transaction id")
        if method == "scantxoutset" and isinstance(result, dict) and "unspents" in result:
            kept = [one for one in result["unspents"] if one["txid"] not in hidden_one]
            return {**result, "unspents": kept, "total_amount": sum(one["amount"] for one in kept)}
        return result

    node = scene.custodian.node
    office = NodeOffice(tmp_path / "office", node, (4, 8, 12), threshold=2)
    with lying_node(node.login, lie) as liar:
        settings = (tmp_path / "office" / "custody.yaml").read_text().replace(node.login.url, liar.login.url)
        (tmp_path / "office" / "custody.yaml").write_text(settings)
        address = office.json(["address", "next"])["address"]
        hidden_one.append(node.pay(address, "1.25").txid)
        shown = node.pay(office.json(["address", "next"])["address"], "0.5")
        node.mine(2)
        listed = office.json(["coins", "sync"])
        assert (listed["complete"], listed["total_sats"]) == (True, 50_000_000)
        office.run(["journal", "export", "-o", tmp_path / "export.jsonl"])
    scene.follow()
    answer = run_json(scene.command("--journal", tmp_path / "export.jsonl"), exit_code=3)
    [(where, message)] = hidden(answer)
    assert where.startswith(hidden_one[0])
    assert shown.txid not in where
    assert f"it is in {HISTORY} and {UNSPENT}, and not in the journal's claim" in message
    assert routes_of(answer) == {"history": 175_000_000, "unspent": 175_000_000, "journal": 50_000_000}


def test_a35_a115_what_one_node_hides_from_every_answer_is_said_to_need_another(scene: Scene, tmp_path: Path) -> None:
    coin = next(one for one in scene.custodian.json(["coins", "list"])["coins"] if one["frozen"])

    def lie(method: str, params: Any, result: Any) -> Any:
        if method == "listsinceblock":
            return {**result, "transactions": [one for one in result["transactions"] if one["txid"] != coin["txid"]]}
        if method == "listunspent":
            return [one for one in result if one["txid"] != coin["txid"]]
        if method == "gettxout" and params[0] == coin["txid"]:
            return None
        if method == "scantxoutset" and isinstance(result, dict) and "unspents" in result:
            kept = [one for one in result["unspents"] if one["txid"] != coin["txid"]]
            return {**result, "unspents": kept, "total_amount": sum(one["amount"] for one in kept)}
        return result

    height = scene.said[-1].height
    dump = tmp_path / "utxo.dat"
    written: Any = scene.auditor.rpc("dumptxoutset", str(dump), "latest")
    words = ["--descriptor", scene.descriptor, "--network", "regtest"]
    second = ["--utxo-dump", dump, "--expect-txoutset-hash", written["txoutset_hash"]]
    with lying_node(scene.auditor.login, lie) as liar:
        fooled = scene.ask("--height", height, node=liar)
        shown = run(scene.command(*words, "--height", height, node=liar)).stdout
        told = scene.ask(*second, exit_code=3, node=liar)
    assert fooled["total_sats"] == scene.said[-1].total - coin["value_sats"]
    assert fooled["not_shown"][0].startswith("that the node keeps no coin back from all of its answers alike")
    assert f"What this doesn't show:\n  - {fooled['not_shown'][0]}" in shown
    assert [where for where, _message in hidden(told)] == [f"{coin['txid']}:{coin['vout']}"]
    assert len(told["not_shown"]) == 1


def test_a35_a115_an_alarm_is_not_lowered_by_what_is_missing_elsewhere(scene: Scene, tmp_path: Path) -> None:
    """The journal leaves a coin out, and calls its own view incomplete; and another block is one that it never saw."""
    edited = Export.read(scene.export)
    last = edited.all("chain_observed")[-1]
    edited.body(last).update(complete=False, incomplete=["the node was busy"])
    coin = next(one for one in scene.custodian.json(["coins", "list"])["coins"] if one["frozen"])
    for at in edited.all("chain_observed"):
        body = edited.body(at)
        body["transactions"] = [one for one in body["transactions"] if one["txid"] != coin["txid"]]
    path = edited.rehash().write(tmp_path / "edited.jsonl")
    height = scene.said[-1].height
    alone = run_json(scene.command("--journal", path, "--height", height), exit_code=3)
    assert [one["code"] for one in alone["findings"]] == ["SYNC_INCOMPLETE", "BALANCE_DIFFERS"]
    assert alone["complete"] is True
    scene.custodian.node.mine(1)
    scene.follow()
    newest = scene.custodian.node.rpc("getblockcount")
    assert isinstance(newest, int)
    both = run_json(scene.command("--journal", path, "--height", height, "--height", newest), exit_code=3)
    assert [one["complete"] for one in both["balances"]] == [True, False]


def test_a35_a115_a_reorganization_meanwhile_is_answered_on_one_chain(scene: Scene) -> None:
    """The auditor's chain is replaced between the two ways: the answer is the new chain's, both ways."""
    said, auditor = scene.said[-1], scene.auditor
    before = scene.ask()
    abandoned = scene.block_of(scene.payments[-1])
    fork = auditor.backend().height_of(abandoned)
    assert fork is not None
    done: list[str] = []

    def lie(method: str, params: Any, result: Any) -> Any:
        if method == "scantxoutset" and params[0] == "start" and not done:
            done.append(method)
            auditor.rpc("invalidateblock", abandoned)
            for _ in range(12):
                auditor.rpc("generateblock", f"addr({stranger(99)})", [])
        return result

    try:
        with lying_node(auditor.login, lie) as liar:
            answer = scene.ask(node=liar)
        assert done
        assert answer["height"] == before["height"] < fork + 11
        assert answer["block_hash"] == auditor.rpc("getblockhash", answer["height"]) != before["block_hash"]
        # The new chain has neither the last payment nor the receipt in its block.
        assert routes_of(answer) == dict.fromkeys(BOTH_WAYS, said.total)
        assert before["total_sats"] != said.total
        gone = run([*scene.command("--descriptor", scene.descriptor, "--network", "regtest", "--block", abandoned)])
        assert (gone.exit_code, "is not on the chain" in gone.stderr) == (9, True)
    finally:
        auditor.rpc("invalidateblock", auditor.rpc("getblockhash", fork))
        auditor.rpc("reconsiderblock", abandoned)
    after = scene.ask()
    assert (after["block_hash"], after["total_sats"]) == (before["block_hash"], before["total_sats"])
