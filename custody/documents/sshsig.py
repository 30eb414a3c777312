"""Signatures of people over statements: OpenSSH's SSHSIG, read strictly and verified.

`ssh-keygen -Y sign` makes them, `ssh-keygen -Y verify` can check each one without us. Here a
signature is parsed to the last byte, and verified over a message and a namespace that the
caller brings. Stricter than OpenSSH: version exactly 1, nothing in the reserved field, one
encoding of each number, user presence demanded of security keys, no webauthn, no certificates.
Deliberately absent: who the key belongs to, whether it was revoked, and files of any kind.
Source: OpenSSH PROTOCOL.sshsig and sshsig.c; PROTOCOL.u2f; RFC 4253, 5656, 8332, 8709.
"""

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum

from custody.codes import Code
from custody.documents.secret_gate import scan_text
from custody.documents.sshsig_inner import USER_PRESENT, USER_VERIFIED, InnerSignature, TokenReport
from custody.documents.sshsig_keys import SshPublicKey
from custody.documents.sshsig_wire import WireReader, decode_base64, encode_base64, string, uint32
from custody.errors import CheckFailed, InvalidInput

MAX_ARMORED_BYTES = 32_768
"""Five times what the longest RSA key makes."""

_MAGIC = b"SSHSIG"
_VERSION = 1
_BEGIN = "-----BEGIN SSH SIGNATURE-----"
_END = "-----END SSH SIGNATURE-----"
_ARMOR = re.compile(rf"{_BEGIN}\r?\n((?:[A-Za-z0-9+/=]+\r?\n)+){_END}(?:\r?\n)?")
_LINE_WIDTH = 70
"""What ssh-keygen writes; any is read."""
_NAMESPACE = re.compile(r"[\x20-\x7e]{1,255}")
_WHAT = "the SSH signature"


class SshHash(StrEnum):
    """What the message is hashed with before it is signed."""

    SHA256 = "sha256"
    SHA512 = "sha512"


@dataclass(frozen=True, slots=True)
class SshSignature:
    """A signature as read: whole and of a kind that is accepted, not verified."""

    key: SshPublicKey
    """The key that it claims; it proves nothing until `verify_sshsig`."""
    namespace: str
    """What kind of thing it signs, so that it can't be used as another."""
    hash_algorithm: SshHash
    inner: InnerSignature

    def __post_init__(self) -> None:
        if _NAMESPACE.fullmatch(self.namespace) is None:
            raise _malformed("its namespace is not 1 to 255 printable ASCII characters")
        # What it writes must be what can be read: length, algorithm and type of key fit.
        if InnerSignature.from_blob(self.inner.to_blob(), self.key) != self.inner:
            raise _malformed("its value is not one of the key's type")

    @classmethod
    def from_armored(cls, text: str | bytes) -> "SshSignature":
        """Read one armored signature: header, base64, footer, with LF or CRLF, and nothing else.

        Raises:
            SecretRefused: it is a private key; nothing is repeated.
            InvalidInput: it is malformed or over 32,768 bytes (`SSHSIG_MALFORMED`), of a version or
                algorithm that is refused (`SSHSIG_UNSUPPORTED`), or its key is refused (`SSH_KEY_…`).
        Source: PROTOCOL.sshsig, sections 1 and 2.
        """
        if len(text) > MAX_ARMORED_BYTES:
            raise _malformed(f"it is longer than {MAX_ARMORED_BYTES:,} bytes")
        armored = text.decode("latin-1") if isinstance(text, bytes) else text
        parts = _ARMOR.fullmatch(armored)
        if parts is None:
            scan_text(armored, place=_WHAT)
            raise _malformed(f"it is not one block from `{_BEGIN}` to `{_END}`")
        lines = "".join(parts[1].split())
        return _read_blob(decode_base64(lines, code=Code.SSHSIG_MALFORMED, what=_WHAT))

    def to_armored(self) -> str:
        """Return the signature as ssh-keygen writes it; this is the form to keep."""
        blob = b"".join(
            (
                _MAGIC,
                uint32(_VERSION),
                string(self.key.blob),
                string(self.namespace.encode("ascii")),
                string(b""),
                string(self.hash_algorithm.encode("ascii")),
                string(self.inner.to_blob()),
            )
        )
        text = encode_base64(blob)
        lines = [text[start : start + _LINE_WIDTH] for start in range(0, len(text), _LINE_WIDTH)]
        return "\n".join((_BEGIN, *lines, _END, ""))


def verify_sshsig(signature: SshSignature, message: bytes, *, namespace: str) -> SshPublicKey:
    """Return the key that signed `message` for `namespace`.

    The algorithm and the key were checked when the signature was read. Whose key it is and
    whether it counts is for the caller, who compares the whole key.

    Raises:
        CheckFailed: it was made for another namespace (`SSHSIG_NAMESPACE`), without a touch of the
            security key (`SSHSIG_NO_PRESENCE`), by another key or over another message
            (`SSHSIG_INVALID`).
        InvalidInput: a security key reports what is not known (`SSHSIG_UNSUPPORTED`).
    Source: PROTOCOL.sshsig, section 3; PROTOCOL.u2f, "SSH U2F signatures".
    """
    if signature.namespace != namespace:
        raise CheckFailed(
            Code.SSHSIG_NAMESPACE,
            f"the signature was made for `{signature.namespace}`, expected `{namespace}`",
            advice="Don't count it: it was made for something else. Ask for a signature over this statement.",
        )
    if signature.inner.report is not None:
        _require_presence(signature.inner.report)
    # Loaded here: a command that verifies nothing shouldn't pay for OpenSSL's bindings.
    from custody.documents.sshsig_crypto import holds

    if not holds(signature.key.material, signature.inner, _signed_bytes(signature, message)):
        raise CheckFailed(
            Code.SSHSIG_INVALID,
            f"the signature is not one by {signature.key.fingerprint} over this statement",
            advice="Don't count it: statement or signature was changed. Compare both with where they were made.",
        )
    return signature.key


def _read_blob(blob: bytes) -> SshSignature:
    reader = WireReader(blob, code=Code.SSHSIG_MALFORMED, what=_WHAT)
    if blob[: len(_MAGIC)] != _MAGIC:
        raise reader.malformed("it doesn't begin with `SSHSIG`")
    reader = WireReader(blob[len(_MAGIC) :], code=Code.SSHSIG_MALFORMED, what=_WHAT)
    version = reader.uint32()
    if version != _VERSION:
        raise _unsupported(f"version {version} of SSH signatures is not known, expected {_VERSION}")
    key_blob = reader.string()
    namespace = reader.text("namespace")
    if reader.string():
        raise _unsupported("the SSH signature's reserved field is not empty")
    name = reader.text("hash algorithm")
    if name not in frozenset(SshHash):
        raise _unsupported(f"hash algorithm `{name}` is not accepted, expected sha256 or sha512")
    inner_blob = reader.string()
    reader.end()
    key = SshPublicKey.from_blob(key_blob)
    return SshSignature(key, namespace, SshHash(name), InnerSignature.from_blob(inner_blob, key))


def _require_presence(report: TokenReport) -> None:
    if report.flags & ~(USER_PRESENT | USER_VERIFIED):
        raise _unsupported(f"the security key's flags are 0x{report.flags:02x}, some of them unknown")
    if not report.flags & USER_PRESENT:
        raise CheckFailed(
            Code.SSHSIG_NO_PRESENCE,
            "the security key signed without being touched",
            advice="Use a key that asks for a touch: make it without `-O no-touch-required`, and sign again.",
        )


def _signed_bytes(signature: SshSignature, message: bytes) -> bytes:
    """Return what the key signed: the wrapped hash of the message, and a token's wrapper around that."""
    wrapped = b"".join(
        (
            _MAGIC,
            string(signature.namespace.encode("ascii")),
            string(b""),
            string(signature.hash_algorithm.encode("ascii")),
            string(hashlib.new(signature.hash_algorithm, message).digest()),
        )
    )
    application, report = signature.key.application, signature.inner.report
    if application is None or report is None:
        return wrapped
    return b"".join(
        (
            hashlib.sha256(application.encode("ascii")).digest(),
            bytes((report.flags,)),
            uint32(report.counter),
            hashlib.sha256(wrapped).digest(),
        )
    )


def _malformed(problem: str) -> InvalidInput:
    return InvalidInput(
        Code.SSHSIG_MALFORMED,
        f"the SSH signature is malformed: {problem}",
        advice="Give the whole block that `ssh-keygen -Y sign` wrote, and nothing else.",
    )


def _unsupported(problem: str) -> InvalidInput:
    return InvalidInput(
        Code.SSHSIG_UNSUPPORTED, problem, advice="Sign again with `ssh-keygen -Y sign` and a key that is accepted."
    )
