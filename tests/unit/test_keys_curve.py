"""The curve: parsing, tweaking and verifying, with embit as the signer that makes good signatures."""

import hashlib

import pytest
from embit import ec

from custody.bitcoin.curve import PublicKey, is_low_s, is_strict_der, is_valid_public_key, verify_ecdsa
from custody.codes import Code
from custody.errors import InvalidInput

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
GENERATOR = bytes.fromhex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
TWICE_GENERATOR = bytes.fromhex("02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5")
DIGEST = hashlib.sha256(b"what is signed").digest()
SIGNER = ec.PrivateKey(hashlib.sha256(b"a signer of these tests only").digest())
PUBLIC = SIGNER.get_public_key().sec()
SIGNATURE = SIGNER.sign(DIGEST).serialize()


def integers(der: bytes) -> tuple[int, int]:
    r_length = der[3]
    return int.from_bytes(der[4 : 4 + r_length], "big"), int.from_bytes(der[6 + r_length :], "big")


def encode(*values: int) -> bytes:
    parts = b""
    for value in values:
        body = value.to_bytes(value.bit_length() // 8 + 1, "big")
        parts += bytes([2, len(body)]) + body
    return bytes([0x30, len(parts)]) + parts


def test_tweaking_adds_multiples_of_the_generator() -> None:
    assert PublicKey.parse(GENERATOR).tweak_add((1).to_bytes(32, "big")) == TWICE_GENERATOR
    assert PublicKey.parse(GENERATOR).tweak_add(bytes(32)) == GENERATOR


@pytest.mark.parametrize(
    "tweak", [(ORDER - 1).to_bytes(32, "big"), ORDER.to_bytes(32, "big"), b"\xff" * 32, b"", bytes(31)]
)
def test_a_tweak_without_a_sum_is_refused_and_leaves_the_key_as_it_was(tweak: bytes) -> None:
    key = PublicKey.parse(GENERATOR)
    with pytest.raises(InvalidInput):
        key.tweak_add(tweak)
    assert key.tweak_add(bytes(32)) == GENERATOR


@pytest.mark.parametrize(
    "key", [b"", GENERATOR[:-1], GENERATOR + b"\0", b"\x04" + GENERATOR[1:], b"\x02" + b"\xff" * 32, bytes(33)]
)
def test_what_is_no_compressed_point_is_refused(key: bytes) -> None:
    assert not is_valid_public_key(key)
    with pytest.raises(InvalidInput) as refused:
        PublicKey.parse(key)
    assert refused.value.code is Code.INVALID_PUBLIC_KEY


def test_a_good_signature_verifies_and_any_change_of_it_does_not() -> None:
    assert verify_ecdsa(PUBLIC, DIGEST, SIGNATURE)
    assert not verify_ecdsa(GENERATOR, DIGEST, SIGNATURE)
    assert not verify_ecdsa(PUBLIC, hashlib.sha256(DIGEST).digest(), SIGNATURE)
    for position in range(len(SIGNATURE)):
        changed = bytearray(SIGNATURE)
        changed[position] ^= 1
        assert not verify_ecdsa(PUBLIC, DIGEST, bytes(changed))


def test_a_high_s_is_strict_der_but_refused() -> None:
    r, s = integers(SIGNATURE)
    high = encode(r, ORDER - s)
    assert encode(r, s) == SIGNATURE
    assert is_strict_der(high)
    assert not is_low_s(high)
    assert not verify_ecdsa(PUBLIC, DIGEST, high)


def test_junk_is_false_and_never_an_error() -> None:
    junk = [
        b"",
        b"\x30",
        b"\x30\x00",
        bytes(72),
        b"\xff" * 72,
        SIGNATURE + b"\x01",
        SIGNATURE[:-1],
        b"\x30\x06\x02\x01\x00\x02\x01\x00",
    ]
    for der in junk:
        assert not verify_ecdsa(PUBLIC, DIGEST, der)
    assert not verify_ecdsa(PUBLIC, DIGEST[:-1], SIGNATURE)
    assert not verify_ecdsa(b"", DIGEST, SIGNATURE)


@pytest.mark.parametrize(
    "der",
    [
        "30060201010201",  # cut off
        "3007020101020101",  # outer length too large
        "3005020101020101",  # outer length too small
        "310602010102010101",  # not a sequence
        "3006030101020101",  # r is no integer
        "3006020101030101",  # s is no integer
        "30050200020101",  # r is empty
        "30050201010200",  # s is empty
        "3006020181020101",  # r is negative
        "3006020101020181",  # s is negative
        "300702020001020101",  # r is padded
        "300702010102020001",  # s is padded
        "3006024101020101",  # r runs over the end
        "300602010102010100",  # trailing byte
        "30818602010102010100",  # long length
    ],
)
def test_der_that_is_not_strict(der: str) -> None:
    assert not is_strict_der(bytes.fromhex(der))


def test_the_smallest_strict_der() -> None:
    assert is_strict_der(bytes.fromhex("3006020101020101"))
    assert is_low_s(bytes.fromhex("3006020101020101"))
