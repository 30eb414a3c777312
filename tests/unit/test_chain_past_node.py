"""What a vault held at a past block, asked from a real node without a wallet."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from custody.bitcoin.network import Network
from custody.chain.core_rpc import CoreRpcBackend
from custody.chain.json_rpc import JsonRpc
from custody.codes import Code
from custody.errors import ChainUnavailable
from custody.ports import ChainCoin, Tip, no_progress
from support.lying_node import lying_node
from support.node import Node, start, stop
from support.signing_vault import SigningVault, coin_of

pytestmark = pytest.mark.node

ELSEWHERE = bytes.fromhex("0014") + bytes(range(20))
_seeds = count(140, 4)


@dataclass(frozen=True)
class Told:
    """A vault and, as the node said right then, what it held after each of its blocks."""

    vault: SigningVault
    scripts: frozenset[bytes]
    held: dict[Tip, frozenset[ChainCoin]]


def tell_history(node: Node, blocks: int = 7) -> Told:
    """Let a fresh vault receive, pay with change and mine over some blocks; scan after each one."""
    vault = SigningVault(first_seed=next(_seeds))
    request = vault.request()
    backend = node.backend()
    held: dict[Tip, frozenset[ChainCoin]] = {}
    for step in range(blocks):
        now = backend.scan(request, no_progress)
        held[now.tip] = frozenset(now.coins)
        spendable = sorted((coin for coin in now.coins if not coin.is_coinbase), key=lambda coin: coin.value)
        if step % 2 and spendable:
            coin = spendable[-1]
            rest = coin.value - 1_000_000 - 1_000
            paid = vault.spend([coin], [(1_000_000, ELSEWHERE), (rest, vault.script(1, step))])
            backend.broadcast(paid.serialize())
            if step % 4 == 3:
                again = vault.spend([coin_of(paid, 1)], [(rest - 2_000, vault.script(1, step + 1))])
                backend.broadcast(again.serialize())
        else:
            node.pay(vault.address(0, step), "1")
        if step == 2:
            node.rpc("generatetoaddress", 1, vault.address(0, 10))
        else:
            node.mine()
    return Told(vault, frozenset(one.script_pubkey for one in request.scripts), held)


@pytest.fixture(scope="module")
def told(node: Node) -> Told:
    return tell_history(node)


@pytest.fixture(scope="module")
def filtering(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """Give the shared node's blocks to a second one that keeps compact filters."""
    process, second = start(node.program, tmp_path_factory.mktemp("filtering"), "-blockfilterindex=1")
    try:
        yield second
    finally:
        stop(process)


def copy_blocks(source: Node, target: Node) -> None:
    """Submit every block of one node to another."""
    height = source.rpc("getblockcount")
    have = target.rpc("getblockcount")
    assert isinstance(height, int)
    assert isinstance(have, int)
    for at in range(have + 1, height + 1):
        target.rpc("submitblock", source.rpc("getblock", source.rpc("getblockhash", at), 0))


def test_every_past_block_is_as_it_was_scanned_then(node: Node, told: Told) -> None:
    backend = node.backend()
    for tip, coins in told.held.items():
        past = backend.coins_at(told.scripts, tip.height, no_progress)
        assert past.block == tip
        assert frozenset(past.coins) == coins
        assert list(past.coins) == sorted(past.coins, key=lambda c: (c.height, c.outpoint.txid, c.outpoint.vout))
    at_once = backend.coins_at_each(told.scripts, [tip.height for tip in told.held], no_progress)
    assert [(past.block, frozenset(past.coins)) for past in at_once] == list(told.held.items())
    assert any(coin.is_coinbase for coin in past.coins)
    assert len({len(coins) for coins in told.held.values()}) > 2, "the history must have coins come and go"


def test_the_newest_block_is_today_s_scan(node: Node, told: Told) -> None:
    backend = node.backend()
    tip = backend.tip()
    assert frozenset(backend.coins_at(told.scripts, tip.height, no_progress).coins) == frozenset(
        backend.scan(told.vault.request(), no_progress).coins
    )
    assert backend.block_at(tip.height) == tip
    assert backend.height_of(tip.block_hash) == tip.height
    assert backend.block_at(tip.height + 1) is None
    assert backend.height_of("ab" * 32) is None


def test_a_block_above_the_tip_is_refused(node: Node, told: Told) -> None:
    backend = node.backend()
    with pytest.raises(ChainUnavailable) as caught:
        backend.coins_at(told.scripts, backend.tip().height + 1, no_progress)
    assert caught.value.code is Code.BLOCK_UNKNOWN


def test_filters_skip_blocks_and_the_answer_stays_the_same(node: Node, filtering: Node, told: Told) -> None:
    node.mine(30)
    copy_blocks(node, filtering)
    first = next(iter(told.held))
    with lying_node(filtering.login, lambda _method, _params, result: result) as seen:
        past = CoreRpcBackend(JsonRpc(seen.login), Network.REGTEST).coins_at(told.scripts, first.height, no_progress)
    assert (past.block, frozenset(past.coins)) == (first, told.held[first])
    assert 0 < seen.calls.count("getblock") <= len(told.held)


def test_a_filter_that_misses_a_coin_s_block_is_not_believed(node: Node, filtering: Node, told: Told) -> None:
    copy_blocks(node, filtering)
    first = next(iter(told.held))

    def blind(method: str, _params: Any, result: Any) -> Any:
        return {**result, "relevant_blocks": []} if method == "scanblocks" and result else result

    with lying_node(filtering.login, blind) as seen:
        backend = CoreRpcBackend(JsonRpc(seen.login), Network.REGTEST)
        past = backend.coins_at(told.scripts, first.height, no_progress)
        assert frozenset(past.coins) == told.held[first]
        assert seen.calls.count("getblock") == backend.tip().height - first.height


def test_a_block_without_one_of_its_transactions_is_refused(node: Node, told: Told) -> None:
    first = next(iter(told.held))

    def leave_out(method: str, params: Any, result: Any) -> Any:
        if method == "getblock" and params[1:] == [3]:
            return {**result, "tx": result["tx"][:-1] if len(result["tx"]) > 1 else result["tx"]}
        return result

    with lying_node(node.login, leave_out) as seen:
        backend = CoreRpcBackend(JsonRpc(seen.login), Network.REGTEST)
        with pytest.raises(ChainUnavailable) as caught:
            backend.coins_at(told.scripts, first.height, no_progress)
    assert caught.value.code is Code.NODE_ANSWER_INVALID
    assert "leaves transactions of block" in caught.value.message


def test_a_reorganization_meanwhile_gives_the_new_chain_or_nothing(node: Node, tmp_path: Path) -> None:
    process, other = start(node.program, tmp_path)
    try:
        other.rpc("createwallet", "miner")
        other.mine(101)
        told = tell_history(other)
        heights = sorted(tip.height for tip in told.held)
        fork, asked = heights[2], heights[4]
        old_hash = other.backend().block_hash_at(asked)

        def reorganize(method: str, params: Any, result: Any) -> Any:
            if method == "getblock" and params[1:] == [3] and other.backend().block_hash_at(asked) == old_hash:
                other.rpc("invalidateblock", other.rpc("getblockhash", fork))
                for _ in range(12):
                    other.rpc("generateblock", other.miner("getnewaddress"), [])
            return result

        with lying_node(other.login, reorganize) as seen:
            past = CoreRpcBackend(JsonRpc(seen.login), Network.REGTEST).coins_at(told.scripts, asked, no_progress)
        assert past.block.block_hash == other.backend().block_hash_at(asked) != old_hash
        before_fork = next(coins for tip, coins in told.held.items() if tip.height == fork - 1)
        assert frozenset(past.coins) == before_fork
        assert before_fork != next(coins for tip, coins in told.held.items() if tip.height == asked)
    finally:
        stop(process)


def test_a_chain_that_changes_at_each_try_is_refused(node: Node, told: Told) -> None:
    first = next(iter(told.held))

    def another_tip(method: str, params: Any, result: Any) -> Any:
        if method == "scantxoutset" and params[0] == "start":
            return {**result, "bestblock": "ee" * 32}
        return result

    with lying_node(node.login, another_tip) as seen:
        backend = CoreRpcBackend(JsonRpc(seen.login), Network.REGTEST)
        with pytest.raises(ChainUnavailable) as caught:
            backend.coins_at(told.scripts, first.height, no_progress)
    assert caught.value.code is Code.NODE_BUSY
    assert seen.calls.count("scantxoutset") == 5


def test_a_chain_that_becomes_shorter_meanwhile_is_asked_again(node: Node, told: Told) -> None:
    first = next(iter(told.held))
    lost: list[str] = []

    def shorter(method: str, params: Any, result: Any) -> Any:
        if method == "getblockheader" and params[1:] == [False] and not lost:
            lost.append(str(node.rpc("getbestblockhash")))
            node.rpc("invalidateblock", lost[0])
        return result

    try:
        with lying_node(node.login, shorter) as seen:
            past = CoreRpcBackend(JsonRpc(seen.login), Network.REGTEST).coins_at(
                told.scripts, first.height, no_progress
            )
    finally:
        node.rpc("reconsiderblock", lost[0])
    assert (past.block, frozenset(past.coins)) == (first, told.held[first])
    assert seen.calls.count("scantxoutset") == 2


def test_a_node_that_pruned_the_later_blocks_says_so(node: Node, tmp_path: Path) -> None:
    vault = SigningVault(first_seed=next(_seeds))
    process, pruned = start(node.program, tmp_path, "-prune=1", "-fastprune=1")
    try:
        pruned.rpc("setmocktime", 1_700_000_000)
        pruned.rpc("generatetodescriptor", 300, f"addr({vault.address(0, 0)})")
        pruned.rpc("setmocktime", 0)
        pruned.rpc("generatetodescriptor", 290, f"addr({vault.address(0, 0)})")
        pruned.rpc("pruneblockchain", 300)
        scripts = frozenset({vault.script(0, 0)})
        with pytest.raises(ChainUnavailable) as caught:
            pruned.backend().coins_at(scripts, 100, no_progress)
        assert caught.value.code is Code.PRUNED_BELOW_BIRTH
        assert len(pruned.backend().coins_at(scripts, 400, no_progress).coins) == 400
    finally:
        stop(process)
