"""The container of a PSBT: maps of keys and values, read strictly and within limits.

A declared length or count is compared with the bytes left before anything is allocated.
Meaning is given to the fields in `psbt_input.py`, `psbt_output.py` and `psbt.py`.
Source: BIP 174; limits: our own, far above any payment of a vault.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from custody.bitcoin.psbt_fields import PROPRIETARY, RawField
from custody.bitcoin.psbt_secrets import refuse_private_material
from custody.bitcoin.transaction import ByteReader, PartLimit
from custody.codes import Code
from custody.errors import InvalidInput

MAX_BYTES = 16_000_000
MAX_INPUTS = 10_000
MAX_OUTPUTS = 10_000
MAX_FIELDS = 200_000
MAX_UNKNOWN_FIELDS = 1_000
MAX_TRANSACTION_PARTS = 250_000
"""Inputs, outputs and witness items of all transactions in the file: what reading costs time and memory."""

RawMap = dict[bytes, bytes]
"""Keys (type and data) to values, in the file's order."""


class PsbtReader(ByteReader):
    """Reads maps and counts their fields over the whole file."""

    __slots__ = ("_fields_left", "parts")

    def __init__(self, data: bytes) -> None:
        require_at_most(len(data), MAX_BYTES, "bytes")
        super().__init__(data, Code.MALFORMED_PSBT)
        self._fields_left = MAX_FIELDS
        self.parts = PartLimit(MAX_TRANSACTION_PARTS, Code.PSBT_TOO_LARGE)
        """Shared by all transactions inside the file."""

    def read_map(self) -> RawMap:
        """Return the next map; a key that comes twice is refused."""
        fields: RawMap = {}
        while key_length := self.compact_size():
            if len(fields) == self._fields_left:
                raise _too_large(f"more than {MAX_FIELDS} fields")
            key = self.read(key_length)
            if key in fields:
                raise self.refuse(f"the key `{key[:8].hex()}` comes twice in one map")
            fields[key] = self.read(self.compact_size())
        self._fields_left -= len(fields)
        return fields


def require_at_most(count: int, limit: int, what: str) -> None:
    """Refuse a file above one of the limits.

    Raises:
        InvalidInput: PSBT_TOO_LARGE.
    """
    if count > limit:
        raise _too_large(f"{count} {what}, the limit is {limit}")


def _too_large(what: str) -> InvalidInput:
    return InvalidInput(Code.PSBT_TOO_LARGE, f"the PSBT has {what}", advice="Split the payment into smaller ones.")


def malformed(message: str) -> InvalidInput:
    """Return the error for a PSBT that is wrong in itself."""
    return InvalidInput(
        Code.MALFORMED_PSBT, message, advice="Ask for the file again and compare its digest with the sender."
    )


SIGNED_MESSAGE = "signed message"
POR_COMMITMENT = "proof of reserves commitment"
FREE_TEXTS = (SIGNED_MESSAGE, POR_COMMITMENT)
"""Fields that may hold anything: they pass the secret gate, as unknown ones do."""
MAX_FREE_TEXT = 65_536
"""Bytes of one of them; what is signed here is far shorter, and the secret gate reads all of it."""


@dataclass(frozen=True, slots=True)
class MapGrammar:
    """Which key types a map may hold."""

    plain: Mapping[int, str]
    """Types without key data, by name."""
    keyed: Mapping[int, str]
    """Types whose key carries data, by name."""
    forbidden: Mapping[int, str]
    """Types of the other PSBT version."""
    unsupported: Mapping[int, str]


@dataclass(slots=True)
class SortedFields:
    """The fields of one map, told apart by their type."""

    plain: dict[int, bytes] = field(default_factory=dict)
    keyed: list[tuple[int, bytes, bytes]] = field(default_factory=list)
    """Type, key data, value, in the file's order."""
    unknown: list[RawField] = field(default_factory=list)


def sort_fields(fields: RawMap, grammar: MapGrammar, where: str) -> SortedFields:
    """Tell the fields of one map apart.

    Raises:
        InvalidInput: MALFORMED_PSBT for key data that is missing, superfluous or of the other
            version, UNSUPPORTED_PSBT_FIELD for a field that a BIP defines and we do not build.
        SecretRefused: an unknown field or a message holds a private key.
    """
    found = SortedFields()
    for key, value in fields.items():
        key_type = key[0]
        if key_type in grammar.plain:
            if len(key) != 1:
                raise malformed(f"{where}: the key of {grammar.plain[key_type]} has {len(key)} bytes, expected 1")
            if grammar.plain[key_type] in FREE_TEXTS:
                require_at_most(len(value), MAX_FREE_TEXT, f"bytes of {grammar.plain[key_type]}")
                refuse_private_material(value, where)
            found.plain[key_type] = value
        elif key_type in grammar.keyed:
            if len(key) == 1:
                raise malformed(f"{where}: the key of {grammar.keyed[key_type]} has no data")
            found.keyed.append((key_type, key[1:], value))
        else:
            _refuse_known(key_type, grammar, where)
            # Before the secret gate reads them: reading 100,000 fields would take seconds.
            require_at_most(len(found.unknown) + 1, MAX_UNKNOWN_FIELDS, "unknown fields")
            found.unknown.append(_unknown_field(key, value, where))
    return found


def _refuse_known(key_type: int, grammar: MapGrammar, where: str) -> None:
    if key_type in grammar.forbidden:
        raise malformed(f"{where}: the field {grammar.forbidden[key_type]} is one of the other PSBT version")
    if key_type in grammar.unsupported:
        raise InvalidInput(
            Code.UNSUPPORTED_PSBT_FIELD,
            f"{where}: the field {grammar.unsupported[key_type]} is not supported",
            advice="Make the PSBT without this field; only segwit version 0 multisig is built.",
        )


def _unknown_field(key: bytes, value: bytes, where: str) -> RawField:
    if key[0] >= PROPRIETARY:
        reader = ByteReader(key, Code.MALFORMED_PSBT)
        if reader.compact_size() == PROPRIETARY:
            reader.sized_bytes()
            reader.compact_size()
    refuse_private_material(key, where)
    refuse_private_material(value, where)
    return RawField(key, value)


def ascending_or_order(fields: RawMap) -> tuple[bytes, ...] | None:
    """Return the order of the keys, or None where it is the ascending one that writers use anyway."""
    keys = list(fields)
    return None if keys == sorted(keys) else tuple(keys)
