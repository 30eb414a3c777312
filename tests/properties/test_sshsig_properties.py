"""SSH keys and signatures for any bytes: what holds comes back, one changed byte holds no more, junk is refused."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.documents.sshsig import SshSignature, verify_sshsig
from custody.documents.sshsig_curves import NistCurve, is_on_ed25519, is_on_nist_curve
from custody.documents.sshsig_keys import SshKeyType, SshPublicKey
from custody.errors import CustodyError
from support.ssh import SoftSigner, armor, dearmor, ssh_string, sshsig_blob

key_types = st.sampled_from(list(SshKeyType))
namespaces = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=40)
hashes = st.sampled_from(["sha256", "sha512"])
SEEDS = ("officer", "ann")
seeds = st.sampled_from(SEEDS)
SPACE = "custody-approve/1"


@pytest.fixture(autouse=True, scope="module")
def _rsa_keys_are_made_before_the_clock_runs() -> None:
    for seed in SEEDS:
        assert SoftSigner(SshKeyType.RSA, seed).public


@given(key_types, seeds, st.binary(max_size=300), namespaces, hashes)
def test_any_statement_is_signed_read_and_verified(
    key_type: SshKeyType, seed: str, statement: bytes, namespace: str, hash_name: str
) -> None:
    signer = SoftSigner(key_type, seed)
    armored = signer.sign(statement, namespace=namespace, hash_name=hash_name)
    signature = SshSignature.from_armored(armored)
    assert verify_sshsig(signature, statement, namespace=namespace) == signer.public
    assert signature.to_armored() == armored
    assert SshSignature.from_armored(signature.to_armored()) == signature


@given(key_types, st.data(), st.integers(1, 255))
def test_one_changed_byte_and_the_signature_holds_no_more(key_type: SshKeyType, data: st.DataObject, flip: int) -> None:
    blob = dearmor(SoftSigner(key_type).sign(b"statement", namespace=SPACE))
    at = data.draw(st.integers(0, len(blob) - 1))
    changed = blob[:at] + bytes((blob[at] ^ flip,)) + blob[at + 1 :]
    with pytest.raises(CustodyError):
        verify_sshsig(SshSignature.from_armored(armor(changed)), b"statement", namespace=SPACE)


@pytest.mark.parametrize("key_type", SshKeyType)
def test_each_byte_of_a_signature_counts(key_type: SshKeyType) -> None:
    """Every place once, whatever the examples above happen to draw."""
    blob = dearmor(SoftSigner(key_type).sign(b"statement", namespace=SPACE))
    for at in range(len(blob)):
        changed = blob[:at] + bytes((blob[at] ^ (1 << at % 8),)) + blob[at + 1 :]
        with pytest.raises(CustodyError):
            verify_sshsig(SshSignature.from_armored(armor(changed)), b"statement", namespace=SPACE)


@given(key_types, st.data())
def test_no_piece_of_a_signature_is_one(key_type: SshKeyType, data: st.DataObject) -> None:
    blob = dearmor(SoftSigner(key_type).sign(b"statement", namespace=SPACE))
    end = data.draw(st.integers(0, len(blob) - 1))
    for piece in (blob[:end], blob[end + 1 :], blob + blob[end:]):
        with pytest.raises(CustodyError):
            SshSignature.from_armored(armor(piece))


@given(st.binary(min_size=1, max_size=300), st.binary(min_size=1, max_size=300))
def test_no_other_statement_is_verified(signed: bytes, shown: bytes) -> None:
    signature = SshSignature.from_armored(SoftSigner().sign(signed, namespace=SPACE))
    if signed != shown:
        with pytest.raises(CustodyError):
            verify_sshsig(signature, shown, namespace=SPACE)


def only_refusals(text: str | bytes) -> None:
    try:
        signature = SshSignature.from_armored(text)
    except CustodyError:
        return
    with pytest.raises(CustodyError):
        verify_sshsig(signature, b"never signed", namespace=SPACE)


@given(st.text() | st.binary())
def test_any_text_and_bytes_are_answered_with_a_refusal(junk: str | bytes) -> None:
    only_refusals(junk)


@given(st.binary(max_size=400))
def test_any_bytes_in_armor_are_answered_with_a_refusal(junk: bytes) -> None:
    only_refusals(armor(junk))
    only_refusals(armor(b"SSHSIG\0\0\0\1" + junk))


@given(st.sampled_from([*SshKeyType, "ssh-dss", "x"]), st.lists(st.binary(max_size=80), max_size=5))
def test_any_strings_in_a_key_are_answered_with_a_key_or_a_refusal(name: str, fields: list[bytes]) -> None:
    blob = ssh_string(name) + b"".join(ssh_string(field) for field in fields)
    try:
        key = SshPublicKey.from_blob(blob)
    except CustodyError:
        return
    assert key.blob == blob
    assert SshPublicKey.from_text(key.to_text()) == key


@given(key_types, st.lists(st.binary(max_size=70), max_size=4), st.binary(max_size=9))
def test_any_strings_in_the_inner_signature_are_answered_with_a_refusal(
    key_type: SshKeyType, fields: list[bytes], rest: bytes
) -> None:
    name = "rsa-sha2-512" if key_type is SshKeyType.RSA else key_type
    inner = ssh_string(name) + b"".join(ssh_string(field) for field in fields) + rest
    only_refusals(armor(sshsig_blob(SoftSigner(key_type).key_blob(), inner, SPACE)))


@given(st.text())
def test_any_line_is_answered_with_a_key_or_a_refusal(text: str) -> None:
    for line in (text, f"ssh-ed25519 {text}", f"{SoftSigner().public.to_text()} {text}"):
        try:
            key = SshPublicKey.from_text(line)
        except CustodyError:
            continue
        assert key == SoftSigner().public


@given(key_types, st.data(), st.integers(1, 255))
def test_a_changed_key_is_another_key_or_none(key_type: SshKeyType, data: st.DataObject, flip: int) -> None:
    key = SoftSigner(key_type).public
    at = data.draw(st.integers(0, len(key.blob) - 1))
    changed = key.blob[:at] + bytes((key.blob[at] ^ flip,)) + key.blob[at + 1 :]
    text = f"{key_type} {base64.b64encode(changed).decode()}"
    try:
        other = SshPublicKey.from_text(text)
    except CustodyError:
        return
    assert other != key
    assert other.to_text() == text
    assert other.fingerprint != key.fingerprint


@given(st.binary(max_size=140))
def test_curves_answer_any_bytes(junk: bytes) -> None:
    for curve in NistCurve:
        assert is_on_nist_curve(b"\4" + junk, curve) in (True, False)
    assert is_on_ed25519((junk + bytes(32))[:32]) in (True, False)
