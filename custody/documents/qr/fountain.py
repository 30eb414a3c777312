"""The fountain code of multipart UR: any parts in any order, a few more than there are fragments, suffice.

Source: BCR-2020-005 and BCR-2024-001 (multipart UR): xoshiro256** seeded by SHA-256, Walker's alias
method for the degree, a Fisher-Yates shuffle for the choice. Both ends must draw the same numbers, so the
floating-point steps are those of the reference.

Joining is linear algebra over two elements: each part is an equation about the fragments, kept in echelon
form. That needs never more parts than any other method, and a part that contradicts what is known shows
itself. Every number that a part declares is bounded before anything of its size is built; `seq_num` may go
far beyond `seq_len`, because that is how a fountain works.
"""

import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from custody.documents.qr.cbor import cbor_decode, cbor_encode
from custody.documents.qr.refusals import malformed, mixed, too_large

MAX_FRAGMENTS = 5_000
MAX_MESSAGE = 16_000_000
"""Bytes; the size up to which a PSBT is read at all."""
_MAX_UINT32 = 0xFFFFFFFF
_MASK = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Part:
    """One frame's share of a message. An instance keeps within the limits."""

    seq_num: int
    """From 1; up to `seq_len` a fragment by itself, beyond that a mixture."""
    seq_len: int
    message_len: int
    checksum: int
    """CRC-32 of the whole message."""
    data: bytes

    def __post_init__(self) -> None:
        if not 1 <= self.seq_num <= _MAX_UINT32 or not 0 <= self.checksum <= _MAX_UINT32:
            raise malformed("a frame has a sequence number or a checksum outside 32 bits")
        if self.seq_len > MAX_FRAGMENTS or self.message_len > MAX_MESSAGE:
            raise too_large(
                f"a frame declares {self.seq_len} fragments and {self.message_len} bytes, "
                f"at most {MAX_FRAGMENTS} and {MAX_MESSAGE} are read"
            )
        if not self.data or self.seq_len != -(-self.message_len // len(self.data)):
            raise malformed("a frame's length doesn't fit the number of frames and bytes that it declares")

    @property
    def header(self) -> tuple[int, int, int, int]:
        """What all parts of one message share."""
        return self.seq_len, self.message_len, self.checksum, len(self.data)

    @classmethod
    def from_cbor(cls, raw: bytes) -> "Part":
        """Read the five items of a frame's body.

        Raises:
            InvalidInput: QR_MALFORMED, QR_TOO_LARGE.
        """
        items = cbor_decode(raw)
        if not isinstance(items, tuple) or len(items) != 5 or not isinstance(items[4], bytes):
            raise malformed("a frame of a multipart UR doesn't hold four numbers and bytes")
        numbers = [item for item in items[:4] if isinstance(item, int) and not isinstance(item, bool)]
        if len(numbers) != 4:
            raise malformed("a frame of a multipart UR doesn't hold four numbers and bytes")
        seq_num, seq_len, message_len, checksum = numbers
        return cls(seq_num, seq_len, message_len, checksum, items[4])

    def to_cbor(self) -> bytes:
        """Return the frame's body."""
        return cbor_encode((self.seq_num, self.seq_len, self.message_len, self.checksum, self.data))


def fountain_parts(message: bytes, max_fragment: int) -> Iterator[Part]:
    """Yield parts of `message` without end: first each fragment, then mixtures.

    `max_fragment` bytes at most are in a part; fragments are as equal as can be.

    Raises:
        InvalidInput: QR_TOO_LARGE: more fragments or bytes than are ever read.
    """
    length = -(-len(message) // -(-len(message) // max_fragment))
    fragments = [message[start : start + length].ljust(length, b"\0") for start in range(0, len(message), length)]
    checksum = zlib.crc32(message)
    values = [int.from_bytes(fragment, "big") for fragment in fragments]
    seq_num = 0
    while True:
        seq_num = seq_num % _MAX_UINT32 + 1
        mixture = 0
        for index in choose_fragments(seq_num, len(fragments), checksum):
            mixture ^= values[index]
        yield Part(seq_num, len(fragments), len(message), checksum, mixture.to_bytes(length, "big"))


class FountainJoiner:
    """Collects the parts of one message."""

    __slots__ = ("_first", "_rows")

    def __init__(self, first: Part) -> None:
        self._first = first
        self._rows: dict[int, tuple[int, int]] = {}
        """By its lowest fragment: which fragments an equation mixes (a bit each), and their sum."""
        self.add(first)

    @property
    def known(self) -> int:
        """How many independent parts were seen; complete at `needed`."""
        return len(self._rows)

    @property
    def needed(self) -> int:
        """How many fragments the message has."""
        return self._first.seq_len

    def add(self, part: Part) -> None:
        """Take one part; a repeated or dependent one changes nothing.

        Raises:
            InvalidInput: QR_MIXED: it is of another message, or contradicts the parts before it.
        """
        if part.header != self._first.header:
            raise mixed("frames of two UR payloads are mixed: their number, length or checksum differs")
        mask = sum(1 << index for index in choose_fragments(part.seq_num, part.seq_len, part.checksum))
        value = int.from_bytes(part.data, "big")
        while mask:
            lowest = (mask & -mask).bit_length() - 1
            row = self._rows.get(lowest)
            if row is None:
                self._rows[lowest] = (mask, value)
                return
            mask, value = mask ^ row[0], value ^ row[1]
        if value:
            raise mixed("two frames of the same UR payload contradict each other")

    def message(self) -> bytes:
        """Return the whole message; only where `known` equals `needed`.

        Raises:
            InvalidInput: QR_MIXED: the checksum that every frame names is not the message's.
        """
        length = len(self._first.data)
        solved: dict[int, int] = {}
        for lowest in sorted(self._rows, reverse=True):
            mask, value = self._rows[lowest]
            rest = mask ^ (1 << lowest)
            while rest:
                other = (rest & -rest).bit_length() - 1
                value ^= solved[other]
                rest &= rest - 1
            solved[lowest] = value
        whole = b"".join(solved[index].to_bytes(length, "big") for index in range(self.needed))
        message, padding = whole[: self._first.message_len], whole[self._first.message_len :]
        if zlib.crc32(message) != self._first.checksum or any(padding):
            raise mixed("the joined frames don't have the checksum that each of them names")
        return message


def choose_fragments(seq_num: int, seq_len: int, checksum: int) -> list[int]:
    """Return the fragments that part `seq_num` mixes, from 0, in the order in which they were drawn."""
    if seq_num <= seq_len:
        return [seq_num - 1]
    random = Xoshiro256(seq_num.to_bytes(4, "big") + checksum.to_bytes(4, "big"))
    degree = choose_degree(seq_len, random)
    remaining = list(range(seq_len))
    # The reference shuffles all and takes the first; what is drawn after those changes nothing.
    return [remaining.pop(random.below(len(remaining))) for _ in range(degree)]


def choose_degree(seq_len: int, random: "Xoshiro256") -> int:
    """Return how many fragments a part mixes, from 1, where n is drawn in proportion to 1/n."""
    probabilities, aliases = _alias_table(seq_len)
    place = random.below(seq_len)
    return (place if random.fraction() < probabilities[place] else aliases[place]) + 1


@lru_cache(maxsize=4)
def _alias_table(count: int) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Return Walker's tables for 1/1, 1/2, … 1/count, built in the reference's order."""
    weights = [1.0 / (index + 1) for index in range(count)]
    total = _sum(weights)
    scaled = [weight * float(count) / total for weight in weights]
    small = [index for index in reversed(range(count)) if scaled[index] < 1]
    large = [index for index in reversed(range(count)) if scaled[index] >= 1]
    probabilities, aliases = [1.0] * count, [0] * count
    while small and large:
        low, high = small.pop(), large.pop()
        probabilities[low], aliases[low] = scaled[low], high
        scaled[high] += scaled[low] - 1
        (small if scaled[high] < 1 else large).append(high)
    return tuple(probabilities), tuple(aliases)


def _sum(numbers: list[float]) -> float:
    """Add from the left, rounding at each step as the reference does; `sum` of Python 3.12 is more exact."""
    total = 0.0
    for number in numbers:
        total += number
    return total


class Xoshiro256:
    """The generator xoshiro256** over the SHA-256 of a seed. Not random: both ends must draw the same."""

    __slots__ = ("_state",)

    def __init__(self, seed: bytes) -> None:
        digest = hashlib.sha256(seed).digest()
        self._state = [int.from_bytes(digest[start : start + 8], "big") for start in (0, 8, 16, 24)]

    def next(self) -> int:
        """Return 64 bits."""
        state = self._state
        result = (_rotate(state[1] * 5 & _MASK, 7) * 9) & _MASK
        shifted = state[1] << 17 & _MASK
        state[2] ^= state[0]
        state[3] ^= state[1]
        state[1] ^= state[2]
        state[0] ^= state[3]
        state[2] ^= shifted
        state[3] = _rotate(state[3], 45)
        return result

    def fraction(self) -> float:
        """Return a number from 0 up to 1."""
        return float(self.next()) / 18446744073709551616.0

    def below(self, count: int) -> int:
        """Return a number from 0 to `count` - 1."""
        return min(int(self.fraction() * count), count - 1)


def _rotate(value: int, bits: int) -> int:
    return (value << bits | value >> (64 - bits)) & _MASK
