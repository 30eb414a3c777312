"""The trust pin: read strictly, written once, carried on after a comparison, never back."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from custody.audit.trust_pin import SeenCheckpoint, TrustPin
from custody.codes import Code
from custody.errors import CheckFailed, InvalidInput
from custody.people.allowlist import AllowEntry
from custody.people.change import ChangeKind, Payload
from custody.people.statement import GovernanceRef
from support.bundles import Signer, approved, bundle_of, checkpoint, drafted, edited, founded, pin_of, twin_of
from support.governed import ROLES, GovernedLedger, officer, signer_of
from support.ledger import OUTSIDE
from support.review_cases import simulated_vault

SEEN = SeenCheckpoint(40, "44" * 32, ("audrey", "bo"))
PIN = TrustPin("11" * 32, "22" * 32, GovernanceRef(3, "33" * 32), 2, 2, SEEN)
ENTRY = AllowEntry("grantee", OUTSIDE, None, None)


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    """A signer with a folder of their own."""
    return Signer(tmp_path)


def create(signer: Signer, bundle: Any, *options: str, stdin: str | None = None) -> Any:
    return signer.run(["pin", "create"], bundle, *options, "--json", stdin=stdin)


def advance(signer: Signer, bundle: Any, *options: str, stdin: str | None = None) -> Any:
    return signer.run(["pin", "advance"], bundle, *options, "--json", stdin=stdin)


@pytest.mark.parametrize("pin", [PIN, replace(PIN, checkpoint=None), replace(PIN, settled=0)])
def test_a_pin_reads_back_as_it_was_written(pin: TrustPin) -> None:
    assert TrustPin.from_bytes(pin.to_bytes()) == pin


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text + "more: 1\n",
        lambda text: text.replace("custody-trust/1", "custody-trust/2"),
        lambda text: text.replace("custody-trust/1", "custody-vault/1"),
        lambda text: text.replace("founding: ", "foundling: "),
        lambda text: text.replace("22" * 32, "22" * 31),
        lambda text: text.replace("number: 3", "number: -3"),
        lambda text: text.replace("number: 3", "number: three"),
        lambda text: text.replace("entries: 40\n", ""),
        lambda text: text.replace("settled: 2", "settled: 4"),
        lambda text: text.replace("settled: 2\n", ""),
        lambda text: text + 'tip_time: "2027-01-18T18:30:00Z"\n',
        lambda text: text.replace("- audrey", "- 7"),
        lambda text: "",
    ],
)
def test_another_shape_is_refused(change: Callable[[str], str]) -> None:
    text = PIN.to_bytes().decode()
    assert change(text) != text
    with pytest.raises(InvalidInput):
        TrustPin.from_bytes(change(text).encode())


def test_a_pin_is_made_after_the_founding_digest_was_typed(signer: Signer) -> None:
    ledger = founded()
    bundle = bundle_of(ledger, drafted(ledger))
    founding = pin_of(bundle).founding
    result = create(signer, bundle, stdin=f"{founding[:8].upper()}\n")
    assert result.exit_code == 0, result.stderr
    assert TrustPin.from_bytes((signer.folder / "trust.yaml").read_bytes()) == pin_of(bundle)
    answer = result.json
    assert answer["pin"]["founding"] == founding and answer["before"] is None
    assert {one["name"] for one in answer["governance"]["officers"]} == set(ROLES)


def test_the_person_sees_whom_they_are_about_to_trust(signer: Signer) -> None:
    ledger = founded()
    bundle = bundle_of(ledger, drafted(ledger))
    shown = signer.run(["pin", "create"], bundle, stdin="\n").stderr
    pin = pin_of(bundle)
    policy = ledger.gov.policy
    assert policy is not None
    assert pin.founding in shown and policy.digest in shown and pin.vault_id in shown
    for name, roles in ROLES.items():
        assert f"{name} ({', '.join(sorted(roles))})" in shown
        assert signer_of(name).public.fingerprint in shown


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("", "CONFIRMATION_EMPTY"),
        ("\n", "CONFIRMATION_EMPTY"),
        ("yes\n", "CONFIRMATION_MISMATCH"),
        ("00000000\n", "CONFIRMATION_MISMATCH"),
        ("{founding:.7}\n", "CONFIRMATION_MISMATCH"),
        ("{founding}0\n", "CONFIRMATION_MISMATCH"),
    ],
)
def test_another_answer_writes_nothing(signer: Signer, typed: str, code: str) -> None:
    ledger = founded()
    bundle = bundle_of(ledger, drafted(ledger))
    result = create(signer, bundle, stdin=typed.format(founding=pin_of(bundle).founding))
    assert result.exit_code == 5 and code in result.stderr
    assert not (signer.folder / "trust.yaml").exists()


def test_a_pin_is_never_overwritten(signer: Signer) -> None:
    ledger = founded()
    bundle = bundle_of(ledger, drafted(ledger))
    (signer.folder / "trust.yaml").write_text("mine")
    result = create(signer, bundle, "--confirm-digest", pin_of(bundle).founding)
    assert (result.exit_code, result.error["error"]) == (7, "FILE_EXISTS")
    assert (signer.folder / "trust.yaml").read_text() == "mine"


def with_two_statements() -> tuple[GovernedLedger, Any, Any]:
    """Return a ledger, a bundle after its founding, and one after an allowlist entry came into force."""
    ledger = founded()
    proposal_id = approved(ledger)
    before = bundle_of(ledger, proposal_id)
    ledger.carry(ChangeKind.ALLOW, Payload(entry=ENTRY), "ann", "bo")
    checkpoint(ledger, "audrey")
    ledger.mine(1)
    return ledger, before, bundle_of(ledger, proposal_id)


def test_a_pin_is_carried_on_and_never_back(signer: Signer) -> None:
    _, before, after = with_two_statements()
    signer.trust(pin_of(before))
    newest = pin_of(after).governance.digest
    result = advance(signer, after, stdin=f"{newest[:8]}\n")
    assert result.exit_code == 0, result.stderr
    assert result.json["before"]["governance"]["number"] == 0 and result.json["pin"]["governance"]["number"] == 1
    assert TrustPin.from_bytes((signer.folder / "trust.yaml").read_bytes()) == pin_of(after)
    back = advance(signer, before, "--confirm-digest", newest)
    assert (back.exit_code, back.error["error"]) == (3, "GOVERNANCE_ROLLED_BACK")
    again = advance(signer, after, "--confirm-digest", newest)
    assert (again.exit_code, again.error["error"]) == (7, "NOTHING_TO_DO")
    assert TrustPin.from_bytes((signer.folder / "trust.yaml").read_bytes()) == pin_of(after)


@pytest.mark.parametrize("typed", ["", "{founding:.8}\n"], ids=["nothing", "the founding's digest"])
def test_an_advance_takes_the_newest_digest(signer: Signer, typed: str) -> None:
    _, before, after = with_two_statements()
    signer.trust(pin_of(before))
    result = advance(signer, after, stdin=typed.format(founding=pin_of(after).founding))
    assert result.exit_code == 5
    assert TrustPin.from_bytes((signer.folder / "trust.yaml").read_bytes()) == pin_of(before)


def test_an_advance_without_a_pin_makes_none(signer: Signer) -> None:
    _, _, after = with_two_statements()
    assert advance(signer, after, "--confirm-digest", pin_of(after).governance.digest).exit_code == 6
    assert not (signer.folder / "trust.yaml").exists()


def test_an_advance_takes_no_other_founding_and_no_other_history(signer: Signer) -> None:
    ledger = founded()
    signer.trust(pin_of(bundle_of(ledger, drafted(ledger))))
    gang = GovernedLedger(ledger.vault)
    gang.mine(1)
    gang.found(None, "ann", "bo", "cy", "dora")
    gang.receive(50_000_000)
    theirs = bundle_of(gang, drafted(gang))
    result = advance(signer, theirs, "--confirm-digest", pin_of(theirs).governance.digest)
    assert (result.exit_code, result.error["error"]) == (3, "PIN_MISMATCH")
    twin = twin_of(ledger)
    ledger.carry(ChangeKind.ALLOW, Payload(entry=ENTRY), "ann", "bo")
    twin.carry(ChangeKind.ALLOW, Payload(entry=AllowEntry("other", OUTSIDE, None, None)), "ann", "bo")
    signer.trust(pin_of(bundle_of(ledger, drafted(ledger))))
    forked = bundle_of(twin, drafted(twin))
    result = advance(signer, forked, "--confirm-digest", pin_of(forked).governance.digest)
    assert (result.exit_code, result.error["error"]) == (3, "PIN_MISMATCH")


@pytest.mark.parametrize("verb", ["create", "advance"])
def test_no_pin_comes_from_another_vaults_bundle(signer: Signer, verb: str) -> None:
    other = founded(simulated_vault(3, 3))
    bundle = bundle_of(other, drafted(other))
    if verb == "advance":
        signer.trust(pin_of(bundle))
    result = signer.run(["pin", verb], bundle, "--confirm-digest", pin_of(bundle).founding, "--json")
    assert (result.exit_code, result.error["error"]) == (3, "VAULT_MISMATCH")


@pytest.mark.parametrize("verb", ["create", "advance"])
def test_no_pin_comes_from_a_governance_with_a_hole(signer: Signer, verb: str) -> None:
    ledger, before, _ = with_two_statements()
    ledger.carry(ChangeKind.ENROL, Payload(officers=(officer("dan", "approver"),)), "ann", "bo")
    bundle = bundle_of(ledger, approved(ledger))
    if verb == "advance":
        signer.trust(pin_of(before))

    def cut(document: Any) -> None:
        kinds = [one["entry"]["kind"] for one in document["governance"]]
        del document["governance"][kinds.index("change_proposed", 1)]

    result = signer.run(["pin", verb], edited(bundle, cut), "--confirm-digest", pin_of(bundle).founding, "--json")
    assert (result.exit_code, result.error["error"]) == (3, "GOVERNANCE_GAP")


def test_a_pin_file_does_not_go_back_in_any_of_its_parts() -> None:
    assert PIN.advanced_to(PIN) == PIN
    lower = (
        replace(PIN, governance=GovernanceRef(2, "33" * 32)),
        replace(PIN, policy_version=1),
        replace(PIN, checkpoint=None),
        replace(PIN, checkpoint=SeenCheckpoint(39, "44" * 32, ("audrey",))),
        replace(PIN, settled=1),
    )
    for newer in lower:
        with pytest.raises(CheckFailed) as caught:
            PIN.advanced_to(newer)
        assert caught.value.code is Code.GOVERNANCE_ROLLED_BACK
    for stranger in (replace(PIN, vault_id="66" * 32), replace(PIN, founding="66" * 32)):
        with pytest.raises(CheckFailed) as caught:
            PIN.advanced_to(stranger)
        assert caught.value.code is Code.PIN_MISMATCH


def test_a_bundle_before_the_founding_makes_no_pin(signer: Signer) -> None:
    ledger = founded()
    empty = replace(bundle_of(ledger, drafted(ledger)), governance=(), statements=())
    result = create(signer, empty, "--confirm-digest", "00000000")
    assert (result.exit_code, result.error["error"]) == (7, "NOT_FOUNDED")
