"""Edges of a proposal's way through the command line: what a hostile review found, each kept by a test."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from custody.workflow.proposal_view import ProposalView
from custody_cli import proposal_commands
from support.rehearsal import Rehearsal, stranger

CLI = "from custody_cli.app import main; main()"


def rehearsal(tmp_path: Path, coins: int = 3) -> Rehearsal:
    made = Rehearsal(tmp_path / "vault")
    made.fund(coins)
    return made


def test_an_export_that_cannot_be_written_has_not_left(tmp_path: Path) -> None:
    made = rehearsal(tmp_path, 1)
    held = made.draft("--to", f"{stranger(1)}=1btc", "--hold")
    taken = tmp_path / "taken.psbt"
    taken.write_text("kept")
    export = ["proposal", "export", held["proposal_id"], "-o"]
    assert made.error([*export, taken], exit_code=7)["error"] == "FILE_EXISTS"
    assert made.error([*export, tmp_path / "none" / "a.psbt"], exit_code=6)["error"] == "FILE_NOT_FOUND"
    assert not made.show(held)["has_left"]
    assert taken.read_text() == "kept"


def test_answer_that_is_no_text_or_absent_is_not_yet(tmp_path: Path) -> None:
    made = rehearsal(tmp_path, 1)
    drafted = made.draft("--to", f"{stranger(1)}=1btc")
    sign = ["proposal", "sign", drafted["proposal_id"], "--simulator", "1"]
    assert made.run(sign, b"\xff\xfe\n").exit_code == 5
    command = [sys.executable, "-c", CLI, "--vault", str(made.folder), *sign]
    closed = subprocess.run(["sh", "-c", '"$@" <&-', "sh", *command], capture_output=True, timeout=60, check=False)
    assert closed.returncode == 5, closed.stderr


def test_wait_lets_others_write_and_mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = rehearsal(tmp_path, 1)
    drafted = made.draft("--to", f"{stranger(1)}=1btc")
    made.sign(drafted, 1, 2)
    made.json(["proposal", "finalize", drafted["proposal_id"]])
    pauses: list[int] = []

    def pause() -> None:
        pauses.append(1)
        assert len(pauses) < 10
        made.mine(3)
        made.json(["address", "next"])

    monkeypatch.setattr(proposal_commands, "wait_a_while", pause)
    confirm = ["--confirm-sats", drafted["confirm_sats"], "--wait"]
    assert made.json(["proposal", "broadcast", drafted["proposal_id"], *confirm])["state"] == "confirmed"
    assert len(pauses) == 2


def test_broadcast_never_sends_what_was_finalized_after_it_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = rehearsal(tmp_path, 1)
    drafted = made.draft("--to", f"{stranger(1)}=1btc")
    made.sign(drafted, 1, 2)
    view = proposal_commands.view_proposal

    def slow_view(*arguments: Any) -> ProposalView:
        monkeypatch.setattr(proposal_commands, "view_proposal", view)
        seen = view(*arguments)
        made.json(["proposal", "finalize", drafted["proposal_id"]])
        return seen

    monkeypatch.setattr(proposal_commands, "view_proposal", slow_view)
    error = made.error(["proposal", "broadcast", drafted["proposal_id"]], exit_code=7)
    assert error["error"] == "PROPOSAL_STATE"
    assert made.show(drafted)["state"] == "finalized"


def test_cancel_ignores_versions_that_never_left(tmp_path: Path) -> None:
    made = rehearsal(tmp_path)
    coins = [f"{one['txid']}:{one['vout']}" for one in made.json(["coins", "list"])["coins"]]
    held = made.draft("--to", f"{stranger(1)}=1btc", "--coin", coins[0], "--hold")
    newer = made.draft("--to", f"{stranger(2)}=1btc", "--coin", coins[1], "--replaces", held["proposal_id"])
    cancel = made.json(["proposal", "cancel", newer["proposal_id"], "--fee-rate", "20"])
    assert cancel["destinations"] == []
    assert {one["txid"] for one in cancel["inputs"]} == {one["txid"] for one in newer["inputs"]}


def test_held_version_does_not_hide_the_one_that_left(tmp_path: Path) -> None:
    made = rehearsal(tmp_path)
    left = made.draft("--to", f"{stranger(1)}=1btc")
    same = ["--to", f"{stranger(1)}=1btc", "--hold", "--fee-rate", "10"]
    held = made.json(["proposal", "draft", *same, "--replaces", left["proposal_id"]])
    other = ["proposal", "draft", "--fee-rate", "20", "--to", f"{stranger(2)}=1btc"]
    error = made.error([*other, "--replaces", held["proposal_id"]], exit_code=3)
    assert error["error"] == "REPLACEMENT_CHANGES_PAYEE"
    again = ["proposal", "draft", "--fee-rate", "20", "--to", f"{stranger(1)}=1btc"]
    newest = made.json([*again, "--replaces", held["proposal_id"]])
    assert {one["txid"] for one in left["inputs"]} <= {one["txid"] for one in newest["inputs"]}


def test_expired_version_between_does_not_bring_the_first_back(tmp_path: Path) -> None:
    made = rehearsal(tmp_path)
    first = made.draft("--to", f"{stranger(1)}=1btc", "--hold", "--expires", "2100-01-01T00:00:00Z")
    second = made.draft("--to", f"{stranger(1)}=1btc", "--hold", "--replaces", first["proposal_id"])
    made.draft("--to", f"{stranger(1)}=1btc", "--replaces", second["proposal_id"])
    made.json(["proposal", "withdraw", second["proposal_id"]])
    assert made.show(first)["state"] == "replaced"


def test_one_address_twice_is_refused_from_flags_and_file_alike(tmp_path: Path) -> None:
    made = rehearsal(tmp_path, 1)
    payments = tmp_path / "pay.csv"
    payments.write_text(f"address,amount\n{stranger(1)},1btc\n")
    draft = ["proposal", "draft", "--fee-rate", "5", "--to", f"{stranger(1)}=1btc"]
    made.error([*draft, "--to", f"{stranger(1).upper()}=2btc"], exit_code=2)
    made.error([*draft, "--payments", payments], exit_code=2)
    assert made.json(["proposal", "list"])["proposals"] == []
