"""Files of the form that `dumptxoutset` writes, by an encoder of its own: nothing of custody's reader is used.

Source: Bitcoin Core, `src/node/utxo_snapshot.h`, `src/compressor.h` and `.cpp`, `src/kernel/coinstats.cpp`.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

MAGIC = {"main": "f9beb4d9", "testnet4": "1c163f28", "signet": "0a03cf40", "regtest": "fabfb5da"}
FIELD_PRIME = 2**256 - 2**32 - 977


@dataclass(frozen=True)
class DumpCoin:
    """A coin as it stands in such a file."""

    txid: str
    vout: int
    value: int
    script: bytes
    height: int
    coinbase: bool = False


def header(network: str, block_hash: str, count: int, *, version: int = 2) -> bytes:
    """Return what stands before the coins."""
    return (
        b"utxo\xff"
        + version.to_bytes(2, "little")
        + bytes.fromhex(MAGIC[network])
        + bytes.fromhex(block_hash)[::-1]
        + count.to_bytes(8, "little")
    )


def dump(coins: Sequence[DumpCoin], *, network: str = "regtest", block_hash: str = "ab" * 32) -> bytes:
    """Return a whole file; the coins are brought into a node's order."""
    return header(network, block_hash, len(coins)) + b"".join(body(coins))


def body(coins: Iterable[DumpCoin]) -> Iterator[bytes]:
    """Yield what stands of each transaction."""
    ordered = sorted(coins, key=lambda coin: (bytes.fromhex(coin.txid)[::-1], base128(coin.vout)))
    for txid, group in groupby(ordered, key=lambda coin: coin.txid):
        outputs = list(group)
        yield transaction(txid, outputs)


def transaction(txid: str, outputs: Sequence[DumpCoin]) -> bytes:
    """Return one transaction's coins in the order given."""
    parts = [bytes.fromhex(txid)[::-1], compact_size(len(outputs))]
    for coin in outputs:
        parts += [
            compact_size(coin.vout),
            base128(2 * coin.height + coin.coinbase),
            base128(small_amount(coin.value)),
            small_script(coin.script),
        ]
    return b"".join(parts)


def set_hash(coins: Iterable[DumpCoin]) -> str:
    """Return what a node's `gettxoutsetinfo` calls hash_serialized_3."""
    inner = hashlib.sha256()
    for coin in sorted(coins, key=lambda coin: (bytes.fromhex(coin.txid)[::-1], coin.vout)):
        inner.update(bytes.fromhex(coin.txid)[::-1] + coin.vout.to_bytes(4, "little"))
        inner.update((2 * coin.height + coin.coinbase).to_bytes(4, "little") + coin.value.to_bytes(8, "little"))
        inner.update(compact_size(len(coin.script)) + coin.script)
    return hashlib.sha256(inner.digest()).digest()[::-1].hex()


def compact_size(number: int) -> bytes:
    """Return a length as transactions write it."""
    for marker, size in ((b"", 1), (b"\xfd", 2), (b"\xfe", 4)):
        if number < (0xFD if size == 1 else 1 << 8 * size):
            return marker + number.to_bytes(size, "little")
    return b"\xff" + number.to_bytes(8, "little")


def base128(number: int) -> bytes:
    """Return Core's VARINT."""
    out = bytes([number % 128])
    while number >= 128:
        number = number // 128 - 1
        out = bytes([128 + number % 128]) + out
    return out


def small_amount(value: int) -> int:
    """Return Core's compressed amount."""
    if value == 0:
        return 0
    zeros = 0
    while zeros < 9 and value % 10 == 0:
        value, zeros = value // 10, zeros + 1
    if zeros == 9:
        return 10 * value
    return 1 + 10 * (9 * (value // 10) + value % 10 - 1) + zeros


def small_script(script: bytes) -> bytes:
    """Return Core's compressed script."""
    if len(script) == 25 and script.startswith(b"\x76\xa9\x14") and script.endswith(b"\x88\xac"):
        return b"\x00" + script[3:-2]
    if len(script) == 23 and script.startswith(b"\xa9\x14") and script.endswith(b"\x87"):
        return b"\x01" + script[2:-1]
    if len(script) == 35 and script[:2] in (b"\x21\x02", b"\x21\x03") and script.endswith(b"\xac"):
        return script[1:-1]
    if len(script) == 67 and script.startswith(b"\x41\x04") and script.endswith(b"\xac") and _is_point(script[2:66]):
        return bytes([4 + script[65] % 2]) + script[2:34]
    return base128(len(script) + 6) + script


def _is_point(both: bytes) -> bool:
    x, y = int.from_bytes(both[:32], "big"), int.from_bytes(both[32:], "big")
    return x < FIELD_PRIME and y < FIELD_PRIME and (y * y - x**3 - 7) % FIELD_PRIME == 0
