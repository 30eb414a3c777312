"""What the policy is told: which outputs are ours, what an address will hold, what a window counts and until when."""

from typing import Any

import pytest

from custody.audit.spend_facts import coin_label, history_of, request_of
from custody.audit.state import ProposalRecord
from custody.bitcoin.amount import FeeRate
from custody.people.allowlist import AllowEntry
from custody.people.change import ChangeKind, Payload
from custody.people.statement import StatementKind
from custody.policy.decision import Decision, Gate
from custody.policy.load import load_policy
from custody.spend.coin_selection import FeeTarget
from custody.spend.expiry import parse_time
from custody.spend.proposal import ProposalKind
from custody.workflow.decide import approvals_of, decision_on, start_that_counts
from support.governed import GovernedLedger, officer, policy_text, simulated_vault
from support.ledger import OUTSIDE, OUTSIDE_SCRIPT
from support.vaults import make_vault

DAY = 144


@pytest.fixture
def ledger() -> GovernedLedger:
    founded = GovernedLedger(make_vault())
    founded.mine(1)
    founded.found(policy_text(governance_waiting="0h", unlisted="routine"))
    return founded


def proposed(ledger: GovernedLedger, *payees: tuple[str, int | None], left: bool = True, **changes: Any) -> str:
    policy = ledger.gov.policy
    assert policy is not None
    draft = ledger.draft(*payees, policy_digest=policy.digest, drafter="dora", **changes)
    proposal_id = ledger.propose(draft, left=left)
    ledger.sign_proposal(proposal_id, StatementKind.PROPOSE, "dora")
    return proposal_id


def record_of(ledger: GovernedLedger, proposal_id: str) -> ProposalRecord:
    return ledger.state.proposals[proposal_id]


def test_a_request_is_what_the_transaction_does(ledger: GovernedLedger) -> None:
    ledger.receive(3_000_000, 4_000_000)
    ledger.carry(ChangeKind.ALLOW, Payload(entry=AllowEntry("grantee", OUTSIDE, None, None)), "ann", "bo")
    proposal_id = proposed(ledger, (OUTSIDE, 5_000_000))
    record = record_of(ledger, proposal_id)
    request = request_of(ledger.state, ledger.vault, record, record.statements)
    assert [(one.address, one.value, one.entry) for one in request.payees] == [(OUTSIDE, 5_000_000, "grantee")]
    assert request.payees[0].usable_from == ledger.gov.allowlist["grantee"].usable_from
    (change,) = record.proposal.change
    (own,) = request.own_outputs
    assert (own.address, own.value, own.was_used, own.balance_after) == (
        change.address,
        change.value,
        False,
        change.value,
    )
    assert sum(one.value for one in request.inputs) == 7_000_000
    assert {one.confirmations for one in request.inputs} == {6}
    assert (request.fee, request.amount) == (record.proposal.fee, 5_000_000 + record.proposal.fee)
    assert (request.drafter, request.group, request.replaced_fee) == ("dora", proposal_id, None)
    assert request.signals_replacement and not request.signing_began and not request.replaced_was_approved
    assert request.locktime == record.proposal.unsigned_transaction.locktime
    assert request.expires == parse_time(record.proposal.expires)


def test_an_own_destination_is_an_own_output_and_its_address_may_be_used(ledger: GovernedLedger) -> None:
    ledger.receive(3_000_000, index=2)
    (coin,) = ledger.receive(4_000_000, index=3)
    own = ledger.vault.address_at(0, 2)
    proposal_id = proposed(ledger, (own, 1_000_000), kind=ProposalKind.INTERNAL, named=(coin,))
    request = request_of(
        ledger.state, ledger.vault, record_of(ledger, proposal_id), record_of(ledger, proposal_id).statements
    )
    assert request.payees == ()
    used = {one.address: (one.was_used, one.balance_after) for one in request.own_outputs}
    assert used[own] == (True, 4_000_000)


def test_a_frozen_or_labelled_coin_is_told_as_such(ledger: GovernedLedger) -> None:
    (coin,) = ledger.receive(3_000_000)
    proposal_id = proposed(ledger, (OUTSIDE, 1_000_000))
    ledger.add("coins_frozen", {"outpoints": [str(coin)], "reason": None})
    (told,) = request_of(
        ledger.state, ledger.vault, record_of(ledger, proposal_id), record_of(ledger, proposal_id).statements
    ).inputs
    assert (told.is_frozen, told.label) == (True, None)
    assert coin_label(ledger.state, coin, 0, 0) is None

    def label(kind: str, ref: str, text: str) -> None:
        ledger.add("label_set", {"type": kind, "ref": ref, "label": text, "origin": None, "spendable": None})

    label("tx", coin.txid, "transaction")
    assert coin_label(ledger.state, coin, 0, 0) == "transaction"
    ledger.issue(0, "handed out")
    assert coin_label(ledger.state, coin, 0, 0) == "handed out"
    assert coin_label(ledger.state, coin, 1, 0) == "transaction"
    label("addr", ledger.vault.address_at(0, 0), "address")
    assert coin_label(ledger.state, coin, 0, 0) == "address"
    label("output", str(coin), "coin")
    assert coin_label(ledger.state, coin, 0, 0) == "coin"


def spends(ledger: GovernedLedger, asked: str) -> list[tuple[str, int, int, int | None]]:
    history = history_of(ledger.state, record_of(ledger, asked), ())
    return [(one.group, one.amount, one.since, one.ended) for one in history.spends]


def test_a_window_counts_from_the_first_approval_until_the_first_block(ledger: GovernedLedger) -> None:
    ledger.receive(5_000_000, 5_000_000, 5_000_000)
    first = proposed(ledger, (OUTSIDE, 1_000_000))
    asked = proposed(ledger, (OUTSIDE, 2_000_000), left=False)
    assert spends(ledger, asked) == []
    ledger.mine(3)
    approved_at = ledger.gov.time
    ledger.sign_proposal(first, StatementKind.APPROVE, "ann")
    ledger.mine(3)
    ledger.sign_proposal(first, StatementKind.APPROVE, "bo")
    amount = 1_000_000 + record_of(ledger, first).proposal.fee
    assert spends(ledger, asked) == [(first, amount, approved_at, None)]
    ledger.sign(first, 0, 2)
    final = ledger.finalize(first)
    ledger.broadcast(first, final)
    assert spends(ledger, asked) == [(first, amount, approved_at, None)]
    ledger.mine(1, final)
    mined_at = ledger.gov.time
    ledger.mine(10)
    assert spends(ledger, asked) == [(first, amount, approved_at, mined_at)]


def test_what_never_left_ends_with_its_expiry_or_withdrawal(ledger: GovernedLedger) -> None:
    ledger.receive(5_000_000, 5_000_000, 5_000_000)
    held = proposed(ledger, (OUTSIDE, 1_000_000), left=False)
    ended = proposed(ledger, (OUTSIDE, 1_100_000), left=False)
    asked = proposed(ledger, (OUTSIDE, 2_000_000))
    for one in (held, ended):
        ledger.sign_proposal(one, StatementKind.APPROVE, "ann")
    since = ledger.gov.time
    ledger.mine(5)
    ledger.end(ended)
    withdrawn_at = ledger.gov.time
    ledger.mine(15 * DAY)
    told = {group: (since, end) for group, _amount, since, end in spends(ledger, asked)}
    assert told == {
        held: (since, parse_time(record_of(ledger, held).proposal.expires)),
        ended: (since, withdrawn_at),
    }


def test_what_left_counts_until_a_rival_is_buried(ledger: GovernedLedger) -> None:
    (coin,) = ledger.receive(5_000_000)
    ledger.receive(5_000_000)
    lost = proposed(ledger, (OUTSIDE, 1_000_000), named=(coin,))
    ledger.sign_proposal(lost, StatementKind.APPROVE, "ann")
    asked = proposed(ledger, (OUTSIDE, 2_000_000), left=False)
    ledger.end(lost)
    assert [one[3] for one in spends(ledger, asked)] == [None]
    rival = ledger.spend_elsewhere(coin)
    ledger.mine(1, rival)
    seen_at = ledger.gov.time
    assert [one[3] for one in spends(ledger, asked)] == [None]
    ledger.mine(6)
    assert [one[3] for one in spends(ledger, asked)] == [seen_at]
    history = history_of(ledger.state, record_of(ledger, asked), ())
    assert [(one.amount, one.time) for one in history.outflows] == [(5_000_000, seen_at)]


def test_an_outflow_counts_whether_somebody_accepted_it_or_not(ledger: GovernedLedger) -> None:
    (coin,) = ledger.receive(5_000_000)
    ledger.receive(5_000_000)
    asked = proposed(ledger, (OUTSIDE, 1_000_000), named=(ledger.receive(6_000_000)[0],))
    stolen = ledger.spend_elsewhere(coin, to=OUTSIDE_SCRIPT)
    ledger.mine(1, stolen)
    body: Any = {"outpoints": [], "txids": [stolen.txid], "prior_history": None, "reason": "explained"}
    ledger.add("coins_accepted", body)
    history = history_of(ledger.state, record_of(ledger, asked), ())
    assert [one.amount for one in history.outflows] == [5_000_000]


def test_on_the_chain_without_an_approval_counts_from_when_it_was_seen(ledger: GovernedLedger) -> None:
    ledger.receive(5_000_000, 5_000_000)
    unapproved = proposed(ledger, (OUTSIDE, 1_000_000))
    asked = proposed(ledger, (OUTSIDE, 2_000_000))
    ledger.sign(unapproved, 0, 2)
    final = ledger.finalize(unapproved)
    ledger.mine(1, final)
    ((group, _amount, since, end),) = spends(ledger, asked)
    assert (group, since, end) == (unapproved, ledger.gov.time, ledger.gov.time)


def test_a_move_to_ourselves_counts_its_fee_alone(ledger: GovernedLedger) -> None:
    ledger.receive(5_000_000, 5_000_000)
    own = ledger.vault.address_at(0, 4)
    move = proposed(ledger, (own, 1_000_000), kind=ProposalKind.INTERNAL)
    ledger.sign_proposal(move, StatementKind.APPROVE, "ann")
    asked = proposed(ledger, (OUTSIDE, 2_000_000))
    assert [one[1] for one in spends(ledger, asked)] == [record_of(ledger, move).proposal.fee]


@pytest.fixture
def signable() -> GovernedLedger:
    """As `ledger`, with keys that simulated devices hold."""
    founded = GovernedLedger(simulated_vault())
    founded.mine(1)
    founded.found(policy_text(governance_waiting="0h", unlisted="routine"))
    return founded


def test_a_revocation_voids_an_approval_until_a_device_has_signed(signable: GovernedLedger) -> None:
    ledger = signable
    ledger.receive(5_000_000, 5_000_000)
    ledger.carry(ChangeKind.ENROL, Payload(officers=(officer("dan", "approver"),)), "ann", "bo")
    early, late = proposed(ledger, (OUTSIDE, 1_000_000)), proposed(ledger, (OUTSIDE, 1_100_000))
    for one in (early, late):
        ledger.sign_proposal(one, StatementKind.APPROVE, "dan", "ann")
    ledger.sign_really(early, 1)
    ledger.sign(late, 0)  # a signature that nobody made
    ledger.carry(ChangeKind.REVOKE, Payload(name="dan"), "ann", "bo")
    assert start_that_counts(ledger.state, ledger.vault, record_of(ledger, early)) is not None
    assert start_that_counts(ledger.state, ledger.vault, record_of(ledger, late)) is None
    assert approvals(ledger, early) == (("dan", "ann"), ())
    assert approvals(ledger, late) == (("ann",), ("dan",))
    told = decision_on(ledger.state, ledger.vault, record_of(ledger, late), Gate.SIGN)
    assert [one.rule for one in told.missing] == ["payment.tiers.routine.approvals"]


def approvals(ledger: GovernedLedger, proposal_id: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return approvals_of(ledger.state, ledger.vault, record_of(ledger, proposal_id))


def test_an_approval_after_a_devices_signature_is_voided_by_a_revocation_all_the_same(signable: GovernedLedger) -> None:
    ledger = signable
    ledger.receive(5_000_000)
    ledger.carry(ChangeKind.ENROL, Payload(officers=(officer("dan", "approver"),)), "ann", "bo")
    early = proposed(ledger, (OUTSIDE, 1_000_000))
    ledger.sign_really(early, 2)
    ledger.sign_proposal(early, StatementKind.APPROVE, "dan")
    ledger.carry(ChangeKind.REVOKE, Payload(name="dan"), "ann", "bo")
    assert approvals(ledger, early) == ((), ("dan",))


def test_who_signs_early_ends_no_waiting_time(signable: GovernedLedger) -> None:
    ledger = signable
    ledger.carry(
        ChangeKind.ADOPT,
        Payload(policy=load_policy(policy_text(2, waiting="6h", unlisted="routine")).to_document()),
        "ann",
        "bo",
    )
    ledger.receive(5_000_000, 5_000_000)
    hasty, patient = proposed(ledger, (OUTSIDE, 1_000_000)), proposed(ledger, (OUTSIDE, 1_000_000))
    for one in (hasty, patient):
        ledger.sign_proposal(one, StatementKind.APPROVE, "ann", "bo")
    ledger.sign_really(hasty, 1)

    def decision(proposal_id: str) -> Decision:
        return decision_on(ledger.state, ledger.vault, record_of(ledger, proposal_id), Gate.SIGN)

    assert [one.rule for one in decision(hasty).missing] == ["payment.tiers.routine.waiting"]
    ledger.mine(6 * 6)
    ledger.sign_really(patient, 1)
    assert decision(hasty).is_allowed and decision(patient).is_allowed


def test_a_bump_may_lean_on_what_was_signed_under_its_own_approvals(signable: GovernedLedger) -> None:
    ledger = signable
    ledger.receive(5_000_000)
    first = proposed(ledger, (OUTSIDE, 1_000_000))
    record = record_of(ledger, first)

    def bump(value: int, **changes: Any) -> str:
        return proposed(
            ledger,
            (OUTSIDE, value),
            kind=ProposalKind.BUMP,
            replaces=first,
            replaces_txid=record.final_txid,
            replaced=frozenset({first, *ledger.state.proposals}),
            named=record.proposal.inputs,
            fee=FeeTarget(FeeRate(20_000)),
            **changes,
        )

    def rules(proposal_id: str) -> list[str]:
        told = decision_on(ledger.state, ledger.vault, record_of(ledger, proposal_id), Gate.SIGN)
        return [one.rule for one in told.missing]

    second = bump(1_000_000)
    ledger.sign_proposal(second, StatementKind.APPROVE, "ann")
    assert rules(second) == ["payment.tiers.routine.approvals"]
    ledger.sign(first, 0)  # a signature that nobody made
    assert rules(second) == ["payment.tiers.routine.approvals"]
    ledger.sign_proposal(first, StatementKind.APPROVE, "ann", "bo")
    ledger.sign_really(first, 3)
    assert rules(second) == []


def test_a_device_that_signs_before_the_approvals_lets_no_bump_lean_on_it(signable: GovernedLedger) -> None:
    ledger = signable
    ledger.receive(5_000_000)
    first = proposed(ledger, (OUTSIDE, 1_000_000))
    ledger.sign_really(first, 1)
    assert start_that_counts(ledger.state, ledger.vault, record_of(ledger, first)) is None


def test_a_revoked_drafters_draft_waits_for_nobody_any_more(signable: GovernedLedger) -> None:
    ledger = signable
    ledger.carry(ChangeKind.ENROL, Payload(officers=(officer("dirk", "drafter"),)), "ann", "bo")
    ledger.receive(5_000_000)
    proposal_id = proposed(ledger, (OUTSIDE, 1_000_000))
    ledger.sign_proposal(proposal_id, StatementKind.APPROVE, "ann", "bo")
    ledger.carry(ChangeKind.REVOKE, Payload(name="dora"), "ann", "bo")
    told = decision_on(ledger.state, ledger.vault, record_of(ledger, proposal_id), Gate.SIGN)
    assert [one.rule for one in told.missing] == ["drafter"]
