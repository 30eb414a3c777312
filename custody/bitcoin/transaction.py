"""Transactions as the network writes them, read strictly and written back to the byte.

A byte string is accepted only if it is the one serialization of what it says: sizes in
their shortest form, no superfluous witness, no trailing bytes, every amount between 0
and 21 million bitcoin. A declared count or length is compared with the bytes left before
anything is allocated. Nothing here knows about ownership, fees or scripts.
Source: BIP 144 (serialization), BIP 141 (weight).
"""

import re
import struct
from dataclasses import dataclass, field

from custody.bitcoin.amount import MAX_MONEY, Sats, sats
from custody.bitcoin.hashing import sha256d
from custody.codes import Code
from custody.errors import InvalidInput

FINAL_SEQUENCE = 0xFFFFFFFF
_TXID = re.compile(r"[0-9a-f]{64}", re.ASCII)
_OUTPOINT = re.compile(r"(?P<txid>[0-9a-f]{64}):(?P<vout>0|[1-9][0-9]{0,9})", re.ASCII)
_SMALLEST_INPUT = 41
_SMALLEST_OUTPUT = 9
_UINT32 = struct.Struct("<I")
_INT32 = struct.Struct("<i")
_INT64 = struct.Struct("<q")


def write_compact_size(value: int) -> bytes:
    """Return `value` as a CompactSize in its shortest form, 0 <= value < 2**64."""
    if value < 0xFD:
        return value.to_bytes(1, "little")
    if value <= 0xFFFF:
        return b"\xfd" + value.to_bytes(2, "little")
    if value <= 0xFFFFFFFF:
        return b"\xfe" + value.to_bytes(4, "little")
    return b"\xff" + value.to_bytes(8, "little")


def write_bytes(value: bytes) -> bytes:
    """Return `value` with its length in front, as scripts and witness items are written."""
    return write_compact_size(len(value)) + value


class PartLimit:
    """How many inputs, outputs and witness items may still be read, over several transactions."""

    __slots__ = ("_code", "_left")

    def __init__(self, parts: int, code: Code) -> None:
        """Allow `parts` in all; more are refused with `code`."""
        self._left = parts
        self._code = code

    def take(self, parts: int) -> None:
        """Count `parts` before they are read.

        Raises:
            InvalidInput: with the code given, once the limit is passed.
        """
        self._left -= parts
        if self._left < 0:
            raise InvalidInput(
                self._code,
                "the transactions in the file have too many inputs, outputs and witness items",
                advice="Split the payment into smaller ones.",
            )


class ByteReader:
    """Reads a byte string from front to back; every read is checked against the bytes left."""

    __slots__ = ("_code", "_end", "_limit", "data", "position")

    def __init__(self, data: bytes, code: Code, limit: PartLimit | None = None) -> None:
        """Read `data`; anything wrong is raised as `InvalidInput` with `code`. `limit` bounds what `count` allows."""
        self._limit = limit
        self.data = data
        self._end = len(data)
        self._code = code
        self.position = 0

    @property
    def left(self) -> int:
        """How many bytes are not read yet."""
        return self._end - self.position

    def refuse(self, message: str) -> InvalidInput:
        """Return the error for `message`, to be raised where the reason is known."""
        return InvalidInput(
            self._code, message, advice="Ask for the file again and compare its digest with the sender."
        )

    def read(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        start = self.position
        end = start + count
        if end > self._end:
            raise self.refuse(f"{count} bytes are declared at byte {start} and {self._end - start} are left")
        self.position = end
        return self.data[start:end]

    def compact_size(self) -> int:
        """Return the next CompactSize; any but its shortest form is refused."""
        first = self.read(1)[0]
        if first < 0xFD:
            return first
        width = 2 << (first - 0xFD)
        value = int.from_bytes(self.read(width), "little")
        if value < (0xFD if width == 2 else 1 << (4 * width)):
            raise self.refuse(f"the size {value} at byte {self.position - width - 1} is not in its shortest form")
        return value

    def sized_bytes(self) -> bytes:
        """Return the next length-prefixed byte string."""
        return self.read(self.compact_size())

    def count(self, smallest: int, what: str) -> int:
        """Return the next CompactSize as a count of things of at least `smallest` bytes each."""
        value = self.compact_size()
        if value * smallest > self.left:
            raise self.refuse(f"{value} {what} are declared and {self.left} bytes are left")
        if self._limit is not None:
            self._limit.take(value)
        return value

    def uint32(self) -> int:
        """Return the next four bytes as an unsigned integer."""
        value: int = _UINT32.unpack(self.read(4))[0]
        return value

    def int32(self) -> int:
        """Return the next four bytes as a signed integer."""
        value: int = _INT32.unpack(self.read(4))[0]
        return value

    def int64(self) -> int:
        """Return the next eight bytes as a signed integer."""
        value: int = _INT64.unpack(self.read(8))[0]
        return value

    def require_end(self) -> None:
        """Refuse bytes that nothing accounts for."""
        if self.left:
            raise self.refuse(f"{self.left} bytes follow the end at byte {self.position}")


@dataclass(frozen=True, slots=True, order=True)
class OutPoint:
    """One output of one transaction."""

    txid: str
    """As displayed (big-endian hex, lower case)."""
    vout: int

    def __post_init__(self) -> None:
        if _TXID.fullmatch(self.txid) is None or not 0 <= self.vout <= 0xFFFFFFFF:
            raise InvalidInput(
                Code.MALFORMED_TRANSACTION,
                "an outpoint is not `txid:vout`",
                advice="Write 64 hex digits, `:`, a number.",
            )

    @classmethod
    def parse(cls, text: str) -> "OutPoint":
        """Read `txid:vout`.

        Raises:
            InvalidInput: any other form, upper case and leading zeros included.
        """
        match = _OUTPOINT.fullmatch(text)
        if match is None:
            raise InvalidInput(
                Code.MALFORMED_TRANSACTION,
                "an outpoint is not `txid:vout`",
                advice="Write 64 hex digits, `:`, a number.",
            )
        return cls(match["txid"], int(match["vout"]))

    @classmethod
    def from_bytes(cls, raw: bytes) -> "OutPoint":
        """Read the 36 bytes of a serialized input's prevout."""
        return cls(raw[31::-1].hex(), _UINT32.unpack_from(raw, 32)[0])

    def to_bytes(self) -> bytes:
        """Return the 36 bytes: txid in its internal (little-endian) order, then vout."""
        return bytes.fromhex(self.txid)[::-1] + _UINT32.pack(self.vout)

    def __str__(self) -> str:
        return f"{self.txid}:{self.vout}"


@dataclass(frozen=True, slots=True)
class TxInput:
    """One input, with what unlocks it."""

    outpoint: OutPoint
    script_sig: bytes = b""
    sequence: int = FINAL_SEQUENCE
    witness: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class TxOutput:
    """One output: a value and the script that locks it."""

    value: Sats
    script_pubkey: bytes

    def __post_init__(self) -> None:
        if not 0 <= self.value <= MAX_MONEY:
            sats(self.value)

    @classmethod
    def from_bytes(cls, raw: bytes, code: Code) -> "TxOutput":
        """Read one serialized output that fills `raw` entirely; refuse with `code`."""
        reader = ByteReader(raw, code)
        output = _read_output(reader)
        reader.require_end()
        return output

    def to_bytes(self) -> bytes:
        """Return the serialized output."""
        return _INT64.pack(self.value) + write_bytes(self.script_pubkey)


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction whose serialization is the one it was read from."""

    version: int
    """Signed, as consensus reads it; 0 and negative ones are judged by the review."""
    inputs: tuple[TxInput, ...]
    outputs: tuple[TxOutput, ...]
    locktime: int
    _raw: bytes | None = field(default=None, init=False, repr=False, compare=False)
    _stripped: bytes | None = field(default=None, init=False, repr=False, compare=False)
    _txid: str | None = field(default=None, init=False, repr=False, compare=False)

    @classmethod
    def parse(
        cls, raw: bytes, code: Code = Code.MALFORMED_TRANSACTION, limit: PartLimit | None = None
    ) -> "Transaction":
        """Read a transaction in the network's serialization, with or without witness.

        Raises:
            InvalidInput: with `code`, or AMOUNT_OUT_OF_RANGE for an impossible amount.
        Source: BIP 144.
        """
        reader = ByteReader(raw, code, limit)
        version = reader.int32()
        if raw[4:6] != b"\x00\x01":
            transaction = _read_stripped(reader, version)
            if not transaction.inputs:
                raise reader.refuse("the transaction has no input")
            return transaction
        reader.read(2)
        inputs, outputs = _read_inputs(reader), _read_outputs(reader)
        body_end = reader.position
        inputs = _read_witnesses(reader, inputs)
        transaction = cls(version, inputs, outputs, reader.uint32())
        reader.require_end()
        object.__setattr__(transaction, "_raw", raw)
        object.__setattr__(transaction, "_stripped", raw[:4] + raw[6:body_end] + raw[-4:])
        return transaction

    @classmethod
    def parse_without_witness(
        cls, raw: bytes, code: Code = Code.MALFORMED_TRANSACTION, limit: PartLimit | None = None
    ) -> "Transaction":
        """Read the serialization that knows no witness, as a version 0 PSBT holds its unsigned transaction.

        Zero inputs are possible here. Raises as `parse` does.
        """
        reader = ByteReader(raw, code, limit)
        return _read_stripped(reader, reader.int32())

    @property
    def has_witness(self) -> bool:
        """Whether any input carries a witness."""
        return any(tx_input.witness for tx_input in self.inputs)

    def serialize(self) -> bytes:
        """Return the network's serialization, with the witness where there is one."""
        if self._raw is not None:
            return self._raw
        stripped = self.serialize_without_witness()
        if not self.has_witness:
            return stripped
        witness = b"".join(serialize_witness(tx_input.witness) for tx_input in self.inputs)
        return stripped[:4] + b"\x00\x01" + stripped[4:-4] + witness + stripped[-4:]

    def serialize_without_witness(self) -> bytes:
        """Return the serialization that the txid is the hash of."""
        if self._stripped is None:
            object.__setattr__(self, "_stripped", self._strip())
        return self._stripped or b""

    def _strip(self) -> bytes:
        parts = [_INT32.pack(self.version), write_compact_size(len(self.inputs))]
        for tx_input in self.inputs:
            parts.append(tx_input.outpoint.to_bytes())
            parts.append(write_bytes(tx_input.script_sig))
            parts.append(_UINT32.pack(tx_input.sequence))
        parts.append(write_compact_size(len(self.outputs)))
        parts.extend(output.to_bytes() for output in self.outputs)
        parts.append(_UINT32.pack(self.locktime))
        return b"".join(parts)

    @property
    def txid(self) -> str:
        """As displayed (big-endian hex)."""
        if self._txid is None:
            object.__setattr__(self, "_txid", sha256d(self.serialize_without_witness())[::-1].hex())
        return self._txid or ""

    @property
    def wtxid(self) -> str:
        """As displayed (big-endian hex); equal to the txid without a witness."""
        return sha256d(self.serialize())[::-1].hex()

    @property
    def weight(self) -> int:
        """Weight units (BIP 141)."""
        return 3 * len(self.serialize_without_witness()) + len(self.serialize())

    @property
    def vsize(self) -> int:
        """Virtual bytes, rounded up (BIP 141)."""
        return -(-self.weight // 4)


def serialize_witness(items: tuple[bytes, ...]) -> bytes:
    """Return a witness stack as transactions and PSBTs write it."""
    return write_compact_size(len(items)) + b"".join(write_bytes(item) for item in items)


def read_witness(reader: ByteReader) -> tuple[bytes, ...]:
    """Read a witness stack from `reader`."""
    return tuple(reader.sized_bytes() for _ in range(reader.count(1, "witness items")))


def _read_stripped(reader: ByteReader, version: int) -> Transaction:
    transaction = Transaction(version, _read_inputs(reader), _read_outputs(reader), reader.uint32())
    reader.require_end()
    object.__setattr__(transaction, "_stripped", reader.data)
    return transaction


def _read_inputs(reader: ByteReader) -> tuple[TxInput, ...]:
    return tuple(
        TxInput(OutPoint.from_bytes(reader.read(36)), reader.sized_bytes(), reader.uint32())
        for _ in range(reader.count(_SMALLEST_INPUT, "inputs"))
    )


def _read_outputs(reader: ByteReader) -> tuple[TxOutput, ...]:
    return tuple(_read_output(reader) for _ in range(reader.count(_SMALLEST_OUTPUT, "outputs")))


def _read_output(reader: ByteReader) -> TxOutput:
    return TxOutput(Sats(reader.int64()), reader.sized_bytes())


def _read_witnesses(reader: ByteReader, inputs: tuple[TxInput, ...]) -> tuple[TxInput, ...]:
    filled = tuple(
        TxInput(tx_input.outpoint, tx_input.script_sig, tx_input.sequence, read_witness(reader)) for tx_input in inputs
    )
    if not any(tx_input.witness for tx_input in filled):  # no input at all included
        raise reader.refuse("the transaction announces a witness and has none")
    return filled
