"""One input of a PSBT: what the file says about it, typed but not yet believed."""

from dataclasses import dataclass

from custody.bitcoin import psbt_fields as f
from custody.bitcoin.psbt_fields import KeyDerivation, PartialSignature, RawField
from custody.bitcoin.psbt_reader import POR_COMMITMENT, MapGrammar, RawMap, ascending_or_order, malformed, sort_fields
from custody.bitcoin.transaction import (
    FINAL_SEQUENCE,
    ByteReader,
    OutPoint,
    PartLimit,
    Transaction,
    TxInput,
    TxOutput,
    read_witness,
    serialize_witness,
)
from custody.codes import Code

LOCKTIME_THRESHOLD = 500_000_000
"""Below it a locktime counts blocks, from it on seconds (consensus)."""

_PLAIN = {
    f.IN_NON_WITNESS_UTXO: "non-witness utxo",
    f.IN_WITNESS_UTXO: "witness utxo",
    f.IN_SIGHASH_TYPE: "sighash type",
    f.IN_REDEEM_SCRIPT: "redeem script",
    f.IN_WITNESS_SCRIPT: "witness script",
    f.IN_FINAL_SCRIPTSIG: "final scriptSig",
    f.IN_FINAL_SCRIPTWITNESS: "final witness",
    f.IN_POR_COMMITMENT: POR_COMMITMENT,
}
_PLAIN_V2 = {
    f.IN_PREVIOUS_TXID: "previous txid",
    f.IN_OUTPUT_INDEX: "output index",
    f.IN_SEQUENCE: "sequence",
    f.IN_REQUIRED_TIME_LOCKTIME: "required time locktime",
    f.IN_REQUIRED_HEIGHT_LOCKTIME: "required height locktime",
}
_KEYED = {f.IN_PARTIAL_SIG: "partial signature", f.IN_BIP32_DERIVATION: "derivation"}
_GRAMMAR = {
    0: MapGrammar(_PLAIN, _KEYED, _PLAIN_V2, f.UNSUPPORTED_INPUT),
    2: MapGrammar(_PLAIN | _PLAIN_V2, _KEYED, {}, f.UNSUPPORTED_INPUT),
}
_PARTIAL_SIG_KEY = bytes((f.IN_PARTIAL_SIG,))
_DERIVATION_KEY = bytes((f.IN_BIP32_DERIVATION,))


@dataclass(frozen=True, slots=True)
class PsbtInput:
    """An input with its metadata. Only `outpoint` and `sequence` enter the transaction."""

    outpoint: OutPoint
    stated_sequence: int | None = FINAL_SEQUENCE
    """None only in version 2, where an absent sequence means 0xffffffff; read `sequence`."""
    non_witness_utxo: Transaction | None = None
    """The full previous transaction; that its txid is the outpoint's is for the review to check."""
    witness_utxo: TxOutput | None = None
    partial_signatures: tuple[PartialSignature, ...] = ()
    sighash_type: int | None = None
    redeem_script: bytes | None = None
    witness_script: bytes | None = None
    derivations: tuple[KeyDerivation, ...] = ()
    final_script_sig: bytes | None = None
    final_script_witness: tuple[bytes, ...] | None = None
    required_time_locktime: int | None = None
    """Version 2 only (BIP 370)."""
    required_height_locktime: int | None = None
    """Version 2 only (BIP 370)."""
    por_commitment: bytes | None = None
    """The message of a BIP 127 proof, which the outpoint commits to or not."""
    unknown: tuple[RawField, ...] = ()
    """Proprietary fields included, in the file's order."""
    key_order: tuple[bytes, ...] | None = None
    """Order of keys in the file this was read from, where it is not ascending; new inputs leave it None."""

    @property
    def sequence(self) -> int:
        """The sequence that enters the transaction."""
        return FINAL_SEQUENCE if self.stated_sequence is None else self.stated_sequence

    @property
    def is_final(self) -> bool:
        """Whether the file claims that this input is finalized."""
        return self.final_script_sig is not None or self.final_script_witness is not None


def read_input(fields: RawMap, unsigned: TxInput | None, where: str, limit: PartLimit) -> PsbtInput:
    """Give types to one input map; `unsigned` is version 0's half of the input, None in version 2.
    `limit` is shared by all transactions in the file.

    Raises:
        InvalidInput: MALFORMED_PSBT, UNSUPPORTED_PSBT_FIELD, AMOUNT_OUT_OF_RANGE.
        SecretRefused: an unknown field holds a private key.
    """
    found = sort_fields(fields, _GRAMMAR[0 if unsigned is not None else 2], where)
    plain = found.plain
    full, spent = plain.get(f.IN_NON_WITNESS_UTXO), plain.get(f.IN_WITNESS_UTXO)
    witness = plain.get(f.IN_FINAL_SCRIPTWITNESS)
    signatures: list[PartialSignature] = []
    derivations: list[KeyDerivation] = []
    for key_type, key, value in found.keyed:
        if key_type == f.IN_BIP32_DERIVATION:
            derivations.append(read_derivation(key, value, where))
        elif f.is_script_public_key(key):
            signatures.append(PartialSignature(key, value))
        else:
            raise malformed(f"{where}: a signature stands under something that is no public key")
    return PsbtInput(
        outpoint=_outpoint(plain, where) if unsigned is None else unsigned.outpoint,
        stated_sequence=_uint32(plain, f.IN_SEQUENCE, where) if unsigned is None else unsigned.sequence,
        non_witness_utxo=None if full is None else Transaction.parse(full, Code.MALFORMED_PSBT, limit),
        witness_utxo=None if spent is None else TxOutput.from_bytes(spent, Code.MALFORMED_PSBT),
        partial_signatures=tuple(signatures),
        sighash_type=_uint32(plain, f.IN_SIGHASH_TYPE, where),
        redeem_script=plain.get(f.IN_REDEEM_SCRIPT),
        witness_script=plain.get(f.IN_WITNESS_SCRIPT),
        derivations=tuple(derivations),
        final_script_sig=plain.get(f.IN_FINAL_SCRIPTSIG),
        final_script_witness=None if witness is None else _witness(witness, limit),
        required_time_locktime=_time_locktime(plain, where),
        required_height_locktime=_height_locktime(plain, where),
        por_commitment=plain.get(f.IN_POR_COMMITMENT),
        unknown=tuple(found.unknown),
        key_order=ascending_or_order(fields),
    )


def input_fields(psbt_input: PsbtInput, version: int) -> RawMap:
    """Return the fields of one input map for PSBT `version`, 0 or 2."""
    full, spent, witness = psbt_input.non_witness_utxo, psbt_input.witness_utxo, psbt_input.final_script_witness
    plain = {
        f.IN_NON_WITNESS_UTXO: None if full is None else full.serialize(),
        f.IN_WITNESS_UTXO: None if spent is None else spent.to_bytes(),
        f.IN_SIGHASH_TYPE: f.uint32_or_none(psbt_input.sighash_type),
        f.IN_REDEEM_SCRIPT: psbt_input.redeem_script,
        f.IN_WITNESS_SCRIPT: psbt_input.witness_script,
        f.IN_FINAL_SCRIPTSIG: psbt_input.final_script_sig,
        f.IN_FINAL_SCRIPTWITNESS: None if witness is None else serialize_witness(witness),
        f.IN_POR_COMMITMENT: psbt_input.por_commitment,
    }
    if version == 2:
        outpoint = psbt_input.outpoint.to_bytes()
        plain[f.IN_PREVIOUS_TXID] = outpoint[:32]
        plain[f.IN_OUTPUT_INDEX] = outpoint[32:]
        plain[f.IN_SEQUENCE] = f.uint32_or_none(psbt_input.stated_sequence)
        plain[f.IN_REQUIRED_TIME_LOCKTIME] = f.uint32_or_none(psbt_input.required_time_locktime)
        plain[f.IN_REQUIRED_HEIGHT_LOCKTIME] = f.uint32_or_none(psbt_input.required_height_locktime)
    fields = {bytes((key_type,)): value for key_type, value in plain.items() if value is not None}
    for entry in psbt_input.partial_signatures:
        fields[_PARTIAL_SIG_KEY + entry.public_key] = entry.signature
    for derivation in psbt_input.derivations:
        fields[_DERIVATION_KEY + derivation.public_key] = f.origin_to_bytes(derivation.origin)
    fields.update((raw.key, raw.value) for raw in psbt_input.unknown)
    return fields


def read_derivation(key: bytes, value: bytes, where: str) -> KeyDerivation:
    """Read one derivation field of an input or output.

    Raises:
        InvalidInput: MALFORMED_PSBT.
    """
    origin = f.origin_from_bytes(value)
    if origin is None or not f.is_script_public_key(key):
        raise malformed(f"{where}: a derivation has no public key, or a path of {len(value)} bytes")
    return KeyDerivation(key, origin)


def _outpoint(plain: dict[int, bytes], where: str) -> OutPoint:
    txid, index = plain.get(f.IN_PREVIOUS_TXID), plain.get(f.IN_OUTPUT_INDEX)
    if txid is None or index is None or len(txid) != 32 or len(index) != 4:
        raise malformed(f"{where}: the previous txid or the output index is missing or has a wrong length")
    return OutPoint.from_bytes(txid + index)


def _uint32(plain: dict[int, bytes], key_type: int, where: str) -> int | None:
    value = plain.get(key_type)
    if value is None:
        return None
    if len(value) != 4:
        raise malformed(f"{where}: a number of 32 bits has {len(value)} bytes")
    return int.from_bytes(value, "little")


def _time_locktime(plain: dict[int, bytes], where: str) -> int | None:
    value = _uint32(plain, f.IN_REQUIRED_TIME_LOCKTIME, where)
    if value is not None and value < LOCKTIME_THRESHOLD:
        raise malformed(f"{where}: the required time {value} is a height")
    return value


def _height_locktime(plain: dict[int, bytes], where: str) -> int | None:
    value = _uint32(plain, f.IN_REQUIRED_HEIGHT_LOCKTIME, where)
    if value is not None and not 0 < value < LOCKTIME_THRESHOLD:
        raise malformed(f"{where}: the required height {value} is not between 1 and {LOCKTIME_THRESHOLD - 1}")
    return value


def _witness(value: bytes, limit: PartLimit) -> tuple[bytes, ...]:
    reader = ByteReader(value, Code.MALFORMED_PSBT, limit)
    items = read_witness(reader)
    reader.require_end()
    return items
