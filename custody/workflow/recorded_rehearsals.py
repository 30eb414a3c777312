"""The signatures of rehearsals that the journal holds, verified again: a check of a device is no claim then.

Each rehearsal is built anew from the vault; every signature must be by its cosigner's own key. Needs
the vault and the journal alone, so that an auditor can do it.
"""

from collections.abc import Iterator

from custody.audit.signers import SignedRehearsal, Signers
from custody.bitcoin.psbt import PartialSignature
from custody.codes import Code
from custody.errors import Finding, Severity
from custody.spend.rehearsal import MAX_NUMBER, Rehearsal
from custody.vault.cosigner import Cosigner
from custody.vault.vault import Vault
from custody.workflow.verify_rehearsal import cosigner_keys, judge_alone, rehearsal_scripts


def rehearsal_findings(vault: Vault, signers: Signers) -> tuple[Finding, ...]:
    """Return a refusing finding for each recorded rehearsal that is not what its cosigner's key signed."""
    return tuple(_findings(vault, signers))


def _findings(vault: Vault, signers: Signers) -> Iterator[Finding]:
    for cosigner in vault.cosigners:
        for signed in signers.of(cosigner.name).rehearsals:
            problem = _problem(vault, cosigner, signed)
            if problem is not None:
                yield Finding(
                    Code.BAD_SIGNATURE,
                    Severity.REFUSE,
                    cosigner.where,
                    f"rehearsal {signed.number} of `{cosigner.name}` (entry {signed.seq}): {problem}",
                    "Put no money on this key before `custody device check` passes; ask who wrote the entry.",
                )


def _problem(vault: Vault, cosigner: Cosigner, signed: SignedRehearsal) -> str | None:
    if vault.receive_only or signed.number > MAX_NUMBER:
        return "the vault has no such rehearsal"
    rehearsal = Rehearsal.of(vault, signed.number)
    if rehearsal.unsigned_txid != signed.unsigned_txid:
        return f"it names transaction `{signed.unsigned_txid}`, the rehearsal is `{rehearsal.unsigned_txid}`"
    keys = cosigner_keys(vault, rehearsal, cosigner.name)
    if tuple(key for key, _signature in signed.signatures) != keys:
        return "its signatures are not by the cosigner's keys"
    scripts = rehearsal_scripts(vault, rehearsal)
    mine = tuple(PartialSignature(key, signature) for key, signature in signed.signatures)
    wrong = judge_alone(rehearsal, mine, scripts)
    return None if wrong is None else f"the signature on input {wrong} does not hold"
