"""One input of a PSBT: what the file says about it, typed but not yet believed."""

from dataclasses import dataclass

from custody.bitcoin.psbt_fields import KeyDerivation, PartialSignature, RawField
from custody.bitcoin.transaction import FINAL_SEQUENCE, OutPoint, Transaction, TxOutput


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
