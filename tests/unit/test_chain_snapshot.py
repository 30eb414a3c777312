"""Snapshot files: what is written comes back, and what contradicts itself does not."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from custody.bitcoin.amount import FeeRate, Sats
from custody.bitcoin.network import Network
from custody.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from custody.chain.open_backend import BackendKind, ChainSettings, open_backend
from custody.chain.snapshot import (
    SnapshotBackend,
    SnapshotFinding,
    read_snapshot_file,
    take_snapshot,
    write_snapshot_file,
)
from custody.chain.snapshot_file import Snapshot, parse_snapshot, write_snapshot
from custody.codes import Code
from custody.documents.canonical_json import canonical, digest
from custody.errors import ChainUnavailable, Conflict, CustodyError, InvalidInput, UpgradeNeeded
from custody.ports import ChainCoin, ChainTransaction, Tip, WatchRequest, no_progress
from support.signing_vault import SigningVault

ELSEWHERE = bytes.fromhex("0014") + bytes(range(20))
BLOCK = "ab" * 32
TIP = Tip(120, "cd" * 32, 1_700_000_000)


@pytest.fixture(scope="module")
def vault() -> SigningVault:
    return SigningVault()


@pytest.fixture(scope="module")
def request_(vault: SigningVault) -> WatchRequest:
    return vault.request(5, birth_height=100)


@pytest.fixture(scope="module")
def snapshot(vault: SigningVault) -> Snapshot:
    """Two payments to the vault in blocks, one of them spent in the mempool with change."""
    first = _paying(vault.script(0, 0), "11" * 32)
    second = _paying(vault.script(0, 1), "22" * 32)
    change = TxOutput(Sats(500), vault.script(1, 0))
    spend = Transaction(2, (TxInput(OutPoint(first.txid, 0)),), (TxOutput(Sats(400), ELSEWHERE), change), 0)
    return Snapshot(
        network=Network.REGTEST,
        vault_id=vault.vault_id,
        birth_height=100,
        scanned=(5, 5),
        tip=TIP,
        transactions=(
            ChainTransaction(first, 101, BLOCK, None, False),
            ChainTransaction(second, 120, TIP.block_hash, None, False),
            ChainTransaction(spend, None, None, Sats(100), False),
        ),
        coins=(
            ChainCoin(OutPoint(second.txid, 0), Sats(1000), vault.script(0, 1), 120, False),
            ChainCoin(OutPoint(spend.txid, 1), Sats(500), vault.script(1, 0), None, False),
        ),
        incomplete=(),
        compared_with_utxo_set=True,
        fee_estimates=((6, FeeRate(5000)),),
        minimum_fee_rate=FeeRate(1000),
    )


def _paying(script: bytes, source: str) -> Transaction:
    return Transaction(2, (TxInput(OutPoint(source, 0)),), (TxOutput(Sats(1000), script),), 0)


def changed(snapshot: Snapshot, change: Callable[[dict[str, Any]], object]) -> bytes:
    """Return the file with an edit and a digest that fits it again."""
    document = json.loads(write_snapshot(snapshot))
    del document["digest"]
    change(document)
    return canonical({**document, "digest": digest(document)}) + b"\n"


def test_what_is_written_comes_back(snapshot: Snapshot) -> None:
    data = write_snapshot(snapshot)
    assert parse_snapshot(data) == snapshot
    assert write_snapshot(parse_snapshot(data)) == data


def test_an_edit_without_a_new_digest_is_refused(snapshot: Snapshot) -> None:
    data = write_snapshot(snapshot)
    for edited in (data.replace(b'"height":101', b'"height":102'), data[:-1], data + b"\n", b" " + data):
        with pytest.raises(InvalidInput) as caught:
            parse_snapshot(edited)
        assert caught.value.code is Code.SNAPSHOT_INVALID


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["coins"][0].update(value_sats=1001),
        lambda d: d["coins"][0].update(script_pubkey="00"),
        lambda d: d["coins"][0].update(height=119),
        lambda d: d["coins"][0].update(coinbase=True),
        lambda d: d["coins"][0].update(outpoint="33" * 32 + ":0"),
        lambda d: d["coins"][0].update(outpoint=d["coins"][0]["outpoint"][:-1] + "1"),
        lambda d: d["coins"][0].update(outpoint=""),
        lambda d: d["coins"][0].update(value_sats=-1),
        lambda d: d["coins"][0].update(value_sats=2**52),
        lambda d: d["coins"].append(d["coins"][0]),
        lambda d: d["transactions"].append(d["transactions"][0]),
        lambda d: d["transactions"].pop(1),
        lambda d: d["transactions"][0].update(transaction="00"),
        lambda d: d["transactions"][0].update(transaction=d["transactions"][0]["transaction"].upper()),
        lambda d: d["transactions"][0].update(block_hash=None),
        lambda d: d["transactions"][0].update(height=121),
        lambda d: d["transactions"][1].update(block_hash=BLOCK),
        lambda d: d["transactions"][0].update(coinbase=True),
        lambda d: d["transactions"][0].update(extra=1),
        lambda d: d["transactions"][0].pop("fee_sats"),
        lambda d: d["transactions"][2].update(fee_sats=True),
        lambda d: d["tip"].update(height="120"),
        lambda d: d["tip"].update(hash="AB" * 32),
        lambda d: d["tip"].update(median_time_past=2**33),
        lambda d: d.update(complete=False),
        lambda d: d.update(incomplete=["late"]),
        lambda d: d.update(incomplete=[1]),
        lambda d: d.update(network="mainnet"),
        lambda d: d.update(vault_id="x"),
        lambda d: d.update(unknown=1),
        lambda d: d.update(compared_with_utxo_set=1),
        lambda d: d.update(scanned=5),
        lambda d: d.update(coins={}),
        lambda d: d.update(fee_estimates=[6]),
        lambda d: d.pop("scanned"),
        lambda d: d.update(format="custody-vault/1"),
    ],
)
def test_refuses_what_contradicts_itself_or_has_another_form(
    snapshot: Snapshot, change: Callable[[dict[str, Any]], object]
) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_snapshot(changed(snapshot, change))
    assert caught.value.code is Code.SNAPSHOT_INVALID


def test_a_coin_that_a_transaction_in_it_spends_is_refused(snapshot: Snapshot) -> None:
    first = snapshot.transactions[0].transaction
    spent = ChainCoin(OutPoint(first.txid, 0), Sats(1000), first.outputs[0].script_pubkey, 101, False)
    with pytest.raises(InvalidInput):
        replace(snapshot, coins=(*snapshot.coins, spent))


def test_a_later_format_asks_for_an_update(snapshot: Snapshot) -> None:
    with pytest.raises(UpgradeNeeded):
        parse_snapshot(changed(snapshot, lambda d: d.update(format="custody-snapshot/3")))


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b'{"a":1,"a":1}'])
def test_refuses_what_is_no_snapshot(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        parse_snapshot(data)


def test_the_file_is_a_view_of_the_chain(tmp_path: Path, snapshot: Snapshot, request_: WatchRequest) -> None:
    path = tmp_path / "snapshot.json"
    write_snapshot_file(path, snapshot)
    with open_backend(ChainSettings(BackendKind.SNAPSHOT, snapshot_path=path), Network.REGTEST) as backend:
        result = backend.watch(request_, no_progress)
        assert (result.tip, result.transactions, result.coins) == (TIP, snapshot.transactions, snapshot.coins)
        assert result.incomplete == ()
        first, _second, spend = (one.transaction for one in snapshot.transactions)
        in_blocks = backend.scan(request_, no_progress).coins
        assert sorted((coin.height, coin.value) for coin in in_blocks) == [(101, 1000), (120, 1000)]
        assert backend.transaction(first.txid, BLOCK) == first
        assert backend.block_hash_at(101) == BLOCK
        assert backend.block_hash_at(121) is None
        assert backend.unspent(OutPoint(first.txid, 0), include_mempool=True) is None
        assert backend.unspent(OutPoint(first.txid, 0), include_mempool=False) is not None
        assert backend.unspent(OutPoint(spend.txid, 1), include_mempool=True) == snapshot.coins[1]
        assert backend.estimate_fee_rate(6) == FeeRate(5000)
        assert backend.minimum_fee_rate() == FeeRate(1000)


def test_an_existing_file_is_not_overwritten(tmp_path: Path, snapshot: Snapshot) -> None:
    path = tmp_path / "snapshot.json"
    path.write_text("mine")
    with pytest.raises(Conflict):
        write_snapshot_file(path, snapshot)
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        (lambda b: b.broadcast(b""), Code.NODE_UNREACHABLE),
        (lambda b: b.test_accept(b""), Code.NODE_UNREACHABLE),
        (lambda b: b.conflicts(b.snapshot.transactions[0].transaction), Code.NODE_UNREACHABLE),
        (lambda b: b.estimate_fee_rate(2), Code.NO_FEE_ESTIMATE),
        (lambda b: b.transaction("33" * 32, None), Code.TRANSACTION_UNKNOWN),
        (lambda b: b.transaction(b.snapshot.transactions[0].transaction.txid, "ee" * 32), Code.TRANSACTION_UNKNOWN),
        (lambda b: b.block_hash_at(100), Code.SYNC_INCOMPLETE),
    ],
)
def test_what_the_file_can_not_answer_is_said(snapshot: Snapshot, ask: Any, code: Code) -> None:
    with pytest.raises(ChainUnavailable) as caught:
        ask(SnapshotBackend(snapshot, Network.REGTEST))
    assert caught.value.code is code


def test_a_wider_window_or_an_earlier_birth_is_incomplete(
    snapshot: Snapshot, vault: SigningVault, request_: WatchRequest
) -> None:
    backend = SnapshotBackend(snapshot, Network.REGTEST)
    assert len(backend.watch(vault.request(6, birth_height=100), no_progress).incomplete) == 1
    assert len(backend.watch(replace(request_, birth_height=99), no_progress).incomplete) == 1
    late = replace(snapshot, incomplete=("behind",), compared_with_utxo_set=False)
    backend = SnapshotBackend(late, Network.REGTEST)
    assert backend.watch(request_, no_progress).incomplete == ("behind",)
    with pytest.raises(ChainUnavailable):
        backend.scan(request_, no_progress)


def test_refuses_another_vault_and_another_network(snapshot: Snapshot, request_: WatchRequest) -> None:
    backend = SnapshotBackend(snapshot, Network.REGTEST)
    for ask in (backend.watch, backend.scan):
        with pytest.raises(ChainUnavailable) as caught:
            ask(replace(request_, vault_id="ff" * 32), no_progress)
        assert caught.value.code is Code.SNAPSHOT_INVALID
    with pytest.raises(ChainUnavailable) as caught:
        SnapshotBackend(snapshot, Network.MAIN)
    assert caught.value.code is Code.NODE_WRONG_NETWORK


def test_a_snapshot_can_be_taken_from_any_view(tmp_path: Path, snapshot: Snapshot, request_: WatchRequest) -> None:
    backend = SnapshotBackend(snapshot, Network.REGTEST)
    result = backend.watch(request_, no_progress)
    taken = take_snapshot(backend, request_, result, SnapshotFinding((), True))
    assert taken == snapshot
    write_snapshot_file(tmp_path / "again.json", taken)
    assert read_snapshot_file(tmp_path / "again.json") == snapshot


@pytest.mark.parametrize("kind", list(BackendKind))
def test_a_missing_setting_is_named(kind: BackendKind) -> None:
    with pytest.raises(CustodyError) as caught:
        open_backend(ChainSettings(kind), Network.REGTEST)
    assert caught.value.code is Code.MALFORMED_DOCUMENT


def test_settings_hide_the_password() -> None:
    assert "planted-canary" not in repr(ChainSettings(BackendKind.CORE_RPC, password="planted-canary"))
