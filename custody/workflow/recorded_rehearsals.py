"""The signatures of rehearsals that the journal holds, verified again: a check of a device is no claim then.

Each rehearsal is built anew from the vault; every signature must be by its cosigner's own key. Anybody who can write
to the journal can say that a device was checked, or that somebody signed rehearsal two thousand million; what no key
signed for is left out here, and named by `rehearsal_findings`. Needs the vault and the journal alone, so that an
auditor can do it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from custody.audit.signers import SignedRehearsal, SignerRecord, Signers
from custody.bitcoin.psbt import PartialSignature
from custody.bitcoin.signatures import SpendScript
from custody.codes import Code
from custody.errors import Finding, Severity
from custody.spend.rehearsal import MAX_NUMBER, Rehearsal
from custody.vault.cosigner import Cosigner
from custody.vault.vault import Vault
from custody.workflow.verify_rehearsal import cosigner_keys, judge_alone, rehearsal_scripts


def verified_signers(vault: Vault, signers: Signers) -> Signers:
    """Return the same without the rehearsals that no key signed, and without checks that rest on none.

    A check rests on the first record of its rehearsal, with no alarm in between: an old signature, told again, ends
    no alarm. Descriptions, registrations and alarms stay the claims that they are.
    """
    return Signers({name: _verified(vault, name, record) for name, record in signers.records.items()})


def rehearsal_findings(vault: Vault, signers: Signers) -> tuple[Finding, ...]:
    """Return a finding for each record that its cosigner's key did not sign for; a false signature refuses."""
    return tuple(finding for _seq, finding in placed_rehearsal_findings(vault, signers))


def placed_rehearsal_findings(vault: Vault, signers: Signers) -> Iterator[tuple[int, Finding]]:
    """Yield the same, each with the entry that it is about."""
    for cosigner in vault.cosigners:
        record = signers.of(cosigner.name)
        for signed, problem in _problems(vault, cosigner, record.rehearsals):
            yield (
                signed.seq,
                Finding(
                    Code.BAD_SIGNATURE,
                    Severity.REFUSE,
                    cosigner.where,
                    f"rehearsal {signed.number} of `{cosigner.name}` (entry {signed.seq}): {problem}",
                    "Put no money on this key before `custody device check` passes; ask who wrote the entry.",
                ),
            )
        if record.check is not None and not _is_backed(record, _good(vault, cosigner, record.rehearsals)):
            yield (
                record.check.seq,
                Finding(
                    Code.DEVICE_UNPROVEN,
                    Severity.WARN,
                    cosigner.where,
                    f"entry {record.check.seq} says that the device of `{cosigner.name}` passed a check, and no new "
                    "signature by its key stands behind that",
                    "It counts as unchecked: run `custody device check`, and ask who wrote the entry.",
                ),
            )


def _verified(vault: Vault, name: str, record: SignerRecord) -> SignerRecord:
    cosigner = next(one for one in vault.cosigners if one.name == name)
    good = _good(vault, cosigner, record.rehearsals)
    return replace(record, rehearsals=good, check=record.check if _is_backed(record, good) else None)


def _good(vault: Vault, cosigner: Cosigner, told: Sequence[SignedRehearsal]) -> tuple[SignedRehearsal, ...]:
    wrong = {signed.seq for signed, _problem in _problems(vault, cosigner, told)}
    return tuple(signed for signed in told if signed.seq not in wrong)


def _is_backed(record: SignerRecord, good: Sequence[SignedRehearsal]) -> bool:
    check = record.check
    if check is None:
        return False
    first = next((one.seq for one in good if one.unsigned_txid == check.unsigned_txid), None)
    return first is not None and first < check.seq and not any(first < one.seq < check.seq for one in record.mismatches)


def _problems(
    vault: Vault, cosigner: Cosigner, told: Sequence[SignedRehearsal]
) -> Iterator[tuple[SignedRehearsal, str]]:
    if not told:
        return
    if vault.receive_only:
        yield from ((signed, _NONE) for signed in told)
        return
    keys, scripts = _of_every_rehearsal(vault, cosigner)
    for signed in told:
        problem = _problem(vault, signed, keys, scripts)
        if problem is not None:
            yield signed, problem


def _of_every_rehearsal(vault: Vault, cosigner: Cosigner) -> tuple[tuple[bytes, ...], tuple[SpendScript, ...]]:
    """Return the cosigner's keys and what the inputs spend: all rehearsals of a vault spend the same two scripts."""
    first = Rehearsal.of(vault, 1)
    return cosigner_keys(vault, first, cosigner.name), rehearsal_scripts(vault, first)


def _problem(
    vault: Vault, signed: SignedRehearsal, keys: tuple[bytes, ...], scripts: tuple[SpendScript, ...]
) -> str | None:
    if signed.number > MAX_NUMBER:
        return _NONE
    if tuple(key for key, _signature in signed.signatures) != keys:
        return "its signatures are not by the cosigner's keys"
    rehearsal = Rehearsal.of(vault, signed.number)
    if rehearsal.unsigned_txid != signed.unsigned_txid:
        return f"it names transaction `{signed.unsigned_txid}`, the rehearsal is `{rehearsal.unsigned_txid}`"
    mine = tuple(PartialSignature(key, signature) for key, signature in signed.signatures)
    wrong = judge_alone(rehearsal, mine, scripts)
    return None if wrong is None else f"the signature on input {wrong} does not hold"


_NONE = "the vault has no such rehearsal"
