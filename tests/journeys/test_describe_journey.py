"""Devices described through the real command line: who can't sign is refused, the rest is said where it is needed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from custody.bitcoin.network import Network
from custody.vault.vault import Vault
from support.cli import Result, run, run_json
from support.vaults import make_vault


def created(folder: Path, vault: Vault, *more: str) -> Result:
    """Create the vault's workspace through the command line."""
    keys = [f"{one.name}={one.key.to_text(vault.network)}" for one in vault.cosigners]
    options = ["--name", vault.name, "--network", str(vault.network), "--threshold", str(vault.threshold)]
    for key in keys:
        options += ["--cosigner", key]
    return run(["vault", "create", folder, *options, *more, "--json"])


@pytest.fixture
def office(tmp_path: Path) -> Path:
    """A 2-of-3 on main."""
    folder = tmp_path / "reserve"
    assert created(folder, make_vault(2, 3, network=Network.MAIN)).exit_code == 0
    return folder


def say(office: Path, *arguments: str) -> Any:
    return run_json(["--vault", office, *arguments])


def refused(office: Path, *arguments: str, exit_code: int) -> Any:
    result = run(["--vault", office, *arguments, "--json"])
    assert result.exit_code == exit_code, (result.stdout, result.stderr)
    return result.error


def codes(answer: Any) -> list[str]:
    return [one["code"] for one in answer["findings"]]


def verify(office: Path, exit_code: int = 0) -> Any:
    return run_json(["--vault", office, "vault", "verify"], exit_code=exit_code)


def text(office: Path, arguments: Sequence[str]) -> str:
    return run(["--vault", office, *arguments]).stdout


def test_what_is_described_is_listed_and_kept(office: Path) -> None:
    first = say(
        office, "cosigner", "describe", "ann", "--device", "jade", "--firmware", "1.0.40", "--custodian", "Ann Li"
    )
    assert (first["cosigner"], first["device"], first["registered"], first["proven"]) == ("ann", "jade", False, False)
    say(office, "cosigner", "describe", "ann", "--place", "Oslo", "--qr-dialect", "ur")
    ann, bo, _cy = say(office, "cosigner", "list")["cosigners"]
    assert {key: ann[key] for key in ("device", "firmware", "seed_firmware", "custodian", "place", "qr_dialect")} == {
        "device": "jade",
        "firmware": "1.0.40",
        "seed_firmware": None,
        "custodian": "Ann Li",
        "place": "Oslo",
        "qr_dialect": "ur",
    }
    assert (bo["device"], bo["registered"], bo["proven"]) == (None, None, False)
    shown = text(office, ["cosigner", "list"])
    assert "jade 1.0.40, Ann Li, Oslo" in shown
    assert "device not described" in shown


def test_another_device_forgets_firmware_and_dialect_and_keeps_seed_and_custodian(office: Path) -> None:
    old = ("--firmware", "1.0.40", "--seed-firmware", "5.6.1", "--custodian", "Ann", "--qr-dialect", "ur")
    say(office, "cosigner", "describe", "ann", "--device", "jade", *old)
    now = say(office, "cosigner", "describe", "ann", "--device", "coldcard-q")
    assert (now["firmware"], now["qr_dialect"], now["seed_firmware"], now["custodian"]) == (None, None, "5.6.1", "Ann")


def test_an_empty_text_takes_a_word_back_and_the_same_words_change_nothing(office: Path) -> None:
    say(office, "cosigner", "describe", "ann", "--device", "jade", "--place", "Oslo")
    assert refused(office, "cosigner", "describe", "ann", "--place", "Oslo", exit_code=7)["error"] == "NOTHING_TO_DO"
    assert say(office, "cosigner", "describe", "ann", "--place", "")["place"] is None


def test_a_description_is_an_entry_of_the_journal_that_restates_everything(office: Path) -> None:
    say(office, "--as", "dora", "cosigner", "describe", "ann", "--device", "jade", "--custodian", "Ann")
    entry = say(office, "journal", "show")["entries"][-1]
    assert (entry["kind"], entry["actor"]) == ("cosigner_described", "dora")
    assert entry["body"] == {
        "cosigner": "ann",
        "device": "jade",
        "firmware": None,
        "seed_firmware": None,
        "custodian": "Ann",
        "place": None,
        "qr_dialect": None,
    }


@pytest.mark.parametrize(
    ("arguments", "exit_code", "error"),
    [
        (["zed", "--device", "jade"], 6, "COSIGNER_UNKNOWN"),
        (["ann", "--firmware", "1.0"], 2, "USAGE"),
        (["ann", "--device", "abacus"], 2, "USAGE"),
        (["ann", "--device", "jade", "--qr-dialect", "morse"], 2, "USAGE"),
        (["ann", "--device", "jade", "--place", "two\nlines"], 6, "MALFORMED_DOCUMENT"),
        (["ann", "--device", "jade", "--custodian", "x" * 201], 6, "MALFORMED_DOCUMENT"),
        (["ann", "--device", "bitbox01"], 6, "DEVICE_CANNOT_SIGN"),
        (["ann", "--device", "simulator"], 6, "DEVICE_CANNOT_SIGN"),
    ],
)
def test_what_can_not_be_described_writes_nothing(
    office: Path, arguments: list[str], exit_code: int, error: str
) -> None:
    assert refused(office, "cosigner", "describe", *arguments, exit_code=exit_code)["error"] == error
    assert len(say(office, "journal", "show")["entries"]) == 1


def test_a_seed_phrase_as_a_place_is_refused_unread(office: Path) -> None:
    words = " ".join(["abandon"] * 11 + ["about"])
    result = run(["--vault", office, "cosigner", "describe", "ann", "--device", "jade", "--place", words, "--json"])
    assert (result.exit_code, result.error["error"]) == (6, "SECRET_MATERIAL")
    assert "abandon" not in result.stdout + result.stderr


def test_firmware_that_locks_the_quorum_out_is_refused_at_creation_and_later(tmp_path: Path) -> None:
    vault = make_vault(4, 11, network=Network.MAIN)
    folder = tmp_path / "big"
    result = created(folder, vault, "--device", "bo=ledger@2.3.0")
    assert (result.exit_code, result.error["error"]) == (6, "DEVICE_CANNOT_SIGN")
    assert "at most 10 keys, the vault has 11" in result.error["message"]
    assert not folder.exists()
    assert created(folder, vault, "--device", "bo=ledger@2.4.6").exit_code == 0
    later = refused(folder, "cosigner", "describe", "bo", "--firmware", "2.3.0", exit_code=6)
    assert later["error"] == "DEVICE_CANNOT_SIGN"
    bo = say(folder, "cosigner", "list")["cosigners"][1]
    assert (bo["device"], bo["firmware"]) == ("ledger", "2.4.6")


@pytest.mark.parametrize(
    "device",
    ["bo", "bo=", "bo=abacus", "bo=ledger@", "=ledger"],
    ids=["name", "empty", "unknown", "no-version", "nobody"],
)
def test_a_device_named_wrongly_creates_no_vault(tmp_path: Path, device: str) -> None:
    result = created(tmp_path / "w", make_vault(2, 3, network=Network.MAIN), "--device", device)
    assert result.exit_code in (2, 6)
    assert not (tmp_path / "w").exists()


def test_two_devices_for_one_key_are_refused(tmp_path: Path) -> None:
    devices = ("--device", "bo=ledger", "--device", "bo=jade")
    result = created(tmp_path / "w", make_vault(2, 3, network=Network.MAIN), *devices)
    assert (result.exit_code, result.error["error"]) == (2, "USAGE")


def test_a_device_that_has_no_test_network_is_refused_there(tmp_path: Path) -> None:
    vault = make_vault(2, 3, network=Network.TESTNET4)
    result = created(tmp_path / "w", vault, "--device", "ann=keystone-3@3.0.0")
    assert result.error["error"] == "DEVICE_CANNOT_SIGN"
    assert "can't be used on testnet4" in result.error["message"]


def test_an_imported_vault_takes_its_devices_along(tmp_path: Path, office: Path) -> None:
    devices = ["--device", "ann=keystone-3@3.0.0", "--device", "bo=jade@1.0.40"]
    answer = run_json(["vault", "import", office / "vault.yaml", tmp_path / "copy", *devices])
    assert "DEVICE_NO_REHEARSAL" in codes(answer)
    assert [one["device"] for one in say(tmp_path / "copy", "cosigner", "list")["cosigners"]] == [
        "keystone-3",
        "jade",
        None,
    ]


def test_verify_has_no_check_of_devices_until_one_is_described(office: Path) -> None:
    assert [one["name"] for one in verify(office)["checks"]] == ["keys", "engines", "adopted"]
    say(office, "cosigner", "describe", "ann", "--device", "jade", "--firmware", "1.0.40")
    checked = verify(office)
    assert checked["checks"][-1] == {"name": "devices", "ok": True}
    assert codes(checked) == ["DEVICE_UNPROVEN", "DEVICE_UNREGISTERED"]


def test_an_advisory_about_the_seed_is_said_at_once_and_by_verify(office: Path) -> None:
    old = say(office, "cosigner", "describe", "ann", "--device", "coldcard-mk4", "--seed-firmware", "5.4.3")
    assert codes(old) == ["SEED_FIRMWARE_ADVISORY", "FIRMWARE_UNKNOWN"]
    assert "new seed" in old["findings"][0]["advice"]
    assert "SEED_FIRMWARE_ADVISORY" in codes(verify(office))
    unknown = say(office, "cosigner", "describe", "ann", "--seed-firmware", "")
    assert codes(unknown) == ["SEED_FIRMWARE_UNKNOWN", "FIRMWARE_UNKNOWN"]
    good = say(office, "cosigner", "describe", "ann", "--seed-firmware", "5.6.1", "--firmware", "5.6.1")
    assert codes(good) == []


def test_one_custodian_with_a_quorum_is_said(office: Path) -> None:
    say(office, "cosigner", "describe", "ann", "--device", "jade", "--firmware", "1.0.40", "--custodian", "Ann Li")
    answer = say(office, "cosigner", "describe", "bo", "--device", "passport", "--custodian", "ann li")
    assert codes(answer) == ["QUORUM_IN_ONE_HAND"]
    assert "QUORUM_IN_ONE_HAND@vault" in text(office, ["vault", "verify"])


def test_status_names_who_is_unregistered_and_unproven_before_a_draft(office: Path) -> None:
    before = run(["--vault", office, "status"])
    assert "UNREGISTERED" not in before.stdout
    say(office, "cosigner", "describe", "ann", "--device", "jade", "--firmware", "1.0.40")
    shown = text(office, ["status"])
    assert "UNREGISTERED ann" in shown
    assert "UNPROVEN ann" in shown
    assert "devices of bo, cy are not described" in shown
    answer = run_json(["--vault", office, "status"], exit_code=9)
    assert [(one["cosigner"], one["device"], one["registered"], one["proven"]) for one in answer["signers"]] == [
        ("ann", "jade", False, False),
        ("bo", None, None, False),
        ("cy", None, None, False),
    ]
