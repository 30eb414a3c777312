"""Three devices, from their keys to a broadcast payment, through the real command line and a signer's program."""

import re
import sys
from pathlib import Path

import pytest

from custody.bitcoin import kernel
from support.cli import run, run_json
from support.rehearsal import stranger
from support.standin import Bench, StandinOffice, fingerprint_of

BTC = 100_000_000


def created(folder: Path, monkeypatch: pytest.MonkeyPatch, *numbers: int) -> StandinOffice:
    """Read the keys of three devices where there is no vault yet, and create one from what was printed."""
    if not kernel.is_available():
        pytest.skip("libbitcoinkernel is missing on this Python: no embedded chain")
    bench = Bench(folder / "bench")
    before = folder / "before"
    before.mkdir()
    bench.settings(before)
    monkeypatch.chdir(before)
    cosigners: list[str] = []
    for number in numbers:
        bench.connect(number)
        read = run(["device", "key", fingerprint_of(number), "--network", "regtest"], "yes\n")
        assert read.exit_code == 0, read.stderr
        key = read.stdout.splitlines()[0]
        assert key.startswith(f"[{fingerprint_of(number)}/48h/1h/0h/2h]tpub")
        cosigners += ["--cosigner", f"c{number}={key}"]
    create = ["vault", "create", folder / "reserve", "--name", "reserve", "--network", "regtest", "--threshold", 2]
    made = run([*create, *cosigners])
    assert made.exit_code == 0, made.stderr
    return StandinOffice.of(folder / "reserve", bench)


def test_from_keys_to_a_broadcast_payment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # 1. A vault from what three devices gave, each key read twice; later each is compared with the vault's.
    office = created(tmp_path, monkeypatch, 4, 5, 6)
    bench = office.bench
    assert [one.fingerprint.hex() for one in office.vault.cosigners] == [fingerprint_of(number) for number in (4, 5, 6)]
    for number in (4, 5, 6):
        bench.connect(number)
        again = run(["--vault", office.folder, "device", "key", f"c{number}", "--json"], "yes\n")
        assert (again.json["cosigner"], again.json["read_twice"]) == (f"c{number}", True)

    # 2. Before there is money: registered, an address on every screen, a check of every device.
    combinations = []
    for number in (4, 5, 6):
        bench.connect(number)
        assert office.json(["device", "register", f"c{number}"])["method"] == "none"  # these keep no vault
        shown = office.json(["device", "show-address", f"c{number}", "--index", 2])
        assert shown["address"] == office.vault.address_at(0, 2)
        assert shown["verified"] is True
        assert shown["device_said"].startswith("tb1")  # as most devices do on every test network
        checked = office.json(["device", "check", f"c{number}"])
        assert (checked["rehearsal"], checked["key_compared"], checked["address_compared"]) == (1, True, True)
        combinations.append(checked["combinations_verified"])
    assert combinations == [0, 1, 3]
    assert (checked["combinations"], checked["signed"], checked["waiting"]) == (3, ["c4", "c5", "c6"], [])
    assert office.kinds == ["vault_adopted", *["rehearsal_signed", "device_checked"] * 3]
    assert office.json(["vault", "verify"])["ok"] is True

    # 3. A payment, signed by two devices of which none has to be warned of.
    office.fund(1)
    drafted = office.draft("--to", f"{stranger(1)}=1.5btc")
    for number in (6, 4):
        bench.connect(number)
        sign = ["proposal", "sign", drafted["proposal_id"], "--device", f"c{number}", "--confirm-sats", 150_000_000]
        signed = office.json(sign)
    assert (signed["state"], sorted(signed["signing"]["signed"])) == ("signed", ["c4", "c6"])
    office.json(["proposal", "finalize"])
    sent = office.json(["proposal", "broadcast", "--confirm-sats", 150_000_000])
    assert sent["state"] == "broadcast"
    office.mine(6)
    office.json(["coins", "sync"])
    assert office.show(drafted)["state"] == "confirmed"


def test_a_program_named_by_a_stranger_is_not_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path / "bench")
    bench.settings(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "custody.yaml").chmod(0o666)
    refused = run(["device", "list", "--network", "regtest", "--json"])
    assert (refused.exit_code, refused.error["error"]) == (6, "PATH_UNSAFE")
    assert bench.requests == []
    (tmp_path / "custody.yaml").chmod(0o664)
    listed = run(["device", "list", "--network", "regtest"])
    assert listed.exit_code == 0
    # Which program, and who names it, is said before anything else.
    assert listed.stderr.startswith(
        f"`{tmp_path / 'custody.yaml'}` names the program that is started: {sys.executable}"
    )


def test_a_signer_with_a_vault_file_alone_sees_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    office = StandinOffice(tmp_path)
    own = tmp_path / "own"
    own.mkdir()
    (own / "vault.yaml").write_bytes((office.folder / "vault.yaml").read_bytes())
    monkeypatch.chdir(office.folder)
    before = office.journal
    shown = run_json(["device", "show-address", fingerprint_of(2), "--vault-file", own / "vault.yaml"])
    assert (shown["cosigner"], shown["verified"]) == ("c2", True)
    assert office.journal == before


def test_the_list_says_what_each_device_claims_and_can_do(tmp_path: Path) -> None:
    office = StandinOffice(tmp_path)
    office.bench.place(
        {"number": 1, "model": "trezor_t"},
        {"number": 2, "model": "ledger_nano_x", "fault": "locked"},
        {"number": 9, "model": "coldcard"},
    )
    listed = office.json(["device", "list"])
    first, second, third = listed["devices"]
    assert (first["model"], first["claims_cosigners"], first["proven"]) == ("trezor-t", ["c1"], False)
    assert any("3 cosigners" in one for one in first["can"])
    assert (second["fingerprint"], second["problem"]["code"]) == (None, "DEVICE_LOCKED")
    assert (third["fingerprint"], third["claims_cosigners"]) == (fingerprint_of(9), [])
    text = office.run(["device", "list"]).stdout
    assert "to be c1: only its key, compared, proves that" in text
    assert "no cosigner of vault rehearsal has this fingerprint" in text
    assert "custody device check c1" in text
    assert "standin:" not in text
    assert "standin:" in office.run(["device", "list", "-v"]).stdout
    office.json(["device", "check", "c1"])
    assert office.json(["device", "list"])["devices"][0]["proven"] is True


def test_a_check_by_file_asks_for_what_only_the_screen_shows(tmp_path: Path) -> None:
    office = StandinOffice(tmp_path)
    card = tmp_path / "card"
    card.mkdir()
    said = ["--model", "coldcard-mk4", "--firmware", "5.6.1"]
    written = office.json(["device", "register", "c2", "--to", card / "reserve.txt", *said])
    name = written["name"]
    assert re.fullmatch(r"[a-z0-9-]{1,15}", name)
    assert f"Name: {name}" in (card / "reserve.txt").read_text()
    assert office.error(["device", "register", "c2", "--to", card / "reserve.txt", *said], exit_code=7)
    assert "device_registered" not in office.kinds
    assert office.json(["device", "register", "c2", "--done", *said])["registered"] is True

    rehearsal = office.json(["device", "check", "c2", "--to", card, *said])
    assert office.error(["device", "check", "c2", "--to", card, *said], exit_code=7)["error"] == "FILE_EXISTS"
    unsigned = Path(rehearsal["file"]).read_bytes()
    reviewed = run_json(["psbt", "review", rehearsal["file"], "--vault-file", office.folder / "vault.yaml"])
    assert (reviewed["purpose"], reviewed["unsigned_txid"]) == ("rehearsal", rehearsal["unsigned_txid"])
    assert office.error(["proposal", "add", rehearsal["file"]], exit_code=6)["error"] == "REHEARSAL"

    returned = card / "rehearsal-1-c2-part.psbt"
    returned.write_bytes(office.device(2).sign(unsigned))
    check = ["device", "check", "c2", "--from", returned, *said]
    first = office.vault.first_address
    before = office.journal
    asked = office.run(check, stdin=f"{first[-6:]}\n")
    assert first not in asked.stderr  # it must come from the device's screen
    assert asked.exit_code == 0, asked.stderr
    assert "coldcard-mk4, firmware 5.6.1 passed its check by file" in asked.stdout
    assert len(office.journal) == len(before) + 2
    again = office.error(check, exit_code=7)
    assert again["error"] == "NOTHING_TO_DO"  # the same file proves nothing twice, and is no alarm
    assert "sign rehearsal 2" in again["advice"]


def test_another_address_on_the_screen_is_an_alarm_and_no_check(tmp_path: Path) -> None:
    office = StandinOffice(tmp_path)
    office.json(["device", "check", "c2", "--to", tmp_path, "--model", "passport"])
    signed = tmp_path / "signed.psbt"
    signed.write_bytes(office.device(2).sign((tmp_path / "rehearsal-1-c2.psbt").read_bytes()))
    check = ["device", "check", "c2", "--from", signed, "--model", "passport"]
    wrong = office.run([*check, "--json"], stdin="qqqqqq\n")
    assert (wrong.exit_code, "DEVICE_ADDRESS_MISMATCH" in wrong.stderr) == (3, True)
    assert office.kinds == ["vault_adopted", "device_mismatch"]
    assert office.run(check, stdin="\n").exit_code == 5
    # The alarm was about an address: a check that compares none doesn't end it.
    unseen = office.error(check, exit_code=3, stdin="none\n")
    assert (unseen["error"], "ends no alarm" in unseen["message"]) == ("DEVICE_ADDRESS_MISMATCH", True)
    assert office.kinds == ["vault_adopted", "device_mismatch"]
    seen = office.run([*check, "--json"], stdin=f"{office.vault.first_address[-6:]}\n")
    assert (seen.exit_code, seen.json["address_compared"]) == (0, True)


def test_a_device_that_can_not_show_addresses_is_checked_without(tmp_path: Path) -> None:
    office = StandinOffice(tmp_path)
    office.json(["device", "check", "c2", "--to", tmp_path, "--model", "passport"])
    written = tmp_path / "rehearsal-1-c2.psbt"
    assert written.stat().st_mode & 0o777 == 0o644  # whoever holds the card reads it
    signed = tmp_path / "signed.psbt"
    signed.write_bytes(office.device(2).sign(written.read_bytes()))
    unseen = office.run(["device", "check", "c2", "--from", signed, "--model", "passport", "--json"], stdin="none\n")
    assert (unseen.exit_code, unseen.json["address_compared"]) == (0, False)


def test_new_firmware_makes_a_device_unproven(tmp_path: Path) -> None:
    office = StandinOffice(tmp_path)
    for number, firmware in ((1, "5.6.1"), (2, "5.6.1"), (1, "5.7.0")):
        checked = office.json(["device", "check", f"c{number}", "--to", tmp_path, "--model", "passport"])
        signed = tmp_path / f"signed-{firmware}-{number}.psbt"
        signed.write_bytes(office.device(number).sign(Path(checked["file"]).read_bytes()))
        check = ["device", "check", f"c{number}", "--from", signed, "--model", "passport", "--firmware", firmware]
        passed = office.run([*check, "--json"], stdin="none\n")
        assert passed.exit_code == 0, passed.stderr
    assert (passed.json["rehearsal"], passed.json["signed"]) == (2, ["c1"])  # a new signature, never an old one again


def test_a_device_that_was_never_checked_is_warned_of_before_it_signs(tmp_path: Path) -> None:
    office = StandinOffice(tmp_path)
    office.bench.connect(1, model="ledger_nano_x")
    office.fund(1)
    drafted = office.draft("--to", f"{stranger(1)}=10btc")
    before = office.journal
    sign = ["proposal", "sign", drafted["proposal_id"], "--device", "c1", "--confirm-sats", 10 * BTC]
    refused = office.error(sign, exit_code=5)
    missing = ["DEVICE_UNREGISTERED@cosigner:c1", "DEVICE_UNPROVEN@cosigner:c1"]
    assert (refused["error"], refused["details"]["missing"]) == ("ACK_MISSING", missing)
    said = [(f"{one['code']}@{one['where']}", one["severity"]) for one in refused["details"]["warnings"]]
    assert said == [(item, "warn") for item in missing]  # --json says nothing else, so what is warned of stands there
    assert office.journal == before
    assert [one["command"] for one in office.bench.requests].count("signtx") == 0
    shown = office.run(sign[:-2], stdin="1\n")
    assert "it may refuse, or show change as a payment" in shown.stderr
    acks = [word for item in missing for word in ("--ack", item)]
    assert office.json([*sign, *acks])["signing"]["signed"] == ["c1"]
    assert "c1 signed this already" in office.run(sign).stderr


def test_what_the_holder_will_see_is_said_before_the_amount(tmp_path: Path) -> None:
    office = StandinOffice(tmp_path)
    office.bench.connect(1, model="trezor_t")
    office.json(["device", "check", "c1"])
    office.fund(1)
    drafted = office.draft("--to", f"{stranger(1)}=10btc")
    told = office.run(["proposal", "sign", drafted["proposal_id"], "--device", "c1"], stdin=f"{10 * BTC}\n")
    assert told.exit_code == 0
    assert told.stderr.index("change: hidden where it is recognised") < told.stderr.index("type the amount in satoshis")
    (given,) = [one["psbt"] for one in office.bench.requests if one["command"] == "signtx"][1:]
    assert given == drafted["psbt"]  # to the byte what was reviewed
