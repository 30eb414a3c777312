"""Cosigner keys from a published list (Krux, main network), as text and as vault descriptors."""

from collections.abc import Sequence

from custody.bitcoin.descriptor import add_checksum
from custody.bitcoin.encoding import base58check_decode, base58check_encode

MAIN_KEYS = (
    "[55f8fc5d/48h/0h/0h/2h]xpub6EKmKYGYc1WY6t9d3d9SksR8keSaPZbFa6tqsGiH4xVxx8d2YyxSX7WG6yXEX3CmG54dPCxaapDw1XsjwCmfoqP7tbsAeqMVfKvqSAu4ndy",
    "[3e15470d/48h/0h/0h/2h]xpub6F2P6Pz5KLPgCc6pTBd2xxCunaSYWc8CdkL28W5z15pJrN3aCYY7mCUAkCMtqrgT2wdhAGgRnJxAkCCUpGKoXKxQ57yffEGmPwtYA3DEXwu",
    "[d3a80c8b/48h/0h/0h/2h]xpub6FKYY6y3oVi7ihSCszFKRSeZj5SzrfSsUFXhKqjMV4iigrLhxwMX3mrjioNyLTZ5iD3u4wU9S3tyzpJGxhd5geaXoQ68jGz2M6dfh2zJrUv",
)


def vault_text(
    keys: Sequence[str] = MAIN_KEYS,
    *,
    threshold: object = 2,
    step: str = "<0;1>",
    template: str = "wsh(sortedmulti({}))",
) -> str:
    """Return a descriptor with checksum over `keys`, all with the same branch step."""
    return add_checksum(template.format(",".join([str(threshold), *(f"{key}/{step}/*" for key in keys)])))


def edited(key: str, **fields: bytes) -> str:
    """Return the key expression `key` with bytes of its extended key replaced and a right checksum.

    Fields: `version`, `depth`, `parent`, `child`, `chain_code`, `public_key`.
    """
    origin, _, text = key.rpartition("]")
    payload = bytearray(base58check_decode(text))
    for name, value in fields.items():
        start, end = _PLACES[name]
        payload[start:end] = value
    return f"{origin}]{base58check_encode(bytes(payload))}" if origin else base58check_encode(bytes(payload))


_PLACES = {
    "version": (0, 4),
    "depth": (4, 5),
    "parent": (5, 9),
    "child": (9, 13),
    "chain_code": (13, 45),
    "public_key": (45, 78),
}
