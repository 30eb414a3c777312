"""The first engine: judges an input of the scripts that vaults and single keys have, and no other.

Known are multisig of compressed keys in wsh, sh-wsh and sh, and one compressed key in wpkh, sh-wpkh and pkh.
Each has one exact shape: what unlocks it is compared with that item by item, so the BIP's rules on encodings
(strict DER, low S, empty dummy, minimal pushes, clean stack) hold by the shape. Every signature must end in
SIGHASH_ALL, read from the signature itself.
Source: BIP 322, Verification Process (required rules); BIP 16, BIP 66, BIP 141, BIP 143, BIP 146, BIP 147.
"""

from dataclasses import dataclass

from custody.bitcoin.bip322_model import Ruling
from custody.bitcoin.hashing import hash160, sha256
from custody.bitcoin.script import OutputKind, output_kind, parse_multisig, witness_program
from custody.bitcoin.sighash import SegwitV0Hasher, legacy_digest
from custody.bitcoin.signatures import assign_signatures
from custody.bitcoin.transaction import Transaction, TxInput, TxOutput
from custody.errors import Finding

_LONGEST_DIRECT_PUSH = 75
_SIZE_WIDTHS = {0x4C: 1, 0x4D: 2}
"""Bytes of the length behind OP_PUSHDATA1 and OP_PUSHDATA2."""


@dataclass(frozen=True, slots=True)
class Spending:
    """One input of a signed transaction and the output that it spends, as the verifier knows it."""

    transaction: Transaction
    index: int
    output: TxOutput
    hasher: SegwitV0Hasher
    """Of `transaction`."""

    @property
    def tx_input(self) -> TxInput:
        """The input itself."""
        return self.transaction.inputs[self.index]


def judge_known_script(spending: Spending) -> Ruling | None:
    """Return the verdict on the input, or None where its script is none of the known ones."""
    kind, script_sig = output_kind(spending.output.script_pubkey), spending.tx_input.script_sig
    if kind is OutputKind.P2SH:
        return _judge_p2sh(spending)
    if kind is OutputKind.P2PKH:
        return _judge_p2pkh(spending)
    if kind in (OutputKind.P2WPKH, OutputKind.P2WSH):
        if script_sig:
            return Ruling.invalid("invalid signature: a native segwit input has a script signature")
        return _judge_program(spending, spending.output.script_pubkey)
    if kind is OutputKind.OP_RETURN:
        return Ruling.invalid("nothing can be signed for an OP_RETURN")
    return None


def script_of_witness(script_pubkey: bytes, script_sig: bytes, witness: tuple[bytes, ...]) -> bytes | None:
    """Return the witness script that a wsh or sh-wsh input reveals, None where it is no such input."""
    kind = output_kind(script_pubkey)
    if kind is OutputKind.P2SH and script_sig:
        kind = output_kind(script_sig[1:])
    return witness[-1] if kind is OutputKind.P2WSH and witness else None


def _judge_p2sh(spending: Spending) -> Ruling | None:
    pushes = pushes_of(spending.tx_input.script_sig)
    if not pushes or hash160(pushes[-1]) != spending.output.script_pubkey[2:22]:
        return Ruling.invalid("invalid signature: the redeem script is not the address's")
    redeem = pushes[-1]
    if witness_program(redeem) is not None:
        if len(pushes) != 1:
            return Ruling.invalid("invalid signature: more than the redeem script is pushed")
        return _judge_program(spending, redeem) if redeem[0] == 0 else None
    multisig = parse_multisig(redeem)
    if multisig is None:
        return None
    if spending.tx_input.witness:
        return Ruling.invalid("invalid signature: an input without segwit has a witness")
    digest = legacy_digest(spending.transaction, spending.index, redeem)
    return _judge_multisig(pushes[:-1], *multisig, digest)


def _judge_p2pkh(spending: Spending) -> Ruling | None:
    pushes = pushes_of(spending.tx_input.script_sig)
    if pushes is None or len(pushes) != 2 or spending.tx_input.witness:
        return Ruling.invalid("invalid signature: it is not one signature and one key")
    signature, key = pushes
    if hash160(key) != spending.output.script_pubkey[3:23]:
        return Ruling.invalid("invalid signature: the key is not the address's")
    if len(key) != 33:
        return None
    digest = legacy_digest(spending.transaction, spending.index, spending.output.script_pubkey)
    return _judge_signatures((signature,), (key,), digest)


def _judge_program(spending: Spending, program: bytes) -> Ruling | None:
    """Judge the witness of a version 0 program, `program` being the whole script."""
    witness = spending.tx_input.witness
    if output_kind(program) is OutputKind.P2WPKH:
        return _judge_p2wpkh(spending, program[2:])
    if output_kind(program) is not OutputKind.P2WSH:
        return Ruling.invalid("invalid signature: there is no such segwit output")
    if not witness or sha256(witness[-1]) != program[2:]:
        return Ruling.invalid("invalid signature: the witness script is not the address's")
    multisig = parse_multisig(witness[-1])
    if multisig is None:
        return None
    digest = spending.hasher.digest(spending.index, witness[-1], spending.output.value)
    return _judge_multisig(witness[:-1], *multisig, digest)


def _judge_p2wpkh(spending: Spending, key_hash: bytes) -> Ruling:
    witness = spending.tx_input.witness
    if len(witness) != 2 or hash160(witness[1]) != key_hash:
        return Ruling.invalid("invalid signature: the key is not the address's")
    script_code = b"\x76\xa9\x14" + key_hash + b"\x88\xac"
    digest = spending.hasher.digest(spending.index, script_code, spending.output.value)
    return _judge_signatures(witness[:1], witness[1:], digest)


def _judge_multisig(items: tuple[bytes, ...], threshold: int, keys: tuple[bytes, ...], digest: bytes) -> Ruling:
    if len(items) != threshold + 1 or items[0] != b"":
        return Ruling.invalid(f"invalid signature: it is not an empty item and {threshold} signatures")
    return _judge_signatures(items[1:], keys, digest)


def _judge_signatures(signatures: tuple[bytes, ...], keys: tuple[bytes, ...], digest: bytes) -> Ruling:
    assigned = assign_signatures(signatures, 0, keys, digest)
    if isinstance(assigned, Finding):
        return Ruling.invalid(f"invalid signature: {assigned.message.removeprefix('final witness: ')}")
    return Ruling.valid()


def pushes_of(script_sig: bytes) -> tuple[bytes, ...] | None:
    """Return what a script of pushes alone puts on the stack, None unless each push is the shortest one.

    Small numbers, which no known script asks for, are not read.
    """
    pushes: list[bytes] = []
    at = 0
    while at < len(script_sig):
        size, at = script_sig[at], at + 1
        width = _SIZE_WIDTHS.get(size)
        if width is not None:
            size, at = int.from_bytes(script_sig[at : at + width], "little"), at + width
            if size <= (_LONGEST_DIRECT_PUSH if width == 1 else 0xFF):
                return None
        elif size > _LONGEST_DIRECT_PUSH:
            return None
        item, at = script_sig[at : at + size], at + size
        if len(item) != size or (size == 1 and (item[0] <= 16 or item[0] == 0x81)):
            return None
        pushes.append(item)
    return tuple(pushes)
