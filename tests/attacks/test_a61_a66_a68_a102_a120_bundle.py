"""A61, A63, A66, A68, A101, A102, A119, A120 against a signer offline: a bundle made by whoever owns the office."""

import hashlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from custody.audit.bundle import Bundle
from custody.bitcoin.address import script_of
from custody.bitcoin.amount import FeeRate, Sats
from custody.bitcoin.psbt import Psbt
from custody.people.allowlist import AllowEntry
from custody.people.change import ChangeKind, Payload
from custody.people.statement import StatementKind, proposal_statement
from custody.policy.load import load_policy
from custody.spend.coin_selection import FeeTarget
from custody.spend.draft import Draft
from custody.spend.proposal import ChangeOutput
from support.bundles import (
    PAID,
    VAULT,
    Signer,
    approved,
    bundle_of,
    checkpoint,
    drafted,
    edited,
    forged,
    founded,
    pin_of,
    twin_of,
)
from support.governed import GovernedLedger, officer, policy_text, signer_of
from support.ledger import OUTSIDE
from support.rehearsal import stranger
from support.review_cases import simulated_vault

HOURS_48 = 48 * 6
THIEF = stranger(666)
ENTRY = AllowEntry("grantee", OUTSIDE, None, None)
VERIFIED = ("unsigned_txid", "inputs", "outputs", "fee_sats", "proposal", "approvals", "governance")
"""Keys of a review that no claim enters."""


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    """A signer who has a folder, and a pin once a test says so."""
    return Signer(tmp_path)


def trusting(signer: Signer, bundle: Bundle) -> Signer:
    signer.trust(pin_of(bundle))
    return signer


def test_a102_an_honest_bundle_is_accepted_by_the_pin(signer: Signer) -> None:
    ledger = founded()
    bundle = bundle_of(ledger, approved(ledger))
    result = trusting(signer, bundle).review(bundle)
    assert result.exit_code == 0, result.stdout
    answer = result.json
    assert answer["decision"]["allowed"] is True and answer["governance"]["pinned"] is True
    assert [one["officer"] for one in answer["approvals"]] == ["dora", "ann", "bo", "cy"]
    assert answer["approvals"][1]["fingerprint"] == signer_of("ann").public.fingerprint


def test_a102_without_a_pin_everything_is_refused_and_still_shown(signer: Signer) -> None:
    ledger = founded()
    bundle = bundle_of(ledger, approved(ledger))
    assert signer.refused(bundle, pinned=False) == {"NO_TRUST_PIN"}
    assert "APPROVED BY ann" in signer.run(["psbt", "review"], bundle, pinned=False).stdout


def test_a102_a_bundle_never_brings_its_own_officers(signer: Signer) -> None:
    """The whole governance is sound, signed by officers whom the signer never heard of."""
    honest = founded()
    trusting(signer, bundle_of(honest, drafted(honest)))
    ledger = GovernedLedger(VAULT)
    ledger.mine(1)
    gang = (officer("mal", "drafter"), officer("mo", "administrator", "approver"),
            officer("mu", "administrator", "approver"), officer("my", "board"))  # fmt: skip
    payload = Payload(officers=gang, policy=load_policy(policy_text()).to_document())
    ledger.carry(ChangeKind.FOUND, payload, *[one.name for one in gang])
    ledger.receive(50_000_000)
    policy = ledger.gov.policy
    assert policy is not None
    theirs = ledger.propose(ledger.draft((THIEF, PAID), policy_digest=policy.digest, drafter="mal"))
    ledger.sign_proposal(theirs, StatementKind.PROPOSE, "mal")
    ledger.sign_proposal(theirs, StatementKind.APPROVE, "mo", "mu", "my")
    bundle = bundle_of(ledger, theirs)
    assert signer.refused(bundle) == {"PIN_MISMATCH"}
    assert signer.refused(bundle, pinned=False) == {"NO_TRUST_PIN"}


def test_a102_a_second_history_after_the_pin_is_refused(signer: Signer) -> None:
    ledger = founded()
    twin = twin_of(ledger)
    ledger.carry(ChangeKind.ALLOW, Payload(entry=ENTRY), "ann", "bo")
    twin.carry(ChangeKind.ALLOW, Payload(entry=AllowEntry("other", THIEF, None, None)), "ann", "bo")
    trusting(signer, bundle_of(ledger, drafted(ledger)))
    assert signer.refused(bundle_of(twin, approved(twin))) == {"PIN_MISMATCH"}


def with_revocation() -> tuple[GovernedLedger, str, Bundle, Bundle]:
    """Return a ledger, a proposal that cy's successor approved too, and its bundle before and after cy's revocation."""
    ledger = founded()
    ledger.carry(ChangeKind.ENROL, Payload(officers=(officer("dan", "board", "signer"),)), "ann", "bo")
    ledger.mine(HOURS_48)
    proposal_id = approved(ledger)
    before = bundle_of(ledger, proposal_id)
    ledger.carry(ChangeKind.REVOKE, Payload(name="cy"), "ann", "bo")
    return ledger, proposal_id, before, bundle_of(ledger, proposal_id)


def test_a63_a_revoked_officers_approval_is_void(signer: Signer) -> None:
    """Wherever it stands: the order of entries is the forger's, so a key that the bundle shows revoked never counts."""
    ledger, proposal_id, before, after = with_revocation()
    assert trusting(signer, before).review(before).exit_code == 0
    answer = signer.review(after)
    assert signer.refused(after) == {"APPROVALS_MISSING"}
    assert {one["officer"]: one["counts"] for one in answer.json["approvals"]} == {
        "dora": True, "ann": True, "bo": True, "cy": False,
    }  # fmt: skip
    ledger.sign_proposal(proposal_id, StatementKind.APPROVE, "dan")
    assert signer.review(bundle_of(ledger, proposal_id)).exit_code == 0


def test_a63_an_approval_after_the_revocation_counts_for_nothing(signer: Signer) -> None:
    ledger, _, _, after = with_revocation()
    trusting(signer, after)
    proposal_id = drafted(ledger)
    ledger.sign_proposal(proposal_id, StatementKind.APPROVE, "ann", "bo", "cy")
    bundle = bundle_of(ledger, proposal_id)
    cys = next(one for one in ledger.entries if one.kind == "proposal_statement" and one.body["officer"] == "cy"
               and one.body["proposal_id"] == proposal_id)  # fmt: skip

    def add(document: Any) -> None:
        item = {**document["statements"][-1]}
        item["entry"] = {**item["entry"], "seq": cys.seq, "body": dict(cys.body)}
        document["statements"].append(item)

    assert signer.refused(bundle) == {"APPROVALS_MISSING"}
    assert signer.refused(edited(bundle, add)) == {"APPROVALS_MISSING", "APPROVER_NOT_AUTHORISED"}


def test_a101_a_rolled_back_bundle_is_refused(signer: Signer) -> None:
    _, _, before, after = with_revocation()
    trusting(signer, after)
    assert signer.refused(before) == {"GOVERNANCE_ROLLED_BACK"}


def test_a101_the_end_of_governance_cut_off_is_refused(signer: Signer) -> None:
    _, _, _, after = with_revocation()
    trusting(signer, after)

    def cut(document: Any) -> None:
        document["governance"] = document["governance"][:-3]

    assert "GOVERNANCE_ROLLED_BACK" in signer.refused(edited(after, cut))


def test_a101_an_approval_shows_a_statement_that_is_left_out(signer: Signer) -> None:
    """The pin has not seen the newest change, but a person who approved had."""
    ledger = founded()
    trusting(signer, bundle_of(ledger, drafted(ledger)))
    ledger.carry(ChangeKind.ALLOW, Payload(entry=ENTRY), "ann", "bo")
    bundle = bundle_of(ledger, approved(ledger))
    assert signer.review(bundle).exit_code == 0

    def cut(document: Any) -> None:
        document["governance"] = document["governance"][:-3]

    assert "GOVERNANCE_GAP" in signer.refused(edited(bundle, cut))


def test_a101_a_checkpoint_shows_a_statement_that_is_left_out(signer: Signer) -> None:
    ledger = founded()
    proposal_id = approved(ledger)
    trusting(signer, bundle_of(ledger, proposal_id))
    ledger.carry(ChangeKind.ALLOW, Payload(entry=ENTRY), "ann", "bo")
    checkpoint(ledger, "audrey")
    bundle = bundle_of(ledger, proposal_id)
    assert signer.review(bundle).exit_code == 0

    def cut(document: Any) -> None:
        document["governance"] = [*document["governance"][:-4], document["governance"][-1]]

    assert "GOVERNANCE_GAP" in signer.refused(edited(bundle, cut))


@pytest.mark.parametrize("left_out", range(3), ids=["the change", "a signature", "the completing signature"])
def test_a102_an_entry_missing_in_the_middle_is_a_gap(signer: Signer, left_out: int) -> None:
    ledger = founded()
    trusting(signer, bundle_of(ledger, drafted(ledger)))
    ledger.carry(ChangeKind.ALLOW, Payload(entry=ENTRY), "ann", "bo")
    ledger.carry(ChangeKind.DISALLOW, Payload(name="grantee"), "ann", "bo")
    bundle = bundle_of(ledger, approved(ledger))
    assert signer.review(bundle).exit_code == 0

    def cut(document: Any) -> None:
        del document["governance"][-6 + left_out]

    assert "GOVERNANCE_GAP" in signer.refused(edited(bundle, cut))


def test_a101_a_shorter_checkpoint_than_the_pin_has_seen_is_refused(signer: Signer) -> None:
    ledger = founded()
    proposal_id = approved(ledger)
    checkpoint(ledger, "audrey")
    old = bundle_of(ledger, proposal_id)
    checkpoint(ledger, "audrey")
    trusting(signer, bundle_of(ledger, proposal_id))
    assert signer.refused(old) == {"GOVERNANCE_ROLLED_BACK"}

    def drop(document: Any) -> None:
        document["governance"] = [one for one in document["governance"] if one["entry"]["kind"] != "checkpoint_signed"]

    assert signer.refused(edited(old, drop)) == {"GOVERNANCE_ROLLED_BACK"}


def test_a102_a_checkpoint_of_equal_length_with_another_head_is_a_fork(signer: Signer) -> None:
    ledger = founded()
    proposal_id = approved(ledger)
    twin = twin_of(ledger)
    for one, label in ((ledger, "a"), (twin, "b")):
        one.issue(7, label)
        checkpoint(one, "audrey")
    trusting(signer, bundle_of(ledger, proposal_id))
    assert signer.refused(bundle_of(twin, proposal_id)) == {"JOURNAL_FORK"}


def test_a120_an_old_policy_is_refused_though_its_statements_are_whole(signer: Signer) -> None:
    """A forger sets the clock so that an adopted policy is still waiting: the pin's owner settled it."""
    ledger = founded()
    proposal_id = approved(ledger)
    weaker = Payload(policy=load_policy(policy_text(2, routine="20btc")).to_document())
    ledger.carry(ChangeKind.ADOPT, weaker, "ann", "bo")
    waiting = bundle_of(ledger, proposal_id)
    ledger.mine(HOURS_48)
    trusting(signer, bundle_of(ledger, proposal_id))
    assert signer.refused(waiting) == {"POLICY_VERSION_OLD"}

    def later(document: Any) -> None:
        # With a later clock, the adoption itself was later, so that it waits still.
        time = document["claims"]["tip"]["median_time_past"] + 72 * 3_600
        document["claims"]["tip"]["median_time_past"] = time
        document["governance"][-1]["time"] = time

    assert signer.refused(edited(waiting, later)) == {"POLICY_VERSION_OLD"}


def test_a120_a_bare_psbt_in_place_of_a_bundle_is_refused(signer: Signer) -> None:
    ledger = founded()
    bundle = bundle_of(ledger, approved(ledger))
    trusting(signer, bundle)
    for content in (bundle.psbt.serialize(), bundle.psbt.to_base64().encode()):
        assert signer.refused(content) == {"APPROVALS_MISSING"}
    assert signer.review(bundle.psbt.serialize(), pinned=False).exit_code == 0


@pytest.mark.parametrize("tag", ["custody-bundle/0", "custody-bundle/2", "custody-vault/1", None])
def test_a120_another_format_has_no_verdict(signer: Signer, tag: str | None) -> None:
    ledger = founded()
    bundle = bundle_of(ledger, approved(ledger))

    def retag(document: Any) -> None:
        document["format"] = tag

    result = trusting(signer, bundle).review(edited(bundle, retag))
    assert (result.exit_code, result.stdout) == (6, "")


def paying(psbt: Psbt, address: str) -> Psbt:
    """Return the PSBT with its payment to another address."""
    return replace(
        psbt,
        outputs=tuple(
            replace(one, script_pubkey=script_of(address, VAULT.network)) if one.value == PAID else one
            for one in psbt.outputs
        ),
    )


def test_a66_a_swapped_psbt_is_not_what_was_approved(signer: Signer) -> None:
    ledger = founded()
    bundle = bundle_of(ledger, approved(ledger))
    swapped = paying(bundle.psbt, THIEF)

    def swap(document: Any) -> None:
        document["psbt"] = swapped.to_base64()

    found = trusting(signer, bundle).refused(edited(bundle, swap))
    assert found == {"TXID_NOT_APPROVED"}
    shown = signer.review(edited(bundle, swap)).json
    assert THIEF in {one["address"] for one in shown["outputs"]}


def test_a66_a_psbt_and_its_proposal_swapped_together_lose_the_approvals(signer: Signer) -> None:
    ledger = founded()
    bundle = bundle_of(ledger, approved(ledger))
    swapped = paying(bundle.psbt, THIEF)
    proposal = replace(
        bundle.proposal,
        destinations=(replace(bundle.proposal.destinations[0], address=THIEF),),
        unsigned_transaction=swapped.unsigned_transaction(),
    )

    def swap(document: Any) -> None:
        document["psbt"], document["proposal"] = swapped.to_base64(), proposal.to_document()
        for one in document["statements"]:
            one["entry"]["body"]["proposal_id"] = proposal.proposal_id

    assert trusting(signer, bundle).refused(edited(bundle, swap)) == {"APPROVER_NOT_AUTHORISED", "APPROVALS_MISSING"}


def lying(ledger: GovernedLedger, lie: Callable[[Draft], dict[str, Any]]) -> Bundle:
    """Return the bundle of a proposal whose words are a lie that everybody signed: its transaction is another."""
    policy = ledger.gov.policy
    assert policy is not None
    draft = ledger.draft((OUTSIDE, PAID), policy_digest=policy.digest, drafter="dora")
    proposal = replace(draft.proposal, **lie(draft))
    return forged(ledger, proposal, ledger.psbt_of(draft), "ann", "bo", "cy")


def test_a66_a_fee_that_people_were_shown_smaller_is_found(signer: Signer) -> None:
    bundle = lying(founded(), lambda draft: {"fee": Sats(draft.proposal.fee - 500)})
    assert trusting(signer, bundle).refused(bundle) == {"BUNDLE_MISMATCH"}


def test_a66_a_payment_that_people_were_shown_as_change_is_found(signer: Signer) -> None:
    def lie(draft: Draft) -> dict[str, Any]:
        hidden = ChangeOutput(1, 9, OUTSIDE, Sats(PAID))
        return {"destinations": (), "change": (*draft.proposal.change, hidden)}

    bundle = lying(founded(), lie)
    assert "BUNDLE_MISMATCH" in trusting(signer, bundle).refused(bundle)


@contextmanager
def opened(name: str) -> Iterator[list[str]]:
    """Collect how often a file of that name is opened: an audit hook sees every one."""
    seen: list[str] = []
    active = True

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if active and event == "open" and str(arguments[0]).endswith(name):
            seen.append(str(arguments[0]))

    sys.addaudithook(hook)
    try:
        yield seen
    finally:
        active = False


def test_a68_a_bundle_is_read_once(signer: Signer) -> None:
    """Whoever swaps the file between the look and the verdict finds nobody looking a second time."""
    ledger = founded()
    bundle = bundle_of(ledger, approved(ledger))
    trusting(signer, bundle)
    path = signer.folder / "payment.bundle"
    path.write_bytes(bundle.to_bytes())
    with opened("payment.bundle") as seen:
        result = signer.review(bundle)
    reads = len(seen) - 1  # the helper writes it once
    assert (result.exit_code, reads) == (0, 1)


def test_a68_a_link_to_a_bundle_is_not_followed(signer: Signer) -> None:
    ledger = founded()
    bundle = bundle_of(ledger, approved(ledger))
    trusting(signer, bundle)
    (signer.folder / "real.bundle").write_bytes(bundle.to_bytes())
    (signer.folder / "trust-link.yaml").symlink_to(signer.folder / "trust.yaml")
    result = signer.review(bundle, "--pin", signer.folder / "trust-link.yaml", pinned=False)
    assert (result.exit_code, result.stdout) == (6, "")


def test_a61_approvals_of_another_proposal_count_for_nothing(signer: Signer) -> None:
    ledger = founded()
    good, bare = bundle_of(ledger, approved(ledger)), drafted(ledger, (THIEF, PAID))
    bundle = bundle_of(ledger, bare)
    trusting(signer, bundle)
    assert signer.refused(bundle) == {"APPROVALS_MISSING"}
    last = bundle.entries[-1].entry.seq

    def transplant(document: Any) -> None:
        for place, timed in enumerate(good.statements[1:], start=1):
            item = timed.to_document()
            item["time"] = document["claims"]["tip"]["median_time_past"]
            item["entry"]["seq"] = last + place  # type: ignore[call-overload, index]
            document["statements"].append(item)

    assert signer.refused(edited(bundle, transplant)) == {"APPROVER_NOT_AUTHORISED", "APPROVALS_MISSING"}

    def rename(document: Any) -> None:
        transplant(document)
        for item in document["statements"]:
            item["entry"]["body"]["proposal_id"] = bare

    assert signer.refused(edited(bundle, rename)) == {"APPROVER_NOT_AUTHORISED", "APPROVALS_MISSING"}


LINES = {
    "vault id": "11" * 32,
    "network": "main",
    "unsigned txid": "22" * 32,
    "fee": "0.00000001 BTC (1 sat)",
    "reason": '"salaries"',
    "policy digest": "33" * 32,
    "nonce": "44" * 16,
    "expires": "2031-01-01T00:00:00Z",
    "kind of payment": "emergency",
}
"""What an approval of something else would say in place of this proposal's own line."""


@pytest.mark.parametrize("label", LINES)
def test_a61_an_approval_of_another_vault_network_or_payment_counts_for_nothing(signer: Signer, label: str) -> None:
    ledger = founded()
    bundle = bundle_of(ledger, approved(ledger))
    head = ledger.gov.head
    assert head is not None
    right = proposal_statement(StatementKind.APPROVE, bundle.proposal, vault_name=VAULT.name, governance=head)
    text = "".join(
        f"{label}: {LINES[label]}\n" if line.startswith(f"{label}: ") else line
        for line in right.text.splitlines(keepends=True)
    )
    assert text != right.text
    signature = signer_of("cy").sign(text.encode(), namespace=right.kind.namespace)

    def replace_cys(document: Any) -> None:
        document["statements"][-1]["entry"]["body"]["signature"] = signature

    found = trusting(signer, bundle).refused(edited(bundle, replace_cys))
    assert found == {"APPROVER_NOT_AUTHORISED", "APPROVALS_MISSING"}


def test_a61_a_bundle_of_another_vault_is_refused_at_once(signer: Signer) -> None:
    other = founded(simulated_vault(3, 3))
    result = signer.review(bundle_of(other, approved(other)), pinned=False)
    assert (result.exit_code, result.stdout, result.error["error"]) == (3, "", "VAULT_MISMATCH")


def test_a61_a_pin_of_another_vault_is_refused(signer: Signer) -> None:
    ledger = founded()
    bundle = bundle_of(ledger, approved(ledger))
    signer.trust(replace(pin_of(bundle), vault_id="55" * 32))
    assert signer.refused(bundle) == {"PIN_MISMATCH"}


@pytest.mark.parametrize("place", [0, 1, 3], ids=["the drafter's", "an approver's", "the board's"])
def test_a63_a_removed_statement_is_missed(signer: Signer, place: int) -> None:
    ledger = founded()
    bundle = bundle_of(ledger, approved(ledger))

    def remove(document: Any) -> None:
        del document["statements"][place]

    assert "APPROVALS_MISSING" in trusting(signer, bundle).refused(edited(bundle, remove))


def test_a63_one_approval_twice_fills_one_place(signer: Signer) -> None:
    ledger = founded()
    bundle = bundle_of(ledger, approved(ledger, "ann", "cy"))

    def repeat(document: Any) -> None:
        anns = document["statements"][1]
        entry = {**anns["entry"], "seq": document["statements"][-1]["entry"]["seq"] + 1}
        document["statements"].append({"entry": entry, "time": anns["time"]})

    found = trusting(signer, bundle).refused(edited(bundle, repeat))
    assert found == {"APPROVER_NOT_AUTHORISED", "APPROVALS_MISSING"}


@pytest.mark.parametrize(
    "edit",
    [
        lambda claims: claims["coins"][0].update(confirmations=0),
        lambda claims: claims["coins"][0].update(frozen=True),
        lambda claims: claims["coins"][0].update(label="somebody else's"),
        lambda claims: claims["own_addresses"][0].update(was_used=True, balance_after_sats=0),
        lambda claims: claims["tip"].update(height=1, median_time_past=2**32 - 1),
        lambda claims: claims["spends"].append({"group": "66" * 32, "amount_sats": 10**12, "since": 1, "ended": None}),
        lambda claims: claims["outflows"].append({"amount_sats": 10**12, "time": 2**32 - 1}),
        lambda claims: claims.update(coins=[], own_addresses=[]),
    ],
)
def test_a66_edited_claims_change_nothing_that_is_verified(signer: Signer, edit: Callable[[Any], object]) -> None:
    ledger = founded()
    bundle = bundle_of(ledger, approved(ledger))
    before = trusting(signer, bundle).review(bundle).json
    result = signer.review(edited(bundle, lambda document: edit(document["claims"])))
    assert result.exit_code in (0, 3)
    assert {key: result.json[key] for key in VERIFIED} == {key: before[key] for key in VERIFIED}


def test_a66_claims_about_other_coins_are_refused(signer: Signer) -> None:
    ledger = founded()
    bundle = bundle_of(ledger, approved(ledger))

    def edit(document: Any) -> None:
        document["claims"]["coins"] = []

    assert trusting(signer, bundle).refused(edited(bundle, edit)) == {"BUNDLE_MISMATCH", "POLICY_DENIED"}


def test_a30_a119_an_earlier_bundle_is_remembered(signer: Signer) -> None:
    """Three offices' worth of payments of one coin: the same again at a higher fee, and one to somebody else."""
    first, again, other = founded(), founded(), founded()
    earlier = signer.folder / "earlier.bundle"
    earlier.write_bytes(bundle_of(first, approved(first)).to_bytes())
    bundle = bundle_of(again, approved(again, fee=FeeTarget(FeeRate(6_000))))
    assert bundle.proposal.inputs == Bundle.from_bytes(earlier.read_bytes()).proposal.inputs
    result = trusting(signer, bundle).review(bundle, "--earlier", earlier)
    assert result.exit_code == 0
    assert "ALREADY_SIGNED_SAME_OUTPOINTS" in {one["code"] for one in result.json["findings"]}
    diverted = drafted(other, (THIEF, PAID))
    other.sign_proposal(diverted, StatementKind.APPROVE, "ann", "bo", "cy")
    assert signer.refused(bundle_of(other, diverted), "--earlier", earlier) == {"REPLACEMENT_CHANGES_PAYEE"}


def test_a102_a_governance_signature_by_somebody_else_counts_for_nothing(signer: Signer) -> None:
    ledger = founded()
    trusting(signer, bundle_of(ledger, drafted(ledger)))
    change = ledger.change(ChangeKind.REVOKE, Payload(name="audrey"))
    ledger.propose_change(change)
    ledger.sign_change(change, "ann", "bo")
    bundle = bundle_of(ledger, approved(ledger))
    statement = change.statement(VAULT.name)
    forged = signer_of("eve").sign(statement.signed_bytes, namespace=statement.kind.namespace)

    def forge(document: Any) -> None:
        document["governance"][-1]["entry"]["body"]["signature"] = forged

    assert "AUTHORITY_REFUSED" in signer.refused(edited(bundle, forge))


def test_a102_suspended_spending_is_seen_offline(signer: Signer) -> None:
    ledger = founded()
    proposal_id = approved(ledger)
    ledger.carry(ChangeKind.SUSPEND, Payload(), "ann")
    bundle = bundle_of(ledger, proposal_id)
    assert trusting(signer, bundle).refused(bundle) == {"POLICY_DENIED"}


def test_a102_every_byte_counts(signer: Signer) -> None:
    """A bundle with any byte changed is refused or no bundle; what a claim may say is tried above."""
    ledger = founded()
    bundle = bundle_of(ledger, approved(ledger))
    trusting(signer, bundle)
    raw = bundle.to_bytes()
    end_of_claims = raw.index(b'"governance":')
    for step in range(60):
        at = end_of_claims + int(hashlib.sha256(b"%d" % step).hexdigest(), 16) % (len(raw) - end_of_claims)
        changed = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        assert signer.review(changed).exit_code in (3, 6), (at, raw[at - 40 : at + 40])
