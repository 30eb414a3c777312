"""SSH public keys of officers, read strictly: one key, one text, one fingerprint.

A key that is accepted can be verified against: its point is on its curve, its modulus and
exponent are sound. Nothing private is ever read, and what looks private is refused without
being repeated. Refused on purpose: certificates (they bring a second authority), DSA, short
RSA, and security keys of web sites. A key says nothing about whose it is.
Source: RFC 4253, section 6.6 (ssh-rsa, the public key line's blob); RFC 5656, section 3.1
(ecdsa-sha2); RFC 8709, section 4 (ssh-ed25519); OpenSSH PROTOCOL.u2f (sk- keys).
"""

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TypeAlias

from custody.codes import Code
from custody.documents.secret_gate import scan_bytes, scan_text
from custody.documents.sshsig_curves import NistCurve, has_small_order, is_on_ed25519, is_on_nist_curve
from custody.documents.sshsig_wire import WireReader, decode_base64, encode_base64
from custody.errors import InvalidInput

MIN_RSA_BITS = 3_072
"""NIST SP 800-57, part 1: 128 bits of strength."""
MAX_RSA_BITS = 16_384
"""What OpenSSL verifies at most."""

_MAX_TEXT = 16_384
"""Characters of a line; the longest RSA key has about 2,800."""
_ED25519_BYTES = 32
_SMALLEST_EXPONENT = 2**16 + 1
_EXPONENT_LIMIT = 2**64
_WHAT = "the SSH public key"

_LINE = re.compile(r"([!-~]+)[ \t]+([A-Za-z0-9+/=]+)(?:[ \t]+([^\r\n]*))?(?:\r?\n)?")
_TYPE_NAME = re.compile(r"(?:webauthn-)?(?:sk-)?(?:ssh|ecdsa|rsa|x509v3)-[a-z0-9@.-]{1,60}")
"""What can only be the name of a key's type, known here or not."""


class SshKeyType(StrEnum):
    """The types of key that may sign statements, by their names in SSH."""

    ED25519 = "ssh-ed25519"
    ECDSA_P256 = "ecdsa-sha2-nistp256"
    ECDSA_P384 = "ecdsa-sha2-nistp384"
    ECDSA_P521 = "ecdsa-sha2-nistp521"
    RSA = "ssh-rsa"
    """The key's type only: its signatures must be rsa-sha2-256 or rsa-sha2-512 (RFC 8332)."""
    SK_ED25519 = "sk-ssh-ed25519@openssh.com"
    SK_ECDSA_P256 = "sk-ecdsa-sha2-nistp256@openssh.com"


@dataclass(frozen=True, slots=True)
class Ed25519Material:
    """A point of edwards25519, not one of small order."""

    point: bytes
    """32 bytes (RFC 8032)."""


@dataclass(frozen=True, slots=True)
class EcdsaMaterial:
    """A point of a NIST curve."""

    curve: NistCurve
    point: bytes
    """Uncompressed: 4, x, y."""


@dataclass(frozen=True, slots=True)
class RsaMaterial:
    """An RSA key of 3,072 to 16,384 bits."""

    exponent: int
    modulus: int


KeyMaterial: TypeAlias = Ed25519Material | EcdsaMaterial | RsaMaterial

_CURVES = {
    SshKeyType.ECDSA_P256: NistCurve.P256,
    SshKeyType.ECDSA_P384: NistCurve.P384,
    SshKeyType.ECDSA_P521: NistCurve.P521,
    SshKeyType.SK_ECDSA_P256: NistCurve.P256,
}
_SECURITY_KEYS = frozenset((SshKeyType.SK_ED25519, SshKeyType.SK_ECDSA_P256))


@dataclass(frozen=True, slots=True)
class SshPublicKey:
    """A public key that may sign statements. Two are equal when every byte of their blobs is."""

    key_type: SshKeyType
    blob: bytes
    """The key as SSH writes it on the wire; it names its type once more."""

    def __post_init__(self) -> None:
        _read_key(self.key_type, self.blob)

    @classmethod
    def from_text(cls, text: str) -> "SshPublicKey":
        """Read the one line of a `.pub` file: `type base64`, and a comment that is dropped.

        Raises:
            SecretRefused: it holds what looks like a private key or seed; nothing is repeated.
            InvalidInput: it is no such line (`SSH_KEY_MALFORMED`), a certificate or another kind
                of key (`SSH_KEY_UNSUPPORTED`), or too weak (`SSH_KEY_WEAK`).
        Source: ssh-keygen(1); sshd(8), AUTHORIZED_KEYS FILE FORMAT, of which no options are taken.
        """
        # A key that is read is public: only what can't be read goes through the gate, because
        # chance makes some base64 look like something else.
        try:
            return _key_of_line(cls, text)
        except InvalidInput as refused:
            if refused.code is not Code.SSH_KEY_WEAK:
                scan_text(text, place=_WHAT)
            raise

    @classmethod
    def from_blob(cls, blob: bytes) -> "SshPublicKey":
        """Read a key as it stands on the wire.

        Raises:
            SecretRefused: it is a private key.
            InvalidInput: as in `from_text`.
        """
        try:
            name = WireReader(blob, code=Code.SSH_KEY_MALFORMED, what=_WHAT).text("type")
        except InvalidInput:
            scan_bytes(blob, place=_WHAT)
            raise
        return cls(_key_type_of(name), blob)

    def to_text(self) -> str:
        """Return `type base64`, without comment and line end."""
        return f"{self.key_type} {encode_base64(self.blob)}"

    @property
    def fingerprint(self) -> str:
        """`SHA256:…`, as `ssh-keygen -l` shows it."""
        return "SHA256:" + encode_base64(hashlib.sha256(self.blob).digest()).rstrip("=")

    @property
    def is_security_key(self) -> bool:
        """Whether the private half is in a FIDO token, which reports a touch with each signature."""
        return self.key_type in _SECURITY_KEYS

    @property
    def application(self) -> str | None:
        """What a security key was made for, `ssh:` or `ssh:…`; None for the other types."""
        return _read_key(self.key_type, self.blob)[1] if self.is_security_key else None

    @property
    def material(self) -> KeyMaterial:
        """The numbers to verify against."""
        return _read_key(self.key_type, self.blob)[0]


def _key_of_line(kind: type[SshPublicKey], text: str) -> SshPublicKey:
    line = _LINE.fullmatch(text) if len(text) <= _MAX_TEXT else None
    if line is None or not (line[3] or "").isprintable():
        raise _malformed("it is not one line of `type base64 comment`")
    name = line[1]
    if name not in frozenset(SshKeyType):
        if _TYPE_NAME.fullmatch(name) is None:
            raise _malformed("it doesn't begin with the type of a key; options before it are not accepted")
        raise _unsupported(name)
    key = kind.from_blob(decode_base64(line[2], code=Code.SSH_KEY_MALFORMED, what=_WHAT))
    if key.key_type != name:
        raise _malformed(f"its line says `{name}` and its content `{key.key_type}`")
    return key


def _key_type_of(name: str) -> SshKeyType:
    try:
        return SshKeyType(name)
    except ValueError:
        if _TYPE_NAME.fullmatch(name) is None:
            raise _malformed("its content names no type of key") from None
        raise _unsupported(name) from None


@lru_cache(maxsize=256)
def _read_key(key_type: SshKeyType, blob: bytes) -> tuple[KeyMaterial, str | None]:
    """Read everything that the blob says: numbers to verify against, and a security key's application.

    Kept, because a journal names the same few keys in every entry, and each has its curve's equation checked.
    """
    reader = WireReader(blob, code=Code.SSH_KEY_MALFORMED, what=_WHAT)
    if reader.text("type") != key_type:
        raise reader.malformed(f"its content is not of type `{key_type}`")
    material = _read_material(key_type, reader)
    application = None
    if key_type in _SECURITY_KEYS:
        application = reader.text("application")
        if not application.startswith("ssh:"):
            raise InvalidInput(
                Code.SSH_KEY_UNSUPPORTED,
                f"the security key was made for `{application}`, expected `ssh:` or a name that begins with it",
                advice="Make a key for SSH on the token with `ssh-keygen -t ed25519-sk`, and give its public half.",
            )
    reader.end()
    return material, application


def _read_material(key_type: SshKeyType, reader: WireReader) -> KeyMaterial:
    if key_type is SshKeyType.RSA:
        # The exponent comes first (RFC 4253, section 6.6).
        exponent, modulus = reader.positive("exponent"), reader.positive("modulus")
        _require_sound_rsa(exponent, modulus)
        return RsaMaterial(exponent, modulus)
    if key_type in (SshKeyType.ED25519, SshKeyType.SK_ED25519):
        point = reader.string()
        if len(point) != _ED25519_BYTES or not is_on_ed25519(point):
            raise reader.malformed("its point is not on the curve")
        if has_small_order(point):
            raise _weak("its point has a small order, so that one signature would fit many statements")
        return Ed25519Material(point)
    curve = _CURVES[key_type]
    if reader.text("curve") != curve.value:
        raise reader.malformed(f"its curve is not `{curve.value}`")
    point = reader.string()
    if not is_on_nist_curve(point, curve):
        raise reader.malformed("its point is not an uncompressed point of the curve")
    return EcdsaMaterial(curve, point)


def _require_sound_rsa(exponent: int, modulus: int) -> None:
    bits = modulus.bit_length()
    if bits < MIN_RSA_BITS:
        raise _weak(f"its modulus has {bits} bits, fewer than {MIN_RSA_BITS:,}")
    if bits > MAX_RSA_BITS:
        raise InvalidInput(
            Code.SSH_KEY_UNSUPPORTED,
            f"the SSH public key's modulus has {bits} bits, more than {MAX_RSA_BITS:,}",
            advice="Use a key of type ssh-ed25519, or RSA with 3,072 to 16,384 bits.",
        )
    if modulus % 2 == 0:
        raise _weak("its modulus is even")
    # FIPS 186-5, section 5.1, from below; from above what OpenSSL takes with a long modulus.
    if exponent % 2 == 0 or not _SMALLEST_EXPONENT <= exponent < _EXPONENT_LIMIT:
        raise _weak("its exponent is even, below 65,537 or above 64 bits")


def _malformed(problem: str) -> InvalidInput:
    return InvalidInput(
        Code.SSH_KEY_MALFORMED,
        f"the SSH public key is malformed: {problem}",
        advice="Give the one line of a .pub file as ssh-keygen wrote it.",
    )


def _unsupported(name: str) -> InvalidInput:
    return InvalidInput(
        Code.SSH_KEY_UNSUPPORTED,
        f"keys of type `{name}` are not accepted",
        advice="Use a key of type ssh-ed25519, ecdsa-sha2, RSA, or their sk- variants: no certificate, no DSA.",
    )


def _weak(problem: str) -> InvalidInput:
    return InvalidInput(
        Code.SSH_KEY_WEAK,
        f"the SSH public key is too weak: {problem}",
        advice="Make a new key with `ssh-keygen -t ed25519`, and give its public half.",
    )
