"""Blocks for a test chain: header, merkle root, witness commitment, coinbase, proof of work.

Everything that a miner at regtest difficulty puts together, as pure functions over values.
A block built here counts for nothing until a full node's engine has accepted it: no rule of
consensus is judged in this module but the hash of a header against its own target.
Source: BIP 34 (height in the coinbase), BIP 141 (witness commitment), BIP 113 (median time).
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace

from custody.bitcoin.amount import SATS_PER_BTC, Sats, sats
from custody.bitcoin.hashing import sha256d
from custody.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput, write_compact_size
from custody.codes import Code
from custody.errors import InvalidInput

HEADER_SIZE = 80
REGTEST_BITS = 0x207FFFFF
"""The easiest target; regtest never changes it."""
BLOCK_VERSION = 0x20000000
MEDIAN_TIME_SPAN = 11
REGTEST_HALVING_INTERVAL = 150
COINBASE_MATURITY = 100

_HEADER = struct.Struct("<i32s32sIII")
_NONCE_LIMIT = 1 << 32
_RESERVED_VALUE = bytes(32)
_COMMITMENT_PREFIX = bytes.fromhex("6a24aa21a9ed")
_NULL_OUTPOINT = OutPoint("00" * 32, 0xFFFFFFFF)
_OP_1_MINUS_1 = 0x50


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """The 80 bytes that a block's hash is made of."""

    version: int
    previous: bytes
    """Hash of the block before, internal (little-endian) order."""
    merkle_root: bytes
    """Internal (little-endian) order."""
    time: int
    """Unix seconds."""
    bits: int
    nonce: int

    @classmethod
    def parse(cls, raw: bytes) -> "BlockHeader":
        """Read the 80 bytes of a header.

        Raises:
            InvalidInput: MALFORMED_TRANSACTION for any other length.
        """
        if len(raw) != HEADER_SIZE:
            raise InvalidInput(
                Code.MALFORMED_TRANSACTION,
                f"a block header has {len(raw)} bytes, expected {HEADER_SIZE}",
                advice="Read the block from the node again.",
            )
        return cls(*_HEADER.unpack(raw))

    def serialize(self) -> bytes:
        """Return the 80 bytes."""
        return _HEADER.pack(self.version, self.previous, self.merkle_root, self.time, self.bits, self.nonce)

    @property
    def block_hash(self) -> str:
        """As displayed (big-endian hex)."""
        return sha256d(self.serialize())[::-1].hex()

    @property
    def meets_target(self) -> bool:
        """Whether the hash lies within the target that the header itself names."""
        return int.from_bytes(sha256d(self.serialize()), "little") <= target_of(self.bits)


@dataclass(frozen=True, slots=True)
class Block:
    """A header with the transactions that its merkle root commits to, the coinbase first."""

    header: BlockHeader
    transactions: tuple[Transaction, ...]

    def serialize(self) -> bytes:
        """Return the block as the network writes it, witnesses included."""
        body = b"".join(transaction.serialize() for transaction in self.transactions)
        return self.header.serialize() + write_compact_size(len(self.transactions)) + body


def target_of(bits: int) -> int:
    """Return the target that the compact form `bits` stands for; 0 for a negative or oversized one."""
    exponent, mantissa = bits >> 24, bits & 0x007FFFFF
    if bits & 0x00800000 or exponent > 32:
        return 0
    return mantissa << (8 * (exponent - 3)) if exponent >= 3 else mantissa >> (8 * (3 - exponent))


def merkle_root(hashes: Sequence[bytes]) -> bytes:
    """Return the merkle root of 32-byte hashes in internal order; at least one is needed."""
    level = list(hashes)
    while len(level) > 1:
        if len(level) % 2:
            level.append(level[-1])
        level = [sha256d(level[at] + level[at + 1]) for at in range(0, len(level), 2)]
    return level[0]


def median_time_past(times: Sequence[int]) -> int:
    """Return the median of the last eleven block times, or of as many as there are.

    Source: BIP 113.
    """
    span = sorted(times[-MEDIAN_TIME_SPAN:])
    return span[len(span) // 2]


def regtest_subsidy(height: int) -> Sats:
    """Return what a regtest block at `height` may create, without fees."""
    halvings = height // REGTEST_HALVING_INTERVAL
    return sats(50 * SATS_PER_BTC >> halvings if halvings < 64 else 0)


def height_push(height: int) -> bytes:
    """Return the script that opens a coinbase's script_sig: the block's height as a minimal push.

    Source: BIP 34.
    """
    if height == 0:
        return b"\x00"
    if height <= 16:
        return bytes([_OP_1_MINUS_1 + height])
    number = height.to_bytes(height.bit_length() // 8 + 1, "little")
    return bytes([len(number)]) + number


def witness_commitment_script(transactions: Sequence[Transaction]) -> bytes:
    """Return the coinbase output script that commits to the witnesses of all but the coinbase.

    Source: BIP 141.
    """
    hashes = [bytes(32), *(bytes.fromhex(transaction.wtxid)[::-1] for transaction in transactions)]
    return _COMMITMENT_PREFIX + sha256d(merkle_root(hashes) + _RESERVED_VALUE)


def coinbase_transaction(
    height: int, value: Sats, script_pubkey: bytes, transactions: Sequence[Transaction], *, extra: bytes = b""
) -> Transaction:
    """Return the coinbase of a block that holds `transactions` besides it.

    `extra` (at most 90 bytes) makes two coinbases at one height differ.
    """
    script_sig = height_push(height) + bytes([len(extra) + 1]) + b"\x00" + extra
    outputs = (TxOutput(value, script_pubkey), TxOutput(sats(0), witness_commitment_script(transactions)))
    return Transaction(2, (TxInput(_NULL_OUTPOINT, script_sig, witness=(_RESERVED_VALUE,)),), outputs, 0)


def is_coinbase(transaction: Transaction) -> bool:
    """Whether the transaction creates coins: one input that spends nothing."""
    return len(transaction.inputs) == 1 and transaction.inputs[0].outpoint == _NULL_OUTPOINT


def mine_block(previous_hash: str, time: int, transactions: Sequence[Transaction]) -> Block:
    """Return a block at regtest difficulty, its nonce found by trying.

    `transactions` starts with the coinbase; `previous_hash` is as displayed. Two tries are
    the average at this difficulty.
    """
    root = merkle_root([bytes.fromhex(transaction.txid)[::-1] for transaction in transactions])
    header = BlockHeader(BLOCK_VERSION, bytes.fromhex(previous_hash)[::-1], root, time, REGTEST_BITS, 0)
    while not header.meets_target and header.nonce + 1 < _NONCE_LIMIT:
        header = replace(header, nonce=header.nonce + 1)
    return Block(header, tuple(transactions))
