"""Random histories: two live drafts never share a coin, replays agree, sums add up."""

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from custody.audit.chain_view import balance, owned_coins, unexplained_outflows
from custody.audit.fold import fold, fold_more
from custody.audit.proposal_state import HOLDING, LIVE, ON_CHAIN, proposal_states
from custody.bitcoin.transaction import OutPoint, Transaction
from custody.errors import Conflict
from support.ledger import OUTSIDE, Ledger
from support.vaults import make_vault

VAULT = make_vault()
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["receive", "draft", "hold", "withdraw", "mine", "finalize", "confirm", "freeze", "expire"]),
        st.integers(0, 7),
    ),
    min_size=4,
    max_size=14,
)


def play(ledger: Ledger, steps: list[tuple[str, int]]) -> None:
    """Do what can be done of each step; what can't is skipped, as a person would be refused."""
    finals: list[Transaction] = []
    for step, number in steps:
        open_ids = [
            proposal_id
            for proposal_id, record in ledger.state.proposals.items()
            if not record.withdrawn and record.final is None
        ]
        if step == "receive":
            ledger.receive(200_000 + number * 300_000, index=number % 5)
        elif step in ("draft", "hold"):
            with contextlib.suppress(Conflict):
                ledger.propose(ledger.draft((OUTSIDE, 100_000 + number * 250_000)), left=step == "draft")
        elif step == "mine":
            ledger.mine(1 + number)
        elif step == "expire":
            ledger.mine(2016)
        elif step == "withdraw" and open_ids:
            ledger.end(open_ids[number % len(open_ids)])
        elif step == "finalize":
            # As the workflow has it: what expired or was replaced is neither signed nor finalized.
            live = [proposal_id for proposal_id in open_ids if proposal_states(ledger.state)[proposal_id] in LIVE]
            if live:
                ledger.sign(live[number % len(live)], 0, 1)
                finals.append(ledger.finalize(live[number % len(live)]))
        elif step == "confirm" and finals:
            with contextlib.suppress(IndexError):
                ledger.mine(1 + number, finals.pop())
        elif step == "freeze":
            coins = owned_coins(ledger.state)
            if coins:
                outpoint = str(coins[number % len(coins)].outpoint)
                ledger.add("coins_frozen", {"outpoints": [outpoint], "reason": None})


@settings(max_examples=40, deadline=None)
@given(STEPS, st.integers(1, 40))
def test_histories_keep_every_promise(steps: list[tuple[str, int]], cut: int) -> None:
    ledger = Ledger(VAULT)
    ledger.receive(900_000, 1_500_000)
    play(ledger, steps)
    state = ledger.state
    # 1. A coin has one holder: nothing here replaces anything.
    holders: dict[OutPoint, str] = {}
    for proposal_id, proposal_state in proposal_states(state).items():
        if proposal_state in HOLDING | ON_CHAIN:
            for outpoint in state.proposals[proposal_id].proposal.inputs:
                assert holders.setdefault(outpoint, proposal_id) == proposal_id
    # 2. The fold doesn't care where it is cut.
    place = 1 + cut % len(ledger.entries)
    assert fold_more(fold(ledger.entries[:place]), ledger.entries[place:]) == state
    # 3. What came in and did not leave is what is there; nothing left without a proposal.
    sums = balance(state)
    came = sum(
        output.value
        for seen in state.transactions.values()
        if seen.height is not None
        for output in seen.outputs
        if output.place is not None
    )
    spent = sum(one.value for seen in state.transactions.values() if seen.height is not None for one in seen.inputs)
    assert sums.total == came - spent
    assert sums.spendable <= sums.total
    assert unexplained_outflows(state) == ()
