"""The auditor's challenge: one spelling, one message, and a block that is deep, active and recent."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.audit.reserves.challenge import (
    MAX_AGE,
    MAX_EXPIRES_AFTER,
    MAX_HOLDER,
    MAX_PURPOSE,
    Challenge,
    SeenBlock,
    challenge_age,
    parse_challenge,
    require_timely,
)
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.documents.canonical_json import canonical
from custody.errors import CheckFailed, CustodyError, InvalidInput, JsonValue, UpgradeNeeded
from custody.spend.proof_model import NamedBlock, device_problem

CHALLENGE = Challenge(
    network=Network.MAIN,
    holder="Treasury of Ruritania",
    purpose="Audit 2026, question 4",
    nonce="5f" * 32,
    height=912_000,
    block_hash="00" * 8 + "ab" * 24,
    expires_height=912_244,
)
GOOD = SeenBlock(912_099, CHALLENGE.block_hash)


def test_a_challenge_comes_back_from_its_bytes() -> None:
    assert parse_challenge(CHALLENGE.to_bytes()) == CHALLENGE


def test_the_message_is_these_lines_without_a_last_line_feed() -> None:
    assert CHALLENGE.message == (
        b"Proof of reserves v1. It spends nothing.\n"
        b"network: main\n"
        b"holder: Treasury of Ruritania\n"
        b"purpose: Audit 2026, question 4\n"
        b"block: 912000 " + b"00" * 8 + b"ab" * 24 + b"\n"
        b"nonce: " + b"5f" * 32 + b"\n"
        b"expires: 912244"
    )


def test_the_longest_message_fits_the_devices_that_show_one() -> None:
    longest = Challenge(Network.TESTNET4, "H" * MAX_HOLDER, "P" * 20, "5f" * 32, 499_947_439, "ab" * 32, 499_999_999)
    assert device_problem(longest.message) is None
    block = NamedBlock.in_text(longest.message.decode())
    assert block == NamedBlock(longest.height, longest.block_hash)


OTHER: list[dict[str, JsonValue]] = [
    {"network": "regtest"},
    {"holder": "Treasury of Ruritani"},
    {"purpose": "Audit 2026, question 5"},
    {"nonce": "5e" * 32},
    {"height": 912_001},
    {"block_hash": "00" * 8 + "ac" * 24},
    {"expires_height": 912_243},
]


@pytest.mark.parametrize("change", OTHER, ids=lambda change: next(iter(change)))
def test_every_field_is_in_the_message_and_in_the_digest(change: dict[str, JsonValue]) -> None:
    changed = parse_challenge(canonical(CHALLENGE.to_document() | change) + b"\n")
    assert changed.message != CHALLENGE.message
    assert changed.digest != CHALLENGE.digest


def test_a_message_that_no_device_would_show_is_no_challenge() -> None:
    with pytest.raises(InvalidInput, match="no device would show") as refused:
        replace(CHALLENGE, holder="H" * MAX_HOLDER, purpose="P" * MAX_PURPOSE)
    assert "shorter" in refused.value.advice


WRONG: list[tuple[dict[str, JsonValue], Code]] = [
    ({"network": "mainnet"}, Code.MALFORMED_DOCUMENT),
    ({"holder": ""}, Code.MALFORMED_DOCUMENT),
    ({"holder": " x"}, Code.MALFORMED_DOCUMENT),
    ({"holder": "x  y"}, Code.MALFORMED_DOCUMENT),
    ({"purpose": "x" * 61}, Code.MALFORMED_DOCUMENT),
    ({"holder": "x" * 61}, Code.MALFORMED_DOCUMENT),
    ({"holder": "two\nlines"}, Code.MALFORMED_DOCUMENT),
    ({"holder": "too   far apart"}, Code.MALFORMED_DOCUMENT),
    ({"purpose": "x" * 80}, Code.MALFORMED_DOCUMENT),
    ({"purpose": "caf\u00e9"}, Code.MALFORMED_DOCUMENT),
    ({"purpose": "\u202egnp.exe"}, Code.MALFORMED_DOCUMENT),
    ({"nonce": "5f" * 16}, Code.MALFORMED_DOCUMENT),
    ({"nonce": "5F" * 32}, Code.MALFORMED_DOCUMENT),
    ({"height": -1}, Code.MALFORMED_DOCUMENT),
    ({"height": True}, Code.MALFORMED_DOCUMENT),
    ({"expires_height": 912_000}, Code.MALFORMED_DOCUMENT),
    ({"expires_height": 912_000 + MAX_EXPIRES_AFTER + 1}, Code.MALFORMED_DOCUMENT),
    ({"surprise": 1}, Code.UNKNOWN_FIELD),
    ({"format": "custody-challenge/2"}, Code.UPGRADE_NEEDED),
    ({"format": "custody-reserves/1"}, Code.UNKNOWN_FORMAT),
]


@pytest.mark.parametrize(("change", "code"), WRONG)
def test_a_wrong_field_is_refused_by_its_code(change: dict[str, JsonValue], code: Code) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_challenge(canonical(CHALLENGE.to_document() | change) + b"\n")
    assert refused.value.code is code
    assert isinstance(refused.value, UpgradeNeeded) == (code is Code.UPGRADE_NEEDED)


def test_a_missing_field_another_spelling_and_a_missing_line_feed_are_refused() -> None:
    short = {key: value for key, value in CHALLENGE.to_document().items() if key != "nonce"}
    for data in (
        canonical(short) + b"\n",
        CHALLENGE.to_bytes()[:-1],
        CHALLENGE.to_bytes() + b"\n",
        CHALLENGE.to_bytes().replace(b",", b", ", 1),
    ):
        with pytest.raises(InvalidInput):
            parse_challenge(data)


@given(st.binary(max_size=300))
def test_junk_is_refused_and_never_crashes(junk: bytes) -> None:
    with pytest.raises(CustodyError):
        parse_challenge(junk)


def test_a_deep_recent_active_block_has_nothing_against_it() -> None:
    assert challenge_age(CHALLENGE, GOOD, max_age=None) == ()
    require_timely(CHALLENGE, GOOD, max_age=None)


@pytest.mark.parametrize(
    ("seen", "max_age", "code"),
    [
        (SeenBlock(912_098, CHALLENGE.block_hash), None, Code.BLOCK_TOO_SHALLOW),
        (SeenBlock(912_120, "cd" * 32), None, Code.BLOCK_ORPHANED),
        (SeenBlock(912_000 + MAX_AGE + 1, CHALLENGE.block_hash), None, Code.HEIGHT_STALE),
        (SeenBlock(912_120, CHALLENGE.block_hash), 119, Code.HEIGHT_STALE),
    ],
)
def test_a_shallow_orphaned_or_stale_block_is_refused(seen: SeenBlock, max_age: int | None, code: Code) -> None:
    assert [one.code for one in challenge_age(CHALLENGE, seen, max_age=max_age)] == [code]
    with pytest.raises(CheckFailed) as refused:
        require_timely(CHALLENGE, seen, max_age=max_age)
    assert refused.value.code is code


def test_an_expired_challenge_is_stale_unless_its_age_is_allowed() -> None:
    short = replace(CHALLENGE, expires_height=912_110)
    seen = SeenBlock(912_111, short.block_hash)
    assert [one.code for one in challenge_age(short, seen, max_age=None)] == [Code.HEIGHT_STALE]
    assert challenge_age(short, seen, max_age=111) == ()


def test_a_chain_that_ends_before_the_block_is_named_whole() -> None:
    codes = [one.code for one in challenge_age(CHALLENGE, SeenBlock(911_000, None), max_age=None)]
    assert codes == [Code.BLOCK_ORPHANED, Code.BLOCK_TOO_SHALLOW]


def test_test_networks_ask_for_six_confirmations() -> None:
    tried = replace(CHALLENGE, network=Network.REGTEST)
    seen = SeenBlock(tried.height + 4, tried.block_hash)
    assert [one.code for one in challenge_age(tried, seen, max_age=None)] == [Code.BLOCK_TOO_SHALLOW]
    assert challenge_age(tried, replace(seen, tip_height=tried.height + 5), max_age=None) == ()
