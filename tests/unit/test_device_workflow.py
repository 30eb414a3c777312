"""Decisions about devices, over a bus in memory: who is chosen, what is compared, what is said."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.audit.signers import (
    SignerCheck,
    SignerDescription,
    SignerMismatch,
    SignerRecord,
    SignerRegistration,
    Signers,
)
from custody.bitcoin.address import address_of
from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.keys import HARDENED, format_path
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import CheckFailed, CustodyError, DeviceUnavailable, Finding, InvalidInput, Severity, UsageError
from custody.ports import BusReport, Registration
from custody.vault.device_profile import AdvisorySubject
from custody.vault.formats.detect import VaultFormat
from custody.vault.formats.registry import ImportTerms, read_vault
from custody.vault.vault import Vault
from custody.workflow.device_address import derive_address, require_same_ending, show_address
from custody.workflow.device_choose import choose_device, cosigner_named
from custody.workflow.device_facts import (
    OTHER,
    abilities,
    model_of,
    notices,
    require_model,
    require_network,
    warns_of_change,
)
from custody.workflow.device_findings import (
    is_proven_as,
    kept_registration,
    require_compared,
    require_trusted,
    signing_findings,
)
from custody.workflow.device_key import agreed_path, prove_device, read_key, read_key_twice
from custody.workflow.device_list import list_devices, shared_fingerprints
from custody.workflow.device_record import alarms_recorded
from custody.workflow.device_register import register_over, registration_file, registration_name
from custody_hardware.device_profiles import load_profiles
from support.fake_bus import FakeBus, found
from support.published_secrets import PUBLISHED
from support.vaults import make_vault

PROFILES = load_profiles()
LOCKED = Finding(Code.DEVICE_LOCKED, Severity.WARN, "device:trezor", "the Trezor is locked", "Unlock it.")
NO_LIBRARY = Finding(Code.DEVICE_LIBRARY_MISSING, Severity.WARN, "driver:x", "HWI is not installed", "Install it.")


def code_of(error: pytest.ExceptionInfo[CustodyError]) -> Code:
    return error.value.code


def bus_of(vault: Vault, number: int = 0, **other: object) -> FakeBus:
    """Return a bus with one cosigner's device that gives the right key once."""
    key = vault.cosigners[number].key
    return FakeBus((found(key.origin.fingerprint),), [key.key], **other)  # type: ignore[arg-type]


# Choosing


def test_a_device_is_chosen_by_its_fingerprint_alone() -> None:
    mine, other = found(b"\x01\x02\x03\x04"), found(b"\x05\x06\x07\x08", driver="ledger")
    assert choose_device(BusReport((other, mine), (NO_LIBRARY,)), b"\x01\x02\x03\x04") is mine


@pytest.mark.parametrize(
    ("report", "code", "words"),
    [
        (BusReport((), ()), Code.DEVICE_ABSENT, "no connected device"),
        (BusReport((), (NO_LIBRARY,)), Code.DEVICE_LIBRARY_MISSING, "HWI is not installed"),
        (BusReport((found(None, problem=LOCKED),), ()), Code.DEVICE_LOCKED, "is locked"),
        (BusReport((found(b"\x01\x02\x03\x04", problem=LOCKED),), ()), Code.DEVICE_LOCKED, "is locked"),
        (BusReport((found(b"\x09\x09\x09\x09"),), ()), Code.DEVICE_ABSENT, "connected is another: trezor_t"),
        (BusReport((found(b"\x09\x09\x09\x09"),), (NO_LIBRARY,)), Code.DEVICE_ABSENT, "HWI is not installed"),
        (BusReport((found(None, problem=LOCKED),), (NO_LIBRARY,)), Code.DEVICE_ABSENT, "is locked (DEVICE_LOCKED)"),
        (BusReport((found(b"\x01\x02\x03\x04"),) * 2, ()), Code.DEVICE_AMBIGUOUS, "2 connected devices"),
    ],
)
def test_none_or_two_are_an_error_that_says_why(report: BusReport, code: Code, words: str) -> None:
    with pytest.raises(DeviceUnavailable) as refused:
        choose_device(report, b"\x01\x02\x03\x04")
    assert code_of(refused) is code
    assert words in refused.value.message


def test_a_cosigner_is_named_or_has_a_fingerprint() -> None:
    vault = make_vault()
    bo = vault.cosigners[1]
    assert cosigner_named(vault, "bo") == cosigner_named(vault, bo.fingerprint.hex()) == bo
    for text in ("nobody", "00000000", ""):
        with pytest.raises(InvalidInput) as refused:
            cosigner_named(vault, text)
        assert code_of(refused) is Code.COSIGNER_UNKNOWN


# Keys


def test_the_agreed_path_is_that_of_bip_48() -> None:
    assert format_path(agreed_path(Network.MAIN, ScriptType.WSH_SORTEDMULTI)) == "48h/0h/0h/2h"
    assert format_path(agreed_path(Network.SIGNET, ScriptType.SH_WSH_SORTEDMULTI, 3)) == "48h/1h/3h/1h"


def test_a_key_that_is_not_of_its_path_is_no_answer() -> None:
    vault = make_vault()
    cosigner = vault.cosigners[0]
    path = cosigner.key.origin.path
    for wrong in (
        replace(cosigner.key.key, depth=3),
        replace(cosigner.key.key, child_number=1 + HARDENED),
    ):
        with pytest.raises(DeviceUnavailable) as refused:
            read_key(FakeBus((), [wrong]), found(cosigner.fingerprint), path, vault.network)
        assert code_of(refused) is Code.DEVICE_ANSWER_INVALID


def test_two_different_answers_are_an_alarm_even_without_a_vault() -> None:
    first, second = make_vault().cosigners[0].key, make_vault(seed=2).cosigners[0].key
    bus = FakeBus((found(first.origin.fingerprint),), [first.key, second.key])
    reconnected = []
    with pytest.raises(CheckFailed) as alarm:
        read_key_twice(bus, first.origin.fingerprint, first.origin.path, Network.REGTEST, reconnected.append)
    assert code_of(alarm) is Code.DEVICE_KEY_MISMATCH
    assert len(reconnected) == 1
    assert "cosigner" not in alarm.value.details
    recorded: list[object] = []
    with pytest.raises(CheckFailed), alarms_recorded(recorded.append):
        raise alarm.value
    assert recorded == []  # nobody's device yet: nothing to write it under


@pytest.mark.parametrize("part", ["chain_code", "public_key"])
def test_point_and_chain_code_are_compared(part: str) -> None:
    vault, other = make_vault(), make_vault(seed=2).cosigners[0].key.key
    key = vault.cosigners[0].key.key
    bus = FakeBus((found(vault.cosigners[0].fingerprint),), [replace(key, **{part: getattr(other, part)})])
    with pytest.raises(CheckFailed) as alarm:
        prove_device(bus, vault, vault.cosigners[0])
    assert code_of(alarm) is Code.DEVICE_KEY_MISMATCH


def test_a_program_that_gives_out_no_key_is_said_and_not_believed() -> None:
    vault = make_vault()
    bus = bus_of(vault)
    assert prove_device(bus, vault, vault.cosigners[0])[1] is True
    assert prove_device(bus, vault, vault.cosigners[0])[1] is False  # its keys are used up: unsupported
    (_unregistered, _unproven, note) = signing_findings(
        vault.cosigners[0], SignerRecord(), model=OTHER, firmware=None, profiles=PROFILES, key_was_compared=False
    )
    assert (note.code, note.severity) == (Code.DEVICE_KEY_UNCOMPARED, Severity.NOTE)


# Addresses


def test_on_main_the_answer_is_compared_to_the_byte() -> None:
    vault = make_vault(network=Network.MAIN)
    cosigner, wanted = vault.cosigners[0], derive_address(vault, 1, 7)
    assert wanted.on_screen == (wanted.address,)
    good = show_address(
        bus_of(vault, address=wanted.address), found(None), vault, cosigner, wanted=wanted, registration=None
    )
    assert good.answered == wanted.address
    script = vault.deriver.at(1, 7).script_pubkey
    test_form = address_of(script, Network.SIGNET)
    assert test_form is not None
    for answer in (
        wanted.address.upper(),
        test_form,
        vault.address_at(1, 8),
        vault.address_at(0, 7),
        wanted.address[:-1],
    ):
        with pytest.raises(CheckFailed) as alarm:
            show_address(bus_of(vault, address=answer), found(None), vault, cosigner, wanted=wanted, registration=None)
        assert code_of(alarm) is Code.DEVICE_ADDRESS_MISMATCH
        assert alarm.value.details["expected"] == wanted.address


@pytest.mark.parametrize("script_type", [ScriptType.WSH_SORTEDMULTI, ScriptType.SH_WSH_SORTEDMULTI])
@pytest.mark.parametrize("network", [Network.REGTEST, Network.SIGNET, Network.TESTNET4])
def test_on_a_test_network_the_script_decides(network: Network, script_type: ScriptType) -> None:
    vault = make_vault(network=network, script_type=script_type)
    cosigner, wanted = vault.cosigners[0], derive_address(vault, 0, 2)
    script = vault.deriver.at(0, 2).script_pubkey
    for one in (Network.REGTEST, Network.SIGNET):
        answer = address_of(script, one)
        assert answer in wanted.on_screen
        bus = bus_of(vault, address=answer)
        assert show_address(bus, found(None), vault, cosigner, wanted=wanted, registration=None).answered == answer
    for answer in (address_of(script, Network.MAIN), vault.address_at(0, 3), "tb1qnonsense", "\x1b[2J" * 50):
        with pytest.raises(CheckFailed) as alarm:
            show_address(bus_of(vault, address=answer), found(None), vault, cosigner, wanted=wanted, registration=None)
        assert code_of(alarm) is Code.DEVICE_ADDRESS_MISMATCH


@pytest.mark.parametrize("answer", [*PUBLISHED, "x" * 5_000, "bcrt1qnonsense", "\u202e"])
def test_an_answer_that_is_no_address_is_neither_shown_nor_journalled(answer: str) -> None:
    vault = make_vault(2, 3)
    bus = bus_of(vault, address=answer)
    (device,) = bus.devices
    wanted = derive_address(vault, 0, 0)
    with pytest.raises(CheckFailed) as caught:
        show_address(bus, device, vault, vault.cosigners[0], wanted=wanted, registration=None)
    assert (caught.value.code, caught.value.details["got"]) == (
        Code.DEVICE_ADDRESS_MISMATCH,
        "something that is no address",
    )
    assert answer not in f"{caught.value.message} {caught.value.advice} {caught.value.details}"


def test_an_alarm_about_an_address_ends_with_an_address_alone() -> None:
    cosigner = make_vault().cosigners[0]
    by_what = {what: SignerRecord(mismatches=(SignerMismatch(what, "a", "b", 5),)) for what in ("address", "key")}
    with pytest.raises(CheckFailed) as alarm:
        require_compared(cosigner, by_what["address"], compared=False)
    assert (code_of(alarm), "journal entry 5" in alarm.value.message) == (Code.DEVICE_ADDRESS_MISMATCH, True)
    both = (*by_what["address"].mismatches, SignerMismatch("key", "a", "b", 6))
    with pytest.raises(CheckFailed):  # a later alarm about something else doesn't hide it
        require_compared(cosigner, SignerRecord(mismatches=both), compared=False)
    require_compared(cosigner, by_what["address"], compared=True)
    for record in (by_what["key"], SignerRecord()):
        require_compared(cosigner, record, compared=False)


def test_a_notice_says_which_firmware_it_is_about() -> None:
    for profile in PROFILES.values():
        about = [one for one in profile.advisories if one.subject is AdvisorySubject.RUNNING]
        said = notices(profile, None)
        assert len(said) == len(about)
        for words, advisory in zip(said, about, strict=True):
            assert words.startswith("if its firmware is ") and all(str(one) in words for one in advisory.affected)


def test_a_program_that_says_nothing_leaves_the_address_unverified() -> None:
    vault = make_vault()
    wanted = derive_address(vault, 0, 0)
    shown = show_address(bus_of(vault), found(None), vault, vault.cosigners[0], wanted=wanted, registration=None)
    assert (shown.answered, shown.address) == (None, vault.first_address)


def test_the_end_of_an_address_counts_as_any_test_network_writes_it() -> None:
    vault = make_vault()
    wanted = derive_address(vault, 0, 0)
    assert len({one[-6:] for one in wanted.on_screen}) == 2  # bcrt1 and tb1 have different checksums
    for one in wanted.on_screen:
        require_same_ending(vault.cosigners[0], wanted, one[-6:].upper())
    for typed in ("", wanted.address[-5:], wanted.address[-7:], "qqqqqq", wanted.address):
        with pytest.raises(CheckFailed) as alarm:
            require_same_ending(vault.cosigners[0], wanted, typed)
        assert code_of(alarm) is Code.DEVICE_ADDRESS_MISMATCH


# Names, files, registrations


@given(
    name=st.from_regex(r"[a-z0-9][a-z0-9_-]{0,63}", fullmatch=True),
    longest=st.one_of(st.none(), st.integers(min_value=1, max_value=64)),
)
def test_a_registered_name_fits_every_device_and_follows_from_the_vault(name: str, longest: int | None) -> None:
    vault = replace(make_vault(), name=name)
    made = registration_name(vault, longest)
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", made)
    assert len(made) <= max(min(longest or 15, 15), 6)
    assert made.endswith(vault.vault_id[:6])
    assert made == registration_name(vault, longest)


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("coldcard-mk3", VaultFormat.COLDCARD),
        ("coldcard-mk4", VaultFormat.COLDCARD),
        ("coldcard-q", VaultFormat.COLDCARD),
        ("passport", VaultFormat.PASSPORT),
        ("keystone-3", VaultFormat.KEYSTONE),
        ("specter-diy", VaultFormat.SPECTER_DIY),
        ("jade", VaultFormat.JADE),
        ("seedsigner", VaultFormat.DESCRIPTOR),
    ],
)
def test_a_registration_file_means_the_same_vault(model: str, kind: VaultFormat) -> None:
    vault = make_vault()
    text, written = registration_file(vault, model, "reserve-12345678")
    assert written is kind
    again, _findings = read_vault(text.encode(), ImportTerms("again", vault.network))
    assert again.vault_id == vault.vault_id


def test_a_model_without_a_file_is_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        registration_file(make_vault(), "ledger", "reserve-12345678")
    assert code_of(refused) is Code.UNKNOWN_FORMAT


def test_a_device_that_registers_another_name_is_not_believed() -> None:
    vault = make_vault()
    bus = bus_of(vault, registration=Registration("record", "other-name", None, None))
    with pytest.raises(DeviceUnavailable) as refused:
        register_over(bus, found(None), vault, "reserve-12345678")
    assert code_of(refused) is Code.DEVICE_ANSWER_INVALID


def test_a_token_goes_only_to_the_model_that_gave_it() -> None:
    kept = SignerRegistration("ledger", "2.4.1", "policy", "reserve-1", "11" * 32, b"\x22" * 32, 5)
    record = SignerRecord(registration=kept)
    again = kept_registration(record, "ledger", "ann")
    assert again == Registration("policy", "reserve-1", "11" * 32, b"\x22" * 32)
    with pytest.raises(CheckFailed) as refused:
        kept_registration(record, "jade", "ann")
    assert code_of(refused) is Code.POLICY_HMAC_UNKNOWN
    assert kept_registration(SignerRecord(registration=replace(kept, token=None)), "jade", "ann") is None
    assert kept_registration(SignerRecord(), "jade", "ann") is None


# What is known of a device


def described(device: str, firmware: str | None = None) -> SignerDescription:
    return SignerDescription(device, firmware, None, None, None, None, 1)


def test_which_model_a_driver_means() -> None:
    coldcard = found(b"\x01\x02\x03\x04", driver="coldcard", model="coldcard")
    assert model_of(found(b"\x01\x02\x03\x04"), SignerRecord(), PROFILES) == "trezor-t"
    assert model_of(found(b"\x01\x02\x03\x04", driver="external"), SignerRecord(), PROFILES) == "trezor-t"
    assert model_of(coldcard, SignerRecord(), PROFILES) == OTHER
    assert model_of(coldcard, SignerRecord(description=described("coldcard-q")), PROFILES) == "coldcard-q"
    # A described Ledger that turns out to be a Coldcard is not taken for a Ledger.
    assert model_of(coldcard, SignerRecord(description=described("ledger")), PROFILES) == OTHER
    assert require_model(coldcard, SignerRecord(), PROFILES, "coldcard-mk4") == "coldcard-mk4"
    with pytest.raises(UsageError):
        require_model(coldcard, SignerRecord(), PROFILES, None)
    with pytest.raises(InvalidInput) as refused:
        require_model(coldcard, SignerRecord(), PROFILES, "ledger")
    assert code_of(refused) is Code.DEVICE_MODEL_UNKNOWN


def test_a_check_holds_for_its_model_and_firmware_until_a_mismatch() -> None:
    checked = SignerCheck("trezor-t", "2.8.9", "usb", "00" * 32, 7)
    record = SignerRecord(check=checked)
    assert is_proven_as(record, "trezor-t", "2.8.9")
    assert is_proven_as(record, "trezor-t", None)  # a bus that tells no firmware
    assert not is_proven_as(record, "trezor-t", "2.9.0")
    assert not is_proven_as(record, "ledger", "2.8.9")
    assert not is_proven_as(replace(record, mismatches=(SignerMismatch("key", "a", "b", 8),)), "trezor-t", "2.8.9")
    assert is_proven_as(replace(record, mismatches=(SignerMismatch("key", "a", "b", 6),)), "trezor-t", "2.8.9")
    assert not is_proven_as(SignerRecord(), "trezor-t", None)


def test_after_an_alarm_a_device_signs_nothing_until_it_passes_a_check() -> None:
    ann = make_vault().cosigners[0]
    alarm = SignerMismatch("address", "a", "b", 8)
    for check, refuses in ((None, True), (SignerCheck("trezor-t", "2.8.9", "usb", "00" * 32, 9), False)):
        record = SignerRecord(check=check, mismatches=(alarm,))
        said = signing_findings(
            ann, record, model="trezor-t", firmware="2.8.9", profiles=PROFILES, key_was_compared=True
        )
        if not refuses:
            assert said == ()
            require_trusted(said)
            continue
        with pytest.raises(CheckFailed) as refused:
            require_trusted(said)
        assert code_of(refused) is Code.DEVICE_ADDRESS_MISMATCH


def test_a_device_without_the_network_can_not_be_rehearsed_there() -> None:
    keystone = PROFILES["keystone-3"]
    for network in (Network.REGTEST, Network.SIGNET, Network.TESTNET4):
        with pytest.raises(DeviceUnavailable) as refused:
            require_network(keystone, None, network, "ann")
        assert code_of(refused) is Code.DEVICE_UNSUPPORTED
        assert "can't be rehearsed there" in refused.value.message
    require_network(keystone, None, Network.MAIN, "ann")
    require_network(PROFILES[OTHER], None, Network.REGTEST, "ann")


def test_what_a_device_can_not_do_in_this_vault_has_its_number() -> None:
    vault = make_vault(6, 12)
    ledger = abilities(PROFILES["ledger"], "2.3.0", vault)
    assert any("it takes 10 cosigners, the vault has 12" in one for one in ledger.cannot)
    assert not any("takes up to" in one for one in ledger.can)
    newer = abilities(PROFILES["ledger"], "2.4.0", vault)
    assert any("it takes up to 15" in one for one in newer.can)
    unknown = abilities(PROFILES["ledger"], None, vault)
    assert any("firmware, on which its limits depend" in one for one in unknown.unknown)
    assert any("tb1… instead of bcrt1…" in one for one in newer.can)
    assert not abilities(PROFILES["coldcard-mk4"], "5.6.1", vault).notices
    assert any(
        "staged" in one or "reviewed on the screen" in one
        for one in abilities(PROFILES["coldcard-mk4"], "5.5.0", vault).notices
    )


@pytest.mark.parametrize(
    ("model", "warned"),
    [("ledger", False), ("trezor-t", False), ("bitbox01", True), (OTHER, True), ("seedsigner", True)],
)
def test_who_must_compare_change_by_eye(model: str, warned: bool) -> None:
    assert warns_of_change(PROFILES[model]) is warned


def test_a_device_that_keeps_nothing_is_not_unregistered() -> None:
    ann = make_vault().cosigners[0]
    codes = {
        model: {
            one.code
            for one in signing_findings(
                ann, SignerRecord(), model=model, firmware=None, profiles=PROFILES, key_was_compared=True
            )
        }
        for model in ("trezor-t", "ledger", OTHER)
    }
    assert codes["trezor-t"] == {Code.DEVICE_UNPROVEN}
    assert codes["ledger"] == codes[OTHER] == {Code.DEVICE_UNREGISTERED, Code.DEVICE_UNPROVEN}


def test_the_list_says_who_is_claimed_and_what_differs() -> None:
    vault = make_vault()
    ann = vault.cosigners[0]

    signers = Signers({"ann": SignerRecord(description=described("ledger", "2.4.1"))})
    report = BusReport((found(ann.fingerprint), found(ann.fingerprint), found(None, problem=LOCKED)), ())
    first, _second, locked = list_devices(report, vault, signers, PROFILES)
    assert (first.claims, first.model, first.described_as) == (("ann",), "trezor-t", "ledger")
    assert locked.claims == ()
    assert shared_fingerprints(report) == {ann.fingerprint}
    (bare,) = list_devices(BusReport((found(ann.fingerprint),), ()), None, Signers(), PROFILES)
    assert (bare.claims, bare.abilities.can) == ((), ())
