"""The signature inside an SSHSIG: the algorithm's own encoding, read strictly.

Which algorithms exist, and what each puts on the wire. Refused on purpose: `ssh-rsa` (SHA-1),
the webauthn variants (a browser signs a wrapper of its own, for a web site), certificates'
algorithms and whatever else is unknown. ECDSA's s may be high, as in OpenSSH: such a signature
has a twin, so nothing may tell statements or officers apart by a signature's bytes.
Source: RFC 8709, section 6 (ssh-ed25519); RFC 5656, section 3.1.2 (ecdsa-sha2); RFC 8332,
section 3 (rsa-sha2); OpenSSH PROTOCOL.u2f, "SSH U2F signatures" (sk-).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from custody.codes import Code
from custody.documents.sshsig_keys import RsaMaterial, SshKeyType, SshPublicKey
from custody.documents.sshsig_wire import WireReader, mpint, string, uint32
from custody.errors import InvalidInput

USER_PRESENT = 0x01
USER_VERIFIED = 0x04
"""The token asked for a PIN or a fingerprint: more than is demanded."""

_ED25519_BYTES = 64
_WHAT = "the SSH signature"


class SignatureAlgorithm(StrEnum):
    """How a statement may be signed, by the names that SSH gives."""

    ED25519 = "ssh-ed25519"
    ECDSA_P256 = "ecdsa-sha2-nistp256"
    ECDSA_P384 = "ecdsa-sha2-nistp384"
    ECDSA_P521 = "ecdsa-sha2-nistp521"
    RSA_SHA256 = "rsa-sha2-256"
    RSA_SHA512 = "rsa-sha2-512"
    SK_ED25519 = "sk-ssh-ed25519@openssh.com"
    SK_ECDSA_P256 = "sk-ecdsa-sha2-nistp256@openssh.com"

    @property
    def key_type(self) -> SshKeyType:
        """The one type of key that signs so."""
        if self in (SignatureAlgorithm.RSA_SHA256, SignatureAlgorithm.RSA_SHA512):
            return SshKeyType.RSA
        return SshKeyType(self.value)


@dataclass(frozen=True, slots=True)
class TokenReport:
    """What a security key says of the moment of signing; it is covered by the signature."""

    flags: int
    """One byte; bit 0 is user presence, bit 2 user verification."""
    counter: int
    """Four bytes. Tokens count in their own way and some not at all, so it decides nothing."""


@dataclass(frozen=True, slots=True)
class EcdsaValue:
    """The numbers r and s, both positive."""

    r: int
    s: int


SignatureValue: TypeAlias = bytes | EcdsaValue
"""Ed25519: 64 bytes. RSA: as many bytes as the modulus. ECDSA: two numbers."""


@dataclass(frozen=True, slots=True)
class InnerSignature:
    """One signature by one algorithm; not verified."""

    algorithm: SignatureAlgorithm
    value: SignatureValue
    report: TokenReport | None
    """Of security keys, None for the others."""

    @classmethod
    def from_blob(cls, blob: bytes, key: SshPublicKey) -> "InnerSignature":
        """Read the signature that `key` is said to have made.

        Raises:
            InvalidInput: it is malformed, another type of key's, or not of the key's length
                (`SSHSIG_MALFORMED`), or by an algorithm that is refused (`SSHSIG_UNSUPPORTED`).
        """
        reader = WireReader(blob, code=Code.SSHSIG_MALFORMED, what=_WHAT)
        algorithm = _algorithm_of(reader.text("algorithm"))
        if algorithm.key_type is not key.key_type:
            raise reader.malformed(f"its algorithm `{algorithm}` is not one of a key of type `{key.key_type}`")
        value = _read_value(reader, key)
        report = TokenReport(reader.byte(), reader.uint32()) if key.is_security_key else None
        reader.end()
        return cls(algorithm, value, report)

    def to_blob(self) -> bytes:
        """Return the signature as it stands on the wire."""
        if isinstance(self.value, EcdsaValue):
            value = string(mpint(self.value.r)) + string(mpint(self.value.s))
        else:
            value = self.value
        blob = string(self.algorithm.encode("ascii")) + string(value)
        if self.report is not None:
            blob += bytes((self.report.flags,)) + uint32(self.report.counter)
        return blob


def _algorithm_of(name: str) -> SignatureAlgorithm:
    try:
        return SignatureAlgorithm(name)
    except ValueError:
        raise InvalidInput(
            Code.SSHSIG_UNSUPPORTED,
            f"signatures by `{name}` are not accepted",
            advice="Sign with `ssh-keygen -Y sign` and a key of type ssh-ed25519, ecdsa-sha2, RSA or sk-.",
        ) from None


def _read_value(reader: WireReader, key: SshPublicKey) -> SignatureValue:
    value = reader.string()
    if key.key_type in (SshKeyType.ED25519, SshKeyType.SK_ED25519):
        length = _ED25519_BYTES
    elif isinstance(material := key.material, RsaMaterial):
        # RFC 8332 lets a verifier take shorter ones; OpenSSH makes none, and one form is enough.
        length = (material.modulus.bit_length() + 7) // 8
    else:
        numbers = WireReader(value, code=Code.SSHSIG_MALFORMED, what=_WHAT)
        r, s = numbers.positive("r"), numbers.positive("s")
        numbers.end()
        return EcdsaValue(r, s)
    if len(value) != length:
        raise reader.malformed(f"its value has {len(value)} bytes, expected {length}")
    return value
