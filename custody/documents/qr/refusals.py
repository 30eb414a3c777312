"""How frames of QR codes are refused. No message repeats what a frame holds: it may be a secret."""

from custody.codes import Code
from custody.documents.secret_kinds import SecretKind
from custody.errors import InvalidInput, SecretRefused

_AGAIN = "Scan all frames of one payload again, from its first sender."


def malformed(message: str) -> InvalidInput:
    """Return the error for a frame, or for joined frames, that break the rules of their dialect."""
    return InvalidInput(Code.QR_MALFORMED, message, advice=_AGAIN)


def mixed(message: str) -> InvalidInput:
    """Return the error for frames that can't all belong to one payload."""
    return InvalidInput(
        Code.QR_MIXED,
        message,
        advice="Show one payload alone, scan again from the beginning, and compare the digest with its sender.",
    )


def too_large(message: str) -> InvalidInput:
    """Return the error for a payload that declares or becomes more than is ever read."""
    return InvalidInput(
        Code.QR_TOO_LARGE, message, advice="Refuse it unless you know why it is so large; use a file instead."
    )


def unsupported(message: str) -> InvalidInput:
    """Return the error for a kind of frame or payload that this toolkit doesn't read."""
    return InvalidInput(
        Code.QR_UNSUPPORTED, message, advice="Have it shown as a PSBT, a descriptor or an account, in UR or BBQr."
    )


def secret(kind: SecretKind, place: str) -> SecretRefused:
    """Return the error for a frame that carries private material, by its declared type alone."""
    return SecretRefused(
        Code.SECRET_MATERIAL,
        f"{place} holds what looks like {kind}",
        advice="Treat the secret as burnt: move the coins that it controls to new keys, delete the picture, and give "
        "this program public keys only.",
        details={"kind": kind.name, "place": place},
    )
