"""The auditor's challenge through the real command line, on the embedded chain."""

from pathlib import Path

import pytest

from custody.audit.reserves.challenge import parse_challenge
from support.rehearsal import Rehearsal


@pytest.fixture
def office(tmp_path: Path) -> Rehearsal:
    made = Rehearsal(tmp_path / "office")
    made.fund()
    return made


def _ask(*more: str | Path | int) -> list[str | Path | int]:
    asked = ["audit", "reserves", "challenge", "--network", "regtest", "--holder", "Ruritania", "--purpose", "2026"]
    return [*asked, *more]


def test_a_challenge_names_the_newest_block_that_is_deep_enough(office: Rehearsal, tmp_path: Path) -> None:
    file = tmp_path / "challenge.json"
    answer = office.json(_ask("-o", file))
    challenge = parse_challenge(file.read_bytes())
    with office.chain() as chain:
        tip = chain.tip().height
        assert (challenge.height, challenge.block_hash) == (tip - 5, chain.block_hash_at(tip - 5))
    assert challenge.expires_height == tip + 144
    assert (answer["digest"], answer["message"].encode()) == (challenge.digest, challenge.message)


def test_two_challenges_have_two_nonces_and_a_file_is_never_overwritten(office: Rehearsal, tmp_path: Path) -> None:
    first, second = tmp_path / "one.json", tmp_path / "two.json"
    office.json(_ask("-o", first))
    office.json(_ask("-o", second))
    assert parse_challenge(first.read_bytes()).nonce != parse_challenge(second.read_bytes()).nonce
    assert office.error(_ask("-o", first), exit_code=7)["error"] == "FILE_EXISTS"


def test_the_screen_shows_the_message_that_will_be_signed(office: Rehearsal, tmp_path: Path) -> None:
    shown = office.run(_ask("--nonce", "5f" * 32, "-o", tmp_path / "c.json")).stdout
    message = parse_challenge((tmp_path / "c.json").read_bytes()).message.decode()
    assert all(f"  {line}\n" in shown for line in message.split("\n"))
    assert f"  nonce: {'5f' * 32}\n" in shown


@pytest.mark.parametrize(
    ("more", "code", "exit_code"),
    [
        (["--height", "107"], "BLOCK_TOO_SHALLOW", 3),
        (["--height", "5000"], "BLOCK_UNKNOWN", 9),
        (["--nonce", "5f"], "MALFORMED_DOCUMENT", 6),
        (["--expires-after", "60000"], "MALFORMED_DOCUMENT", 6),
    ],
)
def test_a_block_or_nonce_that_proves_nothing_is_refused(
    office: Rehearsal, tmp_path: Path, more: list[str], code: str, exit_code: int
) -> None:
    assert office.error(_ask(*more, "-o", tmp_path / "c.json"), exit_code=exit_code)["error"] == code
    assert not (tmp_path / "c.json").exists()


def test_an_old_block_is_stale(office: Rehearsal, tmp_path: Path) -> None:
    office.mine(60)
    asked = _ask("--height", 10, "-o", tmp_path / "c.json")
    assert office.error(asked, exit_code=3)["error"] == "HEIGHT_STALE"
