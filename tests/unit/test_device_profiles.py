"""The device profiles that come with the program, their reader, and the order of firmware versions."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.audit.signers import DIALECTS, REGISTRATION_METHODS
from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.documents import strict_yaml
from custody.errors import InvalidInput, UpgradeNeeded
from custody.spend.review_devices import DEVICE_NEEDS
from custody.vault.device_firmware import FirmwareRange, version_numbers
from custody.vault.device_profile import (
    ChangeCheck,
    DeviceProfile,
    MessageProof,
    Need,
    QrDialect,
    RegistrationMethod,
    Transport,
    models_for_driver,
)
from custody.workspace import signer_settings
from custody_hardware import hwi_requests
from custody_hardware.device_profiles import MODELS, load_profiles, profile_from_text, profile_text
from custody_hardware.hwi_errors import MAKERS
from custody_hardware.hwi_worker.open_device import DRIVERS

PROFILES = load_profiles()
REVIEWED = (
    "Trezor",
    "KeepKey",
    "Ledger",
    "Coldcard",
    "BitBox02",
    "Jade",
    "Passport",
    "Keystone 3",
    "SeedSigner",
    "Specter-DIY",
)
"""Devices as a review calls them."""
FOLDER = Path(__file__).parents[2] / "hardware" / "custody_hardware" / "devices"

versions = st.lists(st.integers(0, 99999), min_size=2, max_size=4).map(lambda numbers: ".".join(map(str, numbers)))


def every_profile() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("model", MODELS)


def refusal(text: str) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        profile_from_text(text)
    return caught.value


# Versions


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("5.6.0", "5.6.1"),
        ("5.6.1", "5.10.0"),
        ("1.5.0Q", "1.5.1Q"),
        ("6.5.0X", "6.6.1QX"),
        ("v2.3.0", "2.4.0"),
        ("1.0.9", "1.0.40"),
        ("1.1.4-BTC", "2.0.4-BTC"),
    ],
)
def test_versions_are_ordered_by_their_numbers(older: str, newer: str) -> None:
    first, second = version_numbers(older), version_numbers(newer)
    assert first is not None and second is not None
    assert first < second


@pytest.mark.parametrize("same", ["9.24", "9.24.0", "v9.24.0", "9.24.0.0"])
def test_missing_numbers_are_nought(same: str) -> None:
    assert version_numbers(same) == (9, 24, 0, 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "latest",
        "5",
        "5.",
        "5.6.1-rc1",
        "5.6.1beta",
        "5.6.1 ",
        "5.6.1\n",
        "1.2.3.4.5",
        "-1.0",
        "٥.٦",
        "5,6",
        "1.0.123456",
    ],
)
def test_what_is_no_version_is_unknown(text: str) -> None:
    assert version_numbers(text) is None
    assert FirmwareRange("1.0", None).holds(text) is None
    assert FirmwareRange().holds(text) is True


def test_a_range_ends_before_its_upper_version() -> None:
    some = FirmwareRange("5.0.0", "5.6.1")
    assert [some.holds(version) for version in ("4.2.0", "5.0.0", "5.6.0", "5.6.1", None)] == [
        False, True, True, False, None,
    ]  # fmt: skip


@pytest.mark.parametrize(("first", "below"), [("2.0", "1.0"), ("1.0", "1.0.0"), ("dev", None), (None, "x")])
def test_an_impossible_range_is_refused(first: str | None, below: str | None) -> None:
    with pytest.raises(ValueError, match="version"):
        FirmwareRange(first, below)


@given(versions, versions)
def test_a_version_lies_on_exactly_one_side_of_a_border(border: str, version: str) -> None:
    assert FirmwareRange(None, border).holds(version) is not FirmwareRange(border, None).holds(version)


@given(versions, st.sampled_from(["", "Q", "X", "QX", "-BTC"]), st.sampled_from(["", "v"]))
def test_editions_and_a_leading_v_change_no_order(version: str, edition: str, letter: str) -> None:
    assert version_numbers(f"{letter}{version}{edition}") == version_numbers(version)


# The files


def test_the_list_of_models_is_the_folder() -> None:
    assert sorted(path.stem for path in FOLDER.iterdir()) == list(MODELS)
    assert list(PROFILES) == list(MODELS)
    assert len(PROFILES) == len(MODELS)


@every_profile()
def test_each_profile_reads_and_names_itself(model: str) -> None:
    profile = PROFILES[model]
    assert profile.model == model
    assert PROFILES[model] is profile


@every_profile()
def test_every_fact_has_a_source_that_names_no_folder_of_ours(model: str) -> None:
    sources = PROFILES[model].sources
    assert {"transports", "needs.global_xpubs", "limits[0].cosigners"} <= sources.keys()
    assert not [source for source in sources.values() if source.startswith("/")]


@every_profile()
def test_ranges_of_firmware_follow_one_another_without_gap(model: str) -> None:
    ranges = [one.firmware for one in PROFILES[model].limits]
    assert all(this.below == later.first for this, later in pairwise(ranges))


@every_profile()
def test_addresses_on_main_begin_with_bc_and_nowhere_else(model: str) -> None:
    for one in PROFILES[model].limits:
        for network, shown in (one.networks or {}).items():
            assert set(shown.values()) <= ({"bc"} if network is Network.MAIN else {"tb", "bcrt"})
            assert set(shown) <= set(PROFILES[model].transports)


@every_profile()
def test_a_device_that_demands_previous_transactions_gets_them(model: str) -> None:
    needs = PROFILES[model].needs
    assert needs.slim_allowed or needs.content == "full"
    assert needs.full_previous is not Need.REQUIRED or not needs.slim_allowed


@every_profile()
def test_whatever_has_codes_or_cards_has_that_transport(model: str) -> None:
    profile = PROFILES[model]
    assert (profile.qr is None) or Transport.QR in profile.transports
    assert (profile.card is None) or Transport.SD in profile.transports


@every_profile()
def test_every_advisory_says_what_to_do_and_where_it_was_published(model: str) -> None:
    for advisory in PROFILES[model].advisories:
        assert advisory.affected and advisory.text and advisory.advice.endswith(".") and advisory.source


def test_an_unknown_device_claims_nothing() -> None:
    other = PROFILES["other"]
    limits = other.limits_of("1.0")[0]
    assert (other.vendor, other.registration, other.screen, other.hwi) == (None, None, None, None)
    assert (limits.cosigners, limits.inputs, limits.psbt_bytes, limits.scripts, limits.networks) == (None,) * 5


def test_the_words_are_those_of_the_journal() -> None:
    assert tuple(RegistrationMethod) == REGISTRATION_METHODS
    assert tuple(QrDialect) == DIALECTS


def named(code: Code) -> set[str]:
    """Return the names of devices that a review says will fail without a field."""
    return {name for need in DEVICE_NEEDS[code] for name in need.devices}


def test_a_reviews_table_of_needs_says_what_the_profiles_say() -> None:
    """A review runs without profiles, so that a signer needs two files alone; its words must not drift from them."""
    needy = {model for model in MODELS if PROFILES[model].needs.global_xpubs in (Need.REQUIRED, Need.FOR_CHANGE)}
    named_models = {model for model in needy if any(PROFILES[model].name.startswith(name) for name in REVIEWED)}
    assert named(Code.GLOBAL_XPUBS_MISSING) == {name for name in REVIEWED if _models(name) <= needy}
    assert named_models == needy


def _models(name: str) -> set[str]:
    return {model for model in MODELS if PROFILES[model].name.startswith(name)}


# What they say


def limit(model: str, firmware: str | None, what: str) -> list[object]:
    return [getattr(one, what) for one in PROFILES[model].limits_of(firmware)]


@pytest.mark.parametrize(
    ("firmware", "expected"),
    [("2.2.3", [None]), ("2.2.4", [10]), ("2.3.0", [10]), ("2.4.0", [15]), ("2.4.6", [15])],
)
def test_ledgers_limit_of_cosigners_goes_with_the_app(firmware: str, expected: list[int | None]) -> None:
    assert limit("ledger", firmware, "cosigners") == expected


def test_an_unknown_version_may_have_any_of_the_limits() -> None:
    assert limit("ledger", None, "cosigners") == [None, None, 10, 15]
    assert limit("ledger", "latest", "cosigners") == [None, None, 10, 15]


def test_a_version_outside_every_range_is_not_known() -> None:
    assert PROFILES["bitbox02"].limits_of("10.0.0") == ()


def test_an_old_coldcard_signs_twenty_inputs() -> None:
    assert limit("coldcard-mk3", None, "inputs") == [20]
    assert limit("coldcard-mk3", "4.1.9", "psbt_bytes") == [393216]


def test_keystone_knows_no_test_network_and_jade_no_testnet4_by_cable() -> None:
    keystone, jade = PROFILES["keystone-3"].limits_of("3.0.0")[0], PROFILES["jade"].limits_of(None)[0]
    assert set(keystone.networks or {}) == {Network.MAIN}
    assert Transport.USB not in (jade.networks or {})[Network.TESTNET4]
    assert (jade.networks or {})[Network.REGTEST] == {Transport.USB: "bcrt", Transport.SD: "tb", Transport.QR: "tb"}


@pytest.mark.parametrize(
    ("model", "seed", "expected"),
    [
        ("coldcard-mk4", "5.6.0", True),
        ("coldcard-mk4", "5.6.1", False),
        ("coldcard-mk4", "6.6.0X", True),
        ("coldcard-mk4", "4.1.9", True),
        ("coldcard-mk3", "4.2.0", True),
        ("coldcard-mk3", "3.1.9", False),
        ("coldcard-q", "1.5.0Q", True),
        ("coldcard-q", "1.5.1Q", False),
        ("coldcard-q", "6.6.1QX", False),
        ("coldcard-q", None, None),
        ("coldcard-q", "latest", None),
    ],
)
def test_coldcards_advisory_of_july_2026(model: str, seed: str | None, expected: bool | None) -> None:
    (advisory,) = (one for one in PROFILES[model].advisories if one.name == "seed-entropy-2026")
    assert advisory.affects(seed) is expected


@pytest.mark.parametrize(
    ("driver", "said", "expected"),
    [
        ("coldcard", "coldcard", ("coldcard-mk3", "coldcard-mk4", "coldcard-q")),
        ("coldcard", "coldcard_edge", ("coldcard-mk4", "coldcard-q")),
        ("ledger", "ledger_nano_s_plus", ("ledger",)),
        ("ledger", "ledger_nano_s_simulator", ("ledger",)),
        ("trezor", "trezor_safe 3", ("trezor-safe",)),
        ("trezor", "trezor_1", ("trezor-one",)),
        ("trezor", "trezor_safe 9", ()),
        ("jade", "ledger_nano_s", ()),
        ("keepkey", "keepkey", ("keepkey",)),
    ],
)
def test_what_a_driver_calls_a_device_leads_to_its_models(driver: str, said: str, expected: tuple[str, ...]) -> None:
    assert models_for_driver(PROFILES, driver, said) == expected


def test_only_the_device_without_a_screen_is_refused() -> None:
    assert [model for model, profile in PROFILES.items() if profile.refused] == ["bitbox01"]
    screen = PROFILES["bitbox01"].screen
    assert screen is not None and screen.change_check is ChangeCheck.NEVER


def test_both_scripts_are_signed_by_all_that_sign_multisig() -> None:
    able = [model for model, profile in PROFILES.items() if profile.limits[-1].scripts == frozenset(ScriptType)]
    assert set(MODELS) - set(able) == {"bitbox01", "other"}


def test_which_devices_sign_a_message_and_which_show_it() -> None:
    said = {model: profile.proofs.bip322 for model, profile in PROFILES.items()}
    assert [model for model, proof in said.items() if proof is MessageProof.SHOWS] == [
        "coldcard-mk4",
        "coldcard-q",
        "simulator",
    ]
    assert said["ledger"] is MessageProof.BLIND
    assert (said["bitbox02"], said["jade"], said["other"]) == (MessageProof.REFUSES, None, None)
    assert {PROFILES[model].proofs.bip127 for model in MODELS if "trezor" in model} == {MessageProof.REFUSES}


# The reader


def test_a_file_from_before_proofs_were_read_says_nothing_of_them() -> None:
    before, _proofs, rest = profile_text("coldcard-mk4").partition("proofs:\n")
    older = profile_from_text(before + rest[rest.index("advisories:") :])
    assert (older.proofs.bip322, older.proofs.bip127) == (None, None)


def changed(old: str, new: str, model: str = "coldcard-mk4") -> str:
    text = profile_text(model)
    assert old in text
    return text.replace(old, new, 1)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("format: custody-device/1", "format: custody-vault/1", Code.UNKNOWN_FORMAT),
        ("cosigners: {is: 15,", "cosigners: {is: many,", Code.MALFORMED_DOCUMENT),
        ("cosigners: {is: 15,", "cosigners: {is: -1,", Code.MALFORMED_DOCUMENT),
        ("qr: null", "qr: {}", Code.MALFORMED_DOCUMENT),
        ("qr: null", "qr: null\ncolour: red", Code.UNKNOWN_FIELD),
        ("[usb, sd, nfc]", "[usb, carrier-pigeon]", Code.MALFORMED_DOCUMENT),
        ("subject: seed", "subject: soul", Code.MALFORMED_DOCUMENT),
        ('below: "5.6.1"', 'below: "latest"', Code.MALFORMED_DOCUMENT),
        ("model: coldcard-mk4", "model: Coldcard", Code.NAME_INVALID),
        ("slim_allowed: {is: true,", "slim_allowed: {is: maybe,", Code.MALFORMED_DOCUMENT),
        ("bip322: {is: shows,", "bip322: {is: sometimes,", Code.MALFORMED_DOCUMENT),
        ('bip322_since: {is: "5.5.1",', 'bip322_since: {is: "soon",', Code.MALFORMED_DOCUMENT),
    ],
)
def test_a_changed_file_is_refused(old: str, new: str, code: Code) -> None:
    assert refusal(changed(old, new)).code is code


def test_a_fact_without_a_source_is_refused() -> None:
    empty = changed("qr: null", 'qr: {dialects: {is: [], source: "x"}, ur_type: {is: null, source: "x"}}')
    assert refusal(empty).message == "qr.dialects names none"
    assert refusal(changed("qr: null", 'qr: {dialects: {is: [ur]}, ur_type: {is: null, source: "x"}}')).message == (
        "qr.dialects lacks the key `source`"
    )
    assert "says no source" in refusal(changed('source: "Coldcard/firmware shared/multisig.py"', 'source: ""')).message


def test_a_newer_format_asks_for_a_newer_program() -> None:
    assert isinstance(refusal(changed("custody-device/1", "custody-device/2")), UpgradeNeeded)


def test_a_limit_list_must_not_be_empty() -> None:
    document = strict_yaml.load(profile_text("other"))
    assert isinstance(document, dict)
    assert "limits" in refusal(strict_yaml.dump({**document, "limits": []})).message


def test_an_unknown_model_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput) as caught:
        profile_text("abacus")
    assert caught.value.code is Code.FILE_NOT_FOUND
    with pytest.raises(KeyError):
        PROFILES["abacus"]


def test_a_profile_is_a_value() -> None:
    again: DeviceProfile = profile_from_text(profile_text("jade"))
    assert again == PROFILES["jade"]


def test_every_room_knows_the_same_drivers() -> None:
    assert sorted(MAKERS) == sorted(DRIVERS) == sorted(signer_settings._DRIVERS)


@pytest.mark.parametrize("driver", DRIVERS)
def test_what_the_bus_knows_of_a_driver_is_what_the_profiles_say(driver: str) -> None:
    profiles = [one for one in load_profiles().values() if one.hwi is not None and driver in one.hwi.names]
    assert profiles
    for profile in profiles:
        if profile.refused is None:
            assert str(profile.registration) == hwi_requests.METHODS.get(driver, "none"), profile.model
            lengths = {one.name_length for one in profile.limits} - {None}
            assert lengths == {hwi_requests._NAME_LENGTHS.get(driver)} - {None}, profile.model
