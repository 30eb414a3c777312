"""QR codes as pictures: a PNG for each frame, or one animated GIF. Written by hand, in black and white alone.

Source: PNG (RFC 2083), GIF89a. No picture library is needed to show a code.
"""

import zlib
from collections.abc import Iterator, Sequence
from itertools import repeat

from custody.documents.qr.refusals import too_large
from custody_hardware.qr_matrix import Matrix

MAX_GIF_SIDE = 65_535
_PNG_START = b"\x89PNG\r\n\x1a\n"
_LZW_BITS = 2
"""The smallest code size that GIF allows, for two colours."""
_LZW_CODES = 4_096


def png(matrix: Matrix, scale: int) -> bytes:
    """Return a PNG in which each module is `scale` pixels wide."""
    rows = matrix.framed()
    side = len(rows) * scale
    lines = b"".join((b"\0" + _packed_light(row, scale)) * scale for row in rows)
    head = side.to_bytes(4, "big") * 2 + bytes((1, 0, 0, 0, 0))
    return _PNG_START + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(lines, 9)) + _chunk(b"IEND", b"")


def gif(matrices: Sequence[Matrix], scale: int, frames_per_second: int) -> Iterator[bytes]:
    """Yield the pieces of an animated GIF that repeats for ever; a module is `scale` pixels wide.

    Raises:
        InvalidInput: QR_TOO_LARGE: wider than a GIF can be.
    """
    side = max(len(matrix.framed()) for matrix in matrices) * scale
    if side > MAX_GIF_SIDE:
        raise too_large(f"a GIF can't be {side} pixels wide")
    measure = side.to_bytes(2, "little") * 2
    yield b"GIF89a" + measure + b"\x80\0\0" + b"\xff\xff\xff\0\0\0"
    yield b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"
    delay = max(2, round(100 / frames_per_second)).to_bytes(2, "little")
    for matrix in matrices:
        yield b"\x21\xf9\x04\x04" + delay + b"\0\0" + b"\x2c\0\0\0\0" + measure + b"\0"
        yield bytes([_LZW_BITS]) + _blocks(_lzw(_pixels(matrix, scale, side))) + b"\0"
    yield b"\x3b"


def _pixels(matrix: Matrix, scale: int, side: int) -> bytes:
    """Return one byte a pixel, 1 dark; a smaller code than the widest stands in the corner."""
    lines: list[bytes] = []
    for row in matrix.framed():
        line = b"".join(bytes([module]) * scale for module in row).ljust(side, b"\0")
        lines.extend(repeat(line, scale))
    return b"".join(lines).ljust(side * side, b"\0")


def _packed_light(row: bytes, scale: int) -> bytes:
    """Return a line of a PNG: one bit a pixel, 1 light."""
    bits = "".join(("0" if module else "1") * scale for module in row)
    width = -(-len(bits) // 8) * 8
    return int(bits.ljust(width, "1"), 2).to_bytes(width // 8, "big")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")


def _blocks(data: bytes) -> bytes:
    pieces = (data[start : start + 255] for start in range(0, len(data), 255))
    return b"".join(bytes([len(piece)]) + piece for piece in pieces)


def _lzw(pixels: bytes) -> bytes:
    """Compress pixels of two colours as GIF demands, codes packed from the lowest bit."""
    clear, end = 1 << _LZW_BITS, (1 << _LZW_BITS) + 1
    codes: dict[tuple[int, int], int] = {}
    width, free = _LZW_BITS + 1, end + 1
    out, held, bits = bytearray(), clear, width
    current = pixels[0]
    for pixel in pixels[1:]:
        known = codes.get((current, pixel))
        if known is not None:
            current = known
            continue
        held |= current << bits
        bits += width
        codes[current, pixel] = free
        free += 1
        if free > (1 << width) and width < 12:
            width += 1
        if free >= _LZW_CODES:
            held |= clear << bits
            bits += width
            codes.clear()
            width, free = _LZW_BITS + 1, end + 1
        current = pixel
        if bits >= 64:
            out += (held & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "little")
            held >>= 64
            bits -= 64
    held |= current << bits
    bits += width
    if free >= (1 << width) and width < 12:
        width += 1
    held |= end << bits
    bits += width
    return bytes(out + held.to_bytes(-(-bits // 8), "little"))
