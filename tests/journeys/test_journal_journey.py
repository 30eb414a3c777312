"""The journal through the real command line: show, verify, export, and every way of tampering with it."""

import json
import sqlite3
from pathlib import Path

import pytest

from support.cli import run
from support.rehearsal import Rehearsal


@pytest.fixture
def office(tmp_path: Path) -> Rehearsal:
    """A vault with a journal of a few entries."""
    made = Rehearsal(tmp_path / "reserve")
    for number in range(3):
        made.json(["address", "next", "--label", f"payer {number}"])
    return made


def tamper(office: Rehearsal, *statements: str) -> None:
    """Change the journal's table behind the program's back; the triggers are put back as they were."""
    database = sqlite3.connect(office.folder / "journal.db")
    triggers = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _sql in triggers:
        database.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        database.execute(statement)
    for _name, sql in triggers:
        database.execute(sql)
    database.commit()
    database.close()


def test_an_intact_journal_shows_verifies_and_exports(office: Rehearsal, tmp_path: Path) -> None:
    checked = office.json(["journal", "verify"])
    assert (checked["ok"], checked["entries"], checked["findings"]) == (True, 4, [])
    assert office.json(["journal", "verify", "--expect-head", checked["head"]])["ok"] is True
    shown = office.json(["journal", "show"])
    assert [entry["seq"] for entry in shown["entries"]] == [0, 1, 2, 3]
    assert shown["head"] == shown["entries"][-1]["hash"] == checked["head"]
    assert [entry["seq"] for entry in office.json(["journal", "show", "--limit", 2])["entries"]] == [2, 3]
    assert [entry["seq"] for entry in office.json(["journal", "show", "--from", 1, "--limit", 2])["entries"]] == [1, 2]
    export = tmp_path / "export.jsonl"
    office.json(["journal", "export", "-o", export])
    assert office.run(["journal", "export"]).stdout.encode() == export.read_bytes()
    again = run(["journal", "verify", "--file", export, "--expect-head", checked["head"], "--json"])
    assert again.exit_code == 0
    assert again.json["head"] == checked["head"]


def test_a_changed_entry_is_exit_10_with_its_position_and_the_whole_answer(office: Rehearsal) -> None:
    tamper(
        office,
        "UPDATE entry SET entry = CAST(replace(CAST(entry AS TEXT), 'payer 1', 'payer 9') AS BLOB) WHERE seq = 2",
    )
    result = office.run(["journal", "verify", "--json"])
    assert (result.exit_code, result.stderr) == (10, "")
    assert result.json["ok"] is False
    assert "entry:2" in [finding["where"] for finding in result.json["findings"]]
    assert office.error(["address", "next"], exit_code=10)["error"] == "JOURNAL_ALTERED"
    assert office.error(["journal", "show"], exit_code=10)["error"] == "JOURNAL_ALTERED"


def test_every_changed_entry_is_listed(office: Rehearsal) -> None:
    tamper(
        office,
        "UPDATE entry SET entry = CAST(replace(CAST(entry AS TEXT), 'payer', 'prayer') AS BLOB) WHERE seq IN (1, 3)",
    )
    found = office.json(["journal", "verify"], exit_code=10)["findings"]
    assert {"entry:1", "entry:3"} <= {finding["where"] for finding in found}


def test_a101_truncation_is_found_with_the_expected_head_alone(office: Rehearsal) -> None:
    head = office.json(["journal", "verify"])["head"]
    tamper(office, "DELETE FROM entry WHERE seq = 3")
    assert office.json(["journal", "verify"])["ok"] is True
    cut = office.json(["journal", "verify", "--expect-head", head], exit_code=10)
    assert (cut["ok"], cut["findings"][0]["code"]) == (False, "JOURNAL_FORK")


def test_a_gap_and_a_rewritten_export_line_are_found(office: Rehearsal, tmp_path: Path) -> None:
    content = office.run(["journal", "export"]).stdout.splitlines(keepends=True)
    export = tmp_path / "export.jsonl"
    for damaged in ("".join([*content[:1], *content[2:]]), "".join(content).replace("payer 0", "payer 8")):
        export.write_text(damaged)
        result = run(["journal", "verify", "--file", export, "--json"])
        assert (result.exit_code, result.json["ok"]) == (10, False)
        assert result.json["findings"][0]["where"] == "line:2"


def test_a_head_that_is_no_hash_is_a_usage_error(office: Rehearsal) -> None:
    assert office.error(["journal", "verify", "--expect-head", "abc"], exit_code=2)["error"] == "USAGE"


def test_a100_a_missing_or_empty_journal_is_exit_10_and_stays_as_it_is(office: Rehearsal) -> None:
    path = office.folder / "journal.db"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    half = path.read_bytes()
    assert office.json(["journal", "verify"], exit_code=10)["ok"] is False
    assert office.run(["address", "next"]).exit_code == 10
    assert path.read_bytes() == half
    path.unlink()
    assert office.json(["journal", "verify"], exit_code=10)["findings"][0]["code"] == "JOURNAL_MISSING"
    assert not path.exists()


def test_a94_a_symlinked_journal_or_vault_file_is_refused(office: Rehearsal, tmp_path: Path) -> None:
    journal, elsewhere = office.folder / "journal.db", tmp_path / "elsewhere.db"
    journal.rename(elsewhere)
    journal.symlink_to(elsewhere)
    assert office.error(["address", "next"], exit_code=6)["error"] == "PATH_UNSAFE"
    journal.unlink()
    elsewhere.rename(journal)
    vault, other = office.folder / "vault.yaml", tmp_path / "other.yaml"
    vault.rename(other)
    vault.symlink_to(other)
    assert office.error(["address", "next"], exit_code=10)["error"] == "WORKSPACE_ALTERED"


def test_a_changed_vault_file_is_found_by_journal_verify(office: Rehearsal) -> None:
    vault = office.folder / "vault.yaml"
    vault.write_text(vault.read_text().replace("name: rehearsal", "name: rehearsa1"))
    found = office.json(["journal", "verify"], exit_code=10)["findings"]
    assert [(one["where"], one["code"]) for one in found] == [("vault.yaml", "WORKSPACE_ALTERED")]


def test_an_export_never_overwrites_a_file(office: Rehearsal, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("kept")
    assert office.error(["journal", "export", "-o", kept], exit_code=7)["error"] == "FILE_EXISTS"
    assert kept.read_text() == "kept"


def test_each_exported_line_is_one_canonical_entry(office: Rehearsal) -> None:
    for number, line in enumerate(office.run(["journal", "export"]).stdout.splitlines()):
        assert json.loads(line)["seq"] == number
