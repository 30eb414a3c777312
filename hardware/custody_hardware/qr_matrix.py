"""One frame of text as the dark and light modules of a QR code (segno, ISO/IEC 18004), level L or, on paper, Q.

Frames are shown on screens in good light; level L leaves the most room, as BBQr advises. All frames of a payload
get the same version, so that the picture doesn't jump. Paper gets level Q, which
stands a quarter of damage.
"""

from dataclasses import dataclass
from typing import Literal

from custody.documents.qr.refusals import too_large

QUIET_ZONE = 4
"""Light modules around a code (ISO/IEC 18004); scanners need them."""
MIN_VERSION, MAX_VERSION = 4, 40
_ROOM = (
    *(25, 47, 77, 114, 154, 195, 224, 279, 335, 395, 468, 535, 619, 667, 758, 854, 938, 1046, 1153, 1249),
    *(1352, 1460, 1588, 1704, 1853, 1990, 2132, 2223, 2369, 2520, 2677, 2840, 3009, 3183, 3351, 3537, 3729, 3927),
    *(4087, 4296),
)
"""Alphanumeric characters at level L, by version from 1."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """The modules of one code without its quiet zone."""

    rows: tuple[bytes, ...]
    """1 is dark."""

    @property
    def size(self) -> int:
        """Modules on each side."""
        return len(self.rows)

    def framed(self, border: int = QUIET_ZONE) -> tuple[bytes, ...]:
        """Return the rows with `border` light modules around them."""
        side, blank = bytes(border), bytes(self.size + 2 * border)
        return (*(blank,) * border, *(side + row + side for row in self.rows), *(blank,) * border)


def room_of(version: int) -> int:
    """Return how many characters of the alphanumeric mode a code of `version` holds."""
    return _ROOM[version - 1]


def size_of(version: int) -> int:
    """Return how many modules a code of `version` has on each side, quiet zone not counted."""
    return 17 + 4 * version


def matrix_of(text: str, version: int | None, *, level: Literal["l", "q"] = "l") -> Matrix:
    """Return the code of `text`: of `version`, or of the smallest that holds it; `level` says what damage it stands.

    Raises:
        InvalidInput: QR_TOO_LARGE: it doesn't fit.
    """
    import segno  # 30 ms; only what draws pays for it

    mode = "alphanumeric" if text.upper() == text and _is_alphanumeric(text) else "byte"
    try:
        code = segno.make(text, level, version, mode, boost_error=False, micro=False)
    except segno.DataOverflowError as error:
        raise too_large(f"{len(text)} characters don't fit into one QR code") from error
    return Matrix(tuple(bytes(row) for row in code.matrix))


def _is_alphanumeric(text: str) -> bool:
    return set(text) <= set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")
