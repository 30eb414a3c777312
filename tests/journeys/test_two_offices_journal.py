"""Two offices on one journal in PostgreSQL, through the real command line, from the move to the way back."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from support.databases import Database
from support.kill import run_and_kill, seeded
from support.rehearsal import Rehearsal, stranger
from support.two_offices import SecondOffice

pytestmark = pytest.mark.postgres

CUSTODY = [sys.executable, "-c", "from custody_cli.app import main; main()"]


@pytest.fixture
def north(tmp_path: Path, database: Database, password_file: Path) -> Rehearsal:
    """The office that made the vault, with its journal in the database; it logs in with a password file."""
    office = Rehearsal(tmp_path / "north")
    office.json(["journal", "move", database.loopback_url().text])
    return office


@pytest.fixture
def south(north: Rehearsal, tmp_path: Path) -> SecondOffice:
    """The office that joined."""
    return SecondOffice(north, tmp_path / "south")


def test_both_offices_hand_out_addresses_of_one_row(north: Rehearsal, south: SecondOffice) -> None:
    offices = [north, south, south, north, south]
    issued = [office.json(["address", "next"]) for office in offices]
    assert [one["index"] for one in issued] == [0, 1, 2, 3, 4]
    assert len({one["address"] for one in issued}) == 5
    seen = [office.json(["journal", "verify"]) for office in (north, south)]
    assert seen[0] == seen[1]
    assert (seen[0]["ok"], seen[0]["entries"]) == (True, 6)
    head = seen[0]["head"]
    assert south.json(["journal", "verify", "--expect-head", head])["ok"] is True
    exports = [office.run(["journal", "export"]).stdout for office in (north, south)]
    assert exports[0] == exports[1]
    shown = south.json(["journal", "show", "--limit", 1])["entries"][0]
    assert (shown["actor"], shown["body"]["index"]) == ("bo", 4) or shown["actor"] is None


def test_at_the_same_moment_no_index_is_handed_out_twice(north: Rehearsal, south: SecondOffice) -> None:
    answers: list[subprocess.CompletedProcess[bytes]] = []

    def issue_many(office: Rehearsal) -> None:
        for _ in range(4):
            command = [*CUSTODY, "--vault", office.folder, "address", "next", "--json"]
            answers.append(subprocess.run(command, capture_output=True, check=False, timeout=120))

    threads = [threading.Thread(target=issue_many, args=(office,)) for office in (north, south)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.returncode for one in answers] == [0] * 8, [one.stderr for one in answers]
    assert sorted(json.loads(one.stdout)["index"] for one in answers) == list(range(8))
    assert north.json(["journal", "verify"])["entries"] == 9


def test_a_payment_drafted_in_one_office_is_signed_and_sent_in_both(north: Rehearsal, south: SecondOffice) -> None:
    north.fund(1)
    proposal = north.draft("--to", f"{stranger(1)}=1btc")
    assert [one["proposal_id"] for one in south.json(["proposal", "list"])["proposals"]] == [proposal["proposal_id"]]
    south.sign(proposal, 1)
    assert south.show(proposal)["signing"]["signed"] == north.show(proposal)["signing"]["signed"] == ["c1"]
    sent = north.send(proposal, 2)
    assert sent["state"] == "broadcast"
    assert south.show(proposal)["state"] == "broadcast"
    assert south.json(["coins", "list"]) == north.json(["coins", "list"])
    assert (south.folder / "outbox").is_dir()


def test_an_altered_vault_file_in_one_office_is_exit_10_there_alone(north: Rehearsal, south: SecondOffice) -> None:
    path = south.folder / "vault.yaml"
    path.write_text(path.read_text().replace("name: rehearsal", "name: rehearsa1"))
    assert south.error(["address", "next"], exit_code=10)["error"] == "WORKSPACE_ALTERED"
    assert north.json(["address", "next"])["index"] == 0


def test_a_changed_row_is_exit_10_in_both(north: Rehearsal, south: SecondOffice, database: Database) -> None:
    for _ in range(3):
        north.json(["address", "next"])
    database.rewrite(
        "UPDATE custody.entry SET entry = convert_to("
        "replace(convert_from(entry, 'UTF8'), '\"index\":1', '\"index\":7'), 'UTF8') WHERE seq = 2"
    )
    for office in (north, south):
        found = office.json(["journal", "verify"], exit_code=10)
        assert "entry:2" in [one["where"] for one in found["findings"]]
        assert office.error(["address", "next"], exit_code=10)["error"] == "JOURNAL_ALTERED"


def test_a_dropped_trigger_is_exit_10(north: Rehearsal, database: Database) -> None:
    database.as_owner("DROP TRIGGER entry_unchanged ON custody.entry")
    found = north.json(["journal", "verify"], exit_code=10)
    assert [one["where"] for one in found["findings"]] == ["file"]
    assert north.error(["address", "next"], exit_code=10)["error"] == "JOURNAL_ALTERED"


def test_a_database_that_is_away_is_exit_7_and_repeats_no_login(north: Rehearsal, database: Database) -> None:
    settings = north.folder / "custody.yaml"
    settings.write_text(settings.read_text().replace(f":{database.server.port}/", ":9/"))
    for command in (["journal", "verify"], ["address", "next"], ["status"]):
        refused = north.error(command, exit_code=7)
        assert refused["error"] == "DATABASE_UNAVAILABLE"
        assert database.login not in json.dumps(refused)


def test_the_journal_moves_back_and_the_other_office_is_told(north: Rehearsal, south: SecondOffice) -> None:
    north.json(["address", "next"])
    before = south.json(["journal", "verify"])
    moved = south.json(["journal", "move", "sqlite:"])
    assert (moved["place"], moved["head"], moved["entries"]) == ("sqlite:", before["head"], before["entries"])
    assert south.json(["journal", "verify"]) == before
    assert south.json(["address", "next"])["index"] == 1
    for command in (["address", "next"], ["journal", "verify"], ["journal", "move", "sqlite:"]):
        assert north.error(command, exit_code=7)["error"] == "JOURNAL_RELOCATED"


def test_a_password_on_the_command_line_is_refused_and_not_repeated(tmp_path: Path) -> None:
    office = Rehearsal(tmp_path / "office")
    result = office.run(["journal", "move", "postgresql://ann:hunter2@db.example/reserve?sslmode=verify-full"])
    assert result.exit_code == 6
    assert "hunter2" not in result.stdout + result.stderr
    assert office.json(["journal", "verify"])["ok"] is True


def test_kills_while_it_moves_lose_nothing(tmp_path: Path, database: Database, password_file: Path) -> None:
    office = Rehearsal(tmp_path / "office")
    for _ in range(3):
        office.json(["address", "next"])
    before = office.json(["journal", "verify"])
    random = seeded(20_261_126)
    url = database.loopback_url().text
    killed = 0
    for turn in range(8):
        target = (url, "sqlite:")[turn % 2]
        command = [*CUSTODY, "--vault", office.folder, "journal", "move", target]
        killed += run_and_kill(command, random=random, within_ms=1_200).killed
        assert office.json(["journal", "move", target])["head"] == before["head"]
        assert office.json(["journal", "verify"]) == before
    assert killed > 0
    assert office.json(["address", "next"])["index"] == 3
