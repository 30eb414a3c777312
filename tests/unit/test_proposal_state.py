"""Where proposals stand: every state of the design, and what each still holds."""

import pytest

from custody.audit.chain_view import next_index, owned_coins
from custody.audit.proposal_state import (
    ProposalState,
    holders_of_coins,
    other_holders,
    prior_payments,
    proposal_states,
    signing_progress,
    state_of,
)
from custody.bitcoin.amount import FeeRate
from custody.bitcoin.descriptor import Branch, ScriptType
from custody.bitcoin.transaction import OutPoint
from custody.codes import Code
from custody.errors import Conflict
from custody.spend.bump import Fresh, Replacement, plan_bump, plan_cancel
from custody.spend.expiry import DEFAULT_LIFETIME_S, expiry_after
from support.ledger import BLOCK_S, OUTSIDE, Ledger, block_hash, nonce
from support.vaults import make_vault

LIFETIME_BLOCKS = DEFAULT_LIFETIME_S // BLOCK_S
BOTH = pytest.mark.parametrize("script_type", list(ScriptType))


def funded(*values: int, script_type: ScriptType = ScriptType.WSH_SORTEDMULTI) -> Ledger:
    ledger = Ledger(make_vault(script_type=script_type))
    ledger.receive(*(values or (5_000_000,)))
    return ledger


def now(ledger: Ledger, proposal_id: str) -> str:
    state = ledger.state
    return str(state_of(state, state.proposals[proposal_id]))


def held(ledger: Ledger) -> set[OutPoint]:
    return set(holders_of_coins(ledger.state))


def replacement_of(ledger: Ledger, *proposal_ids: str) -> Replacement:
    records = [ledger.state.proposals[proposal_id] for proposal_id in proposal_ids]
    return Replacement(tuple(one.proposal for one in records), frozenset(one.final_txid for one in records))


def fresh(ledger: Ledger, number: int) -> Fresh:
    return Fresh(nonce(number), expiry_after(ledger.mtp()), next_index(ledger.state, Branch.CHANGE))


def bump(ledger: Ledger, *proposal_ids: str, rate: int = 20_000, left: bool = True) -> str:
    request = plan_bump(replacement_of(ledger, *proposal_ids), FeeRate(rate), fresh(ledger, 500 + rate))
    return ledger.propose(ledger.draft_from(request), left=left)


@BOTH
def test_a_payment_goes_from_draft_to_confirmed_and_back_in_a_reorganization(script_type: ScriptType) -> None:
    ledger = funded(script_type=script_type)
    one = ledger.propose(ledger.draft((OUTSIDE, 1_000_000)))
    seen = [now(ledger, one)]
    ledger.sign(one, 0)
    seen.append(now(ledger, one))
    ledger.sign(one, 2)
    seen.append(now(ledger, one))
    final = ledger.finalize(one)
    seen.append(now(ledger, one))
    ledger.broadcast(one, final)
    seen.append(now(ledger, one))
    ledger.mine(5, final)
    mined = ledger.height - 4
    seen.append(now(ledger, one))
    ledger.mine(1)
    seen.append(now(ledger, one))
    assert seen == ["draft", "signing", "signed", "finalized", "broadcast", "mined", "confirmed"]
    ledger.fork = 1
    ledger.observe((final, None), vanished=(block_hash(mined),))
    assert now(ledger, one) == "broadcast"
    assert held(ledger) == set(ledger.state.proposals[one].proposal.inputs)


@BOTH
def test_a_transaction_seen_on_the_chain_closes_its_proposal_whoever_sent_it(script_type: ScriptType) -> None:
    ledger = funded(script_type=script_type)
    one = ledger.propose(ledger.draft((OUTSIDE, 1_000_000)))
    final = ledger.finalize(one)
    ledger.entries.pop()  # the journal never heard of it
    ledger.end(one)
    ledger.observe((final, None))
    assert now(ledger, one) == "broadcast"
    ledger.mine(6, final)
    assert now(ledger, one) == "confirmed"


def test_what_never_left_comes_free_when_it_ends() -> None:
    for how, state in (("withdrawn", "withdrawn"), ("rejected", "rejected"), ("expiry", "expired")):
        ledger = funded()
        one = ledger.propose(ledger.draft((OUTSIDE, 1_000_000)), left=False)
        assert len(held(ledger)) == 1
        assert next_index(ledger.state, Branch.CHANGE) == 1
        if how == "expiry":
            ledger.mine(LIFETIME_BLOCKS - 1)
            assert now(ledger, one) == "draft"
            ledger.mine(1)
        else:
            ledger.end(one, how)
        assert now(ledger, one) == state
        assert held(ledger) == set()
        assert next_index(ledger.state, Branch.CHANGE) == 0
        assert prior_payments(ledger.state, OUTSIDE) == ()
        assert ledger.draft((OUTSIDE, 1_000_000))


@pytest.mark.parametrize("how", ["withdrawn", "rejected", "expiry"])
def test_what_left_stays_spendable_until_a_conflict_is_six_deep(how: str) -> None:
    ledger = funded(5_000_000, 7_000_000)
    one = ledger.propose(ledger.draft((OUTSIDE, 1_000_000)))
    (coin,) = ledger.state.proposals[one].proposal.inputs
    if how == "expiry":
        ledger.mine(LIFETIME_BLOCKS)
    else:
        ledger.end(one, how)
    assert now(ledger, one) == "still-spendable"
    assert held(ledger) == {coin}
    assert next_index(ledger.state, Branch.CHANGE) == 1
    assert prior_payments(ledger.state, OUTSIDE) == (one,)
    assert prior_payments(ledger.state, OUTSIDE.upper()) == (one,)
    assert prior_payments(ledger.state, ledger.vault.first_address) == ()
    rival = ledger.spend_elsewhere(coin)
    ledger.mine(5, rival)
    assert now(ledger, one) == "still-spendable"
    ledger.mine(1)
    assert now(ledger, one) == "void"
    assert held(ledger) == set()
    assert next_index(ledger.state, Branch.CHANGE) == 0


def test_a_coin_spent_elsewhere_voids_a_draft_that_never_left() -> None:
    ledger = funded()
    one = ledger.propose(ledger.draft((OUTSIDE, 1_000_000)), left=False)
    rival = ledger.spend_elsewhere(*ledger.state.proposals[one].proposal.inputs)
    ledger.observe((rival, None))
    assert now(ledger, one) == "draft"  # a mempool can lose it again
    ledger.mine(1, rival)
    assert now(ledger, one) == "void"


def test_a_broadcast_payment_that_is_no_longer_seen_is_still_spendable_at_its_expiry() -> None:
    ledger = funded()
    one = ledger.propose(ledger.draft((OUTSIDE, 1_000_000)))
    final = ledger.finalize(one)
    ledger.broadcast(one, final)
    ledger.observe((final, None))
    ledger.mine(LIFETIME_BLOCKS)
    assert now(ledger, one) == "broadcast"
    ledger.observe(gone=(final.txid,))
    assert now(ledger, one) == "still-spendable"
    assert prior_payments(ledger.state, OUTSIDE) == (one,)


def test_a_bump_lives_beside_its_original_in_the_mempool_and_replaces_it_when_buried() -> None:
    ledger = funded()
    one = ledger.propose(ledger.draft((OUTSIDE, 1_000_000)))
    final = ledger.finalize(one)
    ledger.broadcast(one, final)
    ledger.observe((final, None))
    two = bump(ledger, one, left=False)
    assert (now(ledger, one), now(ledger, two)) == ("broadcast", "draft")
    ledger.add("proposal_left", {"proposal_id": two, "how": "export"})
    ledger.sign(two, 0, 1)
    assert now(ledger, two) == "signed"
    better = ledger.finalize(two)
    ledger.broadcast(two, better)
    ledger.observe((better, None), gone=(final.txid,))
    assert (now(ledger, one), now(ledger, two)) == ("still-spendable", "broadcast")
    ledger.mine(1, better)
    assert (now(ledger, one), now(ledger, two)) == ("still-spendable", "mined")
    ledger.mine(5)
    assert (now(ledger, one), now(ledger, two)) == ("replaced", "confirmed")
    assert held(ledger) == set()


def test_when_the_original_wins_its_bump_is_void() -> None:
    ledger = funded()
    one = ledger.propose(ledger.draft((OUTSIDE, 1_000_000)))
    two, final = bump(ledger, one), ledger.finalize(one)
    ledger.mine(5, final)
    assert (now(ledger, one), now(ledger, two)) == ("mined", "still-spendable")
    ledger.mine(1)
    assert (now(ledger, one), now(ledger, two)) == ("confirmed", "void")


def test_a_bump_that_ended_before_it_left_replaces_nothing() -> None:
    ledger = funded()
    one = ledger.propose(ledger.draft((OUTSIDE, 1_000_000)))
    two = bump(ledger, one, left=False)
    assert now(ledger, one) == "still-spendable"
    ledger.end(two)
    assert (now(ledger, one), now(ledger, two)) == ("draft", "withdrawn")


def test_a_draft_that_never_left_is_replaced_at_once() -> None:
    ledger = funded()
    one = ledger.propose(ledger.draft((OUTSIDE, 1_000_000)), left=False)
    two = bump(ledger, one, left=False)
    assert (now(ledger, one), now(ledger, two)) == ("replaced", "draft")


def test_a_cancel_replaces_every_version_when_buried() -> None:
    ledger = funded(5_000_000, 4_000_000, 3_000_000)
    one = ledger.propose(ledger.draft((OUTSIDE, 8_000_000)))
    two = bump(ledger, one)
    request = plan_cancel(
        replacement_of(ledger, one, two), owned_coins(ledger.state), FeeRate(30_000), fresh(ledger, 77)
    )
    three = ledger.propose(ledger.draft_from(request))
    ledger.mine(6, ledger.finalize(three))
    assert [now(ledger, each) for each in (one, two, three)] == ["replaced", "replaced", "confirmed"]
    assert held(ledger) == set()


def test_held_coins_are_refused_by_name_and_two_drafts_never_share_one() -> None:
    ledger = funded(2_000_000, 2_000_000, 2_000_000)
    taken: set[OutPoint] = set()
    for _number in range(3):
        proposal_id = ledger.propose(ledger.draft((OUTSIDE, 1_000_000)))
        inputs = set(ledger.state.proposals[proposal_id].proposal.inputs)
        assert not taken & inputs
        taken |= inputs
    with pytest.raises(Conflict) as caught:
        ledger.draft((OUTSIDE, 1_000_000))
    assert caught.value.code is Code.INSUFFICIENT_FUNDS
    with pytest.raises(Conflict) as named:
        ledger.draft((OUTSIDE, 1_000_000), named=(min(taken, key=str),))
    assert named.value.code is Code.COIN_RESERVED
    indexes = [record.proposal.change[0].index for record in ledger.state.proposals.values()]
    assert indexes == [0, 1, 2]


def test_a_reorganization_that_brings_back_a_rival_draft_is_noticed_before_it_leaves() -> None:
    ledger = funded(5_000_000, 4_000_000)
    one = ledger.propose(ledger.draft((OUTSIDE, 8_000_000)), left=False)
    first, second = ledger.state.proposals[one].proposal.inputs
    ledger.mine(1, ledger.spend_elsewhere(first))
    lost = block_hash(ledger.height)
    assert now(ledger, one) == "void"
    two = ledger.propose(ledger.draft((OUTSIDE, 1_000_000), named=(second,)))
    assert other_holders(ledger.state, ledger.state.proposals[two]) == ()
    ledger.fork = 1
    ledger.observe(vanished=(lost,))
    assert now(ledger, one) == "draft"
    assert other_holders(ledger.state, ledger.state.proposals[one]) == (two,)


def test_bumps_are_no_strangers_to_each_other_s_coins() -> None:
    ledger = funded()
    one = ledger.propose(ledger.draft((OUTSIDE, 1_000_000)))
    two = bump(ledger, one)
    for each in (one, two):
        assert other_holders(ledger.state, ledger.state.proposals[each]) == ()


@BOTH
def test_progress_names_cosigners_by_the_keys_of_each_input(script_type: ScriptType) -> None:
    ledger = funded(600_000, 700_000, script_type=script_type)
    one = ledger.propose(ledger.draft((OUTSIDE, 1_000_000)))
    record = ledger.state.proposals[one]
    assert signing_progress(record, ledger.vault).missing == 2
    ledger.sign(one, 0)
    keys = ledger.vault.deriver.at(0, 0).key_by_cosigner
    partial = {"input": 1, "public_key": keys[2].hex(), "signature": "30" * 70 + "01"}
    stranger = {"input": 0, "public_key": "02" + "11" * 32, "signature": "30" * 70 + "01"}
    ledger.add("signatures_added", {"proposal_id": one, "source": "file", "signatures": [partial, stranger]})
    progress = signing_progress(ledger.state.proposals[one], ledger.vault)
    names = [cosigner.name for cosigner in ledger.vault.cosigners]
    assert progress.per_input == ((names[0],), (names[0], names[2]))
    assert (progress.signed, progress.missing) == ((names[0],), 1)


def test_every_state_has_a_test_above() -> None:
    source = "draft signing signed finalized broadcast mined confirmed expired withdrawn rejected replaced void"
    assert {str(state) for state in ProposalState} == {*source.split(), "still-spendable"}
    assert proposal_states(Ledger(make_vault()).state) == {}
