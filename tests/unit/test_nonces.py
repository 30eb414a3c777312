"""Nonces that give a key away, found in what the journal recorded; what is no signature is passed over."""

import pytest

from custody.audit.nonces import SMALL_BITS, nonce_findings
from custody.codes import Code
from support.ledger import OUTSIDE, Ledger
from support.psbt_builder import der_signature
from support.vaults import make_vault

R, OTHER_R = (1 << 250) + 7, (1 << 251) + 9


def ledger_with(*signatures: tuple[int, int, bytes]) -> Ledger:
    """Return a vault with one payment of two coins, and these claims: input, cosigner's number, signature."""
    ledger = Ledger(make_vault())
    ledger.issue(0)
    ledger.receive(1_000_000, 1_000_001)
    proposal_id = ledger.propose(ledger.draft((OUTSIDE, 1_900_000)))
    psbt = ledger.state.proposals[proposal_id].psbt
    rows = []
    for number, cosigner, signature in signatures:
        fingerprint = ledger.vault.cosigners[cosigner].fingerprint
        key = next(d.public_key for d in psbt.inputs[number].derivations if d.origin.fingerprint == fingerprint)
        rows.append({"input": number, "public_key": key.hex(), "signature": signature.hex()})
    ledger.add("signatures_added", {"proposal_id": proposal_id, "source": "file", "signatures": rows})
    return ledger


def found(*signatures: tuple[int, int, bytes]) -> list[tuple[Code, str]]:
    ledger = ledger_with(*signatures)
    return [(one.code, one.where) for one in nonce_findings(ledger.state, ledger.vault)]


def signature(r: int, s: int) -> bytes:
    return der_signature(r, s) + b"\x01"


def test_nonces_of_their_own_are_fine() -> None:
    assert found((0, 0, signature(R, 5)), (1, 0, signature(OTHER_R, 5)), (0, 1, signature(OTHER_R + 1, 6))) == []


def test_one_nonce_on_two_inputs_is_found() -> None:
    assert found((0, 0, signature(R, 5)), (1, 0, signature(R, 6))) == [(Code.NONCE_REPEATED, "cosigner:ann")]


def test_one_nonce_of_two_keys_names_both() -> None:
    ledger = ledger_with((0, 0, signature(R, 5)), (0, 1, signature(R, 6)))
    (finding,) = nonce_findings(ledger.state, ledger.vault)
    assert finding.message.startswith("ann, bo signed twice with one nonce")


def test_the_nonce_is_found_across_payments() -> None:
    ledger = ledger_with((0, 0, signature(R, 5)))
    ledger.receive(2_000_000)
    second = ledger.propose(ledger.draft((OUTSIDE, 1_800_000)))
    key = ledger.state.proposals[second].psbt.inputs[0].derivations[0].public_key
    row = {"input": 0, "public_key": key.hex(), "signature": signature(R, 9).hex()}
    ledger.add("signatures_added", {"proposal_id": second, "source": "file", "signatures": [row]})
    assert [one.code for one in nonce_findings(ledger.state, ledger.vault)] == [Code.NONCE_REPEATED]


@pytest.mark.parametrize(("bits", "expected"), [(SMALL_BITS, [Code.NONCE_SUSPICIOUS]), (SMALL_BITS + 1, [])])
def test_a_nonce_is_small_up_to_the_limit(bits: int, expected: list[Code]) -> None:
    assert [code for code, _where in found((0, 0, signature(1 << (bits - 1), 5)))] == expected


@pytest.mark.parametrize(
    "claim",
    [
        b"",
        b"\x01",
        b"\x30\x06\x02\x01\x05\x02\x01\x05",
        b"\x31\x06\x02\x01\x05\x02\x01\x05\x01",
        b"\x30\x07\x02\x01\x05\x02\x01\x05\x01",
        b"\x30\x06\x02\x09\x05\x02\x01\x05\x01",
        b"\x30\x06\x03\x01\x05\x02\x01\x05\x01",
        b"\x30\x07\x02\x01\x05\x02\x01\x05\x00\x01",
        b"\xff" * 72,
    ],
)
def test_what_is_no_signature_is_passed_over(claim: bytes) -> None:
    assert found((0, 0, claim), (1, 0, claim)) == []
