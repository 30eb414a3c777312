"""Must show: an auditor with an export, a descriptor and a node of their own finds the custodian's past balances.

The custodian's node and the auditor's have two data directories. The auditor's gets the same blocks and judges
them itself; nothing else passes between the two but the exported journal and the descriptor. Then the auditor's
view of the chain lies, in one way after another, and each lie is named.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from support.cli import Result, run, run_json
from support.lying_node import LyingNode, Refusal, lying_node
from support.node import Node, start, stop
from support.node_office import NodeOffice
from support.rehearsal import stranger

pytestmark = pytest.mark.node

BOTH_WAYS = ["history", "unspent"]


@dataclass(frozen=True)
class Said:
    """What the custodian's own screen said at one block."""

    height: int
    block_hash: str
    total: int
    coins: int


@dataclass
class Scene:
    """Both sides."""

    custodian: NodeOffice
    auditor: Node
    export: Path
    descriptor: Path
    said: list[Said]
    frozen: int
    """Sum in satoshis."""
    payments: list[str]
    """Txids."""

    def follow(self) -> None:
        """Give the auditor's node the blocks that it lacks; it judges each one."""
        height, have = (one.rpc("getblockcount") for one in (self.custodian.node, self.auditor))
        assert isinstance(height, int)
        assert isinstance(have, int)
        for at in range(have + 1, height + 1):
            block = self.custodian.node.rpc("getblock", self.custodian.node.rpc("getblockhash", at), 0)
            assert self.auditor.rpc("submitblock", block) is None

    def command(self, *arguments: str | Path | int, node: Node | LyingNode | None = None) -> list[str | Path | int]:
        """Return the auditor's command line."""
        login = (node or self.auditor).login
        cookie = login.cookie_file
        assert cookie is not None
        return ["audit", "balance", *arguments, "--node", login.url, "--cookie", cookie]

    def ask(self, *arguments: str | Path | int, exit_code: int = 0, node: Node | LyingNode | None = None) -> Any:
        """Ask with the descriptor and return the JSON answer."""
        vault = ["--descriptor", self.descriptor, "--network", "regtest"]
        return run_json(self.command(*vault, *arguments, node=node), exit_code=exit_code)


@pytest.fixture(scope="module")
def scene(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Receipts, payments with change, a frozen coin and a miner's reward, over several blocks; then the export."""
    folder = tmp_path_factory.mktemp("balance")
    theirs, custodian = start(node.program, tmp_path_factory.mktemp("custodian"))
    process, auditor = start(node.program, tmp_path_factory.mktemp("auditor"))
    try:
        custodian.rpc("createwallet", "miner")
        custodian.mine(110)
        office = NodeOffice(folder / "office", custodian, (3, 6, 9), threshold=2)
        made = Scene(office, auditor, folder / "export.jsonl", folder / "vault.txt", [], 0, [])
        office.fund(5)
        made.said.append(said_by(office))
        pay(made, "4btc", 51)
        frozen = next(one for one in office.json(["coins", "list"])["coins"] if one["branch"] == "receive")
        office.json(["coins", "freeze", f"{frozen['txid']}:{frozen['vout']}", "--reason", "disputed"])
        made.frozen = frozen["value_sats"]
        made.said.append(said_by(office))
        custodian.rpc("generatetoaddress", 1, office.json(["address", "next"])["address"])
        pay(made, "2btc", 52)
        made.said.append(said_by(office))
        custodian.pay(office.json(["address", "next"])["address"], "0.3")
        pay(made, "9btc", 53)
        office.json(["coins", "sync"])
        made.descriptor.write_text(office.json(["vault", "show"])["descriptor"] + "\n")
        office.run(["journal", "export", "-o", made.export])
        made.follow()
        yield made
    finally:
        stop(process)
        stop(theirs)


def pay(scene: Scene, amount: str, number: int) -> None:
    """Pay a stranger and bury it."""
    office = scene.custodian
    drafted = office.draft("--to", f"{stranger(number)}={amount}", "--reason", f"grant {number}")
    scene.payments.append(office.send(drafted, 3, 6)["txid"])
    office.mine(6)


def said_by(office: NodeOffice) -> Said:
    """Sync, and return what the custodian's own list says."""
    office.json(["coins", "sync"])
    listed = office.json(["coins", "list"])
    in_blocks = [one for one in listed["coins"] if one["confirmations"]]
    return Said(listed["height"], listed["block_hash"], listed["total_sats"], len(in_blocks))


def routes_of(answer: Any) -> dict[str, int]:
    """Return each way's sum."""
    return {one["name"]: one["total_sats"] for one in answer["routes"]}


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


def hidden(answer: Any) -> list[tuple[str, str]]:
    """Return place and message of each difference."""
    assert answer["total_sats"] is None
    return [(one["where"], one["message"]) for one in answer["findings"] if one["code"] == "BALANCE_DIFFERS"]


def test_a_node_that_hides_a_coin_from_its_unspent_outputs_is_caught(scene: Scene) -> None:
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
    assert "the history of the watch-only wallet has it" in message
    assert "the unspent outputs with later blocks undone lacks it" in message
    assert answer["complete"] is True


def test_a_node_that_hides_a_transaction_from_the_wallet_s_history_is_caught(scene: Scene) -> None:
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
    assert (
        "the unspent outputs with later blocks undone has it, the history of the watch-only wallet lacks it" in message
    )


def test_a_history_that_contradicts_the_same_wallet_s_coins_is_caught(scene: Scene) -> None:
    coin = next(one for one in scene.custodian.json(["coins", "list"])["coins"] if one["frozen"])

    def lie(method: str, _params: Any, result: Any) -> Any:
        if method == "listsinceblock":
            return {**result, "transactions": [one for one in result["transactions"] if one["txid"] != coin["txid"]]}
        return result

    with lying_node(scene.auditor.login, lie) as liar:
        answer = scene.ask("--height", scene.said[-1].height, exit_code=3, node=liar)
    assert {one["code"] for one in answer["findings"]} == {"CHAIN_DISAGREES", "BALANCE_DIFFERS"}


def test_a_node_that_hides_a_later_spend_is_caught(scene: Scene) -> None:
    said, payment = scene.said[-1], scene.payments[-1]
    spent: Any = scene.auditor.rpc("getrawtransaction", payment, 1, block_of(scene, payment))
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
    assert all("the unspent outputs with later blocks undone lacks it" in message for _where, message in hidden(answer))


def test_a_node_that_drops_a_whole_transaction_of_a_block_is_refused(scene: Scene) -> None:
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


def block_of(scene: Scene, txid: str) -> str:
    """Return the block that holds a payment."""
    return str(scene.custodian.wallet("gettransaction", txid)["blockhash"])  # type: ignore[index,call-overload]


def refusal(scene: Scene, node: LyingNode) -> Result:
    vault = ["--descriptor", scene.descriptor, "--network", "regtest", "--height", scene.said[-1].height]
    return run([*scene.command(*vault, node=node), "--json"])


def test_a_journal_whose_writer_left_a_coin_out_is_caught(scene: Scene, tmp_path: Path) -> None:
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
    assert message.endswith("have it, the journal's claim lacks it")
    assert routes_of(answer) == {"history": 175_000_000, "unspent": 175_000_000, "journal": 50_000_000}


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


def test_a_reorganization_meanwhile_is_answered_on_one_chain(scene: Scene) -> None:
    """The auditor's chain is replaced between the two ways: the answer is the new chain's, both ways."""
    said, auditor = scene.said[-1], scene.auditor
    before = scene.ask()
    abandoned = block_of(scene, scene.payments[-1])
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
