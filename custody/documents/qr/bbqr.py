"""BBQr: frames of hex or base32 behind a header of eight characters, optionally compressed as a whole.

Source: BBQr.md of Coinkite. All frames share encoding, type and total; all but the last are equally long and
hold whole bytes. Base32 is accepted only where it is what the bytes give, so that a payload has one spelling.
"""

import base64
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from custody.documents.qr.refusals import malformed, mixed, too_large, unsupported

MAX_PAYLOAD = 16_000_000
"""Bytes after inflating; the size up to which a PSBT is read at all."""
MAX_RATIO = 100
"""How many times longer than its compressed form a payload may be. PSBTs and transactions stay below 5."""
_RATIO_FREE = 100_000
"""Bytes up to which no ratio is demanded: a short text may well repeat itself."""
MAX_FRAMES = 1_295
HEADER = 8
_MAX_FRAME = 10_000
"""Characters; a QR code holds 4,296."""
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_FRAME = re.compile(
    r"B\$(?P<encoding>[0-9A-Z])(?P<type>[0-9A-Z])(?P<total>[0-9A-Z]{2})(?P<index>[0-9A-Z]{2})(?P<body>.*)", re.DOTALL
)


class BbqrType(StrEnum):
    """What a payload is, by the header's letter."""

    PSBT = "P"
    TRANSACTION = "T"
    JSON = "J"
    CBOR = "C"
    TEXT = "U"
    BINARY = "B"
    EXECUTABLE = "X"


class BbqrEncoding(StrEnum):
    """How bytes are written, by the header's letter."""

    HEX = "H"
    BASE32 = "2"
    COMPRESSED = "Z"


@dataclass(frozen=True, slots=True)
class BbqrFrame:
    """One frame as it was read; its body is whole bytes."""

    encoding: BbqrEncoding
    type: BbqrType
    total: int
    index: int
    body: bytes

    @property
    def header(self) -> tuple[str, str, int]:
        """What all frames of one payload share."""
        return self.encoding, self.type, self.total


def read_bbqr_frame(text: str) -> BbqrFrame:
    """Read one frame.

    Raises:
        InvalidInput: QR_MALFORMED, QR_TOO_LARGE, QR_UNSUPPORTED.
    """
    if len(text) > _MAX_FRAME:
        raise too_large(f"a frame has {len(text)} characters, at most {_MAX_FRAME} are read")
    match = _FRAME.fullmatch(text)
    if match is None:
        raise malformed("a frame begins like BBQr and has no header of BBQr")
    if match["encoding"] not in set(BbqrEncoding):
        raise unsupported(f"the BBQr encoding `{match['encoding']}` is not known")
    if match["type"] not in set(BbqrType):
        raise unsupported(f"the BBQr file type `{match['type']}` is not known")
    total, index = int(match["total"], 36), int(match["index"], 36)
    if not 0 <= index < total:
        raise malformed(f"a frame says that it is number {index} of {total}, from 0")
    encoding = BbqrEncoding(match["encoding"])
    return BbqrFrame(encoding, BbqrType(match["type"]), total, index, _decode(match["body"], encoding))


class BbqrJoiner:
    """Collects frames of one payload."""

    __slots__ = ("_bodies", "_first")

    def __init__(self, first: BbqrFrame) -> None:
        self._first = first
        self._bodies = {first.index: first.body}

    @property
    def type(self) -> BbqrType:
        """The type that every frame names."""
        return self._first.type

    @property
    def known(self) -> int:
        """Different frames seen."""
        return len(self._bodies)

    @property
    def needed(self) -> int:
        """How many there are."""
        return self._first.total

    def add(self, frame: BbqrFrame) -> None:
        """Take a further frame.

        Raises:
            InvalidInput: QR_MIXED: another header, other content at the same place, or another length.
        """
        if frame.header != self._first.header:
            raise mixed("frames of two BBQr payloads are mixed: encoding, type or number differs")
        if self._bodies.setdefault(frame.index, frame.body) != frame.body:
            raise mixed(f"two BBQr frames of number {frame.index} differ")
        self._require_equal_lengths()

    def payload(self) -> bytes:
        """Return the payload; only where `known` equals `needed`.

        Raises:
            InvalidInput: QR_MALFORMED (damaged compression), QR_TOO_LARGE (it inflates too far).
        """
        joined = b"".join(self._bodies[index] for index in range(self.needed))
        return inflate(joined) if self._first.encoding is BbqrEncoding.COMPRESSED else joined

    def _require_equal_lengths(self) -> None:
        last = self.needed - 1
        lengths = {len(body) for index, body in self._bodies.items() if index != last}
        if len(lengths) > 1 or (lengths and len(self._bodies.get(last, b"")) > max(lengths)):
            raise mixed("frames of two BBQr payloads are mixed: their lengths differ")


def bbqr_frames(payload: bytes, file_type: BbqrType, encoding: BbqrEncoding, max_characters: int) -> Iterator[str]:
    """Yield the frames of a payload, none longer than `max_characters`, as equal as can be.

    Raises:
        InvalidInput: QR_TOO_LARGE: it needs more than 1,295 frames.
    """
    data = deflate(payload) if encoding is BbqrEncoding.COMPRESSED else payload
    unit, characters = (1, 2) if encoding is BbqrEncoding.HEX else (5, 8)
    room = (max_characters - HEADER) // characters * unit
    total = -(-len(data) // room) if room > 0 else MAX_FRAMES + 1
    if total > MAX_FRAMES:
        raise too_large(f"the payload needs {total} BBQr frames, at most {MAX_FRAMES} are possible; use denser frames")
    total = max(total, 1)
    length = max(_round_up(-(-len(data) // total), unit), unit)
    pieces = [data[start : start + length] for start in range(0, len(data), length)] or [b""]
    for index, piece in enumerate(pieces):
        yield f"B${encoding}{file_type}{_base36(len(pieces))}{_base36(index)}{_encode(piece, encoding)}"


def smallest_encoding(payload: bytes) -> BbqrEncoding:
    """Return the encoding of the shortest frames: compressed where that helps, else base32."""
    return BbqrEncoding.COMPRESSED if len(deflate(payload)) < len(payload) else BbqrEncoding.BASE32


def deflate(payload: bytes) -> bytes:
    """Compress as BBQr demands: raw deflate with a window of 1 KiB."""
    compressor = zlib.compressobj(level=9, wbits=-10)
    return compressor.compress(payload) + compressor.flush()


def inflate(data: bytes) -> bytes:
    """Undo `deflate`, never holding more than the limits allow.

    Raises:
        InvalidInput: QR_MALFORMED, QR_TOO_LARGE.
    """
    limit = min(MAX_PAYLOAD, max(_RATIO_FREE, MAX_RATIO * len(data)))
    decompressor = zlib.decompressobj(wbits=-10)
    try:
        payload = decompressor.decompress(data, limit + 1)
    except zlib.error as error:
        raise malformed("the compressed payload is damaged") from error
    if len(payload) > limit:
        raise too_large(f"{len(data)} compressed bytes inflate to more than {limit}")
    if not decompressor.eof or decompressor.unused_data:
        raise malformed("the compressed payload is cut short, or something follows it")
    return payload


def _decode(body: str, encoding: BbqrEncoding) -> bytes:
    if encoding is BbqrEncoding.HEX:
        if re.fullmatch(r"(?:[0-9A-F]{2})*", body) is None:
            raise malformed("a BBQr frame in hex is not pairs of the digits 0 to F in capitals")
        return bytes.fromhex(body)
    padding = -len(body) % 8
    try:
        decoded = base64.b32decode(body + "=" * padding)
    except ValueError as error:
        raise malformed("a BBQr frame holds what is no base32 in capitals") from error
    if _encode(decoded, encoding) != body:
        raise malformed("a BBQr frame in base32 is not the one that its bytes give")
    return decoded


def _encode(piece: bytes, encoding: BbqrEncoding) -> str:
    if encoding is BbqrEncoding.HEX:
        return piece.hex().upper()
    return base64.b32encode(piece).decode("ascii").rstrip("=")


def _base36(number: int) -> str:
    return _DIGITS[number // 36] + _DIGITS[number % 36]


def _round_up(number: int, unit: int) -> int:
    return -(-number // unit) * unit
