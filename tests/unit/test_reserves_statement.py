"""The statement of a reserve: one spelling, strict shapes, and what it can't prove always said."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.audit.reserves.challenge import Challenge
from custody.audit.reserves.statement import (
    NOT_PROVEN,
    NOT_PROVEN_BY_PAYMENT,
    NOT_PROVEN_WITHOUT_DESCRIPTOR,
    ClaimedAddress,
    ClaimedCoin,
    Proof,
    ProofKind,
    Statement,
    parse_statement,
)
from custody.bitcoin.amount import Sats
from custody.bitcoin.network import Network
from custody.bitcoin.transaction import OutPoint
from custody.codes import Code
from custody.documents.canonical_json import canonical
from custody.errors import CustodyError, InvalidInput, JsonValue

ADDRESS = "bcrt1qskw8hr9w5jqwknux4frd93kntkwxutwdnyj34pf6wg79y7f4tyxstu95y4"
STATEMENT = Statement(
    challenge=Challenge(Network.REGTEST, "Ruritania", "Audit 2026", "5f" * 32, 120, "ab" * 32, 264),
    vault_id="cd" * 32,
    descriptor=None,
    addresses=(ClaimedAddress(ADDRESS, None, None),),
    coins=(ClaimedCoin(OutPoint("12" * 32, 1), Sats(50_000), ADDRESS),),
    total=Sats(50_000),
    proofs=(Proof(ProofKind.BIP322, (ADDRESS,), "smpAAAA"),),
)


def _written(change: dict[str, JsonValue]) -> bytes:
    return canonical(STATEMENT.to_document() | change) + b"\n"


def test_a_statement_comes_back_from_its_bytes() -> None:
    full = replace(
        STATEMENT,
        descriptor="wsh(sortedmulti(2,A,B))#abcd",
        addresses=(ClaimedAddress(ADDRESS, "receive", 7),),
    )
    for statement in (STATEMENT, full):
        assert parse_statement(statement.to_bytes()) == statement
    assert full.digest != STATEMENT.digest


def test_what_is_not_proven_follows_from_disclosure_and_route() -> None:
    assert STATEMENT.not_proven == (*NOT_PROVEN, NOT_PROVEN_WITHOUT_DESCRIPTOR)
    paid = replace(STATEMENT, descriptor="wsh()", proofs=(Proof(ProofKind.PAYMENT, (ADDRESS,), "x"),))
    assert paid.not_proven == (*NOT_PROVEN, NOT_PROVEN_BY_PAYMENT)


@pytest.mark.parametrize("left_out", range(len(NOT_PROVEN) + 1))
def test_a_statement_that_hides_what_it_does_not_prove_is_refused(left_out: int) -> None:
    said: list[JsonValue] = [text for place, text in enumerate(STATEMENT.not_proven) if place != left_out]
    with pytest.raises(InvalidInput) as refused:
        parse_statement(_written({"not_proven": said}))
    assert refused.value.code is Code.MALFORMED_DOCUMENT


COIN: dict[str, JsonValue] = {"outpoint": "12" * 32 + ":1", "value_sats": 5, "address": ADDRESS}
PROOF: dict[str, JsonValue] = {"kind": "bip322", "addresses": [ADDRESS], "text": "smp"}
PLACE: dict[str, JsonValue] = {"address": ADDRESS, "branch": None, "index": None}
WRONG: list[tuple[dict[str, JsonValue], Code]] = [
    ({"total_sats": -1}, Code.MALFORMED_DOCUMENT),
    ({"total_sats": 21_000_000 * 100_000_000 + 1}, Code.AMOUNT_OUT_OF_RANGE),
    ({"vault_id": "CD" * 32}, Code.MALFORMED_DOCUMENT),
    ({"descriptor": ""}, Code.MALFORMED_DOCUMENT),
    ({"descriptor": "x" * 10_001}, Code.MALFORMED_DOCUMENT),
    ({"addresses": [PLACE | {"branch": "receive"}]}, Code.MALFORMED_DOCUMENT),
    ({"addresses": [PLACE | {"branch": "side", "index": 1}]}, Code.MALFORMED_DOCUMENT),
    ({"addresses": [PLACE | {"address": "x\x1b[2J"}]}, Code.MALFORMED_DOCUMENT),
    ({"addresses": [PLACE | {"owner": "x"}]}, Code.UNKNOWN_FIELD),
    ({"coins": [COIN | {"outpoint": "12:1"}]}, Code.MALFORMED_TRANSACTION),
    ({"coins": [COIN | {"value_sats": True}]}, Code.MALFORMED_DOCUMENT),
    ({"proofs": [PROOF | {"kind": "trust-me"}]}, Code.MALFORMED_DOCUMENT),
    ({"proofs": [PROOF | {"addresses": []}]}, Code.MALFORMED_DOCUMENT),
    ({"proofs": [PROOF | {"text": "caf\u00e9"}]}, Code.MALFORMED_DOCUMENT),
    ({"coins": {}}, Code.MALFORMED_DOCUMENT),
    ({"format": "custody-reserves/2"}, Code.UPGRADE_NEEDED),
    ({"format": "custody-challenge/1"}, Code.UNKNOWN_FORMAT),
    ({"signed_by": "me"}, Code.UNKNOWN_FIELD),
]


@pytest.mark.parametrize(("change", "code"), WRONG)
def test_a_wrong_shape_is_refused_by_its_code(change: dict[str, JsonValue], code: Code) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_statement(_written(change))
    assert refused.value.code is code


def test_another_spelling_is_refused() -> None:
    good = STATEMENT.to_bytes()
    for data in (good[:-1], good + b"\n", b" " + good, good.replace(b":", b": ", 1)):
        with pytest.raises(InvalidInput):
            parse_statement(data)


@given(st.binary(max_size=200), st.integers(min_value=0), st.integers(min_value=0, max_value=255))
def test_junk_is_refused_and_what_is_read_is_written_back_to_the_byte(junk: bytes, place: int, value: int) -> None:
    with pytest.raises(CustodyError):
        parse_statement(junk)
    changed = bytearray(STATEMENT.to_bytes())
    changed[place % len(changed)] = value
    try:
        read = parse_statement(bytes(changed))
    except CustodyError:
        return
    assert read.to_bytes() == bytes(changed)
