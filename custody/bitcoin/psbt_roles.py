"""Combiner, Finalizer and Extractor of BIP 174, for segwit v0 multisig.

Every role judges signatures against scripts that the caller derived; none believes a
field. The Combiner differs from BIP 174's on purpose: it takes signatures and nothing
else, so that no returned file can change what the master says (see `take_signatures`).
"""

from collections.abc import Sequence
from dataclasses import replace

from custody.bitcoin.curve import verify_ecdsa
from custody.bitcoin.psbt import PartialSignature, Psbt, PsbtInput
from custody.bitcoin.psbt_compare import require_same_metadata
from custody.bitcoin.sighash import SegwitV0Hasher
from custody.bitcoin.signatures import InputSignatures as InputSignatures
from custody.bitcoin.signatures import SpendScript as SpendScript
from custody.bitcoin.signatures import assign_signatures, judge_input
from custody.bitcoin.signatures import verify_input_signatures as verify_input_signatures
from custody.bitcoin.transaction import Transaction, TxInput
from custody.codes import Code
from custody.errors import CheckFailed, Finding, InvalidInput, JsonValue, NotYet, Severity

_MAX_PLACES = 50
"""Inputs that a misfiled signature is looked up in: a hint for people, not worth more."""


def take_signatures(
    master: Psbt, returned: Psbt | Transaction, scripts: Sequence[SpendScript | None]
) -> tuple[Psbt, tuple[Finding, ...]]:
    """Return `master` with the verified signatures of `returned`, and notes on what was ignored.

    Both are matched by their serialized unsigned transaction, computed from either PSBT
    version. Signatures come from partial signatures, a final witness or a raw transaction;
    one that is invalid refuses the whole file. Fields that `returned` lacks or adds change
    nothing; a second valid signature by the same key changes nothing. The master's own
    signatures are judged too. `scripts` is the caller's derivation, one per input; None stands for
    the input that nobody signs, the commitment of a BIP 127 proof.

    Raises:
        CheckFailed: DIFFERENT_TRANSACTION, COMBINE_NON_SIGNATURE_CHANGE, or the code of the
            first invalid signature, with all findings in its details.
        NotYet: NO_SIGNATURES.
    """
    unsigned = master.unsigned_transaction()
    _require_same_transaction(unsigned, returned)
    notes = () if isinstance(returned, Transaction) else require_same_metadata(master, returned)
    hasher = SegwitV0Hasher(unsigned)
    signed = _signed_inputs(master, returned)
    findings: list[Finding] = []
    combined: list[PsbtInput] = []
    taken = 0
    for index, (own, theirs, script) in enumerate(zip(master.inputs, signed, scripts, strict=True)):
        if script is None:
            combined.append(own)
            continue
        judged = _judge_returned(theirs, index, script, hasher, isinstance(returned, Transaction))
        before = judge_input(own, index, script, hasher)
        findings += judged.findings + before.findings
        taken += len(judged.valid)
        combined.append(own if own.is_final else _with_signatures(own, judged.signatures))
    _require_no_refusal([_with_true_place(one, signed, scripts, hasher) for one in findings])
    if not taken:
        raise NotYet(
            Code.NO_SIGNATURES,
            "the returned file holds no signature",
            advice="Sign on the device, save its result, and add that file.",
        )
    return replace(master, inputs=tuple(combined)), notes


def finalize(psbt: Psbt, scripts: Sequence[SpendScript | None]) -> Psbt:
    """Return `psbt` with every input finalized, each signature judged first.

    Of more valid signatures than the threshold, the first in script order are used. An
    input that is final already stays as it is once its witness is judged good. One without a
    script (None), which nobody signs, is finalized empty.

    Raises:
        CheckFailed: the code of the first signature or field that is wrong.
        NotYet: SIGNATURES_MISSING.
    """
    hasher = SegwitV0Hasher(psbt.unsigned_transaction())
    judged = [
        None if script is None else judge_input(one, index, script, hasher)
        for index, (one, script) in enumerate(zip(psbt.inputs, scripts, strict=True))
    ]
    _require_no_refusal([finding for one in judged if one is not None for finding in one.findings])
    inputs = [
        replace(one, final_script_sig=b"")
        if script is None or verdict is None
        else finalize_input(one, verdict, script)
        for one, verdict, script in zip(psbt.inputs, judged, scripts, strict=True)
    ]
    return replace(psbt, inputs=tuple(inputs))


def finalize_input(psbt_input: PsbtInput, judged: InputSignatures, script: SpendScript) -> PsbtInput:
    """Return the finalized input of signatures that `judged` found valid.

    Everything but the utxos, the outline of the transaction and unknown fields is cleared.

    Raises:
        NotYet: SIGNATURES_MISSING.
    Source: BIP 174, "Input Finalizer".
    """
    if psbt_input.is_final and not judged.findings:
        return psbt_input
    if len(judged.valid) < script.threshold:
        raise _signatures_missing(judged.index, script.threshold - len(judged.valid))
    chosen = tuple(entry.signature for entry in judged.signatures[: script.threshold])
    return replace(
        psbt_input,
        partial_signatures=(),
        sighash_type=None,
        redeem_script=None,
        witness_script=None,
        derivations=(),
        final_script_sig=script.final_script_sig or None,
        final_script_witness=(b"", *chosen, script.witness_script),
    )


def extract(psbt: Psbt) -> Transaction:
    """Return the final transaction of a finalized PSBT. Nothing is judged here: `finalize` did.

    Raises:
        NotYet: SIGNATURES_MISSING when an input is not final.
        InvalidInput: NO_INPUTS.
    """
    if not psbt.inputs:
        raise InvalidInput(Code.NO_INPUTS, "the PSBT has no input", advice="Draft the payment again.")
    for index, one in enumerate(psbt.inputs):
        if not one.is_final:
            raise _signatures_missing(index, None)
    inputs = tuple(
        TxInput(one.outpoint, one.final_script_sig or b"", one.sequence, one.final_script_witness or ())
        for one in psbt.inputs
    )
    return replace(psbt.unsigned_transaction(), inputs=inputs)


def _require_same_transaction(unsigned: Transaction, returned: Psbt | Transaction) -> None:
    theirs = _without_scripts(returned) if isinstance(returned, Transaction) else returned.unsigned_transaction()
    if theirs.serialize_without_witness() != unsigned.serialize_without_witness():
        raise CheckFailed(
            Code.DIFFERENT_TRANSACTION,
            f"the returned file is about transaction `{theirs.txid}`, expected `{unsigned.txid}`",
            advice="Do not use this file: find out how another payment came into its place.",
            details={"expected_txid": unsigned.txid, "txid": theirs.txid},
        )


def _without_scripts(transaction: Transaction) -> Transaction:
    bare = tuple(TxInput(one.outpoint, b"", one.sequence) for one in transaction.inputs)
    return replace(transaction, inputs=bare)


def _signed_inputs(master: Psbt, returned: Psbt | Transaction) -> list[PsbtInput]:
    """Return the master's inputs with the signatures of `returned` in place of their own."""
    if isinstance(returned, Transaction):
        return [
            replace(
                own,
                partial_signatures=(),
                final_script_sig=theirs.script_sig or None,
                final_script_witness=theirs.witness or None,
            )
            for own, theirs in zip(master.inputs, returned.inputs, strict=True)
        ]
    return [
        replace(
            own,
            partial_signatures=theirs.partial_signatures,
            final_script_sig=theirs.final_script_sig,
            final_script_witness=theirs.final_script_witness,
        )
        for own, theirs in zip(master.inputs, returned.inputs, strict=True)
    ]


def _judge_returned(
    psbt_input: PsbtInput, index: int, script: SpendScript, hasher: SegwitV0Hasher, is_raw: bool
) -> InputSignatures:
    """Judge what came back; a raw transaction may hold fewer signatures than the threshold."""
    items = psbt_input.final_script_witness or ()
    present = tuple(item for item in items[1:-1] if item)
    if not is_raw or items[-1:] != (script.witness_script,) or len(present) >= script.threshold:
        return judge_input(psbt_input, index, script, hasher)
    digest = hasher.digest(index, script.witness_script, script.value)
    assigned = assign_signatures(present, index, script.keys, digest)
    if isinstance(assigned, Finding):
        return InputSignatures(index, (), (assigned,))
    return InputSignatures(index, tuple(entry.public_key for entry in assigned), (), assigned)


def _with_signatures(own: PsbtInput, new: tuple[PartialSignature, ...]) -> PsbtInput:
    known = {entry.public_key for entry in own.partial_signatures}
    entries = own.partial_signatures + tuple(entry for entry in new if entry.public_key not in known)
    if own.key_order is None:
        entries = tuple(sorted(entries, key=lambda entry: entry.public_key))
    return replace(own, partial_signatures=entries)


def _with_true_place(
    finding: Finding, signed: Sequence[PsbtInput], scripts: Sequence[SpendScript | None], hasher: SegwitV0Hasher
) -> Finding:
    """Return a finding on an invalid signature that also says for which other input it was made, if for any."""
    if finding.code not in (Code.BAD_SIGNATURE, Code.SIGNER_NOT_MEMBER):
        return finding
    index = int(finding.where.partition(":")[2])
    for number, script in enumerate(scripts[:_MAX_PLACES]):
        if script is None:
            continue
        digest = hasher.digest(number, script.witness_script, script.value)
        for entry in signed[index].partial_signatures if number != index else ():
            if any(verify_ecdsa(key, digest, entry.signature[:-1]) for key in script.keys):
                words = f"{finding.message}; a signature filed there was made for input {number}"
                return replace(finding, message=words)
    return finding


def _require_no_refusal(findings: Sequence[Finding]) -> None:
    refused = [finding for finding in findings if finding.severity is Severity.REFUSE]
    if refused:
        first = refused[0]
        details: dict[str, JsonValue] = {"findings": [finding.to_json() for finding in refused]}
        raise CheckFailed(first.code, f"{first.where}: {first.message}", advice=first.advice, details=details)


def _signatures_missing(index: int, missing: int | None) -> NotYet:
    words = "is not final" if missing is None else f"lacks {missing} signature(s)"
    return NotYet(Code.SIGNATURES_MISSING, f"input {index} {words}", advice="Collect the missing signatures first.")
