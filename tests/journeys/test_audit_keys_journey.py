"""Keys over some days: rehearsed by file, two that sign a payment, one that is forgotten; what `audit keys` says."""

from pathlib import Path
from typing import Any

import pytest

from support.cli import run, run_json
from support.edited_journals import Export
from support.governed import policy_text
from support.governed_office import GovernedOffice
from support.rehearsal import stranger
from support.ssh import SshKeygen

PEOPLE = {
    "dora": ("drafter", "signer"),
    "ann": ("administrator", "approver"),
    "bo": ("administrator", "approver"),
    "cy": ("board", "signer"),
    "audrey": ("auditor",),
}
POLICY = policy_text(unlisted="routine") + "keys: {prove_every: 2d}\n"


def check(office: GovernedOffice, number: int, folder: Path) -> Any:
    """Check a device by file, as its holder does with a card."""
    folder.mkdir(exist_ok=True)
    said = ["--model", "passport", "--firmware", "2.3.0"]
    written = office.json(["device", "check", f"c{number}", "--to", folder, *said])
    signed = folder / f"signed-{number}-{written['rehearsal']}.psbt"
    signed.write_bytes(office.device(number).sign(Path(written["file"]).read_bytes()))
    answer = office.run(["device", "check", f"c{number}", "--from", signed, *said, "--json"], stdin="none\n")
    assert answer.exit_code == 0, answer.stderr
    return answer.json


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory, ssh_keygen: SshKeygen) -> GovernedOffice:
    """A founded 2-of-3 whose policy asks for a proof every two days; nothing is proven yet."""
    folder = tmp_path_factory.mktemp("keys")
    made = GovernedOffice(folder / "office", PEOPLE, ssh_keygen)
    made.found(POLICY, folder)
    made.mine_to([made.json(["address", "next"])["address"] for _ in range(3)])
    return made


def key(answer: Any, name: str) -> Any:
    return next(one for one in answer["keys"] if one["name"] == name)


def test_keys_over_some_days(office: GovernedOffice, tmp_path: Path) -> None:
    # 1. Nobody proved anything: every key is overdue, and no payment waits for it.
    answer = office.json(["audit", "keys"])
    assert answer["prove_every_seconds"] == 2 * 86_400
    assert [(one["name"], one["proof"], one["overdue"]) for one in answer["keys"]] == [
        ("c1", None, True),
        ("c2", None, True),
        ("c3", None, True),
    ]
    warned = [(one["code"], one["where"]) for one in answer["findings"]]
    assert warned == [
        *(("KEY_PROOF_OVERDUE", f"cosigner:c{number}") for number in (1, 2, 3)),
        ("KEYS_NOT_REHEARSED_TOGETHER", "vault"),
    ]
    assert office.json(["status"])["keys_overdue"] == ["c1", "c2", "c3"]
    assert "KEYS OVERDUE c1, c2, c3: not proven alive for longer than the policy asks" in office.run(["status"]).stdout

    # 2. Two keys of three are checked: one combination of three can be verified, and c3 is awaited.
    check(office, 1, tmp_path / "first")
    check(office, 2, tmp_path / "first")
    answer = office.json(["audit", "keys"])
    assert answer["rounds"] | {"kernel_verified": True} == {
        "newest": 1,
        "keys_alone": ["c1", "c2"],
        "combinations_verified": 1,
        "combinations_of_vault": 3,
        "complete": False,
        "missing": ["c3"],
        "kernel_verified": True,
    }
    assert "1 of the 3 combinations" in answer["findings"][-1]["message"]
    assert "rehearsal 1 waits for c3" in answer["findings"][-1]["message"]

    # 3. The third closes the round: every key alone, every combination together.
    check(office, 3, tmp_path / "first")
    answer = office.json(["audit", "keys"])
    assert (answer["rounds"]["complete"], answer["rounds"]["combinations_verified"]) == (True, 3)
    assert answer["findings"] == []
    tip = (answer["height"], answer["time"])
    first = key(answer, "c1")
    assert (first["proof"], first["what"], first["age_blocks"], first["age_days"]) == ("rehearsal", "1", 0, 0)
    assert (first["height"], first["time"]) == tip
    assert (first["device"], first["firmware"]) == ("passport", "2.3.0")
    assert first["entry"] < key(answer, "c2")["entry"] < key(answer, "c3")["entry"]
    assert office.json(["status"])["keys_overdue"] == []

    # 4. Three days later c1 and c2 sign a payment that is mined: they are fresh by it, c3 is overdue.
    office.wait(72)
    paid = office.draft_as("dora", "--to", f"{stranger(1)}=1btc")
    for name in ("ann", "bo"):
        office.approve(name, paid)
    sent = office.send(paid, 1, 2)
    office.wait(1)
    answer = office.json(["audit", "keys"])
    assert [(one["name"], one["proof"], one["overdue"]) for one in answer["keys"]] == [
        ("c1", "payment", False),
        ("c2", "payment", False),
        ("c3", "rehearsal", True),
    ]
    assert key(answer, "c1")["what"] == sent["txid"]
    late = key(answer, "c3")
    assert (late["age_days"], late["age_blocks"]) == (3, 72 * 6 + 6)
    (finding,) = answer["findings"]
    assert (finding["code"], finding["severity"]) == ("KEY_PROOF_OVERDUE", "warn")
    assert (
        f"last proved that it is alive 3 days ago (entry {late['entry']}, block {late['height']})" in finding["message"]
    )
    shown = office.run(["audit", "keys"]).stdout
    assert "c3  " in shown
    assert "OVERDUE" in shown
    assert "combinations that can spend, verified: 3 of 3" in shown

    # 5. An auditor with nothing but the export sees the same, and compares the vault file.
    export = tmp_path / "export.jsonl"
    office.json(["journal", "export", "-o", export])
    assert run_json(["audit", "keys", "--journal", export]) == answer
    assert run_json(["audit", "keys", "--journal", export, "--vault-file", office.folder / "vault.yaml"]) == answer
    assert run(["audit", "keys", "--journal", export, "--expect-head", "ab" * 32, "--json"]).exit_code == 10

    # 6. An old rehearsal told again under today's tip proves nothing new; a false one is exit 3.
    edited = Export.read(export)
    told = edited.first("rehearsal_signed", lambda body: body["cosigner"] == "c3")
    edited.entries.append(
        {**edited.entries[-1], "kind": "rehearsal_signed", "body": dict(edited.body(told)), "actor": None}
    )
    again = run_json(["audit", "keys", "--journal", edited.rehash().write(tmp_path / "again.jsonl")])
    assert (key(again, "c3")["entry"], key(again, "c3")["overdue"]) == (late["entry"], True)
    edited.body(told)["signatures"] = edited.body(edited.first("rehearsal_signed"))["signatures"]
    path = edited.rehash().write(tmp_path / "false.jsonl")
    false = run_json(["audit", "keys", "--journal", path], exit_code=3)
    assert [one["code"] for one in false["findings"] if one["severity"] == "refuse"] == ["BAD_SIGNATURE"]
    whole = run_json(["audit", "journal", path], exit_code=10)
    assert ("BAD_SIGNATURE", told) in [(one["code"], one["entry"]) for one in whole["findings"]]


def test_options_of_an_export_go_with_an_export(office: GovernedOffice) -> None:
    refused = office.error(["audit", "keys", "--expect-head", "ab" * 32], exit_code=2)
    assert "go with --journal" in refused["message"]
