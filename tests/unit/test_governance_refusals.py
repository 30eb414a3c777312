"""Every reason for which an entry of governance counts for nothing, or is an altered journal, one by one."""

import hashlib
from dataclasses import replace

import pytest

from custody.audit.change_rules import Electorate, change_problem, governance_quorum, waiting_time
from custody.audit.governance import ChangeStatus, GovernanceState
from custody.bitcoin.network import Network
from custody.bitcoin.transaction import OutPoint
from custody.errors import Altered, JsonValue
from custody.people.allowlist import AllowEntry
from custody.people.change import ChangeKind, Payload
from custody.people.officer import Officer
from custody.people.statement import (
    GovernanceRef,
    Statement,
    StatementKind,
    attest_statement,
    checkpoint_statement,
    proposal_statement,
)
from custody.policy.load import load_policy
from support.bundles import twin_of
from support.governed import ROLES, GovernedLedger, officer, policy_text, signer_of
from support.ledger import OUTSIDE
from support.vaults import make_vault

HASH = "ab" * 32
ENTRY = AllowEntry("grantee", OUTSIDE, None, None)


def adopt(policy: str) -> Payload:
    return Payload(policy=load_policy(policy).to_document())


@pytest.fixture
def ledger() -> GovernedLedger:
    founded = GovernedLedger(make_vault())
    founded.mine(1)
    founded.found()
    return founded


def last_words(ledger: GovernedLedger) -> str:
    return ledger.gov.disregarded[-1].words


def signed(name: str, statement: Statement) -> str:
    return signer_of(name).sign(statement.signed_bytes, namespace=statement.kind.namespace)


# Changes that make no sense


@pytest.mark.parametrize(
    ("kind", "payload", "words"),
    [
        (ChangeKind.ENROL, Payload(officers=(officer("ann"),)), "enrolled already"),
        (ChangeKind.REVOKE, Payload(name="eve"), "no officer `eve`"),
        (ChangeKind.DISALLOW, Payload(name="nowhere"), "has no `nowhere`"),
        (ChangeKind.RESUME, Payload(), "not suspended"),
        (ChangeKind.UNFREEZE, Payload(), "no coin is named"),
        (ChangeKind.ALLOW, Payload(entry=AllowEntry("bc1me", OUTSIDE, None, None)), "begins as an address"),
        (ChangeKind.ALLOW, Payload(entry=AllowEntry("odd", "bcrt1qnonsense", None, None)), ""),
        (ChangeKind.ADOPT, adopt(policy_text(1)), "never accepted again"),
        (ChangeKind.ADOPT, adopt(policy_text(2, approvals="{administrator: 3}")), "nobody could complete"),
    ],
)
def test_a_change_that_makes_no_sense_counts_for_nothing(
    ledger: GovernedLedger, kind: ChangeKind, payload: Payload, words: str
) -> None:
    change = ledger.change(kind, payload)
    ledger.propose_change(change)
    assert change.change_id not in ledger.gov.changes
    assert words in last_words(ledger)


def test_a_policy_that_is_none_is_no_adoption(ledger: GovernedLedger) -> None:
    document = load_policy(policy_text(2)).to_document()
    assert isinstance(document, dict)
    ledger.propose_change(ledger.change(ChangeKind.ADOPT, Payload(policy={**document, "more": 1})))
    assert "more" in last_words(ledger)


def test_an_entry_is_listed_once(ledger: GovernedLedger) -> None:
    ledger.carry(ChangeKind.ALLOW, Payload(entry=ENTRY), "ann", "bo")
    ledger.propose_change(ledger.change(ChangeKind.ALLOW, Payload(entry=ENTRY)))
    assert "already: remove it first" in last_words(ledger)


def test_spending_is_suspended_once(ledger: GovernedLedger) -> None:
    ledger.carry(ChangeKind.SUSPEND, Payload(), "ann")
    ledger.propose_change(ledger.change(ChangeKind.SUSPEND, Payload()))
    assert "suspended already" in last_words(ledger)


def test_a_founding_needs_people_with_names_of_their_own() -> None:
    ledger = GovernedLedger(make_vault())
    policy = load_policy(policy_text()).to_document()
    twins = (officer("ann"), Officer("ann", frozenset({"auditor"}), signer_of("other").public))
    for officers in ((), twins):
        ledger.propose_change(ledger.change(ChangeKind.FOUND, Payload(officers=officers, policy=policy)))
        assert "one name" in last_words(ledger)


def test_a_vault_is_founded_once(ledger: GovernedLedger) -> None:
    policy = load_policy(policy_text()).to_document()
    again = ledger.change(
        ChangeKind.FOUND, Payload(officers=(officer("ann"),), policy=policy), number=0, predecessor=None
    )
    ledger.propose_change(again)
    assert "the next is 1" in last_words(ledger)
    assert change_problem(ledger.gov, again) == "the vault is founded already"
    revoke = ledger.change(ChangeKind.REVOKE, Payload(name="ann"))
    assert change_problem(GovernanceState(), revoke) == "the vault is not founded"


@pytest.mark.parametrize("edits", [{"vault_id": HASH}, {"network": Network.SIGNET}])
def test_a_change_of_another_vault_counts_for_nothing(ledger: GovernedLedger, edits: dict[str, object]) -> None:
    ledger.propose_change(ledger.change(ChangeKind.SUSPEND, Payload(), **edits))
    assert "another vault or network" in last_words(ledger)


@pytest.mark.parametrize("edits", [{"number": 2}, {"predecessor": HASH}])
def test_a_change_that_leaves_a_gap_counts_for_nothing(ledger: GovernedLedger, edits: dict[str, object]) -> None:
    ledger.propose_change(ledger.change(ChangeKind.SUSPEND, Payload(), **edits))
    assert "the next is 1" in last_words(ledger)


def test_a_change_is_proposed_once(ledger: GovernedLedger) -> None:
    change = ledger.change(ChangeKind.ALLOW, Payload(entry=ENTRY))
    ledger.propose_change(change)
    ledger.propose_change(change)
    assert "proposed before" in last_words(ledger)


# Signatures under changes


def test_a_signature_under_nothing_counts_for_nothing(ledger: GovernedLedger) -> None:
    body: dict[str, JsonValue] = {"change_id": HASH, "officer": "ann", "approves": True, "signature": "x"}
    ledger.add("change_signed", body)
    assert "not on its way" in last_words(ledger)


def test_a_signature_of_nobody_counts_for_nothing(ledger: GovernedLedger) -> None:
    change = ledger.change(ChangeKind.ALLOW, Payload(entry=ENTRY))
    ledger.propose_change(change)
    ledger.sign_change(change, "eve")
    assert "no officer who can sign" in last_words(ledger)


def test_what_is_decided_takes_no_more_signatures(ledger: GovernedLedger) -> None:
    record = ledger.carry(ChangeKind.ALLOW, Payload(entry=ENTRY), "ann", "bo")
    ledger.sign_change(record.change, "cy")
    assert "in-force already" in last_words(ledger)
    ledger.sign_change(record.change, "cy", approves=False)
    assert "in-force already" in last_words(ledger)


def test_who_is_only_about_to_be_enrolled_vetoes_nothing(ledger: GovernedLedger) -> None:
    record = ledger.carry(ChangeKind.ENROL, Payload(officers=(officer("dan", "approver"),)), "ann", "bo")
    assert record.status is ChangeStatus.WAITING
    ledger.sign_change(record.change, "dan", approves=False)
    assert "no officer in force" in last_words(ledger)
    assert ledger.state_of_change(record.change).status is ChangeStatus.WAITING


def test_a_refusal_is_final_so_that_an_old_approval_is_never_put_after_it(ledger: GovernedLedger) -> None:
    record = ledger.change(ChangeKind.ALLOW, Payload(entry=ENTRY))
    ledger.propose_change(record)
    ledger.sign_change(record, "audrey")
    ledger.sign_change(record, "audrey", approves=False)
    replayed = ledger.entries[-2]
    ledger.add("change_signed", dict(replayed.body))
    assert "refused this change: that is final" in last_words(ledger)
    assert ledger.state_of_change(record).refusers == ("audrey",)


def test_a_veto_takes_a_number_so_that_leaving_it_out_leaves_a_gap(ledger: GovernedLedger) -> None:
    waiting = ledger.carry(ChangeKind.ENROL, Payload(officers=(officer("dan", "approver"),)), "ann", "bo")
    assert [one.number for one in ledger.gov.statements] == [0, 1]
    pending = ledger.change(ChangeKind.ALLOW, Payload(entry=ENTRY))
    ledger.propose_change(pending)
    ledger.sign_change(waiting.change, "audrey", approves=False)
    assert [one.number for one in ledger.gov.statements] == [0, 1, 2]
    assert ledger.gov.statements[2] == waiting.change.veto(ledger.vault.name, ledger.gov.statements[1])
    assert ledger.state_of_change(pending).status is ChangeStatus.STALE
    ledger.sign_change(waiting.change, "cy", approves=False)
    assert "vetoed already" in last_words(ledger)


def test_a_veto_binds_what_stands_before_it(ledger: GovernedLedger) -> None:
    waiting = ledger.carry(ChangeKind.ENROL, Payload(officers=(officer("dan", "approver"),)), "ann", "bo")
    other = twin_of(ledger)
    ledger.carry(ChangeKind.ALLOW, Payload(entry=ENTRY), "ann", "bo")
    other.carry(ChangeKind.SUSPEND, Payload(), "ann")
    for one in (ledger, other):
        one.sign_change(waiting.change, "audrey", approves=False)
        assert [ref.number for ref in one.gov.statements] == [0, 1, 2, 3]
        assert one.state_of_change(waiting.change).status is ChangeStatus.VETOED
    assert ledger.gov.statements[3].digest != other.gov.statements[3].digest


def test_the_link_of_a_veto_is_spelled_out(ledger: GovernedLedger) -> None:
    waiting = ledger.carry(ChangeKind.ENROL, Payload(officers=(officer("dan", "approver"),)), "ann", "bo")
    before = ledger.gov.statements[1].digest
    ledger.sign_change(waiting.change, "audrey", approves=False)
    refusal = hashlib.sha256(waiting.change.rejection(ledger.vault.name).signed_bytes).hexdigest()
    link = f"custody-veto/1\nnumber: 2\nafter: {before}\nrefusal: {refusal}\n"
    assert ledger.gov.head == GovernanceRef(2, hashlib.sha256(link.encode()).hexdigest())


def test_who_suspends_is_the_administrator_whoever_signed_first(ledger: GovernedLedger) -> None:
    change = ledger.change(ChangeKind.SUSPEND, Payload())
    ledger.propose_change(change)
    ledger.sign_change(change, "cy", "ann")
    assert ledger.gov.suspended_by == "ann"


def test_an_approval_is_taken_back_by_a_refusal(ledger: GovernedLedger) -> None:
    change = ledger.change(ChangeKind.ALLOW, Payload(entry=ENTRY))
    ledger.propose_change(change)
    ledger.sign_change(change, "ann")
    ledger.sign_change(change, "ann", approves=False)
    record = ledger.state_of_change(change)
    assert (record.approvers, record.refusers, record.status) == ((), ("ann",), ChangeStatus.REJECTED)


def test_what_a_change_builds_on_may_go_while_it_waits(ledger: GovernedLedger) -> None:
    weaker = ledger.carry(ChangeKind.ADOPT, adopt(policy_text(2, routine="20btc")), "ann", "bo")
    assert weaker.status is ChangeStatus.WAITING
    stricter = ledger.carry(ChangeKind.ADOPT, adopt(policy_text(3, day="100btc")), "ann", "bo")
    assert stricter.status is ChangeStatus.IN_FORCE
    ledger.mine(48 * 6)
    assert ledger.state_of_change(weaker.change).status is ChangeStatus.STALE
    assert ledger.gov.policy is not None and ledger.gov.policy.version == 3


def test_changes_that_wait_come_into_force_in_their_order(ledger: GovernedLedger) -> None:
    first = ledger.carry(ChangeKind.ADOPT, adopt(policy_text(2, routine="20btc")), "ann", "bo")
    second = ledger.carry(ChangeKind.ADOPT, adopt(policy_text(3, routine="30btc")), "ann", "bo")
    assert (first.status, second.status) == (ChangeStatus.WAITING, ChangeStatus.WAITING)
    ledger.mine(48 * 6)
    assert ledger.state_of_change(first.change).status is ChangeStatus.IN_FORCE
    assert ledger.state_of_change(second.change).status is ChangeStatus.IN_FORCE
    assert ledger.gov.policy is not None and ledger.gov.policy.version == 3
    assert [one.number for one in ledger.gov.statements] == [0, 1, 2]


# Words for people, and rules


def test_an_electorate_says_what_is_missing_and_from_whom(ledger: GovernedLedger) -> None:
    revoke = ledger.change(ChangeKind.REVOKE, Payload(name="audrey"))
    before, after = Electorate.of(ledger.gov, revoke).missing(["ann"])
    assert before == ("1 more of 2 administrator by the rule in force", ("bo",))
    assert after == ("1 more of 2 administrator by the rule as it will be", ("bo",))
    assert Electorate.of(ledger.gov, revoke).missing(["ann", "bo"]) == ()
    found = GovernedLedger(make_vault())
    policy = load_policy(policy_text()).to_document()
    change = found.change(ChangeKind.FOUND, Payload(officers=tuple(map(officer, ROLES)), policy=policy))
    electorate = Electorate.of(found.gov, change)
    assert electorate.missing(["ann"]) == (("the signature of every founder, 4 more", ("audrey", "bo", "cy", "dora")),)
    assert electorate.missing(ROLES) == ()


def test_no_policy_no_rule_and_no_waiting(ledger: GovernedLedger) -> None:
    with pytest.raises(TypeError):
        governance_quorum(None)
    assert waiting_time(GovernanceState(), ledger.change(ChangeKind.SUSPEND, Payload())) == 0
    enrol = ledger.change(ChangeKind.ENROL, Payload(officers=(officer("dan", "approver"),)))
    assert waiting_time(ledger.gov, enrol) == 48 * 3600
    assert waiting_time(ledger.gov, ledger.change(ChangeKind.REVOKE, Payload(name="cy"))) == 0


# Named officers, attestations, checkpoints


def test_names_for_a_founding_come_and_go_and_end_with_it(ledger: GovernedLedger) -> None:
    early = GovernedLedger(make_vault())
    early.add("officer_named", {"officer": officer("ann").to_document()})
    assert set(early.gov.named) == {"ann"}
    early.add("officer_unnamed", {"name": "ann"})
    assert early.gov.named == {}
    early.add("officer_unnamed", {"name": "ann"})
    assert "no such officer is named" in last_words(early)
    ledger.add("officer_named", {"officer": officer("dan", "approver").to_document()})
    assert "enrolled by a change" in last_words(ledger)
    ledger.add("officer_unnamed", {"name": "ann"})
    assert "no such officer is named" in last_words(ledger)


def attest(ledger: GovernedLedger, name: str, cosigner: str, signer: str | None = None) -> None:
    facts = ledger.vault_facts
    statement = attest_statement(
        vault_name=facts.name,
        vault_id=facts.vault_id,
        network=facts.network,
        first_address=facts.first_address,
        cosigner=cosigner,
    )
    signature = signed(signer or name, statement)
    ledger.add("descriptor_attested", {"cosigner": cosigner, "officer": name, "signature": signature})


def test_a_custodian_attests_with_the_role_and_their_own_key(ledger: GovernedLedger) -> None:
    attest(ledger, "cy", "bo")
    assert ledger.gov.attested["bo"].officer == "cy"
    for name, cosigner, signer in (("ann", "bo", None), ("eve", "bo", None), ("cy", "nobody", None)):
        attest(ledger, name, cosigner, signer)
        assert "no such officer in force with the role signer, or no such cosigner" in last_words(ledger)
    attest(ledger, "audrey", "bo", "cy")
    assert "enrolled with" in last_words(ledger)
    attest(ledger, "cy", "ann")
    assert "attested for `bo` before" in last_words(ledger)
    assert set(ledger.gov.attested) == {"bo"}
    assert ledger.gov.attested["bo"].officer == "cy"


def checkpoint(ledger: GovernedLedger, name: str, length: int, signer: str | None = None) -> None:
    fields: dict[str, JsonValue] = {
        "entries": length,
        "head": ledger.entries[min(length, len(ledger.entries)) - 1].hash,
        "time": "2030-01-01T00:00:00Z",
        "governance": "0 x",
    }
    statement = checkpoint_statement(
        vault_id=ledger.vault.vault_id,
        network="regtest",
        journal_id="test",
        length=length,
        head=str(fields["head"]),
        time=str(fields["time"]),
        governance="0 x",
    )
    ledger.add("checkpoint_signed", {"officer": name, **fields, "signature": signed(signer or name, statement)})


def test_a_checkpoint_is_by_an_officer_and_counts_what_was_there(ledger: GovernedLedger) -> None:
    checkpoint(ledger, "audrey", len(ledger.entries))
    assert ledger.gov.checkpoints[0].officer == "audrey"
    for name, length in (("eve", 1), ("audrey", 0), ("audrey", 10_000)):
        checkpoint(ledger, name, length)
        assert "counts entries that were not there" in last_words(ledger)
    checkpoint(ledger, "audrey", 1, "ann")
    assert "enrolled with" in last_words(ledger)
    assert len(ledger.gov.checkpoints) == 1


# Statements about proposals


def drafted(ledger: GovernedLedger, **changes: object) -> str:
    policy = ledger.gov.policy
    assert policy is not None
    ledger.receive(5_000_000)
    fields: dict[str, object] = {"policy_digest": policy.digest, "drafter": "dora", **changes}
    return ledger.propose(ledger.draft((OUTSIDE, 1_000_000), **fields))


def statement_entry(
    ledger: GovernedLedger,
    proposal_id: str,
    name: str,
    ref: GovernanceRef,
    kind: StatementKind = StatementKind.APPROVE,
) -> None:
    proposal = ledger.state.proposals[proposal_id].proposal
    statement = proposal_statement(kind, proposal, vault_name=ledger.vault.name, governance=ref)
    ledger.add(
        "proposal_statement",
        {
            "proposal_id": proposal_id,
            "statement": str(kind),
            "officer": name,
            "governance": {"number": ref.number, "digest": ref.digest},
            "signature": signed(name, statement),
        },
    )


def test_a_statement_names_a_governance_of_this_vault(ledger: GovernedLedger) -> None:
    proposal_id = drafted(ledger)
    ledger.sign_proposal(proposal_id, StatementKind.PROPOSE, "dora")
    head = ledger.gov.statements[-1]
    for ref in (GovernanceRef(1, head.digest), GovernanceRef(0, HASH)):
        statement_entry(ledger, proposal_id, "ann", ref)
        assert "not one of this vault's" in last_words(ledger)
    ledger.carry(ChangeKind.ALLOW, Payload(entry=ENTRY), "ann", "bo")
    statement_entry(ledger, proposal_id, "ann", head)
    assert [one.officer for one in ledger.state.proposals[proposal_id].statements] == ["dora", "ann"]


def test_a_statement_comes_from_an_officer_in_force_and_in_time(ledger: GovernedLedger) -> None:
    proposal_id = drafted(ledger)
    ledger.sign_proposal(proposal_id, StatementKind.PROPOSE, "dora")
    statement_entry(ledger, proposal_id, "eve", ledger.gov.statements[-1])
    assert "no officer in force" in last_words(ledger)
    ledger.end(proposal_id)
    ledger.sign_proposal(proposal_id, StatementKind.APPROVE, "ann")
    assert "withdrawn or rejected" in last_words(ledger)
    other = drafted(ledger)
    ledger.sign_proposal(other, StatementKind.PROPOSE, "dora")
    ledger.mine(15 * 144)
    ledger.sign_proposal(other, StatementKind.APPROVE, "ann")
    assert "expired" in last_words(ledger)


def test_a_drafter_is_named_in_the_draft_and_has_the_role(ledger: GovernedLedger) -> None:
    by_ann = drafted(ledger, drafter="ann")
    ledger.sign_proposal(by_ann, StatementKind.PROPOSE, "ann")
    assert "has not the role drafter" in last_words(ledger)
    by_nobody = drafted(ledger, drafter=None)
    ledger.sign_proposal(by_nobody, StatementKind.PROPOSE, "dora")
    assert "another drafter" in last_words(ledger)


# What is no entry at all


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("officer_named", {"officer": {}}),
        ("officer_unnamed", {}),
        ("change_proposed", {"change": {}}),
        ("change_signed", {"change_id": HASH, "officer": "ann", "approves": 1, "signature": "x"}),
        ("descriptor_attested", {"cosigner": "bo"}),
        ("checkpoint_signed", {"officer": "ann"}),
        ("proposal_statement", {"proposal_id": HASH}),
    ],
)
def test_a_body_of_a_wrong_shape_is_an_altered_journal(
    ledger: GovernedLedger, kind: str, body: dict[str, JsonValue]
) -> None:
    ledger.add(kind, body)
    with pytest.raises(Altered) as caught:
        _ = ledger.state
    assert caught.value.details["seq"] == len(ledger.entries) - 1


@pytest.mark.parametrize("statement", ["found", "reject", "anything"])
def test_a_statement_of_another_kind_is_an_altered_journal(ledger: GovernedLedger, statement: str) -> None:
    proposal_id = drafted(ledger)
    ref = ledger.gov.statements[-1]
    body: dict[str, JsonValue] = {
        "proposal_id": proposal_id,
        "statement": statement,
        "officer": "dora",
        "governance": {"number": ref.number, "digest": ref.digest},
        "signature": "x",
    }
    ledger.add("proposal_statement", body)
    with pytest.raises(Altered):
        _ = ledger.state


def test_the_state_knows_who_has_a_role_and_which_statement_is_its_own(ledger: GovernedLedger) -> None:
    gov = ledger.gov
    assert gov.officer_with("administrator") == ("ann", "bo")
    assert gov.officer_with("nothing") == ()
    assert gov.knows(gov.statements[0])
    assert not gov.knows(replace(gov.statements[0], number=1))
    assert (GovernanceState().founding, GovernanceState().head, GovernanceState().next_number) == (None, None, 0)


def test_a_thawed_coin_was_frozen_or_not(ledger: GovernedLedger) -> None:
    record = ledger.carry(ChangeKind.UNFREEZE, Payload(outpoints=(OutPoint(HASH, 0),)), "ann", "bo")
    assert record.status is ChangeStatus.IN_FORCE
    assert ledger.state.frozen == frozenset()
