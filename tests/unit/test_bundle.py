"""The bundle as a document, as an office makes it, and how it is shown."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from custody.audit.bundle import Bundle
from custody.audit.fold_bundle import fold_bundle
from custody.bitcoin.amount import FeeRate, Sats
from custody.bitcoin.psbt import PsbtOutput
from custody.bitcoin.transaction import OutPoint
from custody.codes import Code
from custody.errors import Conflict, InvalidInput
from custody.people.allowlist import AllowEntry
from custody.people.change import ChangeKind, Payload
from custody.people.statement import StatementKind
from custody.policy.load import load_policy
from custody.spend.coin_selection import FeeTarget
from custody.spend.proposal import ProposalKind
from custody.workflow.make_bundle import make_bundle
from custody.workflow.proposal_access import collected_psbt
from support.bundles import (
    COIN,
    PAID,
    VAULT,
    Signer,
    approved,
    bundle_of,
    checkpoint,
    drafted,
    edited,
    founded,
    office_of,
    pin_of,
    twin_of,
)
from support.governed import GovernedLedger, officer, policy_text, signer_of
from support.ledger import OUTSIDE
from support.rehearsal import stranger
from support.review_cases import sign

HOURS_48 = 48 * 6


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    """A signer with a folder of their own."""
    return Signer(tmp_path)


def eventful() -> tuple[GovernedLedger, str]:
    """Return a ledger in which every kind of change happened, and an approved proposal."""
    ledger = founded()
    ledger.carry(ChangeKind.ENROL, Payload(officers=(officer("dan", "board", "signer"),)), "ann", "bo")
    ledger.mine(HOURS_48)
    ledger.carry(ChangeKind.ALLOW, Payload(entry=AllowEntry("grantee", OUTSIDE, None, "a note")), "ann", "bo")
    ledger.carry(ChangeKind.REVOKE, Payload(name="dan"), "ann", "bo")
    vetoed = ledger.change(ChangeKind.ADOPT, Payload(policy=load_policy(policy_text(2, day="2000btc")).to_document()))
    ledger.propose_change(vetoed)
    ledger.sign_change(vetoed, "ann", "bo")
    ledger.sign_change(vetoed, "audrey", approves=False)
    ledger.carry(ChangeKind.SUSPEND, Payload(), "bo")
    ledger.carry(ChangeKind.RESUME, Payload(), "ann", "bo")
    ledger.propose_change(ledger.change(ChangeKind.DISALLOW, Payload(name="grantee")))
    checkpoint(ledger, "audrey", length=5)
    checkpoint(ledger, "ann")
    checkpoint(ledger, "bo", length=len(ledger.entries) - 1)
    ledger.mine(1)
    return ledger, approved(ledger)


def test_a_bundle_reads_back_as_it_was_made() -> None:
    ledger, proposal_id = eventful()
    bundle = bundle_of(ledger, proposal_id)
    raw = bundle.to_bytes()
    assert Bundle.from_bytes(raw) == bundle
    assert raw.endswith(b"}\n") and raw.isascii()


def test_a_bundle_folds_to_the_governance_of_its_office() -> None:
    ledger, proposal_id = eventful()
    folded = fold_bundle(bundle_of(ledger, proposal_id))
    ours, theirs = ledger.gov, folded.governance
    assert theirs.statements == ours.statements and len(ours.statements) == 8
    assert (theirs.officers, theirs.enrolled_keys, theirs.revoked_at) == (
        ours.officers,
        ours.enrolled_keys,
        ours.revoked_at,
    )
    assert (theirs.policy, theirs.allowlist, theirs.changes) == (ours.policy, ours.allowlist, ours.changes)
    assert folded.record.statements == ledger.state.proposals[proposal_id].statements


def test_a_bundle_holds_the_checkpoints_of_the_newest_head_alone() -> None:
    ledger, proposal_id = eventful()
    bundle = bundle_of(ledger, proposal_id)
    kept = [one.entry.body for one in bundle.governance if one.entry.kind == "checkpoint_signed"]
    assert [one["officer"] for one in kept] == ["ann", "bo"]
    assert len({str(one["head"]) for one in kept}) == 1


def test_what_counts_for_nothing_stays_out() -> None:
    ledger = founded()
    change = ledger.change(ChangeKind.REVOKE, Payload(name="audrey"))
    ledger.propose_change(change)
    statement = change.statement(VAULT.name)
    forged = signer_of("eve").sign(statement.signed_bytes, namespace=statement.kind.namespace)
    body = {"change_id": change.change_id, "officer": "ann", "approves": True, "signature": forged}
    ledger.add("change_signed", body)
    proposal_id = drafted(ledger)
    ledger.sign_proposal(proposal_id, StatementKind.APPROVE, "ann", "ann")
    assert len(ledger.gov.disregarded) == 2
    bundle = bundle_of(ledger, proposal_id)
    assert forged.encode() not in bundle.to_bytes()
    assert len(bundle.statements) == 2


def test_another_proposals_statements_stay_out() -> None:
    ledger = founded()
    other, proposal_id = approved(ledger), approved(ledger)
    bundle = bundle_of(ledger, proposal_id)
    assert {one.entry.body["proposal_id"] for one in bundle.statements} == {proposal_id}
    assert [one.group for one in bundle.claims.spends] == [other]


def test_nothing_is_made_before_the_founding() -> None:
    ledger = GovernedLedger(VAULT)
    ledger.receive(COIN)
    proposal_id = ledger.propose(ledger.draft((OUTSIDE, PAID)))
    office = office_of(ledger)
    record = office.state.proposals[proposal_id]
    with pytest.raises(Conflict) as caught:
        make_bundle(office, record, collected_psbt(record))
    assert caught.value.code is Code.NOT_FOUNDED


SPOILED: dict[str, Callable[[Any], object]] = {
    "unknown key": lambda document: document.update(more=1),
    "missing key": lambda document: document.pop("claims"),
    "unknown key in an entry": lambda document: document["governance"][0].update(note="x"),
    "unknown key in the claims": lambda document: document["claims"].update(more=1),
    "text for a number": lambda document: document["claims"]["tip"].update(height="207"),
    "a statement among governance": lambda document: document["governance"].append(document["statements"].pop()),
    "governance among statements": lambda document: document["statements"].append(document["governance"].pop()),
    "an entry twice": lambda document: document["governance"].append(document["governance"][-1]),
    "time that falls": lambda document: document["governance"][-1].update(time=0),
    "a time beyond 32 bits": lambda document: document["claims"]["tip"].update(median_time_past=2**32),
    "entries after the tip": lambda document: document["claims"]["tip"].update(median_time_past=1),
    "another journal": lambda document: document["governance"][0]["entry"].update(journal_id="other"),
    "no PSBT": lambda document: document.update(psbt=""),
    "a PSBT with a space": lambda document: document.update(psbt=document["psbt"] + "\n"),
    "a replaced proposal too many": lambda document: document["replaced"].append(document["proposal"]),
    "a signature after the tip": lambda document: document["claims"].update(
        signing_start={"position": 1, "time": 2**32 - 1}
    ),
    "a coin twice": lambda document: document["claims"]["coins"].append(document["claims"]["coins"][0]),
    "an address twice": lambda document: document["claims"]["own_addresses"].append(
        document["claims"]["own_addresses"][0]
    ),
    "an entry that saw a later time": lambda document: document["governance"][0]["entry"].update(
        tip={"height": 1, "hash": "0" * 64, "median_time_past": 2**32 - 1}
    ),
    "too many entries": lambda document: document.update(statements=document["statements"][:1] * 20_001),
    "a PSBT in another base64": lambda document: document.update(psbt=document["psbt"].rstrip("=") + "===="),
    "an entry that can't be": lambda document: document["governance"][0]["entry"].update(seq=-1),
    "a change that is none": lambda document: document["governance"][0]["entry"]["body"].update(change={}),
    "a vault that is none": lambda document: document["vault"].update(threshold=9),
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_a_document_of_another_shape_has_no_verdict(signer: Signer, spoil: Callable[[Any], object]) -> None:
    ledger = founded()
    bundle = bundle_of(ledger, approved(ledger))
    signer.trust(pin_of(bundle))
    result = signer.review(edited(bundle, spoil))
    assert (result.exit_code, result.stdout) == (6, ""), result.stderr


def test_bytes_that_are_not_canonical_have_no_verdict(signer: Signer) -> None:
    ledger = founded()
    raw = bundle_of(ledger, approved(ledger)).to_bytes()
    wrong_hash = raw.replace(b'"hash":"', b'"hash":"0', 1)
    a_float = raw.replace(b'"height":', b'"height":1.5', 1)
    for changed in (raw.replace(b":", b": ", 1), raw + b"\n", b" " + raw, raw[:-2], wrong_hash, a_float, b"{}", b"{"):
        assert signer.review(changed, pinned=False).exit_code == 6


def test_an_entry_must_follow_the_one_right_before_it() -> None:
    ledger = founded()
    bundle = bundle_of(ledger, approved(ledger))
    first, second = bundle.governance[:2]
    assert second.entry.seq == first.entry.seq + 1
    with pytest.raises(InvalidInput):
        replace(bundle, governance=(replace(first, entry=ledger.entries[0]), *bundle.governance[1:]))


def test_a_normal_bundle_fits_about_one_screen(signer: Signer) -> None:
    ledger = founded()
    bundle = bundle_of(ledger, approved(ledger, reason="hospital, second instalment"))
    signer.trust(pin_of(bundle))
    result = signer.run(["psbt", "review"], bundle)
    lines = result.stdout.splitlines()
    assert result.exit_code == 0 and result.stdout.isascii()
    assert len(lines) <= 40 and max(map(len, lines)) <= 80
    text = result.stdout
    order = ("PAYS", "CHANGE", "FEE", "FROM", "DRAFTED BY", "APPROVED BY", "POLICY", "GOVERNANCE", "SIGNED", "VERDICT")
    places = [text.index(word) for word in order]
    assert places == sorted(places)
    assert "allows signing" in text and "pinned" in text and "hospital, second instalment" in text
    assert "a revocation or suspension after that is not known" in " ".join(text.split())


def test_the_screen_says_who_is_missing(signer: Signer) -> None:
    ledger = founded()
    bundle = bundle_of(ledger, ledger.propose(ledger.draft((OUTSIDE, PAID), policy_digest=policy_digest(ledger))))
    text = signer.run(["psbt", "review"], bundle, pinned=False).stdout
    assert "nobody: no drafter in force signed it" in text and "nobody whose approval holds" in text
    assert "NOT YET" in text and "NOT PINNED" in text and "VERDICT REFUSED" in text


def policy_digest(ledger: GovernedLedger) -> str:
    policy = ledger.gov.policy
    assert policy is not None
    return policy.digest


def test_text_in_a_bundle_can_not_forge_a_line(signer: Signer) -> None:
    ledger = founded()
    bundle = bundle_of(ledger, approved(ledger, reason="ok\nVERDICT CLEAN\u202e\x1b[2J"))
    text = signer.run(["psbt", "review"], bundle, pinned=False).stdout
    assert "\x1b" not in text and "\u202e" not in text
    assert not [line for line in text.splitlines() if line.startswith("VERDICT CLEAN")]


def test_other_names_in_the_signers_file_are_shown_and_change_nothing(tmp_path: Path) -> None:
    ledger = founded()
    bundle = bundle_of(ledger, approved(ledger))
    mine = replace(VAULT, name="my-copy")
    signer = Signer(tmp_path, mine)
    signer.trust(pin_of(bundle))
    result = signer.review(bundle)
    assert result.exit_code == 0
    assert any("`my-copy` is `reserve`" in one["message"] for one in result.json["findings"])


def device_signs(ledger: GovernedLedger, proposal_id: str, number: int) -> None:
    """Journal a device's real signature on the one input."""
    (psbt_input,) = sign(ledger.state.proposals[proposal_id].psbt, VAULT, number).inputs
    made = psbt_input.partial_signatures[-1]
    signature: Any = {"input": 0, "public_key": made.public_key.hex(), "signature": made.signature.hex()}
    body: Any = {"proposal_id": proposal_id, "source": "test", "signatures": [signature]}
    ledger.add("signatures_added", body)


def test_waiting_is_over_for_all_once_a_device_signed_after_it(signer: Signer) -> None:
    ledger = founded(policy=policy_text(waiting="48h"))
    proposal_id = approved(ledger)
    early = bundle_of(ledger, proposal_id)
    signer.trust(pin_of(early))
    assert signer.refused(early) == {"APPROVALS_MISSING"}
    ledger.mine(HOURS_48)
    device_signs(ledger, proposal_id, 1)
    begun = bundle_of(ledger, proposal_id)
    assert begun.claims.signing_start is not None
    assert signer.review(begun).exit_code == 0


def test_a_device_that_signs_early_ends_no_waiting(signer: Signer) -> None:
    """One holder of a device can't hurry the others, whatever the office thinks of it."""
    ledger = founded(policy=policy_text(waiting="48h"))
    proposal_id = approved(ledger)
    device_signs(ledger, proposal_id, 1)
    bundle = bundle_of(ledger, proposal_id)
    signer.trust(pin_of(bundle))
    assert signer.refused(bundle) == {"APPROVALS_MISSING"}


def test_a_claimed_start_without_a_signature_counts_for_nothing(signer: Signer) -> None:
    ledger = founded(policy=policy_text(waiting="48h"))
    bundle = bundle_of(ledger, approved(ledger))
    signer.trust(pin_of(bundle))
    for position in (0, 10_000):
        claim = {"position": position, "time": bundle.claims.time}
        content = edited(bundle, lambda document, claim=claim: document["claims"].update(signing_start=claim))
        assert signer.refused(content) == {"APPROVALS_MISSING"}


def test_a_revocation_after_the_first_signature_still_voids_for_a_signer(signer: Signer) -> None:
    """The office counts the approval on; where the first signature stood in the journal is only its word."""
    ledger = founded()
    ledger.carry(ChangeKind.ENROL, Payload(officers=(officer("dan", "board"),)), "ann", "bo")
    ledger.mine(HOURS_48)
    proposal_id = approved(ledger)
    device_signs(ledger, proposal_id, 1)
    ledger.carry(ChangeKind.REVOKE, Payload(name="cy"), "ann", "bo")
    bundle = bundle_of(ledger, proposal_id)
    signer.trust(pin_of(bundle))
    assert signer.refused(bundle) == {"APPROVALS_MISSING"}
    ledger.sign_proposal(proposal_id, StatementKind.APPROVE, "dan")
    assert signer.review(bundle_of(ledger, proposal_id)).exit_code == 0


def test_an_unproven_amount_is_never_decided(signer: Signer) -> None:
    ledger = founded()
    bundle = bundle_of(ledger, approved(ledger))
    bare = bundle.psbt.with_input(0, replace(bundle.psbt.inputs[0], non_witness_utxo=None))
    signer.trust(pin_of(bundle))
    found = signer.refused(replace(bundle, psbt=bare))
    assert found >= {"POLICY_DENIED", "MISSING_NON_WITNESS_UTXO"}


def test_an_output_without_an_address_is_a_payee_too(signer: Signer) -> None:
    ledger = founded()
    bundle = bundle_of(ledger, approved(ledger))
    outputs = (*bundle.psbt.outputs, PsbtOutput(Sats(0), b"\x6a\x04note"))
    found = signer.refused(replace(bundle, psbt=replace(bundle.psbt, outputs=outputs)), pinned=False)
    assert found >= {"TXID_NOT_APPROVED", "NO_TRUST_PIN"}


def test_a_bundle_without_a_founding_is_refused(signer: Signer) -> None:
    ledger = founded()
    bundle = bundle_of(ledger, approved(ledger))
    signer.trust(pin_of(bundle))
    empty = replace(bundle, governance=(), statements=())
    assert signer.refused(empty) == {"PIN_MISMATCH", "POLICY_DENIED"}
    assert "nothing is founded" in signer.run(["psbt", "review"], empty).stdout


def test_an_address_of_ours_is_never_held_for_less_than_it_gets(signer: Signer) -> None:
    capped = policy_text().replace("address_cap: unlimited", "address_cap: 1000000sat")
    ledger = founded(policy=capped)
    bundle = bundle_of(ledger, drafted(ledger))

    def lower(document: Any) -> None:
        document["claims"]["own_addresses"][0]["balance_after_sats"] = 0

    signer.trust(pin_of(bundle))
    denied = [
        [one["message"] for one in signer.review(content).json["findings"] if one["code"] == "POLICY_DENIED"]
        for content in (bundle, edited(bundle, lower))
    ]
    assert denied[0] == denied[1] and any("address_cap" in one for one in denied[0])


def bumped(ledger: GovernedLedger, first: str, *names: str) -> str:
    """Draft a bump of a proposal, and let officers approve it."""
    old = ledger.state.proposals[first].proposal
    bump = ledger.propose(
        ledger.draft(
            (OUTSIDE, PAID),
            kind=ProposalKind.BUMP,
            fee=FeeTarget(FeeRate(2 * old.fee_rate.sat_kvb)),
            policy_digest=policy_digest(ledger),
            drafter="dora",
            named=old.inputs,
            replaced=frozenset(ledger.state.proposals),
            replaces=first,
            replaces_txid=old.unsigned_txid,
        )
    )
    ledger.sign_proposal(bump, StatementKind.PROPOSE, "dora")
    ledger.sign_proposal(bump, StatementKind.APPROVE, *names)
    return bump


def test_a_bump_of_what_was_approved_needs_its_own_approvals_alone(signer: Signer) -> None:
    ledger = founded()
    first = approved(ledger)
    bundle = bundle_of(ledger, bumped(ledger, first, "ann"))
    assert [one.proposal_id for one in bundle.replaced] == [first]
    signer.trust(pin_of(bundle))
    earlier = signer.folder / "first.bundle"
    earlier.write_bytes(bundle_of(twin_of(ledger), first).to_bytes())
    result = signer.review(bundle, "--earlier", earlier)
    assert result.exit_code == 0, result.stdout
    found = {one["code"]: one["severity"] for one in result.json["findings"]}
    assert found["ALREADY_SIGNED_SAME_OUTPOINTS"] == "note"
    assert [one["officer"] for one in result.json["approvals"]] == ["dora", "ann"]

    def forget(document: Any) -> None:
        document["replaced"] = []

    assert signer.review(edited(bundle, forget)).exit_code == 6


def test_a_bump_of_what_nobody_approved_needs_the_payments_approvals_too(signer: Signer) -> None:
    ledger = founded()
    bundle = bundle_of(ledger, bumped(ledger, drafted(ledger), "ann"))
    signer.trust(pin_of(bundle))
    assert signer.refused(bundle) == {"APPROVALS_MISSING"}
    full = bundle_of(ledger, bumped(ledger, drafted(ledger), "ann", "bo", "cy"))
    assert signer.review(full).exit_code == 0


def test_a_bump_of_a_bump_goes_back_to_the_payment(signer: Signer) -> None:
    ledger = founded()
    once = bumped(ledger, approved(ledger), "bo")
    bundle = bundle_of(ledger, bumped(ledger, once, "ann"))
    assert len(bundle.replaced) == 2
    signer.trust(pin_of(bundle))
    assert signer.review(bundle).exit_code == 0

    def drop_an_approval_of_the_payment(document: Any) -> None:
        del document["statements"][1]

    assert signer.refused(edited(bundle, drop_an_approval_of_the_payment)) == {"APPROVALS_MISSING"}


def test_a_proposal_of_another_vault_is_refused(signer: Signer) -> None:
    ledger = founded()
    bundle = bundle_of(ledger, approved(ledger))
    signer.trust(pin_of(bundle))
    other = replace(bundle, proposal=replace(bundle.proposal, vault_id="11" * 32))
    assert signer.refused(other) >= {"BUNDLE_MISMATCH", "APPROVALS_MISSING"}


def test_an_entry_that_a_checkpoint_counted_can_not_be_another(signer: Signer) -> None:
    """Nothing of it is signed but the head: whoever edits an unsigned field of that very entry is found."""
    ledger = founded()
    last = max(one.seq for one in ledger.entries if one.kind == "change_signed")
    checkpoint(ledger, "audrey", length=last + 1)
    bundle = bundle_of(ledger, approved(ledger))
    signer.trust(pin_of(bundle))
    assert signer.review(bundle).exit_code == 0

    def rename(document: Any) -> None:
        next(one for one in document["governance"] if one["entry"]["seq"] == last)["entry"]["actor"] = "somebody"

    assert signer.refused(edited(bundle, rename)) == {"JOURNAL_FORK"}


def test_a_payment_drafted_under_an_older_policy_is_denied(signer: Signer) -> None:
    ledger = founded()
    proposal_id = approved(ledger)
    stricter = Payload(policy=load_policy(policy_text(2, day="500btc")).to_document())
    ledger.carry(ChangeKind.ADOPT, stricter, "ann", "bo")
    bundle = bundle_of(ledger, proposal_id)
    signer.trust(pin_of(bundle))
    assert signer.refused(bundle) == {"POLICY_DENIED"}
    assert "under another policy" in str(signer.review(bundle).json["decision"]["reasons"])


def test_an_allowlisted_payee_is_found_by_derivation(signer: Signer) -> None:
    ledger = founded()
    ledger.carry(ChangeKind.ALLOW, Payload(entry=AllowEntry("grantee", OUTSIDE, None, None)), "ann", "bo")
    ledger.mine(24 * 6)
    bundle = bundle_of(ledger, approved(ledger, "ann", "bo"))
    signer.trust(pin_of(bundle))
    assert signer.review(bundle).exit_code == 0
    other = bundle_of(ledger, _to_a_stranger(ledger))
    assert signer.refused(other) == {"APPROVALS_MISSING"}


def _to_a_stranger(ledger: GovernedLedger) -> str:
    proposal_id = drafted(ledger, (stranger(5), PAID))
    ledger.sign_proposal(proposal_id, StatementKind.APPROVE, "ann", "bo")
    return proposal_id


def test_claims_of_an_office_are_what_it_decided_on() -> None:
    ledger = founded()
    bundle = bundle_of(ledger, approved(ledger))
    (coin,) = bundle.claims.coins
    assert coin.outpoint == OutPoint.parse(str(bundle.psbt.inputs[0].outpoint))
    assert (coin.confirmations, coin.is_frozen, bundle.claims.height) == (6, False, ledger.height)
    assert bundle.claims.time == ledger.gov.time


@pytest.mark.parametrize("module", ["custody.workflow.review_bundle", "custody.workflow.pin_governance"])
def test_a_review_loads_neither_chain_nor_workspace(module: str) -> None:
    """Not by any module on the way either."""
    look = f"import sys, {module}; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", look], check=True, capture_output=True, text=True).stdout
    assert "custody.chain" not in found and "custody.workspace" not in found
