"""One output of a PSBT: its value and script, and what the file claims about them."""

from dataclasses import dataclass

from custody.bitcoin.amount import Sats
from custody.bitcoin.psbt_fields import KeyDerivation, RawField


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
