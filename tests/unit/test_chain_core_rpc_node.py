"""The backend against a real node: import, rescan, coins by two routes, mempool, reorganization."""

import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from custody.bitcoin.amount import FeeRate
from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.network import Network
from custody.bitcoin.transaction import OutPoint, Transaction
from custody.chain import core_rpc_wallet
from custody.chain.core_rpc import CoreRpcBackend
from custody.chain.core_rpc_wallet import wallet_name
from custody.codes import Code
from custody.errors import ChainUnavailable
from custody.ports import ChainCoin, WatchedScript, no_progress
from support.node import Node, start, stop
from support.signing_vault import SigningVault, coin_of

pytestmark = pytest.mark.node

ELSEWHERE = bytes.fromhex("0014") + bytes(range(20))
_seeds = count(40, 4)


@pytest.fixture
def vault() -> SigningVault:
    """A vault that the node has never seen: each test has keys of its own."""
    return SigningVault(first_seed=next(_seeds))


@pytest.fixture
def backend(node: Node) -> Iterator[CoreRpcBackend]:
    with node.backend() as opened:
        yield opened


def coins_of(backend: CoreRpcBackend, vault: SigningVault) -> tuple[ChainCoin, ...]:
    return backend.watch(vault.request(), no_progress).coins


def funded(node: Node, backend: CoreRpcBackend, vault: SigningVault) -> ChainCoin:
    """Pay the vault one bitcoin, confirmed, and return the coin."""
    node.pay(vault.address(0, 0), "1")
    node.mine()
    return coins_of(backend, vault)[0]


def payment(vault: SigningVault, coin: ChainCoin, fee: int, *, index: int = 0) -> Transaction:
    return vault.spend([coin], [(1_000_000, ELSEWHERE), (coin.value - 1_000_000 - fee, vault.script(1, index))])


def listed(node: Node, vault: SigningVault) -> list[dict[str, object]]:
    answer = node.json_rpc.for_wallet(wallet_name(vault.vault_id)).call("listdescriptors")
    assert isinstance(answer, dict)
    return answer["descriptors"]  # type: ignore[return-value]


@pytest.mark.parametrize("script_type", list(ScriptType))
def test_finds_what_was_paid_before_the_wallet_existed(
    node: Node, backend: CoreRpcBackend, script_type: ScriptType
) -> None:
    vault = SigningVault(first_seed=next(_seeds), script_type=script_type)
    paid = [node.pay(vault.address(0, 3), "0.5"), node.pay(vault.address(1, 2), "0.25")]
    node.mine(3)
    result = backend.watch(vault.request(birth_height=node.backend().tip().height - 2), no_progress)
    assert result.incomplete == ()
    assert {one.transaction.txid for one in result.transactions} == {one.txid for one in paid}
    assert sorted(coin.value for coin in result.coins) == [25_000_000, 50_000_000]
    scan = backend.scan(vault.request(), no_progress)
    assert set(scan.coins) == set(result.coins)
    assert scan.tip == result.tip == backend.tip()


def test_repeating_a_watch_imports_nothing_again(node: Node, backend: CoreRpcBackend, vault: SigningVault) -> None:
    first = backend.watch(vault.request(), no_progress)
    before = listed(node, vault)
    assert backend.watch(vault.request(), no_progress) == first
    assert listed(node, vault) == before


def test_the_wallet_is_blank_watch_only_and_not_loaded_on_startup(
    node: Node, backend: CoreRpcBackend, vault: SigningVault
) -> None:
    backend.watch(vault.request(), no_progress)
    info = node.json_rpc.for_wallet(wallet_name(vault.vault_id)).call("getwalletinfo")
    assert isinstance(info, dict)
    assert (info["private_keys_enabled"], info["descriptors"]) == (False, True)
    settings = node.folder / "regtest" / "settings.json"
    assert wallet_name(vault.vault_id) not in settings.read_text()


def test_an_unloaded_wallet_is_loaded_and_catches_up(node: Node, backend: CoreRpcBackend, vault: SigningVault) -> None:
    backend.watch(vault.request(), no_progress)
    node.rpc("unloadwallet", wallet_name(vault.vault_id))
    node.pay(vault.address(0, 0), "0.1")
    node.mine()
    assert [coin.value for coin in coins_of(backend, vault)] == [10_000_000]


def test_an_interrupted_rescan_goes_on_where_it_stopped(
    node: Node, backend: CoreRpcBackend, vault: SigningVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.pay(vault.address(0, 0), "0.1")
    node.mine(20)
    monkeypatch.setattr(core_rpc_wallet, "_FIRST_PIECE", 10)
    monkeypatch.setattr(core_rpc_wallet, "_LARGEST_PIECE", 10)
    monkeypatch.setattr(core_rpc_wallet, "_MARK_EVERY_S", 0)
    seen: list[int] = []

    def interrupt(_what: str, done: int, _total: int) -> None:
        seen.append(done)
        if len(seen) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backend.watch(vault.request(), interrupt)
    again: list[int] = []
    result = backend.watch(vault.request(), lambda _what, done, _total: again.append(done))
    assert seen == [9, 19, 29, 39]
    assert again[0] == 39
    assert [coin.value for coin in result.coins] == [10_000_000]


def test_a_longer_window_imports_and_rescans_again(node: Node, backend: CoreRpcBackend, vault: SigningVault) -> None:
    backend.watch(vault.request(5), no_progress)
    far = WatchedScript(vault.script(0, 2100), 0, 2100)
    beyond = replace(vault.request(5), scripts=(*vault.request(5).scripts, far))
    node.pay(vault.address(0, 2100), "0.1")
    node.mine()
    assert [coin.value for coin in backend.watch(beyond, no_progress).coins] == [10_000_000]


def test_an_earlier_birth_rescans_again(node: Node, backend: CoreRpcBackend, vault: SigningVault) -> None:
    node.mine(50)
    backend.watch(vault.request(birth_height=backend.tip().height), no_progress)
    searched: list[int] = []
    backend.watch(vault.request(birth_height=0), lambda _what, done, _total: searched.append(done))
    assert searched == [backend.tip().height]


def test_refuses_a_wallet_that_can_hold_private_keys(node: Node, vault: SigningVault) -> None:
    with pytest.raises(ChainUnavailable) as caught:
        node.backend(wallet="miner").watch(vault.request(), no_progress)
    assert caught.value.code is Code.WALLET_HAS_KEYS


def test_a_spend_is_judged_sent_mined_and_sent_again(node: Node, backend: CoreRpcBackend, vault: SigningVault) -> None:
    coin = funded(node, backend, vault)
    signed = payment(vault, coin, 1000)
    raw = signed.serialize()
    assert backend.test_accept(raw).allowed
    assert backend.broadcast(raw) == signed.txid == backend.broadcast(raw)
    verdict = backend.test_accept(raw)
    assert (verdict.allowed, verdict.already_known) == (True, True)
    assert backend.unspent(coin.outpoint, include_mempool=True) is None
    assert backend.unspent(coin.outpoint, include_mempool=False) == coin
    pending = backend.watch(vault.request(), no_progress).transactions[-1]
    assert (pending.transaction, pending.height, pending.fee) == (signed, None, 1000)
    assert [one.height for one in coins_of(backend, vault)] == [None]

    block_hash = node.mine()[0]
    mined = backend.watch(vault.request(), no_progress).transactions[-1]
    assert (mined.block_hash, mined.height) == (block_hash, backend.tip().height)
    assert backend.broadcast(raw) == signed.txid
    assert backend.test_accept(raw).already_known
    assert backend.transaction(signed.txid, block_hash) == signed
    assert backend.transaction(signed.txid, None) == signed


def test_a_mined_payment_whose_outputs_are_spent_is_still_known(
    node: Node, backend: CoreRpcBackend, vault: SigningVault
) -> None:
    coin = funded(node, backend, vault)
    first = vault.spend([coin], [(coin.value - 1000, vault.script(1, 0))])
    backend.broadcast(first.serialize())
    node.mine()
    second = vault.spend([coin_of(first, 0)], [(coin.value - 5000, ELSEWHERE)])
    backend.broadcast(second.serialize())
    node.mine()
    coins_of(backend, vault)
    assert backend.broadcast(first.serialize()) == first.txid
    assert backend.test_accept(first.serialize()).already_known


def test_refuses_a_payment_below_the_node_s_minimum(node: Node, backend: CoreRpcBackend, vault: SigningVault) -> None:
    signed = payment(vault, funded(node, backend, vault), 10)
    verdict = backend.test_accept(signed.serialize())
    assert (verdict.allowed, verdict.already_known) == (False, False)
    assert "min relay fee" in verdict.reason
    with pytest.raises(ChainUnavailable) as caught:
        backend.broadcast(signed.serialize())
    assert caught.value.code is Code.NODE_REJECTED


def test_names_all_that_a_replacement_evicts(node: Node, backend: CoreRpcBackend, vault: SigningVault) -> None:
    coin = funded(node, backend, vault)
    first = payment(vault, coin, 1000)
    child = payment(vault, coin_of(first, 1), 1000, index=1)
    for one in (first, child):
        backend.broadcast(one.serialize())
    replacement = payment(vault, coin, 9000, index=2)
    assert backend.conflicts(replacement) == tuple(sorted([first.txid, child.txid]))
    assert backend.conflicts(first) == ()
    backend.broadcast(replacement.serialize())
    pending = [one.transaction.txid for one in backend.watch(vault.request(), no_progress).transactions[1:]]
    assert pending == [replacement.txid]


def test_a_reorganization_takes_a_payment_back(node: Node, backend: CoreRpcBackend, vault: SigningVault) -> None:
    coin = funded(node, backend, vault)
    signed = payment(vault, coin, 1000)
    backend.broadcast(signed.serialize())
    block = node.mine()[0]
    height = backend.tip().height
    node.rpc("invalidateblock", block)
    try:
        assert backend.watch(vault.request(), no_progress).transactions[-1].height is None
        node.rpc("generateblock", node.miner("getnewaddress"), [])
        node.rpc("generateblock", node.miner("getnewaddress"), [])
        assert backend.block_hash_at(height) != block
        last = backend.watch(vault.request(), no_progress).transactions[-1]
        assert (last.transaction.txid, last.height) == (signed.txid, None)
    finally:
        node.rpc("reconsiderblock", block)


def test_locked_coins_are_counted_and_reported(node: Node, backend: CoreRpcBackend, vault: SigningVault) -> None:
    coin = funded(node, backend, vault)
    wallet = node.json_rpc.for_wallet(wallet_name(vault.vault_id))
    wallet.call("lockunspent", [False, [{"txid": coin.outpoint.txid, "vout": coin.outpoint.vout}]])
    result = backend.watch(vault.request(), no_progress)
    assert result.coins == (coin,)
    assert result.incomplete == ()


def test_addresses_equal_the_node_s(node: Node, vault: SigningVault) -> None:
    for branch in (0, 1):
        text = vault.descriptor.single_branch_text(branch, Network.REGTEST)
        assert node.rpc("deriveaddresses", text, [0, 49]) == [vault.address(branch, index) for index in range(50)]


def test_a_node_that_saw_no_payment_has_no_estimate(node: Node, tmp_path: Path) -> None:
    process, fresh = start(node.program, tmp_path)
    try:
        with pytest.raises(ChainUnavailable) as caught:
            fresh.backend().estimate_fee_rate(6)
    finally:
        stop(process)
    assert caught.value.code is Code.NO_FEE_ESTIMATE


def test_fees_and_blocks(node: Node, backend: CoreRpcBackend) -> None:
    assert backend.minimum_fee_rate() == FeeRate(1000)
    tip = backend.tip()
    assert backend.block_hash_at(tip.height) == tip.block_hash
    assert backend.block_hash_at(tip.height + 1) is None
    assert backend.unspent(OutPoint("11" * 32, 0), include_mempool=True) is None
    with pytest.raises(ChainUnavailable) as caught:
        backend.transaction("11" * 32, None)
    assert caught.value.code is Code.TRANSACTION_UNKNOWN


def test_refuses_a_node_of_another_network(node: Node) -> None:
    with pytest.raises(ChainUnavailable) as caught:
        CoreRpcBackend(node.json_rpc, Network.MAIN)
    assert caught.value.code is Code.NODE_WRONG_NETWORK


def test_a_node_that_pruned_below_the_birth_is_incomplete(node: Node, vault: SigningVault, tmp_path: Path) -> None:
    process, pruned = start(node.program, tmp_path, "-prune=1", "-fastprune=1")
    try:
        # Old blocks first: a node never prunes what is younger than two days.
        pruned.rpc("setmocktime", int(time.time()) - 30 * 86_400)
        pruned.rpc("generatetodescriptor", 300, f"addr({vault.address(0, 0)})")
        pruned.rpc("setmocktime", 0)
        pruned.rpc("generatetodescriptor", 290, f"addr({vault.address(0, 0)})")
        pruned.rpc("pruneblockchain", 300)
        result = pruned.backend().watch(vault.request(birth_height=1), no_progress)
        assert len(result.incomplete) == 1
        assert result.incomplete[0].startswith("PRUNED_BELOW_BIRTH")
        assert pruned.backend().watch(vault.request(birth_height=400), no_progress).incomplete == ()
        assert len(pruned.backend().scan(vault.request(), no_progress).coins) == 590
    finally:
        stop(process)


def test_a_node_killed_in_a_rescan_is_searched_on(
    node: Node, vault: SigningVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core_rpc_wallet, "_FIRST_PIECE", 10)
    monkeypatch.setattr(core_rpc_wallet, "_MARK_EVERY_S", 0)
    process, first = start(node.program, tmp_path)
    first.rpc("generatetodescriptor", 120, f"addr({vault.address(0, 0)})")

    def kill(_what: str, _done: int, _total: int) -> None:
        process.kill()
        process.wait()

    with pytest.raises(ChainUnavailable) as caught:
        first.backend().watch(vault.request(), kill)
    assert caught.value.code is Code.NODE_UNREACHABLE
    process, again = start(node.program, tmp_path)
    try:
        backend = again.backend()
        result = backend.watch(vault.request(), no_progress)
        assert set(result.coins) == set(backend.scan(vault.request(), no_progress).coins)
        assert len(result.coins) == backend.tip().height
    finally:
        stop(process)
