"""The second engine: Bitcoin Core's interpreter, for scripts that the first engine doesn't know.

libbitcoinkernel applies the rules of consensus. BIP 322 demands more, so a script counts as judged only where
those further rules hold by its form: opcodes of a short list, each push minimal, signatures that end in
SIGHASH_ALL, one condition at most in a version 0 script, and that at its start. What isn't of that form is
inconclusive, however true the interpreter finds it.
Source: BIP 322, Verification Process (required and upgradeable rules); BIP 341, BIP 342.
"""

from custody.bitcoin.bip322_model import Ruling
from custody.bitcoin.bip322_scripts import Spending, script_of_witness
from custody.bitcoin.curve import is_low_s
from custody.bitcoin.script import OutputKind, output_kind
from custody.bitcoin.sighash import SIGHASH_ALL

_IF, _NOTIF, _ELSE, _ENDIF = 0x63, 0x64, 0x67, 0x68
_SIGNATURE_CHECKS = frozenset((0xAC, 0xAE))
"""CHECKSIG and CHECKMULTISIG, whose answer the script may do anything with."""
_V0_CODES = frozenset(
    (
        *(_IF, _NOTIF, _ELSE, _ENDIF, 0x69, 0x75, 0x76),  # conditions, VERIFY, DROP, DUP
        *(0x82, 0x87, 0x88, 0xA6, 0xA8, 0xA9, 0xAA),  # SIZE, EQUAL, EQUALVERIFY, hashes
        *(*_SIGNATURE_CHECKS, 0xAD, 0xAF, 0xB1, 0xB2),  # signatures, locks
    )
)
_TAPROOT_CODES = _V0_CODES | frozenset((0x6B, 0x6C, 0x73, 0x7C, 0x92, 0x93, 0x9A, 0x9B, 0x9C, 0x9D, 0xA2, 0xBA))
"""With CHECKSIGADD and what miniscript adds; here consensus itself demands minimal conditions and empty failures."""
_NUMBERS = frozenset((0x00, 0x4F, *range(0x51, 0x61)))
_LEAF_VERSION = 0xC0
_ANNEX = 0x50
_KEY_HASH_SIZES = (20, 32, 33)


def judge_satisfied(spending: Spending) -> Ruling:
    """Return the verdict on an input that the interpreter has found satisfied and the first engine doesn't know."""
    script_pubkey, tx_input = spending.output.script_pubkey, spending.tx_input
    if output_kind(script_pubkey) is OutputKind.P2TR:
        return _judge_taproot(tx_input.witness)
    script = script_of_witness(script_pubkey, tx_input.script_sig, tx_input.witness)
    if script is None:
        return Ruling.inconclusive("the script is of a kind that this program doesn't judge")
    return _judge_v0(script, tx_input.witness[:-1])


def _judge_taproot(witness: tuple[bytes, ...]) -> Ruling:
    if len(witness) > 1 and witness[-1][:1] == bytes([_ANNEX]):
        return Ruling.inconclusive("a taproot annex is reserved for upgrades")
    if len(witness) == 1:
        return _signature_type(witness[0]) or Ruling.valid()
    script, control = witness[-2], witness[-1]
    if control[0] & 0xFE != _LEAF_VERSION:
        return Ruling.inconclusive("the taproot leaf version is reserved for upgrades")
    codes = _codes_of(script, _TAPROOT_CODES, key_size=32)
    if isinstance(codes, Ruling):
        return codes
    return next((one for item in witness[:-2] if (one := _signature_type(item)) is not None), Ruling.valid())


def _signature_type(item: bytes) -> Ruling | None:
    """Refuse a Schnorr signature that says another type than ALL; 64 bytes alone mean all, too."""
    if len(item) == 65 and item[-1] != SIGHASH_ALL:
        return Ruling.invalid(f"a signature's type is 0x{item[-1]:02x}, expected 0x01")
    return None


def _judge_v0(script: bytes, arguments: tuple[bytes, ...]) -> Ruling:
    codes = _codes_of(script, _V0_CODES, key_size=33)
    if isinstance(codes, Ruling):
        return codes
    conditions = [at for at, code in enumerate(codes) if code in (_IF, _NOTIF)]
    if conditions not in ([], [0]) or codes.count(_ELSE) > 1 or not _each_check_ends_the_script(codes):
        return Ruling.inconclusive("the script's conditions are of a form that this program doesn't judge")
    if conditions:
        if not arguments or arguments[-1] not in (b"", b"\x01"):
            return Ruling.invalid("the argument of a condition is not minimal")
        arguments = arguments[:-1]
    return next((one for item in arguments if (one := _argument_problem(item)) is not None), Ruling.valid())


def _each_check_ends_the_script(codes: list[int]) -> bool:
    """Whether a signature check without VERIFY is always the last thing done, so that none can have failed."""
    ends = [[], [_ENDIF]]
    for at, code in enumerate(codes):
        rest = codes[at + 1 :]
        if code in _SIGNATURE_CHECKS and rest not in ends and not (rest[0] == _ELSE and codes[-1] == _ENDIF):
            return False
    return True


def _argument_problem(item: bytes) -> Ruling | None:
    if item == b"" or len(item) == 32 or (len(item) == 33 and item[0] in (2, 3)):
        return None
    if item[0] != 0x30:
        return Ruling.inconclusive("an argument of the script is neither a signature, a key nor a preimage")
    if not is_low_s(item[:-1]):
        return Ruling.invalid("a signature is not strict DER with a low S")
    if item[-1] != SIGHASH_ALL:
        return Ruling.invalid(f"a signature's type is 0x{item[-1]:02x}, expected 0x01")
    return None


def _codes_of(script: bytes, allowed: frozenset[int], *, key_size: int) -> list[int] | Ruling:
    """Return the opcodes of a script that does nothing unknown; each push is 0 there."""
    codes: list[int] = []
    at = 0
    while at < len(script):
        code, at = script[at], at + 1
        if 1 <= code <= 75:
            item, at = script[at : at + code], at + code
            if len(item) != code or not _is_plain_push(item, key_size):
                return Ruling.inconclusive("the script pushes what this program doesn't know")
            code = 0
        elif code not in allowed and code not in _NUMBERS:
            return _unknown_code(code)
        codes.append(code)
    return codes


def _is_plain_push(item: bytes, key_size: int) -> bool:
    """Whether the item is a key, a hash, or a number in its shortest form that has no opcode of its own."""
    if len(item) > 5:
        return len(item) in _KEY_HASH_SIZES and (len(item) != 33 or key_size == 33)
    if len(item) == 1 and (item[0] <= 16 or item[0] == 0x81):
        return False
    return bool(item[-1] & 0x7F) or (len(item) > 1 and bool(item[-2] & 0x80))


def _unknown_code(code: int) -> Ruling:
    if code == 0xAB:
        return Ruling.invalid("OP_CODESEPARATOR is forbidden in signed messages")
    return Ruling.inconclusive(f"the script has opcode 0x{code:02x}, which this program doesn't judge")
