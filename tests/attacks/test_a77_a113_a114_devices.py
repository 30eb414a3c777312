"""A52, A58, A68, A77, A91, A92, A95, A113, A114: devices, drivers and programs between that lie, by command line."""

import json
from pathlib import Path

import click
import pytest

from custody.audit.signers import CHECKED, REGISTERED, REHEARSED
from custody.errors import JsonValue
from custody.workflow.office import Surroundings, editing
from custody.workspace.layout import Workspace
from custody_cli.device_commands import device as device_noun
from support.cli import run
from support.rehearsal import stranger
from support.standin import StandinOffice, fingerprint_of

PAID = 6_000_000_000
XPRV = "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi"


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> StandinOffice:
    """An office with checked devices of c1 and c2 and a payment of two inputs."""
    made = StandinOffice(tmp_path_factory.mktemp("standin"))
    for number in (1, 2):
        made.bench.connect(number)
        made.json(["device", "check", f"c{number}"])
    made.fund(2)
    made.draft("--to", f"{stranger(1)}=60btc")
    return made


@pytest.fixture
def office(checked: StandinOffice, tmp_path: Path) -> StandinOffice:
    twin = checked.copied_to(tmp_path / "twin")
    twin.bench.connect(1)
    return twin


SIGN = ("proposal", "sign", "--device", "c1", "--confirm-sats", str(PAID))


class Fixed:
    """A clock and a source of ids that never change."""

    def now(self) -> int:
        return 1_767_300_000

    def nonce(self) -> str:
        return "ab" * 16


@pytest.mark.parametrize("command", [SIGN, ("device", "show-address", "c1"), ("device", "check", "c1")])
def test_a113_an_impostor_with_the_wanted_fingerprint_gets_nothing(
    office: StandinOffice, command: tuple[str, ...]
) -> None:
    office.bench.place({"number": 9, "model": "trezor_t", "claims": fingerprint_of(1)})
    before, asked = office.journal, len(office.bench.requests)
    refused = office.error(command, exit_code=3)
    assert (refused["error"], refused["details"]["what"]) == ("DEVICE_KEY_MISMATCH", "key")
    assert refused["details"]["expected"] == office.vault.cosigners[0].key.to_text(office.vault.network)
    assert refused["details"]["got"] != refused["details"]["expected"]
    # It was asked for its key and for nothing else: no payment, no rehearsal, no address left.
    assert [one["command"] for one in office.bench.requests[asked:]] == ["enumerate", "getdescriptors"]
    assert office.kinds[len(before) :] == ["device_mismatch"]


def test_a113_a_key_is_not_given_out_until_it_was_read_across_a_reconnect(office: StandinOffice) -> None:
    for fault, code, exit_code in (("changing", "DEVICE_KEY_MISMATCH", 3), ("gone-after-one-key", "DEVICE_ABSENT", 8)):
        office.bench.connect(1)
        office.bench.fault(1, fault)
        result = office.run(["device", "key", "c1"], stdin="yes\n")
        assert (result.exit_code, code in result.stderr, result.stdout) == (exit_code, True, "")
    office.bench.connect(1)
    asked = len(office.bench.requests)
    assert office.run(["device", "key", "c1"], stdin="yes\n").exit_code == 0
    assert [one["command"] for one in office.bench.requests[asked:]] == ["enumerate", "getdescriptors"] * 2


def test_a113_the_enrolled_key_decides_not_the_answer_twice(office: StandinOffice) -> None:
    office.bench.place({"number": 9, "claims": fingerprint_of(1)})
    result = office.run(["device", "key", "c1"], stdin="yes\n")
    assert (result.exit_code, "DEVICE_KEY_MISMATCH" in result.stderr, result.stdout) == (3, True, "")


@pytest.mark.parametrize(("fault", "code"), [("other-input", "BAD_SIGNATURE"), ("stranger", "SIGNER_NOT_MEMBER")])
def test_a52_a_misfiled_or_foreign_signature_is_refused_whole(office: StandinOffice, fault: str, code: str) -> None:
    before = office.journal
    office.bench.fault(1, fault)
    assert office.error(SIGN, exit_code=3)["error"] == code
    assert office.error(["device", "check", "c1"], exit_code=3)["error"] == code
    assert office.journal == before


def test_a58_a_device_changes_nothing_but_signatures(office: StandinOffice) -> None:
    before = office.journal
    office.bench.fault(1, "other-amount")
    refused = office.error(SIGN, exit_code=3)
    assert refused["error"] in ("COMBINE_NON_SIGNATURE_CHANGE", "BAD_SIGNATURE")
    assert office.journal == before
    office.bench.fault(1, "added-field")
    signed = office.json(SIGN)
    assert signed["signing"]["signed"] == ["c1"]
    assert b"who-knows".hex() not in signed["psbt"]
    shown = office.json(["proposal", "show"])
    assert [one["code"] for one in shown["findings"] if one["code"] == "UNKNOWN_FIELDS_PRESENT"] == []


def test_a68_the_device_gets_the_very_bytes_that_were_reviewed(office: StandinOffice) -> None:
    reviewed = office.json(["proposal", "show"])["psbt"]
    office.json(SIGN)
    assert [one["psbt"] for one in office.bench.requests if one["command"] == "signtx"][-1] == reviewed
    office.bench.connect(2)
    half = office.json(["proposal", "show"])["psbt"]
    office.json(["proposal", "sign", "--device", "c2", "--confirm-sats", PAID])
    assert [one["psbt"] for one in office.bench.requests if one["command"] == "signtx"][-1] == half != reviewed


def test_a68_another_payment_comes_back_and_is_refused(office: StandinOffice) -> None:
    before = office.journal
    office.bench.fault(1, "changed")
    refused = office.error(SIGN, exit_code=3)
    assert refused["error"] == "DIFFERENT_TRANSACTION"
    assert "output 0 pays" in refused["message"]
    assert office.journal == before


def test_a77_a_token_of_another_device_is_neither_tried_nor_left_out(office: StandinOffice) -> None:
    body = {
        "cosigner": "c1",
        "device": "ledger",
        "firmware": "2.4.1",
        "method": "policy",
        "name": "reserve-12345678",
        "policy_id": "11" * 32,
        "token": "22" * 32,
    }
    tell(office, (REGISTERED, dict(body)))
    asked = len(office.bench.requests)
    for command in (SIGN, ("device", "show-address", "c1")):
        refused = office.error(command, exit_code=3)
        assert refused["error"] == "POLICY_HMAC_UNKNOWN"
        assert "made on `ledger`" in refused["message"]
    done = {one["command"] for one in office.bench.requests[asked:]}
    assert done == {"enumerate", "getdescriptors"}  # nothing was asked with or without the token


def tell(office: StandinOffice, *events: tuple[str, dict[str, JsonValue]]) -> None:
    """Write to the journal as anybody can who has the workspace."""
    with editing(Workspace(office.folder), Surroundings(Fixed(), Fixed(), None)) as desk:
        desk.record(events)


def told(office: StandinOffice, kind: str, cosigner: str) -> dict[str, JsonValue]:
    """Return the newest entry of a kind about a cosigner."""
    bodies = [one["body"] for one in office.json(["journal", "show"])["entries"] if one["kind"] == kind]
    return dict(next(body for body in reversed(bodies) if body["cosigner"] == cosigner))


def test_a113_an_alarm_is_ended_by_a_new_signature_and_by_no_entry(office: StandinOffice) -> None:
    office.bench.place({"number": 9, "model": "trezor_t", "claims": fingerprint_of(1)})
    assert office.error(SIGN, exit_code=3)["error"] == "DEVICE_KEY_MISMATCH"
    # Whoever looks sees it, though nobody described the device.
    for look in (["status"], ["cosigner", "list"]):
        assert "ALARM c1: its device gave another key than the vault's" in office.run(look).stdout
    told_by = {one["cosigner"]: one["mismatch"] for one in office.json(["status"])["signers"]}
    assert told_by == {"c1": "key", "c2": None, "c3": None}
    office.bench.connect(1)
    # Somebody tells the old check again, with its good signatures, and one that never was.
    tell(office, (REHEARSED, told(office, REHEARSED, "c1")), (CHECKED, told(office, CHECKED, "c1")))
    tell(office, (CHECKED, {**told(office, CHECKED, "c1"), "unsigned_txid": "11" * 32}))
    asked = len(office.bench.requests)
    assert office.error(SIGN, exit_code=3)["error"] == "DEVICE_KEY_MISMATCH"
    assert "signtx" not in [one["command"] for one in office.bench.requests[asked:]]
    (row,) = office.json(["device", "list"])["devices"]
    assert (row["claims_cosigners"], row["proven"]) == (["c1"], False)
    verified = office.json(["vault", "verify"], exit_code=3)
    assert [one["code"] for one in verified["findings"]] == ["DEVICE_KEY_MISMATCH", "DEVICE_UNPROVEN"]
    assert "no new signature by its key stands behind that" in verified["findings"][1]["message"]
    office.json(["device", "check", "c1"])
    assert "ALARM" not in office.run(["status"]).stdout
    assert office.json(SIGN)["signing"]["signed"] == ["c1"]


def test_a113_a_check_that_no_key_signed_for_is_none(office: StandinOffice) -> None:
    office.bench.connect(3)
    check = {**told(office, CHECKED, "c1"), "cosigner": "c3"}
    tell(office, (REHEARSED, {**told(office, REHEARSED, "c1"), "cosigner": "c3"}), (CHECKED, check))
    missing = office.error(["proposal", "sign", "--device", "c3", "--confirm-sats", PAID], exit_code=5)
    assert missing["error"] == "ACK_MISSING"
    assert "DEVICE_UNPROVEN@cosigner:c3" in missing["message"] + str(missing["details"])
    listed = {one["name"]: one["proven"] for one in office.json(["cosigner", "list"])["cosigners"]}
    assert listed == {"c1": True, "c2": True, "c3": False}


@pytest.mark.parametrize("number", [1, 2, 2_000_000_000, 2**31 - 1, 2**40])
def test_a113_nobody_is_kept_from_a_check_by_what_an_entry_says(office: StandinOffice, number: int) -> None:
    signed = told(office, REHEARSED, "c1")
    tell(office, *((REHEARSED, {**signed, "cosigner": name, "number": number}) for name in ("c2", "c3")))
    again = office.json(["device", "check", "c1"])
    assert (again["rehearsal"], again["signed"]) == (2, ["c1"])
    office.bench.connect(3)
    third = office.json(["device", "check", "c3"])
    assert (third["rehearsal"], third["signed"]) == (2, ["c1", "c3"])
    verified = office.json(["vault", "verify"], exit_code=3)
    assert {one["where"] for one in verified["findings"] if one["code"] == "BAD_SIGNATURE"} == {
        "cosigner:c2",
        "cosigner:c3",
    }


@pytest.mark.parametrize(
    ("number", "model", "words"),
    [
        (3, "an-unknown-one", "What this device shows is not known: compare every output"),
        (3, "digitalbitbox_01", "compare"),
        (1, "trezor_t", "change: hidden where it is recognised"),
    ],
)
def test_a114_what_a_device_hides_is_said_before_the_amount_is_typed(
    office: StandinOffice, number: int, model: str, words: str
) -> None:
    office.bench.connect(number, model=model)
    sign = ["proposal", "sign", "--device", f"c{number}"]
    acks = ["DEVICE_UNREGISTERED", "DEVICE_UNPROVEN"] if number == 3 else []
    acks = [word for code in acks for word in ("--ack", f"{code}@cosigner:c{number}")]
    told = office.run([*sign, *acks], stdin="\n")
    if "ACK_UNKNOWN" in told.stderr:  # a device that keeps no vault has nothing to be registered
        told = office.run([*sign, *acks[2:]], stdin="\n")
    assert told.exit_code == 5
    assert words in told.stderr
    assert told.stderr.index(words) < told.stderr.index("type the amount in satoshis")


def test_a92_no_device_command_takes_a_secret_as_an_argument() -> None:
    verbs = device_noun.commands.values()
    names = {option for verb in verbs for one in verb.params if isinstance(one, click.Option) for option in one.opts}
    assert names
    assert not [name for name in names if any(word in name for word in ("pass", "pin", "seed", "secret", "mnemonic"))]
    for verb in device_noun.commands:
        refused = run(["device", verb, "--passphrase", "correct horse", "--json"])
        assert refused.exit_code == 2
        assert "horse" not in refused.stderr + refused.stdout


@pytest.mark.parametrize("command", [["device", "key"], ["device", "show-address"], ["device", "check"]])
def test_a91_a92_a_secret_in_the_place_of_a_name_is_refused_and_not_repeated(
    office: StandinOffice, command: list[str]
) -> None:
    refused = office.run([*command, XPRV, "--json"])
    assert (refused.exit_code, refused.error["error"]) == (6, "SECRET_MATERIAL")
    assert XPRV[:20] not in refused.stderr + refused.stdout


def test_a95_a_devices_words_can_not_forge_a_line(office: StandinOffice) -> None:
    evil = "trezor\x1b[2J\r\nVERDICT CLEAN\u202e\u200b"
    office.bench.place({"number": 1, "model": evil}, {"number": 2, "model": evil, "fault": "locked"})
    for options in ([], ["-v"]):
        listed = office.run(["device", "list", *options])
        assert listed.exit_code == 0
        assert "VERDICT CLEAN" not in [line.strip() for line in listed.stdout.splitlines()]
        assert not {"\x1b", "\r", "\u202e", "\u200b"} & set(listed.stdout + listed.stderr)
    told = office.run(["proposal", "sign", "--device", "c1"], stdin="\n")
    assert not {"\x1b", "\r", "\u202e", "\u200b"} & set(told.stdout + told.stderr)
    assert json.loads(office.run(["device", "list", "--json"]).stdout)["devices"]
