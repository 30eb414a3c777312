"""Scripts of a vault: building them, recognising them, and Bitcoin Core's dust rule.

Only the scripts that a sortedmulti vault needs are built (BIP 11, BIP 16, BIP 67, BIP 141);
recognition covers what a payment's outputs can be. Nothing here executes a script.
"""

from collections.abc import Sequence
from enum import StrEnum

from custody.bitcoin.amount import Sats, sats
from custody.bitcoin.curve import is_valid_public_key
from custody.bitcoin.hashing import hash160, sha256
from custody.codes import Code
from custody.errors import InvalidInput

OP_1 = 0x51
OP_RETURN = 0x6A
OP_CHECKMULTISIG = 0xAE
MAX_MULTISIG_KEYS = 16
"""A number above 16 has no one-byte opcode; vaults allow fewer still."""
DUST_RELAY_SAT_KVB = 3000
"""Bitcoin Core's default -dustrelayfee."""
_MAX_SCRIPT_SIZE = 10_000
_P2A = bytes.fromhex("51024e73")


class OutputKind(StrEnum):
    """What an output's script asks of its spender."""

    P2PKH = "p2pkh"
    P2SH = "p2sh"
    P2WPKH = "p2wpkh"
    P2WSH = "p2wsh"
    P2TR = "p2tr"
    ANCHOR = "anchor"
    OP_RETURN = "op-return"
    BARE_MULTISIG = "bare-multisig"
    UNKNOWN_WITNESS = "unknown-witness"
    OTHER = "other"


def multisig_script(threshold: int, sorted_keys: Sequence[bytes]) -> bytes:
    """Return `threshold <keys…> n OP_CHECKMULTISIG` for keys of 33 bytes, in the order given.

    The caller has sorted the keys (BIP 67) and knows them to be points of the curve.

    Raises:
        InvalidInput: SCRIPT_INVALID, a threshold or number of keys that has no such script.
    Source: BIP 11.
    """
    if not 1 <= threshold <= len(sorted_keys) <= MAX_MULTISIG_KEYS:
        raise InvalidInput(
            Code.SCRIPT_INVALID,
            f"a multisig of {threshold} of {len(sorted_keys)} keys does not exist in this form",
            advice="Give a threshold of at least 1 and at most the number of keys.",
        )
    pushes = b"".join(b"\x21" + key for key in sorted_keys)
    return bytes([OP_1 - 1 + threshold]) + pushes + bytes([OP_1 - 1 + len(sorted_keys), OP_CHECKMULTISIG])


def p2wsh_script(witness_script: bytes) -> bytes:
    """Return the output script that commits to `witness_script`: 34 bytes. Source: BIP 141."""
    return b"\x00\x20" + sha256(witness_script)


def p2sh_script(redeem_script: bytes) -> bytes:
    """Return the output script that commits to `redeem_script`: 23 bytes. Source: BIP 16."""
    return b"\xa9\x14" + hash160(redeem_script) + b"\x87"


def parse_multisig(script: bytes) -> tuple[int, tuple[bytes, ...]] | None:
    """Return threshold and keys, in script order, of a multisig of compressed keys; else None."""
    count, rest = divmod(len(script) - 3, 34)
    if rest or not 1 <= count <= MAX_MULTISIG_KEYS or script[-1] != OP_CHECKMULTISIG:
        return None
    threshold = script[0] - OP_1 + 1
    if script[-2] != OP_1 - 1 + count or not 1 <= threshold <= count:
        return None
    pushes = [script[1 + 34 * place : 35 + 34 * place] for place in range(count)]
    if any(push[0] != 0x21 or not is_valid_public_key(push[1:]) for push in pushes):
        return None
    return threshold, tuple(push[1:] for push in pushes)


def witness_program(script_pubkey: bytes) -> tuple[int, bytes] | None:
    """Return version and program of a witness output, or None if it is none. Source: BIP 141."""
    if not 4 <= len(script_pubkey) <= 42 or script_pubkey[1] != len(script_pubkey) - 2:
        return None
    if script_pubkey[0] == 0:
        return 0, script_pubkey[2:]
    version = script_pubkey[0] - OP_1 + 1
    return (version, script_pubkey[2:]) if 1 <= version <= 16 else None


def output_kind(script_pubkey: bytes) -> OutputKind:
    """Recognise an output's script."""
    program = witness_program(script_pubkey)
    if program is not None:
        return _witness_kind(script_pubkey, *program)
    if len(script_pubkey) == 25 and script_pubkey[:3] == b"\x76\xa9\x14" and script_pubkey[23:] == b"\x88\xac":
        return OutputKind.P2PKH
    if len(script_pubkey) == 23 and script_pubkey[:2] == b"\xa9\x14" and script_pubkey[22] == 0x87:
        return OutputKind.P2SH
    if script_pubkey[:1] == bytes([OP_RETURN]):
        return OutputKind.OP_RETURN
    return OutputKind.OTHER if parse_multisig(script_pubkey) is None else OutputKind.BARE_MULTISIG


def dust_threshold(script_pubkey: bytes) -> Sats:
    """Return the smallest value that Bitcoin Core relays by default in an output with this script.

    An output that can never be spent has no such bound: 0.
    Source: Bitcoin Core, `GetDustThreshold` with `-dustrelayfee` at 3,000 sat/kvB.
    """
    if script_pubkey[:1] == bytes([OP_RETURN]) or len(script_pubkey) > _MAX_SCRIPT_SIZE:
        return Sats(0)
    length_prefix = 1 if len(script_pubkey) < 0xFD else 3
    output_size = 8 + length_prefix + len(script_pubkey)
    # The input that spends it: outpoint, script length, sequence, and 107 bytes of keys and
    # signatures, a quarter of that where they stand in a witness.
    spending_size = 32 + 4 + 1 + 4 + (107 // 4 if witness_program(script_pubkey) is not None else 107)
    return sats((output_size + spending_size) * DUST_RELAY_SAT_KVB // 1000)


def _witness_kind(script_pubkey: bytes, version: int, program: bytes) -> OutputKind:
    if script_pubkey == _P2A:
        return OutputKind.ANCHOR
    if version == 1 and len(program) == 32:
        return OutputKind.P2TR
    if version == 0 and len(program) == 32:
        return OutputKind.P2WSH
    if version == 0 and len(program) == 20:
        return OutputKind.P2WPKH
    return OutputKind.UNKNOWN_WITNESS
