"""Everything that goes wrong with a device while it is asked to sign: its own message, nothing half written, and again.

Each fault is met through the real command line. The journal is compared before and after, and then the same command
is run with a healthy device and must succeed.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.cli import Result
from support.rehearsal import stranger
from support.standin import PROGRAM, StandinOffice, fingerprint_of

PAID = 6_000_000_000
"""Satoshis: more than one coin holds, so that two inputs are signed."""
Break = Callable[[StandinOffice], None]


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> StandinOffice:
    """An office with a checked device of c1, alone on the table, and a payment of two inputs to sign."""
    made = StandinOffice(tmp_path_factory.mktemp("standin"))
    made.bench.connect(1)
    made.json(["device", "check", "c1"])
    made.fund(2)
    made.draft("--to", f"{stranger(1)}=60btc")
    return made


@pytest.fixture
def office(checked: StandinOffice, tmp_path: Path) -> StandinOffice:
    twin = checked.copied_to(tmp_path / "twin")
    twin.bench.connect(1)
    return twin


def sign(office: StandinOffice) -> Result:
    return office.run(["proposal", "sign", "--device", "c1", "--confirm-sats", PAID, "--json"])


def broken(fault: str) -> Break:
    return lambda office: office.bench.fault(1, fault)


def connected(*devices: dict[str, Any]) -> Break:
    return lambda office: office.bench.place(*devices)


def hanging(when: str) -> Break:
    def hang(office: StandinOffice) -> None:
        office.bench.settings(office.folder, wait_s=3)
        office.bench.fault(1, f"{when}:hang")

    return hang


def program(*command: str) -> Break:
    def name(office: StandinOffice) -> None:
        text = f"format: custody-settings/1\nsigner:\n  command: {json.dumps(command)}\n"
        (office.folder / "custody.yaml").write_text(text)

    return name


TWIN = {"number": 1, "model": "trezor_t"}


@dataclass(frozen=True)
class Fault:
    """What is wrong, and what is said about it."""

    happen: Break
    code: str
    exit_code: int
    words: str


FAULTS = {
    "unplugged": Fault(connected(), "DEVICE_ABSENT", 8, "no connected device has fingerprint"),
    "unplugged-meanwhile": Fault(broken("signtx:unplugged"), "DEVICE_ABSENT", 8, "broke off, or it was unplugged"),
    "locked": Fault(broken("locked"), "DEVICE_LOCKED", 8, "is locked"),
    "locked-meanwhile": Fault(broken("signtx:locked"), "DEVICE_LOCKED", 8, "is locked"),
    "another-device": Fault(connected({"number": 2}), "DEVICE_ABSENT", 8, f"connected is another: {'standin'}"),
    "another-key": Fault(broken("other-key"), "DEVICE_KEY_MISMATCH", 3, "has another key"),
    "impostor": Fault(
        connected({"number": 2, "claims": fingerprint_of(1)}), "DEVICE_KEY_MISMATCH", 3, "another device with its"
    ),
    "two-alike": Fault(connected(TWIN, TWIN), "DEVICE_AMBIGUOUS", 8, "2 connected devices say"),
    "wrong-passphrase": Fault(
        connected({**TWIN, "passphrase": "a public word"}), "DEVICE_ABSENT", 8, "connected is another"
    ),
    "refused": Fault(broken("signtx:refused"), "DEVICE_REFUSED", 8, "said no on its screen"),
    "busy": Fault(broken("signtx:busy"), "DEVICE_BUSY", 8, "at work for somebody else"),
    "noise": Fault(broken("signtx:noise"), "DEVICE_ANSWER_INVALID", 8, "can't be used"),
    "silence": Fault(broken("signtx:silence"), "DEVICE_ANSWER_INVALID", 8, "wrote nothing"),
    "garbage": Fault(broken("garbage"), "DEVICE_ANSWER_INVALID", 8, ""),
    "hang": Fault(hanging("signtx"), "DEVICE_TIMEOUT", 8, "within 3 s"),
    "hang-at-the-key": Fault(hanging("getdescriptors"), "DEVICE_TIMEOUT", 8, "within 3 s"),
    "unsigned": Fault(broken("unsigned"), "DEVICE_NO_SIGNATURE", 8, "no valid signature by the key of `c1`"),
    "half-signed": Fault(broken("partial"), "DEVICE_NO_SIGNATURE", 8, "on every input"),
    "changed": Fault(broken("changed"), "DIFFERENT_TRANSACTION", 3, "not the proposal that was to be signed"),
    "for-another-input": Fault(broken("other-input"), "BAD_SIGNATURE", 3, "input:0"),
    "by-a-stranger": Fault(broken("stranger"), "SIGNER_NOT_MEMBER", 3, "input:0"),
    "library": Fault(broken("library"), "DEVICE_LIBRARY_MISSING", 8, "libusb-1.0"),
    "permission": Fault(broken("permission"), "DEVICE_PERMISSION", 8, "may not open it"),
    "no-program": Fault(program("/nowhere/signer"), "DEVICE_LIBRARY_MISSING", 8, "can't be started"),
}
ALARMS = {"another-key", "impostor"}
"""Faults that the journal must hold: somebody may be attacking."""


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_while_signing_is_said_and_leaves_nothing_half_done(office: StandinOffice, name: str) -> None:
    fault, before = FAULTS[name], office.journal
    fault.happen(office)
    failed = sign(office)
    said = failed.error
    assert (failed.exit_code, said["error"]) == (fault.exit_code, fault.code), said
    assert failed.stdout == ""
    assert fault.words in said["message"]
    assert said["advice"].endswith((".", ".", "!"))
    after = office.journal
    alarm = ["device_mismatch"] if name in ALARMS else []
    assert after[: len(before)] == before
    assert office.kinds[len(before) :] == alarm

    office.bench.settings(office.folder)
    office.bench.connect(1)
    again = sign(office) if not alarm else _after_the_alarm(office)
    assert again.exit_code == 0, again.stderr
    assert again.json["signing"]["signed"] == ["c1"]


def _after_the_alarm(office: StandinOffice) -> Result:
    """Sign after an alarm: the device signs nothing, whatever is acknowledged, until it passes a check."""
    refused = sign(office)
    assert (refused.exit_code, refused.error["error"]) == (3, "DEVICE_KEY_MISMATCH")
    assert "has passed no check since" in refused.error["message"]
    assert office.kinds[-1] == "device_mismatch"
    office.json(["device", "check", "c1"])
    return sign(office)


def test_every_fault_has_words_of_its_own(office: StandinOffice) -> None:
    different = ("unplugged", "locked", "two-alike", "refused", "garbage", "changed", "unsigned", "library", "impostor")
    messages = []
    for name in different:
        office.bench.settings(office.folder)
        office.bench.connect(1)
        FAULTS[name].happen(office)
        failed = office.run(["proposal", "sign", "--device", "c1", "--confirm-sats", PAID])
        messages += [line for line in failed.stderr.splitlines() if line.startswith("error: ")]
        assert f"[{FAULTS[name].code}]" in messages[-1]
    assert len(set(messages)) == len(different) == len(messages)


def test_a_trimmed_answer_is_no_fault(office: StandinOffice) -> None:
    office.bench.fault(1, "trimmed")
    signed = sign(office)
    assert (signed.exit_code, signed.json["signing"]["signed"]) == (0, ["c1"])
    assert office.kinds[-1] == "signatures_added"


def test_a_device_that_signed_already_may_sign_again(office: StandinOffice) -> None:
    assert sign(office).exit_code == 0
    before = office.journal
    assert sign(office).exit_code == 0
    assert office.journal == before


def test_without_hwi_the_commands_say_what_to_install(office: StandinOffice) -> None:
    missing = office.folder.parent / "python-without-hwi"
    missing.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    missing.chmod(0o755)
    (office.folder / "custody.yaml").write_text(f"format: custody-settings/1\nsigner:\n  python: {missing}\n")
    before = office.journal
    for command in (
        ["device", "key", "c1"],
        ["device", "show-address", "c1"],
        ["device", "register", "c1"],
        ["device", "check", "c1"],
        ["proposal", "sign", "--device", "c1", "--confirm-sats", PAID],
    ):
        refused = office.error(command, exit_code=8)
        assert refused["error"] == "DEVICE_LIBRARY_MISSING"
        assert "make hwi" in refused["advice"]
    listed = office.run(["device", "list"])
    assert listed.exit_code == 0
    assert "no device was found" in listed.stdout
    assert "make hwi" in listed.stdout
    assert office.journal == before


@pytest.mark.parametrize("step", ["getdescriptors", "displayaddress", "signtx"])
def test_a_fault_in_a_check_records_nothing(office: StandinOffice, step: str) -> None:
    before = office.journal
    office.bench.fault(1, f"{step}:refused")
    refused = office.error(["device", "check", "c1"], exit_code=8)
    assert refused["error"] == "DEVICE_REFUSED"
    assert office.journal == before
    office.bench.connect(1)
    assert office.json(["device", "check", "c1"])["rehearsal"] == 2


@pytest.mark.parametrize(
    ("fault", "code", "exit_code"),
    [
        ("unsigned", "DEVICE_NO_SIGNATURE", 8),
        ("partial", "DEVICE_NO_SIGNATURE", 8),
        ("garbage", "DEVICE_ANSWER_INVALID", 8),
        ("changed", "DIFFERENT_TRANSACTION", 3),
        ("other-input", "BAD_SIGNATURE", 3),
        ("stranger", "SIGNER_NOT_MEMBER", 3),
    ],
)
def test_a_check_believes_no_signature(office: StandinOffice, fault: str, code: str, exit_code: int) -> None:
    before = office.journal
    office.bench.fault(1, fault)
    assert office.error(["device", "check", "c1"], exit_code=exit_code)["error"] == code
    assert office.journal == before


def test_a_key_that_changes_at_the_reconnect_is_an_alarm(office: StandinOffice) -> None:
    office.bench.fault(1, "changing")
    before = office.journal
    result = office.run(["device", "key", "c1", "--json"], stdin="yes\n")
    assert (result.exit_code, "two different keys" in result.stderr) == (3, True)
    assert result.stdout == ""
    assert office.kinds[len(before) :] == ["device_mismatch"]


@pytest.mark.parametrize("answer", ["\n", "no\n", ""])
def test_a_key_that_was_read_once_only_is_not_given_out(office: StandinOffice, answer: str) -> None:
    before = office.journal
    result = office.run(["device", "key", "c1"], stdin=answer)
    assert (result.exit_code, result.stdout) == (5, "")
    assert office.journal == before


def test_a_device_gone_after_the_reconnect_gives_no_key(office: StandinOffice) -> None:
    office.bench.fault(1, "gone-after-one-key")
    result = office.run(["device", "key", "c1"], stdin="yes\n")
    assert (result.exit_code, "DEVICE_ABSENT" in result.stderr, result.stdout) == (8, True, "")


def test_an_alarm_that_comes_while_the_holder_reads_stops_the_payment(office: StandinOffice) -> None:
    words = ["--vault", str(office.folder), "proposal", "sign", "--device", "c1"]
    command = [sys.executable, "-c", "from custody_cli.app import main; main()", *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as signing:
        assert signing.stdin is not None and signing.stderr is not None
        read = b""
        while b"type the amount" not in read:
            read += signing.stderr.read(1)
        office.bench.place({"number": 9, "model": "trezor_t", "claims": fingerprint_of(1)})
        assert office.error(["device", "check", "c1"], exit_code=3)["error"] == "DEVICE_KEY_MISMATCH"
        office.bench.connect(1)
        asked = len(office.bench.requests)
        signing.stdin.write(f"{PAID}\n".encode())
        signing.stdin.close()
        assert b"DEVICE_KEY_MISMATCH" in signing.stderr.read()
    assert signing.returncode == 3
    assert office.bench.requests[asked:] == []


def started(office: StandinOffice) -> "subprocess.Popen[bytes]":
    """Start signing in a process of its own, and return once the device has the payment and hangs."""
    office.bench.fault(1, "signtx:hang")
    asked = len(office.bench.requests)
    words = ["--vault", str(office.folder), "proposal", "sign", "--device", "c1", "--confirm-sats", str(PAID)]
    # A shell that starts us in the background has children ignore Ctrl-C; a person's terminal does not.
    listening = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    process = subprocess.Popen(
        [sys.executable, "-c", f"{listening}from custody_cli.app import main; main()", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    while "signtx" not in [one["command"] for one in office.bench.requests[asked:]]:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    return process


def test_nobody_is_locked_out_while_a_person_reads_a_screen(office: StandinOffice) -> None:
    process = started(office)
    try:
        assert office.json(["address", "next"])["branch"] == "receive"
        assert office.json(["proposal", "show"])["state"] == "draft"
    finally:
        process.send_signal(signal.SIGINT)  # not killed: it takes the signer's program with it
        process.communicate(timeout=60)


def test_ctrl_c_before_the_device_leaves_nothing_and_nobody_behind(office: StandinOffice) -> None:
    before = office.journal
    process = started(office)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout, b"Traceback" in stderr) == (130, b"", False)
    assert office.journal == before
    office.bench.connect(1)
    assert sign(office).exit_code == 0


def test_no_device_is_asked_for_a_proposal_that_can_not_be_signed_now(office: StandinOffice) -> None:
    office.json(["coins", "freeze", _coin(office), "--reason", "under investigation"])
    before, asked = office.journal, len(office.bench.requests)
    refused = sign(office)
    assert (refused.exit_code, refused.error["error"]) == (7, "COIN_FROZEN")
    assert len(office.bench.requests) == asked
    assert office.journal == before


def _coin(office: StandinOffice) -> str:
    spent = office.json(["proposal", "show"])["inputs"][0]
    return f"{spent['txid']}:{spent['vout']}"


def test_an_alarm_is_raised_even_where_the_journal_is_busy(office: StandinOffice) -> None:
    from custody.workspace.layout import Workspace
    from custody.workspace.lock import writer_lock

    office.bench.fault(1, "other-key")
    before = office.journal
    with writer_lock(Workspace(office.folder).lock_file):
        alarm = sign(office)
    assert (alarm.exit_code, alarm.error["error"]) == (3, "DEVICE_KEY_MISMATCH")
    assert "not_journalled" in alarm.error["details"]
    assert office.journal == before


def test_the_signers_program_sees_nothing_of_the_command(
    office: StandinOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUSTODY_CANARY", "canary-7f3a")
    seen = office.folder.parent / "environment"
    spy = office.folder.parent / "spy"
    spy.write_text(f'#!/bin/sh\nenv > {seen}\nexec {sys.executable} {PROGRAM} {office.bench.state} "$@"\n')
    spy.chmod(0o755)
    program(str(spy))(office)
    assert sign(office).exit_code == 0
    assert "canary-7f3a" not in seen.read_text()
    assert os.environ["CUSTODY_CANARY"] == "canary-7f3a"
