"""The coins of a `dumptxoutset` file, read block by block: memory stays flat however large the file is.

A set of all unspent outputs has some 170 million coins, so the loop over them is written for speed: one
function, plain indexes, and nothing is made of a coin that isn't wanted. It still checks every field of
every coin; what is damaged is refused with its position in the file.
Source: Bitcoin Core, `WriteUTXOSnapshot` in `src/rpc/blockchain.cpp`, `src/coins.h`, `src/kernel/coinstats.cpp`.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import NoReturn

from custody.bitcoin.amount import MAX_MONEY, Sats
from custody.bitcoin.coin_compression import (
    MAX_SCRIPT_SIZE,
    SPECIAL_SIZES,
    compress_script,
    decompress_script,
    has_special_form,
    varint,
)
from custody.bitcoin.hashing import sha256
from custody.bitcoin.transaction import OutPoint, write_compact_size
from custody.codes import Code
from custody.errors import InvalidInput
from custody.ports import ChainCoin

MAX_OUTPUTS = 111_111
"""A block's million bytes hold no more outputs of nine bytes and more."""
_MAX_CODE = 2**32 - 1
_MAX_COMPACT_AMOUNT = 2**55
_SPECIAL = len(SPECIAL_SIZES)
_MAX_COIN_BYTES = 32 + 5 + 5 + 5 + 9 + 3 + MAX_SCRIPT_SIZE
_LIKE_SPECIAL = frozenset(size + _SPECIAL for size in (23, 25, 35, 67))
"""Sizes of whole scripts that might have a shorter form: the only ones that are looked at for it."""
_SINGLE_BYTE_ORDER = 16_512
"""Below, VARINTs order as the numbers do."""


class DumpCoins:
    """What a dump's coins come to; fed with blocks of the file, in order."""

    __slots__ = (
        "_hasher",
        "_left",
        "_offset",
        "_outputs",
        "_pieces",
        "_txid",
        "_unsorted",
        "_vout",
        "_wanted",
        "count",
        "found",
        "highest",
        "total",
    )

    def __init__(self, scripts: Iterable[bytes], *, offset: int, hashing: bool) -> None:
        """Start before the first coin, which stands at `offset` in the file."""
        self._wanted = {compress_script(script): script for script in scripts}
        self._offset = offset
        self._hasher = hashlib.sha256() if hashing else None
        self._left, self._txid, self._vout = 0, b"", -1
        self._outputs, self._unsorted = 0, False
        """How many coins the newest transaction has, and whether they came in another order than their numbers'."""
        self._pieces: list[bytes] = []
        self.found: list[ChainCoin] = []
        self.count = 0
        self.total = 0
        self.highest = 0
        """The highest block that any coin says it is of."""

    @property
    def txoutset_hash(self) -> str | None:
        """`hash_serialized_3` of a node, as displayed, once all is read; None where it wasn't asked for."""
        return None if self._hasher is None else sha256(self._hasher.digest())[::-1].hex()

    def feed(self, blocks: Iterable[bytes], count: int) -> Iterator[int]:
        """Read `count` coins and nothing after them; yield now and then how many are read.

        Raises:
            InvalidInput: UTXO_DUMP_INVALID with the position of what is wrong.
        """
        rest = b""
        for block in blocks:
            buffer = rest + block
            position = self._read(buffer, count, limit=len(buffer) - _MAX_COIN_BYTES, end=len(buffer))
            rest = buffer[position:]
            self._offset += position
            if len(rest) > _MAX_COIN_BYTES:
                break
            yield self.count
        # The last coins, with room behind them: one that is cut off ends in that room, and is seen by it.
        position = self._read(rest + bytes(_MAX_COIN_BYTES), count, limit=len(rest), end=len(rest))
        if self.count < count:
            self._refuse(f"it ends after {self.count} coins of {count}", position)
        if self._left:
            self._refuse(f"its last transaction announces {self._left} coins more than the file", position)
        if position < len(rest):
            self._refuse(f"it goes on after the last of its {count} coins", position)
        yield self.count

    def _read(self, buffer: bytes, count: int, *, limit: int, end: int) -> int:
        """Read the coins that begin before `limit` and return where the next one begins.

        One long function on purpose: a call for each field would take as long as all the rest.
        """
        position, wanted, pieces, hashing = 0, self._wanted, self._pieces, self._hasher is not None
        left, txid, vout, done = self._left, self._txid, self._vout, self.count
        total, highest = self.total, self.highest
        while position < limit and done < count:
            start = position
            # 1. A transaction: its id, above the one before, and how many of its outputs are unspent.
            if not left:
                if self._unsorted:
                    self._sort_transaction()
                if position + 33 > end:
                    self._refuse("it ends within a transaction's id", start)
                before, txid = txid, buffer[position : position + 32]
                if txid <= before:
                    self._refuse("the transactions are not in their order", start)
                left = buffer[position + 32]
                position += 33
                if left > 252:
                    left, position = self._compact_size(buffer, position - 1)
                if not 1 <= left <= MAX_OUTPUTS:
                    self._refuse(f"a transaction with {left} unspent outputs", start)
                self._outputs, vout = left, -1
            # 2. Which output it is, above the one before.
            last, vout = vout, buffer[position]
            position += 1
            if vout > 252:
                vout, position = self._compact_size(buffer, position - 1)
            if vout <= last or vout >= _SINGLE_BYTE_ORDER:
                self._check_order(last, vout, start)
            # 3. Twice the block's height, plus one in a coinbase.
            code, byte = 0, buffer[position]
            position += 1
            while byte > 127:
                code = (code + byte - 127) << 7
                if code > _MAX_CODE:
                    self._refuse("a block height out of range", start)
                byte = buffer[position]
                position += 1
            code += byte
            # 4. The amount.
            compact, byte = 0, buffer[position]
            position += 1
            while byte > 127:
                compact = (compact + byte - 127) << 7
                if compact > _MAX_COMPACT_AMOUNT:
                    self._refuse("an amount out of range", start)
                byte = buffer[position]
                position += 1
            compact += byte
            # No special case for a compact amount of 0: it comes out as 0.
            value, exponent = divmod(compact - 1, 10)
            value = (value + 1 + (value // 9 if exponent < 9 else 0)) * _POWERS[exponent]
            # 5. The script, in its compact form.
            script_start, kind = position, buffer[position]
            if kind < _SPECIAL:
                position += 1 + SPECIAL_SIZES[kind]
                if kind > 3:
                    self._check_script(buffer[script_start:position], start)
            elif kind < 128:
                position += 1 + kind - _SPECIAL
                if kind in _LIKE_SPECIAL:
                    self._check_script(buffer[script_start:position], start)
            else:
                position = self._long_script(buffer, position, start)
            script = buffer[script_start:position]
            if position > end:
                self._refuse("it ends within a coin", start)
            total += value
            if value > MAX_MONEY or total > MAX_MONEY:
                self._refuse("more coins than can ever exist", start)
            if code > highest:
                highest = code
            done += 1
            left -= 1
            if script in wanted:
                self._keep(OutPoint(txid[::-1].hex(), vout), value, wanted[script], code)
            if hashing:
                pieces.append(_hashed(txid, vout, code, value, script))
        self._left, self._txid, self._vout, self.count = left, txid, vout, done
        self.total, self.highest = total, highest
        if not left and self._unsorted:
            self._sort_transaction()
        self._hash_all_but(self._outputs - left if left else 0)
        return position

    def _keep(self, outpoint: OutPoint, value: int, script: bytes, code: int) -> None:
        self.found.append(ChainCoin(outpoint, Sats(value), script, code >> 1, bool(code & 1)))

    def _sort_transaction(self) -> None:
        """Bring the newest transaction's pieces in the order of their numbers: a node hashes in that one."""
        if self._hasher is not None:
            self._pieces[-self._outputs :] = sorted(self._pieces[-self._outputs :], key=_vout_of)
        self._unsorted = False

    def _hash_all_but(self, newest: int) -> None:
        """Hash what is read but the newest pieces, whose transaction goes on and may have to be sorted."""
        if self._hasher is not None:
            whole = len(self._pieces) - newest
            self._hasher.update(b"".join(self._pieces[:whole]))
            del self._pieces[:whole]

    def _compact_size(self, buffer: bytes, position: int) -> tuple[int, int]:
        size = {0xFD: 2, 0xFE: 4, 0xFF: 8}[buffer[position]]
        number = int.from_bytes(buffer[position + 1 : position + 1 + size], "little")
        if write_compact_size(number) != buffer[position : position + 1 + size]:
            self._refuse("a number is not written in its shortest form", position)
        return number, position + 1 + size

    def _check_order(self, last: int, vout: int, start: int) -> None:
        if vout >= MAX_OUTPUTS:
            self._refuse(f"output number {vout} can't exist", start)
        # A node keeps its coins under keys that end with the number as a VARINT, and writes them in that order.
        if last >= 0 and varint(vout) <= varint(last):
            self._refuse("the outputs of a transaction are not in their order", start)
        self._unsorted = self._unsorted or vout < last

    def _check_script(self, compact: bytes, start: int) -> None:
        if compact[0] >= _SPECIAL:
            if has_special_form(compact[1:]):
                self._refuse("a script stands there whole though it has a shorter form", start)
            return
        try:
            decompress_script(compact)
        except InvalidInput as error:
            raise self._error(error.message, start) from error

    def _long_script(self, buffer: bytes, position: int, start: int) -> int:
        size, byte = 0, buffer[position]
        while byte > 127:
            size = (size + byte - 127) << 7
            position += 1
            byte = buffer[position]
            if size > _SPECIAL + MAX_SCRIPT_SIZE:
                break
        size += byte - _SPECIAL
        if size > MAX_SCRIPT_SIZE:
            self._refuse("a script is longer than any that can be spent", start)
        return position + 1 + size

    def _refuse(self, what: str, position: int) -> NoReturn:
        raise self._error(what, position)

    def _error(self, what: str, position: int) -> InvalidInput:
        return invalid_dump(what, self._offset + position)


_POWERS = tuple(10**exponent for exponent in range(10))


def invalid_dump(what: str, position: int) -> InvalidInput:
    """Return the error for a file that is damaged at a position in bytes."""
    return InvalidInput(
        Code.UTXO_DUMP_INVALID,
        f"the copy of the UTXO set is wrong at byte {position}: {what}",
        advice="Copy the file again from the machine that has the node, or let the node write it again.",
        details={"position": position},
    )


def _vout_of(piece: bytes) -> int:
    return int.from_bytes(piece[32:36], "little")


def _hashed(txid: bytes, vout: int, code: int, value: int, compact: bytes) -> bytes:
    """Return what a node's `hash_serialized_3` takes in for one coin: outpoint, code, output."""
    kind = compact[0]
    if _SPECIAL <= kind < 128:
        script = compact[1:]
    elif kind == 0:
        script = b"\x76\xa9\x14" + compact[1:] + b"\x88\xac"
    elif kind == 1:
        script = b"\xa9\x14" + compact[1:] + b"\x87"
    else:
        script = decompress_script(compact)
    size = len(script)
    prefix = bytes((size,)) if size < 253 else write_compact_size(size)
    return (
        txid + vout.to_bytes(4, "little") + code.to_bytes(4, "little") + value.to_bytes(8, "little") + prefix + script
    )
