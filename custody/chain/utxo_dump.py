"""A copy of all unspent outputs, as a node's `dumptxoutset` writes it, read as a stream without any node.

Format 2, of Bitcoin Core 28 and Knots 28 on. The file names its block by hash alone: neither a height nor
anything that proves its content stands in it. What it says is the word of whoever wrote it, unless its
hash is compared with the `hash_serialized_3` that a trusted node's `gettxoutsetinfo` gives at that block:
then it is that node's set of unspent outputs, whole and unchanged.
Source: Bitcoin Core, `src/node/utxo_snapshot.h`.
"""

import struct
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from custody.atomic import read_blocks, read_start
from custody.bitcoin.amount import Sats
from custody.bitcoin.network import Network
from custody.chain.utxo_dump_coins import DumpCoins, invalid_dump
from custody.codes import Code
from custody.errors import CheckFailed, InvalidInput
from custody.ports import ChainCoin, Progress

_MAGIC = b"utxo\xff"
_VERSION = 2
_HEADER = struct.Struct("<5sH4s32sQ")
_MAX_COINS = 10**10
_BLOCK_BYTES = 2 << 20
_NETWORKS = {
    bytes.fromhex("f9beb4d9"): Network.MAIN,
    bytes.fromhex("1c163f28"): Network.TESTNET4,
    bytes.fromhex("0a03cf40"): Network.SIGNET,
    bytes.fromhex("fabfb5da"): Network.REGTEST,
}


@dataclass(frozen=True, slots=True)
class DumpReading:
    """What a whole file held."""

    coins: tuple[ChainCoin, ...]
    """Those with a wanted script, in the file's order."""
    coin_count: int
    """All of the file's."""
    total: Sats
    """Of all coins of the file."""
    highest_height: int
    """The highest block of any coin: the file's own block, where that block paid its miner a spendable output."""
    txoutset_hash: str | None
    """`hash_serialized_3` of all coins, as a node displays it; None where it was not asked for."""

    def require_hash(self, expected: str) -> None:
        """Demand that the file is the set of unspent outputs with a trusted hash.

        Raises:
            CheckFailed: TXOUTSET_HASH_DIFFERS.
        """
        if self.txoutset_hash != expected:
            raise CheckFailed(
                Code.TXOUTSET_HASH_DIFFERS,
                f"the copy of the UTXO set has the hash `{self.txoutset_hash}`, expected `{expected}`",
                advice="Don't use this file: coins were added, removed or changed, or the hash is of another block.",
            )


@dataclass(frozen=True, slots=True)
class UtxoDump:
    """A file whose first bytes were read; the coins are read by `scan`, `read` or `read_hashed`."""

    path: Path
    network: Network
    block_hash: str
    """Of the block whose state it is, as displayed."""
    coin_count: int

    @classmethod
    def open(cls, path: Path) -> "UtxoDump":
        """Read what stands before the coins.

        Raises:
            InvalidInput: UTXO_DUMP_INVALID, or the file can't be read.
        """
        return cls(path, *_read_header(read_start(path, _HEADER.size)))

    def scan(self, scripts: frozenset[bytes], progress: Progress) -> tuple[ChainCoin, ...]:
        """Return the coins with any of `scripts`, after the whole file was read and checked.

        Raises:
            InvalidInput: UTXO_DUMP_INVALID, with the position in bytes of what is damaged.
        """
        return self.read(scripts, progress).coins

    def read(self, scripts: frozenset[bytes], progress: Progress) -> DumpReading:
        """Read and check the whole file without its hash; errors as `scan`."""
        return self._read(scripts, progress, hashing=False)

    def read_hashed(self, scripts: frozenset[bytes], progress: Progress) -> DumpReading:
        """Read and check the whole file with its hash, which takes about half as long again; errors as `scan`."""
        return self._read(scripts, progress, hashing=True)

    def _read(self, scripts: frozenset[bytes], progress: Progress, *, hashing: bool) -> DumpReading:
        coins = DumpCoins(scripts, offset=_HEADER.size, hashing=hashing)
        with closing(_blocks(self.path)) as blocks:
            first = next(blocks, b"")
            if _read_header(first) != (self.network, self.block_hash, self.coin_count):
                raise invalid_dump("the file changed while it was read", 0)
            for done in coins.feed(_after_header(first, blocks), self.coin_count):
                progress("reading the copy of the UTXO set", done, self.coin_count)
        return DumpReading(tuple(coins.found), coins.count, Sats(coins.total), coins.highest >> 1, coins.txoutset_hash)


def _blocks(path: Path) -> Generator[bytes, None, None]:
    yield from read_blocks(path, block_bytes=_BLOCK_BYTES)


def _after_header(first: bytes, blocks: Iterator[bytes]) -> Iterator[bytes]:
    yield first[_HEADER.size :]
    yield from blocks


def _read_header(start: bytes) -> tuple[Network, str, int]:
    if start[: len(_MAGIC)] != _MAGIC:
        raise _not_a_dump("it doesn't begin with `utxo` and the byte ff")
    if len(start) < _HEADER.size:
        raise invalid_dump("it ends within its header", len(start))
    _, version, magic, block, count = _HEADER.unpack_from(start)
    if version != _VERSION:
        raise _not_a_dump(f"it is of version {version}")
    network = _NETWORKS.get(magic)
    if network is None:
        raise invalid_dump(f"its network `{magic.hex()}` is none that is known here", 7)
    if not 0 < count <= _MAX_COINS:
        raise invalid_dump(f"it announces {count} coins", 43)
    return network, block[::-1].hex(), count


def _not_a_dump(why: str) -> InvalidInput:
    return InvalidInput(
        Code.UTXO_DUMP_INVALID,
        f"the file is no copy of a UTXO set in format 2: {why}",
        advice="Let Bitcoin Core 28 or later, or Knots 28 or later, write it with `dumptxoutset FILE latest`.",
    )
