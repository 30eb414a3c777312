"""Whether the point of an SSH key lies on its curve: the check that a key needs before it is kept.

Only the curve's equation is computed here, on public points; signatures are verified by
`cryptography`. Done without it, because it checks no Ed25519 point, and because reading a
key shouldn't cost the loading of a library.
Source: RFC 8032, section 5.1.3 (decoding); FIPS 186-5 and SP 800-186 (curves); SEC 1,
section 2.3.4 (octets to point) and 3.2.2.1 (validation).
"""

from dataclasses import dataclass
from enum import Enum

_P25519 = 2**255 - 19
_D25519 = -121665 * pow(121666, -1, _P25519) % _P25519
_ROOT_OF_MINUS_ONE = pow(2, (_P25519 - 1) // 4, _P25519)

_Y_OF_ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER = frozenset((0, 1, _P25519 - 1, _Y_OF_ORDER_8, _P25519 - _Y_OF_ORDER_8))
"""The y of every point whose order divides 8: under such a key one signature fits many messages."""


@dataclass(frozen=True, slots=True)
class _Equation:
    """`y² = x³ - 3x + b` modulo `prime`, with cofactor 1."""

    prime: int
    b: int
    size: int
    """Bytes of a coordinate."""


class NistCurve(Enum):
    """The curves of `ecdsa-sha2-*` keys, by the names that SSH gives them (RFC 5656, section 10.1)."""

    P256 = "nistp256"
    P384 = "nistp384"
    P521 = "nistp521"


_EQUATIONS = {
    NistCurve.P256: _Equation(
        2**256 - 2**224 + 2**192 + 2**96 - 1,
        0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
        32,
    ),
    NistCurve.P384: _Equation(
        2**384 - 2**128 - 2**96 + 2**32 - 1,
        0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
        48,
    ),
    NistCurve.P521: _Equation(
        2**521 - 1,
        int(
            "0051953EB9618E1C9A1F929A21A0B68540EEA2DA725B99B315F3B8B489918EF109E156193951EC7E937B1652C0BD3BB1BF07"
            "3573DF883D2C34F1EF451FD46B503F00",
            16,
        ),
        66,
    ),
}


def is_on_nist_curve(point: bytes, curve: NistCurve) -> bool:
    """Whether `point` is an uncompressed point of `curve`: 4, x, y, each below the prime.

    The point at infinity has another form and is none.
    """
    equation = _EQUATIONS[curve]
    if len(point) != 1 + 2 * equation.size or point[0] != 4:
        return False
    x = int.from_bytes(point[1 : 1 + equation.size], "big")
    y = int.from_bytes(point[1 + equation.size :], "big")
    if max(x, y) >= equation.prime:
        return False
    return (y * y - (x**3 - 3 * x + equation.b)) % equation.prime == 0


def is_on_ed25519(point: bytes) -> bool:
    """Whether the 32 bytes (little-endian y, the sign of x in the top bit) are a point in canonical form."""
    y, sign = _y_and_sign(point)
    if y >= _P25519:
        return False
    # x² = u / v; a square root is the candidate or the candidate times the root of -1.
    u = (y * y - 1) % _P25519
    v = (_D25519 * y * y + 1) % _P25519
    x = u * pow(v, 3, _P25519) * pow(u * pow(v, 7, _P25519), (_P25519 - 5) // 8, _P25519) % _P25519
    if x == 0:
        return sign == 0
    return any((v * root * root - u) % _P25519 == 0 for root in (x, x * _ROOT_OF_MINUS_ONE))


def has_small_order(point: bytes) -> bool:
    """Whether the Ed25519 point, one of the curve, has an order of 1, 2, 4 or 8."""
    return _y_and_sign(point)[0] in _SMALL_ORDER


def _y_and_sign(point: bytes) -> tuple[int, int]:
    number = int.from_bytes(point, "little")
    return number % 2**255, number >> 255
