"""A payment by SD card: written for each cosigner, signed in every device's manner, taken back, sent."""

import hashlib
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from custody.bitcoin.psbt import Psbt, psbt_from_text_or_bytes
from custody.codes import Code
from custody.errors import Conflict, JsonValue
from custody.spend.card import ANY_DEVICE
from custody.vault.device_firmware import FirmwareRange
from custody.workflow.export_card import plan_card, write_card
from custody.workflow.office import Event, editing
from custody.workspace.layout import Workspace
from custody_cli.session import Session
from custody_cli.system import surroundings_of
from custody_hardware.device_profiles import load_profiles
from support.cards import ANSWERS, sign_card
from support.kill import run_and_kill, seeded
from support.rehearsal import Rehearsal, stranger
from support.restored_office import record

_NAME = re.compile(r"[a-z0-9-]{1,32}\.(?:psbt|txt)")


@pytest.fixture
def office(tmp_path: Path) -> Rehearsal:
    """A 2-of-3 vault with two ripe coins of 50 BTC."""
    made = Rehearsal(tmp_path / "reserve")
    made.fund(2)
    return made


def draft(office: Rehearsal, *more: str) -> Any:
    """Draft a payment that takes both coins; it has not left yet."""
    return office.draft("--to", f"{stranger(1)}=60btc", "--reason", "grant 17", "--hold", *more)


def new_card(tmp_path: Path, name: str = "card") -> Path:
    card = tmp_path / name
    card.mkdir()
    return card


def export(office: Rehearsal, proposal: Any, card: Path, *more: str) -> Any:
    return office.json(["proposal", "export", proposal["proposal_id"], "--to", card, *more])


def office_session(office: Rehearsal) -> Session:
    session = Session()
    session.vault_directory = office.folder
    return session


def described(cosigner: str, device: str) -> Event:
    body: dict[str, JsonValue] = dict.fromkeys(("seed_firmware", "custodian", "place", "qr_dialect"))
    return "cosigner_described", {**body, "cosigner": cosigner, "device": device, "firmware": "1.0"}


def checked(card: Path) -> None:
    """Verify every file of checksums with the system's own program."""
    sums = sorted(card.glob("*-sha256.txt"))
    for one in sums:
        subprocess.run(["sha256sum", "--check", "--strict", one.name], cwd=card, check=True, capture_output=True)
    assert sums


def test_a_card_holds_what_each_cosigner_needs(office: Rehearsal, tmp_path: Path) -> None:
    proposal, card = draft(office), new_card(tmp_path)
    assert proposal["has_left"] is False
    answer = export(office, proposal, card)
    assert answer["has_left"] is True
    assert answer["proposal_id"] == proposal["proposal_id"]

    written = {one["file"]: one for one in answer["files"]}
    assert sorted(written) == sorted(path.name for path in card.iterdir())
    for path in card.iterdir():
        assert _NAME.fullmatch(path.name), path.name
        assert written[path.name]["bytes"] == path.stat().st_size
        assert written[path.name]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert {one["cosigner"] for one in answer["files"]} == {"c1", "c2", "c3"}
    assert [one["kind"] for one in answer["files"]] == ["psbt", "page"] * 3 + ["checksums"] * 3
    for path in card.glob("*.psbt"):
        assert Psbt.parse(path.read_bytes()) == psbt_from_text_or_bytes(proposal["psbt"].encode())
    # A screen of sixteen characters tells them apart.
    assert len({name[:12] for name in written}) == 3
    checked(card)


def test_the_page_says_what_to_compare_and_what_to_do(office: Rehearsal, tmp_path: Path) -> None:
    proposal, card = draft(office), new_card(tmp_path)
    export(office, proposal, card, "--cosigner", "c2")
    (page,) = card.glob("*-read-me.txt")
    text = page.read_text()
    assert all(len(line) <= 76 for line in text.splitlines())
    squeezed = "".join(text.split())
    for one in (*proposal["destinations"], *proposal["change"]):
        assert one["address"] in squeezed
        assert str(one["value_sats"]) in text
    assert f"{proposal['fee_sats']} sat" in text
    assert proposal["unsigned_txid"] in squeezed
    assert office.vault.vault_id[:16] in squeezed
    locktime = psbt_from_text_or_bytes(proposal["psbt"].encode()).locktime
    assert locktime > 0
    assert f"may show a locktime: block {locktime}." in text
    assert "reason                grant 17" in text
    assert "FOR c2" in text


def test_a_card_is_written_as_each_device_wants_it(office: Rehearsal, tmp_path: Path) -> None:
    devices = {"c1": "specter-diy", "c2": "seedsigner", "c3": "passport"}
    record(office.folder, [described(name, device) for name, device in devices.items()])
    proposal, card = draft(office), new_card(tmp_path)
    export(office, proposal, card)
    pages = {path.name[11:13]: " ".join(path.read_text().split()) for path in card.glob("*-read-me.txt")}
    psbts = {path.name[11:13]: path.read_bytes() for path in card.glob("*.psbt")}
    assert psbts["c1"].startswith(b"cHNidP")
    assert psbt_from_text_or_bytes(psbts["c1"]).serialize() == psbts["c2"] == psbts["c3"]

    stem = proposal["proposal_id"][:8]
    assert f"a file named {stem}-1-c1.signed.psbt or {stem}-1-c1.signed.….psbt" in pages["c1"]
    assert "signs no file from a card" in pages["c2"]
    assert f"custody qr show {stem}-2-c2.psbt --dialect ur" in pages["c2"]
    assert "by cable" not in pages["c2"]
    assert f"{stem}-3-c3-final.txn; it blanks the file that went in" in pages["c3"]
    assert "device Passport (Founder's Edition, Core), firmware 1.0" in pages["c3"]
    assert "shown on a page of its own" in pages["c3"]

    sign_card(office, card, 1, ANSWERS["specter-diy"])
    sign_card(office, card, 3, ANSWERS["passport"])
    assert office.json(["proposal", "add", card])["signing"]["signed"] == ["c1", "c3"]


@pytest.mark.parametrize("device", ANSWERS)
def test_a_payment_signed_in_this_device_s_manner_is_sent(office: Rehearsal, tmp_path: Path, device: str) -> None:
    proposal, first, second = draft(office), new_card(tmp_path, "first"), new_card(tmp_path, "second")
    export(office, proposal, first, "--cosigner", "c1")
    sign_card(office, first, 1, ANSWERS[device])
    added = office.json(["proposal", "add", first])
    assert (added["signing"]["signed"], added["new_signatures"]) == (["c1"], 2)
    verdicts = {one["verdict"] for one in added["files"]}
    assert verdicts == {"taken", "ignored"}

    export(office, proposal, second)
    assert sorted(path.name[9:13] for path in second.glob("*.psbt")) == ["2-c2", "3-c3"]
    sign_card(office, second, 2, ANSWERS[device])
    added = office.json(["proposal", "add", second])
    assert (added["signing"]["signed"], added["signing"]["missing"]) == (["c1", "c2"], 0)
    assert added["proposals"] == [proposal["proposal_id"]]
    assert office.send(proposal)["state"] == "broadcast"


def test_every_device_of_a_quorum_on_one_card(tmp_path: Path) -> None:
    office = Rehearsal(tmp_path / "reserve", threshold=9, keys=9)
    office.fund(1)
    proposal, card = office.draft("--to", f"{stranger(1)}=20btc"), new_card(tmp_path)
    export(office, proposal, card)
    for number, answer in enumerate(list(ANSWERS.values())[:9], 1):
        sign_card(office, card, number, answer)
    added = office.json(["proposal", "add", card])
    assert added["signing"] == {"threshold": 9, "signed": [f"c{number}" for number in range(1, 10)], "missing": 0}
    assert sum(one["verdict"] == "taken" for one in added["files"]) == 9
    again = office.json(["proposal", "add", card])
    assert again["new_signatures"] == 0
    assert office.send(proposal)["state"] == "broadcast"


def test_strangers_on_a_card_are_named_and_passed_over(office: Rehearsal, tmp_path: Path) -> None:
    proposal, card = draft(office), new_card(tmp_path)
    export(office, proposal, card, "--cosigner", "c1")
    sign_card(office, card, 1, ANSWERS["passport"])
    (card / "holiday.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a payment")
    (card / "._payment.psbt").write_bytes(b"\x00\x05\x16\x07")
    (card / "backup.7z").write_bytes(b"7z\xbc\xaf\x27\x1c")
    (card / "empty.psbt").write_bytes(b"")
    (card / "System Volume Information").mkdir()
    added = office.json(["proposal", "add", card])
    reasons = {one["file"]: (one["verdict"], one["message"]) for one in added["files"]}
    assert reasons["holiday.jpg"] == reasons["backup.7z"] == ("ignored", "neither a PSBT nor a transaction")
    assert reasons["System Volume Information"][0] == "ignored"
    assert reasons["._payment.psbt"][1].startswith("hidden")
    assert reasons["empty.psbt"][1].startswith("empty or blanked")
    stem = f"{proposal['proposal_id'][:8]}-1-c1"
    assert reasons[f"{stem}.psbt"][1].startswith("empty or blanked")
    assert reasons[f"{stem}-read-me.txt"] == reasons[f"{stem}-sha256.txt"] == ("ignored", "written by the export")
    assert reasons[f"{stem}-signed.psbt"] == ("taken", "2 new signature(s) by c1")
    assert added["new_signatures"] == 2


def test_nothing_signed_is_an_error_and_signed_twice_is_none(office: Rehearsal, tmp_path: Path) -> None:
    proposal, card = draft(office), new_card(tmp_path)
    assert office.error(["proposal", "add", card], exit_code=5)["error"] == "NO_SIGNATURES"
    export(office, proposal, card)
    refused = office.error(["proposal", "add", card], exit_code=5)
    assert refused["error"] == "NO_SIGNATURES"
    assert {one["verdict"] for one in refused["details"]["files"]} == {"ignored"}
    sign_card(office, card, 1, ANSWERS["jade"])
    sign_card(office, card, 1, ANSWERS["coldcard"])
    assert office.json(["proposal", "add", card])["new_signatures"] == 2
    head = office.json(["journal", "verify"])["head"]
    assert office.json(["proposal", "add", card, card])["new_signatures"] == 0
    assert office.json(["journal", "verify"])["head"] == head


def test_files_of_a_payment_that_is_over_are_passed_over(office: Rehearsal, tmp_path: Path) -> None:
    proposal, card = draft(office), new_card(tmp_path)
    export(office, proposal, card)
    sign_card(office, card, 1, ANSWERS["jade"])
    sign_card(office, card, 2, ANSWERS["keystone"])
    office.json(["proposal", "add", card])
    office.send(proposal)
    office.mine(6)
    office.json(["coins", "sync"])
    office.fund(2)
    other = office.draft("--to", f"{stranger(2)}=30btc")
    fresh = new_card(tmp_path, "fresh")
    export(office, other, fresh, "--cosigner", "c3")
    sign_card(office, fresh, 3, ANSWERS["jade"])
    for path in fresh.iterdir():
        path.rename(card / path.name)
    added = office.json(["proposal", "add", card])
    assert added["proposals"] == [other["proposal_id"]]
    old = [one for one in added["files"] if one["code"] == "PROPOSAL_STATE"]
    assert len(old) == 2
    assert all("confirmed: it needs no signature" in one["message"] for one in old)


def test_the_second_card_is_never_written_over_the_first(office: Rehearsal, tmp_path: Path) -> None:
    proposal, card = draft(office), new_card(tmp_path)
    (card / f"{proposal['proposal_id'][:8].upper()}-2-C2.PSBT").write_bytes(b"somebody else's")
    command = ["proposal", "export", proposal["proposal_id"], "--to", card]
    assert office.error(command, exit_code=7)["error"] == "FILE_EXISTS"
    assert len(list(card.iterdir())) == 1
    assert office.show(proposal)["has_left"] is False
    other = new_card(tmp_path, "other")
    export(office, proposal, other)
    before = {path.name: path.read_bytes() for path in other.iterdir()}
    assert office.error([*command[:-1], other], exit_code=7)["error"] == "FILE_EXISTS"
    assert {path.name: path.read_bytes() for path in other.iterdir()} == before


def test_who_gets_a_file(office: Rehearsal, tmp_path: Path) -> None:
    proposal, card = draft(office), new_card(tmp_path)
    command = ["proposal", "export", proposal["proposal_id"], "--to", card]
    assert office.error([*command, "--cosigner", "nobody"], exit_code=6)["error"] == "COSIGNER_UNKNOWN"
    office.sign(proposal, 1)
    assert office.error([*command, "--cosigner", "c1"], exit_code=7)["error"] == "PROPOSAL_STATE"
    assert not list(card.iterdir())
    office.sign(proposal, 2)
    assert office.error(command, exit_code=7)["error"] == "PROPOSAL_STATE"
    assert office.error([*command, "--base64"], exit_code=2)["error"] == "USAGE"
    assert office.error([*command[:-2], "--cosigner", "c3"], exit_code=2)["error"] == "USAGE"
    assert office.error(["proposal", "add", card, card / "x.psbt"], exit_code=2)["error"] == "USAGE"


def test_a_payment_that_the_devices_can_not_take_gets_no_card(office: Rehearsal, tmp_path: Path) -> None:
    proposal, card = draft(office), new_card(tmp_path)
    record(office.folder, [described(name, "ledger") for name in ("c1", "c2")])
    ledger = load_profiles()["ledger"]
    limits = replace(ledger.limits[0], firmware=FirmwareRange(None, None), inputs=1)
    tight = {"ledger": replace(ledger, limits=(limits,))}
    with editing(Workspace(office.folder), replace(surroundings_of(office_session(office)), profiles=tight)) as desk:
        head = desk.office.head
        with pytest.raises(Conflict) as caught:
            plan_card(desk, card, proposal["proposal_id"], (), lambda _device: ANY_DEVICE)
        assert (caught.value.code, desk.office.head) == (Code.DEVICE_LIMIT, head)


def test_a_folder_that_is_not_there_is_not_made(office: Rehearsal, tmp_path: Path) -> None:
    proposal = draft(office)
    command = ["proposal", "export", proposal["proposal_id"], "--to", tmp_path / "unmounted"]
    assert office.error(command, exit_code=6)["error"] == "FILE_NOT_FOUND"
    assert not (tmp_path / "unmounted").exists()
    assert office.show(proposal)["has_left"] is False


@pytest.mark.parametrize("written", range(9))
def test_an_export_that_was_cut_off_is_completed(office: Rehearsal, tmp_path: Path, written: int) -> None:
    proposal, card = draft(office), new_card(tmp_path)
    with editing(Workspace(office.folder), surroundings_of(office_session(office))) as desk:
        planned = plan_card(desk, card, proposal["proposal_id"], (), lambda _device: ANY_DEVICE)
    names = [one.name for one in planned.files]
    for one in planned.files[:written]:
        (card / one.name).write_bytes(one.content)
    sums = [path.name for path in card.glob("*-sha256.txt")]
    assert not sums or set(names[:6]) <= {path.name for path in card.iterdir()}
    export(office, proposal, card)
    assert sorted(path.name for path in card.iterdir()) == sorted(names)
    checked(card)
    with pytest.raises(Conflict) as caught:
        write_card(card, planned)
    assert caught.value.code is Code.FILE_EXISTS


@pytest.mark.parametrize("kills", [3, pytest.param(60, marks=pytest.mark.slow)])
def test_kill_9_leaves_whole_files_and_the_next_try_completes(office: Rehearsal, tmp_path: Path, kills: int) -> None:
    proposal, whole = draft(office), new_card(tmp_path, "whole")
    export(office, proposal, whole)
    expected = {path.name: path.read_bytes() for path in whole.iterdir()}
    random = seeded(20_261_126)
    killed, within_ms = 0, 0
    for turn in range(kills):
        card = new_card(tmp_path, f"card{turn}")
        command = [sys.executable, "-c", "from custody_cli.app import main; main()", "--vault", office.folder]
        command += ["proposal", "export", proposal["proposal_id"], "--to", card]
        if not within_ms:  # how long a whole run takes here decides where the kills fall
            started = time.monotonic()
            subprocess.run([*map(str, command[:-1]), str(new_card(tmp_path, "timed"))], check=True, capture_output=True)
            within_ms = int((time.monotonic() - started) * 1_000)
        killed += run_and_kill(command, random=random, within_ms=within_ms).killed
        left = {path.name: path.read_bytes() for path in card.iterdir() if not path.name.startswith(".tmp-")}
        assert left.items() <= expected.items()
        if left.keys() != expected.keys():
            export(office, proposal, card)
        checked(card)
    assert killed > 0
