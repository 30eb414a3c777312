"""The global map of a PSBT: its version, the transaction or its outline, the account keys.

Source: BIP 174, BIP 370; BIP 322 (signed message).
"""

from dataclasses import dataclass

from custody.bitcoin import psbt_fields as f
from custody.bitcoin.curve import is_valid_public_key
from custody.bitcoin.psbt_fields import GlobalXpub, RawField
from custody.bitcoin.psbt_reader import (
    MAX_INPUTS,
    MAX_OUTPUTS,
    SIGNED_MESSAGE,
    MapGrammar,
    RawMap,
    SortedFields,
    ascending_or_order,
    malformed,
    require_at_most,
    sort_fields,
)
from custody.bitcoin.psbt_secrets import is_extended_private_key, secret_refused
from custody.bitcoin.transaction import ByteReader, PartLimit, Transaction, write_compact_size
from custody.codes import Code
from custody.errors import InvalidInput

_PLAIN_V0 = {f.GLOBAL_UNSIGNED_TX: "unsigned transaction"}
_PLAIN_V2 = {
    f.GLOBAL_TX_VERSION: "transaction version",
    f.GLOBAL_FALLBACK_LOCKTIME: "fallback locktime",
    f.GLOBAL_INPUT_COUNT: "input count",
    f.GLOBAL_OUTPUT_COUNT: "output count",
    f.GLOBAL_TX_MODIFIABLE: "modifiable flags",
}
_COMMON = {f.GLOBAL_VERSION: "version", f.GLOBAL_SIGNED_MESSAGE: SIGNED_MESSAGE}
"""What both versions may hold."""
_KEYED = {f.GLOBAL_XPUB: "account key"}
_GRAMMAR = {
    0: MapGrammar(_COMMON | _PLAIN_V0, _KEYED, _PLAIN_V2, f.UNSUPPORTED_GLOBAL),
    2: MapGrammar(_COMMON | _PLAIN_V2, _KEYED, _PLAIN_V0, f.UNSUPPORTED_GLOBAL),
}
_VERSION_KEY = bytes((f.GLOBAL_VERSION,))
_XPUB_KEY = bytes((f.GLOBAL_XPUB,))
_XPUB_LENGTH = 78
_XPUB_DEPTH_OFFSET = 4
_XPUB_KEY_OFFSET = 45


@dataclass(frozen=True, slots=True)
class GlobalMap:
    """What the global map says."""

    version: int
    unsigned: Transaction | None
    """Version 0 only."""
    tx_version: int
    fallback_locktime: int | None
    input_count: int
    output_count: int
    tx_modifiable: int | None
    signed_message: bytes | None
    xpubs: tuple[GlobalXpub, ...]
    unknown: tuple[RawField, ...]
    states_version_zero: bool
    key_order: tuple[bytes, ...] | None


def read_global(fields: RawMap, limit: PartLimit) -> GlobalMap:
    """Give types to the global map; `limit` is shared by all transactions in the file.

    Raises:
        InvalidInput: MALFORMED_PSBT, UNSUPPORTED_PSBT_VERSION, UNSUPPORTED_PSBT_FIELD, PSBT_TOO_LARGE.
        SecretRefused: an account key is private, or an unknown field holds a private key.
    """
    version = _version(fields)
    found = sort_fields(fields, _GRAMMAR[version], "global")
    unsigned = _unsigned(found, limit) if version == 0 else None
    if unsigned is None:
        tx_version = int.from_bytes(_exactly(found, f.GLOBAL_TX_VERSION, 4), "little", signed=True)
        has_locktime = f.GLOBAL_FALLBACK_LOCKTIME in found.plain
        locktime = _exactly(found, f.GLOBAL_FALLBACK_LOCKTIME, 4) if has_locktime else None
        counts = _count(found, f.GLOBAL_INPUT_COUNT), _count(found, f.GLOBAL_OUTPUT_COUNT)
    else:
        tx_version, locktime = unsigned.version, unsigned.locktime.to_bytes(4, "little")
        counts = len(unsigned.inputs), len(unsigned.outputs)
    require_at_most(counts[0], MAX_INPUTS, "inputs")
    require_at_most(counts[1], MAX_OUTPUTS, "outputs")
    has_flags = f.GLOBAL_TX_MODIFIABLE in found.plain
    return GlobalMap(
        version=version,
        unsigned=unsigned,
        tx_version=tx_version,
        fallback_locktime=None if locktime is None else int.from_bytes(locktime, "little"),
        input_count=counts[0],
        output_count=counts[1],
        tx_modifiable=_exactly(found, f.GLOBAL_TX_MODIFIABLE, 1)[0] if has_flags else None,
        signed_message=found.plain.get(f.GLOBAL_SIGNED_MESSAGE),
        xpubs=tuple(_xpub(key, value) for _, key, value in found.keyed),
        unknown=tuple(found.unknown),
        states_version_zero=version == 0 and _VERSION_KEY in fields,
        key_order=ascending_or_order(fields),
    )


def global_fields(stated: GlobalMap) -> RawMap:
    """Return the fields of the global map."""
    fields: RawMap = {}
    if stated.unsigned is not None:
        fields[bytes((f.GLOBAL_UNSIGNED_TX,))] = stated.unsigned.serialize_without_witness()
        if stated.states_version_zero:
            fields[_VERSION_KEY] = bytes(4)
    else:
        fields[bytes((f.GLOBAL_TX_VERSION,))] = stated.tx_version.to_bytes(4, "little", signed=True)
        if stated.fallback_locktime is not None:
            fields[bytes((f.GLOBAL_FALLBACK_LOCKTIME,))] = stated.fallback_locktime.to_bytes(4, "little")
        fields[bytes((f.GLOBAL_INPUT_COUNT,))] = write_compact_size(stated.input_count)
        fields[bytes((f.GLOBAL_OUTPUT_COUNT,))] = write_compact_size(stated.output_count)
        if stated.tx_modifiable is not None:
            fields[bytes((f.GLOBAL_TX_MODIFIABLE,))] = bytes((stated.tx_modifiable,))
        fields[_VERSION_KEY] = stated.version.to_bytes(4, "little")
    if stated.signed_message is not None:
        fields[bytes((f.GLOBAL_SIGNED_MESSAGE,))] = stated.signed_message
    for xpub in stated.xpubs:
        fields[_XPUB_KEY + xpub.key78] = f.origin_to_bytes(xpub.origin)
    fields.update((raw.key, raw.value) for raw in stated.unknown)
    return fields


def _version(fields: RawMap) -> int:
    value = fields.get(_VERSION_KEY, bytes(4))
    if len(value) != 4:
        raise malformed(f"global: the version has {len(value)} bytes, expected 4")
    version = int.from_bytes(value, "little")
    if version not in _GRAMMAR:
        raise InvalidInput(
            Code.UNSUPPORTED_PSBT_VERSION,
            f"the PSBT has version {version}, expected 0 or 2",
            advice="Export the PSBT as version 0 or 2.",
        )
    return version


def _unsigned(found: SortedFields, limit: PartLimit) -> Transaction:
    raw = found.plain.get(f.GLOBAL_UNSIGNED_TX)
    if raw is None:
        raise malformed("global: version 0 without an unsigned transaction")
    unsigned = Transaction.parse_without_witness(raw, Code.MALFORMED_PSBT, limit)
    if any(tx_input.script_sig for tx_input in unsigned.inputs):
        raise malformed("global: the unsigned transaction has a scriptSig")
    return unsigned


def _exactly(found: SortedFields, key_type: int, length: int) -> bytes:
    value = found.plain.get(key_type)
    if value is None or len(value) != length:
        raise malformed(f"global: the {_PLAIN_V2[key_type]} is missing or has not {length} byte(s)")
    return value


def _count(found: SortedFields, key_type: int) -> int:
    reader = ByteReader(found.plain.get(key_type, b""), Code.MALFORMED_PSBT)
    count = reader.compact_size()
    reader.require_end()
    return count


def _xpub(key78: bytes, value: bytes) -> GlobalXpub:
    if len(key78) != _XPUB_LENGTH:
        raise malformed(f"global: an account key has {len(key78)} bytes, expected {_XPUB_LENGTH}")
    if is_extended_private_key(key78):
        raise secret_refused("global")
    origin = f.origin_from_bytes(value)
    if origin is None or len(origin.path) != key78[_XPUB_DEPTH_OFFSET]:
        raise malformed("global: an account key's path has not as many steps as its depth")
    if not is_valid_public_key(key78[_XPUB_KEY_OFFSET:]):
        raise malformed("global: an account key is no point of the curve")
    return GlobalXpub(key78, origin)
