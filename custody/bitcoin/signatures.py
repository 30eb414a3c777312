"""Judges every signature of an input against the caller's own script and amount.

Nothing of what the file says about script or amount is used: the caller derives the
witness script from the vault's descriptor and takes the value from the full previous
transaction. Every signature must be strict DER with low S, carry SIGHASH_ALL as its last
byte, belong to a key of the script, and verify. A final witness counts only if it is
exactly what the script asks for, its signatures in script order.
Source: BIP 143, BIP 66, BIP 146, BIP 147, BIP 174 (Input Finalizer).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from custody.bitcoin.amount import Sats
from custody.bitcoin.curve import is_low_s, is_strict_der, verify_ecdsa
from custody.bitcoin.psbt import PartialSignature, Psbt, PsbtInput
from custody.bitcoin.script import parse_multisig
from custody.bitcoin.sighash import SIGHASH_ALL, SegwitV0Hasher
from custody.codes import Code
from custody.errors import Finding, InvalidInput, Severity

_ADVICE = {
    Code.SIGHASH_NOT_ALL: "Do not sign: this type lets parts of the payment be changed after signing.",
    Code.SIGHASH_MISMATCH: "Do not use this file: the signature leaves parts of the payment open.",
    Code.SIG_NOT_DER: "Have the signer sign again, and check the device's firmware.",
    Code.SIG_NOT_LOW_S: "Have the signer sign again, and check the device's firmware.",
    Code.SIGNER_NOT_MEMBER: "Find out who signed: this key is not one of the vault's.",
    Code.BAD_SIGNATURE: "Do not use this file: it was damaged, misfiled, or signs another payment or amount.",
    Code.BAD_FINAL_WITNESS: "Do not use this file: it claims to be signed and is not.",
}


@dataclass(frozen=True, slots=True)
class SpendScript:
    """What one input really spends, re-derived by the caller from the vault's descriptor."""

    witness_script: bytes
    """A multisig of compressed keys."""
    value: Sats
    """From the full previous transaction."""
    redeem_script: bytes | None = None
    """For sh(wsh(…)); None for wsh(…)."""

    threshold: int = field(init=False, compare=False)
    keys: tuple[bytes, ...] = field(init=False, compare=False)
    """In script order."""

    def __post_init__(self) -> None:
        """Read threshold and keys off the script.

        Raises:
            InvalidInput: SCRIPT_INVALID where it is no multisig of compressed keys.
        """
        parsed = parse_multisig(self.witness_script)
        if parsed is None:
            raise InvalidInput(
                Code.SCRIPT_INVALID,
                "a witness script is no multisig of compressed keys",
                advice="Only multisig vaults are built.",
            )
        object.__setattr__(self, "threshold", parsed[0])
        object.__setattr__(self, "keys", parsed[1])

    @property
    def final_script_sig(self) -> bytes:
        """What the scriptSig of the final transaction must be: empty, or the push of the redeem script."""
        return b"" if self.redeem_script is None else bytes((len(self.redeem_script),)) + self.redeem_script


@dataclass(frozen=True, slots=True)
class InputSignatures:
    """The verdict on one input's signatures."""

    index: int
    valid: tuple[bytes, ...]
    """Public keys with a valid SIGHASH_ALL signature, in script order."""
    findings: tuple[Finding, ...]
    signatures: tuple[PartialSignature, ...] = ()
    """The valid signatures with their keys, in script order; those of a final witness included."""


def verify_input_signatures(
    psbt: Psbt,
    index: int,
    witness_script: bytes,
    value: Sats,
    hasher: SegwitV0Hasher,
    *,
    redeem_script: bytes | None = None,
) -> InputSignatures:
    """Judge partial signatures, sighash field and final witness of input `index` (A50 to A56).

    `hasher` is made of the PSBT's own unsigned transaction; script and value are the caller's.
    """
    script = SpendScript(witness_script, value, redeem_script)
    return judge_input(psbt.inputs[index], index, script, hasher)


def judge_input(psbt_input: PsbtInput, index: int, script: SpendScript, hasher: SegwitV0Hasher) -> InputSignatures:
    """As `verify_input_signatures`, for an input that need not stand in a PSBT."""
    digest = hasher.digest(index, script.witness_script, script.value)
    asked = SIGHASH_ALL if psbt_input.sighash_type is None else psbt_input.sighash_type
    findings: list[Finding] = []
    valid: dict[bytes, PartialSignature] = {}
    if asked != SIGHASH_ALL:
        findings.append(_finding(Code.SIGHASH_NOT_ALL, index, f"the signature type asked for is 0x{asked:02x}"))
    for entry in psbt_input.partial_signatures:
        problem = _problem(entry, script.keys, digest, asked)
        if problem is None:
            valid[entry.public_key] = entry
        else:
            findings.append(_finding(problem[0], index, f"key `{entry.public_key.hex()}`: {problem[1]}"))
    if psbt_input.is_final:
        taken = _judge_final(psbt_input, index, script, digest)
        if isinstance(taken, Finding):
            findings.append(taken)
        else:
            valid = {entry.public_key: entry for entry in taken} | valid
    ordered = tuple(valid[key] for key in script.keys if key in valid)
    return InputSignatures(index, tuple(entry.public_key for entry in ordered), tuple(findings), ordered)


def _judge_final(
    psbt_input: PsbtInput, index: int, script: SpendScript, digest: bytes
) -> tuple[PartialSignature, ...] | Finding:
    """Return the signatures of a final witness that satisfies the script exactly, or the finding."""
    items = psbt_input.final_script_witness or ()
    if (psbt_input.final_script_sig or b"") != script.final_script_sig:
        return _finding(Code.BAD_FINAL_WITNESS, index, "the final scriptSig is not the one of the vault's script")
    if len(items) != script.threshold + 2 or items[0] != b"" or items[-1] != script.witness_script:
        return _finding(
            Code.BAD_FINAL_WITNESS,
            index,
            f"the final witness is not {script.threshold} signatures and the vault's script",
        )
    return assign_signatures(items[1:-1], index, script.keys, digest)


def assign_signatures(
    signatures: Sequence[bytes], index: int, keys: Sequence[bytes], digest: bytes
) -> tuple[PartialSignature, ...] | Finding:
    """Match `signatures` to `keys` in order, as OP_CHECKMULTISIG does, or return why that fails."""
    assigned: list[PartialSignature] = []
    rest = iter(keys)
    for signature in signatures:
        problem = _encoding_problem(signature, SIGHASH_ALL)
        if problem is not None:
            return _finding(problem[0], index, f"final witness: {problem[1]}")
        key = next((key for key in rest if verify_ecdsa(key, digest, signature[:-1])), None)
        if key is None:
            return _finding(Code.BAD_FINAL_WITNESS, index, "a signature of the final witness is not valid")
        assigned.append(PartialSignature(key, signature))
    return tuple(assigned)


def _problem(entry: PartialSignature, keys: Sequence[bytes], digest: bytes, asked: int) -> tuple[Code, str] | None:
    if entry.public_key not in keys:
        return Code.SIGNER_NOT_MEMBER, "it signed and is no key of the vault's script"
    problem = _encoding_problem(entry.signature, asked)
    if problem is not None:
        return problem
    if not verify_ecdsa(entry.public_key, digest, entry.signature[:-1]):
        return Code.BAD_SIGNATURE, "its signature is not valid for this payment and amount"
    return None


def _encoding_problem(signature: bytes, asked: int) -> tuple[Code, str] | None:
    if not signature:
        return Code.SIG_NOT_DER, "the signature is empty"
    if signature[-1] != asked:
        return Code.SIGHASH_MISMATCH, f"the signature's type is 0x{signature[-1]:02x}, expected 0x{asked:02x}"
    if asked != SIGHASH_ALL:
        return Code.SIGHASH_NOT_ALL, f"the signature's type is 0x{asked:02x}, expected 0x01"
    if not is_strict_der(signature[:-1]):
        return Code.SIG_NOT_DER, "the signature is not strict DER"
    if not is_low_s(signature[:-1]):
        return Code.SIG_NOT_LOW_S, "the signature's S is high"
    return None


def _finding(code: Code, index: int, message: str) -> Finding:
    return Finding(code, Severity.REFUSE, f"input:{index}", message, _ADVICE[code])
