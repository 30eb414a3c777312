"""Scripts, addresses, text encodings and hashes."""

import hashlib

import pytest

from custody.bitcoin.address import address_of, script_of
from custody.bitcoin.encoding import base58check_encode, segwit_encode
from custody.bitcoin.hashing import hash160, sha256d
from custody.bitcoin.keys import ExtendedKey
from custody.bitcoin.network import Network
from custody.bitcoin.ripemd160 import ripemd160
from custody.bitcoin.script import (
    OutputKind,
    dust_threshold,
    multisig_script,
    output_kind,
    p2wsh_script,
    parse_multisig,
)
from custody.codes import Code
from custody.errors import InvalidInput, SecretRefused
from support.sample_keys import MAIN_KEYS

KEYS = tuple(sorted(ExtendedKey.from_base58(key.rpartition("]")[2], Network.MAIN).public_key for key in MAIN_KEYS))
P2WPKH = bytes.fromhex("0014751e76e8199196d454941c45d1b3a323f1433bd6")
P2PKH = b"\x76\xa9\x14" + P2WPKH[2:] + b"\x88\xac"
P2SH = b"\xa9\x14" + P2WPKH[2:] + b"\x87"


@pytest.mark.parametrize("length", [0, 1, 54, 55, 56, 63, 64, 65, 119, 120, 300])
def test_our_ripemd160_is_openssl_s(length: int) -> None:
    message = bytes(range(256))[:length] * (1 if length < 256 else 2)
    assert ripemd160(message) == hashlib.new("ripemd160", message).digest()


def test_hashes() -> None:
    assert ripemd160(b"abc").hex() == "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"
    assert hash160(KEYS[0]) == hashlib.new("ripemd160", hashlib.sha256(KEYS[0]).digest()).digest()
    assert sha256d(b"") == hashlib.sha256(hashlib.sha256(b"").digest()).digest()


def test_a_multisig_script_is_read_back() -> None:
    assert parse_multisig(multisig_script(2, KEYS)) == (2, KEYS)
    assert multisig_script(2, KEYS)[:2] == b"\x52\x21"
    assert multisig_script(2, KEYS)[-2:] == b"\x53\xae"


@pytest.mark.parametrize(("threshold", "count"), [(0, 3), (4, 3), (-1, 3), (1, 0)])
def test_an_impossible_multisig_is_not_built(threshold: int, count: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        multisig_script(threshold, KEYS[:count])
    assert refused.value.code is Code.SCRIPT_INVALID


@pytest.mark.parametrize(
    "change", ["threshold zero", "threshold above n", "other n", "bad key", "trailing", "cut", "empty", "opcode"]
)
def test_what_is_no_multisig_is_not_read_as_one(change: str) -> None:
    script = multisig_script(2, KEYS)
    changed = {
        "threshold zero": b"\x50" + script[1:],
        "threshold above n": b"\x54" + script[1:],
        "other n": script[:-2] + b"\x54\xae",
        "bad key": script[:2] + b"\x02" + b"\xff" * 32 + script[35:],
        "trailing": script + b"\xae",
        "cut": script[:-1],
        "empty": b"",
        "opcode": script[:-1] + b"\xac",
    }[change]
    assert parse_multisig(changed) is None


@pytest.mark.parametrize(
    ("script", "kind", "dust"),
    [
        (P2PKH, OutputKind.P2PKH, 546),
        (P2SH, OutputKind.P2SH, 540),
        (P2WPKH, OutputKind.P2WPKH, 294),
        (p2wsh_script(b""), OutputKind.P2WSH, 330),
        (b"\x51\x20" + bytes(32), OutputKind.P2TR, 330),
        (bytes.fromhex("51024e73"), OutputKind.ANCHOR, 240),
        (b"\x60\x02\x75\x1e", OutputKind.UNKNOWN_WITNESS, 240),
        (b"\x51\x28" + bytes(40), OutputKind.UNKNOWN_WITNESS, 354),
        (b"\x00\x15" + bytes(21), OutputKind.UNKNOWN_WITNESS, 297),
        (b"\x6a\x04beef", OutputKind.OP_RETURN, 0),
        (b"\x6a", OutputKind.OP_RETURN, 0),
        (multisig_script(1, KEYS[:1]), OutputKind.BARE_MULTISIG, 582),
        (b"", OutputKind.OTHER, 471),
        (b"\x51", OutputKind.OTHER, 474),
        (b"\x51\x29" + bytes(41), OutputKind.OTHER, 600),
        (bytes(10_001), OutputKind.OTHER, 0),
    ],
)
def test_output_kinds_and_bitcoin_core_s_dust_rule(script: bytes, kind: OutputKind, dust: int) -> None:
    assert output_kind(script) is kind
    assert dust_threshold(script) == dust


@pytest.mark.parametrize("network", tuple(Network))
@pytest.mark.parametrize(
    "script", [P2PKH, P2SH, P2WPKH, p2wsh_script(b""), b"\x51\x20" + bytes(32), bytes.fromhex("51024e73")]
)
def test_address_and_script_are_each_other_s(script: bytes, network: Network) -> None:
    address = address_of(script, network)
    assert address is not None
    assert script_of(address, network) == script


@pytest.mark.parametrize(
    "script", [b"", b"\x6a\x01a", multisig_script(2, KEYS), b"\x00\x15" + bytes(21), P2SH[:-1], P2PKH + b"\0"]
)
def test_scripts_without_an_address(script: bytes) -> None:
    assert address_of(script, Network.MAIN) is None


def test_known_addresses() -> None:
    assert address_of(P2WPKH, Network.MAIN) == "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
    assert address_of(bytes.fromhex("51024e73"), Network.MAIN) == "bc1pfeessrawgf"
    assert script_of("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", Network.MAIN) == P2WPKH


@pytest.mark.parametrize("script", [P2PKH, P2SH, P2WPKH])
def test_a17_address_of_another_network(script: bytes) -> None:
    address = address_of(script, Network.MAIN) or ""
    with pytest.raises(InvalidInput) as refused:
        script_of(address, Network.REGTEST)
    assert refused.value.code is Code.NETWORK_MISMATCH


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bc1",
        "1",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4 ",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3T4",
        segwit_encode("ltc", 0, bytes(20)),
        base58check_encode(b"\x30" + bytes(20)),
        base58check_encode(bytes(20)),
        base58check_encode(b""),
        "1" * 5000,
        "é",
    ],
)
def test_text_that_is_no_address(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        script_of(text, Network.MAIN)
    assert refused.value.code is Code.ADDRESS_INVALID


def test_a_private_key_in_an_address_s_place_is_refused_and_not_repeated() -> None:
    wif = base58check_encode(b"\x80" + b"\x07" * 32 + b"\x01")
    with pytest.raises(SecretRefused) as refused:
        script_of(wif, Network.MAIN)
    assert wif[:8] not in refused.value.message
