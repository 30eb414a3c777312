"""QR codes in characters: two modules above each other in one half block."""

from custody_hardware.qr_matrix import Matrix, size_of

_BLOCKS = {(0, 0): " ", (1, 0): "▀", (0, 1): "▄", (1, 1): "█"}
"""By upper and lower module, ink for 1."""
BORDER = 2
"""Light modules around a code on a screen, where the person sees at once whether it is read."""


def block_lines(matrix: Matrix, *, ink_is_light: bool = False, border: int = BORDER) -> list[str]:
    """Return the lines of a code. Ink is its dark modules, or its light ones for a dark screen without colours."""
    rows = matrix.framed(border)
    if len(rows) % 2:
        rows = (*rows, bytes(len(rows[0])))
    flip = 1 if ink_is_light else 0
    return [
        "".join(_BLOCKS[up ^ flip, low ^ flip] for up, low in zip(upper, lower, strict=True))
        for upper, lower in zip(rows[::2], rows[1::2], strict=True)
    ]


def version_that_fits(columns: int, lines: int, smallest: int, largest: int) -> int:
    """Return the largest version that a screen of this size shows whole, `smallest` if none does."""
    versions = range(largest, smallest, -1)
    return next((one for one in versions if _fits(size_of(one) + 2 * BORDER, columns, lines)), smallest)


def _fits(side: int, columns: int, lines: int) -> bool:
    return side <= columns and -(-side // 2) <= lines
