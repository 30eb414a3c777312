"""What scripts held at a past block, from the embedded chain and from a snapshot of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.bitcoin import kernel
from custody.bitcoin.amount import Sats
from custody.bitcoin.network import Network
from custody.bitcoin.transaction import OutPoint
from custody.chain.embedded import EmbeddedBackend
from custody.chain.past import held_after
from custody.chain.snapshot import SnapshotBackend, SnapshotFinding, take_snapshot
from custody.codes import Code
from custody.errors import ChainUnavailable
from custody.ports import ChainCoin, PastCoins, Tip, no_progress
from support.signing_vault import SigningVault, coin_of

pytestmark = pytest.mark.skipif(not kernel.is_available(), reason="py-bitcoinkernel is not installed on this Python")

ELSEWHERE = bytes.fromhex("0014") + bytes(range(20))
Held = dict[Tip, frozenset[ChainCoin]]


@pytest.fixture(scope="module")
def vault() -> SigningVault:
    return SigningVault()


@pytest.fixture(scope="module")
def scripts(vault: SigningVault) -> frozenset[bytes]:
    return frozenset(one.script_pubkey for one in vault.request().scripts)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory, vault: SigningVault) -> Iterator[EmbeddedBackend]:
    with EmbeddedBackend(tmp_path_factory.mktemp("chain") / "embedded", Network.REGTEST) as backend:
        backend.mine(2, vault.script(0, 0))
        backend.mine(100, ELSEWHERE)
        yield backend


@pytest.fixture(scope="module")
def held(chain: EmbeddedBackend, vault: SigningVault) -> Held:
    """What a scan said after each block of payments, a child in the same block, and fresh coins."""
    told: Held = {}

    def look() -> None:
        now = chain.scan(vault.request(), no_progress)
        told[now.tip] = frozenset(now.coins)

    look()
    first, second = chain.scan(vault.request(), no_progress).coins
    paid = vault.spend([first], [(1_000_000, ELSEWHERE), (first.value - 1_001_000, vault.script(1, 0))])
    chain.broadcast(paid.serialize())
    change = coin_of(paid, 1)
    chain.broadcast(vault.spend([change], [(change.value - 2_000, vault.script(1, 1))]).serialize())
    chain.mine(1, vault.script(0, 1))
    look()
    chain.broadcast(vault.spend([second], [(second.value - 1_000, ELSEWHERE)]).serialize())
    chain.mine(1, ELSEWHERE)
    look()
    chain.mine(2, ELSEWHERE)
    look()
    return told


def test_every_past_block_is_as_it_was_scanned_then(
    chain: EmbeddedBackend, held: Held, scripts: frozenset[bytes]
) -> None:
    assert len(set(held.values())) == 3
    for tip, coins in held.items():
        past = chain.coins_at(scripts, tip.height, no_progress)
        assert past.block == tip == chain.block_at(tip.height)
        assert frozenset(past.coins) == coins
    assert chain.coins_at_each(scripts, [tip.height for tip in held], no_progress) == tuple(
        chain.coins_at(scripts, tip.height, no_progress) for tip in held
    )
    assert chain.coins_at(scripts, 0, no_progress).coins == ()
    assert [coin.height for coin in chain.coins_at(scripts, 1, no_progress).coins] == [1]


def test_a_block_that_is_not_there_is_refused(chain: EmbeddedBackend, held: Held, scripts: frozenset[bytes]) -> None:
    above = max(tip.height for tip in held) + 1
    for height in (above, -1):
        with pytest.raises(ChainUnavailable) as caught:
            chain.coins_at(scripts, height, no_progress)
        assert caught.value.code is Code.BLOCK_UNKNOWN
    assert chain.block_at(above) is None
    assert chain.height_of("ab" * 32) is None
    assert all(chain.height_of(tip.block_hash) == tip.height for tip in held)


def test_a_snapshot_replays_its_transactions(
    chain: EmbeddedBackend, held: Held, scripts: frozenset[bytes], vault: SigningVault
) -> None:
    request = vault.request()
    seen = chain.watch(request, no_progress)
    offline = SnapshotBackend(take_snapshot(chain, request, seen, SnapshotFinding((), True)), Network.REGTEST)
    tips = sorted(held, key=lambda tip: tip.height)
    for tip in tips[1:]:
        past: PastCoins = offline.coins_at(scripts, tip.height, no_progress)
        assert (past.block.height, past.block.block_hash) == (tip.height, tip.block_hash)
        assert frozenset(past.coins) == held[tip]
        assert offline.height_of(tip.block_hash) == tip.height
    assert offline.block_at(tips[-1].height) == tips[-1]
    assert offline.block_at(tips[-1].height + 1) is None
    with pytest.raises(ChainUnavailable) as above:
        offline.coins_at(scripts, tips[-1].height + 1, no_progress)
    assert above.value.code is Code.BLOCK_UNKNOWN
    with pytest.raises(ChainUnavailable) as unknown:
        offline.coins_at(scripts, tips[0].height, no_progress)
    assert unknown.value.code is Code.SYNC_INCOMPLETE


@dataclass(frozen=True)
class Told:
    """A made-up chain: after each block what is unspent, and which coin was spent in which block."""

    states: list[frozenset[ChainCoin]]
    spent: list[tuple[int, ChainCoin]]


@st.composite
def chains(draw: st.DrawFn) -> Told:
    """Blocks that each make some coins and spend some, also coins of their own."""
    states: list[frozenset[ChainCoin]] = [frozenset()]
    spent: list[tuple[int, ChainCoin]] = []
    for height in range(1, draw(st.integers(2, 9))):
        made = [
            ChainCoin(OutPoint(f"{height:02x}" * 32, vout), Sats(vout + 1), b"\x51", height, vout == 0)
            for vout in range(draw(st.integers(0, 3)))
        ]
        there = sorted([*states[-1], *made], key=lambda coin: str(coin.outpoint))
        gone = draw(st.lists(st.sampled_from(there), unique=True)) if there else []
        spent += [(height, coin) for coin in gone]
        states.append(frozenset(there) - frozenset(gone))
    return Told(states, spent)


@given(chains(), st.randoms())
def test_undoing_blocks_gives_every_earlier_state(told: Told, shuffle: Random) -> None:
    spent = list(told.spent)
    shuffle.shuffle(spent)
    for height, held in enumerate(told.states):
        coins = held_after(height, told.states[-1], spent)
        assert frozenset(coins) == held
        assert len(coins) == len(held)


def test_progress_counts_the_blocks_undone(chain: EmbeddedBackend, held: Held, scripts: frozenset[bytes]) -> None:
    steps: list[tuple[str, int, int]] = []
    chain.coins_at(
        scripts, min(tip.height for tip in held), lambda what, done, total: steps.append((what, done, total))
    )
    assert steps[-1] == ("undoing blocks", 4, 4)
