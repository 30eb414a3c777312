"""What described devices mean for a vault: who can't sign, whose seed is in doubt, what lies in one hand."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import Finding, InvalidInput, Severity
from custody.vault.device_checks import DescribedSigner, device_findings, quorum_findings, require_none_refuses
from custody.vault.device_profile import ChangeCheck
from custody_hardware.device_profiles import MODELS, load_profiles
from support.vaults import NAMES, make_vault

PROFILES = load_profiles()
CLEAN = "jade"


def signer(model: str, firmware: str | None = None, **said: str) -> DescribedSigner:
    return DescribedSigner(PROFILES[model], firmware, **said)


def codes(findings: tuple[Finding, ...]) -> list[tuple[Code, str]]:
    return [(one.code, one.where) for one in findings]


def judged(model: str, firmware: str | None = None, *, count: int = 3, network: Network = Network.MAIN) -> list[Code]:
    vault = make_vault(2, count, network=network)
    return [one.code for one in quorum_findings(vault, "ann", signer(model, firmware))]


# Who can't sign


@pytest.mark.parametrize(
    ("count", "firmware", "expected"),
    [
        (10, "2.3.0", []),
        (11, "2.3.0", [Code.DEVICE_CANNOT_SIGN]),
        (15, "2.2.4", [Code.DEVICE_CANNOT_SIGN]),
        (15, "2.4.0", []),
        (15, "2.2.3", []),
        (15, None, [Code.DEVICE_MAY_NOT_SIGN]),
        (15, "newest", [Code.DEVICE_MAY_NOT_SIGN]),
        (10, None, []),
    ],
)
def test_a_ledger_app_decides_how_many_keys_it_knows(count: int, firmware: str | None, expected: list[Code]) -> None:
    assert judged("ledger", firmware, count=count) == expected


def test_the_refusal_names_both_numbers_and_who() -> None:
    (finding,) = quorum_findings(make_vault(4, 15, network=Network.MAIN), "bo", signer("ledger", "2.3.0"))
    assert (finding.severity, finding.where) == (Severity.REFUSE, "cosigner:bo")
    assert "at most 10 keys, the vault has 15" in finding.message
    assert "firmware 2.3.0" in finding.message


def test_a_doubt_names_the_firmware_that_can_not() -> None:
    (finding,) = quorum_findings(make_vault(4, 15, network=Network.MAIN), "bo", signer("ledger"))
    assert finding.severity is Severity.WARN
    assert "2.2.4 and later, before 2.4.0" in finding.message


@pytest.mark.parametrize("network", [Network.TESTNET4, Network.SIGNET, Network.REGTEST])
def test_a_keystone_can_not_be_used_on_a_test_network(network: Network) -> None:
    assert judged("keystone-3", "3.0.0", network=network) == [Code.DEVICE_CANNOT_SIGN]


def test_on_main_it_is_said_that_a_keystone_can_not_be_rehearsed() -> None:
    (finding,) = quorum_findings(make_vault(network=Network.MAIN), "ann", signer("keystone-3", "3.0.0"))
    assert (finding.code, finding.severity) == (Code.DEVICE_NO_REHEARSAL, Severity.NOTE)


def test_a_keystone_before_multisig_can_not_sign_at_all() -> None:
    (finding,) = quorum_findings(make_vault(network=Network.MAIN), "ann", signer("keystone-3", "1.0.0-BTC"))
    assert finding.code is Code.DEVICE_CANNOT_SIGN
    assert "does not sign wsh-sortedmulti" in finding.message


def test_a_device_without_a_screen_is_refused_with_its_reason() -> None:
    (finding,) = quorum_findings(make_vault(), "ann", signer("bitbox01"))
    assert finding.code is Code.DEVICE_CANNOT_SIGN
    assert "no screen" in finding.message


def test_a_simulator_signs_on_test_networks_alone() -> None:
    assert judged("simulator") == [Code.DEVICE_CANNOT_SIGN]
    assert judged("simulator", network=Network.REGTEST) == []


@pytest.mark.parametrize("script", list(ScriptType))
@pytest.mark.parametrize("network", list(Network))
def test_an_unknown_device_is_never_refused(script: ScriptType, network: Network) -> None:
    vault = make_vault(2, 15, network=network, script_type=script)
    assert device_findings(vault, {"ann": signer("other")}) == ()


def test_firmware_of_which_nothing_is_known_refuses_nothing() -> None:
    assert judged("bitbox02", "10.0.0") == []


def test_a_refusal_is_raised_with_all_of_them() -> None:
    vault = make_vault(2, 15, network=Network.MAIN)
    findings = device_findings(
        vault, {"ann": signer("ledger", "2.3.0"), "bo": signer("bitbox01"), "cy": signer("jade")}
    )
    with pytest.raises(InvalidInput) as caught:
        require_none_refuses(findings)
    listed = caught.value.details["findings"]
    assert isinstance(listed, list)
    assert (caught.value.code, len(listed)) == (Code.DEVICE_CANNOT_SIGN, 2)
    require_none_refuses(device_findings(vault, {"cy": signer("jade", "1.0.40")}))


# Advisories


@pytest.mark.parametrize(
    ("seed", "expected"),
    [
        ("1.5.0Q", Code.SEED_FIRMWARE_ADVISORY),
        ("4.1.9", Code.SEED_FIRMWARE_ADVISORY),
        (None, Code.SEED_FIRMWARE_UNKNOWN),
        ("the newest", Code.SEED_FIRMWARE_UNKNOWN),
        ("1.5.1Q", None),
        ("3.1.9", None),
    ],
)
def test_the_firmware_that_made_the_seed_decides(seed: str | None, expected: Code | None) -> None:
    one = replace(signer("coldcard-q", "1.5.1Q"), seed_firmware=seed)
    findings = device_findings(make_vault(network=Network.MAIN), {"ann": one})
    assert [finding.code for finding in findings] == ([] if expected is None else [expected])
    assert all(finding.severity is Severity.WARN and "new seed" in finding.advice for finding in findings)


def test_new_firmware_mends_no_old_seed() -> None:
    one = signer("coldcard-mk4", "5.6.1", seed_firmware="5.4.3")
    (finding,) = device_findings(make_vault(network=Network.MAIN), {"ann": one})
    assert finding.code is Code.SEED_FIRMWARE_ADVISORY
    assert "ChangeLog" in finding.advice


@pytest.mark.parametrize(
    ("firmware", "expected"),
    [("1.0.37", Code.FIRMWARE_ADVISORY), ("1.0.38", None), (None, Code.FIRMWARE_UNKNOWN)],
)
def test_the_firmware_that_runs_has_advisories_of_its_own(firmware: str | None, expected: Code | None) -> None:
    findings = device_findings(make_vault(network=Network.MAIN), {"ann": signer("jade", firmware)})
    assert [finding.code for finding in findings] == ([] if expected is None else [expected])


# What lies in one hand

HANDS = {Code.QUORUM_IN_ONE_HAND, Code.VETO_IN_ONE_HAND, Code.CUSTODIAN_TWICE}


def hands(threshold: int, count: int, signers: Mapping[str, DescribedSigner]) -> list[tuple[Code, str]]:
    vault = make_vault(threshold, count, network=Network.MAIN)
    return [(one.code, one.message) for one in device_findings(vault, signers) if one.code in HANDS]


def test_one_vendor_of_a_quorum_is_named() -> None:
    found = hands(2, 3, {"ann": signer("trezor-t"), "bo": signer("trezor-safe"), "cy": signer("jade")})
    assert [code for code, _message in found] == [Code.QUORUM_IN_ONE_HAND]
    assert found[0][1] == "Trezor made the devices of ann, bo: 2 of 3 keys, enough to spend"


def test_one_vendor_of_a_veto_is_named() -> None:
    found = hands(4, 5, {"ann": signer("trezor-t"), "bo": signer("trezor-one"), "cy": signer("jade")})
    assert [code for code, _message in found] == [Code.VETO_IN_ONE_HAND]


def test_three_of_five_by_two_vendors_is_said_of_neither() -> None:
    two = {"ann": signer("trezor-t"), "bo": signer("trezor-safe"), "cy": signer("jade"), "dot": signer("jade")}
    assert hands(3, 5, two) == []


def test_an_unknown_vendor_is_never_the_same_as_another() -> None:
    assert hands(2, 3, {name: signer("other") for name in NAMES[:3]}) == []


def test_a_custodian_is_the_same_however_it_is_written() -> None:
    said = {
        "ann": signer("jade", custodian="Ann Li"),
        "bo": signer("passport", custodian=" ann  LI"),
        "cy": signer("ledger", custodian="Cy"),
    }
    ((code, message),) = hands(2, 3, said)
    assert code is Code.QUORUM_IN_ONE_HAND
    assert message.startswith("`Ann Li` is the custodian of ann, bo")


def test_a_custodian_of_two_keys_is_named_below_quorum_and_veto() -> None:
    said = {"ann": signer("jade", custodian="Ann"), "bo": signer("passport", custodian="Ann")}
    assert [code for code, _message in hands(3, 5, said)] == [Code.CUSTODIAN_TWICE]


def test_two_keys_in_one_place_below_quorum_and_veto_are_fine() -> None:
    said = {"ann": signer("jade", place="Oslo"), "bo": signer("passport", place="Oslo")}
    assert hands(3, 5, said) == []
    assert [code for code, _message in hands(2, 3, said)] == [Code.QUORUM_IN_ONE_HAND]


def test_who_holds_one_key_is_never_named_for_it() -> None:
    assert hands(3, 3, {"ann": signer("jade", custodian="Ann", place="Oslo")}) == []
    assert hands(1, 3, {"ann": signer("jade", custodian="Ann", place="Oslo")}) == []


@given(
    threshold=st.integers(1, 5),
    extra=st.integers(0, 4),
    custodians=st.lists(st.sampled_from(["A", "B", "C", None]), min_size=1, max_size=9),
)
def test_quorum_and_veto_are_counted(threshold: int, extra: int, custodians: list[str | None]) -> None:
    count = max(threshold + extra, 2)
    vault = make_vault(min(threshold, count), count, network=Network.MAIN)
    held = custodians[:count]
    described = {
        name: DescribedSigner(PROFILES["other"], custodian=who) for name, who in zip(NAMES, held, strict=False)
    }
    found = {one.message.split("`")[1]: one.code for one in device_findings(vault, described)}
    expected = {}
    for who in {one for one in held if one is not None}:
        keys = held.count(who)
        if keys < 2:
            continue
        rest = count - keys
        code = Code.QUORUM_IN_ONE_HAND if keys >= vault.threshold else None
        code = code or (Code.VETO_IN_ONE_HAND if rest < vault.threshold else Code.CUSTODIAN_TWICE)
        expected[who] = code
    assert found == expected


# Change that no device verifies (A114)


def test_a_quorum_of_devices_that_verify_no_change_is_named() -> None:
    vault = make_vault(2, 3, network=Network.MAIN)
    found = device_findings(
        vault, {"ann": signer("seedsigner"), "bo": signer("seedsigner"), "cy": signer(CLEAN, "1.0.40")}
    )
    assert Code.CHANGE_UNVERIFIED_BY_DEVICES in [one.code for one in found]


def test_one_of_them_that_verifies_change_in_every_quorum_is_enough() -> None:
    vault = make_vault(2, 3, network=Network.MAIN)
    found = device_findings(
        vault, {"ann": signer("seedsigner"), "bo": signer("jade", "1.0.40"), "cy": signer("passport")}
    )
    assert found == ()


def test_devices_whose_screen_nobody_read_are_not_counted() -> None:
    vault = make_vault(2, 3, network=Network.MAIN)
    assert device_findings(vault, {name: signer("other") for name in NAMES[:3]}) == ()


def test_every_screen_that_was_read_says_how_it_knows_change() -> None:
    screens = {model: PROFILES[model].screen for model in MODELS}
    assert [model for model, screen in screens.items() if screen is None or screen.change_check is None] == ["other"]
    known = {screen.change_check for screen in screens.values() if screen is not None}
    assert known == set(ChangeCheck) - {ChangeCheck.PATH}


def test_findings_follow_the_vaults_order_and_ignore_strangers() -> None:
    vault = make_vault(2, 3, network=Network.MAIN)
    found = device_findings(vault, {"zed": signer("bitbox01"), "cy": signer("bitbox01"), "ann": signer("bitbox01")})
    assert codes(found)[:2] == [(Code.DEVICE_CANNOT_SIGN, "cosigner:ann"), (Code.DEVICE_CANNOT_SIGN, "cosigner:cy")]
