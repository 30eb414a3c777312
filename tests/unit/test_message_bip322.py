"""BIP 322's simple form for one key: the BIP's own figures, and what is no signature of the key."""

import base64

import pytest

from custody.bitcoin.address import script_of
from custody.bitcoin.bip322 import message_hash, to_sign, to_spend
from custody.bitcoin.message_bip322 import has_simple_form, verify_simple
from custody.bitcoin.network import Network
from custody.bitcoin.script import witness_program
from support.vectors import load_vectors

ADDRESS = "bc1q9vza2e8x573nczrlzms0wvx3gsqjx7vavgkx0l"
KEY = bytes.fromhex("02c7f12003196442943d8588e01aee840423cc54fc1521526a3b85c2b0cbd58872")
EMPTY = (
    "smpAkcwRAIgM2gBAQqvZX15ZiysmKmQpDrG83avLIT492QBzLnQIxYCIBaTpOaD20qRlEylyxFSeEA2ba9YOixpX8z46TSDtS40ASECx/EgAxlkQ"
    "pQ9hYjgGu6EBCPMVPwVIVJqO4XCsMvViHI="
)


def test_the_bips_figures_of_the_empty_message() -> None:
    script = script_of(ADDRESS, Network.MAIN)
    assert message_hash(b"").hex() == "c90c269c4f8fcbe6880f72a721ddfbf1914268a794cbb21cfafee13770ae19f1"
    assert to_spend(b"", script).txid == "c5680aa69bb8d860bf82d4e9cd3504b55dde018de765a91bb566283c545a99a7"
    assert to_sign(b"", script).txid == "1e9654e951a5ba44c8604c4de6c67fd78a27e81dcadcfe1edf638ba3aaebaed6"
    assert verify_simple(KEY, b"", EMPTY)
    assert verify_simple(KEY, b"", EMPTY.removeprefix("smp"))
    assert not verify_simple(KEY, b"x", EMPTY)


def test_every_published_simple_signature_of_a_single_segwit_key() -> None:
    vectors = load_vectors("bip322_message_signing.json")
    verified = 0
    for row in (*vectors["basic"]["simple"], *vectors["generated"]["simple"]):
        for signature in row["bip322_signatures"]:
            key = _last_item(signature)
            if row["type"] == "p2wpkh":
                assert verify_simple(key, row["message"].encode(), signature)
                assert not verify_simple(key, row["message"].encode() + b".", signature)
                verified += 1
            else:
                assert not verify_simple(key, row["message"].encode(), signature)
    assert verified == 5


def test_no_published_error_verifies() -> None:
    vectors = load_vectors("bip322_message_signing.json")
    rows = (*vectors["basic"]["error"], *vectors["generated"]["error"])
    for row in rows:
        program = witness_program(script_of(row["address"], Network.MAIN))
        key = _last_item(row["signature"])
        is_signer = program is not None and len(program[1]) == 20 and _is_key_of(key, program[1])
        assert not (is_signer and verify_simple(key, row["message"].encode(), row["signature"])), row["description"]
    assert len(rows) == 36


def _is_key_of(key: bytes, key_hash: bytes) -> bool:
    from custody.bitcoin.hashing import hash160

    return hash160(key) == key_hash


def _last_item(signature: str) -> bytes:
    try:
        return base64.b64decode(signature[3:] if signature.startswith("smp") else signature)[-33:]
    except ValueError:
        return bytes(33)


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw[:-1],
        lambda raw: raw + b"\0",
        lambda raw: b"\x03" + raw[1:],
        lambda raw: b"",
        lambda raw: raw.replace(b"\x01\x21", b"\x02\x21", 1),
        lambda raw: raw[:-33] + b"\x03" + raw[-32:],
        lambda raw: raw[:10] + bytes([raw[10] ^ 1]) + raw[11:],
    ],
)
def test_a_changed_signature_is_none(change: object) -> None:
    assert callable(change)
    raw = base64.b64decode(EMPTY.removeprefix("smp"))
    changed = base64.b64encode(change(raw)).decode()
    assert not verify_simple(KEY, b"", changed)
    assert not verify_simple(KEY, b"", f"smp{changed}")


def test_other_forms_are_not_the_simple_one() -> None:
    for text in ("", "smp", "fulAgAA", "é", "A" * 88, "smp" + "A" * 88):
        assert not has_simple_form(text)
        assert not verify_simple(KEY, b"", text)
