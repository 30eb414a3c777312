"""Coins, sums, indexes and outflows as the journal's observations give them."""

from dataclasses import replace

import pytest

from custody.audit.chain_view import (
    SMALL_COIN,
    balance,
    coins_of,
    known_outputs,
    next_index,
    outflows,
    owned_coins,
    require_unspent,
    unexplained_outflows,
)
from custody.audit.fold import fold
from custody.bitcoin.amount import Sats
from custody.bitcoin.descriptor import Branch, ScriptType
from custody.bitcoin.transaction import OutPoint, TxOutput
from custody.codes import Code
from custody.errors import Altered, Conflict
from custody.spend.utxo import Coin
from support.ledger import OUTSIDE, Ledger, payment_from
from support.vaults import make_vault

SMALL = int(SMALL_COIN)


def ledger_of(script_type: ScriptType = ScriptType.WSH_SORTEDMULTI) -> Ledger:
    return Ledger(make_vault(script_type=script_type))


def coin_at(ledger: Ledger, outpoint: OutPoint) -> Coin:
    return next(coin for coin in owned_coins(ledger.state) if coin.outpoint == outpoint)


def set_aside(ledger: Ledger, *outpoints: OutPoint) -> list[bool]:
    return [coin_at(ledger, outpoint).is_set_aside for outpoint in outpoints]


def test_coins_carry_place_depth_and_label() -> None:
    ledger = ledger_of()
    (old,) = ledger.receive(5_000_000, index=2)
    (young,) = ledger.receive(70_000, index=1, branch=1, deep=1)
    ledger.add("label_set", {"type": "output", "ref": str(old), "label": "gift", "origin": None, "spendable": None})
    first, second = owned_coins(ledger.state)
    assert (first.outpoint, first.value, first.branch, first.index, first.label) == (old, 5_000_000, 0, 2, "gift")
    assert (first.confirmations(ledger.height), second.confirmations(ledger.height)) == (7, 1)
    assert (second.outpoint, second.branch, second.index) == (young, 1, 1)


def test_only_a_block_spends_a_coin_for_good() -> None:
    ledger = ledger_of()
    (coin,) = ledger.receive(5_000_000)
    spend = ledger.spend_elsewhere(coin, to=ledger.vault.deriver.at(1, 0).script_pubkey)
    ledger.observe((spend, None))
    waiting, made = coin_at(ledger, coin), coin_at(ledger, OutPoint(spend.txid, 0))
    assert (waiting.spent_by, made.height) == (spend.txid, None)
    sums = balance(ledger.state)
    assert (sums.total, sums.spendable, sums.unconfirmed) == (5_000_000, 0, 4_999_000)
    ledger.mine(1, spend)
    assert [one.outpoint for one in owned_coins(ledger.state)] == [OutPoint(spend.txid, 0)]
    require_unspent(ledger.state, [OutPoint(spend.txid, 0)])
    for outpoint, code in ((coin, Code.COIN_SPENT), (OutPoint("ab" * 32, 0), Code.COIN_UNKNOWN)):
        with pytest.raises(Conflict) as caught:
            require_unspent(ledger.state, [outpoint])
        assert caught.value.code is code


def test_the_total_counts_what_is_held_back_too() -> None:
    ledger = ledger_of()
    frozen, reserved, free = ledger.receive(1_000_000, 2_000_000, 4_000_000)
    ledger.add("coins_frozen", {"outpoints": [str(frozen)], "reason": None})
    ledger.propose(ledger.draft((OUTSIDE, 500_000), named=(reserved,)))
    dust = ledger.receive(600, index=3)
    assert set_aside(ledger, *dust) == [True]
    young = ledger.receive(8_000_000, index=4, deep=5)
    sums = balance(ledger.state)
    assert (sums.total, sums.spendable) == (15_000_600, 4_000_000)
    assert young[0] != free
    ledger.add("coins_unfrozen", {"outpoints": [str(frozen)], "reason": None})
    assert balance(ledger.state).spendable == 5_000_000


def test_small_coins_that_nobody_announced_are_set_aside_until_taken_in() -> None:
    ledger = ledger_of()
    ledger.issue(0)
    awaited, again, large = (ledger.receive(value)[0] for value in (SMALL, SMALL, SMALL + 1))
    (unannounced,) = ledger.receive(SMALL, index=1)
    (big_unannounced,) = ledger.receive(SMALL + 1, index=2)
    (on_change,) = ledger.receive(546, index=0, branch=1)
    every = (awaited, again, large, unannounced, big_unannounced, on_change)
    assert set_aside(ledger, *every) == [False, True, False, True, False, True]
    body: dict[str, object] = {"outpoints": [str(again)], "txids": [], "prior_history": None, "reason": None}
    ledger.add("coins_accepted", body)  # type: ignore[arg-type]
    assert set_aside(ledger, *every) == [False, False, False, True, False, True]


def test_our_own_small_change_is_not_set_aside() -> None:
    ledger = ledger_of()
    ledger.receive(1_000_000)
    proposal_id = ledger.propose(ledger.draft((OUTSIDE, 990_000), named=(owned_coins(ledger.state)[0].outpoint,)))
    final = ledger.finalize(proposal_id)
    ledger.mine(6, final)
    (change,) = owned_coins(ledger.state)
    assert change.value < SMALL
    assert not change.is_set_aside


def test_indexes_are_next_above_all_that_was_issued_reserved_or_seen() -> None:
    ledger = ledger_of()
    assert (next_index(ledger.state, Branch.RECEIVE), next_index(ledger.state, Branch.CHANGE)) == (0, 0)
    ledger.issue(0)
    assert next_index(ledger.state, Branch.RECEIVE) == 1
    ledger.receive(5_000_000, index=4)
    assert next_index(ledger.state, Branch.RECEIVE) == 5
    ledger.receive(5_000_000, index=2, branch=1)
    assert next_index(ledger.state, Branch.CHANGE) == 3
    ledger.propose(ledger.draft((OUTSIDE, 1_000_000)))
    assert next_index(ledger.state, Branch.CHANGE) == 4


@pytest.mark.parametrize("script_type", list(ScriptType))
def test_an_outflow_is_explained_by_its_proposal_or_a_person(script_type: ScriptType) -> None:
    ledger = ledger_of(script_type)
    mine, theirs = ledger.receive(5_000_000, 3_000_000)
    paid = ledger.finalize(ledger.propose(ledger.draft((OUTSIDE, 1_000_000), named=(mine,))))
    theft = ledger.spend_elsewhere(theirs)
    ledger.observe((paid, None), (theft, None))
    assert [one.transaction.txid for one in unexplained_outflows(ledger.state)] == [theft.txid]
    assert len(outflows(ledger.state)) == 2
    assert unexplained_outflows(ledger.state)[0].left_us == 3_000_000
    ledger.add("coins_accepted", {"outpoints": [], "txids": [theft.txid], "prior_history": None, "reason": "sweep"})
    assert unexplained_outflows(ledger.state) == ()


def test_a_changed_output_is_not_explained_by_the_proposal_whose_coins_it_spends() -> None:
    ledger = ledger_of()
    (coin,) = ledger.receive(5_000_000)
    final = ledger.finalize(ledger.propose(ledger.draft((OUTSIDE, 1_000_000))))
    diverted = replace(final, outputs=(replace(final.outputs[0], value=Sats(1)), *final.outputs[1:]))
    assert diverted.inputs[0].outpoint == coin
    ledger.mine(1, diverted)
    assert [one.transaction.txid for one in unexplained_outflows(ledger.state)] == [diverted.txid]


def test_a_block_counts_before_a_mempool_that_was_not_cleared_yet() -> None:
    ledger = ledger_of()
    (coin,) = ledger.receive(5_000_000)
    stale = ledger.spend_elsewhere(coin)
    ledger.mine(1, ledger.spend_elsewhere(coin, to=ledger.vault.deriver.at(1, 0).script_pubkey))
    ledger.observe((stale, None))
    assert coin not in {one.outpoint for one in owned_coins(ledger.state)}


def test_a_coin_at_a_place_that_the_vault_does_not_derive_is_an_altered_journal() -> None:
    ledger = ledger_of()
    script = ledger.vault.deriver.at(0, 3).script_pubkey
    ledger.mine(6, payment_from(5, [TxOutput(Sats(900_000), script)]))
    assert len(coins_of(ledger.state, ledger.vault)) == 1
    body = ledger.entries.pop().body
    assert isinstance(body["transactions"], list)
    row = body["transactions"][0]
    assert isinstance(row, dict)
    assert isinstance(row["outputs"], list)
    assert isinstance(row["outputs"][0], dict)
    row = {**row, "outputs": [{**row["outputs"][0], "index": 4}]}
    ledger.add("chain_observed", {**body, "transactions": [row]})
    assert len(known_outputs(fold(ledger.entries))) == 1
    with pytest.raises(Altered):
        coins_of(ledger.state, ledger.vault)
