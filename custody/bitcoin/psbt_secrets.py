"""Refuses private keys inside a PSBT: none has any business there.

Looks for the 78 bytes of an extended private key (BIP 32, and SLIP-132's prefixes) in
binary, and for the text forms in printable values. The error names the place only.
"""

from custody.codes import Code
from custody.errors import SecretRefused

_PRIVATE_VERSIONS = tuple(
    bytes.fromhex(version)
    for version in (
        *("0488ade4", "04358394"),
        *("049d7878", "04b2430c", "0295b005", "02aa7a99"),
        *("044a4e28", "045f18bc", "024285b5", "02575048"),
    )
)
"""xprv, tprv, and SLIP-132's yprv zprv Yprv Zprv uprv vprv Uprv Vprv."""
_EXTENDED_LENGTH = 78
_KEY_OFFSET = 45
_TEXT_MARKS = (b"xprv", b"tprv", b"yprv", b"zprv", b"Yprv", b"Zprv", b"uprv", b"vprv", b"Uprv", b"Vprv")
_TEXT_LENGTH = 107


def is_extended_private_key(key78: bytes) -> bool:
    """Whether 78 bytes are an extended private key: by their version or by the key itself."""
    return key78[:4] in _PRIVATE_VERSIONS or key78[_KEY_OFFSET : _KEY_OFFSET + 1] == b"\x00"


def refuse_private_key(value: bytes, where: str) -> None:
    """Refuse `value` if an extended private key stands anywhere in it.

    Raises:
        SecretRefused: SECRET_MATERIAL.
    """
    if len(value) < _EXTENDED_LENGTH:
        return
    if any(_holds(value, version) for version in _PRIVATE_VERSIONS) or _holds_text(value):
        raise secret_refused(where)


def secret_refused(where: str) -> SecretRefused:
    """Return the error for an extended private key at `where`."""
    return SecretRefused(
        Code.SECRET_MATERIAL,
        f"{where}: a field holds an extended private key",
        advice="Destroy this file, and move the coins of that key: its secret has left the device.",
    )


def _holds(value: bytes, version: bytes) -> bool:
    last = len(value) - _EXTENDED_LENGTH
    start = value.find(version)
    while 0 <= start <= last:
        if value[start + _KEY_OFFSET] == 0:
            return True
        start = value.find(version, start + 1)
    return False


def _holds_text(value: bytes) -> bool:
    for mark in _TEXT_MARKS:
        start = value.find(mark)
        while start >= 0:
            text = value[start : start + _TEXT_LENGTH]
            if len(text) == _TEXT_LENGTH and text.isalnum():
                return True
            start = value.find(mark, start + 1)
    return False
