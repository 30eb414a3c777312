"""A101, A102: a journal cut short, put back or forked, held against a checkpoint that an office kept elsewhere."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from custody.codes import Code
from custody.errors import Severity
from custody.workflow.checkpoint import Hashes, governance_findings
from support.bundles import checkpoint, founded
from support.cli import run, run_json
from support.governed import policy_text
from support.governed_office import GovernedOffice
from support.ssh import SshKeygen

PEOPLE = {
    "dora": ("drafter",),
    "ann": ("administrator", "approver"),
    "bo": ("administrator", "approver"),
    "cy": ("board", "signer"),
    "audrey": ("auditor",),
}


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory, ssh_keygen: SshKeygen) -> GovernedOffice:
    folder = tmp_path_factory.mktemp("checkpoints")
    made = GovernedOffice(folder / "office", PEOPLE, ssh_keygen)
    made.found(policy_text(), folder)
    return made


@pytest.fixture
def kept(office: GovernedOffice, tmp_path: Path) -> tuple[Path, Path]:
    """Return an older copy of the whole office, and a checkpoint that was signed after it."""
    older = tmp_path / "older"
    shutil.copytree(office.folder, older)
    office.json(["address", "next", "--label", "after the copy"])
    checkpoint = tmp_path / "checkpoint.json"
    office.as_("audrey", ["journal", "checkpoint", "--key", office.key("audrey"), "-o", checkpoint])
    return older, checkpoint


def held_against(folder: Path, *checkpoints: Path, exit_code: int) -> Any:
    words = [word for one in checkpoints for word in ("--checkpoint", one)]
    return run_json(["--vault", folder, "journal", "verify", *words], exit_code=exit_code)


def test_the_journal_itself_fits_and_goes_on(office: GovernedOffice, kept: tuple[Path, Path]) -> None:
    assert held_against(office.folder, kept[1], exit_code=0)["findings"] == []
    office.json(["address", "next"])
    assert held_against(office.folder, kept[1], exit_code=0)["ok"] is True


def test_a102_an_old_copy_put_back_is_a_rollback(office: GovernedOffice, kept: tuple[Path, Path]) -> None:
    older, checkpoint = kept
    finding = held_against(older, checkpoint, exit_code=10)["findings"][0]
    assert finding["code"] == "JOURNAL_FORK"
    heads = [run_json(["--vault", older, "journal", "verify"])["head"]]
    heads.append(run_json(["--vault", office.folder, "journal", "verify", "--checkpoint", checkpoint])["head"])
    assert heads[0] in finding["message"]
    assert "signed by audrey" in finding["message"]
    assert "rolled back" in finding["message"]


def test_a102_two_histories_are_a_fork_and_both_heads_are_shown(
    office: GovernedOffice, kept: tuple[Path, Path]
) -> None:
    older, checkpoint = kept
    for _ in range(4):
        run_json(["--vault", older, "address", "next", "--label", "another history"])
    finding = held_against(older, checkpoint, exit_code=10)["findings"][0]
    assert finding["code"] == "JOURNAL_FORK"
    assert "two histories exist" in finding["message"]
    shown = run_json(["--vault", office.folder, "journal", "show"])
    entries = {entry["hash"] for entry in shown["entries"]}
    other = {entry["hash"] for entry in run_json(["--vault", older, "journal", "show"])["entries"]}
    named = {word.strip(",;:") for word in finding["message"].split() if len(word.strip(",;:")) == 64}
    assert len(named) == 2
    assert named & (entries - other) and named & (other - entries)


def test_a101_a_checkpoint_that_was_edited_proves_nothing(office: GovernedOffice, kept: tuple[Path, Path]) -> None:
    _older, checkpoint = kept
    edited = checkpoint.with_name("edited.json")
    edited.write_text(checkpoint.read_text().replace('"time":"20', '"time":"19'))
    found = held_against(office.folder, edited, exit_code=0)["findings"]
    assert [one["code"] for one in found] == ["CHECKPOINT_UNSIGNED"]


def test_a101_several_officers_sign_one_head_in_different_places(office: GovernedOffice, tmp_path: Path) -> None:
    statement = tmp_path / "head.txt"
    head = office.as_("bo", ["journal", "checkpoint", "--statement", statement])["head"]
    office.as_("ann", ["journal", "checkpoint", "--at", head, "--key", office.key("ann")])
    signature = tmp_path / "head.txt.sig"
    signature.write_text(office.keygen.sign(office.key("bo"), statement.read_bytes(), "custody-checkpoint/1"))
    out = tmp_path / "both.json"
    command = ["journal", "checkpoint", "--at", head, "--signature", signature, "-o", out]
    assert office.as_("bo", command)["signed_by"] == ["ann", "bo"]
    assert held_against(office.folder, out, exit_code=0)["findings"] == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{}", 6),
        ("", 6),
        ('{"format":"custody-checkpoint/2"}', 6),
        ("[1]", 6),
        ('{"format":"custody-checkpoint/1"}', 6),
    ],
)
def test_a101_what_is_no_checkpoint_is_refused(office: GovernedOffice, tmp_path: Path, text: str, code: int) -> None:
    path = tmp_path / "odd.json"
    path.write_text(text)
    assert run(["--vault", office.folder, "journal", "verify", "--checkpoint", path]).exit_code == code


def test_a101_an_export_is_held_against_it_too(office: GovernedOffice, kept: tuple[Path, Path], tmp_path: Path) -> None:
    older, checkpoint = kept
    export = tmp_path / "journal.jsonl"
    run_json(["--vault", older, "journal", "export", "-o", export])
    answer = run_json(["journal", "verify", "--file", export, "--checkpoint", checkpoint], exit_code=10)
    assert answer["findings"][0]["code"] == "JOURNAL_FORK"


def test_a101_one_officers_false_head_stops_no_journal() -> None:
    """A head that the journal never had is named with its signer; it is no proof that the journal was rewritten."""
    ledger = founded()
    checkpoint(ledger, "audrey")
    checkpoint(ledger, "dora", false_head="ab" * 32)
    hashes = Hashes(b"".join(bytes.fromhex(one.hash) for one in ledger.entries))
    (finding,) = governance_findings(hashes, ledger.gov)
    assert (finding.code, finding.severity) == (Code.AUTHORITY_DISREGARDED, Severity.WARN)
    assert "`dora` signed head " + "ab" * 32 in finding.message and "`dora`" in (finding.advice or "")
