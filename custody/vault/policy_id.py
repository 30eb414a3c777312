"""The id of a wallet policy, as a Ledger computes it and signs with its own key when it is registered.

Computed here from the vault alone, so that a device that answers with another id registered another
policy. Pure; the token itself can be checked only by the device that made it.
Source: LedgerHQ/app-bitcoin-new, doc/wallet.md (wallet policies, version 2) and doc/merkle.md.
"""

from collections.abc import Sequence

from custody.bitcoin.hashing import sha256
from custody.codes import Code
from custody.errors import InvalidInput

_VERSION = 2
_MAX_NAME = 64


def policy_id(name: str, template: str, keys: Sequence[str]) -> bytes:
    """Return the 32 bytes that identify a policy of this name, template and list of keys.

    `template` and `keys` are ASCII, the keys of the form `[fingerprint/48'/0'/0'/2']xpub` and in the
    template's order.

    Raises:
        InvalidInput: NAME_INVALID, where the name is not of 1 to 64 printable ASCII characters.
    """
    if not (name.isascii() and name.isprintable() and 1 <= len(name) <= _MAX_NAME):
        raise InvalidInput(
            Code.NAME_INVALID,
            f"the name of a wallet policy is not of 1 to {_MAX_NAME} printable ASCII characters",
            advice="Choose a short name of letters and digits.",
        )
    written = name.encode("ascii")
    parts = (
        bytes([_VERSION, len(written)]),
        written,
        _compact_size(len(template)),
        sha256(template.encode("ascii")),
        _compact_size(len(keys)),
        _merkle_root([sha256(b"\x00" + key.encode("ascii")) for key in keys]),
    )
    return sha256(b"".join(parts))


def _merkle_root(leaves: Sequence[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    left = 1 << ((len(leaves) - 1).bit_length() - 1)
    return sha256(b"\x01" + _merkle_root(leaves[:left]) + _merkle_root(leaves[left:]))


def _compact_size(number: int) -> bytes:
    return bytes([number]) if number < 0xFD else b"\xfd" + number.to_bytes(2, "little")
