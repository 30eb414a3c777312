"""A governed vault is backed up and brought back in an empty folder: every field of its state, and every route to sign.

The chain is no part of a backup: the restored office has the same embedded chain, as it would have a node.
"""

import base64
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from custody.audit.state import State
from support.cards import ANSWERS, sign_card
from support.cli import run, run_json
from support.governed import policy_text
from support.governed_office import GovernedOffice
from support.rehearsal import stranger
from support.restored_office import DESCRIBED, RestoredOffice, record, state_of_folder
from support.ssh import SshKeygen
from support.standin import Bench

PEOPLE = {
    "dora": ("drafter", "signer"),
    "ann": ("administrator", "approver"),
    "bo": ("administrator", "approver"),
    "cy": ("board", "signer"),
    "audrey": ("auditor", "signer"),
}


def outpoint_of(coin: Any) -> str:
    return f"{coin['txid']}:{coin['vout']}"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory, ssh_keygen: SshKeygen) -> GovernedOffice:
    """A 2-of-3 vault with all that a journal can hold of one."""
    folder = tmp_path_factory.mktemp("lost")
    made = GovernedOffice(folder / "office", PEOPLE, ssh_keygen)
    made.found(policy_text(unlisted="routine", routine="60btc"), folder)
    made.mine_to([made.json(["address", "next", "--label", f"invoice {number}"])["address"] for number in range(6)])
    coins = made.json(["coins", "list"])["coins"]
    made.json(["coins", "freeze", outpoint_of(coins[0]), "--reason", "claimed by two"])
    made.json(["coins", "label", outpoint_of(coins[1]), "mining, Überweisung"])
    change = made.as_("ann", ["allowlist", "add", "exchange", "--address", stranger(7), "--note", "desk"])
    made.carry(change, "ann", "bo")
    made.as_("ann", ["officer", "revoke", "audrey", "--reason", "left"])
    made.as_("cy", ["cosigner", "attest", "c1", "--key", made.key("cy")])
    made.as_("ann", ["journal", "checkpoint", "--key", made.key("ann"), "-o", folder / "checkpoint.json"])
    record(made.folder, DESCRIBED)
    ended = made.draft_as("dora", "--to", f"{stranger(1)}=1btc", "--reason", "grant 19")
    made.as_("dora", ["proposal", "withdraw", ended["proposal_id"]])
    assert made.show(ended)["state"] == "still-spendable"
    return made


@pytest.fixture(scope="module")
def payment(office: GovernedOffice) -> Any:
    """A payment that is approved, and that one device has signed."""
    drafted = office.draft_as("dora", "--to", f"{stranger(2)}=40btc")
    for name in ("ann", "bo"):
        drafted = office.approve(name, drafted)
    return drafted


@pytest.fixture(scope="module")
def backup(office: GovernedOffice, payment: Any) -> Path:
    assert payment["decision"]["allowed"] is True
    path = office.folder.parent / "office.backup"
    office.json(["vault", "backup", path])
    return path


def restored(office: GovernedOffice, backup: Path, folder: Path) -> tuple[RestoredOffice, Any]:
    answer = run_json(["vault", "restore", backup, folder])
    return RestoredOffice(office, folder), answer


def test_every_field_of_the_state_comes_back(office: GovernedOffice, backup: Path, tmp_path: Path) -> None:
    again, answer = restored(office, backup, tmp_path / "again")
    before, after = state_of_folder(office.folder), state_of_folder(again.folder)
    for field in fields(State):
        assert getattr(after, field.name) == getattr(before, field.name), field.name
    assert before.frozen and before.labels and before.proposals and before.signers.records and before.transactions
    gov = before.governance
    assert gov.officers and gov.policy and gov.allowlist and gov.attested and gov.checkpoints and gov.changes
    assert again.json(["journal", "verify"])["head"] == office.json(["journal", "verify"])["head"] == answer["head"]
    for command in (["status"], ["coins", "list"], ["officer", "list"], ["policy", "explain"], ["change", "list"]):
        assert again.json(command) == office.json(command), command
    labels = ["coins", "label", "--export", "-"]
    assert again.run(labels).stdout == office.run(labels).stdout != ""


def test_what_a_restore_says_is_what_was_there(office: GovernedOffice, backup: Path, tmp_path: Path) -> None:
    _again, answer = restored(office, backup, tmp_path / "again")
    assert answer["vault_id"] == office.vault.vault_id
    assert [one["address"] for one in answer["first_addresses"]] == [
        office.vault.address_at(branch, index) for branch in (0, 1) for index in range(3)
    ]
    assert sorted(answer["officers"]) == sorted(PEOPLE)
    assert answer["governance"] == "policy test-reserve version 1, 5 officers"
    assert answer["allowlist"] == ["exchange"]
    assert (answer["labels"], len(answer["frozen"]), answer["addresses_issued"]) == (7, 1, 6)
    assert (answer["proposals"], answer["proposals_that_may_be_sent"]) == (2, 2)
    menus = {one["cosigner"]: one for one in answer["devices"]}
    assert (menus["c1"]["qr_dialects"], menus["c2"]["qr_dialects"]) == ([], ["ur"])
    assert menus["c1"]["known"] is True
    assert (answer["devices_described"], answer["devices_registered"], answer["registration_tokens"]) == (2, 1, 1)
    warned = [one["code"] for one in answer["findings"] if one["severity"] == "warn"]
    assert warned == ["JOURNAL_COPIED", "BACKUP_NOT_COMPARED"]
    said = run(["vault", "restore", backup, tmp_path / "said"]).stdout
    for words in ("head       ", "officers   dora, ann, bo, cy, audrey", "two histories exist", "coins sync --full"):
        assert words in said


def test_the_restored_vault_signs_by_file_and_by_qr(
    office: GovernedOffice, payment: Any, backup: Path, tmp_path: Path
) -> None:
    by_file, _answer = restored(office, backup, tmp_path / "file")
    signed = tmp_path / "signed.psbt"
    exported = tmp_path / "payment.psbt"
    by_file.json(["proposal", "export", payment["proposal_id"], "-o", exported])
    signed.write_bytes(by_file.device(1).sign(exported.read_bytes()))
    assert by_file.json(["proposal", "add", signed])["signing"]["signed"] == ["c1"]
    by_qr = tmp_path / "by-qr.psbt"
    shown = run_json(["qr", "show", exported, "--dialect", "bbqr"])
    assert run(["qr", "read", "-", "-o", by_qr], "\n".join(shown["frames"])).exit_code == 0
    back = tmp_path / "back.psbt"
    answered = tmp_path / "answered.psbt"
    answered.write_bytes(by_file.device(3).sign(by_qr.read_bytes()))
    frames = run_json(["qr", "show", answered])["frames"]
    assert run(["qr", "read", "-", "-o", back], "\n".join(frames)).exit_code == 0
    assert by_file.json(["proposal", "add", back])["signing"]["missing"] == 0
    _finished(by_file, payment)


def test_the_restored_vault_signs_by_card_and_by_cable(
    office: GovernedOffice, payment: Any, backup: Path, tmp_path: Path
) -> None:
    again, _answer = restored(office, backup, tmp_path / "again")
    card = tmp_path / "card"
    card.mkdir()
    again.json(["proposal", "export", payment["proposal_id"], "--to", card])
    sign_card(again, card, 2, ANSWERS["keystone"])
    assert again.json(["proposal", "add", card])["signing"]["signed"] == ["c2"]
    bench = Bench(tmp_path / "bench")
    bench.connect(3)
    bench.settings(again.folder)
    by_cable = ["proposal", "sign", payment["proposal_id"], "--device", "c3", "--confirm-sats", payment["confirm_sats"]]
    warned = again.error(by_cable, exit_code=5)
    acks = [word for item in warned["details"]["missing"] for word in ("--ack", item)]
    assert again.json([*by_cable, *acks])["signing"]["missing"] == 0
    _finished(again, payment)


def test_the_restored_vault_signs_by_simulator(
    office: GovernedOffice, payment: Any, backup: Path, tmp_path: Path
) -> None:
    again, _answer = restored(office, backup, tmp_path / "again")
    again.sign(payment, 2, 3)
    _finished(again, payment)


def _finished(office: RestoredOffice, payment: Any) -> None:
    office.json(["proposal", "finalize", payment["proposal_id"]])
    sent = office.json(["proposal", "broadcast", payment["proposal_id"], "--confirm-sats", payment["confirm_sats"]])
    assert sent["state"] == "broadcast"
    office.mine(6)
    assert office.json(["coins", "sync", "--full"])["complete"] is True
    assert office.show(payment)["state"] == "confirmed"


def test_a_restored_vault_goes_on_governed(office: GovernedOffice, backup: Path, tmp_path: Path) -> None:
    again, answer = restored(office, backup, tmp_path / "again")
    again.json(["coins", "sync"])
    assert again.json(["address", "next"])["index"] == 6
    frozen = answer["frozen"][0]
    draft = ["proposal", "draft", "--to", f"{stranger(3)}=1btc", "--fee-rate", "5"]
    assert again.refused("dora", [*draft, "--coin", frozen], exit_code=7)["error"] == "COIN_FROZEN"
    assert again.error(draft, exit_code=2)["error"] == "USAGE"
    assert again.json(["journal", "verify", "--expect-head", answer["head"]])["ok"] is True


def test_the_copy_kept_elsewhere_decides(office: GovernedOffice, backup: Path, tmp_path: Path) -> None:
    checkpoint = office.folder.parent / "checkpoint.json"
    head = run_json(["vault", "restore", backup, tmp_path / "good", "--checkpoint", checkpoint])["head"]
    good = ["--expect-head", head, "--expect-vault-id", office.vault.vault_id]
    assert run_json(["vault", "restore", backup, tmp_path / "kept", *good])["head"] == head
    other = run(["vault", "restore", backup, tmp_path / "other", "--expect-vault-id", "ab" * 32, "--json"])
    assert (other.exit_code, other.error["error"]) == (3, "VAULT_MISMATCH")
    for wrong in (["--expect-head", "ABCD"], ["--expect-vault-id", "AB" * 32]):
        assert run(["vault", "restore", backup, tmp_path / "other", *wrong]).exit_code == 2
    assert not (tmp_path / "other").exists()


def test_backups_of_one_journal_are_one_file_and_are_written_once(office: GovernedOffice, tmp_path: Path) -> None:
    first, second = tmp_path / "first.backup", tmp_path / "second.backup"
    answer = office.json(["vault", "backup", first])
    office.json(["vault", "backup", second])
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_mode & 0o777 == 0o600
    assert office.error(["vault", "backup", first], exit_code=7)["error"] == "FILE_EXISTS"
    assert answer["head"] == office.json(["journal", "verify"])["head"]
    restored_folder = tmp_path / "again"
    run_json(["vault", "restore", first, restored_folder])
    run_json(["--vault", restored_folder, "vault", "backup", tmp_path / "third.backup"])
    assert (tmp_path / "third.backup").read_bytes() == first.read_bytes()


def test_a_backup_is_read_without_this_program(office: GovernedOffice, backup: Path, tmp_path: Path) -> None:
    lines = backup.read_bytes().split(b"\n")
    manifest = json.loads(lines[0])
    section = {one["name"]: one for one in manifest["sections"]}
    journal = b"\n".join(lines[section["journal"]["first_line"] - 1 :])
    export = tmp_path / "journal.jsonl"
    export.write_bytes(journal)
    assert run_json(["journal", "verify", "--file", export])["head"] == manifest["journal"]["head"]
    vault_file = tmp_path / "vault.json"
    vault_file.write_bytes(lines[1])
    assert run_json(["vault", "show", "--vault-file", vault_file])["vault_id"] == manifest["vault_id"]
    first = section["labels"]["first_line"] - 1
    labels = b"\n".join(lines[first : first + section["labels"]["lines"]]) + b"\n"
    assert labels.decode() == office.run(["coins", "label", "--export", "-"]).stdout
    signer = json.loads(lines[section["signers"]["first_line"] - 1])
    assert (signer["cosigner"], signer["registration"]["token"]) == ("c1", "cd" * 32)
    assert base64.b16encode(journal[-1:]) == b"0A"


def test_a_text_file_alone_brings_the_vault_back_without_governance(office: GovernedOffice, tmp_path: Path) -> None:
    source = office.folder / "vault.yaml"
    head = "cd" * 32
    folder = tmp_path / "bare"
    answer = run_json(["vault", "restore", source, folder, "--expect-head", head])
    assert (answer["governance"], answer["lost_head"], answer["head"]) == ("unknown", head, None)
    bare = RestoredOffice(office, folder)
    assert bare.json(["status"], exit_code=9)["governance"] == "unknown"
    assert bare.json(["coins", "sync"])["complete"] is True
    assert bare.json(["status"])["governance"] == "unknown"
    total = [one.json(["coins", "list"])["total_sats"] for one in (bare, office)]
    assert total[0] == total[1] > 0
    for command in (["address", "next"], ["proposal", "draft", "--to", f"{stranger(1)}=1btc", "--fee-rate", "5"]):
        refused = bare.error(command, exit_code=4)
        assert (refused["error"], refused["details"]["lost_head"]) == ("GOVERNANCE_UNKNOWN", head)
    bare.found(policy_text(), tmp_path)
    assert bare.json(["status"])["governance"] == "policy test-reserve version 1, 5 officers"
    assert bare.json(["address", "next"])["index"] == 6
