"""Governance in the journal: what comes into force, by whose signatures, from where on, and what counts for nothing."""

import pytest

from custody.audit.fold import fold, fold_more
from custody.audit.governance import ChangeStatus
from custody.bitcoin.transaction import OutPoint
from custody.people.allowlist import AllowEntry
from custody.people.change import ChangeKind, Payload
from custody.people.officer import Officer
from custody.people.statement import StatementKind
from custody.policy.load import load_policy
from support.governed import ROLES, GovernedLedger, officer, policy_text, signer_of
from support.ledger import OUTSIDE
from support.vaults import make_vault

HOUR = 6
"""Blocks of ten minutes."""
ENTRY = AllowEntry("grantee", OUTSIDE, None, None)


@pytest.fixture
def ledger() -> GovernedLedger:
    """A founded vault, observed once."""
    founded = GovernedLedger(make_vault())
    founded.mine(1)
    assert founded.found().status is ChangeStatus.IN_FORCE
    return founded


def adopt(policy: str) -> Payload:
    return Payload(policy=load_policy(policy).to_document())


def test_a_founding_takes_every_founder() -> None:
    ledger = GovernedLedger(make_vault())
    officers = tuple(officer(name) for name in ROLES)
    policy = load_policy(policy_text()).to_document()
    change = ledger.change(ChangeKind.FOUND, Payload(officers=officers, policy=policy))
    ledger.propose_change(change)
    ledger.sign_change(change, *list(ROLES)[:-1])
    assert not ledger.gov.is_founded
    ledger.sign_change(change, list(ROLES)[-1])
    gov = ledger.gov
    assert gov.is_founded and set(gov.officers) == set(ROLES)
    assert gov.policy == load_policy(policy_text())
    assert gov.founding == change.statement(ledger.vault.name).digest


def test_a_founding_with_one_key_for_two_people_counts_for_nothing() -> None:
    ledger = GovernedLedger(make_vault())
    twin = Officer("eve", frozenset({"auditor"}), signer_of("ann").public)
    policy = load_policy(policy_text()).to_document()
    officers = (*(officer(name) for name in ROLES), twin)
    change = ledger.change(ChangeKind.FOUND, Payload(officers=officers, policy=policy))
    ledger.propose_change(change)
    assert ledger.gov.changes == {}
    assert "one key" in ledger.gov.disregarded[0].words


def test_a_founding_whose_quorums_nobody_can_complete_counts_for_nothing() -> None:
    ledger = GovernedLedger(make_vault())
    policy = load_policy(policy_text(approvals="{administrator: 3}")).to_document()
    officers = tuple(officer(name) for name in ROLES)
    ledger.propose_change(ledger.change(ChangeKind.FOUND, Payload(officers=officers, policy=policy)))
    assert "nobody could complete" in ledger.gov.disregarded[0].words


def test_an_enrolment_waits_and_then_holds(ledger: GovernedLedger) -> None:
    new = officer("dan", "approver")
    record = ledger.carry(ChangeKind.ENROL, Payload(officers=(new,)), "ann", "bo")
    assert record.status is ChangeStatus.WAITING and "dan" not in ledger.gov.officers
    ledger.mine(47 * HOUR)
    assert "dan" not in ledger.gov.officers
    ledger.mine(1 * HOUR)
    assert ledger.gov.officers["dan"] == new
    assert ledger.state_of_change(record.change).status is ChangeStatus.IN_FORCE


def test_one_officer_vetoes_while_a_change_waits(ledger: GovernedLedger) -> None:
    record = ledger.carry(ChangeKind.ENROL, Payload(officers=(officer("dan", "approver"),)), "ann", "bo")
    ledger.sign_change(record.change, "audrey", approves=False)
    assert ledger.state_of_change(record.change).status is ChangeStatus.VETOED
    ledger.mine(100 * HOUR)
    assert "dan" not in ledger.gov.officers


def test_a_revocation_holds_at_once_and_its_key_never_comes_back(ledger: GovernedLedger) -> None:
    ledger.carry(ChangeKind.ENROL, Payload(officers=(officer("dan", "approver"),)), "ann", "bo")
    ledger.mine(48 * HOUR)
    record = ledger.carry(ChangeKind.REVOKE, Payload(name="dan"), "ann", "bo")
    assert record.status is ChangeStatus.IN_FORCE and "dan" not in ledger.gov.officers
    again = Officer("dan2", frozenset({"approver"}), signer_of("dan").public)
    ledger.propose_change(ledger.change(ChangeKind.ENROL, Payload(officers=(again,))))
    assert "was enrolled before" in ledger.gov.disregarded[-1].words


def test_a_revocation_that_leaves_a_quorum_unreachable_counts_for_nothing(ledger: GovernedLedger) -> None:
    ledger.propose_change(ledger.change(ChangeKind.REVOKE, Payload(name="bo")))
    assert "enrol a successor first" in ledger.gov.disregarded[-1].words


def test_a_stricter_policy_holds_at_once_and_a_weaker_one_waits(ledger: GovernedLedger) -> None:
    stricter = ledger.carry(ChangeKind.ADOPT, adopt(policy_text(2, day="500btc")), "ann", "bo")
    assert stricter.status is ChangeStatus.IN_FORCE
    assert ledger.gov.policy is not None and ledger.gov.policy.version == 2
    weaker = ledger.carry(ChangeKind.ADOPT, adopt(policy_text(3, day="900btc")), "ann", "bo")
    assert weaker.status is ChangeStatus.WAITING and ledger.gov.policy.version == 2
    ledger.mine(48 * HOUR)
    assert ledger.gov.policy is not None and ledger.gov.policy.version == 3


def test_an_older_policy_is_never_accepted_again(ledger: GovernedLedger) -> None:
    ledger.carry(ChangeKind.ADOPT, adopt(policy_text(2, day="500btc")), "ann", "bo")
    ledger.propose_change(ledger.change(ChangeKind.ADOPT, adopt(policy_text(1))))
    assert "never accepted again" in ledger.gov.disregarded[-1].words
    assert ledger.gov.policy is not None and ledger.gov.policy.version == 2


def test_a_new_rule_needs_its_own_quorum_too(ledger: GovernedLedger) -> None:
    policy = policy_text(2, approvals="{administrator: 2, auditor: 1}")
    record = ledger.carry(ChangeKind.ADOPT, adopt(policy), "ann", "bo")
    assert record.status is ChangeStatus.PENDING
    ledger.sign_change(record.change, "audrey")
    assert ledger.state_of_change(record.change).status is ChangeStatus.IN_FORCE


def test_two_changes_on_one_statement_leave_one_stale(ledger: GovernedLedger) -> None:
    first = ledger.change(ChangeKind.ALLOW, Payload(entry=ENTRY))
    second = ledger.change(ChangeKind.ALLOW, Payload(entry=AllowEntry("other", OUTSIDE, None, None)))
    ledger.propose_change(first)
    ledger.propose_change(second)
    ledger.sign_change(second, "ann", "bo")
    assert ledger.state_of_change(first).status is ChangeStatus.STALE
    ledger.sign_change(first, "ann", "bo")
    assert set(ledger.gov.allowlist) == {"other"}


def test_an_allowed_destination_is_usable_after_its_waiting_time(ledger: GovernedLedger) -> None:
    ledger.carry(ChangeKind.ALLOW, Payload(entry=ENTRY), "ann", "bo")
    allowed = ledger.gov.allowlist["grantee"]
    assert allowed.usable_from == ledger.gov.time + 24 * 3600
    ledger.carry(ChangeKind.DISALLOW, Payload(name="grantee"), "ann", "bo")
    assert ledger.gov.allowlist == {}


def test_one_administrator_suspends_and_never_resumes_alone(ledger: GovernedLedger) -> None:
    assert ledger.carry(ChangeKind.SUSPEND, Payload(), "bo").status is ChangeStatus.IN_FORCE
    assert ledger.gov.suspended_by == "bo"
    resume = ledger.carry(ChangeKind.RESUME, Payload(), "bo")
    assert resume.status is ChangeStatus.PENDING and ledger.gov.suspended_by == "bo"
    ledger.sign_change(resume.change, "ann")
    assert ledger.gov.suspended_by is None


@pytest.mark.parametrize("name", ["dora", "cy", "audrey"])
def test_nobody_but_an_administrator_suspends(ledger: GovernedLedger, name: str) -> None:
    ledger.carry(ChangeKind.SUSPEND, Payload(), name)
    assert ledger.gov.suspended_by is None


def test_a_frozen_coin_is_freed_by_a_signed_change_alone(ledger: GovernedLedger) -> None:
    (coin,) = ledger.receive(5_000_000)
    ledger.add("coins_frozen", {"outpoints": [str(coin)], "reason": None})
    ledger.add("coins_unfrozen", {"outpoints": [str(coin)], "reason": None})
    assert ledger.state.frozen == {coin}
    ledger.carry(ChangeKind.UNFREEZE, Payload(outpoints=(OutPoint.parse(str(coin)),)), "ann", "bo")
    assert ledger.state.frozen == frozenset()


def test_a_change_ends_when_the_rest_can_not_complete_its_quorum(ledger: GovernedLedger) -> None:
    change = ledger.change(ChangeKind.ALLOW, Payload(entry=ENTRY))
    ledger.propose_change(change)
    ledger.sign_change(change, "audrey", approves=False)
    assert ledger.state_of_change(change).status is ChangeStatus.PENDING
    ledger.sign_change(change, "ann", approves=False)
    assert ledger.state_of_change(change).status is ChangeStatus.REJECTED


def test_a_signature_by_another_key_counts_for_nothing(ledger: GovernedLedger) -> None:
    change = ledger.change(ChangeKind.ALLOW, Payload(entry=ENTRY))
    ledger.propose_change(change)
    ledger.sign_change(change, "ann")
    statement = change.statement(ledger.vault.name)
    forged = signer_of("eve").sign(statement.signed_bytes, namespace=statement.kind.namespace)
    ledger.add("change_signed", {"change_id": change.change_id, "officer": "bo", "approves": True, "signature": forged})
    assert ledger.state_of_change(change).approvers == ("ann",)
    assert "enrolled with" in ledger.gov.disregarded[-1].words


def test_a_refusal_is_no_approval(ledger: GovernedLedger) -> None:
    change = ledger.change(ChangeKind.ALLOW, Payload(entry=ENTRY))
    ledger.propose_change(change)
    ledger.sign_change(change, "ann")
    rejection = change.rejection(ledger.vault.name)
    signature = signer_of("bo").sign(rejection.signed_bytes, namespace=rejection.kind.namespace)
    ledger.add(
        "change_signed", {"change_id": change.change_id, "officer": "bo", "approves": True, "signature": signature}
    )
    assert ledger.gov.allowlist == {}


def drafted(ledger: GovernedLedger, value: int = 1_000_000) -> str:
    ledger.receive(5_000_000)
    policy = ledger.gov.policy
    assert policy is not None
    return ledger.propose(ledger.draft((OUTSIDE, value), policy_digest=policy.digest, drafter="dora"))


def test_an_approval_counts_after_the_drafters_own_word(ledger: GovernedLedger) -> None:
    proposal_id = drafted(ledger)
    ledger.sign_proposal(proposal_id, StatementKind.APPROVE, "ann")
    assert ledger.state.proposals[proposal_id].statements == ()
    ledger.sign_proposal(proposal_id, StatementKind.PROPOSE, "dora")
    ledger.sign_proposal(proposal_id, StatementKind.APPROVE, "ann", "bo")
    record = ledger.state.proposals[proposal_id]
    assert record.proposed_by == "dora"
    assert [one.officer for one in record.statements] == ["dora", "ann", "bo"]


def test_nobody_signs_as_drafter_for_another(ledger: GovernedLedger) -> None:
    proposal_id = drafted(ledger)
    ledger.sign_proposal(proposal_id, StatementKind.PROPOSE, "ann")
    assert ledger.state.proposals[proposal_id].proposed_by is None


def test_a_second_approval_by_one_person_counts_for_nothing(ledger: GovernedLedger) -> None:
    proposal_id = drafted(ledger)
    ledger.sign_proposal(proposal_id, StatementKind.PROPOSE, "dora")
    ledger.sign_proposal(proposal_id, StatementKind.APPROVE, "ann", "ann")
    assert [one.officer for one in ledger.state.proposals[proposal_id].statements] == ["dora", "ann"]
    assert "signed this statement before" in ledger.gov.disregarded[-1].words


def test_a_new_policy_voids_what_was_drafted_under_the_old(ledger: GovernedLedger) -> None:
    proposal_id = drafted(ledger)
    ledger.sign_proposal(proposal_id, StatementKind.PROPOSE, "dora")
    ledger.carry(ChangeKind.ADOPT, adopt(policy_text(2, day="500btc")), "ann", "bo")
    ledger.sign_proposal(proposal_id, StatementKind.APPROVE, "ann")
    assert "under another policy" in ledger.gov.disregarded[-1].words


def test_folding_in_two_goes_gives_the_same_governance(ledger: GovernedLedger) -> None:
    proposal_id = drafted(ledger)
    ledger.sign_proposal(proposal_id, StatementKind.PROPOSE, "dora")
    ledger.carry(ChangeKind.ENROL, Payload(officers=(officer("dan", "approver"),)), "ann", "bo")
    ledger.mine(48 * HOUR)
    whole = fold(ledger.entries)
    for cut in range(1, len(ledger.entries), 5):
        assert fold_more(fold(ledger.entries[:cut]), ledger.entries[cut:]) == whole


def test_time_never_falls(ledger: GovernedLedger) -> None:
    ledger.mine(10)
    seen = ledger.gov.time
    ledger.height -= 5
    ledger.observe()
    assert ledger.gov.time == seen
