"""The embedded chain: mining, spending, replacement, reorganization, and who may hold it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from custody.bitcoin import kernel
from custody.bitcoin.network import Network
from custody.bitcoin.transaction import OutPoint, Transaction
from custody.chain.embedded import EmbeddedBackend
from custody.codes import Code
from custody.errors import ChainUnavailable, Conflict, InvalidInput
from custody.ports import ChainCoin, no_progress
from support.signing_vault import SigningVault, coin_of

pytestmark = pytest.mark.skipif(not kernel.is_available(), reason="py-bitcoinkernel is not installed on this Python")

ELSEWHERE = bytes.fromhex("0014") + bytes(range(20))
SUBSIDY = 50 * 100_000_000
FUNDED_HEIGHT = 102


@pytest.fixture(scope="module")
def vault() -> SigningVault:
    return SigningVault()


@pytest.fixture
def chain(tmp_path: Path, vault: SigningVault) -> Iterator[EmbeddedBackend]:
    """A chain in which blocks 1 and 2 paid the vault and are mature."""
    with EmbeddedBackend(tmp_path / "embedded", Network.REGTEST) as backend:
        backend.mine(2, vault.script(0, 0))
        backend.mine(100, ELSEWHERE)
        yield backend


def coins_of(chain: EmbeddedBackend, vault: SigningVault) -> tuple[ChainCoin, ...]:
    return chain.watch(vault.request(), no_progress).coins


def payment(vault: SigningVault, coin: ChainCoin, fee: int, *, index: int = 0, value: int = 1_000_000) -> Transaction:
    change = coin.value - value - fee
    return vault.spend([coin], [(value, ELSEWHERE), (change, vault.script(1, index))])


def test_mining_pays_the_script_and_equal_steps_give_an_equal_chain(tmp_path: Path, vault: SigningVault) -> None:
    tips = []
    for name in ("one", "two"):
        with EmbeddedBackend(tmp_path / name, Network.REGTEST) as backend:
            backend.mine(3, vault.script(0, 0))
            tips.append(backend.tip())
            assert sum(coin.value for coin in coins_of(backend, vault)) == 3 * SUBSIDY
    assert tips[0] == tips[1]
    assert tips[0].height == 3


def test_block_times_follow_the_caller_and_stay_above_the_median(chain: EmbeddedBackend) -> None:
    chain.mine(12, ELSEWHERE, first_time=1_700_000_000, spacing_s=1)
    assert chain.tip().median_time_past == 1_700_000_006
    chain.mine(1, ELSEWHERE, first_time=5)
    assert chain.tip().median_time_past == 1_700_000_007


def test_a_payment_is_accepted_mined_and_counted(chain: EmbeddedBackend, vault: SigningVault) -> None:
    coin = coins_of(chain, vault)[0]
    signed = payment(vault, coin, 1000)
    raw = signed.serialize()
    verdict = chain.test_accept(raw)
    assert (verdict.allowed, verdict.reason, verdict.already_known) == (True, "", False)
    assert chain.broadcast(raw) == signed.txid
    assert chain.unspent(coin.outpoint, include_mempool=True) is None
    assert chain.unspent(coin.outpoint, include_mempool=False) == coin
    pending = chain.watch(vault.request(), no_progress)
    assert pending.transactions[-1].height is None
    assert pending.transactions[-1].fee == 1000

    block_hash = chain.mine(1, ELSEWHERE)[0]
    seen = chain.watch(vault.request(), no_progress)
    assert seen.transactions[-1].transaction == signed
    assert (seen.transactions[-1].height, seen.transactions[-1].block_hash) == (FUNDED_HEIGHT + 1, block_hash)
    assert chain.scan(vault.request(), no_progress).coins
    assert set(chain.scan(vault.request(), no_progress).coins) == set(seen.coins)
    assert chain.transaction(signed.txid, block_hash) == signed


def test_sending_again_changes_nothing(chain: EmbeddedBackend, vault: SigningVault) -> None:
    raw = payment(vault, coins_of(chain, vault)[0], 1000).serialize()
    txid = chain.broadcast(raw)
    assert chain.broadcast(raw) == txid
    assert chain.test_accept(raw).already_known
    chain.mine(1, ELSEWHERE)
    assert chain.broadcast(raw) == txid
    assert chain.test_accept(raw).already_known


def test_refuses_a_double_spend_that_pays_no_more(chain: EmbeddedBackend, vault: SigningVault) -> None:
    coin = coins_of(chain, vault)[0]
    chain.broadcast(payment(vault, coin, 1000).serialize())
    rival = payment(vault, coin, 1000, index=1)
    assert chain.test_accept(rival.serialize()).reason == "insufficient fee"
    with pytest.raises(ChainUnavailable) as caught:
        chain.broadcast(rival.serialize())
    assert caught.value.code is Code.NODE_REJECTED


def test_refuses_a_double_spend_of_a_mined_payment(chain: EmbeddedBackend, vault: SigningVault) -> None:
    coin = coins_of(chain, vault)[0]
    chain.broadcast(payment(vault, coin, 1000).serialize())
    chain.mine(1, ELSEWHERE)
    reason = chain.test_accept(payment(vault, coin, 90_000, index=1).serialize()).reason
    assert reason == "bad-txns-inputs-missingorspent"


def test_a_replacement_evicts_the_payment_and_its_child(chain: EmbeddedBackend, vault: SigningVault) -> None:
    coin = coins_of(chain, vault)[0]
    first = payment(vault, coin, 1000)
    child = payment(vault, coin_of(first, 1), 1000, index=1)
    chain.broadcast(first.serialize())
    chain.broadcast(child.serialize())
    replacement = payment(vault, coin, 5000, index=2)
    assert chain.conflicts(replacement) == tuple(sorted([first.txid, child.txid]))
    chain.broadcast(replacement.serialize())
    pending = [one for one in chain.watch(vault.request(), no_progress).transactions if one.height is None]
    assert [one.transaction.txid for one in pending] == [replacement.txid]


def test_a_replacement_must_pay_for_everything_that_it_evicts(chain: EmbeddedBackend, vault: SigningVault) -> None:
    coin = coins_of(chain, vault)[0]
    first = payment(vault, coin, 1000)
    chain.broadcast(first.serialize())
    chain.broadcast(payment(vault, coin_of(first, 1), 20_000, index=1).serialize())
    assert chain.test_accept(payment(vault, coin, 20_000, index=2).serialize()).reason == "insufficient fee"


def test_a_replacement_can_not_spend_what_it_evicts(chain: EmbeddedBackend, vault: SigningVault) -> None:
    coin = coins_of(chain, vault)[0]
    first = payment(vault, coin, 1000)
    chain.broadcast(first.serialize())
    loop = vault.spend([coin, coin_of(first, 1)], [(1_000_000, ELSEWHERE)])
    assert chain.test_accept(loop.serialize()).reason == "bad-txns-spends-conflicting-tx"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"outputs": [(SUBSIDY - 100, ELSEWHERE)]}, "min relay fee not met"),
        ({"outputs": [(SUBSIDY + 1, ELSEWHERE)]}, "bad-txns-in-belowout"),
        ({"outputs": [(100, ELSEWHERE)]}, "dust"),
        ({"outputs": [(1_000_000, ELSEWHERE)], "locktime": FUNDED_HEIGHT + 1}, "non-final"),
        ({"outputs": [(1_000_000, ELSEWHERE)], "sequence": FUNDED_HEIGHT + 1}, "non-BIP68-final"),
        ({"outputs": [(1_000_000, ELSEWHERE)], "version": 4}, "version"),
    ],
)
def test_refuses_with_the_node_s_own_word(
    chain: EmbeddedBackend, vault: SigningVault, change: dict[str, object], reason: str
) -> None:
    raw = vault.spend([coins_of(chain, vault)[0]], **change).serialize()  # type: ignore[arg-type]
    assert chain.test_accept(raw).reason == reason


def test_accepts_the_highest_locktime_that_the_next_block_can_hold(chain: EmbeddedBackend, vault: SigningVault) -> None:
    coin = coins_of(chain, vault)[0]
    signed = vault.spend([coin], [(1_000_000, ELSEWHERE)], locktime=FUNDED_HEIGHT, sequence=0xFFFFFFFE)
    chain.broadcast(signed.serialize())
    chain.mine(1, ELSEWHERE)
    assert chain.unspent(coin.outpoint, include_mempool=False) is None


def test_refuses_an_immature_coinbase(chain: EmbeddedBackend, vault: SigningVault) -> None:
    chain.mine(1, vault.script(0, 1))
    young = next(coin for coin in coins_of(chain, vault) if coin.script_pubkey == vault.script(0, 1))
    reason = chain.test_accept(vault.spend([young], [(1_000_000, ELSEWHERE)]).serialize()).reason
    assert reason == "bad-txns-premature-spend-of-coinbase"


def test_refuses_a_signature_of_another_transaction(chain: EmbeddedBackend, vault: SigningVault) -> None:
    coin = coins_of(chain, vault)[0]
    good = payment(vault, coin, 1000)
    other = payment(vault, coin, 2000)
    forged = Transaction(good.version, other.inputs, good.outputs, good.locktime)
    assert chain.test_accept(forged.serialize()).reason == "mandatory-script-verify-flag-failed"


def test_a_reorganization_takes_a_payment_back_into_the_mempool(chain: EmbeddedBackend, vault: SigningVault) -> None:
    coin = coins_of(chain, vault)[0]
    signed = payment(vault, coin, 1000)
    chain.broadcast(signed.serialize())
    old = chain.mine(2, ELSEWHERE)
    new = chain.mine_fork(FUNDED_HEIGHT, 3, ELSEWHERE)
    assert chain.block_hash_at(FUNDED_HEIGHT + 1) == new[0] != old[0]
    last = chain.watch(vault.request(), no_progress).transactions[-1]
    assert (last.transaction.txid, last.height) == (signed.txid, None)


def test_a_reorganization_with_a_rival_drops_the_payment(chain: EmbeddedBackend, vault: SigningVault) -> None:
    coin = coins_of(chain, vault)[0]
    signed, rival = payment(vault, coin, 1000), payment(vault, coin, 1000, index=1)
    chain.broadcast(signed.serialize())
    chain.mine(1, ELSEWHERE)
    chain.mine_fork(FUNDED_HEIGHT, 2, ELSEWHERE, transactions=[rival])
    known = [one.transaction.txid for one in chain.watch(vault.request(), no_progress).transactions]
    assert rival.txid in known
    assert signed.txid not in known


def test_a_fork_must_outgrow_the_chain(chain: EmbeddedBackend) -> None:
    with pytest.raises(InvalidInput):
        chain.mine_fork(FUNDED_HEIGHT - 2, 2, ELSEWHERE)


def test_what_was_sent_and_mined_is_there_after_reopening(tmp_path: Path, vault: SigningVault) -> None:
    folder = tmp_path / "embedded"
    with EmbeddedBackend(folder, Network.REGTEST) as backend:
        backend.mine(1, vault.script(0, 0))
        backend.mine(100, ELSEWHERE)
        signed = payment(vault, coins_of(backend, vault)[0], 1000)
        backend.broadcast(signed.serialize())
        tip = backend.tip()
    with EmbeddedBackend(folder, Network.REGTEST) as backend:
        assert backend.tip() == tip
        assert backend.transaction(signed.txid, None) == signed


def test_a_kill_loses_nothing_that_was_mined_or_sent(tmp_path: Path, vault: SigningVault) -> None:
    folder = tmp_path / "embedded"
    script = vault.script(0, 0).hex()
    program = (
        "import sys, time; from pathlib import Path; from custody.chain.embedded import EmbeddedBackend;"
        "from custody.bitcoin.network import Network;"
        f"b = EmbeddedBackend(Path({str(folder)!r}), Network.REGTEST); b.mine(5, bytes.fromhex({script!r}));"
        "print(b.tip().block_hash, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        tip = holder.stdout.readline().strip()
        with pytest.raises(Conflict) as caught:
            EmbeddedBackend(folder, Network.REGTEST)
        assert caught.value.code is Code.WORKSPACE_LOCKED
        os.kill(holder.pid, signal.SIGKILL)
    with EmbeddedBackend(folder, Network.REGTEST) as backend:
        assert (backend.tip().height, backend.tip().block_hash) == (5, tip)
        assert len(coins_of(backend, vault)) == 5


def test_closing_lets_the_next_one_in_and_a_closed_chain_says_so(tmp_path: Path) -> None:
    first = EmbeddedBackend(tmp_path / "embedded", Network.REGTEST)
    first.close()
    first.close()
    EmbeddedBackend(tmp_path / "embedded", Network.REGTEST).close()
    with pytest.raises(ChainUnavailable):
        first.mine(1, ELSEWHERE)


@pytest.mark.parametrize("network", [Network.MAIN, Network.SIGNET, Network.TESTNET4])
def test_serves_regtest_only(tmp_path: Path, network: Network) -> None:
    with pytest.raises(ChainUnavailable) as caught:
        EmbeddedBackend(tmp_path / "embedded", network)
    assert caught.value.code is Code.NODE_WRONG_NETWORK
    assert not (tmp_path / "embedded").exists()


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[1]", b'{"format":"custody-embedded-mempool/1","transactions":["zz"]}']
)
def test_a_damaged_mempool_file_is_refused_and_frees_the_chain(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "embedded"
    EmbeddedBackend(folder, Network.REGTEST).close()
    (folder / "mempool.json").write_bytes(content)
    with pytest.raises(ChainUnavailable):
        EmbeddedBackend(folder, Network.REGTEST)
    (folder / "mempool.json").unlink()
    EmbeddedBackend(folder, Network.REGTEST).close()


def test_knows_no_estimate_and_no_unknown_transaction(chain: EmbeddedBackend) -> None:
    with pytest.raises(ChainUnavailable) as caught:
        chain.estimate_fee_rate(6)
    assert caught.value.code is Code.NO_FEE_ESTIMATE
    with pytest.raises(ChainUnavailable) as caught:
        chain.transaction("00" * 32, None)
    assert caught.value.code is Code.TRANSACTION_UNKNOWN
    assert chain.block_hash_at(FUNDED_HEIGHT + 1) is None
    assert chain.unspent(OutPoint("00" * 32, 0), include_mempool=True) is None
