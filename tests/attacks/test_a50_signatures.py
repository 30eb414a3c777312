"""A50 to A56: signatures that are not what they seem. One lie each."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from embit import ec

from custody.bitcoin.amount import Sats
from custody.bitcoin.hashing import sha256
from custody.bitcoin.psbt import PartialSignature, Psbt
from custody.bitcoin.psbt_roles import SpendScript, finalize
from custody.bitcoin.sighash import SegwitV0Hasher
from support.review_cases import (
    COIN,
    assert_refused,
    assert_warned,
    payment,
    run_review,
    sign,
    simulated_vault,
    with_coin,
)

VAULT = simulated_vault()
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def _with_signature(psbt: Psbt, change: Callable[[bytes], bytes]) -> Psbt:
    """Return the PSBT with its first partial signature changed."""
    first, *rest = psbt.inputs[0].partial_signatures
    return with_coin(psbt, partial_signatures=(replace(first, signature=change(first.signature)), *rest))


def test_sound_signatures_are_counted_by_name(tmp_path: Path) -> None:
    answer = assert_warned(tmp_path, sign(payment(VAULT, coins=2), VAULT, 2), VAULT, set())
    assert answer["signing"] == {"threshold": 2, "signed": ["bo"], "missing": 1}


@pytest.mark.parametrize("asked", [0x00, 0x02, 0x03, 0x81, 0x82, 0x83, 0x04, 0x41, 0xFFFFFF01])
def test_a50_sighash_field(tmp_path: Path, asked: int) -> None:
    assert_refused(tmp_path, with_coin(payment(VAULT), sighash_type=asked), VAULT, {"SIGHASH_NOT_ALL@input:0"})


def test_a50_sighash_field_of_all_is_sound(tmp_path: Path) -> None:
    assert_warned(tmp_path, with_coin(payment(VAULT), sighash_type=1), VAULT, set())


@pytest.mark.parametrize("field", [None, 1])
@pytest.mark.parametrize("used", [0x02, 0x03, 0x81, 0x83])
def test_a51_sighash_in_the_signature_only(tmp_path: Path, used: int, field: int | None) -> None:
    psbt = with_coin(sign(payment(VAULT), VAULT, 1, sighash_type=used), sighash_type=field)
    answer = assert_refused(tmp_path, psbt, VAULT, {"SIGHASH_MISMATCH@input:0"})
    assert answer["signing"]["signed"] == []


def test_a52_flipped_bit(tmp_path: Path) -> None:
    def flip(signature: bytes) -> bytes:
        return signature[:20] + bytes([signature[20] ^ 1]) + signature[21:]

    psbt = _with_signature(sign(payment(VAULT), VAULT, 1), flip)
    assert_refused(tmp_path, psbt, VAULT, {"BAD_SIGNATURE@input:0"})


def test_a52_filed_under_another_cosigner(tmp_path: Path) -> None:
    psbt = sign(payment(VAULT), VAULT, 1)
    signed = psbt.inputs[0].partial_signatures[0]
    other = next(label.public_key for label in psbt.inputs[0].derivations if label.public_key != signed.public_key)
    misfiled = with_coin(psbt, partial_signatures=(replace(signed, public_key=other),))
    assert_refused(tmp_path, misfiled, VAULT, {"BAD_SIGNATURE@input:0"})


def test_a52_signatures_of_two_inputs_swapped(tmp_path: Path) -> None:
    psbt = sign(payment(VAULT, coins=2), VAULT, 1)
    first, second = (one.partial_signatures for one in psbt.inputs)
    swapped = with_coin(with_coin(psbt, 0, partial_signatures=second), 1, partial_signatures=first)
    assert_refused(tmp_path, swapped, VAULT, {"BAD_SIGNATURE@input:0", "BAD_SIGNATURE@input:1"})


def test_a53_valid_signature_by_a_stranger(tmp_path: Path) -> None:
    psbt = payment(VAULT)
    stranger = ec.PrivateKey(sha256(b"custody public test key, stranger"))
    one = psbt.inputs[0]
    assert one.witness_script is not None
    digest = SegwitV0Hasher(psbt.unsigned_transaction()).digest(0, one.witness_script, COIN)
    made = PartialSignature(stranger.get_public_key().sec(), stranger.sign(digest).serialize() + b"\x01")
    assert_refused(tmp_path, with_coin(psbt, partial_signatures=(made,)), VAULT, {"SIGNER_NOT_MEMBER@input:0"})


def _split(signature: bytes) -> tuple[int, int]:
    r_end = 4 + signature[3]
    return int.from_bytes(signature[4:r_end], "big"), int.from_bytes(signature[r_end + 2 : -1], "big")


def _der(number: int) -> bytes:
    encoded = number.to_bytes(number.bit_length() // 8 + 1, "big")
    return b"\x02" + bytes([len(encoded)]) + encoded


def test_a54_high_s(tmp_path: Path) -> None:
    def raise_s(signature: bytes) -> bytes:
        r, s = _split(signature)
        body = _der(r) + _der(ORDER - s)
        return b"\x30" + bytes([len(body)]) + body + b"\x01"

    assert_refused(tmp_path, _with_signature(sign(payment(VAULT), VAULT, 1), raise_s), VAULT, {"SIG_NOT_LOW_S@input:0"})


@pytest.mark.parametrize(
    "bend",
    [
        lambda signature: signature[:-1] + b"\x00\x01",
        lambda signature: b"\x30\x81" + signature[1:],
        lambda signature: signature[:2] + b"\x02" + bytes([signature[3] + 1]) + b"\x00" + signature[4:],
        lambda signature: b"\x01",
    ],
    ids=["extra-byte", "long-length", "padded-r", "empty"],
)
def test_a54_not_der(tmp_path: Path, bend: Callable[[bytes], bytes]) -> None:
    psbt = _with_signature(sign(payment(VAULT), VAULT, 1), bend)
    assert_refused(tmp_path, psbt, VAULT, {"SIG_NOT_DER@input:0"})


def test_a55_quorum_is_that_of_the_weakest_input(tmp_path: Path) -> None:
    psbt = sign(sign(payment(VAULT, coins=2), VAULT, 1), VAULT, 2, inputs=[0])
    answer = assert_warned(tmp_path, psbt, VAULT, {"SIGNER_SET_DIFFERS@tx"})
    assert answer["signing"] == {"threshold": 2, "signed": ["ann"], "missing": 1}


def test_a55_different_pairs_on_each_input(tmp_path: Path) -> None:
    psbt = sign(sign(payment(VAULT, coins=2), VAULT, 1, inputs=[0]), VAULT, 2, inputs=[0])
    psbt = sign(sign(psbt, VAULT, 2, inputs=[1]), VAULT, 3, inputs=[1])
    answer = assert_warned(tmp_path, psbt, VAULT, {"SIGNER_SET_DIFFERS@tx"})
    assert answer["signing"] == {"threshold": 2, "signed": ["bo"], "missing": 0}


def _finalized(psbt: Psbt) -> Psbt:
    script = VAULT.deriver.at(0, 3)
    return finalize(psbt, [SpendScript(script.witness_script, Sats(COIN))] * len(psbt.inputs))


def test_a56_sound_final_witness_counts(tmp_path: Path) -> None:
    psbt = _finalized(sign(sign(payment(VAULT), VAULT, 1), VAULT, 3))
    answer = assert_warned(tmp_path, psbt, VAULT, set())
    assert answer["signing"] == {"threshold": 2, "signed": ["ann", "cy"], "missing": 0}


@pytest.mark.parametrize("bend", ["junk", "other-signature", "wrong-script", "script-sig", "one-signature-twice"])
def test_a56_junk_final_witness(tmp_path: Path, bend: str) -> None:
    psbt = _finalized(sign(sign(payment(VAULT), VAULT, 1), VAULT, 3))
    witness = psbt.inputs[0].final_script_witness
    assert witness is not None
    other = _finalized(sign(sign(payment(VAULT, fee=5_000), VAULT, 1), VAULT, 3)).inputs[0].final_script_witness
    assert other is not None
    bent = {
        "junk": {"final_script_witness": (b"junk",)},
        "other-signature": {"final_script_witness": (*witness[:2], other[2], witness[3])},
        "wrong-script": {"final_script_witness": (*witness[:3], VAULT.deriver.at(0, 4).witness_script)},
        "script-sig": {"final_script_sig": b"\x00"},
        "one-signature-twice": {"final_script_witness": (witness[0], witness[1], witness[1], witness[3])},
    }[bend]
    answer = assert_refused(tmp_path, with_coin(psbt, **bent), VAULT, {"BAD_FINAL_WITNESS@input:0"})
    assert answer["signing"]["signed"] == []


def test_signatures_on_a_forged_amount_do_not_verify(tmp_path: Path) -> None:
    psbt = sign(payment(VAULT), VAULT, 1)
    answer = run_review(tmp_path, psbt, VAULT).json
    assert answer["signing"]["signed"] == ["ann"]
    dearer = payment(VAULT, fee=5_000)
    moved = with_coin(dearer, partial_signatures=psbt.inputs[0].partial_signatures)
    assert_refused(tmp_path, moved, VAULT, {"BAD_SIGNATURE@input:0"})
