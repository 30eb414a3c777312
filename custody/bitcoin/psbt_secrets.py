"""Refuses private keys inside a PSBT: none has any business there.

An account key is judged by its version bytes and by the key itself. Unknown fields go
through the same gate as every other input. The error names the place only.
"""

from custody.codes import Code
from custody.documents.secret_gate import scan_bytes
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
_KEY_OFFSET = 45


def is_extended_private_key(key78: bytes) -> bool:
    """Whether 78 bytes are an extended private key: by their version or by the key itself."""
    return key78[:4] in _PRIVATE_VERSIONS or key78[_KEY_OFFSET : _KEY_OFFSET + 1] == b"\x00"


def refuse_private_material(value: bytes, where: str) -> None:
    """Refuse `value`, a key or value that is kept unread, if private material stands in it.

    Raises:
        SecretRefused: SECRET_MATERIAL.
    """
    scan_bytes(value, place=f"a free field of {where}")


def secret_refused(where: str) -> SecretRefused:
    """Return the error for an extended private key at `where`."""
    return SecretRefused(
        Code.SECRET_MATERIAL,
        f"{where}: a field holds an extended private key",
        advice="Destroy this file, and move the coins of that key: its secret has left the device.",
    )
