"""What the journal says of devices: four kinds of entries folded, and every wrong body refused."""

import pytest

from custody.audit.fold import fold, fold_more
from custody.audit.signer_findings import described_signers, signer_findings, standing_registration
from custody.audit.signers import SignerRecord
from custody.codes import Code
from custody.errors import Altered, JsonValue, Severity
from custody_hardware.device_profiles import load_profiles
from support.ledger import Ledger
from support.vaults import make_vault

PROFILES = load_profiles()
TXID = "ab" * 32


def described(**changes: JsonValue) -> dict[str, JsonValue]:
    body: dict[str, JsonValue] = {
        "cosigner": "ann",
        "device": "ledger",
        "firmware": "2.4.6",
        "seed_firmware": None,
        "custodian": "Ann Li",
        "place": "Oslo",
        "qr_dialect": None,
    }
    return {**body, **changes}


def registered(**changes: JsonValue) -> dict[str, JsonValue]:
    body: dict[str, JsonValue] = {
        "cosigner": "ann",
        "device": "ledger",
        "firmware": "2.4.6",
        "method": "policy",
        "name": "reserve",
        "policy_id": "cd" * 32,
        "token": "ef" * 32,
    }
    return {**body, **changes}


def checked(**changes: JsonValue) -> dict[str, JsonValue]:
    body: dict[str, JsonValue] = {
        "cosigner": "ann",
        "device": "ledger",
        "firmware": "2.4.6",
        "route": "usb",
        "unsigned_txid": TXID,
    }
    return {**body, **changes}


def mismatch(**changes: JsonValue) -> dict[str, JsonValue]:
    return {"cosigner": "ann", "what": "address", "expected": "bcrt1a", "got": "bcrt1b", **changes}


BODIES = {
    "cosigner_described": described,
    "device_registered": registered,
    "device_checked": checked,
    "device_mismatch": mismatch,
}


def ledger_with(*events: tuple[str, dict[str, JsonValue]]) -> Ledger:
    ledger = Ledger(make_vault())
    for kind, body in events:
        ledger.add(kind, body)
    return ledger


def record_after(*events: tuple[str, dict[str, JsonValue]]) -> SignerRecord:
    return ledger_with(*events).state.signers.of("ann")


# The fold


def test_a_description_says_what_was_written() -> None:
    said = record_after(("cosigner_described", described(qr_dialect="ur", seed_firmware="2.0.0"))).description
    assert said is not None
    assert (said.device, said.firmware, said.seed_firmware) == ("ledger", "2.4.6", "2.0.0")
    assert (said.custodian, said.place, said.qr_dialect, said.seq) == ("Ann Li", "Oslo", "ur", 1)


def test_a_registration_keeps_its_token() -> None:
    registration = record_after(("device_registered", registered())).registration
    assert registration is not None
    assert (registration.method, registration.name, registration.policy_id) == ("policy", "reserve", "cd" * 32)
    assert (registration.token, registration.device, registration.seq) == (bytes.fromhex("ef" * 32), "ledger", 1)


def test_a_check_and_a_mismatch_are_kept() -> None:
    record = record_after(("device_checked", checked()), ("device_mismatch", mismatch()))
    assert record.check is not None
    assert (record.check.route, record.check.unsigned_txid, record.check.firmware) == ("usb", TXID, "2.4.6")
    assert [(one.what, one.expected, one.got, one.seq) for one in record.mismatches] == [
        ("address", "bcrt1a", "bcrt1b", 2)
    ]


def test_the_newest_of_a_kind_counts_and_the_others_stay() -> None:
    record = record_after(
        ("device_registered", registered()),
        ("cosigner_described", described()),
        ("cosigner_described", described(firmware="2.4.7", custodian=None)),
    )
    assert record.description is not None and record.registration is not None
    assert (record.description.firmware, record.description.custodian) == ("2.4.7", None)


def test_cosigners_have_records_of_their_own() -> None:
    state = ledger_with(("cosigner_described", described()), ("device_checked", checked(cosigner="bo"))).state
    assert state.signers.of("ann").check is None
    assert state.signers.of("bo").description is None
    assert state.signers.of("cy") == SignerRecord()


def test_a_prefix_and_the_rest_give_the_same_signers() -> None:
    ledger = ledger_with(*((kind, body()) for kind, body in BODIES.items()))
    for cut in range(1, len(ledger.entries)):
        assert fold_more(fold(ledger.entries[:cut]), ledger.entries[cut:]).signers == ledger.state.signers


WRONG: list[tuple[str, dict[str, JsonValue]]] = [
    *((kind, body(cosigner="zed")) for kind, body in BODIES.items()),
    *((kind, body(cosigner=None)) for kind, body in BODIES.items()),
    *((kind, body(colour="red")) for kind, body in BODIES.items()),
    *((kind, {key: value for key, value in body().items() if key != "cosigner"}) for kind, body in BODIES.items()),
    ("cosigner_described", described(device=None)),
    ("cosigner_described", described(device=7)),
    ("cosigner_described", described(firmware=2)),
    ("cosigner_described", described(place=["Oslo"])),
    ("cosigner_described", described(qr_dialect="morse")),
    ("cosigner_described", {key: value for key, value in described().items() if key != "place"}),
    ("device_registered", registered(method="magic")),
    ("device_registered", registered(name=None)),
    ("device_registered", registered(policy_id="cd")),
    ("device_registered", registered(policy_id="CD" * 32)),
    ("device_registered", registered(token="ef" * 31)),
    ("device_registered", registered(token="xy" * 32)),
    ("device_checked", checked(route="pigeon")),
    ("device_checked", checked(unsigned_txid=None)),
    ("device_checked", checked(unsigned_txid="ab")),
    ("device_mismatch", mismatch(what="mood")),
    ("device_mismatch", mismatch(got=None)),
]


@pytest.mark.parametrize(("kind", "body"), WRONG, ids=lambda one: one if isinstance(one, str) else "")
def test_a_body_that_no_version_writes_is_an_alteration(kind: str, body: dict[str, JsonValue]) -> None:
    ledger = Ledger(make_vault())
    ledger.add(kind, body)
    with pytest.raises(Altered) as caught:
        fold(ledger.entries)
    assert (caught.value.code, caught.value.details["seq"]) == (Code.JOURNAL_ALTERED, 1)


# Proven and registered


@pytest.mark.parametrize(
    ("events", "proven"),
    [
        ([], False),
        ([("cosigner_described", described())], False),
        ([("device_checked", checked())], True),
        ([("cosigner_described", described()), ("device_checked", checked())], True),
        ([("device_checked", checked()), ("cosigner_described", described(place="Bergen"))], True),
        ([("device_checked", checked()), ("cosigner_described", described(firmware="2.4.7"))], False),
        ([("device_checked", checked()), ("cosigner_described", described(firmware="v2.4.6"))], True),
        ([("device_checked", checked()), ("cosigner_described", described(firmware="2.4.6-rc1"))], False),
        ([("device_checked", checked()), ("cosigner_described", described(firmware=None))], False),
        ([("cosigner_described", described(firmware=None)), ("device_checked", checked())], True),
        ([("device_checked", checked()), ("cosigner_described", described(device="jade"))], False),
        ([("device_checked", checked()), ("device_mismatch", mismatch())], False),
        ([("device_mismatch", mismatch()), ("device_checked", checked())], True),
    ],
)
def test_a_signer_is_proven_as_it_is_described_now(
    events: list[tuple[str, dict[str, JsonValue]]], proven: bool
) -> None:
    assert record_after(*events).is_proven is proven


@pytest.mark.parametrize(
    ("events", "standing"),
    [
        ([("cosigner_described", described())], False),
        ([("cosigner_described", described()), ("device_registered", registered())], True),
        ([("device_registered", registered()), ("cosigner_described", described(firmware="2.5.0"))], True),
        ([("device_registered", registered()), ("cosigner_described", described(device="jade"))], False),
        ([("cosigner_described", described(device="trezor-t"))], None),
        ([("cosigner_described", described(device="other"))], None),
        ([("cosigner_described", described(device="abacus"))], None),
        ([("device_registered", registered())], None),
    ],
)
def test_a_registration_counts_for_the_model_it_was_made_on(
    events: list[tuple[str, dict[str, JsonValue]]], standing: bool | None
) -> None:
    assert standing_registration(record_after(*events), PROFILES) is standing


# Findings


def findings_after(*events: tuple[str, dict[str, JsonValue]]) -> list[tuple[Code, str]]:
    ledger = ledger_with(*events)
    return [(one.code, one.where) for one in signer_findings(ledger.vault, ledger.state.signers, PROFILES)]


def test_nothing_is_said_of_whom_the_journal_says_nothing() -> None:
    assert findings_after() == []


def test_what_is_described_is_unregistered_and_unproven_until_it_is_not() -> None:
    assert findings_after(("cosigner_described", described())) == [
        (Code.DEVICE_UNPROVEN, "cosigner:ann"),
        (Code.DEVICE_UNREGISTERED, "cosigner:ann"),
    ]
    done = (("cosigner_described", described()), ("device_registered", registered()), ("device_checked", checked()))
    assert findings_after(*done) == []
    assert findings_after(*done, ("cosigner_described", described(firmware="2.4.7"))) == [
        (Code.DEVICE_UNPROVEN, "cosigner:ann")
    ]


def test_new_firmware_is_named_beside_the_one_that_was_checked() -> None:
    ledger = ledger_with(("device_checked", checked()), ("cosigner_described", described(firmware="2.4.7")))
    unproven = next(
        one for one in signer_findings(ledger.vault, ledger.state.signers, PROFILES) if one.code is Code.DEVICE_UNPROVEN
    )
    assert "firmware 2.4.7 now" in unproven.message
    assert "checked with 2.4.6" in unproven.message


@pytest.mark.parametrize(("what", "code"), [("key", "DEVICE_KEY_MISMATCH"), ("address", "DEVICE_ADDRESS_MISMATCH")])
def test_an_open_mismatch_refuses_until_a_check_passes(what: str, code: str) -> None:
    ledger = ledger_with(("device_mismatch", mismatch(what=what)))
    (finding,) = signer_findings(ledger.vault, ledger.state.signers, PROFILES)
    assert (finding.code, finding.severity) == (Code(code), Severity.REFUSE)
    ledger.add("device_checked", checked())
    assert signer_findings(ledger.vault, ledger.state.signers, PROFILES) == ()


def test_a_model_that_this_version_does_not_know_is_a_note() -> None:
    found = findings_after(
        ("cosigner_described", described(device="abacus")), ("device_checked", checked(device="abacus"))
    )
    assert found == [(Code.DEVICE_MODEL_UNKNOWN, "cosigner:ann")]


def test_described_signers_are_those_of_known_models() -> None:
    state = ledger_with(
        ("cosigner_described", described()),
        ("cosigner_described", described(cosigner="bo", device="abacus")),
        ("device_checked", checked(cosigner="cy")),
    ).state
    (only,) = described_signers(state.signers, PROFILES).items()
    assert only[0] == "ann"
    assert (only[1].profile.model, only[1].custodian, only[1].place) == ("ledger", "Ann Li", "Oslo")
