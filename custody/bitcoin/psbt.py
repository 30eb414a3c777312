"""Partially signed transactions, versions 0 and 2, read strictly and written back to the byte.

A file is accepted only if it re-serialises to itself. Everything in it is a claim: this
module types it, `psbt_roles.py` and the review judge it against the caller's own facts.
Source: BIP 174, BIP 370.
"""

from dataclasses import dataclass, replace

from custody.bitcoin.psbt_fields import GlobalXpub, KeyDerivation, PartialSignature, RawField
from custody.bitcoin.psbt_input import PsbtInput
from custody.bitcoin.psbt_output import PsbtOutput
from custody.bitcoin.transaction import Transaction, TxInput, TxOutput


@dataclass(frozen=True, slots=True)
class Psbt:
    """A PSBT of version 0 or 2. Change it with `dataclasses.replace` or `with_input`, `with_output`."""

    version: int
    """0 (BIP 174) or 2 (BIP 370)."""
    tx_version: int
    fallback_locktime: int | None
    """Version 0: the transaction's locktime. Version 2: used where no input requires one; read `locktime`."""
    inputs: tuple[PsbtInput, ...]
    outputs: tuple[PsbtOutput, ...]
    global_xpubs: tuple[GlobalXpub, ...] = ()
    tx_modifiable: int | None = None
    """Version 2 only: bit flags of BIP 370; anything but None or 0 leaves the transaction open."""
    unknown: tuple[RawField, ...] = ()
    """Unknown and proprietary global fields, in the file's order."""
    states_version_zero: bool = False
    """Whether a version 0 file carries the optional version field."""
    key_order: tuple[bytes, ...] | None = None

    @classmethod
    def create(cls, unsigned: Transaction) -> "Psbt":
        """Return a version 0 PSBT of an unsigned transaction, without metadata (Creator of BIP 174)."""
        inputs = tuple(PsbtInput(i.outpoint, i.sequence) for i in unsigned.inputs)
        outputs = tuple(PsbtOutput(o.value, o.script_pubkey) for o in unsigned.outputs)
        return cls(0, unsigned.version, unsigned.locktime, inputs, outputs)

    @classmethod
    def parse(cls, raw: bytes) -> "Psbt":
        """Read a binary PSBT; only a byte string that re-serialises to itself is accepted.

        Raises:
            InvalidInput: MALFORMED_PSBT, PSBT_NOT_CANONICAL, PSBT_TOO_LARGE, UNSUPPORTED_PSBT_VERSION, UNSUPPORTED_PSBT_FIELD.
            SecretRefused: private key material in a field.
        """
        raise NotImplementedError

    def serialize(self) -> bytes:
        """Return the binary PSBT; what was read comes back to the byte."""
        raise NotImplementedError

    def to_base64(self) -> str:
        """Return the base64 text that wallets exchange."""
        raise NotImplementedError

    @property
    def locktime(self) -> int:
        """The locktime that enters the transaction, determined as BIP 370 says.

        Raises:
            InvalidInput: LOCKTIME_CONFLICT.
        """
        raise NotImplementedError

    def unsigned_transaction(self) -> Transaction:
        """Return the transaction that signatures commit to."""
        inputs = tuple(TxInput(i.outpoint, b"", i.sequence) for i in self.inputs)
        outputs = tuple(TxOutput(o.value, o.script_pubkey) for o in self.outputs)
        return Transaction(self.tx_version, inputs, outputs, self.locktime)

    @property
    def unsigned_txid(self) -> str:
        """The unsigned transaction's txid, as displayed; the final txid too where every input is native segwit."""
        return self.unsigned_transaction().txid

    def with_input(self, index: int, new: PsbtInput) -> "Psbt":
        """Return a copy whose input `index` is `new`."""
        return replace(self, inputs=(*self.inputs[:index], new, *self.inputs[index + 1 :]))

    def with_output(self, index: int, new: PsbtOutput) -> "Psbt":
        """Return a copy whose output `index` is `new`."""
        return replace(self, outputs=(*self.outputs[:index], new, *self.outputs[index + 1 :]))


def psbt_from_text_or_bytes(data: bytes) -> Psbt:
    """Read a PSBT file as people hand it over: binary, or strict base64 with white space around it.

    Raises:
        InvalidInput: as `Psbt.parse`, or MALFORMED_PSBT when it is neither.
    """
    raise NotImplementedError


__all__ = [
    "GlobalXpub",
    "KeyDerivation",
    "PartialSignature",
    "Psbt",
    "PsbtInput",
    "PsbtOutput",
    "RawField",
    "psbt_from_text_or_bytes",
]
