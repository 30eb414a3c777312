"""Partially signed transactions, versions 0 and 2, read strictly and written back to the byte.

A file is accepted only if it re-serialises to itself. Everything in it is a claim: this
module types it, `psbt_roles.py` and the review judge it against the caller's own facts.
Source: BIP 174, BIP 370.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, replace

from custody.bitcoin.psbt_fields import MAGIC
from custody.bitcoin.psbt_fields import GlobalXpub as GlobalXpub
from custody.bitcoin.psbt_fields import KeyDerivation as KeyDerivation
from custody.bitcoin.psbt_fields import PartialSignature as PartialSignature
from custody.bitcoin.psbt_fields import RawField as RawField
from custody.bitcoin.psbt_global import GlobalMap, global_fields, read_global
from custody.bitcoin.psbt_input import PsbtInput as PsbtInput
from custody.bitcoin.psbt_input import input_fields, read_input
from custody.bitcoin.psbt_output import PsbtOutput as PsbtOutput
from custody.bitcoin.psbt_output import output_fields, read_output
from custody.bitcoin.psbt_reader import MAX_BYTES, MAX_UNKNOWN_FIELDS, PsbtReader, malformed, require_at_most
from custody.bitcoin.psbt_writer import write_map
from custody.bitcoin.transaction import Transaction, TxInput, TxOutput
from custody.codes import Code
from custody.errors import InvalidInput

_BASE64_MAGIC = b"cHNidP"
_WHITE_SPACE = b" \t\r\n"


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
    signed_message: bytes | None = None
    """What a BIP 322 signature says, as the file claims; the transaction commits to it or not."""
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
            InvalidInput: MALFORMED_PSBT, PSBT_NOT_CANONICAL, PSBT_TOO_LARGE, LOCKTIME_CONFLICT,
                UNSUPPORTED_PSBT_VERSION, UNSUPPORTED_PSBT_FIELD, AMOUNT_OUT_OF_RANGE.
            SecretRefused: private key material in a field.
        """
        reader = PsbtReader(raw)
        if reader.left < len(MAGIC) or reader.read(len(MAGIC)) != MAGIC:
            raise malformed("the file does not begin like a PSBT")
        stated = read_global(reader.read_map(), reader.parts)
        psbt = _read_rest(reader, stated)
        reader.require_end()
        require_at_most(psbt.unknown_count, MAX_UNKNOWN_FIELDS, "unknown fields")
        determine_locktime(psbt.inputs, psbt.fallback_locktime)
        # INVARIANT: what is accepted here is the only byte string that says it.
        if psbt.serialize() != raw:
            raise InvalidInput(
                Code.PSBT_NOT_CANONICAL,
                "the PSBT does not re-serialise to itself",
                advice="Ask for the file again and compare its digest with the sender.",
            )
        return psbt

    def serialize(self) -> bytes:
        """Return the binary PSBT; what was read comes back to the byte."""
        parts = [MAGIC, write_map(global_fields(self._global_map()), self.key_order)]
        parts += [write_map(input_fields(one, self.version), one.key_order) for one in self.inputs]
        parts += [write_map(output_fields(one, self.version), one.key_order) for one in self.outputs]
        return b"".join(parts)

    @property
    def unknown_count(self) -> int:
        """How many fields of all maps this toolkit keeps without reading them."""
        inputs = sum(len(one.unknown) for one in self.inputs)
        return len(self.unknown) + inputs + sum(len(one.unknown) for one in self.outputs)

    def _global_map(self) -> GlobalMap:
        return GlobalMap(
            version=self.version,
            unsigned=self.unsigned_transaction() if self.version == 0 else None,
            tx_version=self.tx_version,
            fallback_locktime=self.fallback_locktime,
            input_count=len(self.inputs),
            output_count=len(self.outputs),
            tx_modifiable=self.tx_modifiable,
            signed_message=self.signed_message,
            xpubs=self.global_xpubs,
            unknown=self.unknown,
            states_version_zero=self.states_version_zero,
            key_order=self.key_order,
        )

    def to_base64(self) -> str:
        """Return the base64 text that wallets exchange."""
        return base64.b64encode(self.serialize()).decode("ascii")

    @property
    def locktime(self) -> int:
        """The locktime that enters the transaction, determined as BIP 370 says.

        Raises:
            InvalidInput: LOCKTIME_CONFLICT.
        """
        return determine_locktime(self.inputs, self.fallback_locktime)

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
    if data.startswith(MAGIC):
        return Psbt.parse(data)
    require_at_most(len(data), MAX_BYTES * 4 // 3 + 4, "bytes of text")
    text = data.strip(_WHITE_SPACE)
    if not text.startswith(_BASE64_MAGIC):
        raise malformed("the file is a PSBT neither in binary nor in base64")
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise malformed("the base64 text of the PSBT is damaged") from error
    if base64.b64encode(raw) != text:
        raise malformed("the base64 text of the PSBT is not the one that its bytes give")
    return Psbt.parse(raw)


def determine_locktime(inputs: Sequence[PsbtInput], fallback: int | None) -> int:
    """Return the transaction's locktime from what the inputs require.

    Raises:
        InvalidInput: LOCKTIME_CONFLICT: one input needs a height, another a time.
    Source: BIP 370, "Determining Lock Time".
    """
    times = [one.required_time_locktime for one in inputs]
    heights = [one.required_height_locktime for one in inputs]
    asking = [pair for pair in zip(times, heights, strict=True) if pair != (None, None)]
    if not asking:
        return fallback or 0
    asked_heights = [height for _, height in asking if height is not None]
    if len(asked_heights) == len(asking):
        return max(asked_heights)
    asked_times = [time for time, _ in asking if time is not None]
    if len(asked_times) == len(asking):
        return max(asked_times)
    raise InvalidInput(
        Code.LOCKTIME_CONFLICT,
        "one input requires a height as locktime and another a time",
        advice="Spend these inputs in separate transactions.",
    )


def _read_rest(reader: PsbtReader, stated: GlobalMap) -> Psbt:
    if stated.input_count + stated.output_count > reader.left:
        raise malformed(f"{stated.input_count + stated.output_count} maps are declared, {reader.left} bytes are left")
    unsigned = stated.unsigned
    inputs = tuple(
        read_input(
            reader.read_map(), None if unsigned is None else unsigned.inputs[index], f"input {index}", reader.parts
        )
        for index in range(stated.input_count)
    )
    outputs = tuple(
        read_output(reader.read_map(), None if unsigned is None else unsigned.outputs[index], f"output {index}")
        for index in range(stated.output_count)
    )
    return Psbt(
        version=stated.version,
        tx_version=stated.tx_version,
        fallback_locktime=stated.fallback_locktime,
        inputs=inputs,
        outputs=outputs,
        global_xpubs=stated.xpubs,
        tx_modifiable=stated.tx_modifiable,
        signed_message=stated.signed_message,
        unknown=stated.unknown,
        states_version_zero=stated.states_version_zero,
        key_order=stated.key_order,
    )
