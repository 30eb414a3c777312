"""One output of a PSBT: its value and script, and what the file claims about them."""

from dataclasses import dataclass

from custody.bitcoin import psbt_fields as f
from custody.bitcoin.amount import Sats, sats
from custody.bitcoin.psbt_fields import KeyDerivation, RawField
from custody.bitcoin.psbt_input import read_derivation
from custody.bitcoin.psbt_reader import MapGrammar, RawMap, ascending_or_order, malformed, sort_fields
from custody.bitcoin.transaction import TxOutput

_PLAIN = {f.OUT_REDEEM_SCRIPT: "redeem script", f.OUT_WITNESS_SCRIPT: "witness script"}
_PLAIN_V2 = {f.OUT_AMOUNT: "amount", f.OUT_SCRIPT: "script"}
_KEYED = {f.OUT_BIP32_DERIVATION: "derivation"}
_GRAMMAR = {
    0: MapGrammar(_PLAIN, _KEYED, _PLAIN_V2, f.UNSUPPORTED_OUTPUT),
    2: MapGrammar(_PLAIN | _PLAIN_V2, _KEYED, {}, f.UNSUPPORTED_OUTPUT),
}
_DERIVATION_KEY = bytes((f.OUT_BIP32_DERIVATION,))


@dataclass(frozen=True, slots=True)
class PsbtOutput:
    """An output with its metadata. Only `value` and `script_pubkey` enter the transaction."""

    value: Sats
    script_pubkey: bytes
    redeem_script: bytes | None = None
    witness_script: bytes | None = None
    derivations: tuple[KeyDerivation, ...] = ()
    unknown: tuple[RawField, ...] = ()
    key_order: tuple[bytes, ...] | None = None
    """Order of keys in the file this was read from, where it is not ascending; new outputs leave it None."""


def read_output(fields: RawMap, unsigned: TxOutput | None, where: str) -> PsbtOutput:
    """Give types to one output map; `unsigned` is version 0's half of the output, None in version 2.

    Raises:
        InvalidInput: MALFORMED_PSBT, UNSUPPORTED_PSBT_FIELD, AMOUNT_OUT_OF_RANGE.
        SecretRefused: an unknown field holds a private key.
    """
    found = sort_fields(fields, _GRAMMAR[0 if unsigned is not None else 2], where)
    output = _output(found.plain, where) if unsigned is None else unsigned
    return PsbtOutput(
        value=output.value,
        script_pubkey=output.script_pubkey,
        redeem_script=found.plain.get(f.OUT_REDEEM_SCRIPT),
        witness_script=found.plain.get(f.OUT_WITNESS_SCRIPT),
        derivations=tuple(read_derivation(key, value, where) for _, key, value in found.keyed),
        unknown=tuple(found.unknown),
        key_order=ascending_or_order(fields),
    )


def output_fields(psbt_output: PsbtOutput, version: int) -> RawMap:
    """Return the fields of one output map for PSBT `version`, 0 or 2."""
    plain = {f.OUT_REDEEM_SCRIPT: psbt_output.redeem_script, f.OUT_WITNESS_SCRIPT: psbt_output.witness_script}
    if version == 2:
        plain[f.OUT_AMOUNT] = psbt_output.value.to_bytes(8, "little")
        plain[f.OUT_SCRIPT] = psbt_output.script_pubkey
    fields = {bytes((key_type,)): value for key_type, value in plain.items() if value is not None}
    for derivation in psbt_output.derivations:
        fields[_DERIVATION_KEY + derivation.public_key] = f.origin_to_bytes(derivation.origin)
    fields.update((raw.key, raw.value) for raw in psbt_output.unknown)
    return fields


def _output(plain: dict[int, bytes], where: str) -> TxOutput:
    amount, script = plain.get(f.OUT_AMOUNT), plain.get(f.OUT_SCRIPT)
    if amount is None or script is None or len(amount) != 8:
        raise malformed(f"{where}: the amount or the script is missing or has a wrong length")
    return TxOutput(sats(int.from_bytes(amount, "little", signed=True)), script)
