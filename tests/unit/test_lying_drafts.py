"""What an officer who can append writes into a draft's entry: each lie of the hostile review, and what it brings."""

from dataclasses import replace
from typing import Any

import pytest

from custody.audit.chain_view import known_outputs, next_index
from custody.audit.spend_facts import history_of, request_of
from custody.audit.state import ProposalRecord
from custody.bitcoin.amount import FeeRate
from custody.bitcoin.descriptor import Branch
from custody.bitcoin.transaction import OutPoint
from custody.people.change import ChangeKind, Payload
from custody.people.statement import StatementKind
from custody.policy.decision import Decision, Gate
from custody.policy.load import load_policy
from custody.spend.coin_selection import FeeTarget
from custody.spend.draft import Draft
from custody.spend.proposal import ChangeOutput, ProposalKind
from custody.workflow.decide import approvals_of, decision_on, unapproved_outflows
from custody.workflow.sync_coins import window_of
from support.governed import GovernedLedger, officer, policy_text, simulated_vault
from support.ledger import OUTSIDE
from support.rehearsal import stranger

DAY_LIMIT = "0.06btc"


@pytest.fixture
def ledger() -> GovernedLedger:
    """A vault of simulated devices, with six coins of 0.05 BTC; a day lets 0.06 BTC out."""
    founded = GovernedLedger(simulated_vault())
    founded.mine(1)
    founded.found(policy_text(unlisted="routine", governance_waiting="0h", day=DAY_LIMIT))
    founded.receive(*[5_000_000] * 6)
    return founded


def drafted(ledger: GovernedLedger, *payees: tuple[str, int | None], **changes: Any) -> Draft:
    policy = ledger.gov.policy
    assert policy is not None
    return ledger.draft(*payees, policy_digest=policy.digest, drafter="dora", **changes)


def proposed(ledger: GovernedLedger, *payees: tuple[str, int | None], **changes: Any) -> str:
    proposal_id = ledger.propose(drafted(ledger, *payees, **changes))
    ledger.sign_proposal(proposal_id, StatementKind.PROPOSE, "dora")
    return proposal_id


def record_of(ledger: GovernedLedger, proposal_id: str) -> ProposalRecord:
    return ledger.state.proposals[proposal_id]


def decision(ledger: GovernedLedger, proposal_id: str, gate: Gate = Gate.SIGN) -> Decision:
    return decision_on(ledger.state, ledger.vault, record_of(ledger, proposal_id), gate)


def assert_counts_for_nothing(ledger: GovernedLedger, draft: Draft, words: str) -> None:
    """Append the draft and what would follow it; nothing of it is there, and each entry is listed."""
    known = len(ledger.gov.disregarded)
    proposal_id = ledger.propose(draft)
    assert proposal_id not in ledger.state.proposals
    told = [one.words for one in ledger.gov.disregarded[known:]]
    assert words in told[0]
    assert "about a draft that counts for nothing" in told[1]


def test_a_thiefs_output_is_no_change(ledger: GovernedLedger) -> None:
    draft = drafted(ledger, (OUTSIDE, 1_000_000), (stranger(66), 3_000_000))
    kept, stolen = draft.proposal.destinations
    lie = ChangeOutput(1, 0, stolen.address, stolen.value)
    proposal = replace(draft.proposal, destinations=(kept,), change=(*draft.proposal.change, lie))
    body: Any = {
        "proposal_id": proposal.proposal_id,
        "proposal": proposal.to_document(),
        "psbt": ledger.psbt_of(draft).to_base64(),
        "acknowledged": [],
        "second_payment": False,
    }
    ledger.add("proposal_drafted", body)
    assert ledger.state.proposals == {}
    assert "what it calls change is not the vault's" in ledger.gov.disregarded[-1].words


def test_change_goes_to_the_next_index_and_not_out_of_sight(ledger: GovernedLedger) -> None:
    draft = drafted(ledger, (OUTSIDE, 1_000_000), change_index=5_000)
    assert_counts_for_nothing(ledger, draft, "change goes to index 5000, the next one is 0")
    assert next_index(ledger.state, Branch.CHANGE) == 0


def test_an_address_far_ahead_is_not_handed_out(ledger: GovernedLedger) -> None:
    ledger.issue(60_000)
    assert "hands out index 60000" in ledger.gov.disregarded[-1].words
    assert next_index(ledger.state, Branch.RECEIVE) == 1


def test_the_watched_window_reaches_above_every_draft(ledger: GovernedLedger) -> None:
    assert window_of(ledger.state) == (1_000, 1_000)
    assert window_of(replace(ledger.state, highest=(1_500, 4_000))) == (1_701, 4_201)


@pytest.mark.parametrize("kind", [ProposalKind.INTERNAL, ProposalKind.CANCEL])
def test_what_pays_somebody_is_no_move_to_ourselves(ledger: GovernedLedger, kind: ProposalKind) -> None:
    assert_counts_for_nothing(ledger, drafted(ledger, (OUTSIDE, 1_000_000), kind=kind), "pays somebody")


def test_a_cancel_cancels_something(ledger: GovernedLedger) -> None:
    assert_counts_for_nothing(ledger, drafted(ledger, kind=ProposalKind.CANCEL), "a cancel replaces nothing")


def replacing(ledger: GovernedLedger, proposal_id: str, kind: ProposalKind, *payees: Any, **changes: Any) -> Draft:
    record = record_of(ledger, proposal_id)
    fields = {"replaces": proposal_id, "replaces_txid": record.final_txid, "replaced": frozenset({proposal_id})}
    return drafted(ledger, *payees, kind=kind, fee=FeeTarget(FeeRate(20_000)), **{**fields, **changes})


def other_coin(ledger: GovernedLedger, proposal_id: str) -> OutPoint:
    taken = set(record_of(ledger, proposal_id).proposal.inputs)
    return next(one for one in known_outputs(ledger.state) if one not in taken)


def test_a_replacement_replaces_what_it_says(ledger: GovernedLedger) -> None:
    first = proposed(ledger, (OUTSIDE, 1_000_000))
    other = (other_coin(ledger, first),)
    own = record_of(ledger, first).proposal.inputs
    bump, cancel = ProposalKind.BUMP, ProposalKind.CANCEL
    for draft, words in (
        (replacing(ledger, first, bump, (OUTSIDE, 1_000_000), named=other), "shares no coin"),
        (replacing(ledger, first, bump, (OUTSIDE, 1_100_000), named=own), "pays others"),
        (replacing(ledger, first, cancel, named=other), "spends a coin that what it cancels doesn't"),
        (replacing(ledger, first, cancel, named=(*own, *other)), "spends a coin that what it cancels doesn't"),
        (replacing(ledger, first, bump, (OUTSIDE, 1_000_000), named=own, replaces_txid="ab" * 32), "the txid"),
        (replacing(ledger, first, bump, (OUTSIDE, 1_000_000), named=own, replaces_txid=None), "doesn't say which"),
        (drafted(ledger, (OUTSIDE, 900_000), replaces_txid="ab" * 32), "and no proposal"),
    ):
        assert_counts_for_nothing(ledger, draft, words)
    for draft in (
        replacing(ledger, first, bump, (OUTSIDE, 1_000_000), named=own),
        replacing(ledger, first, cancel, named=own[:1], replaced=frozenset(ledger.state.proposals)),
    ):
        assert draft.proposal.proposal_id in (ledger.propose(draft), "")
        ledger.end(draft.proposal.proposal_id)


def test_payments_that_share_no_coin_are_no_set_for_a_limit(ledger: GovernedLedger) -> None:
    first = proposed(ledger, (stranger(1), 4_000_000))
    ledger.sign_proposal(first, StatementKind.APPROVE, "ann", "bo")
    draft = replacing(ledger, first, ProposalKind.PAYMENT, (stranger(2), 4_000_000), named=(other_coin(ledger, first),))
    second = ledger.propose(draft)
    ledger.sign_proposal(second, StatementKind.PROPOSE, "dora")
    told = decision(ledger, second, Gate.APPROVE)
    assert [one.rule for one in told.forbidding] == ["payment.limits.day"]


def test_a_decoy_that_stays_with_us_hides_no_payment_behind_it(ledger: GovernedLedger) -> None:
    own = ledger.vault.address_at(0, 5)
    decoy = proposed(ledger, (own, 4_000_000), kind=ProposalKind.INTERNAL)
    coins = record_of(ledger, decoy).proposal.inputs
    payment = ledger.propose(replacing(ledger, decoy, ProposalKind.PAYMENT, (OUTSIDE, 4_000_000), named=coins))
    ledger.sign_proposal(payment, StatementKind.PROPOSE, "dora")
    ledger.sign_proposal(payment, StatementKind.APPROVE, "ann")
    asked = proposed(ledger, (stranger(3), 1_000_000))
    (spend,) = history_of(ledger.state, record_of(ledger, asked), ()).spends
    assert spend.amount == 4_000_000 + record_of(ledger, payment).proposal.fee


def test_a_set_with_a_common_coin_counts_its_largest_once(ledger: GovernedLedger) -> None:
    first = proposed(ledger, (OUTSIDE, 4_000_000))
    ledger.sign_proposal(first, StatementKind.APPROVE, "ann")
    coins = record_of(ledger, first).proposal.inputs
    bump = ledger.propose(replacing(ledger, first, ProposalKind.BUMP, (OUTSIDE, 4_000_000), named=coins))
    record = record_of(ledger, bump)
    request = request_of(ledger.state, ledger.vault, record, record.statements)
    assert request.group == history_of(ledger.state, record, ()).spends[0].group == first
    assert not decision(ledger, bump, Gate.APPROVE).is_denied


def test_a_draft_explains_no_theft(ledger: GovernedLedger) -> None:
    stolen = proposed(ledger, (OUTSIDE, 4_000_000))
    final = ledger.finalize(stolen)
    ledger.mine(1, final)
    (outflow,) = unapproved_outflows(ledger.state, ledger.vault)
    assert outflow.proposal_id == stolen
    body: Any = {"outpoints": [], "txids": [final.txid], "prior_history": None, "reason": "looked at"}
    ledger.add("coins_accepted", body)
    assert unapproved_outflows(ledger.state, ledger.vault) == ()


def test_an_approved_payment_explains_itself_also_under_the_next_policy(ledger: GovernedLedger) -> None:
    paid = proposed(ledger, (OUTSIDE, 4_000_000))
    ledger.sign_proposal(paid, StatementKind.APPROVE, "ann", "bo")
    final = ledger.finalize(paid)
    ledger.mine(1, final)
    assert unapproved_outflows(ledger.state, ledger.vault) == ()
    text = policy_text(2, unlisted="routine", governance_waiting="0h", day="0.05btc")
    ledger.carry(ChangeKind.ADOPT, Payload(policy=load_policy(text).to_document()), "ann", "bo")
    assert ledger.gov.policy is not None and ledger.gov.policy.version == 2
    assert unapproved_outflows(ledger.state, ledger.vault) == ()


def test_one_devices_early_signature_keeps_no_approval_from_being_revoked(ledger: GovernedLedger) -> None:
    ledger.carry(ChangeKind.ENROL, Payload(officers=(officer("dan", "approver"),)), "ann", "bo")
    early = proposed(ledger, (OUTSIDE, 1_000_000))
    ledger.sign_proposal(early, StatementKind.APPROVE, "dan")
    ledger.sign_really(early, 1)
    ledger.sign_proposal(early, StatementKind.APPROVE, "ann")
    ledger.carry(ChangeKind.REVOKE, Payload(name="dan"), "ann", "bo")
    assert approvals_of(ledger.state, ledger.vault, record_of(ledger, early)) == (("ann",), ("dan",))
    assert not decision(ledger, early).is_allowed
