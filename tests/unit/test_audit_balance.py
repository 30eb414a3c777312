"""Balances compared: differences name every coin once, sums are of blocks alone, and times mean one block."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.audit.balance import BlockBalance, HeldCoin, Route, RouteName, Window, differences, differing, replayed
from custody.audit.balance_claim import claim_doubts, claim_gaps, claimed_blocks, claimed_route
from custody.audit.state import OwnInput, SeenOutput, SeenTip, SeenTransaction, State
from custody.bitcoin.amount import Sats
from custody.bitcoin.network import Network
from custody.bitcoin.transaction import OutPoint
from custody.chain.utxo_dump import UtxoDump
from custody.codes import Code
from custody.errors import ChainUnavailable, Finding, InvalidInput, Severity
from custody.ports import ChainBackend, Tip, no_progress
from custody.vault.vault import Vault
from custody.workflow.audit_window import AuditWindow
from custody.workflow.balance_blocks import height_at_time
from custody.workflow.balance_of_dump import DumpChoice
from support.signing_vault import SigningVault

_coins = st.builds(
    HeldCoin,
    st.builds(OutPoint, st.sampled_from(["11" * 32, "22" * 32, "33" * 32]), st.integers(0, 3)),
    st.integers(0, 10**9).map(Sats),
    st.sampled_from([0, 1]),
    st.integers(0, 5),
    st.integers(1, 200),
    st.booleans(),
)
_sides = st.lists(_coins, unique_by=lambda coin: coin.outpoint, max_size=8).map(tuple)


def coin(number: int, *, height: int = 10, value: int = 1_000, coinbase: bool = False) -> HeldCoin:
    return HeldCoin(OutPoint(f"{number:02x}" * 32, 0), Sats(value), 0, number, height, coinbase)


def balance(*routes: Route, height: int | None = 200, findings: Sequence[Finding] = ()) -> BlockBalance:
    return BlockBalance(height, "ab" * 32, 1, routes, Window(1000, 1000), None, None, (), tuple(findings))


@given(_sides, _sides)
def test_every_coin_that_is_not_alike_is_named_once(one: tuple[HeldCoin, ...], other: tuple[HeldCoin, ...]) -> None:
    routes = [Route(RouteName.HISTORY, one), Route(RouteName.UNSPENT, other)]
    found = list(differences(routes, {}))
    assert [finding.where for finding in found] == [str(outpoint) for outpoint in differing(routes)]
    expected = {str(coin.outpoint) for coin in set(one) ^ set(other)}
    assert sorted(finding.where for finding in found) == sorted(expected)
    assert all(finding.code is Code.BALANCE_DIFFERS and finding.severity is Severity.REFUSE for finding in found)
    # Equal sums hide nothing: it is coins that are compared.
    assert (not found) is (set(one) == set(other))


def test_a_difference_says_where_the_coin_is_and_where_not() -> None:
    mine = Route(RouteName.HISTORY, (coin(1), coin(2)))
    theirs = Route(RouteName.UNSPENT, (coin(1), replace(coin(2), value=Sats(999))))
    claim = Route(RouteName.JOURNAL, (coin(2),))
    first, second = differences([mine, theirs, claim], {coin(1).outpoint: True, coin(2).outpoint: False})
    assert "it is in the history of the watch-only wallet and the unspent outputs" in first.message
    assert ", and not in the journal's claim; asked for it alone" in first.message
    assert first.message.endswith("says that it is unspent today")
    assert "in the history of the watch-only wallet 1000 sat at receive 2 in block 10" in second.message
    assert "in the unspent outputs with later blocks undone 999 sat at receive 2 in block 10" in second.message
    assert second.message.endswith("is spent, or was never there today")


def test_a_balance_whose_ways_differ_has_no_sum() -> None:
    routes = (Route(RouteName.HISTORY, (coin(1),)), Route(RouteName.UNSPENT, ()))
    differing = balance(*routes, findings=list(differences(routes, {})))
    assert (differing.total, differing.is_agreed, differing.to_json()["total_sats"]) == (None, False, None)
    agreed = balance(routes[0], routes[0])
    assert (agreed.total, agreed.is_agreed) == (1_000, True)


@pytest.mark.parametrize(("height", "immature"), [(109, 0), (108, 50), (10, 50)])
def test_a_reward_is_immature_until_the_next_block_may_spend_it(height: int, immature: int) -> None:
    reward = coin(1, value=50, coinbase=True)
    found = balance(Route(RouteName.HISTORY, (reward, coin(2))), height=height)
    assert (found.immature, found.total) == (immature, 1_050)
    assert balance(Route(RouteName.DUMP, (reward,)), height=None).immature is None


def test_frozen_is_a_part_of_the_total() -> None:
    found = replace(
        balance(Route(RouteName.HISTORY, (coin(1), coin(2)))), frozen=frozenset({coin(2).outpoint, coin(9).outpoint})
    )
    assert (found.frozen_sum, found.total) == (1_000, 2_000)
    assert replace(found, frozen=None).to_json()["frozen_sats"] is None


@given(st.lists(_coins, unique_by=lambda one: one.outpoint, max_size=8), st.data())
def test_a_replay_keeps_what_was_not_spent(made: list[HeldCoin], data: st.DataObject) -> None:
    spent = data.draw(st.lists(st.sampled_from([one.outpoint for one in made]))) if made else []
    kept = replayed(made, [*spent, OutPoint("99" * 32, 1)])
    assert {one.outpoint for one in kept} == {one.outpoint for one in made} - set(spent)
    assert list(kept) == sorted(kept, key=lambda one: (one.height, one.outpoint.txid, one.outpoint.vout))


def seen(txid: str, height: int | None, *, pays: int = 0, spends: OutPoint | None = None) -> SeenTransaction:
    inputs = () if spends is None else (OwnInput(spends, Sats(1), 0, 0),)
    outputs = (
        SeenOutput(Sats(7), b"\x51", None),
        *(SeenOutput(Sats(pays), b"\x52", (1, 4)) for _ in range(bool(pays))),
    )
    block = None if height is None else f"{height:064x}"
    return SeenTransaction(txid, block, height, None, False, inputs, outputs, 0, False)


def state_of(*transactions: SeenTransaction, tip: int | None = 30, incomplete: tuple[str, ...] = ()) -> State:
    return cast(
        State,
        SimpleNamespace(
            transactions={one.txid: one for one in transactions},
            tip=None if tip is None else SeenTip(tip, "ab" * 32, 1),
            incomplete=incomplete,
        ),
    )


def test_a_journal_s_claim_is_replayed_to_the_block() -> None:
    first, spend, waiting = "11" * 32, "22" * 32, "33" * 32
    state = state_of(
        seen(first, 10, pays=100),
        seen(spend, 20, pays=60, spends=OutPoint(first, 1)),
        seen(waiting, None, pays=5, spends=OutPoint(spend, 1)),
    )
    held = {at: [(str(one.outpoint), one.value) for one in claimed_route(state, at).coins] for at in (9, 10, 19, 20)}
    assert held == {9: [], 10: [(f"{first}:1", 100)], 19: [(f"{first}:1", 100)], 20: [(f"{spend}:1", 60)]}
    assert claimed_blocks(state, 15) == {10: frozenset({f"{10:064x}"})}


def test_a_journal_that_can_not_say_it_says_so() -> None:
    assert claim_gaps(state_of(tip=None), 5) == ("the journal never looked at the chain",)
    assert claim_gaps(state_of(tip=4), 5) == ("the journal has seen the chain up to block 4 only",)
    assert claim_gaps(state_of(tip=5), 5) == ()
    assert claim_gaps(state_of(incomplete=("pruned",)), 5) == ()
    assert [(one.code, one.severity, one.message) for one in claim_doubts(state_of(incomplete=("pruned",)))] == [
        (Code.SYNC_INCOMPLETE, Severity.WARN, "the journal calls its own view incomplete: pruned")
    ]


def test_one_node_alone_is_said_to_be_one_node_alone() -> None:
    two_ways = balance(Route(RouteName.HISTORY, ()), Route(RouteName.UNSPENT, ()))
    assert [words.split(":")[0] for words in replace(two_ways, is_one_view=True).not_shown] == [
        "that the node keeps no coin back from all of its answers alike",
        "that no coin lies beyond the first 1000 receive and 1000 change scripts",
    ]
    assert len(two_ways.not_shown) == 1


def chain_of(times: Sequence[int]) -> ChainBackend:
    """A chain whose blocks have these median times."""

    def block_at(height: int) -> Tip | None:
        return Tip(height, f"{height:064x}", times[height]) if height < len(times) else None

    tip = Tip(len(times) - 1, f"{len(times) - 1:064x}", times[-1])
    return cast(ChainBackend, SimpleNamespace(block_at=block_at, tip=lambda: tip))


@given(st.lists(st.integers(1, 40), min_size=1, max_size=40).map(sorted), st.integers(0, 45))
def test_a_time_is_the_last_block_whose_median_is_not_later(times: list[int], moment: int) -> None:
    chain = chain_of(times)
    fitting = [height for height, time in enumerate(times) if time <= moment]
    if times[-1] <= moment or not fitting:
        with pytest.raises(ChainUnavailable) as caught:
            height_at_time(chain, moment)
        assert caught.value.code is Code.BLOCK_UNKNOWN
    else:
        assert height_at_time(chain, moment) == fitting[-1]


def test_a_view_without_the_oldest_times_answers_among_those_that_it_knows() -> None:
    chain = chain_of([0, 0, 0, 4, 5, 9])
    assert height_at_time(chain, 4) == 3
    assert height_at_time(chain, 8) == 4
    with pytest.raises(ChainUnavailable) as caught:
        height_at_time(chain, 3)
    assert caught.value.code is Code.SYNC_INCOMPLETE


def test_the_answer_has_the_keys_that_scripts_rely_on() -> None:
    answer: Any = balance(Route(RouteName.HISTORY, (coin(1), replace(coin(2), index=1)))).to_json()
    assert {"height", "block_hash", "total_sats", "coins", "addresses", "engines"} <= set(answer)
    assert (answer["coins"], answer["addresses"], answer["engines"]) == (2, 1, ["custody", "libwally"])


def test_a_copy_of_another_network_is_refused() -> None:
    copy = UtxoDump(Path("utxo.dat"), Network.MAIN, "ab" * 32, 1)
    vault = cast(Vault, SimpleNamespace(network=Network.REGTEST))
    with pytest.raises(InvalidInput) as caught:
        DumpChoice(copy).require_network(vault)
    assert caught.value.code is Code.NETWORK_MISMATCH
    DumpChoice(copy).require_network(cast(Vault, SimpleNamespace(network=Network.MAIN)))


def test_a_journal_that_claims_an_absurd_index_does_not_keep_the_machine_busy() -> None:
    vault = cast(Vault, SimpleNamespace(descriptor=SigningVault().descriptor, network=Network.REGTEST))
    journal = cast(State, SimpleNamespace(highest=(2**31 - 1, 0)))
    with pytest.raises(InvalidInput) as caught:
        AuditWindow(vault, 0, journal, no_progress)
    assert caught.value.code is Code.INDEX_OUT_OF_RANGE


def test_a_window_only_grows() -> None:
    made = SigningVault()
    vault = cast(Vault, SimpleNamespace(descriptor=made.descriptor, network=Network.REGTEST))
    window = AuditWindow(vault, 0, cast(State, SimpleNamespace(highest=(900, 3))), no_progress)
    assert window.counts == Window(1_101, 1_000)
    assert not window.widen([made.script(0, 900), made.script(1, 799), b"\x51"])
    assert window.widen([made.script(1, 800)])
    assert window.counts == Window(1_101, 1_001)
    assert len(window.scripts) == 2_102
    assert window.places[made.script(1, 1_000)] == (1, 1_000)
