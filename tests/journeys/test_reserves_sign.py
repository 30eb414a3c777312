"""Signers sign the proofs of a folder on their devices, through the real command line."""

from pathlib import Path
from typing import Any

import pytest

from support.cli import run
from support.rehearsal import Rehearsal
from support.reserves_office import Holder
from support.standin import StandinOffice


@pytest.fixture
def holder(tmp_path: Path) -> Holder:
    office = StandinOffice(tmp_path / "standin")
    (office.folder / "custody.yaml").rename(tmp_path / "settings")
    office.fund(2)
    (tmp_path / "settings").rename(office.folder / "custody.yaml")
    return Holder(office, tmp_path / "files")


def _sign(holder: Holder, challenge: Path, *how: str | Path | int) -> list[str | Path | int]:
    return ["audit", "reserves", "sign", holder.folder / "proofs", "--challenge", challenge, *how]


def test_two_devices_on_a_cable_sign_and_the_statement_is_valid(holder: Holder) -> None:
    challenge = holder.challenge()
    holder.write(challenge)
    for name in ("c1", "c3"):
        signed: Any = holder.office.json(_sign(holder, challenge, "--device", name))
        assert (signed["cosigner"], len(signed["files"])) == (name, 2)
        again = holder.office.json(_sign(holder, challenge, "--device", name))
        assert again["files"] == []  # what is signed is not signed again
    done = holder.finish(challenge)
    assert (done.exit_code, done.json["signers"]) == (0, ["c1", "c3"])


def test_a_device_that_rewrites_the_transaction_is_refused_and_leaves_nothing(holder: Holder) -> None:
    """Signers built on embit take a sequence of 0 for none, and sign another transaction."""
    challenge = holder.challenge()
    holder.write(challenge)
    assert isinstance(holder.office, StandinOffice)
    holder.office.bench.fault(1, "sequence")
    error = holder.office.error(_sign(holder, challenge, "--device", "c1"), exit_code=3)
    assert error["error"] == "DIFFERENT_TRANSACTION"
    assert not list((holder.folder / "proofs").glob("*-signed-*"))


def test_a_signer_needs_only_their_vault_file_and_sees_the_message(holder: Holder) -> None:
    challenge = holder.challenge()
    holder.write(challenge)
    vault = holder.office.folder / "vault.yaml"
    result = run(_sign(holder, challenge, "--vault-file", vault, "--simulator", 2))
    assert result.exit_code == 0, result.stderr
    assert "| purpose: 2026" in result.stderr and "| Proof of reserves v1. It spends nothing." in result.stderr


def test_a_folder_for_another_challenge_never_reaches_the_device(holder: Holder) -> None:
    first, second = holder.challenge("first"), holder.challenge("second")
    holder.write(first)
    error = holder.office.error(_sign(holder, second, "--simulator", 1), exit_code=3)
    assert error["error"] == "CHALLENGE_MISMATCH"


def test_a_payment_in_the_folder_is_refused(holder: Holder) -> None:
    challenge = holder.challenge()
    holder.write(challenge)
    assert isinstance(holder.office, Rehearsal)
    (holder.office.folder / "custody.yaml").unlink()
    drafted = holder.office.draft("--to", "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080=1btc")
    holder.office.json(["proposal", "export", drafted["proposal_id"], "-o", holder.folder / "proofs" / "pay.psbt"])
    error = holder.office.error(_sign(holder, challenge, "--simulator", 1), exit_code=3)
    assert error["error"] == "POR_NOT_UNSPENDABLE"


def test_an_empty_folder_has_nothing_to_sign(holder: Holder) -> None:
    challenge = holder.challenge()
    (holder.folder / "proofs").mkdir()
    assert holder.office.error(_sign(holder, challenge, "--simulator", 1), exit_code=6)["error"] == "FILE_NOT_FOUND"


def test_a_stranger_s_device_signs_nothing(holder: Holder) -> None:
    challenge = holder.challenge()
    holder.write(challenge)
    error = holder.office.error(_sign(holder, challenge, "--simulator", 9), exit_code=6)
    assert error["error"] == "COSIGNER_UNKNOWN"
