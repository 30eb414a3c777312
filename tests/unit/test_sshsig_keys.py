"""SSH public keys: what is taken, what is refused and by which code, and that no secret is repeated."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from custody.codes import Code
from custody.documents.sshsig_curves import NistCurve, has_small_order, is_on_ed25519, is_on_nist_curve
from custody.documents.sshsig_keys import EcdsaMaterial, Ed25519Material, RsaMaterial, SshKeyType, SshPublicKey
from custody.errors import CustodyError, InvalidInput, SecretRefused
from support.ssh import SoftSigner, ssh_mpint, ssh_string

ED25519 = SoftSigner(SshKeyType.ED25519).public
LINE = ED25519.to_text()
TYPE, BASE64 = LINE.split()
POINT = ED25519.blob[-32:]

ODD_3072 = (1 << 3071) + 1
"""Long enough and odd; whether it is a product of two primes nobody can tell."""


def rsa_blob(exponent: int, modulus: int) -> bytes:
    return ssh_string("ssh-rsa") + ssh_mpint(exponent) + ssh_mpint(modulus)


def ed25519_blob(point: bytes, key_type: str = "ssh-ed25519", rest: bytes = b"") -> bytes:
    return ssh_string(key_type) + ssh_string(point) + rest


def ecdsa_blob(point: bytes, *, curve: str = "nistp256", key_type: str = "ecdsa-sha2-nistp256") -> bytes:
    return ssh_string(key_type) + ssh_string(curve) + ssh_string(point)


def line_of(blob: bytes, key_type: str) -> str:
    return f"{key_type} {base64.b64encode(blob).decode()}"


def p256_point() -> bytes:
    point = SoftSigner(SshKeyType.ECDSA_P256).public.material
    assert isinstance(point, EcdsaMaterial)
    return point.point


def refusal(blob: bytes) -> Code:
    with pytest.raises(InvalidInput) as refused:
        SshPublicKey.from_blob(blob)
    return refused.value.code


@pytest.mark.parametrize("key_type", SshKeyType)
def test_every_type_is_read_and_written_back(key_type: SshKeyType) -> None:
    key = SoftSigner(key_type).public
    assert key.key_type is key_type
    assert SshPublicKey.from_text(key.to_text()) == key
    assert SshPublicKey.from_text(f"{key.to_text()} ann@office of the treasury\n") == key
    assert SshPublicKey.from_text(f"{key.to_text()}\r\n") == key
    assert key.is_security_key is key_type.startswith("sk-")
    assert key.application == ("ssh:" if key.is_security_key else None)


def test_material_is_what_the_blob_says() -> None:
    assert ED25519.material == Ed25519Material(POINT)
    assert SshPublicKey.from_blob(rsa_blob(65_537, ODD_3072)).material == RsaMaterial(65_537, ODD_3072)
    assert SoftSigner(SshKeyType.SK_ECDSA_P256).public.material != SoftSigner(SshKeyType.ECDSA_P256).public.material


def test_two_keys_are_equal_only_as_a_whole() -> None:
    assert (
        SoftSigner(SshKeyType.SK_ED25519, application="ssh:").public
        != SoftSigner(SshKeyType.SK_ED25519, application="ssh:vault").public
    )
    assert SoftSigner(seed="ann").public != SoftSigner(seed="ben").public


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        TYPE,
        f"{TYPE} ",
        f" {LINE}",
        f"{LINE}\n{LINE}\n",
        f"{LINE}\n\n",
        f"# my key\n{LINE}",
        f"{LINE} comment\x1b[2J",
        f"{LINE} comment\u2028{LINE}",
        f"restrict {LINE}",
        f'from="10.0.0.0/8" {LINE}',
        f'command="/bin/sh",no-pty {LINE}',
        f"ann {LINE}",
        f"{TYPE} {BASE64[:-1]}",
        f"{TYPE} {BASE64}=",
        f"{TYPE} ={BASE64[1:]}",
        f"{TYPE} {BASE64[:20]}={BASE64[21:]}",
        f"{TYPE} {BASE64} {'x' * 17_000}",
        f"ecdsa-sha2-nistp256 {BASE64}",
        "---- BEGIN SSH2 PUBLIC KEY ----",
        f"\ufeff{LINE}",
    ],
)
def test_refuses_what_is_not_one_line_of_a_public_key(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        SshPublicKey.from_text(text)
    assert refused.value.code is Code.SSH_KEY_MALFORMED


def test_refuses_loose_bits_at_the_end_of_base64() -> None:
    point = SoftSigner(SshKeyType.SK_ED25519).public
    key_type, text = point.to_text().split()
    assert text.endswith("Do=")
    with pytest.raises(InvalidInput) as refused:
        SshPublicKey.from_text(f"{key_type} {text[:-2]}p=")
    assert refused.value.code is Code.SSH_KEY_MALFORMED
    assert "canonical" in refused.value.message


@pytest.mark.parametrize(
    "name",
    [
        "ssh-dss",
        "ssh-rsa-cert-v01@openssh.com",
        "ssh-ed25519-cert-v01@openssh.com",
        "sk-ssh-ed25519-cert-v01@openssh.com",
        "webauthn-sk-ecdsa-sha2-nistp256@openssh.com",
        "rsa-sha2-512",
        "ssh-ed448",
        "ecdsa-sha2-nistp192",
        "x509v3-sign-rsa",
    ],
)
def test_refuses_other_types_of_key_and_says_which(name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        SshPublicKey.from_text(f"{name} {BASE64}")
    assert refused.value.code is Code.SSH_KEY_UNSUPPORTED
    assert f"`{name}`" in refused.value.message
    assert refusal(ed25519_blob(POINT, name)) is Code.SSH_KEY_UNSUPPORTED


def _negative_mpint(number: int) -> bytes:
    return ssh_string(ssh_mpint(number)[5:])


MALFORMED_BLOBS = {
    "empty": b"",
    "cut in a length": ED25519.blob[:3],
    "cut in the type": ED25519.blob[:10],
    "cut in the point": ED25519.blob[:-1],
    "no type": ssh_string("") + ED25519.blob[15:],
    "a type with a zero": ssh_string("ssh-ed25519\0") + ED25519.blob[15:],
    "something else than a type": ssh_string("hello") + ED25519.blob[15:],
    "trailing byte": ED25519.blob + b"\0",
    "trailing byte after RSA": rsa_blob(65_537, ODD_3072) + b"\0",
    "short point": ed25519_blob(POINT[:31]),
    "long point": ed25519_blob(POINT + b"\0"),
    "y not below the prime": ed25519_blob((2**255 - 19).to_bytes(32, "little")),
    "x is zero and its sign set": ed25519_blob((1 + 2**255).to_bytes(32, "little")),
    "off the ed25519 curve": ed25519_blob((2).to_bytes(32, "little")),
    "off P-256": ecdsa_blob(p256_point()[:-1] + bytes((p256_point()[-1] ^ 1,))),
    "compressed": ecdsa_blob(b"\2" + p256_point()[1:33]),
    "hybrid": ecdsa_blob(b"\6" + p256_point()[1:]),
    "infinity": ecdsa_blob(b"\0"),
    "no point": ecdsa_blob(b""),
    "zero point": ecdsa_blob(b"\4" + bytes(64)),
    "x not below the prime": ecdsa_blob(b"\4" + b"\xff" * 32 + p256_point()[33:]),
    "another curve's name": ecdsa_blob(p256_point(), curve="nistp384"),
    "another curve's type": ecdsa_blob(p256_point(), key_type="ecdsa-sha2-nistp384"),
    "exponent zero": rsa_blob(0, ODD_3072),
    "modulus zero": rsa_blob(65_537, 0),
    "zero in front of the exponent": ssh_string("ssh-rsa") + ssh_string(b"\0\1\0\1") + ssh_mpint(ODD_3072),
    "zeros in front of the modulus": ssh_string("ssh-rsa")
    + ssh_mpint(65_537)
    + ssh_string(b"\0" + ssh_mpint(ODD_3072)[4:]),
    "zero as a byte": ssh_string("ssh-rsa") + ssh_string(b"\0") + ssh_mpint(ODD_3072),
    "negative modulus": ssh_string("ssh-rsa") + ssh_mpint(65_537) + _negative_mpint(ODD_3072),
    "sk without application": ed25519_blob(POINT, "sk-ssh-ed25519@openssh.com"),
    "sk with an empty application": ed25519_blob(POINT, "sk-ssh-ed25519@openssh.com", ssh_string("")),
    "sk with an unprintable application": ed25519_blob(POINT, "sk-ssh-ed25519@openssh.com", ssh_string("ssh:\x1b")),
    "sk with a long application": ed25519_blob(POINT, "sk-ssh-ed25519@openssh.com", ssh_string("ssh:" + "x" * 252)),
    "sk with a trailing byte": ed25519_blob(POINT, "sk-ssh-ed25519@openssh.com", ssh_string("ssh:") + b"\0"),
    "ed25519 with an application": ed25519_blob(POINT, rest=ssh_string("ssh:")),
}


@pytest.mark.parametrize("name", MALFORMED_BLOBS)
def test_refuses_malformed_blobs(name: str) -> None:
    assert refusal(MALFORMED_BLOBS[name]) is Code.SSH_KEY_MALFORMED


WEAK_BLOBS = {
    "RSA of 3,071 bits": rsa_blob(65_537, (1 << 3070) + 1),
    "RSA of 2,048 bits": rsa_blob(65_537, (1 << 2047) + 1),
    "RSA of 2 bits": rsa_blob(65_537, 3),
    "even modulus": rsa_blob(65_537, 1 << 3071),
    "exponent 1": rsa_blob(1, ODD_3072),
    "exponent 3": rsa_blob(3, ODD_3072),
    "exponent 65,535": rsa_blob(65_535, ODD_3072),
    "even exponent": rsa_blob(65_538, ODD_3072),
    "exponent of 65 bits": rsa_blob(2**64 + 1, ODD_3072),
    "the neutral point": ed25519_blob((1).to_bytes(32, "little")),
    "a point of order 4": ed25519_blob(bytes(32)),
}


@pytest.mark.parametrize("name", WEAK_BLOBS)
def test_refuses_weak_keys(name: str) -> None:
    assert refusal(WEAK_BLOBS[name]) is Code.SSH_KEY_WEAK
    with pytest.raises(InvalidInput) as refused:
        SshPublicKey.from_text(line_of(WEAK_BLOBS[name], "ssh-ed25519" if "point" in name else "ssh-rsa"))
    assert refused.value.code is Code.SSH_KEY_WEAK


def test_rsa_is_taken_from_3072_to_16384_bits() -> None:
    assert SshPublicKey.from_blob(rsa_blob(2**64 - 1, ODD_3072)).key_type is SshKeyType.RSA
    assert SshPublicKey.from_blob(rsa_blob(65_537, (1 << 16_383) + 1)).key_type is SshKeyType.RSA
    assert refusal(rsa_blob(65_537, (1 << 16_384) + 1)) is Code.SSH_KEY_UNSUPPORTED


@pytest.mark.parametrize("application", ["webauthn.example", "https://example.org", "SSH:", "ssh"])
def test_refuses_security_keys_that_were_not_made_for_ssh(application: str) -> None:
    blob = SoftSigner(SshKeyType.SK_ED25519, application=application).key_blob()
    assert refusal(blob) is Code.SSH_KEY_UNSUPPORTED


def test_takes_security_keys_with_a_name_of_their_own() -> None:
    key = SoftSigner(SshKeyType.SK_ECDSA_P256, application="ssh:reserve-ann").public
    assert key.application == "ssh:reserve-ann"


@pytest.mark.parametrize("blob", [SoftSigner(SshKeyType.RSA).key_blob(), ed25519_blob(POINT, "ssh-ed448")])
def test_a_key_built_by_hand_is_checked_too(blob: bytes) -> None:
    with pytest.raises(InvalidInput) as refused:
        SshPublicKey(SshKeyType.ED25519, blob)
    assert refused.value.code is Code.SSH_KEY_MALFORMED
    assert refused.value.message.endswith("its content is not of type `ssh-ed25519`")


OPENSSH_MAGIC = base64.b64encode(b"openssh-key-v1\0" + bytes(40)).decode()
PEM = "-----{} OPENSSH " + "PRIVATE KEY-----"
CANARY = "canary5f1e"


@pytest.mark.parametrize(
    "text",
    [
        "\n".join((PEM.format("BEGIN"), OPENSSH_MAGIC, CANARY, PEM.format("END"), "")),
        f"ssh-ed25519 {OPENSSH_MAGIC} {CANARY}",
        f"{OPENSSH_MAGIC} {CANARY}",
        f"PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nComment: {CANARY}\n",
        f"ssh-dss {OPENSSH_MAGIC} {CANARY}",
    ],
)
def test_a_private_key_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(SecretRefused) as refused:
        SshPublicKey.from_text(text)
    assert refused.value.code is Code.SECRET_MATERIAL
    _assert_silent(refused.value, (CANARY, OPENSSH_MAGIC))


def test_a_private_key_as_bytes_is_refused() -> None:
    text = "\n".join((PEM.format("BEGIN"), CANARY)).encode()
    with pytest.raises(SecretRefused) as refused:
        SshPublicKey.from_blob(text)
    _assert_silent(refused.value, (CANARY,))


def _assert_silent(error: CustodyError, secrets: tuple[str, ...]) -> None:
    told = f"{error.message} {error.advice} {error.details}"
    assert not [secret for secret in secrets if secret in told]


CURVES: dict[NistCurve, ec.EllipticCurve] = {
    NistCurve.P256: ec.SECP256R1(),
    NistCurve.P384: ec.SECP384R1(),
    NistCurve.P521: ec.SECP521R1(),
}


@pytest.mark.parametrize("curve", NistCurve)
@pytest.mark.parametrize("number", [1, 2, 3, 2**200 + 17])
def test_our_equation_knows_the_points_that_cryptography_makes(curve: NistCurve, number: int) -> None:
    public = ec.derive_private_key(number, CURVES[curve]).public_key()
    point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    assert is_on_nist_curve(point, curve)
    assert not any(is_on_nist_curve(point, other) for other in NistCurve if other is not curve)
    for at in (1, len(point) // 2, len(point) - 1):
        assert not is_on_nist_curve(point[:at] + bytes((point[at] ^ 1,)) + point[at + 1 :], curve)


PRIMES = {
    NistCurve.P256: (2**256 - 2**224 + 2**192 + 2**96 - 1, 32),
    NistCurve.P384: (2**384 - 2**128 - 2**96 + 2**32 - 1, 48),
    NistCurve.P521: (2**521 - 1, 66),
}


@pytest.mark.parametrize("curve", NistCurve)
def test_a_coordinate_has_one_form_only(curve: NistCurve) -> None:
    """The same point with the prime added to its x fits the equation, and would be a second text of one key."""
    prime, size = PRIMES[curve]
    square_of = {x: (x**3 - 3 * x + _b_of(curve)) % prime for x in range(1, 20)}
    x, y = next(
        (x, root) for x, y2 in square_of.items() if pow(root := pow(y2, (prime + 1) // 4, prime), 2, prime) == y2
    )
    second = y.to_bytes(size, "big")
    assert is_on_nist_curve(b"\4" + x.to_bytes(size, "big") + second, curve)
    assert not is_on_nist_curve(b"\4" + (x + prime).to_bytes(size, "big") + second, curve)


def _b_of(curve: NistCurve) -> int:
    """Return the b of the equation, by a point that cryptography made."""
    numbers = ec.derive_private_key(1, CURVES[curve]).public_key().public_numbers()
    return numbers.y**2 - numbers.x**3 + 3 * numbers.x


@pytest.mark.parametrize("number", range(20))
def test_our_equation_knows_the_ed25519_points_that_cryptography_makes(number: int) -> None:
    point = ed25519.Ed25519PrivateKey.from_private_bytes(bytes((number,)) * 32).public_key().public_bytes_raw()
    assert is_on_ed25519(point)
    assert not has_small_order(point)


SMALL_ORDER = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
]
"""All eight, in canonical form. Source: Chalkias, Garillot, Nikolaenko, "Taming the many EdDSAs" (2020), table 6a."""

NOT_CANONICAL = [
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]
"""The same points in forms that RFC 8032 refuses. Source: the same paper, table 6b."""


@pytest.mark.parametrize("point", SMALL_ORDER)
def test_points_of_small_order_are_weak_keys(point: str) -> None:
    assert is_on_ed25519(bytes.fromhex(point))
    assert refusal(ed25519_blob(bytes.fromhex(point))) is Code.SSH_KEY_WEAK
    assert refusal(ed25519_blob(bytes.fromhex(point), "sk-ssh-ed25519@openssh.com", ssh_string("ssh:"))) is (
        Code.SSH_KEY_WEAK
    )


@pytest.mark.parametrize("point", NOT_CANONICAL)
def test_points_in_another_form_are_malformed(point: str) -> None:
    assert refusal(ed25519_blob(bytes.fromhex(point))) is Code.SSH_KEY_MALFORMED
