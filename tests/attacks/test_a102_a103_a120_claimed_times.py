"""A63, A101, A102, A103, A120 against a signer offline: no claimed time or hidden veto brings anything into force."""

from pathlib import Path
from typing import Any

import pytest

from custody.audit.bundle import Bundle
from custody.audit.governance import ChangeStatus
from custody.audit.trust_pin import TrustPin
from custody.people.change import Change, ChangeKind, Payload
from custody.people.statement import StatementKind
from custody.policy.load import load_policy
from support.bundles import (
    COIN,
    PAID,
    Signer,
    approved,
    bundle_of,
    checkpoint,
    drafted,
    edited,
    founded,
    pin_of,
    twin_of,
)
from support.governed import GovernedLedger, officer, policy_text
from support.ledger import OUTSIDE
from support.rehearsal import stranger

HOURS_48 = 48 * 6
LOOSE = load_policy(
    policy_text(2, unlisted="routine", routine="1000btc").replace(
        "approvals: {approver: 2}", "approvals: {approver: 1}"
    )
).to_document()
FALSE_HEAD = "ab" * 32


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    """A signer with a folder of their own."""
    return Signer(tmp_path)


def trusting(signer: Signer, bundle: Bundle) -> Signer:
    signer.trust(pin_of(bundle))
    return signer


def pin_in(signer: Signer) -> TrustPin:
    return TrustPin.from_bytes((signer.folder / "trust.yaml").read_bytes())


def codes(signer: Signer, bundle: Any, severity: str) -> list[str]:
    return [one["code"] for one in signer.review(bundle).json["findings"] if one["severity"] == severity]


def loosening(ledger: GovernedLedger) -> Change:
    """Let two administrators adopt a policy by which one approver pays anybody: it waits two days."""
    change = ledger.change(ChangeKind.ADOPT, Payload(policy=LOOSE))
    ledger.propose_change(change)
    ledger.sign_change(change, "ann", "bo")
    assert ledger.state_of_change(change).status is ChangeStatus.WAITING
    return change


def hurried(ledger: GovernedLedger) -> Bundle:
    """Return what a coordinator makes on a copy of the journal with two more days: one approver pays a stranger."""
    ledger.mine(HOURS_48)
    proposal_id = drafted(ledger, (stranger(9), COIN - 10_000_000))
    ledger.sign_proposal(proposal_id, StatementKind.APPROVE, "ann")
    return bundle_of(ledger, proposal_id)


@pytest.mark.parametrize("vetoed", [True, False], ids=["the veto left out", "two days claimed"])
def test_a120_a_waiting_policy_comes_into_force_by_no_bundle(signer: Signer, vetoed: bool) -> None:
    ledger = founded()
    trusting(signer, bundle_of(ledger, drafted(ledger)))
    change = loosening(ledger)
    copy = twin_of(ledger)
    if vetoed:
        ledger.sign_change(change, "audrey", approves=False)
    assert "GOVERNANCE_UNSETTLED" in signer.refused(hurried(copy))


def test_a120_a_policy_is_in_force_once_the_pins_owner_settled_it(signer: Signer) -> None:
    ledger = founded()
    trusting(signer, bundle_of(ledger, drafted(ledger)))
    loosening(ledger)
    bundle = hurried(ledger)
    assert pin_in(signer).settled == 0
    found = signer.review(bundle).json
    assert found["governance"]["policy"]["version"] == 1 and found["decision"]["allowed"] is False
    (waited,) = found["governance"]["waited"]
    assert (waited["number"], waited["status"], waited["settled"]) == (1, "in-force", False)
    shown = signer.run(["pin", "advance"], bundle, stdin="\n").stderr
    told = " ".join(shown.split())
    assert "statement 1, adopt: test-reserve, version 2" in told and "said to be in force since 20" in told
    assert "whether anybody refused" in told and "you confirm this" in told
    advanced = signer.run(["pin", "advance"], bundle, "--confirm-digest", ledger.gov.statements[-1].digest)
    assert advanced.exit_code == 0, advanced.stderr
    assert (pin_in(signer).settled, pin_in(signer).policy_version) == (1, 2)
    assert signer.review(bundle).exit_code == 0


def test_a120_the_digest_that_people_compare_shows_a_hidden_veto(signer: Signer) -> None:
    ledger = founded()
    before = bundle_of(ledger, drafted(ledger))
    change = loosening(ledger)
    lie = hurried(twin_of(ledger))
    ledger.sign_change(change, "audrey", approves=False)
    officers_digest = ledger.gov.statements[-1].digest
    trusting(signer, before)
    told = signer.run(["pin", "advance"], lie, "--confirm-digest", officers_digest, "--json")
    assert (told.exit_code, told.error["error"]) == (5, "CONFIRMATION_MISMATCH")
    assert pin_in(signer) == pin_of(before)
    (signer.folder / "trust.yaml").unlink()
    told = signer.run(["pin", "create"], lie, "--confirm-digest", officers_digest, "--json")
    assert (told.exit_code, told.error["error"]) == (5, "CONFIRMATION_MISMATCH")
    founding = ledger.gov.statements[0].digest
    assert signer.run(["pin", "create"], lie, "--confirm-digest", founding).exit_code == 5


def test_a120_a_pin_settles_nothing_that_waits_or_was_refused(signer: Signer) -> None:
    ledger = founded()
    trusting(signer, bundle_of(ledger, drafted(ledger)))
    change = loosening(ledger)
    waiting = bundle_of(ledger, approved(ledger))
    digest = ledger.gov.statements[-1].digest
    shown = signer.run(["pin", "advance"], waiting, "--confirm-digest", digest)
    assert shown.exit_code == 0 and "NOT trusted yet" in " ".join(shown.stdout.split())
    assert (pin_in(signer).governance.number, pin_in(signer).settled, pin_in(signer).policy_version) == (1, 0, 1)
    assert "GOVERNANCE_UNSETTLED" in signer.refused(hurried(twin_of(ledger)))
    assert signer.review(waiting).exit_code == 0

    ledger.sign_change(change, "audrey", approves=False)
    refused = bundle_of(ledger, approved(ledger))
    digest = ledger.gov.statements[-1].digest
    shown = signer.run(["pin", "advance"], refused, "--confirm-digest", digest)
    assert shown.exit_code == 0 and "refused by audrey" in " ".join(shown.stdout.split())
    assert (pin_in(signer).governance.number, pin_in(signer).settled, pin_in(signer).policy_version) == (2, 2, 1)
    assert signer.review(refused).exit_code == 0


def enrolling(ledger: GovernedLedger) -> str:
    """Enrol dan as an approver, whose two days are over, and return a payment that he approved."""
    ledger.carry(ChangeKind.ENROL, Payload(officers=(officer("dan", "approver", "administrator"),)), "ann", "bo")
    ledger.mine(HOURS_48)
    return approved(ledger, "ann", "dan", "cy")


def test_a120_an_officer_who_waits_approves_nothing_offline(signer: Signer) -> None:
    ledger = founded()
    trusting(signer, bundle_of(ledger, drafted(ledger)))
    bundle = bundle_of(ledger, enrolling(ledger))
    assert signer.refused(bundle) == {"GOVERNANCE_UNSETTLED", "APPROVALS_MISSING"}
    trusting(signer, bundle)
    assert signer.review(bundle).exit_code == 0


def test_a120_an_officer_who_waits_drafts_nothing_offline(signer: Signer) -> None:
    ledger = founded()
    trusting(signer, bundle_of(ledger, drafted(ledger)))
    ledger.carry(ChangeKind.ENROL, Payload(officers=(officer("dirk", "drafter"),)), "ann", "bo")
    ledger.mine(HOURS_48)
    policy = ledger.gov.policy
    assert policy is not None
    proposal_id = ledger.propose(ledger.draft((OUTSIDE, PAID), policy_digest=policy.digest, drafter="dirk"))
    ledger.sign_proposal(proposal_id, StatementKind.PROPOSE, "dirk")
    ledger.sign_proposal(proposal_id, StatementKind.APPROVE, "ann", "bo", "cy")
    assert "GOVERNANCE_UNSETTLED" in signer.refused(bundle_of(ledger, proposal_id))


def test_a120_a_change_signed_by_an_officer_who_waits_is_not_in_force_offline(signer: Signer) -> None:
    """Nor is it forgotten: what revokes somebody must not be read as if it had not happened."""
    ledger = founded()
    trusting(signer, bundle_of(ledger, drafted(ledger)))
    ledger.carry(ChangeKind.ENROL, Payload(officers=(officer("dan", "administrator", "board"),)), "ann", "bo")
    ledger.mine(HOURS_48)
    proposal_id = approved(ledger)
    ledger.carry(ChangeKind.REVOKE, Payload(name="cy"), "ann", "dan")
    assert "GOVERNANCE_UNSETTLED" in signer.refused(bundle_of(ledger, proposal_id))


def test_a120_what_no_payment_rests_on_is_warned_of(signer: Signer) -> None:
    ledger = founded()
    trusting(signer, bundle_of(ledger, drafted(ledger)))
    enrolling(ledger)
    bundle = bundle_of(ledger, approved(ledger))
    assert signer.review(bundle).exit_code == 0
    assert codes(signer, bundle, "warn") == ["GOVERNANCE_UNSETTLED"]


def far(document: Any) -> None:
    document["claims"]["tip"]["median_time_past"] = 2**32 - 1


def test_a103_a_false_clock_is_refused_as_expired_and_leaves_no_trace(signer: Signer) -> None:
    ledger = founded()
    bundle = bundle_of(ledger, approved(ledger))
    founding = ledger.gov.statements[0].digest
    made = signer.run(["pin", "create"], edited(bundle, far), "--confirm-digest", founding)
    assert made.exit_code == 0, made.stderr
    assert pin_in(signer) == pin_of(bundle)
    told = signer.run(["pin", "advance"], edited(bundle, far), "--confirm-digest", founding, "--json")
    assert (told.exit_code, told.error["error"]) == (7, "NOTHING_TO_DO")
    assert "POLICY_DENIED" in signer.refused(edited(bundle, far))
    assert signer.review(bundle).exit_code == 0


def test_a103_a_false_clock_raises_no_policy_version_that_nobody_confirmed(signer: Signer) -> None:
    ledger = founded()
    trusting(signer, bundle_of(ledger, drafted(ledger)))
    before = pin_in(signer)
    loosening(ledger)
    bundle = bundle_of(ledger, approved(ledger))
    assert signer.run(["pin", "advance"], edited(bundle, far), stdin="\n").exit_code == 5
    assert pin_in(signer) == before
    assert signer.review(bundle).exit_code == 0


def test_a101_a_head_that_the_journal_never_had_goes_into_no_bundle(signer: Signer) -> None:
    ledger = founded()
    proposal_id = approved(ledger)
    checkpoint(ledger, "audrey", length=4)
    checkpoint(ledger, "dora", false_head=FALSE_HEAD)
    bundle = bundle_of(ledger, proposal_id)
    assert FALSE_HEAD.encode() not in bundle.to_bytes()
    trusting(signer, bundle)
    seen = pin_in(signer).checkpoint
    assert seen is not None and (seen.length, seen.signed_by) == (4, ("audrey",))
    assert signer.review(bundle).exit_code == 0


def with_false_checkpoint(document: Any, ledger: GovernedLedger) -> None:
    """Add an officer's false checkpoint to a bundle, as a coordinator who is in league with them does."""
    twin = twin_of(ledger)
    checkpoint(twin, "dora", length=2, false_head=FALSE_HEAD)
    entry = twin.entries[-1]
    item = {**document["governance"][-1], "time": document["claims"]["tip"]["median_time_past"]}
    item["entry"] = {**item["entry"], "kind": entry.kind, "body": dict(entry.body), "seq": entry.seq + 50}
    document["governance"].append(item)


def test_a102_who_signed_a_checkpoint_is_shown_before_and_named_when_it_was_false(signer: Signer) -> None:
    ledger = founded()
    bundle = bundle_of(ledger, approved(ledger))
    lie = edited(bundle, lambda document: with_false_checkpoint(document, ledger))
    made = signer.run(["pin", "create"], lie, "--confirm-digest", ledger.gov.statements[0].digest)
    assert made.exit_code == 0 and "signed by dora" in " ".join(made.stdout.split())
    checkpoint(ledger, "audrey", length=2)
    honest = bundle_of(ledger, next(iter(ledger.state.proposals)))
    assert signer.refused(honest) == {"JOURNAL_FORK"}
    (told,) = (one["message"] for one in signer.review(honest).json["findings"] if one["code"] == "JOURNAL_FORK")
    assert FALSE_HEAD in told and ledger.entries[1].hash in told
    assert "signed by audrey" in told and "signed by dora" in told
    earlier = signer.review(bundle).json["findings"]
    assert any(one["code"] == "GOVERNANCE_ROLLED_BACK" and "signed by dora" in one["message"] for one in earlier)


def test_a63_a_revoked_drafters_draft_is_void_offline(signer: Signer) -> None:
    ledger = founded()
    ledger.carry(ChangeKind.ENROL, Payload(officers=(officer("dirk", "drafter"),)), "ann", "bo")
    ledger.mine(HOURS_48)
    proposal_id = approved(ledger)
    ledger.carry(ChangeKind.REVOKE, Payload(name="dora"), "ann", "bo")
    bundle = bundle_of(ledger, proposal_id)
    assert trusting(signer, bundle).refused(bundle) == {"APPROVALS_MISSING"}
    answer = signer.review(bundle).json
    assert {one["officer"]: one["counts"] for one in answer["approvals"]}["dora"] is False
    assert [one["rule"] for one in answer["decision"]["missing"]] == ["drafter"]
    assert "no drafter in force" in signer.run(["psbt", "review"], bundle).stdout


def test_a120_what_follows_a_change_that_waits_is_not_settled_before_it(signer: Signer) -> None:
    """A pin holds one number: a later change whose shorter time is over stays open until the earlier one is decided."""
    ledger = founded()
    shorter = load_policy(policy_text(2, governance_waiting="1h")).to_document()
    ledger.carry(ChangeKind.ADOPT, Payload(policy=shorter), "ann", "bo")
    ledger.mine(HOURS_48 - 6)
    ledger.carry(ChangeKind.ENROL, Payload(officers=(officer("dan", "approver"),)), "ann", "bo")
    ledger.mine(12)
    ledger.carry(ChangeKind.ENROL, Payload(officers=(officer("eve", "approver"),)), "ann", "bo")
    ledger.mine(12)
    assert "eve" in ledger.gov.officers and "dan" not in ledger.gov.officers
    bundle = bundle_of(ledger, approved(ledger, "ann", "eve", "cy"))
    trusting(signer, bundle)
    assert (pin_in(signer).settled, pin_in(signer).policy_version) == (1, 2)
    assert signer.refused(bundle) == {"GOVERNANCE_UNSETTLED", "APPROVALS_MISSING"}
    ledger.mine(HOURS_48)
    trusting(signer, bundle_of(ledger, drafted(ledger)))
    assert pin_in(signer).settled == 3
    assert signer.review(bundle_of(ledger, approved(ledger, "ann", "eve", "cy"))).exit_code == 0
