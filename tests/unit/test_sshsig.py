"""SSHSIG signatures: every check by a signature in which only that check fails."""

import base64

import pytest

from custody.codes import Code
from custody.documents.sshsig import SshHash, SshSignature, verify_sshsig
from custody.documents.sshsig_crypto import holds
from custody.documents.sshsig_inner import EcdsaValue, InnerSignature, SignatureAlgorithm, TokenReport
from custody.documents.sshsig_keys import SshKeyType
from custody.errors import CheckFailed, InvalidInput, SecretRefused
from support.ssh import BEGIN, END, SoftSigner, armor, dearmor, ssh_mpint, ssh_string, sshsig_blob, u32

STATEMENT = b"custody-approve/1\namount 150000000 sat\n"
SPACE = "custody-approve/1"
ANN = SoftSigner(SshKeyType.ED25519, "ann")
BEN = SoftSigner(SshKeyType.ED25519, "ben")
P256 = SoftSigner(SshKeyType.ECDSA_P256)
RSA = SoftSigner(SshKeyType.RSA)
TOKEN = SoftSigner(SshKeyType.SK_ED25519)
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493


def read(armored: str | bytes) -> SshSignature:
    return SshSignature.from_armored(armored)


def refusal(armored: str | bytes) -> Code:
    with pytest.raises(InvalidInput) as refused:
        read(armored)
    return refused.value.code


def failure(armored: str, *, statement: bytes = STATEMENT, namespace: str = SPACE) -> Code:
    with pytest.raises(CheckFailed) as failed:
        verify_sshsig(read(armored), statement, namespace=namespace)
    return failed.value.code


def with_inner(signer: SoftSigner, inner: bytes, *, namespace: str = SPACE) -> str:
    return armor(sshsig_blob(signer.key_blob(), inner, namespace))


@pytest.mark.parametrize("hash_name", SshHash)
@pytest.mark.parametrize("key_type", SshKeyType)
def test_returns_the_key_that_signed(key_type: SshKeyType, hash_name: SshHash) -> None:
    signer = SoftSigner(key_type)
    armored = signer.sign(STATEMENT, namespace=SPACE, hash_name=hash_name)
    signature = read(armored)
    assert verify_sshsig(signature, STATEMENT, namespace=SPACE) == signer.public
    assert (signature.namespace, signature.hash_algorithm, signature.key) == (SPACE, hash_name, signer.public)
    assert signature.to_armored() == armored


@pytest.mark.parametrize("key_type", SshKeyType)
def test_refuses_another_statement(key_type: SshKeyType) -> None:
    armored = SoftSigner(key_type).sign(STATEMENT, namespace=SPACE)
    assert failure(armored, statement=STATEMENT + b"\n") is Code.SSHSIG_INVALID
    assert failure(armored, statement=b"") is Code.SSHSIG_INVALID


@pytest.mark.parametrize("key_type", SshKeyType)
def test_refuses_the_key_of_somebody_else(key_type: SshKeyType) -> None:
    ann, ben = SoftSigner(key_type, "ann"), SoftSigner(key_type, "ben")
    claimed = with_inner(ben, ann.inner(ann.wrapped(STATEMENT, SPACE)))
    assert failure(claimed) is Code.SSHSIG_INVALID


def test_refuses_a_signature_for_another_purpose() -> None:
    armored = ANN.sign(STATEMENT, namespace="custody-reject/1")
    assert failure(armored) is Code.SSHSIG_NAMESPACE
    assert failure(ANN.sign(STATEMENT, namespace=f"{SPACE} ")) is Code.SSHSIG_NAMESPACE
    assert failure(ANN.sign(STATEMENT, namespace=SPACE), namespace="") is Code.SSHSIG_NAMESPACE


def test_refuses_a_claimed_purpose_that_was_not_signed() -> None:
    assert failure(with_inner(ANN, ANN.inner(ANN.wrapped(STATEMENT, "file")))) is Code.SSHSIG_INVALID


def test_refuses_a_claimed_hash_that_was_not_signed() -> None:
    inner = ANN.inner(ANN.wrapped(STATEMENT, SPACE, hash_name="sha256"))
    assert failure(armor(sshsig_blob(ANN.key_blob(), inner, SPACE, hash_name="sha512"))) is Code.SSHSIG_INVALID


def test_refuses_a_signature_over_the_bare_statement() -> None:
    """What SSH itself or git signs is not an SSHSIG: the wrapper is part of what counts."""
    assert failure(with_inner(ANN, ANN.inner(STATEMENT))) is Code.SSHSIG_INVALID


@pytest.mark.parametrize("name", ["md5", "sha1", "sha384", "SHA512", "sha512 "])
def test_refuses_other_hashes(name: str) -> None:
    inner = ANN.inner(ANN.wrapped(STATEMENT, SPACE))
    assert refusal(armor(sshsig_blob(ANN.key_blob(), inner, SPACE, hash_name=name))) is Code.SSHSIG_UNSUPPORTED


@pytest.mark.parametrize("version", [0, 2, 2**32 - 1])
def test_refuses_other_versions(version: int) -> None:
    inner = ANN.inner(ANN.wrapped(STATEMENT, SPACE))
    assert refusal(armor(sshsig_blob(ANN.key_blob(), inner, SPACE, version=version))) is Code.SSHSIG_UNSUPPORTED


def test_refuses_content_in_the_reserved_field() -> None:
    inner = ANN.inner(ANN.wrapped(STATEMENT, SPACE))
    assert refusal(armor(sshsig_blob(ANN.key_blob(), inner, SPACE, reserved=b"x"))) is Code.SSHSIG_UNSUPPORTED


def test_refuses_rsa_with_sha1() -> None:
    inner = RSA.inner(RSA.wrapped(STATEMENT, SPACE), algorithm="ssh-rsa")
    assert refusal(with_inner(RSA, inner)) is Code.SSHSIG_UNSUPPORTED


def test_takes_rsa_with_either_sha2() -> None:
    for algorithm in ("rsa-sha2-256", "rsa-sha2-512"):
        inner = RSA.inner(RSA.wrapped(STATEMENT, SPACE), algorithm=algorithm)
        assert verify_sshsig(read(with_inner(RSA, inner)), STATEMENT, namespace=SPACE) == RSA.public


def test_refuses_rsa_under_the_name_of_the_other_hash() -> None:
    inner = RSA.inner(RSA.wrapped(STATEMENT, SPACE), algorithm="rsa-sha2-256")
    renamed = ssh_string("rsa-sha2-512") + inner[len(ssh_string("rsa-sha2-256")) :]
    assert failure(with_inner(RSA, renamed)) is Code.SSHSIG_INVALID


@pytest.mark.parametrize(
    "algorithm",
    ["webauthn-sk-ecdsa-sha2-nistp256@openssh.com", "ssh-dss", "ssh-ed25519-cert-v01@openssh.com", "ssh-ed448"],
)
def test_refuses_unknown_algorithms_and_says_which(algorithm: str) -> None:
    inner = ANN.inner(ANN.wrapped(STATEMENT, SPACE), algorithm=algorithm)
    with pytest.raises(InvalidInput) as refused:
        read(with_inner(ANN, inner))
    assert refused.value.code is Code.SSHSIG_UNSUPPORTED
    assert f"`{algorithm}`" in refused.value.message


@pytest.mark.parametrize("key_type", SshKeyType)
@pytest.mark.parametrize("other", SshKeyType)
def test_refuses_the_algorithm_of_another_type_of_key(key_type: SshKeyType, other: SshKeyType) -> None:
    if key_type is not other:
        signer = SoftSigner(other)
        inner = signer.inner(signer.wrapped(STATEMENT, SPACE))
        assert refusal(with_inner(SoftSigner(key_type), inner)) is Code.SSHSIG_MALFORMED


@pytest.mark.parametrize("key_type", [SshKeyType.SK_ED25519, SshKeyType.SK_ECDSA_P256])
def test_demands_a_touch_of_security_keys(key_type: SshKeyType) -> None:
    assert failure(SoftSigner(key_type, flags=0).sign(STATEMENT, namespace=SPACE)) is Code.SSHSIG_NO_PRESENCE
    assert failure(SoftSigner(key_type, flags=4).sign(STATEMENT, namespace=SPACE)) is Code.SSHSIG_NO_PRESENCE
    verified = SoftSigner(key_type, flags=5, counter=2**32 - 1)
    signature = read(verified.sign(STATEMENT, namespace=SPACE))
    assert verify_sshsig(signature, STATEMENT, namespace=SPACE) == verified.public
    assert signature.inner.report == TokenReport(flags=5, counter=2**32 - 1)


@pytest.mark.parametrize("flags", [0x03, 0x09, 0x11, 0x21, 0x41, 0x81, 0xFF])
def test_refuses_flags_of_security_keys_that_are_unknown(flags: int) -> None:
    signature = read(SoftSigner(SshKeyType.SK_ED25519, flags=flags).sign(STATEMENT, namespace=SPACE))
    with pytest.raises(InvalidInput) as refused:
        verify_sshsig(signature, STATEMENT, namespace=SPACE)
    assert refused.value.code is Code.SSHSIG_UNSUPPORTED


def test_a_touch_can_not_be_claimed_afterwards() -> None:
    untouched = SoftSigner(SshKeyType.SK_ED25519, flags=0)
    inner = untouched.inner(untouched.wrapped(STATEMENT, SPACE))
    claimed = inner[:-5] + b"\1" + inner[-4:]
    assert failure(with_inner(untouched, claimed)) is Code.SSHSIG_INVALID


def test_counter_and_application_are_covered_by_the_signature() -> None:
    inner = TOKEN.inner(TOKEN.wrapped(STATEMENT, SPACE))
    assert failure(with_inner(TOKEN, inner[:-4] + u32(8))) is Code.SSHSIG_INVALID
    other = SoftSigner(SshKeyType.SK_ED25519, application="ssh:other")
    assert failure(with_inner(other, inner)) is Code.SSHSIG_INVALID


def test_a_token_is_not_the_same_key_without_its_token() -> None:
    """The same point as an ordinary key: its signature lacks the token's wrapper."""
    plain = SoftSigner(SshKeyType.ED25519, TOKEN.seed)
    value = plain.inner(plain.wrapped(STATEMENT, SPACE))[len(ssh_string("ssh-ed25519")) :]
    inner = ssh_string(SshKeyType.SK_ED25519) + value + b"\1" + u32(7)
    assert failure(with_inner(TOKEN, inner)) is Code.SSHSIG_INVALID


def test_refuses_ed25519_with_a_number_above_the_order() -> None:
    """RFC 8032, section 5.1.7: or every signature would have a twin."""
    inner = ANN.inner(ANN.wrapped(STATEMENT, SPACE))
    number = int.from_bytes(inner[-32:], "little") + ED25519_ORDER
    assert failure(with_inner(ANN, inner[:-32] + number.to_bytes(32, "little"))) is Code.SSHSIG_INVALID


def test_the_twin_of_an_ecdsa_signature_is_by_the_same_key() -> None:
    """As in OpenSSH: s may be high. So nothing may rest on a signature's bytes."""
    value = read(P256.sign(STATEMENT, namespace=SPACE)).inner.value
    assert isinstance(value, EcdsaValue)
    twin = ssh_mpint(value.r) + ssh_mpint(P256_ORDER - value.s)
    armored = with_inner(P256, ssh_string(P256.key_type) + ssh_string(twin))
    assert verify_sshsig(read(armored), STATEMENT, namespace=SPACE) == P256.public


@pytest.mark.parametrize(("r", "s"), [(1, 1), (P256_ORDER, 1), (1, P256_ORDER), (2**256, 1), (1, 2**9000)])
def test_ecdsa_numbers_out_of_range_are_no_signature(r: int, s: int) -> None:
    numbers = ssh_mpint(r) + ssh_mpint(s)
    assert failure(with_inner(P256, ssh_string(P256.key_type) + ssh_string(numbers))) is Code.SSHSIG_INVALID


def _ecdsa(numbers: bytes) -> bytes:
    return ssh_string(P256.key_type) + ssh_string(numbers)


def _ed25519(value: bytes) -> bytes:
    return ssh_string(ANN.key_type) + ssh_string(value)


_RSA_INNER = RSA.inner(RSA.wrapped(STATEMENT, SPACE))
_RSA_HEAD, _RSA_VALUE = ssh_string("rsa-sha2-512"), _RSA_INNER[-384:]

MALFORMED_INNER = {
    "empty": (ANN, b""),
    "no value": (ANN, ssh_string("ssh-ed25519")),
    "short value": (ANN, _ed25519(bytes(63))),
    "long value": (ANN, _ed25519(bytes(65))),
    "trailing byte": (ANN, _ed25519(bytes(64)) + b"\0"),
    "a report of a token that isn't one": (ANN, _ed25519(bytes(64)) + b"\1" + u32(7)),
    "token without report": (TOKEN, ssh_string(TOKEN.key_type) + ssh_string(bytes(64))),
    "token with half a counter": (TOKEN, ssh_string(TOKEN.key_type) + ssh_string(bytes(64)) + b"\1\0\0"),
    "token with extensions": (TOKEN, ssh_string(TOKEN.key_type) + ssh_string(bytes(64)) + b"\1" + u32(7) + b"x"),
    "r alone": (P256, _ecdsa(ssh_mpint(5))),
    "three numbers": (P256, _ecdsa(ssh_mpint(5) * 3)),
    "r is zero": (P256, _ecdsa(ssh_mpint(0) + ssh_mpint(5))),
    "s is zero": (P256, _ecdsa(ssh_mpint(5) + ssh_mpint(0))),
    "s is negative": (P256, _ecdsa(ssh_mpint(5) + ssh_string(b"\x80"))),
    "zero in front of r": (P256, _ecdsa(ssh_string(b"\0\5") + ssh_mpint(5))),
    "DER": (P256, _ecdsa(bytes.fromhex("3006020105020105"))),
    "RSA a byte short": (RSA, _RSA_HEAD + ssh_string(_RSA_VALUE[1:])),
    "RSA with a zero in front": (RSA, _RSA_HEAD + ssh_string(b"\0" + _RSA_VALUE)),
    "RSA with a trailing byte": (RSA, _RSA_INNER + b"\0"),
}


@pytest.mark.parametrize("name", MALFORMED_INNER)
def test_refuses_malformed_inner_signatures(name: str) -> None:
    signer, inner = MALFORMED_INNER[name]
    assert refusal(with_inner(signer, inner)) is Code.SSHSIG_MALFORMED


@pytest.mark.parametrize("namespace", ["", "a\0b", "naïve", "a\nb", "x" * 256])
def test_refuses_namespaces_that_are_not_printable(namespace: str) -> None:
    assert refusal(ANN.sign(STATEMENT, namespace=namespace)) is Code.SSHSIG_MALFORMED


def test_the_key_inside_is_checked_like_any_other() -> None:
    certificate = ssh_string("ssh-ed25519-cert-v01@openssh.com") + bytes(200)
    inner = ANN.inner(ANN.wrapped(STATEMENT, SPACE))
    assert refusal(armor(sshsig_blob(certificate, inner, SPACE))) is Code.SSH_KEY_UNSUPPORTED
    weak = ssh_string("ssh-ed25519") + ssh_string(bytes(32))
    assert refusal(armor(sshsig_blob(weak, inner, SPACE))) is Code.SSH_KEY_WEAK
    assert refusal(armor(sshsig_blob(b"", inner, SPACE))) is Code.SSH_KEY_MALFORMED


ARMORED = ANN.sign(STATEMENT, namespace=SPACE)
BODY = ARMORED.splitlines()[1:-1]


def test_reads_either_line_end_any_width_text_and_bytes() -> None:
    wanted = read(ARMORED)
    assert read(ARMORED.replace("\n", "\r\n")) == wanted
    assert read(ARMORED.removesuffix("\n")) == wanted
    assert read(ARMORED.encode()) == wanted
    narrow = "\n".join("".join(BODY)[start : start + 8] for start in range(0, len("".join(BODY)), 8))
    assert read(f"{BEGIN}\n{narrow}\n{END}\n") == wanted
    assert read(f"{BEGIN}\n{''.join(BODY)}\n{END}\n") == wanted


LINES = "\n".join(BODY)
MALFORMED_ARMOR = {
    "empty": "",
    "no header": f"{LINES}\n{END}\n",
    "no footer": f"{BEGIN}\n{LINES}\n",
    "no content": f"{BEGIN}\n{END}\n",
    "an empty line": f"{BEGIN}\n\n{LINES}\n{END}\n",
    "text before": f"hello\n{ARMORED}",
    "a space before": f" {ARMORED}",
    "text after": f"{ARMORED}hello\n",
    "a word after": f"{ARMORED}hello",
    "a space after the footer": f"{ARMORED.removesuffix(chr(10))} ",
    "an empty line after": f"{ARMORED}\n",
    "two blocks": ARMORED * 2,
    "header and content on one line": f"{BEGIN}{LINES}\n{END}\n",
    "footer on the last line": f"{BEGIN}\n{LINES}{END}\n",
    "spaces in a line": f"{BEGIN}\n{BODY[0]} \n{END}\n",
    "a header of PGP": ARMORED.replace("SSH", "PGP"),
    "a key of PEM": f"{BEGIN}\nVersion: 1\n{LINES}\n{END}\n",
    "carriage returns alone": ARMORED.replace("\n", "\r"),
    "padding missing": armor(dearmor(ARMORED)[:-1]).replace("=", ""),
    "base64 of web addresses": f"{BEGIN}\n{LINES}-_\n{END}\n",
    "not ASCII": ARMORED.replace("U1NI", "Ü1NI"),
    "another beginning": armor(b"SSHSIK" + dearmor(ARMORED)[6:]),
    "nothing after the beginning": armor(b"SSHSIG"),
    "cut": armor(dearmor(ARMORED)[:-1]),
    "trailing byte": armor(dearmor(ARMORED) + b"\0"),
    "huge length": armor(dearmor(ARMORED)[:10] + b"\xff\xff\xff\xff" + dearmor(ARMORED)[14:]),
}


@pytest.mark.parametrize("name", MALFORMED_ARMOR)
def test_refuses_malformed_armor(name: str) -> None:
    assert refusal(MALFORMED_ARMOR[name]) is Code.SSHSIG_MALFORMED
    assert refusal(MALFORMED_ARMOR[name].encode()) is Code.SSHSIG_MALFORMED


def test_refuses_what_is_longer_than_any_signature_before_it_is_read() -> None:
    inner = ssh_string("ssh-ed25519") + ssh_string(bytes(25_000))
    with pytest.raises(InvalidInput) as refused:
        read(with_inner(ANN, inner))
    assert refused.value.code is Code.SSHSIG_MALFORMED
    assert refused.value.message.endswith("it is longer than 32,768 bytes")


def test_refuses_loose_bits_at_the_end_of_base64() -> None:
    armored = next(
        text
        for end in range(3)
        if (text := SoftSigner(seed=f"{end}").sign(b"", namespace="a" * end + "b")).find("=") > 0
    )
    at = armored.index("=") - 1
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    loose = armored[:at] + alphabet[alphabet.index(armored[at]) + 1] + armored[at + 1 :]
    assert base64.b64decode("".join(loose.splitlines()[1:-1])) == dearmor(armored)
    assert refusal(loose) is Code.SSHSIG_MALFORMED


def test_a_private_key_in_place_of_a_signature_is_refused_and_not_repeated() -> None:
    text = "-----BEGIN OPENSSH " + "PRIVATE KEY-----\ncanary5f1e\n"
    for given in (text, text.encode()):
        with pytest.raises(SecretRefused) as refused:
            read(given)
        assert refused.value.code is Code.SECRET_MATERIAL
        assert "canary5f1e" not in f"{refused.value.message} {refused.value.advice}"


def test_a_signature_built_by_hand_is_checked_too() -> None:
    inner = read(ARMORED).inner
    with pytest.raises(InvalidInput):
        SshSignature(ANN.public, "", SshHash.SHA512, inner)
    with pytest.raises(InvalidInput):
        SshSignature(P256.public, SPACE, SshHash.SHA512, inner)
    numbers = InnerSignature(SignatureAlgorithm.ED25519, EcdsaValue(2**222, 2**222), None)
    assert len(numbers.to_blob()) == len(inner.to_blob())
    with pytest.raises(InvalidInput) as refused:
        SshSignature(ANN.public, SPACE, SshHash.SHA512, numbers)
    assert refused.value.code is Code.SSHSIG_MALFORMED
    assert not holds(ANN.public.material, numbers, STATEMENT)


def test_the_largest_rsa_key_is_answered_and_not_an_error() -> None:
    modulus = (1 << 16_383) + 1
    key = ssh_string("ssh-rsa") + ssh_mpint(2**64 - 1) + ssh_mpint(modulus)
    for value in (bytes(2048), b"\xff" * 2048):
        inner = ssh_string("rsa-sha2-512") + ssh_string(value)
        assert failure(armor(sshsig_blob(key, inner, SPACE))) is Code.SSHSIG_INVALID
