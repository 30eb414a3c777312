"""Let a device sign the proofs of a folder, one after the other, and leave its answers there.

Every file is reviewed first: it must be a proof of this vault for the very message of the challenge. What a device
returns counts by its verified signatures alone, and only those are written.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from custody.atomic import opened_folder
from custody.audit.reserves.challenge import Challenge
from custody.bitcoin.psbt import Psbt
from custody.codes import Code
from custody.errors import CheckFailed, CustodyError, DeviceUnavailable, InvalidInput
from custody.spend.proof import review_proof, take_signatures
from custody.spend.review_model import Review
from custody.vault.cosigner import Cosigner
from custody.vault.vault import Vault
from custody.workflow.export_card import CARD_FILE_MODE
from custody.workflow.reserves_folder import files_of, is_answer

Sign = Callable[[bytes], bytes]
"""Gives a PSBT (version 0 bytes) to a device and returns what comes back."""

_ENDING = ".psbt"
_ANSWER = "-signed-"


@dataclass(frozen=True, slots=True)
class ProofToSign:
    """A file of the folder that this cosigner has still to sign."""

    name: str
    """Without its ending."""
    psbt: Psbt
    review: Review


def proofs_of(folder: Path, vault: Vault, challenge: Challenge, cosigner: Cosigner) -> tuple[ProofToSign, ...]:
    """Return the folder's proofs for the challenge that have no answer of the cosigner yet, each reviewed.

    Raises:
        CheckFailed: CHALLENGE_MISMATCH, a file signs another message; or a file is no proof of this vault.
        InvalidInput: FILE_NOT_FOUND, no proof is there.
    """
    files = files_of(folder)
    answered = {name.partition(_ANSWER)[0] for name, _data in files if name.endswith(_answer_of(cosigner))}
    found: list[ProofToSign] = []
    seen = 0
    for name, data in files:
        if not name.endswith(_ENDING) or is_answer(data):
            continue
        seen += 1
        stem = name.removesuffix(_ENDING)
        if stem not in answered:
            found.append(_reviewed(stem, data, vault, challenge))
    if not seen:
        raise InvalidInput(
            Code.FILE_NOT_FOUND,
            f"`{folder}` holds no proof to sign",
            advice="Give the folder that `audit reserves prove -o FOLDER` wrote.",
        )
    return tuple(found)


def sign_proof(folder: Path, vault: Vault, cosigner: Cosigner, proof: ProofToSign, sign: Sign) -> str:
    """Let the device sign one proof, verify what it did, and write its answer; return the new file's name.

    Raises:
        DeviceUnavailable: DEVICE_NO_SIGNATURE, and all that the device raises. CheckFailed: an invalid signature.
    """
    returned = sign(proof.psbt.serialize())
    try:
        signed = take_signatures(vault, proof.psbt, [returned])
    except CustodyError as error:
        if error.code in (Code.NO_SIGNATURES, Code.MALFORMED_PSBT, Code.MALFORMED_TRANSACTION):
            raise _no_signature(cosigner, proof.name) from error
        raise
    if any(cosigner.name not in signers for signers in _signers(signed, vault)):
        raise _no_signature(cosigner, proof.name)
    name = f"{proof.name}{_answer_of(cosigner)}"
    with opened_folder(folder) as opened:
        opened.create(name, signed.serialize(), mode=CARD_FILE_MODE)
    return name


def _signers(signed: Psbt, vault: Vault) -> Sequence[tuple[str, ...]]:
    """Return who signed each input that asks for a signature."""
    per_input = review_proof(signed, vault).signing.per_input
    if not per_input:
        return [()]
    return per_input


def _reviewed(stem: str, data: bytes, vault: Vault, challenge: Challenge) -> ProofToSign:
    psbt = Psbt.parse(data)
    answer = review_proof(psbt, vault)
    if answer.proof is None or answer.proof.message != challenge.message:
        raise CheckFailed(
            Code.CHALLENGE_MISMATCH,
            f"`{stem}{_ENDING}` signs another message than the challenge's",
            advice="Sign nothing: ask the office and the auditor which challenge it answers.",
        )
    return ProofToSign(stem, psbt, answer)


def _answer_of(cosigner: Cosigner) -> str:
    return f"{_ANSWER}{cosigner.name}{_ENDING}"


def _no_signature(cosigner: Cosigner, name: str) -> DeviceUnavailable:
    return DeviceUnavailable(
        Code.DEVICE_NO_SIGNATURE,
        f"the device of `{cosigner.name}` returned no valid signature for `{name}{_ENDING}`",
        advice="It may not sign such proofs: `audit reserves plan` says what is known; a payment is the other route.",
    )
