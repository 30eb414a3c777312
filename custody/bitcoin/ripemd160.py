"""RIPEMD-160 in plain Python, for interpreters whose OpenSSL no longer offers it.

Far slower than OpenSSL and never used on secrets; `hashing.py` prefers OpenSSL's.
Source: Dobbertin, Bosselaers, Preneel, "RIPEMD-160: A Strengthened Version of RIPEMD" (1996).
"""

import struct

_MASK = 0xFFFFFFFF
_START = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0)

# One hexadecimal digit per step, sixteen steps per round, five rounds.
_LEFT_WORDS = "0123456789abcdef74d1a6f3c0952eb83ae49f812706db5c19ba08c4d37fe56240597c2ae138b6fd"
_RIGHT_WORDS = "5e7092b4d6f81a3c6b370d5aef8c4912f5137e69b8c2a04d86413bf05c2d97aecfa4158762de039b"
_LEFT_SHIFTS = "befc5879bdef6798768db97f7cf9b7dcbd67e9dfe8d65c75bcefef989e56865c9f5b68dc5cdeb856"
_RIGHT_SHIFTS = "899bdff5778beec69df7c89b77c76fdb97fb866ecd5edd75f58bee6e69c9c5f885c9c5e68d65fdbb"
_LEFT_CONSTANTS = (0x00000000, 0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xA953FD4E)
_RIGHT_CONSTANTS = (0x50A28BE6, 0x5C4DD124, 0x6D703EF3, 0x7A6D76E9, 0x00000000)


def ripemd160(message: bytes) -> bytes:
    """Return the 20-byte RIPEMD-160 of `message`."""
    padding = b"\x80" + bytes((55 - len(message)) % 64) + struct.pack("<Q", 8 * len(message))
    padded = message + padding
    state: tuple[int, ...] = _START
    for start in range(0, len(padded), 64):
        state = _compress(state, struct.unpack("<16L", padded[start : start + 64]))
    return struct.pack("<5L", *state)


def _compress(state: tuple[int, ...], words: tuple[int, ...]) -> tuple[int, ...]:
    left = right = state
    for step in range(80):
        turn = step // 16
        left = _step(
            left,
            _mix(turn, *left[1:4]) + words[int(_LEFT_WORDS[step], 16)] + _LEFT_CONSTANTS[turn],
            int(_LEFT_SHIFTS[step], 16),
        )
        right = _step(
            right,
            _mix(4 - turn, *right[1:4]) + words[int(_RIGHT_WORDS[step], 16)] + _RIGHT_CONSTANTS[turn],
            int(_RIGHT_SHIFTS[step], 16),
        )
    return tuple((state[(i + 1) % 5] + left[(i + 2) % 5] + right[(i + 3) % 5]) & _MASK for i in range(5))


def _step(line: tuple[int, ...], added: int, shift: int) -> tuple[int, ...]:
    a, b, c, d, e = line
    return (e, (_rotate((a + added) & _MASK, shift) + e) & _MASK, b, _rotate(c, 10), d)


def _mix(turn: int, x: int, y: int, z: int) -> int:
    if turn == 0:
        return x ^ y ^ z
    if turn == 1:
        return (x & y) | (~x & z)
    if turn == 2:
        return (x | ~y) ^ z
    if turn == 3:
        return (x & z) | (y & ~z)
    return x ^ (y | ~z)


def _rotate(value: int, shift: int) -> int:
    return ((value << shift) | (value >> (32 - shift))) & _MASK
