"""Strange answers of a node: each is a refusal with a code and the method's name, never a traceback."""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from custody.bitcoin.amount import FeeRate
from custody.bitcoin.network import Network
from custody.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from custody.chain.core_rpc import CoreRpcBackend
from custody.chain.core_rpc_wallet import wallet_name
from custody.chain.json_rpc import JsonRpc, RpcLogin, RpcRefused, RpcTimeout
from custody.codes import Code
from custody.errors import ChainUnavailable, CustodyError, InvalidInput
from custody.ports import no_progress
from support.fake_node import FakeNode, Raw, RpcError, fake_node
from support.signing_vault import SigningVault

OUTPOINT = OutPoint("11" * 32, 0)
SCRIPT = bytes.fromhex("0014") + bytes(range(20))
PAYMENT = Transaction(2, (TxInput(OUTPOINT),), (TxOutput(1000, SCRIPT),), 0)  # type: ignore[arg-type]
TXOUT = {
    "bestblock": "ab" * 32,
    "confirmations": 1,
    "value": Raw("0.1"),
    "scriptPubKey": {"hex": SCRIPT.hex()},
    "coinbase": False,
}


@pytest.fixture
def fake() -> Iterator[FakeNode]:
    with fake_node() as started:
        yield started


@pytest.fixture
def backend(fake: FakeNode) -> CoreRpcBackend:
    return CoreRpcBackend(fake.rpc(), Network.REGTEST)


def txout(**changes: Any) -> Raw:
    members = {**TXOUT, **changes}
    parts = [
        f"{json.dumps(name)}:{value if isinstance(value, Raw) else json.dumps(value)}"
        for name, value in members.items()
    ]
    return Raw("{" + ",".join(parts) + "}")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.1", 10_000_000),
        ("0.00000001", 1),
        ("1E-8", 1),
        ("21000000", 2_100_000_000_000_000),
        ("0", 0),
        ("1.10", 110_000_000),
    ],
)
def test_amounts_become_exact_satoshis(fake: FakeNode, backend: CoreRpcBackend, text: str, value: int) -> None:
    fake.answers["gettxout"] = txout(value=Raw(text))
    coin = backend.unspent(OUTPOINT, include_mempool=True)
    assert coin is not None
    assert (coin.value, coin.height) == (value, 7)


@pytest.mark.parametrize(
    "changes",
    [
        {"value": Raw("0.000000001")},
        {"value": Raw("21000000.00000001")},
        {"value": Raw("-0.1")},
        {"value": Raw("1e999999999")},
        {"value": Raw("0.1000000000000000000000000000000000000000001")},
        {"value": Raw("1e-999999999")},
        {"value": Raw("NaN")},
        {"value": Raw("Infinity")},
        {"value": True},
        {"value": "0.1"},
        {"value": None},
        {"confirmations": 9},
        {"confirmations": -1},
        {"confirmations": True},
        {"confirmations": Raw("1.0")},
        {"coinbase": 1},
        {"bestblock": "AB" * 32},
        {"bestblock": 5},
        {"scriptPubKey": []},
        {"scriptPubKey": {"hex": "0"}},
        {"scriptPubKey": {"hex": None}},
    ],
)
def test_refuses_a_coin_of_strange_form(fake: FakeNode, backend: CoreRpcBackend, changes: dict[str, Any]) -> None:
    fake.answers["gettxout"] = txout(**changes)
    with pytest.raises(ChainUnavailable) as caught:
        backend.unspent(OUTPOINT, include_mempool=True)
    assert caught.value.code is Code.NODE_ANSWER_INVALID
    assert "gettxout" in caught.value.message


@pytest.mark.parametrize(
    ("method", "answer", "ask"),
    [
        ("getbestblockhash", 7, lambda b: b.tip()),
        ("getbestblockhash", "00", lambda b: b.tip()),
        ("getblockheader", {"hash": "cd" * 32, "height": 7, "mediantime": 1}, lambda b: b.tip()),
        ("getblockheader", {"hash": "ab" * 32, "height": -1, "mediantime": 1}, lambda b: b.tip()),
        ("getblockheader", {"hash": "ab" * 32, "height": 1, "mediantime": 2**40}, lambda b: b.tip()),
        ("getblockheader", [], lambda b: b.tip()),
        ("getblockhash", None, lambda b: b.block_hash_at(1)),
        ("estimatesmartfee", {"feerate": "high"}, lambda b: b.estimate_fee_rate(6)),
        ("estimatesmartfee", {"feerate": -1}, lambda b: b.estimate_fee_rate(6)),
        ("estimatesmartfee", "none", lambda b: b.estimate_fee_rate(6)),
        ("getmempoolinfo", {"mempoolminfee": 0}, lambda b: b.minimum_fee_rate()),
        ("getrawtransaction", "zz", lambda b: b.transaction(PAYMENT.txid, None)),
        ("getrawtransaction", "", lambda b: b.transaction(PAYMENT.txid, None)),
        ("getrawtransaction", PAYMENT.serialize().hex(), lambda b: b.transaction("22" * 32, None)),
        ("testmempoolaccept", [], lambda b: b.test_accept(PAYMENT.serialize())),
        ("testmempoolaccept", [{"txid": "22" * 32, "allowed": True}], lambda b: b.test_accept(PAYMENT.serialize())),
        ("testmempoolaccept", [{"txid": PAYMENT.txid, "allowed": "yes"}], lambda b: b.test_accept(PAYMENT.serialize())),
        ("gettxspendingprevout", [], lambda b: b.conflicts(PAYMENT)),
        ("gettxspendingprevout", [{"spendingtxid": 5}], lambda b: b.conflicts(PAYMENT)),
        ("sendrawtransaction", "22" * 32, lambda b: b.broadcast(PAYMENT.serialize())),
        ("scantxoutset", {"success": True}, lambda b: b.scan(SigningVault().request(1), no_progress)),
        ("listwallets", {}, lambda b: b.watch(SigningVault().request(1), no_progress)),
        ("listwallets", {}, lambda b: b.transaction("22" * 32, None)),
    ],
)
def test_refuses_an_answer_of_strange_form(
    fake: FakeNode, backend: CoreRpcBackend, method: str, answer: Any, ask: Any
) -> None:
    fake.answers.setdefault("getrawtransaction", RpcError(-5, "No such mempool transaction"))
    fake.answers[method] = answer
    with pytest.raises(ChainUnavailable) as caught:
        ask(backend)
    assert caught.value.code is Code.NODE_ANSWER_INVALID
    assert method in caught.value.message


@pytest.mark.parametrize(
    "unspent",
    [
        {"scriptPubKey": "6a", "amount": 0, "height": 1, "coinbase": False},
        {"amount": 0, "height": 99, "coinbase": False},
        {"amount": 1, "height": 1, "coinbase": False},
        {"amount": 0, "height": 1},
        {"vout": 2**33, "amount": 0, "height": 1, "coinbase": False},
    ],
)
def test_refuses_a_scan_that_contradicts_itself(
    fake: FakeNode, backend: CoreRpcBackend, unspent: dict[str, Any]
) -> None:
    request = SigningVault().request(1)
    coin = {"txid": "22" * 32, "vout": 0, "scriptPubKey": request.scripts[0].script_pubkey.hex(), **unspent}
    fake.answers["scantxoutset"] = {
        "success": True, "height": 7, "bestblock": "ab" * 32, "unspents": [coin], "total_amount": 0
    }  # fmt: skip
    with pytest.raises(ChainUnavailable) as caught:
        backend.scan(request, no_progress)
    assert caught.value.code is Code.NODE_ANSWER_INVALID


@pytest.mark.parametrize(
    ("status", "content", "code"),
    [
        (200, b"", Code.NODE_ANSWER_INVALID),
        (200, b"<html>", Code.NODE_ANSWER_INVALID),
        (200, b"[" * 100_000, Code.NODE_ANSWER_INVALID),
        (200, b"{}", Code.NODE_ANSWER_INVALID),
        (200, b'{"result":1,"error":null,"id":5}', Code.NODE_ANSWER_INVALID),
        (200, b'{"result":1,"error":null,"id":true}', Code.NODE_ANSWER_INVALID),
        (200, b'{"result":1,"error":"no","id":0}', Code.NODE_ANSWER_INVALID),
        (200, b'[{"result":1,"error":null,"id":0},{"result":1,"error":null,"id":0}]', Code.NODE_ANSWER_INVALID),
        (200, b'{"result":\xff,"error":null,"id":0}', Code.NODE_ANSWER_INVALID),
        (401, b"", Code.NODE_UNREACHABLE),
        (403, b"", Code.NODE_UNREACHABLE),
        (503, b"Work queue depth exceeded", Code.NODE_BUSY),
        (500, b'{"result":null,"error":{"code":-28,"message":"Loading block index"},"id":0}', Code.NODE_BUSY),
        (500, b'{"result":null,"error":{"code":-1,"message":"no"},"id":0}', Code.NODE_REJECTED),
    ],
)
def test_refuses_a_reply_that_is_none(fake: FakeNode, status: int, content: bytes, code: Code) -> None:
    fake.reply = lambda _body: (status, content)
    with pytest.raises(ChainUnavailable) as caught:
        fake.rpc().call("getblockcount")
    assert caught.value.code is code


def test_a_node_that_is_starting_is_asked_again(fake: FakeNode) -> None:
    answers = iter([RpcError(-28, "Loading wallet…"), 7])
    fake.answers["getblockcount"] = lambda _params: next(answers)
    assert fake.rpc(warmup_tries=2).call("getblockcount") == 7


def test_an_answer_that_does_not_come_in_time_is_a_timeout(fake: FakeNode) -> None:
    fake.answers["getblockcount"] = lambda _params: time.sleep(1.5)
    with pytest.raises(RpcTimeout):
        fake.rpc(timeout_s=1).call("getblockcount")


def test_a_batch_keeps_its_order_and_its_errors(fake: FakeNode) -> None:
    fake.answers["echo"] = lambda params: params[0] if params[0] != 3 else RpcError(-5, "three")
    answers = fake.rpc().batch("echo", ([number] for number in range(600)))
    assert answers[:3] == [0, 1, 2]
    assert isinstance(answers[3], RpcRefused)
    assert answers[4:] == list(range(4, 600))


@pytest.mark.parametrize(("chain", "code"), [("main", Code.NODE_WRONG_NETWORK), ("test", Code.NODE_WRONG_NETWORK)])
def test_refuses_another_network(fake: FakeNode, chain: str, code: Code) -> None:
    fake.answers["getblockchaininfo"] = {"chain": chain}
    with pytest.raises(ChainUnavailable) as caught:
        CoreRpcBackend(fake.rpc(), Network.REGTEST)
    assert caught.value.code is code


def test_refuses_a_node_older_than_27(fake: FakeNode) -> None:
    fake.answers["getnetworkinfo"] = {"version": 269900}
    with pytest.raises(ChainUnavailable) as caught:
        CoreRpcBackend(fake.rpc(), Network.REGTEST)
    assert caught.value.code is Code.NODE_TOO_OLD


def test_estimates_are_taken_as_given_and_never_made_up(fake: FakeNode, backend: CoreRpcBackend) -> None:
    fake.answers["estimatesmartfee"] = Raw('{"feerate":0.00012345,"blocks":6}')
    assert backend.estimate_fee_rate(6) == FeeRate(12_345)
    fake.answers["estimatesmartfee"] = {"errors": ["Insufficient data or no feerate found"], "blocks": 0}
    with pytest.raises(ChainUnavailable) as caught:
        backend.estimate_fee_rate(6)
    assert caught.value.code is Code.NO_FEE_ESTIMATE


def test_the_mempool_s_floor_is_the_higher_of_its_two(fake: FakeNode, backend: CoreRpcBackend) -> None:
    fake.answers["getmempoolinfo"] = Raw('{"mempoolminfee":0.00002500,"minrelaytxfee":0.00001000}')
    assert backend.minimum_fee_rate() == FeeRate(2500)


def test_a_scan_is_repeated_when_the_tip_moved(fake: FakeNode, backend: CoreRpcBackend) -> None:
    old = iter(["cd" * 32, "ab" * 32])
    fake.answers["scantxoutset"] = lambda _params: {
        "success": True, "height": 7, "bestblock": next(old), "unspents": [], "total_amount": 0
    }  # fmt: skip
    assert backend.scan(SigningVault().request(1), no_progress).tip.block_hash == "ab" * 32
    assert fake.calls.count("scantxoutset") == 2


def test_an_unreachable_node_and_a_missing_cookie_say_so(tmp_path: Path) -> None:
    for login in (
        RpcLogin("http://127.0.0.1:1", user="alice", password="x"),
        RpcLogin("http://127.0.0.1:1", cookie_file=tmp_path / "absent"),
        RpcLogin("http://127.0.0.1:1"),
    ):
        with pytest.raises(ChainUnavailable) as caught:
            JsonRpc(login).call("getblockcount")
        assert caught.value.code is Code.NODE_UNREACHABLE


def test_the_cookie_is_read_at_each_call(fake: FakeNode, tmp_path: Path) -> None:
    cookie = tmp_path / ".cookie"
    rpc = JsonRpc(RpcLogin(fake.url, cookie_file=cookie))
    for secret in ("__cookie__:one", "__cookie__:two"):
        cookie.write_text(secret)
        rpc.call("getblockcount")
    assert fake.authorizations == [
        "Basic " + base64.b64encode(text.encode()).decode() for text in ("__cookie__:one", "__cookie__:two")
    ]


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8332",
        "ftp://127.0.0.1:8332",
        "http://127.0.0.1",
        "http://127.0.0.1:99999999",
        "http://alice:planted-canary@127.0.0.1:8332",
        "http://127.0.0.1:8332/wallet/x",
        "http://[::1:8332",
    ],
)
def test_refuses_an_address_that_is_none_without_repeating_it(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        JsonRpc(RpcLogin(url, user="alice", password="x")).call("getblockcount")
    assert "planted-canary" not in str(caught.value)


def test_the_password_is_in_no_message_and_no_representation(fake: FakeNode) -> None:
    rpc = fake.rpc()
    fake.reply = lambda _body: (401, b"planted-canary")
    with pytest.raises(CustodyError) as caught:
        rpc.call("getblockcount")
    assert "planted-canary" not in repr(rpc) + str(caught.value) + str(caught.value.details) + caught.value.advice


@pytest.mark.parametrize(
    ("wallet", "code"),
    [
        ({"private_keys_enabled": False, "descriptors": True, "scanning": {"progress": 0.5}}, Code.NODE_BUSY),
        ({"private_keys_enabled": False, "descriptors": True}, Code.NODE_BUSY),
        ({"private_keys_enabled": True, "descriptors": True, "scanning": False}, Code.WALLET_HAS_KEYS),
        ({"private_keys_enabled": False, "descriptors": False, "scanning": False}, Code.WALLET_HAS_KEYS),
        ({"descriptors": True, "scanning": False}, Code.NODE_ANSWER_INVALID),
    ],
)
def test_no_number_from_a_wallet_that_is_searching_or_not_ours(
    fake: FakeNode, backend: CoreRpcBackend, wallet: dict[str, Any], code: Code
) -> None:
    fake.answers["listwallets"] = [wallet_name(SigningVault().vault_id)]
    fake.answers["getwalletinfo"] = wallet
    with pytest.raises(ChainUnavailable) as caught:
        backend.watch(SigningVault().request(1), no_progress)
    assert caught.value.code is code
    assert "importdescriptors" not in fake.calls
