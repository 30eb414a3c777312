"""Bumps, cancels and children: same payees, higher fees, always in conflict with what they replace."""

from dataclasses import replace

import pytest

from custody.audit.chain_view import owned_coins
from custody.bitcoin.amount import FeeRate, Sats
from custody.bitcoin.transaction import TxOutput
from custody.codes import Code
from custody.errors import Conflict
from custody.spend.bump import (
    INCREMENTAL_RELAY,
    Fresh,
    Replacement,
    eviction_findings,
    payee_findings,
    plan_bump,
    plan_cancel,
    plan_child,
)
from custody.spend.proposal import ProposalKind
from support.ledger import OUTSIDE, RATE, Ledger, nonce, payment_from
from support.vaults import make_vault

OTHER = "bcrt1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qzf4jry"
FRESH = Fresh(nonce(99), "2030-06-01T00:00:00Z", change_index=3)


def exported(*values: int, pay: int = 1_000_000) -> tuple[Ledger, Replacement]:
    """Return a journal with one exported payment, and what a replacement of it needs."""
    ledger = Ledger(make_vault())
    ledger.receive(*values)
    proposal_id = ledger.propose(ledger.draft((OUTSIDE, pay)))
    record = ledger.state.proposals[proposal_id]
    return ledger, Replacement((record.proposal,), frozenset({record.final_txid}))


def test_a_bump_pays_the_same_out_of_its_change() -> None:
    ledger, replacement = exported(5_000_000)
    original = replacement.newest
    bumped = ledger.draft_from(plan_bump(replacement, FeeRate(20_000), FRESH)).proposal
    assert bumped.kind is ProposalKind.BUMP
    assert bumped.destinations == original.destinations
    assert bumped.inputs == original.inputs
    assert bumped.replaces == original.proposal_id
    assert bumped.change[0].address == original.change[0].address
    assert bumped.change[0].value == original.change[0].value - (bumped.fee - original.fee)
    assert payee_findings(original, bumped) == ()


def test_a_bump_takes_further_confirmed_coins_where_change_is_too_small() -> None:
    ledger, replacement = exported(1_002_000, pay=1_000_000)
    assert replacement.newest.change == ()
    with pytest.raises(Conflict) as caught:
        ledger.draft_from(plan_bump(replacement, FeeRate(50_000), FRESH))
    assert caught.value.code is Code.INSUFFICIENT_FUNDS
    ledger.receive(400_000, deep=1)
    with pytest.raises(Conflict):
        ledger.draft_from(plan_bump(replacement, FeeRate(50_000), FRESH))
    ledger.mine(5)
    bumped = ledger.draft_from(plan_bump(replacement, FeeRate(50_000), FRESH)).proposal
    assert set(replacement.newest.inputs) < set(bumped.inputs)
    assert bumped.change[0].index == FRESH.change_index


def test_a_bump_pays_for_all_that_it_evicts_and_for_its_own_relay() -> None:
    ledger, replacement = exported(5_000_000)
    children = replace(replacement, descendant_fees=Sats(40_000))
    drafted = ledger.draft_from(plan_bump(children, FeeRate(5_001), FRESH))
    assert drafted.proposal.fee == replacement.newest.fee + 40_000 + INCREMENTAL_RELAY.fee_for(drafted.selection.vsize)


def test_a_bump_at_no_higher_rate_or_of_nothing_is_refused() -> None:
    ledger, replacement = exported(5_000_000)
    for rate in (RATE, FeeRate(1_000)):
        with pytest.raises(Conflict) as caught:
            plan_bump(replacement, rate, FRESH)
        assert caught.value.code is Code.NOT_BUMPABLE
    cancel = ledger.draft_from(plan_cancel(replacement, owned_coins(ledger.state), FeeRate(9_000), FRESH)).proposal
    with pytest.raises(Conflict):
        plan_bump(replace(replacement, chain=(replacement.newest, cancel)), FeeRate(50_000), FRESH)


def test_a_cancel_has_one_output_to_ourselves_and_conflicts() -> None:
    ledger, replacement = exported(600_000, 700_000, 650_000, pay=1_500_000)
    original = replacement.newest
    drafted = ledger.draft_from(plan_cancel(replacement, owned_coins(ledger.state), FeeRate(9_000), FRESH))
    cancel = drafted.proposal
    assert len(cancel.unsigned_transaction.outputs) == 1
    assert cancel.destinations == ()
    assert len(cancel.inputs) == 1
    assert set(cancel.inputs) < set(original.inputs)
    assert drafted.coins[0].value == 700_000
    assert cancel.fee > original.fee
    assert payee_findings(original, cancel) == ()
    ledger.psbt_of(drafted)


def test_a_cancel_conflicts_with_every_version() -> None:
    ledger, replacement = exported(1_002_000, pay=1_000_000)
    ledger.receive(9_000_000)
    bump = ledger.draft_from(plan_bump(replacement, FeeRate(50_000), FRESH))
    ledger.propose(bump)
    both = Replacement((replacement.newest, bump.proposal), replacement.final_txids | {bump.proposal.unsigned_txid})
    cancel = ledger.draft_from(
        replace(plan_cancel(both, owned_coins(ledger.state), FeeRate(9_000), FRESH), nonce=nonce(5))
    ).proposal
    assert set(cancel.inputs) == set(replacement.newest.inputs)
    assert cancel.fee > bump.proposal.fee
    with pytest.raises(Conflict) as caught:
        plan_cancel(both, (), FeeRate(9_000), FRESH)
    assert caught.value.code is Code.NOT_BUMPABLE


def test_a_child_lifts_its_stuck_parent_to_the_rate() -> None:
    ledger = Ledger(make_vault())
    ledger.receive(5_000_000)
    script = ledger.vault.deriver.at(0, 2).script_pubkey
    parent = payment_from(77, [TxOutput(Sats(800_000), script)])
    ledger.observe((parent, None))
    stuck = next(coin.outpoint for coin in owned_coins(ledger.state) if coin.height is None)
    rate = FeeRate(20_000)
    request = plan_child((stuck,), rate, FRESH, package_vsize=300, package_fee=Sats(300))
    drafted = ledger.draft_from(request)
    assert drafted.proposal.inputs == (stuck,)
    assert drafted.proposal.fee == rate.fee_for(300 + drafted.selection.vsize) - 300
    assert [change.index for change in drafted.proposal.change] == [3]
    # A parent that pays enough costs nothing more, and the child still reaches the rate alone.
    rich = ledger.draft_from(plan_child((stuck,), rate, FRESH, package_vsize=300, package_fee=Sats(90_000)))
    assert rich.proposal.fee == rate.fee_for(rich.selection.vsize)


def test_another_payee_in_a_replacement_is_refused() -> None:
    ledger, replacement = exported(5_000_000)
    original = replacement.newest
    bumped = ledger.draft_from(plan_bump(replacement, FeeRate(20_000), FRESH)).proposal
    other = ledger.draft_from(
        replace(
            plan_bump(replacement, FeeRate(20_000), FRESH),
            payees=(replace(plan_bump(replacement, FeeRate(20_000), FRESH).payees[0], address=OTHER),),
        )
    ).proposal
    assert [one.code for one in payee_findings(original, other)] == [Code.REPLACEMENT_CHANGES_PAYEE]
    assert payee_findings(other, bumped)
    ledger.receive(7_000_000)
    apart = ledger.draft((OUTSIDE, 1_000_000)).proposal
    assert not set(apart.inputs) & set(original.inputs)
    assert payee_findings(original, apart)


def test_every_evicted_transaction_is_named() -> None:
    found = eviction_findings(["cc" * 32, "aa" * 32, "bb" * 32], frozenset({"bb" * 32}))
    assert [one.where for one in found] == ["aa" * 32, "cc" * 32]
    assert {one.code for one in found} == {Code.EVICTS_TRANSACTIONS}
